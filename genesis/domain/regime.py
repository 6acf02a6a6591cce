"""What kind of market it is: a range, a trend, wild, or falling apart. One step per closed candle, with hysteresis.

Three measures decide, each a plain number a reader can check on a chart:

* drift: how far the logarithm of price went in the last `window` bars, in standard deviations of a walk that goes
  nowhere (net move / (realised volatility * sqrt(window))). A random walk is within one of them two times in three.
* ADX after Wilder, which says whether the bars pushed one way.
* volatility: the average true range beside price, in multiples of what that usually is (a mean over `memory` bars).

A crash is a fall from the highest close of the window by more than `crash_fall` times the usual move of so many bars,
while volatility is high. Every regime is entered at one threshold and left at a lower one, and only after `confirm`
bars in a row; a crash is told at once, because waiting for it to be confirmed is what it costs to be late.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

import attrs

from genesis.domain.indicators.averages import State
from genesis.domain.indicators.extremes import extremes_push, extremes_start, window_high
from genesis.domain.indicators.ranges import ADX_SIZE, ATR_SIZE, adx_start, adx_step, atr_start, atr_step
from genesis.domain.indicators.volatility import realised_volatility_start, realised_volatility_step
from protocols.market import Candle
from protocols.regime import RegimeName, RegimeSpell, RegimeView
from protocols.units import Symbol

UNKNOWN, RANGE, TREND_UP, TREND_DOWN, HIGH_VOLATILITY, CRASH = 0.0, 1.0, 2.0, 3.0, 4.0, 5.0
NAMES: Final = (
    RegimeName.UNKNOWN,
    RegimeName.RANGE,
    RegimeName.TREND_UP,
    RegimeName.TREND_DOWN,
    RegimeName.HIGH_VOLATILITY,
    RegimeName.CRASH,
)
"""By code."""

REGIME_VERSION: Final = 1
WINDOW: Final = 48
"""Bars a trend is measured over: two days of hours."""
ADX_PERIOD: Final = 14
MEMORY: Final = 480
CONFIRM: Final = 3
TREND_IN, TREND_OUT = 1.25, 0.5
"""Drift at which a trend begins, and below which it is over."""
ADX_IN, ADX_OUT = 20.0, 12.0
WILD_IN, WILD_OUT = 2.0, 1.5
"""Times the usual volatility."""
CRASH_FALL, CRASH_OVER = 1.5, 0.75
"""Falls in usual moves of the window; below the second one it is over."""

# State: [code] [code that is waiting] [bars it has waited] [bars in this regime] [usual relative range] [bars of it]
#        [window] [where each part begins is constant but for the window's two rings, which stand last]
_CODE, _NEXT, _WAITED, _BARS, _USUAL, _SEEN, _WINDOW = 0, 1, 2, 3, 4, 5, 6
_ADX = 7
_ATR = _ADX + ADX_SIZE
_RINGS = _ATR + ATR_SIZE
# Outputs of a step.
CODE, DRIFT, ADX, VOLATILITY, FALL = range(5)
OUTPUTS: Final = ("regime", "drift", "adx", "volatility", "fall")


def regime_start(window: int = WINDOW) -> list[float]:
    """A fresh state. Raises ValueError below two bars."""
    if window < 2:
        raise ValueError(f"window of a regime must be at least 2 bars, was {window}")
    return [
        *(UNKNOWN, UNKNOWN, 0.0, 0.0, 0.0, 0.0, float(window)),
        *adx_start(ADX_PERIOD),
        *atr_start(ADX_PERIOD),
        *extremes_start(window + 1),
        *realised_volatility_start(window),
    ]


def regime_size(window: int = WINDOW) -> int:
    return len(regime_start(window))


def regime_step(
    state: State, at: int, high: float, low: float, close: float
) -> tuple[float, float, float, float, float]:
    """One closed candle in; (code, drift, adx, volatility, fall) out. Code 0 and NaN until every measure is known."""
    window = int(state[at + _WINDOW])
    closes = at + _RINGS
    returns = closes + 3 + 2 * (window + 1)
    adx, plus, minus = adx_step(state, at + _ADX, high, low, close)
    atr = atr_step(state, at + _ATR, high, low, close)
    full = extremes_push(state, closes, close, close)
    deviation = realised_volatility_step(state, returns, close)
    ratio = math.nan
    if atr == atr and close > 0.0:
        relative = atr / close
        seen = state[at + _SEEN]
        if seen > 0.0 and state[at + _USUAL] > 0.0:
            ratio = relative / state[at + _USUAL]
        # A plain mean at first, then one that forgets. A wild hour moves what is usual by no more than two usual ones.
        told = relative if seen < window or relative < 2.0 * state[at + _USUAL] else 2.0 * state[at + _USUAL]
        state[at + _SEEN] = seen + 1.0 if seen < MEMORY else seen
        state[at + _USUAL] += (told - state[at + _USUAL]) / state[at + _SEEN]
    if not full or adx != adx or deviation != deviation or ratio != ratio or state[at + _SEEN] <= window:
        return UNKNOWN, math.nan, math.nan, math.nan, math.nan
    # The ring's oldest close stands where the next one will be put.
    oldest = state[closes + 3 + int(state[closes + 2])]
    highest = window_high(state, closes)
    noise = deviation * math.sqrt(float(window))
    drift = math.log(close / oldest) / noise if noise > 0.0 and oldest > 0.0 and close > 0.0 else 0.0
    usual_move = state[at + _USUAL] * math.sqrt(float(window))
    fall = (highest - close) / highest / usual_move if highest > 0.0 and usual_move > 0.0 else 0.0
    code = state[at + _CODE]
    wanted = _wanted(code, drift, adx, plus - minus, ratio, fall)
    state[at + _BARS] += 1.0
    if wanted == code:
        state[at + _WAITED] = 0.0
        state[at + _NEXT] = code
    else:
        if wanted == state[at + _NEXT]:
            state[at + _WAITED] += 1.0
        else:
            state[at + _NEXT] = wanted
            state[at + _WAITED] = 1.0
        if state[at + _WAITED] >= CONFIRM or wanted == CRASH or code == UNKNOWN:
            state[at + _CODE] = wanted
            state[at + _WAITED] = 0.0
            state[at + _BARS] = 1.0
    return state[at + _CODE], drift, adx, ratio, fall


def _wanted(code: float, drift: float, adx: float, push: float, ratio: float, fall: float) -> float:
    # What the measures alone would say, given what it is now: leaving takes less than entering.
    if fall >= CRASH_FALL and ratio >= WILD_OUT and drift < 0.0:
        return CRASH
    if code == CRASH and fall > CRASH_OVER and ratio >= WILD_OUT:
        return CRASH
    if ratio >= WILD_IN or (code == HIGH_VOLATILITY and ratio >= WILD_OUT):
        return HIGH_VOLATILITY
    if code == TREND_UP and drift > TREND_OUT and adx >= ADX_OUT:
        return TREND_UP
    if code == TREND_DOWN and drift < -TREND_OUT and adx >= ADX_OUT:
        return TREND_DOWN
    if drift >= TREND_IN and adx >= ADX_IN and push > 0.0:
        return TREND_UP
    if drift <= -TREND_IN and adx >= ADX_IN and push < 0.0:
        return TREND_DOWN
    return RANGE


def describe(name: RegimeName, drift: float, adx: float, volatility: float, fall: float) -> str:
    """Why it is called so, in one sentence with its numbers."""
    match name:
        case RegimeName.UNKNOWN:
            return "too few candles to say"
        case RegimeName.TREND_UP | RegimeName.TREND_DOWN:
            way = "up" if name is RegimeName.TREND_UP else "down"
            return f"went {way} {abs(drift):.1f} deviations of a walk without direction, ADX {adx:.0f}"
        case RegimeName.HIGH_VOLATILITY:
            return f"ranges are {volatility:.1f} times the usual"
        case RegimeName.CRASH:
            return f"fell {fall:.1f} usual moves from its high, ranges are {volatility:.1f} times the usual"
        case RegimeName.RANGE:
            return f"went nowhere: {drift:+.1f} deviations, ADX {adx:.0f}, ranges {volatility:.1f} times the usual"


SPELLS: Final = 1_000
"""Stretches of one market that are kept: months of minutes, years of hours."""


@attrs.define
class _Spell:
    code: float
    since_ms: int
    base: float
    until_ms: int = 0
    last: float = 0.0
    bars: int = 0
    told: RegimeSpell | None = None


class RegimeWatch:
    """The regime of one market, candle by candle. Candles seen before move nothing."""

    def __init__(self, symbol: Symbol, timeframe: str, *, window: int = WINDOW) -> None:
        self.symbol, self.timeframe = symbol, timeframe
        self.last_open_ms = -1
        self.since_ms = 0
        self._state = regime_start(window)
        self._last: tuple[float, float, float, float, float] = (UNKNOWN, math.nan, math.nan, math.nan, math.nan)
        self._spells: deque[_Spell] = deque(maxlen=SPELLS)
        self._close = math.nan
        self._told: RegimeView | None = None

    def hear(self, candles: Sequence[Candle], first: int = 0) -> bool:
        """Take closed candles from place `first` on, oldest first; true when the regime changed."""
        before = self._last[0]
        for candle in candles[first:]:
            if candle.open_ms <= self.last_open_ms:
                continue
            code, self._told = self._last[0], None
            self._last = regime_step(self._state, 0, candle.high, candle.low, candle.close)
            self.last_open_ms = candle.open_ms
            if self._last[0] != code:
                self.since_ms = candle.open_ms
            if not self._spells or self._last[0] != code:
                base = candle.open if math.isnan(self._close) else self._close
                self._spells.append(_Spell(self._last[0], candle.open_ms, base))
            spell = self._spells[-1]
            spell.until_ms, spell.last, self._close = candle.open_ms, candle.close, candle.close
            spell.bars += 1
            spell.told = None
        return self._last[0] != before

    def spells(self) -> tuple[RegimeSpell, ...]:
        """The newest stretches, oldest first; those that are over are made once."""
        newest = len(self._spells) - 1
        return tuple(self._spell(each, place == newest) for place, each in enumerate(self._spells))

    def _spell(self, spell: "_Spell", running: bool) -> RegimeSpell:
        if spell.told is None or spell.told.running != running:
            spell.told = RegimeSpell(
                symbol=self.symbol,
                timeframe=self.timeframe,
                regime=NAMES[int(spell.code)],
                since_ms=spell.since_ms,
                until_ms=spell.until_ms,
                bars=spell.bars,
                move=spell.last / spell.base - 1.0 if spell.base else 0.0,
                running=running,
            )
        return spell.told

    def view(self) -> RegimeView:
        """As it stands; made once for each candle that was heard."""
        if self._told is None:
            self._told = self._view()
        return self._told

    def _view(self) -> RegimeView:
        code, drift, adx, volatility, fall = (0.0 if math.isnan(number) else number for number in self._last)
        name = NAMES[int(code)]
        return RegimeView(
            symbol=self.symbol,
            timeframe=self.timeframe,
            regime=name,
            since_ms=self.since_ms,
            bars=int(self._state[_BARS]),
            candle_open_ms=max(self.last_open_ms, 0),
            drift=drift,
            adx=adx,
            volatility=volatility,
            fall=fall,
            reason=describe(name, drift, adx, volatility, fall),
        )
