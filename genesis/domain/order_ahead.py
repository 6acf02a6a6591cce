"""An order machine that has worked out what will most likely be approved before it is.

Between an approval and its frame nearly all that an order is asked hangs on nothing that comes with the approval but
what risk foresees: its row, its texts, the stops whose places it takes, the command. So the admission is rehearsed by a
twin, of copies of all that it changes, and taken when that very order is approved and nothing was heard or done in
between; what hangs on the moment is set then. Nothing of a rehearsal is kept or handed out, and whoever replays the
journal admits each order when it comes, and finds the same.
"""

import copy
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
from typing_extensions import override

from genesis.domain.decision_log import ORDER_KIND
from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_outputs import Outputs
from genesis.domain.order_requests import APPROVED_KIND, NS
from genesis.domain.order_rows import OrderRow
from genesis.domain.pairs import PairSpecs
from protocols.journal import LateRecord
from protocols.orders import Approved, SubmitOrder, commands_of
from protocols.settings import OrderSettings
from protocols.units import Side

_replace = msgspec.structs.replace
_stamp = msgspec.structs.force_setattr
_UPDATES: Final = "OrderUpdate"
_COPIED: Final = frozenset({"_open", "fence", "_held_from", "_late"})
"""Fields of a twin that are copies, and may be other ones behind an admission."""
_OTHERWISE: Final = frozenset({"orders", "_by_intent", "_dirty", "_out", "_now", "_wall_ms", "_was_foreseen", "_asks"})
"""Fields that are set when the order comes, or are again what they were."""


class _Ahead(msgspec.Struct):
    """The admission of an order that nobody has approved yet (`received_ns` is 0), where nothing refuses it.

    `row` is its own and `legs` are the stops whose places it takes, as they are behind it; `command` is its own in the
    frame that `out` has for it. Nobody else has seen any of them, nor `approved`, which is in them: so they are given
    the stamps of the moment where they lie, frozen or not. An answer is waited for `answer_within_s`, and asked for
    `asked_after_s` from when it leaves. `changes` are the machine's fields behind it, `rows` all that is open. One that
    `opens` something may be too old, and one that `asks` the market may meet our own. It holds by these settings and
    pairs. `before` is what stood where its changes go: what that is made of, no longer near the core, is given back
    behind the frame.
    """

    approved: Approved
    row: OrderRow
    legs: tuple[OrderRow, ...]
    command: SubmitOrder
    answer_within_s: float
    asked_after_s: float
    opens: bool
    asks: bool
    out: Outputs
    updates: tuple[LateRecord, ...]
    fields: dict[str, Any]
    changes: dict[str, Any]
    rows: dict[int, OrderRow]
    settings: OrderSettings
    pairs: PairSpecs
    signal_max_age_s: float
    before: tuple[Any, ...]


