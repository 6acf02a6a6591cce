"""How often somebody may ask: token buckets by caller, and a lock-out that grows with every failed proof.

Counting is by token id or, without one, by address. Nothing here is global: a flood of bad tokens must never lock the
owner out, who comes with another token or another proof.
"""

from typing import Final

import attrs

MAX_CALLERS: Final = 4096
"""Callers remembered at once; past it the oldest is forgotten, which can only be kind to somebody."""
FREE_FAILURES: Final = 5
FIRST_LOCK_S: Final = 1.0
LONGEST_LOCK_S: Final = 60.0
FORGET_FAILURES_S: Final = 300.0


@attrs.define
class _Bucket:
    tokens: float
    at_s: float


@attrs.define
class _Failures:
    count: int
    locked_until_s: float
    last_s: float


@attrs.define(kw_only=True)
class RateLimit:
    """`burst` requests at once, `per_s` in the long run, for each caller."""

    per_s: float = 50.0
    burst: float = 200.0
    _buckets: dict[str, _Bucket] = attrs.field(factory=dict, init=False)

    def take(self, caller: str, now_s: float) -> float:
        """0.0 when the caller may go on, else the seconds to wait."""
        bucket = self._buckets.pop(caller, None) or _Bucket(self.burst, now_s)
        bucket.tokens = min(self.burst, bucket.tokens + (now_s - bucket.at_s) * self.per_s)
        bucket.at_s = now_s
        self._buckets[caller] = bucket
        if len(self._buckets) > MAX_CALLERS:
            del self._buckets[next(iter(self._buckets))]
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self.per_s
        bucket.tokens -= 1
        return 0.0


@attrs.define(kw_only=True)
class Lockout:
    """Failed proofs of one address: the first few are free, then each doubles the wait."""

    _failures: dict[str, _Failures] = attrs.field(factory=dict, init=False)

    def wait_s(self, caller: str, now_s: float) -> float:
        failures = self._failures.get(caller)
        return 0.0 if failures is None else max(0.0, failures.locked_until_s - now_s)

    def failed(self, caller: str, now_s: float) -> None:
        failures = self._failures.pop(caller, None)
        if failures is None or now_s - failures.last_s > FORGET_FAILURES_S:
            failures = _Failures(0, 0.0, now_s)
        failures.count += 1
        failures.last_s = now_s
        excess = failures.count - FREE_FAILURES
        if excess > 0:
            failures.locked_until_s = now_s + min(LONGEST_LOCK_S, FIRST_LOCK_S * 2.0 ** min(excess - 1, 20))
        self._failures[caller] = failures
        if len(self._failures) > MAX_CALLERS:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, caller: str) -> None:
        self._failures.pop(caller, None)
