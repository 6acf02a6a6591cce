"""Who trades with whom, and at what price: resting orders by price, then time, and the recorded market around them.

A recording says at which prices the real market traded. `FillModel` says what that means for orders that were not
there: a taker pays the tick plus half the spread and slippage, a maker is filled at its own price once a tick trades
through or at it. With a recorded order book (`Ladder`) takers walk its levels instead.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import Enum
from typing import Final, Generic, Protocol, TypeVar

import attrs

from genesis.domain.pairs import price_down, price_step, price_up
from protocols.units import ZERO, Side


class Resting(Protocol):
    """What the book needs of an order. `sign` is 1 for a buy; `priority` rises with the time of arrival."""

    sign: int
    price: Decimal
    priority: int


AnyOrder = TypeVar("AnyOrder", bound=Resting)


class PriceTimeBook(Generic[AnyOrder]):
    """Resting orders of one pair: best price first, at one price the oldest first."""

    __slots__ = ("_asks", "_bids", "_orders")

    def __init__(self) -> None:
        self._bids: list[tuple[Decimal, int]] = []
        self._asks: list[tuple[Decimal, int]] = []
        self._orders: dict[int, AnyOrder] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, order: AnyOrder) -> None:
        if order.priority in self._orders:
            raise ValueError(f"priority must be new, was {order.priority}")
        self._orders[order.priority] = order
        insort(self._bids if order.sign > 0 else self._asks, self._place(order))

    def remove(self, order: AnyOrder) -> None:
        """Raises KeyError when it is not in the book (its price must be the one it was added with)."""
        del self._orders[order.priority]
        side = self._bids if order.sign > 0 else self._asks
        del side[bisect_left(side, self._place(order))]

    def __contains__(self, order: AnyOrder) -> bool:
        return self._orders.get(order.priority) is order

    def side(self, side: Side) -> Iterator[AnyOrder]:
        """All orders of a side, in the order in which they trade. Take a list of it before changing the book."""
        for _, priority in self._bids if side is Side.BUY else self._asks:
            yield self._orders[priority]

    def best(self, side: Side) -> AnyOrder | None:
        places = self._bids if side is Side.BUY else self._asks
        return self._orders[places[0][1]] if places else None

    @staticmethod
    def _place(order: AnyOrder) -> tuple[Decimal, int]:
        return (-order.price if order.sign > 0 else order.price), order.priority


class FillWhen(Enum):
    NEXT_TICK = "next tick"
    """A marketable order waits for the next tick of its pair: what a candle recording can honestly say."""
    AT_ONCE = "at once"
    """It trades on arrival against the market as last seen."""


@attrs.frozen(kw_only=True)
class FeeTier:
    """What trades cost once this much was traded in thirty days (quote currency); fees are fractions."""

    volume: Decimal
    maker: Decimal
    taker: Decimal


VENUE_TIERS: Final = tuple(
    FeeTier(volume=Decimal(volume), maker=Decimal(maker), taker=Decimal(taker))
    for volume, maker, taker in (
        ("0", "0.001", "0.002"),
        ("500000", "0.0008", "0.002"),
        ("1000000", "0.0006", "0.002"),
        ("2500000", "0.0004", "0.002"),
        ("5000000", "0.0002", "0.002"),
        ("7500000", "0", "0.002"),
        ("10000000", "0", "0.0018"),
        ("15000000", "0", "0.0016"),
        ("20000000", "0", "0.0014"),
        ("25000000", "0", "0.0012"),
        ("30000000", "0", "0.001"),
    )
)
"""Bitfinex' schedule of fees for trading currencies by the volume of thirty days, as it was until December 2025 (the
exchange's fee page, and ccxt's table of it, which agree). On 17 December 2025 the exchange announced fees of zero: who
trades by those gives a maker's and a taker's fee of 0. Either may change again, and an account's own rates are in its
summary (`auth/r/summary`)."""

LARGEST_IMPACT: Final = Decimal("0.5")


@attrs.frozen(kw_only=True)
class FillModel:
    """How the recorded market meets our orders. `half_spread` and `slippage` are fractions of the price.

    `participation` is the part of a tick's volume that accounts may take together (None: no limit). `fee_tiers` ascend
    by volume and begin at 0; without any, an account pays its own two rates whatever it trades. `low_first`: a minute
    trades at its low before its high whichever way it went, so that of a long's stop and target in one minute the stop
    is hit: the worst case. Otherwise a rising minute visits its low first and a falling one its high.

    `impact` is what a taker's own size costs, as a fraction of the price for an order as large as all that was traded
    in the minute; a smaller one pays it times the root of its share (the square-root law: Almgren, Thum, Hauptmann and
    Li, 2005; Toth and others, 2011). `carry_a_day` is what holding costs, as a fraction of its worth: margin interest,
    or the funding of a perpetual. A third of it is taken at each funding time of the venue (00, 08 and 16 UTC).
    """

    when: FillWhen = FillWhen.NEXT_TICK
    half_spread: Decimal = Decimal("0.00005")
    slippage: Decimal = Decimal("0.00005")
    latency_ms: int = 0
    participation: Decimal | None = None
    fee_tiers: tuple[FeeTier, ...] = ()
    low_first: bool = False
    impact: Decimal = ZERO
    carry_a_day: Decimal = ZERO

    def best_bid(self, tick: Decimal) -> Decimal:
        return price_down(tick * (1 - self.half_spread))

    def best_ask(self, tick: Decimal) -> Decimal:
        return self.best(tick)[1]

    def best(self, tick: Decimal) -> tuple[Decimal, Decimal]:
        """Bid and ask."""
        bid, ask = self.best_bid(tick), price_up(tick * (1 + self.half_spread))
        return bid, ask if ask > bid else bid + price_step(bid)

    def front(self, tick: Decimal, sign: int) -> Decimal:
        """The best price that a taker meets."""
        # Not best_ask(): without any spread a taker pays the tick itself, though a book must show a step between.
        return price_up(tick * (1 + self.half_spread)) if sign > 0 else self.best_bid(tick)

    def slipped(self, front: Decimal, sign: int) -> Decimal:
        """The front of the book, worsened by the slippage."""
        return price_up(front * (1 + self.slippage)) if sign > 0 else price_down(front * (1 - self.slippage))

    def moved_by(self, price: Decimal, sign: int, quantity: Decimal, traded: Decimal) -> Decimal:
        """What a taker gets who moves the market by its own size: `traded` is the volume of the minute (base).

        A minute that tells no volume counts as one in which nobody else traded.
        """
        share = quantity / traded if traded > ZERO else Decimal(1)
        move = min(self.impact * share.sqrt(), LARGEST_IMPACT)
        return price_up(price * (1 + move)) if sign > 0 else price_down(price * (1 - move))


Levels = Sequence[tuple[Decimal, Decimal]]
"""(price, quantity), best first."""


class Ladder(Protocol):
    """A recorded order book that takers may walk."""

    def levels(self, side: Side) -> Levels:
        """What rests on this side of the market now."""
        ...

    def take(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        """So much of a level is gone until the recording says something new about it."""
        ...


UNLIMITED: Final = Decimal("Infinity")


def crosses(sign: int, limit: Decimal | None, price: Decimal) -> bool:
    """Whether an order with this limit (None: any price) may trade at `price`."""
    return limit is None or (price <= limit if sign > 0 else price >= limit)


def is_reached(sign: int, trigger: Decimal, price: Decimal) -> bool:
    """Whether a tick sets off a stop: a buy stop at or above its trigger, a sell stop at or below it."""
    return price >= trigger if sign > 0 else price <= trigger


def trailed(sign: int, trigger: Decimal, distance: Decimal, price: Decimal) -> Decimal:
    """The trigger of a trailing stop after a tick: it follows the market and never goes back."""
    moved = price + distance if sign > 0 else price - distance
    return min(trigger, moved) if sign > 0 else max(trigger, moved)


def market_offers(
    sign: int, limit: Decimal | None, tick: Decimal, model: FillModel, ladder: Ladder | None
) -> list[tuple[Decimal, Decimal]]:
    """What the recorded market offers a taker: (price, quantity), best first, within its limit.

    Without a ladder it is one price of unlimited size. A limit inside the slippage still trades, at the limit.
    """
    if ladder is not None:
        side = Side.SELL if sign > 0 else Side.BUY
        return [level for level in ladder.levels(side) if level[1] > ZERO and crosses(sign, limit, level[0])]
    best = model.front(tick, sign)
    if not crosses(sign, limit, best):
        return []
    price = model.slipped(best, sign)
    if limit is not None and not crosses(sign, limit, price):
        price = limit
    return [(price, UNLIMITED)]
