"""Bars on disk: Parquet files by symbol, time frame and month, read and written through DuckDB, numbers in and out.

A month is one file that is replaced whole, so many processes may read while one writes. For sweeps a series is kept as
a memory-mapped array as well, which is made anew when its months have changed. What the numbers mean is said elsewhere.
"""

import contextlib
import errno
import gzip
import hashlib
import json
import mmap
import os
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from genesis.edge.file_lock import FileLock
from genesis.edge.kept_file import KeptFile
from genesis.edge.store_errors import StoreLocked, StoreUnusable

BARS: Final = "bars"
TRADES: Final = "trades"
CACHE: Final = "arrays"
COVERED: Final = "covered.json"
BAR_COLUMNS: Final = ("time", "open", "close", "high", "low", "volume")
TRADE_COLUMNS: Final = ("id", "time", "amount", "price")
LAYOUT: Final = b"columns, then times as whole numbers\n"
"""What lies in a mapped array; of another layout it is another file."""
FOLDER_MODE: Final = 0o700
ATTEMPTS: Final = 3
"""How often a series is read anew because somebody wrote to it meanwhile."""
LONGEST_HEAD: Final = 10_000

Table = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


class DataUnusable(Exception):
    """A file of the data store cannot be read or written; the text names it and says why."""


@attrs.frozen
class Series:
    """One symbol's bars of one time frame (or its trades), with what lies on disk of it."""

    symbol: str
    timeframe: str
    months: tuple[str, ...]
    bytes: int


@attrs.frozen
class Written:
    """What a write changed: rows that were new, that had other numbers before, and that were there already."""

    added: int = 0
    changed: int = 0
    same: int = 0

    def __add__(self, other: "Written") -> "Written":
        return Written(self.added + other.added, self.changed + other.changed, self.same + other.same)


def month_of(at_ms: float) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m}"


