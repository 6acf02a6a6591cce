"""The equity curve of a fast run, and the figures that are made of it and of the fills."""

from typing import Any, Final

from genesis.research.fast_numbers import value_of
from genesis.research.fast_places import (
    ENTRY,
    F_DECIMALS,
    F_FEE,
    F_MINUTE,
    F_NOTIONAL,
    F_PRICE,
    F_QUANTITY,
    F_ROW,
    F_WHAT,
)

POINT_BLOCK: Final = 16
"""Points of which the lowest and the highest close are known beforehand; the last block may be shorter."""


def curve_figures(
    point_close: Any,
    period_begin: Any,
    period_passed: Any,
    period_close: Any,
    block_low: Any,
    block_high: Any,
    step_ms: int,
    fills: Any,
    results: Any,
    filled: int,
    begin_cash: int,
    figures: Any,
    number: int,
) -> None:
    """What `walk_curve` and `fill_figures` find, without the curve: points are looked at where a period ends, and in
    blocks elsewhere.

    Points stand `step_ms` apart; `period_begin` are those that begin a period, the first one included. With each stand
    how many periods passed since the point before (`period_passed`), and the close of that point (`period_close`):
    close together, where a period's points lie far apart.
    figures[number, 0:5] become [max drawdown, periods, mean and sum of squares of their returns, last equity].
    """
    cash, coins = begin_cash, 0
    fill = 0
    points, begins = len(point_close), len(period_begin)
    begin = 1
    before = now = peak = float(cash) * 1e-8
    drawdown = 0.0
    # Sums of how far returns are from the first one: no sum waits for a division, as a mean that is kept would.
    periods, first_made, total, squares = 0, 0.0, 0.0, 0.0
    point = 0
    while point < points:
        end = points
        while fill < filled:
            # The first point after the fill's minute began.
            first = fills[fill, F_MINUTE] * 60_000 // step_ms + 1
            if first > point:
                end = min(first, points)
                break
            if fills[fill, F_WHAT] == ENTRY:
                cash -= fills[fill, F_NOTIONAL]
                coins = fills[fill, F_QUANTITY] - fills[fill, F_FEE]
            else:
                cash += fills[fill, F_NOTIONAL] - fills[fill, F_FEE]
                coins = 0
            fill += 1
        fixed, held = float(cash) * 1e-8, float(coins) * 1e-8
        if point == 0:
            # What is bought before the first point is what the curve begins with.
            before = now = peak = fixed + held * point_close[0] if coins != 0 else fixed
        while begin < begins and period_begin[begin] < end:
            at = period_begin[begin]
            if at > point:
                now = fixed + held * period_close[begin] if coins != 0 else fixed
            passed = period_passed[begin]
            while passed > 0:
                passed -= 1
                made = now / before - 1.0 if before > 0.0 else 0.0
                if periods == 0:
                    first_made = made
                periods += 1
                made -= first_made
                total += made
                squares += made * made
                before = now
            begin += 1
        now = fixed + held * point_close[end - 1] if coins != 0 else fixed
        if coins == 0:
            peak = max(peak, now)
            if peak - now > drawdown * peak:
                drawdown = max(drawdown, (peak - now) / peak)
        else:
            at = point
            while at < end:
                block = at // POINT_BLOCK
                until = min((block + 1) * POINT_BLOCK, end)
                if fixed + held * block_high[block] <= peak:
                    lowest = block_low[block]
                    if until - at < POINT_BLOCK and peak - (fixed + held * lowest) > drawdown * peak:
                        lowest = point_close[at]
                        for place in range(at + 1, until):
                            lowest = min(lowest, point_close[place])
                    worth = fixed + held * lowest
                    if peak - worth > drawdown * peak:
                        drawdown = max(drawdown, (peak - worth) / peak)
                else:
                    for place in range(at, until):
                        worth = fixed + held * point_close[place]
                        if worth > peak:
                            peak = worth
                        elif peak - worth > drawdown * peak:
                            drawdown = max(drawdown, (peak - worth) / peak)
                at = until
        point = end
    mean = total / periods if periods > 0 else 0.0
    figures[number, 0], figures[number, 1], figures[number, 2] = drawdown, periods, first_made + mean
    figures[number, 3], figures[number, 4] = max(0.0, squares - total * mean), now
    fill_figures(fills, results, filled, figures, number)


def fill_figures(fills: Any, results: Any, filled: int, figures: Any, number: int) -> None:
    """figures[number, 5:8] become [finished trades, those that won, fees in quote]."""
    trades, wins, fees = 0, 0, 0.0
    for place in range(filled):
        fee = float(fills[place, F_FEE]) * 1e-8
        if fills[place, F_WHAT] == ENTRY:
            fees += fee * value_of(fills[place, F_PRICE], fills[place, F_DECIMALS])
        else:
            fees += fee
            trades += 1
            wins += 1 if results[place] > 0.0 else 0
    figures[number, 5], figures[number, 6], figures[number, 7] = trades, wins, fees


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
        while fill < filled and fills[fill, F_ROW] <= point_row[point]:
            if fills[fill, F_WHAT] == ENTRY:
                cash -= fills[fill, F_NOTIONAL]
                coins = fills[fill, F_QUANTITY] - fills[fill, F_FEE]
            else:
                cash += fills[fill, F_NOTIONAL] - fills[fill, F_FEE]
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
