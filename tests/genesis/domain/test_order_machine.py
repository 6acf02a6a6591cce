"""The order machine: each promise by itself."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from protocols.orders import (
    CancelOrder,
    CommandInDoubt,
    Fill,
    HistoryFailed,
    HistoryReport,
    OrderSnapshot,
    OrderState,
    OrderType,
    OrderUpdate,
    Purpose,
    SubmitOrder,
)
from protocols.units import Side
from tests.genesis.domain.order_bench import (
    Bench,
    a_row,
    a_trade,
    closed,
    commands,
    down,
    executed,
    fills,
    not_sent,
    refusal,
    sent,
    states,
)
from tests.genesis.domain.order_oracle import SETTINGS, START_MS, SYMBOL, an_intent

S = OrderState


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.ready()
    return bench


@pytest.fixture
def acked(bench: Bench) -> Bench:
    bench.admit(1)
    bench.hear(sent(), a_row())
    return bench


# --- the way out --------------------------------------------------------------------------------------------------


def test_an_intent_becomes_one_row_one_decision_and_one_command(bench: Bench) -> None:
    out = bench.admit(1)
    (command,) = commands(out)
    assert isinstance(command, SubmitOrder)
    assert (command.cid, command.session, command.amount, command.wire_type) == (1, 1, Decimal(1), "EXCHANGE LIMIT")
    assert [record.kind for record in out.records] == ["Approved", "SubmitOrder", "OrderUpdate"]
    assert {"cid", "order:00000000000001", "session"} == set(out.cells)
    assert out.intents == [(0, an_intent(1).intent_id)]


def test_the_same_intent_again_is_the_same_order(bench: Bench) -> None:
    bench.admit(1)
    again = bench.admit(1)
    assert not again.commands
    assert not again.must_be_kept


def test_the_decision_does_not_depend_on_session_or_clock() -> None:
    early, late = Bench(), Bench()
    early.ready(1)
    late.ready(7)
    late.now = 99.0
    first, second = early.admit(1, received_ns=5), late.admit(1, received_ns=6)
    assert first.records[1] == second.records[1]


def test_nothing_leaves_before_the_session_is_compared() -> None:
    bench = Bench()
    assert not bench.admit(1).commands
    assert not bench.up(1).commands
    assert [command.session for command in commands(bench.report())] == [1]


@pytest.mark.parametrize("admitted_at", [0.0, 1801.004846080515, 0.1 + 0.2])
def test_an_entry_ends_at_its_deadline_and_not_after_it(admitted_at: float) -> None:
    """A deadline that comes and changes nothing is due again at once: the actor then turns in place for ever."""
    bench = Bench()
    bench.now = admitted_at
    bench.admit(1)
    deadline = bench.machine.next_deadline()
    assert deadline is not None
    bench.now = deadline
    bench.wait(0.0)
    assert bench.state() is S.REJECTED


def test_an_entry_that_waited_too_long_for_a_session_is_not_sent() -> None:
    bench = Bench()
    bench.admit(1)
    bench.admit(2, purpose=Purpose.EXIT)
    out = bench.wait(31)
    assert states(out) == [S.REJECTED]
    assert "must be below 30 s" in bench.machine.orders[1].reason
    bench.up(1)
    assert [command.cid for command in commands(bench.report())] == [2]


def test_an_entry_does_not_leave_while_trading_is_halted(bench: Bench) -> None:
    bench.machine.halted = "kill switch"
    assert states(bench.admit(1))[-1] is S.REJECTED
    assert commands(bench.admit(2, purpose=Purpose.EXIT))


def test_a_halt_wins_over_an_entry_that_is_on_its_way() -> None:
    """Approved and durable, but the socket is not there yet: what is halted meanwhile does not leave any more."""
    bench = Bench()
    bench.admit(1)
    bench.admit(2, purpose=Purpose.EXIT)
    bench.machine.halted = "kill switch"
    bench.up(1)
    assert [command.cid for command in commands(bench.report())] == [2]
    assert bench.machine.orders[1].state is S.REJECTED
    assert "kill switch" in bench.machine.orders[1].reason


def test_a_quantity_of_which_nothing_is_left_is_refused_here(bench: Bench) -> None:
    out = bench.admit(1, quantity=Decimal("0.000000001"))
    assert states(out) == [S.REJECTED]
    assert not out.commands


@pytest.mark.parametrize(
    ("changes", "wire_type", "flags", "price"),
    [
        ({"order_type": OrderType.MARKET, "price": None, "post_only": True}, "EXCHANGE MARKET", 0, None),
        ({"post_only": True, "hidden": True}, "EXCHANGE LIMIT", 4160, Decimal(7000)),
        ({"margin": True, "reduce_only": True}, "LIMIT", 1024, Decimal(7000)),
        ({"reduce_only": True}, "EXCHANGE LIMIT", 0, Decimal(7000)),
        ({"oco_stop_price": Decimal("7500.55")}, "EXCHANGE LIMIT", 16384, Decimal(7000)),
        ({"price": Decimal("7000.19")}, "EXCHANGE LIMIT", 0, Decimal("7000.1")),
    ],
)
def test_an_intent_in_the_words_of_the_wire(
    bench: Bench, changes: dict[str, Any], wire_type: str, flags: int, price: Decimal | None
) -> None:
    (command,) = commands(bench.admit(1, **changes))
    assert (command.wire_type, command.flags, command.price) == (wire_type, flags, price)


def test_a_command_that_did_not_leave_leaves_again_later_under_a_new_key(bench: Bench) -> None:
    first = bench.admit(1)
    assert not bench.hear(not_sent()).commands
    assert bench.state() is S.INTENT
    second = bench.wait(1.0)
    assert [outgoing.key for outgoing in first.commands + second.commands] == [("on", 1, 1), ("on", 1, 2)]


def test_not_sent_heard_twice_does_not_touch_the_second_attempt(bench: Bench) -> None:
    """The batch with the note may be delivered again, even together with the timer that sends anew."""
    bench.admit(1)
    bench.hear(not_sent())
    bench.now += 1.0
    assert not bench.hear(not_sent()).commands
    assert not bench.wait(0).commands
    assert commands(bench.wait(1.0))
    bench.hear(down())
    bench.ready(2)
    assert bench.hear(not_sent(session=1)).commands == []
    assert commands(bench.wait(1.0))[0].session == 2
    bench.hear(not_sent(session=1))
    assert bench.machine.orders[1].session == 2


def test_sent_and_not_sent_is_doubt(bench: Bench) -> None:
    bench.admit(1)
    bench.hear(sent(), not_sent())
    assert bench.state() is S.UNKNOWN
    assert not bench.wait(2).commands


# --- the venue's answers ------------------------------------------------------------------------------------------


def test_a_resting_order_fills_in_two_parts_and_ends(acked: Bench) -> None:
    assert acked.state() is S.ACKED
    half = a_row(event="ou", remaining=Decimal("0.5"), status="PARTIALLY FILLED @ 7000.0(0.5)", updated_ms=START_MS + 1)
    acked.hear(half)
    out = acked.hear(a_trade("te", amount="0.5"), a_trade("tu", amount="0.5"))
    assert (states(out), [fill.quantity for fill in fills(out)]) == ([S.PARTIAL], [Decimal("0.5")])
    out = acked.hear(executed(), a_trade("te", trade_id=6, amount="0.5"), a_trade("tu", trade_id=6, amount="0.5"))
    assert states(out) == [S.FILLED]
    assert isinstance(out.reports[0], Fill), "nobody hears of the end before the last fill"
    assert acked.machine.next_deadline() == SETTINGS.reconcile_interval_s


@pytest.mark.parametrize(
    "frames",
    [
        [executed(), a_trade("te"), a_trade("tu")],
        [a_trade("te"), a_trade("tu"), executed()],
        [a_trade("tu"), a_trade("te"), executed()],
        [a_trade("tu"), executed()],
        [executed(), a_trade("tu"), a_trade("tu"), a_trade("te"), executed()],
        [a_row(), executed(), a_row(), a_trade("tu")],
    ],
)
def test_an_immediate_fill_is_told_once_in_whichever_order_it_comes(bench: Bench, frames: list[Any]) -> None:
    bench.admit(1)
    out = bench.hear(*frames)
    assert bench.state() is S.FILLED
    (fill,) = fills(out)
    assert (fill.fee, fill.fee_currency, fill.intent_id) == (Decimal("-0.002"), "BTC", an_intent(1).intent_id)
    assert bench.machine.fills.held == {(SYMBOL, False): Decimal("0.998")}


def test_a_refusal_that_names_the_order_ends_it(bench: Bench) -> None:
    bench.admit(1)
    out = bench.hear(sent(), refusal())
    assert states(out) == [S.SENT, S.REJECTED]
    assert bench.machine.orders[1].reason == "no"


def test_success_of_the_request_is_an_answer(bench: Bench) -> None:
    bench.admit(1)
    notice = msgspec.structs.replace(refusal(), status="SUCCESS", venue_id=1001)
    assert states(bench.hear(notice)) == [S.ACKED]
    assert not states(bench.wait(6)), "an answered order is in no doubt"


def test_a_fill_that_crossed_the_cancel_is_booked(acked: Bench) -> None:
    acked.cancel(an_intent(1).intent_id)
    assert states(acked.hear(closed())) == [S.CANCELED]
    out = acked.hear(a_trade(amount="0.25"))
    assert (states(out), acked.machine.orders[1].filled) == ([S.CANCELED], Decimal("0.25"))


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("CANCELED", S.CANCELED),
        ("POSTONLY CANCELED", S.CANCELED),
        ("INSUFFICIENT BALANCE (U1)", S.CANCELED),
        ("IOC CANCELED", S.EXPIRED),
        ("FILLORKILL CANCELED", S.EXPIRED),
        ("a text of tomorrow", S.CANCELED),
    ],
)
def test_ends_without_a_fill(acked: Bench, status: str, state: OrderState) -> None:
    acked.hear(closed(status=status))
    assert acked.state() is state
    assert acked.machine.orders[1].reason == status


def test_an_end_waits_for_its_trades_and_asks_history_for_them(acked: Bench) -> None:
    assert not states(acked.hear(executed()))
    (question,) = acked.wait(5).questions
    assert question.symbols == (SYMBOL,)
    out = acked.report(closed=[executed(event="rest")], trades=[a_trade("rest")])
    assert (len(fills(out)), states(out)) == (1, [S.FILLED])


def test_an_end_whose_trades_never_come_is_told_with_an_alarm_and_no_end(acked: Bench) -> None:
    acked.hear(executed())
    for _ in range(5):
        acked.wait(5)
        out = acked.report(closed=[executed(event="rest")])
    assert (out.alarms[0][0], acked.state()) == ("fills_missing", S.ACKED)
    assert states(acked.hear(a_trade())) == [S.FILLED]


def test_a_fee_that_does_not_come_is_fetched(acked: Bench) -> None:
    assert not fills(acked.hear(a_trade("te", amount="0.5")))
    assert acked.wait(5).questions
    assert len(fills(acked.report(opened=[a_row(event="rest")], trades=[a_trade("rest", amount="0.5")]))) == 1


def test_of_a_trade_with_two_stories_the_complete_one_is_booked_and_somebody_is_told(acked: Bench) -> None:
    """The first has no fee and would wait for ever: bought, and in nobody's books."""
    out = acked.hear(a_trade("te", amount="0.5"), a_trade("tu", amount="0.7"))
    assert [fill.quantity for fill in fills(out)] == [Decimal("0.7")]
    assert [code for code, _ in out.alarms] == ["trade_conflict"]
    assert not acked.machine.fills.untold


