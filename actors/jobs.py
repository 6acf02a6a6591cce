"""The jobs actor: backtests, searches and trainings, each in a process of its own, a bounded number of them.

Nothing that trades waits for it. When it falls, its processes fall with it; what they wrote stays in their folders, and
jobs that were under way are told as failed when it comes back.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import attrs
import msgspec
import structlog
import trio

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from genesis.core.mailbox import Envelope, Outlet
from genesis.edge.jobs import JobDied, JobFailed, JobFolders
from protocols.jobs import (
    ENDED_STATES,
    CancelJob,
    ForgetJob,
    JobRefused,
    JobState,
    JobView,
    StartJob,
)

AT_ONCE: Final = 1
"""Jobs that run at the same time; the machine has trading to do."""
WAITING: Final = 16
KEPT: Final = 200
LOST: Final = "the engine ended before the job did"

log = structlog.get_logger("genesis.jobs")

RunJob = Callable[[Mapping[str, Any], Callable[[float, str], None]], Awaitable[dict[str, Any]]]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(JobView).decode


@attrs.define(kw_only=True, eq=False)
class JobsActor:
    """`run_job` runs one in its process and gives its last words; `folders` is None where nothing may touch a disk.

    `wall_ms` is a person's time, also while the venue replays another year.
    """

    run_job: RunJob
    folders: JobFolders | None
    view: Latest[tuple[JobView, ...]]
    wall_ms: Callable[[], int]
    ui: Channel[Any] | None = None
    at_once: int = AT_ONCE
    _jobs: dict[str, JobView] = attrs.field(factory=dict, init=False)
    _requests: dict[str, StartJob] = attrs.field(factory=dict, init=False)
    _scopes: dict[str, trio.CancelScope] = attrs.field(factory=dict, init=False)
    _writing: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    async def run(self, ctx: Context) -> None:
        ui = ctx.outlet(self.ui) if self.ui is not None else None
        await self._recover(ui)
        async with trio.open_nursery() as nursery:
            ctx.ready()
            while True:
                for envelope in await ctx.inbox.lease(limit=16):
                    await self._hear(ui, envelope)
                    ctx.inbox.ack(envelope)
                self._begin_waiting(ui, nursery)

    async def _recover(self, ui: Outlet[Any] | None) -> None:
        if self.folders is None:
            return
        for data in await trio.to_thread.run_sync(self.folders.views, KEPT):
            try:
                job = _decode(data)
            except msgspec.MsgspecError:
                continue
            self._jobs[job.job_id] = job
        for job in list(self._jobs.values()):
            if job.state not in ENDED_STATES:
                await self._write(self._end(ui, job.job_id, JobState.FAILED, error=LOST))
        self._publish()

    async def _hear(self, ui: Outlet[Any] | None, envelope: Envelope) -> None:
        match envelope.message:
            case StartJob() as asked:
                envelope.reply(await self._start(ui, asked))
            case CancelJob(job_id=job_id):
                answer = self._cancel(ui, job_id)
                envelope.reply(answer)
                await self._write(answer)
            case ForgetJob(job_id=job_id):
                envelope.reply(await self._forget(job_id))
            case other:
                raise TypeError(f"message must be about a job, was {type(other).__name__}")

    async def _start(self, ui: Outlet[Any] | None, asked: StartJob) -> JobView | JobRefused:
        known = self._jobs.get(asked.job_id)
        if known is not None:
            # Said twice: the first is the one that counts.
            return known
        waiting = sum(job.state is JobState.QUEUED for job in self._jobs.values())
        if waiting >= WAITING:
            return JobRefused(code="too_many_jobs", text=f"at most {WAITING} jobs may wait, {waiting} do")
        job = JobView(
            job_id=asked.job_id,
            kind=asked.kind,
            title=asked.title,
            by=asked.by,
            state=JobState.QUEUED,
            created_ms=self.wall_ms(),
        )
        if self.folders is not None:
            try:
                await trio.to_thread.run_sync(self.folders.begin, job.job_id, _encode(job))
            except OSError as error:
                return JobRefused(code="no_folder", text=f"a folder for the job cannot be made: {error.strerror}")
        self._requests[job.job_id] = asked
        self._tell(ui, job)
        return job

    def _cancel(self, ui: Outlet[Any] | None, job_id: str) -> JobView | JobRefused:
        job = self._jobs.get(job_id)
        if job is None:
            return JobRefused(code="not_found", text=f"no job is called {job_id}")
        if job.state in ENDED_STATES:
            return JobRefused(code="ended", text=f"the job is {job.state} already")
        scope = self._scopes.get(job_id)
        if scope is not None:
            # Its process group is killed on the way out of the scope.
            scope.cancel()
        return self._end(ui, job_id, JobState.CANCELLED)

    async def _forget(self, job_id: str) -> JobView | JobRefused:
        job = self._jobs.get(job_id)
        if job is None:
            return JobRefused(code="not_found", text=f"no job is called {job_id}")
        if job.state not in ENDED_STATES or job_id in self._scopes:
            return JobRefused(code="under_way", text="the job must end first; cancel it")
        # Not while its last word is written there: a folder that fills again cannot be removed.
        async with self._writing:
            if self.folders is not None:
                try:
                    await trio.to_thread.run_sync(self.folders.remove, job_id)
                except OSError as error:
                    return JobRefused(
                        code="no_folder", text=f"the folder of the job cannot be removed: {error.strerror}"
                    )
            self._jobs.pop(job_id, None)
        self._publish()
        return job

    def _begin_waiting(self, ui: Outlet[Any] | None, nursery: trio.Nursery) -> None:
        if trio.current_effective_deadline() == -math.inf:
            # Whoever is being ended begins nothing more.
            return
        for job in list(self._jobs.values()):
            if len(self._scopes) >= self.at_once:
                return
            if job.state is JobState.QUEUED:
                self._scopes[job.job_id] = trio.CancelScope()
                started = msgspec.structs.replace(job, state=JobState.RUNNING, started_ms=self.wall_ms())
                self._tell(ui, started)
                nursery.start_soon(self._work, ui, nursery, self._requests.pop(job.job_id))

    async def _work(self, ui: Outlet[Any] | None, nursery: trio.Nursery, asked: StartJob) -> None:
        job_id = asked.job_id

        def on_progress(fraction: float, text: str) -> None:
            job = self._jobs[job_id]
            if job.state is JobState.RUNNING:
                self._tell(ui, msgspec.structs.replace(job, progress=fraction, text=text))

        request = {"kind": asked.kind, "request": asked.request, "job_id": job_id}
        if self.folders is not None:
            request["folder"] = str(self.folders.of(job_id))
        try:
            with self._scopes[job_id]:
                try:
                    summary = await self.run_job(request, on_progress)
                except (JobFailed, JobDied) as error:
                    self._end(ui, job_id, JobState.FAILED, error=str(error))
                except OSError as error:
                    self._end(ui, job_id, JobState.FAILED, error=f"cannot be started: {error.strerror}")
                else:
                    self._end(ui, job_id, JobState.DONE, summary=summary)
        finally:
            del self._scopes[job_id]
        if job_id in self._jobs:
            await self._write(self._jobs[job_id])
        self._begin_waiting(ui, nursery)

    def _end(
        self,
        ui: Outlet[Any] | None,
        job_id: str,
        state: JobState,
        *,
        error: str | None = None,
        summary: Mapping[str, Any] | None = None,
    ) -> JobView:
        job = self._jobs[job_id]
        if job.state in ENDED_STATES:
            # Cancelled in the moment in which it ended: the first word counts.
            return job
        self._requests.pop(job_id, None)
        ended = msgspec.structs.replace(
            job,
            state=state,
            ended_ms=self.wall_ms(),
            progress=1.0 if state is JobState.DONE else job.progress,
            error=error,
            summary=dict(summary or {}),
        )
        self._tell(ui, ended)
        return ended

    async def _write(self, job: JobView | JobRefused) -> None:
        """Keep a view on the disk. Whoever asked has been answered: a disk may be busy for longer than people wait."""
        if self.folders is not None and isinstance(job, JobView):
            # One at a time, and always the newest: two hands on one file would tear it.
            # Also while we are being ended: what a job came to must not be forgotten.
            with trio.CancelScope(shield=True):
                async with self._writing:
                    newest = self._jobs.get(job.job_id)
                    if newest is None:
                        return
                    try:
                        await trio.to_thread.run_sync(self.folders.keep, job.job_id, _encode(newest))
                    except OSError as error:
                        # The disk takes no more. The job goes on, and so do the others: what is lost is what this one
                        # came to, for those who look after a restart.
                        log.warning("job_not_kept", job=job.job_id, state=str(newest.state), reason=str(error))

    def _tell(self, ui: Outlet[Any] | None, job: JobView) -> None:
        self._jobs[job.job_id] = job
        self._publish()
        if ui is not None:
            ui.put_nowait(job)

    def _publish(self) -> None:
        ended = [job.job_id for job in self._jobs.values() if job.state in ENDED_STATES]
        for job_id in ended[: max(0, len(self._jobs) - KEPT)]:
            # Out of the list, not off the disk.
            del self._jobs[job_id]
        self.view.set(tuple(self._jobs.values()))
