"""What cannot leave in a maintenance waits for the venue's next session, and is not tried every second."""

from collections.abc import Callable

import msgspec
import pytest

from genesis.domain.order_outputs import Outputs
from genesis.domain.order_rows import view_of
from genesis.domain.protection_watch import ProtectionWatch
from protocols.orders import (
    CancelOrder,
    CommandBatch,
    CommandNotSent,
    CommandSent,
    Flatten,
    OrderState,
    Purpose,
    SubmitOrder,
    UpdateOrder,
    commands_of,
)
from protocols.units import Side
from tests.genesis.domain.order_bench import Bench, commands, down, not_sent, states
from tests.genesis.domain.protect_bench import START_MS, D, sent
from tests.genesis.domain.protect_bench import Bench as PositionBench
from tests.genesis.domain.test_protection_watch import look

S = OrderState


@pytest.fixture
def bench() -> Bench:
    """An exit whose command met a venue in maintenance."""
    bench = Bench()
    bench.ready()
    assert commands(bench.admit(1, purpose=Purpose.EXIT))
    assert not bench.hear(not_sent(paused=True)).commands
    return bench


def test_it_is_not_tried_until_the_venue_opens_and_leaves_in_that_moment(bench: Bench) -> None:
    for _ in range(90):
        out = bench.wait(1.0)
        assert not out.commands
        assert not out.said
    bench.hear(down())
    bench.up(2)
    (command,) = commands(bench.report())
    assert (command.cid, command.session) == (1, 2)


@pytest.mark.parametrize("crashes", [1, 2])
def test_a_crash_of_the_actor_meanwhile_loses_nothing(bench: Bench, crashes: int) -> None:
    bench.wait(1.0)
    for _ in range(crashes):
        assert not bench.restart(new_process=False).commands
    # The batch with the note comes again: it is tried once more, at the most.
    bench.hear(not_sent(paused=True))
    for command in commands(bench.wait(1.0)):
        bench.hear(not_sent(command.cid, command.session, paused=True))
    assert not bench.wait(30.0).commands
    bench.hear(down())
    bench.up(2)
    assert [command.cid for command in commands(bench.report())] == [1]


def test_a_note_of_a_session_that_is_over_does_not_make_it_wait() -> None:
    """The next session was compared before the note was heard: nothing would release the order any more."""
    bench = Bench()
    bench.ready()
    bench.admit(1, purpose=Purpose.EXIT)
    bench.hear(down())
    bench.ready(2)
    bench.hear(not_sent(session=1, paused=True))
    assert [command.cid for command in commands(bench.wait(1.0))] == [1]


def test_an_entry_waits_no_longer_than_its_signal_is_young() -> None:
    bench = Bench()
    bench.ready()
    bench.admit(1)
    bench.hear(not_sent(paused=True))
    assert not bench.wait(29.0).said
    assert states(bench.wait(2.0)) == [S.REJECTED]
    assert "must be below 30 s" in bench.machine.orders[1].reason


def test_one_that_had_waited_for_its_coins_is_not_tried_in_the_very_turn_without_end() -> None:
    bench = held(spare="5")
    (cancel,) = commands(leave(bench))
    assert (type(cancel), cancel.cid) == (CancelOrder, 2)
    assert [command.cid for command in commands(bench.end(2))] == [3]
    assert not commands(bench.hear(not_sent(3, paused=True)))
    for _ in range(30):
        assert not commands(bench.wait(1.0))
    bench.cut()
    assert [command.cid for command in commands(bench.connect(2))] == [3]


def test_the_stop_whose_place_it_takes_stays_until_both_can_be_one_frame_again() -> None:
    """Cancelled by itself it would leave the position bare until the exit has left, too."""
    bench = held(spare="0")
    (frame,) = commands(leave(bench))
    assert isinstance(frame, CommandBatch)
    assert not commands(bench.hear(not_sent(3, paused=True)))
    for _ in range(30):
        assert not commands(bench.wait(1.0))
    assert (bench.machine.orders[2].state, bench.machine.orders[2].cancel_reason) == (S.ACKED, None)
    bench.cut()
    stop = msgspec.structs.replace(bench.row(2, "os"), session=2)
    bench.greet(2, stop, coins="1")
    (frame,) = commands(bench.report(opened=[stop]))
    assert [type(each) for each in commands_of(frame)] == [CancelOrder, SubmitOrder]


def held(*, spare: str) -> PositionBench:
    """A position of 1 with its stop (cid 2) at the venue, in a wallet with other coins beside it."""
    bench = PositionBench(coins=spare)
    bench.open_position()
    bench.hold(str(1 + int(spare)))
    return bench


