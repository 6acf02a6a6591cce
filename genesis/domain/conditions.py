"""Conditions: what only the outside of the engine sees, told to risk when it crosses a limit.

Spread, age of data and clock skew are measured against clocks and tickers, which no decision may look at. So they are
said as messages, once when a limit is crossed either way and now and then while it stays crossed; risk keeps each with
what it did. On the first look all of them are said, so nobody lives on with what was true before a restart.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from protocols.market import Freshness, Ticker
from protocols.risk import ConditionKind, MarketCondition
from protocols.settings import Settings

AGAIN_S: Final = 10.0
"""How often a condition that stays above its limit is said again."""
BASIS_POINTS: Final = 10_000


@attrs.define(kw_only=True)
class ConditionWatch:
    """Remembers what was said, by kind and symbol: whether it was above its limit, and when."""

    _said: dict[tuple[ConditionKind, str], tuple[bool, float]] = attrs.field(factory=dict)

    def look(
        self,
        *,
        fresh: Iterable[Freshness],
        tickers: Mapping[str, Ticker],
        skew_ms: float | None,
        settings: Settings,
        venue_ms: int,
        now: float,
    ) -> list[MarketCondition]:
        """What is to be said now. `now` is monotonic seconds."""
        found: list[tuple[ConditionKind, str, float, bool]] = []
        for symbol, age_ms in _ages(fresh, settings).items():
            found.append((ConditionKind.DATA_AGE, symbol, age_ms, age_ms > 0))
        for symbol, ticker in tickers.items():
            spread = _spread_bps(ticker)
            limit = float(settings.risk.breaker_spread_bps)
            found.append((ConditionKind.SPREAD, symbol, spread, 0 < limit < spread))
        if skew_ms is not None:
            found.append((ConditionKind.CLOCK_SKEW, "", skew_ms, abs(skew_ms) > settings.market.clock_skew_max_ms))
        return [
            MarketCondition(
                kind=kind, symbol=symbol, value=value, at_ms=venue_ms, correlation_id=f"condition:{kind.value}:{symbol}"
            )
            for kind, symbol, value, above in found
            if self._is_news(kind, symbol, above, now)
        ]

    def _is_news(self, kind: ConditionKind, symbol: str, above: bool, now: float) -> bool:
        said = self._said.get((kind, symbol))
        if said is not None and said[0] == above and not (above and now - said[1] >= AGAIN_S):
            return False
        self._said[(kind, symbol)] = (above, now)
        return True


def _ages(fresh: Iterable[Freshness], settings: Settings) -> dict[str, float]:
    """Milliseconds of the oldest stream of each symbol that is past a limit; 0 when none is."""
    breaker_ms = settings.risk.breaker_data_age_s * 1000
    ages: dict[str, float] = {}
    for entry in fresh:
        past = entry.stale or 0 < breaker_ms < entry.age_ms
        ages[str(entry.symbol)] = max(ages.get(str(entry.symbol), 0.0), float(entry.age_ms) if past else 0.0)
    return ages


def _spread_bps(ticker: Ticker) -> float:
    middle = (ticker.ask + ticker.bid) / 2
    return (ticker.ask - ticker.bid) / middle * BASIS_POINTS if middle > 0 else 0.0
