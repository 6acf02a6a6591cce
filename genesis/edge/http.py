"""HTTP as bytes: one request, one answer, within limits of time and size.

h11 says what may be said in HTTP/1.1, and reads what comes; the streams are those of the WebSockets. A request leaves
in one piece, head and body, and a connection that was used is kept for the next one for a while.

Redirects are not followed (a signed request must not be carried elsewhere), the environment's proxies are not used,
and nothing is repeated here: whether that is safe is the caller's to know.
"""

import contextlib
import functools
import ssl
import zlib
from collections.abc import Mapping
from types import TracebackType
from typing import Final
from urllib.parse import quote, urlsplit

import attrs
import certifi
import h11
import trio

from genesis.edge.errors import ConnectFailed, RequestFailed
from genesis.edge.streams import CLOSE_GRACE_S, close_now, has_word, open_stream
from genesis.edge.waits import asked_s

TIMEOUT_S: Final = 10.0
WHOLE_TIMES: Final = 3
"""`timeout_s` bounds each step (connect, write, each read); the whole exchange may take this many times as long."""
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
MAX_HEAD_BYTES: Final = 100 * 1024
READ_BYTES: Final = 65_536
KEPT_S: Final = 30.0
"""How long a connection that nobody needs is kept; the venue's front keeps it for longer."""
_AS_THEY_ARE: Final = "!#$%&'()*+,/:;=?@[]~"
"""Beside letters, digits and -._ what may stand in a target; everything else is said by its bytes (RFC 3986)."""
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_PORTS: Final = {"http": 80, "https": 443}
_ANY_HEAD: Final = 32 + zlib.MAX_WBITS
"""What is packed begins as a zlib stream or as a gzip file does."""


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


@attrs.define(eq=False)
class _Line:
    """A connection, and what HTTP makes of what was said on it."""

    stream: trio.abc.Stream
    protocol: h11.Connection = attrs.field(
        factory=lambda: h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    )
    kept_until: float = 0.0

    @property
    def is_reusable(self) -> bool:
        """Whether the next request may go on it: both have finished, both stay, and nothing is left over."""
        protocol = self.protocol
        return protocol.our_state is h11.DONE and protocol.their_state is h11.DONE and not protocol.trailing_data[0]


@attrs.define(eq=False)
class _Patience:
    """One scope for all steps of an exchange: each begins with a time of its own, none lasts beyond the whole's."""

    step_s: float
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    ends_at: float = attrs.field(init=False)
    step: str = attrs.field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        self.ends_at = trio.current_time() + self.step_s * WHOLE_TIMES

    def begin(self, step: str) -> None:
        self.step = step
        self.scope.deadline = min(trio.current_time() + self.step_s, self.ends_at)

    def said(self, request: str) -> str:
        """What took too long."""
        if trio.current_time() >= self.ends_at:
            return f"answer to {request} must be whole after {self.step_s * WHOLE_TIMES} s, was not"
        return f"{request} failed: {self.step}Timeout: nothing for {self.step_s} s"


class _TooBig(Exception):
    """The answer has more bytes than it may."""


