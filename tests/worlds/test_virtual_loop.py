"""The loop of a world beside trio's own: one program makes the same steps, in the same order, at the same times."""

import contextlib
import contextvars
import gc
import hashlib
import inspect
import random
import signal
import sys
import traceback
import types
from collections.abc import Callable, Generator, Iterator
from typing import Any
from unittest.mock import patch

import outcome
import pytest
import trio
import trio._core._run as trio_run
import trio.testing
from typing_extensions import override

from genesis.core.channel import Doorbell
from genesis.core.turns import LONGEST, Turns
from genesis.worlds.hooks import deterministic, run_virtual
from genesis.worlds.timers import timed_by
from genesis.worlds.virtual_clock import VirtualClock
from genesis.worlds.virtual_loop import PRIVATE_SCOPE_NAME, Steps

TEXTS = {
    "reschedule": "d25a5648b6a42879",
    PRIVATE_SCOPE_NAME: "1fd62617aa69738b",
    "current_time": "1afc6aa825d1a237",
    "_attempt_delivery_of_any_pending_cancel": "16a19fcafc86d89c",
}
"""Of what the loop has in words of its own, beside trio's loop, whose text `test_turns` holds."""

Told = list[tuple[str, float]]


class Heard(trio.abc.Instrument):
    """Of each step; but for those of trio's own tasks, which the kernel wakes when it is asked."""

    def __init__(self) -> None:
        self.told: Told = []

    @override
    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        _note(self.told, task.name)


class Noted(Steps):
    """Steps that keep when each was made, too, as `Heard` does."""

    def __init__(self) -> None:
        super().__init__()
        self.told: Told = []
        self.until = 1

    @override
    def due(self, name: str) -> None:
        _note(self.told, name)
        self.until = len(self.names) + 1


def _note(told: Told, name: str) -> None:
    if not name.startswith("<"):
        told.append((name, trio.current_time()))


def by_trio(seed: int, main: Callable[..., Any], *args: Any) -> tuple[Any, Told]:
    """As the engine has it: trio's own loop, and `Turns`."""
    clock, heard = VirtualClock(), Heard()
    with (
        deterministic(seed),
        timed_by(clock),
        patch.object(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True),
    ):
        told = outcome.capture(trio.run, main, *args, clock=clock, instruments=(Turns(), heard))
    return _said(told), heard.told


def by_world(seed: int, main: Callable[..., Any], *args: Any) -> tuple[Any, Told]:
    steps = Noted()
    return _said(outcome.capture(run_virtual, seed, main, *args, steps=steps)), steps.told


def _said(told: Any) -> Any:
    return told.value if isinstance(told, outcome.Value) else _words(told.error)


def _words(error: BaseException) -> Any:
    if isinstance(error, BaseExceptionGroup):
        # A task's own error came through the task's own frames, and no loop's.
        return [(_words(one), _places(one)) for one in error.exceptions]
    return f"{error!r} of {error.__cause__!r}, beside {error.__context__!r}"


def _places(error: BaseException) -> list[str]:
    return [frame.f_code.co_qualname for frame, _ in traceback.walk_tb(error.__traceback__)]


