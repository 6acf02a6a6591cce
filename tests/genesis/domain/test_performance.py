"""Figures by hand."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.performance import (
    HOUR_MS,
    YEAR_MS,
    max_drawdown,
    performance,
    period_returns,
    profit_factor,
    sharpe_ratio,
    winrate,
)
from protocols.account import ClosedTrade, EquityPoint
from protocols.units import Side, Symbol


def a_trade(pnl: str) -> ClosedTrade:
    return ClosedTrade(
        symbol=Symbol("tBTCUSD"),
        strategy="s",
        side=Side.BUY,
        quantity=Decimal(1),
        entry_price=Decimal(100),
        exit_price=Decimal(100),
        entry_ms=0,
        exit_ms=1,
        pnl=Decimal(pnl),
        fees_quote=Decimal(0),
        correlation_id="c",
    )


def curve(*points: tuple[float, str]) -> tuple[EquityPoint, ...]:
    return tuple(EquityPoint(at_ms=int(hour * HOUR_MS), equity=Decimal(equity)) for hour, equity in points)


def test_drawdown_is_the_deepest_fall_from_a_peak() -> None:
    assert max_drawdown([100.0, 120.0, 90.0, 130.0, 110.0]) == pytest.approx(0.25)
    assert max_drawdown([1.0, 2.0, 3.0]) == 0.0
    assert max_drawdown([]) == 0.0


@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=60))
def test_drawdown_is_the_worst_of_all_pairs(equities: list[float]) -> None:
    worst = max((early - late) / early for place, early in enumerate(equities) for late in equities[place:])
    assert max_drawdown(equities) == pytest.approx(max(0.0, worst))


def test_returns_are_by_whole_periods_and_quiet_ones_return_nothing() -> None:
    found = period_returns(curve((0.2, "100"), (0.9, "110"), (1.5, "99"), (4.1, "99")), HOUR_MS)
    assert found == pytest.approx([0.1, -0.1, 0.0, 0.0])


def test_sharpe_is_annualised_from_its_period() -> None:
    returns = [0.01, -0.005, 0.02, 0.0]
    mean = sum(returns) / 4
    deviation = math.sqrt(sum((one - mean) ** 2 for one in returns) / 3)
    assert sharpe_ratio(returns, HOUR_MS) == pytest.approx(mean / deviation * math.sqrt(8760))
    assert sharpe_ratio(returns, YEAR_MS) == pytest.approx(mean / deviation)


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, 0.2], [0.0, 0.0, 0.0]])
def test_too_little_says_nothing(returns: list[float]) -> None:
    assert sharpe_ratio(returns, HOUR_MS) is None


def test_win_rate_and_profit_factor() -> None:
    trades = [a_trade("10"), a_trade("-5"), a_trade("0"), a_trade("5")]
    assert winrate(trades) == 0.5
    assert profit_factor(trades) == 3.0
    assert winrate([]) is None
    assert profit_factor([a_trade("1")]) is None


def test_all_figures_together() -> None:
    figures = performance(
        curve((0, "1000"), (1, "1100"), (2, "990"), (3, "1045")),
        [a_trade("45")],
        fees_quote=Decimal(3),
        realized_pnl=Decimal(45),
    )
    assert figures.final_equity == 1045
    assert figures.total_return == pytest.approx(0.045)
    assert figures.max_drawdown == pytest.approx(0.1)
    assert figures.sharpe_period_ms == HOUR_MS
    assert (figures.trades, figures.winrate, figures.profit_factor) == (1, 1.0, None)


def test_an_empty_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="curve must have at least one point"):
        performance((), (), fees_quote=Decimal(0), realized_pnl=Decimal(0))
