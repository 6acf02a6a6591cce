"""Lots of one position: each keeps its own stop, a sale takes from its seller, and no coin is protected twice."""

import itertools
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.account_machine import AccountMachine
from genesis.domain.order_lots import REST, Claim, Lot, Sale, Shares, cut, explained, shares_of, stop_sizes
from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_rows import view_of
from genesis.domain.pairs import PairSpec
from protocols.journal import CellWrite
from protocols.orders import (
    Bracket,
    CancelOrder,
    OrderState,
    OrderType,
    Protect,
    Purpose,
    SubmitOrder,
    UpdateOrder,
)
from protocols.settings import Settings
from protocols.units import ZERO, Side
from tests.genesis.domain.protect_bench import BTC, SETTINGS, START_MS, Bench, sent

D = Decimal
SMALL = PairSpec(symbol=BTC, minimum=D("0.1"), maximum=D(2))
AT_90 = Bracket(stop_price=D(90))
AT_80 = Bracket(stop_price=D(80))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def position(bench: Bench, quantity: str = "1", **entry: Any) -> tuple[int, int | None]:
    """Buy and fill at 100: the entry's client id, and that of the stop which rests for it."""
    bench.admit(quantity=D(quantity), **entry)
    cid = bench.machine.last_cid
    bench.accept(cid)
    bench.hear(bench.row(cid, "oc", status=f"EXECUTED @ 100({quantity})", remaining="0"))
    out = bench.fill(cid, quantity)
    stops = [command.cid for command in sent(out) if isinstance(command, SubmitOrder)]
    for stop in stops:
        bench.accept(stop)
    return cid, stops[0] if stops else None


def stops(bench: Bench) -> dict[str, tuple[Decimal, Decimal | None]]:
    """Lot by lot: how much its resting stops cover, and where."""
    found: dict[str, tuple[Decimal, Decimal | None]] = {}
    for row in bench.machine.orders.values():
        if row.protects and row.open:
            found[row.lot] = (found.get(row.lot, (ZERO, None))[0] + row.leaves, row.price)
    return found


def by_hand(intent_id: str, bracket: Bracket | None) -> dict[str, Any]:
    return {"intent_id": intent_id, "strategy": "manual", "purpose": Purpose.MANUAL, "bracket": bracket}


def test_two_strategies_on_a_symbol_have_a_stop_each(bench: Bench) -> None:
    position(bench, "1", strategy="fast", bracket=AT_90)
    position(bench, "2", strategy="slow", bracket=AT_80)
    assert stops(bench) == {"fast": (D(1), D(90)), "slow": (D(2), D(80))}


def test_each_bracket_by_hand_is_one_of_its_own(bench: Bench) -> None:
    position(bench, "1", **by_hand("a", AT_90))
    position(bench, "1", **by_hand("b", AT_80))
    assert stops(bench) == {"a": (D(1), D(90)), "b": (D(1), D(80))}


def test_an_entry_of_the_same_strategy_moves_the_stop_of_all_it_holds(bench: Bench) -> None:
    position(bench, "1", strategy="fast", bracket=AT_80)
    bench.admit(strategy="fast", bracket=AT_90)
    bench.accept(3)
    (change,) = sent(bench.fill(3, "1"))
    assert isinstance(change, UpdateOrder)
    assert (change.amount, change.price) == (D(-2), D(90))


def test_an_exit_leaves_the_other_strategys_stop_alone(bench: Bench) -> None:
    _, fast = position(bench, "1", strategy="fast", bracket=AT_90)
    position(bench, "2", strategy="slow", bracket=AT_80)
    (cancel,) = sent(bench.admit(strategy="fast", side=Side.SELL, purpose=Purpose.EXIT, bracket=None))
    assert isinstance(cancel, CancelOrder)
    assert cancel.cid == fast
    (sell,) = sent(bench.end(cancel.cid))
    assert sell.amount == D(-1)
    bench.accept(sell.cid)
    bench.hear(bench.row(sell.cid, "oc", status="EXECUTED @ 100(-1)", remaining="0"))
    assert sent(bench.fill(sell.cid, "1")) == []
    assert stops(bench) == {"slow": (D(2), D(80))}


