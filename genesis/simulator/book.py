"""The public order book: what the market shows, cut to what each subscriber asked for, and told as differences.

A candle recording has no book, so one is made around the last tick: its best prices are exactly those at which orders
fill (`FillModel`), the levels behind them stand on a coarse grid so that a tick moves few of them, and their sizes
depend on the price alone. Visible orders of accounts stand among them.
"""

import math
import zlib
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from genesis.domain.matching import FillModel
from protocols.bitfinex.checksum import checksum
from protocols.bitfinex.numbers import js_number
from protocols.units import Symbol, exact

DEPTH: Final = 250
GRID: Final = 0.001
"""Distance of the made-up levels, about, as a fraction of the price."""
DIGITS: Final = {"P0": 5, "P1": 4, "P2": 3, "P3": 2, "P4": 1}
MADE_UP_IDS: Final = 2_000_000_000
LEVELS_KEPT: Final = 4096
"""Both sides of eight books of full depth, or of eighty as deep as a ticker needs. A market that wanders would fill
any larger cache with prices that do not come back: some 400 bytes each."""


class Level(NamedTuple):
    """One order, or several at one price. `amount` is signed: below zero on the ask side."""

    order_id: int
    price: float
    orders: int
    amount: float


@lru_cache(maxsize=LEVELS_KEPT)
def made_up_level(symbol: str, price: float, sign: int) -> Level:
    """A level whose size and order id depend on nothing but its place."""
    seed = zlib.crc32(f"{symbol}:{price!r}:{sign}".encode())
    return Level(MADE_UP_IDS + seed % 1_000_000_000, price, 1 + seed % 5, sign * (20 + seed % 480) / 100)


def _grid(price: float) -> float:
    wish = price * GRID
    power = 10.0 ** math.floor(math.log10(wish))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= wish * 0.999)


@lru_cache(maxsize=4096)
def _price_on_grid(number: int, grid: float) -> float:
    return round(number * grid, 8)


@lru_cache(maxsize=64)
def _behind(symbol: str, grid: float, first: int, last: int, sign: int) -> list[Level]:
    """The levels on the grid from one number to before another: most ticks stay between the same two of them."""
    return [made_up_level(symbol, _price_on_grid(n, grid), sign) for n in range(first, last, -sign)]


def made_up_book(symbol: Symbol, tick: float, model: FillModel, depth: int = DEPTH) -> tuple[list[Level], list[Level]]:
    """(bids, asks), best first."""
    last = exact(tick)
    best_bid, best_ask = map(float, model.best(last))
    grid = _grid(tick)
    below = math.ceil(best_bid / grid) - 1
    above = math.floor(best_ask / grid) + 1
    bids = [made_up_level(symbol, best_bid, 1), *_behind(symbol, grid, below, max(0, below - depth + 1), 1)]
    asks = [made_up_level(symbol, best_ask, -1), *_behind(symbol, grid, above, above + depth - 1, -1)]
    return bids, asks


@lru_cache(maxsize=LEVELS_KEPT)
def _texts(price: float, amount: float) -> tuple[str, str]:
    """A level is told and summed again and again while it stays."""
    return js_number(price), js_number(amount)


@lru_cache(maxsize=LEVELS_KEPT)
def rounded_price(price: float, digits: int, up: bool) -> float:
    """A price cut to so many significant digits: bids down, asks up."""
    number = exact(price)
    step = Decimal(1).scaleb(max(number.adjusted() - (digits - 1), -8))
    return float((number / step).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR) * step)


def _by_price(levels: Sequence[Level], precision: str, up: bool, length: int) -> list[Level]:
    """The best `length` price levels of a side, orders of one price joined."""
    if precision == "P0" and len({level.price for level in levels[:length]}) == length:
        # The common case: nothing to join.
        return list(levels[:length])
    digits = DIGITS[precision]
    joined: list[Level] = []
    last_price = -1.0
    for level in levels:
        # Every price of the market has five digits at most, so P0 has nothing to cut.
        price = level.price if precision == "P0" else rounded_price(level.price, digits, up)
        if price == last_price:
            last = joined[-1]
            joined[-1] = Level(last.order_id, price, last.orders + level.orders, round(last.amount + level.amount, 8))
        elif len(joined) == length:
            break
        else:
            joined.append(level if precision == "P0" else Level(level.order_id, price, level.orders, level.amount))
            last_price = price
    return joined


class BookView:
    """One way to see a book (precision and length), and what was last told of it. All subscribers of it share one."""

    __slots__ = ("_asks", "_bids", "length", "precision", "stale")

    def __init__(self, precision: str, length: int) -> None:
        self.precision = precision
        self.length = length
        self.stale = False
        """Subscribers were told more than this view knows, because recorded updates went to them as they were."""
        self._bids: list[Level] = []
        self._asks: list[Level] = []

    def _cut(self, bids: Sequence[Level], asks: Sequence[Level]) -> tuple[list[Level], list[Level]]:
        if self.precision == "R0":
            return list(bids[: self.length]), list(asks[: self.length])
        return (
            _by_price(bids, self.precision, False, self.length),
            _by_price(asks, self.precision, True, self.length),
        )

    @property
    def depth(self) -> int:
        """How many levels of the whole book it needs to be right."""
        return self.length if self.precision in ("P0", "R0") else DEPTH

    def _text(self, level: Level) -> str:
        price, amount = _texts(level.price, level.amount)
        if self.precision == "R0":
            return f"[{level.order_id},{price},{amount}]"
        return f"[{price},{level.orders},{amount}]"

    def snapshot(self) -> str:
        return "[" + ",".join(map(self._text, [*self._bids, *self._asks])) + "]"

    def update(self, bids: Sequence[Level], asks: Sequence[Level]) -> list[str]:
        """Take a new state in; returns the rows that tell the difference, ends of levels first."""
        new_bids, new_asks = self._cut(bids, asks)
        gone: list[str] = []
        come: list[str] = []
        raw = self.precision == "R0"
        for old, new, sign in ((self._bids, new_bids, 1), (self._asks, new_asks, -1)):
            before = {level.order_id if raw else level.price: level for level in old}
            after = {level.order_id if raw else level.price: level for level in new}
            gone += [f"[{js_number(key)},0,{sign}]" for key in before if key not in after]
            come += [
                self._text(level) for key, level in after.items() if key not in before or before[key][1:] != level[1:]
            ]
        self._bids, self._asks = new_bids, new_asks
        return gone + come

    def refresh(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Take in what subscribers know already."""
        self._bids, self._asks = self._cut(bids, asks)
        self.stale = False

    def checksum(self) -> int:
        raw = self.precision == "R0"
        texts = [
            [
                (str(level.order_id), js_number(level.amount)) if raw else _texts(level.price, level.amount)
                for level in side[:25]
            ]
            for side in (self._bids, self._asks)
        ]
        return checksum(texts[0], texts[1])