def test_a_booked_trade_is_not_told_again_when_its_story_changes(acked: Bench) -> None:
    acked.hear(a_trade("tu", amount="0.5"))
    again = acked.hear(a_trade("rest", amount="0.7"), a_trade("rest", amount="0.7"))
    assert not fills(again)
    assert [code for code, _ in again.alarms] == ["trade_conflict"]
    assert acked.machine.orders[1].filled == Decimal("0.5")


def test_the_two_legs_of_an_oco_are_one_order(bench: Bench) -> None:
    bench.admit(1, oco_stop_price=Decimal(6500), side=Side.SELL)
    main = a_row(original=Decimal(-1), remaining=Decimal(-1))
    leg = msgspec.structs.replace(main, venue_id=2000, cid=0, placed_id=1001, wire_type="EXCHANGE STOP")
    bench.hear(main, leg)
    trade = msgspec.structs.replace(a_trade(amount="-1"), venue_order_id=2000, fee_currency="USD")
    out = bench.hear(closed(original=Decimal(-1), remaining=Decimal(-1)), trade)
    assert bench.state() is S.FILLED
    assert not fills(out)[0].foreign


# --- doubt --------------------------------------------------------------------------------------------------------


def test_silence_is_doubt_and_neither_a_rejection_nor_a_resend(bench: Bench) -> None:
    bench.admit(1)
    bench.hear(sent())
    out = bench.wait(5)
    assert states(out) == [S.UNKNOWN]
    assert not out.commands
    assert states(bench.hear(a_row())) == [S.ACKED]