def test_an_exit_whose_stop_was_faster_does_not_sell_what_the_other_strategy_holds(bench: Bench) -> None:
    _, fast = position(bench, "1", strategy="fast", bracket=AT_90)
    position(bench, "2", strategy="slow", bracket=AT_80)
    bench.admit(strategy="fast", side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    assert fast is not None
    bench.hear(bench.row(fast, "oc", status="EXECUTED @ 90(-1)", remaining="0"))
    assert sent(bench.fill(fast, "1", "90")) == []
    withdrawn = bench.machine.by_intent(f"i{bench.machine.last_cid}")
    assert (withdrawn.state, view_of(withdrawn).withdrawn) == (OrderState.REJECTED, True)
    assert stops(bench) == {"slow": (D(2), D(80))}


def test_an_exit_that_comes_after_its_stop_has_traded_does_not_sell_what_the_other_strategy_holds(bench: Bench) -> None:
    """Risk approved it while the stop was filled: it did not know yet."""
    _, fast = position(bench, "1", strategy="fast", bracket=AT_90)
    position(bench, "2", strategy="slow", bracket=AT_80)
    assert fast is not None
    bench.hear(bench.row(fast, "oc", status="EXECUTED @ 90(-1)", remaining="0"))
    bench.fill(fast, "1", "90")
    assert sent(bench.admit(strategy="fast", side=Side.SELL, purpose=Purpose.EXIT, bracket=None)) == []
    assert bench.machine.by_intent(f"i{bench.machine.last_cid}").state is OrderState.REJECTED
    assert stops(bench) == {"slow": (D(2), D(80))}


def test_an_exit_that_comes_after_part_of_its_stop_sells_the_rest(bench: Bench) -> None:
    _, fast = position(bench, "3", strategy="fast", bracket=AT_90)
    position(bench, "2", strategy="slow", bracket=AT_80)
    assert fast is not None
    bench.hear(bench.row(fast, "ou", status="PARTIALLY FILLED @ 90(-1)", remaining="2"))
    bench.fill(fast, "1", "90")
    (cancel,) = sent(bench.admit(strategy="fast", side=Side.SELL, purpose=Purpose.EXIT, bracket=None, quantity=D(3)))
    assert isinstance(cancel, CancelOrder)
    assert cancel.cid == fast
    (sell,) = sent(bench.end(cancel.cid, remaining="2"))
    assert sell.amount == D(-2)
    assert stops(bench) == {"slow": (D(2), D(80))}


def test_an_exit_that_comes_after_its_stop_has_traded_sells_none_of_the_persons_own_coins(bench: Bench) -> None:
    """The venue would take it: the wallet may hold more than we ever bought."""
    _, stop = position(bench, "1", strategy="fast", bracket=AT_90)
    assert stop is not None
    bench.hear(bench.row(stop, "oc", status="EXECUTED @ 90(-1)", remaining="0"))
    bench.fill(stop, "1", "90")
    assert sent(bench.admit(strategy="fast", side=Side.SELL, purpose=Purpose.EXIT, bracket=None)) == []
    assert bench.machine.by_intent(f"i{bench.machine.last_cid}").state is OrderState.REJECTED


def test_an_exit_sells_nothing_that_an_earlier_one_is_selling(bench: Bench) -> None:
    """Of a large exit that left as two orders the first may end while the second is in doubt: risk then asks again."""
    bench.machine.pairs = {BTC: SMALL}
    position(bench, "2", strategy="fast", bracket=None)
    position(bench, "2", strategy="fast", bracket=None)
    one, two = sent(bench.admit(strategy="fast", side=Side.SELL, purpose=Purpose.EXIT, bracket=None, quantity=D(4)))
    bench.accept(one.cid)
    bench.hear(bench.row(one.cid, "oc", status="EXECUTED @ 100(-2)", remaining="0"))
    bench.fill(one.cid, "2")
    again = {"strategy": "fast", "side": Side.SELL, "purpose": Purpose.EXIT, "bracket": None}
    assert sent(bench.admit(**again, quantity=D(2))) == []
    bench.accept(two.cid)
    bench.end(two.cid, remaining="2")
    (sell,) = sent(bench.admit(**again, quantity=D(2)))
    assert sell.amount == D(-2)


def test_a_stop_that_trades_closes_its_own_lot_only(bench: Bench) -> None:
    _, first = position(bench, "1", **by_hand("a", AT_90))
    position(bench, "1", **by_hand("b", AT_80))
    assert first is not None
    bench.hear(bench.row(first, "oc", status="EXECUTED @ 90(-1)", remaining="0"))
    bench.fill(first, "1", "90")
    assert stops(bench) == {"b": (D(1), D(80))}
    assert [bracket.lot for bracket in bench.machine.brackets.values()] == ["b"]


def test_what_nobody_gave_levels_is_not_sold_by_somebodys_stop(bench: Bench) -> None:
    position(bench, "1", strategy="fast", bracket=AT_90)
    position(bench, "5", **by_hand("free", None))
    assert stops(bench) == {"fast": (D(1), D(90))}
    wish = Protect(symbol=BTC, margin=False, stop_price=D(70), reason="naked", correlation_id="x")
    bench.machine.on_protect(wish, now=0.0, wall_ms=START_MS)
    (stop,) = sent(bench.take())
    assert (stop.amount, stop.price) == (D(-5), D(70))
    assert stops(bench) == {"fast": (D(1), D(90)), REST: (D(5), D(70))}


def test_lots_survive_the_process(bench: Bench) -> None:
    position(bench, "1", strategy="fast", bracket=AT_90)
    position(bench, "2", strategy="slow", bracket=AT_80)
    resting = [bench.row(cid, "os") for cid, row in bench.machine.orders.items() if row.open]
    bench.machine = OrderMachine(SETTINGS, epoch=2, signal_max_age_s=30.0)
    bench.machine.restore(bench.disk.values(), now=0.0, wall_ms=START_MS)
    bench.take()
    out = bench.connect(2, *(msgspec.structs.replace(row, session=2) for row in resting))
    assert sent(out) == []
    assert stops(bench) == {"fast": (D(1), D(90)), "slow": (D(2), D(80))}


def test_a_bracket_of_an_older_journal_goes_on_as_the_one_of_the_whole_position(bench: Bench) -> None:
    bench.open_position()
    disk: dict[str, CellWrite] = {}
    for key, cell in bench.disk.items():
        name, payload = key, cell.payload
        if key.startswith(("bracket:", "order:")):
            name = "bracket:tBTCUSD:exchange" if key.startswith("bracket:") else key
            row = msgspec.json.decode(payload)
            gone = ("lot", "since", "quantity", "look_at") if key.startswith("bracket:") else ("lot",)
            payload = msgspec.json.encode({field: value for field, value in row.items() if field not in gone})
        disk[name] = CellWrite(table=cell.table, key=name, payload=payload)
    stop = bench.row(2, "os")
    bench.machine = OrderMachine(SETTINGS, epoch=2, signal_max_age_s=30.0)
    bench.machine.restore(disk.values(), now=0.0, wall_ms=START_MS)
    bench.take()
    assert sent(bench.connect(2, msgspec.structs.replace(stop, session=2))) == []
    assert stops(bench) == {REST: (D(1), D(95))}


def test_an_exit_above_the_pairs_maximum_leaves_as_several_orders_in_one_commit(bench: Bench) -> None:
    position(bench, "5", bracket=None)
    bench.machine.pairs = {BTC: SMALL}
    out = bench.admit(intent_id="out", quantity=D(5), side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    assert [command.amount for command in sent(out)] == [D(-2), D(-2), D(-1)]
    assert [name for _, name in out.intents] == ["out", "out#2", "out#3"]
    again = bench.admit(intent_id="out", quantity=D(5), side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    assert sent(again) == []


def test_an_intent_that_was_cut_has_ended_when_its_last_order_has(bench: Bench) -> None:
    position(bench, "5", bracket=None)
    bench.machine.pairs = {BTC: SMALL}
    account = AccountMachine(Settings())
    out = bench.admit(intent_id="out", quantity=D(5), side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    cids = [command.cid for command in sent(out)]
    for cid, closed in zip(cids, ((), (), ("out",)), strict=True):
        bench.accept(cid)
        size = bench.machine.orders[cid].leaves
        heard = bench.hear(bench.row(cid, "oc", status=f"EXECUTED @ 100(-{size})", remaining="0"))
        for report in (*out.reports, *heard.reports, *bench.fill(cid, str(size)).reports):
            account.on_report(report)
        assert account.state().closed_intents == closed
    (ending,) = account.state().endings
    assert (ending.filled_quantity, ending.refused) == (D(5), False)


def test_a_lot_above_the_pairs_maximum_has_several_stops(bench: Bench) -> None:
    bench.machine.pairs = {BTC: a_pair(maximum=10)}
    position(bench, "5")
    bench.machine.pairs = {BTC: SMALL}
    bench.machine.on_timer(now=1.0, wall_ms=START_MS)
    for _ in range(4):
        for command in sent(bench.take()):
            if isinstance(command, SubmitOrder):
                bench.accept(command.cid)
            elif isinstance(command, UpdateOrder):
                bench.hear(msgspec.structs.replace(bench.row(command.cid, "ou"), original=D(-2), remaining=D(-2)))
        bench.now += 1
        bench.machine.on_timer(now=bench.now, wall_ms=START_MS)
    assert sorted(row.leaves for row in bench.machine.orders.values() if row.protects and row.open) == [
        D(1),
        D(2),
        D(2),
    ]


def a_pair(maximum: int) -> PairSpec:
    return PairSpec(symbol=BTC, minimum=D("0.1"), maximum=D(maximum))


# --- trading with oneself ---------------------------------------------------------------------------------------------


def test_an_opening_order_that_would_meet_our_own_is_refused(bench: Bench) -> None:
    target = Bracket(stop_price=D(90), target_price=D(120))
    position(bench, "1", strategy="fast", bracket=target)
    out = bench.admit(strategy="slow", order_type=OrderType.LIMIT, price=D(121), bracket=None)
    assert sent(out) == []
    row = bench.machine.orders[bench.machine.last_cid]
    assert (row.state, "our own order 2 at 120" in row.reason) == (OrderState.REJECTED, True)
    (command,) = sent(bench.admit(strategy="slow", order_type=OrderType.LIMIT, price=D(119), bracket=None))
    assert command.price == D(119)


@pytest.mark.parametrize(
    ("asks", "leaves"),
    [
        # An order of 1 must find twice as much in front of our own sale at 120.
        (((110.0, 1.0, 1), (111.0, 1.0, 1)), True),
        (((119.9, 50.0, 1),), False),
        (((110.0, 1.0, 1), (120.0, 1.0, 1)), False),
        (((110.0, 1.0, 1), (111.0, 0.5, 1)), False),
    ],
    ids=["deep", "near", "through", "shorter than the order"],
)
def test_a_market_order_is_judged_by_how_far_it_may_come_into_the_book(
    bench: Bench, asks: tuple[tuple[float, float, int], ...], leaves: bool
) -> None:
    position(bench, "1", strategy="fast", bracket=Bracket(stop_price=D(90), target_price=D(120)))
    bench.machine.touch = lambda symbol, side: D(str(asks[0][0])) if side is Side.SELL else D(109)
    bench.machine.depth = lambda symbol, side: asks if side is Side.SELL else ()
    assert len(sent(bench.admit(strategy="slow", bracket=None))) == leaves


@pytest.mark.parametrize(("front", "leaves"), [("117.7", False), ("117.6", True), (None, False)])
def test_without_a_book_a_market_order_may_come_two_percent_behind_its_front_or_anywhere(
    bench: Bench, front: str | None, leaves: bool
) -> None:
    position(bench, "1", strategy="fast", bracket=Bracket(stop_price=D(90), target_price=D(120)))
    bench.machine.touch = lambda symbol, side: None if front is None else D(front)
    assert len(sent(bench.admit(strategy="slow", bracket=None))) == leaves


def test_an_exit_takes_back_the_entry_that_it_would_meet_and_then_leaves(bench: Bench) -> None:
    position(bench, "1", bracket=None)
    bench.admit(strategy="slow", order_type=OrderType.LIMIT, price=D(99), bracket=None)
    bench.accept(2)
    bench.machine.touch = lambda symbol, side: D(99) if side is Side.BUY else D(100)
    (cancel,) = sent(bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None))
    assert (type(cancel), cancel.cid) == (CancelOrder, 2)
    (sell,) = sent(bench.end(2))
    assert (type(sell), sell.amount) == (SubmitOrder, D(-1))


def test_an_exit_does_not_wait_for_ever_for_a_cancel_without_an_answer(bench: Bench) -> None:
    position(bench, "1", bracket=None)
    bench.admit(strategy="slow", order_type=OrderType.LIMIT, price=D(99), bracket=None)
    bench.accept(2)
    bench.machine.touch = lambda symbol, side: D(99)
    bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)
    deadline = bench.machine.next_deadline()
    assert deadline is not None
    bench.now = SETTINGS.doubt_after_s
    assert deadline <= bench.now
    bench.machine.on_timer(now=bench.now, wall_ms=START_MS)
    assert [type(command) for command in sent(bench.take())].count(SubmitOrder) == 1


def test_an_exit_that_waited_for_a_session_has_its_time_to_clear_its_way_all_the_same(bench: Bench) -> None:
    """No cancel could leave either: world 111028 sold to a person's own order behind two minutes without a line."""
    position(bench, "1", bracket=None)
    bench.admit(strategy="slow", order_type=OrderType.LIMIT, price=D(99), bracket=None)
    bench.accept(2)
    bench.machine.touch = lambda symbol, side: D(99) if side is Side.BUY else D(100)
    bench.cut()
    assert sent(bench.admit(side=Side.SELL, purpose=Purpose.EXIT, bracket=None)) == []
    bench.now += 2 * SETTINGS.doubt_after_s
    (cancel,) = sent(bench.connect(2, bench.row(2, "os")))
    assert (type(cancel), cancel.cid) == (CancelOrder, 2)
    deadline = bench.machine.next_deadline()
    assert deadline is not None
    assert deadline <= bench.now + SETTINGS.doubt_after_s
    (sell,) = sent(bench.end(2))
    assert (type(sell), sell.amount) == (SubmitOrder, D(-1))


# --- a stop that we move ----------------------------------------------------------------------------------------------


def test_a_stop_follows_the_market_in_place_once_it_was_reached(bench: Bench) -> None:
    following = Bracket(stop_distance=D(5), trailing=True, activation_price=D(110))
    bid = D(100)
    bench.machine.touch = lambda symbol, side: bid
    _, stop = position(bench, "1", bracket=following)
    assert stops(bench) == {"s": (D(1), D(95))}

    def look() -> list[Any]:
        bench.now += 1
        bench.machine.on_timer(now=bench.now, wall_ms=START_MS)
        return sent(bench.take())

    bid = D(109)
    assert look() == []
    bid = D(111)
    (change,) = look()
    assert (change.cid, change.price) == (stop, D(106))
    assert stop is not None
    bench.hear(msgspec.structs.replace(bench.row(stop, "ou"), price=D(106)))
    bid = D(107)
    assert look() == []
    bid = D("111.2")
    assert look() == []  # less than a tenth of the distance is not worth a request
    bid = D(113)
    (change,) = look()
    assert change.price == D(108)
    assert bench.machine.next_deadline() is not None


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"trailing": False}, "activation_price"), ({"activation_price": D("NaN")}, "activation_price")],
)
def test_an_activation_without_a_moving_stop_is_refused(changes: dict[str, Any], field: str) -> None:
    fields: dict[str, Any] = {"stop_distance": D(5), "trailing": True, "activation_price": D(110), **changes}
    with pytest.raises(ValueError, match=field):
        Bracket(**fields)


