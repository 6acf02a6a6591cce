"""The trading day: which calendar day a moment of venue time belongs to, in the zone that settings name."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

QUARTER_MS: Final = 900_000
"""Every zone in use is a whole number of quarter hours from UTC, so no day begins within one."""
_QUARTERS: Final = 96
_DAY_MS: Final = _QUARTERS * QUARTER_MS


def trading_day(at_ms: int, timezone: str) -> str:
    """The day as text, `2018-02-06`."""
    if timezone == "UTC":
        return _day_of_quarter(at_ms // _DAY_MS * _QUARTERS, timezone)
    return _day_of_quarter(at_ms // QUARTER_MS, timezone)


@lru_cache(maxsize=1024)
def _day_of_quarter(quarter: int, timezone: str) -> str:
    at = datetime.fromtimestamp(quarter * QUARTER_MS / 1000, tz=UTC)
    return at.astimezone(ZoneInfo(timezone)).date().isoformat()
