"""A supervisor's control queue: what its loop hears, at once or at a time. Unbounded, and it never blocks who posts."""

import heapq
import math
from collections import deque
from typing import Final

import msgspec
import trio

from genesis.core.alarms import Alarms
from genesis.core.channel import Doorbell
from genesis.core.child import Child
from genesis.core.clock import Clock
from genesis.core.errors import ChildFailure


class Exited(msgspec.Struct, frozen=True, eq=False):
    """A child's task is over; how is written in the child."""

    child: Child
    generation: int


class Crash(msgspec.Struct, frozen=True, eq=False):
    """Chaos for this whole supervisor."""

    reason: ChildFailure


class StartTimeout(msgspec.Struct, frozen=True, eq=False):
    """A child should be ready by now. A token that is not the child's any more makes a timer stale."""

    child: Child
    token: int
    again: bool = False


class Overdue(msgspec.Struct, frozen=True, eq=False):
    """A condemned child should have ended by now."""

    child: Child
    token: int
    again: bool = False


class RestartDue(msgspec.Struct, frozen=True, eq=False):
    """A child's pause is over."""

    child: Child
    token: int


LATE_S: Final = 0.05
"""A loop that turns is not later than this with a timer."""
AGAIN_S: Final = 1.0
"""And so long it then looks again, once, before it judges a child by a clock that ran without it."""

ControlMessage = Exited | Crash | StartTimeout | Overdue | RestartDue


class ControlQueue:
    """Messages in the order they were posted, then timers in the order they are due."""

    def __init__(self, clock: Clock, alarms: Alarms) -> None:
        self._clock = clock
        self._alarms = alarms
        self._alarm_at = -math.inf
        self._posted: deque[ControlMessage] = deque()
        self._timers: list[tuple[float, int, ControlMessage]] = []
        self._timers_set = 0
        self._bell = Doorbell()

    def post(self, message: ControlMessage) -> None:
        self._posted.append(message)
        self._bell.ring()

    def at(self, when: float, message: ControlMessage) -> None:
        """Deliver `message` when the clock reaches `when`; equal times in the order they were set."""
        self._timers_set += 1
        heapq.heappush(self._timers, (when, self._timers_set, message))
        self._bell.ring()

    def wake(self) -> None:
        """Make a waiting `next` return None: there is something to see that is not a message."""
        self._bell.ring()

    async def next(self) -> ControlMessage | None:
        """The next message; None when woken without one, or for a timer that the next call will give."""
        if self._posted:
            return self._posted.popleft()
        due = self._timers[0][0] if self._timers else math.inf
        now = self._clock.now()
        if due <= now:
            message = heapq.heappop(self._timers)[2]
            if now - due > LATE_S and isinstance(message, StartTimeout | Overdue) and not message.again:
                # The loop stood still, or the machine slept: a part of that time was not the child's to use.
                self.at(now + AGAIN_S, msgspec.structs.replace(message, again=True))
                return None
            return message
        if due == math.inf:
            await self._bell.wait()
        elif self._alarms.running:
            if not now < self._alarm_at <= due:
                self._alarms.at(due, self._bell.ring)
                self._alarm_at = due
            await self._bell.wait()
        else:
            with trio.CancelScope(deadline=due):
                await self._bell.wait()
        return None
