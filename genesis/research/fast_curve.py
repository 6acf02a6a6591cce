"""The equity curve of a fast run, and the figures that are made of it and of the fills."""

from typing import Any

from genesis.research.fast_numbers import first_above, value_of
from genesis.research.fast_places import ENTRY


def curve_figures(
    point_row: Any, point_close: Any, point_period: Any, fills: Any, filled: int, begin_cash: int, figures: Any
) -> None:
    """What `walk_curve` finds, without the curve; while nothing is held all points are one.

    figures[0:5] become [max drawdown, periods, mean and sum of squares of their returns, last equity].
    """
    cash, coins = begin_cash, 0
    fill = 0
    peak, drawdown = 0.0, 0.0
    before, now = 0.0, 0.0
    periods, mean, squares = 0, 0.0, 0.0
    points = len(point_row)
    point = 0
    last = 0
    while point < points:
        while fill < filled and fills[fill, 1] <= point_row[point]:
            if fills[fill, 0] == ENTRY:
                cash -= fills[fill, 6]
                coins = fills[fill, 3] - fills[fill, 7]
            else:
                cash += fills[fill, 6] - fills[fill, 7]
                coins = 0
            fill += 1
        fixed, held = float(cash) * 1e-8, float(coins) * 1e-8
        end = first_above(point_row, point + 1, points, fills[fill, 1] - 1) if fill < filled else points
        until = end if coins != 0 else point + 1
        for at in range(point, until):
            worth = fixed + held * point_close[at] if coins != 0 else fixed
            if at == 0:
                before = now = peak = worth
                last = point_period[0]
            while last != point_period[at]:
                last += 1
                made = now / before - 1.0 if before > 0.0 else 0.0
                periods += 1
                distance = made - mean
                mean += distance / periods
                squares += distance * (made - mean)
                before = now
            now = worth
            if worth > peak:
                peak = worth
            elif peak - worth > drawdown * peak:
                drawdown = max(drawdown, (peak - worth) / peak)
        # While nothing is held all points are one: the first period ends as it did above, the others bring nothing.
        while last != point_period[end - 1]:
            last += 1
            made = now / before - 1.0 if before > 0.0 else 0.0
            periods += 1
            distance = made - mean
            mean += distance / periods
            squares += distance * (made - mean)
            before = now
        point = end
    figures[0], figures[1], figures[2], figures[3], figures[4] = drawdown, periods, mean, squares, now


def fill_figures(fills: Any, results: Any, filled: int, figures: Any) -> None:
    """figures[5:8] become [finished trades, those that won, fees in quote]."""
    trades, wins, fees = 0, 0, 0.0
    for place in range(filled):
        fee = float(fills[place, 7]) * 1e-8
        if fills[place, 0] == ENTRY:
            fees += fee * value_of(fills[place, 4], fills[place, 5])
        else:
            fees += fee
            trades += 1
            wins += 1 if results[place] > 0.0 else 0
    figures[5], figures[6], figures[7] = trades, wins, fees


def walk_curve(
    point_row: Any,
    point_close: Any,
    point_period: Any,
    fills: Any,
    filled: int,
    begin_cash: int,
    equity: Any,
    figures: Any,
) -> None:
    """The curve and its figures: `figures` becomes [max drawdown, periods, mean and sum of squares of their returns].

    A point stands at a minute's begin: `point_row` is the last row before it. Drawdown and returns are those of
    `EquityFigures`, step for step.
    """
    cash, coins = begin_cash, 0
    fill = 0
    peak, drawdown = 0.0, 0.0
    before, now = 0.0, 0.0
    periods, mean, squares = 0, 0.0, 0.0
    for point in range(len(point_row)):
        while fill < filled and fills[fill, 1] <= point_row[point]:
            if fills[fill, 0] == ENTRY:
                cash -= fills[fill, 6]
                coins = fills[fill, 3] - fills[fill, 7]
            else:
                cash += fills[fill, 6] - fills[fill, 7]
                coins = 0
            fill += 1
        worth = float(cash) * 1e-8
        if coins != 0:
            worth += float(coins) * 1e-8 * point_close[point]
        equity[point] = worth
        if point == 0:
            before = now = peak = worth
        else:
            for _ in range(point_period[point] - point_period[point - 1]):
                made = now / before - 1.0 if before > 0.0 else 0.0
                periods += 1
                distance = made - mean
                mean += distance / periods
                squares += distance * (made - mean)
                before = now
            now = worth
        if worth > peak:
            peak = worth
        if peak > 0.0 and (peak - worth) / peak > drawdown:
            drawdown = (peak - worth) / peak
    figures[0], figures[1], figures[2], figures[3] = drawdown, periods, mean, squares
