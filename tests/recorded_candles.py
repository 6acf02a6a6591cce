"""Real candles for tests: BTCUSD minutes of two crashes, with TA-Lib's indicator values beside them."""

import csv
import gzip
from functools import cache
from pathlib import Path

from protocols.market import Candle, CandleClosed
from protocols.units import TIMEFRAME_MS, Symbol

FOLDER = Path(__file__).parent / "recorded" / "indicators"
CRASH_2018 = "talib-BTCUSD-1m-2018-02-05"
CRASH_2015 = "talib-BTCUSD-1m-2015-08-18-crash"
RECORDINGS = (CRASH_2018, CRASH_2015)


@cache
def recorded_rows(name: str) -> tuple[dict[str, str], ...]:
    """The rows of one file as they stand, oldest first."""
    with gzip.open(FOLDER / f"{name}.csv.gz", "rt") as file:
        return tuple(csv.DictReader(file))


@cache
def recorded_candles(name: str = CRASH_2018, symbol: str = "tBTCUSD") -> tuple[Candle, ...]:
    return tuple(
        Candle(
            symbol=Symbol(symbol),
            timeframe="1m",
            open_ms=int(row["time"]),
            open=float(row["open"]),
            high=float(row["high"]),
            low=float(row["low"]),
            close=float(row["close"]),
            volume=float(row["volume"]),
        )
        for row in recorded_rows(name)
    )


def as_closed(candle: Candle, *, catch_up: bool = False, received_ns: int = 1) -> CandleClosed:
    return CandleClosed(
        candle=candle,
        closed_ms=candle.open_ms + TIMEFRAME_MS[candle.timeframe],
        catch_up=catch_up,
        correlation_id=f"{candle.symbol}:{candle.timeframe}:{candle.open_ms}",
        received_ns=received_ns,
    )
