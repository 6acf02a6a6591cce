"""Days and weeks of risk: each begins once, at the midnight of the place that settings name."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from genesis.domain.risk_marks import begin_day
from genesis.domain.risk_state import RiskState
from protocols.units import Symbol

BTC = Symbol("tBTCUSD")


def at(state: RiskState, moment: str, zone: str) -> RiskState:
    state.now_ms = int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)
    begin_day(state, zone)
    return state


def traded(moment: str, zone: str = "UTC") -> RiskState:
    """A state that has lost and traded on the day of that moment."""
    state = at(RiskState(), moment, zone)
    state.day_start_equity = state.week_start_equity = Decimal(100)
    state.trades_today, state.trades_today_by_symbol = 9, {BTC: 9}
    return state


def spent(state: RiskState) -> tuple[Decimal | None, int, dict[str, int]]:
    return state.day_start_equity, state.trades_today, dict(state.trades_today_by_symbol)


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Honolulu"])
def test_a_zone_further_west_gives_no_second_allowance_for_the_day(zone: str) -> None:
    """Yesterday began anew there, with no loss and no trade, and today once more at its midnight."""
    state = traded("2028-01-01T02:00")
    before = spent(state)
    assert spent(at(state, "2028-01-01T02:01", zone)) == before
    assert spent(at(state, "2028-01-01T23:00", zone)) == before
    assert spent(at(state, "2028-01-02T11:00", zone)) == (None, 0, {})


@pytest.mark.parametrize(
    ("zone", "last", "first", "day", "is_new_week"),
    [
        ("Europe/Stockholm", "2028-02-28T22:59", "2028-02-28T23:00", "2028-02-29", False),
        ("Europe/Stockholm", "2028-02-29T22:59", "2028-02-29T23:00", "2028-03-01", False),
        ("Europe/Stockholm", "2027-12-31T22:59", "2027-12-31T23:00", "2028-01-01", False),
        ("Europe/Stockholm", "2028-01-02T22:59", "2028-01-02T23:00", "2028-01-03", True),
        # The clock goes forward at 01:00 UTC on the 26th, and back on the 29th of October.
        ("Europe/Stockholm", "2028-03-26T21:59", "2028-03-26T22:00", "2028-03-27", True),
        ("Europe/Stockholm", "2028-10-29T22:59", "2028-10-29T23:00", "2028-10-30", True),
        ("America/Havana", "2028-03-12T04:59", "2028-03-12T05:00", "2028-03-12", False),
        ("UTC", "2026-12-31T23:59", "2027-01-01T00:00", "2027-01-01", False),
    ],
)
def test_days_and_weeks_begin_at_midnight_of_leap_days_new_years_and_clock_changes(
    zone: str, last: str, first: str, day: str, is_new_week: bool
) -> None:
    state = traded(last, zone)
    assert spent(at(state, last, zone)) == (Decimal(100), 9, {BTC: 9})
    at(state, first, zone)
    assert (state.day, spent(state)) == (day, (None, 0, {}))
    assert (state.week_start_equity is None) is is_new_week
