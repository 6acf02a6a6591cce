"""One end of a virtual TCP connection, and the socket object that trio's streams and listeners hold."""

import errno
import socket as stdlib
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

import trio

from genesis.core.woken import WOKEN
from genesis.worlds.process import Process

if TYPE_CHECKING:
    from genesis.worlds.network import Network

CAPACITY: Final = 256 * 1024
"""Bytes of one direction that may be under way or unread: what two kernels hold."""
SEGMENT: Final = 16 * 1024
LARGEST_READ: Final = 65_536
"""What trio reads at most when nobody says how much."""


class Endpoint:
    """What one kernel knows of a connection. `inbox` holds bytes that arrived and were not read."""

    def __init__(
        self, network: "Network", process: Process, number: int, *, name: tuple[str, int], peer: tuple[str, int]
    ) -> None:
        self.network = network
        self.process = process
        self.number = number
        self.name = name
        self.peer = peer
        self.other: Endpoint = self
        self.inbox = bytearray()
        self.eof = False
        self.broken: OSError | None = None
        self.mortal = process.mortal
        self.arrived_at = trio.current_time()
        """When a byte came last, or the connection was made."""
        self.is_stream = False
        """Whether its first bytes asked for a WebSocket."""
        self.closed = False
        self.shut = False
        self.blocked_until = 0.0
        """What is sent before this time is delivered then (infinite: never), and everything after it later still."""
        self._unacknowledged = 0
        self._last_due = 0.0
        self._reader: trio.lowlevel.Task | None = None
        self._writers: deque[trio.lowlevel.Task] = deque()

    @property
    def over(self) -> bool:
        return self.closed or self.broken is not None

    # --- sending --------------------------------------------------------------------------------------------------

    def _due(self) -> float:
        network = self.network
        due = network.clock.now + network.latency(self.name[0], self.peer[0])
        due = max(self._last_due, self.blocked_until, due)
        self._last_due = due
        return due

    def _post(self, action: Any) -> None:
        due = self._due()
        if due != float("inf"):
            self.network.at(due, action)

    async def send(self, data: bytes | bytearray | memoryview) -> int:
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            if self.closed:
                raise OSError(9, "Bad file descriptor")
            if self.broken is not None:
                raise self.broken
            if self.shut or not self.process.alive:
                raise BrokenPipeError(32, "Broken pipe")
            room = CAPACITY - self._unacknowledged
            if room > 0:
                break
            await self._wait_for_room()
        size = min(room, SEGMENT, len(data))
        chunk = bytes(data[:size])
        self._unacknowledged += size
        if size > 1 and self.network.bytewise(self.name[0], self.peer[0]):
            # One byte after the other, but not a timer for each: pieces of one to a few bytes.
            for start in range(0, min(size, 24)):
                self._deliver_later(chunk[start : start + 1])
            self._deliver_later(chunk[24:])
        else:
            self._deliver_later(chunk)
        if self.mortal:
            await trio.lowlevel.cancel_shielded_checkpoint()
        return size

    def _deliver_later(self, chunk: bytes) -> None:
        if chunk:
            self._post(partial(self.other._arrived, chunk))

    async def _wait_for_room(self) -> None:
        task = trio.lowlevel.current_task()

        def stop(_: Any) -> trio.lowlevel.Abort:
            self._writers.remove(task)
            return trio.lowlevel.Abort.SUCCEEDED

        self._writers.append(task)
        await trio.lowlevel.wait_task_rescheduled(stop)

    def _wake_writers(self) -> None:
        while self._writers:
            trio.lowlevel.reschedule(self._writers.popleft(), WOKEN)

    # --- arriving -------------------------------------------------------------------------------------------------

    def _arrived(self, chunk: bytes) -> None:
        if self.broken is not None:
            return
        if self.closed:
            self.network.late_bytes += len(chunk)
            self._post(self.other._reset_arrived)
            return
        if self.other.over:
            self.network.late_bytes += len(chunk)
        self.network.delivered_bytes += len(chunk)
        self.arrived_at = self.network.clock.now
        self.is_stream = self.is_stream or chunk.startswith(b"GET /ws")
        self.inbox += chunk
        self._wake_reader()

    def _eof_arrived(self) -> None:
        self.eof = True
        self._wake_reader()

    def _reset_arrived(self) -> None:
        self.break_now(ConnectionResetError(104, "Connection reset by peer"))

    def break_now(self, error: OSError) -> None:
        """The connection is broken for this end; what it had not read is lost."""
        if self.broken is None and not self.closed:
            self.broken = error
            self.inbox.clear()
            self._wake_reader()
            self._wake_writers()
        self.network.closed(self)

    # --- receiving ------------------------------------------------------------------------------------------------

    async def recv(self, size: int) -> bytes:
        if self.inbox or self.over or self.eof or not self.process.alive:
            # Whoever waits can be cancelled there.
            await trio.lowlevel.checkpoint()
        while True:
            if self.closed:
                raise OSError(9, "Bad file descriptor")
            if self.inbox:
                break
            if self.broken is not None:
                raise self.broken
            if self.eof or not self.process.alive:
                break
            assert self._reader is None, "one task reads a socket at a time"
            self._reader = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._stop_reading)
        inbox = self.inbox
        if len(inbox) <= size:
            data = bytes(inbox)
            inbox.clear()
        else:
            data = bytes(inbox[:size])
            del inbox[:size]
        other = self.other
        other._unacknowledged -= len(data)
        if data and other._writers:
            other._wake_writers()
        return data

    def _stop_reading(self, _: Any) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _wake_reader(self) -> None:
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader, WOKEN)
            self._reader = None

    # --- ending ---------------------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        if not self.shut and not self.over:
            self.shut = True
            self._post(self.other._eof_arrived)

    def say_goodbye(self) -> None:
        """Somebody between the two ends says goodbye in this one's name."""
        if not self.over:
            self._post(self.other._eof_arrived)

    def close(self, *, reset: bool = False) -> None:
        """Close this end: a goodbye, or a reset, follows what was sent before."""
        if self.closed:
            return
        if self.broken is None:
            if reset:
                self._post(self.other._reset_arrived)
            elif not self.shut:
                self._post(self.other._eof_arrived)
        self.closed = True
        self._wake_reader()
        self._wake_writers()
        self.network.closed(self)


