"""A stop that a dead socket still delivers, long after another one took its place: seen, and one of the two goes."""

import msgspec
import pytest

from genesis.domain.pairs import PairSpec
from protocols.orders import CancelOrder, CommandNotSent, Flatten, OrderState, OrderType, Purpose, RequestNotice
from protocols.units import Side
from tests.genesis.domain.protect_bench import BTC, START_MS, Bench, D, sent


@pytest.fixture(params=[False, True], ids=["coins", "margin"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """`s` holds 1. Its stop (order 2) left on a socket that died, and another one (order 3) rests in its place."""
    made = Bench(coins="0")
    made.now = 5.0
    made.admit(margin=request.param)
    made.accept(1)
    made.hear(made.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    made.fill(1, "1")
    made.hold("5")
    made.now += 0.5
    made.cut()
    made.now += 0.5
    made.connect(2)
    made.accept(3)
    assert made.machine.orders[2].is_lost
    assert made.machine.orders[3].state is OrderState.ACKED
    return made


def cancels(commands: list[object]) -> list[int]:
    return [command.cid for command in commands if isinstance(command, CancelOrder)]


def flatten(bench: Bench) -> list[object]:
    wish = Flatten(symbol=None, reason="enough", correlation_id="flatten")
    bench.machine.on_flatten(wish, now=bench.now, wall_ms=START_MS)
    return sent(bench.take())


def no_cancel(bench: Bench, cid: int) -> RequestNotice:
    return RequestNotice(
        session=bench.machine.fence.session,
        kind="oc-req",
        status="ERROR",
        text="Order not found.",
        cid=cid,
        venue_id=bench.machine.orders[cid].venue_id,
        received_ns=0,
    )


def test_it_is_taken_out_with_the_frame_that_shows_it(bench: Bench) -> None:
    bench.now += 20.0
    commands = sent(bench.hear(bench.row(2, "on")))
    assert len(cancels(commands)) == 1
    assert len(commands) == 1, "the other one stays as it is"


def test_it_is_taken_out_when_only_a_later_snapshot_shows_it(bench: Bench) -> None:
    bench.cut()
    bench.now += 3.0
    commands = sent(bench.connect(3, bench.row(2, "os"), bench.row(3, "os")))
    assert len(cancels(commands)) == 1


def test_it_is_taken_out_while_history_is_silent(bench: Bench) -> None:
    """REST may be down for minutes, and both would sell."""
    bench.cut()
    bench.now += 3.0
    rows = bench.row(2, "os"), bench.row(3, "os")
    bench.greet(3, *rows, coins="5")
    commands = sent(bench.wait(1.1))
    (gone,) = cancels(commands)
    assert len(commands) == 1
    left = 5 - gone
    assert bench.machine.orders[left].state is OrderState.ACKED
    bench.end(gone)
    assert sent(bench.wait(1.0)) == []
    assert cancels(sent(bench.report(opened=[bench.row(left, "rest")]))) == []


def test_a_flatten_that_waits_for_history_does_not_keep_both(bench: Bench) -> None:
    """It wants both canceled and may cancel none before REST speaks, but for one of two that are the same."""
    bench.cut()
    bench.now += 3.0
    bench.greet(3, bench.row(3, "os"), coins="5")
    bench.wait(1.1)
    assert cancels(flatten(bench)) == []
    bench.now += 20.0
    (gone,) = cancels(sent(bench.hear(bench.row(2, "on"))))
    assert sent(bench.wait(1.0)) == []
    bench.end(gone)
    assert sent(bench.wait(1.0)) == [], "what is held keeps one stop until history has spoken"
    assert bench.machine.orders[5 - gone].state is OrderState.ACKED


def test_a_flatten_on_the_line_before_keeps_both_no_longer_than_the_next_session_is_silent(bench: Bench) -> None:
    bench.cut()
    bench.now += 3.0
    bench.greet(3, bench.row(3, "os"), coins="5")
    bench.wait(1.1)
    assert cancels(flatten(bench)) == []
    bench.cut()
    bench.now += 3.0
    bench.greet(4, bench.row(2, "os"), bench.row(3, "os"), coins="5")
    assert len(cancels(sent(bench.wait(1.1)))) == 1
    assert sent(bench.wait(1.0)) == []


def asked_to_go(bench: Bench) -> int:
    """The one of both that a flatten takes out while history is silent."""
    bench.cut()
    bench.now += 3.0
    bench.greet(3, bench.row(3, "os"), coins="5")
    bench.wait(1.1)
    flatten(bench)
    bench.now += 20.0
    (gone,) = cancels(sent(bench.hear(bench.row(2, "on"))))
    return gone


def test_a_cancel_that_the_line_does_not_carry_is_asked_for_later_and_not_in_the_same_turn(bench: Bench) -> None:
    """It was asked for again at each word that it had not left: an engine did nothing else, and stood still."""
    gone = asked_to_go(bench)
    assert cancels(sent(bench.hear(CommandNotSent(cid=gone, kind="oc", session=3, reason="full")))) == []
    asked = [command for _ in range(5) for command in cancels(sent(bench.wait(1.0)))]
    assert asked[:1] == [gone]


def test_a_cancel_that_meets_a_maintenance_is_asked_for_in_the_venues_next_session(bench: Bench) -> None:
    """While history was silent, too, it was asked for at each word that nothing leaves: the engine stood still."""
    gone = asked_to_go(bench)
    note = CommandNotSent(cid=gone, kind="oc", session=3, reason="maintenance", paused=True)
    assert cancels(sent(bench.hear(note))) == []
    assert [command for _ in range(60) for command in cancels(sent(bench.wait(1.0)))] == []
    bench.cut()
    bench.now += 3.0
    bench.greet(4, bench.row(2, "os"), bench.row(3, "os"), coins="5")
    assert len(cancels(sent(bench.wait(1.1)))) == 1


def test_the_other_one_stays_when_the_venue_refuses_to_cancel_the_first(bench: Bench) -> None:
    """It may have traded, and the word of it may be on its way."""
    refused = asked_to_go(bench)
    bench.hear(no_cancel(bench, refused))
    later = [command for _ in range(20) for command in cancels(sent(bench.wait(1.0)))]
    assert set(later) <= {refused}


@pytest.mark.parametrize("parts", [2, 3])
def test_a_flatten_that_waits_for_history_leaves_the_equal_parts_of_one_lot(parts: int) -> None:
    """Each is needed: of a lot that takes two stops half lay bare, with nothing to sell it before REST spoke."""
    bench = Bench(coins="0")
    bench.machine.pairs = {BTC: PairSpec(symbol=BTC, minimum=D("0.1"), maximum=D(1))}
    bench.admit(quantity=D(parts))
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status=f"EXECUTED @ 100({parts})", remaining="0"))
    stops = [command.cid for command in sent(bench.fill(1, str(parts)))]
    assert len(stops) == parts
    bench.hold(str(parts))
    for cid in stops:
        bench.accept(cid)
    bench.cut()
    bench.now += 3.0
    bench.greet(2, *[bench.row(cid, "os") for cid in stops], coins=str(parts))
    bench.wait(1.1)
    assert cancels(flatten(bench)) == []
    assert [command for _ in range(10) for command in sent(bench.wait(0.5))] == []
    # When REST has spoken all of them make way for the sale.
    bench.cut()
    bench.now += 3.0
    bench.greet(3, *[bench.row(cid, "os") for cid in stops], coins=str(parts))
    assert sorted(cancels(sent(bench.report(opened=[bench.row(cid, "rest") for cid in stops])))) == stops


def test_what_a_person_sells_beside_them_is_no_reason_to_keep_both() -> None:
    """World 2: it rests for sale at his price and needs no stop, so either of the two was more than enough."""
    bench = Bench(coins="0")
    bench.now = 5.0
    bench.admit(quantity=D(2))
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(2)", remaining="0"))
    by_hand = {"order_type": OrderType.LIMIT, "price": D(200), "purpose": Purpose.MANUAL, "bracket": None}
    assert [command.cid for command in sent(bench.fill(1, "2"))] == [2]
    bench.hold("2")
    bench.accept(2)
    bench.admit(side=Side.SELL, **by_hand)
    bench.hear(msgspec.structs.replace(bench.row(2, "ou"), remaining=D(-1), original=D(-1)))
    bench.accept(3)
    bench.now += 0.5
    bench.cut()
    bench.now += 0.5
    bench.connect(2, bench.row(3, "os"))
    bench.accept(4)
    assert [(row.cid, row.leaves) for row in bench.machine.orders.values() if row.protects] == [(2, D(1)), (4, D(1))]
    bench.cut()
    bench.now += 3.0
    bench.greet(3, *[bench.row(cid, "os") for cid in (3, 4)], coins="2")
    bench.wait(1.1)
    assert cancels(flatten(bench)) == []
    bench.now += 20.0
    assert len(cancels(sent(bench.hear(bench.row(2, "on"))))) == 1


def test_a_smaller_one_is_left_while_history_is_silent(bench: Bench) -> None:
    """Which of two unlike ones is right only history tells: perhaps it has sold a part."""
    bench.cut()
    bench.now += 3.0
    rows = bench.row(2, "os", remaining="0.4"), bench.row(3, "os")
    bench.greet(3, *rows, coins="5")
    assert cancels(sent(bench.wait(1.1))) == []
    assert {bench.machine.orders[cid].cancel_reason for cid in (2, 3)} == {None}
    commands = sent(bench.report(opened=[bench.row(2, "rest", remaining="0.4"), bench.row(3, "rest")]))
    assert len(cancels(commands)) <= 1


def test_one_that_comes_when_its_lot_is_sold_does_not_stay(bench: Bench) -> None:
    bench.fill(3, "1")
    bench.hear(bench.row(3, "oc", status="EXECUTED @ 95(1)", remaining="0"))
    bench.now += 20.0
    assert cancels(sent(bench.hear(bench.row(2, "on")))) == [2]


def test_one_that_was_proven_absent_and_comes_all_the_same_does_not_stay(bench: Bench) -> None:
    for _ in range(4):
        bench.wait(150.0)
        if bench.machine.fence.pending_id is not None:
            bench.report(opened=[bench.row(3, "rest")])
    assert bench.machine.orders[2].state is OrderState.DEAD
    assert cancels(sent(bench.hear(bench.row(2, "on")))) == [2]
    assert bench.machine.ghosts_total == 1


def test_a_cancel_that_is_not_answered_is_asked_for_again_within_seconds(bench: Bench) -> None:
    (first,) = cancels(sent(bench.hear(bench.row(2, "on"))))
    again: list[int] = []
    for _ in range(6):
        again += cancels(sent(bench.wait(1.0)))
        if bench.machine.fence.pending_id is not None:
            again += cancels(sent(bench.report(opened=[bench.row(2, "rest"), bench.row(3, "rest")])))
    assert again == [first]
    assert D(1) == bench.machine.orders[2].leaves


@pytest.mark.parametrize("silent", [False, True], ids=["compared", "history is silent"])
@pytest.mark.parametrize("margin", [False, True], ids=["coins", "margin"])
def test_one_that_had_not_left_does_not_leave_beside_the_lost_one_that_the_next_session_shows(
    margin: bool, silent: bool
) -> None:
    """Both would have rested for a moment, and sold twice what is held where a person keeps coins beside it."""
    made = Bench(coins="0")
    made.now = 5.0
    made.admit(margin=margin)
    made.accept(1)
    made.hear(made.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    made.fill(1, "1")
    made.hold("5")
    made.now += 1.5
    made.cut()
    made.now += 0.5
    assert [command.cid for command in sent(made.connect(2))] == [3], "order 2 is lost"
    made.cut()
    made.hear(CommandNotSent(cid=3, kind="on", session=2, reason="no line"))
    made.now += 3.0
    shown = made.row(2, "os")
    shown = msgspec.structs.replace(shown, session=3)
    commands = sent(made.greet(3, shown, coins="5"))
    commands += sent(made.wait(1.1)) if silent else sent(made.report(opened=[shown]))
    assert commands == []
    assert made.machine.orders[2].state is OrderState.ACKED
    assert not made.machine.orders[3].open
    (view,) = made.machine.protection()
    assert view.stopped == 1
