"""What a fee was worth that was paid in a third currency (a discount token): its price when the trade was made.

It is looked up once, when the trade is first heard, and kept with it: worked out anew later it would be another one.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

from genesis.domain.candles import series_key
from genesis.domain.risk_state import spot_symbol
from protocols.market import MarketView
from protocols.orders import HistoryReport, VenueTrade
from protocols.units import TIMEFRAME_MS, base_currency, exact, quote_currency

TICKER_FITS_MS: Final = 60_000
"""A ticker is a trade's own price this far from it; of older trades the candle of then is asked."""

PriceAt = Callable[[str, int], Decimal | None]
_Message = TypeVar("_Message")


def with_fee_prices(message: _Message, price_at: PriceAt, counted_in: str) -> _Message:
    """A trade, or a report of several, with the prices of fees of third currencies; the same of everything else.

    `price_at` gives a pair's price at a moment (venue ms); `counted_in` is the currency by which two others that have
    no pair of their own are compared.
    """
    found: Any = message
    if isinstance(message, VenueTrade):
        found = _priced(message, price_at, counted_in)
    elif isinstance(message, HistoryReport) and any([_is_third(trade) for trade in message.trades]):
        trades = tuple([_priced(trade, price_at, counted_in) for trade in message.trades])
        found = msgspec.structs.replace(message, trades=trades)
    return found  # type: ignore[no-any-return]


def _is_third(trade: VenueTrade) -> bool:
    currency = trade.fee_currency
    return currency is not None and currency != base_currency(trade.symbol) and currency != quote_currency(trade.symbol)


def _priced(trade: VenueTrade, price_at: PriceAt, counted_in: str) -> VenueTrade:
    if not _is_third(trade) or trade.fee_currency is None:
        return trade
    quote, at_ms = quote_currency(trade.symbol), trade.time_ms
    price = _exchange_rate(trade.fee_currency, quote, at_ms, price_at)
    if price is None and counted_in not in (trade.fee_currency, quote):
        fee, unit = (_exchange_rate(each, counted_in, at_ms, price_at) for each in (trade.fee_currency, quote))
        price = None if fee is None or unit is None else fee / unit
    return trade if price is None else msgspec.structs.replace(trade, fee_price=price)


def _exchange_rate(currency: str, other: str, at_ms: int, price_at: PriceAt) -> Decimal | None:
    price = price_at(spot_symbol(currency, other), at_ms)
    if price is not None:
        return price
    turned = price_at(spot_symbol(other, currency), at_ms)
    return None if turned is None else 1 / turned


def price_in(market: MarketView, symbol: str, at_ms: int) -> Decimal | None:
    """The price of a watched pair at a moment: its ticker's if that is of then, else the close of the shortest kept
    candle that the moment is in; None where nothing of then is known."""
    ticker = market.tickers.get(symbol)
    if ticker is not None and ticker.last > 0 and abs(ticker.venue_ms - at_ms) <= TICKER_FITS_MS:
        return exact(ticker.last)
    for timeframe, length_ms in TIMEFRAME_MS.items():
        series = market.series.get(series_key(symbol, timeframe))
        for candle in () if series is None else reversed(series.candles):
            if candle.open_ms <= at_ms:
                if at_ms < candle.open_ms + length_ms and candle.close > 0:
                    return exact(candle.close)
                break
    return None
