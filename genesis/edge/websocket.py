"""A WebSocket client in two builds: a fast one that cuts many frames out of each large read, and a calm one.

Both are opened by an async context manager, speak `WebSocket`, and pass the same contract test:

* connecting and both handshakes happen inside one deadline, also against a peer that says nothing;
* a refused upgrade is `HandshakeRefused` with its status, whatever the body does afterwards;
* `send` never leaves half a frame unnoticed: an interrupted send ends the connection, later sends raise `LinkClosed`;
* `aclose` takes at most `CLOSE_GRACE_S` and always ends with a closed stream.

`fast_websocket` cuts plain text frames out of each large read itself and leaves everything else (handshake, fragments,
pings, closing, errors) to the sans-IO protocol of `websockets`; it costs a thirtieth of `trio-websocket` for each
message, and whoever hears takes one step for a read instead of two. The engine dials by it. `calm_websocket` is
`trio-websocket` without its `open_websocket`, which waits for ever for a silent peer; it reads in a task of its own, so
that pings are answered while its owner is busy. It is for clients who have other things to do.
"""

import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any, Final, Protocol, cast

import attrs
import trio
import trio_websocket
from typing_extensions import override
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, PayloadTooBig
from websockets.frames import CloseCode, Frame, Opcode
from websockets.headers import build_host
from websockets.protocol import State
from wsproto.connection import ConnectionState

from genesis.edge.errors import (
    HandshakeFailed,
    HandshakeRefused,
    LinkClosed,
    MessageTooBig,
)
from genesis.edge.streams import (
    CLOSE_GRACE_S,
    HEAD_BYTES,
    close_now,
    handshake_trouble,
    open_stream,
    read_address,
    status_of,
    timeout_trouble,
    trust_for,
)
from genesis.edge.turn import Turn
from genesis.edge.waits import asked_s

try:
    # In C where the library came with it.
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

READ_BYTES: Final = 262_144
"""One read takes what the kernel holds: at 7,000 messages a second the loop's wake-ups cost more than the frames."""
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
CALM_QUEUE: Final = 1024
"""Messages the calm reader may hold before it stops reading (and answering pings)."""


class WebSocket(Protocol):
    """An open WebSocket. One task receives; any task may send."""

    async def receive_many(self) -> list[bytes]:
        """All whole messages of one read, oldest first, at least one. Raises LinkClosed when there will be no more."""

    async def send(self, message: bytes) -> None:
        """Send one text message. Raises LinkClosed; after any exception out of here the connection is over."""

    def make_ready(self, message: bytes) -> None:
        """Make the frame of a message that will most likely be sent next: `send` takes it for this very object. What
        was made ready before is forgotten."""

    async def ping(self) -> None:
        """Send a protocol ping and wait for its pong (somebody must be receiving). Raises LinkClosed."""

    async def aclose(self) -> None:
        """Say goodbye, for `CLOSE_GRACE_S` at most, and close the stream. Repeatable."""

    @property
    def closed(self) -> bool:
        """True once nothing can be sent any more."""


class Dial(Protocol):
    """Opens a WebSocket within `timeout_s`. Raises ConnectFailed, ConnectTimeout, HandshakeRefused, HandshakeFailed."""

    def __call__(self, uri: str, *, timeout_s: float) -> AbstractAsyncContextManager[WebSocket]: ...


_END_OF_HEAD: Final = b"\r\n\r\n"
_LARGEST_HEAD: Final = 65_536
MASK_BYTES: Final = 4
_OPEN: Final = ConnectionState.OPEN
_SPEAKS: Final = State.OPEN
"""Asked of its class a member costs a call."""
_WHOLE_TEXT: Final = 0x81
"""First byte of a frame that is a whole text message: FIN, no extension, opcode 1."""


def masked_text(payload: bytes, mask: bytes) -> bytes:
    """A whole text message in one frame, masked as a client sends it (RFC 6455, 5.2 and 5.3)."""
    size = len(payload)
    if size < 126:
        head = bytes((_WHOLE_TEXT, 0x80 | size))
    elif size < 65_536:
        head = b"\x81\xfe" + size.to_bytes(2, "big")
    else:
        head = b"\x81\xff" + size.to_bytes(8, "big")
    return head + mask + apply_mask(payload, mask)


# --- fast: websockets' sans-IO protocol over a trio stream ------------------------------------------------------------


