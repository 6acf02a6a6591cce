"""One request, one answer, within limits; and honesty about whether anything may have arrived."""

import contextlib
import gzip
import ssl
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis.edge import http
from genesis.edge.errors import RequestFailed
from genesis.edge.http import HttpClient
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
    send_all = trio.SocketStream.send_all

    async def noted(stream: trio.SocketStream, data: bytes) -> None:
        pieces.append(bytes(data))
        await send_all(stream, data)

    monkeypatch.setattr(trio.SocketStream, "send_all", noted)
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
    assert http._trusted("https://venue.test").verify_mode is ssl.CERT_REQUIRED
    assert http._trusted("https://venue.test").check_hostname
    assert http._trusted("http://venue.test").get_ca_certs() == []


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
