"""The bench's own arithmetic: which goals are met, what a partial run keeps, and which peers it can build."""

import re

import pytest

from tools.bench._figures import Figure
from tools.bench._goals import GOALS, Goal
from tools.bench._page import gather, goals_table, merged, verdict
from tools.bench._peers import FOLDER, environments


def a_figure(name: str, value: float, beside: float | None = None) -> Figure:
    return Figure(name=name, value=value, unit="us", beside=beside, beside_name="a peer" if beside else "")


@pytest.mark.parametrize(
    ("goal", "value", "beside", "word"),
    [
        (Goal("a", "at most", "x", 2.0), 2.0, None, "met"),
        (Goal("a", "at most", "x", 2.0), 3.0, None, "**missed**: 1.5 times the goal"),
        (Goal("a", "at least", "x", at_least=4.0), 3.0, None, "**missed**: 75.0 % of the goal"),
        (Goal("a", "of ratio", "x", 2.0, of_ratio=True), 30.0, 20.0, "met"),
        (Goal("a", "of ratio", "x", 2.0, of_ratio=True), 30.0, None, "not measured in this run"),
    ],
)
def test_a_goal_is_judged_by_its_figure_or_by_its_ratio(
    goal: Goal, value: float, beside: float | None, word: str
) -> None:
    [found] = gather([a_figure("x", value, beside)], 1).figures
    assert verdict(goal, found)[1] == word


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    """A round on a slow machine is slow for both sides."""
    [found] = gather([a_figure("x", 10, 10), a_figure("x", 90, 30), a_figure("x", 40, 20)], 3).figures
    assert (found.median, found.low, found.high, found.ratio) == (40, 10, 90, 2.0)


def test_a_run_of_some_measurements_keeps_the_figures_of_the_others() -> None:
    kept = gather([a_figure("x", 1), a_figure("y", 2)], 1)
    both = merged(kept, gather([a_figure("y", 3)], 1))
    assert {each.name: each.median for each in both.figures} == {"x": 1, "y": 3}


def test_every_goal_stands_in_the_table_whether_it_was_measured_or_not() -> None:
    table = goals_table(gather([], 1))
    assert all(f"| {goal.text} |" in table for goal in GOALS)
    assert len({goal.text for goal in GOALS}) == len(GOALS)


def test_every_peer_is_pinned_with_its_hashes() -> None:
    for name, environment in environments().items():
        lines = environment.lock.read_text().splitlines()
        pins = [line for line in lines if re.match(r"[a-z0-9]", line)]
        assert pins, name
        assert all("==" in pin and pin.endswith("\\") for pin in pins), name
    for wanted in FOLDER.glob("*.in"):
        locked = wanted.with_suffix(".lock").read_text()
        exact = re.findall(r"^([\w.-]+==\S+)", wanted.read_text(), re.MULTILINE)
        assert all(pin in locked for pin in exact), wanted.name
