"""`genesis config` against an engine's own web with a real config actor behind it, and after it has ended."""

import contextlib
import json
import random
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest
import trio

from genesis.cli.main import call
from genesis.config_history import audit_path, history_ports
from genesis.core.clock import TrioClock
from genesis.edge.run_file import RunFile
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode
from protocols.config import ConfigCommand, SettingsReply
from tests.actors.test_config import House, a_house
from web.app import create_app
from web.controls import Controls
from web.guard import hosts_for
from web.keyring import open_keyring
from web.models import EngineStatus
from web.readers import Readers
from web.server import ServerCounters, open_listeners, port_of
from web.site import Site
from web.tokens import Scope, Tokens

Capture = pytest.CaptureFixture[str]


@attrs.define
class Engine:
    home: UserDir
    house: House
    tokens: Tokens
    address: str

    async def command(self, *words: str) -> int:
        """The command as a shell would run it; its waiting for us must not keep us from answering."""
        return await trio.to_thread.run_sync(call, ["config", *words])


@contextlib.asynccontextmanager
async def an_engine(home: UserDir) -> AsyncIterator[Engine]:
    listeners = await open_listeners("127.0.0.1", 0)
    port, counters = port_of(listeners), ServerCounters()
    audit = audit_path(home, "sim")
    async with a_house(home.database("sim"), audit=audit) as house:

        async def tell(command: ConfigCommand) -> SettingsReply | None:
            return await house.ask(command)

        tokens = Tokens(
            keyring=open_keyring(home.keyring, secrets.token_bytes),
            clock=TrioClock(),
            random_bytes=secrets.token_bytes,
            ticket_scope=Scope.ADMIN,
        )
        app = create_app(
            readers=Readers(
                status=lambda: EngineStatus(mode="sim", version="1"),
                config=lambda: house.view.value,
                settings=lambda: house.settings.value,
            ),
            controls=Controls(settings=tell, history=history_ports(home.database("sim"), audit)),
            tokens=tokens,
            clock=TrioClock(),
            chance=random.Random(1),
            hosts=hosts_for((), port),
            server_counters=counters,
        )
        site = Site(app=app, listeners=listeners, counters=counters)
        stopping = trio.Event()
        RunFile(pid=1, address=f"http://127.0.0.1:{port}", mode="sim", started_ms=0).write(home.run_file)
        async with trio.open_nursery() as nursery:
            await nursery.start(site.serve, stopping)
            yield Engine(home, house, tokens, f"http://127.0.0.1:{port}")
            stopping.set()
        await site.aclose()
        home.run_file.unlink()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UserDir:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENESIS_HOME", str(tmp_path / "home"))
    home = UserDir(tmp_path / "home")
    home.create()
    return home


async def test_a_day_with_the_settings(home: UserDir, capsys: Capture) -> None:
    async with an_engine(home) as engine:
        assert await engine.command("snapshot", "morning") == ExitCode.OK
        assert await engine.command("set", "risk.max_drawdown", "0.1", "--reason", "calm") == ExitCode.OK
        assert await engine.command("set", "risk.max_drawdown", "0.3", "--version", "1") == ExitCode.CONFIGURATION
        assert "another change came first" in capsys.readouterr().err
        assert await engine.command("get", "risk.max_drawdown", "--json") == ExitCode.OK
        assert json.loads(capsys.readouterr().out) == {"key": "risk.max_drawdown", "value": "0.1"}
        assert await engine.command("flag", "set", "calm", "risk.cooldown_s=60", "--symbols", "tETHUSD") == ExitCode.OK
        assert await engine.command("flag", "set", "bad", "risk.cooldown_s", "risk.max=1") == ExitCode.CONFIGURATION
        told = capsys.readouterr().err
        assert "risk.cooldown_s must be KEY=VALUE" in told
        assert "risk.max: must be a known name" in told
        assert await engine.command("flag", "list", "--json") == ExitCode.OK
        assert json.loads(capsys.readouterr().out)[0]["symbols"] == ["tETHUSD"]
        twice = ("risk.position_fraction=0.1", "risk.position_fraction=0.2")
        assert await engine.command("rollout", "start", "half", *twice) == ExitCode.CONFIGURATION
        assert "risk.position_fraction must be given once" in capsys.readouterr().err
        words = (
            "risk.position_fraction=0.1",
            "--symbols",
            "tBTCUSD, tETHUSD",
            "--metric",
            "loss",
            "--threshold",
            "0.01",
        )
        assert await engine.command("rollout", "start", "half", *words) == ExitCode.OK
        assert await engine.command("rollout", "status") == ExitCode.OK
        capsys.readouterr()
        assert await engine.command("rollout", "status", "--json") == ExitCode.OK
        assert json.loads(capsys.readouterr().out)["rollout"]["plan"]["symbols"] == ["tBTCUSD", "tETHUSD"]
        assert await engine.command("rollout", "revert", "--reason", "no") == ExitCode.OK
        assert await engine.command("flag", "remove", "calm") == ExitCode.OK
        assert await engine.command("rollback", "morning") == ExitCode.OK
        assert await engine.command("audit", "went home") == ExitCode.OK
        assert await engine.command("effective", "--json") == ExitCode.OK
        assert engine.house.settings.value.version == 7
        capsys.readouterr()
    # What only looks needs no engine.
    command = ["config", "history"]
    assert await trio.to_thread.run_sync(call, [*command, "--json"]) == ExitCode.OK
    rows = json.loads(capsys.readouterr().out)
    actions = [row["action"] for row in rows]
    assert actions == ["rollback", "flag", "revert", "rollout", "flag", "set", "start"]
    assert await trio.to_thread.run_sync(call, ["config", "diff", "1", "2", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == [{"op": "replace", "path": "/risk/max_drawdown", "value": "0.1"}]
    assert await trio.to_thread.run_sync(call, [*command, "--verify"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("whole: 7 versions")
    assert await trio.to_thread.run_sync(call, [*command, "--audit"]) == ExitCode.OK
    audit = audit_path(home, "sim")
    audit.write_bytes(audit.read_bytes().replace(b"calm", b"wild"))
    assert await trio.to_thread.run_sync(call, [*command, "--verify"]) == ExitCode.ERROR
    assert "its hash differs" in capsys.readouterr().err


def test_without_an_engine_there_is_nothing_to_change_and_no_journal_to_read(home: UserDir, capsys: Capture) -> None:
    assert call(["config", "rollback", "1"]) == ExitCode.NOT_RUNNING
    assert call(["config", "flag", "list"]) == ExitCode.NOT_RUNNING
    assert call(["config", "history"]) == ExitCode.NOT_FOUND
    assert call(["config", "history", "--verify", "--mode", "live"]) == ExitCode.NOT_FOUND
