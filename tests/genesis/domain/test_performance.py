"""Figures by hand."""

import itertools
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.performance import HOUR_MS, YEAR_MS, EquityFigures, TradeFigures, performance
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


def figures_of(points: tuple[EquityPoint, ...]) -> EquityFigures:
    found = EquityFigures()
    for point in points:
        found.on_point(point)
    return found


def of_equities(equities: list[float]) -> EquityFigures:
    return figures_of(curve(*((hour, str(equity)) for hour, equity in enumerate(equities))))


def test_drawdown_is_the_deepest_fall_from_a_peak() -> None:
    assert of_equities([100.0, 120.0, 90.0, 130.0, 110.0]).max_drawdown == pytest.approx(0.25)
    assert of_equities([1.0, 2.0, 3.0]).max_drawdown == 0.0


@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=60))
def test_drawdown_is_the_worst_of_all_pairs(equities: list[float]) -> None:
    worst = max((early - late) / early for place, early in enumerate(equities) for late in equities[place:])
    assert of_equities(equities).max_drawdown == pytest.approx(max(0.0, worst))


def sharpe(returns: list[float], period_ms: int) -> float:
    mean = sum(returns) / len(returns)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in returns) / (len(returns) - 1))
    return mean / deviation * math.sqrt(YEAR_MS / period_ms)


def test_returns_are_by_whole_periods_and_quiet_ones_return_nothing() -> None:
    found = figures_of(curve((0.2, "100"), (0.9, "110"), (1.5, "108.9"), (33.1, "108.9")))
    assert found.periods == 33
    assert found.sharpe == pytest.approx(sharpe([0.1, -0.01, *[0.0] * 31], HOUR_MS))


@given(st.lists(st.floats(0.5, 2.0), min_size=31, max_size=60))
def test_running_sharpe_equals_that_of_the_whole_list(factors: list[float]) -> None:
    equities = [1000.0]
    for factor in factors:
        equities.append(round(equities[-1] * factor, 6))
    returns = [late / early - 1.0 for early, late in itertools.pairwise(equities)]
    found = of_equities(equities)
    # The last point opens a period that has not ended; the return into it belongs to no whole one yet.
    assert found.periods == len(returns)
    if len(set(returns[:-1])) > 1:
        whole = [0.0, *returns[:-1]]
        assert found.sharpe == pytest.approx(sharpe(whole, HOUR_MS), rel=1e-6)


def test_sharpe_is_annualised_from_its_period() -> None:
    points = curve((0, "100"), (1, "101"), (2, "100"), (3, "103"), (30, "103"))
    hourly, yearly = figures_of(points), sharpe([0.0, 0.01, -1 / 101, 0.03, *[0.0] * 26], YEAR_MS)
    assert hourly.sharpe == pytest.approx(yearly * math.sqrt(8760))


def test_returns_are_by_the_day_once_thirty_have_ended() -> None:
    """As in every report; a month of hours would be told by the hour on the 30th day and by the day on the 31st."""
    points = curve(*((24 * day + 12, str(100 + day % 7)) for day in range(31)))
    before, after = figures_of(points[:30]), figures_of(points)
    assert (before.period_ms, before.periods) == (HOUR_MS, 29 * 24)
    equities = [100.0, *(100.0 + day % 7 for day in range(30))]
    returns = [late / early - 1.0 for early, late in itertools.pairwise(equities)]
    assert (after.period_ms, after.periods) == (24 * HOUR_MS, 30)
    assert after.sharpe == pytest.approx(sharpe(returns, 24 * HOUR_MS))
    assert performance(points, (), fees_quote=Decimal(0), realized_pnl=Decimal(0)).sharpe == after.sharpe


@pytest.mark.parametrize("equities", [[100.0], [100.0 + hour for hour in range(30)], [100.0] * 40])
def test_too_little_says_nothing(equities: list[float]) -> None:
    assert of_equities(equities).sharpe is None


def test_looking_at_the_next_point_takes_nothing_in() -> None:
    found = of_equities([100.0, 110.0])
    after = found.with_point(EquityPoint(at_ms=3 * HOUR_MS, equity=Decimal(50)))
    assert (found.max_drawdown, found.periods) == (0.0, 1)
    assert after.max_drawdown == pytest.approx(60 / 110)
    month = figures_of(curve(*((24 * day, str(100 + day % 5)) for day in range(40))))
    told = (month.sharpe, month.periods)
    assert month.with_point(EquityPoint(at_ms=41 * 24 * HOUR_MS, equity=Decimal(50))).periods == 41
    assert (month.sharpe, month.periods) == told


def test_win_rate_and_profit_factor() -> None:
    found = TradeFigures()
    assert (found.winrate, found.profit_factor) == (None, None)
    found.on_trade(a_trade("10"))
    assert (found.winrate, found.profit_factor) == (1.0, None)
    for pnl in ("-5", "0", "5"):
        found.on_trade(a_trade(pnl))
    assert (found.winrate, found.profit_factor) == (0.5, 3.0)


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
