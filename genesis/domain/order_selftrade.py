"""Trading with oneself: which of our resting orders an order would meet.

It moves nothing, costs two fees, and looks like market manipulation to the venue. So an opening order that would do it
is refused, and a closing one clears its way first.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final

from genesis.domain.order_rows import OrderRow
from protocols.orders import OrderType
from protocols.units import ZERO, Side, exact

REACH: Final = Decimal("0.002")
"""However deep the book is, a market order may come so far beyond its front: the book moves until it is there."""
BLIND_REACH: Final = Decimal("0.02")
"""And so far where only the front is known."""
CAUTION: Final = 2
"""The book must hold so many times an order's quantity before a price, or the order may come as far as that price."""
MAKERS: Final = frozenset({OrderType.LIMIT})
TAKERS: Final = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.IOC, OrderType.FOK})
"""Stops trade at a moment that nobody knows when they are sent."""


def worst_price(
    quantity: Decimal, sign: int, *, front: Decimal | None, levels: Sequence[tuple[float, float, int]] = ()
) -> Decimal:
    """How far a market order may come: the highest price of a buy (`sign` 1), the lowest of a sale.

    `levels` are those of the side that it takes from, best first, and `front` is the best price there; both may be
    unknown. What is behind a book that is too short nobody knows: any price then.
    """
    if not levels:
        return _anywhere(sign) if front is None else front * (1 + BLIND_REACH * sign)
    best = exact(levels[0][0])
    near = best * (1 + REACH * sign)
    left = quantity * CAUTION
    for price, amount, _ in levels:
        left -= exact(amount)
        if left <= 0:
            return max(near, exact(price)) if sign > 0 else min(near, exact(price))
    return _anywhere(sign)


def _anywhere(sign: int) -> Decimal:
    return Decimal("Infinity") if sign > 0 else ZERO


def met_by(row: OrderRow, others: Iterable[OrderRow], worst: Callable[[OrderRow], Decimal | None]) -> OrderRow | None:
    """The resting order of ours that `row` would trade with, best price first; None when there is none.

    `worst` tells the last price that a market order may come to (`worst_price`), and is asked only when something of
    ours rests on the other side; without a price the order meets nobody.
    """
    intent = row.intent
    if intent.order_type not in TAKERS or intent.post_only:
        return None
    resting = [
        other
        for other in others
        if other.intent.symbol == intent.symbol
        and other.intent.side is not intent.side
        and other.intent.order_type in MAKERS
        and (other.session > 0 or other.venue_id is not None)
        and not other.is_lost
        # One whose end is told is in no book any more, however long its trades are waited for.
        and other.closing is None
        and other.price is not None
    ]
    if not resting:
        return None
    sign = intent.side.sign
    limit = worst(row) if intent.order_type is OrderType.MARKET else row.price
    if limit is None:
        return None
    found = [other for other in resting if other.price is not None and (limit - other.price) * sign >= 0]
    return min(found, key=lambda other: (other.price or limit) * sign, default=None)


def side_taken(row: OrderRow) -> Side:
    """The side of the book that an order takes from."""
    return Side.SELL if row.intent.side is Side.BUY else Side.BUY
