"""Account rows read into messages and written back: every field at its place, padded, tolerant of the years."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.bitfinex import account, funding_rows
from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.numbers import read_json, write_json
from protocols.bitfinex.rows import Tolerance
from protocols.funding import (
    BalanceInfo,
    FundingInfo,
    FundingLoan,
    FundingOffer,
    FundingSnapshot,
    FundingTrade,
    MarginBase,
    MarginSymbol,
)
from protocols.orders import (
    OrderSnapshot,
    RequestNotice,
    VenueOrder,
    VenuePosition,
    VenueTrade,
    VenueWallet,
    WalletSnapshot,
)
from protocols.reference import PriceReached
from protocols.units import Symbol
from tests.recordings import documentation_examples, ws_data, ws_lines

ORDER = (
    '[1185815100,null,1575289350475,"tETHUSD",1575289351944,1575291219663,-3,-3.5,"LIMIT","STOP",null,null,4160,'
    '"CANCELED",null,null,240.1,239.5,1.5,238,null,null,null,0,1,77,null,null,"API>BFX",null,null,{"$F33":10}]'
)


def read(kind: str, text: str, tolerance: Tolerance | None = None) -> Any:
    return account.read_account(kind, read_json(text), session=3, received_ns=9, tolerance=tolerance or Tolerance())


def test_an_order_row_field_by_field() -> None:
    assert read("oc", ORDER) == VenueOrder(
        event="oc",
        session=3,
        venue_id=1185815100,
        group_id=None,
        cid=1575289350475,
        symbol=Symbol("tETHUSD"),
        created_ms=1575289351944,
        updated_ms=1575291219663,
        remaining=Decimal("-3"),
        original=Decimal("-3.5"),
        wire_type="LIMIT",
        wire_type_before="STOP",
        flags=4160,
        status="CANCELED",
        price=Decimal("240.1"),
        average_price=Decimal("239.5"),
        trailing_distance=Decimal("1.5"),
        aux_limit_price=Decimal("238"),
        placed_id=77,
        leverage=10,
        received_ns=9,
    )


def test_rows_of_all_years_are_read_and_their_lengths_counted() -> None:
    row = json.loads(ORDER)
    tolerance = Tolerance()
    for length in (14, 26, 27, 32, 33, 40):
        order = read("on", json.dumps((row + [5] * 10)[:length]), tolerance)
        assert order.venue_id == 1185815100
        assert order.status == "CANCELED"
    assert (tolerance.shorter_rows, tolerance.longer_rows) == (3, 2)


def test_history_rows_have_numbers_in_quotes_and_underscored_keys() -> None:
    row = json.loads(ORDER)
    row[1], row[12], row[31] = "1227", "4096", {"_$F33": 5, "_$F7": 1}
    order = read("on", json.dumps(row))
    assert (order.group_id, order.flags, order.leverage) == (1227, 4096, 5)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("on", "null"),
        ("on", "5"),
        ("on", "[]"),
        ("on", '["x"]'),
        ("on", "[true]"),
        ("on", "[1,null,null,5]"),
        ("on", '[1,null,null,"tBTCUSD",1,1,[1]]'),
        ("on", '[1,null,null,"tBTCUSD",1,1,"abc"]'),
        ("on", "[" + "9" * 40 + "]"),
        ("on", "[1e30]"),
        ("os", "5"),
        ("te", "[1]"),
        ("wu", "[[]]"),
        ("pu", '["t","A",{}]'),
        ("n", "{}"),
        ("miu", '["odd",[]]'),
        ("miu", '["base",null]'),
        ("fiu", '["sym","fUSD",5]'),
        ("bu", "{}"),
        ("fon", '["a"]'),
    ],
)
def test_what_is_no_row_is_refused_with_one_kind_of_error(kind: str, payload: str) -> None:
    with pytest.raises(MalformedFrame):
        read(kind, payload)


def test_null_is_an_empty_snapshot_and_unknown_kinds_are_counted() -> None:
    tolerance = Tolerance()
    assert read("os", "null") == OrderSnapshot(session=3, orders=(), received_ns=9)
    assert read("xyz", "[1]", tolerance) is None
    assert read("hos", "[[1]]", tolerance) is None
    assert tolerance.unknown_kinds == 1


def test_the_order_of_2017_as_one_account_saw_it() -> None:
    told = [read(json.loads(frame)[1], json.dumps(json.loads(frame)[2])) for frame in
            ws_data("private-orders-2017-09.jsonl")]  # fmt: skip
    kinds = [type(message).__name__ for message in told[:8]]
    assert kinds == [
        "RequestNotice",
        "VenueOrder",
        "VenueWallet",
        "VenueWallet",
        "VenueOrder",
        "VenueTrade",
        "VenueTrade",
        "VenueWallet",
    ]
    notice, opened, _, _, closed, executed, confirmed, _ = told[:8]
    assert (notice.kind, notice.status, notice.cid, notice.venue_id) == ("on-req", "SUCCESS", 1001, 3728702632)
    assert (opened.remaining, opened.status) == (Decimal("0.116163"), "ACTIVE")
    # The status text rounds the amount; the row does not.
    assert closed.status == "EXECUTED @ 4304.2632(0.12)"
    assert (closed.remaining, closed.original) == (Decimal(0), Decimal("0.116163"))
    assert (executed.fee, executed.fee_currency, executed.maker, executed.cid) == (None, None, False, None)
    assert (confirmed.fee, confirmed.fee_currency) == (Decimal("-0.00023233"), "BTC")
    refused = told[-1]
    assert (refused.status, refused.text, refused.cid, refused.venue_id) == (
        "ERROR",
        "api_key: permission invalid",
        1015,
        None,
    )


def test_the_logins_are_read_whole() -> None:
    for name in ("private-login-2017-04.frames.jsonl", "private-login-paper-account.frames.jsonl"):
        tolerance = Tolerance()
        for line in ws_lines(name):
            value = read_json(line)
            if isinstance(value, list):
                account.read_account(value[1], value[2], session=1, received_ns=1, tolerance=tolerance)
        assert tolerance.unknown_kinds == 0


@pytest.mark.parametrize(
    "name",
    [name for name in documentation_examples() if name.startswith("Subscriptions/Spot/") and "[\n  0" in
     documentation_examples()[name][2]],
)  # fmt: skip
def test_every_documented_account_frame_is_read(name: str) -> None:
    frame = read_json(documentation_examples()[name][2])
    tolerance = Tolerance()
    message = account.read_account(frame[1], frame[2], session=1, received_ns=1, tolerance=tolerance)
    assert message is not None
    assert tolerance.unknown_kinds == 0


def test_notifications_name_their_order_flat_nested_and_many() -> None:
    flat = read("n", f'[1575287438.515,"oc-req",null,null,{ORDER},null,"SUCCESS","Submitted."]')
    assert isinstance(flat, RequestNotice)
    assert (flat.cid, flat.venue_id, flat.venue_ids) == (1575289350475, 1185815100, (1185815100,))
    nested = read("n", f'[1,"on-req",null,null,[{ORDER}],null,"SUCCESS","x"]')
    assert (nested.cid, nested.venue_id) == (flat.cid, flat.venue_id)
    many = read("n", f'[1,"oc_multi-req",null,null,[{ORDER},{ORDER}],10001,"ERROR","x"]')
    assert (many.cid, many.venue_ids, many.code) == (None, (1185815100, 1185815100), 10001)
    for info in ('{"a":1}', "null", '["price:tETHUSD:220","price","tETHUSD",220,100]', "[]", "[[]]", "[[null]]"):
        assert read("n", f'[1,"uca",null,null,{info},null,"INFO","x"]').venue_id is None
        assert (
            read("n", f'[1,"on-req",null,null,{info if info[1:2] != chr(34) else "[]"},null,"ERROR","x"]').cid is None
        )


def test_an_alert_that_fired_is_told_as_one_and_anything_else_as_a_notification() -> None:
    info = '["price:tETHUSD:220.55","price","tETHUSD",220.6,100,1]'
    fired = read("n", f'[1,"uca",null,null,{info},null,"INFO","x"]')
    assert isinstance(fired, PriceReached)
    assert (fired.symbol, fired.level, fired.price) == ("tETHUSD", Decimal("220.55"), Decimal("220.6"))
    contract = '["price:tBTCF0:USTF0:9000","price","tBTCF0:USTF0","9000",1,-1]'
    assert read("n", f'[1,"uca",null,null,{contract},null,"INFO","x"]').level == 9000
    for odd in (
        "null",
        "[]",
        '[[],{},null,"y",1,1]',
        '["price:x:1e999","price","x",1,1,1]',
        '["price","price",7,1,1,1]',
    ):
        assert isinstance(read("n", f'[1,"uca",null,null,{odd},null,"INFO","x"]'), RequestNotice), odd
    assert isinstance(read("n", f'[1,"acc_tf",null,null,{info},null,"INFO","x"]'), RequestNotice)


def test_refused_orders_are_padded_and_send_the_cid_back() -> None:
    row = account.refused_order_row(cid=12, symbol="tBTCUSD", amount=Decimal("0.1"), wire_type="EXCHANGE LIMIT")
    assert len(row) == 32
    notice = account.notice_row("on-req", row, "ERROR", "price: invalid", time=5)
    assert len(notice) == 8
    told = read("n", write_json(notice).decode())
    assert (told.cid, told.venue_id, told.status, told.text) == (12, None, "ERROR", "price: invalid")


def test_a_trade_before_its_confirmation_never_shows_the_fee() -> None:
    trade = VenueTrade(
        event="te",
        session=3,
        trade_id=1,
        symbol=Symbol("tBTCUSD"),
        time_ms=2,
        venue_order_id=3,
        cid=4,
        amount=Decimal("0.1"),
        price=Decimal("100"),
        wire_type="EXCHANGE MARKET",
        order_price=Decimal("0"),
        maker=True,
        fee=Decimal("-0.5"),
        fee_currency="USD",
        received_ns=9,
    )
    row = account.trade_row(trade)
    assert row[8:12] == [1, None, None, 4]
    assert len(row) == 12


def test_frames_are_numbered_as_told() -> None:
    assert account.account_frame("os", [], (1, 0, 17)) == b'[0,"os",[],1,0,17]'
    assert account.account_heartbeat((3,)) == b'[0,"hb",3]'


# --- laws: what is written is read back ---------------------------------------------------------------------------

decimals = st.decimals(min_value=-(10**9), max_value=10**9, places=8).map(lambda number: number.normalize() + 0)
positives = st.decimals(min_value=0, max_value=10**9, places=8).map(lambda number: number.normalize() + 0)
ids = st.integers(1, 2**45 - 1)
times = st.integers(0, 2 * 10**12)
flags = st.sampled_from([0, 64, 1024, 4096, 4160, 16384])
names = st.sampled_from(["tBTCUSD", "tDUSK:USD", "tBTCF0:USTF0"]).map(Symbol)

orders = st.builds(
    VenueOrder,
    event=st.sampled_from(["on", "ou", "oc"]),
    session=st.just(3),
    venue_id=ids,
    group_id=st.none() | ids,
    cid=ids,
    symbol=names,
    created_ms=times,
    updated_ms=times,
    remaining=decimals,
    original=decimals.filter(bool),
    wire_type=st.sampled_from(["EXCHANGE LIMIT", "MARKET"]),
    wire_type_before=st.none() | st.just("EXCHANGE STOP"),
    expires_ms=st.none() | times,
    flags=flags,
    status=st.text(max_size=30),
    price=positives,
    average_price=positives,
    trailing_distance=positives,
    aux_limit_price=positives,
    placed_id=st.none() | ids,
    leverage=st.none() | st.integers(1, 100),
    received_ns=st.just(9),
)
trades = st.builds(
    VenueTrade,
    event=st.just("tu"),
    session=st.just(3),
    trade_id=ids,
    symbol=names,
    time_ms=times.filter(bool),
    venue_order_id=ids,
    cid=st.none() | ids,
    amount=decimals.filter(bool),
    price=positives.filter(bool),
    wire_type=st.just("LIMIT"),
    order_price=positives,
    maker=st.booleans(),
    fee=st.none() | decimals,
    fee_currency=st.none() | st.just("USD"),
    received_ns=st.just(9),
)
wallets = st.builds(
    VenueWallet,
    session=st.just(3),
    wallet_type=st.sampled_from(["exchange", "margin", "funding"]),
    currency=st.sampled_from(["USD", "UST", "BTC"]),
    balance=decimals,
    available=st.none() | decimals,
    received_ns=st.just(9),
    unsettled_interest=decimals,
    description=st.none() | st.text(max_size=20),
).filter(lambda wallet: wallet.wallet_type != "exchange" or wallet.balance >= 0)
positions = st.builds(
    VenuePosition,
    session=st.just(3),
    symbol=names,
    status=st.sampled_from(["ACTIVE", "CLOSED"]),
    amount=decimals,
    base_price=positives,
    margin_funding=decimals,
    position_id=ids,
    received_ns=st.just(9),
    profit=st.none() | decimals,
    liquidation_price=st.none() | positives,
    leverage=st.none() | positives,
    collateral=positives,
    derivative=st.booleans(),
)


def there_and_back(kind: str, row: list[Any], length: int) -> Any:
    assert len(row) == length
    frame = read_json(account.account_frame(kind, row))
    assert frame[:2] == [0, kind]
    return account.read_account(kind, frame[2], session=3, received_ns=9, tolerance=Tolerance())


@given(orders)
def test_an_order_comes_back_as_it_was_written(order: VenueOrder) -> None:
    assert there_and_back(order.event, account.order_row(order), 32) == order


@given(trades)
def test_a_trade_comes_back_as_it_was_written(trade: VenueTrade) -> None:
    assert there_and_back("tu", account.trade_row(trade), 12) == trade


@given(wallets)
def test_a_wallet_comes_back_as_it_was_written(wallet: VenueWallet) -> None:
    assert there_and_back("wu", account.wallet_row(wallet), 7) == wallet


@given(positions)
def test_a_position_comes_back_as_it_was_written(position: VenuePosition) -> None:
    assert there_and_back("pu", account.position_row(position), 20) == position


@given(st.lists(orders, max_size=3), st.lists(wallets, max_size=3))
def test_snapshots_come_back_row_by_row(told: list[VenueOrder], held: list[VenueWallet]) -> None:
    snapshot = read("os", write_json([account.order_row(order) for order in told]).decode())
    assert [order.venue_id for order in snapshot.orders] == [order.venue_id for order in told]
    assert all(order.event == "os" for order in snapshot.orders)
    wallet_snapshot = read("ws", write_json([account.wallet_row(wallet) for wallet in held]).decode())
    assert wallet_snapshot == WalletSnapshot(session=3, wallets=tuple(held), received_ns=9)


def test_funding_rows_come_back_as_they_were_written() -> None:
    offer = FundingOffer(
        event="fon",
        session=3,
        venue_id=1,
        symbol="fUSD",
        created_ms=2,
        updated_ms=3,
        remaining=Decimal("50"),
        original=Decimal("60.5"),
        wire_type="LIMIT",
        flags=64,
        status="ACTIVE",
        rate=Decimal("0.0002"),
        period=30,
        hidden=True,
        renew=True,
        received_ns=9,
    )
    assert there_and_back("fon", funding_rows.offer_row(offer), 21) == offer
    loan = FundingLoan(
        event="fcu",
        session=3,
        venue_id=1,
        symbol="fUST",
        side=-1,
        created_ms=2,
        updated_ms=3,
        amount=Decimal("350"),
        flags=0,
        status="ACTIVE",
        rate_type="FIXED",
        rate=Decimal("0.01"),
        period=30,
        opened_ms=4,
        last_payout_ms=5,
        hidden=False,
        renew=False,
        no_close=True,
        position_pair="tBTCUST",
        received_ns=9,
    )
    assert there_and_back("fcu", funding_rows.loan_row(loan, credit=True), 22) == loan
    trade = FundingTrade(
        event="fte",
        session=3,
        trade_id=1,
        symbol="fUSD",
        time_ms=2,
        offer_id=3,
        amount=Decimal("-1000"),
        rate=Decimal("0.002"),
        period=7,
        maker=True,
        received_ns=9,
    )
    assert there_and_back("fte", funding_rows.funding_trade_row(trade), 8) == trade
    offers = read("fos", write_json([funding_rows.offer_row(offer)]).decode())
    assert isinstance(offers, FundingSnapshot)
    assert offers.offers[0].venue_id == 1
    credits = read("fcs", write_json([funding_rows.loan_row(loan, credit=True)]).decode())
    assert credits.loans[0].position_pair == "tBTCUST"
    loans = read("fls", write_json([funding_rows.loan_row(loan)]).decode())
    assert loans.loans[0].position_pair is None


def test_calculated_values_come_back_and_may_be_missing() -> None:
    balance = BalanceInfo(session=3, total=Decimal("1.5"), net=None, received_ns=9)
    assert there_and_back("bu", funding_rows.balance_row(balance), 2) == balance
    base = MarginBase(
        session=3, profit=Decimal("-1"), swaps=None, balance=Decimal(5), net=Decimal(4), required=None, received_ns=9
    )
    assert there_and_back("miu", funding_rows.margin_row(base), 2) == base
    symbol = MarginSymbol(
        session=3, symbol="tBTCUSD", tradable=Decimal(1), gross=None, buy=Decimal(2), sell=None, received_ns=9
    )
    assert there_and_back("miu", funding_rows.margin_row(symbol), 3) == symbol
    info = FundingInfo(
        session=3,
        symbol="fUSD",
        yield_loan=None,
        yield_lend=Decimal("0.01"),
        duration_loan=None,
        duration_lend=Decimal(3),
        received_ns=9,
    )
    assert there_and_back("fiu", funding_rows.funding_info_row(info), 3) == info
