"""A result as a page of its own: one HTML file without script or network that opens offline and prints.

The drawings are SVG inside the page, so a year of trading is some hundred kilobytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from genesis.domain.measures import WEEKDAYS
from genesis.domain.overfitting import MonteCarlo, block_bootstrap, shuffle_trades, why_no_efficiency
from genesis.research.costs import flat_fees
from genesis.research.drawing import Plane, bounds, count_heat, heat
from genesis.research.runs import RunResult, when
from genesis.research.search import StudyReport, judged, overfitted
from genesis.research.walk_drawing import tests_svg, windows_svg
from protocols.measures import Group, TradeRow

TEMPLATES: Final = Path(__file__).parent
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CARLO_RUNS: Final = 2_000
CARLO_SEED: Final = 1
MARKS_DRAWN: Final = 400
TRADES_SHOWN: Final = 2_000


def html_of(result: RunResult) -> str:
    """The page of a backtest."""
    made, data = result.measures, result.data
    return _render(
        "report.html.j2",
        title=result.title or f"Backtest of {data.market}",
        market=f"{data.market} ({', '.join(data.symbols)})",
        **{"from": when(data.first_ms), "to": when(data.last_ms)},
        candles=f"{data.candles:,}",
        headline=_headline(result),
        held_note="" if len(data.symbols) == 1 else ", the same part in each pair",
        equity_svg=_equity(result),
        drawdown_svg=_drawdown(result),
        months=MONTHS,
        monthly=_monthly(made.monthly_returns),
        figures=_figures(result),
        period="day" if made.return_period_ms == 86_400_000 else "hour",
        periods=made.periods,
        needed=made.periods_needed,
        carlo=_carlo(result),
        stress=_stress(result),
        stress_svg=_stress_drawing(result),
        break_even=_break_even(result),
        heatmaps=_heatmaps(result),
        distribution_svg=_distribution(result),
        charts=[(chart.symbol, _prices(result, chart)) for chart in result.charts],
        tables=_tables(result),
        costs=_costs(result),
        slippage=[
            (
                row.name,
                row.orders,
                f"{row.mean_bps:+.2f}",
                f"{row.median_bps:+.2f}",
                f"{row.p95_bps:+.2f}",
                money(row.cost_quote),
            )
            for row in result.executions.by_purpose
        ],
        refusals=[
            ("Refused by risk", _counted(made.orders.refused_by_risk)),
            ("Refused by the venue", _counted(made.orders.refused_by_reason)),
            ("Cancelled", _counted(made.orders.cancelled_by_reason)),
            ("Timed out", _counted(made.orders.timed_out_by_reason)),
        ],
        left_open=[
            (
                row.symbol,
                row.strategy,
                number(row.quantity),
                when(row.entry_ms),
                number(row.average_price),
                number(row.mark_price),
                money(row.unrealized_pnl),
            )
            for row in made.left_open
        ],
        trades=[_trade(row) for row in result.trades[-TRADES_SHOWN:]],
        provenance=[
            ("Market", data.market),
            ("Data, sha256", data.sha256),
            ("Code", f"{result.code.version}, sha256 {result.code.sha256}"),
            ("Fills, sha256", result.digest),
            ("Balance at the start", money(result.request.balance)),
            ("Half spread, slippage", f"{result.request.costs.half_spread}, {result.request.costs.slippage}"),
            ("Latency, part of a tick's volume", f"{result.request.costs.latency_ms} ms, {_part(result)}"),
            ("Fees, impact, interest a day", _terms(result)),
        ],
        settings=msgspec.json.format(msgspec.json.encode(result.request.settings, order="sorted"), indent=1).decode(),
        version=result.code.version,
    )


def study_html(title: str, market: str, report: StudyReport, version: str) -> str:
    """The page of a search: the front, and every two parameters against each other."""
    names = [name for name, _ in report.objectives]
    best = report.best
    parameters = list(best.values) if best is not None else []
    return _render(
        "study.html.j2",
        title=title,
        market=market,
        objectives=", ".join(f"{way} {name}" for name, way in report.objectives),
        metric=names[0],
        facts=[
            ("Trials", report.trials),
            ("Failed", report.failed),
            ("Against a requirement", report.infeasible),
            ("Best", "-" if best is None else ", ".join(f"{name} = {value:g}" for name, value in best.values.items())),
            ("Judged by", judged(report)),
            ("Plateau (near 1 is good, near 0 a needle)", ratio(report.plateau)),
            (
                "More than luck (deflated Sharpe ratio)",
                "-" if report.deflated_sharpe is None else f"{report.deflated_sharpe:.1%}",
            ),
            ("Probability of overfitting (PBO)", overfitted(report)),
        ],
        windows_svg="",
        tests_svg="",
        heading="Not beaten by any other",
        columns=["Trial", *parameters, *names, "total_return", "max_drawdown", "trades"],
        front=[
            (
                trial.number + 1,
                *(f"{trial.values[name]:g}" for name in parameters),
                *(ratio(trial.figures.get(name)) for name in (*names, "total_return", "max_drawdown", "trades")),
            )
            for trial in report.front[:50]
        ],
        heatmaps=[_study_heatmap(one) for one in report.heatmaps],
        version=version,
    )


def walk_html(
    title: str, market: str, steps: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], version: str
) -> str:
    """The page of a walk-forward: what each window found, and what that was worth on the next. As it is kept, in JSON.
    Raises KeyError and TypeError on what is none."""
    metric = summary["metric"]

    def row(step: Mapping[str, Any]) -> tuple[str, ...]:
        window, learned, tested = step["window"], step["learned"] or {}, step.get("tested") or {}
        if isinstance(tested, str):
            return when(window["train_from"]), when(window["train_to"]), when(window["test_to"]), tested, *("-",) * 5
        values = ", ".join(f"{name} = {value:g}" for name, value in (step["values"] or {}).items())
        return (
            when(window["train_from"]),
            when(window["train_to"]),
            when(window["test_to"]),
            values or f"none: {step.get('why', 'no trial was good enough')}",
            ratio(learned.get(metric)),
            ratio(tested.get(metric)),
            percent(tested.get("total_return")),
            percent(tested.get("buy_and_hold")),
            "-" if tested.get("trades") is None else f"{tested['trades']:.0f}",
        )

    return _render(
        "study.html.j2",
        title=title,
        market=market,
        objectives=f"walk-forward by {metric}",
        metric=metric,
        facts=[
            ("Windows", f"{summary['windows']}, tested {summary['tested']}"),
            ("Return of the tests together", percent(summary["total_return"])),
            ("Drawdown of the tests together, at most", plain_percent(summary["max_drawdown_at_most"])),
            (f"{metric}, mean of what was learned", ratio(summary["learned_mean"])),
            (f"{metric}, mean of what was tested", ratio(summary["tested_mean"])),
            ("Efficiency (tested over learned)", _efficiency(summary)),
        ],
        windows_svg=windows_svg(steps, metric),
        tests_svg=tests_svg(steps),
        heading="Window by window",
        columns=[
            "Learned from",
            "To",
            "Tested to",
            "Parameters",
            f"{metric} learned",
            f"{metric} tested",
            "Return",
            "Buy and hold",
            "Trades",
        ],
        front=[row(step) for step in steps],
        heatmaps=[],
        version=version,
    )


def _efficiency(summary: Mapping[str, Any]) -> str:
    known = summary["efficiency"]
    return ratio(known) if known is not None else f"- ({why_no_efficiency(summary['tested'], summary['learned_mean'])})"


def _study_heatmap(one: Any) -> dict[str, Any]:
    known = [abs(value) for row in one.means for value in row if value is not None]
    largest = max(known, default=0.0)
    return {
        "x": one.x,
        "y": one.y,
        "x_values": [f"{value:.4g}" for value in one.x_values],
        "rows": [
            (
                f"{one.y_values[place]:.4g}",
                [
                    ("" if value is None else f"{value:.3g}", heat(value, largest), f"{count} trials")
                    for value, count in zip(one.means[place], one.counts[place], strict=True)
                ],
            )
            for place in range(len(one.y_values))
        ],
    }


def _render(name: str, **values: Any) -> str:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    # Drawings are our own text, with every word from outside escaped in them.
    safe = {key: Markup(value) for key, value in values.items() if key.endswith("_svg")}  # noqa: S704
    if "charts" in values:
        safe["charts"] = [(symbol, Markup(drawing)) for symbol, drawing in values["charts"]]  # type: ignore[assignment]  # noqa: S704
    return environment.get_template(name).render(**{**values, **safe})


# --- numbers as people read them ----------------------------------------------------------------------------------


def money(value: Decimal | float) -> str:
    return f"{Decimal(str(value)):,.2f}"


def number(value: Decimal) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2%}"


def plain_percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if abs(value) < 10 else f"{value:,.1f}"


def span(ms: float | None) -> str:
    if ms is None:
        return "-"
    minutes = ms / 60_000
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 2880 else f"{minutes / 1440:.1f} days"


def _part(result: RunResult) -> str:
    part = result.request.costs.participation
    return "no limit" if part is None else str(part)


def _counted(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _sign(value: float | Decimal) -> str:
    return "up" if value > 0 else "down" if value < 0 else ""


# --- the parts ----------------------------------------------------------------------------------------------------


def _headline(result: RunResult) -> list[tuple[str, str, str]]:
    made = result.measures
    return [
        ("Return", percent(made.total_return), _sign(made.total_return)),
        ("Buy and hold", percent(made.buy_and_hold), _sign(made.buy_and_hold or 0)),
        ("Final equity", money(made.final_equity), ""),
        ("Max drawdown", plain_percent(made.max_drawdown), "down" if made.max_drawdown else ""),
        ("Sharpe", ratio(made.sharpe), ""),
        ("Sortino", ratio(made.sortino), ""),
        ("Trades", str(made.trades), ""),
        ("Win rate", plain_percent(made.winrate), ""),
        ("Profit factor", ratio(made.profit_factor), ""),
        ("Exposure", plain_percent(made.exposure), ""),
        ("Fees", money(made.fees_quote), ""),
        ("Growth a year", percent(made.cagr), _sign(made.cagr or 0)),
    ]


def _held(result: RunResult) -> list[tuple[float, float]]:
    """What the money would be worth, had it been put into the pairs in equal parts at the start."""
    start = float(result.measures.start_equity)
    series = [
        [(float(row.open_ms + chart.step_ms), row.close / chart.candles[0].open) for row in chart.candles]
        for chart in result.charts
        if chart.candles
    ]
    if not series:
        return []
    moments = sorted({at for points in series for at, _ in points})
    places, lasts = [0] * len(series), [1.0] * len(series)
    found: list[tuple[float, float]] = []
    for at in moments:
        for one, points in enumerate(series):
            while places[one] < len(points) and points[places[one]][0] <= at:
                lasts[one] = points[places[one]][1]
                places[one] += 1
        found.append((at, start * sum(lasts) / len(lasts)))
    return found


def _equity(result: RunResult) -> str:
    curve = [(float(at), equity) for at, equity in result.measures.equity_curve]
    held = [point for point in _held(result) if curve[0][0] <= point[0] <= curve[-1][0]]
    plane = Plane((curve[0][0], curve[-1][0]), bounds([y for _, y in (*curve, *held)]), 300)
    plane.axes(y_text=lambda value: f"{value:,.0f}" if value == round(value) else f"{value:,.2f}")
    plane.line(held, "market")
    plane.line(curve, "equity")
    return plane.svg("Equity over time, and the same money bought and held")


def grid_percent(value: float) -> str:
    """A fraction as a grid's text, with the decimals that it has: -1.5 % is not -2 %."""
    return f"{value * 100:.6g}%"


