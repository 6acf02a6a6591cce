"""Those who can wait come back when nobody else can go on, and nobody turns the loop for it, whatever clock it has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from genesis.core.aside import Aside
from genesis.core.rest import LoopClock
from genesis.core.term import Term

TERM = Term("somebody", 1)


class _Plain:
    """No clock: trio's own."""


@pytest.fixture(params=[_Plain, LoopClock])
def loop_clock(request: pytest.FixtureRequest) -> object:
    """pytest-trio runs the test by whatever clock is among its fixtures."""
    made: object = request.param()
    return made


@asynccontextmanager
async def an_aside() -> AsyncIterator[Aside]:
    aside = Aside()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(aside.run)
        await trio.testing.wait_all_tasks_blocked()
        yield aside
        nursery.cancel_scope.cancel()


async def test_whoever_waits_comes_back_behind_all_who_can_go_on(nursery: trio.Nursery, loop_clock: object) -> None:
    """However many turns of the loop that takes, and whoever of them begins when the others are done."""
    heard: list[str] = []
    async with an_aside() as aside:

        async def wait() -> None:
            await aside.wait(TERM)
            heard.append("aside")

        async def act(left: int) -> None:
            for _ in range(20):
                await trio.lowlevel.checkpoint()
            heard.append("acted")
            if left:
                nursery.start_soon(act, left - 1)

        nursery.start_soon(wait)
        nursery.start_soon(act, 2)
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked(0.001)
    assert heard == ["acted", "acted", "acted", "aside", "aside"]


async def test_who_comes_later_has_a_round_of_his_own(nursery: trio.Nursery, loop_clock: object) -> None:
    rounds: list[int] = []
    async with an_aside() as aside:

        async def wait(number: int) -> None:
            await aside.wait(TERM)
            rounds.append(number)
            if number < 3:
                nursery.start_soon(wait, number + 1)

        nursery.start_soon(wait, 1)
        await trio.testing.wait_all_tasks_blocked(0.001)
    assert rounds == [1, 2, 3]


async def test_a_loop_that_never_rests_is_waited_for_until_the_second_look(
    nursery: trio.Nursery, loop_clock: object
) -> None:
    back: list[str] = []
    async with an_aside() as aside:

        async def wait(name: str) -> None:
            await aside.wait(TERM)
            back.append(name)

        async def turn() -> None:
            for _ in range(10):
                await trio.lowlevel.checkpoint()

        nursery.start_soon(wait, "first")
        await turn()
        aside.look()
        await turn()
        assert back == []
        aside.look()
        await turn()
        assert back == ["first"]
        # Who comes between two looks waits for two of his own.
        nursery.start_soon(wait, "second")
        await turn()
        aside.look()
        await turn()
        assert back == ["first"]
        aside.look()
        await turn()
    assert back == ["first", "second"]


async def test_one_that_is_cancelled_is_not_waited_for(loop_clock: object) -> None:
    async with an_aside() as aside:
        with trio.move_on_after(0) as scope:
            await aside.wait(TERM)
        assert scope.cancelled_caught
        await aside.wait(TERM)


async def test_nobody_takes_a_step_while_nobody_waits_nor_while_others_act(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with an_aside() as aside:
        await aside.wait(TERM)
        await trio.sleep(1)
        steps = 0

        class Steps(trio.abc.Instrument):
            def before_task_step(self, task: trio.lowlevel.Task) -> None:
                nonlocal steps
                steps += 1

        instrument = Steps()
        trio.lowlevel.add_instrument(instrument)
        await trio.sleep(10)
        assert steps <= 2
        steps = 0

        async with trio.open_nursery() as nursery:
            nursery.start_soon(aside.wait, TERM)
            for _ in range(20):
                await trio.lowlevel.checkpoint()
            # Ours, one of whoever waits, one of who waits for rest.
            assert steps <= 20 + 3
            trio.lowlevel.remove_instrument(instrument)
