"""What risk remembers: the latch, counters, peaks and reservations, in one value that is written down whole."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache

import msgspec

from genesis.domain.pairs import PairSpec
from genesis.domain.trading_breaker import TradingBreaker
from genesis.domain.volatility import UNKNOWN, Volatility
from protocols.orders import OrderIntent, Purpose
from protocols.risk import (
    AccountState,
    BreakerView,
    ConditionKind,
    EntryUnwanted,
    Lock,
    MarginHolding,
    TradeResult,
    TradingState,
    WalletView,
)
from protocols.units import ZERO, Side, Symbol, base_currency, quote_currency

SWITCHES_REMEMBERED = 128
"""More than anybody has in his hands at once."""
ENTRY_PURPOSES = frozenset({Purpose.ENTRY, Purpose.MANUAL})


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """An order without the changes that are under way; `number` is the newest change that is not."""

    number: int
    quantity: Decimal
    price: Decimal
    notional: Decimal
    reduces: bool


class OpenChange(msgspec.Struct, frozen=True, kw_only=True):
    """What an approved change may make of an order, until it is taken, refused or given up."""

    number: int
    change_id: str
    quantity: Decimal
    price: Decimal
    reduces: bool


class Reservation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An approved intent that has not ended yet. `notional` is what it may cost, at the price it was judged by, and
    `reduces` says that it opens nothing, both with the `changes` that are under way. `rests` is None until the first
    change. `unwanted_by` names what took the wish for it back (a signal, a switch), in the words of `unwanted`;
    `voiced` says that settings let its strategy speak when it was approved."""

    intent: OrderIntent
    notional: Decimal
    reduces: bool
    settings_version: int
    rests: Resting | None = None
    changes: tuple[OpenChange, ...] = ()
    unwanted_by: str = ""
    unwanted: EntryUnwanted | None = None
    voiced: bool = False

    @property
    def quantity(self) -> Decimal:
        """The most that it may be."""
        rests = self.intent.quantity if self.rests is None else self.rests.quantity
        return max([rests, *[each.quantity for each in self.changes]]) if self.changes else rests


class StrategyBook(msgspec.Struct, kw_only=True):
    """What one strategy made: realized, its best with open positions, and the equity when that best was."""

    realized: Decimal = ZERO
    peak: Decimal = ZERO
    base_equity: Decimal = ZERO


