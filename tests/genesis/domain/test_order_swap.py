"""An order in another's place, in one frame: both arrive, or what rested goes on resting."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from genesis.domain.order_outputs import Outputs
from genesis.domain.order_protect import FIRST_PAUSE_S
from protocols.orders import (
    Approved,
    Bracket,
    CancelOrder,
    CommandBatch,
    CommandInDoubt,
    CommandNotSent,
    CommandSent,
    OrderState,
    OrderType,
    Purpose,
    RequestNotice,
    SubmitOrder,
    UpdateIntent,
)
from protocols.units import Side
from tests.genesis.domain.protect_bench import START_MS, Bench, HastyBench, sent

D = Decimal
S = OrderState


@pytest.fixture(params=[Bench, HastyBench])
def bench(request: pytest.FixtureRequest) -> Bench:
    """A position of 1 with its stop resting (cid 2), and nothing else in the wallet."""
    made: Bench = request.param(coins="0")
    made.open_position()
    made.hold("1")
    return made


def leave(bench: Bench) -> Outputs:
    return bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)


def move_stop(bench: Bench, cid: int, price: str) -> Outputs:
    name = bench.machine.orders[cid].intent.intent_id
    wish = UpdateIntent(
        intent_id=name, price=None, stop_price=D(price), quantity=None, reason="moved", correlation_id="x"
    )
    bench.machine.on_update(wish, now=bench.now, wall_ms=START_MS)
    return bench.take()


def answers(bench: Bench, kind: type[Any], **more: Any) -> list[Any]:
    session = bench.machine.fence.session
    return [kind(cid=cid, kind=name, session=session, **more) for cid, name in ((2, "oc"), (3, "on"))]


def state(bench: Bench, cid: int) -> OrderState:
    return bench.machine.orders[cid].state


def test_an_exit_and_the_cancel_of_its_stop_leave_in_one_frame_behind_one_commit(bench: Bench) -> None:
    out = leave(bench)
    (batch,) = sent(out)
    assert isinstance(batch, CommandBatch)
    cancel, sell = batch.commands
    assert isinstance(cancel, CancelOrder)
    assert isinstance(sell, SubmitOrder)
    assert (cancel.venue_id, sell.cid, sell.amount) == (1002, 3, D(-1))
    assert {"order:00000000000002", "order:00000000000003"} <= out.cells.keys()
    bench.end(2)
    bench.accept(3)
    bench.hear(bench.row(3, "oc", status="EXECUTED @ 99(-1)", remaining="0"))
    bench.fill(3, "1")
    assert (state(bench, 2), state(bench, 3)) == (S.CANCELED, S.FILLED)
    assert bench.machine.brackets == {}


def test_a_frame_that_was_lost_leaves_the_stop_resting(bench: Bench) -> None:
    leave(bench)
    for event in answers(bench, CommandSent, received_ns=0):
        bench.hear(event)
    # As long as nobody knows, nothing is placed beside it and nothing is taken out.
    assert sent(bench.wait(2.5)) == []
    bench.cut()
    assert sent(bench.connect(2, bench.row(2, "os"))) == []
    assert (state(bench, 2), state(bench, 3)) == (S.ACKED, S.UNKNOWN)
    assert bench.machine.protection()[0].stopped == 1


def test_a_frame_that_arrived_behind_a_broken_line_is_taken_for_what_it_did(bench: Bench) -> None:
    leave(bench)
    for event in answers(bench, CommandInDoubt, reason="broken"):
        bench.hear(event)
    bench.cut()
    stop, sale = bench.row(2, "rest", status="CANCELED"), bench.row(3, "rest")
    bench.greet(2)
    assert sent(bench.report(opened=[sale], closed=[stop])) == []
    assert (state(bench, 2), state(bench, 3)) == (S.CANCELED, S.ACKED)


def test_a_frame_that_did_not_leave_is_tried_again_whole(bench: Bench) -> None:
    leave(bench)
    for event in answers(bench, CommandNotSent, reason="no line"):
        assert sent(bench.hear(event)) == []
    assert state(bench, 2) is S.ACKED
    (batch,) = sent(bench.wait(1.0))
    assert [type(each) for each in batch.commands] == [CancelOrder, SubmitOrder]


def test_a_stop_that_traded_meanwhile_has_sold_the_coins_and_the_exit_is_refused(bench: Bench) -> None:
    leave(bench)
    session = bench.machine.fence.session
    for kind, cid in (("oc-req", 2), ("on-req", 3)):
        notice = RequestNotice(
            session=session, kind=kind, status="ERROR", text="no", cid=cid, venue_id=None, received_ns=0
        )
        bench.hear(notice)
    bench.hear(bench.row(2, "oc", status="EXECUTED @ 95(-1)", remaining="0"))
    assert sent(bench.fill(2, "1", "95")) == []
    assert (state(bench, 2), state(bench, 3)) == (S.FILLED, S.REJECTED)
    assert bench.machine.brackets == {}


def test_where_other_coins_lie_the_exit_waits_for_its_stop(bench: Bench) -> None:
    """They are a person's: should the stop trade while the frame is on its way, the venue would sell those."""
    bench.hold("2.5")
    (cancel,) = sent(leave(bench))
    assert isinstance(cancel, CancelOrder)
    (sell,) = sent(bench.end(2))
    assert isinstance(sell, SubmitOrder)


