"""Log lines are found by what they say, over files that were turned over and lines that were torn."""

import json
from pathlib import Path

import pytest

from genesis.cli.main import call
from genesis.run_options import ExitCode


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()

    def line(number: int, level: str, event: str, **values: object) -> str:
        row = {"n": number, **values, "event": event, "level": level, "timestamp": "2026-11-26T23:15:22.025484Z"}
        return json.dumps(row) + "\n"

    (folder / "sim.log.2").write_text(line(1, "info", "fill", symbol="tBTCUSD"))
    (folder / "sim.log.1").write_text(line(2, "warning", "connection", status="down") + line(3, "debug", "order"))
    (folder / "sim.log").write_text(line(4, "info", "fill", symbol="tETHUSD") + '{"n": 5, "event": "to')
    return tmp_path


def numbers(home: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[int]:
    assert call(["logs", "--data-dir", str(home), "--json", *options]) == ExitCode.OK
    return [json.loads(line)["n"] for line in capsys.readouterr().out.splitlines()]


def test_older_files_come_first_and_a_torn_line_is_passed_over(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert numbers(home, capsys) == [1, 2, 3, 4]
    assert numbers(home, capsys, "-n", "2") == [3, 4]


def test_lines_are_chosen_by_level_text_and_field(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert numbers(home, capsys, "--level", "warning") == [2]
    assert numbers(home, capsys, "--filter", "event=fill") == [1, 4]
    assert numbers(home, capsys, "--filter", "event=fill", "--filter", "teth") == [4]
    assert numbers(home, capsys, "--filter", "event=fil") == []


def test_people_see_one_line_each(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["logs", "--data-dir", str(home), "--filter", "tETHUSD"]) == ExitCode.OK
    assert capsys.readouterr().out.strip() == "2026-11-26 23:15:22.025 info     fill n=4 symbol=tETHUSD"


def test_no_log_is_not_found_and_wrong_numbers_are_told(tmp_path: Path, home: Path) -> None:
    assert call(["logs", "--data-dir", str(home), "--mode", "live"]) == ExitCode.NOT_FOUND
    assert call(["logs", "--data-dir", str(home), "-n", "-1"]) == ExitCode.CONFIGURATION
