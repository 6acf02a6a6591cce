"""A world: one seed, one venue, one engine after the other on one disk, a plan of faults, and a calm at the end."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from signal import SIG_IGN, SIGINT, default_int_handler, getsignal, raise_signal, signal
from typing import Any, Final

import attrs
import trio

from genesis.core.chance import Chance
from genesis.domain.settings_build import Layer
from genesis.worlds.disk import Disk, scratch_folder
from genesis.worlds.endings import check_journal, check_machinery, check_rates, come_to_rest, tasks_beside
from genesis.worlds.engine_host import ENGINE_ADDRESS, ORDERS, EngineHost, Eyes, settings_of
from genesis.worlds.hooks import EPOCH_S, run_virtual, wall_s
from genesis.worlds.market import made_up_recording
from genesis.worlds.network import Network
from genesis.worlds.paces import AS_SHIPPED_SHARE, BOOK_FAULT, SPARSE, WITH_BOOK_SHARE, paced
from genesis.worlds.plan import AWAY, BY_HAND, MARKET_BEGINS_S, TWINS, plan_of
from genesis.worlds.route import rest_stands, route_stands
from genesis.worlds.rules import Rules
from genesis.worlds.rules_ills import Ills
from genesis.worlds.rules_inside import FIRST_PAIR, InsideRules
from genesis.worlds.shadowing import SHARE as SHADOWS
from genesis.worlds.shadowing import keep_a_shadow
from genesis.worlds.timeframes import Timeframes, timeframes_of
from genesis.worlds.trouble import Trouble
from genesis.worlds.venue_host import IN_STEP_S, VENUE_ADDRESS, VENUE_NAME, VenueHost
from genesis.worlds.virtual_clock import VirtualClock
from genesis.worlds.virtual_loop import Steps
from genesis.worlds.witness import Line, Violation, Witness
from protocols.units import Symbol

FAULTS_BEGIN_S: Final = 150
FAULTS_AN_HOUR: Final = 12.0
CALM_MINUTES: Final = 30
LATE_START_S: Final = MARKET_BEGINS_S - 20
"""In a world without faults the engine comes when the last candle before the market's first boundary is too old to
trade on, as it is for the backtest that it will be compared with."""
DECIDED_WITHIN_S: Final = 5.0
WITH_TARGETS_SHARE: Final = 0.2
TARGET: Final = "0.002"
"""A fraction of the price that the market reaches now and then: every bracket is an OCO then."""
WITH_SPARE_SHARE: Final = 0.25
SPARE: Final = Decimal("0.05")
"""Coins that were there before: without some, the venue takes no second stop around a lot, for the first one holds its
coins; and what sells a lot twice would find nothing to sell."""
WITH_HANDS_SHARE: Final = 0.15
"""Of all other worlds: where a person takes coins over and moves money."""
WITH_AWAY_SHARE: Final = 0.35
"""Of all worlds: where the authenticated socket alone is away for a while."""
INSIDE_LOOK_S: Final = 15.0
LOCK_NAME: Final = "live.sqlite.lock"


def world_layer(symbols: tuple[str, ...], timeframes: Timeframes, more: Mapping[str, Any]) -> Layer:
    """The defaults of a real engine, but for strategies that trade often and limits that let them."""
    return Layer(
        name="world",
        values={
            "strategies": [
                {
                    "name": f"quick-{symbol[1:4].lower()}-{slow}",
                    "kind": "ema_cross",
                    "symbol": symbol,
                    "timeframe": timeframe,
                    "parameters": {"fast": 2, "slow": slow},
                }
                for symbol in symbols
                for slow, timeframe in zip((3, 5), timeframes.traded, strict=True)
            ],
            "risk.max_trades_per_day": FIRST_PAIR,
            "risk.max_trades_per_symbol": FIRST_PAIR,
            "risk.max_daily_loss": "0.9",
            "risk.max_drawdown": "0.9",
            "risk.position_fraction": "0.05",
            "market.symbols": list(symbols),
            "market.timeframes": list(timeframes.hears),
            **more,
        },
    )


@attrs.frozen(kw_only=True)
class Outcome:
    """What a world came to. `fingerprint` is of the schedule, `digest` of everything that was noted; `wish` is the time
    frames that somebody wanted, `traded` those that it traded."""

    seed: int
    hours: float
    faults_an_hour: float
    digest: str
    fingerprint: int
    steps: int
    virtual_s: float
    wall_s: float
    cpu_s: float
    lives: int
    kills: int
    faults: int
    orders: int
    fills: int
    crashes: int
    violations: tuple[Violation, ...]
    sometimes: dict[str, int]
    checks: dict[str, int]
    naked_s: tuple[float, ...] = ()
    """By the venue's side: each time that a position lay without its stop, in seconds."""
    compared_s: tuple[float, ...] = ()
    """Of the same times the part in which the engine's books were compared with the venue's."""
    routed_s: tuple[float, ...] = ()
    """Of the same times the part in which a route to the venue stood."""
    cut_off_s: tuple[float, ...] = ()
    """The other part, where there was one: no socket could carry a stop."""
    rest_alone_s: tuple[float, ...] = ()
    """Of that part the one, if any, in which REST could."""
    closed_s: tuple[float, ...] = ()
    """Of each wish to flatten the part in which REST could have carried it, and no socket."""
    recovery_s: tuple[float, ...] = ()
    """From the start of a process to a compared session with every position covered."""
    openings: int = 0
    traded: str = ""
    wish: str = ""
    checkpoint_us: float = 0.0
    """What a bare checkpoint of trio cost just before it, in microseconds of CPU; 0 where nobody measured."""
    lines: tuple[Line, ...] = attrs.field(repr=False)

    @property
    def replay(self) -> str:
        """The one line that has it all again."""
        wish = f" --timeframe {self.wish}" if self.wish else ""
        return f"genesis chaos --seed {self.seed} --hours {self.hours:g} --faults {self.faults_an_hour:g}{wish} --trace"


