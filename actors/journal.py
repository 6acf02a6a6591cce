"""The journal actor: what it answers is on the disk.

It recovers by nothing: the store is opened and verified before the first actor starts and outlives every crash of this
one. All commits that wait become one transaction, with those that are about to follow them; their answers go out after
the sync and the acks right behind them, without a checkpoint between, so a request is in doubt only when this actor
dies during the sync itself. Then it is delivered again, and its `commit_id` and its records' keys make the second time
harmless.

An optional commit for which the disk has no room is answered so, and nothing else happens. Any other
write that failed poisons the store, for as long as this process lives. No further life of this actor is of any use
then, so its supervisor gives up at once: nobody is answered any more, so nothing can leave that is not recorded.
"""

from typing import Final

import attrs

from genesis.core.actor import Context
from genesis.core.mailbox import Envelope
from genesis.edge.store_check import check_commit
from genesis.edge.store_errors import CommitRefused, StoreFull, StorePoisoned
from genesis.edge.store_thread import StoreThread
from protocols.journal import Cells, Commit, NotKept, ReadCells, ReadRecords, Records

FOLLOWS_WITHIN_S: Final = 0.002
"""How long a commit waits for the one that follows it: a sync of its own would take about as long."""


@attrs.define(kw_only=True)
class JournalActor:
    """Answers `JournalRequest` questions. One for each store."""

    store: StoreThread
    batch_limit: int = 1024

    async def run(self, ctx: Context) -> None:
        if self.store.poisoned is not None:
            raise StorePoisoned(self.store.poisoned)
        ctx.ready()
        while True:
            batch = await ctx.inbox.lease(limit=self.batch_limit)
            needed, others, follower_is_due = _parts_of(batch)
            if follower_is_due:
                needed, others = await self._with_followers(ctx, batch)
            await self._serve(ctx, needed, others)
            # Given back now: when the next one is there, somebody waits.
            del batch, needed, others

    async def _with_followers(self, ctx: Context, batch: list[Envelope]) -> tuple[list[Envelope], list[Envelope]]:
        """The parts of the batch, with what comes until a decision is whole, or the time is up."""
        until = ctx.clock.now() + FOLLOWS_WITHIN_S
        while True:
            needed, others, follower_is_due = _parts_of(batch)
            if not follower_is_due or len(batch) >= self.batch_limit:
                return needed, others
            more = await ctx.inbox.lease(limit=self.batch_limit - len(batch), until=until)
            if not more:
                return needed, others
            batch += more

    async def _serve(self, ctx: Context, needed: list[Envelope], others: list[Envelope]) -> None:
        refusal: CommitRefused | None = None
        while needed:
            # The store looks whether they are well formed, in its thread: an order waits for this one.
            try:
                with ctx.outside:
                    answers = await self.store.commit([each.message for each in needed], at_ms=ctx.clock.wall_ms())
            except CommitRefused as error:
                # Nothing is written of any. The others are served first; then this one is the first un-acked, and the
                # crash counts against it.
                refusal = error
                needed = [envelope for envelope in needed if _is_well_formed(envelope.message)]
                continue
            for envelope, answer in zip(needed, answers, strict=True):
                envelope.reply(answer)
            ctx.inbox.ack_all(needed)
            break
        for envelope in others:
            if isinstance(envelope.message, Commit):
                # By itself: what has no room must not take along what has.
                try:
                    await self._try(ctx, envelope)
                except CommitRefused as error:
                    refusal = refusal or error
        # Reads after all commits of the batch: whoever reads then sees at least everything that was put before.
        for envelope in others:
            if not isinstance(envelope.message, Commit):
                with ctx.outside:
                    envelope.reply(await self._read(envelope.message))
                ctx.inbox.ack(envelope)
        if refusal is not None:
            raise refusal

    async def _read(self, request: object) -> Cells | Records:
        match request:
            case ReadCells():
                return await self.store.read_cells(request)
            case ReadRecords():
                return await self.store.read_records(request)
            case _:
                raise TypeError(f"a journal request must be Commit, ReadCells or ReadRecords, was {request!r}")

    async def _try(self, ctx: Context, envelope: Envelope) -> None:
        try:
            with ctx.outside:
                (answer,) = await self.store.commit([envelope.message], at_ms=ctx.clock.wall_ms())
        except StoreFull as error:
            envelope.reply(NotKept(reason=str(error)))
        else:
            envelope.reply(answer)
        ctx.inbox.ack(envelope)


def _is_well_formed(commit: Commit) -> bool:
    try:
        check_commit(commit, whole=True)
    except CommitRefused:
        return False
    return True


def _parts_of(batch: list[Envelope]) -> tuple[list[Envelope], list[Envelope], bool]:
    """Commits that must be kept, everything else, and whether the follower of some commit is not there yet."""
    needed: list[Envelope] = []
    others: list[Envelope] = []
    due = ""
    for envelope in batch:
        message = envelope.message
        if isinstance(message, Commit):
            due = message.follower or ("" if message.writer == due else due)
            (others if message.optional else needed).append(envelope)
        else:
            others.append(envelope)
    return needed, others, due != ""
