"""The plan of the house: every channel with its overflow policy, every snapshot cell, and who talks to whom.

Nothing runs here. `Plan` is made once per process by the engine; channels and cells outlive every crash of an actor.
The edges are written down so that a circle of waiting senders is found at the start and not at three in the morning.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from genesis.core.latest import Latest
from genesis.core.mailbox import Channel, DeadLetter, Mailbox, Overflow
from genesis.core.supervisor import check_block_graph
from genesis.core.tee import Tee
from genesis.domain.config_bus import BusView
from genesis.domain.pairs import PairSpecs
from genesis.domain.protection_watch import held_in
from genesis.domain.ticks import merge_stretches, merge_ticks, stretch_symbol, tick_symbol
from protocols.account import AccountView, LedgerRequest
from protocols.bitfinex.inputs import WrittenCommand
from protocols.config import ConfigCommand, ConfigView, RolloutStatus
from protocols.health import ConnectionView, HealthFinding, Notice, Reconnect
from protocols.jobs import JobRequest, JobView
from protocols.journal import JournalRequest
from protocols.market import (
    BookTop,
    CandleClosed,
    CandleHistory,
    CandleRequest,
    CandleUpdate,
    Freshness,
    HistoryWait,
    HistoryWish,
    MarketView,
    Tick,
    Ticker,
    TradesRequest,
)
from protocols.orders import (
    AccountEvent,
    Approved,
    ApprovedChange,
    Fill,
    HistoryRequest,
    OrderReport,
    OrderUpdate,
    OrderWish,
    VenueCommand,
)
from protocols.regime import RegimeSpell, RegimeView
from protocols.risk import (
    AccountState,
    EntryUnwanted,
    ForeseenOrder,
    MarketCondition,
    RiskCommand,
    RiskStatus,
    SetTradingState,
    Verdict,
)
from protocols.schedule import ScheduleView
from protocols.settings import Settings
from protocols.shadow import ShadowView, Stretch
from protocols.signals import ForeseenScores, SignalScore, StrategyFailed, StrategyView
from protocols.trading import OrdersView, ProtectionStatus

MONEY_CHANNELS = frozenset(
    {
        "scores",
        "approved",
        "order_wishes",
        "venue_commands",
        "account_events",
        "order_reports",
        "balances",
        "account_state",
    }
)
"""A dead letter on one of these is about money: nobody may trade on as if nothing had happened. A wallet or an account
state that was put aside leaves the older one in force, and sizes would be made of it."""

APPLY_SETTINGS = ("account", "order", "risk", "signal", "market_cache", "pool", "protection", "watchdog")
"""Who works by the settings while it runs: each looks up at once when there is a new version, and says that it has it.
Connections read theirs when they dial."""

NEWS: Final = frozenset({Notice, Fill, OrderUpdate, Verdict})
"""What of the screens' stream may be news."""


def _price_key(message: Ticker | BookTop) -> tuple[str, str]:
    return type(message).__name__, message.symbol


def _condition_key(message: MarketCondition) -> tuple[str, str]:
    return message.kind, message.symbol


def _candle_key(message: CandleUpdate) -> tuple[str, str]:
    return message.candle.symbol, message.candle.timeframe


def _hint_key(message: ForeseenScores) -> tuple[str, str]:
    return message.symbol, message.timeframe


def _one(_: object) -> str:
    return "one"


