"""The order machine when somebody changes his mind: cancels, updates, flattens."""

from decimal import Decimal

import msgspec
import pytest

from protocols.orders import (
    CancelOrder,
    OrderState,
    OrderUpdate,
    UpdateIntent,
    UpdateOrder,
)
from protocols.units import ZERO
from tests.genesis.domain.order_bench import (
    Bench,
    a_row,
    a_trade,
    closed,
    commands,
    executed,
    not_sent,
    refusal,
    sent,
    states,
)
from tests.genesis.domain.order_oracle import START_MS, SYMBOL, an_intent

S = OrderState


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.ready()
    return bench


@pytest.fixture
def acked(bench: Bench) -> Bench:
    bench.admit(1)
    bench.hear(sent(), a_row())
    return bench


def test_cancel_asks_once_and_ends(acked: Bench) -> None:
    out = acked.cancel(an_intent(1).intent_id)
    (command,) = commands(out)
    assert (command.venue_id, command.cid, command.cid_date) == (1001, 1, "2018-02-05")
    assert not acked.cancel(None).commands
    assert states(acked.hear(closed())) == [S.CANCELED]


@pytest.mark.parametrize("new_process", [False, True])
def test_a_wish_to_cancel_all_that_is_heard_again_takes_back_nothing_that_came_after_it(
    bench: Bench, new_process: bool
) -> None:
    """A crash between commit and acknowledgement brings its whole batch again: the wish, and the order behind it."""
    bench.admit(1)
    bench.hear(sent(), a_row())
    assert [command.cid for command in commands(bench.cancel(None, "all"))] == [1]
    bench.admit(2)
    bench.restart(new_process=new_process)
    bench.cancel(None, "all")
    assert [row.cid for row in bench.machine.orders.values() if row.cancel_reason is not None] == [1]
    bench.cancel(None, "another")
    assert [row.cid for row in bench.machine.orders.values() if row.cancel_reason is not None] == [1, 2] or new_process


def test_a_wish_that_found_nothing_to_cancel_is_remembered_too(bench: Bench) -> None:
    assert not commands(bench.cancel(None, "all"))
    bench.admit(1)
    bench.restart(new_process=False)
    bench.cancel(None, "all")
    assert bench.machine.orders[1].cancel_reason is None


def test_cancel_of_what_never_left_needs_no_venue() -> None:
    bench = Bench()
    bench.admit(1)
    assert states(bench.cancel(None)) == [S.CANCELED]


def test_cancel_of_what_is_not_answered_yet_waits_for_the_answer(bench: Bench) -> None:
    bench.admit(1)
    assert not bench.cancel(None).commands
    assert isinstance(commands(bench.hear(a_row()))[0], CancelOrder)


def test_a_cancel_without_an_answer_is_asked_again(acked: Bench) -> None:
    first = acked.cancel(None)
    second = acked.wait(5)
    assert first.commands[0].command == second.commands[0].command
    assert first.commands[0].key != second.commands[0].key


def test_a_cancel_survives_the_session_and_the_process(acked: Bench) -> None:
    acked.cancel(None)
    acked.restart(new_process=True)
    out = acked.ready(1, a_row(event="os"))
    assert isinstance(commands(out)[0], CancelOrder)


def test_a_refused_cancel_lets_history_decide(acked: Bench) -> None:
    acked.cancel(None)
    acked.hear(refusal(kind="oc-req"))
    acked.wait(3)
    out = acked.report(closed=[executed(event="rest")], trades=[a_trade("rest")])
    assert states(out) == [S.FILLED]


