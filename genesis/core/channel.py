"""A typed way into a mailbox: many producers, one consumer, and a declared answer to "what if it is full".

A channel belongs to the engine and outlives the actors at both ends. Its counters satisfy at any instant

    put = acked + conflated + dropped + dead + leased + depth

(`check_books` says so in code). A message is either in, and then it is delivered until it is acked, or its sender
knows that it is not.
"""

import enum
import itertools
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Hashable, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
import outcome
import trio

from genesis.core.errors import ChannelClosed, ChannelFull, DeadLettered, Fenced
from genesis.core.term import Term
from genesis.core.woken import WOKEN, place_to_sleep, sleep, wake
from protocols.health import ChannelView

T = TypeVar("T")

ONCE_KEPT: Final = 65_536
"""Keys of `put_once`. Whoever dies says again what had no answer yet: a few at most, and the newest ones."""
ONCE_SLACK: Final = 4_096
"""Many are forgotten at once: a dictionary whose front is taken away one by one is searched for its front each time."""

_arrivals = itertools.count()
"""One numbering for all channels, so that any set of them can be merged in the order in which messages came."""


class Overflow(enum.Enum):
    """What a full channel does."""

    BLOCK = "block"
    """The sender waits. For what must not be lost."""
    CONFLATE = "conflate"
    """A newer message takes the place of the waiting one with the same key. For state that goes stale."""
    FAIL = "fail"
    """The sender is refused at once. For commands from outside."""
    DROP_OLDEST = "drop_oldest"
    """The oldest waiting message goes, and is counted. For streams to people."""
    UNBOUNDED = "unbounded"
    """Always room. For tiny control messages that must never wait."""


_BLOCK, _CONFLATE, _FAIL, _DROP_OLDEST = Overflow.BLOCK, Overflow.CONFLATE, Overflow.FAIL, Overflow.DROP_OLDEST
"""Asked of its class a member costs a call."""


class Envelope(msgspec.Struct, eq=False):
    """A message on its way, as its actor sees it.

    `attempts` counts the lives of the actor that ended over this very message. An envelope is delivered again in a new
    object, so the one a fenced actor still holds stays dead.
    """

    message: Any
    channel: "Channel[Any]"
    seq: int
    attempts: int = 0
    answer: "Answer | None" = None
    term: Term | None = None

    def reply(self, value: Any) -> None:
        """Answer a question. The first answer counts; on a plain message, or when nobody waits any more, nothing."""
        if self.term is not None and self.term.over:
            raise Fenced(f"{self.term} is over and may not reply")
        if self.answer is not None:
            self.answer.give(value)


class Answer:
    """The place where a question's answer will be. It survives the crash of whoever was to give it."""

    __slots__ = ("_asker", "_channel", "_error", "_term", "_then", "_value", "settled")

    def __init__(
        self, channel: "Channel[Any]", term: Term | None = None, then: Callable[[Any], object] | None = None
    ) -> None:
        """`then` is called with it while `term` lasts: see `Channel.ask_then`."""
        self.settled = False
        self._channel = channel
        self._value: Any = None
        self._error: Exception | None = None
        self._asker: trio.lowlevel.Task | None = None
        self._term = term
        self._then = then

    def give(self, value: Any) -> None:
        """This is the answer, if none was given before."""
        if self.settled:
            return
        then, term = self._then, self._term
        if then is not None and not (term is not None and term.over):
            try:
                then(value)
            except Exception as error:
                # A fault of who asked, not of who answers.
                self.fail(error)
                return
        self.settled, self._value = True, value
        self._channel._questions.pop(self, None)
        if self._asker is not None:
            trio.lowlevel.reschedule(self._asker, outcome.Value(value))
            self._asker = None

    def fail(self, error: Exception) -> None:
        """There will be none, if none was given before: this is why."""
        if self.settled:
            return
        self.settled, self._error = True, error
        self._channel._questions.pop(self, None)
        if self._asker is not None:
            trio.lowlevel.reschedule(self._asker, outcome.Error(error))
            self._asker = None

    def _abort(self, _: Any) -> trio.lowlevel.Abort:
        self._asker = None
        self._channel._questions.pop(self, None)
        return trio.lowlevel.Abort.SUCCEEDED

    async def wait(self, term: Term | None) -> Any:
        """Always a checkpoint. `term` is told that it waits for somebody else."""
        if not self.settled and self._channel.closed:
            # It closed while we stood in line and had just got in.
            self.fail(self._channel.closed_error())
        if self.settled:
            await trio.lowlevel.checkpoint()
            if self._error is not None:
                raise self._error
            return self._value
        self._asker = trio.lowlevel.current_task()
        self._channel._questions[self] = None
        # It comes back with the outcome.
        if term is None:
            return await sleep(place_to_sleep(self._abort))
        term.waiting += 1
        try:
            return await sleep(place_to_sleep(self._abort))
        finally:
            term.waiting -= 1


