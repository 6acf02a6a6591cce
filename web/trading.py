"""The trading desk's routes: manual orders, brackets and their templates, one order, protection, the venue's books."""

from typing import Final

import msgspec

from genesis.domain.order_check import order_notices
from genesis.domain.order_templates import OrderTemplate
from genesis.domain.whose_coins import taken_from_others, taken_text
from protocols.orders import OrderIntent, OrderType, OrderView
from protocols.risk import ManualOrder
from web.api import Api, Call
from web.bodies import BracketBody, FundingQuery, LedgersQuery, MarginQuery, OrderBody, TemplateBody
from web.commands import denied, is_for_now
from web.desk import VenueSilent
from web.errors import ApiError
from web.intents import check_market, intent_of, invalid
from web.models import (
    Accepted,
    FundingLoans,
    FundingOffers,
    FundingTrades,
    Ledgers,
    Margin,
    OneOrder,
    OrderAccepted,
    ProtectionAnswer,
    TemplateList,
)
from web.venue_faults import venue_fault

_WISHED: Final = ("symbol", "side", "quantity", "order_type", "price", "aux_limit_price", "margin", "reduce_only")


async def order(api: Api, call: Call) -> OrderAccepted:
    return await _place(api, call, call.body)


async def bracket(api: Api, call: Call) -> OrderAccepted:
    return await _place(api, call, call.body)


async def _place(api: Api, call: Call, body: OrderBody) -> OrderAccepted:
    place = api.controls.order
    assert place is not None, "the route needs this control"
    name = body.intent_id or call.idempotency_key or api.new_id()
    called = api.attempts.name(name)
    intent = intent_of(
        body,
        intent_id=f"manual:{called}",
        decided_ms=api.readers.status().venue_ms or api.clock.wall_ms(),
        received_ns=api.clock.now_ns(),
        pairs=api.desk.pairs(),
    )
    check_market(intent, api.readers.tickers().get(intent.symbol))
    taken = taken_from_others(api.readers.account(), intent)
    notices = (*order_notices(intent), *map(taken_text, taken))
    if intent.order_type is not OrderType.LIMIT and intent.post_only:
        intent = msgspec.structs.replace(intent, post_only=False)
    verdict = await place(ManualOrder(intent=intent, actor=call.subject))
    if verdict is not None and verdict.intent is not None and not _is_same(verdict.intent, intent):
        # Another caller's, or one from before a restart: what this one wants was not judged, and is not ordered.
        raise ApiError(
            422, f"{name} must be new for a new order, stands for another one", code="idempotency_key_reused"
        )
    if verdict is not None and not verdict.approved:
        if is_for_now(verdict):
            api.attempts.refused(name, called)
        raise denied(verdict)
    return OrderAccepted(
        accepted=True,
        intent_id=intent.intent_id,
        correlation_id=intent.correlation_id,
        verdict=verdict,
        notices=notices,
    )


def _is_same(judged: OrderIntent, asked: OrderIntent) -> bool:
    """Whether risk spoke of the order that was asked for. A stop that it put around it makes no difference."""
    return all(getattr(judged, field) == getattr(asked, field) for field in _WISHED)


def find_order(api: Api, order_id: str) -> OrderView:
    """One order by intent id, client id or venue id, ours or foreign, open or ended. Raises ApiError (404)."""
    found = [
        view
        for view in api.readers.orders()
        if order_id in (view.intent_id, str(view.cid), str(view.venue_id)) and order_id
    ]
    if not found:
        raise ApiError(404, f"no order is known by {order_id[:80]}", code="unknown_order")
    return found[-1]


async def one_order(api: Api, call: Call) -> OneOrder:
    view = find_order(api, call.path["order_id"])
    fills = [
        fill
        for fill in api.readers.fills()
        if fill.intent_id == view.intent_id or (view.foreign and fill.venue_order_id == view.venue_id)
    ]
    return OneOrder(order=view, trades=tuple(fills))


async def protection(api: Api, call: Call) -> ProtectionAnswer:
    return ProtectionAnswer(watch=api.readers.protection(), brackets=tuple(api.readers.brackets()))


# --- templates ----------------------------------------------------------------------------------------------------


