"""The account actor counts every fill once, keeps what it must, and tells risk the newest state."""

import random
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from actors.account import AccountActor
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from protocols.account import AccountView, LedgerFailed, LedgerReport, LedgerRequest
from protocols.health import Notice
from protocols.journal import CellWrite
from protocols.orders import (
    Fill,
    OrderReport,
    OrderState,
    OrderType,
    OrderUpdate,
    OrderView,
    Purpose,
    VenueWallet,
    WalletSnapshot,
)
from protocols.reference import LedgerEntry
from protocols.risk import AccountState
from protocols.settings import Settings
from protocols.units import ZERO, Side, Symbol, exact
from tests.actors.deciding_stage import Listener, MemoryDisk, Stage, journal_channel, on_stage
from tests.actors.scripted_venue import eventually
from tests.recorded_candles import as_closed, recorded_candles

BTC = Symbol("tBTCUSD")


class World:
    def __init__(self) -> None:
        self.balances: Channel[Any] = Channel("balances", Overflow.BLOCK)
        self.reports: Channel[OrderReport] = Channel("reports", Overflow.BLOCK)
        self.candles: Channel[Any] = Channel("candles", Overflow.BLOCK)
        self.risk: Channel[AccountState] = Channel("risk", Overflow.CONFLATE, key=lambda state: "account")
        self.journal = journal_channel()
        self.settings = Latest(Settings())
        self.view: Latest[AccountView | None] = Latest(None)
        self.listener = Listener()
        self.ui: Channel[Any] = Channel("ui", Overflow.DROP_OLDEST)
        self.people = Listener()
        self.ledgers: Channel[Any] | None = None
        self.asked = Listener()

    def actor(self) -> AccountActor:
        return AccountActor(
            settings=self.settings,
            journal=self.journal,
            risk=self.risk,
            view=self.view,
            ui=self.ui,
            ledgers=self.ledgers,
        )

    def run(self, disk: MemoryDisk | None = None) -> AbstractAsyncContextManager[Stage]:
        return on_stage(
            self.actor,
            hears=(self.balances, self.reports, self.candles),
            journal=self.journal,
            listeners={
                "risk": (self.listener, self.risk),
                "people": (self.people, self.ui),
                **({} if self.ledgers is None else {"history": (self.asked, self.ledgers)}),
            },
            disk=disk,
        )

    def differences(self) -> list[str]:
        return [message.text for message in self.people.heard if isinstance(message, Notice)]

    def told(self) -> AccountState:
        state = self.listener.heard[-1]
        assert isinstance(state, AccountState)
        return state


def wallets(usd: str, btc: str = "0") -> WalletSnapshot:
    return WalletSnapshot(session=1, wallets=(wallet("USD", usd), wallet("BTC", btc)), received_ns=0)


def wallet(currency: str, balance: str) -> VenueWallet:
    return VenueWallet(
        session=1, wallet_type="exchange", currency=currency, balance=Decimal(balance), available=None, received_ns=0
    )


def a_fill(number: int, side: Side, quantity: str, price: str, fee: str, currency: str) -> Fill:
    return Fill(
        trade_id=number,
        intent_id=f"i{number}",
        cid=number,
        venue_order_id=number,
        strategy="s",
        symbol=BTC,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(fee),
        fee_currency=currency,
        maker=False,
        purpose=Purpose.ENTRY,
        time_ms=number * 1000,
        correlation_id=f"c{number}",
        foreign=False,
    )


def ended(number: int) -> OrderUpdate:
    return OrderUpdate(
        order=OrderView(
            intent_id=f"i{number}",
            cid=number,
            venue_id=number,
            strategy="s",
            symbol=BTC,
            side=Side.BUY,
            order_type=OrderType.MARKET,
            purpose=Purpose.ENTRY,
            quantity=Decimal(1),
            filled_quantity=Decimal(1),
            average_fill_price=Decimal(100),
            price=None,
            state=OrderState.FILLED,
            reason="",
            created_ms=0,
            updated_ms=0,
            correlation_id="",
            foreign=False,
        )
    )


ROUND_TRIP = (
    a_fill(1, Side.BUY, "1", "100", "-0.002", "BTC"),
    a_fill(2, Side.SELL, "0.998", "110", "-0.21956", "USD"),
)


