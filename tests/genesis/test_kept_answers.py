"""Answers that are told again: asked once for all who wait, bounded, and never kept beyond what was said after."""

import pytest
import trio

from genesis.kept_answers import KeptAnswers
from tests.web.fakes import HandClock


class Source:
    """Answers 1, 2, 3 and so on, when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = trio.Event()
        self.gate.set()

    async def ask(self) -> int:
        self.asked += 1
        mine = self.asked
        await self.gate.wait()
        return mine


async def test_an_answer_serves_everybody_until_it_is_old() -> None:
    clock, source = HandClock(), Source()
    kept = KeptAnswers(clock)
    assert (await kept.get("a", source.ask, 5.0)).asked
    clock.seconds += 5.0
    again = await kept.get("a", source.ask, 5.0)
    assert (again.value, again.age_s, again.asked) == (1, 5.0, False)
    clock.seconds += 0.1
    assert (await kept.get("a", source.ask, 5.0)).value == 2
    clock.seconds += 0.1
    assert (await kept.get("a", source.ask, 5.0, force_fresh=True)).value == 3
    assert (await kept.get("b", source.ask, 5.0)).value == 4


async def test_who_asks_meanwhile_gets_the_answer_that_is_under_way(nursery: trio.Nursery) -> None:
    kept, source = KeptAnswers(HandClock()), Source()
    source.gate = trio.Event()
    told: list[int] = []

    async def ask() -> None:
        told.append((await kept.get("a", source.ask, 5.0)).value)

    for _ in range(5):
        nursery.start_soon(ask)
    await trio.testing.wait_all_tasks_blocked()
    source.gate.set()
    await trio.testing.wait_all_tasks_blocked()
    assert told == [1] * 5
    assert source.asked == 1


async def test_what_was_forgotten_meanwhile_is_not_kept(nursery: trio.Nursery) -> None:
    kept, source = KeptAnswers(HandClock()), Source()
    source.gate = trio.Event()
    nursery.start_soon(kept.get, "a", source.ask, 5.0)
    await trio.testing.wait_all_tasks_blocked()
    kept.forget("a")
    source.gate.set()
    await trio.testing.wait_all_tasks_blocked()
    assert (await kept.get("a", source.ask, 5.0)).value == 2


async def test_a_failure_is_not_kept_and_what_is_kept_is_bounded() -> None:
    kept, source = KeptAnswers(HandClock(), largest=3), Source()

    async def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await kept.get(1, fail, 5.0)
    for key in range(5):
        await kept.get(key, source.ask, 5.0)
    assert len(kept) == 3
    assert (await kept.get(4, source.ask, 5.0)).value == 5
    assert (await kept.get(0, source.ask, 5.0)).value == 6
