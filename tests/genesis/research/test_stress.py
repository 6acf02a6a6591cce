"""Worse costs: what each of them changes, and where a strategy stops earning."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.matching import VENUE_TIERS, FillModel
from genesis.research.costs import flat_fees, worsened
from genesis.research.stress import LADDER, break_even


@pytest.mark.parametrize(
    ("ladder", "found"),
    [
        ([(0.0, 0.2), (1.0, 0.1), (2.0, -0.1)], 1.5),
        ([(0.0, 0.2), (1.0, -0.2)], 0.5),
        ([(0.0, -0.1), (1.0, -0.2)], None),
        ([(0.0, 0.3), (1.0, 0.2)], None),
        ([(0.0, 0.1), (1.0, 0.0)], 1.0),
    ],
)
def test_where_it_stops_earning(ladder: list[tuple[float, float]], found: float | None) -> None:
    assert break_even(ladder) == (found if found is None else pytest.approx(found))


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8))
def test_it_stops_earning_between_a_row_that_earns_and_one_that_does_not(returns: list[float]) -> None:
    ladder = [(float(place), value) for place, value in enumerate(returns)]
    found = break_even(ladder)
    if found is not None:
        assert returns[int(found - 1e-9)] > 0.0 or returns[int(found)] > 0.0
        assert min(returns) <= 0.0


def test_each_cost_is_made_worse_by_itself() -> None:
    model = FillModel(impact=Decimal("0.01"), latency_ms=10)
    dear = worsened(model, fees=Decimal(2))
    assert flat_fees(dear) == (Decimal("0.004"), Decimal("0.002"))
    assert (dear.slippage, dear.impact, dear.latency_ms) == (model.slippage, model.impact, 10)
    wide = worsened(model, slippage=Decimal(3), latency_ms=5)
    assert (wide.half_spread, wide.slippage, wide.impact) == (
        3 * model.half_spread,
        3 * model.slippage,
        Decimal("0.03"),
    )
    assert (flat_fees(wide), wide.latency_ms) == (flat_fees(model), 15)
    tiers = worsened(FillModel(fee_tiers=VENUE_TIERS), fees=Decimal("1.5")).fee_tiers
    assert [tier.taker for tier in tiers] == [tier.taker * Decimal("1.5") for tier in VENUE_TIERS]


def test_all_costs_are_all_of_them() -> None:
    """Interest, too: "no costs" that pays it hides what the others did."""
    model = FillModel(impact=Decimal("0.01"), carry_a_day=Decimal("0.001"))
    for row in LADDER:
        worse = worsened(model, fees=row.fees, slippage=row.slippage, carry=row.carry, latency_ms=row.latency_ms)
        taker, maker = flat_fees(model)
        assert flat_fees(worse) == (taker * row.fees, maker * row.fees)
        for name in ("half_spread", "slippage", "impact", "carry_a_day"):
            assert getattr(worse, name) == getattr(model, name) * row.fees, (row.name, name)
