"""Streams before anything is spoken on them: an address read, TCP and TLS opened, a first answer judged, an end made.

TCP is opened with `trio.open_tcp_stream`, so trio's socket seam (a virtual network) works below everything.
"""

import contextlib
import ssl
from http import HTTPStatus
from typing import Final

import trio
from websockets.exceptions import InvalidURI
from websockets.uri import WebSocketURI, parse_uri

from genesis.edge.errors import ConnectFailed, ConnectTimeout, HandshakeFailed, HandshakeRefused
from genesis.edge.tcp_stream import TcpStream, straight

CLOSE_GRACE_S: Final = 2.0
"""How long a goodbye may take."""
HEAD_BYTES: Final = 4096
"""How much of an answer is kept to judge it by."""


def read_address(uri: str) -> WebSocketURI:
    try:
        return parse_uri(uri)
    except (InvalidURI, ValueError) as error:
        raise ConnectFailed(f"address must be a ws:// or wss:// URI, was {uri!r}") from error


def trust_for(target: WebSocketURI, ssl_context: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Whom to believe for a wss address (its caller's choice, or the system's); None for ws."""
    return (ssl_context or ssl.create_default_context()) if target.secure else None


async def open_stream(host: str, port: int, tls_context: ssl.SSLContext | None) -> trio.abc.Stream:
    """TCP, and TLS where there is a context for it. The caller holds the deadline. Raises ConnectFailed."""
    try:
        stream = straight(await trio.open_tcp_stream(host, port))
    except (OSError, UnicodeError) as error:
        # The latter of a name that cannot be one: an empty part, or one of more than 63 bytes.
        raise ConnectFailed(f"cannot reach {host}:{port}: {error}") from error
    if tls_context is None:
        return stream
    tls = trio.SSLStream(stream, tls_context, server_hostname=host, https_compatible=True)
    try:
        await tls.do_handshake()
    except (trio.BrokenResourceError, ssl.SSLError, OSError) as error:
        await trio.aclose_forcefully(stream)
        raise ConnectFailed(f"TLS with {host}:{port} failed: {error.__cause__ or error}") from error
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return tls


def has_word(stream: trio.abc.Stream) -> bool:
    """Whether there is something to be read of a connection on which nothing is awaited: mostly its end."""
    while isinstance(stream, trio.SSLStream):
        if stream._incoming.pending:
            # What came with the last record that was asked for has left the kernel, and was not read.
            return True
        stream = stream.transport_stream
    if isinstance(stream, TcpStream):
        return stream.is_readable()
    return isinstance(stream, trio.SocketStream) and stream.socket.is_readable()


async def close_now(stream: trio.abc.Stream) -> None:
    # A TLS stream that broke before may complain once more while it is being closed.
    with contextlib.suppress(trio.BrokenResourceError, ssl.SSLError):
        await trio.aclose_forcefully(stream)


def status_of(heard: bytes | bytearray) -> int | None:
    """The status of an HTTP answer of which perhaps only the first line came."""
    first, separator, _ = bytes(heard).partition(b"\r\n")
    parts = first.split(b" ", 2)
    if separator and len(parts) >= 2 and parts[0].startswith(b"HTTP/") and parts[1].isdigit():
        return int(parts[1])
    return None


def handshake_trouble(heard: bytes | bytearray) -> HandshakeRefused | HandshakeFailed:
    """What a handshake that ended has told us: a refusal if a status line came, else only that it failed."""
    status = status_of(heard)
    if status is not None and status != HTTPStatus.SWITCHING_PROTOCOLS:
        return HandshakeRefused(status)
    return HandshakeFailed("the stream ended before the handshake was answered")


def timeout_trouble(uri: str, timeout_s: float, heard: bytes | bytearray) -> HandshakeRefused | ConnectTimeout:
    """A status line and then nothing is a refusal, not silence: its sender may never finish the body."""
    status = status_of(heard)
    if status is not None and status != HTTPStatus.SWITCHING_PROTOCOLS:
        return HandshakeRefused(status)
    return ConnectTimeout(f"{uri} must be connected within {timeout_s} s")
