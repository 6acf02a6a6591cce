"""A stage for supervisors: real ones, with actors that do what a test tells them and a log of who came and went."""

import contextlib
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

import trio

from genesis.core.actor import Context
from genesis.core.backoff import IMMEDIATE
from genesis.core.clock import TrioClock
from genesis.core.supervisor import ChildSpec, EventKind, Supervisor, SupervisorEvent, SupervisorSpec


class Boom(Exception):
    """What actors of tests die of."""


class Player:
    """Says ready (or not), then waits to be told how to end; `log` sees it come and go."""

    def __init__(self, stage: "Stage", name: str) -> None:
        self.stage = stage
        self.name = name
        self.cue = trio.Event()
        self.error: BaseException | None = None
        self.ctx: Context | None = None

    async def run(self, ctx: Context) -> None:
        stage, name = self.stage, self.name
        self.ctx = ctx
        stage.starts[name] += 1
        stage.log.append(f"+{name}")
        stage.alive[name] = self
        try:
            await trio.sleep(stage.start_takes_s[name])
            if stage.start_fails[name](stage.starts[name]):
                raise Boom(f"{name} does not start")
            if not stage.returns_before_ready[name]:
                ctx.ready()
                await self.cue.wait()
                if self.error is not None:
                    raise self.error
        finally:
            if stage.stop_takes_s[name]:
                with trio.CancelScope(shield=True):
                    await trio.sleep(stage.stop_takes_s[name])
            stage.alive.pop(name, None)
            stage.log.append(f"-{name}")


class Stage:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.events: list[SupervisorEvent] = []
        self.alive: dict[str, Player] = {}
        self.starts: defaultdict[str, int] = defaultdict(int)
        self.start_takes_s: defaultdict[str, float] = defaultdict(float)
        self.stop_takes_s: defaultdict[str, float] = defaultdict(float)
        self.returns_before_ready: defaultdict[str, bool] = defaultdict(bool)
        self.start_fails: defaultdict[str, Callable[[int], bool]] = defaultdict(lambda: lambda _: False)
        self.failure: BaseException | None = None
        self.ended = trio.Event()

    def child(self, name: str, **spec: Any) -> ChildSpec:
        spec.setdefault("backoff", IMMEDIATE)
        return ChildSpec(id=name, start=lambda: Player(self, name), **spec)

    def children(self, names: str, **spec: Any) -> tuple[ChildSpec, ...]:
        return tuple(self.child(name, **spec) for name in names.split())

    def supervisor(self, spec: SupervisorSpec, **ports: Any) -> Supervisor:
        return Supervisor(spec, clock=TrioClock(), chance=random.Random(7), on_event=self.events.append, **ports)

    @contextlib.asynccontextmanager
    async def runs(self, spec: SupervisorSpec, **ports: Any) -> AsyncIterator[Supervisor]:
        """Run a supervisor that is ready before the body and stopped after it; how it ended is in `failure`."""
        supervisor = self.supervisor(spec, **ports)
        async with trio.open_nursery() as nursery:
            await nursery.start(self._run, supervisor)
            yield supervisor
            await supervisor.stop()

    async def _run(self, supervisor: Supervisor, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            await supervisor.run(task_status=task_status)
        except Exception as error:
            self.failure = error
        self.ended.set()

    async def crash(self, name: str, error: BaseException | None = None) -> None:
        """Make a living player raise, and let everything settle that needs no time."""
        self.alive[name].error = error or Boom(f"{name} crashed")
        await self.end(name)

    async def end(self, name: str) -> None:
        """Make a living player return."""
        self.alive[name].cue.set()
        await self.settle()

    async def settle(self) -> None:
        """A millisecond of virtual time: all that needs no longer has happened."""
        await trio.sleep(0.001)

    def fresh_log(self) -> list[str]:
        """What happened since the last look."""
        seen, self.log = self.log, []
        return seen

    def kinds(self, path: str) -> list[EventKind]:
        return [event.kind for event in self.events if event.path == path]
