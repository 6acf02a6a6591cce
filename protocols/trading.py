"""What readers see of our trading: orders and fills in one value."""

from decimal import Decimal

import msgspec

from protocols.orders import Fill, OrderView
from protocols.units import Symbol


class LotView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One lot of a position with its levels; `lot` is empty for what nobody else's bracket covers.

    `quantity` is unsigned base. `activation_price` is where its stop begins to move, None once it does.
    """

    lot: str
    strategy: str
    quantity: Decimal
    wanted: Decimal
    stopped: Decimal
    stop_price: Decimal | None
    target_price: Decimal | None
    trailing_distance: Decimal | None
    activation_price: Decimal | None


class ProtectionView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A position and the orders around it, by the order actor. `held` is signed, `stopped` what its stops cover.

    `wanted` is what they should cover: less than is held while an exit is under way. Its own levels are those of the
    newest lot; each of `lots` (oldest first) has some of its own. None as a level: there is none.
    """

    symbol: Symbol
    margin: bool
    held: Decimal
    wanted: Decimal
    stopped: Decimal
    stops: int
    stop_price: Decimal | None
    target_price: Decimal | None
    trailing_distance: Decimal | None
    note: str
    lots: tuple[LotView, ...] = ()


class FlattenView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A wish to flatten: `left` are symbols that are not flat yet, `given_up` those that could not be closed.

    No order that came before it has a client id above `last_cid`, and as long as anything is `left` none of ours opens
    anything in its symbol, or in any when it has none.
    """

    flatten_id: str
    symbol: Symbol | None
    left: tuple[Symbol, ...]
    given_up: tuple[Symbol, ...]
    last_cid: int


class OrdersView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """This engine's orders for readers: `open` and `foreign` whole; of `ended` and `fills` the newest, oldest first.

    `session` is the one that orders go to; `ready` is true while they may: its books have been compared with ours.
    In a session over REST stops, sales at market that close, and cancels may: the books are `compared` once no trade is
    known to be missing, and `under_way` is what a close or a cancel there is until its end is told.
    `mismatched` says of which margin positions the venue has another size.
    """

    session: int
    ready: bool
    compared: bool = False
    under_way: bool = False
    open: tuple[OrderView, ...] = ()
    ended: tuple[OrderView, ...] = ()
    foreign: tuple[OrderView, ...] = ()
    fills: tuple[Fill, ...] = ()
    orders_total: int = 0
    fills_total: int = 0
    unknown: int = 0
    doubts_total: int = 0
    dead_total: int = 0
    ghosts_total: int = 0
    stale_frames_total: int = 0
    too_old_total: int = 0
    """Entries that were not sent because their candle had closed too long ago."""
    alarms_total: int = 0
    protection: tuple[ProtectionView, ...] = ()
    mismatched: tuple[str, ...] = ()
    flattens: tuple[FlattenView, ...] = ()
    """Wishes under way, and the newest that are done."""

    @property
    def may_need_stops(self) -> bool:
        """Whether anything is held, or may be by an order of ours."""
        return bool(self.open or self.protection)

    @property
    def waits_for_stops(self) -> bool:
        """Whether any lot, or a book without any, is covered by less than it should be."""
        return any([each.stopped < each.wanted for book in self.protection for each in book.lots or (book,)])


class Protection(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One position as the protection watchdog sees it: `naked_s` seconds without the right stop, 0 when all is well.

    `fault` is missing, short, doubled, waits (for so long an exit that has not left is all that covers it) or empty.
    """

    symbol: Symbol
    margin: bool
    held: Decimal
    stopped: Decimal
    fault: str
    naked_s: float


class ProtectionStatus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The watchdog's figures since the engine began: `worst_naked_s` is the longest that any position went without.

    `naked_p99_s` is over the last spans; a span begins with a position that lacks its stop and ends when it has one.
    """

    positions: tuple[Protection, ...] = ()
    protected: int = 0
    naked: int = 0
    spans_total: int = 0
    repairs_total: int = 0
    doubled_total: int = 0
    naked_p99_s: float = 0.0
    worst_naked_s: float = 0.0
    within_s: float = 5.0
