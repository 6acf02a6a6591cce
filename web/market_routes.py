"""What the market data comes from: the pool of sockets, the REST budget, and prices with their source."""

from typing import Any, Final

import msgspec

from web.api import Api, Call, Route
from web.bodies import Strict
from web.errors import ApiError
from web.market_ports import MarketPorts, MarketSilent, PoolSocket, Priced, Symbols
from web.tokens import Scope


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    sockets: tuple[PoolSocket, ...]
    streams: int


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens and utilisation by class and endpoint, and the circuit breaker of each endpoint."""

    classes: dict[str, Any]
    endpoints: dict[str, Any]
    breakers: dict[str, Any]


class FreshQuery(Strict, frozen=True, kw_only=True):
    """With `timeframe` candles, without it the ticker; of `fUSD` its rates, of `tBTCF0:USTF0` the contract's status.

    `force_fresh` asks the venue whatever is known.
    """

    symbol: str
    timeframe: str | None = None
    limit: int = 100
    force_fresh: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= 10_000:
            raise ValueError(f"limit must be in 1..10000, was {self.limit}")
        if len(self.symbol) > 40 or not self.symbol.startswith(("t", "f")):
            raise ValueError("symbol must be a pair such as tBTCUSD, a contract or a funding currency such as fUSD")


def _ports(api: Api) -> MarketPorts:
    ports = api.controls.market
    if ports is None:
        raise ApiError(404, "this engine has no market of its own", code="no_market")
    return ports


async def pool(api: Api, call: Call) -> Pool:
    sockets = tuple(_ports(api).pool())
    return Pool(sockets=sockets, streams=sum(len(each.streams) for each in sockets))


async def rate_limiter(api: Api, call: Call) -> Budget:
    return Budget(**_ports(api).budget())


async def fresh(api: Api, call: Call) -> Priced:
    query: FreshQuery = call.query
    try:
        return await _ports(api).fresh(query.symbol, query.timeframe, query.limit, query.force_fresh)
    except MarketSilent as silent:
        raise ApiError(503, str(silent), code="no_market_data") from None


async def symbols(api: Api, call: Call) -> Symbols:
    try:
        return await _ports(api).symbols()
    except MarketSilent as silent:
        raise ApiError(503, str(silent), code="no_market_data") from None


V2: Final = "/api/v2"
MARKET: Final = (
    Route(
        method="GET",
        path=f"{V2}/market/pool",
        scope=Scope.READ,
        handler=pool,
        answer=Pool,
        needs="market",
        tag="market",
        summary="The public sockets: what each carries, how it is, and how much room it has.",
    ),
    Route(
        method="GET",
        path=f"{V2}/market/fresh",
        scope=Scope.READ,
        handler=fresh,
        answer=Priced,
        query=FreshQuery,
        needs="market",
        tag="market",
        summary="A ticker or candles with their source: the stream while it speaks, else REST, with a short memory.",
        statuses=(503,),
    ),
    Route(
        method="GET",
        path=f"{V2}/market/symbols",
        scope=Scope.READ,
        handler=symbols,
        answer=Symbols,
        needs="market",
        tag="market",
        summary="Every pair that the venue trades, and its currency map.",
        etag=True,
        statuses=(503,),
    ),
    Route(
        method="GET",
        path=f"{V2}/debug/rate_limiter",
        scope=Scope.READ,
        handler=rate_limiter,
        answer=Budget,
        needs="market",
        tag="engine",
        summary="The REST budget: tokens, utilisation, waits, and every circuit breaker with its time until it opens.",
    ),
)
