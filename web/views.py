"""The reading routes: each looks at one reader, filters, and answers."""

from collections.abc import Sequence
from typing import Any, TypeVar

from genesis.domain.live_performance import LivePerformance
from protocols.health import ActorStatus
from protocols.orders import TERMINAL_STATES
from protocols.risk import TradingState
from protocols.signals import Recommendation
from web.api import Api, Call
from web.bodies import CandlesQuery, DecisionsQuery, EquityQuery, ListQuery, OrdersQuery, SignalsQuery, TickerQuery
from web.errors import ApiError
from web.feed import thin
from web.metrics import walk
from web.models import (
    Actors,
    Candles,
    Decisions,
    EngineStatus,
    Equity,
    Health,
    HealthPart,
    Notices,
    Orders,
    Positions,
    RiskAnswer,
    Signals,
    Tickers,
    Trades,
    Wallets,
)
from web.stops import with_stops

T = TypeVar("T")


def _page(rows: Sequence[T], query: ListQuery) -> tuple[T, ...]:
    """Newest first, one page of it."""
    end = len(rows) - query.offset
    return tuple(reversed(rows[max(0, end - query.limit) : max(0, end)]))


def _of_symbol(rows: Sequence[Any], symbol: str | None) -> list[Any]:
    return [row for row in rows if symbol is None or row.symbol == symbol]


def health_of(api: Api) -> Health:
    """The engine's health in parts; degraded when one of them is not well, down when it cannot trade at all."""
    readers = api.readers
    status = readers.status()
    parts: list[HealthPart] = []
    tree = readers.actors()
    if tree is not None:
        for path, actor in walk(tree):
            if actor.children:
                continue
            ok = actor.status in (ActorStatus.RUNNING, ActorStatus.STARTING)
            detail = actor.status.value if ok or not actor.last_error else f"{actor.status.value}: {actor.last_error}"
            parts.append(HealthPart(name=f"actor {path}", ok=ok, detail=detail))
    for connection in readers.connections():
        ok = connection.status in ("up", "idle")
        parts.append(HealthPart(name=f"connection {connection.name}", ok=ok, detail=connection.status))
    stale = [view for view in readers.freshness() if view.stale]
    parts.append(
        HealthPart(
            name="data",
            ok=not stale,
            detail="fresh" if not stale else "stale: " + ", ".join(f"{v.stream} {v.symbol}" for v in stale[:10]),
        )
    )
    parts += [HealthPart(name=one.name, ok=one.ok, detail=one.detail) for one in readers.house()]
    risk = readers.risk()
    if risk is not None:
        parts.append(
            HealthPart(name="trading", ok=risk.state is TradingState.ACTIVE, detail=f"{risk.state.value} {risk.reason}")
        )
    word = "ok" if all(part.ok for part in parts) else "degraded"
    if api.stopping.is_set() or status.state in ("stopping", "stopped", "failed"):
        word = "down"
    elif status.state in ("starting", "not_ready"):
        word = status.state
    return Health(
        status=word,
        mode=status.mode,
        version=status.version,
        dev=api.tokens.dev,
        auth_required=not api.open_access,
        parts=tuple(parts),
    )


async def status(api: Api, call: Call) -> EngineStatus:
    return api.readers.status()


async def actors(api: Api, call: Call) -> Actors:
    readers = api.readers
    return Actors(tree=readers.actors(), connections=tuple(readers.connections()), freshness=tuple(readers.freshness()))


async def wallets(api: Api, call: Call) -> Wallets:
    account = api.readers.account()
    if account is None:
        raise ApiError(503, "the account is not known yet", code="not_ready", headers={"Retry-After": "1"})
    return Wallets(
        known=account.known,
        as_of_ms=account.as_of_ms,
        quote_currency=account.quote_currency,
        equity=account.equity,
        day_start_equity=api.readers.day_start_equity(),
        flows=account.flows,
        cash=account.cash,
        realized_pnl=account.realized_pnl,
        unrealized_pnl=account.unrealized_pnl,
        fees=account.fees,
        wallets=account.wallets,
    )