def _drawdown(result: RunResult) -> str:
    peak, falls = -1.0, []
    for at, equity in result.measures.equity_curve:
        peak = max(peak, equity)
        falls.append((float(at), -(peak - equity) / peak if peak > 0 else 0.0))
    plane = Plane((falls[0][0], falls[-1][0]), (min(-0.01, *(y for _, y in falls)) * 1.05, 0.0), 140)
    plane.axes(y_text=grid_percent)
    plane.area(falls, 0.0, "fall")
    return plane.svg("Drawdown over time")


def _distribution(result: RunResult) -> str:
    found = result.measures.distribution
    if not found.counts:
        return ""
    plane = Plane((found.edges[0] * 100, found.edges[-1] * 100), (0.0, max(found.counts) * 1.1), 180)
    plane.axes(y_text=lambda value: f"{value:g}", time=False)
    for place, count in enumerate(found.counts):
        low, high = found.edges[place] * 100, found.edges[place + 1] * 100
        plane.bar(low, high, count, "won" if low + high >= 0 else "lost", f"{low:.2f} % to {high:.2f} %: {count}")
    return plane.svg("How many trades had which return, in percent")


def _prices(result: RunResult, chart: Any) -> str:
    points = [(float(row.open_ms + chart.step_ms), row.close) for row in chart.candles]
    trades = [row for row in result.trades if row.symbol == chart.symbol][-MARKS_DRAWN:]
    levels = [price for _, price in points] + [float(row.entry_price) for row in trades]
    plane = Plane((points[0][0], max(points[-1][0], points[0][0] + 1)), bounds(levels), 240)
    plane.axes(y_text=lambda value: f"{value:,.6g}")
    plane.line(points, "price")
    for row in trades:
        long = row.side == "long"
        plane.mark(row.entry_ms, float(row.entry_price), "in", f"{row.side} at {row.entry_price:.8g}", up=long)
        kind = "out-up" if row.pnl > 0 else "out-down"
        plane.mark(
            row.exit_ms,
            float(row.exit_price),
            kind,
            f"{row.exit_reason} at {row.exit_price:.8g}: {row.pnl:.2f}",
            up=not long,
        )
    return plane.svg(f"Price of {chart.symbol} with entries and exits")


