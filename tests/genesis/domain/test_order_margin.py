"""Margin positions: protected like coins, compared with the venue's, and closed to new orders while they differ."""

import itertools
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from genesis.domain.account_machine import AccountMachine
from genesis.domain.order_outputs import Outputs
from protocols.orders import (
    Bracket,
    HistoryReport,
    OrderState,
    OrderType,
    Purpose,
    RequestNotice,
    SubmitOrder,
    VenuePosition,
)
from protocols.settings import Settings
from protocols.units import Side
from tests.genesis.domain.protect_bench import BTC, START_MS, Bench, sent

D = Decimal
BOTH = Bracket(stop_distance=D(5), target_distance=D(10))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def short(bench: Bench) -> Outputs:
    bench.admit(side=Side.SELL, margin=True, bracket=BOTH)
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(-1)", remaining="0"))
    return bench.fill(1, "1")


def report(bench: Bench, amount: str | None) -> Outputs:
    """The next answer of REST, in which the venue holds `amount` on margin; gives what came of it."""
    bench.now += 100
    bench.machine.on_timer(now=bench.now, wall_ms=START_MS)
    (question,) = bench.machine.take().questions
    position = VenuePosition(
        session=1,
        symbol=BTC,
        status="ACTIVE",
        amount=D(amount or 0),
        base_price=D(100),
        margin_funding=D(0),
        position_id=1,
        received_ns=0,
    )
    assert question.positions
    return bench.hear(
        HistoryReport(
            request_id=question.request_id,
            session=1,
            since_ms=question.since_ms,
            open_orders=tuple(bench.row(cid, "rest") for cid, row in bench.machine.orders.items() if row.open),
            closed_orders=(),
            trades=(),
            received_ns=0,
            positions=() if amount is None else (position,),
        )
    )


def test_a_short_is_protected_above_and_takes_its_profit_below(bench: Bench) -> None:
    (oco,) = sent(short(bench))
    assert isinstance(oco, SubmitOrder)
    assert (oco.wire_type, oco.amount, oco.price, oco.oco_stop_price) == ("LIMIT", D(1), D(90), D(105))
    assert oco.flags & 1024


def test_a_difference_that_lasts_closes_the_symbol_and_agreement_opens_it(bench: Bench) -> None:
    short(bench)
    bench.accept(2)
    assert report(bench, "-1").alarms == []
    assert report(bench, "-0.4").alarms == []
    out = report(bench, "-0.4")
    assert [code for code, _ in out.alarms] == ["position_differs"]
    refused = bench.admit(side=Side.SELL, margin=True, order_type=OrderType.LIMIT, price=D(101), bracket=None)
    assert sent(refused) == []
    assert bench.machine.orders[bench.machine.last_cid].state is OrderState.REJECTED
    allowed = bench.admit(side=Side.BUY, margin=True, purpose=Purpose.EXIT, reduce_only=True, bracket=None)
    assert len(sent(allowed)) == 1
    assert [code for code, _ in report(bench, "-1").alarms] == ["position_agrees"]
    assert bench.machine.mismatched == {}


def test_one_report_that_a_trade_crossed_is_no_difference(bench: Bench) -> None:
    short(bench)
    bench.accept(2)
    assert report(bench, None).alarms == []
    assert report(bench, "-1").alarms == []
    assert report(bench, None).alarms == []


def test_more_at_the_venue_is_a_strangers(bench: Bench) -> None:
    short(bench)
    bench.accept(2)
    assert report(bench, "-7").alarms == []
    assert report(bench, "-7").alarms == []


def test_spot_traders_are_not_asked_about_margin(bench: Bench) -> None:
    bench.open_position()
    bench.now += 100
    bench.machine.on_timer(now=bench.now, wall_ms=START_MS)
    (question,) = bench.machine.take().questions
    assert not question.positions


