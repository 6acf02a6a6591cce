"""The journal's store: one SQLite file that holds what money depends on, proven anew with every start.

Promises, in the order of how much they cost to break:

- what `commit` returned is synced to the disk (WAL, synchronous=FULL, set and read back) and its tail is anchored;
- a commit is whole or not there, and all that were given together go in one transaction (group commit);
- a write that failed poisons the store for the rest of the process: nothing is retried, nothing more is promised;
- there is one writer: a lock on a file, an epoch in the store, and one connection that is used by one thread at a time;
- a file that is found not to be what was written is never opened again, and never replaced by an empty one.

Everything here is synchronous. `genesis.edge.store_thread` keeps it off the event loop.
"""

import contextlib
import itertools
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

import msgspec

from genesis.edge import store_find
from genesis.edge.anchor import GENESIS_HEAD, Anchor, Head, read_anchor, sync_directory
from genesis.edge.file_lock import FileLock
from genesis.edge.read_ahead import read_ahead
from genesis.edge.store_check import check_commit, have_moved, places_of
from genesis.edge.store_errors import (
    StoreCorrupt,
    StoreError,
    StoreFenced,
    StoreFull,
    StoreIncomplete,
    StorePoisoned,
    StoreTooNew,
    StoreUnusable,
)
from genesis.edge.store_find import FindRecords as FindRecords
from genesis.edge.store_find import FoundRecords as FoundRecords
from genesis.edge.store_find import clauses, key_range
from genesis.edge.store_layouts import SCHEMA_VERSION, take_forward, version_of
from genesis.edge.store_proof import NEWEST, Proven, mark_path, older_trouble, proof_trouble
from genesis.edge.store_rows import (
    APPLICATION_ID,
    cell_digest,
    cells_written,
    create,
    row_hash,
)
from protocols.journal import (
    AnyCell,
    AnyRecord,
    Cells,
    CellWrite,
    Commit,
    Committed,
    JournalOpened,
    ReadCells,
    ReadRecords,
    Record,
    Records,
    StoredRecord,
)

BUSY_TIMEOUT_MS: Final = 5_000
"""How long a transaction waits for a reader that checkpoints; bounds every call into the writer's thread."""
ANCHOR_SYNC_MS: Final = 1_000
"""The anchor is written with every commit and synced this often: an older one only guards a shorter chain."""
KEPT_FOR_ORDERS: Final = 16 * 1024 * 1024
"""Bytes of the disk that optional commits leave alone."""
ANSWERS_KEPT: Final = 10_000
"""Answers of named commits that are remembered: far more than can wait in a mailbox to be said again."""

# What SQLite says when the disk, the rights or another process are the trouble. Any other error while a file is being
# verified means that its bytes make no sense.
_PLACE_TROUBLE: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,  # a reader that a busy writer kept from beginning
    }
)


def anchor_path(path: Path) -> Path:
    """Where the anchor of the store at `path` lies."""
    return path.with_name(path.name + ".anchor")


def lock_path(path: Path) -> Path:
    """Where the lock of the store at `path` lies."""
    return path.with_name(path.name + ".lock")


def copy_path(path: Path, version: int) -> Path:
    """Where the copy of the journal at `path` lies that was made before it left the layout `version`."""
    return path.with_name(f"{path.name}.v{version}")


