"""The page of a result: whole, safe, without a word to the network; and drawings that stay on their paper."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.job_desk import request_of
from genesis.markets import load_market
from genesis.research.drawing import WIDTH, Plane, bounds, heat, ticks, time_ticks
from genesis.research.html_report import grid_percent, html_of, png_of, study_html, walk_html
from genesis.research.runs import RunResult, run
from genesis.research.search import Dimension, Goal, Trial, report_of
from protocols.settings import Settings

VOID = {"meta", "rect", "path", "br", "link", "img"}


@pytest.fixture(scope="module")
def result() -> RunResult:
    body = {
        "market": "2018-02-crash",
        "strategies": [{"name": "s", "timeframe": "1m", "parameters": {"fast": 5.0, "slow": 20.0}}],
        "title": "<script>alert(1)</script>",
    }
    request = request_of(body, Settings(), "2018-02-crash", lambda name: 0)
    return run(request, lambda name, *cut: load_market(name, Path("/none"), *cut))


class Reader(HTMLParser):
    """Every tag closed by its own, and what the page would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.reaches: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.reaches += [f"{name}={value}" for name, value in attrs if name in ("src", "href") or name.startswith("on")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_a_page_is_whole_and_reaches_nowhere(result: RunResult) -> None:
    page = html_of(result)
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert "script" not in reader.tags
    assert reader.reaches == []
    assert not re.search(r"url\(|@import", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for words in (
        "Equity",
        "Drawdown",
        "Returns by month",
        "Made-up histories",
        "Costs",
        "Every trade",
        "Refused by risk",
    ):
        assert words in page
    assert page.count("<svg") == 3 + len(result.charts)
    assert result.data.sha256 in page
    assert len(page) < 500_000
    assert page == html_of(result)


def test_a_run_without_a_trade_has_a_page(result: RunResult) -> None:
    request = msgspec.structs.replace(
        result.request, start_ms=result.data.first_ms, end_ms=result.data.first_ms + 600_000, title=""
    )
    empty = run(request, lambda name, *cut: load_market(name, Path("/none"), *cut))
    assert empty.measures.trades == 0
    page = html_of(empty)
    assert "Backtest of 2018-02-crash" in page
    assert "Made-up histories" not in page


def test_a_picture_is_drawn(result: RunResult, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    png_of(result, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    first = path.read_bytes()
    png_of(result, path)
    assert path.read_bytes() == first


def test_a_search_has_a_page() -> None:
    goal = Goal(objectives=(("sharpe", "maximize"), ("max_drawdown", "minimize")))
    trials = [
        Trial(
            number=n,
            values={"a<b": float(n % 3), "y": float(n // 3)},
            figures={"sharpe": float(n), "max_drawdown": 0.1},
        )
        for n in range(9)
    ]
    space = tuple(Dimension(name=name, low=0, high=2, step=1, whole=True) for name in ("a<b", "y"))
    page = study_html("a study", "tBTCUSD:1m", report_of(trials, goal, space), "1")
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert "a&lt;b" in page
    assert "maximize sharpe, minimize max_drawdown" in page
    assert "Probability of overfitting (PBO)" in page


def test_a_walk_forward_has_a_page() -> None:
    """`genesis report` said that there was no result, beside the folder that held it."""
    day = 86_400_000
    window = {"train_from": 0, "train_to": day, "test_from": day, "test_to": 2 * day}
    step = {"window": window, "values": {"a<b": 5.0}, "learned": {"sharpe": 2.0}}
    tested = {"sharpe": 1.5, "total_return": 0.0432, "buy_and_hold": -0.1, "trades": 7.0}
    steps = (
        step | {"tested": tested},
        step | {"tested": "no <candles>"},
        {"window": window, "values": None, "learned": None, "why": "sharpe is not known of 3 returns"},
    )
    summary = {
        "windows": 3, "tested": 1, "total_return": 0.0432, "max_drawdown_at_most": 0.02, "metric": "sharpe",
        "learned_mean": 2.0, "tested_mean": 1.5, "efficiency": None,
    }  # fmt: skip
    page = walk_html("a walk", "tBTCUSD:1m", steps, summary, "1")
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert "a&lt;b = 5" in page
    assert "no &lt;candles&gt;" in page
    assert "none: sharpe is not known of 3 returns" in page
    for told in ("Window by window", "+4.32%", "-10.00%", "1970-01-03 00:00", ">7<"):
        assert told in page, told
    assert "Cells hold" not in page
    # The first window's two bars, the one that the second learned, and the account of the one that was tested.
    assert page.count('<rect class="learned"') == 2
    assert page.count('<rect class="tested"') == 1
    assert "tested: 1.5" in page
    assert page.count('<path class="equity"') == 1
    assert "- (what was learned is too near to zero)" in page
    none = walk_html("a walk", "tBTCUSD:1m", steps[2:], summary, "1")
    assert "<svg" not in none


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e9))
def test_ticks_are_round_and_inside(low: float, width: float) -> None:
    found = ticks(low, low + width)
    assert len(found) <= 12
    # So far from zero, a float has few digits left for the width.
    room = width * 1e-6 + abs(low) * 1e-9 + 1e-9
    assert all(low - room <= value <= low + width + room for value in found)


@settings(deadline=None)
@given(st.integers(0, 4_000_000_000_000), st.integers(60_000, 400_000_000_000))
def test_time_ticks_are_few_and_inside(start: int, span: int) -> None:
    found = time_ticks(start, start + span)
    assert len(found) <= 14
    assert all(start <= at <= start + span for at, _ in found)
    assert [at for at, _ in found] == sorted({at for at, _ in found})


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e12), st.floats(-1e6, 1e6)), min_size=1, max_size=30))
def test_drawings_stay_on_their_paper(points: list[tuple[float, float]]) -> None:
    plane = Plane(bounds([x for x, _ in points], room=0.0), bounds([y for _, y in points]), 200)
    for x, y in points:
        right, down = plane.at(x, y)
        assert -1 <= right <= WIDTH + 1
        assert -1 <= down <= 201
    plane.line(points, "equity")
    assert "<svg" in plane.svg("a & b")
    assert "a &amp; b" in plane.svg("a & b")


@given(st.floats(0.001, 1.0))
def test_a_grid_is_written_as_it_stands(depth: float) -> None:
    """Lines half a per cent apart were written as -2 % where -1.5 % stood, and as -0 %."""
    grid = ticks(-depth, 0.0)
    assert [float(grid_percent(value).removesuffix("%")) / 100 for value in grid] == pytest.approx(grid)
    assert len({grid_percent(value) for value in grid}) == len(grid)
    assert grid_percent(0.0) == "0%"


def test_heat_has_a_sign() -> None:
    assert heat(None, 1.0) == heat(1.0, 0.0) == heat(float("nan"), 1.0) == ""
    assert "var(--up) 70%" in heat(5.0, 5.0)
    assert "var(--down) 35%" in heat(-2.5, 5.0)