def test_a_long_on_margin_is_not_missed_in_the_exchange_wallet(bench: Bench) -> None:
    bench.admit(side=Side.BUY, margin=True, bracket=BOTH)
    bench.accept(1)
    fills = [fill for fill in bench.fill(1, "1").reports if type(fill).__name__ == "Fill"]
    account = AccountMachine(Settings())
    account.known = True
    for fill in fills:
        account.on_report(fill)
    assert account.state().mismatched_symbols == ()
    again = AccountMachine(Settings())
    again.restore(orders=bench.disk.values(), kept=(), same_process=True)
    again.known = True
    assert again.state().mismatched_symbols == ()


def test_a_stop_whose_trade_is_told_late_takes_nothing_from_the_next_lot(bench: Bench) -> None:
    """The short's stop trades, then somebody goes long; the long's trade is heard first."""
    short(bench)
    bench.accept(2)
    bench.admit(intent_id="long", side=Side.BUY, margin=True, quantity=D(3), bracket=BOTH)
    bench.accept(3)
    bench.fill(3, "3")
    bench.hear(bench.row(2, "oc", status="EXECUTED @ 105(1)", remaining="0"))
    bench.fill(2, "1", "105")
    assert bench.machine.fills.held[BTC, True] == D(3)
    assert [(lot.lot, lot.quantity) for lot in bench.machine.protection()[0].lots if lot.quantity] == [("s", D(3))]


@pytest.mark.parametrize("bought", ["1", "0.6"])
@pytest.mark.parametrize("strategy", ["s", "other"])
def test_an_entry_that_was_taken_for_a_close_has_its_levels_when_the_stops_trade_is_told(
    bench: Bench, strategy: str, bought: str
) -> None:
    """All of what it bought seemed to close the short: the long that is left would lie bare."""
    short(bench)
    bench.accept(2)
    bench.admit(strategy=strategy, side=Side.BUY, margin=True, quantity=D(bought), bracket=BOTH)
    bench.accept(3)
    bench.hear(bench.row(3, "oc", status=f"EXECUTED @ 106({bought})", remaining="0"))
    bench.fill(3, bought, "106")
    if bench.machine.last_cid == 4:
        # The rest of the short seemed to need a smaller stop, which the venue refuses: it would add to a long.
        bench.accept(4)
        bench.end(4, "RSN_POS_REDUCE_INCR")
    bench.hear(bench.row(2, "oc", status="EXECUTED @ 105(1)", remaining="0"))
    left = sent(bench.fill(2, "1", "105"))
    for _ in range(6):
        left += sent(bench.wait(0.25))
    assert bench.machine.fills.held[BTC, True] == D(bought)
    (stop,) = (command for command in left if isinstance(command, SubmitOrder))
    assert (stop.amount, stop.price, stop.oco_stop_price) == (-D(bought), D(110), D(95))
    (lot,) = (lot for lot in bench.machine.protection()[0].lots if lot.quantity)
    assert (lot.lot, lot.quantity) == (strategy, D(bought))


@pytest.mark.parametrize(("kind", "alarms"), [("margin_call", 1), ("liquidation", 1), ("deposit_new", 0), ("n", 0)])
def test_what_the_venue_says_unasked_of_a_position_in_danger_reaches_people(
    bench: Bench, kind: str, alarms: int
) -> None:
    bench.admit()
    bench.accept(1)
    notice = RequestNotice(session=1, kind=kind, status="INFO", text="x" * 999, cid=None, venue_id=None, received_ns=0)
    out = bench.hear(notice)
    assert [code for code, _ in out.alarms] == ["venue_notice"] * alarms
    assert all(len(text) < 400 for _, text in out.alarms)
    assert not out.commands


