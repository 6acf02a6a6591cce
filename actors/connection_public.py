"""The public connection actor: one socket of the market pool, its streams fresh and whole, or dialled again.

It recovers by dialling. Everything it knows of a stream dies with the socket; what listeners already have is told
apart by StreamUp and StreamDown. Four tasks live with a socket: the reader only parses and hands over (so pings are
answered whatever the listeners do), one carries over what did not fit, one sends, one looks at the clock.
"""

import math
from typing import Any, Final

import attrs
import trio

from genesis.core.actor import Context
from genesis.core.channel import Channel
from genesis.core.errors import ChannelClosed
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from genesis.domain.rate_limit import RateLimit
from genesis.domain.redial import End, Redial
from genesis.edge.connection_stats import ConnectionStats
from genesis.edge.errors import EdgeError, HandshakeRefused, LinkClosed
from genesis.edge.handover import Handover
from genesis.edge.websocket import Dial, WebSocket
from protocols.bitfinex.book_shelf import BookShelf
from protocols.bitfinex.errors import (
    ERR_CHANNEL_LIMIT,
    ERR_CONCURRENCY,
    ERR_NOT_READY,
    ERR_RATE_LIMIT,
    ERR_UNKNOWN,
    LocalProtocolError,
)
from protocols.bitfinex.events import (
    ConfRefused,
    FrameRefused,
    MaintenanceEnded,
    MaintenanceStarted,
    Pong,
    SequenceGap,
    ServerError,
    ServerInfo,
    ServerStopping,
    StreamBroken,
    SubscriptionRefused,
)
from protocols.bitfinex.session import PublicEvent, PublicSession, require_version
from protocols.bitfinex.streams import StreamState
from protocols.bitfinex.subscriptions import Subscription
from protocols.health import ConnectionView, Notice, Reconnect
from protocols.market import (
    BookTop,
    CandleSnapshot,
    CandleUpdate,
    StreamBeat,
    StreamDown,
    StreamUp,
    Ticker,
    TradePrint,
    TradeSnapshot,
    TradesRequest,
)
from protocols.settings import ConnectionSettings, Settings

LOOK_S: Final = 1.0
"""How often silence, unanswered subscriptions and the view are looked at."""
MAINTENANCE_LIMIT_S: Final = 180.0
"""The venue says that maintenance lasts at most 120 s; a socket that never hears its end is dialled again."""
REFUSED_STATUSES: Final = frozenset({408, 429, 502, 503, 504})
"""Answers to the handshake that ask for a pause: too many connections, or maintenance without a 20060."""
TRY_AGAIN_CODES: Final = frozenset({ERR_UNKNOWN, ERR_CONCURRENCY, ERR_NOT_READY, ERR_RATE_LIMIT})
SUBSCRIBE_TRIES: Final = 3
TELL_REFUSED_EVERY_S: Final = 600.0
NS: Final = 1_000_000_000

_PRICES: Final = frozenset({Ticker, BookTop})
_EVENTS: Final = frozenset({TradePrint, CandleUpdate, CandleSnapshot, StreamBeat, StreamUp, StreamDown})
_PLAIN: Final = frozenset({CandleUpdate, CandleSnapshot, StreamBeat, StreamDown})
"""Events that are handed over, and no more."""


@attrs.define(eq=False)
class _Line:
    """One socket and everything that dies with it."""

    session: PublicSession
    scope: trio.CancelScope
    handover: Handover
    opened_at: float
    outgoing: trio.MemorySendChannel[bytes]
    frames: trio.MemoryReceiveChannel[bytes]
    greeted: bool = False
    up_since: float | None = None
    paused_since: float | None = None
    reading: bool = True
    fall: str = ""
    pause_s: float = 0.0
    pings: dict[int, float] = attrs.field(factory=dict)
    tries: dict[Subscription, int] = attrs.field(factory=dict)
    again: dict[Subscription, float] = attrs.field(factory=dict)
    renewed: set[Subscription] = attrs.field(factory=set)
    asked: set[Subscription] = attrs.field(factory=set)

    def end(self, reason: str, pause_s: float = 0.0) -> None:
        """The first reason counts."""
        if not self.fall:
            self.fall, self.pause_s = reason, pause_s
        self.scope.cancel()

    def say(self, frame: bytes) -> None:
        try:
            self.outgoing.send_nowait(frame)
        except trio.WouldBlock:
            self.end("the other side does not read")


