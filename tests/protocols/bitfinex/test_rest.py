"""REST answers: what was recorded is read, what the documents show is read, and every refusal has its type."""

import itertools
from decimal import Decimal
from typing import Any

import pytest

from protocols.bitfinex import rest, rest_account
from protocols.bitfinex.errors import (
    AuthFailed,
    Maintenance,
    MalformedFrame,
    NonceTooSmall,
    RateLimited,
    VenueError,
)
from protocols.bitfinex.numbers import read_json, read_json_floats, write_json
from protocols.bitfinex.rows import Tolerance
from protocols.market import FundingTicker, Ticker
from protocols.reference import FeeRates, PairInfo, Permission
from protocols.units import Symbol
from tests.recordings import documentation_examples, rest_recording, ws_lines

PUBLIC = rest_recording("recorded-public-2025-08-10.json.gz")
ORDER = rest_recording("recorded-submit-and-fill-2025-08-22.json.gz")
EXAMPLES = documentation_examples()
STAMPS: dict[str, Any] = {"session": 1, "received_ns": 2}


def answer(recording: list[dict[str, Any]], part: str, *, exact: bool = False) -> Any:
    response = next(entry["response"] for entry in recording if part in entry["request"]["url"])
    return rest.read_answer(response["status_code"], response["body"], exact=exact)


def example(name: str) -> Any:
    return read_json(EXAMPLES[f"Endpoints/Spot/{name}"][2])


# --- the answer as a whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (500, '["error",10020,"symbol: invalid"]', VenueError, 10020),
        (500, '["error",10100,"apikey: invalid"]', AuthFailed, 10100),
        (500, '["error",10114,"nonce: small"]', NonceTooSmall, 10114),
        (500, '["error",20060,"maintenance"]', Maintenance, 20060),
        (500, '["error",null,"odd"]', VenueError, None),
        (500, '["error","10020","quoted"]', VenueError, 10020),
        (500, '["error"]', VenueError, None),
        (200, '["error",11010,"ratelimit: error"]', RateLimited, 11010),
        (429, '["error",11010,"ratelimit: error"]', RateLimited, 11010),
        (429, "<html>", RateLimited, 11010),
        (200, '{"error":"ERR_RATE_LIMIT"}', RateLimited, 11010),
        (503, '{"code":503,"error":"temporarily_unavailable","error_description":"..."}', VenueError, None),
        (500, "[1]", VenueError, None),
    ],
)
def test_every_refusal_has_its_type(status: int, body: str, kind: type[VenueError], code: int | None) -> None:
    with pytest.raises(VenueError) as caught:
        rest.read_answer(status, body)
    assert type(caught.value) is kind
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("status", "body"), [(404, "<html>Cannot GET /api/v2/nope</html>"), (200, ""), (200, "[1,2"), (502, "Bad Gateway")]
)
def test_what_is_no_answer_of_the_venue_is_malformed(status: int, body: str) -> None:
    with pytest.raises(MalformedFrame):
        rest.read_answer(status, body)


def test_an_error_is_written_as_it_is_read() -> None:
    with pytest.raises(NonceTooSmall, match="nonce: small"):
        rest.read_answer(500, rest.error_body(10114, "nonce: small"))


# --- recorded -----------------------------------------------------------------------------------------------------


def test_the_recorded_ticker_and_all_tickers() -> None:
    ticker = rest.read_one_ticker(answer(PUBLIC, "/ticker/"), "tBTCUSD", received_ns=1)
    assert isinstance(ticker, Ticker)
    assert (ticker.bid, ticker.last, ticker.low) == (118280, 118270, 116470)
    rows = answer(PUBLIC, "/tickers")
    tolerance = Tolerance()
    tickers = rest.read_tickers(rows, received_ns=1, tolerance=tolerance)
    assert len(tickers) + tolerance.unexpected_nulls == len(rows) == 431
    funding = [ticker for ticker in tickers if isinstance(ticker, FundingTicker)]
    assert len(funding) > 10
    assert all(rest.is_funding_row(row) == str(row[0]).startswith("f") for row in rows)
    # What is written is read again.
    told = read_json_floats(write_json([rest.tickers_row(ticker) for ticker in tickers]))
    assert rest.read_tickers(told, received_ns=1) == tickers


def test_a_pair_that_never_traded_costs_the_others_nothing() -> None:
    row = ["tBTCUSD", 100, 1, 101, 1, 0, 0, 100, 5, 110, 90]
    silent = ["tNEWUSD", None, None, None, None, None, None, None, 0, None, None]
    tolerance = Tolerance()
    assert [one.symbol for one in rest.read_tickers([silent, row], received_ns=1, tolerance=tolerance)] == ["tBTCUSD"]
    assert tolerance.unexpected_nulls == 1
    assert len(rest.read_tickers([silent, row], received_ns=1)) == 1
    with pytest.raises(MalformedFrame):
        rest.read_tickers([row, ["tBTCUSD", "x", 1, 1, 1, 1, 1, 1]], received_ns=1)


