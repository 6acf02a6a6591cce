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

import math
from collections.abc import Iterable, Iterator
from typing import Final, assert_never

import msgspec

from genesis.domain.order_fills import read_held
from genesis.domain.order_ledger import NOTHING_FORESEEN
from genesis.domain.order_lots import REST
from genesis.domain.order_patience import OrderPatience
from genesis.domain.order_rows import (
    BracketRow,
    FillRow,
    FlattenRow,
    OrderRow,
    PlainRow,
    StrangerRow,
    ToldRow,
    WishesRow,
    view_of,
)
from genesis.domain.order_session import Fence
from genesis.domain.order_state import OrderEvent
from genesis.domain.position import Opening
from protocols.journal import CellWrite
from protocols.orders import (
    AccountEvent,
    Adopted,
    Approved,
    ApprovedChange,
    CancelIntent,
    CommandInDoubt,
    CommandNotSent,
    CommandSent,
    Flatten,
    HistoryFailed,
    HistoryReport,
    OrderReport,
    OrderSnapshot,
    OrderState,
    OrderView,
    PositionSnapshot,
    Protect,
    RequestNotice,
    SessionDown,
    SessionUp,
    UpdateIntent,
    VenueOrder,
    VenuePosition,
    VenueTrade,
    VenueWallet,
    WalletSnapshot,
)
from protocols.risk import EntryUnwanted
from protocols.units import ZERO

_decode_order = msgspec.json.Decoder(OrderRow).decode
_decode_fill = msgspec.json.Decoder(FillRow).decode
_decode_flatten = msgspec.json.Decoder(FlattenRow).decode
_decode_bracket = msgspec.json.Decoder(BracketRow).decode
_decode_adopted = msgspec.json.Decoder(Adopted).decode
_decode_plain = msgspec.json.Decoder(PlainRow).decode
_decode_stranger = msgspec.json.Decoder(StrangerRow).decode
_decode_wishes = msgspec.json.Decoder(WishesRow).decode
_decode_told = msgspec.json.Decoder(ToldRow).decode
_decode_opening = msgspec.json.Decoder(Opening).decode
_decode_fence = msgspec.json.Decoder(Fence).decode

SLICE: Final = 500
"""Rows that are taken in between two chances for others: a few milliseconds."""

E, S = OrderEvent, OrderState


