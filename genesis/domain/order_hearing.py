"""The venue's words about our orders and trades, in whichever order and however often it says them.

A frame changes an order only forwards in the venue's own time. An end is told when its trades are; an order that we had
given up and that shows up all the same is ours, and is taken back in.
"""

from collections.abc import Container

import msgspec

from genesis.domain.order_fills import held_key
from genesis.domain.order_requests import URGENT_S
from genesis.domain.order_rows import FillRow, OrderRow
from genesis.domain.order_session import HISTORY_MARGIN_MS
from genesis.domain.order_state import OrderEvent
from genesis.domain.order_strangers import OrderStrangers
from genesis.domain.order_wire import ending_of, executed_of, is_known_status, utc_day
from protocols.orders import OrderState, RequestNotice, VenueOrder, VenueTrade
from protocols.units import ZERO, amount_blur, plain, same_amount

REPORTS_WITHOUT_FILLS = 5
"""So many reports of REST may lack trades that the venue says it made, before somebody is told; and may show the other
half of an OCO as open whose own end they tell."""
FUTURE_MS = 86_400_000
"""Clocks may differ, but not by a day."""

POSITION_NEWS = ("margin", "liquidation")
"""How notifications begin that the venue sends unasked when a position is in danger, or gone."""
VENUE_TEXT = 300

E, S = OrderEvent, OrderState


