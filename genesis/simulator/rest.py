"""The REST side: finds the endpoint of a request, checks its signature, answers as the venue does.

Errors are HTTP 500 with `["error", code, text]`, an unknown path is HTML with 404, too many requests are 429.
"""

import functools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

import attrs

from genesis.edge.errors import EdgeError
from genesis.simulator.link import HttpRequest, HttpResponse
from genesis.simulator.relay_side import SideRelay, is_of_the_side
from genesis.simulator.settings import ApiKey
from protocols.bitfinex.auth import rest_message
from protocols.bitfinex.errors import (
    ERR_AUTH,
    ERR_AUTH_NONCE,
    ERR_GENERIC,
    ERR_MAINTENANCE,
    ERR_PARAMS,
    ERR_RATE_LIMIT,
    BitfinexError,
    MalformedFrame,
    VenueError,
)
from protocols.bitfinex.numbers import read_json, write_json
from protocols.bitfinex.subscriptions import CANDLE_TIMEFRAMES
from protocols.units import Symbol

if TYPE_CHECKING:
    from genesis.simulator.exchange import Exchange

LARGEST_LIMIT: Final = 10_000
PATHS_KEPT: Final = 256
OLD_CANDLES: Final = re.compile(r"candles/trade:(\w+):(t[^/]+)/(?:hist|HIST)")


class RestRefusal(Exception):
    """An answer `["error", code, text]`."""

    def __init__(self, code: int | None, text: str, status: int = 500) -> None:
        self.code = code
        self.text = text
        self.status = status
        super().__init__(f"{code}: {text}")


@attrs.frozen(kw_only=True)
class Call:
    """One request as its endpoint sees it: what the path held, the parameters of query and body, and whose it is."""

    exchange: "Exchange"
    groups: tuple[str, ...]
    query: dict[str, str]
    body: dict[str, Any]
    key: ApiKey | None = None

    @property
    def account(self) -> str:
        assert self.key is not None
        return self.key.account

    def parameter(self, name: str) -> Any:
        return self.body.get(name, self.query.get(name))

    def integer(self, name: str, default: int | None = None) -> int | None:
        """Raises RestRefusal on anything that is not a whole number."""
        value = self.parameter(name)
        if value is None or value == "":
            return default
        try:
            return int(str(value))
        except ValueError:
            raise RestRefusal(ERR_PARAMS, f"{name}: invalid") from None

    def limit(self, default: int, largest: int) -> int:
        value = self.integer("limit", default)
        assert value is not None
        if not 0 < value <= largest:
            raise RestRefusal(ERR_PARAMS, "limit: invalid")
        return value

    def window(self) -> tuple[int, int]:
        """(start, end), both included. XChange says no end as zero."""
        start, end = self.integer("start", 0), self.integer("end")
        assert start is not None
        return start, end or 2**53

    @property
    def oldest_first(self) -> bool:
        return str(self.parameter("sort")) == "1"


Endpoint = Callable[[Call], Any]


@attrs.frozen(kw_only=True)
class Route:
    """`pattern` matches the decoded path below /v2/; `scope` and `write` say what a key must be allowed to do."""

    method: str
    pattern: re.Pattern[str]
    endpoint: Endpoint
    per_minute: int
    scope: str | None = None
    write: bool = False


def route(
    method: str,
    pattern: str,
    endpoint: Endpoint,
    *,
    per_minute: int = 90,
    scope: str | None = None,
    write: bool = False,
) -> Route:
    return Route(
        method=method,
        pattern=re.compile(pattern),
        endpoint=endpoint,
        per_minute=per_minute,
        scope=scope,
        write=write,
    )


@attrs.define
class _Window:
    """Requests of one client to one endpoint in this minute of the clock; blocked for a minute once over the limit."""

    since: float
    count: int = 0
    blocked_until: float = 0.0


