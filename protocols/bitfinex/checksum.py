"""The venue's book checksum: CRC-32 over the number text of the first 25 levels of both sides, as a signed integer."""

import binascii
from collections.abc import Iterable, Sequence
from typing import Final

CHECKSUM_LEVELS: Final = 25

TextLevel = tuple[str, str]
"""A level's price (its order id in a raw book) and its signed amount, both as on the wire."""


def checksum_text(bids: Sequence[TextLevel], asks: Sequence[TextLevel]) -> str:
    """bid, ask, bid, ask ... best first, joined by colons; what a side does not have is left out.

    >>> checksum_text([("6000", "1"), ("5900", "2")], [("6100", "-3")])
    '6000:1:6100:-3:5900:2'
    """
    bids, asks = bids[:CHECKSUM_LEVELS], asks[:CHECKSUM_LEVELS]
    pieces = [text for pair in zip(bids, asks, strict=False) for level in pair for text in level]
    pieces += [text for level in (*bids[len(asks) :], *asks[len(bids) :]) for text in level]
    return ":".join(pieces)


def signed_crc32(text: str) -> int:
    """CRC-32 (IEEE) read as a signed 32-bit integer."""
    crc = binascii.crc32(text.encode())
    return crc - (1 << 32) if crc >= 1 << 31 else crc


def checksum(bids: Iterable[TextLevel], asks: Iterable[TextLevel]) -> int:
    """The sum of a book, sides best first, amounts signed (asks negative)."""
    return signed_crc32(checksum_text(list(bids), list(asks)))


def same_checksum(ours: int, theirs: int) -> bool:
    """Some relays hand the value on unsigned."""
    return (ours - theirs) % (1 << 32) == 0
