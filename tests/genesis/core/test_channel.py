"""What each overflow policy does when a channel is full, and what a sender may rely on."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from genesis.core.errors import ChannelClosed, ChannelFull, Fenced
from genesis.core.mailbox import Channel, Envelope, Inbox, Mailbox, Outlet, Overflow
from genesis.core.tee import UNHURRIED, Tee
from genesis.core.term import Term


def held(channel: Channel[int]) -> list[int]:
    return [envelope.message for envelope in channel.queue]


def inbox_of(*channels: Channel[int]) -> Inbox:
    mailbox = Mailbox("m", channels)
    term = Term("actor", 1)
    mailbox.new_term(term)
    return Inbox(mailbox, term)


def messages(batch: list[Envelope]) -> list[int]:
    return [envelope.message for envelope in batch]


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_channel_has_room_for_one_at_least(capacity: int) -> None:
    with pytest.raises(ValueError, match=f"capacity of c must be at least 1, was {capacity}"):
        Channel[int]("c", Overflow.BLOCK, capacity=capacity)


@pytest.mark.parametrize("overflow", [policy for policy in Overflow if policy is not Overflow.CONFLATE])
def test_only_a_conflating_channel_has_a_key(overflow: Overflow) -> None:
    with pytest.raises(ValueError, match=f"was {overflow.name}"):
        Channel[int]("c", overflow, key=lambda number: number)


def test_a_conflating_channel_needs_a_key() -> None:
    with pytest.raises(ValueError, match="key of c must be given for CONFLATE"):
        Channel[int]("c", Overflow.CONFLATE)


@pytest.mark.parametrize("overflow", [Overflow.BLOCK, Overflow.FAIL])
def test_a_full_channel_refuses_who_must_not_wait(overflow: Overflow) -> None:
    channel = Channel[int]("c", overflow, capacity=2)
    channel.put_nowait(1)
    channel.put_nowait(2)
    with pytest.raises(ChannelFull, match="c must have room, was full with 2 messages"):
        channel.put_nowait(3)
    assert held(channel) == [1, 2]
    view = channel.view()
    assert (view.put, view.refused, view.depth) == (2, 1, 2)
    channel.check_books()


async def test_put_to_a_full_fail_channel_is_refused_too() -> None:
    channel = Channel[int]("c", Overflow.FAIL, capacity=1)
    await channel.put(1)
    with pytest.raises(ChannelFull):
        await channel.put(2)


async def test_a_question_to_a_full_fail_channel_is_refused_and_forgotten() -> None:
    channel = Channel[int]("c", Overflow.FAIL, capacity=1)
    channel.put_nowait(1)
    with pytest.raises(ChannelFull):
        await channel.ask(2)
    assert held(channel) == [1]
    assert channel._questions == {}


def test_who_puts_if_there_is_room_is_told_whether_there_was() -> None:
    """Then it stands in line, in its turn; a closed channel says so as it does to everybody."""
    channel = Channel[int]("c", Overflow.BLOCK, capacity=2)
    assert [channel.put_if_room(number) for number in (1, 2, 3)] == [True, True, False]
    assert held(channel) == [1, 2]
    assert (channel.put_total, channel.refused) == (2, 0)
    channel.close()
    with pytest.raises(ChannelClosed):
        channel.put_if_room(4)


def test_the_oldest_is_dropped_and_counted() -> None:
    channel = Channel[int]("c", Overflow.DROP_OLDEST, capacity=3)
    for number in range(10):
        channel.put_nowait(number)
    assert held(channel) == [7, 8, 9]
    view = channel.view()
    assert (view.put, view.dropped, view.depth) == (10, 7, 3)
    channel.check_books()


def test_an_unbounded_channel_always_has_room() -> None:
    channel = Channel[int]("c", Overflow.UNBOUNDED, capacity=1)
    for number in range(5000):
        channel.put_nowait(number)
    assert channel.depth == 5000
    channel.check_books()


def test_the_newest_of_each_key_takes_the_place_of_the_older() -> None:
    channel = Channel[int]("c", Overflow.CONFLATE, key=lambda number: number % 10)
    for number in (1, 2, 11, 3, 12, 21):
        channel.put_nowait(number)
    assert held(channel) == [21, 12, 3]
    view = channel.view()
    assert (view.put, view.conflated, view.depth) == (6, 3, 3)
    channel.check_books()


def test_more_keys_than_room_drop_the_oldest_key() -> None:
    channel = Channel[int]("c", Overflow.CONFLATE, capacity=2, key=lambda number: number % 10)
    for number in (1, 2, 3, 13):
        channel.put_nowait(number)
    assert held(channel) == [2, 13]
    assert (channel.dropped, channel.conflated) == (1, 1)
    channel.put_nowait(11)
    assert held(channel) == [13, 11]
    channel.check_books()


async def test_conflation_ends_at_the_lease() -> None:
    """What an actor has in hand does not change under it."""
    channel = Channel[int]("c", Overflow.CONFLATE, key=lambda number: number % 10)
    inbox = inbox_of(channel)
    channel.put_nowait(1)
    (first,) = await inbox.lease()
    channel.put_nowait(11)
    channel.put_nowait(21)
    assert first.message == 1
    assert messages(await inbox.lease()) == [21]
    channel.put_nowait(1)
    channel.put_nowait(2)
    channel.put_nowait(3)
    assert messages(await inbox.lease(limit=2)) == [1, 2]
    channel.put_nowait(11)
    channel.put_nowait(13)
    assert messages(await inbox.lease()) == [13, 11]
    channel.check_books()


# --- waiting for room -----------------------------------------------------------------------------------------------


async def test_a_sender_waits_for_room_and_gets_in_in_turn(nursery: trio.Nursery) -> None:
    channel = Channel[int]("c", Overflow.BLOCK, capacity=2)
    inbox = inbox_of(channel)
    for number in range(6):
        nursery.start_soon(channel.put, number)
        await wait_all_tasks_blocked()
    assert held(channel) == [0, 1]
    assert not channel.idle
    assert channel.view().put == 2, "who waits in line is not in"
    assert messages(await inbox.lease()) == [0, 1]
    assert held(channel) == [2, 3]
    assert messages(await inbox.lease(limit=1)) == [2]
    assert held(channel) == [3, 4]
    assert messages(await inbox.lease()) == [3, 4]
    assert messages(await inbox.lease()) == [5]
    channel.check_books()


async def test_nobody_gets_past_the_line(nursery: trio.Nursery) -> None:
    channel = Channel[int]("c", Overflow.BLOCK, capacity=1)
    inbox = inbox_of(channel)
    channel.put_nowait(0)
    nursery.start_soon(channel.put, 1)
    await wait_all_tasks_blocked()
    assert messages(await inbox.lease()) == [0]
    with pytest.raises(ChannelFull):
        channel.put_nowait(2)


async def test_a_cancelled_put_is_not_in(nursery: trio.Nursery) -> None:
    channel = Channel[int]("c", Overflow.BLOCK, capacity=1)
    await channel.put(0)
    scope = trio.CancelScope()

    async def put() -> None:
        with scope:
            await channel.put(1)

    nursery.start_soon(put)
    await wait_all_tasks_blocked()
    scope.cancel()
    await wait_all_tasks_blocked()
    assert scope.cancelled_caught
    assert held(channel) == [0]
    assert messages(await inbox_of(channel).lease()) == [0]
    assert held(channel) == []
    channel.check_books()


async def test_a_put_that_got_in_does_not_say_cancelled(nursery: trio.Nursery) -> None:
    """Room and cancellation in the same instant: the sender's word and the queue agree."""
    channel = Channel[int]("c", Overflow.BLOCK, capacity=1)
    inbox = inbox_of(channel)
    await channel.put(0)
    scope = trio.CancelScope()
    told: list[str] = []

    async def put() -> None:
        with scope:
            await channel.put(1)
            told.append("in")

    nursery.start_soon(put)
    await wait_all_tasks_blocked()
    await inbox.lease()
    scope.cancel()
    await wait_all_tasks_blocked()
    assert told == ["in"]
    assert held(channel) == [1]


