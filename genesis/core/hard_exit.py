"""The last way out: leave the process when an orderly end has not come by a deadline."""

import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Final

EXIT_CODE: Final = 70
"""EX_SOFTWARE of sysexits.h: neither success nor any code that the commands use."""
LAST_WORDS_S: Final = 2.0
"""How long the reason may take to be told: a pipe that nobody reads takes for ever."""


class HardExit:
    """A thread's deadline on the whole process: armed at the start of a shutdown, disarmed at its end.

    A shielded task cannot be cancelled and its nursery cannot be left; only the process can. `leave` is the port that
    tests replace.
    """

    def __init__(self, *, exit_code: int = EXIT_CODE, leave: Callable[[int], object] = os._exit) -> None:
        self._exit_code = exit_code
        self._leave = leave
        self._timer: threading.Timer | None = None

    def arm(self, after_s: float, reason: str) -> None:
        """Leave after `after_s` seconds of real time unless disarmed. The first deadline stands."""
        if self._timer is None:
            self._timer = threading.Timer(after_s, self.now, (f"{reason}: no end after {after_s:g} s",))
            self._timer.daemon = True
            self._timer.start()

    def disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def now(self, reason: str) -> None:
        """Say why and where every thread stands, then leave: no finally block, no flush but ours.

        It leaves whatever becomes of the words: stderr may be closed, on a full disk, or a pipe that nobody reads.
        """
        try:
            impatience = threading.Timer(LAST_WORDS_S, self._leave, (self._exit_code,))
            impatience.daemon = True
            impatience.start()
            sys.stderr.write(f"genesis: hard exit: {reason}\n")
            sys.stderr.flush()
            # Not by faulthandler: it keeps the interpreter while it writes, and a pipe that is full then keeps us all.
            sys.stderr.write(_stacks())
            sys.stderr.flush()
            impatience.cancel()
        finally:
            self._leave(self._exit_code)


def _stacks() -> str:
    """Where every thread stands, its innermost call last; without locals, which may hold secrets."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "".join(
        f"Thread {names.get(number, number)}:\n{''.join(traceback.format_stack(frame))}"
        for number, frame in sys._current_frames().items()
    )
