"""The crier of the event stream: one task that tells all clients, a few at a time, and nobody while an order may be on
its way.

A task for each client would wake together with all the others, and trio runs whatever can run before it looks for the
market's news: an order would wait for all of them. So one task goes round. What is put together for one client serves
all that differ in nothing, it is written into each socket without waiting for it, and after a fraction of a millisecond
everybody else has the loop for a while.
"""

from typing import Final

import attrs
import trio

from web.hub import Hub, Round, Subscriber

ROUND_GAP_S: Final = 0.04
LONGEST_GAP_S: Final = 1.0
"""However many they are, nobody's page is older."""
FRAMES_PER_S: Final = 500
"""Frames of all clients together: with many clients each gets fewer and fuller ones, and trading keeps its time. Each
also pushes some of what an order needs out of the processor's caches, which costs its p50 more than the turn does."""
SLICE_S: Final = 0.0002
"""At a stretch. A market's frame that arrives meanwhile waits for no more than this and one client's frame."""
BREATH_S: Final = 0.001
"""Between two stretches, in which a decision gets so far that it hushes the screens."""
LOOK_S: Final = 5.0
"""How often each client is looked at whether it may go on."""
LOOKS: Final = 20
"""Clients that are looked at in one go: a look takes microseconds, to wake for it ten times as long."""


@attrs.define(eq=False)
class Crier:
    """Tells a hub's subscribers, through their ears. One for each life of the server."""

    hub: Hub

    async def run(self) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._go_round)
            nursery.start_soon(self._answer)
            nursery.start_soon(self._look)

    async def _go_round(self) -> None:
        """Tell everybody what was published since the last round."""
        while True:
            row = await self.hub.news()
            began = turn = trio.current_time()
            for subscriber in self.hub.subscribers:
                self._tell(subscriber, row)
                if trio.current_time() - turn >= SLICE_S:
                    turn = await self._breathe()
            await trio.sleep_until(began + max(ROUND_GAP_S, min(LONGEST_GAP_S, len(self.hub) / FRAMES_PER_S)))

    async def _answer(self) -> None:
        """Tell each what was asked for by it alone, without waiting for the next round."""
        turn = trio.current_time()
        while True:
            subscriber = await self.hub.asked()
            if subscriber is not None:
                self._tell(subscriber, self.hub.row())
            if trio.current_time() - turn >= SLICE_S:
                turn = await self._breathe()

    async def _breathe(self) -> float:
        """Give everybody else the loop, and say when the next stretch begins."""
        await trio.sleep(BREATH_S)
        await self.hub.quiet_over()
        return trio.current_time()

    def _tell(self, subscriber: Subscriber, row: Round) -> None:
        # It may have gone, or have been held, since it was put on the list.
        if subscriber not in self.hub or subscriber.held or subscriber.ear is None:
            return
        messages = subscriber.part(row)
        if messages:
            subscriber.ear.hear(messages)
        if subscriber.seen < row.serial:
            # More than fits into one frame.
            self.hub.ring()

    async def _look(self) -> None:
        """Look at each once in LOOK_S, some at a time."""
        while True:
            await self.hub.listened()
            listening = self.hub.subscribers
            for first in range(0, len(listening), LOOKS):
                await self.hub.quiet_over()
                for subscriber in listening[first : first + LOOKS]:
                    if subscriber in self.hub and subscriber.ear is not None:
                        subscriber.ear.look()
                await trio.sleep(LOOK_S * LOOKS / max(LOOKS, len(listening)))