@pytest.mark.parametrize("overflow", [Overflow.BLOCK, Overflow.FAIL, Overflow.UNBOUNDED, Overflow.DROP_OLDEST])
async def test_put_is_a_checkpoint_and_says_cancelled_before_it_is_in(overflow: Overflow) -> None:
    channel = Channel[int]("c", overflow)
    with trio.CancelScope() as scope:
        scope.cancel()
        await channel.put(1)
    assert scope.cancelled_caught
    assert held(channel) == []
    with trio.testing.assert_checkpoints():
        await channel.put(2)


async def test_who_hands_over_goes_on_in_the_same_turn_where_there_is_room_and_waits_where_there_is_none(
    nursery: trio.Nursery,
) -> None:
    channel = Channel[int]("c", Overflow.BLOCK, capacity=1)
    inbox = inbox_of(channel)
    with trio.testing.assert_no_checkpoints():
        await channel.hand_from(None, 1)
    assert held(channel) == [1]
    nursery.start_soon(channel.hand_from, None, 2)
    await wait_all_tasks_blocked()
    assert held(channel) == [1]
    inbox.ack_all(await inbox.lease())
    await wait_all_tasks_blocked()
    assert held(channel) == [2]
    channel.check_books()


async def test_what_is_handed_over_by_a_life_that_ends_in_line_is_not_in(nursery: trio.Nursery) -> None:
    channel = Channel[int]("c", Overflow.BLOCK, capacity=1)
    with trio.CancelScope() as scope:
        await channel.hand_from(None, 1)
        scope.cancel()
        await channel.hand_from(None, 2)
    assert scope.cancelled_caught
    assert held(channel) == [1]


