"""Power cuts: whatever a disk makes of bytes that were not synced, nothing that was answered is lost.

`kill -9` cannot show this, because the operating system keeps what a dead process wrote.
"""

import os
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import genesis.edge.anchor as anchor_module
import genesis.edge.store as store_module
from genesis.edge.store import Store
from genesis.edge.store_errors import StoreError
from protocols.journal import CellWrite, Commit, ReadCells, ReadRecords, Record
from tests.genesis.edge.disk_recorder import Answered, Disk, DiskRecorder, RecordingOs, Step, shared_sqlite

pytestmark = pytest.mark.chaos

NAME = "sim.sqlite"


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[DiskRecorder]:
    library = shared_sqlite()
    if library is None:
        pytest.skip("SQLite is built into this Python: its file layer cannot be reached")
    recorder = DiskRecorder(library)
    monkeypatch.setattr(anchor_module, "os", RecordingOs(recorder))
    recorder.install()
    yield recorder
    recorder.remove()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where cut disks are opened: in memory if possible, since what happens there need not last."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def a_working_day(path: Path, recorder: DiskRecorder, chance: random.Random) -> list[Step]:
    """Three sessions, commits of many sizes, and a log that is folded back often; every answer is noted."""
    number = 0
    for session in range(3):
        with Store.open(path, at_ms=session) as store:
            store._connection.execute("PRAGMA wal_autocheckpoint = 12")
            for _ in range(60):
                commits = []
                for _ in range(chance.randrange(1, 4)):
                    number += 1
                    key = f"key-{number}"
                    payload = chance.randbytes(chance.choice((10, 100, 3000)))
                    record = Record(kind="Fill", key=key, payload=payload, correlation_id="", at_ms=1)
                    cells = (
                        CellWrite(table="t", key="last", payload=key.encode()),
                        CellWrite(table="t", key=f"k{number % 5}", payload=payload),
                    )
                    commits.append(Commit(writer="w", records=(record,), cells=cells))
                store.commit(commits, at_ms=1)
                recorder.steps += [Answered(commit.records[0].key or "") for commit in commits]
    return list(recorder.steps)


def cut_and_open(steps: list[Step], cuts: int, chance: random.Random, place: Path) -> tuple[int, list[str]]:
    """(cuts made, what went wrong) over random places of the record."""
    troubles: list[str] = []
    disk = Disk()
    places = sorted(chance.randrange(1, len(steps)) for _ in range(cuts))
    done = 0
    for number, cut in enumerate(places):
        for step in steps[done:cut]:
            disk.take(step)
        done = cut
        folder = place / str(number)
        folder.mkdir()
        for name, content in disk.after_power_cut(chance).items():
            if not name.endswith("-shm"):
                (folder / name).write_bytes(content)
        try:
            with Store.open(folder / NAME, at_ms=9) as store:
                kept = [
                    row.record.key for row in store.read_records(ReadRecords(kinds=("Fill",), limit=100_000)).records
                ]
                lost = set(disk.answered) - set(kept)
                if lost:
                    troubles.append(f"cut at {cut}: {len(lost)} answered records are lost")
                last = store.read_cells(ReadCells(table="t", key="last")).cells
                # A commit is whole or not there: the cell and the newest record came together.
                if [cell.payload.decode() for cell in last] != kept[-1:]:
                    troubles.append(f"cut at {cut}: {last} beside {kept[-1:]}")
        except StoreError as error:
            troubles.append(f"cut at {cut}: {error}")
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    return len(places), troubles


@pytest.mark.parametrize("seed", range(4))
def test_a_power_cut_at_any_step_loses_nothing_answered(
    tmp_path: Path, place: Path, recorder: DiskRecorder, seed: int
) -> None:
    chance = random.Random(seed)
    (tmp_path / "day").mkdir()
    steps = a_working_day(tmp_path / "day" / NAME, recorder, chance)
    recorder.remove()
    cuts, troubles = cut_and_open(steps, 250, chance, place)
    assert cuts == 250
    assert troubles == []


def test_the_recorder_sees_what_normal_sync_would_lose(
    tmp_path: Path, place: Path, recorder: DiskRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof of the proof: with one pragma changed, cuts must find answered commits missing."""
    connect = store_module._connect

    class LaxConnection(sqlite3.Connection):
        def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
            if sql == "PRAGMA synchronous":
                return super().execute("SELECT 2")
            return super().execute(sql.replace("synchronous = FULL", "synchronous = NORMAL"), parameters)  # type: ignore[arg-type]

    def lax(path: Path, mode: str) -> sqlite3.Connection:
        connect(path, mode).close()
        return sqlite3.connect(path, isolation_level=None, factory=LaxConnection)

    chance = random.Random(5)
    (tmp_path / "day").mkdir()
    monkeypatch.setattr(store_module, "_connect", lax)
    steps = a_working_day(tmp_path / "day" / NAME, recorder, chance)
    monkeypatch.setattr(store_module, "_connect", connect)
    recorder.remove()
    cuts, troubles = cut_and_open(steps, 60, chance, place)
    assert len(troubles) > cuts // 10
