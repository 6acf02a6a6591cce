"""What a strategy is: typed parameters, a flat float state, and one pure step per closed candle."""

import math
from collections.abc import Callable, Mapping

import attrs

from protocols.market import Candle
from protocols.signals import Recommendation


@attrs.frozen(kw_only=True)
class Parameter:
    """One number of a strategy that settings may choose, from `low` to `high` (both allowed)."""

    name: str
    default: float
    low: float
    high: float
    whole: bool
    meaning: str


@attrs.frozen(kw_only=True)
class Opinion:
    """What a strategy thinks after one candle. `confidence` and `probability` are in [0, 1], features are finite."""

    recommendation: Recommendation
    confidence: float
    probability: float
    features: dict[str, float]
    reasons: tuple[str, ...]


@attrs.frozen(kw_only=True)
class StrategyKind:
    """A strategy as its author wrote it. `version` rises when the same state would mean something else.

    `start` makes a fresh state of checked parameters (and raises ValueError when they contradict one another); `step`
    takes one closed candle in, changes the state in place, and may look at nothing else. So what it says at a candle
    cannot depend on later ones, and a state written down and read back goes on saying the same.
    """

    name: str
    version: int
    parameters: tuple[Parameter, ...]
    start: Callable[[Mapping[str, float]], list[float]]
    step: Callable[[list[float], Candle], Opinion]

    def resolve(self, given: Mapping[str, float]) -> dict[str, float]:
        """All parameters, defaults filled in. Raises ValueError on an unknown name or a number out of range."""
        known = {parameter.name for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise ValueError(f"parameter of {self.name} must be one of {', '.join(sorted(known))}, was {name}")
        resolved: dict[str, float] = {}
        for parameter in self.parameters:
            number = float(given.get(parameter.name, parameter.default))
            if not (math.isfinite(number) and parameter.low <= number <= parameter.high):
                raise ValueError(
                    f"{self.name}.{parameter.name} must be from {parameter.low:g} to {parameter.high:g}, was {number:g}"
                )
            if parameter.whole and number != int(number):
                raise ValueError(f"{self.name}.{parameter.name} must be a whole number, was {number:g}")
            resolved[parameter.name] = number
        return resolved
