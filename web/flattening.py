"""What came of a wish to flatten: whoever asked for it wants to hear that it is done, and not that it was begun."""

import math
from decimal import Decimal
from typing import Final

import attrs
import trio

from genesis.core.clock import Clock
from protocols.orders import TERMINAL_STATES, OrderView, Purpose
from protocols.trading import FlattenView
from protocols.units import ZERO, plain
from web.readers import Readers

LOOK_AGAIN_S: Final = 0.05
_OPENS: Final = frozenset({Purpose.ENTRY, Purpose.MANUAL})
_LEAST: Final = Decimal("0.00000001")


@attrs.frozen
class Left:
    """What is left of what was to be closed, and what was opened since; amounts are signed base. Behind the end of a
    recording nothing trades: what is held then stays."""

    is_done: bool
    open_orders: int
    held: dict[str, Decimal]
    opened_since: dict[str, Decimal]
    given_up: tuple[str, ...] = ()
    recording_over: bool = False

    @property
    def is_nothing(self) -> bool:
        return self.is_done and not (self.open_orders or self.held)

    @property
    def text(self) -> str:
        """In a sentence. One of trouble does not say what to look at: who is told knows where he sits."""
        if self.is_nothing and not self.opened_since:
            return "done: no order is open and nothing is held"
        if self.is_nothing:
            since = ", ".join(
                f"{plain(amount)} {name}" if amount else f"an order in {name}"
                for name, amount in self.opened_since.items()
            )
            return f"done: what was open and held is closed; trading goes on, and has opened since then: {since}"
        held = ", ".join(f"{plain(amount)} {name}" for name, amount in self.held.items()) or "nothing"
        ends = f"given up after three tries: {', '.join(self.given_up)}" if self.given_up else "it goes on"
        if self.recording_over:
            ends = "the recording is over, nothing trades any more"
        return f"open orders: {self.open_orders}, held: {held}; {ends}"


def wish_of(readers: Readers, flatten_id: str) -> FlattenView | None:
    """None: nobody has heard it yet, or it is older than those that are told of."""
    return next((each for each in readers.flattens() if each.flatten_id == flatten_id), None)


def left_of(readers: Readers, flatten_id: str, symbol: str | None) -> Left:
    """Whether the account is flat is not the question: strategies trade on, and buy again when they see fit. As long as
    the wish is under way they cannot, so until it is done all that there is is left of it. Nor is it done while nobody
    has heard it: what the order actor has not come to yet may open something."""
    wish = wish_of(readers, flatten_id)
    ours = [order for order in readers.orders() if not order.foreign and symbol in (None, order.symbol)]
    newest = math.inf if wish is None or wish.left else wish.last_cid
    since = {order.symbol for order in ours if order.cid > newest and order.purpose in _OPENS and _did_come(order)}
    if wish is not None:
        since -= {*wish.given_up}
    account, replay = readers.account(), readers.status().replay
    positions = account.positions if account is not None else ()
    held = {
        str(each.symbol): each.quantity
        for each in positions
        if abs(each.quantity) >= _LEAST and symbol in (None, each.symbol)
    }
    is_open = [order for order in ours if order.state not in TERMINAL_STATES]
    return Left(
        is_done=wish is not None and not wish.left,
        open_orders=sum(order.cid <= newest or order.symbol not in since for order in is_open),
        held={name: quantity for name, quantity in held.items() if name not in since},
        opened_since={name: held.get(name, ZERO) for name in sorted(since)},
        given_up=() if wish is None else tuple(map(str, wish.given_up)),
        recording_over=replay is not None and replay.done,
    )


def _did_come(order: OrderView) -> bool:
    """Whether it has brought something, or may yet."""
    return order.filled_quantity > 0 or order.state not in TERMINAL_STATES


async def left_within(
    readers: Readers, clock: Clock, flatten_id: str, symbol: str | None, wait_s: float
) -> tuple[Left, float]:
    """What is left once nothing is, or after `wait_s`; and how long was looked for it, in seconds."""
    started = clock.now()
    while True:
        left = left_of(readers, flatten_id, symbol)
        waited_s = clock.now() - started
        if left.is_nothing or waited_s >= wait_s:
            return left, waited_s
        await trio.sleep(LOOK_AGAIN_S)


async def ended_within(readers: Readers, clock: Clock, flatten_id: str, wait_s: float) -> float:
    """Wait until a wish is done or nobody closes what is left of it, for `wait_s` at most; how long that took."""
    started = clock.now()
    while True:
        wish = wish_of(readers, flatten_id)
        waited_s = clock.now() - started
        if waited_s >= wait_s or (wish is not None and _is_over(readers, wish)):
            return waited_s
        await trio.sleep(LOOK_AGAIN_S)


def _is_over(readers: Readers, wish: FlattenView) -> bool:
    return not wish.left and (bool(wish.given_up) or left_of(readers, wish.flatten_id, wish.symbol).is_nothing)
