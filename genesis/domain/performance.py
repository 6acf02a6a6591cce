"""The figures of a run, made of its equity curve and its finished trades."""

import math
from collections.abc import Sequence
from decimal import Decimal

from protocols.account import ClosedTrade, EquityPoint, Performance
from protocols.units import ZERO

HOUR_MS = 3_600_000
# Markets that never close: a year is 365 days of 24 hours.
YEAR_MS = 365 * 24 * HOUR_MS


def max_drawdown(equities: Sequence[float]) -> float:
    """The deepest fall from a peak so far, as a fraction of that peak; 0 when it only rose."""
    peak = -math.inf
    deepest = 0.0
    for equity in equities:
        peak = max(peak, equity)
        if peak > 0.0:
            deepest = max(deepest, (peak - equity) / peak)
    return deepest


def period_returns(curve: Sequence[EquityPoint], period_ms: int) -> list[float]:
    """Return of each whole period between the first and the last point, from the last equity known at its end."""
    if not curve:
        return []
    returns: list[float] = []
    before = float(curve[0].equity)
    now = before
    end_ms = (curve[0].at_ms // period_ms + 1) * period_ms
    for point in curve:
        while point.at_ms >= end_ms:
            returns.append(now / before - 1.0 if before > 0.0 else 0.0)
            before = now
            end_ms += period_ms
        now = float(point.equity)
    return returns


def sharpe_ratio(returns: Sequence[float], period_ms: int) -> float | None:
    """Mean over sample deviation of the returns, annualised; no risk-free rate. None under three, or when all equal."""
    count = len(returns)
    if count < 3:
        return None
    mean = math.fsum(returns) / count
    variance = math.fsum((one - mean) ** 2 for one in returns) / (count - 1)
    if variance <= 0.0:
        return None
    return mean / math.sqrt(variance) * math.sqrt(YEAR_MS / period_ms)


def winrate(trades: Sequence[ClosedTrade]) -> float | None:
    """Share of trades that ended above zero after fees."""
    return sum(trade.pnl > 0 for trade in trades) / len(trades) if trades else None


def profit_factor(trades: Sequence[ClosedTrade]) -> float | None:
    """Sum of the wins over the sum of the losses; None without a loss."""
    won = sum((trade.pnl for trade in trades if trade.pnl > 0), ZERO)
    lost = -sum((trade.pnl for trade in trades if trade.pnl < 0), ZERO)
    return float(won / lost) if lost > 0 else None


def performance(
    curve: Sequence[EquityPoint],
    trades: Sequence[ClosedTrade],
    *,
    fees_quote: Decimal,
    realized_pnl: Decimal,
    sharpe_period_ms: int = HOUR_MS,
) -> Performance:
    """All figures. Raises ValueError on an empty curve, which says nothing."""
    if not curve:
        raise ValueError("curve must have at least one point, was empty")
    start, final = curve[0].equity, curve[-1].equity
    return Performance(
        start_equity=start,
        final_equity=final,
        total_return=float(final / start - 1) if start > 0 else 0.0,
        max_drawdown=max_drawdown([float(point.equity) for point in curve]),
        sharpe=sharpe_ratio(period_returns(curve, sharpe_period_ms), sharpe_period_ms),
        sharpe_period_ms=sharpe_period_ms,
        trades=len(trades),
        winrate=winrate(trades),
        profit_factor=profit_factor(trades),
        fees_quote=fees_quote,
        realized_pnl=realized_pnl,
    )
