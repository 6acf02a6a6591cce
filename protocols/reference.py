"""What REST says beyond the trading path: instruments, fees, permissions, ledgers, movements, alerts, statistics."""

from decimal import Decimal

import msgspec

from protocols.units import Symbol


class PairInfo(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An instrument's limits in base currency; margins are None where the pair cannot be traded on margin."""

    symbol: Symbol
    minimum_size: Decimal
    maximum_size: Decimal
    initial_margin: Decimal | None
    minimum_margin: Decimal | None


class Permission(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a key may do in one scope (account, history, orders, positions, funding, settings, wallets, withdraw)."""

    scope: str
    read: bool
    write: bool


class FeeRates(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Fractions of the traded value; takers pay by the quote's kind."""

    maker: Decimal
    taker_crypto: Decimal
    taker_stable: Decimal
    taker_fiat: Decimal
    derivative_maker: Decimal
    derivative_taker: Decimal


class UserInfo(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Who the key belongs to; name and address are left out on purpose. `paper` accounts trade TEST symbols only."""

    user_id: int
    created_ms: int
    timezone: str
    verification_level: int
    is_sub_account: bool
    paper: bool


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One change of a wallet; `balance` is what was there after it."""

    entry_id: int
    currency: str
    wallet_type: str
    time_ms: int
    amount: Decimal
    balance: Decimal
    description: str


class Movement(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A deposit (above zero) or withdrawal (below); `transaction_id` is the network's, empty while there is none."""

    movement_id: int
    currency: str
    method: str
    started_ms: int
    updated_ms: int
    status: str
    amount: Decimal
    fees: Decimal
    address: str = ""
    transaction_id: str = ""
    note: str = ""


class PriceAlert(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    key: str
    symbol: str
    price: Decimal
    countdown: int


class PriceReached(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A price alert of the venue has fired: the market reached `level`, and stands at `price`."""

    session: int
    symbol: str
    level: Decimal
    price: Decimal
    received_ns: int


class Login(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    login_id: int
    time_ms: int
    address: str


class ClosedPosition(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A position of the history, of a daily snapshot, or of the audit."""

    symbol: Symbol
    status: str
    amount: Decimal
    base_price: Decimal
    position_id: int
    created_ms: int | None
    updated_ms: int | None


class TickerPast(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Best prices of one hour."""

    symbol: Symbol
    bid: float
    ask: float
    time_ms: int


class Statistic(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One value of stats1: position sizes, funding sizes, volumes, vwap."""

    time_ms: int
    value: float


class FundingStatistic(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`flash_return_rate` is 1/365 of the yearly one."""

    time_ms: int
    flash_return_rate: float
    average_period: float
    amount: float
    amount_used: float
    below_threshold: float


class Ranking(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    time_ms: int
    user_name: str
    rank: int
    value: float
