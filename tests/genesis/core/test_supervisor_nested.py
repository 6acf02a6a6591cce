"""Supervisors under supervisors: escalation as a crash, stops that reach all the way down, and chaos at any height."""

import itertools
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis.core.backoff import IMMEDIATE, Backoff
from genesis.core.errors import Escalated, Killed
from genesis.core.supervisor import EventKind, Restart, Strategy, SupervisorSpec
from protocols.health import ActorStatus
from tests.genesis.core.stage import Stage


def inner(stage: Stage, name: str = "in", names: str = "x y", **spec: Any) -> SupervisorSpec:
    return SupervisorSpec(**{"id": name, "children": stage.children(names), "backoff": IMMEDIATE, **spec})


async def test_a_supervisor_that_gives_up_is_restarted_by_its_parent_as_a_crash(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """In OTP a supervisor gives up with `shutdown`, and a transient one stays down; ours does not."""
    spec = SupervisorSpec(id="top", children=(stage.child("a"), inner(stage, restart=Restart.TRANSIENT, intensity=0)))
    async with stage.runs(spec) as supervisor:
        stage.fresh_log()
        await stage.crash("x")
        assert stage.log == ["-x", "-y", "+x", "+y"]
        view = supervisor.tree().children[1]
        assert (view.name, view.restarts, view.generation) == ("in", 1, 2)
        assert view.status is ActorStatus.RUNNING
        assert (view.last_error or "").startswith("Escalated: top/in gave up")
        assert stage.kinds("top/in") == [
            EventKind.STARTED,
            EventKind.READY,
            EventKind.ESCALATED,
            EventKind.CRASHED,
            EventKind.STARTED,
            EventKind.READY,
        ]
    assert stage.failure is None


@pytest.mark.parametrize(("inner_intensity", "outer_intensity"), [(0, 0), (0, 2), (2, 0), (1, 1), (2, 3)])
async def test_the_crashes_it_takes_to_bring_down_the_root_multiply(
    stage: Stage, inner_intensity: int, outer_intensity: int, autojump_clock: MockClock
) -> None:
    spec = SupervisorSpec(
        id="top", intensity=outer_intensity, children=(inner(stage, names="x", intensity=inner_intensity),)
    )
    crashes = 0
    async with stage.runs(spec):
        while not stage.ended.is_set():
            await stage.crash("x")
            crashes += 1
    assert crashes == (inner_intensity + 1) * (outer_intensity + 1)
    assert isinstance(stage.failure, Escalated)


async def test_a_branch_that_takes_minutes_to_give_up_does_not_give_up_for_ever(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """It lives longer than what counts as stable, each time; its failures are a row all the same."""
    spec = SupervisorSpec(
        id="top",
        intensity=9,
        period_s=10,
        max_consecutive=3,
        stable_after_s=30,
        children=(inner(stage, names="x", intensity=0),),
    )
    crashes = 0
    async with stage.runs(spec):
        while not stage.ended.is_set() and crashes < 10:
            await trio.sleep(240)
            await stage.crash("x")
            crashes += 1
    assert crashes == 4
    assert "top/in failed 4 times in a row" in str(stage.failure)


async def test_a_nested_supervisor_that_cannot_start_fails_the_whole_first_start(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.start_fails["y"] = lambda _: True
    spec = SupervisorSpec(id="top", intensity=9, children=(stage.child("a"), inner(stage)))
    with pytest.raises(Escalated, match="top/in gave up: top/in/y did not start"):
        await stage.supervisor(spec).run()
    assert stage.log == ["+a", "+x", "+y", "-y", "-x", "-a"]


async def test_a_nested_supervisor_that_cannot_start_again_is_retried_by_its_parents_budget(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.start_fails["y"] = lambda start: start in (2, 3)
    spec = SupervisorSpec(id="top", intensity=3, children=(inner(stage, intensity=0),))
    async with stage.runs(spec):
        await stage.crash("x")
        assert stage.starts["y"] == 4
        assert sorted(stage.alive) == ["x", "y"]
    assert stage.failure is None


async def test_one_for_all_takes_a_whole_branch_down_and_up(stage: Stage, autojump_clock: MockClock) -> None:
    spec = SupervisorSpec(id="top", strategy=Strategy.ONE_FOR_ALL, children=(inner(stage), stage.child("a")))
    async with stage.runs(spec):
        stage.fresh_log()
        await stage.crash("a")
        assert stage.log == ["-a", "-y", "-x", "+x", "+y", "+a"]


async def test_a_branch_with_a_finite_deadline_is_fenced_as_a_whole(stage: Stage, autojump_clock: MockClock) -> None:
    stage.stop_takes_s["x"] = 100
    branch = SupervisorSpec(id="in", children=stage.children("x y", shutdown_s=50), shutdown_s=10)
    async with stage.runs(SupervisorSpec(id="top", children=(stage.child("a"), branch))) as supervisor:
        await supervisor.stop()
        assert trio.current_time() == 10
        assert set(supervisor.zombies) == {"top/in", "top/in/x"}
    assert supervisor.zombies == ()


async def test_a_zombie_below_is_a_crash_of_its_supervisor_and_the_parent_starts_anew(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.stop_takes_s["x"] = 100
    branch = SupervisorSpec(id="in", children=stage.children("x y", shutdown_s=5), backoff=IMMEDIATE)
    async with stage.runs(SupervisorSpec(id="top", children=(branch,))) as supervisor:
        first = stage.alive["x"]
        assert supervisor.kill("in/x", reason="drill")
        await trio.sleep(6)
        assert supervisor.zombies == ("top/in/x",)
        assert supervisor.tree().children[0].status is ActorStatus.RUNNING
        assert stage.alive["x"] is not first
        stage.stop_takes_s.clear()


async def test_kill_reaches_any_height(stage: Stage, autojump_clock: MockClock) -> None:
    deep = SupervisorSpec(id="deep", children=stage.children("x"), backoff=IMMEDIATE)
    mid = SupervisorSpec(id="mid", children=(deep, stage.child("m")), backoff=IMMEDIATE)
    async with stage.runs(SupervisorSpec(id="top", children=(mid, stage.child("a")))) as supervisor:
        stage.fresh_log()
        assert supervisor.kill("mid/deep/x", reason="leaf")
        await stage.settle()
        assert stage.fresh_log() == ["-x", "+x"]
        assert supervisor.kill("top/mid/deep", reason="branch")
        await stage.settle()
        assert stage.fresh_log() == ["-x", "+x"]
        assert supervisor.kill("mid", reason="trunk")
        await stage.settle()
        assert stage.fresh_log() == ["-m", "-x", "+x", "+m"]
        assert not supervisor.kill("mid/none/x", reason="nobody")
        errors = {event.path: event.error for event in stage.events if event.kind is EventKind.CRASHED}
        assert all(isinstance(error, Killed) for error in errors.values())
        assert set(errors) == {"top/mid/deep/x", "top/mid/deep", "top/mid"}


async def test_generations_rise_over_the_restarts_of_their_supervisor(stage: Stage, autojump_clock: MockClock) -> None:
    async with stage.runs(SupervisorSpec(id="top", intensity=9, children=(inner(stage, intensity=0),))):
        for _ in range(3):
            await stage.crash("x")
        generations = [event.generation for event in stage.events if event.path == "top/in/y"]
        assert generations == sorted(generations)
        starts = [event for event in stage.events if event.path == "top/in/y" and event.kind is EventKind.STARTED]
        assert [event.generation for event in starts] == [1, 2, 3, 4]


async def test_a_branch_in_its_pause_is_stopped_at_once(stage: Stage, autojump_clock: MockClock) -> None:
    branch = inner(stage, intensity=0, backoff=Backoff(base_s=60, cap_s=60, free=0))
    async with stage.runs(SupervisorSpec(id="top", children=(branch,))) as supervisor:
        await stage.crash("x")
        assert supervisor.tree().children[0].status is ActorStatus.BACKING_OFF
        await supervisor.stop()
        assert trio.current_time() < 1


async def test_a_way_out_deep_down_leaves_through_the_root(stage: Stage, autojump_clock: MockClock) -> None:
    supervisor = stage.supervisor(SupervisorSpec(id="top", intensity=9, children=(stage.child("a"), inner(stage))))
    with pytest.RaisesGroup(SystemExit):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await stage.crash("x", SystemExit(4))
    assert stage.log == ["+a", "+x", "+y", "-x", "-y", "-a"]


async def test_a_thousand_children_start_in_order_and_stop_in_reverse(stage: Stage, autojump_clock: MockClock) -> None:
    """scale_start_stop_many_children, in small."""
    names = " ".join(f"c{number}" for number in range(1000))
    async with stage.runs(SupervisorSpec(id="top", children=stage.children(names))):
        ups = stage.fresh_log()
    assert ups == [f"+c{number}" for number in range(1000)]
    assert stage.log == [f"-c{number}" for number in reversed(range(1000))]


async def test_nothing_is_left_of_a_thousand_restarts(stage: Stage, autojump_clock: MockClock) -> None:
    """Tasks return to the baseline after each fault."""
    spec = SupervisorSpec(
        id="top",
        intensity=10**6,
        max_consecutive=10**6,
        children=(inner(stage, intensity=10**6, max_consecutive=10**6),),
    )
    async with stage.runs(spec):
        before = trio.lowlevel.current_statistics().tasks_living
        for name, _ in zip(itertools.cycle("xy"), range(1000), strict=False):
            await stage.crash(name)
        assert trio.lowlevel.current_statistics().tasks_living == before
