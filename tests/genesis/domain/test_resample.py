"""Longer candles of shorter ones: the same as over arrays, told at their end and never before."""

import numpy as np
import numpy.typing as npt
import pytest

from genesis.domain.indicators.catalog import candle_rows
from genesis.domain.resample import (
    LONG_TIME,
    RESAMPLE_SIZE,
    resample_overdue,
    resample_rows,
    resample_start,
    resample_step,
)
from tests.recorded_candles import recorded_candles

Floats = npt.NDArray[np.float64]
MINUTE = 60_000
LONG = 15 * MINUTE


def stepped(rows: Floats) -> list[tuple[float, ...]]:
    """Every longer candle with the open stamp of the base candle that told it last."""
    state = [0.0, *resample_start(MINUTE, LONG)]
    told: list[tuple[float, ...]] = []
    for row in rows.tolist():
        if resample_overdue(state, 1, row[0]):
            told.append((*state[1 + LONG_TIME : 7 + LONG_TIME], row[0]))
        if resample_step(state, 1, *row):
            told.append((*state[1 + LONG_TIME : 7 + LONG_TIME], row[0]))
    return told


def test_bar_by_bar_equals_the_arrays_and_is_told_at_the_end() -> None:
    rows = candle_rows(recorded_candles())
    told = stepped(rows)
    np.testing.assert_array_equal(np.array(told)[:, :5], resample_rows(rows, LONG)[: len(told), :5])
    np.testing.assert_allclose(np.array(told)[:, 5], resample_rows(rows, LONG)[: len(told), 5])
    for row in told:
        assert row[6] + MINUTE >= row[0] + LONG, "nothing is told before its end"
        assert row[6] < row[0] + 2 * LONG


def test_a_missing_last_minute_is_made_up_for_by_the_next_candle() -> None:
    rows = candle_rows(recorded_candles())[:120]
    holes = np.delete(rows, [14, 29, 44, 45, 46, 59], axis=0)
    told = stepped(holes)
    np.testing.assert_array_equal(np.array(told)[:, :5], resample_rows(holes, LONG)[: len(told), :5])
    assert len(told) == 8


def test_a_time_frame_that_does_not_fit_is_refused() -> None:
    assert len(resample_start(MINUTE, LONG)) == RESAMPLE_SIZE
    for base, long in ((MINUTE, 90_000), (LONG, MINUTE), (0, MINUTE)):
        with pytest.raises(ValueError, match="must be a multiple"):
            resample_start(base, long)
