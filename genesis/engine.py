"""The engine: every actor of the plan under its supervisor, and the readers and controls that the web is given.

It trades through whatever venue it is told the addresses of; what is real and what is simulated was decided above it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import attrs

from actors.account import AccountActor
from actors.config import ConfigActor
from actors.config_bus import BusPorts, ConfigBusActor
from actors.connection_private import ConnectionPrivateActor
from actors.connection_public import ConnectionPublicActor
from actors.headless import HeadlessActor
from actors.health import HealthActor
from actors.history import HistoryActor
from actors.jobs import JobsActor
from actors.journal import JournalActor
from actors.market_cache import MarketCacheActor
from actors.notifier import NotifierActor, Post
from actors.order import OrderActor
from actors.pool import PoolActor
from actors.protection import ProtectionActor
from actors.regime import RegimeActor
from actors.risk import RiskActor
from actors.rollout import RolloutActor
from actors.shadow import ShadowActor
from actors.signal import SignalActor
from actors.strategies import StrategiesActor
from actors.watchdog import WatchdogActor, Watched
from genesis import patience
from genesis.asking import Asking
from genesis.chat_desk import ChatDesk
from genesis.config_history import history_ports
from genesis.core.actor import Actor
from genesis.core.chance import Chance
from genesis.core.clock import Clock
from genesis.core.latest import Latest
from genesis.core.mailbox import DeadLetter
from genesis.core.supervisor import ChildSpec, EventKind, Strategy, Supervisor, SupervisorEvent, SupervisorSpec
from genesis.domain.health_watch import HealthWatch, Vitals
from genesis.domain.pairs import PairSpecs
from genesis.domain.protection_watch import ProtectionWatch
from genesis.domain.rate_limit import RateLimit
from genesis.domain.settings_build import Layer, Priority
from genesis.domain.socket_pool import spread, wanted_streams
from genesis.edge.audit_file import AuditFile
from genesis.edge.connection_stats import ConnectionStats, worst_skew_ms
from genesis.edge.send_ledger import SendLedger
from genesis.edge.stage_times import StageTimes
from genesis.edge.store_errors import StorePoisoned
from genesis.edge.store_thread import StoreThread
from genesis.engine_ports import DEFAULT_RESTARTS
from genesis.engine_ports import Restarts as Restarts
from genesis.engine_ports import VenuePorts as VenuePorts
from genesis.engine_readers import readers_of
from genesis.figures import resting_view
from genesis.job_desk import JobHouse, job_ports
from genesis.letters import DeadLetters
from genesis.market_data import MarketData
from genesis.market_ports import market_ports
from genesis.model_desk import model_desk
from genesis.plan import MONEY_CHANNELS, Plan
from genesis.signal_ports import signal_ports
from genesis.tax_desk import tax_port
from genesis.user_strategies import UserStrategies
from protocols.bitfinex.book_shelf import BookShelf
from protocols.bitfinex.subscriptions import Subscription
from protocols.config import ConfigCommand, SettingsReply
from protocols.health import Notice
from protocols.risk import SetTradingState, TradingState
from protocols.settings import Settings
from protocols.units import Symbol
from web.actor import WebActor
from web.controls import Controls
from web.feed import hush_for
from web.hub import Hub
from web.models import EngineStatus
from web.recent import Recent

NOTICES_KEPT: Final = 300


class Engine:
    """One engine: made, then run by `supervisor.run()`, and looked at through `readers` while it runs."""

    def __init__(
        self,
        *,
        settings: Settings,
        layers: Sequence[Layer],
        pairs: PairSpecs,
        store: StoreThread,
        venue: VenuePorts,
        clock: Clock,
        chance: Chance,
        status: Callable[[], EngineStatus],
        last_resort: Callable[[str], object] | None = None,
        on_event: Callable[[SupervisorEvent], None] | None = None,
        restarts: Restarts = DEFAULT_RESTARTS,
        chaos: bool = False,
        jobs: JobHouse | None = None,
        user_strategies: UserStrategies | None = None,
        priority: Priority = Priority.RUNTIME,
        audit: AuditFile | None = None,
        bus: BusPorts | None = None,
        post: Post | None = None,
        wall_ms: Callable[[], int] | None = None,
        machine: Callable[[float], Vitals] | None = None,
    ) -> None:
        self.clock = clock
        self.post = post if post is not None else Post()
        # Where the machine is part of a simulation nobody looks at the real one: a run would not repeat.
        self._machine = machine
        self._wall_ms = wall_ms if wall_ms is not None else clock.wall_ms
        self.store = store
        self.venue = venue
        self.status = status
        self._listener = on_event
        self._restarts = restarts
        self._layers = layers
        self._priority = priority
        self._audit = audit
        self.bus = bus
        self._chaos = chaos
        self._jobs = jobs
        self._user_strategies = user_strategies
        self.shares = [
            Latest(share)
            for share in spread(wanted_streams(settings.market), limit=settings.connection.channels_per_socket)
        ] or [Latest[tuple[Subscription, ...]](())]
        # Room for what is wanted later, while running; a socket without streams is not dialled.
        spare = max(1, settings.connection.public_sockets - len(self.shares))
        self.shares += [Latest[tuple[Subscription, ...]](()) for _ in range(spare)]
        self.plan = Plan(settings=settings, pairs=pairs, sockets=len(self.shares), on_dead_letter=self._on_dead_letter)
        self.cells = self.plan.cells
        self.channels = self.plan.channels
        self.public_names = [f"connection_public_{number}" for number in range(len(self.shares))]
        self.stats = {name: ConnectionStats() for name in (*self.public_names, "connection_private")}
        for name in self.stats:
            uri = venue.private_uri if name == "connection_private" else venue.public_uri
            self.cells.connections[name] = Latest(resting_view(name, uri))
        self.ledger = SendLedger()
        self.books = BookShelf()
        self.stages = StageTimes()
        self.protection_watch = ProtectionWatch()
        self.health_watch = HealthWatch()
        self.recent = Recent()
        self.hub = Hub()
        self.channels.ui.alert = partial(hush_for, self.hub)
        self.channels.ui.is_watched = self.hub.has_listeners
        # The venue takes 20 connections a minute on its public host and 5 in 15 s on the authenticated one.
        self._public_pacing = RateLimit.at_most(20, 60.0, burst=8) if venue.pace_dials else None
        self._private_pacing = RateLimit.at_most(5, 15.0, burst=2) if venue.pace_dials else None
        self.serve_web: Callable[..., Any] | None = None
        self.events: deque[SupervisorEvent] = deque(maxlen=1000)
        self.restarts_total = 0
        self.letters = DeadLetters()
        self._model_desk = model_desk(jobs, self.plan, clock, chance.port("scheduler"))
        self.supervisor = Supervisor(
            self._tree(),
            clock=clock,
            chance=chance.port("supervisor"),
            on_event=self._on_event,
            last_resort=last_resort,
        )
        self.market_data = MarketData(
            market=self.cells.market, settings=self.cells.settings, door=venue.door, clock=clock
        )
        self.readers = readers_of(self)
        self._asking = Asking(channels=self.channels, journal=self.store.path, orders=self.readers.orders)
        self.controls = self._controls()
        commands = settings.notify.telegram_commands
        desk = ChatDesk(readers=self.readers, controls=self.controls, clock=clock, chance=chance.port("chat"))
        self._chat_answer = desk.answer if commands else None

    # --- the tree ---------------------------------------------------------------------------------------------------

    def _tree(self) -> SupervisorSpec:
        """Journal first and last: what it keeps, the others recover from. The web is its own subtree: whatever
        happens there stays there, and it is stopped first."""
        trading = patience.of_trading(self._restarts.backoff)
        return SupervisorSpec(
            id="engine",
            strategy=Strategy.ONE_FOR_ONE,
            intensity=self._restarts.intensity,
            period_s=self._restarts.period_s,
            max_consecutive=self._restarts.max_consecutive,
            children=(
                self._child(
                    "journal",
                    lambda: JournalActor(store=self.store),
                    backoff=patience.JOURNAL_BACKOFF,
                    hang_timeout_s=patience.HANG_S,
                    hopeless=(StorePoisoned,),
                ),
                self._child("config", self._config),
                self._branch(
                    "trading",
                    self._child("account", self._account, backoff=trading, start_timeout_s=patience.BOOKS_READ_S),
                    self._on_the_way_of_stops(
                        "order", self._order, backoff=trading, start_timeout_s=patience.BOOKS_READ_S
                    ),
                    # Its first life reads what a journal of years says of it.
                    self._child("risk", self._risk, backoff=trading, start_timeout_s=patience.RISK_READS_S),
                    self._child(
                        "signal",
                        self._signal,
                        backoff=trading,
                        **({} if self._user_strategies is None else {"progress_timeout_s": patience.AUTHORS_S}),
                    ),
                    self._child("market_cache", self._market_cache, backoff=trading),
                ),
                self._branch(
                    "venue",
                    self._child("history", self._history, progress_timeout_s=60.0, hang_timeout_s=patience.HANG_S),
                    self._on_the_way_of_stops("connection_private", self._connection_private),
                    *(self._child(name, self._public(number)) for number, name in enumerate(self.public_names)),
                    self._child("watchdog", self._watchdog),
                    self._child("pool", self._pool),
                    self._on_the_way_of_stops("protection", self._protection),
                ),
                self._aside(
                    "helpers",
                    self._child("rollout", self._rollout),
                    self._child("shadow", self._shadow),
                    *(() if self.bus is None else (self._child("config_bus", self._config_bus),)),
                    self._child("regime", self._regime),
                    *(() if self._user_strategies is None else (self._child("strategies", self._strategies),)),
                    *(() if self._model_desk is None else (self._child("scheduler", self._model_desk.scheduler),)),
                ),
                self._aside("messages", self._child("health", self._health), self._child("notifier", self._notifier)),
                self._aside(
                    "screens",
                    *(() if self._jobs is None else (self._child("jobs", self._job_actor),)),
                    self._child("web", self._web, shutdown_s=6.0),
                ),
            ),
        )

    def _child(self, name: str, start: Callable[[], Actor], **options: Any) -> ChildSpec:
        options.setdefault("backoff", self._restarts.backoff)
        return ChildSpec(id=name, start=start, mailbox=self.plan.mailboxes[name], **options)

    def _on_the_way_of_stops(self, name: str, start: Callable[[], Actor], **options: Any) -> ChildSpec:
        return self._child(
            name, start, progress_timeout_s=patience.STOPS_WAIT_S, hang_timeout_s=patience.HANG_S, **options
        )

    def _branch(self, name: str, *children: ChildSpec) -> SupervisorSpec:
        return SupervisorSpec(
            id=name,
            children=children,
            strategy=Strategy.ONE_FOR_ONE,
            intensity=self._restarts.intensity,
            period_s=self._restarts.period_s,
            max_consecutive=self._restarts.max_consecutive,
            backoff=self._restarts.backoff,
        )

    def _aside(self, name: str, *children: ChildSpec) -> SupervisorSpec:
        """A branch that trading can do without: it is started again for ever, with its pauses, and never gives up."""
        return attrs.evolve(
            self._branch(name, *children), intensity=patience.NEVER_GIVES_UP, max_consecutive=patience.NEVER_GIVES_UP
        )

    def _config(self) -> Actor:
        return ConfigActor(
            layers=self._layers,
            settings=self.cells.settings,
            journal=self.channels.journal,
            notices=self.channels.ui,
            view=self.cells.config,
            audit=self._audit,
            priority=self._priority,
        )

    def _rollout(self) -> Actor:
        return RolloutActor(
            view=self.cells.config,
            journal=self.channels.journal,
            commands=self.channels.set_settings,
            account=self.cells.account,
            risk=self.cells.risk,
            shadow=self.cells.shadow,
            status=self.cells.rollout,
            ui=self.channels.ui,
        )

    def _shadow(self) -> Actor:
        cells = self.cells
        return ShadowActor(
            config=cells.config,
            settings=cells.settings,
            pairs=cells.pairs,
            account=cells.account,
            market=cells.market,
            journal=self.channels.journal,
            heard=(self.channels.paper_candles, self.channels.paper_trades),
            view=cells.shadow,
            symbols=cells.shadow_symbols,
            wishes=cells.shadow_wishes,
            kinds=cells.kinds,
            open_kinds=None if self._user_strategies is None else self._user_strategies.apart,
            ui=self.channels.ui,
        )

    def _config_bus(self) -> Actor:
        assert self.bus is not None
        return ConfigBusActor(
            ports=self.bus,
            config=self.cells.config,
            risk=self.cells.risk,
            commands=self.channels.set_settings,
            halts=self.channels.halts,
            journal=self.channels.journal,
            view=self.cells.bus,
            notices=self.channels.ui,
        )

    def _account(self) -> Actor:
        return AccountActor(
            settings=self.cells.settings,
            journal=self.channels.journal,
            risk=self.channels.account_state,
            strategies=self.cells.strategies,
            own_fills=self.channels.own_fills,
            ledgers=self.channels.ledger_requests,
            view=self.cells.account,
            ui=self.channels.ui,
        )

    def _order(self) -> Actor:
        return OrderActor(
            stages=self.stages,
            epoch=self.store.epoch,
            settings=self.cells.settings,
            journal=self.channels.journal,
            venue=self.channels.venue_commands,
            history=self.channels.history_requests,
            account=self.channels.order_reports,
            risk=self.channels.risk_commands,
            view=self.cells.orders,
            pairs=self.cells.pairs,
            market=self.cells.market,
            depth=self.books.levels,
            risk_status=self.cells.risk,
            halt_wanted=self.cells.halt_wanted,
            written=self.cells.written,
            reconnects=self.channels.reconnect_private,
            ui=self.channels.ui,
        )

    def _risk(self) -> Actor:
        return RiskActor(
            stages=self.stages,
            settings=self.cells.settings,
            journal=self.channels.journal,
            orders=self.channels.approved,
            foreseen=self.channels.foreseen_orders,
            status=self.cells.risk,
            verdicts=self.cells.verdicts,
            pairs=self.cells.pairs,
            ui=self.channels.ui,
            halt_wanted=self.cells.halt_wanted,
            proven_after_seq=self.store.store.proven_since.seq,
        )

    def _signal(self) -> Actor:
        return SignalActor(
            stages=self.stages,
            settings=self.cells.settings,
            journal=self.channels.journal,
            scores=self.channels.scores,
            foreseen=self.channels.foreseen,
            market=self.cells.market,
            recent=self.cells.signals,
            kinds=self.cells.kinds,
            views=self.cells.strategies,
            tick_symbols=self.cells.tick_symbols,
            wishes=self.cells.history_wishes,
            ui=self.channels.ui,
        )

    def _market_cache(self) -> Actor:
        return MarketCacheActor(
            settings=self.cells.settings,
            view=self.cells.market,
            journal=self.channels.journal,
            closed=(self.channels.closed_to_signal, self.channels.closed_to_account),
            ticks=self.channels.ticks,
            forming=self.channels.forming,
            tick_symbols=self.cells.tick_symbols,
            requests=self.channels.candle_requests,
            wishes=self.cells.history_wishes,
            waits=self.cells.history_waits,
            paper=self.channels.paper_candles,
            paper_trades=self.channels.paper_trades,
            paper_symbols=self.cells.shadow_symbols,
            paper_wishes=self.cells.shadow_wishes,
            ui=self.channels.ui,
        )

    def _history(self) -> Actor:
        return HistoryActor(
            door=self.venue.door,
            orders=self.channels.account_events,
            market=self.channels.market_events,
            balances=self.channels.balances,
        )

    def _connection_private(self) -> Actor:
        name = "connection_private"
        return ConnectionPrivateActor(
            stages=self.stages,
            name=name,
            uri=self.venue.private_uri,
            credentials=self.venue.credentials,
            nonce=self.venue.nonce,
            settings=self.cells.settings,
            dial=self.venue.dial_private,
            orders=self.channels.account_events,
            account=self.channels.balances,
            journal=self.channels.journal,
            view=self.cells.connections[name],
            stats=self.stats[name],
            ledger=self.ledger,
            written=self.cells.written,
            pacing=self._private_pacing,
            notices=self.channels.ui,
            door=self.venue.door,
            books=self.cells.orders,
        )

    def _public(self, number: int) -> Callable[[], Actor]:
        name = self.public_names[number]

        def start() -> Actor:
            return ConnectionPublicActor(
                name=name,
                uri=self.venue.public_uri,
                share=self.shares[number],
                settings=self.cells.settings,
                dial=self.venue.dial_public,
                prices=self.channels.prices,
                events=self.channels.market_events,
                view=self.cells.connections[name],
                stats=self.stats[name],
                pacing=self._public_pacing,
                notices=self.channels.ui,
                gaps=self.channels.candle_requests,
                shelf=self.books,
            )

        return start

    def _watchdog(self) -> Actor:
        watched = [
            Watched(name=name, stats=self.stats[name], reconnect=self.plan.reconnect_public[number], share=share)
            for number, (name, share) in enumerate(zip(self.public_names, self.shares, strict=True))
        ]
        watched.append(
            Watched(
                name="connection_private",
                stats=self.stats["connection_private"],
                reconnect=self.channels.reconnect_private,
            )
        )
        return WatchdogActor(
            settings=self.cells.settings,
            market=self.cells.market,
            connections=tuple(watched),
            freshness=self.cells.freshness,
            notices=self.channels.ui,
            conditions=None if self.venue.replayed else self.channels.conditions,
            measures_skew=self.venue.pace_dials,
        )

    def _protection(self) -> Actor:
        return ProtectionActor(
            settings=self.cells.settings,
            account=self.cells.account,
            orders=self.cells.orders,
            pairs=self.cells.pairs,
            wishes=self.channels.order_wishes,
            status=self.cells.protection,
            watch=self.protection_watch,
            notices=self.channels.ui,
        )

    def _pool(self) -> Actor:
        return PoolActor(
            settings=self.cells.settings,
            shares=self.shares,
            pairs=self.cells.pairs,
            held=self._held,
            notices=self.channels.ui,
            door=self.venue.door if self.venue.changes_pairs else None,
        )

    def _regime(self) -> Actor:
        cells = self.cells
        return RegimeActor(market=cells.market, regimes=cells.regimes, spells=cells.regime_spells, ui=self.channels.ui)

    def _strategies(self) -> Actor:
        assert self._user_strategies is not None
        return StrategiesActor(refresh=self._user_strategies.refresh, kinds=self.cells.kinds, notices=self.channels.ui)

    def _held(self) -> set[Symbol]:
        account = self.cells.account.value
        positions = () if account is None else account.state.positions
        open_orders = self.cells.orders.value.open
        return {one.symbol for one in positions if one.quantity} | {order.symbol for order in open_orders}

    def _job_actor(self) -> Actor:
        assert self._jobs is not None
        return JobsActor(
            run_job=self._jobs.run,
            folders=self._jobs.folders,
            view=self.cells.jobs,
            wall_ms=self._jobs.wall_ms,
            ui=self.channels.ui,
        )

    def _health(self) -> Actor:
        return HealthActor(
            settings=self.cells.settings,
            vitals=self._vitals,
            watch=self.health_watch,
            risk=self.cells.risk,
            view=self.cells.health,
            halts=self.channels.halts,
            halt_wanted=self.cells.halt_wanted,
            ui=self.channels.ui,
        )

    def _vitals(self) -> Vitals:
        journal_wait_s = self.channels.journal.oldest_age_s(self.clock.now())
        vitals = (
            Vitals(disk_free_bytes=None, memory_bytes=None, journal_wait_s=journal_wait_s, loop_blocks=0)
            if self._machine is None
            else self._machine(journal_wait_s)
        )
        skew_ms = worst_skew_ms(self.stats.values()) if self.venue.pace_dials else None
        return attrs.evolve(vitals, clock_skew_ms=skew_ms)

    def _notifier(self) -> Actor:
        return NotifierActor(
            post=self.post,
            settings=self.cells.settings,
            risk=self.cells.risk,
            wall_ms=self._wall_ms,
            answer=self._chat_answer,
        )

    def _web(self) -> Actor:
        if self.serve_web is None:
            return HeadlessActor(hear=self.recent.hear)
        return WebActor(recent=self.recent, hub=self.hub, readers=self.readers, serve=self.serve_web)

    # --- what happens -----------------------------------------------------------------------------------------------

    def _on_event(self, event: SupervisorEvent) -> None:
        self.events.append(event)
        self.letters.hear(event, self.clock.wall_ms())
        if event.kind is EventKind.CRASHED:
            self.restarts_total += 1
            self.notice("warning", "actor_crashed", f"{event.path} crashed and is restarted: {event.text}")
        elif event.kind in (EventKind.ZOMBIE, EventKind.ESCALATED):
            self.notice("alarm", f"actor_{event.kind}", f"{event.path}: {event.text}")
        if self._listener is not None:
            self._listener(event)

    def _on_dead_letter(self, letter: DeadLetter) -> None:
        kind = type(letter.message).__name__
        text = f"{letter.mailbox} put a {kind} aside after {letter.attempts} tries: {letter.error}"
        money = letter.channel in MONEY_CHANNELS
        self.notice("alarm" if money else "warning", "dead_letter", text)
        if money:
            # A message about money could not be understood: no new risk until a person has looked at it.
            halt = SetTradingState(
                state=TradingState.HALTED,
                reason=f"dead letter on {letter.channel}",
                actor="supervisor",
                correlation_id=f"dead-letter:{letter.channel}:{self.clock.wall_ms()}",
            )
            # First the cell: by it the order actor stops at once, whatever becomes of risk.
            self.cells.halt_wanted.set(halt)
            self.channels.halts.put_nowait(halt)

    def journal_is_damaged(self, what: str) -> None:
        """Of records that no decision of today rests on: what is held is cared for, and nothing more is opened."""
        text = (
            f"the journal is damaged: {what}. Nothing is opened any more. Stop, look with `genesis doctor`, and restore"
            " a backup: the next start refuses the journal as it is"
        )
        self.notice("alarm", "journal_damaged", text)
        careful = SetTradingState(
            state=TradingState.REDUCING,
            reason="the journal is damaged",
            actor="journal",
            correlation_id=f"journal-damaged:{self.clock.wall_ms()}",
            only_tighter=True,
        )
        self.channels.halts.put_nowait(careful)

    def notice(self, level: str, code: str, text: str) -> None:
        """Tell people something, on the page and in the log."""
        self.channels.ui.put_nowait(Notice(level=level, code=code, text=text, at_ms=self.clock.wall_ms()))

    # --- for the replay and for tests ---------------------------------------------------------------------------------

    def idle(self) -> bool:
        """No message waits or is worked on, except on the way to screens and people."""
        return all(box.idle for name, box in self.plan.mailboxes.items() if name not in ("web", "notifier"))

    def minds_trades(self) -> bool:
        """Whether some strategy decides at trades, and not at closed candles only, or a shadow's orders meet them."""
        return bool(self.cells.tick_symbols.value or self.cells.shadow_symbols.value)

    def waits_for_history(self) -> bool:
        """Whether some strategy has yet to be told what came before its first candle."""
        return bool(self.cells.history_wishes.value)

    def ready_to_trade(self) -> bool:
        """A session is reconciled, every stream is up, and the account is known."""
        account = self.cells.account.value
        return (
            self.cells.orders.value.ready
            and all(self.stats[name].up for name in self.public_names)
            and account is not None
            and account.state.known
        )

    def frames_in(self) -> int:
        """Frames of the sockets that are open now whose events are in their channels."""
        return sum(stats.socket_frames_in for stats in self.stats.values() if stats.connected)

    def frames_out(self) -> int:
        return sum(stats.socket_frames_out for stats in self.stats.values() if stats.connected)

    # --- for the web --------------------------------------------------------------------------------------------------

    def _controls(self) -> Controls:
        asking = self._asking
        return Controls(
            order=asking.order,
            cancel=asking.wish,
            update=asking.wish,
            change=asking.change,
            flatten=asking.wish,
            adopt=asking.wish,
            risk=asking.risk,
            kill_actor=self._kill if self._chaos else None,
            evaluate=asking.evaluate,
            settings=asking.settings,
            search=asking.search,
            history=history_ports(self.store.path, None if self._audit is None else self._audit.path),
            market=market_ports(
                self.market_data,
                shares=self.shares,
                connections={name: self.cells.connections[name] for name in self.public_names},
                settings=self.cells.settings,
                budget=self.venue.door.budget.view,
            ),
            signals=signal_ports(self.store.path),
            tax=tax_port(self.store.path),
            model=None if self._model_desk is None else self._model_desk.ports(),
            jobs=None
            if self._jobs is None
            else job_ports(
                self._jobs,
                requests=self.channels.job_requests,
                views=self.cells.jobs,
                settings=self.cells.settings,
            ),
        )

    async def _kill(self, path: str) -> bool:
        return self.supervisor.kill(path, reason="asked on the page")

    async def set_settings(self, wish: ConfigCommand) -> SettingsReply | None:
        """Hand a change to the config actor. Raises Busy; None when the answer takes too long."""
        return await self._asking.settings(wish)