class VirtualSocket(trio.socket.SocketType):
    """Unbound at first; then it listens, or is one end of a connection."""

    def __init__(self, network: "Network", process: Process, end: Endpoint | None = None) -> None:
        super().__init__()
        self.network = network
        self.process = process
        self.end = end
        self._bound: tuple[str, int] | None = None
        self._key: tuple[str, int] | None = None
        self._closed = False
        self._waiting: deque[Endpoint] = deque()
        self._offered = trio.Event()

    family = property(lambda self: stdlib.AF_INET)
    type = property(lambda self: stdlib.SOCK_STREAM)
    proto = property(lambda self: 6)

    @property
    def did_shutdown_SHUT_WR(self) -> bool:
        return self.end is not None and self.end.shut

    def __repr__(self) -> str:
        return f"<virtual socket of {self.process.name}>"

    def __enter__(self) -> "VirtualSocket":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        return -1 if self._closed or (self.end is not None and self.end.closed) else 1_000_000

    def _connected(self) -> Endpoint:
        if self._closed:
            raise OSError(9, "Bad file descriptor")
        if self.end is None:
            raise OSError(107, "Transport endpoint is not connected")
        return self.end

    def getsockname(self) -> tuple[str, int]:
        return self._bound if self._bound is not None else self._connected().name

    def getpeername(self) -> tuple[str, int]:
        return self._connected().peer

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> Any:
        if (level, optname) == (stdlib.SOL_SOCKET, stdlib.SO_ACCEPTCONN):
            return int(self._key is not None)
        return 0

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        if self._closed:
            raise OSError(9, "Bad file descriptor")

    # --- listening ------------------------------------------------------------------------------------------------

    async def bind(self, address: Any) -> None:
        await trio.lowlevel.checkpoint()
        self._bound = (address[0], address[1] or self.network.free_port())

    def listen(self, backlog: int = 128) -> None:
        self.process.check_alive()
        assert self._bound is not None, "a socket must be bound before it listens"
        # Loopback is the machine's own: two machines may use one port of it.
        key = (self.process.machine, self._bound[1])
        if key in self.network.listeners:
            raise OSError(98, "Address already in use")
        self._key = key
        self.network.listeners[key] = self

    def offer(self, end: Endpoint) -> None:
        self._waiting.append(end)
        self._offered.set()

    async def accept(self) -> tuple["VirtualSocket", Any]:
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            if self._closed:
                raise OSError(9, "Bad file descriptor")
            self._offered = trio.Event()
            await self._offered.wait()
        end = self._waiting.popleft()
        return VirtualSocket(self.network, self.process, end), end.peer

    # --- talking --------------------------------------------------------------------------------------------------

    async def connect(self, address: Any) -> None:
        self.end = await self.network.connect(self, (address[0], address[1]))

    async def send(self, data: Any, flags: int = 0) -> int:
        return await self._connected().send(memoryview(data))

    async def recv(self, size: int, flags: int = 0) -> bytes:
        return await self._connected().recv(size)

    async def wait_writable(self) -> None:
        await trio.lowlevel.checkpoint()

    def shutdown(self, how: int) -> None:
        if how in (stdlib.SHUT_WR, stdlib.SHUT_RDWR):
            self._connected().shutdown()

    def is_readable(self) -> bool:
        end = self.end
        return end is not None and bool(end.inbox or end.eof or end.broken is not None or end.closed)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._key is not None and self.network.listeners.get(self._key) is self:
            del self.network.listeners[self._key]
        for end in self._waiting:
            end.close(reset=True)
        self._offered.set()
        if self.end is not None:
            self.end.close()


