"""A circuit breaker: after failures in a row nothing is asked for a while, then one probe decides. Pure.

Time is monotonic seconds, given by the caller. CLOSED asks freely; OPEN asks nothing until `open_until`; HALF_OPEN has
one probe under way: its success closes, its failure opens for twice as long.
"""

from enum import StrEnum
from typing import Final

import attrs

PROBE_LOST_S: Final = 60.0
"""A probe of which nothing was heard for so long (its asker crashed) makes room for another."""
TOO_MANY: Final = 429


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


@attrs.define
class CircuitBreaker:
    """`threshold` failures in a row open it for `base_s`, doubled at each further opening up to `cap_s`.

    A 429 opens at once, for `rate_limited_s` or what the answer's Retry-After says, whichever is longer: the venue
    blocks an address that goes on asking.
    """

    threshold: int = 4
    base_s: float = 2.0
    cap_s: float = 120.0
    rate_limited_s: float = 60.0
    fail_count: int = 0
    open_until: float = 0.0
    last_failure: float | None = None
    openings: int = 0
    opened_total: int = 0
    _probe_at: float | None = None

    def state(self, now: float) -> BreakerState:
        if self.openings == 0:
            return BreakerState.CLOSED
        if now < self.open_until:
            return BreakerState.OPEN
        return BreakerState.HALF_OPEN

    def can_request(self, now: float) -> bool:
        """Whether a request may go now. In half-open a True answer hands out the one probe: use it or say what came."""
        state = self.state(now)
        if state is BreakerState.CLOSED:
            return True
        if state is BreakerState.OPEN:
            return False
        if self._probe_at is not None and now - self._probe_at < PROBE_LOST_S:
            return False
        self._probe_at = now
        return True

    def time_until_open(self, now: float) -> float:
        """Seconds until requests are tried again; 0.0 when they are."""
        return max(0.0, self.open_until - now) if self.openings else 0.0

    def note_success(self, now: float) -> None:
        """An answer came, whatever it says: the way there and back works."""
        self.fail_count = 0
        self.openings = 0
        self._probe_at = None
        self.open_until = min(self.open_until, now)

    def note_failure(self, now: float, *, status: int | None = None, retry_after_s: float | None = None) -> None:
        """No answer, or one that says that there is none (5xx without a venue's error, 429)."""
        was = self.state(now)
        self.fail_count += 1
        self.last_failure = now
        self._probe_at = None
        asked = max(retry_after_s or 0.0, self.rate_limited_s if status == TOO_MANY else 0.0)
        if was is BreakerState.CLOSED and self.fail_count < self.threshold and asked == 0:
            return
        if was is not BreakerState.OPEN:
            self.openings += 1
            self.opened_total += 1
        pause = min(self.cap_s, self.base_s * 2.0 ** min(self.openings - 1, 60))
        self.open_until = max(self.open_until, now + max(pause, asked))
