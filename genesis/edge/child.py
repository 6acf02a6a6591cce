"""A child process that is asked questions over its pipes, each with a deadline. It knows nothing of what they mean."""

import contextlib
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ANSWER_BYTES: Final = 1 << 20


class ChildError(Exception):
    """The child gave no answer, and is gone.

    ChildError
     +-- ChildSilent   it did not answer in time, and was killed
     +-- ChildGone     it ended by itself
    """


class ChildSilent(ChildError):
    pass


class ChildGone(ChildError):
    pass


class Child:
    """Started by the first question, and again by the next one after it was lost. Safe to ask from several threads."""

    def __init__(self, command: Sequence[str], *, folder: Path | None, environment: Mapping[str, str]) -> None:
        self._command, self._folder, self._environment = tuple(command), folder, dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.starts_total = 0

    def ask(self, question: bytes, *, within_s: float) -> bytes:
        """The answer to one frame. Raises ChildError; the child is then gone."""
        with self._lock:
            try:
                process = self._process or self._start()
            except OSError as error:
                # No memory, no more processes or files: what asks must know it for the child's trouble, not its own.
                raise ChildGone(f"a process must start, did not: {error.strerror}") from None
            until = time.monotonic() + within_s
            try:
                assert process.stdin is not None
                process.stdin.write(len(question).to_bytes(4, "big") + question)
                process.stdin.flush()
                size = int.from_bytes(self._read(process, 4, until), "big")
                if size > ANSWER_BYTES:
                    raise ChildGone(f"an answer must be at most {ANSWER_BYTES} bytes, was {size}")
                return self._read(process, size, until)
            except (ChildError, OSError) as error:
                self._end(process)
                if isinstance(error, ChildError):
                    raise
                raise ChildGone(f"the process ended with code {process.returncode}") from None

    @property
    def running(self) -> bool:
        return self._process is not None

    def close(self) -> None:
        with self._lock:
            if self._process is not None:
                self._end(self._process)

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts_total += 1
        # The command is the house's own; what varies is a path.
        self._process = subprocess.Popen(  # noqa: S603
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self._folder,
            env=self._environment,
            # Ctrl-C on a terminal is for the engine, which then ends its children.
            start_new_session=True,
        )
        return self._process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        self._process = None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _read(self, process: subprocess.Popen[bytes], size: int, until: float) -> bytes:
        assert process.stdout is not None
        found = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while len(found) < size:
                left = until - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise ChildSilent("no answer came in time")
                part = os.read(process.stdout.fileno(), size - len(found))
                if not part:
                    process.wait()
                    raise ChildGone(f"the process ended with code {process.returncode}")
                found += part
        return found
