"""The short watch: an actor that has taken work, waits for nobody, and neither finishes nor takes more, hangs.

The long watch (`progress_timeout_s`) must be patient: it cannot tell a hang from a slow disk. Here everybody who waits
says so - a put that waits for room, a question for its answer, `Context.outside` for what the world outside takes - and
what is left is an actor's own doing, which takes milliseconds.

Time is counted by looks: a loop that stood still, or a machine that slept, must not be taken for a hang of whoever had
work in its hands. Nobody is looked at who has none: a mailbox reports when its actor takes the first of it.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs
import trio

from genesis.core.alarms import Alarms
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
    began_at: float = 0.0
    """When it took its work: no look counts what was before that."""

    def is_over(self, passed_s: float, now: float) -> bool:
        """One look: True when there is nothing to look at until the next message is taken."""
        box = self.mailbox
        if not box.unacked:
            box.watched, self.progress = False, -1
            return True
        if box.progress != self.progress or box.term is None or box.term.waiting or box.term.outside:
            self.progress, self.idle_s = box.progress, 0.0
            return False
        self.idle_s += min(passed_s, now - self.began_at)
        if self.idle_s >= self.timeout_s:
            self.idle_s = 0.0
            self.on_hang()
        return False


class Hangs:
    """All short watches of a tree, by the tree's own timer: a look while anybody holds messages, and none else.

    `on_look` is called at each; True from it asks for another, though nobody holds any by then.
    """

    def __init__(self, alarms: Alarms, on_look: Callable[[], bool]) -> None:
        self._alarms = alarms
        self._on_look = on_look
        self._busy: list[HangWatch] = []
        self._looks = False
        """Whether the next look is set."""
        self._looked_at = 0.0

    def watch(self, place: HangWatch) -> None:
        """From now on this mailbox reports when its actor takes a message while it holds none."""
        place.mailbox.on_work = partial(self._has_work, place)

    def _has_work(self, place: HangWatch) -> None:
        place.mailbox.watched = True
        place.progress, place.idle_s = place.mailbox.progress, 0.0
        place.began_at = trio.current_time()
        self._busy.append(place)
        if not self._looks:
            self._looks = True
            self._looked_at = place.began_at
            self._alarms.at(self._looked_at + LOOK_S, self._look)

    def _look(self) -> None:
        now = trio.current_time()
        passed_s, self._looked_at = min(now - self._looked_at, LONGEST_LOOK_S), now
        self._busy = [place for place in self._busy if not place.is_over(passed_s, now)]
        more = self._on_look()
        self._looks = more or bool(self._busy)
        if self._looks:
            self._alarms.at(now + LOOK_S, self._look)
