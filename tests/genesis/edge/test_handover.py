"""A reader hands over without waiting; nothing is lost, doubled or out of order, and frames count when all is in."""

from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from genesis.core.channel import Channel, Overflow
from genesis.core.mailbox import Inbox, Mailbox, Outlet
from genesis.core.term import Term
from genesis.edge.handover import Handover


class Ends:
    def __init__(self, capacity: int, limit: int) -> None:
        channel = Channel[Any]("events", Overflow.BLOCK, capacity=capacity)
        mailbox, term = Mailbox("listener", [channel]), Term("listener", 1)
        mailbox.new_term(term)
        self.inbox = Inbox(mailbox, term)
        self.frames = 0
        self.heard: list[int] = []
        self.handover = Handover(Outlet(channel, Term("reader", 1)), self.count, limit=limit)

    def count(self, frames: int) -> None:
        self.frames += frames

    async def listen(self) -> None:
        while True:
            batch = await self.inbox.lease(limit=3)
            self.heard += [envelope.message for envelope in batch]
            self.inbox.ack_all(batch)


async def test_what_fits_goes_in_at_once() -> None:
    ends = Ends(capacity=10, limit=100)
    ends.handover.offer([1, 2, 3], 2)
    assert (ends.handover.waiting, ends.frames) == (0, 2)


async def test_what_does_not_fit_waits_and_its_frames_are_not_counted_yet(nursery: trio.Nursery) -> None:
    ends = Ends(capacity=2, limit=100)
    ends.handover.offer([1, 2, 3, 4], 5)
    ends.handover.offer([5], 1)
    ends.handover.offer([], 1)
    assert (ends.handover.waiting, ends.frames) == (3, 0)
    nursery.start_soon(ends.handover.carry)
    nursery.start_soon(ends.listen)
    await trio.testing.wait_all_tasks_blocked()
    assert (ends.heard, ends.frames) == ([1, 2, 3, 4, 5], 7)
    nursery.cancel_scope.cancel()


async def test_a_reader_stops_at_the_limit_and_goes_on_below_it(nursery: trio.Nursery) -> None:
    ends = Ends(capacity=1, limit=3)
    ends.handover.offer([1, 2, 3, 4], 1)
    assert ends.handover.full
    with trio.move_on_after(0.01) as scope:
        await ends.handover.room()
    assert scope.cancelled_caught
    nursery.start_soon(ends.handover.carry)
    nursery.start_soon(ends.listen)
    with trio.fail_after(5):
        await ends.handover.room()
    nursery.cancel_scope.cancel()


async def test_the_last_words_come_last(nursery: trio.Nursery) -> None:
    ends = Ends(capacity=1, limit=100)
    ends.handover.offer([1, 2, 3], 1)
    nursery.start_soon(ends.listen)
    with trio.fail_after(5):
        await ends.handover.finish([4, 5])
    await trio.testing.wait_all_tasks_blocked()
    assert (ends.heard, ends.frames) == ([1, 2, 3, 4, 5], 1)
    nursery.cancel_scope.cancel()


@given(st.lists(st.integers(0, 7), max_size=30), st.integers(1, 5), st.integers(1, 8))
@pytest.mark.filterwarnings("ignore")
def test_nothing_is_lost_or_doubled(batches: list[int], capacity: int, limit: int) -> None:
    async def world() -> None:
        ends = Ends(capacity=capacity, limit=limit)
        said = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.handover.carry)
            nursery.start_soon(ends.listen)
            for size in batches:
                ends.handover.offer(range(said, said + size), 1)
                said += size
                await ends.handover.room()
            with trio.fail_after(5):
                await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert ends.heard == list(range(said))
        assert ends.frames == len(batches)

    trio.run(world)
