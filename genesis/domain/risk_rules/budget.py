"""Rules about how much a wild market may hold: by the average true range, and by the regime it is in."""

from genesis.domain.risk_rules.results import Finding, answer
from genesis.domain.risk_state import Facts, RiskState, Wish
from genesis.domain.volatility import WILD
from protocols.risk import DenialCode
from protocols.settings import Settings


def volatility_budget(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    """A move of one average true range may cost so much of equity. A budget that cannot be measured is not spent."""
    budget = settings.risk.atr_budget
    if not budget:
        return answer("volatility_budget", DenialCode.VOLATILITY_BUDGET, True, budget=budget)
    atr = facts.atr
    # In quantities: (what is held and reserved, and the wish) times one range.
    at_risk = None if atr is None or not wish.price else (facts.position_notional / wish.price + wish.quantity) * atr
    allowed = budget * facts.equity
    return answer(
        "volatility_budget",
        DenialCode.VOLATILITY_BUDGET,
        facts.reduces or (at_risk is not None and at_risk <= allowed),
        at_risk=None if at_risk is None else round(at_risk, 8),
        allowed=round(allowed, 8),
        atr=atr,
    )


def regime_budget(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    """In a wild market a position may be only a part of what it may be otherwise."""
    limits = settings.risk
    if facts.regime != WILD or limits.regime_high_fraction >= 1:
        return answer("regime_budget", DenialCode.REGIME_BUDGET, True, regime=facts.regime)
    after = facts.position_notional + wish.notional
    allowed = limits.position_fraction * limits.regime_high_fraction * facts.equity
    return answer(
        "regime_budget",
        DenialCode.REGIME_BUDGET,
        facts.reduces or after <= allowed,
        regime=facts.regime,
        after=after,
        allowed=round(allowed, 8),
    )
