"""Strategies: typed parameters, the same words after any restart, and never a look ahead."""

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.domain.signal_machine import SIGNAL_TABLE, SignalMachine, seen_until
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.ema_cross import EMA_CROSS
from genesis.domain.strategy import Opinion
from protocols.market import Candle, CandleHistory
from protocols.settings import Settings, StrategySettings
from protocols.signals import Recommendation, SignalScore
from protocols.units import Symbol
from tests.recorded_candles import RECORDINGS, as_closed, recorded_candles, recorded_rows

BUY, SELL, HOLD = Recommendation.BUY, Recommendation.SELL, Recommendation.HOLD


def only(**words: object) -> Settings:
    base = StrategySettings(name="s", timeframe="1m")
    return Settings(strategies=(msgspec.structs.replace(base, **words),))


def said(machine: SignalMachine, candles: tuple[Candle, ...]) -> list[SignalScore]:
    return [score for candle in candles for score in machine.on_candle(as_closed(candle))]


@pytest.mark.parametrize("recording", RECORDINGS)
def test_crosses_are_where_talibs_averages_cross(recording: str) -> None:
    scores = said(SignalMachine(only()), recorded_candles(recording))
    side = 0
    for score, row in zip(scores, recorded_rows(recording), strict=True):
        expected = HOLD
        if row["ema_26"]:
            now = 1 if float(row["ema_12"]) > float(row["ema_26"]) else -1
            if side and now != side:
                expected = BUY if now > 0 else SELL
            side = now
            assert abs(score.features["ema_fast"] - float(row["ema_12"])) < 1e-9
            assert abs(score.features["ema_slow"] - float(row["ema_26"])) < 1e-9
            assert abs(score.features["atr"] - float(row["atr_14"])) < 1e-9
        assert score.recommendation is expected
    assert {score.recommendation for score in scores} == {BUY, SELL, HOLD}


def test_reasons_are_sentences_with_the_numbers() -> None:
    scores = said(SignalMachine(only()), recorded_candles())
    assert scores[3].reasons == ("EMA 26 is not known yet: 4 of 26 candles seen",)
    buy = next(score for score in scores if score.recommendation is BUY)
    assert buy.reasons[0].startswith("EMA 12 (")
    assert ") crossed above EMA 26 (" in buy.reasons[0]
    assert "average true range" in buy.reasons[1]


def test_a_score_says_where_it_comes_from() -> None:
    candle = recorded_candles()[0]
    (score,) = SignalMachine(only()).on_candle(as_closed(candle, received_ns=77))
    assert score.signal_id == f"s:tBTCUSD:1m:{candle.open_ms}"
    assert score.correlation_id == f"tBTCUSD:1m:{candle.open_ms}"
    assert score.decided_ms == candle.open_ms + 60_000
    assert (score.price, score.source, score.received_ns) == (candle.close, "ema_cross/1", 77)
    assert 0.0 <= score.confidence <= 1.0


def test_the_first_side_is_no_cross_and_a_touch_is_none_either() -> None:
    machine = SignalMachine(only(parameters={"fast": 2, "slow": 3, "atr": 2}))
    flat, up = [100.0] * 6, [101.0, 102.0]
    scores = [_at(machine, place, price) for place, price in enumerate([*flat, *up, *[100.0] * 60])]
    assert [score.recommendation for score in scores if score.recommendation is not HOLD] == [SELL]


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 299), factor=st.floats(0.2, 5.0))
def test_what_follows_changes_nothing_said_before(cut: int, factor: float) -> None:
    candles = recorded_candles()[:300]
    changed = tuple(
        candle if place < cut else msgspec.structs.replace(candle, close=candle.close * factor, high=candle.high * 9)
        for place, candle in enumerate(candles)
    )
    one, other = said(SignalMachine(only()), candles), said(SignalMachine(only()), changed)
    assert one[:cut] == other[:cut]


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 299), max_size=5))
def test_restarts_anywhere_change_no_word(cuts: list[int]) -> None:
    candles = recorded_candles()[:300]
    expected = said(SignalMachine(only()), candles)
    machine = SignalMachine(only())
    found: list[SignalScore] = []
    for place, candle in enumerate(candles):
        if place in cuts:
            cells = machine.checkpoint(everything=True)
            machine = SignalMachine(only())
            assert machine.restore(cells) == ()
        found += machine.on_candle(as_closed(candle))
    assert found == expected


def test_a_candle_seen_before_moves_nothing_and_says_nothing() -> None:
    machine = SignalMachine(only())
    said(machine, recorded_candles()[:50])
    cells = machine.checkpoint()
    assert said(machine, recorded_candles()[:50]) == []
    assert machine.checkpoint() == ()
    assert cells[0].table == SIGNAL_TABLE


def test_a_kept_state_of_other_parameters_is_not_taken() -> None:
    machine = SignalMachine(only())
    said(machine, recorded_candles()[:50])
    other = SignalMachine(only(parameters={"fast": 5}))
    assert other.restore(machine.checkpoint()) == ("s",)
    assert other.seen_until() == {("tBTCUSD", "1m"): -1}


