"""The model in a running engine: judged in a process of its own, over HTTP and by the clock, by old names too."""

import random
from pathlib import Path

import attrs
import msgspec
import pytest
import trio

from genesis.domain.candles import series_key
from genesis.domain.market_book import EMPTY_MARKET
from genesis.domain.probability import Model, write_model
from genesis.domain.signal_machine import SignalMachine
from genesis.domain.strategies import STRATEGY_KINDS, StrategyShelf
from genesis.edge.jobs import run_child
from genesis.job_desk import COMMAND
from genesis.model_desk import ModelDesk
from genesis.plan import Plan
from genesis.research.model import train
from genesis.user_strategies import UserStrategies
from protocols.market import Candle, CandleSeries
from protocols.settings import ModelSettings, Settings, StrategySettings
from protocols.units import Symbol
from tests.genesis.research.test_model import MOMENTUM, TRAINING
from tests.recorded_candles import as_closed
from tests.web.fakes import HandClock, Told, a_score, a_web, some_readers
from web.controls import Controls
from web.model_ports import NotJudged
from web.tokens import Scope

BTC = Symbol("tBTCUSD")
USUAL = ModelSettings()
CANDLES = tuple(
    Candle(
        symbol=BTC,
        timeframe="1h",
        open_ms=int(row[0]),
        open=row[1],
        high=row[2],
        low=row[3],
        close=row[4],
        volume=row[5],
    )
    for row in MOMENTUM[-1000:].tolist()
)


@pytest.fixture(scope="module")
def model() -> Model:
    return train(MOMENTUM[:2600], TRAINING, created_ms=5)


def a_desk(folder: Path, *, settings: ModelSettings = USUAL) -> ModelDesk:
    plan = Plan(settings=Settings(model=settings), pairs={}, sockets=1, on_dead_letter=lambda letter: None)

    async def run(request, on_progress):  # type: ignore[no-untyped-def]
        return await run_child(COMMAND, {**request, "data_folder": str(folder)}, on_progress)

    series = CandleSeries(
        symbol=BTC,
        timeframe="1h",
        candles=CANDLES,
        pending=(),
        told_until_ms=CANDLES[-1].open_ms,
        venue_ms=0,
        received_ns=0,
        corrections=0,
        holes=0,
        synced=True,
    )
    plan.cells.market.set(msgspec.structs.replace(EMPTY_MARKET, series={series_key(BTC, "1h"): series}))
    return ModelDesk(
        path=folder / "probability.json", run_job=run, plan=plan, clock=HandClock(), chance=random.Random(1)
    )


async def test_a_validation_says_how_the_model_fared_in_a_process_of_its_own(tmp_path: Path, model: Model) -> None:
    desk = a_desk(tmp_path)
    assert await desk.model() is None
    assert await desk.scheduled() == "", "no model, no news"
    desk.path.write_bytes(write_model(model))
    with trio.fail_after(100):
        report = await desk.validate("tester", 900, 300)
    assert (report.by, report.symbol, report.candles) == ("tester", "tBTCUSD", 900)
    assert report.figures.rows == 300
    assert report.figures.brier > 0
    assert len(report.figures.reliability) == 10
    assert report.verdict[0].startswith("On 300 rows it had not seen it ")
    assert desk.last.value == report


@pytest.mark.parametrize(
    ("settings", "data", "told"),
    [
        (ModelSettings(), None, "must be there, is not: `genesis model train` makes it"),
        (ModelSettings(), b"{}", "probability.json: must be a model, was not"),
        (ModelSettings(validate_timeframe="5m"), b"", r"must be the model's \(1h\) or empty, was 5m"),
        (ModelSettings(validate_limit=50), b"", "candles to judge must reach at least"),
    ],
)
async def test_what_cannot_be_judged_is_told(
    tmp_path: Path, model: Model, settings: ModelSettings, data: bytes | None, told: str
) -> None:
    desk = a_desk(tmp_path, settings=settings)
    if data is not None:
        desk.path.write_bytes(data or write_model(model))
    with trio.fail_after(100), pytest.raises(NotJudged, match=told):
        await desk.validate("tester")


