"""The voters of an ensemble: trend, breakout and reversion, each from -1 (out) to 1 (in), weighed by the regime.

Trend followers are heard in trends, the one who buys dips in a range, nobody in a crash. One flat state for all of
them, so that ensembles of any kind can share it.
"""

import math

from genesis.domain.indicators.averages import EMA_SIZE, State, ema_start, ema_step, wilder_value
from genesis.domain.indicators.extremes import extremes_push, extremes_start, window_high, window_low
from genesis.domain.indicators.momentum import rsi_start, rsi_step
from genesis.domain.indicators.ranges import ATR_SIZE, atr_start, atr_step
from genesis.domain.regime import CRASH, HIGH_VOLATILITY, RANGE, TREND_DOWN, TREND_UP, regime_start, regime_step

# State: [place of the regime] [three weights] [use the regime: 1 or 0] [votes: trend, breakout, reversion, in all]
#        [regime code] [bars seen] [ATR] [fast] [slow] [RSI] [channel] [regime]
_PLACE, _WEIGHTS, _MINDS = 0, 1, 4
VOTE_TREND, VOTE_BREAKOUT, VOTE_REVERSION, VOTE = 5, 6, 7, 8
REGIME = 9
VOTE_ATR = 10
_FAST = VOTE_ATR + ATR_SIZE
_SLOW = _FAST + EMA_SIZE
_RSI = _SLOW + EMA_SIZE
_RSI_SIZE = 1 + 2 * EMA_SIZE
_CHANNEL = _RSI + _RSI_SIZE

RSI_LOW, RSI_HIGH = 35.0, 60.0


def votes_start(
    fast: int, slow: int, channel: int, *, trend: float, breakout: float, reversion: float, minds_regime: bool
) -> list[float]:
    """Weights at least 0, not all 0. Raises ValueError."""
    if fast >= slow:
        raise ValueError(f"fast must be below slow ({slow}), was {fast}")
    if trend + breakout + reversion <= 0.0:
        raise ValueError("at least one weight must be above 0, was none")
    window = extremes_start(channel)
    head = [float(_CHANNEL + len(window)), trend, breakout, reversion, 1.0 if minds_regime else 0.0]
    votes = [0.0, 0.0, 0.0, math.nan, 0.0]
    averages = [*atr_start(14), *ema_start(fast), *ema_start(slow), *rsi_start(14)]
    return [*head, *votes, *averages, *window, *regime_start()]


def votes_step(state: State, at: int, high: float, low: float, close: float) -> float:
    """One closed candle in; the weighed vote from -1 to 1, NaN until everybody has one."""
    code, _, _, _, _ = regime_step(state, at + int(state[at + _PLACE]), high, low, close)
    atr = atr_step(state, at + VOTE_ATR, high, low, close)
    fast = ema_step(state, at + _FAST, close)
    slow = ema_step(state, at + _SLOW, close)
    rsi = rsi_step(state, at + _RSI, close)
    channel = at + _CHANNEL
    full = state[channel + 1] >= state[channel]
    upper = window_high(state, channel) if full else math.nan
    lower = window_low(state, channel) if full else math.nan
    extremes_push(state, channel, high, low)
    state[at + REGIME] = code
    if slow != slow or atr != atr or rsi != rsi or not full or code == 0.0:
        state[at + VOTE] = math.nan
        return math.nan
    gap = (fast - slow) / atr if atr > 0.0 else 0.0
    state[at + VOTE_TREND] = max(-1.0, min(1.0, gap))
    # A breakout is remembered until one the other way.
    if close > upper:
        state[at + VOTE_BREAKOUT] = 1.0
    elif close < lower:
        state[at + VOTE_BREAKOUT] = -1.0
    # So is a dip, until it has recovered.
    if rsi < RSI_LOW:
        state[at + VOTE_REVERSION] = 1.0
    elif rsi > RSI_HIGH:
        state[at + VOTE_REVERSION] = -1.0
    follow, revert = 1.0, 1.0
    if state[at + _MINDS] > 0.0:
        if code == RANGE:
            follow = 0.5
        elif code == TREND_UP or code == TREND_DOWN:
            revert = 0.0
        elif code == HIGH_VOLATILITY:
            follow, revert = 0.5, 0.5
        elif code == CRASH:
            state[at + VOTE] = -1.0
            return -1.0
    trend = state[at + _WEIGHTS] * follow
    breakout = state[at + _WEIGHTS + 1] * follow
    reversion = state[at + _WEIGHTS + 2] * revert
    total = trend + breakout + reversion
    vote = 0.0
    if total > 0.0:
        vote = (
            trend * state[at + VOTE_TREND]
            + breakout * state[at + VOTE_BREAKOUT]
            + reversion * state[at + VOTE_REVERSION]
        ) / total
    if state[at + _MINDS] > 0.0 and code == HIGH_VOLATILITY:
        vote *= 0.5
    state[at + VOTE] = vote
    return vote


def votes_atr(state: State, at: int) -> float:
    return wilder_value(state, at + VOTE_ATR + 1)
