"""Events by category: all of them counted, and of the many the share that somebody asked for is told.

Sampling is by credit and not by chance: of a rate of 0.01 every hundredth event is told, so the same events are told of
the same run. What is not told is counted, and each one that is says how many of its category were not since the last.
Nothing that a person must know is sampled: fills, refusals, notices, and orders that went wrong have no rate.
"""

from collections.abc import Iterator
from typing import Final

import attrs

from genesis.domain.rate_limit import RateLimit
from protocols.health import EventCount
from protocols.settings import EventSettings

SAMPLED: Final = tuple(EventSettings.__struct_fields__)
"""The categories that have a rate, by the names of their settings."""
LINES_A_SECOND: Final = 20
"""Of all sampled categories together: a rate of 1 on a wild market must not make the log the engine's main work."""


@attrs.define(eq=False)
class _Tally:
    heard: int = 0
    told: int = 0
    untold: int = 0
    credit: float = 0.0


@attrs.define(eq=False)
class EventSampler:
    """Counters of one process, and what each sampled category has earned towards its next line."""

    _tallies: dict[str, _Tally] = attrs.field(factory=dict, init=False)
    _lines: RateLimit = attrs.field(factory=lambda: RateLimit.at_most(LINES_A_SECOND, 1.0), init=False)

    def whole(self, category: str) -> None:
        """An event of a category of which every one is told."""
        tally = self._tally(category)
        tally.heard += 1
        tally.told += 1

    def sample(self, category: str, rate: float, now: float) -> int | None:
        """An event of a sampled category: how many before it were not told, or None when it is not either.

        `now` is in monotonic seconds.
        """
        tally = self._tallies.get(category) or self._tally(category)
        tally.heard += 1
        if rate > 0.0:
            # A share of one third thrice is a little less than one.
            tally.credit = min(1.0, tally.credit + rate + 1e-9)
            if tally.credit >= 1.0 and self._lines.try_take(now):
                untold, tally.untold = tally.untold, 0
                tally.credit -= 1.0
                tally.told += 1
                return untold
        tally.untold += 1
        return None

    def counts(self, rates: EventSettings) -> Iterator[EventCount]:
        """Each category that was met, and each that has a rate."""
        for category in sorted({*self._tallies, *SAMPLED}):
            tally = self._tallies.get(category, _Tally())
            rate = getattr(rates, category) if category in SAMPLED else None
            yield EventCount(category=category, heard=tally.heard, told=tally.told, rate=rate)

    def _tally(self, category: str) -> _Tally:
        return self._tallies.setdefault(category, _Tally())
