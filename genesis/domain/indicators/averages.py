"""Moving averages: simple, exponential, weighted; and the window that several indicators keep."""

import math
from collections.abc import MutableSequence

State = MutableSequence[float]

# A window's state: [period, seen, position, shift, sum, sum of squares, ring ...]. Sums are of `x - shift`, and are
# made anew from the ring each time it has gone round: rounding errors live for one round, and squares stay small.
WINDOW_HEAD = 6


def window_start(period: int) -> list[float]:
    if period < 1:
        raise ValueError(f"period must be at least 1, was {period}")
    return [float(period), 0.0, 0.0, 0.0, 0.0, 0.0] + [0.0] * period


def window_push(state: State, at: int, x: float) -> bool:
    """Take one number in; true once the window is full."""
    period = int(state[at])
    position = int(state[at + 2])
    ring = at + WINDOW_HEAD
    full = state[at + 1] >= period
    if full:
        leaving = state[ring + position] - state[at + 3]
        state[at + 4] -= leaving
        state[at + 5] -= leaving * leaving
    else:
        if state[at + 1] == 0.0:
            state[at + 3] = x
        state[at + 1] += 1.0
    state[ring + position] = x
    entering = x - state[at + 3]
    state[at + 4] += entering
    state[at + 5] += entering * entering
    position += 1
    if position == period:
        position = 0
        shift = x
        total = 0.0
        squares = 0.0
        for index in range(period):
            distance = state[ring + index] - shift
            total += distance
            squares += distance * distance
        state[at + 3] = shift
        state[at + 4] = total
        state[at + 5] = squares
    state[at + 2] = float(position)
    return state[at + 1] >= period


def window_mean(state: State, at: int) -> float:
    return state[at + 3] + state[at + 4] / state[at]


def window_deviation(state: State, at: int) -> float:
    """Population standard deviation of a full window."""
    mean_distance = state[at + 4] / state[at]
    variance = state[at + 5] / state[at] - mean_distance * mean_distance
    return math.sqrt(variance) if variance > 0.0 else 0.0


def sma_start(period: int) -> list[float]:
    return window_start(period)


def sma_step(state: State, at: int, x: float) -> float:
    """Mean of the last `period` numbers."""
    if window_push(state, at, x):
        return window_mean(state, at)
    return math.nan


EMA_SIZE = 3


def ema_start(period: int) -> list[float]:
    """[period, seen, sum or value]"""
    if period < 1:
        raise ValueError(f"period must be at least 1, was {period}")
    return [float(period), 0.0, 0.0]


def ema_step(state: State, at: int, x: float) -> float:
    """Exponential average with weight 2/(period+1), seeded with the mean of its first `period` numbers."""
    period = state[at]
    if state[at + 1] < period:
        state[at + 1] += 1.0
        state[at + 2] += x
        if state[at + 1] < period:
            return math.nan
        state[at + 2] /= period
        return state[at + 2]
    value = state[at + 2]
    value += (x - value) * (2.0 / (period + 1.0))
    state[at + 2] = value
    return value


def ema_value(state: State, at: int) -> float:
    """What the last step answered."""
    return state[at + 2] if state[at + 1] >= state[at] else math.nan


def wilder_step(state: State, at: int, x: float) -> float:
    """Wilder's average, seeded with the mean of its first `period` numbers: weight 1/period for the newest.

    Two products and a sum: no number waits for a division of the one before it.
    """
    period = state[at]
    if state[at + 1] < period:
        state[at + 1] += 1.0
        state[at + 2] += x
        if state[at + 1] < period:
            return math.nan
        state[at + 2] /= period
        return state[at + 2]
    weight = 1.0 / period
    value = state[at + 2] * (1.0 - weight) + x * weight
    state[at + 2] = value
    return value


def wilder_value(state: State, at: int) -> float:
    """What the last step answered."""
    return state[at + 2] if state[at + 1] >= state[at] else math.nan


def wma_start(period: int) -> list[float]:
    """[period, seen, position, ring ...]"""
    if period < 1:
        raise ValueError(f"period must be at least 1, was {period}")
    return [float(period), 0.0, 0.0] + [0.0] * period


def wma_step(state: State, at: int, x: float) -> float:
    """Linearly weighted average: weight `period` for the newest number, 1 for the oldest."""
    period = int(state[at])
    position = int(state[at + 2])
    state[at + 3 + position] = x
    position = position + 1 if position + 1 < period else 0
    state[at + 2] = float(position)
    if state[at + 1] < period:
        state[at + 1] += 1.0
        if state[at + 1] < period:
            return math.nan
    # `position` is now the oldest. Distances from the newest keep the sum small and exact for a flat market.
    total = 0.0
    for age in range(period):
        index = position + age
        if index >= period:
            index -= period
        total += (age + 1.0) * (state[at + 3 + index] - x)
    return x + total / (0.5 * period * (period + 1.0))
