"""Whole worlds: the real engine, the real exchange, a virtual everything else."""

import pytest

from genesis.worlds.sweep import Errand, told_elsewhere
from genesis.worlds.world import simulate


@pytest.mark.parametrize(("seed", "faults"), [(7, 12.0), (205, 60.0)])
def test_one_seed_is_one_history_in_any_process(seed: int, faults: float) -> None:
    """One in a hundred of the sweep's worlds; 205 has a web and every kind of trouble at once."""
    errand = Errand(seed=seed, hours=0.25, faults_an_hour=faults)
    told = {told_elsewhere(errand, hash_seed) for hash_seed in ("0", "4711")}
    assert len(told) == 1
    digest, _, steps = told.pop().split()
    assert len(digest) == 64
    assert int(steps) > 1000


def test_the_engine_trades_in_its_world() -> None:
    outcome = simulate(3, hours=0.5)
    assert not outcome.violations
    assert sum(line.kind == "venue" for line in outcome.lines) >= 2


def test_a_world_is_not_over_while_an_actor_hangs_with_an_approval_in_its_hands() -> None:
    """The order actor of 607 takes its last entry a second before the faults end, and turns in place."""
    outcome = simulate(607, hours=0.4, faults_an_hour=30)
    assert not outcome.violations, outcome.violations[0]
    assert outcome.sometimes["an actor turned in place with messages in its hands"] == 1


@pytest.mark.parametrize("seed", range(10))
def test_where_nothing_breaks_a_backtest_decides_the_same(seed: int) -> None:
    """And everywhere what was decided is decided again from the journal alone."""
    outcome = simulate(seed, hours=0.25, faults_an_hour=0)
    assert not outcome.violations, outcome.violations[0]
    assert outcome.orders >= 3
    assert outcome.checks["P2"] == 1
    for state in ("a backtest decided the same", "a decision was made again"):
        assert outcome.sometimes[state] >= 100, state
