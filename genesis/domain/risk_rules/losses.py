"""Rules about what was lost already: since the day began, and since the peak. Both count open positions."""

from decimal import Decimal

from genesis.domain.risk_rules.results import answer
from genesis.domain.risk_state import Facts, RiskState, Wish
from protocols.risk import DenialCode, RuleResult
from protocols.settings import Settings
from protocols.units import ZERO


def lost_fraction(since: Decimal | None, now: Decimal) -> Decimal:
    """How much of `since` is gone; 0 when nothing is, or nothing was there."""
    if since is None or since <= 0:
        return ZERO
    return max(ZERO, (since - now) / since)


def daily_loss(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> RuleResult:
    lost = lost_fraction(state.day_start_equity, facts.equity)
    allowed = settings.risk.max_daily_loss
    return answer(
        "daily_loss",
        DenialCode.MAX_DAILY_LOSS,
        facts.reduces or lost < allowed,
        lost=round(lost, 6),
        allowed=allowed,
        day_start_equity=state.day_start_equity or ZERO,
        equity=facts.equity,
    )


def drawdown(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> RuleResult:
    lost = lost_fraction(state.peak_equity, facts.equity)
    allowed = settings.risk.max_drawdown
    return answer(
        "drawdown",
        DenialCode.MAX_DRAWDOWN,
        facts.reduces or lost < allowed,
        lost=round(lost, 6),
        allowed=allowed,
        peak_equity=state.peak_equity or ZERO,
        equity=facts.equity,
    )
