"""The chain's head outside the database: how a missing tail is seen.

A hash chain proves that no row was changed or taken from its middle, but a chain with its last rows missing is still a
chain. One flipped bit in a write-ahead log makes SQLite drop every later commit in silence, so the number and hash of
the newest row are kept here, in a second file with its own sync.

The anchor is written after its commit and never before, so the file it guards may be ahead of it, never behind. That
is why its sync may be rarer: what an older anchor does not guard is guarded by the database's own sync.

The file has two slots of fixed size, written in turn and each with its own digest: a torn write leaves the other slot,
which is one commit older and still an anchor.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

import attrs

from genesis.edge.store_errors import StoreCorrupt

SLOT_SIZE: Final = 128
_MAGIC: Final = "genesis-anchor"


@attrs.frozen
class Head:
    """The newest row of a chain: its number and its hash. Number 0 is the beginning, before any row."""

    seq: int
    hash: bytes


GENESIS_HEAD: Final = Head(0, bytes(32))


def _slot(head: Head) -> bytes:
    text = f"{_MAGIC} {head.seq} {head.hash.hex()}".encode()
    digest = hashlib.sha256(text).hexdigest()[:16].encode()
    return (text + b" " + digest).ljust(SLOT_SIZE - 1) + b"\n"


def _read_slot(slot: bytes) -> Head | None:
    try:
        magic, seq, row_hash, _ = slot.decode("ascii").split()
        head = Head(int(seq), bytes.fromhex(row_hash))
    except (UnicodeDecodeError, ValueError):
        return None
    return head if magic == _MAGIC and _slot(head) == slot else None


def sync_directory(directory: Path) -> None:
    """Make names durable: a file that was created or renamed is found after a power cut only after this."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_anchor(path: Path) -> Head | None:
    """The newest readable slot; None when there is no file. Raises StoreCorrupt when no slot is readable."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    heads = [_read_slot(content[:SLOT_SIZE]), _read_slot(content[SLOT_SIZE : 2 * SLOT_SIZE])]
    found = [head for head in heads if head is not None]
    if not found:
        raise StoreCorrupt(path, "neither slot of the anchor can be read")
    return max(found, key=lambda head: head.seq)


class Anchor:
    """The anchor file of a writer. Every error of `write` must poison the store that it belongs to."""

    def __init__(self, path: Path, head: Head) -> None:
        # Begun whole in another file: there is never an anchor without a readable slot.
        fresh = path.with_name(path.name + ".new")
        handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(handle, _slot(head) * 2, 0)
            os.fsync(handle)
            os.replace(fresh, path)
            sync_directory(path.parent)
        except BaseException:
            os.close(handle)
            raise
        self._file = handle
        self._turn = 0

    def write(self, head: Head, *, sync: bool = True) -> None:
        """Write the slot whose turn it is, and sync it if asked."""
        written = os.pwrite(self._file, _slot(head), self._turn * SLOT_SIZE)
        if written != SLOT_SIZE:
            raise OSError(f"anchor write must be {SLOT_SIZE} bytes, was {written}")
        if sync:
            os.fdatasync(self._file)
        self._turn = 1 - self._turn

    def sync(self) -> None:
        """Make what was written durable."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Safe to say twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
