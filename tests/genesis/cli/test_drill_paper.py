"""The drill on a paper account: nobody's money, the market's feed (one of our exchanges plays it), a real death."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from genesis.cli import drill
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode
from tests.genesis.test_paper import NOWHERE, PATIENCE_S, PROGRAM, Page, environment, real_venue

pytestmark = [pytest.mark.slow, pytest.mark.timeout(8 * PATIENCE_S)]


@contextmanager
def a_paper_engine(settings: dict[str, str], tmp_path: Path) -> Iterator[Page]:
    command = [str(PROGRAM), "run", "--mode", "paper", "--port", "0"]
    with subprocess.Popen(
        command, env=settings, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            page = Page(process.stdout)
            page.wait_for("status", "state", being="running")
            yield page
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)


def settle_in(settings: dict[str, str], tmp_path: Path) -> None:
    """Hold coins with their stop, and let an order rest; strategies enter nothing."""
    with a_paper_engine(settings, tmp_path) as page:
        for name in ("btc-ema", "eth-ema"):
            page.ask("POST", "risk/unified/locks", {"strategy": name, "reason": "a drill"})
        [ticker] = page.wait_for("market/ticker?symbol=tBTCUSD", "tickers")
        low = f"{ticker['last'] / 2:.0f}"
        page.ask("POST", "order/bracket", {"symbol": "tBTCUSD", "amount": "0.01", "stop_price": low})
        page.ask("POST", "order", {"symbol": "tBTCUSD", "amount": "0.01", "type": "EXCHANGE LIMIT", "price": low})
        page.wait_for("positions", "positions")
        page.wait_for("orders?state=open", "total", being=2)


def drilled(settings: dict[str, str], tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(PROGRAM), "drill", "restart", "--mode", "paper", "--after", "1", *arguments]
    return subprocess.run(
        command, env=settings, cwd=tmp_path, capture_output=True, text=True, timeout=4 * PATIENCE_S, check=False
    )


@pytest.mark.parametrize("graceful", [(), ("--graceful",)], ids=["killed", "asked"])
def test_a_position_its_stop_and_a_resting_order_are_there_again(tmp_path: Path, graceful: tuple[str, ...]) -> None:
    with real_venue() as venue:
        settings = environment(tmp_path / "home", venue)
        settle_in(settings, tmp_path)
        done = drilled(settings, tmp_path, "--json", *graceful)
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    report = json.loads(done.stdout)
    [death] = report["deaths"]
    assert report["broken"] == 0
    assert death["before"]["open orders"] == 2
    assert death["before"]["trades"] == 1
    assert death["before"]["positions"].startswith("tBTCUSD 0.00")
    assert death["after"] == death["before"]
    looked_at = {check["name"]: check["looked_at"] for check in death["checks"]}
    assert looked_at["no order is lost"] == 3
    assert looked_at["every position has its stop"] == 1
    assert all(check["faults"] == [] for check in death["checks"])


def test_what_a_death_took_away_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The disk loses the journal with the process: every order and trade of it is missed by its name."""
    from genesis.cli.main import call

    home = tmp_path / "home"
    kill = drill._Engine.end

    def kill_and_lose(engine: drill._Engine, *, graceful: bool) -> None:
        kill(engine, graceful=graceful)
        if not graceful:
            for file in home.glob("paper.sqlite*"):
                file.unlink()

    monkeypatch.setattr(drill._Engine, "end", kill_and_lose)
    monkeypatch.setattr(drill, "SETTLED_WITHIN_S", 5.0)
    with real_venue() as venue:
        settings = environment(home, venue)
        settle_in(settings, tmp_path)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        code = call(["drill", "restart", "--mode", "paper", "--after", "0", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == ExitCode.ERROR
    [death] = report["deaths"]
    faults = {check["name"]: check["faults"] for check in death["checks"] if check["faults"]}
    # Its strategies may have traded anew since: nobody remembers their locks, and the new orders count from 1, too.
    assert {"order 1 (FILLED)", "order 2 (ACKED)", "order 3 (ACKED)"} == set(faults["no order is lost"])
    assert death["before"]["trades"] == 1
    assert report["broken"] == len(faults)


def test_a_directory_that_an_engine_holds_is_left_alone(tmp_path: Path) -> None:
    home = UserDir(tmp_path / "home")
    home.create()
    held = home.hold()
    try:
        done = drilled(environment(home.root, {"rest": "http://127.0.0.1:9", "websocket": NOWHERE}), tmp_path)
    finally:
        held.release()
    assert done.returncode == ExitCode.ERROR
    assert done.stdout == ""
    assert "the engine did not become ready to trade: " in done.stderr
    assert not (home.root / "paper.sqlite").exists()
