"""The bracket: from whatever rests to one right stop, in steps that never promise the same coins twice."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.bracket import (
    Leg,
    LegKind,
    LegState,
    Levels,
    Place,
    Replace,
    Resize,
    TakeOut,
    beside,
    covered,
    levels_of,
    next_steps,
    wanted_legs,
)
from genesis.domain.pairs import PairSpec
from protocols.orders import Bracket
from protocols.units import Side, Symbol

D = Decimal
STOP = Levels(stop=D("90"))
BOTH = Levels(stop=D("90"), target=D("120"))


def a_leg(cid: int = 1, **changes: Any) -> Leg:
    fields: dict[str, Any] = {
        "cid": cid,
        "kind": LegKind.STOP,
        "state": LegState.RESTING,
        "quantity": D(1),
        "levels": STOP,
    }
    return Leg(**{**fields, **changes})


def steps(levels: Levels, quantity: str, *legs: Leg, margin: bool = False) -> tuple[Any, ...]:
    return next_steps(wanted_legs(levels, D(quantity), margin=margin), legs, margin=margin)


def test_a_naked_position_gets_its_stop() -> None:
    assert steps(STOP, "1") == (Place(kind=LegKind.STOP, quantity=D(1), levels=STOP),)


def test_stop_and_target_are_one_order_that_cancels_its_other_half() -> None:
    assert steps(BOTH, "1") == (Place(kind=LegKind.OCO, quantity=D(1), levels=BOTH),)


def test_a_right_stop_is_left_alone() -> None:
    assert steps(STOP, "1", a_leg()) == ()


def test_a_stop_of_another_size_is_changed_in_place() -> None:
    (place,) = wanted_legs(STOP, D("1.5"), margin=False)
    assert steps(STOP, "1.5", a_leg()) == (Resize(cid=1, quantity=D("1.5"), price=None, place=place),)


def test_a_moved_stop_is_moved_in_place() -> None:
    levels = Levels(stop=D("95"))
    (place,) = wanted_legs(levels, D(1), margin=False)
    assert steps(levels, "1", a_leg()) == (Resize(cid=1, quantity=None, price=D("95"), place=place),)


def test_an_oco_of_another_size_is_replaced_by_one_of_the_right_size() -> None:
    old = a_leg(kind=LegKind.OCO, levels=BOTH)
    (step,) = steps(BOTH, "2", old)
    (place,) = wanted_legs(BOTH, D(2), margin=False)
    assert step == Replace(cid=1, place=place, reason="its size or its levels changed")
    # Where both could trade the old one is only taken out, and the new one waits for it.
    assert steps(BOTH, "2", a_leg(kind=LegKind.OCO, levels=BOTH, state=LegState.LEAVING)) == ()


def test_nothing_is_replaced_while_another_one_holds_coins() -> None:
    old = a_leg(kind=LegKind.OCO, levels=BOTH)
    assert steps(BOTH, "2", old, a_leg(2, state=LegState.LEAVING)) == ()
    (step,) = steps(BOTH, "2", old, a_leg(2, state=LegState.LEAVING), margin=True)
    assert isinstance(step, Replace)


def test_of_two_stops_one_is_taken_out() -> None:
    (step,) = steps(STOP, "1", a_leg(1), a_leg(2))
    assert isinstance(step, TakeOut)
    assert step.cid == 2


def test_a_target_that_lost_its_stop_is_taken_out() -> None:
    (step,) = steps(BOTH, "1", a_leg(kind=LegKind.OCO, levels=BOTH, state=LegState.BROKEN))
    assert step == TakeOut(cid=1, reason="its stop is gone")


def test_what_nobody_can_see_any_more_covers_nothing() -> None:
    assert steps(STOP, "1", a_leg(state=LegState.LOST)) == (Place(kind=LegKind.STOP, quantity=D(1), levels=STOP),)


def test_nothing_is_protected_when_nothing_is_held() -> None:
    (step,) = steps(STOP, "0", a_leg())
    assert step == TakeOut(cid=1, reason="nothing is left to protect")


def test_on_margin_a_trailing_stop_has_its_target_beside_it() -> None:
    levels = Levels(trail=D("5"), target=D("120"))
    assert [step.kind for step in steps(levels, "1", margin=True)] == [LegKind.TRAIL, LegKind.TARGET]
    assert [step.kind for step in steps(levels, "1")] == [LegKind.TRAIL]


@pytest.mark.parametrize(
    ("bracket", "side", "levels"),
    [
        (Bracket(stop_distance=D("5")), Side.BUY, Levels(stop=D("95"))),
        (Bracket(stop_distance=D("5")), Side.SELL, Levels(stop=D("105"))),
        (
            Bracket(stop_price=D("90.1234"), target_distance=D("7")),
            Side.BUY,
            Levels(stop=D("90.123"), target=D("107")),
        ),
        (Bracket(stop_distance=D("5"), trailing=True), Side.BUY, Levels(trail=D("5"))),
        (Bracket(stop_distance=D("500")), Side.BUY, Levels()),
    ],
)
def test_levels_are_prices_that_the_venue_takes(bracket: Bracket, side: Side, levels: Levels) -> None:
    assert levels_of(bracket, side=side, price=D("100")) == levels


quantities = st.integers(min_value=1, max_value=5).map(Decimal)
levels = st.sampled_from([STOP, BOTH, Levels(stop=D("95")), Levels(trail=D("5")), Levels(target=D("120"))])
kinds = {LegKind.STOP: STOP, LegKind.OCO: BOTH, LegKind.TRAIL: Levels(trail=D("5"))}
leg_lists = st.lists(st.tuples(st.sampled_from(sorted(kinds)), st.sampled_from(LegState), quantities), max_size=4).map(
    lambda rows: [a_leg(n, kind=k, state=s, quantity=q, levels=kinds[k]) for n, (k, s, q) in enumerate(rows)]
)


@given(levels, quantities, leg_lists)
def test_whatever_rests_one_right_order_is_left_in_the_end(wanted: Levels, quantity: Decimal, legs: list[Leg]) -> None:
    """Each round the venue does what was asked and what was on its way arrives; at most one order a coin, always."""
    places = wanted_legs(wanted, quantity, margin=False)
    present = [leg for leg in legs if leg.state is not LegState.LOST]
    for number in range(12):
        todo = next_steps(places, present, margin=False)
        by_cid = {leg.cid: leg for leg in present}
        for step in todo:
            match step:
                case Place():
                    assert not by_cid, "coins that another order holds must not be promised again"
                    present.append(a_leg(100 + number, kind=step.kind, quantity=step.quantity, levels=step.levels))
                case Resize():
                    old = by_cid[step.cid]
                    moved = old.levels if step.price is None else step.price
                    new_levels = Levels(stop=moved) if isinstance(moved, Decimal) else moved
                    new = a_leg(step.cid, kind=old.kind, quantity=step.quantity or old.quantity, levels=new_levels)
                    present = [new if leg.cid == step.cid else leg for leg in present]
                case Replace(place=place):
                    new = a_leg(100 + number, kind=place.kind, quantity=place.quantity, levels=place.levels)
                    present = [new if leg.cid == step.cid else leg for leg in present]
                case TakeOut():
                    present = [leg for leg in present if leg.cid != step.cid]
        present = [
            a_leg(leg.cid, kind=leg.kind, quantity=leg.quantity, levels=leg.levels)
            for leg in present
            if leg.state is LegState.RESTING or leg.state is LegState.MOVING
        ]
    assert [(leg.kind, leg.quantity, leg.levels) for leg in present] == [(p.kind, p.quantity, p.levels) for p in places]
    assert covered(present) == (quantity if wanted.guards else 0)


def test_a_stop_grows_on_coins_only_when_what_holds_them_is_gone() -> None:
    legs = a_leg(), a_leg(2, quantity=D("0.5"))
    (gone,) = steps(STOP, "1.5", *legs)
    assert gone == TakeOut(cid=2, reason="another order protects the position")
    assert steps(STOP, "1.5", a_leg(), a_leg(2, quantity=D("0.5"), state=LegState.LEAVING)) == ()
    assert [type(step) for step in steps(STOP, "1.5", *legs, margin=True)] == [Resize, TakeOut]
    # What becomes smaller frees coins, and needs none.
    assert [type(step) for step in steps(STOP, "0.9", *legs)] == [Resize, TakeOut]


AMOUNTS = st.integers(0, 40).map(lambda tenths: D(tenths) / 10)
LEG_KINDS = st.sampled_from([LegKind.STOP, LegKind.OCO, LegKind.TRAIL])


@given(
    quantity=AMOUNTS,
    room=st.integers(-20, 40).map(lambda tenths: D(tenths) / 10),
    legs=st.lists(st.tuples(LEG_KINDS, st.sampled_from(LegState), AMOUNTS), max_size=3),
    levels=st.sampled_from([STOP, BOTH, Levels(trail=D(5)), Levels(trail=D(5), target=D(120)), Levels(target=D(120))]),
    margin=st.booleans(),
)
def test_what_goes_beside_a_stop_is_what_lacks_and_never_more_than_there_is_room_for(
    quantity: D, room: D, legs: list[tuple[LegKind, LegState, D]], levels: Levels, margin: bool
) -> None:
    pair = PairSpec(symbol=Symbol("tBTCUSD"), minimum=D("0.2"), maximum=D("1.5"))
    rest = [a_leg(cid, kind=kind, state=state, quantity=size) for cid, (kind, state, size) in enumerate(legs, 1)]
    wanted = wanted_legs(levels, quantity, margin=margin, pair=pair)
    places = beside(wanted, rest, room=room, pair=pair)
    there = sum((leg.quantity for leg in rest if leg.state in (LegState.RESTING, LegState.MOVING)), D(0))
    lacks = min(quantity - there, room) if levels.guards else D(0)
    assert sum(place.quantity for place in places) == (lacks if lacks >= pair.minimum else 0)
    assert all(pair.minimum <= place.quantity <= pair.maximum and place.levels.guards for place in places)