@attrs.define(eq=False)
class FastWebSocket:
    """See `fast_websocket`."""

    stream: trio.abc.Stream
    protocol: ClientProtocol
    read_bytes: int = READ_BYTES
    _turn: Turn = attrs.field(factory=Turn)
    # For the next frame alone, drawn before there is one: the kernel is not asked while an order waits.
    _mask: bytes = attrs.field(factory=lambda: os.urandom(MASK_BYTES))
    _ready: tuple[bytes, bytes] | None = None
    """A message that may be sent, and its frame, under a mask of its own."""
    _pings: dict[bytes, trio.Event] = attrs.field(factory=dict)
    _ping_count: int = 0
    _parts: list[bytes] = attrs.field(factory=list)
    _over: LinkClosed | None = None
    _receiving: bool = False
    # Bytes that are read and not yet cut: part of a frame, or (at first) what came right behind the handshake.
    _tail: bytes = b""

    @property
    def closed(self) -> bool:
        # Whatever ends the protocol's own state is noted in the same step: an order asks nobody else.
        return self._over is not None

    async def receive_many(self) -> list[bytes]:
        self._receiving = True
        try:
            messages = self._cut(b"") if self._tail else []
            while True:
                if self.protocol.writes:
                    await self._flush()
                if messages:
                    return messages
                if self._over is not None:
                    raise self._over
                try:
                    data = await self.stream.receive_some(self.read_bytes)
                except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError) as error:
                    self._end(LinkClosed(CloseCode.ABNORMAL_CLOSURE, "stream broke", by_us=self._over is not None))
                    raise self._fate() from error
                if data:
                    messages = self._cut(bytes(data))
                else:
                    self.protocol.receive_eof()
                    self._note_close()
        finally:
            self._receiving = False

    async def send(self, message: bytes) -> None:
        turn = self._turn
        if turn.taken:
            # A sender that is cancelled while it waits for its turn leaves nothing behind.
            await turn.wait()
        else:
            turn.taken = True
        try:
            if self._over is not None:
                raise self._over
            # A whole frame at once: what it takes to go through the protocol's layers, an order would wait for.
            ready = self._ready
            if ready is not None and ready[0] is message:
                # Once: no two frames may be masked alike.
                self._ready = None
                await self._write(ready[1])
            else:
                mask, self._mask = self._mask, b""
                await self._write(masked_text(message, mask))
                self._mask = os.urandom(MASK_BYTES)
        finally:
            turn.end()

    def make_ready(self, message: bytes) -> None:
        self._ready = message, masked_text(message, os.urandom(MASK_BYTES))

    async def ping(self) -> None:
        self._ping_count += 1
        payload = self._ping_count.to_bytes(8, "big")
        answered = trio.Event()
        async with self._turn:
            if self.closed:
                raise self._fate()
            self._pings[payload] = answered
            self.protocol.send_ping(payload)
            await self._drain()
        try:
            await answered.wait()
        finally:
            self._pings.pop(payload, None)
        if self._over is not None:
            raise self._over

    async def aclose(self) -> None:
        try:
            with trio.move_on_after(CLOSE_GRACE_S):
                await self._say_goodbye()
        finally:
            # Also when cancelled: then without a goodbye.
            self._end(LinkClosed(CloseCode.NORMAL_CLOSURE, "", by_us=True))
            with trio.move_on_after(CLOSE_GRACE_S, shield=True):
                await close_now(self.stream)

    async def _say_goodbye(self) -> None:
        try:
            async with self._turn:
                if not self.closed:
                    self.protocol.send_close(CloseCode.NORMAL_CLOSURE)
                    self._end(LinkClosed(CloseCode.NORMAL_CLOSURE, "", by_us=True))
                    await self._drain()
            # Read until the other side has closed too, or our close would be a reset that eats our own last frame.
            while not self._receiving and self.protocol.state is State.CLOSING:
                data = await self.stream.receive_some(self.read_bytes)
                if not data:
                    break
                self.protocol.receive_data(data)
        except (LinkClosed, trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            pass  # whatever the goodbye ran into, the stream is closed next

    def _cut(self, data: bytes) -> list[bytes]:
        """The whole messages of what was read. Plain text frames are cut out here; the protocol gets every other one.

        A server's frame of a whole text message is a byte 0x81, a length, and the text: nine tenths of the protocol's
        work would be to find that out anew for each.
        """
        protocol = self.protocol
        limit = protocol.max_message_size or MAX_MESSAGE_BYTES
        buffer = self._tail + data if self._tail else data
        end = len(buffer)
        at = 0
        messages: list[bytes] = []
        append = messages.append
        # Of such a length a frame is nothing but two bytes and its text, as nearly all are.
        short = min(125, limit) if protocol.current_size is None else -1
        while self._over is None:
            start = at + 2
            while start <= end:
                length = buffer[start - 1]
                stop = start + length
                if length > short or stop > end or buffer[start - 2] != _WHOLE_TEXT:
                    break
                append(buffer[start:stop])
                start = stop + 2
            at = start - 2
            if start > end:
                break
            length = buffer[at + 1]
            if length == 126:
                start = at + 4
                length = int.from_bytes(buffer[at + 2 : start], "big")
            elif length == 127:
                start = at + 10
                length = int.from_bytes(buffer[at + 2 : start], "big")
            if start > end:
                break
            if buffer[at] == _WHOLE_TEXT and length <= limit and buffer[at + 1] < 128 and protocol.current_size is None:
                if start + length > end:
                    break
                at = start + length
                append(buffer[start:at])
                continue
            if buffer[at + 1] >= 128 or length > limit:
                # Masked or too long: the protocol will end the connection over it, so its exact end does not matter.
                protocol.receive_data(buffer[at:])
                at = end
            elif start + length > end:
                break
            else:
                protocol.receive_data(buffer[at : start + length])
                at = start + length
            messages += self._messages(protocol.events_received())
            short = min(125, limit) if protocol.current_size is None else -1
        self._tail = buffer[at:]
        return messages

    def _messages(self, events: list[Any]) -> list[bytes]:
        messages: list[bytes] = []
        for event in events:
            if type(event) is not Frame:
                continue
            opcode = event.opcode
            if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
                if event.fin:
                    messages.append(bytes(event.data))
                else:
                    self._parts = [bytes(event.data)]
            elif opcode is Opcode.CONT:
                self._parts.append(bytes(event.data))
                if event.fin:
                    messages.append(b"".join(self._parts))
                    self._parts = []
            elif opcode is Opcode.PONG:
                answered = self._pings.get(bytes(event.data))
                if answered is not None:
                    answered.set()
        self._note_close()
        return messages

    def _note_close(self) -> None:
        protocol = self.protocol
        if protocol.state is State.OPEN or self._over is not None:
            return
        if isinstance(protocol.parser_exc, PayloadTooBig):
            self._end(MessageTooBig(CloseCode.MESSAGE_TOO_BIG, str(protocol.parser_exc), by_us=True))
        elif protocol.close_rcvd is not None:
            self._end(LinkClosed(protocol.close_rcvd.code, protocol.close_rcvd.reason))
        elif protocol.close_sent is not None:
            self._end(LinkClosed(protocol.close_sent.code, protocol.close_sent.reason, by_us=True))
        else:
            self._end(LinkClosed(CloseCode.ABNORMAL_CLOSURE, "stream ended"))

    def _end(self, fate: LinkClosed) -> None:
        """The first fate stands; everybody who waits for a pong wakes."""
        if self._over is None:
            self._over = fate
        for answered in self._pings.values():
            answered.set()

    def _fate(self) -> LinkClosed:
        self._note_close()
        return self._over or LinkClosed(CloseCode.ABNORMAL_CLOSURE, "not open")

    async def _flush(self) -> None:
        """Send what the protocol itself wants to say (pong, close), in turn with other senders."""
        try:
            async with self._turn:
                await self._drain()
        except LinkClosed:
            pass  # the next read tells the receiver, after the messages that were already here

    async def _drain(self) -> None:
        for chunk in self.protocol.data_to_send():
            if not chunk:
                continue  # the protocol's mark for a half close: we always close whole
            await self._write(chunk)

    async def _write(self, data: bytes) -> None:
        try:
            await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError) as error:
            self._end(LinkClosed(CloseCode.ABNORMAL_CLOSURE, "stream broke while sending"))
            raise self._fate() from error
        except BaseException:
            # Cancelled inside a frame: nobody can know how much of it left, so nothing may follow it.
            self._end(LinkClosed(CloseCode.ABNORMAL_CLOSURE, "a send was interrupted", by_us=True))
            raise