@pytest.mark.parametrize(
    ("first", "second", "lots", "price"),
    [
        # Neither seemed to have opened anything: this venue tells no average, so the market of now is taken for it.
        pytest.param("0.6", "0.4", {"b": "0.6", "c": "0.4"}, 100, id="both closed"),
        # The first seemed to have closed the short and opened what it bought beyond, the second only to have opened.
        pytest.param("3", "1", {"b": "3", "c": "1"}, 106, id="the first closed"),
        # The first closed as much as it bought, before the stop traded: a part of that is no position of its own.
        pytest.param("0.4", "2", {"c": "2"}, 106, id="the first truly closed"),
    ],
)
def test_of_two_entries_that_were_taken_for_closes_each_has_its_own_levels(
    bench: Bench, first: str, second: str, lots: dict[str, str], price: int
) -> None:
    """The newest one had all of it: what the other had bought lay at levels that it had never asked for."""
    short(bench)
    bench.accept(2)
    for strategy, bought, distance in (("b", first, 3), ("c", second, 7)):
        bracket = Bracket(stop_distance=D(distance))
        bench.admit(strategy=strategy, side=Side.BUY, margin=True, quantity=D(bought), bracket=bracket)
        cid = bench.machine.last_cid
        bench.accept(cid)
        bench.hear(bench.row(cid, "oc", status=f"EXECUTED @ 106({bought})", remaining="0"))
        bench.fill(cid, bought, "106")
    stopped = "1" if "b" in lots else "0.6"
    bench.hear(bench.row(2, "oc", status=f"EXECUTED @ 105({stopped})", remaining="0"))
    bench.fill(2, stopped, "105")
    held = {lot.lot: lot.quantity for lot in bench.machine.protection()[0].lots if lot.quantity}
    assert held == {name: D(quantity) for name, quantity in lots.items()}
    stops = {bracket.lot: bracket.levels.stop for bracket in bench.machine.brackets.values() if bracket.quantity}
    assert stops == {name: D(price) - {"b": 3, "c": 7}[name] for name in lots}


SIZES = ("0.4", "0.6", "3")
DISTANCES = {"b": 3, "c": 7}


def lots_of(traded: list[tuple[str, Decimal]], told: Sequence[int]) -> dict[str, Decimal]:
    """A short of 1 with its stop (2), and what is left of all when its trades are told in this order."""
    bench = Bench()
    short(bench)
    bench.accept(2)
    cids = {"stop": 2}
    for name, distance in DISTANCES.items():
        bracket = Bracket(stop_distance=D(distance))
        bench.admit(strategy=name, side=Side.BUY, margin=True, quantity=dict(traded)[name], bracket=bracket)
        cids[name] = bench.machine.last_cid
        bench.accept(cids[name])
    for place in told:
        name, quantity = traded[place]
        if quantity:
            left = str(bench.machine.orders[cids[name]].quantity - quantity)
            bench.hear(bench.row(cids[name], "oc", status=f"EXECUTED @ 105({quantity})", remaining=left))
            trade = bench.trade(cids[name], str(quantity), "105")
            at = START_MS + 500 + place
            bench.hear(msgspec.structs.replace(trade, trade_id=at, time_ms=at))
    assert bench.machine.fills.held[BTC, True] == sum((quantity for _, quantity in traded), D(-1))
    for bracket_row in bench.machine.brackets.values():
        if bracket_row.quantity:
            # From its own price, or from the market where the venue told no average.
            assert bracket_row.levels.stop in [D(price) - DISTANCES[bracket_row.lot] for price in (100, 105)]
    return {lot.lot: lot.quantity for lot in bench.machine.protection()[0].lots if lot.quantity}


@pytest.mark.parametrize("order", tuple(itertools.permutations(("b", "c", "stop"))), ids="-".join)
def test_whose_a_position_is_does_not_hang_on_the_order_in_which_its_trades_are_told(order: Sequence[str]) -> None:
    """Two entries the other way and the stop of what was held: whoever traded first closed, and the newest opened."""
    for first, second in itertools.product(SIZES, SIZES):
        held, traded = D(-1), list[tuple[str, Decimal]]()
        for name in order:
            quantity = max(min(D(1), -held), D(0)) if name == "stop" else D({"b": first, "c": second}[name])
            held += quantity
            traded.append((name, quantity))
        as_it_was = lots_of(traded, range(3))
        for told in itertools.permutations(range(3)):
            assert lots_of(traded, told) == as_it_was, f"{traded} were told as {told}"
