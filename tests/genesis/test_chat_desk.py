"""What the chat asks and commands goes through the engine as a person's hand on the page would."""

import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from genesis.chat_desk import ChatDesk
from protocols.risk import TradingState
from tests.house import House, check_books, house, lively_layer, piece_of


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
        ):
            assert await desk.answer(asked)


NONSENSE = ("", "/", "/nothing", "/forceexit", "/forceexit tXXXYYY", "/unlock 1", "/cancel", "/confirm", "/confirm 1")


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


async def test_forceexit_closes_only_when_it_is_confirmed(tmp_path: Path) -> None:
    async with a_day(tmp_path) as (here, desk):
        asked = await desk.answer("/forceexit all")
        assert "EVERYTHING will be closed" in asked
        await here.all_orders_known()
        account = here.engine.cells.account.value
        assert account is not None
        assert any(one.quantity for one in account.state.positions)
        await desk.answer(f"/confirm {code_of(asked)}")
        flattened = [order for order in here.engine.readers.orders() if order.purpose.value == "flatten"]
        with trio.fail_after(5):
            while not flattened:
                await here.engine.cells.orders.changed(here.engine.cells.orders.version)
                flattened = [order for order in here.engine.readers.orders() if order.purpose.value == "flatten"]
        await here.all_orders_known()
        check_books(here)


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