def _monthly(returns: Mapping[str, float]) -> list[tuple[str, list[tuple[str, str]], str]]:
    largest = max((abs(value) for value in returns.values()), default=0.0)
    rows = []
    for year in sorted({name[:4] for name in returns}):
        cells, whole = [], 1.0
        for month in range(1, 13):
            value = returns.get(f"{year}-{month:02}")
            whole *= 1.0 + (value or 0.0)
            cells.append(("" if value is None else f"{value:+.1%}", heat(value, largest)))
        rows.append((year, cells, percent(whole - 1.0)))
    return rows


def _figures(result: RunResult) -> list[list[tuple[str, str]]]:
    made, fall = result.measures, next(iter(result.measures.drawdowns), None)
    left = [
        ("Equity at the start", money(made.start_equity)),
        ("Equity at the end", money(made.final_equity)),
        ("Lowest, highest equity", f"{money(made.lowest_equity)}, {money(made.highest_equity)}"),
        ("Profit", money(made.profit)),
        ("Growth a year (CAGR)", percent(made.cagr)),
        ("Volatility a year", plain_percent(made.volatility)),
        ("Sharpe, Sortino", f"{ratio(made.sharpe)}, {ratio(made.sortino)}"),
        ("Calmar, Omega", f"{ratio(made.calmar)}, {ratio(made.omega)}"),
        ("Best, worst period", f"{percent(made.best_period)}, {percent(made.worst_period)}"),
        ("Deepest drawdown", f"{plain_percent(made.max_drawdown)} ({money(made.max_drawdown_quote)})"),
        ("from, to the bottom", "-" if fall is None else f"{when(fall.peak_ms)}, {when(fall.bottom_ms)}"),
        (
            "recovered",
            "-" if fall is None else "not yet" if fall.recovered_ms is None else when(fall.recovered_ms),
        ),
        ("Longest drawdown, recovery", f"{span(made.longest_drawdown_ms)}, {span(made.longest_recovery_ms)}"),
        ("Time under water", plain_percent(made.time_under_water)),
        ("Mean drawdown, ulcer index", f"{plain_percent(made.average_drawdown)}, {plain_percent(made.ulcer_index)}"),
    ]
    hold, spread = made.holding, made.distribution
    right = [
        ("Trades (a day)", f"{made.trades} ({ratio(made.trades_per_day)})"),
        ("Won, lost, even", f"{made.wins}, {made.losses}, {made.draws}"),
        ("Win rate", plain_percent(made.winrate)),
        ("Profit factor, payoff", f"{ratio(made.profit_factor)}, {ratio(made.payoff_ratio)}"),
        ("Expectancy (over the mean loss)", f"{ratio(made.expectancy)} ({ratio(made.expectancy_ratio)})"),
        ("SQN", ratio(made.sqn)),
        ("Mean win, mean loss", f"{ratio(made.average_win)}, {ratio(made.average_loss)}"),
        ("Best, worst trade", f"{_or_dash(made.best_trade)}, {_or_dash(made.worst_trade)}"),
        ("Longest streak won, lost", f"{made.longest_win_streak}, {made.longest_loss_streak}"),
        ("Held: mean, median", f"{span(hold.average_ms)}, {span(hold.median_ms)}"),
        ("Held: winners, losers", f"{span(hold.winners_average_ms)}, {span(hold.losers_average_ms)}"),
        ("Return of a trade: mean, median", f"{percent(spread.mean)}, {percent(spread.median)}"),
        ("Skewness, excess kurtosis", f"{ratio(spread.skewness)}, {ratio(spread.kurtosis)}"),
        ("Value at risk 95, 99", f"{plain_percent(spread.var_95)}, {plain_percent(spread.var_99)}"),
        ("Exposure, turnover", f"{plain_percent(made.exposure)}, {ratio(made.turnover)}"),
    ]
    return [left, right]


