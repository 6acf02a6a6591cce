"""The search: it finds what there is to find, forgets nothing, and tells a plateau from a needle."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec
import numpy as np
import pytest

from genesis.domain.overfitting import block_sums, overfitting, returns_by_block
from genesis.job_desk import request_of
from genesis.research.fast_figures import FAST_FIGURES
from genesis.research.search import (
    BY_ARRAYS,
    Constraint,
    Dimension,
    Goal,
    Heatmap,
    Method,
    Proof,
    Study,
    Trial,
    overfitted,
    prove,
    read_constraint,
    read_dimension,
    report_of,
    with_values,
)
from genesis.trials import EXACT, ClusterExecutor, LocalExecutor, encode_task, judge_of, work_out
from protocols.settings import Settings

SHARPE = Goal(objectives=(("sharpe", "maximize"),))
SPACE = (
    Dimension(name="btc-ema.fast", low=2, high=40, step=None, whole=True),
    Dimension(name="risk.stop_fraction", low=0.01, high=0.2, step=None, whole=False),
)
REQUEST = request_of(
    {"market": "2018-02-crash", "end": "2018-02-05T07:00", "strategies": [{"name": "s", "timeframe": "1m"}]},
    Settings(),
    "2018-02-crash",
    lambda name: 0,
)


@attrs.define(eq=False)
class Hill:
    """A hill with its top at fast 12 and a stop of 0.05."""

    width: int = 4
    stop_after: int = 10**9
    asked: int = 0
    batches: list[list[dict[str, float]]] = attrs.field(factory=list)

    def run(self, batch: Sequence[Mapping[str, float]]) -> list[dict[str, float | None] | str]:
        if self.asked >= self.stop_after:
            raise KeyboardInterrupt
        self.asked += len(batch)
        self.batches.append([dict(values) for values in batch])
        return [self.height(values) for values in batch]

    def height(self, values: Mapping[str, float]) -> dict[str, float | None] | str:
        fast, stop = values["btc-ema.fast"], values["risk.stop_fraction"]
        if fast == 40:
            return "ema_cross.fast must be below ema_cross.slow"
        height = 3.0 - ((fast - 12) / 10) ** 2 - ((stop - 0.05) / 0.1) ** 2
        return {"sharpe": height, "max_drawdown": stop, "trades": fast, "sharpe_of_a_period": height / 20}


def a_study(method: Method = "tpe", trials: int = 40, **more: Any) -> Study:
    return Study(**{"space": SPACE, "goal": SHARPE, "method": method, "trials": trials, "seed": 7, **more})


def test_tpe_finds_the_hill_and_the_same_seed_finds_it_again() -> None:
    first, second = a_study().run(Hill()), a_study().run(Hill())
    assert first == second
    best = report_of(first, SHARPE, SPACE).best
    assert best is not None
    assert float(best.figures["sharpe"] or 0) > 2.7
    assert a_study(seed=8).run(Hill()) != first


@pytest.mark.parametrize("method", ["tpe", "random", "grid"])
def test_however_many_work_it_out_a_study_is_the_same(method: Method) -> None:
    space = (attrs.evolve(SPACE[0], low=5, high=30, step=5), attrs.evolve(SPACE[1], choices=(0.05, 0.1, 0.2)))
    alone = a_study(method, space=space).run(Hill(width=1))
    for width in (2, 3, 5, 8):
        assert a_study(method, space=space).run(Hill(width=width)) == alone


def test_a_grid_tries_every_point_once() -> None:
    space = (attrs.evolve(SPACE[0], low=10, high=14, step=2), attrs.evolve(SPACE[1], choices=(0.05, 0.1)))
    hill = Hill()
    trials = a_study("grid", trials=1000, space=space).run(hill)
    assert [tuple(trial.values.values()) for trial in trials] == [
        (fast, stop) for fast in (10.0, 12.0, 14.0) for stop in (0.05, 0.1)
    ]
    assert [len(batch) for batch in hill.batches] == [4, 2]
    with pytest.raises(ValueError, match="must have a step for a grid"):
        a_study("grid", space=SPACE).run(Hill())


def test_a_stopped_study_goes_on_where_it_was(tmp_path: Path) -> None:
    file = tmp_path / "study" / "trials.jsonl"
    stopped = a_study(file=file)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(Hill(stop_after=12))
    assert len(stopped.done) == 16
    # And killed in the middle of a line.
    with open(file, "ab") as opened:
        opened.write(b'{"number":12,"values":{"btc-')
    again = a_study(file=file)
    hill = Hill()
    trials = again.run(hill)
    assert len(trials) == 40
    assert trials[:16] == stopped.done
    assert hill.asked == 24
    # Nor is the first trial behind the torn line lost to whoever reads the file next: of a grid that point would never
    # be tried.
    idle = Hill()
    assert a_study(file=file).run(idle) == trials
    assert idle.asked == 0
    with pytest.raises(ValueError, match="another study has this name"):
        a_study(file=file, space=SPACE[:1]).run(Hill())


def test_constraints_failures_and_several_objectives_are_told() -> None:
    goal = Goal(
        objectives=(("sharpe", "maximize"), ("max_drawdown", "minimize")),
        constraints=(read_constraint("trades>=10"),),
    )
    trials = a_study("random", trials=80, goal=goal).run(Hill())
    report = report_of(trials, goal, SPACE)
    assert report.infeasible == sum(1 for one in trials if one.values["btc-ema.fast"] < 10)
    assert report.best is not None
    assert float(report.best.figures["trades"] or 0) >= 10
    assert len(report.front) > 1
    pairs = [(one.figures["sharpe"], one.figures["max_drawdown"]) for one in report.front]
    # The further up the hill, the larger the drawdown that is paid for it.
    assert sorted(pairs) == sorted(pairs, key=lambda pair: float(pair[1] or 0))
    failed = a_study("grid", space=(attrs.evolve(SPACE[0], low=40, high=40), attrs.evolve(SPACE[1], choices=(0.1,))))
    (trial,) = failed.run(Hill())
    assert trial.error == "ema_cross.fast must be below ema_cross.slow"
    assert report_of([trial], SHARPE, SPACE).failed == 1


def test_the_probability_of_overfitting_is_over_all_that_was_tried() -> None:
    chance = np.random.default_rng(4)
    returns = chance.normal(0.0, 0.01, (20, 90))

    def trial(number: int, figures: dict[str, float | None]) -> Trial:
        return Trial(number=number, values={"btc-ema.fast": 5.0 + number, "risk.stop_fraction": 0.1}, figures=figures)

    trials = [
        trial(n, {**returns_by_block(row), "sharpe": float(n), "periods": 90.0, "trades": float(n)})
        for n, row in enumerate(returns)
    ]
    # One that failed, one of too few returns to know, and one of another length.
    trials += [trial(20, {}), trial(21, {"sharpe": 1.0, "periods": 3.0})]
    trials.append(trial(22, {**returns_by_block(returns[0, :64]), "sharpe": 1.0, "periods": 64.0}))
    goal = attrs.evolve(SHARPE, constraints=(read_constraint("trades<=10"),))
    report = report_of(trials, goal, SPACE)
    sums, squares = (np.array(each) for each in zip(*(block_sums(row) for row in returns), strict=True))
    assert report.overfitting is not None
    assert report.overfitting == overfitting(sums, squares, 90)
    assert report.overfitting.trials == 20
    assert f"{report.overfitting.probability:.1%} (PBO by sharpe" in overfitted(report)
    by_growth = report_of(trials, attrs.evolve(goal, objectives=(("total_return", "maximize"),)), SPACE)
    assert by_growth.overfitting == overfitting(sums, squares, 90, "growth")
    for others in (("total_return", "minimize"), ("profit_factor", "maximize")):
        by_others = report_of(trials, attrs.evolve(goal, objectives=(others,)), SPACE)
        assert by_others.overfitting == report.overfitting
    # The numbers behind it are nobody's to read.
    assert report.best is not None
    for told in (report.best, *report.front):
        assert set(told.figures) == {"sharpe", "periods", "trades"}
    assert overfitted(report_of(trials[:7], goal, SPACE)).startswith("not known")


def test_a_plateau_is_told_from_a_needle() -> None:
    def report(height: float) -> float | None:
        trials = [
            Trial(number=n, values={"x": float(n)}, figures={"sharpe": 2.0 if n == 10 else height}) for n in range(21)
        ]
        space = (Dimension(name="x", low=0, high=20, step=1, whole=True),)
        return report_of(trials, SHARPE, space).plateau

    assert report(1.9) == pytest.approx(0.95)
    assert report(-1.0) == pytest.approx(-0.5)


def test_heatmaps_have_the_mean_of_each_cell() -> None:
    trials = [
        Trial(number=n, values={"x": float(n % 2), "y": float(n // 2 % 2)}, figures={"sharpe": float(n)})
        for n in range(8)
    ]
    space = tuple(Dimension(name=name, low=0, high=1, step=1, whole=True) for name in "xy")
    (found,) = report_of(trials, SHARPE, space).heatmaps
    assert found == Heatmap(
        x="x",
        y="y",
        x_values=(0.0, 1.0),
        y_values=(0.0, 1.0),
        means=((2.0, 3.0), (4.0, 5.0)),
        counts=((2, 2), (2, 2)),
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("btc-ema.fast", "must be as NAME=LOW:HIGH"),
        ("btc-ema.fast=a:b", "with numbers"),
        ("btc-ema.fast=5", "with numbers"),
        ("btc-ema.fast=30:5", "ascend"),
        ("btc-ema.fast=1:5000", "must lie from 2 to 500"),
        ("btc-ema.fast=5.5:6", "whole numbers"),
        ("btc-ema.fast=5:30:0", "step must be above zero"),
        ("btc-ema.nope=5:30", "must be one of fast, slow, atr"),
        ("nope.fast=5:30", "must be a parameter of a strategy"),
        ("risk.max_drawdown=0.1:7", "must lie from"),
    ],
)
def test_a_wrong_parameter_is_told(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        read_dimension(text, Settings())


def test_parameters_and_constraints_are_read() -> None:
    assert read_dimension("btc-ema.fast=5:30:5", Settings()).values() == (5, 10, 15, 20, 25, 30)
    assert read_dimension("btc-ema.fast=5,8,13", Settings()).values() == (5, 8, 13)
    assert read_dimension("risk.stop_fraction=0.01:0.03:0.01", Settings()).values() == (0.01, 0.02, 0.03)
    assert read_constraint("max_drawdown <= 0.2") == Constraint(metric="max_drawdown", sign="<=", bound=0.2)
    for text in ("sharp>=1", "sharpe=1", "sharpe>=x"):
        with pytest.raises(ValueError, match="must be"):
            read_constraint(text)
    changed = with_values(Settings(), {"btc-ema.fast": 9.0, "risk.stop_fraction": 0.07})
    assert changed.strategies[0].parameters["fast"] == 9.0
    assert str(changed.risk.stop_fraction) == "0.07"
    with pytest.raises(ValueError, match="below ema_cross"):
        with_values(Settings(), {"btc-ema.fast": 40.0})


BATCH = [{"s.fast": float(fast), "s.slow": 30.0} for fast in (3, 5, 8, 13)] + [{"s.fast": 40.0, "s.slow": 30.0}]


@pytest.fixture(scope="module")
def here() -> list[Any]:
    """The answers of this process: what everybody else's must equal."""
    return [
        msgspec.json.decode(work_out(encode_task(REQUEST, Path("/none"), Path("/none"), values))) for values in BATCH
    ]


