"""What of an order must survive: one row an order, a trade, a wish to flatten, a bracket; and how each is shown.

Rows are kept as JSON in the journal's cells. Stamps named `_at` are monotonic seconds of the process that wrote them
and mean nothing to the next one: `OrderMachine.restore` sets them anew there.
"""

from decimal import Decimal
from typing import Final

import msgspec

from genesis.domain.bracket import Levels
from genesis.domain.order_lots import REST
from genesis.domain.order_wire import executed_of, order_type_of, side_of
from protocols.orders import (
    PROTECTIVE_PURPOSES,
    TERMINAL_STATES,
    Fill,
    OrderIntent,
    OrderState,
    OrderType,
    OrderView,
    Purpose,
    VenueOrder,
    VenueTrade,
)
from protocols.units import AMOUNT_STEP, ZERO, Side, Symbol, amount_blur

TABLE: Final = "orders"
"""The journal's table of all cells of the order machine."""


class OpenRequest(msgspec.Struct, kw_only=True):
    """A cancel or update that the venue has not answered. `serial` names it for ever.

    `within` is the client id of the order that takes the cancelled one's place, in one frame with its cancel. `first`
    says that no cancel had left before this one.
    """

    kind: str
    serial: int
    session: int
    asked_at: float
    price: Decimal | None = None
    quantity: Decimal | None = None
    within: int | None = None
    first: bool = False


class WantedChange(msgspec.Struct, kw_only=True, frozen=True):
    """What a person wants of a resting order that cannot be asked for now: it is on its way, or another change is.

    `quantity` is what shall remain, of the `leaves` that there were when it was said.
    """

    price: Decimal | None
    quantity: Decimal | None
    leaves: Decimal
    reason: str


class OrderRow(msgspec.Struct, kw_only=True):
    """One order of ours, from the intent to the end.

    `session` is the one its submit was given to (0: none, or one of an earlier process), `seen_session` the last one in
    which the venue showed it. `closing` and `executed` are the end that the venue told and that waits for its trades.
    `linked_open` are other halves of an OCO that the venue has shown and not ended; `stop_gone` says that ours rests
    without it. Without an answer at `due_at` it is in doubt; `asked` counts the questions about one that seems to rest
    and should not, and `unlisted` says that REST was asked after it had had its time, and does not show it.
    `held_back` orders wait for coins that a protective order still holds, or for a resting order of ours that they
    would trade with. `rests_at` and `reprices` are an entry's time to be filled. `lot` names what a
    protective order protects. `swaps` are the orders whose place it takes: its frame cancels them, too. `wanted` is the
    newest change that a person was promised and that has not left. `change` is the number of the newest change that
    risk has approved; `update_out` says that a change has left, and nothing has been heard that tells what came of it.
    `average` is the price that the venue tells of what it `executed`. Of that, `by_word` is booked without any trade,
    which made `word_change` of what is held; `unshown_at` is since when trades of it are missing. `against` is what of
    an entry with levels was booked against a position the other way, and opened nothing so far, `against_at` the time
    and number of the newest trade of that. `unwanted` is why it must not leave any more, should it not have left.
    """

    intent: OrderIntent
    cid: int
    cid_date: str
    group_id: int
    flags: int
    state: OrderState
    reason: str
    quantity: Decimal
    price: Decimal | None
    created_ms: int
    updated_ms: int
    since_at: float
    heard_at: float = 0.0
    check_at: float | None = None
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    venue_id: int | None = None
    linked_ids: tuple[int, ...] = ()
    linked_open: tuple[int, ...] = ()
    stop_gone: bool = False
    withdrawn: bool = False
    held_back: bool = False
    lot: str = REST
    swaps: tuple[int, ...] = ()
    rests_at: float | None = None
    reprices: int = 0
    venue_updated_ms: int = 0
    session: int = 0
    seen_session: int = 0
    sent: bool = False
    attempt: int = 0
    due_at: float = 0.0
    asked: int = 0
    unlisted: bool = False
    absent_at: float | None = None
    cancel_reason: str | None = None
    unwanted: str = ""
    request: OpenRequest | None = None
    wanted: WantedChange | None = None
    change: int = 0
    update_out: bool = False
    tries: int = 0
    closing: OrderState | None = None
    executed: Decimal = ZERO
    average: Decimal = ZERO
    by_word: Decimal = ZERO
    word_change: Decimal = ZERO
    unshown_at: float | None = None
    reports_without_fills: int = 0
    lacked_at: float | None = None
    """When the newest of these reports was asked for."""
    against: Decimal = ZERO
    against_at: tuple[int, int] = (0, 0)
    serial: int = 0

    @property
    def key(self) -> str:
        """The name of its cell; zeros make the order of names the order of ids."""
        return f"order:{self.cid:014d}"

    @property
    def open(self) -> bool:
        return self.state not in TERMINAL_STATES

    @property
    def evidence_session(self) -> int:
        """The newest session that can still say something about a doubt."""
        return max(self.session, self.seen_session)

    @property
    def settled_change(self) -> int:
        """The newest approved change, unless one is under way: then 0."""
        return 0 if self.update_out or self.wanted is not None else self.change

    @property
    def leaves(self) -> Decimal:
        """What has not traded."""
        return max(self.quantity - self.filled - self.by_word, ZERO)

    @property
    def unshown(self) -> Decimal:
        """What the venue has told to be executed and has not shown the trades of."""
        left = self.executed - self.filled
        return left if left > amount_blur(self.quantity) else ZERO

    @property
    def unbooked(self) -> Decimal:
        """The same, and what of it is not in our books by the venue's word either."""
        left = self.unshown - self.by_word
        return left if left > amount_blur(self.quantity) else ZERO

    @property
    def is_over(self) -> bool:
        """The venue has told its end, and all that it executed is booked; only its trades are waited for."""
        return self.closing is not None and not self.linked_open and not self.unbooked

    @property
    def protects(self) -> bool:
        """A leg of a position's bracket."""
        return self.intent.purpose in PROTECTIVE_PURPOSES

    @property
    def swapped(self) -> bool:
        """Another order takes its place, in one frame with its cancel, and nobody knows yet whether that arrived."""
        return self.state is OrderState.PENDING_CANCEL and self.cancel_reason is None

    @property
    def is_lost(self) -> bool:
        """In doubt, and a later session does not show it."""
        return self.state is OrderState.UNKNOWN and self.absent_at is not None

    @property
    def opens_risk(self) -> bool:
        """Entries, and what a person orders without calling it reducing."""
        return self.intent.purpose is Purpose.ENTRY or (
            self.intent.purpose is Purpose.MANUAL and not self.intent.reduce_only
        )


