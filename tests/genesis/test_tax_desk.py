"""A year for a tax return out of a run's own journal: by command, over the API, and the venue's ledger page by page."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

import genesis.desk
from genesis.cli.main import call
from genesis.desk import VenueReads
from genesis.domain.tax_report import CannotExport, Kind
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode
from genesis.tax_desk import main, tax_port
from tests.house import house, lively_layer, piece_of
from tests.web.fakes import a_web
from web.desk import Desk, VenueSilent

Capture = pytest.CaptureFixture[str]


async def test_a_year_is_told_by_the_api_and_by_the_command_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    async with house(tmp_path, recording=piece_of(minutes=30, skip=600), layer=lively_layer()) as here:
        await here.replay()
        await here.all_orders_known()
        account = here.engine.cells.account.value
        assert account is not None
        reads = VenueReads(door=here.engine.venue.door, clock=here.engine.clock)
        web = a_web(readers=here.engine.readers, controls=here.engine.controls)
        web.app.config["API"].desk = Desk(ledger_span=reads.ledger_span)
        async with web.client() as http:
            told = (await http.get("/api/v2/tax?year=2018")).json()
            trades = (await http.get("/api/v2/tax?year=2018&kind=trades")).json()
            before = (await http.get("/api/v2/tax?year=2017")).json()
            ledger = (await http.get("/api/v2/tax?year=2018&kind=ledger&timezone=Europe/Stockholm")).json()
            wrong = await http.get("/api/v2/tax?year=2018&timezone=Mars")
        assert wrong.status_code == 422
        assert "timezone must be a name such as" in wrong.json()["error"]["message"]
        assert trades["rows"] == len(here.exchange.snapshot().trades) > 5
        assert (before["rows"], before["totals"]) == (0, [])
        assert ledger["name"] == "genesis-sim-2018-ledger.csv"
        rows = list(csv.DictReader(io.StringIO(told["csv"])))
        assert (told["rows"], told["name"]) == (len(rows), "genesis-sim-2018-disposals.csv")
        gains = {row["symbol"]: Decimal(row["gain"]) for row in told["totals"]}
        held = {row["symbol"]: row for row in told["held"]}
        for position in account.state.positions:
            # Average cost there, oldest first here: what was made, less the cost of what is left, is the same money.
            left = Decimal(held[position.symbol]["cost"])
            theirs = position.realized_pnl - position.average_price * position.quantity
            assert abs(gains[position.symbol] - left - theirs) < Decimal("0.01")
            assert abs(Decimal(held[position.symbol]["quantity"]) - position.quantity) < Decimal("0.0001")
        pages = await reads.ledger_span(0, 2 * here.exchange.venue_ms())
        monkeypatch.setattr(genesis.desk, "LEDGER_PAGE", 9)
        assert await reads.ledger_span(0, 2 * here.exchange.venue_ms()) == pages
        assert len(pages) > 18
        monkeypatch.setattr(genesis.desk, "LEDGER_PAGES", 2)
        with pytest.raises(VenueSilent, match="more than 18 changes"):
            await reads.ledger_span(0, 2 * here.exchange.venue_ms())
    # The engine has ended: the command reads what it left.
    monkeypatch.setenv("GENESIS_HOME", str(tmp_path))

    def said(*words: str, code: ExitCode = ExitCode.OK) -> str:
        assert call(["tax", *words]) == code
        return capsys.readouterr().out

    capsys.readouterr()
    assert said("2018", "--mode", "sim", "--csv") == told["csv"]
    file = tmp_path / "trades.csv"
    assert f"{trades['rows']} rows of trades in {file}" in said(
        "2018", "--mode", "sim", "--kind", "trades", "--out", str(file)
    )
    assert file.read_bytes().decode() == trades["csv"]
    short = json.loads(said("2018", "--mode", "sim", "--json"))
    assert short["totals"] == told["totals"]
    assert "csv" not in short
    in_short = said("2018", "--mode", "sim")
    assert "not in it: a conversion, money is in each pair's own currency (USD)" in in_short
    assert "not in it: what a fee in a third currency (LEO) gave up" in in_short
    assert "nothing was disposed of in 2017" in said("2017", "--mode", "sim")
    said("2018", code=ExitCode.NOT_FOUND)
    said("7", "--mode", "sim", code=ExitCode.CONFIGURATION)


def test_a_missing_journal_is_told_with_the_modes_that_have_one(tmp_path: Path, capsys: Capture) -> None:
    ask = ["tax", "2018", "--data-dir", str(tmp_path)]
    assert call(ask) == ExitCode.NOT_FOUND
    assert capsys.readouterr().err.strip().endswith("live.sqlite must be the journal of live, is not there")
    for mode in ("sim", "paper"):
        UserDir(tmp_path).database(mode).touch()
    assert call(ask) == ExitCode.NOT_FOUND
    assert capsys.readouterr().err.strip().endswith("is not there; there is one of --mode sim and one of --mode paper")


async def test_a_journal_that_cannot_be_read_is_told(tmp_path: Path, capsys: Capture) -> None:
    with pytest.raises(CannotExport, match=r"none\.sqlite"):
        await tax_port(tmp_path / "none.sqlite")(2018, "UTC", Kind.TRADES)
    assert main([str(tmp_path / "none.sqlite"), "2018", "UTC", "trades"]) == 1
    controls = attrs.evolve(a_web().app.config["API"].controls, tax=tax_port(tmp_path / "none.sqlite"))
    async with a_web(controls=controls).client() as http:
        answer = await http.get("/api/v2/tax?year=2018")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        missing = await http.get("/api/v2/tax?year=2018&kind=ledger")
        assert missing.status_code == 404
        assert (await http.get("/api/v2/tax?year=2018&kind=all")).status_code == 422
