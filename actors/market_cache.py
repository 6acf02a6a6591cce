"""The market cache: hears every market event, tells closed candles in order, and publishes the newest of everything.

It recovers from what it published itself: the view is set before a batch is acknowledged, so after a crash the messages
in hand come again and meet the state from before them; candles told twice are recognised by who hears them. In a new
process there is no view: then the signal actor's checkpoints say which candles were told, and the snapshots that come
with every subscription tell the rest, as history. What strategies need of the time before that is asked of REST, put
before what is known, and told to them between two closed candles.
"""

from collections.abc import Sequence
from typing import Any, Final

import attrs

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from genesis.domain.history_desk import HistoryDesk, wait_text
from genesis.domain.market_book import WAY_IN, MarketBook
from genesis.domain.signal_machine import SIGNAL_TABLE, goes_on_after, seen_until
from genesis.domain.ticks import is_news, stretch_of, tick_of
from protocols.health import Notice
from protocols.journal import Cells, JournalRequest, ReadCells
from protocols.market import (
    CandleClosed,
    CandleRequest,
    CandlesFailed,
    CandleSnapshot,
    CandleUpdate,
    Freshness,
    HistoryWait,
    HistoryWish,
    MarketView,
    StreamBeat,
    StreamDown,
    Tick,
    Ticker,
    TradePrint,
)
from protocols.settings import Settings
from protocols.shadow import Stretch

LOOK_S = 1.0
"""How often freshness is looked at when nothing comes."""
ABOUT: Final = 0.1
"""Of `LOOK_S`, earlier or later: who is awake for something else then looks, and need not be woken for that alone."""
_SHOWN: Final = frozenset({Ticker, CandleUpdate, CandleSnapshot})
"""What screens hear besides closed candles."""


