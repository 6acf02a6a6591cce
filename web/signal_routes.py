"""What the engine thinks of the market: regimes, the watchlist, and signals with their history."""

from collections.abc import Iterable
from typing import Final

import attrs
import msgspec

from genesis.domain.features import depth_imbalance, flow, top_features
from genesis.domain.signal_search import SignalSearch
from genesis.domain.strategies import STRATEGY_KINDS
from genesis.domain.strategies.probability_gated import NAME as GATED
from genesis.domain.strategy_books import at_prices
from protocols.market import BookTop
from protocols.regime import RegimeView
from protocols.signals import Recommendation, SignalScore
from protocols.units import TIMEFRAME_MS, Symbol, exact
from web.api import Api, Call, Route
from web.errors import ApiError
from web.signal_models import (
    KindParameter,
    KindView,
    LatestSignals,
    OffStrategy,
    RegimeHistory,
    RegimeHistoryQuery,
    RegimeQuery,
    Regimes,
    SignalHistory,
    SignalSearchQuery,
    Strategies,
    Watched,
    WatchedStrategy,
    Watchlist,
    WatchlistQuery,
)
from web.tokens import Scope

V2: Final = "/api/v2"
DEPTH_LEVELS: Final = 25
FLOW_MS: Final = 300_000
"""How far back trades count for the flow, from the newest one."""


async def regimes(api: Api, call: Call) -> Regimes:
    query: RegimeQuery = call.query
    return Regimes(regimes=tuple(_regimes(api, query.timeframe)))


async def regime_of_symbol(api: Api, call: Call) -> Regimes:
    query: RegimeQuery = call.query
    symbol = call.path["symbol"]
    found = tuple(view for view in _regimes(api, query.timeframe) if view.symbol == symbol)
    if not found and symbol not in api.readers.status().symbols:
        raise ApiError(404, f"no regime of {symbol[:40]} is known", code="unknown_symbol")
    return Regimes(regimes=found)


async def regime_history(api: Api, call: Call) -> RegimeHistory:
    query: RegimeHistoryQuery = call.query
    every = [
        spell
        for spells in api.readers.regime_spells().values()
        for spell in spells
        if query.symbol in (None, spell.symbol) and query.timeframe in (None, spell.timeframe)
    ]
    from_ms, to_ms = query.from_ms, query.to_ms
    found = [
        spell
        for spell in every
        if (from_ms is None or spell.until_ms + TIMEFRAME_MS[spell.timeframe] > from_ms)
        and (to_ms is None or spell.since_ms <= to_ms)
    ]
    found.sort(key=lambda spell: (-spell.since_ms, spell.symbol, spell.timeframe))
    return RegimeHistory(
        total=len(found),
        known_since_ms=min((spell.since_ms for spell in every), default=None),
        spells=tuple(found[query.offset : query.offset + query.limit]),
    )


def _regimes(api: Api, timeframe: str | None) -> Iterable[RegimeView]:
    return (view for view in api.readers.regimes() if timeframe in (None, view.timeframe))


async def watchlist(api: Api, call: Call) -> Watchlist:
    query: WatchlistQuery = call.query
    status = api.readers.status()
    return Watchlist(
        venue_ms=status.venue_ms, symbols=tuple(_watched(api, symbol, query.timeframe) for symbol in status.symbols)
    )


def _watched(api: Api, symbol: str, timeframe: str | None) -> Watched:
    readers = api.readers
    ticker, top, account = readers.tickers().get(symbol), readers.tops().get(symbol), readers.account()
    position = next((each for each in account.positions if each.symbol == symbol), None) if account else None
    if top is None and ticker is not None:
        top = BookTop(
            symbol=ticker.symbol,
            bid=ticker.bid,
            bid_size=ticker.bid_size,
            ask=ticker.ask,
            ask_size=ticker.ask_size,
            venue_ms=ticker.venue_ms,
            received_ns=ticker.received_ns,
        )
    book = {} if top is None else top_features(top)
    prints = readers.prints(symbol)
    levels = readers.depth(Symbol(symbol), DEPTH_LEVELS)
    views = [view for view in _regimes(api, timeframe) if view.symbol == symbol]
    return Watched(
        symbol=symbol,
        last=None if ticker is None else ticker.last,
        daily_change=None if ticker is None else ticker.daily_change_relative,
        bid=top.bid if top is not None and book else None,
        ask=top.ask if top is not None and book else None,
        spread_bps=book.get("spread_bps"),
        imbalance=book.get("imbalance"),
        depth_imbalance=None if levels is None else depth_imbalance(levels),
        flow=flow(prints, since_ms=prints[-1].time_ms - FLOW_MS) if prints else None,
        regime=max(views, key=lambda view: TIMEFRAME_MS[view.timeframe], default=None),
        position=0.0 if position is None else float(position.quantity),
        unrealized_pnl=0.0 if position is None else float(position.unrealized_pnl),
        stale=tuple(
            f"{one.stream} {one.timeframe}".strip() for one in readers.freshness() if one.symbol == symbol and one.stale
        ),
        strategies=_strategies(api, symbol),
    )