@attrs.frozen
class BarFiles:
    """All bars and trades below `root`. All of this blocks."""

    root: Path

    def folder(self, symbol: str, timeframe: str) -> Path:
        kind = TRADES if timeframe == TRADES else BARS
        return self.root / kind / symbol if kind == TRADES else self.root / kind / symbol / timeframe

    def months(self, symbol: str, timeframe: str) -> list[Path]:
        """The files of a series, oldest first."""
        return sorted(self.folder(symbol, timeframe).glob("*.parquet"))

    def series(self) -> list[Series]:
        """Everything there is, by name."""
        found = []
        for path in sorted((self.root / BARS).glob("*/*")):
            found.append(self._series(path.parent.name, path.name))
        for path in sorted((self.root / TRADES).glob("*")):
            found.append(self._series(path.name, TRADES))
        return [one for one in found if one.months]

    def _series(self, symbol: str, timeframe: str) -> Series:
        files = self.months(symbol, timeframe)
        size = sum(path.stat().st_size for path in files)
        return Series(symbol, timeframe, tuple(path.stem for path in files), size)

    def write(self, symbol: str, timeframe: str, table: Table) -> Written:
        """Put rows in: of equal keys (time; of trades the id) the new one stays. Raises DataUnusable."""
        columns, key = (TRADE_COLUMNS, 0) if timeframe == TRADES else (BAR_COLUMNS, 0)
        if table.ndim != 2 or table.shape[1] != len(columns):
            raise ValueError(f"table must have {len(columns)} columns, had shape {table.shape}")
        folder = self.folder(symbol, timeframe)
        done = Written()
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            with self._held(folder):
                for month, part in _by_month(table, columns.index("time")):
                    done += self._write_month(folder / f"{month}.parquet", part, columns, key)
        except OSError as error:
            raise DataUnusable(f"{folder} must be writable, was not: {error.strerror}") from None
        return done

    @contextlib.contextmanager
    def _held(self, folder: Path) -> Iterator[None]:
        try:
            lock = FileLock(folder / ".lock")
        except StoreLocked as error:
            raise DataUnusable(f"{folder} is being written by process {error.pid}") from None
        except StoreUnusable as error:
            raise DataUnusable(str(error)) from None
        try:
            yield
        finally:
            lock.release()

    def _write_month(self, path: Path, part: Table, columns: Sequence[str], key: int) -> Written:
        before = self._read([path], columns) if path.is_file() else np.empty((0, len(columns)))
        whole = np.concatenate((before, part))
        order = np.argsort(whole[:, key], kind="stable")
        whole = whole[order]
        last = np.concatenate((whole[1:, key] != whole[:-1, key], [True])) if len(whole) else np.zeros(0, dtype=bool)
        whole = whole[last]
        known = np.isin(part[:, key], before[:, key])
        changed = 0
        if known.any():
            at = np.searchsorted(before[:, key], part[known, key])
            changed = int((before[at] != part[known]).any(axis=1).sum())
        added = len(whole) - len(before)
        if added or changed:
            self._replace(path, whole, columns)
        return Written(added, changed, int(known.sum()) - changed)

    def _replace(self, path: Path, table: Table, columns: Sequence[str]) -> None:
        fresh = path.with_suffix(".new")
        rows = {name: _column(table[:, place], name) for place, name in enumerate(columns)}
        with _duck() as duck:
            duck.register("rows", rows)
            duck.execute(
                f"COPY (SELECT {', '.join(columns)} FROM rows) TO '{_quoted(fresh)}' "  # noqa: S608 - own names
                "(FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2)"
            )
        with open(fresh, "rb") as file:
            os.fsync(file.fileno())
        os.replace(fresh, path)

    def read(self, symbol: str, timeframe: str, start_ms: int | None = None, end_ms: int | None = None) -> Table:
        """Rows with a time in [start, end), ascending; an empty table when there are none. Raises DataUnusable."""
        columns = TRADE_COLUMNS if timeframe == TRADES else BAR_COLUMNS
        first = "" if start_ms is None else month_of(start_ms)
        last = "9999" if end_ms is None else month_of(end_ms - 1)
        files = [path for path in self.months(symbol, timeframe) if first <= path.stem <= last]
        if not files:
            return np.empty((0, len(columns)))
        table = self._read(files, columns)
        at = table[:, columns.index("time")]
        low = 0 if start_ms is None else int(np.searchsorted(at, start_ms, side="left"))
        high = len(at) if end_ms is None else int(np.searchsorted(at, end_ms, side="left"))
        return table[low:high]

    def _read(self, files: Sequence[Path], columns: Sequence[str]) -> Table:
        """The rows of some months, oldest first; each column lies in one piece."""
        for _ in range(ATTEMPTS):
            table = np.empty((len(columns), self._rows(files)))
            begin = 0
            for month in self._each(files, columns):
                end = begin + len(month[0])
                if end > table.shape[1]:
                    break
                for place, column in enumerate(month):
                    table[place, begin:end] = column
                begin = end
            else:
                if begin == table.shape[1]:
                    return table.T
        raise DataUnusable(f"{files[0].parent} is written to so often that it cannot be read")

    def _each(self, files: Sequence[Path], columns: Sequence[str]) -> Iterator[list[npt.NDArray[Any]]]:
        """The columns of one month after another: what the reader holds is small, however many years there are."""
        with _duck() as duck:
            for path in files:
                try:
                    found = duck.execute(
                        f"SELECT {', '.join(columns)} FROM read_parquet('{_quoted(path)}') "  # noqa: S608
                        f"ORDER BY {columns[0]}"
                    ).fetchnumpy()
                except Exception as error:
                    raise DataUnusable(f"{path.parent}: must be Parquet, was not: {_first_line(error)}") from None
                yield [np.asarray(found[name]) for name in columns]

    def span(self, symbol: str, timeframe: str) -> tuple[int, int, int] | None:
        """(first time, last time, rows) of a series, from its files' own statistics; None when there is none."""
        files = self.months(symbol, timeframe)
        if not files:
            return None
        first, last, rows = self._told(files, "min(time), max(time), count(*)")
        return None if rows == 0 else (int(first), int(last), int(rows))

    def _told(self, files: Sequence[Path], what: str) -> tuple[Any, ...]:
        """What months together say of themselves, by their files' own statistics."""
        names = ", ".join(f"'{_quoted(path)}'" for path in files)
        with _duck() as duck:
            try:
                row = duck.execute(f"SELECT {what} FROM read_parquet([{names}])").fetchone()  # noqa: S608
            except Exception as error:
                raise DataUnusable(f"{files[0].parent}: must be Parquet, was not: {_first_line(error)}") from None
        return tuple(row)

    def _rows(self, files: Sequence[Path]) -> int:
        return int(self._told(files, "count(*)")[0])

    def array(self, symbol: str, timeframe: str) -> Table:
        """The whole series as a memory-mapped array of (columns, rows): each column lies in one piece.

        It is made at the first call and again when a month has changed; the pages are shared by all processes.
        Raises DataUnusable when there is no such series, OSError where it cannot be kept.
        """
        return self._arrays(symbol, timeframe)[0]

    def _arrays(self, symbol: str, timeframe: str) -> tuple[Table, Whole]:
        """The mapped array, and its times as whole numbers, mapped as well."""
        files = self.months(symbol, timeframe)
        if not files:
            raise DataUnusable(f"{symbol}:{timeframe} must be in the data store, was not")
        stamp = hashlib.sha256(LAYOUT)
        for path in files:
            facts = path.stat()
            stamp.update(f"{path.name} {facts.st_size} {facts.st_mtime_ns}\n".encode())
        kept = self.root / CACHE / f"{symbol}-{timeframe}-{stamp.hexdigest()[:16]}.npy"
        if not kept.is_file():
            kept.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            fresh = kept.with_name(f"{kept.name}.{os.getpid()}.new")
            try:
                self._write_array(fresh, files, self._rows(files))
                os.replace(fresh, kept)
            finally:
                fresh.unlink(missing_ok=True)
            for old in kept.parent.glob(f"{symbol}-{timeframe}-*.npy"):
                if old != kept:
                    with contextlib.suppress(FileNotFoundError):
                        old.unlink()
        whole: Table = np.load(kept, mmap_mode="r")
        return whole[:-1], whole[-1].view(np.int64)

    def _write_array(self, path: Path, files: Sequence[Path], rows: int) -> None:
        """Write the columns of these months, and below them the bits of the times as whole numbers. Raises OSError.

        Written, not mapped: on a full disk a mapped file ends the process.
        """
        with open(path, "wb") as file:
            shape = (len(BAR_COLUMNS) + 1, rows)
            np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
            first, begin = file.tell(), 0
            for month in self._each(files, BAR_COLUMNS):
                times = np.ascontiguousarray(month[0], dtype=np.int64).view(np.float64)
                for place, column in enumerate([*month, times]):
                    file.seek(first + 8 * (place * rows + begin))
                    file.write(np.ascontiguousarray(column, dtype=np.float64).data)
                begin += len(times)
            if begin != rows:
                raise OSError(errno.ESTALE, "the data changed while it was read")

    def mapped(
        self, symbol: str, timeframe: str, start_ms: int | None = None, end_ms: int | None = None
    ) -> tuple[Table, Whole]:
        """The same rows as `read` gives, and their times as whole numbers, as views of mapped arrays; read, where there
        is no room on the disk for those."""
        if not self.months(symbol, timeframe):
            return np.empty((0, len(BAR_COLUMNS))), np.empty(0, dtype=np.int64)
        try:
            whole, times = self._arrays(symbol, timeframe)
        except OSError:
            table = self.read(symbol, timeframe, start_ms, end_ms)
            return table, table[:, 0].astype(np.int64)
        low = 0 if start_ms is None else int(np.searchsorted(times, start_ms, side="left"))
        high = len(times) if end_ms is None else int(np.searchsorted(times, end_ms, side="left"))
        return whole[:, low:high].T, times[low:high]

    def covered(self, symbol: str, timeframe: str) -> list[tuple[int, int]]:
        """The ranges [start, end) of which everything the venue has was asked for, ascending."""
        try:
            told = json.loads((self.folder(symbol, timeframe) / COVERED).read_bytes())
            return [(int(start), int(end)) for start, end in told]
        except (OSError, ValueError, TypeError):
            # What cannot be read is asked for again.
            return []

    def cover(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> None:
        """Note that a range was asked for whole. Raises OSError."""
        if end_ms <= start_ms:
            return
        merged: list[tuple[int, int]] = []
        for start, end in sorted([*self.covered(symbol, timeframe), (start_ms, end_ms)]):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        folder = self.folder(symbol, timeframe)
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        KeptFile(folder / COVERED).replace(json.dumps(merged).encode())

    def open_ranges(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        """What of [start, end) was not asked for yet, ascending."""
        found: list[tuple[int, int]] = []
        at = start_ms
        for start, end in self.covered(symbol, timeframe):
            if end <= at or start >= end_ms:
                continue
            if start > at:
                found.append((at, start))
            at = max(at, end)
        if at < end_ms:
            found.append((at, end_ms))
        return found

    def remove(self, symbol: str, timeframe: str) -> int:
        """Delete a series; gives how many files that were."""
        files = self.months(symbol, timeframe)
        for path in (*files, self.folder(symbol, timeframe) / COVERED):
            path.unlink(missing_ok=True)
        return len(files)


def read_any(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The columns of a CSV (packed or not) or Parquet file, by name; those of a CSV as text. Raises DataUnusable."""
    name = path.name.lower()
    if not path.is_file():
        raise DataUnusable(f"{path} must be a file, was not")
    if name.endswith(".parquet"):
        source = f"read_parquet('{_quoted(path)}')"
    elif name.endswith((".csv", ".csv.gz", ".csv.zst", ".txt", ".tsv")):
        source = _csv(path)
    else:
        raise DataUnusable(f"{path} must end in .csv, .csv.gz or .parquet")
    with _duck() as duck:
        try:
            found: dict[str, npt.NDArray[Any]] = duck.execute(f"SELECT * FROM {source}").fetchnumpy()  # noqa: S608
        except Exception as error:
            raise DataUnusable(f"{path} cannot be read: {_first_line(error)}") from None
    return found


def _csv(path: Path) -> str:
    """How DuckDB shall read a CSV: by its own header and separator, without guessing at what it means."""
    try:
        with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else open(path, "rb") as file:
            head = file.readline(LONGEST_HEAD).decode("utf-8-sig").strip("\r\n")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DataUnusable(f"{path} cannot be read: {error}") from None
    delimiter = max(",;\t", key=head.count)
    names = [name.strip().strip('"') for name in head.split(delimiter)]
    if len(set(names)) != len(names) or not all(names):
        raise DataUnusable(f"{path}: the first line must name each column once, was {head[:100]!r}")
    columns = ", ".join(f"'{name.replace(chr(39), chr(39) * 2)}': 'VARCHAR'" for name in names)
    options = f"delim='{delimiter}', quote='\"', columns={{{columns}}}, header=true, auto_detect=false"
    return f"read_csv('{_quoted(path)}', {options}, ignore_errors=false, null_padding=false, strict_mode=true)"


@contextlib.contextmanager
def _duck() -> Iterator[Any]:
    import duckdb

    with contextlib.closing(duckdb.connect(":memory:", config={"threads": 1})) as connection:
        connection.execute("SET enable_progress_bar = false")
        yield connection


def _column(values: Table, name: str) -> npt.NDArray[Any]:
    whole = name in ("time", "id")
    return np.ascontiguousarray(values.astype(np.int64) if whole else values)


def _by_month(table: Table, column: int) -> Iterator[tuple[str, Table]]:
    if not len(table):
        return
    months = table[:, column].astype(np.int64).astype("datetime64[ms]").astype("datetime64[M]")
    for month in np.unique(months):
        yield str(month), table[months == month]


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]


def let_go(array: npt.NDArray[Any]) -> None:
    """Nobody looks at a part of a mapped array for now: its pages are no longer this process's. They are still the
    file's, and come back when somebody looks. Of any other array nothing changes."""
    mapped: Any = array
    while mapped is not None and not isinstance(mapped, mmap.mmap):
        mapped = getattr(mapped, "base", None)
    if mapped is None or not array.size:
        return
    whole = np.frombuffer(mapped, dtype=np.uint8)
    begin, end = (edge - whole.ctypes.data for edge in np.lib.array_utils.byte_bounds(array))
    begin -= begin % mmap.PAGESIZE
    mapped.madvise(mmap.MADV_DONTNEED, begin, min(end, len(mapped)) - begin)
