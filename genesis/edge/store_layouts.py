"""The journal's layouts, from the first ever shipped to today's, and the step from each to the next.

A step is written once and never changed: journals that were made by it exist. A journal of an older layout is verified
whole by the rules of its own layout, copied, and only then taken forward, each step in one transaction together with
the number of its layout; so whenever the power fails there is a whole journal of one layout or the other.

To change the layout, add statements at the end of `STEPS`, and a journal of the layout before it to
`tests/recorded/journals`. The chain's rows are no part of this: their fields are hashed, and stay as they are.
"""

import contextlib
import functools
import sqlite3
from typing import Final

FIRST_LAYOUT: Final = (
    "CREATE TABLE epoch (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), epoch INTEGER NOT NULL) STRICT",
    # prev_hash stands in the row although it is the hash of the one before: each row can then be checked alone.
    "CREATE TABLE log (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL,"
    " key TEXT, payload BLOB NOT NULL, corr TEXT NOT NULL, prev_hash BLOB NOT NULL, hash BLOB NOT NULL) STRICT",
    # NULL keys differ from one another, so only records that ask for it are unique.
    "CREATE UNIQUE INDEX log_key ON log (kind, key)",
    "CREATE INDEX log_kind ON log (kind, seq)",
    "CREATE TABLE cells (tbl TEXT NOT NULL, key TEXT NOT NULL, payload BLOB NOT NULL, seq INTEGER NOT NULL,"
    " digest BLOB NOT NULL, PRIMARY KEY (tbl, key)) STRICT, WITHOUT ROWID",
    # What this session's named commits were answered, so that one said again is answered alike. Emptied at open.
    "CREATE TABLE answers (commit_id TEXT PRIMARY KEY, first_seq INTEGER NOT NULL, new BLOB NOT NULL,"
    " seq INTEGER NOT NULL) STRICT, WITHOUT ROWID",
)

FIRST_VERSION: Final = 1


STEPS: Final[tuple[tuple[str, ...], ...]] = (
    # To 2: what came of one market event is asked for by its correlation id; without an index that reads every record
    # of the kind. A page of the answer is in the order of the log, which ends every index by itself.
    ("CREATE INDEX log_corr ON log (corr, kind)",),
)
"""SQL statements that lead from each layout to the next."""

SCHEMA_VERSION: Final = FIRST_VERSION + len(STEPS)


def make(connection: sqlite3.Connection, version: int = SCHEMA_VERSION) -> None:
    """Make the tables on the road that an old journal takes, too. The caller owns the transaction."""
    for statements in (FIRST_LAYOUT, *STEPS[: version - FIRST_VERSION]):
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")


def definitions(connection: sqlite3.Connection) -> frozenset[str]:
    """The text of every table and index in the file."""
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    return frozenset(str(sql) for (sql,) in rows)


@functools.cache
def layout(version: int) -> frozenset[str]:
    """The definitions that a journal of this version must hold."""
    assert FIRST_VERSION <= version <= SCHEMA_VERSION, f"version must be 1 to {SCHEMA_VERSION}, was {version}"
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        make(model, version)
        return definitions(model)


def version_of(connection: sqlite3.Connection) -> int:
    """The version that the file says it has."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def take_forward(connection: sqlite3.Connection) -> None:
    """From the file's version to today's, each step whole or not at all. Raises sqlite3.Error."""
    version = version_of(connection)
    for statements in STEPS[version - FIRST_VERSION :]:
        version += 1
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
