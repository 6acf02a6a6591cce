"""Several wishes to flatten, or to close, the same position while one of them is still on its way."""

from decimal import Decimal

import pytest

from protocols.orders import (
    CancelOrder,
    CommandNotSent,
    Flatten,
    OrderState,
    Purpose,
    SubmitOrder,
    VenueOrder,
    VenueTrade,
)
from protocols.units import Side, Symbol
from tests.genesis.domain.protect_bench import BTC, START_MS, Bench, sent

D = Decimal
ETH = Symbol("tETHUSD")


def flatten(bench: Bench, name: str, **changes: object) -> list[object]:
    wish = Flatten(symbol=changes.get("symbol"), reason="enough", correlation_id=name)  # type: ignore[arg-type]
    bench.machine.on_flatten(wish, now=bench.now, wall_ms=START_MS)
    return sent(bench.take())


def being_closed() -> tuple[Bench, SubmitOrder]:
    """A position whose close has left, and has no answer."""
    bench = Bench()
    bench.open_position()
    flatten(bench, "first")
    bench.end(2)
    (close,) = sent(bench.wait(0.0))
    assert isinstance(close, SubmitOrder)
    return bench, close


@pytest.mark.parametrize("symbol", [None, BTC])
def test_a_second_wish_waits_for_a_close_in_doubt_and_never_tells_that_it_failed(symbol: object) -> None:
    bench, close = being_closed()
    alarms, commands = [], list(flatten(bench, "second", symbol=symbol))
    for _ in range(8):
        out = bench.wait(3.0)
        alarms += [code for code, _ in out.alarms]
        commands += sent(out)
        if bench.machine.fence.pending_id is not None:
            bench.report()
    assert (bench.machine.orders[close.cid].state, commands) == (OrderState.UNKNOWN, [])
    bench.hear(bench.row(close.cid, "oc", status="EXECUTED @ 100(-1)", remaining="0"))
    bench.fill(close.cid, "1")
    out = bench.wait(6.0)
    alarms += [code for code, _ in out.alarms]
    assert "flatten_failed" not in alarms
    assert [row.books for row in bench.machine.flattens.values()] == [(), ()]
    assert bench.machine.last_cid == close.cid, "nothing else was ordered"


def test_a_second_wish_closes_what_the_first_one_could_not() -> None:
    bench, close = being_closed()
    assert flatten(bench, "second") == []
    bench.accept(close.cid)
    bench.end(close.cid, "IOC CANCELED", remaining="0.4")
    bench.fill(close.cid, "0.6")
    again = [command for command in sent(bench.wait(6.0)) if isinstance(command, SubmitOrder)]
    assert [command.amount for command in again] == [D("-0.4")]


def test_stops_stand_again_while_the_close_that_both_wait_for_is_lost() -> None:
    bench, close = being_closed()
    flatten(bench, "second")
    bench.cut()
    out = bench.connect(2)
    stops = [command for command in sent(out) if isinstance(command, SubmitOrder)]
    assert [(stop.wire_type, stop.amount) for stop in stops] == [("EXCHANGE STOP", D(-1))]
    assert bench.machine.orders[close.cid].is_lost


@pytest.mark.parametrize("doubted", [False, True])
def test_what_an_order_on_its_way_brings_is_closed_too(doubted: bool) -> None:
    """The wish comes in the moment between an entry and the venue's answer to it: no cancel can leave for it yet."""
    bench = Bench()
    bench.admit()
    if doubted:
        bench.wait(6.0)
    assert bench.machine.orders[1].state is (OrderState.UNKNOWN if doubted else OrderState.INTENT)
    assert flatten(bench, "f") == []
    assert [row.books for row in bench.machine.flattens.values()] == [((BTC, False),)], "nobody knows what it brings"
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    (close,) = sent(bench.fill(1, "1")) + sent(bench.wait(0.0))
    assert stops([close]) == [A_CLOSE]
    bench.accept(close.cid)
    bench.hear(bench.row(close.cid, "oc", status="EXECUTED @ 100(-1)", remaining="0"))
    bench.fill(close.cid, "1")
    assert sent(bench.wait(6.0)) == []
    assert [row.books for row in bench.machine.flattens.values()] == [()]
    assert bench.machine.fills.held[BTC, False] == 0


