"""What an exchange knows of its customers: wallets, open orders, positions, history. Plain data, saved as it stands."""

from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from protocols.funding import FundingLoan, FundingOffer, FundingTrade
from protocols.orders import RequestNotice, VenueOrder, VenuePosition, VenueTrade, VenueWallet
from protocols.units import ZERO, Symbol

EXCHANGE: Final = "exchange"
MARGIN: Final = "margin"
FUNDING: Final = "funding"
WALLET_TYPES: Final = (EXCHANGE, MARGIN, FUNDING)


class Stage(StrEnum):
    """Where an open order stands."""

    WAITING = "waiting"
    """Meets the market at the next tick."""
    RESTING = "resting"
    """In the book."""
    ARMED = "armed"
    """A stop that has not been reached."""


class Order(msgspec.Struct, kw_only=True, eq=False):
    """One order. `remaining` has no sign, `original` has; `locked` is what its wallet holds back for it."""

    venue_id: int
    account: str
    group_id: int | None
    cid: int
    symbol: Symbol
    wire_type: str
    type_before: str | None = None
    created_ms: int
    updated_ms: int
    sign: int
    remaining: Decimal
    original: Decimal
    price: Decimal
    average_price: Decimal = ZERO
    trailing_distance: Decimal = ZERO
    aux_limit_price: Decimal = ZERO
    flags: int = 0
    status: str = "ACTIVE"
    placed_id: int | None = None
    peer_id: int | None = None
    expires_ms: int | None = None
    leverage: int | None = None
    meta: dict[str, Any] | None = None
    priority: int
    stage: Stage = Stage.WAITING
    active_ms: int
    rested_ms: int = 0
    locked: Decimal = ZERO
    reference_price: Decimal = ZERO
    fills: list[tuple[Decimal, Decimal]] = []
    told: bool = False

    @property
    def is_margin(self) -> bool:
        return not self.wire_type.startswith("EXCHANGE ")

    @property
    def kind(self) -> str:
        """The order type without the wallet's prefix."""
        return self.wire_type.removeprefix("EXCHANGE ")

    @property
    def wallet_type(self) -> str:
        return MARGIN if self.is_margin else EXCHANGE

    @property
    def limit(self) -> Decimal | None:
        """The worst price at which it may trade now; None for any."""
        return None if self.kind == "MARKET" else self.price

    def told_as(self, event: str) -> VenueOrder:
        """The order as a message."""
        return VenueOrder(
            event=event,
            session=0,
            venue_id=self.venue_id,
            group_id=self.group_id,
            cid=self.cid,
            symbol=self.symbol,
            created_ms=self.created_ms,
            updated_ms=self.updated_ms,
            remaining=self.remaining * self.sign,
            original=self.original,
            wire_type=self.wire_type,
            wire_type_before=self.type_before,
            flags=self.flags,
            status=self.status,
            price=self.price,
            average_price=self.average_price,
            trailing_distance=self.trailing_distance,
            aux_limit_price=self.aux_limit_price,
            placed_id=self.placed_id,
            expires_ms=self.expires_ms,
            leverage=self.leverage,
            received_ns=0,
        )


class Wallet(msgspec.Struct, kw_only=True, eq=False):
    """`locked` is held back for open orders (margin wallets lock nothing; their orders need tradable balance)."""

    wallet_type: str
    currency: str
    balance: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def available(self) -> Decimal:
        return self.balance - self.locked


class Position(msgspec.Struct, kw_only=True, eq=False):
    """A margin position; `amount` is signed. `collateral` stands behind a contract, and behind nothing else."""

    position_id: int
    symbol: Symbol
    amount: Decimal
    base_price: Decimal
    created_ms: int
    updated_ms: int
    leverage: Decimal | None = None
    collateral: Decimal = ZERO
    called: bool = False
    """Its owner has been told that the margin runs out."""


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of a wallet. `category` is the venue's number: 5 exchange, 51 transfer, 201 fee, 31 settlement."""

    entry_id: int
    currency: str
    wallet_type: str
    time_ms: int
    amount: Decimal
    balance: Decimal
    description: str
    category: int


