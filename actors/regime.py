"""The regime actor: what kind of market each symbol is in, on every time frame that is kept.

It hears no messages: it looks at the candles that the market cache publishes, a few times a second, and takes in what
has closed since. Nobody waits for it and nothing is decided by what it publishes (a strategy that minds the regime
keeps its own, in its own state), so it keeps nothing: after a crash it warms up on the published candles again.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.latest import Latest
from genesis.domain.regime import RegimeWatch
from protocols.health import Notice
from protocols.market import Candle, CandleSeries, MarketView
from protocols.regime import RegimeChanged, RegimeName, RegimeSpell, RegimeView

LOOK_S: Final = 0.25
WARM_UP: Final = 1_500
"""Candles a market begins with: three times what the memory of usual volatility holds."""
AT_ONCE: Final = 250
"""Candles taken in between two turns of the loop: a few milliseconds."""


@attrs.define(kw_only=True)
class RegimeActor:
    market: Latest[MarketView]
    regimes: Latest[tuple[RegimeView, ...]]
    spells: Latest[Mapping[str, tuple[RegimeSpell, ...]]] = attrs.field(factory=lambda: Latest({}))
    """By `symbol:timeframe`: the stretches of each market, oldest first."""
    ui: Channel[Any] | None = None
    _watches: dict[str, RegimeWatch] = attrs.field(factory=dict, init=False)
    _changes: list[RegimeChanged] = attrs.field(factory=list, init=False)

    async def run(self, ctx: Context) -> None:
        ui = None if self.ui is None else ctx.outlet(self.ui)
        ctx.ready()
        look_at = ctx.clock.now()
        seen = -1
        while True:
            ctx.inbox.ack_all(await ctx.inbox.lease(until=look_at))
            now = ctx.clock.now()
            if now < look_at:
                continue
            more = self.market.version != seen
            if more:
                version = self.market.version
                more = self._look(self.market.value)
                seen = seen if more else version
            # What did not fit into this turn goes on in the next one, after everybody else had theirs.
            look_at = now if more else now + LOOK_S
            for change in self._changes:
                if ui is not None:
                    ui.put_nowait(change)
                    for notice in _notices(change, ctx.clock.wall_ms()):
                        ui.put_nowait(notice)
            self._changes.clear()

    def _look(self, view: MarketView) -> bool:
        """Take in what has closed; true when there is more than fits into one turn."""
        room, moved = AT_ONCE, False
        for key in self._watches.keys() - view.series.keys():
            del self._watches[key]
            moved = True
        for key, series in view.series.items():
            watch = self._watches.get(key)
            if watch is None:
                watch = self._watches[key] = RegimeWatch(series.symbol, series.timeframe)
            fresh = list(_fresh(series, watch.last_open_ms))
            if not fresh:
                continue
            before = watch.view()
            taken = fresh[:room]
            room -= len(taken)
            if not taken:
                break
            moved = True
            # Changes in the history that a market begins with are no news.
            if watch.hear(taken) and before.regime is not RegimeName.UNKNOWN and len(fresh) == 1:
                self._changes.append(RegimeChanged(before=before.regime, now=watch.view()))
        if moved:
            self.regimes.set(tuple(watch.view() for _, watch in sorted(self._watches.items())))
            self.spells.set({key: watch.spells() for key, watch in sorted(self._watches.items())})
        return room <= 0


def _fresh(series: CandleSeries, after_ms: int) -> Iterator[Candle]:
    candles = series.candles
    if not candles or candles[-1].open_ms <= after_ms:
        return
    first = max(0, len(candles) - WARM_UP)
    if after_ms >= candles[first].open_ms:
        # Few are new: looked for from the end.
        first = len(candles) - 1
        while first > 0 and candles[first - 1].open_ms > after_ms:
            first -= 1
    yield from candles[first:]


def _notices(change: RegimeChanged, at_ms: int) -> Iterator[Notice]:
    now = change.now
    if now.regime is RegimeName.CRASH or change.before is RegimeName.CRASH:
        level = "warning" if now.regime is RegimeName.CRASH else "info"
        text = f"{now.symbol} {now.timeframe}: {change.before.replace('_', ' ')} became {now.regime.replace('_', ' ')}"
        yield Notice(level=level, code="regime", text=f"{text}: {now.reason}", at_ms=at_ms)
