"""The market that research is done on, by its name: a recording, or pairs of the data store."""

import re
from pathlib import Path
from typing import Final

import numpy as np

from genesis.domain.bars import TIME, Table, are_sound, first_faults
from genesis.domain.recording import CandleRecording, Manifest, RecordingError, read_manifest
from genesis.domain.replay import MINUTE_MS
from genesis.domain.strategy_arrays import CandleArrays
from genesis.edge.bar_files import BarFiles, DataUnusable, let_go
from genesis.edge.recordings import RecordingUnreadable, read_bytes
from genesis.research.bars import STRETCH, BarRecording
from genesis.research.runs import arrays_of, cut, when
from genesis.simulator.recordings import DEFAULT, find, load
from protocols.units import Symbol

PAIR: Final = re.compile(r"(t[A-Z0-9]{2,12}(?::[A-Z0-9]{2,12})?):(\d{1,2}[mhDW])")
WARM_UP_MS: Final = 60 * 24 * 60 * MINUTE_MS
"""How much of the store before the first minute strategies may warm up on at least: sixty days."""


def pairs_of(name: str) -> list[tuple[Symbol, str]] | None:
    """`tBTCUSD:1m,tETHUSD:1m` as pairs; None when the name is not of that kind."""
    parts = [PAIR.fullmatch(part.strip()) for part in name.split(",")]
    found = [(Symbol(part[1]), part[2]) for part in parts if part is not None]
    return found if len(found) == len(parts) else None


def load_market(
    name: str,
    data_folder: Path,
    start_ms: int | None = None,
    end_ms: int | None = None,
    reach_ms: int = 0,
    *,
    mapped: bool = False,
) -> BarRecording:
    """A market cut to [start, end). Raises RecordingError when there is none, ValueError when the range is empty.

    What strategies may begin with is `reach_ms` before the start, as far as there is data, and at least `WARM_UP_MS`.
    `mapped` looks at the data store through arrays that all processes share (made at the first look): for searches, of
    which each worker reads the same years.
    """
    pairs = pairs_of(name)
    if pairs is not None:
        warm_ms = None if start_ms is None else start_ms - max(reach_ms, WARM_UP_MS)
        return _from_store(name, pairs, BarFiles(data_folder), warm_ms, start_ms, end_ms, mapped)
    return cut(BarRecording.of(load_candles(name)), start_ms, end_ms)


def load_candles(name: str) -> CandleRecording:
    """A recording of candles by its name or path. Raises RecordingError."""
    recording = load(name or DEFAULT)
    if not isinstance(recording, CandleRecording):
        raise RecordingError(name, 0, "must hold candles, holds wire frames; a backtest needs candles")
    return recording


def _from_store(
    name: str,
    pairs: list[tuple[Symbol, str]],
    files: BarFiles,
    warm_ms: int | None,
    start_ms: int | None,
    end_ms: int | None,
    mapped: bool,
) -> BarRecording:
    _check_pairs(name, pairs)
    history: dict[Symbol, CandleArrays] = {}
    rows: dict[Symbol, CandleArrays] = {}
    for symbol, timeframe in pairs:
        try:
            if mapped:
                table, times = files.mapped(symbol, timeframe, warm_ms, end_ms)
            else:
                table = files.read(symbol, timeframe, warm_ms, end_ms)
                times = table[:, TIME].astype(np.int64)
        except DataUnusable as error:
            raise RecordingError(name, 0, str(error)) from None
        if not _is_sound(table):
            for fault, count, place in first_faults(table, MINUTE_MS):
                at = when(int(table[place, TIME]))
                raise RecordingError(
                    name, 0, f"{symbol}: {count} bars are {fault}, the first at {at}; see genesis data check"
                )
        begin = 0 if start_ms is None else int(times.searchsorted(start_ms))
        history[symbol], rows[symbol] = arrays_of(table[:begin], times[:begin]), arrays_of(table[begin:], times[begin:])
        if not len(rows[symbol]):
            span = files.span(symbol, timeframe)
            there = "there are none at all" if span is None else f"{when(span[0])} to {when(span[1])} are there"
            raise ValueError(f"range must hold bars of {symbol}:{timeframe}, held none ({there})")
    return BarRecording(
        name=name,
        history=history,
        rows=rows,
        first_ms=min(int(found.open_ms[0]) for found in rows.values()),
        last_ms=max(int(found.open_ms[-1]) for found in rows.values()),
    )


def _is_sound(table: Table) -> bool:
    """Whether no row has a fault. A stretch at a time, and of a mapped table no more than that is ever held here."""
    for begin in range(0, len(table), STRETCH):
        some = table[begin : begin + STRETCH + 1]
        if not are_sound(some, MINUTE_MS):
            return False
        for place in range(table.shape[1]):
            let_go(some[:, place])
    return True


def _check_pairs(name: str, pairs: list[tuple[Symbol, str]]) -> None:
    if len({symbol for symbol, _ in pairs}) != len(pairs):
        raise ValueError(f"market must name each pair once, was {name}")
    for symbol, timeframe in pairs:
        if timeframe != "1m":
            text = f"market must be of minutes ({symbol}:1m), from which coarser candles are made, was {timeframe}"
            raise ValueError(text)


def market_span(name: str, data_folder: Path) -> tuple[int, int]:
    """When a market begins and ends (ms UTC, the end is not part of it), without reading its candles.

    Raises ValueError when there is none of that name.
    """
    pairs = pairs_of(name)
    if pairs is not None:
        _check_pairs(name, pairs)
        spans = []
        for symbol, timeframe in pairs:
            try:
                span = BarFiles(data_folder).span(symbol, timeframe)
            except DataUnusable as error:
                raise ValueError(f"market: {error}") from None
            if span is None:
                raise ValueError(f"market: {symbol}:{timeframe} must be in the data store, was not; see genesis data")
            spans.append(span)
        return min(span[0] for span in spans), max(span[1] for span in spans) + MINUTE_MS
    manifest = _manifest(name)
    return manifest.replay_from_ms, manifest.replay_to_ms + MINUTE_MS


def recording_symbols(name: str) -> tuple[Symbol, ...]:
    """The pairs of a recording, by its manifest. Raises ValueError."""
    return tuple(Symbol(entry.symbol) for entry in _manifest(name).series)


def _manifest(name: str) -> Manifest:
    try:
        path = find(name or DEFAULT)
        if not path.is_dir():
            path = path.parent
        return read_manifest(str(path), read_bytes(path / "manifest.json"))
    except (RecordingError, RecordingUnreadable) as error:
        raise ValueError(f"market: {error}") from None


def market_symbols(name: str, data_folder: Path) -> tuple[Symbol, ...]:
    """The pairs of a market. Raises ValueError when there is none of that name, or it holds no candles."""
    pairs = pairs_of(name)
    if pairs is not None:
        market_span(name, data_folder)
        return tuple(symbol for symbol, _ in pairs)
    try:
        return load_candles(name).symbols
    except RecordingError as error:
        raise ValueError(str(error)) from None