def test_update_sends_price_remaining_and_flags_again(bench: Bench) -> None:
    bench.admit(1, post_only=True)
    bench.hear(a_row(flags=4096))
    wish = UpdateIntent(
        intent_id=an_intent(1).intent_id, price=Decimal(6990), quantity=Decimal(2), reason="r", correlation_id=""
    )
    bench.machine.on_update(wish, now=bench.now, wall_ms=START_MS)
    (command,) = commands(bench.take())
    assert isinstance(command, UpdateOrder)
    assert (command.price, command.amount, command.flags) == (Decimal(6990), Decimal(2), 4096)
    assert bench.state() is S.PENDING_UPDATE
    bench.machine.on_update(wish, now=bench.now, wall_ms=START_MS)
    assert not bench.take().commands, "a second update waits for the answer of the first"
    out = bench.hear(
        a_row(event="ou", price=Decimal(6990), original=Decimal(2), remaining=Decimal(2), updated_ms=START_MS + 1)
    )
    told = [report.order for report in out.reports if isinstance(report, OrderUpdate)]
    assert [(order.price, order.quantity) for order in told] == [(Decimal(6990), Decimal(2))]
    row = bench.machine.orders[1]
    assert (row.state, row.price, row.quantity) == (S.ACKED, Decimal(6990), Decimal(2))


def test_a_refused_update_leaves_the_order_as_it_was(acked: Bench) -> None:
    wish = UpdateIntent(
        intent_id=an_intent(1).intent_id, price=Decimal(6990), quantity=None, reason="r", correlation_id=""
    )
    acked.machine.on_update(wish, now=acked.now, wall_ms=START_MS)
    acked.take()
    assert states(acked.hear(refusal(kind="ou-req"))) == [S.ACKED]
    assert acked.machine.orders[1].price == Decimal(7000)


def test_an_update_that_could_not_leave_is_not_asked_again_in_the_same_turn(acked: Bench) -> None:
    """Who wants it wants it still: without a pause journal and line would turn in place for ever. After it the change
    leaves by itself, once."""
    wish = UpdateIntent(
        intent_id=an_intent(1).intent_id, price=Decimal(6990), quantity=None, reason="r", correlation_id=""
    )
    acked.machine.on_update(wish, now=acked.now, wall_ms=START_MS)
    assert len(commands(acked.take())) == 1
    assert states(acked.hear(not_sent(kind="ou"))) == [S.ACKED]
    acked.machine.on_update(wish, now=acked.now, wall_ms=START_MS)
    assert not acked.take().commands
    deadline = acked.machine.next_deadline()
    assert deadline is not None
    assert len(commands(acked.wait(deadline - acked.now))) == 1
    acked.machine.on_update(wish, now=acked.now, wall_ms=START_MS)
    assert not acked.take().commands


def test_flatten_cancels_what_rests_then_closes_what_is_held(acked: Bench) -> None:
    acked.hear(executed(), a_trade())
    acked.admit(2)
    acked.hear(a_row(2))
    out = acked.flatten()
    assert [type(command) for command in commands(out)] == [CancelOrder]
    assert not commands(acked.flatten()), "the same wish again is the same wish"
    assert states(acked.admit(3))[-1] is S.REJECTED, "no entry meanwhile"
    acked.hear(closed(2))
    (command,) = commands(acked.wait(0))
    assert (command.wire_type, command.amount) == ("EXCHANGE MARKET", Decimal("-0.998"))
    sell = msgspec.structs.replace(a_trade(trade_id=7, cid=4, amount="-0.998"), fee_currency="USD")
    acked.hear(executed(4, original=Decimal("-0.998"), wire_type="EXCHANGE MARKET"), sell)
    acked.wait(0)
    assert acked.machine.fills.held == {(SYMBOL, False): ZERO}
    assert acked.machine.flattens["f1"].books == ()
    assert commands(acked.admit(5)), "and entries are welcome again"


def test_a_refused_flatten_is_tried_again_and_then_says_so(acked: Bench) -> None:
    acked.hear(executed(), a_trade())
    tries = len(commands(acked.flatten()))
    alarms: list[tuple[str, str]] = []
    for _ in range(6):
        acked.hear(refusal(acked.machine.last_cid))
        out = acked.wait(5)
        tries += len(commands(out))
        alarms += out.alarms
    assert tries == 3
    assert [code for code, _ in alarms] == ["flatten_failed"]
    (wish,) = acked.machine.flattenings()
    assert (wish.left, wish.given_up, wish.last_cid) == ((), (SYMBOL,), 1)