def _wrote_nothing(error: Exception) -> bool:
    """SQLite found no room, or may not write at all: its transaction is then taken back whole.

    Of any other failure, a sync's above all, nobody knows what the disk has.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY)


class _Reader:
    """The reading half, for the writer and for those who only look."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    def read_cells(self, request: ReadCells) -> Cells:
        """The cells asked for, ordered by key. Raises StoreCorrupt when a digest is wrong."""
        query, values = "SELECT tbl, key, payload, seq, digest FROM cells WHERE tbl = ?", [request.table]
        if request.key is not None:
            query, values = f"{query} AND key = ?", [*values, request.key]
        elif request.prefix:
            query, values = f"{query} AND key >= ? AND key < ?", [*values, *key_range(request.prefix)]
        rows = self._connection.execute(f"{query} ORDER BY key", values)
        cells = []
        for table, key, payload, seq, digest in rows:
            if cell_digest(table, key, payload, seq) != digest:
                raise StoreCorrupt(self.path, f"cell {table}/{key} is not what was written")
            cells.append(CellWrite(table=table, key=key, payload=payload))
        return Cells(cells=tuple(cells))

    def read_records(self, request: ReadRecords) -> Records:
        """Records of the given kinds (of all when none is given) after `after_seq`."""
        where, values = "seq > ?", list[object]([request.after_seq])
        if request.before_seq is not None:
            where += " AND seq < ?"
            values.append(request.before_seq)
        if request.key is not None:
            where += " AND key = ?"
            values.append(request.key)
        query = f"SELECT seq, time, kind, key, payload, corr FROM log WHERE {where}"  # noqa: S608 - placeholders
        kinds = tuple(dict.fromkeys(request.kinds))
        if kinds:
            # Kind by kind, each in the order of its index, and merged: asked for all of them at once, SQLite would sort
            # everything that is left for each page, and who reads a journal of years by pages would never be done.
            query = " UNION ALL ".join([f"{query} AND kind = ?"] * len(kinds))
            values = [value for kind in kinds for value in (*values, kind)]
        order = "DESC" if request.newest_first else "ASC"
        rows = self._connection.execute(f"{query} ORDER BY seq {order} LIMIT ?", (*values, request.limit))
        return Records(
            records=tuple(
                StoredRecord(
                    seq=seq, record=Record(kind=kind, key=key, payload=payload, correlation_id=corr, at_ms=time)
                )
                for seq, time, kind, key, payload, corr in rows
            )
        )

    def find_records(self, request: FindRecords) -> FoundRecords:
        """The newest records of one kind that fit, looked for by SQLite itself: it holds nobody else up meanwhile."""
        where, values = clauses(request)
        # The text between is names of columns and placeholders, never a value.
        query = f"SELECT seq, time, kind, key, payload, corr FROM log WHERE {where} ORDER BY seq DESC LIMIT ? OFFSET ?"  # noqa: S608
        rows = self._connection.execute(query, (*values, request.limit, request.offset)).fetchall()
        (total,) = self._connection.execute(f"SELECT count(*) FROM log WHERE {where}", values).fetchone()  # noqa: S608
        (of_kind,) = self._connection.execute("SELECT count(*) FROM log WHERE kind = ?", (request.kind,)).fetchone()
        return FoundRecords(
            total=total,
            of_kind=of_kind,
            records=tuple(
                Record(kind=kind, key=key, payload=payload, correlation_id=corr, at_ms=time)
                for _, time, kind, key, payload, corr in rows
            ),
        )

    def walk_records(self, request: FindRecords) -> Iterator[Record]:
        """All records that fit, newest first, each read when it is asked for: who stops early has read no more."""
        return store_find.walk(self._connection, request)

    def count_names(self, kind: str, fragments: Sequence[bytes] = ()) -> int:
        """See `store_find.count_names`."""
        return store_find.count_names(self._connection, kind, fragments)

    def cells_without(self, table: str, key_prefix: str, fragments: Sequence[bytes]) -> tuple[CellWrite, ...]:
        """See `store_find.cells_without`."""
        return store_find.cells_without(self._connection, table, key_prefix, fragments)

    def head(self) -> Head:
        """The newest row of the log."""
        row = self._connection.execute("SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1").fetchone()
        return Head(*row) if row else GENESIS_HEAD

    def version(self) -> int:
        """The layout that the file has."""
        return version_of(self._connection)

    def epoch(self) -> int:
        """Which session wrote last; it rises with every opening by a writer."""
        return int(self._connection.execute("SELECT epoch FROM epoch").fetchone()[0])

    def backup(self, target: Path) -> Head:
        """Copy the journal as of now, with its own anchor, while it is in use. Replaces `target` only when whole.

        Call it from any thread: it reads through a connection of its own. Raises StoreUnusable when the copy failed.
        """
        fresh = target.with_name(target.name + ".new")
        try:
            fresh.unlink(missing_ok=True)
            with (
                contextlib.closing(_connect(self.path, "ro")) as source,
                contextlib.closing(_connect(fresh, "rwc")) as copy,
            ):
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
                head = _verify(copy, fresh, GENESIS_HEAD, may_be_ahead=False).head
            handle = os.open(fresh, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            os.replace(fresh, target)
            Anchor(anchor_path(target), head).close()
            sync_directory(target.parent)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnusable(f"backup to {target} must succeed, did not: {error}") from error
        return head

    def close(self) -> None:
        """Safe to say twice."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ReadOnlyStore(_Reader):
    """A look at a journal that somebody else may be writing. Changes nothing and blocks nobody."""

    @classmethod
    def open(cls, path: Path) -> "ReadOnlyStore":
        """Raises StoreUnusable when there is none, StoreTooNew, or StoreCorrupt (the file stays where it is)."""
        if not os.path.isfile(path):  # False, and no error, also where nobody may look
            raise StoreUnusable(f"{path} must be a journal, was not there")
        connection = _connect(path, "ro")
        try:
            with _bytes_are_blamed(path):
                _check_version(connection, path)
        except BaseException:
            connection.close()
            raise
        return cls(path, connection)

    def verify(self) -> Head:
        """Follow the whole chain and every cell, as a writer does at open. Raises StoreCorrupt or StoreIncomplete."""
        anchor = read_anchor(anchor_path(self.path)) or GENESIS_HEAD
        with _bytes_are_blamed(self.path):
            self._connection.execute("BEGIN")
            try:
                return _verify(self._connection, self.path, anchor, may_be_ahead=True).head
            finally:
                self._connection.execute("ROLLBACK")

    def verify_older(self, upto: Head, *, between: Callable[[], None] = lambda: None) -> None:
        """Prove what the opening by a writer left out, up to the record that it began behind; `between` is called
        again and again. Raises StoreCorrupt."""
        with _bytes_are_blamed(self.path):
            trouble = older_trouble(self._connection, upto, between)
        if trouble is not None:
            raise StoreCorrupt(self.path, trouble)


class Store(_Reader):
    """The one writer of a journal. Make it with `Store.open`.

    `layout_before` is the layout that the file had when it was opened, None when it had today's.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: FileLock) -> None:
        super().__init__(path, connection)
        self._lock = lock
        self._places = places_of(path)
        self._anchor: Anchor | None = None
        self._head = GENESIS_HEAD
        self._epoch = 0
        self._anchored_ms = 0
        self._poison: str | None = None
        self._answers: dict[str, Committed] = {}
        """What named commits of this session were answered, oldest first. A session ends with its store, so nobody
        needs them on the disk; the layout has a table for them from a time when they were kept there."""
        self.layout_before: int | None = None
        self.proven_since = GENESIS_HEAD
        """The record behind which opening has proven the log; what is before it, `verify_older` does."""
        self.commits_total = 0
        self.transactions_total = 0

    @classmethod
    def open(cls, path: Path, *, at_ms: int, accept_loss: bool = False) -> "Store":
        """Lock, verify and begin a new session; makes a new journal where there is neither file nor anchor.

        Of a long journal the cells and the newest records are proven (`genesis.edge.store_proof`); `proven_since` says
        what is left, unless a mark asks for all.

        A journal of an older layout is verified as what it is, copied to `copy_path`, and taken forward.

        Raises StoreLocked, StoreUnusable, StoreTooNew, StoreCorrupt (after putting the files aside by name) or
        StoreIncomplete. `accept_loss` opens a journal whose anchor knows of more than the file holds, as after the
        restore of a backup; the session's first record then says what is missing. It never opens a corrupt one.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnusable(f"{path.parent} must be a directory, was not: {error.strerror}") from error
        lock = FileLock(lock_path(path))
        connection: sqlite3.Connection | None = None
        try:
            anchor = _anchor_or_reason(path, accept_loss)
            if mark_path(path).exists():
                with contextlib.suppress(OSError):
                    # Proving all of it jumps about, and of gigabytes a disk makes minutes of that.
                    read_ahead(path)
            connection = _connect(path, "rwc")
            with _bytes_are_blamed(path):
                _prepare(connection, path)
                whole = mark_path(path).exists() or version_of(connection) != SCHEMA_VERSION
                proven = _verify(connection, path, anchor, may_be_ahead=accept_loss, newest=None if whole else NEWEST)
                before = _take_forward(connection, path, proven.head)
            if whole:
                with contextlib.suppress(OSError):
                    mark_path(path).unlink()
            store = cls(path, connection, lock)
            store.layout_before = before
            store.proven_since = proven.since
            store._begin_session(proven.head, anchor, at_ms)
            return store
        except BaseException as error:
            if connection is not None:
                connection.close()
            try:
                if isinstance(error, StoreCorrupt) and error.path == path:
                    raise StoreCorrupt(path, error.what, _quarantine(path)) from error
                raise
            finally:
                lock.release()

    def _begin_session(self, head: Head, anchor: Head, at_ms: int) -> None:
        epoch = _Reader.epoch(self) + 1
        opened = JournalOpened(
            epoch=epoch,
            pid=os.getpid(),
            previous_seq=head.seq,
            previous_hash=head.hash.hex(),
            anchor_seq=anchor.seq,
            anchor_hash=anchor.hash.hex(),
        )
        try:
            self._anchor = Anchor(anchor_path(self.path), head)
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("UPDATE epoch SET epoch = ?", (epoch,))
            self._connection.execute("DELETE FROM answers")
            self._connection.execute("COMMIT")
            self._places = places_of(self.path)  # now both are there
        except (OSError, sqlite3.Error) as error:
            raise StoreUnusable(f"{self.path} must be writable, was not: {error}") from error
        self._head, self._epoch = head, epoch
        payload = msgspec.json.encode(opened)
        record = Record(kind="JournalOpened", key=str(epoch), payload=payload, correlation_id="", at_ms=at_ms)
        self.commit((Commit(writer="journal", records=(record,)),), at_ms=at_ms)

    def epoch(self) -> int:
        """Which session this is; it rises with every opening by a writer."""
        return self._epoch

    def head(self) -> Head:
        """The newest durable row."""
        return self._head

    @property
    def poisoned(self) -> str | None:
        """Why nothing can be written any more, or None."""
        return self._poison

    def read_cells(self, request: ReadCells) -> Cells:
        """As the last commit wrote them. Raises StorePoisoned once a write has failed: what is durable is unknown."""
        self._check_usable()
        return super().read_cells(request)

    def read_records(self, request: ReadRecords) -> Records:
        """As the last commit wrote them. Raises StorePoisoned once a write has failed."""
        self._check_usable()
        return super().read_records(request)

    def commit(self, commits: Sequence[Commit], *, at_ms: int) -> list[Committed]:
        """Make all of them durable in one transaction and anchor its head; one answer each, in order.

        Raises CommitRefused before anything is written when one is not well formed, and StorePoisoned when the write
        failed: it may then be durable or not, which only the next start can tell. When all of them are optional and the
        disk has no room (or takes no writes) it raises StoreFull, and nothing has changed.
        """
        self._check_usable()
        if have_moved(self.path, self._places):
            self._poison = "it must stay where it is with its log while it is written, was deleted, moved or replaced"
            raise StorePoisoned(f"{self.path}: {self._poison}")
        for commit in commits:
            check_commit(commit, whole=True)
        if not commits:
            return []
        optional = all(commit.optional for commit in commits)
        if optional:
            free = shutil.disk_usage(self.path.parent).free
            if free < KEPT_FOR_ORDERS:
                raise StoreFull(f"the disk of {self.path.parent} has {free // 1024:,} KiB left, which are for orders")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            # Read inside the transaction: whoever opened the file after us has raised it, and then nothing is written.
            if _Reader.epoch(self) != self._epoch:
                self._connection.execute("ROLLBACK")
                self._poison = f"epoch must be {self._epoch}, was {_Reader.epoch(self)}: a newer session writes"
                raise StoreFenced(f"{self.path}: {self._poison}")
            head, answers, named = self._write(commits, at_ms)
            self._connection.execute("COMMIT")
            self._remember(named)
            if head != self._head:
                assert self._anchor is not None, "a session must have begun"
                sync = not 0 <= at_ms - self._anchored_ms < ANCHOR_SYNC_MS
                self._anchor.write(head, sync=sync)
                self._anchored_ms = at_ms if sync else self._anchored_ms
        except StoreFenced:
            raise
        except Exception as error:
            if optional and _wrote_nothing(error) and self._is_as_before():
                raise StoreFull(f"{self.path}: {error}") from error
            # Whatever it was, it may have left half a transaction open: nothing more is written through it.
            self._poison = f"a write failed: {error}"
            # The connection is of no use now, but its lock on the file must not outlive the failed transaction.
            with contextlib.suppress(sqlite3.Error):
                self._connection.rollback()
            raise StorePoisoned(f"{self.path}: {self._poison}") from error
        assert head.seq >= self._head.seq, f"the log must grow, went from {self._head.seq} to {head.seq}"
        self._head = head
        self.commits_total += len(commits)
        self.transactions_total += 1
        return answers

    def _is_as_before(self) -> bool:
        """Take the transaction back, and look whether the file then ends where the last commit ended it."""
        try:
            if self._connection.in_transaction:
                self._connection.rollback()
            return _Reader.head(self) == self._head
        except sqlite3.Error:
            return False

    def _write(self, commits: Sequence[Commit], at_ms: int) -> tuple[Head, list[Committed], dict[str, Committed]]:
        rows: list[tuple[object, ...]] = []
        fresh: set[tuple[str, str]] = set()
        cells: dict[tuple[str, str], AnyCell] = {}
        named: dict[str, Committed] = {}
        answers: list[Committed] = []
        seq, newest = self._head.seq, self._head.hash

        def append(actor: str, record: AnyRecord) -> None:
            nonlocal seq, newest
            fields = (record.at_ms, actor, record.kind, record.key, record.payload, record.correlation_id)
            seq, previous = seq + 1, newest
            newest = row_hash(previous, seq, *fields)
            rows.append((seq, *fields, previous, newest))

        for commit in commits:
            if commit.commit_id is not None:
                before = named.get(commit.commit_id) or self._answers.get(commit.commit_id)
                if before is not None:
                    answers.append(before)
                    continue
            first_seq, new = 0, []
            for record in commit.records:
                if record.key is not None:
                    name = (record.kind, record.key)
                    if name in fresh or self._has(record.kind, record.key):
                        new.append(False)
                        continue
                    fresh.add(name)
                append(commit.writer, record)
                first_seq = first_seq or seq
                new.append(True)
            for cell in commit.cells:
                cells[cell.table, cell.key] = cell
            answer = Committed(first_seq=first_seq, new=tuple(new))
            answers.append(answer)
            if commit.commit_id is not None:
                named[commit.commit_id] = answer
        if cells:
            append("journal", cells_written(cells.values(), at_ms))
        execute = self._connection.executemany
        if rows:
            execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        texts = [(*name, cell.payload) for name, cell in cells.items()]
        kept = [(*text, seq, cell_digest(*text, seq)) for text in texts if text[2]]
        if kept:
            execute("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?)", kept)
        gone = [text[:2] for text in texts if not text[2]]
        if gone:
            execute("DELETE FROM cells WHERE tbl = ? AND key = ?", gone)
        return Head(seq, newest), answers, named

    def _remember(self, named: dict[str, Committed]) -> None:
        self._answers.update(named)
        if len(self._answers) > ANSWERS_KEPT:
            # Many at once: a dictionary whose front is taken away one by one is searched for its front each time.
            for name in list(itertools.islice(self._answers, len(self._answers) - ANSWERS_KEPT + ANSWERS_KEPT // 16)):
                del self._answers[name]

    def _has(self, kind: str, key: str) -> bool:
        return (
            self._connection.execute("SELECT 1 FROM log WHERE kind = ? AND key = ?", (kind, key)).fetchone() is not None
        )

    def close(self) -> None:
        """Fold the write-ahead log back, close, and let the next writer in. Safe to say twice."""
        if self._poison is None:
            with contextlib.suppress(sqlite3.Error):
                # A reader in the way only leaves a longer log: nothing is lost by not folding it back now.
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if self._anchor is not None:
                with contextlib.suppress(OSError):
                    self._anchor.sync()
        self._poison = self._poison or "it is closed"
        self._connection.close()
        if self._anchor is not None:
            self._anchor.close()
        self._lock.release()

    def _check_usable(self) -> None:
        if self._poison is not None:
            raise StorePoisoned(f"{self.path}: {self._poison}")


# --- opening --------------------------------------------------------------------------------------------------------


def _keep_private(path: Path) -> None:
    """A new journal, and one that an older version left open to all, is for its owner only; SQLite gives what it writes
    beside it the same mode. By name: closing a descriptor of it would drop the locks that this process has on it."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for beside in ("", "-wal", "-shm"):
        file = path.with_name(path.name + beside)
        with contextlib.suppress(FileNotFoundError):
            mode = file.stat().st_mode
            if mode & 0o077:
                file.chmod(mode & 0o700)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if mode == "rwc":
        # Where that may not be done, SQLite says in its own words whether it can open the file.
        with contextlib.suppress(OSError):
            _keep_private(path)
    try:
        # Several threads of trio's cache take turns, one at a time, behind a limiter of one: SQLite is in serialized
        # mode (threadsafety 3), so what must not happen is two at once, not another.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=BUSY_TIMEOUT_MS / 1000,
            check_same_thread=False,
            cached_statements=64,
        )
    except sqlite3.Error as error:
        raise StoreUnusable(f"{path} must be a file that can be opened, was not: {error}") from error
    assert sqlite3.threadsafety == 3, f"SQLite must be built thread-safe, was level {sqlite3.threadsafety}"
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    version = version_of(connection)
    if application != APPLICATION_ID:
        # Perhaps another program's file: it is not ours to move.
        raise StoreUnusable(f"{path} must be a journal (application id {APPLICATION_ID}), was {application}")
    if version > SCHEMA_VERSION:
        raise StoreTooNew(path, known=SCHEMA_VERSION, found=version)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Before anything is changed: another program's file and a newer version's stay as they are.
    is_new = connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    if not is_new:
        _check_version(connection, path)
    # Set and read back: the compiled-in defaults differ between platforms, and NORMAL loses acknowledged commits.
    for name, value, expected in (("journal_mode", "WAL", "wal"), ("synchronous", "FULL", 2), ("fullfsync", "1", 1)):
        connection.execute(f"PRAGMA {name} = {value}").fetchall()
        (found,) = connection.execute(f"PRAGMA {name}").fetchone()
        if found != expected:
            raise StoreUnusable(f"{path}: {name} must be {expected}, was {found}")
    if is_new:
        connection.execute("BEGIN IMMEDIATE")
        create(connection)
        connection.execute("COMMIT")