class Crowd:
    """Tasks that do what is drawn: sleep, wake one another, give way, wait for a time, crash, end, begin others."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.bells = [Doorbell() for _ in range(9)]
        self.event = trio.Event()
        self.send, self.receive = trio.open_memory_channel[int](2)
        self.said: list[str] = []
        self.born = 0

    async def member(self, nursery: trio.Nursery, bell: Doorbell) -> None:
        chance = self.chance
        for _ in range(chance.randrange(20)):
            match chance.randrange(12):
                case 0:
                    await trio.sleep(chance.choice([0, 1, 1, 2.5]))
                case 1 | 2 | 3:
                    for other in chance.sample(self.bells, 4):
                        other.ring()
                case 4 | 5 if bell.task is None:
                    with trio.move_on_after(chance.randrange(1, 4)) as scope:
                        await bell.wait()
                    self.said.append(f"rung at {trio.current_time()}: {not scope.cancelled_caught}")
                case 6:
                    await trio.lowlevel.checkpoint()
                case 7:
                    self.event.set()
                    self.event = trio.Event()
                case 8:
                    with trio.move_on_after(2):
                        await self.event.wait()
                case 9:
                    with trio.CancelScope(deadline=trio.current_time() + 1, shield=chance.random() < 0.5) as scope:
                        await self.send.send(1)
                        scope.deadline += 1
                        await self.receive.receive()
                case 10 if self.born < 40:
                    self.born += 1
                    nursery.start_soon(self.member, nursery, chance.choice(self.bells), name=f"born {self.born}")
                case 11 if chance.random() < 0.02:
                    raise ValueError(f"at {trio.current_time()}")

    async def main(self) -> list[str]:
        with trio.move_on_after(50):
            async with trio.open_nursery() as nursery:
                for number, bell in enumerate(self.bells):
                    nursery.start_soon(self.member, nursery, bell, name=f"member {number}")
        return self.said


async def crowd(seed: int) -> list[str]:
    return await Crowd(seed).main()


def test_one_program_makes_the_same_steps_on_both_loops() -> None:
    crashed = steps = born = 0
    for seed in range(25):
        theirs, ours = by_trio(seed, crowd, seed), by_world(seed, crowd, seed)
        assert ours == theirs
        crashed += "ValueError" in str(theirs[0])
        steps += len(theirs[1])
        born += len({name for name, _ in theirs[1] if name.startswith("born")})
    assert crashed > 1
    assert steps > 2000
    assert born > 50


MARK: contextvars.ContextVar[int] = contextvars.ContextVar("mark")


class Scopes:
    """Tasks that change one another's scopes while these are waited in, and wait for what cannot be given up."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.scopes: list[trio.CancelScope] = []
        self.lock = trio.Lock()
        self.said: list[Any] = []
        self.born = 0

    def say(self, *words: Any) -> None:
        task = trio.lowlevel.current_task()
        self.said.append(
            (trio.current_time(), task.name, MARK.get(), task._cancel_points, task._schedule_points, *words)
        )

    async def not_to_be_given_up(self) -> None:
        """Who cancels it is told that this does not work, and hears of it later."""
        task, cancels = trio.lowlevel.current_task(), list[Callable[[], Any]]()

        def end() -> None:
            trio.lowlevel.reschedule(task, outcome.capture(cancels[0]) if cancels else outcome.Value("by itself"))

        def abort(cancel: Callable[[], Any]) -> trio.lowlevel.Abort:
            cancels.append(cancel)
            return trio.lowlevel.Abort.FAILED

        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, VirtualClock)
        clock.at(trio.current_time() + 1.5, end)
        self.say(await trio.lowlevel.wait_task_rescheduled(abort))

    async def change(self, scope: trio.CancelScope) -> None:
        match self.chance.randrange(4):
            case 0:
                scope.cancel("somebody")
            case 1:
                scope.shield = not scope.shield
            case _:
                scope.deadline += self.chance.choice([-2, -1, 0, 1, 2])
        self.say("its deadline", scope.deadline, trio_run.GLOBAL_RUN_CONTEXT.runner.deadlines.next_deadline())

    async def member(self, nursery: trio.Nursery, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        chance = self.chance
        MARK.set(chance.randrange(1000))
        await trio.sleep(chance.choice([0, 0, 1]))
        task_status.started(chance.randrange(9))
        for _ in range(chance.randrange(16)):
            match chance.randrange(7):
                case 0 | 1:
                    deadline = trio.current_time() + chance.randrange(4)
                    with trio.CancelScope(shield=chance.random() < 0.5, deadline=deadline) as scope:
                        self.scopes.append(scope)
                        await trio.sleep(chance.choice([1, 2, 3]))
                    self.say(scope.cancelled_caught)
                case 2 | 3 if self.scopes:
                    await self.change(chance.choice(self.scopes))
                case 4:
                    with trio.move_on_after(chance.choice([1, 2])) as scope:
                        await self.not_to_be_given_up()
                    self.say(scope.cancelled_caught)
                case 5 if self.born < 20:
                    self.born += 1
                    with trio.move_on_after(chance.choice([0.5, 3])):
                        self.say(await nursery.start(self.member, nursery, name=f"born {self.born}"))
                case 6:
                    with contextlib.suppress(trio.TooSlowError), trio.fail_after(2):
                        async with self.lock:
                            await trio.sleep(chance.choice([0, 0.5]))
                            if chance.random() < 0.02:
                                raise ValueError(f"at {trio.current_time()}")

    async def main(self) -> list[Any]:
        with trio.move_on_after(30):
            async with trio.open_nursery() as nursery:
                for number in range(6):
                    nursery.start_soon(self.member, nursery, name=f"member {number}")
        return self.said


async def scopes(seed: int) -> list[Any]:
    return await Scopes(seed).main()


def test_scopes_that_others_change_end_alike_on_both_loops() -> None:
    crashed = said = 0
    for seed in range(20):
        theirs, ours = by_trio(seed, scopes, seed), by_world(seed, scopes, seed)
        assert ours == theirs
        crashed += "ValueError" in str(theirs[0])
        said += len(theirs[0])
    assert crashed > 1
    assert said > 1000


def test_no_more_than_the_longest_row_of_the_woken_goes_on_in_front_of_the_batch() -> None:
    async def main() -> list[str]:
        bells, said = [Doorbell() for _ in range(LONGEST + 4)], list[str]()

        async def link(place: int) -> None:
            await bells[place].wait()
            said.append(f"link {place}")
            bells[place + 1].ring()

        async def first() -> None:
            await trio.sleep(1)
            bells[0].ring()

        async def other() -> None:
            await trio.sleep(1)
            said.append("other")

        async with trio.open_nursery() as nursery:
            for place in range(LONGEST + 3):
                nursery.start_soon(link, place)
            nursery.start_soon(first)
            await trio.lowlevel.checkpoint()
            # Later than the first one in trio's order: both in one batch.
            nursery.start_soon(other)
        return said

    places = set()
    for seed in range(20):
        said, told = by_world(seed, main)
        assert (said, told) == by_trio(seed, main)
        places.add(said.index("other"))
    assert places == {0, LONGEST}


@types.coroutine
def _strange() -> Generator[Any, Any, None]:
    yield "nothing that trio knows"


async def _yields_strangely() -> None:
    await _strange()


async def _leaves() -> str:
    async def one() -> None:
        await trio.lowlevel.permanently_detach_coroutine_object(outcome.Value(None))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(trio.sleep, 1)
    return "left"


async def _leaves_with_an_error() -> None:
    async def one() -> None:
        await trio.lowlevel.permanently_detach_coroutine_object(outcome.Error(ValueError("left")))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        nursery.start_soon(trio.sleep, 1)


async def _waits_cancelled() -> bool:
    with trio.CancelScope() as scope:
        scope.cancel()
        await trio.lowlevel.checkpoint_if_cancelled()
    return scope.cancelled_caught


async def _crashes_behind_another() -> None:
    bell = Doorbell()

    async def woken() -> None:
        await bell.wait()
        raise KeyError("woken")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(woken)
        await trio.sleep(1)
        try:
            raise OSError("its own")
        except OSError:
            bell.ring()
            await trio.sleep(1)


@pytest.mark.parametrize("main", [_leaves, _leaves_with_an_error, _waits_cancelled, _crashes_behind_another])
def test_what_is_seldom_ends_alike(main: Callable[..., Any]) -> None:
    assert by_world(1, main) == by_trio(1, main)


def test_who_says_what_trio_does_not_know_is_told_so() -> None:
    (ours, steps), (theirs, same) = by_world(1, _yields_strangely), by_trio(1, _yields_strangely)
    assert ours.startswith("TypeError(")
    assert theirs.startswith("TypeError(")
    assert steps == same


@pytest.fixture
def _abandoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tasks of a run that ended by a fault of the loop's are never ended: they go here, not into the next test."""
    yield
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    gc.collect()


def test_deadlines_that_came_to_nothing_are_forgotten() -> None:
    async def main() -> int:
        deadlines = trio_run.GLOBAL_RUN_CONTEXT.runner.deadlines
        for _ in range(3000):
            # Trio counts those that stand and throws the others away, when there are more than a thousand.
            with trio.move_on_after(1e6):
                await trio.lowlevel.checkpoint()
        return len(deadlines._heap)

    assert run_virtual(1, main) < 1500


@pytest.mark.usefixtures("_abandoned")
def test_what_rings_and_raises_ends_the_run() -> None:
    steps = Steps()

    def ring() -> None:
        raise ValueError("no instrument may")

    async def main() -> None:
        await trio.sleep(1)
        await trio.sleep(1)

    steps.ring_at(4, ring)
    with pytest.raises(trio.TrioInternalError) as found:
        run_virtual(1, main, steps=steps)
    assert isinstance(found.value.__cause__, ValueError)
    del found


def test_an_interrupt_is_told_to_the_task_that_is_the_program() -> None:
    async def main() -> str:
        runner = trio_run.GLOBAL_RUN_CONTEXT.runner
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, VirtualClock)
        clock.at(5.0, lambda: setattr(runner, "ki_pending", True))
        await trio.sleep(5)
        with pytest.raises(KeyboardInterrupt):
            await trio.sleep_forever()
        return f"interrupted at {trio.current_time()}"

    assert run_virtual(1, main) == "interrupted at 5.0"


