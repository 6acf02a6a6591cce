"""The scheduler: work comes round with jitter, is never begun twice at once, and a failure is told and tried again."""

import random
from contextlib import AbstractAsyncContextManager

import pytest
import trio
import trio.testing

from actors.scheduler import JITTER, Scheduled, SchedulerActor
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from protocols.health import Notice
from protocols.schedule import Overrun, ScheduleView
from tests.actors.deciding_stage import Listener, Stage, journal_channel, on_stage


class World:
    def __init__(self, *, takes_s: float = 0.0, every_s: float = 100.0, overrun: Overrun = Overrun.SKIP) -> None:
        self.began: list[float] = []
        self.takes_s, self.every_s, self.enabled, self.fails = takes_s, every_s, True, False
        self.views: Latest[tuple[ScheduleView, ...]] = Latest(())
        self.ui: Channel[Notice] = Channel("ui", Overflow.DROP_OLDEST, capacity=100)
        self.listener = Listener()
        self.overrun = overrun
        self.journal = journal_channel()

    async def work(self) -> str:
        self.began.append(trio.current_time())
        await trio.sleep(self.takes_s)
        if self.fails:
            raise ValueError("no candles")
        return "done"

    def actor(self) -> SchedulerActor:
        work = Scheduled(
            name="study",
            every_s=lambda: self.every_s,
            enabled=lambda: self.enabled,
            run=self.work,
            overrun=self.overrun,
        )
        return SchedulerActor(works=(work,), views=self.views, chance=random.Random(4), notices=self.ui)

    def run(self) -> AbstractAsyncContextManager[Stage]:
        return on_stage(self.actor, hears=(), journal=self.journal, listeners={"web": (self.listener, self.ui)})


async def test_work_comes_round_with_jitter(autojump_clock: trio.testing.MockClock) -> None:
    world = World()
    async with world.run():
        await trio.sleep(1000)
    gaps = [after - before for before, after in zip(world.began, world.began[1:], strict=False)]
    assert 8 <= len(world.began) <= 10
    assert all(100 <= gap <= 100 * (1 + JITTER) + 2 for gap in gaps)
    assert len(set(gaps)) > 3, "no two engines ask in step"
    (view,) = world.views.value
    assert (view.runs, view.failures, view.skipped, view.last_error) == (len(world.began), 0, 0, "")
    assert 0 < view.next_in_s <= 110
    assert [notice.text for notice in world.listener.heard][:2] == ["done", "done"]


@pytest.mark.parametrize(("overrun", "least"), [(Overrun.SKIP, 3), (Overrun.AFTER, 4)])
async def test_work_that_takes_too_long_is_not_begun_twice(
    autojump_clock: trio.testing.MockClock, overrun: Overrun, least: int
) -> None:
    world = World(takes_s=250.0, overrun=overrun)
    async with world.run():
        await trio.sleep(1100)
    gaps = [after - before for before, after in zip(world.began, world.began[1:], strict=False)]
    assert all(gap >= 250 for gap in gaps)
    assert len(world.began) >= least
    (view,) = world.views.value
    assert (view.skipped > 3) == (overrun is Overrun.SKIP)
    if overrun is Overrun.AFTER:
        assert gaps[0] == 250.0, "what came due meanwhile is done at once afterwards"


async def test_a_failure_is_told_and_the_next_round_is_tried(autojump_clock: trio.testing.MockClock) -> None:
    world = World()
    world.fails = True
    async with world.run():
        await trio.sleep(350)
        (view,) = world.views.value
        assert (view.failures, view.last_error) == (3, "study could not be done: no candles")
        world.fails = False
        await trio.sleep(120)
        assert world.views.value[0].last_error == ""
        world.enabled = False
        count = len(world.began)
        await trio.sleep(500)
        assert len(world.began) == count
        assert not world.views.value[0].enabled
    assert {notice.level for notice in world.listener.heard} == {"warning", "info"}
