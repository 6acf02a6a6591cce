"""What risk would have remembered of the ranges that a strategy tells, after each of its candles: as columns."""

import math

import attrs
import numpy as np
import numpy.typing as npt

from genesis.domain.indicators.compiling import compiled, worth_compiling
from genesis.domain.strategy_arrays import Floats
from genesis.domain.volatility import MEMORY, WARM_UP, Volatility

Whole = npt.NDArray[np.int64]


@attrs.frozen(kw_only=True)
class HeardRanges:
    """What risk will have heard of the ranges of a strategy's candles, after each of them; years of it in little room.

    Only what is usual is kept as a column: the range itself, the price and how many were heard are told by the place of
    the newest one that was, and that is the candle itself once every candle from `first` on is heard (`newest` None).
    """

    before: Volatility
    atrs: Floats
    closes: Floats
    usual: Floats
    first: int = 0
    newest: npt.NDArray[np.int32] | None = None
    scores: npt.NDArray[np.int32] | None = None

    @classmethod
    def of(cls, before: Volatility, atrs: Floats, closes: Floats) -> "HeardRanges":
        """`atrs` and `closes` are float64[n], of each candle; `before` is what was heard before the first."""
        _, _, usual, scores = volatility_over(before, atrs, closes)
        size, heard = len(atrs), int(scores[-1]) - before.scores if len(atrs) else 0
        first = int(np.searchsorted(scores, before.scores, side="right"))
        if heard == size - first:
            return cls(before=before, atrs=atrs, closes=closes, usual=usual, first=first)
        is_heard = np.diff(scores, prepend=before.scores) > 0
        newest = np.maximum.accumulate(np.where(is_heard, np.arange(size), -1)).astype(np.int32)
        scores32 = scores.astype(np.int32)
        return cls(before=before, atrs=atrs, closes=closes, usual=usual, first=first, newest=newest, scores=scores32)

    def at(self, place: int) -> tuple[float, float, float, int]:
        """(range, range / price, its usual, how many were heard) after this candle."""
        if place < self.first:
            before = self.before
            return before.atr, before.relative, before.usual, before.scores
        newest, scores = place, self.before.scores + place - self.first + 1
        if self.newest is not None and self.scores is not None:
            newest, scores = int(self.newest[place]), int(self.scores[place])
        atr = float(self.atrs[newest])
        return atr, atr / float(self.closes[newest]), float(self.usual[place]), scores

    def ratios(self) -> Floats:
        """Times the usual after each candle, float64[n]; 0 until that is known."""
        newest = np.arange(len(self.usual)) if self.newest is None else self.newest
        scores = self.before.scores + 1 - self.first + newest if self.scores is None else self.scores
        known = (scores >= WARM_UP) & (self.usual > 0)
        known[: self.first] = self.before.scores >= WARM_UP and self.before.usual > 0
        relative = self.atrs[newest] / self.closes[newest]
        relative[: self.first] = self.before.relative
        return np.divide(relative, self.usual, out=np.zeros(len(self.usual)), where=known)


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
