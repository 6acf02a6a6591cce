"""The order validator: what the venue would refuse or silently change, said before anything leaves, in our words.

Every fault names its field, what it must be and what it was. Prices have at most five significant digits and amounts
eight decimals, because the venue cuts what is finer: an order at a price nobody asked for is not what was asked for.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import attrs
import msgspec

from genesis.domain.pairs import PairSpec
from protocols.orders import Bracket, OrderIntent, OrderType, SubmitOrder
from protocols.units import AMOUNT_STEP, PRICE_DIGITS, plain, round_price

LARGEST_PRICE: Final = Decimal(10) ** 12
"""Above any market; a number that is bigger is a mistake."""
PRICED: Final = frozenset({OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT, OrderType.FOK, OrderType.IOC})
RESTING: Final = frozenset({OrderType.LIMIT})


@attrs.frozen
class OrderFault:
    """One thing that is wrong with an order."""

    field: str
    must_be: str
    was: str

    def __str__(self) -> str:
        return f"{self.field} must be {self.must_be}, was {self.was}"


def order_faults(intent: OrderIntent, pair: PairSpec | None) -> tuple[OrderFault, ...]:
    """Everything that is wrong with an order; nothing when the venue can take it as it is."""
    faults = [*_size(intent, pair)]
    bracket = intent.bracket
    faults += [*_prices(intent), *_kind(intent, pair)]
    return (*faults, *(() if bracket is None else _bracket(intent, bracket)))


def faults_as_sent(intent: OrderIntent, command: SubmitOrder, pair: PairSpec | None) -> tuple[OrderFault, ...]:
    """What is wrong with the `command` that an intent became, whose numbers are rounded. Levels of a bracket do not
    leave with it."""
    unpriced = intent.price is None and intent.aux_limit_price is None
    unpriced = unpriced and intent.trailing_distance is None and intent.oco_stop_price is None
    if intent.order_type is OrderType.MARKET and unpriced:
        # Most orders: there is no price that could be wrong, and its quantity was rounded.
        quantity = abs(command.amount)
        if pair is None or (pair.minimum <= quantity <= pair.maximum and not intent.margin and not pair.is_derivative):
            return ()
        return (*_quantity(quantity, pair), *_wallet(intent, pair))
    rounded = msgspec.structs.replace(
        intent,
        quantity=abs(command.amount),
        price=command.price,
        aux_limit_price=command.aux_limit_price,
        trailing_distance=command.trailing_distance,
        oco_stop_price=command.oco_stop_price,
        bracket=None,
    )
    return order_faults(rounded, pair)


def change_faults(
    *, price: Decimal | None, stop_price: Decimal | None, quantity: Decimal | None, pair: PairSpec | None
) -> tuple[OrderFault, ...]:
    """Everything that is wrong with what a resting order shall become; what is None stays as it is."""
    size = () if quantity is None else _quantity(quantity, pair)
    return tuple((*size, *_levels({"price": price, "stop_price": stop_price})))


def _size(intent: OrderIntent, pair: PairSpec | None) -> Iterable[OrderFault]:
    return _quantity(intent.quantity, pair)


def _quantity(quantity: Decimal, pair: PairSpec | None) -> Iterable[OrderFault]:
    if quantity != quantity.quantize(AMOUNT_STEP):
        yield OrderFault("quantity", "of at most 8 decimals", plain(quantity))
    if pair is None:
        return
    if quantity < pair.minimum:
        yield OrderFault("quantity", f"at least {plain(pair.minimum)} {pair.base}", plain(quantity))
    elif quantity > pair.maximum and pair.is_listed:
        yield OrderFault("quantity", f"at most {plain(pair.maximum)} {pair.base}", plain(quantity))


def _prices(intent: OrderIntent) -> Iterable[OrderFault]:
    bracket = intent.bracket
    return _levels(
        {
            "price": intent.price,
            "price_aux_limit": intent.aux_limit_price,
            "price_trailing": intent.trailing_distance,
            "price_oco_stop": intent.oco_stop_price,
            "stop_price": None if bracket is None else bracket.stop_price,
            "target_price": None if bracket is None else bracket.target_price,
            "activation_price": None if bracket is None else bracket.activation_price,
        }
    )


def _levels(prices: Mapping[str, Decimal | None]) -> Iterable[OrderFault]:
    for name, price in prices.items():
        if price is None:
            continue
        if price > LARGEST_PRICE:
            yield OrderFault(name, f"at most {plain(LARGEST_PRICE)}", plain(price))
        elif price != round_price(price):
            yield OrderFault(name, f"of at most {PRICE_DIGITS} significant digits (and 8 decimals)", plain(price))


def _kind(intent: OrderIntent, pair: PairSpec | None) -> Iterable[OrderFault]:
    kind = intent.order_type
    if intent.price is not None and kind not in PRICED:
        # An ignored price limit is money lost: the caller believed in it.
        yield OrderFault("price", f"absent for {kind.value}", plain(intent.price))
    for name, number, owner in (
        ("price_aux_limit", intent.aux_limit_price, OrderType.STOP_LIMIT),
        ("price_trailing", intent.trailing_distance, OrderType.TRAILING_STOP),
    ):
        if kind is owner and number is None:
            yield OrderFault(name, f"given for {owner.value}", "absent")
        elif kind is not owner and number is not None:
            yield OrderFault(name, f"absent for {kind.value}", plain(number))
    if intent.oco_stop_price is not None:
        if kind is not OrderType.LIMIT:
            yield OrderFault("price_oco_stop", "absent unless the type is LIMIT", plain(intent.oco_stop_price))
        elif intent.price is not None and (intent.oco_stop_price - intent.price) * intent.side.sign <= 0:
            where = "above" if intent.side.sign > 0 else "below"
            yield OrderFault("price_oco_stop", f"{where} the price {plain(intent.price)}", plain(intent.oco_stop_price))
    yield from _wallet(intent, pair)


def _wallet(intent: OrderIntent, pair: PairSpec | None) -> Iterable[OrderFault]:
    kind = intent.order_type
    if intent.margin and pair is not None and pair.initial_margin is None:
        yield OrderFault("type", f"EXCHANGE {kind.value}: {intent.symbol} has no margin", kind.value)
    if not intent.margin and pair is not None and pair.is_derivative:
        yield OrderFault("type", f"{kind.value}: a derivative is traded on margin", f"EXCHANGE {kind.value}")


def _bracket(intent: OrderIntent, bracket: Bracket) -> Iterable[OrderFault]:
    sign = intent.side.sign
    entry = intent.price if intent.order_type in RESTING else None
    if not intent.margin and sign < 0:
        yield OrderFault("side", "buy: a bracket on the exchange wallet protects coins that were bought", "sell")
    if intent.oco_stop_price is not None:
        yield OrderFault("price_oco_stop", "absent for a bracket, which brings its own", plain(intent.oco_stop_price))
    if bracket.trailing and bracket.has_target and not intent.margin:
        yield OrderFault(
            "target", "absent with a trailing stop on the exchange wallet: the same coins cannot rest twice", "given"
        )
    for name, price, way in (
        ("stop_price", bracket.stop_price, -1),
        ("target_price", bracket.target_price, 1),
        ("activation_price", bracket.activation_price, 1),
    ):
        if price is not None and entry is not None and (price - entry) * sign * way <= 0:
            where = "above" if way * sign > 0 else "below"
            yield OrderFault(name, f"{where} the entry's price {plain(entry)}", plain(price))
    stop, target = bracket.stop_price, bracket.target_price
    if stop is not None and target is not None and (target - stop) * sign <= 0:
        where = "above" if sign > 0 else "below"
        yield OrderFault("target_price", f"{where} the stop {plain(stop)}", plain(target))
    if bracket.stop_distance is not None and entry is not None and sign > 0 and bracket.stop_distance >= entry:
        yield OrderFault("stop_distance", f"below the entry's price {plain(entry)}", plain(bracket.stop_distance))


def order_notices(intent: OrderIntent) -> tuple[str, ...]:
    """What will be ignored about an order, in sentences."""
    notices = []
    if intent.post_only and intent.order_type is not OrderType.LIMIT:
        notices.append(f"post_only is ignored: a {intent.order_type.value} order does not rest")
    if intent.reduce_only and not intent.margin:
        notices.append("reduce_only is ignored: the exchange wallet cannot go below zero")
    if intent.hidden and intent.order_type in (OrderType.MARKET, OrderType.FOK, OrderType.IOC):
        notices.append(f"hidden is ignored: a {intent.order_type.value} order does not rest")
    return tuple(notices)
