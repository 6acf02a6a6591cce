"""What a public message costs from the socket on: microseconds of CPU a message of a mixed feed, beside other clients.

    python -m tools.bench.feed [rounds]

A server in a process of its own sends 200,000 messages as fast as they are read (of eight five book updates, one
ticker, one candle, one trade). Once the socket, the session and its caches alone take them; once the real connection
actor under its supervisor takes them and hands them to an actor that leases them. Then the same clients as in the
conformance suite read the same feed in their own environment (`make clients`). At 20,000 messages a second the share
of one core is told.
"""

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import trio

from actors.connection_public import ConnectionPublicActor
from genesis.core.actor import Actor, Context
from genesis.core.chance import Chance
from genesis.core.channel import Channel, Overflow
from genesis.core.clock import TrioClock
from genesis.core.latest import Latest
from genesis.core.mailbox import Mailbox
from genesis.core.supervisor import ChildSpec, Supervisor, SupervisorSpec
from genesis.edge.connection_stats import ConnectionStats
from genesis.edge.websocket import fast_websocket
from protocols.bitfinex.events import ServerInfo
from protocols.bitfinex.session import PublicSession
from protocols.bitfinex.subscriptions import Subscription, book, candles, ticker, trades
from protocols.health import ConnectionView
from protocols.market import BookTop, CandleUpdate, Ticker, TradePrint
from protocols.settings import Settings
from protocols.units import Symbol
from tools import clients_env
from tools.bench._feed_server import LAST_ID, START_MS
from tools.bench._feed_server import SYMBOL as FEED_SYMBOL
from tools.bench._figures import tell
from tools.bench._peers import environment, python_of, told_by
from tools.clients_env import PythonEnv

MESSAGES: Final = 200_000
SLOW_MESSAGES: Final = 60_000
RATE: Final = 20_000
NO_CANDLES: Final = (START_MS, 3)
PEERS: Final[tuple[tuple[str, str, PythonEnv, tuple[int, ...]], ...]] = (
    ("bitfinex-api-py", "feed_bitfinex_api_py.py", clients_env.TRADERS, ()),
    ("ccxt.pro", "feed_ccxt_pro.py", clients_env.TRADERS, ()),
    ("cryptofeed, without candles", "feed_cryptofeed.py", clients_env.FEEDS, NO_CANDLES),
    ("picows and dictionaries, a limit", "feed_picows.py", environment("picows"), ()),
)
"""Name, script, where it runs, and what the server is told besides."""
ROOT: Final = Path(__file__).resolve().parents[2]
SYMBOL: Final = Symbol(FEED_SYMBOL)
SHARE: Final[tuple[Subscription, ...]] = (
    ticker(SYMBOL),
    trades(SYMBOL),
    candles(SYMBOL, "1m"),
    book(SYMBOL, length=25),
)


@contextmanager
def server(messages: int, rate: int = 0, *more: int) -> Iterator[str]:
    """Its port. `more` are the time of the first message and the number of channels."""
    command = (sys.executable, "-m", "tools.bench._feed_server", *map(str, (messages, rate, *more)))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


async def caches(port: str, messages: int) -> float:
    """Socket, session, and the newest of everything; no actor."""
    session = PublicSession(session=1)
    newest: dict[tuple[type, str], object] = {}
    began = 0.0
    async with fast_websocket(f"ws://127.0.0.1:{port}", timeout_s=5) as socket:
        while True:
            frames = await socket.receive_many()
            for event in session.receive_many(frames, 0):
                kind = event.__class__
                if kind is BookTop or kind is Ticker or kind is TradePrint:
                    newest[kind, event.symbol] = event  # type: ignore[union-attr]
                    began = began or time.process_time()
                    if kind is TradePrint and event.trade_id == LAST_ID:  # type: ignore[union-attr]
                        return (time.process_time() - began) / messages
                elif kind is CandleUpdate:
                    newest[kind, event.candle.symbol] = event  # type: ignore[union-attr]
                elif kind is ServerInfo:
                    await socket.send(session.send_conf())
                    for subscription in SHARE:
                        await socket.send(session.send_subscribe(subscription))


