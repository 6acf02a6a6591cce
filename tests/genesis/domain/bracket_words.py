"""What a world of brackets counts, and words of its venue that are the same in each."""

from typing import Any

import attrs

from genesis.domain.bracket import GUARDS, kind_of
from genesis.domain.order_machine import OrderMachine
from genesis.domain.venue import Venue
from protocols.orders import (
    CancelOrder,
    OrderType,
    RequestNotice,
    SubmitOrder,
    VenueCommand,
    VenuePosition,
    commands_of,
)
from protocols.units import ZERO

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
        sizes = {each.lot: each.quantity or ZERO for each in machine.brackets.values() if each.book == name[:2]}
        held = sizes.pop(row.lot, ZERO)
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