def test_processes_give_the_same_answers_and_a_killed_one_costs_nothing(here: list[Any], tmp_path: Path) -> None:
    assert here[-1] == "ema_cross.fast must be below ema_cross.slow (30), was 40"
    assert here[0]["trades"] > here[3]["trades"] > 0
    with LocalExecutor(request=REQUEST, data_folder=tmp_path, strategies_folder=tmp_path, workers=2) as executor:
        assert list(executor.run(BATCH[:1])) == here[:1]
        for process in list(executor._own.open()._processes.values()):
            process.kill()
        assert list(executor.run(BATCH)) == here
        assert executor.lost > 0


@pytest.mark.parametrize("risk", [{}, {"risk.stop_fraction": "0.004", "risk.target_fraction": "0.006"}])
def test_the_array_runner_judges_trials_as_the_exact_one_does(risk: dict[str, str]) -> None:
    body: dict[str, Any] = {"market": "2018-02-crash", "end": "2018-02-06T09:00", "settings": risk}
    body["strategies"] = [{"name": "s", "timeframe": "1m"}]
    request = request_of(body, Settings(), "2018-02-crash", lambda name: 0)
    for values in BATCH:
        answers = []
        for judge in (judge_of(["sharpe"], 0), EXACT):
            answers.append(msgspec.json.decode(work_out(encode_task(request, Path("/x"), Path("/x"), values, judge))))
        quick, exact = answers
        if isinstance(exact, str):
            assert quick == exact
            continue
        assert quick.pop(BY_ARRAYS) == 1.0
        assert BY_ARRAYS not in exact
        assert quick["trades"] > 3
        assert set(quick) >= FAST_FIGURES
        for name, value in quick.items():
            # Sums of squares of returns lose some digits to the rounding of the equities they are made of.
            assert value == (None if exact[name] is None else pytest.approx(exact[name], rel=1e-6, abs=1e-9)), name


