"""The server against clients that mean it no good: it answers the next one, and it ends when told to."""

import math
import socket
import ssl
from typing import Any

import attrs
import httpx
import pytest
import trio
import trustme
from wsproto.connection import Connection as Peer
from wsproto.connection import ConnectionType
from wsproto.events import TextMessage

import web.server
from tests.own_time import own_s
from tests.web.serving import QUICK, Served, a_server, until
from web.server import PortTaken, ServerLimits, UnsafeListener, open_listeners, port_of, text_frame
from web.tokens import Scope

UPGRADE = (
    b"GET /api/v2/stream HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
GET = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"
HOSTILE = {
    "upgrade with data in the same packet": UPGRADE + b"\r\n" + b"\x81\x85\x00\x00\x00\x00hello",
    "upgrade with a strange extension": UPGRADE + b"Sec-WebSocket-Extensions: \xff\xfe; x\r\n\r\n",
    "upgrade without a key": UPGRADE.replace(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"") + b"\r\n",
    "upgrade with a protocol that is no text": UPGRADE + b"Sec-WebSocket-Protocol: \xff\x00\r\n\r\n",
    "http/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "http/2 by upgrade": GET.replace(
        b"\r\n\r\n",
        b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    ),
    "http/0.9": b"GET /\r\n",
    "garbage": bytes(range(256)) * 8,
    "a path that is no ascii": b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
    "a bad escape": b"GET /%zz%ff HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
    "two lengths": b"POST /api/v2/order HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
    b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a negative length": b"POST /api/v2/order HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: -1\r\n\r\n",
    "a bad chunk": b"POST /api/v2/order HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a header without end": b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000,
    "a thousand headers": b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 3000 + b"\r\n",
    "expects to continue and stops": GET.replace(b"GET /health", b"POST /api/v2/order").replace(
        b"\r\n\r\n", b"\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    ),
    "pipelined": GET * 20,
    "connect": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "half a request": b"GET /health HTTP/1.1\r\nHo",
    "nothing": b"",
}
# %d stands for the server's own port.
ENDINGS = ("close", "reset", "wait")


async def attack(stream: trio.SocketStream, payload: bytes, ending: str) -> None:
    try:
        if payload:
            await stream.send_all(payload)
        if ending == "wait":
            with trio.move_on_after(3):
                while await stream.receive_some(65_536):
                    pass
        elif ending == "reset":
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    except (trio.BrokenResourceError, OSError):
        pass
    finally:
        await trio.aclose_forcefully(stream)


def payload_of(name: str, port: int) -> bytes:
    return HOSTILE[name].replace(b"%d", b"%d" % port)


@pytest.mark.parametrize("name", list(HOSTILE))
async def test_no_bytes_and_no_way_of_leaving_kill_the_server(name: str) -> None:
    async with a_server() as served:
        for ending in ENDINGS:
            await attack(await served.connect(), payload_of(name, served.port), ending)
            assert await served.alive()
    assert served.ended_in < QUICK.grace_s + 0.7


@pytest.mark.parametrize("name", [name for name in HOSTILE if "upgrade" in name])
async def test_who_asked_for_a_websocket_and_was_given_none_is_pinged_without_harm(name: str) -> None:
    async with a_server(attrs.evolve(QUICK, ping_s=0.01)) as served:
        stream = await served.connect()
        await stream.send_all(payload_of(name, served.port))
        await trio.sleep(0.1)
        assert await served.alive()
        await trio.aclose_forcefully(stream)


async def test_many_hostile_clients_at_once_do_not_keep_the_next_one_out() -> None:
    async with a_server() as served:
        async with trio.open_nursery() as nursery:
            for number in range(40):
                payload = payload_of(list(HOSTILE)[number % len(HOSTILE)], served.port)
                nursery.start_soon(attack, await served.connect(), payload, ENDINGS[number % 3])
            assert await served.alive()
        assert await served.alive()


async def closes_in(stream: trio.SocketStream) -> float:
    """Seconds of our own until the server closes; fails when it does not."""
    started = own_s()
    try:
        with trio.fail_after(60):
            while await stream.receive_some(65_536):
                pass
    except trio.BrokenResourceError:
        pass
    return own_s() - started


async def test_a_client_that_says_nothing_or_says_it_slowly_is_closed() -> None:
    async with a_server() as served:
        silent, slow = await served.connect(), await served.connect()

        async def drip() -> None:
            with trio.move_on_after(60):
                try:
                    for byte in b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n":
                        await slow.send_all(bytes([byte]))
                        await trio.sleep(0.05)
                except trio.BrokenResourceError:
                    pass

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip)
            assert await closes_in(silent) < 1.5
            assert await closes_in(slow) < 1.5
            nursery.cancel_scope.cancel()
        assert served.site.counters.timed_out == 2
        await trio.aclose_forcefully(silent)
        await trio.aclose_forcefully(slow)


