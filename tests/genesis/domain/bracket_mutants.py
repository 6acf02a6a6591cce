"""Deliberate defects of brackets and protection, each small enough to slip in by accident."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

import genesis.domain.bracket as bracket_module
import genesis.domain.order_protect as protect_module
import genesis.domain.order_requests as requests_module
from genesis.domain.bracket import Leg, LegState, Levels, Place, Resize, Step, TakeOut
from genesis.domain.order_lots import Lot, Sale, Shares
from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_outputs import Outputs
from genesis.domain.order_rows import BracketRow, OrderRow
from genesis.domain.order_session import Fence
from genesis.domain.pairs import PairSpec
from protocols.orders import OrderType
from protocols.units import ZERO, Side

Patch = pytest.MonkeyPatch
_old = {
    name: getattr(OrderMachine, name)
    for name in ("take", "_leg", "_add_to_lot", "_begin_process", "_to_protect", "_advance_bracket", "_tell")
}
_next_steps = bracket_module.next_steps
_leg_intent = bracket_module.leg_intent


def one_bracket_for_everybody(patch: Patch) -> None:
    """The newest entry's levels hold for what others opened, too."""

    def add(machine: OrderMachine, row: OrderRow, opened: Decimal, price: Decimal, at_ms: int) -> None:
        bought = row.intent
        row.intent = msgspec.structs.replace(bought, strategy="all", intent_id="all")
        _old["_add_to_lot"](machine, row, opened, price, at_ms)
        row.intent = bought

    patch.setattr(OrderMachine, "_add_to_lot", add)


def a_sale_takes_from_the_oldest(patch: Patch) -> None:
    """Whoever sells takes from the lot that was opened first."""

    def after(shares: Shares, sale: Sale) -> Shares:
        left, lots = sale.quantity, []
        for lot in shares.lots:
            taken = min(lot.quantity, left)
            left -= taken
            lots.append(Lot(lot.name, lot.strategy, lot.quantity - taken))
        return Shares(tuple(lots), shares.rest - min(left, shares.rest))

    patch.setattr(Shares, "after", after)


def an_exit_does_not_hear_of_its_stop(patch: Patch) -> None:
    """An exit whose stop was faster sells what another strategy holds: neither the stop's fill nor the send looks."""
    patch.setattr(OrderMachine, "_shrink_exit", lambda machine, row, before, after: None)
    patch.setattr(OrderMachine, "_keeps_to_its_own", lambda machine, row: True)


def brackets_are_not_kept(patch: Patch) -> None:
    """A restart forgets which levels a position had."""
    _without_cells(patch, "bracket:")


def holdings_are_not_kept(patch: Patch) -> None:
    """A restart forgets what is held."""
    _without_cells(patch, "held:")


def _without_cells(patch: Patch, kind: str) -> None:
    def take(machine: OrderMachine) -> Outputs:
        out: Outputs = _old["take"](machine)
        for key in [key for key in out.cells if key.startswith(kind)]:
            del out.cells[key]
        return out

    patch.setattr(OrderMachine, "take", take)


def legs_forget_their_lot(patch: Patch) -> None:
    """A restart does not know what a resting stop protects."""

    def begin(machine: OrderMachine, epoch: int) -> None:
        _old["_begin_process"](machine, epoch)
        for row in machine._open.values():
            row.lot = ""

    patch.setattr(OrderMachine, "_begin_process", begin)


def stops_keep_their_first_size(patch: Patch) -> None:
    """A stop is not resized when its position changes."""

    def steps(wanted: Sequence[Place], legs: Sequence[Leg], *, margin: bool) -> tuple[Step, ...]:
        return tuple(step for step in _next_steps(wanted, legs, margin=margin) if not isinstance(step, Resize))

    patch.setattr(protect_module, "next_steps", steps)


def legs_outlive_their_position(patch: Patch) -> None:
    """What protected a position goes on resting when it is closed."""

    def steps(wanted: Sequence[Place], legs: Sequence[Leg], *, margin: bool) -> tuple[Step, ...]:
        found = _next_steps(wanted, legs, margin=margin)
        return found if wanted else tuple(step for step in found if not isinstance(step, TakeOut))

    patch.setattr(protect_module, "next_steps", steps)


def a_stop_is_placed_once(patch: Patch) -> None:
    """A stop that a stranger cancelled, or that was refused, does not come back."""
    patch.setattr(OrderMachine, "_may_place", lambda machine, bracket: bracket.last_cid == 0)


def a_second_stop_beside_the_first(patch: Patch) -> None:
    """A stop on its way is not counted."""

    def leg(machine: OrderMachine, row: OrderRow, side: Side) -> Leg:
        found: Leg = _old["_leg"](machine, row, side)
        moving = found.state is LegState.MOVING
        return (
            Leg(cid=found.cid, kind=found.kind, state=LegState.LOST, quantity=ZERO, levels=Levels())
            if moving
            else found
        )

    patch.setattr(OrderMachine, "_leg", leg)


def lost_stops_are_believed_in(patch: Patch) -> None:
    """A stop that a later session does not show counts as resting."""

    def leg(machine: OrderMachine, row: OrderRow, side: Side) -> Leg:
        found: Leg = _old["_leg"](machine, row, side)
        if found.state is not LegState.LOST:
            return found
        return Leg(cid=found.cid, kind=found.kind, state=LegState.MOVING, quantity=found.quantity, levels=found.levels)

    patch.setattr(OrderMachine, "_leg", leg)


