"""What is said about jobs: long work in a process of its own, asked for, watched, cancelled."""

from enum import StrEnum
from typing import Any

import msgspec


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED_STATES = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED})


class StartJob(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Please do this. `kind` names the work, `request` is what the work is told; `job_id` names its folder, too."""

    job_id: str
    kind: str
    title: str
    request: dict[str, Any]
    by: str


class CancelJob(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """End this job now: its process is killed, what it has written stays."""

    job_id: str
    by: str


class ForgetJob(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Remove an ended job and everything it left."""

    job_id: str
    by: str


JobRequest = StartJob | CancelJob | ForgetJob


class JobView(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One job as readers see it. `progress` is in [0, 1]; `summary` is what a finished one had to say in short."""

    job_id: str
    kind: str
    title: str
    by: str
    state: JobState
    created_ms: int
    started_ms: int = 0
    ended_ms: int = 0
    progress: float = 0.0
    text: str = ""
    error: str | None = None
    summary: dict[str, Any] = {}


class JobRefused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It was not begun, or not ended: `code` for programs, `text` for people."""

    code: str
    text: str


JobAnswer = JobView | JobRefused
