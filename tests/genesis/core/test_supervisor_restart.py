"""Who is restarted, whom it takes along, and when the supervisor gives up; the cases of OTP's supervisor_SUITE."""

import itertools

import pytest
import trio
from trio.testing import MockClock

from genesis.core.backoff import IMMEDIATE, Backoff
from genesis.core.errors import Escalated, Killed
from genesis.core.supervisor import EventKind, Restart, Strategy, Supervisor, SupervisorSpec
from protocols.health import ActorStatus
from tests.genesis.core.stage import Stage

ONE, ALL, REST = Strategy.ONE_FOR_ONE, Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE
P, TR, TE = Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY


def ids(supervisor: Supervisor) -> list[str]:
    return [child.name for child in supervisor.tree().children]


def statuses(supervisor: Supervisor) -> list[ActorStatus]:
    return [child.status for child in supervisor.tree().children]


# --- permanent, transient, temporary (permanent_normal ... temporary_bystander) ------------------------------------


@pytest.mark.parametrize(
    ("restart", "crashes", "log", "left"),
    [
        (P, False, ["-a", "+a"], ["a", "b"]),
        (P, True, ["-a", "+a"], ["a", "b"]),
        (TR, False, ["-a"], ["a", "b"]),
        (TR, True, ["-a", "+a"], ["a", "b"]),
        (TE, False, ["-a"], ["b"]),
        (TE, True, ["-a"], ["b"]),
    ],
)
async def test_the_restart_type_decides(
    stage: Stage, restart: Restart, crashes: bool, log: list[str], left: list[str], autojump_clock: MockClock
) -> None:
    children = (stage.child("a", restart=restart), stage.child("b"))
    async with stage.runs(SupervisorSpec(id="top", children=children)) as supervisor:
        stage.fresh_log()
        await (stage.crash("a") if crashes else stage.end("a"))
        assert stage.log == log
        assert ids(supervisor) == left
    assert stage.failure is None


@pytest.mark.parametrize(("restart", "ends"), [(P, True), (TR, False), (TE, False)])
async def test_an_end_counts_against_the_budget_only_where_it_means_a_restart(
    stage: Stage, restart: Restart, ends: bool, autojump_clock: MockClock
) -> None:
    spec = SupervisorSpec(id="top", intensity=0, children=stage.children("a", restart=restart))
    async with stage.runs(spec):
        await stage.end("a")
        assert stage.ended.is_set() is ends
    assert (stage.failure is not None) is ends


@pytest.mark.parametrize("strategy", [ALL, REST])
async def test_a_temporary_bystander_is_forgotten_when_a_siblings_crash_takes_it_down(
    stage: Stage, strategy: Strategy, autojump_clock: MockClock
) -> None:
    children = (stage.child("a"), stage.child("b", restart=TE), stage.child("c"))
    async with stage.runs(SupervisorSpec(id="top", strategy=strategy, children=children)) as supervisor:
        stage.fresh_log()
        await stage.crash("a")
        assert stage.log == ["-a", "-c", "-b", "+a", "+c"]
        assert ids(supervisor) == ["a", "c"]


async def test_a_temporary_child_before_the_crash_stays_under_rest_for_one(
    stage: Stage, autojump_clock: MockClock
) -> None:
    children = (stage.child("a", restart=TE), stage.child("b"))
    async with stage.runs(SupervisorSpec(id="top", strategy=REST, children=children)) as supervisor:
        await stage.crash("b")
        assert ids(supervisor) == ["a", "b"]


