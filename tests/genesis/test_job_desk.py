"""A backtest over the API: checked before work, run in its own process, kept, and the same bytes when run again."""

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio

from actors.jobs import JobsActor
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from genesis.edge.jobs import JobFolders
from genesis.job_desk import COMMAND, JobHouse, job_ports, moment, request_of
from genesis.markets import load_market, market_span
from genesis.research.runs import RunRequest, encode_result, read_result, run
from protocols.jobs import ENDED_STATES, JobRequest, JobView
from protocols.settings import Settings
from tests.actors.deciding_stage import Listener, journal_channel, on_stage
from tests.web.fakes import Web, a_web
from web.controls import Controls
from web.tokens import Scope

PATH = "/api/v2/strategy/backtest"
MARKET = "2018-02-crash"
A1 = (
    "final_equity",
    "winrate",
    "max_drawdown",
    "sharpe",
    "distribution",
    "equity_curve",
    "heatmap_return",
    "heatmap",
    "heatmap_winrate",
    "heatmap_counts",
)


@attrs.define(eq=False)
class Desk:
    web: Web
    view: Latest[tuple[JobView, ...]]
    root: Path

    async def ended(self, job_id: str) -> JobView:
        with trio.fail_after(300):
            while True:
                for job in self.view.value:
                    if job.job_id == job_id and job.state in ENDED_STATES:
                        return job
                await self.view.changed(self.view.version)

    async def post(self, scope: Scope = Scope.TRADE, **body: Any) -> Any:
        async with self.web.client(scope) as client:
            return await client.post(PATH, json=body)


@contextlib.asynccontextmanager
async def a_desk(root: Path, command: tuple[str, ...] = COMMAND) -> AsyncIterator[Desk]:
    view: Latest[tuple[JobView, ...]] = Latest(())
    requests: Channel[JobRequest] = Channel("job_requests", Overflow.FAIL, capacity=16)
    ui: Channel[Any] = Channel("ui", Overflow.DROP_OLDEST, capacity=1000)
    house = JobHouse(
        folders=JobFolders(root / "reports"),
        data_folder=root / "data",
        market=MARKET,
        wall_ms=lambda: 1_700_000_000_000,
        command=command,
    )
    ports = job_ports(house, requests=requests, views=view, settings=Latest(Settings()))

    def start() -> JobsActor:
        return JobsActor(run_job=house.run, folders=house.folders, view=view, wall_ms=house.wall_ms, ui=ui)

    listeners = {"ui": (Listener(), ui)}
    async with on_stage(start, hears=(requests,), journal=journal_channel(), listeners=listeners):
        web = a_web()
        web.app.config["API"].controls = Controls(jobs=ports)
        yield Desk(web, view, root)


