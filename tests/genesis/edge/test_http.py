"""One request, one answer, within limits; and honesty about whether anything may have arrived."""

import contextlib
import gzip
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import pytest
import trio
import trustme
from trio.testing import MockClock

from genesis.edge import http
from genesis.edge.errors import RequestFailed
from genesis.edge.http import HttpClient
from genesis.edge.tcp_stream import TcpStream
from tests.genesis.edge.scripted_http import Answer, scripted_http


async def test_an_answer_comes_whole_with_its_headers() -> None:
    async with scripted_http() as server, HttpClient(server.url) as client:
        server.answers.append(Answer(status=503, body=b"closed", headers=(("Retry-After", "17"),)))
        answer = await client.exchange("POST", "/v2/x?y=1", headers={"bfx-nonce": "5"}, body=b"{}")
        assert (answer.status, answer.body, answer.retry_after_s) == (503, b"closed", 17.0)
        heard = server.heard[0]
        assert (heard.method, heard.target, heard.body) == ("POST", "/v2/x?y=1", b"{}")
        assert heard.headers["bfx-nonce"] == "5"


async def test_what_leaves_is_one_plain_request() -> None:
    async with scripted_http() as server, HttpClient(f"{server.url}/base/") as client:
        await client.exchange("GET", "/v2/candles/trade:1m:tBTCUSD/hist?limit=1&sort=-1")
        await client.exchange("POST", "v2/x", headers={"content-type": "application/json"}, body=b"{}")
        await client.exchange("POST", "/v2/y")
        asked, told, bare = server.heard
        assert asked.target == "/base/v2/candles/trade:1m:tBTCUSD/hist?limit=1&sort=-1"
        assert asked.headers == {
            "host": server.url.removeprefix("http://"),
            "accept": "*/*",
            "accept-encoding": "gzip, deflate",
            "connection": "keep-alive",
            "user-agent": "genesis",
        }
        assert (told.target, told.body) == ("/base/v2/x", b"{}")
        assert told.headers == {**asked.headers, "content-type": "application/json", "content-length": "2"}
        assert bare.headers == {**asked.headers, "content-length": "0"}


async def test_head_and_body_leave_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """In two the other side reads, and waits, twice."""
    pieces: list[bytes] = []
    send_all = TcpStream.send_all

    async def noted(stream: TcpStream, data: bytes) -> None:
        pieces.append(bytes(data))
        await send_all(stream, data)

    monkeypatch.setattr(TcpStream, "send_all", noted)
    async with scripted_http() as server, HttpClient(server.url) as client:
        for body in (b'{"id":[1]}', b"x" * 100_000):
            await client.exchange("POST", "/v2/x", body=body)
        assert [heard.body for heard in server.heard] == [b'{"id":[1]}', b"x" * 100_000]
    asked = [piece for piece in pieces if piece.startswith(b"POST /v2/x HTTP/1.1\r\n")]
    assert [piece.partition(b"\r\n\r\n")[2] for piece in asked] == [b'{"id":[1]}', b"x" * 100_000]


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_packed_answer_is_unpacked_within_the_limit(name: str, pack: Callable[[bytes], bytes]) -> None:
    async with scripted_http() as server, HttpClient(server.url, max_body_bytes=1000) as client:
        headers = (("Content-Encoding", name),)
        server.answers += [Answer(body=pack(b"[1]"), headers=headers), Answer(body=pack(b"x" * 2000), headers=headers)]
        assert (await client.exchange("GET", "/")).body == b"[1]"
        with pytest.raises(RequestFailed, match="must have at most 1000 bytes"):
            await client.exchange("GET", "/")


