"""What a walk-forward found, drawn: each window learned beside tested, and the tests as one account."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from genesis.domain.overfitting import by_the_day
from genesis.research.drawing import Plane, bounds

Steps = Sequence[Mapping[str, Any]]
_GAP: Final = 0.12
"""Left free on either side of a window's two bars, as a part of its test."""


def windows_svg(steps: Steps, metric: str) -> str:
    """Two bars a window over the time of its test: what was learned and what came of it; a return as growth a day,
    since the two take different times. Empty where no window has either. Steps are as they are kept, in JSON."""
    bars: list[tuple[float, float, float, str, str]] = []
    for step in steps:
        window = step["window"]
        begin, end = float(window["test_from"]), float(window["test_to"])
        room, middle = (end - begin) * _GAP, (begin + end) / 2
        for part, left, right, kind in (
            ("learned", begin + room, middle, "learned"),
            ("tested", middle, end - room, "tested"),
        ):
            figures = step.get(part)
            value = figures.get(metric) if isinstance(figures, Mapping) else None
            if value is None or not math.isfinite(value):
                continue
            span_ms = window["train_to"] - window["train_from"] if part == "learned" else window["test_to"] - begin
            told = by_the_day(metric, float(value), span_ms)
            bars.append((left, right, told, kind, f"{part}: {told:.4g}"))
    if not bars:
        return ""
    plane = Plane(_whole(steps), bounds([0.0, *(value for _, _, value, _, _ in bars)]), 220)
    plane.axes(y_text=lambda value: f"{value:g}")
    for bar in bars:
        plane.bar(*bar)
    plane.line([(at, 0.0) for at in _whole(steps)], "market")
    return plane.svg(f"{metric} of each window: as it was learned, and as it was tested")


def tests_svg(steps: Steps) -> str:
    """One account that went through the tests, 1 at the beginning, beside the same bought and held. It is known at the
    ends of windows; an upright line spans what it was worth within. Empty where nothing was tested."""
    equity, held = 1.0, 1.0
    curve: list[tuple[float, float]] = []
    market: list[tuple[float, float]] = []
    spans: list[tuple[float, float, float]] = []
    for step in steps:
        window, tested = step["window"], step.get("tested")
        if not isinstance(tested, Mapping) or tested.get("total_return") is None:
            continue
        begin, end = float(window["test_from"]), float(window["test_to"])
        low, high = tested.get("lowest_return"), tested.get("highest_return")
        if low is not None and high is not None:
            spans.append(((begin + end) / 2, equity * (1.0 + low), equity * (1.0 + high)))
        curve.append((begin, equity))
        equity *= 1.0 + float(tested["total_return"])
        curve.append((end, equity))
        if tested.get("buy_and_hold") is not None:
            market.append((begin, held))
            held *= 1.0 + float(tested["buy_and_hold"])
            market.append((end, held))
    if not curve:
        return ""
    levels = [value for _, value in (*curve, *market)] + [value for _, *both in spans for value in both]
    plane = Plane(_whole(steps), bounds(levels), 260)
    plane.axes(y_text=lambda value: f"{value:g}")
    for at, low, high in spans:
        plane.line([(at, low), (at, high)], "span")
    plane.line(market, "market")
    plane.line(curve, "equity")
    return plane.svg("The tests one after another, as one account, and the same money bought and held")


def _whole(steps: Steps) -> tuple[float, float]:
    return float(steps[0]["window"]["test_from"]), float(max(step["window"]["test_to"] for step in steps))
