"""The validator: each fault says its field, what it must be and what it was; what the venue takes passes."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.order_check import order_faults, order_notices
from genesis.domain.pairs import pair_specs
from protocols.orders import Bracket, OrderIntent, OrderType, Purpose
from protocols.units import Side, Symbol

D = Decimal
BTC = Symbol("tBTCUSD")
PAIR = pair_specs([BTC])[BTC]


def an_intent(**changes: Any) -> OrderIntent:
    fields: dict[str, Any] = {
        "intent_id": "manual:1",
        "strategy": "manual",
        "symbol": BTC,
        "side": Side.BUY,
        "quantity": D("0.1"),
        "order_type": OrderType.LIMIT,
        "purpose": Purpose.MANUAL,
        "decided_ms": 0,
        "correlation_id": "c",
        "price": D(7000),
    }
    return OrderIntent(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"quantity": D("0.00001")}, "quantity must be at least 0.00004 BTC, was 0.00001"),
        ({"quantity": D(3000)}, "quantity must be at most 2000 BTC, was 3000"),
        ({"quantity": D("0.123456789")}, "quantity must be of at most 8 decimals, was 0.123456789"),
        ({"price": D("7000.55")}, "price must be of at most 5 significant digits (and 8 decimals), was 7000.55"),
        ({"price": D("1e13")}, "price must be at most 1000000000000, was 10000000000000"),
        ({"order_type": OrderType.MARKET}, "price must be absent for MARKET, was 7000"),
        ({"order_type": OrderType.STOP_LIMIT}, "price_aux_limit must be given for STOP LIMIT, was absent"),
        ({"price_aux": 1, "aux_limit_price": D(7000)}, "price_aux_limit must be absent for LIMIT, was 7000"),
        (
            {"order_type": OrderType.TRAILING_STOP, "price": None},
            "price_trailing must be given for TRAILING STOP, was absent",
        ),
        ({"oco_stop_price": D(6000)}, "price_oco_stop must be above the price 7000, was 6000"),
        ({"bracket": Bracket(stop_price=D(7100))}, "stop_price must be below the entry's price 7000, was 7100"),
        ({"bracket": Bracket(target_price=D(6900))}, "target_price must be above the entry's price 7000, was 6900"),
        (
            {
                "order_type": OrderType.MARKET,
                "price": None,
                "bracket": Bracket(stop_price=D(7000), target_price=D(6000)),
            },
            "target_price must be above the stop 7000, was 6000",
        ),
        (
            {"bracket": Bracket(stop_distance=D(10), trailing=True, target_price=D(8000))},
            "target must be absent with a trailing stop on the exchange wallet: "
            "the same coins cannot rest twice, was given",
        ),
        (
            {"side": Side.SELL, "bracket": Bracket(stop_price=D(8000))},
            "side must be buy: a bracket on the exchange wallet protects coins that were bought, was sell",
        ),
    ],
)
def test_a_fault_says_what_must_be_and_what_was(changes: dict[str, Any], text: str) -> None:
    changes.pop("price_aux", None)
    assert [str(fault) for fault in order_faults(an_intent(**changes), PAIR)] == [text]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"order_type": OrderType.MARKET, "price": None},
        {"order_type": OrderType.STOP_LIMIT, "aux_limit_price": D(7010)},
        {"order_type": OrderType.TRAILING_STOP, "price": None, "trailing_distance": D("12.5")},
        {"order_type": OrderType.FOK},
        {"side": Side.SELL, "oco_stop_price": D(6500)},
        {"bracket": Bracket(stop_price=D(6900), target_distance=D(100))},
        {"margin": True, "side": Side.SELL, "bracket": Bracket(stop_price=D(7100), target_price=D(6500))},
    ],
)
def test_what_the_venue_takes_passes(changes: dict[str, Any]) -> None:
    assert order_faults(an_intent(**changes), PAIR) == ()


@given(st.decimals(min_value="0.00001", max_value="999999", places=10))
def test_a_price_passes_exactly_when_the_venue_would_not_change_it(price: Decimal) -> None:
    digits = len(price.normalize().as_tuple().digits)
    decimals = max(0, -int(price.normalize().as_tuple().exponent))
    assert (order_faults(an_intent(price=price), PAIR) == ()) is (digits <= 5 and decimals <= 8)


def test_what_is_ignored_is_said() -> None:
    notices = order_notices(an_intent(order_type=OrderType.MARKET, price=None, post_only=True, reduce_only=True))
    assert notices == (
        "post_only is ignored: a MARKET order does not rest",
        "reduce_only is ignored: the exchange wallet cannot go below zero",
    )
