"""A TCP connection with little between its owner and the kernel: the stream beneath TLS and every WebSocket.

trio's own stream goes through some fifteen functions for each frame it writes, and asks the kernel for bytes once in
vain before it waits for them. What an order waits for runs seldom, and each function of it then comes from memory
anew. This one keeps trio's rules for a stream: one task writes and one reads at a time (`trio.BusyResourceError`),
each call is a checkpoint, a broken line is `trio.BrokenResourceError`, and one that was closed here
`trio.ClosedResourceError`.
"""

import errno
import select
import socket
from typing import Final

import trio
from typing_extensions import override

READ_BYTES: Final = 65_536
_CLOSED: Final = frozenset({errno.EBADF, errno.ENOTSOCK})


def straight(stream: trio.SocketStream) -> trio.abc.Stream:
    """The connection of trio's stream as a `TcpStream`; use the other one no more.

    A simulated world's socket has no kernel beneath it: there it is trio's stream as before.
    """
    try:
        descriptor = stream.socket.detach()
    except NotImplementedError:
        return stream
    return TcpStream(socket.socket(fileno=descriptor))


class TcpStream(trio.abc.Stream):
    """Owns a connected socket, and closes it."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._writing = False
        # The last read gave less than there was room for: the next one would be in vain.
        self._drained = False

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._writing:
            raise trio.BusyResourceError("another task is already writing to this connection")
        await trio.lowlevel.checkpoint_if_cancelled()
        self._writing = True
        try:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            if sent == len(data):
                await trio.lowlevel.cancel_shielded_checkpoint()
            else:
                await self._send_rest(memoryview(data)[sent:])
        except OSError as error:
            raise _trouble(error) from error
        finally:
            self._writing = False

    async def _send_rest(self, data: memoryview) -> None:
        while data:
            await trio.lowlevel.wait_writable(self._open_socket())
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                pass

    @override
    async def wait_send_all_might_not_block(self) -> None:
        if self._writing:
            raise trio.BusyResourceError("another task is already writing to this connection")
        await trio.lowlevel.wait_writable(self._open_socket())

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        room = READ_BYTES if max_bytes is None else max_bytes
        if room < 1:
            raise ValueError(f"max_bytes must be at least 1, was {room}")
        try:
            if not self._drained:
                await trio.lowlevel.checkpoint_if_cancelled()
                try:
                    data = self._socket.recv(room)
                    self._drained = len(data) < room
                    await trio.lowlevel.cancel_shielded_checkpoint()
                    return data
                except BlockingIOError:
                    pass
            while True:
                await trio.lowlevel.wait_readable(self._open_socket())
                try:
                    data = self._socket.recv(room)
                except BlockingIOError:
                    continue
                self._drained = len(data) < room
                return data
        except OSError as error:
            raise _trouble(error) from error

    @override
    async def aclose(self) -> None:
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()
        await trio.lowlevel.checkpoint()

    def is_readable(self) -> bool:
        """Whether a read would return at once, be it with the connection's end."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def _open_socket(self) -> socket.socket:
        if self._socket.fileno() < 0:
            raise trio.ClosedResourceError("the connection was closed here")
        return self._socket


def _trouble(error: OSError) -> trio.BrokenResourceError | trio.ClosedResourceError:
    if error.errno in _CLOSED:
        return trio.ClosedResourceError("the connection was closed here")
    return trio.BrokenResourceError(f"the connection broke: {error}")
