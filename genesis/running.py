"""One run from start to end: opens what the engine stands on, starts it, tells the user, and ends it in order."""

import contextlib
import errno
import importlib.metadata
import os
import signal
import ssl
import sys
import threading
from collections.abc import Sequence
from functools import partial
from typing import Final, TypeVar

import attrs
import structlog
import trio

from actors.notifier import Post
from genesis.bus_ports import bus_ports, load_client
from genesis.chaos_desk import ChaosDesk
from genesis.config_history import audit_path
from genesis.core.chance import Chance, fresh_seed
from genesis.core.clock import Clock, TrioClock
from genesis.core.errors import Escalated
from genesis.core.hard_exit import HardExit
from genesis.core.loop_watch import NOT_RUN, LoopBlocked, LoopWatch
from genesis.core.rest import LoopClock
from genesis.core.supervisor import EventKind, SupervisorEvent
from genesis.core.turns import run_loop
from genesis.desk import TemplateShelf, trading_desk
from genesis.diary import Diary, watch
from genesis.domain.account_cells import told_before
from genesis.domain.health_watch import Vitals
from genesis.domain.order_rows import TABLE as ORDER_TABLE
from genesis.domain.recording import CandleRecording, RecordingError
from genesis.domain.settings_build import Priority
from genesis.edge import logs
from genesis.edge.audit_file import AuditFile
from genesis.edge.collector import Collector
from genesis.edge.jobs import JobFolders
from genesis.edge.kept_file import KeptFile
from genesis.edge.run_file import RunFile
from genesis.edge.run_file import remove as remove_run_file
from genesis.edge.service_manager import ServiceManager
from genesis.edge.store_errors import StoreError
from genesis.edge.store_thread import StoreThread
from genesis.edge.vitals import disk_free_bytes, memory_bytes
from genesis.engine import Engine
from genesis.job_desk import JobHouse
from genesis.journal_opening import check_counting, open_journal
from genesis.journal_proof import prove_older
from genesis.pacer import Pacer, histories_told
from genesis.page_tokens import open_tokens
from genesis.post_office import open_post
from genesis.pulse import Pulse, StartPulse
from genesis.run_options import CannotStart, ExitCode, Mode, RunOptions
from genesis.run_words import RunWords
from genesis.sim_session import SimSession
from genesis.simulator.exchange import Exchange
from genesis.simulator.recordings import DEFAULT
from genesis.summary import Decided, Summary, decided, summarise
from genesis.tls import absolute, tls_of
from genesis.transfer_desk import TransferDesk
from genesis.user_strategies import user_strategies
from genesis.venue_account import check_account
from genesis.venue_opening import OpenVenue, open_venue
from genesis.waiting_room import WaitingRoom
from protocols.journal import ReadCells
from web.app import create_app
from web.controls import Controls
from web.guard import ANY_ADDRESS, hosts_for
from web.models import EngineStatus, Waits
from web.server import (
    ServerCounters,
    ServerError,
    ServerLimits,
    UnsafeListener,
    is_loopback,
    open_listeners,
    port_of,
)
from web.site import Site
from web.tokens import Tokens
from web.waiting import told

SHUTDOWN_S: Final = 15.0
"""From the signal to the end of the process, whatever a client or an actor does."""

COUNTING_S: Final = 5.0
"""How long the end may read what was decided, for the summary: a third of what it has."""

SAME_ASKING_S: Final = 0.5
"""Whoever starts us may pass a signal on that we had from the terminal already: that is not asking twice."""

READY_LOOK_S: Final = 0.005

DOUBT_ENDS_WITHIN_S: Final = 30.0

GIL_TURN_S: Final = 0.0002
"""How long a busy loop keeps the interpreter from a thread that wants it. The journal's thread asks for it several
times in one commit, and an order waits for that commit: with Python's 5 ms a busy market costs it 3 ms and more."""

UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
"""A disk that takes no more ends a run with one line, whoever met it first."""

E = TypeVar("E", bound=Exception)
log = structlog.get_logger("genesis.run")
VERSION: Final = importlib.metadata.version("genesis-engine")


