"""Every recorded public session is understood: nothing refused, the books hold, the trades make the candles."""

import collections
import json

import pytest

from protocols.bitfinex.errors import ERR_CHANNEL_LIMIT, ERR_SUBSCRIBE, ERR_SUBSCRIBED_ALREADY
from protocols.bitfinex.events import ConfAccepted, FrameRefused, SequenceGap, ServerError, ServerInfo, StreamBroken
from protocols.bitfinex.session import PublicEvent, PublicSession
from protocols.bitfinex.subscriptions import book, read_subscription
from protocols.bitfinex.wire_book import LevelBook
from protocols.market import (
    BookTop,
    Candle,
    CandleSnapshot,
    CandleUpdate,
    DerivStatus,
    FundingTicker,
    StreamBeat,
    StreamUp,
    Ticker,
    TradePrint,
    TradeSnapshot,
)
from protocols.units import Symbol
from tests.recordings import day_of_frames, told_candles, ws_data, ws_lines

BTC_BOOK = book("tBTCUSD", length=100)
THIN = "public-thin-pairs-2021-04-17.jsonl.gz"


def counts(events: list[PublicEvent]) -> collections.Counter[str]:
    return collections.Counter(type(event).__name__ for event in events)


def minute_candles(prints: list[TradePrint]) -> dict[int, Candle]:
    """Candles as the venue makes them: open and close follow the trade id."""
    minutes: dict[int, list[TradePrint]] = collections.defaultdict(list)
    for trade in sorted(prints, key=lambda trade: trade.trade_id):
        minutes[trade.time_ms - trade.time_ms % 60_000].append(trade)
    return {
        minute: Candle(
            symbol=traded[0].symbol,
            timeframe="1m",
            open_ms=minute,
            open=traded[0].price,
            close=traded[-1].price,
            high=max(trade.price for trade in traded),
            low=min(trade.price for trade in traded),
            volume=round(sum(abs(trade.amount) for trade in traded), 8),
        )
        for minute, traded in minutes.items()
    }


@pytest.mark.slow
def test_the_day_of_2018_keeps_an_uncrossed_book_through_every_update() -> None:
    frames = day_of_frames()
    assert len(frames) == 917_363
    session = PublicSession(session=1)
    events: list[PublicEvent] = []
    stream = None
    for index, frame in enumerate(frames):
        events += session.receive(frame, index)
        stream = stream or session.table.streams.get(BTC_BOOK)
        if stream is not None and stream.book is not None:
            assert not stream.book.is_crossed
    assert stream is not None
    kept = stream.book
    assert isinstance(kept, LevelBook)
    # 904,852 updates and the rows of the snapshot.
    assert kept.updates == 904_852 + 200
    assert kept.unknown_deletes == 0
    assert max(len(kept.bid_prices), len(kept.ask_prices)) <= 100
    told = counts(events)
    assert told["TradePrint"] == 3_807
    assert told["TradeSnapshot"] == 1
    assert told["StreamBeat"] == 4_898
    assert told["FrameRefused"] == told["StreamBroken"] == told["SequenceGap"] == 0
    assert session.tolerance.as_dict() == {**dict.fromkeys(session.tolerance.as_dict(), 0), "frames": 917_363}


@pytest.mark.slow
def test_the_day_of_2018_rebuilds_the_venues_own_candles() -> None:
    session = PublicSession(session=1)
    prints: list[TradePrint] = []
    frames = day_of_frames()
    for begin in range(0, len(frames), 512):
        for event in session.receive_many(frames[begin : begin + 512], begin):
            if isinstance(event, TradePrint):
                prints.append(event)
            elif isinstance(event, TradeSnapshot):
                prints.extend(event.trades)
    first, last = 1_542_045_720_000, 1_542_064_140_000  # 18:02 and 23:09 UTC
    rebuilt = {minute: candle for minute, candle in minute_candles(prints).items() if first <= minute <= last}
    told: dict[int, Candle] = {}
    for row in told_candles("BTCUSD-1m-2018-11-12.csv"):
        minute = int(row["time"])
        told[minute] = Candle(
            symbol=prints[0].symbol,
            timeframe="1m",
            open_ms=minute,
            open=float(row["open"]),
            close=float(row["close"]),
            high=float(row["high"]),
            low=float(row["low"]),
            volume=round(float(row["volume"]), 8),
        )
    assert len(told) == 294
    assert rebuilt == told


