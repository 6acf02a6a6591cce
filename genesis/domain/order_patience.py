"""Patience with resting entries: one that is not filled in time is priced anew a few times, then taken back.

Only limit orders of strategies are meant: what a person let rest, rests until the person says otherwise. The time runs
from the venue's answer on, and anew with each price. Without a price of the market nothing is priced, only taken back.
"""

from genesis.domain.order_adopt import OrderAdopter
from genesis.domain.order_rows import OrderRow
from protocols.orders import OrderState, OrderType, Purpose
from protocols.units import round_price

S = OrderState


class OrderPatience(OrderAdopter):
    """Looks after entries that rest."""

    def _waits_to_fill(self, row: OrderRow) -> bool:
        return (
            self.settings.entry_unfilled_s > 0
            and row.intent.purpose is Purpose.ENTRY
            and row.intent.order_type is OrderType.LIMIT
            and row.state in (S.ACKED, S.PARTIAL)
            and row.cancel_reason is None
            and row.closing is None
        )

    def _lose_patience(self) -> None:
        """Price anew, or take back, every entry whose time is over."""
        for row in list(self._open.values()):
            if not self._waits_to_fill(row):
                continue
            if row.rests_at is None:
                row.rests_at = self._now
                self._touch(row)
            elif self._now >= row.rests_at + self.settings.entry_unfilled_s:
                self._price_anew(row)

    def _price_anew(self, row: OrderRow) -> None:
        waited = f"not filled in {self.settings.entry_unfilled_s:g} s"
        best = None if self.touch is None else self.touch(row.intent.symbol, row.intent.side)
        if row.reprices >= self.settings.entry_reprices or best is None:
            self._want_cancel(row, f"{waited}, priced anew {row.reprices} times")
            return
        row.reprices += 1
        row.rests_at = self._now
        self._touch(row)
        if round_price(best) != row.price:
            self._ask_update(row, best, None, waited)

    def _patience_deadlines(self) -> list[float]:
        return [
            self._now if row.rests_at is None else row.rests_at + self.settings.entry_unfilled_s
            for row in self._open.values()
            if self._waits_to_fill(row)
        ]
