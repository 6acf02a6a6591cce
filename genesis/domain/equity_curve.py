"""The curve of an account's equity: a point a step, so many at most, kept in the journal by day."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from genesis.domain.performance import EquityFigures
from protocols.account import EquityPoint
from protocols.journal import CellWrite

KEY: Final = "curve:"
CURVE_LIMIT: Final = 20_000
DAY_MS: Final = 86_400_000

_ENCODER = msgspec.json.Encoder(order="sorted")
_POINTS = msgspec.json.Decoder(list[EquityPoint])


class EquityCurve:
    """Points of one account's equity, oldest first, and the figures that are worked out of them.

    A point is put when `step_ms` of venue time have passed since the last one. At more than `limit` points half of
    them go and the step doubles: the shape stays, for years, in a bounded memory.
    """

    def __init__(self, *, step_ms: int, limit: int) -> None:
        self.points: list[EquityPoint] = []
        self.unkept = 0
        """Points that the last `take_cells` did not hold."""
        self._step_ms = step_ms
        self._limit = limit
        # Of every point but the newest, which may still change. Worked out when somebody looks.
        self._figures = EquityFigures()
        self._not_figured: list[EquityPoint] = []
        self._unkept_days: set[int] = set()

    # --- inputs -----------------------------------------------------------------------------------------------------

    def is_due(self, at_ms: int) -> bool:
        """A step has passed since the newest point, or there is none."""
        return not self.points or at_ms >= self.points[-1].at_ms + self._step_ms

    def add(self, point: EquityPoint) -> None:
        """A point that is newer than every other."""
        if self.points:
            self._not_figured.append(self.points[-1])
        self.points.append(point)
        self._unkept_days.add(point.at_ms // DAY_MS)
        self.unkept += 1
        if len(self.points) > self._limit:
            self._thin()

    def say_again(self, point: EquityPoint) -> None:
        """The newest point once more: another symbol's candle of the same moment, and that moment's last word."""
        self.points[-1] = point
        self._unkept_days.add(point.at_ms // DAY_MS)

    def extend(self, points: Sequence[EquityPoint]) -> None:
        """Points that `add` would have put one by one; `room` at most, and at least one."""
        self._not_figured += [*self.points[-1:], *points[:-1]]
        self.points += points
        self._unkept_days.update(range(points[0].at_ms // DAY_MS, points[-1].at_ms // DAY_MS + 1))
        self.unkept += len(points)
        if len(self.points) > self._limit:
            self._thin()

    def restore(self, cells: Iterable[CellWrite]) -> None:
        """Take up where the journal says it was. Cells of other keys are passed over."""
        points = [point for cell in cells if cell.key.startswith(KEY) for point in _POINTS.decode(cell.payload)]
        points.sort(key=_time)
        self.points = points
        self._not_figured += points[:-1]
        while len(self.points) > self._limit:
            self._thin()

    # --- what it says -----------------------------------------------------------------------------------------------

    def next_ms(self, begin_ms: int) -> tuple[int, int]:
        """When it gets its next point (`begin_ms` while it has none), and the step from there on."""
        return (self.points[-1].at_ms + self._step_ms if self.points else begin_ms), self._step_ms

    @property
    def room(self) -> int:
        """How many points it takes before its step doubles, and the one that makes it."""
        return self._limit - len(self.points) + 1

    def figures(self) -> EquityFigures:
        """Of all points but the newest, which may still change."""
        for point in self._not_figured:
            self._figures.on_point(point)
        self._not_figured.clear()
        return self._figures

    def take_cells(self, table: str) -> list[CellWrite]:
        """The days of which the journal does not hold every point yet, whole. They count as kept from here on."""
        cells = []
        for day in sorted(self._unkept_days):
            begin = bisect_left(self.points, day * DAY_MS, key=_time)
            points = self.points[begin : bisect_left(self.points, (day + 1) * DAY_MS, lo=begin, key=_time)]
            cells.append(CellWrite(table=table, key=f"{KEY}{day}", payload=_ENCODER.encode(points)))
        self._unkept_days.clear()
        self.unkept = 0
        return cells

    # --- inside -----------------------------------------------------------------------------------------------------

    def _thin(self) -> None:
        """Half the points at twice the step: the shape stays, the first and the newest point too."""
        self.points = [*self.points[:-1:2], self.points[-1]]
        self._step_ms *= 2


def _time(point: EquityPoint) -> int:
    return point.at_ms
