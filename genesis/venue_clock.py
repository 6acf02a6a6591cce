"""The clock of a run on a replayed venue: monotonic time is ours; what day and hour it is, the venue says."""

from collections.abc import Callable

import trio


class VenueClock:
    """A `Clock`."""

    __slots__ = ("_venue_ms",)

    def __init__(self, venue_ms: Callable[[], int]) -> None:
        self._venue_ms = venue_ms

    def now(self) -> float:
        return trio.current_time()

    def now_ns(self) -> int:
        return int(trio.current_time() * 1e9)

    def wall_ms(self) -> int:
        return self._venue_ms()
