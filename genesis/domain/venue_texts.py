"""The venue's own words: order statuses and notifications, in the form its wire shows.

Clients match statuses by their beginning and never parse notifications; amounts in statuses are rounded, as they are
at the venue, so nobody can live off them.
"""

from collections.abc import Sequence
from decimal import Decimal

from protocols.units import base_currency, plain

POST_ONLY_CANCELED = "POSTONLY CANCELED"
FILL_OR_KILL_CANCELED = "FILLORKILL CANCELED"
IOC_CANCELED = "IOC CANCELED"
NO_BALANCE = "INSUFFICIENT BALANCE (G1)"
NO_MARGIN = "INSUFFICIENT MARGIN"
BOOK_SLIP = "RSN_BOOK_SLIP"
REDUCE_WOULD_INCREASE = "RSN_POS_REDUCE_INCR"
REDUCE_WOULD_FLIP = "RSN_POS_REDUCE_FLIP"
NO_POSITION = "RSN_POS_NOTFOUND"
ORDER_NOT_FOUND = "Order not found."
TOO_MANY_ORDERS = "Reached maximum number of orders per 10 minutes"

SHOWN_FILLS = 8
"""Texts of orders filled in many pieces are cut, as the venue's history cuts them."""


def _rounded(number: Decimal, places: int) -> str:
    shown = round(number, places)
    return plain(shown if shown else number)


def piece(word: str, price: Decimal, amount: Decimal) -> str:
    """`EXECUTED @ 4304.2632(0.12)`: the price to four decimals, the amount to two."""
    return f"{word} @ {_rounded(price, 4)}({_rounded(amount, 2)})"


def _partly(fills: Sequence[tuple[Decimal, Decimal]]) -> str:
    return ", ".join(piece("PARTIALLY FILLED", price, amount) for price, amount in fills[-SHOWN_FILLS:])


def open_status(fills: Sequence[tuple[Decimal, Decimal]]) -> str:
    """Of an order that is still open. `fills` are (price, signed amount)."""
    return _partly(fills) or "ACTIVE"


def executed_status(fills: Sequence[tuple[Decimal, Decimal]], *, word: str = "EXECUTED") -> str:
    last = piece(word, *fills[-1])
    return f"{last}: was {_partly(fills[:-1])}" if len(fills) > 1 else last


def ended_status(word: str, fills: Sequence[tuple[Decimal, Decimal]]) -> str:
    """`CANCELED`, or `CANCELED was: PARTIALLY FILLED @ P(A)`."""
    return f"{word} was: {_partly(fills)}" if fills else word


def _sized(amount: Decimal) -> str:
    # The venue prints a whole amount with one decimal here, and nowhere else.
    text = plain(amount)
    return text if "." in text else f"{text}.0"


def submitting(wire_type: str, symbol: str, amount: Decimal) -> str:
    side = "buy" if amount > 0 else "sell"
    return f"Submitting {wire_type.lower()} {side} order for {plain(amount)} {base_currency(symbol)}."


def updating(wire_type: str, symbol: str, amount: Decimal) -> str:
    side = "buy" if amount > 0 else "sell"
    return f"Submitting update to {wire_type.lower()} {side} order for {plain(abs(amount))} {base_currency(symbol)}."


def cancelling(venue_id: int) -> str:
    return f"Submitted for cancellation; waiting for confirmation (ID: {venue_id})."


def not_enough(wallet: str, amount: Decimal, symbol: str, price: Decimal) -> str:
    """`wallet` is `exchange`, or `tradable` for margin."""
    return f"Invalid order: not enough {wallet} balance for {_sized(abs(amount))} {symbol[1:]} at {plain(price)}"


def below_minimum(symbol: str, minimum: Decimal) -> str:
    return f"Invalid order: minimum size for {symbol[1:]} is {plain(minimum)}"


def above_maximum(symbol: str, maximum: Decimal) -> str:
    return f"Invalid order: maximum size for {symbol[1:]} is {plain(maximum)}"
