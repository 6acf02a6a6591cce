"""Features: named, versioned numbers that a model learns from, made candle by candle and never of what comes after.

They are without unit (price divided by volatility, by a range, or by itself), so that one model can look at years in
which price rose a hundredfold. Three time frames are looked at: the base and candles of 4 and of 12 times its length.
A longer candle counts once it is over. One step makes them all, live and over years.

Book and trades have features of their own. No recording of years holds books, so no model of candles uses them; they
are told live, on the watchlist.
"""

import math
from collections.abc import Sequence
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from genesis.domain.indicators.averages import (
    EMA_SIZE,
    WINDOW_HEAD,
    State,
    ema_start,
    ema_step,
    window_mean,
    window_push,
    window_start,
)
from genesis.domain.indicators.bands import zscore_start, zscore_step
from genesis.domain.indicators.extremes import extremes_push, extremes_start, window_high, window_low
from genesis.domain.indicators.momentum import rsi_start, rsi_step
from genesis.domain.indicators.ranges import ADX_SIZE, ATR_SIZE, adx_start, adx_step, atr_start, atr_step
from genesis.domain.indicators.volatility import realised_volatility_start, realised_volatility_step
from genesis.domain.regime import regime_size, regime_start, regime_step
from genesis.domain.resample import (
    LONG_CLOSE,
    LONG_HIGH,
    LONG_LOW,
    RESAMPLE_SIZE,
    resample_overdue,
    resample_start,
    resample_step,
)
from protocols.market import BookLevels, BookTop, TradePrint

Floats = npt.NDArray[np.float64]
MIDDLE, LONG = 4, 12
"""Lengths of the longer candles, in base candles: with these all is known after about 190 candles, and the venue sends
240 when somebody subscribes."""


@attrs.frozen(kw_only=True)
class Feature:
    """`version` rises when the same candles would give another number. `source` is candles, book or trades."""

    name: str
    version: int
    source: str
    meaning: str


def _candle(name: str, meaning: str, version: int = 1) -> Feature:
    return Feature(name=name, version=version, source="candles", meaning=meaning)


FEATURES: Final = (
    _candle("return_1", "log return of the bar, in deviations of the last 48"),
    _candle("return_4", "log return of 4 bars, in deviations of so many"),
    _candle("return_12", "log return of 12 bars, in deviations of so many"),
    _candle("drift", "log return of 48 bars, in deviations of so many"),
    _candle("rsi", "RSI 14, from -1 to 1"),
    _candle("push", "ADX 14 signed by the directional indicators, from -1 to 1"),
    _candle("gap", "EMA 12 less EMA 26, in average true ranges"),
    _candle("zscore", "deviations of the close from the mean of 20"),
    _candle("place", "place of the close in the range of 48 bars, from -1 to 1"),
    _candle("fall", "fall from the highest close of 48 bars, in usual moves"),
    _candle("volatility", "logarithm of the average true range in multiples of the usual"),
    _candle("burst", "logarithm of the deviation of the last 12 bars against that of 48"),
    _candle("volume", "logarithm of the volume against the mean of 48 bars"),
    _candle("pressure", "volume signed by the bar's direction, averaged over 12, against volume"),
    _candle("body", "close less open, in parts of the bar's range"),
    _candle("middle_rsi", "RSI 14 of candles 4 times as long, from -1 to 1"),
    _candle("middle_push", "signed ADX 14 of candles 4 times as long"),
    _candle("middle_gap", "EMA 12 less EMA 26 of candles 4 times as long, in their ranges"),
    _candle("long_rsi", "RSI 14 of candles 12 times as long, from -1 to 1"),
    _candle("long_gap", "EMA 5 less EMA 15 of candles 12 times as long, in their ranges"),
)
"""In the order of a row. A model names what it was trained on, and is refused where a name or version differs."""
NAMES: Final = tuple(feature.name for feature in FEATURES)
COUNT: Final = len(FEATURES)
BOUND: Final = 10.0
"""No feature is beyond this: one wild bar must not outvote a year."""

