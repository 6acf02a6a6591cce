"""Whoever should have been heard of is asked for over REST, before anybody doubts it."""

import msgspec
import pytest

from protocols.orders import HistoryFailed, OrderState, OrderType, Purpose, VenueOrder, VenueTrade
from protocols.settings import OrderSettings
from protocols.units import Side
from tests.genesis.domain.protect_bench import BTC, START_MS, Bench, D, sent


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.now = 5.0
    made.machine.settings = OrderSettings()
    made.machine.touch = lambda symbol, side: D(100) if side is Side.BUY else D(101)
    return made


def state(bench: Bench) -> OrderState:
    return bench.machine.orders[1].state


def asked_at(bench: Bench, seconds: float) -> list[float]:
    """When within the next seconds REST was asked; it answers at once, with what it has shown before."""
    start, found = bench.now, []
    while (deadline := bench.machine.next_deadline()) is not None and deadline <= start + seconds:
        if bench.wait(max(deadline - bench.now, 0.0)).questions:
            found.append(round(bench.now - start, 2))
            bench.report(opened=[bench.row(cid, "rest") for cid in bench.machine._open])
    bench.now = start + seconds
    return found


def test_an_order_at_market_that_seems_to_rest_is_asked_for_soon_and_then_less_often(bench: Bench) -> None:
    bench.admit()
    bench.accept(1)
    assert asked_at(bench, 50.0) == [1.5, 4.5, 10.5, 22.5, 38.5]


@pytest.mark.parametrize("order_type", [OrderType.IOC, OrderType.FOK])
def test_what_must_trade_at_once_or_not_at_all_is_asked_for_like_one_at_market(
    bench: Bench, order_type: OrderType
) -> None:
    bench.admit(order_type=order_type, price=D(100))
    bench.accept(1)
    assert asked_at(bench, 3.0) == [1.5]


def test_a_fill_whose_frames_were_lost_gets_its_stop_after_one_question(bench: Bench) -> None:
    bench.admit()
    bench.accept(1)
    (question,) = bench.wait(2.0).questions
    trade = VenueTrade(
        event="rest",
        session=1,
        trade_id=7,
        symbol=BTC,
        time_ms=START_MS + 1,
        venue_order_id=1001,
        cid=1,
        amount=D(1),
        price=D(100),
        wire_type="EXCHANGE MARKET",
        order_price=D(0),
        maker=False,
        fee=D(0),
        fee_currency="USD",
        received_ns=0,
    )
    done = bench.row(1, "rest", status="EXECUTED @ 100(1)", remaining="0")
    assert question.request_id == bench.machine.fence.pending_id
    (stop,) = sent(bench.report(closed=[done], trades=[trade]))
    assert (stop.amount, stop.price) == (D(-1), D(95))


def test_an_entry_that_rests_is_left_alone_until_the_market_has_passed_it(bench: Bench) -> None:
    bench.admit(order_type=OrderType.LIMIT, price=D(99))
    bench.accept(1)
    assert asked_at(bench, 9.0) == []
    bench.machine.touch = lambda symbol, side: D(97) if side is Side.BUY else D(98)
    found = asked_at(bench, 40.0)
    # The first look may only be faster than the frames; then at every doubling, for as long as it seems to rest.
    assert len(found) == 4
    assert found[0] <= 4.0
    bench.machine.touch = lambda symbol, side: D(100) if side is Side.BUY else D(101)
    assert asked_at(bench, 20.0) == []


def test_a_stop_that_enters_is_asked_for_when_the_market_is_beyond_it(bench: Bench) -> None:
    bench.admit(order_type=OrderType.STOP, price=D(105))
    bench.accept(1)
    assert asked_at(bench, 9.0) == []
    bench.machine.touch = lambda symbol, side: D(106)
    assert asked_at(bench, 5.0) != []


