"""What is said about the market: tickers, trade prints, book tops, candles, and how fresh they are.

Prices and amounts here are float64 (see `protocols.units`). Every event carries `venue_ms`, the venue's stamp of the
frame it came in (0 when the socket has no stamps), and `received_ns`, the engine's monotonic clock at the read.
"""

import msgspec

from protocols.units import Symbol


class Ticker(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    symbol: Symbol
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    last: float
    daily_change: float
    daily_change_relative: float
    volume: float
    high: float
    low: float
    venue_ms: int
    received_ns: int


class TradePrint(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A public trade; `amount` is signed: above zero the taker bought."""

    symbol: Symbol
    trade_id: int
    time_ms: int
    amount: float
    price: float
    venue_ms: int
    received_ns: int


class Tick(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What traded in a pair since strategies heard of it last: mostly one trade, several when they were busy.

    `trade_id`, `time_ms` (the venue's) and `price` are the newest trade's; `high`, `low`, `volume` (base) and `trades`
    are over all of them.
    """

    symbol: Symbol
    trade_id: int
    time_ms: int
    price: float
    high: float
    low: float
    volume: float
    trades: int
    received_ns: int


class BookTop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    symbol: Symbol
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    venue_ms: int
    received_ns: int


class Candle(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One candle; `open_ms` is the start of its bucket. Whether it is closed is said by the message that carries it."""

    symbol: Symbol
    timeframe: str
    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class CandleUpdate(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A candle as the venue told it: perhaps still forming. Nothing is decided by one."""

    candle: Candle
    venue_ms: int
    received_ns: int


class CandleSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """History of one stream, oldest first; the last one may still be forming.

    `covers_from_ms` is the open stamp from which on nothing is missing, when the teller knows it (an answer to a
    `CandleRequest`: minutes without a trade have no candle, so the rows alone cannot say), `covers_to_ms` the last one
    that was asked for.
    """

    symbol: Symbol
    timeframe: str
    candles: tuple[Candle, ...]
    venue_ms: int
    received_ns: int
    covers_from_ms: int | None = None
    covers_to_ms: int | None = None


class StreamBeat(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A heartbeat of one stream. On a candle stream its stamp is what closes a quiet minute."""

    stream: str
    symbol: Symbol
    timeframe: str
    venue_ms: int
    received_ns: int


class StreamUp(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A subscription is confirmed (again): what was known of it before may have a hole."""

    stream: str
    symbol: Symbol
    timeframe: str
    session: int
    received_ns: int


class StreamDown(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    stream: str
    symbol: Symbol
    timeframe: str
    session: int
    reason: str
    received_ns: int


class CandleRequest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask for the candles of one stream between two open stamps (both included); the answer is a CandleSnapshot.

    With `newest` only so many of them are wanted, the newest; the answer is OlderCandles. CandlesFailed answers either.
    """

    symbol: Symbol
    timeframe: str
    first_open_ms: int
    last_open_ms: int
    newest: int | None = None


class OlderCandles(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The newest candles up to `request.last_open_ms`, oldest first, all closed. `is_all`: the venue has no older."""

    request: CandleRequest
    candles: tuple[Candle, ...]
    is_all: bool
    received_ns: int


class CandlesFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A CandleRequest could not be answered, and why; `asked` is false when the venue was not asked, after others."""

    request: CandleRequest
    reason: str
    received_ns: int
    asked: bool = True


MarketEvent = (
    Ticker
    | TradePrint
    | BookTop
    | CandleUpdate
    | CandleSnapshot
    | OlderCandles
    | CandlesFailed
    | StreamBeat
    | StreamUp
    | StreamDown
)


class CandleClosed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A candle that will not change again: the only kind a strategy ever sees.

    `closed_ms` is the end of its bucket; `catch_up` is true for history told after a hole or a restart, which may move
    indicators but never opens a trade. `correlation_id` follows everything that comes of it, to the fill.
    """

    candle: Candle
    closed_ms: int
    catch_up: bool
    correlation_id: str
    received_ns: int


class CandleHistory(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What came before the next CandleClosed of its stream, oldest first: for strategies that need more to begin with
    than a subscription tells. No closed candle between the first and the last is missing; `is_all` says that the venue
    has none before the first.
    """

    symbol: Symbol
    timeframe: str
    candles: tuple[Candle, ...]
    is_all: bool
    received_ns: int


class HistoryWish(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Some strategy of this stream begins with so many closed candles, and hears of no other before it has them."""

    symbol: Symbol
    timeframe: str
    candles: int


class HistoryWait(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Closed candles that strategies of a stream wait for: `wanted` before the first, of which `have` are known, or
    those of a hole (0 wanted). `tries` counts questions, `trouble` says why the last one had no answer.
    """

    symbol: Symbol
    timeframe: str
    wanted: int
    have: int
    tries: int = 0
    trouble: str = ""


class Freshness(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How old the newest word of a stream is, in venue milliseconds; `stale` once it is past its limit."""

    stream: str
    symbol: Symbol
    timeframe: str
    age_ms: int
    limit_ms: int
    stale: bool


# --- reference data: said by the venue, decided upon by nobody yet ------------------------------------------------


class TradeSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The newest trades at the start of a subscription, oldest first: what was perhaps missed while it was down."""

    symbol: Symbol
    trades: tuple[TradePrint, ...]
    venue_ms: int
    received_ns: int


class FundingTicker(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Best rates of a funding currency; rates are per day, periods in days."""

    symbol: str
    flash_return_rate: float
    bid: float
    bid_period: int
    bid_size: float
    ask: float
    ask_period: int
    ask_size: float
    daily_change: float
    daily_change_relative: float
    last: float
    volume: float
    high: float
    low: float
    flash_return_amount: float
    venue_ms: int
    received_ns: int


class FundingPrint(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A public funding trade; `amount` is signed."""

    symbol: str
    trade_id: int
    time_ms: int
    amount: float
    rate: float
    period: int
    venue_ms: int
    received_ns: int


class DerivStatus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """State of a perpetual contract; `current_funding` is the rate applied in the current 8 hours."""

    symbol: str
    time_ms: int
    deriv_price: float
    spot_price: float
    insurance_fund: float
    next_funding_ms: int
    next_funding_accrued: float
    next_funding_step: int
    current_funding: float
    mark_price: float
    open_interest: float
    clamp_min: float
    clamp_max: float
    venue_ms: int
    received_ns: int


class Liquidation(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Somebody's position taken over by the venue; `amount` above zero was long."""

    position_id: int
    time_ms: int
    symbol: str
    amount: float
    base_price: float
    is_match: bool
    is_market_sold: bool
    price: float
    venue_ms: int
    received_ns: int


class BookLevels(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The book's first levels, best first: (price, amount without sign, orders)."""

    symbol: Symbol
    bids: tuple[tuple[float, float, int], ...]
    asks: tuple[tuple[float, float, int], ...]
    venue_ms: int
    received_ns: int


ReferenceEvent = TradeSnapshot | FundingTicker | FundingPrint | DerivStatus | Liquidation


class CandleSeries(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One candle stream as the market cache knows it, in one value.

    `candles` are closed, oldest first; `pending` are not, and the last of them is the forming one. Nothing up to
    `told_until_ms` (an open stamp) will be told again. `corrections` counts candles that the venue changed after they
    were told, `holes` the gaps that no snapshot filled. `synced` is false from a lost line to the next snapshot;
    `wanted` is the history that it waits for. From `whole_from_ms` on no candle is missing; `begins` says that the
    venue has none before the first.
    """

    symbol: Symbol
    timeframe: str
    candles: tuple[Candle, ...]
    pending: tuple[Candle, ...]
    told_until_ms: int
    venue_ms: int
    received_ns: int
    corrections: int
    holes: int
    synced: bool
    wanted: CandleRequest | None = None
    whole_from_ms: int = 0
    begins: bool = False

    @property
    def forming(self) -> Candle | None:
        return self.pending[-1] if self.pending else None


class MarketView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The newest of everything, for readers: by symbol, and `series` by `symbol:timeframe`."""

    tickers: dict[str, Ticker]
    tops: dict[str, BookTop]
    prints: dict[str, tuple[TradePrint, ...]]
    series: dict[str, CandleSeries]
    freshness: tuple[Freshness, ...]
    venue_ms: int
    received_ns: int


class TradesRequest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask for the public trades between two that are known (neither included); the answer is their TradePrints."""

    symbol: Symbol
    after_id: int
    after_ms: int
    before_id: int
    before_ms: int
