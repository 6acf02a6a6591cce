"""People who trade by hand, on our page and on the venue's own, beside strategies with stops: seeded worlds."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from genesis.domain import order_hearing
from genesis.domain.order_adopt import OrderAdopter
from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_rows import BracketRow, FillRow, OrderRow
from protocols.orders import Adopt
from protocols.units import ZERO
from tests.genesis.domain.people_world import live_through

pytestmark = pytest.mark.chaos

WORLDS = 60
SEEDS = 250
DEEDS = (
    "adopt",
    "buy_without_levels",
    "change_resting",
    "guard",
    "hold_back",
    "leave_late",
    "let_rest",
    "move_oco",
    "sell_by_hand",
    "sell_without_levels",
    "trade_on_the_venues_page",
)


def test_whoever_trades_besides_every_lot_keeps_its_stop_and_nobody_sells_anothers_coins() -> None:
    done: Counter[str] = Counter()
    told_apart = 0
    for seed in range(WORLDS):
        world = live_through(seed)
        done.update(world.done)
        told_apart += not world.nobodys
    print(f"{told_apart} worlds in which every coin has an owner to the end; {dict(done)}")
    assert sorted(done) == sorted(DEEDS)
    assert told_apart >= WORLDS / 3


def test_a_sale_by_hand_that_comes_late_takes_of_the_persons_own_coins_what_is_no_longer_ours() -> None:
    """A stop has sold all that was ours in the 45 s that its frame took: nothing is owed for what it sells."""
    assert live_through(1274).ghosts


def test_a_sale_by_hand_takes_nothing_of_an_entry_that_left_behind_it() -> None:
    """Both in the turn in which the session was compared, a stop having sold what the person held of ours before."""
    assert live_through(110214).figures.trades > 0


def test_a_sale_that_rests_takes_of_the_oldest_of_a_persons_lots_though_it_was_adopted_later() -> None:
    """It rested when the person was given an older lot than the one that it had been meant for."""
    assert live_through(132405).adoptions


@pytest.mark.parametrize("late_s", [60.0, 300.0])
def test_trades_that_are_told_late_change_nothing_of_whose_the_coins_are(late_s: float) -> None:
    """The socket loses most of them, too. What was adopted meanwhile is adopted with what the venue's word has sold."""
    assert sum(live_through(seed, trades_late_s=late_s).figures.trades for seed in (*range(12), 30, 52)) > 14


def test_a_close_behind_a_pause_sells_nothing_of_a_persons_for_what_a_stop_has_sold() -> None:
    """The venue's word on the stop and the end of the wait for other stops are due in one turn, behind 20 s."""
    live_through(154, trades_late_s=60.0)


def test_a_sale_by_hand_sells_the_persons_coins_where_a_second_stop_has_sold_its_lot() -> None:
    """It arrived 82 s after its socket had died."""
    assert live_through(322, trades_late_s=60.0).ghosts


def test_a_world_is_a_function_of_its_seed() -> None:
    assert live_through(13).disk == live_through(13).disk


Patch = pytest.MonkeyPatch


def an_answer_is_known_by_its_client_id(patch: Patch) -> None:
    """What the venue answers to another client is taken for the answer to ours."""
    patch.setattr(order_hearing, "_could_answer", lambda row, notice, refused: True)


def a_strangers_trade_is_taken_for_ours(patch: Patch) -> None:
    """A trade whose order history shows as a stranger's is booked to ours, by its client id."""
    old = OrderMachine._give_orphan_a_home

    def home(machine: OrderMachine, fill: FillRow, strangers: Any) -> None:
        old(machine, fill, ())

    patch.setattr(OrderMachine, "_give_orphan_a_home", home)


def an_exit_sells_what_others_hold_without_levels(patch: Patch) -> None:
    """Coins without levels are anybody's."""
    patch.setattr(OrderMachine, "_others_plain", lambda machine, symbol, strategy: ZERO)


def stops_stay_with_who_left_them(patch: Patch) -> None:
    """Coins are adopted without the stops that rest for them."""
    old = OrderAdopter._hand_over

    def hand_over(machine: OrderMachine, bracket: BracketRow, wish: Adopt) -> list[OrderRow]:
        legs = [(row, row.lot) for row in machine._legs(bracket.book, bracket.lot)]
        moved = old(machine, bracket, wish)
        for row, lot in legs:
            row.lot = lot
        return moved

    patch.setattr(OrderAdopter, "_hand_over", hand_over)


MUTANTS: tuple[Callable[[Patch], None], ...] = (
    an_answer_is_known_by_its_client_id,
    a_strangers_trade_is_taken_for_ours,
    an_exit_sells_what_others_hold_without_levels,
    stops_stay_with_who_left_them,
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_every_deliberate_defect_is_caught(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    for seed in range(SEEDS):
        try:
            live_through(seed)
        except Exception as caught:
            print(f"{mutant.__name__}: seed {seed}: {type(caught).__name__}: {str(caught)[:100]}")
            return
    pytest.fail(f"{mutant.__name__} lived through {SEEDS} seeds")
