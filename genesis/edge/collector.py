"""Python's collector of cyclic garbage, kept out of the way of decisions, and timed.

By itself it looks through everything that lives whenever enough was made since the last time: a third of a million
objects of an engine that has started take it 80 ms and more, and the moment is often the one at which most is made, a
candle's end. So what the start has made is put aside for good, young garbage is looked for seldom, and what was made
since is looked through in the middle of a minute, all of it every ten minutes.
"""

import gc
import itertools
import time
from typing import Final

import trio

from genesis.core.clock import Clock
from genesis.edge.connection_stats import Durations
from genesis.edge.huge_pages import gather
from protocols.health import LineTimes

THRESHOLDS: Final = (5_000, 20, 1_000)
"""Of the three generations. The oldest is looked through by `tidy`; by itself only where that cannot keep up."""
BUCKETS_S: Final = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Upper bounds of a pause; what is longer is in the last, endless one."""
MINUTE_MS: Final = 60_000
MIDDLE_MS: Final = 30_000
"""Candles close at full minutes of the venue."""
ALL_EVERY: Final = 10


class Collector:
    """One for a process. It holds the collector from `begin` to `end`, and says how long its pauses were."""

    def __init__(self) -> None:
        self.pauses = tuple(Durations(bounds_s=BUCKETS_S) for _ in THRESHOLDS)
        self._before = gc.get_threshold()
        self._began_at = 0.0

    def begin(self) -> None:
        """What was imported stays. Time every pause from here on."""
        self._before = gc.get_threshold()
        gc.callbacks.append(self._on_pause)
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)

    def settle(self) -> int:
        """The start is over: what lives now lives long. It is not looked at again, and gathered in huge pages: how
        many bytes those are."""
        gc.collect()
        gc.freeze()
        return gather()

    async def tidy(self, clock: Clock) -> None:
        """Look in the middle of each minute, for ever: through everything at each `ALL_EVERY`th."""
        for number in itertools.count(1):
            await trio.sleep(((MIDDLE_MS - clock.wall_ms()) % MINUTE_MS or MINUTE_MS) / 1000)
            gc.collect(1 if number % ALL_EVERY else 2)

    def end(self) -> None:
        """Leave the process as it was found."""
        gc.callbacks.remove(self._on_pause)
        gc.set_threshold(*self._before)
        gc.unfreeze()

    def views(self) -> tuple[LineTimes, ...]:
        """The pauses of each generation, under the name `gc`."""
        return tuple(times.view(str(generation), "gc") for generation, times in enumerate(self.pauses))

    def _on_pause(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began_at = time.perf_counter()
        else:
            self.pauses[info["generation"]].append(time.perf_counter() - self._began_at)
