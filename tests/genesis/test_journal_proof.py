"""The older part of a long journal is proven by a process of its own, and what it finds has consequences."""

import os
import sys
from pathlib import Path

import pytest
import structlog.testing
import trio

from genesis import journal_proof
from genesis.edge import store as store_module
from genesis.edge.anchor import GENESIS_HEAD, Head
from genesis.edge.service_manager import ServiceManager
from genesis.edge.store import Store
from genesis.edge.store_proof import mark_path
from genesis.journal_opening import open_journal
from genesis.journal_proof import prove_older
from genesis.run_options import CannotStart
from protocols.journal import Commit, Record
from protocols.risk import TradingState
from tests.genesis.edge.test_store_proof import spoil
from tests.house import house, lively_layer, piece_of


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store_module, "NEWEST", 5)
    monkeypatch.setattr(journal_proof, "BEGINS_AFTER_S", 0)
    monkeypatch.setattr(journal_proof, "AGAIN_AFTER_S", 0)
    path = tmp_path / "live.sqlite"
    with Store.open(path, at_ms=1) as store:
        for number in range(12):
            record = Record(kind="Fill", key=f"{number}", payload=b"{}", correlation_id="", at_ms=number)
            store.commit((Commit(writer="test", records=(record,)),), at_ms=number)
    return path


async def opened(path: Path) -> Head:
    store = await open_journal(path, ServiceManager(), at_ms=9, expendable=False)
    await store.close()
    return store.store.proven_since


def put_aside(path: Path, target: Path) -> None:
    path.rename(target)


async def test_the_rest_is_proven_while_the_engine_writes(path: Path) -> None:
    found: list[str] = []
    with structlog.testing.capture_logs() as lines, Store.open(path, at_ms=9) as store:
        await prove_older(path, store.proven_since, found.append)
        since = store.proven_since
    assert [(line["event"], line["records"]) for line in lines] == [("journal_proven", since.seq)]
    assert found == []
    assert not mark_path(path).exists()


async def test_of_a_short_journal_nothing_is_left_to_prove(tmp_path: Path) -> None:
    """It would otherwise wait, and read a file that is not there."""
    await prove_older(tmp_path / "none", GENESIS_HEAD, pytest.fail)


async def test_damage_is_told_once_and_the_next_start_refuses_the_journal(path: Path) -> None:
    spoil(path, "UPDATE log SET payload = x'7b' WHERE seq = 3")
    found: list[str] = []
    await prove_older(path, await opened(path), found.append)
    assert found == ["log row 3 is not what was written"]
    assert mark_path(path).read_text() == "log row 3 is not what was written\n"
    with pytest.raises(CannotStart, match="log row 3 is not what was written"):
        await opened(path)


async def test_a_process_that_cannot_read_it_is_asked_again(path: Path) -> None:
    since = await opened(path)
    aside = path.with_name("aside")
    put_aside(path, aside)
    found: list[str] = []
    with structlog.testing.capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(prove_older, path, since, found.append)
            while not any(line["event"] == "journal_not_proven" for line in lines):  # noqa: ASYNC110 - a log has no event
                await trio.sleep(0.001)
            put_aside(aside, path)
    assert lines[-1]["event"] == "journal_proven"
    assert found == []


async def test_nothing_of_the_folder_that_it_runs_in_is_taken_for_ours(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trader's signal.py lay there: the proof imported it, failed, and was never made."""
    (path.parent / "signal.py").write_text("raise SystemExit('theirs')")
    monkeypatch.chdir(path.parent)
    with structlog.testing.capture_logs() as lines:
        await prove_older(path, await opened(path), pytest.fail)
    assert lines[-1]["event"] == "journal_proven"


async def test_it_ends_when_its_engine_has_gone(path: Path) -> None:
    """Also when that went before the first look: it would read for minutes what nobody hears."""
    since = await opened(path)
    somebody = str(os.getppid())
    words = (sys.executable, "-P", "-m", journal_proof.__name__, str(path), str(since.seq), since.hash.hex(), somebody)
    done = await trio.run_process(words, capture_stdout=True, capture_stderr=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


async def test_an_engine_with_a_damaged_journal_opens_nothing_more(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer(), seed=1) as here:
        await here.ready()
        here.engine.journal_is_damaged("log row 3 is not what was written")
        cells, told = here.engine.cells, here.engine.readers.notices
        while (risk := cells.risk.value) is None or risk.state is not TradingState.REDUCING:  # noqa: ASYNC110 - a cell
            await trio.sleep(0.002)
        assert risk.reason == "the journal is damaged"
        while not any(each.code == "journal_damaged" and "log row 3" in each.text for each in told()):  # noqa: ASYNC110
            await trio.sleep(0.002)
