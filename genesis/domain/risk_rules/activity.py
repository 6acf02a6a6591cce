"""Rules about how often we trade. A trade is an approved entry; orders per minute count exits too."""

from genesis.domain.risk_rules.results import Finding, answer
from genesis.domain.risk_state import Facts, RiskState, Wish
from protocols.risk import DenialCode
from protocols.settings import Settings

MINUTE_MS = 60_000


def trades_per_day(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    allowed = settings.risk.max_trades_per_day
    return answer(
        "trades_per_day",
        DenialCode.MAX_TRADES_PER_DAY,
        facts.reduces or state.trades_today < allowed,
        today=state.trades_today,
        allowed=allowed,
    )


def trades_per_symbol(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    today = state.trades_today_by_symbol.get(wish.symbol, 0)
    allowed = settings.risk.max_trades_per_symbol
    return answer(
        "trades_per_symbol",
        DenialCode.MAX_TRADES_PER_SYMBOL,
        facts.reduces or today < allowed,
        today=today,
        allowed=allowed,
    )


def orders_per_minute(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    since = facts.now_ms - MINUTE_MS
    recent = sum([time_ms > since for time_ms in state.order_times_ms])
    allowed = settings.risk.max_orders_per_minute
    return answer(
        "orders_per_minute",
        DenialCode.MAX_ORDERS_PER_MINUTE,
        facts.reduces or recent < allowed,
        last_minute=recent,
        allowed=allowed,
    )


def cooled_down(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    """Least time between two entries in a symbol."""
    least_ms = int(settings.risk.cooldown_s * 1000)
    last_ms = state.last_entry_ms.get(wish.symbol)
    since_ms = None if last_ms is None else facts.now_ms - last_ms
    return answer(
        "cooled_down",
        DenialCode.COOLDOWN,
        facts.reduces or since_ms is None or since_ms >= least_ms,
        since_entry_ms=since_ms,
        least_ms=least_ms,
    )