def _or_dash(value: Decimal | None) -> str:
    return "-" if value is None else money(value)


def _carlo(result: RunResult) -> list[tuple[str, ...]]:
    equity = float(result.measures.start_equity)
    by_trade: list[float] = []
    for row in result.trades:
        before, equity = equity, equity + float(row.pnl)
        by_trade.append(equity / before - 1.0 if before > 0 else 0.0)
    rows: list[tuple[str, ...]] = []
    if len(by_trade) >= 2:
        rows += _carlo_rows(shuffle_trades(by_trade, runs=CARLO_RUNS, seed=CARLO_SEED))
        rows += _carlo_rows(block_bootstrap(by_trade, runs=CARLO_RUNS, seed=CARLO_SEED))
    return rows


def _carlo_rows(found: MonteCarlo) -> Iterable[tuple[str, ...]]:
    for name, spread in (("return", found.total_return), ("max drawdown", found.max_drawdown)):
        values = (spread.p05, spread.p25, spread.p50, spread.p75, spread.p95)
        below = f"{found.loss_probability:.0%}" if name == "return" else ""
        yield (
            found.method,
            name,
            *(f"{value:+.1%}" if name == "return" else f"{value:.1%}" for value in values),
            below,
        )


def _stress(result: RunResult) -> list[tuple[str, ...]]:
    return [
        (
            row.worse.name,
            percent(row.total_return),
            plain_percent(row.max_drawdown),
            ratio(row.sharpe),
            str(row.trades),
            plain_percent(row.winrate),
            money(row.fees_quote),
        )
        for row in (() if result.stress is None else result.stress.rows)
    ]


