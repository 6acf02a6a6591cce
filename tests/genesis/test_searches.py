"""Searches as they are asked for: the whole grid, never another search's trials, and what windows say together."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.measures import below_peak
from genesis.domain.overfitting import Window
from genesis.job_desk import request_of
from genesis.research.costs import Costs
from genesis.research.runs import RunRequest
from genesis.research.search import Constraint, Executor, Goal, Trial, report_of
from genesis.searches import SearchRequest, _why_none, optimize, stitched, walk_forward
from genesis.trials import Judge
from protocols.settings import Settings

MARKET = "2018-02-crash"
REQUEST = request_of(
    {"market": MARKET, "strategies": [{"name": "s", "timeframe": "1m"}]}, Settings(), MARKET, lambda name: 0
)
GOAL = Goal(objectives=(("total_return", "maximize"),))


class Told:
    """Answers every trial at once, and remembers which."""

    width = 4

    def __init__(self) -> None:
        self.asked: list[dict[str, float]] = []

    def run(self, batch: Sequence[Mapping[str, float]]) -> list[dict[str, float | None] | str]:
        self.asked += [dict(values) for values in batch]
        figures: dict[str, float | None] = {"sharpe": 1.0, "max_drawdown": 0.1}
        figures |= {"highest_return": 0.2, "lowest_return": 0.0}
        return [figures | {"total_return": values["s.fast"]} for values in batch]

    @contextmanager
    def open(self, request: RunRequest, judge: Judge) -> Iterator[Executor]:
        yield self


def a_search(**more: Any) -> SearchRequest:
    usual: dict[str, Any] = {"request": REQUEST, "vary": ("s.fast=4:9",), "maximize": ("total_return",), "trials": 3}
    return SearchRequest(**(usual | more))


def test_a_grid_has_as_many_trials_as_points_whatever_is_asked(tmp_path: Path) -> None:
    """Else the first parameter would stand at its lowest values, and nobody would know."""
    told = Told()
    asked = a_search(vary=("s.fast=4:9", "s.slow=20:30:2"), method="grid")
    report, _ = optimize(asked, tmp_path, tmp_path, told.open)
    assert report.trials == len(told.asked) == asked.count == 36
    assert report.best is not None
    assert report.best.values["s.fast"] == 9


@pytest.mark.parametrize(
    "other",
    [
        {"end_ms": 1_517_900_000_000},
        {"costs": Costs(slippage=Costs().slippage * 3)},
        {"balance": REQUEST.balance * 2},
        {"settings": Settings(strategies=(msgspec.structs.replace(REQUEST.settings.strategies[0], timeframe="5m"),))},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_study_of_something_else_is_not_gone_on_with(tmp_path: Path, other: dict[str, Any]) -> None:
    """The default name is always the same: last week's trials must not be told as this week's."""
    optimize(a_search(), tmp_path, tmp_path, Told().open)
    changed = a_search(request=msgspec.structs.replace(REQUEST, **other))
    with pytest.raises(ValueError, match="another study has this name"):
        optimize(changed, tmp_path, tmp_path, Told().open)


def test_a_study_of_the_same_is_gone_on_with_under_another_title(tmp_path: Path) -> None:
    optimize(a_search(), tmp_path, tmp_path, Told().open)
    told = Told()
    settings = msgspec.structs.replace(REQUEST.settings, version=9)
    more = a_search(request=msgspec.structs.replace(REQUEST, title="again", settings=settings), trials=5)
    report, _ = optimize(more, tmp_path, tmp_path, told.open)
    assert (report.trials, len(told.asked)) == (5, 2)


def test_windows_of_another_walk_are_not_learned_from(tmp_path: Path) -> None:
    """A trial of a longer window may have seen what this one is to be tested on."""
    days = {"train_days": 0.8, "test_days": 0.4}
    walk_forward(a_search(**days), tmp_path, tmp_path, Told().open)
    with pytest.raises(ValueError, match="another study has this name"):
        walk_forward(a_search(train_days=1.0, test_days=0.4), tmp_path, tmp_path, Told().open)


curves = st.lists(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=6), min_size=1, max_size=6)


@given(curves)
def test_the_drawdown_of_tests_together_is_that_of_one_account(windows: list[list[float]]) -> None:
    steps = []
    whole = [1.0]
    for moves in windows:
        curve = np.cumprod(np.array([1.0, *moves], dtype=np.float64), dtype=np.float64)
        whole += (curve[1:] * whole[-1]).tolist()
        figures = {
            "total_return": float(curve[-1] - 1),
            "max_drawdown": float(below_peak(curve).max()),
            "highest_return": float(curve.max() - 1),
            "lowest_return": float(curve.min() - 1),
        }
        steps.append({"learned": {"total_return": 0.1}, "tested": figures})
    told = stitched(steps, GOAL)
    assert told["total_return"] == pytest.approx(whole[-1] - 1)
    assert told["max_drawdown_at_most"] == pytest.approx(float(below_peak(np.array(whole)).max()))


def test_a_short_test_that_earns_as_fast_as_it_was_learned_is_whole() -> None:
    """Sixty days that made 6 % and twenty that made 2 % are the same: not a third."""
    day = 86_400_000
    window = Window(train_from=0, train_to=60 * day, test_from=60 * day, test_to=80 * day)
    tested = {"total_return": 1.02 - 1, "max_drawdown": 0.0, "highest_return": 0.02, "lowest_return": 0.0}
    step = {"window": window, "learned": {"total_return": 1.02**3 - 1}, "tested": tested}
    assert stitched([step], GOAL)["efficiency"] == pytest.approx(1.0)
    sharpe = Goal(objectives=(("sharpe", "maximize"),))
    step = {"window": window, "learned": {"sharpe": 2.0}, "tested": tested | {"sharpe": 1.0}}
    assert stitched([step], sharpe)["efficiency"] == pytest.approx(0.5)


def test_a_figure_that_is_not_known_is_not_taken_for_zero() -> None:
    """A window of which no Sharpe ratio is known halved the mean of the others."""
    sharpe = Goal(objectives=(("sharpe", "maximize"),))
    day = 86_400_000
    window = Window(train_from=0, train_to=60 * day, test_from=60 * day, test_to=80 * day)
    tested = {"total_return": 0.02, "max_drawdown": 0.0, "highest_return": 0.02, "lowest_return": 0.0}
    known = {"window": window, "learned": {"sharpe": 2.0}, "tested": tested | {"sharpe": 1.0}}
    quiet = {"window": window, "learned": {"sharpe": 2.0}, "tested": tested | {"sharpe": None}}
    told = stitched([known, quiet], sharpe)
    assert (told["tested"], told["learned_mean"], told["tested_mean"], told["efficiency"]) == (2, 2.0, 1.0, 0.5)
    assert stitched([quiet], sharpe)["efficiency"] is None


def test_a_window_in_which_nothing_was_found_says_why() -> None:
    least = Constraint(metric="trades", sign=">=", bound=30.0)
    goal = Goal(objectives=(("sharpe", "maximize"),), constraints=(least,))

    def why(*trials: Trial) -> str:
        return _why_none(trials, report_of(trials, goal, ()), goal)

    def a_trial(error: str | None = None, **figures: float | None) -> Trial:
        return Trial(number=0, values={}, figures=figures, error=error)

    short = a_trial(sharpe=None, periods=14.0, periods_needed=30.0)
    assert why(short) == "sharpe is not known of 14 returns, it takes 30: learn from more days"
    assert why(a_trial(sharpe=None)).startswith("sharpe is not known of any trial")
    assert why(a_trial("no candles"), short) == "1 of 2 trials failed: no candles"
    assert why(a_trial(sharpe=1.0, trades=3.0)) == "none of 1 trials keeps what is required"


@pytest.mark.parametrize("name", ["train_days", "test_days", "purge_days"])
@pytest.mark.parametrize("days", [math.nan, math.inf, -1.0])
def test_days_of_a_walk_that_are_none_are_refused_with_what_they_were(name: str, days: float) -> None:
    with pytest.raises(ValueError, match=rf"must be .*, were .*{days:g}"):
        a_search(**{name: days}).parts(Path("/none"))
