"""How long to wait before dialling again, and for an answer: not long after a good run, ever longer while it fails."""

from typing import Final, Protocol

import attrs

GOOD_RUN_S: Final = 5.0
"""A connection that was up this long was no accident; shorter ones are failures that took their time."""
HASTE_S: Final = 5.0
"""An outage is always dialled at least this often while it is young: an order may be waiting for the line."""
AWAY_SHARE: Final = 0.1
"""And later so often that it lasts at most this much longer than it had to."""


class Chance(Protocol):
    def random(self) -> float: ...


@attrs.frozen
class End:
    """Of a connection: why, how long it worked (0: never), the pause that the other side asked for, whether it said no
    to the handshake, and whether we have ended it ourselves, for a new one."""

    reason: str
    up_for_s: float = attrs.field(default=0.0, kw_only=True)
    pause_s: float = attrs.field(default=0.0, kw_only=True)
    refused: bool = attrs.field(default=False, kw_only=True)
    wished: bool = attrs.field(default=False, kw_only=True)


@attrs.define
class Redial:
    """The failures in a row of one connection. `fell` is told of each end and answers the pause before the next dial.

    The first dial after a good run is immediate, spread over `base_s` so that several sockets that fell together do
    not come back as one. From then on the pause doubles from `base_s` to `cap_s`, with full jitter above its half:
    clients that retry in step lock themselves out of a venue that limits connections. A line that flaps, up for some
    seconds each time, is left alone no longer than it was up: it is there for half of the time at least.

    Whoever tells `now` is in haste: no pause of theirs is longer than `HASTE_S`, or a tenth of the time for which the
    connection has been away, whichever is more.
    """

    base_s: float
    cap_s: float
    failures: int = 0
    last_s: float = 0.0
    away_since: float | None = None

    def ended(self, end: End, *, chance: Chance, now: float) -> float:
        """Seconds to wait, in haste unless the other side is there and wants none of us."""
        return self.fell(
            up_for_s=end.up_for_s,
            chance=chance,
            at_least_s=end.pause_s,
            now=None if end.refused else now,
            wished=end.wished,
        )

    def fell(
        self,
        *,
        up_for_s: float,
        chance: Chance,
        at_least_s: float = 0.0,
        now: float | None = None,
        wished: bool = False,
    ) -> float:
        """Seconds to wait. `up_for_s` is how long it worked (0: never), `at_least_s` what the other side asked for.

        The first dial after an end that was `wished` for is not spread.
        """
        if up_for_s >= max(GOOD_RUN_S, 2 * self.last_s):
            self.failures, self.away_since = 0, None
        if self.away_since is None:
            self.away_since = now
        self.failures += 1
        if self.failures == 1:
            pause = 0.0 if wished else min(self.base_s, self.cap_s) * chance.random()
        else:
            ceiling = min(self.cap_s, self.base_s * 2.0 ** min(self.failures - 1, 60))
            if up_for_s >= GOOD_RUN_S:
                ceiling = min(ceiling, up_for_s)
            if now is not None and self.away_since is not None:
                ceiling = min(ceiling, max(HASTE_S, AWAY_SHARE * (now - self.away_since)))
            pause = ceiling * (0.5 + 0.5 * chance.random())
        if at_least_s > 0:
            # Spread upwards only: who was told to wait a minute must not come after 55 seconds.
            pause = max(pause, at_least_s * (1.0 + 0.1 * chance.random()))
        self.last_s = pause
        return pause


@attrs.define
class Patience:
    """How long an answer is waited for: `first_s`, twice as long after each that did not come, at most `longest_s`.

    Behind the longest time it begins anew: what hangs may go on hanging although the other side is back, and is found
    out soon by a short wait, while one that is only slow has come through with a long one.
    """

    first_s: float
    missed: int = 0

    def wait_s(self, longest_s: float) -> float:
        """Seconds for the next answer."""
        waits = [self.first_s]
        while waits[-1] < longest_s:
            waits.append(2 * waits[-1])
        return min(waits[self.missed % len(waits)], longest_s)
