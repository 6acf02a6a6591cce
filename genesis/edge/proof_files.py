"""Sheets of figures as files: written by the tool that measured, shipped with the page that shows them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from protocols.proof import ProofSheet, ProofTable

FOLDER: Final = Path("web") / "proof_sheets"
"""In a checkout, beside `docs`; in an installation, inside the package that shows them."""

_decode = msgspec.json.Decoder(ProofSheet).decode


def table(title: str, head: Iterable[object], rows: Iterable[Iterable[object]]) -> ProofTable:
    """A table of whatever can be said as text."""
    said = tuple(tuple(str(cell) for cell in row) for row in rows)
    return ProofTable(title=title, head=tuple(str(cell) for cell in head), rows=said)


def markdown(shown: ProofTable) -> str:
    """The table alone, without its title."""
    lines = [f"| {' | '.join(shown.head)} |", f"|{'---|' * len(shown.head)}"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in shown.rows]
    return "\n".join(lines) + "\n"


def folder_beside(page: Path) -> Path | None:
    """Where the sheets are in the checkout that `page` (a file of its `docs`) belongs to; None for any other file."""
    folder = page.resolve().parent.parent / FOLDER
    return folder if folder.is_dir() else None


def write_sheet(folder: Path, sheet: ProofSheet) -> None:
    """Raises OSError."""
    text = msgspec.json.format(msgspec.json.encode(sheet), indent=1) + b"\n"
    (folder / f"{sheet.name}.json").write_bytes(text)


def read_sheets(folder: Path) -> tuple[ProofSheet, ...]:
    """All sheets of the folder, by name. Raises OSError, and msgspec.DecodeError for a file that is none."""
    return tuple(_decode(path.read_bytes()) for path in sorted(folder.glob("*.json")))
