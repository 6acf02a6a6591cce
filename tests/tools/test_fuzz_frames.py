"""The fuzzer finds nothing in a bounded run, would find something, and its seeds cover every recording."""

import random

import pytest

from tools.fuzz_frames import Finding, Target, fuzz, mutate, seeds, targets


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mutated_recordings_are_read_or_refused_with_a_typed_error(seed: int) -> None:
    tried, readers = fuzz(random.Random(seed), seeds(), lambda tried: tried >= 20_000)
    assert tried >= 20_000
    assert all(0 < target.refused < tried for target in readers)


def test_seeds_unmutated_are_read_too() -> None:
    readers = targets()
    for data in seeds()[:6000]:
        for target in readers:
            target.feed(data)


def test_a_reader_that_breaks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def start() -> object:
        def read(data: bytes) -> bool:
            if b"null" in data:
                raise KeyError("x")
            return False

        return read

    monkeypatch.setattr("tools.fuzz_frames.targets", lambda: [Target("broken", start)])  # type: ignore[arg-type]
    with pytest.raises(Finding, match="broken, input"):
        fuzz(random.Random(1), seeds()[:100], lambda tried: tried > 50_000)


def test_the_same_seed_makes_the_same_inputs() -> None:
    corpus = seeds()[:50]
    one, two = random.Random(7), random.Random(7)
    assert [mutate(corpus[0], one, corpus) for _ in range(50)] == [mutate(corpus[0], two, corpus) for _ in range(50)]
