"""Releases in the config actor: snapshots, rollback, flags, two writers, the trail in journal and file, and crashes."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from actors import config as config_actor
from genesis import config_history
from genesis.domain.config_audit import KIND as AUDIT_KIND
from genesis.edge.audit_file import anchor_path, read_lines
from genesis.edge.store import Store
from protocols.config import (
    FeatureFlag,
    Rollback,
    RolloutPlan,
    SetFlag,
    SettingsApplied,
    SettingsRefused,
    StartRollout,
    TakeSnapshot,
    WriteAudit,
)
from protocols.journal import ReadRecords, Records
from tests.actors.test_config import a_house, risk

COUNT = iter(range(10**6))


def who(**fields: Any) -> dict[str, Any]:
    return {"actor": "anna", "reason": "a test", "correlation_id": f"release-{next(COUNT)}", **fields}


async def test_a_snapshot_is_a_name_to_go_back_to(tmp_path: Path) -> None:
    database = tmp_path / "test.sqlite"
    async with a_house(database) as house:
        await house.set({"risk.max_open_positions": 3})
        assert isinstance(await house.ask(TakeSnapshot(name="calm", **who())), SettingsApplied)
        again = await house.ask(TakeSnapshot(name="calm", **who()))
        assert isinstance(again, SettingsRefused)
        assert again.faults[0].must_be == "a new name: calm is version 2"
        await house.set({"risk.max_open_positions": 9, "risk.max_daily_loss": "0.01"})
    async with a_house(database) as house:
        back = await house.ask(Rollback(snapshot="calm", **who()))
        assert isinstance(back, SettingsApplied)
        assert (back.version, back.changed) == (4, ("risk.max_daily_loss", "risk.max_open_positions"))
        assert house.settings.value.risk.max_open_positions == 3
        assert [each.name for each in house.view.value.snapshots] == ["calm"]
        unknown = await house.ask(Rollback(snapshot="clam", **who()))
        assert isinstance(unknown, SettingsRefused)


async def test_of_two_writers_who_saw_the_same_version_one_is_told(tmp_path: Path) -> None:
    async with a_house(tmp_path / "test.sqlite") as house:
        answers: list[object] = []

        async def write(value: int) -> None:
            answers.append(
                await house.set(
                    {"risk.max_open_positions": value}, expected_version=1, correlation_id=f"writer-{value}"
                )
            )

        async with trio.open_nursery() as nursery:
            for value in (2, 3, 4):
                nursery.start_soon(write, value)
        assert sum(isinstance(answer, SettingsApplied) for answer in answers) == 1
        refused = [answer for answer in answers if isinstance(answer, SettingsRefused)]
        assert [answer.faults[0].path for answer in refused] == ["version", "version"]
        assert house.view.value.refused_total == 2


async def test_a_value_that_a_stronger_layer_hides_is_told_so(tmp_path: Path) -> None:
    async with a_house(tmp_path / "test.sqlite", risk(max_open_positions=2)) as house:
        flag = FeatureFlag(name="few", values={"risk.max_open_positions": 5})
        await house.ask(SetFlag(name="few", flag=flag, **who()))
        assert house.settings.value.risk.max_open_positions == 5
        told = next(each for each in house.view.value.effective if each.key == "risk.max_open_positions")
        assert (told.layer, told.hidden) == ("flag few", (("config/risk.json", 2), ("defaults", 10)))


async def test_every_command_leaves_a_line_in_journal_and_file(tmp_path: Path) -> None:
    database, audit = tmp_path / "test.sqlite", tmp_path / "audit.log"
    async with a_house(database, audit=audit) as house:
        await house.set({"risk.max_open_positions": 3})
        await house.set({"risk.max_open_positions": "many"}, correlation_id="bad")
        await house.ask(WriteAudit(text="rolled the key", detail={"ticket": "42"}, actor="bert", correlation_id="n1"))
        trail = config_history.trail(database, 100)
        assert [(entry.actor, entry.action, entry.outcome) for entry in reversed(trail)] == [
            ("start", "start", "applied"),
            ("tester", "set", "applied"),
            ("tester", "SetSettings", "refused"),
            ("bert", "note", "noted"),
        ]
        assert trail[2].detail["patch"] == [{"op": "replace", "path": "/risk/max_open_positions", "value": 3}]
        assert "many" not in str(trail[1].detail), "a refused value may be a secret in the wrong place"
    report = config_history.verify(database, audit)
    assert (report.faults, report.versions, report.audit_lines, report.file_lines) == ((), 2, 4, 4)


@pytest.mark.parametrize("how", ["edit", "remove", "cut", "delete", "anchor", "row"])
async def test_verify_finds_every_kind_of_tampering(tmp_path: Path, how: str) -> None:
    database, audit = tmp_path / "test.sqlite", tmp_path / "audit.log"
    async with a_house(database, audit=audit) as house:
        for value in range(3, 7):
            await house.set({"risk.max_open_positions": value})
    assert config_history.verify(database, audit).whole
    lines = read_lines(audit)

    def write(kept: list[bytes]) -> None:
        audit.write_bytes(b"".join(line + b"\n" for line in kept))

    spoil: dict[str, Callable[[], object]] = {
        "edit": lambda: write([lines[0], lines[1].replace(b"tester", b"nobody"), *lines[2:]]),
        "remove": lambda: write(lines[:2] + lines[3:]),
        "cut": lambda: write(lines[:-1]),
        "delete": audit.unlink,
        "anchor": anchor_path(audit).unlink,
        "row": lambda: _edit_row(database),
    }
    spoil[how]()
    assert config_history.verify(database, audit).faults


def _edit_row(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        (payload,) = connection.execute("SELECT payload FROM log WHERE kind = 'SettingsVersion'").fetchone()
        edited = payload.replace(b"first start", b"other start")
        connection.execute("UPDATE log SET payload = ? WHERE payload = ?", (edited, payload))
    connection.close()


async def test_a_damaged_file_is_put_aside_loudly_and_written_anew(tmp_path: Path) -> None:
    database, audit = tmp_path / "test.sqlite", tmp_path / "audit.log"
    async with a_house(database, audit=audit) as house:
        await house.set({"risk.max_open_positions": 3})
    audit.write_bytes(audit.read_bytes().replace(b"tester", b"nobody"))
    async with a_house(database, audit=audit) as house:
        assert [notice.code for notice in house.told()] == ["audit_damaged"]
    report = config_history.verify(database, audit)
    assert report.faults == ("an audit file was put aside as damaged: audit.log.damaged-1",)


async def test_however_long_the_history_it_is_read_by_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_actor, "PAGE", 4)
    monkeypatch.setattr(config_history, "VERSIONS_PAGE", 4)
    database, audit = tmp_path / "test.sqlite", tmp_path / "audit.log"
    asked: list[ReadRecords] = []
    real = Store.read_records

    def reading(store: Store, request: ReadRecords) -> Records:
        asked.append(request)
        return real(store, request)

    async with a_house(database, audit=audit) as house:
        for value in range(1, 20):
            await house.set({"risk.max_open_positions": value}, correlation_id=f"set-{value}")
    audit.write_bytes(audit.read_bytes().replace(b"tester", b"nobody", 1))
    monkeypatch.setattr(Store, "read_records", reading)
    async with a_house(database, audit=audit) as house:
        assert [notice.code for notice in house.told()] == ["audit_damaged"]
        assert {each.limit for each in asked if each.kinds == (AUDIT_KIND,)} == {1, 4}
        asked.clear()
        assert isinstance(await house.ask(Rollback(version=3, **who())), SettingsApplied)
        assert house.settings.value.risk.max_open_positions == 2
        assert [each.key for each in asked] == ["settings:3"]
    assert len(read_lines(audit)) == 21
    numbers = list(range(21, 0, -1))
    assert [each.version for each in config_history.versions(database, 100)] == numbers
    assert [each.version for each in config_history.versions(database, 6, 12)] == [11, 10, 9, 8, 7, 6]
    assert [each.version for each in config_history.versions(database, 3, 500)] == [21, 20, 19]
    found = config_history.version(database, 3)
    assert found is not None
    assert found.runtime == {"risk.max_open_positions": 2}
    assert config_history.version(database, 99) is None


async def test_a_disk_that_takes_no_more_costs_the_copy_and_not_the_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = tmp_path / "audit.log"
    async with a_house(tmp_path / "test.sqlite", audit=audit) as house:
        real = os.open

        def full(path: Any, *rest: Any, **named: Any) -> int:
            if str(path).endswith("audit.log"):
                raise OSError(28, "No space left on device")
            return real(path, *rest, **named)

        monkeypatch.setattr(os, "open", full)
        assert isinstance(await house.set({"risk.max_open_positions": 3}), SettingsApplied)
        await house.set({"risk.max_open_positions": 4})
        assert [notice.code for notice in house.told() if notice.level == "alarm"] == ["audit_unwritable"]
        assert house.view.value.audit_trouble
        monkeypatch.undo()
        await house.set({"risk.max_open_positions": 5})
        with trio.fail_after(60):
            # The answer comes before the copy, and a file has no bell.
            while house.view.value.audit_trouble or len(read_lines(audit)) < 4:  # noqa: ASYNC110
                await trio.sleep(0.001)
        assert len(read_lines(audit)) == 4


async def test_a_rollout_stands_in_the_version_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    plan = RolloutPlan(name="half", changes={"risk.position_fraction": "0.1"}, symbols=("tBTCUSD",))
    async with a_house(tmp_path / "test.sqlite") as house:
        assert isinstance(await house.ask(StartRollout(plan=plan, **who())), SettingsApplied)
        house.supervisor.kill("config", reason="test")
        await house.set({"risk.max_daily_loss": "0.01"})
        before = house.view.value.rollout
        assert before is not None
    async with a_house(tmp_path / "test.sqlite") as house:
        assert house.view.value.rollout == before
        assert [overlay.name for overlay in house.settings.value.overlays] == ["half"]
