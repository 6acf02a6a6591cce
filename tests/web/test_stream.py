"""The event stream over a real socket: who may listen, what he is told, and how it ends."""

import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import msgspec
import pytest
import trio
import trustme
from hypercorn.events import RawData
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url
from wsproto.connection import Connection as Peer
from wsproto.connection import ConnectionType
from wsproto.events import Ping, TextMessage

from protocols.market import CandleUpdate
from protocols.units import Symbol
from tests.web.fakes import a_candle, a_fill, a_ticker
from tests.web.serving import QUICK, Served, a_server, until
from web.feed import publish_event
from web.hub import TOPICS
from web.server import PING, ServerLimits
from web.tokens import Scope


class Listener:
    """A client that reads frames and hands out their messages one by one."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self.frames = 0
        self._messages: Iterator[dict[str, Any]] = iter(())

    async def say(self, **message: Any) -> None:
        await self.socket.send_message(msgspec.json.encode(message).decode())

    async def hear(self) -> dict[str, Any]:
        with trio.fail_after(60):
            while True:
                for message in self._messages:
                    return message
                frame = msgspec.json.decode(await self.socket.get_message())
                self.frames += 1
                assert frame["frame"] == self.frames
                self._messages = iter(frame["messages"])

    async def hear_topic(self, topic: str) -> dict[str, Any]:
        while True:
            message = await self.hear()
            if message["topic"] == topic:
                return message


@asynccontextmanager
async def listening(served: Served, token: str | None = None, **how: Any) -> AsyncIterator[Listener]:
    with trio.fail_after(60):
        async with open_websocket_url(served.stream, **how) as connection:
            try:
                listener = Listener(connection)
                if token is not None:
                    await listener.say(op="auth", token=token)
                    assert (await listener.hear())["topic"] == "session"
                yield listener
            finally:
                # trio-websocket leaves its socket to the garbage collector when the server closed first.
                if connection.closed is not None:
                    await trio.aclose_forcefully(connection._stream)


async def closed_with(listener: Listener) -> int:
    return (await closing(listener))[0]


async def closing(listener: Listener) -> tuple[int, str]:
    """The code and the reason of the close."""
    with trio.fail_after(60), pytest.raises(ConnectionClosed) as caught:
        while True:
            await listener.socket.get_message()
    assert caught.value.reason is not None
    return int(caught.value.reason.code), caught.value.reason.reason or ""


async def test_a_snapshot_comes_first_and_updates_have_higher_numbers() -> None:
    async with a_server() as served, listening(served, served.token()) as listener:
        publish_event(served.hub, a_ticker(last=1.0))
        await listener.say(op="subscribe", topics=["ticker"])
        snapshot = await listener.hear_topic("ticker")
        assert snapshot["kind"] == "snapshot"
        assert len(snapshot["data"]) == 2
        publish_event(served.hub, a_ticker(last=2.0))
        update = await listener.hear_topic("ticker")
        assert update["kind"] == "update"
        assert update["data"]["last"] == 2.0
        assert update["seq"] == snapshot["seq"] + 1


async def test_nothing_is_sent_while_the_screens_are_hushed_and_everything_after() -> None:
    async with a_server() as served, listening(served, served.token()) as listener:
        await listener.say(op="subscribe", topics=["ticker"])
        await listener.hear_topic("ticker")
        served.hub.quiet_until_s = trio.current_time() + 0.3
        publish_event(served.hub, a_ticker(last=3.0))
        assert (await listener.hear_topic("ticker"))["data"]["last"] == 3.0
        assert trio.current_time() >= served.hub.quiet_until_s


async def test_every_topic_has_a_snapshot() -> None:
    async with a_server() as served, listening(served, served.token()) as listener:
        everything = [topic for topic in TOPICS if topic != "candle"]
        await listener.say(op="subscribe", topics=everything)
        heard = [(await listener.hear())["topic"] for _ in everything]
        assert heard == everything


async def test_candles_are_told_for_the_place_that_was_asked_for() -> None:
    async with a_server() as served, listening(served, served.token()) as listener:
        await listener.say(op="subscribe", topics=["candle"], symbol="tBTCUSD", timeframe="1m")
        assert len((await listener.hear())["data"]) == 10
        publish_event(served.hub, CandleUpdate(candle=a_candle(10, timeframe="5m"), venue_ms=0, received_ns=0))
        publish_event(served.hub, CandleUpdate(candle=a_candle(10, close=2.5), venue_ms=0, received_ns=0))
        update = await listener.hear()
        assert (update["data"]["timeframe"], update["data"]["close"]) == ("1m", 2.5)
        await listener.say(op="unsubscribe", topics=["candle"], symbol="tBTCUSD", timeframe="1m")
        await listener.say(op="ping", id=7)
        assert (await listener.hear())["data"]["id"] == 7
        publish_event(served.hub, CandleUpdate(candle=a_candle(11), venue_ms=0, received_ns=0))
        await listener.say(op="ping", id=8)
        assert (await listener.hear())["data"]["id"] == 8


async def test_what_is_polled_is_told_when_it_changed() -> None:
    async with a_server() as served, listening(served, served.token()) as listener:
        await listener.say(op="subscribe", topics=["risk", "status"])
        await listener.hear()
        await listener.hear()
        assert served.poll.look() == 2
        assert served.poll.look() == 0
        assert {(await listener.hear())["topic"], (await listener.hear())["topic"]} == {"risk", "status"}


async def test_a_token_may_come_as_a_subprotocol() -> None:
    async with a_server() as served:
        protocols = ["genesis.v2", f"bearer.{served.token()}"]
        async with listening(served, subprotocols=protocols) as listener:
            assert listener.socket.subprotocol == "genesis.v2"
            assert (await listener.hear())["data"]["scope"] == "read"


@pytest.mark.parametrize(
    "first",
    [{"op": "auth", "token": "x.y.z"}, {"op": "subscribe", "topics": ["status"]}, {"op": "auth"}],
)
async def test_nobody_listens_without_a_good_token(first: dict[str, Any]) -> None:
    async with a_server() as served, listening(served) as listener:
        await listener.say(**first)
        assert await closed_with(listener) == 4401
        assert len(served.hub) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"op":"dance"}',
        '{"op":"subscribe","topics":["everything"]}',
        '{"op":"subscribe","topics":["candle"]}',
        '{"op":"subscribe","topics":["ticker"],"timeframe":"1m"}',
        '{"op":"ping","colour":"red"}',
        "[" * 10_000,
    ],
)
async def test_what_is_not_understood_ends_the_conversation(text: str) -> None:
    async with a_server() as served, listening(served, served.token()) as listener:
        await listener.socket.send_message(text)
        assert await closed_with(listener) == 4400
        assert await served.alive()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"op":"dance"}', "op must be one of auth, ping, subscribe, unsubscribe, was dance"),
        ('{"op":"subscribe","symbol":"BTC"}', "symbol must be a trading symbol such as tBTCUSD, was BTC"),
        (
            '{"op":"ping","colour":"red"}',
            "a field must be one of op, token, topics, symbol, timeframe, id, epoch, since, was",
        ),
        ('{"op":"subscribe","topics":["everything"]}', "topics[0] must be one of "),
        ('{"op":"subscribe","topics":["' + "\U0001f600" * 40 + '"]}', "topics[0] must be one of "),
        ("{", "the message must be JSON"),
        ("[" * 10_000, "the message must be JSON"),
    ],
)
async def test_what_is_not_understood_is_told_in_the_reason_of_the_close(text: str, reason: str) -> None:
    async with a_server() as served, listening(served, served.token()) as listener:
        await listener.socket.send_message(text)
        code, told = await closing(listener)
        assert code == 4400
        assert told.startswith(reason)


async def test_a_message_above_the_limit_and_a_flood_are_closed() -> None:
    async with a_server() as served:
        async with listening(served, served.token()) as listener:
            await listener.socket.send_message("x" * (QUICK.message_bytes + 1))
            assert await closed_with(listener) == 1009
        async with listening(served, served.token()) as listener:
            with pytest.raises(ConnectionClosed) as caught:
                for number in range(5000):
                    await listener.say(op="ping", id=number)
                await closed_with(listener)
            assert caught.value.reason is not None
        assert await served.alive()


async def test_an_expired_and_a_revoked_token_end_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.crier.LOOK_S", 0.05)
    async with a_server() as served:
        async with listening(served, served.token(life_s=600)) as listener:
            served.clock.ahead_s += 601
            assert await closed_with(listener) == 4401
        minted = served.tokens.mint(subject="me", scope=Scope.READ, life_s=600)
        async with listening(served, minted.token) as listener:
            served.tokens.revoke(minted.claims.jti)
            assert await closed_with(listener) == 4401


async def test_a_fresh_token_keeps_the_stream_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.crier.LOOK_S", 0.05)
    async with a_server() as served, listening(served, served.token(life_s=600)) as listener:
        await listener.say(op="auth", token=served.token(life_s=6000))
        assert (await listener.hear())["topic"] == "session"
        served.clock.ahead_s += 601
        await trio.sleep(0.3)
        await listener.say(op="ping", id=1)
        assert (await listener.hear_topic("pong"))["data"]["id"] == 1


@pytest.mark.parametrize("header", ["Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"])
async def test_a_page_elsewhere_cannot_open_the_stream(header: str) -> None:
    async with a_server() as served:
        stream = await served.connect()
        await stream.send_all(upgrade(served, header))
        with trio.fail_after(60):
            assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 403")
        await trio.aclose_forcefully(stream)
        assert await served.alive()


def upgrade(served: Served, header: str) -> bytes:
    """The request that opens the stream, with one more header."""
    return (
        f"GET /api/v2/stream HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{header}\r\n\r\n"
    ).encode()


async def test_stopping_says_going_away_and_ends_at_once() -> None:
    async with a_server() as served:
        async with listening(served, served.token()) as listener:
            served.stopping.set()
            assert await closed_with(listener) == 1001
    assert served.ended_in < QUICK.grace_s + 0.3


async def a_deaf_client(served: Served) -> trio.SocketStream:
    """Signs in, subscribes to everything, and never reads again."""
    sock = trio.socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    await sock.connect(("127.0.0.1", served.port))
    stream = trio.SocketStream(sock)
    await stream.send_all(upgrade(served, f"Sec-WebSocket-Protocol: bearer.{served.token()}"))
    await stream.receive_some(1024)
    text = b'{"op":"subscribe","topics":["trade","ticker"]}'
    await stream.send_all(bytes([0x81, 0x80 | len(text)]) + b"\x00\x00\x00\x00" + text)
    return stream


async def test_a_client_that_does_not_read_is_closed_and_costs_nobody_anything() -> None:
    async with a_server() as served, listening(served, served.token()) as good:
        await good.say(op="subscribe", topics=["trade"])
        await good.hear_topic("trade")
        deaf = await a_deaf_client(served)
        kinds: set[str] = set()

        async def read() -> None:
            while True:
                kinds.add((await good.hear_topic("trade"))["kind"])

        async with trio.open_nursery() as nursery:
            # Whatever comes: who reads one of two hundred is slow as well.
            nursery.start_soon(read)
            with trio.fail_after(60):
                number = 1000
                while len(served.hub) != 1 or number == 1000:
                    for _ in range(200):
                        number += 1
                        publish_event(served.hub, a_fill(number))
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
        assert "update" in kinds <= {"update", "missed"}
        assert served.site.counters.slow_closed == 1
        await trio.aclose_forcefully(deaf)


class Reader:
    """What a raw client reads, frame by frame; None is a ping."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._peer = Peer(ConnectionType.CLIENT)
        self._text = ""
        self._whole: deque[Any] = deque()

    async def next(self) -> Any:
        while not self._whole:
            with trio.fail_after(60):
                self._peer.receive_data(await self._stream.receive_some(65_536))
            for event in self._peer.events():
                if isinstance(event, Ping):
                    self._whole.append(None)
                    continue
                assert isinstance(event, TextMessage)
                self._text += event.data
                if event.message_finished:
                    self._whole.append(msgspec.json.decode(self._text))
                    self._text = ""
        return self._whole.popleft()


