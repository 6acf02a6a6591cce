"""The shipped strategies: each does on plain charts what its sentence says, and contradictions are refused."""

import math

import pytest

from genesis.domain.regime import CRASH
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import Opinion, StrategyKind
from protocols.market import Candle
from protocols.signals import Recommendation
from protocols.units import Symbol
from tests.recorded_candles import recorded_candles

BUY, SELL = Recommendation.BUY, Recommendation.SELL


def chart(closes: list[float], *, width: float = 0.001) -> list[Candle]:
    candles = []
    before = closes[0]
    for place, close in enumerate(closes):
        candles.append(
            Candle(
                symbol=Symbol("tBTCUSD"),
                timeframe="1h",
                open_ms=place * 3_600_000,
                open=before,
                high=max(before, close) * (1 + width),
                low=min(before, close) * (1 - width),
                close=close,
                volume=1.0,
            )
        )
        before = close
    return candles


def said(kind: StrategyKind, candles: list[Candle], **parameters: float) -> list[Opinion]:
    state = kind.start(kind.resolve(parameters))
    return [kind.step(state, candle) for candle in candles]


def acts(opinions: list[Opinion]) -> list[tuple[int, Recommendation]]:
    return [(n, one.recommendation) for n, one in enumerate(opinions) if one.recommendation is not Recommendation.HOLD]


@pytest.mark.parametrize("name", sorted(STRATEGY_KINDS.shipped.keys() - {"ensemble"}))
def test_each_speaks_in_numbers_that_can_be_told(name: str) -> None:
    kind = STRATEGY_KINDS[name]
    assert kind.text
    opinions = said(kind, list(recorded_candles()))
    assert len(acts(opinions)) >= 4
    for opinion in opinions:
        assert 0.0 <= opinion.confidence <= 1.0
        assert 0.0 <= opinion.probability <= 1.0
        assert all(math.isfinite(number) for number in opinion.features.values())
        assert opinion.reasons


def test_reversion_buys_the_dip_and_sells_the_recovery() -> None:
    waves = [100 + 5 * math.sin(place / 8) for place in range(400)]
    told = acts(said(STRATEGY_KINDS["rsi_reversion"], chart(waves)))
    assert [one for _, one in told[:6]] == [BUY, SELL] * 3
    for place, recommendation in told:
        assert (waves[place] < waves[place - 1]) == (recommendation is BUY)


def test_a_breakout_is_one_of_the_bars_before() -> None:
    flat = [100.0 + (place % 2) * 0.1 for place in range(60)]
    opinions = said(STRATEGY_KINDS["donchian_breakout"], chart([*flat, 103.0, 103.1, 103.2, *[99.0] * 3]), entry=20)
    assert acts(opinions) == [(60, BUY), (63, SELL)]
    assert "103 is above the channel" in opinions[60].reasons[0]
    assert opinions[60].features["upper"] < 100.3


def test_the_ensemble_is_out_in_a_crash_and_says_what_kind_of_market_it_is() -> None:
    rise = [100 * 1.002**place + (place % 3) * 0.2 for place in range(300)]
    fall = [rise[-1] * 0.97**place for place in range(1, 12)]
    opinions = said(STRATEGY_KINDS["regime_ensemble"], chart([*rise, *fall], width=0.002))
    told = acts(opinions)
    assert told[0][1] is BUY
    assert told[-1][1] is SELL
    assert 300 <= told[-1][0] < 308
    assert opinions[-1].features["regime"] == CRASH
    assert "crash market" in opinions[-1].reasons[0]


@pytest.mark.parametrize(
    ("kind", "parameters", "told"),
    [
        ("rsi_reversion", {"buy_below": 60, "sell_above": 50}, "must be below sell_above"),
        ("regime_ensemble", {"trend": 0, "breakout": 0, "reversion": 0}, "at least one weight"),
        ("regime_ensemble", {"enter": 0.1, "leave": 0.2}, "leave must be below enter"),
        ("regime_ensemble", {"fast": 50, "slow": 20}, "fast must be below slow"),
    ],
)
def test_contradictions_are_refused(kind: str, parameters: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        said(STRATEGY_KINDS[kind], [], **parameters)
