"""Recordings by name or path: what ships with the simulator, and what a user brings."""

from pathlib import Path
from typing import Final

import attrs

from genesis.domain.recording import (
    CandleRecording,
    FrameChannel,
    RecordingError,
    candle_recording,
    frame_channels,
    read_candles,
    read_manifest,
)
from genesis.edge.recordings import RecordingUnreadable, read_bytes, sha256, text_lines

SHIPPED: Final = Path(__file__).parent / "recordings"
DEFAULT: Final = "2018-02-crash"
FRAMES_SUFFIX: Final = ".frames.jsonl.gz"


@attrs.frozen(kw_only=True)
class FrameRecording:
    """A recording of raw wire frames: kept packed, unpacked line by line as it is replayed."""

    name: str
    path: Path
    data: bytes
    channels: tuple[FrameChannel, ...]


Recording = CandleRecording | FrameRecording


def shipped_names() -> list[str]:
    """What `--recording` knows by name."""
    folders = [path.name for path in SHIPPED.iterdir() if (path / "manifest.json").is_file()]
    frames = [path.name.removesuffix(FRAMES_SUFFIX) for path in SHIPPED.glob(f"*{FRAMES_SUFFIX}")]
    return sorted(folders + frames)


def find(name: str) -> Path:
    """The folder or file that a name or path means. Raises RecordingError."""
    if not name:
        raise RecordingError("recording", 0, f"must be one of {', '.join(shipped_names())}, or a path, was empty")
    for path in (Path(name), SHIPPED / name, SHIPPED / f"{name}{FRAMES_SUFFIX}"):
        if path.is_file() or (path / "manifest.json").is_file():
            return path
    if Path(name).is_dir():
        raise RecordingError(name, 0, "folder must have a manifest.json, had none")
    raise RecordingError(name, 0, f"must be a recording (one of {', '.join(shipped_names())}, or a path), was not")


def load(name: str) -> Recording:
    """Read and check a recording. Raises RecordingError, and nothing else, for whatever is wrong with it."""
    path = find(name)
    try:
        if path.is_dir():
            return _load_candles(path)
        if path.name == "manifest.json":
            return _load_candles(path.parent)
        if path.name.endswith((".jsonl.gz", ".jsonl")):
            return _load_frames(path)
    except RecordingUnreadable as error:
        raise RecordingError(str(path), 0, str(error)) from None
    raise RecordingError(str(path), 0, "must be a folder with a manifest.json or a .jsonl.gz of frames, was neither")


def _load_candles(folder: Path) -> CandleRecording:
    manifest_path = folder / "manifest.json"
    manifest = read_manifest(str(manifest_path), read_bytes(manifest_path))
    series = {}
    for entry in manifest.series:
        path = folder / entry.file
        data = read_bytes(path)
        if sha256(data) != entry.sha256:
            raise RecordingError(str(path), 0, f"sha256 must be {entry.sha256}, was {sha256(data)}")
        series[entry.symbol] = read_candles(str(path), text_lines(path, data))
    return candle_recording(manifest, str(manifest_path), series)


def _load_frames(path: Path) -> FrameRecording:
    data = read_bytes(path)
    channels = frame_channels(str(path), text_lines(path, data))
    return FrameRecording(name=path.name.removesuffix(FRAMES_SUFFIX), path=path, data=data, channels=channels)