@attrs.define(kw_only=True, eq=False)
class _Outlets:
    prices: Outlet[Any]
    events: Outlet[Any]
    notices: Outlet[Any] | None
    gaps: Outlet[TradesRequest] | None


@attrs.define(kw_only=True, eq=False)
class ConnectionPublicActor:
    """`prices` conflates (Ticker, BookTop); `events` blocks (everything else). `pacing` is shared by all sockets.

    `gaps` leads to who fetches trades that a snapshot does not reach back to; it must never make its sender wait.
    `shelf` lets people look into the books of the open socket.
    """

    name: str
    uri: str
    share: Latest[tuple[Subscription, ...]]
    settings: Latest[Settings]
    dial: Dial
    prices: Channel[Any]
    events: Channel[Any]
    view: Latest[ConnectionView]
    stats: ConnectionStats
    pacing: RateLimit | None = None
    notices: Channel[Any] | None = None
    gaps: Channel[Any] | None = None
    shelf: BookShelf | None = None
    _line: _Line | None = attrs.field(default=None, init=False)
    _status: str = attrs.field(default="idle", init=False)
    _last_error: str | None = attrs.field(default=None, init=False)
    _fell_at: float | None = attrs.field(default=None, init=False)
    _untold_refused: int = attrs.field(default=0, init=False)
    _tell_refused_at: float = attrs.field(default=-math.inf, init=False)

    async def run(self, ctx: Context) -> None:
        out = _Outlets(
            prices=ctx.outlet(self.prices),
            events=ctx.outlet(self.events),
            notices=ctx.outlet(self.notices) if self.notices is not None else None,
            gaps=ctx.outlet(self.gaps) if self.gaps is not None else None,
        )
        ctx.ready()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._obey, ctx)
                await self._stay_connected(ctx, out)
        except* ChannelClosed:
            # The listener has stopped for good: the engine is going down, and we are next.
            await trio.sleep_forever()

    async def _obey(self, ctx: Context) -> None:
        while True:
            for envelope in await ctx.inbox.lease():
                if isinstance(envelope.message, Reconnect) and self._line is not None:
                    self.stats.reconnects_asked += 1
                    self._line.end(f"asked: {envelope.message.reason}")
                ctx.inbox.ack(envelope)

    # --- from socket to socket ------------------------------------------------------------------------------------

    async def _stay_connected(self, ctx: Context, out: _Outlets) -> None:
        redial: Redial | None = None
        while True:
            if not self.share.value:
                self._tell(ctx, "idle")
                # Whoever waits for every stream does not wait for a socket that has none to carry.
                self.stats.up = True
                await self.share.changed(self.share.version)
                self.stats.up = False
                continue
            limits = self.settings.value.connection
            if redial is None or (redial.base_s, redial.cap_s) != (limits.backoff_base_s, limits.backoff_cap_s):
                redial = Redial(limits.backoff_base_s, limits.backoff_cap_s)
            if self.pacing is not None:
                await trio.sleep(self.pacing.take(ctx.clock.now()))
            self._tell(ctx, "dialling")
            end = await self._one_socket(ctx, limits, out)
            reason = self._last_error = end.reason
            self.stats.fell(reason)
            pause = redial.ended(end, chance=ctx.chance, now=ctx.clock.now())
            self._tell(ctx, f"waiting {pause:.1f} s")
            if out.notices is not None and redial.failures in (3, 10, 30, 100):
                text = f"{self.name} failed {redial.failures} times in a row, last: {reason}"
                out.notices.put_nowait(Notice(level="warning", code="reconnects", text=text, at_ms=ctx.clock.wall_ms()))
            await trio.sleep(pause)

    async def _one_socket(
        self,
        ctx: Context,
        limits: ConnectionSettings,
        out: _Outlets,
    ) -> End:
        """The life of one socket."""
        self.stats.dialled()
        line: _Line | None = None
        try:
            async with self.dial(self.uri, timeout_s=limits.connect_timeout_s) as socket:
                outgoing, frames = trio.open_memory_channel[bytes](1024)
                line = self._line = _Line(
                    PublicSession(
                        session=self.stats.opened(),
                        channel_limit=limits.channels_per_socket,
                        about_ms=ctx.clock.wall_ms(),
                    ),
                    trio.CancelScope(),
                    Handover(out.events, self.stats.handed_over),
                    ctx.clock.now(),
                    outgoing,
                    frames,
                )
                self.stats.last_frame_ns = self.stats.last_data_ns = ctx.clock.now_ns()
                if self.shelf is not None:
                    self.shelf.put(self.name, line.session)
                self._tell(ctx, "connected")
                with line.scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._send, line, socket, limits)
                        nursery.start_soon(self._look, ctx, line, socket, out)
                        nursery.start_soon(self._follow_share, ctx, line)
                        nursery.start_soon(line.handover.carry)
                        # A task of its own: each wake goes through all that its reader was called by.
                        nursery.start_soon(self._read, ctx, line, socket, out)
        except HandshakeRefused as refusal:
            self.stats.refused_handshakes += 1
            asked = max(limits.rate_limited_pause_s, refusal.retry_after_s or 0.0)
            return End(str(refusal), refused=True, pause_s=asked if refusal.status in REFUSED_STATUSES else 0.0)
        except EdgeError as error:
            reason = f"{type(error).__name__}: {error}"
            if line is None:
                return End(reason)
            line.end(reason)
        finally:
            self._line = None
            if self.shelf is not None:
                self.shelf.remove(self.name)
        return await self._after(ctx, line)

    async def _after(self, ctx: Context, line: _Line) -> End:
        now = ctx.clock.now()
        if self._fell_at is None:
            self._fell_at = now
            self.stats.detect_s.append(max(0.0, now - self.stats.last_frame_ns / NS))
        self.stats.up = False
        # What was heard before the end is told before the end is.
        await line.handover.finish(line.session.close(line.fall, ctx.clock.now_ns()))
        up_for_s = now - line.up_since if line.up_since is not None else 0.0
        return End(line.fall, up_for_s=up_for_s, pause_s=line.pause_s)

    # --- the tasks of a socket ------------------------------------------------------------------------------------

    async def _read(self, ctx: Context, line: _Line, socket: WebSocket, out: _Outlets) -> None:
        session, handover, stats = line.session, line.handover, self.stats
        while True:
            try:
                frames = await socket.receive_many()
            except LinkClosed as error:
                line.end(f"{type(error).__name__}: {error}")
                return
            now_ns = ctx.clock.now_ns()
            told = session.receive_first(frames, now_ns, self.settings.value.market.candle_close_grace_ms)
            stats.last_frame_ns = now_ns
            if _PLAIN.issuperset(map(type, told)):
                # All that a decision waits for, and most of what comes.
                if told:
                    stats.last_data_ns = now_ns
            else:
                told = self._sorted_out(ctx, line, told, out, now_ns)
            if session.behind:
                handover.offer(told, 0)
                try:
                    await ctx.step_aside()
                finally:
                    # Also where the line has ended meanwhile: it was heard before.
                    told = self._sorted_out(ctx, line, session.receive_behind(now_ns), out, now_ns)
                    room = handover.offer(told, len(frames))
            else:
                room = handover.offer(told, len(frames))
            if not room:
                # Not read means not heard: the line is not to blame for the silence that follows.
                line.reading = False
                await handover.room()
                line.reading = True
                self._forgive_silence(line, ctx.clock.now_ns())
            # Now, and not when the next read takes their place: an order may wait then.
            del frames, told

    def _sorted_out(
        self, ctx: Context, line: _Line, told: list[PublicEvent], out: _Outlets, now_ns: int
    ) -> list[PublicEvent]:
        """What goes to the listeners of events; the rest is told to its own. Of a market's prices the newest is told:
        nobody could look at one before it."""
        passing: list[PublicEvent] = []
        prices: dict[tuple[type, str], Any] = {}
        event: Any
        for event in told:
            # By its type: isinstance takes six times as long to say no of a struct.
            kind = type(event)
            if kind is TradePrint:
                self._note_trade(event)
                passing.append(event)
            elif kind in _PRICES:
                prices[kind, event.symbol] = event
            elif kind in _EVENTS:
                passing.append(event)
                if kind is StreamUp:
                    self._on_up(ctx, line)
            elif isinstance(event, TradeSnapshot):
                passing.extend(self._missed(event, out.gaps))
            else:
                self._on_session_event(ctx, line, event, out)
                if line.fall:
                    # What follows a gap is not believed.
                    break
        if passing or prices:
            self.stats.last_data_ns = now_ns
        for price in prices.values():
            out.prices.put_nowait(price)
        return passing

    async def _send(self, line: _Line, socket: WebSocket, limits: ConnectionSettings) -> None:
        async for frame in line.frames:
            await self._say(line, socket, frame, limits)

    async def _say(self, line: _Line, socket: WebSocket, frame: bytes, limits: ConnectionSettings) -> None:
        """Send a frame in its turn. A line that does not take it ends."""
        self.stats.sending()
        try:
            with trio.move_on_after(limits.connect_timeout_s) as patience:
                await socket.send(frame)
        except LinkClosed as error:
            line.end(f"{type(error).__name__}: {error}")
        else:
            if patience.cancelled_caught:
                line.end("the other side does not read")

    async def _follow_share(self, ctx: Context, line: _Line) -> None:
        """Subscribe and unsubscribe as the share changes while the socket lives."""
        version = self.share.version
        while True:
            await self.share.changed(version)
            version = self.share.version
            if not self.share.value:
                line.end("no streams are wanted")
                return
            if line.greeted and line.paused_since is None:
                self._ask_for_share(ctx, line)

    async def _look(self, ctx: Context, line: _Line, socket: WebSocket, out: _Outlets) -> None:
        """Pings, silence, answers that never came, and the view."""
        ping_at = ctx.clock.now() + self.settings.value.connection.ping_interval_s
        cid = 0
        while True:
            await trio.sleep(LOOK_S)
            now, now_ns = ctx.clock.now(), ctx.clock.now_ns()
            limits = self.settings.value.connection
            if now >= ping_at:
                ping_at = now + limits.ping_interval_s
                cid += 1
                line.pings = {cid: now}
                await self._say(line, socket, line.session.send_ping(cid), limits)
            if not line.greeted and now - line.opened_at >= limits.connect_timeout_s:
                line.end("no info event")
            elif line.reading and not line.session.flags and now - line.opened_at >= limits.connect_timeout_s:
                # Without the answer no number is read, and no lost frame would ever be missed.
                line.end("conf was not answered")
            elif line.reading and now_ns - self.stats.last_frame_ns >= limits.silence_timeout_s * NS:
                line.end("silent")
            elif line.paused_since is not None:
                if now - line.paused_since >= MAINTENANCE_LIMIT_S:
                    line.end("maintenance without an end")
            elif line.reading:
                self._look_at_streams(ctx, line, now_ns, limits, out)
            self._tell(ctx, self._status)

    def _look_at_streams(
        self, ctx: Context, line: _Line, now_ns: int, limits: ConnectionSettings, out: _Outlets
    ) -> None:
        table = line.session.table
        silent = table.silent(now_ns, int(limits.silence_timeout_s * NS))
        up = [stream for stream in table.streams.values() if stream.state is StreamState.UP]
        if silent and (len(silent) == len(up) or any(subscription in line.renewed for subscription in silent)):
            # Renewing a stream did not make it speak, or none speaks: the server behind the socket is gone.
            line.end("silent streams")
            return
        for subscription in silent:
            line.renewed.add(subscription)
            self._renew(ctx, line, subscription)
        for subscription in table.unanswered(now_ns, int(limits.subscribe_timeout_s * NS)):
            line.session.give_up(subscription)
            line.asked.discard(subscription)
            self._try_again(ctx, line, subscription, "no answer", out, after_s=0.0)
        if table.streams and not up and not line.again and line.greeted and now_ns > 0:
            oldest = min(stream.asked_ns for stream in table.streams.values())
            if now_ns - oldest >= 2 * limits.subscribe_timeout_s * NS:
                line.end("no stream was confirmed")
        for subscription, at in list(line.again.items()):
            if ctx.clock.now() >= at:
                del line.again[subscription]
                self._subscribe(ctx, line, subscription)

    # --- what the session says ------------------------------------------------------------------------------------

    def _on_session_event(self, ctx: Context, line: _Line, event: PublicEvent, out: _Outlets) -> None:
        match event:
            case ServerInfo():
                self._on_info(ctx, line, event)
            case ServerStopping():
                line.end("20051: server is stopping", self.settings.value.connection.backoff_base_s)
            case MaintenanceStarted():
                self.stats.maintenance += 1
                line.paused_since, self.stats.paused = ctx.clock.now(), True
                self._tell(ctx, "maintenance")
            case MaintenanceEnded():
                line.paused_since, self.stats.paused = None, False
                self._tell(ctx, "connected")
                # Every stream may be stale, whatever it said meanwhile.
                for subscription, stream in list(line.session.table.streams.items()):
                    if stream.state in (StreamState.UP, StreamState.BROKEN):
                        self._renew(ctx, line, subscription)
                self._ask_for_share(ctx, line)
            case StreamBroken():
                if event.reason == "checksum":
                    self.stats.bad_checksums += 1
                self._renew(ctx, line, event.subscription)
            case SequenceGap():
                # Which streams lost something cannot be known: the counter is the socket's.
                self.stats.sequence_gaps += 1
                line.end(f"sequence gap: {event.counter} must be {event.expected}, was {event.was}")
            case SubscriptionRefused():
                line.asked.discard(event.subscription)
                line.session.give_up(event.subscription)
                text = f"{event.code} {event.text}"
                if event.code in TRY_AGAIN_CODES:
                    pause = self.settings.value.connection.backoff_base_s * 4
                    self._try_again(ctx, line, event.subscription, text, out, after_s=pause)
                else:
                    level = "warning" if event.code == ERR_CHANNEL_LIMIT else "alarm"
                    self._complain(ctx, out, level, f"{event.subscription.name} was refused: {text}")
                    self._on_up(ctx, line)
            case ConfRefused():
                line.end(f"conf refused: {event.code} {event.text}")
            case ServerError():
                self._last_error = f"{event.code} {event.text}"
            case Pong():
                self._on_pong(ctx, line, event)
            case FrameRefused():
                self.stats.refused_frames += 1
                self._last_error = str(event.error)
                self._tell_refused(ctx, out)
            case _:
                pass

    def _on_info(self, ctx: Context, line: _Line, info: ServerInfo) -> None:
        try:
            require_version(info)
        except LocalProtocolError as error:
            line.end(f"version: {error}", MAINTENANCE_LIMIT_S)
            return
        if line.greeted:
            return
        line.greeted = True
        # In front of the subscriptions: every book frame's text is kept for the checksum from the first one on.
        line.say(line.session.send_conf())
        if info.operative:
            self._ask_for_share(ctx, line)
        else:
            line.paused_since, self.stats.paused = ctx.clock.now(), True
            self._tell(ctx, "maintenance")

    def _on_up(self, ctx: Context, line: _Line) -> None:
        """Up means: of all that was asked for, what was not refused is confirmed."""
        streams = line.session.table.streams
        if not line.asked or line.again or (line.up_since is not None and self._status != "connected"):
            return
        if any(streams[asked].state is not StreamState.UP for asked in line.asked if asked in streams):
            return
        if line.up_since is None:
            line.up_since = ctx.clock.now()
            self.stats.up = True
            if self._fell_at is not None:
                self.stats.recover_s.append(line.up_since - self._fell_at)
                self._fell_at = None
        # Also once more, behind a maintenance that the same line has outlived.
        self._tell(ctx, "up")

    def _on_pong(self, ctx: Context, line: _Line, pong: Pong) -> None:
        sent_at = line.pings.pop(pong.cid or 0, None)
        if sent_at is None:
            return
        round_trip_s = ctx.clock.now() - sent_at
        self.stats.ponged(round_trip_s)
        if pong.venue_ms:
            # The venue's stamp is of about the middle of the round trip.
            self.stats.skew_ms = pong.venue_ms - (ctx.clock.wall_ms() - round_trip_s * 500)

    def _note_trade(self, trade: TradePrint) -> None:
        if trade.trade_id > self.stats.newest_trades.get(trade.symbol, (0, 0))[0]:
            self.stats.newest_trades[trade.symbol] = (trade.trade_id, trade.time_ms)

    def _missed(self, snapshot: TradeSnapshot, gaps: Outlet[TradesRequest] | None) -> list[TradePrint]:
        """The trades of a new subscription's snapshot that were made while the line was down."""
        known = self.stats.newest_trades.get(snapshot.symbol)
        for trade in snapshot.trades:
            self._note_trade(trade)
        if known is None:
            return []
        missed = [trade for trade in snapshot.trades if trade.trade_id > known[0]]
        self.stats.trades_refilled += len(missed)
        if missed and len(missed) == len(snapshot.trades):
            # It does not reach back to what we had: there may be more between the two.
            self.stats.trades_missed += 1
            if gaps is not None:
                gaps.put_nowait(
                    TradesRequest(
                        symbol=snapshot.symbol,
                        after_id=known[0],
                        after_ms=known[1],
                        before_id=missed[0].trade_id,
                        before_ms=missed[0].time_ms,
                    )
                )
        return missed

    # --- asking ---------------------------------------------------------------------------------------------------

    def _ask_for_share(self, ctx: Context, line: _Line) -> None:
        """Make the socket's streams those of the share."""
        wanted = set(self.share.value)
        for subscription in self.share.value:
            if subscription not in line.asked:
                self._subscribe(ctx, line, subscription)
        for subscription in sorted(line.asked - wanted):
            line.asked.discard(subscription)
            line.again.pop(subscription, None)
            try:
                line.say(line.session.send_unsubscribe(subscription))
            except LocalProtocolError:
                line.session.give_up(subscription)

    def _subscribe(self, ctx: Context, line: _Line, subscription: Subscription) -> None:
        try:
            frame = line.session.send_subscribe(subscription, now_ns=ctx.clock.now_ns())
        except LocalProtocolError as error:
            self._last_error = str(error)
            return
        line.asked.add(subscription)
        line.say(frame)

    def _renew(self, ctx: Context, line: _Line, subscription: Subscription) -> None:
        self.stats.resubscribed += 1
        try:
            for frame in line.session.send_resubscribe(subscription, now_ns=ctx.clock.now_ns()):
                line.say(frame)
        except LocalProtocolError as error:
            # Its renewal is under way already.
            self._last_error = str(error)

    def _try_again(
        self,
        ctx: Context,
        line: _Line,
        subscription: Subscription,
        reason: str,
        out: _Outlets,
        *,
        after_s: float,
    ) -> None:
        tries = line.tries[subscription] = line.tries.get(subscription, 0) + 1
        if tries < SUBSCRIBE_TRIES:
            line.again[subscription] = ctx.clock.now() + after_s * 2 ** (tries - 1)
        else:
            self._complain(ctx, out, "alarm", f"{subscription.name} was not given after {tries} tries: {reason}")

    def _forgive_silence(self, line: _Line, now_ns: int) -> None:
        self.stats.last_frame_ns = now_ns
        for stream in line.session.table.streams.values():
            stream.heard_ns = max(stream.heard_ns, now_ns)

    # --- telling --------------------------------------------------------------------------------------------------

    def _complain(self, ctx: Context, out: _Outlets, level: str, text: str) -> None:
        self._last_error = text
        if out.notices is not None:
            out.notices.put_nowait(
                Notice(level=level, code="subscription", text=f"{self.name}: {text}", at_ms=ctx.clock.wall_ms())
            )

    def _tell_refused(self, ctx: Context, out: _Outlets) -> None:
        """What the venue said and nobody could believe: told at once, then now and then with how many."""
        self._untold_refused += 1
        now = ctx.clock.now()
        if out.notices is None or now < self._tell_refused_at:
            return
        more = "" if self._untold_refused == 1 else f" ({self._untold_refused} since the last word of this)"
        text = f"{self.name}: {self._last_error}{more}"
        out.notices.put_nowait(Notice(level="warning", code="frame_refused", text=text, at_ms=ctx.clock.wall_ms()))
        self._untold_refused, self._tell_refused_at = 0, now + TELL_REFUSED_EVERY_S

    def _tell(self, ctx: Context, status: str) -> None:
        self._status = status
        line = self._line
        streams = line.session.table.streams.values() if line is not None else ()
        self.view.set(
            ConnectionView(
                name=self.name,
                uri=self.uri,
                status=status,
                session=self.stats.sockets,
                reconnects=self.stats.falls,
                last_error=self._last_error,
                frames=self.stats.frames_in,
                subscriptions=sum(1 for stream in streams if stream.state is StreamState.UP),
                venue_ms=line.session.venue_ms if line is not None else 0,
                last_frame_age_s=max(0.0, (ctx.clock.now_ns() - self.stats.last_frame_ns) / NS),
            )
        )
