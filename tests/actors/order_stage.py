"""A stage for the order actor: the real supervisor, channels, journal actor and SQLite file; the test is the venue.

Use it with `autojump_clock`: the store runs on the loop, so all time is virtual.
"""

import contextlib
import random
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec
import trio
import trio.testing

from actors.journal import JournalActor
from actors.order import OrderActor
from genesis.core.actor import Context
from genesis.core.backoff import IMMEDIATE
from genesis.core.channel import Channel, Overflow
from genesis.core.clock import TrioClock
from genesis.core.latest import Latest
from genesis.core.mailbox import Mailbox
from genesis.core.supervisor import ChildSpec, Supervisor, SupervisorSpec
from genesis.domain.pairs import PairSpecs
from genesis.edge.store import Store
from genesis.edge.store_thread import StoreThread
from protocols.market import MarketView
from protocols.orders import (
    TERMINAL_STATES,
    CancelOrder,
    CommandNotSent,
    CommandSent,
    Fill,
    HistoryReport,
    HistoryRequest,
    OrderSnapshot,
    OrderState,
    OrderUpdate,
    SessionDown,
    SessionUp,
    SubmitOrder,
    VenueOrder,
    VenueTrade,
)
from protocols.settings import Settings
from protocols.trading import OrdersView
from protocols.units import ZERO

SETTINGS = Settings()


@attrs.define(kw_only=True)
class VenueActor:
    """Connection and venue in one: market orders fill at once, limit orders rest until cancelled."""

    orders_channel: Channel[Any]
    on_submit: Callable[[SubmitOrder], object] = lambda command: None
    fee_currency: str = "BTC"
    session: int = 0
    orders: dict[int, VenueOrder] = attrs.field(factory=dict)
    trades: list[VenueTrade] = attrs.field(factory=list)
    submits: list[int] = attrs.field(factory=list)
    stamp: int = 1_517_788_800_000
    silent: bool = False
    """Commands leave, and nothing is said to them."""

    async def run(self, ctx: Context) -> None:
        ctx.ready()
        while True:
            for envelope in await ctx.inbox.lease():
                await self.hear(envelope.message)
                ctx.inbox.ack(envelope)

    async def hear(self, message: Any) -> None:
        match message:
            case HistoryRequest():
                await self.answer(message)
            case SubmitOrder() | CancelOrder():
                kind = "on" if isinstance(message, SubmitOrder) else "oc"
                about: dict[str, Any] = {"cid": message.cid, "kind": kind, "session": message.session}
                if message.session != self.session:
                    await self.say(CommandNotSent(**about, reason="another session"))
                    return
                await self.say(CommandSent(**about, received_ns=0))
                if self.silent:
                    return
                if isinstance(message, SubmitOrder):
                    await self.submit(message)
                else:
                    await self.cancel(message)

    async def say(self, event: Any) -> None:
        await self.orders_channel.put(event)

    async def connect(self) -> None:
        self.session += 1
        rows = tuple(
            msgspec.structs.replace(row, event="os", session=self.session)
            for row in self.orders.values()
            if row.status == "ACTIVE"
        )
        await self.say(SessionUp(session=self.session, user_id=1, received_ns=0))
        await self.say(OrderSnapshot(session=self.session, orders=rows, received_ns=0))

    async def cut(self) -> None:
        old, self.session = self.session, self.session + 1
        await self.say(SessionDown(session=old, reason="cut", received_ns=0))

    async def answer(self, request: HistoryRequest) -> None:
        rows = [msgspec.structs.replace(row, event="rest", session=request.session) for row in self.orders.values()]
        await self.say(
            HistoryReport(
                request_id=request.request_id,
                session=request.session,
                since_ms=request.since_ms,
                open_orders=tuple(row for row in rows if row.status == "ACTIVE"),
                closed_orders=tuple(row for row in rows if row.status != "ACTIVE"),
                trades=tuple(
                    msgspec.structs.replace(trade, event="rest", session=request.session) for trade in self.trades
                ),
                received_ns=0,
            )
        )

    async def submit(self, command: SubmitOrder) -> None:
        self.on_submit(command)
        self.submits.append(command.cid)
        self.stamp += 1
        filled = command.wire_type.endswith("MARKET")
        row = VenueOrder(
            event="oc" if filled else "on",
            session=self.session,
            venue_id=1000 + len(self.orders),
            group_id=command.group_id,
            cid=command.cid,
            symbol=command.symbol,
            created_ms=self.stamp,
            updated_ms=self.stamp,
            remaining=ZERO if filled else command.amount,
            original=command.amount,
            wire_type=command.wire_type,
            flags=command.flags,
            status=f"EXECUTED @ 7000.0({command.amount})" if filled else "ACTIVE",
            price=command.price or ZERO,
            average_price=ZERO,
            trailing_distance=ZERO,
            aux_limit_price=ZERO,
            placed_id=None,
            received_ns=0,
        )
        self.orders[row.venue_id] = row
        if filled:
            trade = VenueTrade(
                event="tu",
                session=self.session,
                trade_id=500 + len(self.trades),
                symbol=command.symbol,
                time_ms=self.stamp,
                venue_order_id=row.venue_id,
                cid=command.cid,
                amount=command.amount,
                price=Decimal(7000),
                wire_type=command.wire_type,
                order_price=ZERO,
                maker=False,
                fee=-abs(command.amount) * Decimal("0.002"),
                fee_currency=self.fee_currency,
                received_ns=0,
            )
            self.trades.append(trade)
            await self.say(row)
            await self.say(msgspec.structs.replace(trade, event="te", fee=None, fee_currency=None))
            await self.say(trade)
        else:
            await self.say(row)

    async def cancel(self, command: CancelOrder) -> None:
        row = self.orders.get(command.venue_id or 0)
        if row is not None and row.status == "ACTIVE":
            self.stamp += 1
            row = msgspec.structs.replace(row, event="oc", status="CANCELED", updated_ms=self.stamp)
            self.orders[row.venue_id] = row
            await self.say(row)


