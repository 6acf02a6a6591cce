"""A published snapshot: one writer sets it, anybody reads it, and nobody ever waits for a reader."""

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Latest(Generic[T]):
    """The newest value and its version. A slow reader misses values in between, never the last one.

    `version` is 0 for the first value and rises by one with each `set`. `taken` holds what each reader that says so
    works with; `on_set` is called after each change, on the writer's time, so it must be short.
    """

    __slots__ = ("_changed", "on_set", "taken", "value", "version")

    def __init__(self, value: T) -> None:
        self.value = value
        self.version = 0
        self.taken: dict[str, T] = {}
        self.on_set: Callable[[], None] | None = None
        # Made by the first reader that waits: a cell that nobody waits on costs its writer two stores.
        self._changed: trio.Event | None = None

    def set(self, value: T) -> None:
        self.value = value
        self.version += 1
        if self._changed is not None:
            self._changed.set()
            self._changed = None
        if self.on_set is not None:
            self.on_set()

    def take(self, reader: str) -> T:
        """The newest value, with which `reader` works from now on: everybody can see that it does."""
        self.taken[reader] = self.value
        return self.value

    def when_other(self, part: Callable[[T], object], call: Callable[[], None]) -> None:
        """Have `call` made, as by `on_set`, whenever this part of the value is another than before."""
        before = part(self.value)

        def look() -> None:
            nonlocal before
            now = part(self.value)
            if now != before:
                before = now
                call()

        self.on_set = look

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
