"""Whoever dies between a signal and the stop of what it bought, and whenever: nothing is bought twice or kept bare, and
nothing leaves whose verdict is not on the disk."""

import random
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio
from trio.testing import MockClock

from actors.risk import RiskActor
from genesis.core.backoff import IMMEDIATE
from genesis.core.channel import Channel, Overflow
from genesis.core.clock import TrioClock
from genesis.core.latest import Latest
from genesis.core.mailbox import Mailbox
from genesis.core.supervisor import ChildSpec
from genesis.domain.decision_log import VERDICT_KIND
from genesis.domain.pairs import pair_specs
from genesis.edge.store import ReadOnlyStore
from genesis.research.replay import REPLAYED_KINDS, replay
from protocols.journal import ReadCells, ReadRecords
from protocols.orders import OrderState, SubmitOrder
from tests.actors.order_stage import SETTINGS, OrderStage, VenueActor, order_stage
from tests.genesis.domain.risk_world import a_score, an_account

ENTRY_AND_STOP = [1, 2]
STEPS = 60
"""Of all tasks together, from the signal on; some 40 until the stop has left."""


@attrs.define(eq=False)
class Steps(trio.abc.Instrument):
    """Counts the steps of all tasks, and does something before one of them."""

    at: dict[int, Callable[[], object]]
    count: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        do = self.at.pop(self.count, None)
        self.count += 1
        if do is not None:
            do()


@attrs.define(kw_only=True)
class Decision:
    """A stage on which risk decides, too."""

    stage: OrderStage
    scores: Channel[Any]
    accounts: Channel[Any]

    async def settled(self) -> None:
        await self.stage.until(lambda: self.stage.supervisor.idle())
        # A command that did not leave waits for its next try.
        await trio.sleep(60)
        await self.stage.until(lambda: self.stage.supervisor.idle())

    def check(self) -> None:
        venue = self.stage.venue
        assert len(venue.submits) == len(set(venue.submits)) in (0, 2)
        resting = [row for row in venue.orders.values() if row.status == "ACTIVE"]
        assert len(resting) == len(venue.trades) == len(venue.submits) / 2
        assert set(self.stage.account.fills) == {trade.trade_id for trade in venue.trades}


@asynccontextmanager
async def deciding(path: Path, before: VenueActor | None = None) -> AsyncIterator[Decision]:
    """`before` is what the venue knows of a former process."""
    scores: Channel[Any] = Channel("signal-risk", Overflow.BLOCK)
    accounts: Channel[Any] = Channel("account-risk", Overflow.CONFLATE, key=lambda state: "account")

    def risk(intents: Channel[Any], journal: Channel[Any]) -> ChildSpec:
        return ChildSpec(
            id="risk",
            start=lambda: RiskActor(
                settings=Latest(SETTINGS),
                journal=journal,
                orders=intents,
                status=Latest(None),
                verdicts=Latest(()),
                pairs=Latest(pair_specs(SETTINGS.market.symbols)),
            ),
            mailbox=Mailbox("risk", [accounts, scores]),
            backoff=IMMEDIATE,
        )

    async with order_stage(path, connect=False, decides=risk) as stage:
        # Its trades are asked for by the time of day.
        stage.venue.stamp = TrioClock().wall_ms()
        if before is not None:
            stage.venue.orders, stage.venue.trades = dict(before.orders), list(before.trades)
            stage.venue.submits, stage.venue.session = list(before.submits), before.session
        await stage.venue.connect()
        await stage.until(lambda: stage.view.value.ready)
        accounts.put_nowait(an_account())
        await stage.until(stage.supervisor.idle)
        yield Decision(stage=stage, scores=scores, accounts=accounts)


async def decide(decision: Decision, at: Mapping[int, Callable[[], object]]) -> None:
    """A signal to buy, in the midst of which something happens."""
    path = decision.stage.store.path

    def look(command: SubmitOrder) -> None:
        with ReadOnlyStore.open(path) as file:
            (row,) = file.read_cells(ReadCells(table="orders", key=f"order:{command.cid:014d}")).cells
            (state,) = file.read_cells(ReadCells(table="risk_state")).cells
            judged = [one.record.key or "" for one in file.read_records(ReadRecords(kinds=(VERDICT_KIND,))).records]
        if command.cid == ENTRY_AND_STOP[0]:
            assert any(f'"{name}"'.encode() in row.payload and name.encode() in state.payload for name in judged)

    decision.stage.venue.on_submit = look
    await decision.scores.put(a_score(1, "hold"))
    await decision.stage.until(decision.stage.supervisor.idle)
    steps = Steps(dict(at))
    trio.lowlevel.add_instrument(steps)
    try:
        now_ns = TrioClock().now_ns()
        await decision.scores.put(msgspec.structs.replace(a_score(2, "buy"), received_ns=now_ns))
        await decision.stage.until(lambda: not steps.at)
        await decision.settled()
    finally:
        trio.lowlevel.remove_instrument(steps)


