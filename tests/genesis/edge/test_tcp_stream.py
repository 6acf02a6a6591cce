"""Our TCP stream keeps every rule that trio has for a stream, and waits for bytes without asking in vain."""

import socket
from typing import Any

import pytest
import trio
import trio.testing

from genesis.edge.tcp_stream import READ_BYTES, TcpStream, straight


def a_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = socket.create_connection(server.getsockname())
        here, _ = server.accept()
    return here, there


async def two_streams() -> tuple[TcpStream, TcpStream]:
    here, there = a_pair()
    return TcpStream(here), TcpStream(there)


async def full_streams() -> tuple[TcpStream, TcpStream]:
    """Two ends of which neither takes a byte more: TCP's room changes while it is filled, a local pair's does not."""
    here, there = socket.socketpair()
    for end in (here, there):
        end.setblocking(False)
        for size in (65_536, 1):
            with pytest.raises(BlockingIOError):
                while True:
                    end.send(b"x" * size)
    return TcpStream(here), TcpStream(there)


async def test_it_keeps_the_rules_of_a_stream() -> None:
    """trio's own check of all that a stream promises: closing, cancelling, two writers, a far end that is gone."""
    await trio.testing.check_two_way_stream(two_streams, full_streams)


async def test_a_message_larger_than_the_kernel_holds_arrives_whole() -> None:
    here, there = await two_streams()
    message = bytes(range(256)) * 65_536
    heard = bytearray()
    async with here, there, trio.open_nursery() as nursery:
        nursery.start_soon(here.send_all, message)
        while len(heard) < len(message):
            data = await there.receive_some()
            assert 0 < len(data) <= READ_BYTES
            heard += data
    assert heard == message


async def test_nobody_writes_between_the_parts_of_a_message() -> None:
    here, there = await full_streams()
    async with here, there, trio.open_nursery() as nursery:
        nursery.start_soon(here.send_all, b"a" * 1_000_000)
        await trio.testing.wait_all_tasks_blocked()
        # Room again, which its writer has not seen yet.
        while there._socket.recv(65_536) == b"x" * 65_536:
            pass
        with pytest.raises(trio.BusyResourceError):
            await here.send_all(b"b")
        nursery.cancel_scope.cancel()


async def test_a_connection_of_trios_goes_on_as_ours() -> None:
    async def answer(stream: trio.SocketStream) -> None:
        async with straight(stream) as ours:
            assert isinstance(ours, TcpStream)
            await ours.send_all(await ours.receive_some())

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        client = straight(await trio.open_tcp_stream(*listener.socket.getsockname()[:2]))
        async with client:
            await client.send_all(b"one")
            assert await client.receive_some() == b"one"
            assert await client.receive_some() == b""
        nursery.cancel_scope.cancel()


class Counting(socket.socket):
    """Counts how often it is asked for bytes."""

    asked = 0

    def recv(self, *arguments: int) -> bytes:
        self.asked += 1
        return super().recv(*arguments)


async def test_the_kernel_is_not_asked_for_bytes_that_it_cannot_have() -> None:
    here, there = a_pair()
    counting = Counting(fileno=here.detach())
    ours, theirs = TcpStream(counting), TcpStream(there)
    async with ours, theirs:
        await theirs.send_all(b"first")
        assert await ours.receive_some() == b"first"
        asked = counting.asked
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.receive_some)
            await trio.testing.wait_all_tasks_blocked()
            assert counting.asked == asked
            await theirs.send_all(b"second")
        assert counting.asked == asked + 1


async def test_what_is_left_behind_a_full_read_is_read_at_once() -> None:
    ours, theirs = await two_streams()
    async with ours, theirs:
        await theirs.send_all(b"123456")
        with trio.fail_after(5):
            assert [await ours.receive_some(3), await ours.receive_some(3)] == [b"123", b"456"]
            await theirs.aclose()
            assert await ours.receive_some(3) == b""


async def test_a_simulated_worlds_socket_stays_trios() -> None:
    class Simulated(trio.socket.SocketType):
        did_shutdown_SHUT_WR = False

        def setsockopt(self, *_: object) -> None:
            pass

        def getsockopt(self, *_: Any) -> Any:
            return 0

        type = property(lambda self: socket.SOCK_STREAM)

        def getpeername(self) -> tuple[str, int]:
            return "virtual", 1

    stream = trio.SocketStream(Simulated())
    assert straight(stream) is stream
