"""Settings shared between engines: what is said on the bus, who may say it, and which of two values is the newer one.

The bus carries hints. A message counts only when its seal proves that its sender has the shared secret, and each value
in it only when it is newer than ours; then it is a wish like anybody's, which the settings of this engine may refuse.
Stamps are milliseconds that never run backwards for whoever has seen a later one, so that all engines which have heard
the same messages, in any order and any number of times, hold the same values.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from genesis.domain.config_keys import KEYS, Applies

LARGEST_MESSAGE: Final = 65_536
LARGEST_CHANGES: Final = 500
AHEAD_MS: Final = 60_000
"""How far another engine's clock may be ahead of ours: a stamp from the far future would win for ever."""
HALT_FRESH_MS: Final = 600_000
"""A halt that is older was somebody's answer to another hour."""
SHORTEST_SECRET: Final = 16
FOUND_MS: Final = 1
"""The stamp of values that an engine had before it first heard of a bus: whatever the bus says is newer."""
PRIVATE: Final = ("web.", "venue.", "logs.", "connection.")
"""Sections that are each engine's own."""


class Stamp(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """When a value was set and by which engine; the later one wins, of two at once the greater name."""

    ms: int
    by: str


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One key's value on the bus; `cleared` means that it falls back to what each engine's files say."""

    stamp: Stamp
    value: Any = None
    cleared: bool = False


class BusMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one engine tells the others. `halt` is the reason of a kill switch; nothing on the bus releases one."""

    instance: str
    sent_ms: int
    changes: dict[str, Value] = {}
    author: str = ""
    reason: str = ""
    halt: str | None = None


class BusState(msgspec.Struct, kw_only=True):
    """What an engine remembers of the bus over its restarts.

    `seen` is what it had set itself when it last looked, `wanted` what the bus says and this engine would not take.
    """

    instance: str
    last_id: str = "0-0"
    newest_ms: int = 0
    values: dict[str, Value] = {}
    seen: dict[str, Any] = {}
    wanted: list[str] = []


class BusView(msgspec.Struct, frozen=True, kw_only=True):
    """How the bus is doing, for people."""

    instance: str = ""
    connected: bool = False
    last_error: str = ""
    sent: int = 0
    applied: int = 0
    stale: int = 0
    refused: int = 0
    forged: int = 0
    outages: int = 0
    waiting: tuple[str, ...] = ()


_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(BusMessage)


def shareable(path: str) -> bool:
    """Keys that are applied live and are not an engine's own."""
    key = KEYS.get(path)
    return key is not None and key.applies is Applies.LIVE and not path.startswith(PRIVATE)


def seal(message: BusMessage, secret: bytes) -> tuple[bytes, bytes]:
    """The message's text and its seal, as they go on the wire."""
    text = _ENCODER.encode(message)
    return text, hmac.new(secret, text, hashlib.sha256).hexdigest().encode()


def opened(text: bytes, mac: bytes, secret: bytes, *, now_ms: int) -> BusMessage | None:
    """The message, or None when nobody with the secret has written it or it makes no sense."""
    if len(text) > LARGEST_MESSAGE or len(mac) > 64:
        return None
    expected = hmac.new(secret, text, hashlib.sha256).hexdigest().encode()
    if not hmac.compare_digest(expected, mac):
        return None
    try:
        message = _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    stamps = [each.stamp.ms for each in message.changes.values()]
    if len(stamps) > LARGEST_CHANGES or any(not 0 < ms <= now_ms + AHEAD_MS for ms in stamps):
        return None
    return message


def next_stamp(state: BusState, now_ms: int) -> Stamp:
    """A stamp later than everything that was seen. It moves the state's clock."""
    state.newest_ms = max(now_ms, state.newest_ms + 1)
    return Stamp(ms=state.newest_ms, by=state.instance)


def local_changes(state: BusState, runtime: Mapping[str, Any], *, now_ms: int, first: bool) -> dict[str, Value]:
    """What was set here since the last look, stamped, for the others to hear. It is `seen` from now on.

    On the `first` look of all nobody knows when anything was set: then the bus knows better.
    """
    mine = {path: value for path, value in runtime.items() if shareable(path)}
    changed = [path for path in {**mine, **state.seen} if mine.get(path, _ABSENT) != state.seen.get(path, _ABSENT)]
    found: dict[str, Value] = {}
    if changed:
        stamp = Stamp(ms=FOUND_MS, by=state.instance) if first else next_stamp(state, now_ms)
        for path in sorted(changed):
            value = Value(stamp=stamp, value=mine.get(path), cleared=path not in mine)
            known = state.values.get(path)
            if known is None or known.stamp < stamp:
                found[path] = state.values[path] = value
                # Who sets a key by hand has decided about what the bus wanted of it.
                if path in state.wanted:
                    state.wanted.remove(path)
    state.seen = mine
    return found


_ABSENT: Final = object()


def newer(state: BusState, message: BusMessage) -> list[str]:
    """Take in what is newer than ours; gives the paths, which are to be applied. What is older changes nothing."""
    found: list[str] = []
    for path, value in sorted(message.changes.items()):
        if not shareable(path):
            continue
        known = state.values.get(path)
        if known is None or known.stamp < value.stamp:
            state.values[path] = value
            state.newest_ms = max(state.newest_ms, value.stamp.ms)
            found.append(path)
    return found


def wishes(state: BusState, paths: Iterable[str], runtime: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Changes and clearings that would make our values those of the bus; what is equal already is left out."""
    changes: dict[str, Any] = {}
    cleared: list[str] = []
    for path in paths:
        value = state.values[path]
        if value.cleared:
            if path in runtime:
                cleared.append(path)
        elif path not in runtime or runtime[path] != value.value:
            changes[path] = value.value
    return changes, tuple(cleared)
