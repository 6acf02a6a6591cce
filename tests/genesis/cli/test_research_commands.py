"""The laboratory on the command line: a backtest, parity with a journal, and the exchange alone."""

import json
import os
import signal
import socket
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from genesis.cli.main import call
from genesis.domain.decision_log import record_lines
from genesis.domain.recording import CandleRecording
from genesis.edge.store import Store
from genesis.research.backtest import run_backtest
from genesis.run_options import ExitCode
from genesis.simulator.recordings import load
from protocols.journal import Commit, Record
from protocols.settings import Settings

RECORDING = "2015-08-flash"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENESIS_HOME", str(tmp_path / "home"))


def one_line(capsys: Capture) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_a_backtest_is_the_same_every_time(capsys: Capture) -> None:
    answers = []
    for _ in range(2):
        assert call(["backtest", "--recording", RECORDING, "--json"]) == ExitCode.OK
        answer = json.loads(capsys.readouterr().out)
        answer.pop("took_s")
        answers.append(answer)
    assert answers[0] == answers[1]
    assert answers[0]["decisions"] > 0
    assert call(["backtest", "--recording", RECORDING]) == ExitCode.OK
    told = capsys.readouterr().out
    assert answers[0]["digest"] in told
    assert "fees 0.1 % maker, 0.2 % taker; half spread 0.005 %" in " ".join(told.split())


def test_a_backtest_uses_the_settings_in_force(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESIS_RISK__MAX_DRAWDOWN", "2")
    assert call(["backtest", "--recording", RECORDING]) == ExitCode.CONFIGURATION
    assert "risk.max_drawdown" in one_line(capsys)


def test_what_cannot_be_tested_is_told(capsys: Capture, tmp_path: Path) -> None:
    assert call(["backtest", "--recording", "no-such"]) == ExitCode.NOT_FOUND
    one_line(capsys)
    assert call(["backtest", "--recording", "2018-11-12-tBTCUSD"]) == ExitCode.CONFIGURATION
    assert "needs candles" in one_line(capsys)
    (tmp_path / "manifest.json").write_text("{")
    assert call(["backtest", "--recording", str(tmp_path)]) == ExitCode.ERROR
    assert "manifest.json" in one_line(capsys)


def test_a_part_of_the_data_store_is_tested_and_kept(capsys: Capture, tmp_path: Path) -> None:
    from tests.recorded_candles import FOLDER

    file = FOLDER.parent / "candles" / "BTCUSD-1m-2018-11-12.csv"
    assert call(["data", "import", str(file), "--json"]) == ExitCode.OK
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["symbol"], told["timeframe"], told["rows"]) == ("tBTCUSD", "1m", told["written"]["added"])
    command = ["backtest", "--data", "tBTCUSD:1m", "--from", "2018-11-12T18:30", "--to", "2018-11-12T22:00", "--json"]
    assert call([*command, "--save", "an-evening"]) == ExitCode.OK
    answer = json.loads(capsys.readouterr().out)
    assert answer["recording"] == "tBTCUSD:1m"
    assert 0 < answer["candles"] <= 210
    kept = json.loads((tmp_path / "home" / "reports" / "an-evening" / "result.json").read_bytes())
    assert kept["measures"]["final_equity"] == answer["final_equity"]
    assert call(["data", "list", "--json"]) == ExitCode.OK
    assert "tBTCUSD:1m" in {row["name"] for row in json.loads(capsys.readouterr().out)}
    assert call(["data", "check"]) == ExitCode.OK
    assert "longest gaps" in capsys.readouterr().out
    assert call(["data", "resample", "tBTCUSD:1m", "--to", "1h"]) == ExitCode.OK
    assert "tBTCUSD:1h" in capsys.readouterr().out
    for wrong, code in (
        (["--data", "tBTCUSD:1h"], ExitCode.NOT_FOUND),
        (["--data", "tXRPUSD:1m"], ExitCode.NOT_FOUND),
        (["--data", "tBTCUSD:1m", "--recording", RECORDING], ExitCode.CONFIGURATION),
        (["--data", "tBTCUSD:1m", "--from", "2019-01-01"], ExitCode.CONFIGURATION),
        (["--data", "tBTCUSD:1m", "--from", "soon"], ExitCode.CONFIGURATION),
        (["--balance", "-1"], ExitCode.CONFIGURATION),
        (["--slippage", "2"], ExitCode.CONFIGURATION),
        (["--save", "../out"], ExitCode.CONFIGURATION),
    ):
        assert call(["backtest", *wrong]) == code, wrong
        one_line(capsys)
    for wrong_data in (["import"], ["import", str(file), "--as", "BTC"], ["check", "tXRPUSD:1m"]):
        assert call(["data", *wrong_data]) != ExitCode.OK
        one_line(capsys)


