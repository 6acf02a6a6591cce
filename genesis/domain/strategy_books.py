"""Each strategy's own book of each symbol: what it holds, what that cost, and what it made, worked out of its fills.

Several strategies may trade one symbol on one account; the venue knows one position, these are its parts. Average cost;
a fee in the base currency takes coins away and is a cost at the fill's price.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from genesis.domain.position import Opening
from protocols.account import StrategyBookView
from protocols.orders import Fill, Purpose
from protocols.units import AMOUNT_STEP, ZERO, Side, Symbol


class _Book:
    def __init__(self) -> None:
        self.quantity = self.average = self.realized = self.fees = ZERO
        self.fills = self.exits = self.won = 0

    def take(self, fill: Fill) -> None:
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
        cost = -fill.fee_in_base * fill.price - fill.fee_beside
        self.fees += cost
        self.realized -= cost
        if fill.fee_in_base:
            # The coins are gone, and their worth was counted as a fee: the others keep their average.
            self.quantity += fill.fee_in_base
        if not self.quantity:
            self.average = ZERO


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
        book.quantity, book.realized, book.fees = opening.quantity, opening.realized_pnl, opening.fees_quote
        book.average = opening.cost / opening.quantity if opening.quantity else ZERO

    def give(self, symbol: Symbol, owner: str, heir: str, quantity: Decimal) -> None:
        """Coins change hands at what they cost: what came of them so far stays with whom it was made by."""
        self._told = None
        old, new = self._of(owner, symbol), self._of(heir, symbol)
        whole = new.quantity + quantity
        new.average = (new.average * new.quantity + old.average * quantity) / whole if whole else ZERO
        new.quantity = whole
        old.quantity -= quantity
        if not old.quantity:
            old.average = ZERO

    def made(self, symbol: Symbol) -> dict[str, tuple[Decimal, Decimal]]:
        """What each strategy has made of a symbol so far, after fees, and its fees."""
        return {strategy: (book.realized, book.fees) for (strategy, at), book in self._books.items() if at == symbol}

    def holders(self, symbol: Symbol) -> list[tuple[str, Decimal, Decimal]]:
        """Who holds how much of a symbol, at which average price; the oldest book first."""
        return [
            (strategy, book.quantity, book.average)
            for (strategy, at), book in self._books.items()
            if at == symbol and abs(book.quantity) >= AMOUNT_STEP
        ]

    def views(self) -> tuple[StrategyBookView, ...]:
        """By strategy and symbol, with nothing unrealized: that is the reader's price to say (`at_prices`)."""
        if self._told is None:
            self._told = tuple(_view(*name, book) for name, book in sorted(self._books.items()))
        return self._told

    def _of(self, strategy: str, symbol: Symbol) -> _Book:
        return self._books.setdefault((strategy, symbol), _Book())


def _view(strategy: str, symbol: Symbol, book: _Book) -> StrategyBookView:
    return StrategyBookView(
        strategy=strategy,
        symbol=symbol,
        # A zero with eight decimals is written as 0E-8: people get a plain one.
        quantity=book.quantity or ZERO,
        average_price=book.average or ZERO,
        realized_pnl=book.realized or ZERO,
        unrealized_pnl=ZERO,
        fees=book.fees or ZERO,
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
