"""Asking early: whoever should have been heard of by now is asked for over REST, long before anybody doubts it.

A frame that was lost shows by its number only when the next one comes, and of a silent venue nothing comes for up to
15 s: as long a position may lie without its stop. So an answer that is late, an order at market that seems to rest, and
an entry that rests where the market has passed are asked for. Asking changes nothing: the report does.
"""

import math
from typing import Final

from genesis.domain.order_requests import URGENT_S, OrderRequests
from genesis.domain.order_rows import OrderRow
from protocols.orders import OrderState, OrderType
from protocols.units import Side

SELDOM_S: Final = 16.0
"""An order at market that really rests (nobody trades) is asked for this often in the end."""
PATIENT_REPORTS: Final = 5
"""After so many reports without its trades an order that has ended is asked for as seldom."""
GLANCE_S = 1.5
"""How often the market is looked at for entries that all rest rightly."""
AT_ONCE: Final = frozenset({OrderType.MARKET, OrderType.IOC, OrderType.FOK})

S = OrderState


class OrderQuestions(OrderRequests):
    """When an order is asked for, and the entries that the market has passed."""

    _look_at = 0.0
    """When entries that rest are compared with the market next."""
    _others_at = 0.0
    """The earliest of all other deadlines, as of the last `next_deadline`."""

    def _asks_before_doubting(self, row: OrderRow) -> bool:
        """It has left and is not answered: True when it is asked for now, and its time to answer is not over yet."""
        if self._now >= row.due_at or row.unlisted:
            return False
        row.check_at = row.due_at
        self._want_history(soon=self._urgent(row))
        return True

    def _expect_end(self, row: OrderRow) -> None:
        """It is at the venue. What must end at once is asked for soon, what may rest is not."""
        row.check_at = None
        if row.intent.order_type in AT_ONCE:
            row.check_at = self._now + min(URGENT_S * float(2 ** min(row.asked, 10)), SELDOM_S)

    def _ask_for_end(self, row: OrderRow) -> None:
        """Its deadline has come, and by all that was heard it rests."""
        if row.intent.order_type in AT_ONCE:
            row.asked += 1
            self._want_history()
        self._expect_end(row)

    def _trades_within(self, row: OrderRow) -> float:
        """Seconds in which the trades of an order that has ended should be told: the longer they are missing, the more
        seldom they are asked for."""
        reports, patience = row.reports_without_fills, self.settings.doubt_after_s
        if reports > PATIENT_REPORTS:
            return min(patience * float(2 ** min(reports - PATIENT_REPORTS, 10)), SELDOM_S)
        return min(URGENT_S * float(2**reports), patience)

    # --- entries that the market has passed -------------------------------------------------------------------------

    def _look_at_the_market(self) -> None:
        """Ask for entries that should have traded by what the market shows, the longer they seem to rest the less."""
        waiting = self._may_have_traded()
        if not waiting or self._now < self._look_at:
            return
        self._look_at = self._now + URGENT_S
        for row in waiting:
            if not self._is_passed(row):
                self._passed.pop(row.cid, None)
                continue
            looks = self._passed[row.cid] = self._passed.get(row.cid, 0) + 1
            # The first look may see a market that is faster than the frames of the trade: ask at 2, 4, 8, 16 ... looks.
            if looks > 1 and looks & (looks - 1) == 0:
                self._want_history()
        self._passed = {cid: looks for cid, looks in self._passed.items() if cid in self._open}

    def next_glance(self, *, now: float) -> float | None:
        """When to come again, if nothing was heard since `next_deadline` and nothing is due but a look at the market
        that shows every entry rest rightly; None when `on_timer` has something to do.

        Most looks show that, every second or two for as long as an entry rests. Nothing changes by being asked this, so
        a replay need not know of it.
        """
        if now >= self._others_at or self._passed or not self.fence.ready:
            return None
        if any(map(self._is_passed, self._may_have_traded())):
            return None
        return min(self._others_at, now + GLANCE_S)

    def _market_deadline(self) -> float:
        return max(self._look_at, self._now) if self._may_have_traded() else math.inf

    def _may_have_traded(self) -> list[OrderRow]:
        if self.touch is None:
            return []
        return [
            row
            for row in self._open.values()
            if row.opens_risk
            and row.state in (S.ACKED, S.PARTIAL)
            and row.intent.order_type in (OrderType.LIMIT, OrderType.STOP)
        ]

    def _is_passed(self, row: OrderRow) -> bool:
        """Whether the other side's front stands where this order would have traded."""
        side = row.intent.side
        other = Side.SELL if side is Side.BUY else Side.BUY
        front = None if self.touch is None else self.touch(row.intent.symbol, other)
        if front is None or row.price is None:
            return False
        beyond = (row.price - front) * side.sign
        return beyond >= 0 if row.intent.order_type is OrderType.LIMIT else beyond <= 0
