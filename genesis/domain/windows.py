"""Trading windows: when the clock on the wall of some place says that new risk may be taken.

An interval is text such as `mon 08:00-17:00`; its end may be as late as 48:00, so `fri 22:00-26:00` goes over midnight
and an end before its begin is always a fault. The wall clock decides, DST days included: an hour that a place leaves
out is not there to trade in, and one that it has twice is open twice. No windows at all means always open.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import attrs

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 1440
WEEK_MINUTES: Final = 7 * DAY_MINUTES
LATEST_END: Final = 2 * DAY_MINUTES
MINUTE_MS: Final = 60_000
LOOK_AHEAD_DAYS: Final = 9
"""A week tells everything that windows can do; two days more cover a clock that is changed on the way."""

_TEXT: Final = re.compile(r"(mon|tue|wed|thu|fri|sat|sun) (\d\d):(\d\d)-(\d\d):(\d\d)")
_TIME: Final = re.compile(r"(\d\d):(\d\d)")


class WindowFault(ValueError):
    """A list of windows that means nothing. `index` is the place of the text at fault."""

    def __init__(self, index: int, must_be: str, was: str) -> None:
        super().__init__(f"windows[{index}] must be {must_be}, was {was}")
        self.index = index
        self.must_be = must_be
        self.was = was


@attrs.frozen
class Interval:
    """Minutes from Monday 00:00 on the wall; `end` is not included and may be in the next week."""

    begin: int
    end: int

    @property
    def text(self) -> str:
        day = self.begin // DAY_MINUTES
        begin, end = self.begin - day * DAY_MINUTES, self.end - day * DAY_MINUTES
        return f"{DAYS[day]} {begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"


@attrs.frozen
class WindowLook:
    """Whether windows are open at a moment, and until when (None: for ever)."""

    open: bool
    next_change_ms: int | None

    @property
    def next_opening_ms(self) -> int | None:
        return None if self.open else self.next_change_ms

    @property
    def next_closing_ms(self) -> int | None:
        return self.next_change_ms if self.open else None


def _minutes(hours: str, minutes: str) -> int | None:
    return int(hours) * 60 + int(minutes) if int(minutes) < 60 else None


@lru_cache(maxsize=256)
def parse_windows(texts: tuple[str, ...]) -> tuple[Interval, ...]:
    """The intervals in the order of the week. Raises WindowFault on a text that is none, and on two that overlap."""
    found: list[tuple[Interval, int]] = []
    for index, text in enumerate(texts):
        match = _TEXT.fullmatch(text)
        if match is None:
            raise WindowFault(index, "a day and an interval such as mon 08:00-17:00", text)
        day = DAYS.index(match[1]) * DAY_MINUTES
        begin, end = _minutes(match[2], match[3]), _minutes(match[4], match[5])
        if begin is None or begin >= DAY_MINUTES:
            raise WindowFault(index, "an interval that begins from 00:00 to 23:59", text)
        if end is None or end > LATEST_END:
            raise WindowFault(index, "an interval that ends at 48:00 at the latest", text)
        if end <= begin:
            over = f"{end // 60 + 24:02}:{end % 60:02}"
            raise WindowFault(index, f"an interval that ends after it begins (over midnight: write {over})", text)
        found.append((Interval(day + begin, day + end), index))
    found.sort(key=lambda pair: pair[0].begin)
    again = [(Interval(one.begin + WEEK_MINUTES, one.end + WEEK_MINUTES), index) for one, index in found[:1]]
    for (one, _), (other, index) in itertools.pairwise([*found, *(again if len(found) > 1 else [])]):
        if other.begin < one.end:
            raise WindowFault(index, f"an interval that does not overlap {one.text}", texts[index])
    return tuple(interval for interval, _ in found)


def texts_of_days(days: Mapping[str, Sequence[Sequence[str]]]) -> tuple[str, ...]:
    """The texts for intervals by day, as `{"mon": [["08:00", "17:00"]]}`. Raises ValueError on any other table."""
    texts: list[str] = []
    for day, intervals in days.items():
        if day not in DAYS:
            raise ValueError(f"windows.{day[:20]} must be one of {', '.join(DAYS)}")
        for index, interval in enumerate(intervals):
            path = f"windows.{day}[{index}]"
            if len(interval) != 2 or not all(_TIME.fullmatch(each) for each in interval):
                raise ValueError(f"{path} must be two times such as 08:00 and 17:00, was {', '.join(interval)[:40]}")
            texts.append(f"{day} {interval[0]}-{interval[1]}")
    try:
        parse_windows(tuple(texts))
    except WindowFault as fault:
        raise ValueError(f"windows: must be {fault.must_be}, was {fault.was}") from None
    return tuple(sorted(texts, key=lambda text: (DAYS.index(text[:3]), text)))


def days_of_texts(texts: tuple[str, ...]) -> dict[str, list[tuple[str, str]]]:
    """The same the other way round; every day is named."""
    days: dict[str, list[tuple[str, str]]] = {day: [] for day in DAYS}
    for interval in parse_windows(texts):
        begin, _, end = interval.text[4:].partition("-")
        days[interval.text[:3]].append((begin, end))
    return days


def is_within(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    """Whether `inner` opens at no time at which `outer` is closed (in one zone). No windows are the widest of all."""
    if not outer:
        return True
    if not inner:
        return False
    return _minutes_open(inner) <= _minutes_open(outer)


def _minutes_open(texts: tuple[str, ...]) -> frozenset[int]:
    intervals = parse_windows(texts)
    return frozenset(minute % WEEK_MINUTES for each in intervals for minute in range(each.begin, each.end))


def is_open(texts: tuple[str, ...], timezone: str, at_ms: int) -> bool:
    return not texts or _open_in_minute(texts, timezone, at_ms // MINUTE_MS)


# Clocks in use differ from UTC by whole minutes, so within a minute nothing opens or closes.
@lru_cache(maxsize=4096)
def _open_in_minute(texts: tuple[str, ...], timezone: str, minute: int) -> bool:
    local = datetime.fromtimestamp(minute * 60, tz=UTC).astimezone(ZoneInfo(timezone))
    wall = local.weekday() * DAY_MINUTES + local.hour * 60 + local.minute
    return any(
        each.begin <= wall < each.end or each.begin <= wall + WEEK_MINUTES < each.end for each in parse_windows(texts)
    )


def look(texts: tuple[str, ...], timezone: str, at_ms: int) -> WindowLook:
    """Open or not, and the next moment at which that changes."""
    # What holds in a minute holds from its begin: nothing changes within one.
    return _look_in_minute(texts, timezone, at_ms // MINUTE_MS)


@lru_cache(maxsize=256)
def _look_in_minute(texts: tuple[str, ...], timezone: str, minute: int) -> WindowLook:
    if not texts:
        return WindowLook(open=True, next_change_ms=None)
    at_ms = minute * MINUTE_MS
    now = is_open(texts, timezone, at_ms)
    change = next((ms for ms in _candidates(texts, timezone, at_ms) if is_open(texts, timezone, ms) is not now), None)
    return WindowLook(open=now, next_change_ms=change)


def _candidates(texts: tuple[str, ...], timezone: str, at_ms: int) -> Iterator[int]:
    """Every later moment at which something may change: begins and ends, and the changes of the clock itself."""
    zone = ZoneInfo(timezone)
    today = datetime.fromtimestamp(at_ms / 1000, tz=UTC).astimezone(zone).date()
    walls = {minute % WEEK_MINUTES for each in parse_windows(texts) for minute in (each.begin, each.end)}
    for ahead in range(-1, LOOK_AHEAD_DAYS):
        day = today + timedelta(days=ahead)
        found = set(_clock_changes(timezone, day))
        for minute in walls:
            if minute // DAY_MINUTES == day.weekday():
                wall = time(minute % DAY_MINUTES // 60, minute % 60)
                # An hour that is there twice has two moments of this name; one that is left out is a clock change.
                found |= {_instant(day, wall, zone, fold) for fold in (0, 1)}
        yield from sorted(ms for ms in found if ms > at_ms)


def _instant(day: date, wall: time, zone: ZoneInfo, fold: int) -> int:
    return round(datetime.combine(day, wall.replace(fold=fold), tzinfo=zone).timestamp() * 1000)


@lru_cache(maxsize=4096)
def _clock_changes(timezone: str, day: date) -> tuple[int, ...]:
    """The moments within a day at which the place sets its clocks, to the minute."""
    zone = ZoneInfo(timezone)
    first = _instant(day, time(), zone, 0) // MINUTE_MS
    last = _instant(day + timedelta(days=1), time(), zone, 1) // MINUTE_MS
    if _offset(zone, first) == _offset(zone, last):
        return ()
    low, high = first, last
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle) == _offset(zone, first) else (low, middle)
    return (high * MINUTE_MS,)


def _offset(zone: ZoneInfo, minute: int) -> timedelta | None:
    return datetime.fromtimestamp(minute * 60, tz=UTC).astimezone(zone).utcoffset()
