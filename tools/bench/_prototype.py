"""The least that five isolated actors can do between a tick and an order: what the engine's own way is compared with.

Socket, cache, signal, risk and order are five trio tasks with a list of messages for each hop. A tick is a ticker frame
of the exchange; an average moves, a limit is compared, and an order frame goes out. There is no supervision, no
delivery that outlives a crash, no journal, one rule, and floats for money. The prober is the other end of the same
loopback connection, on the same loop, as the embedded exchange is for the engine; its own read is part of the time.
"""

import statistics
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec
import trio

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


async def five_actors(stream: trio.SocketStream) -> None:
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


async def one_in_flight(ticks: int, pause_s: float = 0.0) -> tuple[float, float]:
    """Median seconds from a tick to its order, one after the other with pauses between; by the wall, and of CPU."""
    took: list[tuple[float, float]] = []

    async def probe(stream: trio.SocketStream) -> None:
        for number in range(ticks + WARM_UP):
            await trio.sleep(pause_s)
            began, cpu_began = time.perf_counter(), time.thread_time()
            await stream.send_all(tick(number))
            await stream.receive_some()
            took.append((time.perf_counter() - began, time.thread_time() - cpu_began))

    await _with_five_actors(probe)
    wall, cpu = (statistics.median(times) for times in zip(*took[WARM_UP:], strict=True))
    return wall, cpu


async def at_rate(ticks: int, rate: int) -> float:
    """Median seconds from a tick to its order at `rate` ticks a second."""
    took: list[float] = []
    sent: deque[float] = deque()

    async def read(stream: trio.SocketStream) -> None:
        rest = b""
        while len(took) < ticks:
            orders, rest = cut(rest + await stream.receive_some())
            at = time.perf_counter()
            took.extend(at - sent.popleft() for _ in orders)

    async def probe(stream: trio.SocketStream) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, stream)
            size, due = max(1, int(rate * RATE_STEP_S)), trio.current_time()
            for first in range(0, ticks, size):
                numbers = range(first, min(first + size, ticks))
                sent.extend([time.perf_counter()] * len(numbers))
                await stream.send_all(b"".join(map(tick, numbers)))
                due += RATE_STEP_S
                await trio.sleep_until(due)

    await _with_five_actors(probe)
    return statistics.median(took)


async def _with_five_actors(probe: Callable[[trio.SocketStream], Any]) -> None:
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, five_actors, [listener])
        async with await trio.open_tcp_stream(*listener.socket.getsockname()[:2]) as stream:
            await probe(stream)
        nursery.cancel_scope.cancel()
