"""Changes of a resting order, two at once and at any moment: the newest holds, unless the order ends first."""

from decimal import Decimal
from typing import Any

import pytest

from genesis.domain.order_outputs import Outputs
from protocols.orders import ApprovedChange, CancelOrder, OrderState, OrderUpdate, UpdateIntent, UpdateOrder
from tests.genesis.domain.order_bench import Bench, a_row, commands, down, not_sent, refusal, sent
from tests.genesis.domain.order_oracle import START_MS

D = Decimal
S = OrderState


@pytest.fixture
def bench() -> Bench:
    """Our order 1 rests: 1 at 7000."""
    bench = Bench()
    bench.ready()
    bench.admit(1)
    bench.hear(sent(), a_row())
    return bench


def change(bench: Bench, price: str | None = None, quantity: str | None = None) -> Outputs:
    wish = UpdateIntent(
        intent_id=bench.machine.orders[1].intent.intent_id,
        price=None if price is None else D(price),
        quantity=None if quantity is None else D(quantity),
        reason="wish",
        correlation_id="x",
    )
    bench.machine.on_update(wish, now=bench.now, wall_ms=START_MS)
    return bench.take()


def prices(out: Outputs) -> list[Any]:
    return [command.price for command in commands(out) if isinstance(command, UpdateOrder)]


def told(price: str, **more: Any) -> Any:
    return a_row(event="ou", price=D(price), updated_ms=START_MS + 10, **more)


def test_of_several_changes_at_once_the_newest_holds(bench: Bench) -> None:
    """The second one used to be dropped while the first had no answer, and both were said to be on their way."""
    assert prices(change(bench, "6900")) == [D(6900)]
    assert prices(change(bench, "6800")) == []
    assert prices(change(bench, "6700")) == []
    assert prices(bench.hear(told("6900"))) == [D(6700)]
    assert prices(bench.hear(a_row(event="ou", price=D(6700), updated_ms=START_MS + 20))) == []
    assert (bench.state(), bench.machine.orders[1].price, bench.machine.orders[1].wanted) == (S.ACKED, D(6700), None)


def test_a_change_before_the_order_rests_leaves_when_it_does() -> None:
    bench = Bench()
    bench.ready()
    bench.admit(1)
    assert prices(change(bench, "6900")) == []
    bench.hear(sent())
    assert prices(bench.hear(a_row())) == [D(6900)]


def test_price_and_quantity_of_two_changes_go_together(bench: Bench) -> None:
    change(bench, "6900")
    change(bench, quantity="0.5")
    change(bench, "6800")
    (command,) = commands(bench.hear(told("6900")))
    assert (command.price, command.amount) == (D(6800), D("0.5"))


def test_a_cancel_beside_a_change_is_the_last_word(bench: Bench) -> None:
    change(bench, "6900")
    change(bench, "6800")
    (cancel,) = commands(bench.cancel(bench.machine.orders[1].intent.intent_id))
    assert isinstance(cancel, CancelOrder)
    assert prices(change(bench, "6600")) == []
    assert commands(bench.hear(told("6900"))) == []
    assert bench.machine.orders[1].wanted is None


@pytest.mark.parametrize("new_process", [False, True])
def test_whoever_dies_with_a_change_that_waits_asks_for_it_afterwards(bench: Bench, new_process: bool) -> None:
    change(bench, "6900")
    change(bench, "6800")
    bench.restart(new_process=new_process)
    if new_process:
        found = prices(bench.ready(1, a_row(event="os", price=D(6900), updated_ms=START_MS + 10)))
    else:
        found = prices(bench.hear(told("6900")))
    assert found == [D(6800)]


def test_a_change_that_did_not_leave_leaves_later(bench: Bench) -> None:
    change(bench, "6900")
    assert prices(bench.hear(not_sent(kind="ou"))) == []
    assert prices(bench.wait(1.0)) == [D(6900)]


def test_a_change_whose_line_broke_is_not_repeated_when_the_venue_shows_it_done(bench: Bench) -> None:
    change(bench, "6900")
    bench.hear(down())
    assert prices(bench.ready(2, a_row(event="os", session=2, price=D(6900), updated_ms=START_MS + 10))) == []
    assert (bench.state(), bench.machine.orders[1].price) == (S.ACKED, D(6900))


def test_what_was_to_become_smaller_does_not_grow_when_it_has_traded_that_far(bench: Bench) -> None:
    change(bench, "6900")
    change(bench, quantity="0.5")
    partly = told("6900", remaining=D("0.3"), status="PARTIALLY FILLED @ 6900(0.7)")
    out = bench.hear(partly)
    amounts = [command.amount for command in commands(out) if isinstance(command, UpdateOrder)]
    assert amounts == []


