"""A book as the wire tells it: levels or orders by key, kept sorted, with the number text the checksum needs.

Text is taken lazily: a level keeps the frame it came in, and only a checksum (every few seconds, 25 levels) cuts the
numbers out of it. That keeps an update under a microsecond.
"""

from bisect import bisect_left, insort
from typing import Any, Final

import msgspec

from protocols.bitfinex.checksum import CHECKSUM_LEVELS, TextLevel, checksum
from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.numbers import js_number

WireText = bytes | str | tuple[str, str] | None
"""Where a level's text is: the update frame it came in, two texts of a snapshot, or nowhere (then it is rebuilt)."""

LevelRow = tuple[float, int, float, WireText]
"""price, order count, signed amount, text."""

LARGEST: Final = 1e18
"""Bounds prices and amounts: JSON has integers that no float can hold."""

_TEXTS: Final = msgspec.json.Decoder(float_hook=str)


def _cut(frame: bytes | str, first: int, last: int) -> tuple[str, str]:
    # An update is [channel,[a,b,c],...]: the second bracket opens the row and the first closing one ends it.
    text = frame if isinstance(frame, str) else frame.decode()
    cells = text[text.index("[", text.index("[") + 1) + 1 : text.index("]")].split(",")
    return cells[first].strip(), cells[last].strip()


def row_texts(frame: bytes | str, first: int, last: int) -> list[tuple[str, str]]:
    """The texts of cells `first` and `last` of every row of a snapshot or bulk frame."""
    rows = _TEXTS.decode(frame)[1]
    return [(str(row[first]), str(row[last])) for row in rows]


class LevelBook:
    """Price levels of one trading symbol (precisions P0 to P4)."""

    __slots__ = ("ask_prices", "asks", "bid_prices", "bids", "unknown_deletes", "updates")

    text_cells: Final = (0, 2)

    def __init__(self) -> None:
        self.bids: dict[float, LevelRow] = {}
        self.asks: dict[float, LevelRow] = {}
        self.bid_prices: list[float] = []
        """Ascending, as `ask_prices`: the best bid is the last."""
        self.ask_prices: list[float] = []
        self.updates = 0
        self.unknown_deletes = 0

    def clear(self) -> None:
        self.bids.clear()
        self.asks.clear()
        self.bid_prices.clear()
        self.ask_prices.clear()

    def apply(self, row: list[Any], text: WireText) -> None:
        """One `[PRICE, COUNT, AMOUNT]`: an absolute level, or with count 0 its end. Raises TypeError or ValueError on
        a row of other kinds, before anything has changed."""
        price, count, amount = row if len(row) == 3 else row[:3]
        # The comparisons are the type check too: a text, a null or a list raises TypeError here.
        if 0 < amount < LARGEST:
            levels, prices = self.bids, self.bid_prices
        elif -LARGEST < amount < 0:
            levels, prices = self.asks, self.ask_prices
        else:
            raise MalformedFrame("book amount must be a number of a market, not zero")
        if count > 0:
            if not 0 < price < LARGEST:
                raise MalformedFrame("book price must be a number of a market, above zero")
            if price not in levels:
                insort(prices, price)
            levels[price] = (price, count, amount, text)
        elif price > 0 and levels.pop(price, None) is not None:
            del prices[bisect_left(prices, price)]
        else:
            self.unknown_deletes += 1
        self.updates += 1

    @property
    def is_crossed(self) -> bool:
        return bool(self.bid_prices and self.ask_prices) and self.bid_prices[-1] >= self.ask_prices[0]

    def top(self) -> tuple[float, float, float, float] | None:
        """Best bid, its size, best ask, its size (sizes without sign); None while a side is empty."""
        if not self.bid_prices or not self.ask_prices:
            return None
        bid, ask = self.bid_prices[-1], self.ask_prices[0]
        return bid, self.bids[bid][2], ask, -self.asks[ask][2]

    def best_bids(self, limit: int) -> list[LevelRow]:
        return [self.bids[price] for price in self.bid_prices[: -limit - 1 : -1]]

    def best_asks(self, limit: int) -> list[LevelRow]:
        return [self.asks[price] for price in self.ask_prices[:limit]]

    def checksum(self) -> int:
        return checksum(
            [_level_text(level) for level in self.best_bids(CHECKSUM_LEVELS)],
            [_level_text(level) for level in self.best_asks(CHECKSUM_LEVELS)],
        )


def _level_text(level: LevelRow) -> TextLevel:
    price, _, amount, text = level
    if text is None:
        return js_number(price), js_number(amount)
    return text if isinstance(text, tuple) else _cut(text, 0, 2)


