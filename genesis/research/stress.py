"""Cost stress: the same backtest with fees, spread, slippage and latency made worse, and what is left of it then.

A result that lives off a few hundredths of a percent a trade is gone as soon as the market is a little worse than
assumed. Each row trades the whole market anew by the exact runner: sizes, stops and refusals follow the costs.
"""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Final

import msgspec

from genesis.domain.matching import FillModel
from genesis.research.backtest import BacktestResult, run_backtest
from genesis.research.bars import BarRecording
from genesis.research.costs import worsened
from protocols.settings import Settings


class Worse(msgspec.Struct, frozen=True, kw_only=True):
    """How much worse: fees, spread with slippage and impact, and interest, times so much; and more latency."""

    name: str
    fees: Decimal = Decimal(1)
    slippage: Decimal = Decimal(1)
    carry: Decimal = Decimal(1)
    latency_ms: int = 0


def _times(factor: str) -> Worse:
    return Worse(name=f"all costs x {factor}", fees=Decimal(factor), slippage=Decimal(factor), carry=Decimal(factor))


NONE: Final = Worse(name="no costs", fees=Decimal(0), slippage=Decimal(0), carry=Decimal(0))
AS_ASSUMED: Final = Worse(name="as assumed")
LADDER: Final = (NONE, AS_ASSUMED, _times("1.5"), _times("2"), _times("3"), _times("5"))
"""All costs together, ascending: what the plot and the break-even are made of."""
ALONE: Final = (
    Worse(name="fees x 2", fees=Decimal(2)),
    Worse(name="spread and slippage x 2", slippage=Decimal(2)),
    Worse(name="spread and slippage x 5", slippage=Decimal(5)),
    Worse(name="latency + 1 s", latency_ms=1_000),
    Worse(name="latency + 15 s", latency_ms=15_000),
    Worse(name="latency + 60 s", latency_ms=60_000),
)


class StressRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run under worse costs. `on_ladder` rows have every cost multiplied by the same number."""

    worse: Worse
    on_ladder: bool
    final_equity: Decimal
    total_return: float
    max_drawdown: float
    sharpe: float | None
    trades: int
    winrate: float | None
    fees_quote: Decimal


class Stress(msgspec.Struct, frozen=True, kw_only=True):
    """`break_even` is how many times the assumed costs the strategy could bear before it loses: by straight lines
    between the rows. None where it never earns, or still earns at the highest."""

    rows: tuple[StressRow, ...]
    break_even: float | None


def stress(
    bars: BarRecording,
    settings: Settings,
    model: FillModel,
    balance: Decimal,
    *,
    as_assumed: BacktestResult | None = None,
    on_progress: Callable[[float, str], None] = lambda part, text: None,
) -> Stress:
    """Trade the market again under each of the worse costs. `as_assumed` is the run that was made already."""
    rows: list[StressRow] = []
    every = (*LADDER, *ALONE)
    for place, worse in enumerate(every):
        on_progress(place / len(every), f"cost stress: {worse.name}")
        result = as_assumed if worse == AS_ASSUMED else None
        if result is None:
            result = run_backtest(
                bars,
                settings,
                model=worsened(
                    model,
                    fees=worse.fees,
                    slippage=worse.slippage,
                    carry=worse.carry,
                    latency_ms=worse.latency_ms,
                ),
                balances=(("exchange", settings.quote_currency, balance),),
            )
        made = result.measures
        rows.append(
            StressRow(
                worse=worse,
                on_ladder=worse in LADDER,
                final_equity=made.final_equity,
                total_return=made.total_return,
                max_drawdown=made.max_drawdown,
                sharpe=made.sharpe,
                trades=made.trades,
                winrate=made.winrate,
                fees_quote=made.fees_quote,
            )
        )
    return Stress(
        rows=tuple(rows),
        break_even=break_even([(float(row.worse.fees), row.total_return) for row in rows if row.on_ladder]),
    )


def break_even(ladder: list[tuple[float, float]]) -> float | None:
    """The factor at which the return becomes zero: of (factor, return), ascending by factor.

    >>> break_even([(0.0, 0.2), (1.0, 0.1), (2.0, -0.1)])
    1.5
    """
    for (factor, earned), (next_factor, lost) in pairwise(ladder):
        if earned > 0.0 >= lost:
            return factor + earned / (earned - lost) * (next_factor - factor)
    return None
