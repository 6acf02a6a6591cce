"""An order that was rehearsed does, says and keeps what it would have without; and a rehearsal leaves no mark."""

import copy
import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import msgspec
import pytest
from typing_extensions import override

from genesis.domain.order_ahead import OrderAhead
from genesis.domain.order_heard import said_in
from genesis.domain.order_outputs import LateUpdate, Outputs
from genesis.domain.pairs import PairSpec
from protocols.orders import (
    Approved,
    Bracket,
    CancelIntent,
    CommandBatch,
    Flatten,
    OrderIntent,
    OrderType,
    Protect,
    Purpose,
    SubmitOrder,
)
from protocols.units import Side, Symbol
from tests.genesis.domain import bracket_world, protect_bench
from tests.genesis.domain.bracket_world import BTC, PAIR, BracketWorld
from tests.genesis.domain.people_world import PeopleWorld
from tests.genesis.domain.protect_bench import START_MS, HastyBench, a_wallet

D = Decimal
NS = 1_000_000_000
LATER_S = (0.0, 0.4, 2.0, 29.0, 31.0)
"""From a rehearsal to its order; the last of them is too late for an entry."""
_OF_THE_DRIVER = ("touch", "depth", "_ahead", "_taken", "_entering", "_was_foreseen", "_made", "_tells_late")


@pytest.fixture(autouse=True)
def everybody_can_rehearse(monkeypatch: pytest.MonkeyPatch) -> None:
    for where in (bracket_world, protect_bench):
        monkeypatch.setattr(where, "OrderMachine", OrderAhead)


def an_order(strategy: str, quantity: Decimal, *, symbol: Symbol = BTC, exits: bool = False, **more: Any) -> Approved:
    given: dict[str, Any] = {
        "intent_id": f"rehearsed:{strategy}:{exits}",
        "strategy": strategy,
        "symbol": symbol,
        "side": Side.SELL if exits else Side.BUY,
        "quantity": quantity,
        "order_type": OrderType.MARKET,
        "purpose": Purpose.EXIT if exits else Purpose.ENTRY,
        "decided_ms": START_MS,
        "correlation_id": "x",
    }
    return Approved(intent=OrderIntent(**(given | more)), settings_version=1)


def heard_at(order: Approved, received_ns: int) -> Approved:
    intent = msgspec.structs.replace(order.intent, received_ns=received_ns)
    return msgspec.structs.replace(order, intent=intent)


def words_of(out: Outputs) -> tuple[Any, ...]:
    records = [(record.kind, record.key, record.correlation_id, record.at_ms, record.payload) for record in out.records]
    cells = [(key, cell.table, cell.key, cell.payload) for key, cell in out.cells.items()]
    return (*said_in(out), out.intents, records, cells)


def state_of(machine: OrderAhead) -> dict[str, Any]:
    """All that it remembers, but for what it was given by who drives it and what it has made ready."""
    state = {name: value for name, value in vars(machine).items() if name not in _OF_THE_DRIVER}
    state["_late"] = {cid: late.update for cid, late in machine._late.items()}
    out = machine._out
    said = [each.update if isinstance(each, LateUpdate) else each for each in out.said]
    state["_out"] = [getattr(out, name) for name in out.__struct_fields__ if name != "said"] + said
    state["fills"] = vars(machine.fills)
    state["row order"] = list(machine.orders), list(machine._open), list(machine._by_intent)
    for cid, row in machine._open.items():
        assert machine.orders[cid] is row, f"order {cid} must be one row"
    return state


def admitted(machine: OrderAhead, order: Approved, now: float, wall_ms: int) -> Outputs | None:
    machine.admit(order, now=now, wall_ms=wall_ms)
    return machine.take_ready()


def the_market(machine: OrderAhead, front: Decimal) -> list[Any]:
    """What it asks of the market from now on."""
    asked: list[Any] = []

    def touch(symbol: Symbol, side: Side) -> Decimal:
        asked.append((symbol, side))
        return front

    machine.touch = touch
    return asked


def candidates(machine: OrderAhead, price: Decimal) -> list[Approved]:
    """Whatever may be approved next: what can be rehearsed, and what cannot."""
    orders = [
        an_order("fast", D("0.4"), bracket=Bracket(stop_distance=D(10))),
        an_order("slow", D("0.123456789")),
        an_order("slow", D(40), intent_id="as large as no pair takes"),
        an_order("slow", D("0.001"), intent_id="as small as no pair takes"),
        an_order("fast", D("0.4"), intent_id="short", margin=True, side=Side.SELL),
        an_order("fast", D("0.4"), intent_id="rests", order_type=OrderType.LIMIT, price=price * D("0.9")),
        an_order("manual", D("0.4"), intent_id="by hand", purpose=Purpose.MANUAL),
        an_order("fast", D("0.2"), intent_id="half", exits=True),
    ]
    for (symbol, strategy), (quantity, _) in machine._foreseen.items():
        orders.append(an_order(strategy, quantity, symbol=symbol, exits=True))
    return orders