async def test_an_idle_connection_is_closed_after_its_keep_alive() -> None:
    async with a_server() as served:
        stream = await served.connect()
        await stream.send_all(GET % served.port)
        assert await closes_in(stream) < 2
        await trio.aclose_forcefully(stream)


async def test_a_body_that_never_comes_ends_with_its_request() -> None:
    async with a_server() as served:
        stream = await served.connect()
        head = (
            b"POST /api/v2/auth/ticket HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
            b"Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
        )
        await stream.send_all(head % served.port)
        assert await closes_in(stream) < QUICK.request_s + 1
        await trio.aclose_forcefully(stream)


@pytest.mark.parametrize(("head", "status"), [(b"POST /api/v2/nowhere", b"404"), (b"DELETE /health", b"405")])
async def test_a_connection_whose_body_nobody_read_is_said_to_close(head: bytes, status: bytes) -> None:
    """It did close, by chance, and the client's next command went into it: nobody could say what became of that one."""
    said = b""
    async with a_server() as served:
        stream = await served.connect()
        rest = b" HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
        await stream.send_all(head + rest % served.port)
        while b"\r\n\r\n" not in said:
            said += await stream.receive_some(65_536)
        await trio.aclose_forcefully(stream)
    assert said.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nconnection: close\r\n" in said.lower()


async def test_a_connection_whose_body_was_read_stays() -> None:
    async with a_server() as served, httpx.AsyncClient(base_url=served.base, trust_env=False) as client:
        headers = {"authorization": f"Bearer {served.token(Scope.TRADE)}"}
        for _ in range(3):
            answer = await client.post("/api/v2/order", json={}, headers=headers)
            assert answer.status_code == 422
            assert "connection" not in answer.headers
        assert served.site.counters.accepted == 1


async def test_who_asks_for_the_stream_and_leaves_is_no_mistake_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async with a_server() as served:
        for _ in range(20):
            stream = await served.connect()
            await stream.send_all(
                b"GET /api/v2/stream HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % served.port
            )
            await trio.aclose_forcefully(stream)
        assert await served.alive()
    assert [record.message for record in caplog.records if record.name == "genesis.web"] == []


async def test_a_crowd_of_silent_clients_keeps_nobody_out_who_asks() -> None:
    limits = ServerLimits(connections=5, connections_per_address=50, headers_s=30, grace_s=0.5)
    async with a_server(limits) as served:
        streams = [await served.connect() for _ in range(40)]
        for stream in streams[::2]:
            await stream.send_all(b"GET /health HT")
        assert await served.alive()
        assert served.site.counters.refused_over_limit >= 35
        for stream in streams:
            await trio.aclose_forcefully(stream)


async def test_a_crowd_that_asked_once_and_rests_keeps_nobody_out_either() -> None:
    limits = ServerLimits(connections=5, connections_per_address=50, headers_s=30, keep_alive_s=30, grace_s=0.5)
    async with a_server(limits) as served:
        streams = [await served.connect() for _ in range(5)]
        for stream in streams:
            await stream.send_all(GET % served.port)
            assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 ")
        assert await served.alive()
        assert await closes_in(streams[0]) < 1
        for stream in streams:
            await trio.aclose_forcefully(stream)


async def test_a_crowd_that_never_reads_its_answers_keeps_nobody_out_either() -> None:
    limits = ServerLimits(connections=5, connections_per_address=50, send_s=30, grace_s=0.5)
    async with a_server(limits) as served:
        big = b"GET /static/vendor/uplot.js HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % served.port
        streams = [await not_reading(served.port, big * 20) for _ in range(5)]
        await nobody_moves(served, 5)
        assert await served.alive()
        assert served.site.counters.refused_over_limit >= 1
        for stream in streams:
            await trio.aclose_forcefully(stream)


async def test_who_asks_for_nothing_costs_no_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Counted(web.server._OnlyHTTP11):
        def __init__(self, *arguments: Any) -> None:
            made.append(1)
            super().__init__(*arguments)

    monkeypatch.setattr(web.server, "_OnlyHTTP11", Counted)
    async with a_server(ServerLimits(headers_s=30, grace_s=0.5)) as served:
        silent, half = await served.connect(), await served.connect()
        await half.send_all(b"GET /health HTTP/1.1\r\nHost: 127.0")
        assert await served.alive()
        assert len(made) == 1
        await half.send_all(b".0.1:%d\r\n\r\n" % served.port)
        assert (await half.receive_some(4096)).startswith(b"HTTP/1.1 200")
        for stream in (silent, half):
            await trio.aclose_forcefully(stream)


async def test_an_address_that_dials_without_end_is_told_to_wait() -> None:
    limits = ServerLimits(connections_per_address=5, knocks_per_s=0.2, headers_s=30, grace_s=0.5)
    async with a_server(limits) as served:
        answered = []
        for _ in range(12):
            stream = await served.connect()
            try:
                await stream.send_all(GET % served.port)
                answered.append((await stream.receive_some(4096)).startswith(b"HTTP/1.1 "))
            except trio.BrokenResourceError:
                answered.append(False)
            await trio.aclose_forcefully(stream)
        assert answered[:5] == [True] * 5
        assert False in answered
        assert served.site.counters.refused_over_limit == answered.count(False)


