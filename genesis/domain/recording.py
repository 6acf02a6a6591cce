"""Recordings as text: candle rows with their manifest, and raw wire frames. Every fault is told with its line.

A candle recording is a folder with `manifest.json` and one `csv.gz` a symbol with the venue's own columns
`time,open,close,high,low,volume`, times in ms UTC on whole minutes, strictly ascending. A frame recording is a
`jsonl.gz` with one WebSocket frame a line, as the venue sent it.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from genesis.domain.replay import MINUTE_MS, CandleRow
from protocols.bitfinex.symbols import is_trading_symbol
from protocols.units import Symbol

COLUMNS: Final = ("time", "open", "close", "high", "low", "volume")
FORMAT: Final = "genesis-candles-1"
LARGEST: Final = 1e15


class RecordingError(Exception):
    """A recording that cannot be used. `source` names the file, `line` counts from 1 (0: the whole file)."""

    def __init__(self, source: str, line: int, reason: str) -> None:
        self.source = source
        self.line = line
        self.reason = reason
        super().__init__(f"{source}, line {line}: {reason}" if line else f"{source}: {reason}")


class SeriesEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a candle recording; `sha256` is of the file as it lies there."""

    symbol: str
    file: str
    rows: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a candle recording holds. Rows before `replay_from_ms` are history that clients may ask for over REST."""

    format: str
    name: str
    timeframe: str
    replay_from_ms: int
    replay_to_ms: int
    series: tuple[SeriesEntry, ...]
    description: str = ""


def read_manifest(source: str, data: bytes) -> Manifest:
    """Raises RecordingError."""
    if not data.strip():
        raise RecordingError(source, 0, "must be a manifest, was empty")
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RecordingError(source, 0, f"must be a manifest, was not: {str(error)[:160]}") from None
    if manifest.format != FORMAT:
        raise RecordingError(source, 0, f"format must be {FORMAT!r}, was {manifest.format!r}")
    if manifest.timeframe != "1m":
        raise RecordingError(source, 0, f"timeframe must be '1m', was {manifest.timeframe!r}")
    if not manifest.series:
        raise RecordingError(source, 0, "series must name at least one file, was empty")
    symbols = [entry.symbol for entry in manifest.series]
    for symbol in symbols:
        if not is_trading_symbol(symbol):
            raise RecordingError(source, 0, f"symbol must be a trading symbol as 'tBTCUSD', was {symbol!r}")
    if len(set(symbols)) != len(symbols):
        raise RecordingError(source, 0, f"symbols must differ, was {symbols}")
    for entry in manifest.series:
        if "/" in entry.file or "\\" in entry.file or entry.file.startswith("."):
            raise RecordingError(source, 0, f"file must be a name inside the folder, was {entry.file!r}")
    if manifest.replay_from_ms % MINUTE_MS or manifest.replay_to_ms % MINUTE_MS:
        raise RecordingError(source, 0, "replay_from_ms and replay_to_ms must be whole minutes, was not")
    if manifest.replay_to_ms < manifest.replay_from_ms:
        raise RecordingError(source, 0, "replay_to_ms must not be before replay_from_ms, was")
    return manifest


def read_candles(source: str, lines: Iterable[str]) -> list[CandleRow]:
    """The rows of a candle file, checked. Raises RecordingError at the first fault."""
    rows: list[CandleRow] = []
    number = 0
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if number == 1:
            names = tuple(text.lstrip("\ufeff").split(","))
            if names != COLUMNS:
                raise RecordingError(source, 1, f"columns must be {','.join(COLUMNS)}, was {text[:80]!r}")
            continue
        rows.append(_read_row(source, number, text, rows[-1].open_ms if rows else -1))
    if number == 0:
        raise RecordingError(source, 0, "must have rows, was empty")
    if not rows:
        raise RecordingError(source, 0, "must have rows below its header, had none")
    return rows


def _read_row(source: str, number: int, text: str, before_ms: int) -> CandleRow:
    cells = text.split(",")
    if len(cells) != len(COLUMNS):
        raise RecordingError(source, number, f"must have {len(COLUMNS)} columns, had {len(cells)}: {text[:80]!r}")
    try:
        open_ms = int(cells[0])
    except ValueError:
        raise RecordingError(source, number, f"time must be milliseconds, was {cells[0][:30]!r}") from None
    numbers: list[float] = []
    for name, cell in zip(COLUMNS[1:], cells[1:], strict=True):
        try:
            value = float(cell)
        except ValueError:
            raise RecordingError(source, number, f"{name} must be a number, was {cell[:30]!r}") from None
        if not math.isfinite(value) or value > LARGEST:
            raise RecordingError(source, number, f"{name} must be finite and at most {LARGEST:g}, was {cell[:30]!r}")
        if value < 0 or (value == 0 and name != "volume"):
            raise RecordingError(source, number, f"{name} must be above zero, was {cell[:30]!r}")
        numbers.append(value)
    if open_ms < 0 or open_ms % MINUTE_MS:
        raise RecordingError(source, number, f"time must be a whole minute, was {open_ms}")
    if open_ms <= before_ms:
        raise RecordingError(source, number, f"time must ascend, was {open_ms} after {before_ms}")
    row = CandleRow(open_ms, *numbers)
    if row.high < max(row.open, row.close, row.low):
        raise RecordingError(source, number, f"high must be the highest price, was {cells[3]}")
    if row.low > min(row.open, row.close):
        raise RecordingError(source, number, f"low must be the lowest price, was {cells[4]}")
    return row


def write_candles(rows: Iterable[CandleRow]) -> Iterator[str]:
    """The lines of a candle file, header first."""
    yield ",".join(COLUMNS) + "\n"
    for row in rows:
        yield ",".join([str(row.open_ms), *(_text(number) for number in row[1:])]) + "\n"


def _text(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


class CandleRecording(msgspec.Struct, frozen=True, kw_only=True):
    """A whole candle recording: per symbol what is history at the start and what will be replayed."""

    name: str
    history: dict[Symbol, tuple[CandleRow, ...]]
    rows: dict[Symbol, tuple[CandleRow, ...]]
    first_ms: int
    last_ms: int

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(self.rows)


def candle_recording(manifest: Manifest, source: str, series: dict[str, list[CandleRow]]) -> CandleRecording:
    """Put a manifest and its files together. Raises RecordingError when they contradict each other."""
    history: dict[Symbol, tuple[CandleRow, ...]] = {}
    rows: dict[Symbol, tuple[CandleRow, ...]] = {}
    for entry in manifest.series:
        found = series[entry.symbol]
        if len(found) != entry.rows:
            raise RecordingError(source, 0, f"{entry.file} must have {entry.rows} rows, had {len(found)}")
        symbol = Symbol(entry.symbol)
        history[symbol] = tuple(row for row in found if row.open_ms < manifest.replay_from_ms)
        rows[symbol] = tuple(row for row in found if manifest.replay_from_ms <= row.open_ms <= manifest.replay_to_ms)
        if not rows[symbol]:
            raise RecordingError(source, 0, f"{entry.file} must have rows in the replayed time, had none")
    return CandleRecording(
        name=manifest.name,
        history=history,
        rows=rows,
        first_ms=manifest.replay_from_ms,
        last_ms=manifest.replay_to_ms,
    )


# --- wire frames --------------------------------------------------------------------------------------------------


class FrameChannel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel of a frame recording: its number there, and the `subscribed` event that opened it."""

    number: int
    channel: str
    symbol: str
    event: dict[str, Any]


