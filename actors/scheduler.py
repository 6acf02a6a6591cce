"""The scheduler: work that comes round by the clock, each piece with its jitter and its policy for overruns.

Two engines that were started together do not ask at the same moment (jitter), and work that takes longer than its
interval is not begun twice: what comes due meanwhile is skipped and counted, or done once afterwards. What goes wrong
in one piece is told and tried again the next time round.
"""

import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import trio

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from protocols.health import Notice
from protocols.schedule import Overrun, ScheduleView

LOOK_S: Final = 1.0
JITTER: Final = 0.1
"""Of the interval, at most."""


@attrs.frozen(kw_only=True)
class Scheduled:
    """`every_s` and `enabled` are asked each time, so settings change them while running. `run` gives a sentence."""

    name: str
    every_s: Callable[[], float]
    enabled: Callable[[], bool]
    run: Callable[[], Awaitable[str]]
    overrun: Overrun = Overrun.SKIP


@attrs.define(kw_only=True)
class _Round:
    work: Scheduled
    due_at: float
    jitter_s: float = 0.0
    running: bool = False
    again: bool = False
    runs: int = 0
    failures: int = 0
    skipped: int = 0
    last_began_ms: int = 0
    last_took_s: float = 0.0
    last_error: str = ""


@attrs.define(kw_only=True)
class SchedulerActor:
    works: tuple[Scheduled, ...]
    views: Latest[tuple[ScheduleView, ...]]
    chance: random.Random
    notices: Channel[Any] | None = None

    async def run(self, ctx: Context) -> None:
        notices = None if self.notices is None else ctx.outlet(self.notices)
        rounds = [_Round(work=work, due_at=0.0) for work in self.works]
        for one in rounds:
            self._plan(one, ctx.clock.now())
        async with trio.open_nursery() as nursery:
            ctx.ready()
            look_at = ctx.clock.now()
            while True:
                ctx.inbox.ack_all(await ctx.inbox.lease(until=look_at))
                now = ctx.clock.now()
                if now < look_at:
                    continue
                look_at = now + LOOK_S
                for one in rounds:
                    if now < one.due_at:
                        continue
                    self._plan(one, now)
                    if not one.work.enabled():
                        continue
                    if not one.running:
                        one.running = True
                        nursery.start_soon(self._carry_out, ctx, one, notices)
                    elif one.work.overrun is Overrun.AFTER:
                        one.again = True
                    else:
                        one.skipped += 1
                self.views.set(tuple(_view(one, now) for one in rounds))

    def _plan(self, one: _Round, now: float) -> None:
        every_s = max(LOOK_S, one.work.every_s())
        one.jitter_s = JITTER * every_s
        one.due_at = now + every_s + self.chance.uniform(0.0, one.jitter_s)

    async def _carry_out(self, ctx: Context, one: _Round, notices: Outlet[Any] | None) -> None:
        while True:
            one.again = False
            began = ctx.clock.now()
            one.last_began_ms = ctx.clock.wall_ms()
            try:
                text = await one.work.run()
                one.last_error = ""
            except Exception as error:
                # Whatever it was, the other work goes on, and this one is tried again.
                one.failures += 1
                text = one.last_error = f"{one.work.name} could not be done: {error}"
            one.runs += 1
            one.last_took_s = ctx.clock.now() - began
            if text and notices is not None:
                level = "warning" if one.last_error else "info"
                notices.put_nowait(Notice(level=level, code="scheduler", text=text[:500], at_ms=ctx.clock.wall_ms()))
            if not one.again:
                break
        one.running = False


def _view(one: _Round, now: float) -> ScheduleView:
    return ScheduleView(
        name=one.work.name,
        enabled=one.work.enabled(),
        every_s=one.work.every_s(),
        jitter_s=one.jitter_s,
        overrun=one.work.overrun,
        running=one.running,
        runs=one.runs,
        failures=one.failures,
        skipped=one.skipped,
        last_began_ms=one.last_began_ms,
        last_took_s=one.last_took_s,
        next_in_s=max(0.0, one.due_at - now),
        last_error=one.last_error,
    )
