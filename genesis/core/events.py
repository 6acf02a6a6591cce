"""What a supervisor tells the outside about its children, one event at a time."""

import enum

import msgspec

from genesis.core.mailbox import DeadLetter


class EventKind(enum.StrEnum):
    STARTED = "started"
    READY = "ready"
    ENDED = "ended"
    """A normal end that needs no restart."""
    CRASHED = "crashed"
    BACKING_OFF = "backing_off"
    STOPPED = "stopped"
    STOP_FAILED = "stop_failed"
    """It ended when told to, but its clean-up raised."""
    ZOMBIE = "zombie"
    DEAD_LETTER = "dead_letter"
    ESCALATED = "escalated"


class SupervisorEvent(msgspec.Struct, frozen=True, kw_only=True):
    """`path` names the child from the root, as "engine/trading/order"; `at_s` is the monotonic clock."""

    kind: EventKind
    path: str
    generation: int
    at_s: float
    text: str = ""
    delay_s: float = 0.0
    error: BaseException | None = None
    letter: DeadLetter | None = None
