"""A small world around positions and their stops: the venue is the simulator's own, everything else breaks.

Two strategies and a person open lots of one position, with coins and on margin; prices move, stops trade, strangers
cancel them, frames are lost, bytes arrive late, sessions end, and the engine dies at every step between deciding and
acting, its disk kept. What must hold is asked of the venue: every lot's stop rests there once and whole, nobody sells
what another strategy holds, no order is sent twice.
"""

import random
from collections import Counter
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_outputs import Outputs
from genesis.domain.order_rows import OrderRow
from genesis.domain.pairs import PairSpec
from genesis.domain.venue import Venue, request_of
from genesis.domain.venue_state import Order, VenueOutput
from protocols.bitfinex.inputs import ChangeOrder, EndOrder
from protocols.journal import CellWrite, LateCell
from protocols.orders import (
    Approved,
    Bracket,
    CancelIntent,
    CancelOrder,
    CommandBatch,
    CommandInDoubt,
    CommandNotSent,
    CommandSent,
    Flatten,
    HistoryReport,
    HistoryRequest,
    OrderIntent,
    OrderSnapshot,
    OrderState,
    OrderType,
    PositionSnapshot,
    Protect,
    Purpose,
    RequestNotice,
    SessionDown,
    SessionUp,
    SubmitOrder,
    UpdateIntent,
    UpdateOrder,
    VenueCommand,
    VenueOrder,
    VenuePosition,
    VenueTrade,
    VenueWallet,
    WalletSnapshot,
    commands_of,
)
from protocols.settings import OrderSettings
from protocols.units import ZERO, Side, Symbol, round_price
from tests.genesis.domain.bracket_words import (
    ACCOUNT,
    Crossings,
    Figures,
    account_positions,
    account_wallets,
    check_beside,
    check_over_rest,
    refusal,
)

D = Decimal
BTC = Symbol("tBTCUSD")
START_MS = 1_517_788_800_000
SETTINGS = OrderSettings(entry_unfilled_s=0.0)
PAIR = PairSpec(symbol=BTC, minimum=D("0.05"), maximum=D(3), initial_margin=D("0.2"), minimum_margin=D("0.1"))
STOPS = ("STOP", "STOP LIMIT", "TRAILING STOP")
LATE_LIMIT_S = 100.0
NAKED_LIMIT_S = 75.0
"""With a session that is compared, and this world's habit of looking away for 20 seconds at a time: below the
quarantine, so that a stop in doubt is never waited for until its absence is proven."""


class Killed(Exception):
    """The process or the actor ends here."""