async def _shake_hands(socket: FastWebSocket, heard: bytearray) -> None:
    protocol, stream = socket.protocol, socket.stream
    protocol.send_request(protocol.connect())
    fed = False
    try:
        for chunk in protocol.data_to_send():
            await stream.send_all(chunk)
        while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
            data = await stream.receive_some(socket.read_bytes)
            if not data:
                raise handshake_trouble(heard)
            heard += data
            head, separator, behind = bytes(heard).partition(_END_OF_HEAD)
            if separator and status_of(heard) == HTTPStatus.SWITCHING_PROTOCOLS:
                # Frames may follow in the same read: they are ours to cut, not the protocol's.
                socket._tail = behind
                protocol.receive_data(head + separator)
            elif separator or len(heard) > _LARGEST_HEAD:
                protocol.receive_data(bytes(heard) if not fed else data)
                fed = True
    except (trio.BrokenResourceError, ssl.SSLError) as error:
        raise handshake_trouble(heard) from error
    trouble = protocol.handshake_exc
    if isinstance(trouble, InvalidStatus):
        response = trouble.response
        raise HandshakeRefused(response.status_code, asked_s(response.headers.get("Retry-After"))) from trouble
    if trouble is not None:
        raise HandshakeFailed(f"the answer was no handshake: {trouble.__cause__ or trouble}") from trouble


