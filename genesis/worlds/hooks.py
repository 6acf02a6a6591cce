"""Every source of chance and time that Python, trio and the libraries have, turned into functions of one seed.

The names in `PRIVATE_NAMES` are private to trio. They stand nowhere else, `tests/worlds/test_hooks.py` fails loudly
when they move, and trio is pinned to the release that has them.
"""

import contextlib
import gc
import math
import os
import random
import time
import types
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, Final
from unittest.mock import patch

import hypercorn.config
import hypercorn.protocol.http_stream
import hypercorn.protocol.ws_stream
import trio
import trio._core._run as _run

from genesis.core.turns import Turns
from genesis.worlds import virtual_socket
from genesis.worlds.process import current_process
from genesis.worlds.timers import timed_by
from genesis.worlds.virtual_clock import VirtualClock

EPOCH_S: Final = 1_767_225_600
"""When a world begins: 2026-01-01T00:00:00Z. A whole minute, since its market does too."""
PID: Final = 4242

STANDSTILL_LOOK: Final = 1000
STANDSTILL_STEPS: Final = 100_000
"""A busy second of a world has some thousand steps."""

PRIVATE_NAMES: Final = (
    "_ALLOW_DETERMINISTIC_SCHEDULING",
    "_r",
    "TheIOManager",
    "Instruments",
    "GLOBAL_RUN_CONTEXT",
    "WaitTaskRescheduled",
)
"""What is used of `trio._core._run`: whether tasks of one batch are sorted before they are shuffled, and by whom; and
who asks the kernel for news; and who hears of every step; and the runner, of which `runq` and `deadlines` say when the
next task runs; and what a task that sleeps hands to the loop."""
PRIVATE_SCOPE_NAME: Final = "_might_change_registered_deadline"
"""What every `trio.CancelScope` has around its beginning and its end."""
PRIVATE_STREAM_NAME: Final = "_send_conflict_detector"
"""What every `trio.SocketStream` has to tell two who send at once; `virtual_socket.send_all` uses it."""
KERNEL_ASKED_EVERY: Final = 128
"""Turns of the loop. The kernel knows of no socket of a world, only of trio's own wake-up, which may wait that long."""


class Steps(trio.abc.Instrument):
    """Counts the steps of all tasks, folds their names into a fingerprint, and rings at numbers it was given.

    Two runs with equal fingerprints have run the same tasks in the same order. What rings is called between two steps:
    it must not wait.
    """

    def __init__(self) -> None:
        self.count = 0
        self.livelock: Callable[[str], None] | None = None
        """Told the busiest tasks when so many steps were made that time should have passed, and it has not."""
        self._still_since = (0.0, 0)
        self._folded = 0
        self._unfolded: list[str] = []
        """Names of the newest steps, of which the fingerprint has not heard."""
        self._at: dict[int, Callable[[], None]] = {}
        self._next = STANDSTILL_LOOK
        """The number of the next step at which there is something to do but to count."""

    @property
    def fingerprint(self) -> int:
        """Of the names of all steps so far, in their order."""
        self._fold()
        return self._folded

    def _fold(self) -> None:
        # Many at once: it is the same number, and each step would pay more for it than for all else that is done here.
        self._folded = zlib.crc32("".join(self._unfolded).encode(), self._folded)
        self._unfolded.clear()

    def ring_at(self, step: int, call: Callable[[], None]) -> None:
        step = max(step, self.count + 1)
        self._at[step] = call
        self._next = min(self._next, step)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count = count = self.count + 1
        self._unfolded.append(task.name)
        if count == self._next:
            if not count % STANDSTILL_LOOK:
                self._fold()
                self._look(task.name)
            call = self._at.pop(count, None)
            self._next = min((count - count % STANDSTILL_LOOK + STANDSTILL_LOOK, *self._at))
            if call is not None:
                call()

    def _look(self, name: str) -> None:
        now = trio.current_time()
        at, since = self._still_since
        if now != at:
            self._still_since = (now, self.count)
        elif self.count - since >= STANDSTILL_STEPS and self.livelock is not None:
            self._still_since = (now, self.count)
            self.livelock(name)


class _Ears(dict[str, None]):
    """The `Instruments` of a world's run: `Turns`, as the engine has it, and a `Steps`, if any. Asked in every step."""

    def __init__(self, instruments: Sequence[trio.abc.Instrument]) -> None:
        turns, *steps = instruments
        assert isinstance(turns, Turns), f"a world's first instrument must be its turns, was {turns!r}"
        self._turns, self._go_on = turns, turns.go_on
        self._woken: Sequence[trio.lowlevel.Task] = ()
        super().__init__(before_run=None, after_task_step=None)
        for each in steps:
            assert isinstance(each, Steps), f"a world's instrument must count steps, was {each!r}"
            self._heard = each.before_task_step
            self["before_task_step"] = None

    def call(self, hook: str, task: Any = None) -> None:
        if hook == "before_task_step":
            self._heard(task)
        elif hook == "after_task_step":
            if self._woken:
                self._go_on(task)
        else:
            self._turns.before_run()
            self._woken = self._turns.queue


