"""Each strategy's own book of each symbol: what it holds, what that cost, and what it made, worked out of its fills.

Several strategies may trade one symbol on one account; the venue knows one position, these are its parts. Each is a
`Position` of its own, so realized profit means here what it means in the account: a fee in the base currency makes what
is left dearer and is realized when that is sold, any other fee is realized at once. Where one strategy holds a symbol
alone both figures are equal; where several do, each realizes by its own average and the account by that of all, and
only realized and unrealized together are equal.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import attrs
import msgspec

from genesis.domain.position import Opening, Position
from protocols.account import StrategyBookView
from protocols.orders import Fill, Purpose
from protocols.units import AMOUNT_STEP, ZERO, Side, Symbol


@attrs.define
class _Book:
    """A position, with how often it was made smaller and how often that won something after the fill's own fee."""

    position: Position
    fills: int = 0
    exits: int = 0
    won: int = 0

    @property
    def quantity(self) -> Decimal:
        return self.position.quantity

    def take(self, fill: Fill) -> None:
        position = self.position
        before, closes = position.realized_pnl, position.quantity * fill.side.sign < 0
        position.on_fill(fill)
        self.fills += 1
        self.exits += closes
        self.won += closes and position.realized_pnl > before


class StrategyBooks:
    """The books of every strategy, kept up as fills come."""

    def __init__(self) -> None:
        self._books: dict[tuple[str, Symbol], _Book] = {}
        self._told: tuple[StrategyBookView, ...] | None = ()

    def take(self, fill: Fill) -> None:
        """The next fill; those of orders that are not ours are in nobody's book, nor are coins of before."""
        ours = fill.in_positions
        if ours is not None and not fill.foreign:
            self._told = None
            for part in tuple(self._parts(ours)):
                book = self._of(part.strategy, part.symbol)
                if not book.quantity:
                    # From here on it holds: whoever sells for others takes from the oldest first.
                    self._books[part.strategy, part.symbol] = self._books.pop((part.strategy, part.symbol))
                book.take(part)

    def _parts(self, fill: Fill) -> Iterator[Fill]:
        """Whose coins it sold: the seller's own first, then those of the book that has held the longest. A close has
        nothing of its own, and a person may sell what a strategy bought: each made of its coins what they brought.

        On margin only a close is shared out: there a sale beside somebody's coins opens a short."""
        left, fee = fill.quantity, fill.fee
        if fill.purpose is Purpose.FLATTEN or (fill.side is Side.SELL and not fill.margin):
            for (strategy, symbol), book in sorted(self._books.items(), key=lambda one: one[0][0] != fill.strategy):
                quantity = min(left, -fill.side.sign * book.quantity)
                if symbol != fill.symbol or quantity <= 0:
                    continue
                share = fee if quantity == left else fill.fee * quantity / fill.quantity
                yield msgspec.structs.replace(fill, strategy=strategy, quantity=quantity, fee=share)
                left, fee = left - quantity, fee - share
        if left == fill.quantity:
            yield fill
        elif left:
            yield msgspec.structs.replace(fill, quantity=left, fee=fee)

    def open(self, opening: Opening) -> None:
        """Begin with the sum of fills that nobody keeps any more: its holder's, what it made included."""
        if opening.trade is None:
            return
        self._told = None
        book = self._of(opening.trade.strategy, opening.symbol)
        book.position = opening.position()

    def give(self, symbol: Symbol, owner: str, heir: str, quantity: Decimal) -> None:
        """Coins change hands at what they cost: what came of them so far stays with whom it was made by."""
        self._told = None
        self._of(owner, symbol).position.give(self._of(heir, symbol).position, quantity)

    def made(self, symbol: Symbol) -> dict[str, tuple[Decimal, Decimal]]:
        """What each strategy has made of a symbol so far, after fees, and its fees."""
        return {
            strategy: (book.position.realized_pnl, book.position.fees_quote)
            for (strategy, at), book in self._books.items()
            if at == symbol
        }

    def holders(self, symbol: Symbol) -> list[tuple[str, Decimal, Decimal]]:
        """Who holds how much of a symbol, at which average price; the oldest book first."""
        return [
            (strategy, book.quantity, book.position.average_price)
            for (strategy, at), book in self._books.items()
            if at == symbol and abs(book.quantity) >= AMOUNT_STEP
        ]

    def views(self) -> tuple[StrategyBookView, ...]:
        """By strategy and symbol, with nothing unrealized: that is the reader's price to say (`at_prices`)."""
        if self._told is None:
            self._told = tuple(_view(*name, book) for name, book in sorted(self._books.items()))
        return self._told

    def _of(self, strategy: str, symbol: Symbol) -> _Book:
        book = self._books.get((strategy, symbol))
        if book is None:
            book = self._books[strategy, symbol] = _Book(Position(symbol=symbol))
        return book


def _view(strategy: str, symbol: Symbol, book: _Book) -> StrategyBookView:
    return StrategyBookView(
        strategy=strategy,
        symbol=symbol,
        # A zero with eight decimals is written as 0E-8: people get a plain one.
        quantity=book.quantity or ZERO,
        average_price=book.position.average_price or ZERO,
        realized_pnl=book.position.realized_pnl or ZERO,
        unrealized_pnl=ZERO,
        fees=book.position.fees_quote or ZERO,
        fills=book.fills,
        exits=book.exits,
        won=book.won,
    )


def at_prices(books: Iterable[StrategyBookView], prices: Mapping[str, Decimal]) -> tuple[StrategyBookView, ...]:
    """The books with what is held counted at these prices; where none is known, nothing is unrealized."""
    return tuple(
        msgspec.structs.replace(book, unrealized_pnl=(prices[book.symbol] - book.average_price) * book.quantity or ZERO)
        if book.symbol in prices
        else book
        for book in books
    )


def strategy_books(fills: Iterable[Fill], prices: Mapping[str, Decimal]) -> tuple[StrategyBookView, ...]:
    """The books of these fills, oldest first."""
    books = StrategyBooks()
    for fill in fills:
        books.take(fill)
    return at_prices(books.views(), prices)
