"""The configuration actor: what it published is in the journal, one version at a time, and bad versions never rule."""

import contextlib
import random
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
import trio

from actors.config import KIND, ConfigActor
from actors.journal import JournalActor
from genesis.core.backoff import IMMEDIATE
from genesis.core.clock import TrioClock
from genesis.core.latest import Latest
from genesis.core.mailbox import Channel, Mailbox, Overflow
from genesis.core.supervisor import ChildSpec, Supervisor, SupervisorSpec
from genesis.domain.config_audit import KIND as AUDIT_KIND
from genesis.domain.config_audit import decode_entry
from genesis.domain.settings_build import Built, Layer, build, layer_of_tree
from genesis.edge.audit_file import AuditFile
from genesis.edge.store import KEPT_FOR_ORDERS, ReadOnlyStore, Store
from genesis.edge.store_errors import StorePoisoned
from genesis.edge.store_thread import StoreThread
from protocols.config import (
    ConfigCommand,
    ConfigView,
    SetSettings,
    SettingsApplied,
    SettingsRefused,
    SettingsVersion,
)
from protocols.health import Notice
from protocols.journal import Commit, JournalRequest, ReadRecords, Record
from protocols.settings import Settings


@attrs.define(kw_only=True)
class House:
    settings: Latest[Settings]
    commands: Channel[ConfigCommand]
    view: Latest[ConfigView]
    journal: Channel[JournalRequest]
    notices: Channel[Any]
    store: Store
    supervisor: Supervisor = attrs.field(init=False)

    async def set(self, changes: Mapping[str, Any], **fields: Any) -> SettingsApplied | SettingsRefused:
        fields.setdefault("correlation_id", f"test-{len(await self.history())}")
        return await self.ask(SetSettings(changes=dict(changes), actor="tester", reason="a test", **fields))

    async def ask(self, command: ConfigCommand) -> SettingsApplied | SettingsRefused:
        with trio.fail_after(60):
            answer = await self.commands.ask(command)
        assert isinstance(answer, SettingsApplied | SettingsRefused)
        return answer

    async def history(self) -> list[SettingsVersion]:
        answer = await self.journal.ask(ReadRecords(kinds=(KIND,)))
        return [msgspec.json.decode(each.record.payload, type=SettingsVersion) for each in answer.records]

    def told(self) -> list[Notice]:
        messages = [envelope.message for envelope in self.notices.take(100)]
        return [message for message in messages if isinstance(message, Notice)]


@contextlib.asynccontextmanager
async def a_house(
    path: Path, *layers: Layer, audit: Path | None = None, beside: Callable[[House], ChildSpec] | None = None
) -> AsyncIterator[House]:
    """`beside` makes another child that works with this house's channels and cells."""
    built = build(layers)
    assert isinstance(built, Built)
    store = Store.open(path, at_ms=1_000)
    settings = Latest(built.settings)
    commands = Channel[ConfigCommand]("config.commands", Overflow.FAIL, capacity=8)
    view = Latest(ConfigView())
    journal = Channel[JournalRequest]("journal", Overflow.BLOCK)
    notices = Channel[Any]("web.notices", Overflow.DROP_OLDEST)
    keeper = StoreThread(store, inline=True)

    here = House(settings=settings, commands=commands, view=view, journal=journal, notices=notices, store=store)

    def config() -> ConfigActor:
        return ConfigActor(
            layers=layers,
            settings=settings,
            journal=journal,
            notices=notices,
            view=view,
            audit=None if audit is None else AuditFile(audit, inline=True),
        )

    spec = SupervisorSpec(
        id="test",
        intensity=100,
        max_consecutive=1000,
        children=(
            ChildSpec(
                id="journal",
                start=lambda: JournalActor(store=keeper),
                mailbox=Mailbox("journal", [journal]),
                backoff=IMMEDIATE,
            ),
            ChildSpec(id="config", start=config, mailbox=Mailbox("config", [commands]), backoff=IMMEDIATE),
            *(() if beside is None else (beside(here),)),
        ),
    )
    supervisor = here.supervisor = Supervisor(spec, clock=TrioClock(), chance=random.Random(1), on_event=lambda _: None)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            yield here
            await supervisor.stop()
    finally:
        store.close()


@pytest.fixture
def home(tmp_path: Path) -> Callable[..., contextlib.AbstractAsyncContextManager[House]]:
    return lambda *layers: a_house(tmp_path / "test.sqlite", *layers)


Home = Callable[..., contextlib.AbstractAsyncContextManager[House]]


def risk(**values: Any) -> Layer:
    return layer_of_tree("config/risk.json", values, section="risk")


