"""Stops while history is silent: for what is certainly held, and nothing else leaves."""

from decimal import Decimal

import msgspec
import pytest

from genesis.domain.order_holdings import QUIET_S
from genesis.domain.pairs import PairSpec
from protocols.orders import (
    Bracket,
    CommandNotSent,
    HistoryFailed,
    OrderSnapshot,
    OrderState,
    Purpose,
    SessionDown,
    SessionUp,
    SubmitOrder,
    WalletSnapshot,
)
from protocols.units import Side, Symbol
from tests.genesis.domain.protect_bench import BTC, START_MS, Bench, D, a_wallet, sent


def lose(bench: Bench) -> None:
    """The session ends, and REST is down from now on."""
    bench.now += 5.0
    bench.cut()
    bench.now += 1.0


@pytest.fixture
def bench() -> Bench:
    made = Bench(coins="0")
    made.now = 5.0
    return made


def test_coins_whose_trade_was_heard_get_their_stop_without_history(bench: Bench) -> None:
    bench.admit()
    lose(bench)
    bench.greet(2, bench.row(1, "os"), coins="0")
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    bench.now += 0.4
    assert sent(bench.fill(1, "1")) == [], "history is given its time"
    (stop,) = sent(bench.wait(0.1))
    assert (stop.wire_type, stop.amount, stop.price) == ("EXCHANGE STOP", D(-1), D(95))


def test_a_stop_that_lacks_a_price_is_placed_when_the_market_is_heard(bench: Bench) -> None:
    """Behind a restart the public line may come up after the private one, and nothing else is heard."""
    bench.admit()
    bench.machine.touch = lambda symbol, side: None
    lose(bench)
    bench.greet(2, coins="1")
    while_deaf = [command for _ in range(4) for command in sent(bench.wait(0.5))]
    assert while_deaf == []
    bench.machine.touch = lambda symbol, side: D(100)
    deadline = bench.machine.next_deadline()
    assert deadline is not None
    assert deadline <= bench.now + 0.5
    (stop,) = sent(bench.wait(0.5))
    assert (stop.wire_type, stop.amount, stop.price) == ("EXCHANGE STOP", D(-1), D(95))


def test_history_that_has_failed_is_not_waited_for(bench: Bench) -> None:
    bench.admit()
    lose(bench)
    bench.greet(2, bench.row(1, "os"), coins="0")
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    bench.now += 0.1
    assert sent(bench.fill(1, "1")) == []
    pending = bench.machine.fence.pending_id
    assert pending is not None
    assert sent(bench.hear(HistoryFailed(request_id=pending, session=2, reason="502"))) == [], "wallets may follow"
    deadline = bench.machine.next_deadline()
    assert deadline is not None
    assert deadline == pytest.approx(bench.now + 0.15)
    (stop,) = sent(bench.wait(0.16))
    assert (stop.wire_type, stop.amount, stop.price) == ("EXCHANGE STOP", D(-1), D(95))


@pytest.mark.parametrize("after_s", [0.3, 1.2, 2.5])
def test_a_stop_that_did_not_leave_leaves_by_the_next_sessions_own_words(bench: Bench, after_s: float) -> None:
    """Whenever the new session comes: what was looked at before it, in vain, does not make it wait."""
    bench.admit()
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    (stop,) = sent(bench.fill(1, "1"))
    bench.hear(CommandNotSent(cid=stop.cid, kind="on", session=1, reason="the line is dead"))
    bench.cut()
    for _ in range(round(after_s * 10)):
        assert sent(bench.wait(0.1)) == []
    bench.greet(2, coins="1")
    left = []
    for _ in range(10):
        left += sent(bench.wait(0.2))
    assert [(command.cid, command.session) for command in left] == [(stop.cid, 2)]


def test_coins_of_an_entry_in_doubt_get_their_stop_by_the_wallet(bench: Bench) -> None:
    bench.admit()
    lose(bench)
    bench.greet(2, coins="0.998")
    (stop,) = sent(bench.wait(1.0))
    assert (stop.amount, stop.price) == (D("-0.998"), D(95))
    bench.accept(2)
    # History speaks: the lot is its trades', the stop is the same one, moved to the price that was really paid.
    closed = bench.row(1, "rest", status="EXECUTED @ 102(1)", remaining="0")
    bench.report(opened=[bench.row(2, "rest")], closed=[closed])
    (change,) = sent(bench.fill(1, "1", "102"))
    assert (change.venue_id, change.price, change.amount) == (1002, D(97), D(-1))
    (lot,) = bench.machine.brackets.values()
    assert (lot.quantity, lot.guess) == (D(1), D(0))


