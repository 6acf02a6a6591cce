"""What a world of brackets counts, and words of its venue that are the same in each."""

from typing import Any

import attrs

from genesis.domain.bracket import GUARDS, kind_of
from genesis.domain.order_machine import OrderMachine
from genesis.domain.venue import Venue
from protocols.orders import RequestNotice, SubmitOrder, VenueCommand, VenuePosition, commands_of
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
    """Stops that were submitted over REST."""
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
        held = sum(
            (each.quantity or ZERO for each in machine.brackets.values() if (*each.book, each.lot) == name), ZERO
        )
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
        assert not held or told < held, (
            f"stop {row.cid} leaves beside {[each.cid for each in beside]}: {told} of {held}"
        )