async def test_the_first_start_writes_version_one_and_the_next_one_writes_nothing(home: Home) -> None:
    async with home() as house:
        assert house.settings.value == Settings()
        [first] = await house.history()
        assert (first.version, first.author, first.reason, first.runtime) == (1, "start", "first start", {})
    async with home() as house:
        assert house.settings.value.version == 1
        assert len(await house.history()) == 1


async def test_a_change_is_in_the_journal_before_it_is_published_and_outlives_the_process(home: Home) -> None:
    async with home() as house:
        answer = await house.set({"risk.max_daily_loss": "0.02", "risk.max_open_positions": 3})
        assert answer == SettingsApplied(
            version=2, changed=("risk.max_daily_loss", "risk.max_open_positions"), pending=()
        )
        assert house.settings.value.risk.max_daily_loss == Decimal("0.02")
        assert house.settings.value.version == 2
        newest = (await house.history())[-1]
        assert (newest.author, newest.reason, newest.version) == ("tester", "a test", 2)
        assert newest.settings["risk"]["max_daily_loss"] == "0.02"
        assert [notice.code for notice in house.told()] == ["settings_changed"]
    async with home() as house:
        assert house.settings.value.version == 2
        assert house.settings.value.risk.max_open_positions == 3


async def test_a_bad_change_changes_nothing_and_tells_everything(home: Home) -> None:
    async with home() as house:
        answer = await house.set({"risk.max_daily_loss": "5", "risk.max_dialy_loss": 1, "risk.max_open_positions": 2})
        assert isinstance(answer, SettingsRefused)
        assert [fault.path for fault in answer.faults] == ["risk.max_daily_loss", "risk.max_dialy_loss"]
        assert answer.version == 1
        assert house.settings.value == Settings()
        assert len(await house.history()) == 1


async def test_two_writers_never_overwrite_each_other_in_silence(home: Home) -> None:
    async with home() as house:
        first = await house.set({"risk.max_open_positions": 3}, expected_version=1)
        second = await house.set({"risk.max_open_positions": 4}, expected_version=1)
        assert isinstance(first, SettingsApplied)
        assert isinstance(second, SettingsRefused)
        assert second.faults[0].path == "version"
        assert house.settings.value.risk.max_open_positions == 3


async def test_the_same_command_said_again_makes_one_version(home: Home) -> None:
    async with home() as house:
        for _ in range(2):
            answer = await house.set({"risk.max_open_positions": 3}, correlation_id="once")
            assert isinstance(answer, SettingsApplied)
            assert answer.version == 2
        assert len(await house.history()) == 2


async def test_a_refusal_said_again_is_one_line_of_the_trail(home: Home) -> None:
    async with home() as house:
        for _ in range(2):
            answer = await house.set({"risk.max_daily_loss": "5"}, correlation_id="once")
            assert isinstance(answer, SettingsRefused)
            assert [fault.path for fault in answer.faults] == ["risk.max_daily_loss"]
        kept = await house.journal.ask(ReadRecords(kinds=(AUDIT_KIND,)))
        lines = [decode_entry(each.record.payload) for each in kept.records]
        assert [line.outcome for line in lines] == ["applied", "refused"]
        assert house.view.value.refused_total == 1


async def test_what_takes_a_restart_waits_for_it(home: Home) -> None:
    async with home() as house:
        answer = await house.set({"market.candle_history": 100, "risk.max_open_positions": 3})
        assert isinstance(answer, SettingsApplied)
        assert answer.pending == ("market.candle_history",)
        assert house.settings.value.market.candle_history == Settings().market.candle_history
        assert house.settings.value.risk.max_open_positions == 3
        # A crash of the actor is no restart of the engine.
        assert house.supervisor.kill("test/config", reason="a test")
        answer = await house.set({"risk.max_open_positions": 4})
        assert isinstance(answer, SettingsApplied)
        assert answer.pending == ("market.candle_history",)
        assert house.settings.value.market.candle_history == Settings().market.candle_history
    async with home() as house:
        assert house.settings.value.market.candle_history == 100


async def test_a_cleared_key_falls_back_to_the_files(home: Home) -> None:
    async with home(risk(max_open_positions=7)) as house:
        await house.set({"risk.max_open_positions": 3})
        await house.set({}, cleared=("risk.max_open_positions",))
        assert house.settings.value.risk.max_open_positions == 7
        assert house.settings.value.version == 3


async def test_changed_files_make_a_version_and_keep_what_was_set_while_running(home: Home) -> None:
    async with home() as house:
        await house.set({"risk.max_open_positions": 3})
    async with home(risk(max_open_positions=9, max_trades_per_day=5)) as house:
        newest = (await house.history())[-1]
        assert (newest.version, newest.changed) == (3, ("risk.max_trades_per_day",))
        assert house.settings.value.risk.max_open_positions == 3
        assert house.settings.value.risk.max_trades_per_day == 5


