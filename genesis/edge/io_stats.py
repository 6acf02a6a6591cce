"""What one client of the world outside has asked, moved and waited for: counted, and the newest times kept."""

from typing import Final

import attrs

from genesis.edge.connection_stats import Durations
from protocols.health import IoView

BUCKETS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds, from a commit on a fast disk to a request that is given up."""
WHAT: Final = "io"


@attrs.define(eq=False)
class IoStats:
    """One client's counters, written by whoever uses it and read as they are."""

    requests: int = 0
    failures: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    times: Durations = attrs.field(factory=lambda: Durations(bounds_s=BUCKETS_S))

    def answered(self, seconds: float, *, sent: int = 0, received: int = 0) -> None:
        """A request was answered, whatever the answer says."""
        self.requests += 1
        self.bytes_out += sent
        self.bytes_in += received
        self.times.append(seconds)

    def failed(self, *, sent: int = 0) -> None:
        """A request was not answered. How long it took says how patient we are, and nothing of the other side."""
        self.requests += 1
        self.failures += 1
        self.bytes_out += sent

    def view(self, client: str, kind: str) -> IoView:
        median, slow = quantiles(self.times)
        return IoView(
            client=client,
            kind=kind,
            requests=self.requests,
            failures=self.failures,
            answers=self.requests - self.failures,
            bytes_out=self.bytes_out,
            bytes_in=self.bytes_in,
            p50_s=median,
            p99_s=slow,
            times=self.times.view(client, WHAT),
        )


def quantiles(times: Durations) -> tuple[float | None, float | None]:
    """Median and 99th percentile of the newest times, by nearest rank; None of none."""
    ordered = sorted(times)
    if not ordered:
        return None, None
    return ordered[(len(ordered) - 1) // 2], ordered[-(-99 * len(ordered) // 100) - 1]
