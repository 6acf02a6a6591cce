"""What the first sweep of a machine costs more than the next one: all that must be compiled, and nothing is kept yet.

    python -m tools.bench.first_sweep [rounds]

A thousand sets over 100,000 bars, whole processes, one with an empty folder for machine code and then one with the
folder that it left; the same again with one core, where no second process can help. By the wall, as somebody waits for
it, and in CPU time, which other programs do not stretch. Needs numba (`fast`).
"""

import os
import resource
import subprocess
import sys
import tempfile
import time

from tools.bench import _peers
from tools.bench._figures import tell


def a_sweep(folder: str, *words: str) -> tuple[float, float]:
    """(seconds on the wall, seconds of processor) of a sweep that keeps its machine code there, its children's too."""
    command = (sys.executable, "-m", "tools.bench._first_sweep", *words)
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, cwd=_peers.ROOT, env={**os.environ, "NUMBA_CACHE_DIR": folder})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, spent


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for _ in range(rounds):
        for name, words in (("", ()), (" on one core", ("one",))):
            if words and not hasattr(os, "sched_setaffinity"):
                continue
            with tempfile.TemporaryDirectory() as folder:
                first, next_ = a_sweep(folder, *words), a_sweep(folder, *words)
            for unit, place in (("s", 0), ("s CPU", 1)):
                more = first[place] - next_[place]
                what = f"first sweep{name}, more than the next" + (", CPU" if place else "")
                tell(what, more, unit, beside=next_[place], beside_name="the next")
    return 0


if __name__ == "__main__":
    sys.exit(main())
