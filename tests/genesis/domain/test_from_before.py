"""A person sells coins that were in the wallet before: nobody held them, so nobody holds less than nothing after it."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.account_machine import AccountMachine
from genesis.domain.order_holdings import QUIET_S
from genesis.domain.order_outputs import Outputs
from genesis.domain.position import Opening
from protocols.orders import MANUAL, CommandSent, Fill, Flatten, OrderType, Purpose, SubmitOrder
from protocols.settings import Settings
from protocols.units import ZERO, Side
from tests.genesis.domain.protect_bench import BTC, SETTINGS, Bench, sent
from tests.genesis.domain.test_account_machine import a_fill, by, owners, with_cash

D = Decimal


def by_hand(fill: Fill, no_basis: str) -> Fill:
    return msgspec.structs.replace(fill, strategy=MANUAL, purpose=Purpose.MANUAL, no_basis=D(no_basis))


# --- the account --------------------------------------------------------------------------------------------------


def test_coins_of_before_leave_the_position_at_nothing_and_the_next_purchase_is_whole() -> None:
    machine = with_cash()
    assert machine.on_report(by_hand(a_fill(1, Side.SELL, "2", "100"), "2")) is None
    assert (machine.positions[BTC].quantity, machine.realized_pnl, owners(machine)) == (ZERO, ZERO, {})
    machine.on_report(by("fast", a_fill(2, Side.BUY, "1", "110", fee="0")))
    assert (machine.positions[BTC].quantity, owners(machine)) == (D(1), {"fast": D(1)})
    finished = machine.on_report(by("fast", a_fill(3, Side.SELL, "1", "120", fee="0")))
    assert finished is not None
    assert (finished.pnl, finished.strategy) == (D(10), "fast"), "and its profit is of its own coins"


def test_a_sale_of_both_ends_what_was_held_with_its_share_of_the_fee() -> None:
    machine = with_cash()
    machine.on_report(by("fast", a_fill(1, Side.BUY, "1", "100", fee="0")))
    finished = machine.on_report(by_hand(a_fill(2, Side.SELL, "4", "110", fee="-4"), "3"))
    assert finished is not None
    assert (finished.pnl, finished.fees_quote, machine.positions[BTC].quantity) == (D(9), D(1), ZERO)
    assert owners(machine) == {}
    books = {book.strategy: (book.quantity, book.realized_pnl) for book in machine.view().books}
    assert books == {"fast": (ZERO, D(9))}


def test_a_short_on_margin_stays_when_coins_of_before_are_sold() -> None:
    machine = with_cash()
    short = msgspec.structs.replace(a_fill(1, Side.SELL, "1", "100", fee="0"), margin=True)
    machine.on_report(short)
    machine.on_report(by_hand(a_fill(2, Side.SELL, "2", "90"), "2"))
    (position,) = machine.state().positions
    assert (position.quantity, position.margin_quantity) == (D(-1), D(-1))


def test_what_was_sold_twice_and_is_bought_back_is_nobodys() -> None:
    """Two stops traded, and sold coins of before: the engine buys them back. What comes next is a strategy's."""
    machine = with_cash()
    machine.on_report(a_fill(1, Side.BUY, "1", "100", fee="0"))
    for number in (2, 3):
        machine.on_report(msgspec.structs.replace(a_fill(number, Side.SELL, "1", "95"), purpose=Purpose.STOP))
    assert machine.positions[BTC].quantity == D(-1)
    machine.on_report(msgspec.structs.replace(a_fill(4, Side.BUY, "1", "95", fee="0"), purpose=Purpose.EXIT))
    assert (machine.positions[BTC].quantity, owners(machine)) == (ZERO, {})
    machine.on_report(a_fill(5, Side.BUY, "1", "95", fee="0"))
    assert (machine.positions[BTC].quantity, owners(machine)) == (D(1), {"s": D(1)})


def test_what_a_stop_took_of_others_is_theirs_again_when_its_purchase_is_told() -> None:
    """The entry's trades were lost for minutes, and its stop has traded meanwhile."""
    machine = with_cash()
    machine.on_report(by("manual", a_fill(1, Side.BUY, "0.3", "100", fee="0")))
    machine.on_report(by("slow", a_fill(2, Side.BUY, "0.2", "100", fee="0")))
    stop = msgspec.structs.replace(by("fast", a_fill(5, Side.SELL, "1", "95", fee="0")), purpose=Purpose.STOP)
    machine.on_report(stop)
    assert owners(machine) == {}
    machine.on_report(by("fast", a_fill(4, Side.BUY, "1", "100", fee="0")))
    assert owners(machine) == {"manual": D("0.3"), "slow": D("0.2")}
    machine.on_report(by("fast", a_fill(6, Side.BUY, "1", "100", fee="0")))
    assert owners(machine) == {"manual": D("0.3"), "slow": D("0.2"), "fast": D(1)}


