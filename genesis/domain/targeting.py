"""Whom a targeted flag or a rollout reaches, and by which limits a pair of symbol and strategy is judged then.

Only limits that are asked for each order by itself can differ by target: what is counted for the whole account (days,
breakers, protections) has one value. Which pairs a percentage picks is a matter of names alone: the same ones on every
machine, after every restart and in every backtest.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from protocols.settings import Overlay, RiskSettings, Settings

SECTION: Final = "risk."

SCOPABLE: Final = frozenset(
    SECTION + name
    for name in (
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
        "cooldown_s",
        "windows",
        "windows_timezone",
        "atr_budget",
        "regime_high_ratio",
        "regime_high_fraction",
        "stop_fraction",
        "stop_atr",
        "target_fraction",
        "target_atr",
        "stop_trails",
        "stop_trails_from",
    )
)
"""Paths that may differ by symbol and strategy: each is looked at anew for every order."""


def covers(overlay: Overlay, symbol: str, strategy: str) -> bool:
    """Whether an overlay reaches the orders of this strategy in this symbol."""
    if overlay.symbols and symbol not in overlay.symbols:
        return False
    if overlay.strategies and strategy not in overlay.strategies:
        return False
    return overlay.percent >= 100 or bucket(overlay.name, symbol, strategy) < overlay.percent


def bucket(name: str, symbol: str, strategy: str) -> int:
    """A number from 0 to 99 that is a function of the three names; another name of a flag deals anew."""
    digest = hashlib.sha256(f"{name}\n{symbol}\n{strategy}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 100


def risk_for(settings: Settings, symbol: str, strategy: str) -> RiskSettings:
    """The limits for one pair: those of everybody, with every overlay that reaches it laid over, the last on top."""
    return _with(settings.risk, (each for each in settings.overlays if not each.shadow), symbol, strategy)


def settings_for(settings: Settings, symbol: str, strategy: str) -> Settings:
    """The settings as one pair sees them; the same object where nothing differs."""
    risk = risk_for(settings, symbol, strategy)
    return settings if risk is settings.risk else msgspec.structs.replace(settings, risk=risk)


def shadow_for(settings: Settings, symbol: str, strategy: str) -> Settings | None:
    """What a shadow would judge this pair by; None when there is none that reaches it."""
    shadows = [each for each in settings.overlays if each.shadow and covers(each, symbol, strategy)]
    if not shadows:
        return None
    risk = _with(risk_for(settings, symbol, strategy), shadows, symbol, strategy)
    return msgspec.structs.replace(settings, risk=risk)


def _with(risk: RiskSettings, overlays: Iterable[Overlay], symbol: str, strategy: str) -> RiskSettings:
    values: dict[str, Any] = {}
    for overlay in overlays:
        if covers(overlay, symbol, strategy):
            values |= overlay.values
    if not values:
        return risk
    tree: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(risk))
    return msgspec.convert(tree | values, RiskSettings)