async def test_what_hypercorn_sends_goes_behind_the_rest_of_what_was_told() -> None:
    async with a_server(attrs.evolve(QUICK, send_s=20)) as served:
        stream = await a_deaf_client(served)
        await until(lambda: len(served.hub) == 1)
        line: Any = served.hub.subscribers[0].ear._line  # type: ignore[union-attr]
        while line.tell(b'{"frame":0,"text":"%b"}' % (b"x" * 1_000_000)):
            pass
        async with trio.open_nursery() as nursery:
            nursery.start_soon(line.send, RawData(PING))
            reader = Reader(stream)
            while await reader.next() is not None:
                pass
        await trio.aclose_forcefully(stream)


async def test_a_client_whose_socket_was_full_gets_every_frame_whole_and_in_order() -> None:
    async with a_server(attrs.evolve(QUICK, send_s=20, ping_s=0.05)) as served:
        stream = await a_deaf_client(served)
        await until(lambda: len(served.hub) == 1)
        [subscriber] = served.hub.subscribers
        number = 0
        while not subscriber.held:
            number += 100
            for step in range(100):
                publish_event(served.hub, a_fill(number + step))
            await trio.sleep(0.005)
        publish_event(served.hub, a_ticker(last=7.0))
        frames: list[int] = []
        last, pings = 0.0, 0
        reader = Reader(stream)
        while last != 7.0 or not pings:
            event = await reader.next()
            if event is None:
                pings += 1
                continue
            frames.append(event["frame"])
            for message in event["messages"]:
                if message["topic"] == "ticker" and message["kind"] == "update":
                    last = message["data"]["last"]
        assert frames == list(range(1, len(frames) + 1))
        await trio.aclose_forcefully(stream)


