"""How long to wait before dialling again: not at all after a good run, ever longer while it keeps failing."""

from typing import Final, Protocol

import attrs

GOOD_RUN_S: Final = 5.0
"""A connection that was up this long was no accident; shorter ones are failures that took their time."""


class Chance(Protocol):
    def random(self) -> float: ...


@attrs.define
class Redial:
    """The failures in a row of one connection. `fell` is told of each end and answers the pause before the next dial.

    The first dial after a good run is immediate, spread over `base_s` so that several sockets that fell together do
    not come back as one. From then on the pause doubles from `base_s` to `cap_s`, with full jitter above its half:
    clients that retry in step lock themselves out of a venue that limits connections. A line that flaps, up for some
    seconds each time, is left alone no longer than it was up: it is there for half of the time at least.
    """

    base_s: float
    cap_s: float
    failures: int = 0
    last_s: float = 0.0

    def fell(self, *, up_for_s: float, chance: Chance, at_least_s: float = 0.0) -> float:
        """Seconds to wait. `up_for_s` is how long it worked (0: never), `at_least_s` what the other side asked for."""
        if up_for_s >= max(GOOD_RUN_S, 2 * self.last_s):
            self.failures = 0
        self.failures += 1
        if self.failures == 1:
            pause = min(self.base_s, self.cap_s) * chance.random()
        else:
            ceiling = min(self.cap_s, self.base_s * 2.0 ** min(self.failures - 1, 60))
            if up_for_s >= GOOD_RUN_S:
                ceiling = min(ceiling, up_for_s)
            pause = ceiling * (0.5 + 0.5 * chance.random())
        if at_least_s > 0:
            # Spread upwards only: who was told to wait a minute must not come after 55 seconds.
            pause = max(pause, at_least_s * (1.0 + 0.1 * chance.random()))
        self.last_s = pause
        return pause