@attrs.define(kw_only=True)
class MarketCacheActor:
    """`closed` are all who hear closed candles: the first decides by them and hears them at once, the others when it
    had its turn. `requests` leads to who fetches history; `wishes` are the histories that strategies wait for, which
    the first of `closed` is told, and `waits` shows what keeps them.

    `ticks` are the trades of `tick_symbols` for whoever thinks at trades. `paper` and `paper_trades` are copies of
    candles and trades of `paper_symbols`, and of the histories of `paper_wishes`, for a shadow: they wait for nobody.
    `forming` are candles that strategies will hear and that are about to close, as they stand.
    """

    settings: Latest[Settings]
    view: Latest[MarketView]
    journal: Channel[JournalRequest]
    closed: Sequence[Channel[Any]]
    requests: Channel[Any] | None = None
    ticks: Channel[Tick] | None = None
    forming: Channel[CandleUpdate] | None = None
    tick_symbols: Latest[frozenset[str]] = attrs.field(factory=lambda: Latest(frozenset()))
    wishes: Latest[tuple[HistoryWish, ...]] = attrs.field(factory=lambda: Latest(()))
    waits: Latest[tuple[HistoryWait, ...]] = attrs.field(factory=lambda: Latest(()))
    paper: Channel[Any] | None = None
    paper_trades: Channel[Stretch] | None = None
    paper_symbols: Latest[frozenset[str]] = attrs.field(factory=lambda: Latest(frozenset()))
    paper_wishes: Latest[tuple[HistoryWish, ...]] = attrs.field(factory=lambda: Latest(()))
    ui: Channel[Any] | None = None
    _stale: set[tuple[str, str, str]] = attrs.field(factory=set, init=False)
    _desk: HistoryDesk = attrs.field(factory=HistoryDesk, init=False)
    _troubled: set[tuple[str, str]] = attrs.field(factory=set, init=False)

    async def run(self, ctx: Context) -> None:
        outlets = [ctx.outlet(channel) for channel in self.closed]
        ui = ctx.outlet(self.ui) if self.ui is not None else None
        requests = ctx.outlet(self.requests) if self.requests is not None else None
        ticks = ctx.outlet(self.ticks) if self.ticks is not None else None
        paper = ctx.outlet(self.paper) if self.paper is not None else None
        paper_trades = ctx.outlet(self.paper_trades) if self.paper_trades is not None else None
        forming = ctx.outlet(self.forming) if self.forming is not None else None
        settings_version = self.settings.version
        wished = (-1, -1)
        book = await self._recover(ctx)
        ctx.ready()
        looked_at = ctx.clock.now()
        while True:
            batch = await ctx.inbox.lease(until=looked_at + (1 + ABOUT) * LOOK_S)
            if self.settings.version != settings_version:
                settings_version = self.settings.version
                book.on_settings(self.settings.take(ctx.name))
            if (self.wishes.version, self.paper_wishes.version) != wished:
                wished = self.wishes.version, self.paper_wishes.version
                wishes = self._wishes()
                if wishes != self._desk.wishes:
                    self._desk.on_wishes(wishes, ctx.clock.now())
                    book.on_wishes(wishes)
            shadowed, followed = self.paper_symbols.value, self.tick_symbols.value
            told: list[CandleClosed] = []
            shown: list[Any] = []
            behind: list[TradePrint | StreamBeat] = []
            for envelope in batch:
                event = envelope.message
                # By its type: isinstance takes six times as long to say no of a struct.
                kind = type(event)
                if kind is TradePrint:
                    # What was traded is for people, and for who thinks at trades: nobody's order waits for the tape.
                    behind.append(event)
                    if followed or shadowed:
                        self._pass_on(event, book, ticks, paper_trades)
                    continue
                if kind is StreamBeat and not event.timeframe:
                    # It says how fresh its stream is.
                    behind.append(event)
                    continue
                if kind is StreamDown:
                    # What it ends was heard before.
                    _hear_all(book, behind)
                closed = WAY_IN[kind](book, event)
                if closed:
                    for candle in closed:
                        if not outlets[0].put_if_room(candle):
                            await outlets[0].put(candle)
                    told += closed
                    shown += closed
                if kind in _SHOWN:
                    shown.append(event)
                    if forming is not None and kind is CandleUpdate and not closed and book.will_close(event):
                        forming.put_nowait(event)
                elif kind is CandlesFailed:
                    self._report_failure(ctx, event, ui)
            if told:
                if len(shown) > len(told) and _have_prices(shown, told):
                    # The prices alone: a view with these candles would say, after a crash in what follows, that
                    # everybody had heard them.
                    self.view.set(book.with_prices(self.view.value))
                # Who decides goes first.
                await ctx.step_aside()
            _hear_all(book, behind)
            if requests is not None:
                refilled = self._ask_for_holes(ctx, book, requests)
                for candle in refilled:
                    await outlets[0].put(candle)
                told += refilled
                shown += refilled
                for history in self._desk.tell(book, ctx.clock.now()):
                    await outlets[0].put(history)
                    if paper is not None and history.symbol in shadowed:
                        paper.put_nowait(history)
                self._report_waits(ctx, ui)
            for outlet in outlets[1:]:
                for candle in told:
                    # Without a turn of the loop for each: what closes together is heard together.
                    if not outlet.put_if_room(candle):
                        await outlet.put(candle)
            if shadowed and paper is not None:
                for candle in told:
                    if candle.candle.symbol in shadowed:
                        paper.put_nowait(candle)
            if ui is not None:
                for each in shown:
                    ui.put_nowait(each)
            freshness = self.view.value.freshness
            if ctx.clock.now() >= looked_at + (1 - ABOUT) * LOOK_S or not freshness:
                looked_at = ctx.clock.now()
                freshness = book.freshness(ctx.clock.now_ns())
                self._report_stale(ctx, freshness, ui)
            self.view.set(book.view(freshness))
            ctx.inbox.ack_all(batch)
            # While it is at hand: what the next batch takes the place of would be freed while an order waits.
            batch, told, shown, closed, event = [], [], [], [], None

    def _pass_on(
        self, trade: TradePrint, book: MarketBook, ticks: Outlet[Tick] | None, paper_trades: Outlet[Stretch] | None
    ) -> None:
        """To strategies that think at trades, and to those of a shadow."""
        if not is_news(trade, int(book.settings.risk.signal_max_age_s * 1000)):
            return
        if ticks is not None and trade.symbol in self.tick_symbols.value:
            ticks.put_nowait(tick_of(trade))
        if paper_trades is not None and trade.symbol in self.paper_symbols.value:
            paper_trades.put_nowait(stretch_of(trade))

    def _wishes(self) -> tuple[HistoryWish, ...]:
        """Those of the strategies that trade, then those of a shadow."""
        wishes, paper = self.wishes.value, self.paper_wishes.value
        return (*wishes, *(each for each in paper if each not in wishes)) if paper else wishes

    async def _recover(self, ctx: Context) -> MarketBook:
        refillable = self.requests is not None
        settings = self.settings.take(ctx.name)
        if self.view.value.series:
            return MarketBook(settings, view=self.view.value, refillable=refillable)
        kept: Cells = await ctx.outlet(self.journal).ask(ReadCells(table=SIGNAL_TABLE))
        return MarketBook(
            settings,
            told=seen_until(settings, kept.cells),
            goes_on_after=goes_on_after(settings, kept.cells),
            refillable=refillable,
        )

    def _ask_for_holes(self, ctx: Context, book: MarketBook, requests: Outlet[CandleRequest]) -> list[CandleClosed]:
        """Ask for missing history, patiently; candles that can be told once a hole is given up."""
        due, hopeless = self._desk.due(book, ctx.clock.now())
        for request in due:
            requests.put_nowait(request)
        return book.give_up_holes(hopeless)

    def _report_failure(self, ctx: Context, failed: CandlesFailed, ui: Outlet[Any] | None) -> None:
        wait = self._desk.on_failure(failed, ctx.clock.now())
        if wait is not None and ui is not None:
            self._troubled.add((wait.symbol, wait.timeframe))
            text = f"{wait_text(wait)}, and is asked for again until they are there: {failed.reason}"
            ui.put_nowait(Notice(level="warning", code="history_waits", text=text, at_ms=ctx.clock.wall_ms()))

    def _report_waits(self, ctx: Context, ui: Outlet[Any] | None) -> None:
        waits = self._desk.waits
        if waits != self.waits.value:
            self.waits.set(waits)
        if not self._troubled:
            return
        for symbol, timeframe in sorted(self._troubled - {(wait.symbol, wait.timeframe) for wait in waits}):
            self._troubled.discard((symbol, timeframe))
            if ui is not None:
                text = f"{symbol} {timeframe}: its candles are whole now"
                ui.put_nowait(Notice(level="info", code="history_there", text=text, at_ms=ctx.clock.wall_ms()))

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


def _hear_all(book: MarketBook, events: list[TradePrint | StreamBeat]) -> None:
    """What closes no candle, once."""
    for event in events:
        book.on_event(event)
    events.clear()


def _have_prices(shown: Sequence[Any], told: Sequence[CandleClosed]) -> bool:
    """Whether new prices came with these candles: who decides by the candles must find those in the view."""
    for event in shown:
        if type(event) is Ticker:
            for closed in told:
                if closed.candle.symbol == event.symbol:
                    return True
    return False
