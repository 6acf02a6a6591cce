"""What a supervisor knows of one child: which generation lives, in what state, and how often it failed."""

import trio

from genesis.core.actor import Context
from genesis.core.errors import ChildFailure
from genesis.core.mailbox import Mailbox
from genesis.core.specs import ChildSpec, SupervisorSpec
from genesis.core.term import Term
from protocols.health import ActorStatus


class Child:
    """One place in the start order. The fields below `generation` are of the present generation alone."""

    def __init__(self, spec: ChildSpec | SupervisorSpec, path: str) -> None:
        self.spec = spec
        self.path = path
        # A worker without channels still leases: its timers are `lease(until=...)`.
        self.mailbox = (isinstance(spec, ChildSpec) and spec.mailbox) or Mailbox(path, ())
        self.status = ActorStatus.STOPPED
        self.since = 0.0
        self.restarts = 0
        self.failures = 0
        self.was_ready = False
        self.last_error: str | None = None
        # Timers carry the token of their time; raising it makes all that are under way stale.
        self.token = 0

        self.generation = 0
        self.term: Term | None = None
        self.ctx: Context | None = None
        self.scope = trio.CancelScope()
        self.done = trio.Event()
        self.quiet = trio.Event()
        self.error: BaseException | None = None
        self.condemned: ChildFailure | None = None
        self.stopped_by_me = False
        self.reported = True
        self.ready_at: float | None = None
        self.progress_seen: tuple[int, float | None] = (-1, None)

    def begin(self, generation: int, now: float) -> Term:
        """A new generation: everything that can be used only once is made anew."""
        self.generation = generation
        self.token += 1
        self.term = Term(self.path, self.generation)
        self.mailbox.new_term(self.term)
        self.ctx = None
        self.scope = trio.CancelScope()
        self.done = trio.Event()
        self.quiet = trio.Event()
        self.error = None
        self.condemned = None
        self.stopped_by_me = False
        self.reported = False
        self.ready_at = None
        self.progress_seen = (-1, None)
        self.turn(ActorStatus.STARTING, now)
        return self.term

    def turn(self, status: ActorStatus, now: float) -> None:
        self.status = status
        self.since = now

    @property
    def lives(self) -> bool:
        """True while its task runs, or its exit has not been dealt with."""
        return not self.reported

    def rests(self) -> None:
        """A look that found no work pending: its time runs anew from the next look that does."""
        self.progress_seen = (self.mailbox.progress, None)

    def forgive(self, seconds: float) -> None:
        """So much of the time since a look found work undone was nobody's to work in."""
        count, since = self.progress_seen
        if since is not None:
            self.progress_seen = (count, since + seconds)

    def is_stuck(self, now: float) -> bool:
        """Look at its progress. True when it had work pending and did none of it for `progress_timeout_s`."""
        count, since = self.progress_seen
        assert self.term is not None
        # Waiting for room elsewhere is the receiver's lack of progress; the receiver is watched itself.
        busy = not self.mailbox.idle and not self.term.waiting
        if not busy or self.mailbox.progress != count or since is None:
            # Time runs from the first look that finds work undone, so that nobody is judged before the time is up.
            self.progress_seen = (self.mailbox.progress, now if busy else None)
            return False
        limit = self.spec.progress_timeout_s if isinstance(self.spec, ChildSpec) else None
        return limit is not None and now - since >= limit
