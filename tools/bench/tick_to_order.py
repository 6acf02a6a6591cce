"""From the exchange's frame that closes a candle to the order's frame at the exchange, through the whole engine.

    python -m tools.bench.tick_to_order [rounds]

A whole engine trades some hours of a recording over real sockets against the embedded exchange, one decision in flight.
The time runs from the exchange handing the bytes that close a candle to its socket until it has read the bytes of the
order: the engine's ends of both sockets, cache, signal, risk with all rules, order, and the durable intent share one
loop and one core with the exchange. Then the same with a journal that answers and keeps nothing: all that durability
costs is left out, not the disk's part alone. That stands beside five actors that do the least there is between a tick
and an order (`_prototype.py`), in the same round, with the same pauses between two ticks and the same two moments; an
engine that was idle finds its code and data no longer near the core, and so do they. The wall's time is told, and CPU
time, which a busy machine does not stretch. Then both again beside a feed of another symbol, from a process of its own,
whose messages go through the engine's socket layer and market cache: at 10,000 and at 20,000 messages a second.
"""

import contextlib
import math
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio
from typing_extensions import override

from genesis.core.chance import Chance
from genesis.core.clock import TrioClock
from genesis.core.rest import LoopClock
from genesis.domain.settings_build import Layer
from genesis.edge.collector import Collector
from genesis.edge.store_thread import StoreThread
from genesis.engine import Engine
from genesis.running import GIL_TURN_S
from genesis.simulator.exchange import Exchange
from genesis.simulator.replay_driver import NoPacer
from genesis.simulator.session import Session
from genesis.simulator.settings import ExchangeSettings
from protocols.bitfinex.inputs import Calculate, Input
from protocols.journal import Commit, Committed
from protocols.units import Symbol
from tests.house import house, lively_layer, piece_of
from tools.bench import _prototype
from tools.bench._figures import is_quick, tell
from tools.bench.feed import feeding, server

MINUTES: Final = 300
QUICK_MINUTES: Final = 90
PARTS: Final = (0, 720, 1440)
"""First minutes of what is traded, one part after the other in the rounds."""
PAUSE_S: Final = 0.015
"""Between two steps of the market: an idle engine has long done with the one before."""
TICKS: Final = 2_000
PAUSED_TICKS: Final = 200
ECHOES: Final = 500
TRADED: Final = Symbol("tBTCUSD")
OTHER: Final = Symbol("tLTCUSD")
SLOW_RATE: Final = 10_000
RATE: Final = 20_000
FEED_S: Final = 180
"""Longer than the trading beside it."""
DAY_MS: Final = 86_400_000
"""So much older are the feed's stamps: it must not move the venue's time, by which signals are judged."""


class Pause(NoPacer):
    """Gives the engine time, without looking at it: looking would be work on the same loop."""

    @override
    async def settled(self) -> None:
        await trio.sleep(PAUSE_S)


Moment = tuple[float, float]
"""By the wall, and of CPU."""


def now() -> Moment:
    return time.perf_counter(), time.thread_time()


class Tap(trio.abc.Stream):
    """A client's stream, which notes when its exchange wrote and read."""

    def __init__(self, inner: trio.abc.Stream, exchange: "TimedExchange") -> None:
        self.inner = inner
        self.exchange = exchange

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self.exchange.awaited and self.exchange.wrote is None:
            self.exchange.wrote = now()
        await self.inner.send_all(data)

    @override
    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self.inner.receive_some(max_bytes)
        self.exchange.read = now()
        return data

    @override
    async def aclose(self) -> None:
        await self.inner.aclose()


class TimedExchange(Exchange):
    """Notes the time from the bytes of a boundary of `TRADED` to those of the first request: an entry's order, or the
    cancel of a stop that an exit takes out of its own way. A boundary that fills something by itself is not counted."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.took_s: list[float] = []
        self.cpu_s: list[float] = []
        self.awaited = False
        self.wrote: Moment | None = None
        self.read: Moment = (0.0, 0.0)

    @override
    async def _converse(self, stream: trio.abc.Stream, peer: str) -> None:
        await super()._converse(Tap(stream, self), peer)

    def boundary(self, symbol: Symbol, time_ms: int) -> bool:
        changed = super().boundary(symbol, time_ms)
        if symbol == TRADED:
            self.awaited, self.wrote = not changed, None
        return changed

    def tick(self, *arguments: Any, **options: Any) -> bool:
        self.awaited = False
        return super().tick(*arguments, **options)

    def operate(self, session: Session, request: Input) -> None:
        # What is asked for its number alone comes by the clock, and is no decision.
        if self.awaited and self.wrote is not None and not isinstance(request, Calculate):
            self.awaited = False
            self.took_s.append(self.read[0] - self.wrote[0])
            self.cpu_s.append(self.read[1] - self.wrote[1])
        super().operate(session, request)


class ForgetfulStore(StoreThread):
    """Says that it has kept what it has not: for the time of a decision without its durability."""

    @override
    async def commit(self, commits: Sequence[Commit], *, at_ms: int) -> list[Committed]:
        await trio.lowlevel.checkpoint()
        return [Committed(first_seq=1, new=(True,) * len(commit.records)) for commit in commits]


def one_pair() -> Layer:
    """The test's lively strategies, of the one pair whose boundaries are timed."""
    layer = lively_layer()
    mine: Any = layer.values["strategies"]
    strategies = [each for each in mine if each["symbol"] == TRADED]
    return Layer(name="bench", values={**layer.values, "strategies": strategies})


