"""Trades that the socket lost and that history is late with: what the venue says it executed is held all the same."""

from decimal import Decimal

import msgspec
import pytest

from genesis.domain.account_machine import AccountMachine
from genesis.domain.order_outputs import Outputs
from protocols.orders import (
    Adopt,
    Adopted,
    ApprovedChange,
    CancelOrder,
    CommandBatch,
    Fill,
    Flatten,
    OrderState,
    OrderType,
    Purpose,
    SubmitOrder,
    UpdateIntent,
    UpdateOrder,
)
from protocols.settings import Settings
from protocols.units import Side
from tests.genesis.domain.protect_bench import BTC, START_MS, Bench, sent

D = Decimal
LATE_S = 40.0


def held(bench: Bench) -> Decimal:
    return bench.machine.fills.held.get((BTC, False), D(0))


def executed(bench: Bench, cid: int, *, average: str = "100", remaining: str = "0") -> Outputs:
    row = bench.row(cid, "oc", status=f"EXECUTED @ {average}(1)", remaining=remaining)
    return bench.hear(msgspec.structs.replace(row, average_price=D(average)))


def without_trades(bench: Bench, *cids: int, for_s: float = LATE_S) -> list[Outputs]:
    """So long every report knows the ends of these orders, and no trade of them."""
    outs = []
    until = bench.now + for_s
    while bench.now < until:
        outs.append(bench.wait(1.0))
        if bench.machine.fence.pending_id is not None:
            ended = [bench.row(cid, "rest", status="EXECUTED @ 100(1)", remaining="0") for cid in cids]
            rests = [
                bench.row(cid, "rest")
                for cid, row in bench.machine.orders.items()
                if row.open and row.venue_id is not None and cid not in cids
            ]
            outs.append(bench.report(opened=rests, closed=ended))
    return outs


def bought_without_a_trade(coins: str | None = None) -> tuple[Bench, list[Outputs]]:
    """A strategy has bought 1 at 100, and nobody hears of the trade."""
    bench = Bench(coins=coins)
    bench.admit()
    bench.accept(1)
    executed(bench, 1)
    return bench, without_trades(bench, 1, for_s=3.0)


def test_an_entry_whose_trades_are_lost_is_held_and_has_its_stop() -> None:
    bench, outs = bought_without_a_trade()
    (stop,) = [command for out in outs for command in sent(out)]
    assert isinstance(stop, SubmitOrder)
    assert (stop.wire_type, stop.amount, stop.price) == ("EXCHANGE STOP", D("-0.99"), D(95))
    assert held(bench) == D("0.99"), "its fee is taken from the coins, and nobody knows how much"
    assert bench.machine.orders[1].open, "risk counts an open order whole"
    (view,) = bench.machine.protection()
    assert (view.held, view.wanted) == (D("0.99"), D("0.99"))


def test_the_wallet_tells_how_many_coins_the_fee_has_left() -> None:
    bench = Bench(coins="0.5")
    bench.hold("0.5")
    bench.wait(2.0)
    bench.admit()
    bench.accept(1)
    executed(bench, 1)
    bench.hold("1.498")
    without_trades(bench, 1, for_s=3.0)
    assert held(bench) == D("0.998")


def test_it_stays_in_wait_however_long_and_is_told_once() -> None:
    bench, _ = bought_without_a_trade()
    bench.accept(2)
    outs = without_trades(bench, 1, for_s=600.0)
    assert [code for out in outs for code, _ in out.alarms] == ["fills_missing"]
    assert bench.machine.orders[1].state is OrderState.ACKED
    assert sum(len(out.questions) for out in outs) < 60, (
        "the longer they are missing, the more seldom they are asked for"
    )


@pytest.mark.parametrize("restarted", [None, False, True])
def test_late_trades_take_the_place_of_the_word(restarted: bool | None) -> None:
    bench, _ = bought_without_a_trade()
    bench.accept(2)
    without_trades(bench, 1)
    if restarted is not None:
        bench.restart(new_process=restarted)
        bench.connect(2, bench.row(2, "os"))
    trades = [bench.trade(1, "0.4"), bench.trade(1, "0.6")]
    trades = [msgspec.structs.replace(trade, fee=D("-0.001"), fee_currency="BTC") for trade in trades]
    first = bench.hear(trades[0])
    assert held(bench) == D("0.399") + D("0.594")
    second = bench.hear(trades[1])
    assert held(bench) == D("0.998")
    told = [report for out in (first, second) for report in out.reports if isinstance(report, Fill)]
    assert [fill.quantity for fill in told] == [D("0.4"), D("0.6")]
    assert bench.machine.orders[1].state is OrderState.FILLED
    for trade in trades:
        assert not bench.hear(trade).reports, "and once"
    lots = [bracket.quantity for bracket in bench.machine.brackets.values()]
    assert (held(bench), lots) == (D("0.998"), [D("0.998")])
    updates = [command for out in (first, second) for command in sent(out)]
    assert {type(command) for command in updates} == {UpdateOrder}, "its stop grows to what there is"


