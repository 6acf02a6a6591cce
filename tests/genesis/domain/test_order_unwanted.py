"""An entry that waits to leave and that nobody wants any more never leaves; one that may have left goes its way."""

from typing import Any

import pytest

from genesis.domain.order_outputs import Outputs
from protocols.orders import (
    Bracket,
    CancelOrder,
    CommandInDoubt,
    CommandNotSent,
    OrderSnapshot,
    OrderState,
    OrderType,
    OrderUpdate,
    Purpose,
    SessionUp,
    SubmitOrder,
    commands_of,
)
from protocols.risk import EntryUnwanted
from protocols.units import Side
from tests.genesis.domain.order_bench import Bench, a_row, commands, down, executed, not_sent, refusal, sent, states
from tests.genesis.domain.order_oracle import SYMBOL, an_intent
from tests.genesis.domain.protect_bench import START_MS, STOP_AT_5, D
from tests.genesis.domain.protect_bench import Bench as PositionBench
from tests.genesis.domain.protect_bench import sent as commands_in

S = OrderState
SAYS_SELL = "s said sell before it could leave"


def unwant(bench: Bench, number: int = 1, purpose: Purpose = Purpose.ENTRY, reason: str = SAYS_SELL) -> Outputs:
    told = EntryUnwanted(intent_id=an_intent(number, purpose=purpose).intent_id, reason=reason, correlation_id="c9")
    bench.machine.on_unwanted(told, now=bench.now, wall_ms=bench.wall_ms)
    return bench.take()


def entry(bench: Bench, number: int = 1, **more: Any) -> list[Any]:
    market: dict[str, Any] = {"order_type": OrderType.MARKET, "price": None}
    return commands(bench.admit(number, **{**market, **more}))


def without_a_line(bench: Bench) -> None:
    assert entry(bench) == []


def after_a_cut(bench: Bench) -> None:
    bench.ready()
    bench.hear(down())
    assert entry(bench) == []


def before_the_books_are_compared(bench: Bench) -> None:
    bench.up(1)
    assert entry(bench) == []


def in_a_maintenance(bench: Bench) -> None:
    bench.ready()
    assert entry(bench)
    bench.hear(not_sent(paused=True))


def refused_by_the_line(bench: Bench) -> None:
    bench.ready()
    assert entry(bench)
    bench.hear(not_sent())


def while_only_rest_carries(bench: Bench) -> None:
    bench.hear(
        OrderSnapshot(session=1, orders=(), received_ns=0),
        SessionUp(session=1, user_id=1, received_ns=0, narrow=True),
    )
    bench.report()
    assert entry(bench) == []


def sold_short(bench: Bench) -> None:
    assert entry(bench, side=Side.SELL, margin=True) == []


WAITS = (
    without_a_line,
    after_a_cut,
    before_the_books_are_compared,
    in_a_maintenance,
    refused_by_the_line,
    while_only_rest_carries,
    sold_short,
)


@pytest.mark.parametrize("crash", [None, "actor", "process"])
@pytest.mark.parametrize("waits", WAITS)
def test_one_that_waits_is_given_up_once_and_never_leaves(waits: Any, crash: str | None) -> None:
    bench = Bench()
    waits(bench)
    out = unwant(bench)
    (told,) = [report.order for report in out.reports if isinstance(report, OrderUpdate)]
    # Its end is what frees the amount that risk has set aside.
    assert (told.state, told.withdrawn, told.reason) == (S.REJECTED, True, f"not sent: {SAYS_SELL}")
    assert [record.kind for record in out.records] == ["OrderUpdate"]
    assert not unwant(bench).said
    if crash is not None:
        bench.restart(new_process=crash == "process")
        # The word was not acknowledged, perhaps, and comes again.
        assert not unwant(bench).said
    bench.hear(down())
    bench.up(7)
    assert commands(bench.report()) == []
    for _ in range(40):
        assert commands(bench.wait(1.0)) == []
    assert bench.machine.orders[1].reason == f"not sent: {SAYS_SELL}"


@pytest.mark.parametrize("note", [not_sent(), not_sent(paused=True)], ids=["no line", "maintenance"])
def test_one_that_was_handed_out_and_never_left_is_given_up_when_that_is_known(note: CommandNotSent) -> None:
    bench = Bench()
    bench.ready()
    assert entry(bench)
    assert not unwant(bench).said
    assert bench.state() is S.INTENT
    assert states(bench.hear(note))[-1] is S.REJECTED
    assert bench.machine.orders[1].reason == f"not sent: {SAYS_SELL}"
    assert [commands(bench.wait(1.0)) for _ in range(5)] == [[]] * 5


