"""What a strategy is: typed parameters, a flat float state, and one pure step per closed candle.

There are two ways to write the step.

**In numbers** (`numeric` and `describe`): the form to prefer. `numeric(state, open, high, low, close, volume)` takes
one closed candle in, changes the flat `state` in place and answers `(code, confidence, probability)`, where `code` is
`BUY`, `SELL` or `HOLD` of this module. It may use arithmetic, `math`, numbers of its module and functions of the same
kind (as the indicators' steps are), no objects and no texts: then the same source runs live as it stands and over years
of candles as machine code. `describe(state, code)` is called after it, only where somebody reads: it answers
`(features, reasons)` from the state, which therefore must hold all that the words tell of. `atr(state)` reads the
average true range off the state (NaN while it is unknown) for those who size positions and brackets by it; it becomes
the feature `atr`. It is as plain as `numeric`.

    def _numeric(state, open_, high, low, close, volume):
        average = sma_step(state, 0, close)
        if average != average:
            return HOLD, 0.0, 0.5
        return (BUY if close > average else SELL), 1.0, 0.5

    def _describe(state, code):
        return {"average": window_mean(state, 0)}, ("the close is above its average" if code > 0 else "it is below",)

    CLOSE_ABOVE = StrategyKind(name="close_above", version=1, parameters=(...), start=_start,
                               numeric=_numeric, describe=_describe)

**In plain Python** (`step`): one function from a candle to an `Opinion`. It runs everywhere but in the fast runner,
which says so and leaves it to the exact one.
"""

import math
from collections.abc import Callable, Mapping, MutableSequence
from typing import Final

import attrs

from protocols.market import Candle, Tick
from protocols.orders import Fill
from protocols.signals import Recommendation

BUY: Final = 1.0
HOLD: Final = 0.0
SELL: Final = -1.0
RECOMMENDATIONS: Final = {BUY: Recommendation.BUY, HOLD: Recommendation.HOLD, SELL: Recommendation.SELL}
"""What the codes of a numeric step mean."""

State = MutableSequence[float]
NumericStep = Callable[[State, float, float, float, float, float], tuple[float, float, float]]
"""(state, open, high, low, close, volume) -> (code, confidence, probability)"""
Describe = Callable[[State, float], tuple[dict[str, float], tuple[str, ...]]]
"""(state after the step, code) -> (features without `atr`, reasons)"""


class StrategyFault(Exception):
    """A strategy could not say anything, by its own fault. The text is for its author, with file and line if known.

    Whoever runs strategies switches that one off and goes on with the others.
    """


@attrs.frozen(kw_only=True)
class Parameter:
    """One number of a strategy that settings may choose, from `low` to `high` (both allowed)."""

    name: str
    default: float
    low: float
    high: float
    whole: bool
    meaning: str

    @property
    def must_be(self) -> str:
        return f"{'a whole number ' if self.whole else ''}from {self.low:g} to {self.high:g}"

    def takes(self, number: float) -> bool:
        """Whether settings may choose this number; NaN and infinities never."""
        return self.low <= number <= self.high and not (self.whole and number != int(number))


@attrs.frozen(kw_only=True)
class Opinion:
    """What a strategy thinks after one candle. `confidence` and `probability` are in [0, 1], features are finite."""

    recommendation: Recommendation
    confidence: float
    probability: float
    features: dict[str, float]
    reasons: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Turning:
    """That a strategy speaks when two of its indicators change sides, and only then: so that a sweep makes each column
    once, however many sets of parameters look at it.

    `one`, `other` and `atr` are (indicator, the parameter that is its period), of the catalogue. `side` is 1, -1,
    or 0 for neither; the first side is taken in silence, each other one is a BUY or a SELL. The numeric step must say
    the same, to the bit; a test of the sweep holds both against each other.
    """

    one: tuple[str, str]
    other: tuple[str, str]
    atr: tuple[str, str]
    side: Callable[[float, float], float]


