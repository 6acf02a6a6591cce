"""Candles: closed only by their own stream's stamps, told once and in order, and whole after every gap."""

import itertools
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain.candles import (
    FEWEST_KEPT,
    KEPT_TOGETHER,
    LARGEST_HOLE,
    CandleStream,
    aggregate,
    bucket_open,
    room_for_each,
)
from genesis.domain.market_book import EMPTY_MARKET, WAY_IN, MarketBook
from genesis.domain.market_replay import replayed_streams
from genesis.domain.replay import CandleRow
from protocols.market import (
    Candle,
    CandleClosed,
    CandleSnapshot,
    CandleUpdate,
    MarketEvent,
    StreamBeat,
    StreamDown,
    StreamUp,
)
from protocols.settings import MarketSettings, Settings, StrategySettings
from protocols.units import TIMEFRAME_MS, Symbol
from tests.recorded_candles import CRASH_2015, CRASH_2018, RECORDINGS, recorded_candles

BTC = Symbol("tBTCUSD")
CANDLES = recorded_candles(CRASH_2018)[:60]
HOLED = recorded_candles(CRASH_2015)[:400]
GRACE_MS = 500


def a_stream(*, refillable: bool = False, told_until_ms: int = -1, history: int = 1000) -> CandleStream:
    return CandleStream(
        symbol=BTC,
        timeframe="1m",
        grace_ms=GRACE_MS,
        late_after_ms=30_000,
        history=history,
        refillable=refillable,
        told_until_ms=told_until_ms,
    )


def synced(*, history: int = 1000) -> CandleStream:
    stream = a_stream(history=history)
    stream.on_snapshot(snapshot((), CANDLES[0].open_ms))
    return stream


def snapshot(
    candles: tuple[Candle, ...], venue_ms: int, covers_from_ms: int | None = None, covers_to_ms: int | None = None
) -> CandleSnapshot:
    return CandleSnapshot(
        symbol=BTC,
        timeframe="1m",
        candles=candles,
        venue_ms=venue_ms,
        received_ns=1,
        covers_from_ms=covers_from_ms,
        covers_to_ms=covers_to_ms,
    )


def update(candle: Candle, venue_ms: int) -> CandleUpdate:
    return CandleUpdate(candle=candle, venue_ms=venue_ms, received_ns=1)


def opens(closed: list[CandleClosed]) -> list[int]:
    return [one.candle.open_ms for one in closed]


def test_a_candle_closes_at_its_end_plus_the_grace_and_not_a_millisecond_before() -> None:
    stream = synced()
    candle = CANDLES[0]
    assert stream.on_update(update(candle, candle.open_ms + 59_000)) == []
    assert stream.on_beat(candle.open_ms + 60_000 + GRACE_MS - 1, 2) == []
    (closed,) = stream.on_beat(candle.open_ms + 60_000 + GRACE_MS, 3)
    assert closed.candle == candle
    assert closed.closed_ms == candle.open_ms + 60_000
    assert closed.correlation_id == f"tBTCUSD:1m:{candle.open_ms}"
    assert (closed.catch_up, closed.received_ns) == (False, 3)
    assert stream.on_beat(candle.open_ms + 90_000, 4) == []


def test_the_last_word_within_the_grace_counts() -> None:
    stream = synced()
    candle = CANDLES[0]
    finished = msgspec.structs.replace(candle, close=candle.close + 1, high=candle.high + 1)
    stream.on_update(update(candle, candle.open_ms + 59_000))
    stream.on_update(update(finished, candle.open_ms + 60_200))
    (closed,) = stream.on_beat(candle.open_ms + 61_000, 1)
    assert closed.candle == finished


def test_the_frame_that_closes_a_candle_may_also_be_the_one_that_finished_it() -> None:
    stream = synced()
    candle = CANDLES[0]
    stream.on_update(update(msgspec.structs.replace(candle, close=1.0), candle.open_ms + 1_000))
    (closed,) = stream.on_update(update(candle, candle.open_ms + 60_700))
    assert closed.candle == candle


