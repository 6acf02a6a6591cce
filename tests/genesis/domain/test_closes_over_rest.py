"""While the socket alone is away a person's flatten, an exit at market and cancels of entries leave over REST."""

import msgspec
import pytest

from protocols.orders import (
    CancelIntent,
    CancelOrder,
    CommandInDoubt,
    CommandNotSent,
    CommandSent,
    Flatten,
    OrderState,
    OrderType,
    Purpose,
    SubmitOrder,
)
from protocols.units import Side
from tests.genesis.domain.protect_bench import START_MS, Bench, D, sent


def flatten(bench: Bench) -> list[object]:
    wish = Flatten(symbol=None, reason="enough", correlation_id="flatten")
    bench.machine.on_flatten(wish, now=bench.now, wall_ms=START_MS)
    return sent(bench.take())


def closes(commands: list[object]) -> list[SubmitOrder]:
    return [each for each in commands if isinstance(each, SubmitOrder) and each.wire_type.endswith("MARKET")]


def cancels(commands: list[object]) -> list[int]:
    return [each.cid for each in commands if isinstance(each, CancelOrder)]


def told_of(bench: Bench, *gone: int, session: int) -> list[object]:
    """History of now: these orders were cancelled."""
    ended = [msgspec.structs.replace(bench.row(cid, "past", status="CANCELED"), session=session) for cid in gone]
    return [*sent(bench.report(closed=ended)), *sent(bench.wait(0.0))]


@pytest.fixture(params=[False, True], ids=["coins", "margin"])
def bench(request: pytest.FixtureRequest) -> Bench:
    """One is held with its stop (order 2) beside it, and the session is over REST."""
    made = Bench()
    made.now = 5.0
    made.open_position(margin=request.param)
    made.now += 1.0
    made.cut()
    made.now += 3.0
    rests = made.row(2, "rest")
    made.greet(2, msgspec.structs.replace(rests, session=2), narrow=True)
    assert sent(made.report(opened=[rests])) == []
    return made


def carried(bench: Bench, cid: int, kind: str) -> list[object]:
    session = bench.machine.fence.session
    return sent(bench.hear(CommandSent(cid=cid, kind=kind, session=session, received_ns=0)))


def test_a_flatten_takes_the_stop_out_and_sells_what_it_held(bench: Bench) -> None:
    assert cancels(flatten(bench)) == [2]
    carried(bench, 2, "oc")
    bench.wait(0.6)
    (close,) = closes(told_of(bench, 2, session=2))
    assert abs(close.amount) == 1
    assert close.session == 2
    carried(bench, close.cid, "on")
    assert closes(sent(bench.wait(3.0))) == [], "once"


def test_a_flatten_that_was_wished_before_the_session_began_leaves_when_it_is_compared(bench: Bench) -> None:
    bench.cut()
    assert flatten(bench) == []
    assert sent(bench.greet(3, msgspec.structs.replace(bench.row(2, "rest"), session=3), narrow=True)) == []
    assert cancels(sent(bench.report(opened=[bench.row(2, "rest")]))) == [2]


def test_the_end_of_a_cancel_is_asked_for_at_once_and_the_cancel_again(bench: Bench) -> None:
    flatten(bench)
    asked = bench.machine.fence.request_id
    carried(bench, 2, "oc")
    bench.wait(0.6)
    assert bench.machine.fence.request_id == asked + 1
    assert sent(bench.report(opened=[bench.row(2, "rest")])) == [], "it may only be late"
    assert cancels(sent(bench.wait(1.6))) == [2], "to ask twice is safe"


def test_a_strategy_s_exit_leaves_when_its_stop_has_let_go(bench: Bench) -> None:
    margin = bench.machine.orders[1].intent.margin
    commands = sent(bench.admit(purpose=Purpose.EXIT, side=Side.SELL, bracket=None, margin=margin))
    if margin:
        assert [each.cid for each in closes(commands)] == [3], "nothing holds it back"
        return
    assert cancels(commands) == [2]
    carried(bench, 2, "oc")
    bench.wait(0.6)
    assert [each.cid for each in closes(told_of(bench, 2, session=2))] == [3]


