"""On which candles a world trades: drawn from its seed, by what people run overnight.

The engine comes with strategies on candles of 5 minutes and hears those of 1 and of 5: most worlds are like that, some
trade longer candles, some those of a minute, and some both at once. Whatever is measured in candles goes with them: the
market's swings, the moments around which faults are put, and how long a fault lies in wait for an order.
"""

import random
from typing import Final

import attrs

from protocols.settings import MarketSettings
from protocols.units import TIMEFRAME_MS

MINUTE: Final = "1m"
SHARES: Final = {MINUTE: 0.10, "1m+5m": 0.10, "5m": 0.70, "15m": 0.10}
"""How many worlds trade what. Two time frames are those of the two strategies of a pair."""
HEARS_MORE_SHARE: Final = 0.5
"""Of all worlds on longer candles: these hear what the engine hears as it is shipped, too."""
LEAST_CANDLES: Final = 4.0
"""A world trades nothing of which it would see fewer: one of a quarter of an hour trades candles of a minute."""
MOST_TIMES: Final = 5
"""What people and faults do by the candle lasts so many times as long at most as with candles of a minute: it would
outlast the market's calm end."""


@attrs.frozen
class Timeframes:
    """`name` is that of `SHARES`; `hears` are the candles that the engine subscribes to."""

    name: str
    hears: tuple[str, ...]

    @property
    def traded(self) -> tuple[str, str]:
        """Those of a pair's two strategies."""
        first, _, second = self.name.partition("+")
        return first, second or first

    @property
    def shortest_s(self) -> int:
        """Seconds between two decisions."""
        return min(TIMEFRAME_MS[each] for each in self.traded) // 1000

    @property
    def minutes(self) -> int:
        return self.shortest_s // 60

    @property
    def times(self) -> int:
        """By how much longer something lasts that is to meet a decision than with candles of a minute."""
        return min(self.minutes, MOST_TIMES)


def timeframes_of(chance: random.Random, hours: float, name: str = "") -> Timeframes:
    """What a world of so many hours trades; `name` is somebody's wish."""
    drawn = chance.choices(*zip(*_fitting(hours).items(), strict=True))[0]
    name = name or drawn
    more = MarketSettings().timeframes if chance.random() < HEARS_MORE_SHARE and not name.startswith(MINUTE) else ()
    wanted = {*Timeframes(name, ()).traded, *more}
    return Timeframes(name, tuple(sorted(wanted, key=TIMEFRAME_MS.__getitem__)))


def _fitting(hours: float) -> dict[str, float]:
    longest = hours * 3600_000 / LEAST_CANDLES
    fit = {name: share for name, share in SHARES.items() if TIMEFRAME_MS[name.rpartition("+")[2]] <= longest}
    return fit or {MINUTE: 1.0}
