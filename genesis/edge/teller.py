"""Lines for a terminal, said by a thread of their own: a terminal that stands still holds nobody up.

A terminal takes no more while its person looks at something (Ctrl-S, a pager), a pipe while its reader hangs (a
container's log driver). Whoever writes then waits, and the loop that trades must not.
"""

import contextlib
import os
import select
import threading
from collections import deque
from typing import Final, TextIO

ROOM: Final = 1000
"""Lines that wait for a terminal that stands still; what is said beyond them is counted. The log file has them all."""


class Teller:
    """Says text on a stream, in order. `stream` is None where a process has none.

    Nothing here raises for what becomes of the words: the terminal may be gone, or a file on a disk that is full.
    """

    def __init__(self, stream: TextIO | None, *, room: int = ROOM) -> None:
        self._stream = stream
        self._room = room
        self._waiting: deque[str] = deque()
        self._unsaid = 0
        self._changed = threading.Condition()
        self._busy = False
        self._thread: threading.Thread | None = None

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def say(self, text: str) -> None:
        """Have it said soon. Returns at once."""
        with self._changed:
            if len(self._waiting) >= self._room:
                self._unsaid += 1
                return
            self._waiting.append(text)
            if self._thread is None or not self._thread.is_alive():
                # A daemon: a terminal that stands still must not keep the process from its end either.
                self._thread = threading.Thread(target=self._speak, name="genesis teller", daemon=True)
                # The system may have no room for a thread now: then the next line asks for one.
                with contextlib.suppress(RuntimeError):
                    self._thread.start()
            self._changed.notify_all()

    def end(self, within_s: float) -> bool:
        """Wait until all of it is said; False when that takes longer than `within_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout=within_s)

    def _speak(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                text, self._busy = self._waiting.popleft(), True
                if not self._waiting and self._unsaid:
                    text += f"genesis: {self._unsaid} lines were not shown, nobody took them; the log file has them\n"
                    self._unsaid = 0
            # It may be closed, gone, or full.
            with contextlib.suppress(OSError, ValueError):
                self._write(text)

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            number = self._stream.fileno()
        except OSError:
            # Not a file of the system's: a test's.
            self._stream.write(text)
            return
        # Past Python's own buffer, whose lock this thread would hold for as long as the terminal stands still: whoever
        # has last words to say could not, and the interpreter could not end.
        left = memoryview(text.encode(errors="backslashreplace"))
        while left:
            try:
                left = left[os.write(number, left) :]
            except BlockingIOError:
                # Whoever shares the terminal (a shell's other job, a parent) may have told it to keep nobody waiting.
                room = select.poll()
                room.register(number, select.POLLOUT)
                room.poll()
