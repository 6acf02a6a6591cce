"""The hub of the event stream: what is published once, encoded once, and queued for every client that asked for it.

A client's queue is bounded and conflating. A message with a key replaces the waiting one with the same key (a newer
ticker, a newer state of one order). Messages without one (notices, trades) keep their order, and when there
are too many the oldest is dropped and counted, and the client is told how many it missed. Publishing never waits.
"""

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Any, Final

import attrs
import msgspec
import trio

TOPICS: Final = (
    "status",
    "ticker",
    "candle",
    "wallet",
    "position",
    "protection",
    "order",
    "trade",
    "signal",
    "regime",
    "verdict",
    "risk",
    "equity",
    "actor",
    "connection",
    "freshness",
    "notification",
    "job",
    "config",
)
"""Everything that can be subscribed to, by its name on the wire."""

RESUMABLE: Final = frozenset({"order", "trade", "signal", "verdict", "notification", "regime"})
"""Topics that tell what happened, not what is: their newest messages are kept for clients that come back."""

KEPT: Final = 500
QUEUE_LIMIT: Final = 500
FRAME_MESSAGES: Final = 200
"""Messages that go out in one frame at most."""

_encode = msgspec.json.Encoder().encode


@attrs.frozen(kw_only=True)
class Published:
    """One message, encoded. `key` is None when it must not be conflated; `place` filters by symbol (and time frame)."""

    topic: str
    sequence: int
    key: Hashable | None
    place: tuple[str, ...]
    body: bytes


def encode_message(topic: str, kind: str, sequence: int, data: Any) -> bytes:
    """`{"topic","kind","seq","data"}`; kind is snapshot, update, resumed, direct, or missed."""
    return b'{"topic":"%s","kind":"%s","seq":%d,"data":%s}' % (topic.encode(), kind.encode(), sequence, _encode(data))


@attrs.define(eq=False)
class Subscriber:
    """One client's wishes and its queue. `places` limits a topic to symbols, e.g. `{"candle": {("tBTCUSD", "1m")}}`."""

    limit: int = QUEUE_LIMIT
    topics: set[str] = attrs.field(factory=set)
    places: dict[str, set[tuple[str, ...]]] = attrs.field(factory=dict)
    missed_total: int = 0
    _waiting: dict[Hashable, Published] = attrs.field(factory=dict)
    _missed: dict[str, int] = attrs.field(factory=dict)
    _direct: list[bytes] = attrs.field(factory=list)
    _bell: trio.Event = attrs.field(factory=trio.Event)

    def wants(self, message: Published) -> bool:
        if message.topic not in self.topics:
            return False
        places = self.places.get(message.topic)
        return not places or any(message.place[: len(place)] == place for place in places)

    def tell(self, body: bytes) -> None:
        """Queue a message meant for this client alone, ahead of what is published; the caller bounds how many."""
        self._direct.append(body)
        self._bell.set()

    def offer(self, message: Published) -> None:
        # A conflated message moves to the end: what a client reads is in the order of the newest state.
        slot = (message.topic, message.key is None, message.sequence if message.key is None else message.key)
        replaced = self._waiting.pop(slot, None)
        self._waiting[slot] = message
        if replaced is None and len(self._waiting) > self.limit:
            oldest = self._waiting.pop(next(iter(self._waiting)))
            self._missed[oldest.topic] = self._missed.get(oldest.topic, 0) + 1
            self.missed_total += 1
        self._bell.set()

    @property
    def depth(self) -> int:
        return len(self._waiting) + len(self._direct)

    async def wait(self) -> None:
        """Until there is something to take. Always a checkpoint."""
        await self._bell.wait()

    def take(self, limit: int = FRAME_MESSAGES) -> list[bytes]:
        """What goes out next, at most `limit` messages (direct ones and losses always whole)."""
        taken, self._direct = self._direct, []
        for topic, count in self._missed.items():
            taken.append(encode_message(topic, "missed", 0, count))
        self._missed.clear()
        while self._waiting and len(taken) < limit:
            taken.append(self._waiting.pop(next(iter(self._waiting))).body)
        if not self._waiting:
            self._bell = trio.Event()
        return taken


@attrs.define(eq=False)
class Hub:
    """All subscribers, and the sequence number of every topic."""

    sequences: dict[str, int] = attrs.field(factory=dict)
    published_total: int = 0
    _subscribers: dict[Subscriber, None] = attrs.field(factory=dict)
    _kept: dict[str, deque[Published]] = attrs.field(factory=lambda: {topic: deque(maxlen=KEPT) for topic in RESUMABLE})

    @property
    def subscribers(self) -> Iterable[Subscriber]:
        return tuple(self._subscribers)

    def __len__(self) -> int:
        return len(self._subscribers)

    def add(self, subscriber: Subscriber) -> None:
        self._subscribers[subscriber] = None

    def remove(self, subscriber: Subscriber) -> None:
        self._subscribers.pop(subscriber, None)

    def sequence(self, topic: str) -> int:
        """The number of the newest message of a topic; a snapshot taken now carries it."""
        return self.sequences.get(topic, 0)

    def since(self, topic: str, sequence: int) -> list[Published] | None:
        """Every message of a topic behind `sequence`; None when some of them are not kept, or it is of the future."""
        kept = self._kept.get(topic)
        newest = self.sequence(topic)
        if kept is None or sequence > newest:
            return None
        oldest = kept[0].sequence if kept else newest + 1
        if sequence + 1 < oldest:
            return None
        return [message for message in kept if message.sequence > sequence]

    def publish(self, topic: str, data: Any, *, key: Hashable | None = None, place: tuple[str, ...] = ()) -> None:
        """Give `data` to everybody who asked for the topic. Encodes once, and only what is kept or was asked for."""
        sequence = self.sequences.get(topic, 0) + 1
        self.sequences[topic] = sequence
        self.published_total += 1
        message: Published | None = None
        if topic in RESUMABLE:
            message = self._made(topic, sequence, data, key, place)
            self._kept[topic].append(message)
        for subscriber in self._subscribers:
            if topic not in subscriber.topics:
                continue
            if message is None:
                message = self._made(topic, sequence, data, key, place)
            if subscriber.wants(message):
                subscriber.offer(message)

    def _made(self, topic: str, sequence: int, data: Any, key: Hashable | None, place: tuple[str, ...]) -> Published:
        body = encode_message(topic, "update", sequence, data)
        return Published(topic=topic, sequence=sequence, key=key, place=place, body=body)