def test_of_a_part_that_traded_before_the_rest_was_canceled_the_part_is_held() -> None:
    bench = Bench()
    bench.admit(order_type=OrderType.LIMIT, price=D(100))
    bench.accept(1)
    bench.end(1, "CANCELED was: PARTIALLY FILLED @ 100(0.5)", remaining="0.5")
    bench.wait(5.0)
    assert held(bench) == D("0.495")
    bench.fill(1, "0.5")
    assert (held(bench), bench.machine.orders[1].state) == (D("0.5"), OrderState.CANCELED)


def test_an_order_that_rests_and_has_traded_in_part_is_covered_too() -> None:
    bench = Bench()
    bench.admit(order_type=OrderType.LIMIT, price=D(100))
    bench.accept(1)
    bench.hear(bench.row(1, "ou", status="PARTIALLY FILLED @ 100(0.5)", remaining="0.5"))
    deadline = bench.machine.next_deadline()
    assert deadline is not None
    assert deadline <= bench.now + 5.0
    out = bench.wait(5.0)
    assert [command.amount for command in sent(out) if isinstance(command, SubmitOrder)] == [D("-0.495")]


def test_a_stop_that_sold_unseen_is_not_placed_again() -> None:
    """Else the second one would sell what a person keeps in the wallet."""
    bench = Bench()
    bench.open_position()
    executed(bench, 2, average="95")
    outs = without_trades(bench, 2)
    assert not [command for out in outs for command in sent(out)]
    assert held(bench) == D(0)
    bench.fill(2, "1", "95")
    assert (held(bench), bench.machine.brackets) == (D(0), {})
    assert bench.machine.orders[2].state is OrderState.FILLED


def test_an_exit_that_sold_unseen_leaves_no_stop_and_sells_once() -> None:
    bench = Bench()
    bench.open_position()
    bench.admit(side=Side.SELL, purpose=Purpose.EXIT, reduce_only=True, bracket=None)
    assert isinstance(sent(bench.end(2))[0], SubmitOrder)
    bench.accept(3)
    executed(bench, 3)
    outs = without_trades(bench, 3)
    assert not [command for out in outs for command in sent(out)]
    assert held(bench) == D(0)


def test_a_close_that_sold_unseen_closes_and_is_not_repeated() -> None:
    bench = Bench()
    bench.open_position()
    wish = Flatten(symbol=None, reason="enough", correlation_id="f")
    bench.machine.on_flatten(wish, now=bench.now, wall_ms=START_MS)
    assert [type(command) for command in sent(bench.take())] == [CancelOrder]
    bench.end(2)
    (close,) = sent(bench.wait(0.0))
    assert isinstance(close, SubmitOrder)
    bench.accept(close.cid)
    executed(bench, close.cid)
    outs = without_trades(bench, close.cid)
    assert not [command for out in outs for command in sent(out)]
    assert [code for out in outs for code, _ in out.alarms] == ["fills_missing"]
    assert bench.machine.flattens["f"].books == ()


def test_a_close_after_an_unseen_entry_sells_what_there_is() -> None:
    bench, _ = bought_without_a_trade()
    bench.accept(2)
    wish = Flatten(symbol=None, reason="enough", correlation_id="f")
    bench.machine.on_flatten(wish, now=bench.now, wall_ms=START_MS)
    bench.take()
    bench.end(2)
    (close,) = sent(bench.wait(0.0))
    assert isinstance(close, SubmitOrder)
    assert close.amount == D("-0.99")


