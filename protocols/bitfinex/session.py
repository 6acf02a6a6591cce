"""One public socket's conversation, sans-IO: frames in, market events and session events out, requests as bytes.

Nothing here raises on what the venue says: a frame that cannot be understood becomes a `FrameRefused` event. Asking
for what the state does not allow raises LocalProtocolError, and nothing was sent.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from protocols.bitfinex.errors import ERR_SUBSCRIBED_ALREADY, LocalProtocolError, MalformedFrame
from protocols.bitfinex.events import (
    FLAG_CHECKSUM,
    FLAG_SEQ_ALL,
    FLAG_TIMESTAMP,
    ConfAccepted,
    ConfRefused,
    FrameRefused,
    MaintenanceEnded,
    MaintenanceStarted,
    Pong,
    ServerError,
    ServerInfo,
    SessionEvent,
    StreamBroken,
    SubscriptionRefused,
    conf_request,
    event_integer,
    event_name,
    event_text,
    ping_request,
    read_info,
    subscribe_request,
    unsubscribe_request,
)
from protocols.bitfinex.first import FEW, first_of, tell_one
from protocols.bitfinex.heartbeat import SilenceWatch
from protocols.bitfinex.numbers import read_json_floats
from protocols.bitfinex.public import (
    read_candle,
    read_candles,
    read_deriv_status,
    read_funding_print,
    read_funding_ticker,
    read_liquidation,
    read_ticker,
    read_trade_print,
)
from protocols.bitfinex.rows import Tolerance, rows_of
from protocols.bitfinex.sequence import LARGEST_LEAP_MS, LARGEST_TIME_MS, SMALLEST_TIME_MS, SequenceAudit
from protocols.bitfinex.streams import Stream, StreamState, StreamTable
from protocols.bitfinex.subscriptions import SubscribeRefused, Subscription, read_subscription
from protocols.bitfinex.wire_book import WireBook, row_texts
from protocols.market import (
    BookLevels,
    BookTop,
    CandleSnapshot,
    CandleUpdate,
    MarketEvent,
    ReferenceEvent,
    StreamBeat,
    StreamDown,
    StreamUp,
    Ticker,
    TradeSnapshot,
)
from protocols.units import Symbol

DEFAULT_FLAGS: Final = FLAG_TIMESTAMP | FLAG_SEQ_ALL | FLAG_CHECKSUM
CROSSED_LIMIT_NS: Final = 1_000_000_000
"""A book that stays crossed this long is wrong; between two updates of one match it may be for an instant."""

PublicEvent = MarketEvent | ReferenceEvent | SessionEvent

_UNUSUAL: Final = (TypeError, ValueError, LookupError, ArithmeticError, RecursionError, MalformedFrame)
"""What the quick way raises on a frame of an unusual shape; the careful way then judges it."""

_NUMBERED: Final = FLAG_SEQ_ALL | FLAG_TIMESTAMP
_decode: Final = msgspec.json.Decoder().decode
_NOTHING: Final = msgspec.UNSET
_H: Final = ord("h")
"""Of a heartbeat, `[17,"hb",...`."""


class PublicSession:
    """`session` numbers the socket in every StreamUp and StreamDown. One instance lives as long as its socket.

    `about_ms` is this machine's clock (UTC): by it the first stamp of the venue is judged. 0: any is believed.
    """

    def __init__(self, *, session: int, channel_limit: int = 25, about_ms: int = 0) -> None:
        self.session = session
        self.table = StreamTable(limit=channel_limit)
        self.tolerance = Tolerance()
        self.audit = SequenceAudit(self.tolerance, about_ms=about_ms)
        self.asked_flags = 0
        self.paused = False
        self.info: ServerInfo | None = None
        self.silence = SilenceWatch()
        self.behind: list[tuple[int, Sequence[bytes]]] = []
        """Frames that are yet to be received, each row with the number in front of it."""
        self._priced: set[Symbol] = set()

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
        """Ask for flags; say it before subscribing, so that every book frame's text is kept from the first one on."""
        self.asked_flags = flags
        return conf_request(flags)

    def send_subscribe(self, subscription: Subscription, *, now_ns: int = 0, sub_id: str | None = None) -> bytes:
        """Raises LocalProtocolError when asked twice, or past the channel limit."""
        self.table.ask(subscription, now_ns=now_ns, sub_id=sub_id)
        return subscribe_request(subscription, sub_id=sub_id)

    def send_unsubscribe(self, subscription: Subscription) -> bytes:
        """Raises LocalProtocolError unless the stream is up or broken."""
        return unsubscribe_request(self.table.leave(subscription))

    def send_resubscribe(self, subscription: Subscription, *, now_ns: int = 0) -> list[bytes]:
        """The two frames that renew one stream after a `StreamBroken`; the venue answers them in order."""
        return [self.send_unsubscribe(subscription), self.send_subscribe(subscription, now_ns=now_ns)]

    def send_ping(self, cid: int) -> bytes:
        return ping_request(cid)

    def give_up(self, subscription: Subscription) -> None:
        """Stop waiting for a stream that was never answered."""
        self.table.forget(subscription)

    def book(self, subscription: Subscription) -> WireBook | None:
        stream = self.table.streams.get(subscription)
        return stream.book if stream is not None and stream.primed and stream.state is StreamState.UP else None

    def levels(self, subscription: Subscription, limit: int = 25) -> BookLevels | None:
        """The first levels of a book, for people; None until its snapshot is there."""
        stream = self.table.streams.get(subscription)
        book = self.book(subscription)
        if stream is None or book is None:
            return None
        # Entries of a keyed book are (key, price, amount): one order each, whose count is 1.
        price, orders = (1, None) if subscription.precision == "R0" or subscription.is_funding else (0, 1)

        def told(rows: Sequence[tuple[Any, ...]]) -> tuple[tuple[float, float, int], ...]:
            return tuple(
                (float(row[price]), abs(float(row[2])), 1 if orders is None else int(row[orders])) for row in rows
            )

        return BookLevels(
            symbol=Symbol(subscription.symbol),
            bids=told(book.best_bids(limit)),
            asks=told(book.best_asks(limit)),
            venue_ms=self.audit.venue_ms,
            received_ns=stream.heard_ns,
        )

    def close(self, reason: str, received_ns: int) -> list[StreamDown]:
        """The socket is gone: one StreamDown for each stream that was up."""
        downs = [
            self._down(stream, reason, received_ns)
            for stream in self.table.streams.values()
            if stream.state in (StreamState.UP, StreamState.BROKEN)
        ]
        self.table.clear()
        return downs

    # --- hearing --------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes | str, received_ns: int) -> list[PublicEvent]:
        return self.receive_many((frame,), received_ns)

    def receive_first(self, frames: Sequence[bytes], received_ns: int, grace_ms: int) -> list[PublicEvent]:
        """As `receive_many` of what comes in one read; but what a decision waits for is told without the others, where
        these would hold it up. They are in `behind` then, for `receive_behind` before anything else is received."""
        if len(frames) <= FEW or self.audit.flags & _NUMBERED != _NUMBERED:
            return self.receive_many(frames, received_ns)
        first = first_of(self.table, frames, self.audit, grace_ms)
        if not first:
            return self.receive_many(frames, received_ns)
        before = self.audit.public
        told: list[PublicEvent] = []
        at = 0
        for place in first:
            if place > at:
                self.behind.append((before + at, frames[at:place]))
            self.audit.public = before + place
            try:
                told.append(tell_one(self.table, self.audit, frames[place], received_ns))
                self.tolerance.frames += 1
            except _UNUSUAL:
                told += self.receive_many((frames[place],), received_ns)
            at = place + 1
        if at < len(frames):
            self.behind.append((before + at, frames[at:]))
        self.audit.public = before + len(frames)
        self.silence.heard(received_ns)
        self._priced = {event.symbol for event in told if type(event) is Ticker}
        return told

    def receive_behind(self, received_ns: int) -> list[PublicEvent]:
        """What was left behind, without the prices that were overtaken by those told first."""
        audit, priced, (behind, self.behind) = self.audit, self._priced, (self.behind, [])
        number, venue_ms = audit.public, audit.venue_ms
        told: list[PublicEvent] = []
        for before, frames in behind:
            audit.public = before
            for event in self.receive_many(frames, received_ns):
                if type(event) is not Ticker or event.symbol not in priced:
                    told.append(event)
        if audit.public < number:
            # The last frame of the read was among the first.
            audit.public, audit.venue_ms = number, venue_ms
        return told

    def receive_many(self, frames: Iterable[bytes | str], received_ns: int) -> list[PublicEvent]:
        """All events of a batch, in order; of each book only the last top, at the end, and only if it changed."""
        events: list[PublicEvent] = []
        append = events.append
        channels, heads = self.table.by_channel, self.table.by_head
        audit = self.audit
        decode = _decode
        touched: dict[Stream, None] = {}
        event: PublicEvent | None
        counted = timed = False
        tail = -1
        count = 0
        # Updates of books come in rows: behind one that was looked up in vain none is, until another kind comes.
        likely = bool(heads)
        for frame in frames:
            count += 1
            if tail < 0:
                # Anew after every frame off the fast way, since a conf answer changes them.
                counted, timed = bool(audit.flags & FLAG_SEQ_ALL), bool(audit.flags & FLAG_TIMESTAMP)
                tail = counted + timed
            try:
                if likely and tail == 2 and frame.__class__ is bytes:
                    # Decoded once: what a frame begins with says how its rest is read.
                    at = frame.find(b",") + 2
                    known = heads.get(frame[:at])
                    if known is not None and frame[at] != _H:
                        stream, usual = known
                        update = usual.decode(frame)
                        time_ms = update.time_ms
                        if (
                            not stream.live
                            or update.number != audit.public + 1
                            or not SMALLEST_TIME_MS <= time_ms < LARGEST_TIME_MS
                            or audit.venue_ms < time_ms - LARGEST_LEAP_MS
                            or update.more is not _NOTHING
                        ):
                            raise LookupError
                        event = usual.tell(stream, update, time_ms, received_ns)
                        # Counted here, or in the careful way, as below.
                        audit.public += 1
                        audit.venue_ms = time_ms
                        stream.heard_ns = received_ns
                        stream.frames += 1
                        if event is not None:
                            append(event)
                        continue
                    likely = False
                value = decode(frame)
                stream = channels[value[0]]
                payload = value[1]
                if payload.__class__ is list:
                    # An empty payload raises an IndexError here, which is a LookupError.
                    if payload[0].__class__ is list or not stream.live:
                        raise LookupError
                    start = 2
                elif payload == "hb":
                    start = 2
                else:
                    if payload not in ("te", "tu", "cs") or not stream.live:
                        raise LookupError
                    start = 3
                if len(value) != start + tail:
                    raise LookupError
                if tail:
                    if counted and value[start] != audit.public + 1:
                        raise LookupError
                    if timed and (
                        value[-1].__class__ is not int
                        or not SMALLEST_TIME_MS <= value[-1] < LARGEST_TIME_MS
                        # True of the first one, too, which is looked at with care.
                        or audit.venue_ms < value[-1] - LARGEST_LEAP_MS
                    ):
                        raise LookupError
                book = stream.book
                if payload == "hb":
                    event = StreamBeat(
                        stream=stream.channel,
                        symbol=stream.symbol,
                        timeframe=stream.timeframe,
                        venue_ms=value[-1] if timed else audit.venue_ms,
                        received_ns=received_ns,
                    )
                elif payload == "cs":
                    event = self._checked(stream, value[2])
                elif book is not None:
                    book.apply(payload, frame)
                    touched[stream] = None
                    event = None
                else:
                    if stream.usual is None:
                        raise LookupError
                    likely = True
                    event = stream.usual.tell(
                        stream, stream.usual.decode(frame), value[-1] if timed else 0, received_ns
                    )
                # Nothing below can fail, so a frame is counted once, here or in the careful way.
                if counted:
                    audit.public += 1
                if timed:
                    audit.venue_ms = value[-1]
                stream.heard_ns = received_ns
                stream.frames += 1
                if event is not None:
                    append(event)
            except _UNUSUAL:
                tail = -1
                self._careful(frame, received_ns, events, touched)
        for stream in touched:
            self._tell_top(stream, received_ns, events)
        self.tolerance.frames += count
        self.silence.heard(received_ns)
        return events

    def _careful(
        self, frame: bytes | str, received_ns: int, events: list[PublicEvent], touched: dict[Stream, None]
    ) -> None:
        """Any frame at all: what is not understood becomes a FrameRefused."""
        try:
            value = read_json_floats(frame)
            if isinstance(value, dict):
                self._on_event(value, received_ns, events)
            elif isinstance(value, list) and value:
                self._on_frame(value, frame, received_ns, events, touched)
            else:
                raise MalformedFrame("frame must be an object or a filled array", frame)
        except MalformedFrame as error:
            self.tolerance.refused += 1
            events.append(FrameRefused(error=error))

    # --- event objects --------------------------------------------------------------------------------------------

    def _on_event(self, event: dict[str, Any], received_ns: int, events: list[PublicEvent]) -> None:
        name = event_name(event)
        if name == "subscribed":
            self._on_subscribed(event, received_ns, events)
        elif name == "unsubscribed":
            self._on_unsubscribed(event, received_ns, events)
        elif name == "error":
            self._on_error(event, received_ns, events)
        elif name == "info":
            info = read_info(event, self.info, paused=self.paused)
            if isinstance(info, ServerInfo):
                self.info = info
                self.paused = not info.operative
            elif isinstance(info, MaintenanceStarted | MaintenanceEnded):
                self.paused = isinstance(info, MaintenanceStarted)
            events.append(info)
        elif name == "conf":
            if event.get("status") == "OK":
                # An answer without flags confirms what was asked.
                flags = event_integer(event, "flags") if "flags" in event else self.asked_flags
                self.audit.flags = flags
                events.append(ConfAccepted(flags=flags))
            else:
                events.append(ConfRefused(code=event_integer(event, "code"), text=event_text(event, "msg")))
        elif name == "pong":
            cid = event_integer(event, "cid") if "cid" in event else None
            events.append(Pong(cid=cid, venue_ms=event_integer(event, "ts")))
        else:
            self.tolerance.unknown_kinds += 1

    def _subscription_of(self, event: dict[str, Any]) -> Subscription | None:
        """Which of our streams an event is about: by subId when we sent one, else by its fields."""
        sub_id = event.get("subId")
        if isinstance(sub_id, str):
            for subscription, stream in self.table.streams.items():
                if stream.sub_id == sub_id:
                    return subscription
        try:
            return read_subscription(event)
        except SubscribeRefused:
            return None

    def _on_subscribed(self, event: dict[str, Any], received_ns: int, events: list[PublicEvent]) -> None:
        channel_id = event_integer(event, "chanId")
        subscription = self._subscription_of(event)
        if subscription is None or channel_id <= 0:
            raise MalformedFrame(f"subscribed must name a known stream and its channel, was {channel_id}")
        stream = self.table.streams.get(subscription)
        if stream is None:
            # Not asked for by us: a recording, or an answer that came after we gave up.
            stream = Stream(subscription)
            self.table.streams[subscription] = stream
        self.table.given(channel_id, stream, received_ns)
        events.append(
            StreamUp(
                stream=subscription.channel,
                symbol=Symbol(subscription.symbol),
                timeframe=subscription.timeframe,
                session=self.session,
                received_ns=received_ns,
            )
        )

    def _on_unsubscribed(self, event: dict[str, Any], received_ns: int, events: list[PublicEvent]) -> None:
        stream = self.table.left(event_integer(event, "chanId"))
        if stream is None:
            return
        stream.channel_id = None
        if stream.state is StreamState.RENEWING:
            stream.state = StreamState.ASKED
        else:
            self.table.forget(stream.subscription)
        events.append(self._down(stream, "unsubscribed", received_ns))

    def _on_error(self, event: dict[str, Any], received_ns: int, events: list[PublicEvent]) -> None:
        code, text = event_integer(event, "code"), event_text(event, "msg")
        subscription = self._subscription_of(event)
        stream = self.table.streams.get(subscription) if subscription is not None else None
        if stream is None or stream.state not in (StreamState.ASKED, StreamState.RENEWING):
            events.append(ServerError(code=code, text=text))
            return
        if code == ERR_SUBSCRIBED_ALREADY and self._adopt(stream, event, received_ns, events):
            return
        stream.turn(StreamState.REFUSED)
        stream.error = f"{code} {text}"
        events.append(SubscriptionRefused(subscription=stream.subscription, code=code, text=text))

    def _adopt(self, stream: Stream, event: dict[str, Any], received_ns: int, events: list[PublicEvent]) -> bool:
        """The venue gives us this stream already: its `subscribed` was late or lost, and the snapshot with it.

        The channel is ours from now on, and broken until it is renewed. False when the venue does not say which it is.
        """
        channel_id = event_integer(event, "chanId") if "chanId" in event else 0
        holder = self.table.by_channel.get(channel_id)
        if channel_id <= 0 or holder not in (None, stream):
            return False
        self.table.given(channel_id, stream, received_ns)
        events.append(self._break(stream, "already subscribed"))
        return True

    def _down(self, stream: Stream, reason: str, received_ns: int) -> StreamDown:
        return StreamDown(
            stream=stream.channel,
            symbol=stream.symbol,
            timeframe=stream.timeframe,
            session=self.session,
            reason=reason,
            received_ns=received_ns,
        )

    # --- channel frames -------------------------------------------------------------------------------------------

    def _on_frame(
        self,
        value: list[Any],
        frame: bytes | str,
        received_ns: int,
        events: list[PublicEvent],
        touched: dict[Stream, None],
    ) -> None:
        channel_id = value[0]
        if not isinstance(channel_id, int) or isinstance(channel_id, bool) or len(value) < 2:
            raise MalformedFrame("frame must begin with a channel number and hold something", frame)
        kind = value[1] if isinstance(value[1], str) else None
        start = 2 if kind in (None, "hb") else 3
        # The numbers are counted even when the rest is of no use, or the next frame would look like a gap.
        gap = self.audit.read(value[start:])
        if gap is not None:
            events.append(gap)
        stream = self.table.by_channel.get(channel_id)
        if stream is None:
            # Heartbeats come before the `subscribed` of their channel, data after the `unsubscribe`.
            self.tolerance.unknown_channels += 1
            return
        stream.heard_ns = received_ns
        stream.frames += 1
        if stream.state is not StreamState.UP and kind != "hb":
            return
        if kind == "hb":
            events.append(
                StreamBeat(
                    stream=stream.channel,
                    symbol=stream.symbol,
                    timeframe=stream.timeframe,
                    venue_ms=self.audit.venue_ms,
                    received_ns=received_ns,
                )
            )
        elif kind == "cs":
            broken = self._checked(stream, value[2] if len(value) > 2 else None)
            if broken is not None:
                events.append(broken)
        elif kind is None:
            self._on_rows(stream, value[1], frame, received_ns, events, touched)
        elif stream.channel == "trades" and kind in ("te", "tu", "fte", "ftu"):
            self._on_trade(stream, kind, value[2] if len(value) > 2 else None, received_ns, events)
        else:
            self.tolerance.unknown_kinds += 1

    def _on_rows(
        self,
        stream: Stream,
        payload: object,
        frame: bytes | str,
        received_ns: int,
        events: list[PublicEvent],
        touched: dict[Stream, None],
    ) -> None:
        if not isinstance(payload, list):
            raise MalformedFrame("payload must be an array", frame)
        channel, symbol = stream.channel, stream.subscription.symbol
        stamps = {"venue_ms": self.audit.venue_ms, "received_ns": received_ns}
        nested = not payload or isinstance(payload[0], list)
        if channel == "book":
            self._on_book(stream, payload, nested, frame, events, touched)
        elif channel == "candles":
            self._on_candles(stream, payload, nested, received_ns, events)
        elif channel == "trades":
            self._on_trades(stream, rows_of("trades", payload), received_ns, events)
        elif channel == "ticker":
            # With bulk updates several rows come in one frame; the last is the newest.
            row = payload[-1] if nested and payload else payload
            read = read_funding_ticker if stream.subscription.is_funding else read_ticker
            events.append(read(row, symbol, tolerance=self.tolerance, **stamps))
            stream.prime()
        elif stream.subscription.key == "liq:global":
            for row in payload if nested else [payload]:
                events.append(read_liquidation(row, tolerance=self.tolerance, **stamps))
        else:
            for row in payload if nested else [payload]:
                events.append(read_deriv_status(row, symbol, tolerance=self.tolerance, **stamps))

    def _on_book(
        self,
        stream: Stream,
        payload: list[Any],
        nested: bool,
        frame: bytes | str,
        events: list[PublicEvent],
        touched: dict[Stream, None],
    ) -> None:
        book = stream.book
        assert book is not None
        if not nested and not stream.primed:
            events.append(self._break(stream, "update before the snapshot"))
            return
        try:
            if not nested:
                book.apply(payload, frame)
            else:
                first, last = book.text_cells
                kept = (self.audit.flags | self.asked_flags) & FLAG_CHECKSUM
                texts: Sequence[tuple[str, str] | None] = (
                    row_texts(frame, first, last) if kept and payload else [None] * len(payload)
                )
                if not stream.primed:
                    book.clear()
                for row, text in zip(payload, texts, strict=True):
                    book.apply(row, text)
                stream.prime()
        except (TypeError, ValueError, LookupError, ArithmeticError, MalformedFrame) as error:
            # Part of the frame may be in the book, and what it said is lost: only a new snapshot mends that.
            events.append(self._break(stream, "unreadable row"))
            raise MalformedFrame(f"book row must be of numbers ({type(error).__name__})", frame) from None
        touched[stream] = None

    def _checked(self, stream: Stream, expected: object) -> StreamBroken | None:
        """What a wrong checksum makes of its stream."""
        if not isinstance(expected, int) or isinstance(expected, bool):
            raise MalformedFrame("checksum must be an integer")
        # Checksums of funding books are unreliable; the official client ignores them too.
        if stream.book is None or not stream.primed or stream.subscription.is_funding:
            return None
        if (stream.book.checksum() - expected) % (1 << 32) == 0:
            stream.checksums_right += 1
            return None
        stream.checksums_wrong += 1
        return self._break(stream, "checksum")

    def _break(self, stream: Stream, reason: str) -> StreamBroken:
        stream.turn(StreamState.BROKEN)
        stream.error = reason
        return StreamBroken(subscription=stream.subscription, reason=reason)

    def _tell_top(self, stream: Stream, received_ns: int, events: list[PublicEvent]) -> None:
        book = stream.book
        if book is None or stream.state is not StreamState.UP:
            return
        if book.is_crossed:
            if not stream.crossed_since_ns:
                stream.crossed_since_ns = received_ns
            elif received_ns - stream.crossed_since_ns >= CROSSED_LIMIT_NS:
                events.append(self._break(stream, "crossed"))
            return
        stream.crossed_since_ns = 0
        top = book.top()
        if top is None or top == stream.top:
            return
        stream.top = top
        bid, bid_size, ask, ask_size = top
        events.append(
            BookTop(
                symbol=stream.symbol,
                bid=float(bid),
                bid_size=float(bid_size),
                ask=float(ask),
                ask_size=float(ask_size),
                venue_ms=self.audit.venue_ms,
                received_ns=received_ns,
            )
        )

    def _on_candles(
        self, stream: Stream, payload: list[Any], nested: bool, received_ns: int, events: list[PublicEvent]
    ) -> None:
        symbol, timeframe = stream.subscription.symbol, stream.timeframe
        venue_ms = self.audit.venue_ms
        if nested and not stream.primed:
            stream.prime()
            refused: list[MalformedFrame] = []
            candles = read_candles(
                payload, symbol, timeframe, venue_ms=venue_ms, tolerance=self.tolerance, refused=refused
            )
            self.tolerance.refused += len(refused)
            events.extend(FrameRefused(error=error) for error in refused)
            events.append(
                CandleSnapshot(
                    symbol=Symbol(symbol),
                    timeframe=timeframe,
                    candles=candles,
                    venue_ms=venue_ms,
                    received_ns=received_ns,
                )
            )
            return
        # An update before the snapshot is still true of its candle; the snapshot then fills in what came before.
        for row in payload if nested else [payload]:
            candle = read_candle(row, symbol, timeframe, venue_ms=venue_ms, tolerance=self.tolerance)
            events.append(CandleUpdate(candle=candle, venue_ms=venue_ms, received_ns=received_ns))

    def _on_trades(self, stream: Stream, rows: list[Any], received_ns: int, events: list[PublicEvent]) -> None:
        symbol = stream.subscription.symbol
        stamps = {"venue_ms": self.audit.venue_ms, "received_ns": received_ns}
        first = not stream.primed
        stream.prime()
        if stream.subscription.is_funding:
            told = [read_funding_print(row, symbol, tolerance=self.tolerance, **stamps) for row in rows]
            told.sort(key=lambda trade: trade.trade_id)
            events.extend(trade for trade in told if stream.is_new_trade(trade.trade_id) and not first)
            return
        trades = [read_trade_print(row, symbol, tolerance=self.tolerance, **stamps) for row in rows]
        trades.sort(key=lambda trade: trade.trade_id)
        new = [trade for trade in trades if stream.is_new_trade(trade.trade_id)]
        if not first:
            stream.trades_doubled += len(trades) - len(new)
            events.extend(new)
            return
        stream.oldest_trade = trades[0].trade_id if trades else 0
        events.append(TradeSnapshot(symbol=Symbol(symbol), trades=tuple(trades), **stamps))

    def _on_trade(self, stream: Stream, kind: str, row: object, received_ns: int, events: list[PublicEvent]) -> None:
        """`te` counts; a `tu` only says the same again, unless its `te` was never heard."""
        symbol = stream.subscription.symbol
        stamps = {"venue_ms": self.audit.venue_ms, "received_ns": received_ns}
        trade = (read_funding_print if kind.startswith("f") else read_trade_print)(
            row, symbol, tolerance=self.tolerance, **stamps
        )
        late = kind.endswith("u") and trade.trade_id < stream.oldest_trade
        if not late and stream.is_new_trade(trade.trade_id):
            events.append(trade)
        elif kind.endswith("e"):
            stream.trades_doubled += 1


def require_version(info: ServerInfo) -> None:
    """Raises LocalProtocolError when the server speaks another protocol than version 2."""
    if info.version != 2:
        raise LocalProtocolError(f"protocol version must be 2, was {info.version}")
