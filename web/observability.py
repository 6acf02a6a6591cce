"""What happens inside, for people and programs that are not Prometheus: numbers, events, and old paths in use."""

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from prometheus_client.core import Metric

from protocols.account import ClosedTrade
from protocols.health import EventCount, IoView, Notice
from protocols.market import BookLevels, TradePrint
from protocols.units import Symbol
from web.api import Api, Call, Route
from web.bodies import Limit, ListQuery, Strict, SymbolText
from web.errors import ApiError
from web.legacy import SINCE, SUNSET
from web.metrics import walk
from web.sysinfo import SystemInfo
from web.tokens import Scope

V2: Final = "/api/v2"
EVENTS: Final = 100
REQUESTS: Final = "genesis_http_request_seconds"
LEGACY: Final = "legacy_endpoints_total"


class MetricsSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Every counter and gauge by its full name, labels included: `name{label="value"}`. `legacy` is by old path."""

    at_ms: int
    counters: dict[str, float]
    gauges: dict[str, float]
    legacy: dict[str, float]


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds; a quantile is the upper edge of its bucket, and None before the first request or above all buckets."""

    count: float
    mean_s: float | None
    p50_s: float | None
    p99_s: float | None


class OldPath(msgspec.Struct, frozen=True, kw_only=True):
    """A path that goes away. `since` and `sunset` are as its headers say, `uses` since the engine's start."""

    method: str
    path: str
    successor: str
    since: str
    sunset: str
    uses: float


class Deprecations(msgspec.Struct, frozen=True, kw_only=True):
    deprecations: tuple[OldPath, ...]


