"""Puts a reader's events into a bounded channel without ever parking the reader.

A reader that waits for room in a channel does not read, and a socket that is not read answers no pings. So: what fits
goes in at once, the rest waits here in order and a second task carries it over; only when `limit` events wait does the
reader stop, and then the line itself tells the other side to slow down.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import trio

from genesis.core.mailbox import Outlet

LIMIT: Final = 100_000
"""Events that may wait: some 50 MB at most, and minutes of a busy market."""


class Handover:
    """`counted` is told the number of frames whose events are all in the channel."""

    def __init__(self, outlet: Outlet[Any], counted: Callable[[int], None], *, limit: int = LIMIT) -> None:
        self._outlet = outlet
        self._counted = counted
        self._limit = limit
        # Events, and between them the number of frames that end there.
        self._waiting: deque[tuple[Any, int]] = deque()
        self._filled = trio.Event()
        self._room = trio.Event()
        self.stalls = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return len(self._waiting) >= self._limit

    def offer(self, events: Sequence[Any], frames: int) -> bool:
        """Never waits. Events stay in order over all calls. False when it is full behind this."""
        if not self._waiting:
            put = self._outlet.put_many(events) if events else 0
            if put == len(events):
                self._counted(frames)
                return True
            self.stalls += 1
            events = events[put:]
        self._waiting.extend((event, 0) for event in events)
        last, _ = self._waiting.pop()
        self._waiting.append((last, frames + _))
        self._filled.set()
        return not self.full

    async def room(self) -> None:
        """Wait until less than the limit waits. A checkpoint only when it has to."""
        while self.full:
            self._room = trio.Event()
            await self._room.wait()

    async def carry(self) -> None:
        """Carry over what waits, for ever. Run it beside the reader."""
        while True:
            while not self._waiting:
                self._filled = trio.Event()
                await self._filled.wait()
            await self._carry_one()

    async def finish(self, last: Sequence[Any] = ()) -> None:
        """Carry over what waits and then `last`; for the end of a line."""
        self.offer(last, 0)
        while self._waiting:
            await self._carry_one()

    async def _carry_one(self) -> None:
        # Taken out only when it is in: a cancelled put has put nothing.
        await self._outlet.put(self._waiting[0][0])
        _, frames = self._waiting.popleft()
        if frames:
            self._counted(frames)
        if not self.full:
            self._room.set()