async def templates(api: Api, call: Call) -> TemplateList:
    assert api.desk.templates is not None, "the route needs this port"
    return TemplateList(templates=api.desk.templates.all())


async def one_template(api: Api, call: Call) -> OrderTemplate:
    return _template(api, call.path["name"])


def _template(api: Api, name: str) -> OrderTemplate:
    assert api.desk.templates is not None, "the route needs this port"
    for kept in api.desk.templates.all():
        if kept.name == name:
            return kept
    raise ApiError(404, f"no template is called {name[:64]}", code="unknown_template")


async def keep_template(api: Api, call: Call) -> OrderTemplate:
    assert api.desk.templates is not None, "the route needs this port"
    body: TemplateBody = call.body
    if body.intent_id is not None:
        raise invalid("intent_id", "absent in a template", body.intent_id)
    # The same check as an order's: what cannot be placed need not be kept.
    intent = intent_of(body, intent_id="template", decided_ms=0, received_ns=0, pairs=api.desk.pairs())
    fields = {field: getattr(body, field) for field in OrderTemplate.__struct_fields__}
    template = OrderTemplate(**{**fields, "side": intent.side.value, "quantity": intent.quantity})
    try:
        await api.desk.templates.put(template)
    except ValueError as error:
        raise ApiError(409, str(error), code="templates_full") from None
    except OSError as error:
        raise ApiError(503, f"the template could not be written: {error.strerror}", code="disk") from None
    return template


async def drop_template(api: Api, call: Call) -> Accepted:
    assert api.desk.templates is not None, "the route needs this port"
    name = _template(api, call.path["name"]).name
    try:
        await api.desk.templates.remove(name)
    except OSError as error:
        raise ApiError(503, f"the templates could not be written: {error.strerror}", code="disk") from None
    return Accepted(accepted=True, correlation_id=f"api:{api.new_id()}", message=f"template {name} is gone")


async def place_template(api: Api, call: Call) -> OrderAccepted:
    kept = _template(api, call.path["name"])
    fields = {field: getattr(kept, field) for field in kept.__struct_fields__ if field != "name"}
    return await _place(api, call, BracketBody(**fields))


# --- the venue's own books ----------------------------------------------------------------------------------------


async def ledgers(api: Api, call: Call) -> Ledgers:
    query: LedgersQuery = call.query
    assert api.desk.ledgers is not None, "the route needs this port"
    try:
        return Ledgers(ledgers=tuple(await api.desk.ledgers(query.currency, query.limit)))
    except VenueSilent as error:
        raise venue_fault(error) from None


async def margin(api: Api, call: Call) -> Margin:
    query: MarginQuery = call.query
    assert api.desk.margin is not None, "the route needs this port"
    try:
        return Margin(
            margin=tuple(await api.desk.margin("sym_all" if query.symbol == "all" else query.symbol or "base"))
        )
    except VenueSilent as error:
        raise venue_fault(error) from None


async def offers(api: Api, call: Call) -> FundingOffers:
    query: FundingQuery = call.query
    assert api.desk.offers is not None, "the route needs this port"
    try:
        return FundingOffers(offers=tuple(await api.desk.offers(query.symbol, query.history)))
    except VenueSilent as error:
        raise venue_fault(error) from None


async def loans(api: Api, call: Call) -> FundingLoans:
    query: FundingQuery = call.query
    assert api.desk.loans is not None, "the route needs this port"
    try:
        return FundingLoans(loans=tuple(await api.desk.loans(query.symbol, query.history)))
    except VenueSilent as error:
        raise venue_fault(error) from None


async def credits(api: Api, call: Call) -> FundingLoans:
    query: FundingQuery = call.query
    assert api.desk.credits is not None, "the route needs this port"
    try:
        return FundingLoans(loans=tuple(await api.desk.credits(query.symbol, query.history)))
    except VenueSilent as error:
        raise venue_fault(error) from None


async def funding_trades(api: Api, call: Call) -> FundingTrades:
    query: FundingQuery = call.query
    assert api.desk.funding_trades is not None, "the route needs this port"
    try:
        return FundingTrades(trades=tuple(await api.desk.funding_trades(query.symbol)))
    except VenueSilent as error:
        raise venue_fault(error) from None
