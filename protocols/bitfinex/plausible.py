"""Which numbers a market can say. What is outside is refused with its reason: one such number would be decided upon,
and one stamp from the future would close every candle that comes after it and make all other streams look old.
"""

from decimal import Decimal
from typing import Final

from protocols.bitfinex.sequence import LARGEST_TIME_MS, SMALLEST_TIME_MS

SMALLEST_PRICE: Final = 1e-8
"""The venue's prices have at most eight decimals; below it no order has a price."""
LARGEST_NUMBER: Final = 1e15
"""From here on a float64 does not hold every amount; no price and no amount of the venue comes near."""
ROUNDING_LEAVES: Final = Decimal("0.001")
"""So much below zero a sum of amounts may come to: of eight decimals each, of thousands of trades, of coins that are
held by the billion, of which a float64 has seven. Seen at the venue: -0.00000032."""
AHEAD_MS: Final = 60_000
"""How far behind the time of what it tells a frame's own stamp may be: servers of the venue differ by some."""


def ticker_fault(bid: float, ask: float, last: float) -> str | None:
    """Why no market can have this ticker; None when it can. 0 is a side without orders, or a pair that never traded; a
    crossed one can be, too: its sides come of different moments."""
    if (
        SMALLEST_PRICE <= bid < LARGEST_NUMBER
        and SMALLEST_PRICE <= ask < LARGEST_NUMBER
        and SMALLEST_PRICE <= last < LARGEST_NUMBER
    ):
        return None
    faults = (price and _price_fault(name, price) for name, price in (("bid", bid), ("ask", ask), ("last", last)))
    return next((fault for fault in faults if fault), None)


def trade_fault(trade_id: int, time_ms: int, amount: float, price: float, venue_ms: int) -> str | None:
    """Why this can be no trade. `venue_ms` is the stamp of the frame that tells it, 0 without one."""
    if (
        trade_id > 0
        and SMALLEST_PRICE <= price < LARGEST_NUMBER
        and (0 < amount < LARGEST_NUMBER or -LARGEST_NUMBER < amount < 0)
        and (SMALLEST_TIME_MS <= time_ms <= venue_ms + AHEAD_MS if venue_ms else 0 <= time_ms < LARGEST_TIME_MS)
    ):
        return None
    if trade_id <= 0:
        return f"id must be above 0, was {trade_id}"
    if not 0 < abs(amount) < LARGEST_NUMBER:
        return f"amount must be between 0 and {LARGEST_NUMBER:g} either way, was {amount}"
    return _price_fault("price", price) or _time_fault(time_ms, venue_ms)


def candle_fault(
    open_ms: int, open_: float, close: float, high: float, low: float, volume: float, venue_ms: int
) -> str | None:
    """Why this can be no candle. `venue_ms` is the stamp of the frame that tells it, 0 without one."""
    if (
        SMALLEST_PRICE <= low <= open_ <= high < LARGEST_NUMBER
        and low <= close <= high
        and 0 <= volume < LARGEST_NUMBER
        and (SMALLEST_TIME_MS <= open_ms <= venue_ms + AHEAD_MS if venue_ms else 0 <= open_ms < LARGEST_TIME_MS)
    ):
        return None
    named = {"open": open_, "close": close, "high": high, "low": low}
    for name, price in named.items():
        if (fault := _price_fault(name, price)) is not None:
            return fault
    if not low <= min(open_, close) <= max(open_, close) <= high:
        return f"open {open_} and close {close} must be between low {low} and high {high}"
    if not 0 <= volume < LARGEST_NUMBER:
        return f"volume must be 0 to {LARGEST_NUMBER:g}, was {volume}"
    return _time_fault(open_ms, venue_ms)


def own_trade_fault(trade_id: int, time_ms: int, amount: Decimal, price: Decimal) -> str | None:
    """Why this can be no trade of ours: booked, it would make a position of nothing, or a price that no stop fits."""
    if trade_id > 0 and 0 < abs(amount) < LARGEST_NUMBER and 0 < price < LARGEST_NUMBER and 0 < time_ms:
        return None
    if trade_id <= 0:
        return f"id must be above 0, was {trade_id}"
    if time_ms <= 0:
        return f"time must be milliseconds, was {time_ms}"
    if not 0 < price < LARGEST_NUMBER:
        return f"price must be above 0 and below {LARGEST_NUMBER:g}, was {price}"
    return f"amount must be between 0 and {LARGEST_NUMBER:g} either way, was {amount}"


def order_fault(
    symbol: str, original: Decimal, amounts: tuple[Decimal, ...], prices: tuple[Decimal, ...]
) -> str | None:
    """Why this can be no order: believed, one of no size would be an order that is done, one of 1e30 a holding.

    `amounts` are bounded either way, `prices` are 0 where there is none.
    """
    if not symbol:
        return "symbol must be named, was empty"
    if not original:
        return "amount must not be 0, was 0"
    for amount in (original, *amounts):
        if not abs(amount) < LARGEST_NUMBER:
            return f"amount must be below {LARGEST_NUMBER:g} either way, was {amount}"
    for price in prices:
        if not 0 <= price < LARGEST_NUMBER:
            return f"price must be 0 to {LARGEST_NUMBER:g}, was {price}"
    return None


def wallet_fault(wallet_type: str, currency: str, balance: Decimal, others: tuple[Decimal, ...]) -> str | None:
    """Why this can be no wallet. What is borrowed makes a margin wallet negative; an exchange wallet buys nothing on
    credit, but for what rounding leaves."""
    if not wallet_type or not currency:
        return "type and currency must be named, was empty"
    for number in (balance, *others):
        if not abs(number) < LARGEST_NUMBER:
            return f"number must be below {LARGEST_NUMBER:g} either way, was {number}"
    if wallet_type == "exchange" and balance < -ROUNDING_LEAVES:
        return f"balance of an exchange wallet must not be below 0, was {balance}"
    return None


def position_fault(symbol: str, amount: Decimal, base_price: Decimal) -> str | None:
    """Why this can be no position."""
    if not symbol:
        return "symbol must be named, was empty"
    if not abs(amount) < LARGEST_NUMBER:
        return f"amount must be below {LARGEST_NUMBER:g} either way, was {amount}"
    if not 0 <= base_price < LARGEST_NUMBER:
        return f"base price must be 0 to {LARGEST_NUMBER:g}, was {base_price}"
    return None


def _price_fault(name: str, price: float) -> str | None:
    if SMALLEST_PRICE <= price < LARGEST_NUMBER:
        return None
    return f"{name} must be {SMALLEST_PRICE:g} to {LARGEST_NUMBER:g}, was {price}"


def _time_fault(time_ms: int, venue_ms: int) -> str:
    if venue_ms and time_ms >= SMALLEST_TIME_MS:
        return f"time must not be after the frame's own ({venue_ms}), was {time_ms}"
    return f"time must be milliseconds of this age, was {time_ms}"
