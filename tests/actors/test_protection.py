"""The watch asks for stops where they belong, book by book."""

from decimal import Decimal

import msgspec
import trio
from trio.testing import MockClock

from actors.protection import ProtectionActor
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from genesis.domain.account_machine import AccountMachine
from genesis.domain.protection_watch import ProtectionWatch
from protocols.account import AccountView
from protocols.orders import OrderWish, Protect
from protocols.risk import PositionView
from protocols.settings import Settings
from protocols.trading import OrdersView, ProtectionStatus, ProtectionView
from protocols.units import Symbol
from tests.actors.deciding_stage import Listener, journal_channel, on_stage
from tests.actors.scripted_venue import eventually

BTC = Symbol("tBTCUSD")


def a_book(margin: bool, held: int) -> ProtectionView:
    return ProtectionView(
        symbol=BTC,
        margin=margin,
        held=Decimal(held),
        wanted=Decimal(abs(held)),
        stopped=Decimal(0),
        stops=0,
        stop_price=None,
        target_price=None,
        trailing_distance=None,
        note="no bracket",
    )


NET = PositionView(
    symbol=BTC,
    quantity=Decimal(2),
    average_price=Decimal(100),
    mark_price=Decimal(100),
    notional=Decimal(200),
    unrealized_pnl=Decimal(0),
    realized_pnl=Decimal(0),
    fees=Decimal(0),
    margin_quantity=Decimal(-1),
)


def an_account(position: PositionView) -> AccountView:
    view = AccountMachine(Settings()).view()
    return msgspec.structs.replace(view, state=msgspec.structs.replace(view.state, positions=(position,)))


async def test_an_account_whose_prices_alone_are_new_is_not_looked_at_again(autojump_clock: MockClock) -> None:
    """It is published each second while something is held; what is held, and orders, are looked at when they change."""
    asked = Channel[OrderWish]("wishes", Overflow.FAIL)
    account = Latest[AccountView | None](an_account(msgspec.structs.replace(NET, quantity=Decimal(0))))
    orders, status = Latest(OrdersView(session=1, ready=True)), Latest(ProtectionStatus())
    looks: list[int] = []

    def start() -> ProtectionActor:
        return ProtectionActor(
            settings=Latest(Settings()),
            account=account,
            orders=orders,
            pairs=Latest({}),
            wishes=asked,
            status=status,
            watch=ProtectionWatch(),
        )

    async with on_stage(start, hears=(), journal=journal_channel(), listeners={"order": (Listener(), asked)}) as stage:
        account.on_set = orders.on_set = stage.mailbox.nudge
        await stage.settled()
        for price in (101, 102, 103):
            mark = msgspec.structs.replace(NET, quantity=Decimal(0), mark_price=Decimal(price))
            account.set(an_account(mark))
            await trio.sleep(1)
            looks.append(status.version)
        assert looks == [1, 1, 1]
        account.set(an_account(NET))
        await trio.sleep(0.2)
        assert status.value.naked == 1


async def test_a_stop_for_the_coins_is_not_asked_for_a_short_beside_them(autojump_clock: MockClock) -> None:
    """Below the market it would buy the short back at once."""
    view = an_account(NET)
    wishes = Channel[OrderWish]("wishes", Overflow.FAIL)
    heard = Listener()

    def start() -> ProtectionActor:
        return ProtectionActor(
            settings=Latest(Settings()),
            account=Latest[AccountView | None](view),
            orders=Latest(OrdersView(session=1, ready=True, protection=(a_book(False, 3), a_book(True, -1)))),
            pairs=Latest({}),
            wishes=wishes,
            status=Latest(ProtectionStatus()),
            watch=ProtectionWatch(),
        )

    async with on_stage(start, hears=(), journal=journal_channel(), listeners={"order": (heard, wishes)}):
        await eventually(lambda: len(heard.heard) >= 2)
    asked = {wish.margin: wish.stop_price for wish in heard.heard if isinstance(wish, Protect)}
    coins, short = asked[False], asked[True]
    assert short is None
    assert coins is not None
    assert coins < 100
