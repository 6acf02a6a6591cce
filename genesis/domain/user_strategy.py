"""A user's strategy seen from the engine: what its file declares, and the step that is made of it.

Everything but the author's own lines happens here: longer candles, indicators, the checks of what comes back, and the
flat float state that is checkpointed. The author's code gets one bar with its numbers and a memory, and answers; it
holds nothing itself, so it may be stopped, changed and started again at any time.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from genesis.domain.indicators.catalog import INDICATORS
from genesis.domain.resample import (
    LONG_CLOSE,
    LONG_TIME,
    RESAMPLE_SIZE,
    resample_overdue,
    resample_start,
    resample_step,
)
from genesis.domain.strategy import RECOMMENDATIONS, Opinion, Parameter, StrategyFault, StrategyKind
from protocols.market import Candle, Tick
from protocols.orders import Fill
from protocols.signals import Recommendation
from protocols.units import TIMEFRAME_MS

MAX_INDICATORS: Final = 50
MAX_MEMORY: Final = 200
MAX_STATE: Final = 50_000
"""Floats of one strategy's state: it is written down with every candle."""
MAX_FEATURES: Final = 50
_TICK_FACTS: Final = ("symbol", "time_ms", "price", "high", "low", "volume", "trades")
MAX_REASONS: Final = 10
REASON_CHARACTERS: Final = 300


class DeclaredParameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    default: float
    low: float
    high: float
    whole: bool = False
    meaning: str = ""


class DeclaredIndicator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An indicator of the catalogue under the author's name. Parameters are numbers, or names of the strategy's own."""

    name: str
    indicator: str
    timeframe: str | None = None
    parameters: dict[str, float | str] = {}


class Declared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a strategy file says of itself."""

    text: str = ""
    parameters: tuple[DeclaredParameter, ...] = ()
    indicators: tuple[DeclaredIndicator, ...] = ()
    memory: dict[str, float] = {}
    hears: tuple[Literal["tick", "fill"], ...] = ()
    """Beside closed candles."""


class Bar(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="bar"):
    """One closed candle with the numbers the author asked for, and the memory from the bar before."""

    symbol: str
    timeframe: str
    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    values: dict[str, float]
    parameters: dict[str, float]
    memory: dict[str, float]


class SeenTick(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="tick"):
    """What traded, with the author's numbers as the last closed candle left them, and the memory."""

    symbol: str
    time_ms: int
    price: float
    high: float
    low: float
    volume: float
    trades: int
    values: dict[str, float]
    parameters: dict[str, float]
    memory: dict[str, float]


class SeenFill(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag="fill"):
    """A trade of the strategy's own book: `amount` is base and positive, `reason` what its order was for."""

    symbol: str
    time_ms: int
    side: str
    price: float
    amount: float
    fee: float
    fee_currency: str
    maker: bool
    reason: str
    values: dict[str, float]
    parameters: dict[str, float]
    memory: dict[str, float]


Seen = Bar | SeenTick | SeenFill