def test_a_change_after_it_was_told_is_counted_and_shown_but_not_told() -> None:
    stream = synced()
    candle = CANDLES[0]
    stream.on_update(update(candle, candle.open_ms + 59_000))
    stream.on_beat(candle.open_ms + 61_000, 1)
    late = msgspec.structs.replace(candle, volume=candle.volume + 1)
    assert stream.on_update(update(late, candle.open_ms + 62_000)) == []
    assert stream.corrections == 1
    assert stream.view().candles == (late,)
    stream.on_update(update(late, candle.open_ms + 62_500))
    assert stream.corrections == 1


def test_without_stamps_only_a_candle_two_further_closes_one_and_it_never_trades() -> None:
    stream = synced()
    closed: list[CandleClosed] = []
    for candle in CANDLES[:4]:
        closed += stream.on_update(update(candle, 0))
    assert opens(closed) == opens([*closed]) == [candle.open_ms for candle in CANDLES[:2]]
    assert all(one.catch_up for one in closed)


def test_a_candle_told_long_after_its_end_is_history() -> None:
    stream = synced()
    candle = CANDLES[0]
    stream.on_update(update(candle, candle.open_ms + 59_000))
    (closed,) = stream.on_beat(candle.open_ms + 60_000 + 30_001, 1)
    assert closed.catch_up


def test_nothing_closes_between_a_lost_line_and_the_next_snapshot() -> None:
    stream = synced()
    stream.on_update(update(CANDLES[0], CANDLES[0].open_ms + 59_000))
    stream.on_down()
    assert stream.on_beat(CANDLES[0].open_ms + 61_000, 1) == []
    stream.on_up()
    assert stream.on_update(update(CANDLES[1], CANDLES[1].open_ms + 30_000)) == []
    closed = stream.on_snapshot(snapshot(CANDLES[:2], CANDLES[1].open_ms + 31_000))
    assert opens(closed) == [CANDLES[0].open_ms]


@given(data=st.data())
def test_what_was_made_ready_for_a_candle_about_to_close_is_what_is_told(data: st.DataObject) -> None:
    """However late it closes, and whatever it becomes behind the look ahead."""
    seen, blind = synced(), synced()
    for candle in CANDLES[:10]:
        for stream in (seen, blind):
            stream.on_update(update(candle, candle.open_ms + 50_000))
        if data.draw(st.booleans()):
            seen.look_ahead(candle)
        if data.draw(st.booleans()):
            last = msgspec.structs.replace(candle, volume=candle.volume + 1)
            for stream in (seen, blind):
                stream.on_update(update(last, candle.open_ms + 59_500))
        at_ms = candle.open_ms + 60_000 + data.draw(st.sampled_from((0, GRACE_MS, 20_000, 30_001, 70_000)))
        assert seen.on_beat(at_ms, 7) == blind.on_beat(at_ms, 7)
    assert seen.view() == blind.view()


def test_history_before_the_told_mark_is_kept_for_readers_and_not_told() -> None:
    stream = a_stream(told_until_ms=CANDLES[29].open_ms)
    closed = stream.on_snapshot(snapshot(CANDLES[:40], CANDLES[39].open_ms + GRACE_MS))
    assert opens(closed) == [candle.open_ms for candle in CANDLES[30:39]]
    assert stream.view().candles == CANDLES[:39]
    assert stream.corrections == 0


def test_the_ring_keeps_the_newest_only() -> None:
    stream = synced(history=10)
    for candle in CANDLES:
        stream.on_update(update(candle, candle.open_ms + 59_000))
    stream.on_beat(CANDLES[-1].open_ms + 61_000, 1)
    assert stream.view().candles == CANDLES[-10:]


