"""The key registry: of each setting its unit, range, meaning, who may change it, and whether that takes a restart.

Type and default stand in `protocols.settings` and are read from there, so nothing is written down twice. A test holds
the two files against each other: a setting without a row here, or a row without a setting, is a fault.
"""

import difflib
import re
import types
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

import attrs
import msgspec

from genesis.domain.windows import WindowFault, parse_windows
from protocols.news import NewsKind
from protocols.orders import MANUAL
from protocols.settings import MemberSettings, Settings, StrategySettings
from protocols.units import TIMEFRAME_MS


class Kind(StrEnum):
    """What a value is, in the words of an error text."""

    TEXT = "text"
    WHOLE = "a whole number"
    NUMBER = "a number"
    DECIMAL = "an exact number"
    FLAG = "true or false"
    TEXTS = "a list of texts"
    NUMBERS = "named numbers"
    MEMBERS = "a list of objects with kind, weight and parameters"


class Applies(StrEnum):
    """LIVE is applied between two messages; RESTART waits for the next start of the engine."""

    LIVE = "live"
    RESTART = "restart"


class KeyScope(StrEnum):
    """What a token must allow before it may change the key."""

    TRADE = "trade"
    ADMIN = "admin"


Check = Callable[[object], str | None]
"""Gives what a value must be when it is not that, else None."""


@attrs.frozen(kw_only=True)
class Key:
    """One setting. `low` and `high` are inclusive and bind every number of a list."""

    path: str
    kind: Kind
    default: Any
    unit: str
    meaning: str
    low: Decimal | None = None
    high: Decimal | None = None
    choices: tuple[str, ...] = ()
    check: Check | None = None
    applies: Applies = Applies.LIVE
    scope: KeyScope = KeyScope.ADMIN
    alias: str | None = None

    @property
    def environment(self) -> str:
        """`risk.max_daily_loss` is GENESIS_RISK__MAX_DAILY_LOSS."""
        return "GENESIS_" + self.path.upper().replace(".", "__")

    @property
    def range_text(self) -> str:
        if self.choices:
            return ", ".join(self.choices)
        if self.low is None and self.high is None:
            return ""
        if self.high is None:
            return f"at least {self.low}"
        if self.low is None:
            return f"at most {self.high}"
        return f"{self.low} to {self.high}"


@attrs.frozen(kw_only=True)
class SecretKey:
    """A secret: read from the environment or a file, never stored, shown, compared or logged."""

    name: str
    meaning: str


SYMBOL: Final = re.compile(r"t(?:[A-Z0-9]{6,}|[A-Z0-9]{3,}:[A-Z0-9]{3,})")
STRATEGY_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
TAKEN_NAMES: Final = (MANUAL, "flatten", "protection")
"""Whose orders stand under these names: a person's, and the engine's own. A strategy of the name would share their lots
and sell a person's coins as its own."""


def _matches(pattern: re.Pattern[str], must_be: str) -> Check:
    def check(value: object) -> str | None:
        return None if isinstance(value, str) and pattern.fullmatch(value) else must_be

    return check


def _strategy_name(value: object) -> str | None:
    if value in TAKEN_NAMES:
        return f"another name than {', '.join(TAKEN_NAMES)}"
    return _matches(STRATEGY_NAME, "1 to 32 of a-z, 0-9 and -, a letter first")(value)


def _each(check: Check, must_be: str) -> Check:
    def check_all(value: object) -> str | None:
        if not isinstance(value, tuple) or not value or len(set(value)) != len(value):
            return must_be
        return next((fault for each in value if (fault := check(each))), None)

    return check_all


def _time_frame(value: object) -> str | None:
    return None if value in TIMEFRAME_MS else f"one of {', '.join(TIMEFRAME_MS)}"


def _time_zone(value: object) -> str | None:
    try:
        ZoneInfo(str(value))
    # ZoneInfo tells an unknown zone, a path outside its folder and a folder itself by three kinds of error.
    except (KeyError, ValueError, OSError):
        return "a time zone such as UTC or Europe/Stockholm"
    return None


