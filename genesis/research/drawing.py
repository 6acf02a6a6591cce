"""Drawings as SVG text: lines with axes, bars, heat cells. No script, no font, no address: they open anywhere.

Colours come from the page's style sheet by class, so a printed page may have others.
"""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

WIDTH: Final = 960
LEFT, RIGHT, TOP, BOTTOM = 70, 14, 10, 24

Points = Sequence[tuple[float, float]]


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between two, about so many.

    >>> ticks(0.0, 9.0)
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]


def time_ticks(start_ms: float, end_ms: float, count: int = 8) -> list[tuple[float, str]]:
    """Moments to write below a drawing, with their texts: hours, days or months, whichever fit."""
    span = end_ms - start_ms
    hour = 3_600_000
    steps = (hour, 2 * hour, 6 * hour, 12 * hour, 24 * hour, 48 * hour, 7 * 24 * hour, 14 * 24 * hour)
    step = next((one for one in steps if span / one <= count), None)
    if step is not None:
        form = "%d %b %H:%M" if step < 24 * hour else "%d %b %Y"
        begin: float = math.ceil(start_ms / step) * step
        return [(moment, f"{_utc(moment):{form}}") for moment in _every(begin, end_ms, step)]
    months = max(1, math.ceil(span / (30.4 * 24 * hour) / count))
    found: list[tuple[float, str]] = []
    first = _utc(start_ms)
    year, month = first.year, first.month
    while True:
        month += months
        year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
        at = datetime(year, month, 1, tzinfo=UTC).timestamp() * 1000
        if at > end_ms:
            return found
        found.append((at, f"{_utc(at):%b %Y}"))


def _every(at: float, end: float, step: float) -> list[float]:
    return [at + place * step for place in range(int((end - at) // step) + 1)] if at <= end else []


def _utc(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


class Plane:
    """A drawing's coordinates: data on the axes, pixels on the paper."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], height: int) -> None:
        self.height = height
        self._x, self._y = x, y if y[1] > y[0] else (y[0] - 1.0, y[1] + 1.0)
        self.parts: list[str] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        span = self._x[1] - self._x[0] or 1.0
        right = LEFT + (x - self._x[0]) / span * (WIDTH - LEFT - RIGHT)
        down = TOP + (self._y[1] - y) / (self._y[1] - self._y[0]) * (self.height - TOP - BOTTOM)
        return round(right, 1), round(down, 1)

    def axes(self, *, y_text: Callable[[float], str], time: bool = True) -> None:
        for value in ticks(*self._y):
            _, down = self.at(self._x[0], value)
            self.parts.append(f'<path class="grid" d="M{LEFT} {down}H{WIDTH - RIGHT}"/>')
            self.parts.append(
                f'<text class="tick" x="{LEFT - 6}" y="{down + 4}" text-anchor="end">{y_text(value)}</text>'
            )
        marks = time_ticks(*self._x) if time else [(value, f"{value:g}") for value in ticks(*self._x, 8)]
        for value, text in marks:
            right, _ = self.at(value, self._y[0])
            self.parts.append(f'<path class="grid" d="M{right} {TOP}V{self.height - BOTTOM}"/>')
            anchor = "end" if right > WIDTH - 40 else "middle"
            self.parts.append(
                f'<text class="tick" x="{right}" y="{self.height - 8}" text-anchor="{anchor}">{escape(text)}</text>'
            )

    def line(self, points: Points, kind: str) -> None:
        steps = [self.at(x, y) for x, y in points]
        if steps:
            path = "M" + "L".join(f"{right} {down}" for right, down in steps)
            self.parts.append(f'<path class="{kind}" d="{path}"/>')

    def area(self, points: Points, base: float, kind: str) -> None:
        if not points:
            return
        steps = [self.at(x, y) for x, y in points]
        _, ground = self.at(self._x[0], base)
        path = "M" + "L".join(f"{right} {down}" for right, down in steps)
        self.parts.append(f'<path class="{kind}" d="{path}L{steps[-1][0]} {ground}L{steps[0][0]} {ground}Z"/>')

    def bar(self, left: float, right: float, value: float, kind: str, title: str) -> None:
        x1, y1 = self.at(left, max(value, 0.0))
        x2, y2 = self.at(right, min(value, 0.0))
        self.parts.append(
            f'<rect class="{kind}" x="{x1}" y="{y1}" width="{max(x2 - x1 - 1, 1):.1f}" height="{max(y2 - y1, 0):.1f}">'
            f"<title>{escape(title)}</title></rect>"
        )

    def mark(self, x: float, y: float, kind: str, title: str, *, up: bool) -> None:
        right, down = self.at(x, y)
        tip = -6 if up else 6
        self.parts.append(
            f'<path class="{kind}" d="M{right} {down}l-4 {-tip}h8z"><title>{escape(title)}</title></path>'
        )

    def svg(self, label: str) -> str:
        """The whole drawing; `label` says in words what it shows."""
        body = "".join(self.parts)
        return (
            f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {WIDTH} {self.height}" '
            f'preserveAspectRatio="xMidYMid meet">{body}</svg>'
        )


def bounds(values: Sequence[float], *, room: float = 0.05) -> tuple[float, float]:
    """The smallest and the largest, with a little room around."""
    low, high = min(values), max(values)
    space = (high - low) * room or abs(high) * room or 1.0
    return low - space, high + space


def heat(value: float | None, largest: float) -> str:
    """The style of a cell: green above zero, red below, the deeper the further; nothing without a value."""
    if value is None or largest <= 0 or not math.isfinite(value):
        return ""
    strength = min(1.0, abs(value) / largest)
    colour = "var(--up)" if value >= 0 else "var(--down)"
    return f"background:color-mix(in srgb, {colour} {strength * 70:.0f}%, transparent)"


def count_heat(value: int, largest: int) -> str:
    """The style of a cell that counts."""
    return f"background:color-mix(in srgb, var(--accent) {60 * value / largest:.0f}%, transparent)" if value else ""
