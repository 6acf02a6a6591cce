"""Rules about what was lost already: since the day or week began, since the peak, and by one strategy.

All of them count open positions at the last known price.
"""

from decimal import Decimal

from genesis.domain.risk_rules.results import Finding, answer
from genesis.domain.risk_state import Facts, RiskState, Wish
from protocols.risk import DenialCode
from protocols.settings import Settings
from protocols.units import ZERO


def lost_fraction(since: Decimal | None, now: Decimal) -> Decimal:
    """How much of `since` is gone; 0 when nothing is, or nothing was there."""
    if since is None or since <= now or since <= 0:
        return ZERO
    return (since - now) / since


def daily_loss(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    lost = lost_fraction(state.day_start_equity, facts.equity)
    allowed = settings.risk.max_daily_loss
    return answer(
        "daily_loss",
        DenialCode.MAX_DAILY_LOSS,
        facts.reduces or lost < allowed,
        lost=round(lost, 6),
        allowed=allowed,
        day_start_equity=state.day_start_equity,
        equity=facts.equity,
    )


def weekly_loss(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    lost = lost_fraction(state.week_start_equity, facts.equity)
    allowed = settings.risk.max_weekly_loss
    return answer(
        "weekly_loss",
        DenialCode.MAX_WEEKLY_LOSS,
        facts.reduces or lost < allowed,
        lost=round(lost, 6),
        allowed=allowed,
        week_start_equity=state.week_start_equity,
        equity=facts.equity,
    )


def drawdown(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    lost = lost_fraction(state.peak_equity, facts.equity)
    allowed = settings.risk.max_drawdown
    return answer(
        "drawdown",
        DenialCode.MAX_DRAWDOWN,
        facts.reduces or lost < allowed,
        lost=round(lost, 6),
        allowed=allowed,
        peak_equity=state.peak_equity,
        equity=facts.equity,
    )


def strategy_drawdown(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    """How far one strategy's own result has come down from its best, as a part of the account it began that with."""
    book = state.strategies.get(wish.strategy)
    allowed = settings.risk.max_strategy_drawdown
    fallen = ZERO
    if book is not None and book.base_equity > 0 and book.peak > facts.strategy_result:
        fallen = (book.peak - facts.strategy_result) / book.base_equity
    return answer(
        "strategy_drawdown",
        DenialCode.MAX_STRATEGY_DRAWDOWN,
        facts.reduces or fallen < allowed,
        fallen=round(fallen, 6),
        allowed=allowed,
        best_result=ZERO if book is None else book.peak,
        result=facts.strategy_result,
    )
