"""Probability-gated: the ensemble's voters propose, a calibrated model must think that it pays, and drift lowers size.

The model's answer and how it has fared lately are part of the strategy's own state, so a backtest, a restart and the
live engine gate and size alike. A step also resolves the prediction of `horizon` bars ago and compares what was said
with what came: the feature `trust` (1 while the gap may be chance) scales the size of an entry.
"""

import math
from collections.abc import Mapping
from typing import Final

from genesis.domain.features import COUNT, FEATURES_SIZE, features_start, features_step
from genesis.domain.indicators.volatility import realised_volatility_start, realised_volatility_step
from genesis.domain.probability import (
    DRIFT_MEMORY,
    Drift,
    LabelKind,
    Model,
    check_model,
    drift_of,
    probability,
)
from genesis.domain.strategies.regime_ensemble import VOTE_PARAMETERS, describe_votes, start_votes
from genesis.domain.strategies.voting import votes_atr, votes_step
from genesis.domain.strategy import Opinion, Parameter, StrategyFault, StrategyKind
from protocols.market import Candle
from protocols.signals import Recommendation
from protocols.units import TIMEFRAME_MS

NAME: Final = "probability_gated"
# State: [inside] [resolved] [mean said] [mean came] [place in the ring] [predictions made] [features] [volatility]
#        [ring of horizon x (probability, close, upper, lower, outcome)] [votes]
_INSIDE, _RESOLVED, _SAID, _CAME, _SLOT, _MADE = range(6)
_FEATURES = 6
_VOLATILITY = _FEATURES + FEATURES_SIZE
_WINDOW: Final = 48
_RING = _VOLATILITY + len(realised_volatility_start(_WINDOW))
_ENTRY: Final = 5


