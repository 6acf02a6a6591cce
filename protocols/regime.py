"""What is said about the kind of market: a range, a trend, wild, or a crash."""

from enum import StrEnum

import msgspec

from protocols.units import Symbol


class RegimeName(StrEnum):
    UNKNOWN = "unknown"
    RANGE = "range"
    TREND_UP = "trend_up"
    TREND_DOWN = "trend_down"
    HIGH_VOLATILITY = "high_volatility"
    CRASH = "crash"


class RegimeView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One market's regime after its newest closed candle. `bars` is how long it has lasted, `since_ms` from when.

    `drift` is in standard deviations of a walk without direction, `volatility` in multiples of the usual, `fall` in
    usual moves of the window below its highest close; all 0 while the regime is unknown.
    """

    symbol: Symbol
    timeframe: str
    regime: RegimeName
    since_ms: int
    bars: int
    candle_open_ms: int
    drift: float
    adx: float
    volatility: float
    fall: float
    reason: str


class RegimeSpell(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A stretch of one regime: `since_ms` opens its first candle, `until_ms` its last one, `bars` counts them.

    `move` is from the close before it to its last close, in parts of the first (0.02 is 2 %); `running` is true for the
    one that is not over.
    """

    symbol: Symbol
    timeframe: str
    regime: RegimeName
    since_ms: int
    until_ms: int
    bars: int
    move: float
    running: bool


class RegimeChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A market's regime became another one at a closed candle."""

    before: RegimeName
    now: RegimeView