def _nobody_runs_before() -> float:
    """Until when no task of this thread's loop runs by itself; minus infinity when one is about to."""
    runner = _run.GLOBAL_RUN_CONTEXT.runner
    return -math.inf if runner.runq else runner.deadlines.next_deadline()


_clocks: list[VirtualClock] = []


def _virtual_s() -> float:
    return _clocks[-1].now if _clocks else 0.0


def wall_s() -> float:
    """The wall clock of the process that asks: virtual time, and how far its machine's clock is off."""
    process = current_process()
    now = _clocks[-1].now if _clocks else 0.0
    return EPOCH_S + now + (0.0 if process is None else process.clock_off_s)


async def _inline(call: Callable[..., Any], *args: Any, **_: Any) -> Any:
    await trio.lowlevel.checkpoint()
    return call(*args)


@types.coroutine
def _sleep(abort: Callable[[Any], trio.lowlevel.Abort]) -> Generator[Any, Any, Any]:
    """`trio.lowlevel.wait_task_rescheduled` without the two coroutines around its one `yield`: half of all steps of a
    world begin and end here."""
    return (yield _run.WaitTaskRescheduled(abort)).unwrap()  # type: ignore[attr-defined]


class _Around:
    """What a function with one `yield` does around a block, as `contextlib.contextmanager` has it; that keeps function
    and arguments besides, and hears of the function's end by an exception."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Generator[None, None, None]) -> None:
        self._steps = steps

    def __enter__(self) -> None:
        next(self._steps)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            next(self._steps, None)
        else:
            with contextlib.suppress(StopIteration):
                self._steps.throw(error)


def _around(manager: Callable[..., Any]) -> Callable[..., _Around]:
    function = manager.__wrapped__  # type: ignore[attr-defined]

    def begin(scope: trio.CancelScope) -> _Around:
        return _Around(function(scope))

    return begin


def _seldom(ask: Callable[[Any, float], Any]) -> Callable[[Any, float], Any]:
    turns = 0

    def get_events(manager: Any, timeout: float) -> Any:
        nonlocal turns
        turns += 1
        return ask(manager, timeout) if timeout or not turns % KERNEL_ASKED_EVERY else ()

    return get_events


def _of_several(shuffle: Callable[[list[Any]], None]) -> Callable[[list[Any]], None]:
    """Most batches have one task, for which no number is drawn."""

    def call(batch: list[Any]) -> None:
        if len(batch) > 1:
            shuffle(batch)

    return call


@contextlib.contextmanager
def deterministic(seed: int | str) -> Iterator[None]:
    """Inside, a trio run under a `VirtualClock` is a function of the seed. Not for use by two threads at once."""
    entropy = random.Random(f"{seed}-entropy")  # noqa: S311 - a world's entropy is its seed
    state = random.getstate()
    with contextlib.ExitStack() as stack:
        change = stack.enter_context
        change(patch.object(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True))
        kernel = _run.TheIOManager  # type: ignore[attr-defined]
        change(patch.object(kernel, "get_events", _seldom(kernel.get_events)))
        change(patch.object(_run, "Instruments", _Ears))
        change(patch.object(trio.SocketStream, "send_all", virtual_socket.send_all))
        change(patch.object(trio.SocketStream, "receive_some", virtual_socket.receive_some))
        change(patch.object(trio.lowlevel, "wait_task_rescheduled", _sleep))
        around = _around(getattr(trio.CancelScope, PRIVATE_SCOPE_NAME))
        change(patch.object(trio.CancelScope, PRIVATE_SCOPE_NAME, around))
        change(patch.object(os, "urandom", entropy.randbytes))
        change(patch.object(os, "getpid", lambda: PID))
        change(patch.object(random, "_urandom", entropy.randbytes))
        change(patch.object(trio.to_thread, "run_sync", _inline))
        change(patch.object(time, "time", wall_s))
        change(patch.object(time, "time_ns", lambda: int(wall_s() * 1e9)))
        change(patch.object(time, "monotonic", _virtual_s))
        for module in (hypercorn.config, hypercorn.protocol.http_stream, hypercorn.protocol.ws_stream):
            change(patch.object(module, "time", wall_s))
        collecting = gc.isenabled()
        gc.collect()
        gc.disable()
        shuffle = _run._r.getstate()
        change(patch.object(_run._r, "shuffle", _of_several(_run._r.shuffle)))
        _run._r.seed(f"{seed}-schedule")
        random.seed(f"{seed}-random")
        try:
            yield
        finally:
            _run._r.setstate(shuffle)
            random.setstate(state)
            if collecting:
                gc.enable()


def run_virtual(
    seed: int | str, main: Callable[..., Any], *args: Any, steps: Steps | None = None, clock: VirtualClock | None = None
) -> Any:
    """`trio.run` of `main` where nothing but the seed decides, and where time passes only while everybody waits."""
    clock = VirtualClock() if clock is None else clock
    clock.nobody_runs_before = _nobody_runs_before
    with deterministic(seed), timed_by(clock):
        _clocks.append(clock)
        try:
            return trio.run(
                main,
                *args,
                clock=clock,
                instruments=(Turns(),) if steps is None else (Turns(), steps),
                strict_exception_groups=True,
            )
        finally:
            _clocks.pop()