def test_a_batch_says_the_same_as_single_frames_but_for_the_tops_between() -> None:
    frames = ws_data(THIN)
    single, batch = PublicSession(session=1), PublicSession(session=1)
    one_by_one = [event for frame in frames for event in single.receive(frame, 7)]
    at_once = batch.receive_many(frames, 7)
    assert [e for e in one_by_one if not isinstance(e, BookTop)] == [e for e in at_once if not isinstance(e, BookTop)]
    last_tops = {e.symbol: e for e in one_by_one if isinstance(e, BookTop)}
    assert {e.symbol: e for e in at_once if isinstance(e, BookTop)} == last_tops
    assert counts(at_once)["BookTop"] == len(last_tops)


def test_the_thin_pairs_of_2021_count_without_a_hole_and_beat_before_they_are_subscribed() -> None:
    sent = [json.loads(line) for line in ws_lines(THIN)]
    session = PublicSession(session=1)
    for line in sent:
        if line["t"] == "send" and "subscribe" in line["data"]:
            wish = json.loads(line["data"])
            assert json.loads(session.send_subscribe(read_subscription(wish))) == wish
    events: list[PublicEvent] = []
    for frame in ws_data(THIN):
        events += session.receive(frame, 1)
    told = counts(events)
    assert told["StreamUp"] == 21
    assert told["SequenceGap"] == told["FrameRefused"] == told["StreamBroken"] == 0
    assert session.audit.public == 1_670
    assert session.tolerance.unknown_channels == 2
    assert not session.table.unanswered(10**12, 0)
    assert all(stream.book is None or not stream.book.is_crossed for stream in session.table.streams.values())


def test_one_missing_frame_of_2021_is_one_gap() -> None:
    frames = list(ws_data(THIN))
    del frames[400]
    session = PublicSession(session=1)
    gaps = [e for frame in frames for e in session.receive(frame, 1) if isinstance(e, SequenceGap)]
    assert len(gaps) == 1
    assert gaps[0].was == gaps[0].expected + 1


def test_the_frames_of_2026() -> None:
    session = PublicSession(session=1)
    events: list[PublicEvent] = []
    data = ws_data("frames-2026-09-control-and-errors.jsonl")
    acknowledgements = [
        b'{"event":"subscribed","channel":"book","chanId":759362,"symbol":"tBTCF0:USTF0","len":"100"}',
        b'{"event":"subscribed","channel":"book","chanId":765277,"symbol":"tTHIN:UST","prec":"P0","len":"25"}',
        b'{"event":"subscribed","channel":"status","chanId":759363,"key":"deriv:tBTCF0:USTF0"}',
        b'{"event":"subscribed","channel":"ticker","chanId":761045,"symbol":"tBTCUSD"}',
    ]
    session.receive_many(acknowledgements, 1)
    for frame in data:
        events += session.receive(frame, 1)
    assert ServerInfo(version=2, server_id="fb5877a3-ded1-4754-b9bf-fda9cc751d37", operative=True) in events
    assert ConfAccepted(flags=196608) in events
    assert [event.code for event in events if isinstance(event, ServerError)] == [
        ERR_SUBSCRIBED_ALREADY,
        ERR_CHANNEL_LIMIT,
        ERR_SUBSCRIBE,
    ]
    (status,) = [event for event in events if isinstance(event, DerivStatus)]
    assert (status.mark_price, status.open_interest, status.clamp_max) == (86676.3172, 8851.89352831, 0.0025)
    (ticker,) = [event for event in events if isinstance(event, Ticker)]
    assert (ticker.bid, ticker.last, ticker.low) == (86697, 86717, 85156)
    assert session.tolerance.longer_rows <= 1
    # The author cut the snapshot to three levels, so its checksum cannot be right.
    assert [event.reason for event in events if isinstance(event, StreamBroken)] == ["checksum"]
    assert not [event for event in events if isinstance(event, FrameRefused)]


def _renumbered(name: str) -> tuple[PublicSession, list[PublicEvent]]:
    """The recorder of 2021-2022 put the subscription where the channel number was; give each a number again."""
    session = PublicSession(session=1)
    events: list[PublicEvent] = []
    numbers: dict[str, int] = {}
    for line in ws_lines(name):
        value = json.loads(line)
        if not isinstance(value[0], dict):
            continue
        wish = read_subscription(value[0])
        if wish.name not in numbers:
            numbers[wish.name] = len(numbers) + 1
            acknowledgement = {"event": "subscribed", "chanId": numbers[wish.name], **value[0]}
            events += session.receive(json.dumps(acknowledgement), 1)
        events += session.receive(json.dumps([numbers[wish.name], *value[1:]]), 1)
    return session, events


