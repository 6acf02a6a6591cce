"""A simulated process: a name, a machine, a clock that may be off, sockets of its own, and a sudden end.

Its tasks know it by a context variable, which children inherit. trio cannot kill tasks: a dead process is cut off from
network and disk first, and only then cancelled, so that its clean-up code runs but can reach nothing.
"""

import contextvars
from collections.abc import Callable

import attrs
import trio

_current: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("process", default=None)


def current_process() -> "Process | None":
    """Whose task is running."""
    return _current.get()


def process_of(task: trio.lowlevel.Task) -> "Process | None":
    return task.context.get(_current)


class ProcessDied(Exception):
    """A dead process reached for its disk or the network."""


@attrs.define(eq=False)
class Process:
    """`machine` is an address; processes of one machine share its loopback."""

    name: str
    machine: str
    clock_off_s: float = 0.0
    mortal: bool = True
    """Whether a plan may kill it between any two steps: then every word that it sends ends one."""
    alive: bool = True
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    on_death: list[Callable[[], None]] = attrs.field(factory=list)

    def enter(self) -> None:
        """From here on the running task and its children belong to this process."""
        _current.set(self)

    def check_alive(self) -> None:
        if not self.alive:
            raise ProcessDied(f"{self.name} is dead")

    def kill(self) -> None:
        """Now, between two steps: whatever is in memory is gone. Never waits; safe to say twice."""
        if self.alive:
            self.alive = False
            for call in self.on_death:
                call()
            self.scope.cancel()
