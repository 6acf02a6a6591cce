"""A journal of every layout that was ever shipped opens today, says what it said, and survives the way here."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import genesis.edge.anchor as anchor_module
import genesis.edge.store as store_module
import genesis.edge.store_layouts as layouts
from genesis.audit import search_journal
from genesis.domain.decision_search import DecisionSearch
from genesis.edge.anchor import Head
from genesis.edge.store import FindRecords, ReadOnlyStore, Store, copy_path
from genesis.edge.store_errors import StoreUnusable
from genesis.edge.store_layouts import FIRST_VERSION, SCHEMA_VERSION
from genesis.order_history import ended_orders
from protocols.journal import Commit, JournalOpened, ReadRecords, Record, StoredRecord
from tests.genesis.edge.disk_recorder import Answered, Disk, DiskRecorder, RecordingOs, Written, shared_sqlite
from tests.recorded_journals import JOURNALS, put_journal

NAME = "sim.sqlite"
OLD = tuple(range(FIRST_VERSION, SCHEMA_VERSION))


@pytest.fixture(params=OLD)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def path(tmp_path: Path, version: int) -> Path:
    """A journal that an engine of that layout wrote."""
    return put_journal(version, tmp_path / "day" / NAME)


def version_in(path: Path) -> int:
    with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True) as connection:
        version = layouts.version_of(connection)
    connection.close()
    return version


def whole(path: Path) -> tuple[Head, tuple[StoredRecord, ...], int]:
    """Head, records and number of cells, of a journal that was followed from end to end."""
    with ReadOnlyStore.open(path) as store:
        head = store.verify()
        records = store.read_records(ReadRecords(kinds=(), limit=1_000_000)).records
        (cells,) = store._connection.execute("SELECT count(*) FROM cells").fetchone()
    return head, records, cells


def test_there_is_a_journal_of_every_layout_before_todays() -> None:
    there = {int(path.name.split(".")[0].removeprefix("layout-")) for path in JOURNALS.glob("*.sqlite.xz")}
    assert there == set(OLD)


def test_it_opens_and_says_what_it_said(path: Path, version: int) -> None:
    head, records, cells = whole(path)
    assert len(records) > 1000
    with Store.open(path, at_ms=9) as store:
        assert store.layout_before == version
        assert store.read_records(ReadRecords(kinds=(), limit=len(records))).records == records
        assert store.epoch() == 2
        after = store.read_records(ReadRecords(kinds=(JournalOpened.__name__,), newest_first=True, limit=1)).records
        assert after[0].seq == head.seq + 1
    assert version_in(path) == SCHEMA_VERSION
    assert whole(path)[2] == cells
    with Store.open(path, at_ms=10) as store:
        assert store.layout_before is None


def test_what_it_was_is_kept_beside_it_and_is_a_journal(path: Path, version: int) -> None:
    before = whole(path)
    Store.open(path, at_ms=9).close()
    kept = copy_path(path, version)
    assert version_in(kept) == version
    assert whole(kept) == before
    # The way back, or the way forward once more.
    with Store.open(kept, at_ms=11) as store:
        assert store.layout_before == version


def test_who_only_looks_changes_nothing(path: Path) -> None:
    content = path.read_bytes()
    whole(path)
    found = search_journal(path, DecisionSearch(limit=3))
    assert found.total > 3
    about = found.verdicts[0].correlation_id
    assert search_journal(path, DecisionSearch(about=about)).total >= 1
    assert ended_orders(path, None, 10, 0)[0] > 0
    assert path.read_bytes() == content
    assert not list(path.parent.glob("*.v*"))


def test_a_newly_made_journal_has_the_tables_of_one_that_came_all_the_way(path: Path, tmp_path: Path) -> None:
    Store.open(path, at_ms=9).close()
    Store.open(tmp_path / "new.sqlite", at_ms=9).close()
    for each in (path, tmp_path / "new.sqlite"):
        with sqlite3.connect(each) as connection:
            assert layouts.definitions(connection) == layouts.layout(SCHEMA_VERSION)
        connection.close()


def test_a_step_that_fails_leaves_the_journal_as_it_was(
    path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not put aside as corrupt either: its bytes are sound, it is the step that is wrong or the disk that is full."""
    before = whole(path)
    broken = (*layouts.STEPS[-1], "CREATE INDEX of_nothing ON nowhere (x)")
    with monkeypatch.context() as patched:
        patched.setattr(layouts, "STEPS", (*layouts.STEPS[:-1], broken))
        with pytest.raises(StoreUnusable, match=f"must come from layout {version} to {SCHEMA_VERSION}, did not"):
            Store.open(path, at_ms=9)
    assert whole(path) == before
    assert version_in(path) == SCHEMA_VERSION - 1
    Store.open(path, at_ms=9).close()
    assert version_in(path) == SCHEMA_VERSION


