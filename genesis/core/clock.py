"""The clock port: what time it is, asked of one object that a simulated world can replace."""

import time
from collections.abc import Callable
from typing import Protocol

import trio


class Clock(Protocol):
    """Monotonic time for durations and deadlines, wall time for people and venues."""

    def now(self) -> float:
        """Monotonic seconds; comparable with trio deadlines."""
        ...

    def now_ns(self) -> int:
        """The same instant as `now()` in whole nanoseconds, for latency stamps."""
        ...

    def wall_ms(self) -> int:
        """Milliseconds UTC."""
        ...


class TrioClock:
    """The clock of the trio run we are in.

    `monotonic` gives the time of the run's own clock, for who knows that clock: trio finds it by four calls.
    `time.time` is looked up at each call: a simulated world patches it to follow the virtual clock.
    """

    __slots__ = ("now",)

    def __init__(self, monotonic: Callable[[], float] = trio.current_time) -> None:
        self.now = monotonic

    def now_ns(self) -> int:
        return int(self.now() * 1e9)

    def wall_ms(self) -> int:
        return int(time.time() * 1000)