def _stress_drawing(result: RunResult) -> str:
    """The return by how many times the assumed costs."""
    if result.stress is None:
        return ""
    points = [(float(row.worse.fees), row.total_return * 100) for row in result.stress.rows if row.on_ladder]
    plane = Plane((points[0][0], points[-1][0]), bounds([0.0, *(y for _, y in points)]), 180)
    plane.axes(y_text=lambda value: f"{value:g} %", time=False)
    plane.line([(points[0][0], 0.0), (points[-1][0], 0.0)], "market")
    plane.line(points, "equity")
    return plane.svg("Return by how many times the assumed costs")


def _break_even(result: RunResult) -> str:
    found = result.stress
    if found is None:
        return ""
    if found.break_even is not None:
        return f"It stops earning at {found.break_even:.2f} times the assumed costs."
    if found.rows[0].total_return <= 0.0:
        return "It does not earn even without any costs."
    return "It still earns at the highest costs that were tried."


def _terms(result: RunResult) -> str:
    costs = result.request.costs
    own = (costs.maker_fee, costs.taker_fee) != (None, None)
    taker, maker = flat_fees(costs.model())
    fees = "by volume" if costs.fee_tiers else f"{maker} maker, {taker} taker" if own else "0.1 % maker, 0.2 % taker"
    return f"{fees}; {costs.impact}; {costs.carry_a_day}"


def _heatmaps(result: RunResult) -> list[tuple[str, list[tuple[str, list[tuple[str, str]]]]]]:
    made = result.measures
    largest = max((abs(v) for row in made.heatmap_return for v in row if v is not None), default=0.0)
    most = max((v for row in made.heatmap_counts for v in row), default=0)
    maps: list[tuple[str, list[tuple[str, list[tuple[str, str]]]]]] = [
        (
            "Mean return, percent",
            [
                (day, [("" if v is None else f"{v * 100:.1f}", heat(v, largest)) for v in row])
                for day, row in zip(WEEKDAYS, made.heatmap_return, strict=True)
            ],
        ),
        (
            "Win rate, percent",
            [
                (day, [("" if v is None else f"{v:.0%}"[:-1], heat(None if v is None else v - 0.5, 0.5)) for v in row])
                for day, row in zip(WEEKDAYS, made.heatmap_winrate, strict=True)
            ],
        ),
        (
            "Trades",
            [
                (day, [(str(v) if v else "", count_heat(v, most)) for v in row])
                for day, row in zip(WEEKDAYS, made.heatmap_counts, strict=True)
            ],
        ),
    ]
    return maps


