"""Virtual time: straight from one thing that happens to the next, and what is put down for a time comes first in it."""

import trio

from genesis.worlds.hooks import run_virtual
from genesis.worlds.virtual_clock import VirtualClock
from genesis.worlds.virtual_loop import Steps


def test_time_goes_straight_to_what_happens_next() -> None:
    clock, steps = VirtualClock(), Steps()
    told: list[tuple[str, float]] = []

    async def main() -> None:
        clock.at(7200.0, lambda: told.append(("late", trio.current_time())))
        clock.at(10.0, lambda: told.append(("early", trio.current_time())))
        await trio.sleep(3600)
        told.append(("task", trio.current_time()))
        await trio.sleep(3600.5)

    run_virtual(1, main, steps=steps, clock=clock)
    assert told == [("early", 10.0), ("task", 3600.0), ("late", 7200.0)]
    assert steps.count < 20, "events and hours must cost no steps of tasks"


def test_what_is_put_down_for_a_time_is_done_before_timers_of_that_time_ring() -> None:
    clock = VirtualClock()
    told: list[str] = []

    async def main() -> None:
        clock.at(5.0, lambda: told.append("first"))
        clock.at(5.0, lambda: told.append("second"))
        await trio.sleep_until(5.0)
        told.append("task")

    run_virtual(1, main, clock=clock)
    assert told == ["first", "second", "task"]


def test_what_wakes_nobody_turns_no_loop_and_passes_no_deadline() -> None:
    """A deadline that one action draws nearer is kept, although more would have been done in the same go."""
    clock = VirtualClock()
    told: list[tuple[str, float]] = []
    scope = trio.CancelScope()

    def again() -> None:
        told.append(("look", clock.now))
        if clock.now < 60.0:
            clock.at(clock.now + 10.0, again)

    async def main() -> None:
        clock.at(10.0, again)
        clock.at(25.0, lambda: setattr(scope, "deadline", 45.0))
        with scope:
            await trio.sleep_forever()
        told.append(("task", trio.current_time()))
        await trio.sleep_until(100.0)

    run_virtual(1, main, clock=clock)
    looks = [("look", float(at)) for at in range(10, 70, 10)]
    assert told == [*looks[:4], ("task", 45.0), *looks[4:]]


def test_an_action_wakes_a_task_in_its_own_moment() -> None:
    clock = VirtualClock()
    bell = trio.Event()

    async def main() -> float:
        clock.at(42.0, bell.set)
        with trio.move_on_after(1000):
            await bell.wait()
        return trio.current_time()

    assert run_virtual(1, main, clock=clock) == 42.0


def test_an_action_that_is_overdue_turns_no_time_back() -> None:
    clock = VirtualClock()
    told: list[float] = []

    async def main() -> None:
        await trio.sleep(100)
        clock.at(3.0, lambda: told.append(trio.current_time()))
        await trio.sleep(1)
        told.append(trio.current_time())

    run_virtual(1, main, clock=clock)
    assert told == [100.0, 101.0]


def test_time_is_a_float_whatever_is_put_down_and_slept_for() -> None:
    """Rows of the journal keep times: a whole number is written in another way, and every replay reads a float."""
    clock = VirtualClock()
    told: list[float] = []

    async def main() -> None:
        clock.at(149, lambda: told.append(trio.current_time()))
        await trio.sleep_until(200)
        told.append(trio.current_time())

    run_virtual(1, main, clock=clock)
    assert list(map(repr, told)) == ["149.0", "200.0"]