@pytest.mark.parametrize("again", [False, True], ids=["on a socket", "over REST again"])
def test_a_close_whose_answer_was_lost_is_not_sent_twice(bench: Bench, again: bool) -> None:
    flatten(bench)
    carried(bench, 2, "oc")
    bench.wait(0.6)
    (close,) = closes(told_of(bench, 2, session=2))
    bench.hear(CommandInDoubt(cid=close.cid, kind="on", session=2, reason="502"))
    assert bench.machine.orders[close.cid].state is OrderState.UNKNOWN
    bench.now += 3.0
    bench.cut()
    bench.now += 3.0
    bench.greet(3, narrow=again)
    assert closes(sent(bench.report())) == [], "not proven absent"
    done = msgspec.structs.replace(bench.row(close.cid, "past", status="EXECUTED @ 100(-1)", remaining="0"), session=3)
    bench.wait(16.0)
    assert closes(sent(bench.report(closed=[done], trades=[bench.trade(close.cid, "1")]))) == []
    assert bench.machine.orders[close.cid].state is OrderState.FILLED
    assert not any(bench.machine.fills.held.values())


def test_a_resting_entry_is_taken_back(bench: Bench) -> None:
    bench.cut()
    bench.connect(3, bench.row(2, "os"))
    bench.admit(order_type=OrderType.LIMIT, price=D(90))
    bench.accept(3)
    bench.cut()
    wish = CancelIntent(intent_id=None, reason="halt", correlation_id="halt")
    bench.machine.on_cancel(wish, now=bench.now, wall_ms=START_MS)
    assert sent(bench.take()) == []
    bench.now += 3.0
    rows = [msgspec.structs.replace(bench.row(cid, "rest"), session=4) for cid in (2, 3)]
    bench.greet(4, *rows, narrow=True)
    assert cancels(sent(bench.report(opened=rows))) == [3], "and no stop"


def test_a_stop_is_not_taken_out_for_a_sale_that_cannot_leave(bench: Bench) -> None:
    """It is to sell a part, and no order is made smaller over REST."""
    margin = bench.machine.orders[1].intent.margin
    commands = sent(bench.admit(purpose=Purpose.EXIT, side=Side.SELL, quantity=D("0.5"), bracket=None, margin=margin))
    assert cancels(commands) == []
    assert cancels(sent(bench.wait(5.0))) == []


def is_under_way(bench: Bench) -> bool:
    return bench.machine.under_way_over_rest


def test_what_is_under_way_is_told_until_its_end_is(bench: Bench) -> None:
    assert not is_under_way(bench)
    flatten(bench)
    assert is_under_way(bench)
    carried(bench, 2, "oc")
    bench.wait(0.6)
    (close,) = closes(told_of(bench, 2, session=2))
    assert is_under_way(bench)
    carried(bench, close.cid, "on")
    assert is_under_way(bench)
    bench.wait(2.0)
    done = msgspec.structs.replace(bench.row(close.cid, "past", status="EXECUTED @ 100(-1)", remaining="0"), session=2)
    bench.report(closed=[done], trades=[bench.trade(close.cid, "1")])
    assert not is_under_way(bench)


def test_one_that_did_not_leave_leaves_under_its_own_id(bench: Bench) -> None:
    flatten(bench)
    bench.hear(CommandNotSent(cid=2, kind="oc", session=2, reason="429"))
    assert sent(bench.take()) == [], "not in the same turn"
    assert cancels(sent(bench.wait(1.1))) == [2]
    carried(bench, 2, "oc")
    bench.wait(0.6)
    (close,) = closes(told_of(bench, 2, session=2))
    bench.hear(CommandNotSent(cid=close.cid, kind="on", session=2, reason="429"))
    assert sent(bench.take()) == []
    assert [each.cid for each in closes(sent(bench.wait(1.1)))] == [close.cid]
