"""Bars as one table of numbers: what makes a table usable, what is odd about it, and coarser bars of finer ones.

A table has a row a bar and the columns time (open, ms UTC), open, close, high, low, volume: the venue's own order.
"""

import math
from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

COLUMNS: Final = ("time", "open", "close", "high", "low", "volume")
TIME, OPEN, CLOSE, HIGH, LOW, VOLUME = range(6)
LARGEST: Final = 1e15
SPIKE_DEVIATIONS: Final = 25.0
"""Moves of so many usual ones that are taken back at the next bar: a misprint, or a wick that no order could use."""
SPIKE_AT_LEAST: Final = 0.02
TOLD: Final = 10

Table = npt.NDArray[np.float64]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Bars that are missing from `from_ms` on. A market without a trade has no bar, so a gap need not be a fault."""

    from_ms: int
    bars: int


class Oddity(msgspec.Struct, frozen=True, kw_only=True):
    """One bar that somebody should look at. `size` is a fraction of the price."""

    at_ms: int
    size: float


class BarCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be said about a series. Counts are of all; lists hold the largest ten.

    `faults` count what no market can have done (they make a table unusable); `spikes` what one hardly ever does.
    """

    bars: int
    first_ms: int
    last_ms: int
    step_ms: int
    missing: int
    gaps: tuple[Gap, ...]
    longest_gap_ms: int
    faults: dict[str, int]
    spikes: int
    largest_spikes: tuple[Oddity, ...]
    largest_move: Oddity | None
    still: int

    @property
    def usable(self) -> bool:
        return not self.faults


FAULTS: Final = {
    "not_finite": "numbers must be finite and at most 1e15",
    "not_positive": "prices must be above zero",
    "negative_volume": "volume must not be below zero",
    "high_too_low": "high must be the highest price of its bar",
    "low_too_high": "low must be the lowest price of its bar",
    "off_the_grid": "time must be a multiple of the time frame",
    "duplicate": "each time must be there once",
    "unsorted": "times must ascend",
}
"""What each fault's name means, for people."""


def fault_masks(table: Table, step_ms: int) -> dict[str, npt.NDArray[np.bool_]]:
    """Which rows have which fault, by name."""
    prices = table[:, OPEN : LOW + 1]
    with np.errstate(invalid="ignore"):
        finite = np.isfinite(table).all(axis=1) & (np.abs(table[:, OPEN:]) <= LARGEST).all(axis=1)
        before = np.concatenate(([False], np.diff(table[:, TIME]) < 0.0)) if len(table) else np.zeros(0, dtype=bool)
        _, first, counts = np.unique(table[:, TIME], return_index=True, return_counts=True)
        repeated = np.ones(len(table), dtype=bool)
        repeated[first] = False
        return {
            "not_finite": ~finite,
            "not_positive": (prices <= 0.0).any(axis=1),
            "negative_volume": table[:, VOLUME] < 0.0,
            "high_too_low": table[:, HIGH] < prices.max(axis=1, initial=-math.inf),
            "low_too_high": table[:, LOW] > prices.min(axis=1, initial=math.inf),
            "off_the_grid": table[:, TIME] % step_ms != 0,
            "duplicate": repeated & bool((counts > 1).any()),
            "unsorted": before,
        }


def are_sound(table: Table, step_ms: int) -> bool:
    """Whether no row has a fault, without saying which: what a table that is good needs, for a tenth of the room."""
    times = table[:, TIME]
    with np.errstate(invalid="ignore"):
        lowest = np.minimum(np.minimum(table[:, OPEN], table[:, CLOSE]), np.minimum(table[:, HIGH], table[:, LOW]))
        highest = np.maximum(np.maximum(table[:, OPEN], table[:, CLOSE]), np.maximum(table[:, HIGH], table[:, LOW]))
        # What is no number is never above, below or equal.
        sound = (table[:, LOW] <= lowest) & (lowest > 0.0) & (highest <= table[:, HIGH]) & (highest <= LARGEST)
        sound &= (table[:, VOLUME] >= 0.0) & (table[:, VOLUME] <= LARGEST) & (times % step_ms == 0)
    return bool(sound.all() and (np.diff(times) > 0.0).all())


def first_faults(table: Table, step_ms: int) -> Iterator[tuple[str, int, int]]:
    """(name, how many rows, the first of them from 0) of each fault that there is."""
    for name, mask in fault_masks(table, step_ms).items():
        found = np.flatnonzero(mask)
        if len(found):
            yield name, len(found), int(found[0])


