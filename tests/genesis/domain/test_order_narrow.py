"""A narrow session is held over REST while the socket is away: stops leave on it, closes, cancels, and nothing else."""

import msgspec
import pytest

from genesis.domain.order_session import NARROW_S
from protocols.orders import (
    CommandInDoubt,
    CommandNotSent,
    CommandSent,
    Flatten,
    OrderState,
    OrderType,
    Protect,
    Purpose,
    RequestNotice,
    SubmitOrder,
)
from protocols.units import Side
from tests.genesis.domain.protect_bench import BTC, START_MS, Bench, D, sent


def stops(commands: list[object]) -> list[SubmitOrder]:
    return [each for each in commands if isinstance(each, SubmitOrder) and "STOP" in each.wire_type]


def state_of(bench: Bench, cid: int) -> OrderState:
    return bench.machine.orders[cid].state


def filled_while_away(bench: Bench) -> list[object]:
    """The socket died when the entry had left, and the venue carried it out: the next session is over REST."""
    done = msgspec.structs.replace(bench.row(1, "past", status="EXECUTED @ 100(1)", remaining="0"), session=2)
    bench.greet(2, narrow=True)
    return sent(bench.report(closed=(done,), trades=(bench.trade(1, "1"),)))


@pytest.fixture(params=[False, True], ids=["coins", "margin"])
def bench(request: pytest.FixtureRequest) -> Bench:
    made = Bench(coins="0")
    made.now = 5.0
    made.admit(margin=request.param)
    made.hear(CommandSent(cid=1, kind="on", session=1, received_ns=0))
    made.now += 1.0
    made.cut()
    made.now += 2.0
    return made


def test_what_was_bought_while_the_socket_was_away_gets_its_stop(bench: Bench) -> None:
    commands = filled_while_away(bench)
    assert [each.session for each in stops(commands)] == [2]
    assert commands == stops(commands)


def test_nothing_leaves_before_it_is_compared(bench: Bench) -> None:
    assert sent(bench.greet(2, narrow=True)) == []
    assert sent(bench.wait(30.0)) == [], "nor because history is silent"


def test_no_entry_and_no_order_that_rests_to_close_leaves(bench: Bench) -> None:
    filled_while_away(bench)
    bench.accept(2)
    assert sent(bench.admit()) == []
    rests = {"order_type": OrderType.LIMIT, "price": D(120), "reduce_only": True}
    margin = bench.machine.orders[1].intent.margin
    assert sent(bench.admit(purpose=Purpose.MANUAL, side=Side.SELL, bracket=None, margin=margin, **rests)) == []
    assert sent(bench.wait(10.0)) == []


def flatten(bench: Bench) -> list[object]:
    wish = Flatten(symbol=None, reason="enough", correlation_id="flatten")
    bench.machine.on_flatten(wish, now=bench.now, wall_ms=START_MS)
    return sent(bench.take())


def test_a_stop_that_could_not_leave_does_not_leave_beside_the_close_that_can(bench: Bench) -> None:
    """Both would sell the same coins: found by a world in which a person's own were sold so."""
    (stop,) = stops(filled_while_away(bench))
    bench.hear(CommandNotSent(cid=stop.cid, kind="on", session=2, reason="429"))
    bench.cut()
    assert flatten(bench) == []
    commands = sent(bench.connect(3))
    assert [each.wire_type.split()[-1] for each in commands] == ["MARKET"]


def test_what_rests_and_is_wrong_is_left_alone(bench: Bench) -> None:
    filled_while_away(bench)
    bench.accept(2)
    (bracket,) = bench.machine.brackets.values()
    bracket.levels = msgspec.structs.replace(bracket.levels, stop=D(90))
    wish = Protect(symbol=BTC, margin=bracket.margin, stop_price=None, reason="look", correlation_id="c")
    bench.machine.on_protect(wish, now=bench.now, wall_ms=START_MS)
    assert sent(bench.take()) == []
    bench.cut()
    assert sent(bench.connect(3, bench.row(2, "os"))) != []


