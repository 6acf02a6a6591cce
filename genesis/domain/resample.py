"""Longer candles made of shorter ones, bar by bar: how a strategy or feature looks at several time frames at once.

A longer candle is told when it is known to be over: by the last shorter one in it, or, when that one never came
(a minute without a trade has none), by the first one after it. So nothing of a bar is seen before its end.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from genesis.domain.indicators.averages import State

# [base ms, long ms, open stamp of the forming one (NaN: none), open, high, low, close, volume] and the last that ended:
# [open stamp, open, high, low, close, volume, how many have ended]
RESAMPLE_SIZE = 15
_BASE, _LONG, _FORMING, _ENDED, ENDED_TOTAL = 0, 1, 2, 8, 14
# Places of the ended candle's numbers, counted from the state's beginning.
LONG_TIME, LONG_OPEN, LONG_HIGH, LONG_LOW, LONG_CLOSE, LONG_VOLUME = range(8, 14)


def resample_start(base_ms: int, long_ms: int) -> list[float]:
    """Raises ValueError unless the longer time frame is a multiple of the base."""
    if not (0 < base_ms <= long_ms and long_ms % base_ms == 0):
        raise ValueError(f"a longer time frame must be a multiple of {base_ms} ms, was {long_ms} ms")
    return [float(base_ms), float(long_ms), *[math.nan] * 12, 0.0]


def resample_step(
    state: State, at: int, open_ms: float, open: float, high: float, low: float, close: float, volume: float
) -> int:
    """One closed base candle in. How many longer candles ended (0, 1, or 2: an overdue one and this one's).

    With 2 the state holds the newer one; the overdue one is what `resample_overdue` told before.
    """
    ended = resample_overdue(state, at, open_ms)
    bucket = open_ms - open_ms % state[at + _LONG]
    if state[at + _FORMING] != state[at + _FORMING]:
        state[at + _FORMING] = bucket
        state[at + _FORMING + 1] = open
        state[at + _FORMING + 2] = high
        state[at + _FORMING + 3] = low
        state[at + _FORMING + 5] = 0.0
    state[at + _FORMING + 2] = max(high, state[at + _FORMING + 2])
    state[at + _FORMING + 3] = min(low, state[at + _FORMING + 3])
    state[at + _FORMING + 4] = close
    state[at + _FORMING + 5] += volume
    if open_ms + state[at + _BASE] >= bucket + state[at + _LONG]:
        _end(state, at)
        ended += 1
    return ended


def resample_overdue(state: State, at: int, open_ms: float) -> int:
    """1 when the forming candle is shown to be over by one that begins at `open_ms`; it is then the ended one."""
    forming = state[at + _FORMING]
    if forming == forming and open_ms >= forming + state[at + _LONG]:
        _end(state, at)
        return 1
    return 0


def _end(state: State, at: int) -> None:
    for place in range(6):
        state[at + _ENDED + place] = state[at + _FORMING + place]
    state[at + _FORMING] = math.nan
    state[at + ENDED_TOTAL] += 1.0


def resample_rows(rows: npt.NDArray[np.float64], long_ms: int) -> npt.NDArray[Any]:
    """float64[m, 6] of float64[n, 6] rows, oldest first; the last one may lack its end."""
    if not len(rows):
        return rows.reshape(0, 6)
    buckets = (rows[:, 0] // long_ms).astype(np.int64)
    first = np.flatnonzero(np.r_[True, buckets[1:] != buckets[:-1]])
    last = np.r_[first[1:], len(rows)] - 1
    return np.column_stack(
        (
            buckets[first] * float(long_ms),
            rows[first, 1],
            np.maximum.reduceat(rows[:, 2], first),
            np.minimum.reduceat(rows[:, 3], first),
            rows[last, 4],
            np.add.reduceat(rows[:, 5], first),
        )
    )