class RiskState(msgspec.Struct, kw_only=True):
    """Everything a decision depends on besides settings. Times are venue time; money is in the quote currency.

    `judged` maps a strategy to the open stamp of the last candle it was judged by, and `strategy at trades` to the last
    trade; `exits_owed` maps `strategy symbol` to the codes that kept us from closing what should be closed. Equity
    figures are None until the account is known. `due_ms` is when a symbol's next candle should have ended, `owner` the
    strategy that entered it last, `results` the finished trades that some protection may still look at, `conditions`
    what the outside said last, `flows_seen` the deposits less withdrawals that the equity figures have been moved by,
    `looked_worth` what the account was worth at `looked_ms`, while orders rest. `switched` are the correlation ids of
    the switches that were heard last, done or not.
    """

    trading: TradingState = TradingState.ACTIVE
    trading_reason: str = ""
    paused: bool = False
    paused_reason: str = ""
    now_ms: int = 0
    day: str = ""
    day_start_equity: Decimal | None = None
    peak_equity: Decimal | None = None
    trades_today: int = 0
    trades_today_by_symbol: dict[str, int] = {}
    order_times_ms: list[int] = []
    marks: dict[str, Decimal] = {}
    judged: dict[str, int] = {}
    manual: dict[str, bool] = {}
    reservations: dict[str, Reservation] = {}
    exits_owed: dict[str, tuple[str, ...]] = {}
    denials_by_code: dict[str, int] = {}
    account: AccountState | None = None
    closed_count: int = 0
    week: str = ""
    week_start_equity: Decimal | None = None
    denials_by_rule: dict[str, int] = {}
    last_entry_ms: dict[str, int] = {}
    due_ms: dict[str, int] = {}
    owner: dict[str, str] = {}
    strategies: dict[str, StrategyBook] = {}
    results: list[TradeResult] = []
    trades_seen: int = 0
    locks: dict[str, Lock] = {}
    locks_made: int = 0
    breakers: dict[str, TradingBreaker] = {}
    conditions: dict[str, float] = {}
    volatility: dict[str, Volatility] = {}
    flows_seen: Decimal = ZERO
    looked_ms: int = 0
    looked_worth: Decimal | None = None
    switched: list[str] = []


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A trade somebody wants, before anybody allowed it. `quantity` may be 0: then there is no size to speak of.

    `signal_id` is None for what a person asks; `lag_ms` is how far the signal was behind the newest one; `intent` is
    the order it would become.
    """

    intent_id: str
    strategy: str
    symbol: Symbol
    side: Side
    purpose: Purpose
    quantity: Decimal
    price: Decimal
    decided_ms: int
    correlation_id: str
    signal_id: str | None
    catch_up: bool = False
    lag_ms: int = 0
    intent: OrderIntent | None

    @property
    def notional(self) -> Decimal:
        return self.quantity * self.price

    @property
    def margin(self) -> bool:
        """Traded with borrowed money or coins, so that it may also be sold short."""
        return self.intent is not None and self.intent.margin

    @property
    def reduce_only(self) -> bool:
        """The venue itself sees to it that this takes away and adds nothing."""
        return self.margin and self.intent is not None and self.intent.reduce_only


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules look at in one judgement, worked out once; nothing of it changes afterwards.

    `held` is signed base of the wish's symbol by our fills, on margin or not as the wish is, `base_balance` what
    the venue keeps of it in the exchange wallet; `largest_position` is the most that is at stake in any symbol;
    `free_margin` is what may still be used of the margin wallet, of which a wish takes `initial_margin` of its
    notional; `position_notional` and `gross_notional` include what approved entries reserve, `free_cash` excludes
    it. `working` are our unfinished orders of the symbol. `net_notional` is long less short; `strategy_result` is
    what the wish's strategy made, open positions included; `overdue_ms` is how late the symbol's next candle is;
    `locks` are those that stand against the wish, and `breaker` is the one in its way. The latch, what losses are
    measured from, the strategy's best with the equity it began at, and the counts are what the state was then;
    `trades_today_here` and `last_entry_ms` are of the wish's symbol, `data_age_ms` is what the outside said of it.
    """

    now_ms: int
    account_known: bool
    price_known: bool
    symbol_known: bool
    equity: Decimal
    free_cash: Decimal
    held: Decimal
    base_balance: Decimal
    position_notional: Decimal
    gross_notional: Decimal
    open_symbols: frozenset[str]
    working: tuple[OrderIntent, ...]
    reduces: bool
    pair: PairSpec | None
    account_told: bool = False
    net_notional: Decimal = ZERO
    strategy_result: Decimal = ZERO
    mismatched: bool = False
    overdue_ms: int = 0
    atr: Decimal | None = None
    regime: str = UNKNOWN
    locks: tuple[Lock, ...] = ()
    breaker: BreakerView | None = None
    free_margin: Decimal = ZERO
    initial_margin: Decimal = Decimal(1)
    largest_position: Decimal = ZERO
    trading: TradingState = TradingState.ACTIVE
    trading_reason: str = ""
    paused: bool = False
    paused_reason: str = ""
    data_age_ms: float = 0.0
    clock_skew_ms: float = 0.0
    day_start_equity: Decimal | None = None
    week_start_equity: Decimal | None = None
    peak_equity: Decimal | None = None
    strategy_peak: Decimal = ZERO
    strategy_base: Decimal = ZERO
    trades_today: int = 0
    trades_today_here: int = 0
    orders_last_minute: int = 0
    last_entry_ms: int | None = None


