"""The supervisor: starts children in order, stops them in reverse, restarts them by OTP's rules, and may give up.

One task runs the loop and hears everything through one unbounded control queue: exits, readiness, timers, requests to
stop. It waits for nothing but that queue, and for the children it stops, each of which has a deadline. Back-off is a
timer in the queue, so the pause of one child never delays the crash of another or a shutdown.

Children live in a nursery under a shielded scope. Only the supervisor hears a cancellation from outside, and stops
them one by one in reverse: a plain nursery would end them in any order.
"""

import math
import random
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NoReturn

import msgspec
import trio

from genesis.core import exits
from genesis.core.actor import Context
from genesis.core.block_graph import check_block_graph as check_block_graph
from genesis.core.child import Child
from genesis.core.clock import Clock
from genesis.core.control import (
    ControlMessage,
    ControlQueue,
    Crash,
    Exited,
    Overdue,
    RestartDue,
    StartTimeout,
)
from genesis.core.errors import BlockCycle as BlockCycle
from genesis.core.errors import ChildFailure, Escalated, Killed, Returned, StartFailed, Stuck
from genesis.core.events import EventKind as EventKind
from genesis.core.events import SupervisorEvent as SupervisorEvent
from genesis.core.hangs import HangWatch
from genesis.core.house import House
from genesis.core.mailbox import DeadLetter
from genesis.core.restart import AutoShutdown as AutoShutdown
from genesis.core.restart import Restart as Restart
from genesis.core.restart import RestartBudget
from genesis.core.restart import Strategy as Strategy
from genesis.core.specs import ChildSpec as ChildSpec
from genesis.core.specs import SupervisorSpec as SupervisorSpec
from genesis.core.specs import mailboxes, validate
from genesis.core.term import Term
from protocols.health import ActorStatus, ActorView, BudgetView

_ON_THE_WAY = (ActorStatus.STARTING, ActorStatus.BACKING_OFF)

_OVER = (ActorStatus.STOPPING, ActorStatus.STOPPED)

_GRACE_CHECKPOINTS = 10
"""A loop that was blocked past a deadline wakes waiter and child together: the child gets its turn first."""

WATCHES: Final = 4.0
"""Looks at everybody's progress in the shortest time-out of them: who is stuck is found within a quarter past it."""


GIVING_UP_S: Final = 0.2
"""How long a child may take to finish its batch when the root has given up: what it waits for may never come, and until
the process has ended no other can look after what is open."""


