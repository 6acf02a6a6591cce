"""Coins without levels belong to who bought them, though the wallet does not know them apart."""

from decimal import Decimal

import pytest

from protocols.orders import Adopted, OrderState, Purpose, SubmitOrder
from protocols.units import Side
from tests.genesis.domain.protect_bench import BTC, Bench, sent
from tests.genesis.domain.test_order_adopt import adopt

D = Decimal
S = OrderState


@pytest.fixture
def bench() -> Bench:
    """`plain` holds 1 without levels."""
    bench = Bench()
    buy(bench, "plain", 1)
    return bench


def buy(bench: Bench, strategy: str, cid: int) -> None:
    bench.admit(strategy=strategy, bracket=None)
    bench.accept(cid)
    bench.hear(bench.row(cid, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    bench.fill(cid, "1")


def sales(bench: Bench, strategy: str, quantity: str = "1") -> list[Decimal]:
    out = bench.admit(strategy=strategy, side=Side.SELL, purpose=Purpose.EXIT, bracket=None, quantity=D(quantity))
    return [each.amount for each in sent(out) if isinstance(each, SubmitOrder)]


def test_an_exit_whose_lot_is_gone_does_not_sell_anothers_coins(bench: Bench) -> None:
    assert sales(bench, "late") == []
    assert bench.machine.orders[2].reason == "not sent: nothing is left of its position"


def test_who_bought_them_sells_them(bench: Bench) -> None:
    buy(bench, "other", 2)
    assert sales(bench, "plain", "2") == [D(-1)]


@pytest.mark.parametrize("new_process", [True, False])
def test_a_restart_remembers_whose_they_are(bench: Bench, new_process: bool) -> None:
    bench.restart(new_process=new_process)
    bench.connect(2)
    assert sales(bench, "late") == []
    assert sales(bench, "plain") == [D(-1)]


def test_coins_of_before_anybody_kept_whose_they_are_may_be_sold_by_any_exit(bench: Bench) -> None:
    """A journal of an older engine says only that they are held."""
    for key in [key for key in bench.disk if key.startswith("plain:")]:
        del bench.disk[key]
    bench.restart(new_process=True)
    bench.connect(2)
    assert sales(bench, "late") == [D(-1)]


def test_a_sale_takes_its_own_then_nobodys_then_the_others(bench: Bench) -> None:
    machine = bench.machine
    buy(bench, "other", 2)
    machine._sell_plain(BTC, "plain", D("1.5"), rest=D("2.3"))
    assert machine.plain[BTC].owners == {"other": D("0.8")}
    machine._sell_plain(BTC, "x", D("0.8"), rest=D("0.8"))
    assert BTC not in machine.plain
    assert [key for key in bench.take().cells if key.startswith("plain:")] == [f"plain:{BTC}"]


def test_all_sold_is_nobodys(bench: Bench) -> None:
    assert sales(bench, "plain") == [D(-1)]
    bench.accept(2)
    bench.fill(2, "1")
    assert bench.machine.plain == {}
    assert not [key for key in bench.disk if key.startswith("plain:")]


def test_what_a_strategy_that_is_gone_bought_without_levels_is_told_and_can_be_given_away(bench: Bench) -> None:
    """Nobody else may sell it, and without levels it has no stop either."""
    assert bench.machine.held_for() == {"plain": (BTC,)}
    assert adopt(bench, "heir", owner="plain") == ()
    out = bench.take()
    (adopted,) = [report for report in out.reports if isinstance(report, Adopted)]
    assert (adopted.owner, adopted.heir, adopted.quantity) == ("plain", "heir", D(1))
    bench.restart(new_process=True)
    bench.connect(2)
    assert bench.machine.held_for() == {"heir": (BTC,)}
    assert sales(bench, "plain") == []
    assert sales(bench, "heir") == [D(-1)]


def test_coins_that_their_owner_is_selling_are_not_given_away(bench: Bench) -> None:
    assert sales(bench, "plain") == [D(-1)]
    adopt(bench, "heir", owner="plain")
    assert [code for code, _ in bench.take().alarms] == ["adoption_refused"]
    assert bench.machine.plain[BTC].owners == {"plain": D(1)}
