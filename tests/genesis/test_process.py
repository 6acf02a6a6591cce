"""The program as a process, treated as the world treats it: killed, told to go while nobody listens, started twice."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from genesis.cli.main import call
from genesis.domain.account_cells import read_order_cells
from genesis.domain.account_checkpoint import ACCOUNT_KEY, ACCOUNT_TABLE, AccountCheckpoint
from genesis.domain.order_rows import TABLE as ORDER_TABLE
from genesis.domain.venue_state import History
from genesis.edge.store import ReadOnlyStore
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode
from genesis.simulator.recordings import SHIPPED
from genesis.simulator.state_file import SavedState, StateFile
from genesis.strategy_template import TEMPLATE
from protocols.journal import ReadCells, ReadRecords
from protocols.signals import SignalScore
from tests.genesis.forge import Forge, cpu_seconds, forge
from tests.own_time import own_s

RECORDING = "2015-08-flash"
KILLS = 50
KILLS_A_DAY = 25
DAYS_AT_MOST = 6
DEAD_MINUTES = 2
"""Candles that may close, and be missed, by one death: the exchange dies along, and goes on where it stopped."""
PROGRAM = (sys.executable, "-m", "genesis", "run")
USUAL = {"--port": "0", "--recording": RECORDING}
QUICK = [
    {"name": "quick", "kind": "ema_cross", "symbol": "tBTCUSD", "timeframe": "1m", "parameters": {"fast": 3, "slow": 6}}
]


def a_home(path: Path) -> UserDir:
    home = UserDir(path)
    home.create()
    (home.root / "config" / "strategies.json").write_text(json.dumps(QUICK))
    return home


@pytest.fixture
def home(tmp_path: Path) -> UserDir:
    return a_home(tmp_path / "home")


def environment(home: UserDir) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("GENESIS_", "BITFINEX_", "JWT_"))}
    # Doubt about an order ends after a second, not after two minutes of a recorded day that passes in twelve.
    ours |= {"GENESIS_ORDERS__QUARANTINE_S": "1", "GENESIS_ORDERS__DOUBT_AFTER_S": "0.9"}
    return ours | {"GENESIS_HOME": str(home.root)}


@contextmanager
def running(home: UserDir, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The program, with what is usual here and not said; whatever happens, it is gone afterwards."""
    unsaid = [word for option, value in USUAL.items() if option not in arguments for word in (option, value)]
    with subprocess.Popen(
        [*PROGRAM, *arguments, *unsaid],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=home.root,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def page_of(process: subprocess.Popen[str]) -> str:
    """Wait until it is up; the address with its ticket."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("page: "):
            return line.removeprefix("page: ").strip()
    raise AssertionError(f"must come up, ended with {process.wait()}: {process.communicate()[1]}")


def to_the_end(home: UserDir) -> dict[str, Any]:
    """Run what is left of the recording as fast as it goes; the summary."""
    with running(home, "--speed", "max", "--json") as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == ExitCode.OK, err
    summary: dict[str, Any] = json.loads(out)
    assert summary["finished"]
    return summary


def venue_of(home: UserDir) -> tuple[SavedState, History]:
    found = StateFile(home.root / "sim-venue.json").load(RECORDING)
    assert found is not None
    return found[0], found[1]["sim"]


def check_books(home: UserDir) -> None:
    """Our journal against the exchange's own files: no order twice, every trade once, every wallet equal."""
    state, history = venue_of(home)
    resting = state.accounts["sim"].orders.values()
    cids = Counter([*(order.cid for order in history.orders), *(order.cid for order in resting)])
    assert [cid for cid, count in cids.items() if count > 1] == []
    with ReadOnlyStore.open(home.database("sim")) as store:
        store.verify()
        fills, _ = read_order_cells(store.read_cells(ReadCells(table=ORDER_TABLE)).cells)
        (cell,) = store.read_cells(ReadCells(table=ACCOUNT_TABLE, key=ACCOUNT_KEY)).cells
    assert sorted(fill.trade_id for fill in fills) == sorted(trade.trade_id for trade in history.trades)
    assert not any(fill.foreign for fill in fills)
    ours = {
        f"{wallet.wallet_type} {wallet.currency}": wallet.balance
        for wallet in msgspec.json.decode(cell.payload, type=AccountCheckpoint).wallets
        if wallet.balance
    }
    theirs = {name: wallet.balance for name, wallet in state.accounts["sim"].wallets.items() if wallet.balance}
    assert ours == theirs


def has_counted(home: UserDir) -> bool:
    """Whether the journal knows of an account."""
    with ReadOnlyStore.open(home.database("sim")) as store:
        return bool(store.read_cells(ReadCells(table=ACCOUNT_TABLE, key=ACCOUNT_KEY)).cells)


def scores_of(home: UserDir) -> list[SignalScore]:
    with ReadOnlyStore.open(home.database("sim")) as store:
        found = store.read_records(ReadRecords(kinds=("SignalScore",), limit=10_000)).records
    return [msgspec.json.decode(kept.record.payload, type=SignalScore) for kept in found]


def a_life(forge: Forge, home: UserDir, out: Path, chance: random.Random) -> bool:
    """One life of the program, killed at a moment of its own; False when the recording had ended before.

    Moments are counted in processor time from the start or from when it was up, so that a busy machine kills where a
    quiet one does.
    """
    arguments = ("run", "--speed", "max", "--port", "0", "--recording", RECORDING)
    pid = forge.start(*arguments, environment=environment(home), directory=home.root, out=out)
    early = chance.random() < 0.25
    after_s = chance.uniform(0.05, 0.6) if early else chance.uniform(0.0, 0.08)
    die_at = after_s if early else None
    while (used := cpu_seconds(pid)) is not None:
        if die_at is None and out.is_file() and "page: " in out.read_text():
            die_at = used + after_s
        if die_at is not None and used >= die_at:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.001)
    code = forge.wait(pid)
    assert code in (-signal.SIGKILL, ExitCode.OK), Path(f"{out}.err").read_text()[-2000:]
    return code != ExitCode.OK