class Doorbell:
    """Where the one consumer sleeps and every channel of its mailbox can wake it."""

    __slots__ = ("task",)

    def __init__(self) -> None:
        self.task: trio.lowlevel.Task | None = None

    @trio.lowlevel.enable_ki_protection
    def ring(self) -> None:
        if self.task is not None:
            wake(self.task)
            self.task = None

    def sleep_here(self) -> None:
        """Note the running task as the one to wake; it must wait with `abort` next."""
        assert self.task is None, "a mailbox has one consumer"
        self.task = trio.lowlevel.current_task()

    def abort(self, _: Any) -> trio.lowlevel.Abort:
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED

    async def wait(self) -> None:
        self.sleep_here()
        await sleep(place_to_sleep(self.abort))


class _Waiter:
    """A sender in line before a full BLOCK channel, with its message in hand."""

    __slots__ = ("answer", "line", "message", "task", "term")

    def __init__(self, line: "deque[_Waiter]", message: Any, answer: Answer | None, term: Term | None) -> None:
        self.line = line
        self.message = message
        self.answer = answer
        self.term = term
        self.task = trio.lowlevel.current_task()

    @property
    def term_is_over(self) -> bool:
        return self.term is not None and self.term.over

    def abort(self, _: Any) -> trio.lowlevel.Abort:
        self.line.remove(self)
        return trio.lowlevel.Abort.SUCCEEDED


