"""Flattens in worlds of brackets: of what came before one that is done nothing is held, or may be bought yet."""

import random

import attrs
import pytest

from genesis.domain.order_machine import OrderMachine
from tests.genesis.domain.bracket_words import ACCOUNT
from tests.genesis.domain.bracket_world import PAIR, BracketWorld

SEEDS = 60


@attrs.define(kw_only=True)
class FlattenWorld(BracketWorld):
    """Holds each wish that is done against the venue's own books, in the very turn."""

    done: set[str] = attrs.field(factory=set)

    def turn(self, kill_at: int | None = None, *, process: bool = False) -> None:
        super().turn(kill_at, process=process)
        for flatten in self.machine.flattens.values():
            if not flatten.books and not flatten.given_up and flatten.flatten_id not in self.done:
                self.done.add(flatten.flatten_id)
                self.must_be_flat(flatten.flatten_id)

    def must_be_flat(self, name: str) -> None:
        rows = self.machine.orders
        opening = [
            order.cid
            for order in self.venue.accounts[ACCOUNT].orders.values()
            if order.cid in rows and rows[order.cid].opens_risk
        ]
        assert not opening, f"{name} is done, and orders {opening} may still open something"
        for margin in (False, True):
            held = self.truly_held(margin)
            assert abs(held) < PAIR.minimum, f"{name} is done, and {held} is held (margin {margin})"


def live_through(seed: int) -> FlattenWorld:
    world = FlattenWorld(
        chance=random.Random(f"flatten {seed}"),
        wallets_are_told=seed % 2 == 0,
        ways=random.Random(f"way {seed}"),
        rest_share=0.5 if seed % 4 == 2 else 0.0,
    )
    for _ in range(250):
        world.act()
    world.heal()
    world.check_settled()
    return world


def test_a_wish_that_is_done_has_left_nothing_of_what_came_before_it() -> None:
    """Over deaths, lost frames, silent history and sessions over REST alone."""
    assert sum(len(live_through(seed).done) for seed in range(SEEDS)) > 20


def test_that_a_wish_forgets_an_order_on_its_way_is_found_by_these_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was: a wish was done while nothing was held and nothing rested."""
    monkeypatch.setattr(OrderMachine, "_may_bring", lambda machine, open_rows: False)
    with pytest.raises(AssertionError, match="is done, and"):
        for seed in range(SEEDS):
            live_through(seed)
