"""Rows of the public channels and of REST's public answers: read into market messages, and written from them.

Fractions are float64 here. `read_*` accept what the documents allow and count what differs; a row without its prices
is refused, because a price of zero would be worse than none.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.numbers import write_json
from protocols.bitfinex.plausible import candle_fault, ticker_fault, trade_fault
from protocols.bitfinex.rows import Row, Tolerance
from protocols.market import (
    Candle,
    DerivStatus,
    FundingPrint,
    FundingTicker,
    Liquidation,
    Ticker,
    TradePrint,
)
from protocols.units import Symbol

TICKER_LENGTH: Final = 10
FUNDING_TICKER_LENGTH: Final = 16
TRADE_LENGTH: Final = 4
FUNDING_TRADE_LENGTH: Final = 5
CANDLE_LENGTH: Final = 6
DERIV_LENGTH: Final = 23
LIQUIDATION_LENGTH: Final = 12


# --- reading ------------------------------------------------------------------------------------------------------


def _priced(row: Row, *indices: int, tolerance: Tolerance | None) -> None:
    for index in indices:
        if row.get(index) is None:
            if tolerance is not None:
                tolerance.unexpected_nulls += 1
            raise MalformedFrame(f"{row.name}[{index}] must be a number, was null")


def _refuse(name: str, symbol: str, fault: str | None) -> None:
    if fault is not None:
        raise MalformedFrame(f"{name} of {symbol}: {fault}")


def read_ticker(
    value: object, symbol: str, *, venue_ms: int, received_ns: int, tolerance: Tolerance | None = None
) -> Ticker:
    row = Row.of("ticker", value, TICKER_LENGTH, tolerance)
    _priced(row, 0, 2, 6, tolerance=tolerance)
    _refuse("ticker", symbol, ticker_fault(row.number(0), row.number(2), row.number(6)))
    return Ticker(
        symbol=Symbol(symbol),
        bid=row.number(0),
        bid_size=row.number(1),
        ask=row.number(2),
        ask_size=row.number(3),
        daily_change=row.number(4),
        daily_change_relative=row.number(5),
        last=row.number(6),
        volume=row.number(7),
        high=row.number(8),
        low=row.number(9),
        venue_ms=venue_ms,
        received_ns=received_ns,
    )


def read_funding_ticker(
    value: object, symbol: str, *, venue_ms: int, received_ns: int, tolerance: Tolerance | None = None
) -> FundingTicker:
    row = Row.of("funding ticker", value, FUNDING_TICKER_LENGTH, tolerance)
    _priced(row, 0, tolerance=tolerance)
    return FundingTicker(
        symbol=symbol,
        flash_return_rate=row.number(0),
        bid=row.number(1),
        bid_period=row.integer(2),
        bid_size=row.number(3),
        ask=row.number(4),
        ask_period=row.integer(5),
        ask_size=row.number(6),
        daily_change=row.number(7),
        daily_change_relative=row.number(8),
        last=row.number(9),
        volume=row.number(10),
        high=row.number(11),
        low=row.number(12),
        flash_return_amount=row.number(15),
        venue_ms=venue_ms,
        received_ns=received_ns,
    )


def read_trade_print(
    value: object, symbol: str, *, venue_ms: int, received_ns: int, tolerance: Tolerance | None = None
) -> TradePrint:
    row = Row.of("trade", value, TRADE_LENGTH, tolerance)
    _priced(row, 2, 3, tolerance=tolerance)
    _refuse("trade", symbol, trade_fault(row.id(0), row.id(1), row.number(2), row.number(3), venue_ms))
    return TradePrint(
        symbol=Symbol(symbol),
        trade_id=row.id(0),
        time_ms=row.id(1),
        amount=row.number(2),
        price=row.number(3),
        venue_ms=venue_ms,
        received_ns=received_ns,
    )


def read_funding_print(
    value: object, symbol: str, *, venue_ms: int, received_ns: int, tolerance: Tolerance | None = None
) -> FundingPrint:
    row = Row.of("funding trade", value, FUNDING_TRADE_LENGTH, tolerance)
    _priced(row, 2, 3, tolerance=tolerance)
    return FundingPrint(
        symbol=symbol,
        trade_id=row.id(0),
        time_ms=row.id(1),
        amount=row.number(2),
        rate=row.number(3),
        period=row.integer(4),
        venue_ms=venue_ms,
        received_ns=received_ns,
    )


def read_candle(
    value: object, symbol: str, timeframe: str, *, venue_ms: int = 0, tolerance: Tolerance | None = None
) -> Candle:
    """`[MTS, OPEN, CLOSE, HIGH, LOW, VOLUME]`: close comes before high. `venue_ms` is the frame's stamp."""
    row = Row.of("candle", value, CANDLE_LENGTH, tolerance)
    _priced(row, 1, 2, 3, 4, tolerance=tolerance)
    prices = (row.number(1), row.number(2), row.number(3), row.number(4))
    _refuse(f"{timeframe} candle", symbol, candle_fault(row.id(0), *prices, row.number(5), venue_ms))
    return Candle(
        symbol=Symbol(symbol),
        timeframe=timeframe,
        open_ms=row.id(0),
        open=row.number(1),
        close=row.number(2),
        high=row.number(3),
        low=row.number(4),
        volume=row.number(5),
    )


