"""Functions with their steps written into them: the same bits, and what cannot be written stays a call."""

import math
import random
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain import strategy_arrays
from genesis.domain.indicators import unfolding
from genesis.domain.indicators.averages import ema_start, ema_step, sma_step
from genesis.domain.indicators.catalog import INDICATORS
from genesis.domain.indicators.compiling import plain
from genesis.domain.indicators.unfolding import unfolded
from genesis.domain.strategies import STRATEGY_KINDS

Function = Callable[..., Any]


def called_by(function: Any) -> set[str]:
    """Functions of this project that it still calls."""
    assert isinstance(function, FunctionType)
    found = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    return {name for name, value in found.items() if isinstance(value, FunctionType)}


def rows(count: int, seed: int) -> list[tuple[float, ...]]:
    """A wandering market with still stretches, jumps, and bars that go nowhere."""
    chance = random.Random(seed)
    price = 100.0
    told: list[tuple[float, ...]] = []
    for number in range(count):
        before = price
        price = price if chance.random() < 0.2 else round(price * math.exp(chance.gauss(0, 0.02)), 3)
        high, low = max(before, price) * (1 + chance.random() / 50), min(before, price) * (1 - chance.random() / 50)
        told.append((number * 60_000.0, before, high, low, price, chance.choice((0.0, chance.random() * 9))))
    return told


@pytest.mark.parametrize("name", sorted(INDICATORS))
@pytest.mark.parametrize("seed", range(3))
def test_a_live_step_gives_the_bits_of_the_one_it_was_written_from(name: str, seed: int) -> None:
    indicator = INDICATORS[name]
    indicator.write()
    assert indicator.on_row is unfolded(indicator.step) is not indicator.step
    told = []
    for step in (indicator.step, indicator.on_row):
        state, out, found = indicator.start(**indicator.resolve({})), [math.nan] * len(indicator.outputs), []
        for row in rows(400, seed):
            step(state, row, out)
            found.append(tuple(out))
        told.append(repr((found, state)))
    assert told[0] == told[1]


@pytest.mark.parametrize("name", sorted(name for name, kind in STRATEGY_KINDS.items() if kind.numeric is not None))
def test_a_strategys_loop_gives_the_bits_of_the_one_it_was_written_from(name: str) -> None:
    kind, told = STRATEGY_KINDS[name], []
    columns = [list(column) for column in zip(*rows(1500, 7), strict=True)][1:]
    for write in (plain, unfolded):
        loop = write(strategy_arrays._loop, _step=kind.numeric, _atr=kind.atr or strategy_arrays._no_atr)
        state, out = kind.start(kind.resolve({})), [[0.0] * 1500 for _ in range(4)]
        loop(state, *columns, *out)
        told.append(repr((state, out)))
        assert any(out[0]), "it never said a word"
    assert told[0] == told[1]


def test_a_cross_is_one_loop_without_a_call_and_keeps_its_state_in_names() -> None:
    kind = STRATEGY_KINDS["ema_cross"]
    loop = unfolded(strategy_arrays._loop, _step=kind.numeric, _atr=kind.atr)
    # But for a state that it cannot divide by, which is left to the loop that nobody has written.
    assert called_by(loop) == {"as_it_stands"}
    assert "state__0" in loop.__code__.co_varnames
    assert "known__0" in loop.__code__.co_varnames


def test_what_a_loop_never_changes_is_worked_out_once_and_where_that_fails_the_loop_says_so_itself() -> None:
    kind = STRATEGY_KINDS["ema_cross"]
    columns = [list(column) for column in zip(*rows(40, 3), strict=True)][1:]
    told = []
    for period in (0.0, -1.0):
        for write in (plain, unfolded):
            loop = write(strategy_arrays._loop, _step=kind.numeric, _atr=kind.atr)
            state, out = kind.start(kind.resolve({"atr": 14})), [[0.0] * 40 for _ in range(4)]
            # An average over no candle, or over one less: no strategy begins so, and a state is only a list.
            state[8 if period == 0.0 else 4] = period
            try:
                loop(state, *columns, *out)
            except ZeroDivisionError:
                told.append((period, "divided by nothing", repr(state)))
            else:
                told.append((period, repr(out), repr(state)))
    assert told[0] == told[1]
    assert told[2] == told[3]
    assert told[0][1] == told[2][1] == "divided by nothing"