def test_an_answer_that_is_late_is_asked_for_before_it_is_a_doubt(bench: Bench) -> None:
    bench.admit(order_type=OrderType.LIMIT, price=D(99))
    out = bench.wait(2.0)
    assert out.questions
    assert state(bench) is OrderState.INTENT
    bench.report()
    bench.wait(2.9)
    assert state(bench) is OrderState.INTENT
    bench.wait(0.1)
    assert state(bench) is OrderState.UNKNOWN


@pytest.mark.parametrize("new_process", [False, True])
def test_the_question_survives_a_crash(bench: Bench, new_process: bool) -> None:
    bench.admit()
    bench.accept(1)
    bench.restart(new_process=new_process)
    bench.machine.settings = OrderSettings()
    if new_process:
        bench.connect(2, bench.row(1, "os"))
        bench.machine.on_event(bench.row(1, "os"), now=bench.now, wall_ms=START_MS)
    assert asked_at(bench, 2.5) != []


@pytest.mark.parametrize("every_s", [0.5, 2.0])
def test_a_history_that_is_late_is_not_taken_for_one_without_trades_for_being_asked_often(
    bench: Bench, every_s: float
) -> None:
    """Whether the order itself is asked for early, or another one all the time."""
    bench.admit()
    bench.accept(1)
    bench.end(1, "EXECUTED @ 100(1)", remaining="0")
    began, alarms = bench.now, list[str]()
    while "fills_missing" not in alarms:
        bench.machine._want_history()
        if bench.wait(every_s).questions:
            alarms += [code for code, _ in bench.report().alarms]
        assert bench.now < began + 100
    assert bench.now - began >= 20


def resting_entry(bench: Bench) -> None:
    bench.admit(order_type=OrderType.LIMIT, price=D(99))
    bench.accept(1)
    bench.take()


def test_a_glance_at_a_market_that_has_passed_nobody_needs_no_turn_and_changes_nothing(bench: Bench) -> None:
    resting_entry(bench)
    deadline = bench.machine.next_deadline()
    assert deadline is not None
    for number in range(1, 4):
        assert bench.machine.next_glance(now=deadline + 1.5 * (number - 1)) == deadline + 1.5 * number
    assert bench.machine.next_deadline() == deadline


def test_no_glance_stands_for_the_turn_that_something_else_is_due_in(bench: Bench) -> None:
    """Passed by the market, another deadline, or no compared session: each needs all of a turn."""
    resting_entry(bench)
    deadline = bench.machine.next_deadline()
    assert deadline is not None
    others = bench.machine._others_at
    assert bench.machine.next_glance(now=others) is None
    assert bench.machine.next_glance(now=others - 0.5) == others
    bench.machine.fence.reconciled = False
    assert bench.machine.next_glance(now=deadline) is None
    bench.machine.fence.reconciled = True
    bench.machine.touch = lambda symbol, side: D(98)
    assert bench.machine.next_glance(now=deadline) is None
    # Nor while one that was passed is still looked after.
    bench.wait(deadline - bench.now)
    bench.machine.touch = lambda symbol, side: D(100) if side is Side.BUY else D(101)
    again = bench.machine.next_deadline()
    assert again is not None
    assert bench.machine.next_glance(now=again) is None


def test_a_sale_for_which_a_stop_made_way_is_not_waited_for_longer_than_the_stop_would_be() -> None:
    """Whether it rests, nobody knows: if not, the coins that it should sell lie bare."""
    bench = Bench()
    bench.now = 5.0
    bench.open_position()
    bench.admit(
        strategy="manual",
        side=Side.SELL,
        purpose=Purpose.MANUAL,
        order_type=OrderType.LIMIT,
        price=D(200),
        quantity=D("0.4"),
        bracket=None,
    )
    bench.hear(msgspec.structs.replace(bench.row(2, "ou"), remaining=D("-0.6"), original=D("-0.6")))
    assert bench.machine.orders[3].session == 1
    assert bench.wait(1.5).questions
    assert bench.machine.orders[3].state is OrderState.UNKNOWN
    bench.now += 0.1
    assert bench.report(opened=[bench.row(2, "rest")]).reconnect is not None
    bench.cut()
    (bigger,) = sent(bench.connect(2, bench.row(2, "os")))
    assert (bigger.venue_id, bigger.amount) == (1002, D(-1))


