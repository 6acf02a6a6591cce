"""Training and judging the probability model: walk forward, purged, with an embargo, and calibrated on held-out data.

Every figure is of rows that the numbers in question had not seen. In a window of the walk forward, a model is fitted on
the older part of what came before, calibrated on the newer part, and judged on what comes after; between the parts as
many bars are left out as a label looks ahead (purge), before the judged window some more (embargo).
"""

import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from genesis.domain.features import FEATURES, features_over
from genesis.domain.labels import forward_label, triple_barrier_label
from genesis.domain.probability import (
    FORMAT,
    MAX_TREES,
    Calibration,
    Figures,
    Fold,
    LabelKind,
    LabelSpec,
    Model,
    Tree,
    calibrated_over,
    check_model,
    judge,
    probabilities_over,
    scores_over,
)
from protocols.units import TIMEFRAME_MS

Floats = npt.NDArray[np.float64]
CALIBRATED_ON: Final = 0.3
"""Part of the training rows, the newest, that calibration is fitted on."""
LEAST_ROWS: Final = 500
RIDGE: Final = 20.0
"""Penalty of the weights, in rows: a weight needs the evidence of so many to leave zero."""
TOP: Final = 0.9
"""A trade is entered where the probability is among the highest tenth of those that calibration was fitted on."""


DEFAULT_LABEL: Final = LabelSpec(kind=LabelKind.FORWARD, horizon=24, cost=0.004)
"""A day of hours; two taker fees of 0.2 % are the costs."""


@attrs.frozen(kw_only=True)
class Training:
    """What to train, and how. Windows are in bars; `embargo` is left out on top of what a label looks ahead."""

    symbol: str
    timeframe: str
    kind: str = "logistic"
    calibration: str = "platt"
    label: LabelSpec = DEFAULT_LABEL
    train_bars: int = 8_000
    test_bars: int = 720
    embargo: int = 24
    features: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
    name: str = "probability"

    def check(self) -> None:
        """Raises ValueError on what cannot be trained."""
        if self.kind not in ("logistic", "boosting"):
            raise ValueError(f"kind must be logistic or boosting, was {self.kind}")
        if self.calibration not in ("platt", "isotonic"):
            raise ValueError(f"calibration must be platt or isotonic, was {self.calibration}")
        if self.timeframe not in TIMEFRAME_MS:
            raise ValueError(f"timeframe must be one of {', '.join(TIMEFRAME_MS)}, was {self.timeframe}")
        if not 1 <= self.label.horizon <= 1000:
            raise ValueError(f"horizon must be 1 to 1000 bars, was {self.label.horizon}")
        if self.train_bars < 2 * LEAST_ROWS or self.test_bars < 10 or self.embargo < 0:
            raise ValueError(f"windows must be at least {2 * LEAST_ROWS} bars to train and 10 to test, were not")
        known = {feature.name for feature in FEATURES}
        unknown = [name for name in self.features if name not in known]
        if unknown or not self.features:
            raise ValueError(f"features must be of {', '.join(sorted(known))}, was {', '.join(unknown) or 'none'}")


@attrs.frozen(kw_only=True)
class Table:
    """Rows to learn from: features, label, and the move a trade would have made; `open_ms` names each."""

    open_ms: Floats
    features: Floats
    label: Floats
    moves: Floats

    def __len__(self) -> int:
        return len(self.open_ms)

    def part(self, places: slice | npt.NDArray[Any]) -> "Table":
        return Table(
            open_ms=self.open_ms[places],
            features=self.features[places],
            label=self.label[places],
            moves=self.moves[places],
        )

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        finite = np.isfinite(np.column_stack((self.features, self.label)))
        return np.asarray(finite.all(axis=1))


def table_of(rows: Floats, timeframe: str, label: LabelSpec) -> Table:
    """Features and labels of float64[n, 6] candles, oldest first, a row each."""
    close = rows[:, 4]
    moves = np.full(len(rows), np.nan)
    if len(rows) > label.horizon:
        moves[: -label.horizon] = np.log(close[label.horizon :] / close[: -label.horizon])
    if label.kind is LabelKind.FORWARD:
        came = forward_label(close, horizon=label.horizon, cost=label.cost)
    else:
        returns = np.diff(np.log(close), prepend=np.log(close[:1]))
        # What is usual for so many bars, by the last 48: known at the bar itself.
        squares = np.cumsum(np.r_[0.0, returns**2])
        scale = np.full(len(rows), np.nan)
        scale[48:] = np.sqrt((squares[49:] - squares[1:-48]) / 48 * label.horizon)
        came = triple_barrier_label(
            rows[:, 2], rows[:, 3], close, scale, horizon=label.horizon, width=label.width, cost=label.cost
        )
    return Table(open_ms=rows[:, 0], features=features_over(rows, TIMEFRAME_MS[timeframe]), label=came, moves=moves)


