"""The progress watchdog, drains, and what a supervisor does to mailboxes: real actors, virtual time."""

import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis.core.actor import Context
from genesis.core.backoff import IMMEDIATE
from genesis.core.clock import TrioClock
from genesis.core.errors import ChannelClosed, DeadLettered, Escalated, Stuck
from genesis.core.mailbox import Channel, DeadLetter, Mailbox, Overflow
from genesis.core.supervisor import (
    ChildSpec,
    EventKind,
    Restart,
    Strategy,
    Supervisor,
    SupervisorEvent,
    SupervisorSpec,
)

Body = Callable[[Context], Awaitable[None]]


class Acts:
    def __init__(self, body: Body) -> None:
        self.body = body

    async def run(self, ctx: Context) -> None:
        ctx.ready()
        await self.body(ctx)


class Shop:
    """One supervisor, and a channel `c` into the actor `a` whose body the test gives."""

    def __init__(self) -> None:
        self.channel = Channel[object]("c", Overflow.BLOCK, capacity=8)
        self.events: list[SupervisorEvent] = []
        self.letters: list[DeadLetter] = []

    def child(self, body: Body, **spec: Any) -> ChildSpec:
        mailbox = spec.pop("mailbox", None) or Mailbox("a", [self.channel], alarm=self.letters.append)
        return ChildSpec(**{"id": "a", "start": lambda: Acts(body), "mailbox": mailbox, "backoff": IMMEDIATE, **spec})

    @asynccontextmanager
    async def open(self, *children: ChildSpec | SupervisorSpec, **spec: Any) -> AsyncIterator[Supervisor]:
        whole = SupervisorSpec(**{"id": "top", "intensity": 99, "children": children, **spec})
        supervisor = Supervisor(whole, clock=TrioClock(), chance=random.Random(1), on_event=self.events.append)
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            yield supervisor
            await supervisor.stop()
        self.channel.check_books()

    def crashes(self) -> list[tuple[float, type[BaseException]]]:
        return [(e.at_s, type(e.error)) for e in self.events if e.kind is EventKind.CRASHED and e.error]


async def hang(ctx: Context) -> None:
    await ctx.inbox.lease()
    await trio.sleep_forever()


async def spin(ctx: Context) -> None:
    await ctx.inbox.lease()
    for turn in itertools.count():
        await trio.sleep(0.05 + turn % 2)


async def deaf(ctx: Context) -> None:
    await trio.sleep_forever()


async def idle_leases(ctx: Context) -> None:
    """Takes the message, then keeps asking for more without ever being done with it."""
    while True:
        await ctx.inbox.lease(until=ctx.clock.now() + 0.1)


@pytest.mark.parametrize("body", [hang, spin, deaf, idle_leases])
async def test_work_without_progress_is_a_crash_within_a_quarter_past_its_time(
    body: Body, autojump_clock: MockClock
) -> None:
    """A heartbeat task would see nothing wrong with any of these."""
    shop = Shop()
    async with shop.open(shop.child(body, progress_timeout_s=8)):
        await trio.sleep(3)
        await shop.channel.put("work")
        await trio.sleep(7.9)
        assert shop.crashes() == []
        await trio.sleep(4.2)
        ((at, kind),) = shop.crashes()
        assert kind is Stuck
        assert 11 <= at <= 15


async def test_who_sleeps_beside_a_question_whose_asker_does_other_things_is_woken_not_condemned(
    autojump_clock: MockClock,
) -> None:
    """A question is lodged without waking its consumer, and its asker may have to wait before it looks for the answer:
    for room at an actor that is busy, say."""
    shop = Shop()
    heard_at: list[float] = []

    async def hears(ctx: Context) -> None:
        while True:
            for envelope in await ctx.inbox.lease():
                heard_at.append(ctx.clock.now())
                ctx.inbox.ack(envelope)

    async def lodges(ctx: Context) -> None:
        await trio.sleep(1)
        await ctx.outlet(shop.channel).lodge("please")
        await trio.sleep_forever()

    asker = shop.child(lodges, id="asker", mailbox=Mailbox("asker", ()))
    async with shop.open(shop.child(hears, progress_timeout_s=8), asker):
        await trio.sleep(60)
        assert shop.crashes() == []
        assert len(heard_at) == 1
        assert heard_at[0] <= 3.5


