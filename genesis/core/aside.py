"""Where those stand aside who can wait for a moment, while what they heard of makes others act.

They come back when the loop comes to rest: when nobody can go on without the kernel, a disk or a clock. The loop's
clock tells of that (`genesis/core/rest.py`). A task that turned the loop until then was once a third of all steps
between a tick and its order.

A loop that never comes to rest would keep them for ever. They hold messages, or have just given some to those who act,
so whoever looks for actors that hang looks as long as they wait, and ends their waiting, too.
"""

import trio

from genesis.core.rest import RestClock, loop_at_rest
from genesis.core.term import Term
from genesis.core.woken import place_to_sleep, sleep, wake


class Aside:
    """One for each tree of actors; `run` lives as long as they do."""

    def __init__(self) -> None:
        self._waiting: dict[trio.lowlevel.Task, None] = {}
        self._round = 0
        self._seen = -1
        self._clock: RestClock | None = None
        self._will_hear = False
        self._runner: trio.lowlevel.Task | None = None

    async def wait(self, term: Term) -> None:
        """Come back when nobody else can go on, and at the second `look` in any case. A checkpoint.

        `term` is told that it waits for what others do: how long that takes is everybody's doing, and no hang of its.
        """
        mine = trio.lowlevel.current_task()
        self._waiting[mine] = None
        if self._clock is not None and not self._will_hear:
            self._will_hear = True
            self._clock.at_rest(self._hear)
        if self._runner is not None:
            wake(self._runner)
            self._runner = None

        def abort(_: object) -> trio.lowlevel.Abort:
            del self._waiting[mine]
            return trio.lowlevel.Abort.SUCCEEDED

        term.outside += 1
        try:
            await sleep(place_to_sleep(abort))
        finally:
            term.outside -= 1

    async def run(self) -> None:
        """Bring them back at rest. Run it once, beside the actors: under a clock that does not tell it waits itself."""
        clock = trio.lowlevel.current_clock()
        if isinstance(clock, RestClock):
            self._clock = clock
            if self._waiting:
                self._will_hear = True
                clock.at_rest(self._hear)
            return
        while True:
            if self._waiting:
                await loop_at_rest()
                self._end()
            else:
                self._runner = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._no_runner)

    def look(self) -> bool:
        """To be called now and then: whoever has waited since the look before comes back, rest or not. True while
        somebody waits for another look."""
        if self._waiting and self._seen == self._round:
            self._end()
        self._seen = self._round if self._waiting else -1
        return bool(self._waiting)

    def _hear(self) -> None:
        """The clock tells of rest."""
        self._will_hear = False
        self._end()

    def _end(self) -> None:
        self._round += 1
        for task in self._waiting:
            wake(task)
        self._waiting.clear()

    def _no_runner(self, _: object) -> trio.lowlevel.Abort:
        self._runner = None
        return trio.lowlevel.Abort.SUCCEEDED
