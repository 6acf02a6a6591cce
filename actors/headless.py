"""The headless actor: stands in for the web where nobody looks, and remembers what the web would have shown."""

from collections.abc import Callable
from typing import Any

import attrs

from genesis.core.actor import Context


@attrs.define(kw_only=True)
class HeadlessActor:
    """`hear` is told everything that screens would hear."""

    hear: Callable[[Any], None]

    async def run(self, ctx: Context) -> None:
        ctx.ready()
        while True:
            batch = await ctx.inbox.lease()
            for envelope in batch:
                self.hear(envelope.message)
            ctx.inbox.ack_all(batch)