def _windows(value: object) -> str | None:
    try:
        parse_windows(tuple(value) if isinstance(value, tuple) else (str(value),))
    except WindowFault as fault:
        return f"intervals without a fault; number {fault.index + 1} must be {fault.must_be}"
    return None


def _news_kinds(value: object) -> str | None:
    known = {kind.value for kind in NewsKind}
    if isinstance(value, tuple) and set(value) <= known and len(set(value)) == len(value):
        return None
    return f"a list of different kinds of {', '.join(sorted(known))}"


_symbol = _matches(SYMBOL, "a Bitfinex symbol such as tBTCUSD or tDUSK:USD")
_ws_uri = _matches(re.compile(r"wss?://[^\s/]+\S*"), "an address that begins with wss:// (or ws:// on this machine)")
_http_url = _matches(re.compile(r"https?://[^\s/]+[^\s?#]*"), "an address that begins with https://")
_host = _matches(re.compile(r"[A-Za-z0-9.:_-]+"), "an address or host name")


def _row(
    unit: str,
    meaning: str,
    low: str | None = None,
    high: str | None = None,
    *,
    choices: tuple[str, ...] = (),
    check: Check | None = None,
    applies: Applies = Applies.LIVE,
    scope: KeyScope = KeyScope.ADMIN,
    alias: str | None = None,
) -> Mapping[str, Any]:
    return {
        "unit": unit,
        "meaning": meaning,
        "low": None if low is None else Decimal(low),
        "high": None if high is None else Decimal(high),
        "choices": choices,
        "check": check,
        "applies": applies,
        "scope": scope,
        "alias": alias,
    }


_LIVE, _RESTART, _TRADE = Applies.LIVE, Applies.RESTART, KeyScope.TRADE

_ACTIONS: Final = ("alarm", "reduce", "halt")

