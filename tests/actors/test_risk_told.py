"""A start of risk reads what came since its history was kept, and not what came in years."""

import itertools

import msgspec
import pytest

import actors.risk as risk_actor
from genesis.core.channel import Channel, Overflow
from genesis.domain.risk_history import rederive
from genesis.domain.risk_history_kept import KEPT_KIND, RiskHistoryKept
from genesis.domain.risk_machine import RiskMachine
from genesis.edge.code_name import code_name
from protocols.journal import CellWrite, Commit, Record
from protocols.risk import SetPaused
from tests.actors.deciding_stage import MemoryDisk
from tests.actors.test_risk import PAIRS, SETTINGS, World
from tests.genesis.domain.risk_world import an_account, crossing_scores

AFTER = 8


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(risk_actor, "KEEP_AFTER_RECORDS", AFTER)
    monkeypatch.setattr(risk_actor, "FOLLOW_PAGE", 3)
    monkeypatch.setattr(risk_actor, "HISTORY_PAGE", 7)


async def live(disk: MemoryDisk | None = None, *, first: int = 0, last: int = 300, kill: bool = False) -> MemoryDisk:
    """A life of risk that hears these scores."""
    world = World()
    async with world.run(disk) as stage:
        world.accounts.put_nowait(an_account())
        for number, score in enumerate(crossing_scores(last)[first:]):
            await world.scores.put(score)
            # One by one: a batch of all of them would be one turn.
            await stage.settled()
            if kill and number % 61 == 60:
                stage.kill()
        await stage.settled()
        return stage.disk


def kept_in(disk: MemoryDisk) -> list[tuple[int, RiskHistoryKept]]:
    rows = [(seq, record) for seq, record in enumerate(disk.records, 1) if record.kind == KEPT_KIND]
    return [(seq, msgspec.json.decode(record.payload, type=RiskHistoryKept)) for seq, record in rows]


def without(disk: MemoryDisk, upto_seq: int) -> MemoryDisk:
    """The disk with nothing to read where the older records were."""
    again = MemoryDisk()
    again.cells = dict(disk.cells)
    empty = Record(kind="Gone", key=None, payload=b"", correlation_id="", at_ms=0)
    again.records = [empty if seq <= upto_seq else record for seq, record in enumerate(disk.records, 1)]
    return again


async def notices_of_a_start(disk: MemoryDisk, *, proven_after_seq: int = 0) -> list[str]:
    world = World()
    world.proven_after_seq = proven_after_seq
    world.ui = Channel("ui", Overflow.BLOCK)
    async with world.run(disk) as stage:
        await stage.settled()
        return world.told("risk_rederived")


@pytest.mark.parametrize("kill", [False, True])
async def test_what_is_kept_is_what_all_records_tell_up_to_there(kill: bool) -> None:
    """Also when the life that was telling it ended in the middle, again and again."""
    disk = await live(kill=kill)
    kept = kept_in(disk)
    assert len(kept) > (1 if kill else 3)
    for seq, each in kept:
        assert each.upto_seq < seq
        assert each.history == rederive(disk.records[: each.upto_seq], SETTINGS.risk.day_timezone)


async def test_a_start_reads_nothing_from_before_it() -> None:
    disk = await live()
    (*_, (_, newest)) = kept_in(disk)
    assert await notices_of_a_start(without(disk, newest.upto_seq)) == []
    # It is the test's own proof that those records matter.
    for record in (bare := without(disk, newest.upto_seq)).records:
        if record.kind == KEPT_KIND:
            bare.records.remove(record)
    assert await notices_of_a_start(bare)


async def test_what_came_behind_it_is_heard() -> None:
    disk = await live()
    paused = SetPaused(paused=True, reason="tea", actor="a", correlation_id="c")
    record = Record(
        kind="SetPaused", key=None, payload=msgspec.json.encode(paused), correlation_id="c", at_ms=2_000_000_000_000
    )
    disk.commit(Commit(writer="test", records=(record,)))
    (text,) = await notices_of_a_start(disk)
    assert "paused was kept as False, the journal says True" in text


async def test_what_no_start_has_proven_or_other_code_kept_is_not_believed() -> None:
    disk = await live()
    (*_, (seq, newest)) = kept_in(disk)
    bare = without(disk, newest.upto_seq)
    assert await notices_of_a_start(bare, proven_after_seq=seq - 1) == []
    assert await notices_of_a_start(without(disk, newest.upto_seq), proven_after_seq=seq)
    other = without(disk, newest.upto_seq)
    other.records = [
        msgspec.structs.replace(each, payload=each.payload.replace(code_name().encode(), b"an older code"))
        if each.kind == KEPT_KIND
        else each
        for each in other.records
    ]
    assert await notices_of_a_start(other)


async def test_a_start_that_had_much_to_read_keeps_it_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the first one of a version that did not keep anything yet, or of another code."""
    monkeypatch.setattr(risk_actor, "KEEP_AFTER_RECORDS", 10**9)
    disk = await live()
    assert kept_in(disk) == []
    monkeypatch.setattr(risk_actor, "KEEP_AFTER_RECORDS", AFTER)
    last = len(disk.records)
    assert await notices_of_a_start(disk) == []
    ((_, kept),) = kept_in(disk)
    assert kept.history == rederive(disk.records[:last], SETTINGS.risk.day_timezone)
    assert await notices_of_a_start(disk) == []
    assert len(kept_in(disk)) == 1


async def test_where_others_write_much_it_is_kept_before_a_start_would_not_have_proven_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(risk_actor, "KEEP_AFTER_RECORDS", 10**9)
    monkeypatch.setattr(risk_actor, "KEEP_AFTER_ROWS", 100)
    disk = await live()
    seqs = [0, *[seq for seq, _ in kept_in(disk)], len(disk.records)]
    assert len(seqs) > 3
    assert max(after - before for before, after in itertools.pairwise(seqs)) < 130


async def test_a_machine_may_change_what_it_was_told_without_changing_what_is_kept() -> None:
    """A book that was not kept is taken out of the history into the state, and lives on there."""
    disk = await live()
    state = RiskMachine(SETTINGS, PAIRS).state
    blank = CellWrite(table="risk_state", key="state", payload=msgspec.json.encode(state, order="sorted"))
    disk.commit(Commit(writer="test", cells=(blank,)))
    await live(disk, first=300, last=450)
    for _, each in kept_in(disk):
        assert each.history == rederive(disk.records[: each.upto_seq], SETTINGS.risk.day_timezone)
