"""Protection inside the order machine: placed with the fill, let go for an exit, remembered over crashes."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from genesis.domain.order_machine import OrderMachine
from protocols.orders import (
    ApprovedChange,
    Bracket,
    CancelIntent,
    CancelOrder,
    CommandNotSent,
    OrderState,
    OrderType,
    Protect,
    Purpose,
    SubmitOrder,
    UpdateIntent,
    UpdateOrder,
)
from protocols.units import Side
from tests.genesis.domain.protect_bench import BTC, SETTINGS, START_MS, Bench, sent

D = Decimal


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_stop_is_placed_with_the_first_fill_and_in_its_commit(bench: Bench) -> None:
    bench.admit()
    bench.accept(1)
    out = bench.fill(1, "0.4")
    (stop,) = sent(out)
    assert isinstance(stop, SubmitOrder)
    assert (stop.wire_type, stop.amount, stop.price) == ("EXCHANGE STOP", D("-0.4"), D(95))
    assert {"bracket:tBTCUSD:exchange:s", "order:00000000000002"} <= set(out.cells)


def test_the_stop_grows_with_the_position(bench: Bench) -> None:
    bench.admit()
    bench.accept(1)
    bench.fill(1, "0.4")
    bench.accept(2)
    (change,) = sent(bench.fill(1, "0.6"))
    assert isinstance(change, UpdateOrder)
    assert change.amount == D("-1.0")


def test_trades_that_are_told_to_come_are_waited_for(bench: Bench) -> None:
    bench.admit()
    bench.accept(1)
    bench.hear(bench.row(1, "ou", status="PARTIALLY FILLED @ 100(0.7)", remaining="0.3"))
    assert sent(bench.fill(1, "0.4")) == []
    (stop,) = sent(bench.fill(1, "0.3"))
    assert stop.amount == D("-0.7")


def test_a_stop_is_made_of_what_the_venue_says_when_the_rest_does_not_come(bench: Bench) -> None:
    """Of what no trade has shown, less the dearest fee that may have been taken of it."""
    bench.admit()
    bench.accept(1)
    bench.hear(bench.row(1, "ou", status="PARTIALLY FILLED @ 100(0.7)", remaining="0.3"))
    bench.fill(1, "0.4")
    bench.now = SETTINGS.doubt_after_s
    bench.machine.on_timer(now=bench.now, wall_ms=START_MS)
    (stop,) = [command for command in sent(bench.take()) if isinstance(command, SubmitOrder)]
    assert stop.amount == D("-0.697")


def test_an_exit_waits_until_its_stop_has_let_go_of_the_coins(bench: Bench) -> None:
    bench.open_position()
    (cancel,) = sent(bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None))
    assert isinstance(cancel, CancelOrder)
    (sell,) = sent(bench.end(2))
    assert isinstance(sell, SubmitOrder)
    assert sell.amount == D(-1)


def test_an_exit_that_the_line_could_not_send_pauses_before_the_next_try(bench: Bench) -> None:
    """The line and the bracket would otherwise answer each other without end, each time with a commit."""
    bench.open_position()
    bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    bench.end(2)
    assert sent(bench.hear(CommandNotSent(cid=3, kind="on", session=1, reason="no line"))) == []
    deadline = bench.machine.next_deadline()
    assert deadline is not None
    bench.now = deadline
    bench.machine.on_timer(now=bench.now, wall_ms=START_MS)
    (sell,) = sent(bench.take())
    assert sell.cid == 3


def test_an_exit_whose_stop_was_faster_has_nothing_to_sell(bench: Bench) -> None:
    bench.open_position()
    bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    bench.hear(bench.row(2, "oc", status="EXECUTED @ 95(-1)", remaining="0"))
    assert sent(bench.fill(2, "1", "95")) == []
    assert bench.machine.orders[3].state is OrderState.REJECTED
    assert bench.machine.brackets == {}


def test_an_exit_that_waits_survives_the_process(bench: Bench) -> None:
    bench.open_position()
    bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    stop = bench.row(2, "os")
    bench.machine = OrderMachine(SETTINGS, epoch=2, signal_max_age_s=30.0)
    bench.machine.restore(bench.disk.values(), now=0.0, wall_ms=START_MS)
    bench.take()
    (cancel,) = sent(bench.connect(2, msgspec.structs.replace(stop, session=2)))
    assert isinstance(cancel, CancelOrder)
    (sell,) = sent(bench.end(2))
    assert sell.amount == D(-1)


def test_the_stop_comes_back_when_the_exit_does_not_happen(bench: Bench) -> None:
    bench.open_position()
    bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    bench.end(2)
    bench.accept(3)
    (stop,) = sent(bench.end(3))
    assert (stop.wire_type, stop.amount) == ("EXCHANGE STOP", D(-1))


def test_a_stop_cancelled_by_a_stranger_is_placed_anew_and_reported(bench: Bench) -> None:
    bench.open_position()
    out = bench.end(2)
    (stop,) = sent(out)
    assert stop.cid == 3
    assert [code for code, _ in out.alarms] == ["protection_replaced"]


def test_cancelling_everything_leaves_the_protection(bench: Bench) -> None:
    bench.open_position()
    wish = CancelIntent(intent_id=None, reason="all", correlation_id="x")
    bench.machine.on_cancel(wish, now=0.0, wall_ms=START_MS)
    assert sent(bench.take()) == []


def test_moving_the_stop_moves_the_level(bench: Bench) -> None:
    bench.open_position()
    name = bench.machine.orders[2].intent.intent_id
    wish = UpdateIntent(intent_id=name, price=D(97), quantity=None, reason="tighter", correlation_id="x")
    bench.machine.on_update(wish, now=0.0, wall_ms=START_MS)
    (change,) = sent(bench.take())
    assert (change.price, change.amount) == (D(97), None)


@pytest.mark.parametrize(
    ("moved", "levels"),
    [({"stop_price": D(97)}, (97, 110)), ({"price": D(111)}, (95, 111)), ({"price": D(96), "stop_price": D(97)}, None)],
)
def test_either_half_of_an_oco_is_moved_and_the_coins_are_promised_once(
    bench: Bench, moved: dict[str, Decimal], levels: tuple[int, int] | None
) -> None:
    bench.open_position(bracket=Bracket(stop_distance=D(5), target_distance=D(10)))
    name = bench.machine.orders[2].intent.intent_id
    wish = UpdateIntent(**{"price": None, **moved}, intent_id=name, quantity=None, reason="moved", correlation_id="x")
    bench.machine.on_update(wish, now=0.0, wall_ms=START_MS)
    out = bench.take()
    if levels is None:
        assert (sent(out), [code for code, _ in out.alarms]) == ([], ["level_refused"])
        return
    (cancel,) = sent(out)
    assert (type(cancel), cancel.cid) == (CancelOrder, 2)
    # Nothing is placed beside it: on the exchange wallet it still holds the coins.
    (again,) = sent(bench.end(2))
    assert (again.oco_stop_price, again.price, again.amount) == (*map(D, levels), D(-1))
    # Said again, it is so already.
    bench.accept(again.cid)
    bench.machine.on_update(
        msgspec.structs.replace(wish, intent_id=bench.machine.orders[again.cid].intent.intent_id),
        now=0.0,
        wall_ms=START_MS,
    )
    assert sent(bench.take()) == []


def test_a_position_that_nobody_gave_levels_is_protected_when_the_watch_asks(bench: Bench) -> None:
    bench.admit(bracket=None)
    bench.accept(1)
    assert sent(bench.fill(1, "1")) == []
    wish = Protect(symbol=BTC, margin=False, stop_price=D(95), reason="naked", correlation_id="x")
    bench.machine.on_protect(wish, now=0.0, wall_ms=START_MS)
    (stop,) = sent(bench.take())
    assert (stop.wire_type, stop.amount, stop.price) == ("EXCHANGE STOP", D(-1), D(95))


def test_a_wish_to_protect_what_is_as_it_should_be_writes_nothing(bench: Bench) -> None:
    """The watch sees a position a moment before its stop, and asks."""
    bench.admit()
    bench.accept(1)
    assert sent(bench.fill(1, "1"))
    bench.accept(2)
    wish = Protect(symbol=BTC, margin=False, stop_price=D(95), reason="naked", correlation_id="x")
    for _ in range(2):
        bench.machine.on_protect(wish, now=0.0, wall_ms=START_MS)
        # The first one forgets how often the stop was placed before it rested.
        out = bench.take()
        assert not sent(out)
    assert not out.must_be_kept


def test_a_refused_stop_is_tried_again_later_each_time(bench: Bench) -> None:
    bench.admit()
    bench.accept(1)
    bench.fill(1, "1")
    bench.machine.orders[2].reason = ""
    assert sent(bench.end(2)) == []
    bench.now = 0.3
    bench.machine.on_timer(now=bench.now, wall_ms=START_MS)
    (again,) = sent(bench.take())
    assert again.cid == 3


def test_an_entry_that_is_not_filled_is_priced_anew_and_then_taken_back(bench: Bench) -> None:
    bench.machine.touch = lambda symbol, side: D(101)
    bench.admit(order_type=OrderType.LIMIT, price=D(100))
    bench.accept(1)

    def wait(seconds: float) -> list[Any]:
        bench.now += seconds
        bench.machine.on_timer(now=bench.now, wall_ms=START_MS)
        out = bench.take()
        for asked in out.changes:
            # Risk is asked first, and approves.
            assert sent(out) == []
            approved = ApprovedChange(update=asked.update, number=1)
            bench.machine.on_change(approved, now=bench.now, wall_ms=START_MS)
            out = bench.take()
        return sent(out)

    assert wait(0) == []
    (change,) = wait(10)
    assert isinstance(change, UpdateOrder)
    assert change.price == D(101)
    moved = msgspec.structs.replace(bench.row(1, "ou"), price=D(101))
    bench.hear(moved)
    (cancel,) = wait(10)
    assert isinstance(cancel, CancelOrder)
