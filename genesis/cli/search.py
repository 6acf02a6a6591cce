"""`genesis optimize` and `genesis walkforward`: searching for parameters, and finding out whether they were luck."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from genesis.cli import printing
from genesis.cli.failures import CommandFailed
from genesis.cli.options import Where
from genesis.cli.progress import Bar
from genesis.cli.terms import Terms
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode

if TYPE_CHECKING:
    from genesis.research.runs import RunRequest
    from genesis.research.search import Dimension, Executor, Goal, StudyReport, Trial

STUDY: Final = "study.json"
WALKFORWARD: Final = "walkforward.json"
DAY_MS: Final = 86_400_000

Vary = Annotated[
    tuple[str, ...],
    Parameter(name="--vary", help="What may vary: btc-ema.fast=5:30, =5:30:5, =5,8,13, risk.stop_fraction=0.01:0.1."),
]
Wanted = Annotated[tuple[str, ...], Parameter(help="A figure to make as large as can be, as sharpe.")]
Unwanted = Annotated[tuple[str, ...], Parameter(help="A figure to make as small as can be, as max_drawdown.")]
Require = Annotated[tuple[str, ...], Parameter(help="What must hold, as trades>=30 or max_drawdown<=0.2.")]
Cluster = Annotated[str | None, Parameter(help="The address of a Dask scheduler, as tcp://127.0.0.1:8786.")]
HalfSpread = Annotated[str | None, Parameter(help="Half the spread, as a fraction of the price.")]
Slippage = Annotated[str | None, Parameter(help="Slippage of takers, as a fraction of the price.")]
Workers = Annotated[int | None, Parameter(help="Processes; as many as there are processors when not given.")]


def optimize(
    *,
    vary: Vary = (),
    maximize: Wanted = (),
    minimize: Unwanted = (),
    require: Require = (),
    method: Annotated[str, Parameter(help="tpe, random or grid.")] = "tpe",
    trials: Annotated[int, Parameter(help="How many trials; a grid has as many as it has points.")] = 50,
    seed: Annotated[int, Parameter(help="The same seed and number of workers are the same search.")] = 1,
    name: Annotated[str, Parameter(help="The study's name in reports/; one that exists is gone on with.")] = "study",
    recording: Annotated[str | None, Parameter(help="A recording's name or folder.")] = None,
    data: Annotated[str | None, Parameter(help="Pairs of the data store, as tBTCUSD:1m.")] = None,
    start: Annotated[str | None, Parameter(name="--from", help="The first day.")] = None,
    end: Annotated[str | None, Parameter(name="--to", help="The day it ends before.")] = None,
    workers: Workers = None,
    cluster: Cluster = None,
    half_spread: HalfSpread = None,
    slippage: Slippage = None,
    terms: Terms | None = None,
    json: Annotated[bool, Parameter(negative="", help="Print JSON for programs instead of tables.")] = False,
    where: Where | None = None,
) -> int:
    """Search for parameters. Every trial is kept at once: Ctrl-C loses nothing, the same command goes on."""
    from genesis.cli.research import a_request
    from genesis.research.search import TRIALS, Study, report_of

    user_dir = (where or Where()).user_dir
    request = a_request(
        user_dir,
        recording=recording,
        data=data,
        start=start,
        end=end,
        half_spread=half_spread,
        slippage=slippage,
        terms=terms,
    )
    space, goal = _asked(request, vary, maximize, minimize, require)
    if method not in ("tpe", "random", "grid"):
        raise CommandFailed(f"--method must be tpe, random or grid, was {method}", ExitCode.CONFIGURATION)
    if not 1 <= trials <= 100_000:
        raise CommandFailed(f"--trials must be from 1 to 100000, was {trials}", ExitCode.CONFIGURATION)
    folder = _folder(user_dir, name)
    stopped = False
    with Bar("optimize", hidden=json) as bar:

        def on_trial(trial: "Trial") -> None:
            bar.update(len(study.done) / trials, _one_line(trial, goal))

        study = Study(
            space=space,
            goal=goal,
            method=method,  # type: ignore[arg-type]
            trials=trials,
            seed=seed,
            file=folder / TRIALS,
            on_trial=on_trial,
        )
        try:
            with _executor(user_dir, request, workers, cluster) as executor:
                study.run(executor)
        except KeyboardInterrupt:
            stopped = True
        except ValueError as error:
            raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    report = report_of(study.done, goal, space)
    _keep(
        folder, "optimize", name, STUDY, {"request": request, "report": report, "method": method, "seed": seed}, report
    )
    if json:
        printing.print_json({"stopped": stopped, **msgspec.to_builtins(report), "study": str(folder)})
    else:
        _show(report, stopped, folder)
    return 130 if stopped else ExitCode.OK


def walkforward(
    *,
    vary: Vary = (),
    maximize: Wanted = (),
    minimize: Unwanted = (),
    require: Require = (),
    train: Annotated[float, Parameter(help="Days to learn from.")] = 60.0,
    test: Annotated[float, Parameter(help="Days to test on, after them.")] = 20.0,
    purge: Annotated[float, Parameter(help="Days left out between the two.")] = 0.0,
    anchored: Annotated[bool, Parameter(negative="", help="Learn from the beginning on.")] = False,
    method: Annotated[str, Parameter(help="tpe, random or grid.")] = "tpe",
    trials: Annotated[int, Parameter(help="Trials in each window.")] = 30,
    seed: int = 1,
    name: Annotated[str, Parameter(help="The name in reports/.")] = "walkforward",
    recording: Annotated[str | None, Parameter(help="A recording's name or folder.")] = None,
    data: Annotated[str | None, Parameter(help="Pairs of the data store, as tBTCUSD:1m.")] = None,
    start: Annotated[str | None, Parameter(name="--from", help="The first day.")] = None,
    end: Annotated[str | None, Parameter(name="--to", help="The day it ends before.")] = None,
    workers: Workers = None,
    cluster: Cluster = None,
    half_spread: HalfSpread = None,
    slippage: Slippage = None,
    terms: Terms | None = None,
    json: Annotated[bool, Parameter(negative="", help="Print JSON for programs instead of tables.")] = False,
    where: Where | None = None,
) -> int:
    """Search in one window, trade the next one with what was found, and so on: what the search is worth afterwards."""
    from genesis.cli.research import a_request
    from genesis.domain.overfitting import windows
    from genesis.markets import market_span
    from genesis.research.search import TRIALS, Study, report_of

    user_dir = (where or Where()).user_dir
    request = a_request(
        user_dir,
        recording=recording,
        data=data,
        start=start,
        end=end,
        half_spread=half_spread,
        slippage=slippage,
        terms=terms,
    )
    space, goal = _asked(request, vary, maximize, minimize, require)
    if method not in ("tpe", "random", "grid"):
        raise CommandFailed(f"--method must be tpe, random or grid, was {method}", ExitCode.CONFIGURATION)
    first_ms, end_ms = market_span(request.market, user_dir.data)
    try:
        parts = windows(
            max(first_ms, request.start_ms or first_ms),
            min(end_ms, request.end_ms or end_ms),
            train_ms=round(train * DAY_MS),
            test_ms=round(test * DAY_MS),
            purge_ms=round(purge * DAY_MS),
            anchored=anchored,
        )
    except ValueError as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    folder = _folder(user_dir, name)
    steps: list[dict[str, Any]] = []
    stopped = False
    with Bar("walkforward", hidden=json) as bar:
        try:
            for place, window in enumerate(parts):
                learn = msgspec.structs.replace(request, start_ms=window.train_from, end_ms=window.train_to)
                study = Study(
                    space=space,
                    goal=goal,
                    method=method,  # type: ignore[arg-type]
                    trials=trials,
                    seed=seed,
                    file=folder / f"window-{place + 1}-{TRIALS}",
                )
                with _executor(user_dir, learn, workers, cluster) as executor:
                    study.run(executor)
                report = report_of(study.done, goal, space)
                step: dict[str, Any] = {"window": window, "trials": report.trials, "values": None, "learned": None}
                if report.best is not None:
                    later = msgspec.structs.replace(request, start_ms=window.test_from, end_ms=window.test_to)
                    with _executor(user_dir, later, 1, cluster) as executor:
                        (answer,) = executor.run([report.best.values])
                    step |= {"values": report.best.values, "learned": report.best.figures, "tested": answer}
                steps.append(step)
                bar.update((place + 1) / len(parts), f"window {place + 1} of {len(parts)}")
        except KeyboardInterrupt:
            stopped = True
        except ValueError as error:
            raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    summary = _stitched(steps, goal)
    _keep(folder, "walkforward", name, WALKFORWARD, {"request": request, "steps": steps, "summary": summary}, summary)
    if json:
        printing.print_json({"stopped": stopped, **summary, "steps": msgspec.to_builtins(steps), "folder": str(folder)})
    else:
        _show_steps(steps, summary, goal, stopped)
    return 130 if stopped else ExitCode.OK


# --- inside -------------------------------------------------------------------------------------------------------


def _asked(
    request: "RunRequest",
    vary: tuple[str, ...],
    maximize: tuple[str, ...],
    minimize: tuple[str, ...],
    require: tuple[str, ...],
) -> "tuple[list[Dimension], Goal]":
    from genesis.research.search import Goal, known_metric, read_constraint, read_dimension

    if not vary:
        names = ", ".join(strategy.name for strategy in request.settings.strategies)
        text = f"--vary must be given, as {names.split(', ')[0]}.fast=5:30 (strategies: {names})"
        raise CommandFailed(text, ExitCode.CONFIGURATION)
    try:
        space = [read_dimension(text, request.settings) for text in vary]
        if len({dimension.name for dimension in space}) != len(space):
            raise ValueError("--vary must name each parameter once")
        wanted = [(known_metric(each), "maximize") for each in maximize]
        wanted += [(known_metric(each), "minimize") for each in minimize]
        goal = Goal(
            objectives=tuple(wanted or [("sharpe", "maximize")]),
            constraints=tuple(read_constraint(text) for text in require),
        )
    except ValueError as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    return space, goal


@contextmanager
def _executor(
    user_dir: UserDir, request: "RunRequest", workers: int | None, cluster: str | None
) -> "Iterator[Executor]":
    from genesis.trials import ClusterExecutor, LocalExecutor

    if cluster is not None:
        with ClusterExecutor(
            address=cluster, request=request, data_folder=user_dir.data, strategies_folder=user_dir.strategies
        ) as executor:
            yield executor
        return
    count = workers if workers is not None else max(1, os.cpu_count() or 1)
    if not 1 <= count <= 256:
        raise ValueError(f"--workers must be from 1 to 256, was {count}")
    with LocalExecutor(
        request=request, data_folder=user_dir.data, strategies_folder=user_dir.strategies, workers=count
    ) as local:
        yield local
        if local.lost:
            print(f"genesis: {local.lost} trials were worked out again: their process had died", file=sys.stderr)


def _folder(user_dir: UserDir, name: str) -> Path:
    if not name or "/" in name or name.startswith("."):
        raise CommandFailed(f"--name must be a name without slashes, was {name!r}", ExitCode.CONFIGURATION)
    folder = user_dir.reports / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _keep(folder: Path, kind: str, title: str, file: str, content: Any, summary: Any) -> None:
    from genesis.cli.research import keep_view
    from genesis.edge.kept_file import KeptFile

    KeptFile(folder / file).replace(msgspec.json.encode(content))
    built = msgspec.to_builtins(summary)
    short = {name: value for name, value in built.items() if not isinstance(value, list | tuple)}
    keep_view(folder, kind, title, short)


def _one_line(trial: "Trial", goal: "Goal") -> str:
    if trial.error is not None:
        return f"trial {trial.number + 1}: {trial.error[:60]}"
    told = ", ".join(f"{name} {_figure(trial.figures.get(name))}" for name, _ in goal.objectives)
    return f"trial {trial.number + 1}: {told}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _values(values: dict[str, float]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in values.items())


def _show(report: "StudyReport", stopped: bool, folder: Path) -> None:
    names = [name for name, _ in report.objectives]
    if report.best is not None:
        rows = sorted(report.front, key=lambda trial: trial.number)[:20] if len(names) > 1 else [report.best]
        more = [name for name in ("total_return", "max_drawdown", "sharpe", "trades") if name not in names]
        printing.table(
            "best" if len(names) == 1 else "not beaten in every objective by any other",
            ("trial", "parameters", *names, *more),
            (
                (
                    trial.number + 1,
                    _values(trial.values),
                    *(_figure(trial.figures.get(name)) for name in (*names, *more)),
                )
                for trial in rows
            ),
            right=(*names, *more),
        )
    deflated = report.deflated_sharpe
    printing.pairs(
        [
            ("trials", f"{report.trials}, failed {report.failed}, against a requirement {report.infeasible}"),
            ("best", "none keeps all requirements" if report.best is None else _values(report.best.values)),
            (
                "plateau",
                "not known: too few trials around it, or no gain at all"
                if report.plateau is None
                else f"{report.plateau:.2f} (its neighbours' part of the best; near 1 is a plateau, near 0 a needle)",
            ),
            (
                "more than luck",
                "not known"
                if deflated is None
                else f"{deflated:.1%} (deflated Sharpe ratio over {report.trials} trials)",
            ),
            ("kept in", folder),
            *([("stopped", "the same command goes on where it was")] if stopped else []),
        ]
    )


def _stitched(steps: list[dict[str, Any]], goal: "Goal") -> dict[str, Any]:
    """The tests one after another, as one account would have gone through them."""
    equity, tested, learned_sum, tested_sum = 1.0, 0, 0.0, 0.0
    metric = goal.objectives[0][0]
    worst = 0.0
    peak = 1.0
    for step in steps:
        answer = step.get("tested")
        if not isinstance(answer, dict) or answer.get("total_return") is None:
            continue
        tested += 1
        # The deepest point inside the window, from the peak before it.
        inside = equity * (1.0 - float(answer.get("max_drawdown") or 0.0))
        equity *= 1.0 + float(answer["total_return"])
        worst = max(worst, 1.0 - min(inside, equity) / peak)
        peak = max(peak, equity)
        learned_sum += float((step["learned"] or {}).get(metric) or 0.0)
        tested_sum += float(answer.get(metric) or 0.0)
    return {
        "windows": len(steps),
        "tested": tested,
        "total_return": equity - 1.0,
        "max_drawdown_at_most": worst,
        "metric": metric,
        "learned_mean": learned_sum / tested if tested else None,
        "tested_mean": tested_sum / tested if tested else None,
        "efficiency": tested_sum / learned_sum if tested and learned_sum > 0 else None,
    }


def _show_steps(steps: list[dict[str, Any]], summary: dict[str, Any], goal: "Goal", stopped: bool) -> None:
    metric = goal.objectives[0][0]

    def figure(step: dict[str, Any], part: str, name: str) -> str:
        found = step.get(part)
        return _figure(found.get(name)) if isinstance(found, dict) else str(found or "-")[:40]

    printing.table(
        "walk-forward",
        ("learned from", "to", "tested to", "parameters", f"{metric} learned", f"{metric} tested", "return", "trades"),
        (
            (
                printing.when(step["window"].train_from)[:10],
                printing.when(step["window"].train_to)[:10],
                printing.when(step["window"].test_to)[:10],
                "none" if step["values"] is None else _values(step["values"]),
                figure(step, "learned", metric),
                figure(step, "tested", metric),
                figure(step, "tested", "total_return"),
                figure(step, "tested", "trades"),
            )
            for step in steps
        ),
    )
    efficiency = summary["efficiency"]
    printing.pairs(
        [
            ("windows", f"{summary['windows']}, tested {summary['tested']}"),
            ("return of the tests together", f"{summary['total_return']:+.2%}"),
            ("drawdown of the tests together", f"at most {summary['max_drawdown_at_most']:.2%}"),
            (
                "efficiency",
                "not known" if efficiency is None else f"{efficiency:.2f} (what was tested over what was learned)",
            ),
            *([("stopped", "the same command goes on where it was")] if stopped else []),
        ]
    )
