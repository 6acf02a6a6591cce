"""What candle streams of a recording say: one venue's candles of any time frame, closed by the live rule.

The backtester hears candles through the very `CandleStream` that the market cache uses, told by the same steps that the
simulator tells over the wire; so both see the same candles close at the same boundary.
"""

from collections.abc import Iterable, Sequence

import attrs

from genesis.domain.candles import CandleStream, bucket_open, merged
from genesis.domain.replay import CandleRow
from protocols.market import Candle, CandleClosed, CandleSnapshot, CandleUpdate
from protocols.units import Symbol

SNAPSHOT_CANDLES = 240
"""How many candles a subscription's snapshot tells."""


@attrs.define(kw_only=True)
class ReplayedStream:
    """One stream of a recording: minutes go in, closed candles of its time frame come out at boundaries."""

    symbol: Symbol
    timeframe: str
    stream: CandleStream
    _base: Candle | None = None

    def tell_history(self, rows: Sequence[CandleRow], now_ms: int) -> list[CandleClosed]:
        """The snapshot that a subscription at `now_ms` begins with."""
        candles: list[Candle] = []
        for row in rows:
            candle = self._grown(row)
            if candles and candles[-1].open_ms == candle.open_ms:
                candles[-1] = candle
            else:
                candles.append(candle)
            self._base = candle
        told = tuple(candles[-SNAPSHOT_CANDLES:])
        return self.stream.on_snapshot(
            CandleSnapshot(symbol=self.symbol, timeframe=self.timeframe, candles=told, venue_ms=now_ms, received_ns=0)
        )

    def on_minute(self, row: CandleRow, venue_ms: int) -> list[CandleClosed]:
        """The minute's last tick. (The three before it change nothing that a closed candle remembers.)"""
        self._base = self._grown(row)
        return self.stream.on_update(CandleUpdate(candle=self._base, venue_ms=venue_ms, received_ns=0))

    def on_boundary(self, venue_ms: int) -> list[CandleClosed]:
        return self.stream.on_beat(venue_ms, 0)

    def _grown(self, row: CandleRow) -> Candle:
        open_ms = bucket_open(row.open_ms, self.timeframe)
        minute = Candle(
            symbol=self.symbol,
            timeframe=self.timeframe,
            open_ms=open_ms,
            open=row.open,
            high=row.high,
            low=row.low,
            close=row.close,
            volume=row.volume,
        )
        if self._base is not None and self._base.open_ms == open_ms:
            return merged(self._base, minute)
        return minute


def replayed_streams(
    markets: Iterable[tuple[Symbol, str]], *, grace_ms: int, late_after_ms: int
) -> list[ReplayedStream]:
    """Streams for (symbol, time frame) pairs. They keep no history: a backtest looks at each candle once."""
    return [
        ReplayedStream(
            symbol=symbol,
            timeframe=timeframe,
            stream=CandleStream(
                symbol=symbol, timeframe=timeframe, grace_ms=grace_ms, late_after_ms=late_after_ms, history=1
            ),
        )
        for symbol, timeframe in markets
    ]
