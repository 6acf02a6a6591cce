"""Donchian breakout: buys a close above the highest high of the bars before it, sells one below their lowest low."""

import math
from collections.abc import Mapping

from genesis.domain.indicators.averages import wilder_value
from genesis.domain.indicators.extremes import extremes_push, extremes_start, window_high, window_low
from genesis.domain.indicators.ranges import ATR_SIZE, atr_start, atr_step
from genesis.domain.strategy import BUY, HOLD, SELL, Parameter, State, StrategyKind

# State: [side: -1, 0 (never), 1] [upper of the bars before] [lower of them] [close] [place of the exit window]
#        [ATR] [entry window] [exit window]
_SIDE, _UPPER, _LOWER, _CLOSE, _PLACE, _ATR = 0, 1, 2, 3, 4, 5
_ENTRY = _ATR + ATR_SIZE
_EVEN_ODDS = 0.5


def _start(parameters: Mapping[str, float]) -> list[float]:
    entry = extremes_start(int(parameters["entry"]))
    head = [0.0, math.nan, math.nan, math.nan, float(_ENTRY + len(entry))]
    return [*head, *atr_start(int(parameters["atr"])), *entry, *extremes_start(int(parameters["exit"]))]


def _numeric(
    state: State, open_: float, high: float, low: float, close: float, volume: float
) -> tuple[float, float, float]:
    leave = int(state[_PLACE])
    atr = atr_step(state, _ATR, high, low, close)
    # The channel of the bars before this one: a bar cannot break out of itself.
    known = state[_ENTRY + 1] >= state[_ENTRY] and state[leave + 1] >= state[leave]
    upper = window_high(state, _ENTRY) if known else math.nan
    lower = window_low(state, leave) if known else math.nan
    state[_UPPER] = upper
    state[_LOWER] = lower
    state[_CLOSE] = close
    extremes_push(state, _ENTRY, high, low)
    extremes_push(state, leave, high, low)
    if not known:
        return HOLD, 0.0, _EVEN_ODDS
    if close > upper and state[_SIDE] <= 0.0:
        state[_SIDE] = 1.0
        return BUY, min(1.0, 0.5 + (close - upper) / atr) if atr > 0.0 else 0.5, _EVEN_ODDS
    if close < lower and state[_SIDE] >= 0.0:
        state[_SIDE] = -1.0
        return SELL, min(1.0, 0.5 + (lower - close) / atr) if atr > 0.0 else 0.5, _EVEN_ODDS
    return HOLD, 0.0, _EVEN_ODDS


def _atr(state: State) -> float:
    return wilder_value(state, _ATR + 1)


def _describe(state: State, code: float) -> tuple[dict[str, float], tuple[str, ...]]:
    upper, lower, close = state[_UPPER], state[_LOWER], state[_CLOSE]
    if math.isnan(upper):
        return {}, ("the channel is not known yet",)
    features = {"upper": upper, "lower": lower}
    if code == BUY:
        return features, (f"close {close:.8g} is above the channel ({upper:.8g})",)
    if code == SELL:
        return features, (f"close {close:.8g} is below the channel ({lower:.8g})",)
    side = "inside since its last breakout" if state[_SIDE] > 0 else "outside"
    return features, (f"close {close:.8g}, channel {lower:.8g} to {upper:.8g}, {side}",)


DONCHIAN_BREAKOUT = StrategyKind(
    name="donchian_breakout",
    version=1,
    text="Buys a close above the highest high of the bars before it, sells one below their lowest low.",
    parameters=(
        Parameter(name="entry", default=48, low=2, high=1000, whole=True, meaning="bars of the channel it buys above"),
        Parameter(name="exit", default=24, low=2, high=1000, whole=True, meaning="bars of the channel it sells below"),
        Parameter(name="atr", default=14, low=2, high=500, whole=True, meaning="candles of the average true range"),
    ),
    start=_start,
    numeric=_numeric,
    describe=_describe,
    atr=_atr,
)
