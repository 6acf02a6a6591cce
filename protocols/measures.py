"""What is said about how a run went, in full: of a backtest, of a replay, and of the live account alike.

Fractions, not percent (0.05 is 5 %); durations in milliseconds; money in the quote currency. A figure that too little
happened for is None, never 0. A year has 365 days of 24 hours: these markets never close.
"""

from decimal import Decimal

import msgspec

from protocols.units import ZERO, Symbol


class Drawdown(msgspec.Struct, frozen=True, kw_only=True):
    """One fall of equity from a peak until the peak is reached again. `recovered_ms` is None when it never was.

    `duration_ms` is from the peak to the recovery (or to the end), `recovery_ms` from the bottom to the recovery.
    """

    depth: float
    depth_quote: float
    peak_ms: int
    bottom_ms: int
    recovered_ms: int | None
    duration_ms: int
    recovery_ms: int | None


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Returns of the finished trades, each after fees and over what was put in. `edges` has one more than `counts`.

    `var_95` and `var_99` are the losses that 95 and 99 of 100 trades stay above, as positive fractions.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    mean: float | None
    median: float | None
    deviation: float | None
    skewness: float | None
    kurtosis: float | None
    var_95: float | None
    var_99: float | None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The trades that have one thing in common: a symbol, a strategy, an hour of their entry."""

    name: str
    trades: int
    wins: int
    winrate: float | None
    pnl: Decimal
    average_return: float | None
    best: Decimal
    worst: Decimal
    fees_quote: Decimal
    average_holding_ms: float | None


class Tables(msgspec.Struct, frozen=True, kw_only=True):
    """Finished trades by what they have in common; hours, weekdays and months are those of the entry, in UTC."""

    symbol: tuple[Group, ...]
    strategy: tuple[Group, ...]
    tag: tuple[Group, ...]
    exit_reason: tuple[Group, ...]
    side: tuple[Group, ...]
    hour: tuple[Group, ...]
    weekday: tuple[Group, ...]
    month: tuple[Group, ...]


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """How long trades lasted, in milliseconds."""

    average_ms: float | None
    median_ms: float | None
    shortest_ms: int | None
    longest_ms: int | None
    winners_average_ms: float | None
    losers_average_ms: float | None


class TradeShare(msgspec.Struct, frozen=True, kw_only=True):
    """What one strategy (or a person: manual) made of a position that several had a part in, by its own book."""

    strategy: str
    pnl: Decimal
    fees_quote: Decimal


class TradeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One finished trade as reports list it. `return_` (told as `return`) is `pnl` over what was put in, `shares` who
    made what of it where several strategies had a part (`strategy` opened it)."""

    symbol: Symbol
    strategy: str
    tag: str
    side: str
    quantity: Decimal
    entry_ms: int
    entry_price: Decimal
    exit_ms: int
    exit_price: Decimal
    exit_reason: str
    pnl: Decimal
    return_: float = msgspec.field(name="return")
    fees_quote: Decimal
    shares: tuple[TradeShare, ...] = ()


class OpenRow(msgspec.Struct, frozen=True, kw_only=True):
    """A position that was still held at the end, valued at the last price."""

    symbol: Symbol
    strategy: str
    quantity: Decimal
    entry_ms: int
    average_price: Decimal
    mark_price: Decimal
    unrealized_pnl: Decimal


class OrderCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the orders, each counted once, and why those that were not filled were not.

    `refused_by_risk` counts risk's codes; the venue's refusals, cancels and time-outs are counted by their text with
    the numbers taken out.
    """

    sent: int = 0
    filled: int = 0
    cancelled: int = 0
    refused: int = 0
    timed_out: int = 0
    expired: int = 0
    refused_by_risk: dict[str, int] = {}
    refused_by_reason: dict[str, int] = {}
    cancelled_by_reason: dict[str, int] = {}
    timed_out_by_reason: dict[str, int] = {}


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """Every figure of a run.

    Returns are taken per `return_period_ms` (a day when at least 30 whole days passed, else an hour) from the last
    equity known at its start to the last known at its end. `sharpe`, `sortino` and `volatility` are annualised by the
    square root of `periods_per_year`, without a risk-free rate, and None under `periods_needed` periods. `omega` has
    its threshold at zero. `cagr` and `calmar` need 30 days. `sqn` is the square root of the number of trades times the
    mean over the deviation of their profits. `exposure` is the part of the time with a position; `turnover` what was
    traded over the average equity. `heatmap_return` is the mean return of the trades whose entry fell into the cell:
    seven rows from Monday, 24 hours UTC each; `heatmap` is its alias. `monthly_returns` are of equity, by `2018-02`.
    """

    start_ms: int
    end_ms: int
    start_equity: Decimal
    final_equity: Decimal
    flows_quote: Decimal = ZERO
    total_return: float
    profit: Decimal
    """Without what was paid in or taken out (`flows_quote`), as every return and fall is."""
    cagr: float | None
    max_drawdown: float
    max_drawdown_quote: float
    drawdowns: tuple[Drawdown, ...]
    longest_drawdown_ms: int
    longest_recovery_ms: int | None
    time_under_water: float
    average_drawdown: float
    ulcer_index: float
    lowest_equity: Decimal
    highest_equity: Decimal
    return_period_ms: int
    periods: int
    periods_needed: int
    periods_per_year: float
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    omega: float | None
    volatility: float | None
    best_period: float | None
    worst_period: float | None
    trades: int
    trades_per_day: float | None
    wins: int
    losses: int
    draws: int
    winrate: float | None
    profit_factor: float | None
    expectancy: float | None
    expectancy_ratio: float | None
    payoff_ratio: float | None
    sqn: float | None
    average_win: float | None
    average_loss: float | None
    best_trade: Decimal | None
    worst_trade: Decimal | None
    longest_win_streak: int
    longest_loss_streak: int
    current_streak: int
    holding: Holding
    exposure: float
    turnover: float | None
    traded_quote: Decimal
    fees_quote: Decimal
    buy_and_hold: float | None
    buy_and_hold_by_symbol: dict[str, float]
    realized_pnl: Decimal
    left_open: tuple[OpenRow, ...]
    orders: OrderCounts
    distribution: Distribution
    tables: Tables
    monthly_returns: dict[str, float]
    equity_curve: tuple[tuple[int, float], ...]
    heatmap_return: tuple[tuple[float | None, ...], ...]
    heatmap_winrate: tuple[tuple[float | None, ...], ...]
    heatmap_counts: tuple[tuple[int, ...], ...]
    heatmap: tuple[tuple[float | None, ...], ...]


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """One order of ours that was filled: the price that was expected, and the price that it really got.

    `expected_price` is the close that a strategy decided at, the trigger of a stop, the limit of a target. Above zero,
    `slippage_bps` is what was lost on the way, in hundredths of a percent; `cost_quote` is the same in quote.
    `delay_ms` is from the decision to the last fill, where the decision is known.
    """

    intent_id: str
    symbol: Symbol
    strategy: str
    side: str
    purpose: str
    quantity: Decimal
    expected_price: Decimal
    real_price: Decimal
    slippage_bps: float
    cost_quote: Decimal
    maker: bool
    filled_ms: int
    delay_ms: int | None


class SlippageRow(msgspec.Struct, frozen=True, kw_only=True):
    """What the way to the market cost, of the orders of one kind; `mean_bps` is weighted by notional."""

    name: str
    orders: int
    mean_bps: float
    median_bps: float
    p95_bps: float
    worst_bps: float
    cost_quote: Decimal


class ExecutionReport(msgspec.Struct, frozen=True, kw_only=True):
    """Expected against real price. `unknown` counts filled orders of which nobody said what was expected."""

    orders: int
    unknown: int
    by_symbol: tuple[SlippageRow, ...]
    by_purpose: tuple[SlippageRow, ...]
    rows: tuple[Execution, ...]
