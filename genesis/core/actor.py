"""What an actor is, and what its supervisor gives it to live with."""

import random
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import trio

from genesis.core.aside import Aside
from genesis.core.channel import Channel
from genesis.core.clock import Clock
from genesis.core.mailbox import Inbox, Mailbox, Outlet
from genesis.core.term import Term

T = TypeVar("T")


class _Outside:
    """Counts the waits of one term; any number of its tasks may be in it at once."""

    __slots__ = ("_term",)

    def __init__(self, term: Term) -> None:
        self._term = term

    def __enter__(self) -> None:
        self._term.outside += 1

    def __exit__(self, *error: object) -> None:
        self._term.outside -= 1


class Context:
    """One generation's surroundings: its inbox, outlets, clock and chance, and its words to the supervisor."""

    def __init__(
        self,
        *,
        name: str,
        term: Term,
        mailbox: Mailbox,
        clock: Clock,
        aside: Aside,
        chance_seed: str,
        on_ready: Callable[[], None],
    ) -> None:
        self.name = name
        self.generation = term.generation
        self.clock = clock
        self.inbox = Inbox(mailbox, term)
        self.listens = False
        self._aside = aside
        self._term = term
        self._mailbox = mailbox
        self._on_ready = on_ready
        self._is_ready = False
        self._chance: random.Random | None = None
        self._chance_seed = chance_seed
        self._stopping = trio.Event()
        self.outside = _Outside(term)
        """`with ctx.outside:` around what the world outside takes its time for, and what has an end of its own there.

        Without it, whoever has a `hang_timeout_s` and a message in its hands is taken to hang.
        """

    @property
    def chance(self) -> random.Random:
        """This generation's own generator of numbers."""
        if self._chance is None:
            self._chance = random.Random(self._chance_seed)  # noqa: S311
        return self._chance

    def ready(self) -> None:
        """Recovery is done: the supervisor may start the next child. Saying it again does no harm."""
        if not self._is_ready:
            self._is_ready = True
            self._on_ready()

    def outlet(self, channel: Channel[T]) -> Outlet[T]:
        """A fenced way to send to `channel`."""
        return Outlet(channel, self._term)

    def progress(self) -> None:
        """Tell the watchdog that a long piece of work moves on; leasing and acking say so by themselves."""
        self._mailbox.progress += 1

    def step_aside(self) -> Coroutine[Any, Any, None]:
        """Let others go first until the loop comes to rest: what comes now can wait, and what they do cannot."""
        return self._aside.wait(self._term)

    @property
    def stopping(self) -> trio.Event:
        """Set when the supervisor wants this actor to end.

        Whoever asks for this event promises to end soon after it is set: it then gets half of `shutdown_s` to do so,
        and its lease gives what is left, or [], instead of waiting. Everybody else gets nothing new and is cancelled
        when the batch in hand is done.
        """
        self.listens = True
        return self._stopping

    def begin_stop(self, quiet: trio.Event) -> None:
        """For the supervisor: ask the actor to end. `quiet` is set when it comes back for more work instead."""
        self._term.draining = True
        self._mailbox.drained = None if self.listens else quiet
        self._stopping.set()
        self._mailbox.wake()


class Actor(Protocol):
    """State, concurrency and failure in one piece."""

    async def run(self, ctx: Context) -> None:
        """Recover, say `ctx.ready()`, then lease, handle and ack for ever. Raising is a crash; it is how bugs end."""
        ...
