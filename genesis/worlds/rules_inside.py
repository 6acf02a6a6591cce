"""The rules of what the engine is made of: mailboxes, restarts, settings, tokens, and sockets that lost a frame.

Each is looked at from outside the code that it is about: a model of restart budgets beside the supervisor's own, the
venue's knowledge of which frames it lost beside the engine's counters.
"""

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import msgspec
import trio

from genesis.core.channel import Channel, Overflow
from genesis.core.events import EventKind, SupervisorEvent
from genesis.core.mailbox import Mailbox
from genesis.domain.order_ahead import OrderAhead
from genesis.domain.order_machine import OrderMachine
from genesis.simulator.faults import FaultKind
from genesis.simulator.session import Session
from genesis.worlds.engine_host import EngineHost
from genesis.worlds.process import Process, current_process
from genesis.worlds.witness import Witness
from protocols.bitfinex.events import FLAG_SEQ_ALL
from protocols.bitfinex.session import PublicSession
from protocols.bitfinex.subscriptions import Subscription
from protocols.orders import HistoryReport, OrderSnapshot, RequestNotice, VenueOrder, VenueTrade
from protocols.risk import SetTradingState
from protocols.settings import Settings

if TYPE_CHECKING:
    from genesis.worlds.world import World

RESYNC_WITHIN_S: Final = 150.0
"""Heartbeats come every 15 s, a dead line is known after two silences, and whoever hears it may hang for a while."""
HEARTBEAT_S: Final = 16.0
SILENT_WITHIN_S: Final = 60.0
"""Silence is known after 20 s, looked for every 10, and a goodbye that nobody answers takes its time."""
START_WITHIN_S: Final = 1.0
FIRST_PAIR: Final = 10_000
"""Both limits of trades begin with it, and every change sets both alike."""
ESCALATE_WITHIN_S: Final = 1.0
LONGEST_PAUSE_S: Final = {"journal": 0.35, "trading": 1.25}
"""Of those that a trade waits for: longer pauses would be an outage."""
SAID_AGAIN: Final = (VenueOrder, VenueTrade, RequestNotice)
OF_A_SESSION: Final = (*SAID_AGAIN, OrderSnapshot, HistoryReport)
HEARD_KEPT: Final = 50

_state = msgspec.json.Decoder(SetTradingState)


