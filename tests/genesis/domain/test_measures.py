"""Every figure of a run against numbers worked out by hand, and against their definitions on random runs."""

import itertools
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain.measures import (
    OrderTally,
    distribution_of,
    drawdowns_of,
    measure,
    period_returns,
    reason_code,
    sharpe_of,
    tally_orders,
)
from genesis.domain.performance import DAY_MS, HOUR_MS, MIN_PERIODS, YEAR_MS, EquityFigures
from protocols.account import EquityPoint
from protocols.measures import Measures, OpenRow, TradeRow
from protocols.orders import OrderState, OrderType, OrderUpdate, OrderView, Purpose
from protocols.units import Side, Symbol

BTC, ETH = Symbol("tBTCUSD"), Symbol("tETHUSD")
# Monday 2018-01-01 00:00 UTC.
MONDAY_MS = 1_514_764_800_000


def curve(equities: list[float], step_ms: int = DAY_MS, start_ms: int = MONDAY_MS) -> list[EquityPoint]:
    return [
        EquityPoint(at_ms=start_ms + number * step_ms, equity=Decimal(repr(equity)))
        for number, equity in enumerate(equities)
    ]


def row(pnl: str, *, entry_h: float = 0.0, hours: float = 1.0, put_in: str = "1000", symbol: Symbol = BTC) -> TradeRow:
    entry_ms = MONDAY_MS + int(entry_h * HOUR_MS)
    return TradeRow(
        symbol=symbol,
        strategy="one" if symbol == BTC else "two",
        tag="ema_cross/1",
        side="long",
        quantity=Decimal(1),
        entry_ms=entry_ms,
        entry_price=Decimal(put_in),
        exit_ms=entry_ms + int(hours * HOUR_MS),
        exit_price=Decimal(put_in) + Decimal(pnl),
        exit_reason="stop" if Decimal(pnl) < 0 else "exit",
        pnl=Decimal(pnl),
        return_=float(Decimal(pnl) / Decimal(put_in)),
        fees_quote=Decimal(1),
    )


def measured(equities: list[float], trades: list[TradeRow] | None = None, step_ms: int = DAY_MS) -> Measures:
    return measure(curve(equities, step_ms), trades or [], fees_quote=Decimal(0), realized_pnl=Decimal(0))


def test_drawdowns_by_hand() -> None:
    # Peak 120 on day 1, bottom 90 on day 3, back on day 5; then peak 130 on day 6 and down to 117 for ever.
    made = measured([100.0, 120.0, 100.0, 90.0, 110.0, 120.0, 130.0, 117.0])
    first, second = made.drawdowns
    assert (first.depth, first.depth_quote) == (0.25, 30.0)
    assert first.peak_ms == MONDAY_MS + DAY_MS
    assert first.bottom_ms == MONDAY_MS + 3 * DAY_MS
    assert first.recovered_ms == MONDAY_MS + 5 * DAY_MS
    assert (first.duration_ms, first.recovery_ms) == (4 * DAY_MS, 2 * DAY_MS)
    assert second.depth == pytest.approx(0.1)
    assert (second.recovered_ms, second.recovery_ms, second.duration_ms) == (None, None, DAY_MS)
    assert made.max_drawdown == 0.25
    assert made.max_drawdown_quote == 30.0
    assert made.longest_drawdown_ms == 4 * DAY_MS
    assert made.longest_recovery_ms == 2 * DAY_MS
    # Below the peak from day 2 to day 5, of seven days; what the last day says lasts no time.
    assert made.time_under_water == pytest.approx(3 / 7)
    assert made.average_drawdown == pytest.approx(0.175)
    assert made.ulcer_index == pytest.approx(math.sqrt(((1 / 6) ** 2 + 0.25**2 + (1 / 12) ** 2 + 0.1**2) / 8))
    assert (made.lowest_equity, made.highest_equity) == (Decimal("90.0"), Decimal("130.0"))


