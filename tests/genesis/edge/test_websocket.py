"""One contract for both WebSocket builds, against a scripted peer on a real loopback socket."""

import base64
import contextlib
import hashlib
import socket as sockets
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
import trio
import trio_websocket
import trustme
import wsproto
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock
from typing_extensions import override
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

from genesis.edge.errors import (
    ConnectFailed,
    ConnectTimeout,
    HandshakeFailed,
    HandshakeRefused,
    LinkClosed,
    MessageTooBig,
)
from genesis.edge.streams import CLOSE_GRACE_S
from genesis.edge.websocket import FastWebSocket, calm_websocket, fast_websocket, masked_text

BUILDS = pytest.mark.parametrize("dial", [fast_websocket, calm_websocket], ids=["fast", "calm"])


@contextlib.asynccontextmanager
async def peer(
    handler: Callable[[trio_websocket.WebSocketConnection], Awaitable[None]], context: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A WebSocket server that runs `handler` for each connection."""

    async def accept(request: trio_websocket.WebSocketRequest) -> None:
        with contextlib.suppress(trio_websocket.ConnectionClosed):
            await handler(await request.accept())

    async with trio.open_nursery() as nursery:
        server = await nursery.start(trio_websocket.serve_websocket, accept, "127.0.0.1", 0, context)
        yield f"{'wss' if context else 'ws'}://{'localhost' if context else '127.0.0.1'}:{server.port}/ws/2"
        nursery.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def raw_peer(handler: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[str]:
    """A TCP server that runs `handler` for each connection, to answer upgrades in ways no library would."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def guarded(stream: trio.SocketStream) -> None:
            with contextlib.suppress(trio.BrokenResourceError):
                await handler(stream)

        await nursery.start(trio.serve_listeners, guarded, listeners)
        yield f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}/ws/2"
        nursery.cancel_scope.cancel()


