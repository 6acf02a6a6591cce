"""The rule of trading windows: no entries while they are closed."""

from datetime import UTC, datetime

from genesis.domain.risk_rules.results import Number, rule
from genesis.domain.risk_state import Facts, Wish
from genesis.domain.windows import is_open, look
from protocols.risk import DenialCode
from protocols.settings import Settings


@rule(DenialCode.OUTSIDE_WINDOWS, opens=True, moves=True)
def inside_windows(settings: Settings, facts: Facts, wish: Wish) -> bool:
    return is_open(settings.risk.windows, settings.risk.windows_timezone, facts.now_ms)


@inside_windows.tells
def _inside_windows(settings: Settings, facts: Facts, wish: Wish) -> dict[str, Number]:
    windows, timezone = settings.risk.windows, settings.risk.windows_timezone
    numbers: dict[str, Number] = {"timezone": timezone, "windows": len(windows)}
    if not inside_windows.passes(settings, facts, wish):
        opens_ms = look(windows, timezone, facts.now_ms).next_opening_ms
        opens = None if opens_ms is None else datetime.fromtimestamp(opens_ms / 1000, UTC)
        numbers["next_opening"] = "never" if opens is None else opens.strftime("%Y-%m-%dT%H:%MZ")
    return numbers