def test_authorities_are_read_once_and_never_for_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take 14 ms, and an engine has four clients, in a simulation all of them without TLS."""
    read: list[object] = []
    make = ssl.create_default_context

    def watched(*args: Any, **options: Any) -> ssl.SSLContext:
        read.append(options)
        return make(*args, **options)

    monkeypatch.setattr(ssl, "create_default_context", watched)
    http._authorities.cache_clear()
    HttpClient("http://venue.test")
    assert read == []
    HttpClient("https://venue.test")
    HttpClient("HTTPS://other.test")
    assert len(read) == 1
    trusted = HttpClient("https://venue.test")._tls
    assert trusted is not None
    assert (trusted.verify_mode, trusted.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert HttpClient("http://venue.test")._tls is None


async def test_redirects_are_not_followed() -> None:
    async with scripted_http() as server, HttpClient(server.url) as client:
        server.answers.append(Answer(status=302, headers=(("Location", "/elsewhere"),)))
        assert (await client.exchange("GET", "/")).status == 302
        assert len(server.heard) == 1


async def test_the_environment_s_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with scripted_http() as server, HttpClient(server.url) as client:
        assert (await client.exchange("GET", "/")).status == 200


async def test_nobody_there_means_not_sent() -> None:
    async with scripted_http() as server:
        url = server.url
    async with HttpClient(url) as client:
        with pytest.raises(RequestFailed) as caught:
            await client.exchange("POST", "/", body=b"{}")
        assert not caught.value.sent


@pytest.mark.parametrize("trouble", [Answer(body=b"x" * 100, cut=True), Answer(body=b"x" * 2000)])
async def test_a_cut_or_oversized_answer_means_perhaps_sent(trouble: Answer) -> None:
    async with scripted_http() as server, HttpClient(server.url, max_body_bytes=1000) as client:
        server.answers.append(trouble)
        with pytest.raises(RequestFailed) as caught:
            await client.exchange("POST", "/", body=b"{}")
        assert caught.value.sent


async def test_silence_ends_at_the_limit(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with scripted_http() as server, HttpClient(server.url, timeout_s=7) as client:
        server.answers.append(Answer(silent=True))
        began = trio.current_time()
        with pytest.raises(RequestFailed, match="ReadTimeout") as caught:
            await client.exchange("GET", "/")
        assert caught.value.sent
        assert trio.current_time() - began == pytest.approx(7)


async def test_an_answer_in_drops_ends_too(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.02

    async def drip(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        with contextlib.suppress(trio.BrokenResourceError):
            while True:
                await stream.send_all(b"x")
                await trio.sleep(4)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, drip, listeners)
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        async with HttpClient(url, timeout_s=5) as client:
            with pytest.raises(RequestFailed, match="must be whole after 15 s") as caught:
                await client.exchange("GET", "/")
        assert caught.value.sent
        nursery.cancel_scope.cancel()


# --- what a server may say, byte for byte -----------------------------------------------------------------------------


@attrs.define(eq=False)
class RawServer:
    """Answers each request with the next of `answers`, piece by piece; after one that `ends`, it hangs up."""

    url: str = ""
    answers: list[tuple[list[bytes], bool]] = attrs.field(factory=list)
    asked: list[bytes] = attrs.field(factory=list)
    """What came, by connection."""
    open_now: int = 0
    changed: trio.Event = attrs.field(factory=trio.Event)

    async def serve(self, stream: trio.SocketStream) -> None:
        number = len(self.asked)
        self.asked.append(b"")
        self._count(1)
        try:
            with contextlib.suppress(trio.BrokenResourceError):
                while data := await stream.receive_some():
                    self.asked[number] += data
                    if not self.answers:
                        continue
                    pieces, ends = self.answers.pop(0)
                    for piece in pieces:
                        await stream.send_all(piece)
                        await trio.testing.wait_all_tasks_blocked(0.0005)
                    if ends:
                        await stream.aclose()
                        return
        finally:
            self._count(-1)

    def _count(self, by: int) -> None:
        self.open_now += by
        self.changed.set()
        self.changed = trio.Event()

    async def has_open(self, count: int) -> None:
        while self.open_now != count:
            await self.changed.wait()


@contextlib.asynccontextmanager
async def raw_server(*answers: tuple[list[bytes], bool]) -> AsyncIterator[RawServer]:
    server = RawServer(answers=list(answers))
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, server.serve, listeners)
        server.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        yield server
        nursery.cancel_scope.cancel()


YES = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Kind: a\r\nx-kind: b\r\n\r\n[1]"


async def test_a_connection_is_used_again_until_the_other_side_ends_it() -> None:
    async with raw_server(([YES], False), ([YES], True), ([YES], False)) as server, HttpClient(server.url) as client:
        for _ in range(2):
            assert (await client.exchange("GET", "/")).headers["x-kind"] == "a, b"
        assert [asked.count(b"GET / ") for asked in server.asked] == [2]
        await server.has_open(0)
        # It has hung up meanwhile: nobody is told that the request failed, and no byte of it went there.
        assert (await client.exchange("POST", "/")).body == b"[1]"
        assert [asked.count(b" / HTTP/1.1") for asked in server.asked] == [2, 1]
    await server.has_open(0)


async def test_a_connection_is_not_kept_for_ever(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with raw_server(([YES], False), ([YES], False), ([YES], False)) as server, HttpClient(server.url) as client:
        await client.exchange("GET", "/")
        await trio.sleep(http.KEPT_S - 1)
        await client.exchange("GET", "/")
        assert len(server.asked) == 1
        await trio.sleep(http.KEPT_S + 1)
        await client.exchange("GET", "/")
        assert len(server.asked) == 2
        await server.has_open(1)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n[1]",
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n[1]",
        YES + b"HTTP/1.1 500 Not asked for\r\n\r\n",
    ],
)
async def test_nothing_follows_on_a_connection_whose_answer_was_its_last(answer: bytes) -> None:
    """A second answer to one request would be taken for the answer to the next."""
    async with raw_server(([answer], False), ([YES], False)) as server, HttpClient(server.url) as client:
        for _ in range(2):
            assert (await client.exchange("GET", "/")).body == b"[1]"
        assert len(server.asked) == 2
        await server.has_open(1)


@pytest.mark.parametrize(
    "answer",
    [
        YES,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + YES,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n2;x=y\r\n1]\r\n0\r\nTrailer: z\r\n\r\n",
    ],
)
async def test_an_answer_may_come_byte_by_byte(answer: bytes) -> None:
    pieces = [answer[at : at + 1] for at in range(len(answer))]
    async with raw_server((pieces, False), ([YES], False)) as server, HttpClient(server.url) as client:
        for _ in range(2):
            assert (await client.exchange("GET", "/")).body == b"[1]"
        assert len(server.asked) == 1


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    async with raw_server(([b"HTTP/1.1 200 OK\r\n\r\n", b"[1]"], True)) as server, HttpClient(server.url) as client:
        assert (await client.exchange("GET", "/")).body == b"[1]"


@pytest.mark.parametrize("cut", range(len(YES)))
async def test_a_torn_answer_never_passes_for_a_whole_one(cut: int) -> None:
    async with raw_server(([YES[:cut]] if cut else [], True)) as server, HttpClient(server.url) as client:
        with pytest.raises(RequestFailed) as caught:
            await client.exchange("POST", "/", body=b"{}")
        assert caught.value.sent


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * http.MAX_HEAD_BYTES,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n[1]",
    ],
)
async def test_what_is_no_answer_is_a_request_that_failed(answer: bytes) -> None:
    async with raw_server(([answer], False)) as server, HttpClient(server.url) as client:
        with pytest.raises(RequestFailed, match=r"failed: (RemoteProtocolError|error)") as caught:
            await client.exchange("GET", "/")
        assert caught.value.sent
        await server.has_open(0)


async def test_deflate_without_a_head_is_understood() -> None:
    """As some servers mean it."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = packer.compress(b"[1]") + packer.flush()
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with raw_server(([head, body], False)) as server, HttpClient(server.url) as client:
        assert (await client.exchange("GET", "/")).body == b"[1]"


