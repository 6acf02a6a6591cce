"""From the exchange's frame that closes a candle to the order's frame at the exchange, through the whole engine.

    python -m tools.bench.tick_to_order [rounds]

A whole engine trades some hours of a recording over real sockets against the embedded exchange, one decision in flight.
The time runs from the exchange handing the frame to its socket to the exchange having read the order: both ends of both
sockets, cache, signal, risk with all rules, order, and the durable intent share one loop and one core. Then the same
without durability: the journal in memory, where a sync costs nothing, and on the loop, where no thread has to be waited
for. That stands beside five actors that do the least there is between a tick and an order (`_prototype.py`), in the
same round. Then both again beside a feed of another symbol, from a process of its own, whose messages go through the
engine's socket layer and market cache: at 10,000 and at 20,000 messages a second. Last comes a round trip of one frame
between two trio tasks over a loopback socket.
"""

import contextlib
import math
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio
from typing_extensions import override

from genesis.core.chance import Chance
from genesis.core.clock import TrioClock
from genesis.engine import Engine
from genesis.running import GIL_TURN_S
from genesis.simulator.exchange import Exchange
from genesis.simulator.replay_driver import NoPacer
from genesis.simulator.session import Session
from genesis.simulator.settings import ExchangeSettings
from protocols.bitfinex.inputs import Input
from protocols.units import Symbol
from tests.house import house, lively_layer, piece_of
from tools.bench import _prototype
from tools.bench._figures import is_quick, tell
from tools.bench.feed import feeding, server

MINUTES: Final = 300
QUICK_MINUTES: Final = 90
PARTS: Final = (0, 720, 1440)
"""First minutes of what is traded, one part after the other in the rounds."""
PAUSE_S: Final = 0.008
"""Between two steps of the market: an idle engine has long done with the one before."""
TICKS: Final = 2_000
ECHOES: Final = 500
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where a sync costs nothing
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


class TimedExchange(Exchange):
    """Notes how long after a boundary's frames were said the first request comes: an entry's order, or the cancel of a
    stop that an exit takes out of its own way."""

    asked_s: float | None = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.took_s: list[float] = []

    def boundary(self, symbol: Symbol, time_ms: int) -> bool:
        changed = super().boundary(symbol, time_ms)
        self.asked_s = time.perf_counter()
        return changed

    def tick(self, *arguments: Any, **options: Any) -> bool:
        self.asked_s = None
        return super().tick(*arguments, **options)

    def operate(self, session: Session, request: Input) -> None:
        if self.asked_s is not None:
            self.took_s.append(time.perf_counter() - self.asked_s)
            self.asked_s = None
        super().operate(session, request)


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
    """Seconds of each decision."""
    recording = piece_of(minutes=minutes, skip=part)
    exchange = TimedExchange(ExchangeSettings(), recording, TrioClock(), Chance(part).port("venue"))
    layer = lively_layer()
    async with trio.open_nursery() as nursery:
        await nursery.start(exchange.serve)
        async with house(
            directory, recording=recording, layer=layer, seed=part, exchange=exchange, journal_inline=inline
        ) as here:
            await here.ready()
            async with _beside(here.engine, rate, recording.first_ms - DAY_MS):
                await exchange.replay(math.inf, Pause())
        nursery.cancel_scope.cancel()
    return exchange.took_s


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


def measured(part: int, *, durable: bool, rate: int = 0) -> tuple[float, float]:
    """(p50, p99) in microseconds."""
    minutes = QUICK_MINUTES if is_quick() else MINUTES
    with tempfile.TemporaryDirectory(dir=None if durable else MEMORY) as directory:
        run = partial(decisions, Path(directory), part, minutes=minutes, inline=not durable, rate=rate)
        took = sorted(trio.run(run))
    if not took:
        raise SystemExit("must measure at least one decision, was none")
    p50, p99 = (took[min(len(took) - 1, len(took) * percent // 100)] * 1e6 for percent in (50, 99))
    return p50, p99


def beside_a_feed(part: int, rate: int, idle_p99: float, prototype_us: float) -> None:
    p50, p99 = measured(part, durable=False, rate=rate)
    name = f"tick to order, beside {rate:,} messages/s"
    tell(f"{name}, p50", p50, "us", beside=prototype_us, beside_name="five actors at that rate")
    tell(f"{name}, p99", p99, "us", beside=idle_p99, beside_name="p99 when idle")


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    sys.setswitchinterval(GIL_TURN_S)
    for number in range(rounds):
        part = PARTS[(number + int(time.time())) % len(PARTS)]
        limit_us = trio.run(echo) * 1e6
        limit = trio.run(_prototype.one_in_flight, TICKS) * 1e6
        tell("five actors, least work, one in flight, p50", limit, "us", beside=limit_us, beside_name="loopback echo")
        p50, p99 = measured(part, durable=True)
        tell("tick to order, durable intent, p50", p50, "us", beside=limit, beside_name="five actors")
        tell("tick to order, durable intent, p99", p99, "us", beside=limit_us, beside_name="loopback echo")
        if not MEMORY.is_dir():
            continue
        p50, p99 = measured(part, durable=False)
        tell("tick to order, not durable, p50", p50, "us", beside=limit, beside_name="five actors")
        tell("tick to order, not durable, p99", p99, "us", beside=limit_us, beside_name="loopback echo")
        if is_quick():
            continue
        for rate in (SLOW_RATE, RATE):
            beside_a_feed(part, rate, p99, trio.run(_prototype.at_rate, rate, rate) * 1e6)
    return 0


if __name__ == "__main__":
    sys.exit(main())