@attrs.define
class BracketWorld:
    """Moved on by `act`; `heal` ends all trouble, and `check_settled` says what must then hold."""

    chance: random.Random
    now: float = 0.0
    epoch: int = 0
    session: int = 0
    alive: bool = False
    faulty: bool = True
    intents: int = 0
    price: Decimal = attrs.Factory(lambda: D(1000))
    disk: dict[str, CellWrite] = attrs.Factory(dict)
    inbox: list[Any] = attrs.Factory(list)
    put_keys: set[Any] = attrs.Factory(set)
    commands: list[VenueCommand] = attrs.Factory(list)
    questions: list[HistoryRequest] = attrs.Factory(list)
    late: list[tuple[float, VenueCommand]] = attrs.Factory(list)
    frames: list[Any] = attrs.Factory(list)
    submitted: Counter[int] = attrs.Factory(Counter)
    asked: dict[str, OrderIntent] = attrs.Factory(dict)
    lots: dict[int, str] = attrs.Factory(dict)
    """The lot of each protective order that was seen, by client id: kept here because rows are forgotten."""
    figures: Figures = attrs.Factory(Figures)
    crossings: Crossings = attrs.Factory(Crossings)
    moves: random.Random = attrs.Factory(lambda: random.Random(1))
    """A dice of its own, so that worlds without an OCO stay what they are."""
    naked_since: dict[bool, float] = attrs.Factory(dict)
    born_at: float | None = None
    wallets_are_told: bool = True
    """Where they are not, nobody can tell what else lies in a wallet, and no order goes in another's place."""
    ghosts: bool = False
    """Bytes of a dead socket made an order after another had been placed for it: a stop that is there twice is the
    lesser evil, and whose coins it sells is nobody's choice."""
    ways: random.Random = attrs.Factory(lambda: random.Random(3))
    rest_share: float = 0.0
    """How many of its sessions are narrow: held over REST while the socket is away. `ways` draws which."""
    narrow: bool = False
    asking: int = 0
    """The client id of what is being answered over REST: only that is said on a narrow session, and of an order not
    what it came to."""
    compared: set[int] = attrs.Factory(set)
    """Sessions of this process of which a report was heard."""
    trades_late_s: float = 0.0
    """Here the socket says no word of most trades, and history knows them only after so long."""
    venue: Venue = attrs.field(init=False)
    machine: OrderMachine = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.venue = Venue({BTC: PAIR})
        purse = (("exchange", "USD", D(10**7)), ("margin", "USD", D(10**7)))
        self.venue.open_account(ACCOUNT, purse, maker_fee=ZERO, taker_fee=ZERO)
        self.tick(self.price)
        self.start_process()

    @property
    def wall_ms(self) -> int:
        return START_MS + int(self.now * 1000)

    # --- the process ------------------------------------------------------------------------------------------------

    def start_process(self) -> None:
        self.epoch += 1
        self.inbox.clear()
        self.put_keys.clear()
        self.lose_line()
        self.commands.clear()
        self.questions.clear()
        self.session = 0
        self.compared.clear()
        self.born_at = self.now
        self.start_actor()

    def start_actor(self) -> None:
        self.machine = OrderMachine(SETTINGS, epoch=self.epoch, signal_max_age_s=30.0)
        self.machine.pairs = {BTC: PAIR}
        self.machine.touch = lambda symbol, side: self.price
        cells = sorted(self.disk.values(), key=lambda cell: cell.key)
        self.machine.restore(cells, now=self.now, wall_ms=self.wall_ms)
        self.carry_out(self.machine.take(), None)

    def turn(self, kill_at: int | None = None, *, process: bool = False) -> None:
        """One turn of the actor; `kill_at` is the step at which it, or the whole process, dies."""
        batch = list(self.inbox)
        for message in batch:
            self.feed(message)
        self.machine.on_timer(now=self.now, wall_ms=self.wall_ms)
        try:
            self.carry_out(self.machine.take(), kill_at)
            if kill_at is not None:
                raise Killed
        except Killed:
            if process:
                self.figures.process_kills += 1
                self.start_process()
            else:
                self.figures.actor_kills += 1
                self.start_actor()
            return
        del self.inbox[: len(batch)]

    def feed(self, message: Any) -> None:
        if isinstance(message, HistoryReport):
            self.compared.add(message.session)
        now, wall_ms = self.now, self.wall_ms
        match message:
            case Approved():
                self.machine.admit(message, now=now, wall_ms=wall_ms)
            case CancelIntent():
                self.machine.on_cancel(message, now=now, wall_ms=wall_ms)
            case UpdateIntent():
                self.machine.on_update(message, now=now, wall_ms=wall_ms)
            case Flatten():
                self.machine.on_flatten(message, now=now, wall_ms=wall_ms)
            case Protect():
                self.machine.on_protect(message, now=now, wall_ms=wall_ms)
            case _:
                self.machine.on_event(message, now=now, wall_ms=wall_ms)

    def carry_out(self, out: Outputs, kill_at: int | None) -> None:
        steps = 0

        def maybe_die() -> None:
            nonlocal steps
            if kill_at is not None and steps >= kill_at:
                raise Killed
            steps += 1

        maybe_die()
        for key, cell in out.cells.items():
            if cell.payload:
                self.disk[key] = cell.written() if isinstance(cell, LateCell) else cell
            else:
                self.disk.pop(key, None)
        for row in self.machine.orders.values():
            if row.protects:
                self.lots[row.cid] = row.lot
        maybe_die()
        for outgoing in out.commands:
            if outgoing.key not in self.put_keys:
                self.put_keys.add(outgoing.key)
                check_beside(self.machine, outgoing.command)
                self.crossings.decide(self.machine, outgoing.command)
                self.commands.append(outgoing.command)
            maybe_die()
        for question in out.questions:
            if question.request_id not in self.put_keys:
                self.put_keys.add(question.request_id)
                self.questions.append(question)
        maybe_die()
        self.machine.told()
        if out.reconnect is not None:
            self.disconnect()

    # --- the line and the venue -------------------------------------------------------------------------------------

    def connect(self) -> None:
        if self.alive and self.narrow and (not self.faulty or self.ways.random() < 0.2):
            self.disconnect()
        if self.alive:
            return
        self.session += 1
        self.alive = True
        self.narrow = self.faulty and self.rest_share > 0 and self.ways.random() < self.rest_share
        orders = tuple(order.told_as("os") for order in self.venue.accounts[ACCOUNT].orders.values())
        orders = tuple(msgspec.structs.replace(order, session=self.session) for order in orders)
        wallets = tuple(account_wallets(self.venue, self.session))
        positions = tuple(
            msgspec.structs.replace(position, session=self.session) for position in account_positions(self.venue)
        )
        said_of_amounts = (
            PositionSnapshot(session=self.session, positions=positions, received_ns=0),
            WalletSnapshot(session=self.session, wallets=wallets, received_ns=0),
        )
        self.frames = [
            *(said_of_amounts if self.wallets_are_told else ()),
            OrderSnapshot(session=self.session, orders=orders, received_ns=0),
            SessionUp(session=self.session, user_id=1, received_ns=0),
        ]
        if self.narrow:
            orders = tuple(msgspec.structs.replace(order, event="rest") for order in orders)
            self.frames = [
                SessionUp(session=self.session, user_id=0, received_ns=0, narrow=True),
                OrderSnapshot(session=self.session, orders=orders, received_ns=0),
            ]

    def lose_line(self) -> None:
        self.alive = False
        self.frames = []

    def disconnect(self) -> None:
        if self.alive:
            self.lose_line()
            self.inbox.append(SessionDown(session=self.session, reason="cut", received_ns=0))

    def send(self) -> None:
        """The line takes the next command: it leaves, it does not, or its bytes arrive when the socket is long dead."""
        if not self.commands:
            return
        command = self.commands.pop(0)
        parts = commands_of(command)
        if not self.alive or command.session != self.session:
            self.inbox += [
                CommandNotSent(cid=each.cid, kind=type(each).__name__, session=each.session, reason="no line")
                for each in parts
            ]
            return
        if self.narrow:
            self.submit_over_rest(command)
            return
        fate = self.chance.random() if self.faulty else 1.0
        if fate < 0.04:
            self.figures.faults += 1
            if fate < 0.02:
                self.late.append((self.now + self.chance.uniform(0, LATE_LIMIT_S), command))
            self.disconnect()
            return
        self.inbox += [
            CommandSent(cid=each.cid, kind=type(each).__name__, session=each.session, received_ns=0) for each in parts
        ]
        self.figures.batches += isinstance(command, CommandBatch)
        self.receive(command)

    def submit_over_rest(self, command: VenueCommand) -> None:
        """What may leave over REST; its answer may be lost, before it was carried out, after it, or long before."""
        assert isinstance(command, SubmitOrder | CancelOrder), f"order {command.cid} is changed over REST: {command}"
        assert command.session in self.compared, f"order {command.cid} left over REST before its session was compared"
        check_over_rest(self.machine, command)
        is_new = isinstance(command, SubmitOrder)
        about: dict[str, Any] = {"cid": command.cid, "kind": "on" if is_new else "oc", "session": command.session}
        fate = self.ways.random()
        self.figures.by_rest += 1
        self.figures.closes_by_rest += is_new and not self.machine.orders[command.cid].protects
        if fate < 0.1:
            self.figures.faults += 1
            self.inbox.append(CommandNotSent(**about, reason="nonce: small"))
            return
        if fate < 0.4:
            self.figures.faults += 1
            self.inbox.append(CommandInDoubt(**about, reason="502"))
            if fate < 0.2:
                self.receive(command)
            elif fate < 0.3:
                self.late.append((self.now + self.ways.uniform(0, LATE_LIMIT_S), command))
            return
        self.inbox.append(CommandSent(**about, received_ns=0))
        self.asking = command.cid
        self.receive(command)
        self.asking = 0

    def receive(self, command: VenueCommand) -> None:
        match command:
            case CommandBatch():
                self.crossings.arrive(self.venue, command)
                for each in command.commands:
                    self.receive(each)
                return
            case SubmitOrder():
                self.submitted[command.cid] += 1
                assert self.submitted[command.cid] == 1, f"order {command.cid} was doubled"
                assert f"order:{command.cid:014d}" in self.disk, f"order {command.cid} left before its row was kept"
                self.figures.orders += 1
                if self.faulty and self.chance.random() < 0.04:
                    self.figures.faults += 1
                    self.say([(ACCOUNT, refusal(command.cid))])
                    return
                self.say(self.venue.submit(ACCOUNT, request_of(command), self.wall_ms))
            case CancelOrder():
                end = EndOrder(venue_id=command.venue_id, cid=command.cid, cid_date=command.cid_date)
                self.say(self.venue.cancel(ACCOUNT, end, self.wall_ms))
            case UpdateOrder():
                change = ChangeOrder(
                    venue_id=command.venue_id,
                    cid=command.cid,
                    cid_date=None,
                    price=command.price,
                    amount=command.amount,
                    flags=command.flags,
                )
                self.say(self.venue.update(ACCOUNT, change, self.wall_ms))
        self.tick(self.price)

    def say(self, outputs: list[VenueOutput]) -> None:
        self.now += 0.001
        self.figures.trades += sum(isinstance(message, VenueTrade) and message.event == "te" for _, message in outputs)
        if not self.alive:
            return
        if self.narrow:
            for _, each in outputs if self.asking else ():
                if isinstance(each, RequestNotice):
                    self.inbox.append(msgspec.structs.replace(each, session=self.session))
                elif isinstance(each, VenueOrder) and (each.event, each.cid) == ("on", self.asking):
                    self.inbox.append(msgspec.structs.replace(each, session=self.session, event="rest"))
            return
        for _, message in outputs:
            amounts = self.wallets_are_told and isinstance(message, VenueWallet | VenuePosition)
            if amounts or isinstance(message, VenueOrder | VenueTrade | RequestNotice):
                if self.faulty and self.chance.random() < 0.02:
                    self.figures.faults += 1
                    continue
                if self.faulty and self.trades_late_s and isinstance(message, VenueTrade) and self.moves.random() < 0.8:
                    self.figures.faults += 1
                    continue
                self.frames.append(msgspec.structs.replace(message, session=self.session))

    def tick(self, price: Decimal) -> None:
        self.price = round_price(price)
        self.say(self.venue.on_tick(BTC, float(self.price), 1e9, self.wall_ms))

    def hear(self, count: int) -> None:
        self.inbox += self.frames[:count]
        self.frames = self.frames[count:]

    def answer(self) -> None:
        if not self.questions:
            return
        question = self.questions.pop(0)
        history = self.venue.history(ACCOUNT)
        account = self.venue.accounts[ACCOUNT]
        self.inbox.append(
            HistoryReport(
                request_id=question.request_id,
                session=question.session,
                since_ms=question.since_ms,
                open_orders=tuple(order.told_as("rest") for order in account.orders.values()),
                closed_orders=tuple(order for order in history.orders if order.updated_ms >= question.since_ms),
                trades=tuple(
                    trade for trade in history.trades if question.trades_since_ms <= trade.time_ms <= self.shown_ms
                ),
                received_ns=0,
                positions=tuple(account_positions(self.venue)) if question.positions else None,
            )
        )

    @property
    def shown_ms(self) -> int:
        """History knows the trades up to this moment."""
        return self.wall_ms - int(self.trades_late_s * 1000 if self.faulty else 0)

    # --- what may happen --------------------------------------------------------------------------------------------

    def act(self) -> None:
        self.now += 0.002
        chance = self.chance
        kind = chance.randrange(100)
        if kind < 8:
            self.wish()
        elif kind < 30:
            self.run_well(1 + chance.randrange(3))
        elif kind < 42:
            self.turn(kill_at=chance.randrange(9), process=chance.random() < 0.5)
        elif kind < 55:
            self.turn()
        elif kind < 66:
            self.send()
        elif kind < 78:
            self.hear(1 + chance.randrange(3))
        elif kind < 82:
            self.answer()
        elif kind < 85:
            self.connect()
        elif kind < 87:
            self.figures.faults += 1
            self.disconnect()
        elif kind < 92:
            self.tick(self.price * D(chance.randrange(985, 1016)) / 1000)
        elif kind < 94:
            self.a_stranger_cancels()
        else:
            self.advance(chance.choice((0.3, 1.0, 6.0, 20.0)))
            self.turn()
        self.deliver_late()
        self.look()

    def advance(self, seconds: float) -> None:
        self.now += seconds
        rows = [self.machine.orders.get(part.cid) for each in self.commands for part in commands_of(each)]
        if any(row is not None and row.protects for row in rows):
            # The machine has said what would cover it: this time is the line's.
            self.naked_since = {margin: since + seconds for margin, since in self.naked_since.items()}

    def deliver_late(self) -> None:
        for item in [item for item in self.late if self.now >= item[0]]:
            self.late.remove(item)
            self.ghosts = self.ghosts or isinstance(item[1], SubmitOrder | CommandBatch)
            self.receive(item[1])

    def run_well(self, rounds: int) -> None:
        for _ in range(rounds):
            self.connect()
            while self.commands:
                self.send()
            self.hear(len(self.frames))
            while self.questions:
                self.answer()
            self.turn()

    def wish(self) -> None:
        """Somebody wants something. Exits ask for what the strategy holds by the venue's trades, as risk does."""
        chance = self.chance
        kind = chance.randrange(12)
        if kind < 4:
            strategy = chance.choice(("fast", "slow"))
            self.order(strategy, Purpose.ENTRY, Side.BUY, D(chance.randrange(10, 200)) / 100, bracket=self.a_bracket())
        elif kind < 6:
            self.order("manual", Purpose.MANUAL, Side.BUY, D(chance.randrange(10, 100)) / 100, bracket=self.a_bracket())
        elif kind < 8:
            side = chance.choice((Side.BUY, Side.SELL))
            held = self.truly_held(True)
            if held * side.sign >= 0:
                quantity = D(chance.randrange(10, 100)) / 100
                self.order("manual", Purpose.MANUAL, side, quantity, margin=True, bracket=self.a_bracket(side))
        elif kind < 10:
            strategy = chance.choice(("fast", "slow"))
            mine = self.owned().get(strategy, ZERO)
            if mine >= PAIR.minimum and not self.exit_is_open(strategy):
                # Sometimes all but what is too small to be sold alone.
                dust = D("0.03") if chance.random() < 0.3 and mine >= 2 * PAIR.minimum else ZERO
                self.order(strategy, Purpose.EXIT, Side.SELL, mine - dust)
                if chance.random() < 0.4:
                    # The market is faster than the cancel of the stop that holds the coins.
                    self.turn()
                    self.tick(self.price * D("0.97"))
        elif kind == 10 and chance.random() < 0.3:
            self.intents += 1
            self.inbox.append(Flatten(symbol=BTC, reason="flat", correlation_id=f"flat{self.intents}"))
        else:
            rows = [row for row in self.machine.orders.values() if row.protects and row.open and row.price]
            if rows:
                row = chance.choice(rows)
                self.inbox.append(
                    UpdateIntent(
                        intent_id=row.intent.intent_id,
                        price=round_price(row.price * D(chance.randrange(950, 1006)) / 1000) if row.price else None,
                        quantity=None,
                        reason="moved",
                        correlation_id="x",
                        stop_price=self.stop_to(row),
                    )
                )

    def stop_to(self, row: OrderRow) -> Decimal | None:
        """Where the stop half of an OCO is moved to, at times past its target."""
        stop = row.intent.oco_stop_price
        if stop is None or self.moves.random() < 0.5:
            return None
        return round_price(stop * D(self.moves.randrange(980, 1030)) / 1000)

    def a_bracket(self, side: Side = Side.BUY) -> Bracket:
        target = D(self.chance.randrange(5, 30)) if self.chance.random() < 0.4 else None
        if target is None and self.chance.random() < 0.2:
            # From where the market is on: reached soon.
            activation = round_price(self.price + 3 * side.sign)
            return Bracket(stop_distance=D(10), trailing=True, activation_price=activation)
        return Bracket(stop_distance=D(self.chance.randrange(5, 30)), target_distance=target)

    def order(self, strategy: str, purpose: Purpose, side: Side, quantity: Decimal, **more: Any) -> None:
        self.intents += 1
        intent = OrderIntent(
            intent_id=f"{strategy}:{self.intents}",
            strategy=strategy,
            symbol=BTC,
            side=side,
            quantity=quantity,
            order_type=OrderType.MARKET,
            purpose=purpose,
            decided_ms=self.wall_ms,
            correlation_id=f"c{self.intents}",
            **more,
        )
        self.asked[intent.intent_id] = intent
        self.inbox.append(Approved(intent=intent, settings_version=1))

    def exit_is_open(self, strategy: str) -> bool:
        waiting = [m.intent for m in self.inbox if isinstance(m, Approved)]
        rows = [row.intent for row in self.machine.orders.values() if row.open]
        return any(
            intent.strategy == strategy and not intent.intent_id.startswith("protect") for intent in waiting + rows
        )

    def a_stranger_cancels(self) -> None:
        stops = [order for order in self.venue.accounts[ACCOUNT].orders.values() if order.kind in STOPS]
        if stops:
            self.figures.faults += 1
            taken = self.chance.choice(stops)
            self.crossings.taken.add(taken.cid)
            end = EndOrder(venue_id=taken.venue_id, cid=None, cid_date=None)
            self.say(self.venue.cancel(ACCOUNT, end, self.wall_ms))

    # --- the truth --------------------------------------------------------------------------------------------------

    def truly_held(self, margin: bool) -> Decimal:
        account = self.venue.accounts[ACCOUNT]
        if margin:
            position = account.positions.get(BTC)
            return ZERO if position is None else position.amount
        return account.wallet("exchange", "BTC").balance

    def stops(self, margin: bool) -> list[Order]:
        orders = self.venue.accounts[ACCOUNT].orders.values()
        sign = -1 if self.truly_held(margin) >= 0 else 1
        return [each for each in orders if each.kind in STOPS and each.is_margin == margin and each.sign == sign]

    def owned(self) -> dict[str, Decimal]:
        """What each strategy holds in coins, by the venue's trades and by who ordered them; nothing once all is sold.

        Empty while somebody flattens, and after a ghost or a crossing: those sales are nobody's.
        """
        found: dict[str, Decimal] = {}
        crossed = False
        for trade in self.venue.history(ACCOUNT).trades:
            row = self.machine.orders.get(trade.cid or 0)
            if row is not None and not row.intent.margin:
                strategy = row.intent.strategy
                found[strategy] = found.get(strategy, ZERO) + trade.amount
                crossed = crossed or (row.cid in self.crossings.sales and found[strategy] < ZERO)
                if sum(found.values(), ZERO) == ZERO:
                    found.clear()
                    crossed = False
        return {} if "flatten" in found or self.ghosts or crossed else found

    def bare(self, margin: bool) -> Decimal:
        """How much of what is held no order of the venue would sell on a fall."""
        held = abs(self.truly_held(margin))
        orders = self.venue.accounts[ACCOUNT].orders.values()
        leaving = sum((each.remaining for each in orders if each.kind == "MARKET" and each.is_margin == margin), ZERO)
        left = held - leaving - sum((each.remaining for each in self.stops(margin)), ZERO)
        return left if left >= PAIR.minimum else ZERO

    def look(self) -> None:
        """Since when something is bare, and how long a new process took to cover everything again.

        Without a session nobody can do anything about it: that time is the line's, and counts from the next one on.
        """
        if not (self.alive and self.machine.fence.ready):
            self.naked_since.clear()
        for margin in (False, True):
            if self.bare(margin):
                self.naked_since.setdefault(margin, self.now)
            elif margin in self.naked_since:
                self.figures.naked_s.append(self.now - self.naked_since.pop(margin))
        if self.born_at is not None and self.machine.fence.ready and not self.naked_since:
            self.figures.recovery_s.append(self.now - self.born_at)
            self.born_at = None
        for strategy, quantity in self.owned().items():
            # What is too small for a stop of its own lies with another lot, and is sold with it.
            assert quantity > -2 * PAIR.minimum, f"{strategy} sold what another holds: {quantity}"

    # --- the end ----------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """No more trouble: the line comes back and time passes. Afterwards every stop must stand."""
        self.faulty = False
        for _ in range(150):
            self.run_well(1)
            self.deliver_late()
            self.look()
            if not (self.inbox or self.commands or self.frames or self.questions):
                self.advance(5.0)

    def check_settled(self) -> None:
        machine = self.machine
        longest = max(self.figures.naked_s, default=0.0)
        assert longest <= NAKED_LIMIT_S, f"a position must have its stop again in {NAKED_LIMIT_S} s, took {longest:.1f}"
        assert machine.illegal_total == 0, machine._out.alarms
        account = self.venue.accounts[ACCOUNT]
        for row in machine.orders.values():
            assert row.state is not OrderState.UNKNOWN, f"order {row.cid} is still unknown"
        resting = Counter(order.cid for order in account.orders.values() if order.placed_id is None)
        assert all(count == 1 for count in resting.values()), f"orders rest twice: {resting}"
        for margin in (False, True):
            held = self.truly_held(margin)
            ours = machine.fills.held.get((BTC, margin), ZERO)
            assert ours == held, f"held must be {held}, was {ours} (margin {margin})"
            stops = self.stops(margin)
            covered = sum((order.remaining for order in stops), ZERO)
            wanted = abs(held) if abs(held) >= PAIR.minimum else ZERO
            assert covered == wanted, f"stops must cover {wanted}, covered {covered} (margin {margin})"
            if margin and wanted:
                closing = [order for order in account.orders.values() if order.is_margin and order.sign * held > 0]
                assert not closing, f"orders rest that would add to the position: {closing}"
            self.check_lots(margin, stops)

    def check_lots(self, margin: bool, stops: list[Order]) -> None:
        """Every strategy's own stop covers what it holds; dust may lie with another."""
        if margin:
            return
        by_lot: dict[str, Decimal] = {}
        for order in stops:
            lot = self.lots[order.cid]
            by_lot[lot] = by_lot.get(lot, ZERO) + order.remaining
        for strategy, quantity in self.owned().items():
            if strategy in ("fast", "slow") and quantity >= PAIR.minimum:
                extra = by_lot.get(strategy, ZERO) - quantity
                assert abs(extra) < 3 * PAIR.minimum, (
                    f"{strategy} holds {quantity}, its stops cover {by_lot.get(strategy, ZERO)}"
                )


def live_through(seed: int, steps: int = 250, *, trades_late_s: float = 0.0) -> BracketWorld:
    """One world from its seed, to its settled end."""
    world = BracketWorld(
        random.Random(f"bracket {seed}"),
        wallets_are_told=seed % 2 == 0,
        ways=random.Random(f"way {seed}"),
        rest_share=0.5 if seed % 4 == 2 else 0.0,
        trades_late_s=trades_late_s,
    )
    for _ in range(steps):
        world.act()
    world.heal()
    world.check_settled()
    return world
