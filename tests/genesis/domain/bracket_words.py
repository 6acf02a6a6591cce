"""What a world of brackets counts, and words of its venue that are the same in each."""

from decimal import Decimal
from typing import Any

import attrs

from genesis.domain.bracket import GUARDS, kind_of
from genesis.domain.order_holdings import Book
from genesis.domain.order_machine import OrderMachine
from genesis.domain.venue import Venue
from protocols.orders import (
    CancelOrder,
    CommandBatch,
    OrderType,
    RequestNotice,
    SubmitOrder,
    VenueCommand,
    VenuePosition,
    VenueWallet,
    commands_of,
)
from protocols.units import ZERO, Side

ACCOUNT = "sim"


@attrs.define
class Figures:
    """What a world went through."""

    process_kills: int = 0
    actor_kills: int = 0
    faults: int = 0
    orders: int = 0
    trades: int = 0
    batches: int = 0
    """Frames of several commands."""
    by_rest: int = 0
    """Orders that were submitted, and cancels that were asked for, over REST."""
    closes_by_rest: int = 0
    """Sales that close among them."""
    naked_s: list[float] = attrs.Factory(list)
    recovery_s: list[float] = attrs.Factory(list)


@attrs.define
class Crossings:
    """Sales that left in one frame with the cancel of their stop, and met two things that nobody had told before the
    frame was decided: the stop had traded, and a stranger had taken out one of other coins. The venue then takes the
    sale for those coins, whose owner nobody has chosen."""

    taken: set[int] = attrs.Factory(set)
    """Client ids of the orders that strangers cancelled."""
    believed: dict[int, frozenset[int]] = attrs.Factory(dict)
    """By the client id of what a frame places: the orders that were open by all that had been told by then."""
    sales: set[int] = attrs.Factory(set)
    """Client ids of the sales that have crossed so."""

    def decide(self, machine: OrderMachine, command: VenueCommand) -> None:
        if isinstance(command, CommandBatch):
            believed = frozenset(row.cid for row in machine.orders.values() if row.open)
            self.believed |= {part.cid: believed for part in command.commands if isinstance(part, SubmitOrder)}

    def arrive(self, venue: Venue, frame: CommandBatch) -> None:
        leaving = {part.cid for part in frame.commands if isinstance(part, CancelOrder)}
        resting = {order.cid for order in venue.accounts[ACCOUNT].orders.values()}
        traded = {trade.cid for trade in venue.history(ACCOUNT).trades} & leaving - resting
        for part in frame.commands:
            believed = self.believed.get(part.cid, frozenset())
            if traded & believed and self.taken & believed - leaving:
                self.sales.add(part.cid)


def refusal(cid: int) -> Any:
    return RequestNotice(
        session=0, kind="on-req", status="ERROR", text="refused", cid=cid, venue_id=None, received_ns=0
    )


def account_positions(venue: Venue) -> list[VenuePosition]:
    return [
        VenuePosition(
            session=0,
            symbol=position.symbol,
            status="ACTIVE",
            amount=position.amount,
            base_price=position.base_price,
            margin_funding=ZERO,
            position_id=position.position_id,
            received_ns=0,
        )
        for position in venue.accounts[ACCOUNT].positions.values()
    ]


def account_wallets(venue: Venue, session: int) -> list[VenueWallet]:
    return [
        VenueWallet(
            session=session,
            wallet_type=key.split()[0],
            currency=key.split()[1],
            balance=wallet.balance,
            available=None,
            received_ns=0,
        )
        for key, wallet in venue.accounts[ACCOUNT].wallets.items()
    ]


def check_beside(machine: OrderMachine, command: VenueCommand) -> None:
    """A stop leaves on a compared socket only where those of its lot, that rest or may come to rest, leave something
    bare. What is taken out, lost or swapped counts no more."""
    if not machine.fence.ready:
        return
    for part in commands_of(command):
        row = machine.orders[part.cid]
        if not isinstance(part, SubmitOrder) or not row.protects or kind_of(row.intent) not in GUARDS:
            continue
        name = row.intent.symbol, row.intent.margin, row.lot
        lots = [each for each in machine.brackets.values() if each.book == name[:2]]
        held = sum([each.quantity or ZERO for each in lots if each.lot == row.lot], ZERO)
        sizes = _left_behind_sales(machine, name[:2], row.intent.side)
        sizes.pop(row.lot, None)
        # What is too small for a stop of its own lies with the largest lot, beside an order that is full, should it be.
        pair = machine.pairs.get(row.intent.symbol)
        dust = sum([each for each in sizes.values() if pair is not None and each < pair.minimum], ZERO)
        beside = [
            each
            for each in machine.orders.values()
            if each.open
            and each is not row
            and each.protects
            and (each.intent.symbol, each.intent.margin, each.lot) == name
            and each.intent.side is row.intent.side
            and kind_of(each.intent) in GUARDS
            and not (each.is_lost or each.cancel_reason is not None or each.closing is not None or each.swapped)
        ]
        told = sum((each.leaves for each in beside), ZERO)
        assert not held or told < held + dust, (
            f"stop {row.cid} leaves beside {[each.cid for each in beside]}: {told} of {held + dust}"
        )


def _left_behind_sales(machine: OrderMachine, book: Book, side: Side) -> dict[str, Decimal]:
    """What is left to each lot of a book; of one whose exit is under way what that leaves, were it only dust."""
    lots = [each for each in machine.brackets.values() if each.book == book]
    sizes = {each.lot: each.quantity or ZERO for each in lots}
    for sale in machine.orders.values():
        if (
            sale.open
            and not (sale.protects or sale.opens_risk)
            and (sale.intent.symbol, sale.intent.margin) == book
            and sale.intent.side is side
        ):
            left = sale.leaves
            for lot in lots:
                if lot.strategy == sale.intent.strategy:
                    taken = min(sizes[lot.lot], left)
                    sizes[lot.lot], left = sizes[lot.lot] - taken, left - taken
    return sizes


def check_over_rest(machine: OrderMachine, command: SubmitOrder | CancelOrder) -> None:
    """Over REST nothing leaves that opens, or rests to close; and a stop goes only for a sale that can leave."""
    row = machine.orders[command.cid]
    if isinstance(command, SubmitOrder):
        closes = not row.opens_risk and row.intent.order_type is OrderType.MARKET
        assert row.protects or closes, f"order {command.cid} left over REST and neither protects nor closes"
        return
    book = row.intent.symbol, row.intent.margin
    wished = any(book in flatten.books for flatten in machine.flattens.values())
    waits = any(
        each.held_back and each.open and (each.intent.symbol, each.intent.margin) == book
        for each in machine.orders.values()
    )
    assert not row.protects or wished or waits, f"stop {command.cid} is taken out over REST, and nobody sells"
