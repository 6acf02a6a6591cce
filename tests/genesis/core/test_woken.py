"""What a woken task is told: nothing, as often as it is woken."""

from collections.abc import AsyncGenerator, Generator

import trio
import trio.testing

from genesis.core.woken import WOKEN


async def test_one_object_wakes_many_tasks_many_times() -> None:
    asleep: list[trio.lowlevel.Task] = []
    heard: list[object] = []

    async def sleeper() -> None:
        for _ in range(3):
            asleep.append(trio.lowlevel.current_task())
            heard.append(await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.SUCCEEDED))

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(sleeper)
        for _ in range(3):
            await trio.testing.wait_all_tasks_blocked()
            for task in asleep:
                trio.lowlevel.reschedule(task, WOKEN)
            asleep.clear()
    assert heard == [None] * 6


async def test_generators_are_told_the_same() -> None:
    def once() -> Generator[object, None, None]:
        yield (yield "first")

    async def once_later() -> AsyncGenerator[object, None]:
        yield (yield "first")

    steps, later = once(), once_later()
    assert next(steps) == "first"
    assert WOKEN.send(steps) is None
    assert await anext(later) == "first"
    assert await WOKEN.asend(later) is None
    await later.aclose()