# State: [open stamp base] parts in this order, each at a fixed place.
_ATR = 0
_ADX = _ATR + ATR_SIZE
_RSI = _ADX + ADX_SIZE
_RSI_SIZE = 1 + 2 * EMA_SIZE
_FAST = _RSI + _RSI_SIZE
_SLOW = _FAST + EMA_SIZE
_Z = _SLOW + EMA_SIZE
_RANGE = _Z + WINDOW_HEAD + 20
_SHORT = _RANGE + 3 + 2 * 48
_DEVIATION = _SHORT + 1 + WINDOW_HEAD + 12
_VOLUME = _DEVIATION + 1 + WINDOW_HEAD + 48
_SIGNED = _VOLUME + WINDOW_HEAD + 48
_PLAIN = _SIGNED + EMA_SIZE
_CLOSES = _PLAIN + EMA_SIZE
_REGIME = _CLOSES + 13
_MIDDLE = _REGIME + regime_size()
# A longer time frame: [resampler] [ATR] [ADX] [RSI] [fast] [slow] [its last: rsi, push, gap]
_LONG_ATR = RESAMPLE_SIZE
_LONG_ADX = _LONG_ATR + ATR_SIZE
_LONG_RSI = _LONG_ADX + ADX_SIZE
_LONG_FAST = _LONG_RSI + _RSI_SIZE
_LONG_SLOW = _LONG_FAST + EMA_SIZE
_LONG_TOLD = _LONG_SLOW + EMA_SIZE
_LONG_SIZE = _LONG_TOLD + 3
_LONG = _MIDDLE + _LONG_SIZE
FEATURES_SIZE: Final = _LONG + _LONG_SIZE


def features_start(base_ms: int) -> list[float]:
    """A fresh state for candles of that length."""
    state = [
        *atr_start(14),
        *adx_start(14),
        *rsi_start(14),
        *ema_start(12),
        *ema_start(26),
        *zscore_start(20),
        *extremes_start(48),
        *realised_volatility_start(12),
        *realised_volatility_start(48),
        *window_start(48),
        *ema_start(12),
        *ema_start(12),
        # The last 12 closes, and how many have been seen.
        *[math.nan] * 12,
        0.0,
        *regime_start(),
        *_longer_start(base_ms, MIDDLE, 12, 26),
        *_longer_start(base_ms, LONG, 5, 15),
    ]
    assert len(state) == FEATURES_SIZE, len(state)
    return state


def _longer_start(base_ms: int, times: int, fast: int, slow: int) -> list[float]:
    averages = [*atr_start(14), *adx_start(14), *rsi_start(14), *ema_start(fast), *ema_start(slow)]
    return [*resample_start(base_ms, base_ms * times), *averages, math.nan, math.nan, math.nan]


def features_step(
    state: State,
    at: int,
    out: State,
    open_ms: float,
    open_: float,
    high: float,
    low: float,
    close: float,
    volume: float,
) -> float:
    """One closed candle in; `out` gets COUNT numbers. 1 when all are known, else 0 (and NaN among them).

    Inputs must be finite, prices above zero.
    """
    atr = atr_step(state, at + _ATR, high, low, close)
    adx, plus, minus = adx_step(state, at + _ADX, high, low, close)
    rsi = rsi_step(state, at + _RSI, close)
    fast = ema_step(state, at + _FAST, close)
    slow = ema_step(state, at + _SLOW, close)
    z = zscore_step(state, at + _Z, close)
    full = extremes_push(state, at + _RANGE, high, low)
    short = realised_volatility_step(state, at + _SHORT, close)
    deviation = realised_volatility_step(state, at + _DEVIATION, close)
    volume_known = window_push(state, at + _VOLUME, volume)
    signed = ema_step(state, at + _SIGNED, volume if close > open_ else -volume if close < open_ else 0.0)
    plain = ema_step(state, at + _PLAIN, volume)
    code, drift, _, ratio, fall = regime_step(state, at + _REGIME, high, low, close)
    seen = int(state[at + _CLOSES + 12])
    one = state[at + _CLOSES + (seen + 11) % 12]
    four = state[at + _CLOSES + (seen + 8) % 12]
    twelve = state[at + _CLOSES + seen % 12]
    state[at + _CLOSES + seen % 12] = close
    state[at + _CLOSES + 12] = float(seen + 1 if seen < 24 else 13 + seen % 12)
    _longer_step(state, at + _MIDDLE, open_ms, open_, high, low, close, volume)
    _longer_step(state, at + _LONG, open_ms, open_, high, low, close, volume)
    for place in range(COUNT):
        out[place] = math.nan
    if deviation == deviation and twelve == twelve:
        noise = deviation if deviation > 1e-9 else 1e-9
        out[0] = math.log(close / one) / noise
        out[1] = math.log(close / four) / (noise * 2.0)
        out[2] = math.log(close / twelve) / (noise * math.sqrt(12.0))
        out[11] = math.log(max(short, 1e-9) / noise)
    if code > 0.0:
        out[3] = drift
        out[9] = fall
        out[10] = math.log(max(ratio, 1e-6))
    if rsi == rsi:
        out[4] = rsi / 50.0 - 1.0
    if adx == adx:
        out[5] = (adx if plus > minus else -adx) / 100.0
    if atr == atr and slow == slow:
        out[6] = (fast - slow) / atr if atr > 0.0 else 0.0
    out[7] = z
    if full:
        highest = window_high(state, at + _RANGE)
        lowest = window_low(state, at + _RANGE)
        out[8] = 2.0 * (close - lowest) / (highest - lowest) - 1.0 if highest > lowest else 0.0
    if volume_known:
        mean = window_mean(state, at + _VOLUME)
        out[12] = math.log((volume + 1e-9) / mean) if mean > 1e-9 else 0.0
    if plain == plain:
        out[13] = signed / plain if plain > 1e-9 else 0.0
    out[14] = (close - open_) / (high - low) if high > low else 0.0
    out[15] = state[at + _MIDDLE + _LONG_TOLD]
    out[16] = state[at + _MIDDLE + _LONG_TOLD + 1]
    out[17] = state[at + _MIDDLE + _LONG_TOLD + 2]
    out[18] = state[at + _LONG + _LONG_TOLD]
    out[19] = state[at + _LONG + _LONG_TOLD + 2]
    known = 1.0
    for place in range(COUNT):
        number = out[place]
        if number != number:
            known = 0.0
        elif number > BOUND:
            out[place] = BOUND
        elif number < -BOUND:
            out[place] = -BOUND
    return known