def a_stop_without_an_answer(bench: Bench) -> None:
    """The entry (1) has traded; nobody says a word on its stop (2)."""
    bench.admit()
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    (stop,) = sent(bench.fill(1, "1"))
    assert stop.cid == 2


def the_entry_is_done(bench: Bench) -> VenueOrder:
    return bench.row(1, "rest", status="EXECUTED @ 100(1)", remaining="0")


def test_a_stop_that_rest_does_not_show_either_is_doubted_and_looked_for_at_once(bench: Bench) -> None:
    """Lost on the way, most likely: its position lies bare until a new session has said so."""
    a_stop_without_an_answer(bench)
    assert bench.wait(0.4).questions == []
    assert bench.wait(0.1).questions
    bench.now += 0.1
    assert bench.report(closed=[the_entry_is_done(bench)]).reconnect is None
    assert bench.wait(0.14).reconnect is None
    assert bench.machine.doubts_total == 0
    out = bench.wait(0.02)
    assert bench.machine.orders[2].state is OrderState.UNKNOWN
    assert out.reconnect == "order 2 has no answer in session 1"


def test_a_slow_rest_that_does_not_show_a_stop_is_believed_when_it_answers(bench: Bench) -> None:
    a_stop_without_an_answer(bench)
    bench.wait(0.5)
    bench.now += 0.6
    out = bench.report(closed=[the_entry_is_done(bench)])
    bench.machine.on_timer(now=bench.now, wall_ms=START_MS)
    assert (out.reconnect or bench.take().reconnect) == "order 2 has no answer in session 1"


def test_a_wish_for_a_new_session_is_said_again_by_the_next_life_of_the_actor(bench: Bench) -> None:
    """World 400260: it was kept, and the actor died before anybody heard it. Nobody asked again for a minute, in which
    a position whose exit was in doubt lay bare."""
    a_stop_without_an_answer(bench)
    bench.wait(0.5)
    bench.now += 0.1
    bench.report(closed=[the_entry_is_done(bench)])
    assert bench.wait(0.2).reconnect is not None
    again = bench.restart(new_process=False)
    assert (again.reconnect is not None, again.reconnect_session) == (True, 1)
    assert bench.wait(1.0).reconnect is None
    bench.cut()
    assert bench.restart(new_process=False).reconnect is None
    assert bench.restart(new_process=True).reconnect is None


def answers_in(bench: Bench, took: float) -> None:
    """A venue that needs so long for the entry (1), and has not said a word on its stop (2)."""
    bench.admit()
    bench.now += took
    bench.accept(1)
    bench.hear(bench.row(1, "oc", status="EXECUTED @ 100(1)", remaining="0"))
    assert [stop.cid for stop in sent(bench.fill(1, "1"))] == [2]


def doubted_after(bench: Bench) -> float:
    """Seconds until a session is asked for that tells of a stop which REST does not show."""
    since = bench.now
    while bench.wait(0.05).reconnect is None:
        if bench.machine.fence.pending_id is not None and bench.report(closed=[the_entry_is_done(bench)]).reconnect:
            break
        assert bench.now < since + 10
    return bench.now - since


@pytest.mark.parametrize("took", [0.8, 1.3, 2.0, 2.9])
def test_a_slow_venue_is_given_the_time_for_a_stop_that_it_took_for_the_entry(bench: Bench, took: float) -> None:
    """It was doubted after 0.75 s, session after session, and placed twice: with coins from before both could sell."""
    answers_in(bench, took)
    asked = False
    for _ in range(round(took / 0.05)):
        out = bench.wait(0.05)
        assert out.reconnect is None
        asked = asked or bool(out.questions)
        if bench.machine.fence.pending_id is not None:
            assert bench.report(closed=[the_entry_is_done(bench)]).reconnect is None
    assert asked
    bench.accept(2)
    assert bench.machine.orders[2].state is OrderState.ACKED
    assert bench.machine.doubts_total == 0


