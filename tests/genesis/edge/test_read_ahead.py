"""A long file is read once, a short one and one that memory cannot hold are left alone."""

from pathlib import Path

import pytest

from genesis.edge.read_ahead import read_ahead
from genesis.edge.store import Store


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genesis.edge.read_ahead.LONG_BYTES", 1000)
    monkeypatch.setattr("genesis.edge.read_ahead.CHUNK_BYTES", 64)


@pytest.mark.parametrize(("size", "read"), [(999, 0), (1000, 1000), (4321, 4321), (5000, 5000), (5001, 0)])
def test_what_is_long_and_fits_is_read_whole(tmp_path: Path, size: int, read: int) -> None:
    path = tmp_path / "long"
    path.write_bytes(b"x" * size)
    assert read_ahead(path, room_bytes=5000) == read


def test_a_journal_that_was_read_ahead_is_locked_and_written_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "sim.sqlite"
    Store.open(path, at_ms=1).close()
    assert read_ahead(path) > 0
    with Store.open(path, at_ms=2) as store:
        assert store.epoch() == 2


def test_no_file_is_the_callers_trouble(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_ahead(tmp_path / "none")
