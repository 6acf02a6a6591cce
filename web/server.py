"""The server: hypercorn's HTTP and WebSocket protocols behind our own accept loop, so that no client can stop us.

Hypercorn as it comes falls when one client sends the wrong bytes (an error in one connection leaves its nursery) and
never stops when one client does not read (its sends are shielded without a deadline). Therefore, here:

* an error in a connection ends that connection, is counted, and goes no further;
* a send that takes longer than `send_s` closes the socket;
* every connection has a deadline that moves with what it does: headers, request, keep-alive; a WebSocket has none, but
  is pinged and must be heard from (by one task, one after the other: a task for each would wake with all the others);
* connections are capped in all, and in number and rate for each address; above the cap they are closed at once, or
  push away who asks for nothing;
* who has not asked a whole question costs a socket and a task, and no protocol;
* at shutdown connections have `grace_s`, then their sockets are closed under them, which ends any send.

HTTP/2 is not spoken: it is one more door, and hypercorn opens it on plain text without being asked.
"""

import contextlib
import errno
import ipaddress
import logging
import os
import re
import ssl
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import attrs
import h11
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol, H11WSConnection
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr
from wsproto.connection import ConnectionState as Handshaken

from web.limits import RateLimit

MAX_RECEIVE: Final = 2**16
NO_MORE_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
BACKLOG: Final = 256
END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
"""As h11 finds it."""
PING: Final = b"\x89\x00"
"""A WebSocket frame of its own: ping, without a payload (RFC 6455, 5.5.2)."""
LINE: Final = "line"
"""The name in a request's ASGI state under which a WebSocket's handler finds its `_Connection`."""
FINISH_S: Final = 0.25
"""How long the handler of a connection that has ended may take to notice."""

log = logging.getLogger("genesis.web.server")


class ServerError(Exception):
    """The server cannot start.

    ServerError
     +-- PortTaken        somebody else listens there
     +-- UnsafeListener   the address can be reached from other machines, and there is no TLS
    """


class PortTaken(ServerError):
    pass


class UnsafeListener(ServerError):
    pass


class ProtocolRefused(Exception):
    """A client asked for a protocol that is not spoken here."""


@attrs.frozen(kw_only=True)
class ServerLimits:
    """Every bound of the server; times in seconds, sizes in bytes."""

    connections: int = 1500
    connections_per_address: int = 1400
    knocks_per_s: float = 50.0
    """New connections of one address in the long run; at once it may make all that it may hold."""
    headers_s: float = 5.0
    request_s: float = 20.0
    keep_alive_s: float = 30.0
    silence_s: float = 45.0
    ping_s: float = 15.0
    send_s: float = 5.0
    grace_s: float = 2.0
    header_bytes: int = 8192
    message_bytes: int = 65_536


@attrs.define(kw_only=True)
class ServerCounters:
    """What happened at the door: plain numbers, read by the metrics route."""

    accepted: int = 0
    refused_over_limit: int = 0
    timed_out: int = 0
    slow_closed: int = 0
    closed_at_shutdown: int = 0
    errors: Counter[str] = attrs.field(factory=Counter)


async def open_listeners(
    host: str, port: int, *, tls: ssl.SSLContext | None = None, allow_remote: bool = False
) -> list[trio.SocketListener]:
    """Listen on `host`; port 0 takes a free one. Raises PortTaken or UnsafeListener with a sentence for the user."""
    if not is_loopback(host) and tls is None and not allow_remote:
        raise UnsafeListener(
            f"the web address must be a loopback address (127.0.0.1) unless TLS is configured, was {host}"
        )
    try:
        return await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"port {port} on {host} is taken by another program; choose one with --port") from error
        if error.errno in (errno.EACCES, errno.EADDRNOTAVAIL):
            raise ServerError(f"cannot listen on {host}:{port}: {error.strerror}") from error
        raise


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def port_of(listeners: Sequence[trio.SocketListener]) -> int:
    """The port the first listener really has."""
    return int(listeners[0].socket.getsockname()[1])


