"""The probability model over HTTP: what it is, how it drifts, how it fares, and what comes round by the clock."""

from typing import Annotated, Final

import msgspec

from genesis.domain.probability import Calibration, Figures, LabelSpec
from protocols.schedule import ScheduleView
from protocols.signals import SignalScore
from web.api import Api, Call, Route
from web.bodies import Strict
from web.errors import ApiError
from web.model_ports import ModelDrift, NotJudged, ValidationReport
from web.tokens import Scope

V2: Final = "/api/v2"


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """The model without its numbers. `out_of_sample` are its figures of the walk forward it was trained with."""

    name: str
    kind: str
    symbol: str
    timeframe: str
    created_ms: int
    label: LabelSpec
    features: dict[str, int]
    weights: dict[str, float]
    calibration: Calibration
    base_rate: float
    data_sha256: str
    data_first_ms: int
    data_last_ms: int
    data_rows: int
    out_of_sample: Figures


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`model` is null while there is none; `last` is the newest validation of this process."""

    model: ModelView | None
    drift: tuple[ModelDrift, ...]
    last: ValidationReport | None


class ValidationBody(Strict, frozen=True, kw_only=True):
    """Left out, the settings `model.validate_limit` and `model.validate_max_samples` hold."""

    limit: Annotated[int, msgspec.Meta(ge=50, le=1_000_000)] | None = None
    max_samples: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    works: tuple[ScheduleView, ...]


def drift_of_scores(scores: dict[str, SignalScore]) -> tuple[ModelDrift, ...]:
    """Of each strategy's newest score that told how its model fares."""
    return tuple(
        ModelDrift(
            strategy=name,
            symbol=score.symbol,
            timeframe=score.timeframe,
            probability=score.features.get("probability"),
            trust=score.features["trust"],
            gap=score.features.get("drift_gap", 0.0),
        )
        for name, score in sorted(scores.items())
        if "trust" in score.features
    )


async def model(api: Api, call: Call) -> ModelAnswer:
    ports = api.controls.model
    assert ports is not None, "the route needs this control"
    found = await ports.model()
    view = None
    if found is not None:
        fields = {name: getattr(found, name) for name in ModelView.__struct_fields__ if name != "weights"}
        weights = dict(zip(found.features, found.weights, strict=False))
        view = ModelView(**fields, weights=weights)
    newest = {score.strategy: score for score in api.readers.signals()}
    return ModelAnswer(model=view, drift=drift_of_scores(newest), last=ports.last())


async def validate(api: Api, call: Call) -> ValidationReport:
    ports = api.controls.model
    assert ports is not None, "the route needs this control"
    body: ValidationBody = call.body
    try:
        return await ports.validate(call.subject, body.limit, body.max_samples)
    except NotJudged as refused:
        raise ApiError(409, str(refused), code="not_judged") from None


async def schedule(api: Api, call: Call) -> Schedule:
    return Schedule(works=tuple(api.readers.schedule()))


MODEL: Final = (
    Route(
        method="GET",
        path=f"{V2}/model",
        scope=Scope.READ,
        handler=model,
        answer=ModelAnswer,
        needs="model",
        tag="decisions",
        summary="The probability model: where it comes from, how it fared on data it had not seen, and its drift.",
    ),
    Route(
        method="POST",
        path=f"{V2}/validation/probability",
        scope=Scope.TRADE,
        handler=validate,
        answer=ValidationReport,
        body=ValidationBody,
        needs="model",
        tag="decisions",
        summary="Judge the model on the newest candles: Brier, log loss, calibration, reliability, and the base rate.",
        statuses=(409,),
    ),
    Route(
        method="GET",
        path=f"{V2}/schedule",
        scope=Scope.READ,
        handler=schedule,
        answer=Schedule,
        tag="engine",
        summary="Work that comes round by the clock: when it ran, how long it took, what was skipped, when it is due.",
    ),
)