def test_the_recorded_candles_come_oldest_first() -> None:
    candles = rest.read_candle_answer(answer(PUBLIC, "/candles/"), "tBTCUSD", "1m")
    assert len(candles) == 120
    assert all(a.open_ms < b.open_ms for a, b in itertools.pairwise(candles))
    assert all(c.low <= min(c.open, c.close) <= max(c.open, c.close) <= c.high for c in candles)


def test_the_recorded_book_is_two_sorted_sides() -> None:
    levels = rest.read_book_answer(answer(PUBLIC, "/book/"), "tBTCUSD", "P0", received_ns=1)
    assert len(levels.bids) == len(levels.asks) == 25
    assert levels.bids[0][0] < levels.asks[0][0]
    assert list(levels.bids) == sorted(levels.bids, reverse=True)
    with pytest.raises(MalformedFrame):
        rest.read_book_answer([[1, 2]], "tBTCUSD", "P0", received_ns=1)


def test_the_recorded_instruments_and_their_sizes() -> None:
    labels = ["pub:info:pair"]
    infos = rest.read_pair_infos(rest.read_conf(answer(PUBLIC, "/conf/"), labels)["pub:info:pair"])
    by_symbol = {info.symbol: info for info in infos}
    assert by_symbol[Symbol("tBTCUSD")] == PairInfo(
        symbol=Symbol("tBTCUSD"),
        minimum_size=Decimal("0.00004"),
        maximum_size=Decimal("2000.0"),
        initial_margin=Decimal("0.1"),
        minimum_margin=Decimal("0.05"),
    )
    assert by_symbol[Symbol("tAAVE:USD")].initial_margin is None
    told = read_json(write_json([rest.pair_info_row(info) for info in infos]))
    assert rest.read_pair_infos(told) == infos
    unclear: dict[str, str] = {}
    strange: list[Any] = ["no row", ["BTCUSD", [None, None, None, "much", "2000.0"]], ["AAVE:USD"], *told[5:]]
    assert rest.read_pair_infos(strange, unclear=unclear) == infos[5:]
    assert set(unclear) == {"", "tBTCUSD", "tAAVE:USD"}
    with pytest.raises(MalformedFrame, match="conf must have 2"):
        rest.read_conf([[]], ["a", "b"])


def test_the_recorded_order_from_submit_to_its_trade() -> None:
    wallets = rest_account.read_wallets(answer(ORDER, "/r/wallets", exact=True), **STAMPS)
    assert any(wallet.available is not None for wallet in wallets)
    submitted = rest_account.read_write_answer(answer(ORDER, "/w/order/submit", exact=True), **STAMPS)
    assert submitted.accepted
    assert submitted.notice.kind == "on-req"
    # Seconds on the wire, though every other answer has milliseconds.
    assert 1_755_000_000_000 < submitted.time_ms < 1_756_000_000_000
    (order,) = submitted.orders
    assert order.status == "ACTIVE"
    assert (submitted.notice.venue_id, submitted.notice.cid) == (order.venue_id, order.cid)
    history = rest_account.read_orders(answer(ORDER, "/hist", exact=True), **STAMPS)
    closed = next(past for past in history if past.venue_id == order.venue_id)
    assert closed.status.startswith("EXECUTED")
    assert closed.remaining == 0
    trades = rest_account.read_own_trades(answer(ORDER, "/trades", exact=True), **STAMPS)
    assert {trade.venue_order_id for trade in trades} == {order.venue_id}
    assert sum(trade.amount for trade in trades) == closed.original
    assert all(trade.fee is not None for trade in trades)


def test_the_conf_answers_of_2021() -> None:
    lists = []
    for line in ws_lines("public-thin-pairs-2021-04-17.jsonl.gz"):
        told = read_json(line)
        if told["t"] == "http":
            (names,) = rest.read_conf(read_json(told["data"]), ["x"]).values()
            lists.append(rest.read_names(names))
    assert [len(names) > 20 for names in lists] == [True, True, True]
    assert rest.read_map([["DSH", "DASH"], ["UST", "USDt"]]) == {"DSH": "DASH", "UST": "USDt"}


# --- the documents' examples --------------------------------------------------------------------------------------


