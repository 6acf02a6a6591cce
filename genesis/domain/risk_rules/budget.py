"""Rules about how much a wild market may hold: by the average true range, and by the regime it is in."""

from decimal import Decimal

from genesis.domain.risk_rules.results import Number, rule
from genesis.domain.risk_state import Facts, Wish
from genesis.domain.volatility import WILD
from protocols.risk import DenialCode
from protocols.settings import Settings


@rule(DenialCode.VOLATILITY_BUDGET, opens=True, moves=True)
def volatility_budget(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """A move of one average true range may cost so much of equity. A budget that cannot be measured is not spent."""
    budget = settings.risk.atr_budget
    if not budget:
        return True
    at_risk = _at_risk(facts, wish)
    return at_risk is not None and at_risk <= budget * facts.equity


def _at_risk(facts: Facts, wish: Wish) -> Decimal | None:
    """In quantities: (what is held and reserved, and the wish) times one range."""
    if facts.atr is None or not wish.price:
        return None
    return (facts.position_notional / wish.price + wish.quantity) * facts.atr


@volatility_budget.tells
def _volatility_budget(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    budget = settings.risk.atr_budget
    if not budget:
        return {"budget": budget}
    at_risk = _at_risk(facts, wish)
    return {
        "at_risk": None if at_risk is None else round(at_risk, 8),
        "allowed": round(budget * facts.equity, 8),
        "atr": facts.atr,
    }


@rule(DenialCode.REGIME_BUDGET, opens=True, moves=True)
def regime_budget(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """In a wild market a position may be only a part of what it may be otherwise."""
    if not _is_cut(settings, facts):
        return True
    return facts.position_notional + wish.notional <= _allowed_when_wild(settings, facts)


def _is_cut(settings: Settings, facts: Facts) -> bool:
    return facts.regime == WILD and settings.risk.regime_high_fraction < 1


def _allowed_when_wild(settings: Settings, facts: Facts) -> Decimal:
    return settings.risk.position_fraction * settings.risk.regime_high_fraction * facts.equity


@regime_budget.tells
def _regime_budget(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    if not _is_cut(settings, facts):
        return {"regime": facts.regime}
    return {
        "regime": facts.regime,
        "after": facts.position_notional + wish.notional,
        "allowed": round(_allowed_when_wild(settings, facts), 8),
    }
