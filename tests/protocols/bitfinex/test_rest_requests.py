"""REST requests: the paths and bodies of the documents, and no write that calls itself repeatable."""

import inspect
import json
from collections.abc import Callable
from decimal import Decimal

import pytest

from protocols.bitfinex import rest_requests as ask
from protocols.bitfinex.auth import rest_headers
from protocols.bitfinex.errors import LocalProtocolError
from protocols.bitfinex.rest_requests import RestRequest
from protocols.orders import CancelOrder, SubmitOrder, UpdateOrder
from protocols.units import Symbol

SUBMIT = SubmitOrder(
    cid=7,
    cid_date="2026-01-31",
    group_id=71,
    symbol=Symbol("tBTCUSD"),
    wire_type="EXCHANGE LIMIT",
    amount=Decimal("0.1"),
    price=Decimal(10000),
    aux_limit_price=None,
    trailing_distance=None,
    oco_stop_price=None,
    flags=0,
    session=1,
    correlation_id="c",
    received_ns=0,
)
CANCEL = CancelOrder(cid=7, cid_date="2026-01-31", venue_id=5, session=1, correlation_id="c")
UPDATE = UpdateOrder(cid=7, venue_id=5, price=Decimal(9), amount=None, flags=0, session=1, correlation_id="c")

PUBLIC: list[tuple[RestRequest, str]] = [
    (ask.platform_status(), "/v2/platform/status"),
    (ask.ticker("tBTCUSD"), "/v2/ticker/tBTCUSD"),
    (ask.tickers(["tBTCUSD", "fUSD"]), "/v2/tickers?symbols=tBTCUSD,fUSD"),
    (ask.tickers(), "/v2/tickers?symbols=ALL"),
    (ask.ticker_history(["tBTCUSD"], limit=5), "/v2/tickers/hist?symbols=tBTCUSD&limit=5"),
    (ask.trades("tDUSK:USD", start_ms=1, oldest_first=True), "/v2/trades/tDUSK:USD/hist?start=1&sort=1"),
    (ask.book("tBTCUSD", "R0", 100), "/v2/book/tBTCUSD/R0?len=100"),
    (ask.candles("trade:1m:tBTCUSD", limit=10), "/v2/candles/trade:1m:tBTCUSD/hist?limit=10"),
    (ask.candles("trade:1m:tBTCUSD", last=True), "/v2/candles/trade:1m:tBTCUSD/last"),
    (ask.conf(["pub:info:pair", "pub:list:currency"]), "/v2/conf/pub:info:pair,pub:list:currency"),
    (ask.derivative_status(["tBTCF0:USTF0"]), "/v2/status/deriv?keys=tBTCF0:USTF0"),
    (ask.derivative_history("tBTCF0:USTF0"), "/v2/status/deriv/tBTCF0:USTF0/hist"),
    (ask.liquidations(limit=3), "/v2/liquidations/hist?limit=3"),
    (ask.statistics("vol.1d:30m:BFX", last=True), "/v2/stats1/vol.1d:30m:BFX/last"),
    (ask.funding_statistics("fUSD"), "/v2/funding/stats/fUSD/hist"),
    (ask.rankings("vol:3h:tBTCUSD"), "/v2/rankings/vol:3h:tBTCUSD/hist"),
    (ask.average_price("tBTCUSD", "1.5"), "/v2/calc/trade/avg"),
    (ask.exchange_rate("BTC", "USD"), "/v2/calc/fx"),
]

SIGNED: list[tuple[RestRequest, str, object]] = [
    (ask.open_orders(), "r/orders", {}),
    (ask.open_orders("tBTCUSD", venue_ids=[5]), "r/orders/tBTCUSD", {"id": [5]}),
    (ask.order_history(start_ms=1, end_ms=2, limit=3), "r/orders/hist", {"start": 1, "end": 2, "limit": 3}),
    (ask.order_history("tBTCUSD"), "r/orders/tBTCUSD/hist", {}),
    (ask.order_trades("tBTCUSD", 5), "r/order/tBTCUSD:5/trades", {}),
    (ask.own_trades("tBTCUSD", oldest_first=True), "r/trades/tBTCUSD/hist", {"sort": 1}),
    (ask.wallets(), "r/wallets", {}),
    (ask.ledgers("USD", category=201), "r/ledgers/USD/hist", {"category": 201}),
    (ask.movements(), "r/movements/hist", {}),
    (ask.positions(), "r/positions", {}),
    (ask.position_history(limit=5), "r/positions/hist", {"limit": 5}),
    (ask.position_snapshots(), "r/positions/snap", {}),
    (ask.position_audit([5]), "r/positions/audit", {"id": [5]}),
    (ask.margin_info(), "r/info/margin/base", {}),
    (ask.funding_offers("fUSD"), "r/funding/offers/fUSD", {}),
    (ask.funding_loans(history=True), "r/funding/loans/hist", {}),
    (ask.funding_credits(), "r/funding/credits", {}),
    (ask.funding_trades("fUSD"), "r/funding/trades/fUSD/hist", {}),
    (ask.funding_info("fUSD"), "r/info/funding/fUSD", {}),
    (ask.user_info(), "r/info/user", {}),
    (ask.summary(), "r/summary", {}),
    (ask.permissions(), "r/permissions", {}),
    (ask.logins(), "r/logins/hist", {}),
    (ask.alerts(), "r/alerts", {"type": "price"}),
    (
        ask.available_balance("tBTCUSD", direction=1, rate="5", order_type="EXCHANGE"),
        "calc/order/avail",
        {"symbol": "tBTCUSD", "dir": 1, "rate": "5", "type": "EXCHANGE"},
    ),
]

