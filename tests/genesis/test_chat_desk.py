"""What the chat asks and commands goes through the engine as a person's hand on the page would."""

import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import trio

from genesis.chat_desk import ChatDesk
from protocols.orders import Flatten
from protocols.risk import AccountState, TradingState
from protocols.trading import FlattenView
from protocols.units import Symbol
from tests.house import House, check_books, house, lively_layer, piece_of
from tests.web.fakes import BTC, a_lot, an_account, some_readers
from web.controls import Controls
from web.models import EngineStatus, ReplayProgress


@asynccontextmanager
async def a_day(tmp_path: Path) -> AsyncIterator[tuple[House, ChatDesk]]:
    async with house(tmp_path, recording=piece_of(minutes=22, skip=600), layer=lively_layer()) as here:
        await here.replay()
        await here.all_orders_known()
        engine = here.engine
        yield (
            here,
            ChatDesk(
                readers=engine.readers, controls=engine.controls, clock=engine.clock, chance=random.Random("chat")
            ),
        )


def code_of(text: str) -> str:
    found = re.search(r"/confirm (\d{4})", text)
    assert found is not None, text
    return found.group(1)


async def test_questions_are_answered_from_what_the_engine_knows(tmp_path: Path) -> None:
    async with a_day(tmp_path) as (_, desk):
        status = await desk.answer("/status@genesis_bot")
        assert "sim, ACTIVE" in status
        assert "stop " in status
        assert "NO STOP" not in status
        assert "bought" not in await desk.answer("/trades 3")
        assert (await desk.answer("/trades 3")).count("\n") == 2
        assert "every position has its stop" in await desk.answer("/health")
        assert "equity" in await desk.answer("/profit")
        assert "stop" in await desk.answer("/orders")
        assert (await desk.answer("/daily 3")).count("\n") == 2
        assert "trades" in await desk.answer("/weekly")
        assert "tBTCUSD" in await desk.answer("/whitelist")
        assert "tBTCUSD" in await desk.answer("/performance")
        assert "won" in await desk.answer("/exits")
        for asked in (
            "/monthly",
            "/balance",
            "/risk",
            "/locks",
            "/count",
            "/logs",
            "/show_config",
            "/version",
            "/help",
            "/entries",
            "/mix_tags tBTCUSD",
            "/regime",
            "/sysinfo",
            "/status tBTCUSD",
            "/profit 7",
            "/reload_config",
            "/reload_trade",
            "/delete 1",
        ):
            assert await desk.answer(asked)


FREQTRADE = (
    "start stop stopentry status order trades count profit performance balance daily weekly monthly stats "
    "exits entries mix_tags locks unlock forceexit forcelong forceshort forceenter cancel_open_order "
    "reload_trade delete whitelist blacklist blacklist_delete reload_config show_config logs help version "
    "health sysinfo marketdir pause "
).split()


async def test_whoever_comes_from_freqtrade_finds_each_command_or_why_there_is_none(tmp_path: Path) -> None:
    async with a_day(tmp_path) as (_, desk):
        for name in FREQTRADE:
            assert "that /help lists" not in await desk.answer(f"/{name}"), name


async def test_an_entry_by_hand_is_sent_once_it_is_confirmed_and_risk_has_its_say(tmp_path: Path) -> None:
    async with a_day(tmp_path) as (here, desk):
        orders = here.engine.cells.orders
        before = orders.value.orders_total
        asked = await desk.answer("/forcelong btcusd 0.01")
        assert asked.startswith("buy 0.01 tBTCUSD at market: risk judges it")
        assert orders.value.orders_total == before
        assert "is sent" in await desk.answer(f"/confirm {code_of(asked)}")
        await here.all_orders_known()
        mine = [one for one in here.engine.readers.orders() if (one.intent_id or "").startswith("manual:chat:")]
        assert [(one.symbol, one.side.value, one.purpose.value) for one in mine] == [("tBTCUSD", "buy", "manual")]
        await desk.answer("/stop")
        refused = await desk.answer(f"/confirm {code_of(await desk.answer('/forcelong tBTCUSD 0.01 100'))}")
        assert refused == "refused: halted: trading is HALTED: /stop"
        short = await desk.answer("/forceshort tBTCUSD 0.01 90000")
        assert short.startswith("sell 0.01 tBTCUSD at 90000 or better on margin")


