"""Prices of watched markets of which no strategy speaks: what risk must know to judge a person's order in them.

Risk hears of a market by the scores of its strategies. Where none speaks (none is enabled there, it failed, it is not
warm yet), the account tells the close of the newest candle with its state. What a strategy does speak of is left to its
scores, so that its decisions rest on them alone, live as in a backtest.
"""

from collections.abc import Iterable

import attrs

from protocols.market import CandleClosed
from protocols.risk import MarketPrice
from protocols.settings import Settings
from protocols.signals import StrategyView
from protocols.units import TIMEFRAME_MS, exact


@attrs.define
class MarketPrices:
    """The newest close of every watched market."""

    _newest: dict[str, MarketPrice] = attrs.field(factory=dict, init=False)

    def on_candle(self, closed: CandleClosed) -> bool:
        """Whether that is news. Of candles that end together the shortest tells when the next one is due."""
        candle = closed.candle
        at_ms = closed.closed_ms
        told = MarketPrice(
            symbol=candle.symbol,
            price=exact(candle.close),
            at_ms=at_ms,
            due_ms=at_ms + TIMEFRAME_MS.get(candle.timeframe, 0),
        )
        known = self._newest.get(candle.symbol)
        if known is not None and (at_ms, -told.due_ms) <= (known.at_ms, -known.due_ms):
            return False
        self._newest[candle.symbol] = told
        return True

    def unspoken(self, settings: Settings, strategies: Iterable[StrategyView]) -> tuple[MarketPrice, ...]:
        """Those of the watched symbols of which no strategy speaks now, as far as the views of `strategies` tell."""
        silent = {each.strategy for each in strategies if not _speaks(each)}
        spoken = {each.symbol for each in settings.strategies if each.enabled and each.name not in silent}
        watched = sorted(set(settings.market.symbols) - spoken)
        return tuple(self._newest[symbol] for symbol in watched if symbol in self._newest)


def _speaks(strategy: StrategyView) -> bool:
    # How many candles the user's own kinds need is known to their process alone: 0.
    return not strategy.fault and not strategy.waits and strategy.seen >= strategy.needs
