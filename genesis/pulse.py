"""The pulse of the process: what it tells its service manager and writes into its health file while the loop turns.

It beats in the loop itself, so a loop that stands still is a pulse that is missed: the service manager then ends the
process and starts another one, which recovers from the journal.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import trio

from genesis.core.clock import Clock
from genesis.core.loop_watch import LoopWatch
from genesis.edge.health_file import Health
from genesis.edge.service_manager import ServiceManager
from genesis.engine import Engine

EVERY_S: Final = 5.0


@attrs.frozen(kw_only=True)
class Pulse:
    """`clock` is the machine's, not the venue's: watchers compare with theirs."""

    manager: ServiceManager
    path: Path
    mode: str
    engine: Engine
    clock: Clock
    watch: LoopWatch

    @property
    def every_s(self) -> float:
        """Three beats fit into the manager's patience."""
        limit = self.manager.watchdog_s
        return EVERY_S if limit is None else min(EVERY_S, limit / 3)

    async def beat(self) -> None:
        """Until cancelled. READY is said by the first one."""
        self.manager.ready(self._status("running"))
        while True:
            await self._write("running")
            await trio.sleep(self.every_s)
            self.manager.alive(self._status("running"))

    async def end(self, state: str) -> None:
        """`stopping` when it begins, `stopped` when everything is put away."""
        if state == "stopping":
            self.manager.stopping(self._status(state))
        await self._write(state)

    def _status(self, state: str) -> str:
        health = self.health(state)
        ready = "ready to trade" if health.ready else "not ready to trade"
        return f"{health.mode}, {state}: {ready}, trading {health.trading}, {health.orders_open} orders open"

    async def _write(self, state: str) -> None:
        # Off the loop: a disk that hangs must not be the reason for which the loop stands still.
        health = self.health(state)
        await trio.to_thread.run_sync(health.write, self.path, abandon_on_cancel=True)

    def health(self, state: str) -> Health:
        engine = self.engine
        orders, risk = engine.cells.orders.value, engine.cells.risk.value
        return Health(
            pid=os.getpid(),
            mode=self.mode,
            state=state,
            ready=engine.ready_to_trade(),
            at_ms=self.clock.wall_ms(),
            every_s=self.every_s,
            trading="unknown" if risk is None else risk.state.value,
            orders_open=len(orders.open),
            orders_in_doubt=orders.unknown,
            actor_crashes=engine.restarts_total,
            dead_letters=len(engine.supervisor.dead_letters),
            longest_block_s=round(self.watch.longest_s, 3),
        )


@attrs.define(kw_only=True, eq=False)
class StartPulse:
    """What the health file says while there is no engine yet: that one starts, and what it waits for (`waits`).

    A live start waits for its venue as long as that takes. Who watches the file would take it for gone.
    """

    path: Path
    mode: str
    clock: Clock
    watch: LoopWatch
    waits: Callable[[], str]
    _over: trio.Event = attrs.field(factory=trio.Event, init=False)
    _left: trio.Event = attrs.field(factory=trio.Event, init=False)

    async def beat(self) -> None:
        """Until `end`."""
        try:
            while not self._over.is_set():
                await self._write("starting", self.waits())
                with trio.move_on_after(EVERY_S):
                    await self._over.wait()
        finally:
            self._left.set()

    async def end(self, state: str = "") -> None:
        """Returns when nothing is written any more, so that the engine's own pulse has the file; last, with a `state`,
        that of a start that never came to an engine."""
        self._over.set()
        await self._left.wait()
        if state:
            await self._write(state, "")

    async def _write(self, state: str, waits: str) -> None:
        health = Health(
            pid=os.getpid(),
            mode=self.mode,
            state=state,
            ready=False,
            at_ms=self.clock.wall_ms(),
            every_s=EVERY_S,
            trading="unknown",
            orders_open=0,
            orders_in_doubt=0,
            actor_crashes=0,
            dead_letters=0,
            longest_block_s=round(self.watch.longest_s, 3),
            waits=waits,
        )
        await trio.to_thread.run_sync(health.write, self.path)