async def test_a_blacklisted_symbol_takes_no_entry_until_it_is_confirmed_again(tmp_path: Path) -> None:
    async with a_day(tmp_path) as (_, desk):
        assert await desk.answer("/blacklist") == "no symbol is locked"
        assert "no entries in tBTCUSD" in await desk.answer("/blacklist BTCUSD")
        assert await desk.answer("/blacklist") == "tBTCUSD"
        refused = await desk.answer(f"/confirm {code_of(await desk.answer('/forcelong tBTCUSD 0.01'))}")
        assert "refused: locked" in refused
        asked = await desk.answer("/blacklist_delete tbtcusd")
        assert await desk.answer("/blacklist") == "tBTCUSD"
        assert "open for entries again" in await desk.answer(f"/confirm {code_of(asked)}")
        assert await desk.answer("/blacklist") == "no symbol is locked"


NONSENSE = (
    "/forcelong",
    "/forcelong tBTCUSD",
    "/forcelong tXXXYYY 1",
    "/forcelong tBTCUSD NaN",
    "/forceshort tBTCUSD 1 -5",
    "/blacklist tXXXYYY",
    "/blacklist_delete tBTCUSD",
    "",
    "/",
    "/nothing",
    "/forceexit",
    "/forceexit tXXXYYY",
    "/unlock 1",
    "/cancel",
    "/confirm",
    "/confirm 1",
)


async def test_nonsense_gets_a_sentence_and_does_nothing(tmp_path: Path) -> None:
    async with a_day(tmp_path) as (here, desk):
        before = here.engine.cells.orders.value.orders_total
        for line in NONSENSE:
            assert "must" in await desk.answer(line), line
        assert here.engine.cells.orders.value.orders_total == before


async def test_stop_halts_at_once_and_start_asks_first(tmp_path: Path) -> None:
    async with a_day(tmp_path) as (here, desk):
        await desk.answer("/stop")
        status = here.engine.cells.risk.value
        assert status is not None
        assert status.state is TradingState.HALTED
        asked = await desk.answer("/start")
        status = here.engine.cells.risk.value
        assert status is not None
        assert status.state is TradingState.HALTED
        assert await desk.answer(f"/confirm {code_of(asked)}") == "trading is active"
        assert "must be one" in await desk.answer(f"/confirm {code_of(asked)}")


class Stepping:
    """A clock that goes on by so much with each look, whatever the machine takes."""

    def __init__(self, step_s: float) -> None:
        self.step_s = step_s
        self.looks = 0

    def now(self) -> float:
        self.looks += 1
        return self.looks * self.step_s

    def now_ns(self) -> int:
        return 0

    def wall_ms(self) -> int:
        return 0


async def test_forceexit_closes_only_when_it_is_confirmed(tmp_path: Path) -> None:
    async with a_day(tmp_path) as (here, _):
        engine = here.engine
        desk = ChatDesk(
            readers=engine.readers, controls=engine.controls, clock=Stepping(5.0), chance=random.Random("chat")
        )
        asked = await desk.answer("/forceexit all")
        assert "EVERYTHING will be closed" in asked
        await here.all_orders_known()
        account = here.engine.cells.account.value
        assert account is not None
        assert any(one.quantity for one in account.state.positions)
        told = await desk.answer(f"/confirm {code_of(asked)}")
        # The recording is over: nobody buys what is sold, and the chat does not wait for it for ever.
        assert told.startswith("everything: closing; after 4 s open orders: "), told
        assert told.endswith("it goes on: see /status"), told
        flattened = [order for order in here.engine.readers.orders() if order.purpose.value == "flatten"]
        with trio.fail_after(60):
            while not flattened:
                await here.engine.cells.orders.changed(here.engine.cells.orders.version)
                flattened = [order for order in here.engine.readers.orders() if order.purpose.value == "flatten"]
        await here.all_orders_known()
        check_books(here)


