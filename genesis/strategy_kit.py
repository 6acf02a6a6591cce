"""What a strategy file is written with: a class, its parameters, indicators and memory, and its answer.

A file in `genesis_data/strategies/` holds one class made of `Strategy`; its name is the name settings know it by.
`genesis strategies new NAME` writes one with comments. It runs in a process of its own, with the rights of the engine's
user: this is protection against mistakes, not against malice.
"""

import inspect
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from genesis.domain.strategy import BUY, HOLD, SELL
from genesis.domain.user_strategy import DeclaredIndicator, DeclaredParameter

__all__ = ["Bar", "Fill", "Indicator", "Number", "Signal", "Strategy", "Tick", "Whole", "buy", "hold", "sell"]


def Number(name: str, default: float, low: float, high: float, meaning: str = "") -> DeclaredParameter:
    """A parameter from `low` to `high`, both allowed."""
    return DeclaredParameter(name=name, default=float(default), low=float(low), high=float(high), meaning=meaning)


def Whole(name: str, default: int, low: int, high: int, meaning: str = "") -> DeclaredParameter:
    """A parameter that is a whole number, such as a count of candles."""
    return DeclaredParameter(
        name=name, default=float(default), low=float(low), high=float(high), whole=True, meaning=meaning
    )


class Indicator:
    """One of the engine's indicators. A parameter is a number, or the name of one of the strategy's own parameters.

    With `timeframe` it is made of longer candles, which count once they are over.
    """

    def __init__(self, name: str, *, timeframe: str | None = None, **parameters: float | str) -> None:
        self.name, self.timeframe, self.parameters = name, timeframe, parameters

    def declared(self, own_name: str) -> DeclaredIndicator:
        numbers = {key: value if isinstance(value, str) else float(value) for key, value in self.parameters.items()}
        return DeclaredIndicator(name=own_name, indicator=self.name, timeframe=self.timeframe, parameters=numbers)


@attrs.frozen
class Signal:
    """What the strategy thinks after a candle, a tick or a fill."""

    code: float
    confidence: float
    probability: float
    reason: str
    features: Mapping[str, float]


def buy(reason: str = "", *, confidence: float = 1.0, probability: float = 0.5, **features: float) -> Signal:
    """Be in the market. `confidence` and `probability` (that it pays) are from 0 to 1; `features` are told with it."""
    return Signal(BUY, confidence, probability, reason, features)


def sell(reason: str = "", *, confidence: float = 1.0, probability: float = 0.5, **features: float) -> Signal:
    """Be out of the market."""
    return Signal(SELL, confidence, probability, reason, features)


def hold(reason: str = "", *, confidence: float = 0.0, probability: float = 0.5, **features: float) -> Signal:
    """Change nothing."""
    return Signal(HOLD, confidence, probability, reason, features)


@attrs.frozen(kw_only=True)
class _Seen:
    """What every event carries: `values` of the indicators after the last closed candle, `parameters` by name."""

    symbol: str
    values: Mapping[str, float]
    parameters: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        try:
            return self.values[name]
        except KeyError:
            known = ", ".join(self.values) or "none"
            raise KeyError(f"{name} must be an indicator that is declared ({known})") from None

    @property
    def ready(self) -> bool:
        """Whether every indicator has had the candles it needs."""
        return not any(math.isnan(value) for value in self.values.values())


@attrs.frozen(kw_only=True)
class Bar(_Seen):
    """One closed candle. `bar["fast"]` is the indicator declared as `fast`, `bar["bands.upper"]` one of its outputs.

    Nothing of later candles is in it.
    """

    timeframe: str
    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@attrs.frozen(kw_only=True)
class Tick(_Seen):
    """What traded since the strategy heard of it last: mostly one trade, several while it was busy.

    `price` is the newest trade's, `time_ms` the venue's stamp of it; `high`, `low`, `volume` (base) and `trades` are
    over all of them. `tick["fast"]` is the indicator after the last closed candle.
    """

    time_ms: int
    price: float
    high: float
    low: float
    volume: float
    trades: int


@attrs.frozen(kw_only=True)
class Fill(_Seen):
    """One trade of the strategy's own book. `side` is "buy" or "sell", `amount` base and above zero.

    `fee` is in `fee_currency`, below zero when it was paid. `reason` says what the order was for: entry, exit, stop,
    target, flatten or manual.
    """

    time_ms: int
    side: str
    price: float
    amount: float
    fee: float
    fee_currency: str
    maker: bool
    reason: str


class Strategy:
    """The parent of a user's strategy. `memory` is all it may remember: named numbers, kept over restarts.

    `on_candle`, `on_tick` and `on_fill` must be functions of what they are given: no clock, no chance, no files,
    nothing kept on `self`. The first two are not called before every indicator is known, unless
    `from_the_first_candle` is set. A strategy that leaves `on_tick` or `on_fill` out hears of no ticks or fills.
    """

    parameters: ClassVar[tuple[DeclaredParameter, ...]] = ()
    indicators: ClassVar[Mapping[str, Indicator]] = {}
    memory: ClassVar[Mapping[str, float]] = {}
    from_the_first_candle: ClassVar[bool] = False

    def on_candle(self, bar: Bar, memory: dict[str, float]) -> Signal | None:
        """What the strategy thinks after `bar`; None is hold. Changes of `memory` are kept for the next call."""
        raise NotImplementedError(f"{type(self).__name__} must have on_candle(self, bar, memory)")

    def on_tick(self, tick: Tick, memory: dict[str, float]) -> Signal | None:
        """What it thinks between two candles, after a trade in its pair. What it said already is not said again."""
        return None

    def on_fill(self, fill: Fill, memory: dict[str, float]) -> Signal | None:
        """What it thinks after an order of its own traded; called with the next trade or candle of the pair."""
        return None


def heard_by(kind: type[Strategy]) -> tuple[str, ...]:
    """Which of `tick` and `fill` a strategy class wants to hear of: those whose method it has."""
    own = {"tick": kind.on_tick is not Strategy.on_tick, "fill": kind.on_fill is not Strategy.on_fill}
    return tuple(name for name, has in own.items() if has)


def strategy_of(module: Any) -> type[Strategy]:
    """The one strategy class that a module defines, its methods such as the engine calls them. Raises ValueError."""
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Strategy) and each.__module__ == module.__name__
    ]
    if len(found) != 1:
        names = ", ".join(each.__name__ for each in found) or "none"
        raise ValueError(f"the file must define one class made of Strategy, had {names}")
    (kind,) = found
    if kind.on_candle is Strategy.on_candle:
        raise ValueError(f"{kind.__name__} must have on_candle(self, bar, memory), had none")
    for name, event in (("on_candle", "bar"), ("on_tick", "tick"), ("on_fill", "fill")):
        _check_method(kind, name, event)
    return kind


def _check_method(kind: type[Strategy], name: str, event: str) -> None:
    """What cannot be called, or would answer with something to be waited for, is told when the file is read: at the
    first candle it may be trading already."""
    method = getattr(kind, name)
    was = ""
    if not callable(method):
        was = type(method).__name__
    elif inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        was = "an async def"
    elif inspect.isgeneratorfunction(method):
        was = "a generator (it has a yield)"
    else:
        # A plain function gets the strategy first; a static method or another callable does not.
        itself = ("self",) if inspect.isfunction(inspect.getattr_static(kind, name)) else ()
        signature = inspect.signature(method)
        try:
            signature.bind(*itself, event, "memory")
        except TypeError:
            was = f"def {name}{signature}"
    if was:
        raise ValueError(f"{name} of {kind.__name__} must be a plain def {name}(self, {event}, memory), was {was}")
