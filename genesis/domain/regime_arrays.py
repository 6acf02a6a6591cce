"""Regimes over whole arrays of candles: the same step, in a loop that is compiled when it is worth it."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from genesis.domain.indicators.compiling import can_compile, compiled
from genesis.domain.regime import NAMES, OUTPUTS, UNKNOWN, WINDOW, regime_start, regime_step
from protocols.regime import RegimeName

COMPILE_FROM: Final = 50_000


def regimes_over(
    rows: npt.NDArray[np.float64], *, window: int = WINDOW, compile: bool | None = None
) -> npt.NDArray[Any]:
    """float64[n, 5] of `OUTPUTS` for float64[n, 6] rows [open_ms, open, high, low, close, volume], oldest first.

    Compiled when numba is there and the array is long enough to be worth it, unless told otherwise.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    out = np.full((len(rows), len(OUTPUTS)), np.nan)
    if len(rows) >= COMPILE_FROM and can_compile() if compile is None else compile:
        compiled(_loop)(compiled(regime_step), np.array(regime_start(window)), rows, out)
        return out
    _loop(regime_step, regime_start(window), rows.tolist(), out)
    return out


def _loop(step: Any, state: Any, rows: Any, out: Any) -> None:
    for place in range(len(rows)):
        row = rows[place]
        code, drift, adx, ratio, fall = step(state, 0, row[2], row[3], row[4])
        out[place, 0] = code
        out[place, 1] = drift
        out[place, 2] = adx
        out[place, 3] = ratio
        out[place, 4] = fall


def replay_regimes(
    rows: npt.NDArray[np.float64], *, window: int = WINDOW
) -> tuple[npt.NDArray[np.float64], dict[RegimeName, float]]:
    """The codes over an array, and the part of the known bars that each regime took."""
    codes = regimes_over(rows, window=window)[:, 0]
    known = codes[codes != UNKNOWN]
    shares = {name: float(np.mean(known == code)) if len(known) else 0.0 for code, name in enumerate(NAMES) if code}
    return codes, shares
