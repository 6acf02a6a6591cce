"""The rules that are watched while a world runs: each a small method named for its place in the catalogue.

What the engine made durable is compared with what leaves it and with what the venue heard. Nothing here asks the
engine's own opinion where the journal or the venue can tell.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from genesis.core.events import EventKind, SupervisorEvent
from genesis.domain.order_rows import TABLE, FlattenRow, OrderRow
from genesis.domain.order_session import Fence
from genesis.domain.order_state import ORDER_TRANSITIONS
from genesis.edge.store import Store
from genesis.worlds.closes import WantedCloses
from genesis.worlds.engine_host import EngineHost
from genesis.worlds.hooks import EPOCH_S
from genesis.worlds.witness import Witness
from protocols.journal import AnyRecord, Commit, Committed, ReadCells, ReadRecords
from protocols.orders import MANUAL, Adopted, Fill, OrderState, OrderType, OrderUpdate, Purpose
from protocols.risk import TradingState
from protocols.units import ZERO

if TYPE_CHECKING:
    from genesis.worlds.rules_ills import Ills
    from genesis.worlds.rules_inside import InsideRules

AGE_GRACE_S: Final = 10.0
"""An entry may wait in the socket's send for at most its time-out, and for a slow disk before that."""

_FOLDER: Final = re.compile(r"/\S*genesis-world-[^/]*")
"""Where a world's disk is differs from process to process, and is no part of its history."""
WATCHED: Final = ("OrderUpdate", "Fill", "Adopted", "SettingsVersion", "SetTradingState")
"""The kinds of records that the rules read."""
_row = msgspec.json.Decoder(OrderRow)
_fence = msgspec.json.Decoder(Fence)
_flatten = msgspec.json.Decoder(FlattenRow)
_update = msgspec.json.Decoder(OrderUpdate)
_fill = msgspec.json.Decoder(Fill)
_adopted = msgspec.json.Decoder(Adopted)
_REACHABLE: Final = {state: {*events.values(), state} for state, events in ORDER_TRANSITIONS.items()}


