"""What is looked at ahead comes out as it would have come out: with it and without, every world is the same."""

import copy
import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest

from genesis.domain.order_exits import OrderExits
from genesis.domain.order_heard import said_in
from genesis.domain.order_holdings import OrderHoldings
from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_rows import OrderRow
from protocols.orders import (
    Adopt,
    Approved,
    CancelIntent,
    CommandBatch,
    Flatten,
    OrderIntent,
    OrderType,
    Protect,
    Purpose,
    UpdateIntent,
)
from protocols.units import Side, Symbol
from tests.genesis.domain.bracket_world import BracketWorld
from tests.genesis.domain.people_world import PeopleWorld
from tests.genesis.domain.protect_bench import START_MS, Bench, HastyBench, a_wallet, sent

D = Decimal
Patch = pytest.MonkeyPatch
WORLDS = 12


@pytest.fixture
def bench() -> HastyBench:
    """A position of 1 with its stop resting (cid 2), and nothing else in the wallet."""
    made = HastyBench(coins="0")
    made.open_position()
    made.hold("1")
    return made


def leave(bench: Bench, **more: object) -> list[object]:
    return sent(bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None, **more))


def no_second_look(patch: Patch) -> None:
    def look(machine: OrderMachine, row: OrderRow) -> None:
        raise AssertionError("nobody may look a second time")

    patch.setattr(OrderExits, "_keeps_to_its_own", look)


def lives(seed: int, *, people: bool) -> BracketWorld:
    kind = PeopleWorld if people else BracketWorld
    world = kind(random.Random(f"foreseen {seed}"), wallets_are_told=True)
    for _ in range(250):
        world.act()
    world.heal()
    world.check_settled()
    return world


def an_order(symbol: Symbol, strategy: str, quantity: Decimal, *, exits: bool) -> Approved:
    intent = OrderIntent(
        intent_id="foreseen",
        strategy=strategy,
        symbol=symbol,
        side=Side.SELL if exits else Side.BUY,
        quantity=quantity,
        order_type=OrderType.MARKET,
        purpose=Purpose.EXIT if exits else Purpose.ENTRY,
        decided_ms=START_MS,
        correlation_id="x",
    )
    return Approved(intent=intent, settings_version=1)


def what_comes_of(machine: OrderMachine, exit_: Approved, now: float) -> tuple[object, ...]:
    machine.admit(exit_, now=now, wall_ms=START_MS)
    out = OrderMachine.take(machine)
    records = [(record.kind, record.key, record.payload) for record in out.records]
    said = said_in(out)
    assert list(said[3]) == out.reports
    return (*said, records, [(key, cell.payload) for key, cell in out.cells.items()], machine._held_from)


@pytest.mark.parametrize(("people", "worlds"), [(False, 6), (True, 30)])
def test_an_exit_does_what_was_foreseen_of_it(people: bool, worlds: int, monkeypatch: Patch) -> None:
    """In any state of any world, whenever it comes, should nothing be heard before it; and where its words are made
    behind it, they are those that would have been made at once."""
    ways: Counter[int] = Counter()
    turn = BracketWorld.turn

    def turn_and_look(world: BracketWorld, kill_at: int | None = None, *, process: bool = False) -> None:
        turn(world, kill_at, process=process)
        world.machine.foresee()
        for (symbol, strategy), (quantity, places) in world.machine._foreseen.items():
            ways[len(places)] += 1
            for exits, later_s in ((True, 0.0), (True, 2.5), (True, 90.0), (False, 0.0)):
                order = an_order(symbol, strategy, quantity, exits=exits)
                with_it, without = copy.deepcopy(world.machine), copy.deepcopy(world.machine)
                without._foreseen = {}
                with_it.lends = True
                now = world.now + later_s
                assert what_comes_of(with_it, order, now) == what_comes_of(without, order, now)

    monkeypatch.setattr(BracketWorld, "turn", turn_and_look)
    for seed in range(worlds):
        lives(seed, people=people)
    print(f"stops whose places were foreseen to be taken: {dict(ways)}")
    assert sum(ways.values()) > 100
    assert len(ways) > 1


