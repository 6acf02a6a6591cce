"""What is said about work that comes round by the clock."""

from enum import StrEnum

import msgspec


class Overrun(StrEnum):
    """What happens when the work is still under way when its time comes again."""

    SKIP = "skip"
    AFTER = "after"


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One piece of work: every `every_s` seconds, up to `jitter_s` later. Counts are since the process started.

    `skipped` counts times that came while it was still under way. `last_error` is empty after a run that went well.
    """

    name: str
    enabled: bool
    every_s: float
    jitter_s: float
    overrun: Overrun
    running: bool
    runs: int
    failures: int
    skipped: int
    last_began_ms: int
    last_took_s: float
    next_in_s: float
    last_error: str
