"""Several wishes to flatten, or to close, the same position while one of them is still on its way."""

from decimal import Decimal

import pytest

from protocols.orders import Flatten, OrderState, SubmitOrder
from tests.genesis.domain.protect_bench import BTC, START_MS, Bench, sent

D = Decimal


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
