"""A venue whose every word a test can choose: real loopback sockets, correct by itself until told to misbehave."""

import contextlib
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import attrs
import msgspec
import trio
import trio_websocket

from protocols.bitfinex.auth import AuthClaim, read_auth_event
from protocols.bitfinex.events import (
    auth_accepted_event,
    auth_refused_event,
    conf_answer,
    error_event,
    info_event,
    notice_event,
    pong_event,
    subscribed_event,
    unsubscribed_event,
)
from protocols.bitfinex.subscriptions import Subscription, read_subscription

TIME_MS = 1_700_000_000_000
CAPS = {"orders": {"read": 1, "write": 1}, "withdraw": {"read": 0, "write": 0}}


@attrs.frozen
class Conf:
    flags: int


@attrs.frozen
class Ping:
    cid: int


@attrs.frozen
class Subscribe:
    request: dict[str, Any]


@attrs.frozen
class Unsubscribe:
    channel_id: int


@attrs.frozen
class Authenticate:
    claim: AuthClaim


@attrs.frozen
class Input:
    frame: list[Any]


Asked = Conf | Ping | Subscribe | Unsubscribe | Authenticate | Input


def read_asked(frame: bytes) -> Asked:
    value = msgspec.json.decode(frame)
    if isinstance(value, list):
        return Input(value)
    match value["event"]:
        case "conf":
            return Conf(value["flags"])
        case "ping":
            return Ping(value["cid"])
        case "subscribe":
            return Subscribe(value)
        case "unsubscribe":
            return Unsubscribe(value["chanId"])
        case "auth":
            return Authenticate(read_auth_event(value))
        case other:
            raise AssertionError(f"a client must not ask for {other}")


async def eventually(condition: Callable[[], bool], *, within_s: float = 300.0) -> None:
    """Wait in virtual time; every look gives the real sockets a little real time."""
    with trio.fail_after(within_s):
        while not condition():  # noqa: ASYNC110  (counters have no event to wait for)
            await trio.sleep(0.25)


@attrs.define(eq=False)
class PeerSocket:
    """One socket as the venue has it. `seq` and `auth_seq` are the last numbers said."""

    venue: "ScriptedVenue"
    connection: trio_websocket.WebSocketConnection
    channels: dict[Subscription, int] = attrs.field(factory=dict)
    heard: list[Any] = attrs.field(factory=list)
    inputs: list[list[Any]] = attrs.field(factory=list)
    flags: int = 0
    seq: int = 0
    auth_seq: int = 0
    calculated: int = 0
    """How often calculated values were asked for."""

    async def say(self, frame: bytes) -> None:
        with contextlib.suppress(trio_websocket.ConnectionClosed):
            await self.connection.send_message(frame.decode())

    async def data(self, stream: Subscription, *payload: Any) -> None:
        self.seq += 1
        await self.say(msgspec.json.encode([self.channels[stream], *payload, self.seq, self.venue.time_ms]))

    async def at_once(self, told: Sequence[tuple[Subscription, Any]]) -> None:
        """Short frames in one write, so that they are read together."""
        written = b""
        for stream, payload in told:
            self.seq += 1
            frame = msgspec.json.encode([self.channels[stream], *payload, self.seq, self.venue.time_ms])
            assert len(frame) < 126
            written += bytes((0x81, len(frame))) + frame
        await self.connection._stream.send_all(written)

    async def account(self, kind: str, payload: Any) -> None:
        self.seq += 1
        if kind == "hb":
            await self.say(msgspec.json.encode([0, "hb", self.seq, self.venue.time_ms]))
        elif kind == "n":
            self.seq -= 1
            await self.say(msgspec.json.encode([0, "n", payload]))
        else:
            if self.snapshots_done:
                self.auth_seq += 1
            await self.say(msgspec.json.encode([0, kind, payload, self.seq, self.auth_seq, self.venue.time_ms]))

    snapshots_done: bool = False

    async def notice(self, code: int) -> None:
        await self.say(notice_event(code, "as the test says"))

    async def cut(self) -> None:
        """The stream ends without a goodbye."""
        await self.connection._stream.aclose()

    async def run(self) -> None:
        venue = self.venue
        if venue.lost_infos:
            venue.lost_infos -= 1
        else:
            await self.say(info_event(server_id="scripted", operative=venue.operative))
        with contextlib.suppress(trio_websocket.ConnectionClosed, trio.ClosedResourceError):
            while True:
                text = await self.connection.get_message()
                await self._answer(text.encode() if isinstance(text, str) else text)

    async def _answer(self, frame: bytes) -> None:
        venue = self.venue
        asked = read_asked(frame)
        self.heard.append(asked)
        if venue.deaf:
            return
        match asked:
            case Conf():
                self.flags = asked.flags
                if venue.lost_confs:
                    venue.lost_confs -= 1
                    return
                await self.say(conf_answer(asked.flags))
            case Ping():
                if venue.answers_pings:
                    await self.say(pong_event(cid=asked.cid, time_ms=venue.time_ms))
            case Subscribe():
                stream = read_subscription(asked.request)
                if stream in venue.unanswered:
                    return
                if stream in venue.refused:
                    code, text = venue.refused[stream]
                    await self.say(error_event(code, text, asked.request))
                    return
                self.channels[stream] = next(venue.numbers)
                await self.say(subscribed_event(stream, self.channels[stream]))
                await self._snapshot(stream)
            case Unsubscribe():
                for stream, channel in list(self.channels.items()):
                    if channel == asked.channel_id:
                        del self.channels[stream]
                await self.say(unsubscribed_event(asked.channel_id))
            case Authenticate():
                await self._authenticate(asked)
            case Input() if asked.frame[1] == "calc":
                self.calculated += 1
                await self.account("bu", [10_000, 10_000])
            case Input():
                self.inputs.append(asked.frame)

    async def _snapshot(self, stream: Subscription) -> None:
        if stream.channel == "book":
            await self.data(stream, [[100.0, 1, 2.0], [101.0, 1, -3.0]])
        elif stream.channel == "candles":
            await self.data(stream, [[TIME_MS, 1.0, 2.0, 3.0, 0.5, 10.0]])
        elif stream.channel == "trades":
            await self.data(stream, [[number, TIME_MS + number, 1.0, 100.0] for number in self.venue.last_trades])
        else:
            await self.data(stream, [100.0, 1.0, 101.0, 1.0, 0.0, 0.0, 100.5, 5.0, 102.0, 99.0])

    async def _authenticate(self, asked: Authenticate) -> None:
        venue = self.venue
        venue.nonces.append(asked.claim.nonce)
        venue.claims.append(asked.claim)
        if venue.auth_refusals:
            code, text = venue.auth_refusals.popleft()
            await self.say(auth_refused_event(code, text))
            return
        if venue.lost_acceptances:
            venue.lost_acceptances -= 1
        else:
            await self.say(auth_accepted_event(user_id=7, auth_id="scripted", caps=venue.caps))
        if venue.snapshots:
            await self.account("ps", [])
            if venue.lost_snapshots:
                venue.lost_snapshots -= 1
                self.seq += 1
                return
            await self.account("ws", [["exchange", "USD", 10_000, 0, 10_000, None, None]])
            await self.account("os", venue.open_orders)
            self.snapshots_done = True


