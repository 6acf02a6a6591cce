"""trio's loop as a world has it: the same steps in the same order, without what nobody in a world hears of.

A world makes some seven thousand steps an hour, each of which is short, so the loop around them was a tenth of its
time. Here are no instruments that could be added, no driver that goes to the kernel between two steps, and the steps
of those who are woken (`genesis.core.turns`) are made where all others are. Which step follows which, what it is sent,
and what becomes of what it says, is as there; `tests/worlds/test_virtual_loop.py` runs one program on both.

The names in `PRIVATE_NAMES` are private to trio. `tests/genesis/core/test_turns.py` fails when its loop changes, and
trio is pinned to the release that has it.
"""

import contextlib
import math
import operator
import types
import zlib
from collections.abc import Awaitable, Callable, Generator, Iterator
from functools import partial
from typing import Any, Final
from unittest.mock import patch

import trio
import trio._core._run as _run
from outcome import Error, Outcome, Value

from genesis.core.turns import LONGEST
from genesis.core.woken import WOKEN, Woken
from genesis.worlds.virtual_clock import VirtualClock

STANDSTILL_LOOK: Final = 1000
STANDSTILL_STEPS: Final = 100_000
"""A busy second of a world has some thousand steps."""
KERNEL_ASKED_EVERY: Final = 128
"""Turns of the loop. The kernel knows of no socket of a world, only of trio's own wake-up, which may wait that long."""

PRIVATE_NAMES: Final = (
    "unrolled_run",
    "current_time",
    "_r",
    "GLOBAL_RUN_CONTEXT",
    "WaitTaskRescheduled",
    "CancelShieldedCheckpoint",
    "PermanentlyDetachCoroutineObject",
    "CONTEXT_RUN_TB_FRAMES",
)
"""What is used of `trio._core._run`, beside what a runner, its deadlines, its scopes and its tasks keep."""
PRIVATE_SCOPE_NAME: Final = "_might_change_registered_deadline"
"""What every `trio.CancelScope` has around its beginning and its end."""

_context: Any = _run.GLOBAL_RUN_CONTEXT
_Sleeps: Any = _run.WaitTaskRescheduled  # type: ignore[attr-defined]
_NEXT_TURN: Any = _run.CancelShieldedCheckpoint  # type: ignore[attr-defined]
_Leaves: Any = _run.PermanentlyDetachCoroutineObject  # type: ignore[attr-defined]
_LATER: Final = Woken()
"""What a task is sent behind a checkpoint: nothing, as who was woken, and yet not `WOKEN`, by which those are known who
go on at once."""
_age: Final = operator.attrgetter("_counter")


class Steps:
    """Counts the steps of all tasks, folds their names into a fingerprint, and rings at numbers it was given.

    Two runs with equal fingerprints have run the same tasks in the same order. What rings is called between two steps:
    it must not wait.
    """

    def __init__(self) -> None:
        self.livelock: Callable[[str], None] | None = None
        """Told the busiest tasks when so many steps were made that time should have passed, and it has not."""
        self.names: list[str] = []
        """Of the newest steps, of which the fingerprint has not heard; each begins by being put here."""
        self.until = STANDSTILL_LOOK
        """At so many names there is something to do but to count: `due`."""
        self._still_since = (0.0, 0)
        self._folded = self._folded_count = 0
        self._at: dict[int, Callable[[], None]] = {}

    @property
    def count(self) -> int:
        return self._folded_count + len(self.names)

    @property
    def fingerprint(self) -> int:
        """Of the names of all steps so far, in their order."""
        self._fold()
        return self._folded

    def _fold(self) -> None:
        # Many at once: it is the same number, and each step would pay more for it than for all else that is done here.
        self._folded = zlib.crc32("".join(self.names).encode(), self._folded)
        self.until -= len(self.names)
        self._folded_count += len(self.names)
        self.names.clear()

    def ring_at(self, step: int, call: Callable[[], None]) -> None:
        step = max(step, self.count + 1)
        self._at[step] = call
        self.until = min(self.until, step - self._folded_count)

    def due(self, name: str) -> None:
        """The step that begins is the one for which something is to be done."""
        count = self.count
        if not count % STANDSTILL_LOOK:
            self._fold()
            self._look(name)
        call = self._at.pop(count, None)
        following = min((count - count % STANDSTILL_LOOK + STANDSTILL_LOOK, *self._at))
        self.until = following - self._folded_count
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


@types.coroutine
def _sleep(abort: Callable[[Any], trio.lowlevel.Abort]) -> Generator[Any, Any, Any]:
    """`trio.lowlevel.wait_task_rescheduled` by its one `yield` alone, of what costs nothing to be made: half of all
    steps of a world begin and end here."""
    said = yield (abort,)
    return None if said is WOKEN else said.unwrap()


@trio.lowlevel.enable_ki_protection
def _reschedule(task: Any, next_send: Outcome[Any] = _LATER) -> None:
    """`trio.lowlevel.reschedule`, which asks the thread for its loop and the loop for who would hear of it."""
    assert task._next_send_fn is None, f"{task.name} must sleep to be woken, did not"
    task._next_send_fn, task._next_send = task.coro.send, next_send
    task._abort_func = task.custom_sleep_data = None
    task._runner.runq.append(task)


