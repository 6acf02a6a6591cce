"""Proof of a key: HMAC-SHA384 signatures of the WebSocket `auth` event and of REST requests, made and checked.

Source: the venue's documentation, "Authenticated endpoints"; checked against its documented strings. The secret never
leaves these functions.
"""

import hashlib
import hmac
from typing import Any, Final

import msgspec

from protocols.bitfinex.errors import LocalProtocolError
from protocols.bitfinex.numbers import write_json

LARGEST_NONCE: Final = 9_007_199_254_740_991
"""2^53 - 1, the venue's limit."""
DEAD_MAN_SWITCH: Final = 4
"""`dms` value: cancel all orders of the account when this socket closes."""


def sign(secret: str, message: str | bytes) -> str:
    """Lower-case hex HMAC-SHA384."""
    data = message.encode() if isinstance(message, str) else message
    return hmac.new(secret.encode(), data, hashlib.sha384).hexdigest()


def is_signed(secret: str, message: str | bytes, signature: str) -> bool:
    """Whether `signature` is right, compared in constant time."""
    # A text with non-ASCII characters makes compare_digest raise; it is a wrong signature all the same.
    return hmac.compare_digest(sign(secret, message).encode(), signature.lower().encode("utf-8", "replace"))


def checked_nonce(nonce: int) -> int:
    if not 0 < nonce <= LARGEST_NONCE:
        raise LocalProtocolError(f"nonce must be in 1..{LARGEST_NONCE}, was {nonce}")
    return nonce


def auth_event(
    key: str, secret: str, nonce: int, *, dead_man_switch: bool = False, filters: tuple[str, ...] | None = None
) -> bytes:
    """The `auth` event of a WebSocket session. `filters` None lets everything through."""
    payload = f"AUTH{checked_nonce(nonce)}"
    event: dict[str, Any] = {
        "event": "auth",
        "apiKey": key,
        "authNonce": nonce,
        "authPayload": payload,
        "authSig": sign(secret, payload),
    }
    if dead_man_switch:
        event["dms"] = DEAD_MAN_SWITCH
    if filters is not None:
        event["filter"] = list(filters)
    return write_json(event)


def rest_message(path: str, nonce: int | str, body: bytes) -> bytes:
    """The bytes that a REST signature covers; `path` begins with `v2/` (or `/v2/`), as in the address."""
    return f"/api/{path.lstrip('/')}{nonce}".encode() + body


def rest_headers(key: str, secret: str, path: str, nonce: int, body: bytes) -> dict[str, str]:
    """The headers of a signed REST request; `body` must be the exact bytes that are sent."""
    return {
        "bfx-nonce": str(checked_nonce(nonce)),
        "bfx-apikey": key,
        "bfx-signature": sign(secret, rest_message(path, nonce, body)),
        "content-type": "application/json",
    }


class AuthClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What a client's `auth` event claims (server side). `apiSecret`, which one official client sends, is not kept."""

    key: str
    nonce: int
    payload: str
    signature: str
    dead_man_switch: bool
    filters: tuple[str, ...] | None
    token: str | None


def read_auth_event(event: dict[str, Any]) -> AuthClaim:
    """Read an `auth` event as tolerantly as the venue: nonce as number or text, filter absent or null.

    Check `is_signed(secret, claim.payload, claim.signature)`: always over the payload as sent, since one official
    client signs the nonce twice.
    """
    nonce = event.get("authNonce")
    text = str(nonce) if isinstance(nonce, int | str) and not isinstance(nonce, bool) else ""
    filters = event.get("filter")
    token = event.get("token")
    return AuthClaim(
        key=_text(event.get("apiKey")),
        nonce=int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0,
        payload=_text(event.get("authPayload")),
        signature=_text(event.get("authSig")),
        dead_man_switch=event.get("dms") == DEAD_MAN_SWITCH,
        filters=tuple(str(item) for item in filters) if isinstance(filters, list) and filters else None,
        token=token if isinstance(token, str) else None,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
