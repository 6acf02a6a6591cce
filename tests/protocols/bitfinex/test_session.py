"""A public session's rules: ask once, snapshot first, trades once, count without a hole, renew just what broke."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocols.bitfinex.errors import LocalProtocolError
from protocols.bitfinex.events import (
    FLAG_CHECKSUM,
    FLAG_SEQ_ALL,
    FLAG_TIMESTAMP,
    ConfAccepted,
    ConfRefused,
    FrameRefused,
    MaintenanceEnded,
    MaintenanceStarted,
    Pong,
    SequenceGap,
    ServerError,
    ServerInfo,
    ServerNote,
    ServerStopping,
    StreamBroken,
    SubscriptionRefused,
)
from protocols.bitfinex.session import CROSSED_LIMIT_NS, DEFAULT_FLAGS, PublicEvent, PublicSession, require_version
from protocols.bitfinex.streams import StreamState
from protocols.bitfinex.subscriptions import (
    Subscription,
    book,
    candles,
    derivative_status,
    liquidations,
    ticker,
    trades,
)
from protocols.market import (
    BookTop,
    CandleSnapshot,
    CandleUpdate,
    DerivStatus,
    FundingPrint,
    Liquidation,
    StreamDown,
    StreamUp,
    Ticker,
    TradePrint,
    TradeSnapshot,
)
from protocols.units import Symbol

BTC = "tBTCUSD"
TICKER_ROW = [100.5, 2, 101, 3.5, -1, -0.01, 100.75, 5000, 110, 90]


def session_with(*streams: Subscription, flags: int = 0) -> PublicSession:
    """Streams 1, 2, ... confirmed, in the order given."""
    session = PublicSession(session=1)
    if flags:
        session.receive(json.dumps({"event": "conf", "status": "OK", "flags": flags}), 1)
    for number, stream in enumerate(streams, 1):
        session.send_subscribe(stream)
        session.receive(json.dumps({"event": "subscribed", "chanId": number, **stream.fields()}), 1)
    return session


def test_a_stream_is_asked_for_once() -> None:
    session = PublicSession(session=1)
    assert json.loads(session.send_subscribe(ticker(BTC), sub_id="a")) == {
        "event": "subscribe",
        "channel": "ticker",
        "symbol": BTC,
        "subId": "a",
    }
    with pytest.raises(LocalProtocolError, match="must not be asked twice, was asked"):
        session.send_subscribe(ticker(BTC))
    with pytest.raises(LocalProtocolError, match="must be up to be left"):
        session.send_unsubscribe(ticker(BTC))
    with pytest.raises(LocalProtocolError, match="was unknown"):
        session.send_unsubscribe(trades(BTC))


def test_a_socket_has_so_many_places() -> None:
    session = PublicSession(session=1, channel_limit=2)
    session.send_subscribe(ticker(BTC))
    session.send_subscribe(trades(BTC))
    with pytest.raises(LocalProtocolError, match="at most 2"):
        session.send_subscribe(book(BTC))
    session.receive('{"event":"error","msg":"symbol: invalid","code":10300,"channel":"ticker","symbol":"tBTCUSD"}', 1)
    session.send_subscribe(book(BTC))


def test_an_answer_is_told_apart_by_its_fields_or_by_its_sub_id() -> None:
    session = PublicSession(session=1)
    session.send_subscribe(book(BTC, length=25))
    session.send_subscribe(book(BTC, length=100))
    session.send_subscribe(candles(BTC, "1D"), sub_id="c")
    session.receive('{"event":"subscribed","channel":"book","chanId":7,"symbol":"tBTCUSD","len":"100"}', 1)
    session.receive('{"event":"subscribed","channel":"candles","chanId":8,"key":"odd","subId":"c"}', 1)
    states = {subscription: stream.state for subscription, stream in session.table.streams.items()}
    assert states == {
        book(BTC, length=25): StreamState.ASKED,
        book(BTC, length=100): StreamState.UP,
        candles(BTC, "1D"): StreamState.UP,
    }
    assert session.table.unanswered(10, 10) == [book(BTC, length=25)]
    session.give_up(book(BTC, length=25))
    assert session.table.unanswered(10, 10) == []


def test_a_refused_stream_says_why_and_may_be_asked_again() -> None:
    session = PublicSession(session=1)
    session.send_subscribe(ticker("tNOPEUSD"))
    error = b'{"channel":"ticker","symbol":"tNOPEUSD","event":"error","msg":"symbol: invalid","code":10300}'
    assert session.receive(error, 1) == [
        SubscriptionRefused(subscription=ticker("tNOPEUSD"), code=10300, text="symbol: invalid")
    ]
    assert session.receive(error, 1) == [ServerError(code=10300, text="symbol: invalid")]
    session.send_subscribe(ticker("tNOPEUSD"))
    assert session.table.view()[0]["state"] == "asked"


def test_info_codes_are_signals() -> None:
    session = PublicSession(session=1)
    told = [
        (session.receive(frame, 1), session.paused)
        for frame in (
            '{"event":"info","version":2,"platform":{"status":0}}',
            '{"event":"info","code":20061,"msg":"e"}',
            '{"event":"info","code":20060,"msg":"s"}',
            '{"event":"info","code":20051,"msg":"x"}',
            '{"event":"info","code":5000}',
        )
    ]
    assert told == [
        ([ServerInfo(version=2, server_id="", operative=False)], True),
        ([MaintenanceEnded(text="e")], False),
        ([MaintenanceStarted(text="s")], True),
        ([ServerStopping(text="x")], True),
        ([ServerNote(code=5000, text="")], True),
    ]
    with pytest.raises(LocalProtocolError, match="must be 2, was 1"):
        require_version(ServerInfo(version=1, server_id="", operative=True))
    require_version(ServerInfo(version=2, server_id="", operative=True))


def test_a_greeting_with_the_other_status_says_what_the_codes_say() -> None:
    session = PublicSession(session=1)
    told = [
        (
            type(session.receive(f'{{"event":"info","version":2,"platform":{{"status":{status}}}}}', 1)[0]),
            session.paused,
        )
        for status in (1, 1, 0, 0, 1, 1)
    ]
    assert told == [
        (ServerInfo, False),
        (ServerInfo, False),
        (MaintenanceStarted, True),
        (ServerInfo, True),
        (MaintenanceEnded, False),
        (ServerInfo, False),
    ]
    # A server of another protocol is no news of this one.
    (other,) = session.receive('{"event":"info","version":1,"platform":{"status":0}}', 1)
    assert isinstance(other, ServerInfo)


def test_conf_and_pong() -> None:
    session = PublicSession(session=1)
    assert json.loads(session.send_conf()) == {"event": "conf", "flags": DEFAULT_FLAGS}
    assert session.flags == 0
    assert session.receive('{"event":"conf","status":"OK"}', 1) == [ConfAccepted(flags=DEFAULT_FLAGS)]
    assert session.flags == DEFAULT_FLAGS
    assert session.receive('{"event":"conf","status":"FAILED","code":10050,"msg":"no"}', 1) == [
        ConfRefused(code=10050, text="no")
    ]
    assert session.send_ping(4) == b'{"event":"ping","cid":4}'
    assert session.receive('{"event":"pong","ts":1511545528111,"cid":4}', 1) == [Pong(cid=4, venue_ms=1511545528111)]
    assert session.receive('{"event":"pong","ts":1511545528111}', 1) == [Pong(cid=None, venue_ms=1511545528111)]
    assert session.receive('{"event":"news"}', 1) == []
    assert session.tolerance.unknown_kinds == 1


# --- books --------------------------------------------------------------------------------------------------------


def test_a_book_begins_with_its_snapshot_and_tells_its_top_when_that_changes() -> None:
    session = session_with(book(BTC))
    (top,) = session.receive("[1,[[100,1,2],[99,1,1],[101,1,-3]]]", 5)
    assert top == BookTop(
        symbol=Symbol(BTC),
        bid=100.0,
        bid_size=2.0,
        ask=101.0,
        ask_size=3.0,
        venue_ms=0,
        received_ns=5,
    )
    assert session.receive("[1,[98,1,4]]", 6) == []
    (moved,) = session.receive("[1,[100,0,1]]", 7)
    assert isinstance(moved, BookTop)
    assert (moved.bid, moved.bid_size) == (99.0, 1.0)
    levels = session.levels(book(BTC))
    assert levels is not None
    assert levels.bids == ((99.0, 1.0, 1), (98.0, 4.0, 1))
    assert levels.asks == ((101.0, 3.0, 1),)


def test_an_update_before_the_snapshot_breaks_the_stream_until_it_is_renewed() -> None:
    session = session_with(book(BTC))
    assert session.receive("[1,[100,1,2]]", 1) == [
        StreamBroken(subscription=book(BTC), reason="update before the snapshot")
    ]
    assert session.receive("[1,[[100,1,2],[101,1,-2]]]", 1) == []
    leave, ask = session.send_resubscribe(book(BTC), now_ns=5)
    assert json.loads(leave) == {"event": "unsubscribe", "chanId": 1}
    assert json.loads(ask)["event"] == "subscribe"
    (down,) = session.receive('{"event":"unsubscribed","status":"OK","chanId":1}', 6)
    assert isinstance(down, StreamDown)
    (up,) = session.receive(json.dumps({"event": "subscribed", "chanId": 9, **book(BTC).fields()}), 7)
    assert isinstance(up, StreamUp)
    assert len(session.receive("[9,[[100,1,2],[101,1,-2]]]", 8)) == 1


def test_a_renewal_confirmed_before_its_farewell_stays_up() -> None:
    session = session_with(book(BTC))
    session.send_resubscribe(book(BTC))
    session.receive(json.dumps({"event": "subscribed", "chanId": 9, **book(BTC).fields()}), 7)
    assert session.receive('{"event":"unsubscribed","status":"OK","chanId":1}', 8) == []
    assert session.table.streams[book(BTC)].state is StreamState.UP
    assert session.receive('{"event":"unsubscribed","status":"OK","chanId":77}', 8) == []


def test_data_under_way_after_unsubscribing_says_nothing() -> None:
    session = session_with(book(BTC), ticker(BTC))
    session.receive("[1,[[100,1,2],[101,1,-2]]]", 1)
    session.send_unsubscribe(book(BTC))
    assert session.receive("[1,[100.5,1,2]]", 2) == []
    assert isinstance(session.receive('{"event":"unsubscribed","status":"OK","chanId":1}', 3)[0], StreamDown)
    assert session.receive("[1,[100.6,1,2]]", 4) == []
    assert session.tolerance.unknown_channels == 1
    assert book(BTC) not in session.table.streams


def test_an_empty_book_is_a_snapshot_too() -> None:
    session = session_with(book(BTC))
    assert session.receive("[1,[]]", 1) == []
    assert session.receive("[1,[100,1,2]]", 2) == []
    assert len(session.receive("[1,[101,1,-2]]", 3)) == 1


def test_bulk_updates_are_updates_though_they_look_like_snapshots() -> None:
    session = session_with(book(BTC))
    session.receive("[1,[[100,1,2],[99,1,1],[101,1,-3]]]", 1)
    (top,) = session.receive("[1,[[100,0,1],[98,2,1],[101,0,-1],[100.5,1,-7]]]", 2)
    assert isinstance(top, BookTop)
    assert (top.bid, top.ask, top.ask_size) == (99.0, 100.5, 7.0)


def test_a_book_crossed_for_an_instant_is_only_silent_and_for_a_second_is_broken() -> None:
    session = session_with(book(BTC))
    session.receive("[1,[[100,1,2],[101,1,-3]]]", 1)
    assert session.receive("[1,[102,1,2]]", 10) == []
    assert len(session.receive("[1,[101,0,-1]]", 11)) == 0
    (top,) = session.receive("[1,[103,1,-1]]", 12)
    assert isinstance(top, BookTop)
    assert session.receive("[1,[104,1,2]]", 20) == []
    assert session.receive("[1,[90,1,2]]", 20 + CROSSED_LIMIT_NS) == [
        StreamBroken(subscription=book(BTC), reason="crossed")
    ]


@pytest.mark.parametrize(
    "row",
    [
        '["x",1,2]',
        "[100,1]",
        "[100,1,0]",
        "[100,null,2]",
        "[null,1,2]",
        "[100,1,{}]",
        "[-5,1,2]",
        "[1" + "0" * 400 + ",1,2]",
    ],
)
def test_a_book_row_that_cannot_be_read_is_refused_and_breaks_the_book(row: str) -> None:
    session = session_with(book(BTC), ticker(BTC))
    session.receive("[1,[[100,1,2],[101,1,-3]]]", 1)
    events = session.receive(f"[1,{row}]", 2)
    assert [type(event) for event in events] == [StreamBroken, FrameRefused]
    assert session.tolerance.refused == 1
    # The other streams of the socket go on.
    assert len(session.receive(json.dumps([2, TICKER_ROW]), 3)) == 1


def test_a_funding_book_has_its_sides_reversed_and_no_checksum() -> None:
    rates = book("fUSD")
    session = session_with(rates, flags=FLAG_CHECKSUM)
    (top,) = session.receive("[1,[[0.0002,30,1,-500],[0.0002,2,1,-100],[0.0003,2,1,900]]]", 1)
    assert isinstance(top, BookTop)
    assert (top.bid, top.bid_size, top.ask, top.ask_size) == (0.0002, 600.0, 0.0003, 900.0)
    assert session.receive('[1,"cs",12345]', 2) == []
    (top,) = session.receive("[1,[0.0002,30,0,-1]]", 3)
    assert isinstance(top, BookTop)
    assert top.bid_size == 100.0


def test_a_raw_book_adds_the_orders_at_its_best_prices() -> None:
    raw = book(BTC, "R0")
    session = session_with(raw)
    (top,) = session.receive("[1,[[11,100,1],[12,100,2],[13,99,5],[21,101,-1]]]", 1)
    assert isinstance(top, BookTop)
    assert (top.bid, top.bid_size, top.ask_size) == (100.0, 3.0, 1.0)
    (top,) = session.receive("[1,[12,0,1]]", 2)
    assert isinstance(top, BookTop)
    assert top.bid_size == 1.0
    # The same order at another price.
    (top,) = session.receive("[1,[13,100.5,5]]", 3)
    assert isinstance(top, BookTop)
    assert (top.bid, top.bid_size) == (100.5, 5.0)
    kept = session.book(raw)
    assert kept is not None
    session.receive("[1,[99,0,1]]", 4)
    assert kept.unknown_deletes == 1


# --- tickers, trades, candles, status -----------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [[], [None], [None, 5, "x"]])
def test_a_ticker_of_any_length_from_ten(extra: list[object]) -> None:
    session = session_with(ticker(BTC))
    for _ in range(2):  # the careful way first, the fast way from then on
        (event,) = session.receive(json.dumps([1, TICKER_ROW + extra]), 8)
        assert isinstance(event, Ticker)
        assert (event.bid, event.ask_size, event.last, event.low) == (100.5, 3.5, 100.75, 90.0)
        assert all(isinstance(number, float) for number in (event.bid_size, event.volume, event.high))


def test_a_ticker_without_a_price_is_refused_and_without_a_volume_is_read() -> None:
    session = session_with(ticker(BTC))
    assert isinstance(session.receive(json.dumps([1, [None, *TICKER_ROW[1:]]]), 1)[0], FrameRefused)
    assert session.tolerance.unexpected_nulls == 1
    (event,) = session.receive(json.dumps([1, [*TICKER_ROW[:7], None, None]]), 2)
    assert isinstance(event, Ticker)
    assert event.volume == 0.0
    assert session.tolerance.shorter_rows == 1


def test_a_trade_is_told_once_by_whichever_frame_came_first() -> None:
    session = session_with(trades(BTC))
    (snapshot,) = session.receive("[1,[[12,3,0.5,100],[11,2,-0.5,99],[10,1,1,98]]]", 1)
    assert isinstance(snapshot, TradeSnapshot)
    assert [trade.trade_id for trade in snapshot.trades] == [10, 11, 12]
    told = [session.receive(f'[1,"{kind}",[{number},5,-0.25,100.5]]', 2) for kind, number in
            (("te", 13), ("tu", 13), ("te", 13), ("tu", 14), ("te", 14), ("tu", 12), ("tu", 9))]  # fmt: skip
    assert [len(events) for events in told] == [1, 0, 0, 1, 0, 0, 0]
    trade = told[0][0]
    assert isinstance(trade, TradePrint)
    assert (trade.trade_id, trade.amount, trade.price) == (13, -0.25, 100.5)
    assert session.table.streams[trades(BTC)].trades_doubled == 2


def test_trades_in_bulk_are_told_oldest_first() -> None:
    session = session_with(trades(BTC))
    session.receive("[1,[]]", 1)
    events = session.receive("[1,[[12,3,0.5,100],[11,2,-0.5,99]]]", 2)
    assert [event.trade_id for event in events if isinstance(event, TradePrint)] == [11, 12]


def test_trades_stay_known_over_many_others() -> None:
    session = session_with(trades(BTC))
    for number in range(1, 1500):
        assert len(session.receive(f'[1,"te",[{number},5,1,100]]', 1)) == 1
    assert session.receive('[1,"tu",[1000,5,1,100]]', 1) == []


def test_funding_trades_have_a_rate_and_a_period() -> None:
    session = session_with(trades("fUSD"))
    assert session.receive("[1,[[1,2,-5,0.0002,30]]]", 1) == []
    (event,) = session.receive('[1,"fte",[133323543,1574694605000,-59.84,0.00023647,2]]', 2)
    assert isinstance(event, FundingPrint)
    assert (event.rate, event.period) == (0.00023647, 2)
    assert session.receive('[1,"ftu",[133323543,1574694605000,-59.84,0.00023647,2]]', 3) == []
    assert len(session.receive("[1,[[133323544,2,-5,0.0002,30],[1,2,-5,0.0002,30]]]", 4)) == 1


def test_candles_are_told_oldest_first_with_close_before_high_on_the_wire() -> None:
    session = session_with(candles(BTC, "1m"))
    (snapshot,) = session.receive("[1,[[120000,2,3,4,1,10],[60000,1,2,2.5,0.5,7]]]", 1)
    assert isinstance(snapshot, CandleSnapshot)
    assert [candle.open_ms for candle in snapshot.candles] == [60000, 120000]
    newest = snapshot.candles[1]
    assert (newest.open, newest.close, newest.high, newest.low, newest.volume) == (2, 3, 4, 1, 10)
    (update,) = session.receive("[1,[120000,2,3.5,4,1,11]]", 2)
    assert isinstance(update, CandleUpdate)
    assert (update.candle.close, update.candle.timeframe) == (3.5, "1m")
    assert len(session.receive("[1,[[120000,2,3.5,4,1,12],[180000,2,3.5,4,1,12]]]", 3)) == 2


def test_an_empty_candle_history_is_still_a_history() -> None:
    session = session_with(candles("fUSD", "1h", "p30"))
    (snapshot,) = session.receive("[1,[]]", 1)
    assert isinstance(snapshot, CandleSnapshot)
    assert (snapshot.symbol, snapshot.candles) == ("fUSD:p30", ())


def test_status_of_contracts_and_liquidations() -> None:
    session = session_with(derivative_status("tBTCF0:USTF0"), liquidations())
    row = [1790133734000, None, 86710.4, 86670.5, None, 6.2e7, None, 1790150400000, 0.0001, 3873]
    row += [None, 0, None, None, 86676.3, None, None, 8851.8, None, None, None, 0.0005, 0.0025]
    (status,) = session.receive(json.dumps([1, row]), 1)
    assert isinstance(status, DerivStatus)
    assert (status.symbol, status.next_funding_step, status.mark_price) == ("tBTCF0:USTF0", 3873, 86676.3)
    liquidation = ["pos", 142397657, 1574697680828.2002, None, "tBSVUSD", -2.6, 91.5, None, 1, 1, None, 112.27]
    (event,) = session.receive(json.dumps([2, [liquidation]]), 1)
    assert isinstance(event, Liquidation)
    assert (event.time_ms, event.is_match, event.price) == (1574697680828, True, 112.27)


# --- numbers ------------------------------------------------------------------------------------------------------


def test_stamps_become_the_venues_time() -> None:
    session = session_with(ticker(BTC), flags=FLAG_SEQ_ALL | FLAG_TIMESTAMP)
    for number in (1, 2):
        stamp = 1_700_000_000_000 + number
        (event,) = session.receive(json.dumps([1, TICKER_ROW, number, stamp]), 1)
        assert isinstance(event, Ticker)
        assert event.venue_ms == session.venue_ms == stamp


def test_a_gap_is_told_before_the_frame_that_shows_it_and_once() -> None:
    session = session_with(ticker(BTC), flags=FLAG_SEQ_ALL)
    for number in (1, 2):
        session.receive(json.dumps([1, TICKER_ROW, number]), 1)
    events = session.receive(json.dumps([1, TICKER_ROW, 5]), 1)
    assert events[0] == SequenceGap(counter="public", expected=3, was=5)
    assert isinstance(events[1], Ticker)
    assert len(session.receive(json.dumps([1, TICKER_ROW, 6]), 1)) == 1
    assert session.receive('[1,"hb",8]', 1)[0] == SequenceGap(counter="public", expected=7, was=8)
    assert session.audit.gaps == 2


def test_a_frame_without_its_number_is_a_gap_once_counting_has_begun() -> None:
    session = session_with(ticker(BTC), flags=FLAG_SEQ_ALL)
    session.receive(json.dumps([1, TICKER_ROW, 1]), 1)
    assert isinstance(session.receive(json.dumps([1, TICKER_ROW]), 1)[0], SequenceGap)
    assert len(session.receive(json.dumps([1, TICKER_ROW, 2]), 1)) == 1


def test_a_doubled_frame_is_a_gap_too() -> None:
    session = session_with(ticker(BTC), flags=FLAG_SEQ_ALL)
    session.receive(json.dumps([1, TICKER_ROW, 1]), 1)
    assert session.receive(json.dumps([1, TICKER_ROW, 1]), 1)[0] == SequenceGap(counter="public", expected=2, was=1)


def test_silence_is_seen_stream_by_stream() -> None:
    session = session_with(ticker(BTC), trades(BTC))
    session.receive('[1,"hb"]', 50)
    assert session.table.silent(60, 30) == [trades(BTC)]
    assert session.table.silent(80, 30) == [ticker(BTC), trades(BTC)]
    assert session.heard_ns == 50


@pytest.mark.parametrize(
    "frame",
    ["", "[]", "5", "null", '"x"', "[true,[1]]", "[1]", '["1",[1]]', "{}", '{"event":5}', "[[1],2]", b"\xff\xfe"],
)
def test_what_is_no_frame_is_refused_with_its_beginning(frame: str | bytes) -> None:
    session = session_with(ticker(BTC))
    (event,) = session.receive(frame, 1)
    assert isinstance(event, FrameRefused)
    assert session.tolerance.refused == 1


def test_one_bad_frame_costs_the_batch_nothing() -> None:
    session = session_with(ticker(BTC))
    events = session.receive_many([json.dumps([1, TICKER_ROW]), "nope", json.dumps([1, TICKER_ROW])], 1)
    assert [type(event) for event in events] == [Ticker, FrameRefused, Ticker]


def test_levels_are_for_people_and_come_with_the_snapshot() -> None:
    session = session_with(book(BTC), book(BTC, "R0"))
    assert session.levels(ticker(BTC)) is None
    assert session.levels(book(BTC)) is None
    session.receive("[1,[[100,3,2],[101,1,-3]]]", 5)
    session.receive("[2,[[11,100,2],[12,101,-3]]]", 6)
    levels, raw = session.levels(book(BTC)), session.levels(book(BTC, "R0"))
    assert levels is not None
    assert raw is not None
    assert (levels.bids, levels.received_ns) == (((100.0, 2.0, 3),), 5)
    assert raw.asks == ((101.0, 3.0, 1),)


@pytest.mark.parametrize("frame", ["[1,5]", "[1,null]", "[1,{}]", '[1,"te",[1,2,3,4]]', '[1,"zz",[1]]'])
def test_a_payload_of_another_kind_says_nothing(frame: str) -> None:
    session = session_with(candles(BTC, "1m"))
    assert not [event for event in session.receive(frame, 1) if not isinstance(event, FrameRefused)]


def test_a_candle_heard_before_its_history_is_still_true() -> None:
    session = session_with(candles(BTC, "1m"))
    (update,) = session.receive("[1,[120000,2,3.5,4,1,11]]", 1)
    assert isinstance(update, CandleUpdate)
    (snapshot,) = session.receive("[1,[[120000,2,3.5,4,1,11],[60000,1,2,2.5,0.5,7]]]", 2)
    assert isinstance(snapshot, CandleSnapshot)


def test_a_trade_in_a_stream_that_is_left_says_nothing() -> None:
    session = session_with(trades(BTC))
    session.receive("[1,[]]", 1)
    session.send_unsubscribe(trades(BTC))
    assert session.receive('[1,"te",[1,2,3,4]]', 2) == []


@pytest.mark.parametrize("stream", [ticker(BTC), book(BTC), trades(BTC), candles(BTC, "1m")])
def test_a_stream_that_the_venue_gives_already_is_adopted_and_renewed(stream: Subscription) -> None:
    session = PublicSession(session=1)
    session.send_subscribe(stream)
    # The answer was lost, we gave up and ask again: the venue knows better.
    session.give_up(stream)
    session.send_subscribe(stream)
    refusal = {"event": "error", "code": 10301, "msg": "subscribe: dup", "chanId": 77, **stream.fields()}
    (broken,) = session.receive(json.dumps(refusal), 1)
    assert broken == StreamBroken(subscription=stream, reason="already subscribed")
    leave, ask = map(json.loads, session.send_resubscribe(stream))
    assert (leave["chanId"], ask["channel"]) == (77, stream.channel)
    # What it says until then is of an unknown beginning.
    assert not [
        each for each in session.receive("[77,[1,2,3,4,5,6,7,8,9,10]]", 2) if not isinstance(each, FrameRefused)
    ]
    session.receive(json.dumps({"event": "unsubscribed", "status": "OK", "chanId": 77}), 3)
    (up,) = session.receive(json.dumps({"event": "subscribed", "chanId": 78, **stream.fields()}), 4)
    assert isinstance(up, StreamUp)


def test_a_dup_that_names_no_channel_or_anothers_is_a_refusal() -> None:
    session = session_with(ticker(BTC))
    for extra in ({}, {"chanId": 1}, {"chanId": -5}):
        session.send_subscribe(trades(BTC))
        refusal = {"event": "error", "code": 10301, "msg": "subscribe: dup", **trades(BTC).fields(), **extra}
        (refused,) = session.receive(json.dumps(refusal), 1)
        assert isinstance(refused, SubscriptionRefused)
        session.give_up(trades(BTC))
    assert session.table.by_channel[1].subscription == ticker(BTC)


# --- heartbeats ---------------------------------------------------------------------------------------------------

STAMP = 1_700_000_000_000
TAILS: st.SearchStrategy[list[object]] = st.lists(
    st.sampled_from([0, 1, 2, 3, 7, -1, None, 1.5, "x", [], STAMP, STAMP + 1, STAMP * 10_000, STAMP + 0.5]),
    max_size=3,
)


@given(
    flags=st.sampled_from([0, FLAG_TIMESTAMP, FLAG_SEQ_ALL, FLAG_SEQ_ALL | FLAG_TIMESTAMP]),
    frames=st.lists(st.tuples(st.sampled_from([1, 2, 3, 9, 0, -1, "1"]), st.sampled_from(["hb", "HB"]), TAILS)),
)
@example(flags=FLAG_TIMESTAMP, frames=[(1, "hb", [7])])  # counted before the flags changed: no stamp
@example(flags=FLAG_SEQ_ALL, frames=[(1, "hb", [STAMP, 0]), (1, "hb", [STAMP + 1])])  # a stamp where a number belongs
def test_a_heartbeat_of_any_shape_is_heard_the_quick_way_as_the_careful_way_hears_it(
    flags: int, frames: list[tuple[object, str, list[object]]]
) -> None:
    quick, careful = (session_with(ticker(BTC), book(BTC), candles(BTC, "1m"), flags=flags) for _ in range(2))
    for number, (channel, kind, tail) in enumerate(frames, 5):
        frame = json.dumps([channel, kind, *tail])
        told: list[PublicEvent] = []
        careful._careful(frame, number, told, {})
        assert repr(quick.receive(frame, number)) == repr(told)
        assert (quick.audit.public, quick.audit.venue_ms) == (careful.audit.public, careful.audit.venue_ms)
