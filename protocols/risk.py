"""What is said about permission: facts of the account, rules with their numbers, a verdict, and the latch."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from protocols.orders import OrderIntent
from protocols.units import Side, Symbol


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


class PositionView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What is held of one symbol, by all strategies; `quantity` is signed."""

    symbol: Symbol
    quantity: Decimal
    average_price: Decimal
    mark_price: Decimal
    notional: Decimal
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    fees: Decimal


class WalletView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    wallet_type: str
    currency: str
    balance: Decimal
    available: Decimal | None


class AccountState(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The account in one value, told by the account actor; newest wins. `equity` is in the quote currency.

    `closed_intents` are the newest intents that ended, `closed_count` how many ever did, so that risk can release what
    it reserved for them. `known` is false until the venue's first wallet snapshot.
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


class SetTradingState(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Turn the durable latch. `actor` is who asked."""

    state: TradingState
    reason: str
    actor: str
    correlation_id: str


class SetPaused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    paused: bool
    reason: str
    actor: str
    correlation_id: str


class ManualOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An order a person asked for; it passes the same rules as any other."""

    intent: OrderIntent
    actor: str


RiskCommand = SetTradingState | SetPaused | ManualOrder
