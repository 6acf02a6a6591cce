"""`genesis logs`: the engine's log lines for people, the newest or as they come."""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from genesis.cli.failures import CommandFailed
from genesis.cli.options import Reading, newest_of
from genesis.run_options import ExitCode

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
COLOURS: Final = {"debug": "dim", "info": "", "warning": "yellow", "error": "red", "critical": "bold red"}
SHOWN_APART: Final = ("timestamp", "level", "event", "logger", "exception")
LOOK_S: Final = 0.3


def logs(
    *,
    lines: Annotated[int, Parameter(name=["-n", "--lines"], help="How many of the newest.")] = 50,
    follow: Annotated[bool, Parameter(name=["-f", "--follow"], negative="", help="Go on as lines come.")] = False,
    filter: Annotated[
        tuple[str, ...], Parameter(help="Only lines with this text; name=value matches a field. May be repeated.")
    ] = (),
    level: Annotated[Literal["debug", "info", "warning", "error"], Parameter(help="Least level.")] = "debug",
    mode: Annotated[
        Literal["sim", "paper", "live"] | None, Parameter(help="Which engine's log; the newest when not given.")
    ] = None,
    reading: Reading | None = None,
) -> None:
    """Log lines of this user directory; no running engine is needed.

    Examples: `genesis logs -f --level warning`, `genesis logs --filter event=fill --filter tBTCUSD -n 20`.
    """
    reading = reading or Reading()
    path = newest_of(lambda each: reading.user_dir.logs / f"{each}.log", mode)
    if lines < 0:
        raise CommandFailed(f"lines must be at least 0, was {lines}", ExitCode.CONFIGURATION)
    if not path.exists():
        raise CommandFailed(
            f"{path} must be a log, was not there: no engine of mode {path.stem} ran here", ExitCode.NOT_FOUND
        )
    newest: deque[dict[str, Any]] = deque(maxlen=lines)
    for file in _turned_over(path):
        newest.extend(row for row in _rows(file) if _wanted(row, filter, LEVELS[level]))
    console = Console(width=None if sys.stdout.isatty() else 10_000, soft_wrap=True)
    for row in newest:
        _show(console, row, as_json=reading.json)
    if follow:
        for row in _coming(path):
            if _wanted(row, filter, LEVELS[level]):
                _show(console, row, as_json=reading.json)


def _turned_over(path: Path) -> list[Path]:
    """Older files of the same log first, then the one that is written."""
    older = [file for file in path.parent.glob(f"{path.name}.*") if file.suffix[1:].isdecimal()]
    return [*sorted(older, key=lambda file: -int(file.suffix[1:])), path]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            row = _row(line)
            if row is not None:
                yield row


def _row(line: str) -> dict[str, Any] | None:
    """None for a line that is not whole, as the last one after a power cut."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _coming(path: Path) -> Iterator[dict[str, Any]]:
    """Lines from now on; a file that was turned over is followed into its successor. Ends with Ctrl-C."""
    file = path.open(encoding="utf-8", errors="replace")
    file.seek(0, 2)
    begun = ""
    try:
        while True:
            line = file.readline()
            if line.endswith("\n"):
                row = _row(begun + line)
                begun = ""
                if row is not None:
                    yield row
                continue
            begun += line
            try:
                turned = path.stat().st_ino != _inode(file.fileno())
            except FileNotFoundError:
                turned = False
            if turned:
                file.close()
                file, begun = path.open(encoding="utf-8", errors="replace"), ""
            else:
                time.sleep(LOOK_S)
    finally:
        file.close()


def _inode(number: int) -> int:
    return os.fstat(number).st_ino


def _wanted(row: dict[str, Any], filters: tuple[str, ...], least: int) -> bool:
    if LEVELS.get(str(row.get("level")), 20) < least:
        return False
    for each in filters:
        name, equals, value = each.partition("=")
        if equals and name in row:
            if str(row[name]) != value:
                return False
        elif each.lower() not in json.dumps(row, ensure_ascii=False).lower():
            return False
    return True


def _show(console: Console, row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(row, ensure_ascii=False), flush=True)
        return
    level = str(row.get("level", "info"))
    text = Text()
    text.append(str(row.get("timestamp", ""))[:23].replace("T", " "), style="dim")
    text.append(f" {level:8}", style=COLOURS.get(level, ""))
    text.append(f" {row.get('event', '')}", style="bold")
    for name, value in row.items():
        if name not in SHOWN_APART:
            text.append(f" {name}=", style="dim")
            text.append(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    console.print(text)
    if row.get("exception"):
        console.print(Text(json.dumps(row["exception"], indent=1, ensure_ascii=False), style="dim"))
