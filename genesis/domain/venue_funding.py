"""Funding at the simulated venue: offers are taken, kept and given back; nobody ever takes one.

Recordings hold no funding market, so an offer rests until it is cancelled. What it lends is held back in the funding
wallet, so balances and refusals are those of the venue.
"""

from decimal import Decimal
from typing import Final

from genesis.domain.venue_state import FUNDING, Account, Offer
from protocols.bitfinex.inputs import NewOffer
from protocols.funding import FundingOffer
from protocols.units import plain, round_amount

SMALLEST_OFFER: Final = Decimal("0.00000001")
LARGEST_RATE: Final = Decimal("0.07")
"""Per day: 7 %."""


class OfferRefused(Exception):
    """The venue's words for an offer it does not take."""


def place_offer(account: Account, request: NewOffer, offer_id: int, now_ms: int) -> Offer:
    """Take an offer in. Raises OfferRefused."""
    amount = round_amount(request.amount)
    if not 0 <= request.rate <= LARGEST_RATE:
        raise OfferRefused("rate: invalid")
    if abs(amount) < SMALLEST_OFFER:
        raise OfferRefused("amount: invalid")
    if amount > 0:
        wallet = account.wallet(FUNDING, request.symbol[1:])
        if amount > wallet.available:
            text = f"not enough funding balance for {plain(amount)} {request.symbol[1:]}"
            raise OfferRefused(f"Invalid offer: {text}")
        wallet.locked += amount
    offer = Offer(
        offer_id=offer_id,
        symbol=request.symbol,
        created_ms=now_ms,
        updated_ms=now_ms,
        amount=amount,
        original=amount,
        wire_type=request.wire_type,
        flags=request.flags,
        status="ACTIVE",
        rate=request.rate,
        period=request.period,
    )
    account.offers[offer_id] = offer
    return offer


def end_offer(account: Account, offer: Offer, now_ms: int) -> None:
    """Give an offer back."""
    del account.offers[offer.offer_id]
    if offer.amount > 0:
        account.wallet(FUNDING, offer.symbol[1:]).locked -= offer.amount
    offer.status, offer.updated_ms = "CANCELED", now_ms


def told(offer: Offer, event: str) -> FundingOffer:
    """An offer as a message: fon, foc, or fos."""
    return FundingOffer(
        event=event,
        session=0,
        venue_id=offer.offer_id,
        symbol=offer.symbol,
        created_ms=offer.created_ms,
        updated_ms=offer.updated_ms,
        remaining=offer.amount,
        original=offer.original,
        wire_type=offer.wire_type,
        flags=offer.flags,
        status=offer.status,
        rate=offer.rate,
        period=offer.period,
        hidden=bool(offer.flags & 64),
        renew=False,
        received_ns=0,
    )


def submitting_offer(offer: Offer) -> str:
    """`Submitting funding offer of 500.0 UST at 2.000 for 2 days.`"""
    amount = plain(abs(offer.amount))
    rate = plain(round(offer.rate * 100, 5))
    word = "offer" if offer.amount > 0 else "bid"
    return f"Submitting funding {word} of {amount} {offer.symbol[1:]} at {rate} for {offer.period} days."
