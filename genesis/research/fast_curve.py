"""The equity curve of a fast run, and the figures that are made of it and of the fills."""

from typing import Any, Final

from genesis.domain.indicators.compiling import one_kind_a_name
from genesis.research.fast_numbers import value_of
from genesis.research.fast_places import (
    DONE,
    ENTRY,
    F_DECIMALS,
    F_FEE,
    F_MINUTE,
    F_NOTIONAL,
    F_PRICE,
    F_QUANTITY,
    F_ROW,
    F_WHAT,
    FIGURES,
)

POINT_BLOCK: Final = 16
"""Points of which the lowest and the highest close are known beforehand; the last block may be shorter."""


@one_kind_a_name
def curve_figures(
    point_close: Any,
    period_begin: Any,
    period_passed: Any,
    period_close: Any,
    block_low: Any,
    block_high: Any,
    step_ms: int,
    begin_cash: int,
    begin: int,
    end: int,
    fills_of: Any,
    results_of: Any,
    counts: Any,
    stopped: Any,
    figures: Any,
) -> None:
    """What `walk_curve` and `fill_figures` find of each of the sets from `begin` to `end` (not included) that were
    traded to the end, without the curve: points are looked at where a period ends, and in blocks elsewhere.

    Points stand `step_ms` apart; `period_begin` are those that begin a period, the first one included. With each stand
    how many periods passed since the point before (`period_passed`), and the close of that point (`period_close`):
    close together, where a period's points lie far apart.
    `fills_of`, `results_of`, `counts` and `stopped` are what `walk_scores` left. figures[set] become [max drawdown,
    periods, mean and sum of squares of their returns, last equity, finished trades, those that won, fees in quote,
    refused entries].
    """
    for number in range(begin, end):
        if stopped[number] != DONE:
            continue
        fills, results, filled = fills_of[number - begin], results_of[number - begin], counts[number - begin, 0]
        cash, coins = begin_cash, 0
        fill = 0
        points, begins = len(point_close), len(period_begin)
        started = 1
        before = now = peak = float(cash) * 1e-8
        drawdown = 0.0
        # Sums of how far returns are from the first one: no sum waits for a division, as a mean that is kept would.
        periods, first_made, total, squares = 0, 0.0, 0.0, 0.0
        point = 0
        while point < points:
            ahead = points
            while fill < filled:
                # The first point after the fill's minute began.
                first = fills[fill, F_MINUTE] * 60_000 // step_ms + 1
                if first > point:
                    ahead = min(first, points)
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
            while started < begins and period_begin[started] < ahead:
                at = period_begin[started]
                if at > point:
                    now = fixed + held * period_close[started] if coins != 0 else fixed
                passed = period_passed[started]
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
                started += 1
            now = fixed + held * point_close[ahead - 1] if coins != 0 else fixed
            if coins == 0:
                peak = max(peak, now)
                if peak - now > drawdown * peak:
                    drawdown = max(drawdown, (peak - now) / peak)
            else:
                at = point
                while at < ahead:
                    block = at // POINT_BLOCK
                    until = min((block + 1) * POINT_BLOCK, ahead)
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
            point = ahead
        mean = total / periods if periods > 0 else 0.0
        figures[number, 0], figures[number, 1], figures[number, 2] = drawdown, periods, first_made + mean
        figures[number, 3], figures[number, 4] = max(0.0, squares - total * mean), now
        fill_figures(fills, results, filled, figures, number)
        figures[number, FIGURES - 1] = counts[number - begin, 1]


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