_ROWS: Final[Mapping[str, Mapping[str, Any]]] = {
    "quote_currency": _row(
        "",
        "Currency in which equity, limits and results are counted; pairs of another one are not entered",
        check=_matches(re.compile(r"[A-Z0-9]{2,10}"), "a currency in capitals such as USD"),
        applies=_RESTART,
    ),
    "risk.position_fraction": _row("fraction of equity, 0.05 is 5 %", "What one entry may put in", "0", "1"),
    "risk.max_order_notional": _row("quote currency", "Largest worth of one order", "0"),
    "risk.max_position_notional": _row("quote currency", "Largest worth held of one symbol", "0"),
    "risk.max_gross_exposure": _row("quote currency", "Largest worth held of all symbols, without sign", "0"),
    "risk.max_open_positions": _row("positions", "How many symbols may be held at once", "0", "1000"),
    "risk.max_daily_loss": _row(
        "fraction of the day's first equity, 0.05 is 5 %", "Loss in a day that stops new risk", "0", "1"
    ),
    "risk.max_drawdown": _row(
        "fraction of peak equity, 0.2 is 20 %", "Fall from the peak that stops new risk", "0", "1"
    ),
    "risk.max_trades_per_day": _row("trades", "Entries in a day, all symbols", "0", "1000000", scope=_TRADE),
    "risk.max_trades_per_symbol": _row("trades", "Entries in a day in one symbol", "0", "1000000", scope=_TRADE),
    "risk.max_orders_per_minute": _row("orders", "Orders in any minute", "0", "1000"),
    "risk.signal_max_age_s": _row("seconds", "A signal older than this is not traded", "0.1", "86400"),
    "risk.day_timezone": _row("", "Time zone whose midnight begins a trading day", check=_time_zone),
    "risk.max_weekly_loss": _row(
        "fraction of the week's first equity, 0.1 is 10 %", "Loss in a week that stops new risk", "0", "1"
    ),
    "risk.max_net_exposure": _row("quote currency", "Largest worth held of all symbols, long less short", "0"),
    "risk.max_strategy_drawdown": _row(
        "fraction of equity, 0.2 is 20 %",
        "Fall of one strategy's result from its best that stops its entries",
        "0",
        "1",
    ),
    "risk.cooldown_s": _row("seconds", "Least time between two entries in a symbol", "0", "31536000", scope=_TRADE),
    "risk.windows": _row(
        "", "When entries are allowed, such as mon 08:00-17:00; none: always", check=_windows, scope=_TRADE
    ),
    "risk.windows_timezone": _row("", "Time zone of the trading windows", check=_time_zone, scope=_TRADE),
    "risk.exit_cooldown_s": _row(
        "seconds", "How long a symbol is locked after a position was closed; 0: not", "0", "31536000", scope=_TRADE
    ),
    "risk.stop_guard_losses": _row(
        "trades", "Losing trades in the guard's time that lock; 0: off", "0", "1000", scope=_TRADE
    ),
    "risk.stop_guard_window_s": _row(
        "seconds", "How far back losing trades are counted", "1", "31536000", scope=_TRADE
    ),
    "risk.stop_guard_lock_s": _row("seconds", "How long the stop-loss guard locks", "1", "31536000", scope=_TRADE),
    "risk.stop_guard_all": _row("", "The guard counts and locks all symbols together", scope=_TRADE),
    "risk.low_profit_trades": _row(
        "trades", "Trades in a symbol that make its profit worth judging; 0: off", "0", "1000", scope=_TRADE
    ),
    "risk.low_profit_fraction": _row(
        "fraction of what was put in, 0.01 is 1 %",
        "Profit over those trades below which a symbol is locked",
        "-1",
        "1",
        scope=_TRADE,
    ),
    "risk.low_profit_window_s": _row("seconds", "How far back profit is added up", "1", "31536000", scope=_TRADE),
    "risk.low_profit_lock_s": _row(
        "seconds", "How long a symbol of low profit is locked", "1", "31536000", scope=_TRADE
    ),
    "risk.atr_budget": _row(
        "fraction of equity, 0.01 is 1 %", "What a move of one average true range may cost; 0: off", "0", "1"
    ),
    "risk.regime_high_ratio": _row("times the usual", "Volatility from which on a market counts as wild", "1", "100"),
    "risk.regime_high_fraction": _row(
        "part of position_fraction", "What an entry may put in while a market is wild; 1: as ever", "0", "1"
    ),
    "risk.breaker_errors": _row("orders", "Refused orders that open the breaker; 0: off", "0", "1000"),
    "risk.breaker_error_window_s": _row("seconds", "How far back refused orders are counted", "1", "86400"),
    "risk.breaker_spread_bps": _row(
        "basis points", "Spread that opens a symbol's breaker; 0: off; not measured in mode sim", "0", "10000"
    ),
    "risk.breaker_volatility_ratio": _row(
        "times the usual", "Volatility that opens a symbol's breaker; 0: off", "0", "1000"
    ),
    "risk.breaker_slippage_bps": _row(
        "basis points", "Slippage of one fill that opens the breaker; 0: off", "0", "10000"
    ),
    "risk.breaker_data_age_s": _row(
        "seconds", "Age of data that opens a symbol's breaker; 0: off; not measured in mode sim", "0", "86400"
    ),
    "risk.breaker_cooldown_s": _row("seconds", "How long a breaker stays open before it is tried", "1", "86400"),
    "risk.breaker_probes": _row("orders", "Good fills that close a breaker which is tried", "1", "100"),
    "risk.stop_fraction": _row(
        "fraction of the entry price, 0.05 is 5 %",
        "Distance of the stop that every position gets; 0 places none",
        "0",
        "0.99",
    ),
    "risk.stop_atr": _row("average true ranges", "Distance of the stop by volatility; 0 uses the fraction", "0", "100"),
    "risk.target_fraction": _row(
        "fraction of the entry price, 0.05 is 5 %", "Distance of the take profit; 0 places none", "0", "1"
    ),
    "risk.target_atr": _row(
        "average true ranges", "Distance of the take profit by volatility; 0 uses the fraction", "0", "1000"
    ),
    "risk.stop_trails": _row("", "Stops of strategies follow the market; they have no target then"),
    "risk.stop_trails_from": _row(
        "fraction of the entry price, 0.01 is 1 %",
        "Gain from which on a stop that follows begins to, drawn by the engine; 0: at once, by the venue",
        "0",
        "1",
    ),
    "risk.protect_within_s": _row("seconds", "A position without the right stop for so long is repaired", "0.1", "600"),
    "orders.doubt_after_s": _row("seconds", "An order without an answer for this long is UNKNOWN", "0.1", "600"),
    "orders.quarantine_s": _row("seconds", "How long absence must last before it is proof", "1", "86400"),
    "orders.reconcile_interval_s": _row("seconds", "How often orders are compared with the venue's", "1", "86400"),
    "orders.group_id": _row(
        "",
        "Group id that marks our orders at the venue (paper, live: by default one of this installation's own)",
        "1",
        "2147483647",
        applies=_RESTART,
    ),
    "orders.entry_unfilled_s": _row(
        "seconds",
        "A resting entry without its whole fill is priced anew or taken back after this; 0 never",
        "0",
        "86400",
    ),
    "orders.entry_reprices": _row(
        "times", "How often a resting entry is priced anew before it is taken back", "0", "100"
    ),
    "orders.dead_man_switch": _row("", "Let the venue cancel our orders when the connection is lost", applies=_RESTART),
    "market.symbols": _row(
        "",
        "Symbols that are watched",
        check=_each(_symbol, "a list of different symbols, at least one"),
    ),
    "market.timeframes": _row(
        "",
        "Time frames whose candles are kept",
        check=_each(_time_frame, f"a list of different time frames of {', '.join(TIMEFRAME_MS)}"),
    ),
    "market.ticker_stale_s": _row(
        "seconds", "A ticker older than this stops new orders", "0.1", "86400", alias="WS_TICKER_STALE_SECS"
    ),
    "market.candle_stale_s": _row(
        "seconds", "Candles older than this stop new orders", "1", "86400", alias="CANDLE_STALE_SECS"
    ),
    "market.candle_close_grace_ms": _row(
        "milliseconds", "Venue time past its end after which a candle is closed", "0", "60000", applies=_RESTART
    ),
    "market.candle_history": _row(
        "candles",
        "Candles kept of each series; those that no strategy trades share 400,000, and have at least 500",
        "10",
        "1000000",
        applies=_RESTART,
    ),
    "market.clock_skew_max_ms": _row("milliseconds", "Clock difference to the venue that stops new orders", "1"),
    "market.connect_on_start": _row(
        "",
        "Open the public market sockets at the start; without them no strategy hears a candle",
        applies=_RESTART,
        alias="WS_CONNECT_ON_START",
    ),
    "connection.connect_timeout_s": _row("seconds", "How long dialling may take", "0.1", "600", applies=_RESTART),
    "connection.subscribe_timeout_s": _row(
        "seconds", "How long a subscription may stay unanswered", "0.1", "600", applies=_RESTART
    ),
    "connection.silence_timeout_s": _row(
        "seconds", "Silence after which a connection is dialled anew", "1", "600", applies=_RESTART
    ),
    "connection.ping_interval_s": _row("seconds", "How often a connection is pinged", "0.1", "600", applies=_RESTART),
    "connection.backoff_base_s": _row("seconds", "First wait before dialling again", "0.01", "600", applies=_RESTART),
    "connection.backoff_cap_s": _row(
        "seconds",
        "Longest wait before dialling again, in an outage of ten times as long",
        "0.01",
        "3600",
        applies=_RESTART,
    ),
    "connection.rate_limited_pause_s": _row(
        "seconds", "Pause after the venue said that we ask too much", "1", "3600", applies=_RESTART
    ),
    "connection.channels_per_socket": _row(
        "channels", "Subscriptions that one socket carries", "1", "30", applies=_RESTART
    ),
    "connection.public_sockets": _row(
        "sockets",
        "Public sockets that may be open; never fewer than the streams of the start need, and one more",
        "1",
        "20",
        applies=_RESTART,
    ),
    "web.host": _row("", "Address on which the page and the API listen", check=_host, applies=_RESTART),
    "web.port": _row("", "Port of the page and the API; 0 takes a free one", "0", "65535", applies=_RESTART),
    "web.tls_certificate": _row("", "PEM file of the page's certificate chain; empty: no TLS", applies=_RESTART),
    "web.tls_key": _row("", "PEM file of the certificate's key", applies=_RESTART),
    "web.names": _row("", "Names under which other machines reach the page", applies=_RESTART),
    "venue.public_ws_uri": _row(
        "", "Public market socket", check=_ws_uri, applies=_RESTART, alias="BITFINEX_WS_PUBLIC_URI"
    ),
    "venue.private_ws_uri": _row(
        "", "Socket of the account", check=_ws_uri, applies=_RESTART, alias="BITFINEX_WS_AUTH_URI"
    ),
    "venue.public_rest_url": _row(
        "", "Public requests", check=_http_url, applies=_RESTART, alias="BITFINEX_PUBLIC_API_URL"
    ),
    "venue.private_rest_url": _row(
        "", "Requests of the account", check=_http_url, applies=_RESTART, alias="BITFINEX_AUTH_API_URL"
    ),
    "model.validate_enabled": _row(
        "", "Judge the probability model by the clock, in a process of its own", alias="PROB_VALIDATE_ENABLED"
    ),
    "model.validate_interval_minutes": _row(
        "minutes", "How often the model is judged", "0.1", "100000", alias="PROB_VALIDATE_INTERVAL_MINUTES"
    ),
    "model.validate_timeframe": _row(
        "",
        "Time frame it is judged on; empty: the one it was trained on, and no other makes sense",
        check=lambda value: None if value == "" else _time_frame(value),
        alias="PROB_VALIDATE_TIMEFRAME",
    ),
    "model.validate_limit": _row(
        "candles",
        "Newest candles it is judged with; about 190 of them warm its features up",
        "1",
        "1000000",
        alias="PROB_VALIDATE_LIMIT",
    ),
    "model.validate_max_samples": _row(
        "rows", "Newest rows that are judged", "1", "1000000", alias="PROB_VALIDATE_MAX_SAMPLES"
    ),
    "logs.level": _row(
        "", "Least level that is written", choices=("debug", "info", "warning", "error"), applies=_RESTART
    ),
    "logs.file_max_bytes": _row("bytes", "Size at which a log file is turned over", "10000", applies=_RESTART),
    "logs.files_kept": _row("files", "Turned-over log files that are kept", "1", "1000", applies=_RESTART),
    "events.ticker": _row("share of 1", "Tickers that the log tells; 0.01 is every hundredth", "0", "1"),
    "events.forming": _row("share of 1", "Changes of candles that are forming that the log tells", "0", "1"),
    "events.candle": _row("share of 1", "Closed candles that the log tells", "0", "1"),
    "events.score": _row("share of 1", "Scores of strategies that the log tells", "0", "1"),
    "events.approval": _row("share of 1", "Approved wishes that the log tells; refusals are told always", "0", "1"),
    "events.order": _row(
        "share of 1", "Ordinary states of orders that the log tells; those that went wrong are told always", "0", "1"
    ),
    "jobs.processes": _row(
        "processes", "Processes that work a search's trials out; 0: one for each processor but one", "0", "64"
    ),
    "health.disk_free_min_mib": _row(
        "MiB", "Free disk below which the action is taken; 0: not watched", "0", "1000000"
    ),
    "health.disk_action": _row("", "What little disk does", choices=_ACTIONS),
    "health.memory_max_mib": _row(
        "MiB", "Memory of the engine above which the action is taken; 0: not", "0", "1000000"
    ),
    "health.memory_action": _row("", "What much memory does", choices=_ACTIONS),
    "health.memory_slope_max_mib_per_hour": _row(
        "MiB an hour", "Growth over half an hour that is an alarm; 0: not watched", "0", "1000000"
    ),
    "health.journal_wait_max_s": _row(
        "seconds", "Time that a record may wait to be written; 0: not watched", "0", "3600"
    ),
    "health.journal_action": _row("", "What a journal that falls behind does", choices=_ACTIONS),
    "notify.silent": _row("", "Kinds of news that arrive without a sound", check=_news_kinds),
    "notify.off": _row("", "Kinds of news that are not sent", check=_news_kinds),
    "notify.messages_per_minute": _row("messages", "Most messages in a minute to one place", "1", "60"),
    "notify.telegram_url": _row("", "Telegram's bot API", check=_http_url, applies=_RESTART),
    "notify.telegram_commands": _row("", "Whether the Telegram chat may ask and command", applies=_RESTART),
    "notify.webhook_format": _row("", "What a webhook is sent", choices=("json", "discord", "slack"), applies=_RESTART),
}

