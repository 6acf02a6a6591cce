"""A rate limit lets through what it promises and never more, whatever the order of requests."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.rate_limit import RateLimit

GAPS = st.lists(st.floats(min_value=0, max_value=5, allow_nan=False), min_size=1, max_size=200)


def used_at(limit: RateLimit, gaps: list[float]) -> list[float]:
    """When each request goes out, for requests that come `gaps` apart and wait as they are told."""
    now, used = 0.0, []
    for gap in gaps:
        now += gap
        used.append(now + limit.take(now))
    return used


@given(GAPS, st.integers(2, 20), st.floats(1, 60))
def test_no_window_ever_holds_more_than_its_limit(gaps: list[float], most: int, window_s: float) -> None:
    used = used_at(RateLimit.at_most(most, window_s), gaps)
    for first in range(len(used)):
        # Half open, with a hair for the rounding of sums.
        inside = [at for at in used[first:] if at < used[first] + window_s - 1e-6]
        assert len(inside) <= most


@given(GAPS)
def test_waiting_requests_keep_their_order_and_their_distance(gaps: list[float]) -> None:
    limit = RateLimit(3, 1.5)
    used = used_at(limit, gaps)
    assert used == sorted(used)
    for earlier, later in pairwise(used[::3]):
        assert later - earlier > 0 or gaps == [0.0]


def test_a_burst_goes_at_once_and_the_rest_at_the_steady_rate() -> None:
    limit = RateLimit(burst=3, interval_s=2.0)
    assert [limit.take(100.0) for _ in range(6)] == [0, 0, 0, 2, 4, 6]
    assert limit.waited == 3
    assert limit.take(200.0) == 0


def test_tokens_come_back_with_time() -> None:
    limit = RateLimit(burst=4, interval_s=1.0)
    assert limit.tokens(0.0) == 4
    for _ in range(4):
        limit.take(10.0)
    assert (limit.tokens(10.0), limit.utilisation(10.0)) == (0, 1.0)
    assert limit.tokens(12.0) == 2
    assert limit.tokens(100.0) == 4


def test_trying_takes_nothing_when_it_would_wait() -> None:
    limit = RateLimit(burst=1, interval_s=10.0)
    assert limit.try_take(0.0)
    assert not limit.try_take(5.0)
    assert limit.taken == 1
    assert limit.try_take(10.0)


def test_a_hold_keeps_everybody_waiting_and_gives_no_burst_after_it() -> None:
    limit = RateLimit(burst=3, interval_s=1.0)
    limit.hold(100.0, 60.0)
    assert limit.wait_s(100.0) == 60
    assert [limit.take(160.0) for _ in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(("burst", "interval_s"), [(0, 1.0), (1, 0.0), (1, -1.0)])
def test_limits_that_cannot_be_are_refused(burst: int, interval_s: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        RateLimit(burst, interval_s)


def test_a_burst_must_leave_room_in_its_window() -> None:
    with pytest.raises(ValueError, match="burst must be at least 1 and below the limit 5, was 5"):
        RateLimit.at_most(5, 15.0, burst=5)
    assert RateLimit.at_most(1, 15.0).interval_s == 15.0
