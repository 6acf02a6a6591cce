"""What a strategy left behind goes to another one as it is: coins, levels, and the very orders around them."""

from decimal import Decimal
from itertools import count

import pytest

from genesis.domain.account_machine import AccountMachine
from genesis.domain.order_ledger import encode
from protocols.journal import CellWrite
from protocols.orders import Adopt, Adopted, OrderView, Purpose
from protocols.settings import Settings
from protocols.units import Side
from tests.genesis.domain.protect_bench import BTC, START_MS, Bench, sent
from tests.genesis.domain.test_account_machine import a_fill, with_cash

D = Decimal
NUMBERS = count()


def adopt(bench: Bench, heir: str, owner: str = "s", name: str = "") -> tuple[OrderView, ...]:
    wish = Adopt(symbol=BTC, owner=owner, heir=heir, reason="renamed", correlation_id=name or f"wish {next(NUMBERS)}")
    return bench.machine.on_adopt(wish, now=bench.now, wall_ms=START_MS)


def test_the_lot_and_its_stop_go_over_in_one_commit_and_nothing_is_cancelled() -> None:
    bench = Bench()
    bench.open_position()
    (stop,) = adopt(bench, "heir")
    assert (stop.cid, stop.strategy) == (2, "heir")
    out = bench.take()
    assert sent(out) == []
    (adopted,) = [report for report in out.reports if isinstance(report, Adopted)]
    assert (adopted.owner, adopted.heir, adopted.quantity) == ("s", "heir", D(1))
    assert [record.kind for record in out.records if record.kind == "Adopted"] == ["Adopted"]
    assert bench.machine.held_for() == {"heir": (BTC,)}
    # Said again there is nothing left to give, and the former owner has nothing left to sell.
    assert adopt(bench, "heir") == ()
    bench.take()
    assert sent(bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)) == []


def test_given_there_and_back_and_heard_again_it_is_told_once() -> None:
    """A crash between commit and acknowledgement brings both wishes again."""
    bench = Bench()
    bench.open_position()
    for _ in range(2):
        adopt(bench, "heir", name="there")
        adopt(bench, "s", "heir", name="back")
        bench.take()
        assert [(each.owner, each.heir) for each in bench.machine.adoptions.values()] == [("s", "heir"), ("heir", "s")]
        bench.restart(new_process=False)
    assert bench.machine.held_for() == {"s": (BTC,)}


@pytest.mark.parametrize("new_process", [False, True])
def test_the_heir_sells_what_it_got_after_a_restart_too(new_process: bool) -> None:
    bench = Bench()
    bench.open_position()
    adopt(bench, "heir")
    bench.take()
    stop = bench.row(2, "os")
    told = bench.restart(new_process=new_process).reports
    assert any(isinstance(report, Adopted) for report in told), "the account may not have heard of it"
    bench.cut()
    bench.connect(2, stop)
    bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None, strategy="heir")
    (sale,) = sent(bench.end(2))
    assert sale.amount == D(-1)


def test_a_person_gets_a_lot_of_its_own_and_a_heir_with_a_lot_gets_none() -> None:
    bench = Bench()
    bench.open_position()
    bench.admit(strategy="heir")
    bench.accept(3)
    bench.fill(3, "1")
    assert adopt(bench, "heir") == ()
    assert [code for code, _ in bench.take().alarms] == ["adoption_refused"]
    assert len(adopt(bench, "manual")) == 1
    assert bench.machine.held_for() == {"heir": (BTC,), "manual": (BTC,)}


def test_what_is_just_being_sold_is_given_when_that_is_done() -> None:
    """Its trade may be told when the coins are the heir's, and would be taken from who holds some without levels."""
    bench = Bench(coins="0")
    bench.open_position()
    bench.hold("1")
    assert len(sent(bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None))) == 1
    assert adopt(bench, "heir") == ()
    assert [code for code, _ in bench.take().alarms] == ["adoption_refused"]
    bench.end(2)
    bench.accept(3)
    bench.end(3)
    bench.accept(4)
    assert len(adopt(bench, "heir")) == 1
    assert bench.machine.held_for() == {"heir": (BTC,)}


def test_nobody_adopts_from_himself() -> None:
    with pytest.raises(ValueError, match="another one than the owner"):
        Adopt(symbol=None, owner="s", heir="s", reason="", correlation_id="")


def test_the_account_divides_the_coins_alike_before_and_after_a_restart() -> None:
    fills = [a_fill(1, Side.BUY, "2", "100", fee="0"), a_fill(3, Side.BUY, "1", "100", fee="0")]
    adopted = Adopted(
        symbol=BTC, owner="s", heir="t", quantity=D(2), time_ms=1000, serial=7, reason="", correlation_id="a"
    )
    live = with_cash()
    for report in (fills[0], adopted, adopted, fills[1]):
        live.on_report(report)
    assert [(each.strategy, each.quantity) for each in live.state().owners] == [("t", D(2)), ("s", D(1))]
    cells = [CellWrite(table="orders", key="adopted:7", payload=encode(adopted))]
    cells += [
        CellWrite(table="orders", key=f"fill:{fill.trade_id}:1", payload=encode({"fill": fill})) for fill in fills
    ]
    again = AccountMachine(Settings())
    again.restore(orders=cells, kept=(), same_process=False)
    assert again.state().owners == live.state().owners


def test_what_a_person_is_given_twice_of_one_name_stays_two_lots_each_with_its_stop() -> None:
    bench = Bench()
    bench.open_position()
    adopt(bench, "manual")
    bench.take()
    bench.admit()
    bench.accept(3)
    bench.hear(bench.row(3, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    bench.fill(3, "1")
    bench.accept(4)
    assert len(adopt(bench, "manual")) == 1
    assert sent(bench.take()) == [], "both stops go on resting"
    (position,) = bench.machine.protection()
    assert (position.wanted, position.stopped, len(position.lots)) == (D(2), D(2), 2)
    bench.restart(new_process=False)
    assert sorted(lot.quantity or D(0) for lot in bench.machine.brackets.values()) == [D(1), D(1)]
