"""A sweep of worlds for every push: no rule is broken, every rule had something to look at, and defects do not pass."""

import os

import pytest

from genesis.worlds.catalogue import CATALOGUE, unreached
from genesis.worlds.mutants import MUTANTS
from genesis.worlds.sweep import Errand, Totals, run_errand, sweep

SEEDS = range(200, 260)
HOURS, FAULTS = 0.4, 45.0
AGAIN_EVERY = 100
PROCESSES = min(2, os.cpu_count() or 1)
RARE = {
    "a second engine took the journal over",
    "a second engine was refused by the lock",
    "impossible settings were refused",
    "a person halted trading over the web",
    "the web answered 403 to too small a scope",
    "a sector of the journal went bad",
    "a corrupt journal was put aside by name",
}
"""Too rare for a sweep as short as this one to owe them; `make chaos` does."""

pytestmark = pytest.mark.chaos


def told(totals: Totals) -> str:
    return "\n".join(f"{found[0]}\n  again: {totals.replays[seed]}" for seed, found in sorted(totals.failed.items()))


@pytest.fixture(scope="module")
def totals() -> Totals:
    errands = [Errand(seed=seed, hours=HOURS, faults_an_hour=FAULTS) for seed in SEEDS]
    return sweep(errands, processes=PROCESSES, again_every=AGAIN_EVERY)


@pytest.mark.timeout(1800)
def test_no_rule_is_broken_whatever_breaks(totals: Totals) -> None:
    assert not totals.failed, told(totals)


@pytest.mark.timeout(1800)
def test_every_rule_had_something_to_look_at(totals: Totals) -> None:
    """Where nothing happens nothing is proven."""
    owed = unreached(totals.sometimes, totals.checks)
    assert {rule: states for rule, states in owed.items() if not set(states) <= RARE} == {}
    assert totals.kills >= 30
    assert totals.orders >= 500
    assert totals.fills >= 250


def test_every_rule_that_is_checked_stands_in_the_catalogue(totals: Totals) -> None:
    assert set(totals.checks) - set(CATALOGUE) == set()


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("mutant", "within"),
    [
        ("send-before-commit", 6),
        ("no-fees", 6),
        ("te-and-tu", 6),
        ("stops-forward", 3),
        ("last-first", 6),
        ("no-stops", 3),
    ],
)
def test_a_defect_does_not_pass(mutant: str, within: int) -> None:
    for seed in range(1000, 1000 + within):
        if run_errand(Errand(seed=seed, hours=0.2, faults_an_hour=FAULTS, mutant=mutant)).violations:
            return
    pytest.fail(f"{mutant} was not caught by {within} worlds")


def test_there_are_enough_defects_to_try() -> None:
    assert len(MUTANTS) >= 30
