"""What a model shall foresee: whether a move pays for its costs. Labels look ahead on purpose; features never do."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def forward_label(close: Floats, *, horizon: int, cost: float) -> Floats:
    """1 where the log return of the next `horizon` bars is above `cost` (a round trip's), else 0; NaN at the end.

    Raises ValueError on a horizon below 1 or a negative cost.
    """
    _check(horizon, cost)
    label = np.full(len(close), np.nan)
    if len(close) > horizon:
        move = np.log(close[horizon:] / close[:-horizon])
        label[:-horizon] = move > cost
    return label


def triple_barrier_label(
    high: Floats, low: Floats, close: Floats, scale: Floats, *, horizon: int, width: float, cost: float
) -> Floats:
    """1 where price reached the upper barrier before the lower one within `horizon` bars, else 0; NaN where unknown.

    Barriers are `width * scale` (a fraction of price) away, the upper one never nearer than `cost`. A bar that reaches
    both counts as the lower one, as a stop would. When neither is reached the move at the end decides, as in
    `forward_label`. After López de Prado, Advances in Financial Machine Learning, chapter 3.
    """
    _check(horizon, cost)
    size = len(close)
    label = np.full(size, np.nan)
    known = np.isfinite(scale) & (scale > 0)
    known[max(0, size - horizon) :] = False
    places = np.flatnonzero(known)
    distance = width * scale[places]
    upper = close[places] * np.exp(np.maximum(distance, cost))
    lower = close[places] * np.exp(-distance)
    told = np.full(len(places), np.nan)
    for step in range(1, horizon + 1):
        waiting = np.isnan(told)
        ahead = places + step
        down = waiting & (low[ahead] <= lower)
        told[down] = 0.0
        told[waiting & ~down & (high[ahead] >= upper)] = 1.0
    waiting = np.isnan(told)
    end = places[waiting] + horizon
    told[waiting] = np.log(close[end] / close[places[waiting]]) > cost
    label[places] = told
    return label


def _check(horizon: int, cost: float) -> None:
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1 bar, was {horizon}")
    if not 0.0 <= cost < 1.0:
        raise ValueError(f"cost must be a fraction from 0 to 1, was {cost}")
