"""The pool actor: what the settings want to hear is spread over the public sockets, while they run.

It decides which socket carries which stream and moves as few as it can; sockets see their share change and subscribe
or unsubscribe. It recovers by looking again: shares belong to the engine and outlive everybody. A pair in which
something is held or open is heard until it is not, whatever the settings say.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import attrs
import msgspec

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from genesis.domain.pairs import PairSpecs, pair_specs
from genesis.domain.socket_pool import spread, wanted_streams
from protocols.bitfinex.subscriptions import Subscription
from protocols.health import Notice
from protocols.settings import Settings
from protocols.units import Symbol

LOOK_S: Final = 1.0


@attrs.define(kw_only=True, eq=False)
class PoolActor:
    """`shares` are those of the sockets there are; `held` names pairs with an open order or a position."""

    settings: Latest[Settings]
    shares: Sequence[Latest[tuple[Subscription, ...]]]
    pairs: Latest[PairSpecs]
    held: Callable[[], Iterable[Symbol]]
    notices: Channel[Any] | None = None
    left_out: tuple[Subscription, ...] = attrs.field(default=(), init=False)

    async def run(self, ctx: Context) -> None:
        notices = ctx.outlet(self.notices) if self.notices is not None else None
        settings_version = self.settings.version
        self.settings.take(ctx.name)
        ctx.ready()
        look_at = ctx.clock.now()
        while True:
            ctx.inbox.ack_all(await ctx.inbox.lease(until=look_at))
            if ctx.clock.now() < look_at and self.settings.version == settings_version:
                continue
            settings_version = self.settings.version
            self.settings.take(ctx.name)
            look_at = ctx.clock.now() + LOOK_S
            before = self.left_out
            self.spread()
            if self.left_out and self.left_out != before and notices is not None:
                names = ", ".join(stream.name for stream in self.left_out[:5])
                text = f"{len(self.left_out)} streams have no socket until the next start: {names}"
                notices.put_nowait(Notice(level="alarm", code="pool_full", text=text, at_ms=ctx.clock.wall_ms()))

    def spread(self) -> None:
        """Make the shares what is wanted now; a share that stays as it is is not touched."""
        settings = self.settings.value
        watched = settings.market.symbols if settings.market.connect_on_start else ()
        symbols = tuple(dict.fromkeys((*watched, *sorted(self.held()))))
        wanted = wanted_streams(msgspec.structs.replace(settings.market, symbols=symbols))
        unknown = [symbol for symbol in symbols if symbol not in self.pairs.value]
        if unknown:
            self.pairs.set({**self.pairs.value, **pair_specs(unknown)})
        now = [share.value for share in self.shares]
        found = spread(wanted, now, limit=settings.connection.channels_per_socket)
        self.left_out = tuple(stream for share in found[len(now) :] for stream in share)
        for cell, old, new in zip(self.shares, now, found, strict=False):
            if set(new) != set(old):
                cell.set(new)
