"""Searches as jobs and as commands: parameters looked for in one market, or window by window.

What is kept lies in the job's own folder: each trial as a line, and the report at the end. The same folder is gone on
with, so a search that was stopped loses nothing.
"""

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from genesis.domain.overfitting import Window, by_the_day, efficiency_of, windows
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.ensemble import kind_for
from genesis.edge.kept_file import KeptFile
from genesis.markets import market_span
from genesis.research.runs import RunRequest
from genesis.research.search import (
    TRIALS,
    Constraint,
    Dimension,
    Executor,
    Goal,
    Study,
    StudyReport,
    Trial,
    grid_size,
    known_metric,
    prove,
    read_constraint,
    read_dimension,
    report_of,
    shown,
)
from genesis.trials import (
    EXACT,
    Answer,
    Judge,
    LocalExecutor,
    Workers,
    encode_task,
    judge_of,
    read_answer,
    work_out,
)
from protocols.settings import Settings

STUDY: Final = "study.json"
WALKFORWARD: Final = "walkforward.json"
METHODS: Final = ("tpe", "random", "grid")
DAY_MS: Final = 86_400_000
LARGEST_TRIALS: Final = 100_000

OpenExecutor = Callable[[RunRequest, Judge], AbstractContextManager[Executor]]
"""Who works the trials of a request out, by which runner."""


class SearchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look for, as somebody typed it. `vary`, `require` and the metrics are as `genesis optimize` takes them.

    The days are those of a walk-forward: learn from `train_days`, leave out `purge_days`, test on `test_days`;
    `anchored` learns from the beginning on.
    """

    request: RunRequest
    vary: tuple[str, ...]
    maximize: tuple[str, ...] = ()
    minimize: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    method: str = "tpe"
    trials: int = 50
    seed: int = 1
    exact: bool = False
    train_days: float = 60.0
    test_days: float = 20.0
    purge_days: float = 0.0
    anchored: bool = False

    def check(self) -> tuple[list[Dimension], Goal]:
        """What may vary, and what is wanted. Raises ValueError on what cannot be searched."""
        if not self.vary:
            names = ", ".join(strategy.name for strategy in self.request.settings.strategies)
            raise ValueError(f"--vary must be given, as {names.split(', ')[0]}.fast=5:30 (strategies: {names})")
        space = [read_dimension(text, self.request.settings) for text in self.vary]
        if len({dimension.name for dimension in space}) != len(space):
            raise ValueError("--vary must name each parameter once")
        if self.method not in METHODS:
            raise ValueError(f"--method must be tpe, random or grid, was {self.method}")
        if not 1 <= self.trials <= LARGEST_TRIALS:
            raise ValueError(f"--trials must be from 1 to {LARGEST_TRIALS}, was {self.trials}")
        wanted = [(known_metric(each), "maximize") for each in self.maximize]
        wanted += [(known_metric(each), "minimize") for each in self.minimize]
        constraints: tuple[Constraint, ...] = tuple(read_constraint(text) for text in self.require)
        if self.method == "grid":
            grid_size(space)
        return space, Goal(objectives=tuple(wanted or [("sharpe", "maximize")]), constraints=constraints)

    @property
    def count(self) -> int:
        """How many trials it has (a walk-forward: in each window). Raises ValueError on a grid that cannot be tried."""
        return grid_size(self.check()[0]) if self.method == "grid" else self.trials

    def parts(self, data_folder: Path) -> list[Window]:
        """The windows of a walk-forward over the data that is there. Raises ValueError when not even one fits."""
        for days in (self.train_days, self.test_days, self.purge_days):
            if not math.isfinite(days):
                raise ValueError(f"days to learn, to test and between must be numbers, were {days}")
        first_ms, end_ms = _span(self.request, data_folder)
        return windows(
            first_ms,
            end_ms,
            train_ms=round(self.train_days * DAY_MS),
            test_ms=round(self.test_days * DAY_MS),
            purge_ms=round(self.purge_days * DAY_MS),
            anchored=self.anchored,
        )


def optimize(
    asked: SearchRequest,
    folder: Path,
    data_folder: Path,
    open_executor: OpenExecutor,
    on_trial: Callable[[Trial, int], None] = lambda trial, done: None,
) -> tuple[StudyReport, bool]:
    """The report, kept in the folder, and whether somebody stopped the search. Raises ValueError."""
    space, goal = asked.check()
    mark = _mark(asked.request, data_folder)
    study = _study(asked, space, goal, folder / TRIALS, mark, on_trial)
    stopped, proof = False, None
    trials: list[Trial] = study.done
    try:
        with open_executor(asked.request, _judge(asked, asked.request, goal, data_folder)) as executor:
            study.run(executor)
        with open_executor(asked.request, EXACT) as executor:
            trials, proof = prove(study.done, goal, space, executor)
    except KeyboardInterrupt:
        stopped = True
    report = report_of(trials, goal, space, proof)
    kept = {"request": asked.request, "report": report, "method": asked.method, "seed": asked.seed}
    KeptFile(folder / STUDY).replace(msgspec.json.encode(kept))
    return report, stopped


def walk_forward(
    asked: SearchRequest,
    folder: Path,
    data_folder: Path,
    open_executor: OpenExecutor,
    on_window: Callable[[int, int], None] = lambda done, count: None,
) -> tuple[list[dict[str, Any]], dict[str, Any], bool]:
    """(each window's step, what they say together, whether it was stopped), kept in the folder. Raises ValueError."""
    _, goal = asked.check()
    parts = asked.parts(data_folder)
    steps: list[dict[str, Any]] = []
    stopped = False
    try:
        for step in _steps(asked, parts, folder, data_folder, open_executor):
            steps.append(step)
            on_window(len(steps), len(parts))
    except KeyboardInterrupt:
        stopped = True
    summary = stitched(steps, goal)
    kept = {"request": asked.request, "steps": steps, "summary": summary}
    KeptFile(folder / WALKFORWARD).replace(msgspec.json.encode(kept))
    return steps, summary, stopped


def _steps(
    asked: SearchRequest, parts: Sequence[Window], folder: Path, data_folder: Path, open_executor: OpenExecutor
) -> Iterator[dict[str, Any]]:
    space, goal = asked.check()
    for place, window in enumerate(parts):
        learn = msgspec.structs.replace(asked.request, start_ms=window.train_from, end_ms=window.train_to)
        file, mark = folder / f"window-{place + 1}-{TRIALS}", _mark(learn, data_folder)
        study = _study(asked, space, goal, file, mark, lambda trial, done: None)
        with open_executor(learn, _judge(asked, learn, goal, data_folder)) as executor:
            study.run(executor)
        report = report_of(study.done, goal, space)
        step: dict[str, Any] = {"window": window, "trials": report.trials, "values": None, "learned": None}
        if report.best is None:
            step["why"] = _why_none(study.done, report, goal)
        if report.best is not None:
            later = msgspec.structs.replace(asked.request, start_ms=window.test_from, end_ms=window.test_to)
            with open_executor(later, EXACT) as executor:
                (answer,) = executor.run([report.best.values])
            step |= {"values": report.best.values, "learned": report.best.figures}
            step["tested"] = answer if isinstance(answer, str) else shown(answer)
        yield step


def _why_none(trials: Sequence[Trial], report: StudyReport, goal: Goal) -> str:
    """Why nothing was found in a window: a person would look for the fault in the parameters."""
    if report.infeasible:
        return f"none of {report.infeasible} trials keeps what is required"
    if faults := [trial.error for trial in trials if trial.error is not None]:
        return f"{len(faults)} of {len(trials)} trials failed: {faults[0]}"
    metric = goal.objectives[0][0]
    figures = trials[0].figures if trials else {}
    periods, needed = figures.get("periods"), figures.get("periods_needed")
    if periods is not None and needed is not None and periods < needed:
        return f"{metric} is not known of {periods:.0f} returns, it takes {needed:.0f}: learn from more days"
    return f"{metric} is not known of any trial: too little was traded, or in too few days"


def stitched(steps: Sequence[Mapping[str, Any]], goal: Goal) -> dict[str, Any]:
    """The tests one after another, as one account would have gone through them.

    `efficiency` is the first objective as it was tested over as it was learned. A return is taken by the day there,
    since a longer window earns more; other figures are ratios of their own. None where that says nothing.
    """
    equity, tested, compared, learned_sum, tested_sum = 1.0, 0, 0, 0.0, 0.0
    learned_rates: list[float] = []
    tested_rates: list[float] = []
    metric = goal.objectives[0][0]
    worst = 0.0
    peak = 1.0
    for step in steps:
        answer = step.get("tested")
        if not isinstance(answer, dict) or answer.get("total_return") is None:
            continue
        tested += 1
        # From a peak before the window to its lowest point, or from a peak inside of it: there is no third.
        lowest = equity * (1.0 + float(answer["lowest_return"]))
        worst = max(worst, float(answer["max_drawdown"]), 1.0 - lowest / peak if peak > 0.0 else 0.0)
        peak = max(peak, equity * (1.0 + float(answer["highest_return"])))
        equity *= 1.0 + float(answer["total_return"])
        was, came = (step["learned"] or {}).get(metric), answer.get(metric)
        if was is None or came is None:
            # What is not known is not zero.
            continue
        compared += 1
        learned, found = float(was), float(came)
        learned_sum += learned
        tested_sum += found
        window = step.get("window")
        span_ms = None if window is None else window.train_to - window.train_from
        learned_rates.append(by_the_day(metric, learned, span_ms))
        span_ms = None if window is None else window.test_to - window.test_from
        tested_rates.append(by_the_day(metric, found, span_ms))
    return {
        "windows": len(steps),
        "tested": tested,
        "total_return": equity - 1.0,
        "max_drawdown_at_most": worst,
        "metric": metric,
        "learned_mean": learned_sum / compared if compared else None,
        "tested_mean": tested_sum / compared if compared else None,
        "efficiency": efficiency_of(learned_rates, tested_rates),
    }


def _study(
    asked: SearchRequest,
    space: Sequence[Dimension],
    goal: Goal,
    file: Path,
    mark: str,
    on_trial: Callable[[Trial, int], None],
) -> Study:
    study = Study(
        space=space,
        goal=goal,
        method=asked.method,  # type: ignore[arg-type]
        trials=asked.trials,
        seed=asked.seed,
        file=file,
        mark=mark,
        on_trial=lambda trial: on_trial(trial, len(study.done)),
    )
    return study


def _mark(request: RunRequest, data_folder: Path) -> str:
    """What a trial's figures depend on besides its numbers, in sixteen letters.

    Title, versions and settings that no backtest looks at are left out: a study is gone on with whatever they are.
    """
    first_ms, end_ms = _span(request, data_folder)
    settings = request.settings
    traded = (settings.quote_currency, settings.strategies, settings.risk, settings.orders, settings.market)
    # The version of a user's own strategy is of its text.
    kinds = [kind_for(each, STRATEGY_KINDS).version for each in settings.strategies if each.enabled]
    told = (request.market, first_ms, end_ms, request.balance, request.costs, traded, settings.overlays, kinds)
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()[:16]


def _judge(asked: SearchRequest, request: RunRequest, goal: Goal, data_folder: Path) -> Judge:
    first_ms, end_ms = _span(request, data_folder)
    metrics = [name for name, _ in goal.objectives] + [one.metric for one in goal.constraints]
    return judge_of(metrics, asked.count * max(0, end_ms - first_ms) // 60_000, exact=asked.exact)


def _span(request: RunRequest, data_folder: Path) -> tuple[int, int]:
    first_ms, end_ms = market_span(request.market, data_folder)
    return max(first_ms, request.start_ms or first_ms), min(end_ms, request.end_ms or end_ms)


# --- as jobs ------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class InThisProcess:
    """Trials one after another, here: a job is a process of its own already, and one is enough."""

    request: RunRequest
    data_folder: Path
    strategies_folder: Path
    judge: Judge
    width: int = 1

    def __enter__(self) -> "InThisProcess":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def run(self, batch: Sequence[Mapping[str, float]]) -> Iterator[Answer]:
        folders = self.data_folder, self.strategies_folder
        for each in batch:
            yield read_answer(work_out(encode_task(self.request, *folders, each, self.judge)))


def _asked(request: Mapping[str, Any]) -> SearchRequest:
    try:
        return msgspec.convert(request, SearchRequest)
    except msgspec.ValidationError as error:
        raise ValueError(f"the request is not valid: {error}") from None


def processes_of(settings: Settings) -> int:
    """How many processes work a search's trials out beside an engine that trades."""
    return settings.jobs.processes or max(1, len(os.sched_getaffinity(0)) - 1)


class _Workshop:
    """Who works the trials of a job out: this process, or several that serve all of its parts one after another."""

    def __init__(self, request: SearchRequest, folders: tuple[Path, Path], tell: Callable[[str], None]) -> None:
        self.folders = folders
        self.workers = Workers(processes_of(request.request.settings), on_lost=lambda lost: tell(lost_text(lost)))

    def __enter__(self) -> OpenExecutor:
        return self._open

    def __exit__(self, *_: object) -> None:
        self.workers.close()

    @property
    def told(self) -> dict[str, str]:
        """What is to be said of it with the result; nothing where nothing went wrong."""
        return {"note": lost_text(self.workers.lost)} if self.workers.lost else {}

    def _open(self, request: RunRequest, judge: Judge) -> AbstractContextManager[Executor]:
        data_folder, strategies_folder = self.folders
        if self.workers.count == 1:
            return InThisProcess(
                request=request, data_folder=data_folder, strategies_folder=strategies_folder, judge=judge
            )
        return LocalExecutor(
            request=request,
            data_folder=data_folder,
            strategies_folder=strategies_folder,
            workers=self.workers.count,
            judge=judge,
            shared=self.workers,
        )


def lost_text(lost: int) -> str:
    """What people are told of processes that died."""
    return f"{lost} trials were worked out again: their process had died"


def optimize_job(
    request: Mapping[str, Any],
    folder: Path,
    data_folder: Path,
    strategies_folder: Path,
    on_progress: Callable[[float, str], None],
) -> dict[str, Any]:
    """A search as a job. Raises ValueError."""
    asked = _asked(request)
    tried = 0

    def on_trial(trial: Trial, done: int) -> None:
        nonlocal tried
        tried = done
        told = trial.error or ", ".join(f"{name} {value:g}" for name, value in trial.values.items())
        on_progress(0.98 * done / asked.count, f"trial {done}: {told}"[:200])

    workshop = _Workshop(
        asked, (data_folder, strategies_folder), lambda text: on_progress(0.98 * tried / asked.count, text)
    )
    with workshop as open_executor:
        report, _ = optimize(asked, folder, data_folder, open_executor, on_trial)
    best = report.best.figures if report.best is not None else {}
    figures = {name: best.get(name) for name in ("total_return", "max_drawdown", "sharpe", "trades")}
    return {
        "market": asked.request.market,
        "tried": report.trials,
        "deflated_sharpe": report.deflated_sharpe,
        "overfitting": None if report.overfitting is None else report.overfitting.probability,
        **figures,
        **workshop.told,
    }


def walkforward_job(
    request: Mapping[str, Any],
    folder: Path,
    data_folder: Path,
    strategies_folder: Path,
    on_progress: Callable[[float, str], None],
) -> dict[str, Any]:
    """A walk-forward as a job. Raises ValueError."""
    asked = _asked(request)
    part = 0.0

    def on_window(done: int, count: int) -> None:
        nonlocal part
        part = 0.99 * done / count
        on_progress(part, f"window {done} of {count}")

    workshop = _Workshop(asked, (data_folder, strategies_folder), lambda text: on_progress(part, text))
    with workshop as open_executor:
        _, summary, _ = walk_forward(asked, folder, data_folder, open_executor, on_window)
    return {
        "market": asked.request.market,
        "total_return": summary["total_return"],
        "max_drawdown": summary["max_drawdown_at_most"],
        "efficiency": summary["efficiency"],
        "tried": summary["tested"],
        **workshop.told,
    }