def _verify(
    connection: sqlite3.Connection, path: Path, anchor: Head, *, may_be_ahead: bool, newest: int | None = None
) -> Proven:
    proven, trouble = proof_trouble(connection, anchor, newest=newest)
    if trouble is not None:
        raise StoreCorrupt(path, trouble)
    if anchor.seq > proven.head.seq and not may_be_ahead:
        raise StoreIncomplete(
            f"{path} must reach record {anchor.seq}, which its anchor {anchor_path(path).name} says was written,"
            f" but ends at {proven.head.seq}: restore a newer backup, or accept the loss explicitly"
        )
    return proven


def _take_forward(connection: sqlite3.Connection, path: Path, head: Head) -> int | None:
    """Bring a verified journal to today's layout. The layout it had, or None when there was nothing to do."""
    before = version_of(connection)
    if before == SCHEMA_VERSION:
        return None
    _Reader(path, connection).backup(copy_path(path, before))
    try:
        take_forward(connection)
    except sqlite3.Error as error:
        # Whatever it was, the bytes were just found sound: no reason to put the journal aside.
        raise StoreUnusable(f"{path} must come from layout {before} to {SCHEMA_VERSION}, did not: {error}") from error
    # Nothing of what it says may have changed; this also refuses a step that left other tables than it promised.
    after = _verify(connection, path, head, may_be_ahead=False).head
    assert after == head, f"a migration must leave the chain at {head}, left it at {after}"
    return before


