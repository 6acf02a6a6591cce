"""Answers that are told again for a while: the venue is asked once, however many want the same.

Whoever asks while the question is under way gets that answer. What is kept is bounded, and what was found to be out of
date (`forget`) is not kept by a question that began before.
"""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, Generic, TypeVar

import attrs
import trio

from genesis.core.clock import Clock

LARGEST_KEPT: Final = 512

V = TypeVar("V")


@attrs.frozen
class Kept(Generic[V]):
    """An answer and its age; `asked` says that the venue was asked for it now."""

    value: V
    age_s: float
    asked: bool


@attrs.define(eq=False)
class KeptAnswers:
    """The memory of one asker. `get` raises what its `ask` raises, and keeps nothing of it."""

    clock: Clock
    largest: int = LARGEST_KEPT
    _kept: dict[Hashable, tuple[Any, float]] = attrs.field(factory=dict, init=False)
    _under_way: dict[Hashable, trio.Lock] = attrs.field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._kept)

    async def get(
        self, key: Hashable, ask: Callable[[], Awaitable[V]], ttl_s: float, *, force_fresh: bool = False
    ) -> Kept[V]:
        """What is known of `key` if it is no older than `ttl_s`, else what `ask` gives. `force_fresh` always asks."""
        if not force_fresh and (known := self._kept.get(key)) is not None and self._age_s(known) <= ttl_s:
            return Kept(known[0], self._age_s(known), asked=False)
        asked_at = self.clock.now()
        lock = self._under_way.setdefault(key, trio.Lock())
        async with lock:
            found = self._kept.get(key)
            if found is not None and found[1] >= asked_at:
                return Kept(found[0], self._age_s(found), asked=False)
            try:
                value = await ask()
                if self._under_way.get(key) is lock:
                    self._keep(key, value)
            finally:
                if key not in self._kept and self._under_way.get(key) is lock and not lock.statistics().tasks_waiting:
                    # Of names that nobody trades nothing is kept, and there is no end of them.
                    del self._under_way[key]
        return Kept(value, 0.0, asked=True)

    def forget(self, key: Hashable) -> None:
        """What is known of it is true no longer, and what is under way may not be either."""
        self._kept.pop(key, None)
        self._under_way.pop(key, None)

    def _age_s(self, kept: tuple[Any, float]) -> float:
        return self.clock.now() - kept[1]

    def _keep(self, key: Hashable, value: Any) -> None:
        self._kept.pop(key, None)
        self._kept[key] = (value, self.clock.now())
        while len(self._kept) > self.largest:
            self.forget(next(iter(self._kept)))
