"""Indicators: TA-Lib's numbers on real crashes, and one definition that gives the same bits however it is run."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain.indicators.averages import State, ema_start, ema_step, sma_start, sma_step
from genesis.domain.indicators.catalog import (
    CLOSE,
    COLUMNS,
    HIGH,
    INDICATORS,
    LOW,
    OPEN,
    TIME,
    VOLUME,
    Floats,
    Indicator,
    LiveIndicator,
    candle_rows,
    run_over,
)
from genesis.domain.indicators.compiling import can_compile, compiled
from genesis.domain.indicators.lanes import ATR_LANES, PART
from protocols.market import Candle
from protocols.units import Symbol
from tests.recorded_candles import CRASH_2018, RECORDINGS, recorded_candles, recorded_rows

ALL = sorted(INDICATORS)
SMALL = {
    "period": 5,
    "fast": 3,
    "slow": 6,
    "signal": 3,
    "slowing": 2,
    "atr_period": 4,
}
"""Short periods, so that a few candles warm everything up."""

TALIB = {
    "sma_20": ("sma", {"period": 20}, 0),
    "ema_12": ("ema", {"period": 12}, 0),
    "ema_26": ("ema", {"period": 26}, 0),
    "ema_200": ("ema", {"period": 200}, 0),
    "rsi_14": ("rsi", {}, 0),
    "trange": ("true_range", {}, 0),
    "atr_14": ("atr", {}, 0),
    "adx_14": ("adx", {}, 0),
    "plus_di_14": ("adx", {}, 1),
    "minus_di_14": ("adx", {}, 2),
    "macd_12_26_9": ("macd", {}, 0),
    "macd_signal": ("macd", {}, 1),
    "macd_hist": ("macd", {}, 2),
    "bb_upper_20_2": ("bollinger", {}, 0),
    "bb_middle_20_2": ("bollinger", {}, 1),
    "bb_lower_20_2": ("bollinger", {}, 2),
}


def small(indicator: Indicator) -> dict[str, float]:
    return {name: SMALL[name] for name in indicator.defaults if name in SMALL}


def same_bits(one: Floats, other: Floats) -> bool:
    return bool(np.array_equal(one.view(np.int64), other.view(np.int64)) or np.array_equal(one, other, equal_nan=True))


@pytest.mark.skipif(not can_compile(), reason="lanes are for compiled code")
@pytest.mark.parametrize("name", ["ema", "atr"])
@pytest.mark.parametrize(("period", "size"), [(1, 9_003), (3, 9_003), (14, 9_003), (14, 2 * ATR_LANES * PART + 9_003)])
def test_lanes_give_the_bits_of_one_bar_after_another(name: str, period: int, size: int) -> None:
    chance = np.random.default_rng(period)
    close = 100.0 + np.cumsum(chance.normal(0, 0.1, size))
    rows = np.column_stack([np.arange(len(close)) * 60_000.0, close, close + 0.3, close - chance.random(size), close])
    rows = np.column_stack([rows, np.ones(len(close))])
    # What is not forgotten by the time a lane begins: its first value is wrong, and must be found out.
    unforgotten = rows.copy()
    unforgotten[1_000, [HIGH, CLOSE]] = 1e300
    for case in (rows, unforgotten):
        one_by_one = run_over(INDICATORS[name], case, compile=False, period=period)
        assert same_bits(run_over(INDICATORS[name], case, compile=True, period=period), one_by_one)
    for broken in (0, 4_000, -1):
        case = rows.copy()
        case[broken, CLOSE] = np.inf
        one_by_one = run_over(INDICATORS[name], case, compile=False, period=period)
        assert same_bits(run_over(INDICATORS[name], case, compile=True, period=period), one_by_one)


@pytest.mark.parametrize("recording", RECORDINGS)
@pytest.mark.parametrize("column", sorted(TALIB))
def test_equals_talib_from_its_first_value_on(recording: str, column: str) -> None:
    name, parameters, output = TALIB[column]
    ours = run_over(INDICATORS[name], candle_rows(recorded_candles(recording)), compile=False, **parameters)[:, output]
    for place, row in enumerate(recorded_rows(recording)):
        if row[column] == "":
            assert math.isnan(ours[place]), f"row {place} must not be known yet"
        else:
            assert abs(ours[place] - float(row[column])) < 1e-9, f"row {place}"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("recording", RECORDINGS)
def test_live_batch_and_compiled_give_the_same_bits_on_real_candles(name: str, recording: str) -> None:
    indicator = INDICATORS[name]
    candles = recorded_candles(recording)
    live = LiveIndicator.of(indicator)
    per_candle = np.array([live.on_candle(candle) for candle in candles])
    rows = candle_rows(candles)
    assert same_bits(per_candle, run_over(indicator, rows, compile=False))
    if can_compile():
        assert same_bits(per_candle, run_over(indicator, rows, compile=True))


@pytest.mark.parametrize("name", ALL)
def test_is_known_from_the_bar_it_says_and_not_before(name: str) -> None:
    indicator = INDICATORS[name]
    for parameters in ({}, small(indicator)):
        first = indicator.first(**indicator.resolve(parameters))
        found = run_over(indicator, candle_rows(recorded_candles()), compile=False, **parameters)
        known = np.isfinite(found.sum(axis=1))
        assert known[first:].all()
        assert not known[:first].any()


@pytest.mark.parametrize("name", ALL)
def test_a_state_written_down_and_read_back_goes_on_the_same(name: str) -> None:
    indicator = INDICATORS[name]
    candles = recorded_candles()[:300]
    whole = LiveIndicator.of(indicator)
    expected = [whole.on_candle(candle) for candle in candles]
    first = LiveIndicator.of(indicator)
    for candle in candles[:137]:
        first.on_candle(candle)
    second = LiveIndicator(indicator, [float(repr(number)) for number in first.state])
    found = [second.on_candle(candle) for candle in candles[137:]]
    assert same_bits(np.array(found), np.array(expected[137:]))


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=25, deadline=None)
@given(cut=st.integers(0, 400), noise=st.floats(0.1, 10.0))
def test_what_follows_changes_nothing_before(name: str, cut: int, noise: float) -> None:
    indicator = INDICATORS[name]
    rows = candle_rows(recorded_candles()[:400])
    other = rows.copy()
    other[cut:, OPEN:VOLUME] *= noise
    whole = run_over(indicator, rows, compile=False, **small(indicator))
    changed = run_over(indicator, other, compile=False, **small(indicator))
    assert same_bits(whole[:cut].copy(), changed[:cut].copy())


@pytest.mark.parametrize("name", ALL)
def test_a_bar_with_a_broken_number_is_as_if_it_had_never_been(name: str) -> None:
    indicator = INDICATORS[name]
    rows = candle_rows(recorded_candles()[:200])
    clean = run_over(indicator, rows, compile=False, **small(indicator))
    for broken in (math.nan, math.inf, -math.inf):
        dirty = np.insert(rows, [50, 51, 120], np.full(COLUMNS, broken), axis=0)
        for compile in (False, True) if can_compile() else (False,):
            found = run_over(indicator, dirty, compile=compile, **small(indicator))
            assert np.isnan(found[[50, 52, 122]]).all()
            assert same_bits(np.delete(found, [50, 52, 122], axis=0), clean)


@pytest.mark.parametrize("name", ALL)
def test_no_bars_give_no_values_and_one_bar_only_what_needs_no_second(name: str) -> None:
    indicator = INDICATORS[name]
    assert run_over(indicator, np.empty((0, COLUMNS)), compile=False).shape == (0, len(indicator.outputs))
    one = run_over(indicator, candle_rows(recorded_candles()[:1]), compile=False)
    assert np.isnan(one).all() == (indicator.first(**indicator.resolve({})) > 0)


FLAT = {
    "sma": (100.0,),
    "ema": (100.0,),
    "wma": (100.0,),
    "rsi": (50.0,),
    "true_range": (0.0,),
    "atr": (0.0,),
    "macd": (0.0, 0.0, 0.0),
    "bollinger": (100.0, 100.0, 100.0),
    "stochastic": (50.0, 50.0),
    "donchian": (100.0, 100.0, 100.0),
    "keltner": (100.0, 100.0, 100.0),
    "obv": (1.0,),
    "vwap": (100.0,),
    "realised_volatility": (0.0,),
    "zscore": (0.0,),
}


@pytest.mark.parametrize("name", sorted(FLAT))
def test_a_market_that_does_not_move_gives_calm_numbers(name: str) -> None:
    rows = np.zeros((200, COLUMNS))
    rows[:, [OPEN, HIGH, LOW, CLOSE]] = 100.0
    rows[:, TIME] = np.arange(200) * 60_000
    rows[0, VOLUME] = 1.0
    found = run_over(INDICATORS[name], rows, compile=False)
    assert tuple(found[-1]) == FLAT[name]


def test_a_market_that_does_not_move_has_no_direction_and_its_adx_is_never_known() -> None:
    rows = np.full((200, COLUMNS), 100.0)
    adx, plus, minus = run_over(INDICATORS["adx"], rows, compile=False)[-1]
    assert math.isnan(adx)
    assert (plus, minus) == (0.0, 0.0)


@settings(max_examples=60, deadline=None)
@given(
    closes=st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=120),
    period=st.integers(1, 20),
)
def test_window_means_and_bands_equal_the_whole_sum_at_any_prices(closes: list[float], period: int) -> None:
    rows = np.zeros((len(closes), COLUMNS))
    rows[:, CLOSE] = closes
    means = run_over(INDICATORS["sma"], rows, compile=False, period=period)[:, 0]
    bands = run_over(INDICATORS["bollinger"], rows, compile=False, period=period, width=1.0)
    largest = max(closes)
    for place in range(period - 1, len(closes)):
        window = closes[place - period + 1 : place + 1]
        mean = math.fsum(window) / period
        deviation = math.sqrt(math.fsum((close - mean) ** 2 for close in window) / period)
        assert abs(means[place] - mean) <= 1e-9 * largest
        # Squares of what left the window within this round may leave their rounding behind.
        assert abs(bands[place, 0] - mean - deviation) <= 3e-7 * largest


def test_an_average_does_not_drift_over_months() -> None:
    state = sma_start(20)
    prices = [100.0 + math.sin(place) * 1e-6 for place in range(200_000)]
    for price in prices:
        found = sma_step(state, 0, price)
    assert abs(found - math.fsum(prices[-20:]) / 20) < 1e-13


def test_weighted_average_by_hand() -> None:
    live = LiveIndicator.of(INDICATORS["wma"], period=3)
    values = [live.on_candle(_candle(place, close))[0] for place, close in enumerate((1.0, 2.0, 4.0, 8.0))]
    assert math.isnan(values[1])
    assert values[2:] == pytest.approx([(1 * 1 + 2 * 2 + 4 * 3) / 6, (2 * 1 + 4 * 2 + 8 * 3) / 6], rel=1e-15)


def test_the_day_of_vwap_begins_at_midnight_utc() -> None:
    live = LiveIndicator.of(INDICATORS["vwap"])
    day = 86_400_000
    assert live.on_candle(_candle_at(day - 60_000, 10.0, 5.0)) == (10.0,)
    assert live.on_candle(_candle_at(day, 20.0, 1.0)) == (20.0,)
    assert live.on_candle(_candle_at(day + 60_000, 30.0, 3.0)) == (27.5,)


def test_on_balance_volume_by_hand() -> None:
    live = LiveIndicator.of(INDICATORS["obv"])
    closes = (1.0, 2.0, 2.0, 1.5)
    found = [live.on_candle(_candle_at(place, close, 10.0))[0] for place, close in enumerate(closes)]
    assert found == [10.0, 20.0, 20.0, 10.0]


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("sma", {"period": 0}, "period must be at least 1, was 0"),
        ("ema", {"period": 2.5}, "ema.period must be a whole number, was 2.5"),
        ("rsi", {"length": 14}, "parameters of rsi must be among: period; was length"),
        ("macd", {"fast": 30}, "fast must be below slow"),
        ("obv", {"period": 3}, "must be among: none"),
    ],
)
def test_wrong_parameters_are_refused_in_words(name: str, parameters: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        run_over(INDICATORS[name], candle_rows(recorded_candles(CRASH_2018)[:5]), compile=False, **parameters)


def _two_averages(state: State, x: float) -> float:
    return ema_step(state, 0, x) - ema_step(state, 3, x)


@pytest.mark.skipif(not can_compile(), reason="nothing to compile with")
def test_a_step_is_compiled_once_wherever_it_stands_in_a_state() -> None:
    made = compiled(_two_averages)
    numbers = [*ema_start(2), *ema_start(5)]
    array = np.array(numbers)
    for x in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0):
        told, plain = made(array, x), _two_averages(numbers, x)
    assert told == plain
    assert len(made.py_func.__globals__["ema_step"].signatures) == 1


def _candle(place: int, close: float) -> Candle:
    return _candle_at(place * 60_000, close, 1.0)


def _candle_at(open_ms: int, price: float, volume: float) -> Candle:
    return Candle(
        symbol=Symbol("tBTCUSD"),
        timeframe="1m",
        open_ms=open_ms,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=volume,
    )