class World:
    """The parts of one run and how they hang together."""

    venue: VenueHost

    def __init__(
        self,
        seed: int,
        *,
        hours: float,
        faults_an_hour: float = FAULTS_AN_HOUR,
        only: frozenset[str] = frozenset(),
        with_web: bool | None = None,
        to_first: bool = False,
        timeframe: str = "",
    ) -> None:
        self.seed = seed
        self.hours = hours
        self.faults_an_hour = faults_an_hour
        self.steps = Steps()
        self.witness = Witness(on_violation=self._leave) if to_first else Witness()
        chance = self.chance = Chance(seed)
        shape = chance.port("shape")
        self.wish = timeframe
        self.timeframes = timeframes_of(chance.port("timeframes"), hours, timeframe)
        self.symbols = ("tBTCUSD", "tETHUSD") if shape.random() < 0.1 else ("tBTCUSD",)
        self.with_web = shape.random() < 0.25
        if with_web is not None:
            self.with_web = with_web
        self.as_shipped = shape.random() < AS_SHIPPED_SHARE
        more = {} if self.as_shipped else dict(SPARSE)
        if shape.random() < WITH_TARGETS_SHARE:
            more["risk.target_fraction"] = TARGET
        has_spare = shape.random() < WITH_SPARE_SHARE
        # Where nothing breaks a backtest must decide the same, and its account begins with no coins.
        self.spare = SPARE if has_spare and faults_an_hour > 0 else Decimal(0)
        self.with_shadow = faults_an_hour > 0 and chance.port("shadow").random() < SHADOWS
        self.clock = VirtualClock()
        self.network = Network(chance.port("net"), self.clock)
        self.network.names[VENUE_NAME] = VENUE_ADDRESS
        weather = self.network.weather_of(ENGINE_ADDRESS)
        self.layer = world_layer(self.symbols, self.timeframes, more)
        self.settings = settings_of(self.layer)
        self.recording = made_up_recording(
            chance.port("market"),
            first_ms=(EPOCH_S + MARKET_BEGINS_S) * 1000,
            minutes=round(hours * 60) + (CALM_MINUTES if faults_an_hour > 0 else 0),
            symbols=self.symbols,
            swing=self.timeframes.minutes,
        )
        self.plan = (
            plan_of(
                chance.port("plan"),
                first_s=FAULTS_BEGIN_S,
                last_s=max(hours * 3600, FAULTS_BEGIN_S + 60.0),
                per_hour=faults_an_hour,
                only=only,
                candle_s=self.timeframes.shortest_s,
            )
            if faults_an_hour > 0
            else ()
        )
        if self.plan and not only:
            has_hands = bool(self.spare) or shape.random() < WITH_HANDS_SHARE
            is_away = chance.port("away").random() < WITH_AWAY_SHARE
            for name, kinds, there in (
                ("twins", TWINS, bool(self.spare)),
                ("hands", BY_HAND, has_hands),
                ("aways", AWAY, is_away),
            ):
                if there:
                    apart = plan_of(
                        chance.port(name),
                        first_s=FAULTS_BEGIN_S,
                        last_s=hours * 3600,
                        per_hour=1.0,
                        only=kinds,
                        candle_s=self.timeframes.shortest_s,
                    )
                    self.plan = tuple(sorted((*self.plan, *apart)))
        spoils_books = any(fault.name == BOOK_FAULT for fault in self.plan)
        # Orders on paper are filled by the market's trades.
        needs_books = self.as_shipped or spoils_books or self.with_shadow
        self.with_book = needs_books or chance.port("streams").random() < WITH_BOOK_SHARE
        if not self.plan:
            # The way there must be as long as the way back, or clocks that agree are found a millisecond apart.
            weather.jitter_s = 0.0
        self.disk = Disk(scratch_folder())
        self.host: EngineHost | None = None
        self.ousted: list[EngineHost] = []
        self._given_up: list[EngineHost] = []
        """Ousted, ended, and looked after by nobody."""
        self.lives = 0
        self.inside = InsideRules(self, self.witness)
        self.ills = Ills(self, self.witness)
        self.rules = Rules(self.witness, lambda: self.host, self.inside, self.ills)
        self.trouble = Trouble(self, chance.port("trouble"))
        self.virtual_s = 0.0
        self._restarts = chance.port("restarts")
        self._finishing = False
        self._nursery: trio.Nursery | None = None
        self._rival_enters: EngineHost | None = None
        self._eyes = Eyes(
            opened=self.rules.opened,
            committed=self.rules.committed,
            leaves=self._leaves,
            leaves_by_rest=self.rules.leaves_by_rest,
            left_by_rest=self.rules.left_by_rest,
            nonce=self.rules.nonce,
            event=self.rules.event,
        )

    # --- for the plan of faults -----------------------------------------------------------------------------------

    def start_soon(self, call: Callable[..., Any], *args: Any) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(call, *args)

    def price_of(self, symbol: str) -> Decimal | None:
        return self.venue.exchange.venue.last_price(Symbol(symbol))

    def wall_ms(self) -> int:
        return int(wall_s() * 1000)

    def spare_moves(self, amount: Decimal) -> None:
        """So many of the coins that were there before come to the account, or leave it."""
        self.spare += amount
        self.venue.stops.spare = self.spare

    def start_rival(self, *, break_lock: bool) -> None:
        """A second engine on the same disk: refused by the lock, or, with the lock broken, the new owner."""
        if self.host is None or not self.host.process.alive or not self.host.started.is_set() or self._finishing:
            # Of two usurpers in one moment the second would be refused, and nobody would look after the first.
            return
        if self._rival_enters is not None and not self._rival_enters.started.is_set():
            # Nor may one that the lock is to refuse find it broken for another.
            return
        if break_lock:
            (self.disk.folder / LOCK_NAME).unlink(missing_ok=True)
        before, rival = self.host, self._new_host(with_web=False)
        self._rival_enters = rival
        if break_lock:
            self.host = rival
            self.ousted.append(before)
        self.start_soon(self._rival, rival, before, break_lock)

    async def _rival(self, rival: EngineHost, before: EngineHost, break_lock: bool) -> None:
        self.start_soon(rival.run)
        await rival.started.wait()
        if break_lock:
            self.witness.reached("a second engine took the journal over", bool(rival.epoch))
            if self.host is rival and rival.epoch:
                self.start_soon(self._keep_alive, rival)
            elif self.host is rival:
                # It stood before a disk that keeps nothing: the journal is still the other one's.
                self.host = before
                if before in self._given_up:
                    self.start_soon(self._keep_alive, before)
        else:
            await rival.over.wait()
            refused = rival.ended.startswith("StoreLocked")
            self.witness.check("M11", refused or not rival.epoch, f"a second engine must be refused: {rival.ended}")
            self.witness.reached("a second engine was refused by the lock", refused)

    # --- lives ----------------------------------------------------------------------------------------------------

    def _new_host(self, *, with_web: bool) -> EngineHost:
        self.lives += 1
        if self.lives > 1:
            self.venue.stops.starts()
        return EngineHost(
            name="engine",
            life=self.lives,
            disk=self.disk,
            layer=self.layer,
            settings=self.settings,
            pairs=self.venue.exchange.venue.specs,
            seed=str(self.seed),
            witness=self.witness,
            eyes=self._eyes,
            with_web=with_web,
        )

    async def _keep_alive(self, host: EngineHost | None = None) -> None:
        """What systemd does: start it, and start it again when it has ended. `host` is one that runs already."""
        while not self._finishing:
            if host is None:
                host = await self._begin()
            await host.over.wait()
            if self.host is not host:
                # It was ousted long ago, perhaps; who took its place is looked after since then.
                self._given_up.append(host)
                return
            self.venue.stops.compared(False)
            self.witness.note("engine", f"{host} ended: {host.ended[:60]}")
            await trio.sleep(self._restarts.uniform(0.2, 10.0))
            host = None

    async def _begin(self) -> EngineHost:
        # One that was ousted, and has had nothing to write since, still listens at the web's port.
        ousted = any(other.process.alive for other in self.ousted)
        host = self.host = self._new_host(with_web=self.with_web and not ousted)
        before = self.rules.durable_seq
        self.witness.note("engine", f"{host} starts")
        self.start_soon(host.run)
        await host.started.wait()
        if host.epoch:
            self.ills.started(host, before)
            text = f"{host} found the journal at {host.opened_seq}, {before} was promised"
            self.witness.check("S1", host.opened_seq >= before, text)
        elif self.ills.started(host, before):
            self.witness.note("engine", f"{host} found damage")
        elif host.process.alive or host.ended.startswith("Store"):
            # Who is locked out, or stands before a disk that keeps nothing, must not begin.
            refused = "Locked" in host.ended or self.disk.syncs_fail
            self.witness.check("S1", refused, f"{host} could not open its journal: {host.ended}")
        return host

    # --- the run --------------------------------------------------------------------------------------------------

    async def main(self) -> None:
        self.network.install()
        self.steps.livelock = self._stands_still
        self.venue = VenueHost(
            self.recording,
            self.chance.port("venue"),
            self.witness,
            self.rules.is_persons,
            self.rules.owner_of,
            at=self.clock.at,
            opens_s=0.0 if self.as_shipped else IN_STEP_S,
            spare=self.spare,
        )
        self.venue.exchange.on_order = self._heard
        self.rules.compared = self.venue.stops.compared
        self.rules.closes.flattens = self.venue.stops.wants_flat
        self.venue.stops.close_in_doubt = self.rules.closes.in_doubt
        self.venue.stops.route = functools.partial(route_stands, self.network, self.venue.exchange)
        self.venue.stops.is_open = lambda: self.venue.exchange.operative
        self.venue.stops.rest = functools.partial(rest_stands, self.network, self.venue.exchange)
        self.venue.stops.at = self.clock.at
        self.inside.watch_frames()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._look_inside()
            await nursery.start(self.venue.run)
            if not self.plan:
                await trio.sleep_until(LATE_START_S)
            nursery.start_soon(self._keep_alive)
            if self.with_shadow:
                nursery.start_soon(keep_a_shadow, self)
            await trio.sleep_until(FAULTS_BEGIN_S - 1)
            tasks = tasks_beside(self.venue.process)
            for fault in self.plan:
                await trio.sleep_until(fault.at_s)
                self.trouble.meet(fault)
            if not self.plan:
                # The market has ended, as the backtest's does, and what its last candle led to is decided.
                await trio.sleep_until(self.recording.last_ms / 1000 - EPOCH_S + 60 + DECIDED_WITHIN_S)
            await trio.sleep_until(max(self.hours * 3600, self.trouble.ends_at))
            self.trouble.clear()
            self.witness.note("world", "the faults are over")
            host = await come_to_rest(self)
            self._finishing = True
            if host is not None and host.engine is not None and host.process.alive:
                # Whoever was ousted lives until it would write: on long candles that may be after the end.
                engines = 1 + sum(other.process.alive for other in self.ousted if other is not host)
                check_machinery(host, self.witness, self.venue.process, tasks_at_start=tasks * engines)
                self.inside.settings_at_the_end(host)
                self.inside.web_wishes_at_the_end(host)
                self.inside.counters_at_the_end(host)
                host.stop()
                await host.over.wait()
                check_journal(self)
            check_rates(self.rules, self.witness, self.hours)
            self.venue.stops.finish()
            nursery.cancel_scope.cancel()
        self.virtual_s = trio.current_time()
        self._nursery = None

    def _leave(self) -> None:
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    def _look_inside(self) -> None:
        if self._nursery is None:
            # The world is over, and would go on looking at nothing until the loop has ended.
            return
        self.inside.look()
        self.ills.look()
        self.clock.at(self.clock.now + INSIDE_LOOK_S, self._look_inside)

    def _leaves(self, host: EngineHost, frame: bytes) -> None:
        cids = self.rules.leaves(host, frame)
        if frame.startswith(ORDERS):
            self.trouble.order_leaves()
            self.trouble.stop_leaves(host, frame, cids)

    def _stands_still(self, task: str) -> None:
        """Tasks turn in place and time does not pass. Nothing inside can end that: the world is left as Ctrl-C does."""
        self.witness.check("E5", False, f"time stands still, among others in {task}")
        raise_signal(SIGINT)

    def _heard(self, cid: int, symbol: str, amount: Decimal) -> None:
        """The venue hears a new order."""
        self.rules.m2_one_order_for_an_intent(cid)
        price = self.price_of(symbol)
        if price is not None and self.host is not None and amount > 0:
            snapshot = self.venue.exchange.snapshot()
            spare = self.venue.stops.spare_of(Symbol(symbol))
            held = snapshot.wallets.get(f"exchange {symbol[1:4]}", Decimal(0)) - spare
            resting = sum((o.remaining for o in snapshot.open_orders.values() if o.symbol == symbol), Decimal(0))
            self.rules.m5_within_limits(self.host, symbol, amount * price, (held + amount + max(resting, 0)) * price)

    def outcome(self, *, wall_s: float, cpu_s: float) -> Outcome:
        witness, stops = self.witness, self.venue.stops
        return Outcome(
            seed=self.seed,
            hours=self.hours,
            faults_an_hour=self.faults_an_hour,
            digest=witness.digest(),
            fingerprint=self.steps.fingerprint,
            steps=self.steps.count,
            virtual_s=self.virtual_s,
            wall_s=wall_s,
            cpu_s=cpu_s,
            lives=self.lives,
            kills=witness.sometimes["the process was killed"],
            faults=len(self.plan),
            orders=len(self.rules.left),
            fills=len(self.rules.fills),
            crashes=len(self.rules.crashes),
            violations=tuple(witness.violations),
            sometimes=dict(witness.sometimes),
            checks=dict(witness.checks),
            naked_s=tuple(stops.naked_s),
            compared_s=tuple(stops.compared_s),
            routed_s=tuple(stops.routed_s),
            cut_off_s=tuple(stops.cut_off_s),
            rest_alone_s=tuple(stops.rest_alone_s),
            closed_s=tuple(stops.closed_s),
            recovery_s=tuple(stops.recovery_s),
            openings=stops.openings,
            traded=self.timeframes.name,
            wish=self.wish,
            lines=tuple(witness.lines),
        )


