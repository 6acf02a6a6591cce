"""EMA cross: long while the fast average is above the slow one, flat while it is below."""

import math
from collections.abc import Mapping

from genesis.domain.indicators.averages import EMA_SIZE, ema_start, ema_step, ema_value, wilder_value
from genesis.domain.indicators.ranges import atr_start, atr_step
from genesis.domain.strategy import BUY, HOLD, SELL, Parameter, State, StrategyKind, Turning

# State: [side of the fast average last seen: -1, 0 (never), 1] [fast EMA] [slow EMA] [ATR]
_FAST = 1
_SLOW = _FAST + EMA_SIZE
_ATR = _SLOW + EMA_SIZE

# No model has spoken: a cross by itself is given even odds.
_EVEN_ODDS = 0.5


def _start(parameters: Mapping[str, float]) -> list[float]:
    fast, slow = int(parameters["fast"]), int(parameters["slow"])
    if fast >= slow:
        raise ValueError(f"ema_cross.fast must be below ema_cross.slow ({slow}), was {fast}")
    return [0.0, *ema_start(fast), *ema_start(slow), *atr_start(int(parameters["atr"]))]


def _side(fast: float, slow: float) -> float:
    """1 while the fast average is above, -1 while it is below, 0 where it is neither or not known."""
    return 1.0 if fast > slow else -1.0 if fast < slow else 0.0


def _numeric(
    state: State, open_: float, high: float, low: float, close: float, volume: float
) -> tuple[float, float, float]:
    fast = ema_step(state, _FAST, close)
    slow = ema_step(state, _SLOW, close)
    atr = atr_step(state, _ATR, high, low, close)
    if slow != slow:
        return HOLD, 0.0, _EVEN_ODDS
    spread = fast - slow
    confidence = abs(spread) / atr if atr > 0.0 else 0.0
    if confidence > 1.0:
        confidence = 1.0
    before = state[0]
    side = _side(fast, slow)
    if side == 0.0 or side == before:
        return HOLD, confidence, _EVEN_ODDS
    state[0] = side
    code = HOLD
    if before != 0.0:
        code = BUY if side > 0.0 else SELL
    return code, confidence, _EVEN_ODDS


def _atr(state: State) -> float:
    slow = ema_value(state, _SLOW)
    return wilder_value(state, _ATR + 1) if slow == slow else math.nan


def _describe(state: State, code: float) -> tuple[dict[str, float], tuple[str, ...]]:
    fast, slow, atr = ema_value(state, _FAST), ema_value(state, _SLOW), _atr(state)
    fast_name, slow_name = f"EMA {int(state[_FAST])}", f"EMA {int(state[_SLOW])}"
    if math.isnan(slow):
        return {}, (f"{slow_name} is not known yet: {int(state[_SLOW + 1])} of {int(state[_SLOW])} candles seen",)
    side, spread = state[0], fast - slow
    if code != HOLD:
        direction = "above" if side > 0.0 else "below"
        reasons: tuple[str, ...] = (f"{fast_name} ({fast:.8g}) crossed {direction} {slow_name} ({slow:.8g})",)
    else:
        direction = "above" if side > 0.0 else "below" if side < 0.0 else "at"
        reasons = (f"{fast_name} ({fast:.8g}) stays {direction} {slow_name} ({slow:.8g})",)
    if not math.isnan(atr):
        reasons += (f"they are {abs(spread):.6g} apart, the average true range is {atr:.6g}",)
    return {"ema_fast": fast, "ema_slow": slow, "spread": spread}, reasons


EMA_CROSS = StrategyKind(
    name="ema_cross",
    text="Long while the fast average is above the slow one, flat while it is below.",
    version=1,
    parameters=(
        Parameter(name="fast", default=12, low=2, high=500, whole=True, meaning="candles of the fast average"),
        Parameter(name="slow", default=26, low=3, high=1000, whole=True, meaning="candles of the slow average"),
        Parameter(name="atr", default=14, low=2, high=500, whole=True, meaning="candles of the average true range"),
    ),
    start=_start,
    numeric=_numeric,
    describe=_describe,
    atr=_atr,
    turning=Turning(one=("ema", "fast"), other=("ema", "slow"), atr=("atr", "atr"), side=_side),
)
