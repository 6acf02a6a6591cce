"""What can go wrong with the wire, as one small tree.

    BitfinexError
    |-- LocalProtocolError        we asked for something the session's state, or the language, has no frame for
    `-- RemoteProtocolError       the other side broke the protocol
        |-- MalformedFrame        not JSON, or not the shape the documents allow
        |-- VenueError            the venue's own `["error", code, text]`
        |   |-- RateLimited       11010, or HTTP 429: nothing was done, ask later
        |   |-- NonceTooSmall     10114: nothing was done, ask again with a bigger nonce
        |   |-- Maintenance       20060: nothing was done
        |   `-- AuthFailed        10100, 10111, 10112, 10113: key, payload or signature refused
        `-- InputRefused          server side: a client's input the venue answers with an ERROR notification

`RemoteProtocolError` says nothing about whether a request was carried out, unless its docstring does.
"""

from typing import Final

ERR_UNKNOWN: Final = 10000
ERR_GENERIC: Final = 10001
ERR_CONCURRENCY: Final = 10008
ERR_PARAMS: Final = 10020
ERR_CONF: Final = 10050
ERR_AUTH: Final = 10100
ERR_AUTH_PAYLOAD: Final = 10111
ERR_AUTH_SIGNATURE: Final = 10112
ERR_AUTH_HMAC: Final = 10113
ERR_AUTH_NONCE: Final = 10114
ERR_UNAUTH: Final = 10200
ERR_SUBSCRIBE: Final = 10300
ERR_SUBSCRIBED_ALREADY: Final = 10301
ERR_UNKNOWN_CHANNEL: Final = 10302
ERR_CHANNEL_LIMIT: Final = 10305
ERR_UNSUBSCRIBE: Final = 10400
ERR_NOT_SUBSCRIBED: Final = 10401
ERR_NOT_READY: Final = 11000
ERR_RATE_LIMIT: Final = 11010
ERR_MAINTENANCE: Final = 20060

ERROR_NAMES: Final[dict[int, str]] = {
    ERR_UNKNOWN: "unknown",
    ERR_GENERIC: "generic",
    ERR_CONCURRENCY: "concurrency",
    10011: "unknown book precision",
    10012: "unknown book length",
    ERR_PARAMS: "request parameter",
    ERR_CONF: "conf failed",
    ERR_AUTH: "authentication failed",
    10101: "already authenticated",
    ERR_AUTH_PAYLOAD: "authentication payload",
    ERR_AUTH_SIGNATURE: "authentication signature",
    ERR_AUTH_HMAC: "authentication hmac",
    ERR_AUTH_NONCE: "nonce too small",
    ERR_UNAUTH: "un-authentication failed",
    ERR_SUBSCRIBE: "subscription failed",
    ERR_SUBSCRIBED_ALREADY: "already subscribed",
    ERR_UNKNOWN_CHANNEL: "unknown channel",
    ERR_CHANNEL_LIMIT: "channel limit reached",
    ERR_UNSUBSCRIBE: "unsubscribe failed",
    ERR_NOT_SUBSCRIBED: "not subscribed",
    ERR_NOT_READY: "not ready",
    ERR_RATE_LIMIT: "rate limit",
    ERR_MAINTENANCE: "maintenance",
    110202: "collateral below market risk",
}
"""A name for every documented code; people read it, programs compare the number."""


class BitfinexError(Exception):
    """Root of all errors of this package."""


class LocalProtocolError(BitfinexError):
    """Our own fault: nothing was sent."""


class RemoteProtocolError(BitfinexError):
    """The other side's fault."""


class MalformedFrame(RemoteProtocolError):
    """Text that is not JSON or not a shape the documents allow. `excerpt` is its beginning, for a log line."""

    def __init__(self, reason: str, frame: bytes | str = b"") -> None:
        excerpt = frame if isinstance(frame, str) else bytes(frame[:200]).decode("utf-8", "replace")
        self.reason = reason
        self.excerpt = excerpt[:200]
        super().__init__(f"{reason}: {self.excerpt!r}" if self.excerpt else reason)


class VenueError(RemoteProtocolError):
    """The venue refused and said why. `code` is None where the venue gave none; rely on it, not on `text`."""

    def __init__(self, code: int | None, text: str) -> None:
        self.code = code
        self.text = text
        super().__init__(f"{code} ({ERROR_NAMES.get(code or 0, 'undocumented')}): {text}")


class RateLimited(VenueError):
    """Too many requests from this address; the venue blocks it for 60 s."""


class NonceTooSmall(VenueError):
    """Another request with this key used an equal or bigger nonce."""


class Maintenance(VenueError):
    """The venue is closed for maintenance."""


class AuthFailed(VenueError):
    """Key unknown, signature wrong, or payload refused: asking again does not help."""


class InputRefused(RemoteProtocolError):
    """A client's input that the venue answers with an ERROR notification.

    `kind` is the notification's type (`on-req`), `fields` what was readable of the request, so that the answer can
    name the cid or id that the client correlates by.
    """

    def __init__(self, kind: str, text: str, fields: dict[str, object] | None = None) -> None:
        self.kind = kind
        self.text = text
        self.fields = fields or {}
        super().__init__(f"{kind}: {text}")


_BY_CODE: Final[dict[int, type[VenueError]]] = {
    ERR_RATE_LIMIT: RateLimited,
    ERR_AUTH_NONCE: NonceTooSmall,
    ERR_MAINTENANCE: Maintenance,
    ERR_AUTH: AuthFailed,
    ERR_AUTH_PAYLOAD: AuthFailed,
    ERR_AUTH_SIGNATURE: AuthFailed,
    ERR_AUTH_HMAC: AuthFailed,
}


def venue_error(code: int | None, text: str) -> VenueError:
    """The error of the tree for the venue's code; a plain `VenueError` for codes without a type of their own."""
    return _BY_CODE.get(code or 0, VenueError)(code, text)
