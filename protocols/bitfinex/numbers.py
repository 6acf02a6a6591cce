"""Number text as JavaScript prints it, which is how the venue prints every number.

The checksum is computed over this text, and Python prints differently: an exponent from 1e-5 down and as `1e-05`,
where JavaScript starts at 1e-7 and prints `1e-7`; and `7617.0` where JavaScript has `7617`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final

import msgspec

from protocols.bitfinex.errors import LocalProtocolError, MalformedFrame

_PLAIN_LENGTH: Final = 20
"""Shorter than 1e21, from which on JavaScript writes an exponent."""
LARGEST_EXPONENT: Final = 40
"""No price, amount or id of a market has more digits on either side of its point; 1e999999 is an attack on memory."""


def js_number(number: Decimal | float | int) -> str:
    """The text of `Number.prototype.toString`. Raises LocalProtocolError on infinity and NaN.

    A Decimal keeps all its digits (JavaScript would round to 17), a float prints its shortest text.

    >>> js_number(7617.0), js_number(Decimal("0.0000011")), js_number(7e-7), js_number(Decimal("2.50")), js_number(1e21)
    ('7617', '0.0000011', '7e-7', '2.5', '1e+21')
    """
    # The common cases first.
    if isinstance(number, float):
        # repr agrees with JavaScript from 1e-4 up to 1e16, but for the ".0" of whole numbers.
        if 1e-4 <= number < 1e16 or -1e16 < number <= -1e-4:
            text = repr(number)
            return text[:-2] if text[-2:] == ".0" else text
        if not math.isfinite(number):
            raise LocalProtocolError(f"number must be finite, was {number}")
        number = Decimal(repr(number))
    elif isinstance(number, int):
        if -(10**21) < number < 10**21:
            return str(int(number))
        number = Decimal(number)
    if not number.is_finite():
        raise LocalProtocolError(f"number must be finite, was {number}")
    text = str(number)
    if "E" not in text and len(text) <= _PLAIN_LENGTH:
        # The common case: without an exponent both write the same digits, but for zeros at the end.
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return text if text != "-0" else "0"
    sign, digit_tuple, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    digits = "".join(map(str, digit_tuple)).lstrip("0")
    stripped = digits.rstrip("0")
    if not stripped:
        return "0"
    exponent += len(digits) - len(stripped)
    # ECMA-262, Number::toString: value = 0.digits * 10^point.
    point = len(stripped) + exponent
    if len(stripped) <= point <= 21:
        text = stripped + "0" * (point - len(stripped))
    elif 0 < point <= 21:
        text = f"{stripped[:point]}.{stripped[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + stripped
    else:
        mantissa = stripped if len(stripped) == 1 else f"{stripped[0]}.{stripped[1:]}"
        text = f"{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return "-" + text if sign else text


def js_numbers(numbers: list[float]) -> str:
    """The texts of several floats with commas between, as `js_number` gives them.

    >>> js_numbers([7617.0, 0.25, -3.0, 7e-7, -0.0])
    '7617,0.25,-3,7e-7,0'
    """
    # One look for all of them: an "e" is an exponent, an "n" infinity or NaN, and JavaScript knows no negative zero.
    text = repr(numbers)[1:-1].replace(", ", ",")
    if "e" in text or "n" in text or "-0.0," in f"{text},":
        return ",".join(map(js_number, numbers))
    return f"{text},".replace(".0,", ",")[:-1]


def wire_decimal(text: str) -> Decimal:
    """A Decimal straight from number text. Raises MalformedFrame on text that is none, or of a size no market has."""
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise MalformedFrame(f"number must be a decimal, was {text[:40]!r}") from None
    if not number.is_finite() or abs(number.adjusted()) > LARGEST_EXPONENT or len(text) > 2 * LARGEST_EXPONENT:
        raise MalformedFrame(f"number must be finite and of at most {LARGEST_EXPONENT} digits, was {text[:40]!r}")
    return number


_EXACT: Final = msgspec.json.Decoder(float_hook=wire_decimal)
_FLOATS: Final = msgspec.json.Decoder()


def read_json(data: bytes | str) -> Any:
    """JSON with every fraction as a Decimal of its own text. Raises MalformedFrame on anything that is not JSON."""
    return _decode(_EXACT, data)


def read_json_floats(data: bytes | str) -> Any:
    """JSON with every fraction as a float64, for market data. Raises MalformedFrame on anything that is not JSON."""
    return _decode(_FLOATS, data)


# MalformedFrame from the float hook passes through as it is.
def _decode(decoder: msgspec.json.Decoder[Any], data: bytes | str) -> Any:
    try:
        return decoder.decode(data)
    # ValueError covers bad UTF-8 and integers past Python's digit limit.
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedFrame(f"must be JSON ({error})"[:120], data) from None


def write_json(value: Any) -> bytes:
    """Compact JSON with every number printed as JavaScript does. Raises LocalProtocolError on what has no JSON form."""
    try:
        return _text(value).encode()
    except RecursionError:
        raise LocalProtocolError("value must not be nested this deeply") from None


def _text(value: Any) -> str:
    return _TEXTS.get(type(value), _text_of_a_kind)(value)


def _array(values: Sequence[Any]) -> str:
    return f"[{','.join([_TEXTS.get(type(value), _text_of_a_kind)(value) for value in values])}]"


def _object(values: Mapping[Any, Any]) -> str:
    return f"{{{','.join([f'{_quoted(str(key))}:{_text(value)}' for key, value in values.items()])}}}"


def _text_of_a_kind(value: Any) -> str:
    """What is none of the types themselves, but one of their kinds: an enum, a struct's tuple."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int | float | Decimal):
        return js_number(value)
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return _array(value)
    raise LocalProtocolError(f"value must have a JSON form, was {type(value).__name__}")


def _whole(number: int) -> str:
    return str(number) if -(10**21) < number < 10**21 else js_number(number)


_TEXTS: Final[dict[type, Callable[[Any], str]]] = {
    type(None): lambda value: "null",
    bool: lambda value: "true" if value else "false",
    str: _quoted,
    int: _whole,
    float: js_number,
    Decimal: js_number,
    list: _array,
    tuple: _array,
    dict: _object,
}
