"""Coins that somebody's resting order holds back: no cancel of a stop would set them free."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from genesis.domain.order_outputs import Outputs
from genesis.domain.pairs import PairSpec
from protocols.orders import (
    CancelOrder,
    CommandBatch,
    CommandSent,
    Flatten,
    OrderState,
    OrderType,
    Purpose,
    RequestNotice,
    SubmitOrder,
    VenueOrder,
    commands_of,
)
from protocols.units import Side
from tests.genesis.domain.protect_bench import BTC, START_MS, Bench, HastyBench, sent

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


def a_stranger_sells(
    bench: Bench, quantity: str, *, event: str = "on", venue_id: int = 77, cid: int = 77
) -> VenueOrder:
    amount = -D(quantity)
    return msgspec.structs.replace(
        bench.row(2, event, status="CANCELED" if event == "oc" else "ACTIVE"),
        venue_id=venue_id,
        cid=cid,
        group_id=None,
        remaining=amount,
        original=amount,
        wire_type="EXCHANGE LIMIT",
        price=D(200),
    )


def parts(out: Outputs) -> list[Any]:
    return [each for command in sent(out) for each in commands_of(command)]


def codes(out: Outputs) -> list[str]:
    return [code for code, _ in out.alarms]


def test_an_exit_that_cannot_be_paid_leaves_its_stop_alone_and_says_so_once(bench: Bench) -> None:
    bench.hear(a_stranger_sells(bench, "1"))
    out = leave(bench)
    assert (sent(out), codes(out)) == ([], ["exit_held_back"])
    assert bench.machine.orders[3].reason == "not sent: 1 of 1 BTC is held back by orders that are not s's"
    assert bench.machine.orders[2].state is S.ACKED
    assert bench.machine.orders[2].cancel_reason is None
    again = leave(bench)
    assert (sent(again), codes(again)) == ([], [])


def test_once_the_coins_are_free_the_exit_leaves_and_the_next_refusal_is_told_again(bench: Bench) -> None:
    bench.hear(a_stranger_sells(bench, "1"))
    leave(bench)
    bench.hear(a_stranger_sells(bench, "1", event="oc"))
    (frame,) = sent(leave(bench))
    assert isinstance(frame, CommandBatch)
    assert [type(each) for each in frame.commands] == [CancelOrder, SubmitOrder]
    bench.end(2)
    bench.accept(4)
    bench.end(4)
    bench.accept(5)
    bench.hear(a_stranger_sells(bench, "1", venue_id=78))
    assert codes(leave(bench)) == ["exit_held_back"]


def test_an_exit_sells_what_is_left_beside_a_strangers_order(bench: Bench) -> None:
    bench.hear(a_stranger_sells(bench, "0.4"))
    leave(bench)
    assert (bench.machine.orders[3].state, bench.machine.orders[3].quantity) == (S.INTENT, D("0.6"))


def test_the_halves_of_a_strangers_oco_hold_the_same_coins(bench: Bench) -> None:
    bench.hear(a_stranger_sells(bench, "0.4"))
    bench.hear(msgspec.structs.replace(a_stranger_sells(bench, "0.4", venue_id=78), placed_id=77))
    leave(bench)
    assert (bench.machine.orders[3].state, bench.machine.orders[3].quantity) == (S.INTENT, D("0.6"))


def test_an_exit_sells_what_a_person_does_not_sell_already(bench: Bench) -> None:
    """A person's sale of our ticket rests: the stop is smaller, and an exit of all would only be refused."""
    bench.admit(
        strategy="manual",
        side=Side.SELL,
        purpose=Purpose.MANUAL,
        order_type=OrderType.LIMIT,
        price=D(200),
        quantity=D("0.4"),
        bracket=None,
    )
    assert bench.machine.orders[2].state is S.PENDING_UPDATE
    bench.hear(msgspec.structs.replace(bench.row(2, "ou"), remaining=D("-0.6"), original=D("-0.6")))
    bench.accept(3)
    out = leave(bench)
    assert [each.amount for each in parts(out) if isinstance(each, SubmitOrder)] == [D("-0.6")]
    assert codes(out) == []


def test_where_nobody_knows_the_wallet_an_exit_is_tried(bench: Bench) -> None:
    unknown = Bench()
    unknown.open_position()
    unknown.hear(a_stranger_sells(unknown, "1"))
    assert [type(each) for each in parts(leave(unknown))] == [CancelOrder]


def test_other_symbols_and_margin_hold_nothing_back(bench: Bench) -> None:
    stranger = a_stranger_sells(bench, "1")
    bench.hear(msgspec.structs.replace(stranger, symbol="tETHUSD"))
    bench.hear(msgspec.structs.replace(stranger, venue_id=78, cid=78, wire_type="LIMIT"))
    assert [each.amount for each in parts(leave(bench)) if isinstance(each, SubmitOrder)] == [D(-1)]