async def test_of_many_those_are_put_for_which_there_is_room_and_one_ring_tells_of_them() -> None:
    channel = Channel[int]("c", Overflow.BLOCK, capacity=3)
    inbox = inbox_of(channel)
    assert [channel.put_many([1, 2]), channel.put_many([3, 4]), channel.put_many([5]), channel.put_many([])] == [
        2,
        1,
        0,
        0,
    ]
    assert messages(await inbox.lease(limit=2)) == [1, 2]
    assert channel.put_many([6, 7, 8]) == 2
    assert held(channel) == [3, 6, 7]
    channel.check_books()
    channel.close()
    with pytest.raises(ChannelClosed):
        channel.put_many([9])


async def test_many_wake_who_sleeps(nursery: trio.Nursery) -> None:
    channel = Channel[int]("c", Overflow.BLOCK, capacity=3)
    inbox, heard = inbox_of(channel), list[int]()

    async def listen() -> None:
        heard.extend(messages(await inbox.lease()))

    nursery.start_soon(listen)
    await wait_all_tasks_blocked()
    channel.put_many([1, 2])
    await wait_all_tasks_blocked()
    assert heard == [1, 2]


@pytest.mark.parametrize("overflow", [Overflow.FAIL, Overflow.DROP_OLDEST, Overflow.UNBOUNDED])
def test_many_at_once_are_for_channels_whose_senders_wait(overflow: Overflow) -> None:
    with pytest.raises(ValueError, match=f"must be BLOCK for many at once, was {overflow.name}"):
        Channel[int]("c", overflow).put_many([1])


def test_what_goes_into_two_channels_is_put_one_by_one_and_always_into_both() -> None:
    also = Channel[int]("also", Overflow.DROP_OLDEST)
    both = Tee("both", Overflow.BLOCK, also=also, kinds=frozenset({int}), capacity=2)
    assert [both.put_if_room(number) for number in (1, 2, 3)] == [True, True, False]
    assert held(both) == held(also) == [1, 2]
    with pytest.raises(ValueError, match="must be put one by one, was 2 at once"):
        both.put_many([1, 2])


async def test_while_nobody_looks_only_news_wakes_who_hears_all_of_it(nursery: trio.Nursery) -> None:
    """News are numbers here. What is left is heard with them, in its place; and at once where somebody looks, or where
    there is much of it."""
    screens = Tee("screens", Overflow.DROP_OLDEST, also=Channel("also", Overflow.DROP_OLDEST), kinds=frozenset({int}))
    looks = False
    screens.is_watched = lambda: looks
    inbox, batches = inbox_of(screens), list[list[Any]]()

    async def listen() -> None:
        while True:
            batch = await inbox.lease()
            batches.append(messages(batch))
            inbox.ack_all(batch)

    nursery.start_soon(listen)
    await wait_all_tasks_blocked()
    for message in ("a", "b"):
        screens.put_nowait(message)
        await wait_all_tasks_blocked()
    assert not batches
    screens.put_nowait(1)
    await wait_all_tasks_blocked()
    assert batches == [["a", "b", 1]]
    looks = True
    screens.put_nowait("c")
    await wait_all_tasks_blocked()
    assert batches[1:] == [["c"]]
    looks = False
    for _ in range(UNHURRIED + 1):
        screens.put_nowait("d")
    await wait_all_tasks_blocked()
    assert batches[2:] == [["d"] * (UNHURRIED + 1)]
    screens.check_books()


async def test_what_is_left_in_a_full_channel_drops_the_oldest_and_wakes() -> None:
    channel = Channel[int]("c", Overflow.DROP_OLDEST, capacity=2)
    for number in (1, 2, 3):
        channel.leave(number)
    assert held(channel) == [2, 3]
    assert channel.dropped == 1
    channel.check_books()


# --- once -----------------------------------------------------------------------------------------------------------


def test_put_once_is_once_per_key_for_ever() -> None:
    channel = Channel[int]("c", Overflow.FAIL)
    assert channel.put_once(("on", 1), 1)
    assert not channel.put_once(("on", 1), 2)
    assert channel.put_once(("on", 2), 3)
    assert held(channel) == [1, 3]