def test_a_close_behind_a_pause_does_not_sell_again_what_a_stop_sold_unseen() -> None:
    """The process was stopped for longer than stops have to let go. The wallet would have had a person's coins."""
    bench = Bench()
    bench.open_position()
    executed(bench, 2, average="95")
    wish = Flatten(symbol=None, reason="enough", correlation_id="f")
    bench.machine.on_flatten(wish, now=bench.now, wall_ms=START_MS)
    bench.take()
    assert not sent(bench.wait(20.0))
    assert (held(bench), bench.machine.flattens["f"].books) == (D(0), ())


@pytest.mark.parametrize("of_it", ["0", "0.4"])
def test_a_close_waits_for_what_a_stop_sold_just_before_its_time_to_let_go_is_over(of_it: str) -> None:
    """Its cancel has no answer for 10 s, half a second before which the venue tells that it has sold."""
    bench = Bench()
    bench.open_position()
    wish = Flatten(symbol=None, reason="enough", correlation_id="f")
    bench.machine.on_flatten(wish, now=bench.now, wall_ms=START_MS)
    outs = [bench.take(), bench.wait(5.0), bench.wait(4.5)]
    outs += [executed(bench, 2, average="95", remaining=of_it), *[bench.wait(0.5) for _ in range(20)]]
    sold = [each.amount for out in outs for each in sent(out) if isinstance(each, SubmitOrder)]
    assert (sold, held(bench)) == ([-D(of_it)] if D(of_it) else [], D(of_it))


def tell(account: AccountMachine, *outs: Outputs) -> None:
    for out in outs:
        for report in out.reports:
            account.on_report(report)


def test_what_is_held_by_word_alone_stays_set_aside_of_a_changed_order() -> None:
    """Nobody else counts it: the account makes its positions of trades."""
    bench, account = Bench(), AccountMachine(Settings())
    tell(account, bench.admit(order_type=OrderType.LIMIT, price=D(100), purpose=Purpose.MANUAL), bench.accept(1))
    wish = UpdateIntent(intent_id="i1", price=D(101), quantity=None, reason="", correlation_id="c")
    bench.machine.on_change(ApprovedChange(update=wish, number=1), now=bench.now, wall_ms=START_MS)
    tell(account, bench.take(), bench.hear(msgspec.structs.replace(bench.row(1, "ou"), price=D(101))))
    tell(account, executed(bench, 1), *without_trades(bench, 1))
    assert held(bench) == D("0.99")
    assert [change.quantity for change in account.state().changes] == [D(1)]
    tell(account, bench.fill(1, "0.4"))
    assert [change.quantity for change in account.state().changes] == [D("0.6")]
    tell(account, bench.fill(1, "0.6"))
    assert (account.state().changes, account.state().closed_intents) == ((), ("i1",))


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_an_account_that_begins_anew_counts_no_word_as_its_margin_position(side: Side) -> None:
    """The trade, told later, would have counted a second time: for limits, and for whoever closes the position."""
    bench = Bench()
    bench.admit(margin=True, side=side)
    bench.accept(1)
    executed(bench, 1)
    without_trades(bench, 1)
    assert bench.machine.fills.held[BTC, True] == side.sign
    account = AccountMachine(Settings())
    account.restore(orders=list(bench.disk.values()), kept=(), same_process=False)
    assert account.state().positions == ()
    tell(account, bench.fill(1, "1"))
    (position,) = account.state().positions
    assert position.quantity == position.margin_quantity == side.sign
    again = AccountMachine(Settings())
    again.restore(orders=list(bench.disk.values()), kept=(), same_process=False)
    assert again.state().positions == account.state().positions


def test_an_exit_does_not_wait_for_an_entry_that_has_ended() -> None:
    """It was taken for one that still rests, and that the exit would trade with: its stop was let go, and the exit
    stayed until nobody could be patient any longer."""
    bench = Bench()
    bench.machine.touch = lambda symbol, side: D(99)
    bench.admit(order_type=OrderType.LIMIT, price=D(100))
    bench.accept(1)
    executed(bench, 1)
    without_trades(bench, 1, for_s=3.0)
    bench.accept(2)
    (cancel,) = sent(bench.admit(side=Side.SELL, purpose=Purpose.EXIT, reduce_only=True, bracket=None))
    assert isinstance(cancel, CancelOrder)
    (exit_,) = sent(bench.end(2))
    assert isinstance(exit_, SubmitOrder)
    assert exit_.amount == D("-0.99")


