"""The probability model: it finds what is there, claims nothing where nothing is, and says how it fared."""

import itertools
import math

import attrs
import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from genesis.domain.features import COUNT, FEATURES
from genesis.domain.probability import (
    CLIP,
    DRIFT_FLOOR,
    Calibration,
    LabelKind,
    LabelSpec,
    Model,
    ModelError,
    calibrated,
    calibrated_over,
    drift_of,
    judge,
    probabilities_over,
    probability,
    read_model,
    trades_of,
    write_model,
)
from genesis.domain.risk_sizing import trust_of
from genesis.domain.strategies.probability_gated import drift_in, gated_kind
from genesis.domain.strategy import Opinion, StrategyFault
from genesis.research.model import (
    Training,
    fit,
    fit_boosting,
    fit_isotonic,
    fit_logistic,
    fit_platt,
    table_of,
    train,
    validate,
    verdict,
    walk_forward,
    windows,
)
from protocols.market import Candle
from protocols.signals import Recommendation
from protocols.units import Symbol
from tests.web.fakes import a_score

Floats = npt.NDArray[np.float64]
LABEL = LabelSpec(kind=LabelKind.FORWARD, horizon=4, cost=0.0)
TRAINING = Training(
    symbol="tBTCUSD", timeframe="1h", label=LABEL, train_bars=1500, test_bars=400, embargo=4, name="test"
)


def a_market(size: int, *, memory: float, seed: int = 5) -> Floats:
    """Hours of a walk whose returns remember `memory` of the one before."""
    chance = np.random.default_rng(seed)
    noise = chance.normal(0, 0.01, size)
    moves = np.zeros(size)
    for place in range(1, size):
        moves[place] = memory * moves[place - 1] + noise[place]
    close = 1000 * np.exp(np.cumsum(moves))
    open_ = np.r_[1000.0, close[:-1]]
    wide = np.abs(chance.normal(0, 0.003, (2, size)))
    high, low = np.maximum(open_, close) * (1 + wide[0]), np.minimum(open_, close) * (1 - wide[1])
    return np.column_stack((np.arange(size) * 3_600_000.0, open_, high, low, close, chance.uniform(1, 9, size)))


MOMENTUM = a_market(3600, memory=0.45)
WALK = a_market(3600, memory=0.0)


def test_windows_never_let_a_label_see_what_is_judged() -> None:
    found = windows(5000, TRAINING)
    assert len(found) == 9
    for learn, test in found:
        assert learn.stop + LABEL.horizon + TRAINING.embargo == test.start
        assert learn.stop - learn.start <= TRAINING.train_bars
    assert all(before[1].stop == after[1].start for before, after in itertools.pairwise(found))


def test_it_finds_a_memory_and_claims_nothing_of_a_walk() -> None:
    one_bar = LabelSpec(kind=LabelKind.FORWARD, horizon=1, cost=0.0)
    training = attrs.evolve(TRAINING, label=one_bar)
    seen = walk_forward(table_of(MOMENTUM, "1h", one_bar), training).figures(training)
    assert seen.skill > 3 * seen.skill_error > 0
    assert seen.calibration_error < 0.06
    assert "beats always saying the base rate" in verdict(seen)[0]
    assert seen.net_bps > 2 * seen.net_error_bps
    blind = walk_forward(table_of(WALK, "1h", LABEL), TRAINING).figures(TRAINING)
    assert blind.skill < 2 * blind.skill_error
    assert "beats" not in verdict(blind)[0]


def test_the_judged_rows_do_not_steer_the_model() -> None:
    """Whatever happens in and after a test window, what was said in it up to then is the same."""
    table = table_of(MOMENTUM, "1h", LABEL)
    whole = walk_forward(table, TRAINING)
    other = MOMENTUM.copy()
    other[-300:, 1:5] *= np.linspace(1.0, 0.4, 300)[:, None]
    changed = walk_forward(table_of(other, "1h", LABEL), TRAINING)
    before = whole.open_ms < MOMENTUM[-300 - LABEL.horizon, 0]
    np.testing.assert_array_equal(changed.said[: before.sum()], whole.said[before])


