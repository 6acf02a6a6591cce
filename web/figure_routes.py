"""What the venue counts of a market: open interest, lending, liquidations, leader boards, what a market order would
get."""

from collections.abc import Awaitable
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from protocols.market import Liquidation
from protocols.reference import FundingStatistic, Ranking
from protocols.units import Side
from web.api import Api, Call, Route
from web.bodies import Limit, Strict, SymbolText
from web.desk import VenueSilent
from web.errors import ApiError
from web.intents import invalid
from web.market_ports import Figures, FillEstimate, OpenInterest
from web.tokens import Scope
from web.venue_faults import venue_fault

V2: Final = "/api/v2"
FundingText = Annotated[str, msgspec.Meta(pattern=r"^f[A-Z0-9]{2,12}$", description="a funding symbol such as fUSD")]

T = TypeVar("T")


class InterestQuery(Strict, frozen=True, kw_only=True):
    symbol: SymbolText
    limit: Limit = 60


class LendingQuery(Strict, frozen=True, kw_only=True):
    symbol: FundingText
    limit: Annotated[int, msgspec.Meta(ge=1, le=250)] = 24


class LiquidationsQuery(Strict, frozen=True, kw_only=True):
    """`symbol` names a pair; the contract on it counts as well."""

    symbol: SymbolText | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50


class RankingsQuery(Strict, frozen=True, kw_only=True):
    """`key`: vol by volume, plu by open profit, plu_diff by its change, plr by profit that was taken.

    Profit is ranked over all markets, `tGLOBAL:USD`.
    """

    key: Literal["vol", "plu", "plu_diff", "plr"] = "vol"
    timeframe: Literal["3h", "1w", "1M"] = "1w"
    symbol: SymbolText = "tGLOBAL:USD"
    limit: Limit = 25


class EstimateQuery(Strict, frozen=True, kw_only=True):
    symbol: SymbolText
    side: Side
    quantity: Decimal


class Lending(msgspec.Struct, frozen=True, kw_only=True):
    """Rates are fractions a day; `flash_return_rate` as the venue writes it is 1/365 of the yearly one."""

    symbol: str
    statistics: tuple[FundingStatistic, ...]


class Liquidations(msgspec.Struct, frozen=True, kw_only=True):
    liquidations: tuple[Liquidation, ...]


class Rankings(msgspec.Struct, frozen=True, kw_only=True):
    rankings: tuple[Ranking, ...]


def _figures(api: Api) -> Figures:
    market = api.controls.market
    if market is None or market.figures is None:
        raise ApiError(404, "this engine cannot ask the venue about markets", code="no_such_control")
    return market.figures


async def _told(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except VenueSilent as error:
        raise venue_fault(error) from None


async def interest(api: Api, call: Call) -> OpenInterest:
    query: InterestQuery = call.query
    return await _told(_figures(api).interest(query.symbol, query.limit))


async def lending(api: Api, call: Call) -> Lending:
    query: LendingQuery = call.query
    found = await _told(_figures(api).lending(query.symbol, query.limit))
    return Lending(symbol=query.symbol, statistics=tuple(found))


async def liquidations(api: Api, call: Call) -> Liquidations:
    query: LiquidationsQuery = call.query
    return Liquidations(liquidations=tuple(await _told(_figures(api).liquidations(query.symbol, query.limit))))


async def rankings(api: Api, call: Call) -> Rankings:
    query: RankingsQuery = call.query
    found = await _told(_figures(api).rankings(query.key, query.timeframe, query.symbol, query.limit))
    return Rankings(rankings=tuple(found))


async def average_price(api: Api, call: Call) -> FillEstimate:
    query: EstimateQuery = call.query
    if not query.quantity.is_finite() or not 0 < query.quantity < 10**12 or query.quantity.adjusted() < -12:
        raise invalid("quantity", "a number above zero", str(query.quantity)[:40])
    return await _told(_figures(api).average_price(query.symbol, query.side, query.quantity))


def _route(path: str, handler: Any, answer: Any, query: Any, summary: str) -> Route:
    return Route(
        method="GET",
        path=path,
        scope=Scope.READ,
        handler=handler,
        answer=answer,
        query=query,
        needs="market",
        tag="market",
        summary=summary,
        statuses=(409, 503),
    )


FIGURES: Final = (
    _route(
        f"{V2}/market/interest",
        interest,
        OpenInterest,
        InterestQuery,
        "Open interest: how much all long and all short positions on margin in a pair hold, minute by minute.",
    ),
    _route(
        f"{V2}/market/lending",
        lending,
        Lending,
        LendingQuery,
        "How much of a currency is lent and used, and at which rate, hour by hour.",
    ),
    _route(
        f"{V2}/market/liquidations",
        liquidations,
        Liquidations,
        LiquidationsQuery,
        "Positions that the venue took over, of all markets or of one pair and its contract, newest first.",
    ),
    _route(f"{V2}/market/rankings", rankings, Rankings, RankingsQuery, "The venue's leader boards."),
    _route(
        f"{V2}/market/average-price",
        average_price,
        FillEstimate,
        EstimateQuery,
        "What a market order of this size would get of the book now.",
    ),
)
