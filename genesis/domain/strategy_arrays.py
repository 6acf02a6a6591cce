"""A strategy's numeric step over whole arrays of candles: what it would say to each of them, without a word.

The loop is compiled when numba is there and runs as plain Python otherwise, or where the step holds something that
cannot be compiled; the numbers are the same to the last bit. It moves the state on just as the candles one by one do.
"""

import importlib
import math
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from genesis.domain.indicators.compiling import can_compile, compiled, local_floats, plain, worth_compiling
from genesis.domain.indicators.unfolding import unfolded
from genesis.domain.strategy import State, StrategyKind

Floats = npt.NDArray[np.float64]


@attrs.frozen(kw_only=True)
class CandleArrays:
    """Closed candles as columns, oldest first: float64[n] each, `open_ms` int64[n]."""

    open_ms: npt.NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.open_ms)


@attrs.frozen(kw_only=True)
class Said:
    """What a numeric step said, float64[n] each. `code` is BUY, SELL or HOLD, and may be kept in bytes; `atr` is NaN
    while it is unknown."""

    code: Floats | npt.NDArray[np.int8]
    confidence: Floats
    probability: Floats
    atr: Floats


def say(kind: StrategyKind, state: list[float], candles: CandleArrays, *, compile: bool | None = None) -> Said:
    """Run the numeric step over candles; `state` is left as the last of them left it.

    Raises ValueError for a kind without a numeric step. `compile` is for tests: None compiles where that is possible
    and pays.
    """
    if kind.numeric is None:
        raise ValueError(f"strategy {kind.name} must have a numeric step, had none")
    columns = (candles.open, candles.high, candles.low, candles.close, candles.volume)
    size = len(candles)
    if compile is None:
        compile = worth_compiling(size) and why_not_compiled(kind) is None
    given = [np.ascontiguousarray(column, dtype=np.float64) for column in columns]
    out = [np.empty(size) for _ in range(4)]
    if compile:
        moved = np.array(state, dtype=np.float64)
        _compiled_loop(kind)(moved, *given, *out)
        state[:] = moved.tolist()
    else:
        # Looked at through views: lists would be made of columns that no step reads, and arrays of lists.
        _plain_loop(kind, size)(state, *(column.data for column in (*given, *out)))
    return Said(code=out[0], confidence=out[1], probability=out[2], atr=out[3])


UNFOLDING: Final = 40_000
"""Steps that plain Python takes in the time in which they are written into their loop."""


def _plain_loop(kind: StrategyKind, size: int) -> Any:
    write = unfolded if size >= UNFOLDING else plain
    return write(_loop, _step=kind.numeric, _atr=kind.atr or _no_atr)


@attrs.frozen(kw_only=True)
class Spoken:
    """Where a numeric step said something else than HOLD: int64[m] places, and float64[m] of what it said and told."""

    place: npt.NDArray[np.int64]
    code: Floats
    atr: Floats


def speak(kind: StrategyKind, state: list[float], candles: CandleArrays, *, compile: bool, with_atr: bool) -> Spoken:
    """Run the numeric step over candles and keep only what it said, not where it held; `state` moves on.

    Without `with_atr` no range is told (NaN), what only the range is made of is not worked out, and `state` is good for
    nothing any more.
    """
    if not compile:
        loop = plain(_speak_loop, _step=kind.numeric, _atr=kind.atr or _no_atr, _SIZE=0, _WITH_ATR=with_atr)
        room: list[list[float]] = [[0.0] * len(candles) for _ in range(3)]
        columns = (candles.open, candles.high, candles.low, candles.close, candles.volume)
        found = loop(state, *(column.tolist() for column in columns), *room)
        place, code, atr = (np.array(numbers[:found]) for numbers in room)
        return Spoken(place=place.astype(np.int64), code=code, atr=atr)
    columns = (candles.open, candles.high, candles.low, candles.close, candles.volume)
    places = np.empty(len(candles), dtype=np.int64)
    codes, atrs = np.empty(len(candles)), np.empty(len(candles))
    moved = np.array(state, dtype=np.float64)
    loop = compiled(
        _speak_loop,
        kept=True,
        _step=kind.numeric,
        _atr=kind.atr or _no_atr,
        _SIZE=len(state) if _has_one_size(kind) else 0,
        _WITH_ATR=with_atr,
    )
    found = loop(moved, *(np.ascontiguousarray(column, dtype=np.float64) for column in columns), places, codes, atrs)
    state[:] = moved.tolist()
    return Spoken(place=places[:found].copy(), code=codes[:found].copy(), atr=atrs[:found].copy())


