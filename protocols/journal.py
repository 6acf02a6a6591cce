"""What is said to the journal: records to keep, and that they are kept."""

from collections.abc import Callable

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One line of history. `payload` is canonical JSON text of a protocol message; `kind` is its type's name.

    `key` makes a record unique within its kind where that matters (intent id, trade id): a second one with the same
    key is not written again, and the commit says which were new.
    """

    kind: str
    key: str | None
    payload: bytes
    correlation_id: str
    at_ms: int


class _LateText(msgspec.Struct, eq=False):
    """A text that is made when somebody looks at it for the first time. `write` may raise what an encoder raises."""

    write: Callable[[], bytes] | None
    _payload: bytes = b""

    @property
    def payload(self) -> bytes:
        # Two threads may ask at once: each makes the same text, and what it is made of goes last.
        write = self.write
        if write is not None:
            self._payload = write()
            self.write = None
        return self._payload


class LateRecord(_LateText, kw_only=True, eq=False):
    """A `Record` whose text is made when it is kept: by the journal beside the loop, not by who decides.

    `write` makes the payload of what nobody changes any more (frozen messages). A commit with a record that has no text
    is refused.
    """

    kind: str
    key: str | None
    correlation_id: str
    at_ms: int

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LateRecord | Record):
            return NotImplemented
        mine, theirs = [(each.kind, each.key, each.correlation_id, each.at_ms) for each in (self, other)]
        return mine == theirs and self.payload == other.payload

    def __ne__(self, other: object) -> bool:
        # A struct has one of its own, which asks no `__eq__`.
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"LateRecord(kind={self.kind!r}, key={self.key!r}, at_ms={self.at_ms!r})"

    def written(self) -> Record:
        """The record with its text."""
        return Record(
            kind=self.kind,
            key=self.key,
            payload=self.payload,
            correlation_id=self.correlation_id,
            at_ms=self.at_ms,
        )


AnyRecord = Record | LateRecord


class CellWrite(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A named value that must survive: latches, counters, checkpoints, order rows. Newest wins; b"" removes."""

    table: str
    key: str
    payload: bytes


class LateCell(_LateText, kw_only=True, eq=False):
    """A `CellWrite` whose text is made when it is kept. What `write` reads is lent to the journal: who lends it waits
    for the answer before anything of it changes."""

    table: str
    key: str

    def written(self) -> CellWrite:
        """The cell with its text."""
        return CellWrite(table=self.table, key=self.key, payload=self.payload)

    def __repr__(self) -> str:
        return f"LateCell(table={self.table!r}, key={self.key!r})"


AnyCell = CellWrite | LateCell


class Commit(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Records and cells that become durable together or not at all. The answer is `Committed`, after the sync.

    A `commit_id` makes the whole commit happen once in a session of the journal: said again, it writes nothing and is
    answered as the first time. Without one, repeats are told apart by the records' keys alone.

    `follower` names the writer whose commit of the same decision comes right behind this one: both may become durable
    in one transaction, so that an order waits for the disk once.

    An `optional` commit may be answered with `NotKept` when the disk has no room for it: then nothing of it was
    written, and the journal goes on. Any other commit that cannot be written ends the journal.
    """

    writer: str
    records: tuple[AnyRecord, ...] = ()
    cells: tuple[AnyCell, ...] = ()
    commit_id: str | None = None
    follower: str = ""
    optional: bool = False


class Committed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`first_seq` is the chain number of the first new record (0 when none was new)."""

    first_seq: int
    new: tuple[bool, ...]


class NotKept(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An optional commit for which there was no room, and why."""

    reason: str


class ReadCells(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask for every cell of a table (or the one with `key`, or those whose key begins with `prefix`), as written by the
    last commit."""

    table: str
    key: str | None = None
    prefix: str = ""


class ReadRecords(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask for records of the given kinds after `after_seq`, oldest first (or newest first), at most `limit`.

    With `before_seq` only what stands before it: so a reader of the newest goes on where it stopped. With `key` only
    records of that key, found by the index: a kind has each key once.
    """

    kinds: tuple[str, ...]
    key: str | None = None
    after_seq: int = 0
    before_seq: int | None = None
    limit: int = 10_000
    newest_first: bool = False


class Cells(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    cells: tuple[CellWrite, ...]


class StoredRecord(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    seq: int
    record: Record


class Records(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    records: tuple[StoredRecord, ...]


class JournalOpened(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The first record of every session: who writes now, and where the chain stood, said once more inside it."""

    epoch: int
    pid: int
    previous_seq: int
    previous_hash: str
    anchor_seq: int
    anchor_hash: str


JournalRequest = Commit | ReadCells | ReadRecords
JournalReply = Committed | NotKept | Cells | Records
