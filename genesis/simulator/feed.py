"""One pair's public market: its candles of every time frame, its last trades, its day."""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from genesis.domain.candles import bucket_open, merged
from genesis.domain.replay import MINUTE_MS, CandleRow
from protocols.bitfinex.numbers import js_numbers
from protocols.market import Candle
from protocols.units import Symbol

TIMEFRAMES: Final = ("1m", "5m", "15m", "30m", "1h", "3h", "4h", "6h", "12h", "1D", "1W", "14D", "1M")
SAME_TIMEFRAME: Final = {"7D": "1W"}
DAY_MINUTES: Final = 1440
KEPT_TRADES: Final = 10_000
KEPT_CANDLES: Final = 50_000
"""Of each time frame: a month of minutes. A relayed market goes on for months, and nobody asks for all of it here."""
KEPT_MINUTES: Final = 2 * 1440
"""Columns of the day's statistics."""
MINUTES_AHEAD: Final = 1440
"""Minutes of which no bigger candle has heard: most time frames are asked for by nobody, or once in a while."""
FOUR_HOURS_MS: Final = 4 * 3_600_000


def bucket_start(at_ms: int, timeframe: str) -> int:
    """Start of the candle that holds a moment, in any of the venue's time frames."""
    if timeframe == "4h":
        return at_ms - at_ms % FOUR_HOURS_MS
    if timeframe == "1M":
        day = datetime.fromtimestamp(at_ms / 1000, UTC)
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp() * 1000)
    return bucket_open(at_ms, timeframe)


class PublicTrade(NamedTuple):
    trade_id: int
    time_ms: int
    amount: float
    price: float

    def text(self) -> str:
        return f"[{self.trade_id},{self.time_ms},{js_numbers([self.amount, self.price])}]"


class Day(NamedTuple):
    """The last 24 hours."""

    open: float
    high: float
    low: float
    volume: float


def candle_text(candle: Candle) -> str:
    """A candle as the wire prints it: close before high."""
    numbers = js_numbers([candle.open, candle.close, candle.high, candle.low, candle.volume])
    return f"[{candle.open_ms},{numbers}]"


kept_candle_text = lru_cache(maxsize=4096)(candle_text)
"""For snapshots: each of the last candles is told anew to everybody who subscribes."""


