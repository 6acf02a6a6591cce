"""What is said about the engine itself: actors, mailboxes, connections, and events for people."""

from enum import StrEnum

import msgspec


class ActorStatus(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    BACKING_OFF = "backing off"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ZOMBIE = "zombie"


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """One channel's counters. depth = put - acked - conflated - dropped - dead - leased."""

    name: str
    overflow: str
    capacity: int
    depth: int
    leased: int
    put: int
    acked: int
    conflated: int
    dropped: int
    refused: int
    dead: int
    redelivered: int
    oldest_age_s: float


class ActorView(msgspec.Struct, frozen=True, kw_only=True):
    """One node of the supervision tree. Supervisors have children and a strategy; workers have channels."""

    name: str
    kind: str
    status: ActorStatus
    strategy: str | None
    restart: str
    generation: int
    restarts: int
    last_error: str | None
    since_s: float
    last_progress_s: float
    channels: tuple[ChannelView, ...]
    children: tuple["ActorView", ...]


class ConnectionView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One socket: its state in a word, what it carries, how often it fell, and its last trouble."""

    name: str
    uri: str
    status: str
    session: int
    reconnects: int
    last_error: str | None
    frames: int
    subscriptions: int
    venue_ms: int
    last_frame_age_s: float


class LineTimes(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How long a line took, in all: to see that it was dead (`detect`), or to be whole again (`recover`).

    `counts` are of times up to each of `bounds_s`, and of longer ones; they do not add up one another.
    """

    line: str
    what: str
    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


class Notice(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something a person may want to know. `level` is info, warning or alarm."""

    level: str
    code: str
    text: str
    at_ms: int


class Reconnect(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The watchdog asks a connection to close its socket and dial again."""

    reason: str
