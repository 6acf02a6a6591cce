"""How many closed candles a strategy takes before it can say anything: found by trying, on a market that is made up.

Nobody has to declare it, so nobody can declare it wrongly; it hangs on the parameters. By it hangs how many candles of
the past a strategy begins with, the same live and in a backtest: what a subscription tells where that does, else the
first of `HISTORIES` that holds twice what it needs, so that averages which remember everything have settled.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from genesis.domain.strategy import StrategyFault, StrategyKind
from protocols.market import Candle
from protocols.units import TIMEFRAME_MS, Symbol

MOST: Final = 20_000
"""One that is silent for longer is called so: 0 is what is told of it."""
SNAPSHOT_CANDLES: Final = 240
"""How many candles a subscription's snapshot tells."""
HISTORIES: Final = (1_000, 5_000, 20_000)
"""Candles that strategies begin with which need more: few numbers, so that sets of a sweep share their beginnings."""


def history_of(needs: int) -> int:
    """How many closed candles a strategy begins with that `needs` so many."""
    if needs <= SNAPSHOT_CANDLES:
        return SNAPSHOT_CANDLES
    return next((count for count in HISTORIES if count >= 2 * needs), HISTORIES[-1])


def needs_of(kind: StrategyKind, parameters: Mapping[str, float], symbol: str, timeframe: str) -> int:
    """What a strategy with these checked parameters needs; 0 where that is not known. Tried once for each of ours."""
    if kind.fault:
        return 0
    if kind.foreign:
        # Not remembered: the file's next version is another kind, and this one would be kept alive.
        return candles_needed(kind, kind.start(parameters), symbol, timeframe)
    return _tried(kind, tuple(parameters.items()), symbol, timeframe)


@lru_cache(maxsize=256)
def _tried(kind: StrategyKind, parameters: tuple[tuple[str, float], ...], symbol: str, timeframe: str) -> int:
    return candles_needed(kind, kind.start(dict(parameters)), symbol, timeframe)


def candles_needed(kind: StrategyKind, state: list[float], symbol: str, timeframe: str) -> int:
    """The place of the first candle that a fresh `state` has an answer to, counted from 1; 0 when there is none.

    The state is not changed. A zigzag that never repeats makes every indicator move.
    """
    trial, length_ms = list(state), TIMEFRAME_MS[timeframe]
    price = 100.0
    for number in range(MOST):
        close = price * (1.0 + 0.001 * ((number * 7919) % 13 - 6))
        candle = Candle(
            symbol=Symbol(symbol),
            timeframe=timeframe,
            open_ms=(number + 1) * length_ms,
            open=price,
            high=max(price, close) * 1.0005,
            low=min(price, close) * 0.9995,
            close=close,
            volume=1.0 + number % 5,
        )
        price = close
        try:
            if kind.knows(trial, candle):
                return number + 1
        except StrategyFault:
            return 0
    return 0
