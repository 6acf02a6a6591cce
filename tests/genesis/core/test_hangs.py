"""The short watch: a hang is found within seconds, and a wait, a slow disk or a loop that stood still is none."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis.core.actor import Context
from genesis.core.backoff import IMMEDIATE
from genesis.core.errors import Escalated, Stuck
from genesis.core.hangs import LOOK_S
from genesis.core.mailbox import Channel, Mailbox, Overflow
from genesis.core.supervisor import GIVING_UP_S, ChildSpec, EventKind
from tests.genesis.core.test_progress import Acts, Body, Shop, hang, spin

HANG_S = 2.0


@pytest.mark.parametrize("body", [hang, spin])
async def test_a_hang_is_found_soon(body: Body, autojump_clock: MockClock) -> None:
    shop = Shop()
    async with shop.open(shop.child(body, hang_timeout_s=HANG_S, progress_timeout_s=100)):
        await trio.sleep(30)
        assert shop.crashes() == [], "nothing to do is no hang"
        began = trio.current_time()
        await shop.channel.put("work")
        await trio.sleep(HANG_S - 0.1)
        assert shop.crashes() == []
        await trio.sleep(LOOK_S + 0.2)
        ((at, kind),) = shop.crashes()
        assert kind is Stuck
        assert at - began <= HANG_S + LOOK_S


async def test_the_next_life_is_watched_too(autojump_clock: MockClock) -> None:
    shop = Shop()
    async with shop.open(shop.child(hang, hang_timeout_s=HANG_S, progress_timeout_s=100)):
        await shop.channel.put("work")
        await trio.sleep(2 * (HANG_S + LOOK_S) + 0.5)
        assert len(shop.crashes()) == 2


async def works_on(ctx: Context) -> None:
    """Is done with a message every second, for as long as there are any."""
    while True:
        for envelope in await ctx.inbox.lease(limit=1):
            await trio.sleep(1.0)
            ctx.inbox.ack(envelope)


async def awaits_a_disk(ctx: Context) -> None:
    while True:
        for envelope in await ctx.inbox.lease(limit=1):
            with ctx.outside:
                await trio.sleep(30.0)
            ctx.inbox.ack(envelope)


@pytest.mark.parametrize("body", [works_on, awaits_a_disk])
async def test_slow_work_is_no_hang(body: Body, autojump_clock: MockClock) -> None:
    shop = Shop()
    async with shop.open(shop.child(body, hang_timeout_s=HANG_S, progress_timeout_s=100)):
        for _ in range(8):
            await shop.channel.put("work")
        await trio.sleep(300)
        assert shop.crashes() == []
        assert shop.channel.idle


async def test_after_the_disk_has_answered_the_time_is_its_own(autojump_clock: MockClock) -> None:
    async def body(ctx: Context) -> None:
        await ctx.inbox.lease()
        with ctx.outside:
            await trio.sleep(30.0)
        await trio.sleep_forever()

    shop = Shop()
    async with shop.open(shop.child(body, hang_timeout_s=HANG_S, progress_timeout_s=100)):
        await shop.channel.put("work")
        await trio.sleep(30)
        assert shop.crashes() == []
        await trio.sleep(HANG_S + 2 * LOOK_S)
        assert [kind for _, kind in shop.crashes()] == [Stuck]


async def test_who_waits_for_an_answer_or_for_room_does_not_hang(autojump_clock: MockClock) -> None:
    full = Channel[object]("full", Overflow.BLOCK, capacity=1)

    async def puts(ctx: Context) -> None:
        batch = await ctx.inbox.lease()
        for _ in range(3):
            await ctx.outlet(full).put("for you")
        ctx.inbox.ack_all(batch)
        await trio.sleep_forever()

    async def takes(ctx: Context) -> None:
        while True:
            await trio.sleep(20)
            ctx.inbox.ack_all(await ctx.inbox.lease(limit=1))

    shop = Shop()
    taker = ChildSpec(id="b", start=lambda: Acts(takes), mailbox=Mailbox("b", [full]), progress_timeout_s=None)
    async with shop.open(taker, shop.child(puts, hang_timeout_s=HANG_S, progress_timeout_s=None)):
        await shop.channel.put("work")
        await trio.sleep(100)
        assert shop.crashes() == []


def test_who_steps_aside_in_a_loop_that_turns_slowly_does_not_hang() -> None:
    """Some turns of the loop take seconds where a machine is overloaded; a new life of the same actor helps nobody."""
    clock = MockClock()
    done: list[object] = []

    async def steps_aside(ctx: Context) -> None:
        while True:
            batch = await ctx.inbox.lease()
            await ctx.step_aside()
            done.extend(batch)
            ctx.inbox.ack_all(batch)

    async def world() -> None:
        shop = Shop()
        async with shop.open(shop.child(steps_aside, hang_timeout_s=HANG_S, progress_timeout_s=None)):
            await shop.channel.put("work")
            for _ in range(40):
                clock.jump(LOOK_S / 2)
                await trio.lowlevel.checkpoint()
            assert shop.crashes() == []
            assert len(done) == 1

    trio.run(world, clock=clock)


def test_who_steps_aside_with_nothing_in_hand_comes_back_in_a_loop_that_does_not_rest() -> None:
    """As who reads a socket: what it heard is with others, who may be done long before the loop comes to rest."""
    clock = MockClock()
    back: list[int] = []

    async def steps_aside(ctx: Context) -> None:
        while True:
            ctx.inbox.ack_all(await ctx.inbox.lease())
            await ctx.step_aside()
            back.append(1)

    async def world() -> None:
        shop = Shop()
        async with shop.open(shop.child(steps_aside, hang_timeout_s=HANG_S, progress_timeout_s=None)):
            for number in range(3):
                await shop.channel.put("work")
                for _ in range(200):
                    clock.jump(LOOK_S / 50)
                    await trio.lowlevel.checkpoint()
                assert len(back) == number + 1

    trio.run(world, clock=clock)


async def test_a_loop_that_stood_still_is_nobodys_hang(autojump_clock: MockClock) -> None:
    """A blocked loop, a stopped process, a machine that slept: afterwards a look may come before whoever had work."""

    async def body(ctx: Context) -> None:
        while True:
            batch = await ctx.inbox.lease()
            await trio.sleep(LOOK_S / 2)
            # In the same step as somebody else's long computation.
            autojump_clock.jump(60.0)
            await trio.sleep(LOOK_S / 2)
            ctx.inbox.ack_all(batch)

    shop = Shop()
    async with shop.open(shop.child(body, hang_timeout_s=HANG_S, progress_timeout_s=None)):
        for _ in range(20):
            await shop.channel.put("work")
            await trio.sleep(5)
        assert shop.crashes() == []


class Hopeless(Exception):
    pass


async def test_after_a_hopeless_error_the_supervisor_gives_up_at_once(autojump_clock: MockClock) -> None:
    """Who waits for the one that is gone will not finish, and the process must end for another to begin."""
    asked = Channel[object]("asked", Overflow.BLOCK)

    async def fails(ctx: Context) -> None:
        await ctx.inbox.lease()
        await trio.sleep(1.0)
        raise Hopeless

    async def asks(ctx: Context) -> None:
        await ctx.inbox.lease()
        await ctx.outlet(asked).ask("please")

    shop = Shop()
    desk = ChildSpec(
        id="desk", start=lambda: Acts(fails), mailbox=Mailbox("desk", [asked]), hopeless=(Hopeless,), shutdown_s=5.0
    )
    with trio.fail_after(10), pytest.RaisesGroup(Escalated, flatten_subgroups=True, allow_unwrapped=True):
        async with shop.open(desk, shop.child(asks, shutdown_s=5.0)):
            await shop.channel.put("work")
            await trio.sleep_forever()
    assert len([event for event in shop.events if event.kind is EventKind.STARTED and event.path == "top/desk"]) == 1
    assert trio.current_time() <= 1.0 + GIVING_UP_S + 0.1


async def test_an_error_of_another_kind_spends_the_budget_as_ever(autojump_clock: MockClock) -> None:
    lives: list[Any] = []

    async def fails_twice(ctx: Context) -> None:
        lives.append(1)
        if len(lives) <= 2:
            raise ValueError
        await trio.sleep_forever()

    shop = Shop()
    async with shop.open(shop.child(fails_twice, hopeless=(Hopeless,))):
        await trio.sleep(5)
        assert len(lives) == 3


@pytest.mark.parametrize("before_look_s", [0.01, 0.1, 0.4])
async def test_who_takes_work_just_before_a_look_has_all_of_his_time(
    before_look_s: float, autojump_clock: MockClock
) -> None:
    """A look counted all the time since the one before it, also for who had just begun: of a second half was left."""
    hasty = Channel[object]("hasty", Overflow.BLOCK, capacity=8)

    async def busy(ctx: Context) -> None:
        for envelope in await ctx.inbox.lease(limit=1):
            with ctx.outside:
                await trio.sleep(60)
            ctx.inbox.ack(envelope)
        await trio.sleep_forever()

    async def healthy(ctx: Context) -> None:
        for envelope in await ctx.inbox.lease(limit=1):
            await trio.sleep(1.0 - 0.01)
            ctx.inbox.ack(envelope)
        await trio.sleep_forever()

    shop = Shop()
    box = Mailbox("b", [hasty], alarm=shop.letters.append)
    other = ChildSpec(
        id="b", start=lambda: Acts(healthy), mailbox=box, backoff=IMMEDIATE, hang_timeout_s=1.0, progress_timeout_s=100
    )
    async with shop.open(shop.child(busy, hang_timeout_s=1.0, progress_timeout_s=100), other):
        await trio.sleep(1)
        await shop.channel.put("keeps the looks going")
        await trio.sleep(3 * LOOK_S - before_look_s)
        await hasty.put("work")
        await trio.sleep(5)
        assert shop.crashes() == []
