"""What is said about orders: an intent, its verdict, the command to the venue, then what the venue did."""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from protocols.units import ZERO, Side, Symbol, base_currency, quote_currency


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP LIMIT"
    TRAILING_STOP = "TRAILING STOP"
    FOK = "FOK"
    IOC = "IOC"


class Purpose(StrEnum):
    """Why an order exists. ENTRY opens risk; the others only take it away."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    TARGET = "target"
    FLATTEN = "flatten"
    MANUAL = "manual"


PROTECTIVE_PURPOSES = frozenset({Purpose.STOP, Purpose.TARGET})
"""Orders that the engine places around a position by itself."""


class OrderState(StrEnum):
    INTENT = "INTENT"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    ACKED = "ACKED"
    PARTIAL = "PARTIAL"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_UPDATE = "PENDING_UPDATE"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    DEAD = "DEAD"


TERMINAL_STATES = frozenset(
    {OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.DEAD}
)


def _positive(name: str, number: Decimal) -> None:
    # is_finite first: msgspec decodes the string "NaN" into a Decimal without complaint.
    if not (number.is_finite() and number > ZERO):
        raise ValueError(f"{name} must be finite and positive, was {number}")


_PRICED = (OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT, OrderType.FOK, OrderType.IOC)


class Bracket(msgspec.Struct, frozen=True, kw_only=True):
    """Where to leave the position that an entry opens: each level as a price, or as a distance from the first fill.

    `trailing` makes the stop follow the market at `stop_distance`: at once and by the venue, or, with an
    `activation_price`, from when the market reaches that and by the engine.
    """

    stop_price: Decimal | None = None
    stop_distance: Decimal | None = None
    target_price: Decimal | None = None
    target_distance: Decimal | None = None
    trailing: bool = False
    activation_price: Decimal | None = None

    def __post_init__(self) -> None:
        # One after the other, and only what is given: one is made while its order waits.
        if self.stop_price is not None:
            _positive("stop_price", self.stop_price)
            if self.stop_distance is not None:
                raise ValueError("a stop must be a price or a distance, was both")
        if self.stop_distance is not None:
            _positive("stop_distance", self.stop_distance)
        elif self.trailing:
            raise ValueError("stop_distance must be given for a trailing stop, was None")
        if self.target_price is not None:
            _positive("target_price", self.target_price)
            if self.target_distance is not None:
                raise ValueError("a target must be a price or a distance, was both")
        if self.target_distance is not None:
            _positive("target_distance", self.target_distance)
        if self.activation_price is not None:
            _positive("activation_price", self.activation_price)
            if not self.trailing:
                raise ValueError("activation_price must be absent unless trailing, was given")

    @property
    def has_stop(self) -> bool:
        return self.stop_price is not None or self.stop_distance is not None

    @property
    def has_target(self) -> bool:
        return self.target_price is not None or self.target_distance is not None


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A wish to trade that nobody has judged yet. Raises ValueError on a number no order can have.

    `intent_id` is its name for life: the same wish said twice has the same id. `price` is the limit price, the trigger
    of a STOP or STOP LIMIT, and None for MARKET.
    """

    intent_id: str
    strategy: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    order_type: OrderType
    purpose: Purpose
    decided_ms: int
    correlation_id: str
    price: Decimal | None = None
    aux_limit_price: Decimal | None = None
    trailing_distance: Decimal | None = None
    oco_stop_price: Decimal | None = None
    margin: bool = False
    post_only: bool = False
    reduce_only: bool = False
    hidden: bool = False
    signal_id: str | None = None
    received_ns: int = 0
    bracket: Bracket | None = None

    def __post_init__(self) -> None:
        _positive("quantity", self.quantity)
        if self.price is not None:
            _positive("price", self.price)
        if self.aux_limit_price is not None:
            _positive("aux_limit_price", self.aux_limit_price)
        if self.trailing_distance is not None:
            _positive("trailing_distance", self.trailing_distance)
        if self.oco_stop_price is not None:
            _positive("oco_stop_price", self.oco_stop_price)
        if self.price is None and self.order_type in _PRICED:
            raise ValueError(f"price must be given for {self.order_type.value}, was None")


