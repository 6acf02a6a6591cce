"""What a command prints, and the code it ends with: one clear line on stderr, nothing damaged."""

import contextlib
import io
import json
import os
import shlex
import socket
import sqlite3
import stat
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import msgspec
import pytest

from genesis.cli import main
from genesis.cli.doctor import is_optimised
from genesis.cli.examples import EXAMPLES
from genesis.cli.main import COMMANDS, call
from genesis.cli.run import options_of
from genesis.edge import run_file
from genesis.edge.file_lock import FileLock, holder
from genesis.edge.run_file import RunFile
from genesis.edge.store import Store
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode, Mode, RunOptions
from protocols.config import SettingsVersion
from protocols.journal import Commit, Record
from tests.recorded_journals import put_journal
from web.tokens import Scope

PROGRAM = Path(sys.executable).with_name("genesis")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UserDir:
    """Its own directory for each test, and none of the caller's settings."""
    for name in list(os.environ):
        if name.startswith(("GENESIS_", "BITFINEX_", "JWT_")) and not name.startswith("GENESIS_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENESIS_HOME", str(tmp_path / "home"))
    return UserDir(tmp_path / "home")


Capture = pytest.CaptureFixture[str]


def one_line(capsys: Capture) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("genesis: ")
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_there_with_its_help(name: str, capsys: Capture) -> None:
    assert call([name, "--help"]) == ExitCode.OK
    text = COMMANDS[name][1]
    said = " ".join(capsys.readouterr().out.split())
    assert text.split("`")[0][:40].strip() in said
    module, _, attribute = COMMANDS[name][0].partition(":")
    assert getattr(import_module(module), attribute) is not None


def test_help_tells_every_command_and_the_exit_codes(capsys: Capture) -> None:
    assert call(["--help"]) == ExitCode.OK
    text = capsys.readouterr().out
    assert [name for name in COMMANDS if f" {name} " not in text] == []
    assert "3 not running" in text


def test_the_version_is_the_packages(capsys: Capture) -> None:
    assert call(["version"]) == ExitCode.OK
    assert capsys.readouterr().out.strip() == main.version()


@pytest.mark.parametrize("words", [["no-such"], ["run", "--no-such"], ["run", "--port", "many"], ["config", "get"]])
def test_a_slip_of_the_keys_is_one_line_and_an_error(words: list[str], capsys: Capture) -> None:
    assert call(words) == ExitCode.ERROR
    one_line(capsys)


# --- what cannot start


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["--speed", "0"], ExitCode.CONFIGURATION, "--speed must be max or a number"),
        (["--speed", "nan"], ExitCode.CONFIGURATION, "was nan"),
        (["--speed", "fast"], ExitCode.CONFIGURATION, "was fast"),
        (["--port", "70000"], ExitCode.CONFIGURATION, "web.port: must be 0 to 65535, was 70000"),
        (["--recording", "no-such"], ExitCode.NOT_FOUND, "no-such"),
        (["--recording", "./no/such.gz"], ExitCode.NOT_FOUND, "such.gz"),
        (["--mode", "paper", "--recording", "x"], ExitCode.CONFIGURATION, "mode sim"),
        (["--mode", "paper", "--dev"], ExitCode.CONFIGURATION, "--dev needs mode sim"),
        (["--mode", "live"], ExitCode.CONFIGURATION, "--live"),
        (["--mode", "live", "--live"], ExitCode.CONFIGURATION, "BITFINEX_API_KEY"),
    ],
)
def test_a_run_that_cannot_be_meant_is_refused_before_anything_is_touched(
    words: list[str], code: ExitCode, part: str, capsys: Capture, home: UserDir
) -> None:
    assert call(["run", *words]) == code
    assert part in one_line(capsys)
    assert not home.root.exists()


