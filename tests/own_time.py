"""The seconds that a process had, on a machine that others use as well: what a bound on real time can be held to.

Of the time that passed, what a thread stood in line for a processor is no doing of its own. Linux counts that
(`/proc/PID/schedstat`: nanoseconds on a processor, nanoseconds waited for one); elsewhere nothing is taken off.
"""

import time
from pathlib import Path


def own_s(pid: int | None = None) -> float:
    """Seconds on a clock that stands still while this thread, or the main thread of process `pid`, waits in line for a
    processor. Only differences mean something."""
    path = Path("/proc/thread-self/schedstat") if pid is None else Path(f"/proc/{pid}/schedstat")
    now = time.monotonic()
    try:
        waited_ns = int(path.read_text().split()[1])
    except (OSError, IndexError):
        return now
    return now - waited_ns / 1e9
