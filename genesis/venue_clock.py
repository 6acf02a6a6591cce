"""The clock of a run on a replayed venue: monotonic time is ours; what day and hour it is, the venue says."""

from collections.abc import Callable

import trio


class VenueClock:
    """A `Clock`. `monotonic` is as `TrioClock` has it."""

    __slots__ = ("now", "wall_ms")

    def __init__(self, venue_ms: Callable[[], int], monotonic: Callable[[], float] = trio.current_time) -> None:
        self.now = monotonic
        self.wall_ms = venue_ms

    def now_ns(self) -> int:
        return int(self.now() * 1e9)
