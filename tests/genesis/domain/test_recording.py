"""Recordings are believed only after every line has been looked at, and every fault is told with its place."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.recording import (
    RecordingError,
    candle_recording,
    frame_channels,
    read_candles,
    read_frame,
    read_manifest,
    write_candles,
)
from genesis.domain.replay import CandleRow

HEADER = "time,open,close,high,low,volume"
GOOD = "1517788800000,8185.2,8223.1,8224,8185.1,17.96"
MANIFEST = {
    "format": "genesis-candles-1",
    "name": "x",
    "timeframe": "1m",
    "replay_from_ms": 1517788800000,
    "replay_to_ms": 1517788860000,
    "series": [{"symbol": "tBTCUSD", "file": "a.csv.gz", "rows": 1, "sha256": "0"}],
}


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        ([], 0, "was empty"),
        ([HEADER], 0, "had none"),
        (["time,open,high,low,close,volume", GOOD], 1, "columns must be time,open,close,high,low,volume"),
        ([HEADER, GOOD + ",1"], 2, "must have 6 columns, had 7"),
        ([HEADER, ""], 2, "must have 6 columns, had 1"),
        ([HEADER, GOOD.replace("8185.2", "many")], 2, "open must be a number, was 'many'"),
        ([HEADER, GOOD.replace("8185.2", "nan")], 2, "open must be finite"),
        ([HEADER, GOOD.replace("8185.2", "inf")], 2, "open must be finite"),
        ([HEADER, GOOD.replace("8185.2", "-1")], 2, "open must be above zero, was '-1'"),
        ([HEADER, GOOD.replace("17.96", "-17.96")], 2, "volume must be above zero"),
        ([HEADER, GOOD.replace("1517788800000", "1517788800001")], 2, "time must be a whole minute"),
        ([HEADER, GOOD.replace("1517788800000", "soon")], 2, "time must be milliseconds, was 'soon'"),
        ([HEADER, GOOD, GOOD], 3, "time must ascend, was 1517788800000 after 1517788800000"),
        ([HEADER, GOOD.replace("8224", "8000")], 2, "high must be the highest price, was 8000"),
        ([HEADER, GOOD.replace("8185.1", "8200")], 2, "low must be the lowest price, was 8200"),
    ],
)
def test_a_bad_candle_file_is_refused_with_its_line(lines: list[str], line: int, reason: str) -> None:
    with pytest.raises(RecordingError, match=reason.replace("(", r"\(")) as caught:
        read_candles("file.csv", lines)
    assert (caught.value.source, caught.value.line) == ("file.csv", line)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "other"}, "format must be 'genesis-candles-1', was 'other'"),
        ({"timeframe": "5m"}, "timeframe must be '1m', was '5m'"),
        ({"series": []}, "at least one file"),
        ({"replay_from_ms": 1}, "whole minutes"),
        ({"replay_to_ms": 0}, "must not be before"),
        ({"colour": "red"}, "must be a manifest"),
        ({"series": [MANIFEST["series"][0] | {"symbol": "BTC"}]}, "trading symbol"),  # type: ignore[index]
        ({"series": [MANIFEST["series"][0] | {"file": "../x"}]}, "inside the folder"),  # type: ignore[index]
        ({"series": MANIFEST["series"] * 2}, "symbols must differ"),  # type: ignore[operator]
    ],
)
def test_a_bad_manifest_is_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(RecordingError, match=reason):
        read_manifest("manifest.json", json.dumps(MANIFEST | change).encode())


@pytest.mark.parametrize("data", [b"", b"  ", b"[]", b"{", b"\xff\xfe"])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(RecordingError, match="must be a manifest"):
        read_manifest("manifest.json", data)


def test_rows_before_the_replay_are_history() -> None:
    manifest = read_manifest("m", json.dumps(MANIFEST | {"replay_from_ms": 1517788860000}).encode())
    rows = [CandleRow(1517788800000, 1, 1, 1, 1, 1), CandleRow(1517788860000, 1, 1, 1, 1, 1)]
    with pytest.raises(RecordingError, match="must have 1 rows, had 2"):
        candle_recording(manifest, "m", {"tBTCUSD": rows})
    with pytest.raises(RecordingError, match="rows in the replayed time"):
        candle_recording(manifest, "m", {"tBTCUSD": rows[:1]})
    recording = candle_recording(manifest, "m", {"tBTCUSD": rows[1:]})
    assert recording.symbols == ("tBTCUSD",)


@given(st.text(max_size=60))
def test_any_text_is_a_frame_or_a_recording_error(text: str) -> None:
    with contextlib.suppress(RecordingError):
        assert read_frame("f", 1, text) is not None


@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_lines_are_candles_or_a_recording_error(lines: list[str]) -> None:
    with contextlib.suppress(RecordingError):
        assert len(read_candles("f", [HEADER, *lines])) == len(lines)


def test_a_frame_recording_must_open_a_channel() -> None:
    with pytest.raises(RecordingError, match="was empty"):
        frame_channels("f", [])
    with pytest.raises(RecordingError, match="must open a book or trades channel"):
        frame_channels("f", ['{"event":"info","version":2}', '[1,"hb"]'])
    with pytest.raises(RecordingError, match="must have chanId"):
        frame_channels("f", ['{"event":"subscribed","channel":"book"}'])


def test_rows_survive_being_written() -> None:
    rows = [CandleRow(60_000, 1.0, 2.5, 3.0, 0.5, 2.9e-7), CandleRow(120_000, 1e5, 1e5, 1e5, 1e5, 0.0)]
    assert read_candles("f", list(write_candles(rows))) == rows
