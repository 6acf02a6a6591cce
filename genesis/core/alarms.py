"""Rings doorbells at their times, for all mailboxes of a tree by one timer.

A scope with a deadline around each wait costs more than all the rest of a lease, and nearly every wait ends by a
message long before its time. A bell that was told to ring is not told again to: at most it rings for nothing, and
whoever waits behind it looks at the clock himself.
"""

import heapq
import itertools
import math

import trio

from genesis.core.channel import Doorbell


class Alarms:
    """One for each tree of actors; `run` lives as long as they do."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Doorbell]] = []
        self._numbers = itertools.count()
        self._timer: trio.CancelScope | None = None

    @property
    def running(self) -> bool:
        return self._timer is not None

    def at(self, deadline: float, bell: Doorbell) -> None:
        """Ring when the clock reaches `deadline`."""
        assert self._timer is not None, "alarms must be running"
        heapq.heappush(self._due, (deadline, next(self._numbers), bell))
        if deadline < self._timer.deadline:
            self._timer.deadline = deadline

    async def run(self) -> None:
        """Ring what is due. Run it once, beside the actors."""
        try:
            while True:
                with trio.CancelScope(deadline=self._due[0][0] if self._due else math.inf) as self._timer:
                    await trio.sleep_forever()
                now = trio.current_time()
                while self._due and self._due[0][0] <= now:
                    heapq.heappop(self._due)[2].ring()
        finally:
            self._timer = None