@pytest.mark.parametrize(("kind", "worlds"), [(BracketWorld, 30), (PeopleWorld, 40)])
def test_a_rehearsed_order_is_the_order_to_the_byte(
    kind: type[BracketWorld], worlds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any state of any world, whenever it comes, should nothing be heard before it; and a rehearsal changes
    nothing."""
    taken: Counter[str] = Counter()
    turn = BracketWorld.turn
    dice = random.Random(5)

    def turn_and_look(world: BracketWorld, kill_at: int | None = None, *, process: bool = False) -> None:
        turn(world, kill_at, process=process)
        still = copy.deepcopy(world.machine)
        assert isinstance(still, OrderAhead)
        still.lends = True
        still.foresee()
        if not still._foreseen and dice.random() < 0.8:
            return
        then, then_ms = world.now + 1.5, world.wall_ms + 1500
        orders = candidates(still, world.price)
        exits = [each for each in orders if each.intent.purpose is Purpose.EXIT]
        for order in dict.fromkeys([*dice.sample(orders, 2), *exits]):
            later_s = dice.choice(LATER_S)
            machine = copy.deepcopy(still)
            machine.rehearse(order, now=then, wall_ms=then_ms)
            assert state_of(machine) == state_of(still)
            if machine._ahead is None:
                taken["not rehearsed"] += 1
                continue
            without = copy.deepcopy(still)
            now, wall_ms = then + later_s, then_ms + int(later_s * 1000)
            comes = heard_at(order, int((now - dice.choice((0.0, 0.003, 3.0))) * NS))
            # Far behind what rests of ours, or through it.
            front = world.price * dice.choice((D(1), D("1.05")))
            asked = [the_market(each, front) for each in (machine, without)]
            out = machine.take_rehearsed(comes, now=now, wall_ms=wall_ms)
            expected = admitted(without, comes, now, wall_ms)
            taken["asked the market"] += bool(asked[0])
            if out is not None:
                assert asked[0] == asked[1]
            if out is None:
                taken["not taken"] += 1
                # It is admitted as if nothing had been rehearsed.
                out = admitted(machine, comes, now, wall_ms)
            else:
                taken[f"{order.intent.purpose.value}, {len(out.commands[0].command.__struct_fields__)}"] += 1
                assert expected is not None
            # What is kept and handed out is whole before the machine goes on.
            assert (None if out is None else words_of(out)) == (None if expected is None else words_of(expected))
            machine.enter()
            assert state_of(machine) == state_of(without)
            for each in (machine, without):
                each.on_timer(now=now, wall_ms=wall_ms)
            assert words_of(machine.take()) == words_of(without.take())
            assert state_of(machine) == state_of(without)

    monkeypatch.setattr(BracketWorld, "turn", turn_and_look)
    for seed in range(worlds):
        world = kind(random.Random(f"rehearsed {seed}"))
        for _ in range(120):
            world.act()
    print(dict(taken))
    entries = sum(count for what, count in taken.items() if what.startswith("entry"))
    sales = sum(count for what, count in taken.items() if what.startswith("exit"))
    assert entries > 100, taken
    assert sales > 30, taken
    assert taken["not rehearsed"] > 100, taken
    assert taken["not taken"] > 30, taken
    assert taken["asked the market"] > 3, taken


@attrs.define
class HintedWorld(BracketWorld):
    """Its turns are those of the actor: what can leave is taken first. Hints come at every moment, right and wrong."""

    hinted: bool = True
    dice: random.Random = attrs.Factory(lambda: random.Random(3))
    taken: int = 0

    @override
    def wish(self) -> None:
        # Mostly all is quiet when an order comes, and it comes alone.
        for _ in range(2 if self.dice.random() < 0.7 else 0):
            self.run_well(1)
            self.advance(1.5)
        self.turn()
        super().wish()
        if self.dice.random() < 0.5 and self.inbox and isinstance(self.inbox[-1], Approved):
            # Rehearsed in time, and then something else comes first.
            order = self.inbox.pop()
            if self.hinted:
                assert isinstance(self.machine, OrderAhead)
                self.machine.rehearse(order, now=self.now, wall_ms=self.wall_ms)
            self.tick(self.price * D(self.dice.randrange(970, 1031)) / 1000)
            self.hear(len(self.frames))
            super().turn()
            self.inbox.append(order)
        self.turn()

    @override
    def turn(self, kill_at: int | None = None, *, process: bool = False) -> None:
        machine = self.machine
        assert isinstance(machine, OrderAhead)
        machine.lends = True
        self.hint(machine)
        if len(self.inbox) == 1 and isinstance(self.inbox[0], Approved):
            [order] = self.inbox
            out = machine.take_rehearsed(order, now=self.now, wall_ms=self.wall_ms)
            self.taken += out is not None
            machine.enter()
            if out is None:
                out = admitted(machine, order, self.now, self.wall_ms)
            if out is not None:
                self.carry_out(out, None)
                if kill_at is None:
                    self.inbox.clear()
        super().turn(kill_at, process=process)
        self.machine.foresee()
        self.hint(machine)

    def hint(self, machine: OrderAhead) -> None:
        """The dice is thrown in worlds without hints, too."""
        kind, later_s = self.dice.randrange(9), self.dice.choice((0.0, 0.001, 0.1, 0.5))
        if not self.hinted or kind == 8:
            return
        orders = [message for message in self.inbox if isinstance(message, Approved)]
        order = orders[-1] if orders and kind else an_order("fast", D("0.3"))
        if kind == 7:
            larger = msgspec.structs.replace(order.intent, quantity=order.intent.quantity + D("0.01"))
            order = msgspec.structs.replace(order, intent=larger)
        machine.rehearse(order, now=self.now - later_s, wall_ms=self.wall_ms - int(later_s * 1000))


def lived(seed: int, *, hinted: bool) -> HintedWorld:
    world = HintedWorld(random.Random(f"hinted {seed}"), hinted=hinted)
    for _ in range(150):
        world.act()
    return world


def test_worlds_with_hints_and_without_end_in_the_same_bytes() -> None:
    taken = orders = 0
    for seed in range(60):
        seen, blind = lived(seed, hinted=True), lived(seed, hinted=False)
        assert seen.disk == blind.disk, seed
        assert seen.submitted == blind.submitted, seed
        assert blind.taken == 0
        taken += seen.taken
        orders += seen.figures.orders
    print(f"{taken} rehearsed orders taken of {orders} orders in 60 worlds")
    assert taken > 60


def _never_void(patch: pytest.MonkeyPatch) -> None:
    for name in ("_at", "take", "told", "foresee", "admit", "disown"):
        patch.delattr(OrderAhead, name)


def _any_order_will_do(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(OrderAhead, "_is_still", lambda *_: True)


def _asks_from_the_rehearsal_on(patch: pytest.MonkeyPatch) -> None:
    take = OrderAhead.take_rehearsed

    def early(machine: OrderAhead, approved: Approved, *, now: float, wall_ms: int) -> Outputs | None:
        return take(machine, approved, now=now - 0.1, wall_ms=wall_ms)

    patch.setattr(OrderAhead, "take_rehearsed", early)


def _leaves_a_mark(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(OrderAhead, "_twin", lambda machine: machine)


@pytest.mark.parametrize(
    "defect",
    [_never_void, _any_order_will_do, _asks_from_the_rehearsal_on, _leaves_a_mark],
    ids=lambda defect: defect.__name__,
)
def test_worlds_tell_a_rehearsal_that_is_taken_wrongly(
    defect: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was never seen to be broken proves nothing."""
    for seed in range(60):
        blind = lived(seed, hinted=False)
        with monkeypatch.context() as patch:
            defect(patch)
            try:
                seen = lived(seed, hinted=True)
            except Exception:
                return
        if seen.disk != blind.disk:
            return
    raise AssertionError("no world told the difference")


# --- by hand --------------------------------------------------------------------------------------------------------


@pytest.fixture
def bench() -> HastyBench:
    """A position of 1 with its stop resting (cid 2), and nothing else in the wallet; an exit of it is foreseen."""
    made = HastyBench(coins="0")
    made.open_position()
    made.hold("1")
    made.machine.lends = True
    # The wallet is quiet then, and what is spare of it is known.
    made.wait(5)
    made.machine._note_spare()
    made.take()
    made.machine.told()
    made.machine.foresee()
    return made


def the_exit(bench: HastyBench) -> Approved:
    row = bench.machine.orders[2]
    return an_order(row.intent.strategy, D(1), symbol=row.intent.symbol, exits=True)


def rehearsed(bench: HastyBench, order: Approved) -> OrderAhead:
    machine = bench.machine
    assert isinstance(machine, OrderAhead)
    machine.rehearse(order, now=bench.now, wall_ms=START_MS)
    assert machine._ahead is not None
    return machine


def test_an_exit_takes_its_stops_place_as_of_the_moment_it_comes(bench: HastyBench) -> None:
    order = the_exit(bench)
    machine = rehearsed(bench, order)
    now = bench.now + 1.25
    out = machine.take_rehearsed(heard_at(order, 77), now=now, wall_ms=START_MS + 1250)
    assert out is not None
    with pytest.raises(AssertionError, match="what was taken must be entered"):
        machine.on_timer(now=now, wall_ms=START_MS + 1250)
    machine.enter()
    [outgoing] = out.commands
    assert isinstance(outgoing.command, CommandBatch)
    assert [each.cid for each in outgoing.command.commands] == [2, 3]
    submit = outgoing.command.commands[1]
    assert isinstance(submit, SubmitOrder)
    assert submit.received_ns == 77
    row, leg = machine.orders[3], machine.orders[2]
    assert row.since_at == now
    assert leg.request is not None
    assert leg.request.asked_at == now


def test_nothing_but_that_very_order_is_taken(bench: HastyBench) -> None:
    order = the_exit(bench)
    for other in (
        msgspec.structs.replace(order, settings_version=2),
        an_order(order.intent.strategy, D("0.9"), symbol=order.intent.symbol, exits=True),
        an_order(order.intent.strategy, D(1), symbol=order.intent.symbol, exits=True, intent_id="another"),
        an_order(order.intent.strategy, D(1), symbol=order.intent.symbol, exits=True, decided_ms=START_MS + 1),
    ):
        machine = rehearsed(bench, order)
        assert machine.take_rehearsed(other, now=bench.now, wall_ms=START_MS) is None
        # One answer is asked for once.
        assert machine.take_rehearsed(order, now=bench.now, wall_ms=START_MS) is None


def test_an_entry_whose_candle_is_too_old_by_then_is_not_taken(bench: HastyBench) -> None:
    entry = an_order("fast", D("0.4"))
    for later_s, is_taken in ((29.0, True), (30.0, False)):
        machine = rehearsed(copy.deepcopy(bench), entry)
        comes = heard_at(entry, int(bench.now * NS))
        out = machine.take_rehearsed(comes, now=bench.now + later_s, wall_ms=START_MS)
        assert (out is not None) == is_taken


def _hear_wallet(machine: OrderAhead, now: float) -> None:
    machine.on_event(a_wallet(machine.fence.session, "1.5"), now=now, wall_ms=START_MS)


def _look_at_timer(machine: OrderAhead, now: float) -> None:
    machine.on_timer(now=now, wall_ms=START_MS)


def _cancel(machine: OrderAhead, now: float) -> None:
    machine.on_cancel(CancelIntent(intent_id=None, reason="x", correlation_id="x"), now=now, wall_ms=START_MS)


def _flatten(machine: OrderAhead, now: float) -> None:
    machine.on_flatten(Flatten(symbol=None, reason="x", correlation_id="f"), now=now, wall_ms=START_MS)


def _protect(machine: OrderAhead, now: float) -> None:
    symbol = machine.orders[2].intent.symbol
    wish = Protect(symbol=symbol, margin=False, stop_price=D(90), reason="x", correlation_id="p")
    machine.on_protect(wish, now=now, wall_ms=START_MS)


def _take(machine: OrderAhead, now: float) -> None:
    machine.take()


def _tell(machine: OrderAhead, now: float) -> None:
    machine.told()


def _admit(machine: OrderAhead, now: float) -> None:
    machine.admit(an_order("slow", D("0.3")), now=now, wall_ms=START_MS)


def _halt(machine: OrderAhead, now: float) -> None:
    machine.halted = "by hand"


def _other_pairs(machine: OrderAhead, now: float) -> None:
    machine.pairs = {**machine.pairs, BTC: PairSpec(symbol=BTC, minimum=PAIR.minimum, maximum=PAIR.maximum)}


def _other_settings(machine: OrderAhead, now: float) -> None:
    machine.settings = copy.copy(machine.settings)


def _another_age(machine: OrderAhead, now: float) -> None:
    machine.signal_max_age_s = 20.0


HAPPENS = [
    _hear_wallet,
    _look_at_timer,
    _cancel,
    _flatten,
    _protect,
    _take,
    _tell,
    _admit,
    _halt,
    _other_pairs,
    _other_settings,
    _another_age,
]


@pytest.mark.parametrize("happens", HAPPENS, ids=lambda happens: happens.__name__)
def test_whatever_is_heard_or_done_makes_a_rehearsal_void(
    bench: HastyBench, happens: Callable[[OrderAhead, float], None]
) -> None:
    order = the_exit(bench)
    machine = rehearsed(bench, order)
    happens(machine, bench.now)
    assert machine.take_rehearsed(order, now=bench.now, wall_ms=START_MS) is None
