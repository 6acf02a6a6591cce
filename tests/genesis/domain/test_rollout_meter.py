"""A rollout's money: what was bought since it began, and nothing of what was held before."""

from decimal import Decimal

import msgspec
import pytest

from genesis.domain.rollout_meter import FILL_KIND, RolloutMeter
from protocols.config import Metric, Rollout, RolloutPlan
from protocols.journal import Record
from protocols.orders import Fill
from protocols.units import Side, Symbol
from tests.web.fakes import a_fill

D = Decimal
BTC = Symbol("tBTCUSD")
ENCODER = msgspec.json.Encoder(decimal_format="string")
PLAN = RolloutPlan(
    name="fewer",
    changes={"risk.position_fraction": "0.05"},
    symbols=("tBTCUSD",),
    metric=Metric.LOSS,
    threshold=0.01,
    duration_s=60.0,
    min_samples=0,
)


def fill(number: int, side: Side, quantity: str, price: str, fee: str) -> Fill:
    return msgspec.structs.replace(
        a_fill(number),
        symbol=BTC,
        strategy="s",
        side=side,
        quantity=D(quantity),
        price=D(price),
        fee=D(fee),
        fee_currency="USD",
        time_ms=1000 + number,
    )


def lost(*fills: Fill) -> float:
    """What the candidate's trading lost of 10,000."""
    meter = RolloutMeter(Rollout(plan=PLAN, version=2, started_ms=1000, author="a", reason=""))
    for each in fills:
        payload = ENCODER.encode(each)
        meter.hear(Record(kind=FILL_KIND, key=str(each.trade_id), payload=payload, correlation_id="c", at_ms=0))
    value = meter.status(now_ms=2000, equity=D(10_000)).value
    assert value is not None
    return value * 10_000


def test_what_was_held_before_costs_a_rollout_nothing() -> None:
    """Its exit is no doing of the new settings, nor is the fee of that: it took good ones back."""
    assert lost(fill(1, Side.SELL, "5", "7000", "-70")) == 0


def test_a_sale_of_old_and_new_coins_pays_for_the_new_ones() -> None:
    bought = fill(1, Side.BUY, "1", "7000", "-14")
    assert lost(bought, fill(2, Side.SELL, "5", "7000", "-70")) == pytest.approx(28)
    assert lost(bought, fill(2, Side.SELL, "1", "6900", "-13")) == pytest.approx(127)
