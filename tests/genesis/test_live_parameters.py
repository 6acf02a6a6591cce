"""Other parameters for a strategy while it runs: the next candle is judged by them, also after a kill -9."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import trio

from genesis.cli.main import call
from genesis.config_history import versions
from genesis.edge.store import ReadOnlyStore
from genesis.edge.user_dir import UserDir
from genesis.research.replay import REPLAYED_KINDS, replay
from genesis.run_options import ExitCode
from protocols.journal import ReadRecords
from protocols.signals import StrategyView
from tests.genesis.test_process import page_of, running
from tests.genesis.test_protection import check_stops, stops_of
from tests.house import House, house, lively_layer, piece_of
from tests.web.fakes import a_web

ONE = "/api/v2/strategies/btc-quick"
Capture = pytest.CaptureFixture[str]


def view_of(here: House) -> StrategyView:
    return next(view for view in here.engine.readers.strategies() if view.strategy == "btc-quick")


def resting(here: House) -> set[int]:
    return {order.venue_id for symbol in here.exchange.venue.specs for order in stops_of(here, symbol)}


async def change(here: House, **body: Any) -> dict[str, Any]:
    async with a_web(readers=here.engine.readers, controls=here.engine.controls).client() as http:
        answer = await http.patch(ONE, json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_the_next_candle_is_judged_by_it_and_what_is_held_keeps_its_stop(tmp_path: Path) -> None:
    layer = lively_layer()
    async with house(tmp_path, recording=piece_of(minutes=22, skip=600), layer=layer) as here:
        await here.replay()
        await here.all_orders_known()
        stops, before = resting(here), view_of(here)
        assert check_stops(here) > 0
        told = await change(here, parameters={"fast": 5, "slow": 9}, reason="calmer")
        assert [(each["path"], each["old"], each["new"]) for each in told["changes"]] == [
            ("fast", 3.0, 5.0),
            ("slow", 6.0, 9.0),
        ]
        assert [each["stop_price"] is not None for each in told["holds"]] == [True]
        with trio.fail_after(60):
            while view_of(here).parameters == before.parameters:  # noqa: ASYNC110 - taken up between two messages
                await trio.sleep(0.005)
        now = view_of(here)
        assert now.parameters == {**before.parameters, "fast": 5.0, "slow": 9.0}
        assert now.last_open_ms == before.last_open_ms, "warmed by the candles that are there"
        assert now.seen >= now.needs > 0
        assert now.scores == 0
        await here.all_orders_known()
        assert resting(here) == stops, "the very orders go on resting"
        newest = versions(here.store.path, 1)[0]
        assert (newest.author, newest.reason, newest.version) == ("tester", "calmer", told["version"])
    # A new process on the same journal, while the market goes on.
    async with house(tmp_path, recording=piece_of(minutes=20, skip=622), layer=layer) as here:
        await here.ready()
        assert view_of(here).parameters["slow"] == 9.0
        await here.exchange.replay(math.inf, here.pacer)
        await here.all_orders_known()
        assert view_of(here).scores > 0
        assert view_of(here).last_open_ms > now.last_open_ms
    with ReadOnlyStore.open(tmp_path / "sim.sqlite") as store:
        rows = store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=1_000_000)).records
    report = replay(rows)
    assert report.equal, report
    assert report.candles > 0


def test_what_was_answered_outlives_a_kill_9(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """The command has its answer, and in that moment the engine dies: the next life runs with the new numbers."""
    home = UserDir(tmp_path)
    monkeypatch.setenv("GENESIS_HOME", str(home.root))

    def said(*words: str, code: ExitCode = ExitCode.OK) -> Any:
        assert call(["strategies", *words]) == code
        return capsys.readouterr()

    with running(home, "--speed", "60") as process:
        page_of(process)
        told = json.loads(said("set", "btc-ema", "fast=7", "slow=30", "--reason", "quicker", "--json").out)
        process.kill()
        process.wait()
    assert [each["new"] for each in told["changes"]] == [7.0, 30.0]
    with running(home, "--speed", "60") as process:
        page_of(process)
        kept = json.loads(said("show", "btc-ema", "--json").out)
        assert {field["path"]: field["value"] for field in kept["fields"]}.items() >= {
            "fast": 7.0,
            "slow": 30.0,
        }.items()
        assert "fast" in said("show", "btc-ema").out
        assert "fast: 7 -> 12" in said("set", "btc-ema", "fast=12", "--preview").out
        assert "must be a whole number from" in said("set", "btc-ema", "fast=0", code=ExitCode.CONFIGURATION).err
        assert "PARAMETER=NUMBER" in said("set", "btc-ema", "fast", code=ExitCode.CONFIGURATION).err
        assert "at least one" in said("set", "btc-ema", code=ExitCode.CONFIGURATION).err
        late = said("set", "btc-ema", "fast=8", "--version", "1", code=ExitCode.CONFIGURATION)
        assert "another change came first" in late.err
        assert "did you mean btc-ema" in said("set", "btc-emma", "fast=8", code=ExitCode.NOT_FOUND).err
        assert "not enabled any more" in said("disable", "btc-ema", "--reason", "enough").out
        assert "not enabled" in said("show", "btc-ema").out
        assert json.loads(said("enable", "btc-ema", "--json").out)["enabled"] is True
        assert "fast: 7 -> " in said("set", "btc-ema", "fast=default", "slow=default").out