def test_a_hole_that_can_be_filled_stops_the_stream_until_it_is() -> None:
    stream = synced()
    stream.refillable = True
    stream.on_update(update(CANDLES[0], CANDLES[0].open_ms + 61_000))
    assert stream.on_snapshot(snapshot(CANDLES[20:30], CANDLES[29].open_ms + 61_000)) == []
    assert stream.wanted is not None
    assert stream.on_beat(CANDLES[29].open_ms + 62_000, 1) == []
    answer = snapshot(CANDLES[1:20], 0, covers_from_ms=stream.wanted.first_open_ms)
    assert opens(stream.on_snapshot(answer)) == [candle.open_ms for candle in CANDLES[1:30]]
    assert stream.view().wanted is None
    assert stream.holes == 0


def test_what_was_forming_when_the_line_broke_is_asked_for_with_the_hole() -> None:
    stream = synced()
    stream.refillable = True
    stream.on_update(update(CANDLES[0], CANDLES[0].open_ms + 61_000))
    forming = msgspec.structs.replace(CANDLES[1], close=CANDLES[1].open, volume=0.1)
    stream.on_update(update(forming, CANDLES[1].open_ms + 2_000))
    stream.on_down()
    stream.on_up()
    assert stream.on_snapshot(snapshot(CANDLES[20:30], CANDLES[29].open_ms + 61_000)) == []
    assert stream.wanted is not None
    assert (stream.wanted.first_open_ms, stream.wanted.last_open_ms) == (CANDLES[1].open_ms, CANDLES[19].open_ms)
    # Again, before there is an answer: what the first one told last was forming, too.
    first = stream.wanted
    stream.on_up()
    assert stream.on_snapshot(snapshot(CANDLES[40:50], CANDLES[49].open_ms + 61_000)) == []
    assert stream.wanted is not None
    assert (stream.wanted.first_open_ms, stream.wanted.last_open_ms) == (CANDLES[1].open_ms, CANDLES[39].open_ms)
    late = snapshot(CANDLES[1:20], 0, covers_from_ms=first.first_open_ms, covers_to_ms=first.last_open_ms)
    assert stream.on_snapshot(late) == []
    assert stream.wanted.last_open_ms == CANDLES[39].open_ms
    answer = snapshot(CANDLES[1:40], 0, covers_from_ms=first.first_open_ms, covers_to_ms=stream.wanted.last_open_ms)
    told = stream.on_snapshot(answer)
    assert [one.candle for one in told] == list(CANDLES[1:50])
    assert stream.holes == 0


def test_whoever_was_away_for_a_season_goes_on_with_what_there_is() -> None:
    stream = a_stream(refillable=True, told_until_ms=CANDLES[0].open_ms - 60_000 * (LARGEST_HOLE + 2))
    assert len(stream.on_snapshot(snapshot(CANDLES[:30], CANDLES[29].open_ms + 61_000))) == 30
    assert (stream.wanted, stream.holes) == (None, 1)
    stream = a_stream(refillable=True, told_until_ms=CANDLES[0].open_ms - 60_000 * (LARGEST_HOLE + 1))
    assert stream.on_snapshot(snapshot(CANDLES[:30], CANDLES[29].open_ms + 61_000)) == []
    assert stream.wanted is not None


def test_a_hole_that_cannot_be_filled_is_counted() -> None:
    stream = synced()
    stream.on_update(update(CANDLES[0], CANDLES[0].open_ms + 61_000))
    stream.on_snapshot(snapshot(CANDLES[20:30], CANDLES[29].open_ms + 61_000))
    assert stream.holes == 1


