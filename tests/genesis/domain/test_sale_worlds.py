"""Nothing is sold twice: a stop that sold is heard of before its trade is, and what sells all must leave it out.

An engine that sold all that was held behind the time that stops have to let go broke the rule in 8 of these worlds, and
one whose exits took their stop's place by what trades said in 3.
"""

import pytest

from genesis.domain.order_rows import OrderRow
from protocols.units import ZERO
from tests.genesis.domain.sale_world import live_through

SEEDS = 600


def test_no_sale_is_of_more_than_is_held() -> None:
    worlds = [live_through(seed) for seed in range(SEEDS)]
    assert {seed: world.wrong for seed, world in enumerate(worlds) if world.wrong} == {}
    assert sum(world.stops_sold for world in worlds) > SEEDS
    assert sum(world.sales for world in worlds) > SEEDS // 2


def test_an_engine_that_goes_by_trades_alone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if what the venue has told as executed were held until its trade is there."""
    monkeypatch.setattr(OrderRow, "unbooked", property(lambda row: ZERO))
    wrong = [words for seed in range(100) for words in live_through(seed).wrong]
    assert {words.split()[2] for words in wrong} == {"FLATTEN", "EXIT"}
