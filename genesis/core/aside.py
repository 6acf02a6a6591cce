"""Where those stand aside who can wait for a moment, while what they heard of makes others act.

One task turns the loop for all of them: if each did so by itself, a decision that six others hear of would wait for six
more tasks in every turn.
"""

from collections import deque
from typing import Final

import trio

TURNS: Final = 14
"""Turns of the loop from a closed candle to its order's frame, and a few more."""


class Aside:
    """One for each tree of actors; `run` lives as long as they do."""

    def __init__(self) -> None:
        self._turn = 0
        self._waiting: deque[tuple[int, trio.lowlevel.Task]] = deque()
        self._runner: trio.lowlevel.Task | None = None

    async def wait(self) -> None:
        """Come back when the loop has turned `TURNS` times. A checkpoint."""
        mine = (self._turn + TURNS, trio.lowlevel.current_task())
        self._waiting.append(mine)
        if self._runner is not None:
            trio.lowlevel.reschedule(self._runner)
            self._runner = None

        def abort(_: object) -> trio.lowlevel.Abort:
            self._waiting.remove(mine)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    async def run(self) -> None:
        """Turn the loop while somebody waits. Run it once, beside the actors."""
        while True:
            if self._waiting:
                await trio.lowlevel.cancel_shielded_checkpoint()
                self._turn += 1
            else:
                self._runner = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._no_runner)
            while self._waiting and self._waiting[0][0] <= self._turn:
                trio.lowlevel.reschedule(self._waiting.popleft()[1])

    def _no_runner(self, _: object) -> trio.lowlevel.Abort:
        self._runner = None
        return trio.lowlevel.Abort.SUCCEEDED
