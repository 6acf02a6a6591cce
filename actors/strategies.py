"""The strategies actor: it looks whether the user's strategy files changed, and has them read again.

It hears no messages. Reading a file starts a process, so it is done in a thread; whoever runs strategies sees by the
cell that there are new kinds, and takes them up with its next candle.
"""

from collections.abc import Callable
from typing import Any, Final

import attrs
import trio

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from protocols.health import Notice

LOOK_S: Final = 1.0


@attrs.define(kw_only=True)
class StrategiesActor:
    """`refresh` looks at the folder and gives (level, sentence) of every change; `kinds` counts the looks with one."""

    refresh: Callable[[], tuple[tuple[str, str], ...]]
    kinds: Latest[int]
    notices: Channel[Any] | None = None

    async def run(self, ctx: Context) -> None:
        notices = None if self.notices is None else ctx.outlet(self.notices)
        ctx.ready()
        look_at = ctx.clock.now()
        while True:
            ctx.inbox.ack_all(await ctx.inbox.lease(until=look_at))
            if ctx.clock.now() < look_at:
                continue
            changes = await trio.to_thread.run_sync(self.refresh)
            look_at = ctx.clock.now() + LOOK_S
            if changes:
                self.kinds.set(self.kinds.value + 1)
            for level, text in changes:
                if notices is not None:
                    notices.put_nowait(Notice(level=level, code="strategies", text=text, at_ms=ctx.clock.wall_ms()))
