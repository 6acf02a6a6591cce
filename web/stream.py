"""The event stream at /api/v2/stream: one client's conversation, from its token to its close.

Client: `{"op":"auth","token":"..."}` first (or the subprotocols `genesis.v2` and `bearer.<token>`), then
`{"op":"subscribe","topics":[...],"symbol":"tBTCUSD","timeframe":"1m"}`, `unsubscribe`, `ping`, and `auth` again with a
fresh token before the old one expires.
After a lost connection `{"op":"subscribe","topics":[...],"epoch":"...","since":{"trade":17}}` goes on where it stopped:
a topic that still knows what came after its number says `resumed` and tells that, any other begins with a snapshot.
Server: frames `{"frame":n,"messages":[{"topic","kind","seq","data"},...]}`; `frame` rises by one, `seq` by topic.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Literal, Protocol

import h11
import msgspec
import trio
from quart import websocket

from web.api import ANONYMOUS, Api
from web.bodies import SymbolText, TimeframeText
from web.errors import ApiError
from web.faults import refusal, sent_in
from web.hub import TOPICS, Subscriber, encode_message
from web.limits import RateLimit
from web.server import LINE
from web.tokens import Claims

SUBPROTOCOL: Final = "genesis.v2"
BEARER_PROTOCOL: Final = "bearer."
AUTH_WITHIN_S: Final = 5.0
SLOW_AFTER_S: Final = 5.0
MAX_CLIENTS: Final = 1200
MAX_PLACES: Final = 64
OPS_PER_S: Final = 20.0
OPS_BURST: Final = 100.0

REASON_BYTES: Final = 123
GOING_AWAY: Final = 1001
BAD_MESSAGE: Final = 4400
UNAUTHORIZED: Final = 4401
TOO_SLOW: Final = 4408
TOO_MANY: Final = 4429

TopicName = Literal[
    "status",
    "ticker",
    "candle",
    "wallet",
    "position",
    "protection",
    "order",
    "trade",
    "signal",
    "regime",
    "verdict",
    "risk",
    "equity",
    "actor",
    "connection",
    "freshness",
    "notification",
    "job",
    "config",
]


class ClientSays(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every message a client may send; which fields count depends on `op`."""

    op: Literal["auth", "subscribe", "unsubscribe", "ping"]
    token: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    topics: Annotated[tuple[TopicName, ...], msgspec.Meta(max_length=len(TOPICS))] = ()
    symbol: SymbolText | None = None
    timeframe: TimeframeText | None = None
    id: int | None = None
    epoch: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    since: dict[TopicName, Annotated[int, msgspec.Meta(ge=0)]] = {}


class _Close(Exception):
    """The conversation is over, for this reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


_decode = msgspec.json.Decoder(ClientSays).decode


class Line(Protocol):
    """A client's socket beneath its protocol, which takes whole text frames without waiting."""

    def tell(self, text: bytes) -> bool:
        """Send at once; False when the socket did not take all of it."""
        ...

    async def flush(self) -> None:
        """Send what is left."""
        ...


