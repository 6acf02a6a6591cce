"""A narrow session's line: REST, where the socket alone is away. Its snapshot is a question, its commands are requests.

It is numbered and ended as any other session, one line at a time, so nothing that was decided for it can leave by
another. A request is marked in the ledger when it is signed, just before its first byte. What became of it:

- the venue's answer to this very request: `CommandSent` and the order, or its refusal;
- proven that nothing was done (no byte left, or the venue says `nonce: small`, too many requests, maintenance):
  `CommandNotSent`, and it may leave yet;
- anything else, a lost answer included: `CommandInDoubt`, and never a second request of the same order.

The answer to a cancel only says that it was taken: the row in it may name an end that has not come, and is not told.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeGuard

import attrs
import msgspec
import trio

from genesis.core.clock import Clock
from genesis.core.latest import Latest
from genesis.edge.command_fates import KINDS, in_doubt, not_sent, sent
from genesis.edge.errors import EdgeError, RequestFailed
from genesis.edge.rest import RestDoor
from genesis.edge.send_ledger import SendLedger
from protocols.bitfinex import rest_requests
from protocols.bitfinex.account import read_notice
from protocols.bitfinex.errors import (
    ERR_GENERIC,
    ERR_PARAMS,
    AuthFailed,
    BitfinexError,
    Maintenance,
    MalformedFrame,
    NonceTooSmall,
    RateLimited,
    VenueError,
)
from protocols.bitfinex.rest_account import read_orders, read_write_answer
from protocols.orders import (
    AccountEvent,
    CancelOrder,
    OrderSnapshot,
    RequestNotice,
    SessionUp,
    SubmitOrder,
    UnclearRow,
    VenueCommand,
    VenueOrder,
)
from protocols.trading import OrdersView

AWAY_S: Final = 2.0
"""When no socket has been up for so long in one piece, what makes positions safer leaves over REST in the pauses
between two dials."""
NARROW_EVERY_S: Final = 10.0
"""A narrow session costs five requests or so, of some seventy a minute."""
NARROW_STAY_S: Final = 4.0
"""And lasts so long at least: time to be compared, and for stops to be answered. Where its first request took longer
than usual, `STAY_TIMES` as long as that: five more of them, and a stop, come one after the other. At most
`LONGEST_STAY_S`, because nothing is dialled meanwhile; and not longer than until the next dial once the order actor has
compared its books, nothing lacks a stop, and no close is under way; one that is is waited for, up to the longest."""
STAY_TIMES: Final = 8
LONGEST_STAY_S: Final = 30.0
OPENING_S: Final = 5.0
SUBMIT_S: Final = 8.0
"""A stop that has no answer for so long is in doubt, or, where it was still waiting for its turn, did not leave."""
REFUSALS: Final = frozenset({ERR_GENERIC, ERR_PARAMS})
"""The venue's refusals of an order, when it does not say them in a notification."""
NOTHING_DONE: Final = (NonceTooSmall, RateLimited, Maintenance)
NO_PERMISSION: Final = "api_key: permission invalid"
NS: Final = 1_000_000_000

Carried = SubmitOrder | CancelOrder
"""What a session over REST takes: what may leave on it is the order actor's to know."""


