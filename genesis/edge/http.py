"""HTTP as bytes: one request, one answer, within limits of time and size. The only module that knows httpx.

Redirects are not followed (a signed request must not be carried elsewhere), the environment's proxies are not used,
and nothing is repeated here: whether that is safe is the caller's to know.
"""

import contextlib
import functools
import ssl
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, cast

import attrs
import httpcore
import httpx
import trio
from typing_extensions import override

from genesis.edge.errors import RequestFailed
from genesis.edge.streams import CLOSE_GRACE_S
from genesis.edge.waits import asked_s

TIMEOUT_S: Final = 10.0
WHOLE_TIMES: Final = 3
"""`timeout_s` bounds each step (connect, write, each read); the whole exchange may take this many times as long."""
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
URLS_KEPT: Final = 64
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""Failures before the first byte of the request."""


@attrs.frozen(kw_only=True)
class HttpAnswer:
    """`headers` have lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def retry_after_s(self) -> float | None:
        """What the Retry-After header asks for, bounded."""
        return asked_s(self.headers.get("retry-after"))


class _Body(httpx.AsyncByteStream):
    """A request's body in one piece.

    httpx's own is an async generator: one that is cancelled while the piece is being sent is left hanging half-way, for
    the garbage collector to complain about.
    """

    def __init__(self, body: bytes) -> None:
        self._left = [body] if body else []

    def __aiter__(self) -> "_Body":
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


class _WholeRequests(httpcore.AsyncNetworkStream):
    """A connection that sends a request in one piece: what is written waits for the next read.

    httpcore writes the head and the body apart, in two turns of the loop and two packets, and the other side reads
    twice.
    """

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._written: list[bytes] = []

    @override
    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._written.append(buffer)

    @override
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._written:
            request = b"".join(self._written)
            self._written.clear()
            # Who hangs up in the middle of a request may have answered it.
            with contextlib.suppress(httpcore.WriteError):
                await self._inner.write(request, timeout)
        return await self._inner.read(max_bytes, timeout)

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()

    @override
    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _WholeRequests(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Lines(httpcore.TrioBackend):
    """Connections on trio that send whole requests."""

    @override
    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        return _WholeRequests(await super().connect_tcp(*args, **options))


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own, over `_Lines`: it takes no network of others by itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._pool._network_backend = _Lines()


class HttpClient:
    """A pool of connections to one host. Use it as an async context manager.

    It speaks to httpx's transport. The client above that is for redirects, logins, cookies and proxies, none of which
    are wanted here, and what it does for each request costs as much as all that is beneath it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_connections: int = 8,
        ssl_context: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url = base_url
        self._max_body_bytes = max_body_bytes
        self._timeout_s = timeout_s
        self._timeouts = {"timeout": httpx.Timeout(timeout_s).as_dict()}
        self._transport: httpx.AsyncBaseTransport = transport or _Transport(
            limits=httpx.Limits(max_connections=max_connections, keepalive_expiry=30.0),
            verify=ssl_context if ssl_context is not None else _trusted(base_url),
            trust_env=False,
        )
        self._headers = {
            b"Host": httpx.URL(base_url).netloc,
            b"Accept": b"*/*",
            b"Accept-Encoding": b"gzip, deflate",
            b"Connection": b"keep-alive",
            b"User-Agent": b"genesis",
        }
        # Signed requests have a handful of targets; those of candles are all different.
        self._url_of = functools.lru_cache(maxsize=URLS_KEPT)(_below(base_url))

    async def __aenter__(self) -> "HttpClient":
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with trio.move_on_after(CLOSE_GRACE_S, shield=True):
            await self._transport.__aexit__(kind, error, trace)

    def _request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> httpx.Request:
        told = dict(self._headers)
        told.update((name.encode(), value.encode()) for name, value in headers.items())
        if body or method != "GET":
            told[b"Content-Length"] = b"%d" % len(body)
        url = self._url_of(target)
        return httpx.Request(method, url, headers=list(told.items()), stream=_Body(body), extensions=self._timeouts)

    async def exchange(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpAnswer:
        """One request. Raises RequestFailed; its `sent` says whether anything may have reached the other side."""
        chunks: list[bytes] = []
        size = 0
        try:
            with trio.move_on_after(self._timeout_s * WHOLE_TIMES) as whole:
                request = self._request(method, target, headers or {}, body)
                async with contextlib.aclosing(await self._transport.handle_async_request(request)) as answer:
                    # What is not packed is read where it comes from, without looking for what would unpack it.
                    packed = "content-encoding" in answer.headers
                    async for chunk in answer.aiter_bytes() if packed else cast("httpx.AsyncByteStream", answer.stream):
                        size += len(chunk)
                        if size > self._max_body_bytes:
                            # Not left by an exception of ours: httpx's generators inside each other are only closed
                            # cleanly by one that comes from the bottom.
                            whole.cancel()
                            chunks.clear()
                        else:
                            chunks.append(chunk)
                    if size <= self._max_body_bytes:
                        return HttpAnswer(
                            status=answer.status_code,
                            headers={name.lower(): value for name, value in answer.headers.items()},
                            body=b"".join(chunks),
                        )
        except _NOT_SENT as error:
            raise RequestFailed(f"{method} {target} not sent: {type(error).__name__}: {error}", sent=False) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise RequestFailed(f"{method} {target} failed: {type(error).__name__}: {error}", sent=True) from error
        if size > self._max_body_bytes:
            text = f"answer to {method} {target} must have at most {self._max_body_bytes} bytes, had more"
        else:
            text = f"answer to {method} {target} must be whole after {self._timeout_s * WHOLE_TIMES} s, was not"
        raise RequestFailed(text, sent=True)


def _trusted(base_url: str) -> ssl.SSLContext:
    """Whom to believe. To read the authorities takes 14 ms, so plain HTTP goes without: its context trusts nobody."""
    return _authorities() if base_url.lower().startswith("https:") else _nobody()


@functools.cache
def _authorities() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


@functools.cache
def _nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _below(base_url: str) -> Callable[[str], httpx.URL]:
    start = base_url.rstrip("/")
    return lambda target: httpx.URL(f"{start}/{target.lstrip('/')}")
