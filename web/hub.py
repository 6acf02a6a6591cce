"""The hub of the event stream: what is published once, encoded once, and fetched for every client that asked for it.

All clients hear one bounded, conflating row of messages, each from its own place on. A message with a key replaces the
one with the same key (a newer ticker, a newer state of one order). Messages without one (notices, trades) keep their
order, and of what a client has not fetched the oldest is dropped and counted when there is too much, and the client is
told how many it missed. Publishing never waits, and wakes nobody but the crier, who goes round with the row as it stood
at one moment: what clients with the same wishes at the same place hear is put together once.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Hashable
from typing import Any, Final, Protocol

import attrs
import msgspec
import trio

from protocols.plain_text import plain_numbers

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
ROW_LIMIT: Final = 4096
FRAME_MESSAGES: Final = 200
"""Messages that go out in one frame at most."""

QUIET_S: Final = 0.02
"""What an order takes from its candle to the venue, and as much again."""
QUIET_BURST_S: Final = 0.25
"""At once, when many candles close one after the other."""

_encode_exact = msgspec.json.Encoder().encode


def _encode(value: Any) -> bytes:
    return plain_numbers(_encode_exact(value))


@attrs.frozen(kw_only=True)
class Published:
    """One message, encoded. `key` is None when it must not be conflated; `place` filters by symbol (and time frame)."""

    topic: str
    serial: int
    """Of all topics together."""
    sequence: int
    key: Hashable | None
    place: tuple[str, ...]
    body: bytes


def encode_message(topic: str, kind: str, sequence: int, data: Any) -> bytes:
    """`{"topic","kind","seq","data"}`; kind is snapshot, update, resumed, direct, or missed."""
    return b'{"topic":"%s","kind":"%s","seq":%d,"data":%s}' % (topic.encode(), kind.encode(), sequence, _encode(data))


class Ear(Protocol):
    """A client's side that the crier speaks to."""

    def hear(self, messages: bytes) -> None:
        """Send these messages, joined by commas, as one frame. Never waits."""
        ...

    def look(self) -> None:
        """End the conversation if it may not go on."""
        ...


@attrs.define(eq=False)
class Round:
    """The row as it stood at one moment, for a round of the crier."""

    messages: tuple[Published, ...]
    """The oldest first."""
    serial: int
    forgotten: int
    """The newest serial that the row had no more room for."""
    joined: dict[Hashable, bytes] = attrs.field(factory=dict)
    """What was put together for clients of the same wishes and the same place."""


