"""Worlds of people in which a stop often trades while the frame of what takes its place is on its way."""

import random
from decimal import Decimal

import attrs
import pytest

from genesis.domain.order_machine import OrderMachine
from genesis.domain.order_state import AT_VENUE
from protocols.orders import Purpose, UpdateIntent
from protocols.units import ZERO, Side, floor_amount, round_price
from tests.genesis.domain.bracket_words import ACCOUNT
from tests.genesis.domain.bracket_world import PAIR
from tests.genesis.domain.people_world import TRADERS, PeopleWorld

pytestmark = pytest.mark.chaos

D = Decimal
SEEDS = 40


@attrs.define(kw_only=True)
class CrossingWorld(PeopleWorld):
    """In some a person has coins in the wallet from the venue's own page: those a second sale would sell."""

    crossed: int = 0

    def wish(self) -> None:
        if self.people.random() < 0.5 or not self.cross():
            super().wish()

    def cross(self) -> bool:
        """A strategy leaves, or its levels are moved; and before that frame is there, the market is at its stop."""
        self.run_well(2)
        wallet = self.venue.accounts[ACCOUNT].wallet("exchange", "BTC").balance
        if self.frames or self.inbox or self.machine.told_amounts[False].amounts.get("BTC", ZERO) != wallet:
            # What nobody has told nobody can know.
            return False
        rows = [row for row in self.machine.orders.values() if row.protects and row.state in AT_VENUE]
        rows = [row for row in rows if not row.intent.margin and row.intent.strategy in TRADERS]
        if not rows:
            self.order(
                self.people.choice(TRADERS), Purpose.ENTRY, Side.BUY, self.a_quantity(), bracket=self.a_bracket()
            )
            return True
        row = self.people.choice(rows)
        owner, mine = row.intent.strategy, self.truth().of(row.intent.strategy)
        if mine < PAIR.minimum or self.exit_is_open(owner):
            return False
        if row.intent.oco_stop_price is not None and row.price is not None and self.people.random() < 0.5:
            self.move(row.intent.intent_id, round_price(row.price + 1))
        else:
            self.order(owner, Purpose.EXIT, Side.SELL, floor_amount(mine))
        self.turn()
        self.crossed += 1
        self.tick(self.price * D("0.96"))
        while self.commands:
            self.send()
        return True

    def move(self, intent_id: str, target: Decimal) -> None:
        wish = UpdateIntent(intent_id=intent_id, price=target, quantity=None, reason="moved", correlation_id="x")
        self.inbox.append(wish)


def live_through(seed: int) -> CrossingWorld:
    world = CrossingWorld(chance=random.Random(f"crossing {seed}"), people=random.Random(f"hand {seed}"))
    if seed % 2:
        world.place_by_hand(1, "MARKET", D(2), None)
    for _ in range(250):
        world.act()
    world.heal()
    world.check_settled()
    return world


def test_whoever_is_late_sells_nothing_of_anothers() -> None:
    assert sum(live_through(seed).crossed for seed in range(SEEDS)) > SEEDS


def test_a_second_sale_where_other_coins_are_there_is_found_by_these_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two orders that sell the same coins the venue takes both, where a person's lie in the wallet."""
    monkeypatch.setattr(OrderMachine, "_one_of_both", lambda machine, book: True)
    with pytest.raises(AssertionError, match="sold what another holds"):
        for seed in range(SEEDS):
            live_through(seed)