def run_engine(options: RunOptions) -> ExitCode:
    """Run until the end of the recording (speed max), SIGTERM or Ctrl-C. Raises CannotStart."""
    run = _Run(options)
    load_client(options.environment)
    sys.setswitchinterval(GIL_TURN_S)
    run.collector.begin()
    try:
        return run_loop(run.main)
    except* CannotStart as refusals:
        raise _first(refusals) from None
    except* OSError as errors:
        full = _first(errors)
        if full.errno not in UNWRITABLE:
            raise
        where = full.filename or options.user_dir.root
        raise CannotStart(f"{where} must be writable, was not: {full.strerror}") from None
    finally:
        run.collector.end()
        run.words.end()


def _first(group: BaseExceptionGroup[E]) -> E:
    leaf: BaseExceptionGroup[E] | E = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf


@attrs.frozen(kw_only=True)
class _Place:
    """Where the page is: `address` is what a client on this machine dials, `page` what people open."""

    listeners: Sequence[trio.SocketListener]
    tls: ssl.SSLContext | None
    tokens: Tokens
    hosts: frozenset[str]
    room: WaitingRoom
    address: str
    page: str


async def _serve_after(
    room: WaitingRoom, site: Site, stopping: trio.Event, *, task_status: trio.TaskStatus[None]
) -> None:
    await room.leave()
    await site.serve(stopping, task_status=task_status)


