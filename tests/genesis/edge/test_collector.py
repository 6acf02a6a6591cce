"""The garbage collector is timed, leaves alone what the start has made, and looks in the middle of a minute."""

import gc
from collections.abc import Iterator

import pytest
import trio

from genesis.edge.collector import MIDDLE_MS, MINUTE_MS, THRESHOLDS, Collector
from genesis.venue_clock import VenueClock


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    collector.begin()
    yield collector
    collector.end()


def pauses(collector: Collector) -> list[int]:
    """How many there were in each generation."""
    return [sum(view.counts) for view in collector.views()]


def test_every_pause_is_counted_in_its_generation(collector: Collector) -> None:
    gc.disable()
    try:
        before = pauses(collector)
        gc.collect(0)
        gc.collect(2)
        gc.collect(2)
        assert [after - was for after, was in zip(pauses(collector), before, strict=True)] == [1, 0, 2]
        assert {view.what for view in collector.views()} == {"gc"}
    finally:
        gc.enable()


def test_what_the_start_made_is_not_looked_at_again() -> None:
    thresholds, callbacks = gc.get_threshold(), len(gc.callbacks)
    collector = Collector()
    collector.begin()
    collector.settle()
    assert gc.get_freeze_count() > 1_000
    assert gc.get_threshold() == THRESHOLDS
    collector.end()
    assert (gc.get_freeze_count(), gc.get_threshold(), len(gc.callbacks)) == (0, thresholds, callbacks)


async def test_it_tidies_up_in_the_middle_of_each_minute(
    collector: Collector, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VenueClock(lambda: int(trio.current_time() * 1000))
    moments: list[int] = []
    looked: list[int] = []

    def collect(generation: int) -> None:
        moments.append(clock.wall_ms())
        looked.append(generation)

    monkeypatch.setattr(gc, "collect", collect)
    nursery.start_soon(collector.tidy, clock)
    await trio.sleep(20 * 60 + 1)
    assert looked == [1, 1, 1, 1, 1, 1, 1, 1, 1, 2] * 2
    assert all(abs(moment % MINUTE_MS - MIDDLE_MS) < 1_000 for moment in moments)
