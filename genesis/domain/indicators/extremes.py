"""The highest high and the lowest low of the last bars."""

from genesis.domain.indicators.averages import State


def extremes_start(period: int) -> list[float]:
    """[period, seen, position, highs ..., lows ...]"""
    if period < 1:
        raise ValueError(f"period must be at least 1, was {period}")
    return [float(period), 0.0, 0.0] + [0.0] * (2 * period)


def extremes_push(state: State, at: int, high: float, low: float) -> bool:
    """Take one bar in; true once the window is full."""
    period = int(state[at])
    position = int(state[at + 2])
    state[at + 3 + position] = high
    state[at + 3 + period + position] = low
    state[at + 2] = float(position + 1) if position + 1 < period else 0.0
    if state[at + 1] < period:
        state[at + 1] += 1.0
    return state[at + 1] >= period


def window_high(state: State, at: int) -> float:
    """Of a full window. A look at every bar: exact, and for usual periods quicker than anything clever."""
    highest = state[at + 3]
    for place in range(1, int(state[at])):
        if state[at + 3 + place] > highest:
            highest = state[at + 3 + place]
    return highest


def window_low(state: State, at: int) -> float:
    period = int(state[at])
    lowest = state[at + 3 + period]
    for place in range(1, period):
        if state[at + 3 + period + place] < lowest:
            lowest = state[at + 3 + period + place]
    return lowest