async def test_a_stored_version_that_no_longer_builds_leaves_the_last_good_one_and_says_so(home: Home) -> None:
    async with home() as house:
        await house.set({"risk.max_open_positions": 3})
        bad = (await house.history())[-1]
        bad = msgspec.structs.replace(bad, version=3, runtime={"risk.gone_setting": 1})
        record = Record(kind=KIND, key="settings:3", payload=msgspec.json.encode(bad), correlation_id="bad", at_ms=1)
        await house.journal.ask(Commit(writer="test", records=(record,)))
    async with home() as house:
        assert house.settings.value.risk.max_open_positions == 3
        assert house.settings.value.version == 4
        [alarm] = house.told()
        assert (alarm.level, alarm.code) == ("alarm", "settings_rejected")
        assert "version 3" in alarm.text
        assert "risk.gone_setting" in alarm.text


async def test_commands_survive_the_death_of_the_actor_at_any_moment(home: Home) -> None:
    async with home() as house:
        async with trio.open_nursery() as nursery:

            async def kill_often() -> None:
                for _ in range(30):
                    await trio.lowlevel.checkpoint()
                    house.supervisor.kill("test/config", reason="chaos")
                    await trio.sleep(0.002)

            nursery.start_soon(kill_often)
            for count in range(1, 21):
                answer = await house.set({"risk.max_open_positions": count}, correlation_id=f"c{count}")
                assert isinstance(answer, SettingsApplied)
        versions = await house.history()
        assert [version.runtime.get("risk.max_open_positions") for version in versions] == [None, *range(1, 21)]
        assert house.settings.value.risk.max_open_positions == 20


async def test_strategies_come_change_and_go_without_a_restart(tmp_path: Path) -> None:
    async with a_house(tmp_path / "sim.sqlite") as house:
        wanted = [{"name": "new", "symbol": "tETHUSD", "timeframe": "1m"}]
        answer = await house.set({"strategies": wanted})
        assert (answer.pending, answer.changed) == ((), ("strategies",))  # type: ignore[union-attr]
        assert [strategy.name for strategy in house.settings.value.strategies] == ["new"]
        refused = await house.set({"strategies": [{"name": "new", "kind": "emma_cross", "symbol": "tETHUSD"}]})
        assert isinstance(refused, SettingsRefused)
        assert [strategy.kind for strategy in house.settings.value.strategies] == ["ema_cross"]
        await house.set({"strategies": []})
        assert house.settings.value.strategies == ()


# --- a disk that takes no more --------------------------------------------------------------------------------------


def no_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite finds the disk full in the middle of its transaction."""
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")


def no_writes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store._connection.execute("PRAGMA query_only = 1")


def little_left(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of the disk is for orders."""
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=KEPT_FOR_ORDERS - 1))


@pytest.mark.parametrize("trouble", [no_room, no_writes, little_left])
async def test_a_change_that_cannot_be_kept_is_refused_and_trading_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[Store, pytest.MonkeyPatch], None]
) -> None:
    async with a_house(tmp_path / "sim.sqlite") as house:
        await house.set({"risk.max_trades_per_day": 5})
        house.told()
        trouble(house.store, monkeypatch)
        # Larger than what a page has left.
        for changes in ({"risk.max_trades_per_day": 6}, {"market.symbols": [f"tA{n:03d}USD" for n in range(900)]}):
            answer = await house.set(changes)
            if isinstance(answer, SettingsApplied):
                assert trouble is no_room, "a small change may find room in the pages that there are"
                continue
            assert [fault.path for fault in answer.faults] == ["journal"]
        assert house.settings.value.risk.max_trades_per_day in (5, 6)
        assert [notice.code for notice in house.told() if notice.level == "alarm"][-1] == "settings_not_kept"
        assert house.store.poisoned is None
        house.store._connection.execute("PRAGMA query_only = 0")
        house.store._connection.execute("PRAGMA max_page_count = 1000000")
        monkeypatch.undo()
        assert isinstance(await house.set({"risk.max_trades_per_day": 7}), SettingsApplied)
        assert [kept.version for kept in await house.history()] == list(range(1, house.settings.value.version + 1))
    with ReadOnlyStore.open(tmp_path / "sim.sqlite") as store:
        store.verify()


async def test_any_other_write_that_fails_still_ends_the_journal(tmp_path: Path) -> None:
    with Store.open(tmp_path / "sim.sqlite", at_ms=1_000) as store:
        store._connection.execute("PRAGMA query_only = 1")
        record = Record(kind="Fill", key="1", payload=b"{}", correlation_id="", at_ms=1)
        with pytest.raises(StorePoisoned):
            store.commit([Commit(writer="order", records=(record,))], at_ms=2)
