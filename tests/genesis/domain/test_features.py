"""Features and labels: nothing of later candles is in a feature, and a label is exactly what it says."""

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from genesis.domain.features import (
    BOUND,
    COUNT,
    FEATURES,
    NAMES,
    depth_imbalance,
    features_over,
    features_start,
    features_step,
    flow,
    top_features,
)
from genesis.domain.indicators.catalog import INDICATORS, candle_rows, run_over
from genesis.domain.labels import forward_label, triple_barrier_label
from genesis.domain.resample import resample_rows
from protocols.market import BookLevels, BookTop, TradePrint
from protocols.units import Symbol
from tests.recorded_candles import CRASH_2015, CRASH_2018, recorded_candles

Floats = npt.NDArray[np.float64]
MINUTE = 60_000
ROWS = candle_rows(recorded_candles(CRASH_2018))


@cache
def _features() -> Floats:
    return features_over(ROWS, MINUTE)


def column(name: str) -> Floats:
    found: Floats = _features()[:, NAMES.index(name)]
    return found


def test_features_are_named_once_and_bounded() -> None:
    assert len(set(NAMES)) == COUNT == 20
    assert {feature.source for feature in FEATURES} == {"candles"}
    for recording in (CRASH_2018, CRASH_2015):
        out = features_over(candle_rows(recorded_candles(recording)), MINUTE)
        known = np.asarray(np.isfinite(out).all(axis=1))
        first = int(np.argmax(known))
        assert known[first:].all(), "once known, always known"
        assert first < 240, "a subscription's first snapshot is enough"
        assert np.abs(out[known]).max() <= BOUND


def test_the_future_changes_no_feature() -> None:
    """Truncation: features at a bar are the same whatever follows, also within a longer candle that is forming."""
    whole = features_over(ROWS, MINUTE)
    for cut in (380, 391, 402, 415, 600):
        other = ROWS.copy()
        other[cut:, 1:5] *= 1.5
        other[cut:, 5] *= 7
        changed = features_over(other, MINUTE)
        np.testing.assert_array_equal(changed[:cut], whole[:cut])
        np.testing.assert_array_equal(features_over(ROWS[:cut], MINUTE), whole[:cut])
        assert not np.array_equal(changed[cut], whole[cut]), "and they do look at their own bar"


def test_a_kept_state_goes_on() -> None:
    state, told = features_start(MINUTE), [0.0] * COUNT
    for row in ROWS[:500].tolist():
        features_step(state, 0, told, *row)
    again = [float(repr(number)) for number in state]
    one, two = [0.0] * COUNT, [0.0] * COUNT
    for row in ROWS[500:560].tolist():
        features_step(state, 0, one, *row)
        features_step(again, 0, two, *row)
        assert one == two


def test_features_are_what_their_sentences_say() -> None:
    close = ROWS[:, 4]
    places = np.arange(400, len(ROWS))
    moves = np.log(close[1:] / close[:-1])
    deviation = np.array([np.sqrt(np.mean(moves[place - 48 : place] ** 2)) for place in places])
    np.testing.assert_allclose(column("return_1")[places], moves[places - 1] / deviation, rtol=1e-6)
    four = np.log(close[places] / close[places - 4]) / (2 * deviation)
    np.testing.assert_allclose(column("return_4")[places], four, rtol=1e-6, atol=1e-9)
    twelve = np.log(close[places] / close[places - 12]) / (math.sqrt(12) * deviation)
    np.testing.assert_allclose(column("return_12")[places], twelve, rtol=1e-6, atol=1e-9)
    rsi = run_over(INDICATORS["rsi"], ROWS, compile=False)[:, 0]
    np.testing.assert_allclose(column("rsi")[places], rsi[places] / 50 - 1)


def test_longer_time_frames_count_once_they_are_over() -> None:
    four = resample_rows(ROWS, 4 * MINUTE)
    rsi = run_over(INDICATORS["rsi"], four, compile=False)[:, 0] / 50 - 1
    told = column("middle_rsi")
    for place in range(200, len(ROWS) - 4):
        # The newest candle of four minutes that has ended when this minute has.
        ended = np.searchsorted(four[:, 0] + 4 * MINUTE, ROWS[place, 0] + MINUTE, side="right") - 1
        assert told[place] == pytest.approx(rsi[ended])


def test_book_and_trades() -> None:
    btc = Symbol("tBTCUSD")
    top = BookTop(symbol=btc, bid=99.0, bid_size=3.0, ask=101.0, ask_size=1.0, venue_ms=0, received_ns=0)
    assert top_features(top) == {"spread_bps": pytest.approx(200.0), "imbalance": 0.5}
    assert top_features(BookTop(symbol=btc, bid=0.0, bid_size=0, ask=1, ask_size=1, venue_ms=0, received_ns=0)) == {}
    levels = BookLevels(
        symbol=btc, bids=((99.0, 1.0, 1), (98.0, 2.0, 1)), asks=((101.0, 1.0, 2),), venue_ms=0, received_ns=0
    )
    assert depth_imbalance(levels) == 0.5
    assert depth_imbalance(BookLevels(symbol=btc, bids=(), asks=(), venue_ms=0, received_ns=0)) is None
    prints = [
        TradePrint(symbol=btc, trade_id=n, time_ms=n, amount=amount, price=1.0, venue_ms=0, received_ns=0)
        for n, amount in enumerate((5.0, 1.0, -3.0))
    ]
    assert flow(prints, since_ms=1) == -0.5
    assert flow(prints, since_ms=9) is None


def test_a_forward_label_is_a_move_that_pays_its_costs() -> None:
    close = np.array([100.0, 101.0, 100.0, 103.0, 102.9])
    label = forward_label(close, horizon=2, cost=0.015)
    assert label[:3].tolist() == [0.0, 1.0, 1.0]
    assert np.isnan(label[3:]).all()
    assert np.isnan(forward_label(close, horizon=9, cost=0.0)).all()
    for horizon, cost in ((0, 0.0), (1, -0.1), (1, 1.0)):
        with pytest.raises(ValueError, match="must be"):
            forward_label(close, horizon=horizon, cost=cost)


def test_barriers_are_judged_by_which_was_reached_first() -> None:
    close = np.full(8, 100.0)
    high, low = close + 0.1, close - 0.1
    scale = np.full(8, 0.01)

    def label(**changes: float) -> float:
        highs, lows, closes = high.copy(), low.copy(), close.copy()
        for name, value in changes.items():
            {"h": highs, "l": lows, "c": closes}[name[0]][int(name[1])] = value
        told = triple_barrier_label(highs, lows, closes, scale, horizon=3, width=1.0, cost=0.002)
        return float(told[0])

    assert label(h2=101.2) == 1.0
    assert label(l1=98.9, h2=101.2) == 0.0
    assert label(h1=101.2, l2=98.9) == 1.0
    assert label(h2=101.2, l2=98.9) == 0.0, "a bar that reaches both counts as the stop"
    assert label(h4=101.2) == 0.0, "past the horizon"
    assert label(c3=100.5) == 1.0, "neither was reached: the end decides, after costs"
    assert label(c3=100.1) == 0.0
    told = triple_barrier_label(high, low, close, np.full(8, np.nan), horizon=3, width=1.0, cost=0.002)
    assert np.isnan(told).all()
