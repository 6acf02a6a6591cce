"""A search through the journal: what is asked for, what is found, and the condition that SQLite looks by.

A payload has no index: whoever looks into payloads reads them, and a journal of a year has gigabytes of them. Where a
key, a correlation id or the order of the log leads there, none but the rows that were meant are read.
"""

import sqlite3
from collections.abc import Iterator, Sequence

import attrs

from protocols.journal import CellWrite, Record


@attrs.frozen(kw_only=True)
class FindRecords:
    """Records of one kind; None is any. Times are those of the records, both included; `fragments` are bytes that a
    payload must all contain, `any_of` some of which it must contain one; `key_prefix` is how the key begins."""

    kind: str
    key: str | None = None
    key_prefix: str | None = None
    correlation_id: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    fragments: tuple[bytes, ...] = ()
    any_of: tuple[bytes, ...] = ()
    limit: int = 100
    offset: int = 0


@attrs.frozen(kw_only=True)
class FoundRecords:
    """`records` is a page, newest first, of the `total` that fit among the `of_kind`."""

    total: int
    of_kind: int
    records: tuple[Record, ...]


def clauses(request: FindRecords) -> tuple[str, list[object]]:
    """The condition in SQL with its placeholders, and the values for them."""
    where, values = "kind = ?", list[object]([request.kind])
    for clause, value in (
        ("key = ?", request.key),
        ("corr = ?", request.correlation_id),
        ("time >= ?", request.from_ms),
        ("time <= ?", request.to_ms),
    ):
        if value is not None:
            where += f" AND {clause}"
            values.append(value)
    if request.key_prefix is not None:
        where += " AND key >= ? AND key < ?"
        values += key_range(request.key_prefix)
    for fragment in request.fragments:
        where += " AND instr(payload, ?) > 0"
        values.append(fragment)
    if request.any_of:
        where += f" AND ({' OR '.join(['instr(payload, ?) > 0'] * len(request.any_of))})"
        values += request.any_of
    return where, values


def walk(connection: sqlite3.Connection, request: FindRecords) -> Iterator[Record]:
    """All that fit, newest first, each read when it is asked for."""
    where, values = clauses(request)
    # The text between is names of columns and placeholders, never a value.
    rows = connection.execute(
        f"SELECT time, kind, key, payload, corr FROM log WHERE {where} ORDER BY seq DESC",  # noqa: S608
        values,
    )
    for time, kind, key, payload, corr in rows:
        yield Record(kind=kind, key=key, payload=payload, correlation_id=corr, at_ms=time)


def count_names(connection: sqlite3.Connection, kind: str, fragments: Sequence[bytes]) -> int:
    """How many names the keys of a kind have, which end at their first colon; with `fragments` those of which the
    first record's payload contains them all. The names come of the index alone, and of payloads one each is read."""
    name = "substr(key, 1, instr(key, ':'))"
    if not fragments:
        query = f"SELECT count(DISTINCT {name}) FROM log WHERE kind = ?"  # noqa: S608 - placeholders
    else:
        firsts = f"SELECT min(seq) FROM log WHERE kind = ? GROUP BY {name}"  # noqa: S608 - placeholders
        contains = " AND instr(payload, ?) > 0" * len(fragments)
        query = f"SELECT count(*) FROM log WHERE seq IN ({firsts}){contains}"  # noqa: S608 - placeholders
    (count,) = connection.execute(query, (kind, *fragments)).fetchone()
    return int(count)


def cells_without(
    connection: sqlite3.Connection, table: str, key_prefix: str, fragments: Sequence[bytes]
) -> tuple[CellWrite, ...]:
    """Cells whose key begins so and whose payload contains none of the fragments, ordered by key."""
    without = " AND instr(payload, ?) = 0" * len(fragments)
    rows = connection.execute(
        f"SELECT tbl, key, payload FROM cells WHERE tbl = ? AND key >= ? AND key < ?{without} ORDER BY key",  # noqa: S608
        (table, *key_range(key_prefix), *fragments),
    )
    return tuple(CellWrite(table=tbl, key=key, payload=payload) for tbl, key, payload in rows)


def key_range(prefix: str) -> tuple[str, str]:
    """From where to where keys begin so."""
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)
