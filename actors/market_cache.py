"""The market cache: hears every market event, tells closed candles in order, and publishes the newest of everything.

It recovers from what it published itself: the view is set before a batch is acknowledged, so after a crash the messages
in hand come again and meet the state from before them; candles told twice are recognised by who hears them. In a new
process there is no view: then the signal actor's checkpoints say which candles were told, and the snapshots that come
with every subscription tell the rest, as history.
"""

from collections.abc import Sequence
from typing import Any, Final

import attrs

from genesis.core.actor import Context
from genesis.core.channel import Channel, Envelope
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from genesis.domain.market_book import MarketBook
from genesis.domain.signal_machine import SIGNAL_TABLE, seen_until
from genesis.domain.ticks import is_news, tick_of
from protocols.health import Notice
from protocols.journal import Cells, JournalRequest, ReadCells
from protocols.market import (
    CandleClosed,
    CandleRequest,
    CandleSnapshot,
    CandleUpdate,
    Freshness,
    MarketView,
    Tick,
    Ticker,
    TradePrint,
)
from protocols.settings import Settings

LOOK_S = 1.0
"""How often freshness is looked at when nothing comes."""
REFILL_S = 10.0
"""A hole that nobody filled for so long is asked for again; after `REFILL_TRIES` times it is left."""
REFILL_TRIES = 3
_SHOWN: Final = (Ticker, CandleUpdate, CandleSnapshot)
"""What screens hear besides closed candles."""


@attrs.define(kw_only=True)
class MarketCacheActor:
    """`closed` are all who hear closed candles: the first decides by them and hears them at once, the others when it
    had its turn. `requests` leads to who fetches history.

    `ticks` are the trades of `tick_symbols` for whoever thinks at trades.
    """

    settings: Latest[Settings]
    view: Latest[MarketView]
    journal: Channel[JournalRequest]
    closed: Sequence[Channel[CandleClosed]]
    requests: Channel[Any] | None = None
    ticks: Channel[Tick] | None = None
    tick_symbols: Latest[frozenset[str]] = attrs.field(factory=lambda: Latest(frozenset()))
    ui: Channel[Any] | None = None
    _stale: set[tuple[str, str, str]] = attrs.field(factory=set, init=False)
    _asked: dict[CandleRequest, tuple[int, float]] = attrs.field(factory=dict, init=False)

    async def run(self, ctx: Context) -> None:
        outlets = [ctx.outlet(channel) for channel in self.closed]
        ui = ctx.outlet(self.ui) if self.ui is not None else None
        requests = ctx.outlet(self.requests) if self.requests is not None else None
        ticks = ctx.outlet(self.ticks) if self.ticks is not None else None
        settings_version = self.settings.version
        book = await self._recover(ctx)
        ctx.ready()
        looked_at = ctx.clock.now()
        while True:
            batch = await ctx.inbox.lease(until=looked_at + LOOK_S)
            if self.settings.version != settings_version:
                settings_version = self.settings.version
                book.on_settings(self.settings.take(ctx.name))
            told: list[CandleClosed] = []
            shown: list[Any] = []
            for envelope in batch:
                event = envelope.message
                closed = book.on_event(event)
                for candle in closed:
                    await outlets[0].put(candle)
                told += closed
                shown += closed
                if ticks is not None and isinstance(event, TradePrint) and event.symbol in self.tick_symbols.value:
                    if is_news(event, int(book.settings.risk.signal_max_age_s * 1000)):
                        ticks.put_nowait(tick_of(event))
                if isinstance(event, _SHOWN):
                    shown.append(event)
            if told and not _have_prices(batch, told):
                # Who decides goes first.
                await ctx.step_aside()
            if requests is not None:
                refilled = self._ask_for_holes(ctx, book, requests)
                for candle in refilled:
                    await outlets[0].put(candle)
                told += refilled
                shown += refilled
            for outlet in outlets[1:]:
                for candle in told:
                    await outlet.put(candle)
            if ui is not None:
                for each in shown:
                    ui.put_nowait(each)
            freshness = self.view.value.freshness
            if ctx.clock.now() >= looked_at + LOOK_S or not freshness:
                looked_at = ctx.clock.now()
                freshness = book.freshness(ctx.clock.now_ns())
                self._report_stale(ctx, freshness, ui)
            self.view.set(book.view(freshness))
            ctx.inbox.ack_all(batch)

    async def _recover(self, ctx: Context) -> MarketBook:
        refillable = self.requests is not None
        settings = self.settings.take(ctx.name)
        if self.view.value.series:
            return MarketBook(settings, view=self.view.value, refillable=refillable)
        kept: Cells = await ctx.outlet(self.journal).ask(ReadCells(table=SIGNAL_TABLE))
        return MarketBook(settings, told=seen_until(settings, kept.cells), refillable=refillable)

    def _ask_for_holes(self, ctx: Context, book: MarketBook, requests: Outlet[CandleRequest]) -> list[CandleClosed]:
        """Ask for missing history, patiently; candles that can be told once a hole is given up."""
        now = ctx.clock.now()
        wanted = book.wanted()
        hopeless: list[CandleRequest] = []
        self._asked = {request: asked for request, asked in self._asked.items() if request in wanted}
        for request in wanted:
            tries, again_at = self._asked.get(request, (0, now))
            if now < again_at:
                continue
            if tries >= REFILL_TRIES:
                hopeless.append(request)
                continue
            self._asked[request] = (tries + 1, now + REFILL_S)
            requests.put_nowait(request)
        return book.give_up_holes(hopeless)

    def _report_stale(self, ctx: Context, freshness: tuple[Freshness, ...], ui: Outlet[Any] | None) -> None:
        for one in freshness:
            name = (one.stream, one.symbol, one.timeframe)
            if one.stale == (name in self._stale):
                continue
            (self._stale.add if one.stale else self._stale.discard)(name)
            if ui is not None:
                words = " ".join(word for word in name if word)
                text = f"{words}: silent for {one.age_ms / 1000:.0f} s" if one.stale else f"{words}: speaks again"
                level = "warning" if one.stale else "info"
                code = "stream_stale" if one.stale else "stream_fresh"
                ui.put_nowait(one)
                ui.put_nowait(Notice(level=level, code=code, text=text, at_ms=ctx.clock.wall_ms()))


def _have_prices(batch: Sequence[Envelope], told: Sequence[CandleClosed]) -> bool:
    """Whether new prices came with these candles: who decides by the candles must find those in the view."""
    symbols = {each.candle.symbol for each in told}
    return any(isinstance(each.message, Ticker) and each.message.symbol in symbols for each in batch)
