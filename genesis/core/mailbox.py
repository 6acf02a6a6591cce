"""What one actor hears: several channels merged in arrival order, leased in batches and acknowledged.

The mailbox belongs to the supervisor and outlives the actor. Leasing does not remove: what an actor had in its hands
when it crashed is delivered again, in order, to the next generation. Delivery is at least once; whoever must act only
once compares ids. A message over which the actor dies `max_attempts` times goes to the dead letters.
"""

import itertools
import math
import operator
from collections import deque
from collections.abc import Callable, Coroutine, Hashable, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar

import attrs
import trio

from genesis.core.alarms import Alarms
from genesis.core.channel import Answer as Answer
from genesis.core.channel import Channel as Channel
from genesis.core.channel import Doorbell, dead_lettered
from genesis.core.channel import Envelope as Envelope
from genesis.core.channel import Overflow as Overflow
from genesis.core.errors import Fenced
from genesis.core.term import Term
from genesis.core.woken import place_to_sleep, sleep

T = TypeVar("T")

_arrival: Final = operator.attrgetter("seq")


@attrs.frozen(kw_only=True)
class DeadLetter:
    """A message that was put aside after it had ended its actor's life `attempts` times, the last time by `error`."""

    mailbox: str
    channel: str
    message: Any
    attempts: int
    error: str


