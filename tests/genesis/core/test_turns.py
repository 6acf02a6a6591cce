"""Who is woken goes on in the same turn of the loop; whose step it is, and how it ends, is as without."""

import contextvars
import gc
import hashlib
import inspect
import sys
import traceback
import types
from collections.abc import Callable, Generator
from typing import Any

import pytest
import trio
import trio._core._run as trio_run
import trio.lowlevel
import trio.testing
from outcome import Value
from typing_extensions import override

from genesis.core import turns
from genesis.core.channel import Doorbell
from genesis.core.turns import LONGEST, Turns, run_loop

LOOP = "9226ba6956c1ca77c9a82b37847f1aa5"
"""Of the text of trio's loop, whose steps `Turns.go_on` makes likewise."""


class Kernel(trio.abc.Instrument):
    """Counts how often the kernel is asked, and whose steps begin."""

    def __init__(self) -> None:
        self.asked = 0
        self.begun: list[str] = []
        self.strange: list[str] = []
        """Tasks of which it heard while another one was the loop's; what an instrument raises trio swallows."""

    @override
    def before_io_wait(self, timeout: float) -> None:
        self.asked += 1

    @override
    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.begun.append(task.name)

    @override
    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if trio.lowlevel.current_task() is not task:
            self.strange.append(task.name)


def watched(main: Callable[..., Any]) -> Any:
    """Run `main(kernel)` under `Turns` and an instrument of somebody else's."""
    kernel = Kernel()
    told = trio.run(main, kernel, instruments=(Turns(), kernel))
    assert kernel.strange == []
    return told


class Chain:
    """Tasks of which each wakes the next one."""

    def __init__(self, length: int) -> None:
        self.bells = [Doorbell() for _ in range(length + 1)]
        self.steps: list[int] = []

    async def link(self, place: int) -> None:
        await self.bells[place].wait()
        self.steps.append(place)
        self.bells[place + 1].ring()

    def begin(self, nursery: trio.Nursery) -> None:
        for place in range(len(self.bells) - 1):
            nursery.start_soon(self.link, place, name=f"link {place}")


def test_the_loop_of_trio_is_the_one_whose_steps_are_made_here() -> None:
    for name in turns.PRIVATE_NAMES:
        assert hasattr(trio_run, name), f"trio must have {name}"
    text = inspect.getsource(trio_run.unrolled_run)
    assert hashlib.sha256(text.encode()).hexdigest()[:32] == LOOP, "compare Turns.go_on with trio's new loop"


def test_a_chain_of_those_who_are_woken_goes_on_in_the_turn_in_which_it_begins() -> None:
    async def main(kernel: Kernel) -> None:
        chain = Chain(6)
        async with trio.open_nursery() as nursery:
            chain.begin(nursery)
            await trio.testing.wait_all_tasks_blocked()
            kernel.asked = 0
            kernel.begun.clear()
            chain.bells[0].ring()
            await chain.bells[6].wait()
            assert chain.steps == [0, 1, 2, 3, 4, 5]
            assert kernel.asked == 0
            # The instrument hears of each of them.
            assert kernel.begun[:6] == [f"link {place}" for place in range(6)]

    watched(main)


def test_who_lets_others_go_first_comes_behind_all_who_can_go_on() -> None:
    async def main(_: Kernel) -> None:
        said: list[str] = []
        bell = Doorbell()

        async def polite() -> None:
            await bell.wait()
            for number in range(3):
                said.append(f"polite {number}")
                await trio.lowlevel.checkpoint()

        async def ready(number: int) -> None:
            for _ in range(number):
                await trio.lowlevel.checkpoint()
            said.append(f"ready {number}")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(polite)
            await trio.testing.wait_all_tasks_blocked()
            for number in range(3):
                nursery.start_soon(ready, number)
            bell.ring()
        for number in range(2):
            # Whoever could go on when it stepped back has had its turn when it goes on.
            assert said.index(f"ready {number}") < said.index(f"polite {number + 1}")

    for _ in range(20):
        watched(main)


def test_two_who_wake_one_another_for_ever_do_not_keep_the_kernel_from_being_asked() -> None:
    rounds = 1000

    async def main(kernel: Kernel) -> None:
        bells = Doorbell(), Doorbell()

        async def player(mine: Doorbell, other: Doorbell) -> None:
            for _ in range(rounds):
                await mine.wait()
                other.ring()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(player, bells[0], bells[1])
            nursery.start_soon(player, bells[1], bells[0])
            await trio.testing.wait_all_tasks_blocked()
            kernel.asked = 0
            bells[0].ring()
            await trio.lowlevel.checkpoint()
        assert kernel.asked >= 2 * rounds / (LONGEST + 1)

    watched(main)


