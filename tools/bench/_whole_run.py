"""One fast run in a process of its own: `python -m tools.bench._whole_run BARS`; prints the seconds of processor of the
whole process and the most MiB it held, imports and making the bars included."""

import resource
import sys
import time

from genesis.research.fast import Prepared, run_fast
from tools.bench.sweep import random_bars, settings


def main() -> None:
    result = run_fast(Prepared.of(random_bars(int(sys.argv[1])), settings("1m")))
    assert result.ran_fast, result.why
    print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
