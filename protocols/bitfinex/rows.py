"""A wire row read by position: short rows, nulls and new fields are tolerated and counted, wrong kinds are refused."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.numbers import wire_decimal
from protocols.units import ZERO

LARGEST_INTEGER: Final = 2**63 - 1


@attrs.define
class Tolerance:
    """How often the wire differed from the documents and was understood all the same; refused frames stand beside."""

    frames: int = 0
    longer_rows: int = 0
    shorter_rows: int = 0
    unexpected_nulls: int = 0
    unknown_kinds: int = 0
    unknown_channels: int = 0
    extra_numbers: int = 0
    notice_sequences: int = 0
    strange_stamps: int = 0
    refused: int = 0

    def as_dict(self) -> dict[str, int]:
        return attrs.asdict(self)


@attrs.frozen
class Row:
    """One row of `length` documented fields. Every getter raises MalformedFrame on a value of a wrong kind."""

    name: str
    cells: Sequence[Any]

    @classmethod
    def of(cls, name: str, value: object, length: int, tolerance: Tolerance | None) -> "Row":
        if not isinstance(value, list):
            raise MalformedFrame(f"{name} row must be an array, was {_kind(value)}")
        if tolerance is not None and len(value) != length:
            if len(value) > length:
                tolerance.longer_rows += 1
            else:
                tolerance.shorter_rows += 1
        return cls(name, value)

    def get(self, index: int) -> Any:
        return self.cells[index] if index < len(self.cells) else None

    def _wrong(self, index: int, wish: str) -> MalformedFrame:
        return MalformedFrame(f"{self.name}[{index}] must be {wish}, was {_kind(self.get(index))}")

    def integer_or_none(self, index: int) -> int | None:
        """An integer; also from a fraction (times come with fractions of a ms) or digits in quotes (REST history)."""
        value = self.get(index)
        if type(value) is int and -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
            # Nearly all of them.
            return value
        if value is None:
            return None
        if isinstance(value, bool):
            raise self._wrong(index, "an integer")
        if isinstance(value, str):
            value = wire_decimal(value)
        if isinstance(value, float) and not math.isfinite(value):
            raise self._wrong(index, "finite")
        if isinstance(value, int | float | Decimal):
            number = int(value)
            if abs(number) <= LARGEST_INTEGER:
                return number
        raise self._wrong(index, "an integer of at most 63 bits")

    def integer(self, index: int) -> int:
        return self.integer_or_none(index) or 0

    def id(self, index: int) -> int:
        """An integer that must be there: a row without its id says nothing."""
        number = self.integer_or_none(index)
        if number is None:
            raise self._wrong(index, "an integer")
        return number

    def decimal_or_none(self, index: int) -> Decimal | None:
        value = self.get(index)
        if value is None:
            return None
        if isinstance(value, Decimal):
            return value
        if isinstance(value, bool):
            raise self._wrong(index, "a number")
        if isinstance(value, int):
            return wire_decimal(str(value)) if abs(value) > LARGEST_INTEGER else Decimal(value)
        if isinstance(value, str):
            return wire_decimal(value)
        raise self._wrong(index, "a number")

    def decimal(self, index: int) -> Decimal:
        """A number that the venue sometimes leaves null where it means zero."""
        number = self.decimal_or_none(index)
        return ZERO if number is None else number

    def number(self, index: int) -> float:
        """A float64; null reads as zero (old rows leave fields out)."""
        value = self.get(index)
        if type(value) is float:
            return value
        if value is None:
            return 0.0
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
                raise self._wrong(index, "a number of at most 63 bits")
            return float(value)
        raise self._wrong(index, "a number")

    def text(self, index: int) -> str:
        value = self.get(index)
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        raise self._wrong(index, "text")

    def text_or_none(self, index: int) -> str | None:
        return None if self.get(index) is None else self.text(index)


def rows_of(name: str, value: object) -> list[Any]:
    """The rows of a snapshot: a list, or null where the venue means an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedFrame(f"{name} must be an array of rows, was {_kind(value)}")
    return value


def _kind(value: object) -> str:
    # Never repr() of a container: a deeply nested one from the wire would exhaust the stack.
    if isinstance(value, str):
        return f"text {value[:40]!r}"
    if isinstance(value, float | Decimal | bool):
        return f"{type(value).__name__} {value}"
    if isinstance(value, int) and abs(value) <= LARGEST_INTEGER:
        return f"int {value}"
    return "null" if value is None else type(value).__name__
