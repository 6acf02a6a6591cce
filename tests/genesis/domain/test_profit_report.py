"""Finished trades added up by day, week, month, symbol and ending: sums agree, and no unit is left out."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.profit_report import (
    Outcomes,
    Unit,
    by_period,
    by_symbol,
    durations,
    exit_reasons,
    first_day,
    ratio_of,
    totals_of,
)
from protocols.account import ClosedTrade
from protocols.units import Side, Symbol

HOUR_MS = 3_600_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def a_trade(
    pnl: str, exit_at: str | int, *, symbol: str = "tBTCUSD", price: str = "1000", hours: int = 1, ended: str = ""
) -> ClosedTrade:
    exit_ms = exit_at if isinstance(exit_at, int) else at(exit_at)
    return ClosedTrade(
        symbol=Symbol(symbol),
        strategy="s",
        side=Side.BUY,
        quantity=Decimal("2"),
        entry_price=Decimal(price),
        exit_price=Decimal(price),
        entry_ms=exit_ms - hours * HOUR_MS,
        exit_ms=exit_ms,
        pnl=Decimal(pnl),
        fees_quote=Decimal(0),
        correlation_id="c",
        exit_reason=ended,
    )


def test_days_without_a_trade_are_there_and_each_begins_with_what_was_made_before() -> None:
    trades = [a_trade("10", "2024-02-27 12:00"), a_trade("-4", "2024-02-29 01:00"), a_trade("1", "2024-02-29 23:59")]
    rows = by_period(
        totals_of(trades), unit=Unit.DAY, count=4, now_ms=at("2024-03-01 08:00"), start_equity=Decimal("1000")
    )
    assert [(row.first_day, row.profit, row.trades, row.starting_equity) for row in rows] == [
        ("2024-03-01", Decimal(0), 0, Decimal(1007)),
        ("2024-02-29", Decimal(-3), 2, Decimal(1010)),
        ("2024-02-28", Decimal(0), 0, Decimal(1010)),
        ("2024-02-27", Decimal(10), 1, Decimal(1000)),
    ]
    assert rows[3].ratio == pytest.approx(0.01)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    now = at("2024-03-06 00:00")
    weeks = by_period(totals_of([]), unit=Unit.WEEK, count=2, now_ms=now, start_equity=Decimal(0))
    months = by_period(totals_of([]), unit=Unit.MONTH, count=3, now_ms=now, start_equity=Decimal(0))
    assert [row.first_day for row in weeks] == ["2024-03-04", "2024-02-26"]
    assert [row.first_day for row in months] == ["2024-03-01", "2024-02-01", "2024-01-01"]
    assert weeks[0].ratio == 0.0


def test_a_count_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="count must be at least 1, was 0"):
        by_period(totals_of([]), unit=Unit.DAY, count=0, now_ms=0, start_equity=Decimal(0))


@given(
    st.lists(st.tuples(st.integers(-10_000, 10_000), st.integers(0, 40 * 24)), max_size=30),
    st.sampled_from(Unit),
)
def test_units_add_up_to_what_was_made(made: list[tuple[int, int]], unit: Unit) -> None:
    trades = [a_trade(str(pnl), at("2024-01-15 00:00") + hours * HOUR_MS) for pnl, hours in made]
    now = at("2024-02-25 00:00")
    rows = by_period(totals_of(trades), unit=unit, count=60, now_ms=now, start_equity=Decimal(5000))
    total = sum((trade.pnl for trade in trades), Decimal(0))
    assert sum((row.profit for row in rows), Decimal(0)) == total
    assert sum(row.trades for row in rows) == len(trades)
    assert rows[0].starting_equity + rows[0].profit == 5000 + total
    for later, earlier in itertools.pairwise(rows):
        assert later.starting_equity == earlier.starting_equity + earlier.profit
        assert first_day(at(later.first_day + " 00:00"), unit).isoformat() == later.first_day


def test_symbols_are_told_the_best_first() -> None:
    trades = [a_trade("-5", "2024-01-01"), a_trade("8", "2024-01-02", symbol="tETHUSD"), a_trade("1", "2024-01-03")]
    rows = by_symbol(totals_of(trades))
    assert [(row.symbol, row.profit, row.trades) for row in rows] == [
        ("tETHUSD", Decimal(8), 1),
        ("tBTCUSD", Decimal(-4), 2),
    ]
    assert rows[0].ratio == pytest.approx(8 / 2000)
    assert ratio_of(a_trade("1", "2024-01-01", price="0"), Decimal(1)) == 0.0


def test_how_trades_ended_is_counted_with_what_was_won() -> None:
    trades = [
        a_trade("5", "2024-01-01", ended="target"),
        a_trade("-5", "2024-01-02", ended="stop"),
        a_trade("1", "2024-01-02", ended="stop"),
        a_trade("0", "2024-01-03"),
    ]
    assert exit_reasons(totals_of(trades)) == {
        "target": Outcomes(wins=1),
        "stop": Outcomes(wins=1, losses=1),
        "unknown": Outcomes(draws=1),
    }


def test_durations_are_means_of_each_kind() -> None:
    mean = durations(totals_of([a_trade("1", "2024-01-01", hours=1), a_trade("1", "2024-01-01", hours=3)]))
    assert (mean.wins, mean.losses, mean.draws) == (7200.0, None, None)
