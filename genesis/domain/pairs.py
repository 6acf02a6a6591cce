"""What a venue says about the pairs it trades: sizes, margins, price steps."""

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Final

import attrs

from protocols.units import PRICE_DIGITS, Symbol, base_currency, quote_currency


@attrs.frozen(kw_only=True)
class PairSpec:
    """One pair. Sizes are base currency; the margins are fractions of the notional, None where it has no margin.

    A `maximum` of 0: the venue does not list it (any more).
    """

    symbol: Symbol
    minimum: Decimal
    maximum: Decimal
    initial_margin: Decimal | None = None
    minimum_margin: Decimal | None = None
    base: str = attrs.field(default=attrs.Factory(lambda self: base_currency(self.symbol), takes_self=True))
    quote: str = attrs.field(default=attrs.Factory(lambda self: quote_currency(self.symbol), takes_self=True))

    @property
    def pair(self) -> str:
        return self.symbol[1:]

    @property
    def is_derivative(self) -> bool:
        return self.base.endswith("F0") and self.quote.endswith("F0")

    @property
    def is_listed(self) -> bool:
        return self.maximum > 0

    @property
    def is_paper(self) -> bool:
        return self.base.startswith("TEST")


PairSpecs = Mapping[Symbol, PairSpec]


def _spot(symbol: str, minimum: str, maximum: str) -> PairSpec:
    return PairSpec(
        symbol=Symbol(symbol),
        minimum=Decimal(minimum),
        maximum=Decimal(maximum),
        initial_margin=Decimal("0.2"),
        minimum_margin=Decimal("0.1"),
    )


def _perpetual(symbol: str) -> PairSpec:
    return PairSpec(
        symbol=Symbol(symbol),
        minimum=Decimal("0.00004") if "BTC" in symbol else Decimal("0.0004"),
        maximum=Decimal("100") if "BTC" in symbol else Decimal("5000"),
        initial_margin=Decimal("0.01"),
        minimum_margin=Decimal("0.005"),
    )


_KNOWN: Final = (
    _spot("tBTCUSD", "0.00004", "2000"),
    _spot("tETHUSD", "0.0004", "5000"),
    _spot("tTESTBTC:TESTUSD", "0.00004", "2000"),
    _spot("tTESTETH:TESTUSD", "0.0004", "5000"),
)
"""Sizes are of the order of the venue's own, which change from time to time."""


def pair_specs(symbols: Iterable[str]) -> dict[Symbol, PairSpec]:
    """Specs for these symbols; an unknown pair gets a size of 0.0001 to 10,000 with the margins of the majors."""
    known = {spec.symbol: spec for spec in _KNOWN}
    return {
        Symbol(symbol): known.get(Symbol(symbol))
        or (_perpetual(symbol) if is_perpetual(symbol) else _spot(symbol, "0.0001", "10000"))
        for symbol in dict.fromkeys(symbols)
    }


def is_perpetual(symbol: str) -> bool:
    """Whether a symbol names a perpetual contract: both its currencies end in F0."""
    return ":" in symbol and base_currency(symbol).endswith("F0") and quote_currency(symbol).endswith("F0")


def perpetual_of(symbol: str) -> Symbol | None:
    """The contract on a pair in dollars: `tBTCUSD` -> `tBTCF0:USTF0`; None of another pair, or of a contract."""
    base, quote = base_currency(symbol), quote_currency(symbol)
    if quote == "USD":
        return Symbol(f"t{base}F0:USTF0")
    return Symbol(f"t{base}F0:TESTUSDTF0") if quote == "TESTUSD" else None


def paper_twin(symbol: str) -> Symbol:
    """The pair on which paper accounts trade what `symbol` does: `tBTCUSD` -> `tTESTBTC:TESTUSD`."""
    return Symbol(f"tTEST{base_currency(symbol)}:TEST{quote_currency(symbol)}")


@lru_cache(maxsize=256)
def _step(adjusted: int) -> Decimal:
    return Decimal(1).scaleb(max(adjusted - (PRICE_DIGITS - 1), -8))


def price_step(price: Decimal) -> Decimal:
    """The smallest difference of two prices of this size: five significant digits, at most eight decimals."""
    return _step(price.adjusted())


def price_down(price: Decimal) -> Decimal:
    """The highest valid price not above this one."""
    step = price_step(price)
    return (price / step).to_integral_value(ROUND_FLOOR) * step


def price_up(price: Decimal) -> Decimal:
    """The lowest valid price not below this one."""
    step = price_step(price)
    return (price / step).to_integral_value(ROUND_CEILING) * step
