"""How many closed candles a strategy takes before it can say anything: found by trying, on a market that is made up.

Nobody has to declare it, so nobody can declare it wrongly; it hangs on the parameters. What is found is for people.
"""

from typing import Final

from genesis.domain.strategy import StrategyFault, StrategyKind
from protocols.market import Candle
from protocols.units import TIMEFRAME_MS, Symbol

MOST: Final = 20_000
"""One that is silent for longer is called so: 0 is what is told of it."""


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
