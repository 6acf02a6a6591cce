"""Rules about how often we trade. A trade is an approved entry; orders per minute count exits too."""

from genesis.domain.risk_rules.results import Number, rule
from genesis.domain.risk_state import Facts, Wish
from protocols.risk import DenialCode
from protocols.settings import Settings

MINUTE_MS = 60_000


@rule(DenialCode.MAX_TRADES_PER_DAY, opens=True)
def trades_per_day(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return facts.trades_today < settings.risk.max_trades_per_day


@trades_per_day.tells
def _trades_per_day(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"today": facts.trades_today, "allowed": settings.risk.max_trades_per_day}


@rule(DenialCode.MAX_TRADES_PER_SYMBOL, opens=True)
def trades_per_symbol(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return facts.trades_today_here < settings.risk.max_trades_per_symbol


@trades_per_symbol.tells
def _trades_per_symbol(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"today": facts.trades_today_here, "allowed": settings.risk.max_trades_per_symbol}


@rule(DenialCode.MAX_ORDERS_PER_MINUTE, opens=True, moves=True)
def orders_per_minute(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return facts.orders_last_minute < settings.risk.max_orders_per_minute


@orders_per_minute.tells
def _orders_per_minute(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    return {"last_minute": facts.orders_last_minute, "allowed": settings.risk.max_orders_per_minute}


@rule(DenialCode.COOLDOWN, opens=True, moves=True)
def cooled_down(settings: Settings, facts: Facts, wish: Wish) -> bool:
    """Least time between two entries in a symbol."""
    if facts.last_entry_ms is None:
        return True
    return facts.now_ms - facts.last_entry_ms >= int(settings.risk.cooldown_s * 1000)


@cooled_down.tells
def _cooled_down(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    since_ms = None if facts.last_entry_ms is None else facts.now_ms - facts.last_entry_ms
    return {"since_entry_ms": since_ms, "least_ms": int(settings.risk.cooldown_s * 1000)}
