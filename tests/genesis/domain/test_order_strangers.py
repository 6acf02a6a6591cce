"""Other clients of the account: they count their client ids from 1, too, and every socket hears what they are told."""

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.order_outputs import Outputs
from protocols.bitfinex.account import read_notice
from protocols.orders import CancelOrder, Fill, OrderState, RequestNotice, VenueOrder, VenueTrade
from protocols.units import ZERO
from tests.genesis.domain.order_bench import Bench, a_row, a_trade, closed, commands, down, executed, fills, sent
from tests.genesis.domain.order_oracle import SETTINGS, START_MS, SYMBOL

S = OrderState
STRANGER = 9001


@pytest.fixture
def bench() -> Bench:
    """Our order 1 is on its way to the venue."""
    bench = Bench()
    bench.ready()
    bench.admit(1)
    bench.hear(sent())
    return bench


def told(bench: Bench, status: str = "SUCCESS", *, kind: str = "on-req", **changes: Any) -> Outputs:
    fields: dict[str, Any] = {
        "session": 1,
        "kind": kind,
        "status": status,
        "text": "",
        "cid": 1,
        "venue_id": STRANGER if status == "SUCCESS" else None,
        "symbol": SYMBOL,
        "amount": Decimal(1),
        "group_id": None,
        "received_ns": 0,
    }
    return bench.hear(RequestNotice(**{**fields, **changes}))


@pytest.mark.parametrize(
    "other", [{"group_id": None}, {"group_id": SETTINGS.group_id + 1}, {"symbol": "tETHUSD"}, {"amount": Decimal(-1)}]
)
def test_a_strangers_order_with_our_client_id_is_not_taken_for_ours(bench: Bench, other: dict[str, Any]) -> None:
    told(bench, **{"group_id": SETTINGS.group_id, **other})
    assert (bench.machine.orders[1].venue_id, bench.state()) == (None, S.SENT)
    bench.hear(a_row())
    assert (bench.machine.orders[1].venue_id, bench.state()) == (1001, S.ACKED)
    cancels = commands(bench.cancel(bench.machine.orders[1].intent.intent_id))
    assert [(type(each), each.venue_id) for each in cancels] == [(CancelOrder, 1001)]


def test_the_answer_to_ours_is_believed(bench: Bench) -> None:
    told(bench, venue_id=1001, group_id=SETTINGS.group_id)
    assert (bench.state(), bench.machine.orders[1].venue_id) == (S.ACKED, 1001)


@pytest.mark.parametrize("other", [{"symbol": "tETHUSD"}, {"amount": Decimal(2)}, {"group_id": 5}])
def test_what_a_stranger_is_refused_does_not_end_ours(bench: Bench, other: dict[str, Any]) -> None:
    told(bench, "ERROR", **other)
    assert bench.state() is S.SENT


def test_our_own_refusal_need_not_name_our_group(bench: Bench) -> None:
    told(bench, "ERROR")
    assert bench.state() is S.REJECTED


def test_a_stranger_whose_cancel_is_refused_changes_nothing_of_ours(bench: Bench) -> None:
    bench.hear(a_row())
    bench.cancel(bench.machine.orders[1].intent.intent_id)
    request = bench.machine.orders[1].request
    told(bench, "ERROR", kind="oc-req", venue_id=STRANGER)
    assert bench.machine.orders[1].request == request


def test_a_strangers_trade_with_our_client_id_stays_a_strangers(bench: Bench) -> None:
    """History shows its order, which is not of our group, beside ours in doubt: no number of reports makes it ours."""
    stranger = executed(cid=1, venue_id=STRANGER, group_id=None)
    found: list[Fill] = []
    for _ in range(4):
        bench.wait(SETTINGS.reconcile_interval_s)
        theirs = msgspec.structs.replace(a_trade("rest"), venue_order_id=STRANGER)
        found += fills(bench.report(closed=(stranger,), trades=(theirs,)))
    assert [(fill.venue_order_id, fill.foreign) for fill in found] == [(STRANGER, True)]


def test_a_notice_says_whose_order_it_is_about() -> None:
    row: list[Any] = [STRANGER, 7, 1, "tBTCUSD", 1, 1, Decimal("-0.5"), Decimal("-0.5")]
    notice = read_notice([1, "on-req", None, None, row, None, "SUCCESS", "x"], session=1, received_ns=0)
    assert (notice.group_id, notice.cid, notice.symbol, notice.amount) == (7, 1, "tBTCUSD", Decimal("-0.5"))


def test_a_refusal_is_heard_whatever_nonsense_it_echoes() -> None:
    row: list[Any] = [None, "", 1, 5, None, None, "half a coin"]
    notice = read_notice([1, "on-req", None, None, row, None, "ERROR", "bad amount"], session=1, received_ns=0)
    assert (notice.cid, notice.group_id, notice.symbol, notice.amount) == (1, None, None, None)


