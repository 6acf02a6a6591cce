"""A backup is whole, told when it is not, and never forgets orders unless that is meant."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from genesis.cli.main import call
from genesis.edge.store import ReadOnlyStore, Store
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode
from protocols.journal import Commit, Record
from protocols.orders import Fill, Purpose
from protocols.units import Side, Symbol

HOUR_MS = 3_600_000


def commit(store: Store, number: int) -> None:
    record = Record(kind="Test", key=str(number), payload=b"{}", correlation_id="", at_ms=HOUR_MS)
    store.commit((Commit(writer="test", records=(record,)),), at_ms=HOUR_MS)


@pytest.fixture
def home(tmp_path: Path) -> UserDir:
    home = UserDir(tmp_path / "home")
    home.create()
    (home.config / "risk.json").write_text('{"max_daily_loss": 0.03}')
    (home.secrets / "bitfinex_api_key").write_text("very secret")
    with Store.open(home.database("sim"), at_ms=HOUR_MS) as store:
        commit(store, 1)
    return home


def taken(home: UserDir, folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> Path:
    assert call(["backup", "take", str(folder), "--data-dir", str(home.root), "--json", *options]) == ExitCode.OK
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return Path(told["backup"])


def test_a_journal_in_use_is_copied_and_secrets_are_not(
    home: UserDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store.open(home.database("sim"), at_ms=HOUR_MS) as store:
        commit(store, 2)
        one = taken(home, tmp_path / "backups", capsys)
        commit(store, 3)
    assert call(["backup", "verify", str(one)]) == ExitCode.OK
    names = {path.relative_to(one).as_posix() for path in one.rglob("*") if path.is_file()}
    assert "config/risk.json" in names
    assert not any("secret" in name for name in names)


def test_what_was_changed_after_it_was_taken_is_told(
    home: UserDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = taken(home, tmp_path / "backups", capsys)
    (one / "config" / "risk.json").write_text("{}")
    assert call(["backup", "verify", str(one)]) == ExitCode.ERROR
    assert "must be as it was taken" in capsys.readouterr().err
    (one / "config" / "risk.json").unlink()
    assert call(["backup", "verify", str(one)]) == ExitCode.ERROR
    assert "config/risk.json" in capsys.readouterr().err


@pytest.mark.parametrize("place", [0.3, 0.6, 0.95])
def test_a_damaged_journal_is_told(
    home: UserDir, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: float
) -> None:
    one = taken(home, tmp_path / "backups", capsys)
    path = one / "sim.sqlite"
    data = bytearray(path.read_bytes())
    for offset in range(200):
        data[int(len(data) * place) + offset - 200] ^= 0x5A
    path.write_bytes(data)
    before = capsys.readouterr()
    code = call(["backup", "verify", str(one)])
    # Bytes in pages that hold nothing may be anything; everywhere else the chain or SQLite itself objects.
    if code == ExitCode.OK:
        with ReadOnlyStore.open(path) as store:
            store.verify()
    else:
        assert code == ExitCode.ERROR, before


def test_restoring_moves_aside_what_is_there(home: UserDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = taken(home, tmp_path / "backups", capsys)
    (home.config / "risk.json").write_text('{"max_daily_loss": 0.9}')
    assert call(["backup", "restore", str(one), "--data-dir", str(home.root)]) == ExitCode.OK
    assert json.loads((home.config / "risk.json").read_text()) == {"max_daily_loss": 0.03}
    kept = home.root / "archive" / "before-restore-1" / "config" / "risk.json"
    assert json.loads(kept.read_text()) == {"max_daily_loss": 0.9}
    with Store.open(home.database("sim"), at_ms=HOUR_MS) as store:
        commit(store, 9)


def test_a_backup_that_has_forgotten_orders_is_refused_unless_that_is_meant(
    home: UserDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = taken(home, tmp_path / "backups", capsys)
    with Store.open(home.database("sim"), at_ms=HOUR_MS) as store:
        commit(store, 2)
    restore = ["backup", "restore", str(one), "--data-dir", str(home.root)]
    assert call(restore) == ExitCode.ERROR
    assert "would be forgotten" in capsys.readouterr().err
    assert call([*restore, "--accept-loss"]) == ExitCode.OK
    with Store.open(home.database("sim"), at_ms=HOUR_MS) as store:
        assert store.head().seq < 5


def test_trades_that_are_forgotten_are_told(home: UserDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The coins are still there, and nobody will sell them: whoever restores must hear what to look for."""
    one = taken(home, tmp_path / "backups", capsys)
    with Store.open(home.database("sim"), at_ms=HOUR_MS) as store:
        for trade_id, side, amount in ((1, Side.BUY, "0.5"), (2, Side.SELL, "0.2")):
            payload = msgspec.json.encode(a_fill(trade_id, side, amount))
            record = Record(kind="Fill", key=str(trade_id), payload=payload, correlation_id="", at_ms=HOUR_MS)
            store.commit((Commit(writer="test", records=(record,)),), at_ms=HOUR_MS)
    restore = ["backup", "restore", str(one), "--data-dir", str(home.root), "--accept-loss"]
    assert call(restore) == ExitCode.OK
    out = capsys.readouterr().out
    assert "forgotten of mode sim: 0.3 tBTCUSD" in out
    assert "no strategy sells what was bought" in out
    assert call([*restore, "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["forgotten"] == {"sim": {}}


def a_fill(trade_id: int, side: Side, amount: str) -> Fill:
    return Fill(
        trade_id=trade_id,
        intent_id="x",
        cid=1,
        venue_order_id=1,
        strategy="x",
        symbol=Symbol("tBTCUSD"),
        side=side,
        quantity=Decimal(amount),
        price=Decimal(7000),
        fee=Decimal(0),
        fee_currency="USD",
        maker=False,
        purpose=Purpose.ENTRY,
        time_ms=HOUR_MS,
        correlation_id="",
        foreign=False,
    )


def test_a_running_engine_is_not_restored_under(
    home: UserDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = taken(home, tmp_path / "backups", capsys)
    lock = home.hold()
    try:
        assert call(["backup", "restore", str(one), "--data-dir", str(home.root)]) != ExitCode.OK
    finally:
        lock.release()
    assert not (home.root / "archive").exists()


def test_nothing_to_back_up_and_no_backup_are_not_found(tmp_path: Path) -> None:
    empty = str(tmp_path / "empty")
    assert call(["backup", "take", str(tmp_path / "b"), "--data-dir", empty]) == ExitCode.NOT_FOUND
    assert call(["backup", "verify", str(tmp_path)]) == ExitCode.NOT_FOUND
    (tmp_path / "backup.json").write_text('{"format": 99}')
    assert call(["backup", "verify", str(tmp_path)]) == ExitCode.ERROR


def test_only_so_many_are_kept(home: UserDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "backups"
    first = taken(home, folder, capsys)
    older = folder / "20200101T000000Z"
    first.rename(older)
    one = taken(home, folder, capsys, "--keep", "1")
    assert [path.name for path in folder.iterdir()] == [one.name]
