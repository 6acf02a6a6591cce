"""Leases, acks, redelivery and dead letters."""

import math
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from genesis.core.errors import ChannelClosed, DeadLettered, Fenced
from genesis.core.mailbox import Channel, DeadLetter, Envelope, Inbox, Mailbox, Overflow
from genesis.core.term import Term


class Desk:
    """A mailbox over two channels and the generations that come and go at it."""

    def __init__(self, overflow: Overflow = Overflow.UNBOUNDED, capacity: int = 1024, max_attempts: int = 3) -> None:
        key = (lambda number: number % 10) if overflow is Overflow.CONFLATE else None
        self.a = Channel[int]("a", overflow, capacity=capacity, key=key)
        self.b = Channel[int]("b", overflow, capacity=capacity, key=key)
        self.mailbox = Mailbox("desk", [self.a, self.b], max_attempts=max_attempts)
        self.generation = 0
        self.inbox = self.next()

    def next(self) -> Inbox:
        self.generation += 1
        term = Term("actor", self.generation)
        self.mailbox.new_term(term)
        return Inbox(self.mailbox, term)

    def crash(self, blame: str | None = "Boom") -> DeadLetter | None:
        letter = self.mailbox.end_term(blame=blame)
        self.inbox = self.next()
        self.check()
        return letter

    def check(self) -> None:
        self.a.check_books()
        self.b.check_books()

    async def lease(self, limit: int = 1024) -> list[Envelope]:
        return await self.inbox.lease(limit=limit)


def words(batch: list[Envelope]) -> list[int]:
    return [envelope.message for envelope in batch]


# --- leasing --------------------------------------------------------------------------------------------------------


async def test_a_lease_gives_all_that_waits_in_the_order_of_arrival_over_all_channels() -> None:
    desk = Desk()
    for number in (0, 1, 2, 3, 4, 5, 6):
        (desk.a if number in (0, 3, 4) else desk.b).put_nowait(number)
    assert words(await desk.lease()) == [0, 1, 2, 3, 4, 5, 6]
    desk.check()


@pytest.mark.parametrize("limit", range(1, 9))
async def test_a_limit_cuts_the_merged_order_and_loses_nothing(limit: int) -> None:
    desk = Desk()
    for number in range(20):
        (desk.a if number % 3 else desk.b).put_nowait(number)
    seen: list[int] = []
    while len(seen) < 20:
        batch = await desk.lease(limit)
        assert len(batch) == min(limit, 20 - len(seen))
        seen += words(batch)
        desk.check()
    assert seen == list(range(20))


async def test_a_lease_waits_while_there_is_nothing(nursery: trio.Nursery) -> None:
    desk = Desk()
    got: list[list[int]] = []

    async def consume() -> None:
        got.append(words(await desk.lease()))

    nursery.start_soon(consume)
    await wait_all_tasks_blocked()
    assert got == []
    desk.b.put_nowait(1)
    desk.a.put_nowait(2)
    await wait_all_tasks_blocked()
    assert got == [[1, 2]]


async def test_a_lease_that_is_woken_for_nothing_goes_on_waiting(nursery: trio.Nursery) -> None:
    desk = Desk()
    got: list[list[int]] = []

    async def consume() -> None:
        got.append(words(await desk.lease()))

    nursery.start_soon(consume)
    for _ in range(3):
        await wait_all_tasks_blocked()
        desk.mailbox.wake()
    await wait_all_tasks_blocked()
    assert got == []
    desk.a.put_nowait(1)
    await wait_all_tasks_blocked()
    assert got == [[1]]


async def test_a_lease_ends_empty_when_its_time_has_come(autojump_clock: MockClock) -> None:
    desk = Desk()
    assert await desk.inbox.lease(until=5) == []
    assert trio.current_time() == 5
    assert await desk.inbox.lease(until=3) == []
    assert trio.current_time() == 5
    desk.a.put_nowait(1)
    assert words(await desk.inbox.lease(until=3)) == [1], "what waits is given even past the time"