def test_a_result_is_kept_shown_and_proven(capsys: Capture, tmp_path: Path) -> None:
    assert call(["backtest", "--recording", RECORDING, "--save", "flash", "--json"]) == ExitCode.OK
    capsys.readouterr()
    assert call(["report", "flash", "--json"]) == ExitCode.OK
    path = Path(json.loads(capsys.readouterr().out)["path"])
    assert path.read_text().startswith("<!doctype html>")
    assert call(["report", "flash", "--again", "--json"]) == ExitCode.OK
    answer = json.loads(capsys.readouterr().out)
    assert all(answer[name] for name in ("same_bytes", "same_fills", "same_data", "same_code"))
    kept = tmp_path / "home" / "reports" / "flash" / "result.json"
    kept.write_bytes(kept.read_bytes().replace(b'"wins":', b'"wins": ', 1))
    assert call(["report", "flash", "--again", "--json"]) == ExitCode.ERROR
    assert json.loads(capsys.readouterr().out)["same_fills"] is True
    assert call(["report", "--json"]) == ExitCode.OK
    assert [row["job_id"] for row in json.loads(capsys.readouterr().out)] == ["flash"]
    assert call(["report", "none"]) == ExitCode.NOT_FOUND
    one_line(capsys)
    assert call(["report", "../x"]) == ExitCode.CONFIGURATION
    one_line(capsys)
    kept.write_bytes(b"{")
    assert call(["report", "flash"]) == ExitCode.ERROR
    one_line(capsys)