class Approved(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Risk said yes; the intent carries the size that was approved. `settings_version` is what it was judged by."""

    intent: OrderIntent
    settings_version: int


class CancelIntent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A wish to take back one of our orders, by intent id, or every open one when `intent_id` is None."""

    intent_id: str | None
    reason: str
    correlation_id: str


class UpdateIntent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A wish to change price or remaining quantity of one of our resting orders in place.

    `stop_price` moves the stop of an order that protects a position, of an OCO its stop half.
    """

    intent_id: str
    price: Decimal | None
    quantity: Decimal | None
    reason: str
    correlation_id: str
    stop_price: Decimal | None = None

    def __post_init__(self) -> None:
        for name, number in (("price", self.price), ("quantity", self.quantity), ("stop_price", self.stop_price)):
            if number is not None:
                _positive(name, number)


class ApprovedChange(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Risk has set aside what a change may make of a resting order. `number` counts the order's changes from 1: one
    that was heard before is not asked for again."""

    update: UpdateIntent
    number: int


class Flatten(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Cancel what rests and close what is held, of one symbol or (None) of all."""

    symbol: Symbol | None
    reason: str
    correlation_id: str


class Protect(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The watchdog found a position without the right stop: look at it now, and place what is missing.

    `stop_price` is where a stop belongs when no bracket says so.
    """

    symbol: Symbol
    margin: bool
    stop_price: Decimal | None
    reason: str
    correlation_id: str


MANUAL: Final = "manual"
"""Whose lots are a person's."""


class Adopt(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Give what `owner` holds, of one symbol or (None) of all, with the stops that rest for it, to `heir`: another
    strategy, or `manual`."""

    symbol: Symbol | None
    owner: str
    heir: str
    reason: str
    correlation_id: str

    def __post_init__(self) -> None:
        if not self.owner or not self.heir or self.owner == self.heir:
            raise ValueError(f"heir must be another one than the owner {self.owner!r}, was {self.heir!r}")


OrderWish = CancelIntent | UpdateIntent | Flatten | Protect | Adopt
"""What others ask of the order actor."""


# --- order actor -> connection ------------------------------------------------------------------------------------


class SubmitOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One order for the venue. `amount` is signed as on the wire; `cid` is ours for the order's whole life.

    From `leave_by_ns` (monotonic; 0: never) on what it was decided on is too old, and it must not leave.
    """

    cid: int
    cid_date: str
    group_id: int
    symbol: Symbol
    wire_type: str
    amount: Decimal
    price: Decimal | None
    aux_limit_price: Decimal | None
    trailing_distance: Decimal | None
    oco_stop_price: Decimal | None
    flags: int
    session: int
    correlation_id: str
    received_ns: int
    expires_ms: int | None = None
    leverage: int | None = None
    leave_by_ns: int = 0


class CancelOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Cancel by venue id when it is known, else by cid and cid_date."""

    cid: int
    cid_date: str
    venue_id: int | None
    session: int
    correlation_id: str


class UpdateOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Change a resting order; `amount` is the new remaining amount, signed. Flags go again or the venue drops them."""

    cid: int
    venue_id: int
    price: Decimal | None
    amount: Decimal | None
    flags: int
    session: int
    correlation_id: str


class CommandBatch(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Several commands in one frame (`ox_multi`): all arrive or none, in this order. Each is answered for itself.

    The last one is the order in whose name the frame leaves.
    """

    commands: tuple[CancelOrder | SubmitOrder, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.commands) <= LARGEST_BATCH:
            raise ValueError(f"a batch must hold 1..{LARGEST_BATCH} commands, was {len(self.commands)}")

    @property
    def cid(self) -> int:
        return self.commands[-1].cid

    @property
    def session(self) -> int:
        return self.commands[-1].session


TOO_OLD: Final = "signal_too_old"
"""How the refusal of an order begins whose candle closed too long ago."""

LARGEST_BATCH: Final = 15
"""As many operations as the venue's own client puts into a frame."""

VenueCommand = SubmitOrder | CancelOrder | UpdateOrder | CommandBatch


def commands_of(command: VenueCommand) -> tuple[SubmitOrder | CancelOrder | UpdateOrder, ...]:
    """The single commands of one frame."""
    return command.commands if isinstance(command, CommandBatch) else (command,)


# --- connection -> order actor and account actor ------------------------------------------------------------------


class SessionUp(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A session whose snapshots are here; its number rises. A `narrow` one is over REST: nothing opens on it."""

    session: int
    user_id: int
    received_ns: int
    narrow: bool = False


class SessionDown(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The session's line is closed by us and can say nothing more."""

    session: int
    reason: str
    received_ns: int


class CommandSent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The frame of this command was given to the socket whole, or the venue has answered its request over REST."""

    cid: int
    kind: str
    session: int
    received_ns: int


class CommandNotSent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Not one byte left: `reason` says why. It may be tried again unless `too_old`; if `paused`, in a new session."""

    cid: int
    kind: str
    session: int
    reason: str
    too_old: bool = False
    paused: bool = False


class CommandInDoubt(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Some bytes of this command may have left; nobody knows what the venue made of it."""

    cid: int
    kind: str
    session: int
    reason: str


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One order as the venue told it. `event` is on, ou, oc, os (snapshot), or of REST rest (open orders) and past
    (history). Amounts are signed."""

    event: str
    session: int
    venue_id: int
    group_id: int | None
    cid: int
    symbol: Symbol
    created_ms: int
    updated_ms: int
    remaining: Decimal
    original: Decimal
    wire_type: str
    flags: int
    status: str
    price: Decimal
    average_price: Decimal
    trailing_distance: Decimal
    aux_limit_price: Decimal
    placed_id: int | None
    received_ns: int
    wire_type_before: str | None = None
    expires_ms: int | None = None
    leverage: int | None = None


class VenueTrade(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One own trade. `event` is te (no fee yet), tu, or rest. `amount` is signed; `fee` is negative when paid.

    `fee_price` is what one of a fee's third currency was worth in quote then, where that was known: not of the venue.
    """

    event: str
    session: int
    trade_id: int
    symbol: Symbol
    time_ms: int
    venue_order_id: int
    cid: int | None
    amount: Decimal
    price: Decimal
    wire_type: str
    order_price: Decimal
    maker: bool
    fee: Decimal | None
    fee_currency: str | None
    received_ns: int
    fee_price: Decimal | None = None


class VenueWallet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    session: int
    wallet_type: str
    currency: str
    balance: Decimal
    available: Decimal | None
    received_ns: int
    unsettled_interest: Decimal = ZERO
    description: str | None = None


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A margin position; `amount` is signed, 0 once closed."""

    session: int
    symbol: Symbol
    status: str
    amount: Decimal
    base_price: Decimal
    margin_funding: Decimal
    position_id: int
    received_ns: int
    profit: Decimal | None = None
    liquidation_price: Decimal | None = None
    leverage: Decimal | None = None
    collateral: Decimal | None = None
    derivative: bool = False


class UnclearRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that cannot be as it was told, and why: what it is about is there all the same.

    The rest is as far as it could be read: an order's ids, a position's symbol or a wallet's currency as `name`.
    """

    reason: str
    venue_id: int | None = None
    cid: int | None = None
    name: str = ""
    wallet_type: str = ""


class OrderSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """All open orders of the account at authentication of `session`."""

    session: int
    orders: tuple[VenueOrder, ...]
    received_ns: int
    unclear: tuple[UnclearRow, ...] = ()


class WalletSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    session: int
    wallets: tuple[VenueWallet, ...]
    received_ns: int
    unclear: tuple[UnclearRow, ...] = ()


class PositionSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    session: int
    positions: tuple[VenuePosition, ...]
    received_ns: int
    unclear: tuple[UnclearRow, ...] = ()


class RequestNotice(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue's answer to a request (`n` frames). `kind` is on-req, ou-req, oc-req ...; `status` SUCCESS or not.

    Every socket of the account hears it, whoever asked: `symbol`, `amount` (signed) and `group_id` are the order's as
    far as the venue says them, so that a client id that somebody else has given, too, can be told from ours.
    """

    session: int
    kind: str
    status: str
    text: str
    cid: int | None
    venue_id: int | None
    received_ns: int
    code: int | None = None
    venue_ids: tuple[int, ...] = ()
    symbol: str | None = None
    amount: Decimal | None = None
    group_id: int | None = None


class HistoryReport(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What REST says: open orders, those closed that were placed since `since_ms`, and own trades.

    `request_id` names the question. `positions` are the account's margin positions, None when they were not asked for,
    or cannot be as they were told. `unclear` are open orders.
    """

    request_id: int
    session: int
    since_ms: int
    open_orders: tuple[VenueOrder, ...]
    closed_orders: tuple[VenueOrder, ...]
    trades: tuple[VenueTrade, ...]
    received_ns: int
    positions: tuple[VenuePosition, ...] | None = None
    unclear: tuple[UnclearRow, ...] = ()


class HistoryFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    request_id: int
    session: int
    reason: str


AccountEvent = (
    SessionUp
    | SessionDown
    | CommandSent
    | CommandNotSent
    | CommandInDoubt
    | VenueOrder
    | VenueTrade
    | OrderSnapshot
    | RequestNotice
    | HistoryReport
    | HistoryFailed
    | WalletSnapshot
    | VenueWallet
    | PositionSnapshot
    | VenuePosition
)
"""What the order actor hears of the venue."""

BalanceEvent = WalletSnapshot | VenueWallet | PositionSnapshot | VenuePosition
"""What the account actor hears of it."""


class HistoryRequest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ask REST, after the given session came up, for open orders, closed ones that were placed since `since_ms`, and
    trades since `trades_since_ms`; with `positions` for the margin positions, too."""

    request_id: int
    session: int
    since_ms: int
    trades_since_ms: int
    symbols: tuple[Symbol, ...]
    positions: bool = False


# --- order actor -> account, risk, web ----------------------------------------------------------------------------


CUT: Final = frozenset({Purpose.EXIT, Purpose.FLATTEN})
"""Orders of these purposes are cut into several when one is above the pair's maximum."""
PART: Final = "#"


class OrderView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One order as we know it. `foreign` orders were not placed by this engine: shown, never touched.

    `stop_price` is where its stop triggers, of an OCO while that half lives. `withdrawn` is an order that we gave up
    before anything of it left: its state is REJECTED, but nobody refused it. `others_open` says of one of the orders
    that an intent was cut into (`PART` and a number behind its id) that another one of them has not ended.
    `settled_change` is the number of the newest change that was approved for it while no change is under way, else 0.
    `by_word` is what of `filled_quantity` the venue said it executed without having told its trades yet: no Fill was
    said of it, and no account has it.
    """

    intent_id: str
    cid: int
    venue_id: int | None
    strategy: str
    symbol: Symbol
    side: Side
    order_type: OrderType
    purpose: Purpose
    quantity: Decimal
    filled_quantity: Decimal
    average_fill_price: Decimal
    price: Decimal | None
    state: OrderState
    reason: str
    created_ms: int
    updated_ms: int
    correlation_id: str
    foreign: bool
    margin: bool = False
    stop_price: Decimal | None = None
    trailing_distance: Decimal | None = None
    withdrawn: bool = False
    others_open: bool = False
    settled_change: int = 0
    by_word: Decimal = ZERO

    @property
    def whole_intent(self) -> str:
        """The id of the intent that it is of, or was cut out of."""
        return self.intent_id.partition(PART)[0] if self.purpose in CUT else self.intent_id

    @property
    def leaves_quantity(self) -> Decimal:
        return self.quantity - self.filled_quantity


class Fill(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One trade of ours, said once with its fee (after `tu` or REST). `fee_price` as in `VenueTrade`.

    `no_basis` is what of a person's sale in the exchange wallet were coins that no trade of ours had bought: they were
    there before. They are in nobody's position, so what they brought is cash and neither a profit nor a loss.
    """

    trade_id: int
    intent_id: str
    cid: int
    venue_order_id: int
    strategy: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    maker: bool
    purpose: Purpose
    time_ms: int
    correlation_id: str
    foreign: bool
    margin: bool = False
    fee_price: Decimal | None = None
    no_basis: Decimal = ZERO

    @property
    def in_positions(self) -> "Fill | None":
        """The part that changes positions, with its share of the fee; None when all of it was there before."""
        if not self.no_basis:
            return self
        left = self.quantity - self.no_basis
        if left <= ZERO:
            return None
        return msgspec.structs.replace(self, quantity=left, fee=self.fee * left / self.quantity, no_basis=ZERO)

    @property
    def fee_in_base(self) -> Decimal:
        """What the fee took of the coins themselves, below zero when it was paid."""
        return self.fee if self.fee_currency == base_currency(self.symbol) else ZERO

    @property
    def fee_beside(self) -> Decimal:
        """What it took of other currencies, in quote; a third one of which no price is known counts nothing."""
        if self.fee_currency == quote_currency(self.symbol):
            return self.fee
        if self.fee_currency == base_currency(self.symbol) or self.fee_price is None:
            return ZERO
        return self.fee * self.fee_price

    @property
    def fee_is_priced(self) -> bool:
        """Whether its worth in quote is known."""
        mine = self.fee_currency in (base_currency(self.symbol), quote_currency(self.symbol))
        return mine or self.fee_price is not None or not self.fee


class OrderUpdate(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    order: OrderView


class Adopted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What `owner` held of a symbol is the heir's now. `time_ms` is the newest trade's before it, `serial` its place
    among all that the order actor said."""

    symbol: Symbol
    owner: str
    heir: str
    quantity: Decimal
    time_ms: int
    serial: int
    reason: str
    correlation_id: str


OrderReport = OrderUpdate | Fill | Adopted