OFFSET = 3


def _two(state: Any, x: float) -> float:
    return ema_step(state, 0, x) - ema_step(state, OFFSET, x)


def _either(state: Any, x: float) -> float:
    """Ends here or there, and goes on where it did not."""
    value = 0.0
    if x > 3.0:
        if x > 6.0:
            return 1.0
        value = 5.0
    elif x < 0.0:
        return -1.0
    return value + x


def _of_either(state: Any, x: float) -> tuple[float, float]:
    left, right = _either(state, x), _either(state, -x)
    if _either(state, x - 1.0) > 2.0 and left > 0.0:
        right += 1.0
    return left, right


def _nothing(state: Any, x: float) -> None:
    state[0] += x


def _of_nothing(state: Any, x: float) -> Any:
    return _nothing(state, x)


def _reads_before(state: Any, x: float) -> float:
    return state[2] + ema_step(state, 0, x)  # type: ignore[no-any-return]


def _perhaps(state: Any, x: float) -> float:
    return ema_step(state, 0, x) if x > 2.0 else -1.0


def _and_then(state: Any, x: float) -> bool:
    return x > 2.0 and ema_step(state, 0, x) > 1.0


def _changes_its_own(state: Any, x: float) -> float:
    x += ema_step(state, 0, x)
    x = _either(state, x)
    return x


def _finds(state: Any, x: float) -> float:
    for place in range(6):
        if state[place] == x:
            return float(place)
    return -1.0


def _of_finds(state: Any, x: float) -> float:
    return _finds(state, x)


@pytest.mark.parametrize(
    "function",
    [_two, _either, _of_either, _of_nothing, _reads_before, _perhaps, _and_then, _changes_its_own, _of_finds],
)
@given(numbers=st.lists(st.floats(-9, 9), min_size=1, max_size=12))
def test_any_shape_of_function_means_the_same(function: Function, numbers: list[float]) -> None:
    told = []
    for each in (function, unfolded(function)):
        state = [*ema_start(2), *ema_start(3)]
        told.append(repr(([each(state, x) for x in numbers], state)))
    assert told[0] == told[1]


def test_what_must_stay_a_call_does() -> None:
    # What was read before a step must not be read after it; a loop that returns has no end to go on from.
    assert called_by(unfolded(_reads_before)) == {"ema_step"}
    assert called_by(unfolded(_and_then)) == {"ema_step"}
    assert called_by(unfolded(_of_finds)) == {"_finds"}
    assert called_by(unfolded(_of_either)) == {"_either"}, "what follows an `and` may never be looked at"
    for function in (_two, _of_nothing, _perhaps, _changes_its_own):
        assert not called_by(unfolded(function))


def test_a_file_that_changed_since_it_was_loaded_is_not_written_out(tmp_path: Path) -> None:
    path = tmp_path / "written.py"
    path.write_text("def inner(x):\n    return x + 1.0\n\n\ndef outer(x):\n    return inner(x)\n")
    loaded: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), loaded)  # noqa: S102 - as a user's file is loaded
    path.write_text("def inner(x):\n    return x + 2.0\n\n\ndef outer(x):\n    return inner(x)\n")
    assert unfolded(loaded["outer"])(1.0) == 2.0


def test_text_without_a_file_runs_as_it_stands() -> None:
    loaded: dict[str, Any] = {}
    exec("def outer(x):\n    return x + 1.0", loaded)  # noqa: S102 - text is all that there is
    assert unfolded(loaded["outer"]) is loaded["outer"]


def test_what_would_grow_too_long_stays_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfolding, "MOST_NODES", 10)
    made = unfolding._Writer(_two, {}).written()  # type: ignore[arg-type]
    assert called_by(made) == {"ema_step"}
    state, other = [*ema_start(2), *ema_start(3)], [*ema_start(2), *ema_start(3)]
    assert [made(state, x) for x in (1.0, 2.0, 3.0)][-1] == [_two(other, x) for x in (1.0, 2.0, 3.0)][-1]


def test_a_window_in_a_step_is_written_out_too() -> None:
    assert not called_by(unfolded(sma_step))
    assert "window_push" not in unfolded(sma_step).__code__.co_names
