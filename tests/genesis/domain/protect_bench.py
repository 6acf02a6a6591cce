"""A bench for positions and their stops: a machine, its disk, and a venue that does what it is told to by hand."""

from decimal import Decimal
from typing import Any

from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_outputs import Outputs
from protocols.journal import CellWrite, LateCell
from protocols.orders import (
    Approved,
    Bracket,
    CommandSent,
    HistoryReport,
    OrderIntent,
    OrderSnapshot,
    OrderType,
    Purpose,
    SessionDown,
    SessionUp,
    VenueOrder,
    VenueTrade,
    VenueWallet,
    WalletSnapshot,
)
from protocols.settings import OrderSettings
from protocols.units import ZERO, Side, Symbol

D = Decimal
BTC = Symbol("tBTCUSD")
SETTINGS = OrderSettings(entry_unfilled_s=10.0, entry_reprices=1)
START_MS = 1_517_788_800_000
STOP_AT_5 = Bracket(stop_distance=D(5))


class Bench:
    """A machine, its disk, and a venue that does what it is told to by hand."""

    def __init__(self, *, coins: str | None = None) -> None:
        self.now = 0.0
        self.disk: dict[str, CellWrite] = {}
        self.stamp = START_MS
        self.machine = OrderMachine(SETTINGS, epoch=1, signal_max_age_s=30.0)
        self.machine.touch = lambda symbol, side: D(100)
        self.greet(1, coins=coins)
        self.report()

    def take(self) -> Outputs:
        out = self.machine.take()
        self._keep(out)
        return out

    def _keep(self, out: Outputs) -> None:
        for key, cell in out.cells.items():
            self.disk[key] = cell.written() if isinstance(cell, LateCell) else cell
            if not cell.payload:
                del self.disk[key]

    def connect(self, session: int, *orders: VenueOrder) -> Outputs:
        self.greet(session, *orders)
        return self.report(opened=orders)

    def greet(self, session: int, *orders: VenueOrder, coins: str | None = None, narrow: bool = False) -> Outputs:
        """A session's own words, and not a word of history."""
        if coins is not None:
            self.hear(WalletSnapshot(session=session, wallets=(a_wallet(session, coins),), received_ns=0))
        self.hear(OrderSnapshot(session=session, orders=orders, received_ns=0))
        self.hear(SessionUp(session=session, user_id=1, received_ns=0, narrow=narrow))
        self.machine.on_timer(now=self.now, wall_ms=START_MS)
        return self.take()

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

    def wait(self, seconds: float) -> Outputs:
        self.now += seconds
        self.machine.on_timer(now=self.now, wall_ms=START_MS)
        return self.take()

    def hold(self, coins: str) -> Outputs:
        """The venue says what is in the wallet."""
        return self.hear(a_wallet(self.machine.fence.session, coins))

    def cut(self) -> Outputs:
        return self.hear(SessionDown(session=self.machine.fence.session, reason="cut", received_ns=0))

    def restart(self, *, new_process: bool) -> Outputs:
        epoch = self.machine.fence.epoch + new_process
        self.machine = OrderMachine(SETTINGS, epoch=epoch, signal_max_age_s=30.0)
        self.machine.touch = lambda symbol, side: D(100)
        self.machine.restore(self.disk.values(), now=self.now, wall_ms=START_MS)
        return self.take()

    def hear(self, event: Any) -> Outputs:
        self.machine.on_event(event, now=self.now, wall_ms=START_MS)
        return self.take()

    def admit(self, **changes: Any) -> Outputs:
        fields: dict[str, Any] = {
            "intent_id": f"i{self.machine.last_cid + 1}",
            "strategy": "s",
            "symbol": BTC,
            "side": Side.BUY,
            "quantity": D(1),
            "order_type": OrderType.MARKET,
            "purpose": Purpose.ENTRY,
            "decided_ms": START_MS,
            "correlation_id": "c",
            "bracket": STOP_AT_5,
        }
        intent = OrderIntent(**{**fields, **changes})
        self.machine.admit(Approved(intent=intent, settings_version=1), now=self.now, wall_ms=START_MS)
        return self.take()

    def row(self, cid: int, event: str, *, status: str = "ACTIVE", remaining: str | None = None) -> VenueOrder:
        row = self.machine.orders[cid]
        self.stamp += 1
        original = row.quantity * row.intent.side.sign
        left = original if remaining is None else D(remaining) * row.intent.side.sign
        return VenueOrder(
            event=event,
            session=self.machine.fence.session,
            venue_id=1000 + cid,
            group_id=row.group_id,
            cid=cid,
            symbol=BTC,
            created_ms=START_MS,
            updated_ms=self.stamp,
            remaining=left,
            original=original,
            wire_type=f"EXCHANGE {row.intent.order_type.value}",
            flags=0,
            status=status,
            price=row.price or ZERO,
            average_price=ZERO,
            trailing_distance=ZERO,
            aux_limit_price=ZERO,
            placed_id=None,
            received_ns=0,
        )

    def fill(self, cid: int, quantity: str, price: str = "100") -> Outputs:
        return self.hear(self.trade(cid, quantity, price))

    def trade(self, cid: int, quantity: str, price: str = "100") -> VenueTrade:
        row = self.machine.orders[cid]
        self.stamp += 1
        return VenueTrade(
            event="tu",
            session=self.machine.fence.session,
            trade_id=self.stamp,
            symbol=BTC,
            time_ms=self.stamp,
            venue_order_id=1000 + cid,
            cid=cid,
            amount=D(quantity) * row.intent.side.sign,
            price=D(price),
            wire_type="EXCHANGE MARKET",
            order_price=ZERO,
            maker=False,
            fee=ZERO,
            fee_currency="USD",
            received_ns=0,
        )

    def accept(self, cid: int) -> Outputs:
        self.hear(CommandSent(cid=cid, kind="on", session=self.machine.fence.session, received_ns=0))
        return self.hear(self.row(cid, "on"))

    def end(self, cid: int, status: str = "CANCELED", remaining: str | None = None) -> Outputs:
        return self.hear(self.row(cid, "oc", status=status, remaining=remaining))

    def open_position(self, **changes: Any) -> Outputs:
        """A position of 1 at 100 with its stop resting; cid 1 entered, cid 2 protects."""
        self.admit(**changes)
        self.accept(1)
        self.hear(self.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
        self.fill(1, "1")
        return self.accept(2)


def a_wallet(session: int, coins: str) -> VenueWallet:
    return VenueWallet(
        session=session,
        wallet_type="exchange",
        currency="BTC",
        balance=D(coins),
        available=None,
        received_ns=0,
    )


class HastyBench(Bench):
    """Takes what is ready to leave before protection is looked at, lends its rows to the journal, and foresees exits,
    as the order actor does. `take` tells of both, one behind the other."""

    def take(self) -> Outputs:
        self.machine.lends = True
        first = self.machine.take_ready()
        if first is not None:
            self._keep(first)
        rest = super().take()
        self.machine.foresee()
        if first is None:
            return rest
        assert first.number != rest.number
        rest.cells = first.cells | rest.cells
        rest.intents = [*first.intents, *[(place + len(first.records), name) for place, name in rest.intents]]
        for name in ("records", "commands", "questions", "said", "alarms"):
            setattr(rest, name, [*getattr(first, name), *getattr(rest, name)])
        rest.reconnect = first.reconnect or rest.reconnect
        return rest


def sent(out: Outputs) -> list[Any]:
    return [outgoing.command for outgoing in out.commands]
