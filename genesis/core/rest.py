"""The loop at rest: no task can go on without the kernel, another thread or a clock.

trio asks its clock how long it may sleep only when no task can go on, so a clock of our own hears of that moment, at no
cost to those who act before it. trio's own means for that looks at each turn of the loop through the list of those who
wait, which was a twentieth of all that happens between a tick and its order.
"""

import time
from collections.abc import Callable

import trio

# trio keeps it among its means for tests, whose import loads a whole test runner (0.3 s).
from trio._core._generated_run import wait_all_tasks_blocked
from typing_extensions import override

from genesis.core.woken import WOKEN


class RestClock(trio.abc.Clock):
    """A clock that tells of rest whoever asked for it."""

    def __init__(self) -> None:
        self._at_rest: list[Callable[[], object]] = []

    def at_rest(self, call: Callable[[], object]) -> None:
        """Call it when the loop comes to rest next, once: it must not wait, and must not raise."""
        self._at_rest.append(call)

    def _tell_of_rest(self) -> None:
        calls, self._at_rest = self._at_rest, []
        for call in calls:
            call()


class LoopClock(RestClock):
    """Real time, as trio's own clock tells it."""

    def __init__(self) -> None:
        super().__init__()
        self._looked = False

    @override
    def start_clock(self) -> None:
        pass

    current_time = staticmethod(time.perf_counter)

    @override
    def at_rest(self, call: Callable[[], object]) -> None:
        self._at_rest.append(call)
        self._looked = False

    @override
    def deadline_to_sleep_time(self, deadline: float) -> float:
        if self._at_rest:
            # What the kernel has for somebody comes first: the loop looks there before it asks again.
            if self._looked:
                self._tell_of_rest()
            self._looked = not self._looked
            return 0.0
        return deadline - time.perf_counter()


async def loop_at_rest() -> None:
    """Come back when the loop rests, whatever clock it has. A checkpoint."""
    clock = trio.lowlevel.current_clock()
    if not isinstance(clock, RestClock):
        await wait_all_tasks_blocked()
        return
    waiting: list[trio.lowlevel.Task] = [trio.lowlevel.current_task()]

    def call() -> None:
        for task in waiting:
            trio.lowlevel.reschedule(task, WOKEN)

    def abort(_: object) -> trio.lowlevel.Abort:
        waiting.clear()
        return trio.lowlevel.Abort.SUCCEEDED

    clock.at_rest(call)
    await trio.lowlevel.wait_task_rescheduled(abort)
