"""Adopting: what a strategy left behind when it was renamed or removed is given to another one, or to a person.

Coins, levels and the orders that rest for them go over as they are, in one commit: nothing is cancelled or placed.
From then on the heir's word sells them. The account hears of it as of a trade, and keeps the same division after a
restart, because the order actor's cells tell it in the order in which it happened.
"""

from decimal import Decimal

import msgspec

from genesis.domain.order_holdings import Book
from genesis.domain.order_lots import REST
from genesis.domain.order_positions import OrderPositions
from genesis.domain.order_rows import BracketRow, OrderRow, PlainRow, view_of
from protocols.orders import MANUAL, Adopt, Adopted, OrderState, OrderView, Purpose
from protocols.units import ZERO


class OrderAdopter(OrderPositions):
    """`adoptions` are all that there ever were, by the names of their cells: they are few."""

    def on_adopt(self, wish: Adopt, *, now: float, wall_ms: int) -> tuple[OrderView, ...]:
        """Give the lots of one strategy to another, of one symbol or of all; gives the orders that went over with them.

        A lot stays where the heir holds one of its own in the same symbol and wallet: which levels hold for both would
        be a guess. It stays, too, while an exit of the owner's is under way. Coins without levels, which are one pool,
        only change their owner's name. Heard again it gives nothing: it may have been given back meanwhile.
        """
        self._at(now, wall_ms)
        if not self._is_new_wish(wish.correlation_id):
            return ()
        moved: list[OrderRow] = []
        for bracket in list(self.brackets.values()):
            if bracket.lot != REST and bracket.strategy == wish.owner and wish.symbol in (None, bracket.symbol):
                moved += self._hand_over(bracket, wish)
        for row in list(self.plain.values()):
            if wish.owner in row.owners and wish.symbol in (None, row.symbol):
                self._hand_over_plain(row, wish)
        return tuple(view_of(row) for row in moved)

    def _exit_under_way(self, strategy: str, book: Book) -> OrderRow | None:
        """An order of the owner's that sells what it holds, and may have traded: its trade is told when the coins are
        the heir's, and would be taken from whoever holds some without levels."""
        return next(
            (
                row
                for row in self._open.values()
                if not row.protects
                and not row.is_over
                and row.intent.purpose is Purpose.EXIT
                and row.intent.strategy == strategy
                and (row.intent.symbol, row.intent.margin) == book
                and (row.session > 0 or row.state is not OrderState.INTENT)
            ),
            None,
        )

    def _hand_over(self, bracket: BracketRow, wish: Adopt) -> list[OrderRow]:
        book, old = bracket.book, bracket.key
        lot = f"{MANUAL}:{bracket.lot}" if wish.heir == MANUAL else wish.heir
        heirs = [other for other in self._brackets_of(book) if other.lot == lot or other.strategy == wish.heir]
        if heirs and wish.heir != MANUAL:
            text = f"{bracket.symbol}: {wish.heir} holds a lot of its own; what {wish.owner} holds stays where it is"
            self._out.alarms.append(("adoption_refused", text))
            return []
        if any(other.lot == lot for other in heirs):
            # A person was given one of that name before: each keeps its own size and levels.
            lot = f"{lot}:{bracket.since}"
        if self._is_selling(book, wish):
            return []
        legs = self._legs(book, bracket.lot)
        bracket.lot, bracket.strategy = lot, wish.heir
        self._dirty[old] = None
        self._dirty[bracket.key] = bracket
        # In its old place: lots have an age.
        self.brackets = {each.key: each for each in self.brackets.values()}
        for leg in legs:
            leg.lot, leg.intent = lot, msgspec.structs.replace(leg.intent, strategy=wish.heir)
            self._changed(leg)
        self._tell_adopted(
            book, wish, bracket.quantity or ZERO, max(each.decided_ms for each in self._brackets_of(book))
        )
        return legs

    def _is_selling(self, book: Book, wish: Adopt) -> bool:
        exit_ = self._exit_under_way(wish.owner, book)
        if exit_ is not None:
            text = f"{book[0]}: {wish.owner} is selling (order {exit_.cid}); what is left can be given then"
            self._out.alarms.append(("adoption_refused", text))
        return exit_ is not None

    def _hand_over_plain(self, row: PlainRow, wish: Adopt) -> None:
        book = (row.symbol, False)
        if self._is_selling(book, wish):
            return
        owners = dict(row.owners)
        quantity = owners.pop(wish.owner)
        owners[wish.heir] = owners.get(wish.heir, ZERO) + quantity
        row.owners = owners
        self._dirty[row.key] = row
        trades = [fill.trade.time_ms for fill in self.fills.rows.values() if fill.trade.symbol == row.symbol]
        self._tell_adopted(book, wish, quantity, max(trades, default=self.fence.venue_ms))

    def _tell_adopted(self, book: Book, wish: Adopt, quantity: Decimal, time_ms: int) -> None:
        self.fence.serial += 1
        adopted = Adopted(
            symbol=book[0],
            owner=wish.owner,
            heir=wish.heir,
            quantity=quantity,
            time_ms=time_ms,
            serial=self.fence.serial,
            reason=wish.reason,
            correlation_id=wish.correlation_id,
        )
        key = f"adopted:{adopted.serial:014d}"
        self.adoptions[key] = self._dirty[key] = adopted
        self._out.said.append(adopted)
        self._record("Adopted", str(adopted.serial), adopted, wish.correlation_id, self._wall_ms)
