"""What a client's frames and requests are read as, the short way and the long one."""

import itertools
from collections.abc import Sequence

import h11
import pytest
import trio
import trio.testing
import wsproto
from hypothesis import given
from hypothesis import strategies as st
from wsproto.events import AcceptConnection, Ping, Request, TextMessage
from wsproto.utilities import RemoteProtocolError

from genesis.edge.websocket import masked_text
from genesis.simulator.link import (
    HttpRequest,
    HttpResponse,
    serve_http_only,
    upgraded,
    whole_answer,
    whole_request,
    whole_texts,
)

MASK = b"\x01\xfe\x80\x7f"
TEXTS = st.lists(st.text(max_size=40) | st.text(min_size=120, max_size=400), max_size=4)


def by_wsproto(data: bytes) -> list[str]:
    client = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    server = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
    server.receive_data(client.send(Request(host="venue", target="/ws")))
    list(server.events())
    server.send(AcceptConnection())
    server.receive_data(data)
    events = list(server.events())
    assert all(isinstance(event, TextMessage) and event.message_finished for event in events)
    return [event.data for event in events if isinstance(event, TextMessage)]


@given(TEXTS, st.binary(min_size=4, max_size=4))
def test_whole_messages_are_read_as_the_protocol_reads_them(texts: Sequence[str], mask: bytes) -> None:
    data = b"".join(masked_text(text.encode(), mask) for text in texts)
    assert whole_texts(data) == by_wsproto(data) == list(texts)


@given(st.lists(st.text(min_size=1, max_size=200), min_size=1, max_size=3), st.data())
def test_a_frame_that_is_not_whole_yet_is_the_protocols(texts: Sequence[str], data: st.DataObject) -> None:
    frames = [masked_text(text.encode(), MASK) for text in texts]
    whole = b"".join(frames)
    cut = data.draw(st.integers(1, len(whole) - 1))
    ends = list(itertools.accumulate(map(len, frames)))
    assert (whole_texts(whole[:cut]) is not None) == (cut in ends)


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x02hi",  # a client must mask
        b"\x01" + masked_text(b"half", MASK)[1:],  # more of the message follows
        b"\x80" + masked_text(b"the rest", MASK)[1:],
        b"\x82" + masked_text(b"bytes", MASK)[1:],
        b"\xc1" + masked_text(b"a reserved bit", MASK)[1:],
        b"\x89" + masked_text(b"a ping", MASK)[1:],
        b"\x88" + masked_text(b"\x03\xe8", MASK)[1:],
        masked_text(b"\xff\xfe is no text", MASK),
        b"\x81\xfe\x00\x05" + masked_text(b"short", MASK)[2:],  # a length longer than it must be
        masked_text(b"x" * 70_000, MASK),
        masked_text(b"good", MASK) + b"\x89\x80" + MASK,
    ],
)
def test_everything_else_is_the_protocols(data: bytes) -> None:
    assert whole_texts(data) is None


def test_a_ping_after_whole_messages_is_answered_by_the_protocol() -> None:
    server = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
    client = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    server.receive_data(client.send(Request(host="venue", target="/ws")))
    list(server.events())
    server.send(AcceptConnection())
    assert whole_texts(masked_text(b"first", MASK)) == ["first"]
    server.receive_data(b"\x89\x80" + MASK)
    assert [type(event) for event in server.events()] == [Ping]


# --- requests ---------------------------------------------------------------------------------------------------------

TOKENS = st.text("abcXYZ019-_.!#$%&'*+^`|~", min_size=1, max_size=12)
VALUES = st.text("".join(map(chr, range(0x20, 0x7F))), min_size=1, max_size=40).map(str.strip).filter(bool)
BODIES = st.binary(max_size=300)


