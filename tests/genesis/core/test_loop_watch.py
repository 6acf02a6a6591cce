"""The watch on the loop: one report a standstill, with the line that holds it, and a last resort."""

import threading

import pytest
import trio

from genesis.core.loop_watch import NOT_RUN, LoopBlocked, LoopWatch


class Ear:
    def __init__(self) -> None:
        self.blocks: list[LoopBlocked] = []
        self.fatal: list[str] = []

    def watch(self) -> LoopWatch:
        watch = LoopWatch(self.blocks.append, limit_s=1, fatal_s=10, on_fatal=self.fatal.append)
        watch.beat(100.0)
        return watch


def test_a_late_pulse_is_reported_once_and_a_new_one_again() -> None:
    ear = Ear()
    watch = ear.watch()
    for now in (100.5, 100.99):
        watch.look(now)
    assert ear.blocks == []
    for now in (101.0, 101.5, 105.0):
        watch.look(now)
    assert [block.blocked_s for block in ear.blocks] == [1.0]
    watch.beat(105.0)
    watch.look(105.9)
    watch.look(106.1)
    assert [round(block.blocked_s, 3) for block in ear.blocks] == [1.0, 1.1]
    assert watch.blocks == 2


def test_a_standstill_that_lasts_is_fatal_once() -> None:
    ear = Ear()
    watch = ear.watch()
    for now in (102.0, 109.9, 110.0, 111.0):
        watch.look(now)
    assert ear.fatal == ["the event loop has stood still for 10.0 s"]
    assert len(ear.blocks) == 1


def test_a_process_that_was_stopped_is_not_a_loop_that_hangs() -> None:
    """Ctrl-Z and fg, a paused container: the watch that woke first ended the process, with its positions open."""
    ear = Ear()
    watch = ear.watch()
    watch.look(100.25)
    watch.woke(145.0, after_s=44.75, cpu_s=0.01)
    watch.look(145.0)
    assert ear.fatal == []
    assert [(block.blocked_s, block.stack) for block in ear.blocks] == [(44.75, NOT_RUN)]
    assert (watch.blocks, watch.starved, watch.starved_s) == (0, 1, 44.75)
    # It runs again, and its loop does not turn: ten seconds of that are ten seconds.
    watch.look(154.7)
    assert ear.fatal == []
    watch.look(154.75)
    assert ear.fatal == ["the event loop has stood still for 10.0 s"]


def test_a_loop_that_has_turned_meanwhile_is_not_in_the_future() -> None:
    ear = Ear()
    watch = ear.watch()
    watch.beat(145.0)
    watch.woke(145.1, after_s=44.85, cpu_s=0.01)
    watch.look(155.1)
    assert len(ear.fatal) == 1


def test_code_that_keeps_the_interpreter_to_itself_is_a_standstill() -> None:
    """No thread runs meanwhile, the watch neither; what tells it apart is that it works."""
    ear = Ear()
    watch = ear.watch()
    watch.woke(145.0, after_s=45.0, cpu_s=44.0)
    watch.look(145.0)
    assert ear.fatal == ["the event loop has stood still for 45.0 s"]


def test_a_loop_that_other_programs_keep_from_running_is_not_one_that_hangs() -> None:
    """1.2 s with a fifth of a processor: each look comes somewhat late, none by itself says it."""
    ear = Ear()
    watch = ear.watch()
    for now in (100.6, 101.2, 101.3):
        watch.woke(now, after_s=0.6 if now < 101.3 else 0.1, cpu_s=0.1)
        watch.look(now)
    assert (watch.blocks, watch.starved, watch.starved_s) == (0, 1, 1.2)
    assert [block.stack for block in ear.blocks] == [NOT_RUN]
    watch.beat(101.3)
    watch.woke(101.8, after_s=0.5, cpu_s=0.0)
    watch.look(102.2)
    assert (watch.blocks, watch.starved) == (0, 1), "another half a second is not told"
    watch.look(102.9)
    assert (watch.blocks, watch.starved) == (1, 1), "but a loop that had its time and did not turn is"


def test_what_the_kernel_says_of_the_queue_counts_where_the_watch_itself_is_on_time() -> None:
    """The loop in the queue of a busy core, the watch on one that is free."""
    ear = Ear()
    watch = ear.watch()
    for quarter in range(1, 6):
        watch.woke(100 + quarter / 4, after_s=0.25, cpu_s=0.05, waited_s=0.22)
        watch.look(100 + quarter / 4)
    assert (watch.blocks, watch.starved) == (0, 1)


def test_a_loop_that_waits_for_a_disk_hangs_although_it_does_not_work() -> None:
    ear = Ear()
    watch = ear.watch()
    for quarter in range(1, 6):
        watch.woke(100 + quarter / 4, after_s=0.25, cpu_s=0.0, waited_s=0.001)
        watch.look(100 + quarter / 4)
    assert (watch.blocks, watch.starved) == (1, 0)


def test_the_longest_standstill_is_kept() -> None:
    watch = Ear().watch()
    for now in (100.5, 103.0, 103.1):
        watch.beat(now)
    assert watch.longest_s == pytest.approx(2.5)


@pytest.mark.parametrize(("limit_s", "fatal_s"), [(0, 1), (-1, 1), (2, 1)])
def test_limits_that_cannot_be_right_are_refused(limit_s: float, fatal_s: float) -> None:
    with pytest.raises(ValueError, match=f"limit_s must be above 0 and at most fatal_s {fatal_s}, was {limit_s}"):
        LoopWatch(lambda _: None, limit_s=limit_s, fatal_s=fatal_s)


async def test_a_blocked_loop_is_seen_from_outside_and_its_line_is_named(nursery: trio.Nursery) -> None:
    """The loop really stands still here, until the watching thread has said so."""
    seen = threading.Event()
    blocks: list[LoopBlocked] = []

    def report(block: LoopBlocked) -> None:
        blocks.append(block)
        seen.set()

    watch = LoopWatch(report, limit_s=0.05)
    await nursery.start(watch.run)

    def hold_the_loop() -> None:
        assert seen.wait(30), "nobody noticed"

    hold_the_loop()
    assert "hold_the_loop" in blocks[0].stack
    assert "seen.wait(30)" in blocks[0].stack
    assert blocks[0].blocked_s >= 0.05
    assert watch.pulse_age_s() >= 0.05
    nursery.cancel_scope.cancel()


async def test_its_thread_ends_with_its_task(nursery: trio.Nursery) -> None:
    watch = LoopWatch(lambda _: None, limit_s=0.02)
    before = set(threading.enumerate())
    async with trio.open_nursery() as inner:
        await inner.start(watch.run)
        (thread,) = set(threading.enumerate()) - before
        inner.cancel_scope.cancel()
    thread.join(10)
    assert not thread.is_alive()
