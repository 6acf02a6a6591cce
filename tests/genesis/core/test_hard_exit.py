"""The last way out: the process leaves by itself when an orderly end does not come."""

import contextlib
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
    assert left.wait(120)
    assert codes == [EXIT_CODE]
    said = capfd.readouterr().err
    assert "genesis: hard exit: shutdown: no end after 0.01 s" in said
    assert "Thread" in said


def test_a_disarmed_deadline_never_comes() -> None:
    codes: list[int] = []
    exit_ = HardExit(leave=codes.append)
    # Long enough for a machine that lets us wait between two lines.
    exit_.arm(20.0, "shutdown")
    timer = exit_._timer
    exit_.disarm()
    exit_.disarm()
    assert timer is not None
    timer.join(120)
    assert codes == []


def test_a_process_held_by_a_zombie_is_left() -> None:
    done = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == EXIT_CODE
    assert "hard exit: zombies: top/undead" in done.stderr


@pytest.mark.parametrize("stderr", [None, open])
def test_it_leaves_although_nobody_can_be_told_why(monkeypatch: pytest.MonkeyPatch, stderr: object) -> None:
    """Stderr may be closed, or a file on the very disk that is full."""
    codes: list[int] = []
    with open("/dev/full", "w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", None if stderr is None else full)
        with pytest.raises((AttributeError, OSError)):
            HardExit(leave=codes.append).now("shutdown")
        with contextlib.suppress(OSError):
            full.close()
    assert codes[0] == EXIT_CODE


def test_it_leaves_although_nobody_reads_why() -> None:
    """A pipe whose reader sleeps takes a pipe's worth of words and then none."""
    text = (
        "import os, sys; os.write(2, b'x' * 65536); from genesis.core.hard_exit import HardExit; HardExit().now('end')"
    )
    with subprocess.Popen([sys.executable, "-c", text], stderr=subprocess.PIPE) as stuck:
        assert stuck.wait(120) == EXIT_CODE


def test_it_leaves_although_the_pipe_is_full_in_the_middle_of_its_words() -> None:
    """Whoever writes then must not keep the interpreter: the thread that has the last word could not run."""
    room = len("genesis: hard exit: end") + 9
    text = (
        f"import os; os.write(2, b'x' * (65536 - {room}));"
        " from genesis.core.hard_exit import HardExit; HardExit().now('end')"
    )
    with subprocess.Popen([sys.executable, "-c", text], stderr=subprocess.PIPE) as stuck:
        try:
            assert stuck.wait(120) == EXIT_CODE
        finally:
            stuck.kill()
