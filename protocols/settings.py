"""The settings tree: one immutable value per version, published by the config actor to everybody.

Every leaf has a default that is safe. Units are in the names. Meaning, range, scope and live/restart of each key stand
in the key registry (`genesis/domain/config_keys.py`), never here twice.
"""

from decimal import Decimal
from typing import Any

import msgspec


class MemberSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One voice of an ensemble: a kind with its parameters, and how much it counts beside the others."""

    kind: str
    weight: float = 1.0
    parameters: dict[str, float] = {}


class StrategySettings(msgspec.Struct, frozen=True, kw_only=True):
    """One running strategy: its name for books and reports, its kind, what it trades, and its parameters.

    `members` are of an ensemble only.
    """

    name: str
    kind: str = "ema_cross"
    symbol: str = "tBTCUSD"
    timeframe: str = "5m"
    enabled: bool = True
    parameters: dict[str, float] = {}
    members: tuple[MemberSettings, ...] = ()


class RiskSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits. Fractions are of equity (0.05 is 5 %); 0 on a count means none is allowed.

    Stop and target fractions are of the entry's price; their `_atr` multiples win where they are not 0.
    """

    position_fraction: Decimal = Decimal("0.25")
    max_order_notional: Decimal = Decimal("5000")
    max_position_notional: Decimal = Decimal("5000")
    max_gross_exposure: Decimal = Decimal("10000")
    max_open_positions: int = 10
    max_daily_loss: Decimal = Decimal("0.05")
    max_drawdown: Decimal = Decimal("0.20")
    max_trades_per_day: int = 200
    max_trades_per_symbol: int = 100
    max_orders_per_minute: int = 30
    signal_max_age_s: float = 30.0
    day_timezone: str = "UTC"
    max_weekly_loss: Decimal = Decimal("0.10")
    max_net_exposure: Decimal = Decimal("10000")
    max_strategy_drawdown: Decimal = Decimal("0.20")
    cooldown_s: float = 0.0
    windows: tuple[str, ...] = ()
    windows_timezone: str = "UTC"
    exit_cooldown_s: float = 0.0
    stop_guard_losses: int = 0
    stop_guard_window_s: float = 86_400.0
    stop_guard_lock_s: float = 3_600.0
    stop_guard_all: bool = False
    low_profit_trades: int = 0
    low_profit_fraction: Decimal = Decimal(0)
    low_profit_window_s: float = 86_400.0
    low_profit_lock_s: float = 3_600.0
    atr_budget: Decimal = Decimal(0)
    regime_high_ratio: Decimal = Decimal(2)
    regime_high_fraction: Decimal = Decimal(1)
    breaker_errors: int = 5
    breaker_error_window_s: float = 300.0
    breaker_spread_bps: Decimal = Decimal(200)
    breaker_volatility_ratio: Decimal = Decimal(0)
    breaker_slippage_bps: Decimal = Decimal(300)
    breaker_data_age_s: float = 0.0
    breaker_cooldown_s: float = 300.0
    breaker_probes: int = 1
    stop_fraction: Decimal = Decimal("0.05")
    stop_atr: Decimal = Decimal("0")
    target_fraction: Decimal = Decimal("0")
    target_atr: Decimal = Decimal("0")
    stop_trails: bool = False
    stop_trails_from: Decimal = Decimal("0")
    protect_within_s: float = 5.0


class OrderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`doubt_after_s` without an answer makes an order UNKNOWN; absence is proven only after `quarantine_s`."""

    doubt_after_s: float = 5.0
    quarantine_s: float = 150.0
    reconcile_interval_s: float = 60.0
    group_id: int = 71
    dead_man_switch: bool = False
    entry_unfilled_s: float = 0.0
    entry_reprices: int = 0


class MarketSettings(msgspec.Struct, frozen=True, kw_only=True):
    symbols: tuple[str, ...] = ("tBTCUSD", "tETHUSD")
    timeframes: tuple[str, ...] = ("1m", "5m")
    ticker_stale_s: float = 30.0
    candle_stale_s: float = 120.0
    candle_close_grace_ms: int = 500
    candle_history: int = 5000
    clock_skew_max_ms: int = 1000
    connect_on_start: bool = True


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    connect_timeout_s: float = 10.0
    subscribe_timeout_s: float = 20.0
    silence_timeout_s: float = 20.0
    ping_interval_s: float = 10.0
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 60.0
    rate_limited_pause_s: float = 60.0
    channels_per_socket: int = 25
    public_sockets: int = 4


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Beyond loopback the page needs TLS: a certificate and its key, both PEM files. `names` are more Host values."""

    host: str = "127.0.0.1"
    port: int = 8000
    tls_certificate: str = ""
    tls_key: str = ""
    names: tuple[str, ...] = ()


class VenueSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where Bitfinex is. Mode `live` uses all four, `paper` the public two, `sim` none."""

    public_ws_uri: str = "wss://api-pub.bitfinex.com/ws/2"
    private_ws_uri: str = "wss://api.bitfinex.com/ws/2"
    public_rest_url: str = "https://api-pub.bitfinex.com"
    private_rest_url: str = "https://api.bitfinex.com"


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    level: str = "info"
    file_max_bytes: int = 20_000_000
    files_kept: int = 5


class EventSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Share of the frequent events of each category that the log tells at info: 0 none, 0.01 every hundredth, 1 all."""

    ticker: float = 0.0
    forming: float = 0.0
    candle: float = 0.0
    score: float = 0.0
    approval: float = 0.0
    order: float = 0.0


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How often the probability model is judged, and on how much. Without a time frame, on the model's own."""

    validate_enabled: bool = True
    validate_interval_minutes: float = 120.0
    validate_timeframe: str = ""
    validate_limit: int = 5000
    validate_max_samples: int = 2000


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """Other limits for a part of the trading: a targeted feature flag, or the candidate of a rollout.

    No symbols means all of them, no strategies all of those; of what is left, `percent` in a hundred pairs of symbol
    and strategy. `values` are fields of the risk section with plain JSON values. A shadow decides nothing: what it
    would have said is written down.
    """

    name: str
    values: dict[str, Any]
    symbols: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    percent: int = 100
    shadow: bool = False


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the house itself; 0 switches one off. Actions are alarm, reduce (no entries) and halt."""

    disk_free_min_mib: float = 500.0
    disk_action: str = "reduce"
    memory_max_mib: float = 1500.0
    memory_action: str = "alarm"
    memory_slope_max_mib_per_hour: float = 100.0
    journal_wait_max_s: float = 10.0
    journal_action: str = "reduce"


class JobSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Long work beside trading. 0 processes: one for each processor but one, which is left to the engine."""

    processes: int = 0


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears what outside the page. Kinds of news are those of `protocols.news`; one in neither list is loud."""

    silent: tuple[str, ...] = ("order_placed", "refused", "warning")
    off: tuple[str, ...] = ("order_canceled", "info")
    messages_per_minute: int = 12
    telegram_url: str = "https://api.telegram.org"
    telegram_commands: bool = True
    webhook_format: str = "json"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole tree. `version` and `overlays` are the config actor's to set, everything else has a key."""

    version: int = 1
    overlays: tuple[Overlay, ...] = ()
    quote_currency: str = "USD"
    strategies: tuple[StrategySettings, ...] = (
        StrategySettings(name="btc-ema", symbol="tBTCUSD"),
        StrategySettings(name="eth-ema", symbol="tETHUSD"),
    )
    risk: RiskSettings = RiskSettings()
    orders: OrderSettings = OrderSettings()
    market: MarketSettings = MarketSettings()
    connection: ConnectionSettings = ConnectionSettings()
    web: WebSettings = WebSettings()
    venue: VenueSettings = VenueSettings()
    logs: LogSettings = LogSettings()
    events: EventSettings = EventSettings()
    model: ModelSettings = ModelSettings()
    notify: NotifySettings = NotifySettings()
    health: HealthSettings = HealthSettings()
    jobs: JobSettings = JobSettings()
