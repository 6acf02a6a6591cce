"""Positions and their stops through every kind of trouble: seeded worlds, and the defects that they must catch."""

from collections.abc import Callable

import pytest

from genesis.domain.order_hearing import REPORTS_WITHOUT_FILLS
from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_rows import OrderRow
from genesis.domain.order_state import OrderEvent
from tests.genesis.domain.bracket_mutants import MUTANTS, Patch
from tests.genesis.domain.bracket_world import live_through

pytestmark = pytest.mark.chaos

WORLDS = 45
KILLS = 500
SEEDS = 200


def test_whoever_dies_when_every_lot_keeps_its_stop() -> None:
    """At least 500 deaths of the process, at any step between deciding and acting, its disk kept."""
    kills = crashes = orders = trades = 0
    for seed in range(WORLDS):
        figures = live_through(seed).figures
        kills += figures.process_kills
        crashes += figures.actor_kills
        orders += figures.orders
        trades += figures.trades
    print(f"{kills} processes and {crashes} actors killed, {orders} orders, {trades} trades")
    assert kills >= KILLS
    assert trades >= WORLDS


def test_a_world_is_a_function_of_its_seed() -> None:
    assert live_through(7).disk == live_through(7).disk


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


@pytest.mark.parametrize("late_s", [60.0, 300.0])
def test_a_history_that_lacks_trades_for_long_makes_nobody_bare_or_sold_twice(late_s: float) -> None:
    """The socket loses most trades, too. Seed 112 sells what another strategy holds, should such orders end without."""
    assert sum(live_through(seed, trades_late_s=late_s).figures.trades for seed in (*range(12), 112)) > 12


@pytest.mark.parametrize(("seed", "late_s"), [(1149, 300.0), (1289, 60.0)])
def test_a_short_whose_trade_was_told_before_those_that_closed_the_long_has_its_stop(seed: int, late_s: float) -> None:
    """All of it had been taken for a close, and nobody remembered the levels that it was ordered with."""
    live_through(seed, trades_late_s=late_s)


def test_a_stop_that_had_not_left_sells_nothing_for_a_lot_that_is_sold_by_an_order_whose_trade_is_late() -> None:
    """It sold what another strategy held, and that one's own stop what a third had bought meanwhile."""
    live_through(184, trades_late_s=60.0)


def test_dust_of_others_has_an_order_of_its_own_beside_the_largest_that_the_venue_takes() -> None:
    """A lot of 3, the pair's maximum, and 0.04 of two others: 2.99 and 0.05 are to rest."""
    live_through(200126, trades_late_s=60.0)


def test_what_an_exit_leaves_as_dust_lies_with_the_largest_before_the_exit_has_left() -> None:
    """0.03 are to be left of 1.77, beside a lot of 2.98: with them it is above the pair's maximum of 3."""
    live_through(5867)


def test_stops_that_wait_in_the_worlds_own_line_are_not_counted_as_bare() -> None:
    """It looks away five times, 86 s in sum, twice with the cancels that make way in its line."""
    live_through(813, trades_late_s=60.0)


def test_an_end_without_its_trades_is_found_by_worlds_of_late_trades(monkeypatch: Patch) -> None:
    """As it was: after five reports without its trades an order ended with what had been told."""

    def end(machine: OrderMachine, row: OrderRow) -> None:
        if row.open and row.unshown and row.reports_without_fills >= REPORTS_WITHOUT_FILLS:
            machine._end(row, OrderEvent.LAST_FILL, row.reason)
        settle(machine, row)

    settle = OrderMachine._settle
    monkeypatch.setattr(OrderMachine, "_settle", end)
    monkeypatch.setattr(OrderMachine, "_word_counts", lambda machine, row: False)
    with pytest.raises(AssertionError, match="fast sold what another holds"):
        live_through(112, trades_late_s=60.0)
