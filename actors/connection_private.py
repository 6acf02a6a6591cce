"""The private connection actor: one authenticated session at a time, and not one command sent twice.

A session is numbered before its socket is opened, by a number that rises over restarts. Its snapshots are held back
until all are here: the first words of a session are SessionUp, then what the account looked like. Its last word is
SessionDown, said after its socket has been closed by us and after whatever was heard or sent on it has been told.

A command leaves only on the session it was made for. Not one byte left: CommandNotSent. The send returned:
CommandSent. Anything else, a crash of this actor in the middle included: CommandInDoubt, and never a second send.
"""

from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import attrs
import trio

from genesis.core.actor import Context
from genesis.core.channel import Channel, Envelope
from genesis.core.errors import ChannelClosed
from genesis.core.latest import Latest
from genesis.core.mailbox import Outlet
from genesis.domain.rate_limit import RateLimit
from genesis.domain.redial import End, Patience, Redial
from genesis.edge.account_line import AccountLine
from genesis.edge.command_fates import KINDS, in_doubt, not_sent, sent
from genesis.edge.connection_stats import ConnectionStats
from genesis.edge.errors import ConnectTimeout, EdgeError, HandshakeRefused, LinkClosed
from genesis.edge.narrow_line import AWAY_S, NarrowLine
from genesis.edge.nonce import NonceOwner
from genesis.edge.rest import RestDoor
from genesis.edge.secrets import Credentials
from genesis.edge.send_ledger import RESERVED, Attempt, SendLedger
from genesis.edge.stage_times import StageTimes
from genesis.edge.stand_in import StandIn
from genesis.edge.websocket import Dial
from protocols.bitfinex.account_session import AccountPhase, AccountSession, AccountSessionEvent
from protocols.bitfinex.errors import ERR_AUTH_NONCE, ERR_NOT_READY, LocalProtocolError
from protocols.bitfinex.events import (
    AuthAccepted,
    AuthLost,
    AuthRefused,
    ConfRefused,
    FrameRefused,
    MaintenanceEnded,
    MaintenanceStarted,
    Pong,
    SequenceGap,
    ServerError,
    ServerInfo,
    ServerStopping,
)
from protocols.bitfinex.inputs import WrittenCommand
from protocols.bitfinex.rest_account import WITHDRAW_SCOPES
from protocols.bitfinex.session import require_version
from protocols.health import ConnectionView, Notice, Reconnect
from protocols.journal import Cells, CellWrite, Commit, JournalRequest, ReadCells
from protocols.orders import (
    TOO_OLD,
    AccountEvent,
    BalanceEvent,
    CommandBatch,
    OrderSnapshot,
    PositionSnapshot,
    RequestNotice,
    SessionDown,
    SessionUp,
    SubmitOrder,
    VenueCommand,
    VenueOrder,
    VenuePosition,
    VenueTrade,
    VenueWallet,
    WalletSnapshot,
    commands_of,
)
from protocols.reference import PriceReached
from protocols.settings import ConnectionSettings, Settings
from protocols.trading import OrdersView
from protocols.units import plain

LOOK_S: Final = 1.0
SEND_TIMEOUT_S: Final = 5.0
"""An order that has not left after this long would meet another market; the line is dead anyway."""
HANDSHAKE_S: Final = 3.0
"""A dial is answered within this; and then a login, its snapshots included, of which one frame lost is lost for good. A
venue that is slower is given twice as long each time, up to what the settings allow."""
LOGIN_LOOK_S: Final = 0.5
GOODBYE_S: Final = 0.25
"""Whoever waits longer for the other side's goodbye, on a line that may carry nothing, keeps the next session away."""
PROBES_S: Final = (2.0, 2.0, 4.0)
"""A lost frame shows by the number of the next one, and of a quiet account the next one is a heartbeat: 15 s away, and
30 when that is lost, too. After each command something that is answered at once is asked for behind these pauses."""
PROBE: Final = ("balance",)
MAINTENANCE_LIMIT_S: Final = 180.0
REFUSED_PAUSE_S: Final = 60.0
"""A key that is refused now is not good in a second; dialling on would only use up the connection limit."""
REFUSED_STATUSES: Final = frozenset({408, 429, 502, 503, 504})
NONCE_RETRY_S: Final = 0.2
TELL_REFUSED_EVERY_S: Final = 600.0
NS: Final = 1_000_000_000