def test_a_year_that_doubles_in_daily_steps_by_hand() -> None:
    """One per cent up and half a per cent down in turn: every ratio from its definition."""
    returns = [0.01 if day % 2 == 0 else -0.005 for day in range(365)]
    equities = [1000.0, *(1000.0 * np.cumprod([1.0 + one for one in returns])).tolist()]
    made = measured(equities)
    # The first day's return is of the day the curve begins in: none. 365 whole days have 364 moves between them.
    told = [0.0, *returns[:-1]]
    mean, up, down = sum(told) / 365, 0.01 * 182, 0.005 * 182
    deviation = math.sqrt(sum((one - mean) ** 2 for one in told) / 364)
    assert (made.return_period_ms, made.periods, made.periods_per_year) == (DAY_MS, 365, 365.0)
    assert made.sharpe == pytest.approx(mean / deviation * math.sqrt(365))
    assert made.sortino == pytest.approx(mean / math.sqrt(182 * 0.005**2 / 365) * math.sqrt(365))
    assert made.omega == pytest.approx(up / down)
    assert made.volatility == pytest.approx(deviation * math.sqrt(365))
    assert made.cagr == pytest.approx(equities[-1] / 1000.0 - 1.0)
    assert made.cagr is not None
    assert made.calmar == pytest.approx(made.cagr / 0.005)
    assert made.best_period == pytest.approx(0.01)
    assert made.worst_period == pytest.approx(-0.005)


def test_trades_by_hand() -> None:
    trades = [
        row("100", entry_h=0, hours=1),
        row("50", entry_h=2, hours=2),
        row("-30", entry_h=3, hours=3),
        row("-20", entry_h=26, hours=1, symbol=ETH),
        row("-10", entry_h=30, hours=5),
        row("0", entry_h=40, hours=1),
    ]
    made = measured([1000.0, 1090.0, 1090.0], trades)
    assert (made.trades, made.wins, made.losses, made.draws) == (6, 2, 3, 1)
    assert made.winrate == pytest.approx(2 / 6)
    assert made.profit_factor == pytest.approx(150 / 60)
    assert made.expectancy == pytest.approx(15.0)
    assert made.average_win == 75.0
    assert made.average_loss == 20.0
    assert made.payoff_ratio == pytest.approx(3.75)
    assert made.expectancy_ratio == pytest.approx(0.75)
    deviation = math.sqrt(sum((one - 15.0) ** 2 for one in (100, 50, -30, -20, -10, 0)) / 5)
    assert made.sqn == pytest.approx(math.sqrt(6) * 15.0 / deviation)
    assert (made.best_trade, made.worst_trade) == (Decimal(100), Decimal(-30))
    assert (made.longest_win_streak, made.longest_loss_streak, made.current_streak) == (2, 3, 0)
    assert made.trades_per_day == 3.0
    hold = made.holding
    assert hold.average_ms == pytest.approx(13 / 6 * HOUR_MS)
    assert hold.median_ms == 1.5 * HOUR_MS
    assert (hold.shortest_ms, hold.longest_ms) == (HOUR_MS, 5 * HOUR_MS)
    assert (hold.winners_average_ms, hold.losers_average_ms) == (1.5 * HOUR_MS, 3 * HOUR_MS)
    # In the market 0-1, 2-6 (two trades overlap), 26-27, 30-35, 40-41 of 48 hours.
    assert made.exposure == pytest.approx(12 / 48)


def test_tables_and_heatmaps_put_each_trade_where_it_began() -> None:
    trades = [row("10", entry_h=5.5), row("-20", entry_h=5.9), row("30", entry_h=24 * 6 + 23, symbol=ETH)]
    made = measured([1000.0, 1020.0], trades)
    assert made.heatmap_counts[0][5] == 2
    assert made.heatmap_return[0][5] == pytest.approx(-0.005)
    assert made.heatmap_winrate[0][5] == 0.5
    assert (made.heatmap_counts[6][23], made.heatmap_return[6][23], made.heatmap_winrate[6][23]) == (1, 0.03, 1.0)
    assert made.heatmap_return[3][3] is None
    assert sum(map(sum, made.heatmap_counts)) == 3
    assert made.heatmap == made.heatmap_return
    assert [(one.name, one.trades, one.pnl) for one in made.tables.symbol] == [
        ("tBTCUSD", 2, Decimal(-10)),
        ("tETHUSD", 1, Decimal(30)),
    ]
    assert [one.name for one in made.tables.weekday] == ["Monday", "Sunday"]
    assert [one.name for one in made.tables.hour] == ["05", "23"]
    assert [one.name for one in made.tables.month] == ["2018-01"]
    assert [(one.name, one.trades) for one in made.tables.exit_reason] == [("exit", 2), ("stop", 1)]
    assert made.tables.strategy[0].winrate == 0.5