def every_leg_sells(patch: Patch) -> None:
    """The stop of a short is on the wrong side."""

    def intent(place: Place, **more: Any) -> Any:
        return _leg_intent(place, **{**more, "side": Side.SELL})

    patch.setattr(protect_module, "leg_intent", intent)


def nothing_is_cut(patch: Patch) -> None:
    """A stop above the pair's maximum is sent whole."""
    patch.setattr(bracket_module, "cut", lambda quantity, pair: (quantity,))
    patch.setattr(requests_module, "cut", lambda quantity, pair: (quantity,))


def parts_are_taken_for_one_another(patch: Patch) -> None:
    """Of several stops of one lot any is changed into the first that is wanted."""

    def steps(wanted: Sequence[Place], legs: Sequence[Leg], *, margin: bool) -> tuple[Step, ...]:
        return _next_steps(wanted[:1], legs, margin=margin)

    patch.setattr(protect_module, "next_steps", steps)


def dust_is_nobodys(patch: Patch) -> None:
    """A lot below the pair's minimum is covered by no other stop."""

    def sizes(shares: Shares, pair: PairSpec | None, *, guarded: bool) -> Mapping[str, Decimal]:
        minimum = ZERO if pair is None else pair.minimum
        return {lot.name: lot.quantity for lot in shares.lots if lot.quantity >= minimum}

    patch.setattr(protect_module, "stop_sizes", sizes)


def a_lost_close_keeps_stops_away(patch: Patch) -> None:
    """While the order of a flatten is in doubt, its position has neither an exit nor a stop."""
    patch.setattr(OrderMachine, "_lacks_a_close", lambda machine, book: False)


def a_target_behind_its_stop(patch: Patch) -> None:
    """Levels that no OCO can have are asked for all the same."""
    patch.setattr(Levels, "in_order", lambda levels, side: True)


def the_pause_never_ends(patch: Patch) -> None:
    """A stop that was refused is tried again after hours."""
    patch.setattr(protect_module, "FIRST_PAUSE_S", 3600.0)
    patch.setattr(protect_module, "LONGEST_PAUSE_S", 3600.0)


def the_first_fill_is_all(patch: Patch) -> None:
    """What an entry's later trades open is no part of its lot."""

    def add(machine: OrderMachine, row: OrderRow, opened: Decimal, price: Decimal, at_ms: int) -> None:
        if not any(bracket.entry_id == row.intent.intent_id for bracket in machine.brackets.values()):
            _old["_add_to_lot"](machine, row, opened / 2, price, at_ms)

    patch.setattr(OrderMachine, "_add_to_lot", add)


def brackets_end_with_their_entry(patch: Patch) -> None:
    """A bracket is forgotten as soon as its entry is done."""

    def advance(machine: OrderMachine, bracket: BracketRow, quantity: Decimal, rows: Sequence[OrderRow]) -> None:
        _old["_advance_bracket"](machine, bracket, quantity, rows)
        if bracket.tries and bracket.key in machine.brackets and not machine._entry_is_open(bracket):
            del machine.brackets[bracket.key]
            machine._dirty[bracket.key] = None

    patch.setattr(OrderMachine, "_advance_bracket", advance)


def a_swapped_stop_is_forgotten(patch: Patch) -> None:
    """A stop whose frame was lost waits for ever for the answer to its cancel."""
    patch.setattr(OrderMachine, "_keep_place", lambda machine, row: None)


def over_rest_leaves_what_would_leave_on_a_socket(patch: Patch) -> None:
    """A session over REST counts as any other."""
    patch.setattr(Fence, "ready", property(lambda fence: fence.up and fence.reconciled))


def over_rest_stops_leave_uncompared(patch: Patch) -> None:
    """Over REST a stop leaves before history has spoken."""
    patch.setattr(Fence, "guards", property(lambda fence: fence.up and fence.shown))


def over_rest_leaves_what_opens_at_market(patch: Patch) -> None:
    """Over REST whatever is at market leaves, entries among it."""
    patch.setattr(protect_module, "gets_out", lambda row: row.intent.order_type is OrderType.MARKET)


def over_rest_stops_go_for_nobody(patch: Patch) -> None:
    """Over REST a stop is taken out whenever somebody wanted it to, though nothing is sold."""
    patch.setattr(OrderMachine, "_makes_way", lambda machine, book: machine.fence.narrow and machine.fence.guards)


MUTANTS: tuple[Callable[[Patch], None], ...] = (
    one_bracket_for_everybody,
    a_sale_takes_from_the_oldest,
    an_exit_does_not_hear_of_its_stop,
    brackets_are_not_kept,
    holdings_are_not_kept,
    legs_forget_their_lot,
    stops_keep_their_first_size,
    legs_outlive_their_position,
    a_stop_is_placed_once,
    a_second_stop_beside_the_first,
    lost_stops_are_believed_in,
    every_leg_sells,
    nothing_is_cut,
    parts_are_taken_for_one_another,
    dust_is_nobodys,
    a_lost_close_keeps_stops_away,
    a_target_behind_its_stop,
    the_pause_never_ends,
    the_first_fill_is_all,
    brackets_end_with_their_entry,
    a_swapped_stop_is_forgotten,
    over_rest_leaves_what_would_leave_on_a_socket,
    over_rest_stops_leave_uncompared,
    over_rest_leaves_what_opens_at_market,
    over_rest_stops_go_for_nobody,
)
