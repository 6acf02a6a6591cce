"""The store off the event loop: one thread at a time, and no call left behind.

A cancelled write that is abandoned commits all the same, although its caller saw a cancel; so no call here can be
abandoned. A cancel waits until the call has ended, and the call's result is then returned to its caller.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import trio

from genesis.edge.anchor import Head
from genesis.edge.io_stats import IoStats
from genesis.edge.store import Store
from protocols.journal import Cells, Commit, Committed, ReadCells, ReadRecords, Records

T = TypeVar("T")


class StoreThread:
    """An opened store for asynchronous callers. `inline` runs every call on the loop: for simulated worlds, where a
    real thread would let virtual time run away."""

    def __init__(self, store: Store, *, inline: bool = False) -> None:
        self.store = store
        self._inline = inline
        self._limiter = trio.CapacityLimiter(1)
        self.io = IoStats()
        """Commits, and how long each was on its way to the disk."""

    async def _call(self, call: Callable[[], T]) -> T:
        if self._inline:
            await trio.lowlevel.checkpoint()
            return call()
        return await trio.to_thread.run_sync(call, limiter=self._limiter)

    @property
    def poisoned(self) -> str | None:
        """Why nothing can be written any more, or None."""
        return self.store.poisoned

    @property
    def path(self) -> Path:
        """Where the journal is, for readers that open it beside us."""
        return self.store.path

    @property
    def epoch(self) -> int:
        """Which session of the journal this is."""
        return self.store.epoch()

    async def commit(self, commits: Sequence[Commit], *, at_ms: int) -> list[Committed]:
        """See `Store.commit`."""
        began = trio.current_time()
        try:
            done = await self._call(lambda: self.store.commit(commits, at_ms=at_ms))
        except Exception:
            self.io.failed()
            raise
        self.io.answered(trio.current_time() - began)
        return done

    async def read_cells(self, request: ReadCells) -> Cells:
        """See `Store.read_cells`."""
        return await self._call(lambda: self.store.read_cells(request))

    async def read_records(self, request: ReadRecords) -> Records:
        """See `Store.read_records`."""
        return await self._call(lambda: self.store.read_records(request))

    async def backup(self, target: Path) -> Head:
        """See `Store.backup`. It has its own connection, so writes go on meanwhile."""
        if self._inline:
            await trio.lowlevel.checkpoint()
            return self.store.backup(target)
        return await trio.to_thread.run_sync(self.store.backup, target)

    async def close(self) -> None:
        """See `Store.close`; waits for the call that is under way."""
        with trio.CancelScope(shield=True):
            await self._call(self.store.close)
