"""Questions and their answers, over crashes, closing and full channels."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from genesis.core.errors import ChannelClosed, DeadLettered
from genesis.core.mailbox import Overflow
from genesis.core.term import Term
from tests.genesis.core.desk import Desk, words


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


async def test_what_waits_for_an_answer_alone_happens_in_the_step_that_gives_it(nursery: trio.Nursery) -> None:
    """Its asker has stepped aside: an order leaves where the journal answers, and not a turn of the loop later."""
    desk = Desk(Overflow.BLOCK)
    told: list[str] = []

    async def serve() -> None:
        (envelope,) = await desk.lease()
        envelope.reply(envelope.message * 2)
        envelope.reply("the first answer counts")
        told.append("answered")
        desk.inbox.ack(envelope)

    nursery.start_soon(serve)
    await wait_all_tasks_blocked()
    answer = desk.a.ask_then(None, 1, lambda value: told.append(f"told {value}"))
    assert answer is not None
    assert told == []
    await wait_all_tasks_blocked()
    assert told == ["told 2", "answered"]
    assert await desk.a.answer_to(None, answer) == 2


async def test_a_question_that_would_wait_for_room_is_not_asked_at_once(nursery: trio.Nursery) -> None:
    """Who asks then stands in line as ever."""
    desk = Desk(Overflow.BLOCK, capacity=1)
    told: list[int] = []
    first = desk.a.ask_then(None, 1, told.append)
    assert first is not None
    assert desk.a.ask_then(None, 2, told.append) is None
    (envelope,) = await desk.lease()
    envelope.reply(10)
    desk.inbox.ack(envelope)
    assert await desk.a.answer_to(None, first) == 10
    assert told == [10]
    desk.mailbox.close()
    assert desk.a.ask_then(None, 3, told.append) is None
    desk.a.check_books()


async def test_a_fault_in_what_an_answer_is_passed_on_to_is_its_askers(nursery: trio.Nursery) -> None:
    desk = Desk(Overflow.BLOCK)

    def fails(value: int) -> None:
        raise RuntimeError(f"cannot bear {value}")

    async def serve() -> None:
        while True:
            for envelope in await desk.lease():
                envelope.reply(envelope.message)
                desk.inbox.ack(envelope)

    nursery.start_soon(serve)
    answer = desk.a.ask_then(None, 7, fails)
    assert answer is not None
    with pytest.raises(RuntimeError, match="cannot bear 7"):
        await desk.a.answer_to(None, answer)
    assert await desk.a.ask(8) == 8


async def test_an_answer_is_passed_on_for_no_life_that_is_over_and_in_no_other_case(nursery: trio.Nursery) -> None:
    """A zombie's order would leave beside that of its next life; a question that failed lets nothing leave at all."""
    desk = Desk(Overflow.BLOCK)
    told: list[int] = []
    term = Term("asker", 1)
    assert desk.a.ask_then(term, 1, told.append) is not None
    term.over = True
    (envelope,) = await desk.lease()
    envelope.reply(envelope.message)
    desk.inbox.ack(envelope)
    poison = desk.a.ask_then(None, 2, told.append)
    assert poison is not None
    for _ in range(desk.mailbox.max_attempts):
        await desk.lease()
        desk.crash()
    with pytest.raises(DeadLettered):
        await desk.a.answer_to(None, poison)
    assert told == []
