"""How fast price moves: relative strength, MACD, and the stochastic oscillator."""

import math

from genesis.domain.indicators.averages import EMA_SIZE, State, ema_start, ema_step, sma_start, sma_step, wilder_step
from genesis.domain.indicators.extremes import extremes_push, extremes_start, window_high, window_low

NEUTRAL = 50.0
"""What an oscillator from 0 to 100 says of a market that does not move (TA-Lib says 0, which reads as oversold)."""


def rsi_start(period: int) -> list[float]:
    """[previous close] [Wilder average of gains] [of losses]"""
    return [math.nan, *ema_start(period), *ema_start(period)]


def rsi_step(state: State, at: int, close: float) -> float:
    """Wilder's relative strength index, 0 to 100; first known at bar `period`."""
    previous = state[at]
    state[at] = close
    if previous != previous:
        return math.nan
    change = close - previous
    gain = change if change > 0.0 else 0.0
    loss = -change if change < 0.0 else 0.0
    # Two Wilder averages that have seen the same: written out, because live a call costs as much as what it does.
    period = state[at + 1]
    if state[at + 2] < period:
        gain = wilder_step(state, at + 1, gain)
        loss = wilder_step(state, at + 4, loss)
        if gain != gain:
            return math.nan
    else:
        weight = 1.0 / period
        rest = 1.0 - weight
        gain = state[at + 3] * rest + gain * weight
        loss = state[at + 6] * rest + loss * weight
        state[at + 3] = gain
        state[at + 6] = loss
    total = gain + loss
    return 100.0 * gain / total if total > 0.0 else NEUTRAL


def macd_start(fast: int, slow: int, signal: int) -> list[float]:
    """[bars to leave out for the fast average] [fast EMA] [slow EMA] [EMA of the line]"""
    if not fast < slow:
        raise ValueError(f"fast must be below slow ({slow}), was {fast}")
    return [float(slow - fast), *ema_start(fast), *ema_start(slow), *ema_start(signal)]


def macd_step(state: State, at: int, close: float) -> tuple[float, float, float]:
    """(line, signal, histogram), known together at bar `slow + signal - 2`.

    Both averages become known at the same bar: the fast one leaves out the first `slow - fast` closes, as in TA-Lib.
    """
    period = state[at + 7]
    if state[at + 8] >= period:
        # All three averages are known: the same steps, written out, because live a call costs as much as what it does.
        fast = state[at + 3]
        fast += (close - fast) * (2.0 / (state[at + 1] + 1.0))
        slow = state[at + 6]
        slow += (close - slow) * (2.0 / (state[at + 4] + 1.0))
        line = fast - slow
        signal = state[at + 9]
        signal += (line - signal) * (2.0 / (period + 1.0))
        state[at + 3] = fast
        state[at + 6] = slow
        state[at + 9] = signal
        return line, signal, line - signal
    slow = ema_step(state, at + 1 + EMA_SIZE, close)
    if state[at] > 0.0:
        state[at] -= 1.0
        return math.nan, math.nan, math.nan
    fast = ema_step(state, at + 1, close)
    if slow != slow:
        return math.nan, math.nan, math.nan
    line = fast - slow
    signal = ema_step(state, at + 1 + 2 * EMA_SIZE, line)
    if signal != signal:
        return math.nan, math.nan, math.nan
    return line, signal, line - signal


def stochastic_start(period: int, slowing: int, signal: int) -> list[float]:
    """[where the window, %K and %D begin] then those three"""
    window = extremes_start(period)
    smooth = sma_start(slowing)
    return [float(len(window)), float(len(smooth)), *window, *smooth, *sma_start(signal)]


def stochastic_step(state: State, at: int, high: float, low: float, close: float) -> tuple[float, float]:
    """(%K, %D): the close's place in the window's range, smoothed once and twice; known together."""
    window = at + 2
    smooth = window + int(state[at])
    signal = smooth + int(state[at + 1])
    if not extremes_push(state, window, high, low):
        return math.nan, math.nan
    lowest = window_low(state, window)
    span = window_high(state, window) - lowest
    k = sma_step(state, smooth, 100.0 * (close - lowest) / span if span > 0.0 else NEUTRAL)
    if k != k:
        return math.nan, math.nan
    d = sma_step(state, signal, k)
    if d != d:
        return math.nan, math.nan
    return k, d