@pytest.mark.parametrize("calibration", ["platt", "isotonic"])
def test_a_model_file_says_the_same_row_by_row_and_over_arrays(calibration: str) -> None:
    training = attrs.evolve(TRAINING, calibration=calibration)
    model = train(MOMENTUM, training, created_ms=7)
    again = read_model(write_model(model))
    assert again == model
    assert (model.data_rows, len(model.data_sha256), model.created_ms) == (model.data_rows, 64, 7)
    assert model.out_of_sample.rows > 1000
    assert len(model.folds) >= 4
    features = table_of(MOMENTUM, "1h", LABEL).features[-40:]
    told = probabilities_over(model, features)
    one_by_one = [probability(model, row) for row in features.tolist()]
    np.testing.assert_allclose(told, one_by_one, rtol=1e-12)
    assert (told >= CLIP).all()
    assert math.isnan(probability(model, [math.nan] * COUNT))
    figures = validate(model, MOMENTUM, from_ms=int(MOMENTUM[-500, 0]))
    assert figures.rows == 500 - LABEL.horizon
    assert sum(each.rows for each in figures.reliability) == figures.rows


def test_boosted_trees_say_what_their_library_says() -> None:
    ensemble = pytest.importorskip("sklearn.ensemble")
    threads = pytest.importorskip("threadpoolctl")
    chance = np.random.default_rng(3)
    numbers = chance.normal(size=(600, 4))
    label = ((numbers[:, 0] * numbers[:, 1] + chance.normal(size=600)) > 0).astype(float)
    trees, bias = fit_boosting(numbers, label)
    names = [feature.name for feature in FEATURES][:4]
    versions = {name: 1 for name in names}
    logistic, _ = fit(table_of(MOMENTUM, "1h", LABEL), TRAINING)
    model = msgspec.structs.replace(
        logistic,
        kind="boosting",
        features=versions,
        means=(0.0,) * 4,
        scales=(1.0,) * 4,
        weights=(),
        trees=trees,
        bias=bias,
        calibration=Calibration(kind="platt"),
    )
    learner = ensemble.HistGradientBoostingClassifier(
        max_iter=80,
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=100,
        l2_regularization=10.0,
        early_stopping=False,
        random_state=0,
    )
    with threads.threadpool_limits(limits=1):
        learner.fit(numbers, label)
    padded = np.column_stack((numbers, np.zeros((600, COUNT - 4))))
    np.testing.assert_allclose(
        probabilities_over(model, padded), np.clip(learner.predict_proba(numbers)[:, 1], CLIP, 1 - CLIP), rtol=1e-9
    )
    assert probability(model, padded[3].tolist()) == pytest.approx(probabilities_over(model, padded)[3])
    assert read_model(write_model(model)).trees == trees


def test_newton_finds_the_weights_that_made_the_labels() -> None:
    chance = np.random.default_rng(1)
    numbers = chance.normal(size=(20_000, 2))
    odds = 0.8 * numbers[:, 0] - 0.5 * numbers[:, 1] + 0.3
    label = (chance.uniform(size=20_000) < 1 / (1 + np.exp(-odds))).astype(float)
    weights, bias = fit_logistic(numbers, label)
    np.testing.assert_allclose([*weights, bias], [0.8, -0.5, 0.3], atol=0.06)