class _OnlyHTTP11(H11Protocol):
    """Hypercorn's HTTP/1.1, minus its doors into HTTP/2, plus a word when a connection becomes a WebSocket."""

    connection_of_server: "_Connection"

    async def _check_protocol(self, event: h11.Request) -> None:
        if event.method == b"PRI" or event.http_version not in (b"1.0", b"1.1"):
            raise ProtocolRefused(f"the protocol must be HTTP/1.1, was {event.http_version!r}")

    async def _create_stream(self, request: h11.Request) -> None:
        self.connection_of_server.asked()
        await super()._create_stream(_without_compression(request))
        if isinstance(self.connection, H11WSConnection):
            self.connection_of_server.became_websocket()


def _without_compression(request: h11.Request) -> h11.Request:
    """The request as if its client had offered no WebSocket extension.

    Hypercorn would accept permessage-deflate, which costs more for each frame than everything else about it, and
    saves nothing on loopback.
    """
    kept = [(name, value) for name, value in request.headers if name != b"sec-websocket-extensions"]
    if len(kept) == len(request.headers):
        return request
    return h11.Request(method=request.method, target=request.target, headers=kept, http_version=request.http_version)


@attrs.define(eq=False, kw_only=True)
class _Connection:
    """One client's socket, from accept to close."""

    server: "Server"
    stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]
    address: str
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    send_lock: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    protocol: _OnlyHTTP11 | None = attrs.field(default=None, init=False)
    websocket: bool = attrs.field(default=False, init=False)
    idle: bool = attrs.field(default=True, init=False)
    closing: bool = attrs.field(default=False, init=False)
    left: bytearray = attrs.field(factory=bytearray, init=False)
    """Of frames that were told at once, what the socket had no room for: it goes first."""

    @property
    def socket(self) -> trio.socket.SocketType:
        stream = self.stream
        return stream.transport_stream.socket if isinstance(stream, trio.SSLStream) else stream.socket

    def asked(self) -> None:
        """Its first request is whole: it has what a client needs to keep its place."""
        self.server.unheard.pop(self, None)

    def became_websocket(self) -> None:
        self.websocket = True
        self.scope.deadline = float("inf")

    def allow(self, seconds: float) -> None:
        self.scope.deadline = trio.current_time() + seconds

    def cut(self) -> None:
        """Close the socket under whoever uses it: even a shielded send wakes up and fails."""
        self.closing = True
        self.scope.cancel()
        self.socket.close()

    async def run(self) -> None:
        self.allow(self.server.limits.headers_s)
        try:
            with self.scope:
                await self._serve()
            if self.scope.cancelled_caught and not self.closing:
                self.server.counters.timed_out += 1
        finally:
            await trio.aclose_forcefully(self.stream)

    async def _serve(self) -> None:
        server, stream = self.server, self.stream
        if isinstance(stream, trio.SSLStream):
            await stream.do_handshake()
        words = await self._first_words()
        if words is None:
            return
        sock = self.socket
        async with TaskGroup() as task_group:
            self.protocol = _OnlyHTTP11(
                server.wrapped,
                server.config,
                server.context,
                task_group,
                ConnectionState({**server.lifespan_state, LINE: self}),
                isinstance(stream, trio.SSLStream),
                parse_socket_addr(sock.family, sock.getpeername()),
                parse_socket_addr(sock.family, sock.getsockname()),
                self.send,
            )
            self.protocol.connection_of_server = self
            await self.protocol.handle(RawData(words))
            await self._read(self.protocol)

    async def _first_words(self) -> bytes | None:
        """What a client says until its first request's head is whole; None when it goes before that.

        Who says nothing, or half of something, costs a socket and a task: the protocol is made for who asks.
        """
        words = bytearray()
        while not END_OF_HEAD.search(words) and len(words) <= self.server.limits.header_bytes:
            try:
                data = await self.stream.receive_some(MAX_RECEIVE)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                return None
            if not data:
                return None
            words += data
        return bytes(words)

    async def _read(self, protocol: _OnlyHTTP11) -> None:
        while not self.closing:
            silence_s = self.server.limits.silence_s if self.websocket else float("inf")
            try:
                with trio.fail_after(silence_s):
                    data = await self.stream.receive_some(MAX_RECEIVE)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                break
            except trio.TooSlowError:
                self.server.counters.timed_out += 1
                break
            if data == b"":
                break
            await protocol.handle(RawData(bytes(data)))
        self.closing = True
        await protocol.handle(Closed())
        # The handler hears of the end and finishes; hypercorn's pinger sleeps on, and is not waited for.
        self.allow(FINISH_S)

    async def send(self, event: Event) -> None:
        """What hypercorn wants done with the socket."""
        if isinstance(event, RawData):
            await self._send_bytes(event.data)
        elif isinstance(event, Closed):
            await self._finish()
        elif isinstance(event, Updated):
            self.idle = event.idle
            if event.idle and self.server.stopping.is_set():
                await self._finish()
            elif not self.websocket:
                limits = self.server.limits
                self.allow(limits.keep_alive_s if event.idle else limits.request_s)
                self.server.rests(self, event.idle)

    def tell(self, text: bytes) -> bool:
        """Send a WebSocket text frame at once, beneath the protocol and without a turn of the event loop.

        False when the socket did not take all of it: the rest goes out with `flush`, or ahead of whatever is sent next.
        """
        return self._write(text_frame(text))

    def ping(self) -> bool:
        """Ask for a sign of life; as `tell`. Who has not read what it was sent before is not asked."""
        return bool(self.left) or self.send_lock.locked() or self._write(PING)

    def _write(self, frame: bytes) -> bool:
        stream = None if self.protocol is None else self.protocol.stream
        # Hypercorn's stream has no `connection` before it was accepted, and never one when it was not.
        spoken = getattr(stream, "connection", None) if isinstance(stream, WSStream) else None
        if self.closing or spoken is None or spoken.state is not Handshaken.OPEN:
            return True
        self.left += frame
        if self.send_lock.locked() or isinstance(self.stream, trio.SSLStream):
            return False
        try:
            del self.left[: os.write(self.socket.fileno(), self.left)]
        except OSError:
            # Full, or broken: whoever sends the rest will see which.
            return False
        return not self.left

    async def flush(self) -> None:
        """Send what is left of what was told; the socket of a client that takes longer than `send_s` is closed."""
        await self._send_bytes(b"")

    async def _send_bytes(self, data: bytes) -> None:
        if self.closing:
            return
        # A free lock is taken without a turn of the loop: sending takes one.
        if self.send_lock.locked():
            await self.send_lock.acquire()
        else:
            self.send_lock.acquire_nowait()
        try:
            # Shielded, because half a frame is worse than none; with a deadline, because a client that does not read
            # would hold us for ever.
            with trio.move_on_after(self.server.limits.send_s, shield=True) as scope:
                if not self.websocket:
                    self.server.unread[self] = None
                whole = bytes(self.left) + data
                self.left.clear()
                try:
                    await self.stream.send_all(whole)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self.closing = True
            if scope.cancelled_caught:
                self.server.counters.slow_closed += 1
                self.closing = True
        finally:
            self.server.unread.pop(self, None)
            self.send_lock.release()
        if self.closing:
            await trio.aclose_forcefully(self.stream)
            if self.protocol is not None:
                await self.protocol.handle(Closed())

    async def _finish(self) -> None:
        """Say goodbye to a client that may still be sending, then let the reader see the end."""
        self.closing = True
        try:
            if isinstance(self.stream, trio.SocketStream):
                await self.stream.send_eof()
        except (trio.BrokenResourceError, trio.BusyResourceError, trio.ClosedResourceError):
            pass  # it is gone already, which is what was wanted
        await trio.aclose_forcefully(self.stream)
        if self.protocol is not None:
            await self.protocol.handle(Closed())


