"""Funding at the simulated venue: offers, loans, and what their rows say of them.

A lender's money stays in his funding wallet and is held back there, first for the offer, then for the loan. What a
borrower takes never enters a wallet: it is there for positions, and costs interest.
"""

from decimal import Decimal
from typing import Final

from genesis.domain.venue_state import FUNDING, Account, Loan, Offer
from protocols.bitfinex.inputs import NewOffer
from protocols.funding import FundingInfo, FundingLoan, FundingOffer
from protocols.units import ZERO, plain, round_amount

SMALLEST_OFFER: Final = Decimal("0.00000001")
LARGEST_RATE: Final = Decimal("0.07")
"""Per day: 7 %."""
DAY_MS: Final = 86_400_000
RATE_STEP: Final = Decimal("0.00000001")
VARIABLE: Final = "FRRDELTAVAR"
FLASH_TYPES: Final = (VARIABLE, "FRRDELTAFIX")
"""Offers whose rate is a distance from the flash return rate (0: that rate itself)."""


class OfferRefused(Exception):
    """The venue's words for an offer it does not take."""


def place_offer(account: Account, request: NewOffer, offer_id: int, now_ms: int, *, renew: bool = False) -> Offer:
    """Take an offer in. Raises OfferRefused."""
    amount = round_amount(request.amount)
    least = -LARGEST_RATE if request.wire_type in FLASH_TYPES else ZERO
    if not least <= request.rate <= LARGEST_RATE:
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
        renew=renew,
    )
    account.offers[offer_id] = offer
    return offer


def end_offer(account: Account, offer: Offer, now_ms: int) -> None:
    """Give an offer back, or what was not taken of it."""
    del account.offers[offer.offer_id]
    if offer.amount > 0:
        account.wallet(FUNDING, offer.symbol[1:]).locked -= offer.amount
    was = f" was: PARTIALLY FILLED at {plain(offer.rate)}" if offer.amount != offer.original else ""
    offer.status, offer.updated_ms = f"CANCELED{was}", now_ms


def real_rate(offer: Offer, flash_rate: Decimal) -> Decimal:
    """A day, at which an offer lends now."""
    return max(RATE_STEP, flash_rate + offer.rate) if offer.wire_type in FLASH_TYPES else offer.rate


def interest(loan: Loan, until_ms: int) -> Decimal:
    """What a loan has earned since it was last paid for."""
    return round_amount(loan.amount * loan.rate * max(until_ms - loan.last_payout_ms, 0) / DAY_MS)


def funding_info(account: Account, symbol: str, *, session: int = 0) -> FundingInfo:
    """The mean rate and duration (days) of what is borrowed and of what is lent, weighted by amount."""
    numbers: dict[int, tuple[Decimal, Decimal]] = {}
    for side in (-1, 1):
        loans = [loan for loan in account.loans.values() if loan.symbol == symbol and loan.side == side]
        total = sum((loan.amount for loan in loans), ZERO)
        rate = sum((loan.amount * loan.rate for loan in loans), ZERO)
        period = sum((loan.amount * loan.period for loan in loans), ZERO)
        numbers[side] = (round(rate / total, 12), round(period / total, 8)) if total else (ZERO, ZERO)
    return FundingInfo(
        session=session,
        symbol=symbol,
        yield_loan=numbers[-1][0],
        yield_lend=numbers[1][0],
        duration_loan=numbers[-1][1],
        duration_lend=numbers[1][1],
        received_ns=0,
    )


def told(offer: Offer, event: str) -> FundingOffer:
    """An offer as a message: fon, fou, foc, or fos."""
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
        renew=offer.renew,
        received_ns=0,
    )


def loan_told(loan: Loan, event: str) -> FundingLoan:
    """A loan as a message: `n`, `u` or `c` behind fl (unused) or fc (used by a position)."""
    return FundingLoan(
        event=event,
        session=0,
        venue_id=loan.loan_id,
        symbol=loan.symbol,
        side=loan.side,
        created_ms=loan.opened_ms,
        updated_ms=loan.updated_ms,
        amount=loan.amount,
        flags=loan.flags,
        status=loan.status,
        rate_type=loan.rate_type,
        rate=loan.rate,
        period=loan.period,
        opened_ms=loan.opened_ms,
        last_payout_ms=loan.last_payout_ms,
        hidden=bool(loan.flags & 64),
        renew=False,
        no_close=loan.no_close,
        position_pair=loan.position_pair,
        received_ns=0,
    )


def loan_event(loan: Loan, letter: str) -> str:
    """`fcn` of a new credit, `flc` of an unused loan that ended."""
    return f"f{'l' if loan.position_pair is None else 'c'}{letter}"


def submitting_offer(offer: Offer) -> str:
    """`Submitting funding offer of 500.0 UST at 2.000 for 2 days.`"""
    amount = plain(abs(offer.amount))
    rate = plain(round(offer.rate * 100, 5))
    word = "offer" if offer.amount > 0 else "bid"
    return f"Submitting funding {word} of {amount} {offer.symbol[1:]} at {rate} for {offer.period} days."