async def shake_then_deaf(stream: trio.SocketStream) -> None:
    """A correct handshake, then never a read nor a word."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += await stream.receive_some()
    lines = request.split(b"\r\n")
    key = next(line.split(b": ")[1] for line in lines if line.lower().startswith(b"sec-websocket-key"))
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324  (RFC 6455 says SHA-1)
    await stream.send_all(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    await trio.sleep_forever()


async def echo(connection: trio_websocket.WebSocketConnection) -> None:
    while True:
        await connection.send_message(await connection.get_message())


@BUILDS
async def test_messages_go_both_ways_in_order(dial: Any) -> None:
    async with peer(echo) as uri, dial(uri, timeout_s=30) as socket:
        for number in range(100):
            await socket.send(b"[%d]" % number)
        seen: list[bytes] = []
        while len(seen) < 100:
            seen += await socket.receive_many()
        assert seen == [b"[%d]" % number for number in range(100)]
        assert not socket.closed


@BUILDS
async def test_tls_is_checked_against_the_given_authority(dial: Any) -> None:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with peer(echo, server) as uri:
        async with dial(uri, timeout_s=30, ssl_context=client) as socket:
            await socket.send(b"hello")
            assert await socket.receive_many() == [b"hello"]
        with pytest.raises(ConnectFailed, match="TLS"):
            async with dial(uri, timeout_s=30, ssl_context=ssl.create_default_context()):
                pass


@BUILDS
async def test_nobody_there_is_a_failed_connect(dial: Any) -> None:
    # Taken, so that nobody else comes to listen there.
    with sockets.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectFailed):
            async with dial(f"ws://127.0.0.1:{held.getsockname()[1]}/", timeout_s=60):
                pass


@BUILDS
async def test_a_wrong_address_is_named(dial: Any) -> None:
    with pytest.raises(ConnectFailed, match="must be a ws:// or wss:// URI, was 'http://x'"):
        async with dial("http://x", timeout_s=30):
            pass


@BUILDS
async def test_a_silent_handshake_ends_at_the_deadline(dial: Any, autojump_clock: MockClock) -> None:
    async def silent(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    # The virtual clock only moves when all tasks wait; a real socket needs a little real time before that.
    autojump_clock.autojump_threshold = 0.1
    async with raw_peer(silent) as uri:
        began = trio.current_time()
        with pytest.raises(ConnectTimeout, match="must be connected within 7 s"):
            async with dial(uri, timeout_s=7):
                pass
        assert trio.current_time() - began == 7


@BUILDS
@pytest.mark.parametrize("status", [429, 503, 301, 200])
@pytest.mark.parametrize(("asked", "kept"), [(b"17", 17.0), (b"60000", 600.0), (b"soon", None)])
async def test_a_refused_upgrade_carries_its_status(dial: Any, status: int, asked: bytes, kept: float | None) -> None:
    """A wait in milliseconds would keep the line down for most of a day."""

    async def refuse(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        head = b"HTTP/1.1 %d No\r\nRetry-After: %b\r\nContent-Length: 4\r\n\r\nnope" % (status, asked)
        await stream.send_all(head)
        await stream.receive_some()

    async with raw_peer(refuse) as uri:
        with pytest.raises(HandshakeRefused) as caught:
            async with dial(uri, timeout_s=30):
                pass
        assert (caught.value.status, caught.value.retry_after_s) == (status, kept)


@BUILDS
async def test_a_refusal_whose_body_never_ends_is_still_a_refusal(dial: Any, autojump_clock: MockClock) -> None:
    async def refuse(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 429 Too Many Requests\r\n\r\nslow")
        await trio.sleep_forever()

    autojump_clock.autojump_threshold = 0.1
    async with raw_peer(refuse) as uri:
        with pytest.raises(HandshakeRefused, match="was 429"):
            async with dial(uri, timeout_s=30):
                pass


@BUILDS
@pytest.mark.parametrize("cut", [0, 1, 12, 30, 60])
async def test_a_torn_handshake_fails_at_once(dial: Any, cut: int) -> None:
    async def tear(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"[:cut]
        )
        await stream.send_eof()
        await trio.sleep(0.2)

    async with raw_peer(tear) as uri:
        with trio.fail_after(30), pytest.raises(HandshakeFailed):
            async with dial(uri, timeout_s=60):
                pass


@BUILDS
async def test_an_answer_that_is_not_http_fails(dial: Any) -> None:
    async def babble(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await trio.sleep(0.2)

    async with raw_peer(babble) as uri:
        with pytest.raises(HandshakeFailed):
            async with dial(uri, timeout_s=30):
                pass


@BUILDS
async def test_a_close_by_the_other_side_is_told_after_the_last_message(dial: Any) -> None:
    async def last_words(connection: trio_websocket.WebSocketConnection) -> None:
        await connection.send_message("one")
        await connection.send_message("two")
        await connection.aclose(code=1012, reason="restart")

    async with peer(last_words) as uri, dial(uri, timeout_s=30) as socket:
        seen: list[bytes] = []

        async def listen() -> None:
            while True:
                seen.extend(await socket.receive_many())

        with pytest.raises(LinkClosed) as caught:
            await listen()
        assert seen == [b"one", b"two"]
        assert (caught.value.code, caught.value.reason, caught.value.by_us) == (1012, "restart", False)
        assert socket.closed
        with pytest.raises(LinkClosed):
            await socket.send(b"late")


@BUILDS
async def test_a_stream_cut_inside_a_frame_is_an_abnormal_close(dial: Any) -> None:
    async def cut(connection: trio_websocket.WebSocketConnection) -> None:
        await connection.send_message("whole")
        await connection._stream.send_all(b"\x81\x7d" + b"x" * 10)  # a frame of 125 bytes, 10 of them here
        await connection._stream.aclose()

    async with peer(cut) as uri, dial(uri, timeout_s=30) as socket:
        assert await socket.receive_many() == [b"whole"]
        with pytest.raises(LinkClosed) as caught:
            await socket.receive_many()
        assert caught.value.code == 1006
        assert not caught.value.by_us


@BUILDS
@pytest.mark.parametrize("end", ["cut", "reset", "own"])
async def test_a_line_that_ends_between_two_messages_is_told_to_who_waits(
    dial: Any, end: str, nursery: trio.Nursery
) -> None:
    """Behind a read that took all there was."""

    async def say(connection: trio_websocket.WebSocketConnection) -> None:
        stream: Any = connection._stream
        for text in (b"\x81\x03one", b"\x81\x03two"):
            await stream.send_all(text)
            await connection.get_message()
        if end == "reset":
            stream.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0))
        if end != "own":
            await stream.aclose()
        await trio.sleep_forever()

    async with peer(say) as uri, dial(uri, timeout_s=30) as socket:
        for text in (b"one", b"two"):
            assert await socket.receive_many() == [text]
            await socket.send(b"next")
        if end == "own":
            nursery.start_soon(socket.aclose)
        with pytest.raises(LinkClosed):
            await socket.receive_many()
        assert socket.closed


@BUILDS
async def test_what_comes_in_one_read_is_received_together(dial: Any) -> None:
    """A fill's frames come in one: whoever hears them one by one decides, and keeps, as many times."""

    async def burst(connection: trio_websocket.WebSocketConnection) -> None:
        # Not beside the handshake's answer, which may be read with them and is handled first.
        await connection.get_message()
        await connection._stream.send_all(b"\x81\x03one\x81\x03two\x81\x05three")
        await connection.get_message()

    async with peer(burst) as uri, dial(uri, timeout_s=30) as socket:
        await socket.send(b"go")
        assert await socket.receive_many() == [b"one", b"two", b"three"]