@attrs.frozen(kw_only=True)
class StrategyKind:
    """A strategy as its author wrote it. `version` rises when the same state would mean something else.

    `start` makes a fresh state of checked parameters (and raises ValueError when they contradict one another); a step
    takes one closed candle in, changes the state in place, and may look at nothing else. So what it says at a candle
    cannot depend on later ones, and a state written down and read back goes on saying the same. Raises ValueError
    unless there is either `step`, or `numeric` with `describe`.
    """

    name: str
    version: int
    parameters: tuple[Parameter, ...]
    start: Callable[[Mapping[str, float]], list[float]]
    step: Callable[[list[float], Candle], Opinion] = attrs.field()
    numeric: NumericStep | None = None
    describe: Describe | None = None
    atr: Callable[[State], float] | None = None
    on_tick: Callable[[list[float], Tick], Opinion | None] | None = None
    """What it thinks after a trade between two candles; None for nothing. Only those that mind ticks have it."""
    on_fill: Callable[[list[float], Fill], Opinion | None] | None = None
    """The same after a trade of its own book."""
    warm: Callable[[list[float], Candle], bool] | None = None
    """Takes a candle in and says whether all is known that the strategy looks at, without asking its author's code."""
    turning: Turning | None = None
    fault: str = ""
    """Why this one cannot run at all; empty for one that can. Settings may go on naming it."""
    foreign: bool = False
    """Whether a step leaves this process: it takes tenths of a millisecond, and may take its whole budget."""
    text: str = ""
    """What it does, in a sentence."""

    def knows(self, state: list[float], candle: Candle) -> bool:
        """Takes a candle in; whether there is an answer to it. Where nobody says, one that has numbers to tell is."""
        if self.warm is not None:
            return self.warm(state, candle)
        return bool(self.step(state, candle).features.keys() - {"atr"})

    @property
    def hears_trades(self) -> bool:
        """Whether it must be told of trades: to think of them, or to hear of its fills as time goes by."""
        return self.on_tick is not None or self.on_fill is not None

    @step.default
    def _composed(self) -> Callable[[list[float], Candle], Opinion]:
        # Looked up when it is called: the other fields are not there yet.
        return self._numeric_step

    def __attrs_post_init__(self) -> None:
        is_plain = self.step != self._numeric_step
        if is_plain != (self.numeric is None) or (self.numeric is None) != (self.describe is None):
            raise ValueError(f"strategy {self.name} must have either step, or numeric and describe")

    def _numeric_step(self, state: list[float], candle: Candle) -> Opinion:
        """The step that follows of `numeric` and `describe`."""
        assert self.numeric is not None
        code, confidence, probability = self.numeric(
            state, candle.open, candle.high, candle.low, candle.close, candle.volume
        )
        return self.opinion(state, code, confidence, probability)

    def opinion(self, state: State, code: float, confidence: float, probability: float) -> Opinion:
        """What a numeric step meant, in words; `state` is as the step left it."""
        assert self.describe is not None
        features, reasons = self.describe(state, code)
        if self.atr is not None:
            atr = self.atr(state)
            if not math.isnan(atr):
                features["atr"] = atr
        return Opinion(
            recommendation=RECOMMENDATIONS[code],
            confidence=confidence,
            probability=probability,
            features=features,
            reasons=reasons,
        )

    @classmethod
    def broken(cls, name: str, fault: str) -> "StrategyKind":
        """The kind of a strategy that could not be read: known by name, and off."""

        def step(state: list[float], candle: Candle) -> Opinion:
            raise StrategyFault(fault)

        return cls(name=name, version=0, parameters=(), start=lambda _: [], step=step, fault=fault)

    def resolve(self, given: Mapping[str, float]) -> dict[str, float]:
        """All parameters, defaults filled in. Raises ValueError on an unknown name or a number out of range."""
        if self.fault:
            return dict(given)
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
