"""How big an entry may be: a fraction of equity, cut to what every limit still has room for."""

from decimal import Decimal

from genesis.domain.risk_rules.account import CASH_MARGIN
from genesis.domain.risk_state import Facts
from protocols.settings import RiskSettings
from protocols.units import ZERO, floor_amount


def entry_quantity(limits: RiskSettings, facts: Facts, price: Decimal) -> Decimal:
    """Base quantity of a long entry, floored to eight decimals.

    When some limit has no room at all, the size that was wished for is returned, so that the rule of that limit denies
    it with its numbers; 0 means that nothing is wished for, the target being held already or equity unknown.
    """
    if price <= 0:
        return ZERO
    target = limits.position_fraction * facts.equity - facts.position_notional
    if target <= 0:
        return ZERO
    room = min(
        target,
        limits.max_order_notional,
        limits.max_position_notional - facts.position_notional,
        limits.max_gross_exposure - facts.gross_notional,
        facts.free_cash / CASH_MARGIN,
    )
    quantity = floor_amount((room if room > 0 else target) / price)
    if facts.pair is not None:
        quantity = min(quantity, facts.pair.maximum)
    return quantity


def exit_quantity(facts: Facts) -> Decimal:
    """Everything that is held, but never more than the venue keeps for us."""
    held = abs(facts.held)
    return floor_amount(min(held, facts.base_balance)) if facts.base_balance > 0 else floor_amount(held)
