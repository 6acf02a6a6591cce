"""Long work in a process of its own: how it is begun, heard, killed, and how the process itself speaks.

The parent writes one line to the child's standard input and keeps that pipe open: when the parent is gone, however it
went, the pipe ends and the child ends with it. The child writes one JSON object a line to its standard output:
`{"progress": 0.4, "text": "..."}` as it goes on, and at last `{"done": {...}}` or `{"error": "..."}`. A child that ends
without a last word has died, and its parent says so. A job and whatever it started are one process group, which is
killed as one.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from genesis.edge.kept_file import KeptFile

LONGEST_LINE: Final = 1_000_000
STDERR_KEPT: Final = 4_000
NICENESS: Final = 10
SAY_EVERY_S: Final = 0.1
VIEW: Final = "job.json"
FOLDER_MODE: Final = 0o700
ONE_THREAD: Final = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
}
"""A job has the cores that its own processes take, and no library may take the engine's on top of that."""


class JobFailed(Exception):
    """The work was refused by itself, with a sentence for the person who asked."""


class JobDied(Exception):
    """The process ended without a last word; the text has the signal or the code, and the end of what it complained."""


# --- the parent's side --------------------------------------------------------------------------------------------


async def run_child(
    command: Sequence[str], request: Mapping[str, Any], on_progress: Callable[[float, str], None]
) -> dict[str, Any]:
    """Run one job to its end; gives what it said last. Cancelling kills its whole process group at once.

    Raises JobFailed when the job says that it cannot be done, JobDied when it ends without saying anything.
    """
    # Its own session: a Ctrl-C at the terminal is the engine's to deal with, and one kill reaches what it started.
    process = await trio.lowlevel.open_process(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **ONE_THREAD},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    complaint = bytearray()
    last: dict[str, Any] | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep_tail, process.stderr, complaint)
            nursery.start_soon(_end_group, process)
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await process.stdin.send_all(json.dumps(request).encode() + b"\n")
            async for line in _lines(process.stdout):
                said = _read(line)
                if "progress" in said:
                    on_progress(min(max(float(said["progress"]), 0.0), 1.0), str(said.get("text", ""))[:300])
                elif "done" in said or "error" in said:
                    last = said
            await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdin.aclose()
    if last is not None and "error" in last:
        raise JobFailed(str(last["error"])[:2000])
    if last is None or not isinstance(last["done"], dict):
        raise JobDied(_how_it_died(process.returncode, bytes(complaint)))
    done: dict[str, Any] = last["done"]
    return done


async def _end_group(process: trio.Process) -> None:
    """What a job started must not outlive it: while they hold its pipes nobody hears that it is gone."""
    await process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _how_it_died(code: int | None, complaint: bytes) -> str:
    if code is not None and code < 0:
        how = f"killed by {signal.Signals(-code).name}"
        if -code == signal.SIGKILL:
            how += " (out of memory, or by hand)"
    else:
        how = f"ended with code {code}"
    lines = complaint.decode(errors="replace").strip().splitlines()
    return f"the job's process was {how}" + (f": {lines[-1][:300]}" if lines else "")


def _read(line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


async def _keep_tail(stream: trio.abc.ReceiveStream, kept: bytearray) -> None:
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while chunk := await stream.receive_some(65_536):
            kept += chunk
            del kept[:-STDERR_KEPT]


async def _lines(stream: trio.abc.ReceiveStream) -> AsyncIterator[bytes]:
    """Whole lines; one that is longer than any of ours is thrown away."""
    waiting = bytearray()
    skipping = False
    while chunk := await stream.receive_some(65_536):
        waiting += chunk
        while (end := waiting.find(b"\n")) >= 0:
            line, waiting = bytes(waiting[:end]), waiting[end + 1 :]
            if not skipping:
                yield line
            skipping = False
        if len(waiting) > LONGEST_LINE:
            waiting.clear()
            skipping = True


# --- the child's side ---------------------------------------------------------------------------------------------


@attrs.define(eq=False)
class Speaker:
    """What a job says on its way. Progress is told ten times a second at most; the last word always."""

    _said_at: float = -1.0

    def progress(self, fraction: float, text: str = "") -> None:
        now = time.monotonic()
        if now - self._said_at >= SAY_EVERY_S or fraction >= 1.0:
            self._said_at = now
            self._say({"progress": fraction, "text": text})

    def done(self, summary: Mapping[str, Any]) -> None:
        self._say({"done": summary})

    def error(self, text: str) -> None:
        self._say({"error": text})

    @staticmethod
    def _say(value: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()


def begin_child() -> dict[str, Any]:
    """Make this process a job: it yields the processor to trading, dies with its parent, and gives its request."""
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        # When memory runs out, this process goes and the engine stays.
        Path("/proc/self/oom_score_adj").write_text("900")
    line = sys.stdin.buffer.readline()

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
    request = json.loads(line)
    assert isinstance(request, dict), "the first line must be an object"
    return request


# --- folders of jobs ----------------------------------------------------------------------------------------------


@attrs.frozen
class JobFolders:
    """One folder a job below `root`: its view in job.json and whatever the job wrote. All of this blocks."""

    root: Path

    def of(self, job_id: str) -> Path:
        return self.root / job_id

    def begin(self, job_id: str, view: bytes) -> Path:
        """Make the folder. Raises FileExistsError when there was one, OSError."""
        folder = self.of(job_id)
        folder.mkdir(mode=FOLDER_MODE, parents=True)
        # Not synced: a power cut may cost a job that has not begun, and nobody waits for the disk.
        (folder / VIEW).write_bytes(view)
        return folder

    def keep(self, job_id: str, view: bytes) -> None:
        """Write the view anew; nothing when the folder is gone."""
        if self.of(job_id).is_dir():
            KeptFile(self.of(job_id) / VIEW).replace(view)

    def read(self, job_id: str, name: str) -> bytes | None:
        """A file that a job left, None when it left none."""
        try:
            return (self.of(job_id) / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def views(self, limit: int) -> list[bytes]:
        """The newest views, oldest first. What cannot be read is left out."""
        found: list[tuple[float, bytes]] = []
        if self.root.is_dir():
            for path in self.root.glob(f"*/{VIEW}"):
                with contextlib.suppress(OSError):
                    found.append((path.stat().st_mtime, path.read_bytes()))
        found.sort(key=lambda pair: pair[0])
        return [view for _, view in found[-limit:]]

    def remove(self, job_id: str) -> bool:
        """Delete a job's folder; False when there was none."""
        folder = self.of(job_id)
        if not folder.is_dir():
            return False
        shutil.rmtree(folder)
        return True
