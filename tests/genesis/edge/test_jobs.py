"""A job's process: heard, killed with all it started, told when it dies, and never left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from genesis.edge.jobs import JobDied, JobFailed, JobFolders, run_child

HEAD = "import os, sys, time, json, signal, subprocess\nfrom genesis.edge.jobs import Speaker, begin_child\n"


def child(body: str) -> list[str]:
    return [sys.executable, "-c", HEAD + body]


async def ran(body: str, request: dict[str, Any] | None = None) -> tuple[dict[str, Any], list[tuple[float, str]]]:
    told: list[tuple[float, str]] = []
    with trio.fail_after(60):
        done = await run_child(child(body), request or {}, lambda part, text: told.append((part, text)))
    return done, told


def lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def until_gone(pid: int) -> None:
    with trio.fail_after(60):
        while lives(pid):  # noqa: ASYNC110 - the kernel tells nobody
            await trio.sleep(0.01)


async def test_a_job_hears_its_request_and_says_how_far_it_is() -> None:
    done, told = await ran(
        "asked = begin_child(); me = Speaker()\n"
        "me.progress(0.25, 'a quarter')\n"
        "print('not ours'); print('[1]'); print('x' * 2_000_000)\n"
        "me.progress(1.0, 'all'); me.done({'twice': asked['n'] * 2, 'nice': os.nice(0)})",
        {"n": 21},
    )
    assert done == {"twice": 42, "nice": min(os.nice(0) + 10, 19)}
    assert told == [(0.25, "a quarter"), (1.0, "all")]


async def test_a_job_that_cannot_be_done_says_why() -> None:
    with pytest.raises(JobFailed, match="fast must be below slow"):
        await ran("begin_child(); Speaker().error('fast must be below slow')")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("begin_child(); raise RuntimeError('boom')", "ended with code 1: RuntimeError: boom"),
        ("begin_child(); os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL"),
        ("begin_child(); os._exit(3)", "ended with code 3"),
        ("pass", "ended with code 0"),
    ],
)
async def test_a_job_that_dies_is_told(body: str, text: str) -> None:
    with pytest.raises(JobDied, match=text):
        await ran(body)


async def test_a_cancelled_job_is_killed_with_everything_it_started() -> None:
    body = (
        "begin_child()\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "grand = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "Speaker().progress(0.5, f'{os.getpid()} {grand.pid}')\n"
        "time.sleep(600)"
    )
    pids: list[int] = []
    heard = trio.Event()

    def on_progress(part: float, text: str) -> None:
        pids.extend(map(int, text.split()))
        heard.set()

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_child, child(body), {}, on_progress)
            await heard.wait()
            assert all(map(lives, pids))
            nursery.cancel_scope.cancel()
    for pid in pids:
        await until_gone(pid)


async def test_a_job_ends_when_its_parent_is_killed() -> None:
    parent = (
        "import sys, trio\nfrom genesis.edge.jobs import run_child\n"
        f"body = {(HEAD + 'begin_child(); Speaker().progress(0.5, str(os.getpid())); time.sleep(600)')!r}\n"
        "trio.run(run_child, [sys.executable, '-c', body], {}, lambda part, text: print(text, flush=True))\n"
    )
    process = await trio.lowlevel.open_process([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with trio.fail_after(60):
        pid = int(await process.stdout.receive_some(100))
    assert lives(pid)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    await until_gone(pid)


def test_folders_are_listed_by_age_and_removed_whole(tmp_path: Path) -> None:
    folders = JobFolders(tmp_path / "reports")
    assert folders.views(10) == []
    for number, name in enumerate(("b", "a", "c")):
        folder = folders.begin(name, name.encode())
        os.utime(folder / "job.json", (1000 + number, 1000 + number))
    assert folders.views(2) == [b"a", b"c"]
    assert oct((tmp_path / "reports" / "a").stat().st_mode & 0o777) == "0o700"
    with pytest.raises(FileExistsError):
        folders.begin("a", b"")
    (folders.of("a") / "result.json").write_bytes(b"{}")
    assert folders.read("a", "result.json") == b"{}"
    assert folders.read("a", "none.json") is None
    assert folders.remove("a")
    assert not folders.remove("a")
    folders.keep("a", b"gone")
    assert folders.views(10) == [b"b", b"c"]
