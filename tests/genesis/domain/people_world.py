"""The world of positions and their stops with people in it: they trade by hand, on our page and on the venue's own.

To all that `bracket_world` does come coins without levels, orders that a person lets rest, moves and takes back,
orders that only the venue's own page knows, coins that go from a strategy to its heir, and OCOs that are moved. Whose a
coin is follows from the venue's trades and from who ordered them; our books are asked for nothing but the order in
which they heard.
"""

import random
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from genesis.domain.order_outputs import Outputs
from genesis.domain.order_rows import FillRow, OrderRow
from genesis.domain.venue_state import Order
from protocols.bitfinex.inputs import EndOrder, NewOrder
from protocols.orders import (
    MANUAL,
    Adopt,
    Adopted,
    CancelIntent,
    CancelOrder,
    OrderState,
    OrderType,
    Protect,
    Purpose,
    UpdateIntent,
    UpdateOrder,
    VenueCommand,
    VenueTrade,
)
from protocols.units import ZERO, Side, floor_amount, round_price
from tests.genesis.domain.bracket_words import ACCOUNT
from tests.genesis.domain.bracket_world import BTC, NAKED_LIMIT_S, PAIR, BracketWorld

D = Decimal
SMALL = 2 * PAIR.minimum
"""What is too small for an order of its own lies with another lot, and is sold with it."""
TRADERS = ("fast", "slow", "third")
NOBODY = "flatten"
GUARD = "protection"


@attrs.define
class Holding:
    """A lot as it truly is: `strategy` owns it."""

    strategy: str
    quantity: Decimal = ZERO


@attrs.define
class Truth:
    """Whose the coins of the exchange wallet are. `plain` are those without levels, by who bought them."""

    lots: dict[str, Holding] = attrs.Factory(dict)
    plain: dict[str, Decimal] = attrs.Factory(dict)
    by_hand: Decimal = ZERO
    """What was bought, less what was sold, on the venue's own page."""
    wrongs: list[str] = attrs.Factory(list)

    def of(self, owner: str) -> Decimal:
        lots = [lot.quantity for lot in self.lots.values() if lot.strategy == owner]
        return sum(lots, self.plain.get(owner, ZERO))

    @property
    def in_lots(self) -> Decimal:
        return sum((lot.quantity for lot in self.lots.values()), ZERO)

    @property
    def ours(self) -> Decimal:
        return sum(self.plain.values(), self.in_lots)

    def sell(self, owner: str, quantity: Decimal, lot: str | None = None) -> None:
        """A leg sells its own lot; anybody else their lots, oldest first, then what they hold without levels."""
        own = [name for name in self.lots if name == lot]
        own += [name for name, each in self.lots.items() if each.strategy == owner and name != lot]
        left = quantity
        if owner == MANUAL and lot is None:
            # What a dead socket still delivers may find all of ours sold, or sells it: then these are coins that the
            # person had, whatever a lot says that another's second stop has sold.
            before = max(min(self.by_hand, left - max(self.ours, ZERO)), ZERO)
            self.by_hand -= before
            left -= before
        for name in own:
            taken = max(min(self.lots[name].quantity, left), ZERO)
            self.lots[name].quantity -= taken
            left -= taken
        if lot in self.lots:
            self.lots[lot].quantity -= left
            return
        taken = max(min(self.plain.get(owner, ZERO), left), ZERO)
        self.plain[owner] = self.plain.get(owner, ZERO) - taken
        left -= taken
        if owner in (MANUAL, GUARD, NOBODY):
            # The watchdog's stop is for all that has no levels, and what a person wants sold is sold.
            left = self.sell_of_others(left, lots=owner != GUARD)
        self.plain[owner] = self.plain.get(owner, ZERO) - left

    def sell_of_others(self, left: Decimal, *, lots: bool) -> Decimal:
        """Coins without levels first, then the oldest lot's; gives what nobody had."""
        for name, held in self.plain.items():
            taken = max(min(held, left), ZERO)
            self.plain[name] -= taken
            left -= taken
        for lot in self.lots.values() if lots else ():
            taken = max(min(lot.quantity, left), ZERO)
            lot.quantity -= taken
            left -= taken
        return left


