"""Recordings as columns: one array a price, so that years of minutes are neither a million objects nor read twice."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from genesis.domain.recording import CandleRecording
from genesis.domain.replay import MINUTE_MS, CandleRow
from genesis.domain.strategy_arrays import CandleArrays
from genesis.edge.bar_files import let_go
from protocols.market import Candle
from protocols.units import TIMEFRAME_MS, Symbol

Whole = npt.NDArray[np.int64]

STRETCH: Final = 65_536
"""Numbers that are looked at together, where a column has any number of them."""


@attrs.frozen(kw_only=True)
class BarRecording:
    """A candle recording as columns of one-minute bars, by symbol: what comes before `first_ms`, and what is replayed.

    Arrays may be memory-mapped; nothing here writes to them. Raises ValueError when a column has another length, or
    times do not ascend in whole minutes within `first_ms` to `last_ms`.
    """

    name: str
    history: Mapping[Symbol, CandleArrays]
    rows: Mapping[Symbol, CandleArrays]
    first_ms: int
    last_ms: int

    def __attrs_post_init__(self) -> None:
        for symbol, bars in self.rows.items():
            for name in ("open", "high", "low", "close", "volume"):
                if len(getattr(bars, name)) != len(bars):
                    raise ValueError(f"{symbol}.{name} must have {len(bars)} bars, had {len(getattr(bars, name))}")
            if not len(bars):
                continue
            times = bars.open_ms
            if not all(_are_whole_minutes(some, self.first_ms) for some in stretches(times, overlap=1)):
                raise ValueError(f"{symbol}: times must ascend in whole minutes from {self.first_ms}, did not")
            if times[0] < self.first_ms or times[-1] > self.last_ms:
                raise ValueError(f"{symbol}: times must be from {self.first_ms} to {self.last_ms}, were not")

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(self.rows)

    @classmethod
    def of(cls, recording: CandleRecording) -> "BarRecording":
        """Raises ValueError where rows do not stand on whole minutes of the replayed time."""
        return cls(
            name=recording.name,
            history={symbol: columns_of(rows) for symbol, rows in recording.history.items()},
            rows={symbol: columns_of(rows) for symbol, rows in recording.rows.items()},
            first_ms=recording.first_ms,
            last_ms=recording.last_ms,
        )

    @classmethod
    def of_regular(cls, recording: CandleRecording) -> "BarRecording | None":
        """The same, but None for rows that do not stand on whole minutes of the replayed time."""
        try:
            return cls.of(recording)
        except ValueError:
            return None

    def as_rows(self) -> CandleRecording:
        """The same as rows, for those who walk it minute by minute."""
        return CandleRecording(
            name=self.name,
            history={symbol: rows_of(bars) for symbol, bars in self.history.items()},
            rows={symbol: rows_of(bars) for symbol, bars in self.rows.items()},
            first_ms=self.first_ms,
            last_ms=self.last_ms,
        )


def stretches(column: npt.NDArray[Any], *, overlap: int = 0, blocks: int = 1) -> Iterator[Any]:
    """Views of a column, one stretch after another, each with the first `overlap` numbers of the next: so that what is
    worked out on the way lies near the processor, and years of it are never held at once, nor of a mapped file. A
    stretch begins where a block of so many numbers does."""
    length = max(STRETCH - STRETCH % blocks, blocks)
    for begin in range(0, len(column), length):
        some = column[begin : begin + length + overlap]
        yield some
        let_go(some)


def ascending(numbers: Whole) -> Whole:
    """Each of them once. numpy's `unique` does the same and loads all of `numpy.ma` for it, a tenth of a short run."""
    ordered = np.sort(numbers)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def rows_before(times: Whole, at_ms: Whole) -> Whole:
    """How many of these ascending minutes begin before each moment. Where none is missing nobody looks at them."""
    if len(times) and times[-1] - times[0] == (len(times) - 1) * MINUTE_MS:
        before: Whole = np.clip(-((times[0] - at_ms) // MINUTE_MS), 0, len(times))
        return before
    return np.searchsorted(times, at_ms)


def _are_whole_minutes(times: Whole, first_ms: int) -> bool:
    """Whether they ascend in whole minutes from `first_ms`."""
    return not (np.any((times - first_ms) % MINUTE_MS) or np.any(np.diff(times) <= 0))


def columns_of(rows: Sequence[CandleRow]) -> CandleArrays:
    # Asked for an array of tuples, numpy looks at every one as at a sequence of its own: seven times as long.
    numbers = np.fromiter(chain.from_iterable(rows), dtype=np.float64, count=len(CandleRow._fields) * len(rows))
    table = numbers.reshape(-1, len(CandleRow._fields)).T
    # Times up to 2**53 ms are whole in a float, which is 285,000 years.
    times = table[0].astype(np.int64)
    _, opens, closes, highs, lows, volumes = (np.ascontiguousarray(column) for column in table)
    return CandleArrays(open_ms=times, open=opens, high=highs, low=lows, close=closes, volume=volumes)


def rows_of(bars: CandleArrays) -> tuple[CandleRow, ...]:
    columns = (bars.open_ms, bars.open, bars.close, bars.high, bars.low, bars.volume)
    return tuple(map(CandleRow._make, zip(*(column.tolist() for column in columns), strict=True)))


def row_at(bars: CandleArrays, place: int) -> CandleRow:
    return CandleRow(
        int(bars.open_ms[place]),
        float(bars.open[place]),
        float(bars.close[place]),
        float(bars.high[place]),
        float(bars.low[place]),
        float(bars.volume[place]),
    )


def candle_at(candles: CandleArrays, place: int, symbol: Symbol, timeframe: str) -> Candle:
    return Candle(
        symbol=symbol,
        timeframe=timeframe,
        open_ms=int(candles.open_ms[place]),
        open=float(candles.open[place]),
        high=float(candles.high[place]),
        low=float(candles.low[place]),
        close=float(candles.close[place]),
        volume=float(candles.volume[place]),
    )


def in_time_frame(bars: CandleArrays, timeframe: str, *, begun: Candle | None = None) -> CandleArrays:
    """Bigger candles of minutes, the last one perhaps unfinished; `begun` is one that earlier minutes have begun.

    Bit for bit what the live path makes of the same minutes: volumes are added one by one, in their order.
    """
    length_ms = TIMEFRAME_MS[timeframe]
    offset_ms = 4 * TIMEFRAME_MS["1D"] if timeframe in ("1W", "14D") else 0
    if begun is not None:
        bars = CandleArrays(
            open_ms=np.concatenate([[begun.open_ms], bars.open_ms]),
            open=np.concatenate([[begun.open], bars.open]),
            high=np.concatenate([[begun.high], bars.high]),
            low=np.concatenate([[begun.low], bars.low]),
            close=np.concatenate([[begun.close], bars.close]),
            volume=np.concatenate([[begun.volume], bars.volume]),
        )
    if not len(bars) or length_ms == MINUTE_MS:
        return bars
    buckets = bars.open_ms - (bars.open_ms - offset_ms) % length_ms
    starts = np.flatnonzero(np.concatenate([[True], buckets[1:] != buckets[:-1]]))
    sizes = np.diff(np.concatenate([starts, [len(bars)]]))
    volume = bars.volume[starts].copy()
    for place in range(1, int(sizes.max())):
        longer = np.flatnonzero(sizes > place)
        volume[longer] += bars.volume[starts[longer] + place]
    return CandleArrays(
        open_ms=buckets[starts],
        open=bars.open[starts],
        high=np.maximum.reduceat(bars.high, starts),
        low=np.minimum.reduceat(bars.low, starts),
        close=bars.close[starts + sizes - 1],
        volume=volume,
    )


def part(candles: CandleArrays, begin: int, end: int) -> CandleArrays:
    """Views of some of the rows."""
    return CandleArrays(
        open_ms=candles.open_ms[begin:end],
        open=candles.open[begin:end],
        high=candles.high[begin:end],
        low=candles.low[begin:end],
        close=candles.close[begin:end],
        volume=candles.volume[begin:end],
    )