@pytest.mark.parametrize("recording", RECORDINGS)
def test_minutes_without_a_trade_are_no_holes(recording: str) -> None:
    stream = a_stream()
    candles = recorded_candles(recording)
    stream.on_snapshot(snapshot((), candles[0].open_ms))
    closed: list[CandleClosed] = []
    for candle in candles:
        closed += stream.on_update(update(candle, candle.open_ms + 59_000))
        closed += stream.on_beat(candle.open_ms + 61_000, 1)
    assert [one.candle for one in closed] == list(candles)
    assert stream.holes == 0
    assert not any(one.catch_up for one in closed)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_however_the_line_breaks_every_candle_is_told_once_in_order_as_it_ended(data: st.DataObject) -> None:
    """Cut the line anywhere, deliver anything twice, restore from the published view at any moment."""
    stream = a_stream()
    stream.on_snapshot(snapshot((), HOLED[0].open_ms))
    told: list[Candle] = []
    candles = HOLED[: data.draw(st.integers(1, 60))]
    for place, candle in enumerate(candles):
        now_ms = candle.open_ms + 59_000
        what = data.draw(st.sampled_from(("live", "live", "live", "lost", "twice", "restored")))
        if what == "restored":
            stream = CandleStream.restored(
                stream.view(), grace_ms=GRACE_MS, late_after_ms=30_000, history=1000, refillable=False
            )
        if what == "lost":
            stream.on_down()
            continue
        if not stream.synced:
            stream.on_up()
            told += [
                one.candle for one in stream.on_snapshot(snapshot(candles[max(0, place - 70) : place + 1], now_ms))
            ]
        for _ in range(2 if what == "twice" else 1):
            told += [one.candle for one in stream.on_update(update(candle, now_ms))]
            told += [one.candle for one in stream.on_beat(candle.open_ms + 61_000, 1)]
    stream.on_up()
    told += [one.candle for one in stream.on_snapshot(snapshot(candles, candles[-1].open_ms + 61_000))]
    assert told == list(candles)


# --- bigger candles -----------------------------------------------------------------------------------------------


def test_bigger_candles_by_hand() -> None:
    five = aggregate(CANDLES[:7], "5m")
    first = CANDLES[:5]
    assert five[0] == Candle(
        symbol=BTC,
        timeframe="5m",
        open_ms=first[0].open_ms,
        open=first[0].open,
        high=max(candle.high for candle in first),
        low=min(candle.low for candle in first),
        close=first[-1].close,
        volume=sum(candle.volume for candle in first),
    )
    assert len(five) == 2


@pytest.mark.parametrize("timeframe", ["5m", "15m", "1h"])
def test_bigger_candles_of_bigger_candles_are_the_same_but_for_rounding_of_volume(timeframe: str) -> None:
    direct = aggregate(HOLED, timeframe)
    stepped = aggregate(aggregate(HOLED, "5m"), timeframe)
    assert [msgspec.structs.replace(one, volume=0.0) for one in direct] == [
        msgspec.structs.replace(one, volume=0.0) for one in stepped
    ]
    for one, other in zip(direct, stepped, strict=True):
        assert one.volume == pytest.approx(other.volume)


def test_buckets_begin_on_whole_units_and_weeks_on_monday() -> None:
    for timeframe, length_ms in TIMEFRAME_MS.items():
        start = bucket_open(1_517_832_123_456, timeframe)
        assert start <= 1_517_832_123_456 < start + length_ms
        assert bucket_open(start, timeframe) == start
    # 2018-02-05 was a Monday.
    assert bucket_open(1_517_832_123_456, "1W") == 1_517_788_800_000


def test_candles_that_go_back_in_time_are_refused() -> None:
    with pytest.raises(ValueError, match="candles must ascend"):
        aggregate([CANDLES[6], CANDLES[0]], "5m")


def test_a_replayed_stream_closes_what_aggregation_gives() -> None:
    rows = [CandleRow(one.open_ms, one.open, one.close, one.high, one.low, one.volume) for one in HOLED]
    (stream,) = replayed_streams([(BTC, "5m")], grace_ms=GRACE_MS, late_after_ms=30_000)
    first_ms = rows[100].open_ms
    closed = stream.tell_history(rows[:100], first_ms)
    by_minute = {row.open_ms: row for row in rows[100:]}
    for minute_ms in range(first_ms, rows[-1].open_ms + 60_000, 60_000):
        closed += stream.on_boundary(minute_ms + 1_000)
        if minute_ms in by_minute:
            closed += stream.on_minute(by_minute[minute_ms], minute_ms + 59_000)
    last_ms = rows[-1].open_ms + 61_000
    closed += stream.on_boundary(last_ms)
    expected = [candle for candle in aggregate(HOLED, "5m") if candle.open_ms + 300_500 <= last_ms]
    assert [one.candle for one in closed] == expected
    # What ended with the last minute before the start closes at the first boundary, alive.
    assert {one.catch_up for one in closed if one.closed_ms < first_ms} <= {True}
    assert not any(one.catch_up for one in closed if one.closed_ms >= first_ms)


