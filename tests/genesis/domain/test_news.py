"""People hear what matters once, and never more than the limit; what does not arrive waits."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.news import LETTERS_KEPT, MESSAGE_LIMIT, LastHeard, Outbox, Reporter, tell_all
from protocols.health import Notice
from protocols.news import News, NewsKind
from protocols.orders import OrderState, OrderUpdate
from protocols.risk import BreakerState, BreakerView, TradingState
from protocols.settings import NotifySettings
from tests.web.fakes import a_fill, a_risk, a_verdict, an_order

SETTINGS = NotifySettings()


def news(text: str = "hello", kind: NewsKind = NewsKind.FILL, key: str = "") -> News:
    return News(kind=kind, key=key or text, text=text, at_ms=0)


def test_a_fill_that_is_said_again_after_a_crash_is_told_once() -> None:
    reporter = Reporter()
    first = reporter.hear(a_fill(), 0)
    assert first is not None
    assert first.kind is NewsKind.FILL
    assert reporter.hear(a_fill(), 0) is None
    assert reporter.hear(a_fill(2), 0) is not None


def test_a_start_tells_nobody_what_the_journal_holds() -> None:
    """Every restart sent the fills and orders of the newest trades once more, as if they had just been made."""
    reporter = Reporter()
    order = an_order(state=OrderState.ACKED)
    reporter.after([a_fill()], {order.intent_id: OrderState.ACKED})
    assert reporter.hear(a_fill(), 0) is None
    assert reporter.hear(OrderUpdate(order=order), 0) is None
    assert reporter.hear(a_fill(2), 0) is not None
    told = reporter.hear(OrderUpdate(order=an_order(state=OrderState.CANCELED)), 0)
    assert told is not None, "it ended while nobody looked"


def test_a_start_with_a_long_journal_tells_nobody_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is kept is said again, the oldest first. Above the number that is known without it each old trade was
    told, and pushed a newer one out, which was then told, too."""
    monkeypatch.setattr("genesis.domain.news.REMEMBERED", 100)
    reporter = Reporter()
    fills = [a_fill(number) for number in range(120)]
    orders = [an_order(number, state=OrderState.ACKED) for number in range(120)]
    reporter.after(fills, {order.intent_id: order.state for order in orders})
    assert reporter.hear(a_fill(121), 0) is not None, "news may come between"
    assert not any(reporter.hear(fill, 0) for fill in fills)
    assert not any(reporter.hear(OrderUpdate(order=order), 0) for order in orders)


def test_what_a_kill_kept_from_the_outboxes_is_told_once_by_the_next_start() -> None:
    """A fill that was booked some milliseconds before `kill -9` reached no phone, ever."""
    before = Reporter()
    placed = [OrderUpdate(order=an_order(number, state=OrderState.ACKED)) for number in (1, 2, 3)]
    assert all(before.hear(said, 0) for said in (a_fill(1), a_fill(2), *placed[:2]))
    kept = before.heard
    fills = [a_fill(number) for number in (1, 2, 3)]
    ended = OrderUpdate(order=an_order(1, state=OrderState.CANCELED))
    now = [ended, *placed[1:]]
    states = {said.order.intent_id: said.order.state for said in now}
    for _ in range(2):
        reporter = Reporter()
        reporter.after(fills, states)
        reporter.miss_after(kept)
        told = [one.text for said in (*fills, *now) if (one := reporter.hear(said, 0)) is not None]
        assert [text.split()[0] for text in told] == ["bought", "canceled:", "placed:"]
        assert all(text.endswith(" (before the restart)") for text in told)
        assert not any(reporter.hear(said, 0) for said in (*fills, *now))
        again = reporter.heard
    reporter = Reporter()
    reporter.after(fills, states)
    reporter.miss_after(again)
    assert not any(reporter.hear(said, 0) for said in (*fills, *now)), "told, and kept as told"
    later = reporter.hear(a_fill(4), 0)
    assert later is not None
    assert "restart" not in later.text


def test_whoever_listens_again_after_a_month_is_not_told_the_month() -> None:
    before = Reporter()
    before.hear(a_fill(1), 0)
    fills = [a_fill(number) for number in range(1, 100)]
    for kept, news in ((before.heard, 10), (LastHeard(), 0), (LastHeard(fills=((777, 1),)), 0)):
        reporter = Reporter()
        reporter.after(fills, {})
        reporter.miss_after(kept)
        assert sum(reporter.hear(fill, 0) is not None for fill in fills) == news