def test_no_step_begins_where_the_copy_cannot_be_made(path: Path, version: int) -> None:
    before = whole(path)
    copy_path(path, version).mkdir()
    with pytest.raises(StoreUnusable, match="must succeed, did not"):
        Store.open(path, at_ms=9)
    assert whole(path) == before
    assert version_in(path) == version


def test_a_correlation_is_found_by_its_index(tmp_path: Path) -> None:
    with Store.open(tmp_path / NAME, at_ms=1) as store:
        asked: list[str] = []
        store._connection.set_trace_callback(asked.append)
        store.find_records(FindRecords(kind="Verdict", correlation_id="event-1"))
        store._connection.set_trace_callback(None)
        for query in asked[:2]:
            plan = [row[3] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {query}")]
            assert any("log_corr" in step for step in plan), plan
            assert not any("TEMP B-TREE" in step for step in plan), plan


# --- the power fails on the way -------------------------------------------------------------------------------------


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[DiskRecorder]:
    library = shared_sqlite()
    if library is None:
        pytest.skip("SQLite is built into this Python: its file layer cannot be reached")
    recorder = DiskRecorder(library)
    recording = RecordingOs(recorder)
    monkeypatch.setattr(anchor_module, "os", recording)
    monkeypatch.setattr(store_module, "os", recording)
    yield recorder
    recorder.remove()


@pytest.mark.chaos
def test_a_power_cut_on_the_way_leaves_a_whole_journal(path: Path, version: int, recorder: DiskRecorder) -> None:
    """Of the old layout or the new one, with all that it held; and where it is new, the old one is there as a copy."""
    _, records, _ = whole(path)
    disk = Disk(synced={each.name: bytearray(each.read_bytes()) for each in path.parent.iterdir()})
    recorder.install()
    with Store.open(path, at_ms=9) as store:
        for number in range(3):
            record = Record(kind="Fill", key=f"after-{number}", payload=b"{}", correlation_id="", at_ms=1)
            store.commit((Commit(writer="w", records=(record,)),), at_ms=1)
            recorder.steps.append(Answered(f"after-{number}"))
    recorder.remove()
    steps, chance = list(recorder.steps), random.Random(version)
    # Most steps copy pages, one like the other: of those few are tried.
    places = [at for at, step in enumerate(steps) if not isinstance(step, Written) or chance.random() < 0.01]
    places = sorted(chance.sample(places, 20))
    seen, at = set[int](), 0
    for number, place in enumerate(places):
        for step in steps[at : place + 1]:
            disk.take(step)
        at = place + 1
        folder = path.parent.parent / f"cut-{number}"
        folder.mkdir()
        for name, content in disk.after_power_cut(chance).items():
            if not name.endswith("-shm"):
                (folder / name).write_bytes(content)
        with Store.open(folder / NAME, at_ms=9) as store:
            found = store.layout_before or SCHEMA_VERSION
            seen.add(found)
            kept = store.read_records(ReadRecords(kinds=(), limit=1_000_000)).records
            assert kept[: len(records)] == records
            assert set(disk.answered) <= {each.record.key for each in kept}
        if found == SCHEMA_VERSION:
            assert whole(copy_path(folder / NAME, version))[1] == records
        shutil.rmtree(folder)
    assert seen == {version, SCHEMA_VERSION}