def test_an_exit_beside_a_close_of_everything_sells_nothing_a_second_time() -> None:
    """Both in one turn: the wallet holds a person's coins besides, and the venue would take the exit, too."""
    bench = Bench(coins="2")
    bench.admit(bracket=None)
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    bench.fill(1, "1")
    bench.hold("3")
    wish = Flatten(symbol=BTC, reason="flat", correlation_id="flat")
    bench.machine.on_flatten(wish, now=bench.now, wall_ms=START_MS)
    assert [each.amount for each in parts(leave(bench))] == [D(-1)]
    assert bench.machine.orders[3].state is S.REJECTED


def test_of_two_parts_of_a_stop_the_refused_one_waits_its_pause_while_the_other_rests() -> None:
    """It used to be placed anew with every answer: a hundred requests, where the venue takes a thousand in five
    minutes."""
    bench = Bench()
    bench.machine.pairs = {
        BTC: PairSpec(symbol=BTC, minimum=D("0.05"), maximum=D("0.6"), initial_margin=D("0.2"), minimum_margin=D("0.1"))
    }
    bench.admit(quantity=D(1), order_type=OrderType.LIMIT, price=D(100))
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    bench.fill(1, "1")
    bench.accept(2)
    placed = [(3, 0.0)]
    while bench.now < 2:
        last = bench.machine.orders[placed[-1][0]]
        if last.state is S.INTENT:
            bench.hear(CommandSent(cid=last.cid, kind="on", session=bench.machine.fence.session, received_ns=0))
        out = bench.hear(refusal(bench, last.cid)) if last.open else bench.wait(0.25)
        placed += [(each.cid, bench.now) for each in sent(out)]
    assert placed == [(3, 0.0), (4, 0.25), (5, 0.75), (6, 1.75)]


def refusal(bench: Bench, cid: int) -> RequestNotice:
    session = bench.machine.fence.session
    return RequestNotice(
        session=session, kind="on-req", status="ERROR", text="no", cid=cid, venue_id=None, received_ns=0
    )


def flatten(bench: Bench, name: str = "f") -> Outputs:
    wish = Flatten(symbol=BTC, reason="x", correlation_id=name)
    bench.machine.on_flatten(wish, now=bench.now, wall_ms=START_MS)
    return bench.take()


def test_a_close_that_waited_for_a_session_sells_what_is_left_by_then() -> None:
    """Its stop traded in the silence; there are a person's coins in the wallet, too, and the venue would sell those."""
    bench = Bench(coins="5")
    bench.open_position()
    bench.cut()
    flatten(bench)
    for _ in range(4):
        bench.wait(10.0)
    stopped = bench.row(2, "rest", status="EXECUTED @ 95(0.4)", remaining="0.6")
    bench.greet(2)
    out = bench.report(
        opened=[msgspec.structs.replace(stopped, status="PARTIALLY FILLED")], trades=[bench.trade(2, "0.4")]
    )
    assert [type(each) for each in parts(out)] == [CancelOrder], "the stop could still sell what the close would"
    bench.fill(2, "0.1")
    out = bench.end(2, remaining="0.5")
    sales = [each for each in parts(out) if isinstance(each, SubmitOrder)]
    assert [sale.amount for sale in sales + parts(bench.wait(6.0))] == [D("-0.5")]


def test_two_wishes_to_close_sell_once() -> None:
    bench = Bench(coins="5")
    bench.open_position()
    sales = parts(flatten(bench)) + parts(bench.end(2)) + parts(flatten(bench, "again"))
    assert [each.amount for each in sales if isinstance(each, SubmitOrder)] == [D(-1)]


def test_what_an_exit_is_just_selling_is_not_closed_a_second_time() -> None:
    bench = Bench(coins="5")
    bench.open_position()
    sales = parts(leave(bench)) + parts(bench.end(2))
    sales += parts(bench.hear(CommandSent(cid=3, kind="on", session=1, received_ns=0))) + parts(flatten(bench))
    assert [each.amount for each in sales if isinstance(each, SubmitOrder)] == [D(-1)]
    # It was refused: the next try closes all.
    refused = RequestNotice(session=1, kind="on-req", status="ERROR", text="no", cid=3, venue_id=None, received_ns=0)
    sales = parts(bench.hear(refused)) + parts(bench.wait(6.0))
    assert [each.amount for each in sales if isinstance(each, SubmitOrder)] == [D(-1)]


def test_an_exit_does_not_sell_what_is_being_closed() -> None:
    bench = Bench(coins="5")
    bench.open_position()
    sales = parts(flatten(bench)) + parts(bench.end(2)) + parts(bench.wait(0.0)) + parts(leave(bench))
    assert [each.amount for each in sales if isinstance(each, SubmitOrder)] == [D(-1)]
    assert bench.machine.orders[4].reason == "not sent: tBTCUSD is being flattened"
