"""Rates and lock-outs: by caller, bounded, and never global."""

from hypothesis import given
from hypothesis import strategies as st

from web.limits import FREE_FAILURES, LONGEST_LOCK_S, MAX_CALLERS, Lockout, RateLimit


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    limit = RateLimit(per_s=10, burst=5)
    assert [limit.take("a", 0.0) for _ in range(5)] == [0.0] * 5
    assert limit.take("a", 0.0) > 0
    assert limit.take("a", 0.11) == 0
    assert limit.take("b", 0.0) == 0


@given(st.lists(st.floats(min_value=0, max_value=2), max_size=200))
def test_no_caller_gets_more_than_burst_and_rate(gaps: list[float]) -> None:
    limit = RateLimit(per_s=10, burst=5)
    now, passed = 0.0, 0
    for gap in gaps:
        now += gap
        passed += limit.take("a", now) == 0
    assert passed <= 5 + now * 10 + 1e-6


def test_the_first_failures_are_free_and_then_the_wait_doubles_to_its_longest() -> None:
    lockout = Lockout()
    for _ in range(FREE_FAILURES):
        lockout.failed("a", 0.0)
    assert lockout.wait_s("a", 0.0) == 0
    waits = []
    for _ in range(9):
        lockout.failed("a", 0.0)
        waits.append(lockout.wait_s("a", 0.0))
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == LONGEST_LOCK_S
    assert lockout.wait_s("b", 0.0) == 0
    lockout.succeeded("a")
    assert lockout.wait_s("a", 0.0) == 0


def test_failures_are_forgotten_after_a_while() -> None:
    lockout = Lockout()
    for _ in range(FREE_FAILURES + 3):
        lockout.failed("a", 0.0)
    lockout.failed("a", 1000.0)
    assert lockout.wait_s("a", 1000.0) == 0


def test_a_flood_of_callers_is_bounded() -> None:
    limit, lockout = RateLimit(), Lockout()
    for number in range(MAX_CALLERS + 100):
        limit.take(str(number), 0.0)
        lockout.failed(str(number), 0.0)
    assert len(limit._buckets) == MAX_CALLERS
    assert len(lockout._failures) == MAX_CALLERS
