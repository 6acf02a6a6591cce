"""What clients send and get about signals, regimes and the watchlist."""

from typing import Annotated

import msgspec

from protocols.account import StrategyBookView
from protocols.regime import RegimeSpell, RegimeView
from protocols.signals import Recommendation, SignalScore, StrategyView
from web.bodies import Limit, NameText, Offset, Strict, SymbolText, TimeframeText
from web.risk_bodies import Moment


class RegimeQuery(Strict, frozen=True, kw_only=True):
    timeframe: TimeframeText | None = None


class Regimes(msgspec.Struct, frozen=True, kw_only=True):
    """Every market's regime after its newest closed candle, by symbol and time frame."""

    regimes: tuple[RegimeView, ...]


class RegimeHistoryQuery(Strict, frozen=True, kw_only=True):
    """Stretches that overlap with `from_ms` to `to_ms` (venue milliseconds), newest first."""

    symbol: SymbolText | None = None
    timeframe: TimeframeText | None = None
    from_ms: Moment | None = None
    to_ms: Moment | None = None
    limit: Limit = 100
    offset: Offset = 0

    def __post_init__(self) -> None:
        if self.from_ms is not None and self.to_ms is not None and self.from_ms > self.to_ms:
            raise ValueError(f"from_ms must be at most to_ms ({self.to_ms}), was {self.from_ms}")


class RegimeHistory(msgspec.Struct, frozen=True, kw_only=True):
    """`total` matched; `known_since_ms` is where the kept candles begin: nothing older is known, null without any."""

    total: int
    known_since_ms: int | None
    spells: tuple[RegimeSpell, ...]


class WatchlistQuery(Strict, frozen=True, kw_only=True):
    """`timeframe` chooses the regime that is shown; without it the longest that is kept."""

    timeframe: TimeframeText | None = None


class WatchedStrategy(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy's newest word on a symbol, and its newest that was not hold, and not told of history (`catch_up`)."""

    strategy: str
    timeframe: str
    newest: SignalScore | None
    acted: SignalScore | None


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol in a line. Prices are null before the first ticker; `imbalance` is -1 (all asks) to 1 (all bids).

    `depth_imbalance` is the same of the known levels, `flow` of the trades of the last five minutes.
    """

    symbol: str
    last: float | None
    daily_change: float | None
    bid: float | None
    ask: float | None
    spread_bps: float | None
    imbalance: float | None
    depth_imbalance: float | None
    flow: float | None
    regime: RegimeView | None
    position: float
    unrealized_pnl: float
    stale: tuple[str, ...]
    strategies: tuple[WatchedStrategy, ...]


class Watchlist(msgspec.Struct, frozen=True, kw_only=True):
    venue_ms: int
    symbols: tuple[Watched, ...]


class SignalSearchQuery(Strict, frozen=True, kw_only=True):
    """A search of the journal, newest first. HOLD is left out unless it is asked for. Times are venue milliseconds."""

    symbol: SymbolText | None = None
    timeframe: TimeframeText | None = None
    strategy: NameText | None = None
    recommendation: Recommendation | None = None
    hold: bool = False
    confidence_from: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    from_ms: Moment | None = None
    to_ms: Moment | None = None
    limit: Limit = 100
    offset: Offset = 0

    def __post_init__(self) -> None:
        if self.from_ms is not None and self.to_ms is not None and self.from_ms > self.to_ms:
            raise ValueError(f"from_ms must be at most to_ms ({self.to_ms}), was {self.from_ms}")


class SignalHistory(msgspec.Struct, frozen=True, kw_only=True):
    """`total` matched among the `searched` newest scores; `complete` says whether the whole journal was looked at."""

    total: int
    searched: int
    complete: bool
    signals: tuple[SignalScore, ...]


class LatestSignals(msgspec.Struct, frozen=True, kw_only=True):
    strategies: tuple[WatchedStrategy, ...]


class KindParameter(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    default: float
    low: float
    high: float
    whole: bool
    meaning: str


class KindView(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy that settings may name; `fault` says why one of the user's cannot be used."""

    kind: str
    version: int
    own: bool
    text: str
    fault: str
    parameters: tuple[KindParameter, ...]


class OffStrategy(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy that the settings name and do not enable: it says nothing. `parameters` are those that they give."""

    strategy: str
    kind: str
    symbol: str
    timeframe: str
    parameters: dict[str, float]


class Strategies(msgspec.Struct, frozen=True, kw_only=True):
    """What runs (or should, and why it does not), what is named and not enabled (`off`), each one's own book of each
    symbol, and what there is to choose from.

    Books are of the fills that the engine shows (`/api/v2/trades`), manual orders among them. `settings_version` is
    the one in force, 0 before any is known.
    """

    settings_version: int

    running: tuple[StrategyView, ...]
    off: tuple[OffStrategy, ...]
    books: tuple[StrategyBookView, ...]
    kinds: tuple[KindView, ...]