def test_an_order_on_its_way_that_the_venue_refuses_leaves_a_wish_nothing_to_wait_for() -> None:
    bench = Bench()
    bench.admit()
    assert flatten(bench, "f") == []
    bench.accept(1)
    bench.end(1)
    bench.wait(0.0)
    assert [row.books for row in bench.machine.flattens.values()] == [()]


def test_what_comes_behind_a_close_that_sold_all_is_closed_without_a_pause() -> None:
    """A second entry is on its way while the first one's coins are sold; several such are no tries that failed."""
    bench = Bench()
    bench.open_position()
    for _ in range(4):
        bench.admit()
    entries = range(3, 7)
    assert [type(command) for command in flatten(bench, "f")] == [CancelOrder]
    (close,) = sent(bench.end(2)) + sent(bench.wait(0.0))
    alarms = []
    for entry in entries:
        assert stops([close]) == [A_CLOSE]
        bench.accept(close.cid)
        bench.hear(bench.row(close.cid, "oc", status="EXECUTED @ 100(-1)", remaining="0"))
        bench.fill(close.cid, "1")
        bench.accept(entry)
        bench.hear(bench.row(entry, "oc", status="EXECUTED @ 100(1)", remaining="0"))
        bench.fill(entry, "1")
        out = bench.wait(0.0)
        alarms += out.alarms
        (close,) = sent(out)
    assert stops([close]) == [A_CLOSE]
    assert alarms == []


@pytest.mark.parametrize(("symbol", "leaves"), [(None, False), (BTC, True)])
def test_nothing_is_opened_anywhere_while_everything_is_being_closed(symbol: object, leaves: bool) -> None:
    """Of a symbol that nothing was held of when the wish came; it would be held when the wish is done."""
    bench = Bench()
    bench.open_position()
    flatten(bench, "f", symbol=symbol)
    out = sent(bench.admit(symbol=ETH, intent_id="e"))
    assert [getattr(command, "symbol", None) for command in out] == ([ETH] if leaves else [])
    assert bench.machine.orders[3].reason == ("" if leaves else "not sent: everything is being flattened")
    (close,) = [each for each in sent(bench.end(2)) + sent(bench.wait(0.0)) if isinstance(each, SubmitOrder)]
    bench.accept(close.cid)
    bench.hear(bench.row(close.cid, "oc", status="EXECUTED @ 100(-1)", remaining="0"))
    bench.fill(close.cid, "1")
    bench.wait(0.0)
    assert [command.symbol for command in sent(bench.admit(symbol=ETH, intent_id="later"))] == [ETH]


def silent(bench: Bench, *orders: VenueOrder, session: int = 2, coins: str | None = None) -> list[object]:
    """The session is cut, and the next one's own words come; REST says nothing from now on."""
    bench.now += 5.0
    bench.cut()
    bench.now += 1.0
    bench.greet(session, *orders, coins=coins)
    return sent(bench.wait(1.0))


def stops(commands: list[object]) -> list[tuple[str, Decimal]]:
    return [(each.wire_type, each.amount) for each in commands if isinstance(each, SubmitOrder)]


A_STOP = ("EXCHANGE STOP", D(-1))
A_CLOSE = ("EXCHANGE MARKET", D(-1))


def closes_once(bench: Bench, stop: int, *orders: VenueOrder, trades: tuple[VenueTrade, ...] = ()) -> None:
    """History speaks: the stop is taken back, and only when it has let go of its coins the close leaves."""
    out = sent(bench.report(opened=orders, trades=trades)) + sent(bench.wait(0.0))
    assert [(type(each), getattr(each, "cid", None)) for each in out] == [(CancelOrder, stop)]
    assert stops(sent(bench.wait(0.5))) == [], "the coins are not free yet"
    out = sent(bench.end(stop)) + sent(bench.wait(6.0))
    assert stops(out) == [A_CLOSE]
    close = next(each.cid for each in out if isinstance(each, SubmitOrder))
    bench.accept(close)
    bench.hear(bench.row(close, "oc", status="EXECUTED @ 100(-1)", remaining="0"))
    bench.fill(close, "1")
    bench.wait(6.0)
    assert [row.books for row in bench.machine.flattens.values()] == [()]
    assert bench.machine.fills.held[BTC, False] == 0