def leave(bench: PositionBench) -> Outputs:
    return bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)


def move_the_stop(made: PositionBench) -> list[object]:
    (bracket,) = made.machine.brackets.values()
    bracket.levels = msgspec.structs.replace(bracket.levels, stop=D(90))
    return list(sent(made.wait(0.0)))


def flatten(made: PositionBench) -> list[object]:
    wish = Flatten(symbol=None, reason="enough", correlation_id="flatten")
    made.machine.on_flatten(wish, now=made.now, wall_ms=START_MS)
    return list(sent(made.take()))


@pytest.mark.parametrize(("wish", "kind", "asked"), [(flatten, "oc", CancelOrder), (move_the_stop, "ou", UpdateOrder)])
def test_a_cancel_or_a_change_waits_as_orders_do(
    wish: Callable[[PositionBench], list[object]], kind: str, asked: type
) -> None:
    made = PositionBench()
    made.open_position(margin=True)
    (command,) = wish(made)
    assert isinstance(command, asked)
    made.hear(CommandNotSent(cid=2, kind=kind, session=1, reason="maintenance", paused=True))
    for _ in range(30):
        assert sent(made.wait(1.0)) == []
    made.cut()
    again = sent(made.connect(2, made.row(2, "os")))
    assert [type(each) for each in again] == [asked]
    assert again[0].session == 2


@pytest.mark.parametrize("paused", [True, False], ids=["maintenance", "no line"])
@pytest.mark.parametrize("margin", [False, True], ids=["coins", "margin"])
def test_a_stop_whose_cancel_never_left_is_not_told_as_missing(margin: bool, paused: bool) -> None:
    made = PositionBench()
    made.open_position(margin=margin)
    flatten(made)
    made.hear(CommandNotSent(cid=2, kind="oc", session=1, reason="maintenance", paused=paused))
    if not paused:
        made.cut()
    watch = ProtectionWatch()
    for _ in range(30):
        assert sent(made.wait(1.0)) == []
        looked = look(watch, made.now, "1", *[view_of(row) for row in made.machine.orders.values() if row.open])
        assert (looked.status.naked, looked.repairs, looked.alarms) == (0, (), ())
        assert [view.stopped for view in made.machine.protection()] == [D(1)]
    made.cut()
    assert [type(each) for each in sent(made.connect(2, made.row(2, "os")))] == [CancelOrder]
    assert made.machine.orders[2].state is S.PENDING_CANCEL


def test_a_stop_of_which_an_earlier_cancel_has_left_does_not_count_as_resting() -> None:
    made = PositionBench()
    made.open_position(margin=True)
    flatten(made)
    made.hear(CommandSent(cid=2, kind="oc", session=1, received_ns=0))
    made.cut()
    assert [type(each) for each in sent(made.connect(2, made.row(2, "os")))] == [CancelOrder]
    made.hear(CommandNotSent(cid=2, kind="oc", session=2, reason="maintenance", paused=True))
    assert made.machine.orders[2].state is S.PENDING_CANCEL
    assert [view.stopped for view in made.machine.protection()] == [D(0)]


@pytest.mark.parametrize("margin", [False, True], ids=["coins", "margin"])
def test_a_stop_whose_cancel_never_left_needs_no_other_beside_it_while_history_is_silent(margin: bool) -> None:
    made = PositionBench()
    made.open_position(margin=margin)
    made.cut()
    assert flatten(made) == []
    stop = msgspec.structs.replace(made.row(2, "os"), session=2)
    made.greet(2, stop)
    for _ in range(10):
        assert sent(made.wait(1.0)) == []
        assert [view.stopped for view in made.machine.protection()] == [D(1)]
    assert [(type(each), each.cid) for each in sent(made.report(opened=[stop]))] == [(CancelOrder, 2)]


def test_one_that_waited_and_would_cover_too_much_makes_way_for_the_right_size_at_once() -> None:
    """Others had been refused before it, and the lot lay bare for the rest of a pause that no refusal had begun."""
    bench = PositionBench(coins="0")
    bench.open_position()
    for _ in range(6):
        bench.wait(16.0)
        bench.end(bench.machine.last_cid)
    waits = bench.machine.last_cid
    bench.hear(CommandNotSent(cid=waits, kind="on", session=1, reason="maintenance", paused=True))
    assert bench.machine.orders[waits].state is S.INTENT
    bench.cut()
    bench.greet(2)
    left = bench.report(trades=(msgspec.structs.replace(bench.trade(2, "0.4"), event="rest"),))
    (stop,) = sent(left)
    assert isinstance(stop, SubmitOrder)
    assert (stop.amount, bench.machine.orders[waits].state) == (D("-0.6"), S.REJECTED)
