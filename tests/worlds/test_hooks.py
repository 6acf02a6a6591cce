"""The seams of determinism: trio's private names are where we think, and they do what we think."""

import os
import random
import time

import pytest
import trio
import trio._core._run as scheduler

from genesis.worlds.hooks import EPOCH_S, deterministic, run_virtual
from genesis.worlds.virtual_loop import PRIVATE_NAMES, PRIVATE_SCOPE_NAME, Steps

TASKS, TURNS = 12, 6


@pytest.mark.parametrize("name", PRIVATE_NAMES)
def test_trio_still_has_the_names_that_we_patch(name: str) -> None:
    assert hasattr(scheduler, name), f"trio {trio.__version__} has no _core._run.{name}: every world would lie"


def test_a_run_leaves_trio_as_it_found_it() -> None:
    names = (
        (scheduler, "unrolled_run"),
        (scheduler, "current_time"),
        (trio.CancelScope, PRIVATE_SCOPE_NAME),
        (trio.lowlevel, "reschedule"),
        (trio.lowlevel, "wait_task_rescheduled"),
    )

    async def look() -> list[object]:
        return [getattr(where, name) for where, name in names]

    before = trio.run(look)
    assert not any(ours is theirs for ours, theirs in zip(run_virtual(1, look), before, strict=True))
    assert trio.run(look) == before


def test_scopes_of_a_world_end_what_they_are_around_as_any_others() -> None:
    async def main() -> list[object]:
        with trio.move_on_after(5) as over:
            await trio.sleep_forever()
        with trio.move_on_after(5) as spared:
            await trio.sleep(1)
        with pytest.raises(ValueError, match="mine"), trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()
            raise ValueError("mine")
        with trio.CancelScope() as outer, trio.fail_after(9):
            outer.cancel()
            await trio.Event().wait()
        with pytest.raises(trio.TooSlowError), trio.fail_after(2):
            await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.SUCCEEDED)
        return [over.cancelled_caught, spared.cancelled_caught, outer.cancelled_caught, trio.current_time()]

    assert run_virtual(1, main) == [True, False, True, 8.0]


def test_the_generator_that_shuffles_tasks_is_a_random() -> None:
    assert isinstance(scheduler._r, random.Random)


async def _race() -> list[int]:
    order: list[int] = []

    async def run(number: int) -> None:
        for _ in range(TURNS):
            order.append(number)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for number in range(TASKS):
            nursery.start_soon(run, number)
    return order


def test_one_seed_gives_one_schedule_and_other_seeds_give_others() -> None:
    same = [run_virtual(1, _race) for _ in range(20)]
    assert all(order == same[0] for order in same)
    others = {tuple(run_virtual(seed, _race)) for seed in range(20)}
    assert len(others) == 20, "the seed must reach trio's scheduler"


def test_the_steps_tell_two_schedules_apart() -> None:
    fingerprints = []
    for seed in (1, 1, 2):
        steps = Steps()
        run_virtual(seed, _named_race, steps=steps)
        fingerprints.append((steps.count, steps.fingerprint))
    assert fingerprints[0] == fingerprints[1]
    assert fingerprints[0][1] != fingerprints[2][1]


async def _named_race() -> None:
    async with trio.open_nursery() as nursery:
        for number in range(TASKS):
            nursery.start_soon(_turns, name=f"racer {number}")


async def _turns() -> None:
    for _ in range(TURNS):
        await trio.lowlevel.checkpoint()


def test_a_ring_comes_between_two_steps_at_its_number() -> None:
    steps = Steps()
    rung: list[int] = []
    steps.ring_at(17, lambda: rung.append(steps.count))
    run_virtual(3, _race, steps=steps)
    assert rung == [17]


def test_time_and_entropy_follow_the_world_inside_and_the_machine_outside() -> None:
    async def look() -> tuple[float, float, bytes, int, float]:
        await trio.sleep(3600)
        found = await trio.to_thread.run_sync(os.urandom, 8)
        return time.time(), time.monotonic(), found, os.getpid(), random.random()

    first, second = run_virtual(5, look), run_virtual(5, look)
    assert first == second
    assert first[0] == EPOCH_S + 3600
    assert first[1] == 3600
    before = time.time
    with deterministic(1):
        assert time.time is not before
    assert time.time is before
    assert os.urandom(8) != os.urandom(8)
