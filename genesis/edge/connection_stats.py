"""What one connection has carried and suffered, over all its sockets and all lives of its actor."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from protocols.health import LineTimes
from protocols.orders import AccountEvent, CommandInDoubt, CommandNotSent, CommandSent

BOUNDS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)

PING_BOUNDS_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@attrs.define(eq=False)
class Durations:
    """How long something took, each time: the newest as they are, and all of them counted up to each of `bounds_s`."""

    bounds_s: tuple[float, ...] = BOUNDS_S
    newest: deque[float] = attrs.field(factory=lambda: deque(maxlen=1024))
    counts: list[int] = attrs.field(init=False)
    sum_s: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds_s) + 1)

    def append(self, seconds: float) -> None:
        self.newest.append(seconds)
        self.counts[bisect_left(self.bounds_s, seconds)] += 1
        self.sum_s += seconds

    def view(self, line: str, what: str) -> LineTimes:
        return LineTimes(line=line, what=what, bounds_s=self.bounds_s, counts=tuple(self.counts), sum_s=self.sum_s)

    def __iter__(self) -> Iterator[float]:
        return iter(self.newest)

    def __len__(self) -> int:
        return len(self.newest)

    def __getitem__(self, index: int) -> float:
        return self.newest[index]


@attrs.define
class ConnectionStats:
    """Counters that the engine owns and the actor writes; readers take them as they are. Times are monotonic.

    `frames_in` counts messages whose events are in their channels, `frames_out` messages that were about to be sent;
    the `socket_...` twins count the present socket only, so that they can be compared with what the other side counts.
    `detect_s` and `recover_s` hold the newest times from the last word of a line to knowing it dead, and from then to
    every stream being confirmed again, `pings_s` those of pings. `up` also holds for a socket that is not wanted.
    `newest_trades` holds number and time of the newest public trade by symbol.
    """

    dials: int = 0
    sockets: int = 0
    refused_handshakes: int = 0
    falls: int = 0
    frames_in: int = 0
    frames_out: int = 0
    socket_frames_in: int = 0
    socket_frames_out: int = 0
    refused_frames: int = 0
    resubscribed: int = 0
    sequence_gaps: int = 0
    bad_checksums: int = 0
    maintenance: int = 0
    reconnects_asked: int = 0
    auth_requests: int = 0
    auth_successes: int = 0
    auth_errors: int = 0
    auth_timeouts: int = 0
    commands_sent: int = 0
    commands_not_sent: int = 0
    commands_in_doubt: int = 0
    narrow_sessions: int = 0
    """Sessions that were held over REST while the socket was away."""
    trades_missed: int = 0
    trades_refilled: int = 0
    connected: bool = False
    up: bool = False
    paused: bool = False
    last_frame_ns: int = 0
    last_data_ns: int = 0
    ping_ms: float = 0.0
    skew_ms: float | None = None
    newest_trades: dict[str, tuple[int, int]] = attrs.field(factory=dict)
    falls_by_reason: dict[str, int] = attrs.field(factory=dict)
    detect_s: Durations = attrs.field(factory=Durations)
    recover_s: Durations = attrs.field(factory=Durations)
    pings_s: Durations = attrs.field(factory=lambda: Durations(bounds_s=PING_BOUNDS_S))

    def note_fate(self, told: AccountEvent) -> None:
        """Count what became of a command, if this says it."""
        self.commands_sent += isinstance(told, CommandSent)
        self.commands_not_sent += isinstance(told, CommandNotSent)
        self.commands_in_doubt += isinstance(told, CommandInDoubt)

    def ponged(self, round_trip_s: float) -> None:
        """A ping was answered."""
        self.ping_ms = round_trip_s * 1000
        self.pings_s.append(round_trip_s)

    def dialled(self) -> None:
        self.dials += 1

    def opened(self) -> int:
        """A new socket; its number, rising for the life of the process."""
        self.sockets += 1
        # Measured over another socket, perhaps long ago: the next pong says how it is.
        self.skew_ms = None
        self.socket_frames_in = 0
        self.socket_frames_out = 0
        self.connected = True
        return self.sockets

    def fell(self, reason: str) -> None:
        self.connected = self.up = self.paused = False
        self.falls += 1
        # The text before the first colon: what comes after it differs each time and would never be counted twice.
        kind = reason.split(":")[0][:60]
        self.falls_by_reason[kind] = self.falls_by_reason.get(kind, 0) + 1

    def sending(self) -> None:
        self.frames_out += 1
        self.socket_frames_out += 1

    def handed_over(self, frames: int) -> None:
        self.frames_in += frames
        self.socket_frames_in += frames


def worst_skew_ms(connections: Iterable[ConnectionStats]) -> float | None:
    """How far the venue's clock is ahead of ours (behind, below zero), as the connection says that differs most. None
    when no open one has measured it: what a closed one measured may be mended since."""
    measured = [each.skew_ms for each in connections if each.connected and each.skew_ms is not None]
    return max(measured, key=abs, default=None)
