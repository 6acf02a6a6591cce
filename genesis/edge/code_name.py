"""The name of the code that decides: what a journal keeps, so that a replay knows whether it is the same still."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

import protocols

NAME_LENGTH: Final = 16


@cache
def code_name() -> str:
    """A digest of the sources of all that decides (floors 0 and 1), the same wherever they are installed.

    Reads files, a few milliseconds, once a process.
    """
    return name_of(Path(__file__).parents[1] / "domain", Path(protocols.__file__).parent)


def name_of(*packages: Path) -> str:
    """The digest of all Python sources below these folders, by their names and words."""
    whole = hashlib.sha256()
    for root in packages:
        for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).parts):
            whole.update("/".join(path.relative_to(root).parts).encode() + b"\0")
            whole.update(path.read_bytes())
    return whole.hexdigest()[:NAME_LENGTH]
