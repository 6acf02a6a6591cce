"""Runs that begin with thousands of candles: both runners agree, and sets of a sweep each have their own beginning."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.warm_up import history_of, needs_of
from genesis.research.backtest import run_backtest
from genesis.research.bars import BarRecording
from genesis.research.fast import Prepared, run_fast, sweep
from protocols.settings import RiskSettings, Settings, StrategySettings
from tests.genesis.research.test_fast import FREE, WAYS, assert_same, ema
from tests.genesis.research.test_leaping import BTC, both
from tests.house import piece_of

RISKS = [
    FREE,
    msgspec.structs.replace(FREE, stop_atr=Decimal(2), target_atr=Decimal(3)),
    msgspec.structs.replace(FREE, atr_budget=Decimal("0.01"), breaker_volatility_ratio=Decimal("1.2")),
    msgspec.structs.replace(FREE, regime_high_fraction=Decimal("0.5"), regime_high_ratio=Decimal("1.1")),
]


@given(data=st.data())
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_fast_runner_begins_as_the_exact_one_does(data: st.DataObject) -> None:
    candles = piece_of("2018-02-crash", minutes=data.draw(st.integers(60, 600)), skip=data.draw(st.integers(0, 1500)))
    kind, periods = data.draw(
        st.sampled_from(
            [
                ("ema_cross", {"fast": 4, "slow": 260}),
                ("ema_cross", {"fast": 3, "slow": 500, "atr": 30}),
                ("ema_cross", {"fast": 3, "slow": 240}),
                ("donchian_breakout", {"entry": 300, "exit": 5}),
                ("rsi_reversion", {"period": 7, "atr": 300}),
            ]
        )
    )
    known = {parameter.name: parameter for parameter in STRATEGY_KINDS[kind].parameters}
    given_ = {name: float(value) for name, value in periods.items() if name in known and value <= known[name].high}
    frame = data.draw(st.sampled_from(["1m", "1m", "5m"]))
    strategy = StrategySettings(name="s", kind=kind, symbol=BTC, timeframe=frame, parameters=given_)
    settings = Settings(strategies=(strategy,), risk=data.draw(st.sampled_from(RISKS)))
    both(candles, settings)
    assert_same(candles, settings, None, data.draw(st.sampled_from(WAYS)))


@pytest.mark.parametrize("risk", RISKS)
def test_sets_of_one_sweep_begin_each_with_its_own_candles(risk: RiskSettings) -> None:
    candles = piece_of("2018-02-crash", minutes=500, skip=1200)
    bars = BarRecording.of(candles)
    prepared = Prepared.of(bars, ema(risk=risk))
    sets = [{"fast": 3.0, "slow": float(slow)} for slow in (300, 6, 241, 20, 500, 240, 9)]
    begins = [prepared.begins_with(prepared.kind.resolve(one)) for one in sets]
    assert begins == [1_000, 239, 1_000, 239, 1_000, 239, 239]
    heard: list[int] = []
    found = sweep(prepared, sets, on_done=heard.append)
    assert heard == list(range(1, 8))
    assert [result.parameters for result in found] == sets
    for result, given_ in zip(found, sets, strict=True):
        alone = run_fast(prepared, given_)
        assert (result.final_equity, result.trades) == (alone.final_equity, alone.trades)
        judge = run_backtest(candles, ema(BTC, "1m", risk, **given_))
        assert result.trades == judge.performance.trades
        assert result.final_equity == pytest.approx(float(judge.performance.final_equity), rel=1e-9)


@pytest.mark.parametrize("slow", [6, 26, 240, 241, 499, 500])
def test_what_a_sweep_takes_for_granted_is_what_a_trial_finds(slow: int) -> None:
    kind = STRATEGY_KINDS["ema_cross"]
    parameters = kind.resolve({"fast": 5.0, "slow": float(slow), "atr": 100.0})
    assert needs_of(kind, parameters, BTC, "1m") == slow


@pytest.mark.parametrize(
    ("needs", "count"),
    [(0, 240), (240, 240), (241, 1_000), (500, 1_000), (501, 5_000), (2_501, 20_000), (20_000, 20_000)],
)
def test_how_many_candles_it_begins_with(needs: int, count: int) -> None:
    assert history_of(needs) == count
