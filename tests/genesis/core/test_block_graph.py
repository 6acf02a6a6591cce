"""BLOCK channels in a circle stop for ever once they are full; the check finds them before anything starts."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from genesis.core.mailbox import Channel, Inbox, Mailbox, Overflow
from genesis.core.supervisor import BlockCycle, check_block_graph
from genesis.core.term import Term


def block(name: str) -> Channel[int]:
    return Channel[int](name, Overflow.BLOCK)


def fail(name: str) -> Channel[int]:
    return Channel[int](name, Overflow.FAIL)


def test_a_line_and_a_diamond_are_fine() -> None:
    check_block_graph([])
    check_block_graph([("a", "b", block("ab")), ("b", "c", block("bc")), ("a", "c", block("ac"))])


def test_a_circle_is_named_all_the_way_round() -> None:
    edges = [
        ("market", "signal", block("candles")),
        ("signal", "risk", block("scores")),
        ("risk", "order", block("approved")),
        ("order", "risk", block("reports")),
    ]
    with pytest.raises(BlockCycle) as caught:
        check_block_graph(edges)
    text = str(caught.value)
    assert text.startswith("BLOCK channels must form no circle, was: ")
    assert "risk -(approved)-> order" in text
    assert "order -(reports)-> risk" in text
    assert "market" not in text


def test_an_actor_that_blocks_on_itself_is_a_circle() -> None:
    with pytest.raises(BlockCycle, match=r"a -\(own\)-> a"):
        check_block_graph([("a", "a", block("own"))])


@pytest.mark.parametrize("overflow", [Overflow.FAIL, Overflow.UNBOUNDED, Overflow.DROP_OLDEST])
def test_a_circle_with_one_edge_that_never_waits_is_fine(overflow: Overflow) -> None:
    check_block_graph([("a", "b", block("ab")), ("b", "a", Channel[int]("ba", overflow))])


async def test_the_circle_that_it_forbids_does_stop_for_ever(nursery: trio.Nursery) -> None:
    """The reason for the check, seen: two actors that answer each message with two soon wait for each other."""
    channels = [Channel[int]("ab", Overflow.BLOCK, capacity=2), Channel[int]("ba", Overflow.BLOCK, capacity=2)]
    handled = 0

    async def actor(inbox: Inbox, onward: Channel[int]) -> None:
        nonlocal handled
        while True:
            for envelope in await inbox.lease(limit=1):
                handled += 1
                await onward.put(envelope.message)
                await onward.put(envelope.message)
                inbox.ack(envelope)

    for here, there in ((0, 1), (1, 0)):
        mailbox = Mailbox("m", [channels[here]])
        mailbox.new_term(term := Term("a", 1))
        nursery.start_soon(actor, Inbox(mailbox, term), channels[there])
    channels[0].put_nowait(0)
    await wait_all_tasks_blocked(0.01)
    assert 2 < handled < 20
    before = handled
    await wait_all_tasks_blocked(0.01)
    assert handled == before
    assert all(channel.depth == 2 for channel in channels)
    nursery.cancel_scope.cancel()