@attrs.define(kw_only=True)
class Channels:
    """Named for what is said. BLOCK waits, CONFLATE keeps the newest, FAIL refuses, DROP_OLDEST counts its drops."""

    journal: Channel[JournalRequest] = attrs.field(factory=lambda: Channel("journal", Overflow.BLOCK, capacity=4096))
    prices: Channel[Ticker | BookTop] = attrs.field(
        factory=lambda: Channel("prices", Overflow.CONFLATE, capacity=4096, key=_price_key)
    )
    market_events: Channel[Any] = attrs.field(factory=lambda: Channel("market_events", Overflow.BLOCK, capacity=8192))
    closed_to_signal: Channel[CandleClosed | CandleHistory] = attrs.field(
        factory=lambda: Channel("closed_to_signal", Overflow.BLOCK, capacity=8192)
    )
    closed_to_account: Channel[CandleClosed] = attrs.field(
        factory=lambda: Channel("closed_to_account", Overflow.BLOCK, capacity=8192)
    )
    scores: Channel[SignalScore | StrategyFailed] = attrs.field(
        factory=lambda: Channel("scores", Overflow.BLOCK, capacity=4096)
    )
    risk_commands: Channel[RiskCommand] = attrs.field(
        factory=lambda: Channel("risk_commands", Overflow.FAIL, capacity=64)
    )
    halts: Channel[SetTradingState] = attrs.field(factory=lambda: Channel("halts", Overflow.UNBOUNDED))
    """The house's own wish to halt. Unlike a person's it can be neither refused nor repeated."""
    conditions: Channel[MarketCondition] = attrs.field(
        factory=lambda: Channel("conditions", Overflow.CONFLATE, capacity=1024, key=_condition_key)
    )
    account_state: Channel[AccountState] = attrs.field(
        factory=lambda: Channel("account_state", Overflow.CONFLATE, capacity=1, key=_one)
    )
    approved: Channel[Approved | ApprovedChange | EntryUnwanted] = attrs.field(
        factory=lambda: Channel("approved", Overflow.BLOCK, capacity=1024)
    )
    order_wishes: Channel[OrderWish] = attrs.field(factory=lambda: Channel("order_wishes", Overflow.FAIL, capacity=64))
    account_events: Channel[AccountEvent] = attrs.field(
        factory=lambda: Channel("account_events", Overflow.BLOCK, capacity=8192)
    )
    balances: Channel[Any] = attrs.field(factory=lambda: Channel("balances", Overflow.BLOCK, capacity=8192))
    ticks: Channel[Tick] = attrs.field(
        factory=lambda: Channel("ticks", Overflow.CONFLATE, capacity=4096, key=tick_symbol, merge=merge_ticks)
    )
    """Of pairs whose strategies want them; what waits while one thinks becomes one tick."""
    paper_candles: Channel[CandleClosed | CandleHistory] = attrs.field(
        factory=lambda: Channel("paper_candles", Overflow.DROP_OLDEST, capacity=4096)
    )
    """Copies for a shadow, while there is one: it may hold up nobody. What it had no room for it reads of the chart."""
    paper_trades: Channel[Stretch] = attrs.field(
        factory=lambda: Channel(
            "paper_trades", Overflow.CONFLATE, capacity=4096, key=stretch_symbol, merge=merge_stretches
        )
    )
    forming: Channel[CandleUpdate] = attrs.field(
        factory=lambda: Channel("forming", Overflow.CONFLATE, capacity=1024, key=_candle_key)
    )
    foreseen: Channel[ForeseenScores] = attrs.field(
        factory=lambda: Channel("foreseen", Overflow.CONFLATE, capacity=1024, key=_hint_key)
    )
    """Hints: what is about to be said. Whoever is busy with what was said does without them."""
    foreseen_orders: Channel[ForeseenOrder] = attrs.field(
        factory=lambda: Channel("foreseen_orders", Overflow.CONFLATE, capacity=1, key=_one)
    )
    own_fills: Channel[Fill] = attrs.field(factory=lambda: Channel("own_fills", Overflow.UNBOUNDED))
    """Back to the strategies that traded. They are at the start of the way to every fill, so to wait for them would be
    to wait for ourselves; no more can lie here than the venue lets us trade."""
    order_reports: Channel[OrderReport] = attrs.field(
        factory=lambda: Channel("order_reports", Overflow.BLOCK, capacity=8192)
    )
    venue_commands: Channel[VenueCommand] = attrs.field(
        factory=lambda: Channel("venue_commands", Overflow.FAIL, capacity=512)
    )
    history_requests: Channel[HistoryRequest] = attrs.field(
        factory=lambda: Channel("history_requests", Overflow.FAIL, capacity=64)
    )
    ledger_requests: Channel[LedgerRequest] = attrs.field(
        factory=lambda: Channel("ledger_requests", Overflow.CONFLATE, capacity=64, key=lambda request: request.currency)
    )
    candle_requests: Channel[CandleRequest | TradesRequest] = attrs.field(
        factory=lambda: Channel("candle_requests", Overflow.CONFLATE, capacity=256, key=lambda request: request)
    )
    reconnect_private: Channel[Reconnect] = attrs.field(
        factory=lambda: Channel("reconnect_private", Overflow.CONFLATE, capacity=1, key=_one)
    )
    set_settings: Channel[ConfigCommand] = attrs.field(
        factory=lambda: Channel("set_settings", Overflow.FAIL, capacity=16)
    )
    job_requests: Channel[JobRequest] = attrs.field(factory=lambda: Channel("job_requests", Overflow.FAIL, capacity=16))
    news: Channel[Any] = attrs.field(factory=lambda: Channel("news", Overflow.DROP_OLDEST, capacity=4096))
    """What people may be told outside the page: copies of some of what screens hear."""
    ui: Tee = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ui = Tee("ui", Overflow.DROP_OLDEST, capacity=16_384, also=self.news, kinds=NEWS)


