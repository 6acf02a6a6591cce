"""One TCP connection of a client: HTTP/1.1 requests, or after an upgrade one WebSocket conversation.

h11 reads the requests and wsproto the client's frames, but for those of the plainest shape, which nearly all have. What
the exchange says is framed here and written in batches: a replay at full speed says tens of thousands of frames a
second, and a write for each would be most of its time.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import h11
import trio
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError, generate_accept_token

from genesis.core.channel import Doorbell
from genesis.simulator.session import Session

LARGEST_BODY: Final = 1024 * 1024
LARGEST_MESSAGE: Final = 1024 * 1024
READ_SIZE: Final = 65_536
GOODBYE_S: Final = 2.0

_PLAIN_HEAD: Final = re.compile(
    rb"(GET|POST) ([!-~]+) HTTP/1\.1\r\n((?:[-!#$%&'*+.^_`|~0-9A-Za-z]+: [!-~](?:[ -~]*[!-~])?\r\n)+)\r\n"
)
_NOT_PLAIN: Final = frozenset({"transfer-encoding", "expect", "upgrade"})


@attrs.frozen(kw_only=True)
class HttpRequest:
    """`target` is the raw path with its query; header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    peer: str


@attrs.frozen(kw_only=True)
class HttpResponse:
    """Of status 0 nothing is said: the connection ends."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]
OpenSession = Callable[[HttpRequest], "Session | HttpResponse"]
"""Says yes to a WebSocket handshake with a session, or no with an HTTP answer."""


def text_frame(payload: bytes) -> bytes:
    """A whole text message in one frame, unmasked as a server sends it (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def whole_texts(data: bytes) -> list[str] | None:
    """The messages of a client, where a read is nothing but whole ones in one short frame each: so nearly all are.

    None for anything else, as for what breaks a rule: that is the protocol's to judge.
    """
    texts: list[str] = []
    at, end = 0, len(data)
    while at < end:
        if end - at < 6 or data[at] != 0x81 or data[at + 1] < 0x80:
            return None
        size, body = data[at + 1] & 0x7F, at + 6
        if size == 126 and end - at >= 8:
            size, body = int.from_bytes(data[at + 2 : at + 4], "big"), at + 8
            if size < 126:
                return None
        elif size > 125:
            return None
        at = body + size
        if at > end:
            return None
        mask = (data[body - 4 : body] * (size // 4 + 1))[:size]
        text = int.from_bytes(data[body:at], "big") ^ int.from_bytes(mask, "big")
        try:
            texts.append(text.to_bytes(size, "big").decode())
        except UnicodeDecodeError:
            return None
    return texts


def whole_request(data: bytes, peer: str) -> HttpRequest | None:
    """The request of a client, where a read is nothing but one whole one, plainly written, with its line kept open.

    None for anything else, as for what breaks a rule: that is the protocol's to judge.
    """
    head = _PLAIN_HEAD.match(data)
    if head is None:
        return None
    lines = head[3].decode("ascii").split("\r\n")[:-1]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    size = headers.get("content-length", "0")
    if (
        len(headers) != len(lines)
        or "host" not in headers
        or not _NOT_PLAIN.isdisjoint(headers)
        or headers.get("connection", "keep-alive") != "keep-alive"
        or not (size.isdigit() and len(size) < 7)
        or len(data) - head.end() != int(size)
    ):
        return None
    return HttpRequest(
        method=head[1].decode("ascii"),
        target=head[2].decode("ascii"),
        headers=headers,
        body=data[head.end() :],
        peer=peer,
    )


def whole_answer(answer: HttpResponse) -> bytes:
    """Its bytes, as h11 writes them."""
    lines = (
        f"HTTP/1.1 {answer.status} ",
        f"content-type: {answer.content_type}",
        f"content-length: {len(answer.body)}",
        "\r\n",
    )
    return "\r\n".join(lines).encode("ascii") + answer.body


def upgraded(request: HttpRequest) -> bytes | None:
    """The answer to a WebSocket's handshake (RFC 6455, 4.2), without extensions; None to one that is none."""
    headers = request.headers
    key = headers.get("sec-websocket-key")
    if (
        request.method != "GET"
        or key is None
        or headers.get("sec-websocket-version") != "13"
        or headers.get("upgrade", "").lower() != "websocket"
        or "upgrade" not in (token.strip().lower() for token in headers.get("connection", "").split(","))
    ):
        return None
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {generate_accept_token(key.encode('latin-1')).decode('ascii')}",
        "\r\n",
    )
    return "\r\n".join(lines).encode("ascii")


async def serve_client(
    stream: trio.abc.Stream,
    *,
    peer: str,
    handler: Handler,
    open_session: OpenSession,
    left: Callable[[Session], None],
) -> None:
    """Serve one connection to its end. Whatever the client does ends here."""
    try:
        await _serve_http(stream, peer, handler, open_session, left)
    except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
        return
    finally:
        with trio.move_on_after(GOODBYE_S, shield=True):
            await stream.aclose()


async def serve_http_only(stream: trio.abc.Stream, *, handler: Handler) -> None:
    """Serve a connection that speaks nothing but HTTP."""

    def no_websocket(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=404, body=b'{"error":"must be HTTP, was a WebSocket handshake"}')

    await serve_client(stream, peer="", handler=handler, open_session=no_websocket, left=lambda session: None)


async def _serve_http(
    stream: trio.abc.Stream, peer: str, handler: Handler, open_session: OpenSession, left: Callable[[Session], None]
) -> None:
    while (plain := whole_request(data := bytes(await stream.receive_some(READ_SIZE)), peer)) is not None:
        told = await handler(plain)
        if not told.status:
            return
        await stream.send_all(whole_answer(told))
    # From the first read of another shape on: part of a request may be left from one read to the next.
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    while True:
        request = await _read_request(connection, stream, peer)
        if request is None:
            return
        if request.headers.get("upgrade", "").lower() == "websocket":
            answer = open_session(request)
            if isinstance(answer, Session):
                await _serve_websocket(stream, request, connection.trailing_data[0], answer, left)
                return
        else:
            answer = await handler(request)
            if not answer.status:
                return
        headers = [("content-type", answer.content_type), ("content-length", str(len(answer.body)))]
        data = connection.send(h11.Response(status_code=answer.status, headers=headers))
        # send() returns None only for a connection that is over.
        await stream.send_all((data or b"") + (connection.send(h11.Data(data=answer.body)) or b""))
        connection.send(h11.EndOfMessage())
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            # The client wants to close, or asked for an upgrade that it was refused.
            return
        connection.start_next_cycle()


async def _read_request(connection: h11.Connection, stream: trio.abc.Stream, peer: str) -> HttpRequest | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = connection.send(h11.InformationalResponse(status_code=100, headers=[]))
                await stream.send_all(go_on or b"")
            connection.receive_data(bytes(await stream.receive_some(READ_SIZE)))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LARGEST_BODY:
                return None
        elif isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
            assert head is not None
            headers = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in head.headers}
            return HttpRequest(
                method=head.method.decode("ascii"),
                target=head.target.decode("ascii"),
                headers=headers,
                body=bytes(body),
                peer=peer,
            )
        else:
            # ConnectionClosed
            return None


async def _serve_websocket(
    stream: trio.abc.Stream, request: HttpRequest, early: bytes, session: Session, left: Callable[[Session], None]
) -> None:
    accepted = upgraded(request)
    if accepted is None:
        left(session)
        return
    protocol = Connection(ConnectionType.SERVER)
    bell = Doorbell()
    control = bytearray(accepted)
    """Bytes that are no data frame: the handshake's answer, pongs, the closing frame."""

    session.wake = bell.ring
    session.peer = request.peer
    try:
        async with trio.open_nursery() as nursery:
            session.abort = nursery.cancel_scope.cancel

            async def write() -> None:
                while True:
                    # The handshake's answer and pongs go first; then whatever frames have gathered.
                    frames, session.outgoing = session.outgoing, []
                    if frames or control or session.torn is not None:
                        data = bytes(control) + b"".join(map(text_frame, frames))
                        control.clear()
                        if session.torn is not None:
                            # Half a frame, then nothing: what a cut cable looks like from the other end.
                            whole = text_frame(session.torn)
                            await stream.send_all(data + whole[: len(whole) // 2])
                            nursery.cancel_scope.cancel()
                            return
                        session.unsent_bytes = len(data)
                        await stream.send_all(data)
                        session.unsent_bytes = 0
                        session.sent += len(frames)
                        session.drained()
                    elif protocol.state is ConnectionState.CLOSED:
                        # The client said goodbye, and our answer has gone out.
                        nursery.cancel_scope.cancel()
                        return
                    elif session.closing is not None:
                        code, reason = session.closing
                        await stream.send_all(protocol.send(CloseConnection(code=code, reason=reason)))
                        # Closing before the client has answered would reset the line under its last words.
                        nursery.cancel_scope.deadline = trio.current_time() + GOODBYE_S
                        return
                    else:
                        # Nothing is missed: all that rings leaves something that is looked at above.
                        await bell.wait()

            session.greet()
            nursery.start_soon(write)
            await _read_frames(stream, protocol, early, session, control, bell.ring)
            nursery.cancel_scope.cancel()
    except* (trio.BrokenResourceError, trio.ClosedResourceError, LocalProtocolError):
        pass
    finally:
        session.wake = lambda: None
        left(session)


async def _read_frames(
    stream: trio.abc.Stream,
    protocol: Connection,
    early: bytes,
    session: Session,
    control: bytearray,
    wake: Callable[[], None],
) -> None:
    parts: list[str | bytes | bytearray] = []
    size = 0
    data = early
    while (texts := whole_texts(data)) is not None:
        for text in texts:
            session.receive(text)
        data = bytes(await stream.receive_some(READ_SIZE))
        if not data:
            return
    # From the first read of another shape on: part of a frame may be left from one read to the next.
    while True:
        protocol.receive_data(data)
        try:
            for event in protocol.events():
                if isinstance(event, TextMessage | BytesMessage):
                    parts.append(event.data)
                    size += len(event.data)
                    if size > LARGEST_MESSAGE:
                        session.close(1009, "message too big")
                    elif event.message_finished:
                        session.receive(_text(parts))
                        parts, size = [], 0
                elif isinstance(event, Ping):
                    control += protocol.send(event.response())
                    wake()
                elif isinstance(event, CloseConnection) and session.closing is not None:
                    return
                elif isinstance(event, CloseConnection):
                    control += protocol.send(event.response())
                    wake()
                    await trio.sleep(GOODBYE_S)
                    return
        except RemoteProtocolError as error:
            if error.event_hint is not None:
                control += protocol.send(error.event_hint)
                wake()
                await trio.sleep(GOODBYE_S)
            return
        data = bytes(await stream.receive_some(READ_SIZE))
        if not data:
            return


def _text(parts: list[str | bytes | bytearray]) -> str:
    """A whole message. A binary one counts as text, as it does for the venue, whose own Go client sends nothing else;
    bytes that are no UTF-8 become marks that no JSON has.
    """
    return "".join(part for part in parts if isinstance(part, str)) or b"".join(
        part for part in parts if not isinstance(part, str)
    ).decode("utf-8", "replace")
