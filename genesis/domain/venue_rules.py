"""Which requests the venue refuses, in its own words, and what an order holds back of a wallet."""

from decimal import ROUND_UP, Decimal

import attrs

from genesis.domain.pairs import PairSpec
from genesis.domain.venue_state import Account, Order
from genesis.domain.venue_texts import above_maximum, below_minimum
from protocols.bitfinex.account import FLAG_CLOSE, FLAG_OCO
from protocols.bitfinex.inputs import LARGEST_CID, ORDER_TYPES, NewOrder
from protocols.units import AMOUNT_STEP, ZERO, round_amount, round_price

LARGEST_PRICE = Decimal(10) ** 12
"""Above any market; a number that is bigger is a mistake."""


_PRICED = frozenset({"LIMIT", "STOP", "STOP LIMIT", "FOK", "IOC"})


@attrs.frozen
class Refusal:
    """The text of an ERROR notification."""

    text: str

    def __str__(self) -> str:
        return self.text


def _is_price(number: Decimal | None) -> bool:
    return number is not None and number.is_finite() and 0 < number <= LARGEST_PRICE and round_price(number) > 0


def check_new(request: NewOrder, spec: PairSpec | None, account: Account) -> Refusal | None:
    """What is wrong with a new order, money apart; None when nothing is."""
    if request.wire_type not in ORDER_TYPES:
        return Refusal("type: invalid")
    if spec is None or spec.is_paper is not account.paper:
        return Refusal("symbol: invalid")
    is_margin = not request.wire_type.startswith("EXCHANGE ")
    kind = request.wire_type.removeprefix("EXCHANGE ")
    if (spec.is_derivative and not is_margin) or (is_margin and not spec.is_derivative and spec.initial_margin is None):
        return Refusal("type: invalid")
    if request.cid is not None and not 0 <= request.cid <= LARGEST_CID:
        return Refusal("cid: invalid")
    if not request.amount.is_finite() or round_amount(request.amount) == 0:
        return Refusal("amount: invalid")
    # A price that a type does not use is ignored, as the venue ignores the price of a MARKET order.
    if kind in _PRICED and not _is_price(request.price):
        return Refusal("price: invalid")
    if kind == "STOP LIMIT" and not _is_price(request.aux_limit_price):
        return Refusal("price_aux_limit: invalid")
    if kind == "TRAILING STOP" and not _is_price(request.trailing_distance):
        return Refusal("price_trailing: invalid")
    if request.flags & FLAG_OCO and kind == "LIMIT" and not _is_price(request.oco_stop_price):
        return Refusal("price_oco_stop: invalid")
    if request.flags & FLAG_OCO and kind != "LIMIT":
        return Refusal("price_oco_stop: invalid")
    if request.flags < 0:
        return Refusal("flags: invalid")
    # Closing a position may go below the minimum: what is left of one can be any size.
    if not request.flags & FLAG_CLOSE and abs(request.amount) < spec.minimum:
        return Refusal(below_minimum(spec.symbol, spec.minimum))
    if abs(request.amount) > spec.maximum:
        return Refusal(above_maximum(spec.symbol, spec.maximum))
    return None


def needed_lock(
    order: Order, *, remaining: Decimal | None = None, price: Decimal | None = None, aux: Decimal | None = None
) -> Decimal:
    """What an exchange order holds back: base for a sell, quote at the worst price known for a buy."""
    quantity = order.remaining if remaining is None else remaining
    if order.sign < 0:
        return quantity
    worst = (order.price if price is None else price) or order.reference_price
    if order.kind == "STOP LIMIT":
        worst = order.aux_limit_price if aux is None else aux
    if worst == ZERO:
        return ZERO
    return (quantity * worst).quantize(AMOUNT_STEP, rounding=ROUND_UP)
