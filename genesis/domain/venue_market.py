"""What the trading floor keeps of one pair."""

import math
from decimal import Decimal
from typing import Final

from genesis.domain.matching import UNLIMITED, Ladder, PriceTimeBook
from genesis.domain.pairs import PairSpec
from genesis.domain.venue_state import Order
from protocols.units import ZERO

NEVER: Final = math.inf


class Market:
    """One pair: who rests, who waits, and the band of prices in which nobody has to act."""

    __slots__ = (
        "armed",
        "book",
        "budget",
        "high",
        "ladder",
        "last",
        "low",
        "mark",
        "spec",
        "traded",
        "waiting",
        "wake_ms",
    )

    def __init__(self, spec: PairSpec) -> None:
        self.spec = spec
        self.book: PriceTimeBook[Order] = PriceTimeBook()
        self.waiting: list[Order] = []
        self.armed: list[Order] = []
        self.last: float = 0.0
        self.mark: float = 0.0
        """The price by which a contract is worth what it is; 0: the last."""
        self.low: float = -math.inf
        self.high: float = math.inf
        self.wake_ms: float = NEVER
        self.budget: Decimal = UNLIMITED
        self.traded: Decimal = ZERO
        """Volume of the minute that the newest tick is a quarter of, where size moves the price."""
        self.ladder: Ladder | None = None
