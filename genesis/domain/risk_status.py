"""The risk status: everything a person wants to know of the guards in one value."""

from decimal import Decimal

from genesis.domain.risk_facts import Exposure, strategy_result
from genesis.domain.risk_rules.activity import MINUTE_MS
from genesis.domain.risk_rules.losses import lost_fraction
from genesis.domain.risk_state import RiskState
from genesis.domain.windows import look
from protocols.risk import RiskStatus, WindowsView
from protocols.settings import RiskSettings, Settings
from protocols.units import ZERO, plain


def status_of(state: RiskState, settings: Settings, exposure: Exposure) -> RiskStatus:
    return RiskStatus(
        state=state.trading,
        reason=state.trading_reason,
        paused=state.paused,
        trades_today=state.trades_today,
        trades_today_by_symbol=dict(state.trades_today_by_symbol),
        day=state.day,
        day_start_equity=state.day_start_equity or ZERO,
        peak_equity=state.peak_equity or ZERO,
        headroom=_headroom(state, settings.risk, exposure),
        denials_by_code=dict(state.denials_by_code),
        settings_version=settings.version,
        now_ms=state.now_ms,
        paused_reason=state.paused_reason,
        week=state.week,
        week_start_equity=state.week_start_equity or ZERO,
        locks=tuple(lock for lock in state.locks.values() if lock.until_ms is None or lock.until_ms > state.now_ms),
        breakers=tuple(state.breakers[scope].view() for scope in sorted(state.breakers)),
        windows=windows_view(settings.risk, state.now_ms),
        regimes={
            name: each.regime(float(settings.risk.regime_high_ratio)) for name, each in sorted(state.volatility.items())
        },
        conditions=dict(state.conditions),
        denials_by_rule=dict(state.denials_by_rule),
        exits_owed=tuple(sorted(state.exits_owed)),
    )


def _headroom(state: RiskState, limits: RiskSettings, held: Exposure) -> dict[str, tuple[str, str]]:
    recent = sum(time_ms > state.now_ms - MINUTE_MS for time_ms in state.order_times_ms)
    used: dict[str, tuple[Decimal, Decimal]] = {
        "daily_loss": (round(lost_fraction(state.day_start_equity, held.equity), 6), limits.max_daily_loss),
        "weekly_loss": (round(lost_fraction(state.week_start_equity, held.equity), 6), limits.max_weekly_loss),
        "drawdown": (round(lost_fraction(state.peak_equity, held.equity), 6), limits.max_drawdown),
        "position_notional": (held.largest_position, limits.max_position_notional),
        "gross_exposure": (held.gross_notional, limits.max_gross_exposure),
        "net_exposure": (abs(held.net_notional), limits.max_net_exposure),
        "open_positions": (Decimal(held.open_symbols), Decimal(limits.max_open_positions)),
        "trades_per_day": (Decimal(state.trades_today), Decimal(limits.max_trades_per_day)),
        "trades_per_symbol": (
            Decimal(max(state.trades_today_by_symbol.values(), default=0)),
            Decimal(limits.max_trades_per_symbol),
        ),
        "orders_per_minute": (Decimal(recent), Decimal(limits.max_orders_per_minute)),
    }
    worst = ZERO
    for name, book in state.strategies.items():
        if book.base_equity > 0:
            worst = max(worst, (book.peak - strategy_result(state, name)) / book.base_equity)
    used["strategy_drawdown"] = (round(worst, 6), limits.max_strategy_drawdown)
    return {name: (plain(now), plain(allowed)) for name, (now, allowed) in used.items()}


def windows_view(limits: RiskSettings, at_ms: int) -> WindowsView:
    found = look(limits.windows, limits.windows_timezone, at_ms)
    return WindowsView(
        timezone=limits.windows_timezone,
        windows=limits.windows,
        open=found.open,
        next_opening_ms=found.next_opening_ms,
        next_closing_ms=found.next_closing_ms,
    )
