"""Replay: what a run decided is decided again from its journal, whatever was killed on the way, and a change shows."""

import itertools
import json
import math
import random
import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio

from genesis.cli.main import call
from genesis.domain import order_brackets, order_requests
from genesis.domain.bracket import Levels, levels_of
from genesis.domain.heard import HEARD_KINDS, ORDER_HEARD_KIND
from genesis.domain.order_fills import FillBook
from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_rows import FillRow, OrderRow
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.edge.store import ReadOnlyStore
from genesis.engine import Engine
from genesis.pacer import Pacer
from genesis.research.replay import REPLAYED_KINDS, CannotReplay, replay
from genesis.run_options import ExitCode
from genesis.strategy_template import TEMPLATE, class_name
from genesis.user_strategies import UserStrategies, user_strategies
from protocols.journal import ReadRecords, StoredRecord
from protocols.orders import Fill
from tests.house import house, leaves, lively_layer, piece_of

TURNS = 200
"""A kill comes within so many turns of the loop after a boundary: about as many as it takes to act on one."""
REPLAYED = ("signal", "risk", "order")
SLICE = Decimal("0.0001")
Capture = pytest.CaptureFixture[str]


@attrs.frozen
class _KillingPacer:
    """Holds the replay as the house's own does, and at every boundary somebody dies while it is acted upon.

    By boundaries, not by time: a slow machine and a quick one see the same deaths at the same place of the market. All
    whose decisions are replayed die again and again, and everybody else some time.
    """

    engine: Engine
    calm: Pacer
    nursery: trio.Nursery
    chance: random.Random

    def minds_trades(self) -> bool:
        return self.calm.minds_trades()

    async def settled(self) -> None:
        await self.calm.settled()
        paths = leaves(self.engine)
        ours = [path for path in paths if path.rpartition("/")[2] in REPLAYED]
        assert len(ours) == len(REPLAYED), paths
        victim = self.chance.choice(ours if self.chance.random() < 0.5 else paths)
        self.nursery.start_soon(self._kill, victim, self.chance.randrange(TURNS))

    async def _kill(self, path: str, turns: int) -> None:
        for _ in range(turns):
            await trio.lowlevel.checkpoint()
        self.engine.supervisor.kill(path, reason="to be replayed")


async def _trade(directory: Path) -> None:
    """An hour of the default recording, in which actors are killed between any two steps."""
    chance = random.Random("replay")
    async with house(directory, recording=piece_of(minutes=60, skip=600), layer=lively_layer()) as here:
        await here.ready()
        async with trio.open_nursery() as nursery:
            await here.exchange.replay(math.inf, _KillingPacer(here.engine, here.pacer, nursery, chance))
        await here.all_orders_known()


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("replay")
    trio.run(_trade, directory, strict_exception_groups=True)
    return directory / "sim.sqlite"


@pytest.fixture
def rows(journal: Path) -> tuple[StoredRecord, ...]:
    with ReadOnlyStore.open(journal) as store:
        return store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=1_000_000)).records


def changed(rows: tuple[StoredRecord, ...], kind: str, old: bytes, new: bytes) -> Iterator[StoredRecord]:
    """The journal with the first record of a kind that contains `old` changed."""
    done = False
    for row in rows:
        record = row.record
        if not done and record.kind == kind and old in record.payload:
            done = True
            record = msgspec.structs.replace(record, payload=record.payload.replace(old, new, 1))
        yield msgspec.structs.replace(row, record=record)
    assert done, f"no {kind} contains {old!r}"


def without_new_fields(row: StoredRecord) -> StoredRecord:
    """An order as versions wrote it that knew of no last moment to leave."""
    payload = row.record.payload.replace(b'"leave_by_ns":0,', b"")
    return msgspec.structs.replace(row, record=msgspec.structs.replace(row.record, payload=payload))


def test_every_decision_of_a_troubled_run_is_made_again(rows: tuple[StoredRecord, ...]) -> None:
    report = replay(rows)
    assert report.equal, str(report)
    assert report.counts["SignalScore"] > 100
    for kind in ("Verdict", "Approved", "SubmitOrder"):
        assert report.counts[kind] > 5, kind
    assert report.states > 50
    assert report.lives > 2, "signal and risk must have been killed at least once"
    assert report.order_lives > 1, "and the order actor"
    assert report.commands > 20
    assert report.order_steps > 40
    assert report.others == 0


