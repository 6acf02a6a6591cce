"""What is said about permission: facts of the account, rules with their numbers, a verdict, and the latch."""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from protocols.orders import Approved, OrderIntent, UpdateIntent
from protocols.units import ZERO, Side, Symbol


class TradingState(StrEnum):
    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


class DenialCode(StrEnum):
    """Why risk says no. Each has its numbers in the `RuleResult` beside it."""

    HALTED = "halted"
    REDUCING_ONLY = "reducing_only"
    PAUSED = "paused"
    MAX_ORDER_NOTIONAL = "max_order_notional"
    MAX_POSITION_NOTIONAL = "max_position_notional"
    MAX_GROSS_EXPOSURE = "max_gross_exposure"
    MAX_OPEN_POSITIONS = "max_open_positions"
    MAX_DAILY_LOSS = "max_daily_loss"
    MAX_DRAWDOWN = "max_drawdown"
    MAX_TRADES_PER_DAY = "max_trades_per_day"
    MAX_TRADES_PER_SYMBOL = "max_trades_per_symbol"
    MAX_ORDERS_PER_MINUTE = "max_orders_per_minute"
    BELOW_MINIMUM_SIZE = "below_minimum_size"
    ABOVE_MAXIMUM_SIZE = "above_maximum_size"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    ORDER_ALREADY_WORKING = "order_already_working"
    NOTHING_TO_REDUCE = "nothing_to_reduce"
    STALE_DATA = "stale_data"
    STALE_SIGNAL = "stale_signal"
    SYMBOL_HALTED = "symbol_halted"
    UNKNOWN_SYMBOL = "unknown_symbol"
    ACCOUNT_UNKNOWN = "account_unknown"
    CLOCK_SKEW = "clock_skew"
    LOCKED = "locked"
    OUTSIDE_WINDOWS = "outside_windows"
    MAX_WEEKLY_LOSS = "max_weekly_loss"
    MAX_NET_EXPOSURE = "max_net_exposure"
    MAX_STRATEGY_DRAWDOWN = "max_strategy_drawdown"
    COOLDOWN = "cooldown"
    VOLATILITY_BUDGET = "volatility_budget"
    REGIME_BUDGET = "regime_budget"
    BREAKER_OPEN = "breaker_open"
    OTHER_QUOTE = "other_quote"


class LockSource(StrEnum):
    """Who locked: a person, or one of the protections."""

    MANUAL = "manual"
    COOLDOWN = "cooldown"
    STOP_GUARD = "stop_guard"
    LOW_PROFIT = "low_profit"


class BreakerState(StrEnum):
    """CLOSED trades, OPEN lets no entry through, HALF_OPEN lets one through at a time to see how it goes."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class ConditionKind(StrEnum):
    """What the outside of the engine is asked about. Ages and skews are milliseconds, spreads basis points."""

    DATA_AGE = "data_age"
    SPREAD = "spread"
    CLOCK_SKEW = "clock_skew"


class RuleResult(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One rule's answer. `code` is None when it passed; `numbers` say by how much, as plain decimal text."""

    rule: str
    passed: bool
    code: DenialCode | None
    numbers: dict[str, str]