@contextlib.asynccontextmanager
async def fast_websocket(
    uri: str,
    *,
    timeout_s: float,
    ssl_context: ssl.SSLContext | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    read_bytes: int = READ_BYTES,
) -> AsyncIterator[WebSocket]:
    """Open the fast build (see the module). Raises as `Dial` says."""
    target = read_address(uri)
    heard = bytearray()
    stream: trio.abc.Stream | None = None
    ready = False
    try:
        with trio.fail_after(timeout_s):
            stream = await open_stream(target.host, target.port, trust_for(target, ssl_context))
            socket = FastWebSocket(stream, ClientProtocol(target, max_size=max_message_bytes), read_bytes)
            await _shake_hands(socket, heard)
        ready = True
    except trio.TooSlowError as error:
        raise timeout_trouble(uri, timeout_s, heard) from error
    finally:
        if stream is not None and not ready:
            with trio.move_on_after(CLOSE_GRACE_S, shield=True):
                await close_now(stream)
    try:
        yield socket
    finally:
        await socket.aclose()  # noqa: ASYNC102  (bounded by itself, and without a goodbye when cancelled)


# --- calm: trio-websocket over the same streams -----------------------------------------------------------------------


class _Tap(trio.abc.Stream):
    """Passes a stream through; until the handshake is over it keeps what was heard and says when the stream ends.

    trio-websocket waits for its handshake without an end when the stream ends inside it.
    """

    def __init__(self, inner: trio.abc.Stream, heard: bytearray, on_end: Callable[[], None]) -> None:
        self._inner = inner
        self._heard = heard
        self._on_end = on_end
        self.listening = True

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._inner.send_all(data)

    @override
    async def wait_send_all_might_not_block(self) -> None:
        await self._inner.wait_send_all_might_not_block()

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            data = await self._inner.receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError):
            # trio-websocket knows only some of these endings; TLS has more.
            data = b""
        if self.listening:
            self._heard += data[: max(0, HEAD_BYTES - len(self._heard))]
            if not data:
                self._on_end()
        return data

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()


@attrs.frozen
class _Queue:
    """What trio-websocket's reader puts messages into: without a turn of the loop for each that there is room for, so
    that the messages of one read are received together."""

    inner: trio.MemorySendChannel[str | bytes]

    async def send(self, message: str | bytes) -> None:
        try:
            self.inner.send_nowait(message)
        except trio.WouldBlock:
            await self.inner.send(message)

    async def aclose(self) -> None:
        await self.inner.aclose()


