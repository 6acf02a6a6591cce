"""What the model's routes may ask of the engine."""

from collections.abc import Awaitable, Callable

import attrs
import msgspec

from genesis.domain.probability import Figures, Model


class NotJudged(Exception):
    """The model cannot be judged now; the text says what must be otherwise."""


class ModelDrift(msgspec.Struct, frozen=True, kw_only=True):
    """How a strategy's model fares, by its own book of what was said and what came. `trust` is the part of the size."""

    strategy: str
    symbol: str
    timeframe: str
    probability: float | None
    trust: float
    gap: float


class ValidationReport(msgspec.Struct, frozen=True, kw_only=True):
    """How the model fared on the candles that were known at `at_ms` (venue time), against the base rate."""

    at_ms: int
    by: str
    symbol: str
    timeframe: str
    candles: int
    figures: Figures
    verdict: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ModelPorts:
    """`validate` takes (who asks, candles at most, rows to judge at most) and raises NotJudged."""

    model: Callable[[], Awaitable[Model | None]]
    validate: Callable[[str, int | None, int | None], Awaitable[ValidationReport]]
    last: Callable[[], ValidationReport | None]
