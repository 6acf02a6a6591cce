"""The quick way of a frame says what the careful way says of it, whatever is in the frame."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.bitfinex.events import FLAG_SEQ_ALL, FLAG_TIMESTAMP, FrameRefused, SequenceGap
from protocols.bitfinex.session import PublicEvent, PublicSession
from protocols.bitfinex.subscriptions import ticker
from protocols.market import CandleUpdate, StreamBeat, StreamDown, Ticker, TradePrint

MS = 1_700_000_000_000
ROWS: dict[int, list[Any]] = {
    1: [100.5, 5.25, 100.75, 3, -1, -0.01, 100.5, 1e3, 110, 90.5],
    2: [17, MS, -0.5, 100.5],
    5: [MS - MS % 60_000, 100, 101.5, 102, 99.5, 7.25],
}
"""A row of the usual shape, for the ticker, the trades and the candles."""
UPDATES = {1: (), 2: ("te",), 5: ()}

strange: st.SearchStrategy[Any] = st.sampled_from([None, True, "x", -1, 0, 1e30, 1.5, [], [1.5], {}, MS])
channels = st.sampled_from([1, 1, 2, 2, 5, 5, 7])


@st.composite
def bodies(draw: st.DrawFn) -> list[Any]:
    """A frame without its numbers: mostly an update, some of it as no venue would say it."""
    channel = draw(channels)
    row = list(ROWS.get(channel, [1.5]))
    if channel == 2:
        row[0] = draw(st.integers(1, 6))
    if draw(st.integers(0, 3)) == 0:
        row[draw(st.integers(0, len(row) - 1))] = draw(strange)
    more: list[Any] = draw(st.sampled_from([[], [], [None], ["more"]]))
    row = row[: draw(st.sampled_from([99, 99, 99, 3]))] + more
    word = {2: draw(st.sampled_from(["te", "te", "tu", "cs", "x"]))}.get(channel)
    if draw(st.integers(0, 5)) == 0:
        return [channel, "hb"]
    return [channel, row] if word is None else [channel, word, row]


tails = st.sampled_from(["right"] * 12 + ["gap", "late", "none", "number", "stamp", "more", "null", "leap", "fraction"])
told = st.lists(st.tuples(bodies(), tails), max_size=12)


def numbered(body: list[Any], number: int, tail: str) -> list[Any]:
    stamp = MS + 10 * number
    strange_tails: dict[str, list[Any]] = {
        "gap": [number + 1, stamp],
        "late": [number, stamp - 1_000],
        "none": [],
        "number": [number],
        "stamp": [stamp],
        "more": [number, stamp, 1],
        "null": [number, stamp, None],
        "leap": [number, stamp * 2],
        "fraction": [number, stamp + 0.5],
    }
    return body + strange_tails.get(tail, [number, stamp])


def a_session() -> PublicSession:
    session = PublicSession(session=1)
    session.receive_many(
        [
            json.dumps({"event": "conf", "status": "OK", "flags": FLAG_SEQ_ALL | FLAG_TIMESTAMP}),
            '{"event":"subscribed","channel":"ticker","chanId":1,"symbol":"tBTCUSD"}',
            '{"event":"subscribed","channel":"trades","chanId":2,"symbol":"tBTCUSD"}',
            '{"event":"subscribed","channel":"candles","chanId":5,"key":"trade:1m:tBTCUSD"}',
            f"[1,{json.dumps(ROWS[1])},1,{MS}]",
            f"[2,[],2,{MS}]",
            f"[5,[{json.dumps(ROWS[5])}],3,{MS}]",
        ],
        1,
    )
    return session


def said(frames: list[bytes], *, together: bool) -> tuple[list[str], dict[str, Any], list[Any], Any]:
    """What a session makes of frames, and what it knows behind them."""
    session = a_session()
    events: list[PublicEvent] = []
    for batch in [frames] if together else [[frame] for frame in frames]:
        events += session.receive_many(batch, 7)
    counts = session.tolerance
    known = {stream.channel: (stream.frames, stream.heard_ns) for stream in session.table.streams.values()}
    words = [f"refused {event.error}".strip() if isinstance(event, FrameRefused) else repr(event) for event in events]
    return words, known, [session.audit.public, session.audit.venue_ms, session.audit.gaps], counts


@settings(max_examples=300, deadline=None)
@given(told)
def test_the_quick_way_says_what_the_careful_way_says(frames: list[tuple[list[Any], str]]) -> None:
    session = a_session()
    numbers = [session.audit.public + 1 + place for place in range(len(frames))]
    lines = [
        json.dumps(numbered(body, number, tail), separators=(",", ":")).encode()
        for number, (body, tail) in zip(numbers, frames, strict=True)
    ]
    quick = said(lines, together=True)
    # With a space in front no frame begins as the quick way knows it.
    careful = said([b" " + line for line in lines], together=False)
    assert [_unspaced(word) for word in quick[0]] == [_unspaced(word) for word in careful[0]]
    assert quick[1:] == careful[1:]


def _unspaced(word: str) -> str:
    """Refusals quote the frame."""
    return word.replace("b' [", "b'[").replace('b" [', 'b"[')


def test_what_comes_most_is_read_straight_from_its_bytes() -> None:
    session = a_session()
    session._careful = None  # type: ignore[assignment,method-assign]
    lines = [b"[1,[100.5,5,101,3,-1,-0.01,100,1e3,110,90],4,%d]" % MS, b'[2,"te",[9,%d,-0.5,100],5,%d]' % (MS, MS)]
    lines += [b"[5,[%d,100,101,102,99,7],6,%d]" % (MS - MS % 60_000, MS), b'[1,"hb",7,%d]' % MS]
    assert [type(event) for event in session.receive_many(lines, 7)] == [Ticker, TradePrint, CandleUpdate, StreamBeat]


def test_a_number_that_the_venue_gave_to_another_stream_is_read_as_that_one() -> None:
    session = a_session()
    assert [type(each) for each in session.receive(b'{"event":"unsubscribed","status":"OK","chanId":1}', 1)] == [
        StreamDown
    ]
    assert session.receive(b"[1,[100.5,5,101,3,-1,-0.01,100,1e3,110,90],4,%d]" % MS, 7) == []
    session.receive(b'{"event":"subscribed","channel":"candles","chanId":1,"key":"trade:5m:tBTCUSD"}', 1)
    open_ms = MS - MS % 300_000
    session.receive(b"[1,[[%d,100,101,102,99,7]],5,%d]" % (open_ms, MS), 7)
    (event,) = session.receive(b"[1,[%d,100,101,102,99,7],6,%d]" % (open_ms, MS), 7)
    assert isinstance(event, CandleUpdate)
    assert event.candle.timeframe == "5m"
    (gap, *_) = session.receive(b"[1,[%d,100,101,102,99,7],8,%d]" % (open_ms, MS), 7)
    assert isinstance(gap, SequenceGap)
    session.close("gone", 9)
    assert session.receive(b"[1,[%d,100,101,102,99,7],9,%d]" % (open_ms, MS), 10) == []


def test_what_a_stream_says_before_its_snapshot_or_after_it_was_left_is_looked_at_with_care() -> None:
    session = a_session()
    line = b"[1,[100.5,5,101,3,-1,-0.01,100,1e3,110,90],%d,%d]"
    session.send_unsubscribe(ticker("tBTCUSD"))
    assert session.receive(line % (4, MS), 7) == []
    session.receive(b'{"event":"unsubscribed","status":"OK","chanId":1}', 1)
    session.receive(b'{"event":"subscribed","channel":"ticker","chanId":1,"symbol":"tBTCUSD"}', 1)
    (stream,) = [each for each in session.table.streams.values() if each.channel == "ticker"]
    assert not stream.primed
    assert [type(event) for event in session.receive(line % (5, MS), 7)] == [Ticker]
    assert stream.primed
