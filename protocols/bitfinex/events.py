"""What a session tells its owner about itself, and the event objects (`{"event": ...}`) of both directions."""

from typing import Any, Final

import msgspec

from protocols.bitfinex.errors import MalformedFrame, RemoteProtocolError
from protocols.bitfinex.numbers import write_json
from protocols.bitfinex.rows import Row
from protocols.bitfinex.subscriptions import Subscription

PROTOCOL_VERSION: Final = 2

FLAG_DECIMAL_STRINGS: Final = 8
FLAG_TIME_STRINGS: Final = 32
FLAG_TIMESTAMP: Final = 32768
FLAG_SEQ_ALL: Final = 65536
FLAG_CHECKSUM: Final = 131072
FLAG_BULK_UPDATES: Final = 536870912

INFO_STOPPING: Final = 20051
INFO_MAINTENANCE_START: Final = 20060
INFO_MAINTENANCE_END: Final = 20061

# --- what a session tells -----------------------------------------------------------------------------------------


class ServerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The first word of a server. A `version` other than 2 is a protocol nobody here speaks: close."""

    version: int
    server_id: str
    operative: bool


class ServerStopping(msgspec.Struct, frozen=True, kw_only=True):
    """20051: the server closes soon; dial again, subscribe again, authenticate again."""

    text: str


class MaintenanceStarted(msgspec.Struct, frozen=True, kw_only=True):
    """20060: ask for nothing until it ends (normally at most 120 s)."""

    text: str


class MaintenanceEnded(msgspec.Struct, frozen=True, kw_only=True):
    """20061: every stream may be stale; subscribe to all of them again, and authenticate anew."""

    text: str


class ServerNote(msgspec.Struct, frozen=True, kw_only=True):
    """Plain information."""

    code: int
    text: str


class ConfAccepted(msgspec.Struct, frozen=True, kw_only=True):
    flags: int


class ConfRefused(msgspec.Struct, frozen=True, kw_only=True):
    code: int
    text: str


class SubscriptionRefused(msgspec.Struct, frozen=True, kw_only=True):
    """The venue does not give this stream; 10305 means this socket is full, 10301 that it has it already."""

    subscription: Subscription
    code: int
    text: str


class StreamBroken(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one stream is wrong: say nothing more of it, and subscribe to it again."""

    subscription: Subscription
    reason: str


class SequenceGap(msgspec.Struct, frozen=True, kw_only=True):
    """Frames of this socket are missing: every stream of it may be wrong. `channel` says which counter jumped."""

    counter: str
    expected: int
    was: int


class ServerError(msgspec.Struct, frozen=True, kw_only=True):
    """An error event that names no stream of ours."""

    code: int
    text: str


class Pong(msgspec.Struct, frozen=True, kw_only=True):
    cid: int | None
    venue_ms: int


class AuthAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """`permissions` maps a scope (orders, wallets, withdraw ...) to (read, write)."""

    user_id: int
    auth_id: str
    permissions: dict[str, tuple[bool, bool]]


class AuthRefused(msgspec.Struct, frozen=True, kw_only=True):
    """10114 may be tried again with a bigger nonce, 11000 later; the others are final."""

    code: int
    text: str


