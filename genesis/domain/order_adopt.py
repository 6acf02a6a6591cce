"""Adopting: what a strategy left behind when it was renamed or removed is given to another one, or to a person.

Coins, levels and the orders that rest for them go over as they are, in one commit: nothing is cancelled or placed.
From then on the heir's word sells them. The account hears of it as of a trade, and keeps the same division after a
restart, because the order actor's cells tell it in the order in which it happened.
"""

import msgspec

from genesis.domain.order_lots import REST
from genesis.domain.order_positions import OrderPositions
from genesis.domain.order_rows import BracketRow, OrderRow, view_of
from protocols.orders import MANUAL, Adopt, Adopted, OrderState, OrderView, Purpose
from protocols.units import ZERO


class OrderAdopter(OrderPositions):
    """`adoptions` are all that there ever were, by the names of their cells: they are few."""

    def on_adopt(self, wish: Adopt, *, now: float, wall_ms: int) -> tuple[OrderView, ...]:
        """Give the lots of one strategy to another, of one symbol or of all; gives the orders that went over with them.

        A lot stays where the heir holds one of its own in the same symbol and wallet: which levels hold for both would
        be a guess. It stays, too, while an exit of the owner's is under way. Said again, there is nothing left to give.
        """
        self._at(now, wall_ms)
        moved: list[OrderRow] = []
        for bracket in list(self.brackets.values()):
            if bracket.lot != REST and bracket.strategy == wish.owner and wish.symbol in (None, bracket.symbol):
                moved += self._hand_over(bracket, wish)
        return tuple(view_of(row) for row in moved)

    def _exit_under_way(self, bracket: BracketRow) -> OrderRow | None:
        """An order of the owner's that sells the lot, and may have traded: its trade is told when the coins are the
        heir's, and would be taken from whoever holds some without levels."""
        return next(
            (
                row
                for row in self._open.values()
                if not row.protects
                and row.intent.purpose is Purpose.EXIT
                and row.intent.strategy == bracket.strategy
                and (row.intent.symbol, row.intent.margin) == bracket.book
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
        exit_ = self._exit_under_way(bracket)
        if exit_ is not None:
            text = f"{bracket.symbol}: {wish.owner} is selling (order {exit_.cid}); what is left can be given then"
            self._out.alarms.append(("adoption_refused", text))
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
        self.fence.serial += 1
        adopted = Adopted(
            symbol=bracket.symbol,
            owner=wish.owner,
            heir=wish.heir,
            quantity=bracket.quantity or ZERO,
            time_ms=max(each.decided_ms for each in self._brackets_of(book)),
            serial=self.fence.serial,
            reason=wish.reason,
            correlation_id=wish.correlation_id,
        )
        key = f"adopted:{adopted.serial:014d}"
        self.adoptions[key] = self._dirty[key] = adopted
        self._out.reports.append(adopted)
        self._record("Adopted", str(adopted.serial), adopted, wish.correlation_id, self._wall_ms)
        return legs
