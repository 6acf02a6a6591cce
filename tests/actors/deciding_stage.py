"""A stage for the deciding actors: the real supervisor and channels, a journal in memory, and ends the test holds."""

import contextlib
import functools
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import attrs
import trio

from genesis.core.actor import Actor, Context
from genesis.core.backoff import IMMEDIATE
from genesis.core.channel import Channel, Overflow
from genesis.core.clock import TrioClock
from genesis.core.mailbox import Mailbox
from genesis.core.supervisor import ChildSpec, Supervisor, SupervisorSpec
from protocols.journal import (
    Cells,
    CellWrite,
    Commit,
    Committed,
    LateCell,
    LateRecord,
    ReadCells,
    ReadRecords,
    Record,
    Records,
    StoredRecord,
)


class MemoryDisk:
    """What survives every crash: cells by table and key, and records, once per kind and key."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], CellWrite] = {}
        self.records: list[Record] = []
        self.commits = 0
        self.followers: set[str] = set()

    def commit(self, commit: Commit) -> Committed:
        self.commits += 1
        self.followers.add(commit.follower)
        kept = {(record.kind, record.key) for record in self.records if record.key is not None}
        new = tuple(record.key is None or (record.kind, record.key) not in kept for record in commit.records)
        kept_now = [record for record, is_new in zip(commit.records, new, strict=True) if is_new]
        first_seq = len(self.records) + 1 if kept_now else 0
        self.records += [record.written() if isinstance(record, LateRecord) else record for record in kept_now]
        for cell in commit.cells:
            self.cells[(cell.table, cell.key)] = cell.written() if isinstance(cell, LateCell) else cell
        return Committed(first_seq=first_seq, new=new)

    def read(self, question: ReadCells | ReadRecords) -> Cells | Records:
        if isinstance(question, ReadRecords):
            numbered = [StoredRecord(seq=seq, record=record) for seq, record in enumerate(self.records, 1)]
            found = [row for row in numbered if row.seq > question.after_seq and row.record.kind in question.kinds]
            found = [row for row in found if question.key in (None, row.record.key)]
            found = found[::-1] if question.newest_first else found
            return Records(records=tuple(found[: question.limit]))
        kept = [cell for (table, _), cell in sorted(self.cells.items()) if table == question.table]
        kept = [cell for cell in kept if question.key in (None, cell.key) and cell.key.startswith(question.prefix)]
        return Cells(cells=tuple(kept))


@attrs.define(kw_only=True)
class MemoryJournal:
    """A journal actor without a disk's delays."""

    disk: MemoryDisk

    async def run(self, ctx: Context) -> None:
        ctx.ready()
        while True:
            for envelope in await ctx.inbox.lease():
                message = envelope.message
                envelope.reply(self.disk.commit(message) if isinstance(message, Commit) else self.disk.read(message))
                ctx.inbox.ack(envelope)


@attrs.define(kw_only=True)
class Listener:
    """Hears everything of some channels for the test."""

    heard: list[Any] = attrs.field(factory=list)

    async def run(self, ctx: Context) -> None:
        ctx.ready()
        while True:
            batch = await ctx.inbox.lease()
            self.heard += [envelope.message for envelope in batch]
            ctx.inbox.ack_all(batch)


@attrs.define(kw_only=True)
class Stage:
    """One actor under test with a journal and listeners around it."""

    supervisor: Supervisor
    disk: MemoryDisk
    mailbox: Mailbox
    """The subject's."""

    def kill(self) -> None:
        assert self.supervisor.kill("world/subject", reason="the test says so")

    async def settled(self) -> None:
        """Wait until nothing is queued or leased anywhere, and nobody is being restarted."""
        await trio.testing.wait_all_tasks_blocked()
        while not self.supervisor.idle():
            await trio.sleep(0.001)
            await trio.testing.wait_all_tasks_blocked()


def journal_channel() -> Channel[Any]:
    return Channel("journal", Overflow.BLOCK)


@contextlib.asynccontextmanager
async def on_stage(
    start: Callable[[], Actor],
    *,
    hears: tuple[Channel[Any], ...],
    journal: Channel[Any],
    listeners: dict[str, tuple[Listener, Channel[Any]]],
    disk: MemoryDisk | None = None,
) -> AsyncIterator[Stage]:
    """Run the actor that `start` makes until the block ends."""
    disk = disk or MemoryDisk()
    children = [
        ChildSpec(id="journal", start=lambda: MemoryJournal(disk=disk), mailbox=Mailbox("journal", [journal])),
    ]
    for name, (listener, channel) in listeners.items():
        children.append(
            ChildSpec(id=name, start=functools.partial(_itself, listener), mailbox=Mailbox(name, [channel]))
        )
    mailbox = Mailbox("subject", hears)
    children.append(ChildSpec(id="subject", start=start, mailbox=mailbox, backoff=IMMEDIATE))
    supervisor = Supervisor(
        SupervisorSpec(id="world", children=tuple(children), intensity=10_000, max_consecutive=10_000),
        clock=TrioClock(),
        chance=random.Random(7),
        on_event=lambda event: None,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: supervisor.run(task_status=task_status))
        yield Stage(supervisor=supervisor, disk=disk, mailbox=mailbox)
        with trio.fail_after(60):
            await supervisor.stop()


def _itself(listener: Listener) -> Actor:
    return listener
