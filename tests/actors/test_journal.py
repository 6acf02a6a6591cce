"""The journal actor: answers come after the sync, all that waits becomes one transaction, failure is final."""

import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from actors.journal import FOLLOWS_WITHIN_S, JournalActor
from genesis.core.backoff import IMMEDIATE
from genesis.core.channel import Channel, Overflow
from genesis.core.clock import TrioClock
from genesis.core.errors import ChannelClosed, DeadLettered, Escalated
from genesis.core.mailbox import Mailbox
from genesis.core.supervisor import ChildSpec, Supervisor, SupervisorSpec
from genesis.edge.store import Store
from genesis.edge.store_thread import StoreThread
from protocols.journal import Cells, CellWrite, Commit, Committed, ReadCells, ReadRecords, Record


@attrs.define(kw_only=True)
class Desk:
    supervisor: Supervisor
    store: Store
    channel: Channel[Any]
    mailbox: Mailbox


@contextlib.asynccontextmanager
async def journal_desk(path: Path, *, intensity: int = 100_000, inline: bool = False) -> AsyncIterator[Desk]:
    store = Store.open(path, at_ms=1)
    channel: Channel[Any] = Channel("journal", Overflow.BLOCK)
    mailbox = Mailbox("journal", [channel])
    thread = StoreThread(store, inline=inline)
    supervisor = Supervisor(
        SupervisorSpec(
            id="world",
            children=(
                ChildSpec(id="journal", start=lambda: JournalActor(store=thread), mailbox=mailbox, backoff=IMMEDIATE),
            ),
            intensity=intensity,
            max_consecutive=intensity,
        ),
        clock=TrioClock(),
        chance=random.Random(7),
        on_event=lambda event: None,
    )
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(lambda task_status: supervisor.run(task_status=task_status))
            yield Desk(supervisor=supervisor, store=store, channel=channel, mailbox=mailbox)
            with trio.fail_after(60):
                await supervisor.stop()
    finally:
        store.close()


def a_commit(key: str, *, commit_id: str | None = None, writer: str = "test", follower: str = "") -> Commit:
    record = Record(kind="Fill", key=key, payload=b"{}", correlation_id="c", at_ms=1)
    return Commit(
        writer=writer,
        records=(record,),
        cells=(CellWrite(table="t", key=key, payload=b"1"),),
        commit_id=commit_id,
        follower=follower,
    )


@pytest.mark.parametrize("inline", [False, True])
async def test_what_is_answered_is_durable_and_readable(tmp_path: Path, inline: bool) -> None:
    async with journal_desk(tmp_path / "sim.sqlite", inline=inline) as desk:
        answer = await desk.channel.ask(a_commit("a"))
        assert isinstance(answer, Committed)
        assert answer.new == (True,)
        cells: Cells = await desk.channel.ask(ReadCells(table="t"))
        assert [cell.key for cell in cells.cells] == ["a"]
        records = await desk.channel.ask(ReadRecords(kinds=("Fill",)))
        assert [row.record.key for row in records.records] == ["a"]


async def test_commits_that_wait_together_share_a_transaction(tmp_path: Path) -> None:
    async with journal_desk(tmp_path / "sim.sqlite") as desk:
        before = desk.store.transactions_total
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(desk.channel.ask, a_commit(f"k{number}"))
        assert desk.store.commits_total >= 50
        assert desk.store.transactions_total - before <= 5


async def test_killed_at_random_it_answers_everybody_and_writes_everything_once(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    assert autojump_clock.rate == 0
    chance = random.Random(3)
    async with journal_desk(tmp_path / "sim.sqlite", inline=True) as desk:
        answered: list[str] = []

        async def write(number: int) -> None:
            for turn in range(10):
                key = f"{number}-{turn}"
                record = Record(kind="Unkeyed", key=None, payload=key.encode(), correlation_id="", at_ms=1)
                answer = await desk.channel.ask(Commit(writer="w", records=(record,), commit_id=key))
                assert answer.new == (True,)
                answered.append(key)

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(write, number)
            for _ in range(100):
                desk.supervisor.kill("world/journal", reason="the test says so")
                await trio.sleep(chance.random() * 0.002)
        rows = desk.store.read_records(ReadRecords(kinds=("Unkeyed",))).records
        assert sorted(row.record.payload.decode() for row in rows) == sorted(answered)


async def test_one_malformed_request_dies_alone(tmp_path: Path) -> None:
    async with journal_desk(tmp_path / "sim.sqlite") as desk:
        bad = Commit(writer="test", records=(Record(kind="", key=None, payload=b"", correlation_id="", at_ms=1),))
        outcomes: list[object] = []

        async def ask(request: object) -> None:
            try:
                outcomes.append(await desk.channel.ask(request))
            except DeadLettered as error:
                outcomes.append(error)

        async with trio.open_nursery() as nursery:
            for request in (a_commit("a"), bad, a_commit("b"), "nonsense", ReadCells(table="t")):
                nursery.start_soon(ask, request)
        assert sum(isinstance(outcome, DeadLettered) for outcome in outcomes) == 2
        assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 2


async def test_a_failed_write_answers_nobody_and_escalates(tmp_path: Path) -> None:
    answered: list[object] = []

    async def ask(channel: Channel[Any], key: str) -> None:
        with contextlib.suppress(ChannelClosed):
            answered.append(await channel.ask(a_commit(key)))

    async def live() -> None:
        async with journal_desk(tmp_path / "sim.sqlite", intensity=3) as desk, trio.open_nursery() as nursery:
            await desk.channel.ask(a_commit("before"))
            assert desk.store._anchor is not None
            desk.store._anchor.close()
            nursery.start_soon(ask, desk.channel, "after")
            nursery.start_soon(ask, desk.channel, "later")
            await trio.sleep_forever()

    with pytest.RaisesGroup(Escalated, flatten_subgroups=True, allow_unwrapped=True), trio.fail_after(60):
        await live()
    assert answered == []


async def test_a_commit_and_its_follower_share_one_sync(tmp_path: Path, mock_clock: trio.testing.MockClock) -> None:
    """Time stands still: on a busy machine the wait would be over before its follower is said."""
    async with journal_desk(tmp_path / "sim.sqlite", inline=True) as desk:
        before = desk.store.transactions_total
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.channel.ask, a_commit("verdict", follower="order"))
            await trio.testing.wait_all_tasks_blocked()
            # What somebody else says meanwhile is not what is waited for.
            nursery.start_soon(desk.channel.ask, a_commit("score", writer="signal"))
            await trio.testing.wait_all_tasks_blocked()
            assert desk.store.transactions_total == before
            nursery.start_soon(desk.channel.ask, a_commit("intent", writer="order"))
        assert desk.store.transactions_total == before + 1
        records = await desk.channel.ask(ReadRecords(kinds=("Fill",)))
        assert [row.record.key for row in records.records] == ["verdict", "score", "intent"]


async def test_a_follower_that_never_comes_is_not_waited_for(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with journal_desk(tmp_path / "sim.sqlite", inline=True) as desk:
        answer = await desk.channel.ask(a_commit("verdict", follower="order"))
        assert answer.new == (True,)
        assert trio.current_time() == pytest.approx(FOLLOWS_WITHIN_S)
