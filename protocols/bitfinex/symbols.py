"""How the venue spells what it trades: trading symbols with a t, funding symbols with an f, currencies of its own."""

import re
from typing import Final

from protocols.bitfinex.errors import LocalProtocolError
from protocols.units import Symbol

# Both parts glued when both have three letters, else with a colon; digits, F0 and a few marks occur in names.
_TRADING: Final = re.compile(r"t(?:[A-Z0-9]{3}[A-Z0-9]{3}|[A-Z0-9+\-_.]{2,20}:[A-Z0-9+\-_.]{2,20}|[A-Z0-9]{5,12})")
_FUNDING: Final = re.compile(r"f[A-Z0-9]{2,12}")

COMMON_NAMES: Final[dict[str, str]] = {
    "UST": "USDT",
    "USTF0": "USDT",
    "UDC": "USDC",
    "IOT": "IOTA",
    "DSH": "DASH",
    "ALG": "ALGO",
    "ATO": "ATOM",
    "AMP": "AMPL",
    "DAT": "DATA",
    "MNA": "MANA",
    "QSH": "QASH",
    "QTM": "QTUM",
    "BAB": "BCH",
    "BCHN": "BCH",
    "STJ": "STORJ",
    "YYW": "YOYOW",
    "EUT": "EURT",
}
"""The codes that differ from what others call the currency; the whole map is conf pub:map:currency:sym."""


def is_trading_symbol(text: str) -> bool:
    return _TRADING.fullmatch(text) is not None


def is_funding_symbol(text: str) -> bool:
    return _FUNDING.fullmatch(text) is not None


def trading_symbol(base: str, quote: str) -> Symbol:
    """`BTC`, `USD` -> `tBTCUSD`; `DUSK`, `USD` -> `tDUSK:USD`. Raises LocalProtocolError on names of no currency."""
    pair = f"{base}{quote}" if len(base) == 3 and len(quote) == 3 else f"{base}:{quote}"
    symbol = f"t{pair}"
    if not is_trading_symbol(symbol):
        raise LocalProtocolError(f"currencies must be upper-case codes, was {base!r} and {quote!r}")
    return Symbol(symbol)


def symbol_of_pair(pair: str) -> Symbol:
    """The symbol of a pair as the conf lists spell it (without t)."""
    return Symbol(pair if pair.startswith("t") and is_trading_symbol(pair) else f"t{pair}")


def pair_of_symbol(symbol: str) -> str:
    """`tBTCUSD` -> `BTCUSD`, `fUSD` -> `USD`."""
    return symbol[1:]


def accepted_symbol(text: str) -> str | None:
    """What the venue makes of a symbol in a subscription: a missing t is added, anything else is refused (None)."""
    if is_trading_symbol(text) or is_funding_symbol(text):
        return text
    with_t = f"t{text}"
    return with_t if is_trading_symbol(with_t) else None


def is_derivative(symbol: str) -> bool:
    """Perpetual contracts: both currencies end in F0."""
    base, _, quote = symbol[1:].partition(":")
    return base.endswith("F0") and quote.endswith("F0")