@attrs.define(eq=False)
class NarrowLine:
    """One narrow session. `first_words` are for the order actor; `over` is set by whoever wants it to end early."""

    session: int
    door: RestDoor
    ledger: SendLedger
    clock: Clock
    first_words: tuple[AccountEvent, ...]
    stay_s: float = NARROW_STAY_S
    key_refused: str = ""
    """The venue's words, when it says that this key may not do what was asked: then the session is over."""
    over: trio.Event = attrs.field(factory=trio.Event)
    _carried: trio.Event | None = attrs.field(default=None, init=False)

    def takes(self, command: VenueCommand) -> TypeGuard[Carried]:
        """Whether this command may leave on this session. If not, not one byte of it does."""
        return isinstance(command, Carried) and command.session == self.session and not self.over.is_set()

    async def carry(self, command: Carried) -> list[AccountEvent]:
        """Have the venue place or cancel an order of this session, once, and say what came of it."""
        self._carried = trio.Event()
        if isinstance(command, SubmitOrder):
            request = rest_requests.submit_order(command)
        else:
            request = rest_requests.cancel_order(command)
        try:
            with trio.fail_after(SUBMIT_S):
                answer = await self.door.ask(request, exact=True, leaving=lambda: self._marks(command))
            told = self._answered(command, answer)
        except (EdgeError, BitfinexError, trio.TooSlowError) as error:
            told = [self._failed(command, error)]
            if isinstance(error, VenueError) and error.code in REFUSALS and not self.key_refused:
                told = [*sent(command, self.clock.now_ns()), self._refusal(command, error)]
        return told

    async def lasts(self, dial_at: float, books: Latest[OrdersView] | None) -> None:
        """Until the next dial, and longer where a stop may have to leave, or a close is under way. `books` are the
        order actor's."""
        now = self.clock.now()
        with trio.move_on_at(dial_at):
            await self.over.wait()
        await self._lasts_until(max(dial_at, now + self.stay_s), books, self._is_covered)
        if books is not None:
            await self._lasts_until(max(dial_at, now + LONGEST_STAY_S), books, self._is_done)
        self.over.set()

    async def _lasts_until(
        self, at: float, books: Latest[OrdersView] | None, enough: Callable[[OrdersView], bool]
    ) -> None:
        """Until then, or until what the books say is enough."""
        if self.over.is_set():
            return
        with trio.move_on_at(at):
            async with trio.open_nursery() as nursery:
                if books is not None:
                    nursery.start_soon(self._ends_when, books, enough)
                await self.over.wait()
                nursery.cancel_scope.cancel()

    async def _ends_when(self, books: Latest[OrdersView], enough: Callable[[OrdersView], bool]) -> None:
        seen = books.value
        while not enough(seen):
            seen = await books.changed(books.version)
        self.over.set()

    def _is_covered(self, seen: OrdersView) -> bool:
        return seen.session == self.session and seen.compared and not (seen.waits_for_stops or seen.under_way)

    def _is_done(self, seen: OrdersView) -> bool:
        return seen.session != self.session or not seen.under_way

    def told(self) -> None:
        """What came of the command in hand has been said."""
        if self._carried is not None:
            self._carried.set()

    @property
    def has_carried(self) -> bool:
        """Whether anything was asked of it."""
        return self._carried is not None

    async def last_command(self) -> None:
        """Wait until nothing is in hand any more."""
        if self._carried is not None:
            await self._carried.wait()

    def _marks(self, command: Carried) -> None:
        self.ledger.begin(KINDS[type(command)], command.cid, command)

    def _answered(self, command: Carried, answer: Any) -> list[AccountEvent]:
        kind = KINDS[type(command)]
        if isinstance(command, CancelOrder):
            orders: tuple[VenueOrder, ...] = ()
            notice = read_notice(answer, session=self.session, received_ns=self.clock.now_ns())
            named = notice.venue_id in (None, command.venue_id) or command.venue_id is None
        else:
            written = read_write_answer(answer, session=self.session, received_ns=self.clock.now_ns())
            orders, notice = written.orders, written.notice
            named = notice.cid in (None, command.cid) or any(order.cid == command.cid for order in orders)
            named = named and (not written.accepted or bool(orders))
        if notice.kind != f"{kind}-req" or not named:
            raise MalformedFrame(f"answer must be of order {command.cid}, was {notice.kind} of {notice.cid}")
        self.ledger.sent(kind, command.cid, command)
        if notice.cid is None and notice.status != "SUCCESS":
            # It answers this request, whether it repeats the order's number or not.
            notice = msgspec.structs.replace(notice, cid=command.cid)
        return [*sent(command, self.clock.now_ns()), *orders, notice]

    def _failed(self, command: Carried, error: Exception) -> AccountEvent:
        kind, reason = KINDS[type(command)], f"{type(error).__name__}: {error}"
        if self.ledger.past(kind, command.cid, command, once=kind == "on") is None:
            return not_sent(command, reason)[0]
        refused = refuses_key(error)
        if refused:
            self.key_refused = str(error)
            self.over.set()
        if refused or isinstance(error, NOTHING_DONE) or (isinstance(error, RequestFailed) and not error.sent):
            self.ledger.withdraw(kind, command.cid)
            return not_sent(command, reason, paused=refused or isinstance(error, Maintenance))[0]
        return in_doubt(command, reason)[0]

    def _refusal(self, command: Carried, error: VenueError) -> RequestNotice:
        refusal = RequestNotice(
            session=self.session,
            kind=f"{KINDS[type(command)]}-req",
            status="ERROR",
            text=error.text,
            cid=command.cid,
            venue_id=None,
            received_ns=self.clock.now_ns(),
            code=error.code,
        )
        if isinstance(command, CancelOrder):
            return msgspec.structs.replace(refusal, venue_id=command.venue_id)
        about = {"symbol": command.symbol, "amount": command.amount, "group_id": command.group_id}
        return msgspec.structs.replace(refusal, **about)


def refuses_key(error: Exception) -> bool:
    """Whether the venue did nothing, and will do nothing, because of the key: unknown, badly signed, without rights."""
    if isinstance(error, AuthFailed):
        return True
    return isinstance(error, VenueError) and error.code == ERR_GENERIC and NO_PERMISSION in error.text


async def wait_for_need(books: Latest[OrdersView], dial_at: float) -> None:
    """Wait until anything may need a stop, or the next dial. Version 0 says nothing yet: then something may."""
    with trio.move_on_at(dial_at):
        while books.version > 0 and not books.value.may_need_stops:
            await books.changed(books.version)


async def open_narrowly(
    door: RestDoor, ledger: SendLedger, clock: Clock, number: Callable[[], Awaitable[int]]
) -> NarrowLine | None:
    """A session that begins with the account's open orders, numbered when they are here.

    None where REST is away, too, or the venue closed: then nobody could place anything. Raises VenueError where the
    venue refuses the key.
    """
    unclear: list[UnclearRow] = []
    began = clock.now()
    try:
        with trio.fail_after(OPENING_S):
            answer = await door.ask(rest_requests.open_orders(), exact=True)
        now_ns = clock.now_ns()
        session = await number()
        orders = read_orders(answer, session=session, received_ns=now_ns, unclear=unclear)
    except (EdgeError, BitfinexError, trio.TooSlowError) as error:
        if refuses_key(error):
            raise
        return None
    words = (
        SessionUp(session=session, user_id=0, received_ns=now_ns, narrow=True),
        OrderSnapshot(session=session, orders=orders, received_ns=now_ns, unclear=tuple(unclear)),
    )
    stay_s = min(max(NARROW_STAY_S, STAY_TIMES * (now_ns / NS - began)), LONGEST_STAY_S)
    return NarrowLine(session, door, ledger, clock, words, stay_s)
