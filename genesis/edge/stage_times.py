"""How long a decision has been under way at each stage, since its market frame was read: counted, not kept.

One for each engine, written by the actors that a decision passes and read by whoever is asked. Times are monotonic
nanoseconds of one process.
"""

from typing import Final

from genesis.edge.connection_stats import Durations
from protocols.health import LineTimes

BUCKETS_S: Final = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)
"""Upper bounds; what is longer is in the last, endless one."""
STAGES: Final = ("signal", "risk", "order", "sent")
"""Scored by a strategy; judged, the verdict on its way to the disk; the order's intent durable; its frame written to
the socket."""


class StageTimes:
    """One `Durations` for each stage."""

    def __init__(self) -> None:
        self.stages = {name: Durations(bounds_s=BUCKETS_S) for name in STAGES}

    def note(self, stage: str, received_ns: int, now_ns: int) -> None:
        """A decision has come through `stage`. One that no frame began (0) is not counted."""
        if received_ns > 0:
            self.stages[stage].append(max(0, now_ns - received_ns) / 1e9)

    def views(self) -> tuple[LineTimes, ...]:
        """One for each stage, under the name `decision`."""
        return tuple(times.view(name, "decision") for name, times in self.stages.items())