# --- streams ----------------------------------------------------------------------------------------------------------


def translate(error: OSError) -> NoReturn:
    """Raise what trio's streams raise of an error of their socket."""
    if error.errno in (errno.EBADF, errno.ENOTSOCK):
        raise trio.ClosedResourceError("this socket was already closed") from None
    raise trio.BrokenResourceError(f"socket connection broken: {error}") from error


async def send_all(stream: trio.SocketStream, data: bytes | bytearray | memoryview) -> None:
    """`trio.SocketStream.send_all` of a virtual socket: straight to its end of the connection, without views of parts
    of what goes in one piece."""
    if stream.socket.did_shutdown_SHUT_WR:
        raise trio.ClosedResourceError("can't send data after sending EOF")
    with stream._send_conflict_detector:
        if not data:
            if stream.socket.fileno() == -1:
                raise trio.ClosedResourceError("socket was already closed")
            await trio.lowlevel.checkpoint()
            return
        try:
            end = _end_of(stream)
            sent = await end.send(data)
            if sent < len(data):
                rest = memoryview(data)
                while sent < len(data):
                    sent += await end.send(rest[sent:])
        except OSError as error:
            translate(error)


async def receive_some(stream: trio.SocketStream, max_bytes: int | None = None) -> bytes:
    """`trio.SocketStream.receive_some` of a virtual socket."""
    size = LARGEST_READ if max_bytes is None else max_bytes
    if size < 1:
        raise ValueError("max_bytes must be >= 1")
    try:
        return await _end_of(stream).recv(size)
    except OSError as error:
        translate(error)


def _end_of(stream: trio.SocketStream) -> Endpoint:
    socket = stream.socket
    assert isinstance(socket, VirtualSocket), f"a world's sockets are virtual, was {socket!r}"
    return socket._connected()
