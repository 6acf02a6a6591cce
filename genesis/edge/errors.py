"""What can go wrong where bytes move, as one tree.

    EdgeError
     +- ConnectFailed          no stream to the other side: refused, unreachable, name unknown
     |   +- ConnectTimeout     the other side said nothing in time, before or during a handshake
     +- HandshakeRefused       an HTTP answer other than the one asked for; carries its status
     +- HandshakeFailed        the answer was not a handshake at all, or the stream ended inside it
     +- LinkClosed             an open connection ended; `by_us` says who did it
     |   +- MessageTooBig      ... because a message broke our limit
     +- RequestFailed          an HTTP exchange ended without an answer; `sent` says whether bytes may have left
     +- SecretRefused          a secret is missing, readable by others, or was about to be shown

Foreign exceptions (OSError, ssl, websockets, wsproto, h11) are translated into these here and never pass this floor.
"""


class EdgeError(Exception):
    """Anything the network, a file or a secret did to us."""


class ConnectFailed(EdgeError):
    """No stream to the other side. Dial again later."""


class ConnectTimeout(ConnectFailed):
    """The other side was silent until our limit. Dial again later."""


class HandshakeRefused(EdgeError):
    """The other side answered the upgrade with an HTTP status. 429 and 503 want a long pause."""

    def __init__(self, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(f"handshake must be answered with 101, was {status}")
        self.status = status
        self.retry_after_s = retry_after_s


class HandshakeFailed(EdgeError):
    """The answer to the upgrade was no handshake, or ended in the middle."""


class LinkClosed(EdgeError):
    """The connection is over. `code` is the close frame's (1006 when there was none)."""

    def __init__(self, code: int, reason: str, *, by_us: bool = False) -> None:
        who = "by us" if by_us else "by the other side"
        super().__init__(f"closed {who} with {code}" + (f": {reason}" if reason else ""))
        self.code = code
        self.reason = reason
        self.by_us = by_us


class MessageTooBig(LinkClosed):
    """The other side sent a message above our limit; the connection was ended."""


class RequestFailed(EdgeError):
    """An HTTP exchange without an answer. When `sent` is false, not one byte of the request left."""

    def __init__(self, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.sent = sent


class SecretRefused(EdgeError):
    """A secret that cannot be used as it is; the text says what to change, never what it contains."""