@attrs.define(eq=False)
class ScriptedVenue:
    """What it does by itself, in attributes that a test may change at any time."""

    uri: str = ""
    sockets: list[PeerSocket] = attrs.field(factory=list)
    refusals: deque[int] = attrs.field(factory=deque)
    refused: dict[Subscription, tuple[int, str]] = attrs.field(factory=dict)
    unanswered: set[Subscription] = attrs.field(factory=set)
    auth_refusals: deque[tuple[int, str]] = attrs.field(factory=deque)
    nonces: list[int] = attrs.field(factory=list)
    claims: list[Any] = attrs.field(factory=list)
    open_orders: list[Any] = attrs.field(factory=list)
    caps: dict[str, dict[str, int]] = attrs.field(factory=lambda: dict(CAPS))
    last_trades: tuple[int, ...] = (1, 2, 3)
    operative: bool = True
    answers_pings: bool = True
    deaf: bool = False
    snapshots: bool = True
    lost_infos: int = 0
    """So many sockets never get the venue's first word."""
    lost_confs: int = 0
    lost_acceptances: int = 0
    """So many logins are told by their snapshots alone."""
    lost_snapshots: int = 0
    """So many logins end behind their first snapshot: the rest of their frames never arrives."""
    time_ms: int = TIME_MS
    dialled_at: list[float] = attrs.field(factory=list)
    numbers: Any = attrs.field(factory=lambda: itertools.count(11))

    @property
    def socket(self) -> PeerSocket:
        return self.sockets[-1]

    async def _accept(self, request: trio_websocket.WebSocketRequest) -> None:
        self.dialled_at.append(trio.current_time())
        with contextlib.suppress(trio_websocket.ConnectionClosed, trio.BrokenResourceError):
            if self.refusals:
                await request.reject(self.refusals.popleft())
                return
            connection = await request.accept()
            socket = PeerSocket(self, connection)
            self.sockets.append(socket)
            await socket.run()

    async def heartbeats(self, every_s: float = 15.0) -> None:
        """Beat on every channel of every socket, as the venue does; start it in a nursery."""
        while True:
            await trio.sleep(every_s)
            for socket in self.sockets:
                if socket.connection.closed is None:
                    for stream in list(socket.channels):
                        await socket.data(stream, "hb")
                    if socket.snapshots_done:
                        await socket.account("hb", None)


@contextlib.asynccontextmanager
async def scripted_venue() -> AsyncIterator[ScriptedVenue]:
    venue = ScriptedVenue()
    async with trio.open_nursery() as nursery:
        server = await nursery.start(trio_websocket.serve_websocket, venue._accept, "127.0.0.1", 0, None)
        venue.uri = f"ws://127.0.0.1:{server.port}/ws/2"
        yield venue
        nursery.cancel_scope.cancel()