@attrs.define(eq=False)
class Subscriber:
    """One client's wishes and its place in the row. `places` limits a topic to symbols, e.g. `{"candle": {("tBTCUSD",
    "1m")}}`; `since` holds from which serial on a topic is told, where that is later than the client's place, and
    `joined` the same of a place that was asked for later than its topic. `ear` is None where nobody tells it."""

    ear: Ear | None = None
    limit: int = QUEUE_LIMIT
    topics: set[str] = attrs.field(factory=set)
    places: dict[str, set[tuple[str, ...]]] = attrs.field(factory=dict)
    since: dict[str, int] = attrs.field(factory=dict)
    joined: dict[tuple[str, tuple[str, ...]], int] = attrs.field(factory=dict)
    missed_total: int = 0
    hub: "Hub | None" = None
    seen: int = 0
    """The serial of the newest message that it has fetched or does not want."""
    _holds: int = 0
    _missed: dict[str, int] = attrs.field(factory=dict)
    _direct: list[bytes] = attrs.field(factory=list)

    def wants(self, message: Published) -> bool:
        if message.topic not in self.topics or message.serial <= self.since.get(message.topic, 0):
            return False
        places = self.places.get(message.topic)
        return not places or any(
            message.place[: len(place)] == place and message.serial > self.joined.get((message.topic, place), 0)
            for place in places
        )

    def tell(self, body: bytes) -> None:
        """Queue a message meant for this client alone, ahead of what is published; the caller bounds how many."""
        self._direct.append(body)
        self.ask()

    def ask(self) -> None:
        """See that what waits for it alone goes out."""
        if self.hub is not None and self._direct and not self._holds:
            self.hub.ask(self)

    @property
    def held(self) -> bool:
        """Whether it is told nothing just now."""
        return self._holds > 0

    def hold(self) -> None:
        """Tell it nothing until `release`: snapshots are made that go out together, or its socket is full."""
        self._holds += 1

    def release(self) -> None:
        self._holds -= 1
        self.ask()
        if self.hub is not None and not self._holds and self.seen < self.hub.serial:
            self.hub.ring()

    @property
    def depth(self) -> int:
        return len(self._direct) + (0 if self.hub is None else len(self.hub.behind(self)))

    def take(self, limit: int = FRAME_MESSAGES, row: Round | None = None) -> list[bytes]:
        """What goes out next, at most `limit` messages (direct ones and losses always whole)."""
        waiting: list[Published] = []
        if self.hub is not None:
            row = row or self.hub.row()
            waiting = self.hub.behind(self, row)
            if self.seen < row.forgotten:
                for topic in self.topics:
                    begin = max(self.seen, self.since.get(topic, 0))
                    self._miss(topic, self.hub.forgotten_between(topic, begin, row.forgotten))
        for message in waiting[: -self.limit]:
            self._miss(message.topic, 1)
        del waiting[: -self.limit]
        taken, self._direct = self._direct, []
        taken += [encode_message(topic, "missed", 0, count) for topic, count in self._missed.items()]
        self._missed.clear()
        fetched = waiting[: max(0, limit - len(taken))]
        taken += [message.body for message in fetched]
        if len(fetched) < len(waiting):
            self._goes_on(waiting[len(fetched)].serial - 1)
        elif row is not None:
            self._goes_on(row.serial)
        return taken

    def part(self, row: Round) -> bytes:
        """What goes out next of a round, joined by commas. Clients that differ in nothing share it."""
        if self._direct or self._missed or self.since or self.joined or self.hub is None:
            return b",".join(self.take(row=row))
        if self.seen >= row.serial:
            return b""
        wishes = tuple((topic, frozenset(places)) for topic, places in self.places.items() if places)
        key = (self.seen, self.limit, frozenset(self.topics), wishes)
        shared = row.joined.get(key)
        if shared is None:
            missed = self.missed_total
            shared = b",".join(self.take(row=row))
            # What it has lost is told to whoever lost it, and counted there; a frame that was full is not the last.
            if self.missed_total == missed and self.seen == row.serial:
                row.joined[key] = shared
            return shared
        self.seen = row.serial
        return shared

    def _goes_on(self, serial: int) -> None:
        """It has this serial behind it. A beginning that is behind it, too, says nothing any more."""
        # A round may be older than an answer that came between.
        self.seen = serial = max(self.seen, serial)
        if self.since:
            self.since = {topic: begin for topic, begin in self.since.items() if begin > serial}
        if self.joined:
            self.joined = {place: begin for place, begin in self.joined.items() if begin > serial}

    def _miss(self, topic: str, count: int) -> None:
        if count:
            self._missed[topic] = self._missed.get(topic, 0) + count
            self.missed_total += count


