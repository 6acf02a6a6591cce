"""What the venue counts of a market beside prices: open interest, lending, liquidations, leader boards.

Asked over REST when somebody looks, and said again for as long as the venue itself would say nothing newer: it counts
by the minute, and gives liquidations to an address three times a minute.
"""

from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

import attrs

from genesis.core.clock import Clock
from genesis.domain.pairs import perpetual_of
from genesis.edge.rest import RestDoor
from genesis.kept_answers import KeptAnswers
from genesis.venue_asking import ask_venue
from protocols.bitfinex import rest_requests
from protocols.bitfinex.rest import (
    read_average_price,
    read_funding_statistics,
    read_liquidations,
    read_rankings,
    read_statistics,
)
from protocols.bitfinex.rest_requests import RestRequest
from protocols.market import Liquidation
from protocols.reference import FundingStatistic, Ranking, Statistic
from protocols.units import Side, plain
from web.market_ports import FillEstimate, OpenInterest

MINUTE_S: Final = 60.0
"""The step of the venue's own counting."""
BOOK_TTL_S: Final = 2.0
MOST_LIQUIDATIONS: Final = 500

T = TypeVar("T")


@attrs.define(kw_only=True, eq=False)
class MarketFigures:
    """One a process. Every method may raise VenueSilent or VenueRefused (an unknown symbol)."""

    door: RestDoor
    clock: Clock
    _kept: KeptAnswers = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._kept = KeptAnswers(self.clock)

    async def interest(self, symbol: str, limit: int) -> OpenInterest:
        """Sizes of all long and of all short positions on margin of a pair, base currency, a value a minute."""
        return OpenInterest(
            symbol=symbol,
            longs=await self._positions(symbol, "long", limit),
            shorts=await self._positions(symbol, "short", limit),
        )

    async def _positions(self, symbol: str, side: str, limit: int) -> tuple[Statistic, ...]:
        request = rest_requests.statistics(f"pos.size:1m:{symbol}:{side}", limit=limit)
        return await self._told(request.target, request, read_statistics)

    async def lending(self, symbol: str, limit: int) -> Sequence[FundingStatistic]:
        request = rest_requests.funding_statistics(symbol, limit=limit)
        return await self._told(request.target, request, read_funding_statistics)

    async def liquidations(self, symbol: str | None, limit: int) -> Sequence[Liquidation]:
        """Of all markets, or of one pair and the contract on it. The venue gives the newest of all markets at once."""

        def read(value: object) -> tuple[Liquidation, ...]:
            return read_liquidations(value, received_ns=self.clock.now_ns())

        found = await self._told("liquidations", rest_requests.liquidations(limit=MOST_LIQUIDATIONS), read)
        wanted = None if symbol is None else (symbol, perpetual_of(symbol))
        return [each for each in found if wanted is None or each.symbol in wanted][:limit]

    async def rankings(self, key: str, timeframe: str, symbol: str, limit: int) -> Sequence[Ranking]:
        request = rest_requests.rankings(f"{key}:{timeframe}:{symbol}", limit=limit)
        return await self._told(request.target, request, read_rankings)

    async def average_price(self, symbol: str, side: Side, quantity: Decimal) -> FillEstimate:
        request = rest_requests.average_price(symbol, plain(quantity * side.sign))
        key = (request.path, request.body)
        price, filled = await self._told(key, request, read_average_price, BOOK_TTL_S)
        return FillEstimate(symbol=symbol, side=side, quantity=abs(filled), price=price)

    async def _told(self, key: Hashable, request: RestRequest, read: Callable[[Any], T], ttl_s: float = MINUTE_S) -> T:
        async def ask() -> T:
            return await ask_venue(self.door, request, read, exact=False)

        return (await self._kept.get(key, ask, ttl_s)).value
