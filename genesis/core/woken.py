"""What a task that slept is told when it is woken: nothing, by one object for all; and how it sleeps until then.

trio makes an `outcome.Value(None)` for each task that it wakes, which refuses to be read twice: to make it, to ask it
and to mark it costs as much as a third of the wake-up. Of nothing there is nothing to be read twice.

`trio.lowlevel.wait_task_rescheduled` makes an object that says how the wait is ended, and has two coroutines around its
one `yield`. Who waits in the same place again and again says the same each time: so that is made once.
"""

import types
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Final, TypeVar

import outcome
import trio
import trio._core._run as _run
from typing_extensions import override

ResultT = TypeVar("ResultT")


class Woken(outcome.Outcome[None]):
    """The value None, as often as it is asked for."""

    __slots__ = ()

    @override
    def unwrap(self) -> None:
        return None

    @override
    def send(self, gen: Generator[ResultT, None, object]) -> ResultT:
        return gen.send(None)

    @override
    async def asend(self, agen: AsyncGenerator[ResultT, None]) -> ResultT:
        return await agen.asend(None)


WOKEN: Final = Woken()
"""The second argument of `trio.lowlevel.reschedule`."""


@trio.lowlevel.enable_ki_protection
def wake(task: trio.lowlevel.Task) -> None:
    """`trio.lowlevel.reschedule` with nothing to say, without the way to the run that the task is of.

    As there, no interrupt comes in between: what is half awake neither goes on nor can be cancelled, so no run ends.
    """
    task._runner.reschedule(task, WOKEN)


place_to_sleep: Final[Callable[[Callable[[Any], trio.lowlevel.Abort]], Any]] = _run.WaitTaskRescheduled  # type: ignore[attr-defined]
"""Makes a place for `sleep`, as often as somebody sleeps there, of what ends a wait there before its time."""


@types.coroutine
def sleep(place: Any) -> Generator[Any, Any, Any]:
    """`trio.lowlevel.wait_task_rescheduled` in this place."""
    said = yield place
    return None if said is WOKEN else said.unwrap()