def test_what_arrays_cannot_judge_is_judged_by_the_exact_runner() -> None:
    assert judge_of(["sharpe", "exposure"], 0) == EXACT
    assert judge_of(["sharpe"], 0, exact=True) == EXACT
    assert judge_of(["sharpe"], 10**9).is_compiled
    both = msgspec.structs.replace(REQUEST, settings=Settings())
    values = {"btc-ema.fast": 5.0}
    task = encode_task(both, Path("/x"), Path("/x"), values, judge_of(["sharpe"], 0))
    assert BY_ARRAYS not in msgspec.json.decode(work_out(task))


def test_winners_of_the_array_runner_are_traded_again_and_their_difference_is_told() -> None:
    def trial(number: int, sharpe: float | None, *, quick: bool = True) -> Trial:
        figures = {"sharpe": sharpe} | ({BY_ARRAYS: 1.0} if quick else {})
        return Trial(number=number, values={"btc-ema.fast": 5.0 + number, "risk.stop_fraction": 0.1}, figures=figures)

    class Exact:
        width = 1

        def run(self, batch: Sequence[Mapping[str, float]]) -> list[dict[str, float | None] | str]:
            return [{"sharpe": 2.0, "trades": 7.0} for _ in batch]

    trials = [trial(0, 1.0), trial(1, 2.5), trial(2, None), trial(3, 0.5, quick=False)]
    proven, proof = prove(trials, SHARPE, SPACE, Exact())
    assert proof == Proof(checked=2, largest_difference=0.5, figure="sharpe")
    assert [one.figures.get("sharpe") for one in proven] == [2.0, 2.0, None, 0.5]
    report = report_of(proven, SHARPE, SPACE, proof)
    assert (report.by_arrays, report.best and report.best.figures["trades"]) == (3, 7.0)
    assert prove(trials[3:], SHARPE, SPACE, Exact()) == (trials[3:], None)


