"""Streams of a world: what goes straight to a virtual socket's end is what trio's own stream would make of it."""

import random
from collections.abc import Awaitable, Callable
from unittest.mock import patch

import pytest
import trio

from genesis.worlds.hooks import PRIVATE_STREAM_NAME, run_virtual
from genesis.worlds.network import Network
from genesis.worlds.process import Process
from genesis.worlds.virtual_clock import VirtualClock
from genesis.worlds.virtual_socket import CAPACITY, VirtualSocket

CLIENT = "10.0.0.2"
THEIRS = {"send_all": trio.SocketStream.send_all, "receive_some": trio.SocketStream.receive_some}

Story = Callable[[trio.SocketStream, trio.SocketStream, list[object]], Awaitable[None]]


def told(story: Story, *, by_trio: bool, mortal: bool) -> list[object]:
    """What a story tells that is played between the two ends of a connection; `by_trio`: with trio's own methods."""
    heard: list[object] = []
    clock = VirtualClock()
    network = Network(random.Random(1), clock)

    async def main() -> None:
        network.install()
        Process("both", CLIENT, mortal=mortal).enter()
        (listener,) = await trio.open_tcp_listeners(8700, host=CLIENT)
        client = await trio.open_tcp_stream(CLIENT, 8700)
        server = await listener.accept()
        if not by_trio:
            await play(story, client, server, heard)
            return
        with (
            patch.object(trio.SocketStream, "send_all", THEIRS["send_all"]),
            patch.object(trio.SocketStream, "receive_some", THEIRS["receive_some"]),
        ):
            await play(story, client, server, heard)

    network.names[CLIENT] = CLIENT
    run_virtual(1, main, clock=clock)
    return heard


async def play(story: Story, client: trio.SocketStream, server: trio.SocketStream, heard: list[object]) -> None:
    try:
        await story(client, server, heard)
    except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError, ValueError) as error:
        heard.append((type(error), str(error), type(error.__cause__)))
    except BaseExceptionGroup as group:
        heard.append([(type(error), str(error)) for error in group.exceptions])
    heard.append(trio.current_time())


async def _words(client: trio.SocketStream, server: trio.SocketStream, heard: list[object]) -> None:
    for word in (b"one", bytearray(b"two"), memoryview(b"three"), b""):
        await client.send_all(word)
        heard.append(trio.current_time())
    while sum(len(each) for each in heard if isinstance(each, bytes)) < 11:
        heard.append(await server.receive_some(4))


async def _more_than_fits(client: trio.SocketStream, server: trio.SocketStream, heard: list[object]) -> None:
    async def read() -> None:
        await trio.sleep(1)
        while data := await server.receive_some():
            heard.append((len(data), trio.current_time()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await client.send_all(b"x" * (2 * CAPACITY))
        heard.append(trio.current_time())
        await client.send_eof()


async def _two_at_once(client: trio.SocketStream, server: trio.SocketStream, heard: list[object]) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(client.send_all, b"x" * (2 * CAPACITY))


async def _behind_a_goodbye(client: trio.SocketStream, server: trio.SocketStream, heard: list[object]) -> None:
    await client.send_eof()
    heard.append(await server.receive_some(10))
    await client.send_all(b"more")


async def _closed_here(client: trio.SocketStream, server: trio.SocketStream, heard: list[object]) -> None:
    await client.aclose()
    for call in (client.receive_some, lambda: client.send_all(b""), lambda: client.send_all(b"more")):
        await play(lambda *_, call=call: call(), client, server, heard)


async def _reset_there(client: trio.SocketStream, server: trio.SocketStream, heard: list[object]) -> None:
    assert isinstance(server.socket, VirtualSocket)
    assert server.socket.end is not None
    server.socket.end.close(reset=True)
    await trio.sleep(1)
    await play(lambda *_: client.send_all(b"more"), client, server, heard)
    await client.receive_some(10)


async def _nothing_is_asked_for(client: trio.SocketStream, server: trio.SocketStream, heard: list[object]) -> None:
    await client.receive_some(0)


@pytest.mark.parametrize("mortal", [True, False])
@pytest.mark.parametrize(
    "story",
    [_words, _more_than_fits, _two_at_once, _behind_a_goodbye, _closed_here, _reset_there, _nothing_is_asked_for],
)
def test_a_stream_does_what_trios_own_does(story: Story, mortal: bool) -> None:
    ours = told(story, by_trio=False, mortal=mortal)
    assert ours == told(story, by_trio=True, mortal=mortal)
    assert ours


def test_trio_still_has_the_name_that_streams_use() -> None:
    async def look() -> None:
        Network(random.Random(1), VirtualClock()).install()
        Process("both", CLIENT).enter()
        stream = trio.SocketStream(trio.socket.socket())
        with getattr(stream, PRIVATE_STREAM_NAME), pytest.raises(trio.BusyResourceError):
            await stream.send_all(b"x")

    run_virtual(1, look)