def test_the_documented_public_answers() -> None:
    stamp: dict[str, Any] = {"received_ns": 1}
    assert rest.read_platform_status(example("ExchangeData/GetPlatformStatus"))
    assert rest.read_candle_answer(example("ExchangeData/GetLastKline"), "tETHUST", "1D")[0].volume == 0.07870586
    assert rest.read_candle_answer(example("ExchangeData/GetKlines"), "tETHUST", "1D")[0].close == 20114
    assert rest.read_trades_answer(example("ExchangeData/GetTradeHistory"), "tETHUST", **stamp)[0].price == 10682
    assert rest.read_tickers(example("ExchangeData/GetFundingTicker"), **stamp)[0].symbol == "fUSD"
    assert rest.read_ticker_history(example("ExchangeData/GetTickerHistory"))[0].ask == 648.82
    for name in ("GetDerivativesStatus",):
        assert rest.read_deriv_statuses(example(f"ExchangeData/{name}"), **stamp)[0].open_interest == 246502.09001551
    history = rest.read_deriv_history(example("ExchangeData/GetDerivativesStatusHistory"), "tETHUST", **stamp)
    assert history[0].next_funding_step == 9379
    assert rest.read_liquidations(example("ExchangeData/GetLiquidations"), **stamp)[0].price == 1.0098
    assert rest.read_statistics(example("ExchangeData/GetCreditSize"))[0].value == 369005353.5945115
    assert rest.read_statistics([5, 1.5])[0].value == 1.5
    assert rest.read_funding_statistics(example("ExchangeData/GetFundingStatistics"))[0].average_period == 68.88
    assert rest.read_average_price(example("ExchangeData/GetAveragePrice"))[1] == 1.123
    assert rest.read_exchange_rate(example("ExchangeData/GetForeignExchangeRate")) == 8668.65
    ranking = [[1591614631576, None, "name", 1, None, None, 1156.5, None, None, "x"]]
    assert rest.read_rankings(ranking)[0].rank == 1
    assert len(rest.read_names(example("ExchangeData/GetSymbolNames")[0])) > 50
    for name, symbol, precision in (
        ("GetOrderBook", "tETHUST", "P2"),
        ("GetRawOrderBook", "tETHUST", "R0"),
        ("GetFundingOrderBook", "fUSD", "P2"),
        ("GetRawFundingOrderBook", "fUSD", "R0"),
    ):
        levels = rest.read_book_answer(example(f"ExchangeData/{name}"), symbol, precision, **stamp)
        assert levels.bids
        assert not levels.asks
    assert rest.read_funding_trades_answer([[1, 2, -5, 0.0002, 30]], "fUSD", **stamp)[0].period == 30


def test_the_documented_account_answers() -> None:
    read = rest_account
    assert read.read_wallets(example("Account/GetBalances"), **STAMPS)[0].balance == Decimal("19788.6529257")
    assert read.read_available(example("Account/GetAvailableBalance")) == Decimal("0.8056309")
    assert read.read_margin_answer(example("Account/GetBaseMarginInfo"), **STAMPS)
    assert read.read_margin_answer([example("Account/GetSymbolMarginInfo")] * 2, **STAMPS)
    ledgers = read.read_ledgers(example("Account/GetLedgerEntries"))
    assert ledgers[0].amount == Decimal("0.01644445")
    assert read.read_ledgers(read_json(write_json([read.ledger_row(ledgers[0])]))) == ledgers
    assert read.read_fee_rates(example("Account/Get30DaySummaryAndFees")) == FeeRates(
        maker=Decimal("0.001"),
        taker_crypto=Decimal("0.002"),
        taker_stable=Decimal("0.002"),
        taker_fiat=Decimal("0.002"),
        derivative_maker=Decimal("0.0002"),
        derivative_taker=Decimal("0.00065"),
    )
    assert read.read_orders(example("Trading/GetOpenOrders"), **STAMPS)[0].price == 220
    closed = read.read_orders(example("Trading/GetClosedOrders"), **STAMPS)[0]
    assert (closed.group_id, closed.flags) == (1227, 0)
    assert read.read_own_trades(example("Trading/GetUserTrades"), **STAMPS)[0].fee == Decimal("-0.061668")
    assert read.read_own_trades(example("Trading/GetOrderTrades"), **STAMPS)[0].fee_currency == "USD"
    assert read.read_positions(example("Trading/GetPositions"), **STAMPS)[0].amount == Decimal("0.0195")
    for name in ("GetPositionHistory", "GetPositionSnapshots", "GetPositionsById"):
        assert read.read_past_positions(example(f"Trading/{name}"))[0].position_id > 0
    placed = read.read_write_answer(example("Trading/PlaceOrder"), **STAMPS)
    assert placed.accepted
    assert placed.time_ms == 1678987199000
    assert placed.orders[0].venue_id == placed.notice.venue_id == 1747566428
    cancelled = read.read_write_answer(example("Trading/CancelOrder"), **STAMPS)
    assert (cancelled.time_ms, cancelled.orders[0].status) == (1678989283488, "CANCELED")
    assert len(read.read_write_answer(example("Trading/CancelOrders"), **STAMPS).orders) >= 1
    claimed = read.read_write_answer(example("Trading/ClaimPosition"), **STAMPS)
    assert (claimed.notice.kind, claimed.orders) == ("pm-req", ())


