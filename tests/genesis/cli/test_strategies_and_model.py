"""Strategies of one's own and the model, by their commands: from an empty directory to figures, and every refusal."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from genesis.cli.main import call
from genesis.edge.user_dir import UserDir
from genesis.run_options import ExitCode
from genesis.user_strategies import user_strategies

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UserDir]:
    for name in list(os.environ):
        if name.startswith(("GENESIS_", "PROB_")) and not name.startswith("GENESIS_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENESIS_HOME", str(tmp_path / "home"))
    made = UserDir(tmp_path / "home")
    yield made
    user_strategies(made.strategies).close()


def said(capsys: Capture, *words: str, code: int = ExitCode.OK) -> str:
    assert call(list(words)) == code
    told = capsys.readouterr()
    return told.out if code == ExitCode.OK else told.err


def test_a_strategy_is_written_listed_and_trades(capsys: Capture, home: UserDir) -> None:
    path = home.strategies / "my_dip.py"
    assert str(path) in said(capsys, "strategies", "new", "my_dip")
    assert "class MyDip(Strategy)" in path.read_text()
    assert "must not exist yet" in said(capsys, "strategies", "new", "my_dip", code=ExitCode.ERROR)
    for name, told in (("Bad", "NAME must be 1 to 32"), ("ema_cross", "differ from the shipped")):
        assert told in said(capsys, "strategies", "new", name, code=ExitCode.ERROR)
    assert "differ from the shipped" in said(capsys, "strategies", "new", "probability_gated", code=ExitCode.ERROR)
    kinds = {one["kind"]: one for one in json.loads(said(capsys, "strategies", "list", "--json"))}
    assert kinds["my_dip"]["own"]
    assert [each["name"] for each in kinds["my_dip"]["parameters"]] == ["period", "dip", "recovered"]
    assert "genesis model train" in kinds["probability_gated"]["fault"]
    parameters = re.compile(r"parameters = \(.*?\n    \)\n", re.DOTALL)
    path.write_text(parameters.sub("", path.read_text()).replace('"period"', "14"))
    told = said(capsys, "strategies", "list")
    assert re.search(r"my_dip +│ - +│ +- +│ - +│ takes no parameters", told), "a range of 0 to 0 would be one"
    path.write_text("class MyDip(")
    assert "cannot be used: my_dip.py, line 1: SyntaxError" in said(capsys, "strategies", "list")


def test_a_model_is_trained_shown_judged_and_its_drift_is_told(capsys: Capture, home: UserDir) -> None:
    for word in ("show", "validate", "drift"):
        told = said(capsys, "model", word, code=ExitCode.NOT_FOUND)
        assert "`genesis model train` makes one" in told
    words = ["--timeframe", "1m", "--train-bars", "1000", "--test-bars", "500", "--horizon", "5", "--cost", "0.001"]
    trained = said(capsys, "model", "train", *words)
    assert "rows it had not seen" in trained
    assert (home.models / "probability.json").is_file()
    shown = json.loads(said(capsys, "model", "show", "--json"))
    assert (shown["symbol"], shown["timeframe"], shown["label"]["horizon"]) == ("tBTCUSD", "1m", 5)
    assert shown["figures"]["rows"] > 1000
    assert "weights" in said(capsys, "model", "show")
    judged = json.loads(said(capsys, "model", "validate", "--since", "2018-02-06", "--json"))
    assert 0 < judged["figures"]["rows"] < 1500
    assert said(capsys, "model", "drift", "--json").strip() == "[]"
    kinds = {one["kind"]: one for one in json.loads(said(capsys, "strategies", "list", "--json"))}
    assert kinds["probability_gated"]["fault"] == ""
    (home.models / "probability.json").write_text("{}")
    assert "must be a model" in said(capsys, "model", "show", code=ExitCode.ERROR)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--kind", "magic"], ExitCode.ERROR, "kind must be logistic or boosting, was magic"),
        (["--label", "moon"], ExitCode.ERROR, "--label must be forward or triple_barrier, was moon"),
        (["--timeframe", "7m"], ExitCode.ERROR, "timeframe must be one of"),
        (["--symbol", "tNOPEUSD", "--timeframe", "5m"], ExitCode.ERROR, "symbol must be one of tBTCUSD, tETHUSD"),
        (["--timeframe", "5m"], ExitCode.ERROR, "no window could be judged"),
        (["nothing.csv.gz"], ExitCode.NOT_FOUND, "nothing.csv.gz"),
        (["--market", "no-such-market"], ExitCode.NOT_FOUND, "no-such-market"),
    ],
)
def test_what_cannot_be_trained_is_told(capsys: Capture, words: list[str], code: ExitCode, told: str) -> None:
    assert told in said(capsys, "model", "train", *words, code=code)