@attrs.define
class PeopleWorld(BracketWorld):
    """`people` is a dice of its own."""

    people: random.Random = attrs.Factory(lambda: random.Random(2))
    foreign: set[int] = attrs.Factory(set)
    """Orders of the venue's own page, by the venue's id."""
    told: dict[str, FillRow] = attrs.Factory(dict)
    adoptions: dict[str, Adopted] = attrs.Factory(dict)
    words: dict[str, dict[int, Decimal]] = attrs.Factory(dict)
    """What our books held by the venue's word alone when they gave coins, by adoption and client id."""
    guarded: bool = False
    ambiguous: bool = False
    """History was silent, and what a wallet held of a person's was not what it was when it was quiet last, or there
    were coins without levels besides: by its figure alone nobody can tell whose coins are left, and a stop may sell
    them. Never more than is held."""
    plunders: bool = False
    plundered: bool = False
    """A person sold by hand, or lets rest for sale, what our books say is a lot's: the venue takes no stop for it."""
    taker_fee: Decimal = ZERO
    done: dict[str, int] = attrs.Factory(dict)
    """How often each thing was done."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self.venue.accounts[ACCOUNT].taker_fee = self.taker_fee

    # --- what people do ---------------------------------------------------------------------------------------------

    def wish(self) -> None:
        dice = self.people
        deeds = (
            self.buy_without_levels,
            self.sell_without_levels,
            self.leave_late,
            self.sell_by_hand,
            self.let_rest,
            self.change_resting,
            self.trade_on_the_venues_page,
            self.trade_on_the_venues_page,
            self.hold_back,
            self.adopt,
            self.move_oco,
            self.guard,
        )
        if dice.random() < 0.45:
            super().wish()
            return
        deed = dice.choice(deeds)
        if deed():
            self.done[deed.__name__] = self.done.get(deed.__name__, 0) + 1

    def a_quantity(self, most: int = 150) -> Decimal:
        return D(self.people.randrange(10, most)) / 100

    def buy_without_levels(self) -> bool:
        owner, purpose = self.people.choice((("plain", Purpose.ENTRY), ("manual", Purpose.MANUAL)))
        self.order(owner, purpose, Side.BUY, self.a_quantity())
        return True

    def sell_without_levels(self) -> bool:
        mine = self.truth().of("plain")
        if mine < PAIR.minimum or self.exit_is_open("plain"):
            return False
        self.order("plain", Purpose.EXIT, Side.SELL, floor_amount(mine))
        return True

    def leave_late(self) -> bool:
        """An exit that risk approved while its strategy still held something: its stop, or an heir, was faster."""
        strategy = self.people.choice(TRADERS)
        if self.truth().of(strategy) >= PAIR.minimum or self.exit_is_open(strategy):
            return False
        self.order(strategy, Purpose.EXIT, Side.SELL, self.a_quantity())
        return True

    def sell_by_hand(self) -> bool:
        """At market, through our ticket: a part of what a person holds, or all of it."""
        mine = floor_amount(self.truth().of("manual"))
        if mine < PAIR.minimum or self.exit_is_open("manual"):
            return False
        part = mine if self.people.random() < 0.5 else max(floor_amount(mine / 2), PAIR.minimum)
        self.order("manual", Purpose.MANUAL, Side.SELL, part, reduce_only=self.people.random() < 0.5)
        return True

    def let_rest(self) -> bool:
        """A limit order of our ticket: an entry below the market, or a sale of one's own above it."""
        dice = self.people
        away = D(dice.randrange(2, 25))
        if dice.random() < 0.6:
            bracket = self.a_bracket() if dice.random() < 0.5 else None
            price = round_price(self.price - away)
            self.rest(Side.BUY, self.a_quantity(), price, bracket=bracket)
            return True
        mine = floor_amount(self.truth().of("manual"))
        if mine < PAIR.minimum or self.exit_is_open("manual"):
            return False
        self.rest(Side.SELL, mine, round_price(self.price + away))
        return True

    def rest(self, side: Side, quantity: Decimal, price: Decimal, **more: Any) -> None:
        self.order("manual", Purpose.MANUAL, side, quantity, **more)
        approved = self.inbox.pop()
        intent = msgspec.structs.replace(approved.intent, order_type=OrderType.LIMIT, price=price)
        self.asked[intent.intent_id] = intent
        self.inbox.append(msgspec.structs.replace(approved, intent=intent))

    def change_resting(self) -> bool:
        dice = self.people
        rows = [
            row
            for row in self.machine.orders.values()
            if row.open and not row.protects and row.intent.order_type is OrderType.LIMIT
        ]
        if not rows:
            return False
        row, kind = dice.choice(rows), dice.randrange(5)
        if kind == 0:
            intent_id = None if dice.random() < 0.3 else row.intent.intent_id
            self.inbox.append(CancelIntent(intent_id=intent_id, reason="wish", correlation_id="x"))
            return True
        buys = row.intent.side is Side.BUY
        price = round_price(self.price - row.intent.side.sign * D(dice.randrange(-1, 20)))
        # A sale is made smaller only: how much a person owns is not for this dice to say.
        quantity = self.a_quantity() if buys else max(floor_amount(row.leaves / 2), PAIR.minimum)
        self.inbox.append(
            UpdateIntent(
                intent_id=row.intent.intent_id,
                price=price if kind != 1 else None,
                quantity=quantity if kind != 2 and (buys or quantity <= row.leaves) else None,
                reason="moved",
                correlation_id="x",
            )
        )
        return True

    def trade_on_the_venues_page(self) -> bool:
        """What this engine has not ordered. A person sells there what was bought there."""
        dice, account = self.people, self.venue.accounts[ACCOUNT]
        resting = [order for order in account.orders.values() if order.venue_id in self.foreign]
        if resting and dice.random() < 0.3:
            end = EndOrder(venue_id=dice.choice(resting).venue_id, cid=None, cid_date=None)
            self.say(self.venue.cancel(ACCOUNT, end, self.wall_ms))
            return True
        buys = dice.random() < 0.55
        offered = sum((order.remaining for order in resting if order.sign < 0), ZERO)
        mine = floor_amount(self.truth().by_hand - offered)
        if not buys and mine < PAIR.minimum:
            return False
        quantity = (
            self.a_quantity() if buys else min(max(floor_amount(mine * dice.choice((1, 2)) / 2), PAIR.minimum), mine)
        )
        quantity = min(quantity, PAIR.maximum)
        kind = dice.choice(("MARKET", "LIMIT", "LIMIT", "STOP"))
        away = D(dice.randrange(1, 25)) * (-1 if buys else 1) * (-1 if kind == "STOP" else 1)
        # Any client names its orders as it likes: as we do, if it happens so.
        cid = self.machine.last_cid + dice.randrange(-2, 3)
        price = None if kind == "MARKET" else round_price(self.price + away)
        self.place_by_hand(max(cid, 1), kind, quantity if buys else -quantity, price)
        return True

    def place_by_hand(self, cid: int, kind: str, amount: Decimal, price: Decimal | None) -> None:
        """An order from the venue's own page; `amount` is signed."""
        request = NewOrder(
            cid=cid,
            group_id=None,
            symbol=BTC,
            wire_type=f"EXCHANGE {kind}",
            amount=amount,
            price=price,
            aux_limit_price=None,
            trailing_distance=None,
            oco_stop_price=None,
            flags=0,
            leverage=None,
            expires_ms=None,
        )
        self.foreign.add(self.venue.next_order_id)
        self.say(self.venue.submit(ACCOUNT, request, self.wall_ms))
        self.tick(self.price)

    def hold_back(self) -> bool:
        """Let coins of ours rest for sale on the venue's page: what no order holds back at this moment."""
        wallet = self.venue.accounts[ACCOUNT].wallet("exchange", "BTC")
        free = min(floor_amount(wallet.available), PAIR.maximum)
        if not self.plunders or free < PAIR.minimum:
            return False
        self.plundered = True
        self.foreign.add(self.venue.next_order_id)
        request = NewOrder(
            cid=self.people.randrange(1, 10**9),
            group_id=None,
            symbol=BTC,
            wire_type="EXCHANGE LIMIT",
            amount=-free,
            price=round_price(self.price + D(self.people.randrange(5, 60))),
            aux_limit_price=None,
            trailing_distance=None,
            oco_stop_price=None,
            flags=0,
            leverage=None,
            expires_ms=None,
        )
        self.say(self.venue.submit(ACCOUNT, request, self.wall_ms))
        return True

    def adopt(self) -> bool:
        owner = self.people.choice(TRADERS)
        heir = self.people.choice([*TRADERS, "manual"])
        if owner == heir:
            return False
        symbol = BTC if self.people.random() < 0.5 else None
        self.inbox.append(Adopt(symbol=symbol, owner=owner, heir=heir, reason="renamed", correlation_id="a"))
        return True

    def move_oco(self) -> bool:
        rows = [row for row in self.machine.orders.values() if row.open and row.intent.oco_stop_price is not None]
        if not rows:
            return False
        row, dice = self.people.choice(rows), self.people
        sign = -row.intent.side.sign
        stop = round_price(self.price - sign * D(dice.randrange(2, 30))) if dice.random() < 0.7 else None
        target = round_price(self.price + sign * D(dice.randrange(-1, 30))) if dice.random() < 0.7 else None
        self.inbox.append(
            UpdateIntent(
                intent_id=row.intent.intent_id,
                price=target,
                quantity=None,
                reason="moved",
                correlation_id="x",
                stop_price=stop,
            )
        )
        if dice.random() < 0.4:
            # The market is faster, and falls through what people let rest below it.
            self.turn()
            self.tick(self.price * D("0.96"))
        return True

    def guard(self) -> bool:
        """The watchdog gives coins without levels a stop, if the settings say so."""
        if self.people.random() < 0.8:
            return False
        stop = round_price(self.price * D("0.95"))
        self.guarded = True
        self.inbox.append(Protect(symbol=BTC, margin=False, stop_price=stop, reason="bare", correlation_id="p"))
        return True

    def feed(self, message: Any) -> None:
        if isinstance(message, Adopt):
            self.machine.on_adopt(message, now=self.now, wall_ms=self.wall_ms)
        else:
            super().feed(message)

    def receive(self, command: VenueCommand) -> None:
        match command:
            case CancelOrder():
                end = (command.venue_id, command.cid, command.cid_date)
                order = self.venue._find(ACCOUNT, *end)
                assert order is None or order.venue_id not in self.foreign, f"foreign order {order} is cancelled"
            case UpdateOrder():
                assert command.venue_id not in self.foreign, f"foreign order {command.venue_id} is changed"
        super().receive(command)

    # --- the truth --------------------------------------------------------------------------------------------------

    def carry_out(self, out: Outputs, kill_at: int | None) -> None:
        try:
            super().carry_out(out, kill_at)
        finally:
            for key in out.cells:
                if key.startswith("adopted:") and key in self.disk:
                    rows = self.machine.orders.values()
                    self.words.setdefault(key, {row.cid: row.by_word for row in rows if row.by_word})

    def hear_of_the_disk(self) -> None:
        for key, cell in self.disk.items():
            if key.startswith("fill:") and key not in self.told:
                row = msgspec.json.decode(cell.payload, type=FillRow)
                if row.fill is not None:
                    self.told[key] = row
            elif key.startswith("adopted:") and key not in self.adoptions:
                self.adoptions[key] = msgspec.json.decode(cell.payload, type=Adopted)

    def truth(self) -> Truth:
        """From the venue's trades. Around an adoption it counts what our books had heard when they gave the coins, be
        it of the trades or by the venue's word on what it had executed."""
        self.hear_of_the_disk()
        adoptions = sorted(self.adoptions.values(), key=lambda each: each.serial)
        words = [dict(self.words[f"adopted:{each.serial:014d}"]) for each in adoptions]
        told: list[list[VenueTrade]] = [[] for _ in range(len(adoptions) + 1)]
        for trade in sorted(self.venue.history(ACCOUNT).trades, key=lambda each: (each.time_ms, each.trade_id)):
            row = self.told.get(f"fill:{trade.trade_id}:{trade.venue_order_id}")
            place = len(adoptions) if row is None else sum(each.serial < row.serial for each in adoptions)
            ours = trade.venue_order_id not in self.foreign
            for number in reversed(range(place if ours else 0)):
                left = words[number].get(trade.cid or 0, ZERO)
                if left > ZERO:
                    words[number][trade.cid or 0] = left - abs(trade.amount)
                    place = number
            told[place].append(trade)
        truth = Truth()
        for number, trades in enumerate(told):
            for trade in sorted(trades, key=lambda each: (each.time_ms, each.trade_id)):
                self.book(truth, trade)
            if number < len(adoptions):
                self.hand_over(truth, adoptions[number])
        return truth

    def hand_over(self, truth: Truth, adopted: Adopted) -> None:
        lot = truth.lots.get(adopted.owner)
        if lot is None:
            truth.wrongs.append(f"{adopted.owner} had nothing to give")
            return
        lot.strategy = adopted.heir
        name = adopted.heir
        if name == "manual":
            # Given of one strategy twice, the second has a number behind its name, unless all of the first is sold.
            name = f"manual:{adopted.owner}"
            names = {each for each in self.lots.values() if each.startswith(f"{name}:")} - {*truth.lots}
            if name in truth.lots and truth.lots[name].quantity > ZERO:
                name = min(names, key=lambda each: int(each.rsplit(":", 1)[1]), default=f"{name}:?")
        dust = truth.lots.pop(name, None)
        lot.quantity += ZERO if dust is None else dust.quantity
        # In its old place: a sale takes of the oldest first.
        truth.lots = {name if each == adopted.owner else each: kept for each, kept in truth.lots.items()}

    def book(self, truth: Truth, trade: VenueTrade) -> None:
        if not trade.wire_type.startswith("EXCHANGE"):
            return
        quantity = trade.amount
        if trade.fee is not None and trade.fee_currency == "BTC":
            quantity += trade.fee
        if trade.venue_order_id in self.foreign:
            truth.by_hand += quantity
            return
        row = self.machine.orders[trade.cid or 0]
        intent = row.intent
        owner = intent.strategy
        if quantity > 0:
            if intent.bracket is None:
                truth.plain[owner] = truth.plain.get(owner, ZERO) + quantity
            else:
                name = owner if intent.purpose is Purpose.ENTRY else intent.intent_id
                truth.lots.setdefault(name, Holding(owner)).quantity += quantity
        else:
            truth.sell(owner, -quantity, self.lot_of(truth, row) if row.protects else None)

    def lot_of(self, truth: Truth, row: OrderRow) -> str | None:
        name = self.lots[row.cid]
        if name in truth.lots or name == "":
            return name
        # It traded before its lot had its last name.
        return next((old for old, each in truth.lots.items() if f"manual:{old}" == name), None)

    def owned(self) -> dict[str, Decimal]:
        if self.nobodys:
            return {}
        truth = self.truth()
        names = {lot.strategy for lot in truth.lots.values()} | set(truth.plain)
        return {name: truth.of(name) for name in sorted(names) if name != NOBODY}

    @property
    def nobodys(self) -> bool:
        """True once coins may have been sold that nobody can be told to have owned."""
        return self.ghosts or self.ambiguous or self.plundered

    def stops(self, margin: bool) -> list[Order]:
        return [order for order in super().stops(margin) if order.venue_id not in self.foreign]

    def needs(self) -> dict[str, Decimal]:
        """How much of each lot should have its stop now: what is not being sold otherwise."""
        truth = self.truth()
        for order in self.venue.accounts[ACCOUNT].orders.values():
            if order.is_margin or order.sign > 0 or order.venue_id in self.foreign:
                continue
            row = self.machine.orders[order.cid]
            if not row.protects:
                if row.intent.strategy == NOBODY:
                    return {}
                truth.sell(row.intent.strategy, order.remaining)
        return {name: lot.quantity for name, lot in truth.lots.items() if lot.quantity > 0}

    def covered(self) -> dict[str, Decimal]:
        """What of each lot has its stop, its stop's number being asked of what was placed for which lot."""
        found: dict[str, Decimal] = {}
        for order in self.stops(False):
            lot = self.lots[order.cid]
            found[lot] = found.get(lot, ZERO) + order.remaining
        return found

    def bare(self, margin: bool) -> Decimal:
        if margin:
            return super().bare(margin)
        needs, covered = self.needs(), self.covered()
        if self.plundered:
            return ZERO
        if self.nobodys:
            left = sum(needs.values(), ZERO) - sum(covered.values(), ZERO)
            return left if left >= PAIR.minimum else ZERO
        missing = [max(quantity - covered.get(name, ZERO), ZERO) for name, quantity in needs.items()]
        missing = [each for each in missing if each >= SMALL]
        return sum(missing, ZERO)

    def look(self) -> None:
        truth = self.truth()
        if self.machine._stands_in:
            spare = self.machine.told_amounts[False].spare or {}
            self.ambiguous = self.ambiguous or spare.get("BTC", ZERO) != truth.by_hand or truth.ours != truth.in_lots
        super().look()
        if not self.nobodys:
            assert truth.by_hand + truth.ours == self.truly_held(False)
            wrong = [f"{name} holds {each.quantity}" for name, each in truth.lots.items() if each.quantity < -SMALL]
            wrong += [f"{name} holds {held} without levels" for name, held in truth.plain.items() if held < -SMALL]
            assert not wrong, f"sold what another holds: {wrong}"

    # --- the end ----------------------------------------------------------------------------------------------------

    def check_settled(self) -> None:
        machine, truth = self.machine, self.truth()
        longest = max(self.figures.naked_s, default=0.0)
        assert longest <= NAKED_LIMIT_S, f"a position must have its stop again in {NAKED_LIMIT_S} s, took {longest:.1f}"
        assert machine.illegal_total == 0, machine._out.alarms
        orders = self.venue.accounts[ACCOUNT].orders.values()
        for row in machine.orders.values():
            assert row.state is not OrderState.UNKNOWN, f"order {row.cid} is still unknown"
        assert self.foreign >= set(machine.foreign), "an order of ours is taken for a stranger's"
        resting = {order.venue_id for order in orders if order.venue_id in self.foreign}
        assert resting == set(machine.foreign), f"foreign orders that rest: {resting}, shown: {set(machine.foreign)}"
        ours = machine.fills.held.get((BTC, False), ZERO)
        assert ours == truth.ours, f"held must be {truth.ours}, was {ours}"
        if self.nobodys:
            return
        needs, covered = self.needs(), self.covered()
        for name, quantity in needs.items():
            off = covered.get(name, ZERO) - quantity
            assert quantity < SMALL or abs(off) < 2 * SMALL, (
                f"lot {name} holds {quantity}, its stops cover {covered.get(name, ZERO)}"
            )
        wanted, plain = sum(needs.values(), ZERO), truth.ours - truth.in_lots
        stopped = sum(covered.values(), ZERO)
        low = floor_amount(wanted) - PAIR.minimum
        high = wanted + (max(plain, ZERO) if self.guarded else PAIR.minimum)
        assert low <= stopped <= high, f"stops must cover from {low} to {high}, covered {stopped}"
        self.check_levels()
        self.check_margin()

    def check_levels(self) -> None:
        """Every stop stands where its lot's levels say."""
        orders = {order.cid: order for order in self.stops(False) + self.stops(True)}
        for bracket in self.machine.brackets.values():
            for order in orders.values():
                row = self.machine.orders[order.cid]
                mine = (row.intent.margin, row.lot) == (bracket.margin, bracket.lot)
                if mine and order.kind == "STOP" and bracket.levels.stop is not None:
                    assert order.price == bracket.levels.stop, (
                        f"the stop of {bracket.lot} must be at {bracket.levels.stop}, was at {order.price}"
                    )

    def check_margin(self) -> None:
        held = self.truly_held(True)
        assert self.machine.fills.held.get((BTC, True), ZERO) == held
        covered = sum((order.remaining for order in self.stops(True)), ZERO)
        wanted = abs(held) if abs(held) >= PAIR.minimum else ZERO
        assert covered == wanted, f"stops must cover {wanted}, covered {covered} (margin)"


def live_through(seed: int, steps: int = 300, *, trades_late_s: float = 0.0) -> PeopleWorld:
    """One world from its seed, to its settled end."""
    world = PeopleWorld(
        random.Random(f"people {seed}"),
        wallets_are_told=seed % 4 != 3,
        people=random.Random(f"person {seed}"),
        ways=random.Random(f"way {seed}"),
        rest_share=0.5 if seed % 4 == 2 else 0.0,
        taker_fee=D("0.002") if seed % 3 == 0 else ZERO,
        plunders=seed % 8 == 5,
        trades_late_s=trades_late_s,
    )
    for _ in range(steps):
        world.act()
    world.heal()
    world.check_settled()
    return world
