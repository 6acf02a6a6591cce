"""A sweep of worlds for every push: no rule is broken, every rule had something to look at, and defects do not pass."""

import os

import pytest

from genesis.worlds.catalogue import CATALOGUE, unreached
from genesis.worlds.mutants import MUTANTS
from genesis.worlds.sweep import Errand, Totals, run_errand, sweep

SEEDS = range(300)
"""They take the time that 200 worlds took which all traded candles of a minute; the bounds below are those of then."""
HOURS, FAULTS = 1.0, 12.0
AGAIN_EVERY = 100
PROCESSES = min(2, os.cpu_count() or 1)

pytestmark = pytest.mark.chaos


def told(totals: Totals) -> str:
    return "\n".join(f"{found[0]}\n  again: {totals.replays[seed]}" for seed, found in sorted(totals.failed.items()))


@pytest.mark.timeout(1200)
def test_no_rule_is_broken_whatever_breaks_and_each_had_something_to_look_at() -> None:
    """One test, since another worker that took half of it would run all worlds once more."""
    errands = [Errand(seed=seed, hours=HOURS, faults_an_hour=FAULTS) for seed in SEEDS]
    totals = sweep(errands, processes=PROCESSES, again_every=AGAIN_EVERY)
    assert not totals.failed, told(totals)
    # Where nothing happens nothing is proven.
    assert unreached(totals.sometimes, totals.checks) == {}
    assert set(totals.checks) - set(CATALOGUE) == set(), "every rule must stand in the catalogue"
    assert totals.kills >= 150
    assert totals.orders >= 3000
    assert totals.fills >= 1500


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
        if run_errand(Errand(seed=seed, hours=0.2, faults_an_hour=45.0, mutant=mutant, to_first=True)).violations:
            return
    pytest.fail(f"{mutant} was not caught by {within} worlds")


def test_there_are_enough_defects_to_try() -> None:
    assert len(MUTANTS) >= 30
