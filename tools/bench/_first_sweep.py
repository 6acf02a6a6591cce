"""A sweep of the bench in a process of its own, which may be the first of its machine: `python -m
tools.bench._first_sweep [one]`. With `one` it has one core, wherever there are more."""

import os
import sys


def main() -> None:
    if sys.argv[1:] == ["one"]:
        # Before anything asks how many there are.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from genesis.research.fast import Prepared, sweep
    from tools.bench.sweep import SETS, random_bars, settings

    results = sweep(Prepared.of(random_bars(100_000), settings("1m")), SETS)
    assert all(result.ran_fast for result in results), {result.why for result in results}


if __name__ == "__main__":
    main()
