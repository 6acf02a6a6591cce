"""A channel that puts some of what it is told into a second one as well, and lets somebody look at all of it at once.

Screens hear everything; whoever tells people in their pockets hears a few kinds of it. Neither may depend on the other,
and no sender should have to know that there are two. While nobody looks at a screen, only those few kinds wake it: the
rest is what was told a moment ago in newer numbers, and waits to be heard with the next of them.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

from genesis.core.channel import Channel, Overflow

UNHURRIED: Final = 64
"""So many are heard in a tenth of a millisecond: more are not left to wait."""


class Tee(Channel[Any]):
    """`kinds` are the exact types that `also` hears; it must never make its sender wait or raise."""

    def __init__(
        self,
        name: str,
        overflow: Overflow,
        *,
        also: Channel[Any],
        kinds: frozenset[type],
        capacity: int = 1024,
        key: Callable[[Any], Hashable] | None = None,
    ) -> None:
        if also.overflow in (Overflow.BLOCK, Overflow.FAIL):
            raise ValueError(f"overflow of {also.name} must never refuse, was {also.overflow.name}")
        super().__init__(name, overflow, capacity=capacity, key=key)
        self._also = also
        self._kinds = kinds
        self.alert: Callable[[Any], None] | None = None
        """Called with each message, by its sender and before anybody hears it: it must be quick and never raise."""
        self.is_watched: Callable[[], bool] | None = None
        """Whether somebody sees at once what is told; without it somebody may."""

    def put_many(self, messages: Sequence[Any]) -> int:
        """Whoever else hears is told of each: one by one."""
        raise ValueError(f"messages of {self.name} must be put one by one, was {len(messages)} at once")

    def put_if_room(self, message: Any) -> bool:
        """See `Channel.put_if_room`."""
        if self._must_wait():
            return False
        self.put_nowait(message)
        return True

    def put_nowait(self, message: Any) -> None:
        """See `Channel.put_nowait`."""
        if self.alert is not None:
            self.alert(message)
        if message.__class__ in self._kinds:
            super().put_nowait(message)
            self._also.put_nowait(message)
        elif len(self.queue) >= UNHURRIED or self.is_watched is None or self.is_watched():
            super().put_nowait(message)
        else:
            self.leave(message)