class Hearer:
    """Leases what it is told, as the market cache does, and keeps the newest of each kind."""

    def __init__(self, over: trio.Event) -> None:
        self.over = over
        self.newest: dict[tuple[type, str], object] = {}
        self.began_cpu = self.began = 0.0

    async def run(self, ctx: Context) -> None:
        ctx.ready()
        while True:
            batch = await ctx.inbox.lease()
            for envelope in batch:
                message = envelope.message
                self.newest[message.__class__, SYMBOL] = message
                if isinstance(message, TradePrint):
                    if not self.began:
                        self.began_cpu, self.began = time.process_time(), time.perf_counter()
                    if message.trade_id == LAST_ID:
                        self.over.set()
            ctx.inbox.ack_all(batch)


@asynccontextmanager
async def feeding(
    port: str, symbol: Symbol, prices: Channel[Any], events: Channel[Any], *others: ChildSpec
) -> AsyncIterator[ConnectionStats]:
    """The real connection actor under a supervisor, telling the feed's four streams to whoever hears the channels."""
    share = (ticker(symbol), trades(symbol), candles(symbol, "1m"), book(symbol, length=25))
    commands = Channel[Any]("commands", Overflow.CONFLATE, key=lambda _: 0)
    stats = ConnectionStats()
    view = ConnectionView(
        name="public",
        uri="",
        status="idle",
        session=0,
        reconnects=0,
        last_error=None,
        frames=0,
        subscriptions=0,
        venue_ms=0,
        last_frame_age_s=0.0,
    )

    def connection() -> Actor:
        return ConnectionPublicActor(
            name="public",
            uri=f"ws://127.0.0.1:{port}",
            share=Latest(share),
            settings=Latest(Settings()),
            dial=fast_websocket,
            prices=prices,
            events=events,
            view=Latest(view),
            stats=stats,
        )

    public = ChildSpec(id="public", start=connection, mailbox=Mailbox("public", [commands]))
    spec = SupervisorSpec(id="bench", children=(*others, public))
    supervisor = Supervisor(spec, clock=TrioClock(), chance=Chance(1).port("bench"), on_event=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        yield stats
        await supervisor.stop()


async def actors(port: str, messages: int) -> tuple[float, float]:
    """(CPU seconds a message, share of one core) of the connection actor and its listener."""
    prices = Channel[Any]("prices", Overflow.CONFLATE, capacity=4096, key=lambda told: (type(told), told.symbol))
    events = Channel[Any]("events", Overflow.BLOCK, capacity=8192)
    over = trio.Event()
    hearer = Hearer(over)
    child = ChildSpec(id="hearer", start=lambda: hearer, mailbox=Mailbox("hearer", [prices, events]))
    async with feeding(port, SYMBOL, prices, events, child):
        await over.wait()
        cpu, wall = time.process_time() - hearer.began_cpu, time.perf_counter() - hearer.began
    return cpu / messages, cpu / wall


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for _ in range(rounds):
        with server(MESSAGES) as port:
            alone = trio.run(caches, port, MESSAGES) * 1e6
        tell("feed, socket to caches", alone, "us CPU/message")
        with server(MESSAGES) as port:
            handed, _ = trio.run(actors, port, MESSAGES)
        handed_us = handed * 1e6
        tell("feed, socket to actors", handed_us, "us CPU/message")
        with server(SLOW_MESSAGES, RATE) as port:
            _, share = trio.run(actors, port, SLOW_MESSAGES)
        tell(f"feed, at {RATE:,} messages/s", share * 100, "% of a core")
        for name, script, where, more in PEERS:
            if python_of(where) is None:
                continue
            with server(SLOW_MESSAGES, 0, *more) as port:
                theirs = told_by(where, script, port, SLOW_MESSAGES)
            if theirs is not None:
                tell(f"feed, {name}", theirs, "us CPU/message", beside=alone, beside_name="genesis, to caches")
    return 0


if __name__ == "__main__":
    sys.exit(main())