@cache
def _has_one_size(kind: StrategyKind) -> bool:
    """Whether the state has as many numbers whatever the parameters: one that keeps windows has not."""
    sizes = {len(kind.start(kind.resolve({})))}
    for parameter in kind.parameters:
        for number in (parameter.low, parameter.high):
            try:
                sizes.add(len(kind.start(kind.resolve({parameter.name: number}))))
            except ValueError:
                continue
    return len(sizes) == 1


@cache
def why_not_compiled(kind: StrategyKind) -> str | None:
    """Why this kind's step runs as plain Python, in words; None when it is compiled."""
    if kind.numeric is None:
        return f"strategy {kind.name} has no numeric step"
    if not can_compile():
        return "numba is not installed"
    errors = importlib.import_module("numba.core.errors")
    state = np.array(kind.start(kind.resolve({})), dtype=np.float64)
    try:
        _compiled_loop(kind)(state, *(np.ones(1) for _ in range(5)), *(np.empty(1) for _ in range(4)))
    except errors.NumbaError as error:
        first = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
        return f"the step of {kind.name} cannot be compiled: {first[:200]}"
    return None


def turns_on_averages(kind: StrategyKind) -> bool:
    """Whether it speaks when two exponential averages of closes change sides, and only then."""
    return kind.turning is not None and kind.turning.one[0] == kind.turning.other[0] == "ema"


def side_compiles(kind: StrategyKind) -> bool:
    """Whether what turns on averages can be found by machine code: all of it but the side is ours."""
    return kind.turning is not None and can_compile() and _can_be_compiled(kind.turning.side)


@cache
def _can_be_compiled(side: Callable[[float, float], float]) -> bool:
    try:
        compiled(side)(1.0, 2.0)
    except importlib.import_module("numba.core.errors").NumbaError:
        return False
    return True


def _compiled_loop(kind: StrategyKind) -> Any:
    return compiled(_loop, kept=True, _step=kind.numeric, _atr=kind.atr or _no_atr)


def _no_atr(state: State) -> float:
    return math.nan


def _step(state: Any, open_: float, high: float, low: float, close: float, volume: float) -> tuple[float, float, float]:
    raise NotImplementedError("the loop must be given a strategy's step")


_atr = _no_atr


def _loop(
    state: Any,
    opens: Any,
    highs: Any,
    lows: Any,
    closes: Any,
    volumes: Any,
    codes: Any,
    confidences: Any,
    probabilities: Any,
    atrs: Any,
) -> None:
    for place in range(len(opens)):
        code, confidence, probability = _step(
            state, opens[place], highs[place], lows[place], closes[place], volumes[place]
        )
        codes[place] = code
        confidences[place] = confidence
        probabilities[place] = probability
        atrs[place] = _atr(state)


_SIZE, _WITH_ATR = 0, True


def _speak_loop(
    state: Any,
    opens: Any,
    highs: Any,
    lows: Any,
    closes: Any,
    volumes: Any,
    places: Any,
    codes: Any,
    atrs: Any,
) -> int:
    kept = state
    if _SIZE > 0:
        kept = local_floats(_SIZE)
        for number in range(_SIZE):
            kept[number] = state[number]
    found = 0
    for place in range(len(opens)):
        code, _, _ = _step(kept, opens[place], highs[place], lows[place], closes[place], volumes[place])
        if code != 0.0:
            places[found] = place
            codes[found] = code
            atrs[found] = _atr(kept) if _WITH_ATR else math.nan
            found += 1
    if _SIZE > 0 and _WITH_ATR:
        for number in range(_SIZE):
            state[number] = kept[number]
    return found
