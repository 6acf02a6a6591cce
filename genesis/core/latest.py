"""A published snapshot: one writer sets it, anybody reads it, and nobody ever waits for a reader."""

from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Latest(Generic[T]):
    """The newest value and its version. A slow reader misses values in between, never the last one.

    `version` is 0 for the first value and rises by one with each `set`.
    """

    __slots__ = ("_changed", "value", "version")

    def __init__(self, value: T) -> None:
        self.value = value
        self.version = 0
        # Made by the first reader that waits: a cell that nobody waits on costs its writer two stores.
        self._changed: trio.Event | None = None

    def set(self, value: T) -> None:
        self.value = value
        self.version += 1
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def changed(self, since: int) -> T:
        """Wait until `version` is above `since`, then give the value of that moment. Always a checkpoint."""
        if self.version > since:
            await trio.lowlevel.checkpoint()
            return self.value
        while self.version <= since:
            if self._changed is None:
                self._changed = trio.Event()
            await self._changed.wait()
        return self.value
