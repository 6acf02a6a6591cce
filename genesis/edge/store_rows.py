"""The journal's tables and the proofs that its rows carry: a hash chain over the log, a digest on every cell."""

import functools
import hashlib
import sqlite3
import struct
from collections.abc import Iterable
from typing import Final

from genesis.edge.store_layouts import make
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
