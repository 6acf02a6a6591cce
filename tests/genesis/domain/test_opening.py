"""What is held after a long life: fills that nobody keeps any more still count."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.account_machine import AccountMachine
from genesis.domain.order_rows import TABLE
from genesis.domain.position import Opening, opening_key
from protocols.journal import CellWrite
from protocols.orders import Fill, Purpose
from protocols.settings import Settings
from protocols.units import Side, Symbol
from tests.genesis.domain.order_bench import Bench, a_row, a_trade, executed, sent
from tests.genesis.domain.order_oracle import START_MS, SYMBOL

BTC = Symbol("tBTCUSD")


def a_fill(number: int, side: Side, quantity: int, price: int) -> Fill:
    received = Decimal(quantity if side is Side.BUY else quantity * price)
    return Fill(
        trade_id=number,
        intent_id=f"i{number}",
        cid=number,
        venue_order_id=number,
        strategy="s",
        symbol=BTC,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=-received * Decimal("0.002"),
        fee_currency="BTC" if side is Side.BUY else "USD",
        maker=False,
        purpose=Purpose.ENTRY,
        time_ms=number * 1000,
        correlation_id=f"c{number}",
        foreign=False,
    )


def restored(cells: list[CellWrite]) -> AccountMachine:
    machine = AccountMachine(Settings())
    machine.restore(orders=cells, kept=(), same_process=False)
    return machine


def fill_cells(fills: list[Fill]) -> list[CellWrite]:
    return [
        CellWrite(table=TABLE, key=f"fill:{fill.trade_id}:1", payload=msgspec.json.encode({"fill": fill}))
        for fill in fills
    ]


@given(
    st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 5), st.integers(90, 110)), min_size=1, max_size=20),
    st.data(),
)
def test_an_account_made_of_the_sum_of_old_fills_and_the_newer_ones_equals_one_made_of_all(
    deals: list[tuple[Side, int, int]], data: st.DataObject
) -> None:
    fills = [a_fill(number, *deal) for number, deal in enumerate(deals, 1)]
    let_go = data.draw(st.integers(1, len(fills)))
    opening = Opening(symbol=BTC)
    for fill in fills[:let_go]:
        payload = msgspec.json.encode(opening.with_fill(fill))
        opening = msgspec.json.decode(payload, type=Opening)
    cell = CellWrite(table=TABLE, key=opening_key(BTC), payload=msgspec.json.encode(opening))
    whole, summed = restored(fill_cells(fills)), restored([cell, *fill_cells(fills[let_go:])])
    assert opening.fills == let_go
    assert summed.positions == whole.positions
    assert summed.state().trades_count == whole.state().trades_count
    assert summed.state().results == whole.state().results[len(whole.state().results) - len(summed.state().results) :]


def test_the_order_machine_keeps_the_sum_of_the_fills_it_lets_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genesis.domain.order_ledger.FILLS_KEPT", 1)
    bench = Bench()
    bench.ready()
    for cid in (1, 2, 3):
        bench.admit(cid)
        bench.hear(sent(cid), a_row(cid), a_trade(cid=cid, trade_id=cid), executed(cid))
    before = restored([cell for cell in bench.disk.values() if cell.payload])
    bench.machine.fence.venue_ms = START_MS + 10_000_000
    bench.wait(10_000)
    out = bench.report()
    gone = [key for key, cell in out.cells.items() if key.startswith("fill:") and not cell.payload]
    assert len(gone) == 2
    # In the same commit, or a kill in between would lose or double them.
    assert opening_key(SYMBOL) in out.cells
    kept = [cell for cell in bench.disk.values() if cell.payload]
    assert sum(cell.key.startswith("fill:") for cell in kept) == 1
    assert restored(kept).positions == before.positions
    bench.disk = {cell.key: cell for cell in kept}
    bench.restart(new_process=True)
    assert bench.machine.openings[SYMBOL].fills == 2
