"""The API's own answers: what is put around the protocol messages when they leave over HTTP."""

from decimal import Decimal

import msgspec

from genesis.domain.order_templates import OrderTemplate
from protocols.funding import FundingLoan, FundingOffer, FundingTrade, MarginBase, MarginSymbol
from protocols.health import ActorView, ConnectionView, Notice
from protocols.market import Candle, Freshness, Ticker
from protocols.orders import Fill, OrderView
from protocols.reference import LedgerEntry
from protocols.risk import PositionView, RiskStatus, Verdict, WalletView
from protocols.signals import SignalScore
from protocols.trading import ProtectionStatus, ProtectionView


class ReplayProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a replay is. `fraction` is in [0, 1]; `done` is true once the recording has no more to say."""

    recording: str
    start_ms: int
    end_ms: int
    at_ms: int
    fraction: float
    done: bool


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """What a start waits for before there is an engine: `venue` (it answers nothing), `feed` (the public market has not
    come yet) or `start` (its own records are read). `reason` is the last failure, empty before the first.
    """

    what: str
    since_ms: int
    reason: str = ""


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The engine in one value. `speed` is text because "max" is no number; `venue_ms` is 0 before the first frame.

    `state` is starting, running, not_ready (it ran, and a line or the account is away), or stopping.
    `dev` is true when tokens are minted without proof, `auth_required` false when none is asked for: every page then
    says so. `waits` is given while the start waits: nothing is traded then, and nothing else can be asked.
    """

    mode: str
    version: str
    state: str = "running"
    dev: bool = False
    auth_required: bool = True
    instance: str = ""
    started_ms: int = 0
    uptime_s: float = 0.0
    venue_ms: int = 0
    speed: str = ""
    replay: ReplayProgress | None = None
    symbols: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ()
    quote_currency: str = "USD"
    settings_version: int = 0
    waits: Waits | None = None


class EquityPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Equity in the quote currency at a venue time: float64, because it is drawn and never spent.

    `flows` is what had been paid in by then less what had been taken out: of a rise of `equity`, that was not won.
    """

    at_ms: int
    equity: float
    flows: float = 0.0


class HealthPart(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    ok: bool
    detail: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`parts` is empty unless the caller shows a token: what fails where is nobody else's business.

    `waits` is given while the start waits for something; its reason is told as the parts are, and on loopback.
    """

    status: str
    mode: str
    version: str
    dev: bool
    auth_required: bool = True
    parts: tuple[HealthPart, ...] = ()
    waits: Waits | None = None


class Actors(msgspec.Struct, frozen=True, kw_only=True):
    tree: ActorView | None
    connections: tuple[ConnectionView, ...]
    freshness: tuple[Freshness, ...]


class Wallets(msgspec.Struct, frozen=True, kw_only=True):
    """`known` is false until the venue has told its first wallet snapshot; the list is then empty, not zero.

    `equity` less `day_start_equity` is what today made: deposits and withdrawals are in both. 0: no day began yet.
    `flows` is what was ever paid in less what was taken out.
    """

    known: bool
    as_of_ms: int
    quote_currency: str
    equity: Decimal
    day_start_equity: Decimal
    flows: Decimal
    cash: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    fees: Decimal
    wallets: tuple[WalletView, ...]


class StopView(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stop of a position is at the venue: one for each lot that has one.

    `quantity` is the base, unsigned, that it covers. One that trails is `trailing_distance` behind the market, in quote
    per base, and has no `price`; until `activation_price` is reached it stands still.
    """

    strategy: str
    margin: bool
    quantity: Decimal
    price: Decimal | None
    trailing_distance: Decimal | None
    activation_price: Decimal | None


class HeldPosition(PositionView, frozen=True, kw_only=True, tag="PositionView"):
    """A position with its stops, oldest lot first.

    `stop_fault` is what the protection watchdog says is wrong with them: missing, short, doubled, waits, or empty; then
    `naked_s` is for how many seconds.
    """

    stops: tuple[StopView, ...] = ()
    stop_fault: str = ""
    naked_s: float = 0.0


class Positions(msgspec.Struct, frozen=True, kw_only=True):
    known: bool
    as_of_ms: int
    positions: tuple[HeldPosition, ...]


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `total` counts what the filter matched, `orders` is the page of it that was asked for."""

    total: int
    orders: tuple[OrderView, ...]


class Trades(msgspec.Struct, frozen=True, kw_only=True):
    total: int
    trades: tuple[Fill, ...]


class Tickers(msgspec.Struct, frozen=True, kw_only=True):
    tickers: tuple[Ticker, ...]


class Candles(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first; the last one may still be forming."""

    symbol: str
    timeframe: str
    candles: tuple[Candle, ...]


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    total: int
    signals: tuple[SignalScore, ...]


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """Every verdict with its whole rule trace, newest first."""

    total: int
    decisions: tuple[Verdict, ...]


class RiskAnswer(msgspec.Struct, frozen=True, kw_only=True):
    known: bool
    risk: RiskStatus | None


class Equity(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first, thinned to at most `limit` points; the first and the last are always kept."""

    quote_currency: str
    points: tuple[EquityPoint, ...]


class Notices(msgspec.Struct, frozen=True, kw_only=True):
    notices: tuple[Notice, ...]


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The engine has the command. What came of it is told on the stream and in the lists, under this id."""

    accepted: bool
    correlation_id: str
    message: str


class OrderAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """`verdict` is None when risk answers later on the stream."""

    accepted: bool
    intent_id: str
    correlation_id: str
    verdict: Verdict | None
    notices: tuple[str, ...] = ()
    """What was asked for and will be ignored, and whose coins it sells, in sentences."""


class OneOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order with its trades, oldest first, as far as this process remembers them."""

    order: OrderView
    trades: tuple[Fill, ...]


class TemplateList(msgspec.Struct, frozen=True, kw_only=True):
    templates: tuple[OrderTemplate, ...]


class ProtectionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the protection watchdog sees, and what the order actor holds around each position."""

    watch: ProtectionStatus
    brackets: tuple[ProtectionView, ...]


class Ledgers(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of wallets by the venue's books, newest first."""

    ledgers: tuple[LedgerEntry, ...]


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    margin: tuple[MarginBase | MarginSymbol, ...]


class FundingOffers(msgspec.Struct, frozen=True, kw_only=True):
    offers: tuple[FundingOffer, ...]


class FundingLoans(msgspec.Struct, frozen=True, kw_only=True):
    loans: tuple[FundingLoan, ...]


class FundingTrades(msgspec.Struct, frozen=True, kw_only=True):
    trades: tuple[FundingTrade, ...]


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`token` and `access_token` are the same text; clients of both spellings exist."""

    token: str
    access_token: str
    token_type: str
    scope: str
    user_id: str
    expires_ms: int
    message: str = ""


class TicketAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A single-use ticket; `path` is what to append to the engine's address."""

    ticket: str
    path: str
    expires_ms: int


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """`id` stands in the log beside the reason; `detail` is for the client and never holds a secret or a traceback."""

    code: str
    message: str
    detail: dict[str, str | int | float | bool | list[str] | dict[str, str] | None]
    id: str


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    error: ErrorBody
