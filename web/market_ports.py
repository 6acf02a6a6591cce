"""What the market routes may ask of the engine: the pool, the budget, prices with their source."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from protocols.market import Candle, DerivStatus, FundingTicker, Ticker


class PoolSocket(msgspec.Struct, frozen=True, kw_only=True):
    """One public socket and the streams it shall carry."""

    name: str
    status: str
    room: int
    reconnects: int
    last_error: str | None
    streams: tuple[str, ...]


class Priced(msgspec.Struct, frozen=True, kw_only=True):
    """`source` is ws, cache or rest. Of a funding currency `funding` is filled in, of a perpetual `contract`."""

    source: str
    age_s: float
    ticker: Ticker | None = None
    candles: tuple[Candle, ...] = ()
    funding: FundingTicker | None = None
    contract: DerivStatus | None = None


class Symbols(msgspec.Struct, frozen=True, kw_only=True):
    """Every pair of the venue, and what its own currency codes mean elsewhere."""

    symbols: tuple[str, ...]
    currencies: dict[str, str]


class MarketSilent(Exception):
    """Neither stream nor REST could say it; the text tells why."""


@attrs.frozen(kw_only=True)
class MarketPorts:
    """What these routes look at; the roof fills them in. `fresh` and `symbols` raise MarketSilent."""

    pool: Callable[[], Sequence[PoolSocket]]
    budget: Callable[[], Mapping[str, Any]]
    fresh: Callable[[str, str | None, int, bool], Awaitable[Priced]]
    symbols: Callable[[], Awaitable[Symbols]]