def test_doubt_that_history_does_not_lift_asks_for_a_new_session_now_and_then(bench: Bench) -> None:
    """While the socket lives it may still deliver; only its end makes absence provable."""
    bench.admit(1)
    bench.hear(sent())
    bench.wait(5)
    reconnects = []
    for _ in range(4):
        if bench.machine.fence.pending_id is not None:
            bench.report()
        reconnects.append(bench.wait(15).reconnect)
    assert [reason for reason in reconnects if reason] == ["order 1 has no answer in session 1"]
    assert bench.wait(15).reconnect, "a wish that changed nothing is said again after a minute"
    assert bench.state() is S.UNKNOWN


def test_a_command_in_doubt_is_unknown_at_once(bench: Bench) -> None:
    bench.admit(1)
    out = bench.hear(CommandInDoubt(cid=1, kind="on", session=1, reason="reset"))
    assert states(out) == [S.UNKNOWN]


def test_the_whole_proof_of_absence_and_nothing_less_makes_dead(bench: Bench) -> None:
    bench.admit(1)
    bench.hear(sent(), down())
    assert bench.state() is S.UNKNOWN
    bench.ready(2)
    for _ in range(4):
        bench.wait(30)
        if bench.machine.fence.pending_id is not None:
            bench.report()
        assert bench.state() is S.UNKNOWN
    out = bench.wait(30)
    assert (states(out), len(out.questions)) == ([], 1), "the last word is history's, after the quarantine"
    assert states(bench.report()) == [S.DEAD]
    assert not bench.wait(60).commands


