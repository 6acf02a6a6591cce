"""The pulse of the real program: its service manager hears it, its health file follows, and a blocked loop has none."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from genesis.core.clock import TrioClock
from genesis.core.loop_watch import LoopWatch
from genesis.edge.health_file import read_health
from genesis.edge.service_manager import ServiceManager
from genesis.pulse import EVERY_S, Pulse, StartPulse
from tests.house import house, lively_layer, piece_of

PATIENCE_S = 120


def test_systemd_hears_the_program_and_its_health_file_follows(tmp_path: Path) -> None:
    home, name = tmp_path / "home", str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)
        listener.settimeout(PATIENCE_S)
        ours = {name: value for name, value in os.environ.items() if not name.startswith("GENESIS_")}
        command = [sys.executable, "-m", "genesis", "run", "--port", "0", "--recording", "2015-08-flash"]
        process = subprocess.Popen(
            [*command, "--data-dir", str(home)],
            env={**ours, "NOTIFY_SOCKET": name, "WATCHDOG_USEC": "900000"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            told = listener.recv(4096)
            # While the journal is verified systemd is asked for patience, as long as that takes.
            while told.startswith(b"EXTEND_TIMEOUT_USEC="):
                told = listener.recv(4096)
            first = told.decode().split("\n")
            assert first[0] == "READY=1"
            assert f"MAINPID={process.pid}" in first
            for _ in range(3):
                assert listener.recv(4096).startswith(b"WATCHDOG=1\nSTATUS=sim, running")
            health = read_health(home / "health.json")
            assert health is not None
            assert (health.pid, health.state, health.mode) == (process.pid, "running", "sim")
            assert health.every_s == pytest.approx(0.3)
            end = time.monotonic() + PATIENCE_S
            while not health.is_fresh(int(time.time() * 1000)):
                assert time.monotonic() < end, "it must be written again and again"
                time.sleep(0.02)
                health = read_health(home / "health.json")
                assert health is not None
            process.send_signal(signal.SIGTERM)
            while not (said := listener.recv(4096)).startswith(b"STOPPING=1"):
                assert said.startswith(b"WATCHDOG=1")
            assert process.wait(timeout=PATIENCE_S) == 0
            last = read_health(home / "health.json")
            assert last is not None
            assert last.state == "stopped"
            assert not last.is_fresh(last.at_ms)
        finally:
            process.kill()
            process.wait()


async def test_a_pulse_tells_how_the_engine_is(tmp_path: Path) -> None:
    async with house(tmp_path, recording=piece_of(minutes=5), layer=lively_layer()) as here:
        await here.ready()
        pulse = Pulse(
            manager=ServiceManager(),
            path=tmp_path / "health.json",
            mode="sim",
            engine=here.engine,
            clock=TrioClock(),
            watch=LoopWatch(lambda block: None),
        )
        here.engine.supervisor.kill("trading/signal", reason="to be counted")
        with trio.fail_after(60):
            while not here.engine.restarts_total:  # noqa: ASYNC110 - one crash, told in some steps
                await trio.sleep(0.01)
        await here.ready()
        await pulse.end("stopping")
        health = read_health(tmp_path / "health.json")
        assert health is not None
        assert (health.ready, health.trading, health.actor_crashes) == (True, "ACTIVE", 1)
        assert not health.is_fresh(health.at_ms)


async def test_a_start_that_waits_is_told_until_there_is_an_engine(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    autojump_clock.autojump_threshold = 0.02
    path, waits = tmp_path / "health.json", ["venue"]
    pulse = StartPulse(
        path=path, mode="live", clock=TrioClock(), watch=LoopWatch(lambda block: None), waits=lambda: waits[-1]
    )
    nursery.start_soon(pulse.beat)
    for what in ("venue", "start"):
        waits.append(what)
        path.unlink(missing_ok=True)
        with trio.fail_after(2 * EVERY_S):
            while not path.exists():  # noqa: ASYNC110 - a file
                await trio.sleep(0.1)
        health = read_health(path)
        assert health is not None
        assert (health.state, health.ready, health.waits) == ("starting", False, what)
    await pulse.end()
    path.unlink()
    await trio.sleep(3 * EVERY_S)
    assert not path.exists(), "the engine's own pulse has the file"
    await pulse.end("stopped")
    health = read_health(path)
    assert health is not None
    assert (health.state, health.waits) == ("stopped", "")