def _longer_step(
    state: State, at: int, open_ms: float, open_: float, high: float, low: float, close: float, volume: float
) -> None:
    if resample_overdue(state, at, open_ms):
        _longer_ended(state, at)
    if resample_step(state, at, open_ms, open_, high, low, close, volume):
        _longer_ended(state, at)


def _longer_ended(state: State, at: int) -> None:
    high, low, close = state[at + LONG_HIGH], state[at + LONG_LOW], state[at + LONG_CLOSE]
    atr = atr_step(state, at + _LONG_ATR, high, low, close)
    adx, plus, minus = adx_step(state, at + _LONG_ADX, high, low, close)
    rsi = rsi_step(state, at + _LONG_RSI, close)
    fast = ema_step(state, at + _LONG_FAST, close)
    slow = ema_step(state, at + _LONG_SLOW, close)
    state[at + _LONG_TOLD] = rsi / 50.0 - 1.0
    state[at + _LONG_TOLD + 1] = (adx if plus > minus else -adx) / 100.0
    state[at + _LONG_TOLD + 2] = (fast - slow) / atr if atr > 0.0 else (fast - slow) * 0.0


def features_over(rows: Floats, base_ms: int) -> Floats:
    """float64[n, COUNT] for float64[n, 6] rows [open_ms, open, high, low, close, volume], oldest first.

    NaN until known. About 60 microseconds a row: compiling the step takes as long as half a million rows.
    """
    out = np.empty((len(rows), COUNT))
    state, told = features_start(base_ms), [0.0] * COUNT
    for place, row in enumerate(np.asarray(rows, dtype=np.float64).tolist()):
        features_step(state, 0, told, row[0], row[1], row[2], row[3], row[4], row[5])
        out[place] = told
    return out


# --- book and trades ----------------------------------------------------------------------------------------------

BOOK_FEATURES: Final = (
    Feature(
        name="spread_bps", version=1, source="book", meaning="best ask less best bid, in basis points of their mean"
    ),
    Feature(name="imbalance", version=1, source="book", meaning="size at the best bid against the best ask, -1 to 1"),
    Feature(name="depth_imbalance", version=1, source="book", meaning="size of all known levels, bids against asks"),
    Feature(name="flow", version=1, source="trades", meaning="signed volume of the last trades against their volume"),
)


def top_features(top: BookTop) -> dict[str, float]:
    """`spread_bps` and `imbalance`; empty while one side is missing."""
    if not (top.bid > 0.0 and top.ask > 0.0):
        return {}
    found = {"spread_bps": (top.ask - top.bid) / (0.5 * (top.ask + top.bid)) * 10_000.0}
    depth = abs(top.bid_size) + abs(top.ask_size)
    if depth > 0.0:
        found["imbalance"] = (abs(top.bid_size) - abs(top.ask_size)) / depth
    return found


def depth_imbalance(levels: BookLevels) -> float | None:
    """Of the levels as they are given; None of an empty book."""
    bids, asks = sum(level[1] for level in levels.bids), sum(level[1] for level in levels.asks)
    return (bids - asks) / (bids + asks) if bids + asks > 0.0 else None


def flow(prints: Sequence[TradePrint], *, since_ms: int) -> float | None:
    """Of the trades since then: 1 when takers only bought, -1 when they only sold; None without a trade."""
    amounts = [each.amount for each in prints if each.time_ms >= since_ms]
    total = sum(abs(amount) for amount in amounts)
    return sum(amounts) / total if total > 0.0 else None
