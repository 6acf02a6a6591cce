"""What 200 symbols cost in memory: ticker, trades, candles of three time frames and a book of each.

    python -m tools.bench.symbols [rounds]

A whole engine runs here over real sockets; the exchange runs in a process of its own and replays a made-up market of
all symbols as fast as the engine reads. Told are the engine's resident memory at the end, and how much it grows in an
hour of the market: by the candles that it keeps, and by nothing else. Then `CANDLES` candles of each series (a day of
minutes, two months of hours) go through what keeps them, the market book and what the page remembers, in a process of
its own: memory after all of them, and after half, when every series has what it may keep.
"""

import math
import os
import random
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import PIPE, run
from typing import Final

import trio

from genesis.core.chance import Chance
from genesis.core.clock import TrioClock
from genesis.domain.market_book import MarketBook
from genesis.domain.recording import CandleRecording
from genesis.domain.replay import CandleRow
from genesis.domain.settings_build import Layer
from genesis.simulator.exchange import Address, Exchange
from genesis.simulator.settings import ExchangeSettings
from protocols.market import Candle, CandleSnapshot, CandleUpdate
from protocols.settings import MarketSettings, Settings
from protocols.units import TIMEFRAME_MS, Symbol
from tests.house import house
from tools.bench._figures import tell
from tools.bench.engine import resident_mib
from web.recent import Recent

SYMBOLS: Final = tuple(Symbol(f"t{chr(65 + number // 26)}{chr(65 + number % 26)}QUSD") for number in range(200))
TIMEFRAMES: Final = ("1m", "5m", "1h")
CHANNELS_A_SOCKET: Final = 30
START_MS: Final = 1_517_832_000_000
MINUTE_MS: Final = 60_000
HISTORY: Final = 240
"""Candles of a subscription's snapshot."""
FIRST_MINUTES: Final = 15
MINUTES: Final = 60
CALM_S: Final = 2.0
CANDLES: Final = 1_440


def market() -> CandleRecording:
    """A random walk for each symbol."""
    chance = random.Random(1)  # noqa: S311

    def walk(first: int, count: int) -> tuple[CandleRow, ...]:
        rows, price = [], 100.0
        for minute in range(first, first + count):
            close = round(price * (1 + chance.gauss(0, 0.001)), 3)
            low, high = min(price, close), max(price, close)
            rows.append(CandleRow(START_MS + minute * MINUTE_MS, price, close, high, low, 10.0))
            price = close
        return tuple(rows)

    return CandleRecording(
        name="200 symbols",
        history={symbol: walk(-HISTORY, HISTORY) for symbol in SYMBOLS},
        rows={symbol: walk(0, MINUTES) for symbol in SYMBOLS},
        first_ms=START_MS,
        last_ms=START_MS + (MINUTES - 1) * MINUTE_MS,
    )


class TellingExchange(Exchange):
    """Says when the beginning is over."""

    told = False

    def boundary(self, symbol: Symbol, time_ms: int) -> bool:
        if not self.told and time_ms >= START_MS + FIRST_MINUTES * MINUTE_MS:
            self.told = True
            print("begun", flush=True)
        return super().boundary(symbol, time_ms)


async def venue() -> None:
    """The other process: prints its port, then what has been told."""
    exchange = TellingExchange(ExchangeSettings(), market(), TrioClock(), Chance(1).port("venue"))
    async with trio.open_nursery() as nursery:
        address: Address = await nursery.start(exchange.serve)
        print(address.port, flush=True)
        await exchange.wait_for_clients(channels=len(SYMBOLS) * len(TIMEFRAMES))
        await exchange.replay(math.inf)
        print("end", flush=True)
        await trio.sleep_forever()


@asynccontextmanager
async def lines_of(process: trio.Process) -> AsyncIterator[AsyncIterator[str]]:
    """What a process prints, line by line."""

    async def read() -> AsyncIterator[str]:
        rest = b""
        assert process.stdout is not None
        async for data in process.stdout:
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line.decode()

    yield read()


async def one_round(directory: Path) -> tuple[float, float]:
    """(MiB after the beginning, MiB at the end)."""
    layer = Layer(
        name="bench",
        values={
            "strategies": [],
            "market.symbols": list(SYMBOLS),
            "market.timeframes": list(TIMEFRAMES),
            "connection.channels_per_socket": CHANNELS_A_SOCKET,
        },
    )
    found: list[float] = []
    async with trio.open_nursery() as nursery:
        command = [sys.executable, "-m", "tools.bench.symbols", "venue"]
        process: trio.Process = await nursery.start(partial(trio.run_process, command, stdout=PIPE, check=False))
        async with lines_of(process) as lines:
            port = int(await anext(lines))
            # It lends its address and its pairs, and serves nobody.
            stand_in = Exchange(ExchangeSettings(), SYMBOLS, TrioClock(), Chance(1).port("stand-in"))
            stand_in.address = Address("127.0.0.1", port)
            recording = CandleRecording(name="", history={}, rows={}, first_ms=START_MS, last_ms=START_MS)
            async with house(directory, recording=recording, layer=layer, exchange=stand_in) as here:
                await here.ready()
                async for _ in lines:
                    await trio.sleep(CALM_S)
                    found.append(resident_mib(os.getpid()))
                    if len(found) == 2:
                        break
        nursery.cancel_scope.cancel()
    first, last = found
    return first, last


def candles() -> None:
    """The other process: MiB after half of the candles, and after all of them."""
    market = MarketSettings(symbols=SYMBOLS, timeframes=TIMEFRAMES)
    book, recent = MarketBook(Settings(market=market, strategies=())), Recent()
    for symbol in SYMBOLS:
        for timeframe in TIMEFRAMES:
            book.on_event(
                CandleSnapshot(
                    symbol=symbol, timeframe=timeframe, candles=(), venue_ms=START_MS, received_ns=0, covers_from_ms=0
                )
            )
    price = 100.0
    for number in range(CANDLES):
        if number == CANDLES // 2:
            print(resident_mib(os.getpid()), flush=True)
        for timeframe in TIMEFRAMES:
            at_ms = START_MS + number * TIMEFRAME_MS[timeframe]
            for symbol in SYMBOLS:
                price += 0.001
                candle = Candle(
                    symbol=symbol,
                    timeframe=timeframe,
                    open_ms=at_ms,
                    open=price,
                    high=price + 0.1,
                    low=price - 0.1,
                    close=price + 0.01,
                    volume=price / 7,
                )
                update = CandleUpdate(candle=candle, venue_ms=at_ms + 2_000, received_ns=at_ms)
                recent.hear(update)
                for closed in book.on_event(update):
                    recent.hear(closed)
        book.view(())
    print(resident_mib(os.getpid()), flush=True)


def main() -> int:
    if sys.argv[1:] == ["venue"]:
        trio.run(venue)
        return 0
    if sys.argv[1:] == ["candles"]:
        candles()
        return 0
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        with tempfile.TemporaryDirectory() as directory:
            first, last = trio.run(one_round, Path(directory))
        told = run([sys.executable, "-m", "tools.bench.symbols", "candles"], check=True, capture_output=True, text=True)
        half, whole = map(float, told.stdout.split())
        tell("memory of 1,440 candles of each series", whole, "MiB", beside=half, beside_name="half of them")
        tell("memory with 200 symbols", last, "MiB", beside=first, beside_name="earlier")
        tell("memory with 200 symbols, growth", (last - first) * 60 / (MINUTES - FIRST_MINUTES), "MiB an hour")
    return 0


if __name__ == "__main__":
    sys.exit(main())
