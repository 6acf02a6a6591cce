"""What the order machine remembers, and the one way in which it changes.

Every change of an order goes through `_move`: the table of states is asked, the row becomes dirty, and a report and a
record come of it. `take` hands out what changed since the last time.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from genesis.domain.order_fills import FillBook
from genesis.domain.order_outputs import LateUpdate, Outgoing, Outputs
from genesis.domain.order_rows import (
    TABLE,
    BracketRow,
    FillRow,
    FlattenRow,
    OrderRow,
    PlainRow,
    StrangerRow,
    ToldRow,
    WishesRow,
    view_of,
)
from genesis.domain.order_session import HISTORY_GAP_S, QUESTIONS_UNKEPT, SOON_S, Fence
from genesis.domain.order_state import IllegalTransition, OrderEvent, after
from genesis.domain.pairs import PairSpecs
from genesis.domain.position import Opening, opening_key
from protocols.journal import AnyCell, CellWrite, LateCell, LateRecord
from protocols.orders import CUT, PART, TERMINAL_STATES, Adopted, OrderState, OrderUpdate, OrderView
from protocols.settings import OrderSettings
from protocols.units import ZERO, Side, Symbol

WISHES_KEPT = 128
"""More than anybody has in his hands at once."""
ORDERS_KEPT = 20_000
FILLS_KEPT = 100_000
"""The account makes its positions anew of every fill that is kept, and of the openings that hold the others' sum."""

TouchPrice = Callable[[Symbol, Side], Decimal | None]
"""The front of the book on a side: the bid of a buy, the ask of a sell. None while nobody knows."""

Foreseen = dict[tuple[Symbol, str], tuple[Decimal, tuple[OrderRow, ...]]]
"""By symbol and strategy of an exit: its quantity, and the stops whose places it takes."""
NOTHING_FORESEEN: Final[Foreseen] = {}

Depth = Callable[[Symbol, Side], Sequence[tuple[float, float, int]]]
"""The levels of a side of the book, best first: (price, amount, orders). None of them while nobody has the book."""

Kept = (
    OrderRow
    | FillRow
    | FlattenRow
    | BracketRow
    | ToldRow
    | WishesRow
    | PlainRow
    | StrangerRow
    | Opening
    | Adopted
    | Decimal
    | int
)
"""What a cell may hold."""

encode = msgspec.json.Encoder(decimal_format="string").encode


def _told_open(row: OrderRow) -> OrderUpdate:
    return OrderUpdate(order=view_of(row))


def late_record(kind: str, key: str, told: msgspec.Struct, correlation_id: str, at_ms: int) -> LateRecord:
    return LateRecord(kind=kind, key=key, write=partial(encode, told), correlation_id=correlation_id, at_ms=at_ms)


def _encode_late(late: LateUpdate) -> bytes:
    return encode(late.update)


E, S = OrderEvent, OrderState


