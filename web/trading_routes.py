"""The trading desk's part of the table of routes."""

from typing import Any, Final

from genesis.domain.order_templates import OrderTemplate
from web import commands, trading, views
from web.api import Route
from web.bodies import (
    BracketBody,
    FundingQuery,
    LedgersQuery,
    ListQuery,
    MarginQuery,
    OrderBody,
    TemplateBody,
    UpdateBody,
)
from web.models import (
    Accepted,
    FundingLoans,
    FundingOffers,
    FundingTrades,
    Ledgers,
    Margin,
    OneOrder,
    OrderAccepted,
    Orders,
    ProtectionAnswer,
    TemplateList,
)
from web.tokens import Scope

V2: Final = "/api/v2"
TEMPLATE: Final = f"{V2}/order/templates/{{name}}"


def _get(path: str, handler: Any, answer: Any, tag: str, summary: str, **more: Any) -> Route:
    return Route(
        method="GET",
        path=path if path.startswith(V2) else f"{V2}{path}",
        scope=Scope.READ,
        handler=handler,
        answer=answer,
        tag=tag,
        summary=summary,
        **more,
    )


def _venue(path: str, handler: Any, answer: Any, needs: str, query: Any, summary: str) -> Route:
    return _get(path, handler, answer, "venue", summary, query=query, needs=needs, statuses=(404, 409, 503))


def _change(method: str, path: str, handler: Any, answer: Any, summary: str, **more: Any) -> Route:
    return Route(
        method=method,
        path=path if path.startswith(V2) else f"{V2}{path}",
        scope=Scope.TRADE,
        handler=handler,
        answer=answer,
        tag="orders",
        summary=summary,
        **more,
    )


TRADING: Final[tuple[Route, ...]] = (
    _change(
        "POST",
        "/order",
        trading.order,
        OrderAccepted,
        "Place a manual order. It passes the same risk rules as a strategy's.",
        body=OrderBody,
        status=202,
        needs="order",
        statuses=(409, 503),
    ),
    _change(
        "POST",
        "/order/bracket",
        trading.bracket,
        OrderAccepted,
        "Place an order with its stop and its target, which rest at the venue from the first fill on.",
        body=BracketBody,
        status=202,
        needs="order",
        statuses=(409, 503),
    ),
    _get(
        "/order/templates",
        trading.templates,
        TemplateList,
        "orders",
        "Order templates, by name.",
        needs="templates",
        etag=True,
    ),
    _change(
        "POST",
        "/order/templates",
        trading.keep_template,
        OrderTemplate,
        "Keep an order under a name; one of that name is replaced.",
        body=TemplateBody,
        needs="templates",
        statuses=(409, 503),
    ),
    _get(TEMPLATE, trading.one_template, OrderTemplate, "orders", "One template.", needs="templates", statuses=(404,)),
    _change(
        "POST",
        TEMPLATE,
        trading.place_template,
        OrderAccepted,
        "Place the order that a template keeps.",
        status=202,
        needs="templates",
        statuses=(404, 409, 503),
    ),
    _change(
        "DELETE",
        TEMPLATE,
        trading.drop_template,
        Accepted,
        "Forget a template.",
        needs="templates",
        statuses=(404, 503),
    ),
    _get(
        "/order/{order_id}",
        trading.one_order,
        OneOrder,
        "orders",
        "One order with its trades, by intent id, client id or venue id.",
        statuses=(404,),
    ),
    _change(
        "PATCH",
        "/order/{order_id}",
        commands.update_order,
        Accepted,
        "Change price or remaining quantity of a resting order in place; of a protective order, move its level.",
        body=UpdateBody,
        status=202,
        needs="update",
        statuses=(404, 409, 503),
    ),
    _get(
        "/orders/history",
        views.orders_history,
        Orders,
        "orders",
        "Orders that ended, newest first, as far back as the journal goes.",
        query=ListQuery,
    ),
    _get(
        "/protection",
        trading.protection,
        ProtectionAnswer,
        "account",
        "Whether every position has its stop at the venue, and how long any went without one.",
    ),
    _venue("/ledgers", trading.ledgers, Ledgers, "ledgers", LedgersQuery, "Changes of wallets by the venue's books."),
    _venue("/margin", trading.margin, Margin, "margin", MarginQuery, "Margin of the account, or of one symbol."),
    _venue("/funding/offers", trading.offers, FundingOffers, "offers", FundingQuery, "Funding offers."),
    _venue("/funding/loans", trading.loans, FundingLoans, "loans", FundingQuery, "Loans that no position uses."),
    _venue("/funding/credits", trading.credits, FundingLoans, "credits", FundingQuery, "Loans that positions use."),
    _venue(
        "/funding/trades", trading.funding_trades, FundingTrades, "funding_trades", FundingQuery, "Own funding trades."
    ),
)
