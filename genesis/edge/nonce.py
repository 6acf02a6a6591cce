"""The nonce owner: one rising number per API key, for REST and WebSocket and over all processes that share the file.

The venue keeps the highest nonce of a key for ever, so an ms nonce after a µs one is "small" until the end of time.
Therefore: microseconds, one owner, and a file. The number is written before it is used, under a lock of the file.
It is synced to the disk once a second only, so a power cut may lose a second of them: a start goes on a second ahead of
what it finds, whatever the clock says by then.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio

from genesis.edge.errors import EdgeError
from genesis.edge.turn import Turn

LARGEST_NONCE: Final = 9_007_199_254_740_991
"""2^53 - 1: the venue reads nonces as float64."""
SYNC_EVERY_US: Final = 1_000_000
LOCK_PAUSE_S: Final = 0.002
LOCK_TIMEOUT_S: Final = 5.0


class NonceOwner:
    """`wall_us` is the wall clock in microseconds. One owner for a key in a process; the file serialises processes."""

    def __init__(self, path: Path, wall_us: Callable[[], int]) -> None:
        self._path = path
        self._wall_us = wall_us
        self._synced = 0
        self._turn = Turn()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EdgeError(f"{path} must be writable, was not: {error.strerror}") from error
        found = self._read()
        self.last = found + SYNC_EVERY_US if found else 0

    async def next(self) -> int:
        """A nonce above every one before it.

        Raises EdgeError when the file stays locked or keeps nothing, or the numbers run out.
        """
        async with self._turn:
            await self._lock()
            try:
                return self._take()
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    async def bump(self, by_us: int = 10_000_000) -> None:
        """Jump ahead: somebody else has used a bigger one (10114). The next one is ahead of the clock by `by_us`."""
        async with self._turn:
            await self._lock()
            try:
                self._write(max(self._read(), self.last, self._wall_us()) + by_us)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file. Safe to say twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    async def _lock(self) -> None:
        deadline = trio.current_time() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if trio.current_time() >= deadline:
                    raise EdgeError(f"{self._path} must be free, was locked for {LOCK_TIMEOUT_S} s") from None
                await trio.sleep(LOCK_PAUSE_S)
            else:
                return

    def _take(self) -> int:
        nonce = max(self._read() + 1, self.last + 1, self._wall_us())
        if nonce > LARGEST_NONCE:
            raise EdgeError(f"nonce must be at most {LARGEST_NONCE}, would be {nonce}: a new API key is needed")
        self._write(nonce)
        return nonce

    def _read(self) -> int:
        text = os.pread(self._file, 32, 0).strip(b"\0 \n")
        # Torn or foreign text counts as nothing: the clock is ahead of any nonce that was really used.
        return int(text) if text.isdigit() and int(text) <= LARGEST_NONCE else 0

    def _write(self, nonce: int) -> None:
        try:
            # Always the same length, so that a torn write cannot leave a longer number than was meant.
            os.pwrite(self._file, b"%020d\n" % nonce, 0)
            self.last = nonce
            if nonce - self._synced >= SYNC_EVERY_US:
                os.fsync(self._file)
                self._synced = nonce
        except OSError as error:
            raise EdgeError(f"{self._path} must keep nonce {nonce}, did not: {error.strerror}") from error