async def test_who_waits_for_an_answer_is_not_stuck_however_much_waits_for_it(autojump_clock: MockClock) -> None:
    """The journal may take long over a commit; that is its own lack of progress, and it is watched itself."""
    slow = Channel[object]("slow", Overflow.BLOCK)
    waiting: list[int] = []

    async def asks(ctx: Context) -> None:
        batch = await ctx.inbox.lease()
        await ctx.outlet(slow).ask("please")
        ctx.inbox.ack_all(batch)
        await hang(ctx)

    async def answers(ctx: Context) -> None:
        for envelope in await ctx.inbox.lease():
            await trio.sleep(60)
            envelope.reply("done")
            ctx.inbox.ack(envelope)
            waiting.append(shop.channel.depth)
        await trio.sleep_forever()

    shop = Shop()
    desk = ChildSpec(id="desk", start=lambda: Acts(answers), mailbox=Mailbox("desk", [slow]), progress_timeout_s=None)
    async with shop.open(desk, shop.child(asks, progress_timeout_s=8)):
        await shop.channel.put("work")
        await trio.sleep(1)
        await shop.channel.put("more work")
        await trio.sleep(60)
        assert shop.crashes() == []
        assert waiting == [1]
        # The answer is there: from now on the time is its own again.
        await trio.sleep(13)
        assert [kind for _, kind in shop.crashes()] == [Stuck]


async def test_nothing_to_do_is_not_stuck(autojump_clock: MockClock) -> None:
    shop = Shop()
    async with shop.open(shop.child(deaf, progress_timeout_s=1)):
        await trio.sleep(100)
        assert shop.crashes() == []


async def test_unwatched_may_take_for_ever(autojump_clock: MockClock) -> None:
    shop = Shop()
    async with shop.open(shop.child(hang, progress_timeout_s=None)):
        await shop.channel.put("work")
        await trio.sleep(1000)
        assert shop.crashes() == []


async def test_long_work_that_says_so_is_left_alone(autojump_clock: MockClock) -> None:
    async def diligent(ctx: Context) -> None:
        for envelope in await ctx.inbox.lease():
            for _ in range(30):
                await trio.sleep(0.9)
                ctx.progress()
            ctx.inbox.ack(envelope)
        await trio.sleep_forever()

    shop = Shop()
    async with shop.open(shop.child(diligent, progress_timeout_s=1)) as supervisor:
        await shop.channel.put("work")
        await trio.sleep(60)
        assert shop.crashes() == []
        assert supervisor.idle()


async def test_a_sender_that_waits_for_room_is_not_to_blame(autojump_clock: MockClock) -> None:
    full = Channel[int]("full", Overflow.BLOCK, capacity=1)
    full.put_nowait(0)

    async def sender(ctx: Context) -> None:
        for envelope in await ctx.inbox.lease():
            await ctx.outlet(full).put(1)
            ctx.inbox.ack(envelope)
        await trio.sleep_forever()

    shop = Shop()
    async with shop.open(shop.child(sender, progress_timeout_s=1)) as supervisor:
        await shop.channel.put("work")
        await trio.sleep(50)
        assert shop.crashes() == []
        assert not supervisor.idle()
        full.take(1)
        await trio.sleep(1)
        assert supervisor.idle()


async def test_a_message_that_hangs_its_actor_is_put_aside_like_one_that_crashes_it(
    autojump_clock: MockClock,
) -> None:
    done: list[object] = []

    async def hangs_on_poison(ctx: Context) -> None:
        while True:
            for envelope in await ctx.inbox.lease():
                if envelope.message == "poison":
                    await trio.sleep_forever()
                done.append(envelope.message)
                ctx.inbox.ack(envelope)

    shop = Shop()
    async with shop.open(shop.child(hangs_on_poison, progress_timeout_s=2)) as supervisor:
        for message in ("a", "poison", "b"):
            await shop.channel.put(message)
        await trio.sleep(30)
        assert done == ["a", "b"]
        assert [kind for _, kind in shop.crashes()] == [Stuck] * 3
        assert [letter.message for letter in shop.letters] == ["poison"]
        assert list(supervisor.dead_letters) == shop.letters
        assert EventKind.DEAD_LETTER in [event.kind for event in shop.events]
        assert supervisor.idle()


