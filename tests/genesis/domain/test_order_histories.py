"""Promises of the order machine over histories that nobody would write, with every fault in them."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.genesis.domain.order_oracle import World


def live_through(tape: list[int]) -> World:
    world = World()
    for choice in tape:
        world.act(choice)
        world.check_laws()
    world.heal()
    world.check_settled()
    return world


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 24 * 840 - 1), max_size=150))
def test_no_history_loses_doubles_or_forgets_an_order(tape: list[int]) -> None:
    live_through(tape)


@pytest.mark.parametrize("seed", range(12))
def test_long_histories_with_every_fault(seed: int) -> None:
    chance = random.Random(seed)
    world = live_through([chance.randrange(24 * 840) for _ in range(500)])
    assert len(world.orders) > 5, "the venue must have seen orders for this to prove anything"


def test_the_same_history_twice_is_the_same_disk() -> None:
    chance = random.Random(99)
    tape = [chance.randrange(24 * 840) for _ in range(400)]
    assert live_through(tape).disk == live_through(tape).disk