def test_a_stop_that_is_gone_has_sold_its_own_lot_and_not_what_another_bought_meanwhile(bench: Bench) -> None:
    bench.admit(strategy="quick")
    bench.accept(1)
    bench.fill(1, "1")
    bench.hold("1")
    bench.end(1, "EXECUTED @ 100(1)", "0")
    bench.accept(2)
    assert bench.machine.orders[2].protects
    bench.admit(strategy="slow")
    lose(bench)
    # The stop of the first has sold 1, the second has bought 1 and paid its fee: neither was heard.
    bench.greet(2, coins="0.998")
    (stop,) = sent(bench.wait(1.0))
    assert stop.amount == D("-0.998")
    assert bench.machine.orders[stop.cid].intent.strategy == "slow"


def test_a_wallet_that_is_short_takes_from_the_lot_whose_stop_is_gone(bench: Bench) -> None:
    for number, strategy in ((1, "quick"), (3, "slow")):
        bench.admit(strategy=strategy)
        bench.accept(number)
        bench.fill(number, "1")
        bench.hold(str(number // 2 + 1))
        bench.end(number, "EXECUTED @ 100(1)", "0")
        bench.accept(number + 1)
    lose(bench)
    bench.greet(2, bench.row(4, "os"), coins="1")
    assert sent(bench.wait(1.0)) == [], "the stop of the second covers what is left"


def test_what_an_entry_in_doubt_did_not_buy_is_let_go_of_when_history_says_so(bench: Bench) -> None:
    bench.admit()
    lose(bench)
    bench.greet(2, coins="0.7")
    bench.wait(1.0)
    bench.accept(2)
    (cancel,) = sent(bench.report(opened=[bench.row(2, "rest")], closed=[bench.row(1, "rest", status="CANCELED")]))
    assert cancel.venue_id == 1002
    bench.end(2)
    assert bench.machine.brackets == {}


def test_a_persons_coins_get_no_stop_of_ours(bench: Bench) -> None:
    bench.hold("3")
    bench.now += 5.0
    bench.admit()
    lose(bench)
    bench.greet(2, coins="3")
    assert sent(bench.wait(1.0)) == []
    # More than the entry can have bought is not its doing.
    (stop,) = sent(bench.hold("7"))
    assert stop.amount == D(-1)


@pytest.mark.parametrize(("coins", "stopped"), [("1", [D(-1)]), ("0", []), ("0.4", [D("-0.4")])])
def test_a_stop_that_may_have_traded_is_placed_anew_for_what_the_wallet_still_holds(
    bench: Bench, coins: str, stopped: list[D]
) -> None:
    bench.open_position()
    bench.hold("1")
    lose(bench)
    bench.greet(2, coins=coins)
    assert [command.amount for command in sent(bench.wait(1.0))] == stopped


def test_without_a_word_on_the_wallet_only_what_nobody_can_have_sold_counts(bench: Bench) -> None:
    bench.open_position()
    lose(bench)
    bench.greet(2)
    assert sent(bench.wait(1.0)) == []


def test_nothing_that_opens_or_sells_leaves_before_history_has_answered(bench: Bench) -> None:
    bench.open_position()
    bench.hold("1")
    lose(bench)
    bench.greet(2, bench.row(2, "os"), coins="1")
    bench.wait(1.5)
    assert sent(bench.admit()) == []
    assert sent(bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)) == []
    assert bench.machine.orders[2].state is OrderState.ACKED
    leaving = sent(bench.report(opened=[bench.row(2, "rest")]))
    assert leaving, "then it does"


def test_a_sale_in_doubt_whose_coins_are_there_leaves_them_a_stop(bench: Bench) -> None:
    bench.open_position()
    bench.hold("2.5")
    bench.now += 5.0
    bench.hold("2.4")
    bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    bench.end(2)
    assert isinstance(bench.machine.orders[3].state, OrderState)
    lose(bench)
    bench.greet(2, coins="2.4")
    stops = [command for command in sent(bench.wait(1.0)) if isinstance(command, SubmitOrder)]
    assert [stop.amount for stop in stops] == [D(-1)]


@pytest.mark.parametrize("new_process", [False, True])
def test_what_is_a_persons_is_remembered_over_lives(bench: Bench, new_process: bool) -> None:
    bench.hold("3")
    bench.now += 5.0
    bench.admit()
    bench.restart(new_process=new_process)
    bench.cut()
    bench.greet(2, coins="3.6")
    (stop,) = sent(bench.wait(1.0))
    assert stop.amount == D("-0.6")


def test_what_was_there_before_is_known_before_anything_trades() -> None:
    """Whoever dies in its first trade would never know it, and a stop in doubt would have no other beside it."""
    bench = Bench(coins="5")
    assert bench.machine.next_deadline() == QUIET_S
    bench.wait(QUIET_S)
    assert bench.machine.told_amounts[False].spare == {"BTC": D(5)}
    deadline = bench.machine.next_deadline()
    assert deadline is None or deadline > bench.now + QUIET_S
    bench.restart(new_process=True)
    assert bench.machine.told_amounts[False].spare == {"BTC": D(5)}


def test_what_is_kept_of_wallets_has_one_order_in_every_process() -> None:
    """Names of a set come in another order in each process: a replay of the very same life came out differently."""
    bench = Bench(coins="5")
    told = bench.machine.told_amounts[False]
    told.amounts |= {name: D(1) for name in ("USD", "LEO", "ETH", "XRP", "ADA", "SOL", "DOT")}
    told.others = {}
    bench.wait(QUIET_S)
    assert told.spare is not None
    assert list(told.spare) == sorted(told.amounts)
    assert list(told.elsewhere) == sorted(told.amounts)


def test_a_wallet_that_is_late_with_a_trade_does_not_make_a_persons_coins_ours(bench: Bench) -> None:
    bench.hold("5")
    bench.now += 5.0
    bench.admit()
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    bench.fill(1, "1")
    bench.now += 3.0
    bench.admit()
    # Now the wallet tells of the trade, and before all is quiet again the line breaks with an entry and a stop on it.
    bench.hold("6")
    bench.now += 0.3
    bench.cut()
    bench.now += 1.0
    bench.greet(2, coins="6")
    (stop,) = sent(bench.wait(1.1))
    assert stop.amount == D(-1), "one is held, five are a person's, and the second entry bought nothing"


def test_what_a_person_sold_of_ours_by_hand_gets_no_stop_that_the_venue_would_refuse(bench: Bench) -> None:
    bench.open_position()
    bench.hold("0.5")
    bench.now += 5.0
    bench.hear(bench.row(2, "oc", status="CANCELED"))
    lose(bench)
    bench.greet(2, coins="0.5")
    (stop,) = sent(bench.wait(1.0))
    assert stop.amount == D("-0.5")


@pytest.mark.parametrize(("coins", "stopped"), [("2", []), ("2.6", [D("-0.6")]), ("3", [D(-1)])])
def test_coins_without_levels_are_not_taken_for_what_an_entry_in_doubt_bought(
    bench: Bench, coins: str, stopped: list[D]
) -> None:
    """A person bought 2 and wanted no stop."""
    bench.admit(strategy="manual", purpose=Purpose.MANUAL, bracket=None, quantity=D(2))
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(2)", remaining="0"))
    bench.fill(1, "2")
    bench.hold("2")
    bench.now += 5.0
    bench.admit()
    lose(bench)
    bench.greet(2, coins=coins)
    assert [stop.amount for stop in sent(bench.wait(1.0))] == stopped
    bench.wait(0.5)
    bench.wait(0.5)
    assert sum((lot.guess for lot in bench.machine.brackets.values()), D(0)) == -sum(stopped, D(0))


# --- more of what has its stop already --------------------------------------------------------------------------------


@pytest.mark.parametrize("new_process", [False, True])
@pytest.mark.parametrize("target", [None, D(10)])
def test_what_an_entry_in_doubt_added_gets_a_stop_beside_the_one_that_rests(
    bench: Bench, target: Decimal | None, new_process: bool
) -> None:
    """An OCO, too, whose size cannot be changed without taking it away."""
    bracket = Bracket(stop_distance=D(5), target_distance=target)
    bench.open_position(bracket=bracket)
    bench.hold("1")
    bench.now += 5.0
    bench.admit(quantity=D("0.5"), bracket=bracket)
    if new_process:
        bench.restart(new_process=True)
    lose(bench)
    bench.greet(2, bench.row(2, "os"), coins="1.499")
    (stop,) = sent(bench.wait(1.0))
    (rests, beside) = (bench.machine.orders[cid].intent for cid in (2, stop.cid))
    assert stop.amount == D("-0.499")
    assert (beside.order_type, beside.price, beside.oco_stop_price, beside.strategy) == (
        rests.order_type,
        rests.price,
        rests.oco_stop_price,
        rests.strategy,
    )
    bench.accept(stop.cid)
    assert sent(bench.wait(2.0)) == [], "all of it has a stop"


def an_addition(bench: Bench, quantity: str, coins: str) -> SubmitOrder:
    """1 with its stop, and the stop for what an entry of `quantity` in doubt has added to make it `coins`."""
    bench.open_position()
    bench.hold("1")
    bench.now += 5.0
    bench.admit(quantity=D(quantity))
    lose(bench)
    bench.greet(2, bench.row(2, "os"), coins=coins)
    (stop,) = sent(bench.wait(1.0))
    assert isinstance(stop, SubmitOrder)
    return stop


def test_of_two_stops_one_is_left_when_history_speaks_and_it_grows_when_its_coins_are_free(bench: Bench) -> None:
    stop = an_addition(bench, "0.5", "1.5")
    bench.accept(stop.cid)
    bought = bench.row(3, "rest", status="EXECUTED @ 100(0.5)", remaining="0")
    bench.report(opened=[bench.row(2, "rest"), bench.row(stop.cid, "rest")], closed=[bought])
    (cancel,) = sent(bench.fill(3, "0.5"))
    assert cancel.venue_id == 1000 + stop.cid
    assert sent(bench.wait(0.1)) == [], "the coins that it would grow by are still promised"
    (change,) = sent(bench.end(stop.cid))
    assert (change.venue_id, change.amount) == (1002, D("-1.5"))


def test_a_stop_as_large_as_the_one_it_rests_beside_is_not_taken_for_its_ghost(bench: Bench) -> None:
    stop = an_addition(bench, "1", "2")
    bench.accept(stop.cid)
    bench.cut()
    bench.now += 1.0
    bench.greet(3, bench.row(2, "os"), bench.row(stop.cid, "os"), coins="2")
    assert sent(bench.wait(1.0)) == []
    # What one of the two would sell is not there any more: one of them is too many.
    (cancel,) = sent(bench.hold("1"))
    assert cancel.venue_id in (1002, 1000 + stop.cid)


def test_a_stop_beside_another_that_no_session_shows_is_placed_once_more(bench: Bench) -> None:
    stop = an_addition(bench, "1", "2")
    bench.cut()
    bench.now += 1.0
    bench.greet(3, bench.row(2, "os"), coins="2")
    (again,) = sent(bench.wait(1.0))
    legs = 2, stop.cid, again.cid
    assert (again.amount, again.cid > stop.cid) == (D(-1), True)
    bench.accept(again.cid)
    # The dead socket delivers the first one.
    bench.hear(bench.row(stop.cid, "on"))
    assert [row.cancel_reason is None for cid, row in bench.machine.orders.items() if cid in legs].count(False) == 1


def test_nothing_beside_a_stop_is_more_than_what_no_stop_covers(bench: Bench) -> None:
    """Dust is covered by the stop of `quick`, until `slow` has the larger lot: there it would be covered once more, and
    the second stop would sell as much of a person's coins."""
    bench.machine.pairs = {BTC: PairSpec(symbol=BTC, minimum=D("0.1"), maximum=D(10))}
    bench.hold("5")
    bench.now += 5.0
    for number, strategy, quantity, coins in ((1, "quick", "1", "6"), (3, "slow", "0.5", "6.5")):
        bench.admit(strategy=strategy, quantity=D(quantity))
        bench.accept(number)
        bench.fill(number, quantity)
        bench.hold(coins)
        bench.end(number, "EXECUTED @ 100", "0")
        bench.accept(number + 1)
    bench.admit(strategy="manual", purpose=Purpose.MANUAL, bracket=None, quantity=D("0.5"))
    bench.accept(5)
    (change,) = sent(bench.fill(5, "0.05"))
    bench.hold("6.55")
    bench.end(5, remaining="0.45")
    assert (change.cid, change.amount) == (2, D("-1.05"))
    grown = msgspec.structs.replace(bench.row(2, "ou"), remaining=D("-1.05"), original=D("-1.05"))
    bench.hear(grown)
    bench.now += 5.0
    bench.admit(strategy="slow")
    lose(bench)
    bench.greet(2, msgspec.structs.replace(grown, event="os", session=2), bench.row(4, "os"), coins="7.55")
    (stop,) = sent(bench.wait(1.0))
    assert (stop.amount, bench.machine.orders[stop.cid].lot) == (D(-1), "slow")


def test_an_addition_that_the_venue_takes_no_order_for_waits(bench: Bench) -> None:
    bench.machine.pairs = {BTC: PairSpec(symbol=BTC, minimum=D("0.1"), maximum=D("1.2"))}
    bench.open_position()
    bench.hold("1")
    bench.now += 5.0
    bench.admit(quantity=D("0.5"))
    lose(bench)
    bench.greet(2, bench.row(2, "os"), coins="1.05")
    assert sent(bench.wait(1.0)) == []
    (stop,) = sent(bench.hold("1.15"))
    assert stop.amount == D("-0.15")


# --- coins of which nobody can say whose they are ---------------------------------------------------------------------


def with_two_strategies(bench: Bench, *, first: Bracket, second: Bracket) -> None:
    """`s` holds 1 with its stop, `other` has an entry of 2 in doubt, and the next session shows neither."""
    bench.open_position(bracket=first)
    bench.hold("1")
    bench.now += 5.0
    bench.admit(strategy="other", quantity=D(2), bracket=second)
    lose(bench)


NEAR, FAR = Bracket(stop_distance=D(5)), Bracket(stop_distance=D(20))


@pytest.mark.parametrize(
    ("coins", "first", "second", "stops"),
    [
        # 0.9 of it `other` must have bought; 1 is its, or what the stop of `s` has not sold: never sold above its stop.
        ("1.9", NEAR, FAR, {"other": D("-1.9")}),
        ("1.9", FAR, NEAR, {"s": D(-1), "other": D("-0.9")}),
        ("0.7", NEAR, FAR, {"other": D("-0.7")}),
        ("0.7", FAR, NEAR, {"s": D("-0.7")}),
        # All of it done, less its fee, is no guess.
        ("1.996", FAR, NEAR, {"other": D("-1.996")}),
        # So much is there only if the stop has not sold.
        ("3", FAR, NEAR, {"s": D(-1), "other": D(-2)}),
        ("2.8", NEAR, FAR, {"s": D("-0.8"), "other": D(-2)}),
    ],
)
def test_coins_that_may_be_either_ones_are_sold_at_neither_ones_stop_too_soon(
    bench: Bench, coins: str, first: Bracket, second: Bracket, stops: dict[str, Decimal]
) -> None:
    with_two_strategies(bench, first=first, second=second)
    bench.greet(2, coins=coins)
    out = bench.wait(1.0)
    placed = {bench.machine.orders[command.cid].intent.strategy: command.amount for command in sent(out)}
    assert placed == stops
    assert -sum(placed.values()) == D(coins), "all of it has a stop"


def test_somebody_hears_that_coins_are_nobodys_for_certain_once(bench: Bench) -> None:
    with_two_strategies(bench, first=NEAR, second=FAR)
    bench.greet(2, coins="1.9")
    told = [code for code, _ in bench.wait(1.0).alarms]
    assert told.count("coins_unclear") == 1
    assert not [code for code, _ in bench.hold("1.8").alarms if code == "coins_unclear"]


def test_no_profit_is_taken_with_coins_that_may_be_anothers(bench: Bench) -> None:
    with_two_strategies(bench, first=NEAR, second=Bracket(stop_distance=D(20), target_distance=D(10)))
    bench.greet(2, coins="1.9")
    (stop,) = sent(bench.wait(1.0))
    assert (stop.wire_type, stop.amount, stop.price) == ("EXCHANGE STOP", D("-1.9"), D(80))


def test_when_history_speaks_every_lot_has_its_own_again(bench: Bench) -> None:
    """The stop of `s` was cancelled by somebody, and `other` bought 0.9 of its 2."""
    with_two_strategies(bench, first=NEAR, second=FAR)
    bench.greet(2, coins="1.9")
    (stop,) = sent(bench.wait(1.0))
    bench.accept(stop.cid)
    ended = bench.row(3, "rest", status="CANCELED", remaining="1.1")
    gone = bench.row(2, "rest", status="CANCELED")
    bench.report(opened=[bench.row(stop.cid, "rest")], closed=[gone, ended])
    out = bench.fill(3, "0.9")
    wanted = {command.amount for command in sent(out)}
    assert wanted == {D("-0.9"), D(-1)}


def test_a_wallet_that_is_late_with_one_currency_is_believed_about_another(bench: Bench) -> None:
    """ETH has just traded and its wallet has not said so; what it says of BTC is true all the same."""
    bench.open_position()
    bench.hold("1")
    bench.now += 5.0
    bench.admit(strategy="other", symbol=Symbol("tETHUST"), bracket=None)
    lose(bench)
    bench.greet(2, coins="0.4")
    bench.wait(0.25)
    cid = bench.machine.last_cid
    bench.hear(
        msgspec.structs.replace(bench.row(cid, "os"), symbol=Symbol("tETHUST"), price=D(0), wire_type="EXCHANGE MARKET")
    )
    trade = bench.trade(cid, "1")
    bench.hear(msgspec.structs.replace(trade, symbol=Symbol("tETHUST")))
    (stop,) = sent(bench.wait(0.25))
    assert stop.amount == D("-0.4")


def test_what_was_set_aside_for_a_fee_gets_its_stop_when_the_wallet_has_it(bench: Bench) -> None:
    """Nobody has told the trades, and the wallet spoke only in the next session."""
    bench.admit()
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    bench.cut()
    for _ in range(3):
        bench.wait(2.0)
    assert bench.machine.fills.held[BTC, False] == D("0.99")
    bench.greet(2, coins="0.998")
    (stop,) = sent(bench.wait(1.0))
    assert stop.amount == D("-0.998")


def test_a_life_that_did_not_hear_the_wallets_of_its_session_has_them_said_again() -> None:
    """World 771244 with 30 faults an hour: an entry in doubt had bought, the order actor crashed behind the snapshot,
    REST was away, and what was bought lay bare for two and a half minutes."""
    made = Bench(coins="0")
    made.now = 5.0
    made.hold("0")
    made.wait(2.0)
    assert [command.cid for command in sent(made.admit())] == [1]
    made.now += 0.2
    made.cut()
    made.now += 3.0
    made.greet(2, coins="1")
    assert made.machine.orders[1].open
    made.restart(new_process=False)
    asked = [made.wait(0.5) for _ in range(20)]
    (out,) = (out for out in asked if out.reconnect is not None)
    assert out.reconnect_session == 2
    assert not any([sent(out) for out in asked])
    made.cut()
    made.now += 1.0
    made.greet(3, coins="1")
    (stop,) = sent(made.wait(1.1))
    assert isinstance(stop, SubmitOrder)
    assert stop.amount == -1
    assert all([made.wait(0.5).reconnect is None for _ in range(4)]), "it has heard them"


def test_a_stop_that_did_not_leave_stays_where_history_tells_that_another_has_sold_its_lot(bench: Bench) -> None:
    """The trade of that sale is late: by our trades the lot is still there, and the coins are another's. The actor
    hears in one turn that the stop did not leave, and all that the next session and history say."""
    bench.open_position()
    bench.admit(strategy="q", bracket=Bracket(stop_distance=D(2)))
    lose(bench)
    bench.greet(2, coins="1")
    (stop,) = sent(bench.wait(1.0))
    assert (stop.cid, stop.price) == (4, D(95)), "nobody knows whose they are, and the farthest stop covers them"
    for event in (
        CommandNotSent(cid=4, kind="on", session=2, reason="no line"),
        SessionDown(session=2, reason="cut", received_ns=0),
        WalletSnapshot(session=3, wallets=(a_wallet(3, "1"),), received_ns=0),
        OrderSnapshot(session=3, orders=(), received_ns=0),
        SessionUp(session=3, user_id=1, received_ns=0),
    ):
        bench.machine.on_event(event, now=bench.now, wall_ms=START_MS)
    executed = [
        bench.row(2, "rest", status="EXECUTED @ 95(-1)", remaining="0"),
        bench.row(3, "rest", status="EXECUTED @ 100(1)", remaining="0"),
    ]
    assert sent(bench.report(closed=executed)) == []
    assert bench.machine.orders[4].reason == "not sent: it would cover more than its lot still lacks"
    left = [command for _ in range(20) for command in sent(bench.wait(0.1))]
    assert [(command.wire_type, command.amount, command.price) for command in left] == [("EXCHANGE STOP", D(-1), D(98))]
