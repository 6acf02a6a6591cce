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
    """A candle as the venue told it: perhaps still forming. Only the market cache hears this."""

    candle: Candle
    venue_ms: int
    received_ns: int


class CandleSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """History of one stream, oldest first; the last one may still be forming."""

    symbol: Symbol
    timeframe: str
    candles: tuple[Candle, ...]
    venue_ms: int
    received_ns: int


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


MarketEvent = Ticker | TradePrint | BookTop | CandleUpdate | CandleSnapshot | StreamBeat | StreamUp | StreamDown


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


class Freshness(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How old the newest word of a stream is, in venue milliseconds; `stale` once it is past its limit."""

    stream: str
    symbol: Symbol
    timeframe: str
    age_ms: int
    limit_ms: int
    stale: bool
