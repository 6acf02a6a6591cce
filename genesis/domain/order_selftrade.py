"""Trading with oneself: which of our resting orders an order would meet.

It moves nothing, costs two fees, and looks like market manipulation to the venue. So an opening order that would do it
is refused, and a closing one clears its way first.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from genesis.domain.order_rows import OrderRow
from protocols.orders import OrderType
from protocols.units import Side

REACH: Final = Decimal("0.002")
"""A market order may eat its way into the book: up to this part of the price beyond its front."""
MAKERS: Final = frozenset({OrderType.LIMIT})
TAKERS: Final = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.IOC, OrderType.FOK})
"""Stops trade at a moment that nobody knows when they are sent."""


def met_by(row: OrderRow, others: Iterable[OrderRow], front: Decimal | None) -> OrderRow | None:
    """The resting order of ours that `row` would trade with, best price first; None when there is none.

    `front` is the best price of the side that it takes from; while nobody knows it, a market order meets nobody.
    """
    intent = row.intent
    if intent.order_type not in TAKERS or intent.post_only:
        return None
    sign = intent.side.sign
    if intent.order_type is not OrderType.MARKET:
        limit = row.price
    else:
        limit = None if front is None else front * (1 + REACH * sign)
    if limit is None:
        return None
    found = [
        other
        for other in others
        if other.intent.symbol == intent.symbol
        and other.intent.side is not intent.side
        and other.intent.order_type in MAKERS
        and (other.session > 0 or other.venue_id is not None)
        and not other.is_lost
        and other.price is not None
        and (limit - other.price) * sign >= 0
    ]
    return min(found, key=lambda other: (other.price or limit) * sign, default=None)


def side_taken(row: OrderRow) -> Side:
    """The side of the book that an order takes from."""
    return Side.SELL if row.intent.side is Side.BUY else Side.BUY
