"""Where price stands among its recent prices: Bollinger, Keltner, Donchian, and the z-score."""

import math
from typing import Any

from genesis.domain.indicators.averages import (
    EMA_SIZE,
    State,
    ema_start,
    ema_step,
    window_deviation,
    window_mean,
    window_push,
    window_start,
)
from genesis.domain.indicators.extremes import extremes_push, extremes_start, window_high, window_low
from genesis.domain.indicators.ranges import atr_start, atr_step


def bollinger_start(period: int, width: float) -> list[float]:
    """[width] [window]"""
    return [width, *window_start(period)]


def bollinger_step(state: State, at: int, close: float) -> tuple[float, float, float]:
    """(upper, middle, lower): the mean and `width` population deviations around it."""
    period = state[at + 1]
    position = state[at + 3]
    if state[at + 2] >= period and position + 1.0 < period:
        # A full window that has not gone round: `window_push`, mean and deviation written out, because live a call
        # costs as much as what it does.
        shift = state[at + 4]
        place = at + 7 + int(position)
        leaving = state[place] - shift
        entering = close - shift
        total = state[at + 5] - leaving + entering
        squares = state[at + 6] - leaving * leaving + entering * entering
        state[place] = close
        state[at + 3] = position + 1.0
        state[at + 5] = total
        state[at + 6] = squares
        mean_distance = total / period
        middle = shift + mean_distance
        variance = squares / period - mean_distance * mean_distance
        half = state[at] * (math.sqrt(variance) if variance > 0.0 else 0.0)
        return middle + half, middle, middle - half
    if not window_push(state, at + 1, close):
        return math.nan, math.nan, math.nan
    middle = window_mean(state, at + 1)
    half = state[at] * window_deviation(state, at + 1)
    return middle + half, middle, middle - half


def bollinger_over(closes: Any, period: int, width: float, uppers: Any, middles: Any, lowers: Any) -> None:
    """`bollinger_step` over an array of finite closes, to the same bits: what leaves the window is read off the array,
    and the sums stay in registers."""
    shift = closes[0]
    total = 0.0
    squares = 0.0
    position = 0
    for place in range(len(closes)):
        close = closes[place]
        entering = close - shift
        if place >= period:
            leaving = closes[place - period] - shift
            total = total - leaving + entering
            squares = squares - leaving * leaving + entering * entering
        else:
            total += entering
            squares += entering * entering
        position += 1
        if position == period:
            position = 0
            shift = close
            total = 0.0
            squares = 0.0
            for index in range(place - period + 1, place + 1):
                distance = closes[index] - shift
                total += distance
                squares += distance * distance
        if place >= period - 1:
            mean_distance = total / period
            middle = shift + mean_distance
            variance = squares / period - mean_distance * mean_distance
            half = width * (math.sqrt(variance) if variance > 0.0 else 0.0)
            uppers[place] = middle + half
            middles[place] = middle
            lowers[place] = middle - half
        else:
            uppers[place] = math.nan
            middles[place] = math.nan
            lowers[place] = math.nan


def keltner_start(period: int, atr_period: int, width: float) -> list[float]:
    """[width] [EMA] [ATR]"""
    return [width, *ema_start(period), *atr_start(atr_period)]


def keltner_step(state: State, at: int, high: float, low: float, close: float) -> tuple[float, float, float]:
    """(upper, middle, lower): an EMA and `width` average true ranges around it."""
    middle = ema_step(state, at + 1, close)
    atr = atr_step(state, at + 1 + EMA_SIZE, high, low, close)
    if middle != middle or atr != atr:
        return math.nan, math.nan, math.nan
    half = state[at] * atr
    return middle + half, middle, middle - half


def donchian_start(period: int) -> list[float]:
    return extremes_start(period)


def donchian_step(state: State, at: int, high: float, low: float) -> tuple[float, float, float]:
    """(upper, middle, lower): the highest high and lowest low of the last `period` bars, this one included."""
    if not extremes_push(state, at, high, low):
        return math.nan, math.nan, math.nan
    upper = window_high(state, at)
    lower = window_low(state, at)
    return upper, 0.5 * (upper + lower), lower


def zscore_start(period: int) -> list[float]:
    return window_start(period)


def zscore_step(state: State, at: int, close: float) -> float:
    """How many population deviations the close is from the window's mean; 0 in a window that does not move."""
    if not window_push(state, at, close):
        return math.nan
    deviation = window_deviation(state, at)
    return (close - window_mean(state, at)) / deviation if deviation > 0.0 else 0.0