def test_worse_costs_are_traded_shown_and_kept(capsys: Capture) -> None:
    options = ["--recording", RECORDING, "--stress", "--save", "worse", "--taker-fee", "0.001", "--json"]
    assert call(["backtest", *options]) == ExitCode.OK
    stress = json.loads(capsys.readouterr().out)["stress"]
    rows = {row["worse"]["name"]: row for row in stress["rows"]}
    assert Decimal(rows["no costs"]["fees_quote"]) == 0
    fees = [Decimal(rows[name]["fees_quote"]) for name in ("as assumed", "all costs x 1.5")]
    assert 0 < fees[0] < fees[1]
    assert rows["no costs"]["total_return"] > rows["all costs x 5"]["total_return"]
    assert call(["report", "worse", "--again", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["same_bytes"]
    assert call(["report", "worse", "--json"]) == ExitCode.OK
    page = Path(json.loads(capsys.readouterr().out)["path"]).read_text()
    assert "Worse costs" in page
    assert "0.001 taker" in page
    assert call(["backtest", "--recording", RECORDING, "--impact", "2"]) == ExitCode.CONFIGURATION
    assert "costs.impact" in one_line(capsys)


def test_other_futures_are_told_on_request(capsys: Capture) -> None:
    assert call(["backtest", "--recording", RECORDING, "--check-lookahead", "--json"]) == ExitCode.OK
    looks = json.loads(capsys.readouterr().out)["lookahead"]
    assert "decisions" in looks
    assert len(looks) > 1
    assert not any(looks.values())


def test_a_search_and_a_walk_forward_from_the_command_line(capsys: Capture, tmp_path: Path) -> None:
    common = ["--recording", RECORDING, "--vary", "btc-ema.fast=5,8", "--method", "grid", "--workers", "1", "--json"]
    assert call(["optimize", *common, "--maximize", "total_return", "--name", "a"]) == ExitCode.OK
    answer = json.loads(capsys.readouterr().out)
    assert (answer["trials"], answer["failed"], answer["stopped"]) == (2, 0, False)
    assert set(answer["best"]["values"]) == {"btc-ema.fast"}
    # Taken up again: both points are known, nothing is worked out.
    assert call(["optimize", *common, "--maximize", "total_return", "--name", "a"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["best"] == answer["best"]
    assert len((tmp_path / "home" / "reports" / "a" / "trials.jsonl").read_bytes().splitlines()) == 2
    walk = ["walkforward", "--recording", RECORDING, "--vary", "btc-ema.fast=5", "--method", "grid", "--workers", "1"]
    short = ["--train", "0.1", "--test", "0.2", "--name", "w"]
    assert call([*walk[:3], "--vary", "btc-ema.fast=5,8", *walk[5:], *short]) == ExitCode.OK
    told = " ".join(capsys.readouterr().out.split())
    assert "nothing found" in told
    assert "sharpe is not known of" in told
    assert call(["report", "w"]) == ExitCode.OK
    capsys.readouterr()
    assert "Window by window" in (tmp_path / "home" / "reports" / "w" / "report.html").read_text()
    assert call(["report", "nothing"]) == ExitCode.NOT_FOUND
    assert "(a, w), was not" in one_line(capsys)
    for wrong, text in (
        (["walkforward", "--vary", "btc-ema.fast=5:9", "--train", "nan"], "must be numbers, were nan"),
        (["walkforward", "--vary", "btc-ema.fast=5:9", "--train", "-1"], "were -1, 20, 0"),
        (["optimize"], "--vary must be given"),
        (["optimize", "--vary", "btc-ema.fast=5"], "LOW:HIGH"),
        (["optimize", "--vary", "btc-ema.fast=5:9", "--maximize", "luck"], "a figure must be one of"),
        (["optimize", "--vary", "btc-ema.fast=5:9", "--method", "wish"], "--method must be"),
        (["optimize", "--vary", "btc-ema.fast=5:9", "--trials", "0"], "--trials must be"),
        (["optimize", "--vary", "btc-ema.fast=5:9", "--workers", "0"], "--workers must be"),
        (["optimize", "--vary", "btc-ema.fast=5:9", "--name", "a/b"], "--name must be"),
        (["walkforward", "--vary", "btc-ema.fast=5:9", "--train", "60"], "range must hold at least"),
    ):
        assert call([*wrong, "--recording", RECORDING]) == ExitCode.CONFIGURATION, wrong
        assert text in one_line(capsys)


def a_journal(path: Path, *, change: bool) -> Path:
    """A journal that holds the backtest's own decisions, or all of them but one character."""
    recording = load(RECORDING)
    assert isinstance(recording, CandleRecording)
    kinds = {b"SignalScore": "SignalScore", b"Verdict": "Verdict"}
    records = []
    for number, line in enumerate(run_backtest(recording, Settings()).lines):
        kind, payload = line.split(b" ", 1)
        if kind in kinds:
            if change and number == 10:
                payload = payload.replace(b'"confidence":0', b'"confidence":1', 1)
            record = Record(kind=kinds[kind], key=str(number), payload=payload, correlation_id="c", at_ms=0)
            records.append(record)
    assert len(record_lines(records)) == len(records)
    store = Store.open(path, at_ms=0)
    store.commit([Commit(writer="test", records=tuple(records))], at_ms=0)
    store.close()
    return path


def test_parity_with_the_same_decisions_is_equal(capsys: Capture, tmp_path: Path) -> None:
    journal = a_journal(tmp_path / "same.sqlite", change=False)
    code = call(["parity", "--recording", RECORDING, "--journal", str(journal), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["counts"]["SignalScore"]["backtest"] == answer["counts"]["SignalScore"]["simulation"]
    if answer["counts"]["SubmitOrder"]["backtest"] == 0:
        assert (code, answer["equal"]) == (ExitCode.OK, True)
    else:
        assert (code, answer["difference"]["kind"]) == (ExitCode.ERROR, "SubmitOrder")


def test_parity_names_the_first_decision_that_differs(capsys: Capture, tmp_path: Path) -> None:
    journal = a_journal(tmp_path / "other.sqlite", change=True)
    assert call(["parity", "--recording", RECORDING, "--journal", str(journal)]) == ExitCode.ERROR
    text = capsys.readouterr().out
    assert "differ in SignalScore number" in text
    assert "confidence must be equal" in text


def test_a_journal_that_is_none_is_told(capsys: Capture, tmp_path: Path) -> None:
    assert call(["parity", "--recording", RECORDING, "--journal", str(tmp_path / "absent")]) == ExitCode.NOT_FOUND
    one_line(capsys)
    (tmp_path / "other.sqlite").write_bytes(b"no journal at all" * 100)
    code = call(["parity", "--recording", RECORDING, "--journal", str(tmp_path / "other.sqlite")])
    assert code == ExitCode.ERROR
    one_line(capsys)


def test_the_exchange_alone_answers_and_ends_when_told() -> None:
    command = [sys.executable, "-m", "genesis", "simulator", "--recording", RECORDING, "--port", "0", "--json"]
    command += ["--control-port", "0", "--wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            answer = httpx.get(said["rest"] + "/v2/platform/status", timeout=60, trust_env=False)
            assert answer.json() == [1]
            assert said["websocket"].startswith("ws://127.0.0.1:")
            replay = httpx.get(said["control"] + "/replay", timeout=60, trust_env=False).json()
            assert (replay["step"], replay["ended"]) == (-1, False), "nobody listens yet"
            httpx.post(said["control"] + "/maintenance", json={"on": True}, timeout=60, trust_env=False)
            answer = httpx.get(said["rest"] + "/v2/platform/status", timeout=60, trust_env=False)
            assert answer.json() == [0]
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert errors == ""


def test_the_exchange_alone_tells_a_taken_port(capsys: Capture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert call(["simulator", "--recording", RECORDING, "--port", port]) == ExitCode.ERROR
        assert os.strerror(98) in one_line(capsys)
    assert call(["simulator", "--recording", RECORDING, "--control-port", "70000"]) == ExitCode.CONFIGURATION
    assert "control-port must be in 0..65535, was 70000" in one_line(capsys)
