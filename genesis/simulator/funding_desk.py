"""Funding over the wire: places and ends offers, and has the market meet them as venue time goes on."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from genesis.domain.funding_floor import FundingFloor
from genesis.domain.venue_funding import OfferRefused, funding_info, loan_told, submitting_offer, told
from genesis.domain.venue_state import Account, Loan, Renewal
from genesis.simulator.funding_market import LONGEST_CATCH_UP, STEP_MS, trade_at
from protocols.bitfinex.account import notice_row
from protocols.bitfinex.funding_rows import OFFER_LENGTH, funding_info_row, loan_row, offer_row
from protocols.bitfinex.inputs import EndOffer, NewOffer
from protocols.units import exact

if TYPE_CHECKING:
    from genesis.simulator.account_side import AccountSide
    from genesis.simulator.funding_side import FundingSide


class FundingDesk:
    """Answers are notification rows; the frames of the offers themselves go to all sockets of the account."""

    def __init__(self, side: "AccountSide", market: "FundingSide") -> None:
        self.side = side
        self.market = market
        pairs: dict[str, list[str]] = {}
        for spec in side.venue.specs.values():
            if not spec.is_paper and not spec.is_derivative:
                for currency in (spec.base, spec.quote):
                    pairs.setdefault(currency, []).append(spec.symbol)
        self.floor = FundingFloor(side.venue.books, pairs)
        self.floor.on_trade = market.lent
        self._met_ms = 0

    # --- asked by customers -----------------------------------------------------------------------------------------

    def place(self, name: str, request: NewOffer) -> list[Any]:
        """Raises OfferRefused."""
        now_ms = self.side.venue_ms()
        offer = self.floor.place(name, request, now_ms)
        self.side.apply([(name, told(offer, "fon"))])
        return notice_row("fon-req", offer_row(told(offer, "fon")), "SUCCESS", submitting_offer(offer), time=now_ms)

    def end(self, name: str, venue_id: int) -> list[Any] | None:
        """None for an offer that is not open."""
        account, now_ms = self.side.venue.accounts[name], self.side.venue_ms()
        offer = account.offers.get(venue_id)
        if offer is None:
            return None
        self.floor.cancel(name, offer, now_ms)
        self.side.apply([(name, told(offer, "foc"))])
        text = f"Submitted for cancellation; waiting for confirmation (ID: {venue_id})."
        return notice_row("foc-req", offer_row(told(offer, "foc")), "SUCCESS", text, time=now_ms)

    def give_back(self, name: str, loan: Loan) -> None:
        self.side.apply(self.floor.give_back(name, loan, self.side.venue_ms()))

    def renew(self, name: str, currency: str, renewal: Renewal | None) -> None:
        self.floor.renew(name, currency, renewal)
        self.side.saved()

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

    # --- what is told -----------------------------------------------------------------------------------------------

    def snapshots(self, account: Account) -> list[tuple[str, list[list[Any]]]]:
        """What is open, as the three snapshots after an authentication tell it."""
        loans = account.loans.values()
        return [
            ("fos", [offer_row(told(offer, "fos")) for offer in account.offers.values()]),
            (
                "fcs",
                [loan_row(loan_told(loan, "fcs"), credit=True) for loan in loans if loan.position_pair is not None],
            ),
            ("fls", [loan_row(loan_told(loan, "fls")) for loan in loans if loan.position_pair is None]),
        ]

    def info_row(self, account: Account, symbol: str) -> list[Any]:
        return funding_info_row(funding_info(account, symbol))

    # --- the market goes on -----------------------------------------------------------------------------------------

    def time_came(self, now_ms: int) -> None:
        """Venue time has come to `now_ms`: what the market did meets the offers, and interest runs."""
        floor, before_ms = self.floor, self._met_ms
        self._met_ms = now_ms
        if floor.matching and self.market.open:
            outputs = floor.renew_all(now_ms, self.market.flash_rate)
            steps = range(max(before_ms // STEP_MS, now_ms // STEP_MS - LONGEST_CATCH_UP) + 1, now_ms // STEP_MS + 1)
            for step in steps:
                for symbol in self._offered():
                    outputs += self._meet(symbol, step * STEP_MS, now_ms)
            self.side.apply(outputs)
        for name in sorted(floor.waiting):
            self.side.apply(floor.positions_changed(name, now_ms, self.market.flash_rate))
        if now_ms >= floor.due_ms:
            self.side.apply(floor.advance(now_ms, self.market.flash_rate))

    def traded(self, symbol: str, amount: Decimal, rate: Decimal, flash_rate: Decimal) -> None:
        """The real market traded: what stands at or below its rate is taken."""
        now_ms = self.side.venue_ms()
        outputs = self.floor.renew_all(now_ms, self.market.flash_rate)
        self.side.apply(outputs + self.floor.meet(symbol, amount, rate, flash_rate, now_ms))

    def _offered(self) -> list[str]:
        accounts = self.side.venue.accounts.values()
        return list(dict.fromkeys(offer.symbol for account in accounts for offer in account.offers.values()))

    def _meet(self, symbol: str, at_ms: int, now_ms: int) -> list[Any]:
        flash_rate = self.market.flash_rate(symbol[1:])
        if flash_rate is None:
            return []
        trade = trade_at(symbol[1:], at_ms)
        return self.floor.meet(symbol, exact(trade.amount), exact(trade.rate), flash_rate, now_ms)