class Channel(Generic[T]):
    """One typed stream of messages into one mailbox. See `Overflow` for what `put` and `put_nowait` do when full."""

    def __init__(
        self,
        name: str,
        overflow: Overflow,
        *,
        capacity: int = 1024,
        key: Callable[[T], Hashable] | None = None,
        merge: Callable[[T, T], T] | None = None,
    ) -> None:
        """`merge` makes one message of a waiting one and the newer one of its key; without it the newer one wins."""
        if capacity < 1:
            raise ValueError(f"capacity of {name} must be at least 1, was {capacity}")
        if (key is not None) != (overflow is Overflow.CONFLATE):
            raise ValueError(f"key of {name} must be given for CONFLATE and only then, overflow was {overflow.name}")
        self.name = name
        self.overflow = overflow
        self.capacity = capacity
        self.closed = False
        self.put_total = 0
        self.acked = 0
        self.leased = 0
        self.conflated = 0
        self.dropped = 0
        self.refused = 0
        self.dead = 0
        self.redelivered = 0
        if merge is not None and key is None:
            raise ValueError(f"key of {name} must be given with merge, was not")
        self._key = key
        self._merge = merge
        # For the mailbox: what waits, oldest first.
        self.queue: deque[Envelope] = deque()
        # The length at which the quick way in ends: full, closed (0), or keyed (0): one comparison for all three.
        self._limit = sys.maxsize if overflow is Overflow.UNBOUNDED else capacity
        if key is not None:
            self._limit = 0
        self._by_key: dict[Hashable, Envelope] = {}
        self._once: dict[Hashable, None] = {}
        self._line: deque[_Waiter] = deque()
        self._questions: dict[Answer, None] = {}
        self._bell = Doorbell()
        self._bound = False
        self._head_seen: tuple[int, float] = (-1, 0.0)

    def __repr__(self) -> str:
        return f"<channel {self.name} {self.overflow.name} depth {len(self.queue)} of {self.capacity}>"

    @property
    def depth(self) -> int:
        """How many messages wait to be leased."""
        return len(self.queue)

    @property
    def idle(self) -> bool:
        """True when nothing waits, is in an actor's hands, or stands in line to get in."""
        return not (self.queue or self.leased or self._line)

    # --- the ways in ----------------------------------------------------------------------------------------------

    def put_nowait(self, message: T) -> None:
        """Put without waiting. Raises ChannelFull (BLOCK, FAIL) or ChannelClosed (BLOCK, FAIL); else never raises."""
        queue = self.queue
        if len(queue) < self._limit:
            self.put_total += 1
            queue.append(Envelope(message, self, next(_arrivals)))
            if self._bell.task is not None:
                self._bell.ring()
        else:
            self._put_at_limit(message, None)

    def leave(self, message: T) -> None:
        """`put_nowait` without waking who hears it, where there is room: it is found with whatever wakes them next.

        The supervisor's watch wakes whoever has not found it for long.
        """
        queue = self.queue
        if len(queue) < self._limit:
            self.put_total += 1
            queue.append(Envelope(message, self, next(_arrivals)))
        else:
            self._put_at_limit(message, None)

    def put_many(self, messages: Sequence[T]) -> int:
        """Put without waiting the first messages, as many as there is room for; how many those were.

        For channels whose senders wait for room (BLOCK). Raises ChannelClosed.
        """
        if self.overflow is not _BLOCK:
            raise ValueError(f"policy of {self.name} must be BLOCK for many at once, was {self.overflow.name}")
        if self.closed:
            raise self.closed_error()
        room = self._limit - len(self.queue)
        if len(messages) > room:
            messages = messages[: max(0, room)]
        self.put_total += len(messages)
        self.queue.extend([Envelope(message, self, next(_arrivals)) for message in messages])
        self._bell.ring()
        return len(messages)

    async def put(self, message: T) -> None:
        """Put, waiting for room if the policy is BLOCK. Always a checkpoint; on Cancelled the message is not in."""
        await self.put_from(None, message)

    def put_if_room(self, message: T) -> bool:
        """Put at once where `put` would not have to wait. False where it would: then nothing is put."""
        queue = self.queue
        if len(queue) < self._limit:
            # `put_nowait` without a call: who stands between a tick and its order comes this way.
            self.put_total += 1
            queue.append(Envelope(message, self, next(_arrivals)))
            if self._bell.task is not None:
                self._bell.ring()
            return True
        if self._must_wait():
            return False
        self._put_at_limit(message, None)
        return True

    def put_once(self, key: Hashable, message: T) -> bool:
        """Put without waiting, at most once per key.

        False when a message was put under `key` before: then nothing is put. A put that raises uses up no key. The
        newest `ONCE_KEPT` keys are remembered.
        """
        if key in self._once:
            return False
        queue = self.queue
        if len(queue) < self._limit:
            # `put_nowait` without a call: the command of an order comes this way.
            self.put_total += 1
            queue.append(Envelope(message, self, next(_arrivals)))
            if self._bell.task is not None:
                self._bell.ring()
        else:
            self._put_at_limit(message, None)
        self._once[key] = None
        if len(self._once) > ONCE_KEPT + ONCE_SLACK:
            for old in list(itertools.islice(self._once, ONCE_SLACK)):
                del self._once[old]
        return True

    def ask(self, message: T) -> Coroutine[Any, Any, Any]:
        """Put a question and wait for its answer, over as many lives of the consumer as it takes.

        Raises DeadLettered when it is put aside as poison, ChannelClosed when the consumer stops for good, ChannelFull
        if the policy is FAIL. After Cancelled the question may be answered all the same, to nobody. There is no
        deadline here: the caller's cancel scope is.
        """
        return self.ask_from(None, message)

    async def put_from(self, term: Term | None, message: T) -> None:
        """`put` on behalf of a term: one that ends while the sender waits raises Fenced and leaves nothing behind."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._must_wait():
            await self._stand_in_line(message, None, term)
        else:
            self.put_nowait(message)
            # The message is in: no Cancelled may say otherwise.
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def hand_from(self, term: Term | None, message: T) -> None:
        """`put_from` for who has more to say before it sleeps: a checkpoint only where it must wait for room."""
        if self._must_wait():
            await self.put_from(term, message)
        else:
            self.put_nowait(message)

    async def ask_from(self, term: Term | None, message: T) -> Any:
        """`ask` on behalf of a term."""
        answer = await self.lodge_from(term, message)
        self._bell.ring()
        return await answer.wait(term)

    async def lodge_from(self, term: Term | None, message: T) -> Answer:
        """The first half of `ask`: put a question, and do other things before `answer_to` waits for its answer.

        When this returns, the question stands in the channel, before whatever is put after it. Its consumer need not
        look before somebody waits: what is put meanwhile is then leased with it.
        """
        if self.overflow is _CONFLATE or self.overflow is _DROP_OLDEST:
            raise ValueError(f"policy of {self.name} must keep what it takes to ask it, was {self.overflow.name}")
        await trio.lowlevel.checkpoint_if_cancelled()
        answer = Answer(self)
        if self._must_wait():
            await self._stand_in_line(message, answer, term)
        elif len(self.queue) < self._limit:
            self.put_total += 1
            self.queue.append(Envelope(message, self, next(_arrivals), 0, answer))
        else:
            self._put_at_limit(message, answer)
        return answer

    def lodge_if_room(self, message: T) -> Answer | None:
        """`lodge_from` at once, and no checkpoint. None where it would wait or refuse: then nothing is put."""
        queue = self.queue
        if len(queue) >= self._limit or self.overflow is _DROP_OLDEST:
            return None
        answer = Answer(self)
        self.put_total += 1
        queue.append(Envelope(message, self, next(_arrivals), 0, answer))
        return answer

    def ask_then(self, term: Term | None, message: T, then: Callable[[Any], object]) -> Answer | None:
        """`lodge_if_room` for what waits for nothing else: `then` is called with the answer in the very step that gives
        it, before its asker comes to. It must be short; what it raises is told to the asker. Nothing is called once the
        term is over."""
        queue = self.queue
        if len(queue) >= self._limit or self.overflow is _DROP_OLDEST:
            return None
        answer = Answer(self, term, then)
        self.put_total += 1
        queue.append(Envelope(message, self, next(_arrivals), 0, answer))
        self._bell.ring()
        return answer

    def answer_to(self, term: Term | None, answer: Answer) -> Coroutine[Any, Any, Any]:
        """The second half of `ask`. Always a checkpoint."""
        if not answer.settled:
            self._bell.ring()
        return answer.wait(term)

    def _must_wait(self) -> bool:
        return self.overflow is _BLOCK and len(self.queue) >= self._limit and not self.closed

    def _put_at_limit(self, message: T, answer: Answer | None) -> None:
        """The slow way in: full, closed, or keyed."""
        if self.overflow is _BLOCK or self.overflow is _FAIL:
            self.refused += 1
            if self.closed:
                raise self.closed_error()
            raise ChannelFull(f"{self.name} must have room, was full with {self.capacity} messages")
        self.put_total += 1
        if self.closed:
            # These policies promise their senders never to raise.
            self.dropped += 1
            if answer is not None:
                answer.fail(self.closed_error())
            return
        if self._key is None:
            self._drop_oldest()
            self.queue.append(Envelope(message, self, next(_arrivals), 0, answer))
        else:
            key = self._key(message)
            waiting = self._by_key.get(key)
            if waiting is not None:
                # It keeps its place in line: a symbol that moves all the time must not wait behind those that rest.
                waiting.message = message if self._merge is None else self._merge(waiting.message, message)
                waiting.attempts = 0
                self.conflated += 1
            else:
                if len(self.queue) >= self.capacity:
                    self._drop_oldest()
                envelope = Envelope(message, self, next(_arrivals))
                self._by_key[key] = envelope
                self.queue.append(envelope)
        self._bell.ring()

    def _drop_oldest(self) -> None:
        oldest = self.queue.popleft()
        self.dropped += 1
        if self._key is not None:
            del self._by_key[self._key(oldest.message)]

    async def _stand_in_line(self, message: T, answer: Answer | None, term: Term | None) -> None:
        waiter = _Waiter(self._line, message, answer, term)
        self._line.append(waiter)
        # What takes up the room may have been lodged without waking anybody.
        self._bell.ring()
        if term is None:
            await trio.lowlevel.wait_task_rescheduled(waiter.abort)
            return
        term.waiting += 1
        try:
            await trio.lowlevel.wait_task_rescheduled(waiter.abort)
        finally:
            term.waiting -= 1

    # --- the consumer's side, for the mailbox ---------------------------------------------------------------------

    def bind(self, bell: Doorbell) -> None:
        """Give the channel its one consumer."""
        if self._bound:
            raise ValueError(f"{self.name} must have one consumer, was given a second")
        self._bound = True
        self._bell = bell

    def take(self, limit: int) -> list[Envelope]:
        """Remove up to `limit` waiting envelopes, oldest first, and let senders in line take their places."""
        queue = self.queue
        if len(queue) <= limit:
            taken = list(queue)
            queue.clear()
            self._by_key.clear()
        else:
            taken = [queue.popleft() for _ in range(limit)]
            if self._key is not None:
                for envelope in taken:
                    del self._by_key[self._key(envelope.message)]
        if self._line:
            self.admit()
        return taken

    def acked_by(self, count: int) -> None:
        """The consumer is done with `count` messages."""
        self.acked += count
        self.leased -= count

    def put_back(self, envelopes: list[Envelope]) -> None:
        """Return un-acked envelopes (oldest first) to the head of the queue."""
        for envelope in reversed(envelopes):
            self.redelivered += 1
            if self._key is not None:
                key = self._key(envelope.message)
                newer = self._by_key.get(key)
                if newer is not None:
                    if self._merge is not None:
                        newer.message = self._merge(envelope.message, newer.message)
                    self.conflated += 1
                    continue
                self._by_key[key] = envelope
            self.queue.appendleft(envelope)
        if self.overflow in (Overflow.CONFLATE, Overflow.DROP_OLDEST):
            while len(self.queue) > self.capacity:
                self._drop_oldest()

    def admit(self) -> None:
        """Let senders in line in, in order, while there is room; those whose term is over are sent away."""
        while self._line and (len(self.queue) < self._limit or self._line[0].term_is_over):
            waiter = self._line.popleft()
            if waiter.term_is_over:
                trio.lowlevel.reschedule(waiter.task, outcome.Error(Fenced(f"{waiter.term} is over and may not send")))
                continue
            self.put_total += 1
            self.queue.append(Envelope(waiter.message, self, next(_arrivals), 0, waiter.answer))
            trio.lowlevel.reschedule(waiter.task, WOKEN)

    def close(self) -> None:
        """The consumer has stopped for good: wake whoever waits for room or for an answer. What is in stays in."""
        if self.closed:
            return
        self.closed = True
        self._limit = 0
        while self._line:
            trio.lowlevel.reschedule(self._line.popleft().task, outcome.Error(self.closed_error()))
        for answer in list(self._questions):
            answer.fail(self.closed_error())

    def closed_error(self) -> ChannelClosed:
        return ChannelClosed(f"{self.name} is closed: its consumer has stopped for good")

    # --- what people see ------------------------------------------------------------------------------------------

    def check_books(self) -> None:
        """Invariant: everything that was put is somewhere, once."""
        accounted = self.acked + self.conflated + self.dropped + self.dead + self.leased + len(self.queue)
        assert self.put_total == accounted, f"{self.name}: put {self.put_total} must equal the sum, was {accounted}"
        assert self.leased >= 0, f"{self.name}: leased must not be negative, was {self.leased}"

    def oldest_age_s(self, now: float) -> float:
        """How long the head has been seen to wait: a look now and then saves a stamp on each message."""
        if not self.queue:
            return 0.0
        head = self.queue[0].seq
        if head != self._head_seen[0]:
            self._head_seen = (head, now)
        return now - self._head_seen[1]

    def view(self) -> ChannelView:
        now = trio.current_time() if trio.lowlevel.in_trio_run() else 0.0
        return ChannelView(
            name=self.name,
            overflow=self.overflow.value,
            capacity=self.capacity,
            depth=len(self.queue),
            leased=self.leased,
            put=self.put_total,
            acked=self.acked,
            conflated=self.conflated,
            dropped=self.dropped,
            refused=self.refused,
            dead=self.dead,
            redelivered=self.redelivered,
            oldest_age_s=self.oldest_age_s(now),
        )


def dead_lettered(envelope: Envelope, error: str) -> None:
    """Tell the asker, if there is one, that its question was put aside."""
    if envelope.answer is not None:
        text = f"{envelope.channel.name}: put aside after {envelope.attempts} attempts, the last one ended: {error}"
        envelope.answer.fail(DeadLettered(text))
