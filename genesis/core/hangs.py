"""The short watch: an actor that has taken work, waits for nobody, and neither finishes nor takes more, hangs.

The long watch (`progress_timeout_s`) must be patient: it cannot tell a hang from a slow disk. Here everybody who waits
says so - a put that waits for room, a question for its answer, `Context.outside` for what the world outside takes - and
what is left is an actor's own doing, which takes milliseconds.

Time is counted by looks: a loop that stood still, or a machine that slept, must not be taken for a hang of whoever had
work in its hands. Nobody is looked at who has none: a mailbox reports when its actor takes the first of it.
"""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from genesis.core.mailbox import Mailbox

LOOK_S: Final = 0.5
LONGEST_LOOK_S: Final = 1.5 * LOOK_S
"""What one look counts at most, however late it comes."""


@attrs.define(eq=False)
class HangWatch:
    """One actor's place: its mailbox, and what is done when it hangs. `on_hang` gives False where nobody lives."""

    mailbox: Mailbox
    timeout_s: float
    on_hang: Callable[[], object]
    progress: int = -1
    idle_s: float = 0.0
    watched: bool = False

    def is_over(self, passed_s: float) -> bool:
        """One look: True when there is nothing to look at until the next message is taken."""
        box = self.mailbox
        if not box.unacked:
            self.watched, self.progress = False, -1
            return True
        if box.progress != self.progress or box.term is None or box.term.waiting or box.term.outside:
            self.progress, self.idle_s = box.progress, 0.0
            return False
        self.idle_s += passed_s
        if self.idle_s >= self.timeout_s:
            self.idle_s = 0.0
            self.on_hang()
        return False


class Hangs:
    """All short watches of a tree. `run` lives as long as its actors do."""

    def __init__(self) -> None:
        self._busy: list[HangWatch] = []
        self._woken = trio.Event()

    def watch(self, place: HangWatch) -> None:
        """From now on this mailbox reports when its actor takes a message while it holds none."""
        place.mailbox.on_work = lambda: self._has_work(place)

    def _has_work(self, place: HangWatch) -> None:
        if not place.watched:
            place.watched = True
            place.progress, place.idle_s = place.mailbox.progress, 0.0
            self._busy.append(place)
            self._woken.set()

    async def run(self) -> None:
        """Look at who is busy. Run it once, beside the actors."""
        while True:
            await self._woken.wait()
            self._woken = trio.Event()
            looked_at = trio.current_time()
            while self._busy:
                await trio.sleep(LOOK_S)
                now = trio.current_time()
                passed_s, looked_at = min(now - looked_at, LONGEST_LOOK_S), now
                self._busy = [place for place in self._busy if not place.is_over(passed_s)]
