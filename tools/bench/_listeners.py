"""An engine with its own web that trades by turns: alone, with clients of its event stream, with clients elsewhere.

One run has all three, so whatever else the machine does meets them alike: some seconds without a client, then all of
them dial, some seconds with them, then they leave, and dial a web in another process, which says about as much.
The last tells apart what the engine does for its clients and what it costs a machine of few cores that a few hundred
clients, and who talks to them, run beside it. Orders that were decided while clients came or went count for no turn.

An order is timed by the wall and by the processor time of the engine's one thread: whatever the thread did for clients
between a tick and its order is in the second, and what else the machine did is not.

    python -m tools.bench._listeners 1000 [200]     orders of each kind, clients
"""

import math
import os
import random
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs
import msgspec
import trio
from typing_extensions import override

from genesis.core.chance import Chance
from genesis.core.clock import TrioClock
from genesis.domain.recording import CandleRecording
from genesis.domain.replay import MINUTE_MS, CandleRow
from genesis.domain.settings_build import Layer
from genesis.edge.collector import Collector
from genesis.engine import Engine
from genesis.running import GIL_TURN_S
from genesis.simulator.replay_driver import NoPacer, Pacer
from genesis.simulator.settings import AccountTerms, ExchangeSettings
from protocols.units import Symbol
from tests.house import House, house
from tests.web.fakes import a_ticker
from tests.web.serving import a_server
from tools.bench._moments import Span
from tools.bench.tick_to_order import TRADED, TimedExchange, one_pair
from tools.web_demo import Demo
from web.app import create_app
from web.controls import Controls
from web.guard import hosts_for
from web.hub import TOPICS
from web.keyring import new_keyring
from web.limits import RateLimit
from web.server import ServerCounters, ServerLimits, open_listeners, port_of
from web.site import Site
from web.tokens import Scope, Tokens

