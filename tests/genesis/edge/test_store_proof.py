"""What a start proves of a long journal, and what is proven later: together all of it, with no gap between."""

import contextlib
import random
import sqlite3
from pathlib import Path

import pytest

from genesis.edge import store as store_module
from genesis.edge import store_proof
from genesis.edge.anchor import GENESIS_HEAD, Anchor, Head
from genesis.edge.store import ReadOnlyStore, Store, anchor_path, copy_path
from genesis.edge.store_errors import StoreCorrupt, StoreIncomplete
from genesis.edge.store_proof import mark_path
from genesis.edge.store_rows import row_hash
from protocols.journal import CellWrite, Commit, Record
from tests.recorded_journals import put_journal

NEWEST = 20
RECORDS = 70
FIELDS = ("time", "actor", "kind", "key", "payload", "corr", "prev_hash", "hash")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty records stand for fifty thousand."""
    monkeypatch.setattr(store_module, "NEWEST", NEWEST)
    monkeypatch.setattr(store_proof, "PAGE", 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "live.sqlite"
    with Store.open(path, at_ms=1) as store:
        for number in range(RECORDS):
            record = Record(
                kind=("Fill", "Verdict", "OrderUpdate")[number % 3],
                key=f"k{number}",
                payload=b'{"n":%d}' % number,
                correlation_id="c",
                at_ms=number,
            )
            cells = (
                (CellWrite(table="orders", key=f"o{number % 5}", payload=b"%d" % number),) if number % 9 == 0 else ()
            )
            store.commit((Commit(writer="test", records=(record,), cells=cells),), at_ms=number)
    return path


def rows_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT max(seq) FROM log").fetchone()[0])


def spoil(path: Path, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def opened_since(path: Path) -> Head:
    with Store.open(path, at_ms=9) as store:
        return store.proven_since


def later(path: Path, since: Head) -> str | None:
    """What the later proof finds."""
    with ReadOnlyStore.open(path) as store:
        try:
            store.verify_older(since)
        except StoreCorrupt as error:
            return error.what
    return None


def test_a_short_journal_is_proven_whole(tmp_path: Path) -> None:
    with Store.open(tmp_path / "sim.sqlite", at_ms=1) as store:
        assert store.proven_since == GENESIS_HEAD
    assert opened_since(tmp_path / "sim.sqlite") == GENESIS_HEAD


def test_of_a_long_one_the_newest_are_and_the_rest_later(path: Path) -> None:
    last = rows_of(path)
    since = opened_since(path)
    assert since.seq == last - NEWEST
    assert later(path, since) is None


@pytest.mark.parametrize("seed", range(40))
def test_whatever_field_of_whatever_record_is_changed_one_of_both_finds_it(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    last = rows_of(path)
    seq = chance.randint(1, last)
    field = chance.choice(FIELDS)
    value: object = {"time": 5, "payload": b"{}", "prev_hash": b"x" * 32, "hash": b"y" * 32}.get(field, "zz")
    spoil(path, f"UPDATE log SET {field} = ? WHERE seq = ?", value, seq)  # noqa: S608 - a name of the list above
    # Of the record that the newest part continues its hash is looked at, and nothing else.
    if seq > last - NEWEST or (seq == last - NEWEST and field == "hash"):
        with pytest.raises(StoreCorrupt) as refused:
            Store.open(path, at_ms=9)
        assert len(refused.value.quarantined) == 1
    else:
        assert later(path, opened_since(path)) is not None


def test_a_record_of_the_older_part_that_is_gone_is_found_later(path: Path) -> None:
    spoil(path, "DELETE FROM log WHERE seq = 30")
    assert later(path, opened_since(path)) == "log row 30 must follow, was 31"


def test_nor_can_the_whole_older_part_be_taken_away(path: Path) -> None:
    since = opened_since(path)
    spoil(path, "DELETE FROM log WHERE seq <= ?", since.seq)
    assert later(path, since) == "log row 1 must follow, was missing"


def test_an_older_part_with_a_chain_of_its_own_does_not_lead_to_the_newest(path: Path) -> None:
    """Whoever changes a record and makes all later hashes anew cannot make them meet the part that the anchor names."""
    since = opened_since(path)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE log SET payload = x'7b7d' WHERE seq = 11")
        previous = bytes(32)
        for row in connection.execute(
            "SELECT seq, time, actor, kind, key, payload, corr FROM log ORDER BY seq"
        ).fetchall():
            if row[0] > since.seq:
                break
            found = row_hash(previous, *row)
            connection.execute("UPDATE log SET prev_hash = ?, hash = ? WHERE seq = ?", (previous, found, row[0]))
            previous = found
    assert later(path, since) == f"log row {since.seq} is not the one that the anchor names"
    with pytest.raises(StoreCorrupt, match=f"log row {since.seq + 4} does not continue the chain"):
        # The next start begins a little later, and meets the seam.
        spoil(path, "UPDATE log SET prev_hash = x'00' WHERE seq = ?", since.seq + 4)
        Store.open(path, at_ms=10)


def test_a_changed_cell_is_found_at_once_however_old_it_is(path: Path) -> None:
    spoil(path, "UPDATE cells SET payload = x'31' WHERE key = 'o3'")
    with pytest.raises(StoreCorrupt, match="cell orders/o3"):
        Store.open(path, at_ms=9)


def test_an_index_that_hides_a_new_record_is_found_at_once(path: Path) -> None:
    """Machines read by it what came since they were kept."""
    hidden = rows_of(path) - 3
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (words,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'log_kind'").fetchone()
        connection.execute("DROP INDEX log_kind")
        connection.execute(f"{words} WHERE seq != {hidden}")
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'log_kind'", (words,))
    with pytest.raises(StoreCorrupt, match="the index must name"):
        Store.open(path, at_ms=9)


def test_a_page_that_makes_no_sense_is_found_later(path: Path) -> None:
    """The index of keys is read by nobody who proves rows."""
    since = opened_since(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'log_corr'"
        (page,) = connection.execute(query).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))
    assert later(path, since) is not None


def test_a_mark_makes_the_next_start_prove_everything_and_goes_when_that_is_well(path: Path) -> None:
    mark_path(path).write_text("log row 30")
    assert opened_since(path) == GENESIS_HEAD
    assert not mark_path(path).exists()
    assert opened_since(path) != GENESIS_HEAD


def test_a_marked_journal_that_is_damaged_is_refused_and_put_aside(path: Path) -> None:
    spoil(path, "UPDATE log SET payload = x'7b7d' WHERE seq = 11")
    mark_path(path).write_text("log row 11")
    with pytest.raises(StoreCorrupt, match="log row 11 is not what was written") as refused:
        Store.open(path, at_ms=9)
    assert refused.value.quarantined


def test_who_looks_at_everything_still_does(path: Path) -> None:
    spoil(path, "UPDATE log SET payload = x'7b7d' WHERE seq = 11")
    with ReadOnlyStore.open(path) as store, pytest.raises(StoreCorrupt, match="log row 11"):
        store.verify()
    with Store.open(path, at_ms=9) as writer, pytest.raises(StoreCorrupt, match="log row 11"):
        writer.backup(path.with_name("copy.sqlite"))


def test_nothing_behind_an_old_anchor_is_taken_on_trust(path: Path) -> None:
    """A restored anchor vouches for what it names and for nothing later: from there on every row is proven."""
    with ReadOnlyStore.open(path) as store:
        row = store._connection.execute("SELECT seq, hash FROM log WHERE seq = 12").fetchone()
    Anchor(anchor_path(path), Head(*row)).close()
    assert opened_since(path) == Head(*row)
    Anchor(anchor_path(path), Head(row[0], b"z" * 32)).close()
    with pytest.raises(StoreCorrupt, match="log row 12 is not the one that the anchor names"):
        Store.open(path, at_ms=9)


def test_a_lost_tail_is_still_refused(path: Path) -> None:
    spoil(path, "DELETE FROM log WHERE seq > 60")
    spoil(path, "DELETE FROM cells")
    with pytest.raises(StoreIncomplete):
        Store.open(path, at_ms=9)
    with Store.open(path, at_ms=9, accept_loss=True) as store:
        assert store.proven_since.seq == 60 - NEWEST


def test_an_older_layout_is_proven_whole_before_it_is_taken_forward(tmp_path: Path) -> None:
    path = put_journal(1, tmp_path / "live.sqlite")
    assert rows_of(path) > NEWEST
    assert opened_since(path) == GENESIS_HEAD
    assert copy_path(path, 1).exists()
