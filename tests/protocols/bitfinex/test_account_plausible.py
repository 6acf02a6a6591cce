"""Orders, wallets and positions that cannot be are refused with their reason, and hide nothing beside them."""

from decimal import Decimal
from typing import Any

import pytest

from protocols.bitfinex.account import read_account, read_order, read_position, read_wallet
from protocols.bitfinex.account_session import AccountSession
from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.events import FLAG_TIMESTAMP, conf_answer
from protocols.bitfinex.numbers import read_json, write_json
from protocols.bitfinex.rest_account import read_orders, read_positions
from protocols.bitfinex.rows import Tolerance
from protocols.orders import OrderSnapshot, PositionSnapshot, UnclearRow, VenueOrder, WalletSnapshot

MS = 1_700_000_000_000

ORDER: list[Any] = [None] * 32
ORDER[0:9] = [55, 71, 9, "tBTCUSD", MS, MS, "0.1", "0.1", "EXCHANGE LIMIT"]
ORDER[12:14] = [0, "ACTIVE"]
ORDER[16:20] = [100, 0, 0, 0]
WALLET: list[Any] = ["exchange", "USD", "1000", 0, "900", "a text", None]
POSITION: list[Any] = ["tBTCUSD", "ACTIVE", "-2", "100", 0, 0, "5", None, None, None, None, 7]

HUGE = ["1e15", "-1e15", "1e30"]
WRONG_ORDERS: list[tuple[int, object, str]] = [(place, number, "amount") for place in (6, 7, 18, 19) for number in HUGE]
WRONG_ORDERS += [(place, number, "price") for place in (16, 17) for number in (*HUGE, "-1")]
WRONG_ORDERS += [(7, 0, "amount"), (7, None, "amount"), (3, None, "symbol"), (3, "", "symbol")]
WRONG_ORDERS += [(place, "NaN", "number") for place in (6, 7, 16, 17, 18, 19)]
WRONG_WALLETS: list[tuple[int, object, str]] = [
    (place, number, "number") for place in (2, 3, 4) for number in (*HUGE, "Infinity")
]
WRONG_WALLETS += [
    (2, "-0.01", "balance of an exchange wallet"),
    (0, None, "type and currency"),
    (1, "", "type and currency"),
]
WRONG_POSITIONS: list[tuple[int, object, str]] = [(2, number, "amount") for number in HUGE]
WRONG_POSITIONS += [(3, number, "base price") for number in (*HUGE, "-1")]
WRONG_POSITIONS += [(0, None, "symbol"), (2, "NaN", "number")]


def but(row: list[Any], place: int, wrong: object) -> list[Any]:
    return [*row[:place], wrong, *row[place + 1 :]]


def heard(kind: str, payload: list[Any]) -> Any:
    return read_account(kind, payload, session=1, received_ns=2, tolerance=Tolerance())


@pytest.mark.parametrize(("place", "wrong", "reason"), WRONG_ORDERS)
def test_an_order_that_cannot_be_is_refused_and_known_to_be_there(place: int, wrong: object, reason: str) -> None:
    row = but(ORDER, place, wrong)
    with pytest.raises(MalformedFrame, match=f"{reason} must"):
        read_order(row, event="ou", session=1, received_ns=2)
    other = but(but(ORDER, 0, 56), 2, 10)
    snapshot = heard("os", [row, other])
    assert isinstance(snapshot, OrderSnapshot)
    assert [order.venue_id for order in snapshot.orders] == [56]
    (unclear,) = snapshot.unclear
    assert (unclear.venue_id, unclear.cid) == (55, 9)
    assert f"{reason} must" in unclear.reason
    told: list[UnclearRow] = []
    assert [order.event for order in read_orders([other, row], session=1, received_ns=2, unclear=told)] == ["rest"]
    assert told == [unclear] or told[0].reason == unclear.reason.replace("os", "orders")


@pytest.mark.parametrize(("place", "wrong", "reason"), WRONG_WALLETS)
def test_a_wallet_that_cannot_be_is_refused_and_the_others_are_known(place: int, wrong: object, reason: str) -> None:
    row = but(WALLET, place, wrong)
    with pytest.raises(MalformedFrame, match=f"{reason} must"):
        read_wallet(row, session=1, received_ns=2)
    snapshot = heard("ws", [row, ["margin", "USD", "-5", 0, None]])
    assert isinstance(snapshot, WalletSnapshot)
    assert [wallet.wallet_type for wallet in snapshot.wallets] == ["margin"]
    (unclear,) = snapshot.unclear
    assert (unclear.wallet_type, unclear.name) == (row[0] or "", row[1] or "")


@pytest.mark.parametrize("left", ["-0.00000001", "-0.00000032", "-0.00001", "-0.001"])
def test_what_rounding_leaves_below_zero_is_no_fault(left: str) -> None:
    """Refused, it kept the account from being known, and each word of that wallet cost the private line."""
    assert read_wallet(but(WALLET, 2, left), session=1, received_ns=2).balance == Decimal(left)


@pytest.mark.parametrize(("place", "wrong", "reason"), WRONG_POSITIONS)
def test_a_position_that_cannot_be_is_refused_and_the_others_are_known(place: int, wrong: object, reason: str) -> None:
    row = but(POSITION, place, wrong)
    with pytest.raises(MalformedFrame, match=f"{reason} must"):
        read_position(row, session=1, received_ns=2)
    other = but(POSITION, 0, "tETHUSD")
    snapshot = heard("ps", [row, other])
    assert isinstance(snapshot, PositionSnapshot)
    assert [position.symbol for position in snapshot.positions] == ["tETHUSD"]
    assert [each.name for each in snapshot.unclear] == [row[0] or ""]
    told: list[UnclearRow] = []
    (kept,) = read_positions([row, other], session=1, received_ns=2, unclear=told)
    assert (kept.symbol, len(told)) == ("tETHUSD", 1)


@pytest.mark.parametrize("row", ["no row", None, 5, [], [None] * 32, [{}, None, {}, []]])
def test_a_row_that_says_nothing_of_itself_is_told_all_the_same(row: object) -> None:
    """Nobody can say then which order it is: left out without a word, any might be taken for gone."""
    for kind in ("os", "ws", "ps"):
        snapshot = heard(kind, [row])
        assert [(each.venue_id, each.cid, each.name) for each in snapshot.unclear] == [(None, None, "")]


def test_an_order_of_the_far_future_is_heard_with_the_time_of_its_frame() -> None:
    """Believed, no later word on that order would ever count again."""
    session = AccountSession(session=1, api_key="k", api_secret="s")
    session.receive(conf_answer(FLAG_TIMESTAMP), 1)
    row = read_json(write_json(but(ORDER, 5, MS + 10**12)))
    for kind, payload in (("ou", row), ("os", [row])):
        *_, told = session.receive(write_json([0, kind, payload, MS + 5]), 2)
        order = told.orders[0] if isinstance(told, OrderSnapshot) else told
        assert isinstance(order, VenueOrder)
        assert order.updated_ms == MS + 5
    (told,) = session.receive(write_json([0, "ou", but(ORDER, 5, MS + 59_000), MS + 5]), 2)
    assert isinstance(told, VenueOrder)
    assert told.updated_ms == MS + 59_000
