"""A stop that sold what its entry had bought before anybody was told of the entry's trade."""

from decimal import Decimal

import msgspec
import pytest

from protocols.orders import SubmitOrder
from tests.genesis.domain.protect_bench import BTC, Bench, sent

D = Decimal


def lots(bench: Bench) -> dict[str, Decimal]:
    return {bracket.strategy: bracket.quantity or D(0) for bracket in bench.machine.brackets.values()}


@pytest.mark.parametrize("restarted", [False, True])
def test_what_it_took_of_another_lot_is_given_back_when_the_entry_is_told(restarted: bool) -> None:
    """`other` holds 1 with its stop. The entry of `s` is in doubt and history silent: the wallet says that it bought,
    its stop is placed, and fires. Only then is the entry's trade told."""
    bench = Bench(coins="0")
    bench.open_position(strategy="other")
    bench.hold("1")
    bench.wait(2.0)
    bench.admit(strategy="s")
    rests = bench.row(2, "os")
    bench.cut()
    bench.greet(2, rests, coins="2")
    (stop,) = sent(bench.wait(1.0))
    assert isinstance(stop, SubmitOrder)
    assert (stop.cid, stop.amount) == (4, D(-1))
    bench.accept(4)
    bench.hear(bench.row(4, "oc", status="EXECUTED @ 94(-1)", remaining="0"))
    bench.fill(4, "1", "94")
    assert lots(bench) == {"other": D(0), "s": D(0)}
    if restarted:
        bench.restart(new_process=False)
        # What was asked of history may be lost with the life that had asked: it is asked anew.
        assert bench.wait(0.0).questions
    entry = bench.row(3, "rest", status="EXECUTED @ 100(1)", remaining="0")
    trade = msgspec.structs.replace(bench.trade(3, "1"), event="rest")
    bench.report(opened=[msgspec.structs.replace(rests, event="rest")], closed=[entry], trades=[trade])
    assert lots(bench) == {"other": D(1)}
    assert bench.machine.fills.held[BTC, False] == D(1)
