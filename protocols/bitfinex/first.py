"""Which frames of a read a decision waits for, so that they are read in front of the others.

On a lively socket a read has some twenty frames, and what ends a candle stands anywhere among them. A decision looks at
the candle and at its market's newest prices. Older prices are overtaken before anybody could look at them, and nobody's
order waits for the tape or for the levels of a book.

Nothing is believed here that would not be believed in order: the numbers of all frames of the read must follow one
another.
"""

from collections.abc import Sequence
from typing import Final

from protocols.bitfinex.sequence import LARGEST_LEAP_MS, LARGEST_TIME_MS, SMALLEST_TIME_MS, SequenceAudit
from protocols.bitfinex.streams import StreamTable
from protocols.market import CandleUpdate, StreamBeat, Ticker, TradePrint

FEW: Final = 4
"""So many frames are read in order: to choose among them takes as long."""
_STAMP: Final = len("1500000000000]")
_MINUTE_MS: Final = 60_000
"""Candles of every time frame end with a minute."""


def first_of(table: StreamTable, frames: Sequence[bytes], audit: SequenceAudit, grace_ms: int) -> list[int]:
    """Places of the frames of candles, and of the newest ticker of each market of which a candle may end; none when
    nothing is to be put first.

    Frames must carry their number and the venue's time. A candle ends `grace_ms` behind its last minute, so the first
    frame of its stream from then on is waited for.
    """
    stamp = frames[-1][-_STAMP:-1]
    if not stamp.isdigit() or int(stamp) - grace_ms < table.next_end_ms:
        return []
    heads, candles = table.candle_heads, table.candles
    places = [place for place, frame in enumerate(frames) if frame.startswith(heads)]
    markets: set[str] = set()
    for place in places:
        frame = frames[place]
        stamp = frame[-_STAMP:-1]
        if not stamp.isdigit() or int(stamp) > audit.venue_ms + LARGEST_LEAP_MS:
            return []
        stream, time_ms = candles[frame[: frame.find(b",") + 2]], int(stamp) - grace_ms
        if time_ms >= stream.next_end_ms:
            stream.next_end_ms = time_ms - time_ms % _MINUTE_MS + _MINUTE_MS
            markets.add(stream.symbol)
    if not markets:
        return []
    table.next_end_ms = min([stream.next_end_ms for stream in candles.values()])
    number = audit.public
    for frame in frames:
        number += 1
        if not frame.endswith(b",%d," % number, 0, -_STAMP):
            return []
    heads, tickers = table.ticker_heads, table.tickers
    place = len(frames)
    while markets and place:
        place -= 1
        frame = frames[place]
        if frame.startswith(heads) and (symbol := tickers[frame[: frame.find(b",") + 2]]) in markets:
            markets.discard(symbol)
            places.append(place)
    places.sort()
    return places


def tell_one(
    table: StreamTable, audit: SequenceAudit, frame: bytes, received_ns: int
) -> Ticker | TradePrint | CandleUpdate | StreamBeat:
    """What such a frame says, which is the next by its number: an update of the usual shape, or a beat.

    What raises here is of another shape, and nothing has changed.
    """
    head = frame[: frame.find(b",") + 2]
    number = audit.public + 1
    known = table.by_head.get(head)
    event: Ticker | TradePrint | CandleUpdate | StreamBeat | None
    if known is not None:
        stream, usual = known
        update = usual.decode(frame)
        time_ms = update.time_ms
        if not stream.live or update.number != number:
            raise LookupError
        event = usual.tell(stream, update, time_ms, received_ns)
    else:
        stream, time_ms = table.candles[head], int(frame[-_STAMP:-1])
        if frame[len(head) :] != b'hb",%d,%d]' % (number, time_ms):
            raise LookupError
        event = StreamBeat(
            stream=stream.channel,
            symbol=stream.symbol,
            timeframe=stream.timeframe,
            venue_ms=time_ms,
            received_ns=received_ns,
        )
    if event is None or not SMALLEST_TIME_MS <= time_ms < LARGEST_TIME_MS or audit.venue_ms < time_ms - LARGEST_LEAP_MS:
        raise LookupError
    audit.public, audit.venue_ms = number, time_ms
    stream.heard_ns = received_ns
    stream.frames += 1
    return event