def test_a_late_arrival_within_the_quarantine_is_taken_in(bench: Bench) -> None:
    bench.admit(1)
    bench.hear(sent(), down())
    bench.ready(2)
    bench.wait(100)
    assert states(bench.hear(a_row(session=2))) == [S.ACKED]
    bench.wait(100)
    assert bench.state() is S.ACKED


def test_a_ghost_after_dead_is_adopted_and_cancelled(bench: Bench) -> None:
    bench.admit(1)
    bench.hear(sent(), down())
    bench.ready(2)
    bench.wait(150)
    bench.report()
    assert bench.state() is S.DEAD
    out = bench.hear(a_row(session=2))
    assert states(out) == [S.ACKED, S.PENDING_CANCEL]
    assert isinstance(commands(out)[0], CancelOrder)
    assert out.alarms[0][0] == "ghost_order"


def test_a_trade_of_a_dead_order_adopts_it_and_is_booked(bench: Bench) -> None:
    bench.admit(1)
    bench.hear(sent(), down())
    bench.ready(2)
    bench.wait(150)
    bench.report()
    out = bench.hear(executed(session=2), a_trade(session=2))
    assert bench.state() is S.FILLED
    assert len(fills(out)) == 1


def test_frames_of_an_older_session_change_nothing(acked: Bench) -> None:
    acked.hear(down())
    acked.ready(2, a_row(event="os", session=2))
    before = dict(acked.disk)
    out = acked.hear(
        closed(session=1), a_trade(session=1), refusal(session=1), OrderSnapshot(session=1, orders=(), received_ns=0)
    )
    assert not out.reports
    assert acked.disk == before
    assert acked.machine.stale_frames_total == 4


