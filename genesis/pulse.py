"""The pulse of the process: what it tells its service manager and writes into its health file while the loop turns.

It beats in the loop itself, so a loop that stands still is a pulse that is missed: the service manager then ends the
process and starts another one, which recovers from the journal.
"""

import os
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
