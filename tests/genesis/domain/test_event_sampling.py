"""Every event is counted, the share that was asked for is told, and each line says how many were not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesis.domain.event_sampling import LINES_A_SECOND, SAMPLED, EventSampler
from protocols.settings import EventSettings


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_what_is_told_and_what_is_not_is_all_there_was_at_any_rate(rates: list[float]) -> None:
    sampler = EventSampler()
    lines = said = covered = 0
    for number, rate in enumerate(rates, 1):
        untold = sampler.sample("ticker", rate, now=float(number))
        if untold is not None:
            lines, said, covered = lines + 1, said + 1 + untold, number
    (count,) = [each for each in sampler.counts(EventSettings()) if each.category == "ticker"]
    assert (count.heard, count.told, count.sampled_out) == (len(rates), lines, len(rates) - lines)
    assert said == covered, "the lines account for every event up to the last of them"
    assert lines <= sum(rates) + 1


@pytest.mark.parametrize(("rate", "told"), [(0.0, 0), (0.01, 10), (0.1, 100), (1 / 3, 333), (0.5, 500), (1.0, 1000)])
def test_the_share_is_exact_and_evenly_spread(rate: float, told: int) -> None:
    sampler = EventSampler()
    gaps = [sampler.sample("candle", rate, now=float(number)) for number in range(1000)]
    lines = [gap for gap in gaps if gap is not None]
    assert len(lines) == told
    assert max(lines, default=0) - min(lines, default=0) <= 1


def test_a_flood_fills_no_log_and_is_counted() -> None:
    sampler = EventSampler()
    told = sum(sampler.sample("forming", 1.0, now=second / 1000) is not None for second in range(10_000))
    assert LINES_A_SECOND <= told <= 11 * LINES_A_SECOND
    (count,) = [each for each in sampler.counts(EventSettings(forming=1.0)) if each.category == "forming"]
    assert (count.heard, count.sampled_out, count.rate) == (10_000, 10_000 - told, 1.0)


def test_categories_share_no_credit_and_those_without_a_rate_are_whole() -> None:
    sampler = EventSampler()
    for _ in range(3):
        sampler.sample("ticker", 0.5, now=0.0)
        sampler.whole("fill")
    assert sampler.sample("score", 0.5, now=0.0) is None
    counts = {each.category: each for each in sampler.counts(EventSettings(ticker=0.5))}
    assert (counts["fill"].told, counts["fill"].sampled_out, counts["fill"].rate) == (3, 0, None)
    assert set(SAMPLED) < set(counts)
