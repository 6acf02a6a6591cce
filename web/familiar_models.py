"""Answers in the shapes that clients of freqtrade know. Money is a JSON number there, so it is here: for eyes only."""

from typing import Annotated, Any

import msgspec

from protocols.account import Performance
from web.bodies import ShortText, Strict, SymbolText


class Pong(msgspec.Struct, frozen=True, kw_only=True):
    status: str


class Version(msgspec.Struct, frozen=True, kw_only=True):
    version: str


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Open positions, how many there may be, and what they are worth together."""

    current: int
    max: int
    total_stake: float


class CurrencyBalance(msgspec.Struct, frozen=True, kw_only=True):
    currency: str
    wallet: str
    free: float
    balance: float
    used: float
    est_stake: float | None
    stake: str
    side: str = "long"
    is_position: bool = False


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """`total` is the equity in `symbol`; `est_stake` a currency's worth in it, None while no price is known."""

    currencies: tuple[CurrencyBalance, ...]
    total: float
    symbol: str
    stake: str
    starting_capital: float
    starting_capital_ratio: float
    starting_capital_pct: float
    note: str


class SymbolPerformance(msgspec.Struct, frozen=True, kw_only=True):
    pair: str
    profit: float
    profit_ratio: float
    profit_pct: float
    profit_abs: float
    count: int


class Profit(msgspec.Struct, frozen=True, kw_only=True):
    """`closed` is of finished trades, `all` with what open positions show now. Ratios are fractions."""

    profit_closed_coin: float
    profit_closed_ratio: float
    profit_closed_percent: float
    profit_all_coin: float
    profit_all_ratio: float
    profit_all_percent: float
    trade_count: int
    closed_trade_count: int
    first_trade_timestamp: int
    latest_trade_timestamp: int
    avg_duration_s: float | None
    best_pair: str
    best_pair_profit_ratio: float
    winning_trades: int
    losing_trades: int
    profit_factor: float | None
    winrate: float | None
    expectancy: float | None
    expectancy_ratio: float | None
    max_drawdown: float
    trading_volume: float
    bot_start_timestamp: int
    fees: float
    figures: Performance | None
    by_symbol: tuple[SymbolPerformance, ...]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    wins: int
    losses: int
    draws: int


class MeanDurations(msgspec.Struct, frozen=True, kw_only=True):
    wins: float | None
    losses: float | None
    draws: float | None


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    exit_reasons: dict[str, Outcome]
    durations: MeanDurations


class Period(msgspec.Struct, frozen=True, kw_only=True):
    date: str
    abs_profit: float
    rel_profit: float
    starting_balance: float
    fiat_value: float
    trade_count: int


class Periods(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first; units without a trade are there."""

    data: tuple[Period, ...]
    fiat_display_currency: str
    stake_currency: str


class FamiliarLock(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    active: bool
    lock_timestamp: int
    lock_end_timestamp: int | None
    pair: str
    side: str
    reason: str


class FamiliarLocks(msgspec.Struct, frozen=True, kw_only=True):
    lock_count: int
    locks: tuple[FamiliarLock, ...]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    status: str


class ExitResult(msgspec.Struct, frozen=True, kw_only=True):
    result: str
    correlation_id: str


class ShownConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in freqtrade's words. Secrets are in no settings."""

    version: str
    api_version: float
    dry_run: bool
    runmode: str
    state: str
    bot_name: str
    exchange: str
    trading_mode: str
    stake_currency: str
    max_open_trades: int
    stoploss: float
    trailing_stop: bool
    timeframe: str
    timeframe_ms: int
    strategy: str
    strategies: tuple[str, ...]
    pairs: tuple[str, ...]
    force_entry_enable: bool
    settings_version: int


class PeriodsQuery(Strict, frozen=True, kw_only=True):
    """How many units back from now."""

    timescale: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 7


class LogsQuery(Strict, frozen=True, kw_only=True):
    """The newest lines of at least `level` with `text` in them, whatever its case."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    level: Annotated[str, msgspec.Meta(pattern="^(debug|info|warning|error)$")] = "debug"
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line: when, how grave, who said it, what happened, and its named values as JSON."""

    at: str
    level: str
    logger: str
    event: str
    values: dict[str, Any]


class Logs(msgspec.Struct, frozen=True, kw_only=True):
    """`logs` are the same lines as rows: time, Unix milliseconds, logger, LEVEL, text."""

    log_count: int
    logs: tuple[tuple[str, int, str, str, str], ...]
    lines: tuple[LogLine, ...]


class ForceExitBody(Strict, frozen=True, kw_only=True):
    """`tradeid` is a symbol such as tBTCUSD, or `all`; `symbol` says the same. The exit is at market, reduce-only."""

    tradeid: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^(all|t[A-Z0-9]{2,12}(:[A-Z0-9]{2,12})?)$", description="all, or a symbol such as tBTCUSD"
            ),
        ]
        | None
    ) = None
    symbol: SymbolText | None = None
    reason: ShortText = "forceexit"
