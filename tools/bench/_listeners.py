"""An engine with its own web, which trades by turns alone and with clients of its event stream in the same loop.

One run has both, so whatever else the machine does meets both: some seconds without a client, then all of them dial,
some seconds with them, then they leave. Orders that were decided while clients came or went count for neither.
"""

import math
import os
import random
import secrets
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import msgspec
import trio
from trio_websocket import open_websocket_url
from typing_extensions import override

from genesis.core.chance import Chance
from genesis.core.clock import TrioClock
from genesis.domain.settings_build import Layer
from genesis.engine import Engine
from genesis.running import GIL_TURN_S
from genesis.simulator.replay_driver import NoPacer
from genesis.simulator.settings import ExchangeSettings
from protocols.units import Symbol
from tests.house import house, piece_of
from tests.web.fakes import a_ticker
from tools.bench.tick_to_order import TimedExchange, one_pair
from web.app import create_app
from web.controls import Controls
from web.guard import hosts_for
from web.hub import TOPICS
from web.keyring import new_keyring
from web.limits import RateLimit
from web.server import ServerCounters, open_listeners, port_of
from web.site import Site
from web.tokens import Scope, Tokens

TURN_S: Final = 4.0
SETTLE_S: Final = 2.0
"""Two hundred snapshots of everything, some 80 MB, are no part of listening."""
STEP_S: Final = 0.003
ORDER_S: Final = 0.03
TICKERS_PER_S: Final = 100
OPENING: Final = 20
"""Clients that dial at the same time."""
HEARD: Final = [topic for topic in TOPICS if topic != "candle"]


@attrs.define
class Turns:
    """Seconds of each order, of the turns without and with clients."""

    alone: list[float] = attrs.field(factory=list)
    beside: list[float] = attrs.field(factory=list)


class _Paced(NoPacer):
    """Gives an order all the time that it may need before the next step of the market, which would end its count."""

    def __init__(self, exchange: TimedExchange) -> None:
        self._exchange = exchange

    @override
    async def settled(self) -> None:
        await trio.sleep(ORDER_S if self._exchange.awaited else STEP_S)


class _Turned(TimedExchange):
    def turn(self, kept: list[float] | None) -> None:
        """From here on what is measured belongs to that list, or to nobody."""
        self.took_s = [] if kept is None else kept


async def turns(part: int, listeners: int, minutes: int) -> Turns:
    """Trade `minutes` of the recording, from its minute `part` on."""
    sys.setswitchinterval(GIL_TURN_S)
    recording = piece_of(minutes=minutes, skip=part)
    exchange = _Turned(ExchangeSettings(), recording, TrioClock(), Chance(part).port("venue"))
    listening = await open_listeners("127.0.0.1", 0)
    tokens = Tokens(keyring=new_keyring(secrets.token_bytes), clock=TrioClock(), random_bytes=secrets.token_bytes)
    told = Turns()
    with tempfile.TemporaryDirectory() as directory:
        async with trio.open_nursery() as nursery:
            await nursery.start(exchange.serve)
            async with house(
                Path(directory),
                recording=recording,
                layer=_livelier(),
                seed=part,
                exchange=exchange,
                prepare=partial(_with_web, listening, tokens),
            ) as here:
                await here.ready()
                url = f"ws://127.0.0.1:{port_of(listening)}/api/v2/stream"
                words = (url, tokens.mint(subject="bench", scope=Scope.READ, life_s=600).token, str(listeners))
                async with trio.open_nursery() as beside:
                    await beside.start(_take_turns, exchange, told, words)
                    beside.start_soon(_lively, here.engine)
                    await exchange.replay(math.inf, _Paced(exchange))
                    exchange.turn(None)
                    beside.cancel_scope.cancel()
            nursery.cancel_scope.cancel()
        for listener in listening:
            await trio.aclose_forcefully(listener)
    return told


def _livelier() -> Layer:
    """Crosses as often as averages can."""
    layer = one_pair()
    strategies = layer.values["strategies"]
    assert isinstance(strategies, list)
    often = [{**strategy, "parameters": {"fast": 2, "slow": 3}} for strategy in strategies]
    return attrs.evolve(layer, values={**layer.values, "strategies": often})


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
    engine.serve_web = Site(app=app, listeners=listening, counters=counters).serve


async def _lively(engine: Engine) -> None:
    """What a lively market of ten symbols says besides."""
    chance = random.Random(1)  # noqa: S311
    while True:
        for _ in range(TICKERS_PER_S // 20):
            engine.channels.ui.put_nowait(a_ticker(Symbol(f"t{chance.randrange(10)}USD"), chance.uniform(6000, 7000)))
        await trio.sleep(0.05)


async def _take_turns(
    exchange: _Turned, told: Turns, words: tuple[str, ...], *, task_status: trio.TaskStatus[None]
) -> None:
    command = [sys.executable, "-m", "tools.bench._listeners", *words]
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(trio.run_process, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, check=False)
        )
        try:
            await _said(process)
            task_status.started()
            while True:
                exchange.turn(told.alone)
                await trio.sleep(TURN_S)
                exchange.turn(None)
                await _tell(process, b"come\n")
                await trio.sleep(SETTLE_S)
                exchange.turn(told.beside)
                await trio.sleep(TURN_S)
                exchange.turn(None)
                await _tell(process, b"go\n")
                await trio.sleep(SETTLE_S)
        finally:
            process.kill()


async def _tell(process: trio.Process, word: bytes) -> None:
    assert process.stdin is not None
    await process.stdin.send_all(word)
    await _said(process)


async def _said(process: trio.Process) -> None:
    """Until the other process has said that it did what it was told."""
    assert process.stdout is not None
    if not await process.stdout.receive_some(64):
        raise SystemExit("the listeners must answer, ended instead")


# --- the other process -----------------------------------------------------------------------------------------------


async def listeners(url: str, token: str, count: int) -> None:
    """Dials or leaves with all clients at each word, and answers when all have."""
    words = trio.lowlevel.FdStream(0)
    print("ready", flush=True)
    while await words.receive_some():
        async with trio.open_nursery() as crowd:
            opened, gate = [0], trio.CapacityLimiter(OPENING)
            for _ in range(count):
                crowd.start_soon(_listener, url, token, opened, gate)
            while opened[0] < count:  # noqa: ASYNC110 -- a count has no event of its own
                await trio.sleep(0.02)
            print("they came", flush=True)
            await words.receive_some()
            crowd.cancel_scope.cancel()
        print("they left", flush=True)


async def _listener(url: str, token: str, opened: list[int], gate: trio.CapacityLimiter) -> None:
    await gate.acquire()
    async with open_websocket_url(url, max_message_size=2**24) as socket:
        for words in (
            {"op": "auth", "token": token},
            {"op": "subscribe", "topics": HEARD},
            {"op": "subscribe", "topics": ["candle"], "symbol": "tBTCUSD", "timeframe": "1m"},
        ):
            await socket.send_message(msgspec.json.encode(words).decode())
        await socket.get_message()
        opened[0] += 1
        gate.release()
        while True:
            await socket.get_message()


if __name__ == "__main__":
    # What the clients do themselves is not the engine's.
    os.nice(5)
    trio.run(listeners, sys.argv[1], sys.argv[2], int(sys.argv[3]))
