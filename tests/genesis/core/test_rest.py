"""The clock that tells of rest: behind all who can go on, before any time passes, and otherwise as trio's own."""

import socket
from random import Random

import pytest
import trio
import trio.testing

from genesis.core.aside import Aside
from genesis.core.rest import LoopClock, RestClock, loop_at_rest
from genesis.core.term import Term
from genesis.worlds.hooks import run_virtual

TERM = Term("somebody", 1)


@pytest.fixture
def clock() -> LoopClock:
    return LoopClock()


async def test_rest_comes_behind_whoever_the_kernel_has_something_for(clock: LoopClock) -> None:
    """No task can go on before the kernel was asked: the loop is not at rest for that."""
    heard: list[str] = []
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)

        async def read() -> None:
            await trio.lowlevel.wait_readable(here)
            heard.append("read")
            await trio.lowlevel.checkpoint()
            heard.append("thought")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            there.send(b"x")
            await loop_at_rest()
            heard.append("rest")
    assert heard == ["read", "thought", "rest"]


async def test_it_is_told_once(clock: LoopClock) -> None:
    told: list[str] = []
    clock.at_rest(lambda: told.append("first"))
    await trio.sleep(0.001)
    clock.at_rest(lambda: told.append("second"))
    await trio.sleep(0.001)
    assert told == ["first", "second"]


async def test_who_asks_while_it_is_told_hears_of_the_next_rest(clock: LoopClock) -> None:
    rounds: list[int] = []

    def again() -> None:
        rounds.append(len(rounds))
        if len(rounds) < 3:
            clock.at_rest(again)

    clock.at_rest(again)
    await trio.sleep(0.001)
    assert rounds == [0, 1, 2]


async def test_one_that_is_cancelled_hears_nothing(clock: LoopClock) -> None:
    with trio.move_on_after(0) as scope:
        await loop_at_rest()
    assert scope.cancelled_caught
    await loop_at_rest()


@pytest.mark.parametrize("wait_s", [0.0, 0.002])
async def test_time_passes_as_by_the_clock_of_trio(clock: LoopClock, wait_s: float) -> None:
    began = trio.current_time()
    await trio.sleep(wait_s)
    assert wait_s <= trio.current_time() - began
    assert trio.lowlevel.current_clock() is clock


async def test_by_any_other_clock_it_is_waited_for_all_the_same(autojump_clock: trio.testing.MockClock) -> None:
    acted = 0

    async def act() -> None:
        nonlocal acted
        for _ in range(5):
            await trio.lowlevel.checkpoint()
            acted += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(act)
        await loop_at_rest()
        assert acted == 5
        assert trio.current_time() == 0


def test_in_a_world_no_time_passes_before_it() -> None:
    async def main() -> list[float]:
        assert isinstance(trio.lowlevel.current_clock(), RestClock)
        aside, came = Aside(), []
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                await aside.wait(TERM)
                came.append(trio.current_time())

            # Before and behind the one that hears of it.
            nursery.start_soon(wait)
            await loop_at_rest()
            nursery.start_soon(aside.run)
            nursery.start_soon(trio.sleep, 5)
            await loop_at_rest()
            came.append(trio.current_time())
            await trio.sleep(Random(1).random())
            nursery.start_soon(wait)
        return came

    came = run_virtual(1, main)
    assert came == [0.0, 0.0, Random(1).random()]
