"""A published snapshot: the last value is never missed, and nobody waits for a reader."""

import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from genesis.core.latest import Latest


def test_the_first_value_has_version_zero() -> None:
    cell = Latest("a")
    assert (cell.value, cell.version) == ("a", 0)
    cell.set("b")
    assert (cell.value, cell.version) == ("b", 1)
    cell.set("b")
    assert cell.version == 2, "the same value said again is news"


def test_who_looks_at_a_part_is_called_when_that_is_another() -> None:
    cell, calls = Latest(("a", 1)), list[str]()
    cell.when_other(lambda value: value[0], lambda: calls.append(cell.value[0]))
    for value in (("a", 2), ("b", 2), ("b", 3), ("a", 3)):
        cell.set(value)
    assert calls == ["b", "a"], "what it was when the call was asked for is no news"
    assert cell.version == 4


async def test_a_reader_that_is_behind_gets_the_newest_at_once() -> None:
    cell = Latest(0)
    cell.set(1)
    cell.set(2)
    with assert_checkpoints():
        assert await cell.changed(0) == 2
    assert await cell.changed(1) == 2


async def test_every_reader_wakes_and_a_slow_one_misses_only_what_is_old(nursery: trio.Nursery) -> None:
    cell = Latest(0)
    seen: dict[str, list[int]] = {"quick": [], "slow": []}

    async def read(name: str, pause: int) -> None:
        since = 0
        while True:
            seen[name].append(await cell.changed(since))
            since = cell.version
            for _ in range(pause):
                await wait_all_tasks_blocked()

    nursery.start_soon(read, "quick", 0)
    nursery.start_soon(read, "slow", 3)
    for number in range(1, 10):
        await wait_all_tasks_blocked()
        cell.set(number)
    for _ in range(10):
        await wait_all_tasks_blocked()
    assert seen["quick"][-1] == seen["slow"][-1] == 9
    assert seen["quick"] == sorted(set(seen["quick"]))
    assert seen["slow"] == sorted(set(seen["slow"]))
    nursery.cancel_scope.cancel()


async def test_a_reader_that_is_up_to_date_waits(nursery: trio.Nursery) -> None:
    cell = Latest("a")
    got: list[str] = []

    async def read() -> None:
        got.append(await cell.changed(cell.version))

    nursery.start_soon(read)
    await wait_all_tasks_blocked()
    assert got == []
    cell.set("b")
    cell.set("c")
    await wait_all_tasks_blocked()
    assert got == ["c"]


async def test_a_version_from_the_future_waits_for_it(nursery: trio.Nursery) -> None:
    cell = Latest(0)
    got: list[int] = []

    async def read() -> None:
        got.append(await cell.changed(2))

    nursery.start_soon(read)
    for number in (1, 2, 3):
        await wait_all_tasks_blocked()
        assert got == []
        cell.set(number)
    await wait_all_tasks_blocked()
    assert got == [3]
