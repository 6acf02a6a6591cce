"""The last way out: the process leaves by itself when an orderly end does not come."""

import subprocess
import sys
import threading

import pytest

from genesis.core.hard_exit import EXIT_CODE, HardExit

STUCK = """
import trio
from genesis.core.hard_exit import HardExit
from genesis.core.supervisor import *
from genesis.core.clock import TrioClock
from random import Random

class Undead:
    async def run(self, ctx):
        ctx.ready()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()

async def main():
    spec = SupervisorSpec(id="top", children=(ChildSpec(id="undead", start=Undead, shutdown_s=0.05),))
    top = Supervisor(spec, clock=TrioClock(), chance=Random(1), on_event=print, last_resort=HardExit().now)
    async with trio.open_nursery() as nursery:
        await nursery.start(top.run)
        await top.stop()

trio.run(main)
"""


def test_a_deadline_that_passes_leaves_with_its_code(capfd: pytest.CaptureFixture[str]) -> None:
    left = threading.Event()
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        left.set()

    exit_ = HardExit(leave=leave)
    exit_.arm(0.01, "shutdown")
    exit_.arm(1000, "the first deadline stands")
    assert left.wait(30)
    assert codes == [EXIT_CODE]
    said = capfd.readouterr().err
    assert "genesis: hard exit: shutdown: no end after 0.01 s" in said
    assert "Thread" in said


def test_a_disarmed_deadline_never_comes() -> None:
    codes: list[int] = []
    exit_ = HardExit(leave=codes.append)
    exit_.arm(0.05, "shutdown")
    timer = exit_._timer
    exit_.disarm()
    exit_.disarm()
    assert timer is not None
    timer.join(30)
    assert codes == []


def test_a_process_held_by_a_zombie_is_left() -> None:
    done = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == EXIT_CODE
    assert "hard exit: zombies: top/undead" in done.stderr
