"""An entry that waits to leave and that nobody wants any more never leaves; one that may have left goes its way."""

from typing import Any

import pytest

from genesis.domain.order_outputs import Outputs
from protocols.orders import (
    CommandInDoubt,
    CommandNotSent,
    OrderSnapshot,
    OrderState,
    OrderType,
    OrderUpdate,
    Purpose,
    SessionUp,
)
from protocols.risk import EntryUnwanted
from protocols.units import Side
from tests.genesis.domain.order_bench import Bench, a_row, commands, down, executed, not_sent, refusal, sent, states
from tests.genesis.domain.order_oracle import SYMBOL, an_intent

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