def test_a_market_was_seen_as_far_as_its_slowest_strategy() -> None:
    one, two = StrategySettings(name="one", timeframe="1m"), StrategySettings(name="two", timeframe="1m")
    machine = SignalMachine(Settings(strategies=(one,)))
    candles = recorded_candles()[:50]
    said(machine, candles)
    cells = machine.checkpoint()
    assert seen_until(Settings(strategies=(one,)), cells) == {("tBTCUSD", "1m"): candles[-1].open_ms}
    assert seen_until(Settings(strategies=(one, two)), cells) == {("tBTCUSD", "1m"): -1}


def test_changed_settings_keep_what_did_not_change_and_warm_what_did() -> None:
    keep = StrategySettings(name="keep", timeframe="1m")
    quick = StrategySettings(name="quick", timeframe="1m", parameters={"fast": 3, "slow": 7})
    candles = recorded_candles()[:120]
    expected = said(SignalMachine(Settings(strategies=(keep, quick))), candles)
    machine = SignalMachine(Settings(strategies=(keep,)))
    said(machine, candles[:100])
    machine.on_settings(Settings(strategies=(keep, quick)), lambda symbol, timeframe: candles[:100])
    assert said(machine, candles[100:]) == expected[200:]
    machine.on_settings(Settings(strategies=(msgspec.structs.replace(keep, enabled=False), quick)))
    assert [score.strategy for score in said(machine, recorded_candles()[120:121])] == ["quick"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"kind": "magic"}, r"strategy kind must be one of .*ema_cross.*, was magic"),
        ({"parameters": {"speed": 3.0}}, "parameter of ema_cross must be one of atr, fast, slow, was speed"),
        ({"parameters": {"fast": 1.0}}, "ema_cross.fast must be from 2 to 500, was 1"),
        ({"parameters": {"fast": 2.5}}, "ema_cross.fast must be a whole number, was 2.5"),
        ({"parameters": {"fast": float("nan")}}, "ema_cross.fast must be from 2 to 500, was nan"),
        ({"parameters": {"fast": 26.0}}, r"ema_cross.fast must be below ema_cross.slow \(26\), was 26"),
    ],
)
def test_wrong_settings_are_refused_and_change_nothing(words: dict[str, object], text: str) -> None:
    machine = SignalMachine(only())
    said(machine, recorded_candles()[:30])
    before = machine.checkpoint(everything=True)
    with pytest.raises(ValueError, match=text):
        machine.on_settings(only(**words))
    assert machine.checkpoint(everything=True) == before


def test_names_must_differ() -> None:
    twin = StrategySettings(name="twin")
    with pytest.raises(ValueError, match="strategy names must be unique, was twin twice"):
        SignalMachine(Settings(strategies=(twin, twin)))


def test_shipped_kinds_are_known_by_their_own_names() -> None:
    assert {"ema_cross": EMA_CROSS}.items() <= STRATEGY_KINDS.items()
    for name, kind in STRATEGY_KINDS.items():
        assert kind.name == name
        assert kind.start(kind.resolve({}))
        assert all(parameter.meaning for parameter in kind.parameters)


def _at(machine: SignalMachine, place: int, price: float) -> SignalScore:
    candle = Candle(
        symbol=Symbol("tBTCUSD"),
        timeframe="1m",
        open_ms=place * 60_000,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=1.0,
    )
    (score,) = machine.on_candle(as_closed(candle))
    return score


def test_who_is_asked_for_long_says_after_each_answer_that_it_moves_on() -> None:
    """Three files that waited ten seconds each on one candle were taken for a hang: trading began anew, all of it."""
    asked: list[str] = []

    def step(state: list[float], candle: Candle) -> Opinion:
        asked.append("asked")
        return EMA_CROSS.step(state, candle)

    slow = attrs.evolve(
        EMA_CROSS, name="slow", numeric=None, describe=None, step=step, foreign=True, warm=lambda *_: False
    )
    names = [StrategySettings(name=f"s{number}", kind="slow", timeframe="1m") for number in range(3)]
    ours = StrategySettings(name="ours", timeframe="1m")
    machine = SignalMachine(Settings(strategies=(*names, ours)), {**STRATEGY_KINDS, "slow": slow})
    machine.moved = lambda: asked.append("moved")
    candles = recorded_candles()[:10]
    for running in machine.running.values():
        running.waits = running.kind.foreign
    machine.on_history(
        CandleHistory(symbol=Symbol("tBTCUSD"), timeframe="1m", candles=candles[:6], is_all=True, received_ns=0)
    )
    assert asked[-2:] == ["asked", "moved"]
    assert asked.count("moved") == 6 * 3
    asked.clear()
    machine.speak(as_closed(candles[7]))
    assert asked == ["asked", "moved"] * 3