def test_what_is_bought_after_a_stop_that_took_of_others_is_the_buyers_own() -> None:
    machine = with_cash()
    machine.on_report(by("manual", a_fill(1, Side.BUY, "0.3", "100", fee="0")))
    stop = msgspec.structs.replace(by("fast", a_fill(2, Side.SELL, "0.2", "95", fee="0")), purpose=Purpose.STOP)
    machine.on_report(stop)
    machine.on_report(by("fast", a_fill(3, Side.BUY, "1", "100", fee="0")))
    assert owners(machine) == {"manual": D("0.1"), "fast": D(1)}


# --- the order machine --------------------------------------------------------------------------------------------


def trade(bench: Bench, amount: str, **changes: Any) -> tuple[list[Fill], Outputs]:
    """An order that fills at once; its fills and what came of them."""
    bench.admit(**{"quantity": D(amount), **changes})
    cid = bench.machine.last_cid
    bench.accept(cid)
    bench.hear(bench.row(cid, "oc", status=f"EXECUTED @ 100({amount})", remaining="0"))
    out = bench.fill(cid, amount)
    return [report for report in out.reports if isinstance(report, Fill)], out


def sell_by_hand(bench: Bench, quantity: str, **changes: Any) -> list[Fill]:
    fields = {"strategy": MANUAL, "side": Side.SELL, "purpose": Purpose.MANUAL, "bracket": None, **changes}
    return trade(bench, quantity, **fields)[0]


@pytest.mark.parametrize("new_process", [None, False, True])
def test_what_is_bought_next_is_a_lot_with_its_stop(new_process: bool | None) -> None:
    bench = Bench(coins="5")
    (sold,) = sell_by_hand(bench, "2")
    assert (sold.quantity, sold.no_basis, bench.machine.fills.held) == (D(2), D(2), {(BTC, False): ZERO})
    if new_process is not None:
        bench.restart(new_process=new_process)
        bench.connect(2)
    (bought,), out = trade(bench, "1")
    assert bought.no_basis == ZERO
    (stop,) = [each for each in sent(out) if isinstance(each, SubmitOrder)]
    assert stop.amount == D(-1)
    (position,) = bench.machine.protection()
    assert [(lot.strategy, lot.quantity) for lot in position.lots] == [("s", D(1))]


def test_the_strategy_can_sell_what_it_bought_after_that() -> None:
    bench = Bench(coins="5")
    sell_by_hand(bench, "2")
    trade(bench, "1", bracket=None)
    out = bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    assert [each.amount for each in sent(out) if isinstance(each, SubmitOrder)] == [D(-1)]


def test_a_sale_takes_what_is_held_first() -> None:
    bench = Bench(coins="5")
    bench.open_position()
    (sold,) = sell_by_hand(bench, "3")
    assert sold.no_basis == D(2)
    assert bench.machine.fills.held[BTC, False] == ZERO


def test_coins_are_less_a_persons_at_once() -> None:
    """While history is silent lots are made of the wallet less what is a person's: a stop would be too small."""
    bench = Bench(coins="5")
    bench.wait(2 * QUIET_S)
    sell_by_hand(bench, "2")
    assert bench.machine.told_amounts[False].spare == {"BTC": D(3)}


def test_a_purchase_in_doubt_may_have_brought_what_a_person_sells() -> None:
    """Its trade is told after the sale: then they were no coins of before, and nothing of them is held."""
    bench = Bench(coins="5")
    bench.admit()
    bench.hear(CommandSent(cid=1, kind="on", session=1, received_ns=0))
    (sold,) = sell_by_hand(bench, "1")
    assert sold.no_basis == ZERO
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    bench.fill(1, "1")
    assert bench.machine.fills.held[BTC, False] == ZERO


def test_what_is_known_to_be_a_persons_is_theirs_whatever_is_in_doubt() -> None:
    bench = Bench(coins="5")
    bench.wait(2 * QUIET_S)
    bench.admit()
    bench.hear(CommandSent(cid=1, kind="on", session=1, received_ns=0))
    (sold,) = sell_by_hand(bench, "2")
    assert sold.no_basis == D(2)
    bench.accept(1)
    out = bench.fill(1, "1")
    assert [each.amount for each in sent(out) if isinstance(each, SubmitOrder)] == [D(-1)], "its stop"