async def test_a_message_in_time_is_not_delayed(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    desk = Desk()

    async def later() -> None:
        await trio.sleep(2)
        desk.a.put_nowait(1)

    nursery.start_soon(later)
    assert words(await desk.inbox.lease(until=5)) == [1]
    assert trio.current_time() == 2


async def test_every_lease_is_a_checkpoint() -> None:
    desk = Desk()
    desk.a.put_nowait(1)
    with assert_checkpoints():
        await desk.lease()
    with assert_checkpoints():
        await desk.inbox.lease(until=-math.inf)


async def test_a_full_mailbox_starves_nobody(nursery: trio.Nursery) -> None:
    desk = Desk()
    turns = 0

    async def other() -> None:
        nonlocal turns
        for _ in range(100):
            turns += 1
            await trio.lowlevel.checkpoint()

    nursery.start_soon(other)
    for _ in range(100):
        desk.a.put_nowait(1)
        desk.inbox.ack_all(await desk.lease())
    assert turns >= 99


async def test_a_cancelled_lease_takes_nothing(nursery: trio.Nursery) -> None:
    """A message and a cancellation in the same instant: the message stays."""
    desk = Desk()
    scope = trio.CancelScope()

    async def consume() -> None:
        with scope:
            await desk.lease()

    nursery.start_soon(consume)
    await wait_all_tasks_blocked()
    scope.cancel()
    desk.a.put_nowait(1)
    await wait_all_tasks_blocked()
    assert words(await desk.lease()) == [1]
    with trio.CancelScope() as cut:
        desk.a.put_nowait(2)
        cut.cancel()
        await desk.lease()
    assert cut.cancelled_caught
    assert words(await desk.lease()) == [2]
    desk.check()


async def test_more_adds_to_what_is_in_hand_what_comes_in_time(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    desk = Desk()
    desk.a.put_nowait(1)
    held = await desk.lease()
    assert await desk.inbox.more(limit=10, until=trio.current_time() + 1.0) == []
    assert trio.current_time() == 1.0

    async def later() -> None:
        await trio.sleep(0.5)
        desk.b.put_nowait(2)

    nursery.start_soon(later)
    held += await desk.inbox.more(limit=10, until=trio.current_time() + 1.0)
    assert (words(held), trio.current_time()) == ([1, 2], 1.5)
    desk.a.put_nowait(3)
    held += await desk.inbox.more(limit=10, until=trio.current_time() + 1.0)
    assert (words(held), trio.current_time()) == ([1, 2, 3], 1.5)
    desk.inbox.ack_all(held)
    assert desk.mailbox.idle
    desk.check()


async def test_who_is_to_stop_gets_no_more_and_keeps_what_he_has(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    desk = Desk()
    desk.a.put_nowait(1)
    held = await desk.lease()

    async def stop() -> None:
        await trio.sleep(0.5)
        assert desk.mailbox.term is not None
        desk.mailbox.term.draining = True
        desk.mailbox.wake()

    nursery.start_soon(stop)
    assert await desk.inbox.more(limit=10, until=math.inf) == []
    desk.a.put_nowait(2)
    assert await desk.inbox.more(limit=10, until=math.inf) == []
    desk.inbox.ack_all(held)
    assert (desk.a.acked, len(desk.a.queue)) == (1, 1)


async def test_more_is_fenced_as_a_lease_is(nursery: trio.Nursery) -> None:
    desk = Desk()
    old = desk.inbox
    desk.crash()
    with pytest.raises(Fenced):
        await old.more(limit=10, until=math.inf)


async def test_a_limit_below_one_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="limit must be at least 1, was 0"):
        await Desk().lease(0)


async def test_a_mailbox_has_one_consumer(nursery: trio.Nursery) -> None:
    desk = Desk()
    nursery.start_soon(desk.lease)
    await wait_all_tasks_blocked()
    with pytest.raises(AssertionError, match="one consumer"):
        await desk.lease()
    desk.a.put_nowait(1)


# --- acks and redelivery --------------------------------------------------------------------------------------------


async def test_what_was_acked_is_gone_and_the_rest_comes_back_in_order() -> None:
    desk = Desk()
    for number in range(10):
        (desk.a if number % 2 else desk.b).put_nowait(number)
    batch = await desk.lease(8)
    for position in (0, 2, 5):
        desk.inbox.ack(batch[position])
    desk.a.put_nowait(10)
    desk.crash(None)
    assert words(await desk.lease()) == [1, 3, 4, 6, 7, 8, 9, 10]
    view = desk.a.view()
    assert (view.put, view.acked, view.leased, view.depth, view.redelivered) == (6, 1, 5, 0, 3)


async def test_several_leases_without_ack_come_back_together_in_order() -> None:
    desk = Desk()
    for number in range(6):
        desk.a.put_nowait(number)
    first, second = await desk.lease(2), await desk.lease(2)
    desk.inbox.ack(second[0])
    desk.inbox.ack(first[1])
    desk.crash(None)
    assert words(await desk.lease()) == [0, 3, 4, 5]


async def test_many_small_leases_with_one_kept_do_not_grow_the_books() -> None:
    desk = Desk()
    desk.a.put_nowait(-1)
    await desk.lease()
    for number in range(1000):
        desk.a.put_nowait(number)
        desk.inbox.ack_all(await desk.lease())
    assert len(desk.mailbox._leased) < 100
    desk.crash(None)
    assert words(await desk.lease()) == [-1]


async def test_an_ack_twice_counts_once() -> None:
    desk = Desk()
    for number in range(3):
        desk.a.put_nowait(number)
    batch = await desk.lease()
    desk.inbox.ack(batch[1])
    desk.inbox.ack_all(batch)
    desk.inbox.ack_all(batch)
    assert desk.a.acked == 3
    assert desk.mailbox.unacked == 0
    assert desk.mailbox.idle
    desk.check()


async def test_acks_over_several_channels_are_counted_where_they_belong() -> None:
    desk = Desk()
    for number in (0, 1, 2, 3, 4):
        (desk.a if number in (0, 1, 4) else desk.b).put_nowait(number)
    desk.inbox.ack_all(await desk.lease())
    assert (desk.a.acked, desk.b.acked, desk.a.leased, desk.b.leased) == (3, 2, 0, 0)


async def test_a_fenced_generation_may_do_nothing() -> None:
    desk = Desk()
    desk.a.put_nowait(1)
    old = desk.inbox
    (envelope,) = await old.lease()
    desk.crash(None)
    acts: list[Callable[[], None]] = [
        lambda: old.ack(envelope),
        lambda: old.ack_all([envelope]),
        lambda: envelope.reply(1),
    ]
    for act in acts:
        with pytest.raises(Fenced, match="generation 1 of actor is over"):
            act()
    with pytest.raises(Fenced):
        await old.lease()
    desk.check()


async def test_a_zombie_cannot_ack_through_the_envelope_of_the_next_generation() -> None:
    """The message is the same, the envelope is not: what the zombie holds stays dead."""
    desk = Desk()
    desk.a.put_nowait(1)
    (old,) = await desk.lease()
    desk.crash(None)
    (new,) = await desk.lease()
    desk.inbox.ack(old)
    assert desk.a.acked == 0
    desk.inbox.ack(new)
    assert desk.a.acked == 1


async def test_a_lease_that_waits_when_its_generation_ends_is_fenced(nursery: trio.Nursery) -> None:
    desk = Desk()
    old = desk.inbox
    told: list[str] = []

    async def zombie() -> None:
        try:
            await old.lease()
        except Fenced as error:
            told.append(str(error))

    nursery.start_soon(zombie)
    await wait_all_tasks_blocked()
    desk.crash(None)
    desk.a.put_nowait(1)
    assert words(await desk.lease()) == [1]
    await wait_all_tasks_blocked()
    assert told == ["generation 1 of actor is over and may not lease"]


async def test_redelivery_makes_room_for_nobody() -> None:
    """What comes back stands before those who came later, even past the capacity."""
    desk = Desk(Overflow.BLOCK, capacity=2)
    for number in (0, 1):
        desk.a.put_nowait(number)
    await desk.lease()
    for number in (2, 3):
        desk.a.put_nowait(number)
    desk.crash(None)
    assert desk.a.depth == 4
    assert words(await desk.lease()) == [0, 1, 2, 3]


async def test_a_conflated_message_that_comes_back_yields_to_a_newer_one() -> None:
    desk = Desk(Overflow.CONFLATE)
    desk.a.put_nowait(1)
    desk.a.put_nowait(2)
    await desk.lease()
    desk.a.put_nowait(11)
    desk.crash(None)
    assert words(await desk.lease()) == [2, 11]
    assert desk.a.conflated == 1


async def test_a_conflated_message_that_came_back_can_still_be_replaced() -> None:
    desk = Desk(Overflow.CONFLATE)
    desk.a.put_nowait(1)
    await desk.lease()
    desk.crash("Boom")
    desk.a.put_nowait(11)
    (envelope,) = await desk.lease()
    assert (envelope.message, envelope.attempts) == (11, 0), "the newer message has done nothing yet"


@pytest.mark.parametrize(("overflow", "left"), [(Overflow.DROP_OLDEST, [3, 4]), (Overflow.CONFLATE, [3, 4])])
async def test_what_comes_back_to_a_full_dropping_channel_is_the_oldest(overflow: Overflow, left: list[int]) -> None:
    desk = Desk(overflow, capacity=2)
    for number in (1, 2):
        desk.a.put_nowait(number)
    await desk.lease()
    for number in (3, 4):
        desk.a.put_nowait(number)
    desk.crash(None)
    assert words(await desk.lease()) == left
    assert desk.a.dropped == 2
    desk.check()


# --- attempts and dead letters --------------------------------------------------------------------------------------


async def test_only_the_first_unacked_is_blamed() -> None:
    desk = Desk()
    for number in range(4):
        desk.a.put_nowait(number)
    batch = await desk.lease()
    desk.inbox.ack(batch[0])
    desk.crash()
    attempts = []
    for _ in range(3):
        (envelope,) = await desk.lease()
        attempts.append((envelope.message, envelope.attempts))
        desk.inbox.ack(envelope)
    assert attempts == [(1, 1), (2, 0), (3, 0)]


async def test_after_a_crash_what_was_in_hand_comes_one_by_one_and_then_in_batches_again() -> None:
    """In a batch that is acked at its end, the first would be buried for the crimes of the fifth."""
    desk = Desk()
    for number in range(3):
        (desk.a if number % 2 else desk.b).put_nowait(number)
    await desk.lease()
    for number in range(3, 6):
        desk.a.put_nowait(number)
    desk.crash()
    sizes = []
    while not desk.mailbox.idle:
        batch = await desk.lease()
        sizes.append(words(batch))
        desk.inbox.ack_all(batch)
    assert sizes == [[0], [1], [2], [3, 4, 5]]


async def test_poison_is_put_aside_after_exactly_three_attempts_of_its_own() -> None:
    desk = Desk()
    for number in range(5):
        desk.a.put_nowait(number)
    crashes = 0
    handled: list[int] = []
    letter = None
    while letter is None:
        batch = await desk.lease()
        for envelope in batch:
            if envelope.message == 3:
                crashes += 1
                letter = desk.crash(f"Boom {crashes}")
                break
            handled.append(envelope.message)
        else:
            desk.inbox.ack_all(batch)
    # The first crash happened in a batch, where 0 was the first un-acked one; then 3 died alone three times.
    assert crashes == 4
    assert letter == DeadLetter(mailbox="desk", channel="a", message=3, attempts=3, error="Boom 4")
    assert words(await desk.lease()) == [4]
    assert handled == [0, 1, 2, 0, 1, 2]
    assert desk.a.dead == 1
    desk.check()


@pytest.mark.parametrize("max_attempts", [1, 2, 5])
async def test_how_often_is_the_mailboxs_choice(max_attempts: int) -> None:
    desk = Desk(max_attempts=max_attempts)
    desk.a.put_nowait(1)
    for attempt in range(max_attempts):
        (envelope,) = await desk.lease()
        assert envelope.attempts == attempt
        letter = desk.crash()
    assert letter is not None
    assert desk.mailbox.idle


def test_a_mailbox_that_never_tries_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="max_attempts of m must be at least 1, was 0"):
        Mailbox("m", [], max_attempts=0)


async def test_ends_from_outside_never_count() -> None:
    desk = Desk()
    desk.a.put_nowait(1)
    for _ in range(20):
        (envelope,) = await desk.lease()
        assert envelope.attempts == 0
        assert desk.crash(None) is None
    assert words(await desk.lease()) == [1]


async def test_a_crash_with_empty_hands_blames_nobody() -> None:
    desk = Desk()
    desk.a.put_nowait(1)
    for _ in range(5):
        assert desk.crash() is None
    (envelope,) = await desk.lease()
    assert envelope.attempts == 0


# --- asking ---------------------------------------------------------------------------------------------------------


async def test_a_question_that_is_lodged_is_leased_with_what_is_put_before_somebody_waits(
    nursery: trio.Nursery,
) -> None:
    """Who decides lodges what it must keep, and tells the next, whose commit becomes durable with it."""
    desk = Desk(Overflow.BLOCK)
    leased: list[list[int]] = []

    async def serve() -> None:
        while True:
            batch = await desk.lease()
            leased.append(words(batch))
            for envelope in batch:
                envelope.reply(envelope.message)
            desk.inbox.ack_all(batch)

    nursery.start_soon(serve)
    await trio.testing.wait_all_tasks_blocked()
    answer = await desk.a.lodge_from(None, 1)
    await trio.testing.wait_all_tasks_blocked()
    assert leased == []
    assert await desk.a.ask(2) == 2
    assert leased == [[1, 2]]
    assert await desk.a.answer_to(None, answer) == 1
    alone = await desk.a.lodge_from(None, 3)
    assert await desk.a.answer_to(None, alone) == 3


async def test_who_stands_in_line_behind_a_lodged_question_wakes_its_consumer(nursery: trio.Nursery) -> None:
    """Nobody waits for the answer yet, and there is no room for anybody else before the consumer has looked."""
    desk = Desk(Overflow.BLOCK, capacity=1)

    async def serve() -> None:
        while True:
            for envelope in await desk.lease():
                envelope.reply(envelope.message)
                desk.inbox.ack(envelope)

    nursery.start_soon(serve)
    await wait_all_tasks_blocked()
    answer = await desk.a.lodge_from(None, 1)
    with trio.fail_after(1):
        assert await desk.a.ask(2) == 2
        await desk.a.put(3)
    assert await desk.a.answer_to(None, answer) == 1


async def test_ask_gives_the_reply(nursery: trio.Nursery) -> None:
    desk = Desk(Overflow.BLOCK, capacity=1)

    async def serve() -> None:
        while True:
            for envelope in await desk.lease():
                envelope.reply(envelope.message * 2)
                envelope.reply("the first answer counts")
                desk.inbox.ack(envelope)

    nursery.start_soon(serve)
    answers: dict[int, int] = {}

    async def ask(number: int) -> None:
        answers[number] = await desk.a.ask(number)

    async with trio.open_nursery() as askers:
        for number in range(10):
            askers.start_soon(ask, number)
    assert answers == {number: 2 * number for number in range(10)}
    nursery.cancel_scope.cancel()


async def test_a_question_survives_the_crash_of_whoever_was_to_answer(nursery: trio.Nursery) -> None:
    desk = Desk()
    answers: list[str] = []

    async def ask() -> None:
        answers.append(await desk.a.ask(7))

    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    await desk.lease()
    desk.crash()
    await wait_all_tasks_blocked()
    assert answers == []
    (envelope,) = await desk.lease()
    envelope.reply("here")
    await wait_all_tasks_blocked()
    assert answers == ["here"]


async def test_a_question_answered_before_the_crash_is_not_answered_again(nursery: trio.Nursery) -> None:
    desk = Desk()
    answers: list[str] = []

    async def ask() -> None:
        answers.append(await desk.a.ask(7))

    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    (envelope,) = await desk.lease()
    envelope.reply("first")
    desk.crash()
    (envelope,) = await desk.lease()
    envelope.reply("second")
    desk.inbox.ack(envelope)
    await wait_all_tasks_blocked()
    assert answers == ["first"]


async def test_a_question_that_kills_is_told_so(nursery: trio.Nursery) -> None:
    desk = Desk(max_attempts=1)
    told: list[str] = []

    async def ask() -> None:
        try:
            await desk.a.ask(7)
        except DeadLettered as error:
            told.append(str(error))

    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    await desk.lease()
    assert desk.crash("ValueError: seven") is not None
    await wait_all_tasks_blocked()
    assert told == ["a: put aside after 1 attempts, the last one ended: ValueError: seven"]


@pytest.mark.parametrize("state", ["queued", "leased", "in line"])
async def test_a_question_is_told_when_nobody_will_answer(state: str, nursery: trio.Nursery) -> None:
    desk = Desk(Overflow.BLOCK, capacity=1)
    told: list[str] = []

    async def ask() -> None:
        try:
            await desk.a.ask(7)
        except ChannelClosed as error:
            told.append(str(error))

    if state == "in line":
        desk.a.put_nowait(0)
    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    if state == "leased":
        await desk.lease()
    desk.mailbox.close()
    await wait_all_tasks_blocked()
    assert told == ["a is closed: its consumer has stopped for good"]


async def test_a_question_that_gets_in_as_the_channel_closes_is_told_too(nursery: trio.Nursery) -> None:
    desk = Desk(Overflow.BLOCK, capacity=1)
    told: list[str] = []

    async def ask() -> None:
        try:
            await desk.a.ask(7)
        except ChannelClosed as error:
            told.append(str(error))

    desk.a.put_nowait(0)
    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    await desk.lease()
    desk.mailbox.close()
    await wait_all_tasks_blocked()
    assert told == ["a is closed: its consumer has stopped for good"]


async def test_an_asker_that_left_disturbs_nobody(autojump_clock: MockClock) -> None:
    desk = Desk()
    with trio.move_on_after(1):
        await desk.a.ask(7)
    (envelope,) = await desk.lease()
    envelope.reply("to nobody")
    desk.inbox.ack(envelope)
    desk.mailbox.close()
    desk.check()


@pytest.mark.parametrize("overflow", [Overflow.CONFLATE, Overflow.DROP_OLDEST])
async def test_a_channel_that_forgets_cannot_be_asked(overflow: Overflow) -> None:
    with pytest.raises(ValueError, match=f"policy of a must keep what it takes to ask it, was {overflow.name}"):
        await Desk(overflow).a.ask(1)


async def test_a_reply_to_a_plain_message_is_nothing() -> None:
    desk = Desk()
    desk.a.put_nowait(1)
    (envelope,) = await desk.lease()
    envelope.reply("nobody asked")
    desk.inbox.ack(envelope)
    envelope.reply("still nobody")
