"""The market that research is done on, by its name: a recording, or pairs of the data store."""

from pathlib import Path

from genesis.domain.recording import CandleRecording, RecordingError, read_manifest
from genesis.domain.replay import MINUTE_MS
from genesis.edge.recordings import RecordingUnreadable, read_bytes
from genesis.simulator.recordings import DEFAULT, find, load


def load_market(name: str, data_folder: Path) -> CandleRecording:
    """A recording by its name or path. Raises RecordingError when there is none, or it holds no candles."""
    recording = load(name or DEFAULT)
    if not isinstance(recording, CandleRecording):
        raise RecordingError(name, 0, "must hold candles, holds wire frames; a backtest needs candles")
    return recording


def market_span(name: str, data_folder: Path) -> tuple[int, int]:
    """When a market begins and ends (ms UTC, the end is not part of it), without reading its candles.

    Raises ValueError when there is none of that name.
    """
    try:
        path = find(name or DEFAULT)
        if not path.is_dir():
            path = path.parent
        manifest = read_manifest(str(path), read_bytes(path / "manifest.json"))
    except (RecordingError, RecordingUnreadable) as error:
        raise ValueError(f"market: {error}") from None
    return manifest.replay_from_ms, manifest.replay_to_ms + MINUTE_MS
