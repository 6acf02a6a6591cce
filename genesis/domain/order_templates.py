"""Order templates: manual orders with a name, kept to be placed again without typing them again.

A template is a request as the API takes it, minus its identity; it is checked like an order when it is saved, and again
when it is placed, because the pair's limits may have moved meanwhile.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec


class OrderTemplate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields are those of a manual order; stop and target make it a bracket."""

    name: str
    symbol: str
    side: str
    quantity: Decimal
    type: str = "EXCHANGE MARKET"
    price: Decimal | None = None
    price_aux_limit: Decimal | None = None
    price_trailing: Decimal | None = None
    price_oco_stop: Decimal | None = None
    stop_price: Decimal | None = None
    stop_distance: Decimal | None = None
    target_price: Decimal | None = None
    target_distance: Decimal | None = None
    trailing: bool = False
    activation_price: Decimal | None = None
    post_only: bool = False
    reduce_only: bool = False
    hidden: bool = False


class TemplateBook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file's content. `version` rises with every change."""

    version: int = 0
    templates: tuple[OrderTemplate, ...] = ()


TEMPLATES_AT_MOST = 200

_ENCODER = msgspec.json.Encoder(decimal_format="string")
_DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


def read_templates(data: bytes) -> TemplateBook:
    """The book of a file's bytes. Raises ValueError on anything that is none, doubled names included."""
    try:
        told = _DECODER.decode(data)
        kept = told.get("templates", ())
        if isinstance(kept, list):
            told["templates"] = [_with_quantity(one) if isinstance(one, dict) else one for one in kept]
        book = msgspec.convert(told, TemplateBook)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"templates must be a JSON object with version and templates: {error}") from None
    names = [template.name for template in book.templates]
    if len(set(names)) != len(names):
        raise ValueError("names of templates must be unique, one stood there twice")
    for template in book.templates:
        numbers = (getattr(template, field) for field in template.__struct_fields__)
        if not all(number.is_finite() for number in numbers if isinstance(number, Decimal)):
            raise ValueError(f"numbers of a template must be finite, those of {template.name} were not")
    return book


def _with_quantity(kept: dict[str, Any]) -> dict[str, Any]:
    """A template in today's words: files of old say a signed `amount`, and leave out a side that follows from it."""
    if "amount" not in kept or "quantity" in kept:
        return kept
    try:
        amount = Decimal(kept["amount"])
    except (InvalidOperation, TypeError, ValueError):
        # Whatever it is, the converter says that it is no number.
        return {**kept, "quantity": kept["amount"]}
    side = kept.get("side") or ("sell" if amount < 0 else "buy")
    return {**{name: value for name, value in kept.items() if name != "amount"}, "side": side, "quantity": abs(amount)}


def write_templates(book: TemplateBook) -> bytes:
    """The file's bytes: indented, because people read it."""
    return msgspec.json.format(_ENCODER.encode(book), indent=2) + b"\n"


def with_template(book: TemplateBook, template: OrderTemplate) -> TemplateBook:
    """The book with a template added, or put in the place of its namesake. Raises ValueError when it is full."""
    others = tuple(kept for kept in book.templates if kept.name != template.name)
    if len(others) >= TEMPLATES_AT_MOST:
        raise ValueError(f"templates must be at most {TEMPLATES_AT_MOST}, was one more")
    templates = tuple(sorted((*others, template), key=lambda kept: kept.name))
    return TemplateBook(version=book.version + 1, templates=templates)


def without_template(book: TemplateBook, name: str) -> TemplateBook | None:
    """The book without one, or None when it was not there."""
    others = tuple(kept for kept in book.templates if kept.name != name)
    return None if len(others) == len(book.templates) else TemplateBook(version=book.version + 1, templates=others)
