"""Inputs both ways: what our client asks is what our venue reads; wrong fields are refused in the venue's words."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.bitfinex import inputs
from protocols.bitfinex.account import FLAG_HIDDEN, FLAG_OCO, FLAG_POST_ONLY
from protocols.bitfinex.errors import InputRefused, LocalProtocolError, MalformedFrame
from protocols.bitfinex.numbers import write_json
from protocols.orders import CancelOrder, SubmitOrder, UpdateOrder
from protocols.units import Symbol
from tests.recordings import ws_lines

BODY = {"type": "EXCHANGE LIMIT", "symbol": "tBTCUSD", "amount": "0.1", "price": "10000"}

amounts = st.decimals(min_value=Decimal("0.00000001"), max_value=10**9, places=8)
submits = st.builds(
    SubmitOrder,
    cid=st.integers(1, inputs.LARGEST_CID),
    cid_date=st.just("2026-01-31"),
    group_id=st.integers(1, 2**31 - 1),
    symbol=st.sampled_from(["tBTCUSD", "tDUSK:USD", "t1INCH:USD", "tBTCF0:USTF0", "tTESTBTC:TESTUSD"]).map(Symbol),
    wire_type=st.sampled_from(sorted(inputs.ORDER_TYPES)),
    amount=amounts | amounts.map(lambda amount: -amount),
    price=amounts,
    aux_limit_price=amounts,
    trailing_distance=amounts,
    oco_stop_price=st.none(),
    flags=st.sampled_from([0, 64, 512, 1024, 4096, 4160]),
    session=st.just(1),
    correlation_id=st.just("c"),
    received_ns=st.just(0),
    expires_ms=st.none() | st.integers(10**9, 2 * 10**9).map(lambda seconds: seconds * 1000),
    leverage=st.none() | st.integers(1, 100),
)


@given(submits)
def test_a_submitted_order_is_read_as_it_was_meant(order: SubmitOrder) -> None:
    frame = inputs.encode_command(order)
    assert frame == write_json([0, "on", None, inputs.submit_fields(order)])
    read = inputs.decode_input(frame)
    assert read == inputs.NewOrder(
        cid=order.cid,
        group_id=order.group_id,
        symbol=order.symbol,
        wire_type=order.wire_type,
        amount=order.amount,
        price=order.price,
        aux_limit_price=order.aux_limit_price,
        trailing_distance=order.trailing_distance,
        oco_stop_price=None,
        flags=order.flags,
        leverage=order.leverage,
        expires_ms=order.expires_ms,
    )


def submit(**changes: Any) -> SubmitOrder:
    fields: dict[str, Any] = {
        "cid": 7,
        "cid_date": "2026-01-31",
        "group_id": 0,
        "symbol": Symbol("tBTCUSD"),
        "wire_type": "EXCHANGE LIMIT",
        "amount": Decimal("0.10"),
        "price": Decimal("1E+4"),
        "aux_limit_price": None,
        "trailing_distance": None,
        "oco_stop_price": None,
        "flags": 0,
        "session": 1,
        "correlation_id": "c",
        "received_ns": 0,
    }
    return SubmitOrder(**(fields | changes))


def test_orders_go_out_as_decimal_text_and_nothing_that_was_not_meant() -> None:
    assert inputs.encode_command(submit()) == (
        b'[0,"on",null,{"cid":7,"type":"EXCHANGE LIMIT","symbol":"tBTCUSD","amount":"0.1","price":"10000"}]'
    )


def test_an_oco_order_carries_its_flag() -> None:
    read = inputs.decode_input(inputs.encode_command(submit(oco_stop_price=Decimal("9000"))))
    assert isinstance(read, inputs.NewOrder)
    assert read.flags == FLAG_OCO
    assert read.oco_stop_price == 9000


@pytest.mark.parametrize("cid", [0, -1, 2**45])
def test_a_cid_the_venue_would_refuse_is_not_sent(cid: int) -> None:
    with pytest.raises(LocalProtocolError, match="cid must be in"):
        inputs.encode_command(submit(cid=cid))


def test_cancels_go_by_id_or_by_cid_and_its_day() -> None:
    cancel = CancelOrder(cid=7, cid_date="2026-01-31", venue_id=None, session=1, correlation_id="c")
    assert inputs.encode_command(cancel) == b'[0,"oc",null,{"cid":7,"cid_date":"2026-01-31"}]'
    assert inputs.decode_input(inputs.encode_command(cancel)) == inputs.EndOrder(
        venue_id=None, cid=7, cid_date="2026-01-31"
    )
    by_id = CancelOrder(cid=7, cid_date="2026-01-31", venue_id=99, session=1, correlation_id="c")
    assert inputs.encode_command(by_id) == b'[0,"oc",null,{"id":99}]'


def test_an_update_always_repeats_the_flags() -> None:
    update = UpdateOrder(
        cid=7, venue_id=99, price=Decimal("1.5"), amount=None, flags=4160, session=1, correlation_id="c"
    )
    assert inputs.encode_command(update) == b'[0,"ou",null,{"id":99,"price":"1.5","flags":4160}]'
    read = inputs.decode_input(inputs.encode_command(update))
    assert read == inputs.ChangeOrder(venue_id=99, cid=None, cid_date=None, price=Decimal("1.5"), flags=4160)
    amount = UpdateOrder(cid=7, venue_id=99, price=None, amount=Decimal("-2"), flags=0, session=1, correlation_id="c")
    assert inputs.encode_command(amount) == b'[0,"ou",null,{"id":99,"amount":"-2","flags":0}]'


def test_many_orders_are_cancelled_by_any_names() -> None:
    frame = inputs.encode_cancel_many(
        inputs.cancel_many_fields(venue_ids=[1, 2], cids=[(3, "2026-01-31")], group_ids=[4])
    )
    assert inputs.decode_input(frame) == inputs.EndOrders(venue_ids=(1, 2), cids=((3, "2026-01-31"),), group_ids=(4,))
    everything = inputs.encode_cancel_many(inputs.cancel_many_fields(everything=True))
    assert everything == b'[0,"oc_multi",null,{"all":1}]'
    with pytest.raises(LocalProtocolError, match="at least one"):
        inputs.cancel_many_fields()


def test_several_commands_share_a_frame_and_a_bad_one_spoils_only_itself() -> None:
    frame = inputs.encode_multi([submit(), CancelOrder(cid=7, cid_date="d", venue_id=5, session=1, correlation_id="")])
    alone = inputs.encode_command(submit()).removeprefix(b"[0,").replace(b"null,", b"")
    assert frame == b'[0,"ox_multi",null,[[' + alone + b',["oc",{"id":5}]]]'
    read = inputs.decode_input(frame)
    assert isinstance(read, inputs.MultiOperation)
    assert [type(operation) for operation in read.operations] == [inputs.NewOrder, inputs.EndOrder]
    with pytest.raises(LocalProtocolError, match=r"1\.\.75"):
        inputs.encode_multi([])
    mixed = inputs.read_multi({"ops": [["on", BODY | {"amount": "x"}], ["oc", {"id": 5}], 7, ["xx", {}]]})
    kinds = [type(operation).__name__ for operation in mixed.operations]
    assert kinds == ["Refused", "EndOrder", "Refused", "Refused"]
    with pytest.raises(InputRefused, match="ops: invalid"):
        inputs.read_multi({"ops": []})


def test_values_are_asked_for_in_batches() -> None:
    assert inputs.encode_calc(["balance", "margin_base"]) == b'[0,"calc",null,[["balance"],["margin_base"]]]'
    assert inputs.decode_input(b'[0,"calc",null,[["balance"],"wallet_exchange_USD"]]') == inputs.Calculate(
        keys=("balance", "wallet_exchange_USD")
    )
    with pytest.raises(LocalProtocolError, match=r"1\.\.30"):
        inputs.encode_calc(["x"] * 31)
    for body in ("[]", "{}", "[5]", "[[]]", "null"):
        with pytest.raises(InputRefused, match="calc: invalid"):
            inputs.decode_input(f'[0,"calc",null,{body}]')


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"type": "LIMITED"}, "type: invalid"),
        ({"type": None}, "type: invalid"),
        ({"symbol": "BTCUSD"}, "symbol: invalid"),
        ({"symbol": "tbtcusd"}, "symbol: invalid"),
        ({"symbol": "fUSD"}, "symbol: invalid"),
        ({"symbol": 5}, "symbol: invalid"),
        ({"amount": "0"}, "amount: invalid"),
        ({"amount": "much"}, "amount: invalid"),
        ({"amount": "NaN"}, "amount: invalid"),
        ({"amount": "1e999999"}, "amount: invalid"),
        ({"amount": [1]}, "amount: invalid"),
        ({"amount": True}, "amount: invalid"),
        ({"amount": None}, "amount: invalid"),
        ({"price": None}, "price: invalid"),
        ({"price": "-5"}, "price: invalid"),
        ({"cid": "12"}, "cid: invalid"),
        ({"cid": 2**45}, "cid: invalid"),
        ({"cid": -1}, "cid: invalid"),
        ({"cid": 1.5}, "cid: invalid"),
        ({"gid": "x"}, "gid: invalid"),
        ({"flags": -1}, "flags: invalid"),
        ({"lev": 101}, "lev: invalid"),
        ({"tif": "tomorrow"}, "tif: invalid"),
        ({"tif": 1.5}, "tif: invalid"),
        ({"meta": 5}, "meta: invalid"),
        ({"type": "EXCHANGE STOP LIMIT"}, "price_aux_limit: invalid"),
        ({"type": "EXCHANGE TRAILING STOP"}, "price_trailing: invalid"),
        ({"flags": 16384}, "price_oco_stop: invalid"),
        ({"flags": 16384, "price_oco_stop": "5", "type": "EXCHANGE STOP"}, "price_oco_stop: invalid"),
    ],
)
def test_a_wrong_field_is_refused_in_the_venues_words_with_the_request_beside_it(
    changes: dict[str, Any], text: str
) -> None:
    body = BODY | {"cid": 12} | changes
    with pytest.raises(InputRefused) as caught:
        inputs.decode_input(json.dumps([0, "on", None, body]))
    assert (caught.value.kind, caught.value.text) == ("on-req", text)
    assert set(caught.value.fields) == set(body)


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("oc", {}, "id: invalid"),
        ("oc", {"id": "abc"}, "id: invalid"),
        ("oc", {"cid": 5}, "cid_date: invalid"),
        ("oc", {"cid": 5, "cid_date": "2026-13-01"}, "cid_date: invalid"),
        ("oc", {"cid": 5, "cid_date": 20260131}, "cid_date: invalid"),
        ("ou", {"price": "5"}, "id: invalid"),
        ("oc_multi", {}, "id: invalid"),
        ("oc_multi", {"cid": [5]}, "cid: invalid"),
        ("oc_multi", {"cid": [[5, None]]}, "cid: invalid"),
        ("oc_multi", {"id": {"a": 1}}, "id: invalid"),
        ("oc_multi", {"id": [[]]}, "id: invalid"),
        ("oc_multi", {"gid": [["x"]]}, "gid: invalid"),
        ("fon", {"type": "X"}, "type: invalid"),
        ("fon", {"type": "LIMIT", "symbol": "tBTCUSD"}, "symbol: invalid"),
        ("fon", {"type": "LIMIT", "symbol": "fUSD"}, "amount: invalid"),
        ("fon", {"type": "LIMIT", "symbol": "fUSD", "amount": "5"}, "rate: invalid"),
        ("fon", {"type": "LIMIT", "symbol": "fUSD", "amount": "5", "rate": "0.1", "period": 1}, "period: invalid"),
        ("foc", {}, "id: invalid"),
        ("n", {"type": "other"}, "type: invalid"),
        ("xx", {}, "input: invalid"),
        ("on", [], "input: invalid"),
        ("on", None, "input: invalid"),
    ],
)
def test_the_other_inputs_are_as_strict(kind: str, body: object, text: str) -> None:
    with pytest.raises(InputRefused) as caught:
        inputs.decode_input(json.dumps([0, kind, None, body]))
    assert (caught.value.kind, caught.value.text) == (f"{kind}-req", text)


@pytest.mark.parametrize("frame", ["[1]", "{}", "5", '[1,"on",null,{}]', "[0,5,null,{}]", '[0,"on",null]', "nope"])
def test_what_is_no_input_is_malformed(frame: str) -> None:
    with pytest.raises(MalformedFrame):
        inputs.decode_input(frame)


def test_clients_say_numbers_in_many_ways() -> None:
    read = inputs.decode_input(
        json.dumps(
            [
                0,
                "on",
                None,
                BODY | {"amount": 0.1, "price": 10000, "flags": "4096", "hidden": 1, "gid": 5.0, "lev": "3"},
            ]
        )
    )
    assert isinstance(read, inputs.NewOrder)
    assert (read.amount, read.price, read.cid, read.group_id) == (Decimal("0.1"), Decimal(10000), None, 5)
    assert read.flags == FLAG_POST_ONLY | FLAG_HIDDEN
    assert inputs.decode_input('[0,"oc_multi",null,{"id":5,"gid":[1],"all":0}]') == inputs.EndOrders(
        venue_ids=(5,), group_ids=(1,)
    )
    nested = inputs.decode_input('[0,"oc_multi",null,{"gid":[[1,2]]}]')
    assert nested == inputs.EndOrders(group_ids=(1, 2))
    market = inputs.decode_input('[0,"on",null,{"type":"market","symbol":"tBTCUSD","amount":"-1","price":"0"}]')
    assert isinstance(market, inputs.NewOrder)
    assert (market.wire_type, market.price) == ("MARKET", None)


def test_a_frame_really_sent_in_2017() -> None:
    (sent,) = [json.loads(line)["data"] for line in ws_lines("private-orders-2017-09.jsonl") if b'"send"' in line]
    assert inputs.decode_input(sent) == inputs.NewOrder(
        cid=1004,
        group_id=None,
        symbol="tBTCUSD",
        wire_type="EXCHANGE LIMIT",
        amount=Decimal("0.117678"),
        price=Decimal("4248.9"),
    )


def test_funding_and_broadcasts() -> None:
    offer = '[0,"fon",null,{"type":"LIMIT","symbol":"fUSD","amount":"50","rate":"0.0002","period":7,"flags":0}]'
    assert inputs.decode_input(offer) == inputs.NewOffer(
        wire_type="LIMIT", symbol="fUSD", amount=Decimal(50), rate=Decimal("0.0002"), period=7
    )
    assert inputs.decode_input('[0,"foc",null,{"id":41238934}]') == inputs.EndOffer(venue_id=41238934)
    assert inputs.decode_input('[0,"n",5,{"type":"ucm-test","info":{"a":1}}]') == inputs.Broadcast(
        message_id=5, kind="ucm-test", info={"a": 1}
    )


def test_times_in_text_are_utc() -> None:
    assert inputs.write_time(1_769_856_323_000) == "2026-01-31 10:45:23"
    assert inputs.write_day(1_769_856_323_000) == "2026-01-31"
    assert inputs.read_time("2026-01-31 10:45:23") == 1_769_856_323_000
    assert inputs.read_time("2026-01-31") == 1_769_817_600_000
    assert inputs.read_time("2026-01-31T10:45:23+01:00") == 1_769_852_723_000
    assert inputs.read_time("soon") is None
