"""Pauses that grow, stop growing, and never overflow."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.core.backoff import DEFAULT, IMMEDIATE, Backoff


def test_pauses_double_up_to_the_cap_after_the_free_ones() -> None:
    backoff = Backoff(base_s=0.5, factor=2, cap_s=3, jitter=0, free=2)
    assert [backoff.delay_s(n, random.Random(1)) for n in range(1, 8)] == [0, 0, 0.5, 1, 2, 3, 3]


@given(st.integers(1, 10**12), st.floats(1, 1e6), st.floats(0, 0.99), st.integers(0, 2**32))
def test_no_number_of_failures_overflows_and_jitter_stays_in_its_bounds(
    failures: int, factor: float, jitter: float, seed: int
) -> None:
    """`factor ** n` alone raises OverflowError after a thousand failures, and takes the supervisor with it."""
    backoff = Backoff(base_s=0.1, factor=factor, cap_s=20, jitter=jitter, free=0)
    delay = backoff.delay_s(failures, random.Random(seed))
    assert 0.1 * (1 - jitter) * 0.999 <= delay <= 20 * (1 + jitter)


@given(st.integers(2, 60), st.integers(0, 2**32))
def test_jitter_spreads_and_the_seed_decides_it(failures: int, seed: int) -> None:
    pair = [DEFAULT.delay_s(failures, random.Random(seed)) for _ in range(2)]
    assert pair[0] == pair[1]
    assert len({DEFAULT.delay_s(failures, random.Random(f"{seed}-{n}")) for n in range(10)}) > 1


def test_immediate_is_immediate_for_ever() -> None:
    assert {IMMEDIATE.delay_s(n, random.Random(1)) for n in (1, 2, 10, 10**6)} == {0.0}


def test_the_first_failure_is_free_by_default() -> None:
    assert DEFAULT.delay_s(1, random.Random(1)) == 0
    assert DEFAULT.delay_s(2, random.Random(1)) > 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"base_s": -1}, "base_s must be within 0 and cap_s 20.0, was -1"),
        ({"base_s": 21}, "base_s must be within 0 and cap_s 20.0, was 21"),
        ({"factor": 0.5}, "factor must be at least 1, was 0.5"),
        ({"factor": float("nan")}, "factor must be at least 1, was nan"),
        ({"jitter": 1}, "jitter must be at least 0 and below 1, was 1"),
        ({"jitter": -0.1}, "jitter must be at least 0 and below 1, was -0.1"),
        ({"free": -1}, "free must be at least 0, was -1"),
    ],
)
def test_a_pause_that_cannot_be_right_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        Backoff(**wrong)
    assert str(caught.value) == words