class Supervisor:
    """Runs a tree of children. `on_event` hears what happens; it must be quick, and if it raises that is only counted.

    `last_resort` is called with a reason when everything else has stopped and only zombies keep `run()` from ending:
    trio cannot leave a nursery with a live task, so the process must be left (`HardExit.now`).
    """

    def __init__(
        self,
        spec: SupervisorSpec,
        *,
        clock: Clock,
        chance: random.Random,
        on_event: Callable[[SupervisorEvent], None],
        last_resort: Callable[[str], object] | None = None,
    ) -> None:
        validate(spec)
        self._init(spec, spec.id, House(clock, chance.getrandbits(64), on_event), last_resort)

    def _init(
        self, spec: SupervisorSpec, path: str, house: House, last_resort: Callable[[str], object] | None = None
    ) -> None:
        self._spec = spec
        self._path = path
        self._house = house
        self._chance = random.Random(f"{house.seed}-{path}")  # noqa: S311
        self._mailboxes = tuple(mailboxes(spec))
        self._children = [Child(child, f"{path}/{child.id}") for child in spec.children]
        self._inner: dict[Child, Supervisor] = {}
        self._budget = RestartBudget(spec.intensity, spec.period_s)
        self._queue = ControlQueue(house.clock, house.alarms)
        self._pending: list[Child] = []
        self._booting = True
        self._stop_requested = False
        self._leaving: BaseException | None = None
        self._zombies = 0
        # The root stops for good; one below may be started again by its parent, and its mailboxes then live on.
        self._for_good = path == spec.id
        self._status = ActorStatus.STOPPED
        self._since = 0.0
        self._started = False
        self._ended = trio.Event()
        self._last_resort = last_resort

    @classmethod
    def _nested(cls, spec: SupervisorSpec, path: str, house: House) -> "Supervisor":
        supervisor = cls.__new__(cls)
        supervisor._init(spec, path, house)
        return supervisor

    # --- for the outside ------------------------------------------------------------------------------------------

    @property
    def dead_letters(self) -> deque[DeadLetter]:
        """Messages put aside anywhere in the tree, oldest first."""
        return self._house.dead_letters

    @property
    def zombies(self) -> tuple[str, ...]:
        """Children that did not end when told to. They are fenced, and they are still there."""
        return tuple(self._house.zombies)

    @property
    def listener_errors(self) -> int:
        """How often `on_event` or an alarm raised."""
        return self._house.listener_errors

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start all children in order, then keep them running until `stop()` or until giving up.

        `task_status.started()` comes when all are ready. Raises Escalated when the supervisor gave up or could not
        start; all children have been stopped in reverse order by then, as they have when it is cancelled.
        """
        failure: BaseException | None = None
        async with trio.open_nursery() as nursery:
            closing = trio.Event()
            await nursery.start(self._house.shelter, closing)
            try:
                await self._live(task_status.started)
            except (ChildFailure, *exits.WAYS_OUT, BaseExceptionGroup) as error:
                failure = error
            finally:
                if self._house.zombies and self._last_resort is not None:
                    self._last_resort(f"zombies: {', '.join(self._house.zombies)}")
                closing.set()
        if failure is not None:
            raise failure

    async def stop(self) -> None:
        """Stop all children in reverse order, each within its deadline, and end `run()` normally."""
        self._request_stop(for_good=True)
        if self._started:
            await self._ended.wait()

    def kill(self, path: str, *, reason: str) -> bool:
        """Chaos: crash the child at `path` ("trading/order", with or without the root's name) now.

        False when there is no such child or it does not run. The message in its hands is not blamed for the crash.
        """
        names = path.split("/")
        if names[0] == self._spec.id and not any(child.spec.id == names[0] for child in self._children):
            names = names[1:]
        if not names:
            return False
        child = next((child for child in self._children if child.spec.id == names[0]), None)
        if child is None or not child.lives or child.stopped_by_me:
            return False
        inner = self._inner.get(child)
        if len(names) > 1:
            return inner is not None and inner.kill("/".join(names[1:]), reason=reason)
        if inner is not None:
            inner._queue.post(Crash(Killed(reason)))
            return True
        return self._condemn(child, Killed(reason))

    def tree(self) -> ActorView:
        """A snapshot of the tree from here down; `since_s` and `last_progress_s` are seconds ago."""
        now = self._house.clock.now()
        return self._view(now, restart=self._spec.restart.value, generation=1, restarts=0, last_error=None)

    def idle(self) -> bool:
        """True when no message is queued, leased, or in line for room anywhere below."""
        return all(mailbox.idle for mailbox in self._mailboxes)

    # --- the loop -------------------------------------------------------------------------------------------------

    async def _live(self, on_ready: Callable[[], None]) -> None:
        assert not self._started, f"{self._path} must run once, was started again"
        self._started = True
        self._turn(ActorStatus.STARTING)
        try:
            self._pending.extend(self._children)
            self._schedule_watch(self._watched())
            while not self._stop_requested:
                self._advance()
                if self._booting and not self._pending and not self._anybody(*_ON_THE_WAY):
                    self._booting = False
                    self._turn(ActorStatus.RUNNING)
                    on_ready()
                control = await self._queue.next()
                if control is not None:
                    await self._handle(control)
            if self._booting:
                on_ready()
        finally:
            self._turn(ActorStatus.STOPPING)
            with trio.CancelScope(shield=True):
                await self._stop_all()
            self._turn(ActorStatus.STOPPED)
            self._ended.set()

    def _request_stop(self, *, for_good: bool) -> None:
        self._stop_requested = True
        self._for_good = self._for_good or for_good
        self._queue.wake()

    async def _handle(self, control: ControlMessage) -> None:
        match control:
            case Exited(child, generation):
                # Fenced twice: a stale generation, and an end that we asked for ourselves.
                if generation == child.generation and child.lives and not child.stopped_by_me:
                    await self._on_exit(child)
            case StartTimeout(child, token):
                if token == child.token and child.status is ActorStatus.STARTING:
                    limit = child.spec.start_timeout_s if isinstance(child.spec, ChildSpec) else math.inf
                    self._condemn(child, StartFailed(f"{child.path} must be ready within {limit:g} s, was not"))
            case Overdue(child, token):
                if token == child.token and child.lives and not child.done.is_set():
                    self._bury_alive(child)
                    self._give_up(f"{child.path} is a zombie", child.condemned)
            case RestartDue(child, token):
                if token == child.token:
                    self._queue_group(child)
            case Crash(reason):
                raise reason

    # --- starting -------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Start whom it is time to start: in order, each after the one before is ready.

        Under one_for_one a child that has been ready before waits for nobody: the one that is starting now may be
        waiting for its answer.
        """
        one_for_one = self._spec.strategy is Strategy.ONE_FOR_ONE
        starting = self._anybody(ActorStatus.STARTING)
        still_pending: list[Child] = []
        for child in self._pending:
            if not starting or (one_for_one and (child.was_ready or not self._booting)):
                self._start(child)
                starting = True
            else:
                still_pending.append(child)
        self._pending = still_pending

    def _anybody(self, *statuses: ActorStatus) -> bool:
        return any(child.status in statuses for child in self._children)

    def _start(self, child: Child) -> None:
        now = self._house.clock.now()
        term = child.begin(self._house.next_generation(child.path), now)
        self._emit(EventKind.STARTED, child)
        if isinstance(child.spec, SupervisorSpec):
            inner = Supervisor._nested(child.spec, child.path, self._house)
            self._inner[child] = inner
            self._house.nursery.start_soon(self._run_supervisor, child, inner, term, name=child.path)
        else:
            self._queue.at(now + child.spec.start_timeout_s, StartTimeout(child, child.token))
            child.mailbox.alarms = self._house.alarms
            if child.spec.hang_timeout_s is not None and child.mailbox.on_work is None:
                self._watch_for_hangs(child, child.spec.hang_timeout_s)
            child.ctx = Context(
                name=child.path,
                term=term,
                mailbox=child.mailbox,
                clock=self._house.clock,
                aside=self._house.aside,
                chance_seed=f"{self._house.seed}-{child.path}-{child.generation}",
                on_ready=lambda: self._on_ready(child, term.generation),
            )
            self._house.nursery.start_soon(self._run_worker, child, child.spec, child.ctx, term, name=child.path)

    def _on_ready(self, child: Child, generation: int) -> None:
        # Called in the child's own task: a turn of our loop just to note it would delay every restart.
        if generation != child.generation or child.status is not ActorStatus.STARTING:
            return
        now = self._house.clock.now()
        child.ready_at = now
        child.was_ready = True
        child.turn(ActorStatus.RUNNING, now)
        self._emit(EventKind.READY, child)
        if self._booting or self._pending:
            self._queue.wake()

    async def _run_worker(self, child: Child, spec: ChildSpec, ctx: Context, term: Term) -> None:
        try:
            with child.scope:
                await spec.start().run(ctx)
        except BaseException as error:  # noqa: ASYNC103 - how it ended is the supervisor's to judge, a cancellation too
            child.error = error
        self._task_over(child, term)

    async def _run_supervisor(self, child: Child, inner: "Supervisor", term: Term) -> None:
        try:
            with child.scope:
                await inner._live(lambda: self._on_ready(child, term.generation))
        except BaseException as error:  # noqa: ASYNC103 - as above
            child.error = error
        self._task_over(child, term)

    def _task_over(self, child: Child, term: Term) -> None:
        child.done.set()
        child.quiet.set()
        if child.status is ActorStatus.ZOMBIE:
            # It ends at last, and finds that its place has been given up.
            self._house.zombies.remove(child.path)
        else:
            self._queue.post(Exited(child, term.generation))

    # --- exits ----------------------------------------------------------------------------------------------------

    async def _on_exit(self, child: Child) -> None:
        error, blame = self._settle(child)
        if self._leaving is not None:
            raise self._leaving
        now = self._house.clock.now()
        never_ready = child.status is ActorStatus.STARTING
        if error is None:
            self._emit(EventKind.ENDED, child)
        else:
            self._emit(EventKind.CRASHED, child, text=child.last_error or "", error=error)
        self._end_term(child, blame)
        child.turn(ActorStatus.STOPPED, now)
        if error is not None and never_ready and self._booting and not child.was_ready:
            self._give_up(f"{child.path} did not start: {child.last_error}", error)
        if error is None or child.spec.restart is Restart.TEMPORARY:
            self._end_of(child)
            return
        if isinstance(child.spec, ChildSpec) and isinstance(error, child.spec.hopeless):
            self._give_up(f"another life of {child.path} is of no use: {child.last_error}", error)
        child.restarts += 1
        if not self._budget.spend(now):
            limit = f"{self._spec.intensity} in {self._spec.period_s:g} s"
            self._give_up(f"more restarts than {limit}, the last one by {child.path}: {child.last_error}", error)
        # A branch that gave up was failing all the while it lived, and it takes minutes to give up: no stable life.
        gave_up = isinstance(error, Escalated)
        if not gave_up and child.ready_at is not None and now - child.ready_at >= self._spec.stable_after_s:
            child.failures = 0
        child.failures += 1
        if child.failures > self._spec.max_consecutive:
            self._give_up(f"{child.path} failed {child.failures} times in a row: {child.last_error}", error)
        await self._restart(child, now)

    def _settle(self, child: Child) -> tuple[BaseException | None, str | None]:
        """Read how a task ended: its crash, or None for a normal end; and what to blame its message for, if at all."""
        child.reported = True
        raised = self._raised(child)
        error: BaseException | None = child.condemned
        if error is None and raised is not None:
            error = exits.crash(raised) or ChildFailure(f"{child.path} was cancelled by nobody who may")
        if error is None and child.spec.restart is Restart.PERMANENT:
            error = Returned(f"{child.path} is permanent and must not return, did")
            if child.status is ActorStatus.STARTING:
                error = StartFailed(f"{child.path} must say ready() before it returns, did not")
        if error is None:
            return None, None
        child.last_error = exits.first_line(error)
        return error, None if isinstance(error, Killed) else child.last_error

    def _raised(self, child: Child) -> BaseException | None:
        raised, child.error = child.error, None
        if raised is not None:
            # Raised again when all children have been stopped, not before.
            self._leaving = self._leaving or exits.way_out(raised)
        return raised

    def _end_term(self, child: Child, blame: str | None) -> None:
        letter = child.mailbox.end_term(blame=blame)
        if child.term is not None:
            child.term.over = True
        if letter is None:
            return
        self._house.dead_letters.append(letter)
        self._emit(EventKind.DEAD_LETTER, child, text=f"{letter.channel}: {letter.error}", letter=letter)
        if child.mailbox.alarm is not None:
            self._house.tell(child.mailbox.alarm, letter)

    def _end_of(self, child: Child) -> None:
        """A child has ended by itself and is not started again."""
        if child.spec.restart is Restart.TEMPORARY:
            self._forget(child)
        if not child.spec.significant:
            return
        others = any(other.spec.significant and other is not child and self._active(other) for other in self._children)
        if self._spec.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT or not others:
            self._stop_requested = True

    def _active(self, child: Child) -> bool:
        return child.lives or child.status is ActorStatus.BACKING_OFF or child in self._pending

    def _forget(self, child: Child) -> None:
        self._children.remove(child)
        self._inner.pop(child, None)
        if child in self._pending:
            self._pending.remove(child)
        for mailbox in mailboxes(child.spec):
            mailbox.close()

    async def _restart(self, child: Child, now: float) -> None:
        """Take down whom the strategy takes down with it, and have the group started when the pause is over."""
        for other in reversed(self._group(child)):
            if other is child:
                continue
            await self._stop_child(other, for_good=False)
            if other.spec.restart is Restart.TEMPORARY:
                self._forget(other)
        if self._leaving is not None:
            raise self._leaving
        if self._zombies:
            self._give_up(f"{self._zombies} of its children did not end: {', '.join(self._house.zombies)}", None)
        delay = child.spec.backoff.delay_s(child.failures, self._chance)
        child.turn(ActorStatus.BACKING_OFF, now)
        if delay > 0:
            self._emit(EventKind.BACKING_OFF, child, delay_s=delay)
            self._queue.at(self._house.clock.now() + delay, RestartDue(child, child.token))
        else:
            self._queue_group(child)

    def _group(self, child: Child) -> list[Child]:
        match self._spec.strategy:
            case Strategy.ONE_FOR_ONE:
                return [child]
            case Strategy.ONE_FOR_ALL:
                return list(self._children)
            case Strategy.REST_FOR_ONE:
                return self._children[self._children.index(child) :]

    def _queue_group(self, child: Child) -> None:
        wanted = {*self._pending, *self._group(child)}
        self._pending = [other for other in self._children if other in wanted]

    def _give_up(self, why: str, cause: BaseException | None) -> NoReturn:
        self._emit_self(EventKind.ESCALATED, why, cause)
        if self._for_good:
            self._house.giving_up = True
        raise Escalated(f"{self._path} gave up: {why}") from cause

    # --- condemning: crashes by verdict ---------------------------------------------------------------------------

    def _condemn(self, child: Child, verdict: ChildFailure) -> bool:
        """Crash a child whose own code did not. It must end within `shutdown_s`, as when it is stopped."""
        if not child.lives or child.stopped_by_me or child.condemned is not None or child.done.is_set():
            return False
        child.condemned = verdict
        child.scope.cancel()
        self._queue.at(self._house.clock.now() + child.spec.shutdown_s, Overdue(child, child.token))
        return True

    def _watched(self) -> list[tuple[Child, float]]:
        return [
            (child, child.spec.progress_timeout_s)
            for child in self._children
            if isinstance(child.spec, ChildSpec) and child.spec.progress_timeout_s is not None
        ]

    def _schedule_watch(self, watched: list[tuple[Child, float]]) -> None:
        if watched:
            self._watch_again(watched, min(timeout for _, timeout in watched) / WATCHES)

    def _watch_again(self, watched: list[tuple[Child, float]], pause_s: float) -> None:
        # Looked at from the timer itself: our own loop need not turn for it.
        due = self._house.clock.now() + pause_s
        self._house.alarms.at(due, partial(self._watch, watched, due, pause_s))

    def _watch(self, watched: list[tuple[Child, float]], due: float, pause_s: float) -> None:
        if self._status in _OVER:
            return
        now = self._house.clock.now()
        # A loop that stood still, or a process without a processor: nobody could do anything in that time.
        stood_still_s = now - due - pause_s / 2
        if stood_still_s > 0:
            for child, _ in watched:
                child.forgive(stood_still_s)
        for child, timeout in watched:
            if child.mailbox.idle:
                # Most have nothing to do most of the time.
                if child.progress_seen[1] is not None:
                    child.rests()
                continue
            for channel in child.mailbox.channels:
                if channel.queue:
                    channel.oldest_age_s(now)
                    # A question that was lodged has woken nobody, and its asker may be long in coming back to it.
                    child.mailbox.wake()
            if child.status is ActorStatus.RUNNING and child.is_stuck(now):
                self._condemn(child, Stuck(f"{child.path} had work and made no progress for {timeout:g} s"))
        self._watch_again(watched, pause_s)

    def _watch_for_hangs(self, child: Child, timeout_s: float) -> None:
        def hangs() -> None:
            if child.status is ActorStatus.RUNNING:
                text = f"{child.path} had work, waited for nobody and made no progress for {timeout_s:g} s"
                self._condemn(child, Stuck(text))

        self._house.hangs.watch(HangWatch(mailbox=child.mailbox, timeout_s=timeout_s, on_hang=hangs))

    # --- stopping -------------------------------------------------------------------------------------------------

    async def _stop_all(self) -> None:
        self._pending.clear()
        for child in reversed(self._children):
            await self._stop_child(child, for_good=self._for_good)
        if self._leaving is not None:
            raise self._leaving

    async def _stop_child(self, child: Child, *, for_good: bool) -> None:
        """Stop one child within its deadline: let it finish its batch, cancel it, in the end declare it a zombie."""
        child.token += 1
        if child in self._pending:
            self._pending.remove(child)
        if child.lives:
            await self._end_task(child, for_good=for_good)
        elif child.status is not ActorStatus.ZOMBIE:
            child.turn(ActorStatus.STOPPED, self._house.clock.now())
        if for_good:
            for mailbox in mailboxes(child.spec):
                mailbox.close()

    async def _end_task(self, child: Child, *, for_good: bool) -> None:
        now = self._house.clock.now()
        deadline = now + child.spec.shutdown_s
        blame: str | None = None
        if child.done.is_set():
            # It crashed by itself, and the report waits in our queue: the crash is reported but not counted, as in OTP.
            error, blame = self._settle(child)
            if error is not None:
                self._emit(EventKind.CRASHED, child, text=child.last_error or "", error=error)
        else:
            child.stopped_by_me = True
            child.turn(ActorStatus.STOPPING, now)
            await self._ask_to_end(child, now, for_good=for_good)
            with trio.CancelScope(deadline=deadline):
                await child.done.wait()
            for _ in range(_GRACE_CHECKPOINTS):
                if child.done.is_set():
                    break
                await trio.lowlevel.checkpoint()
            if child.status is ActorStatus.ZOMBIE:
                # Somebody above lost patience first.
                return
            if not child.done.is_set():
                self._bury_alive(child)
                return
            self._after_stop(child)
        child.reported = True
        self._end_term(child, blame)
        child.turn(ActorStatus.STOPPED, self._house.clock.now())

    async def _ask_to_end(self, child: Child, now: float, *, for_good: bool) -> None:
        inner = self._inner.get(child)
        if inner is not None:
            inner._request_stop(for_good=for_good)
            return
        ctx = child.ctx
        assert ctx is not None
        if child.condemned is None and (ctx.listens or child.mailbox.unacked):
            ctx.begin_stop(child.quiet)
            patience_s = GIVING_UP_S if self._house.giving_up else child.spec.shutdown_s / 2
            with trio.CancelScope(deadline=now + min(patience_s, child.spec.shutdown_s / 2)):
                await child.quiet.wait()
        child.scope.cancel()

    def _after_stop(self, child: Child) -> None:
        raised = self._raised(child)
        error = None if raised is None else exits.crash(raised)
        if error is None or isinstance(error, Escalated):
            self._emit(EventKind.STOPPED, child)
        else:
            child.last_error = exits.first_line(error)
            self._emit(EventKind.STOP_FAILED, child, text=child.last_error, error=error)

    def _bury_alive(self, child: Child) -> None:
        """Its task will not end. Nothing it does from here on reaches anybody; only the process's end removes it."""
        child.reported = True
        child.token += 1
        self._zombies += 1
        self._house.zombies.append(child.path)
        self._end_term(child, None)
        child.turn(ActorStatus.ZOMBIE, self._house.clock.now())
        inner = self._inner.get(child)
        if inner is not None:
            for below in inner._children:
                if below.lives:
                    below.stopped_by_me = True
                    inner._bury_alive(below)
        self._emit(EventKind.ZOMBIE, child, text=f"did not end within {child.spec.shutdown_s:g} s")

    # --- telling --------------------------------------------------------------------------------------------------

    def _turn(self, status: ActorStatus) -> None:
        self._status = status
        self._since = self._house.clock.now()

    def _emit(self, kind: EventKind, child: Child, **details: Any) -> None:
        now = self._house.clock.now()
        event = SupervisorEvent(kind=kind, path=child.path, generation=child.generation, at_s=now, **details)
        self._house.emit(event)

    def _emit_self(self, kind: EventKind, text: str, error: BaseException | None) -> None:
        now = self._house.clock.now()
        event = SupervisorEvent(kind=kind, path=self._path, generation=0, at_s=now, text=text, error=error)
        self._house.emit(event)

    def _view(
        self, now: float, *, restart: str, generation: int, restarts: int, last_error: str | None, failures: int = 0
    ) -> ActorView:
        return ActorView(
            name=self._spec.id,
            kind="supervisor",
            status=self._status,
            strategy=self._spec.strategy.value,
            restart=restart,
            generation=generation,
            restarts=restarts,
            last_error=last_error,
            since_s=now - self._since,
            last_progress_s=0.0,
            channels=(),
            children=tuple(self._child_view(child, now) for child in self._children),
            failures=failures,
            budget=BudgetView(
                spent=self._budget.spent_at(now),
                intensity=self._spec.intensity,
                period_s=self._spec.period_s,
                max_consecutive=self._spec.max_consecutive,
            ),
        )

    def _child_view(self, child: Child, now: float) -> ActorView:
        inner = self._inner.get(child)
        if inner is not None:
            view = inner._view(
                now,
                restart=child.spec.restart.value,
                generation=child.generation,
                restarts=child.restarts,
                last_error=child.last_error,
                failures=child.failures,
            )
            # Between two lives the last one's own word is out of date.
            return view if child.lives else msgspec.structs.replace(view, status=child.status)
        # Since when the watchdog has seen it make none; an idle child, or one that moved since, is up to date.
        count, idle_since = child.progress_seen
        progressed = now if idle_since is None or child.mailbox.progress != count else idle_since
        return ActorView(
            name=child.spec.id,
            kind="supervisor" if isinstance(child.spec, SupervisorSpec) else "worker",
            status=child.status,
            strategy=child.spec.strategy.value if isinstance(child.spec, SupervisorSpec) else None,
            restart=child.spec.restart.value,
            generation=child.generation,
            restarts=child.restarts,
            last_error=child.last_error,
            since_s=now - child.since,
            last_progress_s=now - progressed,
            channels=tuple(channel.view() for channel in child.mailbox.channels),
            children=(),
            failures=child.failures,
        )
