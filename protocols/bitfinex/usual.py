"""Updates of the usual shape, told straight from a frame's bytes: a pair's ticker, a trade of it, a candle of it.

Nearly every frame of a socket is one of these or of a book. What raises here is not judged: the session's careful way
reads such a frame again and says what is wrong with it.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec

from protocols.bitfinex.plausible import candle_fault, ticker_fault, trade_fault
from protocols.bitfinex.rows import LARGEST_INTEGER
from protocols.market import Candle, CandleUpdate, Ticker, TradePrint

if TYPE_CHECKING:
    from protocols.bitfinex.streams import Stream

_Integer = Annotated[int, msgspec.Meta(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]


class _Row(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A row of the documented kinds; elements after the last are ignored."""


class TickerRow(_Row, array_like=True, frozen=True, gc=False):
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    daily_change: float
    daily_change_relative: float
    last: float
    volume: float
    high: float
    low: float


class TradeRow(_Row, array_like=True, frozen=True, gc=False):
    trade_id: _Integer
    time_ms: _Integer
    amount: float
    price: float


class CandleRow(_Row, array_like=True, frozen=True, gc=False):
    open_ms: _Integer
    open: float
    close: float
    high: float
    low: float
    volume: float


class TickerFrame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`number` and `time_ms` are there where a socket has both: one of them alone stands in the place of the first.
    `more` is what no frame has."""

    channel: int
    row: TickerRow
    number: int = 0
    time_ms: int = 0
    more: Any = msgspec.UNSET


class TradeFrame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    channel: int
    kind: str
    row: TradeRow
    number: int = 0
    time_ms: int = 0
    more: Any = msgspec.UNSET


class CandleFrame(msgspec.Struct, array_like=True, frozen=True, gc=False):
    channel: int
    row: CandleRow
    number: int = 0
    time_ms: int = 0
    more: Any = msgspec.UNSET


def _ticker(stream: "Stream", frame: TickerFrame, venue_ms: int, received_ns: int) -> Ticker:
    row = frame.row
    if ticker_fault(row.bid, row.ask, row.last) is not None:
        raise LookupError
    return Ticker(
        symbol=stream.symbol,
        bid=row.bid,
        bid_size=row.bid_size,
        ask=row.ask,
        ask_size=row.ask_size,
        last=row.last,
        daily_change=row.daily_change,
        daily_change_relative=row.daily_change_relative,
        volume=row.volume,
        high=row.high,
        low=row.low,
        venue_ms=venue_ms,
        received_ns=received_ns,
    )


def _trade(stream: "Stream", frame: TradeFrame, venue_ms: int, received_ns: int) -> TradePrint | None:
    """None for what was told before."""
    row = frame.row
    trade_id = row.trade_id
    if trade_fault(trade_id, row.time_ms, row.amount, row.price, venue_ms) is not None:
        raise LookupError
    if frame.kind != "te":
        if frame.kind != "tu" or not stream.knows_trade(trade_id):
            raise LookupError
        return None
    if not stream.is_new_trade(trade_id):
        stream.trades_doubled += 1
        return None
    return TradePrint(
        symbol=stream.symbol,
        trade_id=trade_id,
        time_ms=row.time_ms,
        amount=row.amount,
        price=row.price,
        venue_ms=venue_ms,
        received_ns=received_ns,
    )


def _candle(stream: "Stream", frame: CandleFrame, venue_ms: int, received_ns: int) -> CandleUpdate:
    row = frame.row
    if candle_fault(row.open_ms, row.open, row.close, row.high, row.low, row.volume, venue_ms) is not None:
        raise LookupError
    return CandleUpdate(
        candle=Candle(
            symbol=stream.symbol,
            timeframe=stream.timeframe,
            open_ms=row.open_ms,
            open=row.open,
            high=row.high,
            low=row.low,
            close=row.close,
            volume=row.volume,
        ),
        venue_ms=venue_ms,
        received_ns=received_ns,
    )


class Usual(NamedTuple):
    """How the updates of a channel are read: what their payload begins with, the decoder of a whole frame, and what it
    tells. Neither changes anything before it raises."""

    mark: bytes
    decode: Callable[[bytes | str], Any]
    tell: Callable[["Stream", Any, int, int], Ticker | TradePrint | CandleUpdate | None]


USUAL: Final[Mapping[str, Usual]] = {
    "ticker": Usual(b"[", msgspec.json.Decoder(TickerFrame).decode, _ticker),
    "trades": Usual(b'"', msgspec.json.Decoder(TradeFrame).decode, _trade),
    "candles": Usual(b"[", msgspec.json.Decoder(CandleFrame).decode, _candle),
}
"""Of pairs. Funding has other rows."""