def test_months_multiply_to_the_whole() -> None:
    made = measured([1000.0 + 3.0 * day for day in range(80)])
    assert list(made.monthly_returns) == ["2018-01", "2018-02", "2018-03"]
    # From 1000 on the first day to 1090 on the 31st of January.
    assert made.monthly_returns["2018-01"] == pytest.approx(0.09)
    assert math.prod(1.0 + one for one in made.monthly_returns.values()) == pytest.approx(1.0 + made.total_return)


def test_market_turnover_and_what_is_left_open() -> None:
    left = OpenRow(
        symbol=BTC,
        strategy="one",
        quantity=Decimal(1),
        entry_ms=MONDAY_MS + 12 * HOUR_MS,
        average_price=Decimal(100),
        mark_price=Decimal(110),
        unrealized_pnl=Decimal(10),
    )
    made = measure(
        curve([1000.0, 1000.0, 1010.0]),
        [],
        fees_quote=Decimal(3),
        realized_pnl=Decimal(0),
        traded_quote=Decimal(2000),
        left_open=[left],
        market={"tBTCUSD": (100.0, 110.0), "tETHUSD": (50.0, 45.0)},
    )
    assert made.turnover == pytest.approx(2.0)
    assert made.buy_and_hold == pytest.approx(0.0)
    assert made.buy_and_hold_by_symbol == {"tBTCUSD": pytest.approx(0.1), "tETHUSD": pytest.approx(-0.1)}
    assert made.exposure == pytest.approx(36 / 48)
    assert made.left_open == (left,)


def test_little_says_nothing_instead_of_something_wild() -> None:
    made = measured([1000.0, 1010.0, 1020.0], step_ms=HOUR_MS)
    for name in ("cagr", "sharpe", "sortino", "omega", "calmar", "volatility", "winrate", "sqn", "profit_factor"):
        assert getattr(made, name) is None, name
    assert made.return_period_ms == HOUR_MS
    assert made.periods_needed == MIN_PERIODS
    assert (made.trades, made.exposure, made.drawdowns) == (0, 0.0, ())
    one = measured([1000.0])
    assert (one.total_return, one.time_under_water, one.equity_curve) == (0.0, 0.0, ((MONDAY_MS, 1000.0),))
    with pytest.raises(ValueError, match="curve must have at least one point"):
        measure([], [], fees_quote=Decimal(0), realized_pnl=Decimal(0))


def test_a_lost_account_breaks_no_figure() -> None:
    made = measured([1000.0, 0.0, *([0.0] * 40)])
    assert (made.max_drawdown, made.total_return, made.cagr) == (1.0, -1.0, -1.0)


@settings(deadline=None)
@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=80))
def test_drawdowns_agree_with_all_pairs(equities: list[float]) -> None:
    at = np.arange(len(equities), dtype=np.int64)
    falls = drawdowns_of(at, np.array(equities))
    worst = max((early - late) / early for place, early in enumerate(equities) for late in equities[place:])
    assert max((fall.depth for fall in falls), default=0.0) == pytest.approx(max(0.0, worst))
    assert all(fall.peak_ms < fall.bottom_ms for fall in falls)
    assert all(early.recovered_ms is not None for early in falls[:-1])
    assert all((early.recovered_ms or 0) <= late.peak_ms for early, late in itertools.pairwise(falls))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 5 * HOUR_MS) | st.integers(DAY_MS // 2, 3 * DAY_MS), st.floats(0.5, 2.0)),
        min_size=1,
        max_size=120,
    ),
    st.integers(0, DAY_MS),
)
def test_period_returns_are_those_of_the_live_tracker(steps: list[tuple[int, float]], offset: int) -> None:
    """Two implementations of one definition: a running one and one over arrays, in which a step is a few hours or a few
    days, so that some curves are told by the day."""
    running = EquityFigures()
    at, equity, points = MONDAY_MS + offset, 1000.0, []
    for step, factor in steps:
        points.append((at, equity))
        running.on_point(EquityPoint(at_ms=at, equity=Decimal(repr(equity))))
        at, equity = at + step, min(max(equity * factor, 1e-3), 1e9)
    times, equities = np.array([one for one, _ in points], dtype=np.int64), np.array([one for _, one in points])
    period_ms, returns = period_returns(times, equities)
    assert (period_ms, len(returns)) == (running.period_ms, running.periods)
    if len(returns):
        assert float(returns.mean()) == pytest.approx(running._told.mean, abs=1e-12)
    sharpe = sharpe_of(returns, YEAR_MS / period_ms)
    assert running.sharpe == (None if sharpe is None else pytest.approx(sharpe, rel=1e-6))


