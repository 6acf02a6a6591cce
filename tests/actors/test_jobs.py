"""The jobs actor: one job at a time, cancelled at once, and honest about what a crash cost."""

import contextlib
import errno
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from actors.jobs import LOST, WAITING, JobsActor
from genesis.core.channel import Channel, Overflow
from genesis.core.latest import Latest
from genesis.edge.jobs import JobDied, JobFailed, JobFolders
from protocols.jobs import CancelJob, ForgetJob, JobRefused, JobRequest, JobState, JobView, StartJob
from tests.actors.deciding_stage import Listener, Stage, journal_channel, on_stage


@attrs.define(eq=False)
class Work:
    """Jobs that do what the test says: they say how far they are, then wait for their ending."""

    begun: list[str] = attrs.field(factory=list)
    killed: list[str] = attrs.field(factory=list)
    endings: dict[str, trio.Event] = attrs.field(factory=dict)
    results: dict[str, Any] = attrs.field(factory=dict)

    async def __call__(self, said: Mapping[str, Any], on_progress: Callable[[float, str], None]) -> dict[str, Any]:
        name = said["job_id"]
        self.begun.append(name)
        on_progress(0.5, "half")
        try:
            await self.endings.setdefault(name, trio.Event()).wait()
        except trio.Cancelled:
            self.killed.append(name)
            raise
        result = self.results.get(name, {"ok": True})
        if isinstance(result, Exception):
            raise result
        assert isinstance(result, dict)
        return result

    def end(self, name: str, result: Any = None) -> None:
        if result is not None:
            self.results[name] = result
        self.endings.setdefault(name, trio.Event()).set()


@attrs.define(kw_only=True, eq=False)
class Here:
    work: Work
    view: Latest[tuple[JobView, ...]]
    requests: Channel[JobRequest]
    told: Listener
    folders: JobFolders
    stage: Stage

    async def ask(self, message: JobRequest) -> JobView | JobRefused:
        with trio.fail_after(60):
            answer = await self.requests.ask(message)
        assert isinstance(answer, JobView | JobRefused)
        return answer

    async def start(self, name: str) -> JobView | JobRefused:
        return await self.ask(StartJob(job_id=name, kind="backtest", title=name, request={"a": 1}, by="me"))

    def states(self) -> dict[str, str]:
        """By name; a running one counts as such once its work has said so."""
        return {
            job.job_id: "begun" if job.state is JobState.RUNNING and not job.progress else job.state.value
            for job in self.view.value
        }

    async def until(self, **wanted: str) -> None:
        with trio.fail_after(60):
            while not wanted.items() <= self.states().items():
                await self.view.changed(self.view.version)


@contextlib.asynccontextmanager
async def at_work(root: Path, work: Work | None = None) -> AsyncIterator[Here]:
    work = work or Work()
    view: Latest[tuple[JobView, ...]] = Latest(())
    requests: Channel[JobRequest] = Channel("job_requests", Overflow.FAIL, capacity=32)
    ui: Channel[Any] = Channel("ui", Overflow.DROP_OLDEST, capacity=1000)
    folders = JobFolders(root)
    told = Listener()

    def start() -> JobsActor:
        return JobsActor(run_job=work, folders=folders, view=view, wall_ms=lambda: 5, ui=ui)

    async with on_stage(start, hears=(requests,), journal=journal_channel(), listeners={"ui": (told, ui)}) as stage:
        yield Here(work=work, view=view, requests=requests, told=told, folders=folders, stage=stage)


async def test_jobs_run_one_after_another_and_leave_their_words(tmp_path: Path) -> None:
    async with at_work(tmp_path) as here:
        first = await here.start("one")
        assert isinstance(first, JobView)
        assert (first.state, first.by, first.created_ms) == (JobState.QUEUED, "me", 5)
        await here.start("two")
        await here.until(one="running", two="queued")
        assert here.work.begun == ["one"]
        here.work.end("one", {"final_equity": "1"})
        await here.until(one="done", two="running")
        here.work.end("two", JobFailed("no such strategy"))
        await here.until(two="failed")
        one, two = here.view.value
        assert (one.progress, one.summary, one.error) == (1.0, {"final_equity": "1"}, None)
        assert (two.progress, two.error) == (0.5, "no such strategy")
        await here.stage.settled()
        states = [job.state.value for job in here.told.heard if job.job_id == "one"]
        assert states == ["queued", "running", "running", "done"]
        # Said twice is begun once.
        again = await here.start("one")
        assert isinstance(again, JobView)
        assert again.state is JobState.DONE