def test_an_exit_waits_where_its_stop_has_just_sold_a_part(bench: Bench) -> None:
    """The venue has told of it and not yet of the trade: it would refuse a sale of all of it, and cancel the stop."""
    bench.hear(bench.row(2, "ou", status="PARTIALLY FILLED @ 95(-0.2)", remaining="0.8"))
    (cancel,) = sent(leave(bench))
    assert isinstance(cancel, CancelOrder)
    assert sent(bench.fill(2, "0.2", "95")) == []
    (sell,) = sent(bench.end(2, remaining="0.8"))
    assert isinstance(sell, SubmitOrder)
    assert sell.amount == D("-0.8")


@pytest.mark.parametrize("by_hand", [False, True])
def test_where_others_may_buy_meanwhile_the_exit_waits_for_its_stop(bench: Bench, by_hand: bool) -> None:
    """A crash may trigger the stop and fill their order in one moment: what the exit then sold would be theirs."""
    bench.admit(strategy="other", order_type=OrderType.LIMIT, price=D(90))
    bench.accept(3)
    if by_hand:
        stranger = msgspec.structs.replace(bench.row(3, "on"), venue_id=77, cid=900, group_id=0, original=D(2))
        bench.end(3)
        bench.hear(stranger)
    (cancel,) = sent(leave(bench))
    assert isinstance(cancel, CancelOrder)
    bench.hear(bench.row(2, "oc", status="EXECUTED @ 89(-1)", remaining="0"))
    assert sent(bench.fill(2, "1", "89")) == []
    assert state(bench, 4) is S.REJECTED


def test_the_first_of_several_stops_that_is_canceled_says_that_the_exit_has_arrived() -> None:
    """Its place is the exit's, though the word on the other stops is still on its way."""
    bench = Bench(coins="0")
    for entry in (1, 3):
        bench.admit(strategy="manual", purpose=Purpose.MANUAL)
        bench.accept(entry)
        bench.hear(bench.row(entry, "oc", status="EXECUTED @ 100(1)", remaining="0"))
        bench.fill(entry, "1")
        bench.accept(entry + 1)
    bench.hold("2")
    out = bench.admit(strategy="manual", side=Side.SELL, purpose=Purpose.EXIT, bracket=None, quantity=D(2))
    (batch,) = sent(out)
    assert [each.cid for each in batch.commands] == [2, 4, 5]
    for ended in (2, 4):
        out = bench.end(ended)
        assert (sent(out), out.alarms) == ([], [])
    # Refused all the same: both lots get their stops back.
    session = bench.machine.fence.session
    refused = RequestNotice(
        session=session, kind="on-req", status="ERROR", text="no", cid=5, venue_id=None, received_ns=0
    )
    assert [stop.amount for stop in sent(bench.hear(refused))] == [D(-1), D(-1)]


