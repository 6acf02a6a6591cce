"""Laws of a mailbox over sequences of puts, leases, acks and crashes that nobody would write."""

from dataclasses import dataclass, field

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.core.errors import ChannelFull
from genesis.core.mailbox import Channel, Envelope, Inbox, Mailbox, Overflow
from genesis.core.term import Term

CHANNELS = 3
MAX_ATTEMPTS = 2

_channel = st.integers(0, CHANNELS - 1)
_step = st.one_of(
    st.tuples(st.just("put"), _channel),
    st.tuples(st.just("put"), _channel),
    st.tuples(st.just("lease"), st.integers(1, 6)),
    st.tuples(st.just("ack"), st.integers(0, 2**12 - 1)),
    st.tuples(st.just("ack all"), st.just(0)),
    st.tuples(st.just("crash"), st.booleans()),
)


@dataclass
class Model:
    """What a mailbox should be: one list that waits, one that is held, and who is to blame for what."""

    waiting: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    attempts: dict[int, int] = field(default_factory=dict)
    careful: set[int] = field(default_factory=set)
    dead: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)

    def lease(self, limit: int) -> list[int]:
        if self.waiting and self.waiting[0] in self.careful:
            limit = 1
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        self.held += taken
        return taken

    def crash(self, blamed: bool) -> None:
        back = sorted(self.held)
        self.held = []
        if blamed and back:
            first = back[0]
            self.attempts[first] = self.attempts.get(first, 0) + 1
            if self.attempts[first] >= MAX_ATTEMPTS:
                self.dead.append(back.pop(0))
            if back:
                self.careful |= set(range(back[-1] + 1))
        self.waiting = back + self.waiting


@given(st.lists(_step, max_size=60), st.sampled_from([Overflow.BLOCK, Overflow.FAIL, Overflow.UNBOUNDED]))
@settings(max_examples=300, deadline=None)
def test_a_mailbox_keeps_every_message_in_order_until_it_is_acked(
    steps: list[tuple[str, int]], overflow: Overflow
) -> None:
    async def play() -> None:
        channels = [Channel[int](f"c{number}", overflow, capacity=8) for number in range(CHANNELS)]
        mailbox = Mailbox("m", channels, max_attempts=MAX_ATTEMPTS)
        term = Term("a", 1)
        mailbox.new_term(term)
        inbox = Inbox(mailbox, term)
        model = Model()
        hands: list[Envelope] = []
        number = 0
        for step, argument in steps:
            if step == "put":
                try:
                    channels[argument].put_nowait(number)
                except ChannelFull:
                    assert channels[argument].depth >= 8
                else:
                    model.waiting.append(number)
                number += 1
            elif step == "lease" and model.waiting:
                batch = await inbox.lease(limit=argument)
                assert [envelope.message for envelope in batch] == model.lease(argument)
                assert [envelope.attempts for envelope in batch] == [
                    model.attempts.get(envelope.message, 0) for envelope in batch
                ]
                hands += batch
            elif step in ("ack", "ack all"):
                chosen = [e for place, e in enumerate(hands) if step == "ack all" or argument >> place & 1]
                inbox.ack_all(chosen)
                hands = [envelope for envelope in hands if envelope not in chosen]
                model.done += [envelope.message for envelope in chosen]
                model.held = [envelope.message for envelope in hands]
            elif step == "crash":
                letter = mailbox.end_term(blame="Boom" if argument else None)
                model.crash(bool(argument))
                assert (letter is None) == (len(model.dead) == sum(c.dead for c in channels) - (letter is not None))
                term = Term("a", term.generation + 1)
                mailbox.new_term(term)
                inbox = Inbox(mailbox, term)
                hands = []
            for channel in channels:
                channel.check_books()
            assert sum(channel.dead for channel in channels) == len(model.dead)
            assert sum(channel.acked for channel in channels) == len(model.done)
            assert mailbox.unacked == len(model.held)
            assert sorted(e.message for c in channels for e in c.queue) == model.waiting
            assert mailbox.idle == (not model.waiting and not model.held)

    trio.run(play)


@given(st.lists(_step, max_size=60), st.sampled_from([Overflow.CONFLATE, Overflow.DROP_OLDEST]))
@settings(max_examples=200, deadline=None)
def test_a_forgetful_mailbox_keeps_its_books_and_its_newest(steps: list[tuple[str, int]], overflow: Overflow) -> None:
    async def play() -> None:
        key = (lambda number: number % 3) if overflow is Overflow.CONFLATE else None
        channels = [Channel[int](f"c{number}", overflow, capacity=4, key=key) for number in range(CHANNELS)]
        mailbox = Mailbox("m", channels)
        term = Term("a", 1)
        mailbox.new_term(term)
        inbox = Inbox(mailbox, term)
        newest: dict[tuple[int, int], int] = {}
        seen: dict[tuple[int, int], int] = {}
        hands: list[Envelope] = []
        number = 0
        for step, argument in steps:
            if step == "put":
                channels[argument].put_nowait(number)
                assert channels[argument].queue, "these never refuse"
                newest[argument, number % 3 if key else 0] = number
                number += 1
            elif step == "lease" and any(channel.queue for channel in channels):
                batch = await inbox.lease(limit=argument)
                hands += batch
                for envelope in batch:
                    place = (channels.index(envelope.channel), envelope.message % 3 if key else 0)
                    seen[place] = max(seen.get(place, -1), envelope.message)
            elif step in ("ack", "ack all"):
                inbox.ack_all(hands)
                hands = []
            elif step == "crash":
                mailbox.end_term(blame=None)
                term = Term("a", term.generation + 1)
                mailbox.new_term(term)
                inbox = Inbox(mailbox, term)
                hands = []
            for channel in channels:
                channel.check_books()
                assert channel.depth <= channel.capacity
        while any(channel.queue for channel in channels):
            for envelope in await inbox.lease():
                place = (channels.index(envelope.channel), envelope.message % 3 if key else 0)
                seen[place] = max(seen.get(place, -1), envelope.message)
        assert seen == newest, "the newest of each key always arrives"

    trio.run(play)