async def test_connections_above_the_cap_are_closed_at_once_and_room_comes_back() -> None:
    limits = ServerLimits(connections=5, connections_per_address=5, headers_s=30, grace_s=0.5)
    async with a_server(limits) as served:
        streams = [await served.connect() for _ in range(5)]
        await nobody_moves(served, 5)
        extra = await served.connect()
        assert await closes_in(extra) < 1
        assert served.site.counters.refused_over_limit >= 1
        for stream in (*streams, extra):
            await trio.aclose_forcefully(stream)
        with trio.fail_after(60):
            while not await answers(served.base):  # noqa: ASYNC110 - there is room when there is
                await trio.sleep(0.02)


async def answers(base: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            return (await client.get(f"{base}/health")).status_code == 200
        except httpx.TransportError:
            return False


async def nobody_moves(served: Served, clients: int) -> None:
    """Until so many were let in and every answer has as much of the socket as it gets."""
    await until(lambda: served.site.counters.accepted >= clients)
    await trio.testing.wait_all_tasks_blocked(0.05)


async def not_reading(served_port: int, request: bytes) -> trio.SocketStream:
    """A client with a tiny window that asks and never reads."""
    sock = trio.socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    await sock.connect(("127.0.0.1", served_port))
    stream = trio.SocketStream(sock)
    await stream.send_all(request)
    return stream


async def test_the_server_ends_within_its_grace_while_http_clients_do_not_read() -> None:
    """Hypercorn alone would wait for them for ever: its sends are shielded."""
    limits = ServerLimits(send_s=60, grace_s=0.5)
    async with a_server(limits) as served:
        big = b"GET /static/vendor/lightweight-charts.js HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % served.port
        streams = [await not_reading(served.port, big * 30) for _ in range(5)]
        await nobody_moves(served, 5)
    assert served.ended_in < limits.grace_s + 5.0
    assert served.site.counters.closed_at_shutdown == 5
    for stream in streams:
        await trio.aclose_forcefully(stream)


async def test_a_client_that_does_not_read_is_closed_when_its_send_takes_too_long() -> None:
    async with a_server() as served:
        big = b"GET /static/vendor/lightweight-charts.js HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % served.port
        stream = await not_reading(served.port, big * 30)
        await until(lambda: served.site.counters.slow_closed > 0)
        assert await served.alive()
        await trio.aclose_forcefully(stream)


async def test_cancelling_the_server_ends_it_too() -> None:
    limits = ServerLimits(send_s=60, grace_s=0.5)
    with trio.CancelScope() as scope:
        async with a_server(limits) as served:
            big = b"GET /static/vendor/lightweight-charts.js HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % served.port
            stream = await not_reading(served.port, big * 30)
            await nobody_moves(served, 1)
            started = own_s()
            scope.cancel()
            await trio.sleep_forever()
    assert own_s() - started < 1.5
    await trio.aclose_forcefully(stream)


async def test_a_taken_port_is_said_in_a_sentence() -> None:
    listeners = await open_listeners("127.0.0.1", 0)
    with pytest.raises(PortTaken, match=f"port {port_of(listeners)} .*--port"):
        await open_listeners("127.0.0.1", port_of(listeners))
    await listeners[0].aclose()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "genesis.example"])  # noqa: S104
async def test_beyond_loopback_there_must_be_tls(host: str) -> None:
    with pytest.raises(UnsafeListener, match="must be a loopback address"):
        await open_listeners(host, 0)


async def test_tls_is_served_and_hostile_bytes_do_not_hurt_there_either() -> None:
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    async with a_server() as served:
        served.stopping.set()
        await trio.sleep(0.1)
        served.site.tls = server
        stopping = trio.Event()
        async with trio.open_nursery() as nursery:
            await nursery.start(served.site.serve, stopping)
            await attack(await served.connect(), b"GET / HTTP/1.1\r\n\r\n", "wait")
            await attack(await served.connect(), b"", "close")
            async with httpx.AsyncClient(verify=client, trust_env=False) as http:
                answer = await http.get(f"https://127.0.0.1:{served.port}/health")
                assert answer.status_code == 200
            stopping.set()


def test_every_limit_is_finite() -> None:
    assert all(0 < limit < math.inf for limit in attrs.astuple(ServerLimits()))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_a_text_frame_is_read_by_a_client_as_it_was_written(size: int) -> None:
    text = "é" * (size // 2) + "x" * (size % 2)
    peer = Peer(ConnectionType.CLIENT)
    peer.receive_data(text_frame(text.encode()))
    events = [event for event in peer.events() if isinstance(event, TextMessage)]
    assert "".join(event.data for event in events) == text
    assert events[-1].message_finished
