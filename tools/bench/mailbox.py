"""What a hop between actors costs, beside a plain trio memory channel: one table of microseconds and ratios.

    python -m tools.bench.mailbox [rounds]

CPU time, since a shared machine is never quiet (wall time from a crash to the next message); rounds are interleaved and
the median is shown.
"""

import statistics
import sys
import time
from collections.abc import Awaitable, Callable

import trio

from genesis.core.actor import Context
from genesis.core.backoff import IMMEDIATE
from genesis.core.chance import Chance
from genesis.core.clock import TrioClock
from genesis.core.mailbox import Channel, Inbox, Mailbox, Overflow
from genesis.core.supervisor import ChildSpec, Supervisor, SupervisorSpec
from genesis.core.term import Term
from tools.bench._figures import tell

MESSAGES = 20_000
ASKS = 3_000
CRASHES = 1_000


def _mailbox() -> tuple[Channel[int], Inbox]:
    channel = Channel[int]("bench", Overflow.UNBOUNDED)
    mailbox = Mailbox("bench", [channel])
    term = Term("bench", 1)
    mailbox.new_term(term)
    return channel, Inbox(mailbox, term)


async def plain_one() -> float:
    """One message a hop through a trio memory channel, await at both ends."""
    send, receive = trio.open_memory_channel[int](1024)
    back, answers = trio.open_memory_channel[int](1024)

    async def consume() -> None:
        async for number in receive:
            back.send_nowait(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        begin = time.thread_time()
        for number in range(ASKS):
            send.send_nowait(number)
            await answers.receive()
        took = time.thread_time() - begin
        send.close()
    return took / ASKS / 2


async def leased_one() -> float:
    """One message a hop through mailboxes: put_nowait, lease, ack, there and back."""
    out, out_inbox = _mailbox()
    back, back_inbox = _mailbox()

    async def consume() -> None:
        while True:
            for envelope in await out_inbox.lease():
                back.put_nowait(envelope.message)
                out_inbox.ack(envelope)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        begin = time.thread_time()
        for number in range(ASKS):
            out.put_nowait(number)
            back_inbox.ack_all(await back_inbox.lease())
        took = time.thread_time() - begin
        nursery.cancel_scope.cancel()
    return took / ASKS / 2


async def plain_awaited() -> float:
    """await send, await receive: what a memory channel costs as it is usually used."""
    send, receive = trio.open_memory_channel[int](1024)

    async def produce() -> None:
        async with send:
            for number in range(MESSAGES):
                await send.send(number)

    async with trio.open_nursery() as nursery:
        begin = time.thread_time()
        nursery.start_soon(produce)
        async for _ in receive:
            pass
    return (time.thread_time() - begin) / MESSAGES


async def leased_awaited() -> float:
    """await put, leased in whatever batches there are."""
    channel, inbox = _mailbox()

    async def produce() -> None:
        for number in range(MESSAGES):
            await channel.put(number)

    async with trio.open_nursery() as nursery:
        begin = time.thread_time()
        nursery.start_soon(produce)
        done = 0
        while done < MESSAGES:
            batch = await inbox.lease()
            done += len(batch)
            inbox.ack_all(batch)
    return (time.thread_time() - begin) / MESSAGES


async def plain_64() -> float:
    """64 at a time: send_nowait, then one receive and receive_nowait until empty."""
    send, receive = trio.open_memory_channel[int](1024)
    begin = time.thread_time()
    for _ in range(MESSAGES // 64):
        for number in range(64):
            send.send_nowait(number)
        await receive.receive()
        for _ in range(63):
            receive.receive_nowait()
    return (time.thread_time() - begin) / (MESSAGES // 64 * 64)


async def leased_64() -> float:
    """64 at a time: put_nowait, one lease, each message touched, one ack_all."""
    channel, inbox = _mailbox()
    begin = time.thread_time()
    for _ in range(MESSAGES // 64):
        for number in range(64):
            channel.put_nowait(number)
        batch = await inbox.lease()
        for envelope in batch:
            assert envelope.message >= 0
        inbox.ack_all(batch)
    return (time.thread_time() - begin) / (MESSAGES // 64 * 64)


async def plain_ask() -> float:
    """Question and answer with a memory channel made for each answer."""
    send, receive = trio.open_memory_channel[tuple[int, trio.MemorySendChannel[int]]](1024)

    async def consume() -> None:
        async for number, reply in receive:
            reply.send_nowait(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        begin = time.thread_time()
        for number in range(ASKS):
            reply, answer = trio.open_memory_channel[int](1)
            await send.send((number, reply))
            await answer.receive()
        took = time.thread_time() - begin
        send.close()
    return took / ASKS


async def leased_ask() -> float:
    """`ask` and `reply`."""
    channel, inbox = _mailbox()

    async def consume() -> None:
        while True:
            batch = await inbox.lease()
            for envelope in batch:
                envelope.reply(envelope.message)
            inbox.ack_all(batch)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        begin = time.thread_time()
        for number in range(ASKS):
            await channel.ask(number)
        took = time.thread_time() - begin
        nursery.cancel_scope.cancel()
    return took / ASKS


async def crash_to_next() -> list[float]:
    """Seconds from a crash to the next generation handling the next message, with no back-off."""
    channel = Channel[int]("bench", Overflow.UNBOUNDED)
    took: list[float] = []
    crashed_at = 0.0
    over = trio.Event()

    class Crasher:
        async def run(self, ctx: Context) -> None:
            nonlocal crashed_at
            ctx.ready()
            while True:
                for envelope in await ctx.inbox.lease(limit=1):
                    if crashed_at:
                        took.append(time.perf_counter() - crashed_at)
                    ctx.inbox.ack(envelope)
                    if envelope.message == CRASHES:
                        over.set()
                        return
                    crashed_at = time.perf_counter()
                    raise RuntimeError("bench")

    child = ChildSpec(id="crasher", start=Crasher, mailbox=Mailbox("bench", [channel]), backoff=IMMEDIATE)
    spec = SupervisorSpec(id="bench", children=(child,), intensity=CRASHES + 1, max_consecutive=CRASHES + 1)
    for number in range(CRASHES + 1):
        channel.put_nowait(number)
    supervisor = Supervisor(spec, clock=TrioClock(), chance=Chance(1).port("bench"), on_event=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        await over.wait()
        await supervisor.stop()
    return took


PAIRS: list[tuple[str, Callable[[], Awaitable[float]], Callable[[], Awaitable[float]]]] = [
    ("one at a time, there and back, a hop", plain_one, leased_one),
    ("await send / await put, a message", plain_awaited, leased_awaited),
    ("64 in a batch, a message", plain_64, leased_64),
    ("ask and reply", plain_ask, leased_ask),
]


async def main(rounds: int) -> None:
    for name, plain, leased in PAIRS:
        plains, leaseds = [], []
        for _ in range(rounds):
            plains.append(await plain())
            leaseds.append(await leased())
        a, b = statistics.median(plains) * 1e6, statistics.median(leaseds) * 1e6
        tell(f"mailbox, {name}", b, "us CPU", beside=a, beside_name="memory channel")
    took: list[float] = []
    for _ in range(rounds):
        took += await crash_to_next()
    took.sort()
    for part in (50, 99):
        tell(f"crash to next message handled, p{part}", took[len(took) * part // 100] * 1e6, "us")


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 5)
