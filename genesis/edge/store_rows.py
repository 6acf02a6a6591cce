"""The journal's tables and the proofs that its rows carry: a hash chain over the log, a digest on every cell."""

import functools
import hashlib
import sqlite3
import struct
from collections.abc import Iterable
from typing import Final

from genesis.edge.anchor import GENESIS_HEAD, Head
from genesis.edge.store_layouts import FIRST_VERSION, SCHEMA_VERSION, definitions, layout, make, version_of
from protocols.journal import AnyCell, Record

APPLICATION_ID: Final = 0x47454E45
"""`GENE`: tells a journal from any other SQLite file."""

CELLS_WRITTEN: Final = "CellsWritten"
"""The kind of the row that puts a transaction's cells into the chain: without one, a lost tail of commits that wrote
only cells would not be missed."""

_FIXED: Final = struct.Struct(">qq?")
_LENGTH: Final = struct.Struct(">I")


def row_hash(
    previous: bytes, seq: int, time: int, actor: str, kind: str, key: str | None, payload: bytes, corr: str
) -> bytes:
    """SHA-256 over every field with its length, and the hash of the row before."""
    name, why, length = b"" if key is None else key.encode(), corr.encode(), _LENGTH.pack
    whole = (
        previous,
        _FIXED.pack(seq, time, key is not None),
        _measured(actor),
        _measured(kind),
        length(len(name)),
        name,
        length(len(payload)),
        payload,
        length(len(why)),
        why,
    )
    return hashlib.sha256(b"".join(whole)).digest()


@functools.lru_cache(maxsize=1024)
def _measured(text: str) -> bytes:
    """Its length and its bytes: of writers and kinds there are few."""
    content = text.encode()
    return _LENGTH.pack(len(content)) + content


def cell_digest(table: str, key: str, payload: bytes, seq: int) -> bytes:
    """What a cell must hash to; `seq` is the log row of the transaction that wrote it."""
    return row_hash(b"cell", seq, 0, table, "", key, payload, "")


def cells_written(cells: Iterable[AnyCell], at_ms: int) -> Record:
    """The log record that stands for the cells of one transaction."""
    digest = hashlib.sha256()
    for cell in cells:
        digest.update(cell_digest(cell.table, cell.key, cell.payload, 0))
    payload = f'"{digest.hexdigest()}"'.encode()
    return Record(kind=CELLS_WRITTEN, key=None, payload=payload, correlation_id="", at_ms=at_ms)


def create(connection: sqlite3.Connection) -> None:
    """Make the tables. The caller owns the transaction."""
    make(connection)
    connection.execute("INSERT INTO epoch VALUES (1, 0)")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def schema_trouble(connection: sqlite3.Connection) -> str | None:
    """What is wrong with the tables' definitions: a flipped bit there could take the uniqueness from an index."""
    version = version_of(connection)
    if not FIRST_VERSION <= version <= SCHEMA_VERSION:
        return f"schema version must be {FIRST_VERSION} to {SCHEMA_VERSION}, was {version}"
    if definitions(connection) != layout(version):
        return f"tables must be as schema version {version} makes them, were not"
    return None


def chain_trouble(connection: sqlite3.Connection, anchor: Head) -> tuple[Head, str | None]:
    """Follow the chain from its first row. Gives its head, and what is wrong with it or None.

    The anchor's row is compared where the chain passes it; whether the chain reaches it is the caller's question.
    """
    head = GENESIS_HEAD
    rows = connection.execute(
        "SELECT seq, time, actor, kind, key, payload, corr, prev_hash, hash FROM log ORDER BY seq"
    )
    for seq, time, actor, kind, key, payload, corr, previous, found in rows:
        if seq != head.seq + 1:
            return head, f"log row {head.seq + 1} must follow, was {seq}"
        if previous != head.hash:
            return head, f"log row {seq} does not continue the chain"
        if row_hash(previous, seq, time, actor, kind, key, payload, corr) != found:
            return head, f"log row {seq} is not what was written"
        head = Head(seq, found)
        if seq == anchor.seq and found != anchor.hash:
            return head, f"log row {seq} is not the one that the anchor names"
    return head, None


def cells_trouble(connection: sqlite3.Connection, head: Head) -> str | None:
    """Check every cell's digest."""
    for table, key, payload, seq, digest in connection.execute("SELECT tbl, key, payload, seq, digest FROM cells"):
        if cell_digest(table, key, payload, seq) != digest:
            return f"cell {table}/{key} is not what was written"
        if seq > head.seq:
            return f"cell {table}/{key} is newer than the log"
    return None