KeyedRow = tuple[Any, float, float, WireText]
"""key, price, signed amount, text."""


class KeyedBook:
    """Entries by a key of their own: orders of a raw book (by id), or funding offers (by rate and period, or by id).

    Funding reverses the sign of the amount (below zero is a bid); entries are kept the trading way round.
    """

    __slots__ = ("_ask_order", "_bid_order", "funding", "orders", "raw", "unknown_deletes", "updates")

    def __init__(self, *, raw: bool, funding: bool) -> None:
        self.raw = raw
        self.funding = funding
        self.orders: dict[Any, KeyedRow] = {}
        self._bid_order: list[tuple[float, Any]] = []
        self._ask_order: list[tuple[float, Any]] = []
        self.updates = 0
        self.unknown_deletes = 0

    @property
    def text_cells(self) -> tuple[int, int]:
        return (0, 3) if self.funding else (0, 2)

    def clear(self) -> None:
        self.orders.clear()
        self._bid_order.clear()
        self._ask_order.clear()

    def apply(self, row: list[Any], text: WireText) -> None:
        """One entry: `[ID, PRICE, AMOUNT]`, `[ID, PERIOD, RATE, AMOUNT]` or `[RATE, PERIOD, COUNT, AMOUNT]`. Raises
        TypeError or ValueError on a row of other kinds, before anything has changed."""
        key: Any
        if not self.funding:
            key, price, amount = row[:3]
            gone = not price > 0
        elif self.raw:
            key, _, price, amount = row[:4]
            gone = not price > 0
        else:
            price, period, count, amount = row[:4]
            key = (price + 0, period + 0)
            gone = not count > 0
        if self.raw and not isinstance(key, int):
            raise MalformedFrame("book order id must be an integer")
        amount = -amount if self.funding else amount + 0
        if gone:
            if self._remove(key) is None:
                self.unknown_deletes += 1
        else:
            if not 0 < price < LARGEST or amount == 0 or not -LARGEST < amount < LARGEST:
                raise MalformedFrame("book price and amount must be numbers of a market, not zero")
            self._remove(key)
            self.orders[key] = (key, price, amount, text)
            if amount > 0:
                insort(self._bid_order, (-price, key))
            else:
                insort(self._ask_order, (price, key))
        self.updates += 1

    def _remove(self, key: Any) -> KeyedRow | None:
        known = self.orders.pop(key, None)
        if known is not None:
            _, price, amount, _ = known
            order, place = (self._bid_order, (-price, key)) if amount > 0 else (self._ask_order, (price, key))
            del order[bisect_left(order, place)]
        return known

    @property
    def is_crossed(self) -> bool:
        # A funding market has no crossing: a bid above an ask for another period is usual.
        if self.funding or not self._bid_order or not self._ask_order:
            return False
        return -self._bid_order[0][0] >= self._ask_order[0][0]

    def top(self) -> tuple[float, float, float, float] | None:
        """Best bid, the size there, best ask, the size there; None while a side is empty."""
        if not self._bid_order or not self._ask_order:
            return None
        bid, ask = -self._bid_order[0][0], self._ask_order[0][0]
        bid_size = ask_size = 0.0
        for price, key in self._bid_order:
            if -price != bid:
                break
            bid_size += self.orders[key][2]
        for price, key in self._ask_order:
            if price != ask:
                break
            ask_size -= self.orders[key][2]
        return bid, bid_size, ask, ask_size

    def best_bids(self, limit: int) -> list[KeyedRow]:
        return [self.orders[key] for _, key in self._bid_order[:limit]]

    def best_asks(self, limit: int) -> list[KeyedRow]:
        return [self.orders[key] for _, key in self._ask_order[:limit]]

    def checksum(self) -> int:
        """Of a raw trading book: the order id takes the place of the price."""
        return checksum(
            [self._text(row) for row in self.best_bids(CHECKSUM_LEVELS)],
            [self._text(row) for row in self.best_asks(CHECKSUM_LEVELS)],
        )

    def _text(self, row: KeyedRow) -> TextLevel:
        key, _, amount, text = row
        if text is None:
            return js_number(key), js_number(amount)
        return text if isinstance(text, tuple) else _cut(text, *self.text_cells)


WireBook = LevelBook | KeyedBook


def new_book(*, precision: str, funding: bool) -> WireBook:
    """The kind of book that a subscription's rows need."""
    raw = precision == "R0"
    return KeyedBook(raw=raw, funding=funding) if raw or funding else LevelBook()