def test_an_oco_is_moved_in_one_frame() -> None:
    bench = Bench(coins="0")
    bench.open_position(bracket=Bracket(stop_distance=D(5), target_distance=D(10)))
    bench.hold("1")
    (batch,) = sent(move_stop(bench, 2, "97"))
    cancel, again = batch.commands
    assert (cancel.venue_id, again.oco_stop_price, again.amount) == (1002, D(97), D(-1))
    # The new one is refused although the old one is gone: it is placed alone.
    bench.end(2)
    session = bench.machine.fence.session
    refused = RequestNotice(
        session=session, kind="on-req", status="ERROR", text="no", cid=3, venue_id=None, received_ns=0
    )
    bench.hear(refused)
    (third,) = sent(bench.wait(1.0))
    assert (third.cid, third.oco_stop_price) == (4, D(97))


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("others", [False, True])
def test_a_stop_that_rests_is_moved_without_the_pause_of_those_that_did_not(others: bool, at_once: bool) -> None:
    """Several had been refused before it, and one that nobody has heard of is still in doubt: it stayed as it was for
    up to half a minute, or the lot lay bare for as long behind its cancel. Also where it rests for no moment yet."""
    bench = Bench(coins="0")
    bench.open_position(quantity=D(1), bracket=Bracket(stop_distance=D(5), target_distance=D(10)))
    bench.hold("1")
    for _ in range(6):
        bench.end(bench.machine.last_cid)
        bench.wait(16.0)
    # The next is carried out and not told, and a new session does not show it; the one after it rests.
    lost = bench.machine.last_cid
    bench.cut()
    bench.greet(2, coins="1")
    bench.report()
    while (newest := bench.machine.last_cid) == lost:
        bench.wait(0.5)
    assert (newest, state(bench, lost)) == (lost + 1, S.UNKNOWN)
    bench.accept(newest)
    if not at_once:
        bench.wait(0.5)
    if others:
        bench.hear(msgspec.structs.replace(bench.row(1, "on"), venue_id=77, cid=900, group_id=0, original=D(2)))
    commands = sent(move_stop(bench, newest, "97"))
    if at_once:
        assert commands == []
        due_at = bench.machine.next_deadline()
        assert due_at is not None
        assert due_at <= bench.now + FIRST_PAUSE_S
        commands = sent(bench.wait(due_at - bench.now))
    (command,) = commands
    if others:
        assert isinstance(command, CancelOrder)
        (command,) = sent(bench.end(newest))
    again = command if isinstance(command, SubmitOrder) else command.commands[1]
    assert again.oco_stop_price == D(97)


def test_where_others_may_buy_meanwhile_an_oco_is_moved_when_the_old_one_has_let_go() -> None:
    """A fall that triggers its stop fills what they let rest below it: the new one would sell what they bought."""
    bench = Bench(coins="0")
    bench.open_position(bracket=Bracket(stop_distance=D(5), target_distance=D(10)))
    bench.hold("1")
    bench.hear(msgspec.structs.replace(bench.row(1, "on"), venue_id=77, cid=900, group_id=0, original=D(2)))
    (cancel,) = sent(move_stop(bench, 2, "97"))
    assert isinstance(cancel, CancelOrder)
    (again,) = sent(bench.end(2))
    assert again.oco_stop_price == D(97)


def test_what_a_person_lets_rest_is_not_of_the_lot_that_is_moved() -> None:
    """People's orders have one name, and are no more one's own to each other than those of two strategies."""
    bench = Bench(coins="0")
    oco = Bracket(stop_distance=D(5), target_distance=D(10))
    bench.open_position(strategy="manual", purpose=Purpose.MANUAL, bracket=oco)
    bench.hold("1")
    bench.admit(strategy="manual", purpose=Purpose.MANUAL, bracket=None, order_type=OrderType.LIMIT, price=D(90))
    bench.accept(3)
    (cancel,) = sent(move_stop(bench, 2, "97"))
    assert isinstance(cancel, CancelOrder)


