"""The chaos desk: what is asked for on the page happens, the engine gets over it, and nothing is lost by it."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from genesis.chaos_desk import KINDS, ChaosDesk
from genesis.core.supervisor import EventKind
from genesis.simulator.settings import ExchangeSettings
from tests.house import House, check_books, house, lively_layer, piece_of
from web.chaos_port import FaultWish
from web.controls import Refused


@asynccontextmanager
async def a_desk(directory: Path, *, minutes: int = 5) -> AsyncIterator[tuple[House, ChaosDesk]]:
    """The venue's heartbeats, by which the loss of a last frame shows, come soon enough for a test to wait for one."""
    recording, venue = piece_of(minutes=minutes, skip=600), ExchangeSettings(heartbeat_s=0.5)
    async with house(directory, recording=recording, layer=lively_layer(), venue=venue) as here:
        await here.ready()
        yield here, ChaosDesk(here.engine, here.exchange, here.nursery)


async def _crash_of(here: House, path: str) -> str:
    with trio.fail_after(120):
        while True:
            for event in here.events:
                if event.kind is EventKind.CRASHED and event.path == path:
                    return event.text
            await trio.sleep(0.05)


@pytest.mark.parametrize("fault", ["hang", "livelock"])
async def test_an_actor_that_hangs_is_found_by_its_watchdog(tmp_path: Path, fault: str) -> None:
    async with a_desk(tmp_path, minutes=20) as (here, desk):
        text = await desk.inject(FaultWish(fault=fault, actor="engine/trading/order"))
        assert "engine/trading/order" in text
        assert [one.fault for one in desk.active()] == [fault]
        with pytest.raises(Refused, match="already"):
            await desk.inject(FaultWish(fault=fault, actor="engine/trading/order"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.exchange.replay, math.inf, here.pacer)
            assert "made no progress" in await _crash_of(here, "engine/trading/order")
        assert not desk.active()
        await here.all_orders_known()
        check_books(here)


async def test_a_market_goes_on_through_a_bad_day(tmp_path: Path) -> None:
    """Every kind of trouble that ends by itself, one after the other, while orders are placed."""
    calm = {"kill", "hang", "livelock"}
    async with a_desk(tmp_path, minutes=40) as (here, desk):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.exchange.replay, math.inf, here.pacer)
            for kind in KINDS:
                if kind.fault not in calm:
                    await desk.inject(FaultWish(fault=kind.fault, seconds=0.2))
                    await trio.sleep(0.3)
            await desk.clear()
        assert not desk.active()
        assert here.exchange.operative
        await here.ready()
        await here.all_orders_known()
        await here.wallets_agree()
        check_books(here)
        reasons = {reason for stats in here.engine.stats.values() for reason in stats.falls_by_reason}
        assert len(reasons) >= 3, reasons


async def test_while_the_socket_of_the_account_is_away_rest_stands_in_for_it(tmp_path: Path) -> None:
    """And nobody falls by it, on a clock that moves between two looks, as no world's does."""
    async with a_desk(tmp_path, minutes=40) as (here, desk):
        stats = here.engine.stats["connection_private"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.exchange.replay, math.inf, here.pacer)
            with trio.fail_after(60):
                books = here.engine.cells.orders
                while not books.value.may_need_stops:
                    await books.changed(books.version)
            assert "REST answers" in await desk.inject(FaultWish(fault="socket_away", seconds=500))
            assert [one.fault for one in desk.active()] == ["socket_away"]
            with trio.fail_after(60):
                while not stats.narrow_sessions:  # noqa: ASYNC110 - a counter for people
                    await trio.sleep(0.05)
            assert not stats.up
            await desk.clear()
        await here.ready()
        await here.all_orders_known()
        await here.wallets_agree()
        check_books(here)
        assert [event.text for event in here.events if event.kind is EventKind.CRASHED] == []


async def test_what_was_broken_can_be_mended(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (here, desk):
        await desk.inject(FaultWish(fault="maintenance", seconds=500))
        await desk.inject(FaultWish(fault="rate_limit", times=100, seconds=500))
        await desk.inject(FaultWish(fault="hang", actor="engine/venue/history"))
        assert {one.fault for one in desk.active()} == {"maintenance", "rate_limit", "hang"}
        with pytest.raises(Refused, match="maintenance already"):
            await desk.inject(FaultWish(fault="maintenance"))
        assert await desk.clear() == 3
        assert not desk.active()
        assert here.exchange.operative
        assert not here.exchange.faults.rules
        await here.ready()


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        (FaultWish(fault="meteor"), "fault must be one of kill, hang"),
        (FaultWish(fault="hang"), "needs an actor"),
        (FaultWish(fault="hang", actor="engine/trading"), "no actor with a mailbox"),
        (FaultWish(fault="kill", actor="engine/nobody"), "no actor that runs"),
        (FaultWish(fault="gap", sockets="some"), "sockets must be one of"),
        (FaultWish(fault="gap", times=0), "times must be at least 1"),
        (FaultWish(fault="stall", seconds=math.nan), "seconds must be above 0"),
        (FaultWish(fault="stall", seconds=1e9), "seconds must be above 0 and at most 600"),
    ],
)
async def test_a_wish_that_makes_no_sense_breaks_nothing(tmp_path: Path, wish: FaultWish, text: str) -> None:
    async with a_desk(tmp_path) as (_, desk):
        with pytest.raises(Refused, match=text):
            await desk.inject(wish)
        assert not desk.active()
