"""The words every message shares: symbols, sides, time frames and exact numbers.

`price` is quote per base, `quantity` is base and positive, `notional` is quote. Times are integer milliseconds UTC
unless the name says otherwise. Money on the order, risk and account path is `Decimal`; market data is float64, which
holds every price and amount of the venue exactly (at most 15 significant digits), and `exact()` is the one door
between the two.
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from functools import cache
from typing import Final, NewType

Symbol = NewType("Symbol", str)
"""A Bitfinex trading symbol with its leading t, as `tBTCUSD` or `tDUSK:USD`."""

ZERO: Final = Decimal(0)
AMOUNT_STEP: Final = Decimal("0.00000001")
EXACT_BELOW: Final = Decimal(60_000_000)
"""The venue's JSON numbers are doubles. Below this (2**26) each amount of eight decimals is a double of its own. Above
it, where amounts of the cheapest coins are, only 15 digits come back as they went."""
_BLUR: Final = Decimal("1e-15")
"""Bitfinex rounds amounts to eight decimals."""
PRICE_DIGITS: Final = 5
"""Bitfinex cuts submitted prices to five significant digits."""


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is _BUY else -1

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


_BUY: Final = Side.BUY


TIMEFRAME_MS: Final[dict[str, int]] = {
    "1m": 60_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "3h": 10_800_000,
    "6h": 21_600_000,
    "12h": 43_200_000,
    "1D": 86_400_000,
    "1W": 604_800_000,
    "14D": 1_209_600_000,
}
"""Length of each Bitfinex time frame with a fixed length (a month, `1M`, has none)."""


def exact(number: float | int) -> Decimal:
    """The decimal number that a market-data float stands for: its shortest text, which is the text of the wire."""
    return Decimal(repr(number))


def plain(number: Decimal) -> str:
    """The one text of a number in orders, records and decisions: no exponent, no trailing zeros.

    >>> plain(Decimal("1.2300")), plain(Decimal("1E+3")), plain(Decimal("-0.0"))
    ('1.23', '1000', '0')
    """
    if not number:
        return "0"
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def floor_amount(quantity: Decimal) -> Decimal:
    """Cut a quantity to the venue's eight decimals, and a huge one to 15 digits, never rounding a holding up.

    >>> floor_amount(Decimal("0.123456789")), floor_amount(Decimal("923456789.12345678"))
    (Decimal('0.12345678'), Decimal('923456789.123456'))
    """
    if -EXACT_BELOW < quantity < EXACT_BELOW:
        return quantity.quantize(AMOUNT_STEP, rounding=ROUND_DOWN)
    return quantity.quantize(max(_steps(quantity.adjusted() - 14), AMOUNT_STEP), rounding=ROUND_DOWN)


def amount_blur(quantity: Decimal) -> Decimal:
    """How far two tellings of an amount, or of parts of it, may differ: nothing, but for huge ones."""
    return ZERO if -EXACT_BELOW < quantity < EXACT_BELOW else abs(quantity) * _BLUR


def crumb_of(quantity: Decimal) -> Decimal:
    """What `floor_amount` may leave of a huge holding that is sold: it is worth nothing, and no order can sell it."""
    return 10 * amount_blur(quantity)


def same_amount(one: Decimal, other: Decimal) -> bool:
    """Whether two amounts of the wire, or sums of such, may be the same."""
    return one == other or abs(one - other) <= amount_blur(one)


def round_amount(quantity: Decimal) -> Decimal:
    """Round to eight decimals, half to even."""
    return quantity.quantize(AMOUNT_STEP, rounding=ROUND_HALF_EVEN)


def round_price(price: Decimal) -> Decimal:
    """Cut a price to five significant digits (and at most eight decimals), as the venue does with submitted prices."""
    if price == 0:
        return price
    exponent = max(price.adjusted() - (PRICE_DIGITS - 1), -8)
    return price.quantize(_steps(exponent), rounding=ROUND_DOWN)


@cache
def _steps(exponent: int) -> Decimal:
    return Decimal(1).scaleb(exponent)


def base_currency(symbol: str) -> str:
    """`tBTCUSD` -> `BTC`, `tDUSK:USD` -> `DUSK`."""
    pair = symbol[1:]
    return pair.split(":")[0] if ":" in pair else pair[:-3]


def quote_currency(symbol: str) -> str:
    """`tBTCUSD` -> `USD`, `tBTCF0:USTF0` -> `USTF0`."""
    pair = symbol[1:]
    return pair.split(":")[1] if ":" in pair else pair[-3:]
