"""Look-ahead: every planted cheater is caught, and what is shipped is clean."""

from collections.abc import Mapping

import numpy as np
import pytest

from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategy import Opinion, StrategyKind
from genesis.domain.strategy_arrays import CandleArrays, Floats
from genesis.research.bars import BarRecording, in_time_frame
from genesis.research.lookahead import check_backtest, check_batch, check_settings, check_strategy, cuts_of
from protocols.market import Candle
from protocols.settings import Settings, StrategySettings
from protocols.signals import Recommendation
from tests.genesis.research.test_leaping import BTC, recording

BARS = BarRecording.of(recording("2018-02-crash", 0, 700))
MINUTES = BARS.rows[BTC]


def shifted(values: Floats, by: int) -> Floats:
    return np.concatenate([values[by:], np.full(by, np.nan)])


def future_close(candles: CandleArrays) -> Floats:
    signs: Floats = np.sign(shifted(candles.close, 1) - candles.close)
    return signs


def centred_window(candles: CandleArrays) -> Floats:
    return np.convolve(candles.close, np.ones(5) / 5, mode="same")


def whole_series_normalisation(candles: CandleArrays) -> Floats:
    scaled: Floats = (candles.close - candles.close.mean()) / candles.close.std()
    return scaled


def forming_candle(candles: CandleArrays) -> Floats:
    """The close of the five-minute candle that each minute belongs to, known from its first minute on."""
    longer = in_time_frame(candles, "5m")
    closes: Floats = longer.close[np.searchsorted(longer.open_ms, candles.open_ms, side="right") - 1]
    return closes


def last_extreme(candles: CandleArrays) -> Floats:
    parts: Floats = candles.close / candles.close.max()
    return parts


@pytest.mark.parametrize(
    "cheater", [future_close, centred_window, whole_series_normalisation, forming_candle, last_extreme]
)
def test_functions_that_know_the_future_are_caught(cheater: object) -> None:
    found = check_batch(cheater, MINUTES, name="it")  # type: ignore[arg-type]
    assert found is not None
    assert str(found).startswith("it looks ahead: of candle ")
    assert found.candle < found.cut


def trailing_mean(candles: CandleArrays) -> Floats:
    padded = np.concatenate([np.full(4, np.nan), candles.close])
    means: Floats = np.lib.stride_tricks.sliding_window_view(padded, 5).mean(axis=1)
    return means


def closed_candle(candles: CandleArrays) -> Floats:
    """The close of the last five-minute candle that had ended when each minute ended."""
    longer = in_time_frame(candles, "5m")
    ended = np.searchsorted(longer.open_ms + 300_000, candles.open_ms + 60_000, side="right") - 1
    return np.where(ended >= 0, longer.close[np.maximum(ended, 0)], np.nan)


@pytest.mark.parametrize("honest", [trailing_mean, closed_candle])
def test_functions_that_know_only_the_past_are_clean(honest: object) -> None:
    assert check_batch(honest, MINUTES) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(STRATEGY_KINDS.keys() - {"ensemble"}))
def test_shipped_strategies_are_clean(name: str) -> None:
    strategy = StrategySettings(name="s", kind=name, symbol=BTC, timeframe="1m")
    assert check_strategy(strategy, MINUTES, count=3) is None


class Remembers:
    """A strategy that keeps, outside its state, what it saw in earlier runs, and looks its next candle up there."""

    def __init__(self) -> None:
        self.seen: dict[int, float] = {}

    def start(self, parameters: Mapping[str, float]) -> list[float]:
        return [0.0]

    def step(self, state: list[float], candle: Candle) -> Opinion:
        following = self.seen.get(candle.open_ms + 60_000)
        self.seen[candle.open_ms] = candle.close
        rises = following is not None and following > candle.close
        return Opinion(
            recommendation=Recommendation.BUY if rises else Recommendation.HOLD,
            confidence=0.5,
            probability=0.5,
            features={},
            reasons=(),
        )


class Scales(Remembers):
    """One that scales by the highest price of all runs so far."""

    def step(self, state: list[float], candle: Candle) -> Opinion:
        self.seen[0] = max(self.seen.get(0, 0.0), candle.close)
        return Opinion(
            recommendation=Recommendation.HOLD,
            confidence=candle.close / self.seen[0],
            probability=0.5,
            features={},
            reasons=(),
        )


@pytest.mark.parametrize("author", [Remembers, Scales])
def test_a_strategy_with_a_memory_of_earlier_runs_is_caught(author: type[Remembers]) -> None:
    cheater = author()
    kind = StrategyKind(name="cheat", version=1, parameters=(), start=cheater.start, step=cheater.step)
    found = check_strategy(
        StrategySettings(name="c", kind="cheat", symbol=BTC, timeframe="1m"), MINUTES, kinds={"cheat": kind}
    )
    assert found is not None
    assert "strategy c (cheat) looks ahead" in str(found)


def test_every_strategy_of_the_settings_is_looked_at() -> None:
    settings = Settings(
        strategies=(
            StrategySettings(name="a", symbol=BTC, timeframe="5m"),
            StrategySettings(name="off", symbol=BTC, timeframe="5m", enabled=False),
        )
    )
    assert list(check_settings(BARS, settings, count=2)) == [("a", None)]


def test_a_backtest_decides_nothing_by_what_follows() -> None:
    settings = Settings(
        strategies=(StrategySettings(name="a", symbol=BTC, timeframe="1m", parameters={"fast": 3, "slow": 9}),)
    )
    assert check_backtest(BARS, settings) is None


def test_cuts_are_inside_and_differ() -> None:
    assert cuts_of(0) == cuts_of(1) == []
    for size in (2, 3, 10, 5000):
        cuts = cuts_of(size)
        assert cuts
        assert all(0 < cut < size for cut in cuts)


def test_another_number_of_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="must give one row a candle"):
        check_batch(lambda candles: candles.close[1:], MINUTES)
    with pytest.raises(ValueError, match="strategy kind must be one of"):
        check_strategy(StrategySettings(name="x", kind="magic"), MINUTES)