@pytest.mark.parametrize("margin", [False, True])
def test_an_oco_whose_move_did_not_leave_rests_until_the_next_frame_does(margin: bool) -> None:
    bench = Bench(coins="0")
    bench.open_position(bracket=Bracket(stop_distance=D(5), target_distance=D(10)), margin=margin)
    bench.hold("1")
    move_stop(bench, 2, "97")
    for event in answers(bench, CommandNotSent, reason="no room"):
        assert sent(bench.hear(event)) == [], "cancelled alone it would leave the position bare"
        assert sent(bench.hear(event)) == []
    assert (state(bench, 2), state(bench, 3)) == (S.ACKED, S.REJECTED)
    (batch,) = sent(bench.wait(1.0))
    cancel, again = batch.commands
    assert (cancel.venue_id, again.cid, again.oco_stop_price) == (1002, 4, D(97))
    bench.end(2)
    assert sent(bench.accept(4)) == []


def test_one_that_went_on_resting_beside_the_new_one_is_taken_out(bench: Bench) -> None:
    leave(bench)
    bench.hear(bench.row(3, "on"))
    bench.wait(6.0)
    assert [command.venue_id for command in sent(bench.wait(6.0))] in ([1002], [])
    assert bench.machine.orders[2].cancel_reason == "order 3 is in its place"


@pytest.mark.parametrize("new_process", [False, True])
def test_whoever_dies_behind_the_commit_does_not_send_it_twice(bench: Bench, new_process: bool) -> None:
    (put,) = leave(bench).commands
    again = bench.restart(new_process=new_process).commands
    if new_process:
        assert again == []
        assert sent(bench.connect(2, bench.row(2, "os"))) == []
        assert (state(bench, 2), state(bench, 3)) == (S.ACKED, S.UNKNOWN)
    else:
        # Under the key it had: what was put before is put no more.
        assert [(each.key, each.command) for each in again] == [(put.key, put.command)]


def test_a_stop_without_an_answer_is_looked_for_after_two_seconds_and_placed_anew(bench: Bench) -> None:
    bench.end(2)
    assert bench.wait(2.0).reconnect is None
    assert state(bench, 3) is S.UNKNOWN
    # REST answers and does not show it: only a new session can prove more.
    assert bench.report().reconnect is not None
    bench.cut()
    (stop,) = sent(bench.connect(2))
    assert (stop.cid, stop.amount) == (4, D(-1))


def test_what_is_ready_is_taken_without_a_look_at_protection(bench: Bench) -> None:
    intent = msgspec.structs.replace(bench.machine.orders[1].intent, intent_id="out", side=Side.SELL, bracket=None)
    exit_ = msgspec.structs.replace(intent, purpose=Purpose.EXIT)
    bench.machine.admit(Approved(intent=exit_, settings_version=1), now=bench.now, wall_ms=START_MS)
    ready = bench.machine.take_ready()
    assert ready is not None
    assert [type(command) for command in sent(ready)] == [CommandBatch]
    assert ready.must_be_kept
    rest = bench.machine.take()
    assert (sent(rest), rest.records, rest.cells) == ([], [], {})
    assert bench.machine.take_ready() is None


def test_an_exit_that_must_wait_for_its_stop_is_not_ready(bench: Bench) -> None:
    """What goes first is the cancel of the stop, which is protection's."""
    bench.hold("2")
    intent = msgspec.structs.replace(bench.machine.orders[1].intent, intent_id="out", side=Side.SELL, bracket=None)
    exit_ = msgspec.structs.replace(intent, purpose=Purpose.EXIT)
    bench.machine.admit(Approved(intent=exit_, settings_version=1), now=bench.now, wall_ms=START_MS)
    assert bench.machine.take_ready() is None
    assert [type(command) for command in sent(bench.machine.take())] == [CancelOrder]
