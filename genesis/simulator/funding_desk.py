"""Funding offers over the wire: places and ends them, and tells the sockets of whose they are."""

from typing import TYPE_CHECKING, Any, Final

from genesis.domain.venue_funding import OfferRefused, end_offer, place_offer, submitting_offer, told
from genesis.domain.venue_state import Account
from protocols.bitfinex.account import notice_row
from protocols.bitfinex.funding_rows import OFFER_LENGTH, offer_row
from protocols.bitfinex.inputs import EndOffer, NewOffer

if TYPE_CHECKING:
    from genesis.simulator.account_side import AccountSide

FIRST_OFFER_ID: Final = 41_000_001


class FundingDesk:
    """Answers are notification rows; the frames of the offers themselves go to all sockets of the account."""

    def __init__(self, side: "AccountSide") -> None:
        self.side = side

    def place(self, name: str, request: NewOffer) -> list[Any]:
        """Raises OfferRefused."""
        venue, now_ms = self.side.venue, self.side.venue_ms()
        ids = [offer.offer_id for each in venue.accounts for offer in venue.history(each).offers]
        ids += [offer_id for account in venue.accounts.values() for offer_id in account.offers]
        offer = place_offer(venue.accounts[name], request, max(ids, default=FIRST_OFFER_ID - 1) + 1, now_ms)
        row = offer_row(told(offer, "fon"))
        self.side.changed(name, "fon", row, offer.symbol)
        return notice_row("fon-req", row, "SUCCESS", submitting_offer(offer), time=now_ms)

    def end(self, name: str, venue_id: int) -> list[Any] | None:
        """None for an offer that is not open."""
        account, now_ms = self.side.venue.accounts[name], self.side.venue_ms()
        offer = account.offers.get(venue_id)
        if offer is None:
            return None
        end_offer(account, offer, now_ms)
        self.side.venue.history(name).offers.append(offer)
        row = offer_row(told(offer, "foc"))
        self.side.changed(name, "foc", row, offer.symbol)
        text = f"Submitted for cancellation; waiting for confirmation (ID: {venue_id})."
        return notice_row("foc-req", row, "SUCCESS", text, time=now_ms)

    def operate(self, name: str, request: NewOffer | EndOffer) -> list[Any]:
        """The notification that answers an input of channel 0."""
        now_ms = self.side.venue_ms()
        if isinstance(request, EndOffer):
            answer = self.end(name, request.venue_id)
            row: list[Any] = [None] * OFFER_LENGTH
            row[0] = request.venue_id
            return answer or notice_row("foc-req", row, "ERROR", "Offer not found.", time=now_ms)
        try:
            return self.place(name, request)
        except OfferRefused as refusal:
            row = [None] * OFFER_LENGTH
            row[1], row[4], row[6], row[14:16] = (
                request.symbol,
                request.amount,
                request.wire_type,
                [request.rate, request.period],
            )
            return notice_row("fon-req", row, "ERROR", str(refusal), time=now_ms)

    def snapshot(self, account: Account) -> list[list[Any]]:
        return [offer_row(told(offer, "fos")) for offer in account.offers.values()]
