"""A recording of raw frames as things that happen at a time, and the order book that it keeps.

The frames carry no receive times. What is known: trades have the exchange's own stamp, and each channel beat its heart
about every 7.5 s. So a frame is dated by its place between the stamps around it: those of trades, and of the
heartbeats in between, spread evenly. The order of frames is exact, their times are estimates.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

from genesis.domain.matching import Levels
from genesis.domain.recording import FrameChannel, RecordingError, read_frame
from genesis.edge.recordings import RecordingUnreadable, text_lines
from genesis.simulator.book import Level
from genesis.simulator.feed import PublicTrade
from genesis.simulator.recordings import FrameRecording
from protocols.bitfinex.wire_book import LevelBook
from protocols.units import Side, exact

HEARTBEAT_MS: Final = 7_500


class TapeFrame(NamedTuple):
    """One recorded frame: its line in the file, its estimated time, its channel, and the frame itself."""

    line: int
    time_ms: int
    channel: FrameChannel
    frame: list[Any]
    text: str

    @property
    def payload(self) -> str:
        """The frame's own text after the channel number."""
        return self.text[self.text.index(",") + 1 : self.text.rindex("]")]

    @property
    def trade(self) -> PublicTrade | None:
        """The trade of a `te`."""
        if self.channel.channel == "trades" and len(self.frame) > 2 and self.frame[1] == "te":
            return PublicTrade(*self.frame[2][:4])
        return None


def tape(recording: FrameRecording) -> Iterator[TapeFrame]:
    """Every data frame of the recorded channels, dated. Raises RecordingError at a line that makes no sense."""
    channels = {channel.number: channel for channel in recording.channels}
    try:
        yield from _dated(_data_frames(str(recording.path), text_lines(recording.path, recording.data), channels))
    except RecordingUnreadable as error:
        raise RecordingError(str(recording.path), 0, str(error)) from None


def _data_frames(
    source: str, lines: Iterable[str], channels: dict[int, FrameChannel]
) -> Iterator[tuple[int, FrameChannel, list[Any], str]]:
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        frame = read_frame(source, number, text)
        if isinstance(frame, list) and frame[0] in channels:
            channel = channels[frame[0]]
            _check(source, number, channel, frame)
            yield number, channel, frame, text


def _check(source: str, number: int, channel: FrameChannel, frame: list[Any]) -> None:
    payload = frame[1]
    if payload == "hb":
        return
    if channel.channel == "book":
        rows = payload if isinstance(payload, list) and payload and isinstance(payload[0], list) else [payload]
        good = all(isinstance(row, list) and len(row) == 3 and all(map(_is_number, row)) for row in rows)
        if not good or (payload and any(row[2] == 0 for row in rows)):
            raise RecordingError(source, number, f"book frame must hold [price, count, amount], was {str(frame)[:60]}")
    elif payload in ("te", "tu"):
        row = frame[2] if len(frame) > 2 else None
        if not (isinstance(row, list) and len(row) >= 4 and all(map(_is_number, row[:4])) and row[2] and row[3] > 0):
            raise RecordingError(source, number, f"trade must be [id, time, amount, price], was {str(frame)[:60]}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _dated(frames: Iterable[tuple[int, FrameChannel, list[Any], str]]) -> Iterator[TapeFrame]:
    """Hold frames back until the next stamp is known, then spread them between the last one and it."""
    held: list[tuple[int, FrameChannel, list[Any], str]] = []
    known_ms: int | None = None
    for item in frames:
        _, channel, frame, _ = item
        stamp: int | None = None
        if channel.channel == "trades" and len(frame) > 2 and frame[1] == "te":
            stamp = int(frame[2][1])
        elif channel.channel == "trades" and known_ms is None and isinstance(frame[1], list) and frame[1]:
            # The newest trade of the snapshot: the recording begins no earlier.
            stamp = int(frame[1][0][1])
        if stamp is None:
            held.append(item)
            continue
        stamp = stamp if known_ms is None else max(stamp, known_ms)
        yield from _spread(held, stamp if known_ms is None else known_ms, stamp)
        held, known_ms = [], stamp
        yield TapeFrame(item[0], stamp, channel, frame, item[3])
    beats = sum(1 for _, channel, frame, _ in held if frame[1] == "hb" and channel.channel == "book")
    start = known_ms or 0
    yield from _spread(held, start, start + (beats + 1) * HEARTBEAT_MS)


def _spread(held: list[tuple[int, FrameChannel, list[Any], str]], start_ms: int, end_ms: int) -> Iterator[TapeFrame]:
    # Pieces between two beats of one channel are equally long, whatever was said in them.
    pieces: list[list[tuple[int, FrameChannel, list[Any], str]]] = [[]]
    for item in held:
        pieces[-1].append(item)
        if item[2][1] == "hb" and item[1].channel == "book":
            pieces.append([])
    length = (end_ms - start_ms) / len(pieces)
    for place, piece in enumerate(pieces):
        begin = start_ms + place * length
        for number, (line, channel, frame, text) in enumerate(piece, start=1):
            yield TapeFrame(line, int(begin + length * number / (len(piece) + 1)), channel, frame, text)


class RecordedBook:
    """The book of a frame recording, for those who look at it and for orders that take from it.

    What accounts took of a level is gone until the recording says something new about that level.
    """

    def __init__(self) -> None:
        self.book = LevelBook()
        self._taken: dict[tuple[Side, float], tuple[object, Decimal]] = {}

    def follow(self, book: LevelBook) -> None:
        """From now on this is the book that somebody else keeps."""
        self.book = book
        self._taken.clear()

    def snapshot(self, rows: list[list[Any]]) -> None:
        self.book.clear()
        self._taken.clear()
        for row in rows:
            self.book.apply(row, None)

    def update(self, row: list[Any]) -> None:
        self.book.apply(row, None)

    def shown(self) -> tuple[list[Level], list[Level]]:
        """(bids, asks) as levels; a level's order id is made of its price, for raw views."""
        return (
            [Level(int(price * 1e8), price, count, amount) for price, count, amount, _ in self.book.best_bids(250)],
            [Level(int(price * 1e8), price, count, amount) for price, count, amount, _ in self.book.best_asks(250)],
        )

    def levels(self, side: Side) -> Levels:
        """What is left for takers, best first."""
        rows = self.book.best_bids(250) if side is Side.BUY else self.book.best_asks(250)
        left: list[tuple[Decimal, Decimal]] = []
        for row in rows:
            quantity = exact(abs(row[2]))
            taken = self._taken.get((side, row[0]))
            if taken is not None and taken[0] is row:
                quantity -= taken[1]
            if quantity > 0:
                left.append((exact(row[0]), quantity))
        return left

    def take(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        key = (side, float(price))
        row = (self.book.bids if side is Side.BUY else self.book.asks).get(key[1])
        before = self._taken.get(key)
        already = before[1] if before is not None and before[0] is row else Decimal(0)
        self._taken[key] = (row, already + quantity)
