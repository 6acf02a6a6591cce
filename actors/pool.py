"""The pool actor: what the settings want to hear is spread over the public sockets, while they run.

It decides which socket carries which stream and moves as few as it can; sockets see their share change and subscribe
or unsubscribe. It recovers by looking again: shares belong to the engine and outlive everybody. A pair in which
something is held or open is heard until it is not, whatever the settings say. Where the venue is not ours it is asked
for the sizes of those pairs, now and then, for they change.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import attrs
import msgspec
import structlog
import trio

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from genesis.domain.pair_sizes import said_by_venue
from genesis.domain.pairs import PairSpecs, pair_specs
from genesis.domain.socket_pool import spread, wanted_streams
from genesis.edge.errors import EdgeError
from genesis.edge.pair_infos import ask_pairs
from genesis.edge.rest import RestDoor
from protocols.bitfinex.errors import BitfinexError
from protocols.bitfinex.subscriptions import Subscription
from protocols.health import Notice
from protocols.settings import Settings
from protocols.units import Symbol

log = structlog.get_logger("genesis.pool")

LOOK_S: Final = 1.0
PAIRS_EVERY_S: Final = 900.0
"""How often the venue is asked for the sizes of its pairs. It changes them a few times a year, and delists with days
of notice."""
PAIRS_AGAIN_S: Final = 60.0
"""After it did not answer."""


@attrs.define(kw_only=True, eq=False)
class PoolActor:
    """`shares` are those of the sockets there are; `held` names pairs with an open order or a position.

    `door` asks the venue for its pairs; without one those of the start are all there are.
    """

    settings: Latest[Settings]
    shares: Sequence[Latest[tuple[Subscription, ...]]]
    pairs: Latest[PairSpecs]
    held: Callable[[], Iterable[Symbol]]
    notices: Channel[Any] | None = None
    door: RestDoor | None = None
    left_out: tuple[Subscription, ...] = attrs.field(default=(), init=False)
    _guessed: set[Symbol] = attrs.field(factory=set, init=False)
    _wanted: tuple[Symbol, ...] = attrs.field(default=(), init=False)
    _ask: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def run(self, ctx: Context) -> None:
        notices = ctx.outlet(self.notices) if self.notices is not None else None
        async with trio.open_nursery() as nursery:
            if self.door is not None:
                nursery.start_soon(self._ask_for_pairs, ctx, self.door, notices)
            await self._look(ctx, notices)

    async def _look(self, ctx: Context, notices: Outlet[Any] | None) -> None:
        settings_version = self.settings.version
        self.settings.take(ctx.name)
        ctx.ready()
        look_at = ctx.clock.now()
        seen: tuple[object, ...] = ()
        while True:
            ctx.inbox.ack_all(await ctx.inbox.lease(until=look_at))
            if ctx.clock.now() < look_at and self.settings.version == settings_version:
                continue
            settings_version = self.settings.version
            self.settings.take(ctx.name)
            look_at = ctx.clock.now() + LOOK_S
            if self._facts() == seen:
                # Spread as it is already.
                continue
            before = self.left_out
            self.spread()
            seen = self._facts()
            if self.left_out and self.left_out != before and notices is not None:
                names = ", ".join(stream.name for stream in self.left_out[:5])
                text = f"{len(self.left_out)} streams have no socket until the next start: {names}"
                notices.put_nowait(Notice(level="alarm", code="pool_full", text=text, at_ms=ctx.clock.wall_ms()))

    def _facts(self) -> tuple[object, ...]:
        """What the shares follow from."""
        return self.settings.version, self.pairs.version, sorted(self.held())

    def spread(self) -> None:
        """Make the shares what is wanted now; a share that stays as it is is not touched."""
        settings = self.settings.value
        watched = settings.market.symbols if settings.market.connect_on_start else ()
        symbols = tuple(dict.fromkeys((*watched, *sorted(self.held()))))
        wanted = wanted_streams(msgspec.structs.replace(settings.market, symbols=symbols))
        unknown = [symbol for symbol in symbols if symbol not in self.pairs.value]
        self._wanted = tuple(Symbol(symbol) for symbol in symbols)
        if unknown:
            # Until the venue has said, which is asked at once.
            self.pairs.set({**self.pairs.value, **pair_specs(unknown)})
            self._guessed.update(map(Symbol, unknown))
            self._ask.set()
        now = [share.value for share in self.shares]
        found = spread(wanted, now, limit=settings.connection.channels_per_socket)
        self.left_out = tuple(stream for share in found[len(now) :] for stream in share)
        for cell, old, new in zip(self.shares, now, found, strict=False):
            if set(new) != set(old):
                cell.set(new)

    async def _ask_for_pairs(self, ctx: Context, door: RestDoor, notices: Outlet[Any] | None) -> None:
        refused: set[str] = set()
        while True:
            pause_s = PAIRS_EVERY_S
            try:
                infos, unclear = await ask_pairs(door)
            except (EdgeError, BitfinexError) as error:
                pause_s = PAIRS_AGAIN_S
                log.warning("pairs_not_told", error=str(error))
            else:
                for reason in set(unclear.values()) - refused:
                    # Once of each: the list is the same every quarter of an hour.
                    log.warning("row_refused", error=reason)
                refused |= set(unclear.values())
                specs, news = said_by_venue(infos, self.pairs.value, self._wanted, frozenset(self._guessed), unclear)
                self._guessed.clear()
                if specs != self.pairs.value:
                    self.pairs.set(specs)
                for each in news:
                    level, code = ("alarm", "pair_gone") if each.is_alarm else ("warning", "pair_sizes")
                    if notices is not None:
                        notices.put_nowait(Notice(level=level, code=code, text=each.text, at_ms=ctx.clock.wall_ms()))
            with trio.move_on_after(pause_s):
                await self._ask.wait()
            self._ask = trio.Event()
