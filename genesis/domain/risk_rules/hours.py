"""The rule of trading windows: no entries while they are closed."""

from datetime import UTC, datetime

from genesis.domain.risk_rules.results import Finding, answer
from genesis.domain.risk_state import Facts, RiskState, Wish
from genesis.domain.windows import is_open, look
from protocols.risk import DenialCode
from protocols.settings import Settings


def inside_windows(state: RiskState, settings: Settings, facts: Facts, wish: Wish) -> Finding:
    windows, timezone = settings.risk.windows, settings.risk.windows_timezone
    if facts.reduces or is_open(windows, timezone, facts.now_ms):
        return answer("inside_windows", DenialCode.OUTSIDE_WINDOWS, True, timezone=timezone, windows=len(windows))
    opens_ms = look(windows, timezone, facts.now_ms).next_opening_ms
    opens = "never" if opens_ms is None else datetime.fromtimestamp(opens_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")
    return answer(
        "inside_windows",
        DenialCode.OUTSIDE_WINDOWS,
        False,
        timezone=timezone,
        windows=len(windows),
        next_opening=opens,
    )