async def test_every_stream_is_asked_for_a_sign_of_life() -> None:
    async with a_server(attrs.evolve(QUICK, ping_s=0.1, silence_s=4.0)) as served:
        async with listening(served, served.token()) as listener:
            deaf = await a_deaf_client(served)
            # The one answers pings by itself; the other says nothing, and is let go.
            await until(lambda: served.site.counters.timed_out == 1)
            await listener.say(op="ping", id=3)
            assert (await listener.hear_topic("pong"))["data"]["id"] == 3
        await trio.aclose_forcefully(deaf)


async def test_the_server_ends_within_its_grace_while_stream_clients_do_not_read() -> None:
    limits = ServerLimits(send_s=60, grace_s=0.5)
    async with a_server(limits) as served:
        deaf = [await a_deaf_client(served) for _ in range(3)]
        with trio.move_on_after(0.6):
            number = 0
            while True:
                for _ in range(500):
                    number += 1
                    publish_event(served.hub, a_fill(number))
                await trio.sleep(0.01)
    assert served.ended_in < limits.grace_s + 0.7
    for stream in deaf:
        await trio.aclose_forcefully(stream)


async def test_a_client_that_vanishes_is_forgotten() -> None:
    async with a_server() as served:
        with trio.CancelScope() as scope:
            async with listening(served, served.token()) as listener:
                await listener.say(op="subscribe", topics=["trade"])
                await listener.hear_topic("trade")
                assert len(served.hub) == 1
                scope.cancel()
                await trio.sleep_forever()
        await until(lambda: len(served.hub) == 0)