class _Around:
    """`CancelScope._might_change_registered_deadline` without a generator of its own: two for each scope."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Any) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        scope = self._scope
        old = scope._registered_deadline
        new = math.inf if scope._cancel_status is None or scope._cancel_called else scope._deadline
        if old != new:
            scope._registered_deadline = new
            deadlines = _context.runner.deadlines
            if old != math.inf:
                deadlines.remove(old, scope)
            if new != math.inf:
                deadlines.add(new, scope)


@contextlib.contextmanager
def looped_by(clock: VirtualClock, steps: Steps) -> Iterator[None]:
    """`trio.run` under this clock makes its steps here, and `steps` hears of each as it begins."""
    changes: tuple[tuple[Any, str, Any], ...] = (
        (_run, "unrolled_run", partial(_loop, steps)),
        (_run, "current_time", lambda: clock.now),
        (trio.lowlevel, "wait_task_rescheduled", _sleep),
        (trio.lowlevel, "reschedule", _reschedule),
        # A function, so that it is a method.
        (trio.CancelScope, PRIVATE_SCOPE_NAME, lambda scope: _Around(scope)),
    )
    with contextlib.ExitStack() as stack:
        for where, name, call in changes:
            stack.enter_context(patch.object(where, name, call))
        yield


@trio.lowlevel.enable_ki_protection
def _loop(
    steps: Steps, runner: Any, async_fn: Callable[..., Awaitable[object]], args: tuple[Any, ...]
) -> Generator[float, Any, None]:
    """`trio._core._run.unrolled_run`: asks for the kernel's news by what it yields."""
    clock, queue, deadlines = runner.clock, runner.runq, runner.deadlines
    assert isinstance(clock, VirtualClock), f"a world's clock is virtual, was {clock!r}"
    names, hear, shuffle = steps.names, steps.names.append, _run._r.shuffle
    turns = 0

    def nobody_runs_before() -> float:
        return -math.inf if queue else deadlines.next_deadline()

    clock.nobody_runs_before = nobody_runs_before
    try:
        runner.entry_queue.wakeup.wakeup_on_signals()
        clock.start_clock()
        runner.init_task = runner.spawn_impl(runner.init, (async_fn, args), None, "<init>", system_task=True)
        while runner.tasks:
            timeout = 0.0 if queue else clock.deadline_to_sleep_time(deadlines.next_deadline())
            turns += 1
            if timeout or not turns % KERNEL_ASKED_EVERY:
                assert not (timeout and runner.waiting_for_idle), "a world's rest is told by its clock: loop_at_rest"
                runner.io_manager.process_events((yield timeout))
                deadlines.expire(clock.now)
            elif (heap := deadlines._heap) and heap[0][0] <= clock.now:
                deadlines.expire(clock.now)
            batch = list(queue)
            queue.clear()
            if len(batch) > 1:
                # Of one alone no number is drawn.
                batch.sort(key=_age)
                shuffle(batch)
            while batch:
                task = batch.pop()
                behind = 0
                while True:
                    _context.task = task
                    hear(task.name)
                    if len(names) == steps.until:
                        steps.due(task.name)
                    send, value = task._next_send_fn, task._next_send
                    task._next_send_fn = task._next_send = None
                    end: Value[Any] | Error | None = None
                    try:
                        said = task.context.run(send, value)
                    except StopIteration as stop:
                        end = Value(stop.value)
                    except BaseException as error:
                        # Without the frames of this function and of what runs a context.
                        trace = error.__traceback__
                        for _ in range(1 + _run.CONTEXT_RUN_TB_FRAMES):
                            trace = trace.tb_next if trace is not None else None
                        end = Error(error.with_traceback(trace))
                        del trace
                    if end is not None:
                        # Outside of the handlers, or it would become the context of errors that have nothing to do
                        # with it.
                        runner.task_exited(task, end)
                        end = None
                    else:
                        task._schedule_points += 1
                        kind = type(said)
                        if kind is tuple or kind is _Sleeps:
                            task._cancel_points += 1
                            task._abort_func = said[0] if kind is tuple else said.abort_func
                            if runner.ki_pending and task is runner.main_task:
                                task._attempt_delivery_of_pending_ki()
                            if task._cancel_status.effectively_cancelled:
                                task._attempt_delivery_of_any_pending_cancel()
                        elif said is _NEXT_TURN:
                            runner.reschedule(task, _LATER)
                        elif kind is _Leaves:
                            runner.task_exited(task, said.final_outcome)
                        else:
                            runner.reschedule(task, TypeError(f"a task must yield what trio knows, was {said!r}"))
                            task._next_send_fn = task.coro.throw
                        said = None
                    if behind == LONGEST or not queue or queue[0]._next_send is not WOKEN:
                        break
                    # Who was woken goes on at once.
                    behind += 1
                    task = queue.popleft()
                del _context.task
                # What a task was and has heard must not live on here.
                del task, send, value
    except trio.TrioInternalError:
        raise
    except BaseException as error:
        raise trio.TrioInternalError("internal error in a world's loop") from error
    finally:
        runner.close()
        _context.__dict__.clear()
        if runner.ki_pending:
            interrupt = KeyboardInterrupt()
            if isinstance(runner.main_task_outcome, Error):
                interrupt.__context__ = runner.main_task_outcome.error
            runner.main_task_outcome = Error(interrupt)