_STRATEGY_ROWS: Final[Mapping[str, Mapping[str, Any]]] = {
    "name": _row("", "Name in books, reports and ids", check=_strategy_name),
    "kind": _row("", "Which strategy it is; `genesis strategies list` names them"),
    "symbol": _row("", "Symbol it trades", check=_symbol),
    "timeframe": _row("", "Time frame whose closed candles it decides on", check=_time_frame),
    "enabled": _row("", "Whether it may open positions", scope=_TRADE),
    "parameters": _row("", "Its parameters, by name"),
    "members": _row("", "Of an ensemble: the kinds that vote, with their weights and parameters"),
}

SECRETS: Final = (
    SecretKey(name="BITFINEX_API_KEY", meaning="API key for requests; must not be able to withdraw"),
    SecretKey(name="BITFINEX_API_SECRET", meaning="Secret of BITFINEX_API_KEY"),
    SecretKey(name="BITFINEX_WS_API_KEY", meaning="API key for the socket; BITFINEX_API_KEY when absent"),
    SecretKey(name="BITFINEX_WS_API_SECRET", meaning="Secret of BITFINEX_WS_API_KEY"),
    SecretKey(name="TELEGRAM_BOT_TOKEN", meaning="Token of the Telegram bot that tells news and takes commands"),
    SecretKey(name="TELEGRAM_CHAT_ID", meaning="The one Telegram chat that is told and listened to"),
    SecretKey(name="NOTIFY_WEBHOOK_URL", meaning="Address that news is posted to: own, Discord or Slack"),
    SecretKey(name="GENESIS_REDIS_URL", meaning="Redis that carries settings between engines (extra redis)"),
    SecretKey(name="GENESIS_BUS_SECRET", meaning="What proves a message on it, 16 characters or more"),
    SecretKey(name="JWT_SECRET_KEY", meaning="Key that signs tokens; made and kept in secrets/ when absent"),
)