def by_ticket(bench: Bench, quantity: str) -> int:
    """A person's sale at market, on its way."""
    bench.admit(strategy=MANUAL, side=Side.SELL, purpose=Purpose.MANUAL, bracket=None, quantity=D(quantity))
    return bench.machine.last_cid


def fills_of(out: Outputs) -> list[Fill]:
    return [report for report in out.reports if isinstance(report, Fill)]


def test_a_purchase_that_left_behind_the_sale_brought_nothing_of_it() -> None:
    """Nobody knows yet what is a person's: the session has just begun."""
    bench = Bench(coins="5")
    sale = by_ticket(bench, "2")
    bench.admit()
    bench.accept(sale)
    (sold,) = fills_of(bench.fill(sale, "2"))
    assert sold.no_basis == D(2)
    bench.accept(2)
    out = bench.fill(2, "1")
    assert [each.amount for each in sent(out) if isinstance(each, SubmitOrder)] == [D(-1)], "its stop is whole"


def test_a_purchase_that_history_does_not_know_brought_nothing() -> None:
    bench = Bench(coins="5")
    bench.admit()
    bench.hear(CommandSent(cid=1, kind="on", session=1, received_ns=0))
    bench.cut()
    bench.connect(2)
    assert bench.machine.orders[1].is_lost
    sale = by_ticket(bench, "2")
    bench.accept(sale)
    (sold,) = fills_of(bench.fill(sale, "2"))
    assert sold.no_basis == D(2)


def test_a_sale_of_a_session_that_ended_may_come_behind_what_the_next_one_bought() -> None:
    """What a dead socket left behind may arrive at any time."""
    bench = Bench(coins="5")
    sale = by_ticket(bench, "2")
    bench.cut()
    bench.connect(2, bench.row(sale, "os"))
    bench.admit()
    (sold,) = fills_of(bench.fill(sale, "2"))
    assert sold.no_basis == D(1)


def test_a_sale_that_rests_may_come_behind_what_was_bought_later() -> None:
    bench = Bench(coins="5")
    bench.admit(
        strategy=MANUAL,
        side=Side.SELL,
        purpose=Purpose.MANUAL,
        bracket=None,
        quantity=D(2),
        order_type=OrderType.STOP,
        price=D(90),
    )
    bench.admit()
    bench.accept(1)
    (sold,) = fills_of(bench.fill(1, "2"))
    assert sold.no_basis == D(1)


def sold_twice() -> Bench:
    """The stop (2) of what `s` holds was in doubt, another one (3) stood in for it, and both have traded."""
    bench = Bench(coins="5")
    bench.open_position()
    bench.now += 5.0
    bench.cut()
    bench.connect(2)
    bench.accept(3)
    bench.fill(3, "1", "95")
    bench.hear(bench.row(3, "oc", status="EXECUTED @ 95(-1)", remaining="0"))
    bench.hear(bench.row(2, "oc", status="EXECUTED @ 95(-1)", remaining="0"))
    told = bench.fill(2, "1", "95")
    assert bench.machine.fills.held[BTC, False] == D(-1)
    assert [code for code, _ in told.alarms] == ["sold_twice"]
    return bench


@pytest.mark.parametrize("new_process", [None, False, True])
def test_nothing_is_entered_into_what_was_sold_twice_until_it_is_bought_back(new_process: bool | None) -> None:
    """The purchase would be taken for those coins: its lot would hold nothing, and have no stop when it is not."""
    bench = sold_twice()
    if new_process is not None:
        bench.restart(new_process=new_process)
        bench.connect(3)
    assert sent(bench.admit()) == []
    refused = bench.machine.orders[bench.machine.last_cid]
    assert refused.reason == "not sent: 1 BTC more was sold than bought, and is not bought back"
    trade(bench, "1", purpose=Purpose.EXIT, bracket=None)
    assert bench.machine.fills.held[BTC, False] == ZERO
    _, out = trade(bench, "1")
    assert [each.amount for each in sent(out) if isinstance(each, SubmitOrder)] == [D(-1)], "its stop"


