"""Carries out the plan of faults: one method for each name of the plan."""

import math
import random
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import trio

from genesis.core.errors import ChannelClosed, ChannelFull
from genesis.simulator.faults import FaultKind, FaultRule
from genesis.worlds.engine_host import ENGINE_ADDRESS, EngineHost
from genesis.worlds.plan import LONGEST_WAIT_CANDLES, PlannedFault
from genesis.worlds.rules_inside import FIRST_PAIR
from genesis.worlds.trouble_by_hand import TroubleByHand, asked
from genesis.worlds.trouble_inside import TroubleInside
from genesis.worlds.trouble_stops import TroubleWithStops
from genesis.worlds.virtual_socket import Endpoint
from genesis.worlds.web_client import boss_halts, read_nothing, strangers_knock, write_slowly
from protocols.config import SetSettings, SettingsApplied, SettingsRefused
from protocols.orders import (
    PROTECTIVE_PURPOSES,
    CancelIntent,
    Flatten,
    OrderIntent,
    OrderType,
    OrderView,
    Purpose,
    UpdateIntent,
)
from protocols.risk import CHANGE, ChangeOrder, SetTradingState, TradingState
from web.controls import Busy, Refused

if TYPE_CHECKING:
    from genesis.worlds.world import World

LATEST_BYTES_S = 80.0
LATEST_GHOST_S = 60.0
"""No byte is later than the one, no order is carried out later than the other after it has arrived: together they stay
below the engine's quarantine of 150 s, which is a bet on just that."""
WISH_S = 20.0
WITHOUT_END_SHARE = 0.3
"""Of all storms of crashes: those that spend a budget of restarts."""
BUSY = ("signal", "risk", "order", "account", "market_cache", "history", "journal", "connection_private")
NOT_ON_THE_STACK = frozenset({"kill_at_step", "power_cut", "usurper", "crash"})
"""What ends the very task that is about to send comes a little later, as it would from outside."""


async def _answered(control: Callable[[Any], Any] | None, wish: Any) -> Any:
    assert control is not None, "an engine in a world has all of its controls"
    return await control(wish)