class OrderMachine(OrderPatience):
    """All orders of one engine on one account. Handlers take the time as `now` (monotonic s) and `wall_ms` (UTC).

    `epoch` is the journal's: rows of an older one were written by a process that is gone.
    """

    def admit(self, approved: Approved, *, now: float, wall_ms: int) -> None:
        """Take an approved intent. The same intent said again is the same order."""
        self._now, self._wall_ms = now, wall_ms
        self._tells_late = self.lends
        self._admit(approved)
        self._tells_late = False
        self._foreseen = NOTHING_FORESEEN

    def disown(self, intent_id: str) -> frozenset[int]:
        """The journal knew this intent from a life that this machine has forgotten: its commands must not leave.

        Gives the client ids that they have.
        """
        rows = self._parts_of(intent_id)
        self._out.alarms.append(("intent_said_again", f"order {rows[0].cid}: {intent_id} was ordered before"))
        for row in rows:
            if row.open:
                self._end(row, E.WITHDRAWN, "ordered before")
        return frozenset(row.cid for row in rows)

    def on_cancel(self, wish: CancelIntent, *, now: float, wall_ms: int) -> tuple[OrderView, ...]:
        """Take back one order or (no intent id) all of ours that are open; gives them as they are now.

        Unknown ids and ended orders are left alone, and of all orders those that protect a position. All are meant that
        were open when the wish was heard first.
        """
        self._at(now, wall_ms)
        if wish.intent_id is None:
            # What protects a position stays for as long as the position does.
            rows = [row for row in self._open.values() if not row.protects]
            if not self._is_new_wish(wish.correlation_id):
                return tuple(view_of(row) for row in rows if row.cancel_reason is not None)
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

    def on_change(self, approved: ApprovedChange, *, now: float, wall_ms: int) -> None:
        """A change that risk has approved, once; that it will not be asked for is told, too."""
        self._at(now, wall_ms)
        cid = self._by_intent.get(approved.update.intent_id)
        if cid is None or approved.number <= self.orders[cid].change:
            return
        row = self.orders[cid]
        row.change = approved.number
        self._touch(row)
        serial = row.serial
        self._update(row, approved.update)
        if row.serial == serial:
            self._tell_settled(row)

    def on_unwanted(self, told: EntryUnwanted, *, now: float, wall_ms: int) -> None:
        """Risk's word that nobody wants what an order would open: one that waits to leave never does."""
        self._at(now, wall_ms)
        cid = self._by_intent.get(told.intent_id)
        if cid is not None:
            self._give_up_waiting(self.orders[cid], told.reason)

    def on_flatten(self, wish: Flatten, *, now: float, wall_ms: int) -> None:
        """Cancel what rests and close what our own trades left open. The wish is known by its correlation id."""
        self._at(now, wall_ms)
        self._begin_flatten(wish)

    def on_protect(self, wish: Protect, *, now: float, wall_ms: int) -> None:
        """Somebody found a position without the right stop: look at it now, without any pause."""
        self._at(now, wall_ms)
        self._protect_again(wish)

    def on_event(self, event: AccountEvent, *, now: float, wall_ms: int) -> None:
        """Hear the connection or the venue."""
        self._at(now, wall_ms)
        match event:
            # What is said most often comes first: one after the other is asked for.
            case VenueOrder():
                if self._hears(event.session):
                    self._on_venue_order(event)
            case VenueTrade():
                if self._hears(event.session):
                    self._on_trade(event)
            case CommandSent():
                self._on_sent(event)
            case RequestNotice():
                if self._hears(event.session):
                    self._on_notice(event)
            case SessionUp():
                self._on_session_up(event.session, narrow=event.narrow)
            case SessionDown():
                self._note_spare()
                if self.fence.leaves(event.session):
                    self._session_is_over()
            case CommandNotSent():
                self._on_not_sent(event)
            case CommandInDoubt():
                self._on_in_doubt(event)
            case OrderSnapshot():
                self._on_snapshot(event)
            case WalletSnapshot() | VenueWallet() | PositionSnapshot() | VenuePosition():
                if self._hears(event.session):
                    self._on_amounts(event)
            case HistoryReport():
                self._on_report(event)
            case HistoryFailed():
                self._on_failed(event)
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
        self._note_first_spare()
        if self.flattens:
            # Behind a pause a close and the venue's word are due together: what a stop sold by that is not sold again.
            self._book_words()
        self._advance_flattens()
        self._tell_folded()
        self._lose_patience()
        self._look_at_the_market()
        self._ask_history()

    def next_deadline(self) -> float | None:
        """When `on_timer` is needed next, or None."""
        deadlines = [row.check_at for row in self._open.values() if row.check_at is not None]
        deadlines += [fill.check_at for fill in self.fills.untold.values() if fill.check_at is not None]
        deadlines += [flatten.pause_at for flatten in self.flattens.values() if flatten.pause_at is not None]
        deadlines += [*self._bracket_deadlines(), *self._patience_deadlines(), self._strangers_deadline()]
        history = self.fence.history_deadline()
        if history is not None:
            deadlines.append(history)
        self._others_at = min(deadlines, default=math.inf)
        deadline = min(self._others_at, self._market_deadline())
        return None if deadline == math.inf else deadline

    def restore(self, cells: Iterable[CellWrite], *, now: float, wall_ms: int) -> None:
        """All of `restoring` at once."""
        for _ in self.restoring(cells, now=now, wall_ms=wall_ms):
            pass

    def restoring(self, cells: Iterable[CellWrite], *, now: float, wall_ms: int) -> Iterator[None]:
        """Take the state from the journal's cells. Afterwards `take()` holds what the last life may have left undone.

        In the same epoch only the actor crashed: commands are handed out again under their old keys, so that those
        which were put before are put no more, and reports that were perhaps not put are said again. In a new epoch the
        process is gone, and with it the channels: what may have left is in doubt, what was never handed out did not
        leave, and all that is remembered is reported again.

        Each step is short, so that whoever drives it can let others run between them.
        """
        self._at(now, wall_ms)
        epoch = self.fence.epoch
        for number, cell in enumerate(cells):
            if number % SLICE == 0:
                yield
            kind = cell.key.split(":", 1)[0]
            if kind == "order":
                row = _decode_order(cell.payload)
                self.orders[row.cid] = row
            elif kind == "fill":
                self.fills.restore(_decode_fill(cell.payload))
            elif kind == "held":
                book, amount = read_held(cell.key, cell.payload)
                self.fills.held[book] = amount
            elif kind == "opening":
                opening = _decode_opening(cell.payload)
                self.openings[opening.symbol] = opening
            elif kind == "flatten":
                flatten = _decode_flatten(cell.payload)
                self.flattens[flatten.flatten_id] = flatten
            elif kind == "bracket":
                self._restore_bracket(cell)
            elif kind == "plain":
                plain = _decode_plain(cell.payload)
                self.plain[plain.symbol] = plain
            elif kind == "adopted":
                self.adoptions[cell.key] = _decode_adopted(cell.payload)
            elif kind == "stranger":
                stranger = _decode_stranger(cell.payload)
                self.strangers[stranger.venue_id] = stranger
            elif kind == "told":
                told = _decode_told(cell.payload)
                # What is in the wallets now is heard, not remembered.
                told.session, told.amounts, told.others = 0, {}, None
                self.told_amounts = (self.told_amounts[0], told) if told.margin else (told, self.told_amounts[1])
            elif kind == "wishes":
                self.wishes = _decode_wishes(cell.payload)
            elif kind == "cid":
                self.last_cid = msgspec.json.decode(cell.payload, type=int)
            elif kind == "session":
                self.fence = _decode_fence(cell.payload)
        self.orders = dict(sorted(self.orders.items()))
        self.last_cid = max([self.last_cid, *self.orders])
        self.brackets = dict(sorted(self.brackets.items(), key=lambda item: (item[1].since, item[0])))
        for number, row in enumerate(self.orders.values()):
            if number % SLICE == 0:
                yield
            self._by_intent[row.intent.intent_id] = row.cid
            for venue_id in (() if row.venue_id is None else (row.venue_id,)) + row.linked_ids:
                self._by_venue_id[venue_id] = row.cid
            if row.open:
                self._open[row.cid] = row
        same_process = self.fence.epoch == epoch
        # In the order in which they were said; what follows now is news, and comes after.
        yield from self._say_again(self.fence.reported if same_process else 0)
        if same_process:
            self._continue_process()
        else:
            self._begin_process(epoch)

    def _restore_bracket(self, cell: CellWrite) -> None:
        bracket = _decode_bracket(cell.payload)
        if bracket.quantity is None and bracket.entry_id:
            # Written when a position had one bracket for all of it: what nobody else covers is its own.
            bracket.lot = REST
        if cell.key != bracket.key:
            self._dirty[cell.key] = None
            self._dirty[bracket.key] = bracket
        self.brackets[bracket.key] = bracket

    def _continue_process(self) -> None:
        for row in self._open.values():
            self._out.commands += self._handed_out(row)
        self.fence.asks_anew()
        self._out.reconnect, self._out.reconnect_session = self.fence.wish_said_again(), self.fence.session
        self._began_in = self.fence.session
        # Also where all was compared: foreign orders are not kept, and the next report shows them again.
        if self.fence.up and self.fence.shown:
            self._want_history()
        self._fence_changed = True

    def _begin_process(self, epoch: int) -> None:
        old = self.fence
        self.fence = Fence(
            epoch=epoch,
            commits=old.commits,
            heard=old.heard,
            code=old.code,
            request_id=old.request_id,
            venue_ms=old.venue_ms,
            floor_ms=old.floor_ms,
            trades_floor_ms=old.trades_floor_ms,
            trades_ms=old.trades_ms,
            watched_ms=old.watched_ms,
            serial=old.serial,
        )
        for fill in self.fills.untold.values():
            fill.since_at, fill.check_at = self._now, self._now + self.settings.doubt_after_s
        for flatten in self.flattens.values():
            flatten.since_at = self._now
            flatten.pause_at = self._now if flatten.books else None
        self._held_at = {"": self._now}
        for told in self.told_amounts:
            told.changed_at = self._now
        for bracket in self.brackets.values():
            bracket.pause_at = bracket.lag_at = bracket.look_at = None
            bracket.guess = ZERO
        for row in list(self._open.values()):
            # Session 0 is on the disk before a note "not sent" counts: whatever was tried earlier, nothing left.
            was_handed_out = row.session > 0 or row.sent
            row.since_at, row.check_at, row.absent_at, row.lacked_at = self._now, None, None, None
            # Session numbers begin anew with the process: nothing of an older one is newer than any of this one.
            row.session = row.seen_session = 0
            row.rests_at = None
            row.unshown_at = self._now if row.unshown else None
            row.request = None
            if row.held_back and not was_handed_out:
                # An exit that waited for its coins: nothing of it left, and the position is still to be closed.
                row.check_at = self._now + self.settings.doubt_after_s
                self._touch(row)
            elif row.state is S.INTENT and not was_handed_out:
                self._end(row, E.WITHDRAWN, "not sent before the engine restarted")
            elif row.state in (S.INTENT, S.SENT):
                self._doubt(row, "the engine restarted")
            else:
                row.check_at = None if row.closing is None else self._now + self.settings.doubt_after_s
                self._touch(row)
        self._fence_changed = True

    def _say_again(self, after_serial: int) -> Iterator[None]:
        said: list[tuple[int, OrderReport]] = [
            (adopted.serial, adopted) for adopted in self.adoptions.values() if adopted.serial > after_serial
        ]
        for number, row in enumerate(self.orders.values()):
            if number % SLICE == 0:
                yield
            if row.serial > after_serial:
                said.append((row.serial, self._told(row)))
        for number, fill in enumerate(self.fills.rows.values()):
            if number % SLICE == 0:
                yield
            if fill.fill is not None and fill.serial > after_serial:
                said.append((fill.serial, fill.fill))
        said.sort(key=lambda pair: pair[0])
        self._out.said += [report for _, report in said]
