"""`stats1`: sizes of positions, funding and volume over time, made of the moment as the funding market is.

What accounts hold and lend now is in the newest value; the past is the made-up market's alone.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from genesis.simulator.funding_market import funding_statistics, seed_of

if TYPE_CHECKING:
    from genesis.simulator.exchange import Exchange

STATISTIC: Final = re.compile(
    r"(?P<key>pos\.size):1m:(?P<pair>t[^/]+):(?P<side>long|short)"
    r"|(?P<lent>funding\.size|credits\.size):1m:(?P<currency>f\w+)"
    r"|(?P<used>credits\.size\.sym):1m:(?P<of>f\w+):(?P<by>t[^/]+)"
    r"|(?P<volume>vol\.(?:1|7|30)d):30m:BFX"
    r"|(?P<vwap>vwap):1d:(?P<traded>t[^/]+)"
)
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
Value = Callable[[int], float]
"""The value at a moment, in ms."""


def statistic(exchange: "Exchange", name: str) -> tuple[Value, int] | None:
    """(value, step in ms) of a statistic by its name; None of what is none, or is not traded here."""
    found = STATISTIC.fullmatch(name)
    if found is None:
        return None
    market = exchange.market
    if found["key"] is not None:
        if found["pair"] not in exchange.venue.specs:
            return None
        return _positions(exchange, found["pair"], found["side"]), MINUTE_MS
    if found["volume"] is not None:
        days = int(found["volume"].removeprefix("vol.")[:-1])
        return lambda at_ms: float(days * (1e8 + seed_of("volume", at_ms // HOUR_MS) % 50_000_000)), 30 * MINUTE_MS
    if found["vwap"] is not None:
        feed = next((feed for symbol, feed in market.feeds.items() if symbol == found["traded"]), None)
        if feed is None:
            return None
        closes = [(each.open_ms, round((each.high + each.low + each.close) / 3, 8)) for each in feed.candles("1D")]
        # A day without a trade has the price of the one before it.
        return lambda at_ms: next((price for open_ms, price in reversed(closes) if open_ms <= at_ms), 0.0), DAY_MS
    symbol = found["currency"] or found["of"]
    currency = market.funding.currency_of(symbol)
    if currency is None:
        return None
    share = 1.0 if found["lent"] == "funding.size" else 0.85 if found["lent"] else 0.4
    return lambda at_ms: round(share * _funded(currency, at_ms), 2), MINUTE_MS


def _funded(currency: str, at_ms: int) -> float:
    (row,) = funding_statistics(currency, at_ms - HOUR_MS, at_ms, 1)
    return float(row[7])


def _positions(exchange: "Exchange", pair: str, side: str) -> Value:
    sign = 1 if side == "long" else -1
    held = sum(
        float(abs(position.amount))
        for account in exchange.venue.accounts.values()
        for symbol, position in account.positions.items()
        if symbol == pair and position.amount * sign > 0
    )
    now_ms = exchange.venue_ms()

    def value(at_ms: int) -> float:
        made_up = 20_000 + seed_of("positions", pair, side, at_ms // HOUR_MS) % 500_000 / 100
        return round(made_up + (held if at_ms + MINUTE_MS > now_ms else 0.0), 8)

    return value
