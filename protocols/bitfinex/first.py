"""Which frames of a read a decision waits for, so that they are read in front of the others.

On a lively socket a read has some twenty frames, and what ends a candle stands anywhere among them. A decision looks at
the candle and at its market's newest prices. Older prices are overtaken before anybody could look at them, and nobody's
order waits for the tape or for the levels of a book.

Nothing is believed here that would not be believed in order: the numbers of all frames of the read must follow one
another, and each must be of a stream that is known.
"""

from collections.abc import Sequence
from typing import Final

from protocols.bitfinex.sequence import LARGEST_LEAP_MS, SequenceAudit
from protocols.bitfinex.streams import StreamTable

FEW: Final = 4
"""So many frames are read in order: to choose among them takes as long."""
_STAMP: Final = len("1500000000000]")
_MINUTE_MS: Final = 60_000
"""Candles of every time frame end with a minute."""


def first_of(table: StreamTable, frames: Sequence[bytes], audit: SequenceAudit, grace_ms: int) -> list[int]:
    """Places of the frames of candles, and of each market's newest ticker; none when nothing is to be put first.

    Frames must carry their number and the venue's time. A candle ends `grace_ms` behind its last minute, so the first
    frame of its stream from then on is waited for.
    """
    stamp = frames[-1][-_STAMP:-1]
    if not stamp.isdigit() or int(stamp) - grace_ms < table.next_end_ms:
        return []
    heads = [frame[: frame.find(b",") + 2] for frame in frames]
    candles, tickers = table.candles, table.tickers
    places = [place for place, head in enumerate(heads) if head in candles]
    if not places or not table.heads.issuperset(heads):
        return []
    number = audit.public
    for frame in frames:
        number += 1
        if not frame.endswith(b",%d," % number, 0, -_STAMP):
            return []
    may_end = False
    for place in places:
        stamp = frames[place][-_STAMP:-1]
        if not stamp.isdigit() or int(stamp) > audit.venue_ms + LARGEST_LEAP_MS:
            return []
        stream, time_ms = candles[heads[place]], int(stamp) - grace_ms
        if time_ms >= stream.next_end_ms:
            may_end = True
            stream.next_end_ms = time_ms - time_ms % _MINUTE_MS + _MINUTE_MS
    if not may_end:
        return []
    table.next_end_ms = min([stream.next_end_ms for stream in candles.values()])
    # Of each the last place remains.
    places += {head: place for place, head in enumerate(heads) if head in tickers}.values()
    places.sort()
    return places