@pytest.mark.parametrize("who", ["risk", "order", "journal"])
async def test_an_actor_that_dies_at_any_step_loses_and_doubles_nothing(
    tmp_path: Path, autojump_clock: MockClock, who: str
) -> None:
    for step in range(len(who), STEPS, 5):
        async with deciding(tmp_path / f"{step}.sqlite") as decision:
            await decide(decision, {step: partial(decision.stage.kill, who)})
            assert decision.stage.venue.submits == ENTRY_AND_STOP
            decision.check()


async def test_three_deaths_in_one_decision_lose_and_double_nothing(tmp_path: Path, autojump_clock: MockClock) -> None:
    chance = random.Random(11)
    for number in range(12):
        async with deciding(tmp_path / f"{number}.sqlite") as decision:
            dies = {
                step: partial(decision.stage.kill, chance.choice(("risk", "order", "journal")))
                for step in chance.sample(range(STEPS), 3)
            }
            await decide(decision, dies)
            assert decision.stage.venue.submits == ENTRY_AND_STOP
            decision.check()


async def test_a_process_that_dies_at_any_step_loses_and_doubles_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """What was on the disk at each step, and what the venue knew, are all that the next process has."""
    path = tmp_path / "first" / "sim.sqlite"
    path.parent.mkdir()
    left: dict[int, VenueActor] = {}

    def keep(step: int) -> None:
        shutil.copytree(path.parent, tmp_path / str(step))
        venue = decision.stage.venue
        left[step] = attrs.evolve(
            venue, orders=dict(venue.orders), trades=list(venue.trades), submits=list(venue.submits)
        )

    async with deciding(path) as decision:
        await decide(decision, {step: partial(keep, step) for step in range(0, STEPS, 2)})
    for step, venue in left.items():
        copy = tmp_path / str(step) / path.name
        async with deciding(copy, venue) as after:
            await after.settled()
            after.check()
        with ReadOnlyStore.open(copy) as look:
            look.verify()
    assert {len(venue.submits) for venue in left.values()} == {0, 1, 2}


async def takes_back(decision: Decision, at: Mapping[int, Callable[[], object]]) -> None:
    """A signal to buy while the line is away, and one to sell before it is back, while somebody dies."""
    stage = decision.stage
    await stage.venue.cut()
    await stage.until(lambda: not stage.view.value.ready)
    await decision.scores.put(a_score(1, "hold"))
    await decision.scores.put(msgspec.structs.replace(a_score(2, "buy"), received_ns=TrioClock().now_ns()))
    await stage.until(lambda: stage.account.states)
    await stage.until(stage.supervisor.idle)
    assert list(stage.account.states.values()) == [OrderState.INTENT]
    steps = Steps(dict(at))
    trio.lowlevel.add_instrument(steps)
    try:
        await decision.scores.put(a_score(3, "sell"))
        await stage.until(lambda: not steps.at and stage.account.ended)
    finally:
        trio.lowlevel.remove_instrument(steps)
    await stage.until(stage.supervisor.idle)
    await stage.venue.connect()
    await decision.settled()


@pytest.mark.parametrize("who", ["risk", "order", "journal"])
async def test_what_waits_for_its_line_while_its_strategy_says_sell_never_leaves_whoever_dies_when(
    tmp_path: Path, autojump_clock: MockClock, who: str
) -> None:
    for step in range(len(who), STEPS, 5):
        path = tmp_path / f"{step}.sqlite"
        async with deciding(path) as decision:
            await takes_back(decision, {step: partial(decision.stage.kill, who)})
            stage = decision.stage
            assert (stage.venue.submits, stage.venue.trades) == ([], [])
            (entry,) = [order for order in stage.view.value.ended if order.cid == 1]
            assert (entry.state, entry.withdrawn) == (OrderState.REJECTED, True)
            assert entry.reason == "not sent: s said sell before it could leave"
            decision.accounts.put_nowait(an_account(version=2, closed=(entry.intent_id,)))
            await stage.until(stage.supervisor.idle)
        with ReadOnlyStore.open(path) as file:
            (state,) = file.read_cells(ReadCells(table="risk_state")).cells
            assert msgspec.json.decode(state.payload)["reservations"] == {}
            report = replay(file.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=100_000)).records)
            assert report.equal, report
