"""Orders that ended, from the journal's file: of every life, newest first, by pages."""

import itertools
import random
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from genesis.edge.store import Store
from genesis.edge.store_errors import StoreUnusable
from genesis.order_history import ended_orders, kept_fills
from protocols.journal import CellWrite, Commit, Record
from protocols.orders import TERMINAL_STATES, OrderState, OrderType, OrderUpdate, OrderView, Purpose
from protocols.units import ZERO, Side, Symbol
from tests.web.fakes import a_fill

SERIALS = itertools.count()
BTC, ETH = Symbol("tBTCUSD"), Symbol("tETHUSD")


def an_order(cid: int, state: OrderState, symbol: Symbol = BTC) -> OrderView:
    return OrderView(
        intent_id=f"i{cid}",
        cid=cid,
        venue_id=1000 + cid,
        strategy="s",
        symbol=symbol,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        purpose=Purpose.ENTRY,
        quantity=Decimal(1),
        filled_quantity=ZERO,
        average_fill_price=ZERO,
        price=Decimal(100),
        state=state,
        reason="",
        created_ms=cid,
        updated_ms=cid,
        correlation_id="c",
        foreign=False,
    )


def keep(store: Store, *orders: OrderView) -> None:
    records = [
        Record(
            kind="OrderUpdate",
            key=f"{order.cid}:{next(SERIALS)}",
            payload=msgspec.json.Encoder(decimal_format="string").encode(OrderUpdate(order=order)),
            correlation_id="c",
            at_ms=order.updated_ms,
        )
        for order in orders
    ]
    store.commit([Commit(writer="order", records=tuple(records))], at_ms=1)


def test_every_life_is_remembered_newest_first_and_by_pages(tmp_path: Path) -> None:
    path = tmp_path / "sim.sqlite"
    for life in range(3):
        with Store.open(path, at_ms=life) as store:
            for cid in range(life * 10, life * 10 + 10):
                keep(store, an_order(cid, OrderState.ACKED), an_order(cid, OrderState.CANCELED))
    total, page = ended_orders(path, None, 4, 0)
    assert (total, [order.cid for order in page]) == (30, [29, 28, 27, 26])
    assert [order.cid for order in ended_orders(path, None, 4, 28)[1]] == [1, 0]
    assert ended_orders(path, None, 4, 30) == (30, ())


def test_open_orders_and_other_symbols_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "sim.sqlite"
    with Store.open(path, at_ms=0) as store:
        keep(store, an_order(1, OrderState.ACKED), an_order(2, OrderState.FILLED, ETH), an_order(3, OrderState.DEAD))
    assert [order.cid for order in ended_orders(path, None, 10, 0)[1]] == [3, 2]
    assert [order.cid for order in ended_orders(path, "tETHUSD", 10, 0)[1]] == [2]


def test_an_order_that_traded_on_after_its_end_is_shown_once(tmp_path: Path) -> None:
    path = tmp_path / "sim.sqlite"
    with Store.open(path, at_ms=0) as store:
        keep(store, an_order(1, OrderState.CANCELED), an_order(1, OrderState.FILLED), an_order(2, OrderState.DEAD))
        keep(store, an_order(1, OrderState.FILLED), an_order(11, OrderState.DEAD), an_order(1, OrderState.ACKED))
    total, page = ended_orders(path, None, 10, 0)
    assert (total, [(order.cid, order.state) for order in page]) == (
        3,
        [(11, OrderState.DEAD), (1, OrderState.FILLED), (2, OrderState.DEAD)],
    )
    assert [ended_orders(path, None, 1, offset)[1][0].cid for offset in range(3)] == [11, 1, 2]


def test_no_journal_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable):
        ended_orders(tmp_path / "none.sqlite", None, 10, 0)


def test_trades_reach_back_to_the_first_one(tmp_path: Path) -> None:
    """Memory holds the newest two hundred: a year's list for the tax office must not end there."""
    path = tmp_path / "sim.sqlite"
    fills = [msgspec.structs.replace(a_fill(n), symbol=ETH if n % 5 == 0 else BTC) for n in range(1, 301)]
    records = [
        Record(
            kind="Fill",
            key=str(fill.trade_id),
            payload=msgspec.json.Encoder(decimal_format="string").encode(fill),
            correlation_id="c",
            at_ms=fill.time_ms,
        )
        for fill in fills
    ]
    with Store.open(path, at_ms=0) as store:
        for begin in range(0, len(records), 50):
            store.commit([Commit(writer="order", records=tuple(records[begin : begin + 50]))], at_ms=1)
    assert kept_fills(path, None, 3, 0) == (300, tuple(reversed(fills[-3:])))
    assert kept_fills(path, None, 10, 298) == (300, (fills[1], fills[0]))
    total, page = kept_fills(path, "tETHUSD", 2, 0)
    assert (total, [fill.trade_id for fill in page]) == (60, [fills[299].trade_id, fills[294].trade_id])


@pytest.mark.parametrize("seed", range(6))
def test_pages_and_totals_are_those_of_reading_everything(tmp_path: Path, seed: int) -> None:
    """Pages are read from the end, and totals come of names: what all of it says must be the same."""
    chance = random.Random(seed)
    ends: dict[int, OrderView] = {}
    with Store.open(tmp_path / "sim.sqlite", at_ms=1) as store:
        cids = list(range(1, 40))
        for _ in range(120):
            cid = chance.choice(cids)
            state = chance.choice((OrderState.ACKED, OrderState.PARTIAL, OrderState.FILLED, OrderState.CANCELED))
            order = an_order(cid, state, BTC if cid % 3 else ETH)
            keep(store, order)
            cell = msgspec.json.encode({"intent": {"symbol": order.symbol}, "state": state})
            store.commit(
                [Commit(writer="order", cells=(CellWrite(table="orders", key=f"order:{cid:014d}", payload=cell),))],
                at_ms=1,
            )
            if state in TERMINAL_STATES:
                ends.pop(cid, None)
                ends[cid] = order
    newest_first = list(reversed(ends.values()))
    for symbol in (None, BTC, ETH):
        wanted = [order for order in newest_first if symbol in (None, order.symbol)]
        for offset in (0, 1, 7, len(wanted) - 1, len(wanted), len(wanted) + 5):
            for limit in (1, 5, 100):
                total, page = ended_orders(tmp_path / "sim.sqlite", symbol, limit, offset)
                assert total == len(wanted)
                assert list(page) == wanted[offset : offset + limit]
