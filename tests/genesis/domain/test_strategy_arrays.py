"""Numeric steps over arrays: the same numbers as candle by candle, compiled or not, to the last bit."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from genesis.domain.indicators import compiling
from genesis.domain.indicators.averages import sma_start, sma_step, window_mean
from genesis.domain.indicators.catalog import CLOSE, HIGH, LOW, OPEN, TIME, VOLUME, candle_rows
from genesis.domain.indicators.compiling import can_compile, compiled
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import BUY, HOLD, RECOMMENDATIONS, SELL, Opinion, State, StrategyKind
from genesis.domain.strategy_arrays import CandleArrays, Floats, Said, say, why_not_compiled
from protocols.market import Candle
from tests.recorded_candles import RECORDINGS, recorded_candles

NUMERIC = sorted(name for name, kind in STRATEGY_KINDS.items() if kind.numeric is not None)


def arrays_of(candles: tuple[Candle, ...]) -> CandleArrays:
    rows = candle_rows(candles)
    return CandleArrays(
        open_ms=rows[:, TIME].astype(np.int64),
        open=rows[:, OPEN],
        high=rows[:, HIGH],
        low=rows[:, LOW],
        close=rows[:, CLOSE],
        volume=rows[:, VOLUME],
    )


def same_bits(one: Said, other: Said) -> bool:
    pairs = [
        (one.code, other.code),
        (one.confidence, other.confidence),
        (one.probability, other.probability),
        (one.atr, other.atr),
    ]
    return all(np.array_equal(left, right, equal_nan=True) for left, right in pairs)


@pytest.mark.parametrize("recording", RECORDINGS)
@pytest.mark.parametrize("name", NUMERIC)
def test_an_array_is_told_the_same_as_its_candles_one_by_one(name: str, recording: str) -> None:
    kind, candles = STRATEGY_KINDS[name], recorded_candles(recording)
    state = kind.start(kind.resolve({}))
    opinions = [kind.step(state, candle) for candle in candles]
    ways = [False] + ([True] if why_not_compiled(kind) is None else [])
    for compile_ in ways:
        moved = kind.start(kind.resolve({}))
        said = say(kind, moved, arrays_of(candles), compile=compile_)
        assert [RECOMMENDATIONS[code] for code in said.code.tolist()] == [each.recommendation for each in opinions]
        assert said.confidence.tolist() == [each.confidence for each in opinions]
        assert said.probability.tolist() == [each.probability for each in opinions]
        atrs = [each.features.get("atr", math.nan) for each in opinions]
        assert np.array_equal(said.atr, np.array(atrs), equal_nan=True)
        assert np.array_equal(np.array(moved), np.array(state), equal_nan=True)


@given(
    closes=st.lists(st.floats(1.0, 9000.0), min_size=1, max_size=80),
    fast=st.integers(2, 8),
    more=st.integers(1, 9),
    cut=st.integers(0, 80),
)
@hypothesis_settings(max_examples=30, deadline=None)
def test_two_parts_say_what_the_whole_says(closes: list[float], fast: int, more: int, cut: int) -> None:
    kind = STRATEGY_KINDS["ema_cross"]
    close = np.array(closes)
    candles = CandleArrays(
        open_ms=np.arange(len(close)) * 60_000,
        open=close,
        high=close * 1.01,
        low=close * 0.99,
        close=close,
        volume=np.ones(len(close)),
    )

    def part(begin: int, end: int) -> CandleArrays:
        return CandleArrays(
            open_ms=candles.open_ms[begin:end],
            open=candles.open[begin:end],
            high=candles.high[begin:end],
            low=candles.low[begin:end],
            close=candles.close[begin:end],
            volume=candles.volume[begin:end],
        )

    def start() -> list[float]:
        return kind.start(kind.resolve({"fast": fast, "slow": fast + more, "atr": 3}))

    whole = say(kind, start(), candles, compile=False)
    state = start()
    parts = [say(kind, state, part(0, cut)), say(kind, state, part(cut, len(close)))]
    together = Said(
        code=np.concatenate([each.code for each in parts]),
        confidence=np.concatenate([each.confidence for each in parts]),
        probability=np.concatenate([each.probability for each in parts]),
        atr=np.concatenate([each.atr for each in parts]),
    )
    assert same_bits(whole, together)


def above_average(
    state: State, open_: float, high: float, low: float, close: float, volume: float
) -> tuple[float, float, float]:
    average = sma_step(state, 0, close)
    if average != average:
        return HOLD, 0.0, 0.5
    return (BUY if close > average else SELL), 1.0, 0.5


def of_objects(
    state: State, open_: float, high: float, low: float, close: float, volume: float
) -> tuple[float, float, float]:
    return HOLD, 0.0, float(Decimal("0.09"))


def described(state: State, code: float) -> tuple[dict[str, float], tuple[str, ...]]:
    return {"average": window_mean(state, 0)}, ("the close is above its average" if code > 0 else "it is not",)


@pytest.mark.skipif(not can_compile(), reason="it is about compiled code")
def test_what_others_wrote_is_given_all_passes_of_the_compiler() -> None:
    """Ours is compiled without those that look for what it does not have (`SKIPPED`)."""

    def doubled(numbers: Floats) -> float:
        total = 0.0
        for each in [2.0 * number for number in numbers]:
            total += each
        return total

    assert compiled(doubled)(np.arange(4.0)) == doubled(np.arange(4.0)) == 12.0


def is_odd_and_more(numbers: Floats, count: int) -> bool:
    left: float = count
    is_odd = left % 2 == 1
    if len(numbers) > 2:
        left = count / 2
    return is_odd and left > 1


NONE, MANY = 0, 7


def how_many(numbers: Floats) -> int:
    found = NONE
    for number in numbers:
        if number > 1.0:
            found = MANY
        elif found != NONE:
            found = -1
    return found


@pytest.mark.skipif(not can_compile(), reason="it is about compiled code")
def test_a_marked_function_with_a_name_of_two_kinds_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As floats both would be one name to the compiler, and 2**53 + 1 would be 2**53; what others wrote may do so."""
    most = 2**53 + 1
    assert compiled(is_odd_and_more)(np.arange(2.0), most)
    assert is_odd_and_more(np.arange(2.0), most)
    monkeypatch.setattr(is_odd_and_more, "__module__", "genesis.of_a_test")
    compiling.one_kind_a_name(is_odd_and_more)
    compiling._compiled.cache_clear()
    with pytest.raises(Exception, match="must hold one kind of thing, was int64 and float64"):
        compiled(is_odd_and_more)(np.arange(2.0), most)


