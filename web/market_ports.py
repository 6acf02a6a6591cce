"""What the market routes may ask of the engine: the pool, the budget, prices with their source."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import attrs
import msgspec

from protocols.market import Candle, DerivStatus, FundingTicker, Liquidation, Ticker
from protocols.reference import FundingStatistic, Ranking, Statistic
from protocols.units import Side


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


class OpenInterest(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes of all positions on margin in a pair, base currency, a value a minute, newest first."""

    symbol: str
    longs: tuple[Statistic, ...]
    shorts: tuple[Statistic, ...]


class FillEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a market order would get of the book now: so much of it, at this price on average."""

    symbol: str
    side: Side
    quantity: float
    price: float


class Figures(Protocol):
    """What the venue counts of markets; lists are newest first. Each may raise VenueSilent or VenueRefused."""

    async def interest(self, symbol: str, limit: int) -> OpenInterest: ...
    async def lending(self, symbol: str, limit: int) -> Sequence[FundingStatistic]: ...
    async def liquidations(self, symbol: str | None, limit: int) -> Sequence[Liquidation]: ...
    async def rankings(self, key: str, timeframe: str, symbol: str, limit: int) -> Sequence[Ranking]: ...
    async def average_price(self, symbol: str, side: Side, quantity: Decimal) -> FillEstimate: ...


class MarketSilent(Exception):
    """Neither stream nor REST could say it; the text tells why."""


@attrs.frozen(kw_only=True)
class MarketPorts:
    """What these routes look at; the roof fills them in. `fresh` and `symbols` raise MarketSilent."""

    pool: Callable[[], Sequence[PoolSocket]]
    budget: Callable[[], Mapping[str, Any]]
    fresh: Callable[[str, str | None, int, bool], Awaitable[Priced]]
    symbols: Callable[[], Awaitable[Symbols]]
    figures: Figures | None = None
