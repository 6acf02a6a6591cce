"""A journal of many rows is taken in by short steps, and the steps lead where one long one would."""

from decimal import Decimal
from typing import Any

import msgspec

from genesis.domain.account_machine import AccountMachine
from genesis.domain.order_machine import SLICE, OrderMachine
from protocols.journal import CellWrite
from protocols.settings import Settings
from tests.genesis.domain.protect_bench import BTC, SETTINGS, START_MS, Bench

ROWS = 3 * SLICE


def many_rows() -> list[CellWrite]:
    """A journal with one real order and trade, and `ROWS` more of each made like them."""
    bench = Bench()
    bench.open_position()
    cells = list(bench.disk.values())
    order, fill = (
        msgspec.json.decode(next(cell.payload for cell in cells if cell.key.startswith(kind)), type=dict[str, Any])
        for kind in ("order:00000000000001", "fill:")
    )
    for number in range(10, 10 + ROWS):
        intent = {**order["intent"], "intent_id": f"i{number}"}
        row = {**order, "cid": number, "venue_id": 5000 + number, "serial": number, "intent": intent}
        cells.append(CellWrite(table="orders", key=f"order:{number:014d}", payload=msgspec.json.encode(row)))
        ids = {"trade_id": number, "venue_order_id": 5000 + number}
        sold = {"side": "sell" if number % 2 else "buy"}
        row = {
            **fill,
            "serial": ROWS + number,
            "trade": {**fill["trade"], **ids},
            "fill": {**fill["fill"], **ids, **sold},
        }
        cells.append(CellWrite(table="orders", key=f"fill:{number}:{5000 + number}", payload=msgspec.json.encode(row)))
    return cells


def test_orders_are_taken_in_by_steps() -> None:
    cells = many_rows()
    machine = OrderMachine(SETTINGS, epoch=2, signal_max_age_s=30.0)
    steps = sum(1 for _ in machine.restoring(cells, now=0.0, wall_ms=START_MS))
    assert steps >= 4 * ROWS / SLICE
    whole = OrderMachine(SETTINGS, epoch=2, signal_max_age_s=30.0)
    whole.restore(cells, now=0.0, wall_ms=START_MS)
    assert machine.orders == whole.orders
    assert machine.take().reports == whole.take().reports
    assert len(machine.orders) == ROWS + 2


def test_the_account_is_made_of_its_fills_by_steps() -> None:
    cells = many_rows()
    machine = AccountMachine(Settings())
    steps = sum(1 for _ in machine.restoring(orders=cells, kept=(), same_process=False))
    assert steps >= 2 * ROWS / SLICE
    assert machine.positions[BTC].quantity == Decimal(1)
