"""The journal of a run: however long it is, opening it holds nothing up, and what is wrong is told with what to do."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
import structlog.testing
import trio

from genesis.edge.service_manager import ServiceManager
from genesis.edge.store import anchor_path, copy_path
from genesis.edge.store_layouts import SCHEMA_VERSION, version_of
from genesis.journal_opening import open_journal
from genesis.run_options import CannotStart
from tests.recorded_journals import put_journal

NOBODY = ServiceManager()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return put_journal(1, tmp_path / "live.sqlite")


async def test_the_loop_turns_and_the_manager_is_asked_for_patience_while_it_is_verified(
    path: Path, tmp_path: Path
) -> None:
    """In the loop, a journal of a million records ended the engine at its start: the watch takes that for a fault."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await trio.sleep(0.001)
            turns += 1

    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM) as listener:
        await listener.bind(str(tmp_path / "notify"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(turn)
            manager = ServiceManager(address=str(tmp_path / "notify"))
            store = await open_journal(path, manager, at_ms=9, expendable=False)
            nursery.cancel_scope.cancel()
        assert (await listener.recv(4096)).startswith(b"EXTEND_TIMEOUT_USEC=")
    await store.close()
    assert turns > 2


async def test_a_journal_that_came_from_an_older_layout_is_told(path: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        await (await open_journal(path, NOBODY, at_ms=9, expendable=False)).close()
        await (await open_journal(path, NOBODY, at_ms=9, expendable=False)).close()
    (line,) = [line for line in lines if line["event"] == "journal_migrated"]
    assert (line["was"], line["layout"], line["copy"]) == (1, SCHEMA_VERSION, str(copy_path(path, 1)))


async def test_a_newer_one_is_refused_with_both_ways_out(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(CannotStart, match=r"was 99: a newer Genesis wrote it\. Start that one, or restore a backup"):
        await open_journal(path, NOBODY, at_ms=9, expendable=False)


@pytest.mark.parametrize(("expendable", "advice"), [(True, "--fresh begins"), (False, "`genesis backup restore`")])
async def test_one_that_lost_its_tail_is_not_taken_forward(path: Path, expendable: bool, advice: str) -> None:
    anchor_path(path).unlink()
    with pytest.raises(CannotStart, match=advice):
        await open_journal(path, NOBODY, at_ms=9, expendable=expendable)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert version_of(connection) == 1
    assert not copy_path(path, 1).exists()
