"""What a client's frame asks of a server: an event to answer, or an input on the account channel."""

from typing import Any, Final

import msgspec

from protocols.bitfinex.auth import AuthClaim, read_auth_event
from protocols.bitfinex.errors import MalformedFrame
from protocols.bitfinex.events import event_integer, event_name
from protocols.bitfinex.inputs import Input, read_input
from protocols.bitfinex.numbers import read_json

KNOWN_EVENTS: Final = ("ping", "conf", "auth", "unauth", "subscribe", "unsubscribe")


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    cid: int | None


class Conf(msgspec.Struct, frozen=True, kw_only=True):
    flags: int


class Authenticate(msgspec.Struct, frozen=True, kw_only=True):
    claim: AuthClaim


class Unauthenticate(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Subscribe(msgspec.Struct, frozen=True, kw_only=True):
    """Not judged yet: `read_subscription(request)` says which stream, or why not; an error echoes `request`."""

    request: dict[str, Any]
    sub_id: str | None


class Unsubscribe(msgspec.Struct, frozen=True, kw_only=True):
    channel_id: int


class UnknownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The venue answers 10000, `event: invalid (name)`."""

    name: str


ClientFrame = Ping | Conf | Authenticate | Unauthenticate | Subscribe | Unsubscribe | UnknownEvent | Input


def read_client_frame(frame: bytes | str) -> ClientFrame:
    """Raises MalformedFrame on what gets no reply at all, InputRefused on what gets an ERROR notification."""
    value = read_json(frame)
    if isinstance(value, list):
        return read_input(value)
    if not isinstance(value, dict):
        raise MalformedFrame("frame must be an object or an array", frame)
    name = event_name(value)
    if name == "ping":
        return Ping(cid=event_integer(value, "cid") if value.get("cid") is not None else None)
    if name == "conf":
        return Conf(flags=event_integer(value, "flags"))
    if name == "auth":
        return Authenticate(claim=read_auth_event(value))
    if name == "unauth":
        return Unauthenticate()
    if name == "subscribe":
        # Only plain values are echoed: a nested one names no stream, and would have to be written back.
        plain = {key: item for key, item in value.items() if not isinstance(item, dict | list)}
        request = {key: item for key, item in plain.items() if key != "event"}
        sub_id = request.get("subId")
        return Subscribe(request=request, sub_id=sub_id if isinstance(sub_id, str) else None)
    if name == "unsubscribe":
        # One client sends the number as text.
        return Unsubscribe(channel_id=event_integer(value, "chanId"))
    return UnknownEvent(name=name[:40])