@pytest.mark.parametrize("early", [True, False])
def test_what_an_entry_buys_while_the_close_cannot_leave_has_its_stop(early: bool) -> None:
    bench = Bench()
    bench.admit()
    bench.accept(1)
    if early:
        # Nothing stands yet when somebody wants to be out.
        bench.cut()
        flatten(bench, "f")
    assert silent(bench, bench.row(1, "os")) == []
    if not early:
        assert flatten(bench, "f") == []
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    out = sent(bench.fill(1, "1"))
    for _ in range(12):
        out += sent(bench.wait(5.0))
        if stop_of(out) and bench.machine.orders[stop_of(out)].state is OrderState.INTENT:
            bench.accept(stop_of(out))
    assert stops(out) == [A_STOP]
    closes_once(bench, stop_of(out), bench.row(stop_of(out), "rest"))


def stop_of(commands: list[object]) -> int:
    return next((each.cid for each in commands if isinstance(each, SubmitOrder)), 0)


@pytest.mark.parametrize("long", [False, True])
def test_a_close_that_waits_for_history_leaves_the_stop_where_it_is_until_then(long: bool) -> None:
    bench = Bench()
    bench.open_position()
    assert silent(bench, bench.row(2, "os")) == []
    out = flatten(bench, "f")
    for _ in range(12 if long else 1):
        out += sent(bench.wait(5.0))
    assert out == []
    closes_once(bench, 2, bench.row(2, "rest"))


def test_a_close_that_never_left_gives_way_to_a_stop_in_the_next_silence() -> None:
    bench, close = being_closed()
    bench.hear(CommandNotSent(cid=close.cid, kind="on", session=1, reason="no line"))
    out = silent(bench)
    assert stops(out) == [A_STOP]
    bench.accept(stop_of(out))
    bench.wait(60.0)
    closes_once(bench, stop_of(out), bench.row(stop_of(out), "rest"))


def holding_one() -> Bench:
    """An entry has bought one coin, as trade and wallet say, and its stop (2) rests."""
    bench = Bench(coins="0")
    bench.now = 5.0
    bench.admit()
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    bench.fill(1, "1")
    bench.hold("1")
    bench.accept(2)
    return bench


def test_a_close_whose_coins_are_still_there_gives_way_to_a_stop_before_history_tells() -> None:
    bench = holding_one()
    flatten(bench, "f")
    bench.end(2)
    assert stops(sent(bench.wait(0.0))) == [A_CLOSE]
    assert stops(silent(bench, coins="1")) == [A_STOP]


def test_a_close_that_has_sold_leaves_nothing_for_a_stop_while_history_is_silent() -> None:
    bench = holding_one()
    flatten(bench, "f")
    bench.end(2)
    assert stops(sent(bench.wait(0.0))) == [A_CLOSE]
    assert stops(silent(bench, coins="0") + sent(bench.wait(60.0))) == []


def test_an_exit_that_cannot_leave_takes_no_stop_away() -> None:
    bench = holding_one()
    bench.now += 5.0
    bench.cut()
    bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    bench.greet(2, coins="1")
    out = sent(bench.wait(1.0))
    assert stops(out) == [A_STOP], "its own is not there, and the exit waits for history"


def test_a_cancel_that_was_asked_for_in_vain_is_asked_for_at_once_when_a_session_can_hear_it() -> None:
    bench = Bench()
    bench.open_position()
    flatten(bench, "f")
    for _ in range(6):
        bench.wait(5.0)
    bench.cut()
    for _ in range(12):
        bench.wait(5.0)
    (cancel,) = sent(bench.connect(2, bench.row(2, "os")))
    assert (type(cancel), cancel.cid) == (CancelOrder, 2)


def test_a_close_that_waits_for_a_stop_does_not_sell_what_that_sold_at_last() -> None:
    """The stop's cancel has no answer; a second before it is waited for no longer the venue tells that it has sold."""
    bench, close = being_closed()
    bench.hear(CommandNotSent(cid=close.cid, kind="on", session=1, reason="no line"))
    stop = stop_of(silent(bench))
    bench.accept(stop)
    bench.wait(60.0)
    bench.report(opened=[bench.row(stop, "rest")])
    out = sent(bench.wait(5.0)) + sent(bench.wait(4.0))
    out += sent(bench.hear(bench.row(stop, "oc", status="EXECUTED @ 95(-1)", remaining="0")))
    for _ in range(20):
        out += sent(bench.wait(0.5))
    assert stops(out) == []
    assert bench.machine.orders[close.cid].reason == "not sent: nothing is left of its position"
    assert bench.machine.flattens["first"].books == ()
    assert bench.machine.fills.held[BTC, False] == 0