@pytest.mark.parametrize("people", [False, True])
def test_worlds_are_the_same_where_the_spare_is_looked_for_before_every_order(people: bool) -> None:
    """Or only when it can have changed."""
    skipped = 0
    admit = OrderHoldings._admit_one

    def admit_counted(machine: OrderHoldings, approved: object) -> None:
        nonlocal skipped
        skipped += machine._now < machine._spare_at
        admit(machine, approved)  # type: ignore[arg-type]

    for seed in range(WORLDS):
        with Patch.context() as patch:
            patch.setattr(OrderHoldings, "_admit_one", admit_counted)
            plain = lives(seed, people=people)
        with Patch.context() as patch:
            patch.setattr(OrderHoldings, "_spare_at", property(lambda _: 0.0, lambda *_: None))
            assert lives(seed, people=people).disk == plain.disk
    assert skipped >= WORLDS


def test_an_exit_that_was_foreseen_takes_its_stops_place_without_a_second_look(
    bench: HastyBench, monkeypatch: Patch
) -> None:
    no_second_look(monkeypatch)
    (frame,) = leave(bench)
    assert isinstance(frame, CommandBatch)
    assert [command.cid for command in frame.commands] == [2, 3]


def test_one_of_another_quantity_is_looked_at_when_it_comes(bench: HastyBench, monkeypatch: Patch) -> None:
    no_second_look(monkeypatch)
    with pytest.raises(AssertionError, match="second time"):
        leave(bench, quantity=D("0.5"))


def test_nothing_is_foreseen_while_something_else_is_under_way(bench: HastyBench, monkeypatch: Patch) -> None:
    bench.admit(intent_id="more", quantity=D("0.5"))
    no_second_look(monkeypatch)
    with pytest.raises(AssertionError, match="second time"):
        leave(bench)


def test_other_pairs_are_another_question(bench: HastyBench, monkeypatch: Patch) -> None:
    no_second_look(monkeypatch)
    bench.machine.pairs = dict(bench.machine.pairs)
    with pytest.raises(AssertionError, match="second time"):
        leave(bench)


def _hear_wallet(machine: OrderMachine, now: float) -> None:
    machine.on_event(a_wallet(machine.fence.session, "1.5"), now=now, wall_ms=START_MS)


def _look_at_timer(machine: OrderMachine, now: float) -> None:
    machine.on_timer(now=now, wall_ms=START_MS)


def _cancel(machine: OrderMachine, now: float) -> None:
    wish = CancelIntent(intent_id=None, reason="x", correlation_id="x")
    machine.on_cancel(wish, now=now, wall_ms=START_MS)


def _update(machine: OrderMachine, now: float) -> None:
    name = machine.orders[2].intent.intent_id
    wish = UpdateIntent(intent_id=name, price=None, stop_price=D(90), quantity=None, reason="moved", correlation_id="x")
    machine.on_update(wish, now=now, wall_ms=START_MS)


def _flatten(machine: OrderMachine, now: float) -> None:
    machine.on_flatten(Flatten(symbol=None, reason="x", correlation_id="f"), now=now, wall_ms=START_MS)


def _protect(machine: OrderMachine, now: float) -> None:
    symbol = machine.orders[2].intent.symbol
    wish = Protect(symbol=symbol, margin=False, stop_price=D(90), reason="x", correlation_id="p")
    machine.on_protect(wish, now=now, wall_ms=START_MS)


def _adopt(machine: OrderMachine, now: float) -> None:
    owner = machine.orders[2].intent.strategy
    wish = Adopt(owner=owner, heir="heir", symbol=None, reason="x", correlation_id="a")
    machine.on_adopt(wish, now=now, wall_ms=START_MS)


def _take(machine: OrderMachine, now: float) -> None:
    machine.take()


HEARD = [_hear_wallet, _look_at_timer, _cancel, _update, _flatten, _protect, _adopt, _take]


@pytest.mark.parametrize("hear", HEARD, ids=lambda hear: hear.__name__)
def test_whatever_is_heard_or_done_ends_what_was_foreseen(
    bench: HastyBench, hear: Callable[[OrderMachine, float], None]
) -> None:
    bench.machine.foresee()
    assert bench.machine._foreseen
    hear(bench.machine, bench.now)
    assert not bench.machine._foreseen
