"""How much price moved: realised volatility of log returns."""

import math

from genesis.domain.indicators.averages import State, window_push, window_start


def realised_volatility_start(period: int) -> list[float]:
    """[previous close] [window of squared log returns]"""
    return [math.nan, *window_start(period)]


def realised_volatility_step(state: State, at: int, close: float) -> float:
    """Root mean square of the last `period` log returns, per bar (not annualised, no mean taken off)."""
    previous = state[at]
    state[at] = close
    if previous != previous or previous <= 0.0 or close <= 0.0:
        return math.nan
    change = math.log(close / previous)
    if not window_push(state, at + 1, change * change):
        return math.nan
    window = at + 1
    mean = state[window + 3] + state[window + 4] / state[window]
    return math.sqrt(mean) if mean > 0.0 else 0.0