@attrs.define(eq=False)
class Hub:
    """All subscribers, the row that they read, and the sequence number of every topic."""

    sequences: dict[str, int] = attrs.field(factory=dict)
    serial: int = 0
    published_total: int = 0
    quiet_until_s: float = -math.inf
    """Until then (trio's time) nobody is sent anything: an order may be on its way in the same loop."""
    _quiet_left_s: float = QUIET_BURST_S
    _hushed_s: float = -math.inf
    _subscribers: dict[Subscriber, None] = attrs.field(factory=dict)
    _asked: dict[Subscriber, None] = attrs.field(factory=dict)
    """Those who wait for an answer of their own, the longest first."""
    _news: trio.Event = attrs.field(factory=trio.Event)
    _questions: trio.Event = attrs.field(factory=trio.Event)
    _listened: trio.Event = attrs.field(factory=trio.Event)
    _row: dict[Hashable, Published] = attrs.field(factory=dict)
    """What clients may not have fetched yet, the oldest first."""
    newest_forgotten: int = 0
    told_beside: set[str] = attrs.field(factory=set)
    """Topics of which somebody was told a state that nobody published: the next look tells it again."""
    _unheard: dict[str, int] = attrs.field(factory=dict)
    """The serial of the newest message of a topic that nobody had asked for: it never was in the row."""
    _forgotten: dict[str, deque[int]] = attrs.field(factory=dict)
    """Serials of what the row had no more room for, by topic."""
    _kept: dict[str, deque[Published]] = attrs.field(factory=lambda: {topic: deque(maxlen=KEPT) for topic in RESUMABLE})

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        return tuple(self._subscribers)

    def __len__(self) -> int:
        return len(self._subscribers)

    def has_listeners(self) -> bool:
        return bool(self._subscribers)

    def __contains__(self, subscriber: Subscriber) -> bool:
        return subscriber in self._subscribers

    def hush(self, now_s: float) -> None:
        """Send nothing for QUIET_S. In the long run at most half of the time is quiet: a page must not fall silent."""
        self._quiet_left_s = min(QUIET_BURST_S, self._quiet_left_s + (now_s - self._hushed_s) / 2)
        self._hushed_s = now_s
        more_s = now_s + QUIET_S - max(now_s, self.quiet_until_s)
        if more_s <= self._quiet_left_s:
            self._quiet_left_s -= more_s
            self.quiet_until_s = now_s + QUIET_S

    async def quiet_over(self) -> None:
        """Until something may be sent. Always a checkpoint."""
        await trio.lowlevel.checkpoint()
        # One order after the other: meanwhile it may have become longer.
        while self.quiet_until_s > trio.current_time():  # noqa: ASYNC110 -- a time has no event
            await trio.sleep_until(self.quiet_until_s)

    def add(self, subscriber: Subscriber) -> None:
        subscriber.hub, subscriber.seen = self, self.serial
        self._subscribers[subscriber] = None
        self._listened.set()
        # What it was told before it came in.
        subscriber.ask()

    def remove(self, subscriber: Subscriber) -> None:
        self._subscribers.pop(subscriber, None)
        self._asked.pop(subscriber, None)
        if not self._subscribers:
            self._listened = trio.Event()

    async def listened(self) -> None:
        """As soon as there is a subscriber. Always a checkpoint."""
        await self._listened.wait()

    def ring(self) -> None:
        """There is news for somebody."""
        self._news.set()

    def ask(self, subscriber: Subscriber) -> None:
        """It waits for an answer of its own, which does not wait for the next round."""
        self._asked[subscriber] = None
        self._questions.set()

    async def news(self) -> Round:
        """The row, as soon as there is something in it that was not told in the round before."""
        await self._news.wait()
        await self.quiet_over()
        self._news = trio.Event()
        return self.row()

    async def asked(self) -> Subscriber | None:
        """Who has waited longest for an answer; None when it has gone meanwhile."""
        await self._questions.wait()
        await self.quiet_over()
        subscriber = next(iter(self._asked), None)
        if subscriber is not None:
            del self._asked[subscriber]
        if not self._asked:
            self._questions = trio.Event()
        return subscriber

    def row(self) -> Round:
        """What clients may not have fetched yet, as it stands now."""
        return Round(messages=tuple(self._row.values()), serial=self.serial, forgotten=self.newest_forgotten)

    def behind(self, subscriber: Subscriber, row: Round | None = None) -> list[Published]:
        """What a subscriber wants and has not fetched, the oldest first."""
        found = []
        for message in reversed(self._row.values() if row is None else row.messages):
            if message.serial <= subscriber.seen:
                break
            if subscriber.wants(message):
                found.append(message)
        found.reverse()
        return found

    def forgotten_between(self, topic: str, after: int, until: int) -> int:
        """How many messages of a topic, of the serials behind `after` up to `until`, are not in the row any more."""
        forgotten = self._forgotten.get(topic, ())
        return max(0, bisect_right(forgotten, until) - bisect_right(forgotten, after))

    def between(self, topic: str, place: tuple[str, ...], serial: int) -> list[bytes] | None:
        """What was published of a topic, or of a place of it, behind a serial; None when the row has not all of it."""
        if max(self.newest_forgotten, self._unheard.get(topic, 0)) > serial:
            return None
        found = []
        for message in reversed(self._row.values()):
            if message.serial <= serial:
                break
            if message.topic == topic and message.place[: len(place)] == place:
                found.append(message.body)
        found.reverse()
        return found

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
        self.serial += 1
        wanted = any(topic in subscriber.topics for subscriber in self._subscribers)
        if not wanted:
            self._unheard[topic] = self.serial
            if topic not in RESUMABLE:
                return
        body = encode_message(topic, "update", sequence, data)
        message = Published(topic=topic, serial=self.serial, sequence=sequence, key=key, place=place, body=body)
        if topic in RESUMABLE:
            self._kept[topic].append(message)
        if wanted:
            self._queue(message)

    def _queue(self, message: Published) -> None:
        # A conflated message moves to the end: what a client reads is in the order of the newest state.
        slot = (message.topic, message.key is None, message.serial if message.key is None else message.key)
        self._row.pop(slot, None)
        self._row[slot] = message
        if len(self._row) > ROW_LIMIT:
            oldest = self._row.pop(next(iter(self._row)))
            self._forgotten.setdefault(oldest.topic, deque(maxlen=ROW_LIMIT)).append(oldest.serial)
            self.newest_forgotten = oldest.serial
        self.ring()
