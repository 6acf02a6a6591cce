"""What a run assumed of the market stands beside its figures, in words."""

from decimal import Decimal

from genesis.research.costs import Costs


def test_fees_spread_slippage_and_latency_are_always_told() -> None:
    assert Costs().words() == "fees 0.1 % maker, 0.2 % taker; half spread 0.005 %; slippage 0.005 %; latency 0 ms"


def test_what_is_not_nothing_is_told_too() -> None:
    told = Costs(
        half_spread=Decimal("0.001"),
        slippage=Decimal(0),
        latency_ms=250,
        participation=Decimal("0.1"),
        taker_fee=Decimal("0.003"),
        impact=Decimal("0.01"),
        carry_a_day=Decimal("0.0005"),
        worst_case=True,
    )
    assert told.words() == (
        "fees 0.1 % maker, 0.3 % taker; half spread 0.1 %; slippage 0 %; latency 250 ms; "
        "at most 10 % of a tick's volume; impact 1 %; interest 0.05 % a day; every minute at its low first"
    )
    assert Costs(fee_tiers=True).words().startswith("fees by the volume of thirty days; ")