TURN_S: Final = 10.0
SETTLE_S: Final = 0.5
ORDER_S: Final = 0.05
"""What an order has before anybody asks whether it has arrived: asking is work on the same loop."""
STEP_S: Final = 0.01
PATIENCE_S: Final = 0.5
TICKERS_PER_S: Final = 100
OPENING: Final = 10
"""Clients that dial at the same time."""
UPGRADE: Final = (
    b"GET /api/v2/stream HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
LAST: Final = b'"topic":"candle","kind":"snapshot"'
ALIVE_S: Final = 15.0
"""How often a client says that it lives, as it would by answering pings."""
PATIENT: Final = ServerLimits(send_s=60)
"""Clients of one process that has not enough of a busy machine are not closed for it."""
HEARD: Final = [topic for topic in TOPICS if topic != "candle"]

BEGAN_MS: Final = 1_700_000_040_000
HISTORY: Final = 300
MINUTES: Final = 40_000
"""More than are ever traded."""
LOW: Final = 60_000.0
HIGH: Final = 60_006.0


class Turn(Enum):
    ALONE = "without clients"
    BESIDE = "with its own clients"
    ELSEWHERE = "with clients of another process"


@attrs.define
class Times:
    """Of each order."""

    spans: list[Span] = attrs.field(factory=list)

    @property
    def took_s(self) -> list[float]:
        return [span.took_s for span in self.spans]

    @property
    def cpu_s(self) -> list[float]:
        return [span.cpu_s for span in self.spans]


Turns = dict[Turn, Times]


def at(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


class _Paced(NoPacer):
    """Gives an order all the time that it needs before the next step of the market, which would end its count."""

    def __init__(self, exchange: TimedExchange) -> None:
        self._exchange = exchange
        self.settling: Pacer = NoPacer()

    @override
    async def settled(self) -> None:
        await trio.sleep(ORDER_S if self._exchange.watch.awaited else STEP_S)
        with trio.move_on_after(PATIENCE_S):
            await self.settling.settled()


class _Turned(TimedExchange):
    def turn(self, kept: Times | None) -> None:
        """From here on what is measured belongs to these, or to nobody."""
        self.spans = (kept or Times()).spans


def zigzag(minutes: int) -> CandleRecording:
    """A market that turns at every candle, so that each closes with an order: an entry, or an exit by its stop."""

    def rows(first: int, last: int) -> Iterator[CandleRow]:
        for number in range(first, last):
            begin, end = (LOW, HIGH) if number % 2 else (HIGH, LOW)
            yield CandleRow(BEGAN_MS + number * MINUTE_MS, begin, end, HIGH, LOW, 4.0)

    return CandleRecording(
        name="zigzag",
        history={TRADED: tuple(rows(-HISTORY, 0))},
        rows={TRADED: tuple(rows(0, minutes))},
        first_ms=BEGAN_MS,
        last_ms=BEGAN_MS + (minutes - 1) * MINUTE_MS,
    )


async def turns(listeners: int, orders: int) -> Turns:
    """Trade until each kind of turn has seen so many orders."""
    sys.setswitchinterval(GIL_TURN_S)
    free = AccountTerms(name="sim", maker_fee=Decimal(0), taker_fee=Decimal(0))
    recording = zigzag(MINUTES)
    exchange = _Turned(ExchangeSettings(accounts=(free,)), recording, TrioClock(), Chance(1).port("venue"))
    listening = await open_listeners("127.0.0.1", 0)
    tokens = Tokens(keyring=new_keyring(secrets.token_bytes), clock=TrioClock(), random_bytes=secrets.token_bytes)
    told = {kind: Times() for kind in Turn}
    collector = Collector()
    with tempfile.TemporaryDirectory() as directory:
        async with trio.open_nursery() as nursery:
            await nursery.start(exchange.serve)
            async with house(
                Path(directory),
                recording=recording,
                layer=_every_candle(),
                exchange=exchange,
                prepare=partial(_with_web, listening, tokens),
            ) as here:
                await here.ready()
                # As a process that runs one engine has it.
                collector.begin()
                collector.settle()
                pacer = _Paced(exchange)
                pacer.settling = here.pacer
                token = tokens.mint(subject="bench", scope=Scope.READ, life_s=3600).token
                ours = f"ws://127.0.0.1:{port_of(listening)}/api/v2/stream"
                async with trio.open_nursery() as beside:
                    beside.start_soon(_lively, here.engine)
                    async with _helper("web") as other, _helper("clients", str(listeners)) as clients:
                        theirs = (await _line(other)).decode()
                        await _line(clients)
                        beside.start_soon(exchange.replay, math.inf, pacer)
                        addresses = {Turn.BESIDE: f"{ours} {token}\n", Turn.ELSEWHERE: theirs}
                        while min(len(times.spans) for times in told.values()) < orders:
                            await _one_of_each(here, exchange, told, addresses, clients)
                    beside.cancel_scope.cancel()
            nursery.cancel_scope.cancel()
        for listener in listening:
            await trio.aclose_forcefully(listener)
    collector.end()
    return told


def _every_candle() -> Layer:
    """Crosses as often as averages can, and nothing ends the day."""
    layer = one_pair()
    strategies = layer.values["strategies"]
    assert isinstance(strategies, list)
    often = [{**strategy, "parameters": {"fast": 2, "slow": 3}} for strategy in strategies]
    endless = dict.fromkeys(
        ("risk.max_daily_loss", "risk.max_weekly_loss", "risk.max_drawdown", "risk.max_strategy_drawdown"), "1"
    )
    return attrs.evolve(layer, values={**layer.values, "strategies": often, **endless})


def _with_web(listening: list[trio.SocketListener], tokens: Tokens, engine: Engine) -> None:
    counters = ServerCounters()

    app = create_app(
        readers=engine.readers,
        controls=Controls(),
        tokens=tokens,
        clock=TrioClock(),
        chance=random.Random(1),  # noqa: S311
        hosts=hosts_for((), port_of(listening)),
        hub=engine.hub,
        server_counters=counters,
    )
    app.config["API"].requests = RateLimit(per_s=1e6, burst=1e6)
    engine.serve_web = Site(app=app, listeners=listening, counters=counters, limits=PATIENT).serve


async def _lively(engine: Engine) -> None:
    """What a lively market of ten symbols says besides."""
    chance = random.Random(1)  # noqa: S311
    while True:
        for _ in range(TICKERS_PER_S // 20):
            engine.channels.ui.put_nowait(a_ticker(Symbol(f"t{chance.randrange(10)}USD"), chance.uniform(6000, 7000)))
        await trio.sleep(0.05)


async def _one_of_each(
    here: House, exchange: _Turned, told: Turns, addresses: dict[Turn, str], clients: trio.Process
) -> None:
    for kind, times in told.items():
        if kind in addresses:
            await _say(clients, addresses[kind].encode())
            await _line(clients)
        await trio.sleep(SETTLE_S)
        exchange.turn(times)
        await trio.sleep(TURN_S)
        exchange.turn(None)
        if kind is Turn.BESIDE:
            assert not any(subscriber.missed_total or subscriber.held for subscriber in here.engine.hub.subscribers)
        if kind in addresses:
            await _say(clients, b"go\n")
            await _line(clients)
            while len(here.engine.hub):  # noqa: ASYNC110 -- a count has no event of its own
                await trio.sleep(0.02)


# --- the other processes ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def _helper(*words: str) -> AsyncIterator[trio.Process]:
    """A process of this module; killed at the end."""
    command = [sys.executable, "-m", "tools.bench._listeners", *words]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def _say(process: trio.Process, words: bytes) -> None:
    assert process.stdin is not None
    await process.stdin.send_all(words)


async def _line(process: trio.Process) -> bytes:
    """What the other process says next."""
    assert process.stdout is not None
    said = b""
    while not said.endswith(b"\n"):
        more = await process.stdout.receive_some(4096)
        if not more:
            raise SystemExit(f"a helper must answer, ended after {said!r}")
        said += more
    return said


async def other_web() -> None:
    """A web that says about as much as an engine's; prints its stream's address and a token."""
    demo = Demo()
    for _ in range(HISTORY):
        demo.step()
    async with a_server(PATIENT, readers=demo.readers(), patience_s=math.inf) as served:
        served.site.app.config["API"].requests = RateLimit(per_s=1e6, burst=1e6)
        demo.hub = served.hub
        token = served.tokens.mint(subject="bench", scope=Scope.READ, life_s=3600).token
        print(f"{served.stream} {token}", flush=True)
        await demo.live(1 / 15)


async def listeners(count: int) -> None:
    """Dials the address that it is told with all clients, leaves at the next word, and answers when all have."""
    words = trio.lowlevel.FdStream(0)
    print("ready", flush=True)
    while said := await words.receive_some():
        url, token = said.decode().split()
        port = urlsplit(url).port
        assert port is not None
        async with trio.open_nursery() as crowd:
            opened, gate = [0], trio.CapacityLimiter(OPENING)
            for _ in range(count):
                crowd.start_soon(_listener, port, token, opened, gate)
            while opened[0] < count:  # noqa: ASYNC110 -- a count has no event of its own
                await trio.sleep(0.02)
            print("they came", flush=True)
            await words.receive_some()
            crowd.cancel_scope.cancel()
        print("they left", flush=True)


async def _listener(port: int, token: str, opened: list[int], gate: trio.CapacityLimiter) -> None:
    """Reads what comes and takes nothing of it apart: people's pages do that on processors of their own."""
    await gate.acquire()
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(UPGRADE % port)
        # Who speaks before he is answered is not listened to.
        await stream.receive_some()
        for words in (
            {"op": "auth", "token": token},
            {"op": "subscribe", "topics": HEARD},
            {"op": "subscribe", "topics": ["candle"], "symbol": "tBTCUSD", "timeframe": "1m"},
        ):
            await stream.send_all(masked(0x81, msgspec.json.encode(words)))
        # Two hundred snapshots of everything, some 80 MB, are no part of listening: this is the last of them.
        tail = b""
        while LAST not in tail:
            data = await stream.receive_some(2**18)
            if not data:
                raise SystemExit("a client must be told candles, was closed")
            tail = tail[-len(LAST) :] + data
        opened[0] += 1
        gate.release()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_alive, stream)
            while await stream.receive_some(2**18):
                pass
            raise SystemExit("a client must be left to listen, was closed")


async def _alive(stream: trio.SocketStream) -> None:
    while True:
        await trio.sleep(ALIVE_S)
        await stream.send_all(masked(0x8A, b""))


def masked(kind: int, payload: bytes) -> bytes:
    """A client's WebSocket frame with a mask of zeros (RFC 6455, 5.2)."""
    size = bytes((0x80 | len(payload),)) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return bytes((kind,)) + size + bytes(4) + payload


def main(orders: int, count: int) -> None:
    told = trio.run(turns, count, orders)
    for kind, times in told.items():
        print(f"{kind.value}: {len(times.spans)} orders")
    for share in (0.5, 0.9, 0.99):
        for name in ("took_s", "cpu_s"):
            figures = [at(getattr(times, name), share) * 1e6 for times in told.values()]
            print(
                f"p{share * 100:.0f} {name:6}", *(f"{value:9,.0f} us {value / figures[0]:5.2f}x" for value in figures)
            )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["web"]:
            os.nice(5)
            trio.run(other_web)
        case ["clients", count]:
            # What the clients do themselves is not the engine's.
            os.nice(5)
            trio.run(listeners, int(count))
        case [orders, *rest]:
            main(int(orders), int(rest[0]) if rest else 200)
