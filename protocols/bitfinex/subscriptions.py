"""A public stream by name: what to subscribe to, how to ask for it, and what the venue answers."""

from typing import Any, Final

import msgspec

from protocols.bitfinex.errors import ERR_SUBSCRIBE, LocalProtocolError
from protocols.bitfinex.symbols import accepted_symbol, is_funding_symbol

PRECISIONS: Final = ("P0", "P1", "P2", "P3", "P4", "R0")
FREQUENCIES: Final = ("F0", "F1")
LENGTHS: Final = (1, 25, 100, 250)
CHANNELS: Final = ("ticker", "trades", "book", "candles", "status")
CANDLE_TIMEFRAMES: Final = ("1m", "5m", "15m", "30m", "1h", "3h", "4h", "6h", "12h", "1D", "7D", "1W", "14D", "1M")
"""7D and 1W are the same length; the documents write one or the other. 4h is undocumented and known to one client."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True, order=True, cache_hash=True):
    """One stream. Build it with the functions below; equal streams are equal values, so it is a key of tables.

    `symbol` is what events of the stream carry (for funding candles with their period, as `fUSD:p30`), `timeframe` is
    "" but for candles, and the book fields are "" and 0 but for books.
    """

    channel: str
    symbol: str
    timeframe: str = ""
    key: str = ""
    precision: str = ""
    frequency: str = ""
    length: int = 0

    @property
    def name(self) -> str:
        """One text for logs and tables."""
        parts = (self.channel, self.key or self.symbol, self.precision, self.frequency, str(self.length or ""))
        return " ".join(part for part in parts if part)

    @property
    def is_funding(self) -> bool:
        return self.symbol.startswith("f")

    def fields(self) -> dict[str, Any]:
        """What `subscribe` sends, and `subscribed` and `error` echo."""
        if self.channel in ("candles", "status"):
            return {"channel": self.channel, "key": self.key}
        fields: dict[str, Any] = {"channel": self.channel, "symbol": self.symbol}
        if self.channel == "book":
            # The venue echoes the length as text whatever the client sent.
            fields |= {"prec": self.precision, "freq": self.frequency, "len": str(self.length)}
        return fields


def ticker(symbol: str) -> Subscription:
    return Subscription(channel="ticker", symbol=symbol)


def trades(symbol: str) -> Subscription:
    return Subscription(channel="trades", symbol=symbol)


def book(symbol: str, precision: str = "P0", frequency: str = "F0", length: int = 25) -> Subscription:
    if precision not in PRECISIONS:
        raise LocalProtocolError(f"precision must be one of {PRECISIONS}, was {precision!r}")
    if frequency not in FREQUENCIES:
        raise LocalProtocolError(f"frequency must be one of {FREQUENCIES}, was {frequency!r}")
    if length not in LENGTHS:
        raise LocalProtocolError(f"length must be one of {LENGTHS}, was {length}")
    return Subscription(channel="book", symbol=symbol, precision=precision, frequency=frequency, length=length)


def candles(symbol: str, timeframe: str, funding_period: str = "") -> Subscription:
    """`funding_period` is `p30` or `a30:p2:p30`, for funding symbols only (which need one)."""
    if timeframe not in CANDLE_TIMEFRAMES:
        raise LocalProtocolError(f"timeframe must be one of {CANDLE_TIMEFRAMES}, was {timeframe!r}")
    if bool(funding_period) != is_funding_symbol(symbol):
        raise LocalProtocolError(f"funding_period must be given for funding symbols only, was {funding_period!r}")
    named = f"{symbol}:{funding_period}" if funding_period else symbol
    return Subscription(channel="candles", symbol=named, timeframe=timeframe, key=f"trade:{timeframe}:{named}")


def derivative_status(symbol: str) -> Subscription:
    return Subscription(channel="status", symbol=symbol, key=f"deriv:{symbol}")


def liquidations() -> Subscription:
    return Subscription(channel="status", symbol="global", key="liq:global")


class SubscribeRefused(Exception):
    """Why the venue answers a subscription with `error` (server side)."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text
        super().__init__(f"{code}: {text}")


def read_subscription(event: dict[str, Any]) -> Subscription:
    """The stream that a `subscribe`, `subscribed` or `error` event is about.

    Accepts what the venue accepts: a trading symbol without its t, `len` as number or text, defaults for a book.
    Raises SubscribeRefused with the venue's code and text.
    """
    channel = event.get("channel")
    if channel not in CHANNELS:
        raise SubscribeRefused(ERR_SUBSCRIBE, "channel: unknown")
    if channel in ("candles", "status"):
        key = event.get("key")
        return _read_key(channel, key if isinstance(key, str) else "")
    # `pair` is what version 1 called it; some clients send it still.
    text = event.get("symbol", event.get("pair"))
    symbol = accepted_symbol(text) if isinstance(text, str) else None
    if symbol is None:
        raise SubscribeRefused(ERR_SUBSCRIBE, "symbol: invalid")
    if channel != "book":
        return Subscription(channel=channel, symbol=symbol)
    precision = event.get("prec", "P0")
    frequency = event.get("freq", "F0")
    if precision not in PRECISIONS:
        raise SubscribeRefused(ERR_SUBSCRIBE, "precision: invalid")
    if frequency not in FREQUENCIES:
        raise SubscribeRefused(ERR_SUBSCRIBE, "frequency: invalid")
    asked = event.get("len", "25")
    length = next((known for known in LENGTHS if asked == known or asked == str(known)), None)
    if length is None:
        raise SubscribeRefused(ERR_SUBSCRIBE, "length: invalid")
    return Subscription(channel="book", symbol=symbol, precision=precision, frequency=frequency, length=length)


def _read_key(channel: str, key: str) -> Subscription:
    kind, _, rest = key.partition(":")
    if channel == "candles":
        timeframe, _, symbol = rest.partition(":")
        plain_symbol, _, period = symbol.partition(":") if symbol.startswith("f") else (symbol, "", "")
        known = accepted_symbol(plain_symbol) == plain_symbol and bool(period) == is_funding_symbol(plain_symbol)
        if kind == "trade" and timeframe in CANDLE_TIMEFRAMES and known:
            return Subscription(channel=channel, symbol=symbol, timeframe=timeframe, key=key)
    elif kind == "deriv" and accepted_symbol(rest) == rest:
        return Subscription(channel=channel, symbol=rest, key=key)
    elif key == "liq:global":
        return Subscription(channel=channel, symbol="global", key=key)
    raise SubscribeRefused(ERR_SUBSCRIBE, "key: invalid")