class BracketRow(msgspec.Struct, kw_only=True):
    """The protection of one lot of a position. `entry_id` is the intent whose fill set the levels last; `since` is a
    client id, so that lots have an age. `quantity` is what is left of what its entries opened, unsigned; None of the
    lot REST, which is whatever no other lot is. `tries` counts legs placed since one last rested; `lag_at` is since
    when the venue has told of more trades than it has shown, `look_at` when a stop that we move looks at the market.
    `guess` is what an entry in doubt has bought by the venue's wallet, while history is silent; `assumed` levels are
    those of such an entry, until its first trade is told. `taken` is what the leg `taken_by` sold beyond the
    lot's own quantity, by the lots that gave it: an older entry whose trade is told later than the leg's gives it
    back."""

    symbol: Symbol
    margin: bool
    levels: Levels
    entry_id: str
    strategy: str
    correlation_id: str
    decided_ms: int
    lot: str = REST
    since: int = 0
    quantity: Decimal | None = None
    tries: int = 0
    pause_at: float | None = None
    lag_at: float | None = None
    look_at: float | None = None
    last_cid: int = 0
    guess: Decimal = ZERO
    assumed: bool = False
    taken: dict[str, Decimal] = {}
    taken_by: int = 0

    @property
    def book(self) -> tuple[Symbol, bool]:
        return self.symbol, self.margin

    @property
    def key(self) -> str:
        """The name of its cell."""
        return f"bracket:{self.symbol}:{'margin' if self.margin else 'exchange'}:{self.lot}"


class StrangerRow(msgspec.Struct, kw_only=True):
    """An order of somebody else's on the account, of which a person was told.

    `heard_ms` is the venue's newest word on it.
    """

    venue_id: int
    heard_ms: int

    @property
    def key(self) -> str:
        return f"stranger:{self.venue_id}"


class ToldRow(msgspec.Struct, kw_only=True):
    """What the venue says is there: of the exchange wallet by currency, of margin positions by symbol, zeros left out.

    `session` said so. `spare` is what of it our trades did not make, as it was when both were quiet last; None before.
    `others` is what the account's other wallets hold now, by currency and wallet (None: nobody knows), and `elsewhere`
    what they held of each currency when `spare` was noted: coins that changed their wallet since are in the difference.
    """

    margin: bool
    session: int = 0
    amounts: dict[str, Decimal] = {}
    spare: dict[str, Decimal] | None = None
    others: dict[str, dict[str, Decimal]] | None = None
    elsewhere: dict[str, Decimal] = {}
    changed_at: float = 0.0

    def in_others(self, currency: str) -> Decimal | None:
        """How much of it the account's other wallets hold now; None when nobody knows."""
        return None if self.others is None else sum(self.others.get(currency, {}).values(), ZERO)

    @property
    def key(self) -> str:
        return f"told:{'margin' if self.margin else 'exchange'}"


class WishesRow(msgspec.Struct, kw_only=True):
    """A person's wishes that were heard last, by their correlation ids, oldest first."""

    ids: list[str] = []

    @property
    def key(self) -> str:
        return "wishes"


class PlainRow(msgspec.Struct, kw_only=True):
    """Coins of the exchange wallet that were bought without levels, by who bought them."""

    symbol: Symbol
    owners: dict[str, Decimal] = {}

    @property
    def key(self) -> str:
        return f"plain:{self.symbol}"


