"""Windows on ordinary days, over midnight, and on the two days a year when the clock itself moves."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain.windows import (
    DAYS,
    WindowFault,
    days_of_texts,
    is_open,
    is_within,
    look,
    parse_windows,
    texts_of_days,
)

ZONES = ("Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "UTC")


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def shown(at_ms: int | None) -> str | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("zone", "windows", "at", "open_now", "change"),
    [
        # An ordinary Wednesday, winter time.
        ("Europe/Stockholm", ("wed 08:00-17:00",), "2026-01-14T06:59", False, "2026-01-14T07:00"),
        ("Europe/Stockholm", ("wed 08:00-17:00",), "2026-01-14T07:00", True, "2026-01-14T16:00"),
        ("Europe/Stockholm", ("wed 08:00-17:00",), "2026-01-14T16:00", False, "2026-01-21T07:00"),
        # Two intervals a day, and the weekend between Friday and Monday.
        ("Europe/Stockholm", ("fri 08:00-11:30", "fri 12:30-16:00"), "2026-01-16T10:45", False, "2026-01-16T11:30"),
        ("Europe/Stockholm", ("fri 08:00-16:00", "mon 08:00-17:00"), "2026-01-16T15:00", False, "2026-01-19T07:00"),
        # Over midnight, and from Sunday into the next week.
        ("UTC", ("fri 22:00-26:00",), "2026-01-17T01:59", True, "2026-01-17T02:00"),
        ("UTC", ("sun 22:00-30:00",), "2026-01-19T05:59", True, "2026-01-19T06:00"),
        ("UTC", ("sun 22:00-24:00", "mon 00:00-06:00"), "2026-01-18T23:00", True, "2026-01-19T06:00"),
        # Stockholm, 29 March 2026: 02:00 becomes 03:00 (01:00 UTC). 02:30 is left out: it opens when the clock moves.
        ("Europe/Stockholm", ("sun 02:30-05:00",), "2026-03-29T00:59", False, "2026-03-29T01:00"),
        ("Europe/Stockholm", ("sun 02:30-05:00",), "2026-03-29T01:00", True, "2026-03-29T03:00"),
        ("Europe/Stockholm", ("sun 01:00-02:30",), "2026-03-29T00:30", True, "2026-03-29T01:00"),
        # An interval that lies wholly in the hour left out never opens that day.
        ("Europe/Stockholm", ("sun 02:10-02:50",), "2026-03-29T00:00", False, "2026-04-05T00:10"),
        # Stockholm, 25 October 2026: 03:00 becomes 02:00 (01:00 UTC). 02:10-02:50 is open twice.
        ("Europe/Stockholm", ("sun 02:10-02:50",), "2026-10-25T00:05", False, "2026-10-25T00:10"),
        ("Europe/Stockholm", ("sun 02:10-02:50",), "2026-10-25T00:50", False, "2026-10-25T01:10"),
        ("Europe/Stockholm", ("sun 02:10-02:50",), "2026-10-25T01:20", True, "2026-10-25T01:50"),
        ("Europe/Stockholm", ("sun 01:00-04:00",), "2026-10-24T23:00", True, "2026-10-25T03:00"),
        ("Europe/Stockholm", ("sun 01:00-02:30",), "2026-10-25T00:30", False, "2026-10-25T01:00"),
        # New York, 8 March 2026: 02:00 becomes 03:00 (07:00 UTC); 1 November: 02:00 becomes 01:00 (06:00 UTC).
        ("America/New_York", ("sun 02:30-05:00",), "2026-03-08T06:59", False, "2026-03-08T07:00"),
        ("America/New_York", ("mon 09:30-16:00",), "2026-03-08T12:00", False, "2026-03-09T13:30"),
        ("America/New_York", ("sun 01:15-01:45",), "2026-11-01T05:50", False, "2026-11-01T06:15"),
        ("America/New_York", ("sun 01:15-01:45",), "2026-11-01T06:20", True, "2026-11-01T06:45"),
        # Lord Howe moves by half an hour: 4 October 2026 02:00 becomes 02:30 (15:30 UTC the day before).
        ("Australia/Lord_Howe", ("sun 02:15-04:00",), "2026-10-03T15:29", False, "2026-10-03T15:30"),
        ("Australia/Lord_Howe", ("sun 02:15-04:00",), "2026-10-03T15:30", True, "2026-10-03T17:00"),
        # 5 April 2026 02:00 becomes 01:30 (15:00 UTC the day before): 01:40-01:50 is open twice.
        ("Australia/Lord_Howe", ("sun 01:40-01:50",), "2026-04-04T14:50", False, "2026-04-04T15:10"),
        ("Australia/Lord_Howe", ("sun 01:40-01:50",), "2026-04-04T15:12", True, "2026-04-04T15:20"),
    ],
)
def test_the_clock_on_the_wall_decides(
    zone: str, windows: tuple[str, ...], at: str, open_now: bool, change: str | None
) -> None:
    found = look(windows, zone, utc(at))
    assert found.open is open_now
    assert shown(found.next_change_ms) == change
    assert (found.next_closing_ms if open_now else found.next_opening_ms) == found.next_change_ms


def test_no_windows_are_always_open() -> None:
    assert look((), "UTC", 0).open
    assert look((), "UTC", 0).next_change_ms is None


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, ...]:
    """Windows that do not overlap: cut points of a week, every second piece open, none longer than a day."""
    cuts = sorted(draw(st.sets(st.integers(0, 7 * 96 - 1), min_size=2, max_size=12)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    texts = []
    for begin, end in pairs:
        end = min(end, begin + 90)
        day, minute, last = begin // 96, begin % 96 * 15, (end - begin // 96 * 96) * 15
        texts.append(f"{DAYS[day]} {minute // 60:02}:{minute % 60:02}-{last // 60:02}:{last % 60:02}")
    return tuple(texts)


def open_by_hand(texts: tuple[str, ...], zone: str, at_ms: int) -> bool:
    """The oracle: the local clock read as text, looked up among intervals of today and of yesterday past midnight."""
    local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
    now = local.strftime("%H:%M")
    tomorrow = f"{local.hour + 24:02}:{local.minute:02}"
    today, yesterday = DAYS[local.weekday()], DAYS[(local.weekday() - 1) % 7]
    return any(
        (text[:3] == today and text[4:9] <= now < text[10:])
        or (text[:3] == yesterday and text[4:9] <= tomorrow < text[10:])
        for text in texts
    )


@settings(max_examples=150, deadline=None)
@given(texts=tables(), zone=st.sampled_from(ZONES), minute=st.integers(29_000_000, 30_500_000))
def test_it_agrees_with_the_text_of_the_clock_and_tells_the_next_change(
    texts: tuple[str, ...], zone: str, minute: int
) -> None:
    at_ms = minute * 60_000
    assert is_open(texts, zone, at_ms) == open_by_hand(texts, zone, at_ms)
    change = look(texts, zone, at_ms).next_change_ms
    assert change is not None
    assert open_by_hand(texts, zone, change) != open_by_hand(texts, zone, at_ms)
    assert open_by_hand(texts, zone, change - 60_000) == open_by_hand(texts, zone, at_ms)
    step = max(1, (change - at_ms) // 60_000 // 50)
    assert all(
        open_by_hand(texts, zone, at_ms + n * 60_000) == open_by_hand(texts, zone, at_ms)
        for n in range(0, (change - at_ms) // 60_000, step)
    )


@pytest.mark.parametrize(
    ("texts", "index", "part"),
    [
        (("mon 17:00-08:00",), 0, "over midnight: write 32:00"),
        (("mon 08:00-08:00",), 0, "ends after it begins"),
        (("mon 08:00-17:00", "mon 16:59-18:00"), 1, "does not overlap mon 08:00-17:00"),
        (("sun 22:00-27:00", "mon 02:59-04:00"), 1, "does not overlap sun 22:00-27:00"),
        (("tue 08:00-09:00", "tue 08:00-09:00"), 1, "does not overlap"),
        (("monday 08:00-17:00",), 0, "a day and an interval"),
        (("mon 8-17",), 0, "a day and an interval"),
        (("mon 08:61-17:00",), 0, "begins from 00:00 to 23:59"),
        (("mon 24:00-25:00",), 0, "begins from 00:00 to 23:59"),
        (("mon 08:00-48:01",), 0, "48:00 at the latest"),
    ],
)
def test_windows_that_mean_nothing_are_refused_by_place(texts: tuple[str, ...], index: int, part: str) -> None:
    with pytest.raises(WindowFault, match=r"must be .*, was ") as caught:
        parse_windows(texts)
    assert (caught.value.index, part in caught.value.must_be) == (index, True)


def test_intervals_may_touch() -> None:
    assert len(parse_windows(("mon 08:00-12:00", "mon 12:00-24:00", "tue 00:00-01:00"))) == 3


def test_a_table_of_days_and_texts_are_the_same_windows() -> None:
    days = {"fri": [["08:00", "16:00"]], "mon": [["08:00", "12:00"], ["13:00", "17:00"]], "sun": []}
    texts = texts_of_days(days)
    assert texts == ("mon 08:00-12:00", "mon 13:00-17:00", "fri 08:00-16:00")
    assert days_of_texts(texts) == {
        **{day: [] for day in DAYS},
        "mon": [("08:00", "12:00"), ("13:00", "17:00")],
        "fri": [("08:00", "16:00")],
    }
    with pytest.raises(ValueError, match=r"windows\.mon\[0\] must be two times"):
        texts_of_days({"mon": [["8", "17"]]})
    with pytest.raises(ValueError, match="must be one of mon"):
        texts_of_days({"monday": []})


def test_narrower_windows_are_known_from_wider_ones() -> None:
    assert is_within(("mon 09:00-10:00",), ("mon 08:00-17:00",))
    assert not is_within(("mon 07:00-10:00",), ("mon 08:00-17:00",))
    assert is_within(("mon 01:00-02:00",), ("sun 22:00-26:00",))
    assert is_within(("mon 09:00-10:00",), ())
    assert not is_within((), ("mon 08:00-17:00",))


def test_a_year_of_minutes_costs_little() -> None:
    """Not a race: it must only not be quadratic in anything."""
    texts = tuple(f"{day} 08:00-17:00" for day in DAYS)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    total = sum(
        is_open(texts, "Europe/Stockholm", int((start + timedelta(minutes=n)).timestamp() * 1000))
        for n in range(0, 525_600, 60)
    )
    assert total == 365 * 9
