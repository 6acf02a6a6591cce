"""What a client's frames are read as, the short way and the long one."""

import itertools
from collections.abc import Sequence

import pytest
import wsproto
from hypothesis import given
from hypothesis import strategies as st
from wsproto.events import AcceptConnection, Ping, Request, TextMessage

from genesis.edge.websocket import masked_text
from genesis.simulator.link import whole_texts

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