async def test_cancelling_kills_the_one_that_runs_and_forgets_the_one_that_waits(tmp_path: Path) -> None:
    async with at_work(tmp_path) as here:
        for name in ("one", "two", "three"):
            await here.start(name)
        await here.until(one="running")
        for name in ("two", "one"):
            answer = await here.ask(CancelJob(job_id=name, by="me"))
            assert isinstance(answer, JobView)
            assert answer.state is JobState.CANCELLED
        await here.until(three="running")
        assert (here.work.begun, here.work.killed) == (["one", "three"], ["one"])
        for message, code in (
            (CancelJob(job_id="one", by="me"), "ended"),
            (CancelJob(job_id="none", by="me"), "not_found"),
            (ForgetJob(job_id="three", by="me"), "under_way"),
            (ForgetJob(job_id="none", by="me"), "not_found"),
        ):
            refused = await here.ask(message)
            assert isinstance(refused, JobRefused)
            assert refused.code == code
        assert isinstance(await here.ask(ForgetJob(job_id="one", by="me")), JobView)
        assert "one" not in here.states()
        assert not here.folders.of("one").exists()


async def test_a_job_is_forgotten_only_when_its_last_word_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder filled again while it was being removed, and the one who asked was told that it is not empty."""
    seen: list[str] = []
    go_on = threading.Event()
    keep, remove = JobFolders.keep, JobFolders.remove

    def kept(folders: JobFolders, job_id: str, view: bytes) -> None:
        seen.append("writes")
        # The first is the actor's own, whose next message waits for it; the second is the work's.
        if seen.count("writes") == 2:
            assert go_on.wait(60)
        keep(folders, job_id, view)
        seen.append("has written")

    def removed(folders: JobFolders, job_id: str) -> bool:
        seen.append("removes")
        return remove(folders, job_id)

    monkeypatch.setattr(JobFolders, "keep", kept)
    monkeypatch.setattr(JobFolders, "remove", removed)
    async with at_work(tmp_path) as here, trio.open_nursery() as nursery:
        await here.start("one")
        await here.until(one="running")
        await here.ask(CancelJob(job_id="one", by="me"))
        with trio.fail_after(60):
            while seen.count("writes") < 2:  # noqa: ASYNC110 - threads have no bell
                await trio.sleep(0.001)
        answers: list[JobView | JobRefused] = []

        async def forget() -> None:
            answers.append(await here.ask(ForgetJob(job_id="one", by="me")))

        nursery.start_soon(forget)
        await trio.testing.wait_all_tasks_blocked(0.05)
        go_on.set()
        with trio.fail_after(60):
            while not answers:  # noqa: ASYNC110
                await trio.sleep(0.001)
        assert [type(answer) for answer in answers] == [JobView]
        assert seen == ["writes", "has written", "writes", "has written", "removes"]
        assert not here.folders.of("one").exists()


async def test_what_died_is_told_and_the_next_one_runs(tmp_path: Path) -> None:
    async with at_work(tmp_path) as here:
        here.work.end("one", JobDied("killed by SIGKILL"))
        here.work.end("two", OSError(12, "Cannot allocate memory"))
        here.work.end("three")
        for name in ("one", "two", "three"):
            await here.start(name)
        await here.until(one="failed", two="failed", three="done")
        assert [job.error for job in here.view.value] == [
            "killed by SIGKILL",
            "cannot be started: Cannot allocate memory",
            None,
        ]


async def test_a_full_disk_costs_a_job_its_note_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(tmp_path) as here:
        await here.start("one")
        await here.until(one="running")

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(JobFolders, "keep", full)
        here.work.end("one", {"final_equity": "1"})
        await here.until(one="done")
        await here.start("two")
        await here.until(two="running")
        here.work.end("two")
        await here.until(two="done")
        assert here.work.killed == []


async def test_only_so_many_may_wait(tmp_path: Path) -> None:
    async with at_work(tmp_path) as here:
        await here.start("runs")
        await here.until(runs="running")
        for number in range(WAITING):
            assert isinstance(await here.start(f"w{number}"), JobView)
        refused = await here.start("too many")
        assert isinstance(refused, JobRefused)
        assert refused.code == "too_many_jobs"
        assert not here.folders.of("too many").exists()


async def test_after_a_crash_lost_jobs_are_failed_and_the_rest_is_remembered(tmp_path: Path) -> None:
    async with at_work(tmp_path) as here:
        here.work.end("done")
        await here.start("done")
        await here.until(done="done")
        await here.start("runs")
        await here.start("waits")
        await here.until(runs="running")
        here.stage.kill()
        await here.until(runs="failed", waits="failed", done="done")
        assert here.work.killed == ["runs"]
        assert {job.error for job in here.view.value if job.state is JobState.FAILED} == {LOST}
        here.work.end("next")
        await here.start("next")
        await here.until(next="done")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "job.json").write_text("{")
    async with at_work(tmp_path) as here:
        assert {"done", "runs", "waits", "next"} == set(here.states())