def test_a_doubt_that_turns_out_to_be_nothing_sent_does_not_leave_again() -> None:
    bench = Bench()
    bench.ready()
    assert entry(bench)
    bench.wait(6.0)
    assert bench.state() is S.UNKNOWN
    unwant(bench)
    assert bench.state() is S.UNKNOWN
    bench.hear(not_sent())
    assert bench.state() is S.REJECTED


def test_an_entry_that_may_be_on_the_wire_is_in_doubt_and_not_void() -> None:
    """It bought, perhaps: what it brings is the strategy's to sell, as any position."""
    bench = Bench()
    bench.ready()
    (command,) = entry(bench)
    bench.hear(CommandInDoubt(cid=1, kind="on", session=1, reason="cut while sending"))
    assert not unwant(bench).said
    bench.hear(down())
    bench.up(2)
    bench.report(closed=[executed(session=2)])
    assert bench.state() not in (S.REJECTED, S.DEAD, S.CANCELED)
    assert command.cid == 1


@pytest.mark.parametrize("note", [sent(), a_row(), refusal()], ids=["sent", "at the venue", "refused"])
def test_what_has_left_is_not_touched(note: Any) -> None:
    bench = Bench()
    bench.ready()
    bench.admit(1)
    bench.hear(note)
    before = bench.machine.orders[1].state
    assert not unwant(bench).must_be_kept
    assert bench.machine.orders[1].state is before


def test_only_what_opens_something_and_only_the_one_that_is_named() -> None:
    bench = Bench()
    entry(bench, 1)
    entry(bench, 2, strategy="other")
    entry(bench, 3, purpose=Purpose.EXIT, side=Side.SELL)
    assert [unwant(bench, 3, Purpose.EXIT).said, unwant(bench, 9).said] == [[], []]
    unwant(bench, 1)
    assert [bench.state(1), bench.state(2)] == [S.REJECTED, S.INTENT]
    bench.ready()
    assert [row.cid for row in bench.machine.orders.values() if row.session] == [2]
    assert bench.machine.orders[2].intent.symbol == SYMBOL


def test_a_flatten_gives_up_what_waits_without_anybody_else_saying_so() -> None:
    bench = Bench()
    entry(bench)
    bench.flatten()
    assert (bench.state(), bench.machine.orders[1].reason) == (S.CANCELED, "flatten: wish")
    assert commands(bench.ready()) == []


def unwant_position(bench: PositionBench, intent_id: str) -> Outputs:
    told = EntryUnwanted(intent_id=intent_id, reason=SAYS_SELL, correlation_id="c9")
    bench.machine.on_unwanted(told, now=bench.now, wall_ms=START_MS)
    return bench.take()


TRAILS = Bracket(stop_distance=D(5), trailing=True)


@pytest.mark.parametrize("bracket", [STOP_AT_5, TRAILS], ids=["stop", "trailing"])
@pytest.mark.parametrize("margin", [False, True], ids=["coins", "margin"])
def test_the_levels_of_what_never_left_protect_nothing(bracket: Bracket, margin: bool) -> None:
    bench = PositionBench(coins="0")
    bench.cut()
    bench.admit(bracket=bracket, margin=margin)
    unwant_position(bench, "i1")
    bench.connect(2)
    assert commands_in(bench.wait(1.0)) == []
    assert (bench.machine.brackets, bench.machine.protection()) == ({}, ())


def test_a_second_entry_that_waits_goes_and_what_is_held_keeps_its_stop_and_is_sold() -> None:
    bench = PositionBench(coins="0")
    bench.open_position()
    bench.hold("1")
    stop = bench.row(2, "os")
    bench.cut()
    bench.admit(quantity=D(2))
    bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    unwant_position(bench, "i3")
    assert [bench.machine.orders[cid].state for cid in (2, 3)] == [S.ACKED, S.REJECTED]
    bench.greet(2, stop, coins="1")
    (frame,) = commands_in(bench.report(opened=[stop]))
    assert [(type(each), each.cid) for each in commands_of(frame)] == [(CancelOrder, 2), (SubmitOrder, 4)]


@pytest.mark.parametrize("what", ["part filled", "priced anew"])
def test_an_entry_at_the_venue_keeps_its_way_and_its_stop(what: str) -> None:
    bench = PositionBench(coins="0")
    bench.admit(order_type=OrderType.LIMIT, price=D(99))
    bench.accept(1)
    if what == "part filled":
        bench.hear(bench.row(1, "ou", remaining="0.6"))
        bench.fill(1, "0.4", "99")
        assert bench.machine.orders[1].state is S.PARTIAL
    else:
        bench.wait(0.0)
        assert bench.wait(10.0).changes, "another price is asked for"
    before, protection = bench.machine.orders[1].state, bench.machine.protection()
    assert not unwant_position(bench, "i1").must_be_kept
    assert (bench.machine.orders[1].state, bench.machine.protection()) == (before, protection)
