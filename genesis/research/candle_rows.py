"""Candles as one array of rows, from files of the venue's own columns or from a recording, on any time frame."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genesis.domain.recording import RecordingError, read_candles
from genesis.domain.replay import CandleRow
from genesis.domain.resample import resample_rows
from genesis.edge.recordings import read_bytes, text_lines
from genesis.research.bars import BarRecording
from protocols.units import TIMEFRAME_MS, Symbol

Floats = npt.NDArray[np.float64]


def rows_of(candles: Sequence[CandleRow]) -> Floats:
    """float64[n, 6]: open_ms, open, high, low, close, volume."""
    return np.array(
        [(one.open_ms, one.open, one.high, one.low, one.close, one.volume) for one in candles], dtype=np.float64
    ).reshape(-1, 6)


def rows_of_files(paths: Sequence[Path]) -> Floats:
    """One symbol's minutes from `csv.gz` files, in the order given. Raises RecordingError when they go back in time."""
    parts = [rows_of(read_candles(str(path), text_lines(path, read_bytes(path)))) for path in paths]
    for before, after, path in zip(parts, parts[1:], paths[1:], strict=False):
        if after[0, 0] <= before[-1, 0]:
            raise RecordingError(str(path), 2, "must begin after the file before it, did not")
    return np.concatenate(parts)


def rows_of_market(market: BarRecording, symbol: str) -> Floats:
    """One symbol's minutes with what came before. Raises ValueError when it is not in the market."""
    if symbol not in market.rows:
        raise ValueError(f"symbol must be one of {', '.join(market.rows)}, was {symbol}")
    parts = [part for part in (market.history.get(Symbol(symbol)), market.rows[Symbol(symbol)]) if part is not None]
    return np.concatenate(
        [np.column_stack((one.open_ms, one.open, one.high, one.low, one.close, one.volume)) for one in parts]
    ).astype(np.float64)


def on_timeframe(minutes: Floats, timeframe: str) -> Floats:
    """Longer candles of minutes; one that may still be forming at the end is left out."""
    length = TIMEFRAME_MS[timeframe]
    rows: Floats = resample_rows(minutes, length)
    if len(rows) and minutes[-1, 0] + 60_000 < rows[-1, 0] + length:
        rows = rows[:-1]
    return rows
