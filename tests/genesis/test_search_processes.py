"""A search by several processes: the same report whatever their number, and nothing of it outlives the job."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from genesis.edge.jobs import NICENESS, JobDied, run_child
from genesis.job_desk import COMMAND
from genesis.research.runs import RunRequest
from genesis.searches import SearchRequest, optimize_job, walkforward_job
from genesis.trials import LocalExecutor, Workers
from protocols.settings import JobSettings, MarketSettings, Settings, StrategySettings
from protocols.units import Symbol

BTC = Symbol("tBTCUSD")
END_MS = 1517799600000 + 240 * 60_000


def asked(processes: int, **more: Any) -> dict[str, Any]:
    settings = Settings(
        strategies=(StrategySettings(name="s", symbol=BTC, timeframe="1m"),),
        market=MarketSettings(symbols=(BTC, Symbol("tETHUSD"))),
        jobs=JobSettings(processes=processes),
    )
    request = RunRequest(market="2018-02-crash", settings=settings, end_ms=END_MS)
    wish = SearchRequest(request=request, vary=("s.fast=3:9", "s.slow=10:30"), maximize=("total_return",), **more)
    found: dict[str, Any] = json.loads(msgspec.json.encode(wish))
    return found


def kept(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name).read_bytes())
    found.pop("request")
    return found


def test_a_search_says_the_same_by_any_number_of_processes(tmp_path: Path) -> None:
    reports = []
    for processes in (1, 2, 3):
        folder = tmp_path / str(processes)
        folder.mkdir()
        heard: list[float] = []
        request = asked(processes, trials=11, method="tpe")
        told = optimize_job(request, folder, tmp_path, tmp_path, lambda part, text, heard=heard: heard.append(part))  # type: ignore[misc]
        reports.append((told, kept(folder, "study.json"), (folder / "trials.jsonl").read_bytes()))
        assert heard == sorted(heard)
        assert len(heard) == 11
        assert "note" not in told
    # A trial's mark is of what is traded, not of who works it out.
    assert reports[0] == reports[1] == reports[2]


def test_a_walk_forward_says_the_same_by_two_processes(tmp_path: Path) -> None:
    reports = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        request = asked(processes, trials=3, train_days=0.06, test_days=0.05)
        told = walkforward_job(request, folder, tmp_path, tmp_path, lambda part, text: None)
        reports.append((told, kept(folder, "walkforward.json")))
    assert reports[0] == reports[1]
    assert reports[0][0]["tried"] >= 2


def test_a_process_that_dies_is_told_and_costs_no_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    run = LocalExecutor.run

    def murderous(self: LocalExecutor, batch: Any) -> Iterator[Any]:
        for number, answer in enumerate(run(self, batch)):
            if number == 2 and not killed:
                pool: Any = self._own.open()
                victim = next(iter(pool._processes.values()))
                killed.append(victim.pid)
                os.kill(victim.pid, signal.SIGKILL)
            yield answer

    alone = tmp_path / "alone"
    alone.mkdir()
    optimize_job(asked(1, trials=9), alone, tmp_path, tmp_path, lambda part, text: None)
    monkeypatch.setattr(LocalExecutor, "run", murderous)
    folder, heard = tmp_path / "two", []
    folder.mkdir()
    told = optimize_job(asked(2, trials=9), folder, tmp_path, tmp_path, lambda part, text: heard.append(text))
    assert "trials were worked out again: their process had died" in told["note"]
    assert told["note"] in heard
    assert kept(folder, "study.json") == kept(alone, "study.json")


def test_workers_let_trading_go_first(tmp_path: Path) -> None:
    with Workers(1) as workers:
        assert workers.open().submit(os.getpriority, os.PRIO_PROCESS, 0).result(30) >= NICENESS


def workers_of(job: int) -> list[int]:
    """The processes of a job's group but itself, by the kernel's word."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == job and int(path.parent.name) != job and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("how", ["cancelled", "killed"])
async def test_nothing_of_a_job_outlives_it(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a worker, and not the parent's waiting for a job whose workers held its pipes."""
    started: list[Any] = []
    open_process = trio.lowlevel.open_process

    async def noted(*words: Any, **terms: Any) -> Any:
        started.append(await open_process(*words, **terms))
        return started[-1]

    monkeypatch.setattr(trio.lowlevel, "open_process", noted)
    said = {
        "kind": "optimize",
        "folder": str(tmp_path),
        "request": asked(2, trials=100_000, method="random", exact=True),
        "data_folder": str(tmp_path),
        "strategies_folder": str(tmp_path),
    }
    going = trio.Event()
    ended: list[str] = []

    async def job(scope: trio.CancelScope) -> None:
        with scope:
            try:
                await run_child(COMMAND, said, lambda part, text: going.set())
            except JobDied as error:
                ended.append(str(error))

    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            nursery.start_soon(job, scope)
            await going.wait()
            pid = started[0].pid
            assert len(workers_of(pid)) >= 2
            if how == "cancelled":
                scope.cancel()
            else:
                os.kill(pid, signal.SIGKILL)
        while workers_of(pid):  # noqa: ASYNC110 - the kernel buries them
            await trio.sleep(0.01)
    assert ended == (
        [] if how == "cancelled" else ["the job's process was killed by SIGKILL (out of memory, or by hand)"]
    )