class Said(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What the author's code answered. `code` is 1 buy, 0 hold, -1 sell."""

    code: float
    confidence: float
    probability: float
    features: dict[str, float]
    reasons: list[str]
    memory: dict[str, float]


Decide = Callable[[Seen], Said]
"""Asks the author's code. Raises StrategyFault."""


def check_declared(declared: Declared) -> None:
    """Raises ValueError with every contradiction that can be seen before the first candle."""
    names: set[str] = set()
    for each in declared.parameters:
        if not each.name.isidentifier() or each.name in names:
            raise ValueError(f"names of parameters must be different identifiers, was {each.name!r}")
        names.add(each.name)
        numbers = (each.default, each.low, each.high)
        if not all(math.isfinite(number) for number in numbers) or not each.low <= each.default <= each.high:
            text = f"{each.low:g} <= {each.default:g} <= {each.high:g}"
            raise ValueError(f"parameter {each.name} must have low <= default <= high, was {text}")
        if each.whole and any(number != int(number) for number in numbers):
            raise ValueError(f"parameter {each.name} must have whole default and range, was not")
    if len(declared.indicators) > MAX_INDICATORS:
        raise ValueError(f"indicators must be at most {MAX_INDICATORS}, was {len(declared.indicators)}")
    if len(declared.memory) > MAX_MEMORY:
        raise ValueError(f"memory must have at most {MAX_MEMORY} names, was {len(declared.memory)}")
    for name, number in declared.memory.items():
        if not math.isfinite(number):
            raise ValueError(f"memory {name} must begin with a finite number, was {number}")
    for one in declared.indicators:
        known = INDICATORS.get(one.indicator)
        if known is None:
            raise ValueError(
                f"indicator {one.name} must be one of {', '.join(sorted(INDICATORS))}, was {one.indicator}"
            )
        if one.timeframe is not None and one.timeframe not in TIMEFRAME_MS:
            raise ValueError(f"time frame of {one.name} must be one of {', '.join(TIMEFRAME_MS)}, was {one.timeframe}")
        for value in one.parameters.values():
            if isinstance(value, str) and value not in names:
                raise ValueError(f"indicator {one.name} must take a parameter that is declared, was {value!r}")
    _Layout(declared, {each.name: each.default for each in declared.parameters})


class _Layout:
    """Where everything stands in the flat state, for one set of parameters."""

    def __init__(self, declared: Declared, parameters: Mapping[str, float]) -> None:
        self.longer: dict[str, int] = {}
        self.start: list[float] = []
        for one in declared.indicators:
            if one.timeframe is not None and one.timeframe not in self.longer:
                self.longer[one.timeframe] = len(self.start)
                # The base is not known before the first candle: 0 says so.
                self.start += [0.0, *resample_start(1, TIMEFRAME_MS[one.timeframe])[1:]]
        self.indicators: list[tuple[DeclaredIndicator, int, int, int]] = []
        for one in declared.indicators:
            known = INDICATORS[one.indicator]
            # Written once, while there is time: not at the first candle.
            known.write()
            given = {
                name: parameters[value] if isinstance(value, str) else value for name, value in one.parameters.items()
            }
            state = known.start(**known.resolve(given))
            first = len(self.start)
            self.start += [*state, *[math.nan] * len(known.outputs)]
            self.indicators.append((one, first, first + len(state), len(self.start)))
        self.memory = len(self.start)
        self.start += declared.memory.values()
        if len(self.start) > MAX_STATE:
            raise ValueError(f"indicators must keep at most {MAX_STATE} numbers in all, was {len(self.start)}")


def user_kind(name: str, version: int, where: str, declared: Declared, decide: Decide) -> StrategyKind:
    """The kind of a user's strategy. `where` names its file in faults; `version` must change when its text does."""
    check_declared(declared)
    layouts: dict[tuple[float, ...], _Layout] = {}
    names = tuple(each.name for each in declared.parameters)

    def start(parameters: Mapping[str, float]) -> list[float]:
        # The parameters lead the state: a step is given nothing else.
        return [*(parameters[each] for each in names), *_Layout(declared, parameters).start]

    def layout_of(state: list[float]) -> tuple[_Layout, dict[str, float]]:
        key = tuple(state[: len(names)])
        parameters = dict(zip(names, key, strict=True))
        layout = layouts.get(key)
        if layout is None:
            layout = layouts[key] = _Layout(declared, parameters)
        return layout, parameters

    def step(state: list[float], candle: Candle) -> Opinion:
        layout, parameters = layout_of(state)
        # On a copy: a step that fails half way leaves the state as it was.
        inner = state[len(names) :]
        _move(layout, inner, candle, where)
        values = _values(layout, inner)
        memory = dict(zip(declared.memory, inner[layout.memory :], strict=True))
        said = decide(
            Bar(
                symbol=candle.symbol,
                timeframe=candle.timeframe,
                open_ms=candle.open_ms,
                open=candle.open,
                high=candle.high,
                low=candle.low,
                close=candle.close,
                volume=candle.volume,
                values=values,
                parameters=parameters,
                memory=memory,
            )
        )
        opinion = _checked(said, values, where)
        inner[layout.memory :] = _memory(said.memory, declared.memory, where)
        state[len(names) :] = inner
        return opinion

    def between(state: list[float], seen: Callable[..., Seen], facts: dict[str, Any]) -> Opinion | None:
        """Something between two candles: it may change the memory and nothing else of the state."""
        layout, parameters = layout_of(state)
        values = _values(layout, state[len(names) :])
        first = len(names) + layout.memory
        memory = dict(zip(declared.memory, state[first:], strict=True))
        said = decide(seen(values=values, parameters=parameters, memory=memory, **facts))
        opinion = _checked(said, values, where)
        state[first:] = _memory(said.memory, declared.memory, where)
        return None if opinion.recommendation is Recommendation.HOLD else opinion

    def warm(state: list[float], candle: Candle) -> bool:
        layout, _ = layout_of(state)
        inner = state[len(names) :]
        _move(layout, inner, candle, where)
        state[len(names) :] = inner
        return not any(math.isnan(value) for value in _values(layout, inner).values())

    def on_tick(state: list[float], tick: Tick) -> Opinion | None:
        facts = {name: getattr(tick, name) for name in _TICK_FACTS}
        return between(state, SeenTick, facts)

    def on_fill(state: list[float], fill: Fill) -> Opinion | None:
        facts = {
            "symbol": fill.symbol,
            "time_ms": fill.time_ms,
            "side": fill.side.value,
            "price": float(fill.price),
            "amount": float(fill.quantity),
            "fee": float(fill.fee),
            "fee_currency": fill.fee_currency,
            "maker": fill.maker,
            "reason": fill.purpose.value,
        }
        return between(state, SeenFill, facts)

    return StrategyKind(
        name=name,
        version=version,
        parameters=tuple(
            Parameter(
                name=each.name,
                default=each.default,
                low=each.low,
                high=each.high,
                whole=each.whole,
                meaning=each.meaning,
            )
            for each in declared.parameters
        ),
        start=start,
        step=step,
        warm=warm,
        on_tick=on_tick if "tick" in declared.hears else None,
        on_fill=on_fill if "fill" in declared.hears else None,
        foreign=True,
        text=declared.text,
    )


def _move(layout: _Layout, state: list[float], candle: Candle, where: str) -> None:
    """Take the candle into every resampler and indicator."""
    base_ms = TIMEFRAME_MS[candle.timeframe]
    row = (float(candle.open_ms), candle.open, candle.high, candle.low, candle.close, candle.volume)
    ended: dict[str | None, list[tuple[float, ...]]] = {None: [row]}
    for timeframe, at in layout.longer.items():
        long_ms = TIMEFRAME_MS[timeframe]
        if state[at] == 0.0:
            if long_ms % base_ms:
                raise StrategyFault(f"{where}: {timeframe} must be a multiple of {candle.timeframe}, was not")
            state[at] = float(base_ms)
        bars: list[tuple[float, ...]] = []
        if resample_overdue(state, at, row[0]):
            bars.append(tuple(state[at + LONG_TIME : at + LONG_CLOSE + 2]))
        if resample_step(state, at, *row):
            bars.append(tuple(state[at + LONG_TIME : at + LONG_CLOSE + 2]))
        ended[timeframe] = bars
        assert at + RESAMPLE_SIZE <= len(state)
    for one, first, outputs, end in layout.indicators:
        known = INDICATORS[one.indicator]
        for bar in ended[one.timeframe]:
            inner, out = state[first:outputs], [math.nan] * (end - outputs)
            known.on_row(inner, bar, out)
            state[first:outputs] = inner
            state[outputs:end] = out


def _values(layout: _Layout, state: list[float]) -> dict[str, float]:
    """The author's values by name, as the last candle left them."""
    values: dict[str, float] = {}
    for one, _, outputs, _ in layout.indicators:
        known = INDICATORS[one.indicator]
        if len(known.outputs) == 1:
            values[one.name] = state[outputs]
        else:
            values |= {f"{one.name}.{output}": state[outputs + place] for place, output in enumerate(known.outputs)}
    return values


def _checked(said: Said, values: Mapping[str, float], where: str) -> Opinion:
    recommendation = RECOMMENDATIONS.get(said.code)
    if recommendation is None:
        raise StrategyFault(f"{where}: must answer buy, sell or hold, was {said.code}")
    for name, number in (("confidence", said.confidence), ("probability", said.probability)):
        if not 0.0 <= number <= 1.0:
            raise StrategyFault(f"{where}: {name} must be a number from 0 to 1, was {number}")
    if len(said.features) > MAX_FEATURES:
        raise StrategyFault(f"{where}: features must be at most {MAX_FEATURES}, was {len(said.features)}")
    for name, number in said.features.items():
        if not math.isfinite(number):
            raise StrategyFault(f"{where}: feature {name} must be a finite number, was {number}")
    # Sizes and stops by volatility look for this feature: an indicator of that name is meant for them.
    if "atr" in values and "atr" not in said.features and math.isfinite(values["atr"]):
        said.features["atr"] = values["atr"]
    return Opinion(
        recommendation=recommendation,
        confidence=said.confidence,
        probability=said.probability,
        features=said.features,
        reasons=tuple(reason[:REASON_CHARACTERS] for reason in said.reasons[:MAX_REASONS]),
    )


def _memory(given: Mapping[str, float], declared: Mapping[str, float], where: str) -> list[float]:
    if given.keys() != declared.keys():
        odd = ", ".join(sorted(given.keys() ^ declared.keys()))
        raise StrategyFault(f"{where}: memory must keep the names that are declared, was different in {odd}")
    for name, number in given.items():
        if not math.isfinite(number):
            raise StrategyFault(f"{where}: memory {name} must be a finite number, was {number}")
    return [given[name] for name in declared]
