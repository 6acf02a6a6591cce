"""Patience with resting entries: one that is not filled in time is priced anew a few times, then taken back.

Only limit orders of strategies are meant: what a person let rest, rests until the person says otherwise. The time runs
from the venue's answer on, and anew with each price. Without a price of the market nothing is priced, only taken back.

A new price is a change like a person's: risk judges it and sets aside what the order becomes, before it leaves.
Refused, or never judged (the process died), the order rests at its old price until its time is over once more.
"""

from decimal import Decimal
from typing import Final

from genesis.domain.order_adopt import OrderAdopter
from genesis.domain.order_rows import OrderRow
from protocols.orders import OrderIntent, OrderState, OrderType, Purpose, UpdateIntent
from protocols.risk import CHANGE, ChangeOrder
from protocols.units import round_price

REPRICER: Final = "orders"
"""Who asks risk for another price of an entry."""

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
        price = round_price(best)
        if price != row.price and row.price is not None and row.leaves:
            self._out.changes.append(self._change_to(row, row.price, price, waited))

    def _change_to(self, row: OrderRow, was: Decimal, price: Decimal, reason: str) -> ChangeOrder:
        intent = row.intent
        update = UpdateIntent(
            intent_id=intent.intent_id,
            price=price,
            quantity=None,
            reason=reason,
            correlation_id=intent.correlation_id,
        )
        becomes = OrderIntent(
            # Said again after a crash it is the same change.
            intent_id=f"{CHANGE}{intent.intent_id}:{row.reprices}",
            strategy=intent.strategy,
            symbol=intent.symbol,
            side=intent.side,
            quantity=row.leaves,
            order_type=OrderType.LIMIT,
            purpose=Purpose.MANUAL,
            decided_ms=self.fence.venue_ms or self._wall_ms,
            correlation_id=intent.correlation_id,
            price=price,
            margin=intent.margin,
        )
        return ChangeOrder(intent=becomes, update=update, rests=row.leaves * was, actor=REPRICER)

    def _patience_deadlines(self) -> list[float]:
        return [
            self._now if row.rests_at is None else row.rests_at + self.settings.entry_unfilled_s
            for row in self._open.values()
            if self._waits_to_fill(row)
        ]
