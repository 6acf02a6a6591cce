"""Entries that wait for their line while nobody wants them any more, with the real order actor on a real journal."""

import random
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis.edge.store import ReadOnlyStore
from protocols.journal import ReadRecords
from protocols.orders import OrderState, OrderType
from protocols.risk import EntryUnwanted
from tests.actors.order_stage import order_stage
from tests.genesis.domain.order_oracle import an_intent, approved

MARKET: dict[str, Any] = {"order_type": OrderType.MARKET, "price": None}
ASKED = 20
UNWANTED = range(2, ASKED + 1, 2)


def unwanted(number: int) -> EntryUnwanted:
    reason = "s said sell before it could leave"
    return EntryUnwanted(intent_id=an_intent(number).intent_id, reason=reason, correlation_id=f"x{number}")


@pytest.mark.parametrize("seed", range(4))
async def test_killed_at_any_moment_it_sends_what_is_wanted_and_nothing_else(
    tmp_path: Path, autojump_clock: MockClock, seed: int
) -> None:
    path, chance = tmp_path / "sim.sqlite", random.Random(seed)
    async with order_stage(path) as stage:
        await stage.venue.cut()
        await stage.until(lambda: not stage.view.value.ready)

        async def say() -> None:
            for number in range(1, ASKED + 1):
                await stage.intents.put(approved(an_intent(number, **MARKET)))
                await trio.sleep(chance.random() * 0.004)
            for number in UNWANTED:
                await stage.intents.put(unwanted(number))
                await trio.sleep(chance.random() * 0.004)

        async def kill() -> None:
            for _ in range(20):
                stage.kill("order" if chance.random() < 0.7 else "journal")
                await trio.sleep(chance.random() * 0.008)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(say)
            nursery.start_soon(kill)
        await stage.until(lambda: stage.account.ended == len(UNWANTED) and stage.supervisor.idle())
        await stage.venue.connect()
        await stage.until(lambda: stage.account.ended == ASKED and stage.supervisor.idle())
        assert sorted(stage.venue.submits) == [number for number in range(1, ASKED + 1) if number not in UNWANTED]
        for number in range(1, ASKED + 1):
            state = stage.account.states[an_intent(number).intent_id]
            assert state is (OrderState.REJECTED if number in UNWANTED else OrderState.FILLED)
    with ReadOnlyStore.open(path) as look:
        records = look.read_records(ReadRecords(kinds=("OrderUpdate",))).records
        ends = [row.record for row in records if b"said sell before it could leave" in row.record.payload]
        assert sorted(int(record.key.partition(":")[0]) for record in ends if record.key) == list(UNWANTED)
        look.verify()
