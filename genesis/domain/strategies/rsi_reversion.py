"""RSI mean reversion: buys when the RSI falls below one level, sells when it rises above another."""

import math
from collections.abc import Mapping

from genesis.domain.indicators.averages import wilder_value
from genesis.domain.indicators.momentum import rsi_start, rsi_step
from genesis.domain.indicators.ranges import ATR_SIZE, atr_start, atr_step
from genesis.domain.strategy import BUY, HOLD, SELL, Parameter, State, StrategyKind

# State: [buy level] [sell level] [RSI, NaN before] [RSI of the bar before] [ATR] [RSI's own]
_BUY_BELOW, _SELL_ABOVE, _NOW, _BEFORE, _ATR = 0, 1, 2, 3, 4
_RSI = _ATR + ATR_SIZE
_EVEN_ODDS = 0.5


def _start(parameters: Mapping[str, float]) -> list[float]:
    low, high = parameters["buy_below"], parameters["sell_above"]
    if low >= high:
        raise ValueError(f"rsi_reversion.buy_below must be below sell_above ({high:g}), was {low:g}")
    atr, period = int(parameters["atr"]), int(parameters["period"])
    return [low, high, math.nan, math.nan, *atr_start(atr), *rsi_start(period)]


def _numeric(
    state: State, open_: float, high: float, low: float, close: float, volume: float
) -> tuple[float, float, float]:
    atr_step(state, _ATR, high, low, close)
    before = state[_NOW]
    now = rsi_step(state, _RSI, close)
    state[_BEFORE] = before
    state[_NOW] = now
    if now != now or before != before:
        return HOLD, 0.0, _EVEN_ODDS
    if now < state[_BUY_BELOW] <= before:
        # The deeper the fall, the surer: at half the level it is certain of itself.
        return BUY, min(1.0, 0.5 + (state[_BUY_BELOW] - now) / state[_BUY_BELOW]), _EVEN_ODDS
    if now > state[_SELL_ABOVE] >= before:
        return SELL, min(1.0, 0.5 + (now - state[_SELL_ABOVE]) / (100.0 - state[_SELL_ABOVE])), _EVEN_ODDS
    return HOLD, 0.0, _EVEN_ODDS


def _atr(state: State) -> float:
    return wilder_value(state, _ATR + 1)


def _describe(state: State, code: float) -> tuple[dict[str, float], tuple[str, ...]]:
    now, before = state[_NOW], state[_BEFORE]
    if math.isnan(now):
        return {}, (f"RSI {int(state[_RSI + 1])} is not known yet",)
    features = {"rsi": now}
    if code == BUY:
        return features, (f"RSI fell to {now:.1f}, below {state[_BUY_BELOW]:g} (before: {before:.1f})",)
    if code == SELL:
        return features, (f"RSI rose to {now:.1f}, above {state[_SELL_ABOVE]:g} (before: {before:.1f})",)
    return features, (f"RSI is {now:.1f}, between {state[_BUY_BELOW]:g} and {state[_SELL_ABOVE]:g} or past them",)


RSI_REVERSION = StrategyKind(
    name="rsi_reversion",
    version=1,
    text="Buys when the RSI falls below one level, sells when it rises above another.",
    parameters=(
        Parameter(name="period", default=14, low=2, high=500, whole=True, meaning="candles of the RSI"),
        Parameter(name="buy_below", default=30, low=1, high=60, whole=False, meaning="RSI below which it buys"),
        Parameter(name="sell_above", default=60, low=40, high=99, whole=False, meaning="RSI above which it sells"),
        Parameter(name="atr", default=14, low=2, high=500, whole=True, meaning="candles of the average true range"),
    ),
    start=_start,
    numeric=_numeric,
    describe=_describe,
    atr=_atr,
)