@pytest.mark.parametrize("fitted", [fit_platt, fit_isotonic])
def test_calibration_mends_scores_that_boast(fitted: object) -> None:
    chance = np.random.default_rng(2)
    odds = chance.normal(0, 0.5, 6000)
    label = (chance.uniform(size=6000) < 1 / (1 + np.exp(-odds))).astype(float)
    calibration = fitted(3 * odds + 1, label)  # type: ignore[operator]
    said = calibrated_over(calibration, 3 * odds + 1)
    np.testing.assert_allclose(said.mean(), label.mean(), atol=0.02)
    assert np.abs(said - 1 / (1 + np.exp(-odds))).mean() < 0.04
    assert calibrated(calibration, 1e9) <= 1 - CLIP
    assert calibrated(calibration, -1e9) >= CLIP
    upside_down = fitted(-odds, label)  # type: ignore[operator]
    flat = calibrated_over(upside_down, np.linspace(-1, 1, 9))
    assert np.ptp(flat) < 0.1, "an order that is the wrong way round is not turned: it is not believed"


def _faults() -> list[tuple[dict[str, object], str]]:
    return [
        ({"format": "other"}, "format must be genesis-probability-1"),
        ({"features": {"magic": 1}}, "feature magic must be one this engine makes"),
        ({"features": {"rsi": 9}}, "feature rsi must be of version 1, was 9: train anew"),
        ({"means": (1.0,)}, "means and scales must be 20 each"),
        ({"weights": ()}, "weights must be 20, were 0"),
        ({"kind": "oracle"}, "kind must be logistic or boosting, was oracle"),
        ({"calibration": Calibration(kind="hope")}, "calibration must be platt or isotonic"),
        ({"calibration": Calibration(kind="isotonic", knots=(1.0, 0.0), values=(0.1, 0.2))}, "knots must rise"),
        ({"base_rate": 1.0}, "base_rate must be between 0 and 1"),
        ({"bias": math.inf}, "must be a model, was not: Expected `float`, got `null`"),
        ({"scales": (0.0,) * COUNT}, "scales must be above zero"),
    ]


@pytest.fixture(scope="module")
def model() -> Model:
    return train(MOMENTUM, TRAINING, created_ms=0)