class Verdict(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The whole trace of one judgement. Denied when any rule failed; `intent` then is the wish as it was judged."""

    verdict_id: str
    strategy: str
    symbol: Symbol
    side: Side | None
    approved: bool
    intent: OrderIntent | None
    trace: tuple[RuleResult, ...]
    decided_ms: int
    signal_id: str | None
    settings_version: int
    correlation_id: str

    @property
    def denials(self) -> tuple[RuleResult, ...]:
        return tuple(result for result in self.trace if not result.passed)


class ForeseenOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What risk will approve if what it foresees is said (`received_ns` is 0): a hint, by which nothing is decided."""

    approved: Approved


class EntryUnwanted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nobody wants what this approved order would open any more: should it still wait to leave, it must not leave. One
    that may have left goes its way, and what it brings is closed as any position."""

    intent_id: str
    reason: str
    correlation_id: str


class PositionView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What is held of one symbol, by all strategies; `quantity` is signed, `margin_quantity` its part on margin."""

    symbol: Symbol
    quantity: Decimal
    average_price: Decimal
    mark_price: Decimal
    notional: Decimal
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    fees: Decimal
    margin_quantity: Decimal = ZERO


class MarginHolding(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A margin position as the venue keeps it, whoever made it; `quantity` is signed, `base_price` what it cost."""

    symbol: Symbol
    quantity: Decimal
    base_price: Decimal


class StrategyHolding(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Whose the coins of one symbol are: what a strategy (or `manual`) bought and nobody has sold. Base currency."""

    symbol: Symbol
    strategy: str
    quantity: Decimal


class WalletView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    wallet_type: str
    currency: str
    balance: Decimal
    available: Decimal | None


class TradeResult(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A finished trade in what protections look at, of several strategies one for each, all of the trade's `number`.
    `fraction` is the profit as a part of what was put in."""

    number: int
    symbol: Symbol
    strategy: str
    pnl: Decimal
    fraction: Decimal
    exit_ms: int


class OrderResult(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How an order of ours ended. `average_price` is 0 when nothing of it was filled."""

    intent_id: str
    refused: bool
    filled_quantity: Decimal
    average_price: Decimal
    ended_ms: int


class SettledChange(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An open order that was changed, as it rests now that its changes up to `number` are taken, refused or given up.

    `quantity` is what has not traded. Number 0 is of an order of which a part has traded, and says nothing of changes.
    """

    intent_id: str
    number: int
    quantity: Decimal
    price: Decimal


class MarketPrice(msgspec.Struct, frozen=True, kw_only=True):
    """The close of a watched market's newest candle, which ended at `at_ms`; the next one ends at `due_ms`."""

    symbol: Symbol
    price: Decimal
    at_ms: int
    due_ms: int


class AccountState(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The account in one value, told by the account actor; newest wins. `equity` is in the quote currency.

    `closed_intents` are the newest intents that ended, `closed_count` how many ever did, so that risk can release what
    it reserved for them. `told` is false until the venue's first wallet snapshot, and `known` also while a wallet or
    position is not clear, or nobody knows yet why a wallet has changed. `results` are the newest of the
    `trades_count` finished trades, `endings` how the newest of the intents ended. `margin` is the venue's word.
    `owners` divides the coins of each symbol among those who bought them. `changes` are our open orders that were
    changed or traded in part. `flows` is what was ever paid into the traded wallets less what was taken out, in quote.
    `prices` are of watched markets of which no strategy speaks.
    """

    known: bool
    version: int
    quote_currency: str
    equity: Decimal
    cash: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    fees: Decimal
    wallets: tuple[WalletView, ...]
    positions: tuple[PositionView, ...]
    closed_intents: tuple[str, ...]
    closed_count: int
    mismatched_symbols: tuple[Symbol, ...]
    as_of_ms: int
    results: tuple[TradeResult, ...] = ()
    trades_count: int = 0
    endings: tuple[OrderResult, ...] = ()
    margin: tuple[MarginHolding, ...] = ()
    owners: tuple[StrategyHolding, ...] = ()
    changes: tuple[SettledChange, ...] = ()
    flows: Decimal = ZERO
    prices: tuple[MarketPrice, ...] = ()
    told: bool = False


class Lock(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """No entries in a symbol (None: in any) or of a strategy (None: of any) until a moment (None: until removed)."""

    lock_id: str
    symbol: str | None
    strategy: str | None
    source: LockSource
    reason: str
    actor: str
    created_ms: int
    until_ms: int | None


class BreakerView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One trading circuit breaker. `scope` is a symbol, or "" for all of them; `until_ms` is when OPEN is tried."""

    scope: str
    state: BreakerState
    cause: str
    since_ms: int
    until_ms: int
    trips: int


class WindowsView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The trading windows and where venue time stands in them."""

    timezone: str
    windows: tuple[str, ...]
    open: bool
    next_opening_ms: int | None
    next_closing_ms: int | None


class RiskStatus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Where the guards stand now; `headroom` maps a limit's name to its used and allowed amounts as text."""

    state: TradingState
    reason: str
    paused: bool
    trades_today: int
    trades_today_by_symbol: dict[str, int]
    day: str
    day_start_equity: Decimal
    peak_equity: Decimal
    headroom: dict[str, tuple[str, str]]
    denials_by_code: dict[str, int]
    settings_version: int
    now_ms: int = 0
    paused_reason: str = ""
    week: str = ""
    week_start_equity: Decimal = ZERO
    locks: tuple[Lock, ...] = ()
    breakers: tuple[BreakerView, ...] = ()
    windows: WindowsView | None = None
    regimes: dict[str, str] = {}
    conditions: dict[str, float] = {}
    denials_by_rule: dict[str, int] = {}
    exits_owed: tuple[str, ...] = ()


class SetTradingState(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Turn the durable latch. `actor` is who asked; said again under its `correlation_id` it is the same wish, as is
    every other switch here.

    With `only_tighter` it does nothing to a latch that is as careful already: the house asks so, which may not know of
    a halt that waits before its wish.
    """

    state: TradingState
    reason: str
    actor: str
    correlation_id: str
    only_tighter: bool = False


class SetPaused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    paused: bool
    reason: str
    actor: str
    correlation_id: str


class AddLock(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Lock a symbol, a strategy, both together or (neither given) everything; without `duration_s` until removed."""

    symbol: str | None
    strategy: str | None
    duration_s: float | None
    reason: str
    actor: str
    correlation_id: str


class RemoveLock(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    lock_id: str
    reason: str
    actor: str
    correlation_id: str


class ResetBreaker(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Close a breaker by hand: of one scope, or (None) every one."""

    scope: str | None
    reason: str
    actor: str
    correlation_id: str


class ResetPeaks(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Measure drawdown from here on: of one strategy, or (None) of the account and of every strategy."""

    strategy: str | None
    reason: str
    actor: str
    correlation_id: str


class EvaluateOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A dry question: what would be said to this order now. Answered with a Verdict that nobody keeps."""

    intent: OrderIntent
    actor: str


class MarketCondition(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A fact from outside the scores, said when it crosses its limit (and now and then while it is above).

    `symbol` is "" for what concerns all. The message is an input like any other: risk keeps it with its effect.
    """

    kind: ConditionKind
    symbol: str
    value: float
    at_ms: int
    correlation_id: str


class LockAdded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    lock: Lock


class BreakerChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    breaker: BreakerView


class EquityMarked(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What losses are measured from, as it changes: `mark` is day, week, peak or strategy (then `name` says which).

    Of a strategy `equity` is its best result, and `base_equity` the account's worth by which a fall from it is judged.
    """

    mark: str
    name: str
    equity: Decimal | None
    at_ms: int
    base_equity: Decimal | None = None


class ManualOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order a person asked for; it passes the same rules as any other."""

    intent: OrderIntent
    actor: str


CHANGE: Final = "change:"
"""How the id of a change begins; its verdict has that id, and no order comes of it."""


class ChangeOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A change of a resting order that a person asked for. `intent`, whose id is the change's, is the order that it
    becomes, its quantity without what has traded; `rests` is what the order was worth when it was asked for. Answered
    with a ChangeAnswer.
    """

    intent: OrderIntent
    update: UpdateIntent
    rests: Decimal
    actor: str

    def __post_init__(self) -> None:
        if not self.intent.intent_id.startswith(CHANGE) or self.intent.price is None:
            raise ValueError(f"intent must have a price and an id of {CHANGE}..., was {self.intent.intent_id}")


class ChangeAnswer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What risk says to a change. Not `known`: nothing is reserved for such an order, it has ended. No verdict: it
    makes the order worth no more, and is on its way."""

    known: bool
    verdict: Verdict | None


RiskCommand = (
    SetTradingState
    | SetPaused
    | AddLock
    | RemoveLock
    | ResetBreaker
    | ResetPeaks
    | EvaluateOrder
    | ManualOrder
    | ChangeOrder
)
