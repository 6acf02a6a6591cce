"""The web actor: hears what happens, remembers the newest of it, and tells whoever listens.

It holds nothing that matters: `Recent`, `Hub` and the listeners belong to the engine and survive it. The server runs
inside it, so a fault of the server is a crash of this actor and of nothing else; its clients connect again.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from genesis.core.actor import Context
from web.feed import Poll, publish_event
from web.hub import Hub
from web.readers import Readers
from web.recent import Recent

POLL_S: Final = 0.5
PULSE_S: Final = 1.0
BATCH: Final = 1024
STEP_ASIDE_S: Final = 0.002
FEW: Final = 20
"""Clients that can be told a message without anybody noticing."""


@attrs.define(eq=False, kw_only=True)
class WebActor:
    """`serve` is `Site.serve`: it runs until the event it is given is set, and says when it listens.

    Its child spec needs `shutdown_s` of at least twice the server's grace plus one second.
    """

    recent: Recent
    hub: Hub
    readers: Readers
    serve: Callable[..., Awaitable[None]]

    async def run(self, ctx: Context) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.serve, ctx.stopping)
            nursery.start_soon(self._poll, ctx.stopping)
            ctx.ready()
            await self._hear(ctx)

    async def _hear(self, ctx: Context) -> None:
        while not ctx.stopping.is_set():
            # The deadline is the pulse: a web that nobody tells anything still shows progress.
            batch = await ctx.inbox.lease(limit=BATCH, until=ctx.clock.now() + PULSE_S)
            if batch:
                # People do not see two milliseconds; an order that comes of the same news does not wait for them.
                await trio.sleep(STEP_ASIDE_S)
            for envelope in batch:
                if len(self.hub) > FEW:
                    await self.hub.quiet_over()
                self.recent.hear(envelope.message)
                publish_event(self.hub, envelope.message)
                ctx.inbox.ack(envelope)

    async def _poll(self, stopping: trio.Event) -> None:
        poll = Poll(readers=self.readers, hub=self.hub)
        while not stopping.is_set():
            for _ in poll.steps():
                await self.hub.quiet_over()
            with trio.move_on_after(POLL_S):
                await stopping.wait()