class Feed:
    """Minutes come in, forming and final; bigger candles follow. `series` of a time frame ends with the running one.

    `whole`: the minutes are a part of somebody's; a bigger candle that began before them is not shown.
    """

    def __init__(self, symbol: Symbol, history: Iterable[CandleRow] = (), *, whole: bool = False) -> None:
        self.symbol = symbol
        self._whole = whole
        self._first_ms: int | None = None
        self.last: float | None = None
        self.trades: deque[PublicTrade] = deque(maxlen=KEPT_TRADES)
        self._minute: Candle | None = None
        self._series: dict[str, list[Candle]] = {timeframe: [] for timeframe in TIMEFRAMES}
        self._base: dict[str, Candle] = {}
        """Of each time frame: its candle as it stood when the last minute that it has heard of had ended."""
        self._ended: list[Candle] = []
        """Minutes that have ended, and of which not all time frames have heard; of which ones each has is `_heard`."""
        self._heard: dict[str, int] = dict.fromkeys(TIMEFRAMES, 0)
        self._day: Day | None = None
        self._summed: tuple[int, int, Day] | None = None
        """Of the columns: from which minute on and how many are in this day, which the next minute adds to."""
        self._opens_ms: list[int] = []
        self._opens: list[float] = []
        self._highs: list[float] = []
        self._lows: list[float] = []
        self._volumes: list[float] = []
        for row in history:
            self.on_minute(row)

    def on_minute(self, row: CandleRow) -> None:
        """A minute as it stands now: forming or final."""
        if self._first_ms is None:
            self._first_ms = row.open_ms
        if self._minute is not None and row.open_ms != self._minute.open_ms:
            self._ended.append(self._minute)
            if len(self._ended) >= MINUTES_AHEAD:
                for timeframe in TIMEFRAMES:
                    self._catch_up(timeframe)
                self._ended.clear()
                self._heard = dict.fromkeys(TIMEFRAMES, 0)
            self._remember(self._minute)
            self._day = None
        self._minute = Candle(
            symbol=self.symbol,
            timeframe="1m",
            open_ms=row.open_ms,
            open=row.open,
            high=row.high,
            low=row.low,
            close=row.close,
            volume=row.volume,
        )
        self.last = row.close

    def _remember(self, minute: Candle) -> None:
        # Columns, for the day's statistics: a maximum over floats costs a tenth of one over candles.
        self._opens_ms.append(minute.open_ms)
        self._opens.append(minute.open)
        self._highs.append(minute.high)
        self._lows.append(minute.low)
        self._volumes.append(minute.volume)
        if len(self._opens_ms) >= 2 * KEPT_MINUTES:
            for column in (self._opens_ms, self._opens, self._highs, self._lows, self._volumes):
                del column[:-KEPT_MINUTES]
            self._summed = None

    def on_trade(self, trade: PublicTrade) -> None:
        self.trades.append(trade)

    def on_print(self, trade: PublicTrade) -> None:
        """A trade that also makes the candles, where the recording has none."""
        self.on_trade(trade)
        open_ms = trade.time_ms - trade.time_ms % MINUTE_MS
        minute, price, size = self._minute, trade.price, abs(trade.amount)
        if minute is None or minute.open_ms < open_ms:
            self.on_minute(CandleRow(open_ms, price, price, price, price, size))
        elif minute.open_ms == open_ms:
            self.on_minute(
                CandleRow(
                    open_ms,
                    minute.open,
                    price,
                    max(minute.high, price),
                    min(minute.low, price),
                    round(minute.volume + size, 8),
                )
            )

    def _catch_up(self, timeframe: str) -> None:
        """Have a time frame hear of the minutes that have ended since it was asked for last."""
        ended, heard = self._ended, self._heard[timeframe]
        if heard < len(ended):
            for place in range(heard, len(ended)):
                self._base[timeframe] = self._put(timeframe, ended[place])
            self._heard[timeframe] = len(ended)

    def _touch(self, timeframe: str) -> Candle:
        assert self._minute is not None
        self._catch_up(timeframe)
        return self._put(timeframe, self._minute)

    def _put(self, timeframe: str, minute: Candle) -> Candle:
        open_ms = bucket_start(minute.open_ms, timeframe)
        base = self._base.get(timeframe)
        if base is not None and base.open_ms == open_ms:
            candle = merged(base, minute)
        else:
            candle = Candle(
                symbol=self.symbol,
                timeframe=timeframe,
                open_ms=open_ms,
                open=minute.open,
                high=minute.high,
                low=minute.low,
                close=minute.close,
                volume=minute.volume,
            )
        series = self._series[timeframe]
        if series and series[-1].open_ms == open_ms:
            series[-1] = candle
        else:
            series.append(candle)
            if len(series) >= 2 * KEPT_CANDLES:
                del series[:-KEPT_CANDLES]
        return candle

    def current(self, timeframe: str) -> Candle | None:
        """The running candle of a time frame (`7D` is `1W`)."""
        return None if self._minute is None else self._touch(SAME_TIMEFRAME.get(timeframe, timeframe))

    def candles(self, timeframe: str) -> Sequence[Candle]:
        """Oldest first, the running one last. Not to be changed."""
        known = SAME_TIMEFRAME.get(timeframe, timeframe)
        if self._minute is not None:
            self._touch(known)
        series = self._series[known]
        if self._whole and len(series) > 1 and self._first_ms is not None and series[0].open_ms < self._first_ms:
            del series[0]
        return series

    def begins_ms(self, timeframe: str) -> int:
        """Where the oldest candle of a time frame opens; 0 while there is none."""
        known = self.candles(timeframe)
        return known[0].open_ms if known else 0

    def day(self) -> Day | None:
        """Over the last 1,440 minutes that have a candle since 24 hours ago."""
        minute = self._minute
        if minute is None:
            return None
        if self._day is None:
            since_ms = minute.open_ms - (DAY_MINUTES - 1) * MINUTE_MS
            first = bisect_left(self._opens_ms, since_ms)
            if first < len(self._opens_ms):
                self._day = self._day_from(first)
            else:
                self._day = Day(minute.open, minute.high, minute.low, 0.0)
        day = self._day
        return Day(day.open, max(day.high, minute.high), min(day.low, minute.low), round(day.volume + minute.volume, 8))

    def _day_from(self, first: int) -> Day:
        """Of the minutes that have ended, from one on. Until there are more than a day's, each adds to those before."""
        if self._summed is not None and self._summed[0] == first:
            _, summed, day = self._summed
        else:
            summed, day = first, Day(self._opens[first], -math.inf, math.inf, 0.0)
        day = Day(
            day.open,
            max([day.high, *self._highs[summed:]]),
            min([day.low, *self._lows[summed:]]),
            sum(self._volumes[summed:], day.volume),
        )
        self._summed = (first, len(self._opens_ms), day)
        return day
