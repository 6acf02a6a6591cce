"""Pauses between dials: none to speak of after a good run, ever longer while it keeps failing, spread by chance."""

import random

from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.redial import GOOD_RUN_S, Redial


@given(st.integers(0, 1000), st.integers(1, 40))
def test_pauses_grow_to_the_cap_and_never_past_it(seed: int, failures: int) -> None:
    redial, chance = Redial(0.5, 60.0), random.Random(seed)
    for number in range(1, failures + 1):
        pause = redial.fell(up_for_s=0.0, chance=chance)
        ceiling = min(60.0, 0.5 * 2 ** (number - 1))
        assert pause <= ceiling
        if number > 1:
            assert pause >= ceiling / 2


def test_a_good_run_forgives_and_a_short_one_does_not() -> None:
    redial, chance = Redial(0.5, 60.0), random.Random(1)
    for _ in range(5):
        redial.fell(up_for_s=0.1, chance=chance)
    assert redial.failures == 5
    redial.fell(up_for_s=GOOD_RUN_S, chance=chance)
    assert redial.failures == 6  # five seconds after a pause of eight prove nothing yet
    redial.fell(up_for_s=100.0, chance=chance)
    assert redial.failures == 1
    assert redial.last_s <= 0.5


@given(st.integers(0, 1000), st.floats(0.1, 300))
def test_who_asks_for_patience_gets_at_least_that(seed: int, asked_s: float) -> None:
    pause = Redial(0.5, 60.0).fell(up_for_s=100.0, chance=random.Random(seed), at_least_s=asked_s)
    assert asked_s <= pause <= max(asked_s * 1.1, 0.5)


def test_sockets_that_fell_together_do_not_come_back_as_one() -> None:
    pauses = {Redial(0.5, 60.0).fell(up_for_s=99.0, chance=random.Random(seed)) for seed in range(50)}
    assert len(pauses) == 50
    assert max(pauses) - min(pauses) > 0.3


@given(st.integers(0, 1000), st.floats(GOOD_RUN_S, 60.0))
def test_a_line_that_flaps_is_there_for_half_of_the_time(seed: int, up_for_s: float) -> None:
    redial, chance = Redial(0.5, 60.0), random.Random(seed)
    for _ in range(12):
        redial.fell(up_for_s=0.0, chance=chance)
    assert all(redial.fell(up_for_s=up_for_s, chance=chance) <= up_for_s for _ in range(12))