# --- fitting ------------------------------------------------------------------------------------------------------


def fit_logistic(numbers: Floats, label: Floats, ridge: float = RIDGE) -> tuple[Floats, float]:
    """(weights, bias) of the penalised likelihood, by Newton's method. `numbers` are standardised."""
    design = np.column_stack((numbers, np.ones(len(numbers))))
    penalty = np.full(design.shape[1], ridge)
    penalty[-1] = 0.0
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        said = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (said - label) + penalty * weights
        curve = (design.T * (said * (1.0 - said))) @ design + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curve, slope)
        weights -= step
        if float(np.abs(step).max()) < 1e-9:
            break
    return weights[:-1], float(weights[-1])


def fit_boosting(numbers: Floats, label: Floats) -> tuple[tuple[Tree, ...], float]:
    """(trees, bias): gradient boosting of small trees. Raises ValueError without the extra `ml`."""
    try:
        ensemble = importlib.import_module("sklearn.ensemble")
        threads = importlib.import_module("threadpoolctl")
    except ModuleNotFoundError:
        raise ValueError("kind boosting must have the extra ml: pip install 'genesis-engine[ml]'") from None
    learner = ensemble.HistGradientBoostingClassifier(
        max_iter=80,
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=100,
        l2_regularization=10.0,
        early_stopping=False,
        random_state=0,
    )
    # The machine has trading to do; and on few cores its threads wait for one another longer than they work.
    with threads.threadpool_limits(limits=1):
        learner.fit(numbers, label)
    trees = tuple(_tree(predictor.nodes) for (predictor,) in learner._predictors)
    assert len(trees) <= MAX_TREES
    return trees, float(np.asarray(learner._baseline_prediction).ravel()[0])


def _tree(nodes: Any) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=tuple(np.where(leaf, -1, nodes["feature_idx"].astype(np.int64)).tolist()),
        threshold=tuple(np.where(leaf, 0.0, nodes["num_threshold"]).tolist()),
        left=tuple(int(x) for x in nodes["left"]),
        right=tuple(int(x) for x in nodes["right"]),
        value=tuple(float(x) for x in nodes["value"]),
    )


def fit_platt(scores: Floats, label: Floats) -> Calibration:
    """Platt's two numbers, with his correction for certain labels."""
    up, down = float(label.sum()), float(len(label) - label.sum())
    soft = np.where(label > 0, (up + 1.0) / (up + 2.0), 1.0 / (down + 2.0))
    spread = float(scores.std()) or 1.0
    middle = float(scores.mean())
    weights, bias = fit_logistic(((scores - middle) / spread)[:, None], soft, ridge=1e-6)
    # A calibration that turns the order round says that the model learned nothing: then the base rate is all there is.
    slope = max(0.0, float(weights[0])) / spread
    if slope == 0.0:
        rate = up / (up + down)
        return Calibration(kind="platt", slope=0.0, offset=float(np.log(rate / (1.0 - rate))))
    return Calibration(kind="platt", slope=slope, offset=bias - float(weights[0]) * middle / spread)