def heard_before(state: RiskState, correlation_id: str) -> bool:
    """Whether a switch of this id was heard already; if not, it is from now on.

    One that was in our hands when we died comes again: a lock would be two, and a halt between whose two hearings
    somebody resumed would hold for good. One without an id is never taken for another.
    """
    if not correlation_id:
        return False
    if correlation_id in state.switched:
        return True
    state.switched = [*state.switched[1 - SWITCHES_REMEMBERED :], correlation_id]
    return False


def condition_key(kind: ConditionKind, symbol: str) -> str:
    return f"{kind.value} {symbol}"


def held_quantity(account: AccountState | None, symbol: str, *, margin: bool = False) -> Decimal:
    """Signed base quantity that our fills left us with, in the exchange wallet or on margin."""
    if account is not None:
        for position in account.positions:
            if position.symbol == symbol:
                return position.margin_quantity if margin else position.quantity - position.margin_quantity
    return ZERO


def owned_quantity(account: AccountState | None, symbol: str, strategy: str) -> Decimal:
    """What of the coins held is this strategy's to sell: never what another strategy or a person bought."""
    owners = () if account is None else [each for each in account.owners if each.symbol == symbol]
    if not owners:
        # Nobody said whose it is: an account told by an older version, or nothing held.
        return held_quantity(account, symbol)
    return sum((each.quantity for each in owners if each.strategy == strategy), ZERO)


def base_balance(account: AccountState | None, symbol: str) -> Decimal | None:
    """What the venue says is in the exchange wallet of a symbol's base currency; None when it never said."""
    return _balance(account, base_currency(symbol))


def _balance(account: AccountState | None, currency: str, wallet_type: str = "exchange") -> Decimal | None:
    if account is not None:
        for wallet in account.wallets:
            if wallet.wallet_type == wallet_type and wallet.currency == currency:
                return wallet.balance
    return None


TRADED_WALLETS = frozenset({"exchange", "margin"})


def equity(
    wallets: Iterable[WalletView], marks: Mapping[str, Decimal], quote: str, margin: Iterable[MarginHolding] = ()
) -> Decimal:
    """Worth of the exchange and margin wallets at the given prices, and of open margin positions, in `quote`.

    The venue's wallets and positions, not our fills: two streams that arrive one after the other would for a moment
    count a trade twice or not at all, and a false peak is remembered for ever. A currency without a price counts
    nothing, nor does what is lent.
    """
    total = margin_profit(margin, marks, quote)
    for wallet in wallets:
        if wallet.wallet_type not in TRADED_WALLETS:
            continue
        if wallet.currency == quote:
            total += wallet.balance
        elif wallet.balance:
            total += worth_of(wallet.currency, wallet.balance, marks, quote)
    return total


def worth_of(currency: str, amount: Decimal, marks: Mapping[str, Decimal], quote: str) -> Decimal:
    """An amount of a currency in `quote` at these prices; nothing where no price is known."""
    if currency == quote:
        return amount
    price = marks.get(spot_symbol(currency, quote))
    return ZERO if price is None else amount * price


def margin_profit(margin: Iterable[MarginHolding], marks: Mapping[str, Decimal], quote: str) -> Decimal:
    """What margin positions that are settled in `quote` would bring or cost if they were closed at these prices."""
    total = ZERO
    for each in margin:
        if quote_currency(each.symbol) == quote:
            total += each.quantity * (marks.get(each.symbol, each.base_price) - each.base_price)
    return total


@lru_cache(maxsize=4096)
def spot_symbol(base: str, quote: str) -> str:
    """The pair's symbol: `tBTCUSD`; with a colon when a name is longer than three letters, as `tDUSK:USD`."""
    return f"t{base}{quote}" if len(base) == len(quote) == 3 else f"t{base}:{quote}"


def cash(account: AccountState | None, quote: str, *, margin: bool = False) -> Decimal:
    """Balance of the quote currency's exchange wallet, or of its margin wallet."""
    return _balance(account, quote, "margin" if margin else "exchange") or ZERO
