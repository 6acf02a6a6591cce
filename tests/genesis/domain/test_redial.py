"""Pauses between dials: none to speak of after a good run, ever longer while it keeps failing, spread by chance."""

import random

from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.redial import AWAY_SHARE, GOOD_RUN_S, HASTE_S, End, Patience, Redial


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


@given(st.integers(0, 1000), st.floats(1.0, 3600.0))
def test_an_outage_in_haste_lasts_little_longer_than_it_had_to(seed: int, lasts_s: float) -> None:
    redial, chance, now = Redial(0.5, 60.0), random.Random(seed), 100.0
    pauses = 0
    while now < 100.0 + lasts_s:
        now += redial.fell(up_for_s=0.0, chance=chance, now=now) + 0.01
        pauses += 1
    assert now - 100.0 - lasts_s <= max(HASTE_S, AWAY_SHARE * lasts_s) + 0.02
    # And is not dialled more often than every two seconds for that.
    assert pauses <= 6 + lasts_s / (HASTE_S / 2)


def test_haste_begins_anew_behind_a_good_run() -> None:
    redial, chance = Redial(0.5, 60.0), random.Random(3)
    for number in range(60):
        redial.fell(up_for_s=0.0, chance=chance, now=10.0 * number)
    assert redial.last_s > HASTE_S
    redial.fell(up_for_s=300.0, chance=chance, now=1000.0)
    for number in range(20):
        assert redial.fell(up_for_s=0.0, chance=chance, now=1000.0 + number) <= HASTE_S


def test_a_venue_that_is_there_and_refuses_is_left_alone_for_longer() -> None:
    """Unlike one that cannot be reached."""
    longest = {}
    for refused in (False, True):
        redial, chance = Redial(0.5, 60.0), random.Random(2)
        end = End("500", refused=refused)
        longest[refused] = max(redial.ended(end, chance=chance, now=float(number)) for number in range(12))
    assert longest[False] <= HASTE_S
    assert longest[True] > 6 * HASTE_S


def test_haste_does_not_come_before_who_asked_for_patience() -> None:
    pause = Redial(0.5, 60.0).fell(up_for_s=0.0, chance=random.Random(1), at_least_s=60.0, now=5.0, wished=True)
    assert pause >= 60.0


def test_a_session_that_we_wished_for_is_dialled_at_once_and_the_next_ones_are_not() -> None:
    redial, chance = Redial(0.5, 60.0), random.Random(1)
    assert redial.fell(up_for_s=100.0, chance=chance, now=5.0, wished=True) == 0.0
    assert all(redial.fell(up_for_s=0.1, chance=chance, now=6.0, wished=True) > 0.0 for _ in range(10))


@given(st.floats(0.1, 600.0), st.integers(0, 50))
def test_an_answer_is_waited_for_longer_each_time_and_then_anew(longest_s: float, missed: int) -> None:
    wait_s = Patience(3.0, missed).wait_s(longest_s)
    assert 0 < wait_s <= longest_s
    assert wait_s >= min(3.0, longest_s)
    waits = [Patience(3.0, number).wait_s(longest_s) for number in range(10)]
    assert max(waits) == longest_s, "a slow venue gets all of the time that the settings allow"
    assert waits[0] == min(3.0, longest_s)