def test_an_order_missing_after_reconnect_ended_as_history_says(acked: Bench) -> None:
    acked.hear(down())
    acked.up(2)
    out = acked.report(closed=[executed(event="rest", session=2)], trades=[a_trade("rest", session=2)])
    assert states(out) == [S.FILLED]


def test_an_order_open_for_us_and_unknown_to_the_venue_is_in_doubt(acked: Bench) -> None:
    acked.wait(60)
    assert states(acked.report()) == [S.UNKNOWN]
    assert acked.wait(15).reconnect
    acked.hear(down())
    assert states(acked.up(2, a_row(event="os", session=2))) == [S.ACKED]


# --- history ------------------------------------------------------------------------------------------------------


def test_a_failed_question_is_asked_again_later_each_time() -> None:
    bench = Bench()
    (question,) = bench.up(1).questions
    waited = []
    for _ in range(4):
        bench.hear(HistoryFailed(request_id=question.request_id, session=1, reason="503"))
        deadline = bench.machine.next_deadline()
        assert deadline is not None
        waited.append(deadline - bench.now)
        (question,) = bench.wait(deadline - bench.now).questions
    assert waited == [2.0, 4.0, 8.0, 15.0]


def test_a_question_without_any_answer_is_asked_under_another_number() -> None:
    bench = Bench()
    (lost,) = bench.up(1).questions
    (again,) = bench.wait(60).questions
    assert again.request_id > lost.request_id


def test_an_answer_to_an_older_question_is_not_this_sessions_comparison() -> None:
    bench = Bench()
    (old,) = bench.up(1).questions
    bench.hear(down())
    bench.up(2)
    empty: dict[str, Any] = {"open_orders": (), "closed_orders": (), "trades": (), "received_ns": 0}
    bench.hear(HistoryReport(request_id=old.request_id, session=1, since_ms=0, **empty))
    assert not bench.machine.fence.ready


def test_books_are_compared_continuously(bench: Bench) -> None:
    assert len(bench.wait(60).questions) == 1
    bench.report()
    assert len(bench.wait(60).questions) == 1


# --- foreign ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"group_id": None},
        {"group_id": 5},
        {"cid": 77, "venue_id": 1001},
        {"original": Decimal(-1)},
        {"original": Decimal("1.5")},
        # Of a life whose journal is lost: it began to count at 1, too.
        {"created_ms": START_MS - 600_001},
    ],
)
def test_orders_of_others_are_shown_and_left_alone(bench: Bench, changes: dict[str, Any]) -> None:
    bench.admit(1)
    theirs = a_row(**changes)
    out = bench.hear(theirs)
    assert [
        (report.order.foreign, report.order.intent_id) for report in out.reports if isinstance(report, OrderUpdate)
    ] == [(True, "foreign:1001")]
    assert not bench.cancel(None).commands
    out = bench.hear(a_trade())
    assert [fill.foreign for fill in fills(out)] == [True]
    assert bench.machine.fills.held == {}
    bench.hear(closed(**changes))
    assert not bench.machine.foreign


def test_a_trade_of_an_order_not_shown_yet_waits_for_its_order(bench: Bench) -> None:
    """Its client id alone proves nothing: any client of the account may have chosen the same."""
    bench.admit(1)
    assert not fills(bench.hear(a_trade()))
    assert [fill.foreign for fill in fills(bench.hear(executed()))] == [False]


def test_a_stamp_of_a_far_future_does_not_hide_the_present_from_history(bench: Bench) -> None:
    far = START_MS + 90_000_000
    bench.hear(a_row(77, group_id=None, updated_ms=far), msgspec.structs.replace(a_trade(cid=77), time_ms=far))
    bench.wait(10_000)
    assert bench.machine.fence.since_ms <= START_MS
    bench.report()
    assert bench.machine.fence.floor_ms <= START_MS


AN_HOUR_MS = 3_600_000


