"""What the store takes: a commit that it could not write is refused before anything of it is."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from genesis.edge.store_errors import CommitRefused
from protocols.journal import Commit, LateCell, LateRecord

LARGEST_TIME: Final = 2**63 - 1


Place = tuple[int, int]
Places = tuple[Place | None, Place | None]


def places_of(path: Path) -> Places:
    """Which files a journal and its write-ahead log are (device and inode), None where there is none.

    One that was deleted or moved while it is open takes writes and syncs as ever, and no start finds them again; what
    was committed last is in the second alone.
    """
    return _place_of(path), _place_of(f"{path}-wal")


def have_moved(path: Path, places: Places) -> bool:
    """Whether the two are elsewhere now. Where nobody may look they are as they were: in a folder that was closed to us
    nothing is lost, and of a disk that fails the write tells."""
    try:
        return places_of(path) != places
    except OSError:
        return False


def _place_of(path: Path | str) -> Place | None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def check_commit(commit: Commit, *, whole: bool = False) -> None:
    """Raise CommitRefused when a request is not well formed: msgspec does not check what is constructed in Python.

    The text of a late record or cell is looked at only in a `whole` check, which makes it.
    """
    if _is_plain(commit) and (not whole or _has_its_texts(commit)):
        return
    texts: list[str] = []
    for record in commit.records:
        kind, key, correlation_id, at_ms = record.kind, record.key, record.correlation_id, record.at_ms
        if not (isinstance(kind, str) and kind and isinstance(correlation_id, str)):
            raise CommitRefused(f"kind and correlation_id must be text, were {kind!r}, {correlation_id!r}")
        if not (key is None or isinstance(key, str)):
            raise CommitRefused(f"key must be text or None, was {key!r}")
        later = isinstance(record, LateRecord) and _is_later(record, kind, whole)
        if type(at_ms) is not int or not (later or isinstance(record.payload, bytes)):
            raise CommitRefused(f"payload must be bytes and at_ms an integer in {kind}")
        if not -LARGEST_TIME <= at_ms <= LARGEST_TIME:
            raise CommitRefused(f"at_ms must fit 63 bits in {kind}, was {at_ms}")
        texts += (kind, key or "", correlation_id)
    for cell in commit.cells:
        later = isinstance(cell, LateCell) and _is_later(cell, cell.key, whole)
        if not (isinstance(cell.table, str) and isinstance(cell.key, str)) or not (
            later or isinstance(cell.payload, bytes)
        ):
            raise CommitRefused(f"a cell must be text, text and bytes, was {cell.table!r}, {cell.key!r}")
        texts += (cell.table, cell.key)
    if not isinstance(commit.writer, str) or not (commit.commit_id is None or isinstance(commit.commit_id, str)):
        raise CommitRefused(f"writer and commit_id must be text, were {commit.writer!r}, {commit.commit_id!r}")
    texts += (commit.writer, commit.commit_id or "")
    if not "".join(texts).isascii():
        _must_be_storable(texts)


def _is_plain(commit: Commit) -> bool:
    """Whether all is as it nearly always is, in one look: an order waits for this one. False says nothing."""
    texts: list[str] = [commit.writer, "" if commit.commit_id is None else commit.commit_id]
    for record in commit.records:
        if not (type(record.at_ms) is int and -LARGEST_TIME <= record.at_ms <= LARGEST_TIME and record.kind):
            return False
        if not (type(record) is LateRecord or type(record.payload) is bytes):
            return False
        texts += (record.kind, "" if record.key is None else record.key, record.correlation_id)
    for cell in commit.cells:
        if not (type(cell) is LateCell or type(cell.payload) is bytes):
            return False
        texts += (cell.table, cell.key)
    try:
        return "".join(texts).isascii()
    except TypeError:
        # Not all are text.
        return False


def _has_its_texts(commit: Commit) -> bool:
    """Make those that are made when they are kept. False where one cannot be: who looks closer says why."""
    try:
        for record in commit.records:
            if type(record.payload) is not bytes:
                return False
        for cell in commit.cells:
            if type(cell.payload) is not bytes:
                return False
    except Exception:
        return False
    return True


def _is_later(what: LateRecord | LateCell, name: str, whole: bool) -> bool:
    """Whether its text is not asked for yet; in a `whole` check it is made here."""
    if not whole:
        return True
    try:
        what.payload  # noqa: B018 - it is made by being looked at
    except Exception as error:
        raise CommitRefused(f"{name} must have a text: {type(error).__name__}: {error}") from error
    return False


def _must_be_storable(texts: Iterable[str]) -> None:
    """Half a surrogate pair out of somebody's JSON has no bytes: one such name must not poison the store."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise CommitRefused(f"text must be valid unicode, was {text!r}") from None
