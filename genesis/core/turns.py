"""Who is woken goes on at once: in the same turn of the loop, right behind the step of who woke it.

Between two turns trio asks the kernel for news and looks at its deadlines. A tick becomes an order over six actors,
each woken by the one before, so the kernel was asked six times while nobody else could go on. Here the steps of those
who were woken are made right behind the step that woke them.

It is another order of the same steps, and nothing else: a step belongs to its own task as ever, in its own context and
with its own cancellation, and when it raises it is that task that ends. Who lets others go first (a checkpoint) is left
to the next turn, so that all who can go on do so before it comes back; and after `LONGEST` steps the kernel is asked in
any case.

The names in `PRIVATE_NAMES` are private to trio. `tests/genesis/core/test_turns.py` fails when its loop changes, and
trio is pinned to the release that has it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import trio
import trio._core._run as _run
from outcome import Error, Value
from typing_extensions import TypeVarTuple, Unpack, override

from genesis.core.rest import LoopClock
from genesis.core.woken import WOKEN

T = TypeVar("T")
ArgsT = TypeVarTuple("ArgsT")

LONGEST: Final = 16
"""Steps behind one of trio's own."""

PRIVATE_NAMES: Final = (
    "GLOBAL_RUN_CONTEXT",
    "Instruments",
    "WaitTaskRescheduled",
    "CancelShieldedCheckpoint",
    "PermanentlyDetachCoroutineObject",
    "CONTEXT_RUN_TB_FRAMES",
)

_Instruments: Any = _run.Instruments  # type: ignore[attr-defined]
"""Asked of its module it is another class in a world."""
_context: Any = _run.GLOBAL_RUN_CONTEXT
_Sleeps: Any = _run.WaitTaskRescheduled  # type: ignore[attr-defined]
_NEXT_TURN: Any = _run.CancelShieldedCheckpoint  # type: ignore[attr-defined]
_Leaves: Any = _run.PermanentlyDetachCoroutineObject  # type: ignore[attr-defined]


class Turns(trio.abc.Instrument):
    """Give it to `trio.run`. Other instruments hear of the beginning of each step, and of the end of trio's own."""

    def __init__(self) -> None:
        self._runner: Any = None
        self.queue: Any = ()
        """Of those who can go on."""

    @override
    def before_run(self) -> None:
        self._runner = _context.runner
        self.queue = self._runner.runq
        if isinstance(self._runner.instruments, _Instruments):
            self._runner.instruments = _Loud(self, self._runner.instruments)

    @override
    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """For trio, which asks once which of these names an instrument has: see `go_on`."""

    def go_on(self, before: trio.lowlevel.Task) -> None:
        """The steps of those who were woken, after the step of `before`, as trio's loop makes them."""
        queue = self.queue
        if not queue or queue[0]._next_send is not WOKEN:
            return
        runner = self._runner
        ears = runner.instruments
        heard = "before_task_step" in ears
        for _ in range(LONGEST):
            task = queue.popleft()
            _context.task = task
            # Asked again: who heard of the step before may be gone, by its own wish or because it raised.
            if heard and "before_task_step" in ears:
                ears.call("before_task_step", task)
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
                # Outside of the handlers, or it would become the context of errors that have nothing to do with it.
                runner.task_exited(task, end)
            else:
                task._schedule_points += 1
                if type(said) is _Sleeps:
                    task._cancel_points += 1
                    task._abort_func = said.abort_func
                    if runner.ki_pending and task is runner.main_task:
                        task._attempt_delivery_of_pending_ki()
                    task._attempt_delivery_of_any_pending_cancel()
                elif said is _NEXT_TURN:
                    runner.reschedule(task)
                elif type(said) is _Leaves:
                    runner.task_exited(task, said.final_outcome)
                else:
                    runner.reschedule(task, TypeError(f"a task must yield what trio knows, was {said!r}"))
                    task._next_send_fn = task.coro.throw
            if not queue or queue[0]._next_send is not WOKEN:
                break
        # What a task has told, and how it ended, must not live on here.
        end = said = None
        _context.task = before


class _Loud(_Instruments):  # type: ignore[misc]
    """The instruments of a run, of which `Turns` is one: what goes wrong there ends the run, where trio would write it
    down and go on without the instrument, and without the task whose step it was."""

    def __init__(self, turns: Turns, others: Any) -> None:
        super().__init__(tuple(others.data["_all"]))
        self._go_on, self._woken = turns.go_on, turns.queue

    @override
    def call(self, hookname: str, *args: Any) -> None:
        if hookname == "after_task_step":
            if self._woken:
                self._go_on(*args)
            if len(self.data[hookname]) == 1:
                return
        super().call(hookname, *args)


def run_loop(main: Callable[[Unpack[ArgsT]], Awaitable[T]], *args: *ArgsT) -> T:
    """`trio.run` as the engine has it: real time, a loop that tells of its rest, and the woken go on at once."""
    return trio.run(main, *args, clock=LoopClock(), instruments=(Turns(),))