# --- laws -------------------------------------------------------------------------------------------------------------

amounts = st.integers(min_value=0, max_value=400).map(lambda number: D(number) / 100)
lots = st.lists(amounts, max_size=5).map(
    lambda found: [Lot(f"lot{number}", f"s{number % 2}", quantity) for number, quantity in enumerate(found)]
)


@given(lots, amounts, amounts, st.sampled_from(["s0", "s1", "manual"]))
def test_a_sale_takes_what_it_sells_and_no_more(found: list[Lot], rest: Decimal, quantity: Decimal, who: str) -> None:
    before = Shares(tuple(found), rest)
    after = before.after(Sale(strategy=who, quantity=quantity))
    assert after.total == max(before.total - quantity, ZERO)
    assert all(new.quantity <= old.quantity for new, old in zip(after.lots, before.lots, strict=True))
    own = sum((lot.quantity for lot in before.lots if lot.strategy == who), ZERO)
    if quantity <= own + rest:
        others = [(lot.name, lot.quantity) for lot in before.lots if lot.strategy != who]
        assert [(lot.name, lot.quantity) for lot in after.lots if lot.strategy != who] == others


@given(lots, amounts, st.booleans())
def test_stops_cover_everything_once(found: list[Lot], held: Decimal, guarded: bool) -> None:
    shares = shares_of(held, found)
    sizes = stop_sizes(shares, SMALL, guarded=guarded)
    assert shares.total == held
    assert all(size == ZERO or size >= SMALL.minimum for size in sizes.values())
    covered = sum(sizes.values(), ZERO)
    wanted = held if guarded or shares.rest < SMALL.minimum else held - shares.rest
    if not sizes or wanted < SMALL.minimum:
        assert covered <= wanted
    else:
        assert covered == wanted


