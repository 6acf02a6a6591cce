"""Which changes of limits allow more risk: anybody who trades may tighten, only an admin may loosen."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

import msgspec

from genesis.domain.windows import WindowFault, is_within
from protocols.settings import RiskSettings


class Stricter(StrEnum):
    """Which way is the safer one. FEWER_OR_OFF: fewer is stricter, but 0 switches the guard off."""

    LOWER = "lower"
    HIGHER = "higher"
    FEWER_OR_OFF = "fewer, 0 is off"
    TRUE = "true"
    NARROWER = "narrower"
    SAME = "the same"


STRICTER: Final[Mapping[str, Stricter]] = {
    **dict.fromkeys(
        (
            "position_fraction",
            "max_order_notional",
            "max_position_notional",
            "max_gross_exposure",
            "max_net_exposure",
            "max_open_positions",
            "max_daily_loss",
            "max_weekly_loss",
            "max_drawdown",
            "max_strategy_drawdown",
            "max_trades_per_day",
            "max_trades_per_symbol",
            "max_orders_per_minute",
            "signal_max_age_s",
            "regime_high_ratio",
            "regime_high_fraction",
        ),
        Stricter.LOWER,
    ),
    **dict.fromkeys(
        (
            "cooldown_s",
            "exit_cooldown_s",
            "stop_guard_window_s",
            "stop_guard_lock_s",
            "low_profit_fraction",
            "low_profit_window_s",
            "low_profit_lock_s",
            "breaker_error_window_s",
            "breaker_cooldown_s",
            "breaker_probes",
        ),
        Stricter.HIGHER,
    ),
    **dict.fromkeys(
        (
            "stop_guard_losses",
            "low_profit_trades",
            "atr_budget",
            "breaker_errors",
            "breaker_spread_bps",
            "breaker_volatility_ratio",
            "breaker_slippage_bps",
            "breaker_data_age_s",
        ),
        Stricter.FEWER_OR_OFF,
    ),
    "stop_guard_all": Stricter.TRUE,
    "windows": Stricter.NARROWER,
    "windows_timezone": Stricter.SAME,
    "day_timezone": Stricter.SAME,
}
"""Of every limit which way is safer. What does not stand here (stops, targets) is an admin's to change."""

SECTION: Final = "risk."


def loosened(now: RiskSettings, changes: Mapping[str, Any]) -> tuple[str, ...]:
    """The paths (`risk.max_drawdown`) whose change allows more than before, or of which nobody can say.

    A value that is no value of that limit counts as tightening here: the settings themselves refuse it with its fault.
    """
    return tuple(path for path, value in changes.items() if _allows_more(now, path, value))


def _allows_more(now: RiskSettings, path: str, value: Any) -> bool:
    name = path.removeprefix(SECTION)
    stricter = STRICTER.get(name)
    if stricter is None or not path.startswith(SECTION):
        return True
    before = getattr(now, name)
    if stricter is Stricter.SAME:
        return bool(value != before)
    if stricter is Stricter.TRUE:
        return bool(before) and not value
    if stricter is Stricter.NARROWER:
        try:
            return not is_within(tuple(value), before)
        except (WindowFault, TypeError):
            return False
    try:
        old, new = Decimal(str(before)), Decimal(str(value))
    except InvalidOperation:
        return False
    if not new.is_finite():
        return False
    if stricter is Stricter.LOWER:
        return new > old
    if stricter is Stricter.HIGHER:
        return new < old
    return (new == 0 and old != 0) or (new > old > 0)


def undecided() -> frozenset[str]:
    """Limits of which this file does not say which way is safer."""
    return frozenset(field.name for field in msgspec.structs.fields(RiskSettings)) - frozenset(STRICTER)
