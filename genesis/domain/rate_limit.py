"""A rate limit as one number: the generic cell rate algorithm (GCRA), pure.

Time is monotonic seconds, given by the caller. The state is the theoretical arrival time of the next request at the
steady rate; a burst may run ahead of it. Compared with a bucket that is refilled by a timer there is nothing to run,
and asking how long to wait is the same arithmetic as taking. Source: ITU-T I.371, "virtual scheduling".
"""

import attrs


@attrs.define
class RateLimit:
    """At most `burst` requests at once, and `burst` in any `period_s` from then on as they are given back evenly."""

    burst: int
    period_s: float
    reserved_until: float = 0.0
    taken: int = 0
    waited: int = 0

    def __attrs_post_init__(self) -> None:
        if self.burst < 1:
            raise ValueError(f"burst must be at least 1, was {self.burst}")
        if not self.period_s > 0:
            raise ValueError(f"period_s must be above 0, was {self.period_s}")

    @property
    def interval_s(self) -> float:
        """Seconds between two requests at the steady rate."""
        return self.period_s / self.burst

    def take(self, now: float) -> float:
        """Take one place; the seconds to wait before using it (0.0: at once).

        The place is taken either way: callers that wait are served in the order in which they asked.
        """
        start = max(self.reserved_until, now)
        wait_s = max(0.0, start + self.interval_s - self.period_s - now)
        self.reserved_until = start + self.interval_s
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
        """How long the next `take` would make its caller wait."""
        return max(0.0, max(self.reserved_until, now) + self.interval_s - self.period_s - now)

    def tokens(self, now: float) -> float:
        """Requests that could be made at once, between 0 and `burst`; for people."""
        ahead = max(0.0, self.reserved_until - now)
        return max(0.0, (self.period_s - ahead) / self.interval_s)

    def utilisation(self, now: float) -> float:
        """The share of the burst in use, between 0 and 1."""
        return 1.0 - self.tokens(now) / self.burst

    def give_back(self) -> None:
        """A place that was taken was not used after all."""
        self.reserved_until -= self.interval_s
        self.taken -= 1

    def hold(self, now: float, pause_s: float) -> None:
        """The other side said to wait: nothing is free before that, and the burst comes back only after it."""
        self.reserved_until = max(self.reserved_until, now + pause_s + self.period_s - self.interval_s)
