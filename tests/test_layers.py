"""Imports point down, rooms keep to themselves, and the tools that say so do notice a break."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.check_layers import faults, trading_words

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("genesis", "actors", "protocols", "web")


def lint(root: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    chosen = [word for contract in contracts for word in ("--contract", contract)]
    return subprocess.run(
        [str(program), "--no-logo", "--no-cache", *chosen],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_rooms_are_kept() -> None:
    assert faults() == []


def test_the_floors_are_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tree with nothing but what an import checker reads."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("static", "*.pyc", "recordings")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("protocols/planted.py", "import trio", "pure"),
        ("genesis/domain/planted.py", "import time", "pure"),
        ("genesis/domain/planted.py", "from random import Random", "pure"),
        ("genesis/domain/planted.py", "import genesis.core.clock", "pure"),
        ("genesis/core/planted.py", "import genesis.domain.candles", "core-knows-no-trade"),
        ("genesis/edge/planted.py", "import genesis.domain.candles", "edge-knows-no-meaning"),
        ("actors/planted.py", "import actors.journal", "actors-independent"),
        ("actors/planted.py", "import time", "clock-and-chance"),
        ("actors/planted.py", "import web.api", "floors"),
        ("web/planted.py", "import actors.journal", "web-no-actor"),
        ("genesis/simulator/planted.py", "import actors.journal", "floors"),
        ("genesis/core/planted.py", "import asyncio", "one-loop"),
    ],
)
def test_a_planted_break_is_found(copy: Path, file: str, line: str, contract: str) -> None:
    (copy / file).write_text(f'"""Planted."""\n\n{line}\n')
    done = lint(copy, contract)
    assert done.returncode == 1, done.stdout
    assert "planted" in done.stdout


def test_trading_words_are_found_in_names_and_nowhere_else() -> None:
    text = (
        '"""No trading here."""\n# a venue\nbest_price = 1\nclass OrderBook: ...\ndef on_fill(): ...\nTickerCell = 2\n'
    )
    assert trading_words(text) == [(3, "best_price"), (5, "on_fill"), (6, "TickerCell")]


def test_each_kind_of_fault_is_found(tmp_path: Path) -> None:
    core = tmp_path / "genesis" / "core"
    core.mkdir(parents=True)
    (tmp_path / "genesis" / "__init__.py").write_text("import trio\n")
    (core / "utils.py").write_text('"""Named for nothing."""\n')
    (core / "silent.py").write_text("x = 1\n")
    (core / "trade.py").write_text('"""Knows too much."""\n\nwallet = 1\n')
    (core / "long.py").write_text('"""Goes on."""\n' + "x = 1\n" * 800)
    found = "\n".join(faults(tmp_path))
    for part in (
        "utils.py: must be named for its idea",
        "silent.py: must begin with a sentence",
        "trade.py:3: the core knows no trading word, was 'wallet'",
        "long.py: must have at most 700 lines, was 801",
        "genesis/__init__.py: must stay empty",
    ):
        assert part in found