async def test_a_client_that_comes_back_is_told_only_what_it_missed() -> None:
    async with a_server() as served:
        token = served.token()
        async with listening(served) as listener:
            await listener.say(op="auth", token=token)
            epoch = (await listener.hear())["data"]["epoch"]
            await listener.say(op="subscribe", topics=["trade"])
            assert (await listener.hear_topic("trade"))["kind"] == "snapshot"
            publish_event(served.hub, a_fill(100))
            seen = (await listener.hear_topic("trade"))["seq"]
        for number in (101, 102):
            publish_event(served.hub, a_fill(number))
        async with listening(served, token) as listener:
            await listener.say(op="subscribe", topics=["trade", "wallet"], epoch=epoch, since={"trade": seen})
            resumed = await listener.hear_topic("trade")
            assert (resumed["kind"], resumed["data"]) == ("resumed", 2)
            missed = [await listener.hear_topic("trade") for _ in range(2)]
            assert [(one["kind"], one["data"]["trade_id"]) for one in missed] == [("update", 101), ("update", 102)]
            publish_event(served.hub, a_fill(103))
            assert (await listener.hear_topic("trade"))["seq"] == missed[-1]["seq"] + 1
        async with listening(served, token) as listener:
            await listener.say(op="subscribe", topics=["trade"], epoch="another process", since={"trade": seen})
            assert (await listener.hear_topic("trade"))["kind"] == "snapshot"
            await listener.say(op="subscribe", topics=["trade"], epoch=epoch, since={"trade": 10**9})
            assert (await listener.hear_topic("trade"))["kind"] == "snapshot"
            await listener.say(op="subscribe", topics=["wallet"], epoch=epoch, since={"wallet": 0})
            assert (await listener.hear_topic("wallet"))["kind"] == "snapshot"


