"""What the web remembers: bounded windows of the newest events, for the page that opens after they happened.

It belongs to the roof and outlives a crash of the web actor. Nothing here is a book: the journal is. When a window is
full the oldest entry goes, except that an open order is never forgotten.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

import attrs

from genesis.domain.candles import room_for_each
from protocols.config import ConfigNews, RolloutStatus
from protocols.health import ConnectionView, Notice
from protocols.jobs import JobView
from protocols.market import Candle, CandleClosed, CandleSnapshot, CandleUpdate, Freshness, Ticker
from protocols.orders import TERMINAL_STATES, Fill, OrderUpdate, OrderView
from protocols.regime import RegimeChanged
from protocols.risk import AccountState, RiskStatus, Verdict
from protocols.signals import Recommendation, SignalScore
from web.models import EquityPoint

ORDERS: Final = 2000
FILLS: Final = 5000
SIGNALS: Final = 1000
HOLDS: Final = 400
VERDICTS: Final = 1000
NOTICES: Final = 300
CANDLES: Final = 5000
EQUITY_POINTS: Final = 4000

UiEvent = (
    OrderUpdate
    | Fill
    | SignalScore
    | RegimeChanged
    | Verdict
    | Notice
    | JobView
    | ConfigNews
    | RolloutStatus
    | Ticker
    | CandleClosed
    | CandleUpdate
    | CandleSnapshot
    | AccountState
    | RiskStatus
    | ConnectionView
    | Freshness
    | EquityPoint
)
"""What the web actor hears, on a channel that drops the oldest when it is full."""


@attrs.define(kw_only=True)
class Series:
    """Candles of one symbol and time frame by their start; the newest may still be forming."""

    candles: dict[int, Candle] = attrs.field(factory=dict)
    newest_ms: int = 0

    def put(self, candle: Candle, room: int) -> None:
        known = candle.open_ms in self.candles
        self.candles[candle.open_ms] = candle
        if candle.open_ms >= self.newest_ms:
            self.newest_ms = candle.open_ms
        elif not known:
            # A hole was filled later: put it where it belongs, so that readers get ascending times.
            self.candles = dict(sorted(self.candles.items()))
        while len(self.candles) > room:
            del self.candles[next(iter(self.candles))]


@attrs.define(kw_only=True)
class Recent:
    """Hears every UI event, and lets `diary` hear it; its methods are readers (`web.readers.Readers`)."""

    diary: Callable[[UiEvent], None] | None = None
    _tickers: dict[str, Ticker] = attrs.field(factory=dict)
    _series: dict[tuple[str, str], Series] = attrs.field(factory=dict)
    _orders: dict[str, OrderView] = attrs.field(factory=dict)
    _fills: dict[int, Fill] = attrs.field(factory=dict)
    _signals: deque[SignalScore] = attrs.field(factory=lambda: deque(maxlen=SIGNALS))
    _holds: deque[SignalScore] = attrs.field(factory=lambda: deque(maxlen=HOLDS))
    _verdicts: deque[Verdict] = attrs.field(factory=lambda: deque(maxlen=VERDICTS))
    _notices: deque[Notice] = attrs.field(factory=lambda: deque(maxlen=NOTICES))
    _equity: list[EquityPoint] = attrs.field(factory=list)
    _account: AccountState | None = None
    _risk: RiskStatus | None = None
    _connections: dict[str, ConnectionView] = attrs.field(factory=dict)
    _freshness: dict[tuple[str, str, str], Freshness] = attrs.field(factory=dict)
    heard_total: int = 0

    def hear(self, event: UiEvent) -> None:
        self.heard_total += 1
        if self.diary is not None:
            self.diary(event)
        match event:
            case Ticker():
                self._tickers[event.symbol] = event
            case CandleUpdate() | CandleClosed():
                self._put(event.candle)
            case CandleSnapshot():
                for candle in event.candles:
                    self._put(candle)
            case OrderUpdate():
                self._put_order(event.order)
            case Fill():
                self._fills[event.trade_id] = event
                while len(self._fills) > FILLS:
                    del self._fills[next(iter(self._fills))]
            case SignalScore():
                # Most candles say hold: in a window of their own they cannot push out what mattered.
                (self._holds if event.recommendation is Recommendation.HOLD else self._signals).append(event)
            case Verdict():
                self._verdicts.append(event)
            case Notice():
                self._notices.append(event)
            case AccountState():
                self._account = event
                if event.known:
                    equity, flows = float(event.equity), float(event.flows)
                    self._put_equity(EquityPoint(at_ms=event.as_of_ms, equity=equity, flows=flows))
            case EquityPoint():
                self._put_equity(event)
            case RiskStatus():
                self._risk = event
            case ConnectionView():
                self._connections[event.name] = event
            case Freshness():
                self._freshness[(event.stream, event.symbol, event.timeframe)] = event
            case JobView() | ConfigNews() | RolloutStatus():
                # Their actors keep them; here they only pass on to the stream.
                pass

    def _put(self, candle: Candle) -> None:
        series = self._series.setdefault((candle.symbol, candle.timeframe), Series())
        series.put(candle, room_for_each(len(self._series), CANDLES))

    def _put_order(self, order: OrderView) -> None:
        # Orders of others have no intent id; the venue's id tells them apart.
        self._orders[order.intent_id or f"venue:{order.venue_id}"] = order
        if len(self._orders) > ORDERS:
            closed = next((key for key, old in self._orders.items() if old.state in TERMINAL_STATES), None)
            if closed is not None:
                del self._orders[closed]

    def _put_equity(self, point: EquityPoint) -> None:
        if self._equity and point.at_ms <= self._equity[-1].at_ms:
            # Newest wins within a moment; an older point would bend the line backwards.
            if point.at_ms == self._equity[-1].at_ms:
                self._equity[-1] = point
            return
        self._equity.append(point)
        if len(self._equity) > EQUITY_POINTS:
            # Thin the older half instead of forgetting the beginning: the line keeps its shape.
            half = len(self._equity) // 2
            self._equity = self._equity[:half:2] + self._equity[half:]

    def tickers(self) -> dict[str, Ticker]:
        return dict(self._tickers)

    def candles(self, symbol: str, timeframe: str) -> tuple[Candle, ...]:
        series = self._series.get((symbol, timeframe))
        return () if series is None else tuple(series.candles.values())

    def orders(self) -> tuple[OrderView, ...]:
        return tuple(self._orders.values())

    def fills(self) -> tuple[Fill, ...]:
        return tuple(self._fills.values())

    def signals(self) -> tuple[SignalScore, ...]:
        """Both windows in the order they were decided in."""
        both = [*self._signals, *self._holds]
        both.sort(key=lambda score: (score.decided_ms, score.signal_id))
        return tuple(both)

    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(self._verdicts)

    def notices(self) -> tuple[Notice, ...]:
        return tuple(self._notices)

    def equity(self) -> tuple[EquityPoint, ...]:
        return tuple(self._equity)

    def account(self) -> AccountState | None:
        return self._account

    def risk(self) -> RiskStatus | None:
        return self._risk

    def connections(self) -> tuple[ConnectionView, ...]:
        return tuple(self._connections.values())

    def freshness(self) -> tuple[Freshness, ...]:
        return tuple(self._freshness[key] for key in sorted(self._freshness))
