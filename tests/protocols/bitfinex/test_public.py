"""Public frames as our venue writes them are what our client reads, field by field and number by number."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.bitfinex import public
from protocols.bitfinex.events import FLAG_SEQ_ALL, FLAG_TIMESTAMP, conf_answer, subscribed_event
from protocols.bitfinex.numbers import read_json_floats, write_json
from protocols.bitfinex.sequence import SMALLEST_TIME_MS, FrameNumbers
from protocols.bitfinex.session import PublicEvent, PublicSession
from protocols.bitfinex.subscriptions import (
    Subscription,
    candles,
    derivative_status,
    liquidations,
    ticker,
    trades,
)
from protocols.market import (
    Candle,
    CandleUpdate,
    DerivStatus,
    FundingPrint,
    FundingTicker,
    Liquidation,
    StreamBeat,
    Ticker,
    TradePrint,
)
from protocols.units import Symbol

MS = 1_700_000_000_000
BTC = Symbol("tBTCUSD")
STAMPS: dict[str, Any] = {"venue_ms": MS, "received_ns": 7}

floats = st.floats(-1e12, 1e12).map(lambda number: number + 0.0)
prices = st.floats(1e-8, 1e9)
ids = st.integers(1, 2**53)
times = st.integers(SMALLEST_TIME_MS, MS)
amounts = st.floats(-1e9, 1e9).filter(bool)

tickers = st.builds(
    Ticker,
    symbol=st.just(BTC),
    bid=prices,
    bid_size=prices,
    ask=prices,
    ask_size=prices,
    last=prices,
    daily_change=floats,
    daily_change_relative=floats,
    volume=prices,
    high=prices,
    low=prices,
    venue_ms=st.just(MS),
    received_ns=st.just(7),
)
funding_tickers = st.builds(
    FundingTicker,
    symbol=st.just("fUSD"),
    flash_return_rate=prices,
    bid=prices,
    bid_period=st.integers(2, 120),
    bid_size=prices,
    ask=prices,
    ask_period=st.integers(2, 120),
    ask_size=prices,
    daily_change=floats,
    daily_change_relative=floats,
    last=prices,
    volume=prices,
    high=prices,
    low=prices,
    flash_return_amount=prices,
    venue_ms=st.just(MS),
    received_ns=st.just(7),
)
prints = st.builds(
    TradePrint,
    symbol=st.just(BTC),
    trade_id=ids,
    time_ms=times,
    amount=amounts,
    price=prices,
    venue_ms=st.just(MS),
    received_ns=st.just(7),
)
funding_prints = st.builds(
    FundingPrint,
    symbol=st.just("fUSD"),
    trade_id=ids,
    time_ms=times,
    amount=floats,
    rate=prices,
    period=st.integers(2, 120),
    venue_ms=st.just(MS),
    received_ns=st.just(7),
)


def _candle(open_ms: int, four: list[float], volume: float) -> Candle:
    low, open_, close, high = sorted(four)
    return Candle(
        symbol=BTC, timeframe="1m", open_ms=open_ms, open=open_, high=high, low=low, close=close, volume=volume
    )


told_candles = st.builds(_candle, times, st.lists(prices, min_size=4, max_size=4), st.floats(0, 1e9))


def told(subscription: Subscription, *frames: bytes, flags: int = FLAG_TIMESTAMP) -> list[PublicEvent]:
    """What a session makes of a stream's frames; the last frame's events."""
    session = PublicSession(session=1)
    session.receive_many([conf_answer(flags), subscribed_event(subscription, 3)], 1)
    events: list[PublicEvent] = []
    for frame in frames:
        events = session.receive(frame, 7)
    return events


@given(tickers, st.sampled_from([10, 11]))
def test_a_ticker_comes_back_as_it_was_written(value: Ticker, length: int) -> None:
    frame = public.channel_frame(3, public.ticker_row(value, length=length), [MS])
    assert told(ticker(BTC), frame) == [value]
    # The second one goes the fast way.
    assert told(ticker(BTC), frame, frame) == [value]


@given(funding_tickers)
def test_a_funding_ticker_comes_back_as_it_was_written(value: FundingTicker) -> None:
    frame = public.channel_frame(3, public.funding_ticker_row(value), [MS])
    assert told(ticker("fUSD"), frame) == [value]


@given(prints)
def test_a_trade_comes_back_as_it_was_written(value: TradePrint) -> None:
    frame = public.typed_frame(3, "te", public.trade_print_row(value), [MS])
    assert told(trades(BTC), frame) == [value]
    assert told(trades(BTC), public.channel_frame(3, [], [MS]), frame) == [value]


@given(funding_prints)
def test_a_funding_trade_comes_back_as_it_was_written(value: FundingPrint) -> None:
    frame = public.typed_frame(3, "fte", public.funding_print_row(value), [MS])
    assert told(trades("fUSD"), frame) == [value]


@given(told_candles)
def test_a_candle_comes_back_as_it_was_written(value: Candle) -> None:
    snapshot = public.channel_frame(3, [public.candle_row(value)], [MS])
    update = public.channel_frame(3, public.candle_row(value), [MS])
    for frames in ((update,), (snapshot, update)):
        assert told(candles(BTC, "1m"), *frames) == [CandleUpdate(candle=value, **STAMPS)]


def test_status_comes_back_as_it_was_written() -> None:
    status = DerivStatus(
        symbol="tBTCF0:USTF0",
        time_ms=5,
        deriv_price=1.5,
        spot_price=2.5,
        insurance_fund=3.5,
        next_funding_ms=6,
        next_funding_accrued=0.1,
        next_funding_step=7,
        current_funding=-0.2,
        mark_price=4.5,
        open_interest=5.5,
        clamp_min=0.0005,
        clamp_max=0.0025,
        **STAMPS,
    )
    row = public.deriv_status_row(status)
    assert len(row) == 23
    assert told(derivative_status("tBTCF0:USTF0"), public.channel_frame(3, row, [MS])) == [status]
    liquidation = Liquidation(
        position_id=5,
        time_ms=6,
        symbol="tBTCUSD",
        amount=-1.5,
        base_price=100.5,
        is_match=True,
        is_market_sold=False,
        price=99.5,
        **STAMPS,
    )
    row = public.liquidation_row(liquidation)
    assert len(row) == 12
    assert told(liquidations(), public.channel_frame(3, [row], [MS])) == [liquidation]
    assert told(liquidations(), public.channel_frame(3, row, [MS])) == [liquidation]


def test_heartbeats_and_checksums_carry_numbers_too() -> None:
    numbers = FrameNumbers(flags=FLAG_SEQ_ALL | FLAG_TIMESTAMP)
    beats = [public.heartbeat_frame(3, numbers.channel(MS + second)) for second in (0, 15_000)]
    assert beats[1] == b'[3,"hb",2,1700000015000]'
    (beat,) = told(candles(BTC, "1m"), *beats, flags=numbers.flags)
    assert isinstance(beat, StreamBeat)
    assert beat.venue_ms == MS + 15_000
    assert public.typed_frame(3, "cs", -5, [7]) == b'[3,"cs",-5,7]'


def test_numbers_go_out_as_the_venue_prints_them() -> None:
    row = [86697.0, 7e-7, 0.00002503, 1e-5]
    assert public.channel_frame(1, row) == b"[1,[86697,7e-7,0.00002503,0.00001]]"
    assert read_json_floats(public.channel_frame(1, row))[1] == row


@pytest.mark.parametrize("stamp", [10**30, 10**15, "x", None, 1.5])
def test_a_stamp_of_no_time_is_not_believed(stamp: object) -> None:
    session = PublicSession(session=1)
    session.receive_many([conf_answer(FLAG_TIMESTAMP), subscribed_event(trades(BTC), 3)], 1)
    session.receive(public.channel_frame(3, [], [MS]), 1)
    events = session.receive(write_json([3, "te", [1, MS, 3, 4], stamp]), 1)
    assert [type(event) for event in events] == [TradePrint]
    assert session.venue_ms == MS