class Mailbox:
    """All channels that one actor hears, and what its present generation has in its hands."""

    def __init__(
        self,
        name: str,
        channels: Sequence[Channel[Any]],
        *,
        max_attempts: int = 3,
        alarm: Callable[[DeadLetter], None] | None = None,
    ) -> None:
        if max_attempts < 1:
            raise ValueError(f"max_attempts of {name} must be at least 1, was {max_attempts}")
        self.name = name
        self.channels = tuple(channels)
        self.max_attempts = max_attempts
        self.alarm = alarm
        self.term: Term | None = None
        self.progress = 0
        self.drained: trio.Event | None = None
        self.on_work: Callable[[], object] | None = None
        """Called when the actor takes messages while it holds none, and nobody watches it yet."""
        self.watched = False
        self.alarms: Alarms | None = None
        """Who rings us at a time; without them each wait has a timer of its own."""
        self._alarm_at = -math.inf
        self._until = math.inf
        self._bell = Doorbell()
        self._place = place_to_sleep(self._bell.abort)
        for channel in self.channels:
            channel.bind(self._bell)
        # Of a channel that was not looked at for a while nearly all is far from the core: its queue alone is asked.
        self._queues = tuple([channel.queue for channel in self.channels])
        self._rooms = (*self._queues, *[channel._line for channel in self.channels])
        """Where somebody waits when anybody does: those that are in, and those in line for room."""
        # Every envelope in the actor's hands, in arrival order, with some that it has acked in between.
        self._leased: list[Envelope] = []
        self._unacked = 0
        # After a crash everything up to this arrival number is leased one by one: in a batch it cannot be told which
        # message was the poison, and the first of the batch must not be buried for the crimes of the fifth.
        self._careful_until = -1
        self._nudged = False

    @property
    def idle(self) -> bool:
        """True when nothing is queued, leased, or in line for room."""
        # What is leased is not acked. Supervisors look at every mailbox every few seconds, so no channel is asked.
        return not (self._unacked or any(self._rooms))

    @property
    def unacked(self) -> int:
        return self._unacked

    def new_term(self, term: Term) -> None:
        """Begin the life of a new generation. The one before must have been ended."""
        assert self.term is None or self.term.over, f"{self.term} must be over before {term} begins"
        assert self._unacked == 0, f"{self.name} must be in nobody's hands, had {self._unacked} leased"
        self.term = term

    def end_term(self, *, blame: str | None) -> DeadLetter | None:
        """End the life of the present generation: fence it and take back what it had not acked.

        `blame` is the error when the life ended over its own work (a crash, or stuck): that counts an attempt for the
        first un-acked message, and only for it. Ended from outside (a sibling's crash, a stop, chaos) it is None.
        """
        if self.term is None:
            return None
        self.term.over = True
        self._bell.ring()
        held = sorted((envelope for envelope in self._leased if envelope.term is not None), key=_arrival)
        self._leased.clear()
        self._unacked = 0
        letter: DeadLetter | None = None
        # New objects: the fenced actor may still hold the old ones.
        returned: list[Envelope] = []
        for envelope in held:
            envelope.channel.leased -= 1
            again = Envelope(envelope.message, envelope.channel, envelope.seq, envelope.attempts, envelope.answer)
            if blame is not None and envelope is held[0]:
                again.attempts += 1
                if again.attempts >= self.max_attempts:
                    letter = self._put_aside(again, blame)
                    continue
            returned.append(again)
        for channel in self.channels:
            channel.put_back([envelope for envelope in returned if envelope.channel is channel])
            channel.admit()
        if blame is not None and returned:
            self._careful_until = max(self._careful_until, returned[-1].seq)
        return letter

    def _put_aside(self, envelope: Envelope, error: str) -> DeadLetter:
        envelope.channel.dead += 1
        dead_lettered(envelope, error)
        return DeadLetter(
            mailbox=self.name,
            channel=envelope.channel.name,
            message=envelope.message,
            attempts=envelope.attempts,
            error=error,
        )

    def close(self) -> None:
        """The actor has stopped for good."""
        for channel in self.channels:
            channel.close()

    def wake(self) -> None:
        """Let a waiting lease look again at its term."""
        self._bell.ring()

    def nudge(self) -> None:
        """Let the present lease, or the next one, come back at once, empty if nothing waits: look around."""
        self._nudged = True
        self._bell.ring()

    async def lease(self, term: Term, limit: int, until: float) -> list[Envelope]:
        """See `Inbox.lease`."""
        if term.over:
            raise Fenced(f"{term} is over and may not lease")
        if limit < 1:
            raise ValueError(f"limit must be at least 1, was {limit}")
        for queue in self._queues:
            if queue or term.draining:
                await trio.lowlevel.checkpoint()
                break
        else:
            if until == math.inf and not (self._nudged or term.draining):
                # What most do most of the time, without the steps in between.
                self._bell.sleep_here()
                await sleep(self._place)
            else:
                await self._wait(-math.inf if term.draining or self._nudged else until)
        while True:
            # From here to the return there is no checkpoint: what leaves the queue reaches the actor.
            if term.over:
                raise Fenced(f"{term} is over and may not lease")
            if term.draining:
                return await self._drain(term, limit)
            batch = self._take(term, limit)
            nudged, self._nudged = self._nudged, False
            if batch or nudged or (until != math.inf and trio.current_time() >= until):
                return batch
            await self._wait(until)

    async def _wait(self, until: float) -> None:
        """Sleep until the bell rings or the clock reaches `until`. Always a checkpoint."""
        if until == math.inf:
            self._bell.sleep_here()
            await sleep(self._place)
        elif (now := trio.current_time()) >= until:
            await trio.lowlevel.checkpoint()
        elif self.alarms is not None and self.alarms.running:
            self._until = until
            if not now < self._alarm_at <= until:
                self._set_alarm(self.alarms, until)
            self._bell.sleep_here()
            await sleep(self._place)
            self._until = math.inf
        else:
            with trio.CancelScope(deadline=until):
                self._bell.sleep_here()
                await sleep(self._place)

    def _set_alarm(self, alarms: Alarms, at: float) -> None:
        self._alarm_at = at
        alarms.at(at, partial(self._on_alarm, alarms, at))

    def _on_alarm(self, alarms: Alarms, at: float) -> None:
        """Who set it may have heard something meanwhile, and wait for a later time now: then it rings at that time."""
        if trio.current_time() >= self._until:
            self._bell.ring()
        elif at == self._alarm_at and self._until != math.inf:
            self._set_alarm(alarms, self._until)

    async def more(self, term: Term, limit: int, until: float) -> list[Envelope]:
        """See `Inbox.more`."""
        while True:
            if term.over:
                raise Fenced(f"{term} is over and may not lease")
            batch = [] if term.draining else self._take(term, limit)
            if batch or term.draining or trio.current_time() >= until:
                return batch
            await self._wait(until)

    async def _drain(self, term: Term, limit: int) -> list[Envelope]:
        # The actor has ended its batch and would begin another: it has drained, and waits here to be cancelled.
        if self.drained is None:
            # It listens to `stopping` and ends by itself: it may empty its queue on the way.
            return self._take(term, limit)
        self.drained.set()
        await trio.sleep_forever()

    def _take(self, term: Term, limit: int) -> list[Envelope]:
        filled: deque[Envelope] | None = None
        several = self._careful_until >= 0
        for queue in self._queues:
            if queue:
                if filled is None:
                    filled = queue
                else:
                    several = True
        if filled is None:
            return []
        self.progress += 1
        if not several and not self._unacked and len(filled) == 1:
            envelope = filled[0]
            channel = envelope.channel
            if channel._limit > 1:
                # One that comes alone, which an order may wait for: as below, without asking what is known of it.
                filled.clear()
                envelope.term = term
                channel.leased += 1
                self._leased, self._unacked = [envelope], 1
                if not self.watched and self.on_work is not None:
                    self.on_work()
                return [envelope]
        if several:
            batch = self._take_of_several(limit)
        else:
            channel = filled[0].channel
            batch = channel.take(limit)
            channel.leased += len(batch)
        for envelope in batch:
            envelope.term = term
        if self._unacked:
            if len(self._leased) > 2 * self._unacked + 64:
                self._leased = [envelope for envelope in self._leased if envelope.term is not None]
            self._leased += batch
            self._unacked += len(batch)
        else:
            self._leased = batch.copy()
            self._unacked = len(batch)
            if not self.watched and self.on_work is not None:
                self.on_work()
        return batch

    def _take_of_several(self, limit: int) -> list[Envelope]:
        """In the order of arrival, from all channels that are filled."""
        filled = [channel for channel in self.channels if channel.queue]
        if self._careful_until >= 0:
            first = min(filled, key=_head_arrival)
            if first.queue[0].seq <= self._careful_until:
                limit, filled = 1, [first]
            else:
                self._careful_until = -1
        waiting = 0
        for channel in filled:
            waiting += len(channel.queue)
        counts: list[int] | None = None
        if waiting > limit:
            heads = [envelope.seq for channel in filled for envelope in itertools.islice(channel.queue, limit)]
            heads.sort()
            last = heads[limit - 1]
            counts = [sum(envelope.seq <= last for envelope in channel.queue) for channel in filled]
        batch: list[Envelope] = []
        for place, channel in enumerate(filled):
            part = channel.take(limit if counts is None else counts[place])
            channel.leased += len(part)
            batch += part
        # Each part is in order already, so the sort is a merge.
        batch.sort(key=_arrival)
        return batch

    def ack(self, term: Term, envelopes: Sequence[Envelope]) -> None:
        """See `Inbox.ack_all`."""
        if term.over:
            raise Fenced(f"{term} is over and may not ack")
        done = 0
        run = 0
        channel: Channel[Any] | None = None
        for envelope in envelopes:
            # Acked before: saying it twice (each one, then the batch) does no harm.
            if envelope.term is term:
                envelope.term = None
                if envelope.channel is not channel:
                    # Counted by runs of one channel: most batches are one run.
                    if channel is not None:
                        channel.acked_by(run)
                        done += run
                    channel = envelope.channel
                    run = 0
                run += 1
        if channel is not None:
            channel.acked_by(run)
            done += run
        self._unacked -= done
        self.progress += 1
        if not self._unacked:
            self._leased.clear()


