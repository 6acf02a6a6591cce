"""Whether a journal is what was written: its tables, its pages, the chain of its log, and every cell.

A start that proved all of it would take longer with each year. The chain ends in the anchor's hash, so its newest part
vouches for itself, and what an engine decides by are its cells and that part. Of a long journal a start proves those,
and the rest is proven beside the running engine (`genesis.journal_proof`), up to the hash behind which the newest part
began. Damage that is found there leaves a mark: the next start then proves everything, and refuses what is damaged.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from genesis.edge.anchor import GENESIS_HEAD, Head
from genesis.edge.store_layouts import FIRST_VERSION, SCHEMA_VERSION, definitions, layout, version_of
from genesis.edge.store_rows import cell_digest, row_hash

NEWEST: Final = 50_000
"""Records that a start proves of a longer journal: half a second. What machines keep of records before them they keep
anew far more often than this."""
_LARGEST: Final = 2**63 - 1
PAGE: Final = 1_000
"""Records that are read in one go of an older part: no transaction of a reader may keep the writer's log from being
folded back for minutes."""


@attrs.frozen
class Proven:
    """The chain's head, and the record behind which all was proven: GENESIS_HEAD says that this is everything."""

    head: Head
    since: Head


def mark_path(path: Path) -> Path:
    """Where the mark lies that makes the next start prove everything."""
    return path.with_name(path.name + ".suspect")


def proof_trouble(
    connection: sqlite3.Connection, anchor: Head, *, newest: int | None = None
) -> tuple[Proven, str | None]:
    """What was proven, and what is wrong or None. With `newest` at least so many of the newest records, else all.

    The anchor's row is compared where the chain passes it; whether the chain reaches it is the caller's question.
    """
    since = GENESIS_HEAD if newest is None else _since(connection, anchor, newest)
    proven = Proven(GENESIS_HEAD, since)
    trouble = schema_trouble(connection)
    if trouble is None:
        # Of one table where the log is not read whole: that would read its every page.
        part = "1" if since == GENESIS_HEAD else "cells"
        (found,) = connection.execute(f"PRAGMA integrity_check({part})").fetchone()
        trouble = None if found == "ok" else str(found)
    if trouble is None:
        head, trouble = chain_trouble(connection, anchor, since=since)
        proven = Proven(head, since)
    if trouble is None:
        trouble = cells_trouble(connection, proven.head)
    if trouble is None and connection.execute("SELECT count(*) FROM epoch").fetchone() != (1,):
        trouble = "the epoch must be one row, was not"
    return proven, trouble


def older_trouble(connection: sqlite3.Connection, upto: Head, between: Callable[[], None]) -> str | None:
    """What is wrong with the part that a start left out, which must lead to the record `upto`, and with any page.

    Reads while another process writes, a page at a time with a call of `between` behind each.
    """
    head = GENESIS_HEAD
    while head.seq < upto.seq:
        before = head
        head, trouble = chain_trouble(connection, upto, since=before, last=min(before.seq + PAGE, upto.seq))
        if trouble is None and head == before:
            trouble = f"log row {before.seq + 1} must follow, was missing"
        if trouble is not None:
            return trouble
        between()
    if head != upto:
        return f"log row {upto.seq} is not the one that the newest part continues"
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return None if found == "ok" else str(found)


def _since(connection: sqlite3.Connection, anchor: Head, newest: int) -> Head:
    """Where the proof of the newest records begins. Behind the anchor nothing vouches for a row."""
    (last,) = connection.execute("SELECT max(seq) FROM log").fetchone()
    before = min((last or 0) - newest, anchor.seq)
    row = connection.execute("SELECT seq, hash FROM log WHERE seq = ?", (before,)).fetchone()
    return GENESIS_HEAD if row is None or before <= 0 else Head(*row)


def schema_trouble(connection: sqlite3.Connection) -> str | None:
    """What is wrong with the tables' definitions: a flipped bit there could take the uniqueness from an index."""
    version = version_of(connection)
    if not FIRST_VERSION <= version <= SCHEMA_VERSION:
        return f"schema version must be {FIRST_VERSION} to {SCHEMA_VERSION}, was {version}"
    if definitions(connection) != layout(version):
        return f"tables must be as schema version {version} makes them, were not"
    return None


def chain_trouble(
    connection: sqlite3.Connection, anchor: Head, *, since: Head = GENESIS_HEAD, last: int | None = None
) -> tuple[Head, str | None]:
    """Follow the chain from behind `since`, to its end or to the record `last`. Gives where it came to, and what is
    wrong with it or None."""
    if since.seq == anchor.seq and since != anchor:
        return since, f"log row {since.seq} is not the one that the anchor names"
    rows = connection.execute(
        "SELECT seq, time, actor, kind, key, payload, corr, prev_hash, hash FROM log"
        " WHERE seq > ? AND seq <= ? ORDER BY seq",
        (since.seq, _LARGEST if last is None else last),
    )
    kinds: dict[str, int] = {}
    newest_seq, newest_hash = since.seq, since.hash
    trouble = None
    for seq, time, actor, kind, key, payload, corr, previous, found in rows:
        if seq != newest_seq + 1:
            trouble = f"log row {newest_seq + 1} must follow, was {seq}"
        elif previous != newest_hash:
            trouble = f"log row {seq} does not continue the chain"
        elif row_hash(previous, seq, time, actor, kind, key, payload, corr) != found:
            trouble = f"log row {seq} is not what was written"
        if trouble is not None:
            break
        newest_seq, newest_hash = seq, found
        if seq == anchor.seq and found != anchor.hash:
            trouble = f"log row {seq} is not the one that the anchor names"
            break
        kinds[kind] = kinds.get(kind, 0) + 1
    head = Head(newest_seq, newest_hash)
    if trouble is not None:
        return head, trouble
    return head, _index_trouble(connection, kinds, since.seq, head.seq)


def _index_trouble(connection: sqlite3.Connection, kinds: dict[str, int], after: int, last: int) -> str | None:
    """Whether the index by kind has the same rows: what is read by it at a start must be all there is."""
    for kind, count in kinds.items():
        (found,) = connection.execute(
            "SELECT count(*) FROM log INDEXED BY log_kind WHERE kind = ? AND seq > ? AND seq <= ?", (kind, after, last)
        ).fetchone()
        if found != count:
            return f"the index must name {count} records of {kind}, names {found}"
    return None


def cells_trouble(connection: sqlite3.Connection, head: Head) -> str | None:
    """Check every cell's digest."""
    for table, key, payload, seq, digest in connection.execute("SELECT tbl, key, payload, seq, digest FROM cells"):
        if cell_digest(table, key, payload, seq) != digest:
            return f"cell {table}/{key} is not what was written"
        if seq > head.seq:
            return f"cell {table}/{key} is newer than the log"
    return None
