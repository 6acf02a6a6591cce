"""The order actor on a real journal: nothing is lost or doubled, whenever it is killed.

Every test asks for `autojump_clock`: its time is virtual.
"""

import itertools
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock
from typing_extensions import override

from genesis.core.clock import TrioClock
from genesis.core.latest import Latest
from genesis.domain.order_ahead import OrderAhead
from genesis.domain.order_heard import OrderRecorder
from genesis.domain.order_outputs import Outputs
from genesis.edge.store import ReadOnlyStore
from protocols.journal import AnyRecord, ReadCells, ReadRecords, Record
from protocols.orders import (
    Approved,
    CancelIntent,
    Fill,
    Flatten,
    OrderState,
    OrderType,
    OrderUpdate,
    SubmitOrder,
)
from protocols.risk import ForeseenOrder
from protocols.units import Symbol
from tests.actors.order_stage import OrderStage, order_stage
from tests.genesis.domain.order_oracle import an_intent, approved
from tests.genesis.domain.test_fee_prices import a_market

MARKET: dict[str, Any] = {"order_type": OrderType.MARKET, "price": None}


def check_nothing_lost_or_doubled(stage: OrderStage, asked: int) -> None:
    """From the venue's side: every intent once; from the account's: every trade once."""
    assert sorted(stage.venue.submits) == list(range(1, asked + 1))
    assert set(stage.account.fills) == {trade.trade_id for trade in stage.venue.trades}
    for trade in stage.venue.trades:
        assert stage.account.fills[trade.trade_id].fee == trade.fee


