"""The watch on the event loop: a thread that notices when the loop stands still and says which line holds it.

Nothing inside a blocked loop can see that it is blocked. A task in the loop beats a pulse; a daemon thread looks at it,
in real time, and when the pulse is late dumps the frames of the loop's thread. A machine that gives the loop no
processor makes its pulse late, too: that is nobody's line, and is counted apart.
"""

import contextlib
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import trio

LIMIT_S: Final = 1.0
"""A loop that stood still for a second has missed a heartbeat of nobody, and no user's patience yet."""
FATAL_S: Final = 10.0
"""After ten it will not come back: the venue has stopped believing in us too."""

NOT_RUN: Final = "the process did not run: it was stopped or swapped out, or other programs had the processor"


@attrs.frozen(kw_only=True)
class LoopBlocked:
    """The loop has stood still for `blocked_s`; `stack` is what its thread was doing, outermost call first."""

    blocked_s: float
    stack: str


class LoopWatch:
    """Calls `on_block` once for each standstill of more than `limit_s`, and `on_fatal` once it lasts `fatal_s`.

    Both are called in the watching thread, since the loop's own cannot: they must not touch trio. `on_block` must not
    wait for anything either: what holds the loop would hold the watch, and `on_fatal` would never be called. Works in
    real time; there is nothing to watch in a simulated world.
    """

    def __init__(
        self,
        on_block: Callable[[LoopBlocked], object],
        *,
        limit_s: float = LIMIT_S,
        fatal_s: float = FATAL_S,
        on_fatal: Callable[[str], object] | None = None,
    ) -> None:
        if not 0 < limit_s <= fatal_s:
            raise ValueError(f"limit_s must be above 0 and at most fatal_s {fatal_s}, was {limit_s}")
        self._on_block = on_block
        self._on_fatal = on_fatal
        self._limit_s = limit_s
        self._fatal_s = fatal_s
        self._loop_thread = 0
        self._loop_task = 0
        self._pulse = time.monotonic()
        self._reported = False
        self._fatal_reported = False
        self._over = threading.Event()
        self._denied_s = 0.0
        """Since the last beat: for so long the loop would have run, and had no processor."""
        self.blocks = 0
        self.starved = 0
        """Standstills for want of a processor; not among `blocks`."""
        self.starved_s = 0.0
        """How long the last of them was."""
        self.longest_s = 0.0

    def pulse_age_s(self) -> float:
        """Seconds since the loop last turned; for health checks from other threads and processes."""
        return time.monotonic() - self._pulse

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Beat the pulse and keep the thread until cancelled."""
        self._loop_thread, self._loop_task = threading.get_ident(), threading.get_native_id()
        self.beat(time.monotonic())
        thread = threading.Thread(target=self._watch, name="genesis loop watch", daemon=True)
        thread.start()
        try:
            task_status.started()
            while True:
                await trio.sleep(self._limit_s / 4)
                self.beat(time.monotonic())
        finally:
            self._over.set()

    def beat(self, now: float) -> None:
        """The loop has turned."""
        self.longest_s = max(self.longest_s, now - self._pulse)
        self._denied_s = 0.0
        self._pulse = now
        self._reported = False
        self._fatal_reported = False

    def _watch(self) -> None:
        looked, worked, waited = time.monotonic(), time.process_time(), self._waited_s()
        while not self._over.wait(self._limit_s / 4):
            now, cpu, queued = time.monotonic(), time.process_time(), self._waited_s()
            self.woke(now, now - looked, cpu - worked, queued - waited)
            self.look(now)
            looked, worked, waited = now, cpu, queued

    def woke(self, now: float, after_s: float, cpu_s: float, waited_s: float = 0.0) -> None:
        """Tell a loop that stands still from one that nobody lets run: `after_s` since the last look, `cpu_s` of
        processor in that time, for `waited_s` of it the loop's thread stood in the queue for one.

        Whoever is stopped (Ctrl-Z, a paused container), swapped out or starved finds a late pulse when he wakes, and
        the loop has had no more time than he had. Code that keeps the interpreter to itself keeps the watch from
        looking, too, but it works meanwhile: that is a standstill like any other.
        """
        late = after_s >= self._limit_s / 2 and cpu_s <= after_s / 2
        denied_s = max(waited_s, after_s if late else 0.0)
        if denied_s <= 0:
            return
        self._pulse = min(now, self._pulse + denied_s)
        before, self._denied_s = self._denied_s, self._denied_s + denied_s
        if before < self._limit_s <= self._denied_s:
            self.starved += 1
            self._on_block(LoopBlocked(blocked_s=self._denied_s, stack=NOT_RUN))
        if self._denied_s >= self._limit_s:
            self.starved_s = self._denied_s

    def look(self, now: float) -> None:
        """Compare the pulse with the clock; one report a standstill."""
        blocked_s = now - self._pulse
        if blocked_s >= self._limit_s and not self._reported:
            self._reported = True
            self.blocks += 1
            self._on_block(LoopBlocked(blocked_s=blocked_s, stack=self._stack()))
        if blocked_s >= self._fatal_s and not self._fatal_reported and self._on_fatal is not None:
            self._fatal_reported = True
            self._on_fatal(f"the event loop has stood still for {blocked_s:.1f} s")

    def _waited_s(self) -> float:
        """Seconds in which the loop's thread could have run and had no processor; 0 where the kernel does not say."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            # Nanoseconds on a processor, nanoseconds in the queue for one, turns: proc(5).
            return int(Path(f"/proc/self/task/{self._loop_task}/schedstat").read_bytes().split()[1]) / 1e9
        return 0.0

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)
        # No locals: they may hold secrets.
        return "".join(traceback.format_stack(frame)) if frame is not None else "the loop's thread has ended"
