"""What the web may look at: functions that give frozen snapshots, and never wait.

The roof fills them from `Latest` cells; a test fills them with constants. A reader must return at once and must return
values nobody changes later: the web encodes them between two checkpoints and hands the bytes to many clients.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import attrs

from genesis.domain.config_bus import BusView
from genesis.domain.live_performance import LivePerformance
from protocols.account import ClosedTotals, ClosedTrade, Performance, StrategyBookView
from protocols.config import ConfigView, RolloutStatus
from protocols.health import (
    ActorView,
    ConnectionView,
    DeadLetterView,
    EventCount,
    HealthFinding,
    IoView,
    LineTimes,
    Notice,
)
from protocols.jobs import JobView
from protocols.market import BookLevels, BookTop, Candle, Freshness, Ticker, TradePrint
from protocols.orders import Fill, OrderView
from protocols.regime import RegimeSpell, RegimeView
from protocols.risk import AccountState, RiskStatus, Verdict
from protocols.schedule import ScheduleView
from protocols.settings import Settings
from protocols.shadow import ShadowView
from protocols.signals import SignalScore, StrategyView
from protocols.trading import FlattenView, ProtectionStatus, ProtectionView
from protocols.units import Symbol
from web.models import EngineStatus, EquityPoint


def _nothing() -> tuple[()]:
    return ()


def _none() -> None:
    return None


def _empty() -> dict[str, float]:
    return {}


def _no_versions() -> dict[str, int]:
    return {}


def _no_tickers() -> dict[str, Ticker]:
    return {}


def _no_tops() -> dict[str, BookTop]:
    return {}


def _no_candles(symbol: str, timeframe: str) -> tuple[Candle, ...]:
    return ()


def _no_spells() -> dict[str, tuple[RegimeSpell, ...]]:
    return {}


def _no_prints(symbol: str) -> tuple[TradePrint, ...]:
    return ()


def _no_depth(symbol: Symbol, limit: int) -> None:
    return None


@attrs.frozen(kw_only=True)
class Readers:
    """Every view the web has of the engine. Lists are oldest first unless said; what is not known yet is empty or None.

    `orders` gives every order it remembers, open ones always among them, `flattens` the wishes to flatten under way and
    the newest that are done. `running` names the settings version that each actor works by, `rollout` is the last one
    of this process, `shadow` its paper shadow while that runs. `gauges` and `counters` are further metrics by their
    full Prometheus name, such as `tradingbot_marketdata_ws_percent`.
    """

    status: Callable[[], EngineStatus]
    tickers: Callable[[], Mapping[str, Ticker]] = _no_tickers
    tops: Callable[[], Mapping[str, BookTop]] = _no_tops
    candles: Callable[[str, str], Sequence[Candle]] = _no_candles
    account: Callable[[], AccountState | None] = _none
    orders: Callable[[], Sequence[OrderView]] = _nothing
    fills: Callable[[], Sequence[Fill]] = _nothing
    flattens: Callable[[], Sequence[FlattenView]] = _nothing
    signals: Callable[[], Sequence[SignalScore]] = _nothing
    schedule: Callable[[], Sequence[ScheduleView]] = _nothing
    regime_spells: Callable[[], Mapping[str, tuple[RegimeSpell, ...]]] = _no_spells
    regimes: Callable[[], Sequence[RegimeView]] = _nothing
    strategies: Callable[[], Sequence[StrategyView]] = _nothing
    verdicts: Callable[[], Sequence[Verdict]] = _nothing
    risk: Callable[[], RiskStatus | None] = _none
    actors: Callable[[], ActorView | None] = _none
    dead_letters: Callable[[], Sequence[DeadLetterView]] = _nothing
    connections: Callable[[], Sequence[ConnectionView]] = _nothing
    freshness: Callable[[], Sequence[Freshness]] = _nothing
    line_times: Callable[[], Sequence[LineTimes]] = _nothing
    io: Callable[[], Sequence[IoView]] = _nothing
    event_counts: Callable[[], Sequence[EventCount]] = _nothing
    equity: Callable[[], Sequence[EquityPoint]] = _nothing
    notices: Callable[[], Sequence[Notice]] = _nothing
    settings: Callable[[], Settings] = Settings
    jobs: Callable[[], Sequence[JobView]] = _nothing
    performance: Callable[[], LivePerformance | None] = _none
    prints: Callable[[str], Sequence[TradePrint]] = _no_prints
    depth: Callable[[Symbol, int], BookLevels | None] = _no_depth
    closed_trades: Callable[[], Sequence[ClosedTrade]] = _nothing
    closed: Callable[[], ClosedTotals] = ClosedTotals
    books: Callable[[], Sequence[StrategyBookView]] = _nothing
    day_start_equity: Callable[[], Decimal] = Decimal
    figures: Callable[[], Performance | None] = _none
    protection: Callable[[], ProtectionStatus] = ProtectionStatus
    brackets: Callable[[], Sequence[ProtectionView]] = _nothing
    config: Callable[[], ConfigView] = ConfigView
    running: Callable[[], Mapping[str, int]] = _no_versions
    rollout: Callable[[], RolloutStatus | None] = _none
    shadow: Callable[[], ShadowView | None] = _none
    house: Callable[[], Sequence[HealthFinding]] = _nothing
    bus: Callable[[], BusView | None] = _none
    log_lines: Callable[[], Sequence[str]] = _nothing
    gauges: Callable[[], Mapping[str, float]] = _empty
    counters: Callable[[], Mapping[str, float]] = _empty