class InsideRules:
    """One per world."""

    def __init__(self, world: "World", witness: Witness) -> None:
        self.world = world
        self.witness = witness
        self.versions: set[int] = set()
        self.pairs_asked: list[int] = []
        self.pairs_possible = {FIRST_PAIR}
        self.web_wishes: dict[str, bool] = {}
        self.web_taken: dict[str, EngineHost] = {}
        self.switches: Counter[str] = Counter()
        self.latch: tuple[str, float] = ("ACTIVE", 0.0)
        self._crashed: dict[tuple[EngineHost, str], deque[float]] = {}
        self._owed: dict[tuple[EngineHost, str], float] = {}
        self._due: dict[tuple[EngineHost, str], float] = {}
        self._ready: set[tuple[EngineHost, str]] = set()
        self._places: dict[tuple[EngineHost, str], int] = {}
        self._last_stopped: dict[tuple[EngineHost, str], int] = {}
        self.heard: deque[VenueOrder | VenueTrade | RequestNotice] = deque(maxlen=HEARD_KEPT)
        self._given: dict[Channel[Any], tuple[Any, int]] = {}
        self._acked: dict[Channel[Any], int] = {}
        self._settings_kept: Settings | None = None
        """Found right at the last look."""
        self._left_after: dict[tuple[Process | None, int], int] = {}
        """The newest frame, by its number, that a process had read when it asked to leave a public channel."""

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Look over the shoulder of every mailbox and of the order machine, for the time of a run."""
        with contextlib.ExitStack() as stack:
            for where, name, method in (
                (Mailbox, "_take", self._take(Mailbox._take)),
                (Mailbox, "ack", self._ack(Mailbox.ack)),
                (OrderMachine, "on_event", self._hears(OrderMachine.on_event)),
                (PublicSession, "send_unsubscribe", self._leaves(PublicSession.send_unsubscribe)),
            ):
                stack.enter_context(patch.object(where, name, method))
            yield

    # --- mailboxes ------------------------------------------------------------------------------------------------

    def _take(self, old: Any) -> Any:
        """E2: what one sender put into a channel comes out in that order, and nothing acked comes again."""
        checks, given, acked, block = self.witness.checks, self._given, self._acked, Overflow.BLOCK

        def take(box: Mailbox, term: Any, limit: int) -> Any:
            batch = old(box, term, limit)
            if batch:
                checks["E2"] += 1
                for envelope in batch:
                    channel = envelope.channel
                    if channel.overflow is not block:
                        # What waits there may be replaced or dropped.
                        continue
                    floor = acked.get(channel, -1)
                    before = given.get(channel)
                    if before is not None and before[0] is term and before[1] > floor:
                        floor = before[1]
                    if envelope.seq <= floor:
                        text = f"{channel.name} must give numbers above {floor}, gave {envelope.seq}"
                        self.witness.check("E2", False, text)
                    given[channel] = (term, envelope.seq)
            return batch

        return take

    def _ack(self, old: Any) -> Any:
        """E2: no ack by a generation that is over."""
        checks, acked, block = self.witness.checks, self._acked, Overflow.BLOCK

        def ack(box: Mailbox, term: Any, envelopes: Any) -> None:
            over = term.over
            old(box, term, envelopes)
            if over:
                self.witness.check("E2", False, f"{term} is over and acked all the same")
            checks["E2"] += 1
            for envelope in envelopes:
                channel = envelope.channel
                if channel.overflow is block and envelope.seq > acked.get(channel, -1):
                    acked[channel] = envelope.seq

        return ack

    def _hears(self, old: Any) -> Any:
        """M10: a frame of an older session is known as such, and changes nothing."""
        witness, heard = self.witness, self.heard

        def on_event(machine: OrderMachine, event: Any, *, now: float, wall_ms: int) -> None:
            fence = machine.fence
            stale = isinstance(event, OF_A_SESSION) and (event.session < fence.session or event.session <= fence.dead)
            before, told = fence.serial, machine.stale_frames_total
            old(machine, event, now=now, wall_ms=wall_ms)
            if isinstance(event, SAID_AGAIN):
                if isinstance(machine, OrderAhead):
                    # Of the engine's own orders: what a shadow's desk hears on paper never came over a line.
                    heard.append(event)
                known = not stale or machine.stale_frames_total > told
                text = f"{type(event).__name__} of session {event.session} was taken for one of {fence.session}"
                witness.check("M10", known, text)
            if stale:
                witness.reached("a frame of an older session was heard")
                text = f"{type(event).__name__} of session {event.session} changed an order in {fence.session}"
                witness.check("M10", fence.serial == before, text)

        return on_event

    # --- sockets that lost a frame --------------------------------------------------------------------------------

    def watch_frames(self) -> None:
        """M13: the venue knows what it lost, doubled and swapped; the engine must leave that socket."""
        desk = self.world.venue.exchange.faults
        old = desk._happens

        def happens(kind: FaultKind, text: str = "", session: Session | None = None) -> Any:
            rule = old(kind, text, session)
            if rule is not None and session is not None:
                self._lost(kind, text, session)
            return rule

        desk.__dict__["_happens"] = happens

    def _leaves(self, old: Any) -> Any:
        left_after = self._left_after

        def send_unsubscribe(session: PublicSession, subscription: Subscription) -> bytes:
            stream = session.table.streams.get(subscription)
            frame: bytes = old(session, subscription)
            if stream is not None and stream.channel_id is not None:
                left_after[current_process(), stream.channel_id] = session.audit.public
            return frame

        return send_unsubscribe

    def _lost(self, kind: FaultKind, text: str, session: Session) -> None:
        host, exchange = self.world.host, self.world.venue.exchange
        if host is None or host.engine is None or not host.process.alive or not text.startswith("["):
            return
        private = session.key is not None
        alike = [other.number for other in exchange.sessions.values() if (other.key is not None) == private]
        if session.number != max(alike, default=0):
            return
        engine = host.engine
        stats = engine.stats["connection_private" if private else engine.public_names[0]]
        # Until the flags are agreed upon nobody counts, and what is said to a line that is coming up is asked for anew.
        if not stats.up:
            return
        sockets, checksums = stats.sockets, stats.bad_checksums
        # Notifications carry no number, so one too many or too few cannot be seen. Nor can two frames that changed
        # places when one of them has none: swaps are left to the other rules.
        numbered = bool(session.numbers.flags & FLAG_SEQ_ALL) and not text.startswith('[0,"n"')

        told_in_time = _tells_in_time(session, text) if kind is FaultKind.BAD_CHECKSUM else None
        channel, number = _channel_and_number(text) if told_in_time is not None and numbered else (0, 0)

        def crossed() -> bool:
            """The engine had asked to leave that channel before it read this frame, and the venue has heard it."""
            read = self._left_after.get((host.process, channel), number)
            return read < number and channel not in session.channels

        def look() -> None:
            if self.world.host is not host or not host.process.alive or host.over.is_set() or host.stopping.is_set():
                return
            left = stats.sockets > sockets or not stats.connected
            if told_in_time is not None:
                known = left or stats.bad_checksums > checksums
                if not known and not told_in_time():
                    self.witness.reached("a wrong checksum came to a book that was thrown away already")
                    return
                if not known and crossed():
                    self.witness.reached("a wrong checksum crossed the word that its channel is left")
                    return
                self.witness.check("M13", known, f"a wrong checksum on socket {session.number} was not noticed")
                self.witness.reached("a book was thrown away for its checksum", stats.bad_checksums - checksums)
            else:
                text = f"after a '{kind.value}' socket {session.number} is in use {RESYNC_WITHIN_S:g} s later"
                self.witness.check("M13", left, text)
                self.witness.reached("a socket with a gap was left", left)

        if kind is FaultKind.BAD_CHECKSUM or (numbered and kind in (FaultKind.LOSE, FaultKind.DUPLICATE)):
            self.world.network.at(trio.current_time() + RESYNC_WITHIN_S, look)

    def e9_no_line_stays_silent(self, host: EngineHost) -> None:
        """The network knows when a byte came last; whoever waits longer for the next one waits in vain."""
        now, patience = trio.current_time(), SILENT_WITHIN_S + self.world.ills.held_up_s(host)
        for ours, theirs in self.world.network.of(host.process, server="venue"):
            if theirs.is_stream and not ours.over:
                silent_s = now - ours.arrived_at
                if silent_s <= HEARTBEAT_S:
                    self.witness.kept("E9")
                    continue
                text = f"connection {ours.number} is in use and was silent for {silent_s:.0f} s"
                self.witness.check("E9", silent_s <= patience, text)
                self.witness.reached("a line was silent for longer than a heartbeat")

    # --- restarts -------------------------------------------------------------------------------------------------

    def event(self, host: EngineHost, event: SupervisorEvent) -> None:
        """E4: restarts come in time, and a branch gives up exactly when its budget is spent."""
        if not host.process.alive:
            return
        key, now = (host, event.path), trio.current_time()
        parent = (host, event.path.rpartition("/")[0])
        match event.kind:
            case EventKind.STARTED:
                self._places.setdefault(key, len(self._places))
                due = self._due.pop(key, None)
                if due is not None:
                    late = now > due + START_WITHIN_S
                    self.witness.check("E4", not late, f"{event.path} started {now - due:.1f} s late")
                    self.witness.reached("a restart came in time")
            case EventKind.READY:
                self._ready.add(key)
            case EventKind.CRASHED:
                if key in self._ready and not host.stopping.is_set():
                    self._due[key] = now
                self._count(host, parent, now)
            case EventKind.BACKING_OFF:
                if key in self._due:
                    self._due[key] = now + event.delay_s
                branch = event.path.split("/")[1] if "/" in event.path else ""
                limit = LONGEST_PAUSE_S.get(branch, 30.0)
                self.witness.check("E4", event.delay_s <= limit, f"{event.path} pauses for {event.delay_s:.1f} s")
            case EventKind.ESCALATED:
                self._escalated(host, key, event)
            case EventKind.STOPPED:
                self._stopped(host, key, parent)
            case _:
                pass

    def _count(self, host: EngineHost, parent: tuple[EngineHost, str], now: float) -> None:
        spent = self._crashed.setdefault(parent, deque())
        spent.append(now)
        while spent[0] < now - host.restarts.period_s:
            spent.popleft()
        if len(spent) > host.restarts.intensity:
            self._owed.setdefault(parent, now)
        self._overdue(now)

    def _overdue(self, now: float) -> None:
        for (host, path), since in list(self._owed.items()):
            if not host.process.alive or host.stopping.is_set() or host.over.is_set():
                del self._owed[host, path]
            elif now > since + ESCALATE_WITHIN_S:
                del self._owed[host, path]
                self.witness.check("E4", False, f"{path} must have given up at {since:.1f} s, has not")

    def _escalated(self, host: EngineHost, key: tuple[EngineHost, str], event: SupervisorEvent) -> None:
        spent = len(self._crashed.get(key, ()))
        by_budget = "more restarts than" in event.text
        right = self._owed.pop(key, None) is not None or not by_budget
        text = f"{event.path} gave up after {spent} of {host.restarts.intensity} restarts"
        self.witness.check("E4", right, text)
        self.witness.reached("a budget of restarts was spent", by_budget)
        # Whatever was due below it begins anew with it.
        for other in [other for other in self._due if other[0] is host and other[1].startswith(event.path + "/")]:
            del self._due[other]
        for other in [other for other in self._crashed if other[0] is host and other[1].startswith(event.path)]:
            self._crashed[other].clear()

    def _stopped(self, host: EngineHost, key: tuple[EngineHost, str], parent: tuple[EngineHost, str]) -> None:
        """E6: the last one that was started stops first."""
        self._due.pop(key, None)
        if not host.stopping.is_set():
            return
        place, before = self._places.get(key, 0), self._last_stopped.get(parent)
        self._last_stopped[parent] = place
        if before is not None:
            self.witness.check("E6", place < before, f"{key[1]} stopped after one that was started before it")
            self.witness.reached("children stopped in reverse order", place < before)

    # --- settings -------------------------------------------------------------------------------------------------

    def committed(self, kind: str, key: str | None, payload: bytes) -> None:
        if kind == "SettingsVersion" and key is not None:
            self.versions.add(int(key.removeprefix("settings:")))
        elif kind == "SetTradingState":
            self._switched(_state.decode(payload))

    def look(self) -> None:
        """S2: what is in force is one version whole, and the journal has it. E9. Looked at now and then."""
        self._overdue(trio.current_time())
        host = self.world.host
        if host is None or host.engine is None or not host.process.alive or not host.started.is_set():
            return
        self.e9_no_line_stays_silent(host)
        settings = host.engine.cells.settings.value
        if settings is self._settings_kept:
            # Nothing of it changes: the very settings that the look before found right.
            for _ in range(3 if settings.version else 2):
                self.witness.kept("S2")
            return
        one, other = settings.risk.max_trades_per_day, settings.risk.max_trades_per_symbol
        kept = self.witness.check("S2", one == other, f"settings must be of one version, were {one} and {other}")
        known = one == FIRST_PAIR or one in self.pairs_asked
        kept &= self.witness.check("S2", known, f"settings must be what somebody asked for, were {one}")
        if settings.version:
            text = f"version {settings.version} is in force and not in the journal"
            kept &= self.witness.check("S2", settings.version in self.versions, text)
        self._settings_kept = settings if kept else None

    def settings_asked(self, pair: int) -> None:
        self.pairs_asked.append(pair)
        self.pairs_possible.add(pair)

    def settings_answered(self, pair: int, version: int) -> None:
        """What was asked before and not answered may still have come before this one."""
        later = self.pairs_asked[self.pairs_asked.index(pair) :]
        self.pairs_possible = set(later)
        self.witness.check("S2", version in self.versions, f"settings version {version} was told and is not durable")
        self.witness.reached("settings were changed while running")

    def settings_at_the_end(self, host: EngineHost) -> None:
        """What was told to be in force still is, over all restarts, unless somebody asked for more and was not told."""
        assert host.engine is not None
        pair = host.engine.cells.settings.value.risk.max_trades_per_day
        possible = sorted(self.pairs_possible)
        self.witness.check("S2", pair in self.pairs_possible, f"settings must be one of {possible}, were {pair}")

    # --- who may --------------------------------------------------------------------------------------------------

    def _switched(self, command: SetTradingState) -> None:
        """A1: a change by the web was asked for by somebody who may, and it is in the journal once."""
        self.latch = (command.state.value, trio.current_time())
        self.switches[command.reason] += 1
        if command.reason.startswith("web "):
            allowed = self.web_wishes.get(command.reason)
            self.witness.check("A1", bool(allowed), f"'{command.reason}' was carried out and nobody may ask for it")
            named = command.actor == "boss"
            self.witness.check("A1", named, f"'{command.reason}' must name who asked, names {command.actor}")
            once = self.switches[command.reason] == 1
            self.witness.check(
                "A1", once, f"'{command.reason}' is in the journal {self.switches[command.reason]} times"
            )

    def web_answered(self, host: EngineHost, reason: str, status: int) -> None:
        if status in (200, 202):
            self.web_taken[reason] = host
            self.witness.reached("a person halted trading over the web")

    def web_wishes_at_the_end(self, host: EngineHost) -> None:
        """What was taken may have waited for an actor that hung; in the same life it is done at last."""
        for reason, taken_by in self.web_taken.items():
            if taken_by is host:
                text = f"'{reason}' was taken and is not in the journal"
                self.witness.check("A1", self.switches[reason] == 1, text)

    # --- counters -------------------------------------------------------------------------------------------------

    def counters_at_the_end(self, host: EngineHost) -> None:
        """O1: what the metrics say is what happened."""
        engine = host.engine
        assert engine is not None
        told = engine.readers.counters()
        crashes = self.world.rules.crashes_of[host]
        expected: dict[str, float] = {
            "genesis_orders_total": len(self.world.rules.rows),
            "genesis_fills_total": len(self.world.rules.fills),
            "genesis_actor_crashes_total": crashes,
            "genesis_dead_letters_total": self.world.ills.letters[host],
        }
        for name, number in expected.items():
            self.witness.check("O1", told[name] == number, f"{name} must be {number:g}, was {told[name]:g}")
        self.witness.reached("a counter of crashes was above 0", crashes)


def _channel_and_number(text: str) -> tuple[int, int]:
    """Of a numbered checksum frame: `[channel,"cs",checksum,number,...]`."""
    head, _, tail = text.partition(',"cs",')
    return int(head[1:]), int(tail.strip("]").split(",")[1])


def _tells_in_time(session: Session, text: str) -> Callable[[], bool]:
    """Whether this checksum, wrong by now, goes onto the wire while its channel is subscribed to.

    Frames wait behind late ones. Who meanwhile has a silent book told anew hears this of a channel that he has left:
    that book was thrown away, and no checksum can say more about it.
    """
    head, _, tail = text.partition(',"cs",')
    begins, ends = f'{head},"cs",'.encode(), tail.partition(",")[2].encode()
    channel, put = int(head[1:]), session.put
    told: list[bool] = []

    def watched(frames: list[bytes]) -> None:
        # By its number at the end: the checksum itself is no longer the one of this text.
        if not told and any(frame.startswith(begins) and frame.endswith(ends) for frame in frames):
            told.append(channel in session.channels)
        put(frames)

    session.__dict__["put"] = watched
    return lambda: told == [True]
