"""How far price moves within a bar, and which way: true range, its average, and directional movement."""

import math

from genesis.domain.indicators.averages import EMA_SIZE, State, ema_start, wilder_step


def true_range_start() -> list[float]:
    """[previous close, or NaN before the first bar]"""
    return [math.nan]


def true_range_step(state: State, at: int, high: float, low: float, close: float) -> float:
    """The bar's range, stretched to the previous close. NaN for the first bar, which has no previous one."""
    previous = state[at]
    state[at] = close
    if previous != previous:
        return math.nan
    return max(high, previous) - min(low, previous)


ATR_SIZE = 1 + EMA_SIZE


def atr_start(period: int) -> list[float]:
    return true_range_start() + ema_start(period)


def atr_step(state: State, at: int, high: float, low: float, close: float) -> float:
    """Wilder's average of the true range; first known at bar `period`, counted from 0."""
    previous = state[at]
    state[at] = close
    if previous != previous:
        return math.nan
    # The true range, written out: live a call costs as much as what it does.
    distance = (high if high >= previous else previous) - (low if low <= previous else previous)
    period = state[at + 1]
    if state[at + 2] < period:
        return wilder_step(state, at + 1, distance)
    weight = 1.0 / period
    value = state[at + 3] * (1.0 - weight) + distance * weight
    state[at + 3] = value
    return value


# [period, bars seen, previous high, low, close, +DM sum, -DM sum, TR sum, then a Wilder average of DX]
ADX_SIZE = 8 + EMA_SIZE


def adx_start(period: int) -> list[float]:
    return [float(period), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, *ema_start(period)]


def adx_step(state: State, at: int, high: float, low: float, close: float) -> tuple[float, float, float]:
    """(ADX, +DI, -DI) after Wilder; the DIs are first known at bar `period`, ADX at bar `2 * period - 1`.

    The sums gather `period - 1` bars before smoothing begins, as TA-Lib's do (its bar `period` is already smoothed).
    A bar that goes nowhere keeps the directions at zero and gives the ADX nothing new.
    """
    period = state[at]
    seen = state[at + 1]
    up = high - state[at + 2]
    down = state[at + 3] - low
    previous = state[at + 4]
    state[at + 2] = high
    state[at + 3] = low
    state[at + 4] = close
    distance = (high if high >= previous else previous) - (low if low <= previous else previous)
    plus = state[at + 5]
    minus = state[at + 6]
    total = state[at + 7]
    if seen < period:
        state[at + 1] = seen + 1.0
        if seen > 0.0:
            state[at + 5] = plus + (up if up > 0.0 and up > down else 0.0)
            state[at + 6] = minus + (down if down > 0.0 and down > up else 0.0)
            state[at + 7] = total + distance
        return math.nan, math.nan, math.nan
    plus += (up if up > 0.0 and up > down else 0.0) - plus / period
    minus += (down if down > 0.0 and down > up else 0.0) - minus / period
    total += distance - total / period
    state[at + 5] = plus
    state[at + 6] = minus
    state[at + 7] = total
    known = state[at + 9] >= period
    if total > 0.0:
        plus = 100.0 * plus / total
        minus = 100.0 * minus / total
        both = plus + minus
        if both > 0.0:
            directed = 100.0 * (plus - minus if plus >= minus else minus - plus) / both
            if not known:
                return wilder_step(state, at + 8, directed), plus, minus
            weight = 1.0 / period
            adx = state[at + 10] * (1.0 - weight) + directed * weight
            state[at + 10] = adx
            return adx, plus, minus
    return state[at + 10] if known else math.nan, 0.0, 0.0
