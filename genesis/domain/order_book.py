"""The order book as a trader reads it: best prices, spread, depth, and what an order of some size would cost.

The levels themselves are kept by the wire's own books (`protocols.bitfinex.wire_book`), which also hold the number text
that the checksum is made of; here are the questions. Prices and amounts are float64, amounts without sign.
"""

import math
from collections.abc import Iterable
from typing import Any

import attrs

from protocols.bitfinex.wire_book import KeyedBook, LevelBook, WireBook, WireText, new_book

Level = tuple[float, float]
"""Price and amount."""


@attrs.frozen
class Sweep:
    """What a market order would meet: `average_price` over `amount`, which is less than asked in a thin book."""

    amount: float
    average_price: float
    worst_price: float
    levels: int

    @property
    def notional(self) -> float:
        return self.amount * self.average_price


class OrderBook:
    """A book of one symbol, in levels (P0 to P4) or single orders (R0)."""

    def __init__(self, precision: str = "P0", *, funding: bool = False) -> None:
        self.wire: WireBook = new_book(precision=precision, funding=funding)
        self.precision = precision

    # --- keeping --------------------------------------------------------------------------------------------------

    def replace(self, rows: Iterable[list[Any]], texts: Iterable[WireText] | None = None) -> None:
        """A snapshot: everything known before is void. `texts` are the rows' number texts, if a checksum will come."""
        self.wire.clear()
        if texts is None:
            for row in rows:
                self.wire.apply(row, None)
        else:
            for row, text in zip(rows, texts, strict=True):
                self.wire.apply(row, text)

    def update(self, row: list[Any], text: WireText = None) -> None:
        """One row of the wire; deleting what is not there is harmless, and counted."""
        self.wire.apply(row, text)

    def matches(self, checksum: int) -> bool:
        """Whether the venue's checksum (signed or not) is that of this book."""
        return (self.wire.checksum() - checksum) % (1 << 32) == 0

    # --- reading --------------------------------------------------------------------------------------------------

    @property
    def is_crossed(self) -> bool:
        """A bid at or above an ask: updates are missing, or their order is wrong."""
        return self.wire.is_crossed

    def top(self) -> tuple[float, float, float, float] | None:
        """Best bid, its size, best ask, its size; None while a side is empty."""
        top = self.wire.top()
        return None if top is None else (float(top[0]), float(top[1]), float(top[2]), float(top[3]))

    def mid(self) -> float:
        """Half way between the best prices; NaN while a side is empty."""
        top = self.wire.top()
        return math.nan if top is None else (top[0] + top[2]) / 2

    def spread(self) -> float:
        """Best ask less best bid; NaN while a side is empty."""
        top = self.wire.top()
        return math.nan if top is None else top[2] - top[0]

    def micro_price(self) -> float:
        """The mid leaning towards the thinner side: best prices weighted with the opposite size."""
        top = self.wire.top()
        if top is None:
            return math.nan
        bid, bid_size, ask, ask_size = top
        return (bid * ask_size + ask * bid_size) / (bid_size + ask_size)

    def bids(self, limit: int = 25) -> list[Level]:
        """Best first; orders at the same price of a raw book stand apart."""
        return [self._level(row) for row in self.wire.best_bids(limit)]

    def asks(self, limit: int = 25) -> list[Level]:
        return [self._level(row) for row in self.wire.best_asks(limit)]

    def imbalance(self, limit: int = 25) -> float:
        """(bids - asks) / (bids + asks) of the first `limit` levels, in [-1, 1]; NaN when there is nothing."""
        bid = sum(amount for _, amount in self.bids(limit))
        ask = sum(amount for _, amount in self.asks(limit))
        return (bid - ask) / (bid + ask) if bid + ask > 0 else math.nan

    def depth(self, distance: float) -> tuple[float, float]:
        """Amounts within `distance` (a fraction, 0.01 is 1 %) of the mid: bids, asks."""
        mid = self.mid()
        if math.isnan(mid):
            return 0.0, 0.0
        low, high = mid * (1 - distance), mid * (1 + distance)
        most = len(self)
        return (
            sum(amount for price, amount in self.bids(most) if price >= low),
            sum(amount for price, amount in self.asks(most) if price <= high),
        )

    def sweep(self, amount: float) -> Sweep:
        """What a market order of `amount` (above zero buys) would fill at, as far as the book is known."""
        left = abs(amount)
        filled = cost = 0.0
        worst = math.nan
        levels = 0
        for price, size in self.asks(len(self)) if amount > 0 else self.bids(len(self)):
            if left <= 0:
                break
            part = min(left, size)
            filled += part
            cost += part * price
            left -= part
            worst = price
            levels += 1
        return Sweep(
            amount=filled, average_price=cost / filled if filled else math.nan, worst_price=worst, levels=levels
        )

    def __len__(self) -> int:
        wire = self.wire
        return len(wire.bids) + len(wire.asks) if isinstance(wire, LevelBook) else len(wire.orders)

    def _level(self, row: tuple[Any, ...]) -> Level:
        # Rows are (price, count, amount, text) of a level and (key, price, amount, text) of an order.
        price = row[1] if isinstance(self.wire, KeyedBook) else row[0]
        return float(price), abs(float(row[2]))
