"""What the venue says it executed and shows no trades of: held by its word, until the trades are told.

A socket may lose the trades of an order whose end it told, and history may be late with them. The order stays open so
long, so that risk goes on counting all of it, and nobody guesses a fill: what it executed is no guess, the venue has
said so. So positions, their stops and whoever closes them count that amount. A trade that comes at last takes the place
of as much of the word as it says itself; the books never have both.
"""

from decimal import Decimal

from genesis.domain.order_fills import held_key
from genesis.domain.order_holdings import LARGEST_FEE, QUIET_S, Book
from genesis.domain.order_plain import OrderPlain
from genesis.domain.order_requests import URGENT_S
from genesis.domain.order_rows import FillRow, OrderRow
from protocols.orders import OrderIntent
from protocols.units import ZERO, Side, base_currency, floor_amount


class OrderWord(OrderPlain):
    """`by_word` of a row is what is booked of it by the venue's word, `word_change` what that made of what is held."""

    def _book_words(self) -> None:
        """Book what no trade has shown for too long: a report of history came without it, or none came in time."""
        for row in list(self._open.values()):
            # Nearly always both are zero.
            if row.executed > row.filled and row.unbooked and self._word_counts(row):
                price = self._word_price(row)
                if price is not None or not _rests_on_its_price(row.intent):
                    self._book_word(row, price or ZERO)

    def _word_counts(self, row: OrderRow) -> bool:
        if self._stands_in or row.unshown_at is None:
            # While history is silent lots are made of the venue's wallets.
            return False
        return self._now >= self._word_counts_at(row, row.unshown_at)

    def _word_counts_at(self, row: OrderRow, unshown_at: float) -> float:
        # Frames of one trade come within less; and a report may have been made before the trade was.
        return unshown_at + (URGENT_S if row.reports_without_fills else self.settings.doubt_after_s)

    def _word_deadlines(self) -> list[float]:
        at = [self._word_counts_at(row, row.unshown_at) for row in self._open.values() if row.unshown_at is not None]
        return [deadline for deadline in at if deadline > self._now]

    def _word_price(self, row: OrderRow) -> Decimal | None:
        price = row.average or row.price
        return price if price is not None or self.touch is None else self.touch(row.intent.symbol, row.intent.side)

    def _book_word(self, row: OrderRow, price: Decimal) -> None:
        quantity = row.unbooked
        change = self._coins_of(row, quantity)
        row.by_word += quantity
        row.word_change += change
        self._changed(row)
        self._book(row, change, price)

    def _coins_of(self, row: OrderRow, quantity: Decimal) -> Decimal:
        """What it changed of what is held, signed. A buy's fee is taken from its coins, and only the wallet knows it:
        a stop for more than there is would be refused."""
        if row.intent.margin or row.intent.side is Side.SELL:
            return (quantity - self._from_before(row, quantity)) * row.intent.side.sign
        book: Book = (row.intent.symbol, False)
        least = floor_amount(quantity - quantity * LARGEST_FEE)
        amount, told = self._amount(book), self.told_amounts[False]
        base = base_currency(row.intent.symbol)
        if amount is None or told.spare is None or row.unshown_at is None:
            return least
        if self._last_told(told, base) < row.unshown_at - QUIET_S:
            return least
        ours = amount - told.spare.get(base, ZERO) - self.fills.held.get(book, ZERO)
        return min(max(ours, least), quantity)

    def _book(self, row: OrderRow, change: Decimal, price: Decimal) -> None:
        """`change` more is held, by an order that traded at `price`."""
        self._hold_more(row, change)

    def _hold_more(self, row: OrderRow, change: Decimal) -> None:
        book = (row.intent.symbol, row.intent.margin)
        held = self.fills.held.get(book, ZERO) + change
        self.fills.held[book] = self._dirty[held_key(*book)] = held
        # No trade says when: what is spare is looked at anew.
        self._spare_at = 0.0

    def _tell(self, fill: FillRow, row: OrderRow | None) -> None:
        if row is None:
            super()._tell(fill, row)
            return
        if row.by_word:
            self._take_back(row, min(abs(fill.trade.amount), row.by_word))
        super()._tell(fill, row)
        if not row.unshown:
            row.unshown_at, row.reports_without_fills = None, 0
            if row.by_word:
                self._take_back(row, row.by_word)

    def _take_back(self, row: OrderRow, quantity: Decimal) -> None:
        """So much of the word is a trade now."""
        change = row.word_change
        if quantity < row.by_word:
            change = floor_amount(change * quantity / row.by_word)
        row.by_word -= quantity
        row.word_change -= change
        self._hold_more(row, -change)
        self._touch(row)


def _rests_on_its_price(intent: OrderIntent) -> bool:
    """Whether its lot has levels at a distance: from a price that nobody knows they would be anywhere."""
    bracket = intent.bracket
    return bracket is not None and (bracket.stop_distance is not None or bracket.target_distance is not None)
