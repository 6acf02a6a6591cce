"""REST endpoints of funding: offers are real, loans and credits never come to be."""

from typing import Any, Final

from genesis.domain.venue_funding import OfferRefused, told
from genesis.domain.venue_state import Offer
from genesis.simulator.rest import Call, RestRefusal, Route, route
from protocols.bitfinex.account import notice_row
from protocols.bitfinex.errors import ERR_GENERIC, ERR_PARAMS, InputRefused, MalformedFrame
from protocols.bitfinex.funding_rows import offer_row
from protocols.bitfinex.inputs import NewOffer, read_input


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
    return ["sym", call.groups[0], [0, 0, 0, 0]]


def nothing(call: Call) -> Any:
    return []


def close(call: Call) -> Any:
    """There is no loan that could be closed."""
    raise RestRefusal(ERR_GENERIC, "Funding not found.")


def auto(call: Call) -> Any:
    """Automatic lending: the wish is acknowledged; without a funding market nothing comes of it."""
    row = [call.body.get(name) for name in ("currency", "period", "rate")]
    text = "Auto-Renew changed"
    return notice_row("fa-req", [*row, 0], "SUCCESS", text, time=call.exchange.venue_ms())


def keep(call: Call) -> Any:
    return notice_row("fk-req", None, "SUCCESS", "Funding keep changed", time=call.exchange.venue_ms())


FUNDING_ROUTES: Final[tuple[Route, ...]] = (
    route("POST", r"auth/r/funding/offers", open_offers, scope="funding"),
    route("POST", r"auth/r/funding/offers/hist", ended_offers, scope="funding"),
    route("POST", r"auth/r/funding/offers/(f[^/]+)", open_offers, scope="funding"),
    route("POST", r"auth/r/funding/offers/(f[^/]+)/hist", ended_offers, scope="funding"),
    route("POST", r"auth/w/funding/offer/submit", submit_offer, scope="funding", write=True),
    route("POST", r"auth/w/funding/offer/cancel", cancel_offer, scope="funding", write=True),
    route("POST", r"auth/w/funding/offer/cancel/all", cancel_offers, scope="funding", write=True),
    route("POST", r"auth/r/funding/(?:loans|credits)(?:/f[^/]+)?", nothing, scope="funding"),
    route("POST", r"auth/r/funding/(?:loans|credits|trades)(?:/f[^/]+)?/hist", nothing, scope="funding"),
    route("POST", r"auth/r/info/funding/([^/]+)", info, scope="funding"),
    route("POST", r"auth/w/funding/close", close, scope="funding", write=True),
    route("POST", r"auth/w/funding/auto", auto, scope="funding", write=True),
    route("POST", r"auth/w/funding/keep", keep, scope="funding", write=True),
)