async def test_each_symbol_that_is_asked_for_by_itself_goes_on_where_it_stopped() -> None:
    def a_trade_of(symbol: str, number: int) -> None:
        publish_event(served.hub, msgspec.structs.replace(a_fill(number), symbol=Symbol(symbol)))

    async with a_server() as served:
        token = served.token()
        async with listening(served) as listener:
            await listener.say(op="auth", token=token)
            epoch = (await listener.hear())["data"]["epoch"]
            await listener.say(op="subscribe", topics=["trade"])
            await listener.hear_topic("trade")
            a_trade_of("tBTCUSD", 100)
            seen = (await listener.hear_topic("trade"))["seq"]
        a_trade_of("tBTCUSD", 101)
        a_trade_of("tETHUSD", 102)
        async with listening(served, token) as listener:
            for symbol, number in (("tBTCUSD", 101), ("tETHUSD", 102)):
                await listener.say(op="subscribe", topics=["trade"], symbol=symbol, epoch=epoch, since={"trade": seen})
                resumed = await listener.hear_topic("trade")
                assert (resumed["kind"], resumed["data"]) == ("resumed", 1)
                assert (await listener.hear_topic("trade"))["data"]["trade_id"] == number
            a_trade_of("tETHUSD", 103)
            assert (await listener.hear_topic("trade"))["data"]["trade_id"] == 103


async def test_over_tls_a_client_that_reads_late_hears_every_frame_whole_and_in_order() -> None:
    """There the socket takes nothing at once: each frame is sent by the client's own task."""
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    async with a_server(attrs.evolve(QUICK, send_s=20, ping_s=0.05), tls=server) as served:
        async with open_websocket_url(served.stream.replace("ws:", "wss:"), ssl_context=client) as connection:
            listener = Listener(connection)
            await listener.say(op="auth", token=served.token())
            assert (await listener.hear())["topic"] == "session"
            await listener.say(op="subscribe", topics=["trade", "ticker"])
            heard = {(await listener.hear())["topic"] for _ in range(2)}
            assert heard == {"trade", "ticker"}
            [subscriber] = served.hub.subscribers
            for number in range(100, 2100):
                publish_event(served.hub, a_fill(number))
                if number % 100 == 0:
                    await trio.sleep(0.01)
            publish_event(served.hub, a_ticker(last=7.0))
            last, trades, missed = 0.0, [0], 0
            while last != 7.0:
                message = await listener.hear()
                if message["kind"] == "missed":
                    missed += message["data"]
                elif message["topic"] == "trade":
                    trades.append(message["seq"])
                elif message["kind"] == "update":
                    last = message["data"]["last"]
            assert trades == sorted(set(trades))
            assert len(trades) - 1 + missed == 2000
            assert subscriber.missed_total == missed