def read_candles(
    value: Sequence[object],
    symbol: str,
    timeframe: str,
    *,
    venue_ms: int = 0,
    tolerance: Tolerance | None = None,
    refused: list[MalformedFrame] | None = None,
) -> tuple[Candle, ...]:
    """Rows in either order, oldest first. With `refused` a row that can be no candle is left out and its reason put
    there: a market must not stop for one of its rows."""
    candles = []
    for row in value:
        try:
            candles.append(read_candle(row, symbol, timeframe, venue_ms=venue_ms, tolerance=tolerance))
        except MalformedFrame as error:
            if refused is None:
                raise
            refused.append(error)
    return tuple(sorted(candles, key=lambda candle: candle.open_ms))


def read_deriv_status(
    value: object, symbol: str, *, venue_ms: int, received_ns: int, tolerance: Tolerance | None = None
) -> DerivStatus:
    row = Row.of("derivative status", value, DERIV_LENGTH, tolerance)
    return DerivStatus(
        symbol=symbol,
        time_ms=row.id(0),
        deriv_price=row.number(2),
        spot_price=row.number(3),
        insurance_fund=row.number(5),
        next_funding_ms=row.integer(7),
        next_funding_accrued=row.number(8),
        next_funding_step=row.integer(9),
        current_funding=row.number(11),
        mark_price=row.number(14),
        open_interest=row.number(17),
        clamp_min=row.number(21),
        clamp_max=row.number(22),
        venue_ms=venue_ms,
        received_ns=received_ns,
    )


def read_liquidation(
    value: object, *, venue_ms: int, received_ns: int, tolerance: Tolerance | None = None
) -> Liquidation:
    row = Row.of("liquidation", value, LIQUIDATION_LENGTH, tolerance)
    return Liquidation(
        position_id=row.id(1),
        time_ms=row.integer(2),
        symbol=row.text(4),
        amount=row.number(5),
        base_price=row.number(6),
        is_match=row.integer(8) == 1,
        is_market_sold=row.integer(9) == 1,
        price=row.number(11),
        venue_ms=venue_ms,
        received_ns=received_ns,
    )


# --- writing ------------------------------------------------------------------------------------------------------


def ticker_row(ticker: Ticker, *, length: int = TICKER_LENGTH) -> list[Any]:
    """10 elements, or with `length` 11 the undocumented null of 2026 that breaks strict clients."""
    row: list[Any] = [
        ticker.bid,
        ticker.bid_size,
        ticker.ask,
        ticker.ask_size,
        ticker.daily_change,
        ticker.daily_change_relative,
        ticker.last,
        ticker.volume,
        ticker.high,
        ticker.low,
    ]
    return row + [None] * (length - len(row))


def funding_ticker_row(ticker: FundingTicker) -> list[Any]:
    return [
        ticker.flash_return_rate,
        ticker.bid,
        ticker.bid_period,
        ticker.bid_size,
        ticker.ask,
        ticker.ask_period,
        ticker.ask_size,
        ticker.daily_change,
        ticker.daily_change_relative,
        ticker.last,
        ticker.volume,
        ticker.high,
        ticker.low,
        None,
        None,
        ticker.flash_return_amount,
    ]


def trade_print_row(trade: TradePrint) -> list[Any]:
    return [trade.trade_id, trade.time_ms, trade.amount, trade.price]


def funding_print_row(trade: FundingPrint) -> list[Any]:
    return [trade.trade_id, trade.time_ms, trade.amount, trade.rate, trade.period]


def candle_row(candle: Candle) -> list[Any]:
    return [candle.open_ms, candle.open, candle.close, candle.high, candle.low, candle.volume]


def deriv_status_row(status: DerivStatus) -> list[Any]:
    row: list[Any] = [None] * DERIV_LENGTH
    row[0] = status.time_ms
    row[2:4] = [status.deriv_price, status.spot_price]
    row[5] = status.insurance_fund
    row[7:10] = [status.next_funding_ms, status.next_funding_accrued, status.next_funding_step]
    row[11] = status.current_funding
    row[14] = status.mark_price
    row[17] = status.open_interest
    row[21:23] = [status.clamp_min, status.clamp_max]
    return row


def liquidation_row(event: Liquidation) -> list[Any]:
    return [
        "pos",
        event.position_id,
        event.time_ms,
        None,
        event.symbol,
        event.amount,
        event.base_price,
        None,
        int(event.is_match),
        int(event.is_market_sold),
        None,
        event.price,
    ]


def channel_frame(channel_id: int, payload: Any, numbers: Iterable[int] = ()) -> bytes:
    """`[chanId, payload, ...]`: tickers, candles, book snapshots and updates, status."""
    return write_json([channel_id, payload, *numbers])


def typed_frame(channel_id: int, kind: str, payload: Any, numbers: Iterable[int] = ()) -> bytes:
    """`[chanId, "te", payload, ...]`: trades (te, tu, fte, ftu) and checksums (cs)."""
    return write_json([channel_id, kind, payload, *numbers])


def heartbeat_frame(channel_id: int, numbers: Iterable[int] = ()) -> bytes:
    return write_json([channel_id, "hb", *numbers])
