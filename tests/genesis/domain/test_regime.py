"""Regimes: what known shapes are called, that a border does not flicker, that the future changes nothing."""

import itertools
import math
import random
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from genesis.domain.indicators.catalog import candle_rows
from genesis.domain.indicators.compiling import can_compile
from genesis.domain.recording import CandleRecording
from genesis.domain.regime import (
    CRASH,
    HIGH_VOLATILITY,
    NAMES,
    RANGE,
    TREND_DOWN,
    TREND_UP,
    UNKNOWN,
    RegimeWatch,
    regime_start,
    regime_step,
)
from genesis.domain.regime_arrays import regimes_over, replay_regimes
from genesis.domain.resample import resample_rows
from genesis.simulator.recordings import load
from protocols.market import Candle
from protocols.regime import RegimeName
from protocols.units import Symbol
from tests.recorded_candles import CRASH_2015, CRASH_2018, recorded_candles

Rows = npt.NDArray[np.float64]


def a_market(*parts: tuple[int, float, float], seed: int = 7) -> Rows:
    """Bars of a walk from 100: (how many, drift a bar, noise a bar), both as fractions of price."""
    chance = random.Random(seed)
    rows: list[tuple[float, ...]] = []
    price = 100.0
    for count, drift, noise in parts:
        for _ in range(count):
            path = [price]
            for _ in range(6):
                path.append(path[-1] * math.exp(drift / 6 + chance.gauss(0, noise / math.sqrt(6))))
            rows.append((len(rows) * 60_000.0, price, max(path), min(path), path[-1], 1.0))
            price = path[-1]
    return np.array(rows)


def codes(rows: Rows) -> npt.NDArray[np.float64]:
    out: npt.NDArray[np.float64] = regimes_over(rows)[:, 0]
    return out


def test_known_shapes_get_their_names() -> None:
    told = codes(a_market((500, 0, 0.002), (150, 0.0012, 0.002), (300, 0, 0.002), (150, -0.0012, 0.002)))
    assert (told[:49] == UNKNOWN).all()
    assert np.mean(told[100:500] == RANGE) > 0.7
    assert np.mean(told[560:650] == TREND_UP) > 0.9
    assert np.mean(told[1010:1100] == TREND_DOWN) > 0.9


def test_wild_and_crash_are_told_apart_by_where_price_went() -> None:
    wild = codes(a_market((600, 0, 0.002), (80, 0.0004, 0.008), seed=2))
    assert HIGH_VOLATILITY in wild[620:680]
    assert TREND_DOWN not in wild[620:680]
    crash = codes(a_market((600, 0, 0.002), (30, -0.01, 0.006)))
    first = int(np.flatnonzero(crash == CRASH)[0])
    assert 600 < first < 612, "a crash is told within a few bars of its beginning"
    calm_again = codes(a_market((600, 0, 0.002), (30, -0.01, 0.006), (400, 0, 0.002)))
    assert CRASH not in calm_again[720:]


def test_the_crash_of_february_2018_is_a_crash() -> None:
    recording = load("2018-02-crash")
    assert isinstance(recording, CandleRecording)
    symbol = Symbol("tBTCUSD")
    minutes = np.array(
        [
            (row.open_ms, row.open, row.high, row.low, row.close, row.volume)
            for row in (*recording.history[symbol], *recording.rows[symbol])
        ]
    )
    rows = resample_rows(minutes, 5 * 60_000)
    told = codes(rows)
    lows = np.flatnonzero(told == CRASH)
    # 5 February, 19:00 to 23:00 UTC: from 7,800 to 6,400 within hours.
    assert any(1517857200000 <= rows[place, 0] <= 1517871600000 for place in lows)


def test_a_border_does_not_flicker() -> None:
    """Hysteresis and confirmation: regimes last, where the bare thresholds would change every few bars."""
    rows = a_market(*(part for _ in range(12) for part in ((120, 0.0006, 0.002), (120, -0.0003, 0.002))))
    told = codes(rows)
    runs = [(code, len(list(run))) for code, run in itertools.groupby(told[told != UNKNOWN][30:])][1:]
    # Only a crash may cut another one short: it does not wait.
    short = [place for place, (_, length) in enumerate(runs[:-1]) if length < 3 and runs[place + 1][0] != CRASH]
    assert short == []
    assert np.median([length for _, length in runs]) >= 8


