"""One fast run in a process of its own: `python -m tools.bench._whole_run BARS`; prints the seconds of processor of the
whole process and the most MiB it held, imports and making the bars included."""

import resource
import sys
import time
from pathlib import Path

from genesis.research.fast import Prepared, run_fast
from tools.bench.sweep import RICH, random_bars, settings


def most_mib() -> float:
    """What this program held at most. What the system says of the process may be of the one that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        told = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(told.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    result = run_fast(Prepared.of(random_bars(int(sys.argv[1])), settings("1m"), balances=RICH))
    assert result.ran_fast, result.why
    print(time.process_time(), most_mib())


if __name__ == "__main__":
    main()