@pytest.mark.parametrize("crashes", [False, True])
def test_an_interrupt_that_nobody_was_told_ends_the_run(crashes: bool) -> None:
    async def main() -> None:
        trio_run.GLOBAL_RUN_CONTEXT.runner.ki_pending = True
        if crashes:
            raise ValueError("its own")

    with pytest.raises(KeyboardInterrupt) as found:
        run_virtual(1, main)
    assert isinstance(found.value.__context__, ValueError) is crashes


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupt_in_the_midst_of_the_loop_waits_for_the_program() -> None:
    """As where nothing of a world's goes on: it rings between two steps."""
    steps = Steps()

    async def main() -> str:
        steps.ring_at(steps.count + 20, lambda: signal.raise_signal(signal.SIGINT))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_turn_for_ever)
            with pytest.raises(KeyboardInterrupt):
                await trio.sleep_forever()
            nursery.cancel_scope.cancel()
        return "told"

    assert run_virtual(1, main, steps=steps) == "told"


async def _turn_for_ever() -> None:
    while True:
        await trio.lowlevel.checkpoint()


@pytest.mark.usefixtures("_abandoned")
def test_who_waits_for_all_others_to_wait_is_told_whom_to_ask() -> None:
    async def main() -> None:
        await trio.testing.wait_all_tasks_blocked()

    with pytest.raises(trio.TrioInternalError) as found:
        run_virtual(1, main)
    assert "loop_at_rest" in str(found.value.__cause__)
    del found


@pytest.mark.parametrize("name", TEXTS)
def test_trio_has_the_words_that_are_said_here_otherwise(name: str) -> None:
    where = {
        "reschedule": trio_run.Runner,
        PRIVATE_SCOPE_NAME: trio.CancelScope,
        "current_time": trio_run,
        "_attempt_delivery_of_any_pending_cancel": trio_run.Task,
    }[name]
    text = inspect.getsource(inspect.unwrap(getattr(where, name)))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == TEXTS[name], f"compare genesis.worlds.virtual_loop: {name}"