async def test_a_backtest_from_start_to_result(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        answer = await desk.post(
            symbol="tBTCUSD", timeframe="1m", limit=600, job_id="mine", costs={"slippage": "0.001"}, title="a test"
        )
        assert answer.status_code == 202, answer.text
        assert answer.json()["job"]["state"] == "queued"
        job = await desk.ended("mine")
        assert (job.state.value, job.error, job.progress) == ("done", None, 1.0)
        async with desk.web.client(Scope.READ) as client:
            listed = (await client.get(PATH)).json()["jobs"]
            told = (await client.get(f"{PATH}/mine")).json()["result"]
        assert [(one["job_id"], one["title"]) for one in listed] == [("mine", "a test")]
        assert set(A1) <= set(told["measures"])
        assert told["measures"]["trades"] == len(told["trades"]) > 0
        assert told["data"]["candles"] == 1200
        assert told["request"]["costs"]["slippage"] == "0.001"
        assert listed[0]["summary"]["final_equity"] == told["measures"]["final_equity"]
        # Run again, here and now, from what the result says of itself: the same bytes.
        kept = (tmp_path / "reports" / "mine" / "result.json").read_bytes()
        again = run(read_result(kept).request, lambda name, *cut: load_market(name, tmp_path, *cut))
        assert encode_result(again) == kept
        async with desk.web.client(Scope.TRADE) as client:
            assert (await client.delete(f"{PATH}/mine")).status_code == 200
            assert (await client.get(f"{PATH}/mine")).status_code == 404
        assert not (tmp_path / "reports" / "mine").exists()


async def test_a_running_backtest_is_cancelled(tmp_path: Path) -> None:
    # A job that ends only when it is killed.
    endless = (
        sys.executable,
        "-c",
        "from genesis.edge.jobs import begin_child; begin_child(); import signal; signal.pause()",
    )
    async with a_desk(tmp_path, endless) as desk:
        assert (await desk.post(job_id="long")).status_code == 202
        async with desk.web.client(Scope.TRADE) as client:
            answer = await client.post(f"{PATH}/long/cancel")
            assert answer.status_code == 200, answer.text
            assert answer.json()["job"]["state"] == "cancelled"
            assert (await client.post(f"{PATH}/long/cancel")).status_code == 409
            assert (await client.get(f"{PATH}/long")).json()["result"] is None


async def test_a_search_and_a_walk_forward_are_jobs_with_their_reports(tmp_path: Path) -> None:
    body = {"strategies": [{"name": "s", "timeframe": "1m"}], "vary": ["s.fast=4:9"], "maximize": ["total_return"]}
    async with a_desk(tmp_path) as desk, desk.web.client(Scope.TRADE) as client:
        answer = await client.post("/api/v2/research/optimize", json={**body, "trials": 3, "job_id": "look"})
        assert answer.status_code == 202, answer.text
        job = await desk.ended("look")
        assert (job.state.value, job.error, job.summary["tried"]) == ("done", None, 3)
        report = (await client.get("/api/v2/research/searches/look")).json()["result"]["report"]
        assert (report["trials"], report["by_arrays"], report["proof"]["checked"]) == (3, 3, 3)
        assert report["proof"]["largest_difference"] < 1e-6
        assert 4 <= report["best"]["values"]["s.fast"] <= 9
        days = {"train_days": 0.8, "test_days": 0.4, "trials": 2}
        answer = await client.post("/api/v2/research/walkforward", json={**body, **days, "job_id": "walk"})
        assert answer.status_code == 202, answer.text
        job = await desk.ended("walk")
        assert (job.state.value, job.error) == ("done", None)
        walked = (await client.get("/api/v2/research/searches/walk")).json()["result"]
        assert walked["summary"]["windows"] == len(walked["steps"]) == 3
        listed = (await client.get("/api/v2/research/searches")).json()["jobs"]
        assert [one["job_id"] for one in listed] == ["walk", "look"]
        assert (await client.delete("/api/v2/jobs/look")).status_code == 200
        assert (await client.get("/api/v2/research/searches/look")).status_code == 404
        for wrong, text in (
            ({"vary": ["s.fsat=4:9"]}, "must be one of"),
            ({"vary": ["s.fast=9:4"]}, "must lie from"),
            ({"maximize": ["luck"]}, "a figure must be one of"),
            ({"require": ["trades"]}, "a constraint must be"),
            ({"vary": ["s.fast=4:9", "s.fast=5:6"]}, "each parameter once"),
            ({"vary": ["risk.stop_fraction=0.01:0.1"], "method": "grid"}, "must have a step for a grid"),
        ):
            answer = await client.post("/api/v2/research/optimize", json={**body, **wrong})
            assert answer.status_code == 422, answer.text
            assert text in answer.json()["error"]["message"]
        answer = await client.post("/api/v2/research/walkforward", json={**body, "train_days": 90.0})
        assert "range must hold at least" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"timeframe": "7m"}, "timeframe must be one of"),
        ({"strategies": [{"kind": "nope"}, {"parameters": {"fasst": 1}}]}, "must be a parameter of ema_cross"),
        ({"strategies": [{"parameters": {"fast": 30, "slow": 20}}]}, "ema_cross.fast must be below"),
        ({"market": "../../etc"}, "was a path"),
        ({"market": "no-such"}, "must be a recording"),
        ({"start": "2018-02-06", "end": "2018-02-05"}, "end must be after start"),
        ({"start": "yesterday"}, "a date must be as 2018-02-05"),
        ({"start": "2018-02-06", "limit": 5}, "limit and start"),
        ({"settings": {"risk.max_drawdown": "2"}}, "risk.max_drawdown"),
        ({"settings": {"risk.max_dradown": "0.1"}}, "max_drawdown"),
        ({"costs": {"slippage": "-1"}}, "costs.slippage must be from 0 to 0.1"),
        ({"costs": {"participation": "NaN"}}, "participation must be above 0"),
        ({"balance": "-5"}, "balance must be above 0"),
        ({"balance": "much"}, "balance must be a number"),
        ({"limit": 0}, "limit"),
        ({"job_id": "a/b"}, "without slashes"),
        ({"unknown": 1}, "unknown"),
    ],
)
async def test_what_cannot_be_tested_is_refused_before_any_work(
    tmp_path: Path, body: dict[str, Any], text: str
) -> None:
    async with a_desk(tmp_path) as desk:
        answer = await desk.post(**body)
        assert answer.status_code == 422, answer.text
        assert text in answer.json()["error"]["message"]
        assert desk.view.value == ()


async def test_a_reader_may_look_and_not_start(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        assert (await desk.post(Scope.READ)).status_code == 403
        async with desk.web.client(Scope.READ) as client:
            assert (await client.get("/api/v2/jobs")).json() == {"jobs": []}
            assert (await client.get(f"{PATH}/none")).status_code == 404


async def test_an_empty_range_fails_with_a_sentence(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        assert (await desk.post(start="2020-01-01", job_id="late")).status_code == 202
        job = await desk.ended("late")
        assert job.state.value == "failed"
        assert "range must hold candles of tBTCUSD (2018-02-05 03:00 to 2018-02-06 23:59), held none" in str(job.error)


def test_a_request_says_the_same_after_a_journey(tmp_path: Path) -> None:
    body = {"strategies": [{"symbol": "tETHUSD", "parameters": {"fast": 5.0}}], "end": "2018-02-06T12:00", "limit": 60}
    request = request_of(body, Settings(), MARKET, lambda name: 0)
    assert request.end_ms == moment("20180206") + 12 * 3_600_000
    assert request.start_ms == request.end_ms - 3_600_000
    (strategy,) = request.settings.strategies
    assert (strategy.name, strategy.symbol, strategy.parameters) == ("s1", "tETHUSD", {"fast": 5.0})
    assert msgspec.json.decode(msgspec.json.encode(request), type=RunRequest) == request
    first, end = market_span(MARKET, tmp_path)
    assert (end - first) // 60_000 == 2700