class AuthLost(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshots of a login are here, so it was accepted, and the word that says so was lost: what the key may do
    and whose it is stays unknown."""


class FrameRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that could not be understood; the stream goes on."""

    error: RemoteProtocolError


SessionEvent = (
    ServerInfo
    | ServerStopping
    | MaintenanceStarted
    | MaintenanceEnded
    | ServerNote
    | ConfAccepted
    | ConfRefused
    | SubscriptionRefused
    | StreamBroken
    | SequenceGap
    | ServerError
    | Pong
    | AuthAccepted
    | AuthRefused
    | AuthLost
    | FrameRefused
)


# --- reading what the server says ---------------------------------------------------------------------------------


def event_name(event: dict[str, Any]) -> str:
    name = event.get("event")
    if not isinstance(name, str):
        raise MalformedFrame("object must have an event name, had none")
    return name


def event_integer(event: dict[str, Any], name: str) -> int:
    """A whole number of an event (some come as text); 0 when absent."""
    return Row(f"event.{name}", [event.get(name)]).integer(0)


def event_text(event: dict[str, Any], name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def read_info(
    event: dict[str, Any], before: ServerInfo | None = None, *, paused: bool = False
) -> ServerInfo | ServerStopping | MaintenanceStarted | MaintenanceEnded | ServerNote:
    """`before` is the one that greeted, `paused` whether the platform is closed since. The server's greeting that comes
    again in mid-session with the platform's other status says what 20060 and 20061 do, and is read as such."""
    text = event_text(event, "msg")
    code = event_integer(event, "code")
    if code == INFO_STOPPING:
        return ServerStopping(text=text)
    if code == INFO_MAINTENANCE_START:
        return MaintenanceStarted(text=text)
    if code == INFO_MAINTENANCE_END:
        return MaintenanceEnded(text=text)
    if "version" not in event:
        return ServerNote(code=code, text=text)
    platform = event.get("platform")
    status = platform.get("status") if isinstance(platform, dict) else None
    version = event.get("version")
    info = ServerInfo(
        # 1.1 is how the retired protocol calls itself.
        version=version if isinstance(version, int) else 1,
        server_id=event_text(event, "serverId"),
        operative=status != 0,
    )
    if before is None or info.version != PROTOCOL_VERSION or info.operative is not paused:
        return info
    return MaintenanceEnded(text=text) if info.operative else MaintenanceStarted(text=text)


def read_auth_answer(event: dict[str, Any]) -> AuthAccepted | AuthRefused:
    if event.get("status") != "OK":
        return AuthRefused(code=event_integer(event, "code"), text=event_text(event, "msg"))
    return AuthAccepted(
        user_id=event_integer(event, "userId"),
        auth_id=event_text(event, "auth_id"),
        permissions=read_permissions(event.get("caps")),
    )


def read_permissions(caps: object) -> dict[str, tuple[bool, bool]]:
    """`caps` of an auth answer: an object, or (old documents) the same object as JSON text with digits in quotes."""
    if isinstance(caps, str):
        try:
            caps = msgspec.json.decode(caps)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return {}
    if not isinstance(caps, dict):
        return {}
    granted = (1, "1", True)
    return {
        str(scope): (rights.get("read") in granted, rights.get("write") in granted)
        for scope, rights in caps.items()
        if isinstance(rights, dict)
    }


# --- writing what the server says ---------------------------------------------------------------------------------


def info_event(*, server_id: str, operative: bool = True) -> bytes:
    return write_json(
        {"event": "info", "version": PROTOCOL_VERSION, "serverId": server_id, "platform": {"status": int(operative)}}
    )


def notice_event(code: int, text: str) -> bytes:
    """An info event with a code: 20051, 20060, 20061."""
    return write_json({"event": "info", "code": code, "msg": text})


def conf_answer(flags: int) -> bytes:
    return write_json({"event": "conf", "status": "OK", "flags": flags})


def pong_event(*, cid: int | None, time_ms: int) -> bytes:
    return write_json({"event": "pong", "ts": time_ms} | ({} if cid is None else {"cid": cid}))


def subscribed_event(subscription: Subscription, channel_id: int, *, sub_id: str | None = None) -> bytes:
    """The acknowledgement, with the client's subId only if it sent one."""
    event: dict[str, Any] = {"event": "subscribed", "channel": subscription.channel, "chanId": channel_id}
    event |= subscription.fields()
    if sub_id is not None:
        event["subId"] = sub_id
    if subscription.channel in ("ticker", "trades", "book"):
        event["currency" if subscription.is_funding else "pair"] = subscription.symbol[1:]
    return write_json(event)


def unsubscribed_event(channel_id: int) -> bytes:
    return write_json({"event": "unsubscribed", "status": "OK", "chanId": channel_id})


def error_event(code: int, text: str, request: dict[str, Any] | None = None, *, channel_id: int | None = None) -> bytes:
    """An error, with the fields of the offending request echoed as the venue does; nested values are left out."""
    event = {name: value for name, value in (request or {}).items() if not isinstance(value, dict | list)}
    symbol = event.get("symbol")
    event |= {"event": "error", "msg": text, "code": code}
    if channel_id is not None:
        event["chanId"] = channel_id
    if isinstance(symbol, str) and symbol:
        event["pair"] = symbol[1:]
    return write_json(event)


def auth_accepted_event(
    *, user_id: int, auth_id: str, caps: dict[str, dict[str, int]], sub_id: str | None = None
) -> bytes:
    """`sub_id` is echoed to those who sent one: the Go client knows its account channel by it."""
    event = {"event": "auth", "status": "OK", "chanId": 0, "userId": user_id, "auth_id": auth_id, "caps": caps}
    return write_json(event | _echoed(sub_id))


def auth_refused_event(code: int, text: str, *, sub_id: str | None = None) -> bytes:
    event = {"event": "auth", "status": "FAILED", "chanId": 0, "code": code, "msg": text}
    return write_json(event | _echoed(sub_id))


def _echoed(sub_id: str | None) -> dict[str, str]:
    return {} if sub_id is None else {"subId": sub_id}


# --- writing what a client says -----------------------------------------------------------------------------------


def conf_request(flags: int) -> bytes:
    """Every conf replaces the whole set of flags."""
    return write_json({"event": "conf", "flags": flags})


def ping_request(cid: int) -> bytes:
    return write_json({"event": "ping", "cid": cid})


def subscribe_request(subscription: Subscription, *, sub_id: str | None = None) -> bytes:
    event: dict[str, Any] = {"event": "subscribe"} | subscription.fields()
    if sub_id is not None:
        event["subId"] = sub_id
    return write_json(event)


def unsubscribe_request(channel_id: int) -> bytes:
    return write_json({"event": "unsubscribe", "chanId": channel_id})