class Trouble(TroubleInside, TroubleWithStops, TroubleByHand):
    """`ends_at` is when the last fault that has been carried out will be over."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self.world = world
        self.chance = chance
        self.ends_at = 0.0
        self._wishes = 0
        self._pairs = 0
        self._aimed: list[tuple[float, str]] = []

    def meet(self, fault: PlannedFault) -> None:
        """The fault's time has come: strike, or lie in wait for an order."""
        if fault.aimed:
            self._aimed.append((trio.current_time() + self._for_orders_s(), fault.name))
        else:
            self.carry_out(fault.name)
        while self._aimed and self._aimed[0][0] <= trio.current_time():
            self.carry_out(self._aimed.pop(0)[1])

    def _for_orders_s(self) -> float:
        """So long does a fault lie in wait for an order."""
        return LONGEST_WAIT_CANDLES * self.world.timeframes.shortest_s

    def order_leaves(self) -> None:
        """The first byte of an order is about to leave: now, or in the few moments until it is answered."""
        if not self._aimed:
            return
        _, name = self._aimed.pop(0)
        self.world.witness.reached("a fault met an order on its way")
        if name in NOT_ON_THE_STACK or self.chance.random() < 0.6:
            self._later(trio.current_time() + self.chance.random() * 0.03, lambda: self.carry_out(name))
        else:
            self.carry_out(name)

    def carry_out(self, name: str) -> None:
        """Do it now. A fault that finds nothing to break does nothing."""
        text = getattr(self, f"_{name}")()
        self.world.witness.note("fault", f"{name}: {text}")
        self.world.witness.reached(f"fault {name}")

    def clear(self) -> None:
        """The calm after it all: what would go on breaking is mended; what is broken stays so."""
        world = self.world
        self._aimed.clear()
        self._stops_until = 0.0
        world.disk.syncs_fail = False
        weather = world.network.weather_of(ENGINE_ADDRESS)
        for name in ("spike", "bytewise", "refuse", "hang", "dns", "mute"):
            setattr(weather, f"{name}_until", 0.0)
        world.venue.exchange.faults.clear()
        if not world.venue.exchange.operative:
            world.venue.exchange.faults.maintenance(False)
        host = world.host
        if host is not None:
            host.process.clock_off_s = 0.0
            if host.store is not None:
                host.store.pause_s = 0.0

    # --- for the methods below ------------------------------------------------------------------------------------

    def _for(self, least_s: float, most_s: float) -> float:
        """Until when something that begins now goes on."""
        until = trio.current_time() + self.chance.uniform(least_s, most_s)
        self.ends_at = max(self.ends_at, until)
        return until

    def _for_candles(self, least: float, most: float) -> float:
        """As `_for`, of what is to meet a decision: so many candles of a minute, and longer where they are longer."""
        times = 60.0 * self.world.timeframes.times
        return self._for(least * times, most * times)

    def _later(self, when: float, call: Callable[[], object]) -> None:
        self.world.network.at(when, call)

    def _live(self) -> EngineHost | None:
        host = self.world.host
        return (
            host
            if host is not None and host.process.alive and host.started.is_set() and not host.over.is_set()
            else None
        )

    def _lines(self) -> list[tuple[Endpoint, Endpoint]]:
        """Connections to the venue: one, or all."""
        host = self._live()
        pairs = [] if host is None else self.world.network.of(host.process, server="venue")
        if pairs and self.chance.random() < 0.7:
            return [self.chance.choice(pairs)]
        return pairs

    def _for_messages(self, seconds: float) -> None:
        """The next message of an actor that hears of candles alone comes with the next one."""
        more = 60.0 * (self.world.timeframes.times - 1)
        self._for(seconds + more, seconds + more + 1)

    def _weather(self, name: str, least_s: float, most_s: float) -> str:
        until = self._for(least_s, most_s)
        setattr(self.world.network.weather_of(ENGINE_ADDRESS), f"{name}_until", until)
        return f"until {until:.1f}"

    # --- the network ----------------------------------------------------------------------------------------------

    def _latency_spike(self) -> str:
        self.world.network.weather_of(ENGINE_ADDRESS).spike_s = self.chance.uniform(0.2, 6.0)
        return self._weather("spike", 5, 60)

    def _bytewise(self) -> str:
        return self._weather("bytewise", 5, 60)

    def _refuse(self) -> str:
        return self._reset() + self._weather("refuse", 2, 60)

    def _connect_hang(self) -> str:
        return self._reset() + self._weather("hang", 5, 60)

    def _dns(self) -> str:
        return self._reset() + self._weather("dns", 2, 60)

    def _silent_handshake(self) -> str:
        return self._reset() + self._weather("mute", 2, 30)

    def _stall(self, ends: Callable[[tuple[Endpoint, Endpoint]], tuple[Endpoint, ...]]) -> str:
        until = math.inf if self.chance.random() < 0.4 else self._for(5, LATEST_BYTES_S)
        pairs = self._lines()
        for pair in pairs:
            for end in ends(pair):
                end.blocked_until = max(end.blocked_until, until)
        return f"{len(pairs)} lines until {until:.1f}"

    def _stall_both(self) -> str:
        return self._stall(lambda pair: pair)

    def _stall_to_venue(self) -> str:
        return self._stall(lambda pair: (pair[0],))

    def _stall_from_venue(self) -> str:
        return self._stall(lambda pair: (pair[1],))

    def _late_bytes(self) -> str:
        """What the engine sends on its lines arrives very late, on lines that it has long given up."""
        until = self._for(20, LATEST_BYTES_S)
        host = self._live()
        pairs = [] if host is None else self.world.network.of(host.process, server="venue")
        for ours, theirs in pairs:
            ours.blocked_until = max(ours.blocked_until, until)
            theirs.blocked_until = math.inf
        return f"{len(pairs)} lines until {until:.1f}"

    def _reset(self) -> str:
        pairs = self._lines()
        for pair in pairs:
            for end in pair:
                end.break_now(ConnectionResetError(104, "Connection reset by peer"))
        return f"{len(pairs)} lines "

    def _fin(self) -> str:
        pairs = self._lines()
        for pair in pairs:
            for end in pair:
                end.say_goodbye()
        return f"{len(pairs)} lines"

    # --- the venue ------------------------------------------------------------------------------------------------

    def _rule(self, kind: FaultKind, **terms: Any) -> str:
        self._stand_until(FaultRule(kind=kind, **terms), self._for(30, 120))
        return f"{terms}"

    def _where(self) -> str:
        return self.chance.choice(("private", "private", "public", "all"))

    def _venue_drop(self) -> str:
        return f"{self.world.venue.exchange.faults.drop(private=self.chance.choice((None, True, False)))} sockets"

    def _venue_stop(self) -> str:
        self.world.venue.exchange.faults.stop()
        return "20051"

    def _maintenance(self) -> str:
        desk = self.world.venue.exchange.faults
        desk.maintenance(True)
        until = self._for(5, 90)
        self._later(until, lambda: desk.maintenance(False))
        return f"until {until:.1f}"

    def _lose_frames(self) -> str:
        return self._rule(FaultKind.LOSE, probability=0.3, times=self.chance.randint(1, 5), where=self._where())

    def _duplicate_frames(self) -> str:
        return self._rule(FaultKind.DUPLICATE, probability=0.3, times=self.chance.randint(1, 10), where=self._where())

    def _reorder_frames(self) -> str:
        return self._rule(FaultKind.REORDER, probability=0.3, times=self.chance.randint(1, 5), where=self._where())

    def _delay_frames(self) -> str:
        seconds = self.chance.uniform(0.5, 30.0)
        return self._rule(FaultKind.DELAY, probability=0.2, times=3, where=self._where(), value=seconds)

    def _venue_stall(self) -> str:
        return self._rule(FaultKind.STALL, probability=0.5, times=1, where=self._where())

    def _bad_checksum(self) -> str:
        return self._rule(FaultKind.BAD_CHECKSUM, times=1, where="public")

    def _torn_frame(self) -> str:
        return self._rule(FaultKind.TEAR, probability=0.2, times=1, where=self._where())

    def _lost_ack(self) -> str:
        return self._rule(FaultKind.LOST_ACK, times=self.chance.randint(1, 3), where="private")

    def _ghost(self) -> str:
        """An order is carried out late and nobody says so before, so its line is dropped soon after it arrived."""
        answer = self._rule(FaultKind.GHOST, times=1, value=self.chance.uniform(1.0, LATEST_GHOST_S))
        self.ends_at = max(self.ends_at, trio.current_time() + 120 + LATEST_GHOST_S)
        return answer

    def _nonce_refused(self) -> str:
        return self._rule(FaultKind.NONCE, times=self.chance.randint(1, 3))

    def _rate_limited(self) -> str:
        return self._rule(FaultKind.RATE_LIMIT, times=self.chance.randint(1, 5))

    def _server_error(self) -> str:
        return self._rule(FaultKind.SERVER_ERROR, times=self.chance.randint(1, 5))

    def _handshake_refused(self) -> str:
        return self._reset() + self._rule(FaultKind.HANDSHAKE, times=self.chance.randint(1, 3))

    def _rest_down(self) -> str:
        """An order's line breaks when it has left, and nobody can ask what became of it for longer than a quarantine.

        The venue is out of reach until the order is filled, so no snapshot shows it, and then REST answers nothing.
        """
        self._half_sent()
        self._weather("refuse", 15, 45)
        lasts = self.chance.uniform(60, 420)
        self._stand_until(FaultRule(kind=FaultKind.SERVER_ERROR, times=None), self._for(lasts, lasts))
        return f"for {lasts:.0f} s"

    def _half_sent(self) -> str:
        """All bytes of the next order leave, and its sender is told that the line broke."""
        host = self._live()
        if host is None:
            return "nobody"
        host.break_next_send = True
        self._for(60, 61)
        return str(host)

    # --- the engine's process -------------------------------------------------------------------------------------

    def _crash(self) -> str:
        host = self._live()
        if host is None or host.engine is None:
            return "nobody"
        path = self.chance.choice(host.leaves())
        return f"{path} {host.engine.supervisor.kill(path, reason='a planned crash')}"

    def _crash_storm(self) -> str:
        now = trio.current_time()
        if self.chance.random() < WITHOUT_END_SHARE:
            return self._crash_without_end(now)
        for _ in range(self.chance.randint(5, 15)):
            now += self.chance.expovariate(3.0)
            self._later(now, lambda: self.world.witness.note("fault", f"storm: {self._crash()}"))
        self.ends_at = max(self.ends_at, now)
        return f"until {now:.1f}"

    def _crash_without_end(self, now: float) -> str:
        """One actor dies more often than any budget allows, in less time than it takes to forget: somebody gives up."""
        host = self._live()
        if host is None or host.engine is None:
            return "nobody"
        supervisor = host.engine.supervisor
        crashes = host.restarts.intensity + 20
        for number in range(crashes):
            # Its pause is shorter than the one between two crashes.
            self._later(now + 0.5 * number, lambda: supervisor.kill("journal", reason="a crash without end"))
        self.ends_at = max(self.ends_at, now + 0.5 * crashes)
        return f"{crashes} times the journal"

    def _crash_busy(self) -> str:
        """An actor dies some steps after it has taken messages, and has them in its hands."""
        host = self._live()
        if host is None or host.engine is None:
            return "nobody"
        engine, world = host.engine, self.world
        name = self.chance.choice(BUSY)
        path = next(path for path in host.leaves() if path.rpartition("/")[2] == name)
        steps = self.chance.randint(1, 6)
        box = engine.plan.mailboxes[name]
        lease = box.lease

        async def leased(*args: Any) -> Any:
            found = await lease(*args)
            if found and "lease" in box.__dict__:
                del box.__dict__["lease"]

                def strike() -> None:
                    if host.process.alive:
                        busy = box.unacked > 0
                        engine.supervisor.kill(path, reason="a planned crash with messages in its hands")
                        world.witness.reached("an actor was killed with messages in its hands", busy)

                world.steps.ring_at(world.steps.count + steps, strike)
            return found

        box.__dict__["lease"] = leased
        self._for_messages(90)
        return f"{path} {steps} steps behind its next batch"

    def _echo(self) -> str:
        """Something that was heard in a session that is over is said again."""
        host = self._live()
        if host is None or host.engine is None:
            return "nobody"
        late = [event for event in self.world.inside.heard if event.session < (host.engine.ledger.open_session or 0)]
        if not late:
            return "nothing was heard"
        event = self.chance.choice(late)
        try:
            host.engine.channels.account_events.put_nowait(event)
        except (ChannelFull, ChannelClosed):
            return "no room"
        return f"{type(event).__name__} of session {event.session}"

    def _power_cut(self) -> str:
        """The machine goes dark: what was written and not synced may be lost or half there."""
        host = self._live()
        if host is None:
            return "nobody"
        steps = self.chance.randint(1, 150)
        self.world.steps.ring_at(self.world.steps.count + steps, lambda: self._kill(host, power=self.chance))
        return f"{steps} steps from now"

    def _kill_at_step(self) -> str:
        host = self._live()
        if host is None:
            return "nobody"
        steps = self.chance.randint(1, 150) if self.chance.random() < 0.7 else self.chance.randint(1, 5000)
        self.world.steps.ring_at(self.world.steps.count + steps, lambda: self._kill(host))
        return f"{steps} steps from now"

    def _kill(self, host: EngineHost, power: random.Random | None = None) -> None:
        if host.process.alive and not host.over.is_set():
            self.world.witness.note("kill", f"{host} at step {self.world.steps.count}")
            self.world.witness.reached("the process was killed")
            lost = host.kill(shared=host is not self.world.host, power=power)
            self.world.witness.reached("the power failed", power is not None)
            self.world.witness.reached("a power cut lost bytes", len(lost))
            self.world.network.die(host.process, politely=self.chance.random() < 0.5)
            self.ends_at = max(self.ends_at, trio.current_time())

    def _graceful_restart(self) -> str:
        host = self._live()
        if host is None:
            return "nobody"
        host.stop()
        return str(host)

    def _second_engine(self) -> str:
        self.world.start_rival(break_lock=False)
        return "with the lock in place"

    def _usurper(self) -> str:
        self.world.start_rival(break_lock=True)
        # So long does the old one try in vain, then it gives up.
        self._for(40, 41)
        return "and the lock was removed by hand"

    # --- its machine ----------------------------------------------------------------------------------------------

    def _clock_step(self) -> str:
        host = self._live()
        if host is None:
            return "nobody"
        step = self.chance.choice((-1, 1)) * self.chance.choice((0.3, 2.0, 30.0, 3600.0))
        host.process.clock_off_s = step
        until = self._for(5, 120)

        def mend() -> None:
            host.process.clock_off_s = 0.0

        self._later(until, mend)
        return f"{step:+} s until {until:.1f}"

    def _slow_disk(self) -> str:
        host = self._live()
        if host is None or host.store is None:
            return "nobody"
        store = host.store
        store.pause_s = self.chance.choice((0.05, 0.5, 3.0))

        def mend() -> None:
            store.pause_s = 0.0

        self._later(self._for(2, 30), mend)
        return f"{store.pause_s} s a call"

    def _disk_full(self) -> str:
        host = self._live()
        if host is None or host.store is None:
            return "nobody"
        host.store.fill_up()
        self._for(60, 61)
        return str(host)

    def _disk_error(self) -> str:
        host = self._live()
        if host is None or host.store is None:
            return "nobody"
        host.store.break_down()
        self._for(60, 61)
        return str(host)

    # --- its people -----------------------------------------------------------------------------------------------

    def _wish(self, ask: Callable[[EngineHost], Any]) -> None:
        """Somebody asks for something, and may have to live without an answer."""
        host = self._live()
        if host is None or host.engine is None:
            return

        async def wish() -> None:
            with trio.move_on_after(WISH_S):
                try:
                    await ask(host)
                except (Busy, Refused):
                    self.world.witness.reached("a wish of a person was refused")

        self._wishes += 1
        self.world.start_soon(wish)

    def _name(self, what: str) -> str:
        return f"{what}-{self._wishes}-{self.world.witness.sometimes['fault halt']}"

    def _halt(self) -> str:
        async def halt(host: EngineHost) -> None:
            await asked(host.controls.risk, self._state(TradingState.HALTED))
            self.world.rules.note_state(host)
            self.world.witness.reached("trading was halted by a person")

        async def resume(host: EngineHost) -> None:
            await asked(host.controls.risk, self._state(TradingState.ACTIVE))

        self._wish(halt)
        until = self._for_candles(1, 5)
        self._later(until, lambda: self._wish(resume))
        return f"until {until:.1f}"

    def _state(self, state: TradingState) -> SetTradingState:
        return SetTradingState(state=state, reason="a drill", actor="chaos", correlation_id=self._name("state"))

    def _cancel_all(self) -> str:
        wish = CancelIntent(intent_id=None, reason="a drill", correlation_id=self._name("cancel"))

        async def cancel(host: EngineHost) -> None:
            await asked(host.controls.cancel, wish)

        self._wish(cancel)
        return "every order"

    def _flatten(self) -> str:
        wish = Flatten(symbol=None, reason="a drill", correlation_id=f"flatten-{self.world.seed}-{self._wishes}")

        async def flatten(host: EngineHost) -> None:
            await asked(host.controls.flatten, wish)

        self._wish(flatten)
        return "everything"

    def _update_order(self) -> str:
        host = self._live()
        if host is None or host.engine is None:
            return "nobody"
        resting = [
            order
            for order in host.engine.cells.orders.value.open
            if not (order.price is None and order.stop_price is None)
        ]
        if not resting:
            return "nothing rests"
        order = self.chance.choice(resting)
        # Of an order with a stop, which may be one half of an OCO, the stop is moved now and then.
        stops = order.stop_price is not None and (order.price is None or self.chance.random() < 0.5)
        was = order.stop_price if stops else order.price
        assert was is not None
        price = (was * Decimal(str(self.chance.choice((0.999, 0.998, 1.001))))).quantize(Decimal("0.1"))
        wish = UpdateIntent(
            intent_id=order.intent_id,
            price=None if stops else price,
            stop_price=price if stops else None,
            quantity=None,
            reason="a drill",
            correlation_id=self._name("update"),
        )
        self.world.witness.reached("a person moved the stop of an OCO", stops and order.price is not None)

        async def update(host: EngineHost) -> None:
            if order.purpose in PROTECTIVE_PURPOSES or order.price is None or stops:
                await asked(host.controls.update, wish)
            else:
                await asked(host.controls.change, self._change(order, wish, price))

        self._wish(update)
        return f"{'stop of ' if stops else ''}{order.intent_id} to {price}"

    def _change(self, order: OrderView, wish: UpdateIntent, price: Decimal) -> ChangeOrder:
        """The order that it becomes at that price."""
        assert order.price is not None
        intent = OrderIntent(
            intent_id=f"{CHANGE}{wish.correlation_id}",
            strategy=order.strategy,
            symbol=order.symbol,
            side=order.side,
            quantity=order.leaves_quantity,
            order_type=OrderType.LIMIT,
            purpose=Purpose.MANUAL,
            decided_ms=self.world.wall_ms(),
            correlation_id=order.correlation_id,
            price=price,
        )
        return ChangeOrder(intent=intent, update=wish, rests=order.leaves_quantity * order.price, actor="chaos")

    def _new_settings(self) -> str:
        """A person changes two settings that must stay alike."""
        self._pairs += 1
        pair = FIRST_PAIR + self._pairs
        wish = SetSettings(
            changes={"risk.max_trades_per_day": pair, "risk.max_trades_per_symbol": pair},
            actor="chaos",
            reason="a drill",
            correlation_id=f"settings-{pair}",
        )

        async def ask(host: EngineHost) -> None:
            self.world.inside.settings_asked(pair)
            answer = await _answered(host.controls.settings, wish)
            if isinstance(answer, SettingsApplied):
                self.world.inside.settings_answered(pair, answer.version)

        self._wish(ask)
        return f"both limits to {pair}"

    def _bad_settings(self) -> str:
        """One of two changes is impossible: none may happen."""
        wish = SetSettings(
            changes={"risk.max_trades_per_day": FIRST_PAIR - 1, "risk.max_drawdown": "7"},
            actor="chaos",
            reason="a drill",
            correlation_id=f"bad-settings-{self._wishes}",
        )

        async def ask(host: EngineHost) -> None:
            answer = await _answered(host.controls.settings, wish)
            refused = not isinstance(answer, SettingsApplied)
            self.world.witness.check("S2", refused, f"settings that cannot be must be refused, were {answer}")
            self.world.witness.reached("impossible settings were refused", isinstance(answer, SettingsRefused))

        self._wish(ask)
        return "a drawdown of 7"

    def _boss(self) -> str:
        host = self._live()
        if host is None or host.tokens is None:
            return "no web"
        self._wishes += 1
        self.world.start_soon(boss_halts, host, self.world, f"web {self._wishes}")
        self._for(60, 61)
        return "a halt over the web, and its end"

    def _slow_browser(self) -> str:
        host = self._live()
        if host is None or host.tokens is None:
            return "no web"
        until = self._for(30, 60)
        if self.chance.random() < 0.5:
            self.world.start_soon(write_slowly, host, self.world.witness, until)
            return "a client that says one byte a second"
        self.world.start_soon(read_nothing, host, self.world.witness, until)
        return "a stream client that never reads"

    def _strangers(self) -> str:
        host = self._live()
        if host is None or host.tokens is None:
            return "no web"
        self.world.start_soon(strangers_knock, host, self.world.witness)
        self._for(10, 11)
        return "requests without the right to make them"
