"""What a woken task is told: nothing, as often as it is woken."""

from collections import deque
from collections.abc import AsyncGenerator, Generator
from typing import Any

import trio
import trio._core._run as trio_run
import trio.testing
from typing_extensions import override

from genesis.core.channel import Doorbell
from genesis.core.woken import WOKEN, wake


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


class Line(deque[Any]):
    """A run's queue that looks whether an interrupt could come while somebody is put in it."""

    def __init__(self, queue: deque[Any]) -> None:
        super().__init__(queue)
        self.protected: list[bool] = []

    @override
    def append(self, task: Any) -> None:
        self.protected.append(trio.lowlevel.currently_ki_protected())
        super().append(task)


class Bell(Doorbell):
    """One that looks whether an interrupt could come before it has forgotten whom it woke."""

    __slots__ = ("protected", "whom")

    def __init__(self) -> None:
        self.protected: list[bool] = []
        super().__init__()

    @property
    def task(self) -> trio.lowlevel.Task | None:
        return self.whom

    @task.setter
    def task(self, whom: trio.lowlevel.Task | None) -> None:
        self.whom = whom
        self.protected.append(trio.lowlevel.currently_ki_protected())


async def test_no_interrupt_leaves_a_task_half_awake() -> None:
    """It would sleep no more, and never come into the queue of who goes on: nothing could end the run."""
    bell, asleep = Bell(), list[trio.lowlevel.Task]()

    async def other() -> None:
        asleep.append(trio.lowlevel.current_task())
        await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.SUCCEEDED)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bell.wait)
        nursery.start_soon(other)
        await trio.testing.wait_all_tasks_blocked()
        runner = trio_run.GLOBAL_RUN_CONTEXT.runner
        before, runner.runq = runner.runq, Line(runner.runq)
        assert not trio.lowlevel.currently_ki_protected()
        bell.protected.clear()
        wake(asleep[0])
        bell.ring()
        assert runner.runq.protected == [True, True]
        assert bell.protected == [True]
        before.extend(runner.runq)
        runner.runq = before
