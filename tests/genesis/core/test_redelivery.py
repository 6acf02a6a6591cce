"""Acks, what comes back after a crash, and what is put aside after too many."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from genesis.core.errors import Fenced
from genesis.core.mailbox import DeadLetter, Mailbox, Overflow
from tests.genesis.core.desk import Desk, words


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
