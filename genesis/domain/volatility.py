"""How wild a market is: its average true range beside its price, and beside what that is usually.

A simple regime on purpose: calm, usual or wild, of one number that strategies already tell. It needs no model and no
second opinion, and says nothing about trend.
"""

import math

import msgspec

CALM, USUAL, WILD, UNKNOWN = "calm", "usual", "wild", "unknown"
MEMORY = 200
"""Scores over which what is usual is averaged."""
WARM_UP = 50
"""Scores without which nobody can say what is usual."""
CALM_RATIO = 0.5


class Volatility(msgspec.Struct, kw_only=True):
    """One strategy's market. `relative` is range / price now, `usual` its average over the last scores."""

    symbol: str
    atr: float = 0.0
    relative: float = 0.0
    usual: float = 0.0
    scores: int = 0

    def hear(self, atr: float, price: float) -> None:
        """A new range. What is no positive number is not heard."""
        if not (0.0 < atr < math.inf and 0.0 < price < math.inf):
            return
        self.scores += 1
        self.atr = atr
        self.relative = atr / price
        # A plain mean at first, then one that forgets: the newest weighs 1/MEMORY.
        self.usual += (self.relative - self.usual) / (self.scores if self.scores < MEMORY else MEMORY)

    @property
    def ratio(self) -> float | None:
        """Times the usual; None until that is known."""
        return self.relative / self.usual if self.scores >= WARM_UP and self.usual > 0 else None

    def regime(self, wild_ratio: float) -> str:
        ratio = self.ratio
        if ratio is None:
            return UNKNOWN
        return WILD if ratio >= wild_ratio else CALM if ratio <= CALM_RATIO else USUAL
