"""A short sweep of worlds for every push: no rule is broken, and what a world was it is again."""

import pytest

from genesis.worlds.sweep import Errand, Totals, run_errand, sweep

SEEDS = range(200, 208)
HOURS, FAULTS = 0.4, 45.0
CAUGHT_WITHIN = 6

pytestmark = pytest.mark.chaos


def told(totals: Totals) -> str:
    return "\n".join(f"{found[0]}\n  again: {totals.replays[seed]}" for seed, found in sorted(totals.failed.items()))


@pytest.fixture(scope="module")
def totals() -> Totals:
    return sweep(Errand(seed=seed, hours=HOURS, faults_an_hour=FAULTS) for seed in SEEDS)


@pytest.mark.timeout(400)
def test_no_rule_is_broken_whatever_breaks(totals: Totals) -> None:
    assert not totals.failed, told(totals)


@pytest.mark.timeout(400)
def test_the_worlds_really_were_in_trouble(totals: Totals) -> None:
    """Where nothing happens nothing is proven."""
    assert totals.kills >= 2
    assert totals.orders >= 30
    assert totals.fills >= 20
    for state in ("an actor crashed and was restarted", "a doubt was resolved", "order state UNKNOWN"):
        assert totals.sometimes[state], f"no world ever reached: {state}"
    for rule in ("M1", "M2", "M4", "M6", "M7", "M8", "M9", "M10", "M11", "M12", "S1", "E1", "E6", "E7"):
        assert totals.checks[rule], f"rule {rule} was never looked at"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("mutant", ["send-before-commit", "no-fees", "te-and-tu"])
def test_a_defect_does_not_pass(mutant: str) -> None:
    for seed in range(CAUGHT_WITHIN):
        if run_errand(Errand(seed=seed, hours=0.2, faults_an_hour=FAULTS, mutant=mutant)).violations:
            return
    pytest.fail(f"{mutant} was not caught by {CAUGHT_WITHIN} worlds")
