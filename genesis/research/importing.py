"""Bars and trades from other people's files: which column is which, what the times mean, and what is wrong."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from genesis.domain.bars import COLUMNS, FAULTS, TIME, Table, first_faults, repaired
from genesis.edge.bar_files import TRADES, BarFiles, DataUnusable, Written, read_any
from protocols.bitfinex.symbols import is_trading_symbol
from protocols.units import TIMEFRAME_MS

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("time", "timestamp", "mts", "date", "datetime", "open_time", "opentime", "ts", "unix", "t", "open_ms"),
    "open": ("open", "o"),
    "close": ("close", "c"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "volume": ("volume", "vol", "v", "volume_base", "base_volume"),
    "id": ("id", "trade_id", "tid"),
    "amount": ("amount", "quantity", "qty", "size"),
    "price": ("price", "p"),
}
"""What each of our columns is called elsewhere; the first that is there counts."""
MAKER: Final = ("buyer_is_maker", "is_buyer_maker", "isbuyermaker")
FILE_NAME: Final = re.compile(r"^t?([A-Z0-9]{3,12}?)[-_/]?([A-Z]{3,5}|UST|USDT)[-_](\d{1,2}[mhDW]|trades)\b")


@attrs.frozen(kw_only=True)
class Imported:
    """What an import did. `repairs` counts, by fault, the rows that were mended or left out."""

    symbol: str
    timeframe: str
    rows: int
    first_ms: int
    last_ms: int
    written: Written
    repairs: dict[str, int]


def guess(path: Path) -> tuple[str, str] | None:
    """(symbol, time frame) of names like BTCUSD-1m-2018.csv.gz and BTCUSD-trades-2018-11-12.csv.gz."""
    matched = FILE_NAME.match(path.name)
    if matched is None:
        return None
    symbol = f"t{matched[1]}{matched[2]}"
    return (symbol, matched[3]) if is_trading_symbol(symbol) else None


def import_file(path: Path, files: BarFiles, symbol: str, timeframe: str, *, repair: bool = False) -> Imported:
    """Read a file, look at every row, and put it into the store. Nothing is written when a row is wrong.

    With `repair` rows are sorted, of equal times the last one stays, and rows that no market can have made are left
    out. Raises DataUnusable with the first fault of each kind and its line.
    """
    if not is_trading_symbol(symbol):
        raise DataUnusable(f"symbol must be a trading symbol as tBTCUSD, was {symbol}")
    if timeframe != TRADES and timeframe not in TIMEFRAME_MS:
        raise DataUnusable(f"time frame must be one of {', '.join(TIMEFRAME_MS)} or trades, was {timeframe}")
    found = read_any(path)
    if timeframe == TRADES:
        table = _trades(path, found)
        repairs: dict[str, int] = {}
    else:
        table, repairs = _bars(path, found, TIMEFRAME_MS[timeframe], repair)
    if not len(table):
        raise DataUnusable(f"{path} must have rows, had none that can be used")
    at = table[:, 1 if timeframe == TRADES else TIME]
    return Imported(
        symbol=symbol,
        timeframe=timeframe,
        rows=len(table),
        first_ms=int(at.min()),
        last_ms=int(at.max()),
        written=files.write(symbol, timeframe, table),
        repairs=repairs,
    )


def _bars(
    path: Path, found: Mapping[str, npt.NDArray[Any]], step_ms: int, repair: bool
) -> tuple[Table, dict[str, int]]:
    table = _table(path, found, COLUMNS)
    if repair:
        return repaired(table, step_ms)
    faults = [
        f"{FAULTS[name]}: {count} rows are not so, the first in line {place + 2}"
        for name, count, place in first_faults(table, step_ms)
    ]
    if faults:
        raise DataUnusable(f"{path}: " + "; ".join(faults) + "; --repair mends what can be mended")
    return table, {}


def _trades(path: Path, found: Mapping[str, npt.NDArray[Any]]) -> Table:
    table = _table(path, found, ("id", "time", "amount", "price"))
    lower = {name.lower(): name for name in found}
    maker = next((lower[name] for name in MAKER if name in lower), None)
    if maker is not None:
        sold = np.array([str(value).lower() in ("true", "1", "t") for value in found[maker].tolist()])
        # The buyer rested in the book, so the taker sold: below zero in the venue's way of telling.
        table[:, 2] = np.where(sold, -np.abs(table[:, 2]), np.abs(table[:, 2]))
    wrong = ~np.isfinite(table).all(axis=1) | (table[:, 3] <= 0.0) | (table[:, 2] == 0.0)
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise DataUnusable(
            f"{path}: price must be above zero and amount not zero: {int(wrong.sum())} rows are not so, "
            f"the first in line {place + 2}"
        )
    return table[np.argsort(table[:, 0], kind="stable")]


def _table(path: Path, found: Mapping[str, npt.NDArray[Any]], columns: Sequence[str]) -> Table:
    lower = {name.strip().lower(): name for name in found}
    chosen: list[npt.NDArray[np.float64]] = []
    missing = [column for column in columns if not any(name in lower for name in NAMES[column])]
    if missing:
        raise DataUnusable(
            f"{path}: columns must be {', '.join(columns)}; {', '.join(missing)} is missing, there are "
            f"{', '.join(list(found)[:20])}"
        )
    for column in columns:
        name = next(lower[each] for each in NAMES[column] if each in lower)
        values = found[name]
        if isinstance(values, np.ma.MaskedArray) and values.mask is not np.ma.nomask and values.mask.any():
            place = int(np.flatnonzero(values.mask)[0])
            raise DataUnusable(f"{path}: {column} must be given, was empty in line {place + 2}")
        chosen.append(_times(path, values) if column == "time" else _numbers(path, column, values))
    return np.column_stack(chosen) if chosen and len(chosen[0]) else np.empty((0, len(columns)))


def _numbers(path: Path, column: str, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(values).astype(np.float64)
    except (TypeError, ValueError):
        pass
    for place, value in enumerate(values.tolist()):
        try:
            float(value)
        except (TypeError, ValueError):
            text = str(value)[:30]
            raise DataUnusable(f"{path}: {column} must be a number, was {text!r} in line {place + 2}") from None
    raise DataUnusable(f"{path}: {column} must be numbers, was not")


def _times(path: Path, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Milliseconds UTC of seconds, milli-, micro- or nanoseconds, or of texts as 2018-02-05 12:00."""
    array = np.asarray(values)
    if array.dtype.kind == "M":
        return array.astype("datetime64[ms]").astype(np.int64).astype(np.float64)
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError):
        try:
            texts = [str(value).strip().removesuffix("Z").removesuffix("+00:00") for value in array.tolist()]
            return np.array(texts, dtype="datetime64[ms]").astype(np.int64).astype(np.float64)
        except ValueError as error:
            raise DataUnusable(f"{path}: time must be a number or a date as 2018-02-05 12:00: {error}") from None
    if not len(numbers):
        return numbers
    largest = float(np.nanmax(np.abs(numbers)))
    for limit, factor in ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3)):
        if largest < limit:
            return np.round(numbers * factor)
    return np.round(numbers * 1e-6)


def bars_of_trades(trades: Table, step_ms: int) -> Table:
    """Bars of trades in the order of their ids, as the venue makes them; a step without a trade has no bar.

    The first and the last step are left out: what came before and after is not known.
    """
    if len(trades) < 3:
        return np.empty((0, len(COLUMNS)))
    ordered = trades[np.argsort(trades[:, 0], kind="stable")]
    step = (ordered[:, 1] // step_ms) * step_ms
    # Ids ascend with time but for a few at the edge of a step: the step counts first.
    by_step = np.argsort(step, kind="stable")
    ordered, step = ordered[by_step], step[by_step]
    begins = np.flatnonzero(np.concatenate(([True], step[1:] != step[:-1])))
    ends = np.append(begins[1:], len(ordered)) - 1
    price = ordered[:, 3]
    return np.column_stack(
        (
            step[begins],
            price[begins],
            price[ends],
            np.maximum.reduceat(price, begins),
            np.minimum.reduceat(price, begins),
            # The venue has eight decimals; sums of floats have tails behind them.
            np.round(np.add.reduceat(np.abs(ordered[:, 2]), begins), 8),
        )
    )[1:-1]
