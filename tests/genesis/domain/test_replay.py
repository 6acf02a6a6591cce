"""The schedule of a recording: order, times, prices, volumes."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.replay import BOUNDARY_MS, MINUTE_MS, TICK_MS, CandleRow, StepKind, forming, schedule, tick_prices
from protocols.units import Symbol

BTC, ETH = Symbol("tBTCUSD"), Symbol("tETHUSD")
prices = st.integers(1, 10_000).map(lambda n: n / 10)
rows = st.builds(
    lambda p, v: CandleRow(0, p[0], p[1], max(p), min(p), v / 1e8),
    st.lists(prices, min_size=4, max_size=4),
    st.integers(0, 10**12),
)


def a_row(minute: int, price: float = 100.0) -> CandleRow:
    return CandleRow(minute * MINUTE_MS, price, price + 1, price + 2, price - 1, 4.0)


def test_a_minute_is_boundaries_then_four_ticks_in_time_then_symbol_order() -> None:
    steps = list(schedule({BTC: [a_row(0)], ETH: [a_row(0, 10.0)]}))
    told = [(step.kind.value, step.symbol, step.time_ms) for step in steps]
    assert told == [
        ("boundary", BTC, 1_000),
        ("boundary", ETH, 1_000),
        *[("tick", symbol, offset) for offset in TICK_MS for symbol in (BTC, ETH)],
        ("boundary", BTC, 61_000),
        ("boundary", ETH, 61_000),
    ]
    assert [step.price for step in steps if step.kind is StepKind.TICK and step.symbol == BTC] == [100, 99, 102, 101]


def test_a_falling_minute_visits_its_high_first() -> None:
    assert tick_prices(CandleRow(0, 100, 99, 103, 95, 1.0)) == (100, 103, 95, 99)


def test_a_minute_without_a_row_has_its_boundary_only() -> None:
    steps = list(schedule({BTC: [a_row(0), a_row(2)]}))
    assert [step.minute_ms for step in steps if step.kind is StepKind.BOUNDARY] == [0, 60_000, 120_000, 180_000]
    assert {step.minute_ms for step in steps if step.kind is StepKind.TICK} == {0, 120_000}


def test_nothing_recorded_is_nothing_told() -> None:
    assert list(schedule({BTC: []})) == []


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.lists(st.booleans(), min_size=1, max_size=30))
def test_time_never_goes_back_and_numbers_count(btc: list[bool], eth: list[bool]) -> None:
    series = {
        symbol: [a_row(minute) for minute, there in enumerate(shape) if there]
        for symbol, shape in ((BTC, btc), (ETH, eth))
    }
    steps = list(schedule(series))
    assert [step.number for step in steps] == list(range(len(steps)))
    assert all((early.time_ms, early.symbol) < (late.time_ms, late.symbol) for early, late in pairwise(steps))
    assert sum(step.kind is StepKind.TICK for step in steps) == 4 * sum(map(len, series.values()))
    for step in steps:
        # At a boundary the last minute is over for longer than the grace by which a candle is called closed.
        if step.kind is StepKind.BOUNDARY:
            assert step.time_ms == step.minute_ms + BOUNDARY_MS


@given(rows)
def test_the_four_ticks_rebuild_the_candle(row: CandleRow) -> None:
    seen = tick_prices(row)
    assert (seen[0], seen[3], max(seen), min(seen)) == (row.open, row.close, row.high, row.low)
    assert forming(row, 3) == row
    for part in range(3):
        candle = forming(row, part)
        assert candle.low <= candle.close <= candle.high
        assert candle.open == row.open
        assert candle.volume <= row.volume + 1e-8