@pytest.mark.chaos
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processor time of others is read from /proc")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2))
def test_fifty_times_kill_9_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    """Some of the deaths come before it is up. Then to the end; and the same day once more without any.

    What is traded may differ: a candle that closed while it was dead is caught up with, and not traded on. What was
    seen may not: every candle is judged once, on the same numbers.
    """
    chance = random.Random(f"kill-9 {seed}")
    calm = a_home(tmp_path / "calm")
    to_the_end(calm)
    check_books(calm)
    theirs = scores_of(calm)
    kills = fills = days = 0
    with forge() as smith:
        # An order that a death leaves in doubt blocks its symbol for a second of proof, and a quiet machine plays the
        # rest of a day in that time: such a day trades nothing more, and another one is played.
        while kills < KILLS or (not fills and days < DAYS_AT_MOST):
            days, before = days + 1, kills
            home = a_home(tmp_path / f"day{days}")
            while kills < before + KILLS_A_DAY and a_life(smith, home, tmp_path / f"out{kills}-{days}", chance):
                kills += 1
            summary = to_the_end(home)
            assert (summary["orders_unknown"], summary["dead_letters"], summary["problem"]) == (0, 0, None)
            check_books(home)
            fills += summary["fills"]
            ours = scores_of(home)
            assert [score.signal_id for score in ours] == [score.signal_id for score in theirs]
            assert [(score.price, score.features) for score in ours] == [
                (score.price, score.features) for score in theirs
            ]
            caught_up = sum(score.catch_up for score in ours) - sum(score.catch_up for score in theirs)
            assert caught_up <= (kills - before) * DEAD_MINUTES
    print(f"{kills} kills in {days} days, {fills} trades, every one booked once")
    assert fills > 0


def test_clients_that_do_not_read_do_not_keep_it_from_ending(home: UserDir) -> None:
    """Both let their windows fill: one asks for much over HTTP, one is sent the market over WebSocket."""
    with running(home, "--speed", "600", "--dev") as process:
        address = urlsplit(page_of(process))
        assert address.hostname is not None
        where = (address.hostname, address.port or 0)
        host = f"Host: {address.netloc}"
        with socket.socket() as deaf, socket.socket() as blind:
            for client in (deaf, blind):
                # The smallest window there is, so that it is full at once.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                client.connect(where)
            deaf.sendall(f"GET /openapi.json HTTP/1.1\r\n{host}\r\n\r\n".encode() * 50)
            key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
            upgrade = "Upgrade: websocket\r\nConnection: Upgrade"
            blind.sendall(f"GET /api/v2/stream HTTP/1.1\r\n{host}\r\n{upgrade}\r\n{key}\r\n\r\n".encode())
            assert blind.recv(12) == b"HTTP/1.1 101"
            time.sleep(2)
            began = took = own_s(process.pid)
            process.send_signal(signal.SIGTERM)
            while process.poll() is None:
                took = own_s(process.pid)
                time.sleep(0.02)
            _, err = process.communicate(timeout=120)
    assert process.returncode == ExitCode.OK, err
    assert took - began < 15, f"must end within 15 s, took {took - began:.1f} s"


