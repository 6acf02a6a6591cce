"""What we ask of the venue: submits, cancels and updates, and whether they left.

A submit leaves once. It may be tried again only when the connection says that not one byte of it left; a cancel may be
asked for twice, because the second one finds nothing to do; an update is not repeated, its fate shows in the order.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from genesis.domain.decision_log import order_record
from genesis.domain.order_check import faults_as_sent
from genesis.domain.order_ledger import OrderLedger
from genesis.domain.order_lots import cut
from genesis.domain.order_outputs import Outgoing
from genesis.domain.order_rows import OpenRequest, OrderRow, WantedChange
from genesis.domain.order_selftrade import met_by, side_taken, worst_price
from genesis.domain.order_state import AT_VENUE, OrderEvent
from genesis.domain.order_wire import flags_of, submit_order, utc_day
from genesis.domain.pairs import PairSpecs
from protocols.orders import (
    CUT,
    PART,
    TOO_OLD,
    Approved,
    CancelOrder,
    CommandBatch,
    CommandInDoubt,
    CommandNotSent,
    CommandSent,
    OrderIntent,
    OrderState,
    OrderType,
    SubmitOrder,
    UpdateIntent,
    UpdateOrder,
)
from protocols.units import ZERO, floor_amount, plain, round_price, same_amount

URGENT_S: Final = 1.5
"""After so long without a word that should have come the venue is asked over REST. An order that a position hangs on is
in doubt then, and after half as long again without an answer of REST a new session is asked for."""

SLOW_FOR_S: Final = 60.0
"""So long an answer that took its time says that others may."""
SLOWEST_S: Final = 2 * URGENT_S
"""And so long an order that a position hangs on is waited for at most, for that."""

RETRY_PAUSE_S = 1.0
"""A command that did not leave waits this long before it leaves again in the same session. It must not be zero: the
note "not sent" may be heard twice, and the second hearing must not meet the second attempt."""

NS = 1_000_000_000
APPROVED_KIND: Final = "Approved"

E, S = OrderEvent, OrderState


class OrderRequests(OrderLedger):
    """Commands and the connection's notes about them."""

    _made: tuple[OrderIntent | None, SubmitOrder | None] = (None, None)
    """The intent that was admitted last, and its command."""
    _answers_took = 0.0
    """The slowest answer of late, in seconds, and until when it counts."""
    _answers_until = 0.0

    def _admit(self, approved: Approved) -> None:
        if approved.intent.intent_id in self._by_intent:
            return
        for part in parts_of(approved.intent, self.pairs):
            whole = part is approved.intent
            self._admit_one(approved if whole else msgspec.structs.replace(approved, intent=part))

    def _admit_one(self, approved: Approved) -> None:
        intent = approved.intent
        cid = self.last_cid = self._dirty["cid"] = self.last_cid + 1
        command: SubmitOrder | None = None
        fault = ""
        try:
            command = submit_order(intent, cid=cid, group_id=self.settings.group_id, session=0)
        except ValueError as error:
            fault = str(error)
        row = OrderRow(
            intent=intent,
            cid=cid,
            cid_date=utc_day(intent.decided_ms) if command is None else command.cid_date,
            group_id=self.settings.group_id,
            flags=flags_of(intent) if command is None else command.flags,
            state=S.INTENT,
            reason="",
            quantity=intent.quantity if command is None else abs(command.amount),
            price=intent.price if command is None else command.price,
            created_ms=intent.decided_ms,
            updated_ms=intent.decided_ms,
            since_at=self._now,
        )
        self.orders[row.cid] = self._open[row.cid] = row
        self._by_intent[intent.intent_id] = row.cid
        self._out.intents.append((len(self._out.records), intent.intent_id))
        self._record(APPROVED_KIND, intent.intent_id, approved, intent.correlation_id, intent.decided_ms)
        if command is None:
            self._end(row, E.WITHDRAWN, fault)
            return
        self._made = intent, command
        faults = faults_as_sent(intent, command, self.pairs.get(intent.symbol))
        if faults:
            self._end(row, E.WITHDRAWN, f"not sent: {'; '.join(str(fault) for fault in faults)}")
            return
        # The decision is complete here, whenever the command leaves: replay and backtest compare exactly this.
        self._out.records.append(order_record(command, intent.decided_ms))
        self._changed(row)
        if not self._send(row):
            row.check_at = self._too_old_at(row) if row.opens_risk else None

    def _send(self, row: OrderRow) -> bool:
        """Hand the submit out in this session, or give it up, if either is due. True when it is settled."""
        return self._leave_now(row, self._refusal(row))

    def _leave_now(self, row: OrderRow, refusal: str | None) -> bool:
        """`_send` of what nothing holds back any more; `refusal` is why it must not leave, if it must not."""
        assert row.state is S.INTENT, f"order {row.cid} must be an intent to be sent, was {row.state.value}"
        assert row.session == 0, f"order {row.cid} must not be handed out already, was in session {row.session}"
        if row.cancel_reason is not None:
            self._end(row, E.CANCELED, row.cancel_reason)
            return True
        if refusal is not None:
            self.too_old_total += refusal.startswith(TOO_OLD)
            self._end(row, E.WITHDRAWN, f"not sent: {refusal}")
            return True
        if not self._may_leave(row):
            return False
        row.session = self.fence.session
        row.attempt += 1
        row.unlisted = False
        self._leaves_now(row)
        self._touch(row)
        self._emit(self._submission(row))
        return True

    def _leaves_now(self, row: OrderRow) -> None:
        """From now on an answer is waited for."""
        row.due_at = self._now + self._answer_within(row)
        row.check_at = self._asked_from(row)

    def _asked_from(self, row: OrderRow) -> float:
        """When an order that has left is asked for, if nothing is heard of it."""
        return row.due_at - self._answer_within(row) + self._asked_after(row)

    def _asked_after(self, row: OrderRow) -> float:
        """The same in seconds from when it has left."""
        within = self._answer_within(row)
        return within / 3 if self._urgent(row) else min(within / 2, URGENT_S)

    def _answer_came(self, row: OrderRow) -> None:
        """The venue has just answered an order of this session: by that others are waited for."""
        if row.session == self.fence.session and row.state in (S.INTENT, S.SENT, S.UNKNOWN):
            took = self._now - (row.due_at - self._answer_within(row))
            if took >= self._answers_took or self._now >= self._answers_until:
                self._answers_took, self._answers_until = took, self._now + SLOW_FOR_S

    def _slow_answer_at(self, row: OrderRow) -> float:
        """When an urgent order would be answered by a venue that is half as slow again as it was within a minute."""
        took = self._answers_took if self._now < self._answers_until else 0.0
        patience = min(1.5 * took, SLOWEST_S, self.settings.doubt_after_s)
        return row.due_at - self._answer_within(row) + patience

    def _too_old_at(self, row: OrderRow) -> float:
        """By what was heard of its candle's close, not by when it came here: each room on the way measures only its own
        delay, and every one of them may be on time while the sum of them is not."""
        heard_at = row.intent.received_ns / NS
        return (min(row.since_at, heard_at) if heard_at else row.since_at) + self.signal_max_age_s

    def _may_leave(self, row: OrderRow) -> bool:
        return self.fence.ready

    def _refusal(self, row: OrderRow) -> str | None:
        """Why an order that would open something must not leave."""
        if not row.opens_risk or row.cancel_reason is not None:
            return None
        # By the very moment that `_check` waits for: one that comes and does not count is waited for again, at once.
        if self._now >= self._too_old_at(row):
            age = self._now - self._too_old_at(row) + self.signal_max_age_s
            return f"{TOO_OLD}: its age must be below {self.signal_max_age_s:g} s, was {age:.1f} s"
        if row.unwanted:
            return row.unwanted
        if self.halted is not None:
            return f"trading is halted: {self.halted}"
        for flatten in self.flattens.values():
            # Also where nothing of its own symbol was held: whoever closes everything is not to find something new.
            if flatten.books and flatten.symbol in (None, row.intent.symbol):
                return f"{flatten.symbol or 'everything'} is being flattened"
        if row.intent.margin and row.intent.symbol in self.mismatched:
            return self.mismatched[row.intent.symbol]
        # Mostly it is alone.
        if len(self._open) > 1 and (other := met_by(row, self._open.values(), self._worst)) is not None:
            return f"it would trade with our own order {other.cid} at {plain(other.price or ZERO)}"
        return None

    def _give_up_waiting(self, row: OrderRow, reason: str) -> None:
        """Nobody wants what it would open: it must not leave, unless it may have left. That it has not may still come
        to light, of one that was handed out: then it does not leave either."""
        if not row.opens_risk or row.sent or row.state not in (S.INTENT, S.UNKNOWN) or row.unwanted:
            return
        row.unwanted = reason
        self._touch(row)
        if row.state is S.INTENT and row.session == 0:
            self._send(row)

    def _worst(self, row: OrderRow) -> Decimal | None:
        """How far this order may come into the book, should it be at market."""
        if self.touch is None:
            return None
        side = side_taken(row)
        levels = () if self.depth is None else self.depth(row.intent.symbol, side)
        front = self.touch(row.intent.symbol, side)
        return worst_price(row.quantity, row.intent.side.sign, front=front, levels=levels)

    def _submission(self, row: OrderRow) -> Outgoing:
        intent, (made_of, command) = row.intent, self._made
        # The last one who can look is the one that holds the socket.
        leave_by_ns = int(self._too_old_at(row) * NS) if row.opens_risk else 0
        if command is None or made_of is not intent or not row.session:
            command = submit_order(intent, cid=row.cid, group_id=row.group_id, session=row.session)
            command = msgspec.structs.replace(command, leave_by_ns=leave_by_ns)
        else:
            # It was made of this very intent, a moment ago.
            session, received_ns = row.session, intent.received_ns
            command = msgspec.structs.replace(
                command, session=session, received_ns=received_ns, leave_by_ns=leave_by_ns
            )
        if not row.swaps:
            return Outgoing(("on", row.cid, row.attempt), command)
        cancels = [_cancel_of(self.orders[cid], row.session) for cid in row.swaps if cid in self.orders]
        return Outgoing(("ox", row.cid, row.attempt), CommandBatch(commands=(*cancels, command)))

    def _handed_out(self, row: OrderRow) -> list[Outgoing]:
        """The commands of a row that may not have been put yet, under the keys they had."""
        commands = []
        if row.state is S.INTENT and row.session > 0:
            commands.append(self._submission(row))
        if row.request is not None and row.request.session == self.fence.session:
            if row.request.within is not None:
                pass  # It is in the frame of the order that takes its place.
            elif row.request.kind == "oc":
                commands.append(self._cancellation(row, row.request))
            elif row.venue_id is not None:
                commands.append(self._modification(row, row.request, row.venue_id))
        return commands

    def _on_sent(self, event: CommandSent) -> None:
        row = self.orders.get(event.cid)
        if self.fence.narrow and event.session == self.fence.session and _kind(event.kind) == "oc":
            # Nobody tells its end unasked, and a sale may wait for it.
            self._want_history(soon=True)
        if row is None or _kind(event.kind) != "on" or row.session != event.session or row.sent:
            return
        row.sent = True
        if row.state is S.INTENT:
            self._move(row, E.SENT, "")
        else:
            self._touch(row)

    def _on_not_sent(self, event: CommandNotSent) -> None:
        row = self.orders.get(event.cid)
        if row is None or not row.open:
            return
        kind = _kind(event.kind)
        if kind == "on":
            self._on_submit_not_sent(row, event)
        elif row.swapped:
            pass  # The note on the order in whose name the frame was to leave is the note on all of it.
        elif row.request is not None and row.request.kind == kind and row.request.session == event.session:
            request, row.request = row.request, None
            retry_at = None if self._pauses_for(event) else self._now + RETRY_PAUSE_S
            if kind == "ou":
                if row.wanted is None and not row.protects:
                    row.wanted = WantedChange(
                        price=request.price, quantity=request.quantity, leaves=row.leaves, reason=row.reason
                    )
                self._answered(row, f"update not sent: {event.reason}")
                if row.open and row.check_at is None:
                    # Whoever wants it wants it still, and would ask again in this very turn, without end.
                    row.check_at = retry_at
                    self._touch(row)
            else:
                row.check_at = retry_at
                self._touch(row)
                if request.first and row.state is S.PENDING_CANCEL and row.closing is None:
                    self._rests_on(row, f"cancel not sent: {event.reason}")

    def _pauses_for(self, event: CommandNotSent) -> bool:
        """Maintenance: nothing leaves before the next session, and that asks anew when it has been compared."""
        if not (event.paused and self.fence.up and event.session == self.fence.session):
            return False
        self.fence.paused = self._fence_changed = True
        return True

    def _on_submit_not_sent(self, row: OrderRow, event: CommandNotSent) -> None:
        if row.session != event.session:
            # An older attempt's note, heard again: push the next attempt out of the batch in which it is heard.
            if row.state is S.INTENT and row.session == 0:
                row.check_at = self._now + RETRY_PAUSE_S
                self._touch(row)
            return
        if row.sent or row.seen_session or row.state not in (S.INTENT, S.UNKNOWN):
            # It left, the venue showed it, and now it never left? Then nobody knows.
            if row.state is S.SENT:
                self._doubt(row, f"sent and not sent: {event.reason}")
            return
        taken = [self.orders[cid] for cid in row.swaps if cid in self.orders]
        row.session, row.swaps = 0, ()
        row.absent_at = None
        self._move(row, E.NOT_SENT, f"not sent: {event.reason}")
        if self._pauses_for(event):
            row.check_at = self._too_old_at(row) if row.opens_risk else None
        else:
            row.check_at = self._now + RETRY_PAUSE_S
        for other in taken:
            if other.swapped and other.request is not None and other.request.within == row.cid:
                self._keep_place(other)
                other.check_at = self._now + RETRY_PAUSE_S
        if taken and row.protects:
            # Tried again alone it would have the one before it cancelled first. Another one will take its place.
            self._end(row, E.WITHDRAWN, f"not sent: {event.reason}")
        if row.open and event.too_old:
            self.too_old_total += 1
            self._end(row, E.WITHDRAWN, f"not sent: {event.reason}")
        elif row.open and row.unwanted:
            self._end(row, E.WITHDRAWN, f"not sent: {row.unwanted}")

    def _on_in_doubt(self, event: CommandInDoubt) -> None:
        row = self.orders.get(event.cid)
        if row is None or not row.open:
            return
        if _kind(event.kind) == "on":
            if row.session == event.session and row.state in (S.INTENT, S.SENT):
                self._doubt(row, event.reason)
        else:
            # What became of a cancel or update shows in the order itself.
            self._want_history()

    def _want_cancel(self, row: OrderRow, reason: str) -> None:
        if not row.open or row.cancel_reason is not None:
            return
        row.cancel_reason = reason
        self._touch(row)
        if row.state is S.INTENT and row.session == 0:
            self._send(row)
        else:
            self._pursue_cancel(row)

    def _pursue_cancel(self, row: OrderRow) -> None:
        """Ask for the cancel that is wanted, if it can be asked for now. Asking twice is safe."""
        if (
            row.cancel_reason is None
            or row.state not in AT_VENUE
            or row.closing is not None
            or not self._may_cancel(row)
        ):
            return
        request = row.request
        if request is not None and request.kind == "oc" and request.session == self.fence.session:
            return
        if row.tries and row.check_at is not None and self._now < row.check_at:
            return
        request = self._request(row, "oc")
        request.first = row.state in (S.ACKED, S.PARTIAL)
        self._emit(self._cancellation(row, request))
        self._move(row, E.ASK_CANCEL, row.cancel_reason)

    def _may_cancel(self, row: OrderRow) -> bool:
        return self.fence.ready and not self.fence.paused

    def _request(self, row: OrderRow, kind: str) -> OpenRequest:
        self.fence.serial += 1
        request = OpenRequest(kind=kind, serial=self.fence.serial, session=self.fence.session, asked_at=self._now)
        row.request = request
        self._asks_now(row, request)
        self._touch(row)
        return request

    def _asks_now(self, row: OrderRow, request: OpenRequest) -> None:
        request.asked_at = self._now
        row.check_at = self._now + (URGENT_S if self.fence.narrow else self.settings.doubt_after_s)

    def _cancellation(self, row: OrderRow, request: OpenRequest) -> Outgoing:
        return Outgoing(("oc", row.cid, request.serial), _cancel_of(row, request.session))

    def _may_swap(self, row: OrderRow) -> bool:
        """True when the frame of another order may cancel this one."""
        resting = row.state in (S.ACKED, S.PARTIAL) and row.venue_id is not None and row.request is None
        return resting and row.cancel_reason is None and row.closing is None and self.fence.ready

    def _swap(self, row: OrderRow, others: Sequence[OrderRow]) -> None:
        """The next frame of `row` cancels the others: both arrive, or neither does."""
        row.swaps = tuple([other.cid for other in others])
        for other in others:
            self._request(other, "oc").within = row.cid
            self._move(other, E.ASK_CANCEL, f"order {row.cid} takes its place")

    def _keep_place(self, row: OrderRow) -> None:
        """The frame that should have cancelled it is known not to have done so: it rests as before."""
        row.request = None
        self._answered(row, "")

    def _update(self, row: OrderRow, wish: UpdateIntent) -> None:
        if self.halted:
            return
        before = row.wanted
        row.wanted = WantedChange(
            price=wish.price if wish.price is not None or before is None else before.price,
            quantity=wish.quantity if wish.quantity is not None or before is None else before.quantity,
            leaves=row.leaves,
            reason=wish.reason,
        )
        self._touch(row)
        self._pursue_update(row)

    def _pursue_update(self, row: OrderRow) -> None:
        """Ask for the change that is wanted, once it can be asked for: a person was told that it is on its way."""
        wanted = row.wanted
        if wanted is None:
            return
        if row.open and row.cancel_reason is None and row.closing is None and not self.halted:
            if not self._may_update(row):
                return
            quantity, left = wanted.quantity, row.quantity - max(row.filled, row.executed)
            if quantity is not None and left <= quantity < wanted.leaves:
                # It was to become smaller, and has traded that far meanwhile.
                quantity = None
            self._ask_update(row, wanted.price, quantity, wanted.reason)
        row.wanted = None
        self._touch(row)
        self._tell_settled(row)

    def _tell_settled(self, row: OrderRow) -> None:
        """Risk sets aside what a change may make of the order until it hears that none is under way."""
        if row.open and row.settled_change:
            self._changed(row)

    def _may_update(self, row: OrderRow) -> bool:
        if row.state not in (S.ACKED, S.PARTIAL) or row.venue_id is None or not self.fence.ready or self.fence.paused:
            return False
        return row.check_at is None or self._now >= row.check_at

    def _ask_update(self, row: OrderRow, price: Decimal | None, remaining: Decimal | None, reason: str) -> None:
        """Change price or remaining quantity in place, unless it is so already or cannot be asked for now."""
        if row.venue_id is None or row.cancel_reason is not None or row.closing is not None:
            return
        if not self._may_update(row):
            return
        price = None if price is None else round_price(price)
        remaining = None if remaining is None else floor_amount(remaining)
        price = None if price == row.price else price
        traded = max(row.filled, row.executed)
        remaining = None if remaining is None or same_amount(traded + remaining, row.quantity) else remaining
        if (price is None and remaining is None) or remaining == ZERO:
            return
        request = self._request(row, "ou")
        request.price, request.quantity = price, remaining
        row.update_out = True
        self._emit(self._modification(row, request, row.venue_id))
        self._move(row, E.ASK_UPDATE, reason)

    def _modification(self, row: OrderRow, request: OpenRequest, venue_id: int) -> Outgoing:
        amount = request.quantity
        command = UpdateOrder(
            cid=row.cid,
            venue_id=venue_id,
            price=request.price,
            amount=None if amount is None else amount * row.intent.side.sign,
            flags=row.flags,
            session=request.session,
            correlation_id=row.intent.correlation_id,
        )
        return Outgoing(("ou", row.cid, request.serial), command)

    def _answered(self, row: OrderRow, reason: str) -> None:
        """An open update has its answer: back to what the order is without it."""
        if row.state is S.PENDING_UPDATE or row.swapped:
            self._expect_end(row)
            row.update_out = False
            self._rests_on(row, reason)
        self._pursue_cancel(row)

    def _rests_on(self, row: OrderRow, reason: str) -> None:
        """Nothing that was asked for it has come of anything: it is at the venue as before."""
        self._move(row, E.ANSWERED, reason)
        if row.filled:
            self._move(row, E.PART_FILL, reason)

    def _backoff(self, row: OrderRow) -> float:
        row.tries += 1
        return min(RETRY_PAUSE_S * float(2 ** min(row.tries, 8)), 60.0)


def parts_of(intent: OrderIntent, pairs: PairSpecs) -> tuple[OrderIntent, ...]:
    """The orders that an intent becomes: what closes must not fail for being large, so it is cut to the pair's maximum.

    One of them keeps the intent's own id; all are written in one commit.
    """
    if intent.purpose not in CUT or intent.order_type is not OrderType.MARKET:
        return (intent,)
    parts = cut(floor_amount(intent.quantity), pairs.get(intent.symbol))
    if len(parts) <= 1:
        return (intent,)
    return tuple(
        msgspec.structs.replace(
            intent,
            intent_id=intent.intent_id if number == 1 else f"{intent.intent_id}{PART}{number}",
            quantity=quantity,
        )
        for number, quantity in enumerate(parts, 1)
    )


def _cancel_of(row: OrderRow, session: int) -> CancelOrder:
    return CancelOrder(
        cid=row.cid,
        cid_date=row.cid_date,
        venue_id=row.venue_id,
        session=session,
        correlation_id=row.intent.correlation_id,
    )


def _kind(kind: str) -> str:
    """The command's name on the wire, by whichever name the connection calls it."""
    return {"SubmitOrder": "on", "CancelOrder": "oc", "UpdateOrder": "ou"}.get(kind, kind)