# --- what a person is told ----------------------------------------------------------------------------------------

LATER_MS = START_MS + 60_000


def theirs(venue_id: int = STRANGER, **changes: Any) -> VenueOrder:
    fields = {"cid": 7, "venue_id": venue_id, "group_id": None, "created_ms": LATER_MS, "updated_ms": LATER_MS}
    return a_row(**{**fields, **changes})


def their_trade(trade_id: int = 5, **changes: Any) -> VenueTrade:
    trade = a_trade(changes.pop("event", "rest"), trade_id=trade_id)
    return msgspec.structs.replace(trade, **{"cid": 7, "venue_order_id": STRANGER, "time_ms": LATER_MS + 5, **changes})


def warned(*outs: Outputs) -> list[str]:
    return [code for out in outs for code, _ in out.warnings]


def report(bench: Bench, **shown: Any) -> Outputs:
    bench.wait(SETTINGS.reconcile_interval_s)
    return bench.report(**shown)


def test_an_order_of_somebody_else_is_told_once(bench: Bench) -> None:
    out = bench.hear(theirs())
    assert out.warnings == [
        (
            "foreign_order",
            "order 9001 at the venue: buy 1 tBTCUSD at 7000 (EXCHANGE LIMIT), not of this engine: by hand, or with"
            " another key of the account",
        )
    ]
    part = theirs(event="ou", remaining=Decimal("0.4"), updated_ms=LATER_MS + 5)
    over = theirs(event="oc", remaining=ZERO, status="EXECUTED @ 7000.0(1.0)", updated_ms=LATER_MS + 9)
    outs = [bench.hear(each) for each in (theirs(), part, their_trade(event="tu"), over)]
    assert warned(*outs, report(bench, closed=(over,), trades=(their_trade(),))) == []


def test_a_storm_of_them_is_a_few_lines_and_a_line_a_minute_with_their_number(bench: Bench) -> None:
    """Two hundred orders by hand were two hundred messages, and what mattered waited behind them."""
    outs = [
        bench.hear(theirs(STRANGER + number, symbol="tETHUSD" if number % 4 else "tBTCUSD")) for number in range(40)
    ]
    assert warned(*outs) == ["foreign_order"] * 5
    [(code, text)] = bench.wait(SETTINGS.reconcile_interval_s).warnings
    assert code == "foreign_order"
    assert text.startswith(
        "35 more on the account in 60 s (tETHUSD 27, tBTCUSD 8); the newest: order 9040 at the venue"
    )
    assert text.endswith("not of this engine: by hand, or with another key of the account")
    assert warned(bench.hear(theirs(STRANGER + 200)), bench.wait(600.0)) == ["foreign_order"], (
        "the next is told by itself"
    )


@pytest.mark.parametrize("many", [5, 6, 200])
def test_of_any_number_each_is_told_or_counted_when_its_minute_is_over(bench: Bench, many: int) -> None:
    for number in range(many):
        bench.hear(theirs(STRANGER + number))
    deadline = bench.machine.next_deadline()
    assert deadline is not None
    lines = [text for _ in range(3) for _, text in bench.wait(30.0).warnings]
    assert (
        lines == []
        if many == 5
        else lines[0].startswith(f"{many - 5} more on the account in 60 s (tBTCUSD {many - 5})")
    )
    assert len(lines) == (many > 5)


def test_an_order_of_our_group_that_the_journal_does_not_know_is_no_strangers(bench: Bench) -> None:
    """After a backup was restored a person must not look for a stolen key, but for their own coins."""
    [(code, text)] = bench.hear(theirs(group_id=SETTINGS.group_id)).warnings
    assert code == "foreign_order"
    assert "with this engine's group, and its journal does not know it: forgotten with a backup" in text
    assert "another key" not in text


def test_an_order_that_ended_before_anybody_saw_it_open_is_told(bench: Bench) -> None:
    over = theirs(event="oc", remaining=ZERO, status="EXECUTED @ 7000.0(1.0)")
    assert [text for _, text in bench.hear(over).warnings if "FILLED" in text]
    assert warned(bench.hear(over)) == []


def test_a_trade_whose_order_nobody_shows_is_told_and_its_order_no_more(bench: Bench) -> None:
    bench.hear(a_row())
    assert warned(bench.hear(their_trade(event="tu"))) == []
    assert warned(report(bench, trades=(their_trade(), their_trade(6)))) == ["foreign_trade"]
    assert warned(bench.hear(theirs(event="ou")), report(bench, opened=(theirs(),), trades=(their_trade(8),))) == []


