"""From the exchange's frame that closes a candle to the order's frame at the exchange, through the whole engine.

    python -m tools.bench.tick_to_order [rounds]

A whole engine trades half a day of a recording over real sockets against the embedded exchange, one decision in flight.
The time runs from the exchange putting the frame out to the exchange having read the order: both sides, both sockets,
cache, signal, risk with all rules, order, and the durable intent share one loop and one core. Then the same without
durability: the journal in memory, where a sync costs nothing, and on the loop, where no thread has to be waited for.
The limit is a round trip of one frame between two trio tasks over a loopback socket.
"""

import math
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import trio

from genesis.core.chance import Chance
from genesis.core.clock import TrioClock
from genesis.running import GIL_TURN_S
from genesis.simulator.exchange import Exchange
from genesis.simulator.session import Session
from genesis.simulator.settings import ExchangeSettings
from protocols.bitfinex.inputs import Input
from protocols.units import Symbol
from tests.house import house, lively_layer, piece_of
from tools.bench._figures import tell

MINUTES: Final = 120
ECHOES: Final = 500
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where a sync costs nothing


class TimedExchange(Exchange):
    """Notes how long after a boundary the first request comes."""

    asked_s: float | None = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.took_s: list[float] = []

    def boundary(self, symbol: Symbol, time_ms: int) -> bool:
        self.asked_s = time.perf_counter()
        return super().boundary(symbol, time_ms)

    def tick(self, *arguments: Any, **options: Any) -> bool:
        self.asked_s = None
        return super().tick(*arguments, **options)

    def operate(self, session: Session, request: Input) -> None:
        if self.asked_s is not None:
            self.took_s.append(time.perf_counter() - self.asked_s)
            self.asked_s = None
        super().operate(session, request)


async def decisions(directory: Path, seed: int, journal_inline: bool) -> list[float]:
    recording = piece_of(minutes=MINUTES, skip=720 * (seed % 8) % 2160)
    exchange = TimedExchange(ExchangeSettings(), recording, TrioClock(), Chance(seed).port("venue"))
    async with trio.open_nursery() as nursery:
        await nursery.start(exchange.serve)
        async with house(
            directory,
            recording=recording,
            layer=lively_layer(),
            seed=seed,
            exchange=exchange,
            journal_inline=journal_inline,
        ) as here:
            await here.ready()
            await exchange.replay(math.inf, here.pacer)
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


def measure(name: str, parent: Path | None, limit_us: float) -> None:
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        part_of_day = random.randrange(8)  # noqa: S311 - any will do
        took = sorted(trio.run(decisions, Path(directory), part_of_day, parent is not None))
    if not took:
        raise SystemExit("must measure at least one decision, was none")
    for part in (50, 99):
        value = took[min(len(took) - 1, len(took) * part // 100)] * 1e6
        tell(f"tick to order, {name}, p{part}", value, "us", beside=limit_us, beside_name="loopback echo")


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    sys.setswitchinterval(GIL_TURN_S)
    for _ in range(rounds):
        limit_us = trio.run(echo) * 1e6
        measure("durable intent", None, limit_us)
        if MEMORY.is_dir():
            measure("not durable", MEMORY, limit_us)
    return 0


if __name__ == "__main__":
    sys.exit(main())
