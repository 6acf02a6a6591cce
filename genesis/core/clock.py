"""The clock port: what time it is, asked of one object that a simulated world can replace."""

import time
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

    `time.time` is looked up at each call: a simulated world patches it to follow the virtual clock.
    """

    __slots__ = ()

    def now(self) -> float:
        return trio.current_time()

    def now_ns(self) -> int:
        return int(trio.current_time() * 1e9)

    def wall_ms(self) -> int:
        return int(time.time() * 1000)