_KINDS: Final[Mapping[Any, Kind]] = {
    str: Kind.TEXT,
    int: Kind.WHOLE,
    float: Kind.NUMBER,
    Decimal: Kind.DECIMAL,
    bool: Kind.FLAG,
    tuple[str, ...]: Kind.TEXTS,
    dict[str, float]: Kind.NUMBERS,
    tuple[MemberSettings, ...]: Kind.MEMBERS,
}


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return None if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _keys(prefix: str, struct: type[msgspec.Struct], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Key]:
    """The keys of a struct and of the structs inside it. One without a row still works; the test refuses it."""
    keys: dict[str, Key] = {}
    for field in msgspec.structs.fields(struct):
        path = prefix + field.name
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            keys |= _keys(path + ".", field.type, rows)
        elif field.type in _KINDS and path not in NOT_SET_BY_HAND:
            row = rows.get(path) or _row("", "")
            keys[path] = Key(path=path, kind=_KINDS[field.type], default=_default(field), **row)
    return keys


NOT_SET_BY_HAND: Final = frozenset({"version", "overlays"})
"""The version counts changes, overlays come of flags and rollouts; the config actor sets both."""

STRATEGIES: Final = "strategies"
"""The one list of objects; its members have the keys of `STRATEGY_KEYS`."""

KEYS: Final[Mapping[str, Key]] = types.MappingProxyType(_keys("", Settings, _ROWS))
STRATEGY_KEYS: Final[Mapping[str, Key]] = types.MappingProxyType(_keys("", StrategySettings, _STRATEGY_ROWS))
SECTIONS: Final = tuple(sorted({path.split(".")[0] for path in KEYS if "." in path}))
ALIASES: Final[Mapping[str, str]] = types.MappingProxyType({k.alias: k.path for k in KEYS.values() if k.alias})


def described_paths() -> frozenset[str]:
    """The paths that have a row, for the test that holds them against the settings."""
    return frozenset(_ROWS)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that the writer most likely meant, or None when nothing is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return close[0] if close else None
