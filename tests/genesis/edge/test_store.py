"""The journal's store on a real disk: what it promises, and what it does when the promise was broken from outside."""

import contextlib
import errno
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from genesis.edge import store as store_module
from genesis.edge.anchor import Anchor, Head, read_anchor
from genesis.edge.store import ReadOnlyStore, Store, anchor_path
from genesis.edge.store_check import check_commit
from genesis.edge.store_errors import (
    CommitRefused,
    StoreCorrupt,
    StoreError,
    StoreFenced,
    StoreIncomplete,
    StoreLocked,
    StorePoisoned,
    StoreTooNew,
    StoreUnusable,
)
from protocols.journal import CellWrite, Commit, Committed, LateCell, LateRecord, ReadCells, ReadRecords, Record


def a_record(kind: str = "Fill", key: str | None = None, payload: bytes = b"{}", at_ms: int = 1) -> Record:
    return Record(kind=kind, key=key, payload=payload, correlation_id="c", at_ms=at_ms)


def a_commit(*keys: str, cells: tuple[CellWrite, ...] = (), commit_id: str | None = None) -> Commit:
    return Commit(writer="test", records=tuple(a_record(key=key) for key in keys), cells=cells, commit_id=commit_id)


def a_cell(key: str, payload: bytes, table: str = "orders") -> CellWrite:
    return CellWrite(table=table, key=key, payload=payload)


def keys_of(store: Store | ReadOnlyStore, kind: str = "Fill") -> list[str | None]:
    return [row.record.key for row in store.read_records(ReadRecords(kinds=(kind,))).records]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sim.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path, at_ms=1) as opened:
        yield opened


# --- what is promised ---------------------------------------------------------------------------------------------


def test_what_was_committed_is_there_after_a_new_start(path: Path) -> None:
    with Store.open(path, at_ms=1) as store:
        store.commit([a_commit("a", "b", cells=(a_cell("x", b"1"),)), a_commit("c")], at_ms=2)
    with Store.open(path, at_ms=3) as store:
        assert keys_of(store) == ["a", "b", "c"]
        assert store.read_cells(ReadCells(table="orders")).cells == (a_cell("x", b"1"),)


def test_a_journal_is_for_its_owner_only_whatever_the_umask_and_whoever_made_it(path: Path, tmp_path: Path) -> None:
    """Beside it too: what SQLite writes ahead, and a copy. A journal of an older version was readable to all."""
    before = os.umask(0)
    try:
        for loose in (None, 0o644):
            if loose is not None:
                path.chmod(loose)
            with Store.open(path, at_ms=1) as store:
                store.commit([a_commit("a")], at_ms=1)
                store.backup(tmp_path / "copy.sqlite")
                made = [each for each in tmp_path.rglob("*") if each.is_file()]
                assert {"copy.sqlite", path.name, f"{path.name}-wal", f"{path.name}-shm"} <= {e.name for e in made}
                assert {oct(each.stat().st_mode & 0o777) for each in made} == {"0o600"}
    finally:
        os.umask(before)


def test_full_sync_and_write_ahead_are_in_force(store: Store) -> None:
    connection = store._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_second_record_with_the_same_kind_and_key_is_not_written(store: Store) -> None:
    first, second, third = store.commit([a_commit("a"), a_commit("a", "b"), a_commit("b")], at_ms=2)
    assert first.new == (True,)
    assert (second.new, second.first_seq) == ((False, True), first.first_seq + 1)
    assert third == Committed(first_seq=0, new=(False,))
    assert store.commit([a_commit("b")], at_ms=3) == [Committed(first_seq=0, new=(False,))]
    assert keys_of(store) == ["a", "b"]


def test_the_same_key_under_another_kind_is_another_record(store: Store) -> None:
    other = Commit(writer="test", records=(a_record(kind="Verdict", key="a"),))
    assert store.commit([a_commit("a"), other], at_ms=2)[1].new == (True,)


def test_records_without_a_key_are_all_written(store: Store) -> None:
    commit = Commit(writer="test", records=(a_record(), a_record()))
    assert store.commit([commit], at_ms=2)[0].new == (True, True)