# --- the book of all streams --------------------------------------------------------------------------------------


def test_a_market_book_has_a_way_in_for_each_kind_of_event() -> None:
    assert set(WAY_IN) == set(get_args(MarketEvent))


def test_a_book_made_of_its_own_view_goes_on_where_it_was() -> None:
    book = MarketBook(Settings())
    events = [snapshot((), CANDLES[0].open_ms)]
    for candle in CANDLES:
        events += [update(candle, candle.open_ms + 59_000)]  # type: ignore[list-item]
        events += [_beat(candle.open_ms + 61_000)]  # type: ignore[list-item]
    expected = list(itertools.chain.from_iterable(book.on_event(event) for event in events))
    for cut in range(0, len(events), 7):
        first = MarketBook(Settings())
        told = list(itertools.chain.from_iterable(first.on_event(event) for event in events[:cut]))
        second = MarketBook(Settings(), view=first.view(()))
        # The batch in hand comes again: three events twice.
        told += itertools.chain.from_iterable(second.on_event(event) for event in events[max(0, cut - 3) :])
        unique = {one.candle.open_ms: one for one in told}
        assert list(unique.values()) == expected
        assert second.view(()).series == book.view(()).series


def test_unknown_time_frames_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="time frame must be one of 1m, 5m"):
        MarketBook(Settings()).on_event(
            StreamUp(stream="candles", symbol=BTC, timeframe="7m", session=1, received_ns=1)
        )


def test_a_line_lost_before_it_spoke_is_no_trouble() -> None:
    book = MarketBook(Settings(), view=EMPTY_MARKET)
    down = StreamDown(stream="ticker", symbol=BTC, timeframe="", session=1, reason="gone", received_ns=1)
    assert book.on_event(down) == []
    assert book.freshness(5) == ()


def _beat(venue_ms: int) -> StreamBeat:
    return StreamBeat(stream="candles", symbol=BTC, timeframe="1m", venue_ms=venue_ms, received_ns=1)


@pytest.mark.parametrize(("series", "room"), [(0, 5000), (12, 5000), (80, 5000), (600, 666), (5000, FEWEST_KEPT)])
def test_many_series_share_the_room_that_few_have_for_themselves(series: int, room: int) -> None:
    assert room_for_each(series, 5000) == room
    assert series * room <= max(KEPT_TOGETHER, series * FEWEST_KEPT)


def test_what_a_strategy_trades_keeps_its_whole_history_among_many() -> None:
    symbols = (BTC, *(Symbol(f"t{chr(65 + number // 26)}{chr(65 + number % 26)}QUSD") for number in range(199)))
    settings = Settings(
        market=MarketSettings(symbols=symbols, timeframes=("1m", "5m", "1h"), candle_history=700),
        strategies=(StrategySettings(name="s", kind="ema_cross", symbol=BTC, timeframe="1m"),),
    )
    book = MarketBook(settings)
    for number in range(710):
        for symbol in symbols[:2]:
            row = msgspec.structs.replace(CANDLES[0], symbol=symbol, open_ms=CANDLES[0].open_ms + number * 60_000)
            book.on_event(snapshot_of(row))
    kept = {symbol: len(book.view(()).series[f"{symbol}:1m"].candles) for symbol in symbols[:2]}
    assert kept == {BTC: 700, symbols[1]: 666}


def snapshot_of(candle: Candle) -> CandleSnapshot:
    """One candle that is over."""
    return CandleSnapshot(
        symbol=candle.symbol,
        timeframe=candle.timeframe,
        candles=(candle,),
        venue_ms=candle.open_ms + 61_000,
        received_ns=1,
    )
