"""REST endpoints of funding: offers, and the loans and credits that come of them."""

from collections.abc import Iterable
from typing import Any, Final

from genesis.domain.venue_funding import LARGEST_RATE, OfferRefused, loan_told, told
from genesis.domain.venue_state import Account, Loan, Offer, Renewal
from genesis.simulator.rest import Call, RestRefusal, Route, route
from genesis.simulator.rest_account import decimal_parameter
from protocols.bitfinex.account import notice_row
from protocols.bitfinex.errors import ERR_GENERIC, ERR_PARAMS, InputRefused, MalformedFrame
from protocols.bitfinex.funding_rows import funding_trade_row, loan_row, offer_row
from protocols.bitfinex.inputs import NewOffer, read_input
from protocols.units import ZERO

KEPT_MS: Final = 3 * 86_400_000


def _rows(offers: list[Offer], event: str) -> list[Any]:
    return [offer_row(told(offer, event)) for offer in offers]


def open_offers(call: Call) -> Any:
    offers = call.exchange.venue.accounts[call.account].offers.values()
    symbol = call.groups[0] if call.groups else ""
    return _rows([offer for offer in offers if not symbol or offer.symbol == symbol], "rest")


def ended_offers(call: Call) -> Any:
    start, end = call.window()
    symbol = call.groups[0] if call.groups else ""
    history = call.exchange.venue.history(call.account).offers
    found = [offer for offer in history if start <= offer.created_ms <= end and (not symbol or offer.symbol == symbol)]
    return _rows(found[: -call.limit(25, 500) - 1 : -1], "rest")


def submit_offer(call: Call) -> Any:
    try:
        request = read_input([0, "fon", None, call.body])
    except InputRefused as error:
        raise RestRefusal(ERR_PARAMS, error.text) from None
    except MalformedFrame:
        raise RestRefusal(ERR_PARAMS, "input: invalid") from None
    assert isinstance(request, NewOffer)
    try:
        return call.exchange.accounts.funding.place(call.account, request)
    except OfferRefused as refusal:
        raise RestRefusal(ERR_GENERIC, str(refusal)) from None


def cancel_offer(call: Call) -> Any:
    venue_id = call.integer("id")
    answer = call.exchange.accounts.funding.end(call.account, venue_id or 0)
    if answer is None:
        raise RestRefusal(ERR_GENERIC, "Offer not found.")
    return answer


def cancel_offers(call: Call) -> Any:
    currency = str(call.body.get("currency") or "")
    for offer in list(call.exchange.venue.accounts[call.account].offers.values()):
        if not currency or offer.symbol == f"f{currency}":
            call.exchange.accounts.funding.end(call.account, offer.offer_id)
    text = f"Submitting cancellation of all {currency} funding offers."
    return notice_row("foc_all-req", None, "SUCCESS", text, time=call.exchange.venue_ms())


def info(call: Call) -> Any:
    return call.exchange.accounts.funding.info_row(_account(call), call.groups[0])


# --- loans and credits --------------------------------------------------------------------------------------------


def _account(call: Call) -> Account:
    return call.exchange.venue.accounts[call.account]


def _loans(call: Call, loans: Iterable[Loan]) -> list[Any]:
    """Rows of those that the path asks for: loans are unused, credits are used by a position."""
    credit, symbol = call.groups[0] == "credits", call.groups[1]
    return [
        loan_row(loan_told(loan, "rest"), credit=credit)
        for loan in loans
        if (loan.position_pair is not None) is credit and (not symbol or loan.symbol == symbol)
    ]


def open_loans(call: Call) -> Any:
    return _loans(call, _account(call).loans.values())


def ended_loans(call: Call) -> Any:
    """Of the last three days only, as the venue keeps them."""
    start, end = call.window()
    since = max(start, call.exchange.venue_ms() - KEPT_MS)
    ended = [loan for loan in call.exchange.venue.history(call.account).loans if since <= loan.updated_ms <= end]
    return _loans(call, reversed(ended))[: call.limit(25, 500)]


