"""What a client is told first of a topic: made once for all that join at about the same time.

To read and encode every topic takes milliseconds, and after a restart of the engine every page comes back at once. So
what was made is kept for a moment, and who comes then is told the same, and behind it what was published since, which
lies encoded in the hub's row: together that is the state of now.
"""

from typing import Final

import attrs

from genesis.core.clock import Clock
from web.feed import POLLED, snapshot
from web.hub import Hub, encode_message
from web.readers import Readers

SHARED_S: Final = 1.0
"""So long a beginning serves those who join. Far longer, and more would be told behind it than a new one has."""

KEPT_AT_MOST: Final = 256
"""Places that somebody asked for within that time; nobody who asks for every symbol there is fills the memory."""

Place = tuple[str, ...]


@attrs.frozen
class Beginning:
    """An encoded snapshot, the hub's serial that it is as new as, and when it was made."""

    body: bytes
    serial: int
    made_s: float


def _told_by(topic: str, place: Place) -> Place:
    """Only candles have a beginning for each place; of any other topic all of it is told."""
    return place if topic == "candle" else ()


@attrs.define(kw_only=True, eq=False)
class Snapshots:
    """Beginnings of one engine's topics. All of it without waiting: what it gives is whole at the serial of now."""

    readers: Readers
    hub: Hub
    clock: Clock
    made_total: int = 0
    _kept: dict[tuple[str, Place], Beginning] = attrs.field(factory=dict)

    def kept(self, topic: str, place: Place) -> list[bytes] | None:
        """The messages that begin a topic, or a place of it, from what is kept; None when it must be made."""
        place = _told_by(topic, place)
        beginning = self._kept.get((topic, place))
        if beginning is None or self.clock.now() - beginning.made_s > SHARED_S:
            return None
        since = self.hub.between(topic, place, beginning.serial)
        return None if since is None else [beginning.body, *since]

    def make(self, topic: str, place: Place) -> list[bytes]:
        """The same, made now: a few hundred rows take up to some milliseconds."""
        now, place = self.clock.now(), _told_by(topic, place)
        for old in [key for key, one in self._kept.items() if now - one.made_s > SHARED_S]:
            del self._kept[old]
        if len(self._kept) >= KEPT_AT_MOST:
            self._kept.clear()
        data = snapshot(self.readers, topic, {place} if place else set())
        body = encode_message(topic, "snapshot", self.hub.sequence(topic), data)
        self._kept[topic, place] = Beginning(body, self.hub.serial, now)
        self.made_total += 1
        if topic in POLLED:
            # It may differ from what was told last, and be over before the next look: that must be told all the same.
            self.hub.told_beside.add(topic)
        return [body]
