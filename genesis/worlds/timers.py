"""Timers of a world, rung by its clock between two steps: no scope, no exception and no task of their own.

trio ends a pause by cancelling a scope around it, which costs more than most of what is done at the pause's end, and
half of all that happens in a world happens at the end of one. What sleeps, and at which moment it wakes, is the same.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import trio

from genesis.core.alarms import Alarms
from genesis.core.channel import Doorbell
from genesis.worlds.virtual_clock import VirtualClock


@contextlib.contextmanager
def timed_by(clock: VirtualClock) -> Iterator[None]:
    """Every `trio.sleep` and every alarm is put down at this clock, for the time of a run."""

    async def sleep_until(deadline: float) -> None:
        if deadline <= clock.now:
            await trio.lowlevel.checkpoint()
        elif deadline == math.inf:
            await trio.sleep_forever()
        else:
            bell = Doorbell()
            bell.sleep_here()
            clock.at(deadline, bell.ring)
            await trio.lowlevel.wait_task_rescheduled(bell.abort)

    async def sleep(seconds: float) -> None:
        if seconds < 0 or math.isnan(seconds):
            raise ValueError(f"seconds must not be negative, was {seconds}")
        await sleep_until(clock.now + seconds)

    def at(alarms: Alarms, deadline: float, ring: Callable[[], object]) -> None:
        clock.at(deadline, ring)

    def current_time() -> float:
        return clock.now

    changes: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (trio, "current_time", current_time),
        (trio, "sleep", sleep),
        (trio, "sleep_until", sleep_until),
        (Alarms, "at", at),
    )
    with contextlib.ExitStack() as stack:
        for where, name, call in changes:
            stack.enter_context(patch.object(where, name, call))
        yield
