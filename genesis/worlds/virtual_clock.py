"""Virtual time: it passes only while every task waits, and then straight to the next thing that happens.

trio asks its clock how long to sleep when no task can run (`trio.abc.Clock.deadline_to_sleep_time`). The answer here is
"not at all": the clock goes to the next timer, or carries out what was put down for an earlier time. trio's own
`MockClock` does the same by an idle turn of the loop for each jump, and cannot do anything on its way.
"""

import heapq
import math
from collections.abc import Callable
from typing import Final

from typing_extensions import override

from genesis.core.rest import RestClock

REALLY_S: Final = 60.0
MOMENTS: Final = 8
"""In one go at most: the kernel must be heard even where nobody ever wakes again, as at a run's end, and where somebody
from outside asks for it."""


class VirtualClock(RestClock):
    """One per run. Seconds since its beginning, as a float whatever is put down: the journal writes 149 and 149.0
    differently, and a replay reads floats."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.nobody_runs_before: Callable[[], float] = lambda: -math.inf
        """Asked behind each moment: until then the loop need not turn for what wakes nobody."""
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._order = 0

    def at(self, when: float, action: Callable[[], object]) -> None:
        """Have something done at a time, between two steps of tasks; it must not wait.

        Actions of one time are done in the order in which they were given, and before timers of that time ring.
        """
        self._order += 1
        heapq.heappush(self._events, (float(when), self._order, action))

    @override
    def start_clock(self) -> None:
        pass

    @override
    def current_time(self) -> float:
        return self.now

    @override
    def deadline_to_sleep_time(self, deadline: float) -> float:
        if self._at_rest:
            # Before any time passes.
            self._tell_of_rest()
            return 0.0
        events = self._events
        if events and events[0][0] <= deadline:
            take = heapq.heappop
            for _ in range(MOMENTS):
                # An action that is overdue (put down for a time that had passed) turns nothing back.
                now = events[0][0]
                if now > self.now:
                    self.now = now
                else:
                    now = self.now
                while events and events[0][0] <= now:
                    take(events)[2]()
                if not events or events[0][0] > self.nobody_runs_before():
                    break
        elif deadline > self.now:
            if deadline == math.inf:
                # Only trio's own wake-up can come now, as it does when a run ends.
                return REALLY_S
            self.now = float(deadline)
        return 0.0