async def test_a_request_that_is_given_up_takes_its_connection_with_it() -> None:
    """What is answered later must not be taken for the answer to something else."""
    async with raw_server(([YES[:-1]], False), ([YES], False)) as server, HttpClient(server.url) as client:
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                await client.exchange("GET", "/")

            nursery.start_soon(ask)
            await server.has_open(1)
            while server.answers[1:]:
                await trio.testing.wait_all_tasks_blocked(0.001)
            nursery.cancel_scope.cancel()
        await server.has_open(0)
        assert (await client.exchange("GET", "/")).body == b"[1]"
        assert len(server.asked) == 2


async def test_no_more_connections_than_allowed() -> None:
    async with scripted_http() as server, HttpClient(server.url, max_connections=2) as client:
        let_go = trio.Event()
        server.otherwise = lambda heard: Answer(wait=let_go.wait)
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(client.exchange, "GET", "/")
            while server.at_once < 2:
                await trio.testing.wait_all_tasks_blocked(0.001)
            let_go.set()
        assert (len(server.heard), server.most_at_once) == (5, 2)


async def test_a_place_is_not_waited_for_longer_than_a_step(autojump_clock: MockClock) -> None:
    autojump_clock.autojump_threshold = 0.05
    async with scripted_http() as server, HttpClient(server.url, max_connections=1, timeout_s=4) as client:
        server.otherwise = lambda heard: Answer(silent=True)
        async with trio.open_nursery() as nursery:

            async def ask(path: str, sent: bool, text: str) -> None:
                with pytest.raises(RequestFailed, match=text) as caught:
                    await client.exchange("GET", path)
                assert caught.value.sent is sent

            nursery.start_soon(ask, "/first", True, "ReadTimeout")
            while not server.heard:
                await trio.testing.wait_all_tasks_blocked(0.001)
            await trio.sleep(1)
            nursery.start_soon(ask, "/second", True, "ReadTimeout")
            await trio.sleep(1)
            nursery.start_soon(ask, "/third", False, "PoolTimeout")


async def test_a_header_that_would_be_two_never_leaves() -> None:
    async with raw_server(([YES], False)) as server, HttpClient(server.url) as client:
        for headers in ({"bfx-apikey": "a\r\nbfx-nonce: 1"}, {"a b": "c"}):
            with pytest.raises(RequestFailed, match="not sent: LocalProtocolError") as caught:
                await client.exchange("POST", "/", headers=headers)
            assert not caught.value.sent
        assert server.asked == []