def _strategies(api: Api, symbol: str | None) -> tuple[WatchedStrategy, ...]:
    newest: dict[str, SignalScore] = {}
    acted: dict[str, SignalScore] = {}
    for score in api.readers.signals():
        newest[score.strategy] = score
        # What a strategy says of candles from before the start, or behind a hole, risk never lets trade.
        if score.recommendation is not Recommendation.HOLD and not score.catch_up:
            acted[score.strategy] = score
    return tuple(
        WatchedStrategy(
            strategy=one.name, timeframe=one.timeframe, newest=newest.get(one.name), acted=acted.get(one.name)
        )
        for one in api.readers.settings().strategies
        if one.enabled and symbol in (None, one.symbol)
    )


async def latest(api: Api, call: Call) -> LatestSignals:
    return LatestSignals(strategies=_strategies(api, None))


async def history(api: Api, call: Call) -> SignalHistory:
    ports = api.controls.signals
    assert ports is not None, "the route needs this control"
    found = await ports.search(SignalSearch(**msgspec.structs.asdict(call.query)))
    return SignalHistory(**attrs.asdict(found, recurse=False))


async def strategies(api: Api, call: Call) -> Strategies:
    kinds = sorted(STRATEGY_KINDS.values(), key=lambda kind: (kind.name not in STRATEGY_KINDS.users, kind.name))
    return Strategies(
        settings_version=api.readers.config().version,
        running=tuple(api.readers.strategies()),
        off=tuple(
            OffStrategy(
                strategy=one.name,
                kind=one.kind,
                symbol=one.symbol,
                timeframe=one.timeframe,
                parameters=one.parameters,
            )
            for one in api.readers.settings().strategies
            if not one.enabled
        ),
        books=at_prices(
            api.readers.books(),
            {symbol: exact(ticker.last) for symbol, ticker in api.readers.tickers().items() if ticker.last > 0},
        ),
        kinds=tuple(
            KindView(
                kind=kind.name,
                version=kind.version,
                own=kind.name in STRATEGY_KINDS.users and kind.name != GATED,
                text=kind.text,
                fault=kind.fault,
                parameters=tuple(KindParameter(**attrs.asdict(each)) for each in kind.parameters),
            )
            for kind in kinds
        ),
    )


SIGNALS: Final = (
    Route(
        method="GET",
        path=f"{V2}/strategies",
        scope=Scope.READ,
        handler=strategies,
        answer=Strategies,
        tag="decisions",
        summary="Every strategy that runs, or why it is off, those not enabled, and every kind that settings may name.",
    ),
    Route(
        method="GET",
        path=f"{V2}/regime",
        scope=Scope.READ,
        handler=regimes,
        answer=Regimes,
        query=RegimeQuery,
        tag="decisions",
        summary="What kind of market every symbol is in, on every time frame: range, trend, wild or crash, and why.",
    ),
    Route(
        method="GET",
        path=f"{V2}/regime/history",
        scope=Scope.READ,
        handler=regime_history,
        answer=RegimeHistory,
        query=RegimeHistoryQuery,
        tag="decisions",
        summary="The stretches of every regime, newest first: from when to when, how many candles, what the price did.",
    ),
    Route(
        method="GET",
        path=f"{V2}/regime/{{symbol}}",
        scope=Scope.READ,
        handler=regime_of_symbol,
        answer=Regimes,
        query=RegimeQuery,
        tag="decisions",
        summary="The regime of one symbol, on each of its time frames.",
        statuses=(404,),
    ),
    Route(
        method="GET",
        path=f"{V2}/watchlist",
        scope=Scope.READ,
        handler=watchlist,
        answer=Watchlist,
        query=WatchlistQuery,
        tag="decisions",
        summary="Every watched symbol in one call: price, spread, book imbalance, regime, position, newest signals.",
    ),
    Route(
        method="GET",
        path=f"{V2}/signals/latest",
        scope=Scope.READ,
        handler=latest,
        answer=LatestSignals,
        tag="decisions",
        summary="The newest word of every enabled strategy, and its newest that was not hold.",
    ),
    Route(
        method="GET",
        path=f"{V2}/signals/history",
        scope=Scope.READ,
        handler=history,
        answer=SignalHistory,
        query=SignalSearchQuery,
        needs="signals",
        tag="decisions",
        summary="Search every signal in the journal by symbol, strategy, recommendation, confidence and time.",
    ),
)