def test_the_frames_of_2021_and_2022_with_candles_and_raw_books() -> None:
    session, events = _renumbered("frames-2021-2022-candles-rawbook.jsonl")
    assert not [event for event in events if isinstance(event, FrameRefused | StreamBroken)]
    told = counts(events)
    assert told["CandleSnapshot"] == 2
    assert told["CandleUpdate"] == 2
    assert told["TradeSnapshot"] == 2
    # te and tu of the same trade are one.
    assert told["TradePrint"] == 2
    snapshot = next(event for event in events if isinstance(event, CandleSnapshot))
    assert [candle.open_ms for candle in snapshot.candles] == sorted(candle.open_ms for candle in snapshot.candles)
    assert snapshot.candles[-1].close == 31636
    update = next(event for event in events if isinstance(event, CandleUpdate))
    assert (update.candle.symbol, update.candle.timeframe, update.candle.volume) == ("tBTCUST", "1m", 0.00843875)
    raw = session.levels(book("tBTCUST", "R0", "F0", 250))
    assert raw is not None
    assert raw.bids[0] == (31535.0, 0.01586, 1)
    assert raw.asks[0][0] == 31544.0


@pytest.mark.parametrize(
    ("case", "wish"),
    [
        ("response-ws2-server-order-book-P0", {"channel": "book", "symbol": "tBTCUSD", "prec": "P0", "len": "100"}),
        ("response-ws2-server-order-book-P1", {"channel": "book", "symbol": "tBTCUSD", "prec": "P1", "len": "100"}),
        ("response-ws2-server-order-book-R0", {"channel": "book", "symbol": "tBTCUSD", "prec": "R0", "len": "100"}),
        ("response-ws2-server-trades", {"channel": "trades", "symbol": "tBTCUSD"}),
        ("response-ws2-server-ticker-funding", {"channel": "ticker", "symbol": "fUSD"}),
    ],
)
def test_the_fixtures_of_2017(case: str, wish: dict[str, str]) -> None:
    lines = {json.loads(line)["case"]: json.loads(line)["data"] for line in ws_lines("fixtures-2017-05.jsonl")}
    frame = lines[case]
    session = PublicSession(session=1)
    number = json.loads(frame)[0]
    session.receive(json.dumps({"event": "subscribed", "chanId": number, **wish}), 1)
    (event,) = session.receive(frame, 1)
    assert isinstance(event, BookTop | TradeSnapshot | FundingTicker)
    if isinstance(event, BookTop):
        assert 0 < event.bid < event.ask
    if isinstance(event, FundingTicker):
        # 13 elements then, 16 today: what is missing reads as zero, and is counted.
        assert (event.flash_return_rate, event.bid_period, event.flash_return_amount) == (0.00078458, 30, 0)
        assert session.tolerance.shorter_rows == 1


@pytest.mark.parametrize("cut", range(0, 1300, 13))
def test_a_torn_session_yields_only_whole_events(cut: int) -> None:
    """The last frame of a cut stream is refused or says nothing; everything before it stands."""
    stream = b"\n".join(ws_lines("checksum-tXRPBTC-P0.frames.jsonl"))
    whole = PublicSession(session=1)
    all_events = [event for frame in stream.split(b"\n") for event in whole.receive(frame, 1)]
    torn = PublicSession(session=1)
    seen: list[PublicEvent] = []
    for frame in stream[: min(cut, len(stream))].split(b"\n"):
        seen += torn.receive(frame, 1)
    refused = [event for event in seen if isinstance(event, FrameRefused)]
    assert len(refused) <= 1
    kept = [event for event in seen if not isinstance(event, FrameRefused)]
    assert kept == all_events[: len(kept)]


def test_heartbeats_name_their_stream() -> None:
    session = PublicSession(session=4)
    session.receive('{"event":"subscribed","channel":"candles","chanId":3,"key":"trade:5m:tBTCUSD"}', 1)
    session.receive('{"event":"conf","status":"OK","flags":32768}', 1)
    (beat,) = session.receive('[3,"hb",1700000000123]', 9)
    assert beat == StreamBeat(
        stream="candles", symbol=Symbol("tBTCUSD"), timeframe="5m", venue_ms=1700000000123, received_ns=9
    )
    assert isinstance(session.close("test", 10)[0].session, int)


def test_a_session_of_its_own_number_says_up_and_down() -> None:
    session = PublicSession(session=4)
    up = session.receive('{"event":"subscribed","channel":"trades","chanId":3,"symbol":"tBTCUSD"}', 1)
    assert isinstance(up[0], StreamUp)
    assert up[0].session == 4
    (down,) = session.close("socket closed", 9)
    assert (down.stream, down.symbol, down.session, down.reason) == ("trades", "tBTCUSD", 4, "socket closed")