@pytest.mark.skipif(not can_compile(), reason="it is about compiled code")
@pytest.mark.parametrize("numbers", [[0.0, 1.0], [0.0, 2.0], [2.0, 0.0]])
def test_a_constant_is_not_the_only_value_that_a_name_of_a_marked_function_may_have(
    numbers: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(how_many, "__module__", "genesis.of_a_test")
    compiling.one_kind_a_name(how_many)
    assert compiled(how_many)(np.array(numbers)) == how_many(np.array(numbers))


def test_a_users_step_outside_this_project_is_compiled_with_what_it_calls() -> None:
    kind = StrategyKind(
        name="above",
        version=1,
        parameters=(),
        start=lambda _: sma_start(3),
        numeric=above_average,
        describe=described,
    )
    if why_not_compiled(kind) not in (None, "numba is not installed"):
        raise AssertionError(why_not_compiled(kind))
    said = say(kind, sma_start(3), arrays_of(recorded_candles()[:50]))
    assert same_bits(said, say(kind, sma_start(3), arrays_of(recorded_candles()[:50]), compile=False))
    assert set(said.code[2:].tolist()) <= {BUY, SELL}
    assert np.isnan(said.atr).all()


def test_a_step_that_cannot_be_compiled_says_so_and_runs_as_it_stands() -> None:
    kind = StrategyKind(
        name="objects", version=1, parameters=(), start=lambda _: [0.0], numeric=of_objects, describe=described
    )
    why = why_not_compiled(kind)
    assert why == "numba is not installed" or str(why).startswith("the step of objects cannot be compiled: ")
    assert say(kind, [0.0], arrays_of(recorded_candles()[:5])).probability.tolist() == [0.09] * 5


def test_a_kind_has_one_way_to_step() -> None:
    def step(state: list[float], candle: Candle) -> Opinion:
        raise AssertionError

    with pytest.raises(ValueError, match="must have either step, or numeric and describe"):
        StrategyKind(name="none", version=1, parameters=(), start=lambda _: [])
    with pytest.raises(ValueError, match="must have either step, or numeric and describe"):
        StrategyKind(name="half", version=1, parameters=(), start=lambda _: [], numeric=above_average)
    with pytest.raises(ValueError, match="must have either step, or numeric and describe"):
        StrategyKind(
            name="both",
            version=1,
            parameters=(),
            start=lambda _: [],
            step=step,
            numeric=above_average,
            describe=described,
        )
    kind = StrategyKind(name="plain", version=1, parameters=(), start=lambda _: [], step=step)
    assert why_not_compiled(kind) == "strategy plain has no numeric step"
    with pytest.raises(ValueError, match="strategy plain must have a numeric step, had none"):
        say(kind, [], arrays_of(()))
