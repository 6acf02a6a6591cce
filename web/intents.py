"""From a manual order's body to its intent, checked: what no order can have is refused with what must be."""

from types import MappingProxyType
from typing import Final

from genesis.domain.order_check import order_faults
from genesis.domain.pairs import PairSpecs
from protocols.orders import Bracket, OrderIntent, OrderType, Purpose
from protocols.units import Side
from web.bodies import BracketBody, OrderBody, symbol_of
from web.errors import ApiError, Detail

EXCHANGE: Final = "EXCHANGE "
WIRE_TYPES: Final = {order_type.value: order_type for order_type in OrderType}
NO_PAIRS: Final[PairSpecs] = MappingProxyType({})


def intent_of(
    body: OrderBody, *, intent_id: str, decided_ms: int, received_ns: int, pairs: PairSpecs = NO_PAIRS
) -> OrderIntent:
    """The intent that a manual order means. Raises ApiError (422) on a number or a combination no order can have."""
    wire = body.type.strip().upper()
    margin = not wire.startswith(EXCHANGE)
    order_type = WIRE_TYPES.get(wire.removeprefix(EXCHANGE))
    if order_type is None:
        words = ", ".join(EXCHANGE + word for word in WIRE_TYPES)
        raise invalid("type", f"one of {words} (without {EXCHANGE.strip()}: on margin)", body.type[:30])
    if not body.amount.is_finite() or body.amount == 0:
        raise invalid("amount", "finite and not zero", str(body.amount))
    if body.side is not None and body.amount < 0:
        raise invalid("amount", "positive when side is given", str(body.amount))
    symbol = symbol_of(body.symbol)
    if pairs and symbol not in pairs:
        raise invalid("symbol", f"one of {', '.join(sorted(pairs)[:20])}", body.symbol)
    try:
        intent = OrderIntent(
            intent_id=intent_id,
            strategy="manual",
            symbol=symbol,
            side=Side(body.side) if body.side is not None else (Side.BUY if body.amount > 0 else Side.SELL),
            quantity=abs(body.amount),
            order_type=order_type,
            purpose=Purpose.MANUAL,
            decided_ms=decided_ms,
            correlation_id=intent_id,
            price=body.price,
            aux_limit_price=body.price_aux_limit,
            trailing_distance=body.price_trailing,
            oco_stop_price=body.price_oco_stop,
            margin=margin,
            post_only=body.post_only,
            reduce_only=body.reduce_only,
            hidden=body.hidden,
            received_ns=received_ns,
            bracket=_bracket_of(body),
        )
    except ValueError as error:
        raise ApiError(422, str(error)) from None
    faults = order_faults(intent, pairs.get(symbol))
    if faults:
        detail: Detail = {fault.field: {"must_be": fault.must_be, "was": fault.was} for fault in faults}
        raise ApiError(422, "; ".join(str(fault) for fault in faults), detail=detail)
    return intent


def invalid(field: str, must_be: str, was: str) -> ApiError:
    return ApiError(422, f"{field} must be {must_be}, was {was}", detail={field: {"must_be": must_be, "was": was}})


def _bracket_of(body: OrderBody) -> Bracket | None:
    if not isinstance(body, BracketBody):
        return None
    asked = Bracket(
        stop_price=body.stop_price,
        stop_distance=body.stop_distance,
        target_price=body.target_price,
        target_distance=body.target_distance,
        trailing=body.trailing,
        activation_price=body.activation_price,
    )
    return asked if asked.has_stop or asked.has_target else None
