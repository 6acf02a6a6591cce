"""Wishes to trade, as they are judged: of what a strategy said, or of an order that a person asked for."""

from collections.abc import Mapping
from decimal import Decimal

from genesis.domain.risk_state import Wish
from protocols.orders import Bracket, OrderIntent, OrderType, Purpose
from protocols.signals import SignalScore
from protocols.units import ZERO, Side

_MARKET = OrderType.MARKET


def wish_of_score(
    score: SignalScore,
    side: Side,
    purpose: Purpose,
    quantity: Decimal,
    price: Decimal,
    *,
    now_ms: int,
    bracket: Bracket | None = None,
) -> Wish:
    """What a score asks for, at market; with no quantity there is no order that it would become."""
    intent = None
    # As text a purpose is its value; asked for that it takes three calls.
    intent_id = f"{score.signal_id}:{purpose}"
    if quantity > ZERO:
        intent = OrderIntent(
            intent_id=intent_id,
            strategy=score.strategy,
            symbol=score.symbol,
            side=side,
            quantity=quantity,
            order_type=_MARKET,
            purpose=purpose,
            decided_ms=score.decided_ms,
            correlation_id=score.correlation_id,
            signal_id=score.signal_id,
            received_ns=score.received_ns,
            bracket=bracket,
        )
    return Wish(
        intent_id=intent_id,
        strategy=score.strategy,
        symbol=score.symbol,
        side=side,
        purpose=purpose,
        quantity=quantity,
        price=price,
        decided_ms=score.decided_ms,
        correlation_id=score.correlation_id,
        signal_id=score.signal_id,
        catch_up=score.catch_up,
        lag_ms=now_ms - score.decided_ms,
        intent=intent,
    )


def wish_of_order(intent: OrderIntent, marks: Mapping[str, Decimal]) -> Wish:
    """An order at its own price, or at the last one where it has none."""
    return Wish(
        intent_id=intent.intent_id,
        strategy=intent.strategy,
        symbol=intent.symbol,
        side=intent.side,
        purpose=intent.purpose,
        quantity=intent.quantity,
        price=intent.price or marks.get(intent.symbol, ZERO),
        decided_ms=intent.decided_ms,
        correlation_id=intent.correlation_id,
        signal_id=intent.signal_id,
        intent=intent,
    )
