"""What is said about direction: one score per strategy and closed candle."""

from enum import StrEnum

import msgspec

from protocols.market import HistoryWait
from protocols.settings import MemberSettings
from protocols.units import Symbol


class Recommendation(StrEnum):
    BUY = "buy"
    SELL = "sell"
    HOLD = "hold"


class SignalScore(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """A strategy's opinion after one closed candle, HOLD included: risk also marks positions by `price`.

    With a `trade_id` it is about a tick between two candles, and never HOLD; `candle_open_ms` is then the candle that
    the strategy saw last, and `decided_ms` the trade's time.

    `signal_id` is made of strategy, symbol, time frame and candle, so saying it twice is recognisable.
    `confidence` and `probability` are in [0, 1]; `features` are named numbers; `reasons` are sentences.
    """

    signal_id: str
    strategy: str
    symbol: Symbol
    timeframe: str
    candle_open_ms: int
    decided_ms: int
    price: float
    recommendation: Recommendation
    confidence: float
    probability: float
    source: str
    features: dict[str, float]
    reasons: tuple[str, ...]
    catch_up: bool
    correlation_id: str
    received_ns: int
    trade_id: int | None = None


class ForeseenScores(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What strategies will say, in this order, if a candle closes as it stands: a hint, by which nothing is decided."""

    symbol: Symbol
    timeframe: str
    scores: tuple[SignalScore, ...]


class StrategyFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A strategy failed and is off: it says nothing more until its file or its settings change."""

    strategy: str
    reason: str
    correlation_id: str


class StrategyView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One strategy that runs, or should: `fault` says why it is off, empty while all is well.

    `own` is true for one of the user's own files; `scores` counts since the process started. It warms up while it has
    `seen` fewer closed candles than it `needs` before it can say anything (0: not known). `waits` says that it has not
    been told what came before, `history` for which candles it is kept waiting: for those, or for a hole to be filled.
    """

    strategy: str
    kind: str
    version: int
    symbol: Symbol
    timeframe: str
    parameters: dict[str, float]
    scores: int
    last_open_ms: int
    fault: str
    own: bool
    members: tuple[MemberSettings, ...] = ()
    needs: int = 0
    seen: int = 0
    waits: bool = False
    history: HistoryWait | None = None
