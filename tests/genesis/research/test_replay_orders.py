"""The order actor's part of a journal, decided again: of reports it has only what was new in each."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis.core.latest import Latest
from genesis.domain.heard import ORDER_HEARD_KIND
from genesis.domain.order_machine import OrderMachine
from genesis.domain.pairs import PairSpec, PairSpecs
from genesis.edge.store import ReadOnlyStore
from genesis.research.replay import REPLAYED_KINDS, replay
from protocols.journal import ReadRecords
from protocols.orders import OrderType
from tests.actors.order_stage import order_stage
from tests.genesis.domain.order_oracle import an_intent, approved
from tests.genesis.domain.protect_bench import BTC


async def test_what_was_left_out_of_reports_is_put_back(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "sim.sqlite"
    async with order_stage(path) as stage:
        for number in range(1, 7):
            more: dict[str, Any] = {} if number == 1 else {"order_type": OrderType.MARKET, "price": None}
            await stage.intents.put(approved(an_intent(number, **more)))
            await trio.sleep(61.0)
            if number == 4:
                stage.kill("order")
        await stage.until(lambda: stage.account.ended == 5)
    with ReadOnlyStore.open(path) as store:
        rows = store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=100_000)).records
    thin = [row for row in rows if b'"type":"ReportAgain"' in row.record.payload]
    assert {row.record.kind for row in thin} == {ORDER_HEARD_KIND}
    assert len(thin) >= 3
    report = replay(rows)
    assert report.equal, report
    assert report.order_lives >= 2
    assert not replay(row for row in rows if row is not thin[1]).equal


async def test_what_changes_while_an_actor_begins_is_named_as_it_was_used(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pairs come from the venue when the engine begins, and a long journal takes a while to be read."""
    pairs: Latest[PairSpecs] = Latest({})
    restoring = OrderMachine.restoring

    def slowly(machine: OrderMachine, *args: Any, **kwargs: Any) -> Iterator[None]:
        yield from restoring(machine, *args, **kwargs)
        pairs.set({BTC: PairSpec(symbol=BTC, minimum=Decimal(5), maximum=Decimal(50))})

    monkeypatch.setattr(OrderMachine, "restoring", slowly)
    path = tmp_path / "sim.sqlite"
    async with order_stage(path, pairs=pairs) as stage:
        monkeypatch.undo()
        await stage.intents.put(approved(an_intent(1, order_type=OrderType.MARKET, price=None)))
        await stage.until(lambda: stage.account.ended == 1)
    assert stage.venue.submits == [], "it is too small by the new ones"
    with ReadOnlyStore.open(path) as store:
        report = replay(store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=100_000)).records)
    assert report.equal, report
