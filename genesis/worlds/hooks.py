"""Every source of chance and time that Python, trio and the libraries have, turned into functions of one seed.

trio's own order of things is `virtual_loop`'s; what else of it is private stands there, too.
"""

import contextlib
import gc
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from unittest.mock import patch

import hypercorn.config
import hypercorn.protocol.http_stream
import hypercorn.protocol.ws_stream
import trio
import trio._core._run as _run

from genesis.worlds import virtual_socket
from genesis.worlds.process import current_process
from genesis.worlds.timers import timed_by
from genesis.worlds.virtual_clock import VirtualClock
from genesis.worlds.virtual_loop import Steps, looped_by

EPOCH_S: Final = 1_767_225_600
"""When a world begins: 2026-01-01T00:00:00Z. A whole minute, since its market does too."""
PID: Final = 4242

PRIVATE_STREAM_NAME: Final = "_send_conflict_detector"
"""What every `trio.SocketStream` has to tell two who send at once; `virtual_socket.send_all` uses it."""


_clocks: list[VirtualClock] = []


def _virtual_s() -> float:
    return _clocks[-1].now if _clocks else 0.0


def wall_s() -> float:
    """The wall clock of the process that asks: virtual time, and how far its machine's clock is off."""
    process = current_process()
    now = _clocks[-1].now if _clocks else 0.0
    return EPOCH_S + now + (0.0 if process is None else process.clock_off_s)


async def _inline(call: Callable[..., Any], *args: Any, **_: Any) -> Any:
    await trio.lowlevel.checkpoint()
    return call(*args)


@contextlib.contextmanager
def deterministic(seed: int | str) -> Iterator[None]:
    """Inside, a trio run under a `VirtualClock` is a function of the seed. Not for use by two threads at once."""
    entropy = random.Random(f"{seed}-entropy")  # noqa: S311 - a world's entropy is its seed
    state = random.getstate()
    with contextlib.ExitStack() as stack:
        change = stack.enter_context
        change(patch.object(trio.SocketStream, "send_all", virtual_socket.send_all))
        change(patch.object(trio.SocketStream, "receive_some", virtual_socket.receive_some))
        change(patch.object(os, "urandom", entropy.randbytes))
        change(patch.object(os, "getpid", lambda: PID))
        change(patch.object(random, "_urandom", entropy.randbytes))
        change(patch.object(trio.to_thread, "run_sync", _inline))
        change(patch.object(time, "time", wall_s))
        change(patch.object(time, "time_ns", lambda: int(wall_s() * 1e9)))
        change(patch.object(time, "monotonic", _virtual_s))
        for module in (hypercorn.config, hypercorn.protocol.http_stream, hypercorn.protocol.ws_stream):
            change(patch.object(module, "time", wall_s))
        collecting = gc.isenabled()
        gc.collect()
        gc.disable()
        shuffle = _run._r.getstate()
        _run._r.seed(f"{seed}-schedule")
        random.seed(f"{seed}-random")
        try:
            yield
        finally:
            _run._r.setstate(shuffle)
            random.setstate(state)
            if collecting:
                gc.enable()


def run_virtual(
    seed: int | str, main: Callable[..., Any], *args: Any, steps: Steps | None = None, clock: VirtualClock | None = None
) -> Any:
    """`trio.run` of `main` where nothing but the seed decides, and where time passes only while everybody waits."""
    clock = VirtualClock() if clock is None else clock
    with deterministic(seed), timed_by(clock), looped_by(clock, Steps() if steps is None else steps):
        _clocks.append(clock)
        try:
            return trio.run(main, *args, clock=clock, strict_exception_groups=True)
        finally:
            _clocks.pop()
