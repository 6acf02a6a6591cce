"""The guard at the door: which requests a browser may bring from where, before any handler sees them.

A web page anywhere in the world can make its visitor's browser speak to a port on the visitor's own machine, by a form,
by `fetch`, by a WebSocket, or under a name that resolves to 127.0.0.1. So: the Host must be exactly one of ours, an
Origin that is present must be ours, writes must be JSON (a form cannot send that without asking first), and tokens
travel in a header, never in a cookie that a browser would add by itself.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

import attrs
import msgspec

from web.errors import ApiError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::", "[::]", ""})  # noqa: S104 -- refused here, not bound
"""What one binds to but never calls an engine by."""
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
METHODS: Final = "GET, HEAD, POST, PATCH, DELETE"
"""What some address takes: `web.routes` has the table."""
ALLOWED_FETCH_SITES: Final = frozenset({"same-origin", "none"})
CHART_STYLE_HASH: Final = "'sha256-3pRED1tOXas1FXFoPb9TGCjmYe9XQsmO9OV23khV2nY='"
"""The one inline style of lightweight-charts (its logo); a test compares it with the vendored file."""

API_HEADERS: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


CLOSE: Final = (b"connection", b"close")


def _told(text: str) -> str:
    """What a stranger sent, as it goes back to them."""
    return text[:60] or "empty"


def content_policy(host: str) -> str:
    """The content security policy of every answer: own files only, no inline script, no frame, no form."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' {CHART_STYLE_HASH}",
            "img-src 'self' data:",
            # Older browsers do not count ws: to 'self'; the Host was checked before it is written here.
            f"connect-src 'self' ws://{host} wss://{host}",
            "font-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def hosts_for(names: Iterable[str], port: int) -> frozenset[str]:
    """The Host values under which the engine answers on `port`: the given names, and always loopback's."""
    every = {*names, "127.0.0.1", "localhost", "[::1]"} - ANY_ADDRESS
    hosts = {f"{name}:{port}" for name in every}
    if port in (80, 443):
        hosts |= every
    return frozenset(host.lower() for host in hosts)


@attrs.frozen(kw_only=True)
class Visit:
    """What the guard looks at of a request or a WebSocket upgrade."""

    kind: str
    method: str
    headers: tuple[tuple[bytes, bytes], ...]

    def values(self, name: bytes) -> list[str]:
        return [value.decode("latin1") for key, value in self.headers if key.lower() == name]

    @property
    def has_body(self) -> bool:
        """Something follows the head (RFC 9112, 6.3)."""
        return bool(self.values(b"transfer-encoding")) or self.values(b"content-length") not in ([], ["0"])


@attrs.frozen(kw_only=True)
class Guard:
    """`hosts` are exact Host values with their ports, in lower case; origins are made of them."""

    hosts: frozenset[str]

    def judge(self, visit: Visit) -> ApiError | None:
        """None when the visit may go on, else the answer it gets."""
        hosts = visit.values(b"host")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            said = f", was {_told(hosts[0])}" if len(hosts) == 1 else f", was given {len(hosts)} times"
            text = f"the Host header must name this engine's own address{said}"
            return ApiError(421, text, code="host_not_allowed")
        origins = visit.values(b"origin")
        upgrade = visit.kind == "websocket"
        if len(origins) > 1 or (origins and not self._is_ours(origins[0])):
            text = f"the Origin must be absent or this engine's own address, was {_told(', '.join(origins))}"
            return ApiError(403, text, code="origin_not_allowed")
        for site in visit.values(b"sec-fetch-site"):
            # A link on another page may open ours: a plain navigation to a page that shows nothing without a token.
            navigation = visit.values(b"sec-fetch-mode") == ["navigate"] and visit.method == "GET" and not upgrade
            if site not in ALLOWED_FETCH_SITES and not navigation:
                return ApiError(403, "requests from other sites are not answered", code="site_not_allowed")
        if upgrade:
            return None
        if visit.method not in SAFE_METHODS | BODY_METHODS:
            text = f"the method must be one of {METHODS}, was {_told(visit.method)}"
            return ApiError(405, text, headers={"Allow": METHODS})
        if visit.method in BODY_METHODS:
            return _judge_body(visit)
        return None

    def _is_ours(self, origin: str) -> bool:
        scheme, separator, host = origin.partition("://")
        return bool(separator) and scheme in ("http", "https") and host.lower() in self.hosts


def _judge_body(visit: Visit) -> ApiError | None:
    types = visit.values(b"content-type")
    empty = not visit.has_body
    if not types and empty:
        # A command without a body, as the manual's `Invoke-RestMethod -Method Post`. A page elsewhere cannot send it
        # with our bearer header, and its Origin was refused above.
        return None
    plain = [text.partition(";")[0].strip().lower() for text in types]
    # PowerShell and curl send application/x-www-form-urlencoded with an empty body; only real bodies must be JSON.
    if empty and plain == ["application/x-www-form-urlencoded"]:
        return None
    if plain != ["application/json"]:
        was = _told(", ".join(types)) if types else "absent"
        return ApiError(415, f"the content type must be application/json, was {was}")
    return None


@attrs.frozen(kw_only=True)
class GuardedApp:
    """The guard as ASGI middleware: judges, answers refusals itself, and puts the security headers on every answer."""

    app: Application
    guard: Guard
    refused: Callable[[str], None]
    new_id: Callable[[], str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        visit = Visit(kind=scope["type"], method=scope.get("method", "GET"), headers=tuple(scope["headers"]))
        host = next(iter(visit.values(b"host")), "")
        error = self.guard.judge(visit)
        if error is not None:
            self.refused(error.code)
            await self._answer(scope["type"], error, send)
            return
        policy = content_policy(host.lower()).encode("latin1")
        unread = visit.kind == "http" and visit.has_body

        async def receive_and_note() -> MutableMapping[str, Any]:
            nonlocal unread
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                unread = False
            return message

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", []), *API_HEADERS, (b"content-security-policy", policy)]
                if unread:
                    # Whether the rest of the body is here in time is chance: without a word a client would send its
                    # next command into a connection that we may close, and not know what became of it.
                    headers.append(CLOSE)
                if not any(bytes(name).lower() == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive_and_note, send_with_headers)

    async def _answer(self, kind: str, error: ApiError, send: Send) -> None:
        body = msgspec.json.encode(error.answer(self.new_id()))
        prefix = "http.response" if kind == "http" else "websocket.http.response"
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            # The body of a refused request is never read, so this connection cannot be used again.
            CLOSE,
            *((name.lower().encode("latin1"), value.encode("latin1")) for name, value in error.headers.items()),
            *API_HEADERS,
        ]
        await send({"type": f"{prefix}.start", "status": error.status, "headers": headers})
        await send({"type": f"{prefix}.body", "body": body, "more_body": False})