@pytest.mark.parametrize(
    ("left", "given_up", "held", "told"),
    [
        ((), (), "0", "tBTCUSD: done: no order is open and nothing is held"),
        (
            (BTC,),
            (),
            "0.5",
            "tBTCUSD: closing; after 4 s open orders: 0, held: 0.5 tBTCUSD; the recording is over, nothing trades any "
            "more: see /status",
        ),
        (
            (),
            (BTC,),
            "0.5",
            "tBTCUSD: closing; after 4 s open orders: 0, held: 0.5 tBTCUSD; given up after three tries: tBTCUSD: "
            "see /status",
        ),
    ],
)
async def test_forceexit_answers_what_came_of_it(
    left: tuple[Symbol, ...], given_up: tuple[Symbol, ...], held: str, told: str
) -> None:
    """ "Closing" is no answer to whoever sits in a train and sold because the market fell."""
    over = ReplayProgress(recording="a", start_ms=0, end_ms=1, at_ms=1, fraction=1.0, done=bool(left))
    status = EngineStatus(mode="sim", version="1", replay=over)
    asked: list[Flatten] = []

    async def flatten(wish: Flatten) -> None:
        asked.append(wish)

    def flattens() -> tuple[FlattenView, ...]:
        return tuple(
            FlattenView(flatten_id=one.correlation_id, symbol=one.symbol, left=left, given_up=given_up, last_cid=9)
            for one in asked
        )

    def account() -> AccountState:
        amount = Decimal("0.5") if not asked else Decimal(held)
        state = an_account()
        return msgspec.structs.replace(state, positions=(msgspec.structs.replace(state.positions[0], quantity=amount),))

    desk = ChatDesk(
        readers=some_readers(account=account, flattens=flattens, orders=lambda: (), status=lambda: status),
        controls=Controls(flatten=flatten),
        clock=Stepping(2.0),
        chance=random.Random("chat"),
    )
    code = code_of(await desk.answer("/forceexit tBTCUSD"))
    assert asked == []
    assert await desk.answer(f"/confirm {code}") == told
    assert [one.symbol for one in asked] == [BTC]


async def test_a_position_with_a_stop_that_trails_is_not_told_as_without_one() -> None:
    book = a_lot("tBTCUSD", "mine")
    trails = msgspec.structs.replace(book.lots[0], lot="new", stop_price=None, trailing_distance=Decimal("50.0"))
    books = (msgspec.structs.replace(book, stop_price=None, lots=(*book.lots, trails)),)
    for known, told in ((books, "stop 90, trails 50"), ((), "NO STOP")):
        desk = ChatDesk(
            readers=some_readers(brackets=lambda known=known: known),
            controls=Controls(),
            clock=Stepping(1.0),
            chance=random.Random("chat"),
        )
        assert told in await desk.answer("/status")


async def test_a_code_is_good_for_a_minute(tmp_path: Path) -> None:
    async with a_day(tmp_path) as (here, _):
        later = here.engine.clock.now()

        class Later:
            def now(self) -> float:
                return later

            def now_ns(self) -> int:
                return int(later * 1e9)

            def wall_ms(self) -> int:
                return 0

        patient = ChatDesk(
            readers=here.engine.readers, controls=here.engine.controls, clock=Later(), chance=random.Random("chat")
        )
        code = code_of(await patient.answer("/cancel all"))
        later += 61.0
        assert "within the last minute" in await patient.answer(f"/confirm {code}")