def test_a_halt_takes_back_what_waits(bench: Bench) -> None:
    change(bench, "6900")
    change(bench, "6800")
    bench.machine.halted = "enough"
    assert prices(bench.hear(told("6900"))) == []
    assert bench.machine.orders[1].wanted is None


# --- what risk hears of the changes that it has approved ------------------------------------------------------------


def approve(bench: Bench, number: int, price: str | None = None, quantity: str | None = None) -> Outputs:
    wish = UpdateIntent(
        intent_id=bench.machine.orders[1].intent.intent_id,
        price=None if price is None else D(price),
        quantity=None if quantity is None else D(quantity),
        reason="wish",
        correlation_id="x",
    )
    bench.machine.on_change(ApprovedChange(update=wish, number=number), now=bench.now, wall_ms=START_MS)
    return bench.take()


def settled(out: Outputs) -> list[tuple[int, Decimal | None]]:
    """The numbers that were told as settled, each with the order's price."""
    views = [report.order for report in out.reports if isinstance(report, OrderUpdate)]
    return [(view.settled_change, view.price) for view in views if view.settled_change]


def test_a_change_is_told_as_settled_when_the_venue_has_taken_it(bench: Bench) -> None:
    out = approve(bench, 1, "7100")
    assert (prices(out), settled(out)) == ([D(7100)], [])
    assert settled(bench.hear(a_row())) == []
    assert settled(bench.hear(told("7100"))) == [(1, D(7100))]


def test_a_change_that_is_refused_is_told_with_the_order_as_it_was(bench: Bench) -> None:
    approve(bench, 1, "7100")
    assert settled(bench.hear(refusal(kind="ou-req"))) == [(1, D(7000))]


def test_of_two_changes_only_the_end_of_the_second_is_told(bench: Bench) -> None:
    approve(bench, 1, "7100")
    assert settled(approve(bench, 2, "7200")) == []
    assert settled(bench.hear(told("7100"))) == []
    assert settled(bench.hear(a_row(event="ou", price=D(7200), updated_ms=START_MS + 20))) == [(2, D(7200))]


def test_a_change_that_is_not_asked_for_is_told_at_once(bench: Bench) -> None:
    assert settled(approve(bench, 1, "7000")) == [(1, D(7000))]
    bench.machine.halted = "enough"
    out = approve(bench, 2, "7100")
    assert (prices(out), settled(out)) == ([], [(2, D(7000))])


def test_a_change_that_waits_and_is_given_up_is_told(bench: Bench) -> None:
    approve(bench, 1, "7100")
    approve(bench, 2, "7200")
    bench.machine.halted = "enough"
    assert settled(bench.hear(told("7100")))[-1] == (2, D(7100))


def test_a_change_heard_twice_is_asked_for_once(bench: Bench) -> None:
    approve(bench, 1, "7100")
    bench.hear(told("7100"))
    out = approve(bench, 1, "7200")
    assert (prices(out), settled(out)) == ([], [])


def test_a_cancel_behind_a_change_does_not_settle_it(bench: Bench) -> None:
    """The change left first: the order may be the larger one before it is gone."""
    approve(bench, 1, "7100")
    out = bench.cancel(bench.machine.orders[1].intent.intent_id)
    assert settled(out) == []
    assert settled(bench.hear(a_row())) == []


def test_a_change_whose_line_broke_is_settled_by_the_next_session(bench: Bench) -> None:
    approve(bench, 1, "7100")
    assert settled(bench.hear(down())) == []
    found = settled(bench.up(2, a_row(event="os", session=2, price=D(7100), updated_ms=START_MS + 10)))
    assert found[-1] == (1, D(7100))


def test_a_change_that_the_venue_makes_late_is_told_again(bench: Bench) -> None:
    approve(bench, 1, "7100")
    bench.hear(down())
    assert settled(bench.up(2, a_row(event="os", session=2)))[-1] == (1, D(7000))
    late = a_row(event="ou", session=2, price=D(7100), updated_ms=START_MS + 10)
    assert settled(bench.hear(late)) == [(1, D(7100))]


@pytest.mark.parametrize("new_process", [False, True])
def test_over_a_death_a_change_stays_unsettled_until_the_venue_has_spoken(bench: Bench, new_process: bool) -> None:
    approve(bench, 1, "7100")
    assert settled(bench.restart(new_process=new_process)) == []
    if new_process:
        found = settled(bench.up(1, a_row(event="os", price=D(7100), updated_ms=START_MS + 10)))
    else:
        found = settled(bench.hear(told("7100")))
    assert found[-1] == (1, D(7100))
    assert settled(approve(bench, 1, "7300")) == []