@given(amounts)
def test_cutting_loses_nothing_and_makes_orders_that_the_venue_takes(quantity: Decimal) -> None:
    parts = cut(quantity, SMALL)
    assert sum(parts, ZERO) == quantity
    if quantity >= SMALL.minimum:
        assert all(SMALL.minimum <= part <= SMALL.maximum for part in parts)


def test_a_symbol_without_a_known_pair_is_not_cut() -> None:
    assert cut(D(10_000), None) == (D(10_000),)


# --- whose coins they are, while nobody can ask ---------------------------------------------------------------------

bounds = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda pair: (min(pair), max(pair)))
claims_of = st.lists(st.tuples(bounds, st.one_of(st.none(), st.integers(1, 4)), st.booleans()), min_size=1, max_size=3)


@given(claims_of, bounds, st.integers(0, 12))
def test_whoever_holds_the_coins_nothing_of_them_is_sold_before_their_own_stop(
    drawn: list[tuple[tuple[int, int], int | None, bool]], rest: tuple[int, int], total: int
) -> None:
    """All ways to share what is held are tried, each of which may be the truth."""
    claims = [
        Claim(name=str(n), least=D(low), most=D(high), reach=None if reach is None else D(reach), bought=bought)
        for n, ((low, high), reach, bought) in enumerate(drawn)
    ]
    truths = [
        each
        for each in itertools.product(*(range(low, high + 1) for (low, high), _, _ in drawn))
        if rest[0] <= total - sum(each) <= rest[1]
    ]
    found = explained(D(total), claims, rest_least=D(rest[0]), rest_most=D(rest[1]))
    assert sum(found.sizes.values()) <= total
    for claim in claims:
        assert found.unclear.get(claim.name, ZERO) <= found.sizes[claim.name]
    for truth in truths:
        for n, claim in enumerate(claims):
            assert found.sizes[claim.name] - found.unclear.get(claim.name, ZERO) <= truth[n] or len(truths) == 1
        for reach in range(1, 5):
            near = [n for n, claim in enumerate(claims) if claim.reach is not None and claim.reach <= reach]
            assert sum(found.sizes[str(n)] for n in near) <= sum(truth[n] for n in near)
    if truths:
        least_covered = min(sum(truth) for truth in truths)
        assert sum(found.sizes.values()) == least_covered, "what nobody's lot can be is all that is left out"
    if len(truths) == 1:
        assert tuple(int(found.sizes[claim.name]) for claim in claims) == truths[0]
        assert not found.unclear


@pytest.mark.parametrize("guarded", [False, True])
def test_where_all_is_being_sold_every_stop_covers_nothing(guarded: bool) -> None:
    shares = Shares((Lot("a", "s", D(0)), Lot("b", "t", D(0))), D(0))
    rest = {REST: D(0)} if guarded else {}
    assert stop_sizes(shares, None, guarded=guarded) == {"a": D(0), "b": D(0)} | rest


@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(1, 120),
    st.sampled_from(("mine", "theirs")),
    st.sampled_from(("mine", "other", None)),
)
def test_a_sale_from_the_only_lot_is_what_it_is_beside_an_empty_one(
    lot: int, rest: int, sold: int, seller: str, leg: str | None
) -> None:
    only, empty = Lot("mine", "mine", D(lot)), Lot("empty", "nobody", ZERO)
    sale = Sale(strategy=seller, quantity=D(sold), lot=leg)
    alone = Shares((only,), D(rest)).after(sale)
    beside = Shares((only, empty), D(rest)).after(sale)
    assert (alone.lots, alone.rest) == (beside.lots[:1], beside.rest)
