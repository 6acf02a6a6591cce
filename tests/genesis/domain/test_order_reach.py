"""How far back the account's past is asked for: an order that rests for months must not make each question longer."""

from decimal import Decimal
from typing import Any

import pytest

from genesis.domain.order_session import HISTORY_MARGIN_MS, LISTED_MS
from protocols.orders import HistoryRequest
from protocols.units import ZERO
from tests.genesis.domain.order_bench import Bench, a_row, a_trade, closed, down, executed, fills, sent
from tests.genesis.domain.order_oracle import START_MS

DAY_MS = 86_400_000
MONTH_MS = 30 * DAY_MS


@pytest.fixture
def bench() -> Bench:
    """Our order 1 rests since START_MS, and the venue's time went on for a month."""
    bench = Bench()
    bench.ready()
    bench.admit(1)
    bench.hear(sent(), a_row())
    return bench


def asked(bench: Bench, at_ms: int, **report: Any) -> HistoryRequest:
    """The question that is due a minute from now, at that moment of the venue; it is answered."""
    bench.wall_ms = at_ms
    bench.machine.fence.venue_ms = at_ms
    (question,) = bench.wait(60.0).questions
    bench.report(**{"opened": [a_row()], **report})
    return question


def test_what_rests_for_months_is_compared_and_its_whole_life_is_not_read_again(bench: Bench) -> None:
    first = asked(bench, START_MS + MONTH_MS)
    assert first.trades_since_ms <= START_MS, "nobody has compared it yet"
    again = asked(bench, START_MS + MONTH_MS + DAY_MS)
    assert again.trades_since_ms == START_MS + MONTH_MS - HISTORY_MARGIN_MS
    # The venue lists closed orders by the time of their creation, for two weeks.
    assert again.since_ms == START_MS + MONTH_MS + DAY_MS - LISTED_MS


def test_a_restart_remembers_how_far_trades_are_known(bench: Bench) -> None:
    asked(bench, START_MS + MONTH_MS)
    bench.restart(new_process=True)
    bench.hear(down())
    (question,) = bench.up(2, a_row(event="os", session=2)).questions
    assert question.trades_since_ms == START_MS + MONTH_MS - HISTORY_MARGIN_MS


@pytest.mark.parametrize(
    "lacking",
    [
        {"opened": [a_row(remaining=Decimal("0.4"))]},
        {"opened": []},
    ],
    ids=["a trade is missing", "not listed"],
)
def test_while_something_is_missing_the_question_goes_back_to_where_all_was_known(
    bench: Bench, lacking: dict[str, Any]
) -> None:
    known = START_MS + MONTH_MS
    asked(bench, known)
    for days in (1, 2, 3):
        question = asked(bench, known + days * DAY_MS, **lacking)
        assert question.trades_since_ms <= known - HISTORY_MARGIN_MS


def test_what_traded_while_nobody_listened_is_told_when_it_is_found(bench: Bench) -> None:
    known = START_MS + MONTH_MS
    asked(bench, known)
    bench.hear(down())
    bench.wait(3600.0)
    bench.machine.fence.venue_ms = known
    (question,) = bench.up(2).questions
    trade = a_trade("rest", session=2, after_ms=MONTH_MS + 1000)
    assert trade.time_ms >= question.trades_since_ms
    out = bench.report(trades=[trade])
    assert [fill.trade_id for fill in fills(out)] == [trade.trade_id]
    assert bench.machine.orders[1].state.value == "FILLED"


def test_a_trade_that_was_let_go_is_not_booked_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fell before all that will be asked for, and history may tell it all the same."""
    monkeypatch.setattr("genesis.domain.order_ledger.FILLS_KEPT", 1)
    bench.hear(a_trade(trade_id=1, amount="0.1"), a_trade(trade_id=2, amount="0.2"))
    row = a_row(remaining=Decimal("0.7"), status="PARTIALLY FILLED @ 7000.0(0.3)")
    asked(bench, START_MS + MONTH_MS, opened=[row])
    asked(bench, START_MS + MONTH_MS + DAY_MS, opened=[row])
    assert [fill.trade.trade_id for fill in bench.machine.fills.rows.values()] == [2]
    held = dict(bench.machine.fills.held)
    out = asked_with_old_trades(bench, row)
    assert not fills(out)
    assert bench.machine.fills.held == held


def asked_with_old_trades(bench: Bench, row: Any) -> Any:
    bench.wait(60.0)
    return bench.report(opened=[row], trades=[a_trade("rest", trade_id=1, amount="0.1")])


def test_orders_that_ended_are_let_go_although_one_rests_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genesis.domain.order_ledger.ORDERS_KEPT", 1)
    for cid in (2, 3, 4):
        bench.admit(cid)
        bench.hear(sent(cid), executed(cid), a_trade(trade_id=10 + cid, cid=cid))
    assert bench.machine.orders[4].executed != ZERO
    asked(bench, START_MS + MONTH_MS, opened=[a_row()], closed=[closed(4)])
    asked(bench, START_MS + MONTH_MS + DAY_MS)
    assert list(bench.machine.orders) == [1]
