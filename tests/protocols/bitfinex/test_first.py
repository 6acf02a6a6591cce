"""What a decision waits for is read in front of a read's rest, and nothing is lost, doubled or believed by that."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.bitfinex.events import FLAG_CHECKSUM, FLAG_SEQ_ALL, FLAG_TIMESTAMP, FrameRefused
from protocols.bitfinex.session import PublicEvent, PublicSession
from protocols.market import Ticker, TradePrint
from tests.protocols.bitfinex.test_usual import MS, ROWS, bodies, numbered, tails

MINUTE_MS = 60_000
GRACE_MS = 500
ENDED_MS = MS - MS % MINUTE_MS + MINUTE_MS + GRACE_MS
"""The first moment at which the candle of MS can end."""
BOOK_ROWS = [[100.5, 1, 2.5], [100, 1, 1], [101, 2, -3], [102, 1, -1]]


def a_session(*, next_end_ms: int = ENDED_MS - GRACE_MS) -> PublicSession:
    session = PublicSession(session=1)
    session.receive_many(
        [
            json.dumps({"event": "conf", "status": "OK", "flags": FLAG_SEQ_ALL | FLAG_TIMESTAMP | FLAG_CHECKSUM}),
            '{"event":"subscribed","channel":"ticker","chanId":1,"symbol":"tBTCUSD"}',
            '{"event":"subscribed","channel":"trades","chanId":2,"symbol":"tBTCUSD"}',
            '{"event":"subscribed","channel":"book","chanId":3,"symbol":"tBTCUSD","prec":"P0","freq":"F0","len":"25"}',
            '{"event":"subscribed","channel":"candles","chanId":5,"key":"trade:1m:tBTCUSD"}',
            '{"event":"subscribed","channel":"ticker","chanId":8,"symbol":"tETHUSD"}',
            f"[1,{json.dumps(ROWS[1])},1,{MS}]",
            f"[2,[],2,{MS}]",
            f"[3,{json.dumps(BOOK_ROWS)},3,{MS}]",
            f"[5,[{json.dumps(ROWS[5])}],4,{MS}]",
            f"[8,{json.dumps(ROWS[1])},5,{MS}]",
        ],
        1,
    )
    # What came until now ended no candle.
    for stream in session.table.candles.values():
        stream.next_end_ms = session.table.next_end_ms = next_end_ms
    return session


def frame(session: PublicSession, place: int, body: str, time_ms: int = ENDED_MS) -> bytes:
    return f"[{body},{session.audit.public + 1 + place},{time_ms}]".encode()


def a_read(session: PublicSession, *words: str, time_ms: int = ENDED_MS) -> list[bytes]:
    """Frames of a read, by name."""
    prices = iter(range(200, 300))
    trades = iter(range(50, 99))
    told = []
    for place, word in enumerate(words):
        if word == "ticker":
            body = f"1,[100.5,5,101,3,-1,-0.01,{next(prices)},1e3,110,90.5]"
        elif word == "other":
            body = f"8,[10.5,5,11,3,-1,-0.01,{next(prices)},1e3,110,90.5]"
        elif word == "trade":
            body = f'2,"te",[{next(trades)},{MS},0.5,100.5]'
        elif word == "candle":
            body = f"5,[{MS - MS % MINUTE_MS},100,101.5,102,99.5,7.25]"
        elif word == "beat":
            body = '5,"hb"'
        elif word == "book":
            body = "3,[100.5,1,3.5]"
        elif word == "sum":
            body = '3,"cs",12345'
        else:
            body = word
        told.append(frame(session, place, body, time_ms))
    return told


def names(events: list[PublicEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_the_frame_that_may_end_a_candle_and_the_newest_prices_are_told_first() -> None:
    session = a_session()
    read = a_read(session, "ticker", "trade", "other", "book", "ticker", "trade", "beat", "ticker", "trade", "other")
    first = session.receive_first(read, 7, GRACE_MS)
    assert names(first) == ["StreamBeat", "Ticker"]
    assert [(event.symbol, event.last) for event in first if isinstance(event, Ticker)] == [("tBTCUSD", 203)]
    assert session.behind
    behind = session.receive_behind(7)
    assert sorted(names(behind)) == ["BookTop", "Ticker", "Ticker", "TradePrint", "TradePrint", "TradePrint"]
    # Those of a market of which no candle may end.
    assert [(event.symbol, event.last) for event in behind if isinstance(event, Ticker)] == [
        ("tETHUSD", 201),
        ("tETHUSD", 204),
    ]
    assert [event.trade_id for event in behind if isinstance(event, TradePrint)] == [50, 51, 52]
    assert not session.behind
    # The next read goes on behind this one.
    assert names(session.receive_many(a_read(session, "beat"), 8)) == ["StreamBeat"]


def test_only_the_first_frame_from_then_on_is_waited_for() -> None:
    session = a_session()
    words = ("trade", "trade", "trade", "trade", "candle")
    session.receive_first(a_read(session, *words, time_ms=ENDED_MS - 1), 7, GRACE_MS)
    assert not session.behind
    session.receive_first(a_read(session, *words), 7, GRACE_MS)
    assert session.behind
    session.receive_behind(7)
    session.receive_first(a_read(session, *words), 7, GRACE_MS)
    assert not session.behind
    session.receive_first(a_read(session, *words, time_ms=ENDED_MS + MINUTE_MS), 7, GRACE_MS)
    assert session.behind


def test_few_frames_and_those_without_a_candle_are_read_in_order() -> None:
    for words in (("trade", "ticker", "trade", "beat"), ("trade", "ticker", "book", "trade", "trade", "ticker")):
        session, in_order = a_session(), a_session()
        read = a_read(session, *words)
        told = session.receive_first(read, 7, GRACE_MS)
        assert not session.behind
        assert told == in_order.receive_many(read, 7)


def test_behind_a_gap_nothing_is_told_first() -> None:
    session = a_session()
    read = a_read(session, "ticker", "trade", "trade", "trade", "trade", "beat")
    del read[2]
    told = session.receive_first(read, 7, GRACE_MS)
    assert not session.behind
    assert names(told)[:3] == ["Ticker", "TradePrint", "SequenceGap"]


def test_a_loss_that_a_double_makes_up_for_is_a_gap_all_the_same() -> None:
    session = a_session()
    read = a_read(session, "ticker", "trade", "trade", "trade", "trade", "beat")
    read[2] = read[1]
    told = session.receive_first(read, 7, GRACE_MS)
    assert not session.behind
    assert "SequenceGap" in names(told)
    assert names(told).index("SequenceGap") < names(told).index("StreamBeat")


def test_what_is_no_numbered_frame_is_read_in_its_place() -> None:
    for strange in (b'{"event":"info","code":20051}', b"nonsense", b"[77,[1.5],%d]" % ENDED_MS):
        session = a_session()
        read = a_read(session, "ticker", "trade", "x", "trade", "trade", "beat")
        read[2] = strange
        session.receive_first(read, 7, GRACE_MS)
        assert not session.behind


def test_where_the_newest_price_is_broken_the_one_before_it_is_told() -> None:
    session = a_session()
    read = a_read(session, "ticker", "ticker", "1,[null]", "trade", "trade", "beat")
    first = session.receive_first(read, 7, GRACE_MS)
    assert names(first) == ["FrameRefused", "StreamBeat"]
    behind = session.receive_behind(7)
    assert [event.last for event in behind if isinstance(event, Ticker)] == [200, 201]


def test_a_wrong_sum_behind_breaks_its_book() -> None:
    session = a_session()
    session.receive_first(a_read(session, "book", "sum", "trade", "trade", "beat"), 7, GRACE_MS)
    assert "StreamBroken" in names(session.receive_behind(7))


def test_a_stamp_of_another_year_puts_no_frame_first() -> None:
    session = a_session()
    words = ("trade", "trade", "trade", "trade", "beat")
    session.receive_first(a_read(session, *words, time_ms=2 * ENDED_MS), 7, GRACE_MS)
    assert not session.behind
    session.receive_first(a_read(session, *words), 7, GRACE_MS)
    assert session.behind


def test_what_is_put_first_is_judged_as_in_order() -> None:
    """Of a stream that is being left, of another shape, and with a stamp that is not believed."""
    words = {"leaving": "candle", "word": '5,"xx"', "stamp": "beat"}
    for case, word in words.items():
        told: list[list[PublicEvent]] = []
        for first in (True, False):
            session = a_session()
            if case == "leaving":
                session.send_unsubscribe(next(each for each in session.table.streams if each.channel == "candles"))
            read = a_read(session, "trade", "trade", "trade", word, "ticker", "beat")
            if case == "stamp":
                read[4] = read[4].replace(str(ENDED_MS).encode(), str(2 * ENDED_MS).encode())
            events = session.receive_first(read, 7, GRACE_MS) if first else session.receive_many(read, 7)
            assert bool(session.behind) == first
            told.append([*events, *session.receive_behind(7)])
            assert session.audit.venue_ms == ENDED_MS
        if case == "word":
            # It has no number where such frames have theirs: nothing that follows is believed.
            assert names(told[0])[0] == "SequenceGap"
            assert "SequenceGap" in names(told[1])
            continue
        assert texts(told[0]) == texts(told[1])
        assert case != "leaving" or "CandleUpdate" not in names(told[0])


def test_a_channel_that_was_left_is_no_longer_known() -> None:
    session = a_session()
    session.receive(b'{"event":"unsubscribed","status":"OK","chanId":5}', 1)
    assert not session.table.candles
    assert not session.table.candle_heads
    session.receive(b'{"event":"unsubscribed","status":"OK","chanId":1}', 1)
    assert set(session.table.tickers) == {b"[8,["}
    assert session.table.ticker_heads == (b"[8,[",)
    session.close("gone", 1)
    assert not session.table.tickers
    assert not session.table.ticker_heads


def said(frames: list[bytes], *, first: bool) -> tuple[list[PublicEvent], list[Any], bool]:
    """What a session tells of a read, what it knows behind it, and whether some was left behind."""
    session = a_session(next_end_ms=0)
    events = session.receive_first(frames, 7, GRACE_MS) if first else session.receive_many(frames, 7)
    left = bool(session.behind)
    events += session.receive_behind(7)
    known: list[Any] = [(stream.channel, stream.frames, stream.heard_ns) for stream in session.table.streams.values()]
    return events, [*known, session.audit.public, session.audit.venue_ms, session.audit.gaps, session.tolerance], left


def texts(events: list[PublicEvent]) -> list[str]:
    """Without their order."""
    return sorted(f"refused {event.error}" if isinstance(event, FrameRefused) else repr(event) for event in events)


reads = st.lists(st.tuples(bodies(), st.one_of(st.just("right"), st.just("right"), tails)), min_size=5, max_size=16)


@settings(max_examples=500, deadline=None)
@given(reads, st.integers(0, 15))
def test_nothing_is_lost_doubled_or_made_up(frames: list[tuple[list[Any], str]], beat: int) -> None:
    frames.insert(min(beat, len(frames)), ([5, "hb"], "right"))
    number = a_session().audit.public
    lines = [
        json.dumps(numbered(body, number + 1 + place, tail), separators=(",", ":")).encode()
        for place, (body, tail) in enumerate(frames)
    ]
    in_order, known, _ = said(lines, first=False)
    split, known_split, left = said(lines, first=True)
    assert known_split == known
    if not left:
        assert texts(split) == texts(in_order)
        return
    # Of prices the newest is there, and whatever else was said.
    prices = [event for event in in_order if isinstance(event, Ticker)]
    told = [event for event in split if isinstance(event, Ticker)]
    assert (told or prices) == prices[-len(told) :]
    assert texts([event for event in split if not isinstance(event, Ticker)]) == texts(
        [event for event in in_order if not isinstance(event, Ticker)]
    )
