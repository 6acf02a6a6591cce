"""What a schema cannot say of a body: that no name stands twice in it, and that its numbers are of this world."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

LARGEST: Final = 20
"""Powers of ten. No amount or price is larger, and reckoning with far larger ones fails or fills memory."""
SMALLEST: Final = -40


class NamedTwice(ValueError):
    """The text is the name."""


def check_names(raw: bytes) -> None:
    """Raises NamedTwice for an object in which a name stands twice; readers differ in which of the two they take.

    `raw` must be JSON, as a decoder has found. Only small bodies come here.
    """
    # Numbers stay text: nobody looks at them here.
    json.loads(raw.decode(), object_pairs_hook=_object, parse_int=str, parse_float=str)


def _object(pairs: Sequence[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise NamedTwice(name)
        seen.add(name)


def far_numbers(value: Any, name: str = "") -> Iterator[tuple[str, Decimal]]:
    """(field, number) of every Decimal that is finite and beyond all sense, `1e999999` for example."""
    if isinstance(value, Decimal):
        if value.is_finite() and not (value.adjusted() < LARGEST and SMALLEST <= _exponent(value)):
            yield name, value
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from far_numbers(getattr(value, field), field)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from far_numbers(each, str(key))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from far_numbers(each, name)


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent
