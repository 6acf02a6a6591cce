"""Whose the coins are that the venue holds for us beyond, or short of, what our trades say, while history is silent."""

from collections.abc import Sequence
from decimal import Decimal

from genesis.domain.order_brackets import OrderBrackets
from genesis.domain.order_holdings import Book
from genesis.domain.order_lots import Lot, Sale, Shares, shares_of
from genesis.domain.order_rows import OrderRow
from protocols.units import ZERO


class OrderGuesses(OrderBrackets):
    """Lots as they are for certain now, with what entries in doubt have bought."""

    def _shares_now(self, book: Book) -> Shares:
        """The same of what is certainly held now, with what entries in doubt have bought."""
        lots = [
            Lot(bracket.lot, bracket.strategy, (bracket.quantity or ZERO) + bracket.guess)
            for bracket in self._lots_of(book)
        ]
        holding = self._holding(book)
        return shares_of(holding, self._less_the_unheard(book, holding, lots) if self._stands_in else lots)

    def _less_the_unheard(self, book: Book, holding: Decimal, lots: list[Lot]) -> Sequence[Lot]:
        """The lots without what their own orders have sold unheard: all of it where the venue's amount is what comes of
        every missing order done, else as much as the lots say more than is held."""
        left, all_done = Shares(tuple(lots), ZERO), self._all_done(book, holding)
        # A leg's lot is known; an exit may be any of its strategy's.
        for row in sorted(self._open.values(), key=lambda row: not row.protects):
            if (row.intent.symbol, row.intent.margin) != book or row.intent.side.sign * holding >= 0:
                continue
            sold = self._unaccounted(row)
            if not all_done:
                sold = min(sold, left.total - abs(holding))
            if sold > ZERO:
                lot = row.lot if row.protects else None
                left = left.after(Sale(strategy=row.intent.strategy, quantity=sold, lot=lot))
        return left.lots

    def _guess_lots(self) -> None:
        """What the venue holds for us beyond our trades was bought by entries in doubt: their levels hold for it.

        No more than they can have bought, and nothing of what is held without any levels: that was there before.
        """
        entries = [row for row in self._open.values() if row.intent.bracket is not None]
        for row in entries:
            book = (row.intent.symbol, row.intent.margin)
            holding, key = self._holding(book), self._lot_key(row)
            if holding * row.intent.side.sign <= 0:
                continue
            bought = sum((self._unaccounted(each) for each in entries if self._lot_key(each) == key), ZERO)
            guessed = self.brackets[key].guess if key in self.brackets else ZERO
            without = self._shares(book).rest if self.fills.held.get(book, ZERO) * holding > 0 else ZERO
            quantity = min(bought - guessed, self._shares_now(book).rest - without)
            price = row.price if self.touch is None or row.price else self.touch(row.intent.symbol, row.intent.side)
            if quantity > ZERO and price is not None:
                self._guess_lot(row, quantity, price)

    def _guess_lot(self, row: OrderRow, quantity: Decimal, price: Decimal) -> None:
        before = self.brackets.get(self._lot_key(row))
        if before is None:
            self._add_to_lot(row, ZERO, price, self.fence.venue_ms or self._wall_ms)
        bracket = self.brackets[self._lot_key(row)]
        bracket.assumed = bracket.assumed or before is None
        bracket.guess += quantity
        self._dirty[bracket.key] = bracket
