"""Rings what is to ring at a time, for all mailboxes and supervisors of a tree by one timer.

A scope with a deadline around each wait costs more than all the rest of a lease, and nearly every wait ends by a
message long before its time. An alarm that was set is not set again: it looks, when it rings, whether it is waited for
still, and by whom for a later time.
"""

import heapq
import itertools
import math
from collections.abc import Callable

import trio


class Alarms:
    """One for each tree of actors; `run` lives as long as they do."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._timer: trio.CancelScope | None = None

    @property
    def running(self) -> bool:
        return self._timer is not None

    def at(self, deadline: float, ring: Callable[[], object]) -> None:
        """Call `ring` when the clock reaches `deadline`, from our own task: it must not wait, and must not raise."""
        heapq.heappush(self._due, (deadline, next(self._numbers), ring))
        if self._timer is not None and deadline < self._timer.deadline:
            self._timer.deadline = deadline

    async def run(self) -> None:
        """Ring what is due. Run it once, beside the actors."""
        try:
            while True:
                with trio.CancelScope(deadline=self._due[0][0] if self._due else math.inf) as self._timer:
                    await trio.sleep_forever()
                now = trio.current_time()
                while self._due and self._due[0][0] <= now:
                    heapq.heappop(self._due)[2]()
        finally:
            self._timer = None
