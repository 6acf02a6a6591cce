"""What candle streams of a recording say: one venue's candles of any time frame, closed by the live rule.

The backtester hears candles through the very `CandleStream` that the market cache uses, told by the same steps that the
simulator tells over the wire; so both see the same candles close at the same boundary.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import attrs
import msgspec

from genesis.domain.candles import CandleStream, bucket_open, merged
from genesis.domain.replay import CandleRow
from genesis.domain.warm_up import SNAPSHOT_CANDLES
from protocols.market import Candle, CandleClosed, CandleHistory, CandleSnapshot, CandleUpdate
from protocols.units import Symbol

NOTHING: Final[list[CandleClosed]] = []
"""What nearly every minute closes: one list for all of them, never to be changed."""


@attrs.define(kw_only=True)
class ReplayedStream:
    """One stream of a recording: minutes go in, closed candles of its time frame come out at boundaries."""

    symbol: Symbol
    timeframe: str
    stream: CandleStream
    before: tuple[Candle, ...] = ()
    """Every candle that was closed when the replay began, those that a snapshot has no room for too; oldest first."""
    _base: Candle | None = None
    # The minutes since then: the candle that grows is told to the stream only when that can close something.
    _minutes: list[CandleRow] = attrs.field(factory=list)
    _told_ms: int = 0
    _end_ms: int = 0
    _closes_ms: float = math.inf

    def __attrs_post_init__(self) -> None:
        self._closes_ms = self.stream.closes_ms

    @property
    def begun(self) -> Candle | None:
        """The candle that history began and did not see closed."""
        return self._base if self._base is not None and self._base.open_ms > self.stream.told_until_ms else None

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
        if self._base is not None:
            self._end_ms = self._base.open_ms + self.stream.length_ms
        told = tuple(candles[-SNAPSHOT_CANDLES:])
        closed = self.stream.on_snapshot(
            CandleSnapshot(symbol=self.symbol, timeframe=self.timeframe, candles=told, venue_ms=now_ms, received_ns=0)
        )
        self.before = tuple(candle for candle in candles if candle.open_ms <= self.stream.told_until_ms)
        self._closes_ms = self.stream.closes_ms
        return closed

    def history(self, wanted: int) -> CandleHistory:
        """What the venue answers who asks for the `wanted` candles before the first replayed minute."""
        return CandleHistory(
            symbol=self.symbol,
            timeframe=self.timeframe,
            candles=self.before[-wanted:],
            is_all=len(self.before) < wanted,
            received_ns=0,
        )

    def on_minute(self, row: CandleRow, venue_ms: int) -> list[CandleClosed]:
        """The minute's last tick. (The three before it change nothing that a closed candle remembers.)"""
        closed: list[CandleClosed] = NOTHING
        if row.open_ms >= self._end_ms:
            closed = self._tell()
            open_ms = bucket_open(row.open_ms, self.timeframe)
            self._end_ms = open_ms + self.stream.length_ms
            self._closes_ms = min(self._closes_ms, self._end_ms + self.stream.grace_ms)
        self._minutes.append(row)
        self._told_ms = venue_ms
        if venue_ms < self._closes_ms:
            return closed
        return [*closed, *self._tell()]

    def on_boundary(self, venue_ms: int) -> list[CandleClosed]:
        if venue_ms < self._closes_ms:
            return NOTHING
        closed = [*self._tell(), *self.stream.on_beat(venue_ms, 0)]
        self._closes_ms = self.stream.closes_ms
        return closed

    def _tell(self) -> list[CandleClosed]:
        """The stream hears the candle as the last of its minutes left it."""
        if not self._minutes:
            return NOTHING
        base, rows = self._base, self._minutes
        if base is None or base.open_ms != self._end_ms - self.stream.length_ms:
            base = self._grown(rows[0])
            rows = rows[1:]
        if rows:
            # One sum in the order of the minutes: the volume is that of `merged`, to the last bit.
            volume = base.volume
            for row in rows:
                volume += row.volume
            base = msgspec.structs.replace(
                base,
                high=max(base.high, max(row.high for row in rows)),
                low=min(base.low, min(row.low for row in rows)),
                close=rows[-1].close,
                volume=volume,
            )
        self._base, self._minutes = base, []
        closed = self.stream.on_update(CandleUpdate(candle=base, venue_ms=self._told_ms, received_ns=0))
        self._closes_ms = self.stream.closes_ms
        return closed

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
