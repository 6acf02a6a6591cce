"""What is said before its words are found: the same score in the end, whoever asks for them and when."""

import random

import msgspec
import pytest

from genesis.domain.decision_log import decision_line, record_lines
from genesis.domain.said import Said
from genesis.domain.signal_machine import SignalMachine
from genesis.domain.strategies import STRATEGY_KINDS
from protocols.settings import MemberSettings, Settings, StrategySettings
from protocols.signals import SignalScore
from protocols.units import Symbol
from tests.recorded_candles import as_closed, recorded_candles

SETTINGS = Settings(
    strategies=(
        *(
            StrategySettings(name=name, kind=name, symbol="tBTCUSD", timeframe="1m")
            for name, kind in sorted(STRATEGY_KINDS.items())
            if kind.numeric is not None
        ),
        StrategySettings(
            name="both", kind="ensemble", symbol="tBTCUSD", timeframe="1m",
            members=(MemberSettings(kind="ema_cross"), MemberSettings(kind="rsi_reversion")),
        ),
    )
)  # fmt: skip
CANDLES = [as_closed(candle) for candle in recorded_candles()[:400]]


def expected() -> list[SignalScore]:
    machine = SignalMachine(SETTINGS)
    return [score for closed in CANDLES for score in machine.on_candle(closed)]


@pytest.mark.parametrize("seed", range(4))
def test_words_are_the_same_whenever_they_are_found(seed: int) -> None:
    """At once, by the record, when the batch is done, or as late as the next candle finds them."""
    chance, machine, told = random.Random(seed), SignalMachine(SETTINGS), list[Said]()
    if seed % 2:
        machine.have_orders_wait()
        written = [running for running in machine.running.values() if running.kind.numeric is not None]
        assert written
        assert not any([running.numeric in (None, running.kind.numeric) for running in written])
    for closed in CANDLES:
        said = machine.speak(closed)
        told += said
        when = chance.randrange(4)
        for each in said if when == 0 else ():
            assert each.whole is each.whole
        for each in said if when == 1 else ():
            assert record_lines([each.record]) == [decision_line(each.whole)]
        if when == 2:
            machine.have_read()
    machine.have_read()
    assert len(told) == 2_000
    assert [each.whole for each in told] == expected()


def test_what_is_acted_on_is_known_without_the_words() -> None:
    machine = SignalMachine(SETTINGS)
    told = [each.score for closed in CANDLES for each in machine.speak(closed)]
    numbers = [_acted_on(score) for score in told]
    assert numbers == [_acted_on(score) for score in expected()]
    assert not any(score.reasons for score in told if score.strategy != "both")


def _acted_on(score: SignalScore) -> tuple[object, ...]:
    by = score.features.get("atr"), score.features.get("trust")
    return score.signal_id, score.recommendation, score.confidence, score.probability, score.price, score.decided_ms, by


def test_a_candle_seen_before_says_nothing_and_moves_nothing() -> None:
    machine, once = SignalMachine(SETTINGS), SignalMachine(SETTINGS)
    for closed in CANDLES[:100]:
        machine.speak(closed)
        once.on_candle(closed)
        assert machine.speak(closed) == []
        other = msgspec.structs.replace(closed.candle, symbol=Symbol("tETHUSD"))
        assert machine.speak(msgspec.structs.replace(closed, candle=other)) == []
    assert machine.states() == once.states()
