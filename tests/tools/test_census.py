"""The census counts what lives, and sees what grew."""

import tracemalloc

import pytest

from tools.census import allocations, census, native


class Kept:
    """One of what is looked for."""


def test_it_counts_objects_by_type_and_names_long_containers() -> None:
    kept = [Kept() for _ in range(1234)]
    told = census()
    assert told["objects"][f"{Kept.__module__}.Kept"] == len(kept)
    assert any(size == 1234 and "Kept object" in text for size, text in told["containers"])


def test_it_names_the_line_that_asked_for_memory() -> None:
    if tracemalloc.is_tracing():
        pytest.skip("somebody else traces here")
    tracemalloc.start(2)
    try:
        kept = bytearray(5_000_000)
        size, _, place = allocations()[0]
    finally:
        tracemalloc.stop()
    assert size >= len(kept)
    assert place.startswith(__file__)


def test_it_tells_what_the_system_gave() -> None:
    assert sum(size for name, size in native().items() if name.startswith("rss ")) > 1000