class ActorRow(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    status: str
    restarts: int
    waiting: int
    dropped: int
    dead: int
    last_error: str | None


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """One look at everything: numbers, the newest events (newest first), answers, actors, the machine."""

    at_ms: int
    mode: str
    version: str
    uptime_s: float
    counters: dict[str, float]
    gauges: dict[str, float]
    events: tuple[Notice, ...]
    events_by_level: dict[str, int]
    http: Latency
    io: tuple[IoView, ...]
    event_counts: tuple[EventCount, ...]
    stream_clients: int
    stream_published: int
    actors: tuple[ActorRow, ...]
    system: SystemInfo
    deprecations: tuple[OldPath, ...]


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """Levels as (price, amount, orders), best first; `known` is false while no stream has the whole book."""

    symbol: str
    known: bool
    venue_ms: int
    bids: tuple[tuple[float, float, int], ...]
    asks: tuple[tuple[float, float, int], ...]


class Prints(msgspec.Struct, frozen=True, kw_only=True):
    """Public trades, newest first; `amount` above zero: the taker bought."""

    symbol: str
    trades: tuple[TradePrint, ...]


class PositionHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Positions from flat to flat, newest first. `total` counts what the filter matched."""

    total: int
    trades: tuple[ClosedTrade, ...]


class SummaryQuery(Strict, frozen=True, kw_only=True):
    """`prefix` keeps the names that begin with it."""

    prefix: Annotated[str, msgspec.Meta(pattern="^[a-z_]{0,60}$", description="at most 60 of a-z and _")] = ""


class BookQuery(Strict, frozen=True, kw_only=True):
    symbol: SymbolText
    limit: Annotated[int, msgspec.Meta(ge=1, le=250)] = 25


class PrintsQuery(Strict, frozen=True, kw_only=True):
    symbol: SymbolText
    limit: Limit = 50


def _name(name: str, labels: dict[str, str]) -> str:
    if not labels:
        return name
    told = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{told}}}"


def _numbers(families: Iterable[Metric], prefix: str = "") -> tuple[dict[str, float], dict[str, float]]:
    """(counters, gauges); a counter's time of creation and a histogram's buckets are left out."""
    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}
    for family in families:
        for sample in family.samples:
            if sample.name.endswith(("_created", "_bucket")) or not sample.name.startswith(prefix):
                continue
            into = gauges if family.type == "gauge" else counters
            into[_name(sample.name, sample.labels)] = sample.value
    return counters, gauges


def _now_ms(api: Api) -> int:
    return api.readers.status().venue_ms or api.clock.wall_ms()


async def summary(api: Api, call: Call) -> MetricsSummary:
    query: SummaryQuery = call.query
    families = api.metrics.collected().families
    counters, gauges = _numbers(families, query.prefix)
    return MetricsSummary(at_ms=_now_ms(api), counters=counters, gauges=gauges, legacy=_uses(families))


def _uses(families: Iterable[Metric]) -> dict[str, float]:
    return {
        sample.labels["endpoint"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == LEGACY
    }


def _latency(families: Iterable[Metric]) -> Latency:
    buckets: list[tuple[float, float]] = []
    count = total = 0.0
    for family in families:
        for sample in family.samples:
            if sample.name == f"{REQUESTS}_bucket":
                buckets.append((float(sample.labels["le"]), sample.value))
            elif sample.name == f"{REQUESTS}_count":
                count = sample.value
            elif sample.name == f"{REQUESTS}_sum":
                total = sample.value
    buckets.sort()

    def quantile(share: float) -> float | None:
        for edge, below in buckets:
            if count and below >= share * count:
                return None if edge == float("inf") else edge
        return None

    return Latency(count=count, mean_s=total / count if count else None, p50_s=quantile(0.5), p99_s=quantile(0.99))


def _old_paths(api: Api, families: Iterable[Metric]) -> tuple[OldPath, ...]:
    uses = _uses(families)
    return tuple(
        OldPath(
            method=route.method,
            path=route.path,
            successor=route.successor,
            since=SINCE,
            sunset=SUNSET,
            uses=uses.get(route.path, 0.0),
        )
        for route in api.routes
        if route.successor is not None
    )


async def deprecations(api: Api, call: Call) -> Deprecations:
    return Deprecations(deprecations=_old_paths(api, api.metrics.collected().families))


async def dashboard(api: Api, call: Call) -> Dashboard:
    status, tree = api.readers.status(), api.readers.actors()
    families = api.metrics.collected().families
    counters, gauges = _numbers(families)
    notices = tuple(api.readers.notices())
    levels: dict[str, int] = {}
    for notice in notices:
        levels[notice.level] = levels.get(notice.level, 0) + 1
    return Dashboard(
        at_ms=_now_ms(api),
        mode=status.mode,
        version=status.version,
        uptime_s=status.uptime_s,
        # A mailbox has ten numbers for each actor; they stand in `actors`, added up.
        counters={name: value for name, value in counters.items() if not name.startswith("genesis_mailbox_")},
        gauges={name: value for name, value in gauges.items() if not name.startswith("genesis_mailbox_")},
        events=tuple(reversed(notices))[:EVENTS],
        events_by_level=levels,
        http=_latency(families),
        io=tuple(api.readers.io()),
        event_counts=tuple(api.readers.event_counts()),
        stream_clients=len(api.hub),
        stream_published=api.hub.published_total,
        actors=tuple(
            ActorRow(
                path=path,
                status=actor.status.value,
                restarts=actor.restarts,
                waiting=sum(channel.depth + channel.leased for channel in actor.channels),
                dropped=sum(channel.dropped for channel in actor.channels),
                dead=sum(channel.dead for channel in actor.channels),
                last_error=actor.last_error,
            )
            for path, actor in (() if tree is None else walk(tree))
            if not actor.children
        ),
        system=api.system.look(),
        deprecations=_old_paths(api, families),
    )


async def book(api: Api, call: Call) -> Book:
    query: BookQuery = call.query
    _known(api, query.symbol)
    levels: BookLevels | None = api.readers.depth(Symbol(query.symbol), query.limit)
    if levels is None:
        return Book(symbol=query.symbol, known=False, venue_ms=0, bids=(), asks=())
    return Book(symbol=query.symbol, known=True, venue_ms=levels.venue_ms, bids=levels.bids, asks=levels.asks)


async def prints(api: Api, call: Call) -> Prints:
    query: PrintsQuery = call.query
    _known(api, query.symbol)
    rows = tuple(api.readers.prints(query.symbol))
    return Prints(symbol=query.symbol, trades=tuple(reversed(rows[-query.limit :])))


def _known(api: Api, symbol: str) -> None:
    if symbol not in api.readers.status().symbols:
        raise ApiError(404, f"{symbol} is not among the symbols that this engine hears", code="unknown_symbol")


async def position_history(api: Api, call: Call) -> PositionHistory:
    query: ListQuery = call.query
    rows = [trade for trade in api.readers.closed_trades() if query.symbol in (None, trade.symbol)]
    end = max(0, len(rows) - query.offset)
    return PositionHistory(total=len(rows), trades=tuple(reversed(rows[max(0, end - query.limit) : end])))


OBSERVING: Final = (
    Route(
        method="GET",
        path=f"{V2}/metrics/summary",
        scope=Scope.READ,
        handler=summary,
        answer=MetricsSummary,
        query=SummaryQuery,
        tag="engine",
        summary="Every counter and gauge of /metrics as JSON, and the uses of old paths.",
    ),
    Route(
        method="GET",
        path=f"{V2}/observability/dashboard",
        scope=Scope.READ,
        handler=dashboard,
        answer=Dashboard,
        tag="engine",
        summary="Counters, gauges, events, latency, actors and the machine in one answer.",
    ),
    Route(
        method="GET",
        path=f"{V2}/deprecations",
        scope=Scope.READ,
        handler=deprecations,
        answer=Deprecations,
        tag="engine",
        summary="Paths that go away: since when, until when, what to use instead, and how often each was used.",
    ),
    Route(
        method="GET",
        path=f"{V2}/market/book",
        scope=Scope.READ,
        handler=book,
        answer=Book,
        query=BookQuery,
        tag="market",
        summary="The first levels of the order book, as the stream has it.",
        statuses=(404,),
    ),
    Route(
        method="GET",
        path=f"{V2}/market/trades",
        scope=Scope.READ,
        handler=prints,
        answer=Prints,
        query=PrintsQuery,
        tag="market",
        summary="The newest public trades of a symbol.",
        statuses=(404,),
    ),
    Route(
        method="GET",
        path=f"{V2}/positions/history",
        scope=Scope.READ,
        handler=position_history,
        answer=PositionHistory,
        query=ListQuery,
        tag="account",
        summary="Finished positions, newest first, each with its profit after fees.",
    ),
)