class Rest:
    """All endpoints of one exchange."""

    def __init__(self, exchange: "Exchange") -> None:
        # Here and not above: the endpoints need `Call` from this file.
        from genesis.simulator.rest_account import ACCOUNT_ROUTES
        from genesis.simulator.rest_desk import DESK_ROUTES
        from genesis.simulator.rest_funding import FUNDING_ROUTES
        from genesis.simulator.rest_public import PUBLIC_ROUTES

        self.exchange = exchange
        self.routes = (*PUBLIC_ROUTES, *DESK_ROUTES, *FUNDING_ROUTES, *ACCOUNT_ROUTES)
        # Most clients ask the same few over and over; those who ask for all that there is push each other out.
        self._route_of = functools.lru_cache(maxsize=PATHS_KEPT)(self._find)
        self.requests = 0
        self.before: Callable[[HttpRequest], HttpResponse | None] | None = None
        """The fault desk's hand on requests."""
        self.behind: Callable[[HttpRequest], HttpResponse | None] | None = None
        """And on the answers to those that were carried out."""
        self.upstream: SideRelay | None = None
        """Where a real venue is relayed: who is asked about funding and contracts."""
        self._windows: dict[tuple[str, str], _Window] = {}

    async def handle(self, request: HttpRequest) -> HttpResponse:
        self.requests += 1
        if self.before is not None and (fault := self.before(request)) is not None:
            return fault
        path, _, query_text = request.target.partition("?")
        decoded = unquote(path)
        if not decoded.startswith("/v2/"):
            return self.not_found(request)
        found = self._route_of(request.method, decoded[4:])
        if found is None:
            return self.not_found(request)
        known, groups = found
        try:
            self._limit(request, known)
            if self.upstream is not None and known.scope is None and self._is_theirs(decoded[4:], query_text):
                return await self._ask_upstream(self.upstream, request)
            body = self._body(request)
            key = None if known.scope is None else self._key(request, path, known)
            call = Call(
                exchange=self.exchange,
                groups=groups,
                query=dict(parse_qsl(query_text, keep_blank_values=True)),
                body=body,
                key=key,
            )
            answer = HttpResponse(status=200, body=write_json(known.endpoint(call)))
            lost = None if self.behind is None else self.behind(request)
            return answer if lost is None else lost
        except RestRefusal as refusal:
            return refused(refusal)

    def _find(self, method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
        """The first route of a decoded path below /v2/, and what its groups hold."""
        for known in self.routes:
            matched = known.pattern.fullmatch(path)
            if matched is not None and known.method == method:
                return known, tuple(group or "" for group in matched.groups())
        return None

    def _is_theirs(self, path: str, query_text: str) -> bool:
        """Whether the real venue knows it and we do not: its side markets, and candles of before we began to listen."""
        if is_of_the_side(f"{path}?{query_text}"):
            return True
        candles, query = OLD_CANDLES.fullmatch(path), dict(parse_qsl(query_text))
        if candles is None or not query.get("end", "").isdecimal():
            return False
        feed = self.exchange.market.feeds.get(Symbol(candles[2]))
        return feed is not None and candles[1] in CANDLE_TIMEFRAMES and int(query["end"]) < feed.begins_ms(candles[1])

    async def _ask_upstream(self, upstream: SideRelay, request: HttpRequest) -> HttpResponse:
        try:
            return HttpResponse(status=200, body=write_json(await upstream.ask(request)))
        except VenueError as error:
            raise RestRefusal(error.code, error.text) from None
        except (EdgeError, BitfinexError) as error:
            raise RestRefusal(ERR_GENERIC, f"the real venue must answer, did not: {error}") from None

    def not_found(self, request: HttpRequest) -> HttpResponse:
        """As the venue's web server says it, internal prefix included."""
        path = request.target.partition("?")[0].replace("<", "").replace(">", "")
        text = (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n<body>\n'
            f"<pre>Cannot {request.method} /api{path}</pre>\n</body>\n</html>\n"
        )
        return HttpResponse(status=404, body=text.encode(), content_type="text/html; charset=utf-8")

    def _limit(self, request: HttpRequest, known: Route) -> None:
        if not self.exchange.settings.rest_limits:
            return
        now = self.exchange.clock.now()
        name = (request.peer.rpartition(":")[0], known.pattern.pattern)
        window = self._windows.setdefault(name, _Window(since=now))
        if now - window.since >= 60:
            window.since, window.count = now, 0
        window.count += 1
        if now < window.blocked_until or window.count > known.per_minute:
            window.blocked_until = max(window.blocked_until, now + 60)
            raise RestRefusal(ERR_RATE_LIMIT, "ratelimit: error", status=429)

    def _body(self, request: HttpRequest) -> dict[str, Any]:
        # Clients send an empty body for {} when a call has no parameters.
        if not request.body.strip():
            return {}
        try:
            body = read_json(request.body)
        except MalformedFrame:
            raise RestRefusal(ERR_PARAMS, "body: invalid") from None
        if not isinstance(body, dict):
            raise RestRefusal(ERR_PARAMS, "body: invalid")
        return body

    def _key(self, request: HttpRequest, path: str, known: Route) -> ApiKey:
        if not self.exchange.operative:
            raise RestRefusal(ERR_MAINTENANCE, "maintenance")
        headers = request.headers
        token = headers.get("bfx-token")
        if token is not None:
            holder = self.exchange.accounts.tokens.key_of(token)
            if holder is None:
                raise RestRefusal(ERR_AUTH, "token: invalid")
            return self._permitted(holder, known)
        nonce_text = headers.get("bfx-nonce", "")
        key, signature = headers.get("bfx-apikey", ""), headers.get("bfx-signature", "")
        if not (key and signature):
            raise RestRefusal(ERR_AUTH, "apikey: invalid")
        if not (nonce_text.isascii() and nonce_text.isdigit() and len(nonce_text) <= 20):
            raise RestRefusal(ERR_AUTH_NONCE, "nonce: invalid")
        # First over the path as it came, then as it reads: clients sign ":" un-encoded and may send it encoded.
        read_path = unquote(path)
        paths = (path,) if path == read_path else (path, read_path)
        messages = [rest_message(each, nonce_text, request.body) for each in paths]
        answer = self.exchange.accounts.check(key, int(nonce_text), signature, messages)
        if isinstance(answer, tuple):
            raise RestRefusal(*answer)
        return self._permitted(answer, known)

    def _permitted(self, key: ApiKey, known: Route) -> ApiKey:
        assert known.scope is not None
        if not key.may(known.scope, write=known.write):
            raise RestRefusal(ERR_GENERIC, "api_key: permission invalid")
        return key


def refused(refusal: RestRefusal) -> HttpResponse:
    return HttpResponse(status=refusal.status, body=write_json(["error", refusal.code, refusal.text]))
