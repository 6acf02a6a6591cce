"""What a world of brackets counts, and words of its venue that are the same in each."""

from typing import Any

import attrs

from genesis.domain.venue import Venue
from protocols.orders import RequestNotice, VenuePosition
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
