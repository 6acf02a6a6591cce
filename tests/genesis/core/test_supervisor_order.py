"""Starting in order, stopping in reverse, and what a stop may cost."""

import math

import pytest
import trio
from trio.testing import MockClock

from genesis.core.actor import Actor, Context
from genesis.core.errors import Escalated
from genesis.core.supervisor import ChildSpec, EventKind, Strategy, SupervisorSpec
from protocols.health import ActorStatus
from tests.genesis.core.stage import Stage


async def test_children_start_in_order_each_after_the_one_before_is_ready(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.start_takes_s.update(a=3, b=2, c=1)
    async with stage.runs(SupervisorSpec(id="top", children=stage.children("a b c"))):
        assert stage.log == ["+a", "+b", "+c"]
        assert trio.current_time() == 6
        started = [event for event in stage.events if event.kind is EventKind.STARTED]
        assert [event.at_s for event in started] == [0, 3, 5]


async def test_children_stop_in_reverse_one_after_the_other(stage: Stage, autojump_clock: MockClock) -> None:
    stage.stop_takes_s.update(a=1, b=2, c=3)
    async with stage.runs(SupervisorSpec(id="top", children=stage.children("a b c"))) as supervisor:
        stage.fresh_log()
        await supervisor.stop()
        assert stage.log == ["-c", "-b", "-a"]
        assert trio.current_time() == 6
    assert stage.failure is None


@pytest.mark.parametrize("strategy", Strategy)
async def test_a_cancellation_from_outside_stops_them_in_reverse_too(
    stage: Stage, strategy: Strategy, autojump_clock: MockClock
) -> None:
    """Cancelling a plain nursery ends its tasks in any order."""
    supervisor = stage.supervisor(SupervisorSpec(id="top", strategy=strategy, children=stage.children("a b c d e")))
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        stage.fresh_log()
        nursery.cancel_scope.cancel()
    assert stage.log == ["-e", "-d", "-c", "-b", "-a"]
    assert supervisor.tree().status is ActorStatus.STOPPED


async def test_a_child_that_fails_to_start_at_first_ends_the_supervisor(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """OTP: start_link returns {error, {shutdown, {failed_to_start_child, ...}}}; there are no retries."""
    stage.start_fails["b"] = lambda _: True
    with pytest.raises(Escalated, match="b did not start: Boom: b does not start"):
        await stage.supervisor(SupervisorSpec(id="top", intensity=99, children=stage.children("a b c"))).run()
    assert stage.log == ["+a", "+b", "-b", "-a"]


async def test_a_factory_that_raises_is_a_failed_start(stage: Stage, autojump_clock: MockClock) -> None:
    def broken() -> Actor:
        raise LookupError("no such thing")

    spec = SupervisorSpec(id="top", children=(*stage.children("a"), ChildSpec(id="b", start=broken)))
    with pytest.raises(Escalated, match="LookupError: no such thing"):
        await stage.supervisor(spec).run()
    assert stage.log == ["+a", "-a"]


async def test_a_child_that_is_never_ready_fails_its_start_after_the_time_out(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.start_takes_s["b"] = 1000
    children = (stage.child("a"), stage.child("b", start_timeout_s=7))
    with pytest.raises(Escalated, match=r"b must be ready within 7 s, was not"):
        await stage.supervisor(SupervisorSpec(id="top", children=children)).run()
    assert trio.current_time() == 7
    assert stage.log == ["+a", "+b", "-b", "-a"]


async def test_a_permanent_child_that_returns_before_ready_fails_its_start(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.returns_before_ready["a"] = True
    with pytest.raises(Escalated, match=r"a must say ready\(\) before it returns, did not"):
        await stage.supervisor(SupervisorSpec(id="top", children=stage.children("a"))).run()


async def test_a_stop_during_the_first_start_is_heard_at_once(stage: Stage, autojump_clock: MockClock) -> None:
    stage.start_takes_s["b"] = 20
    supervisor = stage.supervisor(SupervisorSpec(id="top", children=stage.children("a b c")))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        await supervisor.stop()
        assert trio.current_time() == 1
    assert stage.log == ["+a", "+b", "-b", "-a"]


async def test_a_stop_before_the_run_makes_the_run_end_at_once(stage: Stage) -> None:
    supervisor = stage.supervisor(SupervisorSpec(id="top", children=stage.children("a")))
    await supervisor.stop()
    await supervisor.run()
    assert stage.log == []


async def test_no_children_is_a_tree_too(stage: Stage, autojump_clock: MockClock) -> None:
    async with stage.runs(SupervisorSpec(id="top", children=())) as supervisor:
        assert supervisor.tree().children == ()
        assert supervisor.idle()


async def test_each_child_has_its_own_deadline(stage: Stage, autojump_clock: MockClock) -> None:
    stage.stop_takes_s.update(a=4, b=9)
    children = (stage.child("a", shutdown_s=5), stage.child("b", shutdown_s=10))
    async with stage.runs(SupervisorSpec(id="top", children=children)) as supervisor:
        await supervisor.stop()
        assert trio.current_time() == 13
        assert supervisor.zombies == ()


async def test_a_child_without_deadline_is_waited_for(stage: Stage, autojump_clock: MockClock) -> None:
    stage.stop_takes_s["a"] = 100_000
    async with stage.runs(SupervisorSpec(id="top", children=stage.children("a", shutdown_s=math.inf))) as supervisor:
        await supervisor.stop()
        assert trio.current_time() == 100_000
        assert supervisor.zombies == ()


async def test_a_child_that_does_not_end_is_a_zombie_and_the_others_are_stopped_all_the_same(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.stop_takes_s["b"] = 3600
    reasons: list[tuple[float, str]] = []
    spec = SupervisorSpec(id="top", children=stage.children("a b c", shutdown_s=12))
    ears = {"last_resort": lambda reason: reasons.append((trio.current_time(), reason))}
    async with stage.runs(spec, **ears) as supervisor:
        stage.fresh_log()
        await supervisor.stop()
        assert trio.current_time() == 12
        assert stage.log == ["-c", "-a"]
        assert list(supervisor.zombies) == ["top/b"]
        assert [child.status for child in supervisor.tree().children] == [
            ActorStatus.STOPPED,
            ActorStatus.ZOMBIE,
            ActorStatus.STOPPED,
        ]
        await stage.settle()
        assert reasons == [(12, "zombies: top/b")]
        assert not stage.ended.is_set(), "trio cannot leave a nursery with a live task"
    assert trio.current_time() == 3600
    assert list(supervisor.zombies) == [], "it has ended after all"


async def test_a_zombie_in_a_restart_makes_the_supervisor_give_up(stage: Stage, autojump_clock: MockClock) -> None:
    stage.stop_takes_s["b"] = 60
    spec = SupervisorSpec(
        id="top", strategy=Strategy.ONE_FOR_ALL, intensity=9, children=stage.children("a b", shutdown_s=5)
    )
    async with stage.runs(spec):
        await stage.crash("a")
        await stage.ended.wait()
    assert isinstance(stage.failure, Escalated)
    assert "did not end: top/b" in str(stage.failure)
    assert stage.log == ["+a", "+b", "-a", "-b"]


async def test_a_crash_in_the_clean_up_of_a_stop_is_reported_and_counts_nothing(
    stage: Stage, autojump_clock: MockClock
) -> None:
    class Clumsy:
        async def run(self, ctx: Context) -> None:
            ctx.ready()
            try:
                await trio.sleep_forever()
            finally:
                raise RuntimeError("dropped it")

    children = (ChildSpec(id="clumsy", start=Clumsy), stage.child("a"))
    spec = SupervisorSpec(id="top", strategy=Strategy.ONE_FOR_ALL, intensity=1, children=children)
    async with stage.runs(spec) as supervisor:
        await stage.crash("a")
        assert stage.kinds("top/clumsy")[2:] == [EventKind.STOP_FAILED, EventKind.STARTED, EventKind.READY]
        assert supervisor.tree().children[0].last_error == "RuntimeError: dropped it"
        assert supervisor.tree().children[0].restarts == 0
    assert stage.failure is None


async def test_an_actor_that_listens_to_stopping_gets_half_its_deadline(
    stage: Stage, autojump_clock: MockClock
) -> None:
    ended: list[tuple[str, float]] = []

    class Polite:
        def __init__(self, name: str, needs_s: float) -> None:
            self.name = name
            self.needs_s = needs_s

        async def run(self, ctx: Context) -> None:
            stopping = ctx.stopping
            ctx.ready()
            try:
                await stopping.wait()
                await trio.sleep(self.needs_s)
            finally:
                ended.append((self.name, trio.current_time()))

    children = (
        ChildSpec(id="slow", start=lambda: Polite("slow", 1000), shutdown_s=10),
        ChildSpec(id="quick", start=lambda: Polite("quick", 4), shutdown_s=10),
    )
    async with stage.runs(SupervisorSpec(id="top", children=children)) as supervisor:
        await supervisor.stop()
        assert ended == [("quick", 4), ("slow", 9)]
        assert supervisor.zombies == ()


async def test_deep_trees_start_depth_first_and_stop_in_the_exact_reverse(
    stage: Stage, autojump_clock: MockClock
) -> None:
    def branch(name: str) -> SupervisorSpec:
        return SupervisorSpec(id=name, children=stage.children(f"{name}1 {name}2"))

    spec = SupervisorSpec(id="top", children=(stage.child("a"), branch("b"), stage.child("c"), branch("d")))
    async with stage.runs(spec):
        started = stage.fresh_log()
        assert started == ["+a", "+b1", "+b2", "+c", "+d1", "+d2"]
    assert [line[1:] for line in stage.log] == [line[1:] for line in reversed(started)]


@pytest.mark.parametrize("way_out", [KeyboardInterrupt, SystemExit])
async def test_a_way_out_of_the_program_leaves_after_all_children_have_stopped(
    stage: Stage, way_out: type[BaseException], autojump_clock: MockClock
) -> None:
    supervisor = stage.supervisor(SupervisorSpec(id="top", intensity=9, children=stage.children("a b c")))
    with pytest.RaisesGroup(way_out):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await stage.crash("b", way_out())
    assert stage.log == ["+a", "+b", "+c", "-b", "-c", "-a"]


async def test_a_way_out_while_stopping_leaves_after_all_children_have_stopped(
    stage: Stage, autojump_clock: MockClock
) -> None:
    class Quitter:
        async def run(self, ctx: Context) -> None:
            ctx.ready()
            try:
                await trio.sleep_forever()
            finally:
                raise SystemExit(3)

    children = (*stage.children("a"), ChildSpec(id="q", start=Quitter), *stage.children("c"))
    supervisor = stage.supervisor(SupervisorSpec(id="top", children=children))
    with pytest.RaisesGroup(SystemExit):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await supervisor.stop()
    assert stage.log == ["+a", "+c", "-c", "-a"]