@attrs.define(kw_only=True)
class Cells:
    """Published snapshots: one writer each, any number of readers."""

    settings: Latest[Settings]
    pairs: Latest[PairSpecs]
    config: Latest[ConfigView] = attrs.field(factory=lambda: Latest(ConfigView()))
    bus: Latest[BusView] = attrs.field(factory=lambda: Latest(BusView()))
    rollout: Latest[RolloutStatus | None] = attrs.field(factory=lambda: Latest(None))
    shadow: Latest[ShadowView | None] = attrs.field(factory=lambda: Latest(None))
    shadow_symbols: Latest[frozenset[str]] = attrs.field(factory=lambda: Latest(frozenset()))
    """Whose candles and trades a shadow wants copies of."""
    shadow_wishes: Latest[tuple[HistoryWish, ...]] = attrs.field(factory=lambda: Latest(()))
    market: Latest[MarketView] = attrs.field(
        factory=lambda: Latest(
            MarketView(tickers={}, tops={}, prints={}, series={}, freshness=(), venue_ms=0, received_ns=0)
        )
    )
    signals: Latest[tuple[SignalScore, ...]] = attrs.field(factory=lambda: Latest(()))
    schedule: Latest[tuple[ScheduleView, ...]] = attrs.field(factory=lambda: Latest(()))
    kinds: Latest[int] = attrs.field(factory=lambda: Latest(0))
    """Rises when the user's strategy files changed."""
    tick_symbols: Latest[frozenset[str]] = attrs.field(factory=lambda: Latest(frozenset()))
    """Pairs whose trades some strategy wants to hear of."""
    history_wishes: Latest[tuple[HistoryWish, ...]] = attrs.field(factory=lambda: Latest(()))
    """What strategies must be told of the past before they hear of a candle."""
    history_waits: Latest[tuple[HistoryWait, ...]] = attrs.field(factory=lambda: Latest(()))
    strategies: Latest[tuple[StrategyView, ...]] = attrs.field(factory=lambda: Latest(()))
    regimes: Latest[tuple[RegimeView, ...]] = attrs.field(factory=lambda: Latest(()))
    regime_spells: Latest[Mapping[str, tuple[RegimeSpell, ...]]] = attrs.field(factory=lambda: Latest({}))
    risk: Latest[RiskStatus | None] = attrs.field(factory=lambda: Latest(None))
    halt_wanted: Latest[SetTradingState | None] = attrs.field(factory=lambda: Latest(None))
    """The newest of `halts` that risk has not taken: meanwhile the order actor keeps to it."""
    verdicts: Latest[tuple[Verdict, ...]] = attrs.field(factory=lambda: Latest(()))
    account: Latest[AccountView | None] = attrs.field(factory=lambda: Latest(None))
    orders: Latest[OrdersView] = attrs.field(factory=lambda: Latest(OrdersView(session=0, ready=False)))
    written: Latest[WrittenCommand | None] = attrs.field(factory=lambda: Latest(None))
    """The text of the command that comes of the order which was rehearsed last."""
    protection: Latest[ProtectionStatus] = attrs.field(factory=lambda: Latest(ProtectionStatus()))
    jobs: Latest[tuple[JobView, ...]] = attrs.field(factory=lambda: Latest(()))
    freshness: Latest[tuple[Freshness, ...]] = attrs.field(factory=lambda: Latest(()))
    health: Latest[tuple[HealthFinding, ...]] = attrs.field(factory=lambda: Latest(()))
    connections: dict[str, Latest[ConnectionView]] = attrs.field(factory=dict)