class OrderAhead(OrderMachine):
    """Does what an `OrderMachine` does that is told the same and foresees nothing; only sooner."""

    _ahead: _Ahead | None = None
    _taken: _Ahead | None = None
    """What was taken last, until its frame has left."""
    _entering: _Ahead | None = None
    """What was taken, as long as this machine is not the one behind it yet."""
    _is_twin = False
    _was_foreseen = False
    """Of a twin: the order was an exit that `foresee` had looked at."""
    _asks = False
    """Of a twin: how far the order may come into the book was asked, which is of the moment."""

    def rehearse(self, approved: Approved, *, now: float, wall_ms: int) -> Outputs | None:
        """Work out now, while nobody waits, what this order would do. Nothing is changed by it.

        Gives what will come of it should it be taken; but for stamps and the wallet's cells no more will be changed.
        """
        ahead = self._ahead
        if ahead is None or ahead.approved != approved:
            unheard = _replace(approved, intent=_replace(approved.intent, received_ns=0))
            ahead = self._ahead = self._rehearsed(unheard, now, wall_ms)
        return None if ahead is None else ahead.out

    def take_rehearsed(self, approved: Approved, *, now: float, wall_ms: int) -> Outputs | None:
        """`admit` and `take_ready` in one, where this very order was rehearsed and nothing has happened since; None,
        and nothing changes, where not. Then the market may have been asked all the same.

        What is kept and handed out is whole. `enter` comes next, when nobody waits for that any more.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is None or not self._is_still(ahead, approved):
            return None
        row, out, command = ahead.row, ahead.out, ahead.command
        self._now, self._wall_ms = now, wall_ms
        row.since_at = now
        if ahead.opens:
            too_old_at = self._too_old_at(row)
            if now >= too_old_at or (ahead.asks and self._is_refused(row)):
                return None
            _stamp(command, "leave_by_ns", int(too_old_at * NS))
        _stamp(command, "received_ns", row.intent.received_ns)
        if now >= self._spare_at:
            # Whether a wallet is quiet by now is of the moment; nothing of an admission hangs on it.
            self._note_spare()
            out.cells = {key: self._cell(key, kept) for key, kept in self._dirty.items()} | out.cells
            self._dirty.clear()
        self._taken = self._entering = ahead
        row.due_at = due_at = now + ahead.answer_within_s
        row.check_at = due_at - ahead.answer_within_s + ahead.asked_after_s
        for leg in ahead.legs:
            assert leg.request is not None, f"stop {leg.cid} must be asked to go"
            self._asks_now(leg, leg.request)
        for record in ahead.updates:
            record.at_ms = wall_ms
        return out

    def enter(self) -> None:
        """Be the machine behind the order that was taken. Until then it must not be asked or told anything."""
        ahead, self._entering = self._entering, None
        if ahead is not None:
            ahead.fields.update(ahead.changes)
            self.orders.update(ahead.rows)
            self._by_intent[ahead.row.intent.intent_id] = ahead.row.cid

    def _is_still(self, ahead: _Ahead, approved: Approved) -> bool:
        if self.settings is not ahead.settings or self.pairs is not ahead.pairs or self.halted is not None:
            return False
        if self.signal_max_age_s != ahead.signal_max_age_s:
            return False
        _stamp(ahead.approved.intent, "received_ns", approved.intent.received_ns)
        return approved == ahead.approved

    def _is_refused(self, row: OrderRow) -> bool:
        """Whether it would trade with our own now."""
        self._open[row.cid] = row
        try:
            return self._refusal(row) is not None
        finally:
            del self._open[row.cid]

    # --- whatever else is heard or done makes it void ---------------------------------------------------------------

    @override
    def admit(self, approved: Approved, *, now: float, wall_ms: int) -> None:
        self._ahead = None
        super().admit(approved, now=now, wall_ms=wall_ms)

    @override
    def _at(self, now: float, wall_ms: int) -> None:
        assert self._entering is None, "what was taken must be entered before anything else is heard"
        self._ahead = None
        super()._at(now, wall_ms)

    @override
    def take(self) -> Outputs:
        assert self._entering is None, "what was taken must be entered before anything else is"
        self._ahead = self._taken = None
        return super().take()

    @override
    def told(self) -> None:
        self._ahead = None
        super().told()

    @override
    def disown(self, intent_id: str) -> frozenset[int]:
        self._ahead = None
        return super().disown(intent_id)

    @override
    def foresee(self) -> None:
        self._ahead = None
        super().foresee()

    @override
    def _foreseen_places(self, row: OrderRow) -> Sequence[OrderRow] | None:
        places = super()._foreseen_places(row)
        self._was_foreseen = places is not None
        return places

    @override
    def _worst(self, row: OrderRow) -> Decimal | None:
        if self._is_twin:
            # Then it meets nobody; when it comes it is asked again.
            self._asks = True
            return None
        return super()._worst(row)

    # --- the rehearsal ----------------------------------------------------------------------------------------------

    def _rehearsed(self, approved: Approved, now: float, wall_ms: int) -> _Ahead | None:
        """None where the order would do anything but leave at once, or where that hangs on the moment."""
        intent = approved.intent
        if not (self.lends and self.keeps and self.halted is None and self.fence.ready):
            return None
        if intent.intent_id in self._by_intent:
            return None
        if self._late or self._dirty or self._fence_changed or self._out != Outputs():
            return None
        twin = self._twin()
        given = dict(twin.__dict__)
        twin.admit(approved, now=now, wall_ms=wall_ms)
        out = twin.take_ready()
        cid = self.last_cid + 1
        row = twin._open.get(cid)
        if out is None or row is None or row.session != self.fence.session or twin.last_cid != cid:
            return None
        if not (twin._was_foreseen or (row.opens_risk and intent.side is Side.BUY)):
            # What others do has to be asked for when it comes.
            return None
        kinds = [record.kind for record in out.records]
        if kinds[:2] != [APPROVED_KIND, ORDER_KIND] or set(kinds[2:]) != {_UPDATES}:
            return None
        if len(out.commands) != 1 or out.questions or out.changes or out.alarms or out.warnings or out.reconnect:
            return None
        *_, command = commands_of(out.commands[0].command)
        made_of, made = twin._made
        assert made is not None, f"the command of {intent.intent_id} must be made"
        assert made_of is intent, f"the command must be of {intent.intent_id}"
        assert made.received_ns == 0, "what is recorded of a command must not know when anything was heard"
        assert isinstance(command, SubmitOrder), f"the last command must be the order's, was {type(command).__name__}"
        assert command is not made, "what leaves must be another than what is recorded"
        assert row.intent is intent, f"the row must be of {intent.intent_id}"
        changes = {
            name: value
            for name, value in twin.__dict__.items()
            if (name in _COPIED or value is not given.get(name)) and name not in _OTHERWISE
        }
        return _Ahead(
            approved=approved,
            row=row,
            legs=tuple([twin.orders[leg] for leg in row.swaps]),
            command=command,
            answer_within_s=twin._answer_within(row),
            asked_after_s=twin._asked_after(row),
            opens=row.opens_risk,
            asks=twin._asks,
            out=out,
            updates=tuple([record for record in out.records[2:] if isinstance(record, LateRecord)]),
            fields=self.__dict__,
            changes=changes,
            rows=twin.orders,
            settings=self.settings,
            pairs=self.pairs,
            signal_max_age_s=self.signal_max_age_s,
            before=tuple([self.__dict__.get(name) for name in changes]),
        )

    def _twin(self) -> "OrderAhead":
        """A machine of the same state that can admit an order, of copies of all that this may change."""
        twin = copy.copy(self)
        rows = {cid: copy.copy(row) for cid, row in self._open.items()}
        twin._ahead, twin._taken, twin._is_twin, twin._was_foreseen, twin._asks = None, None, True, False, False
        twin._open, twin.orders, twin._by_intent = rows, dict(rows), {}
        twin.fence = copy.copy(self.fence)
        # What is spare of a wallet is looked for when the order comes.
        twin._spare_at = math.inf
        twin._held_from = set(self._held_from)
        twin._dirty, twin._late, twin._out = {}, {}, Outputs()
        twin._foreseen = {
            name: (quantity, tuple([rows[place.cid] for place in places]))
            for name, (quantity, places) in self._foreseen.items()
        }
        return twin
