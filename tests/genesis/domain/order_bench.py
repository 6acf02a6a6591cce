"""A bench for the order machine: one machine, its disk, and short words for what it may hear."""

from decimal import Decimal
from typing import Any

from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_outputs import Outputs
from protocols.journal import CellWrite, LateCell
from protocols.orders import (
    AccountEvent,
    CancelIntent,
    CommandNotSent,
    CommandSent,
    Fill,
    Flatten,
    HistoryReport,
    OrderSnapshot,
    OrderState,
    OrderUpdate,
    RequestNotice,
    SessionDown,
    SessionUp,
    VenueOrder,
    VenueTrade,
)
from protocols.units import ZERO
from tests.genesis.domain.order_oracle import SETTINGS, START_MS, SYMBOL, an_intent, approved

S = OrderState


class Bench:
    """One machine, its disk, and short words for what it may hear."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.now = 0.0
        self.wall_ms = START_MS
        self.wishes = 0
        self.disk: dict[str, CellWrite] = {}
        self.machine = OrderMachine(SETTINGS, epoch=1, signal_max_age_s=30.0, **options)

    def take(self) -> Outputs:
        out = self.machine.take()
        for key, cell in out.cells.items():
            self.disk[key] = cell.written() if isinstance(cell, LateCell) else cell
        return out

    def hear(self, *events: AccountEvent) -> Outputs:
        for event in events:
            self.machine.on_event(event, now=self.now, wall_ms=self.wall_ms)
        return self.take()

    def admit(self, *args: Any, **kwargs: Any) -> Outputs:
        self.machine.admit(approved(an_intent(*args, **kwargs)), now=self.now, wall_ms=self.wall_ms)
        return self.take()

    def cancel(self, intent_id: str | None, name: str = "") -> Outputs:
        self.wishes += 1
        wish = CancelIntent(intent_id=intent_id, reason="wish", correlation_id=name or f"x{self.wishes}")
        self.machine.on_cancel(wish, now=self.now, wall_ms=self.wall_ms)
        return self.take()

    def flatten(self, name: str = "f1") -> Outputs:
        wish = Flatten(symbol=None, reason="wish", correlation_id=name)
        self.machine.on_flatten(wish, now=self.now, wall_ms=self.wall_ms)
        return self.take()

    def wait(self, seconds: float) -> Outputs:
        self.now += seconds
        self.machine.on_timer(now=self.now, wall_ms=self.wall_ms)
        return self.take()

    def restart(self, *, new_process: bool) -> Outputs:
        epoch = self.machine.fence.epoch + new_process
        self.machine = OrderMachine(SETTINGS, epoch=epoch, signal_max_age_s=30.0, **self.options)
        self.machine.restore(self.disk.values(), now=self.now, wall_ms=self.wall_ms)
        return self.take()

    def up(self, session: int, *orders: VenueOrder) -> Outputs:
        return self.hear(
            OrderSnapshot(session=session, orders=orders, received_ns=0),
            SessionUp(session=session, user_id=1, received_ns=0),
        )

    def report(self, *, opened: Any = (), closed: Any = (), trades: Any = ()) -> Outputs:
        fence = self.machine.fence
        assert fence.pending_id is not None
        return self.hear(
            HistoryReport(
                request_id=fence.pending_id,
                session=fence.session,
                since_ms=fence.since_ms,
                open_orders=tuple(opened),
                closed_orders=tuple(closed),
                trades=tuple(trades),
                received_ns=0,
            )
        )

    def ready(self, session: int = 1, *orders: VenueOrder) -> Outputs:
        self.up(session, *orders)
        return self.report(opened=orders)

    def state(self, cid: int = 1) -> OrderState:
        return self.machine.orders[cid].state


def a_row(cid: int = 1, event: str = "on", session: int = 1, **changes: Any) -> VenueOrder:
    fields: dict[str, Any] = {
        "event": event,
        "session": session,
        "venue_id": 1000 + cid,
        "group_id": SETTINGS.group_id,
        "cid": cid,
        "symbol": SYMBOL,
        "created_ms": START_MS,
        "updated_ms": START_MS,
        "remaining": Decimal(1),
        "original": Decimal(1),
        "wire_type": "EXCHANGE LIMIT",
        "flags": 0,
        "status": "ACTIVE",
        "price": Decimal(7000),
        "average_price": ZERO,
        "trailing_distance": ZERO,
        "aux_limit_price": ZERO,
        "placed_id": None,
        "received_ns": 0,
    }
    return VenueOrder(**{**fields, **changes})


def closed(cid: int = 1, status: str = "CANCELED", **changes: Any) -> VenueOrder:
    return a_row(cid, event=changes.pop("event", "oc"), status=status, **{"updated_ms": START_MS + 9, **changes})


def executed(cid: int = 1, **changes: Any) -> VenueOrder:
    return closed(cid, "EXECUTED @ 7000.0(1.0)", remaining=ZERO, **changes)


def a_trade(
    event: str = "tu", *, trade_id: int = 5, amount: str = "1", session: int = 1, cid: int = 1, after_ms: int = 5
) -> VenueTrade:
    fee = None if event == "te" else Decimal("-0.002")
    return VenueTrade(
        event=event,
        session=session,
        trade_id=trade_id,
        symbol=SYMBOL,
        time_ms=START_MS + after_ms,
        venue_order_id=1000 + cid,
        cid=cid,
        amount=Decimal(amount),
        price=Decimal(7000),
        wire_type="EXCHANGE LIMIT",
        order_price=Decimal(7000),
        maker=False,
        fee=fee,
        fee_currency=None if fee is None else "BTC",
        received_ns=0,
    )


def refusal(cid: int = 1, kind: str = "on-req", session: int = 1) -> RequestNotice:
    return RequestNotice(session=session, kind=kind, status="ERROR", text="no", cid=cid, venue_id=None, received_ns=0)


def sent(cid: int = 1, session: int = 1) -> CommandSent:
    return CommandSent(cid=cid, kind="on", session=session, received_ns=0)


def not_sent(cid: int = 1, session: int = 1, kind: str = "on", *, paused: bool = False) -> CommandNotSent:
    return CommandNotSent(cid=cid, kind=kind, session=session, reason="no line", paused=paused)


def down(session: int = 1) -> SessionDown:
    return SessionDown(session=session, reason="cut", received_ns=0)


def commands(out: Outputs) -> list[Any]:
    return [outgoing.command for outgoing in out.commands]


def states(out: Outputs) -> list[OrderState]:
    return [report.order.state for report in out.reports if isinstance(report, OrderUpdate)]


def fills(out: Outputs) -> list[Fill]:
    return [report for report in out.reports if isinstance(report, Fill)]
