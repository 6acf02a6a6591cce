"""vectorbt on the bench's bars: `sweep_vectorbt.py BARS SETS sets|memory`.

Crosses of two exponential averages over many pairs of lengths, at a fee of 0.2 %: prints the sets a second (processor
time, compiled beforehand, fifty sets at a time so that memory does not end the run), or the most MiB it held.
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import vectorbt as vbt

AT_ONCE = 50


def trade(close: pd.Series, pairs: list[tuple[int, int]]) -> float:
    lengths = sorted({length for pair in pairs for length in pair})
    averages = {length: close.ewm(span=length, adjust=False).mean() for length in lengths}
    fast = pd.concat([averages[one] for one, _ in pairs], axis=1, keys=range(len(pairs)))
    slow = pd.concat([averages[other] for _, other in pairs], axis=1, keys=range(len(pairs)))
    above = fast > slow
    before = above.shift(1, fill_value=False)
    made = vbt.Portfolio.from_signals(
        close, above & ~before, ~above & before, fees=0.002, init_cash=10_000.0, size=0.02, freq="1min"
    )
    return float(made.total_return().sum())


def most_mib() -> float:
    """What this program held at most. What the system says of the process may be of the one that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        told = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(told.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    count, sets, what = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    chance = np.random.default_rng(1)
    close = pd.Series(np.round(6000 * np.exp(np.cumsum(chance.normal(0, 0.0006, count))), 1))
    close.index = pd.date_range("2018-11-13", periods=count, freq="min")
    every = [(fast, slow) for fast in range(5, 45) for slow in range(50, 175, 5)]
    pairs = [every[place * len(every) // sets] for place in range(sets)]
    trade(close[:2_000], pairs[:2])
    began = time.process_time()
    for place in range(0, sets, AT_ONCE):
        trade(close, pairs[place : place + AT_ONCE])
    took = time.process_time() - began
    print(most_mib() if what == "memory" else sets / took)


if __name__ == "__main__":
    main()
