"""Rules about what was lost already: since the day or week began, since the peak, and by one strategy.

All of them count open positions at the last known price.
"""

from decimal import Decimal

from genesis.domain.risk_rules.results import Number, rule
from genesis.domain.risk_state import Facts, Wish
from protocols.risk import DenialCode
from protocols.settings import Settings
from protocols.units import ZERO


def lost_fraction(since: Decimal | None, now: Decimal) -> Decimal:
    """How much of `since` is gone; 0 when nothing is, or nothing was there."""
    if since is None or since <= now or since <= 0:
        return ZERO
    return (since - now) / since


@rule(DenialCode.MAX_DAILY_LOSS, opens=True)
def daily_loss(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return lost_fraction(facts.day_start_equity, facts.equity) < settings.risk.max_daily_loss


@daily_loss.tells
def _daily_loss(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {
        "lost": round(lost_fraction(facts.day_start_equity, facts.equity), 6),
        "allowed": settings.risk.max_daily_loss,
        "day_start_equity": facts.day_start_equity,
        "equity": facts.equity,
    }


@rule(DenialCode.MAX_WEEKLY_LOSS, opens=True)
def weekly_loss(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return lost_fraction(facts.week_start_equity, facts.equity) < settings.risk.max_weekly_loss


@weekly_loss.tells
def _weekly_loss(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {
        "lost": round(lost_fraction(facts.week_start_equity, facts.equity), 6),
        "allowed": settings.risk.max_weekly_loss,
        "week_start_equity": facts.week_start_equity,
        "equity": facts.equity,
    }


@rule(DenialCode.MAX_DRAWDOWN, opens=True)
def drawdown(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return lost_fraction(facts.peak_equity, facts.equity) < settings.risk.max_drawdown


@drawdown.tells
def _drawdown(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {
        "lost": round(lost_fraction(facts.peak_equity, facts.equity), 6),
        "allowed": settings.risk.max_drawdown,
        "peak_equity": facts.peak_equity,
        "equity": facts.equity,
    }


@rule(DenialCode.MAX_STRATEGY_DRAWDOWN, opens=True)
def strategy_drawdown(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """How far one strategy's own result has come down from its best, as a part of the account it began that with."""
    return _fallen(facts) < settings.risk.max_strategy_drawdown


def _fallen(facts: Facts) -> Decimal:
    if facts.strategy_base > 0 and facts.strategy_peak > facts.strategy_result:
        return (facts.strategy_peak - facts.strategy_result) / facts.strategy_base
    return ZERO


@strategy_drawdown.tells
def _strategy_drawdown(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {
        "fallen": round(_fallen(facts), 6),
        "allowed": settings.risk.max_strategy_drawdown,
        "best_result": facts.strategy_peak,
        "result": facts.strategy_result,
    }
