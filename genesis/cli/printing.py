"""What commands print: tables for people, JSON lines for programs. Colours go away by themselves in a pipe."""

import datetime
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from protocols.plain_text import plain_numbers, plain_text

PIPE_COLUMNS: Final = 240
PROSE: Final = 24
"""A column with a longer cell is folded where there is no room; beside numbers nothing shorter is."""
FOLDED: Final = 16
"""And has at least this much room."""
WATCH_S: Final = 0.5


def plain_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_encode)
    return plain_numbers(text.encode()).decode()


def _encode(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"must be a JSON value, was {type(value).__name__}")


def print_json(value: Any) -> None:
    print(plain_json(value))


def warn(text: str) -> None:
    """Say what an answer lacks: on stderr, so that a pipe gets the answer only."""
    print(f"genesis: {text}", file=sys.stderr)


def _console() -> Console:
    # In a pipe there is no edge to fold at: a program that greps wants whole words.
    return Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """A table; an empty one says so in words. `right` names the columns of numbers.

    A terminal that is too narrow for it gets each row as a block of lines: a number that is broken over two lines is
    read as another one.
    """
    console = _console()
    told = [["" if cell is None else plain_text(cell) for cell in row] for row in rows]
    if not told:
        console.print(Text(f"{title}: none"))
        return
    widths = [max(map(_width, each)) for each in zip(columns, *told, strict=True)]
    folds = [column not in right and width > PROSE for column, width in zip(columns, widths, strict=True)]
    least = sum(FOLDED if fold else width for width, fold in zip(widths, folds, strict=True)) + 3 * len(columns) + 1
    exact = console.is_terminal and bool(right)
    if exact and least > console.width:
        console.print(Text(title, style="italic"))
        for row in told:
            console.print()
            console.print(_grid((name, cell) for name, cell in zip(columns, row, strict=True) if cell))
        return
    shown = Table(title=title, title_justify="left", header_style="bold", expand=False)
    for column, fold in zip(columns, folds, strict=True):
        shown.add_column(
            column,
            justify="right" if column in right else "left",
            overflow="fold",
            no_wrap=exact and not fold,
        )
    for row in told:
        # Text, not markup: a name from the venue may hold square brackets.
        shown.add_row(*map(Text, row))
    console.print(shown)


def _width(text: str) -> int:
    return max(map(cell_len, text.splitlines()), default=0)


def pairs(rows: Iterable[tuple[str, object]]) -> None:
    """Names and values, one a line."""
    _console().print(_grid(rows))


def _grid(rows: Iterable[tuple[str, object]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, value in rows:
        grid.add_row(Text(name, style="bold"), Text("" if value is None else plain_text(value)))
    return grid


def watch(look: Callable[[], Iterable[tuple[str, object]]], *, title: str) -> None:
    """Show what `look` gives, twice a second, until Ctrl-C. What it raises ends it and stays on the screen."""
    with Live(console=_console(), auto_refresh=False, screen=False) as live:
        try:
            while True:
                live.update(Panel(_grid(look()), title=title, title_align="left", expand=False), refresh=True)
                time.sleep(WATCH_S)
        except KeyboardInterrupt:
            return


def number(value: object, places: int = 8) -> str:
    """Decimal text as a person reads it: no more places than that, no zeros behind. Programs get all of it in JSON."""
    if value is None:
        return ""
    exact = Decimal(str(value))
    if not exact.is_finite():
        return str(value)
    text = f"{exact:.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def money(value: object) -> str:
    """An amount of the quote currency, to the cent."""
    return "" if value is None else f"{Decimal(str(value)):,.2f}"


def when(ms: int | None) -> str:
    """Milliseconds UTC as a person writes them; nothing for 0, which means unknown."""
    if not ms:
        return ""
    return datetime.datetime.fromtimestamp(ms / 1000, tz=datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    hours, rest = divmod(whole, 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