@pytest.mark.parametrize("name", [CRASH_2018, CRASH_2015])
@pytest.mark.skipif(not can_compile(), reason="numba is not installed")
def test_compiled_and_plain_say_the_same_bits(name: str) -> None:
    rows = candle_rows(recorded_candles(name))
    np.testing.assert_array_equal(regimes_over(rows, compile=True), regimes_over(rows, compile=False))


def test_the_future_changes_nothing() -> None:
    rows = candle_rows(recorded_candles(CRASH_2018))
    whole = regimes_over(rows, compile=False)
    for cut in (60, 200, 333, 700):
        np.testing.assert_array_equal(regimes_over(rows[:cut], compile=False), whole[:cut])
        other = rows.copy()
        other[cut:, 1:5] *= 3
        np.testing.assert_array_equal(regimes_over(other, compile=False)[:cut], whole[:cut])


def test_a_market_that_never_moves_is_no_error() -> None:
    state = regime_start()
    for _ in range(300):
        code, *numbers = regime_step(state, 0, 5.0, 5.0, 5.0)
        assert all(math.isnan(number) or math.isfinite(number) for number in numbers)
    assert code in (UNKNOWN, RANGE)


def test_a_watch_hears_every_candle_once_and_says_why() -> None:
    candles = [
        Candle(
            symbol=Symbol("tBTCUSD"),
            timeframe="1m",
            open_ms=int(row[0]),
            open=row[1],
            high=row[2],
            low=row[3],
            close=row[4],
            volume=1.0,
        )
        for row in a_market((500, 0, 0.002), (150, 0.0012, 0.002)).tolist()
    ]
    once, twice = RegimeWatch(Symbol("tBTCUSD"), "1m"), RegimeWatch(Symbol("tBTCUSD"), "1m")
    assert once.view().regime is RegimeName.UNKNOWN
    assert once.hear(candles)
    for first in range(0, len(candles), 37):
        twice.hear(candles[max(0, first - 20) : first + 37])
    assert once.view() == twice.view()
    view = once.view()
    assert view.regime is RegimeName.TREND_UP
    assert "went up" in view.reason
    assert view.candle_open_ms == candles[-1].open_ms
    assert candles[500].open_ms <= view.since_ms <= candles[560].open_ms
    assert view.bars == (view.candle_open_ms - view.since_ms) // 60_000 + 1


def test_shares_of_regimes_sum_to_one_and_every_code_has_a_name() -> None:
    _, shares = replay_regimes(a_market((800, 0.0001, 0.003)))
    assert sum(shares.values()) == pytest.approx(1.0)
    assert [name.value for name in NAMES] == [name.value for name in RegimeName]
    with pytest.raises(ValueError, match="at least 2 bars, was 1"):
        regime_start(1)


def test_stretches_cover_every_candle_once_and_tell_what_the_price_did() -> None:
    watch = RegimeWatch(Symbol("tBTCUSD"), "1m")
    candles = recorded_candles()[:1500]
    changes = 0
    for candle in candles:
        changes += watch.hear([candle])
    spells = watch.spells()
    assert len(spells) == changes + 1 > 3
    assert sum(spell.bars for spell in spells) == len(candles)
    assert [spell.running for spell in spells] == [False] * (len(spells) - 1) + [True]
    assert all(one.until_ms < other.since_ms and one.regime is not other.regime for one, other in pairwise(spells))
    whole = 1.0
    for spell in spells:
        whole *= 1 + spell.move
    assert whole == pytest.approx(candles[-1].close / candles[0].open)
    at_once = RegimeWatch(Symbol("tBTCUSD"), "1m")
    at_once.hear(candles)
    assert at_once.spells() == spells
    assert spells[-1].regime is watch.view().regime
    assert spells[-1].since_ms == watch.view().since_ms
