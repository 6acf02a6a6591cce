"""Journals of former layouts, as engines of their time wrote them."""

import lzma
import shutil
from pathlib import Path

from genesis.edge.store import anchor_path

JOURNALS = Path(__file__).resolve().parent / "recorded" / "journals"


def put_journal(version: int, path: Path) -> Path:
    """Unpack the journal of a layout, with its anchor, at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.decompress((JOURNALS / f"layout-{version}.sqlite.xz").read_bytes()))
    shutil.copy(JOURNALS / f"layout-{version}.sqlite.anchor", anchor_path(path))
    return path
