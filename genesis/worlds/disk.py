"""A simulated disk: a real folder in memory, and what a process finds of it that starts after another was killed."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

import attrs

IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a private folder is made below it


def scratch_folder() -> Path:
    """A new folder, in memory where the machine has that: worlds sync often, and nobody keeps their files."""
    return Path(tempfile.mkdtemp(prefix="genesis-world-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None))


@attrs.define(eq=False)
class Disk:
    """`folder` is what the living process sees. The files of a killed one are frozen as they were in that moment: its
    clean-up code, which a real kill would not have run, writes into a folder that nobody opens again."""

    root: Path
    number: int = 0

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def folder(self) -> Path:
        return self.root / f"life-{self.number}"

    def freeze(self) -> None:
        """The process that writes here was killed, now."""
        before = self.folder
        self.number += 1
        shutil.copytree(before, self.folder)

    def clear(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
