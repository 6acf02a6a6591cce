"""From a manual order's body to its intent, checked: what no order can have is refused with what must be."""

from collections.abc import Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import attrs

from genesis.domain.order_check import OrderFault, change_faults, order_faults
from genesis.domain.pairs import PairSpec, PairSpecs
from protocols.market import Ticker
from protocols.orders import Bracket, OrderIntent, OrderType, Purpose, UpdateIntent
from protocols.units import Side, exact, plain
from web.bodies import BracketBody, OrderBody, UpdateBody, symbol_of
from web.errors import ApiError, Detail
from web.faults import Fault, error_of, own_fault

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
    called, quantity, side = _size_of(body)
    symbol = symbol_of(body.symbol)
    if pairs and symbol not in pairs:
        raise invalid("symbol", f"one of {', '.join(sorted(pairs)[:20])}", body.symbol)
    try:
        intent = OrderIntent(
            intent_id=intent_id,
            strategy="manual",
            symbol=symbol,
            side=side,
            quantity=quantity,
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
        raise own_fault(str(error)) from None
    faults = [
        attrs.evolve(fault, field=called) if fault.field == "quantity" else fault
        for fault in order_faults(intent, pairs.get(symbol))
    ]
    if faults:
        raise _of_faults(faults)
    return intent


def _size_of(body: OrderBody) -> tuple[str, Decimal, Side]:
    """What the caller calls the size, the size, and the side that it means. Raises ApiError (422)."""
    if (body.quantity is None) == (body.amount is None):
        was = "absent, and so was amount" if body.quantity is None else "given together with amount"
        raise invalid("quantity", "given, or amount in its place", was)
    if body.quantity is not None:
        if not (body.quantity.is_finite() and body.quantity > 0):
            raise invalid("quantity", "finite and above 0 (side says which way)", str(body.quantity))
        if body.side is None:
            raise invalid("side", "buy or sell when quantity is given", "absent")
        return "quantity", body.quantity, Side(body.side)
    amount = body.amount
    assert amount is not None, "one of the two is given"
    if not amount.is_finite() or amount == 0:
        raise invalid("amount", "finite and not zero", str(amount))
    if body.side is not None and amount < 0:
        raise invalid("amount", "positive when side is given", str(amount))
    side = Side(body.side) if body.side is not None else (Side.BUY if amount > 0 else Side.SELL)
    return "amount", abs(amount), side


def quantity_left(body: UpdateBody, side: Side) -> Decimal | None:
    """What shall remain of an order of this side, by whichever name it was called. Raises ApiError (422)."""
    if body.amount is None:
        return body.quantity
    if body.quantity is not None:
        raise invalid("quantity", "given, or amount in its place", "given together with amount")
    if not body.amount.is_finite() or body.amount == 0:
        raise invalid("amount", "finite and not zero", str(body.amount))
    if body.amount < 0 and side is Side.BUY:
        raise invalid("amount", "above 0 for an order that buys", str(body.amount))
    return body.amount.copy_abs()


def check_market(intent: OrderIntent, ticker: Ticker | None) -> None:
    """Raises ApiError (422) for a bracket whose stop or target the market has passed before an order at market fills:
    it would be sold again at once."""
    if intent.bracket is None or ticker is None or intent.order_type is not OrderType.MARKET:
        return
    entry = exact(ticker.ask if intent.side is Side.BUY else ticker.bid)
    for name, price, way in (
        ("stop_price", intent.bracket.stop_price, -1),
        ("target_price", intent.bracket.target_price, 1),
    ):
        if price is not None and (price - entry) * intent.side.sign * way <= 0:
            where = "above" if way * intent.side.sign > 0 else "below"
            raise invalid(name, f"{where} the market, which is at {plain(entry)}", plain(price))


def check_change(update: UpdateIntent, pair: PairSpec | None) -> None:
    """Raises ApiError (422) for a number that the venue would cut or refuse; what is not changed is not looked at."""
    faults = change_faults(price=update.price, stop_price=update.stop_price, quantity=update.quantity, pair=pair)
    if faults:
        raise _of_faults(faults)


def _of_faults(faults: Sequence[OrderFault]) -> ApiError:
    detail: Detail = {fault.field: {"must_be": fault.must_be, "was": fault.was} for fault in faults}
    return ApiError(422, "; ".join(str(fault) for fault in faults), detail=detail)


def invalid(field: str, must_be: str, was: str) -> ApiError:
    return error_of(Fault(field=field, must_be=must_be, was=was))


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
