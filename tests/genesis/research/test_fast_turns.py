"""Where averages change sides: the kernel finds what the strategy's own step finds, one candle at a time."""

from collections.abc import Mapping

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from genesis.domain.indicators.averages import ema_start, ema_step
from genesis.domain.indicators.compiling import ask_for, can_compile, compiled
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy_arrays import CandleArrays, Floats, speak
from genesis.research import bars as research_bars
from genesis.research.bars import BarRecording, Whole
from genesis.research.fast import Prepared, run_fast, sweep
from genesis.research.fast_said import Events, Room, Together, average_over, said_by
from genesis.research.fast_turns import LONG, STRETCH
from protocols.units import Symbol
from tests.genesis.research.test_fast import FREE, ema
from tests.genesis.research.test_leaping import BTC

CROSS = STRATEGY_KINDS["ema_cross"]
MINUTE_MS = 60_000
needs_compiler = pytest.mark.skipif(not can_compile(), reason="it is about compiled code")


def bars(closes: Floats, warm: int = 0) -> BarRecording:
    def columns(part: Floats, first_ms: int) -> CandleArrays:
        times = first_ms + np.arange(len(part)) * MINUTE_MS
        return CandleArrays(open_ms=times, open=part, high=part, low=part, close=part, volume=np.ones(len(part)))

    before, rest = closes[:warm], closes[warm:]
    first_ms = 1_600_000_020_000
    first_ms -= first_ms % 86_400_000
    history = {Symbol(BTC): columns(before, first_ms - warm * MINUTE_MS)} if warm else {}
    rows = {Symbol(BTC): columns(rest, first_ms)}
    last_ms = first_ms + (len(rest) - 1) * MINUTE_MS
    return BarRecording(name="made", history=history, rows=rows, first_ms=first_ms, last_ms=last_ms)


def by_its_step(prepared: Prepared, sets: Mapping[str, float]) -> tuple[list[int], list[float]]:
    state = CROSS.start(CROSS.resolve(sets))
    if len(prepared.warm):
        speak(CROSS, state, prepared.warm, compile=False, with_atr=True)
    spoken = speak(CROSS, state, prepared.candles, compile=False, with_atr=False)
    return spoken.place.tolist(), spoken.code.tolist()


def told(said: Events, number: int = 0) -> tuple[list[int], list[float]]:
    count = said.count[number]
    return said.score[number, :count].tolist(), said.code[number, :count].astype(float).tolist()


def random_closes(size: int, seed: int, step: float = 4.0) -> Floats:
    chance = np.random.default_rng(seed)
    closes: Floats = np.round(6000.0 + np.cumsum(chance.normal(0, step, size)), 1)
    return closes


@given(
    size=st.integers(1, 400),
    seed=st.integers(0, 50),
    # Steps so small that closes and averages are often equal.
    step=st.sampled_from([0.0, 0.02, 4.0]),
    fast=st.integers(2, 30),
    more=st.integers(1, 60),
    warm=st.integers(0, 60),
    compile_=st.sampled_from([False, True] if can_compile() else [False]),
)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_turns_are_those_of_the_step(
    size: int, seed: int, step: float, fast: int, more: int, warm: int, compile_: bool
) -> None:
    sets: dict[str, float] = {"fast": fast, "slow": fast + more}
    prepared = Prepared.of(
        bars(random_closes(size + warm, seed, step), warm), ema(BTC, "1m", FREE, **sets), compile=compile_
    )
    assert told(said_by(prepared, sets)) == by_its_step(prepared, sets)


@needs_compiler
@pytest.mark.parametrize("kind", ["moving", "still", "still and then moving"])
def test_a_long_array_is_walked_in_parts_to_the_same_turns(kind: str) -> None:
    """Averages of a market that stood still have not forgotten where they began, and are walked once more."""
    closes = random_closes(2 * LONG + 1000, 1)
    if kind != "moving":
        # A price that is no sum of the average's steps: it comes nearer for thousands of candles, and never arrives.
        closes[200 : len(closes) if kind == "still" else LONG] = 6012.3
    sets: dict[str, float] = {"fast": 12, "slow": 26}
    prepared = Prepared.of(bars(closes), ema(BTC, "1m", FREE, **sets), compile=True)
    assert told(said_by(prepared, sets)) == by_its_step(prepared, sets)
    plain = attrs.evolve(prepared, compile=False)
    assert told(said_by(plain, sets)) == by_its_step(prepared, sets)