@contextlib.asynccontextmanager
async def _beside(engine: Engine, rate: int, start_ms: int) -> AsyncIterator[None]:
    """A feed of another symbol into the engine's market cache, through a socket of its own."""
    if not rate:
        yield
        return
    with server(rate * FEED_S, rate, start_ms) as port:
        async with feeding(port, OTHER, engine.channels.prices, engine.channels.market_events) as stats:
            while not stats.frames_in:  # noqa: ASYNC110 - a count has no event
                await trio.sleep(0.05)
            yield


async def decisions(directory: Path, part: int, *, minutes: int, inline: bool, rate: int = 0) -> list[float]:
    """Seconds of each decision; `inline` is without durability."""
    return (await _traded(directory, part, minutes=minutes, inline=inline, rate=rate)).took_s


async def _traded(directory: Path, part: int, *, minutes: int, inline: bool, rate: int) -> TimedExchange:
    recording = piece_of(minutes=minutes, skip=part)
    exchange = TimedExchange(ExchangeSettings(), recording, TrioClock(), Chance(part).port("venue"))
    collector = Collector()
    async with trio.open_nursery() as nursery:
        await nursery.start(exchange.serve)
        async with house(
            directory,
            recording=recording,
            layer=one_pair(),
            seed=part,
            exchange=exchange,
            journal=ForgetfulStore if inline else StoreThread,
        ) as here:
            await here.ready()
            # As a process that runs one engine has it.
            collector.begin()
            collector.settle()
            async with _beside(here.engine, rate, recording.first_ms - DAY_MS):
                await exchange.replay(math.inf, Pause())
        nursery.cancel_scope.cancel()
    collector.end()
    return exchange


async def echo() -> float:
    """Median seconds of one small frame there and back."""
    took: list[float] = []

    async def answer(stream: trio.SocketStream) -> None:
        async for data in stream:
            await stream.send_all(data)

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        stream = await trio.open_tcp_stream(*listener.socket.getsockname()[:2])
        async with stream:
            for _ in range(ECHOES):
                began = time.perf_counter()
                await stream.send_all(b"[1,[1,2,3,4,5,6,7,8,9,10]]")
                await stream.receive_some()
                took.append(time.perf_counter() - began)
        nursery.cancel_scope.cancel()
    return statistics.median(took)


def measured(part: int, *, durable: bool, rate: int = 0) -> tuple[float, float, float]:
    """(p50, p99, p50 of CPU) in microseconds."""
    minutes = QUICK_MINUTES if is_quick() else MINUTES
    with tempfile.TemporaryDirectory() as directory:
        trade = partial(_traded, Path(directory), part, minutes=minutes, inline=not durable, rate=rate)
        exchange = trio.run(trade, clock=LoopClock())
    if not exchange.took_s:
        raise SystemExit("must measure at least one decision, was none")
    took = sorted(exchange.took_s)
    p50, p99 = (took[min(len(took) - 1, len(took) * percent // 100)] * 1e6 for percent in (50, 99))
    return p50, p99, statistics.median(exchange.cpu_s) * 1e6


def beside_a_feed(part: int, rate: int, idle_p99: float, prototype_us: float) -> None:
    p50, p99, _ = measured(part, durable=False, rate=rate)
    name = f"tick to order, beside {rate:,} messages/s"
    tell(f"{name}, p50", p50, "us", beside=prototype_us, beside_name="five actors at that rate")
    tell(f"{name}, p99", p99, "us", beside=idle_p99, beside_name="p99 when idle")


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    sys.setswitchinterval(GIL_TURN_S)
    for number in range(rounds):
        part = PARTS[(number + int(time.time())) % len(PARTS)]
        limit_us = trio.run(echo) * 1e6
        hot, _ = (seconds * 1e6 for seconds in trio.run(_prototype.one_in_flight, TICKS))
        tell(
            "five actors, one tick right after the other, p50", hot, "us", beside=limit_us, beside_name="loopback echo"
        )
        limit, limit_cpu = (seconds * 1e6 for seconds in trio.run(_prototype.one_in_flight, PAUSED_TICKS, PAUSE_S))
        tell("five actors, one in flight, p50", limit, "us", beside=limit_us, beside_name="loopback echo")
        p50, p99, _ = measured(part, durable=True)
        tell("tick to order, durable intent, p50", p50, "us", beside=limit, beside_name="five actors")
        tell("tick to order, durable intent, p99", p99, "us", beside=limit_us, beside_name="loopback echo")
        p50, p99, cpu = measured(part, durable=False)
        tell("tick to order, not durable, p50", p50, "us", beside=limit, beside_name="five actors")
        tell("tick to order, not durable, p99", p99, "us", beside=limit_us, beside_name="loopback echo")
        tell("tick to order, not durable, CPU, p50", cpu, "us", beside=limit_cpu, beside_name="five actors")
        if is_quick():
            continue
        for rate in (SLOW_RATE, RATE):
            beside_a_feed(part, rate, p99, trio.run(_prototype.at_rate, rate, rate) * 1e6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
