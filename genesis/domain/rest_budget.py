"""One budget for every REST request of the process: limits by endpoint, shared limits and concurrency by class. Pure.

The venue counts requests a minute by address and endpoint, blocks for a minute who exceeds them, and by its users'
reports is stricter than documented; so only `SHARE` of each limit is used. Classes group endpoints by what they are
for, so that a download of history never takes a place from an order.
"""

import re
from typing import Any, Final

import attrs

from genesis.domain.circuit_breaker import CircuitBreaker
from genesis.domain.rate_limit import RateLimit

MINUTE_S: Final = 60.0
SHARE: Final = 0.8

PER_MINUTE: Final[dict[str, int]] = {
    "platform/status": 15,
    "ticker": 30,
    "tickers": 30,
    "tickers/hist": 30,
    "trades/hist": 15,
    "book": 30,
    "candles": 30,
    "stats1": 15,
    "conf": 15,
    "liquidations/hist": 3,
    "calc/trade/avg": 20,
    "calc/fx": 20,
    "auth/r/alerts": 45,
    "auth/w/deposit/address": 10,
}
"""Requests a minute where an endpoint has its own number: the smaller of what the 2020 and 2025 documents say."""
PER_MINUTE_OTHERWISE: Final = 90

CLASSES: Final[dict[str, tuple[int, int]]] = {
    "PRIVATE_TRADING": (90, 4),
    "PRIVATE_ACCOUNT": (90, 3),
    "PRIVATE_MARGIN": (45, 2),
    "PUBLIC_MARKET": (120, 4),
    "PUBLIC_OTHER": (60, 2),
}
"""By class: requests a minute over all its endpoints, and requests under way at once."""

TRADING_WAITS_FOR: Final = frozenset({"PRIVATE_TRADING", "PRIVATE_ACCOUNT", "PRIVATE_MARGIN"})
LONGEST_PAUSE_S: Final = 15.0
"""Orders and stops wait until these answer again, so whoever was down is asked sooner than others would be."""

DEFAULT_PATTERNS: Final = (
    "^auth/w/(alert|transfer)=>PRIVATE_ACCOUNT;^auth/w/=>PRIVATE_TRADING;"
    "^auth/r/(info/margin|funding|ledgers)=>PRIVATE_MARGIN;^auth/=>PRIVATE_ACCOUNT;"
    "^(ticker|tickers|candles|book|trades)=>PUBLIC_MARKET"
)


def read_patterns(text: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """`regex=>CLASS;regex=>CLASS`, first match counts. Raises ValueError that names the part that is wrong."""
    rules = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        pattern, arrow, name = part.partition("=>")
        if not arrow or name.strip() not in CLASSES:
            raise ValueError(f"rate limit pattern must be regex=>CLASS with one of {', '.join(CLASSES)}, was {part!r}")
        try:
            rules.append((re.compile(pattern.strip()), name.strip()))
        except re.error as error:
            raise ValueError(f"rate limit pattern must be a regular expression, was {pattern!r}: {error}") from None
    return tuple(rules)


@attrs.define(eq=False)
class _Class:
    name: str
    limit: RateLimit
    concurrency: int


class RestBudget:
    """Where every request asks for its turn. One a process."""

    def __init__(self, patterns: str = "", *, share: float = SHARE) -> None:
        # Own patterns come first; what they do not name falls to the defaults.
        self._rules = read_patterns(patterns) + read_patterns(DEFAULT_PATTERNS)
        self._share = share
        self._classes = {
            name: _Class(name, RateLimit.at_most(int(limit * share), MINUTE_S), concurrency)
            for name, (limit, concurrency) in CLASSES.items()
        }
        self._endpoints: dict[str, RateLimit] = {}
        self._breakers: dict[str, CircuitBreaker] = {}

    def class_of(self, kind: str) -> str:
        return next((name for pattern, name in self._rules if pattern.search(kind)), "PUBLIC_OTHER")

    def concurrency(self, kind: str) -> int:
        return self._classes[self.class_of(kind)].concurrency

    def take(self, kind: str, now: float) -> float:
        """Take a place for one request; the seconds to wait before it."""
        return max(self._classes[self.class_of(kind)].limit.take(now), self._endpoint(kind).take(now))

    def hold(self, kind: str, now: float, pause_s: float) -> None:
        """The venue said to wait."""
        self._endpoint(kind).hold(now, pause_s)

    def breaker(self, kind: str) -> CircuitBreaker:
        known = self._breakers.get(kind)
        if known is None:
            urgent = self.class_of(kind) in TRADING_WAITS_FOR
            known = self._breakers[kind] = CircuitBreaker(cap_s=LONGEST_PAUSE_S) if urgent else CircuitBreaker()
        return known

    def _endpoint(self, kind: str) -> RateLimit:
        known = self._endpoints.get(kind)
        if known is None:
            limit = int(PER_MINUTE.get(kind, PER_MINUTE_OTHERWISE) * self._share)
            known = self._endpoints[kind] = RateLimit.at_most(limit, MINUTE_S)
        return known

    def view(self, now: float) -> dict[str, Any]:
        """For people: tokens and utilisation by class and endpoint, and the state of each circuit breaker."""
        return {
            "classes": {
                name: {
                    "tokens": round(entry.limit.tokens(now), 2),
                    "utilization_percent": round(100 * entry.limit.utilisation(now), 1),
                    "concurrency": entry.concurrency,
                    "taken": entry.limit.taken,
                    "waited": entry.limit.waited,
                }
                for name, entry in self._classes.items()
            },
            "endpoints": {
                kind: {
                    "class": self.class_of(kind),
                    "tokens": round(limit.tokens(now), 2),
                    "taken": limit.taken,
                    "waited": limit.waited,
                }
                for kind, limit in sorted(self._endpoints.items())
            },
            "breakers": {
                kind: {
                    "state": breaker.state(now).value,
                    "fail_count": breaker.fail_count,
                    "time_until_open": round(breaker.time_until_open(now), 3),
                    "last_failure_age_s": None
                    if breaker.last_failure is None
                    else round(now - breaker.last_failure, 3),
                    "opened_total": breaker.opened_total,
                }
                for kind, breaker in sorted(self._breakers.items())
            },
        }
