"""What is said when the margin behind a position runs out: to its owner, and to everybody.

The venue's own texts of these notifications are not documented; these name what a trader needs to act.
"""

from decimal import Decimal
from typing import Final

from genesis.domain.venue_ledger import position_change
from genesis.domain.venue_margin import Standing
from genesis.domain.venue_state import Position, PositionNews
from protocols.market import Liquidation
from protocols.units import plain

MARGIN_CALL: Final = Decimal("1.2")
"""At so many times what must be kept an owner is warned, once."""
MARGIN_CALL_OVER: Final = Decimal("1.5")
"""From here on he is warned again when it falls again."""


def margin_call(position: Position, state: Standing, currency: str) -> PositionNews:
    text = (
        f"Margin call: {plain(round(state.net, 2))} {currency} stand behind position #{position.position_id} "
        f"({position.symbol[1:]}), below {plain(round(state.required, 2))} it is liquidated."
    )
    return PositionNews(kind="margin_call", text=text, position=position_change(position, "pu"))


def liquidated(position: Position, price: Decimal) -> PositionNews:
    text = f"Position #{position.position_id} ({position.symbol[1:]}) is liquidated, margin ran out at {plain(price)}."
    return PositionNews(kind="liquidation", text=text, position=position_change(position, "pu"))


def liquidation(position: Position, amount: Decimal, price: Decimal, now_ms: int, *, is_match: bool) -> Liquidation:
    """As the public feed has it: first that it begins, then (`is_match`) at what price it was sold."""
    return Liquidation(
        position_id=position.position_id,
        time_ms=now_ms,
        symbol=position.symbol,
        amount=float(amount),
        base_price=float(position.base_price),
        is_match=is_match,
        is_market_sold=is_match,
        price=float(price),
        venue_ms=now_ms,
        received_ns=0,
    )
