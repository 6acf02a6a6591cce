"""Those who can wait come back after some turns of the loop, and nobody turns it for nothing."""

import trio

from genesis.core.aside import TURNS, Aside


async def test_whoever_waits_comes_back_after_some_turns_in_order(nursery: trio.Nursery) -> None:
    """Two whom one turn wakes may run in either order, so each is given a turn of its own to come in."""
    aside, back, turns = Aside(), list[str](), 0
    nursery.start_soon(aside.run)

    async def wait(name: str) -> None:
        await aside.wait()
        back.append(name)

    for name in ("account", "screens"):
        nursery.start_soon(wait, name)
        for _ in range(3):
            await trio.lowlevel.checkpoint()
            turns += 1
    while len(back) < 2:
        await trio.lowlevel.checkpoint()
        turns += 1
    assert back == ["account", "screens"]
    assert TURNS < turns < 2 * TURNS


async def test_one_that_is_cancelled_is_not_waited_for(nursery: trio.Nursery) -> None:
    aside = Aside()
    nursery.start_soon(aside.run)
    with trio.move_on_after(0) as scope:
        await aside.wait()
    assert scope.cancelled_caught
    await aside.wait()


async def test_nobody_turns_the_loop_while_nobody_waits(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    aside = Aside()
    nursery.start_soon(aside.run)
    await aside.wait()
    steps = 0

    class Steps(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            nonlocal steps
            steps += 1

    instrument = Steps()
    trio.lowlevel.add_instrument(instrument)
    await trio.sleep(10)
    trio.lowlevel.remove_instrument(instrument)
    assert steps <= 2
