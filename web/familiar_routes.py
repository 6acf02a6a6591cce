"""The part of the table of routes that clients of freqtrade know by name."""

from typing import Any, Final

from web import familiar
from web.api import Route
from web.familiar_models import (
    Balance,
    Count,
    ExitResult,
    FamiliarLocks,
    ForceExitBody,
    Logs,
    LogsQuery,
    Periods,
    PeriodsQuery,
    Pong,
    Profit,
    Said,
    ShownConfig,
    Stats,
    Version,
)
from web.sysinfo import SystemInfo
from web.tokens import Scope

V2: Final = "/api/v2"


def _get(name: str, handler: Any, answer: Any, summary: str, **more: Any) -> Route:
    options = {"scope": Scope.READ, "tag": "familiar", **more}
    return Route(method="GET", path=f"{V2}/{name}", handler=handler, answer=answer, summary=summary, **options)


FAMILIAR: Final[tuple[Route, ...]] = (
    _get("ping", familiar.ping, Pong, "Whether anybody is there. Public.", scope=None),
    _get("version", familiar.version, Version, "The engine's version."),
    _get("count", familiar.count, Count, "Open positions, and how many there may be.", statuses=(503,)),
    _get("balance", familiar.balance, Balance, "Each wallet's balance and what it is worth.", statuses=(503,)),
    _get("profit", familiar.profit, Profit, "What was made, in all and by symbol.", statuses=(503,)),
    _get("stats", familiar.stats, Stats, "Wins and losses by how trades ended, and how long they lasted."),
    _get("daily", familiar.daily, Periods, "Profit by day, newest first.", query=PeriodsQuery, statuses=(503,)),
    _get("weekly", familiar.weekly, Periods, "Profit by week, newest first.", query=PeriodsQuery, statuses=(503,)),
    _get("monthly", familiar.monthly, Periods, "Profit by month, newest first.", query=PeriodsQuery, statuses=(503,)),
    _get("locks", familiar.locks, FamiliarLocks, "Locks against entries."),
    _get("logs", familiar.logs, Logs, "The newest log lines, newest first.", query=LogsQuery),
    _get("show_config", familiar.show_config, ShownConfig, "The settings in short.", etag=True),
    _get("sysinfo", familiar.sysinfo, SystemInfo, "Processors, memory and load of the machine."),
    Route(
        method="POST",
        path=f"{V2}/stopentry",
        scope=Scope.TRADE,
        handler=familiar.stopentry,
        answer=Said,
        needs="risk",
        tag="familiar",
        summary="No more entries; exits go on.",
        statuses=(503,),
    ),
    Route(
        method="POST",
        path=f"{V2}/forceexit",
        scope=Scope.TRADE,
        handler=familiar.forceexit,
        answer=ExitResult,
        body=ForceExitBody,
        needs="flatten",
        tag="familiar",
        summary="Close a position, or all of them, at market.",
        statuses=(404, 503),
    ),
)
