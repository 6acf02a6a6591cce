"""The probability model: what its file says, what it answers, how its answers are judged, and when they are distrusted.

A model is a JSON document: names and versions of its features, numbers, where they came from and how they fared. It is
evaluated with arithmetic alone, one row at a time in the engine and over arrays here, to the same number.
"""

import itertools
import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import attrs
import msgspec
import numpy as np
import numpy.typing as npt

from genesis.domain.features import FEATURES

Floats = npt.NDArray[np.float64]
FORMAT: Final = "genesis-probability-1"
CLIP: Final = 1e-3
"""No probability is nearer to 0 or 1: an isotonic end of exactly 0 costs an infinite log loss when it errs once."""
MAX_TREES: Final = 500
MAX_NODES: Final = 511
BINS: Final = 10


class LabelKind(StrEnum):
    FORWARD = "forward"
    TRIPLE_BARRIER = "triple_barrier"


class LabelSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is foreseen. `horizon` in bars, `cost` a round trip's as a fraction, `width` in usual moves of it."""

    kind: LabelKind
    horizon: int
    cost: float
    width: float = 1.0


class Tree(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tree: node 0 is the root; a node with `feature` -1 is a leaf. Left is taken when x <= threshold."""

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`platt`: p = 1 / (1 + exp(-(slope * score + offset))). `isotonic`: linear between the knots (of the score)."""

    kind: str
    slope: float = 1.0
    offset: float = 0.0
    knots: tuple[float, ...] = ()
    values: tuple[float, ...] = ()


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows whose probability lies from `low` to `high`: what was said on average, and how often it came."""

    low: float
    high: float
    rows: int
    said: float
    came: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How probabilities fared. Brier and log loss: smaller is better; `skill` = 1 - brier / that of the base rate.

    `skill_error` is its standard error over blocks of time, since neighbouring labels overlap. `calibration_error` is
    the mean distance of said from came, weighed by rows. `trades` would have been entered at `threshold`; `net_bps` is
    what one made on average after costs, `net_error_bps` its standard error.
    """

    rows: int
    base_rate: float
    brier: float
    brier_base: float
    log_loss: float
    log_loss_base: float
    skill: float
    skill_error: float
    calibration_error: float
    threshold: float
    trades: int
    net_bps: float
    net_error_bps: float
    reliability: tuple[ReliabilityBin, ...]


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """One window of the walk forward; stamps are of the first and last row that was judged."""

    first_ms: int
    last_ms: int
    trained_rows: int
    figures: Figures


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole document. `features` maps name to version, in the order of the numbers."""

    format: str
    name: str
    kind: str
    created_ms: int
    symbol: str
    timeframe: str
    label: LabelSpec
    features: dict[str, int]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...] = ()
    bias: float = 0.0
    trees: tuple[Tree, ...] = ()
    calibration: Calibration
    base_rate: float
    data_sha256: str
    data_first_ms: int
    data_last_ms: int
    data_rows: int
    out_of_sample: Figures
    folds: tuple[Fold, ...] = ()


class ModelError(ValueError):
    """A model that cannot be used, in a sentence."""


_DECODER = msgspec.json.Decoder(Model)


def read_model(data: bytes, *, source: str = "model") -> Model:
    """Raises ModelError for whatever is wrong with the document."""
    try:
        model = _DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ModelError(f"{source}: must be a model, was not: {str(error)[:200]}") from None
    try:
        check_model(model)
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from None
    return model


def write_model(model: Model) -> bytes:
    check_model(model)
    return msgspec.json.format(msgspec.json.encode(model), indent=1) + b"\n"


def check_model(model: Model) -> None:
    """Raises ModelError unless this engine can evaluate it."""
    if model.format != FORMAT:
        raise ModelError(f"format must be {FORMAT}, was {model.format}")
    known = {feature.name: feature.version for feature in FEATURES}
    for name, version in model.features.items():
        if name not in known:
            raise ModelError(f"feature {name} must be one this engine makes, was not")
        if known[name] != version:
            raise ModelError(f"feature {name} must be of version {known[name]}, was {version}: train anew")
    count = len(model.features)
    if not count or not len(model.means) == len(model.scales) == count:
        raise ModelError(f"means and scales must be {count} each, were {len(model.means)} and {len(model.scales)}")
    if any(scale <= 0 for scale in model.scales):
        raise ModelError("scales must be above zero, was not")
    if model.kind == "logistic":
        if len(model.weights) != count:
            raise ModelError(f"weights must be {count}, were {len(model.weights)}")
    elif model.kind == "boosting":
        if not 1 <= len(model.trees) <= MAX_TREES:
            raise ModelError(f"trees must be 1 to {MAX_TREES}, were {len(model.trees)}")
        for tree in model.trees:
            _check_tree(tree, count)
    else:
        raise ModelError(f"kind must be logistic or boosting, was {model.kind}")
    calibration = model.calibration
    if calibration.kind == "isotonic":
        knots, values = calibration.knots, calibration.values
        rising = all(a < b for a, b in itertools.pairwise(knots)) and list(values) == sorted(values)
        if not knots or len(knots) != len(values) or not rising or not 0 <= values[0] <= values[-1] <= 1:
            raise ModelError("isotonic knots must rise, with as many values from 0 to 1 that do not fall")
    elif calibration.kind != "platt":
        raise ModelError(f"calibration must be platt or isotonic, was {calibration.kind}")
    if not 0 < model.base_rate < 1:
        raise ModelError(f"base_rate must be between 0 and 1, was {model.base_rate}")
    if model.label.horizon < 1 or model.label.horizon > 1000:
        raise ModelError(f"horizon must be 1 to 1000 bars, was {model.label.horizon}")
    numbers = (*model.means, *model.scales, *model.weights, model.bias, calibration.slope, calibration.offset)
    if not all(math.isfinite(number) for number in numbers):
        raise ModelError("numbers must be finite, were not")


def _check_tree(tree: Tree, count: int) -> None:
    size = len(tree.feature)
    if not 1 <= size <= MAX_NODES or not size == len(tree.threshold) == len(tree.left) == len(tree.right) == len(
        tree.value
    ):
        raise ModelError(f"a tree must have 1 to {MAX_NODES} nodes of five numbers each, had {size}")
    for place, feature in enumerate(tree.feature):
        if feature == -1:
            continue
        # Children stand behind their parent: so a walk ends.
        if not (0 <= feature < count and place < tree.left[place] < size and place < tree.right[place] < size):
            raise ModelError("a tree's node must name a feature and two nodes behind it, did not")
    if not all(math.isfinite(number) for number in (*tree.threshold, *tree.value)):
        raise ModelError("numbers of a tree must be finite, were not")


def places_of(model: Model) -> list[int]:
    """Where the model's features stand in a row of `FEATURES`."""
    names = [feature.name for feature in FEATURES]
    return [names.index(name) for name in model.features]


def score(model: Model, row: Sequence[float]) -> float:
    """The model's score of one row of `FEATURES` before calibration: log odds."""
    numbers = [
        (row[place] - mean) / scale
        for place, mean, scale in zip(places_of(model), model.means, model.scales, strict=True)
    ]
    total = model.bias
    if model.kind == "logistic":
        for weight, number in zip(model.weights, numbers, strict=True):
            total += weight * number
        return total
    for tree in model.trees:
        node = 0
        while tree.feature[node] >= 0:
            below = numbers[tree.feature[node]] <= tree.threshold[node]
            node = tree.left[node] if below else tree.right[node]
        total += tree.value[node]
    return total


def calibrated(calibration: Calibration, scored: float) -> float:
    """The probability of a score, within CLIP of neither 0 nor 1."""
    if calibration.kind == "platt":
        told = _sigmoid(calibration.slope * scored + calibration.offset)
    else:
        told = float(np.interp(scored, calibration.knots, calibration.values))
    return min(1.0 - CLIP, max(CLIP, told))


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def probability(model: Model, row: Sequence[float]) -> float:
    """Of one row of `FEATURES`; NaN while a feature the model needs is unknown."""
    if any(row[place] != row[place] for place in places_of(model)):
        return math.nan
    return calibrated(model.calibration, score(model, row))


def scores_over(model: Model, rows: Floats) -> Floats:
    """float64[n] scores of float64[n, features] rows of `FEATURES`."""
    numbers = (rows[:, places_of(model)] - np.array(model.means)) / np.array(model.scales)
    if model.kind == "logistic":
        return np.asarray(model.bias + numbers @ np.array(model.weights))
    total = np.full(len(rows), model.bias)
    for tree in model.trees:
        feature, threshold = np.array(tree.feature), np.array(tree.threshold)
        left, right, value = np.array(tree.left), np.array(tree.right), np.array(tree.value)
        node = np.zeros(len(rows), dtype=np.int64)
        for _ in range(len(feature)):
            inner = feature[node] >= 0
            if not inner.any():
                break
            here = np.flatnonzero(inner)
            below = numbers[here, feature[node[here]]] <= threshold[node[here]]
            node[here] = np.where(below, left[node[here]], right[node[here]])
        total += value[node]
    return total


def calibrated_over(calibration: Calibration, scores: Floats) -> Floats:
    if calibration.kind == "platt":
        told = 1.0 / (1.0 + np.exp(-np.clip(calibration.slope * scores + calibration.offset, -500, 500)))
    else:
        told = np.interp(scores, calibration.knots, calibration.values)
    return np.asarray(np.clip(told, CLIP, 1.0 - CLIP))


def probabilities_over(model: Model, rows: Floats) -> Floats:
    """float64[n]; NaN where a feature is unknown."""
    out = np.full(len(rows), np.nan)
    known = np.isfinite(rows[:, places_of(model)]).all(axis=1)
    out[known] = calibrated_over(model.calibration, scores_over(model, rows[known]))
    return out


# --- judging ------------------------------------------------------------------------------------------------------


def judge(
    said: Floats,
    came: Floats,
    *,
    base_rate: float | Floats,
    moves: Floats,
    cost: float,
    threshold: float | Floats,
    horizon: int,
) -> Figures:
    """How probabilities fared against what came, and against always saying `base_rate` (known beforehand).

    Base rate and threshold are one number, or one of each row. `moves` are the log returns that a trade entered there
    would have made before `cost`. Raises ValueError when empty.
    """
    if not len(said):
        raise ValueError("at least one row must be judged, was none")
    model_loss, base_loss = (said - came) ** 2, (base_rate - came) ** 2
    brier, brier_base = float(model_loss.mean()), float(base_loss.mean())
    # Blocks as long as ten labels: within one, neighbours say the same thing many times.
    blocks = max(1, len(said) // (10 * horizon))
    gains = [part.mean() for part in np.array_split(base_loss - model_loss, blocks)]
    error = float(np.std(gains, ddof=1) / math.sqrt(blocks)) / brier_base if blocks > 1 and brier_base else 0.0
    trades = trades_of(said, threshold=threshold, horizon=horizon)
    net = (moves[trades] - cost) * 10_000
    return Figures(
        rows=len(said),
        base_rate=float(came.mean()),
        brier=brier,
        brier_base=brier_base,
        log_loss=_log_loss(said, came),
        log_loss_base=_log_loss(np.clip(np.broadcast_to(base_rate, said.shape), CLIP, 1.0 - CLIP), came),
        skill=1.0 - brier / brier_base if brier_base > 0 else 0.0,
        skill_error=error,
        calibration_error=_calibration_error(said, came),
        threshold=float(np.mean(threshold)),
        trades=len(trades),
        net_bps=float(net.mean()) if len(net) else 0.0,
        net_error_bps=float(net.std(ddof=1) / math.sqrt(len(net))) if len(net) > 1 else 0.0,
        reliability=reliability(said, came),
    )


def trades_of(said: Floats, *, threshold: float | Floats, horizon: int) -> npt.NDArray[np.int64]:
    """Places where somebody who may hold one position at a time, for `horizon` bars, would have entered."""
    places: list[int] = []
    free = 0
    for place in np.flatnonzero(said >= threshold):
        if place >= free:
            places.append(int(place))
            free = int(place) + horizon
    return np.array(places, dtype=np.int64)


def _log_loss(said: Floats, came: Floats) -> float:
    return float(-np.mean(came * np.log(said) + (1.0 - came) * np.log(1.0 - said)))


def reliability(said: Floats, came: Floats, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """Bins with as many rows each, so that none is empty: probabilities of a market crowd around the base rate."""
    order = np.argsort(said, kind="stable")
    return tuple(
        ReliabilityBin(
            low=float(said[part[0]]),
            high=float(said[part[-1]]),
            rows=len(part),
            said=float(said[part].mean()),
            came=float(came[part].mean()),
        )
        for part in np.array_split(order, min(bins, len(order)))
    )


def _calibration_error(said: Floats, came: Floats) -> float:
    return sum(each.rows * abs(each.said - each.came) for each in reliability(said, came)) / len(said)


# --- drift --------------------------------------------------------------------------------------------------------

DRIFT_MEMORY: Final = 200
"""Resolved predictions that weigh most."""
DRIFT_FLOOR: Final = 0.25
"""What is left of the size when probabilities no longer mean anything."""
DRIFT_ERRORS: Final = 2.0
"""Standard errors of a calibration gap that are still believed to be chance."""


@attrs.frozen(kw_only=True)
class Drift:
    """How far what was said lately is from what came. `trust` is 1 while that may be chance, DRIFT_FLOOR at worst."""

    resolved: float
    said: float
    came: float
    gap: float
    allowed: float
    trust: float


def drift_of(resolved: float, said: float, came: float, *, base_rate: float, horizon: int) -> Drift:
    """`said` and `came` are running means over the newest `resolved` predictions.

    Neighbouring labels overlap, so `horizon` of them count as one. Sizes fall in a line from one allowed gap to two.
    """
    independent = max(1.0, min(resolved, DRIFT_MEMORY) / horizon)
    allowed = DRIFT_ERRORS * math.sqrt(base_rate * (1.0 - base_rate) / independent)
    gap = abs(said - came) if resolved > 0 else 0.0
    trust = 1.0 if gap <= allowed else max(DRIFT_FLOOR, 1.0 - (1.0 - DRIFT_FLOOR) * (gap - allowed) / allowed)
    return Drift(resolved=resolved, said=said, came=came, gap=gap, allowed=allowed, trust=trust)