def test_an_entry_is_not_refused_for_a_target_that_has_sold() -> None:
    bench = Bench()
    bench.admit(side=Side.SELL, order_type=OrderType.LIMIT, price=D(100), purpose=Purpose.MANUAL, bracket=None)
    bench.accept(1)
    executed(bench, 1)
    (entry,) = sent(bench.admit())
    assert isinstance(entry, SubmitOrder)


def test_a_stop_that_sold_in_part_unseen_grows_again_with_its_position() -> None:
    bench = Bench()
    bench.open_position()
    bench.hear(bench.row(2, "ou", status="PARTIALLY FILLED @ 95(0.4)", remaining="0.6"))
    bench.wait(6.0)
    assert (held(bench), bench.machine.orders[2].leaves) == (D("0.6"), D("0.6"))
    bench.admit(quantity=D("0.4"))
    bench.accept(3)
    executed(bench, 3)
    (grown,) = sent(bench.fill(3, "0.4"))
    assert isinstance(grown, UpdateOrder)
    assert grown.amount == D(-1), "what shall remain of it"


def test_an_entry_that_is_over_keeps_no_exit_of_another_from_leaving_in_its_stops_place() -> None:
    """It may buy nothing more, and else the position would lie bare between the cancel and the exit."""
    bench = Bench(coins="0")
    bench.hold("0")
    bench.wait(2.0)
    bench.open_position()
    bench.hold("1")
    bench.admit(strategy="t")
    bench.accept(3)
    executed(bench, 3)
    bench.hold("1.998")
    without_trades(bench, 3, for_s=3.0)
    bench.accept(4)
    assert held(bench) == D("1.998")
    (batch,) = sent(bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None))
    assert isinstance(batch, CommandBatch)
    assert [type(each) for each in batch.commands] == [CancelOrder, SubmitOrder]


def test_an_exit_that_is_over_keeps_nobody_from_giving_what_is_left() -> None:
    bench = Bench()
    bench.open_position()
    bench.admit(side=Side.SELL, purpose=Purpose.EXIT, reduce_only=True, bracket=None, quantity=D("0.4"))
    bench.end(2)
    bench.accept(3)
    executed(bench, 3)
    without_trades(bench, 3)
    bench.accept(4)
    assert held(bench) == D("0.6")
    wish = Adopt(owner="s", heir="t", symbol=None, reason="", correlation_id="a")
    bench.machine.on_adopt(wish, now=bench.now, wall_ms=START_MS)
    out = bench.take()
    assert [report.quantity for report in out.reports if isinstance(report, Adopted)] == [D("0.6")]
    bench.fill(3, "0.4")
    (lot,) = bench.machine.brackets.values()
    assert (lot.strategy, lot.quantity, held(bench)) == ("t", D("0.6"), D("0.6"))


def test_what_a_version_before_kept_without_a_price_gets_it_from_the_next_report() -> None:
    """Nothing rests at a distance from zero: of a long lot no stop was placed, then or ever, and that of a short one
    would have bought at once."""
    bench = Bench()
    bench.admit()
    bench.accept(1)
    executed(bench, 1, average="0")
    bench.restart(new_process=True)
    bench.machine.touch = None
    bench.greet(2)
    bench.report(closed=[bench.row(1, "rest", status="EXECUTED @ 100(1)", remaining="0")])
    assert bench.machine.orders[1].executed == 1
    ended = msgspec.structs.replace(
        bench.row(1, "rest", status="EXECUTED @ 100(1)", remaining="0"), average_price=D(100)
    )
    outs = []
    for _ in range(12):
        outs.append(bench.wait(1.0))
        if bench.machine.fence.pending_id is not None:
            outs.append(bench.report(closed=[ended]))
    (stop,) = [command for out in outs for command in sent(out)]
    assert isinstance(stop, SubmitOrder)
    assert (stop.price, stop.amount) == (D(95), D("-0.99"))


def test_a_lot_waits_for_some_price_to_set_its_stop_by() -> None:
    bench = Bench()
    bench.machine.touch = None
    bench.admit(side=Side.SELL, margin=True)
    bench.accept(1)
    executed(bench, 1, average="0")
    outs = [bench.wait(1.0) for _ in range(12)]
    assert not [command for out in outs for command in sent(out)]
    bench.machine.touch = lambda symbol, side: D(100)
    (stop,) = sent(bench.wait(1.0))
    assert isinstance(stop, SubmitOrder)
    assert (stop.price, stop.amount) == (D(105), D(1))
