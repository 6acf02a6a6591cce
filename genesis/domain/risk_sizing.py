"""How big an entry may be: a fraction of equity, cut to what every limit still has room for."""

import math
from decimal import Decimal

from genesis.domain.risk_rules.account import CASH_MARGIN
from genesis.domain.risk_state import Facts
from genesis.domain.volatility import WILD
from protocols.orders import Bracket
from protocols.settings import RiskSettings
from protocols.signals import SignalScore
from protocols.units import ZERO, exact, floor_amount, round_price

FULL_TRUST = Decimal(1)


def trust_of(score: SignalScore) -> Decimal:
    """How much of the usual size a strategy's model is worth lately: its feature `trust`, 1 where there is none."""
    told = score.features.get("trust")
    if told is None:
        return FULL_TRUST
    return exact(min(1.0, max(0.0, told))) if math.isfinite(told) else ZERO


def entry_quantity(limits: RiskSettings, facts: Facts, price: Decimal, trust: Decimal = FULL_TRUST) -> Decimal:
    """Base quantity of a long entry, floored to eight decimals. `trust` is the part of the usual size, 0 to 1.

    When some limit has no room at all, the size that was wished for is returned, so that the rule of that limit denies
    it with its numbers; 0 means that nothing is wished for, the target being held already or equity unknown.
    """
    if price <= ZERO:
        return ZERO
    fraction = limits.position_fraction if trust is FULL_TRUST else limits.position_fraction * trust
    target = fraction * facts.equity - facts.position_notional
    if target <= ZERO:
        return ZERO
    room = min(
        target,
        limits.max_order_notional,
        limits.max_position_notional - facts.position_notional,
        limits.max_gross_exposure - facts.gross_notional,
        limits.max_net_exposure - facts.net_notional,
        facts.free_cash / CASH_MARGIN,
    )
    if limits.atr_budget and facts.atr:
        room = min(room, limits.atr_budget * facts.equity * price / facts.atr - facts.position_notional)
    if facts.regime == WILD:
        cut = limits.position_fraction * limits.regime_high_fraction
        room = min(room, cut * facts.equity - facts.position_notional)
    quantity = floor_amount((room if room > ZERO else target) / price)
    pair = facts.pair
    return quantity if pair is None or quantity <= pair.maximum else pair.maximum


def default_bracket(limits: RiskSettings, price: Decimal, range_: float | None) -> Bracket | None:
    """Where to leave a long position entered at about `price`; None when the settings want neither stop nor target.

    A multiple of the average true range wins over a fraction of the price where it is set and the range is known.
    """
    # Most settings have no use for the range.
    minds_range = range_ is not None and (limits.stop_atr or limits.target_atr)
    atr = exact(range_) if range_ is not None and minds_range else None
    stop = _distance(limits.stop_fraction, limits.stop_atr, price, atr)
    target = _distance(limits.target_fraction, limits.target_atr, price, atr)
    trailing = limits.stop_trails and stop is not None
    if stop is not None and stop >= price:
        # A stop at or below zero protects nothing: the fraction is the safer reading.
        stop = _distance(limits.stop_fraction, ZERO, price, None)
    if stop is None and target is None:
        return None
    begins = trailing and limits.stop_trails_from > 0
    return Bracket(
        stop_distance=stop,
        target_distance=None if trailing else target,
        trailing=trailing,
        activation_price=round_price(price * (1 + limits.stop_trails_from)) if begins else None,
    )


def _distance(fraction: Decimal, multiple: Decimal, price: Decimal, atr: Decimal | None) -> Decimal | None:
    if atr is not None and multiple > ZERO and atr > ZERO:
        distance = multiple * atr
    elif fraction:
        distance = fraction * price
    else:
        return None
    rounded = round_price(distance)
    return rounded if rounded > ZERO else None


def exit_quantity(facts: Facts) -> Decimal:
    """Everything that is held, but never more than the venue keeps for us."""
    held = abs(facts.held)
    return floor_amount(min(held, facts.base_balance)) if facts.base_balance > 0 else floor_amount(held)
