"""A rate limit as one number: the generic cell rate algorithm (GCRA), pure.

Time is monotonic seconds, given by the caller. The state is the theoretical arrival time of the next request at the
steady rate; a burst may run ahead of it. Compared with a bucket that is refilled by a timer there is nothing to run,
and asking how long to wait is the same arithmetic as taking. Source: ITU-T I.371, "virtual scheduling".
"""

import attrs


@attrs.define
class RateLimit:
    """`burst` requests at once, then one each `interval_s`; a pause earns the burst back at the same rate."""

    burst: int
    interval_s: float
    reserved_until: float = 0.0
    taken: int = 0
    waited: int = 0

    def __attrs_post_init__(self) -> None:
        if self.burst < 1:
            raise ValueError(f"burst must be at least 1, was {self.burst}")
        if not self.interval_s > 0:
            raise ValueError(f"interval_s must be above 0, was {self.interval_s}")

    @classmethod
    def at_most(cls, limit: int, window_s: float, *, burst: int | None = None) -> "RateLimit":
        """Never more than `limit` requests in any window of `window_s`, of which `burst` may come at once.

        A burst and the steady stream behind it share the window, so the steady rate is what the burst leaves of it:
        a bucket that holds `limit` and is refilled by `limit` would let twice as many through.
        """
        if limit < 2:
            return cls(1, window_s)
        ahead = max(1, limit // 2) if burst is None else burst
        if not 1 <= ahead < limit:
            raise ValueError(f"burst must be at least 1 and below the limit {limit}, was {ahead}")
        return cls(ahead, window_s / (limit - ahead))

    @property
    def _tolerance_s(self) -> float:
        return (self.burst - 1) * self.interval_s

    def take(self, now: float) -> float:
        """Take one place; the seconds to wait before using it (0.0: at once).

        The place is taken either way: callers that wait are served in the order in which they asked.
        """
        wait_s = self.wait_s(now)
        self.reserved_until = max(self.reserved_until, now) + self.interval_s
        self.taken += 1
        if wait_s > 0:
            self.waited += 1
        return wait_s

    def try_take(self, now: float) -> bool:
        """Take one place only if it can be used at once."""
        if self.wait_s(now) > 0:
            return False
        self.take(now)
        return True

    def wait_s(self, now: float) -> float:
        """How long a `take` now would make its caller wait."""
        return max(0.0, self.reserved_until - self._tolerance_s - now)

    def tokens(self, now: float) -> float:
        """Requests that could be made at once, between 0 and `burst`; for people."""
        ahead = max(0.0, self.reserved_until - now)
        return max(0.0, self.burst - ahead / self.interval_s)

    def utilisation(self, now: float) -> float:
        """The share of the burst in use, between 0 and 1."""
        return 1.0 - self.tokens(now) / self.burst

    def hold(self, now: float, pause_s: float) -> None:
        """The other side said to wait: nothing is free for `pause_s`, and then one at a time."""
        self.reserved_until = max(self.reserved_until, now + pause_s + self._tolerance_s)