def _tables(result: RunResult) -> list[tuple[str, list[tuple[str, ...]]]]:
    tables = result.measures.tables
    named: Sequence[tuple[str, Sequence[Group]]] = (
        ("symbol", tables.symbol),
        ("strategy", tables.strategy),
        ("tag", tables.tag),
        ("side", tables.side),
        ("exit reason", tables.exit_reason),
        ("month", tables.month),
    )
    return [
        (
            name,
            [
                (
                    group.name or "-",
                    str(group.trades),
                    plain_percent(group.winrate),
                    money(group.pnl),
                    percent(group.average_return),
                    money(group.best),
                    money(group.worst),
                    money(group.fees_quote),
                    span(group.average_holding_ms),
                )
                for group in groups
            ],
        )
        for name, groups in named
        if groups and (len(groups) > 1 or name in ("symbol", "exit reason"))
    ]


def _costs(result: RunResult) -> list[tuple[str, str]]:
    made, orders = result.measures, result.measures.orders
    slipped = sum((row.cost_quote for row in result.executions.by_symbol), Decimal(0))
    return [
        ("Fees", money(made.fees_quote)),
        ("Lost on the way to the market", money(slipped)),
        ("Interest on what was held", money(result.carry_quote)),
        ("Bought and sold", money(made.traded_quote)),
        ("Orders sent, filled", f"{orders.sent}, {orders.filled}"),
        (
            "Cancelled, refused, timed out, expired",
            f"{orders.cancelled}, {orders.refused}, {orders.timed_out}, {orders.expired}",
        ),
    ]


def _trade(row: TradeRow) -> list[tuple[str, str]]:
    return [
        (row.symbol, ""),
        (", ".join(share.strategy for share in row.shares) or row.strategy, ""),
        (row.side, ""),
        (when(row.entry_ms), ""),
        (f"{row.entry_price:.8g}", "n"),
        (when(row.exit_ms), ""),
        (f"{row.exit_price:.8g}", "n"),
        (row.exit_reason, ""),
        (number(row.quantity), "n"),
        (money(row.pnl), f"n {_sign(row.pnl)}"),
        (percent(row.return_), "n"),
    ]


def png_of(result: RunResult, path: Path) -> None:
    """Equity, buy and hold and drawdown as a picture. Raises ValueError without matplotlib, OSError."""
    try:
        import matplotlib
    except ImportError:
        raise ValueError("a picture needs matplotlib: install genesis-engine[report]") from None
    matplotlib.use("Agg")
    import matplotlib.dates
    from matplotlib import pyplot

    curve = [(at_ms / 86_400_000, equity) for at_ms, equity in result.measures.equity_curve]
    held = [(at_ms / 86_400_000, value) for at_ms, value in _held(result)]
    figure, (top, below) = pyplot.subplots(
        2, 1, figsize=(10, 5.5), height_ratios=(3, 1), sharex=True, constrained_layout=True
    )
    top.plot(*zip(*held, strict=True), color="#8795a3", linestyle="--", linewidth=1, label="buy and hold")
    top.plot(*zip(*curve, strict=True), color="#2b66c4", linewidth=1.6, label="equity")
    top.legend(frameon=False)
    top.set_title(
        f"{result.title or result.data.market}: {result.measures.total_return:+.2%}, "
        f"drawdown {result.measures.max_drawdown:.2%}, {result.measures.trades} trades",
        loc="left",
    )
    peak, falls = -1.0, []
    for day, equity in curve:
        peak = max(peak, equity)
        falls.append((day, -(peak - equity) / peak * 100 if peak > 0 else 0.0))
    below.fill_between(*zip(*falls, strict=True), color="#c8402f", alpha=0.5, linewidth=0)
    below.set_ylabel("drawdown, %")
    dates: Any = matplotlib.dates
    below.xaxis.set_major_formatter(dates.ConciseDateFormatter(dates.AutoDateLocator()))
    for axes in (top, below):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, dpi=120, metadata={"Software": None})
    finally:
        pyplot.close(figure)
