"""A small venue beside an order machine, by chance: it sells by its stops, tells of that early, and of trades late.

One symbol on spot, at one price. Orders, stops' fills, flattens, exits, cuts and slow or silent history come in any
order. The rule: what leaves to be sold at once is never more than the venue holds of ours, less what is on its way to
be sold. In the same wallet may lie coins of a person, which the venue would sell as gladly.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Final

import attrs
import msgspec

from genesis.domain.order_outputs import Outputs
from protocols.orders import (
    CancelOrder,
    CommandBatch,
    CommandNotSent,
    CommandSent,
    Flatten,
    Purpose,
    SubmitOrder,
    VenueOrder,
    VenueTrade,
)
from protocols.units import ZERO, Side
from tests.genesis.domain.protect_bench import START_MS, Bench, HastyBench, sent

D = Decimal
ONCE_MORE_S: Final = 0.01
"""A deadline that is still there when it was heard of is not heard of again in the same moment."""
AT_REST_S: Final = 90.0
PRICE: Final = D(95)


@attrs.define(kw_only=True)
class AtVenue:
    """An order as the venue has it."""

    sign: int
    quantity: Decimal
    left: Decimal
    wire_type: str
    known: bool = False
    """It rests, or did."""
    open: bool = True

    @property
    def stops(self) -> bool:
        return self.open and self.known and "STOP" in self.wire_type

    @property
    def state(self) -> str:
        if self.left == self.quantity:
            return "ACTIVE" if self.open else "CANCELED"
        sold = f"PARTIALLY FILLED @ {PRICE}({self.quantity - self.left})"
        if self.open:
            return sold
        return f"EXECUTED @ {PRICE}({self.quantity})" if self.left == ZERO else f"CANCELED was: {sold}"


class SaleWorld:
    """One life by a seed. `wrong` has each sale that breaks the rule, in words."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = random.Random(f"sale {seed}")
        self.of_a_person = chance.choice([ZERO, D(2)])
        self.bench = chance.choice([Bench, HastyBench])(coins=str(self.of_a_person))
        self.trades_late_s = chance.choice([0.01, 0.5, 3.0, 20.0, None])
        """None: they are lost, and history alone knows of them."""
        self.cancels_take_s = chance.choice([0.05, 1.0, 4.0, 9.0, 11.0, 30.0])
        self.history_late_s = chance.choice([0.0, 1.0, 10.0, 60.0])
        self.history_is_slow = chance.random() < 0.3
        self.orders: dict[int, AtVenue] = {}
        self.trades: list[tuple[float, VenueTrade]] = []
        self.ours = ZERO
        self.session = 1
        self.down = False
        self.report_at: float | None = None
        self.wrong: list[str] = []
        self.stops_sold = self.sales = 0
        self._due: list[tuple[float, int, partial[object]]] = []
        self._number = itertools.count()

    # --- what the engine asks ---------------------------------------------------------------------------------------

    def carry_out(self, out: Outputs) -> None:
        for command in sent(out):
            for part in command.commands if isinstance(command, CommandBatch) else [command]:
                if self.down:
                    kind = "on" if isinstance(part, SubmitOrder) else "oc"
                    self.bench.hear(CommandNotSent(cid=part.cid, kind=kind, session=self.session, reason="no line"))
                elif isinstance(part, SubmitOrder):
                    self._submit(part)
                elif isinstance(part, CancelOrder):
                    self._after(self.cancels_take_s * self.chance.choice([0.5, 1.0]), self._cancel, part.cid)
        if self.bench.machine.fence.pending_id is not None and self.report_at is None and not self.down:
            took_s = self.chance.choice([5.0, 30.0, 80.0] if self.history_is_slow else [0.2, 1.0, 2.0])
            self.report_at = self.bench.now + took_s

    def _submit(self, order: SubmitOrder) -> None:
        at_once = "MARKET" in order.wire_type
        if at_once and order.amount < ZERO:
            self.sales += 1
            under_way = [other.left for other in self.orders.values() if other.open and _sells_at_once(other)]
            free = self.ours - sum(under_way, ZERO)
            if -order.amount > free:
                purpose = self.bench.machine.orders[order.cid].intent.purpose.name
                self.wrong.append(f"{self.bench.now:.2f} s: {purpose} {order.cid} sells {-order.amount} of {free}")
        sign = 1 if order.amount > ZERO else -1
        quantity = abs(order.amount)
        self.orders[order.cid] = AtVenue(sign=sign, quantity=quantity, left=quantity, wire_type=order.wire_type)
        self.bench.hear(CommandSent(cid=order.cid, kind="on", session=self.session, received_ns=0))
        soon_s = self.chance.choice([0.05, 0.3, 1.2])
        self._after(soon_s, self._accept, order.cid)
        if at_once:
            self._after(soon_s + ONCE_MORE_S, self.fill, order.cid, quantity)

    # --- what the venue does ----------------------------------------------------------------------------------------

    def _accept(self, cid: int) -> None:
        order = self.orders[cid]
        if order.open:
            order.known = True
            self._say(self.bench.row(cid, "on"))

    def _cancel(self, cid: int) -> None:
        order = self.orders.get(cid)
        if order is not None and order.open and order.known:
            order.open = False
            self._say(self._row(cid, "oc"))

    def fill(self, cid: int, quantity: Decimal) -> None:
        """Fill so much of it at most."""
        order = self.orders[cid]
        if not (order.open and order.known):
            return
        quantity = min(quantity, order.left)
        order.left -= quantity
        order.open = order.left > ZERO
        self.ours += quantity * order.sign
        self.stops_sold += "STOP" in order.wire_type
        self._after(self.chance.choice([0.05, 0.05, 2.0, 20.0]), self._tell_wallet)
        word = self._row(cid, "ou" if order.open else "oc")
        trade = self.bench.trade(cid, str(quantity), str(PRICE))
        self.trades.append((self.bench.now, trade))
        self._say(word)
        late_s = 0.01 if order.sign > 0 else self.trades_late_s
        if late_s is not None and not self.down:
            self._after(late_s, self._tell_trade, trade)

    def _tell_trade(self, trade: VenueTrade) -> None:
        if trade.session == self.session:
            self._say(trade)

    def _tell_wallet(self) -> None:
        if not self.down:
            self.carry_out(self.bench.hold(str(self.of_a_person + self.ours)))

    def _say(self, word: VenueOrder | VenueTrade) -> None:
        if not self.down:
            self.carry_out(self.bench.hear(word))

    def _row(self, cid: int, event: str) -> VenueOrder:
        order = self.orders[cid]
        row = self.bench.row(cid, event, status=order.state, remaining=str(order.left))
        price = PRICE if order.left < order.quantity else ZERO
        return msgspec.structs.replace(row, average_price=price, session=self.session)

    def _report(self) -> None:
        known = [(cid, order) for cid, order in self.orders.items() if order.known]
        late = self.bench.now - self.history_late_s
        self.carry_out(
            self.bench.report(
                opened=[self._row(cid, "rest") for cid, order in known if order.open],
                closed=[self._row(cid, "rest") for cid, order in known if not order.open],
                trades=[trade for at, trade in self.trades if at < late],
            )
        )

    def cut(self) -> None:
        self.down = True
        self.report_at = None
        self.carry_out(self.bench.cut())

    def connect(self) -> None:
        self.down = False
        self.session += 1
        resting = [self._row(cid, "os") for cid, order in self.orders.items() if order.known and order.open]
        coins = str(self.of_a_person + self.ours)
        self.carry_out(self.bench.greet(self.session, *resting, coins=coins))

    # --- how time passes --------------------------------------------------------------------------------------------

    def _after(self, seconds: float, call: Callable[..., object], *arguments: object) -> None:
        heapq.heappush(self._due, (self.bench.now + seconds, next(self._number), partial(call, *arguments)))

    def wait(self, seconds: float) -> None:
        bench, end = self.bench, self.bench.now + seconds
        while True:
            deadline = bench.machine.next_deadline()
            moments = [self._due[0][0] if self._due else end, self.report_at, deadline]
            now = max(bench.now, min(at for at in moments if at is not None))
            if now >= end:
                break
            bench.now = now
            if self.report_at is not None and self.report_at <= now:
                self.report_at = None
                if bench.machine.fence.pending_id is not None:
                    self._report()
            while self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2]()
            self.carry_out(bench.wait(0.0))
            if deadline is not None and deadline <= now and bench.machine.next_deadline() == deadline:
                bench.now += ONCE_MORE_S
        bench.now = max(end, bench.now)
        self.carry_out(bench.wait(0.0))

    # --- what happens -----------------------------------------------------------------------------------------------

    def live(self) -> None:
        """One life, to its end, with all calm behind it."""
        self.carry_out(self.bench.admit(quantity=D(1)))
        self.wait(3.0)
        if self.chance.random() < 0.3:
            self.carry_out(self.bench.admit(quantity=D("0.7"), strategy="t"))
            self.wait(3.0)
        for _ in range(self.chance.randrange(4, 14)):
            self._something()
            self.wait(self.chance.choice([0.0, 0.02, 0.3, 1.0, 2.0, 4.5, 5.0, 9.5, 10.0]))
        self.history_is_slow = False
        self.wait(AT_REST_S)

    def _something(self) -> None:
        chance = self.chance
        match chance.randrange(8):
            case 0 | 1 | 2:
                self._sell_by_a_stop(chance.choice([D("0.2"), D("0.5"), D(9)]))
            case 3:
                self._flatten()
            case 4:
                self._exit()
            case 5:
                self.carry_out(self.bench.admit(quantity=D(1)))
            case 6:
                # One right behind the other.
                wish = chance.choice([self._flatten, self._exit])
                wish()
                self.wait(chance.choice([0.0, 1.0, 9.0]))
                self._sell_by_a_stop(D("0.3"))
            case 7 if chance.random() < 0.6:
                self.cut()
                self.wait(chance.choice([0.5, 2.0, 8.0]))
                if chance.random() < 0.5:
                    self._sell_by_a_stop(D("0.3"))
                self.connect()

    def _flatten(self) -> None:
        name = f"f{self.chance.randrange(2)}"
        wish = Flatten(symbol=None, reason="a person's wish", correlation_id=name)
        self.bench.machine.on_flatten(wish, now=self.bench.now, wall_ms=START_MS)
        self.carry_out(self.bench.take())

    def _exit(self) -> None:
        quantity = self.chance.choice([D(1), D("0.4")])
        self.carry_out(
            self.bench.admit(side=Side.SELL, purpose=Purpose.EXIT, reduce_only=True, bracket=None, quantity=quantity)
        )

    def _sell_by_a_stop(self, quantity: Decimal) -> None:
        stops = [cid for cid, order in self.orders.items() if order.stops]
        if stops:
            self.fill(self.chance.choice(stops), quantity)


def _sells_at_once(order: AtVenue) -> bool:
    return order.sign < 0 and "MARKET" in order.wire_type


def live_through(seed: int) -> SaleWorld:
    world = SaleWorld(seed)
    world.live()
    return world