def test_history_is_asked_again_soon(bench: Bench) -> None:
    filled_while_away(bench)
    bench.accept(2)
    asked = bench.machine.fence.request_id
    bench.wait(NARROW_S - 1.0)
    assert bench.machine.fence.request_id == asked
    bench.wait(1.5)
    assert bench.machine.fence.request_id == asked + 1


def test_a_lost_answer_is_doubt_and_another_session_decides(bench: Bench) -> None:
    filled_while_away(bench)
    bench.hear(CommandInDoubt(cid=2, kind="on", session=2, reason="502"))
    assert state_of(bench, 2) is OrderState.UNKNOWN
    bench.now += 4.0
    bench.cut()
    bench.now += 4.0
    shown = msgspec.structs.replace(bench.row(2, "rest"), session=3)
    bench.greet(3, shown, narrow=True)
    assert sent(bench.report(opened=(shown,))) == [], "it is there: no second one"
    assert state_of(bench, 2) is OrderState.ACKED


def test_a_stop_in_doubt_that_the_next_session_does_not_show_is_placed_under_another_id(bench: Bench) -> None:
    filled_while_away(bench)
    bench.hear(CommandInDoubt(cid=2, kind="on", session=2, reason="502"))
    bench.now += 4.0
    bench.cut()
    bench.now += 4.0
    bench.greet(3, narrow=True)
    commands = stops(sent(bench.report()))
    assert [(each.cid, each.session) for each in commands] == [(3, 3)]
    assert bench.machine.orders[2].is_lost


def test_one_that_did_not_leave_leaves_under_its_own_id(bench: Bench) -> None:
    filled_while_away(bench)
    bench.hear(CommandNotSent(cid=2, kind="on", session=2, reason="429"))
    assert sent(bench.take()) == []
    assert [each.cid for each in stops(sent(bench.wait(1.5)))] == [2]


def test_a_refusal_is_one_and_the_stop_is_tried_anew(bench: Bench) -> None:
    filled_while_away(bench)
    bench.hear(CommandSent(cid=2, kind="on", session=2, received_ns=0))
    bench.hear(RequestNotice(session=2, kind="on-req", status="ERROR", text="no", cid=2, venue_id=None, received_ns=0))
    assert bench.machine.orders[2].state is OrderState.REJECTED
    assert [each.cid for each in stops(sent(bench.wait(1.0)))] == [3]


@pytest.mark.parametrize("new_process", [False, True])
def test_a_crash_forgets_neither_the_session_nor_the_order(bench: Bench, new_process: bool) -> None:
    commands = filled_while_away(bench)
    again = sent(bench.restart(new_process=new_process))
    if new_process:
        assert again == []
        assert not bench.machine.fence.guards
    else:
        assert bench.machine.fence.narrow
        assert [each.cid for each in stops(again)] == [each.cid for each in stops(commands)]


def is_compared(bench: Bench) -> bool:
    return bench.machine.compared_over_rest


def test_nobody_counts_it_as_compared_while_trades_of_an_execution_are_missing(bench: Bench) -> None:
    """What was bought is known to need a stop only when they are told: the dial would come before it."""
    done = msgspec.structs.replace(bench.row(1, "past", status="EXECUTED @ 100(1)", remaining="0"), session=2)
    bench.greet(2, narrow=True)
    assert not is_compared(bench)
    bench.report(closed=(done,))
    assert not is_compared(bench)
    bench.wait(3.0)
    bench.report(closed=(done,), trades=(bench.trade(1, "1"),))
    assert is_compared(bench)
    bench.cut()
    bench.connect(3)
    assert not is_compared(bench)


def test_it_does_not_count_as_ready(bench: Bench) -> None:
    filled_while_away(bench)
    assert bench.machine.fence.guards
    assert not bench.machine.fence.ready
    bench.cut()
    assert not bench.machine.fence.guards


def test_an_order_type_that_opens_is_never_made_of_a_stop(bench: Bench) -> None:
    (stop,) = stops(filled_while_away(bench))
    assert stop.amount == -1
    assert stop.wire_type.endswith(OrderType.STOP.value)