def own_trades(call: Call) -> Any:
    start, end = call.window()
    symbol = call.groups[0]
    found = [
        trade
        for trade in call.exchange.venue.history(call.account).funding_trades
        if start <= trade.time_ms <= end and (not symbol or trade.symbol == symbol)
    ]
    return [funding_trade_row(trade) for trade in found[: -call.limit(25, 500) - 1 : -1]]


def close(call: Call) -> Any:
    """Give back what was borrowed. What was lent comes back when its time is over."""
    wanted = call.integer("id")
    loan = _account(call).loans.get(wanted or 0)
    if loan is None or loan.side > 0:
        raise RestRefusal(ERR_GENERIC, "Funding not found.")
    call.exchange.accounts.funding.give_back(call.account, loan)
    return notice_row("fc-req", None, "SUCCESS", "Funding returned", time=call.exchange.venue_ms())


def auto(call: Call) -> Any:
    """Lend again by itself whatever comes back (status 1), or no more (0)."""
    currency = str(call.body.get("currency") or "").removeprefix("f")
    if currency not in call.exchange.market.funding.currencies:
        raise RestRefusal(ERR_PARAMS, "currency: invalid")
    status, period = call.integer("status"), call.integer("period", 2)
    renewal = None
    if status == 1:
        amount = None if call.parameter("amount") in (None, "", 0, "0") else decimal_parameter(call, "amount")
        rate = ZERO if call.parameter("rate") in (None, "", 0, "0") else decimal_parameter(call, "rate")
        if rate > LARGEST_RATE:
            raise RestRefusal(ERR_PARAMS, "rate: invalid")
        if period is None or not 2 <= period <= 120:
            raise RestRefusal(ERR_PARAMS, "period: invalid")
        renewal = Renewal(rate=rate, period=period, amount=amount)
    elif status != 0:
        raise RestRefusal(ERR_PARAMS, "status: invalid")
    call.exchange.accounts.funding.renew(call.account, currency, renewal)
    row = [currency, period, renewal.rate if renewal else 0, renewal.amount or 0 if renewal else 0]
    text = f"Auto-renew {'activated' if renewal else 'deactivated'}"
    return notice_row("fa-req", row, "SUCCESS", text, time=call.exchange.venue_ms())


def keep(call: Call) -> Any:
    """Whether what was borrowed stays when the position that used it is closed: each call turns it round."""
    ids, loans = call.body.get("id"), _account(call).loans
    wanted = ids if isinstance(ids, list) else [ids]
    for number in wanted:
        loan = loans.get(number) if isinstance(number, int) else None
        if loan is None or loan.side > 0:
            raise RestRefusal(ERR_GENERIC, "Funding not found.")
        loan.no_close = not loan.no_close
    call.exchange.save()
    return notice_row("fk-req", None, "SUCCESS", "Funding keep changed", time=call.exchange.venue_ms())


FUNDING_ROUTES: Final[tuple[Route, ...]] = (
    route("POST", r"auth/r/funding/offers", open_offers, scope="funding"),
    route("POST", r"auth/r/funding/offers/hist", ended_offers, scope="funding"),
    route("POST", r"auth/r/funding/offers/(f[^/]+)", open_offers, scope="funding"),
    route("POST", r"auth/r/funding/offers/(f[^/]+)/hist", ended_offers, scope="funding"),
    route("POST", r"auth/w/funding/offer/submit", submit_offer, scope="funding", write=True),
    route("POST", r"auth/w/funding/offer/cancel", cancel_offer, scope="funding", write=True),
    route("POST", r"auth/w/funding/offer/cancel/all", cancel_offers, scope="funding", write=True),
    route("POST", r"auth/r/funding/(loans|credits)(?:/(f[^/]+))?", open_loans, scope="funding"),
    route("POST", r"auth/r/funding/(loans|credits)(?:/(f[^/]+))?/hist", ended_loans, scope="funding"),
    route("POST", r"auth/r/funding/trades(?:/(f[^/]+))?/hist", own_trades, scope="funding"),
    route("POST", r"auth/r/info/funding/([^/]+)", info, scope="funding"),
    route("POST", r"auth/w/funding/close", close, scope="funding", write=True),
    route("POST", r"auth/w/funding/auto", auto, scope="funding", write=True),
    route("POST", r"auth/w/funding/keep", keep, scope="funding", write=True),
)