def test_live_needs_the_words_where_nobody_sits(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITFINEX_API_KEY", "k")
    monkeypatch.setenv("BITFINEX_API_SECRET", "s")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert call(["run", "--mode", "live", "--live"]) == ExitCode.CONFIGURATION
    assert "GENESIS_LIVE_CONFIRM" in one_line(capsys)
    monkeypatch.setenv("GENESIS_LIVE_CONFIRM", "yes")
    assert call(["run", "--mode", "live", "--live"]) == ExitCode.CONFIGURATION
    said = one_line(capsys)
    assert "was not confirmed" in said
    assert "'trade real money' (GENESIS_LIVE_CONFIRM)" in said


def test_a_word_too_many_says_that_nothing_was_done(capsys: Capture) -> None:
    assert call(["halt", "panic"]) == ExitCode.ERROR
    assert one_line(capsys).startswith("genesis: nothing was done: genesis halt does not take 'panic'; `genesis halt")


def test_dev_needs_loopback(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESIS_WEB__HOST", "192.0.2.1")
    assert call(["run", "--dev"]) == ExitCode.CONFIGURATION
    assert "loopback" in one_line(capsys)


def test_wrong_settings_are_all_told_and_nothing_is_made(
    capsys: Capture, home: UserDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENESIS_RISK__MAX_DAILY_LOSS", "5")
    monkeypatch.setenv("GENESIS_RISK__MAX_DRAWDWON", "5")
    assert call(["run"]) == ExitCode.CONFIGURATION
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("genesis: ") for line in lines)
    assert not home.root.exists()


def test_a_directory_that_cannot_be_made_is_told(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert call(["run", "--data-dir", str(tmp_path / "taken")]) == ExitCode.CONFIGURATION
    assert "must be a directory" in one_line(capsys)
    assert (tmp_path / "taken").read_text() == ""


def test_a_second_engine_is_told_who_the_first_is(capsys: Capture, home: UserDir) -> None:
    home.create()
    held = home.hold()
    try:
        assert call(["run"]) == ExitCode.ERROR
        assert f"process {os.getpid()} runs on it" in one_line(capsys)
    finally:
        held.release()


def test_secrets_that_others_can_read_stop_the_start(capsys: Capture, home: UserDir) -> None:
    home.create()
    home.keyring.write_text("{}")
    home.keyring.chmod(0o644)
    assert call(["run"]) == ExitCode.CONFIGURATION
    assert "chmod 600" in one_line(capsys)
    home.hold().release()


# --- settings


def test_setting_a_key_writes_its_file_and_getting_it_reads_it_back(capsys: Capture, home: UserDir) -> None:
    assert call(["config", "set", "risk.max_daily_loss", "0.03"]) == ExitCode.OK
    assert call(["config", "set", "orders.dead_man_switch", "yes"]) == ExitCode.OK
    assert call(["config", "set", "quote_currency", "EUR"]) == ExitCode.OK
    capsys.readouterr()
    assert json.loads((home.config / "risk.json").read_text()) == {"max_daily_loss": "0.03"}
    assert json.loads((home.config / "orders.json").read_text()) == {"dead_man_switch": True}
    for path, value in (("risk.max_daily_loss", "0.03"), ("orders.dead_man_switch", True), ("quote_currency", "EUR")):
        assert call(["config", "get", path, "--json"]) == ExitCode.OK
        assert json.loads(capsys.readouterr().out) == {"key": path, "value": value}
    assert stat.S_IMODE((home.config / "risk.json").stat().st_mode) == 0o600


def test_what_was_set_while_running_is_told_where_it_stands_over_the_files(capsys: Capture, home: UserDir) -> None:
    """`set` said "in force at the next start" of a daily loss that the next start did not have, and a backtest traded
    parameters that the engine did not."""
    home.create()
    kept = SettingsVersion(
        version=2,
        at_ms=0,
        author="cli",
        reason="",
        runtime={"risk.max_daily_loss": "0.1"},
        changed=("risk.max_daily_loss",),
        settings={},
    )
    record = Record(
        kind="SettingsVersion",
        key="settings:2",
        payload=msgspec.json.encode(kept),
        correlation_id="",
        at_ms=0,
    )
    store = Store.open(home.database("paper"), at_ms=0)
    store.commit((Commit(writer="config", records=(record,)),), at_ms=0)
    store.close()
    assert call(["config", "set", "risk.max_daily_loss", "0.03"]) == ExitCode.OK
    said = capsys.readouterr()
    assert said.out.startswith('risk.max_daily_loss = "0.03"')
    assert 'but not in mode paper: "0.1" was set there while it ran' in said.err
    assert call(["config", "set", "risk.max_drawdown", "0.2"]) == ExitCode.OK
    assert capsys.readouterr().err == ""
    for words in (["config", "get", "risk.max_daily_loss"], ["config", "effective"]):
        assert call(words) == ExitCode.OK
        assert (
            "in mode paper, what was set while it ran stands over this: risk.max_daily_loss" in capsys.readouterr().err
        )


def test_a_bad_value_is_refused_and_the_file_stays(capsys: Capture, home: UserDir) -> None:
    assert call(["config", "set", "risk.max_daily_loss", "0.03"]) == ExitCode.OK
    before = (home.config / "risk.json").read_bytes()
    capsys.readouterr()
    assert call(["config", "set", "risk.max_daily_loss", "3"]) == ExitCode.CONFIGURATION
    assert "must be 0 to 1" in one_line(capsys)
    assert (home.config / "risk.json").read_bytes() == before


def test_symbols_and_strategies_must_fit_together(capsys: Capture) -> None:
    assert call(["config", "set", "strategies", '[{"name": "one", "symbol": "tLTCUSD"}]']) == ExitCode.CONFIGURATION
    assert "market.symbols" in one_line(capsys)
    assert call(["config", "set", "market.symbols", "tLTCUSD"]) == ExitCode.OK
    assert call(["config", "set", "strategies", '[{"name": "one", "symbol": "tLTCUSD"}]']) == ExitCode.OK
    assert call(["config", "validate"]) == ExitCode.OK


def test_an_unknown_key_is_not_found_and_the_nearest_is_named(capsys: Capture) -> None:
    assert call(["config", "get", "risk.max_dialy_loss"]) == ExitCode.NOT_FOUND
    assert "did you mean risk.max_daily_loss?" in one_line(capsys)


def test_the_layers_of_a_value_are_shown(capsys: Capture, monkeypatch: pytest.MonkeyPatch, home: UserDir) -> None:
    home.create()
    (home.config / "settings.json").write_text('{"risk": {"max_daily_loss": 0.04}}')
    (home.config / "risk.json").write_text('{"max_daily_loss": 0.03}')
    (home.root / ".env").write_text("GENESIS_RISK__MAX_DAILY_LOSS=0.02\n")
    assert call(["config", "effective", "--json"]) == ExitCode.OK
    rows = {row["key"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["risk.max_daily_loss"] == {
        "key": "risk.max_daily_loss",
        "value": "0.02",
        "layer": "environment",
        "hidden": [
            {"layer": "config/risk.json", "value": "0.03"},
            {"layer": "config/settings.json", "value": "0.04"},
            {"layer": "defaults", "value": "0.05"},
        ],
    }


def test_validating_tells_every_fault_and_unreadable_files_too(capsys: Capture, home: UserDir) -> None:
    home.create()
    (home.config / "risk.json").write_text("{")
    (home.config / "rsik.json").write_text("{}")
    (home.config / "web.json").write_text('{"port": -1}')
    (home.config / "risk.yaml").write_text("max_daily_loss: 0.01")
    (home.config / "notes.yaml").write_text("nobody takes this for a setting")
    assert call(["config", "validate", "--json"]) == ExitCode.CONFIGURATION
    said = capsys.readouterr()
    paths = [fault["path"] for fault in json.loads(said.out)["faults"]]
    assert sorted(paths) == ["config/risk.json", "config/risk.yaml", "config/rsik.json", "web.port"]
    assert "4 faults" in said.err


def test_keys_are_listed_for_people_and_programs(capsys: Capture) -> None:
    assert call(["config", "keys", "daily"]) == ExitCode.OK
    assert "risk.max_daily_loss" in capsys.readouterr().out
    assert call(["config", "keys", "--json"]) == ExitCode.OK
    rows = json.loads(capsys.readouterr().out)
    assert {"key", "type", "default", "unit", "meaning", "applies", "environment"} <= set(rows[0])


# --- without an engine


@pytest.mark.parametrize("name", ["status", "actors", "orders", "positions", "trades", "halt", "resume"])
def test_without_an_engine_the_code_is_not_running_and_no_trace_is_left(
    name: str, capsys: Capture, home: UserDir
) -> None:
    assert call([name]) == ExitCode.NOT_RUNNING
    assert "no engine is running" in one_line(capsys)
    assert not home.root.exists()


def test_an_engine_that_does_not_answer_yet_is_not_told_to_be_started_again(capsys: Capture, home: UserDir) -> None:
    home.create()
    lock = FileLock(home.lock)
    assert holder(home.lock) == os.getpid()
    assert call(["status"]) == ExitCode.NOT_RUNNING
    assert f"process {os.getpid()} has the directory but does not answer" in one_line(capsys)
    lock.release()
    assert holder(home.lock) is None, "its number is still in the file"
    assert call(["status"]) == ExitCode.NOT_RUNNING
    assert "no engine is running" in one_line(capsys)


def test_an_engine_that_is_gone_is_not_running(capsys: Capture, home: UserDir) -> None:
    assert call(["token"]) == ExitCode.OK
    with socket.socket() as held:
        # Taken, so that nobody else comes to listen there.
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        RunFile(pid=1, address=f"http://127.0.0.1:{port}", mode="sim", started_ms=0).write(home.run_file)
        capsys.readouterr()
        assert call(["status"]) == ExitCode.NOT_RUNNING
    assert f"at http://127.0.0.1:{port}" in one_line(capsys)
    run_file.remove(home.run_file)
    run_file.remove(home.run_file)
    assert run_file.read(home.run_file) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_a_run_file_that_makes_no_sense_is_no_engine(content: str, home: UserDir) -> None:
    home.create()
    home.run_file.write_text(content)
    assert run_file.read(home.run_file) is None


def test_flatten_asks_first(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert call(["flatten"]) == ExitCode.CONFIGURATION
    assert "--yes" in one_line(capsys)


def test_a_token_is_made_without_an_engine_and_its_secret_is_private(capsys: Capture, home: UserDir) -> None:
    assert call(["token", "--scope", "trade", "--hours", "2", "--json"]) == ExitCode.OK
    answer = json.loads(capsys.readouterr().out)
    assert answer["scope"] == "trade"
    assert stat.S_IMODE(home.keyring.stat().st_mode) == 0o600
    from genesis.cli.client import mint

    assert mint(home, scope=Scope.READ).claims.scope is Scope.READ
    assert call(["token", "--hours", "0"]) == ExitCode.CONFIGURATION


def test_a_weak_signing_secret_is_refused(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", "change_me")
    assert call(["token"]) == ExitCode.CONFIGURATION
    assert "change_me" not in one_line(capsys)


def test_strategies_and_recordings_are_listed(capsys: Capture) -> None:
    assert call(["strategies", "list", "--json"]) == ExitCode.OK
    assert "ema_cross" in {row["kind"] for row in json.loads(capsys.readouterr().out)}
    assert call(["data", "list", "--json"]) == ExitCode.OK
    rows = json.loads(capsys.readouterr().out)
    assert [row["where"] for row in rows].count("shipped, the default") == 1
    assert sum(row["bytes"] for row in rows) <= 5_000_000
    (crash,) = (row for row in rows if row["name"] == "2018-02-crash")
    assert (crash["first_ms"], crash["last_ms"], crash["rows"]) == (1517799600000, 1517961540000, 5400)
    assert call(["data", "list"]) == ExitCode.OK
    assert "2018-02-05 03:00:00" in capsys.readouterr().out


def test_the_doctor_finds_what_is_wrong_and_leaves_no_trace(capsys: Capture, home: UserDir) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        os.environ["GENESIS_WEB__PORT"] = str(taken.getsockname()[1])
        try:
            assert call(["doctor", "--json"]) == ExitCode.CONFIGURATION
        finally:
            del os.environ["GENESIS_WEB__PORT"]
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert found["port"]["level"] == "bad"
    assert found["settings"]["level"] == "ok"
    assert not home.root.exists()


@pytest.mark.parametrize(
    ("configured", "prefix", "optimised"),
    [
        ("'--prefix=/home/anna/python' '--enable-shared'", "/home/anna/python", False),
        ("'--build=x86_64-linux-gnu' '--enable-optimizations' '--with-lto'", "/usr/local", True),
        # Debian's is built by its profile, by hand.
        ("'--enable-shared' '--prefix=/usr' '--with-computed-gotos'", "/usr", True),
        (None, "C:\\Python311", True),
    ],
)
def test_an_interpreter_that_tells_of_no_optimisation_is_known(
    configured: str | None, prefix: str, optimised: bool
) -> None:
    assert is_optimised(configured, prefix) is optimised


def test_the_doctor_does_not_blame_a_port_that_the_running_engine_does_not_use(capsys: Capture, home: UserDir) -> None:
    """It ended with code 4 beside a healthy engine that was started with --port, because something else has 8000."""
    home.create()

    def port_told(pid: int, address: str) -> tuple[str, str]:
        RunFile(pid=pid, address=address, mode="sim", started_ms=0).write(home.run_file)
        call(["doctor", "--offline", "--json"])
        (found,) = [each for each in json.loads(capsys.readouterr().out) if each["name"] == "port"]
        return found["level"], found["detail"]

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        call(["config", "set", "web.port", str(port)])
        capsys.readouterr()
        elsewhere = f"http://127.0.0.1:{port - 1}"
        level, detail = port_told(os.getpid(), elsewhere)
        assert (level, elsewhere in detail) == ("warn", True)
        assert port_told(os.getpid(), f"http://127.0.0.1:{port}")[0] == "ok"
        # Of an engine that is gone nothing follows.
        assert port_told(2**22 + 1, elsewhere)[0] == "bad"
        assert port_told(2**22 + 1, f"http://127.0.0.1:{port}")[0] == "bad"


def test_the_doctor_looks_for_keys_where_a_live_start_does(capsys: Capture, home: UserDir) -> None:
    """Who had put them where docs/keys.md says was told that there are none."""
    home.create()

    def told() -> tuple[str, str]:
        call(["doctor", "--offline", "--json"])
        (found,) = [each for each in json.loads(capsys.readouterr().out) if each["name"] == "exchange keys"]
        return found["level"], found["detail"]

    assert told() == ("ok", "none: modes sim and paper only")
    (home.secrets / "bitfinex_api_key").touch(0o600)
    (home.secrets / "bitfinex_api_key").write_text("k\n")
    assert told() == ("warn", "BITFINEX_API_SECRET is missing")
    (home.secrets / "bitfinex_api_secret").touch(0o600)
    (home.secrets / "bitfinex_api_secret").write_text("s\n")
    assert told() == ("ok", "given")
    (home.secrets / "bitfinex_api_secret").chmod(0o644)
    level, detail = told()
    assert level == "bad"
    assert "bitfinex_api_secret" in detail


def test_the_doctor_sees_a_broken_journal_and_open_secrets(capsys: Capture, home: UserDir) -> None:
    home.create()
    home.database("sim").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    home.keyring.write_text("{}")
    home.keyring.chmod(0o640)
    assert call(["doctor", "--json"]) == ExitCode.CONFIGURATION
    bad = [each["name"] for each in json.loads(capsys.readouterr().out) if each["level"] == "bad"]
    assert {"journal sim", "secrets"} <= set(bad)


def _journal_finding(capsys: Capture) -> dict[str, str]:
    call(["doctor", "--offline", "--json"])
    (found,) = [each for each in json.loads(capsys.readouterr().out) if each["name"] == "journal live"]
    return dict(found)


def test_the_doctor_says_what_to_do_with_each_state_of_a_journal(capsys: Capture, home: UserDir) -> None:
    home.create()
    path = put_journal(1, home.database("live"))
    before = path.read_bytes()
    old = _journal_finding(capsys)
    assert old["level"] == "ok"
    assert "1144 records" in old["detail"]
    assert "layout 1, the next start brings it to 2" in old["detail"]
    assert old["advice"] == "nothing; a copy is kept as live.sqlite.v1"
    assert path.read_bytes() == before
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    newer = _journal_finding(capsys)
    assert (newer["level"], newer["advice"].split(",")[0]) == ("bad", "start the version that wrote it")
    place = before.index(b"eth-ema:tETHUSD", len(before) // 2)
    path.write_bytes(before[:place] + b"E" + before[place + 1 :])
    changed = _journal_finding(capsys)
    assert changed["level"] == "bad"
    assert "is not what was written" in changed["detail"]
    assert "genesis backup restore" in changed["advice"]
    assert path.exists(), "a doctor puts nothing aside"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM log WHERE seq > 1000")
        connection.execute("DELETE FROM cells")
    cut = _journal_finding(capsys)
    assert cut["level"] == "bad"
    assert "genesis backup restore" in cut["advice"]


# --- as a program


def test_the_program_ends_with_the_code_and_keeps_quiet_for_a_reader_that_left(home: UserDir) -> None:
    done = subprocess.run([str(PROGRAM), "status"], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (ExitCode.NOT_RUNNING, "")
    module = subprocess.run(
        [sys.executable, "-m", "genesis", "version"], capture_output=True, text=True, timeout=120, check=False
    )
    assert (module.returncode, module.stdout.strip()) == (ExitCode.OK, main.version())
    shell = f"{PROGRAM} config keys --json | head -c 1; exit ${{PIPESTATUS[0]}}"
    piped = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=120, check=False)
    assert piped.stderr == ""


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_help_of_each_command_shows_examples_that_can_be_said(capsys: Capture, name: str) -> None:
    assert call([name, "--help"]) == ExitCode.OK
    told = capsys.readouterr().out
    assert "Examples:" in told
    assert "Exit codes: 0 ok" in told
    for line in EXAMPLES[name]:
        assert line[:60] in " ".join(told.split())
        words = shlex.split(line)
        assert words[:2] == ["genesis", name]
        *_, unused, _ = main.make_app().parse_known_args(words[1:])
        assert not unused, f"{line}: {unused} must be known"


@pytest.mark.parametrize("words", [["--help"], ["status", "--data-dir", "/nowhere"]])
def test_nothing_heavy_is_loaded_for_help_and_questions(words: list[str]) -> None:
    program = (
        f"import sys; from genesis.cli.main import call; call({words}); "
        "heavy = {'trio', 'numpy', 'quart', 'httpx', 'duckdb', 'hypercorn'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


# --- recordings and their symbols


def options(home: UserDir, recording: str | None) -> RunOptions:
    return options_of(
        home, mode=Mode.SIM, recording=recording, speed="max", port=0, seed=1, json=True, dev=False, live=False
    )


def test_a_recording_brings_its_symbols_and_settings_hide_them(home: UserDir, monkeypatch: pytest.MonkeyPatch) -> None:
    assert options(home, None).settings.market.symbols == ("tBTCUSD", "tETHUSD")
    own = options(home, "2015-08-flash")
    assert own.settings.market.symbols == ("tBTCUSD",)
    assert [strategy.symbol for strategy in own.settings.strategies] == ["tBTCUSD"]
    assert own.unpaced
    monkeypatch.setenv("GENESIS_MARKET__SYMBOLS", "tETHUSD")
    assert options(home, "2015-08-flash").settings.market.symbols == ("tETHUSD",)


def test_a_corrupt_recording_is_told_before_anything_is_touched(capsys: Capture, tmp_path: Path, home: UserDir) -> None:
    (tmp_path / "broken.jsonl.gz").write_bytes(b"\x1f\x8bno")
    assert call(["run", "--recording", str(tmp_path / "broken.jsonl.gz")]) == ExitCode.ERROR
    assert "broken.jsonl.gz" in one_line(capsys)
    assert not home.root.exists()


def test_engines_on_one_account_mark_their_orders_apart(
    home: UserDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both number their orders from 1 on; a simulated account is nobody else's."""

    def group(user_dir: UserDir, mode: Mode) -> int:
        options = options_of(
            user_dir, mode=mode, recording=None, speed="60", port=None, seed=0, json=False, dev=False, live=False
        )
        return options.settings.orders.group_id

    other = UserDir(tmp_path / "other")
    assert group(home, Mode.PAPER) != group(other, Mode.PAPER)
    assert group(home, Mode.PAPER) == group(home, Mode.PAPER)
    assert group(home, Mode.SIM) == group(other, Mode.SIM)
    monkeypatch.setenv("GENESIS_ORDERS__GROUP_ID", "7")
    assert group(home, Mode.PAPER) == 7


def test_what_a_run_is_told_hides_its_secrets(home: UserDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BITFINEX_API_SECRET", "canary-canary")
    told = options(home, None)
    assert told.environment["BITFINEX_API_SECRET"] == "canary-canary"
    assert "canary" not in repr(told)
