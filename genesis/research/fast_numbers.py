"""Arithmetic of the fast runner: prices, amounts and fees as whole numbers, cut and rounded as the venue does.

Functions over plain numbers, the same compiled and not. A price is (digits, decimals), an amount counts
hundred-millionths.
"""

import math
from typing import Any, Final

from genesis.research.fast_places import (
    N_COST_DECIMALS,
    N_PRICE_DECIMALS,
    N_SLIP_DOWN,
    N_SLIP_UP,
    N_SPREAD_DOWN,
    N_SPREAD_UP,
)

NEAR = 1e-12


TENS: Final = tuple(10**power for power in range(19))
"""Powers of ten that fit into 64 bits."""


def ten(power: int) -> int:
    ten_to_it: int = TENS[power]
    return ten_to_it


def digits(number: int) -> int:
    count = 1
    while count < 15 and number >= TENS[count + 3]:
        count += 4
    while count < 19 and number >= TENS[count]:
        count += 1
    return count


def cut_places(number: int, decimals: int) -> int:
    """How many last digits go when a price is cut to five of them (and to eight decimals)."""
    return max(digits(number) - 5, decimals - 8)


def price_down(number: int, decimals: int) -> tuple[int, int]:
    """The highest price the venue takes that is not above number / 10**decimals: (digits, decimals)."""
    places = cut_places(number, decimals)
    if places <= 0:
        return number, decimals
    return number // ten(places), decimals - places


def price_up(number: int, decimals: int) -> tuple[int, int]:
    places = cut_places(number, decimals)
    if places <= 0:
        return number, decimals
    unit = ten(places)
    return (number + unit - 1) // unit, decimals - places


def ticks_of(price: float, unit: float) -> int:
    """A price of the market in the symbol's last decimal: a whole number, to the rounding of a float."""
    return int(price * unit + 0.5)


def taker_buys(tick: int, numbers: Any) -> tuple[int, int]:
    decimals = numbers[N_COST_DECIMALS]
    ask, ask_decimals = price_up(tick * numbers[N_SPREAD_UP], numbers[N_PRICE_DECIMALS] + decimals)
    return price_up(ask * numbers[N_SLIP_UP], ask_decimals + decimals)


def taker_sells(tick: int, numbers: Any) -> tuple[int, int]:
    decimals = numbers[N_COST_DECIMALS]
    bid, bid_decimals = price_down(tick * numbers[N_SPREAD_DOWN], numbers[N_PRICE_DECIMALS] + decimals)
    return price_down(bid * numbers[N_SLIP_DOWN], bid_decimals + decimals)


def value_of(price: int, decimals: int) -> float:
    return price / ten(decimals) if decimals >= 0 else float(price * ten(-decimals))


def notional_of(quantity: int, price: int, decimals: int) -> int:
    """Quote units of a trade, cut."""
    if decimals >= 0:
        return quantity * price // ten(decimals)
    return quantity * price * ten(-decimals)


def half_even(number: int, unit: int) -> int:
    whole = number // unit
    rest = number - whole * unit
    if 2 * rest > unit or (2 * rest == unit and whole % 2 == 1):
        return whole + 1
    return whole


def multiply_divide(one: int, other: int, by: int) -> int:
    """Whole part of one * other / by, though the product may have more than 64 bits.

    The estimate is right but for the last unit, and its rest is small, so it comes out right modulo 2**64 too.
    """
    whole = int(float(one) * float(other) / float(by))
    rest = one * other - whole * by
    while rest < 0:
        whole -= 1
        rest += by
    while rest >= by:
        whole += 1
        rest -= by
    return whole


def cut_float(number: float) -> tuple[int, int, bool]:
    """A positive number cut to five digits (at most eight decimals); False when its last bits decide."""
    power = math.floor(math.log10(number))
    decimals = min(4 - power, 8)
    scaled = number * ten(decimals) if decimals >= 0 else number / ten(-decimals)
    whole = int(scaled)
    sure = scaled - whole > 1e-7 and whole + 1 - scaled > 1e-7
    return whole, decimals, sure


def is_below(lost: float, allowed: float) -> int:
    """1 when lost < allowed, 0 when not, -1 when the last bits decide."""
    if lost == 0.0:
        return 1 if allowed > 0.0 else 0
    if abs(lost - allowed) <= NEAR:
        return -1
    return 1 if lost < allowed else 0


def lost_part(since: float, now: float) -> float:
    return (since - now) / since if since > now and since > 0.0 else 0.0


def first_above(ascending: Any, begin: int, end: int, value: int) -> int:
    """The first place in [begin, end) that holds more than `value`; `end` when there is none."""
    while begin < end:
        middle = (begin + end) // 2
        if ascending[middle] > value:
            end = middle
        else:
            begin = middle + 1
    return begin
