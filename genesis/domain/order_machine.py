"""The order machine: from an approved intent to a known end, without ever losing, doubling or guessing an order.

It is pure: events and times go in, `take()` gives what is to be done. Whoever drives it commits first and acts after:

- the row of an intent, with the client id it has for life, is durable before its command exists for anybody else;
- no command belongs to a session that has not been compared with the venue's books;
- only "not one byte left" lets a command leave again; every doubt makes UNKNOWN, and out of that lead the venue's own
  word or the whole proof of absence: an older session closed by us, a later session's snapshot without the order,
  history without it, and both still so after the quarantine;
- a trade is booked once, with its fee, and an order ends only when the trades of what it executed are told;
- hearing anything twice changes nothing the second time.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import assert_never

import msgspec

from genesis.domain.decision_log import order_record
from genesis.domain.order_fills import FillBook, held_key, read_held
from genesis.domain.order_outputs import Outgoing, Outputs
from genesis.domain.order_rows import (
    TABLE,
    FillRow,
    FlattenRow,
    OpenRequest,
    OrderRow,
    foreign_view,
    view_of,
)
from genesis.domain.order_session import HISTORY_MARGIN_MS, Fence
from genesis.domain.order_state import AT_VENUE, IllegalTransition, OrderEvent, after
from genesis.domain.order_wire import (
    ending_of,
    executed_of,
    flags_of,
    flatten_intent,
    submit_order,
    utc_day,
)
from protocols.journal import CellWrite, Record
from protocols.orders import (
    AccountEvent,
    Approved,
    CancelIntent,
    CancelOrder,
    CommandInDoubt,
    CommandNotSent,
    CommandSent,
    Fill,
    Flatten,
    HistoryFailed,
    HistoryReport,
    OrderSnapshot,
    OrderState,
    OrderUpdate,
    OrderView,
    RequestNotice,
    SessionDown,
    SessionUp,
    UpdateIntent,
    UpdateOrder,
    VenueOrder,
    VenueTrade,
)
from protocols.settings import OrderSettings
from protocols.units import ZERO, Symbol, floor_amount, round_price

RETRY_PAUSE_S = 1.0
"""A command that did not leave waits this long before it leaves again in the same session. It must not be zero: the
note "not sent" may be heard twice, and the second hearing must not meet the second attempt."""
FLATTEN_TRIES = 3
REPORTS_WITHOUT_FILLS = 5
"""So many reports of REST may lack trades that the venue says it made, before the order ends without them."""
ORDERS_KEPT = 20_000
FILLS_KEPT = 100_000
"""The account makes its positions anew of every fill that is kept, so these are let go only after a long life."""

_encode = msgspec.json.Encoder(decimal_format="string").encode
_decode_order = msgspec.json.Decoder(OrderRow).decode
_decode_fill = msgspec.json.Decoder(FillRow).decode
_decode_flatten = msgspec.json.Decoder(FlattenRow).decode
_decode_fence = msgspec.json.Decoder(Fence).decode

E, S = OrderEvent, OrderState


class OrderMachine:
    """All orders of one engine on one account. Handlers take the time as `now` (monotonic s) and `wall_ms` (UTC).

    `epoch` is the journal's: rows of an older one were written by a process that is gone.
    """

    def __init__(
        self, settings: OrderSettings, *, epoch: int, signal_max_age_s: float, cancel_ghosts: bool = True
    ) -> None:
        self.settings = settings
        self.signal_max_age_s = signal_max_age_s
        self.halted: str | None = None
        self.fence = Fence(epoch=epoch)
        self.orders: dict[int, OrderRow] = {}
        self.fills = FillBook()
        self.foreign: dict[int, OrderView] = {}
        self.flattens: dict[str, FlattenRow] = {}
        self.last_cid = 0
        self.ghosts_total = 0
        self.doubts_total = 0
        self.dead_total = 0
        self.stale_frames_total = 0
        self.illegal_total = 0
        self._cancel_ghosts = cancel_ghosts
        self._open: dict[int, OrderRow] = {}
        self._by_intent: dict[str, int] = {}
        self._by_venue_id: dict[int, int] = {}
        self._dirty: dict[str, OrderRow | FillRow | FlattenRow | Decimal | int | None] = {}
        self._fence_changed = False
        self._out = Outputs()
        self._now = 0.0
        self._wall_ms = 0
        self._report_asked_at = 0.0

    # --- what comes in ----------------------------------------------------------------------------------------------

    def admit(self, approved: Approved, *, now: float, wall_ms: int) -> None:
        """Take an approved intent. The same intent said again is the same order."""
        self._at(now, wall_ms)
        self._admit(approved)

    def disown(self, intent_id: str) -> None:
        """The journal knew this intent from a life that this machine has forgotten: its command must not leave."""
        row = self.orders[self._by_intent[intent_id]]
        self._out.alarms.append(("intent_said_again", f"order {row.cid}: {intent_id} was ordered before"))
        self._end(row, E.WITHDRAWN, "ordered before")

    def on_cancel(self, wish: CancelIntent, *, now: float, wall_ms: int) -> tuple[OrderView, ...]:
        """Take back one order or (no intent id) all of ours that are open; gives them as they are now.

        Unknown ids and ended orders are left alone.
        """
        self._at(now, wall_ms)
        if wish.intent_id is None:
            rows = list(self._open.values())
        else:
            cid = self._by_intent.get(wish.intent_id)
            rows = [] if cid is None else [self.orders[cid]]
        for row in rows:
            self._want_cancel(row, wish.reason)
        return tuple(view_of(row) for row in rows)

    def on_update(self, wish: UpdateIntent, *, now: float, wall_ms: int) -> tuple[OrderView, ...]:
        """Change a resting order in place; gives it as it is now, or nothing when there is none.

        Left alone when it is not resting, in doubt, or already so.
        """
        self._at(now, wall_ms)
        cid = self._by_intent.get(wish.intent_id)
        if cid is None:
            return ()
        self._update(self.orders[cid], wish)
        return (view_of(self.orders[cid]),)

    def _update(self, row: OrderRow, wish: UpdateIntent) -> None:
        if row.state not in (S.ACKED, S.PARTIAL) or row.venue_id is None:
            return
        if not self.fence.ready or self.halted or row.cancel_reason is not None or row.closing is not None:
            return
        price = None if wish.price is None else round_price(wish.price)
        remaining = None if wish.quantity is None else floor_amount(wish.quantity)
        price = None if price == row.price else price
        remaining = None if remaining is None or row.filled + remaining == row.quantity else remaining
        if (price is None and remaining is None) or remaining == ZERO:
            return
        request = self._request(row, "ou")
        request.price, request.quantity = price, remaining
        command = UpdateOrder(
            cid=row.cid,
            venue_id=row.venue_id,
            price=price,
            amount=None if remaining is None else remaining * row.intent.side.sign,
            flags=row.flags,
            session=self.fence.session,
            correlation_id=wish.correlation_id or row.intent.correlation_id,
        )
        self._emit(Outgoing(("ou", row.cid, request.serial), command))
        self._move(row, E.ASK_UPDATE, wish.reason)

    def on_flatten(self, wish: Flatten, *, now: float, wall_ms: int) -> None:
        """Cancel what rests and close what our own trades left open. The wish is known by its correlation id."""
        self._at(now, wall_ms)
        if wish.correlation_id in self.flattens:
            return
        books = {(row.intent.symbol, row.intent.margin) for row in self._open.values()}
        books |= {book for book, amount in self.fills.held.items() if amount}
        flatten = FlattenRow(
            flatten_id=wish.correlation_id,
            symbol=wish.symbol,
            reason=wish.reason,
            decided_ms=max(self.fence.venue_ms, wall_ms if not self.fence.venue_ms else 0),
            since_at=now,
            books=tuple(sorted(book for book in books if wish.symbol in (None, book[0]))),
        )
        self.flattens[flatten.flatten_id] = flatten
        self._dirty[flatten.key] = flatten
        for row in list(self._open.values()):
            if (row.intent.symbol, row.intent.margin) in flatten.books:
                self._want_cancel(row, f"flatten: {wish.reason}")
        self._advance_flattens()

    def on_event(self, event: AccountEvent, *, now: float, wall_ms: int) -> None:
        """Hear the connection or the venue."""
        self._at(now, wall_ms)
        match event:
            case SessionUp():
                self._on_session_up(event.session)
            case SessionDown():
                if self.fence.leaves(event.session):
                    self._session_is_over()
            case CommandSent():
                self._on_sent(event)
            case CommandNotSent():
                self._on_not_sent(event)
            case CommandInDoubt():
                self._on_in_doubt(event)
            case OrderSnapshot():
                self._on_snapshot(event)
            case VenueOrder():
                if self._hears(event.session):
                    self._on_venue_order(event)
            case VenueTrade():
                if self._hears(event.session):
                    self._on_trade(event)
            case RequestNotice():
                if self._hears(event.session):
                    self._on_notice(event)
            case HistoryReport():
                self._on_report(event)
            case HistoryFailed():
                if self.fence.failed(event.request_id, now):
                    self._fence_changed = True
            case _:
                assert_never(event)

    def on_timer(self, *, now: float, wall_ms: int) -> None:
        """Look at every deadline that has come."""
        self._at(now, wall_ms)
        for row in list(self._open.values()):
            if row.check_at is not None and now >= row.check_at:
                self._check(row)
        for fill in list(self.fills.untold.values()):
            if fill.check_at is not None and now >= fill.check_at:
                fill.check_at = now + self.settings.doubt_after_s
                self._want_history()
        self._advance_flattens()
        self._ask_history()

    def next_deadline(self) -> float | None:
        """When `on_timer` is needed next, or None."""
        deadlines = [row.check_at for row in self._open.values() if row.check_at is not None]
        deadlines += [fill.check_at for fill in self.fills.untold.values() if fill.check_at is not None]
        deadlines += [flatten.pause_at for flatten in self.flattens.values() if flatten.pause_at is not None]
        history = self.fence.history_deadline()
        if history is not None:
            deadlines.append(history)
        return min(deadlines, default=None)

    def take(self) -> Outputs:
        """What is to be done for all that was heard since the last `take`. See `Outputs` for the order."""
        out, self._out = self._out, Outputs()
        for key, row in self._dirty.items():
            payload = b"" if row is None else _encode(row)
            out.cells[key] = CellWrite(table=TABLE, key=key, payload=payload)
        if self._fence_changed or out.cells or out.records:
            out.cells["session"] = CellWrite(table=TABLE, key="session", payload=_encode(self.fence))
        self._dirty.clear()
        self._fence_changed = False
        return out

    def told(self) -> None:
        """All reports taken so far have reached their channel; after a crash they need not be said again."""
        self.fence.reported = self.fence.serial

    def by_intent(self, intent_id: str) -> OrderRow:
        """The row of a known intent. Raises KeyError."""
        return self.orders[self._by_intent[intent_id]]

    # --- starting again ---------------------------------------------------------------------------------------------

    def restore(self, cells: Iterable[CellWrite], *, now: float, wall_ms: int) -> None:
        """Take the state from the journal's cells. Afterwards `take()` holds what the last life may have left undone.

        In the same epoch only the actor crashed: commands are handed out again under their old keys, so that those
        which were put before are put no more, and reports that were perhaps not put are said again. In a new epoch the
        process is gone, and with it the channels: what may have left is in doubt, what was never handed out did not
        leave, and all that is remembered is reported again.
        """
        self._at(now, wall_ms)
        epoch = self.fence.epoch
        for cell in cells:
            kind = cell.key.split(":", 1)[0]
            if kind == "order":
                row = _decode_order(cell.payload)
                self.orders[row.cid] = row
            elif kind == "fill":
                self.fills.restore(_decode_fill(cell.payload))
            elif kind == "held":
                book, amount = read_held(cell.key, cell.payload)
                self.fills.held[book] = amount
            elif kind == "flatten":
                flatten = _decode_flatten(cell.payload)
                self.flattens[flatten.flatten_id] = flatten
            elif kind == "cid":
                self.last_cid = msgspec.json.decode(cell.payload, type=int)
            elif kind == "session":
                self.fence = _decode_fence(cell.payload)
        self.orders = dict(sorted(self.orders.items()))
        self.last_cid = max([self.last_cid, *self.orders])
        for row in self.orders.values():
            self._by_intent[row.intent.intent_id] = row.cid
            for venue_id in (() if row.venue_id is None else (row.venue_id,)) + row.linked_ids:
                self._by_venue_id[venue_id] = row.cid
            if row.open:
                self._open[row.cid] = row
        if self.fence.epoch == epoch:
            self._continue_process()
        else:
            self._begin_process(epoch)

    def _continue_process(self) -> None:
        for row in self._open.values():
            self._out.commands += self._handed_out(row)
        self._say_again(self.fence.reported)
        # Foreign orders are not kept: the next report shows them again.
        if self.fence.reconciled:
            self._want_history()
        self._fence_changed = True

    def _begin_process(self, epoch: int) -> None:
        old = self.fence
        self.fence = Fence(
            epoch=epoch,
            request_id=old.request_id,
            venue_ms=old.venue_ms,
            floor_ms=old.floor_ms,
            serial=old.serial,
        )
        self._say_again(0)
        for fill in self.fills.untold.values():
            fill.since_at, fill.check_at = self._now, self._now + self.settings.doubt_after_s
        for flatten in self.flattens.values():
            flatten.since_at = self._now
            flatten.pause_at = self._now if flatten.books else None
        for row in list(self._open.values()):
            was_handed_out = row.session > 0 or row.sent or row.attempt > 0
            row.since_at, row.check_at, row.absent_at = self._now, None, None
            # Session numbers begin anew with the process: nothing of an older one is newer than any of this one.
            row.session = row.seen_session = 0
            row.request = None
            if row.state is S.INTENT and not was_handed_out:
                self._end(row, E.WITHDRAWN, "not sent before the engine restarted")
            elif row.state in (S.INTENT, S.SENT):
                self._doubt(row, "the engine restarted")
            else:
                row.check_at = None if row.closing is None else self._now + self.settings.doubt_after_s
                self._touch(row)
        self._fence_changed = True

    def _say_again(self, after_serial: int) -> None:
        said: list[tuple[int, OrderUpdate | Fill]] = []
        for row in self.orders.values():
            if row.serial > after_serial:
                said.append((row.serial, OrderUpdate(order=view_of(row))))
        for fill in self.fills.rows.values():
            if fill.fill is not None and fill.serial > after_serial:
                said.append((fill.serial, fill.fill))
        said.sort(key=lambda pair: pair[0])
        self._out.reports += [report for _, report in said]

    def _handed_out(self, row: OrderRow) -> list[Outgoing]:
        """The commands of a row that may not have been put yet, under the keys they had."""
        commands = []
        if row.state is S.INTENT and row.session > 0:
            commands.append(self._submission(row))
        if row.request is not None and row.request.session == self.fence.session:
            if row.request.kind == "oc":
                commands.append(self._cancellation(row, row.request))
            elif row.venue_id is not None:
                amount = row.request.quantity
                command = UpdateOrder(
                    cid=row.cid,
                    venue_id=row.venue_id,
                    price=row.request.price,
                    amount=None if amount is None else amount * row.intent.side.sign,
                    flags=row.flags,
                    session=row.request.session,
                    correlation_id=row.intent.correlation_id,
                )
                commands.append(Outgoing(("ou", row.cid, row.request.serial), command))
        return commands

    # --- submitting -------------------------------------------------------------------------------------------------

    def _admit(self, approved: Approved) -> None:
        intent = approved.intent
        if intent.intent_id in self._by_intent:
            return
        self.last_cid += 1
        self._dirty["cid"] = self.last_cid
        row = OrderRow(
            intent=intent,
            cid=self.last_cid,
            cid_date=utc_day(intent.decided_ms),
            group_id=self.settings.group_id,
            flags=flags_of(intent),
            state=S.INTENT,
            reason="",
            quantity=intent.quantity,
            price=intent.price,
            created_ms=intent.decided_ms,
            updated_ms=intent.decided_ms,
            since_at=self._now,
        )
        self.orders[row.cid] = self._open[row.cid] = row
        self._by_intent[intent.intent_id] = row.cid
        self._out.intents.append((len(self._out.records), intent.intent_id))
        self._record("Approved", intent.intent_id, _encode(approved), intent.correlation_id, intent.decided_ms)
        try:
            command = submit_order(intent, cid=row.cid, group_id=row.group_id, session=0)
        except ValueError as error:
            self._end(row, E.WITHDRAWN, str(error))
            return
        row.quantity, row.price = abs(command.amount), command.price
        # The decision is complete here, whenever the command leaves: replay and backtest compare exactly this.
        self._out.records.append(order_record(command, intent.decided_ms))
        self._changed(row)
        if not self._send(row):
            row.check_at = self._now + self.signal_max_age_s if row.opens_risk else None

    def _send(self, row: OrderRow) -> bool:
        """Hand the submit out in this session, or give it up, if either is due. True when it is settled."""
        assert row.state is S.INTENT, f"order {row.cid} must be an intent to be sent, was {row.state.value}"
        assert row.session == 0, f"order {row.cid} must not be handed out already, was in session {row.session}"
        if row.cancel_reason is not None:
            self._end(row, E.CANCELED, row.cancel_reason)
            return True
        if row.opens_risk:
            refusal = self._refusal(row)
            if refusal is not None:
                self._end(row, E.WITHDRAWN, f"not sent: {refusal}")
                return True
        if not self.fence.ready:
            return False
        row.session = self.fence.session
        row.attempt += 1
        row.check_at = self._now + self.settings.doubt_after_s
        self._touch(row)
        self._emit(self._submission(row))
        return True

    def _refusal(self, row: OrderRow) -> str | None:
        age = self._now - row.since_at
        if age > self.signal_max_age_s:
            return f"signal age must be at most {self.signal_max_age_s:g} s, was {age:.1f} s"
        if self.halted is not None:
            return f"trading is halted: {self.halted}"
        book = (row.intent.symbol, row.intent.margin)
        if any(book in flatten.books for flatten in self.flattens.values()):
            return f"{row.intent.symbol} is being flattened"
        return None

    def _submission(self, row: OrderRow) -> Outgoing:
        command = submit_order(row.intent, cid=row.cid, group_id=row.group_id, session=row.session)
        return Outgoing(("on", row.cid, row.attempt), command)

    def _on_sent(self, event: CommandSent) -> None:
        row = self.orders.get(event.cid)
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
        elif row.request is not None and row.request.kind == kind and row.request.session == event.session:
            row.request = None
            if kind == "ou":
                self._answered(row, f"update not sent: {event.reason}")
            else:
                row.check_at = self._now + RETRY_PAUSE_S
                self._touch(row)

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
        row.session = 0
        row.absent_at = None
        self._move(row, E.NOT_SENT, f"not sent: {event.reason}")
        row.check_at = self._now + RETRY_PAUSE_S

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

    # --- sessions ---------------------------------------------------------------------------------------------------

    def _hears(self, session: int) -> bool:
        if self.fence.enters(session):
            self._session_is_over()
        if not self.fence.hears(session):
            self.stale_frames_total += 1
            return False
        return True

    def _on_session_up(self, session: int) -> None:
        if self._hears(session) and not self.fence.up:
            self.fence.up = True
            self._begin_reconcile()

    def _session_is_over(self) -> None:
        self._fence_changed = True
        for row in list(self._open.values()):
            if row.state is S.SENT:
                self._doubt(row, "the session ended without an answer")

    def _on_snapshot(self, snapshot: OrderSnapshot) -> None:
        if not self._hears(snapshot.session) or self.fence.shown:
            return
        self.fence.shown = True
        for order in snapshot.orders:
            self._on_venue_order(order)
        self._begin_reconcile()

    def _begin_reconcile(self) -> None:
        self._fence_changed = True
        if self.fence.up and self.fence.shown:
            self._want_history()
            self._ask_history()

    def _want_history(self) -> None:
        before = self.fence.history_at
        self.fence.want_history(self._now)
        self._fence_changed = self._fence_changed or self.fence.history_at != before

    def _ask_history(self) -> None:
        since = [self.fence.venue_ms or self._wall_ms]
        since += [min(row.created_ms, row.intent.decided_ms) for row in self._open.values()]
        since += [fill.trade.time_ms for fill in self.fills.untold.values()]
        symbols = {row.intent.symbol for row in self._open.values()}
        symbols |= {fill.trade.symbol for fill in self.fills.untold.values()}
        question = self.fence.ask(
            self._now,
            interval_s=self.settings.reconcile_interval_s,
            since_ms=max(min(since) - HISTORY_MARGIN_MS, self.fence.floor_ms, 0),
            symbols=tuple(sorted(symbols)),
        )
        if question is not None:
            self._fence_changed = True
            self._out.questions.append(question)

    def _on_report(self, report: HistoryReport) -> None:
        asked_at = self._report_asked_at = self.fence.pending_at
        if not self.fence.answered(report.request_id, report.session):
            return
        self._fence_changed = True
        listed: set[int] = set()
        for order in (*report.open_orders, *report.closed_orders):
            row = self._on_venue_order(order)
            if row is not None:
                listed.add(row.cid)
        for trade in report.trades:
            self._on_trade(trade)
        for row in list(self._open.values()):
            if row.cid not in listed:
                self._judge_absence(row, asked_at)
            if row.closing is not None and row.open:
                row.reports_without_fills += 1
                self._settle(row)
        for fill in list(self.fills.untold.values()):
            self._give_orphan_a_home(fill)
        self._forget(report.since_ms)
        if not self.fence.reconciled:
            self.fence.reconciled = True
            for row in list(self._open.values()):
                self._release(row)

    def _release(self, row: OrderRow) -> None:
        """The session has been compared: what waited for that may go on."""
        if row.state is S.INTENT and row.session == 0:
            self._send(row)
        elif row.state is S.PENDING_UPDATE and (row.request is None or row.request.session != self.fence.session):
            row.request = None
            self._answered(row, "update: its session ended")
        self._pursue_cancel(row)

    def _judge_absence(self, row: OrderRow, asked_at: float) -> None:
        """The report does not list this order. What that means depends on who else could still speak of it."""
        if row.state is S.INTENT and row.session == 0:
            return
        if row.evidence_session < self.fence.session:
            # Its socket is closed, and this session's snapshot did not show it either.
            if row.state is not S.UNKNOWN:
                self._doubt(row, "the venue lists it neither as open nor as closed")
            if row.absent_at is None:
                row.absent_at = self._now
                row.check_at = self._now + self.settings.quarantine_s
                self._touch(row)
            elif asked_at >= row.absent_at + self.settings.quarantine_s:
                self.dead_total += 1
                self._end(row, E.ABSENT, "proven absent: neither in a later session's snapshot nor in history")
        elif row.state in AT_VENUE and row.closing is None and row.heard_at + self.settings.doubt_after_s < asked_at:
            # The socket is alive, so its closing frame may only be late; a new session will tell.
            self._doubt(row, "open for us, but not listed by the venue")

    # --- the venue's words about orders -----------------------------------------------------------------------------

    def _row_of(self, order: VenueOrder) -> OrderRow | None:
        cid = self._by_venue_id.get(order.venue_id)
        if cid is not None:
            return self.orders[cid]
        row = self.orders.get(order.cid)
        if row is None or row.venue_id is not None or order.group_id != row.group_id:
            return None
        same = order.symbol == row.intent.symbol and (order.original > 0) == (row.intent.side.sign > 0)
        return row if same else None

    def _on_venue_order(self, order: VenueOrder) -> OrderRow | None:
        self.fence.venue_ms = max(self.fence.venue_ms, order.updated_ms)
        row = self._row_of(order)
        if row is None:
            parent = None if order.placed_id is None else self._by_venue_id.get(order.placed_id)
            if parent is None:
                self._on_foreign_order(order)
            else:
                self._on_linked_order(self.orders[parent], order)
            return None
        if order.updated_ms < row.venue_updated_ms:
            return row
        first_sight = row.venue_id is None
        row.venue_id = order.venue_id
        self._by_venue_id[order.venue_id] = row.cid
        self._seen(row)
        if first_sight:
            row.cid_date = utc_day(order.created_ms)
        ending = ending_of(order)
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

    def _seen(self, row: OrderRow) -> None:
        row.heard_at = self._now
        if row.seen_session != self.fence.session or row.absent_at is not None:
            row.seen_session = self.fence.session
            row.absent_at = None
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
        row.executed = ZERO
        row.reports_without_fills = 0
        self._out.alarms.append(("ghost_order", f"order {row.cid} was {row.state.value} and is at the venue"))
        if self._cancel_ghosts:
            row.cancel_reason = "it had been given up and came back"
        self._move(row, E.GHOST, "adopted: it had been given up and came back")

    def _on_open(self, row: OrderRow, order: VenueOrder, news: bool) -> None:
        if row.state is S.PENDING_UPDATE and self._answers_update(row, order, news):
            row.request = None
            self._answered(row, "")
        if row.intent.price is not None and order.price and row.state is not S.PENDING_UPDATE:
            row.price = order.price
        quantity = abs(order.original)
        if quantity != row.quantity and quantity >= row.filled:
            row.quantity = quantity
            self._touch(row)
        if row.state in (S.INTENT, S.SENT, S.UNKNOWN):
            self._move(row, E.PART_FILL if row.filled else E.OPEN, "")
        if row.state in (S.ACKED, S.PARTIAL):
            row.check_at = None

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
        executed = executed_of(order)
        row.executed = max(row.executed, executed)
        row.updated_ms = max(row.updated_ms, order.updated_ms)
        if row.open and row.closing is None:
            row.closing = ending
            row.reason = order.status
            if row.state in (S.INTENT, S.SENT, S.UNKNOWN) and executed > row.filled:
                self._move(row, E.PART_FILL if row.filled else E.OPEN, order.status)
            self._touch(row)
        if row.filled < row.executed:
            row.check_at = self._now + self.settings.doubt_after_s
        self._settle(row)

    def _settle(self, row: OrderRow) -> None:
        """End an order whose end is told once its trades are, too: nobody hears of the end before the last fill."""
        if row.closing is None or not row.open:
            return
        if row.filled < row.executed:
            if row.reports_without_fills < REPORTS_WITHOUT_FILLS:
                return
            text = f"order {row.cid}: the venue executed {row.executed}, its trades show {row.filled}"
            self._out.alarms.append(("fills_missing", text))
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
        if ending_of(order) is not None:
            row.executed = max(row.executed, executed_of(order))
        for fill in self.fills.of_order((order.venue_id,)):
            self._tell(fill, row)

    def _on_foreign_order(self, order: VenueOrder) -> None:
        ending = ending_of(order)
        if ending is not None and order.venue_id not in self.foreign:
            return
        view = foreign_view(order, ending)
        if self.foreign.get(order.venue_id) == view:
            return
        if ending is None:
            self.foreign[order.venue_id] = view
        else:
            del self.foreign[order.venue_id]
        self._out.reports.append(OrderUpdate(order=view))

    def _on_notice(self, notice: RequestNotice) -> None:
        refused = notice.status.upper() != "SUCCESS"
        row = None if notice.cid is None else self.orders.get(notice.cid)
        if notice.kind == "on-req":
            if row is None or row.session != notice.session or row.state not in (S.INTENT, S.SENT, S.UNKNOWN):
                return
            if refused:
                self._end(row, E.REFUSED, notice.text)
                return
            if notice.venue_id is not None and notice.venue_id not in self._by_venue_id:
                row.venue_id = notice.venue_id
                self._by_venue_id[notice.venue_id] = row.cid
            self._seen(row)
            self._move(row, E.OPEN, "")
            row.check_at = None
            for fill in self.fills.of_order(() if row.venue_id is None else (row.venue_id,)):
                self._tell(fill, row)
            self._pursue_cancel(row)
            return
        if notice.venue_id is not None and notice.venue_id in self._by_venue_id:
            row = self.orders[self._by_venue_id[notice.venue_id]]
        if row is None or row.request is None or not refused or not row.open:
            return
        if notice.kind == "ou-req" and row.request.kind == "ou":
            row.request = None
            self._answered(row, f"update refused: {notice.text}")
        elif notice.kind == "oc-req" and row.request.kind == "oc":
            # Perhaps it ended just before. History tells; if it is still open, the cancel is asked again.
            row.request = None
            row.check_at = self._now + self._backoff(row)
            self._want_history()
            self._touch(row)

    # --- trades -----------------------------------------------------------------------------------------------------

    def _on_trade(self, trade: VenueTrade) -> None:
        self.fence.venue_ms = max(self.fence.venue_ms, trade.time_ms)
        if trade.event == "rest" and trade.time_ms < self.fence.floor_ms:
            return
        fill = self.fills.hear(trade, self._now, self._now + self.settings.doubt_after_s)
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

    def _give_orphan_a_home(self, fill: FillRow) -> None:
        """After a report: a trade whose order the report did not tie to us is foreign, unless only we could have it."""
        if not fill.has_fee:
            return
        fill.reports += 1
        trade = fill.trade
        row = None if trade.cid is None else self.orders.get(trade.cid)
        could_be_ours = (
            row is not None
            and row.open
            and row.venue_id is None
            and row.intent.symbol == trade.symbol
            and (trade.amount > 0) == (row.intent.side.sign > 0)
        )
        if not could_be_ours:
            self._tell(fill, None)
        elif fill.reports >= 3 and row is not None:
            # The venue's lists of trades and orders have parted for good. A position of ours is the safer belief.
            self._by_venue_id[trade.venue_order_id] = row.cid
            row.venue_id = trade.venue_order_id
            self._tell(fill, row)

    def _tell(self, fill: FillRow, row: OrderRow | None) -> None:
        if row is not None and row.state in (S.DEAD, S.REJECTED):
            self._adopt(row)
        told = self.fills.tell(fill, row)
        self.fence.serial += 1
        fill.serial = self.fence.serial
        self._dirty[fill.key] = fill
        self._out.reports.append(told)
        # By the trade's number, so that whoever else keeps fills keeps the same one; a trade with ourselves has two.
        key = f"{told.trade_id}:{told.venue_order_id}" if self.fills.has_twin(fill) else str(told.trade_id)
        self._record("Fill", key, _encode(told), told.correlation_id, told.time_ms)
        if row is None:
            return
        self._dirty[held_key(told.symbol, row.intent.margin)] = self.fills.held[told.symbol, row.intent.margin]
        row.updated_ms = max(row.updated_ms, told.time_ms)
        if row.filled > row.quantity:
            text = f"order {row.cid}: filled must be at most {row.quantity}, was {row.filled}"
            self._out.alarms.append(("overfilled", text))
        if row.filled >= row.quantity and not (row.request is not None and row.request.kind == "ou"):
            self._end(row, E.LAST_FILL, row.reason)
        else:
            self._move(row, E.PART_FILL, row.reason)
            self._settle(row)

    # --- cancels and updates ----------------------------------------------------------------------------------------

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
        if row.cancel_reason is None or row.state not in AT_VENUE or row.closing is not None or not self.fence.ready:
            return
        request = row.request
        if request is not None and request.kind == "oc" and request.session == self.fence.session:
            return
        if row.tries and row.check_at is not None and self._now < row.check_at:
            return
        request = self._request(row, "oc")
        self._emit(self._cancellation(row, request))
        self._move(row, E.ASK_CANCEL, row.cancel_reason)

    def _request(self, row: OrderRow, kind: str) -> OpenRequest:
        self.fence.serial += 1
        row.request = OpenRequest(kind=kind, serial=self.fence.serial, session=self.fence.session, asked_at=self._now)
        row.check_at = self._now + self.settings.doubt_after_s
        self._touch(row)
        return row.request

    def _cancellation(self, row: OrderRow, request: OpenRequest) -> Outgoing:
        command = CancelOrder(
            cid=row.cid,
            cid_date=row.cid_date,
            venue_id=row.venue_id,
            session=request.session,
            correlation_id=row.intent.correlation_id,
        )
        return Outgoing(("oc", row.cid, request.serial), command)

    def _answered(self, row: OrderRow, reason: str) -> None:
        """An open update has its answer: back to what the order is without it."""
        if row.state is S.PENDING_UPDATE:
            row.check_at = None
            self._move(row, E.ANSWERED, reason)
            if row.filled:
                self._move(row, E.PART_FILL, reason)
        self._pursue_cancel(row)

    def _backoff(self, row: OrderRow) -> float:
        row.tries += 1
        return min(RETRY_PAUSE_S * float(2 ** min(row.tries, 8)), 60.0)

    # --- timers -----------------------------------------------------------------------------------------------------

    def _check(self, row: OrderRow) -> None:
        """This row's deadline has come."""
        now, patience = self._now, self.settings.doubt_after_s
        if row.closing is not None:
            row.check_at = now + patience
            self._want_history()
        elif row.state is S.INTENT and row.session == 0:
            row.check_at = row.since_at + self.signal_max_age_s if row.opens_risk else now + patience
            self._send(row)
        elif row.state in (S.INTENT, S.SENT):
            self._doubt(row, f"no answer in {patience:g} s")
        elif row.state is S.UNKNOWN:
            self._check_doubt(row)
        elif row.state in (S.PENDING_CANCEL, S.PENDING_UPDATE) or row.cancel_reason is not None:
            # Whether a request went through shows in the order. A cancel may be asked for twice, an update not.
            if row.request is None or row.request.kind == "oc":
                row.request = None
                row.check_at = None
                self._pursue_cancel(row)
            row.check_at = now + max(patience, self._backoff(row))
            self._want_history()
        else:
            row.check_at = None
        self._touch(row)

    def _check_doubt(self, row: OrderRow) -> None:
        patience = 3 * self.settings.doubt_after_s
        row.check_at = self._now + patience
        if row.absent_at is not None:
            quarantine_ends = row.absent_at + self.settings.quarantine_s
            if self._now < quarantine_ends:
                row.check_at = quarantine_ends
                return
        elif row.evidence_session == self.fence.session and self.fence.reconnect_asked < self.fence.session:
            if self.fence.up:
                # As long as this socket lives it may still deliver the order. Only its end makes absence provable.
                self.fence.reconnect_asked = self.fence.session
                self._fence_changed = True
                self._out.reconnect = f"order {row.cid} has no answer in session {self.fence.session}"
        self._want_history()

    def _doubt(self, row: OrderRow, why: str) -> None:
        self.doubts_total += 1
        self._move(row, E.DOUBT, why)
        row.check_at = self._now + 3 * self.settings.doubt_after_s
        row.request = None
        self._want_history()

    # --- flatten ----------------------------------------------------------------------------------------------------

    def _advance_flattens(self) -> None:
        for flatten in self.flattens.values():
            if flatten.books:
                self._advance(flatten)

    def _advance(self, flatten: FlattenRow) -> None:
        patience = 2 * self.settings.doubt_after_s
        left = []
        for symbol, margin in flatten.books:
            open_rows = [
                row for row in self._open.values() if (row.intent.symbol, row.intent.margin) == (symbol, margin)
            ]
            held = self.fills.held.get((symbol, margin), ZERO)
            name = f"{symbol}:{'margin' if margin else 'exchange'}"
            tries = flatten.tries.get(name, 0)
            working = any(row.intent.intent_id.startswith(f"flatten:{flatten.flatten_id}:") for row in open_rows)
            resting = any(row.state in AT_VENUE for row in open_rows)
            if working or (resting and self._now < flatten.since_at + patience):
                # What rests holds its coins back: the close would be refused for want of balance.
                left.append((symbol, margin))
            elif floor_amount(abs(held)) == ZERO:
                if resting:
                    left.append((symbol, margin))
            elif tries >= FLATTEN_TRIES:
                text = f"{symbol} is not flat after {tries} tries: {held} held"
                self._out.alarms.append(("flatten_failed", text))
            else:
                left.append((symbol, margin))
                self._close_book(flatten, symbol, margin, held, name, tries + 1)
        books = tuple(left)
        pause_at = self._now + self.settings.doubt_after_s if books else None
        if books != flatten.books or flatten.pause_at is None or self._now >= flatten.pause_at:
            flatten.books, flatten.pause_at = books, pause_at
            self._dirty[flatten.key] = flatten

    def _close_book(
        self, flatten: FlattenRow, symbol: Symbol, margin: bool, held: Decimal, name: str, number: int
    ) -> None:
        if number > 1 and flatten.pause_at is not None and self._now < flatten.pause_at:
            return
        flatten.tries = {**flatten.tries, name: number}
        self._dirty[flatten.key] = flatten
        intent = flatten_intent(
            correlation_id=flatten.flatten_id, symbol=symbol, held=held, margin=margin, decided_ms=flatten.decided_ms
        )
        intent = msgspec.structs.replace(intent, intent_id=f"{intent.intent_id}:{number}")
        self._admit(Approved(intent=intent, settings_version=0))

    # --- keeping ----------------------------------------------------------------------------------------------------

    def _at(self, now: float, wall_ms: int) -> None:
        self._now, self._wall_ms = now, wall_ms

    def _move(self, row: OrderRow, event: OrderEvent, reason: str) -> None:
        before = row.state
        try:
            row.state = after(before, event)
        except IllegalTransition as error:
            # Our table and the venue disagree. Nothing is lost by keeping the state; somebody should look.
            self.illegal_total += 1
            self._out.alarms.append(("illegal_transition", f"order {row.cid}: {error}"))
            return
        if row.state is not before or event in (E.PART_FILL, E.LAST_FILL, E.NOT_SENT):
            row.reason = reason
            row.updated_ms = max(row.updated_ms, row.venue_updated_ms)
            self._changed(row)
        else:
            self._touch(row)

    def _end(self, row: OrderRow, event: OrderEvent, reason: str) -> None:
        self._move(row, event, reason)
        if row.open:
            return
        row.check_at = row.request = row.absent_at = row.closing = None
        self._open.pop(row.cid, None)
        self._touch(row)

    def _changed(self, row: OrderRow) -> None:
        self.fence.serial += 1
        row.serial = self.fence.serial
        update = OrderUpdate(order=view_of(row))
        self._out.reports.append(update)
        self._record(
            "OrderUpdate", f"{row.cid}:{row.serial}", _encode(update), row.intent.correlation_id, self._wall_ms
        )
        self._touch(row)

    def _touch(self, row: OrderRow) -> None:
        self._dirty[row.key] = row

    def _record(self, kind: str, key: str, payload: bytes, correlation_id: str, at_ms: int) -> None:
        record = Record(kind=kind, key=key, payload=payload, correlation_id=correlation_id, at_ms=at_ms)
        self._out.records.append(record)

    def _emit(self, outgoing: Outgoing) -> None:
        self._out.commands.append(outgoing)

    def _forget(self, since_ms: int) -> None:
        """Let go of what ended before anything that the venue will be asked about again."""
        if since_ms <= self.fence.floor_ms:
            return
        self.fence.floor_ms = since_ms
        for key in self.fills.forget_before(since_ms, FILLS_KEPT):
            self._dirty[key] = None
        spare = len(self.orders) - ORDERS_KEPT
        if spare <= 0:
            return
        for row in [row for row in self.orders.values() if not row.open and row.updated_ms < since_ms][:spare]:
            del self.orders[row.cid]
            self._by_intent.pop(row.intent.intent_id, None)
            for venue_id in (row.venue_id, *row.linked_ids):
                if venue_id is not None:
                    self._by_venue_id.pop(venue_id, None)
            self._dirty[row.key] = None


def _kind(kind: str) -> str:
    """The command's name on the wire, by whichever name the connection calls it."""
    return {"SubmitOrder": "on", "CancelOrder": "oc", "UpdateOrder": "ou"}.get(kind, kind)
