"""Each strategy's own book of each symbol: what it holds, what that cost, and what it made, worked out of its fills.

Several strategies may trade one symbol on one account; the venue knows one position, these are its parts. Average cost;
a fee in the base currency takes coins away and is a cost at the fill's price.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from protocols.orders import Fill
from protocols.units import ZERO, Symbol


class StrategyBookView(msgspec.Struct, frozen=True, kw_only=True):
    """`quantity` is signed base; money is quote. `realized_pnl` is after all fees, `unrealized_pnl` by the last price.

    `exits` are fills that made the position smaller, `won` those of them that made money before fees.
    """

    strategy: str
    symbol: Symbol
    quantity: Decimal
    average_price: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    fees: Decimal
    fills: int
    exits: int
    won: int


class _Book:
    def __init__(self) -> None:
        self.quantity = self.average = self.realized = self.fees = ZERO
        self.fills = self.exits = self.won = 0

    def take(self, fill: Fill, base: bool) -> None:
        self.fills += 1
        change = fill.side.sign * fill.quantity
        if self.quantity * change < 0:
            closed = min(abs(change), abs(self.quantity))
            sign = 1 if self.quantity > 0 else -1
            made = (fill.price - self.average) * closed * sign
            self.realized += made
            self.exits += 1
            self.won += made > 0
            rest = self.quantity + change
            if rest * self.quantity < 0:
                # Through zero: what is left was opened here.
                self.average = fill.price
            self.quantity = rest
        else:
            whole = self.quantity + change
            self.average = (self.average * self.quantity + fill.price * change) / whole if whole else ZERO
            self.quantity = whole
        # Fees are told as what they take away, below zero.
        cost = -fill.fee * fill.price if base else -fill.fee
        self.fees += cost
        self.realized -= cost
        if base:
            # The coins are gone, and their worth was counted as a fee: the others keep their average.
            self.quantity += fill.fee
        if not self.quantity:
            self.average = ZERO


def strategy_books(
    fills: Iterable[Fill], prices: Mapping[str, Decimal], base_currencies: Mapping[str, str]
) -> tuple[StrategyBookView, ...]:
    """The books of these fills, oldest first, by strategy and symbol. `base_currencies` maps a symbol to its base.

    Fills of orders that are not ours are left out. Where no price is known, nothing is unrealized.
    """
    books: dict[tuple[str, Symbol], _Book] = {}
    for fill in fills:
        if not fill.foreign:
            book = books.setdefault((fill.strategy, fill.symbol), _Book())
            book.take(fill, fill.fee_currency == base_currencies.get(fill.symbol))
    return tuple(
        StrategyBookView(
            strategy=strategy,
            symbol=symbol,
            # A zero with eight decimals is written as 0E-8: people get a plain one.
            quantity=book.quantity or ZERO,
            average_price=book.average or ZERO,
            realized_pnl=book.realized or ZERO,
            unrealized_pnl=((prices[symbol] - book.average) * book.quantity or ZERO) if symbol in prices else ZERO,
            fees=book.fees or ZERO,
            fills=book.fills,
            exits=book.exits,
            won=book.won,
        )
        for (strategy, symbol), book in sorted(books.items())
    )