def test_an_exit_that_left_in_parts_was_approved_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part stands in the journal as an intent of its own, and risk approved the one that they were cut from."""
    monkeypatch.setattr(order_requests, "cut", lambda quantity, pair: [quantity - SLICE, SLICE])
    trio.run(_trade, tmp_path, strict_exception_groups=True)
    with ReadOnlyStore.open(tmp_path / "sim.sqlite") as store:
        rows = store.read_records(ReadRecords(kinds=REPLAYED_KINDS, limit=1_000_000)).records
    assert any(row.record.kind == "Approved" and (row.record.key or "").endswith("#2") for row in rows)
    report = replay(rows)
    assert report.equal, report


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("SignalHeard", b'"close":', b'"close":1'),
        ("SignalScore", b'"confidence":0', b'"confidence":1'),
        ("RiskHeard", b'"cash":"', b'"cash":"1'),
        ("Verdict", b'"approved":true', b'"approved":false'),
        ("Approved", b'"quantity":"0', b'"quantity":"1'),
        ("SubmitOrder", b'"amount":"', b'"amount":"1'),
        ("OrderHeard", b'"type":"SubmitOrder"', b'"leave_by_ns":7,"type":"SubmitOrder"'),
        ("OrderHeard", b'"kind":"on"', b'"kind":"oc"'),
    ],
)
def test_what_was_not_decided_so_is_told(rows: tuple[StoredRecord, ...], kind: str, old: bytes, new: bytes) -> None:
    report = replay(changed(rows, kind, old, new))
    assert not report.equal
    assert report.differences
    assert "must be" in str(report) or "must have" in str(report)


@pytest.mark.parametrize("kind", ["SignalScore", "Verdict"])
def test_a_decision_that_is_missing_is_told(rows: tuple[StoredRecord, ...], kind: str) -> None:
    heard = {"SignalScore": "SignalHeard", "Verdict": "RiskHeard"}[kind]
    batches = itertools.pairwise(row for row in rows if row.record.kind in (kind, heard))
    # The last of its batch: without another one the next would be compared with it.
    gone = next(row for row, after in batches if (row.record.kind, after.record.kind) == (kind, heard))
    report = replay(row for row in rows if row is not gone)
    assert [(one.kind, one.fields) for one in report.differences] == [
        (kind, (f"{gone.record.key} must be decided before this row",))
    ]


def test_other_code_decides_otherwise(rows: tuple[StoredRecord, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """What a replay is for: a change of a rule is found by what it would have done."""
    monkeypatch.setattr("genesis.domain.risk_machine.entry_quantity", lambda *_: 0)
    assert not replay(rows).equal


def cancels_stay(patch: pytest.MonkeyPatch) -> None:
    """No cancel leaves."""
    patch.setattr(OrderMachine, "_pursue_cancel", lambda machine, row: None)


def stops_are_further(patch: pytest.MonkeyPatch) -> None:
    def lower(*args: Any, **kwargs: Any) -> Levels:
        levels = levels_of(*args, **kwargs)
        return msgspec.structs.replace(levels, stop=None if levels.stop is None else levels.stop - 1)

    patch.setattr(order_brackets, "levels_of", lower)


def fills_are_counted_to_be_told_anew(patch: pytest.MonkeyPatch) -> None:
    """Nothing is said otherwise; only a row that is kept is another."""
    tell = FillBook.tell

    def told(book: FillBook, fill: FillRow, order: OrderRow | None, no_basis: Decimal) -> Fill:
        fill.reports += 1
        return tell(book, fill, order, no_basis)

    patch.setattr(FillBook, "tell", told)


def nobody_is_told_of_an_order(patch: pytest.MonkeyPatch) -> None:
    """Of the account alone: what is kept is the same."""

    def changed(machine: OrderMachine, row: OrderRow) -> None:
        told(machine, row)
        machine._out.said.pop()

    told = OrderMachine._changed
    patch.setattr(OrderMachine, "_changed", changed)


@pytest.mark.parametrize(
    "mutant",
    [cancels_stay, stops_are_further, fills_are_counted_to_be_told_anew, nobody_is_told_of_an_order],
    ids=lambda mutant: mutant.__name__,
)
def test_what_the_order_machine_does_of_itself_is_done_again(
    rows: tuple[StoredRecord, ...], mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stops, cancels, changes, questions, reports and rows: none of them has a verdict that would differ."""
    mutant(monkeypatch)
    report = replay(rows)
    assert not report.equal
    assert {one.kind for one in report.differences} == {"OrderHeard"}


