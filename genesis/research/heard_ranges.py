"""What risk would have remembered of the ranges that a strategy tells, after each of its candles: as columns."""

import math

import numpy as np
import numpy.typing as npt

from genesis.domain.indicators.compiling import compiled, worth_compiling
from genesis.domain.strategy_arrays import Floats
from genesis.domain.volatility import MEMORY, Volatility

Whole = npt.NDArray[np.int64]


def volatility_over(heard: Volatility, atrs: Floats, prices: Floats) -> tuple[Floats, Floats, Floats, Whole]:
    """What `Volatility.hear` would have remembered after each candle."""
    size = len(atrs)
    if worth_compiling(size):
        atr, relative, usual = np.empty(size), np.empty(size), np.empty(size)
        scores = np.empty(size, dtype=np.int64)
        begin = np.array([heard.atr, heard.relative, heard.usual, float(heard.scores)])
        compiled(_volatility_loop, kept=True)(begin, float(MEMORY), atrs, prices, atr, relative, usual, scores)
        return atr, relative, usual, scores
    # Without the compiler: all at once but what waits for the number before it.
    is_heard = np.isfinite(atrs) & (atrs > 0) & np.isfinite(prices) & (prices > 0)
    count = np.cumsum(is_heard)
    atr = atrs[is_heard]
    relative = atr / prices[is_heard]
    now, usual_told = heard.usual, [heard.usual]
    ranges = relative.tolist()
    weighted = max(0, MEMORY - heard.scores)
    for weight, one in enumerate(ranges[:weighted], start=heard.scores + 1):
        now += (one - now) / weight
        usual_told.append(now)
    for one in ranges[weighted:]:
        # From here on the newest always weighs the same.
        now += (one - now) / MEMORY
        usual_told.append(now)
    atr, relative = np.concatenate([[heard.atr], atr]), np.concatenate([[heard.relative], relative])
    return atr[count], relative[count], np.array(usual_told)[count], heard.scores + count


def _volatility_loop(
    begin: Floats,
    memory: float,
    atrs: Floats,
    prices: Floats,
    atr: Floats,
    relative: Floats,
    usual: Floats,
    scores: Whole,
) -> None:
    now_atr, now_relative, now_usual, heard = begin[0], begin[1], begin[2], begin[3]
    for place in range(len(atrs)):
        distance, price = atrs[place], prices[place]
        # What is no positive number is not heard.
        if distance > 0.0 and distance < math.inf and price > 0.0 and price < math.inf:
            heard += 1.0
            now_atr = distance
            now_relative = distance / price
            now_usual += (now_relative - now_usual) / (heard if heard < memory else memory)
        atr[place] = now_atr
        relative[place] = now_relative
        usual[place] = now_usual
        scores[place] = int(heard)
