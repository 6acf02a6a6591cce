"""An intent in the venue's words, and the venue's words about its end in ours."""

import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from protocols.orders import OrderIntent, OrderState, OrderType, Purpose, SubmitOrder, VenueOrder
from protocols.units import Side, Symbol, floor_amount, round_price

DAY_MS: Final = 86_400_000
HIDDEN: Final = 64
REDUCE_ONLY: Final = 1024
POST_ONLY: Final = 4096
OCO: Final = 16384

_WITHOUT_PRICE: Final = frozenset({OrderType.MARKET, OrderType.TRAILING_STOP})
_WIRE_TYPES: Final = {each: (f"EXCHANGE {each.value}", each.value) for each in OrderType}
"""Of the exchange wallet, and on margin."""


_KNOWN: Final = (
    "ACTIVE",
    "PARTIALLY FILLED",
    "EXECUTED",
    "FORCED EXECUTED",
    "INSUFFICIENT",
    "RSN_",
    "REJECTED",
    "EXPIRED",
)
_CLOSED: Final = frozenset({"oc", "past"})


def utc_day(at_ms: int) -> str:
    """The day, as `cid_date` wants it: `2018-02-06`."""
    return _day(at_ms // DAY_MS)


@lru_cache(maxsize=16)
def _day(number: int) -> str:
    return datetime.datetime.fromtimestamp(number * DAY_MS / 1000, tz=datetime.UTC).strftime("%Y-%m-%d")


def flags_of(intent: OrderIntent) -> int:
    """The sum for the wire; an update must carry it again, or the venue drops post-only and hidden."""
    flags = HIDDEN if intent.hidden else 0
    # The exchange wallet cannot go below zero: reduce-only is a word of margin orders alone.
    flags += REDUCE_ONLY if intent.reduce_only and intent.margin else 0
    # A market order cannot rest, so post-only is ignored for it rather than refused.
    flags += POST_ONLY if intent.post_only and intent.order_type is not OrderType.MARKET else 0
    return flags + (OCO if intent.oco_stop_price is not None else 0)


def submit_order(intent: OrderIntent, *, cid: int, group_id: int, session: int) -> SubmitOrder:
    """The exact command for an intent. Raises ValueError when nothing of its quantity is left after rounding."""
    quantity = floor_amount(intent.quantity)
    if quantity <= 0:
        raise ValueError(f"quantity must be at least 0.00000001 after rounding, was {intent.quantity}")
    price = None if intent.price is None or intent.order_type in _WITHOUT_PRICE else round_price(intent.price)
    return SubmitOrder(
        cid=cid,
        cid_date=utc_day(intent.decided_ms),
        group_id=group_id,
        symbol=intent.symbol,
        wire_type=_WIRE_TYPES[intent.order_type][intent.margin],
        amount=quantity * intent.side.sign,
        price=price,
        aux_limit_price=None if intent.aux_limit_price is None else round_price(intent.aux_limit_price),
        trailing_distance=None if intent.trailing_distance is None else round_price(intent.trailing_distance),
        oco_stop_price=None if intent.oco_stop_price is None else round_price(intent.oco_stop_price),
        flags=flags_of(intent),
        session=session,
        correlation_id=intent.correlation_id,
        received_ns=intent.received_ns if session else 0,
    )


def order_type_of(wire_type: str) -> OrderType:
    """`EXCHANGE STOP LIMIT` -> STOP_LIMIT; what we do not know is shown as LIMIT."""
    name = wire_type.removeprefix("EXCHANGE ")
    return OrderType(name) if name in OrderType.__members__.values() else OrderType.LIMIT


def side_of(amount: Decimal) -> Side:
    """The side of a signed amount."""
    return Side.BUY if amount > 0 else Side.SELL


def ending_of(order: VenueOrder) -> OrderState | None:
    """Which end a row tells of, or None while it is open. Statuses are read by prefix: the rest is text for people.

    A word that nobody knows ends nothing: where the row is told, among open orders or as closed, says which it is.
    """
    status = order.status.upper()
    if status.startswith(("ACTIVE", "PARTIALLY FILLED")):
        # A row that is told as closed is closed, whatever text it carries along.
        return OrderState.CANCELED if order.event == "oc" else None
    if status.startswith(("EXECUTED", "FORCED EXECUTED", "RSN_DUST")):
        return OrderState.FILLED
    if status.startswith(("IOC CANCELED", "FILLORKILL CANCELED")):
        return OrderState.EXPIRED
    return OrderState.CANCELED if is_known_status(status) or order.event in _CLOSED else None


def is_known_status(status: str) -> bool:
    """Whether we know what an order of this status (upper case) is."""
    return status.startswith(_KNOWN) or "CANCELED" in status


def executed_of(order: VenueOrder) -> Decimal:
    """How much of a row has been executed, unsigned."""
    return abs(order.original) - abs(order.remaining)


def flatten_intent(*, correlation_id: str, symbol: Symbol, held: Decimal, margin: bool, decided_ms: int) -> OrderIntent:
    """The market order that closes what is held. Its id is the wish's: said twice, it is one order."""
    return OrderIntent(
        intent_id=f"flatten:{correlation_id}:{symbol}:{'margin' if margin else 'exchange'}",
        strategy="flatten",
        symbol=symbol,
        side=side_of(-held),
        quantity=floor_amount(abs(held)),
        order_type=OrderType.MARKET,
        purpose=Purpose.FLATTEN,
        decided_ms=decided_ms,
        correlation_id=correlation_id,
        margin=margin,
        reduce_only=True,
    )
