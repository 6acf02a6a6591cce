"""What a task that slept is told when it is woken: nothing, by one object for all.

trio makes an `outcome.Value(None)` for each task that it wakes, which refuses to be read twice: to make it, to ask it
and to mark it costs as much as a third of the wake-up. Of nothing there is nothing to be read twice.
"""

from collections.abc import AsyncGenerator, Generator
from typing import Final, TypeVar

import outcome
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
