"""Leases: what a consumer is given, in which order, and when."""

import math

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from genesis.core.errors import Fenced
from tests.genesis.core.desk import Desk, words


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
