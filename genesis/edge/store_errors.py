"""What can go wrong with the journal's files, as one tree.

    StoreError
    +- StoreLocked         another process writes here; `pid` is its number when the lock file says it
    +- StoreUnusable       the place cannot hold a journal: no directory, no permission, a file of another program
    +- StoreTooNew         a newer Genesis wrote this file; this one must not touch it
    +- StoreCorrupt        bytes are not what was written; `quarantined` names where the files were put
    +- StoreIncomplete     the anchor says that more was written than the file holds; nothing was changed
    +- StorePoisoned       a commit or sync failed in this process: what is durable is known only after a new start
    |   +- StoreFenced     ... because a newer session took over the file
    +- StoreFull           there is no room for an optional commit; nothing of it was written and the store is fine
    +- CommitRefused       one request is not well formed; nothing of it was written and the store is fine

The first five come from opening, the others from writing. None of them is worth a retry in the same process: a file
system may mark pages clean after a failed fsync, so that a second one succeeds and lies.
"""

from pathlib import Path


class StoreError(Exception):
    """Anything that keeps the journal from promising what it is for."""


class StoreLocked(StoreError):
    """Somebody else writes here. Stop that process or use another data directory."""

    def __init__(self, path: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid is not None else "another process"
        super().__init__(f"{path} must have one writer, was locked by {who}")
        self.path = path
        self.pid = pid


class StoreUnusable(StoreError):
    """This path cannot hold a journal."""


class StoreTooNew(StoreError):
    """Written by a newer version. Use that one."""

    def __init__(self, path: Path, *, known: int, found: int) -> None:
        super().__init__(f"{path} must have schema version {known} or older, was {found}")
        self.known = known
        self.found = found


class StoreCorrupt(StoreError):
    """Bytes are not what was written. The files are kept under the names in `quarantined`; restore a backup."""

    def __init__(self, path: Path, what: str, quarantined: tuple[Path, ...] = ()) -> None:
        kept = f"; kept as {', '.join(str(file) for file in quarantined)}" if quarantined else ""
        super().__init__(f"{path} is corrupt: {what}{kept}")
        self.path = path
        self.what = what
        self.quarantined = quarantined


class StoreIncomplete(StoreError):
    """The anchor knows of records that the file does not hold. Money rows may be gone, so it is not opened."""


class StorePoisoned(StoreError):
    """A write failed. Nothing may be written or promised any more by this process."""


class StoreFenced(StorePoisoned):
    """A newer session took over the file."""


class StoreFull(StoreError):
    """There is no room for what could be refused. What is left is for orders; the store goes on."""


class CommitRefused(StoreError):
    """One request breaks the form that every request must have."""
