"""The checksum of the venue, on its documented examples and the one real recording."""

import json

import pytest

from protocols.bitfinex.checksum import checksum, checksum_text, same_checksum, signed_crc32
from protocols.bitfinex.events import FLAG_CHECKSUM, StreamBroken
from protocols.bitfinex.session import PublicSession
from protocols.bitfinex.subscriptions import book
from protocols.bitfinex.wire_book import LevelBook, new_book
from tests.recordings import ws_lines

XRP = book("tXRPBTC")
FRAMES = ws_lines("checksum-tXRPBTC-P0.frames.jsonl")


def test_the_documented_small_books() -> None:
    bids, asks = [("6000", "1"), ("5900", "2")], [("6100", "-3"), ("6200", "-4")]
    assert checksum_text(bids, asks) == "6000:1:6100:-3:5900:2:6200:-4"
    assert checksum(bids, asks) == 1756193398
    assert checksum(bids, asks[:1]) == 1463064604
    assert checksum([], asks[:1]) == 2130018438
    assert checksum([], []) == 0


def test_at_most_25_levels_of_a_side_count() -> None:
    bids = [(str(1000 - i), "1") for i in range(40)]
    asks = [(str(2000 + i), "-1") for i in range(40)]
    assert checksum(bids, asks) == checksum(bids[:25], asks[:25])


def test_unsigned_and_signed_sums_are_the_same() -> None:
    assert same_checksum(-1175357890, 3119609406)
    assert not same_checksum(-1175357890, 3119609407)
    assert signed_crc32("") == 0


def _session(*, cut: int | None = None) -> tuple[PublicSession, list[object]]:
    session = PublicSession(session=1)
    events: list[object] = []
    for frame in FRAMES[:cut]:
        events += session.receive(frame, 1)
    return session, events


def test_the_real_checksum_is_that_of_the_book_kept_over_the_wire() -> None:
    """Prices below 1e-6 stand in exponent form in it: any other number text gives another sum."""
    session, events = _session()
    assert session.flags & FLAG_CHECKSUM
    stream = session.table.streams[XRP]
    assert (stream.checksums_right, stream.checksums_wrong) == (1, 0)
    assert not any(isinstance(event, StreamBroken) for event in events)
    kept = session.book(XRP)
    assert kept is not None
    assert kept.checksum() == -1175357890


def test_rebuilt_number_text_gives_the_same_sum_as_the_wire_text() -> None:
    kept = LevelBook()
    for row in json.loads(FRAMES[2])[1]:
        kept.apply(row, None)
    kept.apply(json.loads(FRAMES[3])[1], None)
    assert kept.checksum() == -1175357890


def test_a_lost_update_is_found_by_the_checksum_and_breaks_only_that_stream() -> None:
    session = PublicSession(session=1)
    for frame in (*FRAMES[:3], b'{"event":"subscribed","channel":"ticker","chanId":5,"symbol":"tBTCUSD"}'):
        session.receive(frame, 1)
    broken = session.receive(FRAMES[4], 2)
    assert broken == [StreamBroken(subscription=XRP, reason="checksum")]
    assert session.book(XRP) is None
    # Said once; the stream is deaf until it is subscribed again.
    assert session.receive(FRAMES[4], 3) == []
    assert session.send_resubscribe(XRP) == [
        b'{"event":"unsubscribe","chanId":81757}',
        b'{"event":"subscribe","channel":"book","symbol":"tXRPBTC","prec":"P0","freq":"F0","len":"25"}',
    ]


@pytest.mark.parametrize("text", ['[1,[[2,"cs",3]]]', '[81757,"cs"]', '[81757,"cs",null]', '[81757,"cs","x"]'])
def test_a_checksum_that_is_none_is_refused(text: str) -> None:
    session, _ = _session(cut=4)
    session.receive(text, 1)
    assert session.table.streams[XRP].checksums_wrong == 0


def test_a_raw_book_sums_order_ids_in_order_of_price_then_id() -> None:
    kept = new_book(precision="R0", funding=False)
    for row in ([2, 100.0, 1.0], [1, 100.0, 2.0], [3, 101.5, -4.0], [9, 99.0, 1.0]):
        kept.apply(row, None)
    assert kept.checksum() == signed_crc32("1:2:3:-4:2:1:9:1")