@attrs.define(kw_only=True)
class AccountListener:
    """What the account actor would hear, booked as it would: states by order, fills by trade."""

    reports: list[Any] = attrs.field(factory=list)
    states: dict[str, OrderState] = attrs.field(factory=dict)
    fills: dict[int, Fill] = attrs.field(factory=dict)

    async def run(self, ctx: Context) -> None:
        ctx.ready()
        while True:
            batch = await ctx.inbox.lease()
            for envelope in batch:
                self.reports.append(envelope.message)
                match envelope.message:
                    case OrderUpdate():
                        self.states[envelope.message.order.intent_id] = envelope.message.order.state
                    case Fill():
                        assert self.fills.setdefault(envelope.message.trade_id, envelope.message) == envelope.message
            ctx.inbox.ack_all(batch)

    @property
    def ended(self) -> int:
        return sum(state in TERMINAL_STATES for state in self.states.values())


@attrs.define(kw_only=True)
class OrderStage:
    """Everything that a test needs to hold."""

    supervisor: Supervisor
    store: Store
    venue: VenueActor
    account: AccountListener
    intents: Channel[Any]
    commands: Channel[Any]
    journal: Channel[Any]
    view: Latest[OrdersView]

    def kill(self, child: str = "order") -> None:
        self.supervisor.kill(f"world/{child}", reason="the test says so")

    async def until(self, done: Callable[[], object]) -> None:
        with trio.fail_after(20):
            # Virtual time: the books under test are several actors away from any one event to wait for.
            while not done():  # noqa: ASYNC110
                await trio.sleep(0.001)


@contextlib.asynccontextmanager
async def order_stage(
    path: Path,
    *,
    connect: bool = True,
    command_capacity: int = 1024,
    decides: Callable[[Channel[Any], Channel[Any]], ChildSpec] | None = None,
    pairs: Latest[PairSpecs] | None = None,
    market: Latest[MarketView] | None = None,
) -> AsyncIterator[OrderStage]:
    """The order actor with a real journal at `path`, until the block ends. `decides` makes whoever approves intents, of
    the channel to the order actor and the one to the journal."""
    store = Store.open(path, at_ms=1)
    intents: Channel[Any] = Channel("risk-order", Overflow.BLOCK)
    events: Channel[Any] = Channel("venue-order", Overflow.BLOCK)
    wishes: Channel[Any] = Channel("web-order", Overflow.FAIL)
    commands: Channel[Any] = Channel("order-venue", Overflow.FAIL, capacity=command_capacity)
    questions: Channel[Any] = Channel("order-history", Overflow.FAIL)
    reports: Channel[Any] = Channel("order-account", Overflow.BLOCK, capacity=8)
    judged: Channel[Any] = Channel("order-risk", Overflow.FAIL)
    journal: Channel[Any] = Channel("journal", Overflow.BLOCK)
    view = Latest(OrdersView(session=0, ready=False))
    settings = Latest(SETTINGS)
    venue = VenueActor(orders_channel=events)
    account = AccountListener()
    thread = StoreThread(store, inline=True)

    def order_actor() -> OrderActor:
        return OrderActor(
            epoch=store.epoch(),
            settings=settings,
            pairs=pairs,
            market=market,
            journal=journal,
            venue=commands,
            history=questions,
            account=reports,
            risk=judged,
            view=view,
        )

    children = (
        ChildSpec(
            id="journal",
            start=lambda: JournalActor(store=thread),
            mailbox=Mailbox("journal", [journal]),
            backoff=IMMEDIATE,
        ),
        ChildSpec(id="account", start=lambda: account, mailbox=Mailbox("account", [reports])),
        ChildSpec(
            id="order", start=order_actor, mailbox=Mailbox("order", [intents, events, wishes]), backoff=IMMEDIATE
        ),
        *(() if decides is None else (decides(intents, journal),)),
        ChildSpec(id="venue", start=lambda: venue, mailbox=Mailbox("venue", [commands, questions])),
    )
    supervisor = Supervisor(
        SupervisorSpec(id="world", children=children, intensity=100_000, max_consecutive=100_000),
        clock=TrioClock(),
        chance=random.Random(7),
        on_event=lambda event: None,
    )
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(lambda task_status: supervisor.run(task_status=task_status))
            stage = OrderStage(
                supervisor=supervisor,
                store=store,
                venue=venue,
                account=account,
                intents=intents,
                commands=commands,
                journal=journal,
                view=view,
            )
            if connect:
                await venue.connect()
                await stage.until(lambda: view.value.ready)
            yield stage
            with trio.fail_after(20):
                await supervisor.stop()
    finally:
        store.close()
