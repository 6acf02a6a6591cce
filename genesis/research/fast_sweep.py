"""Many sets of parameters in one call: what comes of trading the events of each."""

from collections.abc import Callable
from typing import Any

from genesis.research.fast_places import DONE, FIGURES, N_CASH


def trade_sets(
    walk_scores: Callable[..., int],
    curve_figures: Callable[..., None],
    row_minute: Any,
    row_open: Any,
    row_high: Any,
    row_low: Any,
    row_close: Any,
    block_low: Any,
    block_high: Any,
    score_row: Any,
    score_price: Any,
    block_price: Any,
    heard_atr: Any,
    numbers: Any,
    limits: Any,
    point_close: Any,
    period_begin: Any,
    period_passed: Any,
    period_close: Any,
    point_low: Any,
    point_high: Any,
    step_ms: int,
    records: Any,
    event_at: Any,
    event_code: Any,
    first: Any,
    fills: Any,
    results: Any,
    counts: Any,
    figures: Any,
    stopped: Any,
) -> None:
    """Trade each set's events (`walk_scores`): those at first[set]:first[set + 1]. `stopped` says of each DONE or
    why not, and `figures[set]` become the nine of `FIGURES`. Both functions are given compiled or not.

    The fills of each set are written over those of the one before. The loop itself is always Python, so that
    each of them is compiled and kept alone; calling them takes a fiftieth of what a short set does.
    """
    cash = int(numbers[N_CASH])
    for number in range(len(first) - 1):
        why = walk_scores(
            row_minute,
            row_open,
            row_high,
            row_low,
            row_close,
            block_low,
            block_high,
            score_row,
            score_price,
            block_price,
            heard_atr,
            numbers,
            limits,
            records,
            event_at,
            event_code,
            first[number],
            first[number + 1],
            fills,
            results,
            counts,
        )
        stopped[number] = why
        if why == DONE:
            curve_figures(
                point_close,
                period_begin,
                period_passed,
                period_close,
                point_low,
                point_high,
                step_ms,
                fills,
                results,
                int(counts[0]),
                cash,
                figures,
                number,
            )
            figures[number, FIGURES - 1] = counts[1]
