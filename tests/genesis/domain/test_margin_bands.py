"""Positions are looked at only where their margin could run low, and nothing that matters happens in between."""

import random
from decimal import Decimal

import pytest

from genesis.domain.matching import FillModel, FillWhen
from genesis.domain.pairs import pair_specs
from genesis.domain.venue import NOTHING, Venue
from genesis.domain.venue_state import PositionNews, VenueOutput
from protocols.bitfinex.inputs import NewOrder
from protocols.units import Symbol

D = Decimal
PRICES = {Symbol("tBTCUSD"): 8000.0, Symbol("tETHUSD"): 800.0, Symbol("tLTCUSD"): 150.0}


def a_venue() -> Venue:
    venue = Venue(pair_specs(PRICES), model=FillModel(when=FillWhen.AT_ONCE))
    for name in ("one", "two"):
        venue.open_account(name, (("exchange", "USD", D(50_000)), ("margin", "USD", D(10_000))))
    for symbol, price in PRICES.items():
        venue.on_tick(symbol, price, 1.0, 1_000)
    return venue


def told_by(seed: int, *, always: bool) -> tuple[list[list[VenueOutput]], int]:
    """All that a venue tells of a wild market, and how many ticks cost nothing. `always`: each looks at everybody."""
    rng, venue, prices, now_ms = random.Random(seed), a_venue(), dict(PRICES), 1_000
    told, idle = [], 0
    for number in range(1_500):
        now_ms += 1_000
        symbol, name, chance = rng.choice(list(PRICES)), rng.choice(("one", "two")), rng.random()
        if chance < 0.03:
            size = round(rng.choice((-1, 1)) * rng.uniform(0.5, 3) * 8_000 / prices[symbol], 4)
            wish = NewOrder(cid=number, group_id=None, symbol=symbol, wire_type="MARKET", amount=D(str(size)))
            told.append(venue.submit(name, wish, now_ms))
        elif chance < 0.05:
            source, target = rng.choice((("exchange", "margin"), ("margin", "exchange")))
            try:
                told.append(venue.books.transfer(name, source, target, "USD", "USD", D(rng.randint(1, 1_500)), now_ms))
            except ValueError:
                told.append([])
        else:
            prices[symbol] = round(prices[symbol] * (1 + rng.gauss(0, 0.018)), 2)
            if always:
                for market in venue._markets.values():
                    market.wake_ms = 0
            out = venue.on_tick(symbol, prices[symbol], 1.0, now_ms)
            idle += out is NOTHING
            told.append(out)
    return told, idle


@pytest.mark.parametrize("seed", range(4))
def test_who_is_looked_at_now_and_then_is_told_the_same_as_who_is_looked_at_all_the_time(seed: int) -> None:
    (told, idle), (wanted, _) = told_by(seed, always=False), told_by(seed, always=True)
    assert told == wanted
    kinds = [message.kind for out in told for _, message in out if isinstance(message, PositionNews)]
    assert {"margin_call", "liquidation"} <= set(kinds), "the market was wild enough"
    assert idle > 700, "most ticks cost nothing"


def test_the_band_ends_where_the_margin_call_begins() -> None:
    venue = a_venue()
    venue.submit(
        "one", NewOrder(cid=1, group_id=None, symbol=Symbol("tBTCUSD"), wire_type="MARKET", amount=D(3)), 2_000
    )
    low, high = venue.band(Symbol("tBTCUSD"))
    assert high == float("inf")
    assert venue.on_tick(Symbol("tBTCUSD"), low + 1, 1.0, 3_000) is NOTHING
    (warning,) = [message for _, message in venue.on_tick(Symbol("tBTCUSD"), low - 1, 1.0, 4_000)]
    assert isinstance(warning, PositionNews)
    assert warning.kind == "margin_call"