@attrs.define(eq=False)
class _Run:
    options: RunOptions
    venue: OpenVenue | None = None
    engine: Engine | None = None
    started_at: float = 0.0
    started_ms: int = 0
    ready_after_s: float | None = None
    replay_began_at: float | None = None
    replay_ended_at: float | None = None
    problem: str | None = None
    started: bool = False
    # Where this run's own decisions begin in the journal; a simulated session is summed up over all of its runs.
    begins_after: int = 0
    watch: LoopWatch | None = None
    first_pulse: StartPulse | None = None
    words: RunWords = attrs.field(init=False)
    stopping: trio.Event = attrs.field(factory=trio.Event)
    dialling: trio.CancelScope | None = None
    hard_exit: HardExit = attrs.field(factory=HardExit)
    collector: Collector = attrs.field(factory=Collector)
    clock: Clock = attrs.field(factory=partial(TrioClock, LoopClock.current_time))

    def __attrs_post_init__(self) -> None:
        self.words = RunWords(self.options)

    async def main(self) -> ExitCode:
        self.started_at = trio.current_time()
        self.started_ms = self.clock.wall_ms()
        seed = self.options.seed if self.options.mode is Mode.SIM else fresh_seed()
        chance = Chance(seed)
        try:
            async with contextlib.AsyncExitStack() as stack, trio.open_nursery() as nursery:
                await nursery.start(self._listen_to_signals)
                # A loop that stands still can be seen from a thread only; past ten seconds nobody trusts us any more.
                self.watch = LoopWatch(_log_block, on_fatal=self.hard_exit.now)
                nursery.start_soon(self.watch.run)
                try:
                    code = await self._run(nursery, stack, chance)
                except BaseException as error:
                    # A crash has a deadline, too: what it waits for on the way out may never come.
                    self.hard_exit.arm(SHUTDOWN_S, f"{type(error).__name__}")
                    raise
                nursery.cancel_scope.cancel()
        finally:
            self.hard_exit.disarm()
        return code

    async def _run(self, nursery: trio.Nursery, stack: contextlib.AsyncExitStack, chance: Chance) -> ExitCode:
        post = await open_post(stack, self.options)
        place = await self._open_place(stack, chance)
        await nursery.start(place.room.serve)
        first = self.first_pulse = self._start_pulse(place.room)
        nursery.start_soon(first.beat)
        with trio.CancelScope() as self.dialling:
            if self.stopping.is_set():
                self.dialling.cancel()
            self.venue = await open_venue(
                nursery,
                stack,
                options=self.options,
                clock=self.clock,
                chance=chance,
                started_ms=self.started_ms,
                messengers=post.messengers,
                tell=place.room.tell,
            )
        venue = self.venue
        if venue is None:
            # Nothing is open yet that would have to be closed in order.
            log.info("stopped", text="before the venue had answered")
            await first.end("stopped")
            return ExitCode.OK
        place.room.tell("start")
        store = await open_journal(
            self.options.database,
            ServiceManager.of(self.options.environment, os.getpid()),
            at_ms=venue.clock.wall_ms(),
            expendable=self.options.mode is Mode.SIM,
        )
        self.begins_after = 0 if self.options.mode is Mode.SIM else store.store.head().seq
        # What an id names stays in the journal: a life that drew those of the last one would be told "done already".
        chance = chance.life(store.epoch)
        try:
            await check_account(store, venue.account, at_ms=venue.clock.wall_ms())
            await check_counting(store, self.options, at_ms=venue.clock.wall_ms())
            return await self._trade(nursery, store, venue, chance, post, place)
        finally:
            # No cancel reaches a thread that waits for a disk. Only the end of the process does.
            self.hard_exit.arm(SHUTDOWN_S, "closing the journal")
            with trio.CancelScope(shield=True):
                await store.close()

    async def _open_place(self, stack: contextlib.AsyncExitStack, chance: Chance) -> _Place:
        """Where the page is, from before the first question to the venue on. Raises CannotStart."""
        web = self.options.settings.web
        tls = tls_of(web)
        try:
            listeners = await open_listeners(web.host, web.port, tls=tls)
        except ServerError as error:
            code = ExitCode.CONFIGURATION if isinstance(error, UnsafeListener) else ExitCode.ERROR
            raise CannotStart(str(error), code) from None
        for listener in listeners:
            stack.push_async_callback(trio.aclose_forcefully, listener)
        stack.callback(remove_run_file, self.options.user_dir.run_file)
        host = web.host if ":" not in web.host else f"[{web.host}]"
        port = port_of(listeners)
        scheme = "http" if tls is None else "https"
        # A wildcard is no address to open; the first name is, and else this machine's own.
        shown = host if host not in ANY_ADDRESS else next(iter(web.names), "127.0.0.1")
        dialled = "127.0.0.1" if host in ANY_ADDRESS else host
        tokens = open_tokens(self.options, self.clock)
        hosts = hosts_for([host, *web.names], port)
        ids = chance.port("waiting")
        room = WaitingRoom(
            listeners=listeners,
            tls=tls,
            tokens=tokens,
            hosts=hosts,
            loopback=is_loopback(web.host),
            clock=self.clock,
            status=self._status,
            new_id=lambda: f"{ids.getrandbits(64):016x}",
            on_wait=lambda waits: self._tell_wait(waits, place),
        )
        place = _Place(
            listeners=listeners,
            tls=tls,
            tokens=tokens,
            hosts=hosts,
            room=room,
            address=f"{scheme}://{dialled}:{port}",
            page=f"{scheme}://{shown}:{port}",
        )
        return place

    def _tell_wait(self, waits: Waits, place: _Place) -> None:
        """Once: who looks at the terminal, or asks by a command, finds what is waited for."""
        self._write_run_file(place)
        self.words.say(f"{told(waits)}; it goes on by itself, and until then {place.page} says how it stands")

    def _write_run_file(self, place: _Place) -> None:
        RunFile(
            pid=os.getpid(),
            address=place.address,
            mode=self.options.mode.value,
            started_ms=self.clock.wall_ms(),
            page=place.page,
            certificate=absolute(self.options.settings.web.tls_certificate),
        ).write(self.options.user_dir.run_file)

    # --- the engine -------------------------------------------------------------------------------------------------

    async def _trade(
        self,
        nursery: trio.Nursery,
        store: StoreThread,
        venue: OpenVenue,
        chance: Chance,
        post: Post,
        place: _Place,
    ) -> ExitCode:
        options, tokens = self.options, place.tokens
        web = options.settings.web
        counters = ServerCounters()
        strategies = await trio.to_thread.run_sync(user_strategies, options.user_dir.strategies)
        engine = self.engine = Engine(
            settings=options.settings,
            layers=options.layers,
            pairs=venue.pairs,
            store=store,
            venue=venue.ports,
            clock=venue.clock,
            chance=chance,
            status=self._status,
            last_resort=self.hard_exit.now,
            on_event=_log_event,
            chaos=options.mode is Mode.SIM,
            jobs=JobHouse(
                folders=JobFolders(options.user_dir.reports),
                data_folder=options.user_dir.data,
                market=self._research_market(venue.exchange),
                wall_ms=self.clock.wall_ms,
                strategies_folder=options.user_dir.strategies,
            ),
            user_strategies=strategies,
            priority=options.priority or Priority.RUNTIME,
            audit=AuditFile(audit_path(options.user_dir, options.mode.value)),
            bus=bus_ports(options.environment, self.clock.wall_ms),
            post=post,
            wall_ms=self.clock.wall_ms,
            machine=self._vitals,
        )
        # Told from the thread in which a step ran: the channel belongs to the loop.
        strategies.on_slow = lambda text: trio.from_thread.run_sync(engine.notice, "warning", "strategy_slow", text)
        diary = await self._keep_diary(engine, nursery)
        app = create_app(
            readers=attrs.evolve(
                engine.readers,
                log_lines=logs.recent,
                line_times=lambda: (*engine.readers.line_times(), *self.collector.views()),
                event_counts=diary.counts,
            ),
            controls=self._controls(engine, venue.exchange, nursery),
            tokens=tokens,
            clock=self.clock,
            chance=chance.port("web"),
            hosts=place.hosts,
            loopback=is_loopback(web.host),
            open_access=options.open_access,
            hub=engine.hub,
            server_counters=counters,
            desk=trading_desk(
                door=venue.ports.door,
                clock=venue.clock,
                pairs=lambda: engine.cells.pairs.value,
                journal=engine.store.path,
                transfers=TransferDesk(
                    door=venue.ports.door,
                    journal=engine.channels.journal,
                    wall_ms=self.clock.wall_ms,
                    tell=engine.notice,
                    listens=lambda: engine.cells.orders.value.ready,
                ),
                templates=TemplateShelf(
                    KeptFile(options.user_dir.data / "order_templates.json"),
                    lambda text: engine.notice("warning", "order_templates", text),
                ),
            ),
        )
        site = Site(app=app, listeners=place.listeners, counters=counters, limits=ServerLimits(), tls=place.tls)
        engine.serve_web = partial(_serve_after, place.room, site)
        address = place.page
        try:
            nursery.start_soon(self._stop_when_asked, engine)
            try:
                await nursery.start(self._supervise, engine)
            except Escalated as error:
                raise CannotStart(f"the engine could not start: {error}") from None
            self.started = True
            log.info(
                "started", version=VERSION, mode=options.mode.value, address=address, recording=venue.recording_name
            )
            engine.notice("info", "engine_started", f"Genesis {VERSION} started in mode {options.mode.value}")
            if not self.stopping.is_set():
                self._write_run_file(place)
                self._greet(address, tokens, venue)
            if self.first_pulse is not None:
                await self.first_pulse.end()
            pulse = self._pulse(engine)
            async with trio.open_nursery() as work:
                work.start_soon(pulse.beat)
                work.start_soon(self.collector.tidy, self.clock)
                proven_since = engine.store.store.proven_since
                work.start_soon(prove_older, engine.store.path, proven_since, engine.journal_is_damaged)
                if venue.session is not None:
                    work.start_soon(self._replay, engine, venue, venue.session)
                else:
                    work.start_soon(self._note_ready, engine)
                await self.stopping.wait()
                work.cancel_scope.cancel()
            self.words.say("stopping: no new orders, open orders stay at the venue")
            await pulse.end("stopping")
            await engine.supervisor.stop()
            await pulse.end("stopped")
        finally:
            strategies.close()
            remove_run_file(options.user_dir.run_file)
            await site.aclose()
        try:
            if engine.store.store.poisoned is not None:
                # No figures of a journal that can promise nothing.
                raise StoreError(engine.store.store.poisoned)
            summary = await self._summary(engine)
        except StoreError as error:
            self.words.say(f"no summary: {error}")
            return ExitCode.ERROR
        log.info("stopped", fills=summary.fills, orders_open=summary.orders_open, in_doubt=summary.orders_unknown)
        self.words.sum_up(summary)
        return ExitCode.OK if summary.problem is None else ExitCode.ERROR

    def _controls(self, engine: Engine, exchange: Exchange | None, nursery: trio.Nursery) -> Controls:
        """The engine's, and the chaos desk's where the venue is our own simulator and the money is not real."""
        if self.options.mode is not Mode.SIM or exchange is None:
            return engine.controls
        return attrs.evolve(engine.controls, chaos=ChaosDesk(engine, exchange, nursery).port())

    def _start_pulse(self, room: WaitingRoom) -> StartPulse:
        assert self.watch is not None, "the loop must be watched before anything is waited for"
        return StartPulse(
            path=self.options.user_dir.health_file,
            mode=self.options.mode.value,
            clock=self.clock,
            watch=self.watch,
            waits=lambda: room.waits.what,
        )

    def _pulse(self, engine: Engine) -> Pulse:
        assert self.watch is not None, "the loop must be watched before the engine starts"
        options = self.options
        return Pulse(
            manager=ServiceManager.of(options.environment, os.getpid()),
            path=options.user_dir.health_file,
            mode=options.mode.value,
            engine=engine,
            clock=self.clock,
            watch=self.watch,
        )

    def _research_market(self, exchange: Exchange | None) -> str:
        """What a backtest is made on when nobody says: the recording of this session, else the shipped one."""
        recording = None if exchange is None else exchange.recording
        return self.options.recording or DEFAULT if isinstance(recording, CandleRecording) else DEFAULT

    def _vitals(self, journal_wait_s: float) -> Vitals:
        return Vitals(
            disk_free_bytes=disk_free_bytes(self.options.user_dir.root),
            memory_bytes=memory_bytes(),
            journal_wait_s=journal_wait_s,
            loop_blocks=0 if self.watch is None else self.watch.blocks,
            loop_starved=0 if self.watch is None else self.watch.starved,
            loop_starved_s=0.0 if self.watch is None else self.watch.starved_s,
        )

    async def _keep_diary(self, engine: Engine, nursery: trio.Nursery) -> Diary:
        kept = await engine.store.read_cells(ReadCells(table=ORDER_TABLE))
        # What the journal tells again at every start was told when it happened.
        told = await trio.to_thread.run_sync(told_before, kept.cells)
        diary = Diary.after(*told, settings=engine.cells.settings, now=self.clock.now)
        engine.post.reporter.after(*told)
        engine.recent.diary = diary.hear
        nursery.start_soon(watch, engine.cells.risk, diary.on_risk)
        nursery.start_soon(watch, engine.cells.settings, diary.on_settings)
        for cell in engine.cells.connections.values():
            nursery.start_soon(watch, cell, diary.on_connection)
        return diary

    async def _supervise(self, engine: Engine, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            await engine.supervisor.run(task_status=task_status)
        except Escalated as error:
            if not self.started:
                # It ends the start, and the start says so.
                raise
            # First what must happen, then the words: they may go to the very disk that is full.
            self.problem = str(error)
            self._stop("the engine gave up")
            log.critical("engine_gave_up", reason=str(error))
            self.words.say(f"the engine gave up: {error}")

    def _stop(self, why: str) -> None:
        """Begin the end, with a deadline: whatever hangs on the way, the process ends all the same."""
        self.hard_exit.arm(SHUTDOWN_S, why)
        self.stopping.set()
        if self.dialling is not None:
            # A venue that does not answer would keep the start, and so its end, for a minute.
            self.dialling.cancel()

    async def _stop_when_asked(self, engine: Engine) -> None:
        """Also in the middle of the start: whoever asks then must not wait for all of it."""
        await self.stopping.wait()
        await engine.supervisor.stop()

    async def _note_ready(self, engine: Engine) -> None:
        # Four cells and counters make readiness; a look every few milliseconds is simpler than an event in each.
        while not engine.ready_to_trade():  # noqa: ASYNC110
            await trio.sleep(READY_LOOK_S)
        self.ready_after_s = trio.current_time() - self.started_at
        in_huge_pages = self.collector.settle()
        log.info("ready_to_trade", after_s=round(self.ready_after_s, 3), in_huge_pages_mib=in_huge_pages >> 20)

    async def _replay(self, engine: Engine, venue: OpenVenue, session: SimSession) -> None:
        exchange = venue.exchange
        assert exchange is not None
        await self._note_ready(engine)
        await histories_told(engine.waits_for_history)
        pacer = Pacer(
            engine.idle,
            lambda: exchange.sent_frames == engine.frames_in() and exchange.received_frames == engine.frames_out(),
            lambda: all(engine.stats[name].up for name in engine.stats),
            minds_trades=engine.minds_trades,
        )
        self.replay_began_at = trio.current_time()
        try:
            await exchange.replay(self.options.speed, pacer)
        except RecordingError as error:
            # A recording is read as it is told, so one that is cut off is found out in the middle of the run.
            self.problem = " ".join(str(error).split())
            log.error("recording_broken", problem=self.problem)
            self.words.say(f"the recording is broken: {self.problem}")
            self._stop("the recording is broken")
            return
        self.replay_ended_at = trio.current_time()
        session.finished(venue.recording_name)
        log.info("recording_ended", recording=venue.recording_name)
        if self.options.unpaced:
            # The market is over and time is not: what a crash left in doubt is proven by the venue's history soon.
            with trio.move_on_after(DOUBT_ENDS_WITHIN_S):
                while (orders := engine.cells.orders).value.unknown:
                    await orders.changed(orders.version)
            self._stop("the recording has ended")
        else:
            self.words.say("the recording has ended; the page stays until Ctrl-C")

    def _greet(self, address: str, tokens: Tokens, venue: OpenVenue) -> None:
        options = self.options
        speed = "as fast as it goes" if options.unpaced else f"{options.speed:g}x"
        if venue.session is not None:
            went_on = ", going on where it stopped" if venue.session.resumed else ""
            market = f"mode sim: {venue.recording_name} at {speed}{went_on}"
        elif venue.relay is not None:
            market = f"mode paper: the market of {venue.relay.uri}, orders matched here"
        else:
            market = f"mode {options.mode}: real orders on Bitfinex"
        self.words.greet(f"Genesis {VERSION}, {market}", address, tokens.ticket().text)

    def _status(self) -> EngineStatus:
        options, settings = self.options, self.options.settings
        ready = self.engine is not None and self.engine.ready_to_trade()
        not_yet = "starting" if self.ready_after_s is None else "not_ready"
        return EngineStatus(
            mode=options.mode.value,
            version=VERSION,
            state="stopping" if self.stopping.is_set() else "running" if ready else not_yet,
            dev=options.dev,
            auth_required=not options.open_access,
            instance=options.user_dir.root.name,
            started_ms=self.started_ms,
            uptime_s=trio.current_time() - self.started_at,
            venue_ms=self._venue_ms(),
            speed="" if options.mode is not Mode.SIM else "max" if options.unpaced else f"{options.speed:g}",
            replay=None if self.venue is None else self.venue.progress(),
            symbols=settings.market.symbols,
            timeframes=settings.market.timeframes,
            quote_currency=settings.quote_currency,
            settings_version=settings.version if self.engine is None else self.engine.cells.settings.value.version,
        )

    def _venue_ms(self) -> int:
        if self.venue is not None and self.venue.exchange is not None:
            return self.venue.exchange.venue_ms()
        return 0 if self.engine is None else self.engine.cells.market.value.venue_ms

    async def _summary(self, engine: Engine) -> Summary:
        decisions: Decided | None = None
        with trio.move_on_after(COUNTING_S):
            read = partial(decided, engine.store.path, after_seq=self.begins_after)
            decisions = await trio.to_thread.run_sync(read, abandon_on_cancel=True)
        now = trio.current_time()
        began = self.replay_began_at
        replay_s = None if began is None else (self.replay_ended_at or now) - began
        return summarise(
            engine,
            mode=self.options.mode.value,
            recording="" if self.venue is None else self.venue.recording_name,
            finished=self.replay_ended_at is not None,
            wall_s=now - self.started_at,
            ready_after_s=self.ready_after_s,
            replay_s=replay_s,
            decisions=decisions,
            problem=self.problem,
        )

    # --- signals ----------------------------------------------------------------------------------------------------

    async def _listen_to_signals(self, *, task_status: trio.TaskStatus[None]) -> None:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            # The terminal was closed, or the line to it broke. Whoever used nohup wants it to go on.
            numbers.append(signal.SIGHUP)
        with trio.open_signal_receiver(*numbers) as signals:
            task_status.started()
            asked_at: float | None = None
            async for number in signals:
                now = trio.current_time()
                if asked_at is None:
                    asked_at = now
                    self._stop("shutdown")
                    log.info("stopping", signal=signal.Signals(number).name)
                elif number != signal.SIGHUP and now - asked_at >= SAME_ASKING_S:
                    # Asked twice: whoever asks means it.
                    self.hard_exit.now(f"second {signal.Signals(number).name}")


def _log_block(block: LoopBlocked) -> None:
    # Not by the watching thread: what keeps the loop may be a log line, and whoever says another waits behind it.
    say = partial(log.warning, "loop_starved") if block.stack == NOT_RUN else partial(log.error, "loop_blocked")
    tell = partial(say, blocked_s=round(block.blocked_s, 3), stack=block.stack)
    threading.Thread(target=tell, name="genesis loop blocked", daemon=True).start()


def _log_event(event: SupervisorEvent) -> None:
    values = {"path": event.path, "generation": event.generation}
    if event.kind is EventKind.CRASHED:
        log.warning("actor_crashed", error=event.text, exc_info=event.error, **values)
    elif event.kind in (EventKind.ZOMBIE, EventKind.ESCALATED, EventKind.DEAD_LETTER):
        log.error(f"actor_{event.kind}", text=event.text, **values)
    else:
        log.debug(f"actor_{event.kind}", **values)