def test_an_order_is_news_when_its_state_changes() -> None:
    reporter = Reporter()
    kinds = []
    for state in (OrderState.SENT, OrderState.ACKED, OrderState.ACKED, OrderState.REJECTED):
        told = reporter.hear(OrderUpdate(order=an_order(state=state)), 0)
        kinds.append(None if told is None else told.kind)
    assert kinds == [None, NewsKind.ORDER_PLACED, None, NewsKind.ORDER_FAILED]


def test_orders_of_others_and_approvals_are_no_news() -> None:
    reporter = Reporter()
    assert reporter.hear(OrderUpdate(order=an_order(foreign=True)), 0) is None
    assert reporter.hear(a_verdict(), 0) is None
    refused = reporter.hear(a_verdict(approved=False), 0)
    assert refused is not None
    assert refused.kind is NewsKind.REFUSED


def test_a_halt_is_news_and_the_state_at_the_start_is_not() -> None:
    reporter = Reporter()
    assert reporter.on_risk(None) == []
    assert reporter.on_risk(a_risk()) == []
    told = reporter.on_risk(a_risk(TradingState.HALTED))
    assert [one.kind for one in told] == [NewsKind.HALT]
    assert reporter.on_risk(a_risk(TradingState.HALTED)) == []


def test_a_breaker_is_news_when_it_opens_and_when_it_closes() -> None:
    reporter = Reporter()
    states = (BreakerState.OPEN, BreakerState.OPEN, BreakerState.CLOSED)
    counts = []
    for state in states:
        view = BreakerView(scope="tBTCUSD", state=state, cause="spread", since_ms=0, until_ms=0, trips=1)
        counts.append(len(reporter.on_risk(msgspec.structs.replace(a_risk(), breakers=(view,)))))
    assert counts == [1, 0, 1]


@pytest.mark.parametrize(
    ("level", "code", "kind"),
    [
        ("alarm", "position_naked", NewsKind.PROTECTION),
        ("warning", "reconnects", NewsKind.CONNECTION),
        ("info", "engine_started", NewsKind.ENGINE),
        ("alarm", "books_differ", NewsKind.ALARM),
        ("warning", "dead_letter", NewsKind.WARNING),
        ("info", "regime", NewsKind.INFO),
        ("warning", "foreign_order", NewsKind.ALARM),
        ("warning", "foreign_trade", NewsKind.ALARM),
        ("info", "price_alert", NewsKind.PRICE_ALERT),
    ],
)
def test_notices_are_sorted(level: str, code: str, kind: NewsKind) -> None:
    told = Reporter().hear(Notice(level=level, code=code, text="x", at_ms=0), 0)
    assert told is not None
    assert told.kind is kind


def test_the_same_alarm_about_another_symbol_is_another_one() -> None:
    """Two positions could not be closed, and the one message told of the second alone, "(×2)"."""
    box, reporter = Outbox(), Reporter()
    texts = (
        "tBTCUSD is not flat after 3 tries: 0.5 held",
        "tETHUSD is not flat after 3 tries: 2 held",
        "tBTCUSD is not flat after 3 tries: 0.4 held",
        "order 71 at the venue: buy 1 tBTCUSD",
        "order 72 at the venue: buy 1 tBTCUSD",
    )
    for text in texts:
        told = reporter.hear(Notice(level="alarm", code="flatten_failed", text=text, at_ms=0), 0)
        assert told is not None
        box.hear(told, SETTINGS, now=10.0)
    parcel = box.take(SETTINGS, 10.0)
    assert parcel is not None
    lines = [line.split("! ")[-1] for line in parcel.text.splitlines()]
    assert lines == ["tBTCUSD is not flat after 3 tries: 0.4 held (×2)", texts[1], texts[3], texts[4]]


def test_what_comes_together_leaves_together() -> None:
    box = Outbox(together_s=3.0)
    for number in range(5):
        box.hear(news(f"fill {number}"), SETTINGS, now=10.0 + number / 10)
    assert box.take(SETTINGS, 12.9) is None
    parcel = box.take(SETTINGS, 13.0)
    assert parcel is not None
    assert parcel.text.count("\n") == 4
    box.sent(parcel, 13.0)
    assert len(box) == 0
    assert box.next_at(SETTINGS, 13.0) is None


