"""HTTP as bytes: one request, one answer, within limits of time and size. The only module that knows httpx.

Redirects are not followed (a signed request must not be carried elsewhere), the environment's proxies are not used,
and nothing is repeated here: whether that is safe is the caller's to know.
"""

import contextlib
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Final

import attrs
import httpx
import trio

from genesis.edge.errors import RequestFailed
from genesis.edge.streams import CLOSE_GRACE_S

TIMEOUT_S: Final = 10.0
WHOLE_TIMES: Final = 3
"""`timeout_s` bounds each step (connect, write, each read); the whole exchange may take this many times as long."""
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
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
        """The Retry-After header when it counts seconds; dates are not used by venues."""
        text = self.headers.get("retry-after", "").strip()
        return float(text) if text.isdigit() else None


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


class HttpClient:
    """A pool of connections to one host. Use it as an async context manager."""

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
        self._transport: httpx.AsyncBaseTransport = transport or httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=max_connections, keepalive_expiry=30.0),
            verify=ssl_context if ssl_context is not None else True,
            trust_env=False,
        )
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(timeout_s),
            follow_redirects=False,
            trust_env=False,
            transport=self._transport,
            headers={"user-agent": "genesis"},
        )

    async def __aenter__(self) -> "HttpClient":
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with trio.move_on_after(CLOSE_GRACE_S, shield=True):
            await self._client.__aexit__(kind, error, trace)

    async def exchange(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpAnswer:
        """One request. Raises RequestFailed; its `sent` says whether anything may have reached the other side."""
        chunks: list[bytes] = []
        size = 0
        try:
            with trio.move_on_after(self._timeout_s * WHOLE_TIMES) as whole:
                request = self._client.build_request(method, target, headers=dict(headers or {}), content=body)
                request.stream = _Body(body)
                # Past the client's own send, which is for redirects, logins, cookies and proxies: none are wanted here.
                sent = await self._transport.handle_async_request(request)
                sent.request = request
                async with contextlib.aclosing(sent) as answer:
                    async for chunk in answer.aiter_bytes():
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
