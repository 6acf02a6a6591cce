"""Many sets of parameters in one call: what comes of trading the events of each."""

from collections.abc import Callable, Sequence
from typing import Any, Final

IN_TURN: Final = 4
"""Sets that one call of a thread beside others trades, and one draws: their fills still lie near. Between calls threads
take turns at the interpreter, and what it counts of its objects goes from one core to the other each time."""


def trade_sets(
    walk_scores: Callable[..., None],
    curve_figures: Callable[..., None],
    market: Sequence[Any],
    events: Sequence[Any],
    points: Sequence[Any],
    begin_cash: int,
    written: Sequence[Any],
    figures: Any,
) -> None:
    """Trade each set's events (`walk_scores`), and work out its figures (`curve_figures`), a few sets at a time.

    `market` is all that `walk_scores` reads before its `events`, of which the last is where each set's begin; `points`
    is what `curve_figures` reads of the curve; `written` is where the fills, results and counts of so many sets are
    written, over those of the sets before, and `stopped`, which says of each set DONE or why not. `figures[set]` become
    the nine of `FIGURES`. Both functions are given compiled or not. The loop itself is always Python, so that each of
    them is compiled and kept alone.
    """
    sets, room = len(figures), len(written[0])
    for begin in range(0, sets, room):
        end = min(begin + room, sets)
        walk_scores(*market, *events, begin, end, *written)
        curve_figures(*points, begin_cash, begin, end, *written, figures)
