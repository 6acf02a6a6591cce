"""A small world around the order machine: a venue that keeps the truth, a line that breaks, a process that dies.

Everything happens by choice numbers from a tape, so a failing history is a list of integers. The venue's side is what
the laws are checked against; the machine's own books prove nothing about themselves.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_outputs import Outgoing, Outputs
from protocols.journal import CellWrite, LateCell
from protocols.orders import (
    TERMINAL_STATES,
    Approved,
    CancelIntent,
    CancelOrder,
    CommandInDoubt,
    CommandNotSent,
    CommandSent,
    Fill,
    HistoryFailed,
    HistoryReport,
    HistoryRequest,
    OrderIntent,
    OrderSnapshot,
    OrderState,
    OrderType,
    OrderUpdate,
    OrderView,
    Purpose,
    RequestNotice,
    SessionDown,
    SessionUp,
    SubmitOrder,
    UpdateIntent,
    UpdateOrder,
    VenueCommand,
    VenueOrder,
    VenueTrade,
)
from protocols.risk import EntryUnwanted
from protocols.settings import OrderSettings
from protocols.units import ZERO, Side, Symbol

SYMBOL = Symbol("tBTCUSD")
START_MS = 1_517_788_800_000
SETTINGS = OrderSettings()
LATE_LIMIT_S = 100.0
"""The longest that bytes of a dead socket take to arrive: below the quarantine, or absence could not be proven."""


def an_intent(number: int, *, purpose: Purpose = Purpose.ENTRY, **changes: Any) -> OrderIntent:
    fields: dict[str, Any] = {
        "intent_id": f"s:{SYMBOL}:5m:{number}:{purpose.value}",
        "strategy": "s",
        "symbol": SYMBOL,
        "side": Side.BUY,
        "quantity": Decimal("1"),
        "order_type": OrderType.LIMIT,
        "purpose": purpose,
        "decided_ms": START_MS + number,
        "correlation_id": f"c{number}",
        "price": Decimal("7000"),
    }
    return OrderIntent(**{**fields, **changes})


def approved(intent: OrderIntent) -> Approved:
    return Approved(intent=intent, settings_version=1)


@attrs.define
class TruthOrder:
    """One order as the venue has it."""

    venue_id: int
    command: SubmitOrder
    remaining: Decimal
    price: Decimal
    created_ms: int
    updated_ms: int
    status: str = "ACTIVE"
    closed: bool = False

    def row(self, event: str, session: int) -> VenueOrder:
        return VenueOrder(
            event=event,
            session=session,
            venue_id=self.venue_id,
            group_id=self.command.group_id,
            cid=self.command.cid,
            symbol=self.command.symbol,
            created_ms=self.created_ms,
            updated_ms=self.updated_ms,
            remaining=self.remaining,
            original=self.command.amount,
            wire_type=self.command.wire_type,
            flags=self.command.flags,
            status=self.status,
            price=self.price,
            average_price=ZERO,
            trailing_distance=ZERO,
            aux_limit_price=ZERO,
            placed_id=None,
            received_ns=0,
        )


class Killed(Exception):
    """The process or the actor ends here."""


@attrs.define
class World:
    """The line, the venue, the disk and the process, moved on by `act(choice)`."""

    now: float = 0.0
    epoch: int = 0
    session: int = 0
    alive: bool = False
    authenticated: bool = False
    intents: int = 0
    disk: dict[str, CellWrite] = attrs.Factory(dict)
    kept: set[tuple[str, str]] = attrs.Factory(set)
    fills_told: dict[str, Fill] = attrs.Factory(dict)
    inbox: list[Any] = attrs.Factory(list)
    put_keys: set[Any] = attrs.Factory(set)
    commands: list[VenueCommand] = attrs.Factory(list)
    questions: list[HistoryRequest] = attrs.Factory(list)
    # (session, command): each socket's order is kept; a dead one's bytes arrive until `LATE_LIMIT_S` after its death.
    transit: list[tuple[int, VenueCommand]] = attrs.Factory(list)
    deaths: dict[int, float] = attrs.Factory(dict)
    frames: list[Any] = attrs.Factory(list)
    orders: dict[int, TruthOrder] = attrs.Factory(dict)
    trades: list[VenueTrade] = attrs.Factory(list)
    submits_seen: dict[int, int] = attrs.Factory(dict)
    refused_cids: set[int] = attrs.Factory(set)
    unwanted_cids: set[int] = attrs.Factory(set)
    approved_ids: list[str] = attrs.Factory(list)
    compared: set[int] = attrs.Factory(set)
    last_state: dict[int, OrderState] = attrs.Factory(dict)
    machine: OrderMachine = attrs.field(init=False)
    allow_faults: bool = True
    log: list[str] = attrs.Factory(list)

    def __attrs_post_init__(self) -> None:
        self.start_process()

    # --- the process ------------------------------------------------------------------------------------------------

    @property
    def wall_ms(self) -> int:
        return START_MS + int(self.now * 1000)

    def start_process(self) -> None:
        self.epoch += 1
        self.inbox.clear()
        self.put_keys.clear()
        self.commands.clear()
        self.questions.clear()
        # Session numbers begin anew with each process, as a counter in memory does.
        self.session = 0
        self.alive = self.authenticated = False
        self.frames.clear()
        self.compared.clear()
        # What these sockets carried is late now; their numbers must not be mistaken for new ones.
        self.deaths = {
            -1000 * self.epoch - abs(session): self.deaths.get(session, self.now) for session, _ in self.transit
        }
        self.transit = [(-1000 * self.epoch - abs(session), command) for session, command in self.transit]
        self.start_actor()

    def start_actor(self) -> None:
        self.machine = OrderMachine(SETTINGS, epoch=self.epoch, signal_max_age_s=30.0)
        self.machine.restore(sorted(self.disk.values(), key=lambda cell: cell.key), now=self.now, wall_ms=self.wall_ms)
        self.carry_out(self.machine.take(), kill_at=None)

    def turn(self, limit: int, kill_at: int | None) -> None:
        """One turn of the actor; `kill_at` is the step at which the actor dies (None: it lives)."""
        batch = self.inbox[:limit]
        for message in batch:
            self.feed(message)
        self.machine.on_timer(now=self.now, wall_ms=self.wall_ms)
        try:
            self.carry_out(self.machine.take(), kill_at)
            if kill_at is not None:
                raise Killed
        except Killed:
            self.start_actor()
            return
        del self.inbox[: len(batch)]
        told = {message.intent_id for message in batch if isinstance(message, EntryUnwanted)}
        self.unwanted_cids |= {
            row.cid for row in self.machine.orders.values() if row.opens_risk and row.intent.intent_id in told
        }

    def feed(self, message: Any) -> None:
        if isinstance(message, HistoryReport):
            self.compared.add(message.session)
        machine, now, wall_ms = self.machine, self.now, self.wall_ms
        match message:
            case Approved():
                machine.admit(message, now=now, wall_ms=wall_ms)
            case CancelIntent():
                machine.on_cancel(message, now=now, wall_ms=wall_ms)
            case UpdateIntent():
                machine.on_update(message, now=now, wall_ms=wall_ms)
            case EntryUnwanted():
                machine.on_unwanted(message, now=now, wall_ms=wall_ms)
            case _:
                machine.on_event(message, now=now, wall_ms=wall_ms)

    def carry_out(self, out: Outputs, kill_at: int | None) -> None:
        steps = 0

        def maybe_die() -> None:
            nonlocal steps
            if kill_at is not None and steps >= kill_at:
                raise Killed
            steps += 1

        maybe_die()
        for place, _ in out.intents:
            record = out.records[place]
            assert (record.kind, record.key) not in self.kept, f"{record.key} was ordered before"
        for record in out.records:
            if record.key is not None:
                self.kept.add((record.kind, record.key))
        for key, cell in out.cells.items():
            if cell.payload:
                self.disk[key] = cell.written() if isinstance(cell, LateCell) else cell
            else:
                self.disk.pop(key, None)
        maybe_die()
        for outgoing in out.commands:
            self.check_may_leave(outgoing)
            if outgoing.key not in self.put_keys:
                self.put_keys.add(outgoing.key)
                self.commands.append(outgoing.command)
            maybe_die()
        for question in out.questions:
            if ("history", question.request_id) not in self.put_keys:
                self.put_keys.add(("history", question.request_id))
                self.questions.append(question)
            maybe_die()
        for report in out.reports:
            if isinstance(report, Fill):
                key = f"{report.trade_id}:{report.venue_order_id}"
                assert self.fills_told.setdefault(key, report) == report, "a fill is told with one content only"
            elif isinstance(report, OrderUpdate):
                self.check_report(report.order)
            maybe_die()
        self.machine.told()
        if out.reconnect is not None and self.alive:
            self.disconnect()

    def check_may_leave(self, outgoing: Outgoing) -> None:
        command = outgoing.command
        # M1: the row is on the disk before the command is anywhere. M10: its session has been compared.
        assert f"order:{command.cid:014d}" in self.disk
        assert command.session in self.compared, "an order left on a session before its reconcile"
        if isinstance(command, SubmitOrder) and outgoing.key not in self.put_keys:
            # What was handed out before may be on the wire; but it is not handed out once more.
            assert command.cid not in self.unwanted_cids, f"order {command.cid} left, and nobody wanted it any more"

    def check_report(self, order: OrderView) -> None:
        self.last_state[order.cid] = order.state
        truth = self.truth_of(order.cid)
        if order.state in TERMINAL_STATES and truth is not None:
            executed = abs(truth.command.amount) - abs(truth.remaining)
            assert order.filled_quantity == executed, f"order {order.cid} ended before its fills were told"

    def truth_of(self, cid: int) -> TruthOrder | None:
        return next((order for order in self.orders.values() if order.command.cid == cid), None)

    # --- the line ---------------------------------------------------------------------------------------------------

    def connect(self) -> None:
        if self.alive:
            return
        self.session += 1
        self.alive = True
        self.frames.clear()
        snapshot = tuple(order.row("os", self.session) for order in self.orders.values() if not order.closed)
        self.frames.append(OrderSnapshot(session=self.session, orders=snapshot, received_ns=0))
        self.frames.append(SessionUp(session=self.session, user_id=1, received_ns=0))

    def disconnect(self) -> None:
        if not self.alive:
            return
        self.alive = False
        self.deaths[self.session] = self.now
        self.frames.clear()
        self.inbox.append(SessionDown(session=self.session, reason="cut", received_ns=0))

    def take_command(self, outcome: int) -> None:
        """The connection takes the next command: it sends, cannot, or does not know."""
        if not self.commands:
            return
        command = self.commands.pop(0)
        kind = {SubmitOrder: "on", CancelOrder: "oc", UpdateOrder: "ou"}[type(command)]
        about: dict[str, Any] = {"cid": command.cid, "kind": kind, "session": command.session}
        if not self.alive or command.session != self.session or outcome == 1:
            self.inbox.append(CommandNotSent(**about, reason="not this session"))
            return
        if outcome != 2:
            self.transit.append((self.session, command))
        if outcome == 0:
            self.inbox.append(CommandSent(**about, received_ns=0))
        else:
            self.inbox.append(CommandInDoubt(**about, reason="cut while sending"))

    def deliver_transit(self, choice: int) -> None:
        """Some bytes arrive at the venue; each socket's in their order, a dead socket's whenever they like."""
        sockets = sorted({session for session, _ in self.transit})
        if not sockets:
            return
        socket = sockets[choice % len(sockets)]
        place = next(i for i, (session, _) in enumerate(self.transit) if session == socket)
        _, command = self.transit.pop(place)
        self.receive(command, choice)

    def drop_transit(self, choice: int) -> None:
        """Bytes of a dead socket that never arrive: from some place to its end."""
        dead = sorted({session for session, _ in self.transit if not (self.alive and session == self.session)})
        if dead:
            socket = dead[choice % len(dead)]
            self.transit = [item for item in self.transit if item[0] != socket]

    def advance(self, seconds: float) -> None:
        self.now += seconds
        late = [item for item in self.transit if self.now - self.deaths.get(item[0], self.now) >= LATE_LIMIT_S]
        for item in late:
            self.transit.remove(item)
            self.receive(item[1], 0)

    def deliver_frame(self, choice: int) -> None:
        """The next frame of the live socket is heard; now and then twice, or after the one behind it."""
        if not self.alive or not self.frames:
            return
        place = 0
        fault = choice % 16 if self.allow_faults else 15
        if fault == 0 and len(self.frames) > 1 and not isinstance(self.frames[0], OrderSnapshot | SessionUp):
            place = 1
        frame = self.frames.pop(place)
        if fault == 1 and not isinstance(frame, OrderSnapshot | SessionUp):
            return  # lost
        self.inbox.append(frame)
        if fault == 2:
            self.inbox.append(frame)

    def say(self, make: Callable[[int], Any]) -> None:
        if self.alive:
            self.frames.append(make(self.session))

    # --- the venue --------------------------------------------------------------------------------------------------

    def receive(self, command: VenueCommand, choice: int) -> None:
        match command:
            case SubmitOrder():
                self.receive_submit(command, choice)
            case CancelOrder():
                order = next((o for o in self.orders.values() if o.command.cid == command.cid), None)
                if order is None or order.closed:
                    self.say(lambda s: self.notice(s, "oc-req", "ERROR", command.cid, command.venue_id))
                else:
                    venue_id = order.venue_id
                    self.say(lambda s: self.notice(s, "oc-req", "SUCCESS", command.cid, venue_id))
                    self.close(order, "CANCELED")
            case UpdateOrder():
                order = self.orders.get(command.venue_id)
                if order is None or order.closed:
                    self.say(lambda s: self.notice(s, "ou-req", "ERROR", command.cid, command.venue_id))
                    return
                if command.price is not None:
                    order.price = command.price
                if command.amount is not None:
                    executed = order.command.amount - order.remaining
                    order.remaining = command.amount
                    order.command = _with_amount(order.command, executed + command.amount)
                order.updated_ms = self.tick()
                self.say(lambda s: self.notice(s, "ou-req", "SUCCESS", command.cid, order.venue_id))
                row = order.row
                self.say(lambda s: row("ou", s))

    def receive_submit(self, command: SubmitOrder, choice: int) -> None:
        cid = command.cid
        self.submits_seen[cid] = self.submits_seen.get(cid, 0) + 1
        assert self.submits_seen[cid] == 1, f"order {cid} was doubled"
        assert f"order:{cid:014d}" in self.disk, f"order {cid} has no row"
        row = self.machine.orders.get(cid)
        assert row is None or row.state is not OrderState.DEAD, f"order {cid} was proven absent and arrived"
        if choice % 7 == 3 and self.allow_faults:
            self.refused_cids.add(cid)
            self.say(lambda s: self.notice(s, "on-req", "ERROR", cid, None))
            return
        venue_id = 1000 + len(self.orders)
        stamp = self.tick()
        order = TruthOrder(
            venue_id, command, command.amount, command.price or Decimal(7000), created_ms=stamp, updated_ms=stamp
        )
        self.orders[venue_id] = order
        self.say(lambda s: self.notice(s, "on-req", "SUCCESS", cid, venue_id))
        if command.wire_type.endswith("MARKET"):
            self.fill(order, 3)
        else:
            self.say(lambda s: order.row("on", s))

    def tick(self) -> int:
        self.now += 0.001
        return self.wall_ms

    def notice(self, session: int, kind: str, status: str, cid: int, venue_id: int | None) -> RequestNotice:
        return RequestNotice(
            session=session, kind=kind, status=status, text="text", cid=cid, venue_id=venue_id, received_ns=0
        )

    def fill(self, order: TruthOrder, quarters: int) -> None:
        if order.closed:
            return
        part = order.remaining if quarters >= 3 else (order.remaining / 2).quantize(Decimal("0.00000001"))
        if not part:
            return
        order.remaining -= part
        order.updated_ms = self.tick()
        trade = VenueTrade(
            event="te",
            session=0,
            trade_id=500 + len(self.trades),
            symbol=order.command.symbol,
            time_ms=order.updated_ms,
            venue_order_id=order.venue_id,
            cid=order.command.cid,
            amount=part,
            price=order.price,
            wire_type=order.command.wire_type,
            order_price=order.price,
            maker=True,
            fee=None,
            fee_currency=None,
            received_ns=0,
        )
        self.trades.append(trade)
        if not order.remaining:
            order.status, order.closed = f"EXECUTED @ {order.price}({order.command.amount})", True
            row = order.row("oc", 0)
        else:
            order.status = f"PARTIALLY FILLED @ {order.price}({part})"
            row = order.row("ou", 0)
        self.say(lambda s: _in_session(row, s))
        self.say(lambda s: _in_session(trade, s))
        self.say(lambda s: with_fee(trade, "tu", s))

    def close(self, order: TruthOrder, status: str) -> None:
        order.closed, order.status, order.updated_ms = True, status, self.tick()
        row = order.row("oc", 0)
        self.say(lambda s: _in_session(row, s))

    def answer_history(self, choice: int) -> None:
        if not self.questions:
            return
        question = self.questions.pop(0)
        if self.allow_faults and choice % 5 == 4:
            self.inbox.append(HistoryFailed(request_id=question.request_id, session=question.session, reason="503"))
            return
        self.inbox.append(
            HistoryReport(
                request_id=question.request_id,
                session=question.session,
                since_ms=question.since_ms,
                open_orders=tuple(o.row("rest", question.session) for o in self.orders.values() if not o.closed),
                closed_orders=tuple(
                    o.row("rest", question.session)
                    for o in self.orders.values()
                    if o.closed and o.updated_ms >= question.since_ms
                ),
                trades=tuple(
                    with_fee(trade, "rest", question.session)
                    for trade in self.trades
                    if trade.time_ms >= question.trades_since_ms
                ),
                received_ns=0,
            )
        )

    # --- what may happen --------------------------------------------------------------------------------------------

    def act(self, choice: int) -> None:
        """One thing happens. The order of the cases weighs them: more ways for what moves things on."""
        kind, detail = choice % 24, choice // 24
        match kind:
            case 0 | 1:
                self.approve(detail)
            case 2 | 3 | 4 | 5:
                self.turn(1 + detail % 6, None)
            case 6 | 7:
                self.turn(1 + detail % 6, kill_at=detail % 7)
            case 8:
                if detail % 3 == 0:
                    self.start_process()
                else:
                    self.run_well(1 + detail % 4)
            case 9 | 10:
                self.connect()
                self.run_well(detail % 3)
            case 11:
                self.disconnect()
            case 12 | 13 | 14:
                self.take_command((0, 0, 0, 0, 1, 2, 3)[detail % 7])
            case 15 | 16:
                self.deliver_transit(detail)
            case 17 | 18 | 19:
                self.deliver_frame(detail)
            case 20:
                open_orders = [order for order in self.orders.values() if not order.closed]
                if open_orders:
                    order = open_orders[detail % len(open_orders)]
                    if detail % 5 == 4:
                        self.close(order, "CANCELED")
                    else:
                        self.fill(order, detail % 4)
            case 21:
                self.answer_history(detail)
            case 22:
                self.advance((0.5, 1.0, 6.0, 20.0, 61.0, 160.0)[detail % 6])
                self.turn(99, None)
            case 23:
                if detail % 4 == 0:
                    self.drop_transit(detail)
                elif self.approved_ids:
                    intent_id = self.approved_ids[detail % len(self.approved_ids)]
                    if detail % 12 == 2:
                        self.inbox.append(EntryUnwanted(intent_id=intent_id, reason="sell", correlation_id="x"))
                    elif detail % 2:
                        self.inbox.append(CancelIntent(intent_id=intent_id, reason="wish", correlation_id="x"))
                    else:
                        wish = UpdateIntent(
                            intent_id=intent_id,
                            price=Decimal(7000 + detail % 50) if detail % 3 else None,
                            quantity=None if detail % 3 else Decimal("0.25") * (1 + detail % 5),
                            reason="wish",
                            correlation_id="x",
                        )
                        self.inbox.append(wish)

    def approve(self, detail: int) -> None:
        if self.approved_ids and detail % 6 == 5:
            number = int(self.approved_ids[detail % len(self.approved_ids)].split(":")[3])  # said again
        else:
            self.intents += 1
            number = self.intents
        purpose = Purpose.EXIT if number % 5 == 4 else Purpose.ENTRY
        market = {"order_type": OrderType.MARKET, "price": None} if number % 3 == 0 else {}
        intent = an_intent(number, purpose=purpose, **market)
        if intent.intent_id not in self.approved_ids:
            self.approved_ids.append(intent.intent_id)
        self.inbox.append(approved(intent))

    def run_well(self, rounds: int) -> None:
        """A stretch without trouble, or no session would ever get as far as trading."""
        faults, self.allow_faults = self.allow_faults, False
        for _ in range(rounds):
            self.connect()
            for _ in range(len(self.commands)):
                self.take_command(0)
            for _ in range(len(self.transit)):
                if any(session == self.session for session, _ in self.transit):
                    self.deliver_transit(sorted({session for session, _ in self.transit}).index(self.session))
            for _ in range(len(self.frames)):
                self.deliver_frame(15)
            for _ in range(len(self.questions)):
                self.answer_history(0)
            self.turn(99, None)
        self.allow_faults = faults

    def heal(self) -> None:
        """No more faults: the line comes back and time passes. Afterwards every fate must be known."""
        self.allow_faults = False
        for _ in range(400):
            self.connect()
            while self.commands:
                self.take_command(0)
            while self.transit:
                self.deliver_transit(0)
            while self.frames:
                self.deliver_frame(15)
            while self.questions:
                self.answer_history(0)
            self.turn(99, None)
            if not (self.inbox or self.commands or self.transit or self.frames or self.questions):
                self.advance(5.0)

    # --- laws -------------------------------------------------------------------------------------------------------

    def check_laws(self) -> None:
        """What must hold at every instant."""
        real = {f"{t.trade_id}:{t.venue_order_id}": t for t in self.trades}
        for key, fill in self.fills_told.items():
            assert key in real, f"trade {key} was told and never happened"
            assert fill.quantity == abs(real[key].amount)
            assert not fill.foreign, f"trade {key} is ours"
        for row in self.machine.orders.values():
            truth = self.truth_of(row.cid)
            executed = ZERO if truth is None else abs(truth.command.amount) - abs(truth.remaining)
            assert row.filled <= executed, f"order {row.cid}: filled must be at most {executed}, was {row.filled}"
        assert self.machine.illegal_total == 0, self.machine._out.alarms

    def check_settled(self) -> None:
        """What must hold once the world has healed and the quarantine is over."""
        self.check_laws()
        assert set(self.fills_told) == {f"{t.trade_id}:{t.venue_order_id}" for t in self.trades}
        for row in self.machine.orders.values():
            truth = self.truth_of(row.cid)
            assert row.state is not OrderState.UNKNOWN, f"order {row.cid} is still unknown"
            if truth is None:
                assert row.state in (OrderState.DEAD, OrderState.REJECTED, OrderState.CANCELED), (row.cid, row.state)
                assert row.filled == ZERO
                continue
            assert row.filled == abs(truth.command.amount) - abs(truth.remaining), row.cid
            if truth.closed:
                assert row.state in TERMINAL_STATES, (row.cid, row.state)
                assert (row.state is OrderState.FILLED) == (truth.remaining == 0), (row.cid, row.state, truth)
            else:
                expected = (OrderState.PARTIAL,) if row.filled else (OrderState.ACKED,)
                assert row.state in expected, (row.cid, row.state, row.request)
                assert row.price == truth.price
                assert row.quantity == abs(truth.command.amount)
        assert self.machine.ghosts_total == 0, "an order that was given up is at the venue"
        told = {f.cid: f for f in self.fills_told.values()}
        assert all(cid in self.machine.orders for cid in told)
        for row in self.machine.orders.values():
            assert self.last_state[row.cid] is row.state, (row.cid, self.last_state[row.cid], row.state)


def with_fee(trade: VenueTrade, event: str, session: int) -> VenueTrade:
    complete: VenueTrade = _replace(
        trade,
        event=event,
        session=session,
        fee=-(abs(trade.amount) * Decimal("0.001")).quantize(Decimal("0.00000001")),
        fee_currency="BTC",
    )
    return complete


def _in_session(message: Any, session: int) -> Any:
    return _replace(message, session=session)


def _replace(message: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(message, **changes)


def _with_amount(command: SubmitOrder, amount: Decimal) -> SubmitOrder:
    replaced: SubmitOrder = _replace(command, amount=amount)
    return replaced