WRITES: list[tuple[RestRequest, str, object]] = [
    (
        ask.submit_order(SUBMIT),
        "w/order/submit",
        {"cid": 7, "type": "EXCHANGE LIMIT", "symbol": "tBTCUSD", "amount": "0.1", "gid": 71, "price": "10000"},
    ),
    (ask.update_order(UPDATE), "w/order/update", {"id": 5, "price": "9", "flags": 0}),
    (ask.cancel_order(CANCEL), "w/order/cancel", {"id": 5}),
    (ask.cancel_orders(everything=True), "w/order/cancel/multi", {"all": 1}),
    (ask.many_orders([CANCEL]), "w/order/multi", {"ops": [["oc", {"id": 5}]]}),
    (
        ask.transfer(from_wallet="margin", to_wallet="exchange", currency="USD", amount="5"),
        "w/transfer",
        {"from": "margin", "to": "exchange", "currency": "USD", "amount": "5"},
    ),
    (ask.claim_position(5, "1"), "w/position/claim", {"id": 5, "amount": "1"}),
    (ask.set_collateral("tBTCF0:USTF0", "5"), "w/deriv/collateral/set", {"symbol": "tBTCF0:USTF0", "collateral": "5"}),
    (
        ask.submit_offer(wire_type="LIMIT", symbol="fUSD", amount="50", rate="0.01", period=2),
        "w/funding/offer/submit",
        {"type": "LIMIT", "symbol": "fUSD", "amount": "50", "rate": "0.01", "period": 2, "flags": 0},
    ),
    (ask.cancel_offer(5), "w/funding/offer/cancel", {"id": 5}),
    (ask.cancel_offers("USD"), "w/funding/offer/cancel/all", {"currency": "USD"}),
    (
        ask.set_alert("tBTCUSD", "5"),
        "w/alert/set",
        {"type": "price", "symbol": "tBTCUSD", "price": "5", "count": 1},
    ),
    (ask.delete_alert("tBTCUSD", "5"), "w/alert/price:tBTCUSD:5/del", {}),
]


@pytest.mark.parametrize(("request_value", "target"), PUBLIC)
def test_public_questions_have_the_documented_address(request_value: RestRequest, target: str) -> None:
    assert request_value.target == target
    assert not request_value.signed
    assert request_value.repeatable


@pytest.mark.parametrize(("request_value", "path", "body"), SIGNED + WRITES)
def test_signed_questions_have_the_documented_path_and_body(
    request_value: RestRequest, path: str, body: object
) -> None:
    assert (request_value.method, request_value.path) == ("POST", f"v2/auth/{path}")
    assert json.loads(request_value.body) == body
    assert request_value.signed
    headers = rest_headers("k", "s", request_value.path, 1, request_value.body)
    assert len(headers["bfx-signature"]) == 96


def test_only_reads_may_be_repeated() -> None:
    assert all(request.repeatable for request, _, _ in SIGNED)
    assert not any(request.repeatable for request, _, _ in WRITES)


def test_every_endpoint_is_tried_here() -> None:
    """A builder that no test calls is a builder nobody has checked against the documents."""
    built = {request.kind for request, _ in PUBLIC} | {request.kind for request, _, _ in SIGNED + WRITES}
    makers = [
        function
        for name, function in inspect.getmembers(ask, inspect.isfunction)
        if function.__module__ == ask.__name__ and not name.startswith("_")
    ]
    assert len(built) == len(makers)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ask.ticker("a/b"), "plain name"),
        (lambda: ask.ticker(""), "plain name"),
        (lambda: ask.candles("trade:1m:t?x"), "plain name"),
        (lambda: ask.trades("tBTCUSD", limit=10_001), "limit must be in"),
        (lambda: ask.order_history(limit=0), "limit must be in"),
    ],
)
def test_what_is_no_question_is_not_asked(make: Callable[[], RestRequest], text: str) -> None:
    with pytest.raises(LocalProtocolError, match=text):
        make()
