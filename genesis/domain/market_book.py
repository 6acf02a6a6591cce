"""The market book: the newest of everything that streams say, the candles they closed, and how old each stream is."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypedDict

import attrs

from genesis.domain.candles import NOTHING_TOLD, CandleStream, room_for_each, series_key
from protocols.market import (
    BookTop,
    CandleClosed,
    CandleHistory,
    CandleRequest,
    CandleSeries,
    CandlesFailed,
    CandleSnapshot,
    CandleUpdate,
    Freshness,
    HistoryWish,
    MarketEvent,
    MarketView,
    OlderCandles,
    StreamBeat,
    StreamDown,
    StreamUp,
    Ticker,
    TradePrint,
)
from protocols.settings import Settings
from protocols.units import TIMEFRAME_MS, Symbol

EMPTY_MARKET = MarketView(tickers={}, tops={}, prints={}, series={}, freshness=(), venue_ms=0, received_ns=0)
"""What is known of the market before anything was heard."""

PRINTS_KEPT = 100
ABOUT_TO_MS = 2_000
"""A candle that ends so soon may stand as it will close."""

StreamName = tuple[str, Symbol, str]
"""(stream, symbol, time frame); the time frame is "" for streams without one."""


class _StreamSettings(TypedDict):
    grace_ms: int
    late_after_ms: int
    history: int
    refillable: bool


@attrs.define(kw_only=True)
class _Heard:
    venue_ms: int
    received_ns: int


class MarketBook:
    """State of the market. `told` says up to which candle the listeners know each stream already, `goes_on_after` the
    candle after which none may be missing for some of them."""

    def __init__(
        self,
        settings: Settings,
        *,
        view: MarketView = EMPTY_MARKET,
        told: Mapping[tuple[str, str], int] | None = None,
        goes_on_after: Mapping[tuple[str, str], int] | None = None,
        refillable: bool = False,
    ) -> None:
        self.settings = settings
        self._refillable = refillable
        self._told = told or {}
        self._goes_on_after = goes_on_after or {}
        self._wishes: dict[tuple[str, str], int] = {}
        self._tickers = dict(view.tickers)
        self._tops = dict(view.tops)
        self._prints = {symbol: deque(prints, maxlen=PRINTS_KEPT) for symbol, prints in view.prints.items()}
        self._prints_view = dict(view.prints)
        self._streams: dict[tuple[str, str], CandleStream] = {}
        self._series: dict[str, CandleSeries] = {}
        self._dirty: set[tuple[str, str]] = set()
        self._heard: dict[StreamName, _Heard] = {}
        self._venue_ms = view.venue_ms
        self._received_ns = view.received_ns
        for series in view.series.values():
            self._streams[(series.symbol, series.timeframe)] = CandleStream.restored(
                series, **self._stream_settings(series.symbol, series.timeframe)
            )
            self._series[series_key(series.symbol, series.timeframe)] = series
            self._hear("candles", series.symbol, series.timeframe, series.venue_ms, series.received_ns)
        for ticker in view.tickers.values():
            self._hear("ticker", ticker.symbol, "", ticker.venue_ms, ticker.received_ns)
        for top in view.tops.values():
            self._hear("book", top.symbol, "", top.venue_ms, top.received_ns)

    def on_settings(self, settings: Settings) -> None:
        self.settings = settings
        for (symbol, timeframe), stream in self._streams.items():
            stream.grace_ms = settings.market.candle_close_grace_ms
            stream.late_after_ms = int(settings.risk.signal_max_age_s * 1000)
            stream.history = self._history_of(symbol, timeframe)

    def will_close(self, update: CandleUpdate) -> bool:
        """Whether this candle ends within `ABOUT_TO_MS`, and a strategy hears of it: then have ready what is told."""
        candle = update.candle
        ends_ms = candle.open_ms + TIMEFRAME_MS[candle.timeframe]
        if update.venue_ms < ends_ms - ABOUT_TO_MS:
            return False
        heard = any(
            each.enabled and each.symbol == candle.symbol and each.timeframe == candle.timeframe
            for each in self.settings.strategies
        )
        stream = self._streams.get((candle.symbol, candle.timeframe))
        if heard and stream is not None:
            stream.look_ahead(candle)
        return heard

    def on_event(self, event: MarketEvent) -> list[CandleClosed]:
        """Take one event in; the candles it closed, oldest first."""
        # By its type, at once: to be asked for ten types, one after the other, took longer than what is done then.
        return WAY_IN[type(event)](self, event)

    def _on_ticker(self, event: Ticker) -> list[CandleClosed]:
        self._tickers[event.symbol] = event
        self._hear("ticker", event.symbol, "", event.venue_ms, event.received_ns)
        return []

    def _on_top(self, event: BookTop) -> list[CandleClosed]:
        self._tops[event.symbol] = event
        self._hear("book", event.symbol, "", event.venue_ms, event.received_ns)
        return []

    def _on_trade(self, event: TradePrint) -> list[CandleClosed]:
        prints = self._prints.setdefault(event.symbol, deque(maxlen=PRINTS_KEPT))
        prints.append(event)
        self._prints_view.pop(event.symbol, None)
        self._hear("trades", event.symbol, "", event.venue_ms, event.received_ns)
        return []

    def _on_candle(self, event: CandleUpdate) -> list[CandleClosed]:
        candle = event.candle
        self._hear("candles", candle.symbol, candle.timeframe, event.venue_ms, event.received_ns)
        return self._stream(candle.symbol, candle.timeframe).on_update(event)

    def _on_snapshot(self, event: CandleSnapshot) -> list[CandleClosed]:
        self._hear("candles", event.symbol, event.timeframe, event.venue_ms, event.received_ns)
        return self._stream(event.symbol, event.timeframe).on_snapshot(event)

    def _on_older(self, event: OlderCandles) -> list[CandleClosed]:
        self._stream(event.request.symbol, event.request.timeframe).on_older(event)
        return []

    def _on_failure(self, event: CandlesFailed) -> list[CandleClosed]:
        return []

    def _on_beat(self, event: StreamBeat) -> list[CandleClosed]:
        symbol, timeframe = event.symbol, event.timeframe
        self._hear(event.stream, symbol, timeframe, event.venue_ms, event.received_ns)
        if not timeframe:
            return []
        return self._stream(symbol, timeframe).on_beat(event.venue_ms, event.received_ns)

    def _on_up(self, event: StreamUp) -> list[CandleClosed]:
        self._hear(event.stream, event.symbol, event.timeframe, 0, event.received_ns)
        if event.timeframe:
            self._stream(event.symbol, event.timeframe).on_up()
        return []

    def _on_down(self, event: StreamDown) -> list[CandleClosed]:
        if event.reason == "unsubscribed" and event.symbol not in self.settings.market.symbols:
            self._forget((event.stream, event.symbol, event.timeframe))
        elif event.timeframe:
            self._stream(event.symbol, event.timeframe).on_down()
        return []

    def _forget(self, name: StreamName) -> None:
        """Nobody wants to hear it any more: it is not stale, it is gone."""
        stream, symbol, timeframe = name
        self._heard.pop(name, None)
        if stream == "candles":
            self._streams.pop((symbol, timeframe), None)
            self._dirty.discard((symbol, timeframe))
            self._series.pop(series_key(symbol, timeframe), None)
        elif stream == "ticker":
            self._tickers.pop(symbol, None)
        elif stream == "book":
            self._tops.pop(symbol, None)
        else:
            self._prints.pop(symbol, None)
            self._prints_view.pop(symbol, None)

    def wanted(self) -> tuple[CandleRequest, ...]:
        """History that somebody must fetch before these streams go on."""
        return tuple(stream.wanted for stream in self._streams.values() if stream.wanted is not None)

    def on_wishes(self, wishes: Iterable[HistoryWish]) -> None:
        """Keep room for the histories that strategies wait for, while they do."""
        self._wishes = {(wish.symbol, wish.timeframe): wish.candles for wish in wishes}
        for (symbol, timeframe), stream in self._streams.items():
            stream.history = self._history_of(symbol, timeframe)

    def older(self) -> tuple[CandleRequest, ...]:
        """What must be fetched for the histories that strategies wait for."""
        found = ((self._streams[key], count) for key, count in self._wishes.items() if key in self._streams)
        return tuple(request for stream, count in found if (request := stream.older(count)) is not None)

    def history(self, wish: HistoryWish) -> CandleHistory | None:
        """A history that is whole, up to the newest candle that was told; None while it is not."""
        stream = self._streams.get((wish.symbol, wish.timeframe))
        known = None if stream is None else stream.known(wish.candles)
        if stream is None or known is None:
            return None
        candles, is_all = known
        return CandleHistory(
            symbol=wish.symbol,
            timeframe=wish.timeframe,
            candles=candles,
            is_all=is_all,
            received_ns=stream.received_ns,
        )

    def is_whole(self, wish: HistoryWish) -> bool:
        """Whether `history` has an answer."""
        stream = self._streams.get((wish.symbol, wish.timeframe))
        return stream is not None and stream.is_whole(wish.candles)

    def closed_known(self, symbol: str, timeframe: str) -> int:
        """How many closed candles of a stream are known."""
        stream = self._streams.get((symbol, timeframe))
        return 0 if stream is None else stream.closed_known

    def speaks(self, symbol: str, timeframe: str) -> bool:
        """Whether a stream has begun, and nothing is missing in it."""
        stream = self._streams.get((symbol, timeframe))
        return stream is not None and stream.synced

    def give_up_holes(self, requests: Iterable[CandleRequest]) -> list[CandleClosed]:
        """Go on without the history that nobody could fetch."""
        closed: list[CandleClosed] = []
        for request in requests:
            stream = self._stream(request.symbol, request.timeframe)
            closed += stream.give_up_hole(stream.received_ns)
        return closed

    def freshness(self, now_ns: int) -> tuple[Freshness, ...]:
        """How old each stream's newest word is, in venue time.

        Between streams the venue's stamps are compared, so a replay at sixty times the speed is not stale; since the
        newest word of all, our own clock runs. A stream without stamps is measured by our clock alone.
        """
        market = self.settings.market
        silence_ms = max(0, now_ns - self._received_ns) // 1_000_000
        found: list[Freshness] = []
        for (stream, symbol, timeframe), heard in sorted(self._heard.items()):
            if heard.venue_ms > 0:
                age_ms = self._venue_ms - heard.venue_ms + silence_ms
            else:
                age_ms = max(0, now_ns - heard.received_ns) // 1_000_000
            limit_ms = int((market.candle_stale_s if timeframe else market.ticker_stale_s) * 1000)
            found.append(
                Freshness(
                    stream=stream,
                    symbol=symbol,
                    timeframe=timeframe,
                    age_ms=age_ms,
                    limit_ms=limit_ms,
                    stale=age_ms > limit_ms,
                )
            )
        return tuple(found)

    def view(self, freshness: tuple[Freshness, ...]) -> MarketView:
        for symbol, timeframe in self._dirty:
            self._series[series_key(symbol, timeframe)] = self._streams[(symbol, timeframe)].view()
        self._dirty.clear()
        for symbol, prints in self._prints.items():
            if symbol not in self._prints_view:
                self._prints_view[symbol] = tuple(prints)
        return MarketView(
            tickers=dict(self._tickers),
            tops=dict(self._tops),
            prints=dict(self._prints_view),
            series=dict(self._series),
            freshness=freshness,
            venue_ms=self._venue_ms,
            received_ns=self._received_ns,
        )

    def with_prices(self, view: MarketView) -> MarketView:
        """An earlier view with the prices of now."""
        return MarketView(
            tickers=self._tickers.copy(),
            tops=self._tops.copy(),
            prints=view.prints,
            series=view.series,
            freshness=view.freshness,
            venue_ms=view.venue_ms,
            received_ns=view.received_ns,
        )

    def _hear(self, stream: str, symbol: Symbol, timeframe: str, venue_ms: int, received_ns: int) -> None:
        if venue_ms > self._venue_ms:
            self._venue_ms = venue_ms
        if received_ns > self._received_ns:
            self._received_ns = received_ns
        heard = self._heard.get((stream, symbol, timeframe))
        if heard is None:
            self._heard[(stream, symbol, timeframe)] = _Heard(venue_ms=venue_ms, received_ns=received_ns)
        else:
            if venue_ms > heard.venue_ms:
                heard.venue_ms = venue_ms
            if received_ns > heard.received_ns:
                heard.received_ns = received_ns

    def _stream(self, symbol: Symbol, timeframe: str) -> CandleStream:
        key = (symbol, timeframe)
        self._dirty.add(key)
        stream = self._streams.get(key)
        if stream is None:
            if timeframe not in TIMEFRAME_MS:
                raise ValueError(f"time frame must be one of {', '.join(TIMEFRAME_MS)}, was {timeframe}")
            stream = self._streams[key] = CandleStream(
                symbol=symbol,
                timeframe=timeframe,
                told_until_ms=self._told.get(key, NOTHING_TOLD),
                covered_until_ms=self._goes_on_after.get(key, NOTHING_TOLD),
                **self._stream_settings(symbol, timeframe),
            )
        return stream

    def _history_of(self, symbol: str, timeframe: str) -> int:
        """Candles to keep: strategies are warmed up with theirs, everybody else has a share."""
        market = self.settings.market
        wished = self._wishes.get((symbol, timeframe), 0)
        if any((each.symbol, each.timeframe) == (symbol, timeframe) for each in self.settings.strategies):
            return max(market.candle_history, wished)
        return max(room_for_each(len(market.symbols) * len(market.timeframes), market.candle_history), wished)

    def _stream_settings(self, symbol: str, timeframe: str) -> _StreamSettings:
        return {
            "grace_ms": self.settings.market.candle_close_grace_ms,
            "late_after_ms": int(self.settings.risk.signal_max_age_s * 1000),
            "history": self._history_of(symbol, timeframe),
            "refillable": self._refillable,
        }


WAY_IN: Final[Mapping[type, Callable[[MarketBook, Any], list[CandleClosed]]]] = {
    Ticker: MarketBook._on_ticker,
    BookTop: MarketBook._on_top,
    TradePrint: MarketBook._on_trade,
    CandleUpdate: MarketBook._on_candle,
    CandleSnapshot: MarketBook._on_snapshot,
    OlderCandles: MarketBook._on_older,
    CandlesFailed: MarketBook._on_failure,
    StreamBeat: MarketBook._on_beat,
    StreamUp: MarketBook._on_up,
    StreamDown: MarketBook._on_down,
}
"""What a book does with each kind of event."""
