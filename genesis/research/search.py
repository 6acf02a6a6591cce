"""The search for parameters: what may vary, what is wanted, one trial after another, and what the trials say together.

Optuna asks and is told; who works the trials out is somebody else's business (processes here, or a cluster). Every
trial is a line in the study's file before the next batch is asked, so a study that was stopped is taken up again.
"""

import itertools
import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import attrs
import msgspec
import numpy as np

from genesis.domain.config_keys import KEYS, Kind
from genesis.domain.overfitting import (
    BLOCKS,
    FEWEST_A_BLOCK,
    FEWEST_TRIALS,
    IN_BLOCKS,
    Overfitting,
    deflated_sharpe,
    overfitting,
)
from genesis.domain.settings_build import Built, Layer, as_tree, build, layer_of_tree
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.research.runs import with_strategies
from protocols.measures import Measures
from protocols.settings import Settings

TRIALS: Final = "trials.jsonl"
Method = Literal["grid", "random", "tpe"]
BY_ARRAYS: Final = "by_array_runner"
"""Among a trial's figures: 1 when the array runner judged it; the exact one did where it is not there."""
AT_ONCE: Final = 8
"""Trials that are asked for before any of them has an answer, by however many processes they are worked out."""
NEIGHBOURS: Final = 8
PROVEN: Final = 10
"""Winners that are traded again by the exact runner, at most."""
LARGEST_GRID: Final = 100_000

METRICS: Final = tuple(
    field.name
    for field in msgspec.structs.fields(Measures)
    if field.type in (float, int, float | None) and not field.name.endswith("_ms")
)
"""Figures that may be an objective or bound a constraint."""
_CONSTRAINT: Final = re.compile(r"(\w+)\s*(>=|<=)\s*(-?[\d.eE+-]+)")


@attrs.frozen(kw_only=True)
class Dimension:
    """One number that may vary, from `low` to `high`; `choices` are the only values, where there are some."""

    name: str
    low: float
    high: float
    step: float | None
    whole: bool
    choices: tuple[float, ...] = ()

    def values(self) -> tuple[float, ...]:
        """The values of a grid. Raises ValueError when it has none."""
        if self.choices:
            return self.choices
        step = self.step if self.step is not None else 1.0 if self.whole else None
        if step is None:
            raise ValueError(f"{self.name} must have a step for a grid, as {self.name}={self.low:g}:{self.high:g}:STEP")
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        return tuple(round(self.low + place * step, 10) for place in range(count))


@attrs.frozen(kw_only=True)
class Constraint:
    """`metric` must be at least (`>=`) or at most (`<=`) `bound`; one that is not known does not do."""

    metric: str
    sign: str
    bound: float

    def violation(self, figures: Mapping[str, float | None]) -> float:
        """0 or less when it is kept, else by how much it is not."""
        value = figures.get(self.metric)
        if value is None:
            return math.inf
        return self.bound - value if self.sign == ">=" else value - self.bound