def simulate(
    seed: int,
    *,
    hours: float,
    faults_an_hour: float = FAULTS_AN_HOUR,
    only: frozenset[str] = frozenset(),
    with_web: bool | None = None,
    to_first: bool = False,
    timeframe: str = "",
) -> Outcome:
    """Run one world from start to end. What escapes from it is a violation, too: nothing may.

    `only` restricts the plan to some kinds of faults; `with_web` None leaves it to the seed; `to_first` leaves the
    world at the first rule that is broken; `timeframe` "" leaves what is traded to the seed.
    """
    return run_world(
        World(
            seed,
            hours=hours,
            faults_an_hour=faults_an_hour,
            only=only,
            with_web=with_web,
            to_first=to_first,
            timeframe=timeframe,
        )
    )


def run_world(world: World) -> Outcome:
    """As `simulate`, of a world that is made already."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        with contextlib.ExitStack() as paces:
            paces.enter_context(_can_be_left())
            paces.enter_context(paced(as_shipped=world.as_shipped, with_book=world.with_book))
            paces.enter_context(world.inside.installed())
            paces.enter_context(world.disk.watched())
            run_virtual(world.seed, world.main, steps=world.steps, clock=world.clock)
    except BaseException as error:  # noqa: ASYNC103 - no task is around this: it starts the loop
        if isinstance(error, Exception):
            world.witness.violations.append(Violation("E0", 0.0, f"{_leaf(error)!r} escaped"))
        elif not any(violation.rule == "E5" for violation in world.witness.violations):
            raise
    finally:
        world.disk.clear()
    return world.outcome(wall_s=time.perf_counter() - wall, cpu_s=time.process_time() - cpu)


@contextlib.contextmanager
def _can_be_left() -> Iterator[None]:
    """A shell has what it starts in the background ignore Ctrl-C: a world whose time stands still would never end."""
    before = getsignal(SIGINT)
    if before is not SIG_IGN:
        yield
        return
    signal(SIGINT, default_int_handler)
    try:
        yield
    finally:
        signal(SIGINT, before)


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