@settings(deadline=None)
@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=60))
def test_a_distribution_counts_every_trade_once(returns: list[float]) -> None:
    made = distribution_of(returns)
    assert sum(made.counts) == len(returns)
    assert made.edges[0] <= min(returns)
    assert max(returns) <= made.edges[-1]


def test_a_long_curve_is_thinned_to_its_extremes() -> None:
    equities = [1000.0 + (37 * number) % 101 for number in range(20_000)]
    equities[7777] = 5000.0
    equities[12_345] = 1.0
    made = measure(curve(equities, HOUR_MS), [], fees_quote=Decimal(0), realized_pnl=Decimal(0), curve_points=500)
    told = [equity for _, equity in made.equity_curve]
    assert len(told) <= 502
    assert 5000.0 in told
    assert 1.0 in told
    assert (told[0], told[-1]) == (equities[0], equities[-1])
    assert [at for at, _ in made.equity_curve] == sorted({at for at, _ in made.equity_curve})


def order(state: OrderState, reason: str, intent_id: str = "i", purpose: Purpose = Purpose.ENTRY) -> OrderUpdate:
    return OrderUpdate(
        order=OrderView(
            intent_id=intent_id,
            cid=1,
            venue_id=1,
            strategy="one",
            symbol=BTC,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            purpose=purpose,
            quantity=Decimal(1),
            filled_quantity=Decimal(0),
            average_fill_price=Decimal(0),
            price=Decimal(1),
            state=state,
            reason=reason,
            created_ms=0,
            updated_ms=0,
            correlation_id="c",
            foreign=False,
        )
    )


def test_orders_are_counted_once_and_by_why_they_ended() -> None:
    tally = OrderTally(sent=6)
    for update in (
        order(OrderState.ACKED, "", "a"),
        order(OrderState.PENDING_CANCEL, "not filled in 30 s, priced anew 2 times", "a"),
        order(OrderState.CANCELED, "CANCELED", "a"),
        order(OrderState.CANCELED, "CANCELED", "a"),
        order(OrderState.PENDING_CANCEL, "not filled in 45 s, priced anew 2 times", "b"),
        order(OrderState.CANCELED, "CANCELED", "b"),
        order(OrderState.CANCELED, "CANCELED", "c", Purpose.STOP),
        order(OrderState.REJECTED, "Invalid order: not enough balance for 0.5 BTC", "d"),
        order(OrderState.DEAD, "absent for 150 s", "e"),
        order(OrderState.FILLED, "EXECUTED", "f"),
    ):
        tally.on_update(update)
    counts = tally.counts({"paused": 2})
    assert (counts.sent, counts.filled, counts.cancelled, counts.refused, counts.timed_out) == (6, 1, 1, 2, 2)
    assert counts.timed_out_by_reason == {"entry: not filled in # s, priced anew # times": 2}
    assert counts.cancelled_by_reason == {"stop: CANCELED": 1}
    assert counts.refused_by_reason == {
        "entry: Invalid order: not enough balance for # BTC": 1,
        "entry: absent for # s": 1,
    }
    assert counts.refused_by_risk == {"paused": 2}
    assert reason_code("") == "no reason given"
    known = tally_orders([order(OrderState.FILLED, "", "x").order, order(OrderState.ACKED, "", "y").order])
    assert (known.counts({}).sent, known.counts({}).filled) == (2, 1)
