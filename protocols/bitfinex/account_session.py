"""One authenticated socket's conversation, sans-IO: frames in, account messages and session events out.

The phases go one way: a socket that is refused or closed is replaced, never revived. Commands are refused locally
(LocalProtocolError, nothing sent) until the snapshots are here, because the venue may refuse orders before that.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

import msgspec

from protocols.bitfinex.account import AccountMessage, read_account
from protocols.bitfinex.auth import auth_event
from protocols.bitfinex.errors import LocalProtocolError, MalformedFrame
from protocols.bitfinex.events import (
    FLAG_SEQ_ALL,
    FLAG_TIMESTAMP,
    AuthAccepted,
    AuthLost,
    AuthRefused,
    ConfAccepted,
    ConfRefused,
    FrameRefused,
    MaintenanceEnded,
    MaintenanceStarted,
    Pong,
    ServerError,
    ServerInfo,
    SessionEvent,
    conf_request,
    event_integer,
    event_name,
    event_text,
    ping_request,
    read_auth_answer,
    read_info,
)
from protocols.bitfinex.heartbeat import SilenceWatch
from protocols.bitfinex.inputs import (
    WrittenCommand,
    cancel_many_fields,
    encode_calc,
    encode_cancel_many,
    encode_command,
    encode_multi,
)
from protocols.bitfinex.numbers import read_json
from protocols.bitfinex.plausible import AHEAD_MS
from protocols.bitfinex.rows import Tolerance
from protocols.bitfinex.sequence import SequenceAudit
from protocols.orders import OrderSnapshot, SessionUp, VenueCommand, VenueOrder

DEFAULT_FLAGS: Final = FLAG_TIMESTAMP | FLAG_SEQ_ALL


class AccountPhase(StrEnum):
    CONNECTED = "connected"
    OPEN = "open"
    AUTHENTICATING = "authenticating"
    SYNCING = "syncing"
    READY = "ready"
    REFUSED = "refused"
    CLOSED = "closed"


_READY: Final = AccountPhase.READY
AccountSessionEvent = AccountMessage | SessionUp | SessionEvent


class AccountSession:
    """`session` numbers this login in every message. One instance lives as long as its socket. `about_ms` is as in
    `PublicSession`.

    Frames to send, in order: `send_conf()`, `send_auth(nonce)`; then wait for `SessionUp`, which comes after the
    snapshots of positions, wallets and orders (as far as `filters` let them through).
    """

    def __init__(
        self,
        *,
        session: int,
        api_key: str,
        api_secret: str,
        dead_man_switch: bool = False,
        filters: tuple[str, ...] | None = None,
        about_ms: int = 0,
    ) -> None:
        self.session = session
        self.phase = AccountPhase.CONNECTED
        self.paused = False
        self.info: ServerInfo | None = None
        self.permissions: dict[str, tuple[bool, bool]] = {}
        self.user_id = 0
        self.silence = SilenceWatch()
        self.tolerance = Tolerance()
        self.audit = SequenceAudit(self.tolerance, about_ms=about_ms)
        self._api_key = api_key
        self._api_secret = api_secret
        self._dead_man_switch = dead_man_switch
        self._filters = filters
        self._asked_flags = 0
        self._awaited = _snapshots_of(filters)

    # --- asking ---------------------------------------------------------------------------------------------------

    @property
    def flags(self) -> int:
        """The conf flags the venue has acknowledged."""
        return self.audit.flags

    @property
    def heard_ns(self) -> int:
        """When the last frame came, heartbeats included."""
        return self.silence.heard_ns

    @property
    def venue_ms(self) -> int:
        """The newest time stamp of the venue; 0 without the TIMESTAMP flag."""
        return self.audit.venue_ms

    def send_conf(self, flags: int = DEFAULT_FLAGS) -> bytes:
        self._asked_flags = flags
        return conf_request(flags)

    def send_auth(self, nonce: int) -> bytes:
        """Raises LocalProtocolError when already authenticated, or on a nonce out of range."""
        if self.phase not in (AccountPhase.CONNECTED, AccountPhase.OPEN, AccountPhase.REFUSED):
            raise LocalProtocolError(f"phase must be open to authenticate, was {self.phase.value}")
        frame = auth_event(
            self._api_key, self._api_secret, nonce, dead_man_switch=self._dead_man_switch, filters=self._filters
        )
        self.phase = AccountPhase.AUTHENTICATING
        return frame

    def send_command(self, command: VenueCommand, written: WrittenCommand | None = None) -> bytes:
        """One order, cancel or update, of which the text may be `written` already. Raises LocalProtocolError, with
        nothing sent, unless the session is ready, not paused for maintenance, and the one the command is for."""
        if command.session != self.session or self.phase is not _READY or self.paused:
            self._require_ready(command.session)
        return written.frame if written is not None and written.command is command else encode_command(command)

    def send_multi(self, commands: Iterable[VenueCommand]) -> bytes:
        listed = list(commands)
        for command in listed:
            self._require_ready(command.session)
        return encode_multi(listed)

    def send_cancel_many(
        self,
        *,
        venue_ids: Iterable[int] = (),
        cids: Iterable[tuple[int, str]] = (),
        group_ids: Iterable[int] = (),
        everything: bool = False,
    ) -> bytes:
        """`oc_multi`; `everything` means the whole account, other programs' orders too."""
        self._require_ready(self.session)
        return encode_cancel_many(
            cancel_many_fields(venue_ids=venue_ids, cids=cids, group_ids=group_ids, everything=everything)
        )

    def send_calc(self, keys: Iterable[str]) -> bytes:
        """Ask for calculated values, at most 30 keys a frame and 8 a second."""
        if self.phase not in (AccountPhase.SYNCING, AccountPhase.READY):
            raise LocalProtocolError(f"phase must be ready to calculate, was {self.phase.value}")
        return encode_calc(keys)

    def send_ping(self, cid: int) -> bytes:
        return ping_request(cid)

    def close(self) -> None:
        """The socket is gone; nothing can be sent any more."""
        self.phase = AccountPhase.CLOSED

    def _require_ready(self, session: int) -> None:
        if session != self.session:
            raise LocalProtocolError(f"session must be {self.session}, was {session}")
        if self.phase is not AccountPhase.READY:
            raise LocalProtocolError(f"phase must be ready to send a command, was {self.phase.value}")
        if self.paused:
            raise LocalProtocolError("venue must be operative to send a command, was in maintenance")

    # --- hearing --------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes | str, received_ns: int) -> list[AccountSessionEvent]:
        return self.receive_many((frame,), received_ns)

    def receive_many(self, frames: Iterable[bytes | str], received_ns: int) -> list[AccountSessionEvent]:
        """All events of a batch, in order. Never raises on what the venue says."""
        events: list[AccountSessionEvent] = []
        for frame in frames:
            self.tolerance.frames += 1
            try:
                value = read_json(frame)
                if isinstance(value, dict):
                    self._on_event(value, events)
                elif isinstance(value, list) and value:
                    self._on_frame(value, frame, received_ns, events)
                else:
                    raise MalformedFrame("frame must be an object or a filled array", frame)
            except MalformedFrame as error:
                self.tolerance.refused += 1
                events.append(FrameRefused(error=error))
        self.silence.heard(received_ns)
        return events

    def _on_event(self, event: dict[str, Any], events: list[AccountSessionEvent]) -> None:
        name = event_name(event)
        if name == "auth":
            self._on_auth(event, events)
        elif name == "info":
            info = read_info(event, self.info, paused=self.paused)
            if isinstance(info, ServerInfo):
                self.info = info
                self.paused = not info.operative
                if self.phase is AccountPhase.CONNECTED:
                    self.phase = AccountPhase.OPEN
            elif isinstance(info, MaintenanceStarted | MaintenanceEnded):
                self.paused = isinstance(info, MaintenanceStarted)
            events.append(info)
        elif name == "conf":
            if event.get("status") == "OK":
                self.audit.flags = event_integer(event, "flags") if "flags" in event else self._asked_flags
                events.append(ConfAccepted(flags=self.audit.flags))
            else:
                events.append(ConfRefused(code=event_integer(event, "code"), text=event_text(event, "msg")))
        elif name == "pong":
            cid = event_integer(event, "cid") if "cid" in event else None
            events.append(Pong(cid=cid, venue_ms=event_integer(event, "ts")))
        elif name == "error":
            events.append(ServerError(code=event_integer(event, "code"), text=event_text(event, "msg")))
        elif name == "unauth":
            self.phase = AccountPhase.CLOSED
            events.append(ServerError(code=event_integer(event, "code"), text="unauthenticated"))
        else:
            self.tolerance.unknown_kinds += 1

    def _on_auth(self, event: dict[str, Any], events: list[AccountSessionEvent]) -> None:
        answer = read_auth_answer(event)
        if isinstance(answer, AuthRefused):
            self.phase = AccountPhase.REFUSED
        elif isinstance(answer, AuthAccepted) and self.phase not in (AccountPhase.READY, AccountPhase.CLOSED):
            self.phase = AccountPhase.SYNCING
            self.permissions = answer.permissions
            self.user_id = answer.user_id
        events.append(answer)

    def _on_frame(
        self, value: list[Any], frame: bytes | str, received_ns: int, events: list[AccountSessionEvent]
    ) -> None:
        channel_id, kind = value[0], value[1] if len(value) > 1 else None
        if not isinstance(channel_id, int) or isinstance(channel_id, bool) or len(value) < 2:
            raise MalformedFrame("frame must begin with a channel number and hold something", frame)
        if channel_id != 0:
            # Public channels share the socket's counter.
            start = 3 if isinstance(kind, str) and kind != "hb" else 2
            gap = self.audit.read(value[start:])
            if gap is not None:
                events.append(gap)
            self.tolerance.unknown_channels += 1
            return
        if not isinstance(kind, str):
            raise MalformedFrame("frame of channel 0 must name its kind", frame)
        gap = self.audit.read(value[2 if kind == "hb" else 3 :], kind)
        if gap is not None:
            events.append(gap)
        if kind == "hb":
            return
        if len(value) < 3:
            raise MalformedFrame("frame of channel 0 must have a payload", frame)
        message = read_account(kind, value[2], session=self.session, received_ns=received_ns, tolerance=self.tolerance)
        if message is not None:
            events.append(self._at_its_time(message))
        if kind in self._awaited:
            self._awaited.discard(kind)
            if not self._awaited and self.phase is AccountPhase.AUTHENTICATING:
                events.append(AuthLost())
            elif not self._awaited and self.phase is AccountPhase.SYNCING:
                self.phase = AccountPhase.READY
                events.append(SessionUp(session=self.session, user_id=self.user_id, received_ns=received_ns))

    def _at_its_time(self, message: AccountMessage) -> AccountMessage:
        """An order that is told as changed after the frame's own time changed when it was told: its next change would
        else count as older than this one."""
        latest_ms = self.audit.venue_ms + AHEAD_MS
        if isinstance(message, VenueOrder):
            if latest_ms == AHEAD_MS or message.updated_ms <= latest_ms:
                return message
            self.tolerance.strange_stamps += 1
            return msgspec.structs.replace(message, updated_ms=self.audit.venue_ms)
        if isinstance(message, OrderSnapshot) and any(order.updated_ms > latest_ms for order in message.orders):
            return msgspec.structs.replace(message, orders=tuple(map(self._at_its_time, message.orders)))
        return message


def _snapshots_of(filters: tuple[str, ...] | None) -> set[str]:
    """The snapshots that must arrive before the session counts as up; filters suppress the others."""
    if not filters:
        return {"ps", "ws", "os"}
    awaited: set[str] = set()
    for name in filters:
        if name.startswith("trading"):
            awaited |= {"ps", "os"}
        elif name.startswith("wallet"):
            awaited.add("ws")
    return awaited
