"""What volume says: on-balance volume, and the volume-weighted average price of the day."""

import math

from genesis.domain.indicators.averages import State

DAY_MS = 86_400_000.0


def obv_start() -> list[float]:
    """[previous close, sum]"""
    return [math.nan, 0.0]


def obv_step(state: State, at: int, close: float, volume: float) -> float:
    """Volume added on a rise and taken off on a fall; begins with the first bar's volume, as in TA-Lib."""
    previous = state[at]
    state[at] = close
    if previous != previous or close > previous:
        state[at + 1] += volume
    elif close < previous:
        state[at + 1] -= volume
    return state[at + 1]


def vwap_start() -> list[float]:
    """[day, sum of typical price times volume, sum of volume]"""
    return [math.nan, 0.0, 0.0]


def vwap_step(state: State, at: int, open_ms: float, high: float, low: float, close: float, volume: float) -> float:
    """Average typical price since the UTC day began, weighted by volume; the typical price while nothing traded."""
    day = math.floor(open_ms / DAY_MS)
    if state[at] != day:
        state[at] = float(day)
        state[at + 1] = 0.0
        state[at + 2] = 0.0
    typical = (high + low + close) / 3.0
    state[at + 1] += typical * volume
    state[at + 2] += volume
    return state[at + 1] / state[at + 2] if state[at + 2] > 0.0 else typical