def _head_arrival(channel: Channel[Any]) -> int:
    return channel.queue[0].seq


class Inbox:
    """An actor's handle on its mailbox, for one generation; every method raises Fenced once that is over."""

    __slots__ = ("_mailbox", "_term")

    def __init__(self, mailbox: Mailbox, term: Term) -> None:
        self._mailbox = mailbox
        self._term = term

    def lease(self, *, limit: int = 1024, until: float = math.inf) -> Coroutine[Any, Any, list[Envelope]]:
        """Everything that waits, at most `limit`, in the order of arrival over all channels.

        Waits while there is nothing; gives [] when the clock reaches `until` (as of trio.current_time()) or when the
        mailbox is nudged. What waits is given even when `until` has passed: look at your timers after each lease.
        Always a checkpoint. Envelopes leased before and not acked stay yours.
        """
        return self._mailbox.lease(self._term, limit, until)

    def more(self, *, limit: int, until: float) -> Coroutine[Any, Any, list[Envelope]]:
        """What comes while you hold a batch already: at once what waits, else what comes first; [] when the clock
        reaches `until`, and as soon as you are to stop: what you hold is yet to be done then."""
        return self._mailbox.more(self._term, limit, until)

    def ack(self, envelope: Envelope) -> None:
        """This message is done with, whatever happens to us: it is never delivered again."""
        self._mailbox.ack(self._term, (envelope,))

    def ack_all(self, envelopes: Sequence[Envelope]) -> None:
        """`ack` for each."""
        self._mailbox.ack(self._term, envelopes)