def gated_kind(model: Model, version: int) -> StrategyKind:
    """The strategy with this model. `version` must change when the model does. Raises ModelError."""
    check_model(model)
    horizon, label = model.label.horizon, model.label
    votes = _RING + _ENTRY * horizon

    def start(parameters: Mapping[str, float]) -> list[float]:
        enter, leave = parameters["enter"], parameters["leave"]
        if leave >= enter:
            raise ValueError(f"{NAME}.leave must be below enter ({enter:g}), was {leave:g}")
        head = [0.0] * _FEATURES
        ring = [math.nan] * (_ENTRY * horizon)
        parts = [*features_start(TIMEFRAME_MS[model.timeframe]), *realised_volatility_start(_WINDOW)]
        # The three numbers a step looks at lead nobody: they stand behind everything else.
        return [*head, *parts, *ring, *start_votes(parameters), enter, leave, parameters["probability"]]

    def step(state: list[float], candle: Candle) -> Opinion:
        if candle.timeframe != model.timeframe:
            text = f"{NAME}: must trade the time frame its model was trained on ({model.timeframe})"
            raise StrategyFault(f"{text}, was {candle.timeframe}")
        enter, leave, wanted = state[-3:]
        vote = votes_step(state, votes, candle.high, candle.low, candle.close)
        row = [0.0] * COUNT
        features_step(
            state,
            _FEATURES,
            row,
            float(candle.open_ms),
            candle.open,
            candle.high,
            candle.low,
            candle.close,
            candle.volume,
        )
        deviation = realised_volatility_step(state, _VOLATILITY, candle.close)
        said = probability(model, row)
        _resolve(state, candle)
        _predict(state, candle, said, deviation)
        drift = drift_of(state[_RESOLVED], state[_SAID], state[_CAME], base_rate=model.base_rate, horizon=horizon)
        features, reasons = describe_votes(state, votes)
        if math.isnan(said) or math.isnan(vote):
            text = "the model's features are not all known yet"
            return _opinion(Recommendation.HOLD, 0.0, model.base_rate, features, (*reasons, text))
        features |= {"probability": said, "base_rate": model.base_rate, "trust": drift.trust, "drift_gap": drift.gap}
        atr = votes_atr(state, votes)
        if not math.isnan(atr):
            features["atr"] = atr
        reasons = (*reasons, f"probability {said:.1%} (base rate {model.base_rate:.1%})", _words(drift))
        # A model that lost its meaning speaks less loudly, too.
        confidence = abs(vote) * drift.trust
        if state[_INSIDE] == 0.0 and vote >= enter:
            if said < wanted:
                return _opinion(
                    Recommendation.HOLD,
                    confidence,
                    said,
                    features,
                    (*reasons, f"the voters would enter, the model wants {wanted:.1%}"),
                )
            state[_INSIDE] = 1.0
            return _opinion(Recommendation.BUY, confidence, said, features, reasons)
        if state[_INSIDE] == 1.0 and vote <= leave:
            state[_INSIDE] = 0.0
            return _opinion(Recommendation.SELL, confidence, said, features, reasons)
        return _opinion(Recommendation.HOLD, confidence, said, features, reasons)

    def _resolve(state: list[float], candle: Candle) -> None:
        """Let every prediction that waits see the candle, and close the one that is `horizon` bars old."""
        if label.kind is LabelKind.TRIPLE_BARRIER:
            for at in range(_RING, votes, _ENTRY):
                if math.isnan(state[at]) or not math.isnan(state[at + 4]):
                    continue
                if candle.low <= state[at + 3]:
                    state[at + 4] = 0.0
                elif candle.high >= state[at + 2]:
                    state[at + 4] = 1.0
        at = _RING + _ENTRY * int(state[_SLOT])
        if math.isnan(state[at]):
            return
        came = state[at + 4]
        if math.isnan(came):
            came = 1.0 if math.log(candle.close / state[at + 1]) > label.cost else 0.0
        state[_RESOLVED] += 1.0
        weight = 1.0 / min(state[_RESOLVED], DRIFT_MEMORY)
        state[_SAID] += (state[at] - state[_SAID]) * weight
        state[_CAME] += (came - state[_CAME]) * weight

    def _predict(state: list[float], candle: Candle, said: float, deviation: float) -> None:
        slot = int(state[_SLOT])
        at = _RING + _ENTRY * slot
        distance = label.width * deviation * math.sqrt(horizon)
        state[at] = said if distance > 0.0 or label.kind is LabelKind.FORWARD else math.nan
        state[at + 1] = candle.close
        state[at + 2] = candle.close * math.exp(max(distance, label.cost)) if distance == distance else math.nan
        state[at + 3] = candle.close * math.exp(-distance) if distance == distance else math.nan
        state[at + 4] = math.nan
        state[_SLOT] = float((slot + 1) % horizon)
        state[_MADE] += 1.0

    threshold = min(1.0, max(0.0, model.out_of_sample.threshold))
    return StrategyKind(
        name=NAME,
        version=version,
        text="The ensemble proposes, a calibrated model must think that it pays, and drift lowers size.",
        parameters=(
            *VOTE_PARAMETERS,
            Parameter(name="enter", default=0.4, low=0.01, high=1, whole=False, meaning="vote that an entry takes"),
            Parameter(name="leave", default=-0.1, low=-1, high=0.9, whole=False, meaning="vote at which it leaves"),
            Parameter(
                name="probability",
                default=threshold,
                low=0,
                high=1,
                whole=False,
                meaning="probability that an entry takes; the default is the model's own",
            ),
        ),
        start=start,
        step=step,
    )


def drift_in(state: list[float], model: Model) -> Drift:
    """How the model has fared lately, of the strategy's state."""
    return drift_of(
        state[_RESOLVED], state[_SAID], state[_CAME], base_rate=model.base_rate, horizon=model.label.horizon
    )


def _words(drift: Drift) -> str:
    if drift.resolved == 0.0:
        return "no prediction has been resolved yet"
    text = f"of its last predictions it said {drift.said:.1%} and {drift.came:.1%} came"
    if drift.trust < 1.0:
        return f"{text}: more than chance allows ({drift.allowed:.1%}), so size is {drift.trust:.0%}"
    return f"{text}, within what chance allows ({drift.allowed:.1%})"


def _opinion(
    recommendation: Recommendation,
    confidence: float,
    said: float,
    features: dict[str, float],
    reasons: tuple[str, ...],
) -> Opinion:
    return Opinion(
        recommendation=recommendation, confidence=confidence, probability=said, features=features, reasons=reasons
    )