async def test_a_transient_child_that_had_ended_comes_back_with_one_for_all(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """OTP starts every child that is still in the list, whatever became of it before."""
    children = (stage.child("a"), stage.child("b", restart=TR))
    async with stage.runs(SupervisorSpec(id="top", strategy=ALL, children=children)):
        await stage.end("b")
        stage.fresh_log()
        await stage.crash("a")
        assert stage.log == ["-a", "+a", "+b"]


@pytest.mark.parametrize("restart", [TR, TE])
async def test_a_child_that_has_nothing_to_do_is_left_out(
    stage: Stage, restart: Restart, autojump_clock: MockClock
) -> None:
    """OTP's `ignore`: a start that ends normally before it is ready is no failure (sup_start_ignore_child)."""
    stage.returns_before_ready["a"] = True
    children = (stage.child("a", restart=restart), stage.child("b"))
    async with stage.runs(SupervisorSpec(id="top", children=children)) as supervisor:
        assert stage.log == ["+a", "-a", "+b"]
        assert ids(supervisor) == (["a", "b"] if restart is TR else ["b"])


async def test_a_cancellation_that_nobody_ordered_is_a_crash(stage: Stage, autojump_clock: MockClock) -> None:
    from genesis.core.actor import Context
    from genesis.core.supervisor import ChildSpec

    stolen: list[trio.Cancelled] = []

    class Thief:
        async def run(self, ctx: Context) -> None:
            ctx.ready()
            if stolen:
                await trio.sleep_forever()
            with trio.CancelScope() as scope:
                scope.cancel()
                try:
                    await trio.lowlevel.checkpoint()
                except trio.Cancelled as cancelled:
                    stolen.append(cancelled)
                    raise
            raise stolen[0]

    children = (ChildSpec(id="thief", start=Thief, restart=TR, backoff=IMMEDIATE),)
    async with stage.runs(SupervisorSpec(id="top", children=children)) as supervisor:
        await stage.settle()
        assert supervisor.tree().children[0].restarts == 1
        assert "cancelled by nobody who may" in (supervisor.tree().children[0].last_error or "")


# --- strategies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "crashed", "log"),
    [
        (ONE, "a", ["-a", "+a"]),
        (ONE, "b", ["-b", "+b"]),
        (ONE, "c", ["-c", "+c"]),
        (ALL, "a", ["-a", "-c", "-b", "+a", "+b", "+c"]),
        (ALL, "b", ["-b", "-c", "-a", "+a", "+b", "+c"]),
        (ALL, "c", ["-c", "-b", "-a", "+a", "+b", "+c"]),
        (REST, "a", ["-a", "-c", "-b", "+a", "+b", "+c"]),
        (REST, "b", ["-b", "-c", "+b", "+c"]),
        (REST, "c", ["-c", "+c"]),
    ],
)
async def test_the_strategy_decides_who_goes_along(
    stage: Stage, strategy: Strategy, crashed: str, log: list[str], autojump_clock: MockClock
) -> None:
    async with stage.runs(SupervisorSpec(id="top", strategy=strategy, children=stage.children("a b c"))):
        stage.fresh_log()
        await stage.crash(crashed)
        assert stage.log == log
    assert stage.failure is None


@pytest.mark.parametrize("strategy", [ALL, REST])
async def test_a_group_starts_in_order_each_after_the_one_before_is_ready(
    stage: Stage, strategy: Strategy, autojump_clock: MockClock
) -> None:
    async with stage.runs(SupervisorSpec(id="top", strategy=strategy, children=stage.children("a b c"))):
        stage.start_takes_s.update(a=3, b=2, c=1)
        stage.events.clear()
        await stage.crash("a")
        await trio.sleep(10)
        started = [(event.path, event.at_s) for event in stage.events if event.kind is EventKind.STARTED]
        assert started == [("top/a", 0), ("top/b", 3), ("top/c", 5)]


async def test_under_one_for_one_nobody_waits_for_anothers_restart(stage: Stage, autojump_clock: MockClock) -> None:
    async with stage.runs(SupervisorSpec(id="top", intensity=2, children=stage.children("a b"))):
        stage.start_takes_s["a"] = 20
        await stage.crash("a")
        stage.fresh_log()
        await stage.crash("b")
        assert stage.log == ["-b", "+b"]
        assert trio.current_time() < 1


