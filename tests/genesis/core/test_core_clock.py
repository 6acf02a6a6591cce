"""Time follows the trio run we are in, and the wall follows `time.time` as it is at each call."""

import time

import pytest
import trio
from trio.testing import MockClock

from genesis.core.clock import TrioClock


async def test_monotonic_time_is_trios(autojump_clock: MockClock) -> None:
    clock = TrioClock()
    assert (clock.now(), clock.now_ns()) == (0.0, 0)
    await trio.sleep(1.5)
    assert (clock.now(), clock.now_ns()) == (1.5, 1_500_000_000)


async def test_the_wall_can_follow_a_virtual_clock(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_500_000_000 + trio.current_time())
    clock = TrioClock()
    assert clock.wall_ms() == 1_500_000_000_000
    await trio.sleep(0.25)
    assert clock.wall_ms() == 1_500_000_000_250


def test_the_wall_needs_no_run() -> None:
    assert TrioClock().wall_ms() > 1_700_000_000_000
