"""What all supervisors of one tree share: the nursery where every child lives, and the ears of the outside."""

from collections import deque
from collections.abc import Callable
from typing import Any

import trio

from genesis.core.alarms import Alarms
from genesis.core.aside import Aside
from genesis.core.clock import Clock
from genesis.core.events import SupervisorEvent
from genesis.core.hangs import Hangs
from genesis.core.mailbox import DeadLetter

MAX_DEAD_LETTERS = 10_000
"""Dead letters kept for people to look at; each has also been an event and an alarm."""


class House:
    """One nursery for the whole tree, so that a zombie below does not keep its supervisor from ending and saying so."""

    def __init__(self, clock: Clock, seed: int, on_event: Callable[[SupervisorEvent], None]) -> None:
        self.clock = clock
        self.alarms = Alarms()
        self.aside = Aside()
        self.hangs = Hangs(self.alarms, self.aside.look)
        self.giving_up = False
        """The root gives up: nobody can finish what the rest has begun."""
        self.seed = seed
        self.dead_letters: deque[DeadLetter] = deque(maxlen=MAX_DEAD_LETTERS)
        self.zombies: list[str] = []
        self.listener_errors = 0
        self._on_event = on_event
        self._nursery: trio.Nursery | None = None
        self._generations: dict[str, int] = {}

    @property
    def nursery(self) -> trio.Nursery:
        assert self._nursery is not None, "the tree must be running"
        return self._nursery

    async def shelter(self, closing: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
        """Keep the nursery open, deaf to the outside, until `closing` is set and its last task has ended."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self.aside.run)
                nursery.start_soon(self.alarms.run)
                task_status.started()
                await closing.wait()
                nursery.cancel_scope.cancel()

    def next_generation(self, path: str) -> int:
        """1, 2, ... for each place in the tree; a supervisor's restart does not begin anew."""
        self._generations[path] = self._generations.get(path, 0) + 1
        return self._generations[path]

    def emit(self, event: SupervisorEvent) -> None:
        self.tell(self._on_event, event)

    def tell(self, listener: Callable[[Any], None], news: object) -> None:
        """A full log disk must not end trading: a listener that raises is counted, and the count is shown."""
        try:
            listener(news)
        except Exception:
            self.listener_errors += 1
