"""`genesis optimize` and `genesis walkforward`: searching for parameters, and finding out whether they were luck."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
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
    from genesis.research.search import Executor, Goal, StudyReport, Trial
    from genesis.searches import OpenExecutor, SearchRequest
    from genesis.trials import Judge

Vary = Annotated[
    tuple[str, ...],
    Parameter(name="--vary", help="What may vary: btc-ema.fast=5:30, =5:30:5, =5,8,13, risk.stop_fraction=0.01:0.1."),
]
Wanted = Annotated[tuple[str, ...], Parameter(help="A figure to make as large as can be, as sharpe.")]
Unwanted = Annotated[tuple[str, ...], Parameter(help="A figure to make as small as can be, as max_drawdown.")]
Require = Annotated[tuple[str, ...], Parameter(help="What must hold, as trades>=30 or max_drawdown<=0.2.")]
Cluster = Annotated[str | None, Parameter(help="The address of a Dask scheduler, as tcp://127.0.0.1:8786.")]
Exact = Annotated[
    bool, Parameter(negative="", help="Judge every trial by the exact runner; else by arrays where they can.")
]
HalfSpread = Annotated[str | None, Parameter(help="Half the spread, as a fraction of the price.")]
Slippage = Annotated[str | None, Parameter(help="Slippage of takers, as a fraction of the price.")]
Workers = Annotated[int | None, Parameter(help="Processes; else jobs.processes, else one a processor.")]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Wish:
    """What is searched, how, and on which market: the options that both commands have."""

    vary: Vary = ()
    maximize: Wanted = ()
    minimize: Unwanted = ()
    require: Require = ()
    method: Annotated[str, Parameter(help="tpe, random or grid.")] = "tpe"
    seed: Annotated[int, Parameter(help="The same seed is the same search, by up to eight workers.")] = 1
    recording: Annotated[str | None, Parameter(help="A recording's name or folder.")] = None
    data: Annotated[str | None, Parameter(help="Pairs of the data store, as tBTCUSD:1m.")] = None
    start: Annotated[str | None, Parameter(name="--from", help="The first day.")] = None
    end: Annotated[str | None, Parameter(name="--to", help="The day it ends before.")] = None
    half_spread: HalfSpread = None
    slippage: Slippage = None
    terms: Terms | None = None
    exact: Exact = False

    def asked(self, user_dir: UserDir, *, trials: int, **windows: Any) -> "SearchRequest":
        """The whole request; `windows` are those of a walk forward. Raises CommandFailed."""
        from genesis.cli.research import a_request
        from genesis.searches import SearchRequest

        request = a_request(
            user_dir,
            recording=self.recording,
            data=self.data,
            start=self.start,
            end=self.end,
            half_spread=self.half_spread,
            slippage=self.slippage,
            terms=self.terms,
        )
        return SearchRequest(
            request=request,
            vary=self.vary,
            maximize=self.maximize,
            minimize=self.minimize,
            require=self.require,
            method=self.method,
            trials=trials,
            seed=self.seed,
            exact=self.exact,
            **windows,
        )


def optimize(
    *,
    wish: Wish | None = None,
    trials: Annotated[int, Parameter(help="How many trials; a grid is all of its points.")] = 50,
    name: Annotated[str, Parameter(help="The study's name in reports/; one that exists is gone on with.")] = "study",
    workers: Workers = None,
    cluster: Cluster = None,
    json: Annotated[bool, Parameter(negative="", help="Print JSON for programs instead of tables.")] = False,
    where: Where | None = None,
) -> int:
    """Search for parameters. Every trial is kept at once: Ctrl-C loses nothing, the same command goes on."""
    from genesis.searches import optimize as search

    user_dir = (where or Where()).user_dir
    asked = (wish or Wish()).asked(user_dir, trials=trials)
    goal = _checked(asked)
    folder = _folder(user_dir, name)
    with Bar("optimize", hidden=json) as bar:

        def on_trial(trial: "Trial", done: int) -> None:
            bar.update(done / asked.count, _one_line(trial, goal))

        try:
            report, stopped = search(asked, folder, user_dir.data, _executors(user_dir, workers, cluster), on_trial)
        except ValueError as error:
            raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    _keep(folder, "optimize", name, report)
    if json:
        printing.print_json({"stopped": stopped, **msgspec.to_builtins(report), "study": str(folder)})
    else:
        _show(report, stopped, folder)
    return 130 if stopped else ExitCode.OK


def walkforward(
    *,
    wish: Wish | None = None,
    train: Annotated[float, Parameter(help="Days to learn from.")] = 60.0,
    test: Annotated[float, Parameter(help="Days to test on, after them.")] = 20.0,
    purge: Annotated[float, Parameter(help="Days left out between the two.")] = 0.0,
    anchored: Annotated[bool, Parameter(negative="", help="Learn from the beginning on.")] = False,
    trials: Annotated[int, Parameter(help="Trials in each window; a grid is all of its points.")] = 30,
    name: Annotated[str, Parameter(help="The name in reports/.")] = "walkforward",
    workers: Workers = None,
    cluster: Cluster = None,
    json: Annotated[bool, Parameter(negative="", help="Print JSON for programs instead of tables.")] = False,
    where: Where | None = None,
) -> int:
    """Search in one window, trade the next one with what was found, and so on: what the search is worth afterwards."""
    from genesis.searches import walk_forward

    user_dir = (where or Where()).user_dir
    asked = (wish or Wish()).asked(
        user_dir, trials=trials, train_days=train, test_days=test, purge_days=purge, anchored=anchored
    )
    goal = _checked(asked)
    try:
        asked.parts(user_dir.data)
    except ValueError as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    folder = _folder(user_dir, name)
    with Bar("walkforward", hidden=json) as bar:
        try:
            steps, summary, stopped = walk_forward(
                asked,
                folder,
                user_dir.data,
                _executors(user_dir, workers, cluster),
                lambda done, count: bar.update(done / count, f"window {done} of {count}"),
            )
        except ValueError as error:
            raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    _keep(folder, "walkforward", name, summary)
    if json:
        printing.print_json({"stopped": stopped, **summary, "steps": msgspec.to_builtins(steps), "folder": str(folder)})
    else:
        _show_steps(steps, summary, goal, stopped, folder)
    return 130 if stopped else ExitCode.OK


# --- inside -------------------------------------------------------------------------------------------------------


def _checked(asked: "SearchRequest") -> "Goal":
    try:
        _, goal = asked.check()
    except ValueError as error:
        raise CommandFailed(str(error), ExitCode.CONFIGURATION) from None
    return goal


def _executors(user_dir: UserDir, workers: int | None, cluster: str | None) -> "OpenExecutor":
    return lambda request, judge: _executor(user_dir, request, workers, cluster, judge)


@contextmanager
def _executor(
    user_dir: UserDir,
    request: "RunRequest",
    workers: int | None,
    cluster: str | None,
    judge: "Judge",
) -> "Iterator[Executor]":
    from genesis.searches import lost_text
    from genesis.trials import ClusterExecutor, LocalExecutor

    if cluster is not None:
        with ClusterExecutor(
            address=cluster,
            request=request,
            data_folder=user_dir.data,
            strategies_folder=user_dir.strategies,
            judge=judge,
        ) as executor:
            yield executor
        return
    given = workers if workers is not None else request.settings.jobs.processes or None
    count = given if given is not None else max(1, os.cpu_count() or 1)
    if not 1 <= count <= 256:
        raise ValueError(f"--workers must be from 1 to 256, was {count}")
    with LocalExecutor(
        request=request,
        data_folder=user_dir.data,
        strategies_folder=user_dir.strategies,
        workers=count,
        judge=judge,
    ) as local:
        yield local
        if local.lost:
            print(f"genesis: {lost_text(local.lost)}", file=sys.stderr)


def _folder(user_dir: UserDir, name: str) -> Path:
    if not name or "/" in name or name.startswith("."):
        raise CommandFailed(f"--name must be a name without slashes, was {name!r}", ExitCode.CONFIGURATION)
    folder = user_dir.reports / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _keep(folder: Path, kind: str, title: str, summary: Any) -> None:
    from genesis.cli.research import keep_view

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
    from genesis.research.search import judged, overfitted

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
            ("overfitting", overfitted(report)),
            ("judged by", judged(report)),
            ("kept in", folder),
            *([("stopped", "the same command goes on where it was")] if stopped else []),
        ]
    )


def _percent(answer: Any) -> str:
    found = answer.get("total_return") if isinstance(answer, dict) else None
    return "-" if found is None else f"{found:+.2%}"


def _show_steps(
    steps: list[dict[str, Any]], summary: dict[str, Any], goal: "Goal", stopped: bool, folder: Path
) -> None:
    from genesis.domain.overfitting import why_no_efficiency
    from genesis.domain.performance import DAY_MS

    metric = goal.objectives[0][0]

    def figure(step: dict[str, Any], part: str, name: str) -> str:
        found = step.get(part)
        return _figure(found.get(name)) if isinstance(found, dict) else str(found or "-")[:40]

    windows = [step["window"] for step in steps]
    shown = 10 if all(each.train_to % DAY_MS == each.test_to % DAY_MS == 0 for each in windows) else 16
    printing.table(
        "walk-forward",
        ("learned from", "to", "tested to", "parameters", f"{metric} learned", f"{metric} tested", "return", "trades"),
        (
            (
                printing.when(step["window"].train_from)[:shown],
                printing.when(step["window"].train_to)[:shown],
                printing.when(step["window"].test_to)[:shown],
                "none" if step["values"] is None else _values(step["values"]),
                figure(step, "learned", metric),
                figure(step, "tested", metric),
                _percent(step.get("tested")),
                figure(step, "tested", "trades"),
            )
            for step in steps
        ),
        right=(f"{metric} learned", f"{metric} tested", "return", "trades"),
    )
    why = [step["why"] for step in steps if step.get("why")]
    efficiency = summary["efficiency"]
    printing.pairs(
        [
            ("windows", f"{summary['windows']}, tested {summary['tested']}"),
            ("return of the tests together", f"{summary['total_return']:+.2%}"),
            ("drawdown of the tests together", f"at most {summary['max_drawdown_at_most']:.2%}"),
            (
                "efficiency",
                f"not known: {why_no_efficiency(summary['tested'], summary['learned_mean'])}"
                if efficiency is None
                else f"{efficiency:.2f} (what was tested over what was learned)",
            ),
            *([("nothing found", f"in {len(why)} of {len(steps)} windows: {why[0]}")] if why else []),
            ("kept in", folder),
            *([("stopped", "the same command goes on where it was")] if stopped else []),
        ]
    )