class Offer(msgspec.Struct, kw_only=True, eq=False):
    """A funding offer (`amount` above zero, what is left of it) or a bid for funding (below)."""

    offer_id: int
    symbol: str
    created_ms: int
    updated_ms: int
    amount: Decimal
    original: Decimal
    wire_type: str
    flags: int
    status: str
    rate: Decimal
    period: int
    renew: bool = False


class Loan(msgspec.Struct, kw_only=True, eq=False):
    """Money lent (`side` 1) or borrowed (-1) for `period` days; a credit while `position_pair` says who uses it.

    `rate` is per day. A loan at a variable rate (`rate_type` VAR) is `delta` above the flash return rate.
    """

    loan_id: int
    symbol: str
    side: int
    amount: Decimal
    rate: Decimal
    rate_type: str
    period: int
    opened_ms: int
    updated_ms: int
    last_payout_ms: int
    flags: int = 0
    status: str = "ACTIVE"
    delta: Decimal = ZERO
    position_pair: str | None = None
    no_close: bool = False
    automatic: bool = False
    """Borrowed by the venue for a margin position that needed it, and given back by it."""


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """What an account lends again by itself: so much (None: all), at this rate (0: the flash return rate)."""

    rate: Decimal
    period: int
    amount: Decimal | None = None


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """A withdrawal: money that left for good. `amount` is below zero."""

    movement_id: int
    currency: str
    method: str
    time_ms: int
    amount: Decimal
    fee: Decimal
    address: str
    payment_id: str | None
    note: str | None


class Account(msgspec.Struct, kw_only=True, eq=False):
    """One customer. `paper` accounts trade TEST pairs and nothing else; the others everything else."""

    name: str
    user_id: int
    maker_fee: Decimal = Decimal("0.001")
    taker_fee: Decimal = Decimal("0.002")
    paper: bool = False
    wallets: dict[str, Wallet] = {}
    orders: dict[int, Order] = {}
    positions: dict[str, Position] = {}
    offers: dict[int, Offer] = {}
    loans: dict[int, Loan] = {}
    renewals: dict[str, Renewal] = {}
    """By currency."""
    settings: dict[str, Any] = {}
    """What clients keep here for themselves, by key (`api:...`)."""

    def wallet(self, wallet_type: str, currency: str) -> Wallet:
        """The wallet, opened empty when there is none yet."""
        key = f"{wallet_type} {currency}"
        wallet = self.wallets.get(key)
        if wallet is None:
            wallet = self.wallets[key] = Wallet(wallet_type=wallet_type, currency=currency)
        return wallet


class VenueNotice(RequestNotice, frozen=True, kw_only=True, tag=True):
    """A notification with the orders it is about; on a refusal what was readable of the request."""

    orders: tuple[VenueOrder, ...] = ()
    wire_type: str | None = None


class PositionChange(VenuePosition, frozen=True, kw_only=True, tag=True):
    """A position with the event that tells it: pn, pu or pc."""

    event: str
    created_ms: int
    updated_ms: int
    meta: dict[str, Any] | None = None


class History(msgspec.Struct, kw_only=True, eq=False):
    """What is over, oldest first: told over REST, never changed."""

    orders: list[VenueOrder] = []
    trades: list[VenueTrade] = []
    ledger: list[LedgerEntry] = []
    positions: list[VenuePosition] = []
    offers: list[Offer] = []
    loans: list[Loan] = []
    funding_trades: list[FundingTrade] = []
    snapshots: list[PositionChange] = []
    """Positions as they were at each midnight."""
    movements: list[Movement] = []


class PositionNews(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A notification about a position that nobody asked for: a margin call, a liquidation."""

    kind: str
    text: str
    position: PositionChange


class WalletChange(VenueWallet, frozen=True, kw_only=True, tag=True):
    """A wallet with what changed it, as the venue's META says it."""

    meta: dict[str, Any] | None = None


VenueMessage = (
    VenueNotice
    | VenueOrder
    | VenueTrade
    | VenueWallet
    | VenuePosition
    | PositionNews
    | FundingOffer
    | FundingLoan
    | FundingTrade
)
VenueOutput = tuple[str, VenueMessage]
"""(account name, message), in the order of the wire."""