async def test_a_message_that_hangs_the_start_counts_too(autojump_clock: MockClock) -> None:
    class Late:
        async def run(self, ctx: Context) -> None:
            for envelope in await ctx.inbox.lease(until=ctx.clock.now()):
                if envelope.attempts < 2:
                    await trio.sleep_forever()
                ctx.inbox.ack(envelope)
            ctx.ready()
            await trio.sleep_forever()

    shop = Shop()
    mailbox = Mailbox("a", [shop.channel])
    spec = ChildSpec(id="a", start=Late, mailbox=mailbox, start_timeout_s=5, backoff=IMMEDIATE)
    async with shop.open(spec) as supervisor:
        shop.channel.put_nowait("slow")
        assert supervisor.kill("a", reason="drill")
        await trio.sleep(20)
        assert supervisor.idle()
        assert shop.channel.acked == 1


async def test_a_kill_never_costs_the_message_an_attempt(autojump_clock: MockClock) -> None:
    seen: list[int] = []

    async def slow(ctx: Context) -> None:
        while True:
            for envelope in await ctx.inbox.lease():
                seen.append(envelope.attempts)
                await trio.sleep(1)
                ctx.inbox.ack(envelope)

    shop = Shop()
    async with shop.open(shop.child(slow)) as supervisor:
        await shop.channel.put("work")
        for _ in range(10):
            await trio.sleep(0.5)
            assert supervisor.kill("a", reason="drill")
        await trio.sleep(2)
        assert seen == [0] * 11
        assert shop.letters == []
        assert shop.channel.acked == 1


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_a_siblings_crash_never_costs_the_message_an_attempt(
    strategy: Strategy, autojump_clock: MockClock
) -> None:
    seen: list[int] = []

    async def slow(ctx: Context) -> None:
        for envelope in await ctx.inbox.lease():
            seen.append(envelope.attempts)
            await trio.sleep(100)
            ctx.inbox.ack(envelope)

    async def nervous(ctx: Context) -> None:
        await trio.sleep(7)
        raise RuntimeError("nerves")

    shop = Shop()
    first = ChildSpec(id="nervous", start=lambda: Acts(nervous), backoff=IMMEDIATE)
    async with shop.open(first, shop.child(slow, progress_timeout_s=None), strategy=strategy):
        await shop.channel.put("work")
        await trio.sleep(60)
        assert len(seen) > 5
        assert set(seen) == {0}


async def test_an_alarm_that_raises_is_counted_and_the_letter_is_kept(autojump_clock: MockClock) -> None:
    def broken(_: DeadLetter) -> None:
        raise OSError("no bell")

    async def dies(ctx: Context) -> None:
        await ctx.inbox.lease()
        raise RuntimeError("dies")

    shop = Shop()
    mailbox = Mailbox("a", [shop.channel], max_attempts=1, alarm=broken)
    async with shop.open(shop.child(dies, mailbox=mailbox)) as supervisor:
        with pytest.raises(DeadLettered, match="RuntimeError: dies"):
            await shop.channel.ask("q")
        assert len(supervisor.dead_letters) == 1
        assert supervisor.listener_errors == 1


# --- drains ---------------------------------------------------------------------------------------------------------


async def test_a_stop_lets_the_batch_in_hand_end_and_begins_no_other(autojump_clock: MockClock) -> None:
    done: list[object] = []

    async def worker(ctx: Context) -> None:
        while True:
            for envelope in await ctx.inbox.lease(limit=2):
                await trio.sleep(1)
                done.append(envelope.message)
                ctx.inbox.ack(envelope)

    shop = Shop()
    async with shop.open(shop.child(worker, shutdown_s=10)) as supervisor:
        for number in range(6):
            shop.channel.put_nowait(number)
        await trio.sleep(0.5)
        await supervisor.stop()
        assert trio.current_time() == 2
        assert done == [0, 1]
    assert (shop.channel.acked, shop.channel.depth) == (2, 4)


async def test_a_batch_that_does_not_end_is_cut_at_half_the_deadline_and_comes_back(
    autojump_clock: MockClock,
) -> None:
    shop = Shop()
    async with shop.open(shop.child(hang, shutdown_s=10)) as supervisor:
        await shop.channel.put("work")
        await trio.sleep(1)
        await supervisor.stop()
        assert trio.current_time() == 6
        assert supervisor.zombies == ()
    assert (shop.channel.leased, shop.channel.depth, shop.channel.redelivered) == (0, 1, 1)


