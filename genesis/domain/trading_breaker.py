"""The trading circuit breaker: stops entries when trading itself goes wrong, and finds its way back by trying.

CLOSED -> OPEN on a cause; OPEN -> HALF_OPEN after a pause; HALF_OPEN lets one entry through at a time and closes after
enough good ends, or opens again for twice as long. Time is venue time and comes in from outside.
"""

import msgspec

from protocols.risk import BreakerState, BreakerView

LONGEST_PAUSES = 8
"""Each trip in a row doubles the pause, up to so many times the first."""


class TradingBreaker(msgspec.Struct, kw_only=True):
    """One breaker. `scope` is a symbol or "" for all; `probe` is the entry that is being tried, `good` how many went
    well; `errors_ms` are the refused orders that are still counted."""

    scope: str
    state: BreakerState = BreakerState.CLOSED
    cause: str = ""
    since_ms: int = 0
    until_ms: int = 0
    trips: int = 0
    probe: str | None = None
    good: int = 0
    errors_ms: list[int] = []

    def trip(self, cause: str, now_ms: int, pause_ms: int) -> bool:
        """Open, or stay open longer while the cause lasts. True when that is news."""
        if self.state is BreakerState.OPEN:
            self.until_ms = max(self.until_ms, now_ms + pause_ms)
            return False
        self.trips += 1
        self.state, self.cause, self.since_ms = BreakerState.OPEN, cause, now_ms
        self.until_ms = now_ms + pause_ms * min(2 ** (self.trips - 1), LONGEST_PAUSES)
        self.probe, self.good, self.errors_ms = None, 0, []
        return True

    def on_time(self, now_ms: int) -> bool:
        """OPEN becomes HALF_OPEN when its pause is over. True when it did."""
        if self.state is not BreakerState.OPEN or now_ms < self.until_ms:
            return False
        self.state, self.since_ms = BreakerState.HALF_OPEN, now_ms
        return True

    def in_the_way(self) -> bool:
        return self.state is BreakerState.OPEN or (self.state is BreakerState.HALF_OPEN and self.probe is not None)

    def try_with(self, intent_id: str) -> None:
        if self.state is BreakerState.HALF_OPEN:
            self.probe = intent_id

    def on_good(self, intent_id: str, now_ms: int, needed: int) -> bool:
        """An entry ended well. True when the breaker closed by it."""
        if self.state is not BreakerState.HALF_OPEN or self.probe != intent_id:
            return False
        self.probe = None
        self.good += 1
        if self.good < needed:
            return False
        self.close(now_ms)
        return True

    def on_nothing(self, intent_id: str) -> None:
        """The tried entry ended without saying anything about the market: another may try."""
        if self.probe == intent_id:
            self.probe = None

    def on_error(self, now_ms: int, window_ms: int, allowed: int) -> bool:
        """Count a refused order. True when there are too many of them."""
        self.errors_ms = [*(at_ms for at_ms in self.errors_ms if at_ms > now_ms - window_ms), now_ms]
        return len(self.errors_ms) >= allowed

    def close(self, now_ms: int) -> None:
        self.state, self.since_ms, self.until_ms = BreakerState.CLOSED, now_ms, 0
        self.cause, self.trips, self.probe, self.good, self.errors_ms = "", 0, None, 0, []

    def view(self) -> BreakerView:
        return BreakerView(
            scope=self.scope,
            state=self.state,
            cause=self.cause,
            since_ms=self.since_ms,
            until_ms=self.until_ms,
            trips=self.trips,
        )