def repaired(table: Table, step_ms: int) -> tuple[Table, dict[str, int]]:
    """The table sorted, of equal times the last row, without rows that no market can have made; and what was done."""
    faults = {name: count for name, count, _ in first_faults(table, step_ms)}
    masks = fault_masks(table, step_ms)
    wrong = np.zeros(len(table), dtype=bool)
    for name in ("not_finite", "not_positive", "negative_volume", "high_too_low", "low_too_high", "off_the_grid"):
        wrong |= masks[name]
    kept = table[~wrong]
    kept = kept[np.argsort(kept[:, TIME], kind="stable")]
    if len(kept):
        last = np.concatenate((kept[1:, TIME] != kept[:-1, TIME], [True]))
        kept = kept[last]
    return np.ascontiguousarray(kept), faults


def check_bars(table: Table, step_ms: int) -> BarCheck:
    """Look at a whole series. Raises ValueError on an empty one."""
    if not len(table):
        raise ValueError("bars must be at least one, was none")
    faults = {name: count for name, count, _ in first_faults(table, step_ms)}
    clean = repaired(table, step_ms)[0] if faults else table
    at = (clean if len(clean) else table)[:, TIME]
    steps = np.diff(at) / step_ms
    holes = np.flatnonzero(steps > 1.0)
    order = holes[np.argsort(-steps[holes], kind="stable")][:TOLD]
    gaps = tuple(Gap(from_ms=int(at[hole] + step_ms), bars=round(steps[hole] - 1)) for hole in order.tolist())
    spikes, moved = _spikes(clean, step_ms)
    return BarCheck(
        bars=len(table),
        first_ms=int(at[0]),
        last_ms=int(at[-1]),
        step_ms=step_ms,
        missing=int((steps[holes] - 1.0).sum()),
        gaps=gaps,
        longest_gap_ms=int(steps.max(initial=1.0) - 1) * step_ms,
        faults=faults,
        spikes=len(spikes),
        largest_spikes=tuple(sorted(spikes, key=lambda one: -abs(one.size))[:TOLD]),
        largest_move=moved,
        still=int((clean[:, HIGH] == clean[:, LOW]).sum()),
    )


def _spikes(table: Table, step_ms: int) -> tuple[list[Oddity], Oddity | None]:
    """Extremes that stand out of their own bar and both neighbours; and the largest move from close to close."""
    if len(table) < 3:
        return [], None
    close = table[:, CLOSE]
    # Across a hole anything may have happened.
    next_to = np.diff(table[:, TIME]) == step_ms
    moves = np.where(next_to, np.log(close[1:] / close[:-1]), 0.0)
    largest = int(np.abs(moves).argmax())
    moved = Oddity(at_ms=int(table[largest + 1, TIME]), size=float(math.expm1(moves[largest])))
    usual = np.abs(moves[moves != 0.0])
    limit = max(SPIKE_AT_LEAST, SPIKE_DEVIATIONS * float(np.median(usual)) if len(usual) else SPIKE_AT_LEAST)
    inner = table[1:-1]
    around_high = np.maximum.reduce((table[:-2, CLOSE], inner[:, OPEN], inner[:, CLOSE], table[2:, OPEN]))
    around_low = np.minimum.reduce((table[:-2, CLOSE], inner[:, OPEN], inner[:, CLOSE], table[2:, OPEN]))
    up, down = inner[:, HIGH] / around_high - 1.0, inner[:, LOW] / around_low - 1.0
    size = np.where(up > -down, up, down)
    places = np.flatnonzero((np.abs(size) > limit) & next_to[:-1] & next_to[1:])
    return [Oddity(at_ms=int(inner[place, TIME]), size=float(size[place])) for place in places.tolist()], moved


def resampled(table: Table, step_ms: int) -> Table:
    """Coarser bars of finer ones; a step without a bar has none. Raises ValueError when it is finer than the table."""
    if len(table) > 1 and float(np.diff(table[:, TIME]).min()) > step_ms:
        raise ValueError(f"step must not be finer than the bars, was {step_ms} ms")
    if not len(table):
        return table
    step = (table[:, TIME] // step_ms) * step_ms
    begins = np.flatnonzero(np.concatenate(([True], step[1:] != step[:-1])))
    ends = np.append(begins[1:], len(table)) - 1
    return np.column_stack(
        (
            step[begins],
            table[begins, OPEN],
            table[ends, CLOSE],
            np.maximum.reduceat(table[:, HIGH], begins),
            np.minimum.reduceat(table[:, LOW], begins),
            np.add.reduceat(table[:, VOLUME], begins),
        )
    )