@BUILDS
async def test_a_message_above_the_limit_ends_the_connection(dial: Any) -> None:
    async def flood(connection: trio_websocket.WebSocketConnection) -> None:
        await connection.send_message("x" * 2000)
        await connection.get_message()

    async with peer(flood) as uri, dial(uri, timeout_s=30, max_message_bytes=1000) as socket:
        with pytest.raises(MessageTooBig):
            await socket.receive_many()


@BUILDS
async def test_fragments_are_one_message(dial: Any) -> None:
    async def fragments(connection: trio_websocket.WebSocketConnection) -> None:
        await connection._stream.send_all(b"\x01\x02[1" + b"\x89\x00" + b"\x00\x01," + b"\x80\x02" + b"2]")
        await connection.get_message()

    async with peer(fragments) as uri, dial(uri, timeout_s=30) as socket:
        assert await socket.receive_many() == [b"[1,2]"]


@BUILDS
async def test_pings_of_the_other_side_are_answered_while_receiving(dial: Any) -> None:
    async def pinger(connection: trio_websocket.WebSocketConnection) -> None:
        with trio.fail_after(60):
            await connection.ping(b"are you there")
        await connection.send_message("answered")
        await connection.get_message()

    async with peer(pinger) as uri, dial(uri, timeout_s=30) as socket:
        assert await socket.receive_many() == [b"answered"]


@BUILDS
async def test_own_pings_wait_for_their_pong(dial: Any, nursery: trio.Nursery) -> None:
    async def quiet(connection: trio_websocket.WebSocketConnection) -> None:
        await connection.get_message()

    async def listen() -> None:
        with contextlib.suppress(LinkClosed):
            await socket.receive_many()

    async with peer(quiet) as uri, dial(uri, timeout_s=30) as socket:
        nursery.start_soon(listen)
        with trio.fail_after(60):
            await socket.ping()
            await socket.ping()


