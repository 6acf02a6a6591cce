"""What is said about the engine itself: actors, mailboxes, connections, and events for people."""

from enum import StrEnum
from typing import Any

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


class DeadLetterView(msgspec.Struct, frozen=True, kw_only=True):
    """A message that its actor could not handle, put aside after some tries. `message` is what it said, as JSON.

    `number` rises in the life of the process; `money` says that it halted trading.
    """

    number: int
    at_ms: int
    mailbox: str
    channel: str
    kind: str
    attempts: int
    error: str
    money: bool
    message: Any


class BudgetView(msgspec.Struct, frozen=True, kw_only=True):
    """How often a supervisor's children may fail: `spent` of `intensity` in the last `period_s` are used.

    One of them may fail at most `max_consecutive` times in a row.
    """

    spent: int
    intensity: int
    period_s: float
    max_consecutive: int


class ActorView(msgspec.Struct, frozen=True, kw_only=True):
    """One node of the supervision tree. Supervisors have children, a strategy and a budget; workers have channels.

    `failures` are those in a row, without a stable life between.
    """

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
    failures: int = 0
    budget: BudgetView | None = None


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


class IoView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One client of the world outside. `kind` is rest, websocket, database or messenger.

    `requests` of a socket are frames sent, its `answers` frames received, its `failures` falls, and its times those of
    pings; bytes are counted where whole requests are (0 elsewhere). Quantiles are of the newest 1,024. Of REST,
    `tokens` are the requests that may go at once, and `utilization` is the used part of the budget, 1 is all.
    """

    client: str
    kind: str
    requests: int
    answers: int
    failures: int
    bytes_out: int
    bytes_in: int
    p50_s: float | None
    p99_s: float | None
    times: LineTimes
    tokens: float | None = None
    utilization: float | None = None


class EventCount(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Events of one category: how many there were, and how many of them the log tells. `rate` is the share that is
    told; None of a category of which every event is."""

    category: str
    heard: int
    told: int
    rate: float | None

    @property
    def sampled_out(self) -> int:
        return self.heard - self.told


class HealthFinding(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One thing that the house needs (disk, memory, a journal that keeps up), and whether it has it."""

    name: str
    ok: bool
    detail: str


class Notice(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something a person may want to know. `level` is info, warning or alarm."""

    level: str
    code: str
    text: str
    at_ms: int


class Reconnect(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Somebody asks a connection to close its socket and dial again; `session` is the one that is meant, 0 any."""

    reason: str
    session: int = 0