@pytest.mark.parametrize(
    ("base", "target", "host", "line"),
    [
        ("http://venue.test:80/x/", "/a?b=c d", b"venue.test", b"/x/a?b=c%20d"),
        ("http://venue.test:81", "a%20b/trade:1m:tX/\xe4?#", b"venue.test:81", b"/a%20b/trade:1m:tX/%C3%A4?#"),
        ("http://me:secret@venue.test", "", b"venue.test", b"/"),
        ("http://[::1]:8080/", "/", b"[::1]:8080", b"/"),
        ("http://b\xfccher.test", "/", b"xn--bcher-kva.test", b"/"),
        ("https://venue.test:443", "/", b"venue.test", b"/"),
    ],
)
def test_addresses_are_said_as_the_protocol_wants_them(base: str, target: str, host: bytes, line: bytes) -> None:
    request = HttpClient(base)._request("GET", target, {}, b"")
    assert (dict(request.headers)[b"host"], request.target) == (host, line)


@pytest.mark.parametrize(
    "base",
    ["ftp://venue.test", "venue.test", "http://", "http://venue.test:99999", "https://[::1/", "http://\xe4..test"],
)
async def test_an_address_of_something_else_means_not_sent(base: str) -> None:
    async with HttpClient(base) as client:
        with pytest.raises(RequestFailed, match="must be http:// or https://") as caught:
            await client.exchange("GET", "/")
    assert not caught.value.sent


@pytest.mark.parametrize("name", ["venue..test", f"{'x' * 64}.test"])
async def test_a_name_that_cannot_be_one_means_not_sent(name: str) -> None:
    async with HttpClient(f"http://{name}") as client:
        with pytest.raises(RequestFailed, match="not sent: ConnectFailed: cannot reach") as caught:
            await client.exchange("GET", "/")
    assert not caught.value.sent


async def test_over_tls_the_other_side_must_prove_its_name() -> None:
    ca, stranger = trustme.CA(), trustme.CA()
    theirs, trusting, doubting = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        *(ssl.create_default_context() for _ in range(2)),
    )
    ca.issue_cert("127.0.0.1").configure_cert(theirs)
    ca.configure_trust(trusting)
    stranger.configure_trust(doubting)
    async with trio.open_nursery() as nursery:
        server = RawServer(answers=[([YES], False), ([YES], False)])
        listeners: list[Any] = list(await trio.open_ssl_over_tcp_listeners(0, theirs, host="127.0.0.1"))
        serve: Any = server.serve
        await nursery.start(trio.serve_listeners, serve, listeners)
        url = f"https://127.0.0.1:{listeners[0].transport_listener.socket.getsockname()[1]}"
        async with HttpClient(url, ssl_context=doubting) as client:
            with pytest.raises(RequestFailed, match=r"not sent: ConnectFailed: TLS with .* failed") as caught:
                await client.exchange("POST", "/", body=b"{}")
            assert not caught.value.sent
        async with HttpClient(url, ssl_context=trusting) as client:
            for _ in range(2):
                assert (await client.exchange("GET", "/")).body == b"[1]"
        assert [asked.count(b"GET / ") for asked in server.asked if asked] == [2]
        nursery.cancel_scope.cancel()


async def test_over_tls_no_second_answer_is_taken_for_that_to_the_next_request() -> None:
    """It came in the same packet, in a record of its own: the kernel holds nothing of it any more."""
    ca = trustme.CA()
    theirs, ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    ca.issue_cert("127.0.0.1").configure_cert(theirs)
    ca.configure_trust(ours)
    asked: list[int] = []

    async def serve(stream: Any) -> None:
        asked.append(0)
        with contextlib.suppress(trio.BrokenResourceError):
            while await stream.receive_some():
                asked[-1] += 1
                if asked == [1]:
                    for answer in (YES, YES.replace(b"[1]", b"[9]")):
                        stream._ssl_object.write(answer)
                    tickets, stream._delayed_outgoing = stream._delayed_outgoing or b"", None
                    await stream.transport_stream.send_all(tickets + stream._outgoing.read())
                else:
                    await stream.send_all(YES)

    async with trio.open_nursery() as nursery:
        listeners: list[Any] = list(await trio.open_ssl_over_tcp_listeners(0, theirs, host="127.0.0.1"))
        await nursery.start(trio.serve_listeners, serve, listeners)
        url = f"https://127.0.0.1:{listeners[0].transport_listener.socket.getsockname()[1]}"
        async with HttpClient(url, ssl_context=ours) as client:
            for _ in range(3):
                assert (await client.exchange("GET", "/")).body == b"[1]"
        assert asked == [1, 2]
        nursery.cancel_scope.cancel()
