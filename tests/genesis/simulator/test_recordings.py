"""Recordings on disk: the shipped ones are whole, and a broken one is refused in one line."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from genesis.domain.recording import CandleRecording, RecordingError
from genesis.simulator.recordings import DEFAULT, SHIPPED, FrameRecording, find, load, shipped_names


def test_the_default_recording_is_the_crash_with_the_time_before_it() -> None:
    recording = load(DEFAULT)
    assert isinstance(recording, CandleRecording)
    assert recording.symbols == ("tBTCUSD", "tETHUSD")
    assert {len(rows) for rows in recording.rows.values()} == {2700}
    assert {len(rows) for rows in recording.history.values()} == {1620}


def test_what_ships_is_small_and_has_its_provenance() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 5 * 1024 * 1024
    text = (SHIPPED / "PROVENANCE.md").read_text()
    assert all(name in text for name in shipped_names())
    for name in shipped_names():
        load(name)


def test_the_frame_recording_opens_its_two_channels() -> None:
    recording = load("2018-11-12-tBTCUSD")
    assert isinstance(recording, FrameRecording)
    assert [channel.channel for channel in recording.channels] == ["trades", "book"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "tBTCUSD-1m.csv.gz").write_bytes(b"no gzip"), "sha256 must be"),
        (lambda folder: (folder / "tBTCUSD-1m.csv.gz").unlink(), "must be a readable file"),
        (lambda folder: (folder / "manifest.json").write_text(""), "was empty"),
        (lambda folder: (folder / "manifest.json").unlink(), "must have a manifest.json, had none"),
    ],
)
def test_a_broken_folder_is_refused(tmp_path: Path, damage: Any, reason: str) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(SHIPPED / "2015-08-flash", folder)
    assert load(str(folder)) == load("2015-08-flash")
    damage(folder)
    with pytest.raises(RecordingError, match=reason):
        load(str(folder))


def with_sum(folder: Path, data: bytes) -> None:
    """Put data in the place of the candles, with a sum that agrees: the fault is then in the text."""
    import hashlib

    (folder / "tBTCUSD-1m.csv.gz").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["series"][0]["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def packed(text: bytes) -> bytes:
    """Compressed, without the hour it was done: a test's name is made of it, and must be the same everywhere."""
    return gzip.compress(text, mtime=0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no gzip", "must be gzip"),
        (packed(b"time,open,close,high,low,volume\n" * 2000)[:-9], "must be gzip|time must be"),
        (packed(b"\xff\xfe"), "must be UTF-8"),
        (packed(b""), "was empty"),
        (packed(b"time,open,close,high,low,volume\n1439899200000,1,1,1,1,-1\n"), "line 2: volume must be"),
    ],
)
def test_broken_contents_are_refused_with_their_line(tmp_path: Path, data: bytes, reason: str) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(SHIPPED / "2015-08-flash", folder)
    with_sum(folder, data)
    with pytest.raises(RecordingError, match=reason):
        load(str(folder))


def test_a_broken_frame_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.frames.jsonl.gz"
    for data, reason in ((b"no", "must be gzip"), (packed(b"{\n"), "line 1: must be a JSON frame")):
        path.write_bytes(data)
        with pytest.raises(RecordingError, match=reason):
            load(str(path))


@pytest.mark.parametrize("name", ["nope", "", "../nope", "/etc/passwd"])
def test_a_name_that_means_nothing_lists_what_there_is(name: str) -> None:
    with pytest.raises(RecordingError, match="must be"):
        load(name)


def test_a_path_to_a_manifest_works_too() -> None:
    assert load(str(SHIPPED / "2015-08-flash" / "manifest.json")) == load("2015-08-flash")
    assert find(DEFAULT).is_dir()