@attrs.define(kw_only=True)
class Plan:
    """Channels, cells, mailboxes. `on_dead_letter` hears of every message that was put aside as poison."""

    settings: Settings
    pairs: PairSpecs
    sockets: int
    on_dead_letter: Callable[[DeadLetter], None]
    channels: Channels = attrs.field(factory=Channels)
    cells: Cells = attrs.field(init=False)
    reconnect_public: tuple[Channel[Reconnect], ...] = attrs.field(init=False)
    mailboxes: dict[str, Mailbox] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.cells = Cells(settings=Latest(self.settings), pairs=Latest(self.pairs))
        self.reconnect_public = tuple(
            Channel(f"reconnect_public_{number}", Overflow.CONFLATE, capacity=1, key=_one)
            for number in range(self.sockets)
        )
        hears = self._hears()
        self.mailboxes = {name: Mailbox(name, channels, alarm=self.on_dead_letter) for name, channels in hears.items()}
        self.cells.settings.on_set = self._settings_changed
        self.cells.config.on_set = self._config_changed
        # Whose file is gone or broken is off at once, not with the next candle.
        self.cells.kinds.on_set = self.mailboxes["signal"].nudge
        self.cells.history_wishes.on_set = self.cells.shadow_wishes.on_set = self.mailboxes["market_cache"].nudge
        self._have_protection_look(self.mailboxes["protection"].nudge)
        receivers = {id(channel): name for name, heard in hears.items() for channel in heard}
        check_block_graph(
            (sender, receivers[id(channel)], channel)
            for sender, said in self._says().items()
            for channel in said
            if id(channel) in receivers
        )

    def _have_protection_look(self, look: Callable[[], None]) -> None:
        """When what it looks at is another. Most that is published of orders and account is nothing to it."""
        self.cells.orders.when_other(lambda view: view.open, look)
        self.cells.account.when_other(held_in, look)
        self.cells.pairs.on_set = look

    def _settings_changed(self) -> None:
        for name in APPLY_SETTINGS:
            self.mailboxes[name].nudge()

    def _config_changed(self) -> None:
        for name in ("rollout", "shadow"):
            self.mailboxes[name].nudge()

    def _hears(self) -> dict[str, tuple[Channel[Any], ...]]:
        to = self.channels
        return {
            "journal": (to.journal,),
            "config": (to.set_settings,),
            "rollout": (),
            "shadow": (to.paper_candles, to.paper_trades),
            "config_bus": (),
            "account": (to.order_reports, to.balances, to.closed_to_account),
            "order": (to.account_events, to.approved, to.order_wishes, to.foreseen_orders),
            "risk": (to.account_state, to.halts, to.risk_commands, to.conditions, to.scores, to.foreseen),
            "signal": (to.own_fills, to.closed_to_signal, to.ticks, to.forming),
            "market_cache": (to.market_events, to.prices),
            "history": (to.history_requests, to.candle_requests, to.ledger_requests),
            "connection_private": (to.reconnect_private, to.venue_commands),
            **{f"connection_public_{number}": (channel,) for number, channel in enumerate(self.reconnect_public)},
            "watchdog": (),
            "protection": (),
            "pool": (),
            "regime": (),
            "jobs": (to.job_requests,),
            "strategies": (),
            "scheduler": (),
            "web": (to.ui,),
            "notifier": (to.news,),
            "health": (),
        }

    def _says(self) -> dict[str, tuple[Channel[Any], ...]]:
        to = self.channels
        public = (to.prices, to.market_events, to.candle_requests, to.ui)
        return {
            "config": (to.journal, to.ui),
            "rollout": (to.journal, to.set_settings, to.ui),
            # Not one channel leads from here to risk, to an order or to a socket.
            "shadow": (to.journal, to.ui),
            "config_bus": (to.journal, to.set_settings, to.halts, to.ui),
            "account": (to.journal, to.account_state, to.own_fills, to.ledger_requests, to.ui),
            "order": (to.journal, to.venue_commands, to.history_requests, to.order_reports, to.risk_commands, to.ui),
            "risk": (to.journal, to.approved, to.foreseen_orders, to.ui),
            "signal": (to.journal, to.scores, to.foreseen, to.ui),
            "market_cache": (
                to.journal,
                to.closed_to_signal,
                to.closed_to_account,
                to.ticks,
                to.paper_candles,
                to.paper_trades,
                to.forming,
                to.candle_requests,
                to.ui,
            ),
            "history": (to.account_events, to.market_events, to.balances, to.ui),
            "connection_private": (to.journal, to.account_events, to.balances, to.ui),
            **{f"connection_public_{number}": public for number in range(self.sockets)},
            "watchdog": (to.reconnect_private, *self.reconnect_public, to.conditions, to.ui),
            "protection": (to.order_wishes, to.ui),
            "pool": (to.ui,),
            "regime": (to.ui,),
            "strategies": (to.ui,),
            "scheduler": (to.ui,),
            "jobs": (to.ui,),
            "health": (to.halts, to.ui),
            "web": (to.risk_commands, to.order_wishes, to.set_settings, to.job_requests),
        }