@attrs.frozen(kw_only=True)
class Goal:
    """What is wanted: (metric, "maximize" or "minimize"), the most wanted first."""

    objectives: tuple[tuple[str, str], ...]
    constraints: tuple[Constraint, ...] = ()


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One try: its numbers, and its figures (None where too little happened), or why it could not be made.

    `study` marks what was traded (market, span, costs, settings): trials of two marks cannot be compared.
    """

    number: int
    values: dict[str, float]
    figures: dict[str, float | None] = {}
    error: str | None = None
    study: str = ""


class Executor(Protocol):
    """Works out a batch; each entry is the figures of one trial, or why it failed, in the order of the batch."""

    @property
    def width(self) -> int: ...

    def run(self, batch: Sequence[Mapping[str, float]]) -> Iterable[dict[str, float | None] | str]:
        """An answer may be given as soon as those before it are known."""
        ...


def read_dimension(text: str, settings: Settings) -> Dimension:
    """`btc-ema.fast=5:30`, `...=5:30:5`, `...=5,8,13`, `risk.stop_fraction=0.01:0.1`. Raises ValueError."""
    name, _, value = text.partition("=")
    if not value:
        raise ValueError(f"a parameter must be as NAME=LOW:HIGH, NAME=LOW:HIGH:STEP or NAME=A,B,C, was {text}")
    low, high, whole = _bounds(name, settings)
    try:
        if "," in value:
            choices = tuple(float(one) for one in value.split(","))
            first, last, step = min(choices), max(choices), None
        else:
            numbers = [float(one) for one in value.split(":")]
            if len(numbers) not in (2, 3):
                raise ValueError
            first, last, step = numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else None
            choices = ()
    except ValueError:
        raise ValueError(f"{name} must be as LOW:HIGH, LOW:HIGH:STEP or A,B,C with numbers, was {value}") from None
    if not (math.isfinite(first) and math.isfinite(last) and low <= first <= last <= high):
        raise ValueError(f"{name} must lie from {low:g} to {high:g} and ascend, was {value}")
    if step is not None and not (math.isfinite(step) and step > 0):
        raise ValueError(f"{name}: step must be above zero, was {step:g}")
    if whole and any(number != int(number) for number in (first, last, step or 1.0, *choices)):
        raise ValueError(f"{name} must be of whole numbers, was {value}")
    return Dimension(name=name, low=first, high=last, step=step, whole=whole, choices=choices)


def _bounds(name: str, settings: Settings) -> tuple[float, float, bool]:
    owner, _, parameter = name.rpartition(".")
    for strategy in settings.strategies:
        if strategy.name == owner:
            kind = STRATEGY_KINDS[strategy.kind]
            for each in kind.parameters:
                if each.name == parameter:
                    return each.low, each.high, each.whole
            known = ", ".join(each.name for each in kind.parameters)
            raise ValueError(f"parameter of {strategy.name} ({kind.name}) must be one of {known}, was {parameter}")
    key = KEYS.get(name)
    if key is not None and key.low is not None and key.high is not None:
        return float(key.low), float(key.high), key.kind is Kind.WHOLE
    names = ", ".join(strategy.name for strategy in settings.strategies)
    raise ValueError(f"{name} must be a parameter of a strategy ({names}) or a setting with a range, was neither")


def read_constraint(text: str) -> Constraint:
    """`trades>=30`, `max_drawdown<=0.2`. Raises ValueError."""
    matched = _CONSTRAINT.fullmatch(text.strip())
    if matched is None:
        raise ValueError(f"a constraint must be as trades>=30 or max_drawdown<=0.2, was {text}")
    return Constraint(metric=known_metric(matched[1]), sign=matched[2], bound=float(matched[3]))


def known_metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError(f"a figure must be one of {', '.join(METRICS)}, was {name}")
    return name


def with_values(settings: Settings, values: Mapping[str, float]) -> Settings:
    """The settings of a trial. Raises ValueError when they contradict one another."""
    names = {strategy.name for strategy in settings.strategies}
    by_strategy: dict[str, dict[str, float]] = {}
    keys: dict[str, object] = {}
    for name, value in values.items():
        owner, _, parameter = name.rpartition(".")
        if owner in names:
            by_strategy.setdefault(owner, {})[parameter] = value
        else:
            keys[name] = int(value) if value == int(value) else repr(value)
    if keys:
        layers = (layer_of_tree("settings", as_tree(settings)), Layer(name="trial", values=keys, textual=False))
        built = build(layers)
        if not isinstance(built, Built):
            raise ValueError("; ".join(str(fault) for fault in built))
        settings = built.settings
    changed = with_strategies(settings, by_strategy)
    for strategy in changed.strategies:
        kind = STRATEGY_KINDS[strategy.kind]
        kind.start(kind.resolve(strategy.parameters))
    return changed


# --- the study ----------------------------------------------------------------------------------------------------


@attrs.define(kw_only=True, eq=False)
class Study:
    """A search with its file. `on_trial` hears each trial as it is known; `mark` is of what is traded (`Trial.study`).

    A grid is all of its points, whatever `trials` says: a part of it is its first corner and no search.
    """

    space: Sequence[Dimension]
    goal: Goal
    method: Method
    trials: int
    seed: int
    file: Path | None = None
    mark: str = ""
    on_trial: Callable[[Trial], None] = lambda trial: None
    done: list[Trial] = attrs.field(factory=list)

    def run(self, executor: Executor) -> list[Trial]:
        """Until there are so many trials (of a grid: all of them), or KeyboardInterrupt, which keeps what is done.

        Raises ValueError when the file holds trials of something else.
        """
        optuna = _optuna()
        self._take_up()
        study = optuna.create_study(directions=[way for _, way in self.goal.objectives], sampler=self._sampler(optuna))
        for trial in self.done:
            study.add_trial(self._told(optuna, trial))
        wanted = grid_size(self.space) if self.method == "grid" else self.trials
        grid = self._grid() if self.method == "grid" else None
        while len(self.done) < wanted:
            # A batch is asked and told in the order of its numbers. Where what is asked next hangs on what is known, it
            # is as large whoever works it out, up to so many: the same seed is the same study.
            width = max(AT_ONCE, executor.width) if self.method == "tpe" else executor.width
            count = min(width, wanted - len(self.done))
            if grid is None:
                asked = [study.ask(self._distributions(optuna)) for _ in range(count)]
                batch = [dict(trial.params) for trial in asked]
            else:
                batch = grid[len(self.done) : len(self.done) + count]
            answers = executor.run(batch)
            for place, (values, answer) in enumerate(zip(batch, answers, strict=True)):
                trial = Trial(
                    number=len(self.done),
                    values=values,
                    figures={} if isinstance(answer, str) else answer,
                    error=answer if isinstance(answer, str) else None,
                    study=self.mark,
                )
                self._keep(trial)
                if grid is None:
                    told = self._objectives(trial)
                    for name, violation in self._violations(trial).items():
                        asked[place].set_constraint(name, violation)
                    if told is None:
                        study.tell(asked[place], state=optuna.trial.TrialState.FAIL)
                    else:
                        study.tell(asked[place], told)
                self.on_trial(trial)
        return self.done

    def _take_up(self) -> None:
        if self.file is None or not self.file.is_file():
            return
        names = {dimension.name for dimension in self.space}
        data = self.file.read_bytes()
        if data and not data.endswith(b"\n"):
            # Else the next trial would stand in the torn line, and be lost with it.
            with open(self.file, "ab") as file:
                file.write(b"\n")
        for number, line in enumerate(data.splitlines(), start=1):
            try:
                trial = msgspec.json.decode(line, type=Trial)
            except msgspec.MsgspecError:
                # The last line of a process that was killed in the middle of it.
                continue
            if set(trial.values) != names:
                text = f"{self.file}, line {number}: parameters must be {', '.join(sorted(names))}"
                raise ValueError(f"{text}, was {', '.join(sorted(trial.values))}: another study has this name")
            if trial.study != self.mark:
                text = "another study has this name: its trials are of another market, span, balance, costs or settings"
                raise ValueError(f"{self.file}: {text}")
            self.done.append(msgspec.structs.replace(trial, number=len(self.done)))

    def _keep(self, trial: Trial) -> None:
        self.done.append(trial)
        if self.file is not None:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(self.file, "ab") as file:
                file.write(msgspec.json.encode(trial) + b"\n")
                file.flush()

    def _grid(self) -> list[dict[str, float]]:
        points: list[dict[str, float]] = [{}]
        for dimension in self.space:
            points = [{**point, dimension.name: value} for point in points for value in dimension.values()]
        return points

    def _sampler(self, optuna: Any) -> Any:
        # Asked so often already, another seed: a study that is taken up must not ask for the same again.
        seed = self.seed + 1000 * len(self.done)
        if self.method == "tpe":
            return optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        return optuna.samplers.RandomSampler(seed=seed)

    def _distributions(self, optuna: Any) -> dict[str, Any]:
        return {dimension.name: _distribution(optuna, dimension) for dimension in self.space}

    def _told(self, optuna: Any, trial: Trial) -> Any:
        values = self._objectives(trial)
        state = optuna.trial.TrialState
        return optuna.trial.create_trial(
            state=state.FAIL if values is None else state.COMPLETE,
            params={name: _as_asked(self.space, name, value) for name, value in trial.values.items()},
            distributions=self._distributions(optuna),
            values=values,
            constraints=self._violations(trial),
        )

    def _objectives(self, trial: Trial) -> list[float] | None:
        found = [trial.figures.get(name) for name, _ in self.goal.objectives]
        known = [value for value in found if value is not None and math.isfinite(value)]
        return known if len(known) == len(found) else None

    def _violations(self, trial: Trial) -> dict[str, float]:
        return {
            f"{one.metric}{one.sign}{one.bound:g}": min(1e9, one.violation(trial.figures))
            for one in self.goal.constraints
        }


def grid_size(space: Iterable[Dimension]) -> int:
    """How many points a grid has. Raises ValueError when it has none, or too many to try."""
    size = math.prod(len(dimension.values()) for dimension in space)
    if size > LARGEST_GRID:
        raise ValueError(f"a grid must have at most {LARGEST_GRID} points, had {size}")
    return size


def _distribution(optuna: Any, dimension: Dimension) -> Any:
    if dimension.choices:
        return optuna.distributions.CategoricalDistribution(dimension.choices)
    if dimension.whole:
        step = int(dimension.step or 1)
        return optuna.distributions.IntDistribution(int(dimension.low), int(dimension.high), step=step)
    return optuna.distributions.FloatDistribution(dimension.low, dimension.high, step=dimension.step)


def _as_asked(space: Iterable[Dimension], name: str, value: float) -> float:
    for dimension in space:
        if dimension.name == name and dimension.whole and not dimension.choices:
            return int(value)
    return value


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ValueError("the search needs Optuna: install genesis-engine[cluster]") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


# --- what the trials say together ---------------------------------------------------------------------------------


class Heatmap(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of the first objective over two parameters; None where nothing was tried."""

    x: str
    y: str
    x_values: tuple[float, ...]
    y_values: tuple[float, ...]
    means: tuple[tuple[float | None, ...], ...]
    counts: tuple[tuple[int, ...], ...]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Winners of the array runner traded again by the exact one: how many, and the largest difference of any figure,
    relative to it, with the figure's name."""

    checked: int
    largest_difference: float
    figure: str


class StudyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found. `front` are the trials that no other beats in every objective; `best` is the first's best.

    `plateau` is the mean of the first objective among the nearest trials around the best, over the best's own: near 1
    it stands on a plateau, near 0 (or below) on a needle; None while the best is no gain. `deflated_sharpe` is the
    probability that the best one's Sharpe ratio is more than the luck of so many trials; `overfitting` says how often
    the best of half of the time was nothing special in the other half. None where too little is known.
    """

    trials: int
    failed: int
    infeasible: int
    objectives: tuple[tuple[str, str], ...]
    best: Trial | None
    front: tuple[Trial, ...]
    plateau: float | None
    deflated_sharpe: float | None
    heatmaps: tuple[Heatmap, ...]
    by_arrays: int = 0
    """How many trials the array runner judged; the exact one did the others."""
    proof: Proof | None = None
    overfitting: Overfitting | None = None


def report_of(
    trials: Sequence[Trial], goal: Goal, space: Sequence[Dimension], proof: Proof | None = None
) -> StudyReport:
    """Look at all trials of a study."""
    known = [trial for trial in trials if _objective(trial, goal) is not None]
    kept = [trial for trial in known if _keeps(trial, goal)]
    best = max(kept, key=lambda trial: (_score(trial, goal, 0), -trial.number), default=None)
    return StudyReport(
        trials=len(trials),
        failed=len(trials) - len(known),
        infeasible=len(known) - len(kept),
        objectives=goal.objectives,
        best=None if best is None else _shown(best),
        front=tuple(map(_shown, _front(kept, goal))),
        plateau=None if best is None else _plateau(best, known, goal, space),
        deflated_sharpe=None if best is None else _deflated(best, trials),
        heatmaps=tuple(_heatmaps(known, goal, space)),
        by_arrays=sum(BY_ARRAYS in trial.figures for trial in trials) + (0 if proof is None else proof.checked),
        proof=proof,
        overfitting=_overfitting(trials, goal),
    )


def prove(
    trials: Sequence[Trial], goal: Goal, space: Sequence[Dimension], exact: Executor
) -> tuple[list[Trial], Proof | None]:
    """Trade the winners of the array runner again by the exact one; its figures take the place of theirs.

    What is told as the best in the end was traded by the exact runner, whatever that did to those it was better than.
    """
    told = list(trials)
    checked, largest, figure = 0, 0.0, ""
    while winners := _unproven(told, goal, space):
        answers = exact.run([trial.values for trial in winners])
        for trial, answer in zip(winners, answers, strict=True):
            if isinstance(answer, str):
                raise ValueError(f"trial {trial.number + 1} could not be traded again: {answer}")
            told[trial.number] = msgspec.structs.replace(trial, figures=answer)
            for name, value in trial.figures.items():
                # Of a block in which little moved the sums are near zero, and their rounding looks like a difference.
                is_told = name != BY_ARRAYS and name not in _BLOCK_NAMES
                apart = _apart(value, answer.get(name)) if is_told else 0.0
                if apart > largest:
                    largest, figure = apart, name
        checked += len(winners)
    return told, Proof(checked=checked, largest_difference=largest, figure=figure) if checked else None


def _unproven(trials: Sequence[Trial], goal: Goal, space: Sequence[Dimension]) -> list[Trial]:
    """Those of the best that only the array runner has judged; none once the best of all is proven."""
    kept = [trial for trial in trials if _keeps(trial, goal)]
    ranked = sorted(kept, key=lambda trial: (-_score(trial, goal, 0), trial.number))
    if not ranked or BY_ARRAYS not in ranked[0].figures:
        return []
    winners = {trial.number: trial for trial in (*ranked[:PROVEN], *_front(kept, goal)[:PROVEN])}
    return [trial for trial in winners.values() if BY_ARRAYS in trial.figures]


def _keeps(trial: Trial, goal: Goal) -> bool:
    """Whether a trial has what is wanted, and keeps what is required."""
    return _objective(trial, goal) is not None and all(one.violation(trial.figures) <= 0 for one in goal.constraints)


def _apart(one: float | None, other: float | None) -> float:
    """The difference of two figures over the larger; infinite when only one of them is known."""
    if one is None or other is None:
        return 0.0 if one is other else math.inf
    return abs(one - other) / max(abs(one), abs(other), 1e-9)


def _objective(trial: Trial, goal: Goal, place: int = 0) -> float | None:
    value = trial.figures.get(goal.objectives[place][0])
    return None if value is None or not math.isfinite(value) else value


def _score(trial: Trial, goal: Goal, place: int) -> float:
    """The more the better."""
    value = _objective(trial, goal, place)
    if value is None:
        return -math.inf
    return value if goal.objectives[place][1] == "maximize" else -value


def _front(trials: Sequence[Trial], goal: Goal) -> list[Trial]:
    scored = [(tuple(_score(trial, goal, place) for place in range(len(goal.objectives))), trial) for trial in trials]
    return [
        trial
        for scores, trial in scored
        if not any(
            all(theirs >= ours for theirs, ours in zip(other, scores, strict=True)) and other != scores
            for other, _ in scored
        )
    ]


def _plateau(best: Trial, trials: Sequence[Trial], goal: Goal, space: Sequence[Dimension]) -> float | None:
    others = [trial for trial in trials if trial.values != best.values]
    top = _score(best, goal, 0)
    if len(others) < NEIGHBOURS or top <= 0.0 or not math.isfinite(top):
        return None

    def distance(trial: Trial) -> float:
        total = 0.0
        for dimension in space:
            width = dimension.high - dimension.low
            if width > 0:
                total += ((trial.values[dimension.name] - best.values[dimension.name]) / width) ** 2
        return total

    nearest = sorted(others, key=lambda trial: (distance(trial), trial.number))[:NEIGHBOURS]
    return sum(_score(trial, goal, 0) for trial in nearest) / len(nearest) / top


def _deflated(best: Trial, trials: Sequence[Trial]) -> float | None:
    sharpes = [value for trial in trials if (value := trial.figures.get("sharpe_of_a_period")) is not None]
    names = ("sharpe_of_a_period", "periods", "returns_skewness", "returns_kurtosis")
    sharpe, periods, skewness, kurtosis = (best.figures.get(name) for name in names)
    if len(sharpes) < 2 or sharpe is None or periods is None or skewness is None or kurtosis is None:
        return None
    mean = sum(sharpes) / len(sharpes)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in sharpes) / (len(sharpes) - 1))
    return deflated_sharpe(
        sharpe,
        periods=int(periods),
        skewness=skewness,
        kurtosis=kurtosis,
        trials=len(trials),
        deviation=deviation,
    )


_BLOCK_NAMES: Final = frozenset(itertools.chain.from_iterable(IN_BLOCKS))


def shown(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """Figures as people are told them: returns by block are of use for all trials together only."""
    return {name: value for name, value in figures.items() if name not in _BLOCK_NAMES}


def _shown(trial: Trial) -> Trial:
    return msgspec.structs.replace(trial, figures=shown(trial.figures))


_MOST_GROWTH: Final = frozenset({("total_return", "maximize"), ("cagr", "maximize")})
"""Goals by which halves of the time can be ranked as the search ranked all of it: how much money grew in a half is told
by its blocks, as the Sharpe ratio is; of other figures nothing is."""


def _overfitting(trials: Sequence[Trial], goal: Goal) -> Overfitting | None:
    """Over all trials whose returns are known by block, whatever is required of them: all of them were tried."""
    known = [trial.figures for trial in trials if IN_BLOCKS[0][0] in trial.figures and trial.figures.get("periods")]
    if not known:
        return None
    periods = int(known[0]["periods"] or 0)
    known = [figures for figures in known if figures["periods"] == periods]
    sums, squares = (
        np.array([[figures[names[place]] for names in IN_BLOCKS] for figures in known], dtype=np.float64)
        for place in (0, 1)
    )
    return overfitting(sums, squares, periods, "growth" if goal.objectives[0] in _MOST_GROWTH else "sharpe")


def _heatmaps(trials: Sequence[Trial], goal: Goal, space: Sequence[Dimension], *, bins: int = 12) -> Iterable[Heatmap]:
    for place, first in enumerate(space):
        for second in space[place + 1 :]:
            x_values, y_values = _bins(first, trials, bins), _bins(second, trials, bins)
            sums: dict[tuple[int, int], list[float]] = {}
            for trial in trials:
                value = _objective(trial, goal)
                if value is not None:
                    cell = (_bin(y_values, trial.values[second.name]), _bin(x_values, trial.values[first.name]))
                    sums.setdefault(cell, []).append(value)
            yield Heatmap(
                x=first.name,
                y=second.name,
                x_values=x_values,
                y_values=y_values,
                means=tuple(
                    tuple(
                        sum(found) / len(found) if (found := sums.get((row, column))) else None
                        for column in range(len(x_values))
                    )
                    for row in range(len(y_values))
                ),
                counts=tuple(
                    tuple(len(sums.get((row, column), ())) for column in range(len(x_values)))
                    for row in range(len(y_values))
                ),
            )


def _bins(dimension: Dimension, trials: Iterable[Trial], bins: int) -> tuple[float, ...]:
    values = sorted({trial.values[dimension.name] for trial in trials})
    if len(values) <= bins:
        return tuple(values)
    width = (dimension.high - dimension.low) / bins
    return tuple(dimension.low + width * (place + 0.5) for place in range(bins))


def _bin(centres: Sequence[float], value: float) -> int:
    return min(range(len(centres)), key=lambda place: abs(centres[place] - value))


def overfitted(report: StudyReport) -> str:
    """The probability of overfitting in a line."""
    found = report.overfitting
    if found is None:
        return f"not known: it takes {FEWEST_TRIALS} trials of {BLOCKS * FEWEST_A_BLOCK} returns"
    return (
        f"{found.probability:.1%} (PBO by {found.by}: in so many of {found.ways:,} halvings of the time the best of "
        f"one half is in the lower half of {found.trials} trials in the other; it loses there in "
        f"{found.loss_probability:.1%})"
    )


def judged(report: StudyReport) -> str:
    """Which runner worked the trials out, and how its winners stood the exact one."""
    if not report.by_arrays:
        return "the exact runner"
    others = report.trials - report.by_arrays
    text = f"arrays {report.by_arrays}, the exact runner {others}"
    if report.proof is None:
        return f"{text}; the best ones were not traded again"
    one = report.proof
    differ = f"{one.figure} differed by {one.largest_difference:.1e}" if one.figure else "no figure differed"
    return f"{text}; {one.checked} of the best traded again by the exact runner: {differ}"