def test_what_was_sold_twice_is_bought_back_by_a_flatten() -> None:
    bench = sold_twice()
    wish = Flatten(symbol=BTC, reason="to be even", correlation_id="f")
    bench.machine.on_flatten(wish, now=bench.now, wall_ms=0)
    (order,) = sent(bench.take())
    assert (order.amount, order.wire_type) == (D(1), "EXCHANGE MARKET")
    bench.accept(order.cid)
    bench.hear(bench.row(order.cid, "oc", status="EXECUTED @ 95(1)", remaining="0"))
    bench.fill(order.cid, "1", "95")
    assert bench.machine.fills.held[BTC, False] == ZERO
    assert bench.wait(60.0).alarms == []


def test_a_flatten_buys_nothing_for_a_sale_that_is_told_before_its_purchase() -> None:
    bench = Bench(coins="5")
    bench.admit()
    bench.hear(CommandSent(cid=1, kind="on", session=1, received_ns=0))
    sell_by_hand(bench, "1")
    bench.machine.on_flatten(Flatten(symbol=BTC, reason="", correlation_id="f"), now=bench.now, wall_ms=0)
    assert [each for each in sent(bench.take()) if isinstance(each, SubmitOrder)] == []


def test_a_sale_that_is_told_before_its_purchase_keeps_nobody_out() -> None:
    bench = Bench(coins="5")
    bench.admit()
    bench.hear(CommandSent(cid=1, kind="on", session=1, received_ns=0))
    sell_by_hand(bench, "1")
    assert bench.machine.fills.held[BTC, False] == D(-1)
    assert sent(bench.admit(strategy="other")) != []


def test_by_the_venues_word_nothing_is_held_below_zero_either() -> None:
    """The sale's end is told, and its trades are not."""
    bench = Bench(coins="5")
    bench.open_position()
    bench.admit(strategy=MANUAL, side=Side.SELL, purpose=Purpose.MANUAL, bracket=None, quantity=D(3))
    cid = bench.machine.last_cid
    bench.accept(cid)
    bench.hear(bench.row(cid, "oc", status="EXECUTED @ 100(-3)", remaining="0"))
    bench.wait(2 * SETTINGS.doubt_after_s)
    assert (bench.machine.orders[cid].by_word, bench.machine.fills.held[BTC, False]) == (D(3), ZERO)
    for part in ("2", "1"):
        bench.fill(cid, part)
        assert bench.machine.fills.held[BTC, False] == ZERO
    sold = [row.fill for row in bench.machine.fills.rows.values() if row.fill is not None and row.fill.cid == cid]
    assert sum(fill.no_basis for fill in sold) == pytest.approx(D(2), abs=D("0.00000002"))


def test_on_margin_a_sale_opens_a_short_as_ever() -> None:
    bench = Bench(coins="5")
    (sold,) = sell_by_hand(bench, "1", margin=True)
    assert (sold.no_basis, bench.machine.fills.held[BTC, True]) == (ZERO, D(-1))
    (sold,) = sell_by_hand(bench, "1")
    assert (sold.no_basis, bench.machine.fills.held) == (D(1), {(BTC, True): D(-1), (BTC, False): ZERO})


# --- both ---------------------------------------------------------------------------------------------------------

STEPS = st.lists(st.tuples(st.sampled_from(("buys", "sells", "shorts")), st.integers(1, 4)), min_size=1, max_size=8)


@given(steps=STEPS)
def test_account_and_order_machine_hold_the_same_never_less_than_nothing(steps: list[tuple[str, int]]) -> None:
    bench, live = Bench(coins="100"), AccountMachine(Settings())
    told: list[Fill] = []
    for what, quantity in steps:
        if what == "buys":
            fills, _ = trade(bench, str(quantity), bracket=None)
        else:
            fills = sell_by_hand(bench, str(quantity), margin=what == "shorts")
        told += fills
        for fill in fills:
            live.on_report(fill)
        held = bench.machine.fills.held
        (position,) = live.state().positions
        coins = position.quantity - position.margin_quantity
        assert coins == held.get((BTC, False), ZERO) >= ZERO
        assert position.margin_quantity == held.get((BTC, True), ZERO)
        assert sum(owners(live).values()) == coins
    again = AccountMachine(Settings())
    again.restore(orders=bench.disk.values(), kept=(), same_process=False)
    assert again.state().positions == live.state().positions
    assert again.state().owners == live.state().owners
    opening = Opening(symbol=BTC)
    for fill in told:
        opening = opening.with_fill(fill)
    assert opening.quantity == live.positions[BTC].quantity, "also of trades that are kept as a sum"