def test_a_named_commit_happens_once_and_is_answered_alike(store: Store) -> None:
    """A writer that crashed between commit and answer says it again; newest-wins cells must not go back in time."""
    named = Commit(writer="test", records=(a_record(),), cells=(a_cell("x", b"old"),), commit_id="order:1")
    answer = store.commit([named, named], at_ms=2)
    store.commit([a_commit(cells=(a_cell("x", b"new"),))], at_ms=3)
    head = store.head()
    assert store.commit([named], at_ms=4) == answer[:1] == answer[1:]
    assert store.head() == head
    assert store.read_cells(ReadCells(table="orders", key="x")).cells == (a_cell("x", b"new"),)


def test_only_the_newest_answers_of_named_commits_are_remembered(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of months must not grow with its commits."""
    monkeypatch.setattr(store_module, "ANSWERS_KEPT", 32)
    named = [a_commit(cells=(a_cell("x", str(number).encode()),), commit_id=f"c{number}") for number in range(100)]
    for commit in named:
        store.commit([commit], at_ms=2)
        assert len(store._answers) <= 32
    head = store.head()
    store.commit(named[-16:], at_ms=3)
    assert store.head() == head


def test_the_newest_cell_wins_and_an_empty_one_removes(store: Store) -> None:
    store.commit(
        [a_commit(cells=(a_cell("x", b"1"), a_cell("y", b"1"))), a_commit(cells=(a_cell("x", b"2"),))], at_ms=2
    )
    assert store.read_cells(ReadCells(table="orders")).cells == (a_cell("x", b"2"), a_cell("y", b"1"))
    store.commit([a_commit(cells=(a_cell("x", b""),))], at_ms=3)
    assert store.read_cells(ReadCells(table="orders")).cells == (a_cell("y", b"1"),)
    assert store.read_cells(ReadCells(table="other")).cells == ()


def test_cells_are_read_by_how_their_keys_begin(store: Store) -> None:
    keys = ("order", "order:", "order:1", "order:~", "order;", "orders", "fill:1", "orde")
    store.commit([Commit(writer="test", cells=tuple(a_cell(key, b"1") for key in keys))], at_ms=2)
    for prefix in ("order:", "order", "fill:", "x", ""):
        found = [cell.key for cell in store.read_cells(ReadCells(table="orders", prefix=prefix)).cells]
        assert found == sorted(key for key in keys if key.startswith(prefix))


def test_records_are_read_by_kind_from_a_place_in_both_directions(store: Store) -> None:
    for key in "abc":
        store.commit([a_commit(key), Commit(writer="w", records=(a_record(kind="Verdict", key=key),))], at_ms=2)
    both = store.read_records(ReadRecords(kinds=("Fill", "Verdict"))).records
    assert [(row.record.kind, row.record.key) for row in both][:3] == [("Fill", "a"), ("Verdict", "a"), ("Fill", "b")]
    newest = store.read_records(ReadRecords(kinds=("Fill",), newest_first=True, limit=2)).records
    assert [row.record.key for row in newest] == ["c", "b"]
    later = store.read_records(ReadRecords(kinds=("Fill",), after_seq=both[0].seq)).records
    assert [row.record.key for row in later] == ["b", "c"]
    assert store.read_records(ReadRecords(kinds=())).records[0].record.kind == "JournalOpened"
    twice = store.read_records(ReadRecords(kinds=("Verdict", "Fill", "Verdict"), before_seq=both[3].seq)).records
    assert twice == both[:3]


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_page_of_several_kinds_sorts_nothing(store: Store, newest_first: bool) -> None:
    """Else each page of a journal of years would look at all that is left of it."""
    asked: list[str] = []
    store._connection.set_trace_callback(asked.append)
    store.read_records(ReadRecords(kinds=("Fill", "Verdict", "EquityMarked"), newest_first=newest_first, limit=2))
    store._connection.set_trace_callback(None)
    (query,) = asked
    plan = [row[3] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert any("log_kind" in step for step in plan)
    assert not any("TEMP B-TREE" in step for step in plan)


@pytest.mark.parametrize(
    "bad",
    [
        Commit(writer="w", records=(a_record(at_ms=2**63),)),
        Commit(writer="w", records=(msgspec.structs.replace(a_record(), correlation_id="\ud800"),)),
        Commit(writer="w", records=(a_record(key="\udfff"),)),
        Commit(writer="w", cells=(CellWrite(table="t", key="\ud800", payload=b"{}"),)),
        Commit(writer="w", commit_id="\ud800"),
    ],
)
def test_a_stamp_or_a_name_that_has_no_bytes_is_refused_and_does_not_poison(store: Store, bad: Commit) -> None:
    with pytest.raises(CommitRefused):
        store.commit((bad,), at_ms=1)
    assert store.poisoned is None
    store.commit((a_commit("after"),), at_ms=2)


def test_a_malformed_request_is_refused_and_the_store_lives(store: Store) -> None:
    bad = Commit(writer="test", records=(a_record(payload="text"),))  # type: ignore[arg-type]
    with pytest.raises(CommitRefused):
        store.commit([a_commit("a"), bad], at_ms=2)
    assert keys_of(store) == []
    store.commit([a_commit("a")], at_ms=2)


@pytest.mark.parametrize("odd", [None, 0, b"x", False, "\ud800", 1.5])
@pytest.mark.parametrize("what", ["kind", "key", "correlation_id", "at_ms", "payload", "table", "cell", "writer", "id"])
def test_the_quick_check_lets_nothing_through_that_the_whole_one_refuses(what: str, odd: Any) -> None:
    record = a_record()
    cell: dict[str, Any] = {"table": "t", "key": "k", "payload": b"{}"}
    commit: dict[str, Any] = {"writer": "w", "commit_id": "c"}
    match what:
        case "table" | "cell":
            cell["table" if what == "table" else "key"] = odd
        case "writer" | "id":
            commit["writer" if what == "writer" else "commit_id"] = odd
        case _:
            record = msgspec.structs.replace(record, **{what: odd})
    bad = Commit(records=(record,), cells=(CellWrite(**cell),), **commit)

    def refused(*, whole: bool) -> bool:
        try:
            check_commit(bad, whole=whole)
        except CommitRefused:
            return True
        return False

    assert refused(whole=False) == refused(whole=True)
    fits = {"key": odd is None, "id": odd is None, "at_ms": type(odd) is int, "payload": type(odd) is bytes}
    assert refused(whole=True) != fits.get(what, False)


def a_late_record(write: Callable[[], bytes]) -> LateRecord:
    return LateRecord(kind="Verdict", key="late", write=write, correlation_id="c", at_ms=1)


def test_a_late_record_is_kept_like_any_other_and_its_text_is_made_once(store: Store) -> None:
    made: list[str] = []

    def write() -> bytes:
        made.append("once")
        return b'{"late":true}'

    late = a_late_record(write)
    check_commit(Commit(writer="w", records=(late,)))
    assert made == [], "who decides must not wait for the words"
    store.commit([Commit(writer="w", records=(late, a_record(key="a")))], at_ms=2)
    (kept,) = store.read_records(ReadRecords(kinds=("Verdict",))).records
    assert kept.record == late.written() == late
    assert made == ["once"]


@pytest.mark.parametrize("text", ["\ud800", object()])
def test_a_late_record_without_a_text_is_refused_before_anything_is_written(store: Store, text: object) -> None:
    late = a_late_record(lambda: msgspec.json.encode(text))
    check_commit(Commit(writer="w", records=(late,)))
    with pytest.raises(CommitRefused, match="Verdict must have a text"):
        store.commit([a_commit("a"), Commit(writer="w", records=(late,))], at_ms=2)
    assert keys_of(store) == []
    assert store.poisoned is None
    store.commit([a_commit("a")], at_ms=2)


def test_a_late_cell_is_kept_as_it_is_when_it_is_written(store: Store) -> None:
    lent = {"trades": 1}
    late = LateCell(table="orders", key="state", write=lambda: msgspec.json.encode(lent))
    commit = Commit(writer="w", cells=(late, a_cell("x", b"1")))
    check_commit(commit)
    lent["trades"] = 2
    store.commit([commit], at_ms=2)
    lent["trades"] = 3
    kept = store.read_cells(ReadCells(table="orders")).cells
    assert kept == (CellWrite(table="orders", key="state", payload=b'{"trades":2}'), a_cell("x", b"1"))
    assert late.written() == kept[0]
    bad = LateCell(table="orders", key="state", write=lambda: msgspec.json.encode("\ud800"))
    with pytest.raises(CommitRefused, match="state must have a text"):
        store.commit([a_commit("a"), Commit(writer="w", cells=(bad,))], at_ms=3)
    assert store.poisoned is None
    assert store.read_cells(ReadCells(table="orders")).cells == kept


def test_every_session_has_an_epoch_and_begins_by_saying_where_the_chain_stood(path: Path) -> None:
    with Store.open(path, at_ms=1) as store:
        store.commit([a_commit("a")], at_ms=2)
        assert store.epoch() == 1
        head = store.head()
    with Store.open(path, at_ms=3) as store:
        assert store.epoch() == 2
        (newest,) = store.read_records(ReadRecords(kinds=("JournalOpened",), newest_first=True, limit=1)).records
        assert b'"previous_seq":%d' % head.seq in newest.record.payload
        assert head.hash.hex().encode() in newest.record.payload
        assert newest.seq == head.seq + 1


# --- one writer ---------------------------------------------------------------------------------------------------


def test_a_second_writer_is_told_who_holds_the_lock(store: Store, path: Path) -> None:
    """flock belongs to the open file, so a second one in this very process is refused as well."""
    with pytest.raises(StoreLocked, match=f"was locked by process {os.getpid()}"):
        Store.open(path, at_ms=2)
    store.commit([a_commit("a")], at_ms=3)


def test_the_lock_of_a_killed_process_is_free(path: Path) -> None:
    script = (
        "import sys, pathlib, time; from genesis.edge.store import Store;"
        "s = Store.open(pathlib.Path(sys.argv[1]), at_ms=1); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(StoreLocked, match=f"was locked by process {child.pid}"):
            Store.open(path, at_ms=2)
        child.kill()
    with Store.open(path, at_ms=3) as store:
        assert store.epoch() == 2


def test_an_older_epoch_writes_nothing_even_without_the_lock(store: Store, path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("UPDATE epoch SET epoch = epoch + 1")
    other.close()
    with pytest.raises(StoreFenced):
        store.commit([a_commit("a")], at_ms=2)
    with pytest.raises(StorePoisoned):
        store.commit([a_commit("a")], at_ms=3)
    with ReadOnlyStore.open(path) as look:
        assert keys_of(look) == []


def test_a_look_does_not_need_the_lock_and_sees_commits(store: Store, path: Path) -> None:
    with ReadOnlyStore.open(path) as look:
        store.commit([a_commit("a", cells=(a_cell("x", b"1"),))], at_ms=2)
        assert keys_of(look) == ["a"]
        assert look.read_cells(ReadCells(table="orders")).cells == (a_cell("x", b"1"),)
        assert look.verify() == store.head()


def test_a_look_after_the_writer_has_gone(path: Path) -> None:
    with Store.open(path, at_ms=1) as store:
        store.commit([a_commit("a")], at_ms=2)
    with ReadOnlyStore.open(path) as look:
        assert keys_of(look) == ["a"]
    with pytest.raises(StoreUnusable, match="was not there"):
        ReadOnlyStore.open(path.with_name("other.sqlite"))


# --- failed writes ------------------------------------------------------------------------------------------------


def test_a_full_disk_poisons_the_store_and_the_next_start_has_what_was_answered(path: Path) -> None:
    store = Store.open(path, at_ms=1)
    store.commit([a_commit("a")], at_ms=2)
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    big = Commit(writer="test", records=(a_record(key="big", payload=b"x" * 100_000),))
    with pytest.raises(StorePoisoned, match="full"):
        store.commit([big], at_ms=3)
    for attempt in (lambda: store.commit([a_commit("b")], at_ms=4), lambda: store.read_cells(ReadCells(table="t"))):
        with pytest.raises(StorePoisoned):
            attempt()
    store.close()
    with Store.open(path, at_ms=5) as again:
        assert keys_of(again) == ["a"]


def test_an_anchor_that_cannot_be_written_poisons_the_store(path: Path) -> None:
    store = Store.open(path, at_ms=1)
    assert store._anchor is not None
    store._anchor.close()
    with pytest.raises(StorePoisoned):
        store.commit([a_commit("a")], at_ms=2)
    assert store.poisoned is not None
    store.close()
    with Store.open(path, at_ms=3) as again:
        # It was never answered, and it is there all the same: both are legal, and the writer's keys tell.
        assert again.commit([a_commit("a")], at_ms=4)[0].new == (False,)


def test_a_closed_store_says_so(path: Path) -> None:
    store = Store.open(path, at_ms=1)
    store.close()
    store.close()
    with pytest.raises(StorePoisoned, match="closed"):
        store.commit([a_commit("a")], at_ms=2)


# --- places that are no place -------------------------------------------------------------------------------------


def test_a_newer_schema_is_left_alone(path: Path) -> None:
    Store.open(path, at_ms=1).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    content = path.read_bytes()
    for attempt in (lambda: Store.open(path, at_ms=2), lambda: ReadOnlyStore.open(path)):
        with pytest.raises(StoreTooNew, match="must have schema version 2 or older, was 99"):
            attempt()
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (a)")
    other.close()
    content = path.read_bytes()
    with pytest.raises(StoreIncomplete, match="anchor"):
        Store.open(path, at_ms=1)
    with pytest.raises(StoreUnusable, match="must be a journal"):
        Store.open(path, at_ms=1, accept_loss=True)
    assert path.read_bytes() == content


def test_a_directory_that_cannot_be_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable):
        Store.open(tmp_path / "file" / "sim.sqlite", at_ms=1)
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(StoreError):
        Store.open(tmp_path / "folder.sqlite", at_ms=1)


# --- bytes that changed -------------------------------------------------------------------------------------------


def a_filled_journal(path: Path, commits: int = 40) -> Head:
    with Store.open(path, at_ms=1) as store:
        for number in range(commits):
            cells = (a_cell(f"k{number % 7}", b"v%d" % number * 9),)
            store.commit([a_commit(f"key-{number}", cells=cells)], at_ms=number)
        return store.head()


def test_a_corrupt_file_is_put_aside_by_name_and_never_replaced_by_an_empty_one(path: Path) -> None:
    a_filled_journal(path)
    content = bytearray(path.read_bytes())
    place = content.index(b"key-17")
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=r"kept as .*sim\.sqlite\.corrupt-1"):
        Store.open(path, at_ms=2)
    assert not path.exists()
    assert path.with_name("sim.sqlite.corrupt-1").read_bytes() == content
    # The next start, and the one after it, refuse too: the anchor remembers that there was something.
    for _ in range(2):
        with pytest.raises(StoreIncomplete, match=r"sim\.sqlite\.corrupt-1"):
            Store.open(path, at_ms=3)
        assert not path.exists()


def test_garbage_in_the_place_of_a_journal_is_corrupt(path: Path) -> None:
    a_filled_journal(path)
    path.write_bytes(b"not a database at all" * 1000)
    with pytest.raises(StoreCorrupt):
        Store.open(path, at_ms=2)


@pytest.mark.parametrize("seed", range(4))
def test_every_flipped_bit_is_seen_or_harmless(path: Path, seed: int) -> None:
    """SQLite's pages have no checksums: without the chain, half of these would be read as if nothing had happened."""
    head = a_filled_journal(path)
    chance = random.Random(seed)
    good = path.read_bytes()
    anchor = anchor_path(path).read_bytes()
    with ReadOnlyStore.open(path) as look:
        rows, cells = look.read_records(ReadRecords(kinds=())), look.read_cells(ReadCells(table="orders"))
    seen = 0
    for _ in range(60):
        bad = bytearray(good)
        bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        path.write_bytes(bad)
        anchor_path(path).write_bytes(anchor)
        try:
            with Store.open(path, at_ms=2) as store:
                found = store.read_records(ReadRecords(kinds=(), limit=head.seq))
                assert (found, store.read_cells(ReadCells(table="orders"))) == (rows, cells)
        except StoreError:
            seen += 1
    assert seen > 0


def test_a_flipped_bit_in_the_write_ahead_log_is_seen(path: Path, tmp_path: Path) -> None:
    """SQLite drops every commit behind it in silence and calls the file good; the anchor knows better."""
    store = Store.open(path, at_ms=1)
    for number in range(40):
        # Cells alone, too: they are in the chain as well.
        store.commit(
            [a_commit(cells=(a_cell("x", b"%d" % number),)) if number % 2 else a_commit(f"k{number}")], at_ms=2
        )
    chance = random.Random(7)
    for attempt in range(40):
        place = tmp_path / f"copy-{attempt}"
        place.mkdir()
        copy = place / path.name
        for file in (path, anchor_path(path)):
            (place / file.name).write_bytes(file.read_bytes())
        log = bytearray(path.with_name(path.name + "-wal").read_bytes())
        log[chance.randrange(32, len(log))] ^= 1 << chance.randrange(8)
        copy.with_name(copy.name + "-wal").write_bytes(log)
        # A frame may have been rewritten by a later one: then nothing is missing.
        try:
            with Store.open(copy, at_ms=3) as opened:
                assert opened.head().seq == store.head().seq + 1
        except (StoreIncomplete, StoreCorrupt):
            continue
    store.close()


def test_a_lost_tail_is_refused_until_the_loss_is_accepted_and_then_recorded(path: Path, tmp_path: Path) -> None:
    with Store.open(path, at_ms=1) as store:
        store.commit([a_commit("a")], at_ms=2)
        store.backup(tmp_path / "old.sqlite")
        store.commit([a_commit("b")], at_ms=3)
        lost = store.head()
    os.replace(tmp_path / "old.sqlite", path)
    with pytest.raises(StoreIncomplete, match="restore a newer backup, or accept the loss"):
        Store.open(path, at_ms=4)
    with Store.open(path, at_ms=5, accept_loss=True) as store:
        assert keys_of(store) == ["a"]
        (opened,) = store.read_records(ReadRecords(kinds=("JournalOpened",), newest_first=True, limit=1)).records
        assert b'"anchor_seq":%d' % lost.seq in opened.record.payload
    with Store.open(path, at_ms=6) as store:
        assert keys_of(store) == ["a"]


def test_a_journal_without_its_anchor_is_not_trusted(path: Path) -> None:
    a_filled_journal(path)
    anchor_path(path).unlink()
    with pytest.raises(StoreIncomplete, match="anchor"):
        Store.open(path, at_ms=2)
    with Store.open(path, at_ms=3, accept_loss=True) as store:
        assert len(keys_of(store)) == 40


def test_a_torn_anchor_write_leaves_the_slot_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    anchor = Anchor(path, Head(1, b"\1" * 32))
    for seq in range(2, 7):
        anchor.write(Head(seq, bytes([seq]) * 32))
        assert read_anchor(path) == Head(seq, bytes([seq]) * 32)
        good = path.read_bytes()
        for cut in range(0, len(good), 5):
            torn = bytearray(good)
            torn[cut] ^= 0xFF
            path.write_bytes(torn)
            found = read_anchor(path)
            assert found is not None
            assert found.seq in (seq, seq - 1)
        path.write_bytes(bytes(len(good)))
        with pytest.raises(StoreCorrupt):
            read_anchor(path)
        with path.open("r+b") as file:
            file.write(good)
    anchor.close()


def test_a_backup_is_a_journal_of_its_own(store: Store, path: Path, tmp_path: Path) -> None:
    store.commit([a_commit("a", cells=(a_cell("x", b"1"),))], at_ms=2)
    head = store.backup(tmp_path / "copy.sqlite")
    assert head == store.head()
    store.commit([a_commit("b")], at_ms=3)
    with Store.open(tmp_path / "copy.sqlite", at_ms=4) as copy:
        assert keys_of(copy) == ["a"]
        assert copy.epoch() == store.epoch() + 1
    with pytest.raises(StoreUnusable):
        store.backup(tmp_path / "missing" / "copy.sqlite")


# --- kill -9 ------------------------------------------------------------------------------------------------------


def _write_until_killed(path: str, answers: str) -> None:
    with open(answers, "ab", buffering=0) as told:
        store = Store.open(Path(path), at_ms=1)
        number = store.head().seq
        while True:
            number += 1
            key = f"{store.epoch()}-{number}"
            store.commit([a_commit(key, cells=(a_cell("last", key.encode()),))], at_ms=2)
            told.write(key.encode() + b"\n")


@pytest.mark.parametrize("seed", [1])
def test_nothing_answered_is_lost_by_kill_9_at_any_time(path: Path, tmp_path: Path, seed: int) -> None:
    """This proves our own opening after a crash; that the disk keeps what was synced needs a power cut."""
    chance = random.Random(seed)
    answers = tmp_path / "answers"
    answers.touch()
    fork = multiprocessing.get_context("spawn")
    for _ in range(6):
        told_before = answers.stat().st_size
        child = fork.Process(target=_write_until_killed, args=(str(path), str(answers)))
        child.start()
        assert child.pid is not None
        while answers.stat().st_size <= told_before + 400 and child.is_alive():
            child.join(0.001 + chance.random() * 0.01)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    told = answers.read_text().split()
    with Store.open(path, at_ms=3) as store:
        kept = set(keys_of(store))
        assert kept.issuperset(told)
        # The one in the air when the process died may be there or not, and its cell goes with it.
        (last,) = store.read_cells(ReadCells(table="orders", key="last")).cells
        assert last.payload.decode() in kept
        assert len(kept) <= len(told) + 6


def test_answers_of_named_commits_are_forgotten_in_bounds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "ANSWERS_KEPT", 10)
    with Store.open(path, at_ms=1) as store:
        for number in range(100):
            store.commit([a_commit(f"k{number}", commit_id=f"c{number}")], at_ms=2)
        (count,) = store._connection.execute("SELECT count(*) FROM answers").fetchone()
        assert count <= 12


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize(
    "gone", ["deleted", "its folder deleted", "replaced by a copy", "moved away", "its log deleted"]
)
def test_nothing_is_promised_of_a_file_that_nobody_finds_again(tmp_path: Path, gone: str, optional: bool) -> None:
    """The folder was removed under the engine, which traded on: every order was written down where no start looks."""
    path = tmp_path / "home" / "live.sqlite"
    with contextlib.closing(Store.open(path, at_ms=1)) as store:
        store.commit([a_commit("1")], at_ms=2)
        copy = tmp_path / "copy"
        shutil.copy(path, copy)
        match gone:
            case "deleted":
                path.unlink()
            case "its folder deleted":
                shutil.rmtree(path.parent)
            case "replaced by a copy":
                copy.replace(path)
            case "moved away":
                path.rename(tmp_path / "elsewhere")
            case "its log deleted":
                # `rm live.sqlite-*`: what is committed from then on is nowhere else until it is folded back.
                path.with_name("live.sqlite-wal").unlink()
        commit = msgspec.structs.replace(a_commit("2"), optional=optional)
        for _ in range(2):
            with pytest.raises(StorePoisoned, match="was deleted, moved or replaced"):
                store.commit([commit], at_ms=3)
        with pytest.raises(StorePoisoned):
            store.read_cells(ReadCells(table="orders"))


def test_a_folder_that_was_closed_to_us_has_lost_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are open, take what is written and are found by the next start: the engine need not end for it."""
    with contextlib.closing(Store.open(path, at_ms=1)) as store:
        store.commit([a_commit("1")], at_ms=2)

        def refuse(*_: object, **__: object) -> os.stat_result:
            raise PermissionError(errno.EACCES, "Permission denied")

        with monkeypatch.context() as closed:
            closed.setattr("genesis.edge.store_check.os.stat", refuse)
            store.commit([a_commit("2")], at_ms=3)
        store.commit([a_commit("3")], at_ms=4)