def test_a_step_that_raises_ends_its_own_task_and_no_other() -> None:
    async def main(_: Kernel) -> None:
        chain = Chain(3)
        ended: list[BaseException] = []

        async def breaks() -> None:
            await chain.bells[3].wait()
            raise KeyError("mine")

        async with trio.open_nursery() as links:
            chain.begin(links)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(breaks)
                    await trio.testing.wait_all_tasks_blocked()
                    chain.bells[0].ring()
            except* KeyError as errors:
                ended.extend(errors.exceptions)
        assert chain.steps == [0, 1, 2]
        (error,) = ended
        # As trio tells it: the first frame is the task's own.
        assert error.__traceback__ is not None
        frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        assert frames[-1] == "breaks"
        assert "go_on" not in frames
        assert error.__context__ is None

    watched(main)


def test_who_is_cancelled_while_woken_hears_first_what_it_was_woken_for() -> None:
    async def main(_: Kernel) -> None:
        bell, said = Doorbell(), list[str]()

        async def hears(scope: trio.CancelScope) -> None:
            with scope:
                await bell.wait()
                said.append("woken")
                await trio.lowlevel.checkpoint()
                said.append("not cancelled")

        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            nursery.start_soon(hears, scope)
            await trio.testing.wait_all_tasks_blocked()
            bell.ring()
            scope.cancel()
        assert said == ["woken"]
        assert scope.cancelled_caught

    watched(main)


def test_who_was_cancelled_before_its_next_wait_does_not_wait() -> None:
    async def main(_: Kernel) -> None:
        first, second = Doorbell(), Doorbell()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def hears() -> None:
                    await first.wait()
                    scope.cancel()
                    await second.wait()

                nursery.start_soon(hears)
                await trio.testing.wait_all_tasks_blocked()
                first.ring()
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert second.task is None

    watched(main)


def test_each_has_its_own_context() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")

    async def main(_: Kernel) -> None:
        bells, seen = [Doorbell() for _ in range(3)], list[str]()

        async def named(place: int) -> None:
            name.set(f"task {place}")
            await bells[place].wait()
            seen.append(name.get())
            assert trio.lowlevel.current_task().name == f"named {place}"
            if place < 2:
                bells[place + 1].ring()
            seen.append(name.get())

        name.set("main")
        async with trio.open_nursery() as nursery:
            for place in range(3):
                nursery.start_soon(named, place, name=f"named {place}")
            await trio.testing.wait_all_tasks_blocked()
            bells[0].ring()
            assert name.get() == "main"
        assert seen == [f"task {place}" for place in range(3) for _ in range(2)]
        assert name.get() == "main"

    watched(main)


def test_what_trio_does_not_know_is_thrown_at_who_yields_it() -> None:
    @types.coroutine
    def foreign() -> Generator[Any, Any, None]:
        yield "a future of another loop"

    async def main(_: Kernel) -> None:
        bell = Doorbell()

        async def strange() -> None:
            await bell.wait()
            with pytest.raises(TypeError, match="a future of another loop"):
                await foreign()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(strange)
            await trio.testing.wait_all_tasks_blocked()
            bell.ring()

    watched(main)


def test_a_task_may_leave_the_loop_in_such_a_step() -> None:
    async def main(_: Kernel) -> None:
        bell, left = Doorbell(), list[Any]()

        async def leaves() -> None:
            await bell.wait()
            left.append(trio.lowlevel.current_task().coro)
            await trio.lowlevel.permanently_detach_coroutine_object(Value(None))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(leaves)
            await trio.testing.wait_all_tasks_blocked()
            bell.ring()
        # The nursery takes it for ended, and somebody else goes on with it.
        with pytest.raises(StopIteration):
            left[0].send(None)

    watched(main)


def test_a_fault_of_its_own_ends_the_run_and_loses_nobody_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        await trio.sleep_forever()

    def fails(_: Turns, __: trio.lowlevel.Task) -> None:
        raise RuntimeError("a fault of its own")

    monkeypatch.setattr(Turns, "go_on", fails)
    with pytest.raises(trio.TrioInternalError) as told:
        run_loop(main)
    assert str(told.value.__cause__) == "a fault of its own"
    # Tasks of a run that ended like this are never ended: they go here, and not into the next test's ears.
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    del told
    gc.collect()


@pytest.mark.parametrize("raises", [False, True])
def test_an_instrument_may_leave_in_such_a_step(raises: bool) -> None:
    class Leaves(trio.abc.Instrument):
        @override
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            if raises and chain.steps:
                raise RuntimeError("a fault of the instrument's: trio writes it down and goes on without it")

    chain, instrument = Chain(4), Leaves()

    async def main() -> None:
        trio.lowlevel.add_instrument(instrument)

        async def removes() -> None:
            await chain.bells[4].wait()
            if not raises:
                trio.lowlevel.remove_instrument(instrument)
            chain.bells[0].ring()

        async with trio.open_nursery() as nursery:
            chain.begin(nursery)
            nursery.start_soon(removes)
            await trio.testing.wait_all_tasks_blocked()
            chain.bells[4].ring()
        assert chain.steps == [0, 1, 2, 3]
        with pytest.raises(KeyError):
            trio.lowlevel.remove_instrument(instrument)

    run_loop(main)


def test_what_main_gives_is_given() -> None:
    async def main(number: int) -> int:
        await trio.lowlevel.checkpoint()
        return number + 1

    assert run_loop(main, 41) == 42