class Outlet(Generic[T]):
    """A channel as one generation of an actor may use it: a zombie's words reach nobody."""

    __slots__ = ("_channel", "_term")

    def __init__(self, channel: Channel[T], term: Term) -> None:
        self._channel = channel
        self._term = term

    def _check(self) -> None:
        if self._term.over:
            raise Fenced(f"{self._term} is over and may not send to {self._channel.name}")

    def put(self, message: T) -> Coroutine[Any, Any, None]:
        self._check()
        return self._channel.put_from(self._term, message)

    def hand(self, message: T) -> Coroutine[Any, Any, None]:
        """Put, and go on in the same turn of the loop where there is room: who hears it comes when we sleep."""
        self._check()
        return self._channel.hand_from(self._term, message)

    def put_nowait(self, message: T) -> None:
        if self._term.over:
            self._check()
        self._channel.put_nowait(message)

    def put_many(self, messages: Sequence[T]) -> int:
        """Put the first messages at once, as many as there is room for; how many those were."""
        if self._term.over:
            self._check()
        return self._channel.put_many(messages)

    def put_if_room(self, message: T) -> bool:
        """Put, and go on in the same turn of the loop. False where there is no room: then nothing is put."""
        if self._term.over:
            self._check()
        return self._channel.put_if_room(message)

    def put_once(self, key: Hashable, message: T) -> bool:
        if self._term.over:
            self._check()
        return self._channel.put_once(key, message)

    def ask(self, message: T) -> Coroutine[Any, Any, Any]:
        self._check()
        return self._channel.ask_from(self._term, message)

    async def lodge(self, message: T) -> Answer:
        """Put a question; `answer_to` waits for what is said to it."""
        self._check()
        return await self._channel.lodge_from(self._term, message)

    def lodge_if_room(self, message: T) -> Answer | None:
        """`lodge` at once. None where it would have to wait: then nothing is put."""
        if self._term.over:
            self._check()
        return self._channel.lodge_if_room(message)

    def ask_then(self, message: T, then: Callable[[Any], object]) -> Answer | None:
        """See `Channel.ask_then`."""
        if self._term.over:
            self._check()
        return self._channel.ask_then(self._term, message, then)

    def answer_to(self, answer: Answer) -> Coroutine[Any, Any, Any]:
        return self._channel.answer_to(self._term, answer)
