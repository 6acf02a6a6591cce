"""One at a time, in the order of asking, and at no cost where nobody else asks."""

import trio
from trio.testing import wait_all_tasks_blocked

from genesis.edge.turn import Turn


async def test_turns_are_given_in_the_order_in_which_they_were_waited_for(nursery: trio.Nursery) -> None:
    turn = Turn()
    seen: list[int] = []

    async def take(number: int) -> None:
        async with turn:
            seen.append(number)
            await trio.lowlevel.checkpoint()
            seen.append(number)

    async with turn:
        for number in range(5):
            nursery.start_soon(take, number)
            await wait_all_tasks_blocked()
        assert seen == []
    await wait_all_tasks_blocked()
    assert seen == [number for number in range(5) for _ in range(2)]
    assert not turn.taken


async def test_who_is_cancelled_in_the_line_leaves_it_and_the_next_one_has_its_turn(nursery: trio.Nursery) -> None:
    turn = Turn()
    seen: list[str] = []

    async def take(name: str, scope: trio.CancelScope) -> None:
        with scope:
            async with turn:
                seen.append(name)

    impatient, patient = trio.CancelScope(), trio.CancelScope()
    async with turn:
        for name, scope in (("impatient", impatient), ("patient", patient)):
            nursery.start_soon(take, name, scope)
            await wait_all_tasks_blocked()
        impatient.cancel()
        await wait_all_tasks_blocked()
    await wait_all_tasks_blocked()
    assert seen == ["patient"]
    assert not turn.taken


async def test_a_free_turn_takes_none_of_the_loop(nursery: trio.Nursery) -> None:
    others: list[str] = []

    async def other() -> None:
        others.append("ran")

    nursery.start_soon(other)
    async with Turn():
        assert others == []


async def test_a_turn_ends_with_whatever_ends_its_block() -> None:
    turn = Turn()
    try:
        async with turn:
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    with trio.CancelScope() as scope:
        scope.cancel()
        async with turn:
            raise AssertionError("who is cancelled already must not begin")
    assert not turn.taken
