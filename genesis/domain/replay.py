"""The schedule of a candle recording: when what is told, in venue time.

Minute T of every symbol becomes, in this order: a BOUNDARY at T+1 s (the heartbeat by which candle T-1 is known to be
closed; decisions happen here), then four ticks: the open at T+2 s, the first extreme at T+17 s, the second at T+32 s,
the close at T+59 s. The first extreme is the low if the candle closed at or above its open. A minute without a row has
its boundary only. After the last minute one more boundary closes it. Steps of one time come in the order of symbols.

The simulator tells these steps over the wire and the backtester walks the same ones, so both see one market.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple

from protocols.units import Symbol

MINUTE_MS: Final = 60_000
BOUNDARY_MS: Final = 1_000
TICK_MS: Final = (2_000, 17_000, 32_000, 59_000)
"""When the four prices of a minute are traded."""


class CandleRow(NamedTuple):
    """One row of a recording, in the venue's own order: close before high."""

    open_ms: int
    open: float
    close: float
    high: float
    low: float
    volume: float


class StepKind(Enum):
    BOUNDARY = "boundary"
    TICK = "tick"


class Step(NamedTuple):
    """One thing that happens. `number` counts from 0; `row`, `part` (0 to 3) and `price` belong to ticks."""

    number: int
    kind: StepKind
    symbol: Symbol
    time_ms: int
    minute_ms: int
    price: float
    volume: float
    part: int
    row: CandleRow | None


def tick_prices(row: CandleRow, *, low_first: bool = False) -> tuple[float, float, float, float]:
    """The four prices of a candle in the order in which they are traded; `low_first` is the worst case of a long."""
    if low_first or row.close >= row.open:
        return row.open, row.low, row.high, row.close
    return row.open, row.high, row.low, row.close


def forming(row: CandleRow, part: int) -> CandleRow:
    """The candle as it stands after this tick (0 to 3); after the last one it is the row itself."""
    if part == 3:
        return row
    prices = tick_prices(row)[: part + 1]
    return CandleRow(row.open_ms, row.open, prices[-1], max(prices), min(prices), round(row.volume / 4 * (part + 1), 8))


def minutes(
    rows: Mapping[Symbol, Sequence[CandleRow]], *, first_ms: int | None = None, last_ms: int | None = None
) -> Iterator[tuple[int, tuple[CandleRow | None, ...]]]:
    """Every minute from the first row of any symbol to the last: (open_ms, the row of each symbol or None)."""
    starts = [series[0].open_ms for series in rows.values() if series]
    if not starts:
        return
    first = min(starts) if first_ms is None else first_ms
    last = max(series[-1].open_ms for series in rows.values() if series) if last_ms is None else last_ms
    places = [0] * len(rows)
    series_of = list(rows.values())
    for at in range(first, last + 1, MINUTE_MS):
        found: list[CandleRow | None] = []
        for number, series in enumerate(series_of):
            place = places[number]
            while place < len(series) and series[place].open_ms < at:
                place += 1
            if place < len(series) and series[place].open_ms == at:
                found.append(series[place])
                place += 1
            else:
                found.append(None)
            places[number] = place
        yield at, tuple(found)


def schedule(
    rows: Mapping[Symbol, Sequence[CandleRow]], *, first_ms: int | None = None, last_ms: int | None = None
) -> Iterator[Step]:
    """All steps of a recording. `rows` ascend in time; the order of the mapping is the order of the symbols."""
    symbols = tuple(rows)
    index = 0
    at: int | None = None
    for at, found in minutes(rows, first_ms=first_ms, last_ms=last_ms):
        for symbol in symbols:
            yield Step(index, StepKind.BOUNDARY, symbol, at + BOUNDARY_MS, at, 0.0, 0.0, 0, None)
            index += 1
        for step in ticks(symbols, at, found, first_number=index):
            yield step
            index += 1
    if at is not None:
        for symbol in symbols:
            closing = at + MINUTE_MS
            yield Step(index, StepKind.BOUNDARY, symbol, closing + BOUNDARY_MS, closing, 0.0, 0.0, 0, None)
            index += 1


def ticks(
    symbols: Sequence[Symbol],
    at: int,
    found: Sequence[CandleRow | None],
    *,
    first_number: int = 0,
    low_first: bool = False,
) -> Iterator[Step]:
    """The ticks of one minute. `found` has a row or None for each symbol."""
    number = first_number
    prices = [None if row is None else tick_prices(row, low_first=low_first) for row in found]
    for part, offset_ms in enumerate(TICK_MS):
        for symbol, row, path in zip(symbols, found, prices, strict=True):
            if row is not None and path is not None:
                time_ms = at + offset_ms
                yield Step(number, StepKind.TICK, symbol, time_ms, at, path[part], row.volume / 4, part, row)
                number += 1
