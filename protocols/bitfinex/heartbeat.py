"""Silence: every stream speaks at least every 15 seconds, so one that does not is dead though its socket is open."""

from typing import Final

import attrs

HEARTBEAT_S: Final = 15.0
"""Measured 2026: 14.997 to 15.003 s on every channel, busy or quiet; about half of it in 2018."""
SILENCE_LIMIT_S: Final = 20.0
IDLE_CLOSE_S: Final = 60.0
"""The venue drops a socket after this long when nothing is subscribed on it and the client says nothing."""

NS: Final = 1_000_000_000


@attrs.define
class SilenceWatch:
    """The time by which a socket must have been heard. All times are monotonic nanoseconds, given by the caller."""

    limit_s: float = SILENCE_LIMIT_S
    heard_ns: int = 0

    def heard(self, at_ns: int) -> None:
        if at_ns > self.heard_ns:
            self.heard_ns = at_ns

    @property
    def deadline_ns(self) -> int:
        return self.heard_ns + int(self.limit_s * NS)

    def is_silent(self, now_ns: int) -> bool:
        return now_ns >= self.deadline_ns

    def silent_for_s(self, now_ns: int) -> float:
        return max(0.0, (now_ns - self.heard_ns) / NS)