def test_of_the_keys_of_put_once_the_newest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genesis.core.channel.ONCE_KEPT", 100)
    monkeypatch.setattr("genesis.core.channel.ONCE_SLACK", 10)
    channel = Channel[int]("c", Overflow.UNBOUNDED)
    for number in range(1000):
        assert channel.put_once(number, number)
        assert len(channel._once) <= 110
    assert not any(channel.put_once(number, number) for number in range(900, 1000))


def test_a_refused_put_once_uses_up_no_key() -> None:
    channel = Channel[int]("c", Overflow.FAIL, capacity=1)
    channel.put_nowait(0)
    with pytest.raises(ChannelFull):
        channel.put_once("k", 1)
    channel.take(1)
    assert channel.put_once("k", 1)


# --- closing --------------------------------------------------------------------------------------------------------


async def test_a_closed_channel_sends_away_who_waits_and_who_comes(nursery: trio.Nursery) -> None:
    channel = Channel[int]("c", Overflow.BLOCK, capacity=1)
    channel.put_nowait(0)
    told: list[str] = []

    async def put() -> None:
        try:
            await channel.put(1)
        except ChannelClosed as error:
            told.append(str(error))

    nursery.start_soon(put)
    await wait_all_tasks_blocked()
    channel.close()
    channel.close()
    await wait_all_tasks_blocked()
    assert told == ["c is closed: its consumer has stopped for good"]
    with pytest.raises(ChannelClosed):
        channel.put_nowait(2)
    with pytest.raises(ChannelClosed):
        await channel.put(2)
    with pytest.raises(ChannelClosed):
        channel.put_once("k", 2)
    assert held(channel) == [0]
    channel.check_books()


@pytest.mark.parametrize("overflow", [Overflow.DROP_OLDEST, Overflow.UNBOUNDED, Overflow.CONFLATE])
def test_policies_that_never_raise_do_not_when_closed(overflow: Overflow) -> None:
    channel = Channel[int]("c", overflow, key=(lambda number: number) if overflow is Overflow.CONFLATE else None)
    channel.put_nowait(1)
    channel.close()
    channel.put_nowait(2)
    assert held(channel) == [1]
    assert channel.dropped == 1
    channel.check_books()


# --- the outlet of a generation -------------------------------------------------------------------------------------


async def test_an_outlet_sends_like_its_channel_until_its_term_is_over(nursery: trio.Nursery) -> None:
    channel = Channel[int]("c", Overflow.UNBOUNDED)
    term = Term("sender", 3)
    outlet = Outlet(channel, term)
    inbox = inbox_of(channel)
    await outlet.put(1)
    outlet.put_nowait(2)
    assert outlet.put_once("k", 3)

    async def answer() -> None:
        for envelope in await inbox.lease():
            envelope.reply("yes")

    nursery.start_soon(answer)
    assert await outlet.ask(4) == "yes"
    term.over = True
    words = "generation 3 of sender is over and may not send to c"
    for attempt in (lambda: outlet.put_nowait(5), lambda: outlet.put_once("l", 5)):
        with pytest.raises(Fenced, match=words):
            attempt()
    for wait in (outlet.put, outlet.ask):
        with pytest.raises(Fenced, match=words):
            await wait(5)
    assert channel.put_total == 4
    assert channel.put_once("l", 6), "a fenced put_once used up no key"


async def test_a_generation_that_ends_while_its_put_waits_leaves_nothing_behind(nursery: trio.Nursery) -> None:
    channel = Channel[int]("c", Overflow.BLOCK, capacity=1)
    inbox = inbox_of(channel)
    term = Term("sender", 1)
    told: list[str] = []

    async def zombie() -> None:
        try:
            await Outlet(channel, term).put(1)
        except Fenced as error:
            told.append(str(error))

    channel.put_nowait(0)
    nursery.start_soon(zombie)
    await wait_all_tasks_blocked()
    nursery.start_soon(channel.put, 2)
    await wait_all_tasks_blocked()
    assert term.waiting == 1
    term.over = True
    assert messages(await inbox.lease()) == [0]
    assert messages(await inbox.lease()) == [2]
    await wait_all_tasks_blocked()
    assert told == ["generation 1 of sender is over and may not send"]
    assert term.waiting == 0
    channel.check_books()


async def test_the_age_of_the_head_is_seen_by_looking_now_and_then(autojump_clock: MockClock) -> None:
    channel = Channel[int]("c", Overflow.FAIL)
    assert channel.view().oldest_age_s == 0
    channel.put_nowait(1)
    assert channel.view().oldest_age_s == 0
    await trio.sleep(3)
    channel.put_nowait(2)
    assert channel.view().oldest_age_s == 3
    channel.take(1)
    assert channel.view().oldest_age_s == 0