class Conversation:
    """One client: what it says is heard here, and what it is told comes from the crier, for whom this is the ear."""

    def __init__(self, api: Api, *, address: str, receive: Callable[[], Awaitable[str | bytes]], line: Line) -> None:
        self._api = api
        self._address = address
        self._receive = receive
        self._line = line
        self._subscriber = Subscriber(ear=self)
        self._snapshots = api.snapshots
        self._full = trio.Event()
        """The socket has not taken all of a frame."""
        self._end: _Close | None = None
        self._talk = trio.CancelScope()
        self._ops = RateLimit(per_s=OPS_PER_S, burst=OPS_BURST)
        self._claims: Claims | None = None
        self._frame = 0

    async def run(self, bearer: str | None) -> tuple[int, str]:
        """Serve until it ends; gives the close code and reason."""
        hub = self._api.hub
        if len(hub) >= MAX_CLIENTS:
            return TOO_MANY, "too many stream clients"
        try:
            await self._authenticate(bearer)
            hub.add(self._subscriber)
            peak = self._api.metrics.stream_clients_peak
            peak.set(max(len(hub), peak._value.get()))
            with self._talk:
                async with trio.open_nursery() as nursery:
                    for part in (self._listen, self._push, self._watch_stop):
                        nursery.start_soon(self._until_end, part)
        except _Close as close:
            self._end = self._end or close
        finally:
            hub.remove(self._subscriber)
        return (1000, "") if self._end is None else (self._end.code, self._end.reason)

    async def _until_end(self, part: Callable[[], Awaitable[None]]) -> None:
        try:
            await part()
        except _Close as close:
            self._ends(close)

    def _ends(self, close: _Close) -> None:
        self._end = self._end or close
        self._talk.cancel()

    async def _authenticate(self, bearer: str | None) -> None:
        if bearer is None and self._api.open_access:
            self._accept(self._api.everybody())
            return
        if bearer is None:
            with trio.move_on_after(AUTH_WITHIN_S) as scope:
                said = self._parse(await self._receive())
            if scope.cancelled_caught:
                raise _Close(UNAUTHORIZED, f"a token must come within {AUTH_WITHIN_S:.0f} s")
            if said.op != "auth" or said.token is None:
                raise _Close(UNAUTHORIZED, "the first message must be auth with a token")
            bearer = said.token
        self._accept_token(bearer)

    def _accept_token(self, bearer: str) -> None:
        try:
            claims = self._api.claims_of(bearer, self._address)
            self._api.admit(claims, self._address, None)
        except ApiError as error:
            raise _Close(UNAUTHORIZED, error.message) from None
        if claims is not None:
            self._accept(claims)

    def _accept(self, claims: Claims) -> None:
        self._claims = claims
        self._tell(
            "session",
            {
                "scope": claims.scope.word,
                "user_id": claims.subject,
                "expires_ms": claims.expires_s * 1000,
                "dev": self._api.tokens.dev,
                "epoch": self._epoch,
                "topics": TOPICS,
            },
        )

    @property
    def _epoch(self) -> str:
        """Sequence numbers begin anew with each process."""
        return str(self._api.readers.status().started_ms)

    def _tell(self, topic: str, data: object) -> None:
        self._subscriber.tell(encode_message(topic, "direct", 0, data))

    def _parse(self, text: str | bytes) -> ClientSays:
        try:
            return _decode(text)
        except msgspec.ValidationError as error:
            raise _Close(BAD_MESSAGE, _wrong(error, text)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _Close(BAD_MESSAGE, f"the message must be JSON: {error}") from None

    async def _listen(self) -> None:
        while True:
            said = self._parse(await self._receive())
            if self._ops.take("", self._api.clock.now()) > 0:
                raise _Close(TOO_MANY, "too many messages")
            match said.op:
                case "auth" if said.token is not None:
                    self._accept_token(said.token)
                case "subscribe":
                    # All snapshots go out in one frame, so that a page is not drawn piece by piece.
                    self._subscriber.hold()
                    try:
                        await self._subscribe(said)
                    finally:
                        self._subscriber.release()
                case "unsubscribe":
                    self._unsubscribe(said)
                case "ping":
                    self._tell("pong", {"id": said.id, "venue_ms": self._api.readers.status().venue_ms})
                case _:
                    raise _Close(BAD_MESSAGE, "auth needs a token")

    async def _subscribe(self, said: ClientSays) -> None:
        subscriber = self._subscriber
        place = tuple(part for part in (said.symbol, said.timeframe) if part is not None)
        if said.timeframe is not None and said.symbol is None:
            raise _Close(BAD_MESSAGE, "timeframe needs a symbol")
        goes_on = said.epoch == self._epoch
        for topic in said.topics:
            if topic == "candle" and len(place) != 2:
                raise _Close(BAD_MESSAGE, "candle needs symbol and timeframe")
            resumes = goes_on and topic in said.since
            if resumes or self._snapshots.kept(topic, place) is None:
                # Reading and encoding a few hundred rows takes a while: others go between two topics.
                await self._api.hub.quiet_over()
            fresh = topic not in subscriber.topics
            places = subscriber.places.setdefault(topic, set())
            if not place:
                self._leave(topic, *places)
            elif fresh or places:
                places.add(place)
            if len(places) > MAX_PLACES:
                raise _Close(BAD_MESSAGE, f"at most {MAX_PLACES} symbols for a topic")
            subscriber.topics.add(topic)
            if fresh or not place:
                subscriber.since.pop(topic, None)
            if not (resumes and self._resume(topic, said.since[topic], place)):
                # The snapshot carries the sequence it is as new as: what is published from now on has a higher one.
                for body in self._snapshots.kept(topic, place) or self._snapshots.make(topic, place):
                    subscriber.tell(body)
            if fresh or not place:
                subscriber.since[topic] = self._api.hub.serial
            elif place in places:
                subscriber.joined[topic, place] = self._api.hub.serial

    def _leave(self, topic: str, *left: tuple[str, ...]) -> None:
        places = self._subscriber.places.get(topic, set())
        for place in left:
            places.discard(place)
            self._subscriber.joined.pop((topic, place), None)

    def _resume(self, topic: str, seq: int, place: tuple[str, ...]) -> bool:
        """Tell what was missed of a topic, or of a place of it, since `seq`; False when that is not known any more."""
        missed = self._api.hub.since(topic, seq)
        if missed is None:
            return False
        # Whatever else of the topic is told already goes on by itself.
        wanted = [message for message in missed if message.place[: len(place)] == place]
        if len(wanted) > self._subscriber.limit:
            return False
        newest = self._api.hub.sequence(topic)
        self._subscriber.tell(encode_message(topic, "resumed", newest, len(wanted)))
        for message in wanted:
            self._subscriber.tell(message.body)
        return True

    def _unsubscribe(self, said: ClientSays) -> None:
        place = tuple(part for part in (said.symbol, said.timeframe) if part is not None)
        for topic in said.topics or TOPICS:
            places = self._subscriber.places.get(topic, set())
            self._leave(topic, *(tuple(places) if not place else (place,)))
            if not place or not places:
                self._subscriber.topics.discard(topic)
                self._subscriber.places.pop(topic, None)

    def hear(self, messages: bytes) -> None:
        """Send a frame of messages, joined by commas. What the socket does not take is sent by `_push`, and until then
        the crier passes by: what is published meanwhile is conflated."""
        self._frame += 1
        if not self._line.tell(b'{"frame":%d,"messages":[%b]}' % (self._frame, messages)):
            self._subscriber.hold()
            self._full.set()

    async def _push(self) -> None:
        clock = self._api.clock
        while True:
            await self._full.wait()
            self._full = trio.Event()
            started = clock.now()
            await self._line.flush()
            if clock.now() - started > SLOW_AFTER_S:
                self._api.metrics.slow_clients.inc()
                raise _Close(TOO_SLOW, f"did not read for {SLOW_AFTER_S:.0f} s")
            self._subscriber.release()

    def look(self) -> None:
        """End it when its token is none any more."""
        claims = self._claims
        if claims is None:
            self._ends(_Close(UNAUTHORIZED, "no token"))
        elif claims.jti == ANONYMOUS:
            pass
        elif self._api.clock.wall_ms() >= claims.expires_s * 1000:
            self._ends(_Close(UNAUTHORIZED, "the token has expired"))
        elif self._api.tokens.is_revoked(claims):
            self._ends(_Close(UNAUTHORIZED, "the token was revoked"))

    async def _watch_stop(self) -> None:
        await self._api.stopping.wait()
        raise _Close(GOING_AWAY, "the engine is stopping")


def _wrong(error: msgspec.ValidationError, text: str | bytes) -> str:
    try:
        sent = sent_in(text)
    except (ValueError, RecursionError):
        return "the message must be JSON"
    return refusal(error, sent, ClientSays, whole="the message").message


def token_in(subprotocols: list[str]) -> str | None:
    """The token that came as a subprotocol, or None."""
    for text in subprotocols:
        if text.startswith(BEARER_PROTOCOL):
            return text[len(BEARER_PROTOCOL) :]
    return None


async def stream(api: Api) -> None:
    """The WebSocket route."""
    asked = list(websocket.requested_subprotocols)
    try:
        await websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in asked else None)
    except h11.LocalProtocolError:
        # It left, or spoke again, before it was answered: nobody is there to listen, and that is not our mistake.
        return
    conversation = Conversation(
        api,
        address=websocket.remote_addr or "",
        receive=websocket.receive,
        line=websocket.scope["state"][LINE],
    )
    code, reason = await conversation.run(token_in(asked))
    # The protocol has room for 123 bytes of a reason.
    await websocket.close(code, reason.encode()[:REASON_BYTES].decode(errors="ignore"))
