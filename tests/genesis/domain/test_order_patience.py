"""Entries that are not filled in time: every new price is asked of risk first, and leaves as risk has set it aside."""

from decimal import Decimal
from typing import Any

import pytest

from genesis.domain.order_outputs import Outputs
from genesis.domain.risk_machine import RiskMachine
from protocols.orders import ApprovedChange, CancelOrder, OrderType, UpdateOrder
from protocols.risk import ChangeOrder, ManualOrder
from protocols.settings import RiskSettings
from tests.genesis.domain.denials import machine
from tests.genesis.domain.protect_bench import SETTINGS, START_MS, Bench, sent
from tests.genesis.domain.risk_world import a_score

D = Decimal
WAITS = SETTINGS.entry_unfilled_s


@pytest.fixture
def bench() -> Bench:
    """An entry of ours rests: 1 at 90, and the best bid is 100. It may be priced anew once."""
    bench = Bench()
    bench.admit(order_type=OrderType.LIMIT, price=D(90))
    bench.accept(1)
    bench.wait(0.0)
    return bench


def approve(bench: Bench, asked: ChangeOrder, number: int = 1) -> Outputs:
    changed = ApprovedChange(update=asked.update, number=number)
    bench.machine.on_change(changed, now=bench.now, wall_ms=START_MS)
    return bench.take()


def test_a_new_price_is_asked_of_risk_and_leaves_when_risk_approves_it(bench: Bench) -> None:
    """It used to leave by itself: what is worth more was neither judged nor set aside."""
    out = bench.wait(WAITS)
    assert sent(out) == []
    (asked,) = out.changes
    assert (asked.intent.price, asked.intent.quantity, asked.rests) == (D(100), D(1), D(90))
    assert (asked.update.intent_id, asked.update.price, asked.update.quantity) == ("i1", D(100), None)
    (update,) = sent(approve(bench, asked))
    assert isinstance(update, UpdateOrder)
    assert update.price == D(100)


def test_what_has_traded_is_not_asked_for_again(bench: Bench) -> None:
    bench.hear(bench.row(1, "ou", status="PARTIALLY FILLED @ 90(0.4)", remaining="0.6"))
    bench.fill(1, "0.4", "90")
    (asked,) = bench.wait(WAITS).changes
    assert (asked.intent.quantity, asked.rests) == (D("0.6"), D(54))


def test_one_that_risk_refuses_rests_at_its_price_and_is_taken_back_in_the_end(bench: Bench) -> None:
    assert bench.wait(WAITS).changes
    assert sent(bench.wait(WAITS / 2)) == []
    (cancel,) = sent(bench.wait(WAITS / 2))
    assert isinstance(cancel, CancelOrder)


def test_one_that_is_at_the_front_already_is_not_asked_for() -> None:
    bench = Bench()
    bench.admit(order_type=OrderType.LIMIT, price=D(100))
    bench.accept(1)
    bench.wait(0.0)
    assert bench.wait(WAITS).changes == []


@pytest.mark.parametrize("new_process", [False, True])
def test_a_wish_that_a_kill_has_lost_is_not_owed(bench: Bench, new_process: bool) -> None:
    """It is a wish for a price: the order rests on, and has its time again."""
    bench.wait(WAITS)
    bench.restart(new_process=new_process)
    rests = bench.row(1, "os")
    out = bench.connect(2, rests)
    assert [*out.changes, *sent(out)] == []
    assert bench.machine.orders[1].price == D(90)


def test_an_approval_that_comes_when_the_order_has_ended_changes_nothing(bench: Bench) -> None:
    (asked,) = bench.wait(WAITS).changes
    bench.end(1)
    assert sent(approve(bench, asked)) == []


def judged(limit: int) -> tuple[RiskMachine, Bench, ChangeOrder]:
    """Risk has approved 1 at 90 itself, where `limit` is allowed."""
    limits = RiskSettings(max_position_notional=D(limit), max_order_notional=D(limit), max_gross_exposure=D(limit))
    risk, bench = machine(limits), Bench()
    risk.on_score(a_score(0, "hold"))
    fields: dict[str, Any] = {"order_type": OrderType.LIMIT, "price": D(90), "bracket": None}
    bench.admit(**fields)
    assert risk.on_command(ManualOrder(intent=bench.machine.orders[1].intent, actor="anna")).approved
    bench.accept(1)
    bench.wait(0.0)
    (asked,) = bench.wait(WAITS).changes
    return risk, bench, asked


def test_risk_sets_the_dearer_of_both_aside_before_the_new_price_leaves() -> None:
    risk, bench, asked = judged(200)
    (changed,) = risk.on_command(asked).changed
    assert risk.state.reservations["i1"].notional == D(100)
    assert [type(command) for command in sent(approve(bench, asked, changed.number))] == [UpdateOrder]
    again = risk.on_command(asked)
    assert [change.number for change in again.changed] == [changed.number], "said twice it is one change"


def test_risk_refuses_a_price_that_breaks_a_limit() -> None:
    risk, _, asked = judged(95)
    outputs = risk.on_command(asked)
    assert outputs.changed == ()
    assert not outputs.judgements[0].approved
    assert risk.state.reservations["i1"].notional == D(90)