class OrderHearing(OrderStrangers):
    """Order rows, trades and notices, matched with our rows by venue id, or by client id with our group."""

    def _hear_time(self, venue_ms: int) -> None:
        """The venue's time goes forwards. History is read from about there on, so one stamp of a far future would hide
        everything before it for ever: such a one is not believed."""
        if venue_ms <= self._wall_ms + FUTURE_MS:
            self.fence.venue_ms = max(self.fence.venue_ms, venue_ms)

    def _row_of(self, order: VenueOrder) -> OrderRow | None:
        cid = self._by_venue_id.get(order.venue_id)
        if cid is not None:
            return self.orders[cid]
        if order.placed_id is not None:
            # The second half of an OCO carries the client id of the first, and may be told before it.
            return None
        row = self.orders.get(order.cid)
        return row if row is not None and _could_be(row, order) else None

    def _on_venue_order(self, order: VenueOrder) -> OrderRow | None:
        self._hear_time(order.updated_ms)
        row = self._row_of(order)
        if row is None:
            parent = None if order.placed_id is None else self._parent_of(order)
            if parent is None:
                self._on_foreign_order(order)
            else:
                self._on_linked_order(self.orders[parent], order)
            return None
        if order.venue_id in row.linked_ids:
            self._on_linked_order(row, order)
            return row
        if order.updated_ms > self._wall_ms + FUTURE_MS:
            # Believed, no later word on this order would ever count again.
            order = msgspec.structs.replace(order, updated_ms=max(row.venue_updated_ms, order.created_ms))
        if order.updated_ms < row.venue_updated_ms:
            return row
        first_sight = row.venue_id is None
        if order.event != "rest":
            self._answer_came(row)
        row.venue_id = order.venue_id
        self._by_venue_id[order.venue_id] = row.cid
        self._seen(row)
        if first_sight:
            row.cid_date = utc_day(order.created_ms)
        ending = ending_of(order)
        if not is_known_status(order.status.upper()):
            self._tell_status(order)
        news = order.updated_ms > row.venue_updated_ms or first_sight
        row.venue_updated_ms = order.updated_ms
        if ending is not None:
            self._on_end(row, order, ending)
        elif row.closing is None and (row.open or self._is_ghost(row, order)):
            self._on_open(row, order, news)
        for fill in self.fills.of_order((order.venue_id,)):
            self._tell(fill, row)
        self._pursue_cancel(row)
        return row

    def _tell_status(self, order: VenueOrder) -> None:
        taken = "open" if ending_of(order) is None else "ended"
        text = f"order {order.venue_id}: nobody knows the status {order.status[:VENUE_TEXT]!r}; it is taken for {taken}"
        if text not in self._unclear_told:
            self._unclear_told.add(text)
            self._out.alarms.append(("order_unclear", text))

    def _parent_of(self, order: VenueOrder) -> int | None:
        """The client id of our order for which the venue placed this one."""
        parent = None if order.placed_id is None else self._by_venue_id.get(order.placed_id)
        if parent is not None:
            return parent
        row = self.orders.get(order.cid)
        ours = row is not None and row.intent.oco_stop_price is not None and _could_be(row, order)
        return order.cid if ours else None

    def _seen(self, row: OrderRow) -> None:
        row.heard_at = self._now
        if row.seen_session != self.fence.session or row.absent_at is not None:
            row.seen_session = self.fence.session
            row.absent_at = None
            if row.open:
                # History lists what ended lately again and again; that is no news worth a write.
                self._touch(row)

    def _is_ghost(self, row: OrderRow, order: VenueOrder) -> bool:
        """An order that we hold for ended is shown as open. A session's snapshot is believed against any end but
        FILLED; other frames, which a later one may already have overtaken, only against DEAD and REJECTED."""
        if row.state in (S.DEAD, S.REJECTED) or (order.event == "os" and row.state in (S.CANCELED, S.EXPIRED)):
            self._adopt(row)
            return True
        return False

    def _adopt(self, row: OrderRow) -> None:
        self.ghosts_total += 1
        self._open[row.cid] = row
        row.closing = None
        row.executed = row.filled + row.by_word if row.by_word else ZERO
        row.reports_without_fills = 0
        row.lacked_at = None
        self._out.alarms.append(("ghost_order", f"order {row.cid} was {row.state.value} and is at the venue"))
        if self._cancel_ghosts:
            row.cancel_reason = "it had been given up and came back"
        self._move(row, E.GHOST, "adopted: it had been given up and came back")

    def _on_open(self, row: OrderRow, order: VenueOrder, news: bool) -> None:
        was = row.price, row.quantity, row.update_out
        updated = row.state is S.PENDING_UPDATE and self._answers_update(row, order, news)
        if row.intent.price is not None and order.price and (updated or row.state is not S.PENDING_UPDATE):
            row.price = order.price
        quantity = abs(order.original)
        if not same_amount(quantity, row.quantity) and quantity >= row.filled:
            row.quantity = quantity
            self._touch(row)
        if order.event == "os" and (row.request is None or row.request.session != self.fence.session):
            # A new session shows what came of what left in an older one.
            row.update_out = False
        if updated:
            # After the numbers: whoever is told of the answer is told of the order as it is now.
            row.request = None
            self._answered(row, "")
        elif (row.price, row.quantity, row.update_out) != was:
            self._tell_settled(row)
        self._hear_executed(row, order)
        if row.state in (S.INTENT, S.SENT, S.UNKNOWN):
            row.asked = 0
            self._move(row, E.PART_FILL if row.filled else E.OPEN, "")
        if row.swapped and (row.request is None or row.request.session != self.fence.session):
            # The frame that should have cancelled it left on a socket that is closed, and it rests.
            self._keep_place(row)
        if row.state in (S.ACKED, S.PARTIAL):
            self._expect_end(row)

    def _answers_update(self, row: OrderRow, order: VenueOrder, news: bool) -> bool:
        request = row.request
        if request is None or request.session != self.fence.session:
            return True
        if order.event == "rest" and self._report_asked_at >= request.asked_at + self.settings.doubt_after_s:
            # Asked long after the update, the venue still shows what it shows: that is what the order is.
            return True
        if request.price is not None and order.price != request.price:
            return False
        return request.quantity is None or (news and order.event in ("ou", "rest"))

    def _on_end(self, row: OrderRow, order: VenueOrder, ending: OrderState) -> None:
        if row.state in (S.DEAD, S.REJECTED):
            self._adopt(row)
        self._hear_executed(row, order)
        row.updated_ms = max(row.updated_ms, order.updated_ms)
        if row.open and row.closing is None:
            row.closing = ending
            row.reason = order.status
            if row.state in (S.INTENT, S.SENT, S.UNKNOWN) and row.unshown:
                self._move(row, E.PART_FILL if row.filled else E.OPEN, order.status)
            self._touch(row)
        if row.unshown or row.linked_open:
            row.check_at = self._now + self._trades_within(row)
        self._settle(row)

    def _hear_executed(self, row: OrderRow, order: VenueOrder) -> None:
        executed = executed_of(order)
        if row.open and executed == row.executed and not row.average and order.average_price:
            # Kept by a version that did not keep prices, say.
            row.average = order.average_price
            self._touch(row)
        if executed <= row.executed:
            return
        row.executed = executed
        row.average = order.average_price or row.average
        if row.unshown and row.unshown_at is None:
            row.unshown_at = self._now

    def _settle(self, row: OrderRow) -> None:
        """End an order whose end is told once its trades are, too: nobody hears of the end before the last fill."""
        if row.closing is None or not row.open or row.unshown:
            return
        if row.linked_open and row.reports_without_fills < REPORTS_WITHOUT_FILLS:
            # Its other half is still told as open, and may trade on.
            return
        event = {S.FILLED: E.LAST_FILL, S.EXPIRED: E.EXPIRED}.get(row.closing, E.CANCELED)
        if event is not E.LAST_FILL and row.filled >= row.quantity:
            event = E.LAST_FILL
        self._end(row, event, row.reason)

    def _on_linked_order(self, row: OrderRow, order: VenueOrder) -> None:
        """The second leg of an OCO: placed by the venue for our order, so its trades are our order's."""
        if order.venue_id not in row.linked_ids:
            row.linked_ids = (*row.linked_ids, order.venue_id)
            self._by_venue_id.setdefault(order.venue_id, row.cid)
            self._touch(row)
        self._hear_executed(row, order)
        others = tuple(venue_id for venue_id in row.linked_open if venue_id != order.venue_id)
        if ending_of(order) is None:
            # An end is an end, whatever a slower frame says of the time before it.
            now_open = row.linked_open if row.stop_gone else (*others, order.venue_id)
        else:
            now_open, row.stop_gone = others, True
        row.linked_open = now_open
        if row.open:
            self._touch(row)
        self._settle(row)
        for fill in self.fills.of_order((order.venue_id,)):
            self._tell(fill, row)

    def _on_notice(self, notice: RequestNotice) -> None:
        if notice.kind.startswith(POSITION_NEWS):
            self._out.alarms.append(("venue_notice", f"the venue says {notice.kind}: {notice.text[:VENUE_TEXT]}"))
            return
        refused = notice.status.upper() != "SUCCESS"
        row = None if notice.cid is None else self.orders.get(notice.cid)
        if notice.kind == "on-req":
            if row is None or row.session != notice.session or row.state not in (S.INTENT, S.SENT, S.UNKNOWN):
                return
            if not _could_answer(row, notice, refused=refused):
                return
            self._answer_came(row)
            if refused:
                self._end(row, E.REFUSED, notice.text)
                return
            if notice.venue_id is not None and notice.venue_id not in self._by_venue_id:
                row.venue_id = notice.venue_id
                self._by_venue_id[notice.venue_id] = row.cid
            self._seen(row)
            row.asked = 0
            self._move(row, E.OPEN, "")
            self._expect_end(row)
            for fill in self.fills.of_order(() if row.venue_id is None else (row.venue_id,)):
                self._tell(fill, row)
            self._pursue_cancel(row)
            return
        if notice.venue_id is not None and notice.venue_id in self._by_venue_id:
            row = self.orders[self._by_venue_id[notice.venue_id]]
        elif row is not None and None not in (notice.venue_id, row.venue_id):
            # Somebody else's order, which has the client id of one of ours.
            return
        if row is None or row.request is None or not refused or not row.open:
            return
        if notice.kind == "ou-req" and row.request.kind == "ou":
            row.request = None
            self._answered(row, f"update refused: {notice.text}")
        elif notice.kind == "oc-req" and row.swapped:
            # Most likely it has just traded. The order in its place is answered for itself.
            self._keep_place(row)
            self._want_history()
        elif notice.kind == "oc-req" and row.request.kind == "oc":
            # Perhaps it ended just before. History tells; if it is still open, the cancel is asked again.
            row.request = None
            row.check_at = self._now + self._backoff(row)
            self._want_history()
            self._touch(row)

    def _on_trade(self, trade: VenueTrade) -> None:
        self._hear_time(trade.time_ms)
        if trade.event == "rest" and trade.time_ms < self.fence.trades_from_ms:
            return
        conflicts = self.fills.conflicts_total
        fill = self.fills.hear(trade, self._now, self._now + min(URGENT_S, self.settings.doubt_after_s))
        if self.fills.conflicts_total > conflicts:
            text = f"trade {trade.trade_id} of order {trade.venue_order_id} was told twice and differently"
            self._out.alarms.append(("trade_conflict", text))
        if fill is None:
            return
        self._dirty[fill.key] = fill
        if not fill.has_fee:
            return
        cid = self._by_venue_id.get(trade.venue_order_id)
        if cid is not None:
            self._tell(fill, self.orders[cid])
        elif trade.venue_order_id in self.foreign:
            self._tell(fill, None)
        # Else its order has not been shown yet. The client id alone is not believed: it is any client's to choose.

    def _give_orphan_a_home(self, fill: FillRow, strangers: Container[int]) -> None:
        """After a report: a trade whose order the report did not tie to us is foreign, unless only we could have it.

        `strangers` are the venue's ids of orders that the report shows and that are not ours, whatever client id they
        have.
        """
        if not fill.has_fee:
            return
        fill.reports += 1
        trade = fill.trade
        row = None if trade.cid is None else self.orders.get(trade.cid)
        could_be_ours = (
            row is not None
            and row.open
            and row.venue_id is None
            and trade.venue_order_id not in strangers
            and row.intent.symbol == trade.symbol
            and (trade.amount > 0) == (row.intent.side.sign > 0)
        )
        if not could_be_ours:
            if trade.venue_order_id not in strangers:
                self._notice_trade(trade)
            self._tell(fill, None)
        elif fill.reports >= 3 and row is not None:
            # The venue's lists of trades and orders have parted for good. A position of ours is the safer belief.
            self._by_venue_id[trade.venue_order_id] = row.cid
            row.venue_id = trade.venue_order_id
            self._tell(fill, row)

    def _tell(self, fill: FillRow, row: OrderRow | None) -> None:
        if row is not None and row.state in (S.DEAD, S.REJECTED):
            self._adopt(row)
        no_basis = ZERO if row is None else self._from_before(row, abs(fill.trade.amount))
        told = self.fills.tell(fill, row, no_basis)
        self.fence.serial += 1
        fill.serial = self.fence.serial
        self._dirty[fill.key] = fill
        self._out.said.append(told)
        # By the trade's number, so that whoever else keeps fills keeps the same one; a trade with ourselves has two.
        key = f"{told.trade_id}:{told.venue_order_id}" if self.fills.has_twin(fill) else str(told.trade_id)
        self._record("Fill", key, told, told.correlation_id, told.time_ms)
        if row is None:
            return
        self._dirty[held_key(told.symbol, row.intent.margin)] = self.fills.held[told.symbol, row.intent.margin]
        row.updated_ms = max(row.updated_ms, told.time_ms)
        if row.filled > row.quantity + amount_blur(row.quantity):
            text = f"order {row.cid}: filled must be at most {plain(row.quantity)}, was {plain(row.filled)}"
            self._out.alarms.append(("overfilled", text))
        if row.filled >= row.quantity and not (row.request is not None and row.request.kind == "ou"):
            self._end(row, E.LAST_FILL, row.reason)
        else:
            self._move(row, E.PART_FILL, row.reason)
            self._settle(row)


def _could_be(row: OrderRow, order: VenueOrder) -> bool:
    """Whether a row that the venue has never shown could be this order, by all that we asked for.

    A client id alone says little: whoever used the account before us, a lost journal of ours included, began at 1, too.
    """
    return (
        row.venue_id is None
        and order.group_id == row.group_id
        and order.symbol == row.intent.symbol
        and same_amount(order.original, row.quantity * row.intent.side.sign)
        and order.created_ms >= row.created_ms - HISTORY_MARGIN_MS
    )


def _could_answer(row: OrderRow, notice: RequestNotice, *, refused: bool) -> bool:
    """Whether the answer to a submit is the one to ours: other clients of the account count from 1, too.

    A refusal need not say the group of the order that it refuses: should it have been another's, of the same symbol and
    amount, the venue's next word on ours takes it back in.
    """
    if notice.symbol is None:
        return True
    amount = row.quantity * row.intent.side.sign
    same = notice.symbol == row.intent.symbol and (notice.amount is None or same_amount(notice.amount, amount))
    return same and notice.group_id in ((None, row.group_id) if refused else (row.group_id,))
