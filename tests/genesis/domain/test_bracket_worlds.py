"""Positions and their stops through every kind of trouble: seeded worlds, and the defects that they must catch."""

from collections.abc import Callable

import pytest

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
