"""How exact numbers are written for whoever reads an answer: as digits and a point, never with an exponent.

Python's own text of a Decimal has one from 1E-7 down and where trailing zeros are left out ("1E+3"). Encoders write
that text, and many readers of JSON, CSV and tables take it for no number. One place mends it, behind the encoder.
"""

import re
from decimal import Decimal
from typing import Final

from protocols.units import plain

_QUOTED: Final = re.compile(rb'(?<!\\)"(-?\d(?:\.\d+)?E[+-]\d{1,3})(?=")')
_BARE: Final = re.compile(r"-?\d(?:\.\d+)?E[+-]\d{1,3}")


def plain_numbers(encoded: bytes) -> bytes:
    """JSON with each string that is a number with an exponent written without it; all else as it was.

    >>> plain_numbers(b'{"fee":"1E-8","id":"xE-8","all":"1.5E+3"}')
    b'{"fee":"0.00000001","id":"xE-8","all":"1500"}'
    """
    # Hardly any answer has one: to look costs less than a match.
    if b"E-" not in encoded and b"E+" not in encoded:
        return encoded
    return _QUOTED.sub(lambda found: b'"' + plain(Decimal(found[1].decode())).encode(), encoded)


def plain_text(value: object) -> str:
    """The text of a value in a table or a line: of a number, or a text that is one, without an exponent."""
    if isinstance(value, Decimal):
        return plain(value) if value.is_finite() else str(value)
    text = str(value)
    return plain(Decimal(text)) if "E" in text and _BARE.fullmatch(text) else text