def test_the_best_that_is_told_was_traded_by_the_exact_runner() -> None:
    """Ten that looked better by arrays and were not must not lead to an eleventh that nobody traded."""

    class Worse:
        width = 1

        def run(self, batch: Sequence[Mapping[str, float]]) -> list[dict[str, float | None] | str]:
            return [{"sharpe": 0.5 - values["btc-ema.fast"] / 100} for values in batch]

    trials = [
        Trial(number=n, values={"btc-ema.fast": float(n)}, figures={"sharpe": 1.0 + n / 100, BY_ARRAYS: 1.0})
        for n in range(25)
    ]
    proven, proof = prove(trials, SHARPE, SPACE[:1], Worse())
    best = report_of(proven, SHARPE, SPACE[:1], proof).best
    assert best is not None
    assert BY_ARRAYS not in best.figures
    assert proof is not None
    assert proof.checked == 25


@pytest.fixture
def cluster() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers in processes of their own, on loopback."""
    code = (
        "import sys\nfrom distributed import LocalCluster\n"
        "cluster = LocalCluster(n_workers=0, host='127.0.0.1', scheduler_port=0, dashboard_address=None)\n"
        "print(cluster.scheduler_address, flush=True)\nsys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([sys.executable, "-c", code], **pipes)]  # type: ignore[call-overload]
    try:
        assert processes[0].stdout is not None
        address = processes[0].stdout.readline().decode().strip()
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
        worker += ["--no-dashboard", "--host", "127.0.0.1"]
        processes += [subprocess.Popen(worker, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
        yield address, processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.mark.timeout(900)
def test_a_cluster_of_two_workers_loses_nothing_when_one_is_killed(
    here: list[Any], cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    address, processes = cluster
    with ClusterExecutor(
        address=address, request=REQUEST, data_folder=tmp_path, strategies_folder=tmp_path
    ) as executor:
        executor._client.wait_for_workers(2, timeout=120)
        assert executor.width == 2
        assert executor.run(BATCH) == here
        worked = executor._client.has_what()
        assert len(worked) == 2

        futures = [
            executor._client.submit(work_out, encode_task(REQUEST, tmp_path, tmp_path, values), pure=False, retries=3)
            for values in BATCH * 4
        ]
        # In mid-run: one is done, most are not.
        futures[0].result(timeout=120)
        assert sum(future.done() for future in futures) < len(futures)
        processes[1].kill()
        answers = [msgspec.json.decode(future.result(timeout=120)) for future in futures]
        assert answers == here * 4
        # The scheduler hears of a death by its broken connection.
        end = time.monotonic() + 60
        while executor.width != 1 and time.monotonic() < end:
            time.sleep(0.05)
        assert executor.width == 1


def test_no_cluster_is_told(tmp_path: Path) -> None:
    executor = ClusterExecutor(
        address="tcp://nowhere", request=REQUEST, data_folder=tmp_path, strategies_folder=tmp_path
    )
    with pytest.raises(ValueError, match="--cluster must be the address"):
        executor.__enter__()