SESSION_TABLE: Final = "connection"
SESSION_KEY: Final = "session"

# A frame of several is known by the order in whose name it leaves: neither that frame nor that order goes twice.
_NAMES: Final[dict[type, str]] = {**KINDS, CommandBatch: "on"}
_FOR_ACCOUNT: Final = frozenset({WalletSnapshot, VenueWallet, PositionSnapshot, VenuePosition})
_TOLD: Final = _FOR_ACCOUNT | {VenueOrder, VenueTrade, OrderSnapshot, RequestNotice}  # isinstance is slow to say no


@attrs.define(eq=False)
class _Outlets:
    orders: Outlet[AccountEvent]
    account: Outlet[BalanceEvent]
    journal: Outlet[JournalRequest]
    notices: Outlet[Any] | None


@attrs.define(kw_only=True, eq=False)
class ConnectionPrivateActor:
    """Hears VenueCommand and Reconnect. `ledger` and `stats` belong to the engine and survive this actor. `written` is
    the text of a command that may come, made by who will most likely give it."""

    name: str
    uri: str
    credentials: Credentials
    nonce: NonceOwner
    settings: Latest[Settings]
    dial: Dial
    orders: Channel[AccountEvent]
    account: Channel[BalanceEvent]
    journal: Channel[JournalRequest]
    view: Latest[ConnectionView]
    stats: ConnectionStats
    ledger: SendLedger
    written: Latest[WrittenCommand | None] | None = None
    pacing: RateLimit | None = None
    notices: Channel[Any] | None = None
    refuse_withdrawal_keys: bool = True
    stages: StageTimes | None = None
    door: RestDoor | None = None
    """Over which stops, closes and cancels leave while the socket alone is away; None: they wait for it."""
    books: Latest[OrdersView] | None = None
    """Whether anything needs one: else the socket is dialled first."""
    _stand_in: StandIn = attrs.field(factory=StandIn, init=False)
    _tell_away_at: float = attrs.field(default=0.0, init=False)
    _line: AccountLine | None = attrs.field(default=None, init=False)
    _status: str = attrs.field(default="idle", init=False)
    _last_error: str | None = attrs.field(default=None, init=False)
    _fell_at: float | None = attrs.field(default=None, init=False)
    _dials: Patience = attrs.field(factory=lambda: Patience(HANDSHAKE_S), init=False)
    _logins: Patience = attrs.field(factory=lambda: Patience(HANDSHAKE_S), init=False)
    _patience: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _sending: AccountLine | None = attrs.field(default=None, init=False)
    """Where the command in hand leaves, or has left, until its fate is told."""
    _tell_refused_at: float = attrs.field(default=0.0, init=False)
    _unfinished: VenueCommand | None = attrs.field(default=None, init=False)
    """Its send was ended for the time it took; nobody was told yet."""

    async def run(self, ctx: Context) -> None:
        notices = ctx.outlet(self.notices) if self.notices is not None else None
        out = _Outlets(ctx.outlet(self.orders), ctx.outlet(self.account), ctx.outlet(self.journal), notices)
        if self.written is not None:
            self.written.on_set = self._make_frame
        try:
            await self._end_former_life(ctx, out)
            ctx.ready()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._obey, ctx, out)
                await self._stay_connected(ctx, out)
        except* ChannelClosed:
            # A listener has stopped for good: the engine is going down, and we are next.
            await trio.sleep_forever()

    async def _end_former_life(self, ctx: Context, out: _Outlets) -> None:
        """A life that crashed has left a session open: it ends now, and only now is it told."""
        if self.ledger.open_session is None:
            return
        if self.ledger.open_socket is not None:
            await self.ledger.open_socket.aclose()
            self.ledger.open_socket = None
        await out.orders.put(
            SessionDown(
                session=self.ledger.open_session,
                reason="the connection actor was restarted",
                received_ns=ctx.clock.now_ns(),
            )
        )
        self.ledger.open_session = None

    async def _number_session(self, out: _Outlets) -> int:
        """The next number, on the disk before anybody hears it, with some that follow."""
        if self.ledger.session == 0:
            kept: Cells = await out.journal.ask(ReadCells(table=SESSION_TABLE, key=SESSION_KEY))
            self.ledger.session = self.ledger.reserved = max((int(cell.payload) for cell in kept.cells), default=0)
        number = self.ledger.session = self.ledger.session + 1
        if number > self.ledger.reserved:
            cell = CellWrite(table=SESSION_TABLE, key=SESSION_KEY, payload=str(number + RESERVED - 1).encode())
            await out.journal.ask(Commit(writer=self.name, cells=(cell,)))
            self.ledger.reserved = number + RESERVED - 1
        return number

    # --- commands -------------------------------------------------------------------------------------------------

    async def _obey(self, ctx: Context, out: _Outlets) -> None:
        waiting: deque[Envelope] = deque()
        try:
            while True:
                # Ends a send that takes too long, by `_look`: a time of its own would cost each command more than all
                # of its other marks.
                with trio.CancelScope() as self._patience:
                    if not waiting:
                        waiting.extend(await ctx.inbox.lease())
                    while waiting:
                        message = waiting[0].message
                        if type(message) is Reconnect:
                            self._reconnect(message)
                        else:
                            await self._carry(ctx, out, message)
                            self._let_go()
                        ctx.inbox.ack(waiting.popleft())
                if self._unfinished is not None and self._sending is not None:
                    fall = self._sending.fall
                    self._sending.end(f"send failed: {trio.TooSlowError.__name__}")
                    reason = f"its line fell: {fall}" if fall else f"it did not leave within {SEND_TIMEOUT_S:g} s"
                    await self._tell_fates(out, in_doubt(self._unfinished, reason))
                    self._let_go()
                    ctx.inbox.ack(waiting.popleft())
        finally:
            self._let_go()

    def _let_go(self) -> None:
        line, self._sending, self._unfinished = self._sending, None, None
        if line is not None:
            line.let_go()

    def _reconnect(self, wish: Reconnect) -> None:
        if wish.session not in (0, self.ledger.open_session):
            return  # It has ended already, and another one would pay for it with a login.
        if self._line is not None:
            self.stats.reconnects_asked += 1
            self._line.end(f"asked: {wish.reason}", wished=True)
        elif self._stand_in.line is not None:
            self._stand_in.line.over.set()

    async def _carry(self, ctx: Context, out: _Outlets, command: VenueCommand) -> None:
        """Send a command once, and tell its fate. One function: what each call costs, an order waits for."""
        kind = _NAMES[type(command)]
        # Marked before anything is asked: no checkpoint from here to the send, and what does not leave is withdrawn.
        past = self.ledger.past_or_begin(kind, command.cid, command, once=kind == "on")
        if past is not None:
            await self._tell_past(ctx, out, command, past)
            return
        if self._stand_in.line is not None:
            self.ledger.withdraw(kind, command.cid)
            await self._carry_narrowly(ctx, out, self._stand_in.line, command)
            return
        line = self._line
        try:
            if line is None or line.up_since is None:
                raise LocalProtocolError("no session is up")
            if line.fall or line.socket.closed:
                raise LocalProtocolError(f"session {line.session.session} is ending")
            frame = line.session.send_command(command, None if self.written is None else self.written.value)
        except LocalProtocolError as error:
            self.ledger.withdraw(kind, command.cid)
            await self._tell_not_sent(out, command, str(error))
            return
        if type(command) is SubmitOrder and 0 < command.leave_by_ns <= ctx.clock.now_ns():
            self.ledger.withdraw(kind, command.cid)
            await self._tell_too_old(ctx, out, command)
            return
        self.stats.sending()
        self._sending, line.leaving, line.untold = line, command, True
        try:
            with ctx.outside:
                await line.socket.send(frame)
        except EdgeError as error:
            line.leaving = None
            line.end(f"send failed: {type(error).__name__}")
            await self._tell_fates(out, in_doubt(command, f"{type(error).__name__}: {error}"))
            return
        except trio.Cancelled:
            if self._patience.cancel_called:
                self._unfinished = command
            raise
        line.leaving = None
        self.ledger.sent(kind, command.cid, command)
        line.stirred.set()
        await self._tell_sent(ctx, out, command)

    def _make_frame(self) -> None:
        """There is a text of a command that may come: have its frame ready, too."""
        written = None if self.written is None else self.written.value
        if written is not None and self._line is not None:
            self._line.socket.make_ready(written.frame)

    async def _tell_past(self, ctx: Context, out: _Outlets, command: VenueCommand, past: Attempt) -> None:
        """The fate of a command that has begun to leave before."""
        if past is Attempt.SENT:
            await self._tell_sent(ctx, out, command)
        else:
            await self._tell_fates(out, in_doubt(command, "its send was interrupted"))

    async def _tell_sent(self, ctx: Context, out: _Outlets, command: VenueCommand) -> None:
        now_ns = ctx.clock.now_ns()
        for each in commands_of(command):
            if self.stages is not None and isinstance(each, SubmitOrder):
                self.stages.note("sent", each.received_ns, now_ns)
        await self._tell_fates(out, sent(command, now_ns))

    async def _tell_not_sent(self, out: _Outlets, command: VenueCommand, reason: str) -> None:
        paused = self._line is not None and self._line.session.paused
        await self._tell_fates(out, not_sent(command, reason, paused=paused))

    async def _tell_too_old(self, ctx: Context, out: _Outlets, command: SubmitOrder) -> None:
        late_s = (ctx.clock.now_ns() - command.leave_by_ns) / NS
        reason = f"{TOO_OLD}: its time to leave must not have passed, had for {late_s:.1f} s at the socket"
        await self._tell_fates(out, not_sent(command, reason, too_old=True))

    async def _tell_fates(self, out: _Outlets, fates: Sequence[AccountEvent]) -> None:
        for fate in fates:
            self.stats.note_fate(fate)
            await out.orders.put(fate)

    # --- from session to session ----------------------------------------------------------------------------------

    async def _stay_connected(self, ctx: Context, out: _Outlets) -> None:
        redial: Redial | None = None
        self._stand_in.away_since = ctx.clock.now()
        while True:
            limits = self.settings.value.connection
            if redial is None or (redial.base_s, redial.cap_s) != (limits.backoff_base_s, limits.backoff_cap_s):
                redial = Redial(limits.backoff_base_s, limits.backoff_cap_s)
            if self.pacing is not None:
                await trio.sleep(self.pacing.take(ctx.clock.now()))
            self._tell(ctx, "dialling")
            end = await self._one_session(ctx, out, limits)
            reason = self._last_error = end.reason
            self.stats.fell(reason)
            pause = redial.ended(end, chance=ctx.chance, now=ctx.clock.now())
            self._tell(ctx, f"waiting {pause:.1f} s")
            if redial.failures in (3, 10, 30, 100):
                text = f"{self.name} failed {redial.failures} times in a row, last: {reason}"
                self._say_news(ctx, out, "warning", "reconnects", text)
            if end.wished or end.up_for_s >= AWAY_S:
                self._stand_in.away_since = ctx.clock.now()
            await self._stand_in.pause(
                ctx,
                pause,
                door=self.door,
                ledger=self.ledger,
                books=self.books,
                number=partial(self._number_session, out),
                live=partial(self._stand_for, ctx, out),
                refused=partial(self._key_refused, ctx, out),
            )

    def _key_refused(self, ctx: Context, out: _Outlets, said: str) -> None:
        text = (
            f"the venue refuses what was asked over REST ({said}): no stop and no close leaves until the socket is back"
        )
        self._say_news(ctx, out, "alarm", "rest_key_refused", text)

    async def _stand_for(self, ctx: Context, out: _Outlets, line: NarrowLine, dial_at: float) -> None:
        """The life of a session over REST. One line at a time: nothing is dialled before it is over and told."""
        self.ledger.open_session = line.session
        self.stats.narrow_sessions += 1
        self._tell(ctx, "stops and closes leave over REST")
        if ctx.clock.now() >= self._tell_away_at:
            self._tell_away_at = ctx.clock.now() + TELL_REFUSED_EVERY_S
            text = f"{self.name} is away ({self._last_error}): over REST only stops, closes and cancels leave"
            self._say_news(ctx, out, "warning", "stops_over_rest", text)
        for event in line.first_words:
            await self._pass_on(out, event)
        self._stand_in.line = line
        await line.lasts(dial_at, self.books)
        await line.last_command()
        self._stand_in.line = None
        await out.orders.put(SessionDown(session=line.session, reason="next dial", received_ns=ctx.clock.now_ns()))
        self.ledger.open_session = None

    async def _carry_narrowly(self, ctx: Context, out: _Outlets, line: NarrowLine, command: VenueCommand) -> None:
        if not line.takes(command):
            await self._tell_not_sent(out, command, "over REST orders and cancels leave, each on its own session")
            return
        try:
            with ctx.outside:
                told = await line.carry(command)
            await self._tell_fates(out, told)
        finally:
            line.told()

    async def _one_session(self, ctx: Context, out: _Outlets, limits: ConnectionSettings) -> End:
        """The life of one socket."""
        number = await self._number_session(out)
        self.stats.dialled()
        line: AccountLine | None = None
        try:
            async with self.dial(self.uri, timeout_s=self._dials.wait_s(limits.connect_timeout_s)) as socket:
                self._dials.missed = 0
                line = AccountLine(
                    AccountSession(
                        session=number,
                        api_key=self.credentials.key,
                        api_secret=self.credentials.secret.reveal(),
                        dead_man_switch=self.settings.value.orders.dead_man_switch,
                        about_ms=ctx.clock.wall_ms(),
                    ),
                    socket,
                    trio.CancelScope(),
                    ctx.clock.now(),
                )
                self.stats.opened()
                self.stats.last_frame_ns = self.stats.last_data_ns = ctx.clock.now_ns()
                self.ledger.open_session, self.ledger.open_socket = number, socket
                self._line = line
                self._tell(ctx, "connected")
                with line.scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._look, ctx, out, line)
                        nursery.start_soon(self._probe, ctx, line, limits)
                        # A task of its own: each wake goes through all that its reader was called by.
                        nursery.start_soon(self._read, ctx, out, line)
                with trio.move_on_after(GOODBYE_S):
                    await socket.aclose()
        except HandshakeRefused as refusal:
            self.stats.refused_handshakes += 1
            asked = max(limits.rate_limited_pause_s, refusal.retry_after_s or 0.0)
            return End(str(refusal), refused=True, pause_s=asked if refusal.status in REFUSED_STATUSES else 0.0)
        except EdgeError as error:
            if line is None:
                self._dials.missed += isinstance(error, ConnectTimeout)
                return End(f"{type(error).__name__}: {error}")
            line.end(f"{type(error).__name__}: {error}")
        finally:
            self._line = None
        return await self._after(ctx, out, line)

    async def _after(self, ctx: Context, out: _Outlets, line: AccountLine) -> End:
        """The socket is closed, so nothing more can be heard; when the last command's fate is told, the end is."""
        now = ctx.clock.now()
        if self._fell_at is None:
            self._fell_at = now
            self.stats.detect_s.append(max(0.0, now - self.stats.last_frame_ns / NS))
        self.stats.up = False
        line.session.close()
        if line.leaving is not None:
            # Nothing leaves any more: whatever holds it up, its fate can be told.
            self._patience.cancel()
        await line.last_command()
        down = SessionDown(session=line.session.session, reason=line.fall, received_ns=ctx.clock.now_ns())
        await out.orders.put(down)
        self.ledger.open_session = self.ledger.open_socket = None
        self.stats.refused_frames += line.session.tolerance.refused
        up_for_s = now - line.up_since if line.up_since is not None else 0.0
        return End(line.fall, up_for_s=up_for_s, pause_s=line.pause_s, wished=line.wished)

    # --- the tasks of a socket ------------------------------------------------------------------------------------

    async def _read(self, ctx: Context, out: _Outlets, line: AccountLine) -> None:
        stats, session = self.stats, line.session
        while True:
            try:
                frames = await line.socket.receive_many()
            except LinkClosed as error:
                line.end(f"{type(error).__name__}: {error}")
                return
            now_ns = ctx.clock.now_ns()
            told = session.receive_many(frames, now_ns)
            stats.last_frame_ns = now_ns
            for event in told:
                if type(event) in _TOLD:
                    stats.last_data_ns = now_ns
                    if line.up_since is None:
                        line.held.append(event)
                    else:
                        await self._pass_on(out, event)
                elif isinstance(event, SessionUp):
                    await self._on_up(ctx, out, line, event)
                else:
                    await self._on_session_event(ctx, out, line, event)
                    if line.fall:
                        # What follows a gap, or a refusal, is not this session's to tell.
                        return
            if any(frame.startswith(b"[") for frame in frames):
                line.data_ns = now_ns
            stats.handed_over(len(frames))

    async def _pass_on(self, out: _Outlets, event: Any) -> None:
        # Without a turn of the loop for each: what came in one read is judged together, and kept by one commit.
        if type(event) in _FOR_ACCOUNT and not out.account.put_if_room(event):
            await out.account.put(event)
        # The order actor hears what is held, too: without history it is all that tells what a stop must cover.
        if not out.orders.put_if_room(event):
            await out.orders.put(event)

    async def _on_up(self, ctx: Context, out: _Outlets, line: AccountLine, event: SessionUp) -> None:
        if not line.session.flags:
            # Without the answer no number is read, and no lost frame would ever be missed.
            line.end("conf was not answered")
            return
        held, line.held = line.held, []
        await self._pass_on(out, event)
        for earlier in held:
            await self._pass_on(out, earlier)
        # Only now may commands go: whoever answers SessionUp with one must have heard the snapshots as well.
        line.up_since = ctx.clock.now()
        line.is_up.set()
        self._logins.missed = 0
        self.stats.up = True
        if self._fell_at is not None:
            self.stats.recover_s.append(line.up_since - self._fell_at)
            self._fell_at = None
        self._tell(ctx, "up")

    async def _look(self, ctx: Context, out: _Outlets, line: AccountLine) -> None:
        """Pings, silence, answers that never came, sends that do not return, and the view."""
        ping_at = ctx.clock.now() + self.settings.value.connection.ping_interval_s
        leaving, looks = line.leaving, 0
        while True:
            await trio.sleep(LOOK_S)
            now, now_ns = ctx.clock.now(), ctx.clock.now_ns()
            looks = looks + 1 if line.leaving is leaving else 0
            leaving = line.leaving
            if leaving is not None and looks * LOOK_S >= SEND_TIMEOUT_S:
                self._patience.cancel()
            limits = self.settings.value.connection
            if now >= ping_at:
                ping_at = now + limits.ping_interval_s
                await self._ping(ctx, line)
            if line.paused_since is not None and now - line.paused_since >= MAINTENANCE_LIMIT_S:
                line.end("maintenance without an end")
            if now_ns - self.stats.last_frame_ns >= limits.silence_timeout_s * NS:
                line.end("silent")
            elif line.up_since is not None and line.paused_since is None:
                # Pongs alone prove nothing: the account channel has a heartbeat of its own, every 15 s.
                if now_ns - line.data_ns >= 2 * limits.silence_timeout_s * NS:
                    line.end("silent account channel")
                elif line.is_deaf(now, limits):
                    line.end("pings are not answered")
            self._tell(ctx, self._status)

    async def _probe(self, ctx: Context, line: AccountLine, limits: ConnectionSettings) -> None:
        """See to it that a frame which was lost is missed soon: of the login first, then of orders."""
        patience_s = self._logins.wait_s(limits.connect_timeout_s + limits.subscribe_timeout_s)
        deadline = ctx.clock.now() + patience_s
        while not line.is_up.is_set():
            with trio.move_on_after(LOGIN_LOOK_S):
                await line.is_up.wait()
            if line.paused_since is not None:
                deadline = ctx.clock.now() + patience_s
            elif not line.is_up.is_set():
                if not line.greeted:
                    # Its first word is not late but lost when it answers this without having said it.
                    await self._ping(ctx, line)
                elif line.session.phase is AccountPhase.SYNCING:
                    await self._say(line, line.session.send_calc(PROBE))
                if ctx.clock.now() >= deadline:
                    self._logins.missed += 1
                    self.stats.auth_timeouts += line.greeted
                    line.end("authentication or its snapshots were not answered" if line.greeted else "no info event")
                    return
        while True:
            await line.stirred.wait()
            left = list(PROBES_S)
            while left:
                if line.stirred.is_set():
                    line.stirred, left = trio.Event(), list(PROBES_S)
                await trio.sleep(left.pop(0))
                if line.paused_since is None:
                    await self._say(line, line.session.send_calc(PROBE))

    async def _ping(self, ctx: Context, line: AccountLine) -> None:
        line.ping_cid, line.ping_at = line.ping_cid + 1, ctx.clock.now()
        await self._say(line, line.session.send_ping(line.ping_cid))

    async def _say(self, line: AccountLine, frame: bytes) -> None:
        self.stats.sending()
        try:
            with trio.move_on_after(SEND_TIMEOUT_S) as patience:
                await line.socket.send(frame)
        except LinkClosed as error:
            line.end(f"send failed: {type(error).__name__}")
        else:
            if patience.cancelled_caught:
                line.end("send failed: TooSlowError")

    # --- what the session says ------------------------------------------------------------------------------------

    async def _on_session_event(
        self, ctx: Context, out: _Outlets, line: AccountLine, event: AccountSessionEvent
    ) -> None:
        match event:
            case Pong():
                line.ponged(event, self.stats, ctx.clock)
            case ServerInfo():
                await self._on_info(ctx, line, event)
            case AuthAccepted():
                self.stats.auth_successes += 1
                risky = sorted(scope for scope in WITHDRAW_SCOPES if event.permissions.get(scope, (False, False))[1])
                if risky and self.refuse_withdrawal_keys:
                    text = f"API key must not be able to withdraw, had {', '.join(risky)}: make one without"
                    self._notify(ctx, out, "alarm", "withdrawal_key", text)
                    line.end(f"key refused: {text}", REFUSED_PAUSE_S * 5)
            case AuthRefused():
                await self._on_auth_refused(ctx, out, line, event)
            case AuthLost():
                line.end("the answer to the login was lost")
            case ServerStopping():
                line.end("20051: server is stopping", self.settings.value.connection.backoff_base_s)
            case MaintenanceStarted():
                self.stats.maintenance += 1
                line.paused_since, self.stats.paused = ctx.clock.now(), True
                self._tell(ctx, "maintenance")
            case MaintenanceEnded():
                # What happened meanwhile is only told by the snapshots of a new authentication.
                line.end("20061: maintenance is over")
            case SequenceGap():
                self.stats.sequence_gaps += 1
                line.end(f"sequence gap: {event.counter} must be {event.expected}, was {event.was}")
            case ConfRefused():
                line.end(f"conf refused: {event.code} {event.text}")
            case ServerError():
                self._last_error = f"{event.code} {event.text}"
                if line.session.phase is AccountPhase.CLOSED:
                    line.end("the venue has ended the login")
            case PriceReached():
                now = "" if event.price == event.level else f", it is {plain(event.price)}"
                self._say_news(ctx, out, "info", "price_alert", f"{event.symbol} reached {plain(event.level)}{now}")
            case FrameRefused():
                # An account frame that cannot be read may have been a fill: only a new snapshot and history tell.
                if ctx.clock.now() >= self._tell_refused_at:
                    self._tell_refused_at = ctx.clock.now() + TELL_REFUSED_EVERY_S
                    self._notify(ctx, out, "warning", "frame_refused", f"{self.name}: {event.error}; it dials anew")
                line.end(f"unreadable frame: {event.error}")

    async def _on_info(self, ctx: Context, line: AccountLine, info: ServerInfo) -> None:
        try:
            require_version(info)
        except LocalProtocolError as error:
            line.end(f"version: {error}", MAINTENANCE_LIMIT_S)
            return
        if line.greeted:
            return
        line.greeted = True
        if not info.operative:
            line.paused_since, self.stats.paused = ctx.clock.now(), True
            self._tell(ctx, "maintenance")
            return
        await self._say(line, line.session.send_conf())
        self.stats.auth_requests += 1
        nonce = await line.kept(self.nonce.next())
        if nonce is not None:
            await self._say(line, line.session.send_auth(nonce))

    async def _on_auth_refused(self, ctx: Context, out: _Outlets, line: AccountLine, refused: AuthRefused) -> None:
        self.stats.auth_errors += 1
        if refused.code == ERR_AUTH_NONCE:
            await line.kept(self.nonce.bump())
            line.end(f"auth refused: {refused.code} {refused.text}", NONCE_RETRY_S)
        elif refused.code == ERR_NOT_READY:
            line.end(f"auth refused: {refused.code} {refused.text}", self.settings.value.connection.backoff_base_s)
        else:
            text = f"the venue refuses this API key: {refused.code} {refused.text}"
            self._notify(ctx, out, "alarm", "auth_refused", text)
            line.end(f"auth refused: {refused.code} {refused.text}", REFUSED_PAUSE_S)

    # --- telling --------------------------------------------------------------------------------------------------

    def _notify(self, ctx: Context, out: _Outlets, level: str, code: str, text: str) -> None:
        self._last_error = text
        self._say_news(ctx, out, level, code, text)

    def _say_news(self, ctx: Context, out: _Outlets, level: str, code: str, text: str) -> None:
        if out.notices is not None:
            out.notices.put_nowait(Notice(level=level, code=code, text=text, at_ms=ctx.clock.wall_ms()))

    def _tell(self, ctx: Context, status: str) -> None:
        self._status = status
        line = self._line
        self.view.set(
            ConnectionView(
                name=self.name,
                uri=self.uri,
                status=status,
                session=self.ledger.session,
                reconnects=self.stats.falls,
                last_error=self._last_error,
                frames=self.stats.frames_in,
                subscriptions=1 if line is not None and line.up_since is not None else 0,
                venue_ms=line.session.venue_ms if line is not None else 0,
                last_frame_age_s=max(0.0, (ctx.clock.now_ns() - self.stats.last_frame_ns) / NS),
            )
        )