@BUILDS
async def test_close_is_bounded_and_repeatable_when_the_other_side_is_deaf(
    dial: Any, autojump_clock: MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.1
    async with raw_peer(shake_then_deaf) as uri, dial(uri, timeout_s=30) as socket:
        began = trio.current_time()
        await socket.aclose()
        assert trio.current_time() - began <= CLOSE_GRACE_S
        await socket.aclose()
        with pytest.raises(LinkClosed) as caught:
            await socket.receive_many()
        assert caught.value.by_us
        with pytest.raises(LinkClosed):
            await socket.send(b"late")


@BUILDS
async def test_an_interrupted_send_ends_the_connection(dial: Any, autojump_clock: MockClock) -> None:
    """Half a frame may be out: what is sent after it would be read as its rest."""

    autojump_clock.autojump_threshold = 0.1
    async with raw_peer(shake_then_deaf) as uri, dial(uri, timeout_s=30) as socket:
        with trio.move_on_after(3) as scope:
            await socket.send(b"x" * 50_000_000)  # more than any kernel buffer takes
        assert scope.cancelled_caught
        assert socket.closed
        with pytest.raises(LinkClosed):
            await socket.send(b"after")


@BUILDS
async def test_what_the_body_raises_comes_out_as_it_is(dial: Any) -> None:
    async with peer(echo) as uri:
        with pytest.raises(ZeroDivisionError):
            async with dial(uri, timeout_s=30):
                raise ZeroDivisionError
        with trio.move_on_after(0.05) as scope:
            async with dial(uri, timeout_s=30) as socket:
                await socket.receive_many()
        assert scope.cancelled_caught


async def test_the_fast_build_returns_a_whole_read_as_one_batch() -> None:
    async def burst(connection: trio_websocket.WebSocketConnection) -> None:
        await connection._stream.send_all(b"".join(b"\x81\x03[%d]" % (number % 10) for number in range(500)))
        await connection.get_message()

    async with peer(burst) as uri, fast_websocket(uri, timeout_s=30) as socket:
        seen: list[bytes] = []
        reads = 0
        while len(seen) < 500:
            seen += await socket.receive_many()
            reads += 1
        assert reads < 50


# --- the fast build's own cutting, against every place where a read may end -------------------------------------------


def a_frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """A server's frame, unmasked, with the shortest length that fits."""
    first = bytes([opcode | (0x80 if fin else 0)])
    if len(payload) < 126:
        return first + bytes([len(payload)]) + payload
    if len(payload) < 65_536:
        return first + b"\x7e" + len(payload).to_bytes(2, "big") + payload
    return first + b"\x7f" + len(payload).to_bytes(8, "big") + payload


class Reads(trio.abc.Stream):
    """A stream whose every read is chosen; what is sent to it is kept."""

    def __init__(self, reads: list[bytes]) -> None:
        self.reads = reads
        self.sent = b""

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.reads.pop(0) if self.reads else b""

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self.sent += data

    @override
    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    @override
    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def hear_all(reads: list[bytes], max_message_bytes: int = 1_000_000) -> tuple[list[bytes], LinkClosed, Reads]:
    stream = Reads(reads)
    protocol = ClientProtocol(parse_uri("ws://peer/"), state=State.OPEN, max_size=max_message_bytes)
    socket = FastWebSocket(stream, protocol)
    heard: list[bytes] = []
    while True:
        try:
            heard += await socket.receive_many()
        except LinkClosed as error:
            return heard, error, stream


FRAMES = (
    a_frame(1, b"[1]")
    + a_frame(9, b"ping")
    + a_frame(1, b"x" * 300)
    + a_frame(1, b"[2", fin=False)
    + a_frame(10, b"")
    + a_frame(0, b",3]")
    + a_frame(1, b"")
    + a_frame(2, b"bytes")
    + a_frame(1, b"y" * 70_000)
    + a_frame(1, b"last")
    + a_frame(8, (1012).to_bytes(2, "big") + b"restart")
)
MESSAGES = [b"[1]", b"x" * 300, b"[2,3]", b"", b"bytes", b"y" * 70_000, b"last"]


@pytest.mark.parametrize("cut", [*range(0, 360), *range(70_330, len(FRAMES), 3), len(FRAMES)])
async def test_a_read_may_end_anywhere(cut: int) -> None:
    heard, fate, stream = await hear_all([FRAMES[:cut], FRAMES[cut:]] if 0 < cut < len(FRAMES) else [FRAMES])
    assert heard == MESSAGES
    assert (fate.code, fate.reason, fate.by_us) == (1012, "restart", False)
    assert stream.sent[:2] == b"\x8a\x84"  # the pong, masked as a client must


@given(
    st.lists(st.binary(max_size=200) | st.integers(65_530, 65_540).map(bytes), max_size=12),
    st.lists(st.integers(1, 400), min_size=1, max_size=40),
)
def test_any_messages_in_any_reads_come_out_whole(messages: list[bytes], sizes: list[int]) -> None:
    wire = b"".join(a_frame(1, message) for message in messages)
    reads, at, turn = [], 0, 0
    while at < len(wire):
        size = sizes[turn % len(sizes)] * (1 if len(wire) < 5000 else 500)
        reads.append(wire[at : at + size])
        at, turn = at + size, turn + 1
    heard, fate, _ = trio.run(hear_all, reads)
    assert heard == messages
    assert fate.code == 1006


@pytest.mark.parametrize(
    "wire",
    [
        b"\x81\x83abcd123",  # masked by a server
        b"\xc1\x02hi",  # compressed, though nobody agreed to that
        b"\x83\x01x",  # an opcode that does not exist
        b"\x80\x01x",  # the rest of nothing
        b"\x01\x01[" + b"\x81\x01x",  # a new message inside another
        b"\x89\x7e\x00\x80" + b"x" * 128,  # a ping that is too long
        b"\x81\x7f" + b"\xff" * 8,  # more bytes than there are
        b"\x88\x01x",  # half a close code
    ],
)
async def test_what_breaks_the_rules_ends_the_connection(wire: bytes) -> None:
    heard, fate, _ = await hear_all([a_frame(1, b"before") + wire + a_frame(1, b"after")])
    assert heard == [b"before"]
    assert fate.by_us
    assert fate.code in (1002, 1009)


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_garbage_never_raises_anything_else(reads: list[bytes]) -> None:
    heard, fate, _ = trio.run(hear_all, [read for read in reads if read], 1000)
    assert isinstance(fate, LinkClosed)
    assert all(isinstance(message, bytes) for message in heard)


async def test_a_message_of_exactly_the_limit_passes_and_one_more_does_not() -> None:
    heard, fate, _ = await hear_all([a_frame(1, b"x" * 1000)], 1000)
    assert heard == [b"x" * 1000]
    heard, fate, _ = await hear_all([a_frame(1, b"x" * 1001)], 1000)
    assert heard == []
    assert isinstance(fate, MessageTooBig)


@pytest.mark.parametrize("size", [0, 1, 5, 125, 126, 65_535, 65_536])
def test_a_text_of_any_size_is_framed_and_masked_as_a_server_reads_it(size: int) -> None:
    text = "0123456789abcde"[: size % 15] + "å" * (size // 2)
    server = wsproto.frame_protocol.FrameProtocol(client=False, extensions=[])
    server.receive_bytes(masked_text(text.encode(), b"\x00\xff\x17\xa5"))
    frames = list(server.received_frames())
    assert "".join(str(frame.payload) for frame in frames) == text
    assert frames[-1].message_finished
    assert {frame.opcode for frame in frames} == {wsproto.frame_protocol.Opcode.TEXT}


class Recorder:
    """A stream that remembers what was written to it."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.written: list[bytes] = []

    async def send_all(self, data: bytes) -> None:
        self.written.append(bytes(data))
        await self.stream.send_all(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@BUILDS
async def test_each_message_is_masked_anew_and_one_writer_waits_for_the_other(dial: Any) -> None:
    """RFC 6455, 5.3: the mask of the next frame must not be known from those before. Pings, which the library writes
    itself, and messages of several tasks share the line."""
    async with peer(echo) as uri, dial(uri, timeout_s=30) as socket:
        recorder = Recorder(socket.stream)
        socket.stream = recorder
        texts = [b"[%d]" % number for number in range(200)]
        seen: list[bytes] = []
        # Behind a ping of the calm build, which comes first as often as any other, its library writes all that waits.
        await socket.send(b"nobody waits")
        assert await socket.receive_many() == [b"nobody waits"]
        async with trio.open_nursery() as nursery:
            for number, text in enumerate(texts):
                nursery.start_soon(socket.send, text)
                if number % 10 == 0:
                    nursery.start_soon(socket.ping)
            while len(seen) < len(texts):
                seen += await socket.receive_many()
        assert sorted(seen) == sorted(texts)
        await socket.send(b"one more")
        await socket.send(b"and another")
        masks = [frame[2:6] for frame in recorder.written]
        assert len(masks) >= 3
        assert len(set(masks)) == len(masks)


@BUILDS
async def test_a_message_that_was_made_ready_is_sent_like_any_other(dial: Any) -> None:
    """Whether it is sent at all, behind others, or twice; and never under a mask that was used before."""
    async with peer(echo) as uri, dial(uri, timeout_s=30) as socket:
        recorder = Recorder(socket.stream)
        socket.stream = recorder
        order, other, never = b"[0, on]" * 40, b"ping", b"[0, off]"
        socket.make_ready(never)
        socket.make_ready(order)
        sent = [other, order, order, other]
        for message in sent:
            await socket.send(message)
        socket.make_ready(order)
        await socket.send(order)
        seen: list[bytes] = []
        while len(seen) < 5:
            seen += await socket.receive_many()
        assert seen == [*sent, order]
        masks = [frame[4:8] if len(frame) > 130 else frame[2:6] for frame in recorder.written]
        assert len(set(masks)) == len(masks) == 5


async def test_the_fast_build_has_the_frame_of_a_message_that_was_made_ready() -> None:
    """An order waits for nothing but its bytes. One that only reads like it is another message."""
    async with peer(echo) as uri, fast_websocket(uri, timeout_s=30) as socket:
        assert isinstance(socket, FastWebSocket)
        recorder = Recorder(socket.stream)
        socket.stream = cast("trio.abc.Stream", recorder)
        order = b"[0, on]"
        socket.make_ready(order)
        assert socket._ready is not None
        frame = socket._ready[1]
        await socket.send(bytes(bytearray(order)))
        assert recorder.written[-1] != frame
        await socket.send(order)
        assert recorder.written[-1] == frame
        await socket.send(order)
        assert recorder.written[-1] != frame
