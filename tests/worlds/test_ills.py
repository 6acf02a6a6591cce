"""Poison, stuck actors, bad sectors and late halts: worlds made of one fault each reach the state that it is for."""

import pytest

from genesis.worlds.mutants import MUTANTS, mutated
from genesis.worlds.plan import WEIGHTS
from genesis.worlds.sweep import Errand, Hunt, clean_outcome, run_errand, run_hunt
from genesis.worlds.trouble import Trouble

pytestmark = pytest.mark.chaos

HOURS, FAULTS = 0.25, 40.0


@pytest.mark.parametrize("name", WEIGHTS)
def test_every_fault_of_a_plan_can_be_carried_out(name: str) -> None:
    assert callable(getattr(Trouble, f"_{name}", None)), name


@pytest.mark.parametrize("mutant", MUTANTS)
def test_every_defect_is_led_to_by_faults_that_there_are(mutant: str) -> None:
    assert MUTANTS[mutant].led_by <= set(WEIGHTS)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_a_defect_replaces_is_there(mutant: str) -> None:
    with mutated(mutant):
        pass


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("seed", "fault", "rule", "state"),
    [
        (1000, "poison", "E3", "a poisonous message was put aside"),
        (1000, "livelock", "E5", "a stuck actor was found in time"),
        (1000, "hang", "E5", "a stuck actor was found in time"),
        (1000, "bad_sector", "S3", "a corrupt journal was put aside by name"),
        (1000, "adopt", "M7", "a person adopted what a strategy held"),
        (1000, "move_money", "M7", "money was moved while the engine traded"),
        (1001, "twin_stop", "M10", "one of two equal stops was taken out while history was silent"),
        (1005, "socket_away", "M18", "a stop left over REST"),
        (1003, "socket_away", "M18", "the answer to a stop over REST was lost"),
        (1008, "socket_away", "M18", "a close left over REST"),
        (1011, "socket_away", "M18", "a flatten was wished where REST alone could carry it"),
    ],
)
def test_a_world_of_one_fault_reaches_its_state_and_breaks_no_rule(
    seed: int, fault: str, rule: str, state: str
) -> None:
    outcome = run_errand(Errand(seed=seed, hours=HOURS, faults_an_hour=FAULTS, only=frozenset({fault})))
    assert not outcome.violations, outcome.violations[0]
    assert outcome.checks[rule] >= 1
    assert outcome.sometimes[state] >= 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("mutant", "rule", "seed"),
    [
        ("four-lives", "E3", 1000),
        ("empty-for-corrupt", "S3", 1000),
        # Risk takes back what waits when trading is halted, so few worlds have an order on its way to the socket then.
        ("halt-unheard", "M9", 1004),
        ("no-lock", "M11", 1000),
        ("adoption-unheard", "E3", 1000),
        ("adoption-forgotten", "M7", 1000),
    ],
)
def test_a_defect_behind_a_rare_fault_is_caught_in_worlds_of_that_fault(mutant: str, rule: str, seed: int) -> None:
    caught = run_hunt(Hunt(mutant=mutant, first_seed=seed, seeds=2, hours=HOURS, faults_an_hour=FAULTS))
    assert caught.rule == rule
    assert caught.clean_looks > 100, "the same world without the defect must have been looked at"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("mutant", "rule", "seed"),
    [
        ("rest-asks-again", "M4", 1006),
        ("lost-answer-is-a-no", "M4", 1006),
        ("rest-takes-everything", "M18", 1006),
        ("rest-unused", "M16", 1003),
        ("closes-wait-for-the-socket", "M18", 1001),
    ],
)
def test_a_defect_of_what_leaves_over_rest_is_caught_where_the_socket_alone_is_away(
    mutant: str, rule: str, seed: int
) -> None:
    caught = run_hunt(Hunt(mutant=mutant, first_seed=seed, seeds=2, hours=HOURS, faults_an_hour=FAULTS))
    assert caught.rule == rule
    assert caught.clean_looks > 100


def test_a_world_that_breaks_a_rule_without_the_defect_catches_nothing() -> None:
    try:
        with mutated("last-first"):
            caught = run_hunt(Hunt(mutant="half-a-change", first_seed=1000, seeds=2, hours=0.1, faults_an_hour=FAULTS))
    finally:
        clean_outcome.cache_clear()
    assert (caught.rule, caught.unfit) == ("", (1000, 1001))
