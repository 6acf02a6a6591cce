"""Who wants what sold, by the journal: a wish to flatten that is not done, and exits that wait for a stop's coins."""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from genesis.domain.order_rows import FlattenRow, OrderRow
from protocols.orders import CUT, OrderState
from protocols.units import Symbol

ON_ITS_WAY_S: Final = 30.0
"""A cancel that was wanted may leave so long after the wish for which it was is over."""
Book = tuple[Symbol, bool]


@attrs.define(eq=False)
class WantedCloses:
    """Of all lives of the engine. `flattens` is told which coins a person wants flat, whenever that changes."""

    flattens: Callable[[frozenset[Symbol]], None] = lambda symbols: None
    _books: dict[str, tuple[Book, ...]] = attrs.field(factory=dict)
    _exits: dict[int, Book] = attrs.field(factory=dict)
    _doubted: dict[int, Symbol] = attrs.field(factory=dict)
    _over_at: dict[Book, float] = attrs.field(factory=dict)

    def flatten(self, row: FlattenRow) -> None:
        before = self._books.get(row.key, ())
        self._over(*[book for book in before if book not in row.books])
        self._books[row.key] = row.books
        if before != row.books:
            wanted = {symbol for books in self._books.values() for symbol, margin in books if not margin}
            self.flattens(frozenset(wanted))

    def order(self, row: OrderRow) -> None:
        if row.intent.purpose not in CUT:
            return
        book = (row.intent.symbol, row.intent.margin)
        if row.state is OrderState.UNKNOWN:
            self._doubted[row.cid] = row.intent.symbol
        else:
            self._doubted.pop(row.cid, None)
        if row.open and row.held_back:
            self._exits[row.cid] = book
        elif self._exits.pop(row.cid, None) is not None:
            self._over(book)

    def wanted(self, symbol: Symbol, margin: bool) -> bool:
        """Whether somebody wants this book sold, or did a moment ago."""
        book = (symbol, margin)
        now_so = book in self._exits.values() or any(book in books for books in self._books.values())
        return now_so or trio.current_time() <= self._over_at.get(book, -ON_ITS_WAY_S) + ON_ITS_WAY_S

    def in_doubt(self, symbol: Symbol) -> bool:
        """Whether a close of it may have left, and nobody knows."""
        return symbol in self._doubted.values()

    def _over(self, *books: Book) -> None:
        for book in books:
            self._over_at[book] = trio.current_time()
