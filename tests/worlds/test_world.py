"""Whole worlds: the real engine, the real exchange, a virtual everything else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from genesis.worlds.world import simulate

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from genesis.worlds.world import simulate
outcome = simulate(int(sys.argv[1]), hours=float(sys.argv[2]), faults_an_hour=float(sys.argv[3]))
print(outcome.digest, outcome.fingerprint, outcome.steps)
"""


def digest_in_a_process(seed: int, hours: float, faults: float, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(seed), str(hours), str(faults)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize(("seed", "faults"), [(7, 12.0), (205, 60.0)])
def test_one_seed_is_one_history_in_any_process(seed: int, faults: float) -> None:
    """One in a hundred of the sweep's worlds; 205 has a web and every kind of trouble at once."""
    digests = {digest_in_a_process(seed, 0.25, faults, hash_seed) for hash_seed in ("0", "4711")}
    assert len(digests) == 1


def test_the_engine_trades_in_its_world() -> None:
    outcome = simulate(3, hours=0.5)
    assert not outcome.violations
    assert sum(line.kind == "venue" for line in outcome.lines) >= 2


@pytest.mark.parametrize("seed", range(10))
def test_where_nothing_breaks_a_backtest_decides_the_same(seed: int) -> None:
    """And everywhere what was decided is decided again from the journal alone."""
    outcome = simulate(seed, hours=0.25, faults_an_hour=0)
    assert not outcome.violations, outcome.violations[0]
    assert outcome.orders >= 3
    assert outcome.checks["P2"] == 1
    for state in ("a backtest decided the same", "a decision was made again"):
        assert outcome.sometimes[state] >= 100, state
