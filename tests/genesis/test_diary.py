"""The diary tells what an operator asks about, once, and leaves out what only fills the file."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from genesis.core.latest import Latest
from genesis.diary import Diary, watch
from protocols.health import ConnectionView, Notice
from protocols.market import Ticker
from protocols.orders import Fill, OrderState, OrderType, OrderUpdate, OrderView, Purpose
from protocols.risk import DenialCode, RiskStatus, RuleResult, TradingState, Verdict
from protocols.settings import EventSettings, Settings
from protocols.units import ZERO, Side, Symbol

BTC = Symbol("tBTCUSD")
ORDER = OrderView(
    intent_id="i1",
    cid=1,
    venue_id=None,
    strategy="s",
    symbol=BTC,
    side=Side.BUY,
    order_type=OrderType.MARKET,
    purpose=Purpose.ENTRY,
    quantity=Decimal("0.50"),
    filled_quantity=ZERO,
    average_fill_price=ZERO,
    price=None,
    state=OrderState.SENT,
    reason="",
    created_ms=0,
    updated_ms=0,
    correlation_id="c",
    foreign=False,
)
LINE = ConnectionView(
    name="private",
    uri="",
    status="up",
    session=1,
    reconnects=0,
    last_error=None,
    frames=0,
    subscriptions=0,
    venue_ms=0,
    last_frame_age_s=0.0,
)
RISK = RiskStatus(
    state=TradingState.ACTIVE,
    reason="",
    paused=False,
    trades_today=0,
    trades_today_by_symbol={},
    day="",
    day_start_equity=ZERO,
    peak_equity=ZERO,
    headroom={},
    denials_by_code={},
    settings_version=1,
)


def loud(lines: list[Any]) -> list[tuple[str, str]]:
    return [(line["log_level"], line["event"]) for line in lines if line["log_level"] != "debug"]


def an_order(state: OrderState, **changes: Any) -> OrderUpdate:
    return OrderUpdate(order=msgspec.structs.replace(ORDER, state=state, **changes))


def a_verdict(*codes: DenialCode) -> Verdict:
    trace = tuple(RuleResult(rule=code.value, passed=False, code=code, numbers={"held": "0"}) for code in codes)
    return Verdict(
        verdict_id="v",
        strategy="s",
        symbol=BTC,
        side=Side.SELL,
        approved=not codes,
        intent=None,
        trace=trace,
        decided_ms=0,
        signal_id=None,
        settings_version=1,
        correlation_id="c",
    )


def test_a_fill_is_one_line_with_its_fee() -> None:
    fill = Fill(
        trade_id=7,
        intent_id="i1",
        cid=1,
        venue_order_id=2,
        strategy="s",
        symbol=BTC,
        side=Side.BUY,
        quantity=Decimal("0.50"),
        price=Decimal("7000.0"),
        fee=Decimal("-0.001"),
        fee_currency="BTC",
        maker=False,
        purpose=Purpose.ENTRY,
        time_ms=1,
        correlation_id="c",
        foreign=False,
    )
    diary = Diary()
    with capture_logs() as lines:
        diary.hear(fill)
        diary.hear(fill)
        Diary.after([fill], {}).hear(fill)
    (line,) = lines
    assert (line["event"], line["fee"], line["side"]) == ("fill", "-0.001 BTC", "buy")


def test_orders_that_ended_in_another_life_are_not_told_again() -> None:
    ended = an_order(OrderState.CANCELED)
    diary = Diary.after([], {ended.order.intent_id: OrderState.CANCELED})
    with capture_logs() as lines:
        diary.hear(ended)
    assert lines == []


def test_a_long_journal_is_not_told_again_and_what_is_known_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genesis.domain.news.REMEMBERED", 100)
    known = {f"i{number}": OrderState.CANCELED for number in range(120)}
    diary = Diary.after([], known)
    with capture_logs() as lines:
        for name in known:
            diary.hear(an_order(OrderState.CANCELED, intent_id=name))
    assert lines == []
    for number in range(300):
        diary.hear(an_order(OrderState.ACKED, intent_id=f"new{number}"))
    assert len(diary._states) <= 2 * len(known)


def test_orders_are_told_when_they_go_wrong_and_once_a_state() -> None:
    diary = Diary()
    with capture_logs() as lines:
        for state in (OrderState.SENT, OrderState.ACKED, OrderState.UNKNOWN, OrderState.UNKNOWN, OrderState.CANCELED):
            diary.hear(an_order(state))
    assert loud(lines) == [("warning", "order"), ("info", "order")]
    assert len(lines) == 4


def test_refusals_are_told_but_an_exit_from_nothing_is_none() -> None:
    diary = Diary()
    with capture_logs() as lines:
        diary.hear(a_verdict())
        diary.hear(a_verdict(DenialCode.NOTHING_TO_REDUCE))
        diary.hear(a_verdict(DenialCode.MAX_DAILY_LOSS))
    assert loud(lines) == [("info", "refused")]
    assert lines[-1]["rules"] == {"max_daily_loss": {"held": "0"}}


def test_notices_keep_their_weight() -> None:
    diary = Diary()
    with capture_logs() as lines:
        for level in ("info", "warning", "alarm"):
            diary.hear(Notice(level=level, code="c", text="t", at_ms=0))
    assert [level for level, _ in loud(lines)] == ["info", "warning", "error"]


def test_a_line_is_told_up_and_down_and_not_on_every_look() -> None:
    diary = Diary()
    with capture_logs() as lines:
        for status in ("dialing", "up", "up", "down", "dialing", "up"):
            diary.on_connection(msgspec.structs.replace(LINE, status=status))
    assert loud(lines) == [("info", "connection"), ("warning", "connection"), ("info", "connection")]


def test_a_halt_is_told_once_and_a_quiet_start_not_at_all() -> None:
    diary = Diary()
    halted = msgspec.structs.replace(RISK, state=TradingState.HALTED, reason="night")
    with capture_logs() as lines:
        for status in (None, RISK, RISK, halted, halted, RISK):
            diary.on_risk(status)
    assert loud(lines) == [("warning", "trading"), ("info", "trading")]
    assert lines[0]["reason"] == "night"
    with capture_logs() as lines:
        Diary().on_risk(halted)
    assert loud(lines) == [("warning", "trading")]


async def test_a_cell_is_told_from_its_next_value_on(nursery: trio.Nursery) -> None:
    cell = Latest(0)
    told: list[int] = []
    nursery.start_soon(watch, cell, told.append)
    await trio.testing.wait_all_tasks_blocked()
    for value in (1, 2):
        cell.set(value)
        await trio.testing.wait_all_tasks_blocked()
    assert told == [1, 2]
    nursery.cancel_scope.cancel()


def a_ticker_event(last: float) -> Ticker:
    numbers = dict.fromkeys(
        ("bid", "ask", "bid_size", "ask_size", "high", "low", "daily_change", "daily_change_relative", "volume"), 1.0
    )
    return Ticker(symbol=BTC, last=last, venue_ms=1, received_ns=1, **numbers)


def test_of_what_is_frequent_a_share_is_told_and_the_rest_counted() -> None:
    settings = Latest(Settings())
    diary = Diary(settings=settings, now=lambda: 0.0)
    with capture_logs() as lines:
        for number in range(10):
            diary.hear(a_ticker_event(number))
        settings.set(msgspec.structs.replace(Settings(), events=EventSettings(ticker=0.1, approval=1.0)))
        for number in range(10, 30):
            diary.hear(a_ticker_event(number))
        diary.hear(a_verdict())
        diary.hear(a_verdict(DenialCode.MAX_DAILY_LOSS))
    assert loud(lines) == [("info", "ticker"), ("info", "ticker"), ("info", "approved"), ("info", "refused")]
    assert [line["untold"] for line in lines if line["event"] == "ticker"] == [19, 9]
    counts = {each.category: (each.heard, each.told, each.sampled_out, each.rate) for each in diary.counts()}
    assert counts["ticker"] == (30, 2, 28, 0.1)
    assert counts["approval"] == (1, 1, 0, 1.0)
    assert counts["refusal"] == (1, 1, 0, None)
    assert counts["score"] == (0, 0, 0, 0.0)