async def test_a_market_that_is_not_watched_is_told(tmp_path: Path, model: Model) -> None:
    desk = a_desk(tmp_path)
    desk.path.write_bytes(write_model(msgspec.structs.replace(model, symbol="tETHUSD")))
    with pytest.raises(NotJudged, match="candles of tETHUSD 1h must be watched"):
        await desk.validate("tester")


@attrs.define
class Desk(Told):
    desk: ModelDesk | None = None

    def controls(self) -> Controls:
        assert self.desk is not None
        return attrs.evolve(super().controls(), model=self.desk.ports())


async def test_the_routes_and_their_old_names(tmp_path: Path, model: Model) -> None:
    desk = a_desk(tmp_path)
    drifting = msgspec.structs.replace(
        a_score(3), features={"probability": 0.6, "trust": 0.5, "drift_gap": 0.2, "base_rate": 0.4}
    )
    web = a_web(readers=some_readers(signals=lambda: (drifting,)), told=Desk(desk=desk))
    async with web.client(Scope.TRADE) as client:
        with trio.fail_after(100):
            empty = (await client.get("/api/v2/model")).json()
            assert (empty["model"], empty["last"]) == (None, None)
            refused = await client.post("/api/v2/validation/probability")
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_judged")
            desk.path.write_bytes(write_model(model))
            answer = await client.post("/api/v2/prob/validate", json={"max_samples": 100})
            assert answer.status_code == 200
            assert "successor-version" in answer.headers["Link"]
            assert "Deprecation" in answer.headers
            report = answer.json()
            assert report["figures"]["rows"] == 100
            for name in ("brier", "log_loss", "calibration_error", "reliability", "base_rate", "brier_base"):
                assert name in report["figures"]
            shown = (await client.get("/api/v2/model")).json()
            assert shown["model"]["out_of_sample"]["rows"] == model.out_of_sample.rows
            assert set(shown["model"]["weights"]) == set(model.features)
            assert shown["last"]["figures"]["rows"] == 100
            assert (shown["drift"][0]["trust"], shown["drift"][0]["gap"]) == (0.5, 0.2)
            assert (await client.post("/api/v2/validation/probability", json={"limit": 3})).status_code == 422
            assert (await client.get("/api/v2/schedule")).json() == {"works": []}
    async with web.client(Scope.READ) as client:
        assert (await client.post("/api/v2/validation/probability")).status_code == 403


def test_the_models_strategy_follows_its_file_while_the_engine_runs(tmp_path: Path, model: Model) -> None:
    shelf = StrategyShelf(tuple(STRATEGY_KINDS.shipped.values()))
    path = tmp_path / "probability.json"
    own = UserStrategies(tmp_path / "strategies", shelf=shelf, model=path)
    assert own.refresh() == (), "an engine without a model has nothing to complain about"
    assert "`genesis model train` makes it" in shelf["probability_gated"].fault
    path.write_bytes(write_model(model))
    assert own.refresh() == (("info", "model test of tBTCUSD 1h was read"),)
    first = shelf["probability_gated"]
    assert first.fault == ""
    assert own.refresh() == ()
    assert shelf["probability_gated"] is first, "what did not change is not started anew"
    path.write_bytes(b'{"format": 1}')
    ((level, text),) = own.refresh()
    assert (level, "must be a model" in text) == ("alarm", True)
    settings = Settings(strategies=(StrategySettings(name="gated", kind="probability_gated", timeframe="1h"),))
    machine = SignalMachine(settings, shelf)
    assert "must be a model" in machine.new_faults()["gated"]
    path.write_bytes(write_model(msgspec.structs.replace(model, bias=0.5)))
    own.refresh()
    machine.on_settings(settings, lambda symbol, timeframe: CANDLES[:400])
    (score,) = machine.on_candle(as_closed(CANDLES[400]))
    assert 0 < score.probability < 1
    assert score.features["trust"] <= 1.0
    path.unlink()
    assert own.refresh()[0][0] == "warning"
    own.close()