def test_an_alarm_does_not_wait_and_takes_the_others_along() -> None:
    box = Outbox()
    box.hear(news("fill"), SETTINGS, now=10.0)
    box.hear(news("naked", NewsKind.PROTECTION), SETTINGS, now=10.1)
    parcel = box.take(SETTINGS, 10.1)
    assert parcel is not None
    assert "fill" in parcel.text
    assert "naked" in parcel.text
    assert not parcel.silent


def test_the_same_thing_many_times_is_one_line() -> None:
    box = Outbox()
    for _ in range(40):
        box.hear(news("socket fell", NewsKind.CONNECTION, key="reconnects"), SETTINGS, now=0.0)
    parcel = box.take(SETTINGS, 5.0)
    assert parcel is not None
    assert parcel.text.endswith("socket fell (×40)")


def test_what_is_said_while_its_message_is_under_way_is_told_next() -> None:
    box = Outbox()
    box.hear(news("again", key="k"), SETTINGS, now=0.0)
    parcel = box.take(SETTINGS, 5.0)
    assert parcel is not None
    box.hear(news("again", key="k"), SETTINGS, now=5.1)
    box.sent(parcel, 5.2)
    assert len(box) == 1
    later = box.take(SETTINGS, 60.0)
    assert later is not None
    assert later.text.endswith("again")


def test_kinds_are_silent_or_off_as_settings_say() -> None:
    settings = NotifySettings(silent=("fill",), off=("warning",))
    box = Outbox()
    assert not box.hear(news("w", NewsKind.WARNING), settings, 0.0)
    box.hear(news("f"), settings, 0.0)
    parcel = box.take(settings, 5.0)
    assert parcel is not None
    assert parcel.silent
    assert "w" not in parcel.text.split()


def test_a_failure_keeps_everything_and_waits_longer_each_time() -> None:
    box = Outbox()
    box.hear(news(), SETTINGS, 0.0)
    now, pauses = 5.0, []
    for _ in range(4):
        assert box.take(SETTINGS, now) is not None
        again = box.failed(now)
        pauses.append(again - now)
        assert box.take(SETTINGS, again - 0.01) is None
        now = again
    assert pauses == sorted(pauses)
    assert box.failed(now, retry_after_s=1000.0) == now + 1000.0
    assert len(box) == 1


def test_too_much_drops_the_oldest_whisper_and_says_so() -> None:
    box = Outbox()
    settings = NotifySettings(silent=("fill",), off=())
    box.hear(news("stop missing", NewsKind.PROTECTION), settings, 0.0)
    for number in range(LETTERS_KEPT + 10):
        box.hear(news(f"fill {number}"), settings, 0.0)
    assert box.dropped == 11
    parcel = box.take(settings, 5.0)
    assert parcel is not None
    assert parcel.text.startswith("(11 earlier ones were dropped)")
    assert "stop missing" in parcel.text
    box.sent(parcel, 5.0)
    assert box.dropped == 0


def test_a_restart_remembers_what_waits() -> None:
    box, after = Outbox(), Outbox()
    box.hear(news("one"), SETTINGS, 0.0)
    box.hear(news("two"), SETTINGS, 0.0)
    after.hear(news("three"), SETTINGS, 100.0)
    after.restore(box.state(), 100.0)
    parcel = after.take(SETTINGS, 100.0)
    assert parcel is not None
    assert [line.split()[-1] for line in parcel.text.splitlines()] == ["one", "two", "three"]


@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.sampled_from(list(NewsKind)), st.integers(0, 8), st.booleans()), max_size=120
    ),
    st.integers(1, 20),
)
def test_whatever_happens_the_limit_holds_and_nothing_is_lost(
    steps: list[tuple[float, NewsKind, int, bool]], limit: int
) -> None:
    settings = NotifySettings(silent=(), off=(), messages_per_minute=limit)
    box = Outbox()
    now, sent_at, told, arrived = 0.0, [], 0, 0
    for pause, kind, number, works in steps:
        now += pause
        told += tell_all([news(f"text {number}", kind)], [box], settings, now)
        parcel = box.take(settings, now)
        if parcel is None:
            continue
        sent_at.append(now)
        assert len(parcel.text) <= MESSAGE_LIMIT + 700
        if works:
            box.sent(parcel, now)
            arrived += sum(letter.count for letter in parcel.letters)
        else:
            box.failed(now)
    assert arrived + sum(letter.count for letter in box.state().letters) == told
    for begin in sent_at:
        assert sum(begin <= at < begin + 60.0 for at in sent_at) <= limit
