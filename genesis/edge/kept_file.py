"""A small file that is replaced whole: synced before it counts, its last version beside it, damage kept aside."""

import contextlib
import os
from pathlib import Path
from typing import Final

import attrs

OWNERS_ONLY: Final = 0o600


@attrs.frozen
class KeptFile:
    """One file by its path. All of this blocks: call it from a thread once an event loop runs."""

    path: Path

    @property
    def last_version(self) -> Path:
        return self.path.with_name(self.path.name + ".last")

    def read(self) -> bytes | None:
        """Its bytes, None when there is none. Raises OSError."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def set_aside(self) -> Path:
        """Move it out of the way, for a person to look at; gives where to. Raises OSError."""
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        os.replace(self.path, aside)
        return aside

    def replace(self, data: bytes) -> None:
        """Put these bytes in its place; there is no moment at which neither old nor new stand there. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(self.path.name + ".new")
        # For its owner only, as the journal is: news that waits for a messenger tells positions and money.
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNERS_ONLY), "wb") as file:
            os.fchmod(file.fileno(), OWNERS_ONLY)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            self.last_version.unlink()
        with contextlib.suppress(FileNotFoundError):
            os.link(self.path, self.last_version)
        os.replace(fresh, self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
