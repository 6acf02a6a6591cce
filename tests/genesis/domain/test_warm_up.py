"""How many candles a strategy needs is found by trying, and is what it really takes."""

import pytest

from genesis.domain.signal_machine import SignalMachine
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import StrategyKind
from genesis.domain.user_strategy import Declared, DeclaredIndicator, user_kind
from genesis.domain.warm_up import candles_needed
from protocols.settings import MemberSettings, Settings, StrategySettings
from tests.recorded_candles import as_closed, recorded_candles

CANDLES = [as_closed(candle) for candle in recorded_candles()[:300]]


def never(*_: object) -> object:
    raise AssertionError("the author's code must not be asked")


@pytest.mark.parametrize("kind", [kind for kind in STRATEGY_KINDS.shipped if kind != "ensemble"])
def test_it_is_what_a_shipped_one_takes_on_real_candles(kind: str) -> None:
    machine = SignalMachine(Settings(strategies=(StrategySettings(name="a", kind=kind, timeframe="1m"),)))
    view = machine.views()[0]
    assert (view.seen, view.needs > 1) == (0, True)
    told = [bool(score.features.keys() - {"atr"}) for closed in CANDLES for score in machine.on_candle(closed)]
    assert told.index(True) + 1 == view.needs
    assert machine.views()[0].seen == len(CANDLES)


def test_longer_candles_and_members_count() -> None:
    hours = DeclaredIndicator(name="trend", indicator="sma", timeframe="1h", parameters={"period": 3.0})
    kind: StrategyKind = user_kind("mine", 1, "mine.py", Declared(indicators=(hours,)), never)  # type: ignore[arg-type]
    state = kind.start({})
    before = list(state)
    # The made up market begins a minute after the full hour, whose candle begins with it.
    assert candles_needed(kind, state, "tBTCUSD", "1m") == 179
    assert [repr(one) for one in state] == [repr(one) for one in before]
    members = (MemberSettings(kind="ema_cross", parameters={"slow": 90}), MemberSettings(kind="rsi_reversion"))
    both = StrategySettings(name="a", kind="ensemble", timeframe="1m", members=members)
    assert SignalMachine(Settings(strategies=(both,))).views()[0].needs >= 90


def test_what_was_seen_outlives_a_restart() -> None:
    settings = Settings(strategies=(StrategySettings(name="a", timeframe="1m"),))
    first = SignalMachine(settings)
    for closed in CANDLES[:40]:
        first.on_candle(closed)
    second = SignalMachine(settings)
    second.restore(first.checkpoint(everything=True))
    assert second.views()[0].seen == 40