@attrs.define(eq=False, kw_only=True)
class Server:
    """Serves an ASGI application on given listeners until `stopping` is set, and then ends within `limits.grace_s`.

    The application should end its WebSocket handlers by itself when `stopping` is set (close code 1001).
    """

    app: Any
    stopping: trio.Event
    limits: ServerLimits = attrs.field(factory=ServerLimits)
    tls: ssl.SSLContext | None = None
    counters: ServerCounters = attrs.field(factory=ServerCounters)
    context: WorkerContext = attrs.field(init=False)
    config: Config = attrs.field(init=False)
    wrapped: ASGIWrapper = attrs.field(init=False)
    lifespan_state: dict[str, Any] = attrs.field(factory=dict, init=False)
    unheard: dict[_Connection, None] = attrs.field(factory=dict, init=False)
    """Connections that have not asked for anything yet, the oldest first."""
    resting: dict[_Connection, None] = attrs.field(factory=dict, init=False)
    """Connections between two requests, the longest at rest first."""
    unread: dict[_Connection, None] = attrs.field(factory=dict, init=False)
    """Connections that are being sent an answer, the slowest readers first."""
    _connections: dict[_Connection, None] = attrs.field(factory=dict, init=False)
    _by_address: Counter[str] = attrs.field(factory=Counter, init=False)
    _knocks: RateLimit = attrs.field(init=False)
    _one_left: trio.Event = attrs.field(factory=trio.Event, init=False)
    _one_came: trio.Event = attrs.field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        limits = self.limits
        self._knocks = RateLimit(per_s=limits.knocks_per_s, burst=limits.connections_per_address)
        config = Config()
        config.errorlog = log
        config.accesslog = None
        config.include_server_header = False
        config.h11_max_incomplete_size = limits.header_bytes
        config.websocket_max_message_size = limits.message_bytes
        # Hypercorn's pinger is a task of each connection; ours is below.
        config.websocket_ping_interval = None
        config.alpn_protocols = ["http/1.1"]
        config.startup_timeout = 10
        config.shutdown_timeout = limits.grace_s
        self.config = config
        self.context = WorkerContext(None)
        self.wrapped = ASGIWrapper(self.app)
        if self.tls is not None:
            self.tls.set_alpn_protocols(["http/1.1"])

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    async def serve(
        self,
        listeners: Sequence[trio.SocketListener],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until `stopping`. The listeners stay open and their owner's: after a crash the next server takes them
        over, and clients that knock meanwhile wait in the backlog instead of being refused."""
        async with trio.open_nursery() as lifespan_nursery:
            lifespan = Lifespan(self.wrapped, self.config, self.lifespan_state)
            await lifespan_nursery.start(lifespan.handle_lifespan)
            await lifespan.wait_for_startup()
            try:
                await self._serve(listeners, task_status)
            finally:
                # When we are cancelled the lifespan is too, and has closed its channel before we could say goodbye.
                with (
                    trio.move_on_after(self.limits.grace_s, shield=True),
                    contextlib.suppress(trio.ClosedResourceError, trio.BrokenResourceError),
                ):
                    await lifespan.wait_for_shutdown()
                lifespan_nursery.cancel_scope.cancel()

    async def _serve(self, listeners: Sequence[trio.SocketListener], task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as handlers:
            try:
                async with trio.open_nursery() as accepting:
                    for listener in listeners:
                        accepting.start_soon(self._accept, listener, handlers)
                    accepting.start_soon(self._ping, handlers)
                    task_status.started()
                    await self.stopping.wait()
                    accepting.cancel_scope.cancel()
                await self._drain()
            finally:
                # Also when we are cancelled: no shielded send may outlive this.
                for connection in tuple(self._connections):
                    connection.cut()

    async def _accept(self, listener: trio.SocketListener, handlers: trio.Nursery) -> None:
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                if error.errno not in NO_MORE_FILES:
                    raise
                self.counters.errors["accept"] += 1
                log.error("no more files to accept connections with: %s", error.strerror)
                await trio.sleep(0.1)
                continue
            try:
                peer = parse_socket_addr(stream.socket.family, stream.socket.getpeername())
                address = "" if peer is None else str(peer[0])
            except OSError:
                await trio.aclose_forcefully(stream)
                continue
            crowded = (
                self._by_address[address] >= self.limits.connections_per_address
                or self._knocks.take(address, trio.current_time()) > 0
                or (len(self._connections) >= self.limits.connections and not self._make_room())
            )
            if crowded:
                self.counters.refused_over_limit += 1
                await trio.aclose_forcefully(stream)
                continue
            self.counters.accepted += 1
            whole = stream if self.tls is None else trio.SSLStream(stream, self.tls, server_side=True)
            connection = _Connection(server=self, stream=whole, address=address)
            self._connections[connection] = self.unheard[connection] = None
            self._one_came.set()
            self._by_address[address] += 1
            handlers.start_soon(self._handle, connection)

    async def _ping(self, handlers: trio.Nursery) -> None:
        """Ask every WebSocket for a sign of life once in `ping_s`, one after the other over all of that time."""
        while True:
            asked = [connection for connection in self._connections if connection.websocket]
            for connection in asked:
                if not connection.ping():
                    handlers.start_soon(self._flush, connection)
                await trio.sleep(self.limits.ping_s / len(asked))
            if not self._connections:
                # Nobody need be looked for before somebody comes.
                self._one_came = trio.Event()
                await self._one_came.wait()
            if not asked:
                await trio.sleep(self.limits.ping_s)

    async def _flush(self, connection: _Connection) -> None:
        """What a connection could not be told at once. Whatever goes wrong stays in that connection."""
        try:
            await connection.flush()
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # that it is gone shows where it is read
        except Exception as error:
            self.counters.errors[type(error).__name__] += 1
            connection.cut()

    def rests(self, connection: _Connection, between_requests: bool) -> None:
        """Remember who only keeps a connection for its next request."""
        if between_requests:
            self.resting[connection] = None
        else:
            self.resting.pop(connection, None)

    def _make_room(self) -> bool:
        """Close the oldest connection that has not asked for anything, else the one longest at rest, else who takes
        longest to read its answer; False when there is none of them.

        So a crowd of idle clients keeps nobody out who asks at once: they only push one another away.
        """
        places = self.unheard or self.resting or self.unread
        oldest = next(iter(places), None)
        if oldest is None:
            return False
        del places[oldest]
        self.counters.refused_over_limit += 1
        oldest.cut()
        return True

    async def _handle(self, connection: _Connection) -> None:
        """One connection; whatever goes wrong in it stays in it."""
        try:
            await connection.run()
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self.counters.errors["broken"] += 1
        except* Exception as group:
            for error in _leaves(group):
                self.counters.errors[type(error).__name__] += 1
                log.info("a connection ended with %s", type(error).__name__)
        finally:
            del self._connections[connection]
            self.unheard.pop(connection, None)
            self.resting.pop(connection, None)
            self.unread.pop(connection, None)
            self._one_left.set()
            self._by_address[connection.address] -= 1
            if self._by_address[connection.address] <= 0:
                del self._by_address[connection.address]

    async def _drain(self) -> None:
        """Running requests may finish within the grace; idle connections end now, the rest when it is over."""
        await self.context.terminated.set()
        for connection in tuple(self._connections):
            if connection.idle and not connection.websocket:
                connection.cut()
        with trio.move_on_after(self.limits.grace_s):
            while self._connections:
                self._one_left = trio.Event()
                await self._one_left.wait()
        self.counters.closed_at_shutdown += len(self._connections)


def text_frame(text: bytes) -> bytes:
    """A server's WebSocket frame of one whole text message, unmasked (RFC 6455, 5.2)."""
    size = len(text)
    if size < 126:
        return b"\x81%c%b" % (size, text)
    if size < 1 << 16:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), text)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