def test_what_was_there_before_the_first_comparison_is_no_news() -> None:
    bench = Bench()
    before = theirs(created_ms=START_MS, updated_ms=START_MS)
    gone = theirs(STRANGER + 1, event="oc", created_ms=START_MS, status="CANCELED", updated_ms=START_MS + 3)
    old = their_trade(4, venue_order_id=STRANGER + 2, time_ms=START_MS + 1)
    outs = [bench.up(1, before), bench.report(opened=(before,), closed=(gone,), trades=(old,))]
    # It trades and ends now: whoever placed it knows of it.
    outs.append(bench.hear(theirs(event="ou", created_ms=START_MS, remaining=Decimal("0.5"))))
    outs.append(bench.hear(their_trade(event="tu")))
    over = theirs(event="oc", created_ms=START_MS, remaining=ZERO, status="EXECUTED @ 7000.0(1.0)")
    unseen = theirs(9003, created_ms=START_MS + 2, remaining=ZERO, status="EXECUTED @ 7000.0(1.0)")
    trades = (their_trade(), old, their_trade(9, venue_order_id=9003))
    outs += [bench.hear(over), report(bench, closed=(over, gone, unseen), trades=trades)]
    assert warned(*outs) == []
    assert warned(bench.hear(theirs(STRANGER + 5))) == ["foreign_order"]


@pytest.mark.parametrize("new_process", [False, True])
def test_a_restart_tells_nothing_again_but_what_came_meanwhile(bench: Bench, new_process: bool) -> None:
    told = [bench.hear(theirs()), report(bench, opened=(theirs(),), trades=(their_trade(6, venue_order_id=9002),))]
    assert warned(*told) == ["foreign_order", "foreign_trade"]
    bench.hear(down())
    bench.restart(new_process=new_process)
    meanwhile = theirs(9003, created_ms=LATER_MS + 90, updated_ms=LATER_MS + 90)
    rows = [msgspec.structs.replace(each, event="os", session=2) for each in (theirs(), meanwhile)]
    trades = (their_trade(), their_trade(6, venue_order_id=9002), their_trade(7, venue_order_id=9002))
    outs = [bench.up(2, *rows), bench.report(opened=rows, trades=trades)]
    assert warned(*outs) == ["foreign_order"]
    assert [text[:10] for out in outs for _, text in out.warnings] == ["order 9003"]


def test_our_own_orders_in_doubt_are_never_told_as_a_strangers(bench: Bench) -> None:
    """Neither the trade that comes before its order, nor the order that a new session shows, nor one that came back."""
    outs = [bench.hear(a_trade()), bench.wait(SETTINGS.doubt_after_s + 1)]
    assert bench.state() is S.UNKNOWN
    outs += [report(bench, trades=(a_trade("rest"),)), bench.hear(down()), bench.restart(new_process=True)]
    outs += [bench.up(2), bench.report(trades=(a_trade("rest"),))]
    outs.append(bench.hear(executed(session=2)))
    assert (warned(*outs), bench.state()) == ([], S.FILLED)


def test_who_was_told_of_is_forgotten_when_no_history_shows_it_any_more(bench: Bench) -> None:
    bench.hear(theirs(), theirs(9002))
    gone = theirs(9002, event="oc", status="CANCELED", updated_ms=LATER_MS + 10)
    bench.hear(gone)
    hour = LATER_MS + 3_600_000
    bench.hear(closed(updated_ms=hour))
    assert bench.machine.fence.venue_ms == hour
    for _ in range(2):
        assert warned(report(bench, opened=(theirs(),))) == []
    assert (list(bench.machine.strangers), "stranger:9001" in bench.disk) == ([STRANGER], True)
    assert not bench.disk["stranger:9002"].payload


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_however_often_it_is_said_each_is_told_once(seen: list[int], chance: random.Random) -> None:
    bench = Bench()
    bench.ready()
    outs, session = [], 1
    for number in seen:
        order = theirs(9000 + number, session=session)
        trade = their_trade(100 + number, venue_order_id=9000 + number, session=session)
        match chance.randrange(4):
            case 0:
                outs.append(bench.hear(order))
            case 1:
                outs.append(bench.hear(trade))
            case 2:
                outs.append(report(bench, opened=(order,), trades=(trade,)))
            case _:
                outs.append(bench.hear(down(session)))
                bench.restart(new_process=False)
                session += 1
                outs += [bench.up(session), bench.report(opened=(), trades=(trade,))]
    bench.now += 1_000
    outs.append(report(bench, trades=tuple(their_trade(200 + n, venue_order_id=9000 + n) for n in set(seen))))
    told = [text.split(" ")[1] for out in outs for _, text in out.warnings]
    assert sorted(told) == sorted(str(9000 + number) for number in set(seen))
