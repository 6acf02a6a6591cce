"""The least that five isolated actors can do between a tick and an order: what the engine's own way is compared with.

Socket, cache, signal, risk and order are five trio tasks with a list of messages for each hop. A tick is a ticker frame
of the exchange; an average moves, a limit is compared, and an order frame goes out. There is no supervision, no
delivery that outlives a crash, no journal, one rule, and floats for money. The prober is the other end of the same
loopback connection, as the exchange is for the engine: in a process of its own, or on the same loop. It has the
exchange's stream and clock, and its own read is part of the time.
"""

import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import msgspec
import trio

from genesis.core.rest import LoopClock
from genesis.edge.tcp_stream import straight
from tools.bench._moments import Marks, Moment, NearTap, Span, Tap, Watch, now

WARM_UP: Final = 50
RATE_STEP_S: Final = 0.002
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


class Hop:
    """A list of messages from one actor to the next."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.task: trio.lowlevel.Task | None = None

    def put(self, messages: list[Any]) -> None:
        self.waiting += messages
        if self.task is not None:
            trio.lowlevel.reschedule(self.task)
            self.task = None

    async def take(self) -> list[Any]:
        if not self.waiting:
            self.task = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.SUCCEEDED)
        taken, self.waiting = self.waiting, []
        return taken


def framed(payload: bytes) -> bytes:
    """A short text frame."""
    return bytes((0x81, len(payload))) + payload


def cut(buffer: bytes) -> tuple[list[bytes], bytes]:
    """The payloads of the whole frames in a buffer, and what is left of it."""
    found, at = [], 0
    while len(buffer) - at >= 2 and len(buffer) - at >= 2 + buffer[at + 1]:
        end = at + 2 + buffer[at + 1]
        found.append(buffer[at + 2 : end])
        at = end
    return found, buffer[at:]


def tick(number: int) -> bytes:
    return framed(b"[11,[8000,53.5,8001,18.25,-3.5,-0.0167,%.1f,83021.5,8216.4,7907.9]]" % (8000 + number % 25 / 10))


async def five_actors(stream: trio.abc.Stream) -> None:
    to_cache, to_signal, to_risk, to_order = Hop(), Hop(), Hop(), Hop()
    newest: dict[int, Any] = {}
    average = 8000.0
    exposure = 0.0

    def cached(row: Any) -> Any:
        newest[row[0]] = row[1]
        return row[1]

    def scored(ticker: Any) -> tuple[float, float]:
        nonlocal average
        average += (ticker[6] - average) * 0.1
        return ticker[6], ticker[6] - average

    def judged(score: tuple[float, float]) -> tuple[float, float]:
        nonlocal exposure
        exposure = min(exposure + 0.001, 1.0)
        return score[0], 0.01 if exposure <= 1.0 else 0.0

    async def actor(take: Hop, work: Callable[[Any], Any], give: Hop) -> None:
        while True:
            give.put([work(message) for message in await take.take()])

    async def send() -> None:
        number = 0
        while True:
            frames = []
            for price, amount in await to_order.take():
                number += 1
                order = {"cid": number, "type": "MARKET", "symbol": "tBTCUSD", "amount": amount, "price": price}
                frames.append(framed(_encode([0, "on", None, order])))
            await stream.send_all(b"".join(frames))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor, to_cache, cached, to_signal)
        nursery.start_soon(actor, to_signal, scored, to_risk)
        nursery.start_soon(actor, to_risk, judged, to_order)
        nursery.start_soon(send)
        rest = b""
        while data := await stream.receive_some():
            payloads, rest = cut(rest + data)
            to_cache.put([_decode(payload) for payload in payloads])
        nursery.cancel_scope.cancel()


Probe = Callable[[trio.abc.Stream, Watch], Awaitable[list[Span]]]


async def in_turn(stream: trio.abc.Stream, watch: Watch, *, ticks: int, pause_s: float) -> list[Span]:
    """From each tick to its order, one after the other with pauses between."""
    spans: list[Span] = []
    for number in range(ticks + WARM_UP):
        await trio.sleep(pause_s)
        watch.expect()
        await stream.send_all(tick(number))
        await stream.receive_some()
        span = watch.answered()
        assert span is not None
        spans.append(span)
    return spans[WARM_UP:]


async def open_loop(stream: trio.abc.Stream, watch: Watch, *, ticks: int, rate: int) -> list[Span]:
    """The same at `rate` ticks a second, whether they are answered or not: `RATE_STEP_S` of them a write."""
    spans: list[Span] = []
    sent: deque[Moment] = deque()

    async def read() -> None:
        rest = b""
        while len(spans) < ticks:
            orders, rest = cut(rest + await stream.receive_some())
            spans.extend(Span(sent.popleft(), watch.read) for _ in orders)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        size, due = burst(rate), trio.current_time()
        for first in range(0, ticks, size):
            numbers = range(first, min(first + size, ticks))
            sent.extend([now()] * len(numbers))
            await stream.send_all(b"".join(map(tick, numbers)))
            due += RATE_STEP_S
            await trio.sleep_until(due)
    return spans


def burst(rate: int) -> int:
    """Ticks in one write."""
    return max(1, int(rate * RATE_STEP_S))


async def one_loop(probe: Probe) -> list[Span]:
    """Five actors and their prober on one loop."""
    async with _five_actors(None) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        watch = Watch()
        return await probe(Tap(stream, watch), watch)


async def two_processes(*words: float) -> tuple[list[Span], list[Span]]:
    """Five actors here and their prober in a process of its own, which `main` tells the words: the prober's spans, and
    of each the part that is the actors' own."""
    marks = Marks()
    async with _five_actors(marks) as port:
        command = [sys.executable, "-m", "tools.bench._prototype", str(port), *map(str, words)]
        told = await trio.run_process(command, capture_stdout=True)
    spans = msgspec.json.decode(told.stdout, type=list[Span])
    return spans, marks.within(spans)


@asynccontextmanager
async def _five_actors(marks: Marks | None) -> AsyncIterator[int]:
    """Serves them on a port."""

    async def serve(stream: trio.SocketStream) -> None:
        await five_actors(stream if marks is None else NearTap(stream, marks))

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, serve, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def _probe(port: int, probe: Probe) -> list[Span]:
    watch = Watch()
    async with Tap(straight(await trio.open_tcp_stream("127.0.0.1", port)), watch) as stream:
        return await probe(stream, watch)


def main() -> None:
    """The other process: `PORT TICKS PAUSE_S` or `PORT TICKS 0 RATE`."""
    port, ticks, pause_s, *rate = sys.argv[1:]
    probe: Probe = partial(in_turn, ticks=int(ticks), pause_s=float(pause_s))
    if rate:
        probe = partial(open_loop, ticks=int(ticks), rate=int(rate[0]))
    sys.stdout.buffer.write(msgspec.json.encode(trio.run(_probe, int(port), probe, clock=LoopClock())))


if __name__ == "__main__":
    main()