@pytest.mark.parametrize(("took", "patience"), [(0.1, 0.75), (0.5, 0.75), (1.0, 1.5), (2.0, 3.0), (20.0, 3.0)])
def test_a_stop_that_was_lost_is_not_waited_for_much_longer_at_a_slow_venue(
    bench: Bench, took: float, patience: float
) -> None:
    answers_in(bench, took)
    assert doubted_after(bench) == pytest.approx(patience, abs=0.11)


def test_that_a_venue_was_slow_is_forgotten_in_a_minute(bench: Bench) -> None:
    answers_in(bench, 2.0)
    bench.accept(2)
    bench.wait(61.0)
    bench.end(2)
    assert bench.machine.orders[3].protects
    assert doubted_after(bench) == pytest.approx(0.75, abs=0.11)


def test_a_stop_that_rest_shows_is_in_no_doubt(bench: Bench) -> None:
    a_stop_without_an_answer(bench)
    bench.wait(0.5)
    bench.report(opened=[bench.row(2, "rest")], closed=[the_entry_is_done(bench)])
    for _ in range(30):
        assert bench.wait(0.1).reconnect is None
    assert bench.machine.orders[2].state is OrderState.ACKED


def test_a_rest_that_says_nothing_is_not_waited_for_much_longer_than_the_line(bench: Bench) -> None:
    a_stop_without_an_answer(bench)
    since = bench.now
    outs = [bench.wait(0.1)]
    while outs[-1].reconnect is None:
        outs.append(bench.wait(0.1))
    assert outs[-1].reconnect == "order 2 has no answer in session 1"
    assert bench.now - since == pytest.approx(2.25, abs=0.2)
    assert len([question for out in outs for question in out.questions]) == 1


def test_a_stop_is_asked_for_soon_behind_another_question(bench: Bench) -> None:
    """Of which the answer was: the entry has traded. The next question would come after two seconds."""
    bench.admit()
    bench.accept(1)
    assert bench.wait(1.5).questions
    done = bench.row(1, "rest", status="EXECUTED @ 100(1)", remaining="0")
    trade = msgspec.structs.replace(bench.trade(1, "1"), event="rest")
    assert [stop.cid for stop in sent(bench.report(closed=[done], trades=[trade]))] == [2]
    assert bench.wait(0.4).questions == []
    assert bench.wait(0.1).questions


def test_what_rest_said_before_the_stop_had_its_time_tells_nothing_of_it(bench: Bench) -> None:
    bench.machine.fence.history_at = bench.now + 0.3
    a_stop_without_an_answer(bench)
    assert bench.wait(0.3).questions
    bench.report(closed=[the_entry_is_done(bench)])
    assert bench.wait(1.2).reconnect is None
    assert bench.machine.orders[2].state is OrderState.UNKNOWN


@pytest.mark.parametrize("failed_after_s", [0.8, 1.7])
def test_a_rest_that_has_failed_is_not_waited_for_when_a_stop_is_in_doubt(bench: Bench, failed_after_s: float) -> None:
    a_stop_without_an_answer(bench)
    asked = []
    for _ in range(8):
        out = bench.wait(0.1)
        asked += out.questions
        assert out.reconnect is None
    (question,) = asked
    told = []
    for step in range(9, 19):
        failing = round(failed_after_s * 10) == step - 1
        failed = HistoryFailed(request_id=question.request_id, session=1, reason="502")
        out = bench.hear(failed) if failing else bench.wait(0.1)
        told += [(round(bench.now - 5.0, 1), out.reconnect)] if out.reconnect else []
    ((told_after_s, why),) = told
    assert told_after_s == pytest.approx(max(1.5, failed_after_s), abs=0.11)
    assert why == "order 2 has no answer in session 1"
