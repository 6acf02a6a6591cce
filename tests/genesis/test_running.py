"""One run of the program: how it ends when it cannot start, when the disk is full, and when it is asked to early."""

import fcntl
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from genesis.cli.main import call
from genesis.domain.risk_machine import RISK_KEY, RISK_TABLE
from genesis.edge.store import ReadOnlyStore, Store
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode
from genesis.sim_session import SimSession
from genesis.simulator.recordings import DEFAULT, find, load
from protocols.journal import CellWrite, Commit, ReadRecords, Record

PROGRAM = Path(sys.executable).with_name("genesis")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UserDir:
    for name in list(os.environ):
        if name.startswith(("GENESIS_", "BITFINEX_", "JWT_")) and not name.startswith("GENESIS_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENESIS_HOME", str(tmp_path / "home"))
    return UserDir(tmp_path / "home")


def run(*arguments: str, before: Callable[[], object] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, "run", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )


def test_an_actor_that_cannot_start_is_one_line_and_not_a_traceback(
    home: UserDir, capsys: pytest.CaptureFixture[str]
) -> None:
    home.create()
    SimSession.prepare(home, load(DEFAULT).name, fresh=False, stamp="x")
    store = Store.open(home.database("sim"), at_ms=0)
    store.commit((Commit(writer="test", cells=(CellWrite(table=RISK_TABLE, key=RISK_KEY, payload=b"{"),)),), at_ms=0)
    store.close()
    assert call(["run", "--port", "0", "--speed", "max"]) == ExitCode.ERROR
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("genesis: the engine could not start: ")
    assert "engine/trading/risk did not start" in last


def test_a_full_disk_ends_the_run_soon_and_says_so(home: UserDir) -> None:
    """The journal cannot write, so nobody can decide anything or look after an order."""

    def a_small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    with run("--speed", "max", before=a_small_disk) as process:
        out, err = process.communicate(timeout=150)
    assert process.returncode == ExitCode.ERROR
    assert "the engine gave up" in out
    assert "no summary: " in out
    assert "Exception Group Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_a_run_in_order(home: UserDir, number: signal.Signals) -> None:
    with run("--speed", "60") as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("page: "):
            pass
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert process.returncode == ExitCode.OK, err
    assert re.search("decisions sha256", out)
    with ReadOnlyStore.open(home.database("sim")) as store:
        assert store.verify().seq >= 1
        assert store.read_records(ReadRecords(kinds=("JournalOpened",), limit=2)).records


def test_a_run_under_nohup_outlives_its_terminal(home: UserDir) -> None:
    with run("--speed", "60", before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("page: "):
            pass
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    assert process.returncode == ExitCode.OK
    assert '"signal": "SIGTERM"' in (home.logs / "sim.log").read_text()


def test_a_signal_that_arrives_twice_at_once_is_one(home: UserDir) -> None:
    """From the terminal and from whoever started us: docker, timeout and process managers pass signals on."""
    with run("--speed", "60") as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("page: "):
            pass
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=120)
    assert process.returncode == ExitCode.OK, err
    assert "decisions sha256" in out
    diary = (home.logs / "sim.log").read_text()
    assert [name for name in ("started", "stopping", "stopped") if f'"event": "{name}"' not in diary] == []


def test_a_recording_that_is_cut_off_ends_the_run_in_order(home: UserDir, tmp_path: Path) -> None:
    """It is read as it is told: nobody knows before."""
    whole = find("2018-11-12-tBTCUSD").read_bytes()
    cut = tmp_path / "cut.frames.jsonl.gz"
    cut.write_bytes(whole[:60_000])
    with run("--speed", "max", "--recording", str(cut)) as process:
        out, err = process.communicate(timeout=150)
    assert process.returncode == ExitCode.ERROR
    assert "the recording is broken: " in out
    assert "Traceback" not in err


def until(look: Callable[[], bool], within_s: float = 120) -> bool:
    """Whether it came, by looking again and again at another process."""
    end = time.monotonic() + within_s
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def logged(home: UserDir, event: str) -> bool:
    path = home.logs / "sim.log"
    return path.exists() and f'"event": "{event}"' in path.read_text()


def test_what_a_start_left_out_of_a_long_journal_is_proven_while_it_runs(home: UserDir) -> None:
    """Five records stand for fifty thousand."""
    home.create()
    SimSession.prepare(home, load(DEFAULT).name, fresh=False, stamp="x")
    path = home.database("sim")
    with Store.open(path, at_ms=0) as store:
        for number in range(20):
            record = Record(kind="Old", key=None, payload=b"{}", correlation_id="", at_ms=number)
            store.commit((Commit(writer="test", records=(record,)),), at_ms=number)
        store._connection.execute("UPDATE log SET payload = x'5b5d' WHERE seq = 3")
    words = (
        "import sys; from genesis import journal_proof; from genesis.cli.main import call;"
        " from genesis.edge import store; store.NEWEST, journal_proof.BEGINS_AFTER_S = 5, 0;"
        " sys.exit(call(['run', '--port', '0']))"
    )
    command = [sys.executable, "-c", words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        found = until(
            lambda: (home.logs / "sim.log").exists() and "journal_damaged" in (home.logs / "sim.log").read_text()
        )
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    assert found, err
    assert process.returncode == ExitCode.OK, err
    with run("--speed", "max") as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == ExitCode.ERROR
    assert "log row 3 is not what was written" in err


def test_a_terminal_that_takes_no_more_keeps_nobody_waiting(home: UserDir) -> None:
    """Ctrl-S, a pager, a log driver that hangs: the engine stood still at its next line and heard no signal any more,
    and what watches the loop waited behind that line as well."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing, b"x" * 4000)
    process = subprocess.Popen([PROGRAM, "run", "--port", "0", "--speed", "60"], stdout=writing, stderr=writing)
    try:
        assert until(lambda: logged(home, "ready_to_trade")), "it stood still"
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == ExitCode.OK
    finally:
        process.kill()
        process.wait()
        os.close(writing)
        os.close(reading)
    assert logged(home, "stopped")
    assert not logged(home, "actor_crashed")


@pytest.mark.parametrize("gone", ["closed", "full"])
def test_a_terminal_that_is_gone_ends_no_run_and_spoils_no_end(home: UserDir, gone: str) -> None:
    """The session behind it was closed, or it is a file on a disk that is full: the journal's disk is another one."""
    if gone == "closed":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open("/dev/full", os.O_WRONLY)
    process = subprocess.Popen([PROGRAM, "run", "--port", "0", "--speed", "60"], stdout=writing, stderr=writing)
    os.close(writing)
    try:
        assert until(lambda: logged(home, "ready_to_trade")), "it ended"
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == ExitCode.OK
    finally:
        process.kill()
        process.wait()
    assert logged(home, "stopped")
    assert not logged(home, "actor_crashed")