def test_steps_that_are_missing_are_told(rows: tuple[StoredRecord, ...]) -> None:
    steps = [row for row in rows if row.record.kind == "OrderHeard"]
    report = replay(row for row in rows if row is not steps[len(steps) // 2])
    assert {one.kind for one in report.differences} == {"OrderHeard"}


def test_what_other_code_decided_is_told_apart(
    rows: tuple[StoredRecord, ...], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """An engine that was updated: states may be of another shape, and decisions that differ show what has changed."""
    monkeypatch.setattr("genesis.research.replay.code_name", lambda: "another")
    fills_are_counted_to_be_told_anew(monkeypatch)
    report = replay(rows)
    assert (report.equal, report.states) == (True, 0), report
    monkeypatch.setattr("genesis.domain.risk_machine.entry_quantity", lambda *_: 0)
    report = replay(rows)
    assert report.others == report.differences_total > 0
    assert "another version of the engine decided" in str(report)


def test_a_journal_that_kept_no_inputs_cannot_be_replayed(rows: tuple[StoredRecord, ...]) -> None:
    with pytest.raises(CannotReplay, match="did not keep what they were made of"):
        replay(row for row in rows if row.record.kind not in HEARD_KINDS)
    assert replay(()).equal


def test_behind_what_an_older_version_wrote_everything_is_decided_again(rows: tuple[StoredRecord, ...]) -> None:
    """An engine is updated and goes on with its journal: it ended with an error at the first old row.

    The version ends where some life of signal ends, behind the first decisions.
    """

    def life(row: StoredRecord, kind: str, word: bytes) -> bool:
        return row.record.kind == kind and word in row.record.payload

    decided = next(number for number, row in enumerate(rows) if row.record.kind == "Verdict")
    states = [n for n, row in enumerate(rows) if n > decided and life(row, "SignalHeard", b'"states":{')]
    state = next(n for n, row in enumerate(rows) if n > states[0] and life(row, "RiskHeard", b'"state":{'))
    second = max(number for number in states if number < state)
    old = tuple(without_new_fields(row) for row in rows[:second] if row.record.kind not in HEARD_KINDS)
    named = tuple(row for row in rows[:second] if row.record.kind in ("SettingsHeard", "PairsHeard"))
    new = [row for row in rows[second:state] if row.record.kind in ("SignalHeard", "SignalScore")]
    new += [row for row in rows[state:] if row.record.kind != ORDER_HEARD_KIND]
    report = replay([*old, *named, *new])
    assert report.equal, report
    assert report.unheard == sum(row.record.kind not in ("Approved", "SubmitOrder") for row in old)
    assert "not made again" in str(report)
    assert report.counts["Verdict"] > 0


def test_the_command_answers_with_its_exit_code(journal: Path, tmp_path: Path, capsys: Capture) -> None:
    assert call(["replay", "--journal", str(journal), "--json"]) == ExitCode.OK
    answer = json.loads(capsys.readouterr().out)
    assert (answer["equal"], answer["differences"]) == (True, 0)
    assert answer["decisions"]["Verdict"] > 5
    home = tmp_path / "home"
    home.mkdir()
    for file in journal.parent.glob("sim.sqlite*"):
        shutil.copy(file, home)
    assert call(["replay", "--data-dir", str(home)]) == ExitCode.OK
    assert " 0 differences" in capsys.readouterr().out
    assert call(["replay", "--mode", "live", "--data-dir", str(home)]) == ExitCode.NOT_FOUND
    whole = journal.read_bytes()
    cut = tmp_path / "cut.sqlite"
    cut.write_bytes(whole[: len(whole) // 2])
    assert call(["replay", "--journal", str(cut)]) == ExitCode.ERROR
    capsys.readouterr()


def test_a_difference_is_an_error(journal: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("genesis.domain.risk_machine.entry_quantity", lambda *_: 0)
    assert call(["replay", "--journal", str(journal)]) == ExitCode.ERROR
    assert "Verdict comes out differently" in capsys.readouterr().out


async def test_a_journal_of_ones_own_strategy_is_decided_again_by_its_file(tmp_path: Path, capsys: Capture) -> None:
    """The command reads the files beside the journal; of one that is another now the signals are left out."""
    files = tmp_path / "strategies"
    files.mkdir()
    path = files / "my_dip.py"
    path.write_text(TEMPLATE.replace("CLASS_NAME", class_name("my_dip")).replace("KIND_NAME", "my_dip"))
    layer = lively_layer()
    layer.values["strategies"].append(  # type: ignore[attr-defined]
        {"name": "dip", "kind": "my_dip", "symbol": "tBTCUSD", "timeframe": "1m", "parameters": {"period": 5}}
    )
    own = UserStrategies(files)
    own.refresh()
    command = ["replay", "--journal", str(tmp_path / "sim.sqlite"), "--json"]
    try:
        async with house(tmp_path, recording=piece_of(minutes=40), layer=layer, user_strategies=own) as here:
            await here.replay()
            await here.all_orders_known()
        # As in a process that has seen no file yet.
        STRATEGY_KINDS.take_up({})
        assert call(command) == ExitCode.OK
        whole = json.loads(capsys.readouterr().out)
        assert whole["without_their_file"] == {}
        path.write_text(path.read_text().replace('"period", 14', '"period", 15'))
        for there in (True, False):
            if not there:
                path.unlink()
            assert call(command) == ExitCode.OK
            told = json.loads(capsys.readouterr().out)
            assert (told["differences"], told["states"]) == (0, whole["states"])
            left_out = told["without_their_file"]["dip"]
            assert left_out > 30
            assert told["decisions"]["SignalScore"] == whole["decisions"]["SignalScore"] - left_out
            assert call(command[:-1]) == ExitCode.OK
            assert f"{left_out} signals of dip, whose file is another one now" in capsys.readouterr().out
    finally:
        own.close()
        user_strategies(files).close()
        STRATEGY_KINDS.take_up({})