class OrderLedger:
    """Rows of orders, trades and wishes; indexes of them; and what is to be done for the changes.

    `touch` and `depth` are given by who drives the machine.
    """

    touch: TouchPrice | None = None
    depth: Depth | None = None
    keeps = True
    """False where no journal is: then nothing is written for one but the records of decisions."""
    lends = False
    """True where the journal writes the cells' texts itself: then nothing may be said to the machine between a `take`
    and the journal's answer to what it gave."""

    _tells_late = False
    """True while an order waits for what an approval makes of it: what others are told of that is made behind it."""

    _foreseen: Foreseen = NOTHING_FORESEEN
    """Of what would happen now: nothing of it holds any more as soon as anything has been heard or done."""

    def __init__(
        self, settings: OrderSettings, *, epoch: int, signal_max_age_s: float, cancel_ghosts: bool = True
    ) -> None:
        self.settings = settings
        self.signal_max_age_s = signal_max_age_s
        self.halted: str | None = None
        self.fence = Fence(epoch=epoch)
        self.orders: dict[int, OrderRow] = {}
        self.fills = FillBook()
        self.foreign: dict[int, OrderView] = {}
        self.strangers: dict[int, StrangerRow] = {}
        """Orders of others that a person was told of, by the venue's ids."""
        self._folded: Counter[Symbol] = Counter()
        """Those of this minute that were only counted, by symbol, and what would have been told of the newest."""
        self._newest_folded = ("", "")
        self._strangers_told = 0
        self._strangers_until = 0.0
        """The end of the minute, and how many it has had."""
        self.flattens: dict[str, FlattenRow] = {}
        self.brackets: dict[str, BracketRow] = {}
        """By the names of their cells, oldest first."""
        self.plain: dict[Symbol, PlainRow] = {}
        self.openings: dict[Symbol, Opening] = {}
        self.adoptions: dict[str, Adopted] = {}
        self.told_amounts = (ToldRow(margin=False), ToldRow(margin=True))
        """What the venue says is in the exchange wallet, and on margin."""
        self.wishes = WishesRow()
        self._held_from: set[tuple[Symbol, str]] = set()
        """Symbols and strategies whose exit was refused for coins that others hold back, and who have been told."""
        self._held_at: dict[str, float] = {}
        """When our newest trade of a currency (on margin: of a symbol) was told; under "" when this life began."""
        self._told_at: dict[tuple[bool, str], float] = {}
        """The same of the venue's newest word on it in this session."""
        self._elsewhere_at: dict[str, float] = {}
        """And on a currency in the account's other wallets."""
        self._bought_ahead: dict[int, frozenset[int]] = {}
        """By a person's sale at market, the purchases that had left when it did: none of later ones is in it."""
        self._unclear: dict[tuple[Symbol, bool], int] = {}
        """In which session it was told of a book that nobody knows whose its coins are."""
        self._unclear_told: set[str] = set()
        """What of rows that cannot be a person was told in this life."""
        self.pairs: PairSpecs = {}
        self.mismatched: dict[Symbol, str] = {}
        """Symbols whose margin position is not what our fills make it, with the difference in words."""
        self._differs: set[Symbol] = set()
        self.last_cid = 0
        self.ghosts_total = 0
        self.doubts_total = 0
        self.dead_total = 0
        self.stale_frames_total = 0
        self.too_old_total = 0
        self.illegal_total = 0
        self._cancel_ghosts = cancel_ghosts
        self._open: dict[int, OrderRow] = {}
        self._by_intent: dict[str, int] = {}
        self._by_venue_id: dict[int, int] = {}
        self._dirty: dict[str, Kept | None] = {}
        self._fence_changed = False
        self._questions_unkept = 0
        """Questions to history since the fence was kept. What is asked changes nothing at the venue, so neither the
        question nor that it failed, nor an answer that tells nothing, waits for the disk: they are kept with what comes
        next, and a life that follows a crash asks anew."""
        self._out = Outputs()
        self._late: dict[int, LateUpdate] = {}
        self._now = 0.0
        self._wall_ms = 0
        self._report_asked_at = 0.0
        self._passed: dict[int, int] = {}
        """Client ids of entries that seem to rest where the market has passed, and how often that was seen."""

    def _is_new_wish(self, correlation_id: str) -> bool:
        """Whether a wish that reaches beyond what there is now is heard for the first time; it counts once.

        A crash between its commit and its acknowledgement brings it again, when what came behind it is there, too.
        """
        if correlation_id in self.wishes.ids:
            return False
        self.wishes.ids = [*self.wishes.ids[1 - WISHES_KEPT :], correlation_id]
        self._dirty[self.wishes.key] = self.wishes
        return True

    def take(self) -> Outputs:
        """What is to be done for all that was heard since the last `take`. See `Outputs` for the order."""
        out, self._out = self._out, Outputs()
        self._foreseen = NOTHING_FORESEEN
        if self.keeps:
            cells, lends = out.cells, self.lends
            for key, row in self._dirty.items():
                if lends and row is not None:
                    cells[key] = LateCell(table=TABLE, key=key, write=partial(encode, row))
                else:
                    cells[key] = self._cell(key, row)
            if self._fence_changed or out.cells or out.records or self._questions_unkept >= QUESTIONS_UNKEPT:
                self.fence.commits += 1
                self.fence.heard = self.fence.commits
                out.number = self.fence.commits
                out.cells["session"] = self._cell("session", self.fence)
                self._questions_unkept = 0
        self._dirty.clear()
        self._fence_changed = False
        return out

    def _cell(self, key: str, row: Kept | Fence | None) -> AnyCell:
        if row is None:
            return CellWrite(table=TABLE, key=key, payload=b"")
        if self.lends:
            return LateCell(table=TABLE, key=key, write=partial(encode, row))
        return CellWrite(table=TABLE, key=key, payload=encode(row))

    def told(self) -> None:
        """All reports taken so far have reached their channel; after a crash they need not be said again."""
        self.fence.reported = self.fence.serial

    def by_intent(self, intent_id: str) -> OrderRow:
        """The row of a known intent. Raises KeyError."""
        return self.orders[self._by_intent[intent_id]]

    def _at(self, now: float, wall_ms: int) -> None:
        self._now, self._wall_ms = now, wall_ms
        self._foreseen = NOTHING_FORESEEN
        if self._late:
            self._settle_late()

    def _move(self, row: OrderRow, event: OrderEvent, reason: str) -> None:
        if self._late:
            self._settle_late_of(row.cid)
        before = row.state
        try:
            row.state = after(before, event)
        except IllegalTransition as error:
            # Our table and the venue disagree. Nothing is lost by keeping the state; somebody should look.
            self.illegal_total += 1
            self._out.alarms.append(("illegal_transition", f"order {row.cid}: {error}"))
            return
        if row.state is not before or event in (E.PART_FILL, E.LAST_FILL, E.NOT_SENT):
            row.reason = reason
            row.withdrawn = event is E.WITHDRAWN
            row.updated_ms = max(row.updated_ms, row.venue_updated_ms)
            self._changed(row)
        else:
            self._touch(row)

    def _end(self, row: OrderRow, event: OrderEvent, reason: str) -> None:
        self._move(row, event, reason)
        if row.open:
            return
        row.check_at = row.request = row.absent_at = row.closing = None
        self._open.pop(row.cid, None)
        self._touch(row)

    def _parts_of(self, intent_id: str) -> list[OrderRow]:
        """The order of an intent, and those that it was cut into besides."""
        rows = [self.orders[self._by_intent[intent_id]]]
        while (cid := self._by_intent.get(f"{intent_id}{PART}{len(rows) + 1}")) is not None:
            rows.append(self.orders[cid])
        return rows

    def _told(self, row: OrderRow) -> OrderUpdate:
        view = view_of(row)
        if view.purpose in CUT and not row.open and view.whole_intent in self._by_intent:
            if any([part.open for part in self._parts_of(view.whole_intent)]):
                view = msgspec.structs.replace(view, others_open=True)
        return OrderUpdate(order=view)

    def _changed(self, row: OrderRow) -> None:
        serial = row.serial = self.fence.serial = self.fence.serial + 1
        if self._tells_late and row.state not in TERMINAL_STATES:
            # One that is open is told as it is, whatever became of other parts of its intent.
            late = LateUpdate(partial(_told_open, row))
            self._late[row.cid] = late
            self._out.said.append(late)
            write: Callable[[], bytes] = partial(_encode_late, late)
        else:
            update = self._told(row)
            self._out.said.append(update)
            write = partial(encode, update)
        if self.keeps:
            key = f"{row.cid}:{serial}"
            correlation_id = row.intent.correlation_id
            self._out.records.append(
                LateRecord(kind="OrderUpdate", key=key, write=write, correlation_id=correlation_id, at_ms=self._wall_ms)
            )
        self._touch(row)

    def _settle_late(self) -> None:
        """Anything may change now: say what it was."""
        for cid in list(self._late):
            self._settle_late_of(cid)

    def _settle_late_of(self, cid: int) -> None:
        """This order is about to change again: say what it was."""
        late = self._late.pop(cid, None)
        if late is not None:
            late.update  # noqa: B018 - it is made by being looked at

    def _touch(self, row: OrderRow) -> None:
        if self.keeps:
            self._dirty[row.key] = row

    def _record(self, kind: str, key: str, told: msgspec.Struct, correlation_id: str, at_ms: int) -> None:
        if self.keeps:
            self._out.records.append(late_record(kind, key, told, correlation_id, at_ms))

    def _emit(self, outgoing: Outgoing) -> None:
        self._out.commands.append(outgoing)

    def _want_history(self, *, soon: bool = False) -> None:
        self.fence.want_history(self._now, gap_s=SOON_S if soon else HISTORY_GAP_S)

    def _doubt(self, row: OrderRow, why: str) -> None:
        self.doubts_total += 1
        self._move(row, E.DOUBT, why)
        row.check_at = self._now + self._doubted_for(row)
        row.request = None
        self._want_history(soon=self._urgent(row))

    def _urgent(self, row: OrderRow) -> bool:
        """True of an order without which a position may lie bare: its doubt is resolved as soon as can be."""
        return False

    def _answer_within(self, row: OrderRow) -> float:
        """Seconds after which an order without any answer is in doubt."""
        return self.settings.doubt_after_s

    def _expect_end(self, row: OrderRow) -> None:
        """It rests at the venue: nothing of it is due."""
        row.check_at = None

    def _from_before(self, row: OrderRow, quantity: Decimal) -> Decimal:
        """How much of what an order has just sold were coins that none of our trades had bought."""
        return ZERO

    def _doubted_for(self, row: OrderRow) -> float:
        """Seconds of doubt after which a new session is asked for."""
        return 3 * self.settings.doubt_after_s

    def _forget(self, since_ms: int, trades_since_ms: int) -> None:
        """Let go of orders that ended, and of trades that happened, before anything that the venue will be asked about
        again."""
        fence = self.fence
        if since_ms <= fence.floor_ms and trades_since_ms <= fence.trades_from_ms:
            return
        fence.trades_floor_ms = max(fence.trades_from_ms, trades_since_ms)
        fence.floor_ms = max(fence.floor_ms, since_ms)
        self.let_go(fence.floor_ms, trades_before_ms=fence.trades_floor_ms, orders=ORDERS_KEPT, fills=FILLS_KEPT)

    def let_go(self, before_ms: int, *, trades_before_ms: int, orders: int, fills: int) -> None:
        """Let go of what ended or traded before that time, oldest first, until so many orders and trades are left."""
        for fill in self.fills.forget_before(trades_before_ms, fills):
            if not self.keeps:
                continue
            self._dirty[fill.key] = None
            if fill.fill is not None and not fill.fill.foreign:
                symbol = fill.fill.symbol
                opening = self.openings.get(symbol, Opening(symbol=symbol)).with_fill(fill.fill)
                self.openings[symbol] = self._dirty[opening_key(symbol)] = opening
        spare = len(self.orders) - orders
        if spare <= 0:
            return
        for row in [row for row in self.orders.values() if not row.open and row.updated_ms < before_ms][:spare]:
            del self.orders[row.cid]
            self._by_intent.pop(row.intent.intent_id, None)
            for venue_id in (row.venue_id, *row.linked_ids):
                if venue_id is not None:
                    self._by_venue_id.pop(venue_id, None)
            if self.keeps:
                self._dirty[row.key] = None
