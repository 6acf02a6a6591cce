"""The bench's own arithmetic: which goals are met, what a partial run keeps, and which peers it can build."""

import re

import pytest
import trio
import trio.testing

from tools.bench._figures import Figure
from tools.bench._goals import GOALS, Goal
from tools.bench._moments import Marks, Moment, NearTap, Span, Tap, Watch
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


def test_what_durability_adds_is_told_of_each_way_to_measure_it() -> None:
    figures = [a_figure(f"{way}: tick to order, {kind}, p50", value) for way, kind, value in TICKS_TO_ORDERS]
    added = {each.name: each.median for each in gather(figures, 1).figures if "added" in each.name}
    assert added == {
        "wire to wire: tick to order, added by the durable intent, p50": 2000.0,
        "one loop: tick to order, added by the durable intent, p50": 2500.0,
    }


TICKS_TO_ORDERS = (
    ("wire to wire", "durable intent", 3000.0),
    ("wire to wire", "not durable", 1000.0),
    ("one loop", "durable intent", 3000.0),
    ("one loop", "not durable", 500.0),
)


async def test_a_decision_is_timed_from_the_first_byte_of_its_tick_to_the_read_of_its_order() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    watch, marks = Watch(), Marks()
    far, near = Tap(ours, watch), NearTap(theirs, marks)
    await far.send_all(b"before")
    await near.receive_some()
    assert watch.answered() is None, "nothing was awaited"
    watch.expect()
    assert watch.answered() is None, "nothing was written yet"
    for part in (b"tick", b"more of it"):
        await far.send_all(part)
        await near.receive_some()
    await near.send_all(b"order")
    await far.receive_some()
    span = watch.answered()
    assert span is not None
    assert watch.answered() is None, "an order is awaited once"
    first_read, send = marks.reads[1], marks.sends[0]
    assert span.wrote.at_s <= first_read.at_s <= marks.reads[2].at_s <= send.at_s <= span.read.at_s
    assert marks.within([span]) == [Span(first_read, send)]


def test_the_near_ends_part_is_left_out_where_it_saw_no_read_or_no_send() -> None:
    def at(second: float) -> Moment:
        return Moment(second, 0.0)

    marks = Marks(reads=[at(1.5), at(4.5)], sends=[at(1.8), at(2.5)])
    whole, unread, unsent = Span(at(1), at(2)), Span(at(2), at(3)), Span(at(4), at(5))
    assert marks.within([whole, unread, unsent]) == [Span(at(1.5), at(1.8))]


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
