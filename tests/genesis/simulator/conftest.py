"""An exchange on loopback with a short made-up recording, and a client that says what it hears."""

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio_websocket import WebSocketConnection, connect_websocket_url

from genesis.core.clock import TrioClock
from genesis.domain.recording import CandleRecording
from genesis.domain.replay import MINUTE_MS, CandleRow
from genesis.simulator.exchange import Address, Exchange
from genesis.simulator.settings import AccountTerms, ApiKey, ExchangeSettings, demo_settings
from protocols.bitfinex.auth import auth_event, rest_headers
from protocols.units import Symbol

START_MS = 1_517_788_800_000
HISTORY = 60


def made_up_rows(first_ms: int, count: int, price: float) -> tuple[CandleRow, ...]:
    """A calm market: every minute a little higher or lower, with a gap at every seventh minute."""
    rows = []
    for number in range(count):
        if number % 7 == 6:
            continue
        close = price + (-1) ** number
        rows.append(CandleRow(first_ms + number * MINUTE_MS, price, close, max(price, close) + 1, price - 2, 4.0))
        price = close
    return tuple(rows)


def a_recording(minutes: int = 20) -> CandleRecording:
    symbols = {Symbol("tBTCUSD"): 8000.0, Symbol("tETHUSD"): 800.0}
    before_ms = START_MS - HISTORY * MINUTE_MS
    return CandleRecording(
        name="made up",
        history={symbol: made_up_rows(before_ms, HISTORY, price) for symbol, price in symbols.items()},
        rows={symbol: made_up_rows(START_MS, minutes, price) for symbol, price in symbols.items()},
        first_ms=START_MS,
        last_ms=START_MS + (minutes - 1) * MINUTE_MS,
    )


class Talker:
    """A client with one WebSocket: says objects, hears objects."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self.heard: list[Any] = []
        self.raw: list[str] = []

    async def say(self, *messages: Any) -> None:
        for message in messages:
            if isinstance(message, bytes):
                message = message.decode()
            await self.socket.send_message(message if isinstance(message, str) else json.dumps(message))

    async def hear(self) -> Any:
        with trio.fail_after(60):
            text = await self.socket.get_message()
        assert isinstance(text, str)
        self.raw.append(text)
        self.heard.append(json.loads(text))
        return self.heard[-1]

    async def hear_until(self, wanted: Callable[[Any], bool]) -> Any:
        while True:
            frame = await self.hear()
            if wanted(frame):
                return frame

    async def event(self, name: str) -> Any:
        """The next event object of this name."""
        return await self.hear_until(lambda frame: isinstance(frame, dict) and frame["event"] == name)

    async def account(self, kind: str) -> Any:
        """The payload of the next channel-0 frame of this kind."""
        return (await self.hear_until(lambda frame: isinstance(frame, list) and frame[:2] == [0, kind]))[2]

    async def ask(self, message: Any) -> Any:
        await self.say(message)
        return await self.hear()

    async def subscribe(self, channel: str, **fields: Any) -> tuple[int, Any]:
        """(channel number, the first data frame's payload)."""
        await self.say({"event": "subscribe", "channel": channel} | fields)
        number = (await self.event("subscribed"))["chanId"]
        return number, (await self.hear())[1]

    async def authenticate(self, key: str = "alice-key", secret: str = "alice-secret", **terms: Any) -> Any:
        """The auth answer; the six snapshots have been heard when it returns."""
        with_nonce = auth_event(key, secret, terms.pop("nonce", 1), **terms)
        await self.say(with_nonce)
        answer = await self.event("auth")
        if answer["status"] == "OK" and "filters" not in terms:
            await self.account("fls")
        return answer

    async def order(self, **fields: Any) -> Any:
        """The notification that answers a new order."""
        body = {"cid": 1, "type": "EXCHANGE MARKET", "symbol": "tBTCUSD", "amount": "0.1"} | fields
        await self.say([0, "on", None, body])
        return await self.account("n")


@attrs.frozen
class World:
    """One exchange that serves, and clients of it."""

    exchange: Exchange
    address: Address
    nursery: trio.Nursery

    @asynccontextmanager
    async def talker(self, *, greeted: bool = True) -> AsyncIterator[Talker]:
        async with trio.open_nursery() as nursery:
            # A queue of one would leave the reader stuck, and closing with it, when a test stops listening.
            socket = await connect_websocket_url(nursery, self.address.websocket, message_queue_size=2**20)
            talker = Talker(socket)
            try:
                if greeted:
                    await talker.event("info")
                yield talker
            finally:
                # No close handshake: it waits without limit, and leaves the stream open if the server closed first.
                await trio.aclose_forcefully(socket._stream)
                nursery.cancel_scope.cancel()

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.address.rest) as client:
            return await client.get(f"/v2/{path}")

    async def post(
        self, path: str, body: Any = None, *, key: str = "alice-key", secret: str = "alice-secret", nonce: int = 1
    ) -> httpx.Response:
        data = b"" if body is None else json.dumps(body).encode()
        async with httpx.AsyncClient(base_url=self.address.rest) as client:
            headers = rest_headers(key, secret, f"v2/{path}", nonce, data)
            return await client.post(f"/v2/{path}", content=data, headers=headers)


@pytest.fixture
def open_world(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AbstractAsyncContextManager[World]]:
    """Makes a world; keyword arguments change the settings of its exchange."""
    # A machine that is busy with other tests is no client that does not read.
    monkeypatch.setattr("genesis.simulator.exchange.SLOW_CLIENT_S", 300.0)

    @asynccontextmanager
    async def opened(*, minutes: int = 20, recording: Any = None, **changes: Any) -> AsyncIterator[World]:
        settings = attrs.evolve(demo_settings(), **changes)
        exchange = Exchange(settings, recording or a_recording(minutes), TrioClock(), random.Random(7))
        async with trio.open_nursery() as nursery:
            address = await nursery.start(exchange.serve)
            yield World(exchange, address, nursery)
            nursery.cancel_scope.cancel()

    return opened


@pytest.fixture
async def world(open_world: Callable[..., AbstractAsyncContextManager[World]]) -> AsyncIterator[World]:
    async with open_world() as opened:
        yield opened


@pytest.fixture
def poor_settings() -> ExchangeSettings:
    return ExchangeSettings(
        accounts=(AccountTerms(name="sim", balances=(("exchange", "USD", Decimal(100)),)),),
        keys=(ApiKey(key="k", secret="s", account="sim"),),
    )