@pytest.mark.parametrize(("changes", "told"), _faults())
def test_a_model_that_cannot_be_used_is_refused_in_a_sentence(
    model: Model, changes: dict[str, object], told: str
) -> None:
    broken = msgspec.structs.replace(model, **changes)
    with pytest.raises(ModelError, match=told):
        read_model(msgspec.json.encode(broken), source="probability.json")


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff", b"{" * 3000, b'{"format": 3}'])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"probability\.json: must be a model"):
        read_model(data, source="probability.json")


def test_training_refuses_what_cannot_be_learned_from() -> None:
    with pytest.raises(ValueError, match="no window could be judged"):
        train(MOMENTUM[:300], TRAINING, created_ms=0)
    with pytest.raises(ValueError, match="kind must be logistic or boosting, was magic"):
        train(MOMENTUM, attrs.evolve(TRAINING, kind="magic"), created_ms=0)
    with pytest.raises(ValueError, match="was moon"):
        train(MOMENTUM, attrs.evolve(TRAINING, features=("moon",)), created_ms=0)


def test_one_position_at_a_time_and_figures_by_hand() -> None:
    said = np.array([0.6, 0.7, 0.2, 0.9, 0.5])
    assert trades_of(said, threshold=0.6, horizon=2).tolist() == [0, 3]
    came = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    moves = np.array([0.02, -0.01, 0.0, 0.01, 0.0])
    figures = judge(said, came, base_rate=0.5, moves=moves, cost=0.004, threshold=0.6, horizon=2)
    assert figures.brier == pytest.approx((0.16 + 0.49 + 0.04 + 0.01 + 0.25) / 5)
    assert figures.brier_base == 0.25
    assert figures.net_bps == pytest.approx((200 - 40 + 100 - 40) / 2)
    assert figures.log_loss_base == pytest.approx(math.log(2))


def test_drift_is_chance_first_and_lowers_size_then() -> None:
    fine = drift_of(400, 0.47, 0.45, base_rate=0.45, horizon=4)
    assert fine.trust == 1.0
    bad = drift_of(400, 0.47, 0.25, base_rate=0.45, horizon=4)
    assert bad.gap == pytest.approx(0.22)
    assert DRIFT_FLOOR <= bad.trust < 1.0
    assert drift_of(400, 0.9, 0.1, base_rate=0.45, horizon=4).trust == DRIFT_FLOOR
    assert drift_of(3, 0.9, 0.1, base_rate=0.45, horizon=4).trust > 0.9, "three predictions prove nothing"
    score = msgspec.structs.replace(a_score(1), features={"trust": 0.4})
    assert float(trust_of(score)) == 0.4
    assert float(trust_of(msgspec.structs.replace(score, features={"trust": math.nan}))) == 0.0
    assert float(trust_of(a_score(1))) == 1.0


def _candles(rows: Floats, timeframe: str = "1h") -> list[Candle]:
    return [
        Candle(
            symbol=Symbol("tBTCUSD"),
            timeframe=timeframe,
            open_ms=int(row[0]),
            open=row[1],
            high=row[2],
            low=row[3],
            close=row[4],
            volume=row[5],
        )
        for row in rows.tolist()
    ]


@pytest.mark.parametrize("kind_of_label", list(LabelKind))
def test_the_gated_strategy_says_the_models_probability_and_watches_how_it_fares(
    model: Model, kind_of_label: LabelKind
) -> None:
    label = LabelSpec(kind=kind_of_label, horizon=4, cost=0.001)
    model = msgspec.structs.replace(model, label=label)
    kind = gated_kind(model, 1)
    rows = MOMENTUM[:900]
    state = kind.start(kind.resolve({}))
    opinions = [kind.step(state, candle) for candle in _candles(rows)]
    table = table_of(rows, "1h", label)
    told = probabilities_over(model, table.features)
    for place in range(600, 900):
        assert opinions[place].probability == pytest.approx(told[place], rel=1e-12)
        assert opinions[place].features["trust"] <= 1.0
    # Its own book of what was said and what came, against labels made with all of the data at hand.
    judged = np.flatnonzero(np.isfinite(told) & np.isfinite(table.label))
    said, came = 0.0, 0.0
    for number, place in enumerate(judged.tolist(), 1):
        said += (told[place] - said) / min(number, 200)
        came += (table.label[place] - came) / min(number, 200)
    drift = drift_in(state, model)
    assert drift.resolved == len(judged)
    assert drift.said == pytest.approx(said)
    assert drift.came == pytest.approx(came)


def test_the_gate_holds_back_what_the_model_does_not_believe(model: Model) -> None:
    kind = gated_kind(model, 1)

    def acts(**parameters: float) -> list[Opinion]:
        state = kind.start(kind.resolve(parameters))
        return [kind.step(state, candle) for candle in _candles(MOMENTUM[:900])]

    open_gate = [one for one in acts(probability=0.0) if one.recommendation is Recommendation.BUY]
    own_gate = [one for one in acts() if one.recommendation is Recommendation.BUY]
    shut = acts(probability=1.0)
    assert len(open_gate) > 2
    assert all(one.probability >= model.out_of_sample.threshold for one in own_gate)
    assert not [one for one in shut if one.recommendation is not Recommendation.HOLD]
    assert any("the model wants 100.0%" in reason for one in shut for reason in one.reasons)
    with pytest.raises(StrategyFault, match=r"must trade the time frame its model was trained on \(1h\), was 5m"):
        kind.step(kind.start(kind.resolve({})), _candles(MOMENTUM[:1], "5m")[0])
    with pytest.raises(ValueError, match="leave must be below enter"):
        kind.start(kind.resolve({"enter": 0.1, "leave": 0.5}))


def test_a_state_written_down_goes_on(model: Model) -> None:
    kind = gated_kind(model, 1)
    candles = _candles(MOMENTUM[:700])
    state = kind.start(kind.resolve({}))
    for candle in candles[:601]:
        kind.step(state, candle)
    again = [float(repr(number)) for number in state]
    assert [kind.step(state, one) for one in candles[601:]] == [kind.step(again, one) for one in candles[601:]]
