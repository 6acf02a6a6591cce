"""One client's WebSocket conversation, without the socket: text in, frames out.

It answers what needs nobody else (conf, ping, bad events), asks its exchange for the rest, and numbers what it sends.
Frames lie in `outgoing`, ready for the wire, until the link takes them; `queued` counts them from the first, so a
pacer can tell when a client has read everything that was said to it.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
import trio

from genesis.simulator.settings import ApiKey, ExchangeSettings
from protocols.bitfinex.auth import AuthClaim, read_auth_event
from protocols.bitfinex.errors import (
    ERR_CHANNEL_LIMIT,
    ERR_CONF,
    ERR_SUBSCRIBED_ALREADY,
    ERR_UNAUTH,
    ERR_UNKNOWN,
    ERR_UNSUBSCRIBE,
    InputRefused,
    MalformedFrame,
)
from protocols.bitfinex.events import (
    FLAG_BULK_UPDATES,
    FLAG_CHECKSUM,
    auth_refused_event,
    conf_answer,
    error_event,
    info_event,
    pong_event,
    subscribed_event,
    unsubscribed_event,
)
from protocols.bitfinex.inputs import Input, read_input
from protocols.bitfinex.numbers import read_json, write_json
from protocols.bitfinex.sequence import FrameNumbers
from protocols.bitfinex.subscriptions import SubscribeRefused, Subscription, read_subscription

FIRST_CHANNEL: Final = 1001
LARGEST_FLAGS: Final = 2**31
ECHOED: Final = ("channel", "symbol", "prec", "freq", "len", "key", "subId")
FILTER_OF: Final = {
    **dict.fromkeys(("ps", "pn", "pu", "pc", "os", "on", "ou", "oc", "te", "tu", "miu"), "trading"),
    **dict.fromkeys(("ws", "wu"), "wallet"),
    **dict.fromkeys(("fos", "fon", "fou", "foc", "fcs", "fcn", "fcu", "fcc", "fls", "fln", "flu", "flc"), "funding"),
    **dict.fromkeys(("fte", "ftu", "fiu"), "funding"),
    "bu": "balance",
    "n": "notify",
    "ats": "algo",
}


class Venue(Protocol):
    """What a session asks of the exchange it belongs to."""

    settings: ExchangeSettings
    server_id: str

    def venue_ms(self) -> int: ...

    def check_subscription(self, subscription: Subscription) -> None:
        """Raises SubscribeRefused for a pair that is not traded here."""

    def joined(self, session: "Session", subscription: Subscription, channel: int) -> None:
        """The acknowledgement is out: send the snapshot."""

    def left(self, session: "Session", subscription: Subscription) -> None: ...

    def authenticate(self, claim: AuthClaim) -> "ApiKey | tuple[int, str]":
        """The key, or the code and text of the refusal."""

    def authenticated(self, session: "Session") -> None:
        """The key is right: answer, and send the snapshots of the account."""

    def operate(self, session: "Session", request: Input) -> None: ...

    def refuse(self, session: "Session", error: InputRefused) -> None:
        """Answer an input that could not be read."""


class Session:
    """State of one conversation."""

    def __init__(self, exchange: Venue, *, number: int) -> None:
        self.exchange = exchange
        self.number = number
        self.numbers = FrameNumbers(number_notices=exchange.settings.number_notices)
        self.channels: dict[int, Subscription] = {}
        self.by_subscription: dict[Subscription, int] = {}
        self.outgoing: list[bytes] = []
        self.queued = 0
        self.sent = 0
        self.received = 0
        self.peer = ""
        self.key: ApiKey | None = None
        self.auth_sub_id: str | None = None
        self.dead_man_switch = False
        self.filters: tuple[str, ...] | None = None
        self.closing: tuple[int, str] | None = None
        """Set to have the link say goodbye: close code and reason."""
        self.unsent_bytes = 0
        """Of the batch that the link is writing now."""
        self.wake: Callable[[], None] = lambda: None
        self.abort: Callable[[], None] = lambda: None
        """Drops the connection without a goodbye; the link sets it."""
        self.torn: bytes | None = None
        """A frame of which only half is written before the connection is cut."""
        self.on_frame: Callable[[Session, bytes], list[bytes]] | None = None
        """The fault desk's hand on outgoing frames."""
        self._next_channel = FIRST_CHANNEL
        self._drained: trio.Event | None = None

    # --- out ------------------------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """One frame for the wire, unless a fault eats it (or makes it two)."""
        frames = [frame] if self.on_frame is None else self.on_frame(self, frame)
        self.put(frames)

    def put(self, frames: list[bytes]) -> None:
        if frames and self.closing is None:
            self.outgoing.extend(frames)
            self.queued += len(frames)
            self.wake()

    def tear(self, frame: bytes) -> None:
        """Cut the connection in the middle of this frame."""
        if self.torn is None and self.closing is None:
            self.torn = frame
            self.wake()

    def greet(self) -> None:
        self.send(info_event(server_id=self.exchange.server_id))

    def channel(self, channel: int, payload: str) -> None:
        """A data frame of a public channel."""
        frame = f"[{channel},{payload}{self.numbers.after_channel(self.exchange.venue_ms())}]".encode()
        if self.on_frame is None and self.closing is None:
            # As `send`: nearly all that is ever said is said here.
            self.outgoing.append(frame)
            self.queued += 1
            self.wake()
        else:
            self.send(frame)

    def updates(self, channel: int, rows: list[str]) -> None:
        """Updates of a channel: one frame each, or one for all with BULK_UPDATES."""
        if self.numbers.flags & FLAG_BULK_UPDATES and len(rows) > 1:
            self.channel(channel, f"[{','.join(rows)}]")
        else:
            for row in rows:
                self.channel(channel, row)

    def account(self, kind: str, payload: Any, *, snapshot: bool = False, filter_key: str = "") -> None:
        """A frame of channel 0, if the client's filter lets it through. `filter_key` is a symbol or `exchange-BTC`."""
        if not self.lets_through(kind, filter_key):
            return
        numbers = self.numbers.of_account(kind, self.exchange.venue_ms(), snapshot=snapshot)
        self.send(write_json([0, kind, payload, *numbers]))

    def beat(self) -> None:
        """The heartbeat of channel 0. It has the public number alone, as those of all channels."""
        self.channel(0, '"hb"')

    def lets_through(self, kind: str, filter_key: str) -> bool:
        if self.filters is None:
            return True
        group = FILTER_OF.get(kind)
        return group is None or group in self.filters or f"{group}-{filter_key}" in self.filters

    @property
    def wants_checksums(self) -> bool:
        return bool(self.numbers.flags & FLAG_CHECKSUM)

    @property
    def backlog(self) -> int:
        """Bytes that the client has not taken yet, about."""
        return self.unsent_bytes + sum(map(len, self.outgoing))

    def drained(self) -> None:
        """The link has written a batch."""
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    async def wait_drained(self) -> None:
        """Until the batch that is being written has gone."""
        if self._drained is None:
            self._drained = trio.Event()
        await self._drained.wait()

    def close(self, code: int, reason: str) -> None:
        if self.closing is None:
            self.closing = (code, reason)
            self.wake()

    # --- in -------------------------------------------------------------------------------------------------------

    def receive(self, text: str) -> None:
        """One text frame of the client."""
        self.received += 1
        try:
            value = read_json(text)
        except MalformedFrame:
            # Text that is not JSON gets no answer at all.
            return
        if isinstance(value, dict):
            self._event(value)
        elif isinstance(value, list):
            self._input(value)

    def _event(self, event: dict[str, Any]) -> None:
        name = event.get("event")
        if name == "ping":
            cid = event.get("cid")
            self.send(pong_event(cid=cid if isinstance(cid, int) else None, time_ms=self.exchange.venue_ms()))
        elif name == "conf":
            self._conf(event)
        elif name == "subscribe":
            self._subscribe(event)
        elif name == "unsubscribe":
            self._unsubscribe(event)
        elif name == "auth":
            self._auth(event)
        elif name == "unauth":
            if self.key is None:
                self.send(error_event(ERR_UNAUTH, "unauth: invalid"))
            else:
                self.key, self.filters, self.dead_man_switch = None, None, False
                self.send(write_json({"event": "unauth", "status": "OK", "chanId": 0}))
        else:
            # apiSecret is sent in clear by one official client: what is echoed must not hold it.
            shown = name if isinstance(name, str) else ""
            self.send(error_event(ERR_UNKNOWN, f"event: invalid ({shown[:40]})", {"event": shown[:40]}))

    def _conf(self, event: dict[str, Any]) -> None:
        flags = event.get("flags", 0)
        if isinstance(flags, str) and flags.isascii() and flags.isdigit() and len(flags) < 12:
            flags = int(flags)
        if not isinstance(flags, int) or isinstance(flags, bool) or not 0 <= flags < LARGEST_FLAGS:
            self.send(write_json({"event": "conf", "status": "ERROR", "code": ERR_CONF, "msg": "flags: invalid"}))
            return
        self.numbers.flags = flags
        self.send(conf_answer(flags))

    def _subscribe(self, event: dict[str, Any]) -> None:
        echo: dict[str, Any] = {name: event[name] for name in ECHOED if name in event}
        try:
            subscription = read_subscription(event)
            self.exchange.check_subscription(subscription)
        except SubscribeRefused as refusal:
            if event.get("channel") == "status":
                # The venue leaves an unknown status key without an answer.
                return
            self.send(error_event(refusal.code, refusal.text, echo))
            return
        known = self.by_subscription.get(subscription)
        if known is not None:
            self.send(error_event(ERR_SUBSCRIBED_ALREADY, "subscribe: dup", echo, channel_id=known))
            return
        if len(self.channels) + (self.key is not None) >= self.exchange.settings.channel_limit:
            self.send(error_event(ERR_CHANNEL_LIMIT, "subscribe: limit", echo))
            return
        channel = self._next_channel
        self._next_channel += 7
        self.channels[channel] = subscription
        self.by_subscription[subscription] = channel
        sub_id = event.get("subId")
        self.send(subscribed_event(subscription, channel, sub_id=None if sub_id is None else str(sub_id)))
        self.exchange.joined(self, subscription, channel)

    def _unsubscribe(self, event: dict[str, Any]) -> None:
        number = event.get("chanId")
        if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 18:
            number = int(number)
        if not isinstance(number, int) or isinstance(number, bool) or number not in self.channels:
            echo = {"chanId": event["chanId"]} if "chanId" in event else {}
            self.send(error_event(ERR_UNSUBSCRIBE, "unsubscribe: invalid", echo))
            return
        subscription = self.channels.pop(number)
        del self.by_subscription[subscription]
        self.exchange.left(self, subscription)
        self.send(unsubscribed_event(number))

    def _auth(self, event: dict[str, Any]) -> None:
        if self.key is not None:
            self.send(auth_refused_event(10101, "auth: dup"))
            return
        sub_id = event.get("subId")
        self.auth_sub_id = None if sub_id is None else str(sub_id)
        claim = read_auth_event(event)
        answer = self.exchange.authenticate(claim)
        if isinstance(answer, tuple):
            self.send(auth_refused_event(*answer, sub_id=self.auth_sub_id))
            return
        self.key = answer
        self.dead_man_switch = claim.dead_man_switch
        self.filters = claim.filters
        self.exchange.authenticated(self)

    def _input(self, value: list[Any]) -> None:
        if self.key is None or not value or value[0] != 0:
            # Nothing is known of what the venue says to data frames of strangers; it says nothing here.
            return
        try:
            request = read_input(value)
        except InputRefused as error:
            self.exchange.refuse(self, error)
        except (MalformedFrame, msgspec.MsgspecError):
            return
        else:
            self.exchange.operate(self, request)
