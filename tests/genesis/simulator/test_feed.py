"""A pair's market that goes on for months keeps what is asked for, and no more."""

import random

import pytest

import genesis.simulator.feed as feed_module
from genesis.domain.candles import aggregate
from genesis.domain.replay import MINUTE_MS, CandleRow, forming
from genesis.simulator.book import LEVELS_KEPT, made_up_level, rounded_price
from genesis.simulator.feed import MINUTES_AHEAD, TIMEFRAMES, Feed, bucket_start
from protocols.units import Symbol

BTC = Symbol("tBTCUSD")


def minutes(count: int) -> list[CandleRow]:
    chance = random.Random(1)
    rows = []
    for number in range(count):
        low, high = sorted((chance.uniform(90, 110), chance.uniform(90, 110)))
        rows.append(
            CandleRow(number * MINUTE_MS, chance.uniform(low, high), chance.uniform(low, high), high, low, 1.0 + number)
        )
    return rows


def test_the_day_is_that_of_its_minutes_whenever_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over two days, over silent hours, and while old minutes go."""
    monkeypatch.setattr(feed_module, "KEPT_MINUTES", 2 * 1440 - 200)
    chance = random.Random(2)
    feed, ended = Feed(BTC), list[CandleRow]()
    for number, row in enumerate(minutes(6_000)):
        if 1_000 < number < 1_000 + 90:
            continue
        feed.on_minute(row)
        if chance.random() < 0.2 or number > 5_900:
            told = feed.day()
            day = [each for each in ended if each.open_ms > row.open_ms - 1440 * MINUTE_MS]
            assert told is not None
            assert told.open == (day[0] if day else row).open
            assert told.high == max(each.high for each in (*day, row))
            assert told.low == min(each.low for each in (*day, row))
            assert told.volume == round(sum(each.volume for each in (*day, row)), 8)
        ended.append(row)


def test_old_candles_and_minutes_go_and_the_answers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = minutes(20_000)
    whole = Feed(BTC, rows)
    wanted = {timeframe: list(whole.candles(timeframe)) for timeframe in ("1m", "5m", "1D")}
    assert len(wanted["1m"]) == len(rows)
    monkeypatch.setattr(feed_module, "KEPT_CANDLES", 300)
    bounded = Feed(BTC)
    for row in rows:
        bounded.on_minute(row)
        assert len(bounded.candles("1m")) < 600
    assert len(bounded._opens_ms) < 2 * feed_module.KEPT_MINUTES < len(rows)
    for timeframe, candles in wanted.items():
        assert list(bounded.candles(timeframe))[-60:] == candles[-60:]
    day = [row for row in rows if row.open_ms > rows[-1].open_ms - 1440 * MINUTE_MS]
    told = bounded.day()
    assert told is not None
    assert (told.open, told.high, told.low) == (day[0].open, max(r.high for r in day), min(r.low for r in day))


@pytest.mark.parametrize("seed", range(6))
def test_a_time_frame_that_is_asked_for_seldom_knows_the_same_candles(seed: int) -> None:
    """Bigger candles hear of minutes when somebody asks: never, at each tick, or after days. Minutes may be missing."""
    chance = random.Random(seed)
    rows = [row for row in minutes(2 * MINUTES_AHEAD + chance.randrange(MINUTES_AHEAD)) if chance.random() < 0.9]
    often = {timeframe: chance.choice((0.0, 0.001, 0.05, 1.0)) for timeframe in TIMEFRAMES}
    seldom, always = Feed(BTC), Feed(BTC)
    for row in rows:
        for part in range(4):
            for feed in (seldom, always):
                feed.on_minute(forming(row, part))
            for timeframe in TIMEFRAMES:
                now = always.current(timeframe)
                if chance.random() < often[timeframe] / 4:
                    assert seldom.current(timeframe) == now
    ended = list(seldom.candles("1m"))
    assert [candle.open_ms for candle in ended] == [row.open_ms for row in rows]
    for timeframe in TIMEFRAMES:
        told = list(seldom.candles(timeframe))
        assert told == list(always.candles(timeframe))
        if timeframe not in ("4h", "1M"):
            assert told == aggregate(ended, timeframe)
        assert len({bucket_start(candle.open_ms, timeframe) for candle in told}) == len(told)


def test_prices_that_do_not_come_back_are_forgotten() -> None:
    for number in range(2 * LEVELS_KEPT):
        made_up_level("tBTCUSD", 100 + number / 7, 1)
        rounded_price(100 + number / 7, 4, True)
    for kept in (made_up_level, rounded_price):
        assert kept.cache_info().currsize <= LEVELS_KEPT
