"""One writer: an operating system lock on a file, which dies with its process and names it while it lives."""

import contextlib
import fcntl
import os
from pathlib import Path

from genesis.edge.store_errors import StoreLocked, StoreUnusable


def holder(path: Path) -> int | None:
    """The process that holds the lock on this file, as far as the system shows; None when there is none.

    Looks only: who asked for the lock to find out would refuse it to a process that starts in this moment.
    """
    with contextlib.suppress(OSError, ValueError):
        pid, file = int(path.read_bytes().split(b"\n")[0]), path.stat()
        # A number may be another process's by now: the right one has the file open.
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if os.path.samestat(link.stat(), file):
                    return pid
    return None


class FileLock:
    """An exclusive flock held from construction to `release` (or to the end of the process, however it ends).

    The file is never removed: between somebody's open and flock it could become another file with the same name, and
    two processes would each hold "the" lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnusable(f"{path} must be writable, was not: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = self._holder()
            os.close(self._file)
            raise StoreLocked(path, pid) from error
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(self._file)
            raise StoreUnusable(f"{path} must be writable, was not: {error.strerror}") from error

    def _holder(self) -> int | None:
        # The holder writes its number just after it has the lock; in between the file may be empty or older.
        with contextlib.suppress(ValueError):
            return int(os.pread(self._file, 32, 0).split(b"\n")[0])
        return None

    def release(self) -> None:
        """Let go. Safe to say twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