async def test_an_idle_actor_is_stopped_at_once(autojump_clock: MockClock) -> None:
    async def worker(ctx: Context) -> None:
        while True:
            ctx.inbox.ack_all(await ctx.inbox.lease())

    shop = Shop()
    async with shop.open(shop.child(worker, shutdown_s=10)) as supervisor:
        await shop.channel.put("work")
        await trio.sleep(1)
        await supervisor.stop()
        assert trio.current_time() == 1


async def test_who_hears_no_channel_and_leases_after_being_told_to_stop_does_not_wait(
    autojump_clock: MockClock,
) -> None:
    async def looks(ctx: Context) -> None:
        stopping = ctx.stopping
        await trio.sleep(2)
        assert stopping.is_set()
        assert await ctx.inbox.lease() == []

    shop = Shop()
    async with shop.open(shop.child(looks, mailbox=Mailbox("looks", ()), shutdown_s=10)) as supervisor:
        await trio.sleep(1)
        await supervisor.stop()
        assert trio.current_time() == 2


async def test_a_listener_may_empty_its_queue_on_the_way_out(autojump_clock: MockClock) -> None:
    done: list[object] = []

    async def thorough(ctx: Context) -> None:
        stopping = ctx.stopping
        while True:
            batch = await ctx.inbox.lease(limit=2)
            if not batch and stopping.is_set():
                return
            for envelope in batch:
                await trio.sleep(1)
                done.append(envelope.message)
                ctx.inbox.ack(envelope)

    shop = Shop()
    async with shop.open(shop.child(thorough, shutdown_s=20)) as supervisor:
        for number in range(5):
            await shop.channel.put(number)
        await trio.sleep(0.5)
        await supervisor.stop()
        assert done == [0, 1, 2, 3, 4]
        assert trio.current_time() == 5
    assert shop.events[-1].kind is EventKind.STOPPED


async def test_a_listener_that_waits_for_messages_hears_the_stop(autojump_clock: MockClock) -> None:
    leases: list[int] = []

    async def polite(ctx: Context) -> None:
        stopping = ctx.stopping
        while not stopping.is_set():
            leases.append(len(await ctx.inbox.lease()))

    shop = Shop()
    async with shop.open(shop.child(polite, shutdown_s=20)) as supervisor:
        await trio.sleep(1)
        await supervisor.stop()
        assert trio.current_time() == 1
        assert leases == [0]


# --- mailboxes over restarts and ends -------------------------------------------------------------------------------


async def test_mailboxes_live_through_the_restart_of_their_supervisor(autojump_clock: MockClock) -> None:
    done: list[object] = []

    async def fragile(ctx: Context) -> None:
        while True:
            for envelope in await ctx.inbox.lease():
                if envelope.attempts < 2 and envelope.message == 1:
                    raise RuntimeError("not yet")
                done.append(envelope.message)
                ctx.inbox.ack(envelope)

    shop = Shop()
    branch = SupervisorSpec(id="in", intensity=0, children=(shop.child(fragile),), backoff=IMMEDIATE)
    async with shop.open(branch):
        for number in range(3):
            await shop.channel.put(number)
        await trio.sleep(1)
        assert done == [0, 1, 2]
        assert shop.letters == []


async def test_the_end_of_the_tree_closes_its_channels(autojump_clock: MockClock) -> None:
    shop = Shop()
    told: list[str] = []

    async def ask() -> None:
        try:
            await shop.channel.ask("q")
        except ChannelClosed:
            told.append("closed")

    async with trio.open_nursery() as nursery:
        async with shop.open(shop.child(hang, progress_timeout_s=None)):
            nursery.start_soon(ask)
            await trio.sleep(1)
    assert told == ["closed"]
    assert shop.channel.closed


async def test_the_end_of_a_temporary_child_closes_its_channels_and_no_others(autojump_clock: MockClock) -> None:
    async def brief(ctx: Context) -> None:
        await ctx.inbox.lease()

    shop = Shop()
    async with shop.open(shop.child(brief, restart=Restart.TEMPORARY)):
        with pytest.raises(ChannelClosed):
            await shop.channel.ask("q")