async def test_a_child_that_crashes_while_others_still_start_does_not_wait_for_them(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """The one that is starting may be waiting for the answer of the one that crashed."""
    stage.start_takes_s["b"] = 20
    supervisor = stage.supervisor(SupervisorSpec(id="top", children=stage.children("a b c")))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        await stage.crash("a")
        assert stage.log == ["+a", "+b", "-a", "+a"]
        await trio.sleep(30)
        assert stage.log == ["+a", "+b", "-a", "+a", "+c"]
        await supervisor.stop()


@pytest.mark.parametrize(
    ("strategy", "log"),
    [
        # other_child_fails_restart: b is taken down by a's crash and then twice fails to start.
        (ALL, ["-a", "-c", "-b", "+a", "+b", "-b", "-a", "+a", "+b", "-b", "-a", "+a", "+b", "+c"]),
        (REST, ["-a", "-c", "-b", "+a", "+b", "-b", "+b", "-b", "+b", "+c"]),
    ],
)
async def test_a_sibling_that_fails_its_restart_is_retried_by_the_same_strategy(
    stage: Stage, strategy: Strategy, log: list[str], autojump_clock: MockClock
) -> None:
    stage.start_fails["b"] = lambda start: start in (2, 3)
    async with stage.runs(SupervisorSpec(id="top", strategy=strategy, intensity=3, children=stage.children("a b c"))):
        stage.fresh_log()
        await stage.crash("a")
        assert stage.log == log
    assert stage.failure is None


@pytest.mark.parametrize("strategy", [ALL, REST])
async def test_each_failed_restart_counts_again(stage: Stage, strategy: Strategy, autojump_clock: MockClock) -> None:
    stage.start_fails["b"] = lambda start: start in (2, 3)
    async with stage.runs(SupervisorSpec(id="top", strategy=strategy, intensity=2, children=stage.children("a b c"))):
        await stage.crash("a")
        await stage.ended.wait()
    assert isinstance(stage.failure, Escalated)


# --- intensity and period -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", Strategy)
async def test_exactly_more_than_the_intensity_within_the_period_is_too_much(
    stage: Stage, strategy: Strategy, autojump_clock: MockClock
) -> None:
    """one_for_one_escalation, one_for_all_escalation, rest_for_one_escalation."""
    spec = SupervisorSpec(id="top", strategy=strategy, intensity=3, period_s=5, children=stage.children("a b"))
    async with stage.runs(spec):
        for _ in range(3):
            await stage.crash("a")
            assert not stage.ended.is_set()
        stage.fresh_log()
        await stage.crash("a")
        await stage.ended.wait()
        assert stage.log == ["-a", "-b"]
    assert isinstance(stage.failure, Escalated)
    assert isinstance(stage.failure.__cause__, Exception)
    assert "more restarts than 3 in 5 s, the last one by top/a: Boom: a crashed" in str(stage.failure)
    assert stage.kinds("top") == [EventKind.ESCALATED]


async def test_all_children_share_one_budget(stage: Stage, autojump_clock: MockClock) -> None:
    async with stage.runs(SupervisorSpec(id="top", intensity=2, children=stage.children("a b c"))):
        for name in "abc":
            await stage.crash(name)
        assert stage.ended.is_set()
    assert isinstance(stage.failure, Escalated)


async def test_one_failure_counts_one_however_many_it_takes_along(stage: Stage, autojump_clock: MockClock) -> None:
    async with stage.runs(SupervisorSpec(id="top", strategy=ALL, intensity=1, children=stage.children("a b c d e"))):
        await stage.crash("a")
        assert not stage.ended.is_set()
    assert stage.failure is None


@pytest.mark.parametrize(("after_s", "gives_up"), [(4.999, True), (5.0, True), (5.001, False)])
async def test_the_window_includes_its_end(
    stage: Stage, after_s: float, gives_up: bool, autojump_clock: MockClock
) -> None:
    async with stage.runs(SupervisorSpec(id="top", intensity=1, period_s=5, children=stage.children("a"))):
        stage.alive["a"].error = RuntimeError()
        stage.alive["a"].cue.set()
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(after_s)
        stage.alive["a"].error = RuntimeError()
        stage.alive["a"].cue.set()
        await trio.testing.wait_all_tasks_blocked()
        assert stage.ended.is_set() is gives_up


async def test_a_restart_that_always_fails_is_retried_until_the_budget_is_spent(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """sup_start_restart_child_returns_error, one_for_one_other_child_fails_restart."""
    stage.start_fails["a"] = lambda start: start > 1
    async with stage.runs(SupervisorSpec(id="top", intensity=5, children=stage.children("a b"))):
        stage.fresh_log()
        await stage.crash("a")
        await stage.ended.wait()
        assert stage.log == ["-a", *["+a", "-a"] * 5, "-b"]
    assert isinstance(stage.failure, Escalated)


@pytest.mark.parametrize("strategy", Strategy)
async def test_a_restart_loop_does_not_lock_out_a_stop(
    stage: Stage, strategy: Strategy, autojump_clock: MockClock
) -> None:
    """hanging_restart_loop, hanging_restart_loop_rest_for_one: the retries go through the queue a stop goes through."""
    stage.start_fails["b"] = lambda start: start > 1
    pause = Backoff(base_s=0.01, cap_s=0.01, free=0)
    spec = SupervisorSpec(
        id="top",
        strategy=strategy,
        intensity=10**9,
        max_consecutive=10**9,
        children=stage.children("a b c", backoff=pause),
    )
    async with stage.runs(spec) as supervisor:
        await stage.crash("b")
        await trio.sleep(10)
        assert stage.starts["b"] > 500
        before = trio.current_time()
        await supervisor.stop()
        assert trio.current_time() == before
    assert stage.failure is None
    assert stage.alive == {}


async def test_a_start_that_hangs_in_a_restart_does_not_lock_out_a_stop(
    stage: Stage, autojump_clock: MockClock
) -> None:
    async with stage.runs(SupervisorSpec(id="top", strategy=REST, children=stage.children("a b"))) as supervisor:
        stage.start_takes_s["a"] = 1000
        await stage.crash("a")
        await trio.sleep(5)
        before = trio.current_time()
        await supervisor.stop()
        assert trio.current_time() == before


async def test_a_start_that_hangs_in_a_restart_is_counted_and_retried(stage: Stage, autojump_clock: MockClock) -> None:
    spec = SupervisorSpec(id="top", intensity=2, period_s=100, children=stage.children("a", start_timeout_s=10))
    async with stage.runs(spec) as supervisor:
        stage.start_takes_s["a"] = 1000
        await stage.crash("a")
        await trio.sleep(15)
        view = supervisor.tree().children[0]
        assert (view.restarts, view.generation, view.status) == (2, 3, ActorStatus.STARTING)
        await trio.sleep(10)
        assert stage.ended.is_set()
    assert "must be ready within 10 s" in str(stage.failure)


async def test_a_condemned_child_that_does_not_end_makes_the_supervisor_give_up(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.stop_takes_s["a"] = 50
    async with stage.runs(SupervisorSpec(id="top", intensity=9, children=stage.children("a b", shutdown_s=4))) as top:
        assert top.kill("a", reason="test")
        await trio.sleep(3.9)
        assert list(top.zombies) == []
        await trio.sleep(0.2)
        assert top.zombies == ("top/a",)
        assert stage.kinds("top/a")[-1] is EventKind.ZOMBIE
        assert stage.log == ["+a", "+b", "-b"]
    assert isinstance(stage.failure, Escalated)
    assert "zombie" in str(stage.failure)


# --- back-off -------------------------------------------------------------------------------------------------------

SLOW = Backoff(base_s=1.0, factor=2.0, cap_s=8.0, jitter=0.0, free=1)


async def test_pauses_grow_to_the_cap_after_the_free_ones(stage: Stage, autojump_clock: MockClock) -> None:
    stage.start_fails["a"] = lambda start: 1 < start < 8
    spec = SupervisorSpec(id="top", intensity=99, children=stage.children("a", backoff=SLOW))
    async with stage.runs(spec):
        await stage.crash("a")
        await trio.sleep(100)
        started = [event.at_s for event in stage.events if event.kind is EventKind.STARTED]
        assert started[0] == 0
        assert [b - a for a, b in itertools.pairwise(started)] == [0, 1, 2, 4, 8, 8, 8]


async def test_the_pause_of_one_child_delays_neither_anothers_restart_nor_a_stop(
    stage: Stage, autojump_clock: MockClock
) -> None:
    patient = Backoff(base_s=20, cap_s=20, jitter=0, free=0)
    children = (stage.child("a", backoff=patient), stage.child("b"))
    async with stage.runs(SupervisorSpec(id="top", intensity=9, children=children)) as supervisor:
        await stage.crash("a")
        assert statuses(supervisor) == [ActorStatus.BACKING_OFF, ActorStatus.RUNNING]
        stage.fresh_log()
        await stage.crash("b")
        assert stage.log == ["-b", "+b"]
        await supervisor.stop()
        assert trio.current_time() < 1


async def test_a_crash_before_it_in_order_overtakes_a_groups_pause(stage: Stage, autojump_clock: MockClock) -> None:
    children = (stage.child("a"), stage.child("b", backoff=Backoff(base_s=20, cap_s=20, jitter=0, free=0)))
    async with stage.runs(SupervisorSpec(id="top", strategy=REST, intensity=9, children=children)):
        await stage.crash("b")
        stage.fresh_log()
        await stage.crash("a")
        assert stage.log == ["-a", "+a", "+b"]
        stage.fresh_log()
        await trio.sleep(50)
        assert stage.log == [], "the pause that was overtaken must not start b a second time"


async def test_a_group_is_down_while_its_pause_lasts(stage: Stage, autojump_clock: MockClock) -> None:
    patient = Backoff(base_s=5, cap_s=5, jitter=0, free=0)
    spec = SupervisorSpec(id="top", strategy=ALL, children=stage.children("a b", backoff=patient))
    async with stage.runs(spec) as supervisor:
        stage.fresh_log()
        await stage.crash("b")
        assert stage.log == ["-b", "-a"]
        assert statuses(supervisor) == [ActorStatus.STOPPED, ActorStatus.BACKING_OFF]
        await trio.sleep(5)
        assert stage.log == ["-b", "-a", "+a", "+b"]


# --- failures in a row ----------------------------------------------------------------------------------------------


async def test_more_failures_in_a_row_than_allowed_are_the_end_even_if_the_budget_never_is(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """A cap of 2.1 s with 5 restarts in 10 s would go on for ever."""
    pause = Backoff(base_s=2.1, cap_s=2.1, jitter=0, free=0)
    spec = SupervisorSpec(
        id="top", intensity=5, period_s=10, max_consecutive=20, children=stage.children("a", backoff=pause)
    )
    stage.start_fails["a"] = lambda start: start > 1
    async with stage.runs(spec):
        await stage.crash("a")
        await stage.ended.wait()
        assert stage.starts["a"] == 21
    assert "failed 21 times in a row" in str(stage.failure)


@pytest.mark.parametrize(("stable_s", "gives_up"), [(9.99, True), (10.01, False)])
async def test_only_a_stable_run_ends_a_row_of_failures(
    stage: Stage, stable_s: float, gives_up: bool, autojump_clock: MockClock
) -> None:
    spec = SupervisorSpec(
        id="top", intensity=99, period_s=1, max_consecutive=2, stable_after_s=10, children=stage.children("a")
    )
    async with stage.runs(spec):
        for _ in range(2):
            await stage.crash("a")
        await trio.sleep(stable_s - 0.001)
        await stage.crash("a")
        assert stage.ended.is_set() is gives_up


# --- fences ---------------------------------------------------------------------------------------------------------


async def test_a_child_that_crashed_while_its_sibling_was_being_dealt_with_counts_once(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """Two crashes in the same instant under one_for_all: one group restart, one count, and no stale exit later."""
    spec = SupervisorSpec(id="top", strategy=ALL, intensity=1, children=stage.children("a b"))
    async with stage.runs(spec):
        stage.fresh_log()
        for name in "ab":
            stage.alive[name].error = RuntimeError("both")
            stage.alive[name].cue.set()
        await stage.settle()
        assert sorted(stage.log[:2]) == ["-a", "-b"]
        assert stage.log[2:] == ["+a", "+b"]
        crashed = sorted(event.path for event in stage.events if event.kind is EventKind.CRASHED)
        assert crashed == ["top/a", "top/b"]
    assert stage.failure is None


async def test_a_stopped_temporary_child_does_not_come_back_as_a_stale_exit(
    stage: Stage, autojump_clock: MockClock
) -> None:
    children = (stage.child("a"), stage.child("b", restart=TE))
    async with stage.runs(SupervisorSpec(id="top", strategy=ALL, intensity=1, children=children)) as supervisor:
        await stage.crash("a")
        await trio.sleep(1)
        assert ids(supervisor) == ["a"]
        assert EventKind.CRASHED not in stage.kinds("top/b")


# --- chaos on request -----------------------------------------------------------------------------------------------


async def test_kill_is_a_crash_of_its_own_kind(stage: Stage, autojump_clock: MockClock) -> None:
    async with stage.runs(SupervisorSpec(id="top", intensity=3, children=stage.children("a b"))) as supervisor:
        stage.fresh_log()
        assert supervisor.kill("a", reason="drill")
        assert not supervisor.kill("a", reason="drill"), "it dies already"
        await stage.settle()
        assert supervisor.kill("top/b", reason="drill")
        await stage.settle()
        assert stage.log == ["-a", "+a", "-b", "+b"]
        crashed = [event for event in stage.events if event.kind is EventKind.CRASHED]
        assert [type(event.error) for event in crashed] == [Killed, Killed]


@pytest.mark.parametrize("path", ["", "c", "top", "top/c", "a/b", "b", "/"])
async def test_kill_of_nobody_is_false(stage: Stage, path: str, autojump_clock: MockClock) -> None:
    children = (stage.child("a"), stage.child("b", restart=TR))
    async with stage.runs(SupervisorSpec(id="top", children=children)) as supervisor:
        await stage.end("b")
        stage.fresh_log()
        assert not supervisor.kill(path, reason="drill")
        await stage.settle()
        assert stage.log == []


# --- telling --------------------------------------------------------------------------------------------------------


async def test_a_listener_that_raises_is_counted_and_harms_nobody(stage: Stage, autojump_clock: MockClock) -> None:
    def deaf(_: object) -> None:
        raise OSError("disk full")

    from random import Random

    from genesis.core.clock import TrioClock

    supervisor = Supervisor(
        SupervisorSpec(id="top", children=stage.children("a")), clock=TrioClock(), chance=Random(1), on_event=deaf
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        await stage.crash("a")
        assert stage.log == ["+a", "-a", "+a"]
        await supervisor.stop()
    assert supervisor.listener_errors == 6


async def test_the_tree_says_who_lives_and_how_often_it_died(stage: Stage, autojump_clock: MockClock) -> None:
    """child_adm, which_children, count_children."""
    children = (stage.child("a"), stage.child("b", restart=TR))
    async with stage.runs(SupervisorSpec(id="top", strategy=REST, children=children)) as supervisor:
        await trio.sleep(2)
        await stage.end("b")
        await trio.sleep(3)
        await stage.crash("a")
        top = supervisor.tree()
        assert (top.name, top.kind, top.strategy, top.status) == ("top", "supervisor", "rest_for_one", "running")
        assert (top.generation, top.restarts, top.last_error) == (1, 0, None)
        a, b = top.children
        assert (a.name, a.kind, a.restart, a.generation, a.restarts) == ("a", "worker", "permanent", 2, 1)
        assert a.last_error == "Boom: a crashed"
        assert a.since_s == pytest.approx(0.001)
        assert (b.generation, b.restarts, b.last_error, b.restart) == (2, 0, None, "transient")
        assert top.since_s == pytest.approx(5.002)


async def test_the_first_start_is_told_only_when_all_are_ready_whatever_crashed_meanwhile(
    stage: Stage, autojump_clock: MockClock
) -> None:
    stage.start_takes_s["b"] = 2
    patient = Backoff(base_s=9, cap_s=9, jitter=0, free=0)
    supervisor = stage.supervisor(
        SupervisorSpec(id="top", children=(stage.child("a", backoff=patient), stage.child("b")))
    )

    async def crash_a() -> None:
        await trio.sleep(1)
        await stage.crash("a")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(crash_a)
        await nursery.start(supervisor.run)
        assert trio.current_time() == 10
        assert statuses(supervisor) == [ActorStatus.RUNNING, ActorStatus.RUNNING]
        await supervisor.stop()