@needs_compiler
def test_sets_that_turn_more_often_than_usual_get_more_room() -> None:
    chance = np.random.default_rng(3)
    closes = 6000.0 + 10.0 * (np.arange(4 * STRETCH) % 2) + np.round(chance.normal(0, 0.5, 4 * STRETCH), 1)
    prepared = Prepared.of(bars(closes), ema(), compile=True)
    sets: list[dict[str, float]] = [{"fast": 2, "slow": 3}, {"fast": 2, "slow": 5}, {"fast": 9, "slow": 200}]
    together = Together.of(prepared, [CROSS.resolve(each) for each in sets])
    assert together is not None
    room = Room.of(prepared, len(sets))
    at_first = room.score.shape[1]
    said = together.said(0, len(sets), room)
    assert room.score.shape[1] > at_first
    assert said.count[0] > at_first
    for number, each in enumerate(sets):
        assert told(said, number) == by_its_step(prepared, each)


def test_what_is_known_of_each_candle_is_the_same_over_any_number_of_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days, weeks, minutes and decimals, with minutes missing and without, and where a day begins with a stretch."""
    made = bars(np.round(random_closes(4000, 7), 1))
    rows = made.rows[Symbol(BTC)]
    kept = np.delete(np.arange(4000), [0, 1, 77, 1440, 2881])
    columns = {name: getattr(rows, name)[kept] for name in ("open_ms", "open", "high", "low", "close", "volume")}
    holed = attrs.evolve(made, rows={Symbol(BTC): CandleArrays(**columns)})
    for recording, timeframe in ((made, "1m"), (holed, "1m"), (made, "15m"), (holed, "15m")):
        whole = Prepared.of(recording, ema(BTC, timeframe), compile=False)
        with monkeypatch.context() as patch:
            patch.setattr(research_bars, "STRETCH", 96)
            cut = Prepared.of(recording, ema(BTC, timeframe), compile=False)
        for one, other in zip((*whole.rows, *whole.scores), (*cut.rows, *cut.scores), strict=True):
            assert np.array_equal(one, other)
        assert np.array_equal(whole.flags, cut.flags)
        assert whole.price_decimals == cut.price_decimals == 1
        minutes = (recording.rows[Symbol(BTC)].open_ms - recording.first_ms) // MINUTE_MS
        assert np.array_equal(whole.rows[0], minutes)
        frame = 1 if timeframe == "1m" else 15
        assert np.array_equal(whole.scores[0], (whole.candles.open_ms - recording.first_ms) // MINUTE_MS + frame)
        assert np.array_equal(whole.scores[1], np.searchsorted(minutes, whole.scores[0]))
        days = (whole.scores[0].astype(np.int64) * MINUTE_MS + recording.first_ms) // 86_400_000
        assert whole.first_of_days.tolist() == [0, *(np.flatnonzero(np.diff(days)) + 1).tolist()]


@needs_compiler
def test_a_sweep_over_many_averages_trades_as_each_set_alone() -> None:
    """More averages than lanes, more candles than a stretch, and a group that ends in the middle of the lanes."""
    prepared = Prepared.of(bars(random_closes(3 * STRETCH + 77, 5), 40), ema(), compile=True)
    sets: list[dict[str, float]] = [{"fast": fast, "slow": slow} for fast in range(3, 14) for slow in (20, 33, 50)]
    alone = Prepared.of(prepared.bars, prepared.settings, compile=False)
    assert sweep(prepared, sets) == [run_fast(alone, each) for each in sets]


@given(parts=st.lists(st.integers(0, 40), max_size=4), period=st.integers(2, 40), seed=st.integers(0, 9))
def test_an_average_over_closes_is_its_steps_however_they_are_cut(parts: list[int], period: int, seed: int) -> None:
    closes = random_closes(sum(parts), seed).tolist()
    state, moved = ema_start(period), ema_start(period)
    steps = [ema_step(state, 0, close) for close in closes]
    told: list[float] = []
    for size in parts:
        told += average_over(closes[len(told) : len(told) + size], moved)
    assert np.array_equal(told, steps, equal_nan=True)
    assert moved == state


def asks(table: Floats, rows: Whole) -> float:
    total = 0.0
    for row in rows:
        ask_for(table, row)
        total += table[row, 0]
    return total


@needs_compiler
def test_asking_for_a_row_changes_nothing() -> None:
    table = np.arange(160.0).reshape(10, 16)
    rows = np.array([0, 9, 3])
    assert compiled(asks)(table, rows) == asks(table, rows) == 192.0


def test_what_is_said_before_the_averages_are_known_is_nothing() -> None:
    prepared = Prepared.of(bars(random_closes(10, 1)), ema(risk=FREE, fast=5, slow=50), compile=False)
    assert told(said_by(prepared, {"fast": 5, "slow": 50})) == ([], [])