class _Body:
    """An answer's body, unpacked as it comes, and never more of it than the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._chunks: list[bytes] = []
        self._unpack: zlib._Decompress | None = None

    def is_packed(self) -> None:
        """What comes is packed by gzip or deflate."""
        self._unpack = zlib.decompressobj(_ANY_HEAD)

    def add(self, data: bytes) -> None:
        """Raises _TooBig, zlib.error."""
        unpack = self._unpack
        if unpack is not None:
            room = self._limit - self._size + 1
            try:
                data = unpack.decompress(data, room)
            except zlib.error:
                if self._chunks:
                    raise
                # Some servers mean by deflate what has no head at all.
                self._unpack = unpack = zlib.decompressobj(-zlib.MAX_WBITS)
                data = unpack.decompress(data, room)
        self._size += len(data)
        if self._size > self._limit:
            raise _TooBig
        self._chunks.append(data)

    def whole(self) -> bytes:
        """Raises zlib.error when what was packed ended too soon."""
        if self._chunks and self._unpack is not None and not self._unpack.eof:
            raise zlib.error("what is packed must be whole, was not")
        return b"".join(self._chunks)


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
    ) -> None:
        self.base_url = base_url
        self._max_body_bytes = max_body_bytes
        self._timeout_s = timeout_s
        address = urlsplit("")
        self._host, self._port = "", 0
        # What is no address is told to whoever asks, as one that cannot be reached.
        with contextlib.suppress(ValueError):
            address = urlsplit(base_url)
            self._port = address.port or _PORTS.get(address.scheme, 0)
            self._host = _ascii(address.hostname or "")
        self._tls = (ssl_context or _authorities()) if address.scheme == "https" else None
        self._path = address.path.rstrip("/")
        host = f"[{self._host}]" if ":" in self._host else self._host
        netloc = host if self._port == _PORTS.get(address.scheme) else f"{host}:{self._port}"
        self._headers = [
            (b"Host", netloc.encode()),
            (b"Accept", b"*/*"),
            (b"Accept-Encoding", b"gzip, deflate"),
            (b"Connection", b"keep-alive"),
            (b"User-Agent", b"genesis"),
        ]
        self._places = trio.Semaphore(max_connections)
        self._idle: list[_Line] = []
        self._closed = False

    async def __aenter__(self) -> "HttpClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        with trio.move_on_after(CLOSE_GRACE_S, shield=True):
            while self._idle:
                await close_now(self._idle.pop().stream)

    async def exchange(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpAnswer:
        """One request. Raises RequestFailed; its `sent` says whether anything may have reached the other side."""
        patience = _Patience(self._timeout_s)
        sent = False
        try:
            request = self._request(method, target, headers or {}, body)
            with patience.scope:
                try:
                    self._places.acquire_nowait()
                except trio.WouldBlock:
                    patience.begin("Pool")
                    await self._places.acquire()
                try:
                    line = await self._line(patience)
                    sent = True
                    return await self._ask(line, request, body, patience)
                finally:
                    self._places.release()
            failure = patience.said(f"{method} {target}")
        except _TooBig:
            failure = f"answer to {method} {target} must have at most {self._max_body_bytes} bytes, had more"
        except (
            ConnectFailed,
            trio.BrokenResourceError,
            trio.ClosedResourceError,
            ssl.SSLError,
            h11.ProtocolError,
            zlib.error,
        ) as error:
            failed = "failed" if sent else "not sent"
            raise RequestFailed(f"{method} {target} {failed}: {type(error).__name__}: {error}", sent=sent) from error
        raise RequestFailed(failure, sent=sent)

    def _request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> h11.Request:
        told = [*self._headers, *((name.encode(), value.encode()) for name, value in headers.items())]
        if body or method != "GET":
            told.append((b"Content-Length", b"%d" % len(body)))
        path = quote(f"{self._path}/{target.lstrip('/')}", _AS_THEY_ARE)
        return h11.Request(method=method, target=path, headers=told)

    async def _line(self, patience: _Patience) -> _Line:
        """A kept connection that is still good, or a new one. Raises ConnectFailed."""
        while self._idle:
            line = self._idle.pop()
            # What comes where nothing was asked is its end.
            if trio.current_time() < line.kept_until and not has_word(line.stream):
                return line
            await close_now(line.stream)
        if not self._host or not self._port:
            raise ConnectFailed(f"address must be http:// or https:// and a host, was {self.base_url!r}")
        patience.begin("Connect")
        return _Line(await open_stream(self._host, self._port, self._tls))

    async def _ask(self, line: _Line, request: h11.Request, body: bytes, patience: _Patience) -> HttpAnswer:
        protocol, stream = line.protocol, line.stream
        try:
            patience.begin("Write")
            said = (protocol.send(event) for event in (request, h11.Data(data=body), h11.EndOfMessage()))
            # Who hangs up in the middle of a request may have answered it.
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(b"".join(part for part in said if part))
            answer = await self._answer(line, patience)
            if self._closed or not line.is_reusable:
                await close_now(stream)
            else:
                protocol.start_next_cycle()
                line.kept_until = trio.current_time() + KEPT_S
                self._idle.append(line)
        except BaseException:
            with trio.move_on_after(CLOSE_GRACE_S, shield=True):
                await close_now(stream)
            raise
        return answer

    async def _answer(self, line: _Line, patience: _Patience) -> HttpAnswer:
        protocol = line.protocol
        head: h11.Response | None = None
        headers: dict[str, str] = {}
        body = _Body(self._max_body_bytes)
        while True:
            event = protocol.next_event()
            if event is h11.NEED_DATA:
                patience.begin("Read")
                data = await line.stream.receive_some(READ_BYTES)
                if not data and head is None:
                    raise trio.BrokenResourceError("the other side hung up without an answer")
                protocol.receive_data(bytes(data))
            elif isinstance(event, h11.Data):
                body.add(bytes(event.data))
            elif isinstance(event, h11.Response):
                head = event
                for name, value in event.headers:
                    name_, value_ = name.decode("ascii"), value.decode("latin-1")
                    headers[name_] = f"{headers[name_]}, {value_}" if name_ in headers else value_
                if headers.get("content-encoding", "").lower() in _PACKED:
                    body.is_packed()
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return HttpAnswer(status=head.status_code, headers=headers, body=body.whole())
            elif not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise h11.RemoteProtocolError(f"an answer must be one, was {type(event).__name__}")


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode("ascii")


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Whom to believe. To read them takes 14 ms, so plain HTTP goes without."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