def test_several_operations_answer_with_envelopes_in_an_envelope() -> None:
    row = example("Trading/CancelOrder")[4]
    inner = [1706762515, "on-req", None, None, [row], None, "SUCCESS", "Submitting 1 orders."]
    refused = [1706762515, "on-req", None, None, [[None] * 32], None, "ERROR", "amount: invalid"]
    told = rest_account.read_write_answer(
        [1706762515553, "ox_multi-req", None, None, [inner, refused], None, "SUCCESS", "x"], **STAMPS
    )
    assert [part.accepted for part in told.parts] == [True, False]
    assert told.parts[0].orders[0].venue_id == row[0]
    assert told.parts[1].orders == ()
    odd = [1, "oc_multi-req", None, None, [row, 5, []], None, "SUCCESS", "x"]
    assert len(rest_account.read_write_answer(odd, **STAMPS).orders) == 1


def test_a_key_that_can_withdraw_is_seen() -> None:
    permissions = rest_account.read_permissions_answer([["orders", 1, 1], ["withdraw", 1, 0], ["ui_withdraw", 0, 0]])
    assert permissions[0] == Permission(scope="orders", read=True, write=True)
    assert not rest_account.can_withdraw(permissions)
    assert rest_account.can_withdraw(rest_account.read_permissions_answer([["withdraw", 0, 1]]))


@pytest.mark.parametrize("odd", [True, "3+", [], 1e400])
def test_whose_account_it_is_hangs_on_no_other_field(odd: object) -> None:
    """A live start waited for ever, for a level of verification that nobody looks at."""
    user: list[Any] = [5] + [odd] * 70
    assert rest_account.read_user_id(user) == 5
    for nobody in ([None] * 55, [], None, ["five"]):
        with pytest.raises(MalformedFrame):
            rest_account.read_user_id(nobody)


def test_the_rest_of_the_account() -> None:
    user: list[Any] = [None] * 55
    user[0], user[3], user[5], user[7], user[16], user[21] = 5, 6, 3, "UTC", 9, 1
    info = rest_account.read_user_info(user)
    assert (info.user_id, info.paper, info.is_sub_account) == (5, True, True)
    movement: list[Any] = [None] * 22
    movement[0:3], movement[5:7], movement[9] = [1, "BTC", "BITCOIN"], [3, 4], "COMPLETED"
    movement[12:14] = [Decimal("-1.5"), Decimal("-0.1")]
    assert rest_account.read_movements([movement])[0].amount == Decimal("-1.5")
    alert = ["price:tETHUSD:220", "price", "tETHUSD", 220, 100]
    assert rest_account.read_alerts(alert) == rest_account.read_alerts([alert])
    assert rest_account.read_logins([[1, None, 2, None, "127.0.0.1", None, None, "{}"]])[0].address == "127.0.0.1"
    assert rest_account.read_token(["token"]) == "token"
    with pytest.raises(MalformedFrame, match="was null"):
        rest_account.read_available([None])
    offer: list[Any] = [None] * 21
    offer[0:2], offer[14:16] = [1, "fUSD"], [Decimal("0.01"), 2]
    assert rest_account.read_offers([offer], **STAMPS)[0].period == 2
    assert rest_account.read_loans([offer], **STAMPS)[0].position_pair is None
    assert rest_account.read_loans([[*offer, "tBTCUSD"]], **STAMPS, credits=True)[0].position_pair == "tBTCUSD"
    trade = [636854, "fUSD", 1575282446000, 41238905, -1000, Decimal("0.002"), 7, None]
    assert rest_account.read_own_funding_trades([trade], **STAMPS)[0].period == 7
    info_row = ["sym", "fUSD", [None, Decimal("0.01"), 0, 0]]
    assert rest_account.read_funding_info_answer(info_row, **STAMPS).yield_lend == Decimal("0.01")


@pytest.mark.parametrize("name", sorted(name for name in EXAMPLES if name.startswith("Endpoints/")))
def test_every_documented_answer_is_an_answer(name: str) -> None:
    rest.read_answer(200, EXAMPLES[name][2], exact=True)