def refused(home: UserDir, *arguments: str, code: ExitCode) -> str:
    """What the program says on stderr when it does not start: one line, and nothing on stdout."""
    with running(home, *arguments) as process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err.count("\n")) == (code, "", 1), err
    assert err.startswith("genesis: ")
    return err


def test_a_second_engine_on_the_same_directory_names_the_first(home: UserDir) -> None:
    with running(home) as first:
        page_of(first)
        assert str(first.pid) in refused(home, code=ExitCode.ERROR)


def test_another_currency_than_the_journals_is_one_line_and_a_fault_of_the_configuration(
    home: UserDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was the end of a chain of actors that gave up, with its tracebacks, and an error of unknown kind."""
    with running(home) as first:
        page_of(first)
        # One that is told to go before its first wallet came has counted nothing yet, in no currency.
        while not has_counted(home):
            time.sleep(0.01)
        first.terminate()
        first.wait(timeout=120)
    (home.config / "settings.json").write_text(json.dumps({"quote_currency": "EUR"}))
    said = refused(home, code=ExitCode.CONFIGURATION)
    assert said.startswith("genesis: quote_currency must be USD, in which this journal counts")
    assert said.endswith(
        "was EUR: another --data-dir is another account (and --fresh another session of a simulation)\n"
    )
    (home.config / "settings.json").unlink()
    with running(home) as again:
        page_of(again)


@pytest.mark.parametrize("named_by", ["its file", "a running engine"])
def test_a_strategy_file_that_was_deleted_ends_no_start_and_a_name_that_never_ran_does(
    home: UserDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], named_by: str
) -> None:
    """Deleted beside the engine it switched its strategy off; at the next start the engine did not come up at all, and
    nobody looked after the positions. One that was set while it ran took everything along that was set so."""
    monkeypatch.setenv("GENESIS_HOME", str(home.root))
    file = home.strategies / "dip.py"
    file.write_text(TEMPLATE.replace("CLASS_NAME", "Dip").replace("KIND_NAME", "dip"))
    mine = {"name": "mine", "kind": "dip", "symbol": "tBTCUSD", "timeframe": "1m"}
    named = home.config / "strategies.json"
    if named_by == "its file":
        named.write_text(json.dumps([mine]))
    with running(home) as first:
        page_of(first)
        if named_by == "a running engine":
            assert call(["config", "set", "strategies", json.dumps([mine])]) == ExitCode.OK
            assert call(["config", "set", "risk.max_open_positions", "2"]) == ExitCode.OK
        first.terminate()
        first.wait(timeout=120)
    file.unlink()
    kept = named.read_text()
    named.write_text(json.dumps([mine, mine | {"name": "other", "kind": "dipp"}]))
    said = refused(home, code=ExitCode.CONFIGURATION)
    assert "strategies[1].kind: must be a known strategy (" in said
    assert "strategies[0]" not in said
    named.write_text(kept)
    for _ in range(2):
        with running(home) as again:
            address = page_of(again).partition("/?")[0]
            capsys.readouterr()
            assert call(["token"]) == ExitCode.OK
            headers = {"Authorization": f"Bearer {capsys.readouterr().out.strip()}"}
            with httpx.Client(base_url=address, headers=headers, timeout=120) as http:
                levels: list[str] = []
                # Actors start behind the page, and people are told after that.
                for _ in range(2400):
                    notices = http.get("/api/v2/notifications").json()["notices"]
                    levels = [one["level"] for one in notices if "dip.py: must be in " in one["text"]]
                    if levels:
                        break
                    time.sleep(0.05)
                assert levels == ["alarm"]
                [told] = http.get("/api/v2/strategies").json()["running"]
                assert (told["strategy"], told["kind"]) == ("mine", "dip")
                assert told["fault"].endswith(f"dip.py: must be in {home.strategies}, is gone")
                if named_by == "a running engine":
                    assert http.get("/api/v2/config/risk.max_open_positions").json()["value"] == 2
            again.terminate()
            again.wait(timeout=120)


def test_what_a_person_asks_for_in_one_life_is_not_taken_for_what_was_asked_in_another(
    home: UserDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every life of a simulation has the same seed, and the journal knows an order's id for ever: the first order of
    the second life was answered as accepted and never placed, and a flatten sold nothing."""
    monkeypatch.setenv("GENESIS_HOME", str(home.root))
    order = {"symbol": "tBTCUSD", "side": "buy", "quantity": "0.02"}
    named: list[str] = []
    for life in range(2):
        with running(home, "--speed", "240") as process:
            address = page_of(process).partition("/?")[0]
            assert call(["token", "--scope", "trade"]) == ExitCode.OK
            headers = {"Authorization": f"Bearer {capsys.readouterr().out.strip()}"}
            with httpx.Client(base_url=address, headers=headers, timeout=120) as http:
                while (answer := http.post("/api/v2/order", json=order)).status_code == 503:
                    time.sleep(0.05)  # no price is known before the first candle
                assert answer.status_code == 202, answer.text
                named.append(answer.json()["intent_id"])
                assert call(["flatten", "--yes", "--json"]) == ExitCode.OK
                named.append(json.loads(capsys.readouterr().out)["correlation_id"])
                for _ in range(2400):
                    if http.get("/api/v2/trades").json()["total"] == 2 * (life + 1):
                        break
                    time.sleep(0.05)
                else:
                    raise AssertionError(
                        f"both must have traded in life {life}, was {http.get('/api/v2/trades').json()}"
                    )
    assert len(set(named)) == 4


def test_a_start_sends_nobody_the_trades_of_the_lives_before(home: UserDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest fills and orders went out with every restart, as if they had just been made."""
    posted: list[str] = []

    class Place(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    def until(word: str) -> None:
        for _ in range(2400):
            if any(word in text for text in posted):
                return
            time.sleep(0.05)
        raise AssertionError(f"{word} must have been told, was {posted}")

    with HTTPServer(("127.0.0.1", 0), Place) as place:
        threading.Thread(target=place.serve_forever, daemon=True).start()
        monkeypatch.setenv("NOTIFY_WEBHOOK_URL", f"http://127.0.0.1:{place.server_port}/x")
        with running(home, "--speed", "60") as process:
            page_of(process)
            until("bought")
        first = "".join(posted)
        told = {line for line in first.replace('"}', "").split("\\n") if "bought" in line or "sold" in line}
        posted.clear()
        # Too slow for a trade of its own: the market begins anew, and its first would be told in the same words.
        with running(home, "--speed", "1") as process:
            page_of(process)
            until("started in mode sim")
        place.shutdown()
    assert told
    assert [line for line in told if any(line in text for text in posted)] == []


def test_a_taken_port_is_told(home: UserDir) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in refused(home, "--port", str(port), code=ExitCode.ERROR)


@pytest.mark.parametrize("address", ["https://hook.test:99999/word", "https://[::1/word", "hook.test/word"])
def test_a_webhook_that_is_no_address_is_told_in_one_line_without_it(
    home: UserDir, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("NOTIFY_WEBHOOK_URL", address)
    said = refused(home, code=ExitCode.CONFIGURATION)
    assert "NOTIFY_WEBHOOK_URL must be an address that begins with https://" in said
    assert "word" not in said


def test_a_directory_that_is_a_file_is_told(tmp_path: Path) -> None:
    """Permissions would not do: whoever runs this may be root."""
    (tmp_path / "file").write_text("")
    with subprocess.Popen(
        PROGRAM,
        env={**os.environ, "GENESIS_HOME": str(tmp_path / "file" / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err.count("\n")) == (ExitCode.CONFIGURATION, "", 1), err


def test_a_corrupt_recording_is_told(home: UserDir, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(SHIPPED / RECORDING, folder)
    with (folder / "tBTCUSD-1m.csv.gz").open("r+b") as file:
        file.seek(100)
        file.write(b"damage")
    assert "sha256 must be" in refused(home, "--recording", str(folder), code=ExitCode.ERROR)
