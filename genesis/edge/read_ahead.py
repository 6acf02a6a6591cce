"""A long file read once from end to end, so that whoever then jumps about in it finds it in memory."""

import os
from pathlib import Path
from typing import Final

LONG_BYTES: Final = 64 * 1024 * 1024
"""A shorter file is read in no time however one jumps."""
CHUNK_BYTES: Final = 4 * 1024 * 1024


def read_ahead(path: Path, *, room_bytes: int | None = None) -> int:
    """Read it for the system's page cache. Gives the bytes read; 0 of a short file, and of one above `room_bytes` (half
    of the machine's memory unless given), which would push its own beginning out again.

    Closing a file drops all locks that this process has on it: call it before the file is opened for anything else.
    Raises OSError.
    """
    room_bytes = _memory_bytes() // 2 if room_bytes is None else room_bytes
    if not LONG_BYTES <= path.stat().st_size <= room_bytes:
        return 0
    total, chunk = 0, bytearray(CHUNK_BYTES)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(chunk):
            total += count
    return total


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