class Rules:
    """One per world: it remembers over all lives of the engine what each of them promised."""

    def __init__(
        self, witness: Witness, newest: Callable[[], EngineHost | None], inside: "InsideRules", ills: "Ills"
    ) -> None:
        self.witness = witness
        self.ills = ills
        self.inside = inside
        self.newest = newest
        self.closes = WantedCloses()
        self.compared: Callable[[bool], None] = lambda now_so: None
        """Told whether the newest engine's session is compared with the venue's books."""
        self.rows: dict[int, OrderRow] = {}
        self.fences: dict[EngineHost, Fence] = {}
        self.states: dict[int, tuple[OrderState, Any, Any]] = {}
        self.fills: dict[tuple[int, int], Fill] = {}
        self.left: dict[int, str] = {}
        self.heard: dict[int, int] = {}
        self.last_nonce = 0
        self.durable_seq = 0
        self.halted_since: dict[EngineHost, float] = {}
        self.crashes: list[float] = []
        self.crashes_of: Counter[EngineHost] = Counter()
        self.failed_alone: set[EngineHost] = set()
        """Whose writes failed while nobody else had opened the journal."""

    # --- what became durable --------------------------------------------------------------------------------------

    def opened(self, host: EngineHost, store: Store) -> None:
        """A commit whose sync failed was told to nobody and may be durable all the same: its finder goes on from it."""
        if host.opened_seq <= self.durable_seq:
            return
        found = store.read_records(ReadRecords(kinds=WATCHED, after_seq=self.durable_seq)).records
        self.durable_seq = host.opened_seq
        for stored in found:
            self._recorded(stored.record)
        for cell in store.read_cells(ReadCells(table=TABLE)).cells:
            if cell.key.startswith("order:"):
                row = _row.decode(cell.payload)
                self.rows[row.cid] = row
        self.witness.reached("a commit was durable and nobody had been told", len(found))

    def committed(self, host: EngineHost, commit: Commit, answer: Committed) -> None:
        self.m11_only_the_newest_writes(host)
        if answer.first_seq:
            self.durable_seq = max(self.durable_seq, answer.first_seq + sum(answer.new) - 1)
        for cell in commit.cells:
            if cell.table == TABLE and cell.payload:
                if cell.key.startswith("order:"):
                    row = _row.decode(cell.payload)
                    self.rows[row.cid] = row
                    self.closes.order(row)
                elif cell.key.startswith("flatten:"):
                    self.closes.flatten(_flatten.decode(cell.payload))
                elif cell.key == "session":
                    fence = self.fences[host] = _fence.decode(cell.payload)
                    if host is self.newest():
                        self.compared(fence.ready)
        for record, new in zip(commit.records, answer.new, strict=True):
            if not new:
                self.witness.reached("a record was said again and not written twice")
                continue
            self._recorded(record)

    def _recorded(self, record: AnyRecord) -> None:
        self.inside.committed(record.kind, record.key, record.payload)
        if record.kind == "OrderUpdate":
            self.m8_only_legal_transitions(_update.decode(record.payload))
        elif record.kind == "Fill":
            self.m6_each_trade_is_booked_once(record.key or "", _fill.decode(record.payload))
        elif record.kind == "Adopted":
            adopted = _adopted.decode(record.payload)
            self.witness.note("adopted", f"{adopted.quantity} of {adopted.symbol}: {adopted.owner} to {adopted.heir}")
            self.witness.reached("a person adopted what a strategy held", adopted.heir == MANUAL)
            self.witness.reached("a person gave back what was adopted", adopted.owner == MANUAL)
            self.witness.reached("a strategy adopted what another held", MANUAL not in (adopted.owner, adopted.heir))

    def m8_only_legal_transitions(self, update: OrderUpdate) -> None:
        order = update.order
        before = self.states.get(order.cid)
        self.states[order.cid] = (order.state, order.filled_quantity, order.quantity)
        self.witness.note("order", f"{order.cid} {order.state.value} {order.filled_quantity} of {order.quantity}")
        self.witness.reached(f"order state {order.state.value}")
        if before is not None:
            legal = order.state in _REACHABLE[before[0]]
            self.witness.check("M8", legal, f"order {order.cid} went from {before[0].value} to {order.state.value}")
            fell = order.filled_quantity < before[1]
            self.witness.check("M8", not fell, f"order {order.cid}: filled fell from {before[1]}")
            if before[0] is OrderState.UNKNOWN and order.state is not OrderState.UNKNOWN:
                self.witness.reached("a doubt was resolved")
                self.witness.reached("a doubt ended in the proof of absence", order.state is OrderState.DEAD)
            # No byte of a world is later than the quarantine is long, so a proof that is complete is also true.
            # Nor is doubt a refusal: whom the venue refused it does not carry out.
            false = before[0] in (OrderState.DEAD, OrderState.REJECTED)
            self.witness.check("M4", not false, f"order {order.cid} was {before[0].value} and came back")
        over = order.filled_quantity > order.quantity
        self.witness.check("M8", not over, f"order {order.cid}: filled {order.filled_quantity} of {order.quantity}")

    def m6_each_trade_is_booked_once(self, key: str, fill: Fill) -> None:
        # With the order's id: a trade between two orders of one account has one number and two sides.
        side = (fill.trade_id, fill.venue_order_id)
        self.witness.check("M6", side not in self.fills, f"trade {key} was booked twice")
        itself = any(fill.trade_id == one for one, _ in self.fills)
        self.witness.check("M15", not itself, f"trade {fill.trade_id} is between two of our own orders")
        self.fills[side] = fill
        self.witness.note("fill", f"{fill.trade_id} {fill.side.value} {fill.quantity} at {fill.price} fee {fill.fee}")

    def m11_only_the_newest_writes(self, host: EngineHost) -> None:
        newest = self.newest()
        if newest is not None and newest.life > host.life and newest.epoch > host.epoch > 0:
            self.witness.check("M11", False, f"{host} wrote after {newest} had opened the journal")
        else:
            self.witness.kept("M11")

    def m11_the_ousted_are_refused_by_their_epoch(self, host: EngineHost, text: str) -> None:
        """Who is no longer the newest must find the newer epoch before it writes, not stumble over the newer's rows."""
        if "a write failed" not in text:
            return
        newest = self.newest()
        if newest is None or not newest.life > host.life or not newest.epoch > host.epoch > 0:
            self.failed_alone.add(host)
        else:
            # The first write that a damaged disk refuses may be one of a later time.
            alone = host in self.failed_alone or (host.store is not None and host.store.is_damaged)
            told = _FOLDER.sub("", text)[:100]
            self.witness.check("M11", alone, f"{host} tried to write after {newest} had opened the journal: {told}")

    # --- what leaves ----------------------------------------------------------------------------------------------

    def leaves(self, host: EngineHost, frame: bytes) -> list[int]:
        """Look at a frame that is about to leave; gives the ids of the new orders in it."""
        if not frame.startswith(b'[0,"o'):
            return []
        message = msgspec.json.decode(frame)
        kind, body = message[1], message[3]
        parts = body if kind == "ox_multi" else [(kind, body)]
        if kind == "ox_multi":
            self.witness.reached(f"a frame {kind} left")
        for each, fields in parts:
            self._one_leaves(host, each, fields)
        return [fields["cid"] for each, fields in parts if each == "on"]

    def _one_leaves(self, host: EngineHost, kind: str, body: dict[str, Any]) -> None:
        self.witness.note("frame", f"{host} sends {kind} {body.get('cid') or body.get('id')}")
        row = self.rows.get(body.get("cid", 0))
        protects = kind == "on" and row is not None and row.protects
        twin = kind == "oc" and self._has_twin(host, self.rows.get(self._cid_of(body.get("id", 0))))
        self.m10_no_order_before_the_session_is_compared(host, kind, protects=protects, twin=twin)
        if kind == "on":
            cid = body["cid"]
            self.m1_the_intent_is_durable_first(cid)
            self.m4_no_intent_leaves_twice(host, cid)
            self.m9_nothing_opens_while_halted(host, cid, kind)
            self.m14_nothing_old_leaves(host, cid)
        elif kind == "ou":
            self.m9_nothing_opens_while_halted(host, self._cid_of(body["id"]), kind)
        self.witness.reached(f"a frame {kind} left")

    def leaves_by_rest(self, host: EngineHost, kind: str, body: bytes) -> None:
        """Look at an order, or a cancel, that is about to leave over REST."""
        fields = msgspec.json.decode(body)
        cid = fields["cid"] if kind == "on" else self._cid_of(fields["id"]) if "id" in fields else fields["cid"]
        self.witness.note("frame", f"{host} sends {kind} {cid} over REST")
        row, fence = self.rows.get(cid), self.fences.get(host)
        protects = row is not None and row.protects
        stands = fence is not None and fence.narrow and fence.up and fence.reconciled
        self.m10_no_order_before_the_session_is_compared(host, kind, protects=protects, twin=False)
        if kind == "oc":
            self.m18_no_stop_goes_for_nobody(cid, row, stands=stands)
            return
        self.m1_the_intent_is_durable_first(cid)
        closes = row is not None and not row.opens_risk and row.intent.order_type is OrderType.MARKET
        text = f"order {cid} leaves over REST: only a stop or a close may, in a session over REST that is compared"
        self.witness.check("M18", (protects or closes) and stands, text)
        self.witness.check("M4", cid not in self.left, f"order {cid} leaves over REST and left by {self.left.get(cid)}")
        self.witness.reached("a stop left over REST" if protects else "a close left over REST")

    def m18_no_stop_goes_for_nobody(self, cid: int, row: OrderRow | None, *, stands: bool) -> None:
        """A stop goes over REST only where somebody sells what it covers: it lies bare between the two requests."""
        known = row is not None and (not row.protects or self.closes.wanted(row.intent.symbol, row.intent.margin))
        text = f"the cancel of order {cid} leaves over REST: only for a sale may a stop go, in a compared session"
        self.witness.check("M18", known and stands, text)
        self.witness.reached("a cancel left over REST")

    def left_by_rest(self, host: EngineHost, body: bytes) -> None:
        """Something of it may have left: it must not again."""
        self.left[msgspec.json.decode(body)["cid"]] = f"{host} over REST"

    def m1_the_intent_is_durable_first(self, cid: int) -> None:
        self.witness.check("M1", cid in self.rows, f"order {cid} leaves and has no durable intent")

    def m4_no_intent_leaves_twice(self, host: EngineHost, cid: int) -> None:
        before = self.left.get(cid)
        self.witness.check("M4", before is None, f"order {cid} leaves by {host} and left by {before} before")
        self.left[cid] = str(host)

    def m9_nothing_opens_while_halted(self, host: EngineHost, cid: int, kind: str) -> None:
        engine = host.engine
        assert engine is not None
        status = engine.cells.risk.value
        halted = status is not None and status.state is TradingState.HALTED
        row = self.rows.get(cid)
        opens = row is not None and row.intent.purpose in (Purpose.ENTRY, Purpose.MANUAL)
        # What was decided before the halt may be between its commit and its socket in this very moment.
        since = self.halted_since.setdefault(host, trio.current_time()) if halted else None
        if not halted:
            self.halted_since.pop(host, None)
        late = since is not None and opens and trio.current_time() - since > 1.0
        # The journal's last word, whatever the engine of now believes: a halt holds over restarts.
        latch, at_s = self.inside.latch
        late = late or (latch == TradingState.HALTED.value and opens and trio.current_time() - at_s > 1.0)
        self.witness.check("M9", not late, f"{kind} of order {cid} left {host} while trading was halted")

    def is_persons(self, cid: int) -> bool:
        row = self.rows.get(cid)
        return row is not None and row.intent.purpose is Purpose.MANUAL

    def owner_of(self, cid: int) -> tuple[str, str] | None:
        """Whose lot a protective order of ours stands for, by the journal; None of any other order."""
        row = self.rows.get(cid)
        return None if row is None or not row.protects else (row.intent.strategy, row.lot)

    def _cid_of(self, venue_id: int) -> int:
        return next((cid for cid, row in self.rows.items() if row.venue_id == venue_id), 0)

    def note_state(self, host: EngineHost) -> None:
        """Called when a halt has been asked for and answered."""
        self.halted_since[host] = trio.current_time()

    def _has_twin(self, host: EngineHost, row: OrderRow | None) -> bool:
        """Whether this session has shown another protective order of the same strategy that is the same."""
        fence = self.fences.get(host)
        if row is None or fence is None or not row.protects:
            return False

        def what(leg: OrderRow) -> tuple[object, ...]:
            intent = leg.intent
            return intent.symbol, intent.strategy, intent.side, intent.order_type, leg.leaves, leg.price

        return any(
            other.cid != row.cid
            and other.state is OrderState.ACKED
            and other.seen_session == row.seen_session == fence.session
            and what(other) == what(row)
            for other in self.rows.values()
        )

    def m10_no_order_before_the_session_is_compared(
        self, host: EngineHost, kind: str, *, protects: bool, twin: bool
    ) -> None:
        """What protects may leave on a session's own snapshots, when history has been silent for a while; and the
        cancel of one of two that are the same."""
        fence, engine = self.fences.get(host), host.engine
        assert engine is not None
        ready = fence is not None and fence.reconciled and fence.up and fence.session == engine.ledger.open_session
        if fence is not None and protects and not ready:
            ready = fence.up and fence.shown and fence.session == engine.ledger.open_session
            self.witness.reached("a stop left while history was silent", ready)
        elif fence is not None and twin and not ready:
            ready = fence.up and fence.shown and fence.session == engine.ledger.open_session
            self.witness.reached("one of two equal stops was taken out while history was silent", ready)
        text = f"{kind} leaves {host} on session {engine.ledger.open_session}, compared is {fence and fence.session}"
        self.witness.check("M10", ready, text)

    def m14_nothing_old_leaves(self, host: EngineHost, cid: int) -> None:
        row = self.rows.get(cid)
        if row is None or row.intent.purpose is not Purpose.ENTRY:
            return
        age_s = EPOCH_S + trio.current_time() - row.intent.decided_ms / 1000
        limit_s = 30.0 + AGE_GRACE_S
        self.witness.check("M14", age_s <= limit_s, f"entry {cid} left {age_s:.1f} s after its candle closed")

    def nonce(self, host: EngineHost, nonce: int) -> None:
        """M12: nonces rise strictly, over restarts and clock steps."""
        if not host.process.alive:
            # Taken in the step in which it was killed: nobody will ever see it.
            return
        self.witness.check("M12", nonce > self.last_nonce, f"nonce {nonce} follows {self.last_nonce}")
        self.last_nonce = max(self.last_nonce, nonce)

    # --- what arrives at the venue --------------------------------------------------------------------------------

    def m2_one_order_for_an_intent(self, cid: int) -> None:
        self.heard[cid] = self.heard.get(cid, 0) + 1
        self.witness.check("M2", self.heard[cid] == 1, f"the venue heard order {cid} {self.heard[cid]} times")

    def m5_within_limits(self, host: EngineHost, symbol: str, notional: Any, position: Any) -> None:
        """By the venue's side: the order and what it leads to. Prices move between decision and arrival."""
        limits = host.settings.risk
        one = notional <= limits.max_order_notional * 102 / 100
        self.witness.check("M5", one, f"an order of {notional} {symbol} exceeds {limits.max_order_notional}")
        whole = position <= limits.max_position_notional * 105 / 100
        self.witness.check("M5", whole, f"a position of {position} {symbol} exceeds {limits.max_position_notional}")

    # --- supervision ----------------------------------------------------------------------------------------------

    def event(self, host: EngineHost, event: SupervisorEvent) -> None:
        if not host.process.alive:
            return
        self.inside.event(host, event)
        self.ills.event(host, event)
        if event.kind in (EventKind.CRASHED, EventKind.ZOMBIE, EventKind.ESCALATED, EventKind.DEAD_LETTER):
            self.witness.note(
                "actor", f"{host} {event.kind} {event.path} {event.generation} {_FOLDER.sub('', event.text)[:100]}"
            )
        if event.kind is EventKind.CRASHED:
            self.m11_the_ousted_are_refused_by_their_epoch(host, event.text)
            # Who has lost his journal to a newer engine tries in vain until his budget is spent: that is no storm.
            if "a newer session writes" not in event.text:
                self.crashes.append(trio.current_time())
            self.crashes_of[host] += 1
            self.witness.reached("an actor crashed and was restarted")
            self.witness.reached("the progress watchdog found a stuck actor", "progress" in event.text)
        elif event.kind is EventKind.ESCALATED:
            self.witness.reached("a supervisor escalated")


def executed(row: OrderRow) -> bool:
    return row.filled != ZERO