def by_h11(data: bytes) -> tuple[HttpRequest, bool]:
    """The request that h11 reads, and whether it keeps the line open."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    head = connection.next_event()
    assert isinstance(head, h11.Request)
    body = bytearray()
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    headers = {name.decode(): value.decode("latin-1") for name, value in head.headers}
    request = HttpRequest(
        method=head.method.decode(), target=head.target.decode(), headers=headers, body=bytes(body), peer="here"
    )
    return request, connection.our_state is not h11.MUST_CLOSE


def written(method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


@given(
    st.sampled_from(("GET", "POST")),
    st.text("/v2auth?=&%+:-~!", min_size=1, max_size=60),
    st.dictionaries(TOKENS.filter(lambda name: name.lower() not in ("content-length", "connection")), VALUES),
    BODIES,
    st.booleans(),
)
def test_a_whole_request_is_read_as_the_protocol_reads_it(
    method: str, target: str, more: dict[str, str], body: bytes, says_so: bool
) -> None:
    headers = {"Host": "venue", **more, "Content-Length": str(len(body))}
    if says_so:
        headers["Connection"] = "keep-alive"
    if len({name.lower() for name in headers}) < len(headers):
        assert whole_request(written(method, target, headers, body), "here") is None
        return
    data = written(method, target, headers, body)
    told = whole_request(data, "here")
    assert told is not None
    assert (told, True) == by_h11(data)
    assert all(whole_request(data[:cut], "here") is None for cut in range(len(data)))
    assert whole_request(data + b"G", "here") is None


PLAIN = b"POST /v2/x HTTP/1.1\r\nHost: venue\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"POST", b"HEAD"),
        (b"POST", b"post"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"/v2/x", b"/v2/\xc3\xa5"),
        (b"Host: venue\r\n", b""),
        (b"Host: venue", b"Host: venue\r\nhost: venue"),
        (b"Host: venue", b"Host: venue\r\nConnection: close"),
        (b"Host: venue", b"Host: venue\r\nUpgrade: websocket"),
        (b"Host: venue", b"Host: venue\r\nExpect: 100-continue"),
        (b"Host: venue", b"Host: venue\r\nTransfer-Encoding: chunked"),
        (b"Host: venue", b"Host: venue\r\n folded"),
        (b"Host: venue", b"Host:venue"),
        (b"Host: venue", b"Host: venue "),
        (b"Host: venue", b"Host: venue\r\nX-Empty: "),
        (b"Host: venue", b"Host: venue\r\nX-Odd: \xe5"),
        (b"Host: venue", b"Host: venue\r\nX Y: z"),
        (b"Length: 2", b"Length: 3"),
        (b"Length: 2", b"Length: 1"),
        (b"Length: 2", b"Length: +2"),
        (b"Length: 2", b"Length: 2, 2"),
        (b"\r\n", b"\n"),
    ],
)
def test_any_other_request_is_the_protocols(old: bytes, new: bytes) -> None:
    assert whole_request(PLAIN, "here") is not None
    assert old in PLAIN
    assert whole_request(PLAIN.replace(old, new), "here") is None


HANDSHAKE = {
    "host": "venue",
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
}


@given(
    st.sampled_from(("GET", "GET", "POST")),
    st.fixed_dictionaries(
        {},
        optional={
            "upgrade": st.sampled_from(("WebSocket", "h2c", "")),
            "connection": st.sampled_from(("keep-alive, Upgrade", "UPGRADE", "keep-alive", "upgrades", "")),
            "sec-websocket-key": st.sampled_from(("AQIDBAUGBwgJCgsMDQ4PEA==", "x")),
            "sec-websocket-version": st.sampled_from(("8", "013", "")),
            "sec-websocket-extensions": st.just("permessage-deflate; client_max_window_bits"),
            "sec-websocket-protocol": st.just("chat"),
            "origin": st.just("https://somewhere.test"),
        },
    ),
    st.sets(st.sampled_from(sorted(set(HANDSHAKE) - {"host"})), max_size=1),
)
def test_a_handshake_is_answered_as_the_protocol_answers_it(
    method: str, more: dict[str, str], without: set[str]
) -> None:
    headers = {name: value for name, value in {**HANDSHAKE, **more}.items() if name not in without}
    server = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
    theirs: bytes | None
    try:
        server.receive_data(written(method, "/ws/2", headers, b""))
        list(server.events())
        theirs = server.send(AcceptConnection())
    except RemoteProtocolError:
        theirs = None
    request = HttpRequest(method=method, target="/ws/2", headers=headers, body=b"", peer="here")
    assert upgraded(request) == theirs


@given(st.sampled_from((200, 404, 429, 500, 503)), BODIES, st.sampled_from(("application/json", "text/html; x=y")))
def test_an_answer_is_written_as_the_protocol_writes_it(status: int, body: bytes, kind: str) -> None:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(PLAIN)
    while not isinstance(connection.next_event(), h11.EndOfMessage):
        pass
    headers = [("content-type", kind), ("content-length", str(len(body)))]
    theirs = connection.send(h11.Response(status_code=status, headers=headers)) or b""
    theirs += connection.send(h11.Data(data=body)) or b""
    assert whole_answer(HttpResponse(status=status, body=body, content_type=kind)) == theirs


@pytest.mark.parametrize("cut", range(0, len(PLAIN), 7))
async def test_plain_requests_and_torn_ones_follow_each_other_on_one_line(cut: int) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    heard: list[HttpRequest] = []

    async def handler(request: HttpRequest) -> HttpResponse:
        heard.append(request)
        return HttpResponse(status=200, body=str(len(heard)).encode())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: serve_http_only(theirs, handler=handler))
        for number in range(1, 5):
            parts = (PLAIN,) if number in (1, 4) or not cut else (PLAIN[:cut], PLAIN[cut:])
            for part in parts:
                await ours.send_all(part)
                await trio.testing.wait_all_tasks_blocked()
            assert (await ours.receive_some()).endswith(f"\r\n\r\n{number}".encode())
        await ours.send_all(PLAIN.replace(b"Host:", b"Connection: close\r\nHost:"))
        assert (await ours.receive_some()).endswith(b"\r\n\r\n5")
        assert await ours.receive_some() == b""
    assert all(request.body == b"{}" for request in heard)