def _anchor_or_reason(path: Path, accept_loss: bool) -> Head:
    """What the file must reach. Makes the anchor of a new journal before the journal: never one without the other."""
    anchor = read_anchor(anchor_path(path))
    empty = not path.exists() or path.stat().st_size == 0
    if anchor is None and empty:
        try:
            Anchor(anchor_path(path), GENESIS_HEAD).close()
        except OSError as error:
            raise StoreUnusable(f"{path.parent} must be writable, was not: {error.strerror}") from error
        return GENESIS_HEAD
    if accept_loss:
        return anchor or GENESIS_HEAD
    if anchor is None:
        raise StoreIncomplete(
            f"{path} must have its anchor {anchor_path(path).name} beside it, but it is missing:"
            " whether records were lost at the end cannot be told; restore it, or accept the loss explicitly"
        )
    if anchor.seq > 0 and empty:
        kept = sorted(file.name for file in path.parent.glob(f"{path.name}.corrupt-*"))
        raise StoreIncomplete(
            f"{path} must hold {anchor.seq} records, as its anchor says, but is missing or empty:"
            f" restore a backup{f' (kept: {chr(44).join(kept)})' if kept else ''}, or accept the loss explicitly"
        )
    return anchor


@contextlib.contextmanager
def _bytes_are_blamed(path: Path) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _PLACE_TROUBLE:
            raise StoreUnusable(f"{path} must be readable and writable, was not: {error}") from error
        raise StoreCorrupt(path, str(error)) from error
    except (ValueError, OverflowError, TypeError) as error:
        raise StoreCorrupt(path, f"a value makes no sense: {error}") from error


def _quarantine(path: Path) -> tuple[Path, ...]:
    """Put a corrupt journal aside under a name that says so. Its anchor stays: the next start will not begin anew."""
    number = 1
    while path.with_name(f"{path.name}.corrupt-{number}").exists():
        number += 1
    kept = []
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        if file.exists():
            aside = path.with_name(f"{path.name}.corrupt-{number}{suffix}")
            os.replace(file, aside)
            kept.append(aside)
    sync_directory(path.parent)
    return tuple(kept)