async def test_a_round_trip_is_told_to_risk_and_its_profit_is_what_the_wallets_gained() -> None:
    world = World()
    async with world.run() as stage:
        await stage.settled()
        assert not world.told().known
        await world.balances.put(wallets("1000"))
        await world.reports.put(ROUND_TRIP[0])
        await world.reports.put(ended(1))
        await world.balances.put(wallet("BTC", "0.998"))
        await world.balances.put(wallet("USD", "900"))
        await stage.settled()
        assert world.told().known
        assert world.told().closed_intents == ("i1",)
        assert world.told().positions[0].quantity == Decimal("0.998")
        assert world.told().mismatched_symbols == ()
        await world.reports.put(ROUND_TRIP[1])
        await world.balances.put(wallet("BTC", "0"))
        await world.balances.put(wallet("USD", "1009.56044"))
        await stage.settled()
        assert world.told().cash == Decimal("1009.56044")
        assert world.told().realized_pnl == Decimal("9.56044")
        assert world.told().positions[0].quantity == 0
        await trio.sleep(0.3)
        assert world.view.value is not None
        (trade,) = world.view.value.trades
        assert trade.pnl == Decimal("9.56044")
        assert trade.quantity == 1


async def test_a_trade_and_the_wallets_that_it_moved_are_kept_by_one_commit(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The wallets come with the trade's frame, the fill when the order actor has kept it."""
    world = World()
    async with world.run() as stage:
        await world.balances.put(wallets("1000"))
        await stage.settled()
        commits, states = stage.disk.commits, len(world.listener.heard)
        await world.balances.put(wallet("BTC", "0.998"))
        await world.balances.put(wallet("USD", "900"))
        await trio.sleep(0.002)
        world.reports.put_nowait(ROUND_TRIP[0])
        world.reports.put_nowait(ended(1))
        await trio.sleep(0.001)
        assert (stage.disk.commits, len(world.listener.heard)) == (commits + 1, states + 1)
        assert world.told().mismatched_symbols == ()
        assert world.told().closed_intents == ("i1",)
        # A wallet that no trade of ours moved is told by itself, hardly later.
        await world.balances.put(wallet("USD", "950"))
        await trio.sleep(0.021)
        assert (stage.disk.commits, world.told().cash) == (commits + 2, Decimal(950))


@pytest.mark.parametrize("seed", range(5))
async def test_kills_at_any_moment_count_no_fill_twice_and_forget_no_wallet(seed: int) -> None:
    world = World()
    chance = random.Random(seed)
    disk = MemoryDisk()
    async with world.run(disk) as stage:
        await world.balances.put(wallets("100000"))
        for number in range(1, 101):
            fill = a_fill(number, Side.BUY if number % 2 else Side.SELL, "1", str(100 + number), "0", "USD")
            # The order actor's commit comes before its word.
            payload = msgspec.json.encode({"fill": fill})
            disk.cells[("orders", f"fill:{number}:{number}")] = CellWrite(
                table="orders", key=f"fill:{number}:{number}", payload=payload
            )
            await world.reports.put(fill)
            await world.balances.put(wallet("USD", str(100000 + number)))
            if chance.random() < 0.3:
                for _ in range(chance.randrange(6)):
                    await trio.lowlevel.checkpoint()
                stage.supervisor.kill("world/subject", reason="chaos")
        await stage.settled()
        assert world.told().known
        assert world.told().cash == Decimal(100100)
        assert world.told().positions[0].quantity == 0
        # Bought at odd numbers, sold one higher, fifty times.
        assert world.told().realized_pnl == Decimal(50)


async def test_a_new_process_knows_its_positions_but_not_yet_the_wallets() -> None:
    first = World()
    disk = MemoryDisk()
    row = msgspec.json.encode({"fill": ROUND_TRIP[0]})
    disk.cells[("orders", "fill:1:1")] = CellWrite(table="orders", key="fill:1:1", payload=row)
    async with first.run(disk) as stage:
        await first.balances.put(wallets("900", "0.998"))
        await stage.settled()
        assert first.told().known
    second = World()
    async with second.run(disk) as stage:
        await stage.settled()
        assert not second.told().known
        assert second.told().positions[0].quantity == Decimal("0.998")
        await second.balances.put(wallets("900", "0.5"))
        await stage.settled()
        assert second.told().known
        # Somebody moved our coins: shown, and no more is ever sold than the venue has.
        assert second.told().mismatched_symbols == (BTC,)


async def test_books_that_differ_for_long_halt_the_symbol_and_people_hear_of_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World()
    async with world.run():
        await world.balances.put(wallets("1000", "0"))
        await world.reports.put(ROUND_TRIP[0])
        await trio.sleep(1)
        assert world.told().mismatched_symbols == (BTC,)
        assert world.differences() == []
        await trio.sleep(5)
        assert world.differences() == ["tBTCUSD is halted: our fills hold 0.998, the venue's wallet 0"]
        await world.balances.put(wallet("BTC", "0.998"))
        await trio.sleep(1)
        assert world.told().mismatched_symbols == ()
        assert world.differences()[1:] == ["tBTCUSD is open again: our fills and the venue's wallet agree"]


async def test_prices_draw_the_curve_but_never_wake_risk(autojump_clock: trio.testing.MockClock) -> None:
    world = World()
    async with world.run():
        await world.balances.put(wallets("1000", "1"))
        await trio.sleep(1)
        states = len(world.listener.heard)
        for candle in recorded_candles()[:30]:
            await world.candles.put(as_closed(candle))
        await trio.sleep(1)
        assert len(world.listener.heard) == states
        assert world.view.value is not None
        assert len(world.view.value.curve) == 30
        assert world.view.value.curve[-1].equity == 1000 + Decimal(repr(recorded_candles()[29].close))


async def test_history_marks_but_draws_no_points(autojump_clock: trio.testing.MockClock) -> None:
    world = World()
    async with world.run():
        await world.balances.put(wallets("1000", "1"))
        await world.candles.put(as_closed(recorded_candles()[0], catch_up=True))
        await trio.sleep(1)
        assert world.view.value is not None
        assert world.view.value.curve == ()
        assert world.view.value.state.equity == 1000 + Decimal(repr(recorded_candles()[0].close))
        assert world.view.value.state.positions == ()
        assert world.view.value.state.unrealized_pnl == ZERO


async def test_the_curve_outlives_the_process() -> None:
    first = World()
    async with first.run() as stage:
        await first.balances.put(wallets("1000", "1"))
        await stage.settled()
        for candle in recorded_candles()[:45]:
            await first.candles.put(as_closed(candle))
            await stage.settled()
        disk = stage.disk
    second = World()
    async with second.run(disk) as stage:
        await stage.settled()
        assert second.view.value is not None
        assert len(second.view.value.curve) == 45


async def test_what_was_told_before_the_stop_is_in_the_last_view_and_on_disk() -> None:
    world = World()
    disk = MemoryDisk()
    first, last = (as_closed(candle) for candle in recorded_candles()[:2])
    async with world.run(disk) as stage:
        await world.balances.put(wallets("1000", "1"))
        await world.candles.put(first)
        await stage.settled()
        await world.candles.put(last)
        # No time passes here: the view is not due, and too few points wait to be kept for their own sake.
    view = world.view.value
    assert view is not None
    assert view.curve[-1].at_ms == last.closed_ms
    assert view.performance is not None
    assert view.performance.final_equity == Decimal(1000) + Decimal(str(last.candle.close))
    kept = b"".join(cell.payload for (table, key), cell in disk.cells.items() if key.startswith("curve:"))
    assert str(last.closed_ms).encode() in kept


async def test_risk_hears_the_price_of_a_market_of_which_no_strategy_speaks_and_of_no_other() -> None:
    world = World()
    world.settings.set(msgspec.structs.replace(Settings(), strategies=Settings().strategies[:1]))
    disk = MemoryDisk()
    async with world.run(disk) as stage:
        world.balances.put_nowait(wallets("1000"))
        await stage.settled()
        kept, told = disk.commits, len(world.listener.heard)
        for symbol in ("tBTCUSD", "tETHUSD"):
            candle = msgspec.structs.replace(recorded_candles()[0], symbol=Symbol(symbol))
            world.candles.put_nowait(as_closed(candle))
        await stage.settled()
        [price] = world.told().prices
        assert (price.symbol, price.price, price.due_ms - price.at_ms) == ("tETHUSD", exact(candle.close), 60_000)
        assert disk.commits == kept, "a price is not worth a commit"
        assert len(world.listener.heard) > told


async def test_a_fee_that_nobody_can_price_is_told_once_with_what_to_do() -> None:
    world = World()
    async with world.run() as stage:
        for number, currency in enumerate(("USD", "LEO", "LEO", "UST"), start=1):
            world.reports.put_nowait(a_fill(number, Side.BUY, "1", "100", "-0.5", currency))
        priced = msgspec.structs.replace(a_fill(9, Side.BUY, "1", "100", "-0.5", "XAUT"), fee_price=Decimal(2))
        world.reports.put_nowait(priced)
        await stage.settled()
        told = [text for text in world.differences() if "counts as 0" in text]
        assert [text.split(" counts")[0] for text in told] == ["a fee of 0.5 LEO", "a fee of 0.5 UST"]
        assert "tLEOUSD in market.symbols" in told[0]


async def test_a_wallet_that_changed_while_nobody_listened_is_asked_about_until_the_ledger_says_why(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world, disk = World(), MemoryDisk()
    world.ledgers = Channel("ledgers", Overflow.CONFLATE, key=lambda request: request.currency)
    async with world.run(disk):
        await world.balances.put(wallets("1000"))
        await eventually(lambda: bool(world.listener.heard) and world.told().known)
    world = World()
    world.ledgers = Channel("ledgers", Overflow.CONFLATE, key=lambda request: request.currency)
    async with world.run(disk) as stage:
        await world.balances.put(wallets("1400"))
        await eventually(lambda: len(world.asked.heard) == 1)
        assert world.asked.heard == [LedgerRequest(currency="USD")]
        await world.balances.put(LedgerFailed(currency="USD", reason="no line", refused=False))
        await eventually(lambda: len(world.asked.heard) == 2)
        assert not world.told().known
        stage.kill()
        await eventually(lambda: len(world.asked.heard) == 3)
        entry = LedgerEntry(
            entry_id=7,
            currency="USD",
            wallet_type="exchange",
            time_ms=5,
            amount=Decimal(400),
            balance=Decimal(1400),
            description="Deposit (BITCOIN) #2168494 on wallet exchange",
        )
        await world.balances.put(LedgerReport(currency="USD", entries=(entry,), whole=True))
        await eventually(lambda: world.told().known)
        assert world.told().flows == 400
        await eventually(lambda: bool(world.differences()))
        assert world.differences() == [
            "400 USD came into the exchange wallet while the private line was down: neither won nor lost"
        ]
        await world.balances.put(wallets("1100"))
        await eventually(lambda: len(world.asked.heard) == 4)
        await world.balances.put(LedgerFailed(currency="USD", reason="no permission", refused=True))
        await eventually(lambda: world.told().known)
        assert world.told().flows == 400
        await trio.sleep(60)
        assert len(world.asked.heard) == 4


async def test_a_ledger_that_is_not_answered_is_not_asked_for_on_top_of_that(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """REST was down: each five seconds one more request waited, until the history of orders found no place any more."""
    world, disk = World(), MemoryDisk()
    world.ledgers = Channel("ledgers", Overflow.CONFLATE, key=lambda request: request.currency)
    async with world.run(disk):
        await world.balances.put(wallets("1000"))
        await eventually(lambda: bool(world.listener.heard) and world.told().known)
        await world.balances.put(wallets("1400"))
        await eventually(lambda: len(world.asked.heard) == 1)
        await trio.sleep(100)
        assert len(world.asked.heard) == 1
        await trio.sleep(30)
        assert len(world.asked.heard) == 2, "an answer that was lost is not waited for for ever"
        await world.balances.put(LedgerFailed(currency="USD", reason="no line", refused=False))
        await trio.sleep(4)
        assert len(world.asked.heard) == 2
        await trio.sleep(2)
        assert len(world.asked.heard) == 3
