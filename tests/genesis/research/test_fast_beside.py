"""The first sweep's child: what it keeps is read here, and whatever becomes of it, the sweep trades the same."""

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from genesis.domain.indicators.compiling import can_compile, compile_for, compiled
from genesis.research import fast, fast_beside, fast_numbers, fast_said, fast_walk
from genesis.research.bars import BarRecording
from genesis.research.fast import Prepared, sweep
from genesis.research.fast_beside import Beside, compile_beside, is_kept
from tests.genesis.research.test_fast import ema
from tests.genesis.research.test_leaping import recording

pytestmark = pytest.mark.skipif(not can_compile(), reason="it is about compiled code")
SETS = [{"fast": fast, "slow": 20} for fast in range(3, 9)]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two cores, and nothing begun before."""
    monkeypatch.setattr(fast_beside, "_cores", lambda: 2)
    fast_beside._tried.cache_clear()
    yield
    fast_beside._tried.cache_clear()


@pytest.fixture
def market() -> Prepared:
    return Prepared.of(BarRecording.of(recording("2018-02-crash", 300, 900)), ema(), compile=True)


def sleeper() -> Beside:
    return Beside(subprocess.Popen((sys.executable, "-c", "import time; time.sleep(600)")))


def traded(prepared: Prepared) -> list[tuple[float, int, int]]:
    return [(result.final_equity, result.trades, result.refused) for result in sweep(prepared, SETS)]


def by(child: Beside | None) -> Callable[[Any, Sequence[Any]], Beside | None]:
    return lambda function, arguments: child


def test_a_child_compiles_and_keeps_for_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    numbers = np.arange(5.0)
    assert not is_kept(fast_walk.bound)
    child = compile_beside(fast_walk.bound, [numbers, 0, 2])
    assert child is not None
    child.wait()
    assert child.child.returncode == 0
    assert is_kept(fast_walk.bound)
    assert compile_beside(fast_walk.bound, [numbers, 0, 2]) is None
    # To read it needs a process that was told of the folder when it loaded the compiler.
    script = """
import numpy as np
from genesis.domain.indicators.compiling import compile_for, compiled
from genesis.research import fast_walk
made = compiled(fast_walk.bound, kept=True, inline=False)
assert compile_for(made, np.arange(5.0), 0, 2)
print(sum(made.stats.cache_hits.values()), sum(made.stats.cache_misses.values()))
"""
    told = subprocess.run((sys.executable, "-c", script), capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["1", "0"]


def test_the_child_is_told_the_very_types_that_a_sweep_calls_with(
    market: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    typeof = importlib.import_module("numba").typeof
    asked: list[tuple[Any, Sequence[Any]]] = []

    def remember(function: Any, arguments: Sequence[Any]) -> None:
        asked.append((function, arguments))

    monkeypatch.setattr(fast, "compile_beside", remember)
    sweep(market, SETS)
    ((function, arguments),) = asked
    told = [fast_beside._like(fast_beside._type_of(each)) for each in arguments]
    made = compiled(function, kept=True, inline=False)
    assert tuple(typeof(each) for each in told) in made.signatures


def test_a_child_that_is_killed_or_that_fails_changes_nothing(
    market: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = traded(attrs.evolve(market, compile=False))
    killed, failed = sleeper(), Beside(subprocess.Popen((sys.executable, "-c", "raise SystemExit(1)")))
    killed.child.kill()
    for child in (killed, failed):
        monkeypatch.setattr(fast, "compile_beside", by(child))
        assert traded(market) == expected
        assert child.child.returncode in (-9, 1)


def test_a_child_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_beside, "LONGEST_S", 0.0)
    child = sleeper()
    child.wait()
    assert child.child.returncode == -9


def test_a_sweep_that_raises_leaves_no_child(market: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    child = sleeper()
    monkeypatch.setattr(fast, "compile_beside", by(child))

    def refuses(*arguments: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(fast_said.Together, "of", refuses)
    with pytest.raises(RuntimeError, match="out of memory"):
        sweep(market, SETS)
    assert child.child.returncode == -9


def test_where_nothing_can_be_kept_a_child_says_so_and_each_sweep_does_not_begin_one_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    caching = importlib.import_module("numba.core.caching")
    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])
    made = compiled(fast_numbers.lost_part, kept=True, inline=False, no_place=None)
    assert not compile_for(made, 1.0, 2.0)
    assert made(2.0, 1.0) == 0.5

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    first = compile_beside(fast_numbers.lost_part, [])
    assert first is not None
    first.end()
    assert compile_beside(fast_numbers.lost_part, []) is None


def test_no_child_where_it_is_no_help(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(fast_beside, "_cores", lambda: 1)
    assert compile_beside(fast_walk.bound, []) is None
    monkeypatch.setattr(fast_beside, "_cores", lambda: 2)
    # Nothing that could be started.
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    assert compile_beside(fast_walk.bound, []) is None