async def test_an_intent_goes_all_the_way_and_is_in_the_journal(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "sim.sqlite"
    async with order_stage(path) as stage:
        await stage.intents.put(approved(an_intent(1, **MARKET)))
        await stage.until(lambda: stage.account.ended == 1)
        check_nothing_lost_or_doubled(stage, 1)
        await stage.until(lambda: len(stage.view.value.ended) == 1)
        assert stage.view.value.fills_total == 1
    with ReadOnlyStore.open(path) as look:
        kinds = [row.record.kind for row in look.read_records(ReadRecords(kinds=())).records]
        assert [kind for kind in kinds if kind in ("Approved", "SubmitOrder", "Fill")] == [
            "Approved",
            "SubmitOrder",
            "Fill",
        ]
        look.verify()


async def test_a_fee_in_a_third_currency_keeps_what_it_was_worth(tmp_path: Path, autojump_clock: MockClock) -> None:
    """By the venue's price of then, on the disk, too: in the next life it is worth the same."""
    path, market = tmp_path / "sim.sqlite", Latest(a_market(Symbol("tLEOUSD"), 3.5, at_ms=1_517_788_800_000))
    async with order_stage(path, market=market) as stage:
        stage.venue.fee_currency = "LEO"
        await stage.intents.put(approved(an_intent(1, **MARKET)))
        await stage.until(lambda: stage.account.ended == 1)
        [fill] = stage.account.fills.values()
        assert (fill.fee_price, fill.fee_beside) == (Decimal("3.5"), fill.fee * Decimal("3.5"))
        market.set(a_market(Symbol("tLEOUSD"), 9.0, at_ms=1_517_788_800_000))
        stage.kill()
        stage.account.fills.clear()
        await stage.until(lambda: stage.account.fills)
        assert stage.account.fills[fill.trade_id] == fill


async def test_the_row_is_on_the_disk_before_the_command_is_heard(tmp_path: Path, autojump_clock: MockClock) -> None:
    """A look at the file itself from the venue's side, at the instant the command arrives."""
    path = tmp_path / "sim.sqlite"
    seen: list[int] = []
    async with order_stage(path) as stage:

        def look(command: SubmitOrder) -> None:
            with ReadOnlyStore.open(path) as file:
                key = f"order:{command.cid:014d}"
                seen.append(len(file.read_cells(ReadCells(table="orders", key=key)).cells))

        stage.venue.on_submit = look
        await stage.intents.put(approved(an_intent(1, **MARKET)))
        await stage.until(lambda: stage.account.ended == 1)
    assert seen == [1]


@pytest.mark.parametrize("seed", range(4))
async def test_killed_a_hundred_times_it_loses_and_doubles_nothing(
    tmp_path: Path, autojump_clock: MockClock, seed: int
) -> None:
    chance = random.Random(seed)
    asked = 60
    async with order_stage(tmp_path / "sim.sqlite") as stage:

        async def ask() -> None:
            for number in range(1, asked + 1):
                kind: dict[str, Any] = MARKET if number % 2 else {}
                await stage.intents.put(approved(an_intent(number, **kind)))
                if chance.random() < 0.3:
                    await stage.intents.put(approved(an_intent(number, **kind)))
                await trio.sleep(chance.random() * 0.004)

        async def kill() -> None:
            for _ in range(100):
                stage.kill("order" if chance.random() < 0.7 else "journal")
                await trio.sleep(chance.random() * 0.004)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(kill)
        await stage.until(lambda: len(stage.venue.submits) >= asked and stage.supervisor.idle())
        await stage.intents.put(CancelIntent(intent_id=None, reason="end", correlation_id="x"))
        await stage.until(lambda: stage.account.ended == asked and stage.supervisor.idle())
        check_nothing_lost_or_doubled(stage, asked)
        assert set(stage.account.states.values()) == {OrderState.FILLED, OrderState.CANCELED}


async def test_killed_while_its_command_leaves_it_neither_forgets_nor_repeats_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A command leaves in the step in which the journal answers: who gave it may die before it hears of that."""
    async with order_stage(tmp_path / "sim.sqlite") as stage:
        heard: list[int] = []

        def dies(command: SubmitOrder) -> None:
            told = [report for report in stage.account.reports if isinstance(report, OrderUpdate)]
            heard.append(sum(report.order.cid == command.cid for report in told))
            stage.kill()

        stage.venue.on_submit = dies
        for number in range(1, 11):
            await stage.intents.put(approved(an_intent(number, **MARKET)))
            await stage.until(lambda: stage.account.ended == len(heard) and stage.supervisor.idle())
        assert heard == [0] * 10
        check_nothing_lost_or_doubled(stage, 10)


async def test_a_new_process_takes_over_and_reports_all_it_knows(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "sim.sqlite"
    async with order_stage(path) as stage:
        await stage.intents.put(approved(an_intent(1, **MARKET)))
        await stage.intents.put(approved(an_intent(2)))
        await stage.until(lambda: stage.account.states.get(an_intent(2).intent_id) is OrderState.ACKED)
        orders, trades = stage.venue.orders, stage.venue.trades
    async with order_stage(path, connect=False) as stage:
        stage.venue.orders, stage.venue.trades = orders, trades
        await stage.venue.connect()
        await stage.until(lambda: stage.view.value.ready)
        assert stage.account.states == {
            an_intent(1).intent_id: OrderState.FILLED,
            an_intent(2).intent_id: OrderState.ACKED,
        }
        assert set(stage.account.fills) == {trade.trade_id for trade in trades}
        await stage.intents.put(approved(an_intent(1, **MARKET)))
        await stage.intents.put(approved(an_intent(3, **MARKET)))
        await stage.until(lambda: stage.account.states.get(an_intent(3).intent_id) is OrderState.FILLED)
        assert stage.venue.submits == [3], "ids go on, and the first intent is still known"


async def test_commands_of_a_session_that_ended_leave_on_the_next(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with order_stage(tmp_path / "sim.sqlite") as stage:
        stage.venue.session += 5  # the line has gone and nobody has heard of it yet
        await stage.intents.put(approved(an_intent(1, **MARKET)))
        await stage.until(lambda: stage.view.value.open and "not sent" in stage.view.value.open[0].reason)
        await stage.venue.cut()
        await stage.venue.connect()
        await stage.until(lambda: stage.account.ended == 1)
        check_nothing_lost_or_doubled(stage, 1)


async def test_a_full_line_refuses_and_the_order_leaves_later(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with order_stage(tmp_path / "sim.sqlite", command_capacity=1) as stage:
        for number in range(1, 6):
            await stage.intents.put(approved(an_intent(number, **MARKET)))
        await stage.until(lambda: stage.account.ended == 5)
        check_nothing_lost_or_doubled(stage, 5)


async def test_wishes_from_outside_are_answered_with_their_orders(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with order_stage(tmp_path / "sim.sqlite") as stage:
        await stage.intents.put(approved(an_intent(1)))
        await stage.until(lambda: stage.account.states.get(an_intent(1).intent_id) is OrderState.ACKED)
        wish = CancelIntent(intent_id=an_intent(1).intent_id, reason="mine", correlation_id="x")
        (order,) = await stage.intents.ask(wish)
        assert order.state is OrderState.PENDING_CANCEL
        assert await stage.intents.ask(CancelIntent(intent_id="nobody", reason="r", correlation_id="x")) == ()
        assert await stage.intents.ask(Flatten(symbol=None, reason="r", correlation_id="f")) == ()
        await stage.until(lambda: stage.account.ended == 1)


async def test_reports_come_fill_first_and_end_last(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with order_stage(tmp_path / "sim.sqlite") as stage:
        await stage.intents.put(approved(an_intent(1, **MARKET)))
        await stage.until(lambda: stage.account.ended == 1)
        said = ["fill" if isinstance(report, Fill) else report.order.state.value for report in stage.account.reports]
        assert said[-2:] == ["fill", "FILLED"]
        assert all(isinstance(report, Fill | OrderUpdate) for report in stage.account.reports)


@pytest.mark.parametrize("steps", range(0, 12, 2))
async def test_a_stop_in_the_middle_of_an_order_is_no_crash(
    tmp_path: Path, autojump_clock: MockClock, steps: int
) -> None:
    """The venue's line ends before this actor does; what was not sent stays in the journal, as after a power cut."""
    async with order_stage(tmp_path / "sim.sqlite") as stage:
        for number in range(1, 4):
            await stage.intents.put(approved(an_intent(number, **MARKET)))
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
    assert [child.last_error for child in stage.supervisor.tree().children] == [None] * 4


async def test_that_an_order_has_left_is_kept_with_the_venue_s_answer(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Both are told and in order; by one commit if the answer comes soon, and without it if none does."""
    path = tmp_path / "sim.sqlite"

    def steps() -> tuple[int, list[str]]:
        """How many commits with news of orders there were, and the states that they told."""
        with ReadOnlyStore.open(path) as look:
            rows = look.read_records(ReadRecords(kinds=("OrderUpdate", "OrderHeard"))).records
        kinds = [row.record.kind for row in rows]
        told = [
            str(msgspec.json.decode(row.record.payload)["order"]["state"])
            for row in rows
            if row.record.kind == "OrderUpdate"
        ]
        return sum(pair == ("OrderUpdate", "OrderHeard") for pair in itertools.pairwise(kinds)), told

    async with order_stage(path) as stage:
        await stage.intents.put(approved(an_intent(1)))
        await stage.until(lambda: stage.account.states.get(an_intent(1).intent_id) is OrderState.ACKED)
        assert steps() == (2, ["INTENT", "SENT", "ACKED"])

        stage.venue.silent = True
        await stage.intents.put(approved(an_intent(2)))
        await trio.sleep(0.04)
        assert steps()[1][3:] == ["INTENT"]
        await stage.until(lambda: stage.account.states.get(an_intent(2).intent_id) is OrderState.SENT)
        assert steps()[1][3:] == ["INTENT", "SENT"]


class _NoDice(random.Random):
    @override
    def random(self) -> float:
        return 0.9


async def _with_hints(path: Path, hinted: bool) -> list[Record]:
    """What the journal has of five orders; hints come while nothing happens, with an approval, and while an answer is
    waited for, right ones and wrong ones."""

    async def hint(stage: OrderStage, number: int) -> None:
        await trio.sleep(0.01)
        if hinted:
            await stage.intents.put(ForeseenOrder(approved=approved(an_intent(number, **MARKET))))
        await trio.sleep(0.01)

    async def until_ended(stage: OrderStage, count: int) -> None:
        await stage.until(lambda: stage.account.ended == count)

    async with order_stage(path) as stage:
        for number in (1, 2, 3, 4):
            if number > 1:
                await hint(stage, 9 if number == 4 else number)
            if hinted and number == 3:
                # Together with what it foresees it is too late.
                stage.intents.put_nowait(ForeseenOrder(approved=approved(an_intent(number, **MARKET))))
            await stage.intents.put(approved(an_intent(number, **MARKET)))
            await until_ended(stage, number)
            await trio.sleep(2)
        stage.venue.silent = True
        await stage.intents.put(approved(an_intent(5, **MARKET)))
        await hint(stage, 6)
        await hint(stage, 7)
        await stage.until(lambda: stage.account.states.get(an_intent(5).intent_id) is OrderState.SENT)
    with ReadOnlyStore.open(path) as look:
        return [row.record for row in look.read_records(ReadRecords(kinds=())).records]


def test_hints_change_not_a_byte_of_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bool] = []
    made_ahead: list[bool] = []
    take, take_ahead = OrderAhead.take_rehearsed, OrderRecorder.take_ahead

    def counted(machine: OrderAhead, order: Approved, *, now: float, wall_ms: int) -> Outputs | None:
        out = take(machine, order, now=now, wall_ms=wall_ms)
        taken.append(out is not None)
        return out

    def counted_commits(recorder: OrderRecorder, record: AnyRecord | None) -> bool:
        is_ahead = take_ahead(recorder, record)
        made_ahead.append(is_ahead)
        return is_ahead

    monkeypatch.setattr(OrderAhead, "take_rehearsed", counted)
    monkeypatch.setattr(OrderRecorder, "take_ahead", counted_commits)
    monkeypatch.setattr(TrioClock, "wall_ms", lambda clock: 1_517_788_800_000)
    # trio throws a dice for who goes first; here whoever was woken first does.
    monkeypatch.setattr("trio._core._run._r", _NoDice())
    seen, blind = [
        trio.run(_with_hints, tmp_path / f"{hinted}.sqlite", hinted, clock=MockClock(autojump_threshold=0))
        for hinted in (True, False)
    ]
    assert taken == [False, True, True, False, False] + 5 * [False]
    assert made_ahead == [True, True]
    assert [(record.kind, record.key) for record in seen] == [(record.kind, record.key) for record in blind]
    differ = [
        (one.payload, other.payload) for one, other in zip(seen, blind, strict=True) if one.payload != other.payload
    ]
    assert not differ
