"""The recorded wire sessions that tests read."""

import csv
import functools
import gzip
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RECORDED = Path(__file__).parent / "recorded"


def lines(path: Path) -> list[bytes]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [line for line in data.split(b"\n") if line.strip()]


@functools.cache
def ws_lines(name: str) -> tuple[bytes, ...]:
    """The lines of one file in tests/recorded/ws."""
    return tuple(lines(RECORDED / "ws" / name))


@functools.cache
def ws_data(name: str) -> tuple[bytes, ...]:
    """The frames of a file whose lines are objects with the frame's text in `data`, received ones only."""
    told = (json.loads(line) for line in ws_lines(name))
    return tuple(
        line["data"].encode()
        for line in told
        if "data" in line and line.get("dir", "recv") == "recv" and line.get("t", "recv") == "recv"
    )


@functools.cache
def day_of_frames() -> tuple[bytes, ...]:
    """The 917,363 frames of 2018-11-12, which the simulator ships to replay."""
    return tuple(lines(ROOT / "genesis" / "simulator" / "recordings" / "2018-11-12-tBTCUSD.frames.jsonl.gz"))


def told_candles(name: str) -> list[dict[str, str]]:
    """The rows of one file in tests/recorded/candles."""
    with (RECORDED / "candles" / name).open() as rows:
        return list(csv.DictReader(rows))


def rest_recording(name: str) -> list[dict[str, Any]]:
    """The requests of one file in tests/recorded/rest, each with its response's status_code and body."""
    return list(json.loads(gzip.decompress((RECORDED / "rest" / name).read_bytes())))


def documentation_examples() -> dict[str, tuple[str, str, str]]:
    """Method (or the subscribing frames), path and answer of each documented example, by its name."""
    examples: dict[str, tuple[str, str, str]] = {}
    for line in lines(RECORDED / "rest" / "documentation-examples.jsonl.gz"):
        case = json.loads(line)
        name, text = case["case"], case["text"]
        if name.startswith("Subscriptions/"):
            request, _, answer = text.partition("\n= \n")
            examples[name] = (request, "", answer)
        else:
            method, path, _, answer = text.split("\n", 3)
            examples[name] = (method, path, answer)
    return examples