async def test_a_restart_does_not_close_channels(autojump_clock: MockClock) -> None:
    async def answers_second_time(ctx: Context) -> None:
        for envelope in await ctx.inbox.lease():
            if not envelope.attempts:
                raise RuntimeError("first time")
            envelope.reply("here")
            ctx.inbox.ack(envelope)
        await trio.sleep_forever()

    shop = Shop()
    async with shop.open(shop.child(answers_second_time)):
        assert await shop.channel.ask("q") == "here"
        assert not shop.channel.closed


async def test_when_the_root_gives_up_askers_are_told(autojump_clock: MockClock) -> None:
    async def dies(ctx: Context) -> None:
        await ctx.inbox.lease()
        raise RuntimeError("dies")

    shop = Shop()
    spec = SupervisorSpec(id="top", intensity=0, children=(shop.child(dies),))
    supervisor = Supervisor(spec, clock=TrioClock(), chance=random.Random(1), on_event=shop.events.append)
    told: list[str] = []

    async def ask() -> None:
        try:
            await shop.channel.ask("q")
        except ChannelClosed:
            told.append("closed")

    with pytest.RaisesGroup(Escalated):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            nursery.start_soon(ask)
            await trio.sleep_forever()
    assert told == ["closed"]


async def test_each_generation_has_numbers_of_its_own_and_the_seed_decides_them(autojump_clock: MockClock) -> None:
    async def numbers_of(seed: int) -> list[float]:
        drawn: list[float] = []

        async def draws(ctx: Context) -> None:
            drawn.append(ctx.chance.random())
            assert ctx.chance is ctx.chance
            if len(drawn) < 4:
                raise RuntimeError("again")
            await trio.sleep_forever()

        spec = SupervisorSpec(
            id="top", intensity=9, children=(ChildSpec(id="a", start=lambda: Acts(draws), backoff=IMMEDIATE),)
        )
        supervisor = Supervisor(spec, clock=TrioClock(), chance=random.Random(seed), on_event=lambda _: None)
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(1)
            await supervisor.stop()
        return drawn

    first, again, other = await numbers_of(1), await numbers_of(1), await numbers_of(2)
    assert first == again
    assert len({*first, *other}) == 8


async def test_a_loop_that_stood_still_is_nobodys_lack_of_progress(autojump_clock: MockClock) -> None:
    """A stopped process, a machine that slept or had no processor for us: whoever had work could do none of it."""

    async def body(ctx: Context) -> None:
        while True:
            batch = await ctx.inbox.lease()
            await trio.sleep(3.0)
            # In the same step as somebody else's long computation.
            autojump_clock.jump(60.0)
            await trio.sleep(3.0)
            ctx.inbox.ack_all(batch)

    shop = Shop()
    async with shop.open(shop.child(body, progress_timeout_s=8)):
        for _ in range(20):
            await shop.channel.put("work")
            await trio.sleep(80)
        assert shop.crashes() == []


async def test_who_is_stuck_is_found_though_the_loop_stands_still_now_and_then(autojump_clock: MockClock) -> None:
    """What a look is late is forgiven to all, but for a part: else a loop that stumbles for ever would hide it."""

    async def stumbles() -> None:
        while True:
            await trio.sleep(1.0)
            autojump_clock.jump(5.0)

    shop = Shop()
    async with shop.open(shop.child(hang, progress_timeout_s=8)), trio.open_nursery() as nursery:
        nursery.start_soon(stumbles)
        await shop.channel.put("work")
        await trio.sleep(80)
        nursery.cancel_scope.cancel()
        assert [kind for _, kind in shop.crashes()][:1] == [Stuck]


async def test_who_is_ending_when_the_loop_stands_still_is_no_zombie(autojump_clock: MockClock) -> None:
    """Its time ran out while it could do nothing: it is looked at once more before its branch gives up for it."""

    async def ends_slowly(ctx: Context) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1.0)
                autojump_clock.jump(60.0)
                await trio.sleep(0.5)

    shop = Shop()
    async with shop.open(shop.child(ends_slowly)) as supervisor:
        for _ in range(3):
            assert supervisor.kill("top/a", reason="the test says so")
            await trio.sleep(100)
        assert len(shop.crashes()) == 3
        assert not [event for event in shop.events if event.kind is EventKind.ZOMBIE]
