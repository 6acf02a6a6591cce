"""The book as a trader reads it: sorted, uncrossed, and honest about what an order would cost."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.order_book import OrderBook
from protocols.bitfinex.checksum import signed_crc32
from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.wire_book import LevelBook

Row = list[float | int]


def a_book() -> OrderBook:
    book = OrderBook()
    book.replace([[99.0, 1, 2.0], [98.0, 3, 5.0], [101.0, 1, -1.0], [102.0, 2, -4.0]])
    return book


def test_an_empty_book_has_no_price() -> None:
    book = OrderBook()
    assert book.top() is None
    assert len(book) == 0
    assert all(math.isnan(number) for number in (book.mid(), book.spread(), book.micro_price(), book.imbalance()))
    assert book.depth(0.1) == (0.0, 0.0)
    assert not book.is_crossed
    assert book.matches(0)


def test_best_prices_and_what_follows_from_them() -> None:
    book = a_book()
    assert book.top() == (99.0, 2.0, 101.0, 1.0)
    assert (book.mid(), book.spread()) == (100.0, 2.0)
    # Two to one on the bid: the price leans towards the ask.
    assert book.micro_price() == pytest.approx((99 * 1 + 101 * 2) / 3)
    assert book.bids() == [(99.0, 2.0), (98.0, 5.0)]
    assert book.asks(1) == [(101.0, 1.0)]
    assert book.imbalance() == pytest.approx((7 - 5) / 12)
    assert book.depth(0.011) == (2.0, 1.0)
    assert book.depth(0.5) == (7.0, 5.0)


def test_a_snapshot_voids_what_was_before() -> None:
    book = a_book()
    book.replace([[50.0, 1, 1.0]], [("50", "1")])
    assert book.bids() == [(50.0, 1.0)]
    assert book.asks() == []


def test_levels_are_replaced_never_added_up() -> None:
    book = a_book()
    book.update([99.0, 5, 0.5])
    assert book.top() == (99.0, 0.5, 101.0, 1.0)


def test_deleting_what_is_not_there_is_harmless_and_counted() -> None:
    book = a_book()
    book.update([42.0, 0, 1])
    book.update([42.0, 0, -1])
    assert book.wire.unknown_deletes == 2
    assert len(book) == 4


def test_a_crossed_book_is_seen() -> None:
    book = a_book()
    book.update([101.0, 1, 3.0])
    assert book.is_crossed
    book.update([101.0, 0, -1])
    assert not book.is_crossed


def test_an_order_sweeps_level_by_level() -> None:
    book = a_book()
    buy = book.sweep(3.0)
    assert (buy.amount, buy.levels, buy.worst_price) == (3.0, 2, 102.0)
    assert buy.average_price == pytest.approx((101 + 2 * 102) / 3)
    assert buy.notional == pytest.approx(305.0)
    sell = book.sweep(-100.0)
    assert (sell.amount, sell.worst_price) == (7.0, 98.0)
    nothing = OrderBook().sweep(1.0)
    assert nothing.amount == 0
    assert math.isnan(nothing.average_price)


def test_a_raw_book_keeps_orders_apart() -> None:
    book = OrderBook("R0")
    book.replace([[11, 100.0, 1.0], [12, 100.0, 2.0], [21, 101.0, -1.0]])
    assert book.top() == (100.0, 3.0, 101.0, 1.0)
    assert book.bids() == [(100.0, 1.0), (100.0, 2.0)]
    assert book.sweep(-2.0).levels == 2
    assert len(book) == 3
    book.update([11, 0, 1])
    assert book.top() == (100.0, 2.0, 101.0, 1.0)
    book.update([22, 99.5, -1.0])
    assert book.is_crossed
    assert book.matches(signed_crc32("12:2:22:-1:21:-1"))


def test_a_funding_book_never_crosses() -> None:
    book = OrderBook("P0", funding=True)
    book.replace([[0.0003, 30, 1, -50.0], [0.0002, 2, 1, 70.0]])
    assert book.top() == (0.0003, 50.0, 0.0002, 70.0)
    assert not book.is_crossed


@pytest.mark.parametrize(
    "row", [[1.0, 1], [], [None, 1, 1.0], ["1", 1, 1.0], [1.0, None, 1.0], [1.0, 1, 0], [-1.0, 1, 1.0], [1e30, 1, 1.0]]
)
def test_a_row_of_other_kinds_changes_nothing(row: list[object]) -> None:
    book = a_book()
    with pytest.raises((TypeError, ValueError, MalformedFrame)):
        book.update(row)
    assert len(book) == 4
    assert book.wire.updates == 4


prices = st.integers(1, 30).map(float)
updates = st.lists(st.tuples(prices, st.integers(0, 3), st.sampled_from([1.0, -1.0, 2.5, -2.5])).map(list), max_size=60)


@given(updates)
def test_a_kept_book_equals_one_built_from_what_is_left(rows: list[Row]) -> None:
    """The law of the algorithm: the last word on each level of a side is all that counts."""
    book = OrderBook()
    last: dict[tuple[bool, float], Row] = {}
    for row in rows:
        book.update(row)
        last[row[2] > 0, row[0]] = row
    left = [row for row in last.values() if row[1] > 0]
    fresh = OrderBook()
    fresh.replace(left)
    assert book.bids(100) == fresh.bids(100) == sorted(book.bids(100), reverse=True)
    assert book.asks(100) == fresh.asks(100) == sorted(book.asks(100))
    assert book.matches(fresh.wire.checksum())
    wire = book.wire
    assert isinstance(wire, LevelBook)
    assert wire.bid_prices == sorted(wire.bids)
    assert wire.ask_prices == sorted(wire.asks)


orders = st.lists(
    st.tuples(st.integers(1, 15), st.integers(0, 20).map(float), st.sampled_from([1.0, -1.0, 2.5, -2.5])).map(list),
    max_size=60,
)


@given(orders)
def test_a_kept_raw_book_equals_one_built_from_what_is_left(rows: list[Row]) -> None:
    book = OrderBook("R0")
    last: dict[float, Row] = {}
    for row in rows:
        book.update(row)
        last[row[0]] = row
    fresh = OrderBook("R0")
    fresh.replace([row for row in last.values() if row[1] > 0])
    assert book.bids(100) == fresh.bids(100)
    assert book.asks(100) == fresh.asks(100)
    assert book.top() == fresh.top()


@given(updates, st.floats(0.1, 50))
def test_a_sweep_never_fills_more_than_asked_nor_better_than_the_top(rows: list[Row], amount: float) -> None:
    book = OrderBook()
    for row in rows:
        book.update(row)
    sweep = book.sweep(amount)
    assert 0 <= sweep.amount <= amount + 1e-9
    if sweep.amount:
        best = book.asks(1)[0][0]
        assert best <= sweep.average_price + 1e-9
        assert sweep.average_price <= sweep.worst_price + 1e-9
