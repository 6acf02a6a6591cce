"""What the store takes: a commit that it could not write is refused before anything of it is."""

from typing import Final

from genesis.edge.store_errors import CommitRefused
from protocols.journal import AnyCell, AnyRecord, Commit, LateCell, LateRecord

LARGEST_TIME: Final = 2**63 - 1


def check_commit(commit: Commit, *, whole: bool = False) -> None:
    """Raise CommitRefused when a request is not well formed: msgspec does not check what is constructed in Python.

    The text of a late record or cell is looked at only in a `whole` check, which makes it.
    """
    for record in commit.records:
        if not (isinstance(record.kind, str) and record.kind and isinstance(record.correlation_id, str)):
            raise CommitRefused(
                f"kind and correlation_id must be text, were {record.kind!r}, {record.correlation_id!r}"
            )
        if not (record.key is None or isinstance(record.key, str)):
            raise CommitRefused(f"key must be text or None, was {record.key!r}")
        later = _is_later(record, record.kind, whole)
        if type(record.at_ms) is not int or not (later or isinstance(record.payload, bytes)):
            raise CommitRefused(f"payload must be bytes and at_ms an integer in {record.kind}")
        if not -LARGEST_TIME <= record.at_ms <= LARGEST_TIME:
            raise CommitRefused(f"at_ms must fit 63 bits in {record.kind}, was {record.at_ms}")
        _must_be_storable(record.kind, record.key or "", record.correlation_id)
    for cell in commit.cells:
        later = _is_later(cell, cell.key, whole)
        if not (isinstance(cell.table, str) and isinstance(cell.key, str)) or not (
            later or isinstance(cell.payload, bytes)
        ):
            raise CommitRefused(f"a cell must be text, text and bytes, was {cell.table!r}, {cell.key!r}")
        _must_be_storable(cell.table, cell.key)
    if not isinstance(commit.writer, str) or not (commit.commit_id is None or isinstance(commit.commit_id, str)):
        raise CommitRefused(f"writer and commit_id must be text, were {commit.writer!r}, {commit.commit_id!r}")
    _must_be_storable(commit.writer, commit.commit_id or "")


def _is_later(what: AnyRecord | AnyCell, name: str, whole: bool) -> bool:
    """Whether the text of a record or cell is not asked for yet."""
    if not isinstance(what, LateRecord | LateCell):
        return False
    if whole:
        try:
            what.payload  # noqa: B018 - it is made by being looked at
        except Exception as error:
            raise CommitRefused(f"{name} must have a text: {type(error).__name__}: {error}") from error
    return not whole


def _must_be_storable(*texts: str) -> None:
    """Half a surrogate pair out of somebody's JSON has no bytes: one such name must not poison the store."""
    for text in texts:
        if text.isascii():
            continue
        try:
            text.encode()
        except UnicodeEncodeError:
            raise CommitRefused(f"text must be valid unicode, was {text!r}") from None
