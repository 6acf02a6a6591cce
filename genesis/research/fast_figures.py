"""The figures of a fast run by the same definitions as an exact one's (`genesis.domain.measures`), for searches.

Those that hang on more than the curve and the profits of the trades are not here: a search that wants one of them is
judged by the exact runner.
"""

import math
from typing import Final

import numpy as np

from genesis.domain.measures import (
    ANNUAL_NEEDS_MS,
    below_peak,
    deviation_of,
    omega_of,
    period_returns,
    sharpe_of,
    sortino_of,
    sqn_of,
)
from genesis.domain.overfitting import returns_by_block
from genesis.domain.performance import MIN_PERIODS, YEAR_MS
from genesis.research.fast import FastResult, Prepared

FAST_FIGURES: Final = frozenset(
    {
        "total_return",
        "cagr",
        "max_drawdown",
        "ulcer_index",
        "periods",
        "sharpe",
        "sortino",
        "calmar",
        "omega",
        "volatility",
        "best_period",
        "worst_period",
        "trades",
        "wins",
        "losses",
        "draws",
        "winrate",
        "profit_factor",
        "expectancy",
        "expectancy_ratio",
        "payoff_ratio",
        "sqn",
        "average_win",
        "average_loss",
    }
)


def fast_figures(prepared: Prepared, result: FastResult) -> dict[str, float | None]:
    """`FAST_FIGURES`, and what a deflated Sharpe ratio needs; None where too little happened to say."""
    at, equity, profits = prepared.point_ms, result.curve, result.profits
    start, final, span_ms = float(equity[0]), float(equity[-1]), int(at[-1] - at[0])
    total = final / start - 1.0 if start > 0 else 0.0
    cagr = None
    if span_ms >= ANNUAL_NEEDS_MS and start > 0:
        cagr = (1.0 + total) ** (YEAR_MS / span_ms) - 1.0 if total > -1.0 else -1.0
    below = below_peak(equity)
    deepest = float(below.max())
    period_ms, returns = period_returns(at, equity)
    per_year = YEAR_MS / period_ms
    sharpe = sharpe_of(returns, per_year)
    won, lost = profits[profits > 0], profits[profits < 0]
    gain, loss, trades = float(won.sum()), -float(lost.sum()), len(profits)
    win = gain / len(won) if len(won) else None
    lose = loss / len(lost) if len(lost) else None
    expectancy = (gain - loss) / trades if trades else None
    found: dict[str, float | None] = {
        "total_return": total,
        "cagr": cagr,
        "max_drawdown": deepest,
        "ulcer_index": math.sqrt(float(np.mean(below**2))),
        "periods": float(len(returns)),
        "sharpe": sharpe,
        "sortino": sortino_of(returns, per_year),
        "calmar": None if cagr is None or deepest <= 0.0 else cagr / deepest,
        "omega": omega_of(returns),
        "volatility": deviation_of(returns) * math.sqrt(per_year) if len(returns) >= MIN_PERIODS else None,
        "best_period": float(returns.max()) if len(returns) else None,
        "worst_period": float(returns.min()) if len(returns) else None,
        "trades": float(trades),
        "wins": float(len(won)),
        "losses": float(len(lost)),
        "draws": float(trades - len(won) - len(lost)),
        "winrate": len(won) / trades if trades else None,
        "profit_factor": gain / loss if loss > 0 else None,
        "expectancy": expectancy,
        "expectancy_ratio": None if expectancy is None or not lose else expectancy / lose,
        "payoff_ratio": None if win is None or not lose else win / lose,
        "sqn": sqn_of(profits.tolist()),
        "average_win": win,
        "average_loss": lose,
    }
    return found | returns_shape(returns, sharpe) | returns_by_block(returns)


def returns_shape(returns: "np.typing.NDArray[np.float64]", sharpe: float | None) -> dict[str, float | None]:
    """What a deflated Sharpe ratio needs of the returns; nothing where there is no Sharpe ratio."""
    spread = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    if sharpe is None or spread <= 0.0:
        return {}
    centred = (returns - returns.mean()) / float(returns.std())
    return {
        "sharpe_of_a_period": float(returns.mean()) / spread,
        "returns_skewness": float((centred**3).mean()),
        "returns_kurtosis": float((centred**4).mean()),
    }