async def performance(api: Api, call: Call) -> LivePerformance:
    found = api.readers.performance()
    if found is None:
        raise ApiError(503, "the account has no equity yet", code="not_ready", headers={"Retry-After": "1"})
    return found


async def positions(api: Api, call: Call) -> Positions:
    account = api.readers.account()
    if account is None:
        raise ApiError(503, "the account is not known yet", code="not_ready", headers={"Retry-After": "1"})
    books, watch = api.readers.brackets(), api.readers.protection()
    return Positions(
        known=account.known,
        as_of_ms=account.as_of_ms,
        positions=tuple(with_stops(position, books, watch) for position in account.positions),
    )


async def orders(api: Api, call: Call) -> Orders:
    query: OrdersQuery = call.query
    rows = _of_symbol(api.readers.orders(), query.symbol)
    if query.state != "all":
        rows = [row for row in rows if (row.state in TERMINAL_STATES) == (query.state == "closed")]
    return Orders(total=len(rows), orders=_page(rows, query))


async def orders_history(api: Api, call: Call) -> Orders:
    query: ListQuery = call.query
    if api.desk.order_history is not None:
        total, page = await api.desk.order_history(query.symbol, query.limit, query.offset)
        return Orders(total=total, orders=tuple(page))
    rows = [row for row in _of_symbol(api.readers.orders(), query.symbol) if row.state in TERMINAL_STATES]
    rows.sort(key=lambda row: row.updated_ms)
    return Orders(total=len(rows), orders=_page(rows, query))


async def trades(api: Api, call: Call) -> Trades:
    query: ListQuery = call.query
    if api.desk.fill_history is not None:
        total, page = await api.desk.fill_history(query.symbol, query.limit, query.offset)
        return Trades(total=total, trades=tuple(page))
    rows = _of_symbol(api.readers.fills(), query.symbol)
    return Trades(total=len(rows), trades=_page(rows, query))


async def tickers(api: Api, call: Call) -> Tickers:
    query: TickerQuery = call.query
    known = api.readers.tickers()
    if query.symbol is None:
        return Tickers(tickers=tuple(known[symbol] for symbol in sorted(known)))
    ticker = known.get(query.symbol)
    if ticker is None:
        raise ApiError(404, f"no ticker of {query.symbol} is known", code="unknown_symbol")
    return Tickers(tickers=(ticker,))


async def candles(api: Api, call: Call) -> Candles:
    query: CandlesQuery = call.query
    rows = api.readers.candles(query.symbol, query.timeframe)
    if not rows and query.symbol not in api.readers.status().symbols:
        raise ApiError(404, f"no candles of {query.symbol} {query.timeframe} are known", code="unknown_symbol")
    return Candles(symbol=query.symbol, timeframe=query.timeframe, candles=tuple(rows[-query.limit :]))


async def signals(api: Api, call: Call) -> Signals:
    query: SignalsQuery = call.query
    rows = [
        row
        for row in _of_symbol(api.readers.signals(), query.symbol)
        if (query.strategy is None or row.strategy == query.strategy)
        and (query.hold or row.recommendation is not Recommendation.HOLD)
    ]
    return Signals(total=len(rows), signals=_page(rows, query))


async def decisions(api: Api, call: Call) -> Decisions:
    query: DecisionsQuery = call.query
    rows = [
        row
        for row in _of_symbol(api.readers.verdicts(), query.symbol)
        if (query.verdict == "all" or row.approved == (query.verdict == "approved"))
        and (query.signal_id is None or row.signal_id == query.signal_id)
        and (query.correlation_id is None or row.correlation_id == query.correlation_id)
    ]
    return Decisions(total=len(rows), decisions=_page(rows, query))


async def risk_status(api: Api, call: Call) -> RiskAnswer:
    risk = api.readers.risk()
    return RiskAnswer(known=risk is not None, risk=risk)


async def equity(api: Api, call: Call) -> Equity:
    query: EquityQuery = call.query
    points = tuple(api.readers.equity())
    return Equity(quote_currency=api.readers.status().quote_currency, points=thin(points, query.limit))


async def notices(api: Api, call: Call) -> Notices:
    query: ListQuery = call.query
    return Notices(notices=_page(api.readers.notices(), query))