class FillRow(msgspec.Struct, kw_only=True):
    """One trade. `fill` is what was told of it, once its fee and its order are known."""

    trade: VenueTrade
    since_at: float
    check_at: float | None = None
    reports: int = 0
    fill: Fill | None = None
    serial: int = 0

    @property
    def key(self) -> str:
        # With the order's id: a trade between two orders of one account has one number and two sides.
        return fill_key(self.trade.trade_id, self.trade.venue_order_id)

    @property
    def has_fee(self) -> bool:
        return self.trade.fee is not None and self.trade.fee_currency is not None


class FlattenRow(msgspec.Struct, kw_only=True):
    """A wish to flatten under way. `books` are its (symbol, margin) pairs that are not flat yet, `given_up` those that
    were tried in vain. No order that came before it has a client id above `last_cid`."""

    flatten_id: str
    symbol: Symbol | None
    reason: str
    decided_ms: int
    since_at: float
    books: tuple[tuple[Symbol, bool], ...]
    tries: dict[str, int] = {}
    pause_at: float | None = None
    given_up: tuple[tuple[Symbol, bool], ...] = ()
    last_cid: int = 0

    @property
    def key(self) -> str:
        return f"flatten:{self.flatten_id}"


def fill_key(trade_id: int, venue_order_id: int) -> str:
    """The name of a trade's cell."""
    return f"fill:{trade_id}:{venue_order_id}"


def view_of(row: OrderRow) -> OrderView:
    """An order of ours as everybody else sees it."""
    intent = row.intent
    filled = row.filled + row.by_word
    return OrderView(
        intent_id=intent.intent_id,
        cid=row.cid,
        venue_id=row.venue_id,
        strategy=intent.strategy,
        symbol=intent.symbol,
        side=intent.side,
        order_type=intent.order_type,
        purpose=intent.purpose,
        quantity=row.quantity,
        filled_quantity=filled,
        average_fill_price=_average(row, filled) if filled else ZERO,
        price=row.price,
        state=row.state,
        reason=row.reason,
        created_ms=row.created_ms,
        updated_ms=row.updated_ms,
        correlation_id=intent.correlation_id,
        foreign=False,
        margin=intent.margin,
        stop_price=_stop_price(row),
        trailing_distance=intent.trailing_distance,
        withdrawn=row.withdrawn,
        settled_change=row.settled_change if row.change else 0,
        by_word=row.by_word,
    )


def _average(row: OrderRow, filled: Decimal) -> Decimal:
    return ((row.cost + row.by_word * row.average) / filled).quantize(AMOUNT_STEP)


_STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


def _stop_price(row: OrderRow) -> Decimal | None:
    if row.intent.oco_stop_price is not None:
        return None if row.stop_gone else row.intent.oco_stop_price
    return row.price if row.intent.order_type in _STOPS else None


def foreign_view(order: VenueOrder, ending: OrderState | None) -> OrderView:
    """An order that this engine did not place: shown, never touched."""
    executed = executed_of(order)
    state = ending or (OrderState.PARTIAL if executed else OrderState.ACKED)
    return OrderView(
        intent_id=f"foreign:{order.venue_id}",
        cid=order.cid,
        venue_id=order.venue_id,
        strategy="",
        symbol=order.symbol,
        side=side_of(order.original),
        order_type=order_type_of(order.wire_type),
        purpose=Purpose.MANUAL,
        quantity=abs(order.original),
        filled_quantity=executed,
        average_fill_price=order.average_price,
        price=order.price or None,
        state=state,
        reason=order.status,
        created_ms=order.created_ms,
        updated_ms=order.updated_ms,
        correlation_id="",
        foreign=True,
        margin=not order.wire_type.startswith("EXCHANGE "),
    )


def fill_of(trade: VenueTrade, row: OrderRow | None, no_basis: Decimal = ZERO) -> Fill:
    """What is told of a trade whose fee is known. `row` is its order, or None when that is foreign; `no_basis` is as in
    `Fill`."""
    assert trade.fee is not None, f"fee of trade {trade.trade_id} must be known"
    assert trade.fee_currency is not None, f"fee currency of trade {trade.trade_id} must be known"
    intent = None if row is None else row.intent
    return Fill(
        trade_id=trade.trade_id,
        intent_id=f"foreign:{trade.venue_order_id}" if intent is None else intent.intent_id,
        cid=(trade.cid or 0) if row is None else row.cid,
        venue_order_id=trade.venue_order_id,
        strategy="" if intent is None else intent.strategy,
        symbol=trade.symbol,
        side=Side.BUY if trade.amount > 0 else Side.SELL,
        quantity=abs(trade.amount),
        price=trade.price,
        fee=trade.fee,
        fee_currency=trade.fee_currency,
        maker=trade.maker,
        purpose=Purpose.MANUAL if intent is None else intent.purpose,
        time_ms=trade.time_ms,
        correlation_id="" if intent is None else intent.correlation_id,
        foreign=row is None,
        margin=intent is not None and intent.margin,
        fee_price=trade.fee_price,
        no_basis=no_basis,
    )