@pytest.mark.parametrize("from_the_start", [False, True])
def test_a_clock_that_was_ahead_before_the_venue_told_any_time_hides_no_trade(from_the_start: bool) -> None:
    """World 76077: history was asked from that future on, and an order that had traded was proven absent by it."""
    quiet = Bench()
    quiet.wall_ms += AN_HOUR_MS * from_the_start
    quiet.ready()
    quiet.wall_ms = START_MS + AN_HOUR_MS
    quiet.wait(10_000)
    quiet.report()
    quiet.wall_ms = START_MS
    quiet.admit(1)
    quiet.hear(sent(), a_row())
    quiet.wait(10_000)
    fence = quiet.machine.fence
    assert max(fence.since_ms, fence.trades_since_ms) < START_MS
    assert [fill.foreign for fill in fills(quiet.report(closed=[executed()], trades=[a_trade(event="rest")]))] == [
        False
    ]
    assert quiet.state() is S.FILLED


def test_a_clock_that_is_ahead_makes_history_begin_no_later() -> None:
    """An order whose every answer was lost, and no other has told the venue's time."""
    bench = Bench()
    bench.ready()
    bench.wall_ms += AN_HOUR_MS
    bench.wait(10_000)
    assert max(bench.machine.fence.since_ms, bench.machine.fence.trades_since_ms) < START_MS


def test_a_floor_in_the_future_that_an_older_program_kept_is_let_go(bench: Bench) -> None:
    fence = bench.machine.fence
    fence.floor_ms = fence.trades_floor_ms = fence.trades_ms = START_MS + AN_HOUR_MS
    bench.admit(1)
    bench.hear(sent(), a_row())
    bench.wait(10_000)
    assert max(fence.since_ms, fence.trades_since_ms) < START_MS
    assert fills(bench.report(closed=[executed()], trades=[a_trade(event="rest")]))
    assert fence.floor_ms < START_MS


# --- starting again -----------------------------------------------------------------------------------------------


def test_after_a_crash_of_the_actor_commands_are_handed_out_under_their_keys(bench: Bench) -> None:
    first = bench.admit(1)
    again = bench.restart(new_process=False)
    assert again.commands == first.commands
    assert states(again) == [S.INTENT], "and reports that nobody may have heard are said again"
    bench.hear(sent(), a_row())
    bench.machine.told()
    cancel = bench.cancel(None)
    assert bench.restart(new_process=False).commands == cancel.commands


def test_after_a_restart_of_the_process_what_may_have_left_is_unknown(bench: Bench) -> None:
    bench.admit(1)
    bench.hear(not_sent())
    bench.admit(2)
    out = bench.restart(new_process=True)
    assert not out.commands
    assert bench.state(1) is S.REJECTED, "that nothing of it left was on the disk"
    assert bench.state(2) is S.UNKNOWN
    assert bench.machine.last_cid == 2


def test_after_a_restart_what_was_never_handed_out_is_given_up() -> None:
    bench = Bench()
    bench.admit(1)
    assert states(bench.restart(new_process=True))[-1] is S.REJECTED
    assert not bench.admit(1).commands


def test_after_a_restart_everything_is_reported_again_and_nothing_is_booked_twice(acked: Bench) -> None:
    acked.hear(executed(), a_trade())
    acked.machine.told()
    out = acked.restart(new_process=True)
    assert (states(out), len(fills(out))) == ([S.FILLED], 1)
    acked.up(1)
    out = acked.report(closed=[executed(event="rest")], trades=[a_trade("rest")])
    assert not out.reports
    assert acked.machine.fills.held == {(SYMBOL, False): Decimal("0.998")}


def test_a_restart_at_any_moment_of_a_process_changes_nothing_of_the_state(acked: Bench) -> None:
    acked.hear(a_trade("te", amount="0.5"), a_trade("tu", amount="0.25", trade_id=6))
    acked.flatten()
    before = {key: cell.payload for key, cell in acked.disk.items() if key != "session"}
    acked.restart(new_process=False)
    acked.wait(0)
    assert {key: cell.payload for key, cell in acked.disk.items() if key != "session"} == before


def test_an_intent_that_the_journal_knows_from_a_forgotten_life_is_not_sent(bench: Bench) -> None:
    bench.admit(1)
    bench.machine.disown(an_intent(1).intent_id)
    out = bench.take()
    assert states(out) == [S.REJECTED]
