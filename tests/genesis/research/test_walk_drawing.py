"""The drawings of a walk-forward say what its table says: no window is higher, or longer, than it was."""

import re

import pytest

from genesis.research.walk_drawing import tests_svg as account_svg
from genesis.research.walk_drawing import windows_svg

DAY = 86_400_000


def a_step(number: int, learned: float | None, tested: float | None, **figures: float) -> dict[str, object]:
    """A window that learns from twenty days and tests on the ten behind them."""
    begin = number * 10 * DAY
    window = {
        "train_from": begin,
        "train_to": begin + 20 * DAY,
        "test_from": begin + 20 * DAY,
        "test_to": begin + 30 * DAY,
    }
    return {"window": window, "learned": {"total_return": learned}, "tested": {"total_return": tested, **figures}}


def bars_of(drawing: str) -> list[tuple[str, float, float]]:
    """(kind, left, height) of each bar."""
    found = re.findall(r'<rect class="(\w+)" x="([\d.]+)" y="[\d.]+" width="[\d.]+" height="([\d.]+)"', drawing)
    return [(kind, float(left), float(height)) for kind, left, height in found]


def test_a_return_is_drawn_as_growth_a_day_so_that_a_short_test_is_not_less() -> None:
    """Twenty days that made 21 % and ten that made 10 % are the same."""
    drawing = windows_svg([a_step(0, 1.1**2 - 1, 0.1), a_step(1, 1.1**2 - 1, -0.1)], "total_return")
    (first, second, _, lost) = bars_of(drawing)
    assert (first[0], second[0], lost[0]) == ("learned", "tested", "tested")
    assert first[2] == pytest.approx(second[2], abs=0.2)
    assert first[1] < second[1]
    assert "learned: 0.009531" in drawing
    assert "tested: -0.01054" in drawing


def test_the_account_goes_from_test_to_test_and_stands_where_nothing_was_tested() -> None:
    whole = {"lowest_return": -0.5, "highest_return": 0.2, "buy_and_hold": 0.3}
    failed = {**a_step(1, 0.1, None), "tested": "no candles"}
    drawing = account_svg([a_step(0, 0.1, 0.1, **whole), failed, a_step(2, 0.1, -0.5)])
    (curve,) = re.findall(r'<path class="equity" d="M([^"]+)"', drawing)
    points = [tuple(map(float, point.split())) for point in curve.split("L")]
    assert len(points) == 4
    (x0, start), (x1, high), (x2, same), (x3, low) = points
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert x3 > x2
    assert high == same
    # From 1 to 1.1 and down to 0.55: the fall is five and a half times the rise.
    assert (low - high) / (start - high) == pytest.approx(5.5, abs=0.1)
    assert drawing.count('class="span"') == 1
    assert drawing.count('class="market"') == 1
    assert account_svg([failed]) == ""


@pytest.mark.parametrize("value", [None, float("inf"), float("nan")])
def test_a_figure_that_no_paper_can_show_has_no_bar(value: float | None) -> None:
    assert windows_svg([a_step(0, value, value)], "total_return") == ""