def read_frame(source: str, line: int, text: str) -> Any:
    """One frame. Raises RecordingError on a line that is none."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise RecordingError(source, line, f"must be a JSON frame, was {text[:60]!r}") from None
    if isinstance(value, dict):
        if not isinstance(value.get("event"), str):
            raise RecordingError(source, line, "object must have an event, had none")
    elif not (isinstance(value, list) and len(value) >= 2 and isinstance(value[0], int)):
        raise RecordingError(source, line, f"frame must be an event or [channel, ...], was {text[:60]!r}")
    return value


def frame_channels(source: str, lines: Iterable[str], *, look_at: int = 200) -> tuple[FrameChannel, ...]:
    """The channels that a frame recording opens in its first lines. Raises RecordingError when it opens none."""
    channels: list[FrameChannel] = []
    empty = True
    for number, line in enumerate(lines, start=1):
        if number > look_at:
            break
        empty = False
        frame = read_frame(source, number, line)
        if isinstance(frame, dict) and frame["event"] == "subscribed":
            number_there, channel, symbol = frame.get("chanId"), frame.get("channel"), frame.get("symbol")
            if not (isinstance(number_there, int) and isinstance(channel, str) and isinstance(symbol, str)):
                raise RecordingError(source, number, "subscribed must have chanId, channel and symbol, had not")
            channels.append(FrameChannel(number=number_there, channel=channel, symbol=symbol, event=frame))
    if empty:
        raise RecordingError(source, 0, "must have frames, was empty")
    if not any(channel.channel in ("book", "trades") for channel in channels):
        raise RecordingError(source, 0, f"must open a book or trades channel in its first {look_at} lines, did not")
    return tuple(channels)