@attrs.define(eq=False)
class CalmWebSocket:
    """See `calm_websocket`."""

    connection: trio_websocket.WebSocketConnection
    stream: trio.abc.Stream
    turn: Turn
    # For the next frame alone, drawn before there is one: the kernel is not asked while an order waits.
    _mask: bytes = attrs.field(factory=lambda: os.urandom(MASK_BYTES))
    _ping_count: int = 0
    _interrupted: bool = False
    _closed_by_us: bool = False

    @property
    def closed(self) -> bool:
        return self._interrupted or self._closed_by_us or self.connection._close_reason is not None

    async def receive_many(self) -> list[bytes]:
        try:
            messages = [await self.connection.get_message()]
        except trio_websocket.ConnectionClosed as error:
            raise self._fate() from error
        with contextlib.suppress(trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
            while True:
                messages.append(self.connection._recv_channel.receive_nowait())
        return [message.encode() if isinstance(message, str) else message for message in messages]

    async def send(self, message: bytes) -> None:
        if self.closed:
            raise self._fate()
        connection, turn = self.connection, self.turn
        finished = False
        try:
            if connection._wsproto.state is not _OPEN:
                raise self._fate()
            if turn.taken:
                await connection.send_message(message.decode())
            else:
                # A whole frame at once: what it takes to go through a library's layers, an order would wait for.
                turn.taken = True
                mask, self._mask = self._mask, b""
                try:
                    await self.stream.send_all(masked_text(message, mask))
                    self._mask = os.urandom(MASK_BYTES)
                except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                    await connection._abort_web_socket()
                    raise self._fate() from error
                finally:
                    turn.end()
            finished = True
        except trio_websocket.ConnectionClosed as error:
            raise self._fate() from error
        finally:
            # Cancelled inside a frame: nobody can know how much of it left, so nothing may follow it.
            self._interrupted = self._interrupted or not finished

    def make_ready(self, message: bytes) -> None:
        """Nothing: nobody who waits for an order sends by this build."""

    async def ping(self) -> None:
        self._ping_count += 1
        payload = self._ping_count.to_bytes(8, "big")
        if self.closed:
            raise self._fate()
        try:
            await self.connection.ping(payload)
        except trio_websocket.ConnectionClosed as error:
            raise self._fate() from error

    async def aclose(self) -> None:
        self._closed_by_us = True
        try:
            with (
                trio.move_on_after(CLOSE_GRACE_S),
                contextlib.suppress(trio_websocket.ConnectionClosed, trio.BrokenResourceError, ssl.SSLError),
            ):
                await self.connection.aclose()
        finally:
            with trio.move_on_after(CLOSE_GRACE_S, shield=True):
                await close_now(self.stream)

    def _fate(self) -> LinkClosed:
        if self._closed_by_us:
            return LinkClosed(CloseCode.NORMAL_CLOSURE, "", by_us=True)
        reason = self.connection.closed
        if reason is None:
            return LinkClosed(CloseCode.ABNORMAL_CLOSURE, "a send was interrupted", by_us=True)
        if reason.code == CloseCode.MESSAGE_TOO_BIG:
            return MessageTooBig(reason.code, reason.reason or "", by_us=True)
        return LinkClosed(reason.code, reason.reason or "")


def _first(group: BaseExceptionGroup[Any]) -> Any:
    leaf: Any = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf


def _header(headers: Any, name: bytes) -> str | None:
    for key, value in headers or ():
        if bytes(key).lower() == name:
            return bytes(value).decode("latin-1")
    return None


@contextlib.asynccontextmanager
async def calm_websocket(
    uri: str,
    *,
    timeout_s: float,
    ssl_context: ssl.SSLContext | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> AsyncIterator[WebSocket]:
    """Open the calm build (see the module). Raises as `Dial` says; what the body raises comes out as it is."""
    target = read_address(uri)
    stream: trio.abc.Stream | None = None
    failure: Exception | None = None
    heard = bytearray()
    connected = False
    ended = trio.CancelScope()
    try:
        async with trio.open_nursery() as nursery:
            try:
                with trio.fail_after(timeout_s):
                    stream = await open_stream(target.host, target.port, trust_for(target, ssl_context))
                    tap = _Tap(stream, heard, ended.cancel)
                    with ended:
                        connection = await trio_websocket.wrap_client_stream(
                            nursery,
                            cast("trio.SocketStream", tap),  # any stream will do; its annotation is too narrow
                            build_host(target.host, target.port, target.secure),
                            target.resource_name,
                            message_queue_size=CALM_QUEUE,
                            max_message_size=max_message_bytes,
                            receive_buffer_size=65_536,
                        )
                    if ended.cancelled_caught:
                        raise handshake_trouble(heard)
                connected, tap.listening = True, False
                connection._send_channel = cast("Any", _Queue(connection._send_channel))
                connection._stream_lock = cast("Any", turn := Turn())
                socket = CalmWebSocket(connection, stream, turn)
                try:
                    yield socket
                finally:
                    await socket.aclose()  # noqa: ASYNC102  (bounded by itself, and without a goodbye when cancelled)
            except Exception as error:
                # Carried around the nursery, which would wrap it in a group.
                failure = error
            nursery.cancel_scope.cancel()
    except* trio_websocket.ConnectionRejected as refusals:
        # The reader found the refusal while we waited for the handshake; the nursery then cancelled the waiting.
        refusal = _first(refusals)
        failure = HandshakeRefused(refusal.status_code, asked_s(_header(refusal.headers, b"retry-after")))
    except* Exception as broken:
        # The library's reader choked (wsproto and h11 raise what the other side made them): it never is the body's own.
        text = f"{type(_first(broken)).__name__}: {_first(broken)}"
        if connected:
            failure = LinkClosed(CloseCode.PROTOCOL_ERROR, text, by_us=True)
        else:
            failure = HandshakeFailed(f"the answer was no handshake: {text}")
    finally:
        if stream is not None:
            with trio.move_on_after(CLOSE_GRACE_S, shield=True):
                await close_now(stream)
    if isinstance(failure, trio.TooSlowError) and not connected:
        raise timeout_trouble(uri, timeout_s, heard) from failure
    if failure is not None:
        raise failure