def fit_isotonic(scores: Floats, label: Floats, least: int = 50) -> Calibration:
    """Rising steps by pooling neighbours that fall, of at least `least` rows each, joined by lines."""
    order = np.argsort(scores, kind="stable")
    groups = [part for part in np.array_split(order, max(1, len(order) // least)) if len(part)]
    pools: list[list[float]] = []
    for part in groups:
        pools.append([float(scores[part].mean()), float(label[part].mean()), float(len(part))])
        while len(pools) > 1 and pools[-2][1] >= pools[-1][1]:
            x, y, n = pools.pop()
            before = pools[-1]
            total = before[2] + n
            before[0] = (before[0] * before[2] + x * n) / total
            before[1] = (before[1] * before[2] + y * n) / total
            before[2] = total
    knots: list[float] = []
    values: list[float] = []
    for x, y, _ in pools:
        if not knots or x > knots[-1]:
            knots.append(x)
            values.append(y)
    return Calibration(kind="isotonic", knots=tuple(knots), values=tuple(values))


def fit(table: Table, training: Training) -> tuple[Model, float]:
    """A calibrated model of these rows (without figures), and the probability a trade is entered at.

    Raises ValueError when there are too few rows, or all of one kind.
    """
    table = table.part(table.known)
    cut = int(len(table) * (1.0 - CALIBRATED_ON))
    older, newer = table.part(slice(0, max(0, cut - training.label.horizon))), table.part(slice(cut, None))
    if len(older) < LEAST_ROWS or len(newer) < LEAST_ROWS // 3:
        raise ValueError(f"rows to learn from must be at least {2 * LEAST_ROWS}, were {len(table)}")
    for part in (older, newer):
        if not 0 < part.label.mean() < 1:
            raise ValueError("labels must be of both kinds, were all the same: choose another horizon or cost")
    places = [[feature.name for feature in FEATURES].index(name) for name in training.features]
    means = older.features[:, places].mean(axis=0)
    scales = older.features[:, places].std(axis=0)
    scales[scales < 1e-9] = 1.0
    numbers = (older.features[:, places] - means) / scales
    weights = np.zeros(0)
    trees: tuple[Tree, ...] = ()
    if training.kind == "logistic":
        weights, bias = fit_logistic(numbers, older.label)
    else:
        trees, bias = fit_boosting(numbers, older.label)
    versions = {feature.name: feature.version for feature in FEATURES}
    model = Model(
        format=FORMAT,
        name=training.name,
        kind=training.kind,
        created_ms=0,
        symbol=training.symbol,
        timeframe=training.timeframe,
        label=training.label,
        features={name: versions[name] for name in training.features},
        means=tuple(means.tolist()),
        scales=tuple(scales.tolist()),
        weights=tuple(weights.tolist()),
        bias=bias,
        trees=trees,
        calibration=Calibration(kind="platt"),
        base_rate=float(table.label.mean()),
        data_sha256="",
        data_first_ms=int(table.open_ms[0]),
        data_last_ms=int(table.open_ms[-1]),
        data_rows=len(table),
        out_of_sample=NO_FIGURES,
    )
    scores = scores_over(model, newer.features)
    fitted = fit_platt if training.calibration == "platt" else fit_isotonic
    calibration = fitted(scores, newer.label)
    threshold = float(np.quantile(calibrated_over(calibration, scores), TOP))
    return replace(model, calibration=calibration), threshold


NO_FIGURES: Final = Figures(
    rows=0,
    base_rate=0.0,
    brier=0.0,
    brier_base=0.0,
    log_loss=0.0,
    log_loss_base=0.0,
    skill=0.0,
    skill_error=0.0,
    calibration_error=0.0,
    threshold=1.0,
    trades=0,
    net_bps=0.0,
    net_error_bps=0.0,
    reliability=(),
)


# --- walking forward ----------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Walk:
    """What a walk forward said of rows it had not seen: one entry a row, in order of time."""

    open_ms: Floats
    said: Floats
    came: Floats
    moves: Floats
    base_rate: Floats
    threshold: Floats
    folds: tuple[Fold, ...]

    def figures(self, training: Training) -> Figures:
        return judge(
            self.said,
            self.came,
            base_rate=self.base_rate,
            moves=self.moves,
            cost=training.label.cost,
            threshold=self.threshold,
            horizon=training.label.horizon,
        )


def windows(size: int, training: Training) -> list[tuple[slice, slice]]:
    """(train, test) places of every window: nothing that a training label looks at is in its test window."""
    gap = training.label.horizon + training.embargo
    found: list[tuple[slice, slice]] = []
    first = min(training.train_bars, max(2 * LEAST_ROWS, size // 2)) + gap
    for start in range(first, size, training.test_bars):
        last = start - gap
        found.append(
            (slice(max(0, last - training.train_bars), last), slice(start, min(size, start + training.test_bars)))
        )
    return found


def walk_forward(
    table: Table, training: Training, *, from_ms: int = 0, on_progress: Callable[[float, str], None] | None = None
) -> Walk:
    """Fit, calibrate and judge, window after window; windows that begin before `from_ms` are only learned from.

    Raises ValueError when no window can be judged.
    """
    training.check()
    parts: list[tuple[Table, Floats, float, float]] = []
    folds: list[Fold] = []
    planned = [pair for pair in windows(len(table), training) if table.open_ms[pair[1].start] >= from_ms]
    for number, (learn, test) in enumerate(planned):
        if on_progress is not None:
            on_progress(number / len(planned), f"window {number + 1} of {len(planned)}")
        judged = table.part(test)
        judged = judged.part(judged.known)
        try:
            model, threshold = fit(table.part(learn), training)
        except ValueError:
            # Too few rows at the beginning, or a market that only fell: nothing can be learned there.
            continue
        if not len(judged):
            continue
        said = probabilities_over(model, judged.features)
        folds.append(
            Fold(
                first_ms=int(judged.open_ms[0]),
                last_ms=int(judged.open_ms[-1]),
                trained_rows=model.data_rows,
                figures=judge(
                    said,
                    judged.label,
                    base_rate=model.base_rate,
                    moves=judged.moves,
                    cost=training.label.cost,
                    threshold=threshold,
                    horizon=training.label.horizon,
                ),
            )
        )
        parts.append((judged, said, model.base_rate, threshold))
    if not parts:
        raise ValueError(f"there must be more candles than {len(table)}: no window could be judged")
    return Walk(
        open_ms=np.concatenate([part.open_ms for part, _, _, _ in parts]),
        said=np.concatenate([said for _, said, _, _ in parts]),
        came=np.concatenate([part.label for part, _, _, _ in parts]),
        moves=np.concatenate([part.moves for part, _, _, _ in parts]),
        base_rate=np.concatenate([np.full(len(part), rate) for part, _, rate, _ in parts]),
        threshold=np.concatenate([np.full(len(part), threshold) for part, _, _, threshold in parts]),
        folds=tuple(folds),
    )


def train(
    rows: Floats,
    training: Training,
    *,
    created_ms: int,
    from_ms: int = 0,
    on_progress: Callable[[float, str], None] | None = None,
) -> Model:
    """Walk forward for the figures, then fit on the newest rows for use. Raises ValueError."""
    training.check()
    table = table_of(rows, training.timeframe, training.label)
    walk = walk_forward(table, training, from_ms=from_ms, on_progress=on_progress)
    model, threshold = fit(table.part(slice(max(0, len(table) - training.train_bars), None)), training)
    figures = walk.figures(training)
    model = replace(
        model,
        created_ms=created_ms,
        data_sha256=hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest(),
        out_of_sample=figures,
        folds=walk.folds,
    )
    check_model(model)
    # The threshold of the model that will be used, not the mean of those in the walk.
    return replace(model, out_of_sample=replace(figures, threshold=threshold))


def validate(model: Model, rows: Floats, *, from_ms: int = 0) -> Figures:
    """How a finished model fares on candles from `from_ms` on; older ones warm its features up. Raises ValueError."""
    check_model(model)
    table = table_of(rows, model.timeframe, model.label)
    table = table.part(table.known & (table.open_ms >= from_ms))
    if not len(table):
        text = f"{model.label.horizon} bars after the features are known (about 190 candles)"
        raise ValueError(f"candles to judge must reach at least {text}, did not")
    return judge(
        probabilities_over(model, table.features),
        table.label,
        base_rate=model.base_rate,
        moves=table.moves,
        cost=model.label.cost,
        threshold=model.out_of_sample.threshold,
        horizon=model.label.horizon,
    )


def verdict(figures: Figures) -> tuple[str, ...]:
    """What the figures say, in sentences that a person would sign."""
    better = figures.skill > 2.0 * figures.skill_error and figures.skill > 0.0
    worse = figures.skill < -2.0 * figures.skill_error
    word = "beats" if better else "is worse than" if worse else "cannot be told from"
    told = [
        f"On {figures.rows} rows it had not seen it {word} always saying the base rate: skill {figures.skill:+.2%} "
        f"(standard error {figures.skill_error:.2%})."
    ]
    if figures.trades:
        pays = figures.net_bps > 2.0 * figures.net_error_bps
        loses = figures.net_bps < -2.0 * figures.net_error_bps
        money = "pays after costs" if pays else "loses after costs" if loses else "neither pays nor loses for certain"
        told.append(
            f"Entering where it is surest {money}: {figures.net_bps:+.1f} basis points a trade "
            f"(standard error {figures.net_error_bps:.1f}, {figures.trades} trades)."
        )
    told.append(f"What it says and what comes differ by {figures.calibration_error:.1%} on average.")
    return tuple(told)


def ablation(
    table: Table, training: Training, groups: Mapping[str, Sequence[str]], *, from_ms: int = 0
) -> list[tuple[str, Figures]]:
    """The figures with every feature, and without each group of them."""
    found = [("all", walk_forward(table, training, from_ms=from_ms).figures(training))]
    for name, without in groups.items():
        left = tuple(each for each in training.features if each not in without)
        walk = walk_forward(table, attrs.evolve(training, features=left), from_ms=from_ms)
        found.append((f"without {name}", walk.figures(training)))
    return found
